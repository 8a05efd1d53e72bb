//! Appeals, and the answers to them. Whoever changes one has locked its comment.

use async_trait::async_trait;
use futures_util::future::try_join_all;
use tokio_postgres::Row as Cell;
use uuid::Uuid;

use super::PostgresStore;
use super::cursor::{self, cursor_of, place_of};
use super::db::{Cells as _, Db, number, signed};
use super::rows::{self, Row};
use super::work::{Work, transact};
use super::{articles, outbox, rulings, uid};
use crate::domain::appeal::{AnswerError, Appeal, AppealAnswer, AppealState, Appeals, Opened};
use crate::domain::comment::ExternalId;
use crate::domain::decision::{Action, Actor, Status};
use crate::domain::people::Reach;
use crate::domain::site::SiteId;
use crate::domain::store::{KeptAppeal, ListError, Page, PageRequest, Place, Result, Ruled, Ruling, Seen, StoreError};
use crate::domain::time::Timestamp;
use crate::storage::appealed::{self, Words};

/// A row of `appeal`.
struct Found {
    site: SiteId,
    id: i64,
    uid: Uuid,
    comment: Uuid,
    version: u32,
    state: AppealState,
    at: Timestamp,
    answered_at: Option<Timestamp>,
    words: Words,
}

const COLUMNS: &str = "a.site, a.id, a.uid, a.comment, a.version, a.state, a.at, a.answered_at, a.b";
/// What cursors of the list are signed for.
const LIST: &str = "appeals";
/// Appeals read at a time for a page.
const CHUNK: i64 = 200;

impl Found {
    fn read(row: &Cell) -> Result<Self> {
        Ok(Self {
            site: row.site(0)?,
            id: row.cell(1)?,
            uid: row.cell(2)?,
            comment: row.cell(3)?,
            version: row.natural(4)?,
            state: appealed::state_of(i64::from(row.cell::<i16>(5)?))?,
            at: Timestamp::from_millis(row.cell(6)?),
            answered_at: row.cell::<Option<i64>>(7)?.map(Timestamp::from_millis),
            words: Words::decode(row.cell(8)?)?,
        })
    }
}

async fn open(work: &Work, site: SiteId, comment: &ExternalId, text: Option<&str>, at: Timestamp) -> Result<Opened> {
    let Some(row) = rows::find_locked(work, site, comment.as_str()).await? else { return Ok(Opened::NoComment) };
    if let Some(last) = last_of(work, &row).await? {
        match last.state {
            AppealState::Open => return Ok(Opened::Waits(Box::new(whole(work, last).await?))),
            // An answer that let the rejection stand is the last word on that version.
            AppealState::Upheld if last.version == row.version => {
                return Ok(Opened::Answered(Box::new(whole(work, last).await?)));
            }
            AppealState::Upheld | AppealState::Overturned | AppealState::Closed => {}
        }
    }
    if row.status != Status::Rejected {
        return Ok(Opened::NotRejected);
    }
    let uid = uid::new(at)?;
    let verdict = row.content()?.verdict;
    let words = Words { text: text.map(str::to_owned), verdict, answer: None, answered_by: None, ruling: None };
    let write = "INSERT INTO appeal (uid, site, comment, version, state, at, b) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let (version, state) = (signed(row.version), code(AppealState::Open));
    work.execute(write, &[&uid, &number(site), &row.uid, &version, &state, &at.as_millis(), &words.encode()?]).await?;
    let by = Actor::Site(work.site_name(work, site).await?.to_string());
    work.audit(&by, "appeal.open", &uid.to_string(), "", at);
    outbox::tell_appeal(work, &row, (uid, AppealState::Open), None, at).await?;
    let opened = by_uid(work, uid).await?.ok_or_else(|| StoreError::Corrupt("an appeal is gone".to_owned()))?;
    Ok(Opened::New(Box::new(whole(work, opened).await?)))
}

async fn list(
    db: &Db,
    state: Option<AppealState>,
    site: Option<&str>,
    reach: &Reach,
    page: &PageRequest,
) -> std::result::Result<Page<Appeal>, ListError> {
    let mut above: i64 = match &page.cursor {
        Some(cursor) => place_of(&db.shared, LIST, cursor)?,
        None => 0,
    };
    let limit = cursor::limit(page);
    let (mut items, mut more) = (Vec::new(), false);
    let read = format!(
        "SELECT {COLUMNS} FROM appeal a JOIN site s ON s.id = a.site WHERE a.id > $1 AND ($2::smallint IS NULL OR a.state = $2) \
         AND ($3::text IS NULL OR s.name = $3) AND ($4::text[] IS NULL OR s.name = ANY ($4)) \
         AND EXISTS (SELECT 1 FROM comment c WHERE c.site = a.site AND c.uid = a.comment) ORDER BY a.id LIMIT $5"
    );
    while !more {
        let state = state.map(code);
        let found = db.query(&read, &[&above, &state, &site, &reach.sites, &CHUNK]).await?;
        for cell in &found {
            let appeal = Found::read(cell)?;
            if !reach.has_whole_sites() && !lies_within(db, &appeal, reach).await? {
                continue;
            }
            if items.len() == limit {
                more = true;
                break;
            }
            above = appeal.id;
            items.push(appeal);
        }
        if found.len() < usize::try_from(CHUNK).unwrap_or(usize::MAX) {
            break;
        }
        if !more && let Some(last) = found.last() {
            above = last.cell(1)?;
        }
    }
    let next_cursor = more.then(|| cursor_of(&db.shared, LIST, &above));
    let items = try_join_all(items.into_iter().map(|appeal| whole(db, appeal))).await?;
    Ok(Page { items, next_cursor })
}

