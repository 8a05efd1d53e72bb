//! The classifier: hashed n-grams and hand-made features, trained with linfa, answered by a sparse dot product.
//!
//! Two outputs, spam and abuse, each linear over the same features, so that every answer can be given back term by term, in words.
//! Inference is ours (linfa recomputes all weights at every call); a model file carries predictions that linfa made, and a
//! file that our arithmetic does not reproduce is refused at load.

mod calibrate;
mod card;
pub mod contest;
mod contrast;
pub mod data;
pub mod delta;
pub mod evaluate;
pub mod features;
pub mod handmade;
mod learners;
mod lexicon;
mod lists;
mod manner;
pub mod model;
pub mod online;
pub mod relevance_pairs;
pub mod scene;
mod shares;
#[cfg(test)]
mod stream;
pub mod train;
pub mod unseen;
pub mod voice;
pub mod weights;
pub mod whole;
pub mod words;
pub mod written;

pub use model::{Classifier, ModelError};
