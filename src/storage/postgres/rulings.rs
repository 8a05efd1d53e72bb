//! People's rulings: apply, take back, and what has happened to a comment.
//!
//! A ruling may be about thousands of comments. All of them are locked first, in the order of their uids, so that two rulings about the same
//! comments come one after the other; what is written then is one statement for all, or one for each, sent together ([`super::batch`]).

use std::collections::{HashMap, HashSet};

use futures_util::future::try_join;
use tokio_postgres::Row as Cell;
use uuid::Uuid;

use super::batch::{self, Keys};
use super::db::{Cells as _, Db, number, signed};
use super::rows::{self, Row};
use super::work::Work;
use super::{appeals, articles, campaigns, intake, learning, outbox, queue, reports, samples, uid};
use crate::domain::decision::{Action, Actor, DecidedBy, Record, Status};
use crate::domain::outbox::Channel;
use crate::domain::people::Reach;
use crate::domain::store::{Happening, HappeningKind, Place, Result, Ruled, Ruling, StoreError, UndoError};
use crate::domain::time::Timestamp;
use crate::domain::trace::Trace;
use crate::storage::codec::{self, Content, Happened, RulingText};

/// Applies a ruling to what is still as it was seen.
pub(super) async fn rule(work: &Work, ruling: &Ruling) -> Result<Ruled> {
    rule_as(work, ruling, true).await
}

/// As [`rule`]; `teaches` is false where it is not the comments' words that it is about.
pub(super) async fn rule_as(work: &Work, ruling: &Ruling, teaches: bool) -> Result<Ruled> {
    let decision = uid::unordered(ruling.at)?;
    let mut ruled = Ruled { decision, applied: Vec::new(), conflicts: Vec::new(), missing: Vec::new() };
    let uids: Vec<Uuid> = ruling.items.iter().map(|seen| seen.uid).collect();
    let mut found = lock(work, &uids, &ruling.reach).await?;
    let (mut left, mut changed_meanwhile, mut seen_already) = (Vec::new(), Vec::new(), HashSet::new());
    for seen in ruling.items.iter().filter(|seen| seen_already.insert(seen.uid)) {
        match found.remove(&seen.uid) {
            None => ruled.missing.push(seen.uid),
            Some(row) if row.version != seen.seen_version => changed_meanwhile.push(row),
            Some(row) => left.push(row),
        }
    }
    ruled.conflicts = records(work, &changed_meanwhile).await?;
    if left.is_empty() {
        return Ok(ruled); // nothing to take back
    }
    insert_ruling(work, decision, ruling).await?;
    apply(work, &mut left, ruling, decision, teaches).await?;
    ruled.applied = with_traces(work, &left).await?;
    let detail = format!("{} {}", word(ruling.action), count(left.len()));
    work.audit(&ruling.by, "decision", &decision.to_string(), &detail, ruling.at);
    learning::changed(work, &Keys::of(&left).sites).await?;
    Ok(ruled)
}

/// Takes a ruling back where nothing else has happened since.
pub(super) async fn unrule(
    work: &Work,
    decision: Uuid,
    by: &Actor,
    reach: &Reach,
    at: Timestamp,
) -> Result<std::result::Result<Ruled, UndoError>> {
    let (items, rows) = items(work, decision).await?;
    let within = within(work, rows.values(), reach).await?;
    let taken_back = taken_back(work, decision, &items).await?;
    let mut ruled = Ruled { decision, applied: Vec::new(), conflicts: Vec::new(), missing: Vec::new() };
    let (mut touched, mut stands) = (false, false);
    let (mut left, mut changed_meanwhile) = (Vec::new(), Vec::new());
    for item in items {
        let Some(row) = rows.get(&item.comment) else { continue }; // erased since: it has no name any more
        let is_taken_back = taken_back.contains(&item.comment);
        if !within.contains(&item.comment) {
            stands |= !is_taken_back;
            ruled.missing.push(item.comment);
            continue;
        }
        touched = true;
        // Somebody whose reach is smaller may have taken a part of it back: the rest can still be.
        match row {
            _ if is_taken_back => {}
            row if row.version != item.version_after => changed_meanwhile.push(row.clone()),
            row => left.push((row.clone(), item.before)),
        }
    }
    if !touched {
        return Ok(Err(UndoError::NotFound));
    }
    if left.is_empty() && changed_meanwhile.is_empty() {
        return Ok(Err(UndoError::AlreadyUndone));
    }
    ruled.conflicts = records(work, &changed_meanwhile).await?;
    if !left.is_empty() {
        let restored = restore(work, left, by, decision, at).await?;
        ruled.applied = with_traces(work, &restored).await?;
        let write = "UPDATE ruling SET undone_at = $2 WHERE uid = $1";
        work.execute(write, &[&decision, &at.as_millis()]).await?;
        if !stands {
            campaigns::reopen(work, decision).await?; // not while it holds for others, who work elsewhere
        }
        work.audit(by, "decision.undo", &decision.to_string(), &count(restored.len()), at);
    }
    Ok(Ok(ruled))
}

