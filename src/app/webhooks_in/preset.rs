//! Senders whose messages are known: how they sign, what they send, and what it means here.
//!
//! A source that names a preset says only what differs. Each has a message of its own among the tests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::mapping::{EventConfig, OneOrMany};
use super::scheme::{Scheme, SignatureConfig, Unit};

/// A known sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// GitHub: comments on issues and discussions.
    Github,
    /// Discourse: posts.
    Discourse,
    /// Ghost: posts, as articles. Ghost has no webhook for comments.
    Ghost,
    /// Coral: stories, as articles. Its webhooks hold no comment's text; that comes through its moderation phase.
    Coral,
}

/// What a preset says.
pub(super) struct Known {
    pub(super) signature: SignatureConfig,
    pub(super) event: EventConfig,
    pub(super) map: BTreeMap<String, OneOrMany>,
}

impl Preset {
    pub(super) fn known(self) -> Known {
        match self {
            Self::Github => github(),
            Self::Discourse => discourse(),
            Self::Ghost => ghost(),
            Self::Coral => coral(),
        }
    }
}

/// `sha256=` and hexadecimal over the body.
fn sha256(header: &str, id_header: Option<&str>) -> SignatureConfig {
    SignatureConfig {
        scheme: Some(Scheme::HmacSha256),
        header: Some(header.to_owned()),
        prefix: Some("sha256=".to_owned()),
        id_header: id_header.map(str::to_owned),
        ..SignatureConfig::default()
    }
}

fn github() -> Known {
    let both = |action: &str| vec![format!("issue_comment.{action}"), format!("discussion_comment.{action}")];
    Known {
        signature: sha256("X-Hub-Signature-256", Some("X-GitHub-Delivery")),
        event: EventConfig {
            from: many(&["header:X-GitHub-Event", "/action"]),
            create: both("created"),
            update: both("edited"),
            delete: both("deleted"),
            article: Vec::new(),
            ignore: list(&["*"]),
        },
        map: map(&[
            // Numbers of issues and of discussions may be the same; these never are.
            ("id", &["/comment/node_id"]),
            ("article.id", &["/issue/node_id", "/discussion/node_id"]),
            ("article.url", &["/issue/html_url", "/discussion/html_url"]),
            ("article.title", &["/issue/title", "/discussion/title"]),
            ("article.text", &["/issue/body", "/discussion/body"]),
            ("author.id", &["/comment/user/id"]),
            ("author.name", &["/comment/user/login"]),
            ("author.url", &["/comment/user/html_url"]),
            ("author.role", &["/comment/author_association"]),
            ("body", &["/comment/body"]),
            ("format", &["value:markdown"]),
            ("created_at", &["/comment/created_at"]),
        ]),
    }
}

fn discourse() -> Known {
    // Messages between people are none of our business: with the archetype in the event, they are not listed.
    let posts = |action: &str| vec![format!("post_{action}"), format!("post_{action}.regular")];
    Known {
        signature: sha256("X-Discourse-Event-Signature", Some("X-Discourse-Event-Id")),
        event: EventConfig {
            from: many(&["header:X-Discourse-Event", "/post/topic_archetype"]),
            create: [posts("created"), posts("recovered")].concat(),
            update: posts("edited"),
            delete: posts("destroyed"),
            article: Vec::new(),
            ignore: list(&["*"]),
        },
        map: map(&[
            ("id", &["/post/id"]),
            ("article.id", &["/post/topic_id"]),
            ("article.title", &["/post/topic_title"]),
            ("article.section", &["/post/category_slug"]),
            ("author.id", &["/post/user_id"]),
            ("author.name", &["/post/username"]),
            ("body", &["/post/cooked"]),
            ("format", &["value:html"]),
            ("created_at", &["/post/created_at"]),
        ]),
    }
}

fn ghost() -> Known {
    Known {
        signature: SignatureConfig {
            signed: Some("{body}{timestamp}".to_owned()),
            timestamp_part: Some("t=".to_owned()),
            timestamp_unit: Some(Unit::Ms),
            ..sha256("X-Ghost-Signature", None)
        },
        event: EventConfig {
            from: many(&["/post/current/status"]),
            article: list(&["published"]),
            ignore: list(&["*"]),
            ..EventConfig::default()
        },
        map: map(&[
            ("article.id", &["/post/current/id"]),
            ("article.url", &["/post/current/url"]),
            ("article.title", &["/post/current/title"]),
            ("article.text", &["/post/current/plaintext", "/post/current/excerpt"]),
            ("article.section", &["/post/current/primary_tag/slug"]),
        ]),
    }
}

fn coral() -> Known {
    Known {
        signature: sha256("X-Coral-Signature", None),
        event: EventConfig {
            from: many(&["/type"]),
            article: list(&["STORY_CREATED"]),
            ignore: list(&["*"]),
            ..EventConfig::default()
        },
        map: map(&[("article.id", &["/data/storyID"]), ("article.url", &["/data/storyURL"])]),
    }
}

fn list(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn many(items: &[&str]) -> OneOrMany {
    OneOrMany::Many(list(items))
}

fn map(fields: &[(&str, &[&str])]) -> BTreeMap<String, OneOrMany> {
    fields.iter().map(|(field, places)| ((*field).to_owned(), many(places))).collect()
}
