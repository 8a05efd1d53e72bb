//! What differs between two candidates, as people read it.

use similar::TextDiff;

use super::trials::Candidate;

/// What differs, file by file.
pub(super) fn diff(from: &Candidate, to: &Candidate) -> String {
    let mut text = unified("config.toml", &from.text, &to.text);
    let of = |candidate: &Candidate, name: &str| {
        let found = candidate.files.iter().find(|(known, _)| known == name);
        found.map(|(_, text)| text.clone()).unwrap_or_default()
    };
    let mut names: Vec<&String> = from.files.iter().chain(&to.files).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        text += &unified(name, &of(from, name), &of(to, name));
    }
    text
}

fn unified(name: &str, from: &str, to: &str) -> String {
    if from == to {
        return String::new();
    }
    TextDiff::from_lines(from, to).unified_diff().header(name, name).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_names_every_file_that_differs_and_no_other() {
        let of = |text: &str, list: &str| Candidate {
            text: text.to_owned(),
            files: vec![("coins.txt".to_owned(), list.to_owned()), ("same.txt".to_owned(), "x\n".to_owned())],
        };
        let found = diff(&of("a = 1\n", "bitcoin\n"), &of("a = 2\n", "bitcoin\nether\n"));
        assert_eq!(
            found,
            "--- config.toml\n+++ config.toml\n@@ -1 +1 @@\n-a = 1\n+a = 2\n--- coins.txt\n+++ coins.txt\n@@ -1 +1,2 @@\n bitcoin\n+ether\n"
        );
        assert_eq!(diff(&of("a", ""), &of("a", "")), "");
    }
}
