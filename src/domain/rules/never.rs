//! Rules that can be true of nothing: what says two things of one fact that cannot both be so, or something of a fact that it never is.
//!
//! Found cheaply and never wrongly: a rule that is refused here is false, or missing, on every comment. One that is not refused may be so too.

use std::collections::{BTreeSet, HashMap};

use super::eval::{Compare, Const, Each, Node, Turn};
use super::facts::Key;
use super::facts::links::LINK_FACTS;
use super::facts::table::FACTS;
use super::types::{Limits, as_double};

/// Why it can never be true, as a clause; `None` where that cannot be said.
pub(super) fn why(node: &Node, keys: &[Key]) -> Option<String> {
    match node {
        Node::Const(Const::Bool(false)) => Some("it is false whatever the comment is".to_owned()),
        Node::Or(parts) => {
            let mut all = parts.iter().map(|part| why(part, keys));
            let first = all.next()??;
            all.all(|why| why.is_some()).then_some(first)
        }
        Node::And(parts) => parts.iter().find_map(|part| why(part, keys)).or_else(|| contradiction(parts, keys)),
        Node::Each(Each::Any | Each::One, both) => match &both[0] {
            Node::Const(Const::List(items)) if items.is_empty() => Some("the list is empty".to_owned()),
            _ => why(&both[1], keys),
        },
        Node::If(parts) => {
            let [condition, yes, no] = &**parts;
            match (why(condition, keys), why(yes, keys), why(no, keys)) {
                (Some(_), _, Some(why)) | (_, Some(why), Some(_)) => Some(why),
                _ => None,
            }
        }
        single => contradiction(std::slice::from_ref(single), keys),
    }
}

/// What is asked of one fact.
struct Asked {
    low: f64,
    high: f64,
    /// Whether it must be a whole number.
    whole: bool,
    texts: Option<BTreeSet<Box<str>>>,
    not: BTreeSet<Box<str>>,
    truth: Option<bool>,
    /// Whether it must be both true and false.
    clashes: bool,
}

impl Asked {
    fn of(node: &Node, keys: &[Key]) -> Self {
        let (limits, whole) = limits(node, keys);
        let (low, high) = match (limits, node) {
            (_, Node::Turn(Turn::Hours, _)) => (0.0, 23.0),
            (_, Node::Turn(Turn::DayOfWeek, _)) => (0.0, 6.0),
            (Limits::Count, _) => (0.0, f64::INFINITY),
            (Limits::Probability, _) => (0.0, 1.0),
            _ => (f64::NEG_INFINITY, f64::INFINITY),
        };
        let texts = if let Limits::OneOf(texts) = limits {
            Some(texts.iter().map(|text| Box::from(*text)).collect())
        } else {
            None
        };
        Self { low, high, whole, texts, not: BTreeSet::new(), truth: None, clashes: false }
    }

    fn number(&mut self, how: Compare, value: f64) {
        let (above, below) =
            if self.whole { (value.floor() + 1.0, value.ceil() - 1.0) } else { (value.next_up(), value.next_down()) };
        match how {
            Compare::More => self.low = self.low.max(above),
            Compare::AtLeast => self.low = self.low.max(value),
            Compare::Less => self.high = self.high.min(below),
            Compare::AtMost => self.high = self.high.min(value),
            Compare::Equal => (self.low, self.high) = (self.low.max(value), self.high.min(value)),
            Compare::Unequal => {}
        }
    }

    fn one_of(&mut self, texts: BTreeSet<Box<str>>) {
        self.texts = Some(match self.texts.take() {
            Some(earlier) => earlier.intersection(&texts).cloned().collect(),
            None => texts,
        });
    }

    fn truth(&mut self, truth: bool) {
        let earlier = self.truth.replace(truth);
        self.clashes |= earlier.is_some_and(|earlier| earlier != truth);
    }

    fn is_possible(&self) -> bool {
        let no_text = self.texts.as_ref().is_some_and(|texts| texts.iter().all(|text| self.not.contains(text)));
        let no_whole = self.whole && self.low.is_finite() && self.low.ceil() > self.high;
        self.low <= self.high && !no_text && !no_whole && !self.clashes
    }
}

