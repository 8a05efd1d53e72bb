//! Comments of other systems: read as they come, made into what is stored, and stored with how far the file has got (docs/import.md).
//!
//! A file is read twice. First all of it is looked at, and nothing is written: what is in it, what is left out and why. Then it is brought in. A file that
//! cannot be read to its end is refused whole, so what was looked at is what comes. One entry that is of no use is left out, counted, and named by its place;
//! what it says is in no report.

mod disqus;
mod entry;
mod isso;
mod lines;
mod ndjson;
mod remark42;
mod wordpress;
mod xml;

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Seek as _};
use std::path::Path;
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;
use xxhash_rust::xxh3::xxh3_64;

pub use self::entry::Sieve;
use self::entry::{Found, Read, Ready, State, Taken, Why, id_of, is_url, moment_of_sql, text_of_html};
pub use self::ndjson::{article_line, comment_line, first_line};
use super::house::{House, Scene};
use crate::domain::category::{Category, PerCategory};
use crate::domain::comment::Article;
use crate::domain::decision::{Action, Cause, IMPORTED, Status, Verdict};
use crate::domain::history::PastOf;
use crate::domain::imports::{Import, ImportBatch, ImportKey, Imported};
use crate::domain::known::Known;
use crate::domain::learning::Said;
use crate::domain::model::ModelOutput;
use crate::domain::normalise;
use crate::domain::signal::Allowance;
use crate::domain::site::Site;
use crate::domain::store::{NewRecord, Store, StoreError};
use crate::domain::time::Timestamp;

/// Bytes of one batch, roughly; with a thousand bytes a comment a batch of 500 is far below.
const BATCH_BYTES: usize = 2 << 20;
/// Batches that are made ahead of the store.
const MADE_AHEAD: usize = 2;
/// Entries that were left out and are named one by one; the others are counted.
const EXAMPLES: usize = 20;
/// What a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// Doorward's own, a line of JSON each.
    Ndjson,
    /// WordPress eXtended RSS.
    Wordpress,
    /// Disqus' XML.
    Disqus,
    /// A backup of Remark42.
    Remark42,
    /// The database of Isso.
    Isso,
}

impl FileFormat {
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Wordpress => "wordpress",
            Self::Disqus => "disqus",
            Self::Remark42 => "remark42",
            Self::Isso => "isso",
        }
    }

    /// As people call it.
    const fn title(self) -> &'static str {
        match self {
            Self::Ndjson => "another installation",
            Self::Wordpress => "WordPress",
            Self::Disqus => "Disqus",
            Self::Remark42 => "Remark42",
            Self::Isso => "Isso",
        }
    }
}

/// Where something is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    /// Before all of it.
    #[default]
    Start,
    /// On that line, so many bytes in (of what is packed, when it is).
    Line { line: u64, byte: u64 },
    /// The comment of that number.
    Row(i64),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Start => f.write_str("the file"),
            Self::Line { line, byte } => write!(f, "line {line} (byte {byte})"),
            Self::Row(row) => write!(f, "comment {row}"),
        }
    }
}

/// A file that cannot be read to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {why}")]
pub struct Broken {
    place: Place,
    why: String,
}

impl Broken {
    fn new(place: Place, why: impl Into<String>) -> Self {
        Self { place, why: why.into() }
    }
}

/// Why something was not brought in.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file is not what it is said to be.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// Another process brings the same file in.
    #[error("another process is bringing the same file into this site")]
    Busy,
    /// The store failed; what it has stays, for the same again.
    #[error("the import stopped; the same command again goes on from where it was")]
    Store(#[from] StoreError),
}

/// What reads a format.
trait Source: Send {
    /// The next entry and its place; `None` at the end.
    fn next(&mut self) -> Result<Option<(Place, Read)>, Broken>;
}

/// What is in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Everything, what is left out included.
    pub entries: u64,
    /// Articles.
    pub articles: u64,
    /// Comments that would be brought in, by what they would be.
    pub comments: BTreeMap<&'static str, u64>,
    /// Labels that follow from what they were.
    pub labels: BTreeMap<&'static str, u64>,
    /// Entries that are left out, by why.
    pub skipped: BTreeMap<&'static str, u64>,
    /// The first of them, with their places.
    pub examples: Vec<String>,
    /// Fields that are no valid ones and are left out of their comments.
    pub fields_left_out: u64,
    /// Comments whose addresses are left out, because here they would have been replaced by now.
    pub without_addresses: u64,
    /// Comments whose id came before in the same file.
    pub repeated_ids: u64,
    /// Comments that answer one that the file does not hold.
    pub answers_to_missing: u64,
    /// The date of the first comment.
    pub first: Option<Timestamp>,
    /// The date of the last comment.
    pub last: Option<Timestamp>,
}

