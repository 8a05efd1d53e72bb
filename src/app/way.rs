//! One comment's way as spans, for whoever collects traces (`[telemetry.traces]`). A span names a step and how it ended; never what a comment says, who
//! wrote it or where it came from.
//!
//! What is traced is drawn where a way begins ([`begin`]): of what is not drawn, and where nobody collects, no span is made, there or in any step below
//! ([`step`]). What becomes of a comment later (a person's decision, a webhook) is joined to its trace by what this process remembers of it: the
//! last some thousand comments, by a hash of their names.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, OnceLock, PoisonError};

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use uuid::Uuid;
use xxhash_rust::xxh3::Xxh3;

use crate::domain::decision::Actor;
use crate::domain::store::Ruled;

/// What all spans are under, and nothing else is.
pub const TARGET: &str = "doorward::way";

/// Ways that are remembered: some hundred kilobytes.
const REMEMBERED: usize = 8_192;

/// Comments of one decision that are remembered, and that its span names.
const DECIDED: usize = 1_000;
pub(crate) const LINKS: usize = 32;

/// What is drawn to be traced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// The part of ways that begin here.
    pub share: f64,
    /// Whether ways may begin elsewhere, and whoever began them says whether they are traced.
    pub follow: bool,
}

/// Set where traces are collected, once for this process.
static SAMPLING: OnceLock<Sampling> = OnceLock::new();
static KNOWN: Mutex<Option<Known>> = Mutex::new(None);

/// From here on spans are made. What collects them was put in its place before.
pub fn collect(sampling: Sampling) {
    let _ = SAMPLING.set(sampling); // the first one wins, as with the log
}

/// Whether anybody collects traces.
#[must_use]
pub fn is_collected() -> bool {
    SAMPLING.get().is_some()
}

/// Whether what is done now is part of a way that is traced.
#[must_use]
pub fn is_within() -> bool {
    is_collected() && Span::current().metadata().is_some_and(|of| of.target() == TARGET)
}

/// A step of a way that is traced: a span of that name, with these fields. Anywhere else nothing, and nothing is computed for it.
macro_rules! step {
    ($name:literal $(, $($field:tt)*)?) => {
        if $crate::app::way::is_within() {
            tracing::trace_span!(target: "doorward::way", $name $(, $($field)*)?)
        } else {
            tracing::Span::none()
        }
    };
}
pub(crate) use step;

/// The beginning of a way, or where one comes in from elsewhere: a span if it is drawn, and else nothing. `$from` is an `Option` of [`Origin`].
macro_rules! begin {
    ($from:expr, $name:literal $(, $($field:tt)*)?) => {
        match $crate::app::way::draw($from) {
            Some(from) => {
                let span = tracing::trace_span!(target: "doorward::way", parent: None, $name $(, $($field)*)?);
                from.adopt(&span);
                span
            }
            None => tracing::Span::none(),
        }
    };
}
pub(crate) use begin;

/// Where a way comes from that did not begin here.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin(SpanContext);

impl Origin {
    /// What a `traceparent` names (W3C Trace Context). What cannot be read names nothing, and neither does one of several.
    pub fn read<'a>(mut headers: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        if !SAMPLING.get()?.follow {
            return None;
        }
        let (first, None) = (headers.next()?, headers.next()) else { return None };
        parse(std::str::from_utf8(first).ok()?).map(Self)
    }
}

/// A way that is drawn.
#[derive(Debug)]
pub struct Drawn(Option<Origin>);

impl Drawn {
    /// Puts `span`, which nobody has entered, where it belongs.
    pub fn adopt(self, span: &Span) {
        if let Some(Origin(context)) = self.0 {
            // It fails where the span is not made: then there is nothing to be put anywhere.
            let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(context));
        }
    }
}

/// Whether a way is traced that begins now, or comes in from there.
#[must_use]
pub fn draw(from: Option<Origin>) -> Option<Drawn> {
    let sampling = SAMPLING.get()?;
    let is_drawn = match &from {
        Some(Origin(context)) => context.is_sampled(),
        None => is_drawn(sampling.share),
    };
    is_drawn.then_some(Drawn(from))
}

fn is_drawn(share: f64) -> bool {
    if share <= 0.0 || share >= 1.0 {
        return share >= 1.0;
    }
    let mut bytes = [0; 4];
    let drawn = getrandom::fill(&mut bytes).map(|()| f64::from(u32::from_le_bytes(bytes)) / 2_f64.powi(32));
    drawn.is_ok_and(|drawn| drawn < share)
}

/// Gives `span` the name that is known only now.
pub fn rename(span: &Span, name: String) {
    if !span.is_disabled() {
        span.context().span().update_name(name);
    }
}

/// What names the span that is being worked in, for whoever is asked from here; `None` where it is none of ours.
#[must_use]
pub fn traceparent() -> Option<String> {
    let span = here()?;
    Some(format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags()))
}

fn here() -> Option<SpanContext> {
    if !is_within() {
        return None;
    }
    let context = Span::current().context();
    let span = context.span().span_context().clone();
    span.is_valid().then_some(span)
}

/// The span that a person's decision is under, or a site's: not whose it is.
#[must_use]
pub fn decision(what: &'static str, by: &Actor) -> Span {
    let by = match by {
        Actor::Person(_) => "person",
        Actor::Site(_) => "site",
        Actor::Console => "console",
    };
    step!("decision", doorward.operation = what, doorward.by = by, doorward.applied = Empty, doorward.conflicts = Empty)
}

