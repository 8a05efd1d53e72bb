//! What is asked of each item of a list: macros, which the parser has written out, taken for what they were.

use cel::common::ast::{ComprehensionExpr, Expr, IdedExpr, operators};

use super::super::eval::{Each, Node};
use super::super::types::{Limits, Type};
use super::typed::{Typed, bytes_of, expect, items_of, too_dear};
use super::{Compiler, Result, STEPS_MAX, wrong};

impl Compiler<'_, '_> {
    /// `exists`, `all`, `exists_one`, `filter` and `map`, as the parser writes them out.
    pub(super) fn each(&mut self, each: &ComprehensionExpr) -> Result<Typed> {
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
