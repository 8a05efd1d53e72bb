//! What lists of the console share: addresses with what a page is asked for, and how long something still lasts.

use url::form_urlencoded;

use super::texts::Texts;
use crate::domain::time::Timestamp;

/// One of several ways to see a list.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    /// Where it leads.
    pub href: String,
    /// What it is called.
    pub text: &'static str,
    /// Whether it is the one that is shown.
    pub is_current: bool,
}

impl Choice {
    /// Its `aria-current`, with a blank before it.
    pub(super) fn current(&self) -> &'static str {
        if self.is_current { " aria-current=true" } else { "" }
    }
}

/// A path with those parameters that say something.
pub(super) fn link(path: &str, parameters: &[(&str, &str)]) -> String {
    let said = parameters.iter().filter(|(_, value)| !value.is_empty());
    let query: String = form_urlencoded::Serializer::new(String::new()).extend_pairs(said).finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// How long something still lasts. To the nearest half hour where it is hours: what was just set to end in a day ends in a day.
pub(super) fn lasts(t: &Texts, until: Timestamp, now: Timestamp) -> String {
    let seconds = until.millis_since(now) / 1_000;
    t.span(if seconds < 3_600 { seconds } else { seconds + 1_799 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_just_set_to_end_in_a_day_ends_in_a_day() {
        let t = &Texts::all()[0];
        let left = |seconds: i64| lasts(t, Timestamp::from_millis(seconds * 1_000), Timestamp::from_millis(0));
        assert_eq!([86_399, 7_100, 3_599, 20].map(left), ["1 d", "2 h", "59 min", "20 s"]);
    }

    #[test]
    fn what_is_asked_for_cannot_become_something_else() {
        assert_eq!(link("/campaigns", &[("site", ""), ("state", "")]), "/campaigns");
        assert_eq!(link("/campaigns", &[("site", "a&state=closed#x")]), "/campaigns?site=a%26state%3Dclosed%23x");
    }
}
