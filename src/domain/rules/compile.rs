//! From text to a checked rule: its names are known, its types fit, its cost is bounded, and there is something it can be true of.
//!
//! The crate `cel` reads the language; what it read is checked here and turned into [`Node`]s. Its own interpreter is not used: it compiles a
//! regular expression anew for each comment, knows no bound of steps, and takes a missing field for an error like any other
//! ([ADR 13](../../../docs/adr/0013-rules-are-checked-trees.md)).

use std::collections::HashMap;

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, SelectExpr, operators};

use super::eval::{Compare, Const, Each, Node, Part, Run, Sum, Turn};
use super::facts::{FACTS, Key, LINK_FACTS};
use super::lists::Kind;
use super::never;
use super::patterns::{Pattern, Patterns};
use super::places::Places;
use super::types::{Limits, Missing, Type};
use crate::domain::signal::LIST;
use crate::domain::time::Timestamp;

/// Bytes that a rule's expression may have.
pub const SOURCE_BYTES_MAX: usize = 4_000;
/// Steps that a rule may take on the longest comment that there is.
pub const STEPS_MAX: u64 = 50_000;
/// How deep expressions may be nested.
const DEPTH_MAX: usize = 60;
/// Bytes of a text that one step looks through.
const SCAN: u64 = 64;
/// The same for a regular expression.
const MATCH: u64 = 16;

/// What is wrong with an expression, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    /// In bytes.
    pub at: usize,
    pub problem: String,
}

/// The lists that there are: name, number and kind.
pub(super) type ListNames = HashMap<String, (u16, Kind)>;

/// A checked rule.
#[derive(Debug)]
pub(super) struct Checked {
    pub node: Node,
    /// Steps that it takes at most.
    pub steps: u64,
    /// The lists that it names.
    pub lists: Vec<u16>,
}

/// The facts that rules named so far, each once.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub keys: Vec<Key>,
    numbers: HashMap<Key, u32>,
    pub patterns: Patterns,
}

impl Named {
    fn number(&mut self, key: Key) -> u32 {
        *self.numbers.entry(key).or_insert_with(|| {
            self.keys.push(key);
            u32::try_from(self.keys.len() - 1).unwrap_or(u32::MAX)
        })
    }
}

/// Reads and checks one expression.
pub(super) fn compile(source: &str, lists: &ListNames, named: &mut Named) -> Result<Checked> {
    if source.len() > SOURCE_BYTES_MAX {
        let problem = format!("has {} bytes, at most {SOURCE_BYTES_MAX} are allowed", source.len());
        return Err(Wrong { at: 0, problem });
    }
    if let Some((at, how)) = too_deep(source) {
        return Err(Wrong { at, problem: format!("is {how} than {DEPTH_MAX}") });
    }
    let parsed = cel::parser::Parser::new().parse(source).map_err(|errors| not_the_language(source, &errors))?;
    let mut compiler =
        Compiler { lists, named, places: Places::of(source), items: Vec::new(), lists_named: Vec::new(), depth: 0 };
    let rule = compiler.expression(&parsed)?;
    if rule.ty != Type::Bool {
        return Err(Wrong { at: rule.at, problem: format!("is {}, and a rule is a bool: true or false", rule.ty) });
    }
    if rule.steps > STEPS_MAX {
        return Err(too_dear(rule.at, rule.steps));
    }
    if let Some(why) = never::why(&rule.node, &compiler.named.keys) {
        return Err(Wrong { at: rule.at, problem: format!("can never be true: {why}") });
    }
    let mut lists = compiler.lists_named;
    lists.sort_unstable();
    lists.dedup();
    Ok(Checked { node: rule.node, steps: rule.steps, lists })
}

fn too_dear(at: usize, steps: u64) -> Wrong {
    let problem = format!("costs too much: up to {steps} steps on a long comment, at most {STEPS_MAX} are allowed");
    Wrong { at, problem }
}

