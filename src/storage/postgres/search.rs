//! Finding comments by their words, over `tsvector`s beside the comments.
//!
//! They are entered some seconds after the commit of the comment: every statement that stores, edits or erases one leaves a row in `search_due`,
//! and whoever enters takes rows from there. A search looks at what stands in `search_due` directly, whatever the index says of it, and at
//! everything else by the index. An erasure takes the words out in its own transaction.

use std::collections::HashSet;
use std::fmt::Write as _;

use async_trait::async_trait;
use tokio_postgres::Row as Cell;
use uuid::Uuid;

use super::PostgresStore;
use super::batch::Keys;
use super::cursor::{cursor_of, limit, place_of};
use super::db::{Cells as _, Db, number, signed};
use super::seen::{self, Known, Seen};
use super::work::{Work, transact};
use crate::domain::comment::ExternalId;
use crate::domain::decision::Record;
use crate::domain::search::{Indexed, Question, Search, SearchFilter, Words};
use crate::domain::site::SiteId;
use crate::domain::store::{ListError, Page, PageRequest, Result};
use crate::storage::codec;
use crate::storage::damage::left_out;

/// The list of that name has cursors of its own.
const LIST: &str = "search";

/// Comments looked at for one page. A page that finds little in so many is short, and says where to go on.
const SCAN_MAX: usize = 2_000;

/// Comments whose text is read for one page, because the index does not know it: some forty microseconds each.
const READ_MAX: usize = 1_000;

/// Comments read at a time; more than a page holds, because not all that have the words lie within the reach.
const CHUNK: usize = 200;

/// As many comments as this one index of words gives at once; words that more comments have are common: among few others there is one.
const RARE_MAX: usize = 5_000;

/// Bytes of one comment's words that are kept: a `tsvector` may hold a mebibyte. A text of more different words than that has no reader.
const WORDS_BYTES: usize = 900_000;

#[async_trait]
impl Search for PostgresStore {
    async fn comment_search(
        &self,
        filter: &SearchFilter,
        page: &PageRequest,
    ) -> std::result::Result<Page<Record>, ListError> {
        let db = self.snapshot().await?;
        plan_each(&db).await?;
        find(&db, filter, page).await
    }

    async fn search_index(&self, most: usize) -> Result<Indexed> {
        let most = most.max(1);
        transact!(self, work => index(&work, most).await)
    }
}

/// Words, joined by blanks.
fn joined(words: &Words) -> String {
    let mut joined = String::new();
    for word in words.iter().filter(|word| !word.is_empty()) {
        if joined.len() + word.len() > WORDS_BYTES {
            break;
        }
        if !joined.is_empty() {
            joined.push(' ');
        }
        joined.push_str(word);
    }
    joined
}

fn keys_of<'a>(of: impl IntoIterator<Item = &'a (SiteId, Uuid)>) -> Keys {
    let (sites, comments) = of.into_iter().map(|(site, uid)| (number(*site), *uid)).unzip();
    Keys { sites, comments }
}

/// How common a word is decides how it is best looked for, so from here to the end of the transaction each question is planned for itself.
async fn plan_each(db: &Db) -> Result<()> {
    db.batch("SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL jit = off; SET LOCAL max_parallel_workers_per_gather = 0")
        .await
}

/// The question in the database's own words; `None` without a term. What was cut holds letters and digits only, so nothing in it is syntax; it is
/// quoted all the same.
pub(super) fn tsquery(question: &Question) -> Option<String> {
    let mut asked = String::new();
    for term in &question.terms {
        let word = term.word.replace('\\', "\\\\").replace('\'', "''");
        let (and, prefix) = (if asked.is_empty() { "" } else { " & " }, if term.is_prefix { ":*" } else { "" });
        let _ = write!(asked, "{and}'{word}'{prefix}"); // to a string nothing fails
    }
    (!asked.is_empty()).then_some(asked)
}

