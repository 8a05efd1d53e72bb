//! What one node keeps in memory.

pub mod history;
mod recall;
mod ring;
