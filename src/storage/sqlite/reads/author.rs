//! What is known of one author on one site.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use rusqlite::{Connection, OptionalExtension, params};
use uuid::Uuid;

use super::super::index::Chain;
use super::super::lists::Walk;
use super::super::rows;
use super::super::shared::Shared;
use super::super::{rulings, sanctions};
use super::{notes, numbers};
use crate::domain::comment::{ExternalId, NewComment};
use crate::domain::people::Reach;
use crate::domain::reads::{AuthorProfile, LinkedAccount, LinkedAccounts, NameUsed, ReportsGiven};
use crate::domain::sanction::{Target, TargetKind};
use crate::domain::site::SiteId;
use crate::domain::store::{Result, StoreError};
use crate::domain::time::Timestamp;
use crate::domain::trace;
use crate::storage::codec;

/// An author's rows that are counted.
const COUNTED: usize = 10_000;
/// Of those, rows whose names and addresses are looked at.
const READ: usize = 200;
/// A linked account's rows that are counted.
const COUNTED_LINKED: usize = 500;
/// The site's rows in which the same addresses are looked for.
const LOOKED_AT: u32 = 10_000;
/// Rows of hashed addresses in which the same hashes are looked for.
const HASHES_LOOKED_AT: u32 = 50_000;
/// Linked accounts that are shown.
const LINKED: usize = 20;
/// Waiting appeals among which the author's are looked for.
const APPEALS: u32 = 2_000;

pub(super) fn profile(
    connection: &Connection,
    shared: &Shared,
    site: SiteId,
    author: &ExternalId,
    reach: &Reach,
    now: Timestamp,
) -> Result<AuthorProfile> {
    let key = shared.hasher.account(site, author.as_str());
    let name = trace::account(site, author);
    let reader = shared.reader(site, author.as_str());
    let mut profile = AuthorProfile {
        numbers: numbers(connection, shared, (Chain::Account, key, name), 0, COUNTED, now)?,
        open_appeals: open_appeals(connection, shared, site, name, reach)?,
        reports: reports(connection, &reader)?,
        notes: notes::list(connection, &reader)?,
        ..AuthorProfile::default()
    };
    if let Ok(target) = Target::parse(TargetKind::Author, author.as_str(), Some(site)) {
        let all = sanctions::of_hash(connection, &target.hash(&shared.target_key))?;
        profile.sanctions = all.into_iter().filter(|sanction| sanction.is_active(now)).collect();
    }
    let mut marks = Marks::default();
    let mut names: BTreeMap<String, u32> = BTreeMap::new();
    let mut walk = Walk::start(connection, shared, Chain::Account, key, u32::MAX)?;
    let (mut looked_at, mut is_latest) = (0, true);
    while walk.peek() > 0 && looked_at < READ {
        let Some(row) = walk.step(connection)? else { continue };
        looked_at += 1;
        if row.status.is_none() || row.trace()?.author != name {
            continue;
        }
        let content = rows::content(connection, row.id)?;
        let is_seen = || Ok::<_, StoreError>(rulings::place_of(connection, shared, &row, &content)?.lies_within(reach));
        if let Some(used) = &content.comment.author.name
            && (reach.is_all() || is_seen()?)
        {
            *names.entry(used.clone()).or_default() += 1;
        }
        if is_latest {
            profile.role.clone_from(&content.comment.author.role);
            profile.registered_at = content.comment.author.registered_at;
            is_latest = false;
        }
        marks.take(connection, row.id, &content.comment)?;
    }
    profile.names = names.into_iter().map(|(name, comments)| NameUsed { name, comments }).collect();
    profile.names.sort_by_key(|used| std::cmp::Reverse(used.comments));
    profile.linked =
        Search { connection, shared, site, author, reach, marks, found: BTreeMap::new(), outside: 0 }.run(now)?;
    Ok(profile)
}

