//! What must be read again is kept encrypted: webhook secrets, Akismet keys, later TOTP seeds.
//!
//! XChaCha20-Poly1305 under the key in `secrets.key_file`, with a random nonce each time, bound to the site and the
//! field that it belongs to: a sealed secret that was moved to another row does not open. Passwords and bearer keys are
//! not here, they are only ever compared, and so stored as hashes.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize, Serializer};

/// First byte of what is sealed, should the way of sealing ever change.
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
const KEY_BYTES: usize = 32;

/// Why a secret could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The key file cannot be read or written.
    #[error("the key file {path} cannot be read or made")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Others than its owner may read or change the key file.
    #[error("the key file {0} is open to other users; run `chmod 600` on it")]
    Exposed(PathBuf),
    /// The key file does not hold 32 bytes in base64.
    #[error("the key file {0} does not hold a key: 32 bytes in base64 are expected; restore it from your backup")]
    Malformed(PathBuf),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random(#[source] getrandom::Error),
    /// What is stored was sealed with another key, or damaged.
    #[error("a stored secret does not open with this key file; restore the one that it was sealed with")]
    Sealed,
}

impl From<getrandom::Error> for SecretError {
    fn from(error: getrandom::Error) -> Self {
        Self::Random(error)
    }
}

/// Seals and opens secrets.
#[derive(Clone)]
pub struct Sealer(XChaCha20Poly1305);

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer([redacted])")
    }
}

impl Sealer {
    /// Reads the key at `path`; makes a random one with mode 0600 if there is no file.
    ///
    /// # Errors
    /// [`SecretError`]: the file cannot be read or made, is open to others, or holds no key. An existing file is never changed.
    pub fn open(path: &Path) -> Result<Self, SecretError> {
        let failed = |source| SecretError::File { path: path.to_owned(), source };
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                create(path)?;
                std::fs::read_to_string(path).map_err(failed)?
            }
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                return Err(SecretError::Malformed(path.to_owned()));
            }
            read => read.map_err(failed)?,
        };
        check_mode(path)?;
        let key = STANDARD.decode(text.trim()).ok().filter(|key| key.len() == KEY_BYTES);
        let key = key.ok_or_else(|| SecretError::Malformed(path.to_owned()))?;
        let cipher = XChaCha20Poly1305::new_from_slice(&key).map_err(|_| SecretError::Malformed(path.to_owned()))?;
        Ok(Self(cipher))
    }

    /// Seals `secret` for one field of one site.
    ///
    /// # Errors
    /// `Random`.
    pub fn seal(&self, site: &str, field: &str, secret: &str) -> Result<Vec<u8>, SecretError> {
        let mut nonce = [0_u8; NONCE_BYTES];
        getrandom::fill(&mut nonce)?;
        let aad = bound_to(site, field);
        let payload = Payload { msg: secret.as_bytes(), aad: &aad };
        let sealed = self.0.encrypt(XNonce::from_slice(&nonce), payload).map_err(|_| SecretError::Sealed)?;
        Ok([&[VERSION], nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`Self::seal`] made for the same field of the same site.
    ///
    /// # Errors
    /// `Sealed`: another key, another site or field, or damaged.
    pub fn unseal(&self, site: &str, field: &str, sealed: &[u8]) -> Result<String, SecretError> {
        let rest = sealed.strip_prefix(&[VERSION]).ok_or(SecretError::Sealed)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_BYTES).ok_or(SecretError::Sealed)?;
        let aad = bound_to(site, field);
        let payload = Payload { msg: sealed, aad: &aad };
        let opened = self.0.decrypt(XNonce::from_slice(nonce), payload).map_err(|_| SecretError::Sealed)?;
        String::from_utf8(opened).map_err(|_| SecretError::Sealed)
    }
}

/// Neither names of sites nor of fields hold a `/`.
fn bound_to(site: &str, field: &str) -> Vec<u8> {
    format!("doorward/{site}/{field}").into_bytes()
}

/// Writes a new key beside `path` and links it there: two processes that start at once agree on one key, and nobody
/// ever reads half of one.
fn create(path: &Path) -> Result<(), SecretError> {
    let mut key = [0_u8; KEY_BYTES];
    let mut tag = [0_u8; 8];
    getrandom::fill(&mut key)?;
    getrandom::fill(&mut tag)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    let mut suffix = String::from(".new-");
    for byte in tag {
        let _ = write!(suffix, "{byte:02x}"); // writing to a String cannot fail
    }
    name.push(suffix);
    let unfinished = path.with_file_name(name);
    let written =
        write(&unfinished, &STANDARD.encode(key)).and_then(|()| match std::fs::hard_link(&unfinished, path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        });
    let removed = std::fs::remove_file(&unfinished);
    written.and(removed).map_err(|source| SecretError::File { path: path.to_owned(), source })
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

#[cfg(unix)]
fn check_mode(path: &Path) -> Result<(), SecretError> {
    let metadata = std::fs::metadata(path).map_err(|source| SecretError::File { path: path.to_owned(), source })?;
    let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
    if mode & 0o077 == 0 { Ok(()) } else { Err(SecretError::Exposed(path.to_owned())) }
}

#[cfg(not(unix))]
fn check_mode(_path: &Path) -> Result<(), SecretError> {
    Ok(())
}

/// A secret setting: empty for none. Prints, and is written, as `[redacted]`.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret itself, when there is one.
    #[must_use]
    pub fn expose(&self) -> Option<&str> {
        Some(self.0.as_str()).filter(|secret| !secret.is_empty())
    }

    fn shown(&self) -> &'static str {
        if self.0.is_empty() { "" } else { "[redacted]" }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{}\"", self.shown())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_secret_opens_for_its_own_site_and_field_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("doorward.key");
        let sealer = Sealer::open(&path).unwrap();
        let sealed = sealer.seal("news", "inbound", "whsec_abc").unwrap();
        let again = Sealer::open(&path).unwrap();
        assert_eq!(again.unseal("news", "inbound", &sealed).unwrap(), "whsec_abc");
        assert!(matches!(again.unseal("blog", "inbound", &sealed), Err(SecretError::Sealed)));
        assert!(matches!(again.unseal("news", "webhook", &sealed), Err(SecretError::Sealed)));
        assert_ne!(sealer.seal("news", "inbound", "whsec_abc").unwrap(), sealed);
    }

    #[test]
    fn damaged_secret_does_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let sealer = Sealer::open(&folder.path().join("key")).unwrap();
        let sealed = sealer.seal("news", "inbound", "whsec_abc").unwrap();
        for cut in 0..sealed.len() {
            assert!(sealer.unseal("news", "inbound", &sealed[..cut]).is_err());
        }
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(sealer.unseal("news", "inbound", &damaged).is_err());
        }
    }

    #[test]
    fn file_that_holds_no_key_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        for text in ["", "hello", "AAAA"] {
            let _ = std::fs::remove_file(&path);
            write(&path, text).unwrap();
            assert!(matches!(Sealer::open(&path), Err(SecretError::Malformed(_))), "{text:?}");
            assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), text);
        }
    }

    #[cfg(unix)]
    #[test]
    fn key_file_is_made_for_its_owner_alone_and_refused_when_open_to_others() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        Sealer::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Sealer::open(&path), Err(SecretError::Exposed(_))));
    }

    #[test]
    fn two_that_start_at_once_agree_on_one_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let sealers: Vec<Sealer> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| Sealer::open(&path).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let sealed = sealers[0].seal("news", "inbound", "x").unwrap();
        assert!(sealers.iter().all(|sealer| sealer.unseal("news", "inbound", &sealed).is_ok()));
    }
}
