//! What a client sends with a check or a report, in words of this house, and the comment that it becomes.

use std::net::{IpAddr, SocketAddr};

use url::Url;
use uuid::Uuid;

use crate::domain::comment::{ArticleDraft, AuthorDraft, Bounds, Draft, Format, Invalid, NewComment};
use crate::domain::time::Timestamp;

/// A comment as a client of Akismet's protocol tells of it. Texts are as they came, empty where nothing came.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a field of its own on the wire")]
pub struct Submission {
    /// The blog's address.
    pub blog: String,
    /// `comment_content`.
    pub body: String,
    /// `comment_author`.
    pub name: String,
    /// `comment_author_email`.
    pub email: String,
    /// `comment_author_url`.
    pub url: String,
    /// `user_ip`.
    pub ip: String,
    /// `user_agent`.
    pub user_agent: String,
    /// `user_ID`, where somebody is signed in.
    pub user_id: String,
    /// `user_role`.
    pub role: String,
    /// `comment_post_ID`.
    pub post_id: String,
    /// `permalink`.
    pub permalink: String,
    /// `comment_post_title`, which no client that we know sends.
    pub title: String,
    /// `comment_context`: what the page is about.
    pub context: Vec<String>,
    /// `blog_lang`, when it names one language.
    pub lang: String,
    /// `comment_parent`.
    pub parent: String,
    /// `comment_ID`: the blog's own number, where there is one already.
    pub comment_id: String,
    /// `referrer`.
    pub referrer: String,
    /// `comment_date_gmt`.
    pub created_at: Option<Timestamp>,
    /// What a hidden field held; `None` when there was none.
    pub honeypot: Option<String>,
    /// Milliseconds from opening the form to sending it.
    pub typing_ms: Option<u64>,
    /// Names that we gave the comment before.
    pub guids: Vec<Uuid>,
    /// Where the client wants to hear more.
    pub callback: String,
    /// The client says that it asks again.
    pub is_again: bool,
    /// Nothing is to be kept of it.
    pub is_test: bool,
    /// The client wants to see `pro-tip: discard`.
    pub test_discard: bool,
    /// Only a question before the comment comes: there is no text yet.
    pub is_pre_check: bool,
    /// Who says what it is.
    pub reporter: String,
    /// On which site they are.
    pub reported_on: String,
    /// What we answered before, as far as the client remembers it.
    pub answered: Option<bool>,
}

/// What always is spam, for whoever tries whether checks work.
const TEST_NAMES: [&str; 2] = ["viagra-test-123", "akismet-guaranteed-spam"];
const TEST_EMAIL: &str = "akismet-guaranteed-spam@example.com";

impl Submission {
    /// Whether it holds one of the values by which clients try out what spam looks like.
    #[must_use]
    pub fn is_test_spam(&self) -> bool {
        let is_test = |text: &str| TEST_NAMES.iter().any(|test| text.trim().eq_ignore_ascii_case(test));
        is_test(&self.name) || is_test(&self.body) || self.email.trim().eq_ignore_ascii_case(TEST_EMAIL)
    }

    /// Whether whoever wrote it administers the blog, by what the client says.
    #[must_use]
    pub fn is_administrators(&self) -> bool {
        self.role.split(',').any(|role| role.trim().eq_ignore_ascii_case("administrator"))
    }

    /// What there is to be judged: the text, or where there is none (as of those who sign up) what its author says of themselves.
    #[must_use]
    pub fn text(&self) -> String {
        if !self.body.trim().is_empty() {
            return self.body.clone();
        }
        let about = [&self.name, &self.url].map(|text| text.trim());
        about.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
    }

    /// The site's name for the page: its number, its address, or else the blog.
    #[must_use]
    pub fn page(&self) -> String {
        let number = numbered(&self.post_id);
        let address = [&self.permalink, &self.blog].map(|address| cut(address, usize::MAX, usize::MAX));
        let address = address.into_iter().find(|address| !address.is_empty());
        match (number, address) {
            (Some(number), _) => number,
            (None, Some(address)) if address.chars().count() > 200 => super::ids::hash(&[&address]),
            (None, Some(address)) => address,
            (None, None) => "-".to_owned(),
        }
    }

