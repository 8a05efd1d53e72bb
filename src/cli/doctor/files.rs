//! Who may read and write what, and how much room there is.

use std::path::{Path, PathBuf};

use super::super::{machine, manifest};
use super::Findings;
use crate::config::Config;

/// Less room than that is soon none.
const ROOM_LOW: u64 = 1 << 30;
/// Less room than that is none: a day's log does not fit.
const ROOM_GONE: u64 = 64 << 20;

pub(super) fn look(config: &Config, settings: Option<&Path>, findings: &mut Findings) {
    let before = findings.0.len();
    #[cfg(unix)]
    {
        rights(config, settings, findings);
    }
    #[cfg(not(unix))]
    let _ = settings;
    if findings.0.len() == before {
        findings.good("permissions", "files belong to one user, and what is secret is for nobody else");
    }
    room(config, findings);
}

/// The database and what lies beside it.
fn database_files(config: &Config) -> Vec<PathBuf> {
    let Ok(path) = config.database.path() else { return Vec::new() };
    let parts = ["", "-wal", "-shm", ".lock"].map(|end| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    });
    parts.into_iter().filter(|part| part.exists()).collect()
}

#[cfg(unix)]
fn rights(config: &Config, settings: Option<&Path>, findings: &mut Findings) {
    use std::os::unix::fs::MetadataExt as _;
    let about = |path: &Path| std::fs::metadata(path).ok();
    let key = &config.secrets.key_file;
    let database = database_files(config);
    let mut ours = database.clone();
    ours.extend(key.exists().then(|| key.clone()));
    for path in &ours {
        let (Some(file), Some(folder)) = (about(path), about(manifest::folder_of(path))) else { continue };
        // What one of root's commands made in the service's folder, the service cannot open.
        if file.uid() != folder.uid() && folder.uid() != 0 {
            findings.problem(
                "permissions",
                format!("{} belongs to user {}, and its folder to user {}", path.display(), file.uid(), folder.uid()),
                format!(
                    "`chown {}:{} {}`, and run commands as the user that the service runs as, as in `sudo -u doorward doorward …`",
                    folder.uid(),
                    folder.gid(),
                    path.display()
                ),
            );
        }
    }
    for path in &database {
        let open = about(path).is_some_and(|file| file.mode() & 0o004 != 0)
            && about(manifest::folder_of(path)).is_none_or(|folder| folder.mode() & 0o001 != 0);
        if open && !path.to_string_lossy().ends_with(".lock") {
            findings.warning(
                "permissions",
                format!(
                    "every user of this machine may read {}, with everybody's comments and addresses",
                    path.display()
                ),
                format!("`chmod o-rwx {}`", path.display()),
            );
        }
    }
    if about(key).is_some_and(|file| file.mode() & 0o077 != 0) {
        findings.problem(
            "permissions",
            format!("others than its owner may read or change {}", key.display()),
            format!("`chmod 600 {}`; if others could read it for long: `doorward secrets rotate`", key.display()),
        );
    }
    if let Some(settings) = settings
        && has_secrets(settings)
        && about(settings).is_some_and(|file| file.mode() & 0o004 != 0)
    {
        findings.warning(
            "permissions",
            format!("every user of this machine may read {}, which holds secrets", settings.display()),
            format!("`chmod o-rwx {}`, and let the service's group read it", settings.display()),
        );
    }
}

/// Whether secrets stand in the file itself, and not in the environment.
#[cfg(unix)]
fn has_secrets(settings: &Path) -> bool {
    let Ok(file) = Config::read(Some(settings), &[]) else { return false };
    let has_password = |url: &str| {
        let user = url.split_once("://").and_then(|(_, rest)| Some(rest.rsplit_once('@')?.0));
        user.is_some_and(|user| user.contains(':')) || url.contains("password=")
    };
    file.metrics.token.expose().is_some()
        || file.sources.iter().any(|source| source.secret.expose().is_some())
        || file.shared.url.expose().is_some_and(has_password)
        || (file.database.is_postgres() && has_password(&file.database.url))
}

fn room(config: &Config, findings: &mut Findings) {
    let Ok(path) = config.database.path() else { return };
    let folder = manifest::folder_of(&path);
    let Some(free) = machine::free_bytes(folder) else { return };
    let size: u64 =
        database_files(config).iter().filter_map(|path| std::fs::metadata(path).ok()).map(|file| file.len()).sum();
    let (free_mb, size_mb) = (free >> 20, size >> 20);
    let found = format!("{free_mb} MiB left in {}, where the database has {size_mb} MiB", folder.display());
    let todo =
        "make room: what fills the disk, older backups, a bigger disk; comments are refused with 503 when it is full";
    if free < ROOM_GONE {
        findings.problem("disk", found, todo);
    } else if free < ROOM_LOW || free < size / 10 {
        findings.warning("disk", found, todo);
    } else {
        findings.good("disk", found);
    }
    let most = u64::from(config.database.max_file_mb) << 20;
    let file = std::fs::metadata(&path).map_or(0, |file| file.len());
    if most > 0 && file > most / 10 * 9 {
        let found = format!("the database has {} of the {} MiB that it may have", file >> 20, most >> 20);
        findings.warning(
            "disk",
            found,
            "raise database.max_file_mb: comments are refused with 503 when they are used up",
        );
    }
}
