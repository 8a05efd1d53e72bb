//! The real service over HTTP: what websites and moderators would notice.

#![allow(clippy::unwrap_used, reason = "a test may end at any line")]

mod access;
mod akismet;
mod akismet_callbacks;
mod akismet_doubtful;
mod akismet_forms;
mod akismet_limits;
mod akismet_recorded;
mod alerts;
mod appeals;
mod audit;
mod author_page;
mod backtest;
mod backtests;
mod bad_input;
mod batch;
mod campaign;
mod campaigns;
mod card;
mod console_cases;
mod console_file;
mod console_queue;
mod console_watch;
mod coral;
mod discovery;
mod document;
mod figures;
mod first_comment;
#[path = "../support/folder.rs"]
mod folder;
mod helpers;
mod in_flight;
mod intake;
mod learning;
mod limits;
mod model_file;
mod notify;
mod people;
mod perspective;
mod privacy;
mod quotes;
mod readers;
#[path = "../support/receiver.rs"]
#[allow(dead_code, reason = "shared with tests that use more of it")]
mod receiver;
mod reload;
mod review;
mod rules;
mod rules_truth;
mod sampling;
mod sanctions;
mod schema;
mod search;
mod service_levels;
mod siblings;
mod sign_in;
mod slow_bodies;
#[path = "../support/smtp.rs"]
#[allow(dead_code, reason = "shared with tests that use more of it")]
mod smtp;
mod tune;
mod unavailable;
mod webhooks_in;
mod webhooks_out;
