//! Labels and what sites taught.
//!
//! Whoever writes labels locks them in the order of their numbers, and the site's line in `learner` after them: so what is concluded of labels
//! and what is said or taken back at the same moment come one after the other, and never wait for each other.

use std::collections::{BTreeMap, HashMap, HashSet};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::batch::Keys;
use super::db::{Cells as _, Db, number, signed};
use super::rows::Row;
use super::work::{Work, transact};
use super::{PostgresStore, samples};
use crate::domain::comment::Article;
use crate::domain::decision::Actor;
use crate::domain::learning::{
    Agreement, ChangeKind, Conclusion, Due, Fate, Force, Label, LabelCounts, Learning, ModelChange, Said, SiteModel,
    Taught,
};
use crate::domain::site::SiteId;
use crate::domain::store::{Result, Ruling, StoreError};
use crate::domain::time::Timestamp;
use crate::storage::codec;

/// Changes kept of one site.
const CHANGES_KEPT: i64 = 500;

/// Notes what a ruling says of comments; `teaches` is false where it was about something else. Whoever rules counts it with [`changed`], last.
pub(super) async fn note(work: &Work, rows: &[Row], ruling: &Ruling, decision: Uuid, teaches: bool) -> Result<()> {
    let keys = Keys::of(rows);
    let sampled = if teaches {
        samples::answer(work, &keys, ruling, decision).await?
    } else {
        samples::discard(work, &keys).await?;
        HashSet::new()
    };
    let said = Said::of(ruling.action, ruling.category);
    let fate = match (teaches, said.is_something()) {
        (false, _) => Fate::Sanction,
        (true, false) => Fate::Category,
        (true, true) => Fate::Waiting,
    };
    let write = "INSERT INTO label (site, comment, revision, ruling, at, spam, abuse, sampled, fate) \
                 SELECT k.site, k.comment, k.revision, $5::uuid, $6::int8, $7::bool, $8::bool, k.sampled, $9::text \
                 FROM unnest($1::int4[], $2::uuid[], $3::int4[], $4::bool[]) WITH ORDINALITY k (site, comment, revision, sampled, place) \
                 ORDER BY k.place";
    let revisions: Vec<i32> = rows.iter().map(|row| signed(row.revision)).collect();
    let sampled: Vec<bool> = rows.iter().map(|row| sampled.contains(&row.uid)).collect();
    let (at, fate) = (ruling.at.as_millis(), fate.name());
    work.execute(
        write,
        &[&keys.sites, &keys.comments, &revisions, &sampled, &decision, &at, &said.spam, &said.abuse, &fate],
    )
    .await?;
    Ok(())
}

/// A ruling was taken back on these comments, and its labels with it.
pub(super) async fn undo(work: &Work, keys: &Keys, decision: Uuid, at: Timestamp) -> Result<()> {
    samples::reopen(work, keys, decision).await?;
    let write = "WITH taken AS (SELECT l.site, l.id FROM unnest($1::int4[], $2::uuid[]) k (site, comment) \
                 JOIN label l ON l.site = k.site AND l.comment = k.comment \
                 WHERE l.ruling = $3 AND l.undone_at IS NULL ORDER BY l.id FOR UPDATE OF l) \
                 UPDATE label SET undone_at = $4 FROM taken WHERE label.site = taken.site AND label.id = taken.id \
                 RETURNING label.site";
    let undone = work.query(write, &[&keys.sites, &keys.comments, &decision, &at.as_millis()]).await?;
    let sites: Vec<i32> = undone.iter().map(|row| row.cell(0)).collect::<Result<_>>()?;
    changed(work, &sites).await
}

/// The comment is no more, and nothing was ever said of it.
pub(super) async fn forget(work: &Work, row: &Row) -> Result<()> {
    samples::forget(work, row).await?;
    let site = number(row.site);
    if work.execute("DELETE FROM label WHERE site = $1 AND comment = $2", &[&site, &row.uid]).await? > 0 {
        changed(work, &[site]).await?;
        // What is in force is learned anew without it; what is not goes at once.
        work.execute("DELETE FROM site_model WHERE site = $1 AND ended_at IS NOT NULL", &[&site]).await?;
    }
    Ok(())
}

/// The statement that deletes the labels that `condition` says, as [`forget`] does those of one comment.
pub(super) fn forget_all(condition: &str) -> String {
    format!(
        "WITH gone AS (DELETE FROM label WHERE {condition} RETURNING site), \
         ended AS (DELETE FROM site_model WHERE site IN (SELECT site FROM gone) AND ended_at IS NOT NULL) \
         INSERT INTO learner (site, changes, seen) SELECT site, count(*), 0 FROM gone GROUP BY site ORDER BY site \
         ON CONFLICT (site) DO UPDATE SET changes = learner.changes + excluded.changes"
    )
}

