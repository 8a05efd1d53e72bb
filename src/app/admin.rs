//! What operators do: sites, people, tokens. Secrets are made here at random, shown once, and stored hashed or sealed.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::PasswordHasher as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::akismet::lookup::{Lookup, LookupError};
use super::keys;
use super::outbox::address::{self, BadAddress};
use super::rotation::{self, Rotated, RotationError};
use super::secrets::{Sealer, SecretError};
use crate::domain::decision::Actor;
use crate::domain::people::{Person, Reach, Role};
use crate::domain::site::{Scope, Site};
use crate::domain::store::{CreateError, SealedSecrets, SecretKind, Store, StoreError, TokenKnown};
use crate::domain::time::Timestamp;

/// What a new site's first key may do.
pub const FIRST_SCOPES: [Scope; 2] = [Scope::Post, Scope::Read];

/// Why an operator's wish was not granted. Nothing was changed, except where the store cannot know.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The name cannot name a site.
    #[error("`{0}` cannot name a site: 1 to 64 of a-z, 0-9, -, _ and ., starting with a letter or digit")]
    SiteName(String),
    /// What should be a web address is none.
    #[error("`{0}` is not a web address such as https://news.example/")]
    Url(String),
    /// What should be a webhook's address is none.
    #[error("the webhook's address {0}")]
    Webhook(#[from] BadAddress),
    /// What should be an e-mail address is none.
    #[error("`{0}` is not an e-mail address")]
    Email(String),
    /// It exists already.
    #[error("{0} exists already")]
    Exists(String),
    /// There is no such site.
    #[error("there is no site `{0}`")]
    NoSite(String),
    /// There is no such account, or it is closed.
    #[error("there is no open account `{0}`")]
    NoPerson(String),
    /// There is no such token, or more than one whose name begins so.
    #[error("`{0}` has no token whose id begins so, or several; `token list` shows them")]
    NoToken(String),
    /// What a person is to work on cannot be understood.
    #[error("{0}")]
    Reach(String),
    /// What should be Coral's signing secret is none.
    #[error(
        "that is not a signing secret of Coral: 16 to 512 printable characters without blanks, as its page shows them"
    )]
    CoralSecret,
    /// A password could not be hashed.
    #[error("the password could not be hashed: {0}")]
    Password(argon2::password_hash::Error),
    /// A secret could not be made or sealed.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The key was not rotated, or not to the end.
    #[error(transparent)]
    Rotation(#[from] RotationError),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl From<CreateError> for AdminError {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Exists(what) => Self::Exists(what),
            CreateError::Store(error) => Self::Store(error),
        }
    }
}

impl From<LookupError> for AdminError {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::Secret(error) => Self::Secret(error),
            LookupError::Store(error) => Self::Store(error),
        }
    }
}

impl From<getrandom::Error> for AdminError {
    fn from(error: getrandom::Error) -> Self {
        Self::Secret(error.into())
    }
}

/// Everything secret about a new site. Shown once.
#[derive(Serialize)]
pub struct SiteSecrets {
    /// The site's name.
    pub site: String,
    /// Its bearer key.
    pub key: String,
    /// Its Akismet key: 12 lower-case letters and digits.
    pub akismet_key: String,
    /// What signs the webhooks that it sends.
    pub inbound_secret: String,
    /// What signs the webhooks that it receives.
    pub webhook_secret: String,
}

