//! What moderation means, without any machine around it.
//!
//! Everything here is pure: no clock, no network, no file, no database, no async runtime. The same input gives the
//! same answer, which is what makes verdicts explainable, replayable and testable by tables. The two ports at the
//! edge, [`store::Store`] and [`history::History`], are traits; who keeps their promises lives in `storage`.

pub mod akismet;
pub mod appeal;
pub mod bearing;
pub mod campaign;
pub mod category;
pub mod comment;
pub mod contacts;
pub mod decision;
pub mod embedding;
pub mod explain;
pub mod figures;
pub mod fit;
pub mod fitted;
pub mod headline;
pub mod history;
pub mod hosts;
pub mod imports;
pub mod known;
pub mod learning;
pub mod listed;
pub mod model;
pub mod news;
pub mod nodes;
pub mod normalise;
pub mod notices;
pub mod outbox;
pub mod people;
pub mod phrases;
pub mod policy;
pub mod privacy;
pub mod queue;
pub mod readers;
pub mod reads;
pub mod recordings;
pub mod relevance;
pub mod retention;
pub mod rules;
pub mod sanction;
pub mod scores;
pub mod search;
pub mod service;
pub mod session;
pub mod shared;
pub mod short;
pub mod siblings;
pub mod signal;
pub mod site;
pub mod store;
pub mod terms;
pub mod time;
pub mod trace;
pub mod truth;
pub mod versions;
pub mod view;
pub mod waves;
