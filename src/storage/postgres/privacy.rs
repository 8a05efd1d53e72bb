//! What is kept of a person: shown to them, erased, or replaced by what says less.

use futures_util::future::try_join_all;
use uuid::Uuid;

use super::cursor::{cursor_of, limit, place_of};
use super::db::{Cells as _, Db, number, signed};
use super::rows::{self, Row};
use super::work::Work;
use super::{appeals, batch, erasures, intake, patience, reports, rulings, sanctions, uid};
use crate::domain::comment::ExternalId;
use crate::domain::decision::Actor;
use crate::domain::privacy::{AddressesLeft, ErasedKind};
use crate::domain::sanction::{Target, TargetKind};
use crate::domain::site::SiteId;
use crate::domain::store::{
    ErasedAuthor, ErasedComment, Hashed, Kept, KeptBesides, KeptNote, ListError, Page, PageRequest, Result,
};
use crate::domain::time::Timestamp;
use crate::storage::addresses::{
    Pseudonym, appeal_without_addresses, has_addresses, nobodys_key, ruling_without_addresses, stranger,
    without_address, without_addresses,
};
use crate::storage::appealed::Words;
use crate::storage::codec::{self, Content, RulingText};
use crate::storage::damage::left_out;

/// No moment is later: everything that there is of somebody goes.
const END: Timestamp = Timestamp::from_millis(i64::MAX);
const LIST: &str = "author";
/// What damage is left out from: what cannot be read keeps its addresses, and nothing else does because of it.
const ADDRESSES: &str = "addresses";
/// Comments read at once.
const STEP: usize = 500;

/// An author's comments below `below`, newest first, at most `most` looked at: today theirs, or with an earlier revision of theirs. And the last
/// that was looked at, when there may be more.
async fn comments_of(
    db: &Db,
    site: SiteId,
    author: &ExternalId,
    below: Uuid,
    most: usize,
) -> Result<(Vec<(Row, Content)>, Option<Uuid>)> {
    let key = db.hasher.account(site, author.as_str()).cast_signed();
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let read = "SELECT uid FROM (SELECT uid FROM comment WHERE site = $1 AND account = $2 AND uid < $3 \
                UNION SELECT comment FROM moved WHERE site = $1 AND account = $2 AND comment < $3) theirs ORDER BY uid DESC LIMIT $4";
    let uids = db.query(read, &[&number(site), &key, &below, &most]).await?;
    let uids = uids.iter().map(|row| row.cell(0)).collect::<Result<Vec<Uuid>>>()?;
    let last = uids.last().copied().filter(|_| i64::try_from(uids.len()).unwrap_or(i64::MAX) >= most);
    let mut found = Vec::new();
    for row in rows_of(db, site, &uids, "").await? {
        let content = row.content()?;
        let is_theirs = content.comment.author.id.as_ref() == Some(author) || wrote_before(db, &row, author).await?;
        if is_theirs {
            found.push((row, content));
        }
    }
    Ok((found, last))
}

/// Comments of a site, newest first; locked in the order of uids when `lock` says `FOR UPDATE`.
pub(super) async fn rows_of(db: &Db, site: SiteId, uids: &[Uuid], lock: &str) -> Result<Vec<Row>> {
    let order = if lock.is_empty() { "DESC" } else { "" };
    let read = format!(
        "SELECT {} FROM comment c WHERE c.site = $1 AND c.uid = ANY ($2) ORDER BY c.uid {order} {lock}",
        rows::COLUMNS
    );
    db.query(&read, &[&number(site), &uids]).await?.iter().map(Row::read).collect()
}

/// The same of those that can be read, oldest first and locked; whatever goes on without the others is called `place`.
pub(super) async fn readable_rows(work: &Work, site: SiteId, uids: &[Uuid], place: &'static str) -> Result<Vec<Row>> {
    let read = format!(
        "SELECT {} FROM comment c WHERE c.site = $1 AND c.uid = ANY ($2) ORDER BY c.uid FOR UPDATE",
        rows::COLUMNS
    );
    let mut found = Vec::with_capacity(uids.len());
    for row in work.query(&read, &[&number(site), &uids]).await? {
        found.extend(left_out(place, &row.cell::<Uuid>(1)?, Row::read(&row))?);
    }
    Ok(found)
}

