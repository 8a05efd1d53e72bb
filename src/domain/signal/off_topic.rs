//! # Nothing to do with the article (`off-topic`)
//!
//! - **Looks at:** the words of the comment against the page's title, text and tags, against what stands approved
//!   around it, and against the parent comment: words that they share, weighed by how rare they are, and what the
//!   words mean (word vectors). Joined, they say how likely a comment belongs under this page and not another one.
//! - **Why:** advertising and pasted stories have nothing to do with the page.
//! - **Wrong when:** genuine comments often share no word with their page: thanks, jokes, disagreement, talk among
//!   readers. So a misfit alone never counts: there must be enough to judge by (`min_evidence`), and a link, a
//!   contact, or the voice of an advertisement beside it; a very clear misfit by itself is only a hint. A page in
//!   another language is not compared; a comment of which the word vectors know less than half is compared word by
//!   word (`max_share`). When parent or siblings could not be read, it could not tell.
//! - **Settings:** `[signals.off_topic]`, `mode` (`live`, `shadow` or `off`; default `live`), `min_evidence`
//!   (information in the comment, in nats, below which nothing is said, default 25.0), `min_thread_evidence` (the
//!   same where only other comments are known and no page, default 60.0), `min_siblings` (approved comments by
//!   different authors that there must be then, default 5), `min_misfit` (log-odds that it belongs elsewhere from
//!   which it counts, default 1.0), `clear_misfit` (log-odds from which a misfit is very clear, default 3.0),
//!   `max_share` (share of information that the page may carry where it is compared word by word, 0.0 to 1.0,
//!   default 0.06), `link_weight` (log-odds added to `off-topic` when the comment carries a link elsewhere, default
//!   2.2), `contact_weight` (log-odds when it carries a telephone number, an offer, or two words of sellers, default
//!   3.0), `clear_weight` (log-odds added for a misfit on the way from `min_misfit` to `clear_misfit`, and all that a
//!   very clear one adds without link or contact, default 0.8), `voice_max` (most that it then adds or takes how the
//!   comment reads: like what people call off-topic, or like an answer; in log-odds, default 1.0).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Mode, Outcome, Resources, Signal};
use crate::domain::bearing::Bearing;
use crate::domain::category::Category;
use crate::domain::fit::{Around, Found, Weights, find};
use crate::domain::known::Known;
use crate::domain::normalise::{detected, words};
use crate::domain::scores::LogOdds;

/// The check's stable name.
pub const ID: &str = "off-topic";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::OffTopic;

/// `[signals.off_topic]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Information in the comment, in nats, below which nothing is said.
    pub min_evidence: f32,
    /// The same where no page is known.
    pub min_thread_evidence: f32,
    /// Approved comments that there must be where no page is known.
    pub min_siblings: u32,
    /// Log-odds that it belongs elsewhere from which it counts.
    pub min_misfit: f32,
    /// Log-odds from which a misfit is very clear.
    pub clear_misfit: f32,
    /// Share of information that the page may carry where it is compared word by word, 0.0 to 1.0.
    pub max_share: f32,
    /// Log-odds added when the comment carries a link elsewhere.
    pub link_weight: LogOdds,
    /// Log-odds added when it carries a telephone number, an offer, or two words of sellers.
    pub contact_weight: LogOdds,
    /// Log-odds added on the way to a very clear misfit.
    pub clear_weight: LogOdds,
    /// Most that how a comment reads adds to or takes from a very clear misfit by itself.
    pub voice_max: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            min_evidence: 25.0,
            min_thread_evidence: 60.0,
            min_siblings: 5,
            min_misfit: 1.0,
            clear_misfit: 3.0,
            max_share: 0.06,
            link_weight: LogOdds::of(2.2),
            contact_weight: LogOdds::of(3.0), // enough to hold by itself
            clear_weight: LogOdds::of(0.8),
            voice_max: LogOdds::of(1.0),
        }
    }
}

struct Check {
    config: Config,
    weights: Arc<Weights>,
}

