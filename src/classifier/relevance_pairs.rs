//! Comments under their own page and under others: what weights of relevance are fitted on, and what they are measured on.
//!
//! A comment meets what stood there when it came: the page, and the comments before it, as the service keeps them. Its counter-example is the
//! same comment under the page, and in the thread, of another comment of the same site. Pages are set apart by [`part_of`]; words and weights
//! learn nothing from those that are measured.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use linfa::prelude::*;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2, ShapeBuilder as _};
use serde::Deserialize;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::evaluate::{Scored, auc};
use super::train::Without;
use super::words::{Part, part_of};
use crate::domain::bearing::{self, Bearing};
use crate::domain::comment::{Article, ExternalId};
use crate::domain::embedding::{Embedding, Gist};
use crate::domain::fit::{Around, FEATURES, Found, Line, Question, Weights, find};
use crate::domain::normalise::{fold_plain, words};
use crate::domain::relevance::{Background, Page};
use crate::domain::siblings::{Sibling, Siblings, Thread};
use crate::domain::terms::Terms;

/// A line of a file, as far as relevance is concerned.
#[derive(Debug, Clone, Deserialize)]
struct Said {
    id: String,
    text: String,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    group: Option<String>,
    #[serde(default)]
    author: Option<String>,
    #[serde(default)]
    date: Option<String>,
}

/// What texts are compared with.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    /// Word statistics.
    pub background: &'a Background,
    /// Word vectors.
    pub embedding: &'a Embedding,
}

impl Words<'_> {
    fn of(&self, plain: &str) -> Text {
        let text = fold_plain(plain).into_text();
        let ranges = words(&text);
        let words = || ranges.iter().map(|word| &text[word.start as usize..word.end as usize]);
        Text {
            terms: Terms::of(words(), self.background),
            gist: self.embedding.gist(words()),
            bearing: Bearing::of(words(), plain),
        }
    }
}

/// What is looked at of a text.
struct Text {
    terms: Terms,
    gist: Gist,
    bearing: Bearing,
}

/// A comment and what stood there when it came.
pub struct Spoken {
    text: Text,
    page: usize,
    siblings: Option<Arc<Siblings>>,
    /// Distinct content words.
    pub words: usize,
}

/// Pages of one site with their comments.
pub struct Ground {
    pages: Vec<Page>,
    /// The comments, in an order that says nothing of their pages.
    pub spoken: Vec<Spoken>,
}

/// How a text carries itself.
pub(super) fn bearing_of(plain: &str) -> Bearing {
    let text = fold_plain(plain).into_text();
    let ranges = words(&text);
    Bearing::of(ranges.iter().map(|word| &text[word.start as usize..word.end as usize]), plain)
}

/// Which surroundings a text is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Situation {
    /// The page alone.
    Page,
    /// What was said alone.
    Thread,
    /// Both.
    Both,
}

