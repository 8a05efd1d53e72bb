//! Settings with other numbers in them: everything else stands as it was written.

use toml_edit::{DocumentMut, Item, Table, Value, value};

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

/// A settings file's text with these numbers, wherever and however each is written there; what is not there is added.
///
/// # Errors
/// It is no TOML, or something else stands in the place of a section.
pub fn written(settings: &str, changes: &[Change]) -> Result<String, String> {
    let mut document: DocumentMut = settings.parse().map_err(|error: toml_edit::TomlError| error.to_string())?;
    for Change { path, number } in changes {
        let Some((key, sections)) = path.split_last() else { continue };
        let taken = || format!("{}: something else stands in the place of a section", path.join("."));
        let mut place: &mut dyn toml_edit::TableLike = document.as_table_mut();
        for section in sections {
            let mut new = Table::new();
            new.set_implicit(true); // sections that hold nothing but others have no line of their own
            place = place.entry(section).or_insert(Item::Table(new)).as_table_like_mut().ok_or_else(taken)?;
        }
        match place.get_mut(key).and_then(Item::as_value_mut) {
            Some(there) => {
                let decor = there.decor().clone();
                *there = Value::from(*number);
                *there.decor_mut() = decor;
            }
            None => drop(place.insert(key, value(*number))),
        }
    }
    Ok(document.to_string())
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
        assert!(written("policy = 3\n", &[change("policy.spam.hold", 0.5)]).is_err());
        assert!(written("[policy", &[]).is_err());
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
}
