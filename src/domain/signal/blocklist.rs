//! # Listed words and hosts (`blocklist`)
//!
//! - **Looks at:** words and hosts that the operator lists, in the body, the author's name, e-mail and homepage.
//!   Words match whole words (anywhere, in scripts that write without blanks), however they are cased or disguised; an entry that ends in `*` matches the beginning
//!   of words. Hosts match themselves and their subdomains.
//! - **Why:** what a site never wants to see is best said outright.
//! - **Wrong when:** a listed word has an honest use. Prefer several words to one (`payday loan`), and look at the
//!   comments that a new entry would have held before adding it.
//! - **Settings:** `[signals.blocklist]`, `mode` (`live`, `shadow` or `off`; default `live`), `words` (list of
//!   words or phrases; the default is short), `hosts` (list of hosts, default none), `weight` (log-odds added to
//!   `spam` for the first entry found, default {weight}), `weight_per_entry` (log-odds for each further entry, default
//!   {weight_per_entry}), `max_weight` (most that it adds, default 5.0).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Field, Mode, Outcome, Resources, Signal, Span};
use crate::domain::category::Category;
use crate::domain::fitted::weight;
use crate::domain::listed::{BadEntry, Hosts, TooMany, Words};
use crate::domain::normalise::{Mapped, fold_plain, host_of};
use crate::domain::scores::LogOdds;

/// The check's stable name.
pub const ID: &str = "blocklist";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Spam;

/// `[signals.blocklist]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Words or phrases.
    pub words: Vec<String>,
    /// Hosts.
    pub hosts: Vec<String>,
    /// Log-odds added for the first entry found.
    pub weight: LogOdds,
    /// Log-odds added for each further entry.
    pub weight_per_entry: LogOdds,
    /// Most that it adds.
    pub max_weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            words: WORDS.iter().map(|word| (*word).to_owned()).collect(),
            hosts: Vec::new(),
            weight: weight("blocklist", "weight", 2.6),
            weight_per_entry: weight("blocklist", "weight_per_entry", 0.8),
            max_weight: LogOdds::of(5.0),
        }
    }
}

/// Phrases that hardly anybody writes but sellers.
const WORDS: &[&str] = &[
    "buy viagra",
    "cheap viagra",
    "generic viagra",
    "buy cialis",
    "cheap cialis",
    "generic cialis",
    "online casino",
    "casino bonus",
    "payday loan",
    "payday loans",
    "replica watches",
    "replica handbags",
    "louis vuitton outlet",
    "cheap ray ban",
    "escort service",
    "escorts in",
    "essay writing service",
    "buy essays",
    "buy backlinks",
    "seo services",
    "buy followers",
    "binary options signals",
    "forex signals",
    "love spell",
    "spell caster",
    "hack whatsapp",
    "loan at 3%",
    "work from home and earn",
];

struct Check {
    config: Config,
    words: Words,
    hosts: Hosts,
}

/// Makes the check.
///
/// # Errors
/// [`BadSetting`]: an empty entry, a host that is none, or more entries than the automaton can hold.
pub fn new(config: &Config, _resources: &Resources) -> Result<impl Signal + use<>, BadSetting> {
    let bad = |key: &str, error: &BadEntry| BadSetting {
        section: "blocklist",
        key: key.to_owned(),
        problem: error.to_string(),
    };
    let words = Words::new(&config.words).map_err(|error| bad("words", &error))?;
    let hosts = Hosts::new(&config.hosts).map_err(|error| bad("hosts", &error))?;
    Ok(Check { config: config.clone(), words, hosts })
}

