//! Settings with other numbers in them: everything else stands as it was written.

use similar::{Algorithm, ChangeTag, capture_diff_slices};
use toml_edit::{DocumentMut, InlineTable, Item, Table, Value, value};

/// A number under its path, as in `signals.link_count.weight`.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Sections and key.
    pub path: Vec<String>,
    /// What it is to be.
    pub number: f64,
}

/// Keys of checks that are amounts of evidence: all of them times the same is the check's weight times that.
#[must_use]
pub fn is_weight(key: &str) -> bool {
    key.split('_').any(|part| part == "weight") || matches!(key, "max_good" | "max_bad" | "voice_max")
}

/// A settings file's text with these numbers, wherever and however each is written there; what is not there is added. Lines that stay keep their
/// endings, and others end as most do.
///
/// # Errors
/// It is no TOML, or something else stands in the place of a section.
pub fn written(settings: &str, changes: &[Change]) -> Result<String, String> {
    if changes.is_empty() {
        return Ok(settings.to_owned());
    }
    let (mark, text) = settings.strip_prefix(BYTE_ORDER_MARK).map_or(("", settings), |text| (BYTE_ORDER_MARK, text));
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.to_string())?;
    for Change { path, number } in changes {
        let Some((key, sections)) = path.split_last() else { continue };
        let taken = || format!("{}: something else stands in the place of a section", path.join("."));
        let mut place = document.as_item_mut();
        for section in sections {
            let new = if place.is_value() {
                Item::Value(InlineTable::new().into()) // within braces there are no lines of sections
            } else {
                let mut new = Table::new();
                new.set_implicit(true); // sections that hold nothing but others have no line of their own
                Item::Table(new)
            };
            place = place.as_table_like_mut().ok_or_else(taken)?.entry(section).or_insert(new);
        }
        let place = place.as_table_like_mut().ok_or_else(taken)?;
        match place.get_mut(key).and_then(Item::as_value_mut) {
            Some(there) if there.as_float() == Some(*number) => {} // however it is written
            Some(there) => {
                let decor = there.decor().clone();
                *there = Value::from(*number);
                *there.decor_mut() = decor;
            }
            None => drop(place.insert(key, value(*number))),
        }
    }
    let new = format!("{mark}{}", with_endings(text, &document.to_string()));
    check(&new, changes)?;
    Ok(new)
}

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The lines of `new` with the endings that they have in `old`.
fn with_endings(old: &str, new: &str) -> String {
    let there: Vec<&str> = old.split_inclusive('\n').collect();
    let returns = there.iter().filter(|line| line.ends_with("\r\n")).count();
    let usual = if returns * 2 > there.len() { "\r\n" } else { "\n" };
    let before: Vec<&str> = there.iter().map(|line| bare(line)).collect();
    let after: Vec<&str> = new.split_inclusive('\n').map(bare).collect();
    let mut text = String::with_capacity(new.len());
    for op in capture_diff_slices(Algorithm::Myers, &before, &after) {
        for change in op.iter_changes(&before, &after) {
            match (change.tag(), change.old_index(), change.new_index()) {
                (ChangeTag::Equal, Some(at), Some(now)) => {
                    text.push_str(there[at]);
                    if !there[at].ends_with('\n') && now + 1 < after.len() {
                        text.push_str(usual); // it was the last line
                    }
                }
                (ChangeTag::Insert, ..) => {
                    text.push_str(change.value());
                    text.push_str(usual);
                }
                _ => {}
            }
        }
    }
    text
}

fn bare(line: &str) -> &str {
    line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line))
}

/// That the text says what it was to say.
fn check(text: &str, changes: &[Change]) -> Result<(), String> {
    let read: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let wrong = changes.iter().find(|change| change.found_in(&read) != Some(change.number));
    wrong.map_or(Ok(()), |change| {
        Err(format!("{} cannot be written; set it to {}", change.path.join("."), change.number))
    })
}

impl Change {
    /// What stands in its place there.
    #[must_use]
    pub fn found_in(&self, settings: &toml::Table) -> Option<f64> {
        let (first, rest) = self.path.split_first()?;
        rest.iter().try_fold(settings.get(first)?, |at, part| at.get(part))?.as_float()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &str, number: f64) -> Change {
        Change { path: path.split('.').map(str::to_owned).collect(), number }
    }