/// What came of a decision, which is being worked on: it belongs to the ways of the comments that it is about.
pub fn decided(ruled: &Ruled) {
    if !is_within() {
        return;
    }
    let span = Span::current();
    let count = |many: usize| i64::try_from(many).unwrap_or(i64::MAX);
    span.record("doorward.applied", count(ruled.applied.len()));
    span.record("doorward.conflicts", count(ruled.conflicts.len()));
    let some = || ruled.applied.iter().take(DECIDED).map(|(record, _)| record);
    remember(some().map(|record| Name::of_decision(record.uid)));
    for record in some().take(LINKS) {
        link(&span, Name::of_comment(&record.site, record.comment.id.as_str()));
    }
}

/// What a way is remembered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name(u128);

impl Name {
    /// The comment that a site calls so.
    #[must_use]
    pub fn of_comment(site: &str, id: &str) -> Self {
        let mut hash = Xxh3::new();
        hash.update(site.as_bytes()); // names of sites hold no NUL
        hash.update(&[0]);
        hash.update(id.as_bytes());
        Self(hash.digest128())
    }

    /// The last decision about the comment that we call so.
    #[must_use]
    pub const fn of_decision(uid: Uuid) -> Self {
        Self(uid.as_u128())
    }
}

/// Remembers the span that is being worked in.
pub fn remember(names: impl IntoIterator<Item = Name>) {
    let Some(context) = here() else { return };
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    for name in names {
        known.put(name, context.clone());
    }
}

/// What is remembered under a name, to go on from.
#[must_use]
pub fn known(name: Name) -> Option<Origin> {
    SAMPLING.get()?;
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.as_ref()?.spans.get(&name).cloned().map(Origin)
}

/// Says that `span` has to do with what is remembered under a name, in whichever trace that is.
pub fn link(span: &Span, name: Name) {
    if !span.is_disabled()
        && let Some(Origin(context)) = known(name)
    {
        span.add_link(context);
    }
}

#[derive(Debug, Default)]
struct Known {
    spans: HashMap<Name, SpanContext>,
    order: VecDeque<Name>,
}

impl Known {
    fn put(&mut self, name: Name, context: SpanContext) {
        if self.spans.insert(name, context).is_none() {
            self.order.push_back(name);
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.spans.remove(&oldest);
            }
        }
    }
}

fn parse(text: &str) -> Option<SpanContext> {
    let mut parts = text.trim_matches([' ', '\t']).split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, digits| {
        text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
    };
    // A later version may have more parts behind the four that are known; this one has not.
    let is_known = is_hex(version, 2) && version != "ff" && (version != "00" || parts.next().is_none());
    if !is_known || !is_hex(trace, 32) || !is_hex(span, 16) || !is_hex(flags, 2) {
        return None;
    }
    let flags = u8::from_str_radix(flags, 16).ok()?;
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    // Nothing else that may come with it (`tracestate`, other flags) is taken, or passed on.
    let context = SpanContext::new(trace, span, TraceFlags::new(flags & 1), true, TraceState::default());
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_traceparent_is_read_or_left_alone() {
        let read = parse(GOOD).unwrap();
        assert_eq!(read.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(read.span_id().to_string(), "00f067aa0ba902b7");
        assert!(read.is_sampled() && read.is_remote());
        assert!(!parse(&GOOD.replace("-01", "-00")).unwrap().is_sampled());
        assert_eq!(parse(&GOOD.replace("-01", "-ff")).unwrap().trace_flags().to_u8(), 1, "no other flag is passed on");
        assert!(parse(&GOOD.replacen("00", "01", 1).replace("-01", "-01-more")).is_some(), "a later version");
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473x-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-zz",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for() {
        let context = parse(GOOD).unwrap();
        let mut known = Known::default();
        let name = |n: usize| Name::of_comment("news", &n.to_string());
        for n in 0..REMEMBERED + 10 {
            known.put(name(n), context.clone());
            known.put(name(n), context.clone()); // once more is not one more
        }
        assert_eq!((known.spans.len(), known.order.len()), (REMEMBERED, REMEMBERED));
        assert!(!known.spans.contains_key(&name(9)) && known.spans.contains_key(&name(10)));
        assert_ne!(Name::of_comment("a", "bc"), Name::of_comment("ab", "c"));
    }

    #[test]
    fn the_share_is_about_what_is_drawn() {
        let drawn = |share| (0..2_000).filter(|_| is_drawn(share)).count();
        assert_eq!((drawn(0.0), drawn(1.0)), (0, 2_000));
        assert!((300..700).contains(&drawn(0.25)), "a quarter, far within what chance allows");
    }

    #[test]
    fn where_nobody_collects_no_span_is_made() {
        // Even if somebody listens to everything.
        let everything =
            tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(std::io::sink).finish();
        tracing::subscriber::with_default(everything, || {
            assert!(Origin::read(std::iter::once(GOOD.as_bytes())).is_none());
            let begun = begin!(None, "request");
            assert!(begun.is_none());
            let _in = begun.enter();
            assert!(step!("comment", costly = panic_if_computed()).is_none());
            assert_eq!(traceparent(), None);
        });
    }

    fn panic_if_computed() -> &'static str {
        panic!("nothing is computed for a span that is not made")
    }
}
