//! The console in a real browser: what a moderator does with it, by keyboard and by mouse.
//!
//! Needs chromium and chromedriver. Without them these tests are skipped, loudly; with `DOORWARD_BROWSER=required`, as `scripts/test` sets it where it
//! could install them, they fail. Pictures of every page go to `target/console-pictures`.

#[path = "../api/helpers.rs"]
#[allow(dead_code, reason = "shared with the tests over HTTP")]
mod helpers;

mod browser;
mod desk;
mod flows;
mod hostile;
mod pages;
mod queue;
