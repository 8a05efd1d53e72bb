//! What an operator does in an afternoon, done with the real binary: files, processes, exit codes, and what is printed.

mod afternoon;
mod backup;
mod doctor;
mod erasure;
mod manual;
mod world;
