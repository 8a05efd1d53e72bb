//! Working out what a rule says of one comment.
//!
//! A rule is a tree that was checked when the settings were read: its types fit, its lists and texts are bounded, and so is how many steps it
//! takes ([`super::compile`]). So nothing here loops over anything but lists, and nothing recurses deeper than the tree is.
//!
//! What is missing behaves as the language has errors: `a || b` is true when one of them is, whatever the other lacks.

use std::collections::HashSet;
use std::rc::Rc;

use regex::Regex;

use super::facts::Facts;
use super::types::{Missing, Text, Value, as_double};

/// A value that stands in a rule.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Const {
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Box<str>),
    Time(i64),
    Span(i64),
    List(Box<[Const]>),
}

impl Const {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Double(value) => Value::Double(*value),
            Self::Text(text) => Value::Text(Text::Borrowed(text)),
            Self::Time(at) => Value::Time(*at),
            Self::Span(span) => Value::Span(*span),
            Self::List(items) => Value::List(items.iter().map(Self::value).collect()),
        }
    }

    /// The same of a value that does not hang on a comment; `None` for links.
    pub(super) fn of(value: &Value<'_>) -> Option<Self> {
        Some(match value {
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Int(*value),
            Value::Double(value) => Self::Double(*value),
            Value::Text(text) => Self::Text(text.as_str().into()),
            Value::Time(at) => Self::Time(*at),
            Value::Span(span) => Self::Span(*span),
            Value::List(items) => Self::List(items.iter().map(Self::of).collect::<Option<_>>()?),
            Value::Link(_) => return None,
        })
    }
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// What is worked out of two values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sum {
    Add,
    Subtract,
    Multiply,
    Divide,
    Rest,
}

/// What one text is to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Contains,
    Starts,
    Ends,
}

/// What is made of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Each {
    Any,
    All,
    One,
    Filter,
    Map,
}

/// What one value becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Size,
    Lower,
    ToInt,
    ToDouble,
    Hours,
    DayOfWeek,
}

/// A checked expression.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Const(Const),
    Fact(u32),
    /// What stands for an item of a list, by how deep it is declared.
    Item(u8),
    LinkFact(Box<Node>, u8),
    /// Whether there is a value.
    Has(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    If(Box<[Node; 3]>),
    Compare(Compare, Box<[Node; 2]>),
    Sum(Sum, Box<[Node; 2]>),
    Negative(Box<Node>),
    In(Box<[Node; 2]>),
    InSet(Box<Node>, HashSet<Box<str>>),
    Part(Part, Box<[Node; 2]>),
    Matches(Box<Node>, Regex),
    Listed(Box<Node>, u16),
    Turn(Turn, Box<Node>),
    List(Vec<Node>),
    /// A list, what is asked of each item, and what is made of those of which it is true.
    Each(Each, Box<[Node; 2]>),
}

/// One rule on its way over one comment.
pub(super) struct Run<'f, 'a> {
    facts: Option<&'f Facts<'a>>,
    items: Vec<Value<'a>>,
}

type Result<T> = std::result::Result<T, Missing>;

impl<'f, 'a> Run<'f, 'a> {
    pub(super) const fn new(facts: &'f Facts<'a>) -> Self {
        Self { facts: Some(facts), items: Vec::new() }
    }

    /// For what does not hang on a comment.
    pub(super) const fn without_comment() -> Self {
        Self { facts: None, items: Vec::new() }
    }

