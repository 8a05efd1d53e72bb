//! What rules work with: types that are known before a comment comes, and values that are there when it does.

use std::rc::Rc;

/// What an expression is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    Int,
    Double,
    Text,
    Time,
    Span,
    Link,
    Texts,
    Links,
    Ints,
    Doubles,
    /// An empty list, which is a list of anything.
    Nothings,
}

impl Type {
    /// What is in a list of it; `None` for what is no list.
    pub(super) const fn item(self) -> Option<Self> {
        match self {
            Self::Texts | Self::Nothings => Some(Self::Text),
            Self::Links => Some(Self::Link),
            Self::Ints => Some(Self::Int),
            Self::Doubles => Some(Self::Double),
            _ => None,
        }
    }

    /// A list of it, where there are such lists.
    pub(super) const fn list(self) -> Option<Self> {
        match self {
            Self::Text => Some(Self::Texts),
            Self::Link => Some(Self::Links),
            Self::Int => Some(Self::Ints),
            Self::Double => Some(Self::Doubles),
            _ => None,
        }
    }

    pub(super) const fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Double)
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let article = if matches!(self, Self::Int | Self::Nothings) { "an" } else { "a" };
        write!(f, "{article} {}", self.name())
    }
}

impl Type {
    /// Its name, which is told with its article.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Double => "double",
            Self::Text => "string",
            Self::Time => "timestamp",
            Self::Span => "duration",
            Self::Link => "link",
            Self::Texts => "list of strings",
            Self::Links => "list of links",
            Self::Ints => "list of ints",
            Self::Doubles => "list of doubles",
            Self::Nothings => "empty list",
        }
    }
}

/// What is known of an expression before a comment comes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Limits {
    /// Nothing.
    None,
    /// Not below zero.
    Count,
    /// From 0.0 to 1.0.
    Probability,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// A text of at most so many bytes.
    Bytes(u32),
    /// A list of at most so many items.
    Items(u32),
    /// The same, and the bytes that a text on it has at most.
    Texts(u32, u32),
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Missing {
    /// The site did not send what it is made of.
    NotApplicable,
    /// It was due and could not be had, or not be worked out.
    Unavailable(Rc<str>),
}

impl Missing {
    pub(super) fn failed(why: &str) -> Self {
        Self::Unavailable(Rc::from(why))
    }

    /// What two missing parts come to: what failed is said before what was not sent.
    pub(super) fn and(self, other: Self) -> Self {
        if matches!(self, Self::Unavailable(_)) { self } else { other }
    }
}

/// A text, of the comment or made on the way.
#[derive(Debug, Clone)]
pub(super) enum Text<'a> {
    Borrowed(&'a str),
    Shared(Rc<str>),
}

impl Text<'_> {
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

/// A value. Times and spans are milliseconds, a link is its number.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Text<'a>),
    Time(i64),
    Span(i64),
    Link(u32),
    List(Rc<[Value<'a>]>),
}

impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a.as_str() == b.as_str(),
            (Self::Time(a), Self::Time(b)) | (Self::Span(a), Self::Span(b)) => a == b,
            (Self::Link(a), Self::Link(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            _ => self.order(other) == Some(std::cmp::Ordering::Equal),
        }
    }
}

impl Value<'_> {
    /// Which comes first, where that can be said: numbers of both kinds compare by what they stand for.
    pub(super) fn order(&self, other: &Self) -> Option<std::cmp::Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) | (Self::Time(a), Self::Time(b)) | (Self::Span(a), Self::Span(b)) => {
                Some(a.cmp(b))
            }
            (Self::Double(a), Self::Double(b)) => a.partial_cmp(b),
            (Self::Int(a), Self::Double(b)) => as_double(*a).partial_cmp(b),
            (Self::Double(a), Self::Int(b)) => a.partial_cmp(&as_double(*b)),
            (Self::Text(a), Self::Text(b)) => Some(a.as_str().cmp(b.as_str())),
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts and thresholds, far below 2^53")]
pub(super) const fn as_double(number: i64) -> f64 {
    number as f64
}
