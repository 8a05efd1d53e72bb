//! The way out: webhooks over HTTP, to addresses that were checked, and e-mail to operators. Knows nothing of what is sent.

pub mod guard;
pub mod mail;
pub mod post;
mod resolve;