impl Ground {
    /// Reads the blog's pages of one part and at most `most` comments of each, but for those left out.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn read(data: &Path, part: Part, most: usize, without: &Without, with: Words<'_>) -> anyhow::Result<Self> {
        let mut ground = Self { pages: Vec::new(), spoken: Vec::new() };
        if without.left_out("blog_articles") || without.left_out("blog_comments") {
            return Ok(ground);
        }
        let held_out = match without.blog {
            0 => BTreeSet::new(),
            _ => without.blog_groups(&super::data::read(&data.join("blog_comments.jsonl"))?),
        };
        let mut by_page: BTreeMap<String, Vec<Said>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for said in read(&data.join("blog_comments.jsonl"))? {
            if let Some(group) = said.group.clone()
                && part_of("blog", &group) == part
                && !held_out.contains(&group)
                && seen.insert(xxh3_64(fold_plain(&said.text).text().as_bytes()))
            {
                by_page.entry(group).or_default().push(said);
            }
        }
        let mut spoken = Vec::new();
        for post in read(&data.join("blog_articles.jsonl"))? {
            let Some(mut comments) = by_page.remove(&post.id) else { continue };
            let mut article = Article::named(ExternalId::parse("id", "page".to_owned()).map_err(|e| anyhow!("{e}"))?);
            (article.title, article.text) = (post.title, Some(post.text));
            let page = Page::prepare(article, with.background, with.embedding);
            if !page.can_compare() {
                continue;
            }
            comments.sort_by(|a, b| (&a.date, &a.id).cmp(&(&b.date, &b.id)));
            let mut ranks: Vec<u64> = comments.iter().map(|said| xxh3_64(said.id.as_bytes())).collect();
            ranks.sort_unstable();
            let last = ranks.get(most.saturating_sub(1)).or(ranks.last()).copied().unwrap_or(0);
            let mut thread = Thread::default();
            for said in &comments {
                let text = with.of(&said.text);
                let (comment, rank) = (xxh3_64(said.id.as_bytes()), xxh3_64(said.id.as_bytes()));
                let author = xxh3_64(said.author.as_deref().unwrap_or(&said.id).as_bytes());
                let words = text.terms.iter().count();
                let sibling = Sibling::new(comment, author, &text.terms, &text.gist);
                if rank <= last && words > 0 {
                    let siblings = thread.around(comment, author);
                    let page = ground.pages.len();
                    spoken.push((rank, Spoken { text, page, siblings, words }));
                }
                if words > 0 {
                    thread.add(sibling);
                }
            }
            ground.pages.push(page);
        }
        spoken.sort_by_key(|(rank, _)| *rank);
        ground.spoken = spoken.into_iter().map(|(_, spoken)| spoken).collect();
        Ok(ground)
    }

    /// What is found of a text where comment number `at` stands; `None` where there is nothing of that kind.
    fn found(&self, text: &Text, at: usize, situation: Situation) -> Option<Found> {
        let place = &self.spoken[at];
        let page = (situation != Situation::Thread).then(|| &self.pages[place.page]);
        let siblings = place.siblings.as_deref();
        if situation != Situation::Page && siblings.is_none() {
            return None;
        }
        let siblings = siblings.filter(|_| situation != Situation::Page);
        let found = find(&text.terms, &text.gist, &Around { page, siblings, answered: None })?;
        Some(found.carried(text.bearing))
    }

    /// Every comment where it stands, and where another one stands, half the list away; with its number of content words.
    #[must_use]
    pub fn swapped(&self, situation: Situation) -> Vec<(Found, Found, usize)> {
        let usable: Vec<usize> = (0..self.spoken.len())
            .filter(|at| situation == Situation::Page || self.spoken[*at].siblings.is_some())
            .collect();
        let pair = |number: usize| {
            let at = usable[number];
            let away = usable[(number + usable.len() / 2) % usable.len()];
            let Spoken { text, page, words, .. } = &self.spoken[at];
            if *page == self.spoken[away].page {
                return None;
            }
            Some((self.found(text, at, situation)?, self.found(text, away, situation)?, *words))
        };
        (0..usable.len()).filter_map(pair).collect()
    }

    /// Texts of other stories where comments stand, one after the other.
    #[must_use]
    pub fn foreign(&self, texts: &[String], with: Words<'_>, situation: Situation) -> Vec<Found> {
        let places = texts.iter().zip(0..self.spoken.len());
        places.filter_map(|(text, at)| self.found(&with.of(text), at, situation)).collect()
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<Said>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{}", path.display()))?;
    let line = |line: &str| serde_json::from_str(line).with_context(|| format!("{}", path.display()));
    text.lines().filter(|text| !text.trim().is_empty()).map(line).collect()
}

/// Headlines of one part, and beginnings of stories, in an order of hashes.
///
/// # Errors
/// A file cannot be read.
pub fn headlines(data: &Path, part: Part, without: &Without) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for name in ["headlines_clickbait", "fnc_bodies"] {
        let path = data.join(format!("{name}.jsonl"));
        if without.left_out(name) || !path.is_file() {
            continue;
        }
        for said in read(&path)? {
            if part_of(name, &said.id) == part {
                let rank = xxh3_64(said.id.as_bytes());
                let length = if name == "fnc_bodies" { 8 + usize::try_from(rank % 6).unwrap_or(0) } else { usize::MAX };
                let text = said.text.split_whitespace().take(length).collect::<Vec<_>>().join(" ");
                // A story in ten is enough beside so many headlines.
                found.push((xxh3_64_with_seed(said.id.as_bytes(), 1), text));
            }
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, text)| text).collect())
}

/// Fits the weights on the pages that are there for it.
///
/// # Errors
/// linfa fails.
pub fn fit(ground: &Ground, headlines: &[String], with: Words<'_>) -> anyhow::Result<Weights> {
    let mut weights = Weights { words: format!("{:016x}", with.embedding.version()), ..Weights::default() };
    for situation in [Situation::Page, Situation::Thread, Situation::Both] {
        let pairs = ground.swapped(situation);
        let own: Vec<Found> = pairs.iter().map(|(own, _, _)| *own).collect();
        let other: Vec<Found> = pairs.iter().map(|(_, other, _)| *other).collect();
        let foreign = ground.foreign(headlines, with, situation);
        let half: Vec<Found> = other.iter().step_by(2).chain(&foreign).take(own.len()).copied().collect();
        *line(&mut weights.own, situation) = logistic(&own, &other, false)?;
        *line(&mut weights.foreign, situation) = logistic(&own, &half, true)?;
    }
    Ok(weights)
}