/// Everything that happened to a comment, oldest first.
pub(super) async fn history(db: &Db, uid: Uuid) -> Result<Vec<Happening>> {
    let Some(row) = rows::by_uid(db, uid).await? else { return Ok(Vec::new()) };
    let (first, mut later) = try_join(received(db, &row), happenings(db, &row)).await?;
    later.insert(0, first);
    Ok(later)
}

/// Everything that happened to a comment after it arrived, oldest first.
pub(super) async fn happenings(db: &Db, row: &Row) -> Result<Vec<Happening>> {
    let read = "SELECT h.version, h.at, h.b, r.uid, r.b FROM happening h LEFT JOIN ruling r ON r.uid = h.ruling \
                WHERE h.site = $1 AND h.comment = $2 ORDER BY h.version";
    let found = db.query(read, &[&number(row.site), &row.uid]).await?;
    let happening = |row: &Cell| {
        let happened: Happened = codec::decode("a happening", row.cell(2)?)?;
        let text: Option<&[u8]> = row.cell(4)?;
        let text: Option<RulingText> = text.map(|text| codec::decode("a ruling", text)).transpose()?;
        Ok(Happening {
            version: row.natural(0)?,
            kind: happened.kind,
            status: happened.status,
            decided_by: happened.decided_by,
            decision: row.cell(3)?,
            category: text.as_ref().and_then(|text| text.category),
            reason: text.as_ref().and_then(|text| text.reason.clone()),
            note: text.and_then(|text| text.note),
            by: happened.by,
            at: Timestamp::from_millis(row.cell(1)?),
        })
    };
    found.iter().map(happening).collect()
}

/// Notes what has just happened to `row`, under the version that it led to.
pub(super) async fn note_happening(
    work: &Work,
    row: &Row,
    at: Timestamp,
    ruling: Option<Uuid>,
    happened: &Happened,
) -> Result<()> {
    note_happenings(work, std::slice::from_ref(row), at, ruling, vec![codec::encode(happened)?]).await
}

async fn note_happenings(
    work: &Work,
    rows: &[Row],
    at: Timestamp,
    ruling: Option<Uuid>,
    happened: Vec<Vec<u8>>,
) -> Result<()> {
    let write = "INSERT INTO happening (site, comment, version, at, ruling, b) \
                 SELECT k.site, k.comment, k.version, $5::int8, $6::uuid, k.b \
                 FROM unnest($1::int4[], $2::uuid[], $3::int4[], $4::bytea[]) k (site, comment, version, b)";
    let keys = Keys::of(rows);
    let versions: Vec<i32> = rows.iter().map(|row| signed(row.version)).collect();
    work.execute(write, &[&keys.sites, &keys.comments, &versions, &happened, &at.as_millis(), &ruling]).await?;
    Ok(())
}

/// A comment's state before a ruling.
struct Before {
    status: Status,
    decided_by: DecidedBy,
    held_at: Option<Timestamp>,
}

struct Item {
    site: i32,
    comment: Uuid,
    version_after: u32,
    before: Before,
}

