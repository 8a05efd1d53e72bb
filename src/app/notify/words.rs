//! How messages to operators are worded. Names are written so that they stay on their line and in their place, whatever they are.

use std::fmt::Write as _;

use serde_json::Value;

use crate::domain::time::Timestamp;

/// What subjects begin with.
const MARK: &str = "[Doorward] ";
/// Characters of a subject at most.
const SUBJECT_MAX: usize = 140;
/// Characters of a sentence at most.
const LINE_MAX: usize = 400;
/// Characters of a name at most.
const NAME_MAX: usize = 100;

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A name on one line: control characters, line ends and what turns the direction of text are shown as `\u{fffd}`.
#[must_use]
pub fn name(text: &str) -> String {
    let mut shown: String = text.chars().take(NAME_MAX).map(|c| if is_hidden(c) { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(NAME_MAX).is_some() {
        shown.push('\u{2026}');
    }
    shown
}

/// A sentence on one line, with names in it that are hidden as [`name`] hides them.
#[must_use]
pub fn line(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) { '\u{fffd}' } else { c }).take(LINE_MAX).collect()
}

/// Why something failed, with what led to it, on one line.
#[must_use]
pub fn problem(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let _ = write!(text, ": {inner}"); // to a string nothing fails
        cause = inner.source();
    }
    line(&text)
}

/// A subject: one line, whatever is in it.
#[must_use]
pub fn subject(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{MARK}{line}").chars().take(SUBJECT_MAX).collect()
}

/// How long that is, in its two largest units: `2 h 5 min`.
#[must_use]
pub fn span(ms: u64) -> String {
    let minutes = ms / 60_000;
    match (minutes / 60, minutes % 60) {
        (0, 0) => "less than a minute".to_owned(),
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// `1 item waits`, `3 items wait`.
#[must_use]
pub fn waiting(n: u64) -> String {
    if n == 1 { "1 item waits".to_owned() } else { format!("{n} items wait") }
}

/// Appends a line with an address, where there is one.
pub fn with_link(text: &mut String, link: Option<&str>) {
    if let Some(link) = link {
        let _ = write!(text, "\n{link}\n");
    }
}

/// A message that says that messages arrive.
#[must_use]
pub fn test(at: Timestamp) -> super::Told {
    super::Told {
        name: format!("test:{}", at.as_millis()),
        event: "test",
        subject: subject("Messages arrive"),
        text: "This is a test. Alerts and the daily digest of Doorward arrive here.\n".to_owned(),
        data: Value::Object(serde_json::Map::new()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_stay_on_their_line() {
        assert_eq!(name("a\r\nBcc: all@example.org"), "a\u{fffd}\u{fffd}Bcc: all@example.org");
        assert_eq!(name("abc\u{202e}fed\u{2028}"), "abc\u{fffd}fed\u{fffd}");
        assert_eq!(name(&"x".repeat(101)), format!("{}\u{2026}", "x".repeat(100)));
        assert_eq!(span(59_999), "less than a minute");
        assert_eq!(
            (span(25 * 60_000), span(3_600_000), span(7_500_000)),
            ("25 min".into(), "1 h".into(), "2 h 5 min".into())
        );
    }

    proptest! {
        #[test]
        fn no_text_ends_a_subject_early(text in any::<String>()) {
            let subject = subject(&text);
            prop_assert!(subject.starts_with(MARK) && subject.chars().count() <= SUBJECT_MAX);
            prop_assert!(!subject.chars().any(char::is_control));
            prop_assert!(!name(&text).chars().any(char::is_control));
        }
    }
}