/// What is asked of the facts in what must all be true.
fn contradiction(parts: &[Node], keys: &[Key]) -> Option<String> {
    let mut asked: HashMap<String, Asked> = HashMap::new();
    for part in parts {
        let (of, negated) = if let Node::Not(inner) = part { (&**inner, true) } else { (part, false) };
        let mut of_fact = |node: &Node, say: &dyn Fn(&mut Asked)| {
            let fact = asked.entry(format!("{node:?}")).or_insert_with(|| Asked::of(node, keys));
            say(fact);
            (!fact.is_possible()).then(|| format!("{} is never so", name_of(node, keys)))
        };
        let found = match of {
            Node::Compare(how, both) => {
                let [left, right] = &**both;
                let (node, how, value) = match (left, right) {
                    (Node::Const(_), Node::Const(_)) => continue,
                    (node, Node::Const(value)) => (node, *how, value),
                    (Node::Const(value), node) => (node, turned(*how), value),
                    _ => continue,
                };
                let how = if negated { opposite(how) } else { how };
                match (value, how) {
                    (Const::Int(value), how) => of_fact(node, &|fact| fact.number(how, as_double(*value))),
                    (Const::Double(value), how) => of_fact(node, &|fact| fact.number(how, *value)),
                    (Const::Text(text), Compare::Equal) => {
                        of_fact(node, &|fact| fact.one_of(BTreeSet::from([text.clone()])))
                    }
                    (Const::Text(text), Compare::Unequal) => of_fact(node, &|fact| fact.not.extend([text.clone()])),
                    (Const::Bool(value), Compare::Equal) => of_fact(node, &|fact| fact.truth(*value)),
                    (Const::Bool(value), Compare::Unequal) => of_fact(node, &|fact| fact.truth(!*value)),
                    _ => None,
                }
            }
            Node::InSet(node, set) if negated => of_fact(node, &|fact| fact.not.extend(set.iter().cloned())),
            Node::InSet(node, set) => of_fact(node, &|fact| fact.one_of(set.iter().cloned().collect())),
            Node::Const(_) => None,
            // Anything else that is a bool: not both ways.
            node => of_fact(node, &|fact| fact.truth(!negated)),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// What a fact may be, and whether it is a whole number.
fn limits(node: &Node, keys: &[Key]) -> (Limits, bool) {
    match node {
        Node::Fact(number) => match keys.get(*number as usize) {
            Some(Key::Fact(fact)) => {
                let fact = &FACTS[*fact as usize];
                (fact.limits, fact.limits == Limits::Count)
            }
            _ => (Limits::None, false),
        },
        Node::LinkFact(_, fact) => {
            let limits = LINK_FACTS[*fact as usize].limits;
            (limits, limits == Limits::Count)
        }
        Node::Turn(Turn::Size | Turn::Hours | Turn::DayOfWeek, _) => (Limits::Count, true),
        _ => (Limits::None, false),
    }
}

/// What it is called where it has a name.
fn name_of(node: &Node, keys: &[Key]) -> String {
    let named = match node {
        Node::Fact(number) => match keys.get(*number as usize) {
            Some(Key::Fact(fact)) => Some(FACTS[*fact as usize].path),
            _ => None,
        },
        Node::LinkFact(_, fact) => Some(LINK_FACTS[*fact as usize].name),
        Node::Turn(Turn::Size, _) => Some("a size"),
        Node::Turn(Turn::Hours, _) => Some("getHours()"),
        Node::Turn(Turn::DayOfWeek, _) => Some("getDayOfWeek()"),
        _ => None,
    };
    named.map_or_else(|| "what it asks of one thing".to_owned(), |name| format!("`{name}`"))
}

const fn turned(how: Compare) -> Compare {
    match how {
        Compare::Less => Compare::More,
        Compare::AtMost => Compare::AtLeast,
        Compare::More => Compare::Less,
        Compare::AtLeast => Compare::AtMost,
        same => same,
    }
}

const fn opposite(how: Compare) -> Compare {
    match how {
        Compare::Equal => Compare::Unequal,
        Compare::Unequal => Compare::Equal,
        Compare::Less => Compare::AtLeast,
        Compare::AtMost => Compare::More,
        Compare::More => Compare::AtMost,
        Compare::AtLeast => Compare::Less,
    }
}