/// A new bearer key. Shown once.
#[derive(Serialize)]
pub struct NewKey {
    /// The site's name.
    pub site: String,
    /// The key.
    pub key: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

/// A new Akismet key. Shown once.
#[derive(Serialize)]
pub struct NewAkismetKey {
    /// The site's name.
    pub site: String,
    /// The key: 12 hexadecimal digits.
    pub akismet_key: String,
}

/// A new webhook secret. Shown once.
#[derive(Serialize)]
pub struct NewSecret {
    /// The site's name.
    pub site: String,
    /// The secret.
    pub secret: String,
    /// Until when the one before is valid, too.
    pub before_valid_until: Timestamp,
}

/// A new password. Shown once.
#[derive(Serialize)]
pub struct NewPassword {
    /// Whose.
    pub email: String,
    /// The password.
    pub password: String,
}

/// A new personal token. Shown once.
#[derive(Serialize)]
pub struct NewToken {
    /// The token.
    pub token: String,
}

/// The operator's desk.
pub struct Admin {
    store: Arc<dyn Store>,
    sealer: Sealer,
}

impl Admin {
    /// Joins the store and the key that secrets are sealed with.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, sealer: Sealer) -> Self {
        Self { store, sealer }
    }

    /// Creates a site with its first key and its secrets.
    ///
    /// # Errors
    /// `SiteName`, `Url`, `Exists`, `Secret`, `Store`.
    pub async fn site_create(
        &self,
        name: &str,
        url: Option<&str>,
        webhook: Option<&str>,
        now: Timestamp,
    ) -> Result<SiteSecrets, AdminError> {
        if !Site::is_valid_name(name) {
            return Err(AdminError::SiteName(name.to_owned()));
        }
        if let Some(address) = url {
            check_url(address)?;
        }
        if let Some(address) = webhook {
            check_webhook(address)?;
        }
        let secrets = SiteSecrets {
            site: name.to_owned(),
            key: keys::generate("dw_site_")?,
            akismet_key: akismet_key()?,
            inbound_secret: webhook_secret()?,
            webhook_secret: webhook_secret()?,
        };
        let sealed = SealedSecrets {
            akismet_hash: Lookup::open(&*self.store, &self.sealer).await?.hash(&secrets.akismet_key),
            inbound: self.sealer.seal(name, "inbound", &secrets.inbound_secret)?,
            webhook: self.sealer.seal(name, "webhook", &secrets.webhook_secret)?,
            akismet: self.sealer.seal(name, "akismet", &secrets.akismet_key)?,
        };
        self.store.site_create(name, url, webhook, keys::hash(&secrets.key), &FIRST_SCOPES, sealed, now).await?;
        Ok(secrets)
    }

    /// All sites, by name.
    ///
    /// # Errors
    /// `Store`.
    pub async fn sites(&self) -> Result<Vec<Site>, AdminError> {
        Ok(self.store.sites().await?)
    }

    /// Makes one more key for a site; the others stay valid.
    ///
    /// # Errors
    /// `NoSite`, `Secret`, `Store`.
    pub async fn site_key(&self, site: &str, scopes: &[Scope], now: Timestamp) -> Result<NewKey, AdminError> {
        let key = keys::generate("dw_site_")?;
        let found = self.store.site_key_add(site, keys::hash(&key), scopes, now).await?;
        new_key(found, site, key, scopes)
    }

    /// Makes a key for a site that replaces all others at once.
    ///
    /// # Errors
    /// `NoSite`, `Secret`, `Store`.
    pub async fn site_rotate(&self, site: &str, scopes: &[Scope], now: Timestamp) -> Result<NewKey, AdminError> {
        let key = keys::generate("dw_site_")?;
        let found = self.store.site_key_rotate(site, keys::hash(&key), scopes, now).await?;
        new_key(found, site, key, scopes)
    }

    /// Sets where a site's webhooks go; `None` for nowhere. A receiver that was gone (410) is tried again.
    ///
    /// # Errors
    /// `Webhook`, `NoSite`, `Store`.
    pub async fn site_webhook(&self, site: &str, url: Option<&str>, now: Timestamp) -> Result<(), AdminError> {
        if let Some(address) = url {
            check_webhook(address)?;
        }
        let found = self.store.site_webhook_set(site, url, now).await?;
        found.then_some(()).ok_or_else(|| AdminError::NoSite(site.to_owned()))
    }

