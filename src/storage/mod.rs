//! Engines behind the ports. They keep the promises written at the ports and add none of their own; `startup` and the command line name
//! them, everything else sees the ports.

mod before;
mod codec;
mod config;
pub mod memory;
pub mod redis;
pub mod sqlite;

pub use config::Config;
