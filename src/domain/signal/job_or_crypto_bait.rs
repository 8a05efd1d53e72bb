//! # Easy money and miracles (`job-or-crypto-bait`)
//!
//! - **Looks at:** phrases of offers that hardly anybody but swindlers writes: money from home, traders who invest
//!   for others, lost coins recovered, loans for everybody, spells, hackers for hire, miracle cures, prizes; and an
//!   amount of money for a day, week or month of work beside one of them. In a dozen languages.
//! - **Why:** these are the swindles that comment sections are used for, mostly as testimonials of somebody whom it
//!   helped.
//! - **Wrong when:** an article is about swindles, or about work from home, and comments speak of it: where the
//!   page itself carries the words of a phrase, that phrase does not count. One phrase counts less than the several
//!   that such texts have.
//! - **Settings:** `[signals.job_or_crypto_bait]`, `mode` (`live`, `shadow` or `off`; default `live`), `weight`
//!   (log-odds added to `spam` for one such phrase, default {weight}), `several_weight` (log-odds for two and more
//!   different ones, default {several_weight}), `earning_weight` (log-odds for one such phrase beside an amount of money for a
//!   time, default {earning_weight}).

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Mode, Outcome, Resources, Signal, Span};
use crate::domain::category::Category;
use crate::domain::fitted::weight;
use crate::domain::headline::is_common;
use crate::domain::normalise::words;
use crate::domain::phrases::Kind;
use crate::domain::scores::LogOdds;

/// The check's stable name.
pub const ID: &str = "job-or-crypto-bait";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::Spam;

/// `[signals.job_or_crypto_bait]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Log-odds added to `spam` for one such phrase.
    pub weight: LogOdds,
    /// Log-odds for two and more different ones.
    pub several_weight: LogOdds,
    /// Log-odds for one such phrase beside an amount of money for a time.
    pub earning_weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            weight: weight("job_or_crypto_bait", "weight", 1.3),
            several_weight: weight("job_or_crypto_bait", "several_weight", 2.6),
            earning_weight: weight("job_or_crypto_bait", "earning_weight", 2.2),
        }
    }
}

struct Check(Config);

/// Makes the check.
///
/// # Errors
/// Never: any settings that serde reads will do.
pub fn new(config: &Config, _resources: &Resources) -> Result<impl Signal + use<>, BadSetting> {
    Ok(Check(config.clone()))
}

impl Signal for Check {
    fn id(&self) -> &'static str {
        ID
    }

    fn category(&self) -> Category {
        CATEGORY
    }

    fn evaluate(&self, ctx: &Context<'_>) -> Outcome {
        let folded = &ctx.comment.body.folded;
        let text = folded.text();
        let mut said: Vec<&str> = Vec::new();
        let mut spans: Vec<Span> = Vec::new();
        for found in ctx.phrases().of_kind(Kind::Bait).take(50) {
            let phrase = &text[found.at.clone()];
            if said.contains(&phrase) || page_speaks_of(ctx, phrase) {
                continue;
            }
            said.push(phrase);
            spans.push(Span::body(folded.original(found.at.clone())));
        }
        let (weight, what) = match said.len() {
            0 => return Outcome::Clear,
            1 if earns(text) => (self.0.earning_weight, "Offers earnings"),
            1 => (self.0.weight, "Speaks as such offers do"),
            _ => (self.0.several_weight, "Speaks as such offers do"),
        };
        said.truncate(3);
        let named: Vec<String> = said.iter().map(|phrase| format!("`{phrase}`")).collect();
        spans.truncate(20);
        Outcome::Hit { weight, evidence: format!("{what}: {}.", named.join(", ")), spans }
    }
}

/// Whether the page itself speaks of what a phrase says: it carries all its words of four letters and more.
fn page_speaks_of(ctx: &Context<'_>, phrase: &str) -> bool {
    let Some(page) = ctx.page.get() else { return false };
    let words = words(phrase).into_iter().map(|word| &phrase[word.start as usize..word.end as usize]);
    let mut said = words.filter(|word| word.len() >= 4 && !is_common(word)).peekable();
    said.peek().is_some() && said.all(|word| page.carries(word))
}

