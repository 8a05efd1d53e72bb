//! The store: what the port promises, on every engine; and what each engine must do besides.

#![allow(clippy::unwrap_used, reason = "a test may end at any line")]

mod figures;
mod history;
mod made;
mod model;
mod sqlite;
mod suite;
mod upgrade;