async fn lies_within(db: &Db, appeal: &Found, reach: &Reach) -> Result<bool> {
    let Some(row) = rows::row(db, appeal.site, appeal.comment).await? else { return Ok(false) };
    Ok(covers(reach, &rulings::place(db, &row).await?))
}

fn covers(reach: &Reach, place: &Place) -> bool {
    reach.covers(&place.site, place.section.as_deref(), place.lang.as_deref())
}

async fn answer(
    work: &Work,
    answer: &AppealAnswer,
) -> Result<std::result::Result<(Appeal, Option<Ruled>), AnswerError>> {
    let Some(found) = by_uid(work, answer.uid).await? else { return Ok(Err(AnswerError::NotFound)) };
    let Some(row) = rows::lock(work, found.comment).await? else { return Ok(Err(AnswerError::NotFound)) };
    if !answer.reach.is_all() && !covers(&answer.reach, &rulings::place(work, &row).await?) {
        return Ok(Err(AnswerError::NotFound));
    }
    // Once more: now nobody changes it any more.
    let Some(mut found) = by_uid(work, answer.uid).await? else { return Ok(Err(AnswerError::NotFound)) };
    if found.state != AppealState::Open || found.version != row.version {
        return Ok(Err(AnswerError::NotOpen));
    }
    found.state = if answer.overturn { AppealState::Overturned } else { AppealState::Upheld };
    found.answered_at = Some(answer.at);
    found.words.answer.clone_from(&answer.answer);
    found.words.answered_by = match &answer.by {
        Actor::Person(email) => Some(email.clone()),
        Actor::Site(_) | Actor::Console => None,
    };
    write_state(work, &found).await?; // first: the ruling closes what is still open
    let detail = found.state.name();
    work.audit(&answer.by, "appeal.answer", &found.uid.to_string(), detail, answer.at);
    let ruled = if answer.overturn { Some(approve(work, &row, answer).await?) } else { None };
    if let Some(ruled) = &ruled {
        found.words.ruling = Some(ruled.decision);
        write_state(work, &found).await?;
    }
    let told = (found.uid, found.state);
    outbox::tell_appeal(work, &row, told, found.words.answer.clone(), answer.tell_at).await?;
    Ok(Ok((whole(work, found).await?, ruled)))
}

async fn approve(work: &Work, row: &Row, answer: &AppealAnswer) -> Result<Ruled> {
    let seen = Seen { uid: row.uid, seen_version: row.version };
    let ruling = Ruling {
        items: vec![seen],
        action: Action::Approve,
        category: None,
        reason: answer.answer.clone(),
        note: None,
        by: answer.by.clone(),
        at: answer.at,
        reach: Reach::ALL,
        tell_at: answer.tell_at,
    };
    rulings::rule(work, &ruling).await
}

/// An appeal that was closed, of which the site has yet to be told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closed(Uuid);

/// The comment was changed, by `ruling` if a person did it: whoever appealed against what it was before gets no answer any more.
#[must_use = "the site is told after it was told what the comment is now"]
pub(super) async fn close(work: &Work, row: &Row, ruling: Option<Uuid>, at: Timestamp) -> Result<Option<Closed>> {
    let Some(mut found) = last_of(work, row).await?.filter(|found| found.state == AppealState::Open) else {
        return Ok(None);
    };
    found.state = AppealState::Closed;
    found.answered_at = Some(at);
    found.words.ruling = ruling;
    write_state(work, &found).await?;
    Ok(Some(Closed(found.uid)))
}

/// Tells the site of it.
pub(super) async fn tell_closed(work: &Work, row: &Row, closed: Option<Closed>, tell_at: Timestamp) -> Result<()> {
    let Some(Closed(appeal)) = closed else { return Ok(()) };
    outbox::tell_appeal(work, row, (appeal, AppealState::Closed), None, tell_at).await
}

/// The comment has a new version, and is what it was: whoever appealed still waits for an answer.
pub(super) async fn follow(work: &Work, row: &Row) -> Result<()> {
    let write = "UPDATE appeal SET version = $3 WHERE site = $1 AND comment = $2 AND state = 0 \
                 AND id = (SELECT max(id) FROM appeal WHERE site = $1 AND comment = $2)";
    work.execute(write, &[&number(row.site), &row.uid, &signed(row.version)]).await?;
    Ok(())
}

