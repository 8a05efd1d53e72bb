//! What several checks see in one comment, computed once and only when one of them asks.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashSet;

use aho_corasick::AhoCorasick;

use super::comment::Comment;
use super::normalise::{Link, words};
use super::phrases::{Kind, Phrases};
use super::signal::{Context, Span};
use super::trace::LinkTrace;

/// The views of one comment. A new one for each comment.
#[derive(Debug, Default)]
pub struct View {
    phrases: OnceCell<Phrases>,
    /// Which of the body's links lead elsewhere.
    links_out: OnceCell<Vec<usize>>,
}

impl Context<'_> {
    /// The phrases of the body. Quoted ones are left out when the comment that is answered holds them: who quotes a beggar does not beg, and who
    /// hides behind a `>` does.
    pub fn phrases(&self) -> &Phrases {
        self.view.phrases.get_or_init(|| own_phrases(self.comment, self.parent.get().copied().unwrap_or_default()))
    }

    /// How many different phrases of a kind the body holds.
    pub fn different(&self, kind: Kind) -> usize {
        self.phrases().different(kind, self.comment.body.folded.text())
    }

    /// Where the phrases of a kind stand, at most twenty.
    pub fn spans(&self, kind: Kind) -> Vec<Span> {
        let folded = &self.comment.body.folded;
        let found = self.phrases().of_kind(kind).take(20);
        found.map(|found| Span::body(folded.original(found.at.clone()))).collect()
    }

    /// The phrases of a kind as a list for a moderator, at most three.
    pub fn named(&self, kind: Kind) -> String {
        let text = self.comment.body.folded.text();
        let mut named: Vec<String> = Vec::new();
        for found in self.phrases().of_kind(kind) {
            let name = format!("`{}`", &text[found.at.clone()]);
            if !named.contains(&name) {
                named.push(name);
            }
            if named.len() == 3 {
                break;
            }
        }
        named.join(", ")
    }

    /// Whether a host lies on the page's own domain.
    pub fn is_own(&self, domain: &str) -> bool {
        let own = self.page.get().and_then(|page| page.host.as_deref());
        own.is_some_and(|host| super::normalise::registrable(host) == domain)
    }

    /// The links of the body that lead elsewhere. Quoted ones are left out when readers can see them where they are quoted from: approved under the same
    /// article, or in the comment that is answered.
    pub fn links_out(&self) -> impl Iterator<Item = &Link> {
        let links = &self.comment.body.links;
        let found = self.view.links_out.get_or_init(|| {
            let quoted = |link: &&Link| self.comment.body.touches_quote(&link.span);
            let hosts = links.iter().filter(quoted).map(|link| link.host.as_str());
            let answered = standing_in(self.parent.get().copied().unwrap_or_default(), hosts);
            let leads_out = |at: &usize| !self.is_own(&links[*at].domain) && !self.only_quotes(&links[*at], &answered);
            (0..links.len()).filter(leads_out).collect()
        });
        found.iter().map(|at| &links[*at])
    }

    /// The folded body without the quoted words that the comment which is answered holds too.
    pub fn own_text(&self) -> Cow<'_, str> {
        let body = &self.comment.body;
        let (text, parent) = (body.folded.text(), self.parent.get().copied().unwrap_or_default());
        if body.quotes.is_empty() || parent.is_empty() {
            return Cow::Borrowed(text);
        }
        let said: HashSet<&str> =
            words(parent).iter().map(|word| &parent[word.start as usize..word.end as usize]).collect();
        let (mut own, mut at) = (String::with_capacity(text.len()), 0);
        for word in body.words.iter().map(|word| word.start as usize..word.end as usize) {
            if said.contains(&text[word.clone()]) && body.is_quoted(&body.folded.original(word.clone())) {
                own.push_str(&text[at..word.start]);
                at = word.end;
            }
        }
        own.push_str(&text[at..]);
        Cow::Owned(own)
    }

    /// Whether a link is one of others' that is quoted; `answered` are the hosts that the comment which is answered names.
    fn only_quotes(&self, link: &Link, answered: &HashSet<&str>) -> bool {
        let body = &self.comment.body;
        if !body.touches_quote(&link.span) {
            return false;
        }
        let trace = LinkTrace::of(link);
        let past = self.past.links.get().into_iter().flatten();
        let seen = self.comment.trace.links.iter().zip(past).find(|(seen, _)| **seen == trace);
        seen.is_some_and(|(_, past)| past.url.approved_here > 0) || answered.contains(link.host.as_str())
    }
}

/// Bytes up to which a text is looked through for one thing after the other.
const SHORT: usize = 32_768;

/// Which of `sought` stand anywhere in `text`. Both are strangers': five hundred hosts, or a thousand phrases, and a text of any length that is
/// allowed. So a long text is looked through once for all of them.
pub fn standing_in<'a>(text: &str, sought: impl Iterator<Item = &'a str>) -> HashSet<&'a str> {
    let mut sought: Vec<&str> = sought.collect();
    sought.sort_unstable();
    sought.dedup();
    let one_by_one = sought.len().saturating_mul(text.len()) <= SHORT;
    let Some(all) = (!one_by_one).then(|| AhoCorasick::new(&sought).ok()).flatten() else {
        return sought.into_iter().filter(|one| text.contains(one)).collect();
    };
    all.find_overlapping_iter(text).map(|hit| sought[hit.pattern().as_usize()]).collect()
}

fn own_phrases(comment: &Comment, parent: &str) -> Phrases {
    let body = &comment.body;
    let text = body.folded.text();
    let mut phrases = Phrases::of(text);
    if !body.quotes.is_empty() && !parent.is_empty() {
        let is_quoted = |at: &std::ops::Range<usize>| body.is_quoted(&body.folded.original(at.clone()));
        let quoted = phrases.all().filter(|found| is_quoted(&found.at)).map(|found| &text[found.at.clone()]);
        let answered = standing_in(parent, quoted);
        phrases.retain(|at| !(answered.contains(&text[at.clone()]) && is_quoted(at)));
    }
    phrases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_looked_through_as_a_short_one() {
        let text = format!("{} no casino at x1.example ", "what about the bus lines ".repeat(3_000));
        let sought = ["bus", "us", "casino", "asino at", "x1.example", "x2.example", "x1.example", "tram"];
        let found = standing_in(&text, sought.into_iter());
        let expected: HashSet<&str> = sought.into_iter().filter(|one| text.contains(one)).collect();
        assert_eq!((found.len(), found), (5, expected));
        assert_eq!(standing_in("a bus", sought.into_iter()), HashSet::from(["bus", "us"]));
        assert_eq!(standing_in("", sought.into_iter()), HashSet::new());
    }
}
