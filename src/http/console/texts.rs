//! Every text of the console, in every language: one catalogue, `texts/*.toml`, read once.
//!
//! A key that is missing is shown as it is, so that nothing is silently empty; tests find keys that a language lacks, that nobody uses, and
//! placeholders that differ between languages.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::LazyLock;

use crate::domain::signal::LIST;
use crate::domain::time::Timestamp;

/// A number of things: templates hand fields over by reference.
pub trait Count {
    /// How many.
    fn count(&self) -> u64;
}

/// A number with decimals.
pub trait Real {
    /// Its value.
    fn real(&self) -> f64;
}

impl Count for u64 {
    fn count(&self) -> u64 {
        *self
    }
}

impl Count for u32 {
    fn count(&self) -> u64 {
        u64::from(*self)
    }
}

impl Count for usize {
    fn count(&self) -> u64 {
        *self as u64
    }
}

impl<T: Count> Count for &T {
    fn count(&self) -> u64 {
        (*self).count()
    }
}

impl Real for f64 {
    fn real(&self) -> f64 {
        *self
    }
}

impl<T: Real> Real for &T {
    fn real(&self) -> f64 {
        (*self).real()
    }
}

/// One language.
#[derive(Debug)]
pub struct Texts {
    /// Its code, as in `en`: for `lang` attributes and the cookie.
    pub lang: &'static str,
    /// Its name in itself.
    pub name: &'static str,
    /// Between groups of three digits.
    thousands: &'static str,
    /// Before decimals.
    point: &'static str,
    entries: BTreeMap<String, String>,
}

/// The language of this program's own files.
const DEFAULT: &str = "en";

static ALL: LazyLock<[Texts; 2]> = LazyLock::new(|| {
    [
        Texts::read(DEFAULT, "English", ",", ".", include_str!("texts/en.toml")),
        Texts::read("de", "Deutsch", ".", ",", include_str!("texts/de.toml")),
    ]
});

impl Texts {
    fn read(
        lang: &'static str,
        name: &'static str,
        thousands: &'static str,
        point: &'static str,
        source: &str,
    ) -> Self {
        let table: toml::Table = toml::from_str(source).expect("a test reads the catalogues");
        let mut entries = BTreeMap::new();
        // What checks find is told in their own files, in the language of these; others say it in theirs.
        if lang == DEFAULT {
            entries.extend(LIST.iter().map(|signal| (format!("signal.{}", signal.id), signal.title())));
        }
        flatten("", &table, &mut entries);
        Self { lang, name, thousands, point, entries }
    }

    /// All languages, the default first.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &*ALL
    }

    /// The one that was chosen, else the first that the browser would take, else the default.
    #[must_use]
    pub fn chosen(chosen: Option<&str>, accepted: &str) -> &'static Self {
        let of = |lang: &str| Self::all().iter().find(|texts| texts.lang.eq_ignore_ascii_case(lang));
        // Browsers send languages in order of preference; a list that is not is not worth a parser.
        let mut preferred = accepted.split(',').filter_map(|part| part.split([';', '-']).next()).map(str::trim);
        chosen.and_then(of).or_else(|| preferred.find_map(of)).unwrap_or(&Self::all()[0])
    }

    /// The text under `key`.
    #[must_use]
    pub fn say<'a>(&'a self, key: &'a str) -> &'a str {
        self.entries.get(key).map_or(key, String::as_str)
    }

    /// Whether there is a text under `key`.
    #[must_use]
    pub fn knows(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// The text under `key`, with `{name}` replaced.
    #[must_use]
    pub fn with(&self, key: &str, name: &str, value: impl Display) -> String {
        self.say(key).replace(&format!("{{{name}}}"), &value.to_string())
    }

    /// The text under `key`, with two placeholders replaced.
    #[must_use]
    pub fn with2(&self, key: &str, first: (&str, &dyn Display), second: (&str, &dyn Display)) -> String {
        let text = self.with(key, first.0, first.1);
        text.replace(&format!("{{{}}}", second.0), &second.1.to_string())
    }

    /// The text for that many: under `key.one` or `key.many`, with `{n}` replaced.
    #[must_use]
    pub fn count(&self, key: &str, n: impl Count) -> String {
        let n = n.count();
        let form = if n == 1 { "one" } else { "many" };
        self.with(&format!("{key}.{form}"), "n", self.number(n))
    }

    /// A number with its digits in groups.
    #[must_use]
    pub fn number(&self, n: impl Count) -> String {
        let digits = n.count().to_string();
        let mut text = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                text.push_str(self.thousands);
            }
            text.push(digit);
        }
        text
    }

    /// A number with `places` decimals.
    #[must_use]
    pub fn decimal(&self, value: impl Real, places: usize) -> String {
        format!("{:.places$}", value.real()).replace('.', self.point)
    }

    /// A number with two decimals and its sign: log-odds.
    #[must_use]
    pub fn signed(&self, value: impl Real) -> String {
        let value = value.real();
        let text = format!("{value:+.2}").replace('.', self.point);
        text.replace('-', "\u{2212}")
    }

    /// A share, in per cent.
    #[must_use]
    pub fn percent(&self, share: impl Real) -> String {
        format!("{}\u{202f}%", self.decimal(share.real() * 100.0, 1))
    }

    /// How long that is, in its largest unit: `5 min`.
    #[must_use]
    pub fn span(&self, seconds: u64) -> String {
        let (unit, n) = match seconds {
            0..60 => ("s", seconds),
            60..3_600 => ("min", seconds / 60),
            3_600..86_400 => ("h", seconds / 3_600),
            _ => ("d", seconds / 86_400),
        };
        self.with(&format!("time.{unit}"), "n", self.number(n))
    }

    /// The same of working hours, which make no days: `30 h`.
    #[must_use]
    pub fn span_worked(&self, seconds: u64) -> String {
        if seconds < 86_400 { self.span(seconds) } else { self.with("time.h", "n", self.number(seconds / 3_600)) }
    }

    /// How long ago that was.
    #[must_use]
    pub fn ago(&self, then: &Timestamp, now: &Timestamp) -> String {
        self.with("time.ago", "span", self.span(now.millis_since(*then) / 1_000))
    }

    /// What scripts say, as an ES module.
    #[must_use]
    pub fn module(&self) -> String {
        let said: BTreeMap<&str, &str> =
            self.entries.iter().filter_map(|(key, text)| Some((key.strip_prefix("js.")?, text.as_str()))).collect();
        format!("export default {};\n", serde_json::to_string(&said).unwrap_or_default())
    }
}

