//! Doorward: comment moderation between a website's comment form and its readers.
//!
//! One comment's way through the house, in ten lines:
//!
//! 1. `http` takes it from a site and finds out which site; `domain::comment` parses it, once.
//! 2. `domain::normalise` reduces it to text and links, `domain::trace` to fingerprints.
//! 3. `app::intake` answers a repeat with what is recorded, before anything is counted.
//! 4. `app::limits` lets it pass, marks it to be held, or refuses it.
//! 5. `domain::history` says what the past knows of its author, links, headlines and text.
//! 6. `domain::signal` runs every check; `classifier` adds what it learned.
//! 7. `domain::policy` turns all of that into a verdict whose terms add up.
//! 8. `domain::store` keeps comment, verdict and place in the queue in one commit. Only then is it answered.
//! 9. `app::review` lets people claim, decide and undo; their word stands until the text changes.
//! 10. Every step is one file; `startup` is the only place that knows them all.

pub mod app;
pub mod classifier;
pub mod cli;
pub mod config;
pub mod domain;
pub mod http;
pub mod net;
pub mod sample;
pub mod startup;
pub mod storage;
pub mod telemetry;
