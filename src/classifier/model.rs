//! Model files, and answering from them.
//!
//! A file is: magic, length and JSON of the header (what it is, made of what, how well it does), the weights and golden vectors (postcard), and the
//! SHA-256 of everything before. The header holds no date: the same data give the same bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::delta::Learned;
use super::features::{self, BUCKETS, DIMENSION, Features, Owner, SPEC};
use super::handmade::HAND;
use super::lists::is_small_word;
use super::shares::Shares;
use crate::domain::category::Category;
use crate::domain::comment::Comment;
use crate::domain::embedding::Gist;
use crate::domain::model::{ModelOutput, Term};
use crate::domain::relevance::Page;
use crate::domain::scores::LogOdds;

const MAGIC: &[u8; 8] = b"dwmodel1";
/// How far our arithmetic may lie from linfa's, in probability: weights are kept in single precision.
const TOLERANCE: f64 = 1e-6;
/// Terms that an answer names at most, for both outputs together.
const MAX_TERMS: usize = 8;
/// Shares below which a term is not worth a moderator's time.
const MIN_TERM: f64 = 0.05;
/// Most that the model says either way, in log-odds, about words that it hardly saw.
pub(super) const STRANGE_MAX: f64 = 1.0;
/// Log-odds below which the terms say that the model is not sure.
const UNSURE: f64 = 0.4;
/// What the outputs speak of.
const CATEGORIES: [Category; 2] = [Category::Spam, Category::Abuse];

/// Why a model file was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ModelError {
    /// Not a model file, or one of another version.
    #[error("this is no model file of this version")]
    Kind,
    /// Its checksum does not fit its content.
    #[error("the model file is damaged (checksum)")]
    Damaged,
    /// Made for other features.
    #[error("the model was made for the features `{found}`, this program has `{known}`; train it again")]
    Features {
        /// The model's.
        found: String,
        /// Ours.
        known: &'static str,
    },
    /// It brings nothing by which its arithmetic could be proved.
    #[error("the model's {output} output has no golden vectors")]
    Unproved {
        /// Which output.
        output: String,
    },
    /// Our arithmetic does not give what linfa gave.
    #[error("the model's {output} output does not reproduce its golden vector {number}: {ours} instead of {golden}")]
    Golden {
        /// Which output.
        output: String,
        /// Which vector, from 0.
        number: usize,
        /// Ours.
        ours: f64,
        /// linfa's.
        golden: f64,
    },
}

/// What a model file says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The set of features.
    pub features: String,
    /// SHA-256 of the training examples.
    pub training: String,
    /// Training examples by source.
    pub sources: BTreeMap<String, u64>,
    /// What was measured on held-out data, by name.
    pub measured: BTreeMap<String, f64>,
}

/// One output's weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// `spam` or `abuse`.
    pub name: String,
    /// Which learner made it: `linfa-ftrl` or `linfa-logistic`.
    pub learner: String,
    /// Platt scaling: the calibrated log-odds are `-(a * margin + b)`.
    pub platt: (f64, f64),
    /// Log-odds of the share of positives that the calibration was made on: taken away, since policy has its own prior.
    pub base: f64,
    /// Non-zero weights.
    pub weights: Vec<(u32, f32)>,
    /// Examples with the probabilities that linfa's own model predicted for them, before calibration.
    pub golden: Vec<(Features, f64)>,
}

/// A model ready to answer. Immutable.
#[derive(Debug, Clone)]
pub struct Classifier {
    header: Header,
    version: String,
    /// Spam and abuse beside each other: one cache line serves both.
    weights: Vec<[f32; 2]>,
    scale: [Scale; 2],
}

#[derive(Debug, Clone, Copy)]
struct Scale {
    slope: f64,
    offset: f64,
}

impl Classifier {
    /// The model in the binary.
    ///
    /// # Errors
    /// [`ModelError`]: the binary was built with a file that this code does not read.
    pub fn shipped() -> Result<Self, ModelError> {
        Self::load(include_bytes!("../../models/model.dwm"))
    }

