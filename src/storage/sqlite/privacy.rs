//! What is kept of a person: shown to them, erased, or replaced by what says less.

use rusqlite::{Connection, OptionalExtension, params};

use super::index::Chain;
use super::lists::{self, Walk};
use super::rows::{self, Row};
use super::shared::Shared;
use super::writer::Work;
use super::{appeals, audit, erasures, intake, reads, reports, rulings, sanctions, start};
use crate::domain::comment::ExternalId;
use crate::domain::decision::Actor;
use crate::domain::privacy::{AddressesLeft, ErasedKind};
use crate::domain::sanction::{Target, TargetKind};
use crate::domain::site::SiteId;
use crate::domain::store::{
    Delivery, ErasedAuthor, ErasedComment, Hashed, Kept, KeptBesides, ListError, Page, PageRequest, Result,
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

/// An author's live comments below row `below`, newest first, until `each` says that it is enough.
fn comments_of(
    connection: &Connection,
    shared: &Shared,
    site: SiteId,
    author: &ExternalId,
    below: u32,
    mut each: impl FnMut(Row, Content) -> Result<bool>,
) -> Result<()> {
    let key = shared.hasher.account(site, author.as_str());
    let mut walk = Walk::start(connection, shared, Chain::Account, key, below)?;
    while walk.peek() > 0 {
        let Some(row) = walk.step(connection)?.filter(|row| row.status.is_some() && row.site == site) else { continue };
        let content = rows::content(connection, row.id)?;
        let is_theirs = content.comment.author.id.as_ref() == Some(author) || wrote_before(connection, &row, author)?;
        if is_theirs && each(row, content)? {
            return Ok(());
        }
    }
    Ok(())
}

/// Whether an earlier revision was theirs: an edit may have named somebody else.
fn wrote_before(connection: &Connection, row: &Row, author: &ExternalId) -> Result<bool> {
    Ok(earlier(connection, row)?.iter().any(|content| content.comment.author.id.as_ref() == Some(author)))
}

fn earlier(connection: &Connection, row: &Row) -> Result<Vec<Content>> {
    if row.revision < 2 {
        return Ok(Vec::new());
    }
    let mut query = connection.prepare_cached("SELECT b FROM revision WHERE comment = ?1 ORDER BY revision")?;
    let all = query.query_map([row.id], |row| row.get::<_, Vec<u8>>(0))?.collect::<rusqlite::Result<Vec<_>>>()?;
    all.iter().map(|bytes| codec::decode_content("an earlier revision", bytes)).collect()
}

pub(super) fn export(
    connection: &Connection,
    shared: &Shared,
    site: SiteId,
    author: &ExternalId,
    page: &PageRequest,
) -> std::result::Result<Page<Kept>, ListError> {
    let below = page.cursor.as_deref().map(|cursor| lists::row_of_cursor(shared, cursor)).transpose()?;
    let limit = lists::limit(page);
    let (mut items, mut last, mut more) = (Vec::new(), 0, false);
    comments_of(connection, shared, site, author, below.unwrap_or(u32::MAX), |row, content| {
        if items.len() == limit {
            more = true;
            return Ok(true);
        }
        last = row.id;
        let earlier = earlier(connection, &row)?.into_iter().map(|content| content.comment).collect();
        let appeals = appeals::kept(connection, row.id)?;
        let record = rows::record(connection, shared, &row, content)?;
        let history = rulings::history(connection, shared, record.uid)?;
        let readers = reports::view_of(connection, shared, record.uid)?;
        items.push(Kept { record, history, earlier, appeals, readers });
        Ok(false)
    })?;
    Ok(Page { items, next_cursor: more.then(|| lists::cursor_of_row(shared, last)) })
}

/// What is kept of an author who reads, or who is sanctioned.
pub(super) fn besides(
    connection: &Connection,
    shared: &Shared,
    site: SiteId,
    author: &ExternalId,
) -> Result<KeptBesides> {
    let (reports, votes) = reports::kept(connection, shared, &shared.reader(site, author.as_str()))?;
    let sanctions = match Target::parse(TargetKind::Author, author.as_str(), Some(site)) {
        Ok(target) => sanctions::of_hash(connection, &target.hash(&shared.target_key))?,
        Err(_) => Vec::new(),
    };
    let notes = reads::notes::kept(connection, &shared.reader(site, author.as_str()))?;
    Ok(KeptBesides { reports, votes, sanctions, notes })
}

pub(super) fn erase(
    work: &mut Work<'_>,
    site: SiteId,
    author: &ExternalId,
    by: &Actor,
    at: Timestamp,
) -> Result<ErasedAuthor> {
    let mut found = Vec::new();
    comments_of(work.connection, work.shared, site, author, u32::MAX, |row, content| {
        let place = rulings::place_of(work.connection, work.shared, &row, &content)?;
        found.push((row, content.comment.id, place));
        Ok(false)
    })?;
    let mut erased = ErasedAuthor { comments: Vec::new(), others: 0 };
    for (row, id, place) in found {
        let (uid, status) = (row.uid(work.shared), row.live()?);
        let trace = intake::wipe(work, &row, &id, by, at)?;
        erased.comments.push(ErasedComment { uid, trace, place, status });
    }
    let reader = work.shared.reader(site, author.as_str());
    erased.others += reads::notes::forget(work.connection, &reader, END)?;
    erased.others += reports::forget_reader(work.connection, &reader, END)?;
    erasures::note(work.connection, site, ErasedKind::Reader, &reader, at)?;
    if let Ok(target) = Target::parse(TargetKind::Author, author.as_str(), Some(site)) {
        let target = target.hash(&work.shared.target_key);
        erased.others += sanctions::forget_author(work.connection, &target, END)?;
        erasures::note(work.connection, site, ErasedKind::Target, &target, at)?;
    }
    work.note_erasure();
    // Neither the author's name nor how many comments there were of whom: that an erasure took place, where, and when.
    let site = work.shared.site_name(work.connection, site)?.to_string();
    audit::add(work.connection, by, "author.erase", &site, "", at)?;
    Ok(erased)
}

/// What damage is left out from: what cannot be read keeps its addresses, and nothing else does because of it.
const ADDRESSES: &str = "addresses";
/// Where hashing has got to, in `meta`.
const HASHED_TO: &str = "addresses_hashed_to";
/// The last row that was brought in from elsewhere: up to it rows are in no order of their moments.
const IMPORTED_TO: &str = "addresses_imported_to";
/// Where going through those has got to.
const IMPORTED_AT: &str = "addresses_imported_at";

pub(super) fn hash_addresses(work: &mut Work<'_>, before: Timestamp, most: usize, key: &[u8; 32]) -> Result<Hashed> {
    let from = row_in_meta(work.connection, HASHED_TO)?;
    let read = format!("SELECT {} FROM comment WHERE id > ?1 ORDER BY id LIMIT ?2", rows::COLUMNS);
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut query = work.connection.prepare_cached(&read)?;
    let mut rows = query.query(params![from, most])?;
    let mut due = Vec::new();
    let mut last = from;
    while let Some(row) = rows.next()? {
        let id: u32 = row.get(0)?;
        let Some(row) = left_out(ADDRESSES, &id, Row::read(row))? else {
            last = id;
            continue;
        };
        // Rows lie in the order of their commits, near enough to the order of their moments; but for those that were brought in (below).
        if row.status.is_some() && row.received_at >= before {
            break;
        }
        last = row.id;
        if row.status.is_some() {
            due.push(row);
        }
    }
    let mut hashed = Hashed { looked_at: u64::from(last - from), ..Hashed::default() };
    if last == from {
        hashed = clean_words(work.connection, before, most)?;
        // After the words: at its end this begins anew, so that whoever asks until nothing is left is answered so.
        if hashed.looked_at == 0 {
            hashed.looked_at = past(work.connection, before, last, most, &mut due)?;
        }
    }
    for row in due {
        hashed.replaced += u64::from(hash_row(work, &row, Some(key))?);
    }
    if last > from {
        meta_set(work.connection, HASHED_TO, &last.to_le_bytes())?;
    }
    if hashed.replaced + hashed.cleaned > 0 {
        work.note_erasure();
    }
    Ok(hashed)
}

/// Words that people wrote, each with what makes them the same without addresses.
type WithoutAddresses = fn(&[u8]) -> Result<Option<Vec<u8>>>;
const WORDS: [(&str, &str, &str, WithoutAddresses); 3] = [
    (
        "ruling",
        "SELECT id, b FROM ruling WHERE clean = 0 AND at < ?1 ORDER BY at LIMIT ?2",
        "UPDATE ruling SET clean = 1, b = coalesce(?2, b) WHERE id = ?1",
        |bytes| {
            let without = ruling_without_addresses(&codec::decode("a ruling", bytes)?);
            without.as_ref().map(codec::encode).transpose()
        },
    ),
    (
        "appeal",
        "SELECT id, b FROM appeal WHERE clean = 0 AND state <> 0 AND coalesce(answered_at, at) < ?1 ORDER BY coalesce(answered_at, at) LIMIT ?2",
        "UPDATE appeal SET clean = 1, b = coalesce(?2, b) WHERE id = ?1",
        |bytes| appeal_without_addresses(&Words::decode(bytes)?).as_ref().map(Words::encode).transpose(),
    ),
    (
        "sanction",
        "SELECT id, CAST(cause AS BLOB) FROM sanction WHERE clean = 0 AND at < ?1 ORDER BY at LIMIT ?2",
        "UPDATE sanction SET clean = 1, cause = coalesce(CAST(?2 AS TEXT), cause) WHERE id = ?1",
        |bytes| Ok(without_address(&String::from_utf8_lossy(bytes)).map(String::into_bytes)),
    ),
];

/// Takes addresses out of what people wrote before that moment and nobody has looked through, at most so much of it. It may be about comments that have
/// long lost theirs.
fn clean_words(connection: &Connection, before: Timestamp, most: i64) -> Result<Hashed> {
    let mut hashed = Hashed::default();
    for (what, read, write, without) in WORDS {
        let left = most.saturating_sub_unsigned(hashed.looked_at);
        let mut query = connection.prepare_cached(read)?;
        let words = query.query_map(params![before.as_millis(), left], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for (id, bytes) in words.collect::<rusqlite::Result<Vec<(i64, Vec<u8>)>>>()? {
            let without = left_out(ADDRESSES, &format_args!("{what} {id}"), without(&bytes))?.flatten();
            hashed.looked_at += 1;
            hashed.cleaned += u64::from(without.is_some());
            connection.prepare_cached(write)?.execute(params![id, without])?;
        }
    }
    Ok(hashed)
}

/// When the oldest of the words was written that nobody has looked through, of those that [`clean_words`] takes when they are old enough.
const OLDEST_WORDS: &str = "SELECT min(at) FROM (SELECT * FROM (SELECT at FROM ruling WHERE clean = 0 ORDER BY at LIMIT 1) \
                            UNION ALL SELECT * FROM (SELECT coalesce(answered_at, at) FROM appeal WHERE clean = 0 AND state <> 0 \
                            ORDER BY coalesce(answered_at, at) LIMIT 1) \
                            UNION ALL SELECT * FROM (SELECT at FROM sanction WHERE clean = 0 ORDER BY at LIMIT 1))";

/// When the oldest came of what was not looked at: comments, and what people wrote.
pub(super) fn addresses_left(connection: &Connection) -> Result<AddressesLeft> {
    let read = "SELECT received_at FROM comment WHERE id > ?1 AND status <> 0 ORDER BY id LIMIT 1";
    let from = row_in_meta(connection, HASHED_TO)?;
    let oldest: Option<i64> = connection.prepare_cached(read)?.query_row([from], |row| row.get(0)).optional()?;
    let words: Option<i64> = connection.prepare_cached(OLDEST_WORDS)?.query_row([], |row| row.get(0))?;
    Ok(AddressesLeft { oldest: oldest.into_iter().chain(words).min().map(Timestamp::from_millis) })
}

/// What is due behind a row that is not, as far as rows were brought in: some of them at a time, from `after` on and, at their end, from the
/// beginning the next time. Answers how many were looked at; none at the end.
fn past(connection: &Connection, before: Timestamp, after: u32, most: i64, due: &mut Vec<Row>) -> Result<u64> {
    let to = row_in_meta(connection, IMPORTED_TO)?;
    if to <= after {
        return Ok(0);
    }
    let from = row_in_meta(connection, IMPORTED_AT)?.max(after);
    let read = format!("SELECT {} FROM comment WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3", rows::COLUMNS);
    let mut query = connection.prepare_cached(&read)?;
    let mut rows = query.query(params![from, to, most])?;
    let (mut looked_at, mut last) = (0, 0_u32);
    while let Some(row) = rows.next()? {
        (looked_at, last) = (looked_at + 1, row.get(0)?);
        let row = left_out(ADDRESSES, &last, Row::read(row))?;
        due.extend(row.filter(|row| row.status.is_some() && row.received_at < before));
    }
    meta_set(connection, IMPORTED_AT, &last.to_le_bytes())?;
    Ok(looked_at)
}

/// Rows up to that one were brought in, some of them.
pub(super) fn note_imported(connection: &Connection, last: u32) -> Result<()> {
    let to = row_in_meta(connection, IMPORTED_TO)?.max(last);
    meta_set(connection, IMPORTED_TO, &to.to_le_bytes())
}

/// The last row that was brought in; up to it rows are in no order of their moments.
pub(super) fn imported_to(connection: &Connection) -> Result<u32> {
    row_in_meta(connection, IMPORTED_TO)
}

/// A row that `meta` names; none is 0.
fn row_in_meta(connection: &Connection, name: &str) -> Result<u32> {
    let known = meta(connection, name)?.and_then(|bytes| Some(u32::from_le_bytes(bytes.try_into().ok()?)));
    Ok(known.unwrap_or(0))
}

/// An edit brought addresses to a row that has lost its own: nobody would come by here again to take them away. There is no key at hand, and what stood
/// for the addresses of before would stand for others now: nothing stands for these.
pub(super) fn hash_edited(work: &mut Work<'_>, row: &Row) -> Result<()> {
    if row.id > row_in_meta(work.connection, HASHED_TO)? {
        return Ok(());
    }
    if hash_row(work, row, None)? {
        work.note_erasure();
    }
    Ok(())
}

/// Takes the addresses of a comment away; hashes under `key` stand for them.
fn hash_row(work: &Work<'_>, row: &Row, key: Option<&[u8; 32]>) -> Result<bool> {
    let uid = row.uid(work.shared);
    let (mut any, mut by_address) = (false, false);
    if let Some(content) = left_out(ADDRESSES, &uid, rows::content(work.connection, row.id))? {
        let author = &content.comment.author;
        by_address = author.ip.is_some() || author.email.is_some();
        if by_address {
            if let Some(Pseudonym { ip, network, email }) = key.and_then(|key| Pseudonym::of(author, key)) {
                let write = "INSERT OR REPLACE INTO pseudonym (comment, ip, network, email) VALUES (?1, ?2, ?3, ?4)";
                work.connection.prepare_cached(write)?.execute(params![row.id, ip, network, email])?;
            } else {
                work.connection.prepare_cached("DELETE FROM pseudonym WHERE comment = ?1")?.execute([row.id])?;
            }
        }
        if has_addresses(&content) {
            let write = "UPDATE content SET b = ?2 WHERE id = ?1";
            let bytes = codec::encode_judged(&without_addresses(content))?;
            work.connection.prepare_cached(write)?.execute(params![row.id, bytes])?;
            any = true;
        }
    }
    if row.revision > 1 {
        let mut query = work.connection.prepare_cached("SELECT revision, b FROM revision WHERE comment = ?1")?;
        let all = query.query_map([row.id], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
        for (revision, bytes) in all.collect::<rusqlite::Result<Vec<_>>>()? {
            let read = codec::decode_content("an earlier revision", &bytes);
            let name = format_args!("revision {revision} of {uid}");
            let Some(content) = left_out::<Content>(ADDRESSES, &name, read)? else { continue };
            if has_addresses(&content) {
                by_address |= content.comment.author.ip.is_some() || content.comment.author.email.is_some();
                let write = "UPDATE revision SET b = ?3 WHERE comment = ?1 AND revision = ?2";
                let bytes = codec::encode_judged(&without_addresses(content))?;
                work.connection.prepare_cached(write)?.execute(params![row.id, revision, bytes])?;
                any = true;
            }
        }
    }
    any |= forget_in_rulings(work.connection, row.id)?;
    any |= forget_in_appeals(work.connection, row.id)?;
    if by_address
        && row.keys.account == 0
        && let Some(mut trace) = left_out(ADDRESSES, &uid, row.trace())?
    {
        let key = key.map_or_else(nobodys_key, |key| Ok(*key))?;
        trace.author = stranger(trace.author, &key);
        trace.author_known = false;
        let write = "UPDATE comment SET trace = ?2, keys = ?3 WHERE id = ?1";
        let keys = super::index::Keys { author: 0, ..row.keys };
        work.connection.prepare_cached(write)?.execute(params![
            row.id,
            codec::encode_trace(&trace)?,
            keys.to_bytes()
        ])?;
        start::replace_keys(work.connection, row.id, keys)?;
    }
    Ok(any)
}

/// Takes addresses out of what people wrote when they decided about a comment.
fn forget_in_rulings(connection: &Connection, comment: u32) -> Result<bool> {
    let read = "SELECT id, b FROM ruling WHERE id IN (SELECT ruling FROM ruling_item WHERE comment = ?1)";
    let mut query = connection.prepare_cached(read)?;
    let rulings = query.query_map([comment], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let mut any = false;
    for (id, bytes) in rulings.collect::<rusqlite::Result<Vec<_>>>()? {
        let text = left_out::<RulingText>(ADDRESSES, &format_args!("ruling {id}"), codec::decode("a ruling", &bytes))?;
        if let Some(without) = text.as_ref().and_then(ruling_without_addresses) {
            let write = "UPDATE ruling SET b = ?2 WHERE id = ?1";
            connection.prepare_cached(write)?.execute(params![id, codec::encode(&without)?])?;
            any = true;
        }
    }
    Ok(any)
}

/// Takes addresses out of what appeals on a comment keep of its verdict, and of the answers to them.
fn forget_in_appeals(connection: &Connection, comment: u32) -> Result<bool> {
    let mut query = connection.prepare_cached("SELECT id, b FROM appeal WHERE comment = ?1")?;
    let appeals = query.query_map([comment], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    let mut any = false;
    for (id, bytes) in appeals.collect::<rusqlite::Result<Vec<_>>>()? {
        let words = left_out(ADDRESSES, &format_args!("appeal {id}"), Words::decode(&bytes))?;
        if let Some(without) = words.as_ref().and_then(appeal_without_addresses) {
            let write = "UPDATE appeal SET b = ?2 WHERE id = ?1";
            connection.prepare_cached(write)?.execute(params![id, without.encode()?])?;
            any = true;
        }
    }
    Ok(any)
}

pub(super) fn meta(connection: &Connection, name: &str) -> Result<Option<Vec<u8>>> {
    let mut query = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    Ok(query.query_row([name], |row| row.get(0)).optional()?)
}

pub(super) fn meta_set(connection: &Connection, name: &str, value: &[u8]) -> Result<()> {
    let write =
        "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection.prepare_cached(write)?.execute(params![name, value])?;
    Ok(())
}

/// Notes a message that came by webhook.
pub(super) fn delivery_note(
    work: &Work<'_>,
    site: SiteId,
    id: &str,
    body: [u8; 32],
    at: Timestamp,
) -> Result<Delivery> {
    let name = work.shared.reader(site, id); // ids are as long as senders like: their hash is not
    let read = "SELECT body, done FROM delivery WHERE site = ?1 AND id = ?2";
    let mut query = work.connection.prepare_cached(read)?;
    let known: Option<([u8; 32], bool)> =
        query.query_row(params![site.0, name], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    match known {
        Some((known, done)) if known == body => Ok(Delivery::Again { done }),
        Some(_) => Ok(Delivery::Conflict),
        None => {
            let write = "INSERT INTO delivery (site, id, body, at) VALUES (?1, ?2, ?3, ?4)";
            work.connection.prepare_cached(write)?.execute(params![site.0, name, body, at.as_millis()])?;
            Ok(Delivery::New)
        }
    }
}

/// Notes that what a message asked for was done.
pub(super) fn delivery_done(work: &Work<'_>, site: SiteId, id: &str) -> Result<()> {
    let write = "UPDATE delivery SET done = 1 WHERE site = ?1 AND id = ?2";
    work.connection.prepare_cached(write)?.execute(params![site.0, work.shared.reader(site, id)])?;
    Ok(())
}

pub(super) fn delivery_prune(connection: &Connection, before: Timestamp) -> Result<u64> {
    let delete = "DELETE FROM delivery WHERE at < ?1";
    Ok(connection.prepare_cached(delete)?.execute([before.as_millis()])? as u64)
}