fn open_appeals(
    connection: &Connection,
    shared: &Shared,
    site: SiteId,
    author: u64,
    reach: &Reach,
) -> Result<Vec<Uuid>> {
    let read = "SELECT uid, comment FROM appeal WHERE state = 0 AND site = ?1 ORDER BY at, id LIMIT ?2";
    let mut query = connection.prepare_cached(read)?;
    let mut waiting = query.query(params![site.0, APPEALS])?;
    let mut found = Vec::new();
    while let Some(appeal) = waiting.next()? {
        let row = rows::row(connection, appeal.get(1)?)?.filter(|row| row.status.is_some());
        if let Some(row) = row
            && row.trace()?.author == author
            && rulings::place(connection, shared, &row)?.lies_within(reach)
        {
            found.push(Uuid::from_bytes(appeal.get(0)?));
        }
    }
    Ok(found)
}

fn reports(connection: &Connection, reader: &[u8; 16]) -> Result<ReportsGiven> {
    let read = "SELECT count(*), count(*) FILTER (WHERE outcome = 0), count(*) FILTER (WHERE outcome = 1), \
                count(*) FILTER (WHERE outcome = 2), count(*) FILTER (WHERE outcome = 1 AND credit) FROM report WHERE reader = ?1";
    let mut query = connection.prepare_cached(read)?;
    Ok(query.query_row([reader], |row| {
        Ok(ReportsGiven {
            given: row.get(0)?,
            open: row.get(1)?,
            upheld: row.get(2)?,
            dismissed: row.get(3)?,
            credited: row.get(4)?,
        })
    })?)
}

/// Where an author wrote from. Held for one search, never shown.
#[derive(Default)]
struct Marks {
    networks: HashSet<String>,
    emails: HashSet<String>,
    /// Hashes that took the place of addresses; those of one period can be compared.
    network_hashes: HashSet<Vec<u8>>,
    email_hashes: HashSet<Vec<u8>>,
}

fn network(ip: IpAddr) -> Option<String> {
    let net = ipnet::IpNet::new(ip, if ip.is_ipv4() { 24 } else { 48 }).ok()?;
    Some(net.trunc().to_string())
}

impl Marks {
    fn take(&mut self, connection: &Connection, row: u32, sent: &NewComment) -> Result<()> {
        self.networks.extend(sent.author.ip.and_then(network));
        self.emails.extend(sent.author.email.as_deref().map(str::to_lowercase));
        let read = "SELECT network, email FROM pseudonym WHERE comment = ?1";
        let mut query = connection.prepare_cached(read)?;
        let hashes: Option<(Option<Vec<u8>>, Option<Vec<u8>>)> =
            query.query_row([row], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        if let Some((network, email)) = hashes {
            self.network_hashes.extend(network);
            self.email_hashes.extend(email);
        }
        Ok(())
    }
}

/// Looks for other accounts that wrote from there.
struct Search<'a> {
    connection: &'a Connection,
    shared: &'a Shared,
    site: SiteId,
    author: &'a ExternalId,
    reach: &'a Reach,
    marks: Marks,
    /// By account: whether by network, by e-mail, and in how many comments.
    found: BTreeMap<String, (bool, bool, u32)>,
    outside: u32,
}

