//! Addresses within the console, with what a page is asked for.

use url::form_urlencoded;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_cannot_become_something_else() {
        assert_eq!(link("/campaigns", &[("site", ""), ("state", "")]), "/campaigns");
        assert_eq!(link("/campaigns", &[("site", "a&state=closed#x")]), "/campaigns?site=a%26state%3Dclosed%23x");
    }
}
