//! Writes the manual pages and the shells' completions of the commands that this build has.
//!
//!     vigie-pages FOLDER      man/*.1, and completions/ for bash, zsh and fish
//!
//! Packaging alone builds it (feature `pages`): the shipped program does not grow.

use std::path::PathBuf;
use std::{env, fs, io};

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use vigie::cli::Arguments;

fn main() -> io::Result<()> {
    let Some(folder) = env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("the folder to write into is missing"));
    };
    let (man, completions) = (folder.join("man"), folder.join("completions"));
    fs::create_dir_all(&man)?;
    fs::create_dir_all(&completions)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Arguments::command(), "vigie", &completions)?;
    }
    clap_mangen::generate_to(without_help(Arguments::command()), &man)
}

/// `vigie help scan` prints what the page of `scan` says: a page for each form of it would say nothing more.
fn without_help(command: Command) -> Command {
    let command = command.disable_help_subcommand(true);
    command.mut_subcommands(without_help)
}