fn line(question: &mut Question, situation: Situation) -> &mut Line {
    match situation {
        Situation::Page => &mut question.page,
        Situation::Thread => &mut question.thread,
        Situation::Both => &mut question.both,
    }
}

/// linfa's logistic regression of what stands where it belongs against what does not.
pub(super) fn logistic(own: &[Found], other: &[Found], with_bearing: bool) -> anyhow::Result<Line> {
    if own.is_empty() || other.is_empty() {
        return Ok(Line::default());
    }
    // One more of what belongs, so that linfa's positive class, the more frequent one, is never in doubt.
    let rows: Vec<(&Found, bool)> = own
        .iter()
        .chain(own.first())
        .map(|found| (found, true))
        .chain(other.iter().take(own.len()).map(|found| (found, false)))
        .collect();
    let mut matrix = Array2::<f64>::zeros((rows.len(), FEATURES + bearing::FEATURES).f());
    for (row, (found, _)) in rows.iter().enumerate() {
        let bearing = found.bearing.features().map(|value| if with_bearing { value } else { 0.0 });
        for (at, value) in found.features().into_iter().chain(bearing).enumerate() {
            matrix[(row, at)] = f64::from(value);
        }
    }
    let labels = Array1::from_iter(rows.iter().map(|(_, own)| *own));
    let fitted = LogisticRegression::default()
        .alpha(1.0)
        .max_iterations(200)
        .fit(&Dataset::new(matrix, labels))
        .map_err(|error| anyhow!("linfa-logistic: {error}"))?;
    let sign = if fitted.labels().pos.class { 1.0 } else { -1.0 };
    let mut line = Line { intercept: rounded(sign * fitted.intercept()), ..Line::default() };
    for (weight, fitted) in line.weights.iter_mut().chain(&mut line.bearing.0).zip(fitted.params()) {
        *weight = rounded(sign * fitted);
    }
    Ok(line)
}

/// Four places are enough, and the same on every machine.
#[expect(clippy::cast_possible_truncation, reason = "weights are small numbers")]
fn rounded(value: f64) -> f32 {
    ((value * 10_000.0).round() / 10_000.0) as f32
}

/// Content words between which figures are told apart.
pub const BUCKETS: [(usize, usize); 5] = [(1, 3), (4, 7), (8, 15), (16, 30), (31, usize::MAX)];

/// The chance that a comment fits its own page better than another's: of all, and by its number of content words.
#[must_use]
pub fn swapped_auc(ground: &Ground, weights: &Weights, situation: Situation) -> (f64, [f64; 5]) {
    let pairs = ground.swapped(situation);
    let of = |keep: &dyn Fn(usize) -> bool| {
        let kept = pairs.iter().filter(|(_, _, words)| keep(*words));
        let scored: Vec<Scored> = kept
            .flat_map(|(own, other, _)| {
                [(own, true), (other, false)].map(|(found, label)| (f64::from(weights.own.log_odds(found)), label))
            })
            .collect();
        auc(&scored)
    };
    (of(&|_| true), BUCKETS.map(|(from, to)| of(&|words| (from..=to).contains(&words))))
}

/// Readers' comments and texts of other stories under the same pages, by the log-odds that they belong there: area, and the share of the texts
/// below all but one in a hundred of the comments.
#[must_use]
pub fn foreign_auc(
    ground: &Ground,
    texts: &[String],
    with: Words<'_>,
    weights: &Weights,
    situation: Situation,
) -> (f64, f64) {
    let score = |found: &Found| f64::from(weights.foreign.log_odds(found));
    let own: Vec<f64> = ground.swapped(situation).iter().map(|(own, _, _)| score(own)).collect();
    let foreign: Vec<f64> = ground.foreign(texts, with, situation).iter().map(score).collect();
    let scored: Vec<Scored> =
        own.iter().map(|score| (*score, true)).chain(foreign.iter().map(|score| (*score, false))).collect();
    let mut sorted = own;
    sorted.sort_by(f64::total_cmp);
    let bound = sorted.get(sorted.len() / 100).copied().unwrap_or(f64::MIN);
    #[expect(clippy::cast_precision_loss, reason = "counts of texts")]
    let below = foreign.iter().filter(|score| **score < bound).count() as f64 / foreign.len().max(1) as f64;
    (auc(&scored), below)
}

/// The texts (titles, where there are any) of a file of headlines.
///
/// # Errors
/// It cannot be read.
pub fn texts(path: &Path) -> anyhow::Result<Vec<String>> {
    let mut texts: Vec<(u64, String)> = Vec::new();
    for said in read(path)? {
        let text = said.title.unwrap_or(said.text);
        texts.push((xxh3_64(text.as_bytes()), text));
    }
    texts.sort();
    texts.dedup();
    Ok(texts.into_iter().map(|(_, text)| text).collect())
}
