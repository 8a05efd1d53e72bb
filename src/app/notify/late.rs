//! Queues whose oldest item has passed their level: raised once, told again while it goes on, and cleared.
//!
//! A queue that is worked on at its limit passes its level many times an hour. Operators hear of one queue once in `repeat_h`, whatever it does
//! meanwhile; what happens in between is kept, shown in figures, and said in the log.

use std::sync::PoisonError;

use serde_json::json;

use super::step::{Pace, Step, step};
use super::{Config, Notifier, Told, words};
use crate::domain::notices::{Alert, AlertKind};
use crate::domain::service::{Due, Levels};
use crate::domain::store::{QueuePage, QueueSum, Result};
use crate::domain::time::Timestamp;

/// What is known of a queue that is late, in words and in numbers.
struct Late<'a> {
    queue: &'a str,
    sum: QueueSum,
    due: Due,
}

/// How often operators hear of a late queue: of one, once in `repeat_h`; and of each alert where they want no repetition.
fn pace(repeat_h: u32) -> Pace {
    Pace { pause_ms: i64::from(repeat_h) * 3_600_000, repeats: repeat_h > 0 }
}

/// Shows a queue's figures.
pub(super) fn show(queue: &str, waiting: u64, oldest_s: u64, overdue_s: u64) {
    let count = |n: u64| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    metrics::gauge!("doorward_queue_waiting", "queue" => queue.to_owned()).set(count(waiting));
    metrics::gauge!("doorward_queue_oldest_seconds", "queue" => queue.to_owned()).set(count(oldest_s));
    metrics::gauge!("doorward_queue_overdue_seconds", "queue" => queue.to_owned()).set(count(overdue_s));
}