/// Where something is nested too deeply, or a chain such as `1+1+1` or `a.a.a` is too long, for a parser that recurses; and which of them.
fn too_deep(source: &str) -> Option<(usize, &'static str)> {
    let (mut signs, mut choices) = (0_usize, 0_usize);
    // Operators and selections of the chain that is read, and of those in which the brackets around it stand.
    let (mut chain, mut around) = ((0_usize, 0_usize), Vec::new());
    for (token, at) in Places::of(source).tokens() {
        signs = if matches!(token, "!" | "-") { signs + 1 } else { 0 };
        match token {
            "(" | "[" | "{" => {
                chain.1 += usize::from(token == "[");
                around.push(std::mem::take(&mut chain));
            }
            ")" | "]" | "}" => chain = around.pop().unwrap_or(chain),
            "?" => {
                choices += 1;
                chain = (0, 0);
            }
            "&" | "|" | ":" | "," => chain = (0, 0),
            "+" | "-" | "*" | "/" | "%" | "<" | ">" | "=" | "in" => chain = (chain.0 + 1, 0),
            "." => chain.1 += 1,
            _ => {}
        }
        if around.len().max(signs).max(choices) > DEPTH_MAX {
            return Some((at, "nested deeper"));
        }
        if chain.0.max(chain.1) > DEPTH_MAX {
            return Some((at, "a chain longer"));
        }
    }
    None
}

fn not_the_language(source: &str, errors: &cel::parser::ParseErrors) -> Wrong {
    let Some(first) = errors.errors.first() else {
        return Wrong { at: 0, problem: "is not the Common Expression Language".to_owned() };
    };
    let line = usize::try_from(first.pos.0).unwrap_or(0).saturating_sub(1);
    let column = usize::try_from(first.pos.1).unwrap_or(0).saturating_sub(1);
    let starts = std::iter::once(0).chain(source.match_indices('\n').map(|(at, _)| at + 1));
    let start = starts.clone().nth(line).unwrap_or(0);
    let rest = &source[start..];
    let at = start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at);
    let message = first.msg.lines().next().unwrap_or_default();
    Wrong { at, problem: format!("is not the Common Expression Language: {message}") }
}

/// An expression that was checked.
struct Typed {
    node: Node,
    ty: Type,
    limits: Limits,
    steps: u64,
    at: usize,
}

impl Typed {
    fn constant(value: Const, ty: Type, at: usize) -> Self {
        let limits = match &value {
            Const::Text(text) => Limits::Bytes(u32::try_from(text.len()).unwrap_or(u32::MAX)),
            Const::List(items) => {
                let bytes = items.iter().map(|item| if let Const::Text(text) = item { text.len() } else { 0 }).max();
                items_of(items.len() as u64, bytes.unwrap_or(0) as u64)
            }
            _ => Limits::None,
        };
        Self { node: Node::Const(value), ty, limits, steps: 1, at }
    }

    const fn is_const(&self) -> bool {
        matches!(self.node, Node::Const(_))
    }

    /// Bytes that the text has at most.
    fn bytes(&self) -> u64 {
        match self.limits {
            Limits::Bytes(bytes) => u64::from(bytes),
            Limits::OneOf(texts) => texts.iter().map(|text| text.len() as u64).max().unwrap_or(0),
            _ => 65_536,
        }
    }

    /// Items that the list has at most.
    fn length(&self) -> u64 {
        match self.limits {
            Limits::Items(items) | Limits::Texts(items, _) => u64::from(items),
            _ if self.ty == Type::Nothings => 0,
            _ => 500,
        }
    }

    /// Bytes that a text on the list has at most.
    fn item_bytes(&self) -> u64 {
        match self.limits {
            Limits::Texts(_, bytes) => u64::from(bytes),
            _ if self.ty == Type::Texts => 500,
            _ => 0,
        }
    }
}

struct Compiler<'c, 's> {
    lists: &'c ListNames,
    named: &'c mut Named,
    places: Places<'s>,
    items: Vec<(String, Type, Limits)>,
    lists_named: Vec<u16>,
    depth: usize,
}

type Result<T> = std::result::Result<T, Wrong>;

fn wrong<T>(at: usize, problem: impl Into<String>) -> Result<T> {
    Err(Wrong { at, problem: problem.into() })
}

