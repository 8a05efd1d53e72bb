//! `doorward config`: the configurations that services ran under, and the way back to one of them.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use serde::Serialize;
use similar::TextDiff;

use super::{Usage, say, say_json};
use crate::app::clock::Clock as _;
use crate::config::{Read, Source, restored};
use crate::domain::decision::Actor;
use crate::domain::store::{AuditEntry, Store};
use crate::domain::time::Timestamp;
use crate::domain::versions::{How, Taken, Version};
use crate::startup::{self, SystemClock};

/// Stands for what the settings file says now, where a version is asked for.
const FILE: &str = "file";
/// Digits of a hash, whole.
const DIGITS: usize = 16;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List configurations that were taken, latest first, and what became of the file
    List {
        /// How many at most
        #[arg(long, default_value_t = 20)]
        most: usize,
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what the settings file said, without its secrets
    Show {
        /// The version, or the hash that a decision names; its beginning will do
        #[arg(value_name = "HASH")]
        hash: String,
    },
    /// Show what changed between two versions
    Diff {
        /// The version before; `file` for what the file says now
        #[arg(value_name = "HASH")]
        from: String,
        /// The version after; `file` for what the file says now
        #[arg(value_name = "HASH", default_value = FILE)]
        to: String,
    },
    /// Write an earlier version back into the settings file, with the secrets that the file has now; a running service takes it at once
    Rollback {
        /// The version, or the hash that a decision names; its beginning will do
        #[arg(value_name = "HASH")]
        hash: String,
    },
}

/// A configuration that was taken, for people and programs.
#[derive(Serialize)]
struct Shown<'a> {
    version: &'a str,
    policy: &'a str,
    how: How,
    at: Timestamp,
    by: &'a str,
    waiting: &'a [String],
}

pub(super) async fn run(command: Command, file: Option<&Path>) -> anyhow::Result<()> {
    let source = Source::of(file)?;
    // The way back is needed most when the file cannot be read: where the database lies is enough.
    let config = source.read().map(|read| read.config).or_else(|error| source.database_alone().ok_or(error))?;
    let store = startup::open_store(&config).await?;
    let done = match command {
        Command::List { most, json } => list(&*store, &source, most, json).await,
        Command::Show { hash } => find(&*store, &source, &hash).await.and_then(|version| show(&version)),
        Command::Diff { from, to } => {
            let (from, to) = (find(&*store, &source, &from).await, find(&*store, &source, &to).await);
            from.and_then(|from| diff(&from, &to?))
        }
        Command::Rollback { hash } => roll_back(&*store, &source, &hash).await,
    };
    store.close().await;
    done
}

async fn list(store: &dyn Store, source: &Source, most: usize, json: bool) -> anyhow::Result<()> {
    let all = store.versions_taken(most).await?;
    for Taken { version, policy, how, at, by, waiting } in &all {
        if json {
            say_json(&Shown { version, policy, how: *how, at: *at, by, waiting })?;
            continue;
        }
        let by = if by.is_empty() { String::new() } else { format!(" on {by}") };
        let waiting = match waiting.as_slice() {
            [] => String::new(),
            some => format!("; takes effect at the next start: {}", some.join(", ")),
        };
        say(format_args!("{at} {version} policy {policy} {}{by}{waiting}", how.name()))?;
    }
    if json {
        return Ok(());
    }
    match (source.path(), source.read()) {
        (None, _) => say("There is no settings file."),
        (Some(path), Err(error)) => say(format_args!("{} cannot be used: {error}", path.display())),
        (Some(path), Ok(Read { version, .. })) => {
            let is_kept = store.version(&version.hash).await?.is_some();
            let known = if is_kept { "" } else { ", which no service has taken yet" };
            say(format_args!("{} says {}{known}.", path.display(), version.hash))
        }
    }
}

/// The version that somebody names.
async fn find(store: &dyn Store, source: &Source, name: &str) -> anyhow::Result<Version> {
    if name == FILE {
        return Ok(source.read()?.version);
    }
    let mut like = store.versions_like(name).await?;
    let hash = match like.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        _ if like.iter().any(|hash| hash == name) => Some(name.to_owned()),
        // Several versions under which the same was decided: the latest of them.
        _ if name.len() == DIGITS => Some(like.swap_remove(0)),
        several => {
            anyhow::bail!(Usage(format!("several versions begin with {name}: {}", several.join(", "))));
        }
    };
    let hash = hash
        .with_context(|| format!("no version {name} was ever taken; `doorward config list` shows those that were"))?;
    store.version(&hash).await?.with_context(|| format!("version {hash} is gone"))
}

fn show(version: &Version) -> anyhow::Result<()> {
    put(&version.text)?;
    for (name, text) in &version.files {
        put(&format!("\n# {name}\n"))?;
        put(text)?;
    }
    Ok(())
}