/// Notes that a comment's words are to be entered anew.
pub(super) async fn note_due(work: &Work, site: SiteId, comment: Uuid) -> Result<()> {
    work.execute("INSERT INTO search_due (site, comment) VALUES ($1, $2)", &[&number(site), &comment]).await?;
    Ok(())
}

/// Takes a comment's words out. Whoever is just entering them is followed: it is looked at once more.
pub(super) async fn forget(work: &Work, site: SiteId, comment: Uuid) -> Result<()> {
    let delete = "WITH gone AS (DELETE FROM search WHERE site = $1 AND comment = $2) \
                  INSERT INTO search_due (site, comment) VALUES ($1, $2)";
    work.execute(delete, &[&number(site), &comment]).await?;
    Ok(())
}

/// Enters what stands in `search_due`, at most `most` rows of it. Several may do so at once: each takes other rows.
async fn index(work: &Work, most: usize) -> Result<Indexed> {
    let take = "DELETE FROM search_due WHERE ctid = ANY (ARRAY (SELECT ctid FROM search_due LIMIT $1 FOR UPDATE SKIP LOCKED)) \
                RETURNING site, comment";
    let taken = work.query(take, &[&i64::try_from(most).unwrap_or(i64::MAX)]).await?;
    if taken.is_empty() {
        return Ok(Indexed::default());
    }
    let more = taken.len() >= most;
    let due = taken.iter().map(|row| Ok((row.site(0)?, row.cell(1)?))).collect::<Result<HashSet<(SiteId, Uuid)>>>()?;
    // A site that is deleted meanwhile is waited for, or waits: nothing of it is left behind.
    let asked = keys_of(&due);
    work.query("SELECT 1 FROM site WHERE id = ANY($1) ORDER BY id FOR KEY SHARE", &[&asked.sites]).await?;
    let read = "SELECT c.site, c.uid, c.revision, c.b FROM unnest($1::integer[], $2::uuid[]) AS due(site, comment) \
                JOIN comment c ON c.site = due.site AND c.uid = due.comment JOIN site s ON s.id = c.site";
    let mut found = Vec::new();
    for row in work.query(read, &[&asked.sites, &asked.comments]).await? {
        // What cannot be read is entered without words, or it would be taken again and again.
        let uid: Uuid = row.cell(1)?;
        let content = left_out("the index of words", &uid, codec::decode_content("a comment", row.cell(3)?))?;
        found.push((row.site(0)?, uid, row.natural(2)?, content));
    }
    let mut known = Known::default();
    let readable = found.iter().filter_map(|(site, _, _, content)| Some((*site, content.as_ref()?)));
    known.learn(work, readable).await?;
    // Several of these at once write the same rows in the same order.
    found.sort_unstable_by_key(|(_, uid, ..)| *uid);
    let (mut entered, mut revisions, mut texts) = (Keys::default(), Vec::new(), Vec::new());
    for (site, uid, revision, content) in &found {
        entered.sites.push(number(*site));
        entered.comments.push(*uid);
        revisions.push(signed(*revision));
        texts.push(content.as_ref().map(|content| joined(&known.words(*site, content))).unwrap_or_default());
    }
    let there: HashSet<Uuid> = entered.comments.iter().copied().collect();
    let gone = keys_of(due.iter().filter(|(_, uid)| !there.contains(uid)));
    let write = "INSERT INTO search (site, comment, revision, words) \
                 SELECT n.site, n.comment, n.revision, array_to_tsvector(string_to_array(n.words, ' ')) \
                 FROM unnest($1::integer[], $2::uuid[], $3::integer[], $4::text[]) AS n(site, comment, revision, words) \
                 ON CONFLICT (site, comment) DO UPDATE SET revision = excluded.revision, words = excluded.words \
                 WHERE search.revision <= excluded.revision";
    work.execute(write, &[&entered.sites, &entered.comments, &revisions, &texts]).await?;
    if !gone.is_empty() {
        let delete = "DELETE FROM search s USING unnest($1::integer[], $2::uuid[]) AS gone(site, comment) \
                      WHERE s.site = gone.site AND s.comment = gone.comment";
        work.execute(delete, &[&gone.sites, &gone.comments]).await?;
    }
    Ok(Indexed { entered: due.len() as u64, more, is_busy: false })
}