    /// Makes an Akismet key for a site in the place of its own: that opens nothing any more, and callbacks that are still to go carry the new one.
    ///
    /// # Errors
    /// `NoSite`, `Secret`, `Store`.
    pub async fn site_akismet_key(&self, site: &str, now: Timestamp) -> Result<NewAkismetKey, AdminError> {
        let key = akismet_key()?;
        let sealed = self.sealer.seal(site, "akismet", &key)?;
        let hash = Lookup::open(&*self.store, &self.sealer).await?.hash(&key);
        let found = self.store.akismet_key_set(site, &hash, sealed, now).await?;
        let made = || NewAkismetKey { site: site.to_owned(), akismet_key: key };
        found.then(made).ok_or_else(|| AdminError::NoSite(site.to_owned()))
    }

    /// Pins a site to the blog that its Akismet key is for; `None` to any.
    ///
    /// # Errors
    /// `Url`, `NoSite`, `Store`.
    pub async fn site_pin(&self, site: &str, url: Option<&str>, now: Timestamp) -> Result<(), AdminError> {
        if let Some(address) = url {
            check_url(address)?;
        }
        let found = self.store.site_url_set(site, url, now).await?;
        found.then_some(()).ok_or_else(|| AdminError::NoSite(site.to_owned()))
    }

    /// Replaces one of a site's secrets; the one before stays valid for `valid_for_ms`.
    ///
    /// # Errors
    /// `NoSite`, `Secret`, `Store`.
    pub async fn site_secret(
        &self,
        site: &str,
        kind: SecretKind,
        valid_for_ms: i64,
        now: Timestamp,
    ) -> Result<NewSecret, AdminError> {
        let secret = webhook_secret()?;
        let field = match kind {
            SecretKind::Inbound => "inbound",
            SecretKind::Webhook => "webhook",
            SecretKind::Coral => return Err(AdminError::CoralSecret), // Coral would not know it
        };
        let sealed = self.sealer.seal(site, field, &secret)?;
        let before_until = now.plus_millis(valid_for_ms);
        let found = self.store.site_secret_rotate(site, kind, sealed, before_until, now).await?;
        let made = || NewSecret { site: site.to_owned(), secret, before_valid_until: before_until };
        found.then(made).ok_or_else(|| AdminError::NoSite(site.to_owned()))
    }

    /// Sets what Coral signs its requests with: Coral makes it. The one before, if there was one, stays valid for `valid_for_ms`.
    ///
    /// # Errors
    /// `CoralSecret`, `NoSite`, `Secret`, `Store`.
    pub async fn site_coral_secret(
        &self,
        site: &str,
        secret: &str,
        valid_for_ms: i64,
        now: Timestamp,
    ) -> Result<Timestamp, AdminError> {
        let is_one = (16..=512).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_one {
            return Err(AdminError::CoralSecret);
        }
        let sealed = self.sealer.seal(site, "coral", secret)?;
        let before_until = now.plus_millis(valid_for_ms);
        let found = self.store.site_secret_rotate(site, SecretKind::Coral, sealed, before_until, now).await?;
        found.then_some(before_until).ok_or_else(|| AdminError::NoSite(site.to_owned()))
    }

    /// Deletes a site with everything that is stored of it.
    ///
    /// # Errors
    /// `NoSite`, `Store`.
    pub async fn site_delete(&self, site: &str, now: Timestamp) -> Result<(), AdminError> {
        let found = self.store.site_delete(site, Actor::Console, now).await?;
        found.then_some(()).ok_or_else(|| AdminError::NoSite(site.to_owned()))
    }

    /// All open accounts, by address.
    ///
    /// # Errors
    /// `Store`.
    pub async fn users(&self) -> Result<Vec<Person>, AdminError> {
        Ok(self.store.people().await?)
    }

