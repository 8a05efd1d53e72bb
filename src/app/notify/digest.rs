//! The day's digest: what came, what people decided, what waits, what is wrong, and what to look at.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::send::pause_ms;
use super::{Addressed, Config, Notifier, Told, addressed, words};
use crate::app::truth::{self, Ask, COUNTED_MAX, DECIDED_MAX, PATIENCE};
use crate::domain::figures::Figures;
use crate::domain::notices::{Alert, Decided};
use crate::domain::service::Levels;
use crate::domain::store::{QueuePage, Result};
use crate::domain::time::Timestamp;
use crate::domain::truth::hints::{Hint, HintKind};

const DAY_MS: i64 = 86_400_000;
/// Comments of a signal from which its share of approved ones is a hint.
const HINT_OF: u32 = 20;
/// The share of comments that people approved from which a signal is a hint.
const HINT_FROM: f64 = 0.5;
/// Hints at most.
const HINTS_MAX: usize = 5;
/// Digests that could not be made, of which operators are told later, at most.
const MISSED_MAX: usize = 7;
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
    /// What to look at of rules; none where that could not be read.
    rules: Option<Vec<Hint>>,
    /// The console's address, where it is known.
    console: Option<String>,
    now: Timestamp,
}

/// What is remembered between looks.
#[derive(Default)]
pub(super) struct Past {
    /// The day whose digest was put last.
    digested: Option<String>,
    /// The one that cannot be made.
    failing: Option<Failing>,
    /// Those that were given up, and of which operators are to be told yet.
    missed: Vec<Failing>,
}

/// A digest that cannot be made.
struct Failing {
    date: String,
    failures: u32,
    /// When it was tried last.
    at: Timestamp,
    problem: String,
}

impl Failing {
    /// Whether it is too early to try again; not so where the clock was set back.
    fn rests(&self, now: Timestamp) -> bool {
        now >= self.at && now < self.at.plus_millis(pause_ms(self.failures))
    }

    /// That there is none.
    fn told(&self) -> Told {
        let Self { date, failures, problem, .. } = self;
        Told {
            name: name(date),
            event: "digest.missed",
            subject: words::subject(&format!("No digest of {date}")),
            text: format!(
                "The digest of {date} could not be made in {failures} tries, and will not be: {problem}\n\nThe log says more.\n"
            ),
            data: json!({"date": date, "failures": failures, "problem": problem}),
        }
    }
}

/// What the digest of a day is called.
fn name(date: &str) -> String {
    format!("digest:{date}")
}

impl Notifier {
    /// Puts the day's digest from its hour on, once. One that cannot be made is tried again after pauses that grow, until the next is due: then operators
    /// are told that there is none.
    pub(super) async fn make_digest(
        &self,
        settings: &Config,
        levels: &Levels,
        queues: Option<QueuePage>,
        now: Timestamp,
        past: &mut Past,
    ) -> Result<()> {
        let Some((today, hour)) = levels.hours().day_and_hour(now) else { return Ok(()) };
        if !settings.digest || settings.channels().is_empty() {
            (past.failing, past.missed) = (None, Vec::new());
            return Ok(());
        }
        let is_due = hour >= settings.digest_hour && past.digested.as_ref() != Some(&today);
        let date = match &past.failing {
            _ if is_due => today,
            Some(failing) => failing.date.clone(), // though its day may be over
            None => return Ok(()),
        };
        if let Some(missed) = past.failing.take_if(|failing| failing.date != date) {
            let Failing { date, failures, problem, .. } = &missed;
            tracing::error!(date, failures, problem, "a day's digest could not be made, and will not be");
            past.missed.push(missed);
            past.missed.drain(..past.missed.len().saturating_sub(MISSED_MAX));
        }
        if past.failing.as_ref().is_some_and(|failing| failing.rests(now)) {
            return Ok(());
        }
        let done = match self.tell_missed(settings, now, &mut past.missed).await {
            Ok(()) => self.put_digest(settings, levels, queues, &date, now).await,
            Err(error) => Err(error),
        };
        match &done {
            Ok(()) => (past.failing, past.digested) = (None, Some(date)),
            Err(error) => {
                let failures = past.failing.as_ref().map_or(0, |failing| failing.failures).saturating_add(1);
                past.failing = Some(Failing { date, failures, at: now, problem: words::problem(error) });
            }
        }
        done
    }