/// The nearest of some names, as a question.
fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> String {
    let near = names.map(|known| (strsim::jaro_winkler(name, known), known)).max_by(|a, b| a.0.total_cmp(&b.0));
    near.filter(|(likeness, _)| *likeness > 0.7)
        .map_or_else(String::new, |(_, known)| format!("; did you mean `{known}`?"))
}

impl Compiler<'_, '_> {
    fn expression(&mut self, expression: &IdedExpr) -> Result<Typed> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return wrong(self.places.here(), format!("is nested deeper than {DEPTH_MAX}"));
        }
        let typed = match &expression.expr {
            Expr::Literal(literal) => self.literal(literal),
            Expr::Ident(_) | Expr::Select(_) => self.named(expression),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => self.list(&list.elements),
            Expr::Comprehension(each) => self.each(each),
            Expr::Map(_) | Expr::Struct(_) => wrong(self.places.here(), "rules have no maps and no messages"),
            Expr::Unspecified => wrong(self.places.here(), "is nothing"),
        };
        self.depth -= 1;
        typed
    }

    fn literal(&mut self, literal: &LiteralValue) -> Result<Typed> {
        let here = self.places.here();
        Ok(match literal {
            LiteralValue::Boolean(value) => {
                let value = *value.inner();
                let at = self.places.take(if value { "true" } else { "false" });
                Typed::constant(Const::Bool(value), Type::Bool, at)
            }
            LiteralValue::Int(value) => Typed::constant(Const::Int(*value.inner()), Type::Int, here),
            LiteralValue::UInt(value) => {
                let Ok(value) = i64::try_from(*value.inner()) else { return wrong(here, "is too large a number") };
                Typed::constant(Const::Int(value), Type::Int, here)
            }
            LiteralValue::Double(value) => Typed::constant(Const::Double(*value.inner()), Type::Double, here),
            LiteralValue::String(text) => {
                let at = self.places.take_text();
                Typed::constant(Const::Text(text.inner().into()), Type::Text, at)
            }
            LiteralValue::Bytes(_) => return wrong(here, "rules have no bytes"),
            LiteralValue::Null => {
                return wrong(self.places.take("null"), "rules have no null: `has(x)` asks whether there is one");
            }
        })
    }

    /// A fact, an item, or what a link has.
    fn named(&mut self, expression: &IdedExpr) -> Result<Typed> {
        let Some(path) = path_of(expression) else { return self.selected(expression) };
        let tests = matches!(&expression.expr, Expr::Select(SelectExpr { test: true, .. }));
        let (head, rest) = path.split_first().expect("a path has a first name");
        let at = self.places.take(head);
        if let Some((depth, (_, ty, limits))) = self.items.iter().enumerate().rev().find(|(_, (name, ..))| name == head)
        {
            let (depth, ty, limits) = (u8::try_from(depth).unwrap_or(u8::MAX), *ty, *limits);
            let item = Typed { node: Node::Item(depth), ty, limits, steps: 1, at };
            let Some((field, further)) = rest.split_first() else { return Ok(item) };
            let found = self.link_fact(item, field)?;
            if let Some(further) = further.first() {
                return wrong(self.places.take(further), format!("{} has no `{further}`", found.ty));
            }
            return Ok(if tests { has(found) } else { found });
        }
        let found = self.fact(at, &path)?;
        Ok(if tests { has(found) } else { found })
    }

    /// A field of something that is no name: `links[0].host`.
    fn selected(&mut self, expression: &IdedExpr) -> Result<Typed> {
        let Expr::Select(select) = &expression.expr else { return wrong(self.places.here(), "is no name") };
        if let Some(signal) = signal_by_index(&select.operand) {
            let at = self.places.take("signals");
            self.places.take_text();
            let found = self.signal(at, signal, &select.field)?;
            return Ok(if select.test { has(found) } else { found });
        }
        let operand = self.expression(&select.operand)?;
        let found = self.link_fact(operand, &select.field)?;
        Ok(if select.test { has(found) } else { found })
    }

    fn link_fact(&mut self, link: Typed, field: &str) -> Result<Typed> {
        let at = self.places.take(field);
        if link.ty != Type::Link {
            return wrong(at, format!("{} has no `{field}`", link.ty));
        }
        let Some(number) = LINK_FACTS.iter().position(|fact| fact.name == field) else {
            let near = nearest(field, LINK_FACTS.iter().map(|fact| fact.name));
            return wrong(at, format!("a link has no `{field}`{near}"));
        };
        let fact = &LINK_FACTS[number];
        let node = Node::LinkFact(Box::new(link.node), u8::try_from(number).unwrap_or(u8::MAX));
        Ok(Typed { node, ty: fact.ty, limits: fact.limits, steps: link.steps + 4, at: link.at })
    }

    fn fact(&mut self, at: usize, path: &[&str]) -> Result<Typed> {
        match path {
            ["lists", name] => {
                self.places.take(name);
                let (number, _) = self.list_number(at, name)?;
                let number = self.named.number(Key::List(number));
                return Ok(Typed {
                    node: Node::Fact(number),
                    ty: Type::Texts,
                    limits: Limits::Items(200),
                    steps: 2,
                    at,
                });
            }
            ["signals", name, field] => {
                self.places.take(name);
                return self.signal(at, name, field);
            }
            _ => {}
        }
        let whole = path.join(".");
        let Some(number) = FACTS.iter().position(|fact| fact.path == whole) else {
            return Err(self.no_such_fact(at, path, &whole));
        };
        for part in &path[1..] {
            self.places.take(part);
        }
        let fact = &FACTS[number];
        let number = self.named.number(Key::Fact(u16::try_from(number).unwrap_or(u16::MAX)));
        Ok(Typed { node: Node::Fact(number), ty: fact.ty, limits: fact.limits, steps: 1, at })
    }

    fn no_such_fact(&mut self, at: usize, path: &[&str], whole: &str) -> Wrong {
        let names = || FACTS.iter().map(|fact| fact.path).chain(["lists", "signals"]);
        let begins = |with: &str| {
            names().any(|name| name == with || name.strip_prefix(with).is_some_and(|rest| rest.starts_with('.')))
        };
        // The first name that leads nowhere is the wrong one.
        let good = (1..=path.len()).take_while(|length| begins(&path[..*length].join("."))).count();
        let at = (1..=good.min(path.len() - 1)).map(|length| self.places.take(path[length])).last().unwrap_or(at);
        if good == path.len() {
            let inside: Vec<&str> = names().filter(|name| name.starts_with(&format!("{whole}."))).collect();
            let problem = if inside.is_empty() {
                format!("`{whole}` is several things: name one of them, as in `{whole}.NAME`")
            } else {
                format!("`{whole}` is several things: {}", inside.join(", "))
            };
            return Wrong { at, problem };
        }
        Wrong { at, problem: format!("there is no `{whole}`{}", nearest(whole, names())) }
    }

    fn signal(&mut self, at: usize, name: &str, field: &str) -> Result<Typed> {
        let field_at = self.places.take(field);
        let Some(number) = LIST.iter().position(|meta| meta.id == name || meta.section == name) else {
            let near = nearest(name, LIST.iter().map(|meta| meta.section));
            return wrong(at, format!("there is no signal `{name}`{near}"));
        };
        let number = u16::try_from(number).unwrap_or(u16::MAX);
        let (key, ty) = match field {
            "hit" => (Key::Hit(number), Type::Bool),
            "weight" => (Key::Weight(number), Type::Double),
            _ => return wrong(field_at, format!("a signal has no `{field}`: it has `hit` and `weight`")),
        };
        Ok(Typed { node: Node::Fact(self.named.number(key)), ty, limits: Limits::None, steps: 2, at })
    }

    fn list_number(&mut self, at: usize, name: &str) -> Result<(u16, Kind)> {
        let Some(found) = self.lists.get(name).copied() else {
            let near = nearest(name, self.lists.keys().map(String::as_str));
            return wrong(at, format!("there is no list `{name}` under [lists]{near}"));
        };
        self.lists_named.push(found.0);
        Ok(found)
    }

    fn list(&mut self, elements: &[IdedExpr]) -> Result<Typed> {
        let at = self.places.here();
        let items = elements.iter().map(|element| self.expression(element)).collect::<Result<Vec<_>>>()?;
        let Some(first) = items.first() else {
            return Ok(Typed::constant(Const::List(Box::default()), Type::Nothings, at));
        };
        let Some(ty) = first.ty.list() else {
            return wrong(first.at, format!("there are no lists of {}s", first.ty.name()));
        };
        if let Some(other) = items.iter().find(|item| item.ty != first.ty) {
            return wrong(other.at, format!("is {} among {}s", other.ty, first.ty.name()));
        }
        let steps = 1 + items.iter().map(|item| item.steps).sum::<u64>();
        let bytes = items.iter().filter(|item| item.ty == Type::Text).map(Typed::bytes).max();
        let limits = items_of(items.len() as u64, bytes.unwrap_or(0));
        let is_const = items.iter().all(Typed::is_const);
        let node = Node::List(items.into_iter().map(|item| item.node).collect());
        let list = Typed { node, ty, limits, steps, at };
        if is_const { folded(list) } else { Ok(list) }
    }

    fn call(&mut self, call: &CallExpr) -> Result<Typed> {
        let name = call.func_name.as_str();
        let arguments = call.args.as_slice();
        match (name, arguments) {
            (operators::LOGICAL_AND, [left, right]) => self.logic(left, right, true),
            (operators::LOGICAL_OR, [left, right]) => self.logic(left, right, false),
            (operators::LOGICAL_NOT, [part]) => {
                let part = self.expression(part)?;
                expect(&part, Type::Bool)?;
                made(part.at, Type::Bool, Limits::None, 1, [part], |[part]| Node::Not(Box::new(part)))
            }
            (operators::NEGATE, [part]) => {
                let part = self.expression(part)?;
                if !part.ty.is_number() && part.ty != Type::Span {
                    return wrong(part.at, format!("{} has no negative", part.ty));
                }
                let ty = part.ty;
                made(part.at, ty, Limits::None, 1, [part], |[part]| Node::Negative(Box::new(part)))
            }
            (operators::CONDITIONAL, [condition, yes, no]) => {
                let (condition, yes, no) = (self.expression(condition)?, self.expression(yes)?, self.expression(no)?);
                expect(&condition, Type::Bool)?;
                if yes.ty != no.ty {
                    return wrong(no.at, format!("is {} where the other branch is {}", no.ty, yes.ty));
                }
                let (ty, limits) = (yes.ty, wider(&yes, &no));
                made(condition.at, ty, limits, 1, [condition, yes, no], |parts| Node::If(Box::new(parts)))
            }
            (operators::EQUALS, [a, b]) => self.compare(Compare::Equal, a, b),
            (operators::NOT_EQUALS, [a, b]) => self.compare(Compare::Unequal, a, b),
            (operators::LESS, [a, b]) => self.compare(Compare::Less, a, b),
            (operators::LESS_EQUALS, [a, b]) => self.compare(Compare::AtMost, a, b),
            (operators::GREATER, [a, b]) => self.compare(Compare::More, a, b),
            (operators::GREATER_EQUALS, [a, b]) => self.compare(Compare::AtLeast, a, b),
            (operators::ADD, [a, b]) => self.sum(Sum::Add, a, b),
            (operators::SUBSTRACT, [a, b]) => self.sum(Sum::Subtract, a, b),
            (operators::MULTIPLY, [a, b]) => self.sum(Sum::Multiply, a, b),
            (operators::DIVIDE, [a, b]) => self.sum(Sum::Divide, a, b),
            (operators::MODULO, [a, b]) => self.sum(Sum::Rest, a, b),
            (operators::IN, [item, list]) => self.is_in(item, list),
            (operators::INDEX, _) => wrong(
                self.places.here(),
                "rules ask of lists what is in them: `x in list`, `list.exists(item, …)`; of signals `signals[\"link-count\"].hit`",
            ),
            _ => self.function(name, call.target.as_deref(), arguments),
        }
    }

    fn logic(&mut self, left: &IdedExpr, right: &IdedExpr, is_and: bool) -> Result<Typed> {
        let (left, right) = (self.expression(left)?, self.expression(right)?);
        expect(&left, Type::Bool)?;
        expect(&right, Type::Bool)?;
        let (at, steps) = (left.at, left.steps + right.steps + 1);
        let mut parts = Vec::new();
        for part in [left.node, right.node] {
            match part {
                // What cannot change the outcome is left out; what decides it is all there is.
                Node::Const(Const::Bool(value)) if value == is_and => {}
                Node::Const(Const::Bool(value)) => return Ok(Typed::constant(Const::Bool(value), Type::Bool, at)),
                Node::And(inner) if is_and => parts.extend(inner),
                Node::Or(inner) if !is_and => parts.extend(inner),
                other => parts.push(other),
            }
        }
        let node = match (parts.len(), is_and) {
            (0, _) => Node::Const(Const::Bool(is_and)),
            (1, _) => parts.remove(0),
            (_, true) => Node::And(parts),
            (_, false) => Node::Or(parts),
        };
        Ok(Typed { node, ty: Type::Bool, limits: Limits::None, steps, at })
    }

    fn compare(&mut self, how: Compare, left: &IdedExpr, right: &IdedExpr) -> Result<Typed> {
        let (left, right) = (self.expression(left)?, self.expression(right)?);
        let ordered = !matches!(how, Compare::Equal | Compare::Unequal);
        let same = left.ty == right.ty || (left.ty.is_number() && right.ty.is_number());
        let comparable = if ordered {
            same && (left.ty.is_number() || matches!(left.ty, Type::Text | Type::Time | Type::Span))
        } else {
            same && left.ty.item().is_none()
        };
        if !comparable {
            return wrong(left.at, format!("{} cannot be compared with {}", left.ty, right.ty));
        }
        let bytes = if left.ty == Type::Text { left.bytes().min(right.bytes()) / SCAN } else { 0 };
        made(left.at, Type::Bool, Limits::None, 1 + bytes, [left, right], |both| Node::Compare(how, Box::new(both)))
    }

    fn sum(&mut self, how: Sum, left: &IdedExpr, right: &IdedExpr) -> Result<Typed> {
        let (left, right) = (self.expression(left)?, self.expression(right)?);
        let ty = match (left.ty, right.ty, how) {
            (Type::Int, Type::Int, _) => Type::Int,
            (Type::Double, Type::Double, _) if how != Sum::Rest => Type::Double,
            (Type::Int, Type::Double, _) | (Type::Double, Type::Int, _) => {
                return wrong(left.at, "mixes an int and a double: write `double(x)`, or 1.0 for 1");
            }
            (Type::Text, Type::Text, Sum::Add) => Type::Text,
            (Type::Time, Type::Span, Sum::Add | Sum::Subtract) | (Type::Span, Type::Time, Sum::Add) => Type::Time,
            (Type::Time, Type::Time, Sum::Subtract) | (Type::Span, Type::Span, Sum::Add | Sum::Subtract) => Type::Span,
            (a, b, Sum::Add) if a == b && a.item().is_some() => a,
            (a, b, _) => return wrong(left.at, format!("{a} and {b} have no such sum")),
        };
        let (limits, cost) = match ty {
            Type::Text => {
                let bytes = left.bytes() + right.bytes();
                (Limits::Bytes(u32::try_from(bytes).unwrap_or(u32::MAX)), bytes / SCAN)
            }
            _ if ty.item().is_some() => {
                let items = left.length() + right.length();
                (items_of(items, left.item_bytes().max(right.item_bytes())), items)
            }
            _ => (Limits::None, 0),
        };
        made(left.at, ty, limits, 1 + cost, [left, right], |both| Node::Sum(how, Box::new(both)))
    }

    fn is_in(&mut self, item: &IdedExpr, list: &IdedExpr) -> Result<Typed> {
        let (item, list) = (self.expression(item)?, self.expression(list)?);
        let fits = list.ty.item().is_some_and(|of| of == item.ty) || list.ty == Type::Nothings;
        if !fits {
            return wrong(item.at, format!("{} cannot be in {}", item.ty, list.ty));
        }
        if let (Type::Text, Node::Const(Const::List(items)), false) = (item.ty, &list.node, item.is_const()) {
            let texts =
                items.iter().filter_map(|item| if let Const::Text(text) = item { Some(text.clone()) } else { None });
            let node = Node::InSet(Box::new(item.node), texts.collect());
            let steps = item.steps + 4 + item_bytes(item.limits) / SCAN;
            return Ok(Typed { node, ty: Type::Bool, limits: Limits::None, steps, at: item.at });
        }
        let bytes = if item.ty == Type::Text { item.bytes().min(list.item_bytes()) } else { 0 };
        let cost = 1_u64.saturating_add(list.length().saturating_mul(1 + bytes / SCAN));
        made(item.at, Type::Bool, Limits::None, cost, [item, list], |both| Node::In(Box::new(both)))
    }

    /// A function, called by itself or behind what it is asked of.
    fn function(&mut self, name: &str, target: Option<&IdedExpr>, arguments: &[IdedExpr]) -> Result<Typed> {
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

    /// `exists`, `all`, `exists_one`, `filter` and `map`, as the parser writes them out.
    fn each(&mut self, each: &ComprehensionExpr) -> Result<Typed> {
        let range = self.expression(&each.iter_range)?;
        let Some((how, keep, make)) = form_of(each) else {
            return wrong(range.at, "is not something that rules ask of lists");
        };
        let name = match how {
            Each::Any => "exists",
            Each::All => "all",
            Each::One => "exists_one",
            Each::Filter => "filter",
            Each::Map => "map",
        };
        let at = self.places.take(name);
        let Some(item) = range.ty.item() else {
            return wrong(at, format!("`{name}` asks of lists, and this is {}", range.ty));
        };
        self.places.take(&each.iter_var);
        let limits = if item == Type::Text { bytes_of(range.item_bytes()) } else { Limits::None };
        self.items.push((each.iter_var.clone(), item, limits));
        if self.items.len() > 3 {
            return wrong(at, "is nested too deeply: three lists within one another are the most");
        }
        let length = range.length();
        let mut list = range;
        if let Some(keep) = keep {
            let asked = self.expression(keep)?;
            expect(&asked, Type::Bool)?;
            let made_of = if matches!(how, Each::Map) { Each::Filter } else { how };
            list = over(at, made_of, length, list, asked)?;
        }
        if let Some(make) = make {
            let made_of = self.expression(make)?;
            list = over(at, Each::Map, length, list, made_of)?;
        }
        self.items.pop();
        Ok(list)
    }
}

