//! What an operator does in an afternoon, done with the real binary: files, processes, exit codes, and what is printed.

mod afternoon;
mod backtest;
mod backup;
mod doctor;
mod erasure;
#[path = "../support/folder.rs"]
mod folder;
#[path = "../support/late_node.rs"]
mod late_node;
mod manual;
mod moved;
mod nodes;
mod notify;
mod rules;
mod secrets;
#[path = "../support/smtp.rs"]
#[allow(dead_code, reason = "shared with tests that use more of it")]
mod smtp;
mod world;
