//! Comments of other systems and of other installations: how they are brought in, how far that has got, and how they are written out.
//!
//! What was brought in is the past: nobody is told of it, and nothing of it waits for a person who had decided before. How far a file has got is kept in
//! the commit of its comments, so whatever stops an import, the same one begun again goes on behind the last of them.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::comment::{Article, NewComment};
use super::decision::{DecidedBy, Status};
use super::learning::Said;
use super::site::{Site, SiteId};
use super::store::{NewRecord, Result};
use super::time::Timestamp;

/// Which file is brought into which site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportKey {
    /// The site.
    pub site: SiteId,
    /// What the file is written in, as on the command line.
    pub format: String,
    /// SHA-256 over the file, and over whatever decides what is taken of it.
    pub file: [u8; 32],
}

/// How far an import has got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Its number.
    pub id: i64,
    /// Entries of the file that are behind it, skipped ones included.
    pub position: u64,
    /// What became of them.
    pub counts: ImportCounts,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// When the end of the file was reached.
    pub done_at: Option<Timestamp>,
}

/// What became of the entries of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ImportCounts {
    /// Comments that are stored now and were not before.
    pub stored: u64,
    /// Comments that were there already, with the same content.
    pub known: u64,
    /// Comments whose id was there already, with other content: what was there stays.
    pub differing: u64,
    /// Articles.
    pub articles: u64,
    /// Entries that were left out; why is said when the file is read.
    pub skipped: u64,
}

impl ImportCounts {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            stored: self.stored + other.stored,
            known: self.known + other.known,
            differing: self.differing + other.differing,
            articles: self.articles + other.articles,
            skipped: self.skipped + other.skipped,
        }
    }
}

/// A comment to be stored as what it was elsewhere.
#[derive(Debug, Clone)]
pub struct Imported {
    /// As if it had been judged so; nobody is told.
    pub record: NewRecord,
    /// What was said of it there.
    pub said: Said,
}

/// A part of a file, to be stored in one commit with how far the file has got.
#[derive(Debug, Clone)]
pub struct ImportBatch {
    /// The import.
    pub import: i64,
    /// Its site.
    pub site: Arc<Site>,
    /// Entries that must be behind it before, and those that are behind it then.
    pub entries: (u64, u64),
    /// How many of them were left out.
    pub skipped: u64,
    /// Articles, in the file's order.
    pub articles: Vec<Article>,
    /// Comments, in the file's order.
    pub comments: Vec<Imported>,
    /// Whether that is the end of the file.
    pub is_last: bool,
    /// When.
    pub at: Timestamp,
}

/// Labels that an import left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Labelled {
    /// Comments labelled as spam or abuse.
    pub spam: u64,
    /// Comments labelled as neither.
    pub ham: u64,
}

/// A comment as it is written out.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// As sent, latest revision; of its article what it was sent with, without title, text and tags.
    pub comment: NewComment,
    /// What it is.
    pub status: Status,
    /// Who said so.
    pub decided_by: DecidedBy,
    /// When it arrived.
    pub received_at: Timestamp,
    /// What people said of it last, or the system that it came from.
    pub said: Said,
}

/// The part of the Store port that brings comments in and writes them out.
#[async_trait]
pub trait Imports: Send + Sync {
    /// The import of that file into that site; begun now when there is none.
    async fn import_begin(&self, key: ImportKey, at: Timestamp) -> Result<Import>;
    /// Stores a part of the file and how far it has got, in one commit; of two comments of one id the first. Nobody is told of it. `None` when the
    /// import is not where the batch begins: nothing was stored, another process is at it.
    async fn import_batch(&self, batch: ImportBatch) -> Result<Option<Import>>;
    /// Makes labels of what the source said of comments of that import of which nobody has said anything here: of spam and of ham the latest, at
    /// most `most` of each. They count as said before everything that people said here. Again is harmless.
    async fn import_label(&self, import: i64, most: u32, at: Timestamp) -> Result<Labelled>;
    /// At most `most` of a site's articles, in the order of their ids, after that one.
    async fn export_articles(&self, site: SiteId, after: Option<String>, most: usize) -> Result<Vec<Article>>;
    /// At most `most` of a site's comments, in the order in which they came, after that mark; with the mark of the last, when there was one. What
    /// comes meanwhile is among the last.
    async fn export_comments(
        &self,
        site: SiteId,
        after: Option<String>,
        most: usize,
    ) -> Result<(Vec<Exported>, Option<String>)>;
}
