//! What a new ban rejects besides what is to come: comments of theirs that wait, and those approved lately.

use super::order::AlsoReject;
use super::{SanctionError, Sanctions};
use crate::domain::decision::{DecidedBy, Record, Status};
use crate::domain::normalise;
use crate::domain::people::Person;
use crate::domain::sanction::{Target, TargetKind};
use crate::domain::site::Site;
use crate::domain::store::{CommentFilter, ListError, PageRequest, QueueFilter, QueueSort, Seen, StoreError};
use crate::domain::time::Timestamp;

/// Comments that a new sanction rejects at most.
const REJECTED_MAX: usize = 1_000;
/// Comments looked through for those, in the queue and among the approved ones each.
const SEARCHED_MAX: usize = 20_000;

impl Sanctions {
    /// What of theirs waits, and what of it was approved lately; and whether there may be more.
    pub(super) async fn theirs(
        &self,
        sites: &[&Site],
        target: &Target,
        author: Option<String>,
        also: AlsoReject,
        by: &Person,
        now: Timestamp,
    ) -> Result<(Vec<Seen>, bool), SanctionError> {
        let mut search = Search { target, found: Vec::new(), looked: 0 };
        let mut more = false;
        if also.held {
            let filter = QueueFilter {
                sites: sites.iter().map(|site| site.name.to_string()).collect(),
                author: author.clone(),
                reach: by.reach.clone(),
                ..QueueFilter::default()
            };
            let mut page = PageRequest { limit: 500, cursor: None };
            loop {
                let queue = self.store.queue(&filter, QueueSort::Newest, &page, now).await.map_err(unlisted)?;
                for item in &queue.items {
                    search.look_at(&item.record, sites);
                }
                page.cursor = queue.next_cursor;
                if page.cursor.is_none() || search.is_over() {
                    break;
                }
            }
            more |= page.cursor.is_some();
        }
        if also.approved_hours == 0 {
            return Ok((search.found, more));
        }
        search.looked = 0;
        let since = now.plus_millis(-i64::from(also.approved_hours) * 3_600_000);
        let filter = CommentFilter {
            status: Some(Status::Approved),
            author,
            updated_since: Some(since),
            article: None,
            reach: by.reach.clone(),
            as_people_see: false,
        };
        for site in sites {
            let mut page = PageRequest { limit: 500, cursor: None };
            loop {
                let listed = self.store.comment_list(site.id, &filter, &page).await.map_err(unlisted)?;
                for record in listed.items.iter().filter(|record| record.decided_by != DecidedBy::Person) {
                    search.look_at(record, &[*site]);
                }
                page.cursor = listed.next_cursor;
                if page.cursor.is_none() || search.is_over() {
                    break;
                }
            }
            more |= page.cursor.is_some();
        }
        Ok((search.found, more))
    }
}

/// Looks for comments that a target stands for.
struct Search<'a> {
    target: &'a Target,
    found: Vec<Seen>,
    looked: usize,
}

impl Search<'_> {
    fn is_over(&self) -> bool {
        self.looked >= SEARCHED_MAX || self.found.len() >= REJECTED_MAX
    }

    fn look_at(&mut self, record: &Record, sites: &[&Site]) {
        let Some(site) = sites.iter().find(|site| site.name == record.site) else { return };
        self.looked += 1;
        if self.found.len() >= REJECTED_MAX {
            return;
        }
        let targets = match self.target.kind {
            TargetKind::Host => Target::of(&normalise::normalise(site.id, record.comment.clone(), false), site.id),
            TargetKind::Author | TargetKind::EmailDomain | TargetKind::Network => {
                Target::of_author(&record.comment.author, site.id)
            }
        };
        let seen = Seen { uid: record.uid, seen_version: record.version };
        if targets.contains(self.target) && !self.found.contains(&seen) {
            self.found.push(seen);
        }
    }
}

fn unlisted(error: ListError) -> SanctionError {
    match error {
        ListError::Store(error) => SanctionError::Store(error),
        ListError::BadCursor => {
            SanctionError::Store(StoreError::Corrupt("the store refused its own cursor".to_owned()))
        }
    }
}