/// Whether an earlier revision was theirs: an edit may have named somebody else.
async fn wrote_before(db: &Db, row: &Row, author: &ExternalId) -> Result<bool> {
    Ok(earlier(db, row).await?.iter().any(|content| content.comment.author.id.as_ref() == Some(author)))
}

async fn earlier(db: &Db, row: &Row) -> Result<Vec<Content>> {
    if row.revision < 2 {
        return Ok(Vec::new());
    }
    let read = "SELECT b FROM revision WHERE site = $1 AND comment = $2 ORDER BY revision";
    let all = db.query(read, &[&number(row.site), &row.uid]).await?;
    all.iter().map(|row| codec::decode_content("an earlier revision", row.cell(0)?)).collect()
}

pub(super) async fn export(
    db: &Db,
    site: SiteId,
    author: &ExternalId,
    page: &PageRequest,
) -> std::result::Result<Page<Kept>, ListError> {
    let below = match &page.cursor {
        Some(cursor) => place_of(&db.shared, LIST, cursor)?,
        None => Uuid::max(),
    };
    let limit = limit(page);
    let (found, mut last) = comments_of(db, site, author, below, limit + 1).await?;
    let mut items = Vec::new();
    for (row, content) in found {
        if items.len() == limit {
            last = items.last().map(|kept: &Kept| kept.record.uid);
            break;
        }
        let earlier = earlier(db, &row).await?.into_iter().map(|content| content.comment).collect();
        let (appeals, history, readers) = tokio::try_join!(
            appeals::kept(db, site, row.uid),
            rulings::history(db, row.uid),
            reports::view(db, site, row.uid),
        )?;
        let record = rows::record(db, &row, content).await?;
        items.push(Kept { record, history, earlier, appeals, readers });
    }
    Ok(Page { items, next_cursor: last.map(|last| cursor_of(&db.shared, LIST, &last)) })
}

/// What is kept of an author who reads, or who is sanctioned.
pub(super) async fn besides(db: &Db, site: SiteId, author: &ExternalId) -> Result<KeptBesides> {
    let hash = db.reader(site, author.as_str());
    let (reports, votes) = reports::kept(db, site, &hash).await?;
    let sanctions = match Target::parse(TargetKind::Author, author.as_str(), Some(site)) {
        Ok(target) => sanctions::of_hash(db, &target.hash(&db.target_key)).await?,
        Err(_) => Vec::new(),
    };
    let read = "SELECT text, at FROM author_note WHERE author = $1 ORDER BY id";
    let notes = db.query(read, &[&&hash[..]]).await?;
    let notes = notes.iter().map(|row| Ok(KeptNote { text: row.cell(0)?, at: Timestamp::from_millis(row.cell(1)?) }));
    Ok(KeptBesides { reports, votes, sanctions, notes: notes.collect::<Result<_>>()? })
}

pub(super) async fn erase(
    work: &Work,
    site: SiteId,
    author: &ExternalId,
    by: &Actor,
    at: Timestamp,
) -> Result<ErasedAuthor> {
    work.batch(patience::AT_LENGTH).await?;
    let mut erased = ErasedAuthor { comments: Vec::new(), others: 0 };
    let mut below = Some(Uuid::max());
    while let Some(from) = below {
        let (found, last) = comments_of(work, site, author, from, STEP).await?;
        let uids: Vec<Uuid> = found.iter().map(|(row, _)| row.uid).collect();
        let locked = rows_of(work, site, &uids, "FOR UPDATE").await?;
        let wipes = locked.iter().map(|row| async move {
            let content = row.content()?;
            let place = rulings::place_of(work, row, &content).await?;
            let trace = intake::wipe(work, row, &content.comment.id, by, at).await?;
            Ok(ErasedComment { uid: row.uid, trace, place, status: row.status })
        });
        erased.comments.extend(batch::each(wipes.collect()).await?);
        below = last;
    }
    erased.comments.sort_unstable_by_key(|comment| std::cmp::Reverse(comment.uid)); // newest first
    let hash = work.reader(site, author.as_str());
    erased.others += forget_notes(work, &hash, END).await?;
    erased.others += reports::forget_reader(work, site, &hash, END).await?;
    erasures::note(work, site, ErasedKind::Reader, &hash, at).await?;
    if let Ok(target) = Target::parse(TargetKind::Author, author.as_str(), Some(site)) {
        let target = target.hash(&work.target_key);
        erased.others += sanctions::forget_author(work, &target, END).await?;
        erasures::note(work, site, ErasedKind::Target, &target, at).await?;
    }
    // Neither the author's name nor how many comments there were of whom: that an erasure took place, where, and when.
    let site = work.site_name(work, site).await?;
    work.audit(by, "author.erase", &site, "", at);
    Ok(erased)
}

