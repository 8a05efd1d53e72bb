//! How a comment carries what might be the mark of a campaign: what stands on the page, and what quotes what readers see there, is none.

use serde::{Deserialize, Serialize};

use crate::domain::comment::Comment;
use crate::domain::headline::{Candidate, Strength, is_common};
use crate::domain::normalise::registrable;
use crate::domain::relevance::Page;
use crate::domain::short::is_everyday;
use crate::domain::trace::{LinkTrace, own_words, text_is_everyday, text_is_quoted};

/// How a comment carries something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stance {
    /// In the author's own words.
    Says,
    /// Quoted (`>`, `<blockquote>`): no mark of a campaign where it stands approved under the same article.
    Quotes,
    /// Few words that people write under anything: no campaign is recognised by them.
    Everyday,
    /// It stands on the page itself, or leads there: never a mark of a campaign.
    OnPage,
}

/// Stances for whoever turns out to need them.
pub type LazyStances<'a> = dyn Fn() -> Stances + Send + Sync + 'a;

/// How a comment carries what its trace says, in the trace's order.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stances {
    /// The text; as the author's own words where nothing is said.
    pub text: Option<Stance>,
    /// The links.
    pub links: Vec<Stance>,
    /// The headlines.
    pub headlines: Vec<Stance>,
    /// The short text; as the author's own words where nothing is said.
    pub short: Option<Stance>,
}

impl Stances {
    /// Looks at a comment and the page that it stands under, as far as that is known.
    #[must_use]
    pub fn of(comment: &Comment, page: Option<&Page>) -> Self {
        let (body, trace) = (&comment.body, &comment.trace);
        let own = page.and_then(|page| page.host.as_deref()).map(|host| LinkTrace::of_host(registrable(host)).domain);
        let written: Vec<LinkTrace> = body.links.iter().map(LinkTrace::of).collect();
        let link = |link: &LinkTrace| {
            if Some(link.domain) == own {
                return Stance::OnPage;
            }
            let mut written = body.links.iter().zip(&written).filter(|(_, trace)| *trace == link);
            if written.all(|(written, _)| body.is_quoted(&written.span)) { Stance::Quotes } else { Stance::Says }
        };
        let text = if trace.text.is_some() && text_is_everyday(body) {
            Stance::Everyday
        } else if text_is_quoted(body) {
            Stance::Quotes
        } else if trace.text.is_some() && stands_on(page, body.words()) {
            Stance::OnPage
        } else {
            Stance::Says
        };
        let headline = |candidate: &Candidate| {
            let words = || candidate.words.iter().map(String::as_str);
            // Stories of countries and wars have few other words; what is written like a title is none of everybody's.
            let may_be_said = candidate.strength == Strength::Weak || text == Stance::Everyday;
            if stands_on(page, words()) {
                Stance::OnPage
            } else if may_be_said && is_everyday(&words().collect::<Vec<_>>()) {
                Stance::Everyday
            } else if body.is_quoted(&candidate.span) {
                Stance::Quotes
            } else {
                Stance::Says
            }
        };
        let own = own_words(body);
        let short = if own.is_empty() && !body.quotes.is_empty() {
            Stance::Quotes
        } else if trace.short.is_some() && stands_on(page, own.into_iter()) {
            Stance::OnPage
        } else {
            Stance::Says
        };
        Self {
            text: Some(text),
            links: trace.links.iter().map(link).collect(),
            headlines: comment.headlines.iter().take(trace.headlines.len()).map(headline).collect(),
            short: Some(short),
        }
    }
}

/// Whether nearly all content words of a text stand on the page: then it was taken from there, or talks of nothing else.
fn stands_on<'a>(page: Option<&Page>, words: impl Iterator<Item = &'a str>) -> bool {
    let Some(page) = page.filter(|page| page.can_compare()) else { return false };
    let (mut all, mut carried) = (0_u32, 0_u32);
    for word in words.filter(|word| !is_common(word)) {
        all += 1;
        carried += u32::from(page.carries(word));
    }
    all >= 3 && carried * 10 >= all * 9
}
