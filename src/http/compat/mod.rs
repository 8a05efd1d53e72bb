//! What programs speak that were written for other services, unmodified.

#![expect(
    clippy::missing_errors_doc,
    reason = "every handler lists its answers for OpenAPI, and fails in the words of its client only"
)]

pub mod akismet;
pub mod coral;
pub mod google;
pub mod perspective;
