//! What lies in a backup: a folder with a few files of fixed names, and `manifest.json` with size and checksum of each.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::config::Config;
pub(super) use crate::config::aside::BESIDE_MODEL;
use crate::domain::rules::check_list_name;
use crate::domain::time::Timestamp;

/// The file that says what the others are. It is written last.
pub(super) const MANIFEST: &str = "manifest.json";
/// The database.
pub(super) const DATABASE: &str = "doorward.db";
/// The settings.
pub(super) const SETTINGS: &str = "config.toml";
/// The key of secrets.
pub(super) const KEY: &str = "doorward.key";
/// The operator's own model.
pub(super) const MODEL: &str = "model.dwm";

/// What the names of lists begin with; the list's own follows.
const LIST: &str = "list-";

/// The way in which backups of this version are written.
const FORMAT: u32 = 1;
/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

/// A backup, as it says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// 1.
    format: u32,
    /// The moment that it shows.
    pub made_at: Timestamp,
    /// The version of the program that made it.
    pub version: String,
    /// The version of the database's schema.
    pub schema: i64,
    /// Comments in it.
    pub comments: u64,
    /// The head of its record of who did what.
    pub audit_head: Option<String>,
    /// Settings that stood in the environment, by name: they are not in the backup.
    pub environment: Vec<String>,
    /// Everything that lies beside this.
    pub files: Vec<Kept>,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    /// One of the names above.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Over all of it, in hexadecimal.
    pub sha256: String,
}

impl Kept {
    /// The file of that name in `folder`.
    pub(super) fn of(folder: &Path, name: &str) -> anyhow::Result<Self> {
        let (bytes, sha256) = sum(&folder.join(name))?;
        Ok(Self { name: name.to_owned(), bytes, sha256 })
    }
}

impl Manifest {
    pub(super) fn new(made_at: Timestamp, environment: Vec<String>, files: Vec<Kept>) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: FORMAT, made_at, version, schema: 0, comments: 0, audit_head: None, environment, files }
    }

    /// Reads the one of the backup in `folder`.
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(MANIFEST);
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("{} is no backup: its {MANIFEST} cannot be read", folder.display()))?;
        let manifest: Self = serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
        anyhow::ensure!(
            manifest.format <= FORMAT,
            "{} was made by version {}, in a way that this one does not know: use that version, or a later one",
            folder.display(),
            manifest.version
        );
        for kept in &manifest.files {
            // Nothing outside the folder is ever read or written because a manifest says so.
            let known = [DATABASE, SETTINGS, KEY, MODEL].contains(&kept.name.as_str())
                || BESIDE_MODEL.contains(&kept.name.as_str())
                || kept.name.strip_prefix(LIST).is_some_and(|list| check_list_name(list).is_ok());
            anyhow::ensure!(known, "{} names a file that no backup has: {:?}", path.display(), kept.name);
        }
        anyhow::ensure!(manifest.has(DATABASE), "{} names no database", path.display());
        Ok(manifest)
    }

    /// Whether a file of that name is part of it.
    pub(super) fn has(&self, name: &str) -> bool {
        self.files.iter().any(|kept| kept.name == name)
    }

    /// Reads every file in `folder`, and compares.
    pub(super) fn compare(&self, folder: &Path) -> anyhow::Result<()> {
        for kept in &self.files {
            let found = Kept::of(folder, &kept.name)?;
            anyhow::ensure!(
                found == *kept,
                "{} is not what was backed up: {} bytes with checksum {}, expected {} with {}",
                folder.join(&kept.name).display(),
                found.bytes,
                found.sha256,
                kept.bytes,
                kept.sha256
            );
        }
        Ok(())
    }
}

/// Size and checksum of a file.
pub(super) fn sum(path: &Path) -> anyhow::Result<(u64, String)> {
    let cannot = || format!("{} cannot be read", path.display());
    let mut file = File::open(path).with_context(cannot)?;
    let (mut digest, mut bytes, mut chunk) = (Sha256::new(), 0_u64, vec![0; CHUNK]);
    loop {
        let read = file.read(&mut chunk).with_context(cannot)?;
        if read == 0 {
            break;
        }
        digest.update(&chunk[..read]);
        bytes += read as u64;
    }
    Ok((bytes, digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// Everything else that the settings name, by its name in a backup: the operator's own model and what lies beside it, and lists; and where each
/// is, or would be.
pub(super) fn named_files(config: &Config) -> Vec<(String, PathBuf)> {
    let lists = config.lists.iter().map(|(name, list)| (format!("{LIST}{name}"), list.file.clone()));
    if config.model.file.as_os_str().is_empty() {
        return lists.collect();
    }
    let beside = BESIDE_MODEL.map(|name| (name.to_owned(), config.model.file.with_file_name(name)));
    [(MODEL.to_owned(), config.model.file.clone())].into_iter().chain(beside).chain(lists).collect()
}

/// Copies a file to `to`, which must not be there, for `mode` and synchronised.
pub(super) fn copy_new(from: &Path, to: &Path, mode: u32) -> anyhow::Result<()> {
    let cannot = || format!("{} cannot be copied to {}", from.display(), to.display());
    let mut source = File::open(from).with_context(cannot)?;
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    let mut target = options.open(to).with_context(cannot)?;
    std::io::copy(&mut source, &mut target).with_context(cannot)?;
    target.sync_all().with_context(cannot)
}

/// Makes the names in `folder` survive a loss of power.
pub(super) fn sync_folder(folder: &Path) -> anyhow::Result<()> {
    if cfg!(unix) {
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.with_context(|| format!("{} cannot be synchronised", folder.display()))?;
    }
    Ok(())
}

/// The folder that a path is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A moment to the second, as part of a name: 20261124T100000Z.
pub(super) fn stamp(at: Timestamp) -> String {
    let text = at.to_string();
    let seconds = text.split(['.', 'Z']).next().unwrap_or_default();
    format!("{}Z", seconds.replace(['-', ':'], ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_names_nothing_outside_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str| Kept { name: name.to_owned(), bytes: 0, sha256: String::new() };
        let read = |files: Vec<Kept>| {
            let manifest = Manifest::new(Timestamp::EPOCH, Vec::new(), files);
            std::fs::write(folder.path().join(MANIFEST), serde_json::to_vec(&manifest).unwrap()).unwrap();
            Manifest::read(folder.path()).map_err(|error| error.to_string())
        };
        for name in [
            "../../etc/passwd",
            "/etc/passwd",
            "",
            "manifest.json",
            "doorward.db/../x",
            "list-",
            "list-../x",
            "list-/x",
        ] {
            assert!(read(vec![of(DATABASE), of(name)]).unwrap_err().contains("names a file that no backup has"));
        }
        assert!(read(vec![of(KEY)]).unwrap_err().contains("names no database"));
        assert!(read(vec![of(DATABASE), of(SETTINGS), of(KEY), of(MODEL), of("list-scam_words")]).unwrap().has(KEY));
    }

    #[test]
    fn moments_in_names_sort_and_are_no_trouble_in_a_shell() {
        let at = Timestamp::parse("2026-11-24T10:00:05.125Z").unwrap();
        assert_eq!(
            (stamp(at), stamp(Timestamp::EPOCH)),
            ("20261124T100005Z".to_owned(), "19700101T000000Z".to_owned())
        );
    }
}
