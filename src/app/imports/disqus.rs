//! What Disqus exports (`http://disqus.com`, with `dsq:` for its own numbers): first categories and threads, then posts, each naming its thread and the
//! post that it answers.

use std::collections::{HashMap, VecDeque};
use std::io::BufRead;

use super::xml::{Step, Xml};
use super::{Broken, Found, Place, Read, Source, State, Why, id_of, is_url, text_of_html};
use crate::domain::comment::{ArticleDraft, AuthorDraft, Draft, Format};
use crate::domain::time::Timestamp;

/// See the module.
pub(super) struct Disqus<R> {
    xml: Xml<R>,
    path: Vec<String>,
    text: String,
    of_this: Fields,
    place: Place,
    /// The site's name for each thread, by Disqus' number (or its hash, when that is too long to be one): all that is kept of what was read before.
    threads: HashMap<String, Box<str>>,
    ready: VecDeque<(Place, Read)>,
}

/// Fields of a thread or post.
#[derive(Default)]
struct Fields {
    number: String,
    thread: String,
    parent: Option<String>,
    /// Text by the element's name; of the author's under `author/`.
    text: HashMap<String, String>,
}

/// What is kept of a thread or post.
const KEPT: [&str; 14] = [
    "id",
    "link",
    "title",
    "message",
    "createdAt",
    "isSpam",
    "isDeleted",
    "isApproved",
    "ipAddress",
    "author/name",
    "author/email",
    "author/username",
    "author/link",
    "author/isAnonymous",
];

impl Fields {
    fn put(&mut self, name: String, text: String) {
        if KEPT.contains(&name.as_str()) {
            self.text.insert(name, text);
        }
    }

    fn take(&mut self, name: &str) -> String {
        self.text.remove(name).map(|text| text.trim().to_owned()).unwrap_or_default()
    }

    fn says(&mut self, name: &str) -> Option<bool> {
        match self.take(name).as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }
}

impl<R: BufRead> Disqus<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            xml: Xml::new(inner),
            path: Vec::new(),
            text: String::new(),
            of_this: Fields::default(),
            place: Place::default(),
            threads: HashMap::new(),
            ready: VecDeque::new(),
        }
    }

    fn open(&mut self, name: String, attributes: Vec<(String, String)>) {
        let number = attributes.into_iter().find(|(key, _)| key == "dsq:id").map(|(_, value)| value);
        match (self.path.len(), name.as_str()) {
            (1, "thread" | "post") => {
                self.of_this = Fields { number: number.unwrap_or_default(), ..Fields::default() };
                self.place = self.xml.place();
            }
            (2, "thread") => self.of_this.thread = number.unwrap_or_default(),
            (2, "parent") => self.of_this.parent = number,
            _ => {}
        }
        self.text.clear();
        self.path.push(name);
    }

    fn close(&mut self) -> Result<(), Broken> {
        let Some(name) = self.path.pop() else { return Ok(()) };
        let text = std::mem::take(&mut self.text);
        match self.path.as_slice() {
            [] if name != "disqus" => {
                return Err(Broken::new(self.xml.place(), format!("is no Disqus export: it begins with <{name}>")));
            }
            [_] if name == "thread" => self.finish_thread(),
            [_] if name == "post" => self.finish_post(),
            [_, of] if of == "thread" || of == "post" => self.of_this.put(name, text),
            [_, of, author] if (of == "thread" || of == "post") && author == "author" => {
                self.of_this.put(format!("author/{name}"), text);
            }
            _ => {}
        }
        Ok(())
    }

    fn finish_thread(&mut self) {
        let mut fields = std::mem::take(&mut self.of_this);
        let (identifier, link) = (fields.take("id"), fields.take("link"));
        let named = [identifier, link.clone(), fields.number.clone()];
        let id = id_of(named.into_iter().find(|name| !name.is_empty()).unwrap_or_default());
        self.threads.insert(id_of(std::mem::take(&mut fields.number)), id.as_str().into());
        let text = text_of_html(&fields.take("message"));
        let title = text_of_html(&fields.take("title"));
        let article = ArticleDraft {
            id,
            url: Some(link).filter(|link| is_url(link)),
            title: Some(title),
            text: Some(text),
            ..ArticleDraft::default()
        };
        self.ready.push_back((self.place, Read::Article(Box::new(article))));
    }

    fn finish_post(&mut self) {
        let mut fields = std::mem::take(&mut self.of_this);
        let thread = id_of(std::mem::take(&mut fields.thread));
        let read = match self.threads.get(&thread) {
            Some(article) => post(fields, article),
            None => Read::Skipped(Why::NoArticle),
        };
        self.ready.push_back((self.place, read));
    }
}

fn post(mut fields: Fields, article: &str) -> Read {
    let (spam, deleted, approved) = (fields.says("isSpam"), fields.says("isDeleted"), fields.says("isApproved"));
    let state = match (spam, deleted, approved) {
        (Some(true), ..) => State::Spam,
        (_, Some(true), _) => State::Deleted,
        (.., Some(false)) => State::Pending,
        _ => State::Approved,
    };
    let at = Timestamp::parse(&fields.take("createdAt")).ok();
    let is_anonymous = fields.says("author/isAnonymous") == Some(true);
    let username = fields.take("author/username");
    let draft = Draft {
        id: fields.number.clone(),
        article: ArticleDraft { id: article.to_owned(), ..ArticleDraft::default() },
        parent_id: fields.parent.take(),
        author: Some(AuthorDraft {
            id: Some(username).filter(|name| !is_anonymous && !name.is_empty()),
            name: Some(fields.take("author/name")),
            email: Some(fields.take("author/email")),
            url: Some(fields.take("author/link")),
            ip: Some(fields.take("ipAddress")),
            ..AuthorDraft::default()
        }),
        body: fields.text.remove("message").unwrap_or_default(),
        format: Some(Format::Html),
        ..Draft::default()
    };
    Read::Comment(Box::new(Found::of(draft, state, at)))
}

impl<R: BufRead + Send> Source for Disqus<R> {
    fn next(&mut self) -> Result<Option<(Place, Read)>, Broken> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Ok(Some(ready));
            }
            match self.xml.next()? {
                Step::Open(name, attributes) => self.open(name, attributes),
                Step::Text(text) => self.text.push_str(&text),
                Step::Close => self.close()?,
                Step::End => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_threads_with_endless_numbers_little_is_kept_and_their_posts_are_found() {
        let number = "7".repeat(100_000);
        let file = format!(
            "<disqus><thread dsq:id=\"{number}\"><id>a-1</id></thread>\
             <post dsq:id=\"1\"><message>A word.</message><thread dsq:id=\"{number}\"/></post></disqus>"
        );
        let mut source = Disqus::new(file.as_bytes());
        assert!(matches!(source.next(), Ok(Some((_, Read::Article(_))))));
        let Ok(Some((_, Read::Comment(comment)))) = source.next() else { panic!("its post is read") };
        assert_eq!(comment.draft.article.id, "a-1");
        assert!(source.threads.keys().all(|number| number.len() < 1_000));
    }
}
