//! The console in a real browser: what a moderator does with it, by keyboard and by mouse.
//!
//! Needs chromium and chromedriver. Without them these tests are skipped, loudly; with `DOORWARD_BROWSER=required`, as `scripts/test` sets it where it
//! could install them, they fail. Pictures of every page go to `target/console-pictures`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test may end at any line, says what it skips, and waits no longer than it has patience"
)]

#[path = "../api/helpers.rs"]
#[allow(dead_code, reason = "shared with the tests over HTTP")]
mod helpers;

mod backtests;
mod browser;
mod desk;
mod flows;
#[path = "../support/folder.rs"]
mod folder;
mod hostile;
mod pages;
mod queue;
mod sample_site;
#[path = "../support/town.rs"]
mod town;