    /// The comment called `id`; `role` as far as the site is believed about it. Whatever is only beside the text is cut where it is too long, and
    /// left out where it cannot be read: clients send what they have.
    ///
    /// # Errors
    /// [`Invalid`]: the text is too long, or there is none.
    pub fn comment(&self, id: String, role: Option<&str>, bounds: &Bounds) -> Result<NewComment, Invalid> {
        let (name, field) = (bounds.max_name_bytes, bounds.max_field_bytes);
        let some = |text: &str, most: usize| Some(cut(text, usize::MAX, most)).filter(|text| !text.is_empty());
        let body = self.text();
        let tags = self.context.iter().map(|tag| cut(tag, usize::MAX, name)).filter(|tag| !tag.is_empty());
        let draft = Draft {
            id,
            article: ArticleDraft {
                id: self.page(),
                url: some(&self.permalink, field),
                title: some(&self.title, bounds.max_title_bytes),
                text: None,
                tags: Some(tags.take(bounds.max_tags).collect()),
                section: None,
                lang: some(&self.lang, name),
            },
            parent_id: numbered(&self.parent),
            author: Some(AuthorDraft {
                id: numbered(&self.user_id),
                name: some(&self.name, name),
                email: some(&self.email, field),
                url: some(&self.url, field),
                ip: ip_of(&self.ip).map(|ip| ip.to_string()),
                user_agent: some(&self.user_agent, field),
                role: role.and_then(|role| some(role, name)),
                registered_at: None,
            }),
            format: Some(format_of(&body)),
            body,
            created_at: None,
            honeypot: self.honeypot.as_ref().map(|honeypot| cut(honeypot, usize::MAX, field)),
            typing_ms: self.typing_ms,
            referrer: some(&self.referrer, field),
        };
        let comment = draft.parse(bounds)?;
        Ok(NewComment { created_at: self.created_at, ..comment })
    }

    /// The address to be called back, when it is one of the blog's own; `pinned` is the blog that the operator gave.
    #[must_use]
    pub fn callback_for(&self, pinned: Option<&str>) -> Option<String> {
        let url = crate::app::outbox::address::parse(self.callback.trim()).ok()?;
        let blog = address_of(pinned.unwrap_or(&self.blog))?;
        let is_blogs = host_of(&url).is_some() && host_of(&url) == host_of(&blog) && url.port() == blog.port();
        is_blogs.then(|| url.to_string())
    }
}

/// The host, with or without `www.`: blogs call themselves by either.
fn host_of(url: &Url) -> Option<String> {
    let host = url.host_str()?.to_ascii_lowercase();
    Some(host.strip_prefix("www.").unwrap_or(&host).trim_end_matches('.').to_owned())
}

/// Whether a blog is the one that the operator pinned a site to: the same host, with or without `www.`, and below the same path.
#[must_use]
pub fn is_blog(pinned: &str, blog: &str) -> bool {
    let read = |text: &str| {
        let url = address_of(text)?;
        Some(((host_of(&url)?, url.port()), url.path().trim_end_matches('/').to_owned()))
    };
    let (Some((pinned, below)), Some((blog, path))) = (read(pinned), read(blog)) else { return false };
    pinned == blog && (path == below || path.strip_prefix(below.as_str()).is_some_and(|rest| rest.starts_with('/')))
}

/// A blog's address; some leave the scheme out.
fn address_of(blog: &str) -> Option<Url> {
    let blog = blog.trim();
    let has_host = |url: &Url| url.host_str().is_some_and(|host| !host.is_empty());
    let url = Url::parse(blog).ok().filter(has_host);
    url.or_else(
        || if blog.contains("://") { None } else { Url::parse(&format!("http://{blog}")).ok().filter(has_host) },
    )
}

