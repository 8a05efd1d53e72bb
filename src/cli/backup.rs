//! `doorward backup`: everything that another host needs to go on, copied while the service runs.
//!
//! A backup is a folder ([`super::manifest`]). It is made under a name that begins with a dot, read again, synchronised, and only then gets its own
//! name: what has that name is whole. Nothing is ever replaced.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;

use super::manifest::{self, Kept, MANIFEST, Manifest};
use super::{Usage, say, say_json};
use crate::app::clock::Clock as _;
use crate::app::secrets;
use crate::config::Config;
use crate::domain::time::Timestamp;
use crate::startup::SystemClock;
use crate::storage::sqlite::copy::{self, Depth};

/// What the names of backups in `backup.folder` begin with.
const NAMED: &str = "doorward-";
/// What the name of one that is being made ends with; it begins with a dot.
const UNFINISHED: &str = ".unfinished";
/// For whom it is: whoever runs the service.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// What a backup needs beside its database.
const BESIDES_BYTES: u64 = 64 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder to be made, in one that is there [default: a new one in backup.folder]
    #[arg(value_name = "TO")]
    to: Option<PathBuf>,
    /// Leave the key of secrets out, where it is kept apart: a restore needs it
    #[arg(long)]
    without_key: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// What is said at the end.
#[derive(Serialize)]
struct Report<'a> {
    backup: &'a Path,
    #[serde(flatten)]
    manifest: &'a Manifest,
    /// Backups that were too old, and are gone.
    removed: &'a [PathBuf],
}

pub(super) fn run(arguments: &Arguments, config: &Config, settings: Option<&Path>) -> anyhow::Result<()> {
    let now = SystemClock.now();
    anyhow::ensure!(
        !config.database.is_postgres(),
        Usage(
            "database.url names a PostgreSQL database, which has ways of its own: `pg_dump --format=custom --file=doorward.dump DATABASE` (or \
             your server's archive of its log), and copies of the settings and of secrets.key_file; docs/operations.md, `Backup`"
                .to_owned()
        )
    );
    let (to, is_ours) = if let Some(to) = &arguments.to {
        (to.clone(), false)
    } else {
        let folder = &config.backup.folder;
        let nowhere = "say where to, or set backup.folder".to_owned();
        anyhow::ensure!(!folder.as_os_str().is_empty(), Usage(nowhere));
        (folder.join(format!("{NAMED}{}", manifest::stamp(now))), true)
    };
    let manifest = make(&to, arguments, config, settings, now)?;
    let removed = if is_ours { expire(config, now, &to)? } else { Vec::new() };
    if arguments.json {
        return say_json(&Report { backup: &to, manifest: &manifest, removed: &removed });
    }
    let bytes: u64 = manifest.files.iter().map(|kept| kept.bytes).sum();
    say(format_args!("{}: {} comments, {} MiB, read again and whole", to.display(), manifest.comments, bytes >> 20))?;
    for kept in &manifest.files {
        say(format_args!("  {}", kept.name))?;
    }
    if let Some(head) = &manifest.audit_head {
        say(format_args!("head of the record of who did what: {head}"))?;
    }
    if manifest.has(manifest::KEY) {
        say("It holds the key of secrets: keep it where only you can read it.")?;
    } else {
        say("It does not hold the key of secrets: without it, a restore opens no secret.")?;
    }
    if !manifest.has(manifest::SETTINGS) {
        say("No settings file is used here, so there is none in it.")?;
    }
    if !manifest.environment.is_empty() {
        say(format_args!("Settings of the environment are not in it: {}.", manifest.environment.join(", ")))?;
    }
    removed.iter().try_for_each(|old| say(format_args!("removed {}, which was too old", old.display())))
}

fn make(
    to: &Path,
    arguments: &Arguments,
    config: &Config,
    settings: Option<&Path>,
    now: Timestamp,
) -> anyhow::Result<Manifest> {
    let exists = || Usage(format!("{} is there already; a backup replaces nothing", to.display()));
    anyhow::ensure!(to.symlink_metadata().is_err(), exists());
    let parent = manifest::folder_of(to);
    anyhow::ensure!(parent.is_dir(), Usage(format!("the folder {} does not exist; make it first", parent.display())));
    let name = to.file_name().ok_or_else(|| Usage(format!("{} is no name for a folder", to.display())))?;
    has_room(parent, &config.database.path()?)?;
    let mut unfinished = std::ffi::OsString::from(".");
    unfinished.push(name);
    unfinished.push(UNFINISHED);
    let unfinished = parent.join(unfinished);
    clear(&config.backup.folder);
    // One that was killed has left this; one that runs is not to be disturbed, and has it locked.
    let _alone = take(&unfinished)?;
    let made = fill(&unfinished, arguments, config, settings, now).and_then(|manifest| {
        anyhow::ensure!(to.symlink_metadata().is_err(), exists()); // meanwhile
        std::fs::rename(&unfinished, to).with_context(|| format!("{} cannot be made", to.display()))?;
        manifest::sync_folder(parent)?;
        Ok(manifest)
    });
    if made.is_err() {
        let _ = std::fs::remove_dir_all(&unfinished); // what is left of it is removed by the next one
    }
    made
}

