//! What a restore moved aside: a copy of everything as it was, for as long as it lies there.

use std::path::Path;

use super::{Findings, lasting};
use crate::config::Config;
use crate::config::aside::Aside;
use crate::domain::time::Timestamp;
use crate::storage::sqlite::copy;

/// Comments of a file up to this are counted: some seconds.
const COUNTED: u64 = 2 << 30;

pub(super) fn look(config: &Config, now: Timestamp, findings: &mut Findings) {
    let places = config.places();
    let database = config.database.path().ok();
    for aside in places.aside().iter().filter(|aside| !is_log(&aside.path)) {
        let Aside { since, path } = aside;
        let size = std::fs::metadata(path).map_or(0, |file| file.len());
        let begins_with = |of: &Path| path.to_string_lossy().starts_with(&*of.to_string_lossy());
        let holds = if database.as_deref().is_some_and(begins_with) {
            let count = if size > COUNTED { None } else { copy::comments(path).ok() };
            let count = count.map_or_else(|| "all comments".to_owned(), |count| format!("{count} comments"));
            format!(
                "{count} with everything that was kept of them then, also of whoever was erased since ({} MiB)",
                size >> 20
            )
        } else if begins_with(&config.secrets.key_file) {
            "the key that secrets in that database are encrypted with".to_owned()
        } else {
            "what was in the place of a file that was restored".to_owned()
        };
        let goes = match places.goes_at(aside) {
            None => "backup.keep_replaced_days is 0, so that nobody else does".to_owned(),
            Some(goes_at) if goes_at <= now => {
                "a running service does within the hour (backup.keep_replaced_days)".to_owned()
            }
            Some(goes_at) => format!("the service does at {goes_at} (backup.keep_replaced_days)"),
        };
        findings.warning(
            "replaced",
            format!(
                "{}, which a restore moved aside {} ago, holds {holds}",
                path.display(),
                lasting(now.millis_since(*since))
            ),
            format!(
                "once what was restored is as it should be, delete it and what lies beside it (`rm {}*`); {goes}",
                path.display()
            ),
        );
    }
}

/// What belongs to a database of the same name.
fn is_log(path: &Path) -> bool {
    let name = path.to_string_lossy();
    ["-wal", "-shm", "-journal"].iter().any(|log| name.ends_with(log))
}
