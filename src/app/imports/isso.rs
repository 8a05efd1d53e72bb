//! The database of Isso: SQLite, with `threads` and `comments`. It is only read; Isso may run meanwhile.
//!
//! Mode 1 is shown, 2 waits for a moderator, 4 was deleted and has answers. Network addresses are truncated by Isso itself. Columns hold whatever was
//! put into them, so nothing is taken for granted of their types.

use std::collections::{HashSet, VecDeque};
use std::path::Path;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use super::{Broken, Found, Place, Read, Source, State, Why, id_of, is_url};
use crate::domain::comment::{ArticleDraft, AuthorDraft, Draft, Format};
use crate::domain::time::Timestamp;

/// Rows read at once.
const PAGE: i64 = 200;
/// Of one field at most, in characters: longer ones are longer than anything may be.
const MAX_CHARACTERS: i64 = 400_000;

/// See the module.
pub(super) struct Isso {
    connection: Connection,
    after: i64,
    told: HashSet<i64>,
    ready: VecDeque<(Place, Read)>,
    is_over: bool,
}

impl Isso {
    pub(super) fn open(path: &Path) -> Result<Self, Broken> {
        let failed = |error: rusqlite::Error| Broken::new(Place::Start, format!("is no database of Isso: {error}"));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.pragma_update(None, "trusted_schema", false).map_err(failed)?;
        // Not a view: that could be anything, and take any time.
        let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('threads', 'comments') \
                      AND sql NOT LIKE 'CREATE VIRTUAL%'";
        let tables: i64 = connection.query_row(tables, [], |row| row.get(0)).map_err(failed)?;
        if tables != 2 {
            return Err(Broken::new(Place::Start, "is no database of Isso: it has no tables threads and comments"));
        }
        Ok(Self { connection, after: i64::MIN, told: HashSet::new(), ready: VecDeque::new(), is_over: false })
    }

    fn read_page(&mut self) -> rusqlite::Result<()> {
        let text = |column: &str| format!("substr({column}, 1, {MAX_CHARACTERS})");
        let read = format!(
            "SELECT c.id, t.id, c.parent, c.created, c.mode, {}, {}, {}, {}, {}, {}, {} FROM comments c \
             LEFT JOIN threads t ON t.id = c.tid WHERE c.id > ?1 ORDER BY c.id LIMIT ?2",
            text("c.text"),
            text("c.author"),
            text("c.email"),
            text("c.website"),
            text("c.remote_addr"),
            text("t.uri"),
            text("t.title")
        );
        let mut query = self.connection.prepare_cached(&read)?;
        let mut rows = query.query([self.after, PAGE])?;
        let mut any = false;
        while let Some(row) = rows.next()? {
            any = true;
            let id: i64 = row.get(0)?;
            self.after = id;
            let place = Place::Row(id);
            let [parent, body, author, email, website, ip, uri, title] =
                [2, 5, 6, 7, 8, 9, 10, 11].map(|at| row.get_ref(at).map(written).unwrap_or_default());
            let (Some(thread), Some(uri)) = (row.get_ref(1)?.as_i64().ok(), uri.filter(|uri| !uri.is_empty())) else {
                self.ready.push_back((place, Read::Skipped(Why::NoArticle)));
                continue;
            };
            let article = id_of(uri.clone());
            if self.told.insert(thread) {
                let article = ArticleDraft {
                    id: article.clone(),
                    url: Some(uri).filter(|uri| is_url(uri)),
                    title,
                    ..ArticleDraft::default()
                };
                self.ready.push_back((place, Read::Article(Box::new(article))));
            }
            let state = match row.get_ref(4)? {
                ValueRef::Integer(1) => State::Approved,
                ValueRef::Integer(2) => State::Pending,
                ValueRef::Integer(4) => State::Deleted,
                other => {
                    let state = written(other).unwrap_or_default();
                    self.ready.push_back((place, Read::Skipped(Why::State(state))));
                    continue;
                }
            };
            let draft = Draft {
                id: id.to_string(),
                article: ArticleDraft { id: article, ..ArticleDraft::default() },
                parent_id: parent,
                author: Some(AuthorDraft { name: author, email, url: website, ip, ..AuthorDraft::default() }),
                body: body.unwrap_or_default(),
                format: Some(Format::Markdown),
                ..Draft::default()
            };
            let found = Found::of(draft, state, moment(row.get_ref(3)?));
            self.ready.push_back((place, Read::Comment(Box::new(found))));
        }
        self.is_over = !any;
        Ok(())
    }
}

/// As text, whatever it is.
fn written(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null | ValueRef::Blob(_) => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
    }
}

/// Seconds since 1970.
fn moment(value: ValueRef<'_>) -> Option<Timestamp> {
    let seconds = match value {
        #[expect(clippy::cast_precision_loss, reason = "seconds of the next million years are exact")]
        ValueRef::Integer(seconds) => seconds as f64,
        ValueRef::Real(seconds) => seconds,
        ValueRef::Null | ValueRef::Text(_) | ValueRef::Blob(_) => return None,
    };
    #[expect(clippy::cast_possible_truncation, reason = "what is out of range lies at its end, and is refused later")]
    seconds.is_finite().then(|| Timestamp::from_millis((seconds * 1_000.0).round() as i64))
}

impl Source for Isso {
    fn next(&mut self) -> Result<Option<(Place, Read)>, Broken> {
        loop {
            if let Some(ready) = self.ready.pop_front() {
                return Ok(Some(ready));
            }
            if self.is_over {
                return Ok(None);
            }
            let place = Place::Row(self.after);
            self.read_page().map_err(|error| Broken::new(place, format!("cannot be read behind that: {error}")))?;
        }
    }
}
