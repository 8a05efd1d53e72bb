//! The second factor: setting it up, and what its codes and the recovery codes open.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use totp_rs::{Builder, Totp};

use super::{Origin, SignIn, SignInError};
use crate::app::keys;
use crate::domain::people::Person;
use crate::domain::session::Credentials;
use crate::domain::store::StoreError;
use crate::domain::time::Timestamp;

/// Recovery codes of an account.
const RECOVERY: usize = 10;
/// The field of a sealed seed.
pub(in super::super) const SEED: &str = "totp";

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

impl SignIn {
    pub(super) async fn code_opens(
        &self,
        found: &Credentials,
        code: &str,
        now: Timestamp,
    ) -> Result<bool, SignInError> {
        let code: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect::<String>().to_lowercase();
        let Some(sealed) = &found.totp else { return Ok(false) }; // taken away since the password
        let seed = self.sealer.unseal(&found.person.email, SEED, sealed)?;
        if let Some(step) = factor(&seed, &found.person.email)?.check(&code, seconds(now)) {
            return Ok(self.store.totp_use(&found.person, step).await?);
        }
        Ok(self.store.recovery_use(&found.person, &keys::hash(&code), now).await?)
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
        self.forget();
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
        self.forget();
        Ok(())
    }

    /// Recovery codes that a person has left.
    ///
    /// # Errors
    /// The store failed.
    pub async fn recovery_left(&self, person: &Person) -> Result<u64, StoreError> {
        self.store.recovery_left(person).await
    }
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

#[cfg(test)]
mod tests {
    use super::*;

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