/// An author's address, also with a port. Of a list that a proxy passed on, none: authors choose its beginning, and its end is the proxy's.
fn ip_of(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

/// A site's name for something: numbers begin with 1.
fn numbered(text: &str) -> Option<String> {
    Some(cut(text, 200, usize::MAX)).filter(|text| !text.is_empty() && text != "0")
}

/// A text without control characters, and without blanks at its ends, cut at a bound.
fn cut(text: &str, most_chars: usize, most_bytes: usize) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let text = text.trim();
    let mut end = text.char_indices().nth(most_chars).map_or(text.len(), |(at, _)| at).min(most_bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].trim_end().to_owned()
}

/// Clients say nothing of how a text is written: where there is something like a tag in it, it is HTML.
fn format_of(body: &str) -> Format {
    let bytes = body.as_bytes();
    let opens = |at: usize| bytes.get(at + 1).is_some_and(|next| next.is_ascii_alphabetic() || *next == b'/');
    let closed = body.rfind('>').unwrap_or(0); // looked for once: there may be as many openings as bytes
    let tag = body[..closed].match_indices('<').any(|(at, _)| opens(at));
    if tag { Format::Html } else { Format::Text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blog_is_the_one_that_is_pinned_however_it_is_written() {
        let pinned = "https://blog.example/news/";
        for (blog, same) in [
            ("https://blog.example/news", true),
            ("http://blog.example/news/", true),
            ("https://www.Blog.example/news/sport", true),
            ("https://blog.example/", false),
            ("https://blog.example/newspaper", false),
            ("https://blog.example:8080/news", false),
            ("https://blog.example.evil.example/news", false),
            ("https://evil.example/https://blog.example/news", false),
            ("blog.example/news", true),
            ("blog.example", false),
            ("blog.example:8080/news", false),
            ("evil.example/news", false),
            ("javascript:blog.example/news", false),
            ("//blog.example/news", true),
            ("", false),
        ] {
            assert_eq!(is_blog(pinned, blog), same, "{blog}");
        }
        assert!(is_blog("https://blog.example", "https://blog.example/any/path"));
        for same in [
            "https://bücher.example/",
            "https://xn--bcher-kva.example",
            "http://www.BÜCHER.example/?p=1",
            "bücher.example",
        ] {
            assert!(is_blog("https://bücher.example/", same), "{same}");
        }
        assert!(is_blog("http://localhost:8080", "localhost:8080"));
    }

    #[test]
    fn an_authors_address_is_read_however_it_was_passed_on() {
        for (text, expected) in [
            ("203.0.113.9", Some("203.0.113.9")),
            (" 203.0.113.9 ", Some("203.0.113.9")),
            ("203.0.113.9, 10.0.0.1", None),
            ("203.0.113.9:4711", Some("203.0.113.9")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]:4711", Some("2001:db8::1")),
            ("unknown", None),
            ("", None),
        ] {
            assert_eq!(ip_of(text).map(|ip| ip.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn callbacks_go_to_the_blog_itself_and_nowhere_else() {
        let of = |blog: &str, callback: &str, pinned: Option<&str>| {
            let sent = Submission { blog: blog.to_owned(), callback: callback.to_owned(), ..Submission::default() };
            sent.callback_for(pinned).is_some()
        };
        let hook = "https://blog.example/index.php?rest_route=/akismet/v1/webhook";
        assert!(of("https://blog.example", hook, None));
        assert!(of("http://BLOG.example/news", hook, None));
        assert!(of("http://blog.example:8080", "http://blog.example:8080/hook", None));
        assert!(!of("https://other.example", hook, None), "another host");
        assert!(!of("https://blog.example", hook, Some("https://pinned.example")), "not the one that is pinned");
        assert!(of("https://elsewhere.example", hook, Some("https://blog.example")));
        assert!(of("https://www.blog.example", hook, Some("https://www.blog.example")), "as blogs are compared");
        assert!(of("https://blog.example", "https://www.blog.example/hook", Some("https://blog.example/news")));
        assert!(!of("https://www.www.blog.example", hook, None), "one www. alone");
        for bad in [
            "",
            "ftp://blog.example/",
            "https://user:word@blog.example/",
            "https://blog.example:22/",
            "http://blog.example:6379/",
            "https://blog.example@evil.example/",
            "https://blog.example.evil.example/",
            "//blog.example/",
            "https://blog.example/#x",
            "https://blog.example/\r\nx: y",
        ] {
            assert!(!of("https://blog.example", bad, None), "{bad}");
        }
    }

    #[test]
    fn what_is_beside_the_text_never_keeps_a_comment_out() {
        let bounds = Bounds::default();
        let sent = Submission {
            body: "Hello <b>there</b>".to_owned(),
            name: "x".repeat(10_000),
            email: "\u{7}a@b.example".to_owned(),
            ip: "not an address".to_owned(),
            permalink: format!("https://blog.example/{}", "y".repeat(5_000)),
            context: vec!["tag".to_owned(); 500],
            parent: "0".to_owned(),
            user_id: "é".repeat(300),
            ..Submission::default()
        };
        let comment = sent.comment("c-1".to_owned(), None, &bounds).expect("it is a comment");
        assert_eq!((comment.format, comment.author.ip, comment.parent_id), (Format::Html, None, None));
        assert_eq!(comment.author.name.map(|name| name.len()), Some(500));
        assert_eq!(comment.author.email.as_deref(), Some("a@b.example"));
        assert_eq!(comment.article.tags.len(), 100);
        assert_eq!(comment.article.id.as_str().len(), 32, "too long an address is named by its hash");
        let long = Submission { body: "z".repeat(70_000), ..Submission::default() };
        assert!(long.comment("c-1".to_owned(), None, &bounds).is_err(), "what is to be judged is never cut");
        let silent =
            Submission { name: "Ann".to_owned(), url: "http://a.example/".to_owned(), ..Submission::default() };
        assert_eq!(
            silent.comment("c-1".to_owned(), None, &bounds).map(|c| c.body),
            Ok("Ann\nhttp://a.example/".to_owned())
        );
        assert!(Submission::default().comment("c-1".to_owned(), None, &bounds).is_err());
    }

    proptest::proptest! {
        #[test]
        fn nothing_beside_the_text_keeps_a_comment_out_whatever_it_is(texts in proptest::collection::vec("\\PC*|.*|[\\x00-\\x20]*", 14), long in 0_usize..6_000) {
            let mut texts = texts.into_iter();
            let mut next = || texts.next().unwrap_or_default();
            let sent = Submission {
                body: "Hello".to_owned(),
                blog: next(),
                name: next(),
                email: next(),
                url: next(),
                ip: next(),
                user_agent: next() + &"x".repeat(long),
                user_id: next(),
                post_id: next(),
                permalink: next() + &"é".repeat(long),
                lang: next(),
                parent: next(),
                referrer: next(),
                honeypot: Some(next()),
                context: vec![next(); 200],
                ..Submission::default()
            };
            let comment = sent.comment("c-1".to_owned(), Some("some"), &Bounds::default());
            proptest::prop_assert!(comment.is_ok(), "{:?}", comment.err());
        }
    }

    #[test]
    fn a_text_of_openings_alone_is_read_in_one_pass() {
        for (body, format) in [
            ("a <b>tag</b>", Format::Html),
            ("closed </p>", Format::Html),
            ("3 < 5 > 4", Format::Text),
            ("5 > 4 <b", Format::Text),
            ("<b", Format::Text),
            (">", Format::Text),
            ("é<é>", Format::Text),
            ("", Format::Text),
        ] {
            assert_eq!(format_of(body), format, "{body}");
        }
        // Looking for an end from each of these takes minutes.
        assert_eq!(format_of(&"<a".repeat(4_000_000)), Format::Text);
    }

    #[test]
    fn test_values_are_known_wherever_they_stand() {
        let of = |name: &str, body: &str, email: &str| {
            let sent = |text: &str| text.to_owned();
            Submission { name: sent(name), body: sent(body), email: sent(email), ..Submission::default() }
                .is_test_spam()
        };
        assert!(of("viagra-test-123", "", "") && of("", "akismet-guaranteed-spam", ""));
        assert!(of("", "", "Akismet-Guaranteed-Spam@example.com"));
        assert!(!of("Ann", "what is viagra-test-123 for?", "a@example.com"), "to talk about it is no test");
    }
}
