//! `doorward restore`: what [`super::backup`] made, checked whole, and put where the settings say.
//!
//! Everything is checked before anything is put in place; the database is put in place last but for its key and settings, each by one rename. What
//! was there before stays beside it, with `--force`, or nothing is done.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;

use super::erasures::{self, Together};
use super::manifest::{self, Manifest};
use super::{Usage, backup, block_on, say, say_json};
use crate::app::clock::Clock as _;
use crate::app::secrets::Sealer;
use crate::config::aside::BEFORE;
use crate::config::{self, Config};
use crate::domain::privacy::{ErasedAgain, Privacy as _};
use crate::domain::store::Store as _;
use crate::startup::SystemClock;
use crate::storage::sqlite::SqliteStore;
use crate::storage::sqlite::copy::{self, Depth, Looked};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The backup
    #[arg(value_name = "FROM")]
    from: PathBuf,
    /// Put it in the place of what is there, which stays beside it
    #[arg(long)]
    force: bool,
    /// Also erase again what this list names, which `doorward erasures export` wrote
    #[arg(long, value_name = "FILE")]
    erasures: Vec<PathBuf>,
    /// Only look whether it is whole
    #[arg(long)]
    check: bool,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// What is said at the end.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    manifest: &'a Manifest,
    /// What is in its place now, and where that is.
    restored: Vec<&'a Path>,
    /// What was there before.
    moved_aside: &'a [PathBuf],
    /// Who had been erased since, and is gone from it again.
    erased_again: ErasedAgain,
    /// Where the lists of the erased are from that were read.
    erasures_from: &'a [String],
    /// What of such lists could not be read: whom they alone name is in it again.
    erasures_unread: &'a [String],
}

/// One file, and where it goes.
struct Place {
    name: String,
    to: PathBuf,
    mode: u32,
}

pub(super) fn run(arguments: &Arguments, settings: Option<&Path>) -> anyhow::Result<()> {
    let from = &arguments.from;
    let manifest = Manifest::read(from)?;
    manifest.compare(from)?;
    if arguments.check {
        let looked = copy::look(&from.join(manifest::DATABASE), Depth::Whole)?;
        if manifest.has(manifest::KEY) {
            opens(&from.join(manifest::KEY), &looked)?;
        }
        if arguments.json {
            return say_json(&Report {
                manifest: &manifest,
                restored: Vec::new(),
                moved_aside: &[],
                erased_again: ErasedAgain::default(),
                erasures_from: &[],
                erasures_unread: &[],
            });
        }
        return say(format_args!("{} is whole: {} comments, of {}", from.display(), looked.comments, manifest.made_at));
    }
    let (config, brings_settings) = configuration(from, &manifest, settings)?;
    let settings = settings.unwrap_or(Path::new(config::USUAL));
    anyhow::ensure!(
        !config.database.is_postgres(),
        Usage("database.url names a PostgreSQL database; a backup of a file is restored as a file, and then moved: docs/moving.md".to_owned())
    );
    let database = config.database.path()?;
    let folder = manifest::folder_of(&database);
    anyhow::ensure!(folder.is_dir(), Usage(format!("the folder {} does not exist; make it first", folder.display())));
    let _nobody_serves = copy::keep_from_serving(&database).context("stop the service first")?;
    own(&beside(&database, ".lock"), folder);
    let places = differing(&manifest, places(&manifest, &config, settings, brings_settings))?;
    let lists = Lists::gather(arguments, &config, &database)?; // before anything is in the way: looking makes files beside it
    let occupied = occupied(from, &places)?;
    if !arguments.force {
        let there: Vec<String> = occupied.iter().map(|path| path.display().to_string()).collect();
        anyhow::ensure!(
            there.is_empty(),
            Usage(format!(
                "there already: {}; --force puts the backup in their place, and keeps them beside it",
                there.join(", ")
            ))
        );
    }
    let (found, unread) = (lists.found.clone(), lists.unread.clone());
    let (aside, again) = put(from, &manifest, &config, &places, &occupied, lists)?;
    let restored: Vec<&Path> = places.iter().map(|place| place.to.as_path()).collect();
    if arguments.json {
        return say_json(&Report {
            manifest: &manifest,
            restored,
            moved_aside: &aside,
            erased_again: again,
            erasures_from: &found,
            erasures_unread: &unread,
        });
    }
    tell(&manifest, &config, settings, brings_settings, &restored, &aside)?;
    if found.is_empty() {
        say("Whom sites had erased since then is in it again: have them erase those people once more.")?;
    } else {
        say(format_args!(
            "Who had been erased since, after the list in {}: {}.",
            found.join(", "),
            erasures::told(&again)
        ))?;
        if !arguments.force {
            say(
                "Whom sites had erased after that list was written is in it again: have them erase those people once more.",
            )?;
        }
    }
    unread.iter().try_for_each(|problem| say(format_args!("No list of the erased could be read: {problem}")))?;
    say("Look with `doorward doctor`, and start the service.")
}