/// Removes what backups that were killed have left in their folder: they are copies of everything. One that is being made has its own locked.
fn clear(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_ours = name.strip_prefix('.').is_some_and(|name| name.starts_with(NAMED) && name.ends_with(UNFINISHED));
        if is_ours && std::fs::File::open(&path).is_ok_and(|folder| folder.try_lock().is_ok()) {
            let _ = std::fs::remove_dir_all(&path); // what cannot be removed is tried again the next time
        }
    }
}

/// An empty folder at `path`, locked for as long as the answer lives.
fn take(path: &Path) -> anyhow::Result<std::fs::File> {
    let cannot = || format!("{} cannot be made", path.display());
    let make = || -> std::io::Result<std::fs::File> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, FOLDER_MODE);
        builder.create(path)?;
        std::fs::File::open(path)
    };
    let folder = make().with_context(cannot)?;
    match folder.try_lock() {
        Err(std::fs::TryLockError::WouldBlock) => anyhow::bail!("another backup to {} is being made", path.display()),
        Ok(()) | Err(std::fs::TryLockError::Error(_)) => {} // a file system without locks has none to wait for
    }
    for entry in std::fs::read_dir(path).with_context(cannot)? {
        std::fs::remove_file(entry.with_context(cannot)?.path()).with_context(cannot)?;
    }
    Ok(folder)
}

fn has_room(folder: &Path, database: &Path) -> anyhow::Result<()> {
    let needed = std::fs::metadata(database).map_or(0, |file| file.len()) + BESIDES_BYTES;
    let Some(free) = super::machine::free_bytes(folder) else { return Ok(()) };
    anyhow::ensure!(
        free >= needed,
        "{} has {} MiB left, and a backup needs {} MiB",
        folder.display(),
        free >> 20,
        needed >> 20
    );
    Ok(())
}

/// Everything that belongs into it, the manifest last.
fn fill(
    folder: &Path,
    arguments: &Arguments,
    config: &Config,
    settings: Option<&Path>,
    now: Timestamp,
) -> anyhow::Result<Manifest> {
    let key = &config.secrets.key_file;
    // The key and what is sealed with it must be of one moment.
    let _no_rotation = secrets::hold(key)?;
    let mut names = vec![manifest::DATABASE.to_owned()];
    if !arguments.without_key && key.is_file() {
        manifest::copy_new(key, &folder.join(manifest::KEY), FILE_MODE)?;
        names.push(manifest::KEY.to_owned());
    }
    if let Some(settings) = settings {
        manifest::copy_new(settings, &folder.join(manifest::SETTINGS), FILE_MODE)?;
        names.push(manifest::SETTINGS.to_owned());
    }
    for (name, path) in manifest::named_files(config) {
        if path.is_file() {
            manifest::copy_new(&path, &folder.join(&name), FILE_MODE)?;
            names.push(name);
        }
    }
    let database = folder.join(manifest::DATABASE);
    let is_terminal = std::io::stderr().is_terminal();
    copy::copy(&config.database, &database, &mut |done, all| {
        if is_terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[Kcopied {} of {} MiB", done >> 20, all >> 20);
        }
    })?;
    if is_terminal {
        let _ = write!(std::io::stderr(), "\r\x1b[K");
    }
    let looked =
        copy::look(&database, Depth::Quick).context("the copy is not sound, and perhaps the database is not")?;
    let files = names.iter().map(|name| Kept::of(folder, name)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut manifest = Manifest::new(now, Config::in_environment()?, files);
    manifest.schema = looked.schema;
    manifest.comments = looked.comments;
    manifest.audit_head = looked.audit_head;
    let text = serde_json::to_string_pretty(&manifest).context("the manifest cannot be written")?;
    let path = folder.join(MANIFEST);
    let written = std::fs::File::create_new(&path)
        .and_then(|mut file| file.write_all(format!("{text}\n").as_bytes()).and_then(|()| file.sync_all()));
    written.with_context(|| format!("{} cannot be written", path.display()))?;
    manifest::sync_folder(folder)?;
    Ok(manifest)
}

/// Backups that `backup.folder` holds, by the name that they were given, oldest first.
pub(super) fn kept(folder: &Path) -> std::io::Result<Vec<(Timestamp, PathBuf)>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(NAMED)
            && let Ok(manifest) = Manifest::read(&path)
            && name == format!("{NAMED}{}", manifest::stamp(manifest.made_at))
        {
            all.push((manifest.made_at, path));
        }
    }
    all.sort();
    Ok(all)
}

/// Removes those that are too old, but not `latest`.
fn expire(config: &Config, now: Timestamp, latest: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut removed = Vec::new();
    if config.backup.keep_days == 0 {
        return Ok(removed);
    }
    let keep = Duration::from_secs(u64::from(config.backup.keep_days) * 86_400).as_millis();
    let folder = &config.backup.folder;
    for (made_at, path) in kept(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        if path != latest && u128::from(now.millis_since(made_at)) > keep {
            std::fs::remove_dir_all(&path).with_context(|| format!("{} cannot be removed", path.display()))?;
            removed.push(path);
        }
    }
    Ok(removed)
}
