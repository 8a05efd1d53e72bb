//! One comment's way as spans, for whoever collects traces (`[telemetry]`). A span names a step and how it ended; never what a comment says, who wrote
//! it or where it came from.
//!
//! Spans are at the level `trace` under a target of their own: where no traces are collected they are not made.

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// What all of them are under.
pub const TARGET: &str = "doorward::way";

/// A step of the way: a span of that name, with these fields.
macro_rules! step {
    ($name:literal $(, $($field:tt)*)?) => {
        tracing::trace_span!(target: "doorward::way", $name $(, $($field)*)?)
    };
}
pub(crate) use step;

/// Puts `span` into the trace that `traceparent` names (W3C Trace Context). What cannot be read names none.
pub fn continue_from(span: &Span, traceparent: &str) {
    if span.is_disabled() {
        return;
    }
    if let Some(parent) = parse(traceparent) {
        // It fails where nobody collects traces: then there is nothing to be put anywhere.
        let _ = span.set_parent(opentelemetry::Context::new().with_remote_span_context(parent));
    }
}

/// What names the span that is being worked in, for whoever is asked from here; `None` where no traces are collected.
#[must_use]
pub fn traceparent() -> Option<String> {
    let span = Span::current();
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let span = context.span();
    let span = span.span_context();
    let named = || format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags());
    span.is_valid().then(named)
}

fn parse(text: &str) -> Option<SpanContext> {
    let mut parts = text.trim().split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    // A later version may have more parts behind the four that are known; this one has not.
    let is_known = version.len() == 2 && version != "ff" && (version != "00" || parts.next().is_none());
    if !is_known || trace.len() != 32 || span.len() != 16 || flags.len() != 2 {
        return None;
    }
    let flags = u8::from_str_radix(flags, 16).ok()?;
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(flags & 1),
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_or_left_alone() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read = parse(good).unwrap();
        assert_eq!(read.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(read.span_id().to_string(), "00f067aa0ba902b7");
        assert!(read.is_sampled() && read.is_remote());
        assert!(!parse(&good.replace("-01", "-00")).unwrap().is_sampled());
        assert!(parse(&good.replacen("00", "01", 1).replace("-01", "-01-more")).is_some(), "a later version");
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473x-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-zz",
        ] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn where_nobody_collects_nothing_is_named() {
        assert_eq!(traceparent(), None);
        let span = step!("comment");
        continue_from(&span, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        assert_eq!(span.in_scope(traceparent), None);
    }
}
