//! What one node keeps in memory.

pub mod history;
mod pace;
mod recall;
mod ring;
