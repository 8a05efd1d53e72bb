//! Frozen verdicts, latest first, for being counted: from narrow rows to what they say, and no further back than is asked.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, params};

use super::rows::{self, COLUMNS, Row};
use super::shared::Shared;
use super::{SqliteStore, samples, start};
use crate::domain::decision::{DecidedBy, Status};
use crate::domain::store::Result;
use crate::domain::truth::tally::word_of;
use crate::domain::truth::{Judged, JudgedPage, Verdicts, Wanted};

/// For so long a comment may be on its way into the file after it was received.
const SLACK_MS: i64 = 3_600_000;

fn page(connection: &Connection, shared: &Shared, wanted: &Wanted) -> Result<JudgedPage> {
    let first = i64::from(start::first_row_since(connection, wanted.since.as_millis())?);
    // Rows lie in the order in which they were committed: long after the end of the time none of it comes any more.
    let end = i64::from(start::first_row_since(connection, wanted.until.plus_millis(SLACK_MS).as_millis())?);
    let end = end.saturating_add(i64::from(start::RUN));
    let before = wanted.before.map_or(end, |place| i64::try_from(place).unwrap_or(end).min(end));
    let most = i64::try_from(wanted.most).unwrap_or(i64::MAX);
    let read = if wanted.decided_only {
        format!(
            "SELECT {COLUMNS} FROM (SELECT DISTINCT comment FROM ruling_item WHERE comment < ?1 AND comment >= ?2 ORDER BY comment DESC LIMIT ?3) \
             JOIN comment ON id = comment ORDER BY id DESC"
        )
    } else {
        format!("SELECT {COLUMNS} FROM comment WHERE id < ?1 AND id >= ?2 ORDER BY id DESC LIMIT ?3")
    };
    let mut query = connection.prepare_cached(&read)?;
    let mut found = query.query(params![before, first, most])?;
    let (mut page, mut rows, mut last) = (JudgedPage::default(), 0, 0);
    while let Some(row) = found.next()? {
        let row = Row::read(row)?;
        (rows, last) = (rows + 1, row.id);
        if row.status.is_none() || row.received_at < wanted.since || row.received_at >= wanted.until {
            continue;
        }
        let site = shared.site_name(connection, row.site)?;
        if wanted.sites.as_ref().is_some_and(|sites| !sites.iter().any(|name| *name == *site)) {
            continue;
        }
        let content = rows::content(connection, row.id)?;
        if content.verdict.is_imported() {
            continue;
        }
        let person = word_of(row.live()?, row.decided_by == DecidedBy::Person);
        let waits = person.is_some() && row.status != Some(Status::Held) && samples::waits(connection, row.id)?;
        page.items.push(Judged {
            place: u128::from(row.id),
            uid: row.uid(shared),
            site,
            at: row.received_at,
            verdict: content.verdict,
            judged_by: content.decided_by,
            person: person.filter(|_| !waits),
        });
    }
    page.looked_at = u32::try_from(rows).unwrap_or(u32::MAX);
    page.next = (rows == most).then_some(u128::from(last));
    Ok(page)
}

#[async_trait]
impl Verdicts for SqliteStore {
    async fn verdicts(&self, wanted: &Wanted) -> Result<JudgedPage> {
        let (shared, wanted) = (Arc::clone(&self.shared), wanted.clone());
        self.readers.ask(move |connection| page(connection, &shared, &wanted)).await
    }
}
