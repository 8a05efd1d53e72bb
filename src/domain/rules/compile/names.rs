//! What a rule names: facts, lists, signals, the item that a macro is at, and what a link has.

use cel::common::ast::{Expr, IdedExpr, LiteralValue, SelectExpr, operators};

use super::super::eval::Node;
use super::super::facts::Key;
use super::super::facts::links::LINK_FACTS;
use super::super::facts::table::FACTS;
use super::super::lists::Kind;
use super::super::types::{Limits, Type};
use super::typed::Typed;
use super::{Compiler, Result, Wrong, nearest, wrong};
use crate::domain::signal::LIST;

impl Compiler<'_, '_> {
    /// A fact, an item, or what a link has.
    pub(super) fn named(&mut self, expression: &IdedExpr) -> Result<Typed> {
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

    pub(super) fn list_number(&mut self, at: usize, name: &str) -> Result<(u16, Kind)> {
        let Some(found) = self.lists.get(name).copied() else {
            let near = nearest(name, self.lists.keys().map(String::as_str));
            return wrong(at, format!("there is no list `{name}` under [lists]{near}"));
        };
        self.lists_named.push(found.0);
        Ok(found)
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