/// A file and what it is written in.
pub struct ImportFile<'a> {
    path: &'a Path,
    format: FileFormat,
}

impl<'a> ImportFile<'a> {
    /// The file at `path`.
    #[must_use]
    pub const fn new(path: &'a Path, format: FileFormat) -> Self {
        Self { path, format }
    }

    fn open(&self) -> Result<Box<dyn Source>, Broken> {
        if self.format == FileFormat::Isso {
            self.bytes()?; // says why, when it is not there
            return Ok(Box::new(isso::Isso::open(self.path)?));
        }
        let mut file = self.bytes()?;
        let mut first = Vec::new();
        let failed = |error: std::io::Error| Broken::new(Place::Start, error.to_string());
        file.by_ref().take(4).read_to_end(&mut first).map_err(failed)?;
        file.rewind().map_err(failed)?;
        let bytes: Box<dyn BufRead + Send> = match first.as_slice() {
            [] => return Err(Broken::new(Place::Start, "is empty")),
            [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [_, 0, ..] | [0, ..] => {
                return Err(Broken::new(Place::Start, "is not written in UTF-8; turn it into UTF-8 first, with iconv"));
            }
            [0x1f, 0x8b, ..] => Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(file))),
            _ => Box::new(file),
        };
        Ok(match self.format {
            FileFormat::Wordpress => Box::new(wordpress::Wordpress::new(bytes)),
            FileFormat::Disqus => Box::new(disqus::Disqus::new(bytes)),
            FileFormat::Remark42 => Box::new(remark42::Remark42::new(bytes)),
            FileFormat::Ndjson | FileFormat::Isso => Box::new(ndjson::Ndjson::new(bytes)),
        })
    }

    fn bytes(&self) -> Result<BufReader<File>, Broken> {
        let file = open_file(self.path).map_err(|error| Broken::new(Place::Start, error.to_string()))?;
        Ok(BufReader::with_capacity(1 << 16, file))
    }

    /// What names the file, and what is taken of it: SHA-256.
    fn digest(&self, sieve: &Sieve) -> Result<[u8; 32], Broken> {
        let mut hash = Sha256::new();
        let mut files = vec![self.bytes()?];
        if self.format == FileFormat::Isso {
            // What Isso wrote last may lie beside it still.
            let mut beside = self.path.as_os_str().to_owned();
            beside.push("-wal");
            files.extend(open_file(Path::new(&beside)).map(BufReader::new));
        }
        for mut file in files {
            loop {
                let bytes = file.fill_buf().map_err(|error| Broken::new(Place::Start, error.to_string()))?;
                if bytes.is_empty() {
                    break;
                }
                hash.update(bytes);
                let count = bytes.len();
                file.consume(count);
            }
        }
        hash.update([u8::from(sieve.with_pending)]);
        Ok(hash.finalize().into())
    }

    /// Reads all of it, and says what is in it. `say` hears how many entries there were so far.
    ///
    /// # Errors
    /// It cannot be read to its end.
    pub fn look(&self, sieve: &Sieve, say: &mut dyn FnMut(u64)) -> Result<Report, Broken> {
        let mut source = self.open()?;
        let mut report = Report::default();
        // Eight bytes for each: ids are not kept.
        let (mut ids, mut answered) = (HashSet::new(), Vec::new());
        while let Some((place, read)) = source.next()? {
            report.entries += 1;
            match sieve.take(read) {
                Taken::Article(_) => report.articles += 1,
                Taken::Comment(ready) => {
                    if ids.insert(xxh3_64(ready.new.id.as_str().as_bytes())) {
                        report.count(&ready);
                        answered.extend(ready.new.parent_id.as_ref().map(|id| xxh3_64(id.as_str().as_bytes())));
                    } else {
                        report.repeated_ids += 1;
                    }
                }
                Taken::Skipped(why) => {
                    *report.skipped.entry(why.class()).or_default() += 1;
                    if report.examples.len() < EXAMPLES {
                        report.examples.push(format!("{place}: {}", why.told()));
                    }
                }
            }
            say(report.entries);
        }
        report.answers_to_missing = answered.iter().filter(|parent| !ids.contains(parent)).count() as u64;
        Ok(report)
    }
}

/// Opens what is a file. A pipe would wait for whoever writes it and could not be read a second time, and a device may never end.
fn open_file(path: &Path) -> std::io::Result<File> {
    let is_file = |metadata: std::fs::Metadata| match metadata.is_file() {
        true => Ok(()),
        false => Err(std::io::Error::other("is no file, but a folder, a device or a pipe; it is read more than once")),
    };
    is_file(std::fs::metadata(path)?)?; // before it is opened: that alone waits at a pipe
    let file = File::open(path)?;
    is_file(file.metadata()?)?;
    Ok(file)
}

