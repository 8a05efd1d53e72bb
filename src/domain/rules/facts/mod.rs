//! What rules may name, and what it is of one comment: [`table`] has what every comment has, [`links`] what each of its links has, [`hits`] what
//! it holds of operators' lists.
//!
//! A fact is looked up when the first rule asks for it, and once for all rules. What the site did not send, or what could not be had, is
//! [`Missing`]: a rule that hangs on it says so, and never "no".

mod given;
mod hits;
pub(super) mod links;
pub(super) mod table;

use std::cell::OnceCell;
use std::rc::Rc;

use self::given::links_kept;
use self::hits::Hits;
use self::links::LINK_FACTS;
use self::table::FACTS;
use super::lists::{Lists, too_many_places};
use super::types::{Missing, Type, Value};
use crate::domain::category::{Category, PerCategory};
use crate::domain::model::ModelOutput;
use crate::domain::normalise::Link;
use crate::domain::policy::{Circumstances, Policy};
use crate::domain::scores::Score;
use crate::domain::signal::{Context, Evaluated, LIST, Outcome};

/// What became of asking for a fact.
pub(super) type Got<'a> = Result<Value<'a>, Missing>;

/// One comment, as rules see it: after every check and the model, before policy.
#[derive(Debug)]
pub struct Subject<'a> {
    /// What the checks saw.
    pub context: &'a Context<'a>,
    /// The site's name.
    pub site: &'a str,
    /// What the checks found.
    pub signals: &'a [Evaluated],
    /// What the model said.
    pub model: &'a ModelOutput,
    /// What would decide without rules.
    pub policy: &'a Policy,
    /// What that needs to know.
    pub about: &'a Circumstances<'a>,
    scores: OnceCell<PerCategory<Score>>,
}

impl<'a> Subject<'a> {
    /// Of a comment that everything but rules has looked at.
    #[must_use]
    pub fn new(
        context: &'a Context<'a>,
        site: &'a str,
        signals: &'a [Evaluated],
        model: &'a ModelOutput,
        policy: &'a Policy,
        about: &'a Circumstances<'a>,
    ) -> Self {
        Self { context, site, signals, model, policy, about, scores: OnceCell::new() }
    }

    fn score(&self, category: Category) -> f64 {
        self.scores.get_or_init(|| self.policy.scores(self.signals, self.model, self.about))[category].get()
    }

    fn links(&self) -> &'a [Link] {
        &self.context.comment.body.links
    }
}

/// What a rule named, made once for all rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// One of [`FACTS`].
    Fact(u16),
    /// Whether a signal hit, by its place in the list of signals.
    Hit(u16),
    /// What a signal that hit weighs.
    Weight(u16),
    /// The entries of a list that the comment holds.
    List(u16),
    /// Whether the comment's text holds an entry of a list.
    InText(u16),
}

/// What rules asked of one comment so far.
pub(super) struct Facts<'a> {
    pub subject: &'a Subject<'a>,
    pub lists: &'a Lists,
    keys: &'a [Key],
    slots: Vec<OnceCell<Got<'a>>>,
    hits: Vec<OnceCell<Rc<Hits<'a>>>>,
}

impl<'a> Facts<'a> {
    pub(super) fn new(subject: &'a Subject<'a>, lists: &'a Lists, keys: &'a [Key]) -> Self {
        let slots = keys.iter().map(|_| OnceCell::new()).collect();
        let hits = lists.all().iter().map(|_| OnceCell::new()).collect();
        Self { subject, lists, keys, slots, hits }
    }

    /// The fact of that number.
    pub(super) fn get(&self, number: u32) -> Got<'a> {
        let at = number as usize;
        match (self.slots.get(at), self.keys.get(at)) {
            (Some(slot), Some(key)) => slot.get_or_init(|| self.ask(*key)).clone(),
            _ => Err(Missing::NotApplicable),
        }
    }

    /// What a link has.
    pub(super) fn of_link(&self, link: u32, fact: u8) -> Got<'a> {
        match (self.subject.links().get(link as usize), LINK_FACTS.get(fact as usize)) {
            (Some(link), Some(fact)) => (fact.get)(self.subject, link),
            _ => Err(Missing::NotApplicable),
        }
    }

    fn ask(&self, key: Key) -> Got<'a> {
        match key {
            Key::Fact(number) => {
                FACTS.get(number as usize).map_or(Err(Missing::NotApplicable), |it| (it.get)(self.subject))
            }
            Key::Hit(number) => Ok(Value::Bool(self.signal(number)?.is_some())),
            Key::Weight(number) => Ok(Value::Double(self.signal(number)?.unwrap_or(0.0))),
            Key::List(number) => {
                let hits = self.hits(number);
                if hits.is_cut { Err(too_many_places()) } else { Ok(hits.as_list()) }
            }
            Key::InText(number) => {
                let hits = self.hits(number);
                if hits.is_cut && !hits.in_text { Err(too_many_places()) } else { Ok(Value::Bool(hits.in_text)) }
            }
        }
    }

    /// What a signal weighs, if it hit.
    fn signal(&self, number: u16) -> Result<Option<f64>, Missing> {
        let id = LIST.get(number as usize).map_or("", |meta| meta.id);
        let found = self.subject.signals.iter().find(|signal| signal.id == id);
        match found.map(|signal| &signal.outcome) {
            Some(Outcome::Hit { weight, .. }) => Ok(Some(weight.get())),
            Some(Outcome::Clear) => Ok(None),
            Some(Outcome::Unavailable { why }) => Err(Missing::Unavailable(Rc::from(why.as_str()))),
            Some(Outcome::NotApplicable) | None => Err(Missing::NotApplicable),
        }
    }

    /// What there is of a list of which not everything was looked at: enough to say that something is on it, never that it is not.
    pub(super) fn so_far(&self, number: u32) -> Option<Value<'a>> {
        match self.keys.get(number as usize)? {
            Key::List(list) => Some(self.hits(*list).as_list()),
            Key::Fact(fact) if FACTS.get(*fact as usize)?.ty == Type::Links => Some(links_kept(self.subject)),
            _ => None,
        }
    }

    /// Where the comment holds entries of a list.
    pub(super) fn hits(&self, number: u16) -> Rc<Hits<'a>> {
        let Some(slot) = self.hits.get(number as usize) else { return Rc::default() };
        Rc::clone(slot.get_or_init(|| {
            let list = self.lists.all().get(number as usize);
            Rc::new(list.map_or_else(Hits::default, |list| Hits::of(list, self.subject.context.comment)))
        }))
    }
}