    /// Whether it is so.
    pub(super) fn truth(&mut self, node: &'a Node) -> Result<bool> {
        match node {
            Node::Const(Const::Bool(value)) => Ok(*value),
            Node::And(parts) => self.first(parts, false),
            Node::Or(parts) => self.first(parts, true),
            Node::Not(part) => Ok(!self.truth(part)?),
            Node::Has(part) => match self.value(part) {
                Ok(_) => Ok(true),
                Err(Missing::NotApplicable) => Ok(false),
                Err(failed) => Err(failed),
            },
            Node::Compare(how, both) => {
                let (left, right) = (self.value(&both[0])?, self.value(&both[1])?);
                Ok(match how {
                    Compare::Equal => left == right,
                    Compare::Unequal => left != right,
                    Compare::Less => left.order(&right).is_some_and(std::cmp::Ordering::is_lt),
                    Compare::AtMost => left.order(&right).is_some_and(std::cmp::Ordering::is_le),
                    Compare::More => left.order(&right).is_some_and(std::cmp::Ordering::is_gt),
                    Compare::AtLeast => left.order(&right).is_some_and(std::cmp::Ordering::is_ge),
                })
            }
            Node::InSet(part, set) => {
                let value = self.value(part)?;
                Ok(text(&value).is_some_and(|text| set.contains(text)))
            }
            Node::In(both) => {
                let (item, (list, missing)) = (self.value(&both[0])?, self.list(&both[1])?);
                if list_of(&list).contains(&item) { Ok(true) } else { missing.map_or(Ok(false), Err) }
            }
            Node::Part(how, both) => {
                let (whole, part) = (self.value(&both[0])?, self.value(&both[1])?);
                let (Some(whole), Some(part)) = (text(&whole), text(&part)) else { return Ok(false) };
                Ok(match how {
                    Part::Contains => whole.contains(part),
                    Part::Starts => whole.starts_with(part),
                    Part::Ends => whole.ends_with(part),
                })
            }
            Node::Matches(part, regex) => {
                let value = self.value(part)?;
                Ok(text(&value).is_some_and(|text| regex.is_match(text)))
            }
            Node::Listed(part, list) => {
                let value = self.value(part)?;
                let lists = self.facts.map(|facts| facts.lists);
                match (lists, text(&value)) {
                    (Some(lists), Some(text)) => lists.holds(*list, text),
                    _ => Ok(false),
                }
            }
            Node::Each(how @ (Each::Any | Each::All | Each::One), both) => self.ask_each(*how, both),
            Node::If(_)
            | Node::Const(_)
            | Node::Fact(_)
            | Node::Item(_)
            | Node::LinkFact(..)
            | Node::Sum(..)
            | Node::Negative(_)
            | Node::Turn(..)
            | Node::List(_)
            | Node::Each(..) => Ok(matches!(self.value(node)?, Value::Bool(true))),
        }
    }

    /// `decides` when one of the parts is that; missing when one is missing and none decides.
    fn first(&mut self, parts: &'a [Node], decides: bool) -> Result<bool> {
        let mut missing: Option<Missing> = None;
        for part in parts {
            match self.truth(part) {
                Ok(value) if value == decides => return Ok(decides),
                Ok(_) => {}
                Err(why) => missing = Some(missing.map_or(why.clone(), |earlier| earlier.and(why))),
            }
        }
        missing.map_or(Ok(!decides), Err)
    }

    /// A list, and why there may be more on it than could be looked at.
    fn list(&mut self, node: &'a Node) -> Result<(Value<'a>, Option<Missing>)> {
        match (self.value(node), node, self.facts) {
            (Err(why @ Missing::Unavailable(_)), Node::Fact(number), Some(facts)) => match facts.so_far(*number) {
                Some(list) => Ok((list, Some(why))),
                None => Err(why),
            },
            (list, ..) => list.map(|list| (list, None)),
        }
    }

    fn ask_each(&mut self, how: Each, both: &'a [Node; 2]) -> Result<bool> {
        let (list, mut missing) = self.list(&both[0])?;
        let mut found = 0_u32;
        for item in list_of(&list) {
            self.items.push(item.clone());
            let truth = self.truth(&both[1]);
            self.items.pop();
            match (truth, how) {
                (Ok(true), Each::Any) => return Ok(true),
                (Ok(false), Each::All) => return Ok(false),
                (Ok(value), _) => found += u32::from(value),
                (Err(why), Each::One) => return Err(why),
                (Err(why), _) => missing = Some(missing.map_or(why.clone(), |earlier| earlier.and(why))),
            }
        }
        match (missing, how) {
            (Some(why), _) => Err(why),
            (None, Each::One) => Ok(found == 1),
            (None, how) => Ok(how == Each::All),
        }
    }

