//! The table of word vectors: taken from a folder that holds one as others publish them, and taught by the labelled files what readers say
//! under a page.
//!
//! The folder holds `NAME.vocab.tsv` (word, information in nats, scale) and `NAME.i8.bin` (a row of bytes for each). Vectors start as a
//! sentence transformer (all-MiniLM-L6-v2, Apache-2.0) has them word by word. Learned from are published comments and their pages, answers and
//! their questions, and pieces of stories and the rest of them; no label of spam or abuse, and none of the groups that measuring keeps for
//! itself ([`part_of`]). The same folders give the same bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use xxhash_rust::xxh3::xxh3_64;

use super::contrast::{Bag, Pair, contrast};
use super::data::{self, Row};
use super::train::Without;
use crate::domain::embedding::{Embedding, WIDTH};
use crate::domain::headline::is_common;
use crate::domain::normalise::{fold_plain, words};

/// The files' name without ending.
const NAME: &str = "minilm_words_30k_128";
/// Content words that a text must have to be learned from.
const MIN_WORDS: usize = 3;
/// Words of a text that are looked at.
const MAX_WORDS: usize = 2_000;

/// What groups (pages, questions, stories) are there for: what is learned on one part is never measured on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Word vectors learn from it.
    Vectors,
    /// The joint measure of relevance is fitted on it.
    Joint,
    /// Nothing learns from it.
    Measured,
}

/// What a group of a file is there for: the same on every machine, five, one and two of eight.
#[must_use]
pub fn part_of(source: &str, group: &str) -> Part {
    match xxh3_64(format!("relevance/{source}/{group}").as_bytes()) % 8 {
        0 | 1 => Part::Measured,
        2 => Part::Joint,
        _ => Part::Vectors,
    }
}

/// The folder with word vectors that belongs to a folder of labelled files: `embeddings` in it, or beside it.
#[must_use]
pub fn folder_of(data: &Path) -> Option<PathBuf> {
    let holds = |folder: &PathBuf| folder.join(format!("{NAME}.vocab.tsv")).is_file();
    [data.join("embeddings"), data.join("../embeddings")].into_iter().find(holds)
}

/// Makes the table from the vectors that belong to `data` and the labelled files in it, but for those that are left out; `None` when no
/// vectors belong to it.
///
/// # Errors
/// A file cannot be read, or the vectors do not fit their words.
pub fn make(data: &Path, without: &Without, progress: &mut dyn FnMut(&str)) -> anyhow::Result<Option<Embedding>> {
    let Some(folder) = folder_of(data) else { return Ok(None) };
    let mut table = Table::read(&folder)?;
    let pairs = pairs(data, without, &table)?;
    let counts: Vec<String> = pairs.iter().map(|pairs| pairs.len().to_string()).collect();
    progress(&format!("word vectors: {} words, pairs by source {}", table.words.len(), counts.join(", ")));
    contrast(&mut table.vectors, &pairs, progress);
    Ok(Some(table.pack()))
}

/// A table that is being made.
struct Table {
    words: Vec<(String, f32)>,
    vectors: Vec<[f32; WIDTH]>,
    rows: BTreeMap<String, u32>,
}

