//! What one node keeps in memory.

mod campaigns;
mod heads;
pub mod history;
mod likeness;
mod names;
mod pace;
mod recall;
mod ring;
