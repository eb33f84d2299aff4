//! The inspector's command.

use std::process::ExitCode;

fn main() -> ExitCode {
    inspect::cli::main()
}
