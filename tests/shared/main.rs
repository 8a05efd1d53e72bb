//! What several nodes share, over a real Redis that the tests start: limits, and the order of everything that happens.
//!
//! Where there is no `redis-server` (or `valkey-server`) these tests say so and check nothing, unless `DOORWARD_REDIS=required`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test may end at any line, and says what it measured or left out"
)]

mod histories;
mod late;
mod limits;
#[allow(dead_code, reason = "the storage suite uses all of it")]
#[path = "../storage/made.rs"]
mod made;
mod measured;
mod outages;
mod server;
mod service;
mod town;