    /// Reads a model file and proves it: checksum, features, golden vectors.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn load(bytes: &[u8]) -> Result<Self, ModelError> {
        let (content, checksum) = bytes.split_last_chunk::<32>().ok_or(ModelError::Kind)?;
        let rest = content.strip_prefix(MAGIC).ok_or(ModelError::Kind)?;
        let digest = Sha256::digest(content);
        if digest.as_slice() != checksum {
            return Err(ModelError::Damaged);
        }
        let (length, rest) = rest.split_first_chunk::<4>().ok_or(ModelError::Kind)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (header, payload) = rest.split_at_checked(length).ok_or(ModelError::Kind)?;
        let header: Header = serde_json::from_slice(header).map_err(|_| ModelError::Kind)?;
        if header.features != SPEC {
            return Err(ModelError::Features { found: header.features, known: SPEC });
        }
        let outputs: [Output; 2] = postcard::from_bytes(payload).map_err(|_| ModelError::Kind)?;
        let mut weights = vec![[0.0; 2]; DIMENSION];
        for (at, output) in outputs.iter().enumerate() {
            for (index, weight) in &output.weights {
                weights.get_mut(*index as usize).ok_or(ModelError::Kind)?[at] = *weight;
            }
        }
        let scale =
            outputs.each_ref().map(|output| Scale { slope: -output.platt.0, offset: -output.platt.1 - output.base });
        let version = checksum.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let classifier = Self { header, version, weights, scale };
        for (at, output) in outputs.iter().enumerate() {
            if output.golden.is_empty() {
                return Err(ModelError::Unproved { output: output.name.clone() });
            }
            for (number, (features, golden)) in output.golden.iter().enumerate() {
                let ours = 1.0 / (1.0 + (-classifier.margin(at, features)).exp());
                let reproduced = (ours - golden).abs() <= TOLERANCE; // false for NaN, too
                if !reproduced {
                    return Err(ModelError::Golden { output: output.name.clone(), number, ours, golden: *golden });
                }
            }
        }
        Ok(classifier)
    }

    /// The bytes of a model file.
    #[must_use]
    pub fn to_bytes(header: &Header, outputs: &[Output; 2]) -> Vec<u8> {
        let header = serde_json::to_vec(header).unwrap_or_default();
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&u32::try_from(header.len()).unwrap_or(0).to_le_bytes());
        bytes.extend_from_slice(&header);
        bytes.extend(postcard::to_stdvec(outputs).unwrap_or_default());
        let digest = Sha256::digest(&bytes);
        bytes.extend_from_slice(&digest);
        bytes
    }

    /// Which model this is: the beginning of its checksum.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What it says of itself.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    fn margin(&self, output: usize, features: &Features) -> f64 {
        let of = |(index, value): &(u32, f32)| {
            self.weights.get(*index as usize).map_or(0.0, |weights| f64::from(weights[output]) * f64::from(*value))
        };
        features.iter().map(of).sum()
    }

    /// Calibrated log-odds of features relative to the base rate: spam, abuse.
    #[must_use]
    pub fn log_odds(&self, features: &Features) -> [f64; 2] {
        [0, 1].map(|output| self.scale[output].slope * self.margin(output, features) + self.scale[output].offset)
    }

    /// What the model says about a comment under a page, and what the site taught over it: one look at the features serves both. What was
    /// learned over another model says nothing. Pure; allocates for the answer's terms, and two numbers a word.
    #[must_use]
    pub fn assess(
        &self,
        comment: &Comment,
        page: Option<&Page>,
        gist: &Gist,
        learned: Option<&Learned>,
    ) -> ModelOutput {
        let Some(learned) = learned.filter(|learned| learned.base == self.version) else {
            return self.answer(comment, page, gist, |_, _, _| {});
        };
        let mut lesson = learned.lesson(comment);
        let output = self.answer(comment, page, gist, |index, value, owner| lesson.hear(index, value, owner));
        lesson.adjust(output)
    }

    /// What the model says; `each` is handed every feature that it looks at.
    fn answer(
        &self,
        comment: &Comment,
        page: Option<&Page>,
        gist: &Gist,
        mut each: impl FnMut(u32, f32, Owner),
    ) -> ModelOutput {
        let mut margins = [0.0_f64; 2];
        let mut shares = Shares::new(comment.body.words.len());
        features::visit(comment, page, |index, value, owner| {
            each(index, value, owner);
            let Some(weights) = self.weights.get(index as usize) else { return };
            if weights[0] == 0.0 && weights[1] == 0.0 {
                return;
            }
            let share = weights.map(|weight| f64::from(weight) * f64::from(value));
            margins[0] += share[0];
            margins[1] += share[1];
            shares.add(owner, share);
        });
        let mut said = [0, 1].map(|output| self.scale[output].slope * margins[output] + self.scale[output].offset);
        let mut terms = self.terms(comment, &shares);
        if is_strange(comment, gist) {
            for (output, said) in said.iter_mut().enumerate() {
                let little = said.clamp(-STRANGE_MAX, STRANGE_MAX);
                terms.push(unsure(output, "[not sure: words that it hardly saw]", little - *said));
                *said = little;
            }
        } else if said[0].abs() < UNSURE {
            terms.push(unsure(0, "[not sure]", 0.0));
        }
        let [spam, abuse] = said.map(LogOdds::of);
        ModelOutput::Scored { version: self.version.clone(), spam, abuse, terms }
    }

    /// The strongest shares, in words.
    fn terms(&self, comment: &Comment, shares: &Shares) -> Vec<Term> {
        let mut strongest: Vec<(f64, usize, Owner)> = Vec::with_capacity(64);
        for (owner, shares) in shares.iter().filter(|(owner, _)| *owner != Owner::Constant) {
            for output in [0, 1] {
                let share = self.scale[output].slope * shares[output];
                if share.abs() >= MIN_TERM {
                    strongest.push((share, output, owner));
                }
            }
        }
        strongest.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
        strongest.truncate(MAX_TERMS);
        let term = |(share, output, owner): (f64, usize, Owner)| Term {
            category: CATEGORIES[output],
            text: words_of(comment, owner),
            log_odds: LogOdds::of(share),
        };
        strongest.into_iter().map(term).collect()
    }
}

