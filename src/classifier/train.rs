//! Making a model: linfa learns, held-out sources calibrate, and nothing depends on the clock or the machine.
//!
//! Two learners compete on held-out groups: linfa-ftrl (McMahan et al., "Ad Click Prediction: a View from the Trenches", 2013), one example after
//! the other, and linfa-logistic (L-BFGS) on the features that chi-squared selects.
//! Calibration (Platt, "Probabilistic Outputs for Support Vector Machines", 1999) is made on margins of sources that the margin's model had not
//! seen: what a model says at home is no measure of what it says abroad.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::calibrate::{calibrate, calibration_error_abroad};
use super::data::{self, Row, Target};
use super::evaluate::{Scored, auc};
use super::features::{Features, SPEC, features};
use super::learners::{State, dot, logistic};
use super::model::{Header, Output};
use super::unseen::{Unseen, note};
use super::written;
use crate::domain::policy::{self, CategoryConfig};
use crate::domain::relevance::Background;
use crate::domain::scores::LogOdds;

/// A file of the data folder, and what of it is learned from.
pub(super) struct Source {
    pub(super) name: &'static str,
    pub(super) licence: &'static str,
    /// Spam or abuse at most: the rest says little new.
    most: usize,
    /// Ham at most. A wide sample of how people talk matters more than its balance.
    most_ham: usize,
    /// How often each positive counts.
    repeat: u32,
}

pub(super) const SOURCES: &[Source] = &[
    Source { name: "youtube_spam", licence: "CC BY 4.0 (as UCI lists it)", most: 5_000, most_ham: 5_000, repeat: 1 },
    Source { name: "blog_spam_templates", licence: "unclear", most: 5_000, most_ham: 5_000, repeat: 5 },
    Source { name: "datacamp_comments", licence: "unclear", most: 5_000, most_ham: 5_000, repeat: 3 },
    Source { name: "reddit_rules", licence: "unclear (competition rules)", most: 5_000, most_ham: 5_000, repeat: 1 },
    Source { name: "telegram_spam", licence: "MIT", most: 5_000, most_ham: 5_000, repeat: 1 },
    Source { name: "se_spam_titles", licence: "CC BY-SA 3.0", most: 800, most_ham: 800, repeat: 1 },
    Source { name: "sms_spam", licence: "CC BY 4.0 (as UCI lists it)", most: 750, most_ham: 2_500, repeat: 1 },
    Source {
        name: "blog_comments",
        licence: "comments by their authors, posts CC BY 2.0",
        most: 7_000,
        most_ham: 24_000,
        repeat: 1,
    },
    Source { name: "wiki_toxic", licence: "CC BY-SA (text)", most: 4_000, most_ham: 8_000, repeat: 4 },
    Source { name: "cqa_relevance", licence: "research", most: 2_500, most_ham: 8_000, repeat: 1 },
    Source { name: "davidson_hate", licence: "MIT", most: 3_500, most_ham: 4_500, repeat: 1 },
    Source { name: "civil_toxic_spans", licence: "CC0", most: 2_500, most_ham: 2_500, repeat: 1 },
    Source { name: written::NAME, licence: "ours", most: 10_000, most_ham: 10_000, repeat: 3 },
];

/// Files that page statistics are made of besides the pages of [`SOURCES`].
const BACKGROUND: &[&str] = &[BLOG_PAGES, "fnc_bodies", "headlines_clickbait"];
/// The pages of the blog's comments; their ids are the comments' groups.
const BLOG_PAGES: &str = "blog_articles";
/// Words kept of the page statistics.
const BACKGROUND_WORDS: usize = 60_000;

/// What is left out of a training.
#[derive(Debug, Clone, Default)]
pub struct Without {
    /// Sources, by the beginning of their file's name.
    pub sources: Vec<String>,
    /// Blog comments, in whole groups, at least that many.
    pub blog: usize,
}

impl Without {
    pub(super) fn left_out(&self, name: &str) -> bool {
        self.sources.iter().any(|source| name.starts_with(source.as_str()))
    }

    /// The pages whose comments are held out, of all the blog's comments.
    pub(super) fn blog_groups(&self, rows: &[Row]) -> BTreeSet<String> {
        if self.blog == 0 {
            return BTreeSet::new();
        }
        let rows = data::distinct(rows.to_vec(), &mut BTreeSet::new());
        let bound = held_out_bound(&rows, self.blog + self.blog / 10); // copies in other files were not taken away here
        let out = rows.into_iter().filter(|row| data::group_hash("blog_comments", row) <= bound);
        out.filter_map(|row| row.group).collect()
    }
}

