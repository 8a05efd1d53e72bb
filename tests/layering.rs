//! Imports point one way: `http -> app -> domain <- storage`, `app -> classifier -> domain`; only the composition
//! root and the command line may name everything. A reversed arrow fails with a sentence saying which.

use std::path::{Path, PathBuf};

/// Each layer, and the layers whose modules it may name besides its own.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("classifier", &["domain"]),
    ("app", &["domain", "classifier"]),
    ("storage", &["domain"]),
    ("http", &["app", "domain"]),
    ("net", &["app"]),
    ("sample", &[]),
];

/// Crates that the domain may not name: it has no clock, no network, no database and no runtime.
const NOT_IN_DOMAIN: &[&str] = &["actix_web", "tokio", "rusqlite", "reqwest", "tracing", "metrics", "opentelemetry"];

/// Layers that may name everything.
const ROOTS: &[&str] = &["startup", "config", "cli", "main", "lib", "telemetry"];

#[test]
fn imports_point_one_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for file in rust_files(&root) {
        let source = std::fs::read_to_string(&file).expect("source files are readable");
        let relative = file.strip_prefix(&root).expect("below src").to_path_buf();
        wrong.extend(reversed_arrows(&relative, &source));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_reversed_arrow_is_found() {
    let cases: &[(&str, &str, &str)] = &[
        ("domain/policy.rs", "use crate::app::house::House;", "domain must not name app"),
        ("domain/policy.rs", "use super::super::storage::sqlite;", "domain must not name storage"),
        ("domain/comment.rs", "use tokio::sync::Mutex;", "domain must not name the crate tokio"),
        ("app/intake.rs", "use crate::http::problem;", "app must not name http"),
        ("http/routes.rs", "use crate::storage::sqlite::SqliteStore;", "http must not name storage"),
        ("http/routes.rs", "let store = crate::storage::sqlite::open();", "http must not name storage"),
        ("storage/sqlite/mod.rs", "use crate::app::clock::Clock;", "storage must not name app"),
        ("classifier/model.rs", "use crate::{app::intake, domain::model};", "classifier must not name app"),
        ("app/intake.rs", "use crate::startup::App;", "app must not name startup"),
        ("app/outbox/deliver.rs", "use crate::net::post::HttpPost;", "app must not name net"),
        ("sample/post.rs", "use crate::app::intake::Intake;", "sample must not name app"),
        ("sample/hook.rs", "use crate::domain::time::Timestamp;", "sample must not name domain"),
        ("unheard_of/mod.rs", "", "src/unheard_of/mod.rs: no layer of that name"),
    ];
    for (file, source, expected) in cases {
        let found = reversed_arrows(Path::new(file), source).join("\n");
        assert!(found.contains(expected), "{file}: {source}: found {found:?}");
    }
    assert!(reversed_arrows(Path::new("app/intake.rs"), "use crate::domain::comment::Comment;").is_empty());
    assert!(reversed_arrows(Path::new("startup.rs"), "use crate::storage::sqlite;").is_empty());
}

fn reversed_arrows(file: &Path, source: &str) -> Vec<String> {
    let first = file.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
    let layer = first.unwrap_or_default().trim_end_matches(".rs").to_owned();
    if ROOTS.contains(&layer.as_str()) {
        return Vec::new();
    }
    let Some((_, allowed)) = MAY_NAME.iter().find(|(name, _)| *name == layer) else {
        return vec![format!("src/{}: no layer of that name; add it to tests/layering.rs", file.display())];
    };
    let code = without_comments(source);
    let mut wrong = Vec::new();
    let others = MAY_NAME.iter().map(|(name, _)| *name).chain(ROOTS.iter().copied());
    for other in others.filter(|other| *other != layer && !allowed.contains(other)) {
        if names_module(&code, other) {
            wrong.push(format!(
                "src/{}: {layer} must not name {other}: turn the arrow round with a port",
                file.display()
            ));
        }
    }
    if layer == "domain" {
        for name in NOT_IN_DOMAIN.iter().filter(|name| code.contains(&format!("{name}::"))) {
            wrong.push(format!("src/{}: domain must not name the crate {name}", file.display()));
        }
    }
    wrong
}

/// Whether `code` names `crate::MODULE`, however the path is written: in full, through `super`, or inside braces.
fn names_module(code: &str, module: &str) -> bool {
    let squeezed: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if ["crate", "super::super", "super"].iter().any(|from| squeezed.contains(&format!("{from}::{module}::"))) {
        // `super::config::` inside a layer is that layer's own module; only `crate::` and `super::super::` leave it for sure.
        let leaves =
            squeezed.contains(&format!("crate::{module}::")) || squeezed.contains(&format!("super::super::{module}::"));
        if leaves {
            return true;
        }
    }
    let mut rest = squeezed.as_str();
    while let Some(at) = rest.find("usecrate::{") {
        let group = &rest[at + "usecrate::{".len()..];
        let end = closing_brace(group);
        if split_top_level(&group[..end]).any(|path| path == module || path.starts_with(&format!("{module}::"))) {
            return true;
        }
        rest = &group[end..];
    }
    false
}

fn closing_brace(group: &str) -> usize {
    let mut depth = 0_i32;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return at,
            '}' => depth -= 1,
            _ => {}
        }
    }
    group.len()
}

fn split_top_level(group: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    group.split(move |c| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
}

fn without_comments(source: &str) -> String {
    source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("src is readable") {
        let path = entry.expect("src is readable").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