/// Counts a change for each of `sites`, which may be named several times. Until the commit nobody else counts one there.
pub(super) async fn changed(work: &Work, sites: &[i32]) -> Result<()> {
    if sites.is_empty() {
        return Ok(());
    }
    let write = "INSERT INTO learner (site, changes, seen) SELECT site, count(*), 0 FROM unnest($1::int4[]) k (site) \
                 GROUP BY site ORDER BY site ON CONFLICT (site) DO UPDATE SET changes = learner.changes + excluded.changes";
    work.execute(write, &[&sites]).await?;
    Ok(())
}

/// Whether the site has labels, or had some; nobody else concludes anything of them, or counts a change, until `work` ends.
async fn lock(work: &Work, site: SiteId) -> Result<bool> {
    work.exists("SELECT 1 FROM learner WHERE site = $1 FOR UPDATE", &[&number(site)]).await
}

async fn due(db: &Db) -> Result<Vec<Due>> {
    let found = db.query("SELECT site, changes, seen FROM learner ORDER BY site", &[]).await?;
    let due = |row: &tokio_postgres::Row| {
        Ok(Due {
            site: row.site(0)?,
            changes: row.cell::<i64>(1)?.cast_unsigned(),
            seen: row.cell::<i64>(2)?.cast_unsigned(),
        })
    };
    found.iter().map(due).collect()
}

/// In force: not taken back, about something, and nothing was said of the comment later.
const IN_FORCE: &str = "l.undone_at IS NULL AND l.fate NOT IN ('sanction', 'category', 'set-aside') AND NOT EXISTS \
                        (SELECT 1 FROM label later WHERE later.site = l.site AND later.comment = l.comment AND later.id > l.id \
                        AND later.undone_at IS NULL AND later.fate <> 'sanction')";

async fn ids(db: &Db, site: SiteId) -> Result<Vec<i64>> {
    let read = format!("SELECT l.id FROM label l WHERE l.site = $1 AND {IN_FORCE} ORDER BY l.id");
    let found = db.query(&read, &[&number(site)]).await?;
    found.iter().map(|row| row.cell(0)).collect()
}

/// A number does not say its site, and sites are few: the index is asked once for each.
async fn labels(db: &Db, ids: &[i64]) -> Result<Vec<Label>> {
    let read = "SELECT l.id, l.site, l.ruling, l.spam, l.abuse, CASE WHEN c.revision = l.revision THEN c.b ELSE r.b END \
                FROM site s JOIN label l ON l.site = s.id JOIN comment c ON c.site = l.site AND c.uid = l.comment \
                LEFT JOIN revision r ON r.site = l.site AND r.comment = l.comment AND r.revision = l.revision \
                WHERE l.id = ANY($1) AND l.undone_at IS NULL";
    let found = db.query(read, &[&ids]).await?;
    let mut read = HashMap::with_capacity(found.len());
    for row in &found {
        let Some(bytes) = row.cell::<Option<&[u8]>>(5)? else { continue };
        let comment = codec::decode_content("what a label is about", bytes)?.comment;
        let said = Said { spam: row.cell(3)?, abuse: row.cell(4)? };
        let id: i64 = row.cell(0)?;
        read.insert(id, (row.cell(1)?, Label { id, decision: row.cell(2)?, said, comment, article: None }));
    }
    let articles = articles(db, read.values()).await?;
    let known = |(site, label): (i32, Label)| {
        let article = articles.get(&(site, label.comment.article.id.as_str().to_owned())).cloned();
        Label { article, ..label }
    };
    Ok(ids.iter().filter_map(|id| read.remove(id)).map(known).collect())
}

/// What is known of the articles that comments of labels stand under, by site and name.
async fn articles(
    db: &Db,
    labels: impl Iterator<Item = &(i32, Label)> + Send,
) -> Result<HashMap<(i32, String), Article>> {
    let named: HashSet<(i32, &str)> = labels.map(|(site, label)| (*site, label.comment.article.id.as_str())).collect();
    let (sites, names): (Vec<i32>, Vec<&str>) = named.into_iter().unzip();
    let read = "SELECT a.site, a.name, a.b FROM unnest($1::int4[], $2::text[]) k (site, name) \
                JOIN article a ON a.site = k.site AND a.name = k.name";
    let found = db.query(read, &[&sites, &names]).await?;
    found.iter().map(|row| Ok(((row.cell(0)?, row.cell(1)?), codec::decode("an article", row.cell(2)?)?))).collect()
}

