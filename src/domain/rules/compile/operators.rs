//! Operators: which types they join, and what comes of it.

use cel::common::ast::{CallExpr, IdedExpr, operators};

use super::super::eval::{Compare, Const, Node, Sum};
use super::super::types::{Limits, Type};
use super::typed::{SCAN, Typed, expect, item_bytes, items_of, made, wider};
use super::{Compiler, Result, wrong};

impl Compiler<'_, '_> {
    pub(super) fn call(&mut self, call: &CallExpr) -> Result<Typed> {
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
        let left = self.expression(left)?;
        let sign = match how {
            Sum::Divide => Some("/"),
            Sum::Rest => Some("%"),
            Sum::Add | Sum::Subtract | Sum::Multiply => None,
        };
        if let Some(sign) = sign {
            self.places.take(sign); // a number has no place of its own: it stands where reading has come to
        }
        let right = self.expression(right)?;
        if sign.is_some() && is_zero(&right.node) {
            return wrong(right.at, "can never be worked out: a division by zero");
        }
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
}

/// Whether it is nothing whatever the comment is. A double that is divided by nothing would be infinite, or no number at all: nobody asks for that.
fn is_zero(node: &Node) -> bool {
    match node {
        Node::Const(Const::Int(value)) => *value == 0,
        Node::Const(Const::Double(value)) => *value == 0.0,
        _ => false,
    }
}
