//! How many comments of a file would belong to a campaign, with short texts and without:
//! `DOORWARD_COMMENTS=FILE cargo test --test storage -- --ignored --nocapture comments_that_would_belong`. The file has a JSON object a line
//! with `id`, `text`, `author`, `date` and `group` (the article). Prints who would belong because of short texts alone, from
//! three authors on, for reading.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use doorward::domain::campaign::{self, Stances};
use doorward::domain::comment::{ArticleDraft, AuthorDraft, Bounds, Comment, Draft};
use doorward::domain::decision::Status;
use doorward::domain::history::{History as _, Standing};
use doorward::domain::normalise::normalise;
use doorward::domain::site::SiteId;
use doorward::domain::store::Store;
use doorward::domain::time::Timestamp;
use doorward::storage::Config;
use doorward::storage::memory::history::{self, MemoryHistory};
use doorward::storage::sqlite::SqliteStore;
use serde_json::Value;

#[tokio::test]
#[ignore = "reads the file that DOORWARD_COMMENTS names"]
async fn comments_that_would_belong_to_a_campaign() {
    let file = std::env::var_os("DOORWARD_COMMENTS").expect("DOORWARD_COMMENTS names a file");
    let comments = read(&std::fs::read_to_string(file).unwrap());
    let by = |short_authors| belonging(&comments, campaign::Config { short_authors, ..campaign::Config::default() });
    let (without, with) = (by(0).await, by(campaign::Config::default().short_authors).await);
    let by_three = by(3).await;
    println!(
        "{} comments, {} with a short fingerprint",
        comments.len(),
        comments.iter().filter(|(_, one)| one.trace.short.is_some()).count()
    );
    for (name, all) in [("without short texts", &without), ("with", &with), ("with, from three authors on", &by_three)]
    {
        let campaigns: BTreeSet<_> = all.values().collect();
        println!("{name}: {} comments in {} campaigns", all.len(), campaigns.len());
    }
    let mut new: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (id, campaign) in by_three.iter().filter(|(id, _)| !without.contains_key(*id)) {
        let said =
            comments.iter().find(|(_, one)| one.sent.id.as_str() == id).map_or("", |(_, one)| one.sent.body.as_str());
        new.entry(campaign).or_default().push(said);
    }
    for (campaign, said) in new {
        println!("{campaign}: {} new", said.len());
        said.iter()
            .take(12)
            .for_each(|said| println!("    {}", said.replace('\n', " ").chars().take(150).collect::<String>()));
    }
}

/// The comments of a file, in the order of their moments.
fn read(lines: &str) -> Vec<(Timestamp, Comment)> {
    let mut all: Vec<(Timestamp, Comment)> = lines
        .lines()
        .filter_map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            let field = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            let draft = Draft {
                id: field("id"),
                article: ArticleDraft { id: field("group"), ..ArticleDraft::default() },
                author: Some(AuthorDraft {
                    id: Some(field("author")).filter(|id| !id.is_empty()),
                    ..AuthorDraft::default()
                }),
                body: field("text"),
                ..Draft::default()
            };
            Some((moment(&field("date"))?, normalise(SiteId(1), draft.parse(&Bounds::default()).ok()?, false)))
        })
        .collect();
    all.sort_by_key(|(at, _)| *at);
    all
}

/// Reads `2013-10-16T22:09:36` and what looks like it; zones are left aside.
fn moment(written: &str) -> Option<Timestamp> {
    let parts: Vec<i64> =
        written.get(..19)?.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse().ok()).collect();
    let [year, month, day, hour, minute, second] = parts[..] else { return None };
    let days = (year * 12 + month - 1) * 31 + day; // the order and the distances of days are enough
    Some(Timestamp::from_millis((((days * 24 + hour) * 60 + minute) * 60 + second - 60_000_000_000) * 1_000))
}

/// Who belongs to which campaign, when all come one after the other.
async fn belonging(comments: &[(Timestamp, Comment)], config: campaign::Config) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> =
        Arc::new(SqliteStore::open_serving(&Config::sqlite(&folder.path().join("doorward.db"))).unwrap());
    let history = MemoryHistory::with_campaigns(history::Config::default(), config, store);
    let mut all = BTreeMap::new();
    for (at, comment) in comments {
        let trace = &comment.trace;
        history.sight_in(trace, &|| Stances::of(comment, None), *at).await;
        if let Some(membership) = history.membership(trace, *at).await {
            let campaign = membership.campaign.to_string();
            for (_, id) in membership.news.into_iter().flat_map(|news| news.members) {
                all.insert(id.to_string(), campaign.clone());
            }
            all.insert(trace.comment_id.to_string(), campaign);
        }
        history.settle(trace, *at, Standing { status: Status::Approved, by_person: false }).await;
    }
    all
}