/// The ruling that answered or closed an appeal was taken back: the appeal waits again, and the answer was never given if the site has not heard of it.
pub(super) async fn reopen(work: &Work, row: &Row, decision: Uuid, at: Timestamp) -> Result<()> {
    let last = last_of(work, row).await?;
    let Some(mut found) = last.filter(|found| found.words.ruling == Some(decision)) else { return Ok(()) };
    found.state = AppealState::Open;
    found.version = row.version;
    found.answered_at = None;
    found.words = found.words.unanswered();
    write_state(work, &found).await?;
    if outbox::untell_appeal(work, row.site, row.uid, found.uid).await? {
        return Ok(());
    }
    outbox::tell_appeal(work, row, (found.uid, found.state), None, at).await
}

/// An appeal on a comment that is still there, within somebody's reach.
async fn find(db: &Db, uid: Uuid, reach: &Reach) -> Result<Option<Appeal>> {
    let Some(found) = by_uid(db, uid).await? else { return Ok(None) };
    if !lies_within(db, &found, reach).await? {
        return Ok(None);
    }
    whole(db, found).await.map(Some)
}

/// Appeals on a comment, for its author.
pub(super) async fn kept(db: &Db, site: SiteId, comment: Uuid) -> Result<Vec<KeptAppeal>> {
    let read = format!("SELECT {COLUMNS} FROM appeal a WHERE a.site = $1 AND a.comment = $2 ORDER BY a.id");
    let found = db.query(&read, &[&number(site), &comment]).await?;
    let kept = |cell: &Cell| -> Result<KeptAppeal> {
        let Found { uid, state, at, words, .. } = Found::read(cell)?;
        Ok(KeptAppeal { uid, state, text: words.text, at, answer: words.answer })
    };
    found.iter().map(kept).collect()
}

/// Forgets appeals on a comment.
pub(super) async fn forget(work: &Work, site: SiteId, comment: Uuid) -> Result<()> {
    work.execute("DELETE FROM appeal WHERE site = $1 AND comment = $2", &[&number(site), &comment]).await?;
    Ok(())
}

async fn write_state(work: &Work, found: &Found) -> Result<()> {
    let write = "UPDATE appeal SET state = $3, answered_at = $4, b = $5, version = $6, clean = false WHERE site = $1 AND id = $2";
    let answered_at = found.answered_at.map(Timestamp::as_millis);
    let (state, bytes, version) = (code(found.state), found.words.encode()?, signed(found.version));
    work.execute(write, &[&number(found.site), &found.id, &state, &answered_at, &bytes, &version]).await?;
    Ok(())
}

async fn by_uid(db: &Db, uid: Uuid) -> Result<Option<Found>> {
    let read = format!("SELECT {COLUMNS} FROM appeal a WHERE a.uid = $1");
    db.query_opt(&read, &[&uid]).await?.as_ref().map(Found::read).transpose()
}

async fn last_of(db: &Db, row: &Row) -> Result<Option<Found>> {
    let read =
        format!("SELECT {COLUMNS} FROM appeal a WHERE a.site = $1 AND a.comment = $2 ORDER BY a.id DESC LIMIT 1");
    db.query_opt(&read, &[&number(row.site), &row.uid]).await?.as_ref().map(Found::read).transpose()
}

async fn whole(db: &Db, found: Found) -> Result<Appeal> {
    let gone = || StoreError::Corrupt("an appeal on an erased comment".to_owned());
    let row = rows::row(db, found.site, found.comment).await?.ok_or_else(gone)?;
    let record = rows::load(db, &row).await?;
    let (known, mut earlier, history) = tokio::try_join!(
        articles::find(db, row.site, &record.comment.article.id),
        kept(db, found.site, found.comment),
        rulings::history(db, record.uid),
    )?;
    earlier.truncate(earlier.iter().position(|one| one.uid == found.uid).unwrap_or(0));
    Ok(Appeal {
        earlier,
        uid: found.uid,
        state: found.state,
        text: found.words.text,
        at: found.at,
        verdict: found.words.verdict,
        article: known.unwrap_or_else(|| record.comment.article.clone()),
        history,
        record,
        answer: found.words.answer,
        answered_by: found.words.answered_by,
        answered_at: found.answered_at,
    })
}

fn code(state: AppealState) -> i16 {
    i16::try_from(appealed::state_code(state)).unwrap_or_default() // they are 0 to 3
}

#[async_trait]
impl Appeals for PostgresStore {
    async fn appeal_open(
        &self,
        site: SiteId,
        comment: &ExternalId,
        text: Option<String>,
        at: Timestamp,
    ) -> Result<Opened> {
        transact!(self, work => open(&work, site, comment, text.as_deref(), at).await)
    }

    async fn appeal_list(
        &self,
        state: Option<AppealState>,
        site: Option<&str>,
        reach: &Reach,
        page: &PageRequest,
    ) -> std::result::Result<Page<Appeal>, ListError> {
        let db = self.db().await?;
        list(&db, state, site, reach, page).await
    }

    async fn appeal_find(&self, uid: Uuid, reach: &Reach) -> Result<Option<Appeal>> {
        let db = self.db().await?;
        find(&db, uid, reach).await
    }

    async fn appeal_answer(&self, given: AppealAnswer) -> std::result::Result<(Appeal, Option<Ruled>), AnswerError> {
        transact!(self, work => answer(&work, &given).await)?
    }
}