/// Forgets what was noted about an author until that moment.
pub(super) async fn forget_notes(work: &Work, author: &[u8; 16], until: Timestamp) -> Result<u64> {
    let delete = "DELETE FROM author_note WHERE author = $1 AND at <= $2";
    work.execute(delete, &[&author.as_slice(), &until.as_millis()]).await
}

pub(super) async fn hash_addresses(work: &Work, before: Timestamp, most: usize, key: &[u8; 32]) -> Result<Hashed> {
    work.execute("SELECT pg_advisory_xact_lock($1)", &[&work.locks.hashing]).await?;
    let mut hashed = Hashed::default();
    // Site by site, each on from where it has got to: there is no order of all comments but that of their sites.
    let sites = work.query("SELECT id, coalesce(looked_to, $1) FROM site ORDER BY id", &[&Uuid::nil()]).await?;
    for site in &sites {
        let left = i64::try_from(most).unwrap_or(i64::MAX).saturating_sub_unsigned(hashed.looked_at);
        if left <= 0 {
            break;
        }
        let (site, from): (SiteId, Uuid) = (site.site(0)?, site.cell(1)?);
        let read = "SELECT uid FROM comment WHERE site = $1 AND uid > $2 AND uid < $3 ORDER BY uid LIMIT $4";
        let due = work.query(read, &[&number(site), &from, &uid::first(before), &left]).await?;
        let due = due.iter().map(|row| row.cell(0)).collect::<Result<Vec<Uuid>>>()?;
        let Some(last) = due.last() else { continue };
        let due_rows = readable_rows(work, site, &due, ADDRESSES).await?;
        // Each is a few statements: those of all rows are on their way together.
        let replaced = try_join_all(due_rows.iter().map(|row| hash_row(work, row, Some(key)))).await?;
        hashed.looked_at += due.len() as u64;
        hashed.replaced += replaced.into_iter().filter(|replaced| *replaced).count() as u64;
        work.execute("UPDATE site SET looked_to = $2 WHERE id = $1", &[&number(site), last]).await?;
    }
    if hashed.looked_at == 0 {
        hashed = clean_words(work, before, i64::try_from(most).unwrap_or(i64::MAX)).await?;
    }
    Ok(hashed)
}

/// Takes addresses out of what people wrote before that moment and nobody has looked through, at most so much of it. It may be about comments that have
/// long lost theirs. What somebody else is changing is left for the next time.
async fn clean_words(work: &Work, before: Timestamp, most: i64) -> Result<Hashed> {
    let mut hashed = Hashed::default();
    let left = |hashed: &Hashed| most.saturating_sub_unsigned(hashed.looked_at);
    let read = "SELECT uid, b FROM ruling WHERE NOT clean AND at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED";
    for row in work.query(read, &[&before.as_millis(), &left(&hashed)]).await? {
        let uid: Uuid = row.cell(0)?;
        let text = left_out::<RulingText>(ADDRESSES, &uid, codec::decode("a ruling", row.cell(1)?))?;
        let without = text.as_ref().and_then(ruling_without_addresses).as_ref().map(codec::encode).transpose()?;
        count(&mut hashed, without.is_some());
        let write = "UPDATE ruling SET clean = true, b = coalesce($2, b) WHERE uid = $1";
        work.execute(write, &[&uid, &without]).await?;
    }
    let read = "SELECT site, id, b FROM appeal WHERE NOT clean AND state <> 0 AND coalesce(answered_at, at) < $1 ORDER BY coalesce(answered_at, at) \
                LIMIT $2 FOR UPDATE SKIP LOCKED";
    for row in work.query(read, &[&before.as_millis(), &left(&hashed)]).await? {
        let (site, id): (i32, i64) = (row.cell(0)?, row.cell(1)?);
        let words = left_out(ADDRESSES, &format_args!("appeal {id}"), Words::decode(row.cell(2)?))?;
        let without = words.as_ref().and_then(appeal_without_addresses).as_ref().map(Words::encode).transpose()?;
        count(&mut hashed, without.is_some());
        let write = "UPDATE appeal SET clean = true, b = coalesce($3, b) WHERE site = $1 AND id = $2";
        work.execute(write, &[&site, &id, &without]).await?;
    }
    let read = "SELECT id, cause FROM sanction WHERE NOT clean AND at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED";
    for row in work.query(read, &[&before.as_millis(), &left(&hashed)]).await? {
        let without = without_address(row.cell(1)?);
        count(&mut hashed, without.is_some());
        let write = "UPDATE sanction SET clean = true, cause = coalesce($2, cause) WHERE id = $1";
        work.execute(write, &[&row.cell::<i64>(0)?, &without]).await?;
    }
    Ok(hashed)
}