/// Lists of who was erased, wherever they may be had from.
struct Lists {
    all: Together,
    /// Where they are from.
    found: Vec<String>,
    /// What could not be read; the rest is used all the same.
    unread: Vec<String>,
}

impl Lists {
    /// Those that were named, that of the database which is in the place, and those of the other backups.
    fn gather(arguments: &Arguments, config: &Config, database: &Path) -> anyhow::Result<Self> {
        let mut lists = Self { all: Together::default(), found: Vec::new(), unread: Vec::new() };
        for path in &arguments.erasures {
            lists.all.add(erasures::read(path)?);
            lists.found.push(path.display().to_string());
        }
        let folder = &config.backup.folder;
        let others = if folder.as_os_str().is_empty() { Vec::new() } else { backup::kept(folder).unwrap_or_default() };
        let is_from = |path: &Path| path.canonicalize().ok() == arguments.from.canonicalize().ok();
        let others = others.into_iter().map(|(_, path)| path).filter(|path| !is_from(path));
        for path in std::iter::once(database.to_owned()).chain(others.map(|path| path.join(manifest::DATABASE))) {
            if !path.is_file() {
                continue;
            }
            match copy::erasures(&path) {
                Ok(list) if list.is_empty() => {}
                Ok(list) => {
                    lists.all.add(list);
                    lists.found.push(path.display().to_string());
                }
                Err(error) => lists.unread.push(format!("{:#}", anyhow::Error::from(error))),
            }
        }
        Ok(lists)
    }
}

/// Erases again in the database at `path`, which nobody knows yet, what it does not know to be erased. Nothing of it is written where there is nothing.
fn forget(path: &Path, config: &Config, lists: Lists) -> anyhow::Result<ErasedAgain> {
    let list = lists.all.but(copy::erasures(path)?);
    if list.is_empty() {
        return Ok(ErasedAgain::default());
    }
    let database = crate::storage::Config { url: format!("sqlite:{}", path.display()), ..config.database.clone() };
    let store = SqliteStore::open_serving(&database)?;
    let again = block_on(async {
        let again = store.erase_again(list, SystemClock.now()).await;
        store.close().await;
        again
    })?;
    drop(store); // and with it the last who has the file open: its log goes
    let _ = std::fs::remove_file(beside(path, ".lock"));
    let left = ["-wal", "-shm", "-journal"].map(|end| beside(path, end));
    anyhow::ensure!(left.iter().all(|log| !log.exists()), "{} was left with a log beside it", path.display());
    again.context("who had been erased since could not be erased again")
}

/// The settings that say where everything goes: those that are there, or else the backup's own.
fn configuration(from: &Path, manifest: &Manifest, settings: Option<&Path>) -> anyhow::Result<(Config, bool)> {
    let place = settings.unwrap_or(Path::new(config::USUAL));
    if manifest.has(manifest::SETTINGS) && !place.is_file() {
        return Ok((Config::load_as_if_at(&from.join(manifest::SETTINGS), place)?, true));
    }
    Ok((Config::load(settings)?, false))
}

