//! The interface for websites and moderators, as JSON.

#![expect(
    clippy::missing_errors_doc,
    reason = "every handler lists its answers for OpenAPI, and fails with a Problem only"
)]

pub mod articles;
pub mod batch;
pub mod comments;
pub mod dto;
pub mod operations;
pub mod review;
pub mod webhooks_in;