fn flatten(prefix: &str, table: &toml::Table, entries: &mut BTreeMap<String, String>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(inner) => flatten(&key, inner, entries),
            toml::Value::String(text) => drop(entries.insert(key, text.clone())),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn languages_have_the_same_keys_and_placeholders() {
        let [first, others @ ..] = Texts::all() else { panic!("there is a language") };
        let holes = |text: &str| {
            let found =
                text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name.to_owned());
            found.collect::<BTreeSet<_>>()
        };
        for other in others {
            let keys = |texts: &Texts| texts.entries.keys().cloned().collect::<BTreeSet<_>>();
            let (ours, theirs) = (keys(first), keys(other));
            let differ: Vec<_> = ours.symmetric_difference(&theirs).collect();
            assert!(differ.is_empty(), "{} and {} differ in {differ:?}", first.lang, other.lang);
            for (key, text) in &first.entries {
                assert_eq!(holes(text), holes(&other.entries[key]), "placeholders of {key} in {}", other.lang);
            }
        }
    }

    #[test]
    fn every_check_has_a_title_in_every_language_and_none_is_left_in_another() {
        let [first, others @ ..] = Texts::all() else { panic!("there is a language") };
        for signal in LIST {
            let key = format!("signal.{}", signal.id);
            assert_eq!(first.say(&key), signal.title());
            for other in others {
                assert!(other.knows(&key), "{} lacks {key} = \"{}\"", other.lang, signal.title());
                assert_ne!(other.say(&key), signal.title(), "{} in {}", signal.id, other.lang);
            }
        }
    }

    /// Keys that are put together from parts: everything below these counts as used.
    const MADE: &[&str] =
        &["time.", "signal.", "category.", "status.", "role.", "action.", "kind.", "state.", "measure.", "audit."];

    #[test]
    fn every_key_is_used_and_every_used_key_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/console");
        let mut sources = String::new();
        let mut folders = vec![root];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path
                    .extension()
                    .is_some_and(|kind| ["html", "rs", "js", "svg"].iter().any(|known| kind == *known))
                    && !path.ends_with("texts.rs")
                {
                    sources += &std::fs::read_to_string(path).unwrap();
                }
            }
        }
        let texts = &Texts::all()[0];
        let unused: Vec<&String> = texts
            .entries
            .keys()
            .filter(|key| !MADE.iter().any(|made| key.starts_with(made)))
            .filter(|key| {
                let plain = key.strip_suffix(".one").or_else(|| key.strip_suffix(".many")).unwrap_or(key);
                let plain = plain.strip_prefix("js.").unwrap_or(plain);
                !sources.contains(&format!("\"{plain}\""))
            })
            .collect();
        assert!(unused.is_empty(), "nobody says {unused:?}");
        let mut missing = BTreeSet::new();
        for call in ["say(\"", ".with(\"", "with2(\"", "count(\""] {
            for rest in sources.split(call).skip(1) {
                let key = rest.split('"').next().unwrap_or_default();
                let plural = [format!("{key}.one"), format!("js.{key}.one")];
                let known =
                    texts.knows(key) || texts.knows(&format!("js.{key}")) || plural.iter().any(|key| texts.knows(key));
                let made = key.ends_with('.') && MADE.contains(&key);
                if !known && !made && !key.contains('{') {
                    missing.insert(key.to_owned());
                }
            }
        }
        assert!(missing.is_empty(), "the catalogue lacks {missing:?}");
    }

    #[test]
    fn the_language_is_the_chosen_one_or_what_the_browser_prefers() {
        for (chosen, accepted, lang) in [
            (Some("de"), "en", "de"),
            (None, "de-CH,de;q=0.9,en;q=0.8", "de"),
            (None, "fr;q=0.9, de;q=0.8", "de"),
            (Some("xx"), "", "en"),
            (None, "*", "en"),
        ] {
            assert_eq!(Texts::chosen(chosen, accepted).lang, lang, "{chosen:?} {accepted}");
        }
    }

    #[test]
    fn numbers_are_written_as_people_read_them() {
        let (en, de) = (&Texts::all()[0], &Texts::all()[1]);
        assert_eq!((en.number(1_234_567_u64), de.number(1_234_u64)), ("1,234,567".to_owned(), "1.234".to_owned()));
        assert_eq!((en.signed(-0.5), de.signed(1.25)), ("\u{2212}0.50".to_owned(), "+1,25".to_owned()));
        assert_eq!(en.span(59), "59 s");
        assert_eq!(en.span(7_300), "2 h");
        assert_eq!((en.span_worked(7_300), en.span_worked(108_000)), ("2 h".to_owned(), "30 h".to_owned()));
    }
}
