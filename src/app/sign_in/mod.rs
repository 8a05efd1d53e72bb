//! Signing in to the console: password, second factor, sessions.
//!
//! Whoever tries is counted before anything is compared, and an account that does not exist takes as long as one that does. A cookie is 256 random
//! bits, stored as its hash; what an unsafe request must carry besides is derived from it, so that nobody who only makes a browser send the cookie
//! can know it.

mod factor;

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use self::factor::Enrolment;
pub(super) use self::factor::SEED;
use argon2::Argon2;
use argon2::password_hash::PasswordVerifier as _;
use argon2::password_hash::phc::PasswordHash;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;

use super::keys;
use super::limits::local::{Config as LimitsConfig, Key, LocalLimiter, OnLimit, PolicyConfig};
use super::limits::{Limiter, RateLimited, Route, Subject, Tier};
use super::live::Live;
use super::secrets::{Sealer, SecretError};
use crate::domain::decision::Actor;
use crate::domain::people::Person;
use crate::domain::session::{Credentials, LiveSession, NewSession, SessionKnown};
use crate::domain::site::SiteId;
use crate::domain::store::{AuditEntry, KeyHash, Store, StoreError};
use crate::domain::time::Timestamp;

/// How long a session that was found is not looked up again, in milliseconds.
const REMEMBERED_MS: i64 = 3_000;
/// Sessions remembered at most.
const MOST: usize = 10_000;
/// How often it is noted that a session was seen, in milliseconds.
const NOTED_EVERY_MS: u64 = 60_000;
/// How long somebody may take between password and code, in milliseconds.
const TICKET_MS: i64 = 300_000;
/// Bytes of a password, at least and at most.
const PASSWORD: std::ops::RangeInclusive<usize> = 12..=512;
/// Passwords that are compared at once.
const COMPARED_AT_ONCE: usize = 4;
/// What tickets and seeds are sealed for.
const TICKET: &str = "ticket";

/// `[console]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Minutes after which a session that was not seen is over.
    pub session_idle_min: u32,
    /// Hours after which a session is over, used or not.
    pub session_max_h: u32,
    /// Whether everybody needs a second factor before anything else.
    pub require_totp: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { session_idle_min: 720, session_max_h: 168, require_totp: false }
    }
}

