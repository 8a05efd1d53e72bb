//! How moderation goes, from narrow rows of the latest comments and decisions.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use rusqlite::{Connection, params};

use super::super::{rows, start};
use crate::domain::decision::{Action, DecidedBy, Status};
use crate::domain::figures::{ByStatus, Figures, Hour, Overturned, QueueAges, Waits, quantile};
use crate::domain::store::Result;
use crate::domain::time::Timestamp;
use crate::storage::codec::{self, RulingText};
use crate::storage::moderated::{ITEMS, ITEMS_AMONG, Item, Items, Overruled, agreement};

const HOUR_MS: i64 = 3_600_000;
const WEEK_MS: i64 = 7 * 86_400_000;
/// Comments counted by hour, the latest ones.
const COUNTED: i64 = 400_000;
/// Verdicts of comments that people decided, the latest ones, in which signals are counted.
const VERDICTS: usize = 1_000;

/// Which sites are asked about, by number.
type Sites<'a> = Option<&'a HashSet<u32>>;

pub(super) fn figures(
    connection: &Connection,
    sites: Option<&[String]>,
    since: Timestamp,
    now: Timestamp,
) -> Result<Figures> {
    let sites = sites.map(|names| numbers(connection, names)).transpose()?;
    let sites = sites.as_ref();
    let (hours, is_cut) = hours(connection, sites, since)?;
    let Items { items, beyond } = items(connection, sites)?;
    let mut waits: Vec<u64> = Vec::new();
    for item in items.iter().filter(|item| item.stands && now.as_millis() - item.at <= WEEK_MS) {
        waits.extend(item.held_at.map(|held| u64::try_from(item.at - held).unwrap_or(0) / 1_000));
    }
    let (signals, decided_looked_at) = signals(connection, &items)?;
    Ok(Figures {
        hours,
        is_cut,
        queue: queue(connection, sites, now)?,
        time_to_verdict: Waits {
            comments: u32::try_from(waits.len()).unwrap_or(u32::MAX),
            median_s: quantile(&mut waits, 0.5),
            p90_s: quantile(&mut waits, 0.9),
        },
        signals,
        decided_looked_at,
        agreement: agreement(&items),
        decisions_looked_at: u32::try_from(items.len()).unwrap_or(u32::MAX),
        decisions_cut: beyond.is_some_and(|at| now.as_millis() - at <= WEEK_MS),
    })
}

fn numbers(connection: &Connection, names: &[String]) -> Result<HashSet<u32>> {
    let mut query = connection.prepare_cached("SELECT id, name FROM site")?;
    let mut rows = query.query([])?;
    let mut found = HashSet::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(1)?;
        if names.contains(&name) {
            found.insert(row.get(0)?);
        }
    }
    Ok(found)
}

fn covers(sites: Sites<'_>, site: u32) -> bool {
    sites.is_none_or(|sites| sites.contains(&site))
}

fn hours(connection: &Connection, sites: Sites<'_>, since: Timestamp) -> Result<(Vec<Hour>, bool)> {
    let last: i64 =
        connection.prepare_cached("SELECT coalesce(max(id), 0) FROM comment")?.query_row([], |row| row.get(0))?;
    let since_row = i64::from(start::first_row_since(connection, since.as_millis())?);
    let first = since_row.max(last - COUNTED + 1);
    let mut before = HashMap::new();
    let read = "SELECT comment, status_before FROM ruling_item WHERE ruling > (SELECT coalesce(max(id), 0) FROM ruling) - ?1 \
                AND comment >= ?2 ORDER BY ruling DESC";
    let mut query = connection.prepare_cached(read)?;
    let mut found = query.query(params![COUNTED, first])?;
    while let Some(item) = found.next()? {
        before.insert(item.get::<_, i64>(0)?, item.get::<_, i64>(1)?); // the earliest comes last and stays
    }
    let mut drawn = HashSet::new();
    let mut query = connection.prepare_cached("SELECT id FROM queue WHERE id >= ?1")?;
    let mut found = query.query([first])?;
    while let Some(waiting) = found.next()? {
        drawn.insert(waiting.get::<_, i64>(0)?);
    }
    let read = "SELECT id, site, status, received_at FROM comment WHERE id >= ?1 AND received_at >= ?2 AND status <> 0";
    let mut query = connection.prepare_cached(read)?;
    let mut found = query.query(params![first, since.as_millis()])?;
    let mut hours: BTreeMap<i64, Hour> = BTreeMap::new();
    while let Some(row) = found.next()? {
        if !covers(sites, row.get(1)?) {
            continue;
        }
        let id: i64 = row.get(0)?;
        let status = if drawn.contains(&id) { codec::status_code(Status::Held) } else { row.get(2)? };
        let begins = row.get::<_, i64>(3)?.div_euclid(HOUR_MS) * HOUR_MS;
        let hour =
            hours.entry(begins).or_insert_with(|| Hour { at: Timestamp::from_millis(begins), ..Hour::default() });
        count(&mut hour.now, status)?;
        count(&mut hour.first, before.get(&id).copied().unwrap_or(status))?;
    }
    Ok((hours.into_values().collect(), first > since_row))
}