    #[test]
    fn numbers_are_written_where_they_stand_and_everything_else_stays() {
        let settings = "# Ours\n[policy.spam] # doubt\nprior = -2.0\nhold = 0.55   # score\n\n[policy.abuse]\nreject = 0.9\n\
            [signals]\nshouting = { weight = 1.0, mode = \"shadow\" }\nlink_count.weight = 2.0 # much\n";
        let changes = [
            change("policy.spam.hold", 0.6),
            change("policy.abuse.hold", 0.8),
            change("policy.off-topic.hold", 0.7),
            change("signals.shouting.weight", 0.5),
            change("signals.link_count.weight", 1.5),
            change("signals.burst.page_weight", 0.2),
        ];
        let new = written(settings, &changes).unwrap();
        for line in [
            "# Ours",
            "[policy.spam] # doubt",
            "hold = 0.6   # score",
            "hold = 0.8",
            "[policy.off-topic]",
            "shouting = { weight = 0.5, mode = \"shadow\" }",
            "link_count.weight = 1.5 # much",
            "page_weight = 0.2",
        ] {
            assert!(new.lines().any(|written| written == line), "{line} in\n{new}");
        }
        let read: toml::Table = new.parse().unwrap();
        for Change { path, number } in &changes {
            let found = path.iter().try_fold(&toml::Value::Table(read.clone()), |at, part| at.get(part)).cloned();
            assert_eq!(found, Some(toml::Value::Float(*number)), "{path:?} in\n{new}");
        }
        assert_eq!(written(settings, &[]).as_deref(), Ok(settings));
        assert_eq!(written("a = 1", &[]).as_deref(), Ok("a = 1"), "a line's end is no change");
        assert_eq!(
            written("a = 1.50", &[change("a", 1.5)]).as_deref(),
            Ok("a = 1.50"),
            "nor is another way to write it"
        );
        assert!(written("policy = 3\n", &[change("policy.spam.hold", 0.5)]).is_err());
        assert!(written("[policy", &[change("policy.spam.hold", 0.5)]).is_err());
    }

    #[test]
    fn what_a_check_weighs_is_known_by_its_name() {
        for (key, expected) in [
            ("weight", true),
            ("max_weight", true),
            ("weight_per_host", true),
            ("max_good", true),
            ("min_evidence", false),
            ("max_hosts", false),
        ] {
            assert_eq!(is_weight(key), expected, "{key}");
        }
    }

    #[test]
    fn lines_end_as_they_did_and_no_line_changes_but_those_that_say_something_else() {
        let hold = change("policy.spam.hold", 0.6);
        let path = ["sites", "my.site", "policy", "abuse", "hold"].map(str::to_owned);
        let site = Change { path: path.to_vec(), number: 0.7 };
        let both = [hold, site];
        for (settings, expected) in [
            (
                "# Ours\r\n[policy.spam]\r\nhold = 0.5 # doubt\r\nreject = 1.0\r\n",
                "# Ours\r\n[policy.spam]\r\nhold = 0.6 # doubt\r\nreject = 1.0\r\n\r\n[sites.\"my.site\".policy.abuse]\r\nhold = 0.7\r\n",
            ),
            (
                "[policy.spam]\nhold = 0.5",
                "[policy.spam]\nhold = 0.6\n\n[sites.\"my.site\".policy.abuse]\nhold = 0.7\n",
            ),
            (
                "\u{feff}[sites.\"my.site\".policy.abuse]\nreject = 0.9 # ours",
                "\u{feff}[sites.\"my.site\".policy.abuse]\nreject = 0.9 # ours\nhold = 0.7\n\n[policy.spam]\nhold = 0.6\n",
            ),
            (
                "[policy.spam]\nhold = 0.5\r\n[log]\nlevel = \"\"\"in\r\nfo\"\"\"\r\n[sites.\"my.site\"]\npolicy.abuse.hold = 0.9",
                "[policy.spam]\nhold = 0.6\n[log]\nlevel = \"\"\"in\r\nfo\"\"\"\r\n[sites.\"my.site\"]\npolicy.abuse.hold = 0.7\n",
            ),
        ] {
            assert_eq!(written(settings, &both).as_deref(), Ok(expected), "{settings:?}");
        }
    }

    #[test]
    fn sections_within_braces_and_dots_grow_where_they_are() {
        let changes =
            [change("policy.abuse.hold", 0.8), change("policy.spam.hold", 0.6), change("signals.burst.weight", 0.2)];
        for settings in [
            "policy = { spam = { hold = 0.5 } }\nsignals = {}\n",
            "policy.spam.hold = 0.5\nsignals.burst = { page_weight = 1.0 }\n",
            "[policy]\nspam = { reject = 1.0 } # never\n[signals]\n[[rules]]\nname = \"a\"\n[[rules]]\nname = \"b\"\n",
            "",
        ] {
            let new = written(settings, &changes).unwrap_or_else(|problem| panic!("{problem}: {settings:?}"));
            let read: toml::Table = new.parse().unwrap();
            for change in &changes {
                assert_eq!(change.found_in(&read), Some(change.number), "{settings:?}: {new}");
            }
            let rules = |table: &toml::Table| table.get("rules").cloned();
            assert_eq!(rules(&read), rules(&settings.parse().unwrap()), "{new}");
        }
    }
}