async fn apply(work: &Work, rows: &mut [Row], ruling: &Ruling, decision: Uuid, teaches: bool) -> Result<()> {
    let status = ruling.action.status();
    let held_at = rows.iter().map(|row| queue::held_at(work, row.site, row.uid)).collect();
    let held_at = batch::each(held_at).await?;
    let before = rows.iter().zip(held_at);
    let before = before.map(|(row, held_at)| Before { status: row.status, decided_by: row.decided_by, held_at });
    let before: Vec<Before> = before.collect();
    reports::answer(work, &Keys::of(rows.iter()), &vec![reports::outcome(status); rows.len()]).await?;
    learning::note(work, rows, ruling, decision, teaches).await?;
    let changes = rows.iter_mut().zip(&before);
    let changes = changes.map(|(row, before)| apply_one(work, row, before, ruling, decision)).collect();
    let closed = batch::each(changes).await?;
    note_items(work, rows, &before, decision).await?;
    let by = ruling.by.clone();
    let happened = Happened { kind: HappeningKind::Decided, status, decided_by: DecidedBy::Person, by };
    let happened = vec![codec::encode(&happened)?; rows.len()];
    note_happenings(work, rows, ruling.at, Some(decision), happened).await?;
    let news = rows.iter().zip(&before).filter(|(_, before)| before.status != status).map(|(row, _)| row);
    outbox::tell_statuses(work, news.clone(), Some(decision), ruling.tell_at).await?;
    // A site that decided itself knows.
    if !matches!(ruling.by, Actor::Site(_)) {
        outbox::call_back(work, news, Some(decision), ruling.tell_at).await?;
    }
    tell_closed(work, rows, closed, ruling.tell_at).await
}

/// An appeal that waits is closed by what changes the comment, perhaps by `ruling`; to reject again what is rejected is no answer to it.
async fn change(
    work: &Work,
    row: &mut Row,
    (status, decided_by): (Status, DecidedBy),
    ruling: Option<Uuid>,
    at: Timestamp,
) -> Result<Option<appeals::Closed>> {
    let is_same = row.status == status;
    let closed = if is_same { None } else { appeals::close(work, row, ruling, at).await? };
    intake::update_row(work, row, status, decided_by, at).await?;
    if is_same {
        appeals::follow(work, row).await?;
    }
    Ok(closed)
}

async fn tell_closed(work: &Work, rows: &[Row], closed: Vec<Option<appeals::Closed>>, at: Timestamp) -> Result<()> {
    let closed = rows.iter().zip(closed).filter(|(_, closed)| closed.is_some());
    batch::each(closed.map(|(row, closed)| appeals::tell_closed(work, row, closed, at)).collect()).await?;
    Ok(())
}

async fn apply_one(
    work: &Work,
    row: &mut Row,
    before: &Before,
    ruling: &Ruling,
    decision: Uuid,
) -> Result<Option<appeals::Closed>> {
    let now = (ruling.action.status(), DecidedBy::Person);
    let closed = change(work, row, now, Some(decision), ruling.at).await?;
    queue::replace(work, row, &row.content()?, before.held_at.unwrap_or(ruling.at)).await?;
    Ok(closed)
}

async fn restore_one(
    work: &Work,
    row: &mut Row,
    before: &Before,
    decision: Uuid,
    at: Timestamp,
) -> Result<Option<appeals::Closed>> {
    let closed = change(work, row, (before.status, before.decided_by), None, at).await?;
    appeals::reopen(work, row, decision, at).await?;
    queue::replace(work, row, &row.content()?, before.held_at.unwrap_or(at)).await?;
    Ok(closed)
}

/// What each was before is in force again. Answers them as they are then.
async fn restore(work: &Work, left: Vec<(Row, Before)>, by: &Actor, decision: Uuid, at: Timestamp) -> Result<Vec<Row>> {
    let (mut rows, before): (Vec<Row>, Vec<Before>) = left.into_iter().unzip();
    let keys = Keys::of(&rows);
    let outcomes = before.iter().map(|before| match before.decided_by {
        DecidedBy::Person => reports::outcome(before.status), // an earlier ruling had answered them
        DecidedBy::Policy | DecidedBy::Rule => reports::OPEN,
    });
    let outcomes: Vec<i16> = outcomes.collect();
    reports::answer(work, &keys, &outcomes).await?;
    learning::undo(work, &keys, decision, at).await?;
    let is_news: Vec<bool> = rows.iter().zip(&before).map(|(row, before)| row.status != before.status).collect();
    let changes =
        rows.iter_mut().zip(&before).map(|(row, before)| restore_one(work, row, before, decision, at)).collect();
    let closed = batch::each(changes).await?;
    let happened = before.iter().map(|before| {
        let (status, decided_by) = (before.status, before.decided_by);
        codec::encode(&Happened { kind: HappeningKind::Undone, status, decided_by, by: by.clone() })
    });
    note_happenings(work, &rows, at, Some(decision), happened.collect::<Result<_>>()?).await?;
    // Within the grace the site never hears of it; afterwards it hears of both.
    let news: Vec<&Row> = rows.iter().zip(is_news).filter(|(_, is_news)| *is_news).map(|(row, _)| row).collect();
    let keys = Keys::of(news.iter().copied());
    let untold = outbox::untell(work, &keys, decision, Channel::Webhook).await?;
    let heard = news.iter().copied().filter(|row| !untold.contains(&row.uid));
    outbox::tell_statuses(work, heard, None, at).await?;
    let untold = outbox::untell(work, &keys, decision, Channel::Callback).await?;
    let heard = news.iter().copied().filter(|row| !untold.contains(&row.uid));
    outbox::call_back(work, heard, None, at).await?;
    tell_closed(work, &rows, closed, at).await?;
    Ok(rows)
}