    /// What it comes to.
    pub(super) fn value(&mut self, node: &'a Node) -> Result<Value<'a>> {
        match node {
            Node::Const(value) => Ok(value.value()),
            Node::Fact(number) => self.facts.map_or(Err(Missing::NotApplicable), |facts| facts.get(*number)),
            Node::Item(depth) => self.items.get(*depth as usize).cloned().ok_or(Missing::NotApplicable),
            Node::LinkFact(link, fact) => match (self.value(link)?, self.facts) {
                (Value::Link(number), Some(facts)) => facts.of_link(number, *fact),
                _ => Err(Missing::NotApplicable),
            },
            Node::If(parts) => {
                let branch = if self.truth(&parts[0])? { &parts[1] } else { &parts[2] };
                self.value(branch)
            }
            Node::Sum(how, both) => {
                let (left, right) = (self.value(&both[0])?, self.value(&both[1])?);
                sum(*how, &left, &right)
            }
            Node::Negative(part) => match self.value(part)? {
                Value::Int(value) => value.checked_neg().map(Value::Int).ok_or_else(too_large),
                Value::Span(value) => value.checked_neg().map(Value::Span).ok_or_else(too_large),
                Value::Double(value) => Ok(Value::Double(-value)),
                other => Ok(other),
            },
            Node::Turn(how, part) => {
                let value = self.value(part)?;
                turn(*how, &value)
            }
            Node::List(items) => {
                let items: Result<Rc<[Value<'a>]>> = items.iter().map(|item| self.value(item)).collect();
                items.map(Value::List)
            }
            Node::Each(how @ (Each::Filter | Each::Map), both) => {
                let list = self.value(&both[0])?;
                let mut kept = Vec::new();
                for item in list_of(&list) {
                    self.items.push(item.clone());
                    let made = match how {
                        Each::Filter => self.truth(&both[1]).map(|keep| keep.then(|| item.clone())),
                        _ => self.value(&both[1]).map(Some),
                    };
                    self.items.pop();
                    kept.extend(made?);
                }
                Ok(Value::List(kept.into()))
            }
            Node::Has(_)
            | Node::And(_)
            | Node::Or(_)
            | Node::Not(_)
            | Node::Compare(..)
            | Node::In(_)
            | Node::InSet(..)
            | Node::Part(..)
            | Node::Matches(..)
            | Node::Listed(..)
            | Node::Each(..) => self.truth(node).map(Value::Bool),
        }
    }
}

fn text<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    match value {
        Value::Text(text) => Some(text.as_str()),
        _ => None,
    }
}

fn list_of<'v, 'a>(value: &'v Value<'a>) -> &'v [Value<'a>] {
    match value {
        Value::List(items) => items,
        _ => &[],
    }
}

fn too_large() -> Missing {
    Missing::failed("a number became too large")
}

fn sum<'a>(how: Sum, left: &Value<'a>, right: &Value<'a>) -> Result<Value<'a>> {
    let by_zero = || Missing::failed("a division by zero");
    let whole = |a: i64, b: i64| {
        match how {
            Sum::Add => a.checked_add(b),
            Sum::Subtract => a.checked_sub(b),
            Sum::Multiply => a.checked_mul(b),
            Sum::Divide | Sum::Rest if b == 0 => return Err(by_zero()),
            Sum::Divide => a.checked_div(b),
            Sum::Rest => a.checked_rem(b),
        }
        .ok_or_else(too_large)
    };
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => whole(*a, *b).map(Value::Int),
        (Value::Double(a), Value::Double(b)) => Ok(Value::Double(match how {
            Sum::Add => a + b,
            Sum::Subtract => a - b,
            Sum::Multiply => a * b,
            Sum::Divide => a / b,
            Sum::Rest => a % b,
        })),
        (Value::Time(a), Value::Span(b)) | (Value::Span(b), Value::Time(a)) => whole(*a, *b).map(Value::Time),
        (Value::Time(a), Value::Time(b)) | (Value::Span(a), Value::Span(b)) => whole(*a, *b).map(Value::Span),
        (Value::Text(a), Value::Text(b)) => Ok(Value::Text(Text::Shared(Rc::from([a.as_str(), b.as_str()].concat())))),
        (Value::List(a), Value::List(b)) => Ok(Value::List(a.iter().chain(b.iter()).cloned().collect())),
        _ => Err(Missing::failed("a sum of things that have none")),
    }
}

const DAY_MS: i64 = 86_400_000;

fn turn<'a>(how: Turn, value: &Value<'a>) -> Result<Value<'a>> {
    let count = |count: usize| Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)));
    match (how, value) {
        (Turn::Size, Value::Text(text)) => count(text.as_str().chars().count()),
        (Turn::Size, Value::List(items)) => count(items.len()),
        (Turn::Lower, Value::Text(text)) => Ok(Value::Text(Text::Shared(Rc::from(text.as_str().to_ascii_lowercase())))),
        (Turn::ToInt, Value::Double(value)) => to_int(*value),
        (Turn::ToDouble, Value::Int(value)) => Ok(Value::Double(as_double(*value))),
        (Turn::Hours, Value::Time(at)) => Ok(Value::Int(at.rem_euclid(DAY_MS) / 3_600_000)),
        // 1970-01-01 was a Thursday; Sunday is 0.
        (Turn::DayOfWeek, Value::Time(at)) => Ok(Value::Int((at.div_euclid(DAY_MS) + 4).rem_euclid(7))),
        (_, other) => Ok(other.clone()),
    }
}

fn to_int<'a>(value: f64) -> Result<Value<'a>> {
    const MOST: f64 = 9_007_199_254_740_992.0; // 2^53: above it a double is no count of anything
    if value.abs() > MOST || !value.is_finite() {
        return Err(too_large());
    }
    #[expect(clippy::cast_possible_truncation, reason = "its fraction is what is dropped, and it is small enough")]
    Ok(Value::Int(value.trunc() as i64))
}
