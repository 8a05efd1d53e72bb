//! What one node keeps in memory.

mod campaigns;
pub mod history;
mod likeness;
mod pace;
mod recall;
mod ring;
