//! From text to a checked rule: its names are known, its types fit, its cost is bounded, and there is something it can be true of.
//!
//! The crate `cel` reads the language ([`reading`]); what it read is checked here, part by part, and turned into [`Node`]s. Its own interpreter
//! is not used: it compiles a regular expression anew for each comment, knows no bound of steps, and takes a missing field for an error like any
//! other ([ADR 13](../../../../docs/adr/0013-rules-are-checked-trees.md)).

mod each;
pub(super) mod functions;
mod names;
mod operators;
mod reading;
mod typed;

use std::collections::HashMap;

use cel::common::ast::{Expr, IdedExpr, LiteralValue};

use self::typed::{Typed, folded, items_of, too_dear};
use super::eval::{Const, Node};
use super::facts::Key;
use super::lists::Kind;
use super::never;
use super::patterns::Patterns;
use super::places::Places;
use super::types::{Limits, Type};

/// Bytes that a rule's expression may have.
pub const SOURCE_BYTES_MAX: usize = 4_000;
/// Steps that a rule may take on the longest comment that there is.
pub const STEPS_MAX: u64 = 50_000;
/// How deep expressions may be nested.
const DEPTH_MAX: usize = 60;

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
    let parsed = reading::read(source)?;
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

/// The way through one expression, from its names to its nodes; what each kind of part comes to is in the modules here.
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
}
