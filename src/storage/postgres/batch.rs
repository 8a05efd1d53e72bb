//! Many comments at once: as the arrays of one statement, or as statements that are sent together.

use uuid::Uuid;

use super::db::number;
use super::rows::Row;
use crate::domain::decision::{DecidedBy, Status};
use crate::domain::store::Result;
use crate::storage::codec;

/// Comments as two arrays: `FROM unnest($1::int4[], $2::uuid[]) k (site, comment)`. Joined by both, each is one look into an index, in the one
/// partition that it lies in.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub sites: Vec<i32>,
    pub comments: Vec<Uuid>,
}

impl Keys {
    pub(super) fn of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Self {
        let (sites, comments) = rows.into_iter().map(|row| (number(row.site), row.uid)).unzip();
        Self { sites, comments }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.comments.is_empty()
    }
}

/// Does all of `jobs`, which do the same for one comment each, and answers in their order. Their statements are sent together, so that a thousand
/// comments wait for the server hardly longer than one does. The first job goes ahead alone: it prepares the statements, which each of the
/// others would prepare for itself otherwise.
pub(super) async fn each<R, F: Future<Output = Result<R>>>(jobs: Vec<F>) -> Result<Vec<R>> {
    let mut jobs = jobs.into_iter();
    let Some(first) = jobs.next() else { return Ok(Vec::new()) };
    let mut done = vec![first.await?];
    done.extend(futures_util::future::try_join_all(jobs).await?);
    Ok(done)
}

/// A status as a column holds it.
pub(super) fn status_code(status: Status) -> i16 {
    small(codec::status_code(status))
}

/// Who decided, as a column holds it.
pub(super) fn decided_by_code(by: DecidedBy) -> i16 {
    small(codec::decided_by_code(by))
}

fn small(code: i64) -> i16 {
    i16::try_from(code).expect("codes are numbers from 1 to 3")
}
