//! Generated pages are what their sources say. `UPDATE_DOCS=1 cargo test --test docs` writes them.

use std::collections::{BTreeMap, BTreeSet};
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
    text += &row(
        "lists.NAME",
        "list of strings",
        "the entries of that list that the comment holds",
        "there are too many to look at, and those looked at decide nothing",
    );
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

#[test]
fn command_lines_in_the_documentation_are_understood() {
    let root = root();
    let mut wrong = Vec::new();
    let mut found = 0;
    for page in markdown_files(&root).into_iter().chain(text_files(&root.join("deploy"))) {
        let text = std::fs::read_to_string(&page).expect("documentation is readable");
        for (line, is_mention) in command_lines(&text) {
            found += 1;
            if let Err(problem) = understood(&line, is_mention) {
                wrong.push(format!(
                    "{}: {}: {problem}",
                    page.strip_prefix(&root).unwrap_or(&page).display(),
                    line.join(" ")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "command lines that the program does not understand:\n{}", wrong.join("\n"));
    assert!(found > 60, "only {found} were found: nothing was looked at");
    assert!(understood(&["doorward".to_owned(), "doctro".to_owned()], true).is_err());
    assert!(understood(&["doorward".to_owned(), "doctor".to_owned(), "--jsn".to_owned()], true).is_err());
}

/// Command lines of ours: those in blocks are whole, those within a sentence may be a mere mention of a command.
fn command_lines(text: &str) -> Vec<(Vec<String>, bool)> {
    let mut all = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        // In units and in comments of settings files they stand bare.
        let bare = line.trim_start_matches(['#', ' ']);
        let is_bare = bare.starts_with("ExecStart=") || bare.starts_with("sudo -u doorward ");
        let quoted: Vec<&str> = if is_bare {
            vec![bare]
        } else if fenced {
            vec![line]
        } else {
            line.split('`').skip(1).step_by(2).collect()
        };
        for part in quoted {
            let part = part.split(" #").next().unwrap_or_default().trim();
            let part = part.trim_start_matches("sudo -u doorward ").trim_start_matches("ExecStart=/usr/bin/");
            let words = shell_words(part);
            let ends = words
                .iter()
                .position(|word| matches!(word.as_str(), "|" | ">" | "<" | "&" | "&&" | "\\"))
                .unwrap_or(words.len());
            let is_ours = words.first().is_some_and(|word| word == "doorward" || word.ends_with("/doorward"));
            // `user change|list` names two at once, and `…` leaves out what does not matter.
            let is_short = words.iter().any(|word| word.contains('…') || word.contains("..."));
            if is_ours && ends > 1 && !is_short {
                all.push((words[..ends].to_vec(), !fenced && !is_bare));
            }
        }
    }
    all
}

/// Words as a shell takes them apart, as far as the documentation goes.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = vec![];
    let (mut word, mut quote) = (String::new(), None);
    for c in line.chars() {
        match (c, quote) {
            (c, Some(mark)) if c == mark => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            (c, None) if c.is_whitespace() => {
                words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
            }
            (c, _) => word.push(c),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

fn understood(line: &[String], is_mention: bool) -> Result<(), String> {
    use clap::error::ErrorKind::{
        DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion, InvalidValue, MissingRequiredArgument,
        MissingSubcommand, ValueValidation,
    };
    let alternatives = |word: &String| word.split('|').map(str::to_owned).collect::<Vec<_>>();
    let mut lines = vec![Vec::new()];
    for word in line {
        lines = alternatives(word)
            .into_iter()
            .flat_map(|word| lines.iter().map(move |line| [line.clone(), vec![word.clone()]].concat()))
            .collect();
    }
    for line in lines {
        let Err(error) = doorward::cli::command().try_get_matches_from(&line) else { continue };
        let is_enough = match error.kind() {
            DisplayHelp | DisplayVersion => true,
            MissingRequiredArgument | MissingSubcommand | DisplayHelpOnMissingArgumentOrSubcommand => is_mention,
            // TIME and the like stand for what a reader puts there.
            ValueValidation | InvalidValue if is_mention && line.last().is_some_and(|word| word.starts_with("--")) => {
                true
            }
            ValueValidation | InvalidValue => {
                line.iter().any(|word| word.len() > 1 && word.chars().all(|c| c.is_ascii_uppercase()))
            }
            _ => false,
        };
        if !is_enough {
            return Err(error.to_string().lines().next().unwrap_or_default().to_owned());
        }
    }
    Ok(())
}

#[test]
fn metrics_that_are_documented_alerted_on_and_drawn_exist_with_their_labels() {
    let root = root();
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect("readable");
    let kept: BTreeSet<String> = source_files(&root.join("src"))
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .flat_map(|source| {
            let calls = ["counter!(", "gauge!(", "histogram!("]
                .map(|call| source.split(call).skip(1).map(str::to_owned).collect::<Vec<_>>());
            calls.concat()
        })
        .filter_map(|call| Some(call.trim_start().strip_prefix('"')?.split('"').next()?.to_owned()))
        .filter(|name| name.starts_with("doorward_"))
        .collect();
    // | `name`, `name` by label, label | what it means |
    let mut documented: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for page in ["docs/operations.md", "docs/several-nodes.md", "docs/redis.md"] {
        for line in read(page).lines().filter(|line| line.starts_with("| `doorward_")) {
            let cell = line.trim_start_matches("| ").split(" | ").next().unwrap_or_default().to_owned();
            let labels: BTreeSet<String> = cell
                .split_once(" by ")
                .map(|(_, labels)| labels.split(", ").map(|label| label.trim().to_owned()).collect())
                .unwrap_or_default();
            for name in cell.split('`').skip(1).step_by(2) {
                documented.insert(name.to_owned(), labels.clone());
            }
        }
    }
    assert_eq!(
        documented.keys().cloned().collect::<BTreeSet<_>>(),
        kept,
        "what the program counts, and what docs/ say that it counts"
    );
    let dashboard: serde_json::Value = serde_json::from_str(&read("deploy/grafana/doorward.json")).expect("JSON");
    assert!(dashboard["panels"].as_array().is_some_and(|panels| panels.len() > 10));
    let mut used = BTreeSet::new();
    for file in ["deploy/prometheus/alerts.yml", "deploy/grafana/doorward.json"] {
        for (name, labels) in uses(&read(file).replace("\\\"", "\"")) {
            let ends = ["_bucket", "_sum", "_count"];
            let name = ends
                .iter()
                .find_map(|end| name.strip_suffix(end))
                .filter(|name| kept.contains(*name))
                .unwrap_or(&name)
                .to_owned();
            let known = documented.get(&name).unwrap_or_else(|| panic!("{file} asks for {name}, which nobody counts"));
            let unknown: Vec<_> = labels
                .iter()
                .filter(|label| !known.contains(*label) && !["job", "instance"].contains(&label.as_str()))
                .collect();
            assert!(unknown.is_empty(), "{file}: {name} has no {unknown:?}");
            used.insert(name);
        }
    }
    assert!(used.len() > 10, "only {used:?} were found");
}

/// Every metric that a text names, with the labels that are asked of it.
fn uses(text: &str) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    for (at, _) in text.match_indices("doorward_") {
        if text[..at].ends_with(is_name) {
            continue;
        }
        let name: String = text[at..].chars().take_while(|c| is_name(*c)).collect();
        let after = &text[at + name.len()..];
        let asked = after.strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or("", |(asked, _)| asked);
        let labels =
            asked.split(',').filter_map(|condition| Some(condition.split(['=', '!']).next()?.trim().to_owned()));
        all.push((name, labels.filter(|label| !label.is_empty()).collect()));
    }
    all
}

fn text_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the repository is readable") {
        let path = entry.expect("the repository is readable").path();
        if path.is_dir() { files.extend(text_files(&path)) } else { files.push(path) }
    }
    files
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
