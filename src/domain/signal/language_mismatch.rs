//! # Another language than the page's (`language-mismatch`)
//!
//! - **Looks at:** whether most of a comment is written in other letters, or surely in another language, than page
//!   and parent. The page's language is what the site says, else what its text surely is; a comment's is told by
//!   its commonest words, so that a short one is not told at all. English does not count: it is understood nearly
//!   everywhere.
//! - **Why:** programs post the same text everywhere, whatever the page.
//! - **Wrong when:** readers come from elsewhere, quote, or write a second language: the weight is small and never
//!   enough alone; it counts with other things, as in the composite rule `stranger-in-another-language`. Pages in
//!   two languages are left alone, as is who answers a comment in the same language. Under a page in a language
//!   that is not told by its words here (Danish, Czech, Bulgarian, …) only other letters count.
//! - **Settings:** `[signals.language_mismatch]`, `mode` (`live`, `shadow` or `off`; default `live`),
//!   `writing_weight` (log-odds added to `off-topic` for other letters, default 0.9), `weight` (log-odds for
//!   another language in the same letters, default 0.6).

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Mode, Outcome, Resources, Signal};
use crate::domain::category::Category;
use crate::domain::known::Known;
use crate::domain::normalise::{Writing, knows_language, likely_language, words, writing};
use crate::domain::scores::LogOdds;

/// The check's stable name.
pub const ID: &str = "language-mismatch";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::OffTopic;

/// `[signals.language_mismatch]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Log-odds added to `off-topic` for other letters.
    pub writing_weight: LogOdds,
    /// Log-odds for another language in the same letters.
    pub weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self { mode: Mode::Live, writing_weight: LogOdds::of(0.9), weight: LogOdds::of(0.6) }
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
        let page = match &ctx.page {
            Known::Known(page) => page,
            Known::NotApplicable => return Outcome::NotApplicable,
            Known::Unavailable(why) => return Outcome::Unavailable { why: why.clone() },
        };
        let body = &ctx.comment.body;
        let Some(of_page) = page.lang.as_deref() else { return Outcome::NotApplicable };
        let (own, expected) = (writing(body.folded.text()), writing_of(of_page));
        if let (Some(own), Some(expected)) = (own, expected)
            && own != expected
        {
            let parent = ctx.parent.get().and_then(|parent| writing(parent));
            // What is written in Latin letters may be English, or a name; it is told by its words below.
            if own != Writing::Latin && parent != Some(own) {
                let evidence = format!("Written in {} letters under a page in {of_page}.", own.name());
                return Outcome::Hit { weight: self.0.writing_weight, evidence, spans: Vec::new() };
            }
        }
        if !knows_language(of_page) {
            return Outcome::Clear; // the page's own language would be taken for a neighbour
        }
        let Some(own) = likely_language(body.words()).filter(|own| *own != "en" && *own != of_page) else {
            return Outcome::Clear;
        };
        if ctx.parent.get().and_then(|parent| language(parent)) == Some(own) {
            return Outcome::Clear;
        }
        Outcome::Hit {
            weight: self.0.weight,
            evidence: format!("Written in another language ({own}) than the page ({of_page})."),
            spans: Vec::new(),
        }
    }
}

/// The letters that a language is written in; `None` for those of several, and for those not known here.
fn writing_of(lang: &str) -> Option<Writing> {
    match lang {
        "en" | "de" | "fr" | "es" | "pt" | "it" | "nl" | "pl" | "sv" | "da" | "nb" | "no" | "nn" | "fi" | "tr"
        | "id" | "cs" | "sk" | "hu" | "ro" | "ca" | "vi" | "hr" | "sl" | "et" | "lv" | "lt" => Some(Writing::Latin),
        "ru" | "uk" | "bg" | "be" | "mk" => Some(Writing::Cyrillic),
        "el" => Some(Writing::Greek),
        "ar" | "fa" | "ur" => Some(Writing::Arabic),
        "he" | "yi" => Some(Writing::Hebrew),
        "zh" | "ja" => Some(Writing::EastAsian),
        "ko" => Some(Writing::Korean),
        "th" => Some(Writing::Thai),
        "hi" | "mr" | "ne" | "bn" | "ta" | "te" | "gu" => Some(Writing::Indic),
        _ => None,
    }
}

