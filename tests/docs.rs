//! Generated pages are what their sources say. `UPDATE_DOCS=1 cargo test --test docs` writes them.

use std::path::{Path, PathBuf};

use doorward::classifier::Classifier;
use doorward::domain::rules::{FACTS, FUNCTIONS, LINK_FACTS};
use doorward::domain::signal::{LIST, Meta};

#[test]
fn signals_page_is_made_from_the_signal_files() {
    compare("docs/signals.md", &signals_page());
}

#[test]
fn rules_page_names_everything_that_rules_may_name() {
    let page = std::fs::read_to_string(root().join("docs/rules.md")).expect("documentation is readable");
    let (before, rest) = page.split_once(FACTS_BEGIN).expect("the page has that mark");
    let (_, after) = rest.split_once(FACTS_END).expect("the page has that mark");
    compare("docs/rules.md", &format!("{before}{FACTS_BEGIN}\n\n{}\n{FACTS_END}{after}", facts()));
}

const FACTS_BEGIN: &str = "<!-- generated: UPDATE_DOCS=1 cargo test --test docs -->";
const FACTS_END: &str = "<!-- end of what is generated -->";

fn facts() -> String {
    let row = |name: &str, ty: &str, about: &str, missing: &str| {
        let missing = if missing.is_empty() { "" } else { missing };
        format!("| `{name}` | {ty} | {about} | {missing} |\n")
    };
    let head = |what: &str| format!("| {what} | Type | Is | Missing when |\n| --- | --- | --- | --- |\n");
    let mut text = format!("### Facts\n\n{}", head("Fact"));
    for fact in FACTS {
        text += &row(fact.path, fact.type_name(), fact.about, fact.missing);
    }
    text += &row("lists.NAME", "list of strings", "the entries of that list that the comment holds", "");
    text += &row(
        "signals.NAME.hit",
        "bool",
        "whether that check hit, live or in shadow; also `signals[\"link-count\"].hit`",
        "it did not apply, or is off",
    );
    text += &row("signals.NAME.weight", "double", "what it weighs, 0.0 unless it hit", "it did not apply, or is off");
    text += &format!("\n### What a link has\n\n{}", head("Part"));
    for fact in LINK_FACTS {
        text += &row(fact.name, fact.type_name(), fact.about, fact.missing);
    }
    text += "\n### Functions\n\n| Function | Says |\n| --- | --- |\n";
    for (_, written, says) in FUNCTIONS {
        text += &format!("| {written} | {says} |\n");
    }
    text += "\nBeside them the operators `&&`, `||`, `!`, `==`, `!=`, `<`, `<=`, `>`, `>=`, `+`, `-`, `*`, `/`, `%`, `in` and `? :`. Times are in UTC.\n";
    text
}

#[test]
fn settings_file_carries_fitted_weights() {
    let weights = std::fs::read_to_string(root().join("models/weights.toml")).expect("the weights are readable");
    let weights: toml::Table = toml::from_str(&weights).expect("the weights are TOML");
    let settings = std::fs::read_to_string(root().join("config.toml")).expect("the settings are readable");
    let mut section = "";
    let mut text = String::new();
    for line in settings.lines() {
        section = line.strip_prefix("[signals.").map_or(section, |rest| rest.trim_end_matches(']'));
        section = if line.starts_with('[') && !line.starts_with("[signals.") { "" } else { section };
        let fitted = line.split_once(" = ").and_then(|(key, _)| Some((key, weights.get(section)?.get(key)?)));
        text += &fitted.map_or_else(|| line.to_owned(), |(key, weight)| format!("{key} = {weight}"));
        text.push('\n');
    }
    compare("config.toml", &text);
}

#[test]
fn model_card_says_what_the_shipped_model_says_of_itself() {
    let card = std::fs::read_to_string(root().join("models/MODEL_CARD.md")).expect("the card is readable");
    let model = std::fs::read(root().join("models/model.dwm")).expect("the model is readable");
    let model = Classifier::load(&model).expect("the shipped model is sound");
    let header = model.header();
    let (before, after) = card.split_once("| what | value |\n| --- | ---: |\n").expect("the card has figures");
    let told: Vec<&str> = after.lines().take_while(|line| line.starts_with('|')).collect();
    let measured: Vec<String> =
        header.measured.iter().map(|(name, value)| format!("| {name} | {value:.4} |")).collect();
    assert_eq!(told, measured);
    assert!(before.contains(&header.training) && before.contains(&header.features));
    let missing = header.sources.iter().find(|(name, count)| !before.contains(&format!("| {name} | {count} |")));
    assert_eq!(missing, None);
}