/// A setting that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("console.{0}: must be at least 1")]
pub struct BadConsole(&'static str);

impl Config {
    /// Whether it can work.
    ///
    /// # Errors
    /// [`BadConsole`], naming the key.
    pub const fn check(&self) -> Result<(), BadConsole> {
        match self {
            Self { session_idle_min: 0, .. } => Err(BadConsole("session_idle_min")),
            Self { session_max_h: 0, .. } => Err(BadConsole("session_max_h")),
            _ => Ok(()),
        }
    }
}

/// Why somebody was not let in. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Not this address with this password, or the account is closed.
    #[error("address and password do not belong together")]
    Wrong,
    /// Not a code that is valid now, or one that was used.
    #[error("this code is not valid now")]
    WrongCode,
    /// Too long between password and code.
    #[error("too much time has passed; begin again")]
    Late,
    /// Too many attempts.
    #[error("too many attempts")]
    Limited(#[source] RateLimited),
    /// A new password that is too short or too long.
    #[error("a password has {} to {} bytes", PASSWORD.start(), PASSWORD.end())]
    Password,
    /// Hashing, sealing or randomness failed.
    #[error("{0}")]
    Secret(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<SecretError> for SignInError {
    fn from(error: SecretError) -> Self {
        Self::Secret(error.to_string())
    }
}

/// Where somebody comes from who wants to sign in.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The address; `None` when nobody knows.
    pub ip: Option<IpAddr>,
    /// What the browser says of itself.
    pub agent: String,
}

/// What follows from a right password.
#[derive(Debug)]
pub enum Step {
    /// A session: its cookie.
    In(String),
    /// The account has a second factor: what comes back with the code.
    Code(String),
}

/// See the module.
pub struct SignIn {
    store: Arc<dyn Store>,
    sealer: Sealer,
    config: Live<Config>,
    limits: Arc<dyn Limiter>,
    known: Mutex<HashMap<KeyHash, (LiveSession, Timestamp)>>,
    /// How often sessions were forgotten: what was read before that is not remembered.
    forgotten: AtomicU64,
    /// A hash of nothing that anybody knows, compared with when there is no account.
    nobody: String,
    /// Passwords that are compared at once: each takes 19 MiB and tens of milliseconds of a core.
    comparing: Semaphore,
}

impl SignIn {
    /// Joins the ports; `seed` is random.
    ///
    /// # Errors
    /// A password could not be hashed.
    pub fn new(
        store: Arc<dyn Store>,
        sealer: Sealer,
        config: impl Into<Live<Config>>,
        seed: u64,
    ) -> Result<Self, SignInError> {
        let limits = LocalLimiter::new(&limits(), seed).map_err(|error| SignInError::Secret(error.to_string()))?;
        let nobody = hash_password(&seed.to_string())?;
        Ok(Self {
            store,
            sealer,
            config: config.into(),
            limits: Arc::new(limits),
            known: Mutex::default(),
            forgotten: AtomicU64::new(0),
            nobody,
            comparing: Semaphore::new(COMPARED_AT_ONCE),
        })
    }

    /// Counts attempts with `limits`, made of [`limits`], in place of this process's own.
    #[must_use]
    pub fn limited_by(self, limits: Arc<dyn Limiter>) -> Self {
        Self { limits, ..self }
    }

    /// Begins with a password.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn begin(&self, email: &str, password: &str, from: &Origin, now: Timestamp) -> Result<Step, SignInError> {
        self.count(email, from, now).await?;
        let found = self.store.credentials(email).await?;
        let hash = found.as_ref().map_or(&self.nobody, |found| &found.password).clone();
        let fits = self.verify(hash, password).await?;
        let Some(Credentials { person, password, totp }) = found.filter(|_| fits) else {
            self.failed(email, now).await?;
            return Err(SignInError::Wrong);
        };
        if totp.is_some() {
            let until = now.plus_millis(TICKET_MS).as_millis();
            let ticket = format!("{until} {} {}", URL_SAFE_NO_PAD.encode(keys::hash(&password)), person.email);
            let sealed = self.sealer.seal("", TICKET, &ticket)?;
            return Ok(Step::Code(URL_SAFE_NO_PAD.encode(sealed)));
        }
        Ok(Step::In(self.open(person, password, from, now).await?))
    }

    /// Goes on with a code of the second factor, or a recovery code; answers the cookie.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn finish(&self, ticket: &str, code: &str, from: &Origin, now: Timestamp) -> Result<String, SignInError> {
        let sealed = URL_SAFE_NO_PAD.decode(ticket).map_err(|_| SignInError::Late)?;
        let opened = self.sealer.unseal("", TICKET, &sealed).map_err(|_| SignInError::Late)?;
        let mut parts = opened.splitn(3, ' ');
        let (Some(until), Some(password), Some(email)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(SignInError::Late);
        };
        if until.parse::<i64>().map_or(true, |until| until < now.as_millis()) {
            return Err(SignInError::Late);
        }
        self.count(email, from, now).await?;
        let found = self.store.credentials(email).await?.ok_or(SignInError::Wrong)?;
        if URL_SAFE_NO_PAD.encode(keys::hash(&found.password)) != password {
            return Err(SignInError::Late); // it was changed since
        }
        if !self.code_opens(&found, code, now).await? {
            self.failed(email, now).await?;
            return Err(SignInError::WrongCode);
        }
        self.open(found.person, found.password, from, now).await
    }

    /// Counts an attempt.
    async fn count(&self, email: &str, from: &Origin, now: Timestamp) -> Result<(), SignInError> {
        let network = network(from.ip);
        let both = format!("{} {network}", email.to_lowercase());
        let subject = Subject {
            site: SiteId(0),
            route: Route::SignIn,
            tier: Tier::New,
            ip: from.ip,
            author: Some(&both),
            email: Some(email),
        };
        self.limits.take(&subject, now).await.map(drop).map_err(SignInError::Limited)
    }

    async fn verify(&self, hash: String, password: &str) -> Result<bool, SignInError> {
        let turn = self.comparing.acquire().await;
        let fits = verify(hash, password.to_owned()).await;
        drop(turn);
        fits
    }

    async fn failed(&self, email: &str, now: Timestamp) -> Result<(), SignInError> {
        // Whoever writes a password into the field for the address must not find it in the record.
        let known = self.store.credentials(email).await?;
        let subject = known.map_or_else(|| "unknown".to_owned(), |known| known.person.email);
        let entry = AuditEntry {
            by: Actor::Console,
            action: "session.refused".to_owned(),
            subject,
            detail: String::new(),
            at: now,
        };
        Ok(self.store.audit_note(entry).await?)
    }

    async fn open(
        &self,
        person: Person,
        password: String,
        from: &Origin,
        now: Timestamp,
    ) -> Result<String, SignInError> {
        let cookie = keys::generate("").map_err(|error| SignInError::Secret(error.to_string()))?;
        let new = NewSession {
            hash: keys::hash(&cookie),
            person,
            password,
            at: now,
            expires_at: now.plus_millis(i64::from(self.config.get().session_max_h) * 3_600_000),
            agent: from.agent.chars().filter(|c| !c.is_control()).take(120).collect(),
            network: network(from.ip),
        };
        if self.store.session_open(new).await? { Ok(cookie) } else { Err(SignInError::Wrong) }
    }

    /// Whom a cookie stands for; `None` when nobody.
    ///
    /// # Errors
    /// The store could not be asked.
    pub async fn session(&self, cookie: &str, now: Timestamp) -> Result<Option<LiveSession>, StoreError> {
        self.found(cookie, true, now).await
    }

    /// The same for a page that is merely open: that nobody left it keeps no session alive.
    ///
    /// # Errors
    /// The store could not be asked.
    pub async fn session_unseen(&self, cookie: &str, now: Timestamp) -> Result<Option<LiveSession>, StoreError> {
        self.found(cookie, false, now).await
    }

    async fn found(&self, cookie: &str, is_seen: bool, now: Timestamp) -> Result<Option<LiveSession>, StoreError> {
        let hash = keys::hash(cookie);
        if let Some((live, until)) = self.known().get(&hash)
            && now < *until
            && now >= until.plus_millis(-REMEMBERED_MS)
        {
            return Ok(Some(live.clone()));
        }
        let forgotten = self.forgotten.load(Ordering::Relaxed);
        let seen_since = now.plus_millis(-i64::from(self.config.get().session_idle_min) * 60_000);
        let Some(live) = self.store.session_find(&hash, seen_since, now).await? else {
            self.known().remove(&hash);
            return Ok(None);
        };
        if is_seen && now.millis_since(live.seen_at) >= NOTED_EVERY_MS {
            self.store.session_seen(&hash, now).await?;
        }
        if !is_seen {
            return Ok(Some(live));
        }
        let mut known = self.known();
        if known.len() >= MOST {
            known.clear();
        }
        if self.forgotten.load(Ordering::Relaxed) == forgotten {
            known.insert(hash, (live.clone(), now.plus_millis(REMEMBERED_MS)));
        }
        Ok(Some(live))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<KeyHash, (LiveSession, Timestamp)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets which sessions were found: one may have ended, here or in another process.
    pub fn forget(&self) {
        let mut known = self.known();
        known.clear();
        self.forgotten.fetch_add(1, Ordering::Relaxed); // while nobody else has the sessions: who reads now compares afterwards
    }

    /// Ends the session of a cookie.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sign_out(&self, cookie: &str, now: Timestamp) -> Result<bool, StoreError> {
        let hash = keys::hash(cookie);
        let ended = self.store.session_end(&hash, now).await?;
        self.forget();
        Ok(ended)
    }

    /// A person's open sessions.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sessions(&self, person: &Person, now: Timestamp) -> Result<Vec<SessionKnown>, StoreError> {
        self.store.sessions(person, now).await
    }

    /// Ends one of them. `false` when there is none of that name.
    ///
    /// # Errors
    /// The store failed.
    pub async fn revoke(&self, person: &Person, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        let ended = self.store.session_revoke(person, id, now).await?;
        self.forget();
        Ok(ended)
    }

    /// Gives a person another password, and ends their other sessions.
    ///
    /// # Errors
    /// [`SignInError`]: `Wrong` when `old` is not the present one.
    pub async fn change_password(
        &self,
        person: &Person,
        old: &str,
        new: &str,
        cookie: &str,
        from: &Origin,
        now: Timestamp,
    ) -> Result<(), SignInError> {
        self.confirm(person, old, from, now).await?;
        if !PASSWORD.contains(&new.len()) {
            return Err(SignInError::Password);
        }
        let new = new.to_owned();
        let hash = off_the_workers(move || hash_password(&new)).await??;
        self.store.password_change(person, &hash, &keys::hash(cookie), now).await?;
        self.forget();
        Ok(())
    }

    async fn confirm(&self, person: &Person, password: &str, from: &Origin, now: Timestamp) -> Result<(), SignInError> {
        self.count(&person.email, from, now).await?;
        let found = self.store.credentials(&person.email).await?.ok_or(SignInError::Wrong)?;
        if self.verify(found.password, password).await? { Ok(()) } else { Err(SignInError::Wrong) }
    }

    /// Whether a session must get a second factor before anything else.
    #[must_use]
    pub fn must_enrol(&self, live: &LiveSession) -> bool {
        self.config.get().require_totp && !live.has_totp
    }

    /// Seconds after which a browser may forget the cookie.
    #[must_use]
    pub fn cookie_max_s(&self) -> i64 {
        i64::from(self.config.get().session_max_h) * 3_600
    }
}

