//! WordPress eXtended RSS (WXR 1.0 to 1.2), as `wp-admin/includes/export.php` and WP-CLI write it: RSS 2.0 with items for posts, and in each item its
//! comments as `wp:comment`.
//!
//! What WordPress exports by itself leaves spam out; plugins and other tools bring it. Pingbacks and what shops note in comments are no comments.

use std::collections::VecDeque;
use std::io::BufRead;

use super::xml::{Step, Xml};
use super::{Broken, Found, Place, Read, Source, State, Why, is_url, moment_of_sql, text_of_html};
use crate::domain::comment::{ArticleDraft, AuthorDraft, Draft, Format};
use crate::domain::time::Timestamp;

/// Of one post; more are more than any bound allows.
const MAX_TAGS: usize = 1_000;
/// What is longer is no tag; all of them are held at once.
const MAX_TAG_BYTES: usize = 1_000;

/// See the module.
pub(super) struct Wordpress<R> {
    xml: Xml<R>,
    /// Names of the elements around what is read.
    path: Vec<String>,
    text: String,
    item: Item,
    comment: Comment,
    /// Where the comment began.
    place: Place,
    /// What was read and not yet asked for.
    ready: VecDeque<(Place, Read)>,
    has_version: bool,
}

/// A post.
#[derive(Default)]
struct Item {
    id: String,
    link: String,
    title: String,
    content: String,
    kind: String,
    status: String,
    password: String,
    at: Option<Timestamp>,
    tags: Vec<String>,
    section: Option<String>,
    /// Whether `category` is a tag.
    is_tag: bool,
    /// Whether it was told already.
    told: bool,
}

#[derive(Default)]
struct Comment {
    id: String,
    author: String,
    email: String,
    url: String,
    ip: String,
    agent: String,
    at: Option<Timestamp>,
    at_local: Option<Timestamp>,
    content: String,
    approved: String,
    kind: String,
    parent: String,
    user: String,
}

impl<R: BufRead> Wordpress<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            xml: Xml::new(inner),
            path: Vec::new(),
            text: String::new(),
            item: Item::default(),
            comment: Comment::default(),
            place: Place::default(),
            ready: VecDeque::new(),
            has_version: false,
        }
    }

    fn open(&mut self, name: String, attributes: &[(String, String)]) {
        match name.as_str() {
            "item" => self.item = Item::default(),
            "wp:comment" => {
                self.comment = Comment::default();
                self.place = self.xml.place();
            }
            "category" => {
                self.item.is_tag = attributes.iter().any(|(key, value)| key == "domain" && value == "post_tag");
            }
            "wp:wxr_version" => self.has_version = true,
            _ => {}
        }
        self.text.clear();
        self.path.push(name);
    }

    fn close(&mut self) -> Result<(), Broken> {
        let Some(name) = self.path.pop() else { return Ok(()) };
        let text = std::mem::take(&mut self.text);
        match self.path.last().map(String::as_str) {
            Some("wp:comment") => self.comment.take(&name, text),
            Some("item") if name == "wp:comment" => self.finish_comment(),
            Some("item") => self.item.take(&name, text),
            Some("channel") if name == "item" => self.finish_item(),
            None if name != "rss" => {
                return Err(Broken::new(self.xml.place(), format!("is no WordPress export: it begins with <{name}>")));
            }
            _ => {}
        }
        Ok(())
    }

    fn finish_comment(&mut self) {
        self.tell_item();
        let comment = std::mem::take(&mut self.comment);
        self.ready.push_back((self.place, comment.read(&self.item)));
    }

    fn finish_item(&mut self) {
        let is_page = matches!(self.item.kind.as_str(), "post" | "page" | "") && self.item.status == "publish";
        if is_page {
            self.tell_item();
        }
    }

    /// Articles come before their comments, and once.
    fn tell_item(&mut self) {
        if self.item.told || self.item.id.is_empty() {
            return;
        }
        self.item.told = true;
        let item = &self.item;
        let article = ArticleDraft {
            id: item.id.clone(),
            url: Some(item.link.clone()).filter(|link| is_url(link)),
            title: Some(text_of_html(&item.title)),
            // What only those read who know a password is no page that comments are compared with.
            text: item.password.is_empty().then(|| text_of_html(&item.content)),
            tags: Some(item.tags.clone()),
            section: item.section.clone(),
            lang: None,
        };
        let place = self.xml.place();
        self.item.content = String::new();
        self.ready.push_back((place, Read::Article(Box::new(article))));
    }
}