/// Makes the check.
///
/// # Errors
/// [`BadSetting`]: a share outside 0.0 to 1.0, a threshold that is no number, or a clear misfit below the least.
pub fn new(config: &Config, resources: &Resources) -> Result<impl Signal + use<>, BadSetting> {
    let bad = |key: &str, problem: &str| {
        Err(BadSetting { section: "off_topic", key: key.to_owned(), problem: problem.to_owned() })
    };
    let thresholds = [config.min_evidence, config.min_thread_evidence, config.min_misfit, config.clear_misfit];
    if !(thresholds.iter().all(|number| number.is_finite()) && (0.0..=1.0).contains(&config.max_share)) {
        return bad("max_share", "must lie within 0.0 and 1.0, and evidence and misfit be finite");
    }
    if config.clear_misfit <= config.min_misfit {
        return bad("clear_misfit", "must be more than `min_misfit`");
    }
    Ok(Check { config: config.clone(), weights: Arc::clone(&resources.weights) })
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
            Known::Known(page) => Some(*page).filter(|page| page.can_compare()),
            Known::NotApplicable => None,
            Known::Unavailable(why) => return Outcome::Unavailable { why: why.clone() },
        };
        if let Known::Unavailable(why) = &ctx.parent {
            return Outcome::Unavailable { why: why.clone() };
        }
        let siblings = ctx.siblings.get().copied();
        let around = Around { page, siblings, answered: ctx.answered };
        let enough = page.is_some() || siblings.is_some_and(|siblings| siblings.count >= self.config.min_siblings);
        let Some(found) = find(ctx.terms, ctx.gist, &around).filter(|_| enough) else {
            return match &ctx.siblings {
                Known::Unavailable(why) if page.is_none() => Outcome::Unavailable { why: why.clone() },
                _ => Outcome::NotApplicable,
            };
        };
        match (self.weigh(ctx, &found), &ctx.siblings) {
            // What others said can excuse it: without them there is no telling.
            (Outcome::Hit { .. }, Known::Unavailable(why)) => Outcome::Unavailable { why: why.clone() },
            (outcome, _) => outcome,
        }
    }
}

/// Log-odds of the voice from which evidence speaks of it.
const MIN_TOLD: f64 = 0.1;

impl Check {
    fn weigh(&self, ctx: &Context<'_>, found: &Found) -> Outcome {
        let config = &self.config;
        let least = if found.page.is_some() { config.min_evidence } else { config.min_thread_evidence };
        let Some(clarity) = self.clarity(ctx, found).filter(|_| found.evidence >= least) else {
            return Outcome::Clear;
        };
        let body = &ctx.comment.body;
        let page = ctx.page.get();
        let link = ctx.links_out().next();
        let (companion, because) = if link.is_some() {
            (config.link_weight.get(), " and links elsewhere")
        } else if has_contact(&ctx.own_text()) {
            (config.contact_weight.get(), " and offers something")
        } else if clarity >= 1.0 {
            (0.0, "")
        } else {
            return Outcome::Clear;
        };
        if page.is_some_and(|page| speaks_another_language(page, body.plain.text())) {
            return Outcome::Clear;
        }
        // Where a link or an offer stands beside the misfit, that is what counts: sellers sound as if they answered.
        let voice = if companion > 0.0 {
            0.0
        } else {
            let most = config.voice_max.get().abs();
            let bearing = Bearing::of(body.words(), body.plain.text());
            f64::from(self.weights.voice.log_odds(&bearing)).clamp(-most, most)
        };
        let manner = if voice >= MIN_TOLD {
            format!(" It reads like what people call off-topic (+{voice:.1}).")
        } else if voice <= -MIN_TOLD {
            format!(" It reads like an answer ({voice:.1}).")
        } else {
            String::new()
        };
        let to = if found.page.is_some() { "the page" } else { "the comments around it" };
        Outcome::Hit {
            weight: LogOdds::of((companion + f64::from(clarity) * config.clear_weight.get() + voice).max(0.0)),
            evidence: format!("Has next to nothing to do with {to}{because}.{manner}"),
            spans: link.map(|link| super::Span::body(link.span.clone())).into_iter().collect(),
        }
    }

    /// How clear the misfit is, 0.0 to 1.0; `None` when there is none.
    fn clarity(&self, ctx: &Context<'_>, found: &Found) -> Option<f32> {
        let config = &self.config;
        let heard = ctx.gist.known as usize * 2 >= ctx.terms.len();
        if !heard {
            let likeness = [found.page, found.thread.map(|(thread, _)| thread)];
            let share = likeness.into_iter().flatten().map(|likeness| likeness.share).fold(0.0, f32::max);
            return (share <= config.max_share).then_some(0.0);
        }
        let misfit = -self.weights.own.log_odds(found);
        (misfit >= config.min_misfit)
            .then(|| ((misfit - config.min_misfit) / (config.clear_misfit - config.min_misfit)).min(1.0))
    }
}

