//! The day's digest: what came, what people decided, what waits, what is wrong, and what to look at.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Config, Notifier, Told, words};
use crate::domain::figures::Figures;
use crate::domain::notices::{Alert, Decided};
use crate::domain::service::Levels;
use crate::domain::store::{QueuePage, Result};
use crate::domain::time::Timestamp;

const DAY_MS: i64 = 86_400_000;
/// Comments of a signal from which its share of approved ones is a hint.
const HINT_OF: u32 = 20;
/// The share of comments that people approved from which a signal is a hint.
const HINT_FROM: f64 = 0.5;
/// Hints at most.
const HINTS_MAX: usize = 5;
/// Alerts at most.
const ALERTS_MAX: usize = 20;

/// Everything that a digest is made of.
struct Day<'a> {
    date: &'a str,
    figures: &'a Figures,
    decided: Decided,
    queues: &'a QueuePage,
    levels: &'a Levels,
    /// Those that stand, and those that were raised within the day.
    alerts: Vec<&'a Alert>,
    console: Option<String>,
    now: Timestamp,
}

impl Notifier {
    /// Puts the day's digest from its hour on, once.
    pub(super) async fn make_digest(
        &self,
        settings: &Config,
        levels: &Levels,
        queues: Option<QueuePage>,
        now: Timestamp,
        digested: &mut Option<String>,
    ) -> Result<()> {
        let channels = settings.channels();
        let Some((date, hour)) = levels.hours().day_and_hour(now) else { return Ok(()) };
        if !settings.digest || channels.is_empty() || hour < settings.digest_hour || digested.as_deref() == Some(&date)
        {
            return Ok(());
        }
        let name = format!("digest:{date}");
        let mut missing = Vec::new();
        for channel in channels {
            if !self.store.message_is_known(&format!("{name}:{}", channel.name())).await? {
                missing.push(channel);
            }
        }
        if !missing.is_empty() {
            let since = now.plus_millis(-DAY_MS);
            let queues = match queues {
                Some(queues) => queues,
                None => self.queues(levels, now).await?,
            };
            let figures = self.store.figures(None, since, now).await?;
            let (decided, alerts) = (self.store.decided_since(since).await?, self.store.alerts().await?);
            let alerts = alerts.iter().filter(|alert| alert.stands() || alert.raised_at >= since).collect();
            let console = self.link("/queue");
            let day = Day { date: &date, figures: &figures, decided, queues: &queues, levels, alerts, console, now };
            let put = self.store.messages_put(&told(name, &day).by(&missing, now)).await?;
            tracing::info!(date, messages = put, "the day's digest is on its way");
        }
        *digested = Some(date);
        Ok(())
    }
}

fn told(name: String, day: &Day<'_>) -> Told {
    let Day { date, queues, decided, .. } = day;
    let people = decided.approved + decided.rejected;
    Told {
        name,
        event: "digest",
        subject: words::subject(&format!("Digest of {date}: {}, {people} decided", words::waiting(queues.held))),
        text: text(day),
        data: data(day),
    }
}

fn text(day: &Day<'_>) -> String {
    let Day { figures, decided, queues, levels, now, .. } = day;
    let hours = levels.hours();
    let mut text = format!("Doorward, 24 hours until {} ({})\n\n", hours.shown(*now), hours.zone());
    let [approved, held, rejected] = arrived(figures);
    let _ = writeln!(
        text,
        "Arrived     {}: {approved} approved, {held} held, {rejected} rejected before a person looked",
        approved + held + rejected
    );
    let Decided { approved, rejected, overturned, missed } = *decided;
    let _ = writeln!(text, "Decided     {}: {approved} approved, {rejected} rejected by people", approved + rejected);
    let _ = writeln!(
        text,
        "Overturned  {overturned} that were held or rejected and people approved, {missed} that were approved and people rejected"
    );
    let oldest = queues.oldest.map(|oldest| format!(", the oldest since {}", hours.shown(oldest))).unwrap_or_default();
    let _ = writeln!(text, "Waiting     {}{oldest}", queues.held);
    for (queue, sum) in &queues.by_queue {
        let due = levels.due(queue, sum.oldest, *now).map(|due| {
            let span = words::span(due.left_ms.unsigned_abs());
            if due.is_over() { format!(", overdue by {span}") } else { format!(", due in {span}") }
        });
        let (due, since) = (due.unwrap_or_default(), hours.shown(sum.oldest));
        let _ = writeln!(text, "  {}: {}, the oldest since {since}{due}", words::name(queue), sum.waiting);
    }
    if !day.alerts.is_empty() {
        text += "\nAlerts\n";
    }
    for alert in day.alerts.iter().take(ALERTS_MAX) {
        let over = alert.cleared_at.map_or("it stands".to_owned(), |over| format!("over at {}", hours.shown(over)));
        let (about, since) = (words::name(&alert.about), hours.shown(alert.raised_at));
        let _ = writeln!(text, "  {} {about}: since {since}, {over}", alert.kind.name());
    }
    let hints = hints(figures);
    if !hints.is_empty() {
        text += "\nHints\n";
    }
    for (signal, approved, of) in hints {
        let _ = writeln!(
            text,
            "  {}: people approved {approved} of the {of} latest that it spoke against; its weight may be too high",
            words::name(&signal)
        );
    }
    words::with_link(&mut text, day.console.as_deref());
    text
}

/// Comments of these hours by what they were before a person decided: approved, held, rejected.
fn arrived(figures: &Figures) -> [u64; 3] {
    let sum = |count: &dyn Fn(&crate::domain::figures::ByStatus) -> u32| {
        figures.hours.iter().map(|hour| u64::from(count(&hour.first))).sum()
    };
    [sum(&|of| of.approved), sum(&|of| of.held), sum(&|of| of.rejected)]
}

/// Signals that people mostly contradict, with how often, of how many.
fn hints(figures: &Figures) -> Vec<(String, u32, u32)> {
    let often = figures
        .signals
        .iter()
        .filter(|signal| signal.approved.of >= HINT_OF && signal.approved.rate.is_some_and(|rate| rate >= HINT_FROM));
    often.take(HINTS_MAX).map(|signal| (signal.signal.clone(), signal.approved.n, signal.approved.of)).collect()
}

fn data(day: &Day<'_>) -> Value {
    let [approved, held, rejected] = arrived(day.figures);
    let queues = day.queues.by_queue.iter().map(|(queue, sum)| {
        let due = day.levels.due(queue, sum.oldest, day.now);
        let sum = json!({
            "waiting": sum.waiting, "oldest_since": sum.oldest, "due_at": due.map(|due| due.at),
            "due_in_s": due.map(|due| due.left_ms.div_euclid(1_000)),
        });
        (queue.clone(), sum)
    });
    let alerts = day.alerts.iter().map(|alert| {
        json!({"kind": alert.kind.name(), "about": alert.about, "raised_at": alert.raised_at, "cleared_at": alert.cleared_at})
    });
    let hints = hints(day.figures).into_iter();
    let hints = hints.map(|(signal, approved, of)| json!({"signal": signal, "approved": approved, "of": of}));
    json!({
        "date": day.date, "since": day.now.plus_millis(-DAY_MS), "until": day.now,
        "arrived": {"approved": approved, "held": held, "rejected": rejected},
        "decided": day.decided,
        "waiting": day.queues.held, "oldest_since": day.queues.oldest,
        "queues": queues.collect::<serde_json::Map<_, _>>(),
        "alerts": alerts.collect::<Vec<_>>(), "hints": hints.collect::<Vec<_>>(), "url": day.console,
    })
}
