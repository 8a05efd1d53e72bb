//! # A headline of another story (`unrelated-headline`)
//!
//! - **Looks at:** parts of the comment that read like a headline (the text of a link, a line written like a title,
//!   the whole of a short comment), whether they have to do with the page, and whether the same or a reworded one
//!   was seen under other articles within `history.window_days`.
//! - **Why:** the telltale spam of comment sections: headlines of unrelated stories, with a link or without, pasted
//!   under article after article by changing authors.
//! - **Wrong when:** readers point to a related story (the page's own title and words excuse it), or quote a book
//!   title. One that was never seen elsewhere counts by how clearly it is foreign to the page and to what stands
//!   approved around it. What people approved before counts a quarter. An answer that quotes (`>`, `<blockquote>`)
//!   what stands approved under the same article is not held for it. Thanks and the like, without a link, are no headline.
//! - **Settings:** `[signals.unrelated_headline]`, `mode` (`live`, `shadow` or `off`; default `live`),
//!   `repeated_weight` (log-odds added to `off-topic` when it was seen under another article, default 3.3),
//!   `article_weight` (log-odds for each further article, default 0.2), `weak_articles` (other articles under which
//!   an ordinary sentence must have been seen before it counts, default 2), `first_weight` (log-odds when a title
//!   has nothing to do with the page and was never seen, default 0.8), `first_linked_weight` (the same when it
//!   carries a link, default 1.3), `related_share` (share of its content words that the page must carry for it to
//!   be related, 0.0 to 1.0, default 0.5), `min_evidence` (information in it, in nats, below which it is not called
//!   foreign, default 20.0), `foreign_from` and `foreign_to` (log-odds that it is no reader's word about the page,
//!   from which that counts, and from which it counts whole; default 0.5 and 2.5), `foreign_weight` (log-odds
//!   added then, half of it where somebody says `I` or where it stands among other words without a link; default
//!   3.8), `max_weight` (most that it adds, default 5.0).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{BadSetting, Context, Mode, Outcome, Resources, Signal, Span};
use crate::domain::bearing::Bearing;
use crate::domain::category::Category;
use crate::domain::embedding::Embedding;
use crate::domain::fit::{Around, Weights, find};
use crate::domain::headline::{Candidate, Strength, is_common};
use crate::domain::history::Sightings;
use crate::domain::known::Known;
use crate::domain::relevance::Background;
use crate::domain::scores::LogOdds;
use crate::domain::short::is_everyday;
use crate::domain::terms::Terms;
use crate::domain::view::standing_in;

/// The check's stable name.
pub const ID: &str = "unrelated-headline";
/// The category that its weight counts for.
pub const CATEGORY: Category = Category::OffTopic;

/// `[signals.unrelated_headline]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether it counts.
    pub mode: Mode,
    /// Log-odds added when it was seen under another article.
    pub repeated_weight: LogOdds,
    /// Log-odds added for each further article.
    pub article_weight: LogOdds,
    /// Other articles under which an ordinary sentence must have been seen.
    pub weak_articles: u32,
    /// Log-odds added when an unrelated title was never seen.
    pub first_weight: LogOdds,
    /// The same when it carries a link.
    pub first_linked_weight: LogOdds,
    /// Share of content words that the page must carry, 0.0 to 1.0.
    pub related_share: f64,
    /// Information in it, in nats, below which it is not called foreign.
    pub min_evidence: f32,
    /// Log-odds that it is foreign from which that counts.
    pub foreign_from: f32,
    /// Log-odds from which it counts whole.
    pub foreign_to: f32,
    /// Log-odds added when it is clearly foreign.
    pub foreign_weight: LogOdds,
    /// Most that it adds.
    pub max_weight: LogOdds,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Live,
            repeated_weight: LogOdds::of(3.3),
            article_weight: LogOdds::of(0.2),
            weak_articles: 2,
            first_weight: LogOdds::of(0.8),
            first_linked_weight: LogOdds::of(1.3),
            related_share: 0.5,
            min_evidence: 20.0,
            foreign_from: 0.5,
            foreign_to: 2.5,
            // Of 2,354 comments under a technical blog 0.9 % reach half of it, and of 846 headlines of other stories under the same pages 54 %.
            foreign_weight: LogOdds::of(3.8),
            max_weight: LogOdds::of(5.0),
        }
    }
}

