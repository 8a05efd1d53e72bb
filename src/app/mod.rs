//! Use cases: one public function for each thing a site or a person can do.
//!
//! Here the domain meets the ports. Nothing here knows HTTP or SQL; time comes in as an argument.

pub mod access;
mod address_key;
pub mod admin;
pub mod akismet;
pub mod appeals;
pub mod authors;
pub mod backtest;
pub mod backtests;
pub mod campaigns;
pub mod clock;
pub mod elsewhere;
pub mod evaluation;
pub mod events;
pub mod house;
pub mod imports;
pub mod in_flight;
pub mod intake;
pub mod keys;
pub mod learning;
pub mod limits;
pub mod live;
pub mod log_level;
pub mod notify;
pub mod outbox;
pub mod oversight;
pub mod pages;
pub mod perspective;
pub mod readers;
pub mod reads;
pub mod reload;
pub mod review;
pub mod rotation;
pub mod sampling;
pub mod sanctions;
pub mod searching;
pub mod secrets;
pub mod sign_in;
pub mod signature;
pub mod standing;
pub mod threads;
pub mod truth;
pub mod tune;
pub mod turns;
pub mod way;
pub mod webhooks_in;
