//! What a file shows of how the service fares, read beside it; nothing is written, and nothing migrated.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension, params};

use super::error::OpenError;
use super::{moved, notices, open, outbox, privacy, rows};
use crate::domain::notices::SendingState;
use crate::domain::outbox::OutboxState;
use crate::domain::privacy::AddressesLeft;
use crate::domain::store::StoreError;
use crate::domain::time::Timestamp;
use crate::storage::Config;

/// Comments that are looked at for where they come from.
const LAST: u32 = 1_000;
/// Lines of the record that are looked at for their moments.
const LINES: u32 = 100;

/// See the module.
#[derive(Debug, Clone)]
pub struct Checkup {
    /// The file.
    pub path: PathBuf,
    /// The version of its schema.
    pub schema: i64,
    /// That of this program.
    pub known: i64,
    /// Where everything was moved to, if it was.
    pub moved_to: Option<String>,
    /// What only a file of this version can say.
    pub now: Option<Current>,
}

/// See [`Checkup::now`].
#[derive(Debug, Clone)]
pub struct Current {
    /// The latest moment that is written anywhere near the end.
    pub latest: Option<Timestamp>,
    /// What sites have yet to be told.
    pub outbox: OutboxState,
    /// What operators have yet to be told.
    pub notices: SendingState,
    /// Each site with a secret of it, as it is sealed.
    pub sealed: Vec<(String, Vec<u8>)>,
    /// Where each site's comments come from, among the last thousand of all.
    pub senders: Vec<Senders>,
    /// How far addresses have been replaced.
    pub addresses: AddressesLeft,
}

/// Where a site's last comments come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Senders {
    /// The site's name.
    pub site: String,
    /// Comments that said an address.
    pub comments: u64,
    /// Different ones among these.
    pub addresses: u64,
    /// One of them.
    pub example: String,
}

/// Reads the file that `config` names. Blocks, but not for long.
///
/// # Errors
/// [`OpenError`].
pub fn checkup(config: &Config) -> Result<Checkup, OpenError> {
    let path = config.path()?;
    if !path.is_file() {
        return Err(OpenError::Missing(path));
    }
    let connection = open::reader(config, &path)?;
    let failed = |error| OpenError::of(&path, error);
    open::check_ours(&path, &connection)?;
    let known = i64::from(open::schema_known());
    let Some(schema) = open::schema_version(&connection).map_err(failed)? else {
        return Err(OpenError::Foreign(path));
    };
    let unusable = |source| OpenError::Unusable { path: path.clone(), source };
    let now = if schema == known { Some(current(&connection).map_err(unusable)?) } else { None };
    let moved_to = moved::moved_to(&connection).map_err(failed)?;
    Ok(Checkup { path, schema, known, moved_to, now })
}

fn current(connection: &Connection) -> Result<Current, StoreError> {
    let read = "SELECT max(at) FROM (SELECT received_at AS at FROM (SELECT received_at FROM comment ORDER BY id DESC LIMIT ?1) \
                UNION ALL SELECT at FROM (SELECT at FROM audit ORDER BY id DESC LIMIT ?2))";
    let latest: Option<Option<i64>> = connection.query_row(read, params![LAST, LINES], |row| row.get(0)).optional()?;
    let mut sites = connection.prepare("SELECT id, name, inbound_secret FROM site ORDER BY name")?;
    let sites = sites.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let sites: Vec<(u32, String, Vec<u8>)> = sites.collect::<rusqlite::Result<_>>()?;
    let names: BTreeMap<u32, &str> = sites.iter().map(|(id, name, _)| (*id, name.as_str())).collect();
    Ok(Current {
        latest: latest.flatten().map(Timestamp::from_millis),
        outbox: outbox::state(connection)?,
        notices: notices::state(connection)?,
        senders: senders(connection, &names)?,
        addresses: privacy::addresses_left(connection)?,
        sealed: sites.into_iter().map(|(_, name, sealed)| (name, sealed)).collect(),
    })
}

fn senders(connection: &Connection, names: &BTreeMap<u32, &str>) -> Result<Vec<Senders>, StoreError> {
    let mut query = connection.prepare("SELECT id, site FROM comment WHERE status <> 0 ORDER BY id DESC LIMIT ?1")?;
    let last = query.query_map([LAST], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut seen: BTreeMap<u32, (u64, BTreeSet<String>)> = BTreeMap::new();
    for (id, site) in last.collect::<rusqlite::Result<Vec<(u32, u32)>>>()? {
        if let Some(ip) = rows::content(connection, id)?.comment.author.ip {
            let (comments, addresses) = seen.entry(site).or_default();
            *comments += 1;
            addresses.insert(ip.to_string());
        }
    }
    let told = seen.into_iter().filter_map(|(site, (comments, addresses))| {
        Some(Senders {
            site: (*names.get(&site)?).to_owned(),
            comments,
            addresses: addresses.len() as u64,
            example: addresses.first()?.clone(),
        })
    });
    Ok(told.collect())
}