async fn counts(db: &Db, site: SiteId) -> Result<LabelCounts> {
    let read = "SELECT CASE WHEN undone_at IS NULL THEN fate ELSE 'undone' END, count(*) FROM label WHERE site = $1 GROUP BY 1";
    let found = db.query(read, &[&number(site)]).await?;
    let count = |row: &tokio_postgres::Row| Ok((row.cell(0)?, row.cell::<i64>(1)?.cast_unsigned()));
    found.iter().map(count).collect::<Result<BTreeMap<_, _>>>()
}

async fn conclude(work: &Work, conclusion: &Conclusion) -> Result<Option<Option<u32>>> {
    let Conclusion { site, over, seen, fates, force, change, at } = conclusion;
    let (ids_of_fates, names): (Vec<i64>, Vec<&str>) = fates.iter().map(|(id, fate)| (*id, fate.name())).unzip();
    let in_order = "SELECT 1 FROM label WHERE site = $1 AND id = ANY($2) ORDER BY id FOR UPDATE";
    work.query(in_order, &[&number(*site), &ids_of_fates]).await?;
    if !lock(work, *site).await? {
        return Ok(None); // the site is gone
    }
    // What a node concludes whose turn was over, or whose model a person took out of force elsewhere, must not replace what answers now.
    let before = in_force(work, *site).await?;
    if before != *over && (over.is_some() || !models(work, Some(*site)).await?.is_empty()) {
        return Ok(None);
    }
    if let Force::New(_, taught) = force {
        // A decision taken back meanwhile must not live on in what was learned of it. One that came is looked at next.
        let now = ids(work, *site).await?;
        if taught.labels.iter().flatten().any(|id| now.binary_search(id).is_err()) {
            return Ok(None);
        }
    }
    let number_in_force = match force {
        Force::Same => before,
        Force::Base => {
            end(work, *site, *at).await?;
            None
        }
        Force::New(base, taught) => {
            end(work, *site, *at).await?;
            Some(insert(work, *site, (base, taught), before, *at).await?)
        }
    };
    let write = "UPDATE label SET fate = k.fate, model = CASE WHEN k.fate = 'learned' THEN coalesce(model, $4) ELSE model END \
                 FROM unnest($2::int8[], $3::text[]) k (id, fate) \
                 WHERE label.site = $1 AND label.id = k.id AND label.fate <> 'set-aside' AND label.fate <> k.fate";
    work.execute(write, &[&number(*site), &ids_of_fates, &names, &number_in_force.map(i64::from)]).await?;
    let write = "UPDATE learner SET seen = $2 WHERE site = $1";
    work.execute(write, &[&number(*site), &seen.cast_signed()]).await?;
    if let Some((kind, reason, figures)) = change {
        let change = Noted { kind: *kind, number: number_in_force, by: None, reason, figures: &figures.to_string() };
        note_change(work, *site, &change, *at).await?;
        if *kind != ChangeKind::Refused {
            let name = work.site_name(work, *site).await?;
            work.audit(&Actor::Console, &format!("model.{}", kind.name()), &name, reason, *at);
        }
    }
    Ok(Some(number_in_force))
}

async fn in_force(db: &Db, site: SiteId) -> Result<Option<u32>> {
    let read = "SELECT number FROM site_model WHERE site = $1 AND ended_at IS NULL ORDER BY number DESC LIMIT 1";
    db.query_opt(read, &[&number(site)]).await?.map(|row| model_number(row.cell(0)?)).transpose()
}

fn model_number(stored: i64) -> Result<u32> {
    u32::try_from(stored).map_err(|_| StoreError::Corrupt(format!("a model's number {stored}")))
}

async fn end(work: &Work, site: SiteId, at: Timestamp) -> Result<()> {
    let write = "UPDATE site_model SET ended_at = $2 WHERE site = $1 AND ended_at IS NULL";
    work.execute(write, &[&number(site), &at.as_millis()]).await?;
    Ok(())
}

async fn insert(
    work: &Work,
    site: SiteId,
    (base, taught): (&str, &Taught),
    before: Option<u32>,
    at: Timestamp,
) -> Result<u32> {
    let (bytes, before) = (codec::encode(taught)?, before.map(i64::from));
    let checksum = Sha256::digest(&bytes);
    let write = "INSERT INTO site_model (site, number, base, at, b, checksum, before) \
                 SELECT $1::int4, coalesce(max(number), 0) + 1, $2::text, $3::int8, $4::bytea, $5::bytea, $6::int8 \
                 FROM site_model WHERE site = $1 RETURNING number";
    let given =
        work.query_one(write, &[&number(site), &base, &at.as_millis(), &bytes, &checksum.as_slice(), &before]).await?;
    let given: i64 = given.cell(0)?;
    // The one in force and those before it are all that is ever asked for.
    let old = "DELETE FROM site_model WHERE site = $1 AND number < $2::int8 - 4 AND number IS DISTINCT FROM $3";
    work.execute(old, &[&number(site), &given, &before]).await?;
    model_number(given)
}