struct Check {
    config: Config,
    background: Arc<Background>,
    embedding: Arc<Embedding>,
    weights: Arc<Weights>,
}

/// Makes the check.
///
/// # Errors
/// [`BadSetting`]: a share outside 0.0 to 1.0, or thresholds that are no numbers in order.
pub fn new(config: &Config, resources: &Resources) -> Result<impl Signal + use<>, BadSetting> {
    let bad = |key: &str, problem: &str| {
        Err(BadSetting { section: "unrelated_headline", key: key.to_owned(), problem: problem.to_owned() })
    };
    if !(0.0..=1.0).contains(&config.related_share) {
        return bad("related_share", "must lie within 0.0 and 1.0");
    }
    let Config { min_evidence, foreign_from, foreign_to, .. } = config;
    if !(min_evidence.is_finite() && foreign_from.is_finite() && foreign_to.is_finite() && foreign_from < foreign_to) {
        return bad("foreign_to", "must be more than `foreign_from`, and all three thresholds finite");
    }
    Ok(Check {
        config: config.clone(),
        background: Arc::clone(&resources.background),
        embedding: Arc::clone(&resources.embedding),
        weights: Arc::clone(&resources.weights),
    })
}

impl Signal for Check {
    fn id(&self) -> &'static str {
        ID
    }

    fn category(&self) -> Category {
        CATEGORY
    }

    fn evaluate(&self, ctx: &Context<'_>) -> Outcome {
        let pasts = match &ctx.past.headlines {
            Known::Known(pasts) => pasts,
            Known::NotApplicable => return Outcome::NotApplicable,
            Known::Unavailable(why) => return Outcome::Unavailable { why: why.clone() },
        };
        let found = &ctx.comment.headlines; // in the trace's order, which the past answers in
        if found.is_empty() {
            return Outcome::Clear;
        }
        if let Known::Unavailable(why) = &ctx.page {
            return Outcome::Unavailable { why: why.clone() };
        }
        if let Known::Unavailable(why) = &ctx.parent {
            return Outcome::Unavailable { why: why.clone() };
        }
        let weighed = found.iter().zip(pasts).filter_map(|(candidate, past)| {
            let (weight, evidence) = self.weigh(ctx, candidate, past)?;
            Some((weight, evidence, Span::body(candidate.span.clone())))
        });
        let mut weighed: Vec<(f64, String, Span)> = weighed.collect();
        weighed.sort_by(|a, b| b.0.total_cmp(&a.0));
        let spans: Vec<Span> = weighed.iter().map(|(_, _, span)| span.clone()).collect();
        match weighed.into_iter().next() {
            None => Outcome::Clear,
            Some((weight, evidence, _)) => Outcome::Hit { weight: LogOdds::of(weight), evidence, spans },
        }
    }
}

impl Check {
    fn weigh(&self, ctx: &Context<'_>, candidate: &Candidate, past: &Sightings) -> Option<(f64, String)> {
        let config = &self.config;
        if self.related(ctx, candidate, "") == Some(true) {
            return None;
        }
        // Thanks and the like, which people write anew in the same words.
        let words = || candidate.words.iter().map(String::as_str).collect::<Vec<_>>();
        if candidate.strength == Strength::Weak && ctx.comment.body.links.is_empty() && is_everyday(&words()) {
            return None;
        }
        // A quotation of what readers see under this article; a sign in front of anything else excuses nothing.
        if past.approved_here > 0 && ctx.comment.body.is_quoted(&candidate.span) {
            return None;
        }
        // An ordinary sentence that is all of a comment may be a pasted headline; inside a comment it has to come again and again.
        let whole = candidate.words.len() * 10 >= ctx.comment.body.words.len() * 6;
        let enough = if candidate.strength > Strength::Weak || whole { 1 } else { config.weak_articles.max(1) };
        if past.under_other_articles >= enough {
            let further = f64::from(past.articles.saturating_sub(1));
            let mut weight =
                (config.repeated_weight.get() + further * config.article_weight.get()).min(config.max_weight.get());
            if past.approved_by_person * 2 > past.comments {
                weight /= 4.0;
            }
            let title = quote(candidate);
            return Some((
                weight,
                format!("{title} reads like the headline of another story and was posted before: {}.", past.sentence()),
            ));
        }
        // The parent may explain what was never seen; what was pasted elsewhere is not explained by answering one's own paste.
        let parent = ctx.parent.get().copied().unwrap_or_default();
        if self.related(ctx, candidate, parent) == Some(true) {
            return None;
        }
        let foreign = self.foreign(ctx, candidate)?;
        // Headlines do not say `I`; and what stands among other words, without a link, is mostly talk.
        let talk = candidate.words.iter().any(|word| is_first_person(word))
            || (!whole && candidate.strength < Strength::Linked);
        let foreign = if talk { foreign / 2.0 } else { foreign };
        let weight = match candidate.strength {
            // An ordinary sentence has to be all of the comment, and is never more than a hint: readers write such, too.
            Strength::Weak if whole && foreign > 0.0 => -WEAK_SHARE * foreign * config.foreign_weight.get(),
            Strength::Weak => return None,
            Strength::Title => config.first_weight.get(),
            Strength::Linked => config.first_linked_weight.get(),
        };
        let weight = (weight + foreign * config.foreign_weight.get()).min(config.max_weight.get());
        let title = quote(candidate);
        let evidence = match foreign > 0.0 {
            true => format!("{title} reads like the headline of another story, foreign to this page."),
            false => format!("{title} reads like the headline of another story."),
        };
        Some((weight, evidence))
    }