fn count(of: &mut ByStatus, code: i64) -> Result<()> {
    match codec::status_of(code)? {
        Some(Status::Approved) => of.approved += 1,
        Some(Status::Held) => of.held += 1,
        Some(Status::Rejected) => of.rejected += 1,
        None => {}
    }
    Ok(())
}

fn queue(connection: &Connection, sites: Sites<'_>, now: Timestamp) -> Result<QueueAges> {
    let mut query = connection.prepare_cached("SELECT site, held_at FROM queue")?;
    let mut waiting = query.query([])?;
    let mut ages = Vec::new();
    while let Some(row) = waiting.next()? {
        if covers(sites, row.get(0)?) {
            ages.push(now.millis_since(Timestamp::from_millis(row.get(1)?)) / 1_000);
        }
    }
    Ok(QueueAges {
        waiting: u32::try_from(ages.len()).unwrap_or(u32::MAX),
        oldest_s: ages.iter().max().copied(),
        median_s: quantile(&mut ages, 0.5),
        p90_s: quantile(&mut ages, 0.9),
    })
}

/// The latest items of rulings, latest first.
fn items(connection: &Connection, sites: Sites<'_>) -> Result<Items<u32>> {
    let read = "SELECT item.comment, item.held_at_before, ruling.id, ruling.at, ruling.undone_at IS NULL, ruling.b, comment.site \
                FROM ruling_item item JOIN ruling ON ruling.id = item.ruling JOIN comment ON comment.id = item.comment \
                ORDER BY item.ruling DESC LIMIT ?1";
    let mut query = connection.prepare_cached(read)?;
    let mut latest = query.query([ITEMS_AMONG + 1])?;
    let (mut items, mut texts) = (Vec::new(), HashMap::<i64, (Action, String)>::new());
    let (mut seen, mut beyond) = (0, None);
    while let Some(row) = latest.next()? {
        seen += 1;
        if seen > ITEMS_AMONG {
            beyond = Some(row.get(3)?); // of whichever site: perhaps one of them
            break;
        }
        if !covers(sites, row.get(6)?) {
            continue;
        }
        if items.len() == ITEMS {
            beyond = Some(row.get(3)?);
            break;
        }
        let ruling: i64 = row.get(2)?;
        let (action, by) = match texts.entry(ruling) {
            Entry::Occupied(known) => known.get().clone(),
            Entry::Vacant(place) => {
                let text: RulingText = codec::decode("a ruling", row.get_ref(5)?.as_blob().unwrap_or_default())?;
                place.insert((text.action, format!("{:?}", text.by))).clone()
            }
        };
        items.push(Item {
            comment: row.get(0)?,
            held_at: row.get(1)?,
            at: row.get(3)?,
            stands: row.get(4)?,
            action,
            by,
        });
    }
    Ok(Items { items, beyond })
}

fn signals(connection: &Connection, items: &[Item<u32>]) -> Result<(Vec<Overturned>, u32)> {
    let (mut seen, mut overruled) = (HashSet::new(), Overruled::default());
    for item in items.iter().filter(|item| item.stands) {
        if seen.len() == VERDICTS {
            break;
        }
        if !seen.insert(item.comment) {
            continue;
        }
        let row = rows::row(connection, item.comment)?;
        let Some(row) = row.filter(|row| row.status.is_some() && row.decided_by == DecidedBy::Person) else { continue };
        overruled.add(&rows::content(connection, row.id)?.verdict, row.status == Some(Status::Approved));
    }
    Ok(overruled.shares())
}
