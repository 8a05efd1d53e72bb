//! One page of the queue, and counts of everything under the filter: a few statements over the rows of what waits, in one snapshot.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use tokio_postgres::Row as Cell;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::super::cursor::{cursor_of, limit, place_of};
use super::super::db::{Cells as _, Db, number};
use super::super::{campaigns, search};
use super::items;
use super::tally::{self, Group, Sieve};
use crate::domain::people::Reach;
use crate::domain::search::Question;
use crate::domain::store::{AuthorKind, ListError, PageRequest, QueueFilter, QueuePage, QueueSort, Result};
use crate::domain::time::Timestamp;
use crate::storage::waiting::{article_key, author_key, category_code};

/// A comment's place in the chosen order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Place {
    Priority(f64, Uuid),
    HeldAt(i64, Uuid),
}

/// A page of the queue, with counts of everything under the filter. `db` sees one moment only.
pub(in super::super) async fn page(
    db: &Db,
    filter: &QueueFilter,
    sort: QueueSort,
    page: &PageRequest,
    now: Timestamp,
) -> std::result::Result<QueuePage, ListError> {
    let after: Option<Place> = page.cursor.as_deref().map(|cursor| place_of(db, list_of(sort), cursor)).transpose()?;
    let limit = limit(page);
    let asked = Asked::of(db, filter, now).await?;
    let groups = asked.groups(db).await?;
    let sieve = Sieve { filter, sites: asked.sites.as_deref() };
    let groups = tally::named(db, &groups, &filter.queues).await?;
    let alike = Alike::asked_for(filter, &groups);
    let (by_campaign, mut found, rechecks) = tokio::try_join!(
        asked.campaigns(db, &alike),
        asked.rows(db, &alike, sort, after, limit + 1),
        campaigns::rechecks(db, &filter.reach)
    )?;
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more).map(|row| place(row, sort)).transpose()?;
    found.retain(items::is_whole);
    let (counted, items) =
        tokio::try_join!(tally::count(db, &groups, &sieve), items::of_rows(db, &filter.queues, &found, now))?;
    let next_cursor = last.map(|place| cursor_of(db, list_of(sort), &place));
    Ok(QueuePage { items, by_campaign, rechecks, next_cursor, ..counted })
}

/// Where a row of [`items::columns`] stands.
fn place(row: &Cell, sort: QueueSort) -> Result<Place> {
    let uid = row.cell(items::UID)?;
    Ok(match sort {
        QueueSort::Priority => Place::Priority(row.cell(items::FIRST)?, uid),
        QueueSort::Oldest | QueueSort::Newest => Place::HeldAt(row.cell(items::FIRST + 1)?, uid),
    })
}

/// Each order has cursors of its own.
const fn list_of(sort: QueueSort) -> &'static str {
    match sort {
        QueueSort::Priority => "queue by priority",
        QueueSort::Oldest => "queue, oldest first",
        QueueSort::Newest => "queue, newest first",
    }
}

/// What the page offers a choice of, of the rows of [`Asked::counted`].
const CHOSEN: &str = "($10::integer[] IS NULL OR q.site = ANY($10)) AND ($11::smallint IS NULL OR q.category = $11) \
                      AND ($12::text IS NULL OR $12 = ANY(string_to_array(q.signals, ' '))) AND ($13::text IS NULL OR q.section = $13) \
                      AND ($14::text IS NULL OR q.lang = $14) AND ($15::boolean IS NULL OR q.author_known = $15) \
                      AND ($16::text IS NULL OR coalesce(q.claimed, 'none') = $16) \
                      AND ($17::integer[] IS NULL OR (q.site, q.category, q.signals, coalesce(q.section, ''), coalesce(q.lang, '')) IN \
                      (SELECT * FROM unnest($17, $18::smallint[], $19::text[], $20::text[], $21::text[])))";

/// What rows of a named queue are alike in, one kind of them in each place. Which queue a row waits in is said in one place, for every engine; the
/// database is told which rows those are.
#[derive(Default)]
struct Alike<'a> {
    /// None where no queue is asked for.
    sites: Option<Vec<i32>>,
    categories: Vec<i16>,
    signals: Vec<&'a str>,
    sections: Vec<&'a str>,
    langs: Vec<&'a str>,
}