/// One step over a list.
fn over(at: usize, how: Each, length: u64, list: Typed, of_each: Typed) -> Result<Typed> {
    let steps = list.steps.saturating_add(1).saturating_add(length.saturating_mul(of_each.steps.saturating_add(1)));
    if steps > STEPS_MAX {
        return Err(too_dear(at, steps));
    }
    let (ty, limits) = match how {
        Each::Any | Each::All | Each::One => (Type::Bool, Limits::None),
        Each::Filter => (list.ty, list.limits),
        Each::Map => match of_each.ty.list() {
            Some(ty) => (ty, items_of(length, if of_each.ty == Type::Text { of_each.bytes() } else { 0 })),
            None => return wrong(of_each.at, format!("there are no lists of {}s", of_each.ty.name())),
        },
    };
    let start = list.at;
    Ok(Typed { node: Node::Each(how, Box::new([list.node, of_each.node])), ty, limits, steps, at: start })
}

/// What a macro was before it was written out: how, what is asked of each, and what is made of each.
fn form_of(each: &ComprehensionExpr) -> Option<(Each, Option<&IdedExpr>, Option<&IdedExpr>)> {
    if each.iter_var2.is_some() {
        return None;
    }
    let Expr::Call(step) = &each.loop_step.expr else { return None };
    match (step.func_name.as_str(), step.args.as_slice()) {
        (operators::LOGICAL_OR, [_, asked]) => Some((Each::Any, Some(asked), None)),
        (operators::LOGICAL_AND, [_, asked]) => Some((Each::All, Some(asked), None)),
        (operators::ADD, [_, made]) => Some((Each::Map, None, Some(only_item(made)?))),
        (operators::CONDITIONAL, [asked, made, _]) => {
            let Expr::Call(step) = &made.expr else { return None };
            let [_, made] = step.args.as_slice() else { return None };
            if let Expr::Literal(_) = &made.expr {
                return Some((Each::One, Some(asked), None)); // counts one more
            }
            let made = only_item(made)?;
            let is_item = matches!(&made.expr, Expr::Ident(name) if *name == each.iter_var);
            Some(if is_item { (Each::Filter, Some(asked), None) } else { (Each::Map, Some(asked), Some(made)) })
        }
        _ => None,
    }
}

