//! The way out: webhooks over HTTP, to addresses that were checked. Knows nothing of what is sent.

pub mod guard;
pub mod post;
mod resolve;