fn count(hashed: &mut Hashed, is_cleaned: bool) {
    hashed.looked_at += 1;
    hashed.cleaned += u64::from(is_cleaned);
}

/// When the oldest of the words was written that nobody has looked through, of those that [`clean_words`] takes when they are old enough.
const OLDEST_WORDS: &str = "SELECT min(at) FROM ((SELECT at FROM ruling WHERE NOT clean ORDER BY at LIMIT 1) \
                            UNION ALL (SELECT coalesce(answered_at, at) FROM appeal WHERE NOT clean AND state <> 0 \
                            ORDER BY coalesce(answered_at, at) LIMIT 1) \
                            UNION ALL (SELECT at FROM sanction WHERE NOT clean ORDER BY at LIMIT 1)) words (at)";

/// When the oldest came of what was not looked at: comments, and what people wrote.
pub(super) async fn addresses_left(db: &Db) -> Result<AddressesLeft> {
    let read = "SELECT min(c.received_at) FROM site s, LATERAL (SELECT received_at FROM comment WHERE site = s.id \
                AND uid > coalesce(s.looked_to, $1) ORDER BY uid LIMIT 1) c";
    let oldest: Option<i64> = db.query_one(read, &[&Uuid::nil()]).await?.cell(0)?;
    let words: Option<i64> = db.query_one(OLDEST_WORDS, &[]).await?.cell(0)?;
    Ok(AddressesLeft { oldest: oldest.into_iter().chain(words).min().map(Timestamp::from_millis) })
}

/// Comments of the past came, the lowest of them that: hashing begins below it again. Until `work` ends, its lock (`hashing`) is held shared.
pub(super) async fn begin_below(work: &Work, site: SiteId, lowest: Uuid) -> Result<()> {
    let below = Uuid::from_u128(lowest.as_u128().saturating_sub(1));
    let write = "UPDATE site SET looked_to = $2 WHERE id = $1 AND looked_to > $2";
    work.execute(write, &[&number(site), &below]).await?;
    Ok(())
}

/// An edit brought addresses to a row that has lost its own: nobody would come by here again to take them away. There is no key at hand, and what stood
/// for the addresses of before would stand for others now: nothing stands for these.
pub(super) async fn hash_edited(work: &Work, row: &Row) -> Result<()> {
    let past = "SELECT FROM site WHERE id = $1 AND looked_to >= $2";
    if work.exists(past, &[&number(row.site), &row.uid]).await? {
        hash_row(work, row, None).await?;
    }
    Ok(())
}

