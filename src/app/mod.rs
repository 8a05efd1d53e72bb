//! Use cases: one public function for each thing a site or a person can do.
//!
//! Here the domain meets the ports. Nothing here knows HTTP or SQL; time comes in as an argument.

pub mod access;
pub mod admin;
pub mod clock;
pub mod house;
pub mod intake;
pub mod keys;
pub mod limits;
pub mod outbox;
pub mod pages;
pub mod review;
pub mod secrets;
pub mod signature;
pub mod webhooks_in;