impl Search<'_> {
    fn run(mut self, now: Timestamp) -> Result<LinkedAccounts> {
        let mut looked_at = 0;
        if !self.marks.networks.is_empty() || !self.marks.emails.is_empty() {
            looked_at = self.by_addresses()?;
        }
        if !self.marks.network_hashes.is_empty() || !self.marks.email_hashes.is_empty() {
            looked_at += self.by_hashes()?;
        }
        let mut found: Vec<_> = std::mem::take(&mut self.found).into_iter().collect();
        found.sort_by_key(|(_, (_, _, comments))| std::cmp::Reverse(*comments));
        let more = u32::try_from(found.len().saturating_sub(LINKED)).unwrap_or(u32::MAX);
        let mut accounts = Vec::new();
        for (author_id, (same_network, same_email, comments)) in found.into_iter().take(LINKED) {
            let Ok(id) = ExternalId::parse("id", author_id.clone()) else { continue };
            let chain =
                (Chain::Account, self.shared.hasher.account(self.site, id.as_str()), trace::account(self.site, &id));
            let numbers = numbers(self.connection, self.shared, chain, 0, COUNTED_LINKED, now)?;
            accounts.push(LinkedAccount { author_id, same_network, same_email, comments, numbers });
        }
        Ok(LinkedAccounts { accounts, more, outside: self.outside, looked_at })
    }

    /// Among the latest comments of the site, whose addresses are mostly still there. They are found by the site's chain: the table has no index
    /// of sites, and reading all of it for a small site among big ones takes as long as there are comments.
    fn by_addresses(&mut self) -> Result<u32> {
        let connection = self.connection;
        let mut walk = Walk::start(connection, self.shared, Chain::Site, u64::from(self.site.0), u32::MAX)?;
        let mut query = connection.prepare_cached("SELECT b FROM content WHERE id = ?1")?;
        let mut looked_at = 0;
        while looked_at < LOOKED_AT && walk.peek() > 0 {
            let Some(row) = walk.step(connection)? else { continue };
            if row.status.is_none() || row.site != self.site {
                continue;
            }
            looked_at += 1;
            let mut found = query.query([row.id])?;
            let Some(content) = found.next()? else { continue };
            let sent = codec::decode_sent("a comment", content.get_ref(0)?.as_blob().unwrap_or_default())?;
            let from = &sent.author;
            let by_network = from.ip.and_then(network).is_some_and(|net| self.marks.networks.contains(&net));
            let by_email = from.email.as_deref().is_some_and(|email| self.marks.emails.contains(&email.to_lowercase()));
            if by_network || by_email {
                self.note(row.id, &sent, by_network, by_email)?;
            }
        }
        Ok(looked_at)
    }

    /// Among older comments, whose addresses were replaced by hashes.
    fn by_hashes(&mut self) -> Result<u32> {
        let read = "SELECT comment, network, email FROM pseudonym ORDER BY comment DESC LIMIT ?1";
        let connection = self.connection;
        let mut query = connection.prepare_cached(read)?;
        let mut latest = query.query([HASHES_LOOKED_AT])?;
        let mut looked_at = 0;
        while let Some(hashes) = latest.next()? {
            looked_at += 1;
            let has = |known: &HashSet<Vec<u8>>, at: usize| -> Result<bool> {
                Ok(hashes.get_ref(at)?.as_blob().is_ok_and(|hash| known.contains(hash)))
            };
            let (by_network, by_email) = (has(&self.marks.network_hashes, 1)?, has(&self.marks.email_hashes, 2)?);
            if !by_network && !by_email {
                continue;
            }
            let row = rows::row(connection, hashes.get(0)?)?;
            if let Some(row) = row.filter(|row| row.status.is_some() && row.site == self.site) {
                let content = rows::content(connection, row.id)?;
                self.note(row.id, &content.comment, by_network, by_email)?;
            }
        }
        Ok(looked_at)
    }

    fn note(&mut self, row: u32, sent: &NewComment, by_network: bool, by_email: bool) -> Result<()> {
        let Some(id) = sent.author.id.as_ref().filter(|id| *id != self.author) else { return Ok(()) };
        if !self.reach.has_whole_sites() {
            let row = rows::row(self.connection, row)?.filter(|row| row.status.is_some());
            let Some(row) = row else { return Ok(()) };
            if !rulings::place(self.connection, self.shared, &row)?.lies_within(self.reach) {
                self.outside += 1;
                return Ok(());
            }
        }
        let found = self.found.entry(id.to_string()).or_default();
        *found = (found.0 || by_network, found.1 || by_email, found.2 + 1);
        Ok(())
    }
}