/// The uids of what waits and has all of that. What the index does not know is looked at directly.
pub(super) async fn waiting_with(db: &Db, question: &Question) -> Result<Vec<Uuid>> {
    let Some(asked) = tsquery(question) else { return Ok(Vec::new()) };
    plan_each(db).await?;
    let read = "SELECT q.comment FROM queue q JOIN search s ON s.site = q.site AND s.comment = q.comment \
                WHERE s.words @@ $1::text::tsquery \
                AND NOT EXISTS (SELECT 1 FROM search_due d WHERE d.site = q.site AND d.comment = q.comment)";
    let found = db.query(read, &[&asked]).await?;
    let mut found = found.iter().map(|row| row.cell(0)).collect::<Result<Vec<Uuid>>>()?;
    let due = "SELECT q.site, q.comment FROM (SELECT DISTINCT site, comment FROM search_due) d \
               JOIN queue q ON q.site = d.site AND q.comment = d.comment";
    let due = db.query(due, &[]).await?;
    let due = due.iter().map(|row| Ok((row.site(0)?, row.cell(1)?))).collect::<Result<Vec<(SiteId, Uuid)>>>()?;
    // A part after the other: when the index is far behind, that may be everything that waits.
    let read = "SELECT c.site, c.uid, c.b FROM unnest($1::integer[], $2::uuid[]) k (site, comment) \
                JOIN comment c ON c.site = k.site AND c.uid = k.comment";
    for part in due.chunks(CHUNK) {
        let asked = keys_of(part);
        let mut texts = Vec::with_capacity(part.len());
        for row in db.query(read, &[&asked.sites, &asked.comments]).await? {
            let uid: Uuid = row.cell(1)?;
            let content = left_out("searches of the queue", &uid, codec::decode_content("a comment", row.cell(2)?))?;
            if let Some(content) = content {
                texts.push((row.site(0)?, uid, content));
            }
        }
        let mut known = Known::default();
        known.learn(db, texts.iter().map(|(site, _, content)| (*site, content))).await?;
        let answers = texts.iter().filter(|(site, _, content)| known.words(*site, content).answer(question));
        found.extend(answers.map(|(_, uid, _)| *uid));
    }
    Ok(found)
}

async fn find(db: &Db, filter: &SearchFilter, page: &PageRequest) -> std::result::Result<Page<Record>, ListError> {
    let below: Option<Uuid> = page.cursor.as_deref().map(|cursor| place_of(db, LIST, cursor)).transpose()?;
    let Some(question) = tsquery(&filter.question) else { return Ok(Page { items: Vec::new(), next_cursor: None }) };
    let sites = sites(db, filter).await?;
    if sites.as_ref().is_some_and(Vec::is_empty) {
        return Ok(Page { items: Vec::new(), next_cursor: None });
    }
    let below = below.unwrap_or(Uuid::max());
    let mut hunt = Hunt {
        db,
        filter,
        question,
        sites,
        limit: limit(page),
        items: Vec::new(),
        last: below,
        scanned: 0,
        read: 0,
        known: Known::default(),
    };
    let more = hunt.run(below).await?;
    Ok(Page { next_cursor: more.then(|| cursor_of(db, LIST, &hunt.last)), items: hunt.items })
}

/// The sites that are searched; `None` for all.
async fn sites(db: &Db, filter: &SearchFilter) -> Result<Option<Vec<i32>>> {
    if filter.site.is_none() && filter.reach.sites.is_none() {
        return Ok(None);
    }
    let mut sites = Vec::new();
    for row in db.query("SELECT id, name FROM site", &[]).await? {
        let name: &str = row.cell(1)?;
        if filter.site.as_deref().is_none_or(|asked| asked == name) && filter.reach.covers_site(name) {
            sites.push(row.cell(0)?);
        }
    }
    Ok(Some(sites))
}

