//! Functions: [`FUNCTIONS`] says how each is written, and [`Compiler::function`] what each takes and costs.

use cel::common::ast::IdedExpr;

use super::super::eval::{Const, Node, Part, Turn};
use super::super::facts::Key;
use super::super::facts::table::FACTS;
use super::super::lists::Kind;
use super::super::patterns::Pattern;
use super::super::types::{Limits, Type};
use super::typed::{SCAN, Typed, expect, made};
use super::{Compiler, Result, Wrong, nearest, wrong};
use crate::domain::time::Timestamp;

/// Bytes of a text that one step of a regular expression looks through.
const MATCH: u64 = 16;

/// The functions that rules may use: name, how they are written, and what they say.
pub const FUNCTIONS: &[(&str, &str, &str)] = &[
    ("size", "`size(x)` or `x.size()`", "characters of a text, items of a list"),
    ("contains", "`x.contains(\"text\")`", "whether the one text is in the other"),
    ("startsWith", "`x.startsWith(\"text\")`", "whether it begins with the other"),
    ("endsWith", "`x.endsWith(\"text\")`", "whether it ends with the other"),
    (
        "matches",
        "`x.matches(\"regular expression\")`",
        "whether it matches, anywhere; it costs by the sizes of the text and of the expression, which is bounded",
    ),
    ("inList", "`x.inList(\"NAME\")`", "whether a text holds a word of that list, or is a host on it"),
    ("lowerAscii", "`x.lowerAscii()`", "the same in small letters, ASCII only"),
    ("getHours", "`x.getHours()`", "the hour of a moment in UTC, 0 to 23"),
    ("getDayOfWeek", "`x.getDayOfWeek()`", "its day, from 0 for Sunday"),
    ("int", "`int(x)`", "a double without its fraction"),
    ("double", "`double(x)`", "an int as a double"),
    ("timestamp", "`timestamp(\"2026-12-01T00:00:00Z\")`", "a moment that stands in the rule"),
    ("duration", "`duration(\"1h30m\")`", "a span of time, in `h`, `m`, `s` and `ms`"),
    ("has", "`has(x)`", "whether there is one"),
    (
        "exists",
        "`list.exists(item, …)`",
        "whether it is so of one of them; also `all`, `exists_one`, `filter` and `map`",
    ),
];

impl Compiler<'_, '_> {
    /// A function, called by itself or behind what it is asked of.
    pub(super) fn function(&mut self, name: &str, target: Option<&IdedExpr>, arguments: &[IdedExpr]) -> Result<Typed> {
        match (name, target, arguments) {
            ("size", Some(of), []) => {
                let of = self.expression(of)?;
                self.places.take(name);
                size(of)
            }
            ("size", None, [of]) => {
                self.places.take(name);
                let of = self.expression(of)?;
                size(of)
            }
            ("contains" | "startsWith" | "endsWith", Some(whole), [part]) => {
                let whole = self.expression(whole)?;
                self.places.take(name);
                let part = self.expression(part)?;
                expect(&whole, Type::Text)?;
                expect(&part, Type::Text)?;
                let (how, cost) = match name {
                    "contains" => (Part::Contains, whole.bytes() / SCAN),
                    "startsWith" => (Part::Starts, part.bytes() / SCAN),
                    _ => (Part::Ends, part.bytes() / SCAN),
                };
                made(whole.at, Type::Bool, Limits::None, 1 + cost, [whole, part], |both| {
                    Node::Part(how, Box::new(both))
                })
            }
            ("matches", Some(text), [pattern]) => {
                let text = self.expression(text)?;
                self.places.take(name);
                let pattern = self.expression(pattern)?;
                self.matches(text, &pattern)
            }
            ("inList", Some(text), [list]) => {
                let text = self.expression(text)?;
                self.places.take(name);
                let list = self.expression(list)?;
                self.in_list(text, &list)
            }
            ("lowerAscii", Some(text), []) => {
                let text = self.expression(text)?;
                self.places.take(name);
                expect(&text, Type::Text)?;
                let (limits, cost) =
                    (Limits::Bytes(u32::try_from(text.bytes()).unwrap_or(u32::MAX)), text.bytes() / SCAN);
                made(text.at, Type::Text, limits, 1 + cost, [text], |[text]| Node::Turn(Turn::Lower, Box::new(text)))
            }
            ("getHours" | "getDayOfWeek", Some(time), []) => {
                let time = self.expression(time)?;
                self.places.take(name);
                expect(&time, Type::Time)?;
                let how = if name == "getHours" { Turn::Hours } else { Turn::DayOfWeek };
                made(time.at, Type::Int, Limits::Count, 1, [time], |[time]| Node::Turn(how, Box::new(time)))
            }
            ("int" | "double", None, [number]) => {
                self.places.take(name);
                let number = self.expression(number)?;
                if !number.ty.is_number() {
                    return wrong(number.at, format!("`{name}` takes a number, and this is {}", number.ty));
                }
                let (ty, how) = if name == "int" { (Type::Int, Turn::ToInt) } else { (Type::Double, Turn::ToDouble) };
                let limits = number.limits;
                made(number.at, ty, limits, 1, [number], |[number]| Node::Turn(how, Box::new(number)))
            }
            ("timestamp" | "duration", None, [text]) => {
                let at = self.places.take(name);
                let text = self.expression(text)?;
                let Node::Const(Const::Text(written)) = &text.node else {
                    return wrong(text.at, format!("`{name}` takes a text that stands in the rule"));
                };
                if name == "timestamp" {
                    let moment = Timestamp::parse(written).map_err(|problem| Wrong { at: text.at, problem })?;
                    return Ok(Typed::constant(Const::Time(moment.as_millis()), Type::Time, at));
                }
                let Some(span) = span_of(written) else {
                    return wrong(text.at, format!("`{written}` is no duration such as 90m, 1h30m or 45s"));
                };
                Ok(Typed::constant(Const::Span(span), Type::Span, at))
            }
            _ => {
                if let Some(target) = target {
                    self.expression(target)?;
                }
                let at = self.places.take(name);
                let names = FUNCTIONS.iter().map(|(name, ..)| *name);
                if FUNCTIONS.iter().any(|(known, ..)| *known == name) {
                    let how = FUNCTIONS.iter().find(|(known, ..)| *known == name).map_or("", |(_, how, _)| how);
                    return wrong(at, format!("`{name}` is written {how}"));
                }
                wrong(at, format!("there is no function `{name}`{}", nearest(name, names)))
            }
        }
    }