#[test]
fn relative_links_in_the_documentation_lead_somewhere() {
    let root = root();
    let mut broken = Vec::new();
    for page in markdown_files(&root) {
        let text = std::fs::read_to_string(&page).expect("documentation is readable");
        for target in links(&text) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
                continue;
            }
            if !page.parent().unwrap_or(&root).join(path).exists() {
                broken.push(format!("{}: {target}", page.strip_prefix(&root).unwrap_or(&page).display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn messages_that_the_operators_page_quotes_are_printed() {
    /// SQLite's own words.
    const NOT_OURS: &[&str] = &["database or disk is full", "database is locked"];
    let page = std::fs::read_to_string(root().join("docs/operations.md")).expect("documentation is readable");
    let (_, chapter) = page.split_once("## When something is wrong").expect("the page has that chapter");
    let source: String =
        source_files(&root().join("src")).iter().filter_map(|file| std::fs::read_to_string(file).ok()).collect();
    let mut missing = Vec::new();
    for sign in chapter.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()) {
        // What stands between back quotes; what changes from case to case is an ellipsis.
        for quoted in sign.split('`').skip(1).step_by(2).filter(|quoted| !NOT_OURS.contains(quoted)) {
            let parts = quoted.split('…').map(str::trim).filter(|part| !part.is_empty());
            missing.extend(parts.filter(|part| !source.contains(part)).map(|part| format!("`{quoted}`: {part}")));
        }
    }
    assert!(missing.is_empty(), "docs/operations.md quotes what nothing prints:\n{}", missing.join("\n"));
}

fn signals_page() -> String {
    let mut page = String::from(
        "# Signals\n\n\
         Generated from the heads of `src/domain/signal/*.rs`; change it there, then `UPDATE_DOCS=1 cargo test --test docs`.\n\n\
         Every check runs on every comment; none decides alone. A weight is added, in log-odds, to the check's category; \
         [`policy`](../ARCHITECTURE.md) turns the sums into a verdict. Each check has a `mode`: `live` counts, `shadow` is \
         recorded and shown but does not count, `off` does not run. A check answers `not-applicable` when the site did not send \
         what it looks at (adds nothing, never holds) and `unavailable` when it was due and failed (holds, by default).\n\n\
         | Signal | Category | Finds |\n| --- | --- | --- |\n",
    );
    for meta in LIST {
        page += &format!("| [`{}`](#{}) | {} | {} |\n", meta.id, anchor(meta), meta.category.name(), meta.title());
    }
    for meta in LIST {
        page += &format!("\n#{}\n", meta.page().trim_end());
    }
    page
}

/// The heading's anchor as Markdown renderers make it: lower case, blanks to hyphens, other punctuation dropped.
fn anchor(meta: &Meta) -> String {
    let heading = format!("{} {}", meta.title(), meta.id).to_lowercase();
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn compare(path: &str, expected: &str) {
    let file = root().join(path);
    // Only a person at a keyboard sets it; the test itself never writes otherwise.
    if std::env::vars().any(|(name, _)| name == "UPDATE_DOCS") {
        std::fs::write(&file, expected).expect("documentation is writable");
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == expected, "{path} is stale: run `UPDATE_DOCS=1 cargo test --test docs` and commit it");
}

fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let mut rest = line;
        while let Some(at) = rest.find("](") {
            rest = &rest[at + 2..];
            if let Some(end) = rest.find(')') {
                found.push(rest[..end].to_owned());
            }
        }
    }
    found
}

fn markdown_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the repository is readable") {
        let path = entry.expect("the repository is readable").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !name.starts_with('.') && name != "target" && name != "node_modules" {
            files.extend(markdown_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "md") {
            files.push(path);
        }
    }
    files
}

fn source_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the repository is readable") {
        let path = entry.expect("the repository is readable").path();
        if path.is_dir() {
            files.extend(source_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