/// A finished training.
pub struct Trained {
    /// What the model says of itself.
    pub header: Header,
    /// Spam and abuse.
    pub outputs: [Output; 2],
    /// Word statistics of pages.
    pub background: Background,
    /// Ids of the blog comments that were left out.
    pub held_out: Vec<String>,
    /// What was learned from, by models that had not seen it.
    pub unseen: Vec<Unseen>,
}

/// A row as the learners see it.
pub(super) struct Example {
    pub(super) source: usize,
    pub(super) group: u64,
    pub(super) features: Features,
    pub(super) target: Target,
    pub(super) repeat: u32,
}

/// Makes a model from the data folder. The same folder gives the same bytes.
///
/// # Errors
/// A file cannot be read, or the learners fail.
pub fn train(folder: &Path, without: &Without, progress: &mut dyn FnMut(&str)) -> anyhow::Result<Trained> {
    let left_out = |name: &str| without.left_out(name);
    let sources = read(folder, &left_out, without.blog)?;
    progress("read the sources");
    let background = background(folder, &sources, &left_out)?;
    let Sources { mut rows, held_out, .. } = sources;
    let mut digest = Sha256::new();
    let mut counts = BTreeMap::new();
    let (mut examples, mut unseen) = (Vec::new(), Vec::new());
    for (number, source) in SOURCES.iter().enumerate() {
        let taken = take(std::mem::take(&mut rows[number]), source);
        counts.insert(source.name.to_owned(), taken.len() as u64);
        for (row, target) in taken {
            digest.update(format!("{}\0{}\0{target:?}\n", source.name, row.id));
            let Some(comment) = data::comment(&row) else { continue };
            let positive = target.spam == Some(true) || target.abuse == Some(true);
            let repeat = if positive || source.name == written::NAME { source.repeat } else { 1 };
            let group = data::group_hash(source.name, &row);
            examples.push(Example { source: number, group, features: features(&comment, None), target, repeat });
            unseen.push(Unseen { source: source.name, row, said: [None; 2], target });
        }
    }
    progress(&format!("{} examples", examples.len()));
    let mut measured = BTreeMap::new();
    // Whatever else abuse is, it is nobody's advertising: it shows what people sound like on sites that no ham came from.
    let is_spam = |target: &Target| target.spam.or((target.abuse == Some(true)).then_some(false));
    let (spam, abroad) = output("spam", &examples, is_spam, &mut measured, progress)?;
    note(&mut unseen, 0, is_spam, &abroad, &spam);
    let (abuse, abroad) = output("abuse", &examples, |target| target.abuse, &mut measured, progress)?;
    note(&mut unseen, 1, |target| target.abuse, &abroad, &abuse);
    counts.retain(|_, count| *count > 0);
    let training = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let header = Header { features: SPEC.to_owned(), training, sources: counts, measured };
    let outputs = [spam, abuse];
    Ok(Trained { header, outputs, background, held_out: held_out.into_iter().collect(), unseen })
}

/// What was read, in the order of [`SOURCES`].
struct Sources {
    rows: Vec<Vec<Row>>,
    /// Ids of the blog comments that were held out.
    held_out: BTreeSet<String>,
    /// The pages that they stand under.
    held_out_pages: BTreeSet<String>,
}

fn read(folder: &Path, left_out: &dyn Fn(&str) -> bool, blog: usize) -> anyhow::Result<Sources> {
    let mut seen = BTreeSet::new();
    let mut of = |source: &Source| -> anyhow::Result<Vec<Row>> {
        Ok(data::distinct(data::learned(folder, source.name)?, &mut seen))
    };
    // First of all, so that their texts are not learned from any other file either.
    for source in SOURCES.iter().filter(|source| left_out(source.name)) {
        of(source)?;
    }
    let mut sources = Sources { rows: Vec::new(), held_out: BTreeSet::new(), held_out_pages: BTreeSet::new() };
    for source in SOURCES {
        let mut rows = if left_out(source.name) { Vec::new() } else { of(source)? };
        if source.name == "blog_comments" && blog > 0 && !rows.is_empty() {
            let bound = held_out_bound(&rows, blog);
            let (out, kept): (Vec<Row>, Vec<Row>) =
                rows.into_iter().partition(|row| data::group_hash("blog_comments", row) <= bound);
            rows = kept;
            sources.held_out_pages = out.iter().filter_map(|row| row.group.clone()).collect();
            sources.held_out = out.into_iter().map(|row| row.id).collect();
        }
        sources.rows.push(rows);
    }
    Ok(sources)
}

