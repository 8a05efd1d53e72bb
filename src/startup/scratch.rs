//! A folder of a replay's own, which nobody else may look into: comments lie in it.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Gone when this is dropped.
pub struct Folder(PathBuf, #[expect(dead_code, reason = "locked for as long as it is open")] File);

/// What its name begins with.
const NAMED: &str = "doorward-backtest-";

/// Removes what replays that were killed have left in `within`, or in the system's folder: comments lie in it. One that runs has its own locked, and
/// others' cannot be opened.
pub fn clear(within: Option<&Path>) {
    let Ok(entries) = std::fs::read_dir(place(within)) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let is_ours = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(NAMED));
        let is_folder = path.symlink_metadata().is_ok_and(|found| found.is_dir());
        if is_ours && is_folder && File::open(&path).is_ok_and(|folder| folder.try_lock().is_ok()) {
            let _ = std::fs::remove_dir_all(&path); // what cannot be removed is tried again the next time
        }
    }
}

fn place(within: Option<&Path>) -> PathBuf {
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
