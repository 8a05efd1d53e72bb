//! Engines behind the ports. They keep the promises written at the ports and add none of their own; `startup` and the command line name
//! them, everything else sees the ports.

mod addresses;
mod appealed;
mod before;
mod campaigned;
mod chain;
mod codec;
mod config;
mod damage;
mod derived;
pub mod memory;
mod moderated;
pub mod moving;
pub mod postgres;
pub mod redis;
mod sanctioned;
pub mod sqlite;
mod told;
mod waiting;

pub use config::{Config, Scratch};
