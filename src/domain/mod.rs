//! What moderation means, without any machine around it.
//!
//! Everything here is pure: no clock, no network, no file, no database, no async runtime. The same input gives the
//! same answer, which is what makes verdicts explainable, replayable and testable by tables. The two ports at the
//! edge, [`store::Store`] and [`history::History`], are traits; who keeps their promises lives in `storage`.

pub mod appeal;
pub mod campaign;
pub mod category;
pub mod comment;
pub mod decision;
pub mod explain;
pub mod headline;
pub mod history;
pub mod known;
pub mod model;
pub mod normalise;
pub mod outbox;
pub mod people;
pub mod policy;
pub mod readers;
pub mod relevance;
pub mod sanction;
pub mod scores;
pub mod signal;
pub mod site;
pub mod store;
pub mod time;
pub mod trace;