impl Table {
    /// Words that say nothing of a subject are left out.
    fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(format!("{NAME}.vocab.tsv"));
        let vocabulary = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
        let path = folder.join(format!("{NAME}.i8.bin"));
        let rows = std::fs::read(&path).with_context(|| format!("{}", path.display()))?;
        let lines: Vec<&str> = vocabulary.lines().collect();
        ensure!(rows.len() == lines.len() * WIDTH, "{}: {} words, {} bytes", path.display(), lines.len(), rows.len());
        let mut table = Self { words: Vec::new(), vectors: Vec::new(), rows: BTreeMap::new() };
        for (at, (line, row)) in lines.iter().zip(rows.chunks_exact(WIDTH)).enumerate() {
            let mut fields = line.split('\t');
            let mut next = || fields.next().with_context(|| format!("line {} of the vocabulary lacks a field", at + 1));
            let (word, idf, scale) = (next()?, next()?.parse::<f32>()?, next()?.parse::<f32>()?);
            let word = fold_plain(word).into_text();
            let mut vector = [0.0; WIDTH];
            for (value, byte) in vector.iter_mut().zip(row) {
                *value = f32::from(i8::from_le_bytes([*byte])) * scale;
            }
            let number = u32::try_from(table.words.len())?;
            if !is_common(&word) && table.rows.insert(word.clone(), number).is_none() {
                table.words.push((word, idf));
                table.vectors.push(vector);
            }
        }
        Ok(table)
    }

    fn pack(&self) -> Embedding {
        let words = self.words.iter().zip(&self.vectors);
        Embedding::build(words.map(|((word, idf), vector)| (word.as_str(), *idf, *vector)))
    }

    /// A text's known words, each once.
    fn text(&self, words: &[&str]) -> Bag {
        self.bag(words.iter().map(|word| (*word, 1.0)), |_| 1.0)
    }

    /// A page's known words, those of the title three times; how often one stands there counts by its logarithm, as in `Page`.
    fn page(&self, title: &[&str], text: &[&str]) -> Bag {
        let words = title.iter().map(|word| (*word, 3.0)).chain(text.iter().map(|word| (*word, 1.0)));
        self.bag(words, |count| 1.0 + count.ln())
    }

    fn bag<'a>(&self, words: impl Iterator<Item = (&'a str, f32)>, weigh: impl Fn(f32) -> f32) -> Bag {
        let mut counts: BTreeMap<u32, f32> = BTreeMap::new();
        for (word, count) in words.take(MAX_WORDS) {
            if let Some(row) = self.rows.get(word) {
                *counts.entry(*row).or_default() += count;
            }
        }
        counts.into_iter().map(|(row, count)| (row, weigh(count) * self.words[row as usize].1)).collect()
    }
}

/// A text, folded, with its words.
struct Folded {
    text: String,
    words: Vec<std::ops::Range<u32>>,
}

impl Folded {
    fn of(text: &str) -> Self {
        let text = fold_plain(text).into_text();
        Self { words: words(&text), text }
    }

    fn words(&self) -> Vec<&str> {
        self.words.iter().map(|word| &self.text[word.start as usize..word.end as usize]).collect()
    }
}

/// Pairs of texts that belong together, by source.
fn pairs(data: &Path, without: &Without, table: &Table) -> anyhow::Result<Vec<Vec<Pair>>> {
    let read = |name: &str| -> anyhow::Result<Vec<Row>> {
        let path = data.join(format!("{name}.jsonl"));
        if without.left_out(name) || !path.is_file() { Ok(Vec::new()) } else { data::read(&path) }
    };
    let learned = |source: &str, group: &str| part_of(source, group) == Part::Vectors;
    let posts: BTreeMap<String, Row> = read("blog_articles")?
        .into_iter()
        .filter(|row| learned("blog", &row.id))
        .map(|row| (row.id.clone(), row))
        .collect();
    let comments = read("blog_comments")?;
    let held_out = without.blog_groups(&comments);
    let posts: BTreeMap<String, Row> = posts.into_iter().filter(|(id, _)| !held_out.contains(id)).collect();
    let mut threads: BTreeMap<&str, Vec<Bag>> = BTreeMap::new();
    let mut under_posts = Vec::new();
    for row in &comments {
        let Some(post) = row.group.as_ref().and_then(|group| posts.get(group)) else { continue };
        let text = table.text(&Folded::of(&row.text).words());
        if text.len() >= MIN_WORDS {
            let (title, page) = (Folded::of(post.title.as_deref().unwrap_or_default()), Folded::of(&post.text));
            let other = table.page(&title.words(), &page.words());
            under_posts.push(Pair { text: text.clone(), other, group: group(&post.id) });
            threads.entry(&post.id).or_default().push(text);
        }
    }
    let mut siblings = Vec::new();
    for (post, texts) in threads {
        for two in texts.chunks_exact(2) {
            siblings.push(Pair { text: two[0].clone(), other: two[1].clone(), group: group(post) });
        }
    }
    let mut answers = Vec::new();
    for row in read("cqa_relevance")? {
        let (Some(question), Some("on_topic" | "potential")) = (row.group.as_deref(), row.label.as_deref()) else {
            continue;
        };
        let text = table.text(&Folded::of(&row.text).words());
        if learned("cqa_relevance", question) && text.len() >= MIN_WORDS {
            let title = Folded::of(row.title.as_deref().unwrap_or_default());
            let body = Folded::of(row.article.as_deref().unwrap_or_default());
            let other = table.page(&title.words(), &body.words());
            answers.push(Pair { text, other, group: group(question) });
        }
    }
    let mut pieces = Vec::new();
    for row in posts.values() {
        pieces.extend(cut(table, row));
    }
    let mut stories = Vec::new();
    for row in read("fnc_bodies")? {
        if learned("fnc_bodies", &row.id) {
            stories.extend(cut(table, &row));
        }
    }
    let sources = [under_posts, answers, stories, pieces, siblings];
    let whole = |pair: &Pair| !pair.text.is_empty() && !pair.other.is_empty();
    Ok(sources.map(|pairs| pairs.into_iter().filter(whole).collect()).into())
}

