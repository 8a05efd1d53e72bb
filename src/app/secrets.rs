//! What must be read again is kept encrypted: webhook secrets, Akismet keys, later TOTP seeds.
//!
//! XChaCha20-Poly1305 under the key in `secrets.key_file`, with a random nonce each time, bound to the site and the
//! field that it belongs to: a sealed secret that was moved to another row does not open. Passwords and bearer keys are
//! not here, they are only ever compared, and so stored as hashes.
//!
//! While the key is rotated ([`super::rotation`]), the file holds two: the first seals, both open. A running service notices by itself: what
//! does not open with the keys that it knows makes it read the file again.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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
    /// Another command is rotating the key.
    #[error("the key in {0} is being rotated by another command")]
    Rotating(PathBuf),
    /// What is stored was sealed with another key, or damaged.
    #[error("a stored secret does not open with this key file; restore the one that it was sealed with")]
    Sealed,
}

impl From<getrandom::Error> for SecretError {
    fn from(error: getrandom::Error) -> Self {
        Self::Random(error)
    }
}

/// Seals and opens secrets. Clones share what they know.
#[derive(Clone)]
pub struct Sealer(Arc<Known>);

/// The file, and the keys that it held when it was last read; the first seals.
struct Known {
    path: PathBuf,
    keys: RwLock<Vec<Key>>,
}

#[derive(Clone, PartialEq, Eq)]
struct Key([u8; KEY_BYTES]);

impl Key {
    fn random() -> Result<Self, SecretError> {
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key)?;
        Ok(Self(key))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&self.0).into())
    }

    fn line(&self) -> String {
        format!("{}\n", STANDARD.encode(self.0))
    }
}

/// Nobody begins to rotate the key at `path` as long as the answer lives: for whoever copies the key and what is sealed with it.
///
/// # Errors
/// `Rotating`: a rotation is at it.
pub fn hold(path: &Path) -> Result<Held, SecretError> {
    Ok(Held { _lock: lock(path)? })
}