impl Notifier {
    /// Raises, repeats and clears alerts about queues, and shows their figures.
    pub(super) async fn look_for_late(
        &self,
        settings: &Config,
        levels: &Levels,
        queues: Option<&QueuePage>,
        now: Timestamp,
    ) -> Result<()> {
        let alerts = self.store.alerts().await?;
        let alerts: Vec<&Alert> = alerts.iter().filter(|alert| alert.kind == AlertKind::QueueLate).collect();
        for queue in levels.queues().iter() {
            let sum = queues.and_then(|queues| queues.by_queue.get(&queue.name));
            let due = sum.and_then(|sum| levels.due(&queue.name, sum.oldest, now));
            let overdue_s = due.filter(|due| due.is_over()).map_or(0, |due| due.left_ms.unsigned_abs() / 1_000);
            let oldest_s = sum.map_or(0, |sum| now.millis_since(sum.oldest) / 1_000);
            show(&queue.name, sum.map_or(0, |sum| sum.waiting), oldest_s, overdue_s);
            self.shown.lock().unwrap_or_else(PoisonError::into_inner).insert(queue.name.clone());
            let late = sum.zip(due).filter(|(_, due)| due.is_over());
            let late = late.map(|(sum, due)| Late { queue: &queue.name, sum: *sum, due });
            let latest = alerts.iter().find(|alert| alert.about == queue.name).copied();
            match (step(latest, late.is_some(), pace(settings.repeat_h), now), &late) {
                (Step::Raise { tell }, Some(late)) => {
                    let told = self.late_told(late, levels, "alert.raised", settings, now);
                    let messages = if tell { told.by(settings, now) } else { Vec::new() };
                    let facts = told.data.to_string();
                    let kind = AlertKind::QueueLate;
                    if self.store.alert_raise(kind, late.queue, &facts, tell, now, &messages).await? {
                        tracing::warn!(
                            queue = late.queue,
                            waiting = late.sum.waiting,
                            overdue_s,
                            "the oldest item of a queue has passed the queue's level"
                        );
                    }
                }
                (Step::Tell, Some(late)) => {
                    let told = self.late_told(late, levels, "alert.repeated", settings, now);
                    let (facts, before) = (told.data.to_string(), latest.and_then(|alert| alert.told_at));
                    let messages = told.by(settings, now);
                    self.store.alert_tell(AlertKind::QueueLate, late.queue, &facts, before, now, &messages).await?;
                }
                (Step::Clear { tell }, _) => self.clear(&queue.name, tell, sum, levels, settings, now).await?,
                _ => {}
            }
        }
        // Queues that are no more.
        for alert in alerts.iter().filter(|alert| alert.stands() && levels.queues().find(&alert.about).is_none()) {
            self.clear(&alert.about, alert.was_told(), None, levels, settings, now).await?;
        }
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).retain(|queue| {
            let is_there = levels.queues().find(queue).is_some();
            if !is_there {
                show(queue, 0, 0, 0);
            }
            is_there
        });
        Ok(())
    }

    async fn clear(
        &self,
        queue: &str,
        tell: bool,
        sum: Option<&QueueSum>,
        levels: &Levels,
        settings: &Config,
        now: Timestamp,
    ) -> Result<()> {
        let told = self.cleared_told(queue, sum, levels, now);
        let messages = if tell { told.by(settings, now) } else { Vec::new() };
        if self.store.alert_clear(AlertKind::QueueLate, queue, now, &messages).await? {
            tracing::info!(queue, "a queue is within its level again");
        }
        Ok(())
    }

    fn late_told(
        &self,
        late: &Late<'_>,
        levels: &Levels,
        event: &'static str,
        settings: &Config,
        now: Timestamp,
    ) -> Told {
        let Late { queue, sum, due } = late;
        let hours = levels.hours();
        let shown = words::name(queue);
        let overdue = words::span(due.left_ms.unsigned_abs());
        let link = self.link(&format!("/queue?queue={queue}&sort=oldest"));
        let mut text = format!(
            "In the queue {shown} {waiting}. The oldest came in at {since} and should have been answered by {by} ({zone}): it is overdue by \
             {overdue} of working hours.\n",
            waiting = words::waiting(sum.waiting),
            since = hours.shown(sum.oldest),
            by = hours.shown(due.at),
            zone = hours.zone(),
        );
        words::with_link(&mut text, link.as_deref());
        text += &match settings.repeat_h {
            0 => "\nYou will be told when it is over.\n".to_owned(),
            hours => format!("\nYou will be told when it is over, and again after {hours} h if it is not.\n"),
        };
        let moment = now.as_millis();
        Told {
            name: format!("queue-late:{queue}:{moment}:{event}"),
            event,
            subject: words::subject(&format!(
                "Queue {shown} is late: {}, overdue by {overdue}",
                words::waiting(sum.waiting)
            )),
            text,
            data: json!({
                "kind": AlertKind::QueueLate.name(), "about": queue, "waiting": sum.waiting, "oldest_since": sum.oldest,
                "due_at": due.at, "overdue_s": due.left_ms.unsigned_abs() / 1_000, "url": link,
            }),
        }
    }

    fn cleared_told(&self, queue: &str, sum: Option<&QueueSum>, levels: &Levels, now: Timestamp) -> Told {
        let shown = words::name(queue);
        let what = match (sum, levels.queues().find(queue)) {
            (_, None) => "it is not set up any more".to_owned(),
            (None, _) => "nothing waits there".to_owned(),
            (Some(sum), _) => format!("{}, none of them too long", words::waiting(sum.waiting)),
        };
        let event = "alert.cleared";
        Told {
            name: format!("queue-late:{queue}:{}:{event}", now.as_millis()),
            event,
            subject: words::subject(&format!("Queue {shown} is in time again")),
            text: format!("The queue {shown} is within its level again: {what}.\n"),
            data: json!({
                "kind": AlertKind::QueueLate.name(), "about": queue, "waiting": sum.map_or(0, |sum| sum.waiting),
                "url": self.link(&format!("/queue?queue={queue}&sort=oldest")),
            }),
        }
    }
}