impl Signal for Check {
    fn id(&self) -> &'static str {
        ID
    }

    fn category(&self) -> Category {
        CATEGORY
    }

    fn evaluate(&self, ctx: &Context<'_>) -> Outcome {
        let mut found: BTreeSet<usize> = BTreeSet::new();
        let mut spans = Vec::new();
        let comment = ctx.comment;
        let mut all = self.search(&comment.body.folded, Field::Body, &mut found, &mut spans);
        let author = &comment.sent.author;
        let fields =
            [(Field::AuthorName, &author.name), (Field::AuthorEmail, &author.email), (Field::AuthorUrl, &author.url)];
        for (field, text) in fields {
            if let Some(text) = text {
                all = all.and(self.search(&fold_plain(text), field, &mut found, &mut spans));
            }
        }
        let mut entries: Vec<&str> =
            found.iter().filter_map(|at| self.config.words.get(*at)).map(String::as_str).collect();
        let homepage = author.url.as_deref().and_then(host_of);
        let links = comment.body.links.iter().map(|link| (link.host.clone(), Some(link.span.clone())));
        let hosts: Vec<String> = links
            .chain(homepage.map(|host| (host, None)))
            .filter_map(|(host, span)| {
                let listed = self.hosts.find(&host)?.to_owned();
                spans.extend(span.map(Span::body));
                Some(listed)
            })
            .collect();
        entries.extend(hosts.iter().map(String::as_str).collect::<BTreeSet<_>>());
        let Some(further) = entries.len().checked_sub(1) else {
            return match all {
                Ok(()) => Outcome::Clear,
                Err(TooMany) => Outcome::Unavailable { why: "too many places to look at".to_owned() },
            };
        };
        let further = f64::from(u32::try_from(further).unwrap_or(u32::MAX));
        let weight = self.config.weight.get() + further * self.config.weight_per_entry.get();
        entries.truncate(10);
        Outcome::Hit {
            weight: LogOdds::of(weight.min(self.config.max_weight.get())),
            evidence: format!(
                "On the list: {}.",
                entries.iter().map(|entry| format!("`{entry}`")).collect::<Vec<_>>().join(", ")
            ),
            spans,
        }
    }
}

impl Check {
    fn search(
        &self,
        folded: &Mapped,
        field: Field,
        found: &mut BTreeSet<usize>,
        spans: &mut Vec<Span>,
    ) -> Result<(), TooMany> {
        for place in self.words.find(folded.text()) {
            let (entry, range) = place?;
            found.insert(entry);
            if spans.len() < 20 {
                let span = Span::body(folded.original(range));
                spans.push(Span { field, ..span });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fitted::as_written;
    use crate::domain::signal::testing::{Case, weight};

    #[test]
    fn entries_match_whole_words_and_hosts_with_their_subdomains() {
        let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let config = Config {
            words: list(&["cialis", "dress", "viagr*", "online casino", "казино"]),
            hosts: list(&["bad.example"]),
            ..as_written(Config::default)
        };
        let check = new(&config, &Resources::default()).expect("valid");
        let cases: &[(&str, Case, bool)] = &[
            ("a whole word", Case::new("buy CIALIS, now"), true),
            ("inside another word", Case::new("ask a specialist"), false),
            ("inside a name", Case::new("thank you, Andressa"), false),
            ("a beginning", Case::new("viagra"), true),
            ("a phrase", Case::new("an online\ncasino"), true),
            ("disguised", Case::new("c\u{200b}ialis and ciаlis"), true),
            ("another script", Case::new("лучшее казино здесь"), true),
            ("in markup", Case::new("<b>cia</b>lis").html(), true),
            ("in the author's name", Case::new("hello").named("Online Casino", "http://ok.example"), true),
            ("a listed host", Case::new("see http://bad.example/x"), true),
            ("a subdomain", Case::new("see http://a.b.bad.example/x"), true),
            ("a host that only ends alike", Case::new("see http://notbad.example/x"), false),
            ("a listed homepage", Case::new("hello").named("Anna", "http://www.bad.example/"), true),
            ("nothing", Case::new("hello"), false),
        ];
        for (name, case, expected) in cases {
            assert_eq!(weight(&check, case) > 0.0, *expected, "{name}: {:?}", case.outcome(&check));
        }
    }

    #[test]
    fn scripts_without_blanks_have_no_word_boundaries() {
        let words = ["カジノ", "คาสิโน", "casino"].map(str::to_owned).to_vec();
        let check = new(&Config { words, ..as_written(Config::default) }, &Resources::default()).expect("valid");
        for (body, expected) in [
            ("最高のカジノです", true),
            ("เล่นคาสิโนออนไลน์", true),
            ("最好的casino网站", true),
            ("casinos", false),
            ("最好的casinos", false),
        ] {
            assert_eq!(weight(&check, &Case::new(body)) > 0.0, expected, "{body}");
        }
    }

    #[test]
    fn evidence_points_to_the_words() {
        let check = new(&as_written(Config::default), &Resources::default()).expect("valid");
        let body = "where to Buy  Viagra cheaply";
        let Outcome::Hit { evidence, spans, .. } = Case::new(body).outcome(&check) else { panic!("no hit") };
        assert!(evidence.contains("`buy viagra`"));
        assert_eq!(&body[spans[0].start as usize..spans[0].end as usize], "Buy  Viagra");
    }

    #[test]
    fn empty_entries_and_odd_hosts_are_refused() {
        for config in [
            Config { words: vec!["*".to_owned()], ..as_written(Config::default) },
            Config { hosts: vec!["no host".to_owned()], ..as_written(Config::default) },
        ] {
            assert!(new(&config, &Resources::default()).is_err());
        }
    }
}