fn diff(from: &Version, to: &Version) -> anyhow::Result<()> {
    let compare = |name: &str, from: &str, to: &str, hashes: (&str, &str)| {
        if from == to {
            return Ok(());
        }
        let (before, after) = (format!("{} {name}", hashes.0), format!("{} {name}", hashes.1));
        put(&TextDiff::from_lines(from, to).unified_diff().header(&before, &after).to_string())
    };
    let hashes = (from.hash.as_str(), to.hash.as_str());
    compare("settings", &from.text, &to.text, hashes)?;
    let of = |version: &'_ Version, name: &str| {
        version.files.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone()).unwrap_or_default()
    };
    let mut names: Vec<&String> = from.files.iter().chain(&to.files).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().try_for_each(|name| compare(name, &of(from, name), &of(to, name), hashes))
}

async fn roll_back(store: &dyn Store, source: &Source, name: &str) -> anyhow::Result<()> {
    let path = source
        .path()
        .ok_or_else(|| Usage("there is no settings file to write to; name one with --config".to_owned()))?;
    let version = find(store, source, name).await?;
    let current = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let text = restored(&version.text, &current).map_err(|missing| {
        let settings = missing.settings.join(", ");
        Usage(if missing.in_broken {
            let path = path.display();
            format!(
                "secrets are not kept with versions, and {path} is not TOML: these cannot be read from it: {settings}; mend it first"
            )
        } else {
            format!(
                "secrets are not kept with versions, and the file has none now for: {settings}; write them there first"
            )
        })
    })?;
    let hash = &version.hash;
    // Programs change: what was good then has to be good today, with the lists that it had then.
    let unusable = || format!("version {hash} cannot be used any more");
    let Read { config, lists, .. } = source.read_with(&text, &version.files).with_context(unusable)?;
    let house = startup::house_with(&config, lists).with_context(unusable)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    // Lists first: until the settings are there, too, the lists that they name are as good as any.
    let lists = version.files.iter().map(|(name, text)| (folder.join(name), text.as_str()));
    let files = lists.chain([(path.to_owned(), text.as_str())]);
    let prepared = files.map(|(file, text)| Prepared::new(&file, text, path)).collect::<anyhow::Result<Vec<_>>>()?;
    put_all(&prepared)?;
    let at = SystemClock.now();
    let taken = Taken {
        version: hash.clone(),
        policy: house.hash,
        how: How::Rollback,
        at,
        by: "console".to_owned(),
        waiting: Vec::new(),
    };
    store.version_taken(&version, &taken).await?;
    let (action, subject, detail) = ("config.rollback".to_owned(), hash.clone(), String::new());
    store.audit_note(AuditEntry { by: Actor::Console, action, subject, detail, at }).await?;
    say(format_args!("{} says {hash} again. A service that follows it takes it within seconds.", path.display()))
}

/// A file's next text, ready to be put in its place: at once for whoever reads it, with the owner and the permissions that the file has. Where that
/// cannot be (a file that is mounted by itself, a folder that is not ours), it is written over; services look twice before they take it.
struct Prepared<'a> {
    /// The file itself: a link to it stays one.
    path: PathBuf,
    text: &'a str,
    /// What it says now, if there is one.
    before: Option<Vec<u8>>,
    /// Lies beside it with the next text, unless it has to be written over.
    new: Option<PathBuf>,
}

impl<'a> Prepared<'a> {
    /// `like` has owner and permissions for a file that is not there.
    fn new(path: &Path, text: &'a str, like: &Path) -> anyhow::Result<Self> {
        let said = || format!("{} cannot be written; nothing was changed", path.display());
        let real = std::fs::canonicalize(path).map(Some).or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(None),
            _ => Err(error),
        });
        let real = real.with_context(said)?;
        let before = match &real {
            Some(real) if std::fs::metadata(real).is_ok_and(|metadata| metadata.is_file()) => {
                Some(std::fs::read(real).with_context(said)?)
            }
            Some(_) => return Err(anyhow::anyhow!("it is no file")).with_context(said),
            None => None,
        };
        let like = real.clone().unwrap_or_else(|| like.to_owned());
        let path = real.unwrap_or_else(|| path.to_owned());
        let new = match beside(&path, text.as_bytes(), &like) {
            Ok(new) => Some(new),
            // Its folder takes no new file; whether itself can be written shows now, not when others are changed already.
            Err(_) if before.is_some() => {
                std::fs::OpenOptions::new().write(true).open(&path).with_context(said)?;
                None
            }
            Err(error) => return Err(error).with_context(said),
        };
        Ok(Self { path, text, before, new })
    }

    fn put(&self) -> std::io::Result<()> {
        if let Some(new) = &self.new
            && std::fs::rename(new, &self.path).is_ok()
        {
            return sync_folder(&self.path);
        }
        write_over(&self.path, self.text.as_bytes())
    }

    fn put_back(&self) -> std::io::Result<()> {
        match &self.before {
            None => match std::fs::remove_file(&self.path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            },
            Some(before) => {
                if let Ok(new) = beside(&self.path, before, &self.path) {
                    if std::fs::rename(&new, &self.path).is_ok() {
                        return sync_folder(&self.path);
                    }
                    let _ = std::fs::remove_file(&new);
                }
                write_over(&self.path, before)
            }
        }
    }
}