/// Takes the addresses of a comment away; hashes under `key` stand for them.
async fn hash_row(work: &Work, row: &Row, key: Option<&[u8; 32]>) -> Result<bool> {
    let site = number(row.site);
    let (mut any, mut by_address) = (false, false);
    if let Some(content) = left_out(ADDRESSES, &row.uid, row.content())? {
        let author = &content.comment.author;
        by_address = author.ip.is_some() || author.email.is_some();
        if by_address {
            if let Some(Pseudonym { ip, network, email }) = key.and_then(|key| Pseudonym::of(author, key)) {
                let write = "INSERT INTO pseudonym (site, comment, ip, network, email) VALUES ($1, $2, $3, $4, $5) \
                             ON CONFLICT (site, comment) DO UPDATE SET ip = excluded.ip, network = excluded.network, email = excluded.email";
                work.execute(write, &[&site, &row.uid, &ip, &network, &email]).await?;
            } else {
                let forget = "DELETE FROM pseudonym WHERE site = $1 AND comment = $2";
                work.execute(forget, &[&site, &row.uid]).await?;
            }
        }
        if has_addresses(&content) {
            let bytes = codec::encode_judged(&without_addresses(content))?;
            work.execute("UPDATE comment SET b = $3 WHERE site = $1 AND uid = $2", &[&site, &row.uid, &bytes]).await?;
            any = true;
        }
    }
    if row.revision > 1 {
        let read = "SELECT revision, b FROM revision WHERE site = $1 AND comment = $2";
        for earlier in work.query(read, &[&site, &row.uid]).await? {
            let revision = earlier.natural(0)?;
            let content = codec::decode_content("an earlier revision", earlier.cell(1)?);
            let content = left_out(ADDRESSES, &format_args!("revision {revision} of {}", row.uid), content)?;
            let Some(content) = content else { continue };
            if has_addresses(&content) {
                by_address |= content.comment.author.ip.is_some() || content.comment.author.email.is_some();
                let revision = signed(revision);
                let write = "UPDATE revision SET b = $4 WHERE site = $1 AND comment = $2 AND revision = $3";
                let bytes = codec::encode_judged(&without_addresses(content))?;
                work.execute(write, &[&site, &row.uid, &revision, &bytes]).await?;
                any = true;
            }
        }
    }
    any |= forget_in_rulings(work, row).await?;
    any |= forget_in_appeals(work, row).await?;
    if by_address
        && row.account == 0
        && let Some(mut trace) = left_out(ADDRESSES, &row.uid, row.trace())?
    {
        let key = key.map_or_else(nobodys_key, |key| Ok(*key))?;
        trace.author = stranger(trace.author, &key);
        trace.author_known = false;
        let trace = codec::encode_trace(&trace)?;
        let write = "UPDATE comment SET trace = $3, author = 0 WHERE site = $1 AND uid = $2";
        work.execute(write, &[&site, &row.uid, &trace]).await?;
    }
    Ok(any)
}

/// Takes addresses out of what people wrote when they decided about a comment.
async fn forget_in_rulings(work: &Work, row: &Row) -> Result<bool> {
    // Locked: others of its comments may be erased meanwhile, and its words with them.
    let read = "SELECT uid, b FROM ruling WHERE uid IN (SELECT ruling FROM ruling_item WHERE site = $1 AND comment = $2) \
                ORDER BY uid FOR UPDATE";
    let mut any = false;
    for ruling in work.query(read, &[&number(row.site), &row.uid]).await? {
        let uid: Uuid = ruling.cell(0)?;
        let text = left_out::<RulingText>(ADDRESSES, &uid, codec::decode("a ruling", ruling.cell(1)?))?;
        if let Some(without) = text.as_ref().and_then(ruling_without_addresses) {
            let bytes = codec::encode(&without)?;
            work.execute("UPDATE ruling SET b = $2 WHERE uid = $1", &[&uid, &bytes]).await?;
            any = true;
        }
    }
    Ok(any)
}

/// Takes addresses out of what appeals on a comment keep of its verdict, and of the answers to them. Whoever changes them has locked the comment.
async fn forget_in_appeals(work: &Work, row: &Row) -> Result<bool> {
    let read = "SELECT id, b FROM appeal WHERE site = $1 AND comment = $2 ORDER BY id";
    let mut any = false;
    for appeal in work.query(read, &[&number(row.site), &row.uid]).await? {
        let id: i64 = appeal.cell(0)?;
        let words = left_out(ADDRESSES, &format_args!("appeal {id}"), Words::decode(appeal.cell(1)?))?;
        if let Some(without) = words.as_ref().and_then(appeal_without_addresses) {
            let write = "UPDATE appeal SET b = $3 WHERE site = $1 AND id = $2";
            work.execute(write, &[&number(row.site), &id, &without.encode()?]).await?;
            any = true;
        }
    }
    Ok(any)
}
