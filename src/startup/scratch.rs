//! A folder of a replay's own, which nobody else may look into: comments lie in it.

use std::fs::{File, Metadata};
use std::io::Write as _;
#[cfg(unix)]
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Gone when this is dropped.
pub struct Folder(PathBuf, #[expect(dead_code, reason = "locked for as long as it is open")] File);

/// What its name begins with.
const NAMED: &str = "doorward-backtest-";
/// Hexadecimal digits after that.
const DIGITS: usize = 16;

/// Removes what replays that were killed have left in `within`, or in the system's folder: comments lie in it. One that runs has its own locked, and
/// others' cannot be opened.
pub fn clear(within: Option<&Path>) {
    let Ok(entries) = std::fs::read_dir(place(within)) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if is_ours(&path) && File::open(&path).is_ok_and(|folder| folder.try_lock().is_ok()) {
            let _ = std::fs::remove_dir_all(&path); // what cannot be removed is tried again the next time
        }
    }
}

/// Whether it is a folder that one of ours made: of that name to the last digit, no link, and of the same user.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let is_named = name
        .and_then(|name| name.strip_prefix(NAMED))
        .is_some_and(|rest| rest.len() == DIGITS && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    is_named && path.symlink_metadata().is_ok_and(|found| found.is_dir() && is_of_this_user(&found))
}

#[cfg(unix)]
fn is_of_this_user(found: &Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw()
}

#[cfg(not(unix))]
fn is_of_this_user(_found: &Metadata) -> bool {
    true
}

/// Bytes that are free for us on the disk of `folder`; `None` where that cannot be told.
#[must_use]
pub fn free_bytes(folder: &Path) -> Option<u64> {
    #[cfg(unix)]
    {
        let found = rustix::fs::statvfs(folder).ok()?;
        found.f_bavail.checked_mul(found.f_frsize)
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

/// `within`, or the system's folder for such files.
pub(super) fn place(within: Option<&Path>) -> PathBuf {
    within.map_or_else(std::env::temp_dir, Path::to_owned)
}

impl Folder {
    /// Makes one in `within`, or in the system's folder for such files.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn make(within: Option<&Path>) -> anyhow::Result<Self> {
        clear(within);
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random numbers could be had: {error}"))?;
        let path = place(within).join(format!("{NAMED}{:016x}", u64::from_le_bytes(random)));
        let mut builder = std::fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).with_context(|| format!("{} cannot be made", path.display()))?;
        let folder = File::open(&path).with_context(|| format!("{} cannot be opened", path.display()))?;
        match folder.try_lock() {
            Err(std::fs::TryLockError::WouldBlock) => anyhow::bail!("{} was taken for a left one", path.display()),
            Ok(()) | Err(std::fs::TryLockError::Error(_)) => Ok(Self(path, folder)), // a file system without locks has none to wait for
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            // Comments lie in it: whoever waits has to know.
            let _ = writeln!(std::io::stderr(), "doorward: {} cannot be removed: {error}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_goes_and_whatever_else_lies_there_stays() {
        let within = tempfile::tempdir().unwrap();
        let made = |name: &str| {
            let path = within.path().join(name);
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join("replay.db"), "comments").unwrap();
            path
        };
        let left = made("doorward-backtest-0123456789abcdef");
        let others = [
            "doorward-backtest-mine",
            "doorward-backtest-0123456789abcdef0",
            "doorward-backtest-0123456789ABCDEF",
            "else",
        ];
        let others = others.map(made);
        let file = within.path().join("doorward-backtest-00000000000000ff");
        std::fs::write(&file, "a file").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(&others[3], within.path().join("doorward-backtest-00000000000000aa")).unwrap();
        let running = Folder::make(Some(within.path())).unwrap();
        assert!(!left.exists(), "making one looks for what was left");
        let left = made("doorward-backtest-0123456789abcdef");
        clear(Some(within.path()));
        assert!(!left.exists() && file.exists() && running.path().exists());
        assert!(others.iter().all(|other| other.join("replay.db").exists()));
        let kept = running.path().to_owned();
        drop(running);
        assert!(!kept.exists());
    }
}