/// A change to be noted.
struct Noted<'a> {
    kind: ChangeKind,
    number: Option<u32>,
    by: Option<&'a str>,
    reason: &'a str,
    figures: &'a str,
}

async fn note_change(work: &Work, site: SiteId, change: &Noted<'_>, at: Timestamp) -> Result<()> {
    let Noted { kind, number: in_force, by, reason, figures } = change;
    if *kind == ChangeKind::Refused {
        // One after the other for the same reason: the last says everything.
        let same = "DELETE FROM model_change WHERE site = $1 AND id = (SELECT max(id) FROM model_change WHERE site = $1) \
                    AND kind = $2 AND reason = $3";
        work.execute(same, &[&number(site), &kind.name(), reason]).await?;
    }
    let write = "INSERT INTO model_change (site, at, kind, number, by_name, reason, figures) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let in_force = in_force.map(i64::from);
    work.execute(write, &[&number(site), &at.as_millis(), &kind.name(), &in_force, by, reason, figures]).await?;
    let old = "DELETE FROM model_change WHERE site = $1 \
               AND id <= (SELECT id FROM model_change WHERE site = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)";
    work.execute(old, &[&number(site), &CHANGES_KEPT]).await?;
    Ok(())
}

/// Those in force, of one site or of all.
async fn models(db: &Db, of: Option<SiteId>) -> Result<Vec<SiteModel>> {
    let read = "SELECT site, number, base, at, b, checksum FROM site_model \
                WHERE ended_at IS NULL AND ($1::integer IS NULL OR site = $1) ORDER BY site, number";
    let mut models = Vec::new();
    for row in db.query(read, &[&of.map(number)]).await? {
        let (site, number) = (row.site(0)?, model_number(row.cell(1)?)?);
        match model_of(site, &row) {
            Ok(model) => models.push(model),
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                site = site.0,
                number,
                "what a site taught cannot be read; the shipped model answers alone there"
            ),
        }
    }
    Ok(models)
}

async fn model(db: &Db, site: SiteId, number_of_it: u32) -> Result<Option<SiteModel>> {
    let read = "SELECT site, number, base, at, b, checksum FROM site_model WHERE site = $1 AND number = $2";
    let found = db.query_opt(read, &[&number(site), &i64::from(number_of_it)]).await?;
    found.map(|row| model_of(site, &row)).transpose()
}

fn model_of(site: SiteId, row: &tokio_postgres::Row) -> Result<SiteModel> {
    let number = model_number(row.cell(1)?)?;
    let (bytes, checksum): (&[u8], &[u8]) = (row.cell(4)?, row.cell(5)?);
    if Sha256::digest(bytes).as_slice() != checksum {
        return Err(StoreError::Corrupt(format!("what site {} taught, number {number}: checksum", site.0)));
    }
    let taught: Taught = codec::decode("what a site taught", bytes)?;
    Ok(SiteModel { site, number, base: row.cell(2)?, at: Timestamp::from_millis(row.cell(3)?), taught })
}

async fn end_by_person(
    work: &Work,
    site: SiteId,
    to_before: bool,
    base: &str,
    by: &Actor,
    at: Timestamp,
) -> Result<Option<Option<SiteModel>>> {
    let in_order = format!("SELECT 1 FROM label l WHERE l.site = $1 AND {IN_FORCE} ORDER BY l.id FOR UPDATE OF l");
    work.query(&in_order, &[&number(site)]).await?;
    lock(work, site).await?;
    let Some(ended) = in_force(work, site).await? else { return Ok(None) };
    end(work, site, at).await?;
    let before = if to_before { before(work, site, ended, base).await? } else { None };
    if let Some(before) = &before {
        let write = "UPDATE site_model SET ended_at = NULL WHERE site = $1 AND number = $2";
        work.execute(write, &[&number(site), &i64::from(before.number)]).await?;
    }
    set_aside(work, site, before.as_ref()).await?;
    let kind = if to_before { ChangeKind::RolledBackByPerson } else { ChangeKind::Reset };
    let reason = match &before {
        Some(before) => format!("number {ended} out of force, number {} back", before.number),
        None => format!("number {ended} out of force, the shipped model alone"),
    };
    let name = match by {
        Actor::Site(name) | Actor::Person(name) => Some(name.as_str()),
        Actor::Console => None,
    };
    let now = before.as_ref().map(|before| before.number);
    note_change(work, site, &Noted { kind, number: now, by: name, reason: &reason, figures: "null" }, at).await?;
    let action = if to_before { "model.rollback" } else { "model.reset" };
    work.audit(by, action, &work.site_name(work, site).await?, &reason, at);
    Ok(Some(before))
}

