//! What `doorward restore --force` moved aside: the database of before, and what else was in the way. It is a copy of everything, those included who are
//! erased later, and nobody looks after it but whoever asks here.

use std::path::{Path, PathBuf};

use super::Config;
use crate::domain::time::Timestamp;

/// What stands between the name of a file and the moment at which it was moved aside.
pub const BEFORE: &str = ".before-";
/// What lies beside an operator's own model, where it does.
pub const BESIDE_MODEL: [&str; 3] = ["background.bin", "words.bin", "relevance.json"];

const DAY_MS: i64 = 86_400_000;

/// Where such files may lie, and for how long.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    files: Vec<PathBuf>,
    keep_days: u32,
}

/// A file that was moved aside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Aside {
    /// When.
    pub since: Timestamp,
    /// As it is called now.
    pub path: PathBuf,
}

impl Config {
    /// Where a restore may have moved something aside.
    #[must_use]
    pub fn places(&self) -> Places {
        let mut files = vec![self.secrets.key_file.clone()];
        files.extend(self.database.path().ok());
        files.extend(self.files());
        if !self.model.file.as_os_str().is_empty() {
            files.push(self.model.file.clone());
            files.extend(BESIDE_MODEL.map(|name| self.model.file.with_file_name(name)));
        }
        Places { files, keep_days: self.backup.keep_replaced_days }
    }
}

impl Places {
    /// What was moved aside and is still there, oldest first. What cannot be looked at is not there.
    #[must_use]
    pub fn aside(&self) -> Vec<Aside> {
        let mut all: Vec<Aside> = self.files.iter().flat_map(|file| beside(file)).collect();
        all.sort();
        all.dedup();
        all
    }

    /// When such a file goes; `None` for never.
    #[must_use]
    pub fn goes_at(&self, aside: &Aside) -> Option<Timestamp> {
        (self.keep_days > 0).then(|| aside.since.plus_millis(i64::from(self.keep_days) * DAY_MS))
    }

    /// Removes what has been there for long enough. Answers each, with what kept it from being removed.
    #[must_use]
    pub fn remove_old(&self, now: Timestamp) -> Vec<(PathBuf, std::io::Result<()>)> {
        let old = self.aside().into_iter().filter(|aside| self.goes_at(aside).is_some_and(|goes_at| goes_at <= now));
        old.map(|Aside { path, .. }| {
            let removed = std::fs::remove_file(&path);
            (path, removed)
        })
        .collect()
    }
}

/// `NAME.before-20261124T100005Z` and its logs, beside `NAME`.
fn beside(file: &Path) -> Vec<Aside> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (Some(name), Ok(entries)) = (file.file_name().and_then(|name| name.to_str()), std::fs::read_dir(folder)) else {
        return Vec::new();
    };
    let aside = |entry: std::fs::DirEntry| {
        let entry_name = entry.file_name();
        let moment = entry_name.to_str()?.strip_prefix(name)?.strip_prefix(BEFORE)?;
        let log = ["-wal", "-shm", "-journal"].into_iter().find_map(|log| moment.strip_suffix(log));
        let since = moment_of(log.unwrap_or(moment))?;
        entry.file_type().ok()?.is_file().then(|| Aside { since, path: entry.path() })
    };
    entries.flatten().filter_map(aside).collect()
}

/// The moment that stands in a name as 20261124T100005Z.
fn moment_of(stamp: &str) -> Option<Timestamp> {
    let (day, time) = stamp.strip_suffix('Z')?.split_once('T')?;
    if [day, time].concat().bytes().any(|byte| !byte.is_ascii_digit()) || (day.len(), time.len()) != (8, 6) {
        return None;
    }
    let text = format!("{}-{}-{}T{}:{}:{}Z", &day[..4], &day[4..6], &day[6..], &time[..2], &time[2..4], &time[4..]);
    Timestamp::parse(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_restore_moved_aside_goes_in_its_time_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut config = Config::default();
        config.place_in(folder.path());
        let old = ["doorward.db.before-20261101T100005Z", "doorward.db.before-20261101T100005Z-wal"];
        let key = "doorward.key.before-20261101T100005Z";
        let stays = [
            "doorward.db",
            "doorward.db-wal",
            "doorward.db.before-20261124T100005Z",
            "doorward.db.before-the-move",
            "doorward.db.before-20261101T100005Z.gz",
            "doorward.db.before-20261101T100005",
            "other.db.before-20261101T100005Z",
        ];
        for name in old.into_iter().chain([key]).chain(stays) {
            std::fs::write(path(name), name).unwrap();
        }
        std::fs::create_dir(path("doorward.db.before-20261102T100005Z")).unwrap();
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let all = config.places().aside();
        assert_eq!(all.len(), 4, "{all:?}");
        assert_eq!(all[0], Aside { since: at("2026-11-01T10:00:05Z"), path: path(old[0]) });
        let removed = |config: &Config, now: &str| {
            let removed = config.places().remove_old(at(now));
            removed.into_iter().map(|(path, removed)| removed.map(|()| path).unwrap()).collect::<Vec<_>>()
        };
        config.backup.keep_replaced_days = 0;
        assert_eq!(removed(&config, "2036-11-24T10:00:05Z"), Vec::<PathBuf>::new(), "for good");
        config.backup.keep_replaced_days = 14;
        assert_eq!(removed(&config, "2026-11-15T10:00:04Z"), Vec::<PathBuf>::new());
        assert_eq!(removed(&config, "2026-11-15T10:00:05Z"), [path(old[0]), path(old[1]), path(key)]);
        assert!(stays.iter().all(|name| path(name).is_file()));
        assert!(old.iter().chain([&key]).all(|name| !path(name).exists()));
    }
}
