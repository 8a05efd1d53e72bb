//! Other accounts that wrote from where an author wrote.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use futures_util::future::try_join_all;
use uuid::Uuid;

use super::super::db::{Cells as _, Db, number};
use super::super::seen::{self, Known, Seen};
use super::{By, numbers};
use crate::domain::comment::{ExternalId, NewComment};
use crate::domain::people::Reach;
use crate::domain::reads::{LinkedAccount, LinkedAccounts};
use crate::domain::site::SiteId;
use crate::domain::store::Result;
use crate::domain::time::Timestamp;
use crate::storage::codec;

/// A linked account's comments that are counted.
const COUNTED_LINKED: i64 = 500;
/// The site's comments in which the same addresses are looked for.
const LOOKED_AT: usize = 10_000;
/// Of those, how many are read at a time.
const CHUNK: usize = 2_000;
/// The site's hashed addresses in which the same hashes are looked for.
const HASHES_LOOKED_AT: i64 = 50_000;
/// Comments of the same hashes that are read.
const HASHES_FOUND: i64 = 10_000;
/// Linked accounts that are shown.
const LINKED: usize = 20;

/// Where an author wrote from. Held for one search, never shown.
#[derive(Default)]
pub(super) struct Marks {
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
    /// Those of a comment, and the hashes that stand for addresses it had.
    pub(super) fn take(&mut self, sent: &NewComment, network_hash: Option<Vec<u8>>, email_hash: Option<Vec<u8>>) {
        self.networks.extend(sent.author.ip.and_then(network));
        self.emails.extend(sent.author.email.as_deref().map(str::to_lowercase));
        self.network_hashes.extend(network_hash);
        self.email_hashes.extend(email_hash);
    }
}

/// Looks for other accounts that wrote from there.
pub(super) async fn search(
    db: &Db,
    site: SiteId,
    author: &ExternalId,
    reach: &Reach,
    marks: Marks,
    now: Timestamp,
) -> Result<LinkedAccounts> {
    let mut search = Search { db, site, author, reach, marks, found: BTreeMap::new(), outside: 0 };
    let mut looked_at = 0;
    if !search.marks.networks.is_empty() || !search.marks.emails.is_empty() {
        looked_at = search.by_addresses().await?;
    }
    if !search.marks.network_hashes.is_empty() || !search.marks.email_hashes.is_empty() {
        looked_at += search.by_hashes().await?;
    }
    let outside = search.outside;
    let mut found: Vec<_> = search.found.into_iter().collect();
    found.sort_by_key(|(_, (_, _, comments))| std::cmp::Reverse(*comments));
    let more = u32::try_from(found.len().saturating_sub(LINKED)).unwrap_or(u32::MAX);
    let of_each = found.into_iter().take(LINKED).map(async |(author_id, (same_network, same_email, comments))| {
        let by = By::Account(db.hasher.account(site, &author_id));
        let numbers = numbers(db, site, by, None, COUNTED_LINKED, now).await?;
        Ok::<_, crate::domain::store::StoreError>(LinkedAccount {
            author_id,
            same_network,
            same_email,
            comments,
            numbers,
        })
    });
    Ok(LinkedAccounts { accounts: try_join_all(of_each).await?, more, outside, looked_at })
}

struct Search<'a> {
    db: &'a Db,
    site: SiteId,
    author: &'a ExternalId,
    reach: &'a Reach,
    marks: Marks,
    /// By account: whether by network, by e-mail, and in how many comments.
    found: BTreeMap<String, (bool, bool, u32)>,
    outside: u32,
}

/// A comment from there.
struct Hit {
    seen: Seen,
    by_network: bool,
    by_email: bool,
}

impl Search<'_> {
    /// Among the latest comments of the site, whose addresses are mostly still there.
    async fn by_addresses(&mut self) -> Result<u32> {
        let read = format!(
            "SELECT {} FROM comment c WHERE c.site = $1 AND c.uid < $2 ORDER BY c.uid DESC LIMIT {CHUNK}",
            seen::columns()
        );
        let (mut below, mut looked_at) = (Uuid::max(), 0);
        while looked_at < LOOKED_AT {
            let rows = self.db.query(&read, &[&number(self.site), &below]).await?;
            let Some(last) = rows.last() else { break };
            below = last.cell(1)?;
            looked_at += rows.len();
            let mut hits = Vec::new();
            for row in &rows {
                // What was sent stands before the verdict, which is most of the bytes and mostly not needed.
                let from = codec::decode_sent("a comment", row.cell(12)?)?.author;
                let by_network = from.ip.and_then(network).is_some_and(|net| self.marks.networks.contains(&net));
                let email = from.email.as_deref().map(str::to_lowercase);
                let by_email = email.is_some_and(|email| self.marks.emails.contains(&email));
                if by_network || by_email {
                    hits.push(Hit { seen: Seen::read(row)?, by_network, by_email });
                }
            }
            self.note(hits).await?;
            if rows.len() < CHUNK {
                break;
            }
        }
        Ok(u32::try_from(looked_at).unwrap_or(u32::MAX))
    }

    /// Among older comments, whose addresses were replaced by hashes.
    async fn by_hashes(&mut self) -> Result<u32> {
        let networks: Vec<&[u8]> = self.marks.network_hashes.iter().map(Vec::as_slice).collect();
        let emails: Vec<&[u8]> = self.marks.email_hashes.iter().map(Vec::as_slice).collect();
        let latest =
            "SELECT site, comment, network, email FROM pseudonym WHERE site = $1 ORDER BY comment DESC LIMIT $2";
        let count = format!("SELECT count(*) FROM ({latest}) p");
        let read = format!(
            "SELECT {}, coalesce(p.network = ANY($3), false), coalesce(p.email = ANY($4), false) FROM ({latest}) p \
             JOIN comment c ON c.site = p.site AND c.uid = p.comment \
             WHERE p.network = ANY($3) OR p.email = ANY($4) ORDER BY c.uid DESC LIMIT $5",
            seen::columns()
        );
        let site = number(self.site);
        let looked_at: i64 = self.db.query_one(&count, &[&site, &HASHES_LOOKED_AT]).await?.cell(0)?;
        let found = self.db.query(&read, &[&site, &HASHES_LOOKED_AT, &networks, &emails, &HASHES_FOUND]).await?;
        let mut hits = Vec::new();
        for row in &found {
            let (by_network, by_email) = (row.cell(seen::COLUMNS)?, row.cell(seen::COLUMNS + 1)?);
            hits.push(Hit { seen: Seen::read(row)?, by_network, by_email });
        }
        self.note(hits).await?;
        Ok(u32::try_from(looked_at).unwrap_or(u32::MAX))
    }

    async fn note(&mut self, hits: Vec<Hit>) -> Result<()> {
        let mut known = Known::default();
        known.learn(self.db, hits.iter().map(|hit| (hit.seen.row.site, &hit.seen.content))).await?;
        for Hit { seen, by_network, by_email } in hits {
            let Some(id) = seen.content.comment.author.id.as_ref().filter(|id| *id != self.author) else { continue };
            if !self.reach.has_whole_sites() && !known.lies_within(seen.row.site, &seen.content, self.reach) {
                self.outside += 1;
                continue;
            }
            let found = self.found.entry(id.to_string()).or_default();
            *found = (found.0 || by_network, found.1 || by_email, found.2 + 1);
        }
        Ok(())
    }
}