/// What is not in what answers now teaches nothing any more: it would bring back at once what a person took out of force.
async fn set_aside(work: &Work, site: SiteId, answers: Option<&SiteModel>) -> Result<()> {
    let kept: Vec<i64> = answers.iter().flat_map(|model| model.taught.labels.iter().flatten().copied()).collect();
    let aside =
        "UPDATE label SET fate = 'set-aside' FROM unnest($2::int8[]) k (id) WHERE label.site = $1 AND label.id = k.id";
    let kept: HashSet<i64> = kept.into_iter().collect();
    let left: Vec<i64> = ids(work, site).await?.into_iter().filter(|id| !kept.contains(id)).collect();
    work.execute(aside, &[&number(site), &left]).await?;
    Ok(())
}

/// The model that it took the place of, when all that it learned still holds. Never one that was out of force by then: there was a reason.
async fn before(db: &Db, site: SiteId, number_of_it: u32, base: &str) -> Result<Option<SiteModel>> {
    let read = "SELECT before FROM site_model WHERE site = $1 AND number = $2";
    let before: Option<i64> = db.query_one(read, &[&number(site), &i64::from(number_of_it)]).await?.cell(0)?;
    let Some(before) = before else { return Ok(None) };
    let Some(before) = model(db, site, model_number(before)?).await? else { return Ok(None) };
    let in_force = ids(db, site).await?;
    let holds = before.taught.labels.iter().flatten().all(|label| in_force.binary_search(label).is_ok());
    Ok(Some(before).filter(|before| holds && before.base == base))
}

async fn changes(db: &Db, site: SiteId, most: usize) -> Result<Vec<ModelChange>> {
    let read =
        "SELECT at, kind, number, by_name, reason, figures FROM model_change WHERE site = $1 ORDER BY id DESC LIMIT $2";
    let found = db.query(read, &[&number(site), &i64::try_from(most).unwrap_or(i64::MAX)]).await?;
    let change = |row: &tokio_postgres::Row| {
        let kind: &str = row.cell(1)?;
        let known = ChangeKind::ALL.into_iter().find(|known| known.name() == kind);
        Ok(ModelChange {
            site,
            at: Timestamp::from_millis(row.cell(0)?),
            kind: known.ok_or_else(|| StoreError::Corrupt(format!("a model's change {kind}")))?,
            number: row.cell::<Option<i64>>(2)?.map(model_number).transpose()?,
            by: row.cell(3)?,
            reason: row.cell(4)?,
            figures: serde_json::from_str(row.cell(5)?).unwrap_or_default(),
        })
    };
    found.iter().map(change).collect()
}

#[async_trait]
impl Learning for PostgresStore {
    async fn labels_due(&self) -> Result<Vec<Due>> {
        due(&self.db().await?).await
    }

    async fn label_ids(&self, site: SiteId) -> Result<Vec<i64>> {
        ids(&self.db().await?, site).await
    }

    async fn labels(&self, of: &[i64]) -> Result<Vec<Label>> {
        labels(&self.db().await?, of).await
    }

    async fn label_counts(&self, site: SiteId) -> Result<LabelCounts> {
        counts(&self.db().await?, site).await
    }

    async fn conclude(&self, conclusion: Conclusion) -> Result<Option<Option<u32>>> {
        transact!(self, work => conclude(&work, &conclusion).await)
    }

    async fn site_models(&self) -> Result<Vec<SiteModel>> {
        models(&self.db().await?, None).await
    }

    async fn site_model(&self, site: SiteId) -> Result<Option<SiteModel>> {
        Ok(models(&self.db().await?, Some(site)).await?.pop())
    }

    async fn site_model_end(
        &self,
        site: SiteId,
        to_before: bool,
        base: &str,
        by: Actor,
        at: Timestamp,
    ) -> Result<Option<Option<SiteModel>>> {
        transact!(self, work => end_by_person(&work, site, to_before, base, &by, at).await)
    }

    async fn model_changes(&self, site: SiteId, most: usize) -> Result<Vec<ModelChange>> {
        changes(&self.db().await?, site, most).await
    }

    async fn agreements(&self) -> Result<Vec<Agreement>> {
        samples::agreements(&self.db().await?).await
    }
}