impl<'a> Alike<'a> {
    fn asked_for(filter: &QueueFilter, groups: &[(Group<'a>, Option<usize>)]) -> Self {
        let Some(name) = filter.queue.as_deref() else { return Self::default() };
        let asked = filter.queues.find(name);
        let mut alike = Self { sites: Some(Vec::new()), ..Self::default() };
        let mut met = HashSet::new();
        for (group, _) in groups.iter().filter(|(_, queue)| asked.is_some() && *queue == asked) {
            let (section, lang) = (group.section.unwrap_or_default(), group.lang.unwrap_or_default());
            if met.insert((group.site, group.category, group.signals, section, lang)) {
                alike.sites.get_or_insert_default().push(number(group.site));
                alike.categories.push(group.category);
                alike.signals.push(group.signals);
                alike.sections.push(section);
                alike.langs.push(lang);
            }
        }
        alike
    }
}

/// A filter in the words of the database. Conditions that the page offers no choice of hold for everything that is counted; the others
/// ([`CHOSEN`]) for what is shown.
struct Asked<'a> {
    filter: &'a QueueFilter,
    now: i64,
    /// What of the reach rows can tell.
    reach_sites: Option<Vec<i32>>,
    sections: Option<&'a [String]>,
    langs: Option<Vec<String>>,
    article: Option<i64>,
    author: Option<i64>,
    /// Those that have the words that are asked for.
    answers: Option<Vec<Uuid>>,
    uids: &'a [Uuid],
    /// The number of its campaign; one that none has when there is no such campaign.
    campaign: Option<i64>,
    sites: Option<Vec<i32>>,
    category: Option<i16>,
    known: Option<bool>,
}

impl<'a> Asked<'a> {
    async fn of(db: &Db, filter: &'a QueueFilter, now: Timestamp) -> Result<Self> {
        let reach = &filter.reach;
        let (mut reach_sites, mut sites) = (None, None);
        if reach.sites.is_some() || !filter.sites.is_empty() {
            let all = db.query("SELECT id, name FROM site", &[]).await?;
            let all = all.iter().map(|row| Ok((row.cell(0)?, row.cell(1)?))).collect::<Result<Vec<(i32, &str)>>>()?;
            let those = |is_asked: &dyn Fn(&str) -> bool| {
                all.iter().filter(|(_, name)| is_asked(name)).map(|(id, _)| *id).collect::<Vec<_>>()
            };
            reach_sites = reach.sites.as_ref().map(|_| those(&|name| reach.covers_site(name)));
            sites = (!filter.sites.is_empty()).then(|| those(&|name| filter.sites.iter().any(|asked| asked == name)));
        }
        let answers = match &filter.q {
            Some(q) => Some(search::waiting_with(db, &Question::read(q)).await?),
            None => None,
        };
        let campaign = match filter.campaign {
            Some(uid) => Some(campaigns::number_of(db, uid).await?),
            None => None,
        };
        Ok(Self {
            filter,
            now: now.as_millis(),
            reach_sites,
            sections: reach.sections.as_deref(),
            langs: langs(reach),
            article: filter.article.as_deref().map(|id| article_key(db, id)),
            author: filter.author.as_deref().map(|id| author_key(db, id)),
            answers,
            uids: filter.uids.as_deref().unwrap_or_default(),
            campaign,
            sites,
            category: filter.category.map(|category| category_code(Some(category))),
            known: filter.author_kind.map(|kind| kind == AuthorKind::Known),
        })
    }

    /// The rows of `queue q` that the choices are counted among, with whoever claims them at `$1`. `in_campaign` says whether the campaign that is
    /// asked for is a condition: its own counts leave it out.
    fn counted(&self, in_campaign: bool) -> String {
        let mut conditions = String::from(
            "($2::integer[] IS NULL OR q.site = ANY($2)) AND ($3::text[] IS NULL OR q.section = ANY($3)) \
             AND ($4::text[] IS NULL OR lower(q.lang COLLATE \"C\") = ANY($4) \
             OR lower(split_part(translate(q.lang, '_', '-'), '-', 1) COLLATE \"C\") = ANY($4)) \
             AND ($5::bigint IS NULL OR q.article = $5) AND ($6::bigint IS NULL OR q.author = $6)",
        );
        // These have ways of their own through the database, so statements that do not ask for them are without them. Every statement names all
        // parameters.
        for (is_asked, condition, otherwise) in [
            (self.answers.is_some(), "q.comment = ANY($7::uuid[])", "$7::uuid[] IS NULL"),
            (self.filter.uids.is_some(), "q.comment = ANY($8::uuid[])", "$8::uuid[] IS NOT NULL"),
            (self.campaign.is_some() && in_campaign, "q.campaign = $9", "($9::bigint IS NULL OR $9 <> 0)"),
        ] {
            conditions.push_str(" AND ");
            conditions.push_str(if is_asked { condition } else { otherwise });
        }
        if self.filter.reported {
            conditions.push_str(
                " AND EXISTS (SELECT 1 FROM report r WHERE r.site = q.site AND r.comment = q.comment AND r.outcome = 0)",
            );
        }
        format!(
            "SELECT q.site, q.comment, q.category, q.signals, q.section, q.lang, q.author_known, q.priority, q.held_at, q.campaign, \
             CASE WHEN q.claimed_until > $1 THEN q.claimed_by END AS claimed FROM queue q WHERE {conditions}"
        )
    }