/// Whether a comment is mostly words that the training hardly saw, as in another language or script: neither in the word table, which was made of
/// the training texts' vocabulary, nor English function words. n-grams cannot tell: nearly every bucket was met by some word.
pub(super) fn is_strange(comment: &Comment, gist: &Gist) -> bool {
    let words = comment.body.words.len().min(features::MAX_WORDS);
    let heard = comment.body.words().take(words).filter(|word| is_small_word(word)).count() + gist.known as usize;
    words >= 6 && heard * 5 < words
}

fn unsure(output: usize, text: &str, log_odds: f64) -> Term {
    Term { category: CATEGORIES[output], text: text.to_owned(), log_odds: LogOdds::of(log_odds) }
}

/// Letters of one word that a term tells: it is stored with every verdict, and a word may be as long as a body.
const TOLD: usize = 60;

/// What a feature was made of, in words.
pub(super) fn words_of(comment: &Comment, owner: Owner) -> String {
    let cut = |word: &str| {
        word.char_indices().nth(TOLD).map_or_else(|| word.to_owned(), |(end, _)| format!("{}…", &word[..end]))
    };
    let text = |from: u32, count: usize| {
        comment.body.words().skip(from as usize).take(count).map(cut).collect::<Vec<_>>().join(" ")
    };
    match owner {
        Owner::Word(at) => text(at, 1),
        Owner::Pair(at) => text(at, 2),
        Owner::Hand(number) => format!("[{}]", HAND.get(number as usize).copied().unwrap_or_default()),
        Owner::Constant => "[constant]".to_owned(),
    }
}

const _: () = assert!(BUCKETS == 65_536, "the lowest bit of a bucket tells its kind");

#[cfg(test)]
mod tests {
    use super::super::data::{self, Row};
    use super::super::written;
    use super::*;
    use crate::domain::embedding::{Embedding, WIDTH};