fn places(manifest: &Manifest, config: &Config, settings: &Path, brings_settings: bool) -> Vec<Place> {
    let mut places = Vec::new();
    let mut place = |name: &str, to, mode| {
        if manifest.has(name) {
            places.push(Place { name: name.to_owned(), to, mode });
        }
    };
    for (name, path) in manifest::named_files(config) {
        place(&name, path, 0o644); // no secrets; whoever runs the service reads them
    }
    place(manifest::KEY, config.secrets.key_file.clone(), 0o600);
    place(manifest::DATABASE, config.database.path().unwrap_or_default(), 0o600);
    if brings_settings {
        place(manifest::SETTINGS, settings.to_owned(), 0o640);
    }
    places
}

/// Without what is in its place already: it may lie where nobody but root can write.
fn differing(manifest: &Manifest, places: Vec<Place>) -> anyhow::Result<Vec<Place>> {
    let mut differing = Vec::with_capacity(places.len());
    for place in places {
        let kept = manifest.files.iter().find(|kept| kept.name == place.name);
        let is_there = place.name != manifest::DATABASE && place.to.is_file();
        if !is_there || kept.map(|kept| (kept.bytes, kept.sha256.clone())) != Some(manifest::sum(&place.to)?) {
            differing.push(place);
        }
    }
    Ok(differing)
}

/// What stands where something else would be put. The same file is not in its own way.
fn occupied(from: &Path, places: &[Place]) -> anyhow::Result<Vec<PathBuf>> {
    let mut occupied = Vec::new();
    for place in places {
        if place.name == manifest::DATABASE {
            // The log of a database belongs to it: another database beside it would be taken for damaged, or be.
            let parts = ["", "-wal", "-shm", "-journal"].map(|end| beside(&place.to, end));
            occupied.extend(parts.into_iter().filter(|part| part.symlink_metadata().is_ok()));
        } else if place.to.symlink_metadata().is_ok()
            && manifest::sum(&place.to)? != manifest::sum(&from.join(&place.name))?
        {
            occupied.push(place.to.clone());
        }
    }
    Ok(occupied)
}

/// Makes a folder and those above it that are missing, each as the one above it is: for whom it is, and who may read it.
fn make_folder(folder: &Path) -> anyhow::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = manifest::folder_of(folder);
    make_folder(above)?;
    let cannot = || format!("{} cannot be made", folder.display());
    std::fs::create_dir(folder).with_context(cannot)?;
    let rights = std::fs::metadata(above).with_context(cannot)?.permissions();
    std::fs::set_permissions(folder, rights).with_context(cannot)?;
    own(folder, above);
    Ok(())
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

