//! The sample site: articles, authors and comments written for it, with an earlier headline campaign among them.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::intake::Turn;
use crate::app::limits::Route;
use crate::app::review::Ask;
use crate::domain::comment::{ArticleDraft, AuthorDraft, Bounds, Draft, NewComment};
use crate::domain::decision::Action;
use crate::domain::people::Person;
use crate::domain::site::Site;
use crate::domain::store::{RulingCategory, Seen};
use crate::domain::time::Timestamp;
use crate::sample::{self as courier, Earlier, Story};
use crate::startup::App;

const AUTHORS: &str = include_str!("authors.json");
const COMMENTS: &str = include_str!("comments.json");

/// How long the sample's moderator took to look, in milliseconds.
const RULED_AFTER_MS: i64 = 600_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SampleAuthor {
    id: Option<String>,
    name: String,
    email: Option<String>,
    url: Option<String>,
    ip: String,
    role: Option<String>,
    registered_days: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SampleComment {
    id: String,
    article: String,
    author: String,
    hours_ago: f64,
    body: String,
    parent_id: Option<String>,
    typing_ms: u64,
    honeypot: String,
    /// What the sample's moderator said.
    ruling: Option<Action>,
    /// Why.
    category: Option<RulingCategory>,
}

impl SampleComment {
    fn at(&self, now: Timestamp) -> Timestamp {
        #[expect(clippy::cast_possible_truncation, reason = "hours of the sample, a few hundred")]
        now.plus_millis(-(self.hours_ago * 3_600_000.0) as i64)
    }

    fn draft(&self, authors: &BTreeMap<String, SampleAuthor>, now: Timestamp) -> anyhow::Result<Draft> {
        let author = authors.get(&self.author).with_context(|| format!("no sample author {}", self.author))?;
        let registered_at = author.registered_days.map(|days| now.plus_millis(-days * 86_400_000).to_string());
        Ok(Draft {
            id: self.id.clone(),
            article: ArticleDraft { id: self.article.clone(), ..ArticleDraft::default() },
            parent_id: self.parent_id.clone(),
            author: Some(AuthorDraft {
                id: author.id.clone(),
                name: Some(author.name.clone()),
                email: author.email.clone(),
                url: author.url.clone(),
                ip: Some(author.ip.clone()),
                user_agent: None,
                role: author.role.clone(),
                registered_at,
            }),
            body: self.body.clone(),
            created_at: Some(self.at(now).to_string()),
            honeypot: Some(self.honeypot.clone()),
            typing_ms: Some(self.typing_ms),
            ..Draft::default()
        })
    }
}

/// The stories of the sample site, as it tells Doorward of them.
fn articles() -> anyhow::Result<Vec<ArticleDraft>> {
    let stories = courier::stories().context("the sample stories")?;
    let article = |story: Story| ArticleDraft {
        url: Some(story.url()),
        title: Some(story.headline.clone()),
        text: Some(story.text()),
        section: Some(story.section_id()),
        lang: Some("en".to_owned()),
        id: story.id,
        tags: Some(story.tags),
    };
    Ok(stories.into_iter().map(article).collect())
}

fn authors() -> anyhow::Result<BTreeMap<String, SampleAuthor>> {
    serde_json::from_str(AUTHORS).context("the sample authors")
}

/// The sample comments, oldest first.
fn comments() -> anyhow::Result<Vec<SampleComment>> {
    let mut comments: Vec<SampleComment> = serde_json::from_str(COMMENTS).context("the sample comments")?;
    comments.sort_by(|a, b| b.hours_ago.total_cmp(&a.hours_ago));
    Ok(comments)
}

/// How many comments the sample holds.
pub(super) fn count() -> usize {
    comments().map_or(0, |comments| comments.len())
}

/// The sample comments, as the sample site had them before.
pub(super) fn earlier(now: Timestamp) -> anyhow::Result<Vec<Earlier>> {
    let authors = authors()?;
    let name = |key: &str| authors.get(key).map(|author| author.name.clone()).unwrap_or_default();
    let earlier = |sample: SampleComment| Earlier {
        at_ms: sample.at(now).as_millis(),
        name: name(&sample.author),
        id: sample.id,
        story: sample.article,
        parent: sample.parent_id,
        body: sample.body,
    };
    Ok(comments()?.into_iter().map(earlier).collect())
}

/// Sends the sample through the house as if it had come over the last ten days. What is there already is left alone.
pub(super) async fn fill(app: &App, site: &Arc<Site>, person: &Person, now: Timestamp) -> anyhow::Result<()> {
    let bounds = Bounds::default();
    let authors = authors()?;
    let comments = comments()?;
    let long_ago = comments.first().map_or(now, |first| first.at(now));
    for article in articles()? {
        app.intake().article(site.id, article.parse(&bounds)?, long_ago).await?;
    }
    for sample in comments {
        let at = sample.at(now);
        let new: NewComment = sample.draft(&authors, now)?.parse(&bounds)?;
        let taken = app.intake().submit(site, new, Route::Batch, Turn::any(), at).await?;
        if let (Some(action), false) = (sample.ruling, taken.replayed) {
            let seen = Seen { uid: taken.record.uid, seen_version: taken.record.version };
            let ask = Ask { items: vec![seen], action, category: sample.category, reason: None, note: None };
            app.review().decide(ask, person, at.plus_millis(RULED_AFTER_MS)).await?;
        }
    }
    Ok(())
}

/// Three comments to try, with what they show.
pub(super) fn tries() -> Vec<(&'static str, Value)> {
    vec![
        (
            "approve: a reader answers another",
            json!({
                "id": "try-approve", "article": {"id": "harbour-bridge"}, "parent_id": "h-08",
                "author": {"id": "u-105", "name": "Nadia from Mill Lane", "email": "nadia@club.example", "ip": "203.0.113.21"},
                "body": "The council papers say that the ferries to Customs Quay will run until midnight while the bridge is built. I hope that includes Sundays, or everyone with a late shift on the eastern bank will be stuck.",
                "typing_ms": 48_000, "honeypot": "",
            }),
        ),
        (
            "hold: the headline of an earlier campaign, now without its link and by somebody new",
            json!({
                "id": "try-hold", "article": {"id": "storm-ingrid"},
                "author": {"id": "u-930", "name": "Peter N", "email": "peter.n@inbox.example", "ip": "203.0.113.230"},
                "body": "Retired bank clerk reveals how ordinary people double their savings in nine days",
                "typing_ms": 2_100, "honeypot": "",
            }),
        ),
        (
            "reject: plain advertising by a bot that filled in the hidden field",
            json!({
                "id": "try-reject", "article": {"id": "rovers-semifinal"},
                "author": {"id": "u-931", "name": "best pills", "email": "order2@pills.example", "url": "http://cheap-pills-24.example", "ip": "198.51.100.241"},
                "body": "BUY cheap Viagra and Cialis online without prescription!!! Best price, fast delivery, click here http://cheap-pills-24.example/order http://meds-discount.example/viagra http://pills-now.example",
                "typing_ms": 350, "honeypot": "http://cheap-pills-24.example",
            }),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn sample_holds_together() {
        let now = Timestamp::from_millis(1_790_000_000_000);
        let (authors, comments) = (authors().unwrap(), comments().unwrap());
        let articles: BTreeSet<String> = articles().unwrap().into_iter().map(|article| article.id).collect();
        let mut ids = BTreeSet::new();
        for sample in &comments {
            assert!(articles.contains(&sample.article), "{}", sample.id);
            let parent = sample.parent_id.as_ref();
            assert!(parent.is_none_or(|parent| ids.contains(parent)), "{} answers what is not there yet", sample.id);
            assert!(ids.insert(sample.id.clone()), "{} twice", sample.id);
            sample.draft(&authors, now).unwrap().parse(&Bounds::default()).unwrap();
        }
        assert!(comments.len() >= 60 && articles.len() == 6);
    }

    #[test]
    fn tries_are_comments() {
        for (what, body) in tries() {
            let draft: Draft = serde_json::from_value(body).unwrap();
            assert!(draft.parse(&Bounds::default()).is_ok(), "{what}");
        }
    }
}
