//! The way to Doorward: its public HTTP API, with the site's key.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode, redirect};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::SetupError;
use super::board::{News, State};

/// For how long an answer is waited for: a reader waits as well.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of an answer at most.
const MAX_ANSWER: usize = 8 << 20;

/// What Doorward answers about a comment, as far as the site reads it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Answer {
    pub(super) id: String,
    pub(super) uid: String,
    pub(super) version: u64,
    pub(super) status: State,
    #[serde(default)]
    pub(super) shadow: bool,
    pub(super) decided_by: String,
    pub(super) verdict: Verdict,
    #[serde(default)]
    pub(super) appeal: Option<AppealAnswer>,
}

impl Answer {
    pub(super) fn news(&self) -> News {
        News { uid: self.uid.clone(), version: self.version, state: self.status, shadow: self.shadow }
    }
}

/// Why.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Verdict {
    pub(super) category: Option<String>,
    pub(super) scores: BTreeMap<String, f64>,
    pub(super) signals: Vec<Signal>,
}

/// One check.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Signal {
    pub(super) id: String,
    pub(super) log_odds: f64,
    pub(super) outcome: String,
    pub(super) mode: String,
    pub(super) evidence: Option<String>,
}

/// How often a comment was voted for and against.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Votes {
    pub(super) up: u32,
    pub(super) down: u32,
}

/// What became of an appeal.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct AppealAnswer {
    pub(super) state: String,
    #[serde(default)]
    pub(super) answer: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Answer>,
    next_cursor: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// It may be different later.
    #[error("Doorward cannot be reached, or asks to be left alone for a while")]
    Later,
    /// It will not be different.
    #[error("Doorward refuses it with {0}")]
    Refused(StatusCode),
}

/// What Doorward is told about whoever wrote a comment.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Author {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) ip: Option<String>,
    pub(super) user_agent: Option<String>,
    pub(super) role: Option<String>,
    pub(super) registered_at: Option<String>,
}

/// See the module.
pub(super) struct Doorward {
    client: reqwest::Client,
    address: String,
    key: String,
}

impl Doorward {
    pub(super) fn new(address: String, key: String) -> Result<Self, SetupError> {
        // Doorward is on loopback: no certificate is ever looked at.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self { client, address, key })
    }

    /// Sends a comment. The same again is answered with what is recorded.
    pub(super) async fn comment(&self, body: &Value) -> Result<Answer, Trouble> {
        self.ask(Method::POST, "/v1/comments", Some(body)).await
    }

    /// Passes a reader's vote on: 1, -1, or 0 to take it back.
    pub(super) async fn vote(&self, id: &str, reader: &str, value: i8) -> Result<Votes, Trouble> {
        let body = json!({"reader_id": reader, "value": value});
        self.ask(Method::POST, &format!("/v1/comments/{}/votes", escaped(id)), Some(&body)).await
    }

    /// Passes a reader's report on.
    pub(super) async fn report(&self, id: &str, body: &Value) -> Result<(), Trouble> {
        let _: Value = self.ask(Method::POST, &format!("/v1/comments/{}/reports", escaped(id)), Some(body)).await?;
        Ok(())
    }

    /// Asks for another look in the author's name.
    pub(super) async fn appeal(&self, id: &str, text: &str) -> Result<AppealAnswer, Trouble> {
        let body = json!({"text": text});
        self.ask(Method::POST, &format!("/v1/comments/{}/appeals", escaped(id)), Some(&body)).await
    }

    /// A page of the site's comments and where the next one begins.
    pub(super) async fn page(&self, cursor: Option<&str>) -> Result<(Vec<Answer>, Option<String>), Trouble> {
        let cursor = cursor.map(|cursor| format!("&cursor={}", escaped(cursor))).unwrap_or_default();
        let page: Page = self.ask(Method::GET, &format!("/v1/comments?limit=200{cursor}"), None).await?;
        Ok((page.items, page.next_cursor))
    }

    async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, Trouble> {
        let mut request = self.client.request(method, format!("{}{path}", self.address)).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let mut response = request.send().await.map_err(|_| Trouble::Later)?;
        let status = response.status();
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) || status.is_server_error() {
            return Err(Trouble::Later);
        }
        if !status.is_success() {
            return Err(Trouble::Refused(status));
        }
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| Trouble::Later)? {
            answer.extend_from_slice(&chunk);
            if answer.len() > MAX_ANSWER {
                return Err(Trouble::Later);
            }
        }
        serde_json::from_slice(&answer).map_err(|_| Trouble::Later)
    }
}

/// `text` as one part of an address.
fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}