fn only_item(list: &IdedExpr) -> Option<&IdedExpr> {
    match &list.expr {
        Expr::List(list) => list.elements.first(),
        _ => None,
    }
}

/// `a.b.c` as its names; `None` where something else than a name begins it.
fn path_of(expression: &IdedExpr) -> Option<Vec<&str>> {
    match &expression.expr {
        Expr::Ident(name) => Some(vec![name.trim_start_matches('.')]),
        Expr::Select(select) => {
            let mut path = path_of(&select.operand)?;
            path.push(&select.field);
            Some(path)
        }
        _ => None,
    }
}

/// The signal that `signals["NAME"]` names.
fn signal_by_index(expression: &IdedExpr) -> Option<&str> {
    let Expr::Call(call) = &expression.expr else { return None };
    let (operators::INDEX, [of, name]) = (call.func_name.as_str(), call.args.as_slice()) else { return None };
    match (&of.expr, &name.expr) {
        (Expr::Ident(of), Expr::Literal(LiteralValue::String(name))) if of == "signals" => Some(name.inner()),
        _ => None,
    }
}

fn has(found: Typed) -> Typed {
    let (at, steps) = (found.at, found.steps + 1);
    Typed { node: Node::Has(Box::new(found.node)), ty: Type::Bool, limits: Limits::None, steps, at }
}

