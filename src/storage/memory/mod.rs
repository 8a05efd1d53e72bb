//! What one node keeps in memory.

mod campaigns;
pub mod history;
mod recall;
mod ring;
