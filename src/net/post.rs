//! Sends one message over HTTP.
//!
//! No redirects, no proxies from the environment, no retries of its own; an answer's body is read within a bound and thrown away.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::RETRY_AFTER;
use reqwest::{Client, redirect, retry};

use super::guard::{BadHost, Forbidden, Guard};
use super::resolve::{Guarded, Lookup, System};
use crate::app::live::Live;
use crate::app::outbox::Config;
use crate::app::outbox::post::{Answer, Message, Post, PostError};

/// Bytes of an answer's body that are read so that its connection can be used again; beyond, the connection is closed.
const MAX_BODY: usize = 65_536;
/// For how long a connection is kept for the next message.
const KEEP: Duration = Duration::from_secs(30);

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// `webhooks.allow_hosts` cannot be read.
    #[error(transparent)]
    Host(#[from] BadHost),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    /// The client cannot be set up.
    #[error("the HTTP client cannot be set up")]
    Client(#[from] reqwest::Error),
}

/// See the module.
pub struct HttpPost {
    client: Client,
    guard: Arc<Guard>,
    timeout: Duration,
}

impl HttpPost {
    /// With the timeouts and the allowed hosts of `[webhooks]`.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(config: &Config) -> Result<Self, SetupError> {
        Self::resolving(config, Arc::new(System))
    }

    fn resolving(config: &Config, lookup: Arc<dyn Lookup>) -> Result<Self, SetupError> {
        let guard = Arc::new(Guard::new(&config.allow_hosts)?);
        let timeout = Duration::from_millis(u64::from(config.timeout_ms));
        let client = Client::builder()
            .tls_backend_preconfigured(tls()?)
            .dns_resolver(Guarded::new(Arc::clone(&guard), lookup))
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .connect_timeout(Duration::from_millis(u64::from(config.connect_timeout_ms)))
            .timeout(timeout)
            .pool_idle_timeout(KEEP)
            .user_agent(concat!("doorward/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, guard, timeout })
    }

    fn problem(&self, error: &reqwest::Error) -> PostError {
        if let Some(forbidden) = causes(error).find_map(|cause| cause.downcast_ref::<Forbidden>()) {
            return PostError::Forbidden(forbidden.to_string());
        }
        if error.is_timeout() {
            let what = if error.is_connect() { "no connection stood in time" } else { "no answer came" };
            return PostError::Failed(format!("{what} (an attempt may take {} ms)", self.timeout.as_millis()));
        }
        // The innermost cause says what happened; the outer ones repeat the address, which may hold secrets.
        let cause = causes(error).last().map_or_else(String::new, ToString::to_string);
        let what = if error.is_connect() { "no connection could be made" } else { "the connection broke" };
        PostError::Failed(format!("{what}: {}", cause.chars().take(300).collect::<String>()))
    }
}

/// What led to an error, outermost first, without the error itself.
fn causes<'a>(error: &'a reqwest::Error) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |error| (**error).source())
}

