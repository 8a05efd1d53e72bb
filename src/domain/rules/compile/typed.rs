//! A part of a rule that was checked: what it is, what it may be, and what it costs on the longest comment that there is.

use super::super::eval::{Const, Node, Run};
use super::super::types::{Limits, Missing, Type};
use super::{Result, STEPS_MAX, Wrong, wrong};

/// Bytes of a text that one step looks through.
pub(super) const SCAN: u64 = 64;

/// An expression that was checked.
pub(super) struct Typed {
    pub node: Node,
    pub ty: Type,
    pub limits: Limits,
    pub steps: u64,
    pub at: usize,
}

impl Typed {
    pub(super) fn constant(value: Const, ty: Type, at: usize) -> Self {
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

    pub(super) const fn is_const(&self) -> bool {
        matches!(self.node, Node::Const(_))
    }

    /// Bytes that the text has at most.
    pub(super) fn bytes(&self) -> u64 {
        match self.limits {
            Limits::Bytes(bytes) => u64::from(bytes),
            Limits::OneOf(texts) => texts.iter().map(|text| text.len() as u64).max().unwrap_or(0),
            _ => 65_536,
        }
    }

    /// Items that the list has at most.
    pub(super) fn length(&self) -> u64 {
        match self.limits {
            Limits::Items(items) | Limits::Texts(items, _) => u64::from(items),
            _ if self.ty == Type::Nothings => 0,
            _ => 500,
        }
    }

    /// Bytes that a text on the list has at most.
    pub(super) fn item_bytes(&self) -> u64 {
        match self.limits {
            Limits::Texts(_, bytes) => u64::from(bytes),
            _ if self.ty == Type::Texts => 500,
            _ => 0,
        }
    }
}

pub(super) fn too_dear(at: usize, steps: u64) -> Wrong {
    let problem = format!("costs too much: up to {steps} steps on a long comment, at most {STEPS_MAX} are allowed");
    Wrong { at, problem }
}

pub(super) fn expect(found: &Typed, ty: Type) -> Result<()> {
    if found.ty == ty { Ok(()) } else { wrong(found.at, format!("is {}, and {ty} is wanted", found.ty)) }
}

pub(super) fn bytes_of(bytes: u64) -> Limits {
    Limits::Bytes(u32::try_from(bytes).unwrap_or(u32::MAX))
}

pub(super) fn items_of(items: u64, bytes: u64) -> Limits {
    Limits::Texts(u32::try_from(items).unwrap_or(u32::MAX), u32::try_from(bytes).unwrap_or(u32::MAX))
}

pub(super) const fn item_bytes(limits: Limits) -> u64 {
    match limits {
        Limits::Bytes(bytes) => bytes as u64,
        _ => 64,
    }
}

/// What is certain of either of two things of one type.
pub(super) fn wider(a: &Typed, b: &Typed) -> Limits {
    match a.ty {
        _ if a.limits == b.limits => a.limits,
        Type::Text => bytes_of(a.bytes().max(b.bytes())),
        ty if ty.item().is_some() => items_of(a.length().max(b.length()), a.item_bytes().max(b.item_bytes())),
        _ => Limits::None,
    }
}

/// A node of parts; worked out at once where all of them are constant.
pub(super) fn made<const N: usize>(
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

pub(super) fn folded(typed: Typed) -> Result<Typed> {
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
