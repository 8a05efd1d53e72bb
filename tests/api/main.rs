//! The real service over HTTP: what websites and moderators would notice.

#![allow(clippy::unwrap_used, reason = "a test may end at any line")]

mod access;
mod bad_input;
mod batch;
mod campaign;
mod first_comment;
mod helpers;
mod intake;
mod limits;
mod model_file;
mod quotes;
mod review;
