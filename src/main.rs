//! `vigie`, the program: arguments in, one call per command, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    vigie::cli::run(std::env::args_os())
}
