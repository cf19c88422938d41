//! `vigie`, the program: hardened first, then arguments in, one call per command, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    vigie::cli::log_to_stderr();
    #[cfg(unix)]
    vigie::hardening::begin();
    vigie::cli::run(std::env::args_os())
}