/// TLS by rustls with ring, trusting whom the operating system trusts.
pub(crate) fn tls() -> Result<rustls::ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // For whoever else makes a client in this process (tests do): without a provider that would panic. The first one wins.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (good, bad) = roots.add_parsable_certificates(found.certs);
    if good == 0 {
        tracing::warn!(bad, "no certificates of authorities are installed here: webhooks to https addresses will fail");
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// With the settings in force when it is sent.
#[async_trait]
impl Post for Live<HttpPost> {
    async fn post(&self, message: Message) -> Result<Answer, PostError> {
        self.get().post(message).await
    }
}

#[async_trait]
impl Post for HttpPost {
    async fn post(&self, message: Message) -> Result<Answer, PostError> {
        self.guard.check(&message.url).map_err(|forbidden| PostError::Forbidden(forbidden.to_string()))?;
        let request = self.client.post(message.url).header("content-type", "application/json").body(message.body);
        let request = message.headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let mut response = request.send().await.map_err(|error| self.problem(&error))?;
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let answer = Answer { status: response.status().as_u16(), retry_after };
        let mut read = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            read += chunk.len();
            if read > MAX_BODY {
                break;
            }
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::super::resolve::testing::Script;
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// A server on loopback that answers everything with `answer`; its port, and how often somebody connected.
    async fn server(answer: String) -> (u16, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connected = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connected);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let answer = answer.clone();
                tokio::spawn(async move {
                    let mut buffer = [0; 4_096];
                    let _ = stream.read(&mut buffer).await;
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        (port, connected)
    }

    fn ok() -> String {
        "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_owned()
    }

    fn message(url: &str) -> Message {
        let headers = vec![("webhook-id", "m-1".to_owned()), ("webhook-signature", "v1,x".to_owned())];
        Message { url: url.parse().unwrap(), headers, body: "{}".to_owned() }
    }

    fn post(allowed: &[&str], lookup: Arc<dyn Lookup>) -> HttpPost {
        let allow_hosts = allowed.iter().map(|host| (*host).to_owned()).collect();
        HttpPost::resolving(&Config { allow_hosts, timeout_ms: 2_000, ..Config::default() }, lookup).unwrap()
    }

    #[tokio::test]
    async fn nobody_is_connected_to_who_is_not_allowed() {
        let (port, connected) = server(ok()).await;
        let post = post(&[], Script::new(&[&["127.0.0.1"]]));
        for host in ["127.0.0.1", "localhost", "2130706433", "0177.1", "[::ffff:127.0.0.1]", "hooks.example", "0"] {
            let answer = post.post(message(&format!("http://{host}:{port}/"))).await;
            let Err(PostError::Forbidden(problem)) = answer else { panic!("{host}: {answer:?}") };
            assert!(problem.contains("webhooks.allow_hosts"), "{problem}");
        }
        assert_eq!(connected.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn the_address_that_was_checked_is_the_one_connected_to() {
        let (port, connected) = server(ok()).await;
        // Asked a second time, the name would lead elsewhere: it is asked once for each connection.
        let script = Script::new(&[&["127.0.0.1"], &["10.0.0.1"]]);
        let post = post(&["127.0.0.1"], Arc::clone(&script) as Arc<dyn Lookup>);
        let answer = post.post(message(&format!("http://hooks.example:{port}/"))).await;
        assert_eq!(answer.map(|answer| answer.status), Ok(204));
        assert_eq!((connected.load(Ordering::SeqCst), script.asked.load(Ordering::SeqCst)), (1, 1));
        let again = post.post(message(&format!("http://hooks.example:{port}/"))).await;
        assert!(matches!(again, Err(PostError::Forbidden(_))), "{again:?}");
    }

    #[tokio::test]
    async fn redirects_are_not_followed() {
        let (target, reached) = server(ok()).await;
        let redirect = format!(
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:{target}/\r\nconnection: close\r\n\r\n"
        );
        let (port, _) = server(redirect).await;
        let post = post(&["127.0.0.1"], Arc::new(System));
        let answer = post.post(message(&format!("http://127.0.0.1:{port}/"))).await;
        assert_eq!(answer.map(|answer| answer.status), Ok(307));
        assert_eq!(reached.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn an_answer_without_end_is_read_up_to_a_bound() {
        let body = "x".repeat(MAX_BODY * 4);
        let (port, _) =
            server(format!("HTTP/1.1 200 OK\r\nretry-after: 7\r\ncontent-length: 999999999\r\n\r\n{body}")).await;
        let post = post(&["127.0.0.1"], Arc::new(System));
        let answer = post.post(message(&format!("http://127.0.0.1:{port}/"))).await;
        assert_eq!(answer, Ok(Answer { status: 200, retry_after: Some("7".to_owned()) }));
    }

    #[tokio::test]
    async fn a_failure_says_why_without_the_addresss_secrets() {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let post = post(&["127.0.0.1"], Arc::new(System));
        let answer = post.post(message(&format!("http://127.0.0.1:{port}/secret-path?token=hush"))).await;
        let Err(PostError::Failed(problem)) = answer else { panic!("{answer:?}") };
        assert!(problem.contains("refused") && !problem.contains("secret") && !problem.contains("hush"), "{problem}");
    }
}
