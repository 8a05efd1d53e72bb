//! Labelled rows as the checks meet them: comment, page, the comment answered, and a past in which nothing happened.
//!
//! The rows' authors are pseudonyms, made of letters and digits, and no name that anybody chose: they are not handed over, so that checks of
//! names say nothing about them. Homepages are in none of the sets.

use std::collections::HashMap;
use std::path::Path;

use super::data::{self, Row};
use crate::domain::comment::{ArticleDraft, Bounds, Draft, Format};
use crate::domain::history::PastOf;
use crate::domain::known::Known;
use crate::domain::normalise::{fold_body, normalise, words};
use crate::domain::relevance::Page;
use crate::domain::siblings::{Sibling, Siblings};
use crate::domain::signal::{Allowance, Context, Resources};
use crate::domain::site::SiteId;
use crate::domain::terms::Terms;
use crate::domain::time::Timestamp;
use crate::domain::view::View;

/// The moment at which everything is looked at.
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Where rows stand; pages are prepared once.
pub struct Scenes<'a> {
    resources: &'a Resources,
    /// The blog's posts by id: its comments carry the title only.
    posts: HashMap<String, String>,
    pages: HashMap<u64, Page>,
    bounds: Bounds,
}

impl<'a> Scenes<'a> {
    /// Prepares to look; `folder` holds the blog's posts.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn new(folder: &Path, resources: &'a Resources) -> anyhow::Result<Self> {
        let posts = data::read(&folder.join("blog_articles.jsonl"))?;
        let bounds = Bounds { max_comment_bytes: 100_000, ..Bounds::default() };
        let posts = posts.into_iter().map(|row| (row.id, row.text)).collect();
        Ok(Self { resources, posts, pages: HashMap::new(), bounds })
    }

    /// Shows a row of `source` to `look`; `None` when no site could post it.
    pub fn show<T>(&mut self, source: &str, row: &Row, look: impl FnOnce(&Context<'_>) -> T) -> Option<T> {
        let body: String = row.text.replace('\0', " ").chars().take(20_000).collect();
        let article = self.article(source, row);
        let key = data::group_hash(source, row);
        if let Some(article) = &article
            && !self.pages.contains_key(&key)
            && let Ok(article) = article.clone().parse(&self.bounds)
        {
            let page = Page::prepare(article, &self.resources.background, &self.resources.embedding);
            self.pages.insert(key, page);
        }
        let article = article.unwrap_or_else(|| ArticleDraft { id: "page".to_owned(), ..ArticleDraft::default() });
        let draft = Draft { id: "row".to_owned(), article, body, ..Draft::default() };
        let comment = normalise(SiteId(0), draft.parse(&self.bounds).ok()?, false);
        let parent = row.context.as_deref().filter(|text| !text.trim().is_empty());
        let parent = parent.map(|text| fold_body(text, Format::Text));
        let answered = parent.as_deref().and_then(|text| self.summary(text));
        let past = PastOf::empty(&comment.trace);
        Some(look(&Context {
            comment: &comment,
            gist: &self.resources.embedding.gist(comment.body.words()),
            terms: &Terms::of(comment.body.words(), &self.resources.background),
            siblings: Known::NotApplicable,
            answered: answered.as_ref(),
            page: self.pages.get(&key).map_or(Known::NotApplicable, Known::Known),
            parent: parent.as_deref().map_or(Known::NotApplicable, Known::Known),
            past: &past,
            allowance: &Allowance::Off,
            now: NOW,
            view: View::default(),
        }))
    }

    /// The row's page, where it knows more than its id.
    fn article(&self, source: &str, row: &Row) -> Option<ArticleDraft> {
        let post = (source == "blog_comments").then(|| self.posts.get(row.group.as_ref()?)).flatten();
        let known = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let (title, text) = (known(&row.title), post.cloned().or_else(|| known(&row.article)));
        let cut = |text: String, most: usize| text[..text.floor_char_boundary(most)].to_owned();
        (title.is_some() || text.is_some()).then(|| ArticleDraft {
            id: format!("{:016x}", data::group_hash(source, row)),
            title: title.map(|title| cut(title, 1_900)),
            text: text.map(|text| cut(text, 20_000)),
            ..ArticleDraft::default()
        })
    }

    fn summary(&self, text: &str) -> Option<Siblings> {
        let ranges = words(text);
        let words = || ranges.iter().map(|word| &text[word.start as usize..word.end as usize]);
        let terms = Terms::of(words(), &self.resources.background);
        Siblings::of([Sibling::new(0, 0, &terms, &self.resources.embedding.gist(words()))].iter())
    }
}
