//! Where the configuration comes from, looked at once or again and again.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::environment::{variables, with_variables};
use super::redact::redacted;
use super::{Config, ConfigError};
use crate::domain::rules::lists::ListText;
use crate::domain::versions::Version;

/// A file, and the environment of this process over it. The environment does not change while a process runs.
#[derive(Debug, Clone)]
pub struct Source {
    path: Option<PathBuf>,
    variables: Vec<(String, String)>,
}

/// What was read.
#[derive(Debug, Clone)]
pub struct Read {
    /// The configuration, checked.
    pub config: Config,
    /// What the files said, without secrets.
    pub version: Version,
    /// What its lists hold.
    pub lists: Vec<ListText>,
}

/// Tells one state of all files from another. Of two equal ones nobody has to read what they say.
pub type Print = [u8; 32];

impl Source {
    /// `file`, or `config.toml` where there is one, and the environment over it.
    ///
    /// # Errors
    /// A variable of ours is not UTF-8.
    pub fn of(file: Option<&Path>) -> Result<Self, ConfigError> {
        Ok(Self::new(Config::file(file), variables(std::env::vars_os())?))
    }

    /// With `variables` in the place of the environment.
    #[must_use]
    pub fn new(path: Option<&Path>, variables: Vec<(String, String)>) -> Self {
        Self { path: path.map(Path::to_owned), variables }
    }

    /// The file, if there is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Reads and checks all of it, with the files that it names.
    ///
    /// # Errors
    /// [`ConfigError`], with file, line and column, or the variable.
    pub fn read(&self) -> Result<Read, ConfigError> {
        self.read_text(&self.text()?)
    }

    /// The same as if the file said `text`.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read_text(&self, text: &str) -> Result<Read, ConfigError> {
        self.read_with(text, &[])
    }

    /// The same as if the file said `text`, and the files that it names what `files` has of them.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read_with(&self, text: &str, files: &[(String, String)]) -> Result<Read, ConfigError> {
        let config = Config::read_text(text, self.path.as_deref(), &self.variables)?;
        let given = |file: &Path| {
            let short = self.short(file);
            files.iter().find(|(name, _)| *name == short).map(|(_, text)| text.clone())
        };
        let lists = config.read_lists_with(given)?;
        let named = lists.iter();
        let named = named
            .filter_map(|list| Some((self.short(&config.lists.get(&list.name)?.file), list.text.clone())))
            .collect();
        Ok(Read { version: version(&redacted(text), &named), config, lists })
    }

    /// The settings alone: files that they name are not looked at.
    ///
    /// # Errors
    /// [`ConfigError`], with file, line and column, or the variable.
    pub fn config(&self) -> Result<Config, ConfigError> {
        Config::read_text(&self.text()?, self.path.as_deref(), &self.variables)
    }

    fn text(&self) -> Result<String, ConfigError> {
        self.path.as_deref().map_or_else(|| Ok(String::new()), text_of)
    }

    /// Nothing but where the database lies, of a file that cannot be used: `None` when not even that can be told.
    #[must_use]
    pub fn database_alone(&self) -> Option<Config> {
        let text = std::fs::read_to_string(self.path.as_ref()?).ok()?;
        let section = if let Ok(mut all) = toml::from_str::<toml::Table>(&text) {
            let database = all.remove("database").unwrap_or_else(|| toml::Table::new().into());
            let section = toml::Table::from_iter([("database".to_owned(), database)]);
            toml::to_string(&section).ok()?
        } else {
            // Somewhere a quote is missing: the lines of the section are all there is to go by.
            let from = text.lines().skip_while(|line| line.trim() != "[database]");
            let lines = from.enumerate().take_while(|(at, line)| *at == 0 || !line.trim_start().starts_with('['));
            lines.map(|(_, line)| format!("{line}\n")).collect()
        };
        let of_database = |(name, _): &&(String, String)| name.to_uppercase().starts_with("DOORWARD__DATABASE__");
        let variables: Vec<_> = self.variables.iter().filter(of_database).cloned().collect();
        if section.is_empty() && variables.is_empty() {
            return None; // its default would be another database
        }
        Config::read_text(&section, self.path.as_deref(), &variables).ok()
    }

    /// What there is now: reads everything, since times of change lie (an editor may keep them, and a mount may show old ones), and these files are
    /// small. A file that cannot be read counts as one that is not there.
    #[must_use]
    pub fn print(&self) -> Print {
        let mut digest = Sha256::new();
        if let Some(path) = &self.path {
            let text = bytes_of(path).ok();
            let named = text.as_deref().and_then(|text| std::str::from_utf8(text).ok()).map(|text| self.named(text));
            for bytes in std::iter::once(text).chain(named.unwrap_or_default().iter().map(|path| bytes_of(path).ok())) {
                // Its length comes first, so that nothing moves from one file to the next unseen.
                digest.update(bytes.as_ref().map_or(u64::MAX, |bytes| bytes.len() as u64).to_le_bytes());
                digest.update(bytes.unwrap_or_default());
            }
        }
        digest.finalize().into()
    }

    /// The files that a text names, whether or not everything else in it is good.
    fn named(&self, text: &str) -> Vec<PathBuf> {
        let Ok(config) = Config::parse(text, "") else { return Vec::new() };
        let mut config = with_variables(text, &self.variables).unwrap_or(config);
        config.place_in(self.folder());
        config.files()
    }

    pub(super) fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    pub(super) fn folder(&self) -> &Path {
        self.path.as_deref().and_then(Path::parent).unwrap_or(Path::new(""))
    }

    /// A file's path as the settings name it.
    pub(super) fn short(&self, file: &Path) -> String {
        file.strip_prefix(self.folder()).unwrap_or(file).display().to_string()
    }
}