    fn matches(&mut self, text: Typed, pattern: &Typed) -> Result<Typed> {
        expect(&text, Type::Text)?;
        let Node::Const(Const::Text(written)) = &pattern.node else {
            return wrong(pattern.at, "`matches` takes a regular expression that stands in the rule");
        };
        let Pattern { regex, times } =
            self.named.patterns.read(written).map_err(|problem| Wrong { at: pattern.at, problem })?;
        let cost = 4 + (text.bytes() / MATCH).saturating_mul(times);
        made(text.at, Type::Bool, Limits::None, cost, [text], |[text]| Node::Matches(Box::new(text), regex))
    }

    fn in_list(&mut self, text: Typed, list: &Typed) -> Result<Typed> {
        expect(&text, Type::Text)?;
        let Node::Const(Const::Text(name)) = &list.node else {
            return wrong(list.at, "`inList` takes the name of a list, as text that stands in the rule");
        };
        let (number, kind) = self.list_number(list.at, name)?;
        if kind == Kind::Words && self.is_body(&text.node) {
            let node = Node::Fact(self.named.number(Key::InText(number)));
            return Ok(Typed { node, ty: Type::Bool, limits: Limits::None, steps: text.steps + 2, at: text.at });
        }
        let cost = 8 + text.bytes() / 8; // folding it is what costs
        let steps = text.steps + cost;
        Ok(Typed {
            node: Node::Listed(Box::new(text.node), number),
            ty: Type::Bool,
            limits: Limits::None,
            steps,
            at: text.at,
        })
    }

    /// Whether it is the comment's own text, whose words on lists are found once for all rules.
    fn is_body(&self, node: &Node) -> bool {
        let Node::Fact(number) = node else { return false };
        let Some(Key::Fact(fact)) = self.named.keys.get(*number as usize) else { return false };
        matches!(FACTS[*fact as usize].path, "comment.text" | "comment.folded")
    }
}

fn size(of: Typed) -> Result<Typed> {
    if of.ty != Type::Text && of.ty.item().is_none() {
        return wrong(of.at, format!("{} has no size", of.ty));
    }
    let cost = if of.ty == Type::Text { of.bytes() / SCAN } else { 0 };
    made(of.at, Type::Int, Limits::Count, 1 + cost, [of], |[of]| Node::Turn(Turn::Size, Box::new(of)))
}

/// `1h30m`, `45s`, `250ms` in milliseconds.
fn span_of(written: &str) -> Option<i64> {
    let (negative, mut rest) = written.strip_prefix('-').map_or((false, written), |rest| (true, rest));
    let mut total = 0_i64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let (unit, length) = if rest.starts_with("ms") {
            (1, 2)
        } else {
            match rest.as_bytes().first()? {
                b'h' => (3_600_000, 1),
                b'm' => (60_000, 1),
                b's' => (1_000, 1),
                _ => return None,
            }
        };
        rest = &rest[length..];
        total = total.checked_add(number.checked_mul(unit)?)?;
    }
    Some(if negative { -total } else { total })
}
