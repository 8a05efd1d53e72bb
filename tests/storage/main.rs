//! The store: what the port promises, on every engine; and what each engine must do besides.

#![allow(clippy::unwrap_used, reason = "a test may end at any line")]

mod akismet;
mod big;
mod campaigns;
mod delivering;
mod erased;
mod figures;
#[path = "../support/folder.rs"]
mod folder;
mod history;
mod imports;
#[path = "../support/late_node.rs"]
mod late_node;
mod learning;
mod made;
mod model;
mod moving;
mod moving_refused;
mod nodes;
mod notices;
mod outbox;
mod people;
mod postgres;
mod postgres_faults;
mod postgres_months;
mod postgres_races;
mod privacy;
mod reads;
mod rechecks;
mod recordings;
mod sanctions_reports_appeals;
mod search;
mod sessions;
mod short_campaigns;
mod sqlite;
mod suite;
mod tampered;
mod upgrade;
mod verdicts;
mod versions;
mod webhooks_in;
