//! `vigie desk`: the service's machine.

mod serve;

use std::path::PathBuf;

use clap::Subcommand;

use super::{Arguments, Exit, Failure, Lang};

#[derive(Debug, Subcommand)]
pub enum DeskCommand {
    /// Serve the agents' pages to browsers.
    Serve {
        /// The desk's folder: desk.toml, desk.key, traps/, keys/, store/.
        #[arg(long, env = "VIGIE_DESK", default_value = "desk", value_name = "DIR")]
        desk: PathBuf,
    },
}

pub fn run(a: &Arguments, command: &DeskCommand, lang: Lang) -> Result<Exit, Failure> {
    match command {
        DeskCommand::Serve { desk } => serve::run(a, desk, lang),
    }
}