impl Report {
    fn count(&mut self, ready: &Ready) {
        *self.comments.entry(ready.status.name()).or_default() += 1;
        let label = match (ready.said.spam, ready.said.abuse) {
            (Some(true), _) => Some("spam"),
            (_, Some(true)) => Some("abuse"),
            (Some(false), _) | (_, Some(false)) => Some("ham"),
            (None, None) => None,
        };
        if let Some(label) = label {
            *self.labels.entry(label).or_default() += 1;
        }
        self.fields_left_out += ready.left_out.fields;
        self.without_addresses += u64::from(ready.left_out.addresses);
        self.first = Some(self.first.map_or(ready.at, |first| first.min(ready.at)));
        self.last = Some(self.last.map_or(ready.at, |last| last.max(ready.at)));
    }
}

/// Brings files into one site.
pub struct Importer {
    /// Where to.
    pub store: Arc<dyn Store>,
    /// What looks at comments that wait for a person.
    pub house: Arc<House>,
    /// The site.
    pub site: Arc<Site>,
    /// What is taken.
    pub sieve: Sieve,
    /// Entries in one commit at most.
    pub batch: usize,
}

impl Importer {
    /// Brings a file in, from where it had got to; `say` hears of every commit. A file that was brought in before is left alone: what was erased since
    /// does not come back.
    ///
    /// # Errors
    /// [`ImportError`]; what is stored stays, for the same again.
    pub async fn run(
        &self,
        file: &ImportFile<'_>,
        say: &mut (dyn FnMut(&Import) + Send),
    ) -> Result<Import, ImportError> {
        let key =
            ImportKey { site: self.site.id, format: file.format.name().to_owned(), file: file.digest(&self.sieve)? };
        let mut import = self.store.import_begin(key, self.sieve.now).await?;
        say(&import);
        if import.done_at.is_some() {
            return Ok(import);
        }
        let source = file.open()?;
        let maker = Maker {
            house: Arc::clone(&self.house),
            site: Arc::clone(&self.site),
            sieve: self.sieve.clone(),
            format: file.format,
            import: import.id,
            most: self.batch.max(1),
            page: None,
        };
        let (sender, mut batches) = mpsc::channel(MADE_AHEAD);
        let from = import.position;
        let making = tokio::task::spawn_blocking(move || maker.make(source, from, &sender));
        while let Some(batch) = batches.recv().await {
            import = self.store.import_batch(batch).await?.ok_or(ImportError::Busy)?;
            say(&import);
        }
        making.await.map_err(|error| StoreError::Unavailable(Box::new(error)))??;
        Ok(import)
    }
}

/// Makes batches, on a thread of its own.
struct Maker {
    house: Arc<House>,
    site: Arc<Site>,
    sieve: Sieve,
    format: FileFormat,
    import: i64,
    most: usize,
    /// The article that was read last: most files bring it before its comments.
    page: Option<Article>,
}

impl Maker {
    fn make(
        mut self,
        mut source: Box<dyn Source>,
        from: u64,
        sender: &mpsc::Sender<ImportBatch>,
    ) -> Result<(), Broken> {
        let mut position = 0;
        while position < from {
            // What is behind it says nothing new, but for the article that is open.
            match source.next()? {
                Some((_, Read::Article(draft))) => {
                    if let Taken::Article(article) = self.sieve.take(Read::Article(draft)) {
                        self.page = Some(*article);
                    }
                }
                Some(_) => {}
                None => break,
            }
            position += 1;
        }
        let (mut batch, mut bytes, mut entries) = (self.empty(position), 0, 0);
        while let Some((_, read)) = source.next()? {
            position += 1;
            entries += 1;
            match self.sieve.take(read) {
                Taken::Article(article) => {
                    bytes += article.text.as_ref().map_or(0, String::len);
                    self.page = Some((*article).clone());
                    batch.articles.push(*article);
                }
                Taken::Comment(ready) => {
                    bytes += ready.new.body.len();
                    batch.comments.push(self.imported(*ready));
                }
                Taken::Skipped(_) => batch.skipped += 1,
            }
            batch.entries.1 = position;
            if entries >= self.most || bytes >= BATCH_BYTES {
                let full = std::mem::replace(&mut batch, self.empty(position));
                (bytes, entries) = (0, 0);
                if sender.blocking_send(full).is_err() {
                    return Ok(()); // whoever stores has stopped, and says why
                }
            }
        }
        batch.is_last = true;
        let _ = sender.blocking_send(batch); // as above
        Ok(())
    }

    fn empty(&self, from: u64) -> ImportBatch {
        ImportBatch {
            import: self.import,
            site: Arc::clone(&self.site),
            entries: (from, from),
            skipped: 0,
            articles: Vec::new(),
            comments: Vec::new(),
            is_last: false,
            at: self.sieve.now,
        }
    }

