//! What clients of other services speak, unmodified.

#![expect(
    clippy::missing_errors_doc,
    reason = "every handler lists its answers for OpenAPI, and fails in the words of its client only"
)]

pub mod coral;
pub mod google;
pub mod perspective;
