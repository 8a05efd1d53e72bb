//! The stories of the site: written for it, about places and people that do not exist.

use serde::Deserialize;

const STORIES: &str = include_str!("stories.json");

/// A story.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Story {
    /// The site's name for it.
    pub id: String,
    /// Where in the paper it stands.
    pub section: String,
    /// Its headline.
    pub headline: String,
    /// Who wrote it.
    pub by: String,
    /// For which desk, or where.
    pub desk: String,
    /// Hours before the site was opened that it appeared.
    pub hours_ago: i64,
    /// What it is about.
    pub tags: Vec<String>,
    /// One sentence or two for the front page.
    pub summary: String,
    /// The text.
    pub paragraphs: Vec<String>,
}

impl Story {
    /// The text in one piece, as Doorward is told it.
    #[must_use]
    pub fn text(&self) -> String {
        self.paragraphs.join("\n\n")
    }

    /// Where it is to be read, as Doorward is told.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://courier.example/{}/{}", self.section_id(), self.id)
    }

    /// The section as Doorward is told it.
    #[must_use]
    pub fn section_id(&self) -> String {
        self.section.to_lowercase()
    }
}

/// All stories, in the order of the front page.
///
/// # Errors
/// The embedded file cannot be read: a test would have said so.
pub fn stories() -> Result<Vec<Story>, serde_json::Error> {
    serde_json::from_str(STORIES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stories_are_of_the_length_of_news() {
        let stories = stories().unwrap();
        assert_eq!(stories.len(), 6);
        for story in stories {
            let words = story.text().split_whitespace().count();
            assert!((250..=400).contains(&words), "{}: {words} words", story.id);
        }
    }
}