/// The beginning of a story and two other pieces of it, 8 to 29 words long, each with the rest.
fn cut(table: &Table, row: &Row) -> Vec<Pair> {
    let (title, text) = (Folded::of(row.title.as_deref().unwrap_or_default()), Folded::of(&row.text));
    let (title, words) = (title.words(), text.words());
    if words.len() < 80 {
        return Vec::new();
    }
    let piece = |number: u64| {
        let chance = xxh3_64(format!("{}/{number}", row.id).as_bytes());
        let length = usize::try_from(8 + chance % 22).unwrap_or(8);
        let last = words.len() - length;
        let start = if number == 0 { 0 } else { usize::try_from((chance >> 16) % last as u64).unwrap_or(0) };
        let rest = [&words[..start], &words[start + length..]].concat();
        Pair {
            text: table.text(&words[start..start + length]),
            other: table.page(&title, &rest),
            group: group(&row.id),
        }
    };
    (0..3).map(piece).collect()
}

fn group(name: &str) -> u64 {
    xxh3_64(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_found_in_the_data_or_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("train");
        std::fs::create_dir(&data).expect("made");
        let make = || make(&data, &Without::default(), &mut |_| {});
        assert!(make().expect("nothing is wrong").is_none());
        let beside = folder.path().join("embeddings");
        std::fs::create_dir(&beside).expect("made");
        std::fs::write(beside.join("minilm_words_30k_128.vocab.tsv"), "the\t0.7\t0.01\nboat\t4.5\t0.01\n")
            .expect("written");
        let bin = beside.join("minilm_words_30k_128.i8.bin");
        std::fs::write(&bin, [3_u8; 2 * WIDTH]).expect("written");
        let table = make().expect("made").expect("found beside the data");
        assert_eq!(table.rows(), 1, "common words are left out");
        let gist = table.gist(["the", "boat"].into_iter());
        assert!((gist.evidence - 4.5).abs() < 1e-6 && (gist.sum[5] - 4.5 * 0.03).abs() < 1e-3, "{gist:?}");
        std::fs::write(&bin, [3_u8; WIDTH]).expect("written");
        assert!(make().is_err(), "a row for each word");
    }

    #[test]
    fn groups_that_measuring_keeps_are_not_learned_from() {
        let table = Table {
            words: vec![("boat".to_owned(), 4.0), ("harbour".to_owned(), 4.0), ("tide".to_owned(), 4.0)],
            vectors: vec![[0.1; WIDTH]; 3],
            rows: [("boat", 0), ("harbour", 1), ("tide", 2)].map(|(word, row)| (word.to_owned(), row)).into(),
        };
        let folder = tempfile::tempdir().expect("a folder");
        let questions: Vec<String> = (0..80).map(|number| format!("q{number}")).collect();
        let line = |question: &String| {
            format!(
                r#"{{"id":"{question}","text":"boat harbour tide","label":"on_topic","group":"{question}","title":"tide","article":"boat"}}"#
            )
        };
        let lines: Vec<String> = questions.iter().map(line).collect();
        std::fs::write(folder.path().join("cqa_relevance.jsonl"), lines.join("\n")).expect("written");
        let learned = |without: &Without| pairs(folder.path(), without, &table).expect("read")[1].len();
        let expected = questions.iter().filter(|question| part_of("cqa_relevance", question) == Part::Vectors).count();
        assert!((20..80).contains(&expected));
        assert_eq!(learned(&Without::default()), expected);
        assert_eq!(learned(&Without { sources: vec!["cqa".to_owned()], blog: 0 }), 0);
    }
}
