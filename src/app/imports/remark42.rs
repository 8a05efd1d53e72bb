//! A backup of Remark42: a line about the backup, and a line for each comment, both JSON.
//!
//! What a comment names as its author's network address is a hash there, and is left out. Articles are known by their addresses.

use std::collections::HashSet;
use std::io::BufRead;

use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64;

use super::lines::Counted;
use super::ndjson::{MAX_LINE_BYTES, of_line};
use super::{Broken, Found, Place, Read, Source, State, Why, id_of, is_url};
use crate::domain::comment::{ArticleDraft, AuthorDraft, Draft, Format};
use crate::domain::time::Timestamp;

/// See the module.
pub(super) struct Remark42<R> {
    lines: Counted<R>,
    line: Vec<u8>,
    /// Hashes of the articles that were told, by address and title.
    told: HashSet<u64>,
    /// The comment of the article that was just told.
    next: Option<(Place, Read)>,
    /// Whether a line was read.
    begun: bool,
}

#[derive(Deserialize)]
struct Line {
    id: String,
    #[serde(default)]
    pid: Option<String>,
    #[serde(default)]
    text: String,
    #[serde(default)]
    orig: String,
    user: User,
    locator: Locator,
    time: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    delete: bool,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    email: Option<String>,
}

#[derive(Deserialize)]
struct Locator {
    url: String,
}

/// The first line.
#[derive(Deserialize)]
struct About {
    version: u32,
}

impl<R: BufRead> Remark42<R> {
    pub(super) fn new(inner: R) -> Self {
        let lines = Counted::new(inner, MAX_LINE_BYTES);
        Self { lines, line: Vec::new(), told: HashSet::new(), next: None, begun: false }
    }

    fn comment(&mut self, place: Place, line: Line) -> (Place, Read) {
        let id = id_of(line.locator.url.clone());
        let title = line.title.filter(|title| !title.is_empty());
        let article = ArticleDraft {
            id: id.clone(),
            url: Some(line.locator.url).filter(|url| is_url(url)),
            title: title.clone(),
            ..ArticleDraft::default()
        };
        let is_new = self.told.insert(xxh3_64(format!("{id}\0{}", title.unwrap_or_default()).as_bytes()));
        // What was typed says more than what was made of it; some comments have only that.
        let (body, format) = match line.orig.is_empty() {
            true => (line.text, Format::Html),
            false => (line.orig, Format::Markdown),
        };
        let draft = Draft {
            id: line.id,
            article: ArticleDraft { id, ..ArticleDraft::default() },
            parent_id: line.pid,
            author: Some(AuthorDraft {
                id: line.user.id,
                name: line.user.name,
                email: line.user.email,
                ..AuthorDraft::default()
            }),
            body,
            format: Some(format),
            ..Draft::default()
        };
        let state = if line.delete { State::Deleted } else { State::Approved };
        let comment = Read::Comment(Box::new(Found::of(draft, state, Timestamp::parse(&line.time).ok())));
        if !is_new {
            return (place, comment);
        }
        self.next = Some((place, comment));
        (place, Read::Article(Box::new(article)))
    }
}

impl<R: BufRead + Send> Source for Remark42<R> {
    fn next(&mut self) -> Result<Option<(Place, Read)>, Broken> {
        if let Some(next) = self.next.take() {
            return Ok(Some(next));
        }
        loop {
            let place = self.lines.place();
            let read = self.lines.line(&mut self.line).map_err(|error| Broken::new(place, error.to_string()))?;
            let Some(fits) = read else {
                return if self.begun { Ok(None) } else { Err(Broken::new(place, "is empty")) };
            };
            let is_first = !std::mem::replace(&mut self.begun, true);
            if fits && is_first {
                let about: About = serde_json::from_slice(&self.line).map_err(|_| {
                    Broken::new(place, "is no backup of Remark42: its first line does not say its version")
                })?;
                if about.version != 1 {
                    return Err(Broken::new(place, format!("is a backup of version {}; 1 is known", about.version)));
                }
                continue;
            }
            if fits && self.line.trim_ascii().is_empty() {
                continue;
            }
            if !fits {
                return Ok(Some((place, Read::Skipped(Why::LongLine))));
            }
            return Ok(Some(match of_line::<Line>(&self.line) {
                Ok(line) => self.comment(place, line),
                Err(wrong) => (place, Read::Skipped(Why::Line(wrong.told))),
            }));
        }
    }
}
