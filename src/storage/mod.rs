//! Engines behind the ports: who keeps the promises that the domain asks for.

mod codec;
pub mod memory;
pub mod sqlite;