pub(super) fn text_of(path: &Path) -> Result<String, ConfigError> {
    let read =
        |error: std::io::Error| ConfigError::Read { path: path.display().to_string(), problem: error.to_string() };
    bytes_of(path).and_then(utf8).map_err(read)
}

/// What can be read there once, and whether it is a file. A pipe is read to its end: whoever named it knows who writes. `-` is standard input.
pub(super) fn text_of_any(path: &Path) -> Result<(String, bool), ConfigError> {
    let wrong =
        |error: std::io::Error| ConfigError::Read { path: path.display().to_string(), problem: error.to_string() };
    if path == Path::new("-") {
        return whole(std::io::stdin().lock()).and_then(utf8).map(|text| (text, false)).map_err(wrong);
    }
    if std::fs::metadata(path).is_ok_and(|metadata| is_stream(&metadata)) {
        let read = std::fs::File::open(path).and_then(whole).and_then(utf8);
        return read.map(|text| (text, false)).map_err(wrong);
    }
    Ok((text_of(path)?, true))
}

/// Whether it ends when whoever writes is done. A device may never end.
#[cfg(unix)]
fn is_stream(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    metadata.file_type().is_fifo()
}

#[cfg(not(unix))]
fn is_stream(_: &std::fs::Metadata) -> bool {
    false
}

/// Bytes that a file of settings, or of a list, may have.
pub(super) const FILE_BYTES_MAX: u64 = 16 << 20;

/// What a file says, if it is one and no larger than it may be: a device or a pipe that settings name would be read without end, or hang.
pub(super) fn bytes_of(path: &Path) -> std::io::Result<Vec<u8>> {
    let is_file = |metadata: std::fs::Metadata| match metadata.is_file() {
        true => Ok(()),
        false => Err(std::io::Error::other("is no file, but a folder, a device or a pipe")),
    };
    is_file(std::fs::metadata(path)?)?; // before it is opened: a pipe would wait for whoever writes
    let file = std::fs::File::open(path)?;
    is_file(file.metadata()?)?;
    if is_of_kernel(&file) {
        return Err(std::io::Error::other("is no file that is kept, but one that the kernel writes as it is read"));
    }
    whole(file)
}

/// Whether it lies in `/proc`. What lies there is called a file, and may keep whoever reads it waiting without end, as `/proc/kmsg` does until the
/// kernel says something; then nothing else could be read either.
#[cfg(target_os = "linux")]
fn is_of_kernel(file: &std::fs::File) -> bool {
    rustix::fs::fstatfs(file).is_ok_and(|system| system.f_type == rustix::fs::PROC_SUPER_MAGIC)
}

#[cfg(not(target_os = "linux"))]
fn is_of_kernel(_: &std::fs::File) -> bool {
    false
}

fn whole(from: impl std::io::Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(std::io::Error::other(format!("has more than the {FILE_BYTES_MAX} bytes that are allowed")));
    }
    Ok(bytes)
}

pub(super) fn utf8(bytes: Vec<u8>) -> std::io::Result<String> {
    String::from_utf8(bytes).map_err(|_| std::io::Error::new(std::io::ErrorKind::InvalidData, "is not UTF-8"))
}