impl Prepared<'_> {
    fn is_as_before(&self) -> bool {
        std::fs::read(&self.path).ok() == self.before
    }
}

impl Drop for Prepared<'_> {
    fn drop(&mut self) {
        if let Some(new) = &self.new {
            let _ = std::fs::remove_file(new); // it is gone where it was put in place
        }
    }
}

/// Puts all of them in place, or none.
fn put_all(all: &[Prepared<'_>]) -> anyhow::Result<()> {
    for (at, one) in all.iter().enumerate() {
        let Err(error) = one.put() else { continue };
        let back = all[..=at].iter().rev().filter(|one| !one.is_as_before() && one.put_back().is_err());
        let lost: Vec<_> = back.map(|one| one.path.display().to_string()).collect();
        let became = if lost.is_empty() {
            "all files are as they were".to_owned()
        } else {
            format!("and these cannot be put back either: {}", lost.join(", "))
        };
        return Err(error).with_context(|| format!("{} cannot be written; {became}", one.path.display()));
    }
    Ok(())
}

fn write_over(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).truncate(true).open(path)?;
    file.write_all(bytes).and_then(|()| file.sync_all())
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(folder)?.sync_all()
}

/// A file beside `path` that says `bytes`, with the owner and the permissions of `like`.
fn beside(path: &Path, bytes: &[u8], like: &Path) -> std::io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600); // there may be secrets in it
    let mut file = options.open(&new)?;
    let written = (|| {
        file.write_all(bytes)?;
        let like = std::fs::metadata(like)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            std::os::unix::fs::fchown(&file, Some(like.uid()), Some(like.gid()))?;
        }
        file.set_permissions(like.permissions())?;
        file.sync_all()
    })();
    match written {
        Ok(()) => Ok(new),
        Err(error) => {
            let _ = std::fs::remove_file(&new);
            Err(error)
        }
    }
}

/// Writes text to standard output as it is. A reader that went away is no error.
fn put(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_behind_its_link_with_its_permissions() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("settings.toml"), folder.path().join("config.toml"));
        std::fs::write(&file, "a").expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).expect("set");
        std::os::unix::fs::symlink(&file, &link).expect("linked");
        put_all(&[Prepared::new(&link, "b", &file).expect("can be written")]).expect("replaced");
        assert_eq!(std::fs::read_to_string(&file).expect("read"), "b");
        assert!(link.symlink_metadata().expect("there").is_symlink());
        assert_eq!(file.metadata().expect("there").permissions().mode() & 0o777, 0o640);
        assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 2, "nothing is left beside it");
    }

    #[test]
    fn all_files_are_replaced_or_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("etc")).expect("made");
        for (name, text) in [("old.txt", "old"), ("etc/config.toml", "settings")] {
            std::fs::write(at(name), text).expect("written");
        }
        std::fs::set_permissions(at("etc/config.toml"), std::fs::Permissions::from_mode(0o640)).expect("set");
        let prepare = |name: &str| Prepared::new(&at(name), "next", &at("etc/config.toml")).expect("can be written");
        let all = ["old.txt", "gone.txt", "etc/config.toml"].map(prepare);
        // Whatever makes the last step fail: here its folder goes.
        std::fs::rename(at("etc"), at("moved")).expect("moved");
        let refused = put_all(&all).expect_err("no settings").to_string();
        assert!(refused.contains("config.toml cannot be written"), "{refused}");
        assert_eq!(std::fs::read_to_string(at("old.txt")).expect("read"), "old");
        assert!(!at("gone.txt").exists(), "a list that was not there is not there");
        std::fs::rename(at("moved"), at("etc")).expect("moved");
        drop(all);
        let all = ["old.txt", "gone.txt", "etc/config.toml"].map(prepare);
        put_all(&all).expect("replaced");
        drop(all);
        for name in ["old.txt", "gone.txt", "etc/config.toml"] {
            assert_eq!(std::fs::read_to_string(at(name)).expect("read"), "next");
        }
        assert_eq!(at("gone.txt").metadata().expect("there").permissions().mode() & 0o777, 0o640, "as the settings");
        assert_eq!(std::fs::read_dir(folder.path()).expect("read").count(), 3, "nothing is left beside them");
        assert!(
            Prepared::new(&at("no/folder.txt"), "next", &at("etc/config.toml")).is_err(),
            "said before anything changes"
        );
    }
}