    /// How clearly a headline is foreign to the page and what was said around it, 0.0 to 1.0; `None` when there is nothing to tell by.
    fn foreign(&self, ctx: &Context<'_>, candidate: &Candidate) -> Option<f64> {
        let config = &self.config;
        let words = || candidate.words.iter().map(String::as_str);
        let terms = Terms::of(words(), &self.background);
        let gist = self.embedding.gist(words());
        let page = ctx.page.get().copied().filter(|page| page.can_compare());
        let siblings = ctx.siblings.get().copied().filter(|siblings| page.is_some() || siblings.count >= MIN_SIBLINGS);
        page.map(|_| ()).or(siblings.map(|_| ()))?;
        let found = find(&terms, &gist, &Around { page, siblings, answered: ctx.answered })?;
        let found = found.carried(Bearing::of(words(), &candidate.text));
        let heard = gist.known as usize * 2 >= terms.len();
        if !heard || found.evidence < config.min_evidence {
            return page.map(|_| 0.0);
        }
        let foreign = -self.weights.foreign.log_odds(&found);
        let share = (foreign - config.foreign_from) / (config.foreign_to - config.foreign_from);
        if page.is_none() && share <= 0.0 {
            return None;
        }
        Some(f64::from(share.clamp(0.0, 1.0)))
    }

    /// Whether the headline has to do with the page or the parent's folded text; `None` when the page is not known well enough.
    fn related(&self, ctx: &Context<'_>, candidate: &Candidate, parent: &str) -> Option<bool> {
        let page = ctx.page.get().filter(|page| page.can_compare())?;
        let content: Vec<&str> = candidate.words.iter().map(String::as_str).filter(|word| !is_common(word)).collect();
        let answered = standing_in(parent, content.iter().copied());
        let carried = content.iter().filter(|word| page.carries(word) || answered.contains(**word)).count();
        #[expect(clippy::cast_precision_loss, reason = "a headline has few words")]
        Some(carried as f64 >= self.config.related_share * content.len() as f64)
    }
}

/// Share of what being foreign adds that an ordinary sentence does without.
const WEAK_SHARE: f64 = 0.3;
/// Approved comments by different authors that must be known where the page is not.
const MIN_SIBLINGS: u32 = 5;

fn is_first_person(word: &str) -> bool {
    matches!(word, "i" | "i'm" | "i've" | "i'd" | "i'll" | "me" | "my" | "mine" | "myself")
}