/// Names what files say.
fn version(text: &str, files: &BTreeMap<String, String>) -> Version {
    let mut digest = Sha256::new();
    for part in std::iter::once(text).chain(files.iter().flat_map(|(name, text)| [name.as_str(), text.as_str()])) {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    let hash = digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let files = files.iter().map(|(name, text)| (name.clone(), text.clone())).collect();
    Version { hash, text: text.to_owned(), files }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_named_by_what_the_file_says_besides_its_secrets() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("c.toml");
        let source = Source::new(Some(&file), Vec::new());
        let write = |text: &str| {
            std::fs::write(&file, text).expect("written");
            (source.print(), source.read().expect("valid").version)
        };
        let (print, version) = write("[metrics]\ntoken = \"hush\" # monitoring\n");
        assert_eq!(version.text, "[metrics]\ntoken = \"[redacted]\" # monitoring\n");
        let (other_print, same) = write("[metrics]\ntoken = \"other\" # monitoring\n");
        assert!(print != other_print, "what changes is seen");
        assert_eq!(version, same, "and a secret is no part of a version's name");
        assert_ne!(write("[metrics]\ntoken = \"hush\"\n").1.hash, version.hash);
        std::fs::remove_file(&file).expect("removed");
        assert!(source.print() != print && source.read().is_err());
    }

    #[test]
    fn where_the_database_lies_is_found_in_a_file_that_cannot_be_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("c.toml");
        let found = |text: &str| {
            std::fs::write(&file, text).expect("written");
            Source::new(Some(&file), Vec::new()).database_alone().map(|config| config.database.path().expect("a path"))
        };
        let ours = Some(folder.path().join("ours.db"));
        assert_eq!(found("[database]\nurl = \"sqlite:ours.db\"\n[server]\nlistn = 1\n"), ours);
        assert_eq!(found("[server]\nlisten = \"\n[database]\nurl = \"sqlite:ours.db\"\n[log]\nlevel = \n"), ours);
        assert_eq!(found("[server]\nlistn = 1\n"), Some(folder.path().join("doorward.db")), "the default, as it says");
        assert_eq!(found("[server]\nlisten = \"\n"), None, "nobody knows");
    }

    #[test]
    fn what_stands_for_a_secret_is_not_taken_for_one() {
        let source = Source::new(Some(Path::new("c.toml")), Vec::new());
        let refused = source.read_text("[metrics]\ntoken = \"[redacted]\"\n").expect_err("no secret").to_string();
        assert!(refused.starts_with("c.toml:2:9: ") && refused.contains("write the secret itself"), "{refused}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_the_kernel_writes_is_refused_since_it_may_be_waited_for_without_end() {
        let refused = bytes_of(Path::new("/proc/version")).expect_err("no settings").to_string();
        assert!(refused.contains("the kernel writes"), "{refused}");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_or_has_no_end_is_neither_waited_for_nor_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("c.toml");
        let (pipe, large) = (folder.path().join("pipe"), folder.path().join("large"));
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("made").success());
        std::fs::File::create(&large).and_then(|file| file.set_len(FILE_BYTES_MAX + 1)).expect("made");
        let source = Source::new(Some(&file), Vec::new());
        for (list, problem) in
            [("/dev/zero", "is no file"), ("pipe", "is no file"), ("large", "more than"), (".", "is no file")]
        {
            let text = format!("[lists.ours]\nkind = \"hosts\"\nfile = \"{list}\"\n");
            std::fs::write(&file, text).expect("written");
            let _ = source.print();
            let refused = source.read().expect_err("no list").to_string();
            assert!(refused.contains("the list `ours`") && refused.contains(problem), "{list}: {refused}");
        }
        for other in [pipe.as_path(), large.as_path(), Path::new("/dev/zero")] {
            let source = Source::new(Some(other), Vec::new());
            let _ = source.print();
            assert!(source.read().is_err(), "{}", other.display());
        }
    }

    #[test]
    fn a_secret_without_its_quotes_is_refused_and_not_repeated() {
        let source = Source::new(Some(Path::new("c.toml")), Vec::new());
        for value in [
            "12345678",
            "-12345678",
            "12345678.5",
            "true",
            "2026-01-02",
            "[12345678]",
            "{ a = 12345678 }",
            "99999999999999999999",
        ] {
            let refused = source.read_text(&format!("[metrics]\ntoken = {value}\n")).expect_err("no text").to_string();
            assert!(refused.starts_with("c.toml:2:9: "), "{refused}");
            assert!(!["12345678", "true", "2026", "9999"].iter().any(|secret| refused.contains(secret)), "{refused}");
        }
    }

    #[test]
    fn a_list_that_the_environment_names_is_looked_at() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, list) = (folder.path().join("c.toml"), folder.path().join("list.txt"));
        std::fs::write(&file, "[lists.ours]\nkind = \"hosts\"\nfile = \"elsewhere.txt\"\n").expect("written");
        std::fs::write(&list, "one.example\n").expect("written");
        let variables = vec![("DOORWARD__LISTS__OURS__FILE".to_owned(), "list.txt".to_owned())];
        let source = Source::new(Some(&file), variables);
        let before = (source.print(), source.read().expect("valid").version);
        std::fs::write(&list, "two.example\n").expect("written");
        assert!(source.print() != before.0 && source.read().expect("valid").version != before.1);
    }
}
