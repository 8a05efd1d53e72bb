//! How comments are told apart that come without a name: by everything that makes two of them the same.
//!
//! A client whose request failed sends it again, up to three times within seconds, and weeks later asks again or says what it was; each time it
//! sends the comment, and never our name for it. So the name is made of what is sent. The hash is one that nobody can steer: two comments of one
//! name would share a verdict.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::submission::Submission;

/// What the names of comments begin with that came without one.
const PREFIX: &str = "akismet-";

/// 32 hexadecimal digits for these texts, in this order.
pub(super) fn hash(texts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for text in texts {
        // Lengths keep `ab` + `c` apart from `a` + `bc`.
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    let digest = hasher.finalize();
    let mut hex = String::with_capacity(32);
    for byte in &digest[..16] {
        let _ = write!(hex, "{byte:02x}"); // writing to a String cannot fail
    }
    hex
}

/// The comment's name, of the first of its kind.
pub(super) fn of(sent: &Submission) -> String {
    named(sent, &sent.text())
}

/// The names under which the same comment may be known whose text a blog has changed since, the likeliest first: what blogs store is escaped, and
/// links in it are marked.
pub(super) fn all(sent: &Submission) -> Vec<String> {
    let text = sent.text();
    let plain = unescaped(&unmarked(&text));
    let mut names = vec![named(sent, &text)];
    for other in [unescaped(&text), unmarked(&text), plain] {
        let name = named(sent, &other);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The name of another one of its kind, which came in that window of time.
pub(super) fn again(name: &str, window: i64) -> String {
    format!("{name}-{window}")
}

fn named(sent: &Submission, text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let (name, email) = (sent.name.trim(), sent.email.trim());
    // Without a name there is nothing but the address to tell people apart by.
    let from = if name.is_empty() && email.is_empty() { sent.ip.trim() } else { "" };
    format!("{PREFIX}{}", hash(&[&sent.page(), name, email, sent.url.trim(), from, text.trim()]))
}

fn unescaped(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#039;", "'"), ("&#39;", "'"), ("&amp;", "&")];
    entities.into_iter().fold(text.to_owned(), |text, (entity, plain)| text.replace(entity, plain))
}

fn unmarked(text: &str) -> String {
    let marks = [" rel=\"nofollow ugc\"", " rel=\"ugc nofollow\"", " rel=\"nofollow\"", " rel=\"ugc\""];
    marks.into_iter().fold(text.to_owned(), |text, mark| text.replace(mark, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(change: impl FnOnce(&mut Submission)) -> Submission {
        let mut sent = Submission {
            post_id: "1".to_owned(),
            name: "Ann".to_owned(),
            email: "a@b.example".to_owned(),
            ip: "203.0.113.9".to_owned(),
            body: "I'd rather walk & talk".to_owned(),
            ..Submission::default()
        };
        change(&mut sent);
        sent
    }

    #[test]
    fn the_same_comment_has_the_same_name_and_another_one_has_another() {
        let first = of(&sent(|_| {}));
        assert_eq!(first, of(&sent(|sent| sent.user_agent = "another browser".to_owned())));
        assert_eq!(
            first,
            of(&sent(|sent| sent.ip = "127.0.0.1".to_owned())),
            "the proxy before the blog may be its address"
        );
        assert_eq!(first, of(&sent(|sent| sent.body = format!("{}\r\n", sent.body))));
        for change in [
            (|sent| sent.post_id = "2".to_owned()) as fn(&mut Submission),
            |sent| sent.name = "Bob".to_owned(),
            |sent| sent.email = String::new(),
            |sent| sent.url = "http://spam.example/".to_owned(),
            |sent| sent.body = "I'd rather walk".to_owned(),
        ] {
            assert_ne!(first, of(&sent(change)));
        }
        let nobody = |ip: &str| {
            of(&sent(|sent| (sent.name, sent.email, sent.ip) = (String::new(), String::new(), ip.to_owned())))
        };
        assert_ne!(nobody("203.0.113.9"), nobody("203.0.113.10"));
    }

    #[test]
    fn a_comment_is_known_again_by_what_a_blog_stored_of_it() {
        let known = of(&sent(|sent| sent.body = "<a href=\"http://x.example\">x</a> & 'so'".to_owned()));
        let stored = "<a href=\"http://x.example\" rel=\"nofollow ugc\">x</a> &amp; &#039;so&#039;";
        assert!(all(&sent(|sent| sent.body = stored.to_owned())).contains(&known));
        assert_eq!(all(&sent(|_| {})).len(), 1);
    }
}