/// Whether a text names an amount of money and a time to earn it in.
fn earns(folded: &str) -> bool {
    const TIMES: &[&str] = &[
        "a day",
        "per day",
        "every day",
        "daily",
        "/day",
        "a week",
        "per week",
        "weekly",
        "/week",
        "a month",
        "per month",
        "monthly",
        "/month",
        "an hour",
        "per hour",
        "hourly",
        "/hr",
        "/hour",
        "в день",
        "в месяц",
        "в неделю",
        "рублей в",
        "pro tag",
        "am tag",
        "pro woche",
        "im monat",
        "par jour",
        "par mois",
        "al día",
        "al mes",
        "por dia",
        "por mês",
        "al giorno",
        "al mese",
        "dziennie",
    ];
    let money = folded.char_indices().any(|(at, c)| match c {
        '$' | '€' | '£' | '₽' => {
            let near = |c: char| c.is_ascii_digit();
            folded[at + c.len_utf8()..].trim_start().starts_with(near) || folded[..at].trim_end().ends_with(near)
        }
        _ => false,
    }) || ["dollars", "usd", "euro", "рублей", "btc"].iter().any(|unit| folded.contains(unit));
    money && TIMES.iter().any(|time| folded.contains(time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fitted::as_written;
    use crate::domain::signal::testing::{Case, weight};

    #[test]
    fn offers_are_told_from_talk() {
        let check = new(&as_written(Config::default), &Resources::default()).expect("valid");
        let cases: &[(&str, &str, f64)] = &[
            ("one phrase", "ask me about passive income", 1.3),
            ("several", "She is an expert trader, a small minimum deposit was enough and I am financially free", 2.6),
            ("an amount for a time", "I make $90 an hour since I work from home", 2.2),
            ("recovery", "They recovered my lost coins, the best ethical hacker there is", 2.6),
            ("a spell", "this spell caster brought him home", 1.3),
            ("a loan", "urgent loan at 2% interest", 2.6),
            ("Russian", "Удаленный заработок, доход от 600$ в день", 2.6),
            ("Spanish", "aprende a ganar dinero conmigo", 1.3),
            ("work", "My brother works at home on Fridays and likes it", 0.0),
            ("a salary", "They pay nurses $20 an hour, which is a shame", 0.0),
            ("an investment", "The city should invest in trams instead of roads", 0.0),
            ("a bank", "My bank wanted six percent interest for the loan", 0.0),
            ("a hacker", "A hacker got into the council's mail", 0.0),
            ("a cure", "There is no cure for stupidity", 0.0),
            ("bitcoin", "Bitcoin fell again, and nobody knows why", 0.0),
            ("a spell of weather", "After this dry spell the river is low", 0.0),
            ("recovery from illness", "I wish her a quick recovery", 0.0),
            ("gold", "He won a medal and a prize in London", 0.0),
            ("a quotation", "> earn money online with passive income\nreported", 0.0),
        ];
        for (name, body, expected) in cases {
            let case = Case::new(body).parent("earn money online with passive income");
            assert!((weight(&check, &case) - expected).abs() < 1e-9, "{name}: {:?}", case.outcome(&check));
        }
    }

    #[test]
    fn what_the_page_is_about_may_be_talked_about() {
        let check = new(&as_written(Config::default), &Resources::default()).expect("valid");
        let page = |body: &str| {
            Case::new(body).page(
                "More people work from home than ever",
                "Those who work at home save on travel, says a study about home and work.",
            )
        };
        assert!(weight(&check, &page("I work from home twice a week and save a lot")).abs() < 1e-9);
        assert!(weight(&check, &page("Get passive income, ask me how")) > 1.0);
    }
}