/// The group hash up to which whole groups hold at least `wanted` rows.
fn held_out_bound(rows: &[Row], wanted: usize) -> u64 {
    let mut hashes: Vec<u64> = rows.iter().map(|row| data::group_hash("blog_comments", row)).collect();
    hashes.sort_unstable();
    hashes.get(wanted.saturating_sub(1)).or(hashes.last()).copied().unwrap_or(0)
}

/// Statistics of all pages but those of what was left out or held out.
fn background(folder: &Path, sources: &Sources, left_out: &dyn Fn(&str) -> bool) -> anyhow::Result<Background> {
    let mut texts = Vec::new();
    for name in BACKGROUND.iter().filter(|name| !left_out(name)) {
        let rows = data::read(&folder.join(format!("{name}.jsonl")))?;
        let is_out = |row: &Row| *name == BLOG_PAGES && sources.held_out_pages.contains(&row.id);
        let rows = rows.into_iter().filter(|row| !is_out(row));
        texts.extend(rows.map(|row| format!("{} {}", row.title.unwrap_or_default(), row.text)));
    }
    // Pages of comments, once a group; what was left out or held out is not among the rows any more.
    let mut groups = BTreeSet::new();
    for row in sources.rows.iter().flatten() {
        if let (Some(group), Some(article)) = (&row.group, &row.article)
            && groups.insert(group.clone())
        {
            texts.push(format!("{} {article}", row.title.clone().unwrap_or_default()));
        }
    }
    Ok(Background::build(texts.into_iter(), BACKGROUND_WORDS))
}

/// At most so many of each class, chosen by hash.
fn take(rows: Vec<Row>, source: &Source) -> Vec<(Row, Target)> {
    let labelled = rows.into_iter().filter_map(|row| Some((data::target(source.name, &row)?, row)));
    let (mut positive, mut negative): (Vec<_>, Vec<_>) = labelled
        .map(|(target, row)| (row, target))
        .partition(|(_, target)| target.spam == Some(true) || target.abuse == Some(true));
    for (class, most) in [(&mut positive, source.most), (&mut negative, source.most_ham)] {
        class.sort_by_key(|(row, _)| xxhash_rust::xxh3::xxh3_64(row.id.as_bytes()));
        class.truncate(most);
    }
    positive.append(&mut negative);
    positive
}

/// An example with its label for one output.
pub(super) type Labelled<'a> = (&'a Example, bool);

fn output(
    name: &str,
    examples: &[Example],
    label: impl Fn(&Target) -> Option<bool>,
    measured: &mut BTreeMap<String, f64>,
    progress: &mut dyn FnMut(&str),
) -> anyhow::Result<(Output, Vec<(usize, Vec<Scored>)>)> {
    let labelled: Vec<Labelled<'_>> =
        examples.iter().filter_map(|example| Some((example, label(&example.target)?))).collect();
    let (held, kept): (Vec<Labelled<'_>>, Vec<Labelled<'_>>) =
        labelled.iter().copied().partition(|(example, _)| example.group % 5 == 0 && !is_ours(example));
    let first = State::fit(&kept)?;
    let second = logistic(&kept)?;
    let of = |weights: &[f64]| auc(&scored(&held, weights));
    let (ftrl_auc, logistic_auc) = (of(&first.weights()?), of(&second.weights));
    measured.insert(format!("{name}.held-out groups.linfa-ftrl.auc"), rounded(ftrl_auc));
    measured.insert(format!("{name}.held-out groups.linfa-logistic.auc"), rounded(logistic_auc));
    progress(&format!("{name}: held-out groups, AUC {ftrl_auc:.4} by linfa-ftrl, {logistic_auc:.4} by linfa-logistic"));
    let by_ftrl = ftrl_auc >= logistic_auc;
    let abroad = abroad(name, &labelled, by_ftrl, measured, progress)?;
    let margins: Vec<Scored> = abroad.iter().flat_map(|(_, margins)| evenly(margins)).collect();
    let (platt, base) = calibrate(&margins)?;
    if let Some(error) = calibration_error_abroad(&abroad) {
        measured.insert(format!("{name}.unseen sources.calibration error"), rounded(error));
        progress(&format!("{name}: calibration error on unseen sources {error:.4}, their base rates corrected"));
    }
    let policy = policy::Config::default();
    let policy = if name == "spam" { &policy.spam } else { &policy.abuse };
    for (source, margins) in &abroad {
        for (class, positive) in [("ham", false), ("positives", true)] {
            let class_margins = margins.iter().filter(|(_, label)| *label == positive).map(|(margin, _)| *margin);
            let Some(share) = share_held(class_margins, policy, platt, base) else { continue };
            let source = SOURCES[*source].name;
            measured.insert(format!("{name}.unseen source.{source}.{class} held"), rounded(share));
            progress(&format!("{name}: {source} as an unseen source, {class} held {share:.4}"));
        }
    }
    let (weights, golden) = if by_ftrl {
        let state = State::fit(&labelled)?;
        (state.weights()?, state.golden(&labelled)?)
    } else {
        let fitted = logistic(&labelled)?;
        let golden = fitted.golden(&labelled);
        (fitted.weights, golden)
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "kept in single precision; golden vectors prove that it is enough"
    )]
    let weights =
        (0_u32..).zip(&weights).filter(|(_, weight)| **weight != 0.0).map(|(index, weight)| (index, *weight as f32));
    let learner = if by_ftrl { "linfa-ftrl" } else { "linfa-logistic" }.to_owned();
    let output = Output { name: name.to_owned(), learner, platt, base, weights: weights.collect(), golden };
    Ok((output, abroad))
}