    /// Sets an account's role and reach; what is not given stays. Answers the account as it is now.
    ///
    /// # Errors
    /// `NoPerson`, `NoSite`, `Reach`, `Store`.
    pub async fn user_change(
        &self,
        email: &str,
        role: Option<Role>,
        reach: impl FnOnce(Reach) -> Reach,
        now: Timestamp,
    ) -> Result<Person, AdminError> {
        let people = self.store.people().await?;
        let person = people.into_iter().find(|person| person.email.eq_ignore_ascii_case(email));
        let person = person.ok_or_else(|| no_person(email))?;
        let (role, reach) = (role.unwrap_or(person.role), reach(person.reach.clone()));
        self.check_reach(&reach).await?;
        if !self.store.person_change(&person.email, role, &reach, now).await? {
            return Err(no_person(email)); // closed meanwhile
        }
        Ok(Person { role, reach, ..person })
    }

    /// A site that does not exist is most likely a typing error, and would leave a person with nothing to do.
    async fn check_reach(&self, reach: &Reach) -> Result<(), AdminError> {
        for (what, list) in [("sites", &reach.sites), ("sections", &reach.sections), ("langs", &reach.langs)] {
            if list.as_ref().is_some_and(|list| list.is_empty() || list.iter().any(|one| one.trim().is_empty())) {
                return Err(AdminError::Reach(format!("--{what}: holds an empty name")));
            }
        }
        let sites = self.store.sites().await?;
        let named = reach.sites.iter().flatten();
        match named.into_iter().find(|name| !sites.iter().any(|site| *site.name == **name)) {
            Some(unknown) => Err(AdminError::NoSite(unknown.clone())),
            None => Ok(()),
        }
    }

    /// Tokens of an account, or of all, oldest first.
    ///
    /// # Errors
    /// `Store`.
    pub async fn tokens(&self, email: Option<&str>) -> Result<Vec<TokenKnown>, AdminError> {
        Ok(self.store.tokens(email).await?)
    }

    /// Ends a token, named by the beginning of its id.
    ///
    /// # Errors
    /// `NoToken`, `Store`.
    pub async fn token_revoke(&self, email: &str, id: &str, now: Timestamp) -> Result<(), AdminError> {
        let found = self.store.token_revoke(email, id, now).await?;
        found.then_some(()).ok_or_else(|| AdminError::NoToken(email.to_owned()))
    }

    /// Seals all secrets with a new key.
    ///
    /// # Errors
    /// `Rotation`.
    pub async fn rotate_key(&self, now: Timestamp) -> Result<Rotated, AdminError> {
        Ok(rotation::rotate(&*self.store, &self.sealer, now).await?)
    }

    /// Creates an account with a random password. Takes the moment that hashing takes.
    ///
    /// # Errors
    /// `Email`, `Exists`, `NoSite`, `Password`, `Reach`, `Secret`, `Store`.
    pub async fn user_create(
        &self,
        email: &str,
        role: Role,
        reach: &Reach,
        now: Timestamp,
    ) -> Result<NewPassword, AdminError> {
        check_email(email)?;
        self.check_reach(reach).await?;
        let password = random_text(24)?;
        self.store.person_create(email, role, reach, &hash_password(&password)?, now).await?;
        Ok(NewPassword { email: email.to_owned(), password })
    }

    /// Gives an account a new random password.
    ///
    /// # Errors
    /// `NoPerson`, `Password`, `Secret`, `Store`.
    pub async fn user_reset(&self, email: &str, now: Timestamp) -> Result<NewPassword, AdminError> {
        let password = random_text(24)?;
        let found = self.store.person_reset(email, &hash_password(&password)?, now).await?;
        found.then(|| NewPassword { email: email.to_owned(), password }).ok_or_else(|| no_person(email))
    }

    /// Closes an account and its tokens.
    ///
    /// # Errors
    /// `NoPerson`, `Store`.
    pub async fn user_disable(&self, email: &str, now: Timestamp) -> Result<(), AdminError> {
        let found = self.store.person_disable(email, now).await?;
        found.then_some(()).ok_or_else(|| no_person(email))
    }