/// See [`hold`].
#[derive(Debug)]
pub struct Held {
    _lock: Option<std::fs::File>,
}

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
        match read(path) {
            Err(SecretError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => create(path)?,
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        let keys = read(path)?;
        Ok(Self(Arc::new(Known { path: path.to_owned(), keys: RwLock::new(keys) })))
    }

    /// Seals `secret` for one field of one site, with the key that the file names now: sealing is rare, and what is sealed with a key that is
    /// being replaced would be lost.
    ///
    /// # Errors
    /// `Random`; the file cannot be read any more.
    pub fn seal(&self, site: &str, field: &str, secret: &str) -> Result<Vec<u8>, SecretError> {
        self.refresh()?;
        let keys = self.keys();
        let key = keys.first().ok_or_else(|| SecretError::Malformed(self.0.path.clone()))?;
        let mut nonce = [0_u8; NONCE_BYTES];
        getrandom::fill(&mut nonce)?;
        let aad = bound_to(site, field);
        let payload = Payload { msg: secret.as_bytes(), aad: &aad };
        let sealed = key.cipher().encrypt(XNonce::from_slice(&nonce), payload).map_err(|_| SecretError::Sealed)?;
        Ok([&[VERSION], nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`Self::seal`] made for the same field of the same site.
    ///
    /// # Errors
    /// `Sealed`: another key, another site or field, or damaged.
    pub fn unseal(&self, site: &str, field: &str, sealed: &[u8]) -> Result<String, SecretError> {
        let known = self.keys();
        if let Some(opened) = known.iter().find_map(|key| unseal(key, site, field, sealed)) {
            return Ok(opened);
        }
        // Perhaps the key was rotated since.
        self.refresh()?;
        let now = self.keys();
        now.iter()
            .filter(|key| !known.contains(key))
            .find_map(|key| unseal(key, site, field, sealed))
            .ok_or(SecretError::Sealed)
    }

    /// Begins a rotation: from here on a new key seals, and the one before still opens. When a rotation was begun before and never ended, that
    /// one goes on instead. Nobody else can begin one as long as the answer lives.
    ///
    /// # Errors
    /// [`SecretError`]; the file is as it was.
    pub fn begin_rotation(&self) -> Result<Rotation, SecretError> {
        let lock = lock(&self.0.path)?;
        let mut keys = read(&self.0.path)?;
        let resumed = keys.len() > 1;
        if !resumed {
            keys.insert(0, Key::random()?);
            self.replace(&keys)?;
        }
        self.refresh()?;
        Ok(Rotation { resumed, _lock: lock })
    }

    /// Whether the key that seals now opens it.
    ///
    /// # Errors
    /// `Sealed`: no key that is known opens it.
    pub fn is_current(&self, site: &str, field: &str, sealed: &[u8]) -> Result<bool, SecretError> {
        if self.keys().first().is_some_and(|key| unseal(key, site, field, sealed).is_some()) {
            return Ok(true);
        }
        self.unseal(site, field, sealed).map(|_| false)
    }

    /// Ends a rotation: the file forgets all keys but the one that seals. What this sealer knows it goes on knowing, for what came in between.
    ///
    /// # Errors
    /// [`SecretError`]; the file is as it was.
    pub fn end_rotation(&self) -> Result<(), SecretError> {
        let mut keys = read(&self.0.path)?;
        keys.truncate(1);
        self.replace(&keys)
    }

    fn keys(&self) -> Vec<Key> {
        self.0.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the file again. Keys that it held before still open what came in between.
    fn refresh(&self) -> Result<(), SecretError> {
        let mut keys = read(&self.0.path)?;
        let mut known = self.0.keys.write().unwrap_or_else(PoisonError::into_inner);
        let before: Vec<Key> = known.iter().filter(|key| !keys.contains(key)).cloned().collect();
        keys.extend(before);
        *known = keys;
        Ok(())
    }

    /// Writes another file and puts it in the place of this one: whoever reads finds the old or the new one, whole, whatever happens.
    fn replace(&self, keys: &[Key]) -> Result<(), SecretError> {
        let path = &self.0.path;
        let failed = |source| SecretError::File { path: path.clone(), source };
        let unfinished = beside(path)?;
        let text: String = keys.iter().map(Key::line).collect();
        let placed = write(&unfinished, &text).and_then(|()| std::fs::rename(&unfinished, path));
        if placed.is_err() {
            let _ = std::fs::remove_file(&unfinished);
        }
        placed.map_err(failed)?;
        sync_folder(path).map_err(failed)
    }
}

/// A rotation under way.
#[derive(Debug)]
pub struct Rotation {
    /// Whether it was begun before, and goes on.
    pub resumed: bool,
    _lock: Option<std::fs::File>,
}

/// Two rotations at once could each take the other's new key out of the file. The folder is locked, since the file itself is replaced; where
/// folders cannot be opened, nothing is.
fn lock(path: &Path) -> Result<Option<std::fs::File>, SecretError> {
    let Ok(folder) = std::fs::File::open(folder_of(path)) else { return Ok(None) };
    match folder.try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(std::fs::TryLockError::WouldBlock) => Err(SecretError::Rotating(path.to_owned())),
        Err(std::fs::TryLockError::Error(_)) => Ok(None), // a file system without locks
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn unseal(key: &Key, site: &str, field: &str, sealed: &[u8]) -> Option<String> {
    let (nonce, sealed) = sealed.strip_prefix(&[VERSION])?.split_at_checked(NONCE_BYTES)?;
    let aad = bound_to(site, field);
    let opened = key.cipher().decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: &aad }).ok()?;
    String::from_utf8(opened).ok()
}

/// The keys in the file, one a line.
fn read(path: &Path) -> Result<Vec<Key>, SecretError> {
    let malformed = || SecretError::Malformed(path.to_owned());
    let text = std::fs::read_to_string(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::InvalidData => malformed(),
        _ => SecretError::File { path: path.to_owned(), source },
    })?;
    check_mode(path)?;
    let key = |line: &str| STANDARD.decode(line.trim()).ok().and_then(|key| key.try_into().ok()).map(Key);
    let keys: Option<Vec<Key>> = text.lines().map(key).collect();
    keys.filter(|keys| matches!(keys.len(), 1 | 2)).ok_or_else(malformed)
}

/// Neither names of sites nor of fields hold a `/`.
fn bound_to(site: &str, field: &str) -> Vec<u8> {
    format!("doorward/{site}/{field}").into_bytes()
}

/// Writes a new key beside `path` and links it there: two processes that start at once agree on one key, and nobody
/// ever reads half of one.
fn create(path: &Path) -> Result<(), SecretError> {
    let unfinished = beside(path)?;
    let written =
        write(&unfinished, &Key::random()?.line()).and_then(|()| match std::fs::hard_link(&unfinished, path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        });
    let removed = std::fs::remove_file(&unfinished);
    written.and(removed).map_err(|source| SecretError::File { path: path.to_owned(), source })
}

/// A name beside `path` that nobody has.
fn beside(path: &Path) -> Result<PathBuf, SecretError> {
    let mut tag = [0_u8; 8];
    getrandom::fill(&mut tag)?;
    let mut name = path.file_name().unwrap_or_default().to_owned();
    let mut suffix = String::from(".new-");
    for byte in tag {
        let _ = write!(suffix, "{byte:02x}"); // writing to a String cannot fail
    }
    name.push(suffix);
    Ok(path.with_file_name(name))
}

/// Makes a new name in the folder of `path` survive a loss of power.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    if cfg!(unix) {
        std::fs::File::open(folder_of(path))?.sync_all()?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
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
#[derive(Clone, Default, PartialEq, Eq)]
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

/// What is no text is refused without being repeated: without its quotes it is a secret all the same.
impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Quoted;

        impl Quoted {
            fn wrong<E: serde::de::Error>() -> E {
                E::custom("is no text; write the secret in quotes")
            }
        }

        impl serde::de::Visitor<'_> for Quoted {
            type Value = Secret;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a secret in quotes")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret(text.to_owned()))
            }

            fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Secret, E> {
                Err(Self::wrong())
            }

            fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Secret, E> {
                Err(Self::wrong())
            }

            fn visit_i128<E: serde::de::Error>(self, _: i128) -> Result<Secret, E> {
                Err(Self::wrong())
            }

            fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Secret, E> {
                Err(Self::wrong())
            }

            fn visit_u128<E: serde::de::Error>(self, _: u128) -> Result<Secret, E> {
                Err(Self::wrong())
            }

            fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Secret, E> {
                Err(Self::wrong())
            }
        }

        deserializer.deserialize_str(Quoted)
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
    fn a_rotation_can_stop_anywhere_and_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let (serving, rotating) = (Sealer::open(&path).unwrap(), Sealer::open(&path).unwrap());
        let old = serving.seal("news", "inbound", "whsec_abc").unwrap();
        let begun = rotating.begin_rotation().unwrap();
        assert!(!begun.resumed);
        assert!(matches!(serving.begin_rotation(), Err(SecretError::Rotating(_))));
        drop(begun);
        let again = Sealer::open(&path).unwrap(); // as after a crash
        assert_eq!(again.unseal("news", "inbound", &old).unwrap(), "whsec_abc", "both keys open");
        assert!(!again.is_current("news", "inbound", &old).unwrap());
        assert!(again.begin_rotation().unwrap().resumed, "the rotation that was begun goes on");
        let new = again.seal("news", "inbound", "whsec_abc").unwrap();
        assert!(again.is_current("news", "inbound", &new).unwrap());
        let served = serving.seal("news", "x", "y").unwrap();
        assert!(again.is_current("news", "x", &served).unwrap(), "a running service seals with the new key at once");
        again.end_rotation().unwrap();
        assert_eq!(serving.unseal("news", "inbound", &new).unwrap(), "whsec_abc", "a running service notices");
        assert_eq!(
            again.unseal("news", "inbound", &old).unwrap(),
            "whsec_abc",
            "whoever rotates can mend what came in between"
        );
        let later = Sealer::open(&path).unwrap();
        assert!(matches!(later.unseal("news", "inbound", &old), Err(SecretError::Sealed)), "the old key is gone");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left lying about");
        check_mode(&path).unwrap();
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