/// Margins of every source by a model that had not seen it.
fn abroad(
    name: &str,
    labelled: &[Labelled<'_>],
    by_ftrl: bool,
    measured: &mut BTreeMap<String, f64>,
    progress: &mut dyn FnMut(&str),
) -> anyhow::Result<Vec<(usize, Vec<Scored>)>> {
    let mut margins = Vec::new();
    let read = labelled.iter().filter(|(example, _)| !is_ours(example));
    let sources: BTreeSet<usize> = read.map(|(example, _)| example.source).collect();
    for source in sources {
        let (out, kept): (Vec<Labelled<'_>>, Vec<Labelled<'_>>) =
            labelled.iter().copied().partition(|(example, _)| example.source == source);
        let weights = if by_ftrl { State::fit(&kept)?.weights()? } else { logistic(&kept)?.weights };
        let found = scored(&out, &weights);
        let area = auc(&found);
        if area.is_finite() {
            measured.insert(format!("{name}.unseen source.{}.auc", SOURCES[source].name), rounded(area));
            progress(&format!("{name}: {} as an unseen source, AUC {area:.4}", SOURCES[source].name));
        }
        margins.push((source, found));
    }
    Ok(margins)
}

/// Whether we wrote it: learned from, never measured on.
fn is_ours(example: &Example) -> bool {
    SOURCES[example.source].name == written::NAME
}

/// About a thousand of a source's margins: none says more than another by being larger.
pub(super) fn evenly(margins: &[Scored]) -> impl Iterator<Item = Scored> {
    margins.iter().copied().step_by((margins.len() / 1_000).max(1))
}

/// Of comments with these margins, the share that the model alone would have a person look at; `None` when there are none.
#[expect(clippy::cast_precision_loss, reason = "counts of examples")]
fn share_held(
    margins: impl Iterator<Item = f64>,
    policy: &CategoryConfig,
    platt: (f64, f64),
    base: f64,
) -> Option<f64> {
    let (mut all, mut held) = (0_usize, 0_usize);
    for margin in margins {
        let most = policy.model_max.get();
        let said = (-(platt.0 * margin + platt.1) - base).clamp(-most, most);
        all += 1;
        held += usize::from(LogOdds::of(policy.prior.get() + said).probability() >= policy.hold);
    }
    (all > 0).then(|| held as f64 / all as f64)
}

fn scored(labelled: &[Labelled<'_>], weights: &[f64]) -> Vec<Scored> {
    labelled.iter().map(|(example, label)| (dot(&example.features, weights), *label)).collect()
}

fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with every file: `lines` of those named, nothing in the others.
    fn folder(lines: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for name in SOURCES.iter().map(|source| source.name).chain(BACKGROUND.iter().copied()) {
            let of = lines.iter().filter(|(file, _)| *file == name).map(|(_, line)| format!("{line}\n"));
            std::fs::write(folder.path().join(format!("{name}.jsonl")), of.collect::<String>()).expect("written");
        }
        folder
    }

    fn ids(sources: &Sources, name: &str) -> Vec<String> {
        let at = SOURCES.iter().position(|source| source.name == name).expect("a source");
        sources.rows[at].iter().map(|row| row.id.clone()).collect()
    }

    #[test]
    fn what_is_left_out_is_learned_from_no_other_file() {
        let folder = folder(&[
            ("youtube_spam", r#"{"id":"y-1","text":"Visit  MY channel","label":"spam"}"#),
            ("youtube_spam", r#"{"id":"y-2","text":"something else","label":"ham"}"#),
            ("datacamp_comments", r#"{"id":"d-1","text":"visit my channel","label":"spam"}"#),
        ]);
        let left_out = |name: &str| name.starts_with("datacamp");
        let without = read(folder.path(), &left_out, 0).expect("read");
        assert_eq!(ids(&without, "youtube_spam"), ["y-2"], "a copy in a file that is read earlier");
        assert!(ids(&without, "datacamp_comments").is_empty());
        let all = read(folder.path(), &|_| false, 0).expect("read");
        assert_eq!((ids(&all, "youtube_spam").len(), ids(&all, "datacamp_comments").len()), (2, 0));
    }

    #[test]
    fn the_same_folder_gives_the_same_bytes() {
        let line = |at: usize, kind: usize| {
            let (text, label) = [
                (format!("visit my casino number {at} and win cash today"), "spam"),
                (format!("the bridge in part {at} of our town was closed again"), "ham"),
                (format!("you are an idiot number {at}, shut up"), "toxic"),
            ][kind]
                .clone();
            format!(r#"{{"id":"{kind}-{at}","text":"{text}","label":"{label}","group":"{at}"}}"#)
        };
        let lines: Vec<(&str, String)> = ["youtube_spam", "sms_spam"]
            .into_iter()
            .flat_map(|file| (0..36).map(move |at| (file, line(at + 100 * file.len(), at % 3))))
            .collect();
        let lines: Vec<(&str, &str)> = lines.iter().map(|(file, line)| (*file, line.as_str())).collect();
        let folder = folder(&lines);
        let without = Without { sources: vec![written::NAME.to_owned()], blog: 0 };
        let bytes = || {
            let trained = train(folder.path(), &without, &mut |_| {}).expect("trained");
            let said: Vec<_> = trained.unseen.iter().map(|one| (one.row.id.clone(), one.said)).collect();
            (super::super::Classifier::to_bytes(&trained.header, &trained.outputs), said)
        };
        let once = bytes();
        assert!(super::super::Classifier::load(&once.0).is_ok(), "its golden vectors prove it");
        assert!(once == bytes(), "nothing depends on the clock, on chance or on an order in memory");
    }

    #[test]
    fn pages_of_what_was_held_out_do_not_count() {
        let page = |id: &str| format!(r#"{{"id":"{id}","title":"Zanzibar","text":"the bridge of {id}"}}"#);
        let comment =
            |id: &str, page: &str| format!(r#"{{"id":"{id}","text":"hello {id}","label":"ham","group":"{page}"}}"#);
        let video = |id: &str| {
            format!(r#"{{"id":"{id}","text":"hello {id}","label":"ham","group":"{id}","article":"Timbuktu of the"}}"#)
        };
        let lines: Vec<(&str, String)> = vec![
            ("blog_articles", page("p-1")),
            ("blog_articles", page("p-2")),
            ("blog_comments", comment("c-1", "p-1")),
            ("blog_comments", comment("c-2", "p-2")),
            ("youtube_spam", video("v-1")),
            ("youtube_spam", video("v-2")),
            ("headlines_clickbait", r#"{"id":"h-1","text":"the bridge of h-1"}"#.to_owned()),
            ("headlines_clickbait", r#"{"id":"h-2","text":"the bridge of h-2"}"#.to_owned()),
        ];
        let lines: Vec<(&str, &str)> = lines.iter().map(|(file, line)| (*file, line.as_str())).collect();
        let folder = folder(&lines);
        let known = |word: &str, without: &Without| {
            let pages = statistics(folder.path(), without).expect("read");
            pages.idf(word) < pages.idf("unheard")
        };
        let without = Without { sources: vec!["youtube".to_owned()], blog: 2 };
        let cases = [
            ("zanzibar", Without::default(), true),
            ("zanzibar", without.clone(), false),
            ("bridge", without.clone(), true),
        ];
        for (word, without, expected) in cases {
            assert_eq!(known(word, &without), expected, "{word} {without:?}");
        }
        assert!(known("timbuktu", &Without::default()) && !known("timbuktu", &without));
    }

    fn statistics(folder: &Path, without: &Without) -> anyhow::Result<Background> {
        let left_out = |name: &str| without.left_out(name);
        let sources = read(folder, &left_out, without.blog)?;
        background(folder, &sources, &left_out)
    }
}