    /// Makes a personal API token.
    ///
    /// # Errors
    /// `NoPerson`, `Secret`, `Store`.
    pub async fn token_create(&self, email: &str, now: Timestamp) -> Result<NewToken, AdminError> {
        let token = keys::generate("dw_user_")?;
        let found = self.store.token_create(email, keys::hash(&token), now).await?;
        found.then_some(NewToken { token }).ok_or_else(|| no_person(email))
    }
}

fn new_key(found: bool, site: &str, key: String, scopes: &[Scope]) -> Result<NewKey, AdminError> {
    if found {
        Ok(NewKey { site: site.to_owned(), key, scopes: scopes.to_vec() })
    } else {
        Err(AdminError::NoSite(site.to_owned()))
    }
}

fn no_person(email: &str) -> AdminError {
    AdminError::NoPerson(email.to_owned())
}

fn check_url(text: &str) -> Result<(), AdminError> {
    let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.map(|_| ()).ok_or_else(|| AdminError::Url(text.to_owned()))
}

fn check_webhook(text: &str) -> Result<(), AdminError> {
    address::parse(text)?;
    Ok(())
}

fn check_email(text: &str) -> Result<(), AdminError> {
    let plausible = text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
        && text.len() <= 254
        && text.matches('@').count() == 1
        && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    if plausible { Ok(()) } else { Err(AdminError::Email(text.to_owned())) }
}

/// `whsec_` and 32 random bytes in base64, as Standard Webhooks has it.
fn webhook_secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(format!("whsec_{}", STANDARD.encode(bytes)))
}

/// Random lower-case letters and digits, each equally likely.
fn random_text(characters: usize) -> Result<String, getrandom::Error> {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(characters);
    while text.len() < characters {
        let mut bytes = [0_u8; 32];
        getrandom::fill(&mut bytes)?;
        // 252 is the largest multiple of 36 in a byte; what lies above would make the first letters likelier.
        let fair = bytes.iter().filter(|byte| **byte < 252).map(|byte| char::from(ALPHABET[usize::from(byte % 36)]));
        text.extend(fair.take(characters - text.len()));
    }
    Ok(text)
}

/// 12 hexadecimal digits: WordPress' plugin drops every other character of a key that is typed in, without a word.
fn akismet_key() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes[2..])?;
    Ok(format!("{:012x}", u64::from_be_bytes(bytes)))
}

/// The password as an argon2id PHC string with its own salt.
pub(super) fn hash_password(password: &str) -> Result<String, AdminError> {
    let hash: argon2::password_hash::phc::PasswordHash =
        Argon2::default().hash_password(password.as_bytes()).map_err(AdminError::Password)?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::password_hash::PasswordVerifier as _;
    use argon2::password_hash::phc::PasswordHash;

    #[test]
    fn secrets_have_the_form_that_others_rely_on() {
        let akismet = akismet_key().unwrap();
        assert!(akismet.len() == 12 && akismet.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')), "{akismet}");
        assert_ne!(akismet_key().unwrap(), akismet);
        let secret = webhook_secret().unwrap();
        assert_eq!(STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap().len(), 32);
        assert_ne!(webhook_secret().unwrap(), secret);
    }

    #[test]
    fn passwords_are_stored_as_argon2id() {
        let hash = hash_password("correct horse").unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        let parsed = PasswordHash::new(&hash).unwrap();
        assert!(Argon2::default().verify_password(b"correct horse", &parsed).is_ok());
        assert!(Argon2::default().verify_password(b"battery staple", &parsed).is_err());
    }

    #[test]
    fn addresses_are_checked_before_they_are_stored() {
        for good in ["ada@example.org", "a.b+c@example.co.uk"] {
            assert!(check_email(good).is_ok(), "{good}");
        }
        for bad in ["", "ada", "@example.org", "ada@", "a@b@c", "ada @example.org"] {
            assert!(check_email(bad).is_err(), "{bad}");
        }
        assert!(check_url("https://news.example/").is_ok());
        for bad in ["news.example", "ftp://news.example", "javascript:alert(1)", "https://"] {
            assert!(check_url(bad).is_err(), "{bad}");
        }
    }
}
