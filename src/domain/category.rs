//! The three things a comment can be doubted for, each with its own score and thresholds.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a comment may be doubtful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// Unsolicited promotion.
    Spam,
    /// Nothing to do with the article or the conversation under it.
    OffTopic,
    /// Attacks on people.
    Abuse,
}

impl Category {
    /// All categories, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Spam, Self::OffTopic, Self::Abuse];

    /// The name used in JSON, settings and queue filters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Spam => "spam",
            Self::OffTopic => "off-topic",
            Self::Abuse => "abuse",
        }
    }

    /// The category of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.name() == name)
    }
}

/// One value for each category.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub struct PerCategory<T> {
    /// The value for [`Category::Spam`].
    pub spam: T,
    /// The value for [`Category::OffTopic`].
    pub off_topic: T,
    /// The value for [`Category::Abuse`].
    pub abuse: T,
}

impl<T> PerCategory<T> {
    /// Asks `value` once for each category.
    pub fn from_fn(mut value: impl FnMut(Category) -> T) -> Self {
        Self { spam: value(Category::Spam), off_topic: value(Category::OffTopic), abuse: value(Category::Abuse) }
    }
}

impl<T> std::ops::Index<Category> for PerCategory<T> {
    type Output = T;

    fn index(&self, category: Category) -> &T {
        match category {
            Category::Spam => &self.spam,
            Category::OffTopic => &self.off_topic,
            Category::Abuse => &self.abuse,
        }
    }
}

impl<T> std::ops::IndexMut<Category> for PerCategory<T> {
    fn index_mut(&mut self, category: Category) -> &mut T {
        match category {
            Category::Spam => &mut self.spam,
            Category::OffTopic => &mut self.off_topic,
            Category::Abuse => &mut self.abuse,
        }
    }
}