/// What a ruling was about, in the order of uids, and of that the comments that are there, locked.
async fn items(work: &Work, ruling: Uuid) -> Result<(Vec<Item>, HashMap<Uuid, Row>)> {
    let read = "SELECT site, comment, version_after, status_before, decided_by_before, held_at_before FROM ruling_item \
                WHERE ruling = $1 ORDER BY comment";
    let mut items = Vec::new();
    for item in work.query(read, &[&ruling]).await? {
        let status = codec::status_of(i64::from(item.cell::<i16>(3)?))?;
        items.push(Item {
            site: item.cell(0)?,
            comment: item.cell(1)?,
            version_after: item.natural(2)?,
            before: Before {
                status: status.ok_or_else(|| StoreError::Corrupt("a ruling on an erased comment".to_owned()))?,
                decided_by: codec::decided_by_of(i64::from(item.cell::<i16>(4)?))?,
                held_at: item.cell::<Option<i64>>(5)?.map(Timestamp::from_millis),
            },
        });
    }
    let (sites, comments): (Vec<i32>, Vec<Uuid>) = items.iter().map(|item| (item.site, item.comment)).unzip();
    let lock = format!(
        "SELECT {} FROM unnest($1::int4[], $2::uuid[]) k (site, comment) JOIN comment c ON c.site = k.site AND c.uid = k.comment \
         ORDER BY c.uid FOR UPDATE OF c",
        rows::COLUMNS
    );
    let rows = by_name(&work.query(&lock, &[&sites, &comments]).await?)?;
    Ok((items, rows))
}

/// The comments of a ruling that were taken back: what happened to a comment names the ruling once, or twice when that is undone.
async fn taken_back(db: &Db, ruling: Uuid, items: &[Item]) -> Result<HashSet<Uuid>> {
    let read = "SELECT DISTINCT h.comment FROM unnest($1::int4[], $2::uuid[], $3::int4[]) k (site, comment, version) \
                JOIN happening h ON h.site = k.site AND h.comment = k.comment AND h.version > k.version WHERE h.ruling = $4";
    let (sites, comments): (Vec<i32>, Vec<Uuid>) = items.iter().map(|item| (item.site, item.comment)).unzip();
    let versions: Vec<i32> = items.iter().map(|item| signed(item.version_after)).collect();
    db.query(read, &[&sites, &comments, &versions, &ruling]).await?.iter().map(|row| row.cell(0)).collect()
}

async fn insert_ruling(work: &Work, decision: Uuid, ruling: &Ruling) -> Result<()> {
    let text = RulingText {
        action: ruling.action,
        category: ruling.category,
        reason: ruling.reason.clone(),
        note: ruling.note.clone(),
        by: ruling.by.clone(),
    };
    let write = "INSERT INTO ruling (uid, at, b) VALUES ($1, $2, $3)";
    work.execute(write, &[&decision, &ruling.at.as_millis(), &codec::encode(&text)?]).await?;
    Ok(())
}

async fn note_items(work: &Work, rows: &[Row], before: &[Before], decision: Uuid) -> Result<()> {
    let write = "INSERT INTO ruling_item (site, comment, version_after, status_before, decided_by_before, held_at_before, ruling) \
                 SELECT k.*, $7::uuid FROM unnest($1::int4[], $2::uuid[], $3::int4[], $4::int2[], $5::int2[], $6::int8[]) k";
    let keys = Keys::of(rows);
    let versions: Vec<i32> = rows.iter().map(|row| signed(row.version)).collect();
    let statuses: Vec<i16> = before.iter().map(|before| batch::status_code(before.status)).collect();
    let decided_by: Vec<i16> = before.iter().map(|before| batch::decided_by_code(before.decided_by)).collect();
    let held_at: Vec<Option<i64>> = before.iter().map(|before| before.held_at.map(Timestamp::as_millis)).collect();
    work.execute(write, &[&keys.sites, &keys.comments, &versions, &statuses, &decided_by, &held_at, &decision]).await?;
    Ok(())
}

