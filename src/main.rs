//! The program: parses arguments, calls the library, turns an error into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    doorward::cli::run()
}
