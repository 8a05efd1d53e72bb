//! Text to the tree that the parser makes of it. The parser recurses, so what would take it too deep is found in the text before.

use cel::common::ast::IdedExpr;

use super::super::places::Places;
use super::{DEPTH_MAX, Result, SOURCE_BYTES_MAX, Wrong};

/// Reads an expression, of which nothing is checked but its length, its depth and the language.
pub(super) fn read(source: &str) -> Result<IdedExpr> {
    if source.len() > SOURCE_BYTES_MAX {
        let problem = format!("has {} bytes, at most {SOURCE_BYTES_MAX} are allowed", source.len());
        return Err(Wrong { at: 0, problem });
    }
    if let Some((at, how)) = too_deep(source) {
        return Err(Wrong { at, problem: format!("is {how} than {DEPTH_MAX}") });
    }
    cel::parser::Parser::new().parse(source).map_err(|errors| not_the_language(source, &errors))
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