/// A telephone number, phrases in which only sellers speak, or several of their words. A phrase stands here when the
/// labelled spam of video comments, forums, short messages and titles says it at least three times as often as their ham and a blog's
/// comments do, or a published blocklist names it.
fn has_contact(folded: &str) -> bool {
    const OFFERS: &[&str] = &[
        "contact us",
        "call us",
        "call now",
        "buy now",
        "shop now",
        "best prices",
        "free shipping",
        "our website",
        "visit us",
        "we offer",
        "we provide",
        "our services",
        "free download",
        "my channel",
        "our channel",
        "check out my",
        "check out our",
        "chance to win",
        "to win a",
        "claim your",
        "earn money",
        "payday loan",
    ];
    let digits = folded.as_bytes().split(|byte| !(byte.is_ascii_digit() || b" -().+".contains(byte)));
    let phone = digits.into_iter().any(|run| {
        (10..=14).contains(&run.iter().filter(|byte| byte.is_ascii_digit()).count())
            && (run.contains(&b'-') || run.contains(&b'+'))
    });
    let whole = |(at, phrase): (usize, &str)| {
        !folded[..at].ends_with(char::is_alphanumeric)
            && !folded[at + phrase.len()..].starts_with(char::is_alphanumeric)
    };
    let ranges = words(folded);
    let words = ranges.iter().map(|word| &folded[word.start as usize..word.end as usize]);
    phone || sells(words) || OFFERS.iter().any(|offer| folded.match_indices(offer).any(whole))
}

/// Whether at least two words of sellers occur; one (`free`, `loan`) is everybody's. Each stands here because the labelled spam of at least two of six
/// sets says it three times as often as genuine comments do. Of a blog's 24,170 comments 23 share next to nothing with their page and have two of
/// them; of 2,791 spams, 288.
fn sells<'a>(words: impl Iterator<Item = &'a str>) -> bool {
    const SELLERS: &[&str] = &[
        "bonus",
        "broker",
        "cash",
        "contact",
        "coupon",
        "customer",
        "delivery",
        "discount",
        "earn",
        "earning",
        "free",
        "gift",
        "income",
        "investment",
        "loan",
        "loans",
        "money",
        "offer",
        "offers",
        "online",
        "prize",
        "promo",
        "reward",
        "rewards",
        "sale",
        "trading",
        "wallet",
        "weekly",
        "win",
        "winner",
    ];
    let mut first = None;
    let mut listed = words.take(2_000).filter(|word| SELLERS.binary_search(word).is_ok());
    listed.any(|word| *first.get_or_insert(word) != word)
}

