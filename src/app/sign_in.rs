//! Signing in to the console: password, second factor, sessions.
//!
//! Whoever tries is counted before anything is compared, and an account that does not exist takes as long as one that does. A cookie is 256 random
//! bits, stored as its hash; what an unsafe request must carry besides is derived from it, so that nobody who only makes a browser send the cookie
//! can know it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

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
use totp_rs::{Builder, Totp};

use super::keys;
use super::limits::local::{Config as LimitsConfig, Key, LocalLimiter, OnLimit, PolicyConfig};
use super::limits::{Limiter as _, RateLimited, Route, Subject, Tier};
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
/// Recovery codes of an account.
const RECOVERY: usize = 10;
/// What tickets and seeds are sealed for.
const TICKET: &str = "ticket";
/// The field of a sealed seed.
pub(super) const SEED: &str = "totp";

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

/// A second factor that is being set up.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// The seed in base32, for typing in.
    pub seed: String,
    /// The same as an `otpauth` URL.
    pub url: String,
    /// Sealed, to come back with the first code.
    pub sealed: String,
}

/// See the module.
pub struct SignIn {
    store: Arc<dyn Store>,
    sealer: Sealer,
    config: Config,
    limits: LocalLimiter,
    known: Mutex<HashMap<KeyHash, (LiveSession, Timestamp)>>,
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
    pub fn new(store: Arc<dyn Store>, sealer: Sealer, config: Config, seed: u64) -> Result<Self, SignInError> {
        let limits = LocalLimiter::new(&limits(), seed).map_err(|error| SignInError::Secret(error.to_string()))?;
        let nobody = hash_password(&seed.to_string())?;
        Ok(Self {
            store,
            sealer,
            config,
            limits,
            known: Mutex::default(),
            nobody,
            comparing: Semaphore::new(COMPARED_AT_ONCE),
        })
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

    async fn code_opens(&self, found: &Credentials, code: &str, now: Timestamp) -> Result<bool, SignInError> {
        let code: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect::<String>().to_lowercase();
        let Some(sealed) = &found.totp else { return Ok(false) }; // taken away since the password
        let seed = self.sealer.unseal(&found.person.email, SEED, sealed)?;
        if let Some(step) = factor(&seed, &found.person.email)?.check(&code, seconds(now)) {
            return Ok(self.store.totp_use(&found.person, step).await?);
        }
        Ok(self.store.recovery_use(&found.person, &keys::hash(&code), now).await?)
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
            expires_at: now.plus_millis(i64::from(self.config.session_max_h) * 3_600_000),
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
        let seen_since = now.plus_millis(-i64::from(self.config.session_idle_min) * 60_000);
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
        known.insert(hash, (live.clone(), now.plus_millis(REMEMBERED_MS)));
        Ok(Some(live))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<KeyHash, (LiveSession, Timestamp)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the session of a cookie.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sign_out(&self, cookie: &str, now: Timestamp) -> Result<bool, StoreError> {
        let hash = keys::hash(cookie);
        let ended = self.store.session_end(&hash, now).await?;
        self.known().remove(&hash);
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
        self.known().clear();
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
        self.known().clear();
        Ok(())
    }

    async fn confirm(&self, person: &Person, password: &str, from: &Origin, now: Timestamp) -> Result<(), SignInError> {
        self.count(&person.email, from, now).await?;
        let found = self.store.credentials(&person.email).await?.ok_or(SignInError::Wrong)?;
        if self.verify(found.password, password).await? { Ok(()) } else { Err(SignInError::Wrong) }
    }

    /// Begins to give a person a second factor; nothing is stored.
    ///
    /// # Errors
    /// Sealing or randomness failed.
    pub fn enrol(&self, person: &Person) -> Result<Enrolment, SignInError> {
        let mut bytes = [0; 20];
        getrandom::fill(&mut bytes).map_err(|error| SignInError::Secret(error.to_string()))?;
        let seed = totp_rs::Secret::new(Box::new(bytes)).to_base32();
        self.enrolment(person, seed)
    }

    fn enrolment(&self, person: &Person, seed: String) -> Result<Enrolment, SignInError> {
        let url = factor(&seed, &person.email)?.to_url().map_err(|error| SignInError::Secret(error.to_string()))?;
        let sealed = URL_SAFE_NO_PAD.encode(self.sealer.seal(&person.email, SEED, &seed)?);
        Ok(Enrolment { seed, url, sealed })
    }

    /// The same enrolment again, from what was sealed.
    ///
    /// # Errors
    /// `Late`: not sealed here for this person.
    pub fn enrol_again(&self, person: &Person, sealed: &str) -> Result<Enrolment, SignInError> {
        let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| SignInError::Late)?;
        let seed = self.sealer.unseal(&person.email, SEED, &bytes).map_err(|_| SignInError::Late)?;
        self.enrolment(person, seed)
    }

    /// Ends an enrolment with its first code; answers the recovery codes, which nobody can show again.
    ///
    /// # Errors
    /// [`SignInError`]: `WrongCode`, `Late`.
    pub async fn enrolled(
        &self,
        person: &Person,
        sealed: &str,
        code: &str,
        cookie: &str,
        now: Timestamp,
    ) -> Result<Vec<String>, SignInError> {
        let seed = self.enrol_again(person, sealed)?.seed;
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        let step = factor(&seed, &person.email)?.check(&code, seconds(now)).ok_or(SignInError::WrongCode)?;
        let codes = (0..RECOVERY).map(|_| recovery_code()).collect::<Result<Vec<_>, _>>()?;
        let hashes = codes.iter().map(|code| keys::hash(&code.replace('-', ""))).collect();
        let sealed = self.sealer.seal(&person.email, SEED, &seed)?;
        if !self.store.totp_set(person, sealed, step, hashes, &keys::hash(cookie), now).await? {
            return Err(SignInError::Late); // there is one already: it goes with the password only
        }
        self.known().clear();
        Ok(codes)
    }

    /// Takes a person's second factor away, for their password.
    ///
    /// # Errors
    /// [`SignInError`]: `Wrong`.
    pub async fn unenrol(
        &self,
        person: &Person,
        password: &str,
        from: &Origin,
        now: Timestamp,
    ) -> Result<(), SignInError> {
        self.confirm(person, password, from, now).await?;
        self.store.totp_clear(person, now).await?;
        self.known().clear();
        Ok(())
    }

    /// Recovery codes that a person has left.
    ///
    /// # Errors
    /// The store failed.
    pub async fn recovery_left(&self, person: &Person) -> Result<u64, StoreError> {
        self.store.recovery_left(person).await
    }

    /// Whether a session must get a second factor before anything else.
    #[must_use]
    pub const fn must_enrol(&self, live: &LiveSession) -> bool {
        self.config.require_totp && !live.has_totp
    }

    /// Seconds after which a browser may forget the cookie.
    #[must_use]
    pub const fn cookie_max_s(&self) -> i64 {
        self.config.session_max_h as i64 * 3_600
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
fn limits() -> LimitsConfig {
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

fn seconds(now: Timestamp) -> u64 {
    u64::try_from(now.as_millis() / 1_000).unwrap_or_default()
}

/// RFC 6238 as authenticators know it: SHA-1, six digits, thirty seconds, one step of slack either way.
fn factor(seed: &str, email: &str) -> Result<Totp, SignInError> {
    let wrong = |error: &dyn std::fmt::Display| SignInError::Secret(format!("the second factor: {error}"));
    let secret = totp_rs::Secret::try_from_base32(seed).map_err(|error| wrong(&error))?;
    let account = email.replace(':', "_"); // parts issuer and account in the URL
    let builder = Builder::new().with_secret(secret).with_account_name(account).with_issuer(Some("Doorward"));
    builder.build().map_err(|error| wrong(&error))
}

/// 80 random bits in four groups of letters and digits that cannot be mistaken for each other.
fn recovery_code() -> Result<String, SignInError> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| SignInError::Secret(error.to_string()))?;
    let mut code = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        if at > 0 && at % 4 == 0 {
            code.push('-');
        }
        code.push(char::from(LETTERS[usize::from(byte % 32)]));
    }
    Ok(code)
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

    #[test]
    fn codes_are_those_of_the_rfc() {
        // RFC 6238, appendix B, SHA-1, the last six of eight digits.
        let seed = totp_rs::Secret::new(Box::new(*b"12345678901234567890")).to_base32();
        for (at, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            assert_eq!(factor(&seed, "a@b.example").unwrap().check(code, at), Some(at / 30), "{at}");
        }
    }

    #[test]
    fn recovery_codes_are_long_and_differ() {
        let (one, two) = (recovery_code().unwrap(), recovery_code().unwrap());
        assert_eq!((one.len(), one.matches('-').count()), (19, 3));
        assert_ne!(one, two);
    }
}
