//! The interface for websites and moderators, as JSON.

#![expect(
    clippy::missing_errors_doc,
    reason = "every handler lists its answers for OpenAPI, and fails with a Problem only"
)]

pub mod alerts;
pub mod appeals;
pub mod articles;
pub mod audit_export;
pub mod authors;
pub mod backtests;
pub mod batch;
pub mod campaigns;
pub mod comments;
pub mod dto;
pub mod events;
pub mod learning;
pub mod log_level;
pub mod operations;
pub mod outbox;
pub mod oversight;
pub mod readers;
pub mod reads;
pub mod review;
pub mod rules;
pub mod sanctions;
pub mod search;
pub mod telling;
pub mod webhooks_in;