fn speaks_another_language(page: &crate::domain::relevance::Page, comment: &str) -> bool {
    let of_page = page.article.text.as_deref().or(page.article.title.as_deref()).and_then(detected);
    matches!((detected(comment), of_page), (Some(comment), Some(page)) if comment != page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fit::Voice;
    use crate::domain::signal::testing::{Case, weight};

    #[test]
    fn what_could_not_be_had_is_not_taken_for_missing() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let unavailable = Outcome::Unavailable { why: "away".to_owned() };
        let on_page =
            Case::new("Apricot dumplings need semolina").page("Council approves cycle lanes", "along the river");
        assert_eq!(Case::new("hello").page_away().outcome(&check), unavailable);
        assert_eq!(on_page.parent_away().outcome(&check), unavailable);
    }

    #[test]
    fn missing_overlap_alone_never_counts() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let page = |body: &str| {
            Case::new(body)
                .page("Council approves cycle lanes", "The lanes along the river connect the station with the harbour.")
        };
        let advert = "Genuine leather handbags and replica watches shipped worldwide within three days, satisfaction guaranteed or money returned";
        let cases: &[(&str, Case, bool)] = &[
            ("an advertisement with a link", page(&format!("{advert} http://bags.example/")), true),
            ("an advertisement with an offer", page(&format!("{advert}, buy now")), true),
            (
                "two words of sellers",
                page(
                    "Tired of empty pockets every Monday? Colleagues showed me how anybody earns cash beside school, weekly",
                ),
                true,
            ),
            (
                "one of them, twice",
                page("Tired of empty pockets every Monday? Colleagues showed me how cash begets cash beside school"),
                false,
            ),
            (
                "unrelated talk",
                page("My grandmother used to bake apricot dumplings every Sunday while listening to opera broadcasts"),
                false,
            ),
            (
                "an offer that is quoted",
                page(&format!("> {advert}, buy now\nnobody needs these handbags"))
                    .parent(&format!("{}, buy now", advert.to_lowercase())),
                false,
            ),
            (
                "a link that is quoted",
                page(&format!("> {advert} http://bags.example/"))
                    .parent(&format!("{} http://bags.example/", advert.to_lowercase())),
                false,
            ),
            ("an offer behind a quotation mark", page(&format!("> {advert}, buy now")), true),
            ("short praise with a link", page("Great article! http://x.example/"), false),
            (
                "disagreement",
                page("Complete nonsense, as usual. Journalists understand nothing whatsoever anymore."),
                false,
            ),
            (
                "about the page, with a link",
                page(
                    "The lanes along the river were long overdue, compare Utrecht: http://x.example/lanes station harbour",
                ),
                false,
            ),
            ("a link to the page's own site", page(&format!("{advert} http://news.example/other")), false),
            (
                "an answer to the parent",
                page("Apricot dumplings need semolina, quark, breadcrumbs, butter: http://x.example/")
                    .parent("apricot dumplings with semolina, quark, breadcrumbs and butter"),
                false,
            ),
            ("page unknown", Case::new(&format!("{advert} http://bags.example/")), false),
            (
                "another language",
                page(
                    "Guten Tag, wir liefern hochwertige Lederhandtaschen und Armbanduhren weltweit innerhalb von drei Tagen http://taschen.example/",
                ),
                false,
            ),
        ];
        for (name, case, expected) in cases {
            assert_eq!(weight(&check, case) > 0.0, *expected, "{name}: {:?}", case.outcome(&check));
        }
    }

    const TITLE: &str = "Council approves cycle lanes along the river";
    const TEXT: &str = "The council voted on Tuesday for cycle lanes along the river. The lanes connect the station with the harbour, cost \
                        two million and take forty parking spaces. Shopkeepers fear for their customers, cyclists celebrate.";

    #[test]
    fn short_praise_and_honest_disagreement_are_never_off_topic() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let praises = [
            "Great article, thank you!",
            "Thanks for sharing this, very well written.",
            "Best thing I have read all week.",
            "Finally somebody says it. Bravo!",
            "Lovely piece, made my day.",
            "Well done, keep it up!",
            "This is why I subscribe to this paper.",
            "Excellent reporting as always.",
            "I could not agree more with every single word.",
            "Wonderful, I shared it with my whole family.",
            "Danke für den tollen Artikel!",
            "Sehr guter Beitrag, endlich sagt es mal jemand.",
            "Merci beaucoup, excellent article !",
            "Bravo, enfin une bonne nouvelle.",
            "Muchas gracias, muy buen artículo.",
            "¡Qué bonito, me alegro mucho!",
            "Ottimo articolo, complimenti alla redazione.",
            "Отличная статья, спасибо!",
            "素晴らしい記事をありがとうございます。",
            "Parabéns pela matéria, excelente!",
        ];
        let disagreements = [
            "Complete nonsense, as usual. Journalists understand nothing whatsoever anymore.",
            "I strongly disagree, this is a terrible decision and a waste of everybody's money.",
            "Why does nobody ask the people who live here before they do such things?",
            "Sorry, but the author clearly has no idea what ordinary families deal with every day.",
            "You only tell one side of the story. Shame on you.",
            "Every year the same promises, every year nothing happens. I am tired of politicians.",
            "My mother is eighty and cannot ride anything. Did anyone think of her?",
            "Wrong, wrong, wrong. Look at what happened in other towns before you cheer.",
            "This paper used to be neutral. Now it is propaganda, cancel my subscription.",
            "I have lived here for forty years and never heard such rubbish.",
            "Numbers please! Without figures this is just opinion dressed up as news.",
            "Who pays for all this in the end? We do, as always.",
            "Völliger Unsinn, die Verwaltung hat wieder einmal niemanden gefragt.",
            "Das sehe ich ganz anders, der Autor hat offenbar nie hier gewohnt.",
            "Je ne suis pas du tout d'accord, c'est une très mauvaise idée.",
            "Encore une fois on oublie les gens qui travaillent la nuit.",
            "No estoy de acuerdo, es una vergüenza para toda la ciudad.",
            "Non sono d'accordo, i soldi andavano spesi per gli ospedali.",
            "Полная чушь, никто не спросил жителей.",
            "Discordo totalmente, o dinheiro devia ir para as escolas.",
        ];
        for body in praises.iter().chain(&disagreements) {
            let case = Case::new(body).page(TITLE, TEXT).siblings(&["The lanes were overdue", "Where shall we park?"]);
            assert!(weight(&check, &case).abs() < 1e-9, "{body}: {:?}", case.outcome(&check));
        }
    }

    const ADVERT: &str = "Genuine leather handbags and replica watches shipped worldwide within three days, satisfaction guaranteed or money \
                          returned, designer brands, perfumes and sunglasses for ladies: http://bags.example/";

    #[test]
    fn what_others_said_is_enough_to_judge_by_where_the_page_is_not_known() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let said = [
            "The cycle lanes along the river were overdue, I ride to the station every day",
            "Two million for lanes and the parking spaces at the harbour are gone",
            "Shopkeepers complain, but cyclists are customers too",
            "The council should have asked the shops near the river first",
            "Finally a safe way to ride from the station to the harbour with children",
            "Forty parking spaces lost for a handful of cyclists, thank you council",
        ];
        let advert = || Case::new(ADVERT);
        assert!(weight(&check, &advert().siblings(&said)) > 2.0, "{:?}", advert().siblings(&said).outcome(&check));
        assert_eq!(advert().siblings(&said[..3]).outcome(&check), Outcome::NotApplicable, "too few");
        assert_eq!(advert().outcome(&check), Outcome::NotApplicable, "none");
        let talk = "I ride along the river to the harbour every morning, and parking at the station was never a problem for anybody I know";
        let link = Case::new(&format!("{talk}, see http://lanes.example/")).siblings(&said);
        assert!(weight(&check, &link).abs() < 1e-9, "{:?}", link.outcome(&check));
    }

    #[test]
    fn siblings_that_could_not_be_read_hold_only_what_they_could_have_excused() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let unavailable = Outcome::Unavailable { why: "away".to_owned() };
        assert_eq!(Case::new(ADVERT).page(TITLE, TEXT).siblings_away().outcome(&check), unavailable);
        assert_eq!(Case::new("Well said!").page(TITLE, TEXT).siblings_away().outcome(&check), Outcome::Clear);
        assert_eq!(Case::new("Well said!").siblings_away().outcome(&check), unavailable, "nothing else to judge by");
    }

    const FOREIGN: &str = "Apricot dumplings need semolina, butter, breadcrumbs, cinnamon and sugar; grandmother kneaded potato dough on \
                           Sundays, boiled them in salted water and roasted everything in a heavy iron pan until golden brown";

    #[test]
    fn a_voice_moves_a_very_clear_misfit_within_bounds_and_nothing_else() {
        let of = |body: &str, intercept: f32| {
            let mut weights = Weights::clone(&Resources::default().weights);
            weights.voice = Voice { intercept, ..Voice::default() };
            let resources = Resources { weights: Arc::new(weights), ..Resources::default() };
            let check = new(&Config::default(), &resources).expect("valid");
            weight(&check, &Case::new(body).page(TITLE, TEXT))
        };
        let plain = of(FOREIGN, 0.0);
        assert!(plain > 0.0, "a very clear misfit is a hint");
        assert!((of(FOREIGN, 9.0) - plain - 1.0).abs() < 1e-9 && of(FOREIGN, -9.0).abs() < 1e-9);
        assert!((of(ADVERT, 9.0) - of(ADVERT, 0.0)).abs() < 1e-9, "an offer is judged as one");
        assert!(of("Well said!", 9.0).abs() < 1e-9);
    }

    #[test]
    fn thresholds_out_of_order_are_refused() {
        let config = Config { clear_misfit: 0.5, ..Config::default() };
        assert!(new(&config, &Resources::default()).is_err());
    }
}