/// What unsafe requests of a session carry besides its cookie: HMAC-SHA256 under the cookie, so that it can be known only with it.
#[must_use]
pub fn csrf_token(cookie: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(cookie.as_bytes()).map(|mac| mac.chain_update(b"doorward csrf"));
    mac.map(|mac| URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())).unwrap_or_default()
}

/// Whether it is that session's token.
#[must_use]
pub fn csrf_fits(cookie: &str, token: &str) -> bool {
    let expected = csrf_token(cookie);
    !expected.is_empty() && bool::from(expected.as_bytes().ct_eq(token.as_bytes()))
}

/// How often somebody may try: an account from one network, any account from one network, an account from everywhere. The last is wide, because
/// whoever fills it keeps its owner out.
#[must_use]
pub fn limits() -> LimitsConfig {
    let policy = |name: &str, key, quota: u32, window_s: u32| PolicyConfig {
        name: name.to_owned(),
        key,
        quota: NonZeroU32::new(quota).unwrap_or(NonZeroU32::MIN),
        window_s: NonZeroU32::new(window_s).unwrap_or(NonZeroU32::MIN),
        on_limit: OnLimit::Refuse,
        routes: vec![Route::SignIn],
        tiers: vec![Tier::New],
    };
    LimitsConfig {
        enabled: true,
        max_keys: 100_000,
        policies: vec![
            policy("sign-in", Key::Author, 10, 900),
            policy("sign-in-network", Key::Network, 60, 900),
            policy("sign-in-account", Key::Email, 200, 3_600),
        ],
    }
}

fn network(ip: Option<IpAddr>) -> String {
    let Some(ip) = ip else { return String::new() };
    let bits = if ip.is_ipv4() { 24 } else { 48 };
    ipnet::IpNet::new(ip, bits).map(|net| net.trunc().to_string()).unwrap_or_default()
}

fn hash_password(password: &str) -> Result<String, SignInError> {
    super::admin::hash_password(password).map_err(|error| SignInError::Secret(error.to_string()))
}

/// argon2id takes tens of milliseconds of a core: not on a worker that others wait for.
async fn verify(hash: String, password: String) -> Result<bool, SignInError> {
    off_the_workers(move || {
        let hash = PasswordHash::new(&hash)
            .map_err(|error| SignInError::Secret(format!("a stored password cannot be read: {error}")))?;
        Ok(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    })
    .await?
}

async fn off_the_workers<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, SignInError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| SignInError::Secret(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_fits_its_own_cookie_only() {
        let token = csrf_token("one");
        assert!(csrf_fits("one", &token));
        for (cookie, token) in [("two", token.as_str()), ("one", ""), ("one", "one"), ("", token.as_str())] {
            assert!(!csrf_fits(cookie, token), "{cookie:?} {token:?}");
        }
    }
}