impl Item {
    fn take(&mut self, name: &str, text: String) {
        match name {
            "title" => self.title = text,
            "link" => self.link = text.trim().to_owned(),
            "content:encoded" => self.content = text,
            "wp:post_id" => self.id = text.trim().to_owned(),
            "wp:post_type" => self.kind = text.trim().to_owned(),
            "wp:status" => self.status = text.trim().to_owned(),
            "wp:post_password" => self.password = text,
            "wp:post_date_gmt" | "wp:post_date" => self.at = self.at.or_else(|| moment_of_sql(&text)),
            "category" if self.is_tag => {
                let has_room = text.len() <= MAX_TAG_BYTES && self.tags.len() < MAX_TAGS;
                self.tags.extend(has_room.then_some(text));
            }
            "category" => self.section = self.section.take().or(Some(text)),
            _ => {}
        }
    }
}

impl Comment {
    fn take(&mut self, name: &str, text: String) {
        match name {
            "wp:comment_id" => self.id = text.trim().to_owned(),
            "wp:comment_author" => self.author = text,
            "wp:comment_author_email" => self.email = text.trim().to_owned(),
            "wp:comment_author_url" => self.url = text.trim().to_owned(),
            "wp:comment_author_IP" => self.ip = text.trim().to_owned(),
            "wp:comment_agent" => self.agent = text,
            "wp:comment_date_gmt" => self.at = moment_of_sql(&text),
            "wp:comment_date" => self.at_local = moment_of_sql(&text),
            "wp:comment_content" => self.content = text,
            "wp:comment_approved" => self.approved = text.trim().to_owned(),
            "wp:comment_type" => self.kind = text.trim().to_owned(),
            "wp:comment_parent" => self.parent = text.trim().to_owned(),
            "wp:comment_user_id" => self.user = text.trim().to_owned(),
            _ => {}
        }
    }

    fn read(self, item: &Item) -> Read {
        if !matches!(self.kind.as_str(), "" | "comment") {
            return Read::Skipped(Why::NoComment(self.kind));
        }
        let state = match self.approved.as_str() {
            "1" | "approve" => State::Approved,
            "0" | "hold" | "" => State::Pending,
            "spam" => State::Spam,
            "trash" | "post-trashed" => State::Deleted,
            other => return Read::Skipped(Why::State(other.to_owned())),
        };
        let named = |id: String| Some(id).filter(|id| !id.is_empty() && id != "0");
        let draft = Draft {
            id: self.id,
            article: ArticleDraft { id: item.id.clone(), ..ArticleDraft::default() },
            parent_id: named(self.parent),
            author: Some(AuthorDraft {
                id: named(self.user),
                name: Some(self.author),
                email: Some(self.email),
                url: Some(self.url),
                ip: Some(self.ip),
                user_agent: Some(self.agent),
                ..AuthorDraft::default()
            }),
            body: self.content,
            format: Some(Format::Html),
            ..Draft::default()
        };
        let at = self.at.or(self.at_local).or(item.at);
        Read::Comment(Box::new(Found::of(draft, state, at)))
    }
}

impl<R: BufRead + Send> Source for Wordpress<R> {
    fn next(&mut self) -> Result<Option<(Place, Read)>, Broken> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Ok(Some(ready));
            }
            match self.xml.next()? {
                Step::Open(name, attributes) => self.open(name, &attributes),
                Step::Text(text) => self.text.push_str(&text),
                Step::Close => self.close()?,
                Step::End if !self.has_version => {
                    return Err(Broken::new(self.xml.place(), "is no WordPress export: there is no <wp:wxr_version>"));
                }
                Step::End => return Ok(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_are_too_long_are_not_kept_and_take_no_place_of_others() {
        let tag = |text: &str| format!("<category domain=\"post_tag\">{text}</category>");
        let long = tag(&"x".repeat(MAX_TAG_BYTES + 1)).repeat(MAX_TAGS);
        let most = "y".repeat(MAX_TAG_BYTES);
        let file = format!(
            "<rss><channel><item><wp:post_id>1</wp:post_id><wp:status>publish</wp:status>{long}{}{}</item></channel></rss>",
            tag("harbour"),
            tag(&most)
        );
        let mut source = Wordpress::new(file.as_bytes());
        let Ok(Some((_, Read::Article(article)))) = source.next() else { panic!("the post is read") };
        assert_eq!(article.tags, Some(vec!["harbour".to_owned(), most]));
    }
}
