//! `vigie desk`: the service's machine.

mod backup;
mod recover;
mod retention;
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
    /// Say what is due to be erased, or erase it; a desk that is served does so by itself.
    #[command(group = clap::ArgGroup::new("what").args(["plan", "run"]).required(true))]
    Retention {
        /// Only say what is due, held, locked and to come.
        #[arg(long)]
        plan: bool,
        /// Erase what is due, and have it certified.
        #[arg(long)]
        run: bool,
        /// The desk's folder.
        #[arg(long, env = "VIGIE_DESK", default_value = "desk", value_name = "DIR")]
        desk: PathBuf,
    },
    /// Let a chef de service in again whose password is lost, with a recovery key from the safe; the admin confirms it
    /// in the browser.
    Recover {
        /// The secret recovery key, as it was brought from the safe: `recovery-2026-Q4.key`.
        #[arg(long, value_name = "FILE")]
        recovery: PathBuf,
        /// The chef's log-in name.
        #[arg(long, value_name = "NAME")]
        login: String,
        /// The desk's folder; it must not be served meanwhile.
        #[arg(long, env = "VIGIE_DESK", default_value = "desk", value_name = "DIR")]
        desk: PathBuf,
    },
    /// Copy the desk, also while it is served; the keys go into a small file of their own.
    Backup {
        /// Where to: a folder that belongs to this desk's backups alone.
        dir: PathBuf,
        /// Where the file of keys goes, best onto another disk; by default into DIR/cles.
        #[arg(long, value_name = "DIR")]
        keys: Option<PathBuf>,
        /// The desk's folder.
        #[arg(long, env = "VIGIE_DESK", default_value = "desk", value_name = "DIR")]
        desk: PathBuf,
    },
    /// Bring a desk back from a backup; what had been erased is erased again before it is there.
    Restore {
        /// The backup's folder.
        dir: PathBuf,
        /// The new desk's folder: it must be empty, or not exist.
        #[arg(long, value_name = "DIR")]
        into: PathBuf,
        /// Where the file of keys lies; by default in DIR/cles.
        #[arg(long, value_name = "PATH")]
        keys: Option<PathBuf>,
        /// A later list of erasures: the former desk's folder, or a later backup's. May be named several times.
        #[arg(long, value_name = "DIR")]
        erasures: Vec<PathBuf>,
        /// The public key of the desk that it must be of.
        #[arg(long, value_name = "FILE")]
        device: Option<PathBuf>,
    },
}

pub fn run(a: &Arguments, command: &DeskCommand, lang: Lang) -> Result<Exit, Failure> {
    match command {
        DeskCommand::Serve { desk } => serve::run(a, desk, lang),
        DeskCommand::Retention { plan: true, desk, .. } => retention::plan(a, desk, lang),
        DeskCommand::Retention { desk, .. } => retention::run(a, desk, lang),
        DeskCommand::Recover {
            recovery,
            login,
            desk,
        } => recover::run(a, desk, recovery, login, lang),
        DeskCommand::Backup { dir, keys, desk } => backup::backup(a, desk, dir, keys.as_deref(), lang),
        DeskCommand::Restore {
            dir,
            into,
            keys,
            erasures,
            device,
        } => {
            let asked = backup::Asked {
                from: dir,
                into,
                keys: keys.as_deref(),
                erasures,
                device: device.as_deref(),
            };
            backup::restore(a, &asked, lang)
        }
    }
}