    async fn tell_missed(&self, settings: &Config, now: Timestamp, missed: &mut Vec<Failing>) -> Result<()> {
        while let Some(first) = missed.first() {
            self.store.messages_put(&first.told().by(settings, now)).await?;
            missed.remove(0);
        }
        Ok(())
    }

    async fn put_digest(
        &self,
        settings: &Config,
        levels: &Levels,
        queues: Option<QueuePage>,
        date: &str,
        now: Timestamp,
    ) -> Result<()> {
        let mut missing = BTreeSet::new();
        for Addressed { key, .. } in addressed(&name(date), settings) {
            if !self.store.message_is_known(&key).await? {
                missing.insert(key);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let since = now.plus_millis(-DAY_MS);
        let queues = match queues {
            Some(queues) => queues,
            None => self.queues(levels, now).await?,
        };
        let figures = self.store.figures(None, since, now).await?;
        let (decided, alerts) = (self.store.decided_since(since).await?, self.store.alerts().await?);
        let alerts = alerts.iter().filter(|alert| alert.stands() || alert.raised_at >= since).collect();
        let (rules, console) = (self.rule_hints(&figures, now).await, self.link(""));
        let (figures, queues) = (&figures, &queues);
        let day = Day { date, figures, decided, queues, levels, alerts, rules, console, now };
        let mut messages = told(name(date), &day).by(settings, now);
        messages.retain(|message| missing.contains(&message.key));
        let put = self.store.messages_put(&messages).await?;
        tracing::info!(date, messages = put, "the day's digest is on its way");
        Ok(())
    }

    /// What to look at of what rules, checks and limits did; none where that cannot be read, which keeps nobody from the rest of the digest.
    async fn rule_hints(&self, figures: &Figures, now: Timestamp) -> Option<Vec<Hint>> {
        let (since, until) = (now.plus_millis(-truth::DAYS * DAY_MS), now.plus_millis(1));
        let (counted_max, decided_max, patience) = (COUNTED_MAX, DECIDED_MAX, Some(PATIENCE));
        let ask = Ask { sites: None, since, until, counted_max, decided_max, patience };
        let lens = truth::lens(&self.house.current());
        match truth::account(&*self.store, lens, &ask, now).await {
            Ok(account) => {
                // Of these the digest speaks already.
                let known: Vec<String> = hints(figures).into_iter().map(|(signal, ..)| signal).collect();
                let is_new = |hint: &Hint| {
                    hint.kind != HintKind::MostlyOverturned || !hint.about.iter().any(|id| known.contains(id))
                };
                Some(account.hints.into_iter().filter(is_new).collect())
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "what rules did could not be read for the digest");
                None
            }
        }
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
    match &day.rules {
        None => text += "\nRules\n  What they did could not be read; the log says why.\n",
        Some(rules) if rules.is_empty() => {}
        Some(rules) => {
            text += "\nRules\n";
            for hint in rules.iter().take(HINTS_MAX) {
                let _ = writeln!(text, "  {}", words::line(&hint.text));
            }
            let more = rules.len().saturating_sub(HINTS_MAX);
            let more = if more > 0 { format!("{more} more") } else { String::new() };
            match day.console.as_ref().map(|console| format!("{console}/rules")) {
                Some(link) if more.is_empty() => text += &format!("  {link}\n"),
                Some(link) => text += &format!("  {more}: {link}\n"),
                None if more.is_empty() => {}
                None => text += &format!("  {more}: `doorward rules` tells them\n"),
            }
        }
    }
    words::with_link(&mut text, day.console.as_ref().map(|console| format!("{console}/queue")).as_deref());
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
    let rules = day.rules.as_ref().map(|rules| {
        let told = rules.iter().map(|hint| json!({"kind": hint.kind.name(), "about": hint.about, "text": hint.text}));
        told.collect::<Vec<_>>()
    });
    json!({
        "date": day.date, "since": day.now.plus_millis(-DAY_MS), "until": day.now,
        "arrived": {"approved": approved, "held": held, "rejected": rejected},
        "decided": day.decided,
        "waiting": day.queues.held, "oldest_since": day.queues.oldest,
        "queues": queues.collect::<serde_json::Map<_, _>>(),
        "alerts": alerts.collect::<Vec<_>>(), "hints": hints.collect::<Vec<_>>(),
        "rules": rules, "url": day.console.as_ref().map(|console| format!("{console}/queue")),
    })
}