    /// Parameters 1 to 9.
    fn params(&self) -> Vec<&(dyn ToSql + Sync)> {
        vec![
            &self.now,
            &self.reach_sites,
            &self.sections,
            &self.langs,
            &self.article,
            &self.author,
            &self.answers,
            &self.uids,
            &self.campaign,
        ]
    }

    /// Parameters 1 to 21, of which the last are for [`CHOSEN`].
    fn params_chosen<'b>(&'b self, alike: &'b Alike<'_>) -> Vec<&'b (dyn ToSql + Sync)> {
        let filter = self.filter;
        let mut params = self.params();
        let chosen: [&(dyn ToSql + Sync); 7] =
            [&self.sites, &self.category, &filter.signal, &filter.section, &filter.lang, &self.known, &filter.assigned];
        params.extend(chosen);
        let alike: [&(dyn ToSql + Sync); 5] =
            [&alike.sites, &alike.categories, &alike.signals, &alike.sections, &alike.langs];
        params.extend(alike);
        params
    }

    /// How many there are of each kind.
    async fn groups(&self, db: &Db) -> Result<Vec<Cell>> {
        let read = format!("SELECT {} FROM ({}) q GROUP BY 1, 2, 3, 4, 5, 6, 7", tally::COLUMNS, self.counted(true));
        db.query(&read, &self.params()).await
    }

    /// The campaigns of which most wait, under the whole filter but its campaign.
    async fn campaigns(&self, db: &Db, alike: &Alike<'_>) -> Result<BTreeMap<Uuid, u64>> {
        let read = format!(
            "SELECT k.uid, most.n FROM (SELECT q.campaign, count(*) AS n FROM ({}) q WHERE q.campaign IS NOT NULL AND {CHOSEN} \
             GROUP BY q.campaign ORDER BY count(*) DESC, q.campaign LIMIT {}) most JOIN campaign k ON k.id = most.campaign",
            self.counted(false),
            QueuePage::CAMPAIGNS
        );
        let found = db.query(&read, &self.params_chosen(alike)).await?;
        found.iter().map(|row| Ok((row.cell(0)?, u64::try_from(row.cell::<i64>(1)?).unwrap_or_default()))).collect()
    }

    /// Those under the whole filter, in order, after a place.
    async fn rows(
        &self,
        db: &Db,
        alike: &Alike<'_>,
        sort: QueueSort,
        after: Option<Place>,
        most: usize,
    ) -> Result<Vec<Cell>> {
        let (priority, moment, uid) = match after {
            Some(Place::Priority(priority, uid)) => (Some(priority), None, Some(uid)),
            Some(Place::HeldAt(at, uid)) => (None, Some(at), Some(uid)),
            None => (None, None, None),
        };
        let (order, after) = match sort {
            QueueSort::Priority => {
                ("q.priority DESC, q.comment", "q.priority < $23 OR q.priority = $23 AND q.comment > $24")
            }
            QueueSort::Oldest => ("q.held_at, q.comment", "q.held_at > $22 OR q.held_at = $22 AND q.comment > $24"),
            QueueSort::Newest => {
                ("q.held_at DESC, q.comment DESC", "q.held_at < $22 OR q.held_at = $22 AND q.comment < $24")
            }
        };
        let read = format!(
            "SELECT {columns} FROM (SELECT q.site, q.comment FROM ({counted}) q WHERE {CHOSEN} \
             AND ($22::bigint IS NULL AND $23::double precision IS NULL AND $24::uuid IS NULL OR {after}) \
             ORDER BY {order} LIMIT $25) found \
             JOIN queue q ON q.site = found.site AND q.comment = found.comment \
             LEFT JOIN comment c ON c.site = found.site AND c.uid = found.comment \
             LEFT JOIN campaign k ON k.id = q.campaign ORDER BY {order}",
            columns = items::columns(),
            counted = self.counted(true),
        );
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut params = self.params_chosen(alike);
        let place: [&(dyn ToSql + Sync); 4] = [&moment, &priority, &uid, &most];
        params.extend(place);
        db.query(&read, &params).await
    }
}

/// A reach's languages, as they are compared: ASCII letters of either case are the same.
fn langs(reach: &Reach) -> Option<Vec<String>> {
    reach.langs.as_ref().map(|langs| langs.iter().map(|lang| lang.to_ascii_lowercase()).collect())
}
