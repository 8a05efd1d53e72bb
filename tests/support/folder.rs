//! Files of a service that is running, as they were at one moment.

use std::collections::BTreeMap;
use std::path::Path;

/// How often a folder is read until it has come to rest: minutes of it, where somebody writes all the time.
const LOOKS: usize = 100_000;

/// What the files of a folder hold, by name: never from two moments. The log is copied into the database file and emptied in the background,
/// so whoever reads one and then the other may see something in neither: it is read until two readings in a row are alike.
///
/// # Panics
/// The folder cannot be read, or never comes to rest.
pub(crate) fn at_one_moment(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut before = read(folder);
    for _ in 0..LOOKS {
        let now = read(folder);
        if let (Some(now), Some(before)) = (&now, before)
            && *now == before
        {
            return before;
        }
        before = now;
    }
    panic!("{} does not come to rest", folder.display());
}

/// `None` when a file went away meanwhile.
fn read(folder: &Path) -> Option<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let name = entry.file_name().into_string().expect("UTF-8");
            files.insert(name, std::fs::read(entry.path()).ok()?);
        }
    }
    Some(files)
}