/// Copies everything beside its place, checks the copies, moves what is in the way aside, and the copies into their places.
fn put(
    from: &Path,
    manifest: &Manifest,
    config: &Config,
    places: &[Place],
    occupied: &[PathBuf],
    lists: Lists,
) -> anyhow::Result<(Vec<PathBuf>, ErasedAgain)> {
    let ready = |place: &Place| beside(&place.to, ".restoring");
    let copied = places.iter().try_for_each(|place| {
        let copy = ready(place);
        make_folder(manifest::folder_of(&place.to))?; // lists may lie in one of their own
        // Of a restore that was killed: nobody else has such names. What it had begun to write to the copy is no part of the next one.
        for of in ["", "-wal", "-shm", "-journal", ".lock"] {
            let _ = std::fs::remove_file(beside(&copy, of));
        }
        manifest::copy_new(&from.join(&place.name), &copy, place.mode)?;
        own(&copy, manifest::folder_of(&place.to));
        let (_, sum) = manifest::sum(&copy)?;
        let is_same = manifest.files.iter().any(|kept| kept.name == place.name && kept.sha256 == sum);
        anyhow::ensure!(is_same, "{} was not written as it was read: look at the disk", copy.display());
        Ok(())
    });
    let checked = copied.and_then(|()| {
        let database = places.iter().find(|place| place.name == manifest::DATABASE).map(ready);
        let looked = copy::look(&database.unwrap_or_default(), Depth::Whole)?;
        let key = places.iter().find(|place| place.name == manifest::KEY).map(ready);
        // Where there is none, that is said at the end.
        if let Some(key) = key.or_else(|| Some(config.secrets.key_file.clone()).filter(|key| key.is_file())) {
            opens(&key, &looked)?;
        }
        // Before it is in its place: whatever stops this, nobody who was erased is served again.
        match places.iter().find(|place| place.name == manifest::DATABASE) {
            Some(place) => {
                let again = forget(&ready(place), config, lists)?;
                own(&ready(place), manifest::folder_of(&place.to));
                Ok(again)
            }
            None => Ok(ErasedAgain::default()),
        }
    });
    let again = match checked {
        Ok(again) => again,
        Err(error) => {
            for place in places {
                for end in ["", "-wal", "-shm", ".lock"] {
                    let _ = std::fs::remove_file(beside(&ready(place), end));
                }
            }
            return Err(error.context("nothing was changed"));
        }
    };
    let mut aside = Vec::new();
    let end = format!("{BEFORE}{}", manifest::stamp(SystemClock.now()));
    for path in occupied {
        // Of `doorward.db` and `doorward.db-wal`: `doorward.db.before-…` and `doorward.db.before-…-wal`, which is how the one finds the other.
        let name = path.to_string_lossy().into_owned();
        let log = ["-wal", "-shm", "-journal"].into_iter().find(|log| name.ends_with(log)).unwrap_or_default();
        let kept = PathBuf::from(format!("{}{end}{log}", name.strip_suffix(log).unwrap_or(&name)));
        anyhow::ensure!(kept.symlink_metadata().is_err(), "{} is there already: run the same again", kept.display());
        std::fs::rename(path, &kept).with_context(|| format!("{} cannot be moved aside", path.display()))?;
        aside.push(kept);
    }
    for place in places {
        std::fs::rename(ready(place), &place.to)
            .with_context(|| format!("{} cannot be put in its place: run the same again", place.to.display()))?;
        manifest::sync_folder(manifest::folder_of(&place.to))?;
    }
    Ok((aside, again))
}

/// Whether the key in that file opens what is sealed in the database.
fn opens(key: &Path, looked: &Looked) -> anyhow::Result<()> {
    let sealer = Sealer::open(key)?;
    for (site, sealed) in &looked.sealed {
        sealer
            .unseal(site, "inbound", sealed)
            .with_context(|| format!("the key in {} does not open the secrets of site `{site}`", key.display()))?;
    }
    Ok(())
}

/// Gives a file to whom the folder belongs, where whoever runs this may give files away: the service does not run as root.
fn own(path: &Path, folder: &Path) {
    #[cfg(unix)]
    if let Ok(folder) = std::fs::metadata(folder) {
        use std::os::unix::fs::MetadataExt as _;
        let _ = std::os::unix::fs::chown(path, Some(folder.uid()), Some(folder.gid()));
    }
    #[cfg(not(unix))]
    let _ = (path, folder);
}

fn tell(
    manifest: &Manifest,
    config: &Config,
    settings: &Path,
    brings_settings: bool,
    restored: &[&Path],
    aside: &[PathBuf],
) -> anyhow::Result<()> {
    say(format_args!("{} comments as they were at {}", manifest.comments, manifest.made_at))?;
    restored.iter().try_for_each(|path| say(format_args!("  {}", path.display())))?;
    aside.iter().try_for_each(|path| say(format_args!("what was there before: {}", path.display())))?;
    match config.backup.keep_replaced_days {
        _ if aside.is_empty() => {}
        0 => say("It keeps whoever is erased from now on: delete it when nothing of it is needed.")?,
        days => say(format_args!(
            "It keeps whoever is erased from now on: delete it when nothing of it is needed; the service does after {days} days (backup.keep_replaced_days)."
        ))?,
    }
    if !brings_settings && manifest.has(manifest::SETTINGS) {
        say(format_args!(
            "Your settings in {} stay as they are; the backup has its own, to compare.",
            settings.display()
        ))?;
    }
    if !config.secrets.key_file.is_file() {
        say(format_args!("Put the key of secrets at {} before anything starts.", config.secrets.key_file.display()))?;
    }
    if !manifest.environment.is_empty() {
        say(format_args!("On its host these stood in the environment: {}.", manifest.environment.join(", ")))?;
    }
    Ok(())
}