    fn imported(&self, ready: Ready) -> Imported {
        let staff = self.house.trust.is_staff(ready.new.author.role.as_deref());
        let comment = normalise::normalise(self.site.id, ready.new, staff);
        let verdict = match ready.status {
            Status::Held => self.judged(&comment),
            Status::Approved | Status::Rejected => self.as_elsewhere(ready.status, ready.said),
        };
        let scores = &verdict.scores;
        let priority = scores.spam.max(scores.off_topic).max(scores.abuse).get();
        let record = NewRecord {
            site: Arc::clone(&self.site),
            content: ready.content,
            article: None,
            status: ready.status,
            decided_by: ready.decided_by,
            priority: if ready.status == Status::Held { priority } else { 0.0 },
            lang: normalise::language(&comment.sent, &comment.body),
            received_at: ready.at,
            effect: None,
            membership: None,
            tell: false,
            lot: None,
            callback: None,
            verdict,
            trace: comment.trace,
            comment: comment.sent,
        };
        Imported { record, said: ready.said }
    }

    /// What waits for a person comes with what signals and model say of it, as far as that needs no past.
    fn judged(&self, comment: &crate::domain::comment::Comment) -> Verdict {
        let page = self.page.as_ref().filter(|page| page.id == comment.sent.article.id && page.has_details());
        let scene = Scene {
            site: Arc::clone(&self.site.name),
            page: page.map_or(Known::NotApplicable, |page| Known::Known(Arc::new(self.house.page(page.clone())))),
            parent: Known::NotApplicable,
            siblings: Known::NotApplicable,
            past: PastOf::empty(&comment.trace),
            allowance: Allowance::Off,
        };
        let mut verdict = self.house.judge(comment, &scene, self.sieve.now).as_held();
        verdict.causes.push(self.cause("it was waiting for a moderator"));
        verdict
    }

    /// Nobody judged it here: no signals, and the status that it had.
    fn as_elsewhere(&self, status: Status, said: Said) -> Verdict {
        let policy = self.house.policy_of(&self.site.name).config();
        let prior = PerCategory::from_fn(|category| match category {
            Category::Spam => policy.spam.prior,
            Category::OffTopic => policy.off_topic.prior,
            Category::Abuse => policy.abuse.prior,
        });
        let (action, then) = match status {
            Status::Approved => (Action::Approve, "it was shown"),
            Status::Held => (Action::Hold, "it was waiting for a moderator"),
            Status::Rejected if said.spam == Some(true) => (Action::Reject, "it was called spam"),
            Status::Rejected => (Action::Reject, "it was not shown"),
        };
        let category = match (action, said) {
            (Action::Reject, Said { spam: Some(true), .. }) => Some(Category::Spam),
            (Action::Reject, Said { abuse: Some(true), .. }) => Some(Category::Abuse),
            _ => None,
        };
        Verdict {
            action,
            category,
            scores: PerCategory::from_fn(|category| prior[category].probability()),
            prior,
            signals: Vec::new(),
            model: ModelOutput::Off,
            adjustments: Vec::new(),
            causes: vec![self.cause(then)],
            policy: self.house.hash.clone(),
        }
    }

    fn cause(&self, then: &str) -> Cause {
        let from = self.format;
        Cause {
            id: format!("{IMPORTED}{}", from.name()),
            text: format!("brought in from {}, where {then}", from.title()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::comment::Bounds;

    fn sieve() -> Sieve {
        let now = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        Sieve { bounds: Bounds::default(), with_pending: true, addresses_from: None, kept_from: None, now }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn no_bytes_panic(
            bytes: Vec<u8>,
            tags in prop::collection::vec(
                prop::sample::select(vec![
                    "<rss>", "<channel>", "<item>", "<wp:comment>", "<wp:comment_id>", "</wp:comment_id>", "</wp:comment>", "</item>", "</rss>",
                    "<disqus>", "<post dsq:id='1'>", "<thread dsq:id='2'/>", "</post>", "<![CDATA[", "]]>", "&amp;", "&#xD800;", "&x", "<!--", "-->",
                    "<?xml version='1.0' encoding='x'?>", "{\"version\":1}\n", "{\"comment\":{}}\n", "text", "\n", "<a b>", "<a b=>",
                ]),
                0..30,
            ),
        ) {
            let text = tags.concat().into_bytes();
            for bytes in [&bytes[..], &text, &[&text[..], &bytes].concat()] {
                let sources: [Box<dyn Source + '_>; 4] = [
                    Box::new(wordpress::Wordpress::new(bytes)),
                    Box::new(disqus::Disqus::new(bytes)),
                    Box::new(remark42::Remark42::new(bytes)),
                    Box::new(ndjson::Ndjson::new(bytes)),
                ];
                for mut source in sources {
                    while let Ok(Some((_, read))) = source.next() {
                        let _ = sieve().take(read);
                    }
                }
            }
        }
    }
}