/// Those of `uids` that are there and within the reach. Nobody else changes them until `work` ends. A uid does not say its site, and sites are
/// few: the index is asked once for each.
async fn lock(work: &Work, uids: &[Uuid], reach: &Reach) -> Result<HashMap<Uuid, Row>> {
    let lock = format!(
        "SELECT {} FROM unnest($1::uuid[]) k (uid) CROSS JOIN site s JOIN comment c ON c.site = s.id AND c.uid = k.uid \
         WHERE ($2::text[] IS NULL OR s.name = ANY($2)) ORDER BY c.uid FOR UPDATE OF c",
        rows::COLUMNS
    );
    let mut rows = by_name(&work.query(&lock, &[&uids, &reach.sites]).await?)?;
    let within = within(work, rows.values(), reach).await?;
    rows.retain(|uid, _| within.contains(uid));
    Ok(rows)
}

fn by_name(found: &[Cell]) -> Result<HashMap<Uuid, Row>> {
    found.iter().map(|row| Row::read(row).map(|row| (row.uid, row))).collect()
}

/// Those of `rows` that are within the reach.
async fn within(db: &Db, rows: impl Iterator<Item = &Row>, reach: &Reach) -> Result<HashSet<Uuid>> {
    let (uids, looks): (Vec<Uuid>, Vec<_>) = rows.map(|row| (row.uid, allowed(db, row, reach))).unzip();
    let allowed = batch::each(looks).await?;
    Ok(uids.into_iter().zip(allowed).filter(|(_, allowed)| *allowed).map(|(uid, _)| uid).collect())
}

async fn allowed(db: &Db, row: &Row, reach: &Reach) -> Result<bool> {
    if reach.has_whole_sites() {
        return Ok(reach.is_all() || reach.covers_site(&db.site_name(db, row.site).await?));
    }
    Ok(place(db, row).await?.lies_within(reach))
}

/// Where a comment stands.
pub(super) async fn place(db: &Db, row: &Row) -> Result<Place> {
    place_of(db, row, &row.content()?).await
}

/// Where a comment that says `content` stands.
pub(super) async fn place_of(db: &Db, row: &Row, content: &Content) -> Result<Place> {
    let article = &content.comment.article;
    let section = match &article.section {
        Some(section) => Some(section.clone()),
        None => articles::find(db, row.site, &article.id).await?.and_then(|article| article.section),
    };
    Ok(Place { site: db.site_name(db, row.site).await?, section, lang: content.lang.clone() })
}

/// The records of `rows`.
async fn records(db: &Db, rows: &[Row]) -> Result<Vec<Record>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let waiting = samples::waiting(db, &Keys::of(rows)).await?;
    let mut records = Vec::with_capacity(rows.len());
    for row in rows {
        let name = db.site_name(db, row.site).await?;
        records.push(rows::record_named(name, row, row.content()?, waiting.contains(&row.uid)));
    }
    Ok(records)
}

async fn with_traces(db: &Db, rows: &[Row]) -> Result<Vec<(Record, Trace)>> {
    let traces = rows.iter().map(Row::trace).collect::<Result<Vec<_>>>()?;
    Ok(records(db, rows).await?.into_iter().zip(traces).collect())
}

async fn received(db: &Db, row: &Row) -> Result<Happening> {
    let read = "SELECT b FROM revision WHERE site = $1 AND comment = $2 AND revision = 1";
    let first = db.query_opt(read, &[&number(row.site), &row.uid]).await?;
    let first: Content = match first {
        Some(first) => codec::decode_content("a comment's first revision", first.cell(0)?)?,
        None => row.content()?,
    };
    Ok(Happening {
        version: 1,
        kind: HappeningKind::Received,
        status: first.status,
        decided_by: first.decided_by,
        decision: None,
        category: None,
        reason: None,
        note: None,
        by: Actor::Site(db.site_name(db, row.site).await?.to_string()),
        at: first.at,
    })
}

const fn word(action: Action) -> &'static str {
    match action {
        Action::Approve => "approve",
        Action::Hold => "hold",
        Action::Reject => "reject",
    }
}

fn count(comments: usize) -> String {
    if comments == 1 { "1 comment".to_owned() } else { format!("{comments} comments") }
}