fn expect(found: &Typed, ty: Type) -> Result<()> {
    if found.ty == ty { Ok(()) } else { wrong(found.at, format!("is {}, and {ty} is wanted", found.ty)) }
}

fn bytes_of(bytes: u64) -> Limits {
    Limits::Bytes(u32::try_from(bytes).unwrap_or(u32::MAX))
}

fn items_of(items: u64, bytes: u64) -> Limits {
    Limits::Texts(u32::try_from(items).unwrap_or(u32::MAX), u32::try_from(bytes).unwrap_or(u32::MAX))
}

const fn item_bytes(limits: Limits) -> u64 {
    match limits {
        Limits::Bytes(bytes) => bytes as u64,
        _ => 64,
    }
}

/// What is certain of either of two things of one type.
fn wider(a: &Typed, b: &Typed) -> Limits {
    match a.ty {
        _ if a.limits == b.limits => a.limits,
        Type::Text => bytes_of(a.bytes().max(b.bytes())),
        ty if ty.item().is_some() => items_of(a.length().max(b.length()), a.item_bytes().max(b.item_bytes())),
        _ => Limits::None,
    }
}

/// A node of parts; worked out at once where all of them are constant.
fn made<const N: usize>(
    at: usize,
    ty: Type,
    limits: Limits,
    cost: u64,
    parts: [Typed; N],
    node: impl FnOnce([Node; N]) -> Node,
) -> Result<Typed> {
    let steps = parts.iter().map(|part| part.steps).fold(cost, u64::saturating_add);
    if steps > STEPS_MAX {
        return Err(too_dear(at, steps));
    }
    let is_const = parts.iter().all(Typed::is_const);
    let typed = Typed { node: node(parts.map(|part| part.node)), ty, limits, steps, at };
    if is_const { folded(typed) } else { Ok(typed) }
}

fn folded(typed: Typed) -> Result<Typed> {
    let value = match Run::without_comment().value(&typed.node) {
        Ok(value) => Const::of(&value),
        Err(Missing::Unavailable(why)) => return wrong(typed.at, format!("can never be worked out: {why}")),
        Err(Missing::NotApplicable) => None,
    };
    Ok(match value {
        Some(value) => Typed::constant(value, typed.ty, typed.at),
        None => typed,
    })
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