struct Hunt<'a> {
    db: &'a Db,
    filter: &'a SearchFilter,
    question: String,
    sites: Option<Vec<i32>>,
    limit: usize,
    items: Vec<Record>,
    last: Uuid,
    scanned: usize,
    read: usize,
    known: Known,
}

/// Comments that were read ahead, newest first.
struct Ahead {
    seen: std::iter::Peekable<std::vec::IntoIter<Seen>>,
    /// Below which more is to be read; `None` when there is none.
    below: Option<Uuid>,
}

impl Ahead {
    fn from(below: Uuid) -> Self {
        Self { seen: Vec::new().into_iter().peekable(), below: Some(below) }
    }

    fn peek(&mut self) -> Option<Uuid> {
        self.seen.peek().map(|seen| seen.row.uid)
    }
}

impl Hunt<'_> {
    /// Whether there may be more below the last comment looked at.
    async fn run(&mut self, below: Uuid) -> Result<bool> {
        let due = self.due(below).await?;
        // Nothing below the last of them is looked at on this page: by then as many were read as a page reads.
        let is_due: HashSet<Uuid> = due.iter().copied().collect();
        let mut due_left = due.into_iter();
        let mut rare = self.rare(below).await?.map(Vec::into_iter);
        let (mut directly, mut known) = (Ahead::from(below), Ahead::from(below));
        loop {
            if directly.peek().is_none() && directly.below.is_some() {
                let next: Vec<Uuid> = due_left.by_ref().take(CHUNK).collect();
                directly = self.read_named(&next).await?;
            }
            if known.peek().is_none()
                && let Some(below) = known.below
            {
                known = match &mut rare {
                    Some(rare) => self.read_named(&rare.by_ref().take(CHUNK).collect::<Vec<_>>()).await?,
                    None => self.read_common(below).await?,
                };
            }
            let (first, second) = (directly.peek(), known.peek());
            if first.is_none() && directly.below.is_some() || second.is_none() && known.below.is_some() {
                continue; // all that was read is gone
            }
            let Some(next) = first.max(second) else { return Ok(false) };
            if self.is_full() {
                return Ok(true);
            }
            let is_direct = first == Some(next);
            let of = if is_direct { &mut directly } else { &mut known };
            let Some(seen) = of.seen.next() else { return Ok(false) };
            if !is_direct && is_due.contains(&next) {
                continue; // the index is not to be believed
            }
            self.look_at(seen, is_direct);
        }
    }

    const fn is_full(&self) -> bool {
        self.items.len() >= self.limit || self.scanned >= SCAN_MAX || self.read >= READ_MAX
    }

    /// What the index does not know, newest first: as much as one page reads, and one more.
    async fn due(&self, below: Uuid) -> Result<Vec<Uuid>> {
        let read = "SELECT DISTINCT comment FROM search_due WHERE comment < $1 AND ($2::integer[] IS NULL OR site = ANY($2)) \
                    ORDER BY comment DESC LIMIT $3";
        let most = i64::try_from(READ_MAX + 1).unwrap_or(i64::MAX);
        let due = self.db.query(read, &[&below, &self.sites, &most]).await?;
        due.iter().map(|row| row.cell(0)).collect()
    }

    async fn read_named(&mut self, uids: &[Uuid]) -> Result<Ahead> {
        let Some(last) = uids.last() else {
            return Ok(Ahead { seen: Vec::new().into_iter().peekable(), below: None });
        };
        let read = format!(
            "SELECT {} FROM site s JOIN comment c ON c.site = s.id WHERE c.uid = ANY($1) ORDER BY c.uid DESC",
            seen::columns()
        );
        let found = self.db.query(&read, &[&uids]).await?;
        self.ahead(&found, Some(*last)).await
    }

    /// What has the words by the index, when that is not much: newest first. `None` for words so common that it is found sooner by looking at one
    /// comment after the other.
    async fn rare(&self, below: Uuid) -> Result<Option<Vec<Uuid>>> {
        // Without an order, so that nothing tempts the database to walk through everything in that order.
        let read = "SELECT s.comment FROM search s WHERE s.words @@ $1::text::tsquery AND s.comment < $2 \
                    AND ($3::integer[] IS NULL OR s.site = ANY($3)) LIMIT $4";
        let most = i64::try_from(RARE_MAX + 1).unwrap_or(i64::MAX);
        let found = self.db.query(read, &[&self.question, &below, &self.sites, &most]).await?;
        if found.len() > RARE_MAX {
            return Ok(None);
        }
        let mut found = found.iter().map(|row| row.cell(0)).collect::<Result<Vec<Uuid>>>()?;
        found.sort_unstable_by(|one, other| other.cmp(one));
        Ok(Some(found))
    }

    /// The next of what has common words.
    async fn read_common(&mut self, below: Uuid) -> Result<Ahead> {
        let walk = format!("s.words @@ $1::text::tsquery AND s.comment < $2 ORDER BY s.comment DESC LIMIT {CHUNK}");
        // Each site by itself: a small one is not looked for among all that a big one has.
        let found = if self.sites.is_some() {
            format!(
                "SELECT f.site, f.comment FROM unnest($3::integer[]) AS asked(site), \
                 LATERAL (SELECT s.site, s.comment FROM search s WHERE s.site = asked.site AND {walk}) f ORDER BY f.comment DESC LIMIT {CHUNK}"
            )
        } else {
            format!("SELECT s.site, s.comment FROM search s WHERE $3::integer[] IS NULL AND {walk}")
        };
        let read = format!(
            "SELECT {} FROM ({found}) s JOIN comment c ON c.site = s.site AND c.uid = s.comment ORDER BY c.uid DESC",
            seen::columns()
        );
        let found = self.db.query(&read, &[&self.question, &below, &self.sites]).await?;
        let below = if found.len() >= CHUNK { found.last().map(|row| row.cell(1)).transpose()? } else { None };
        self.ahead(&found, below).await
    }

    async fn ahead(&mut self, found: &[Cell], below: Option<Uuid>) -> Result<Ahead> {
        let mut seen = Vec::with_capacity(found.len());
        for row in found {
            seen.extend(left_out("searches", &row.cell::<Uuid>(1)?, Seen::read(row))?);
        }
        self.known.learn_seen(self.db, &seen).await?;
        Ok(Ahead { seen: seen.into_iter().peekable(), below })
    }

    /// Puts the comment on the page if it belongs there; `directly` when only its text can tell whether it has the words.
    fn look_at(&mut self, seen: Seen, directly: bool) {
        self.last = seen.row.uid;
        self.scanned += 1;
        let (site, filter) = (seen.row.site, self.filter);
        if filter.status.is_some_and(|wanted| seen.standing().status != wanted) {
            return;
        }
        if directly {
            self.read += 1;
            if !self.known.words(site, &seen.content).answer(&filter.question) {
                return;
            }
        }
        let author = seen.content.comment.author.id.as_ref().map(ExternalId::as_str);
        if filter.author.as_deref().is_some_and(|wanted| author != Some(wanted))
            || !self.known.lies_within(site, &seen.content, &filter.reach)
        {
            return;
        }
        let name = self.known.name(site);
        self.items.push(seen.record(&name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::search::Term;

    #[test]
    fn questions_are_quoted() {
        let term = |word: &str, is_prefix| Term { word: word.to_owned(), is_prefix };
        for (terms, asked) in [
            (vec![], None),
            (vec![term("rain", false)], Some("'rain'")),
            (vec![term("rain", false), term("har", true)], Some("'rain' & 'har':*")),
            (vec![term("a'b\\c | d", false)], Some("'a''b\\\\c | d'")),
        ] {
            assert_eq!(tsquery(&Question { terms }).as_deref(), asked);
        }
    }
}