fn language(folded: &str) -> Option<&'static str> {
    likely_language(words(folded).iter().map(|word| &folded[word.start as usize..word.end as usize]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::signal::testing::{Case, weight};

    #[test]
    fn languages_are_compared_where_they_are_sure() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let english = |body: &str| {
            Case::new(body).page(
                "The council has approved the cycle lanes",
                "They said that the lanes will be built in the spring, and that the bridge is to be closed for it.",
            )
        };
        let german = |body: &str| {
            Case::new(body).page("Der Stadtrat hat die Radwege beschlossen", "Die Wege werden im Frühjahr gebaut, und die Brücke ist so lange für den Verkehr nicht offen, wie es heißt.")
        };
        let spanish = "No creo que el puente esté listo este año, pero ya veremos qué pasa con los plazos";
        let russian = "Лучшее предложение только сегодня";
        let in_language = |lang: &str, body: &str| Case::new(body).page_in(lang, "Title", "Text of the page");
        let norwegian = "jeg tror ikke det er sant, men det er jo slik at vi har en by som er for liten til det her, og det var den før også";
        let cases: &[(&str, Case, f64)] = &[
            ("other letters", english(russian), 0.9),
            ("another language", english(spanish), 0.6),
            ("the page's", german("Ich glaube nicht, dass die Brücke noch in diesem Jahr fertig wird, aber wir werden es sehen"), 0.0),
            ("English anywhere", german("I think that this is what they said about the bridge, and it was not true"), 0.0),
            ("one word", english("Excelente!"), 0.0),
            ("a name", english("Владимир"), 0.0),
            ("a borrowed phrase", english("C'est la vie, as they say in the council"), 0.0),
            ("an answer in the same language", english(spanish).parent("no sé si el puente está en el plan que los vecinos han visto, pero creo que no"), 0.0),
            ("an answer in the same letters", english(russian).parent("а когда откроют этот мост"), 0.0),
            ("a page in two languages", Case::new(spanish).page("Bridge, puente", "The bridge is closed and it will be so for the whole year. El puente no está abierto y no lo va a estar en todo el año."), 0.0),
            ("Norwegian under a Norwegian page", in_language("nb", norwegian), 0.0),
            ("Norwegian, by the older code", in_language("no", norwegian), 0.0),
            ("Danish under a Danish page", in_language("da", "jeg tror ikke at det er godt for en by som vores, og de har ikke sagt hvad det koster, men vi får se om det er for dyrt for os"), 0.0),
            ("Czech under a Czech page", in_language("cs", "Já si myslím, že to není pro město dobré a že se na to zase zapomene, ale kdo ví, jak to bude, až se to do toho dá"), 0.0),
            ("Bulgarian under a Bulgarian page", in_language("bg", "това не е само за града, но и за тези, които са на пътя, а ако не е така, то кой ще ни каже за какво е"), 0.0),
            ("other letters under a Czech page", in_language("cs", russian), 0.9),
            ("digits and signs", english("42 :-) 17"), 0.0),
            ("a page of few words", Case::new(spanish).page("Harbour", "Bridge"), 0.0),
        ];
        for (name, case, expected) in cases {
            assert!((weight(&check, case) - expected).abs() < 1e-9, "{name}: {:?}", case.outcome(&check));
        }
        assert_eq!(Case::new(spanish).outcome(&check), Outcome::NotApplicable);
        assert!(matches!(Case::new(spanish).page_away().outcome(&check), Outcome::Unavailable { .. }));
    }
}
