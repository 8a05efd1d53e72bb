//! What somebody wishes to see, as it stands in the page's address: chips are links that change one part of it, so that filters work without
//! scripts, go back with the browser, and can be sent to a colleague.

use url::form_urlencoded;

/// The parts that count, in the order in which they stand in addresses.
const KEYS: &[&str] = &[
    "queue",
    "site",
    "category",
    "signal",
    "section",
    "lang",
    "article",
    "author",
    "author_kind",
    "campaign",
    "assigned",
    "q",
    "sort",
];

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wish(Vec<(&'static str, String)>);

impl Wish {
    /// Of an address's query. Empty parts and others than ours are left out.
    pub(super) fn read(query: &str) -> Self {
        let given: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let part = |key: &&'static str| {
            let (_, value) = given.iter().find(|(name, value)| name == key && !value.trim().is_empty())?;
            Some((*key, value.trim().to_owned()))
        };
        Self(KEYS.iter().filter_map(part).collect())
    }

    /// Of these parts.
    pub(super) fn of(parts: &[(&'static str, &str)]) -> Self {
        Self(parts.iter().map(|(key, value)| (*key, (*value).to_owned())).collect())
    }

    /// A part.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == key).map(|(_, value)| value.as_str())
    }

    /// Whether anything is filtered.
    pub(super) fn filters(&self) -> bool {
        self.0.iter().any(|(key, _)| *key != "sort")
    }

    /// The same with another part, or without it.
    pub(super) fn but(&self, key: &'static str, value: Option<&str>) -> Self {
        let mut parts: Vec<_> = self.0.iter().filter(|(name, _)| *name != key).cloned().collect();
        parts.extend(value.map(|value| (key, value.to_owned())));
        Self(parts)
    }

    /// The parts besides `key`, for forms.
    pub(super) fn besides<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a (&'static str, String)> {
        self.0.iter().filter(move |(name, _)| *name != key)
    }

    /// As a query, without the question mark.
    pub(super) fn query(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    /// The page's address.
    pub(super) fn href(&self) -> String {
        let query = self.query();
        if query.is_empty() { "/queue".to_owned() } else { format!("/queue?{query}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chip_changes_one_part_and_keeps_the_others() {
        let wish = Wish::read("category=spam&q=cheap+pills%26more&site=&evil=1&cursor=x");
        assert_eq!(wish.href(), "/queue?category=spam&q=cheap+pills%26more");
        assert_eq!(wish.but("category", None).href(), "/queue?q=cheap+pills%26more");
        assert_eq!(wish.but("site", Some("news")).get("site"), Some("news"));
        assert_eq!(Wish::read("").href(), "/queue");
        assert!(wish.filters() && !Wish::read("sort=oldest").filters());
    }
}