fn quote(candidate: &Candidate) -> String {
    let text = candidate.words.join(" ");
    let end = text.char_indices().nth(80).map_or(text.len(), |(at, _)| at);
    format!("\u{201c}{}{}\u{201d}", &text[..end], if end < text.len() { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::signal::testing::{Case, weight};

    const HEADLINE: &str = "Harbour Museum Opens Its Doors After Ten Years";

    fn elsewhere(articles: u32) -> Sightings {
        Sightings {
            comments: articles,
            under_other_articles: articles,
            articles,
            authors: articles,
            sites: 1,
            ..Sightings::default()
        }
    }

    fn of(body: &str, title: Option<&str>, past: &Sightings) -> f64 {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let case = match title {
            Some(title) => {
                Case::new(body).page(title, "The council voted on Tuesday about budgets for schools and streets")
            }
            None => Case::new(body),
        };
        let count = case.comment().trace.headlines.len();
        weight(&check, &case.past(|of| of.headlines = Known::Known(vec![past.clone(); count])))
    }

    #[test]
    fn headlines_of_other_stories_are_told_from_talk() {
        let schools = Some("Council approves budget for schools");
        let nothing = Sightings::default();
        let cases: &[(&str, f64, f64, f64)] = &[
            ("seen under another article holds", of(HEADLINE, schools, &elsewhere(1)), 2.9, 5.0),
            ("with a link, too", of(&format!("{HEADLINE} http://x.example/a"), schools, &elsewhere(1)), 2.9, 5.0),
            ("in lower case, as the whole comment", of(&HEADLINE.to_lowercase(), schools, &elsewhere(1)), 2.9, 5.0),
            ("the page is not known", of(HEADLINE, None, &elsewhere(1)), 2.9, 5.0),
            ("first time, without a link", of(HEADLINE, schools, &nothing), 0.8, 4.6),
            ("first time, with a link", of(&format!("{HEADLINE} http://x.example/a"), schools, &nothing), 1.3, 5.0),
            ("first time, page unknown", of(HEADLINE, None, &nothing), 0.0, 0.0),
            (
                "the page's own title",
                of("Council Approves Budget For Schools And Streets", schools, &elsewhere(5)),
                0.0,
                0.0,
            ),
            (
                "a sentence that came up once elsewhere",
                of(
                    "I was there last week and it rained. Nobody talks about buses in this town any more. It is sad, I think, that we never do.",
                    schools,
                    &elsewhere(1),
                ),
                0.0,
                0.0,
            ),
            ("talk", of("I think the budget is too small, honestly.", schools, &nothing), 0.0, 0.0),
        ];
        for (name, found, low, high) in cases {
            assert!((*low..=*high).contains(found), "{name}: {found}");
        }
    }

    #[test]
    fn quoting_excuses_only_what_stands_there_already() {
        let schools = Some("Council approves budget for schools");
        let quoted = format!("> {HEADLINE} http://x.example/a\nHas anybody been there yet?");
        let held_here = elsewhere(2);
        let approved_here = Sightings { approved_here: 1, ..elsewhere(2) };
        assert!(of(&quoted, schools, &held_here) > 2.9, "a sign in front hides nothing");
        assert!(of(&quoted, schools, &approved_here).abs() < 1e-9, "an answer to what readers see");
        assert!(of(HEADLINE, schools, &approved_here) > 2.9, "pasted again, not quoted");
    }

    #[test]
    fn answering_ones_own_paste_explains_nothing() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let of = |past: Sightings| {
            let case =
                Case::new(HEADLINE).page("Council approves budget", "The council voted on Tuesday about schools");
            weight(&check, &case.parent(&HEADLINE.to_lowercase()).past(|of| of.headlines = Known::Known(vec![past])))
        };
        assert!(of(elsewhere(2)) > 2.9, "seen under other articles");
        assert!(of(Sightings::default()).abs() < 1e-9, "the talk of this thread");
    }

    #[test]
    fn what_could_not_be_had_is_not_taken_for_missing() {
        let check = new(&Config::default(), &Resources::default()).expect("valid");
        let unavailable = Outcome::Unavailable { why: "away".to_owned() };
        let on_page = Case::new(HEADLINE).page("Council approves budget for schools", "The council voted on Tuesday");
        assert_eq!(Case::new(HEADLINE).page_away().outcome(&check), unavailable);
        assert_eq!(on_page.parent_away().outcome(&check), unavailable);
        assert_eq!(Case::new("+1").page_away().outcome(&check), Outcome::Clear, "no headline needs no page");
    }

    #[test]
    fn what_people_approved_counts_little() {
        let approved = Sightings { approved_by_person: 3, ..elsewhere(3) };
        assert!(of(HEADLINE, Some("Council approves budget for schools"), &approved) < 1.0);
    }
}
