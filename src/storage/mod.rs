//! Engines behind the ports. They keep the promises written at the ports and add none of their own; `startup` and the command line name
//! them, everything else sees the ports.

mod addresses;
mod before;
mod chain;
mod codec;
mod config;
mod derived;
pub mod memory;
pub mod postgres;
pub mod sqlite;
mod told;

pub use config::Config;
