//! What the service's record says of backtests, written and read again: which of them were started and never over.

use std::collections::HashSet;
use std::sync::Arc;

use uuid::Uuid;

use super::runs::{KEPT, Run, State};
use super::trials::Window;
use crate::app::backtest::Progress;
use crate::domain::decision::Actor;
use crate::domain::store::{AuditEntry, AuditFilter, ListError, PageRequest, Store, StoreError};
use crate::domain::time::Timestamp;

/// Lines of the record that are looked at for backtests that were interrupted: each of those that are kept may have three.
const LOOKED_AT: usize = 3 * KEPT;
/// Pages of the record that are looked at for as many.
const PAGES: usize = 20;

/// What is done with a run, by whom; `node` is this node's name, where there may be others.
pub(super) fn about(action: &str, run: &Run, by: &str, node: Option<&str>, at: Timestamp) -> AuditEntry {
    let Window { since, until, site } = &run.window;
    let of = site.as_ref().map(|site| format!(" site={site}")).unwrap_or_default();
    let of_node = node.map(|node| format!("node={node} ")).unwrap_or_default();
    let detail = format!("{of_node}since={since} until={until}{of}");
    let (by, subject) = (Actor::Person(by.to_owned()), run.id.to_string());
    AuditEntry { by, action: action.to_owned(), subject, detail, at }
}

/// That one is over.
pub(super) fn over(id: Uuid, state: &str, at: Timestamp) -> AuditEntry {
    let (action, subject) = ("backtest.end".to_owned(), id.to_string());
    AuditEntry { by: Actor::Console, action, subject, detail: format!("state={state}"), at }
}

/// What is on record of the latest backtests, newest first.
pub(super) async fn lines(store: &dyn Store) -> Result<Vec<AuditEntry>, StoreError> {
    let filter = AuditFilter { action: Some("backtest.".to_owned()), ..AuditFilter::default() };
    let mut page = PageRequest { limit: LOOKED_AT, cursor: None };
    let mut lines = Vec::new();
    // A page under a filter may be short, and say where to go on.
    for _ in 0..PAGES {
        let listed = store.audit_list(&filter, &page).await.map_err(|error| match error {
            ListError::Store(error) => error,
            ListError::BadCursor => StoreError::Corrupt("the record cannot be gone through".to_owned()),
        })?;
        lines.extend(listed.items.into_iter().map(|line| line.entry));
        page.cursor = listed.next_cursor;
        if page.cursor.is_none() || lines.len() >= LOOKED_AT {
            break;
        }
    }
    Ok(lines)
}

/// What was started and never over, oldest first, by lines of the record, newest first; without what runs on nodes that are `alive`.
pub(super) fn interrupted(lines: &[AuditEntry], alive: &[String]) -> Vec<Run> {
    let mut over = HashSet::new();
    let mut left = Vec::new();
    for line in lines {
        if line.action != "backtest.start" {
            over.insert(line.subject.as_str()); // ended by itself, by somebody, or forgotten
        } else if !over.contains(line.subject.as_str())
            && let Some(run) = of_line(line, alive)
        {
            left.push(run);
        }
    }
    left.reverse();
    left
}

fn of_line(line: &AuditEntry, alive: &[String]) -> Option<Run> {
    let said = |name: &str| line.detail.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    if said("node").is_some_and(|node| alive.iter().any(|alive| alive == node)) {
        return None;
    }
    let at = |name: &str| Timestamp::parse(said(name)?).ok();
    let by = match &line.by {
        Actor::Person(email) => email.clone(),
        Actor::Site(name) => name.clone(),
        Actor::Console => String::new(),
    };
    Some(Run {
        id: line.subject.parse().ok()?,
        by,
        at: line.at,
        window: Window { since: at("since")?, until: at("until")?, site: said("site").map(str::to_owned) },
        base: String::new(),
        candidate: Arc::default(),
        diff: Arc::from(""),
        progress: Progress { done: 0, total: 0 },
        state: State::Interrupted,
        ended: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_started_and_never_over_was_interrupted_unless_another_node_is_at_it() {
        let line = |action: &str, id: u128, detail: &str| AuditEntry {
            by: Actor::Person("ops@example.org".to_owned()),
            action: format!("backtest.{action}"),
            subject: Uuid::from_u128(id).to_string(),
            detail: detail.to_owned(),
            at: Timestamp::EPOCH,
        };
        let window = "since=2026-11-01T00:00:00Z until=2026-11-02T00:00:00Z";
        let mut lines = vec![
            line("start", 1, window),
            line("end", 1, "state=done"),
            line("start", 2, window),
            line("stop", 2, window),
            line("end", 2, "state=failed"),
            line("start", 3, &format!("{window} site=news")),
            line("start", 4, &format!("node=there {window}")),
            line("start", 5, &format!("node=gone {window}")),
            line("start", 6, "nonsense"),
        ];
        lines.reverse();
        let found = interrupted(&lines, &["there".to_owned()]);
        assert_eq!(found.iter().map(|run| run.id.as_u128()).collect::<Vec<_>>(), [3, 5]);
        assert_eq!((found[0].window.site.as_deref(), found[0].by.as_str()), (Some("news"), "ops@example.org"));
        assert!(found.iter().all(|run| run.state.name() == "interrupted" && run.state.problem().is_some()));
    }
}
