//! Comments written by us for training: what spam of many trades, ordinary talk, and neutral mentions of groups of people sound like.
//!
//! No public set holds every trade of spam, and none is free of the prejudice that a name of a group is half an insult. Templates from general knowledge
//! (`written/*.txt`, one a line, `{one|or another}`; `# ` begins the name of a kind) fill the gap; no labelled comment was read for them. They are a
//! source like any other, may be left out like any other, and are never measured on: whoever writes both the question and the answer proves nothing.

use std::collections::BTreeSet;

use xxhash_rust::xxh3::xxh3_64;

use super::data::Row;

/// The source's name, as in the model card.
pub const NAME: &str = "written_for_training";

/// Name, label, templates, and how many texts are made of each. Ten of each kind of spam and of each language found less on sources that were left
/// out than four and two: mean AUC .818 to .822, against .798 without them.
const FILES: &[(&str, &str, &str, u64)] = &[
    ("spam", "spam", include_str!("written/spam.txt"), 10),
    ("spam_kinds", "spam", include_str!("written/spam_kinds.txt"), 4),
    ("spam_abroad", "spam", include_str!("written/spam_abroad.txt"), 2),
    ("toxic", "toxic", include_str!("written/insults.txt"), 12),
    ("ham", "ham", include_str!("written/ham.txt"), 12),
    ("neutral", "neutral", include_str!("written/neutral.txt"), 60),
];
/// Groups of people: as said of one, and of many.
const GROUPS: &str = include_str!("written/groups.txt");

/// All of them, each text once, in an order that never changes.
#[must_use]
pub fn rows() -> Vec<Row> {
    let groups: Vec<(&str, &str)> = GROUPS.lines().filter_map(|line| line.split_once('|')).collect();
    let mut seen = BTreeSet::new();
    let mut rows = Vec::new();
    for (name, label, templates, variants) in FILES {
        for (line, template) in templates.lines().filter(|line| is_template(line)).enumerate() {
            for variant in 0..*variants {
                let seed = xxh3_64(format!("{name}/{line}/{variant}").as_bytes());
                let text = expand(template, seed, &groups);
                if seen.insert(text.clone()) {
                    rows.push(row(format!("{name}-{line}-{variant}"), label, format!("{name}-{line}"), text));
                }
            }
        }
    }
    rows
}

/// Not empty, and no heading.
fn is_template(line: &str) -> bool {
    !line.is_empty() && !line.starts_with("# ")
}

fn row(id: String, label: &str, group: String, text: String) -> Row {
    Row {
        id,
        text,
        label: Some(label.to_owned()),
        clean_label: None,
        title: None,
        article: None,
        group: Some(group),
        rule: None,
        context: None,
    }
}

/// One way of reading a template: `{a|b}` is one of both, `{*}` one of a group, `{**}` a whole group.
fn expand(template: &str, seed: u64, groups: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let mut rest = template;
    let mut state = seed;
    let mut pick = |count: usize| {
        state = xxh3_64(&state.to_le_bytes());
        usize::try_from(state % count.max(1) as u64).unwrap_or(0)
    };
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let (choices, after) = after.split_once('}').unwrap_or((after, ""));
        match choices {
            "*" => text.push_str(groups.get(pick(groups.len())).map_or("", |group| group.0)),
            "**" => text.push_str(groups.get(pick(groups.len())).map_or("", |group| group.1)),
            _ => {
                let choices: Vec<&str> = choices.split('|').collect();
                text.push_str(choices[pick(choices.len())]);
            }
        }
        rest = after;
    }
    text.push_str(rest);
    // Templates name hosts that belong to nobody (RFC 2606); a model that read them so would take the word `example` for advertising.
    let ending = ENDINGS[pick(ENDINGS.len())];
    text.replace(".example.", ".").replace(".example", ending)
}

/// Endings of hosts, in place of the reserved one.
const ENDINGS: &[&str] = &[".com", ".net", ".org", ".co.uk", ".de", ".info"];

#[cfg(test)]
mod tests {
    use super::super::features::word_hash;
    use super::super::lists::{lists_of, names_group};
    use super::*;

    #[test]
    fn templates_expand_the_same_way_every_time_and_leave_no_brace_behind() {
        let once = rows();
        assert!(once.len() > 1_500, "{}", once.len());
        assert!(once.iter().zip(rows()).all(|(a, b)| a.text == b.text && a.id == b.id));
        let odd: Vec<&str> =
            once.iter().map(|row| row.text.as_str()).filter(|text| text.contains(['{', '}', '|'])).collect();
        assert!(odd.is_empty(), "{odd:?}");
    }

    #[test]
    fn reserved_hosts_are_not_learned_as_words() {
        assert!(!rows().iter().any(|row| row.text.contains(".example")));
        assert_eq!(expand("see https://notes.example.net/{x}", 1, &[]), "see https://notes.net/x");
    }

    #[test]
    fn groups_of_the_templates_are_among_those_that_the_model_does_not_see() {
        // What people are called anywhere; here so that the templates speak of more than the groups that abuse is aimed at.
        let plain = ["tall", "local", "retired", "young"];
        for (one, many) in GROUPS.lines().filter_map(|line| line.split_once('|')) {
            let has = |text: &str| text.to_lowercase().split(' ').any(|word| names_group(lists_of(word_hash(word))));
            assert_eq!(has(one) && has(many), !plain.contains(&one), "{one} {many}");
        }
    }

    #[test]
    fn neutral_sentences_name_every_group() {
        let rows = rows();
        let neutral: Vec<&str> =
            rows.iter().filter(|row| row.label.as_deref() == Some("neutral")).map(|row| row.text.as_str()).collect();
        for group in GROUPS.lines().filter_map(|line| line.split_once('|')) {
            assert!(neutral.iter().any(|text| text.contains(group.0) || text.contains(group.1)), "{group:?}");
        }
    }
}