    fn output(name: &str, weight: f32, golden: f64) -> Output {
        let weights = vec![(7, weight)];
        Output {
            name: name.to_owned(),
            learner: "test".to_owned(),
            platt: (-1.0, 0.0),
            base: 0.0,
            weights,
            golden: vec![(vec![(7, 1.0)], golden)],
        }
    }

    fn file(features: &str, golden: f64) -> Vec<u8> {
        let header = Header {
            features: features.to_owned(),
            training: String::new(),
            sources: BTreeMap::new(),
            measured: BTreeMap::new(),
        };
        Classifier::to_bytes(&header, &[output("spam", 2.0, golden), output("abuse", 0.0, 0.5)])
    }

    #[test]
    fn files_are_proved_before_they_are_used() {
        let right = 1.0 / (1.0 + (-2.0_f64).exp());
        let good = file(SPEC, right);
        assert!(Classifier::load(&good).is_ok());
        assert_eq!(Classifier::load(b"no model").err(), Some(ModelError::Kind));
        let mut damaged = good.clone();
        damaged[60] ^= 1;
        assert_eq!(Classifier::load(&damaged).err(), Some(ModelError::Damaged));
        assert!(matches!(Classifier::load(&file("other", right)), Err(ModelError::Features { .. })));
        assert!(matches!(Classifier::load(&file(SPEC, 0.5)), Err(ModelError::Golden { number: 0, .. })));
        let header = Classifier::load(&good).expect("good").header().clone();
        let without = Output { golden: Vec::new(), ..output("abuse", 0.0, 0.5) };
        let unproved = Classifier::to_bytes(&header, &[output("spam", 2.0, right), without]);
        assert_eq!(Classifier::load(&unproved).err(), Some(ModelError::Unproved { output: "abuse".to_owned() }));
    }

    #[test]
    fn a_language_that_it_hardly_saw_is_told_and_moves_little() {
        let shipped = Classifier::shipped().expect("the shipped model is good");
        let table = Embedding::build([("channel", 3.0, [1.0; WIDTH]), ("subscribe", 3.0, [1.0; WIDTH])].into_iter());
        let cases = [
            ("please subscribe to my channel and win a lot of money now", false),
            ("olvasd el ezt az oldalt mert nagyon fontos dolgok vannak benne", true),
            ("to je velmi zajímavý článek děkuji za vysvětlení", true),
            ("köszi", false),
        ];
        for (body, strange) in cases {
            let comment =
                data::comment(&Row { text: body.to_owned(), ..written::rows().swap_remove(0) }).expect("a comment");
            let output = shipped.assess(&comment, None, &table.gist(comment.body.words()), None);
            let ModelOutput::Scored { spam, abuse, terms, .. } = output else { panic!("{output:?}") };
            assert_eq!(
                terms.iter().any(|term| term.text.starts_with("[not sure: words")),
                strange,
                "{body}: {terms:?}"
            );
            assert!(!strange || (spam.get().abs() <= STRANGE_MAX && abuse.get().abs() <= STRANGE_MAX), "{body}");
        }
    }

    #[test]
    fn a_word_as_long_as_a_body_is_told_by_its_beginning() {
        let shipped = Classifier::shipped().expect("the shipped model is good");
        let text = format!("{} {}", "subscribe".repeat(3_500), "channel".repeat(4_500));
        let comment = data::comment(&Row { text, ..written::rows().swap_remove(0) }).expect("a comment");
        let output = shipped.assess(&comment, None, &Embedding::default().gist(comment.body.words()), None);
        let ModelOutput::Scored { terms, .. } = output else { panic!("{output:?}") };
        assert!(terms.iter().any(|term| term.text.starts_with("subscribesub")), "{terms:?}");
        assert!(terms.iter().all(|term| term.text.chars().count() < 150), "stored and sent with every verdict");
    }

    #[test]
    fn the_shipped_model_can_be_used_and_says_what_it_was_made_of() {
        let shipped = Classifier::shipped().expect("the shipped model is good");
        assert!(shipped.header().sources.len() > 5);
        assert_eq!(shipped.version().len(), 8);
    }
}
