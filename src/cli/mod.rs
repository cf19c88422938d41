//! The command line: the only place that prints.
//!
//! Promises: the exit codes and the JSON lines of docs/commands.md; nothing but those lines on standard output under
//! `--json`; errors on standard error, each with what, where and what to do, in French where `LANG` asks for it.
//! Leaves every decision to the modules it calls.

#[cfg(feature = "trap")]
mod attest;
#[cfg(feature = "trap")]
mod bench;
#[cfg(feature = "desk")]
mod desk;
#[cfg(feature = "trap")]
mod detect;
#[cfg(feature = "trap")]
mod equipment;
mod failure;
#[cfg(all(feature = "trap", feature = "verify"))]
mod journal;
#[cfg(feature = "trap")]
mod keys;
mod lang;
#[cfg(feature = "trap")]
mod open;
#[cfg(feature = "trap")]
mod redact;
#[cfg(feature = "trap")]
mod report;
#[cfg(feature = "trap")]
mod scan;
#[cfg(feature = "trap")]
mod status;
#[cfg(feature = "trap")]
mod survey;
#[cfg(feature = "trap")]
mod transfer;
#[cfg(feature = "trap")]
mod trap_failures;
#[cfg(feature = "verify")]
mod verify;
#[cfg(feature = "trap")]
mod watch;
#[cfg(feature = "trap")]
mod wipe;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub use failure::{Exit, Failure};
pub use lang::Lang;

/// What every command may be told.
#[derive(Debug, Parser)]
#[command(
    name = "vigie",
    version,
    about = "Camera trap frames: discard, mask, seal",
    max_term_width = 100
)]
pub struct Arguments {
    #[cfg(feature = "trap")]
    /// The box's configuration (docs/trap.example.toml).
    #[arg(
        long,
        global = true,
        env = "VIGIE_CONFIG",
        default_value = "trap.toml",
        value_name = "FILE"
    )]
    config: PathBuf,
    /// One JSON object per line on standard output, nothing else.
    #[arg(long, global = true)]
    json: bool,
    #[cfg(feature = "trap")]
    /// Folder of `manifest.toml` and the networks, where no configuration says it.
    #[arg(long, global = true, env = "VIGIE_MODELS", value_name = "DIR")]
    models: Option<PathBuf>,
    #[cfg(feature = "trap")]
    /// The ONNX Runtime library, where no configuration says it.
    #[arg(long, global = true, env = "VIGIE_RUNTIME", value_name = "FILE")]
    runtime: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(feature = "trap")]
    /// Take every frame of a memory card: look, decide, redact, seal, remove.
    Scan {
        /// The card's folder; without it, the card of each configured camera.
        card: Option<PathBuf>,
        /// Which camera's card this is, where the configuration names several.
        #[arg(long, value_name = "ID")]
        camera: Option<String>,
    },
    #[cfg(feature = "trap")]
    /// Watch the cards of the configured cameras and take frames as they come.
    Watch {
        /// Take everything, close every event, sync and end: for boxes that are powered for seconds.
        #[arg(long)]
        until_idle: bool,
        /// Where to listen for firmware, where neither the configuration nor the service manager says it.
        #[arg(long, value_name = "FILE", conflicts_with = "until_idle")]
        socket: Option<PathBuf>,
    },
    #[cfg(feature = "trap")]
    /// Wipe a whole memory card: process what can be, overwrite everything, certify it.
    #[command(group = clap::ArgGroup::new("what").args(["plan", "yes"]).required(true))]
    Wipe {
        /// The folder in which the card is mounted.
        card: PathBuf,
        /// Only say what would be done, and whether it would be refused.
        #[arg(long)]
        plan: bool,
        /// Do it. Nothing of what lies on the card is left.
        #[arg(long)]
        yes: bool,
        /// Which camera's card this is, where the configuration names several.
        #[arg(long, value_name = "ID")]
        camera: Option<String>,
        /// Also write the certificate, and its page to print, into this folder.
        #[arg(long, value_name = "DIR", conflicts_with = "plan")]
        certificate: Option<PathBuf>,
    },
    #[cfg(feature = "trap")]
    /// Say what is seen in JPEG files; nothing is written.
    Detect {
        /// JPEG files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    #[cfg(feature = "trap")]
    /// Mask the people of one JPEG file.
    Redact {
        /// The JPEG to read.
        input: PathBuf,
        /// The JPEG to write; it must not exist.
        output: PathBuf,
        /// Mask what is found, or all but what must be seen; by default persons by day, all-but by night.
        #[arg(long)]
        mask: Option<MaskChoice>,
        /// Also write the manifest (JSON) here.
        #[arg(long, value_name = "FILE")]
        manifest: Option<PathBuf>,
    },
    #[cfg(feature = "trap")]
    /// Open a sealed event with a key of the service.
    Open {
        /// The event, 16 hexadecimal digits; `vigie status` lists them.
        event: String,
        /// A secret key file: the service's or the recovery key.
        #[arg(long)]
        key: PathBuf,
        /// The vault; by default the configured one.
        #[arg(long, value_name = "DIR")]
        store: Option<PathBuf>,
        /// Where to write frames and manifests; by default a folder named after the event.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    #[cfg(feature = "trap")]
    /// Say how the box is doing: as its running service says, or else from the vault.
    Status {
        /// One line, and exit code 3 where something wants a hand.
        #[arg(long)]
        check: bool,
        /// Where the service listens, where it is not where it is configured.
        #[arg(long, value_name = "FILE")]
        socket: Option<PathBuf>,
    },
    #[cfg(feature = "trap")]
    /// Attest what became of a camera's recordings of a given time; without personal data.
    Attest {
        /// Which camera.
        #[arg(long, value_name = "ID")]
        camera: String,
        /// First moment, by the camera's corrected clock: 2026-10-20T08:00.
        #[arg(long, value_name = "TIME")]
        from: jiff::civil::DateTime,
        /// Last moment.
        #[arg(long, value_name = "TIME")]
        to: jiff::civil::DateTime,
        /// Also write the signed attestation here, and its page beside it (.txt).
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    #[cfg(feature = "trap")]
    /// Write the report on a new site that is signed before anything is erased there; nothing is.
    Survey {
        /// The card's folder.
        card: PathBuf,
        /// Which camera's card this is, where the configuration names several.
        #[arg(long, value_name = "ID")]
        camera: Option<String>,
        /// The page to write; it must not exist. By default releve-ID.html.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Frames at most, the first ones of the card.
        #[arg(long, value_name = "N", default_value_t = 300)]
        frames: usize,
    },
    #[cfg(feature = "trap")]
    /// Measure what a frame costs on this machine, step by step.
    Bench {
        /// About how long it may take.
        #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(5..=3600))]
        seconds: u32,
        /// Where to work, as on the disk that is to be measured; by default where temporary files lie.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
    #[cfg(feature = "trap")]
    /// Make, show, try, revoke and destroy keys.
    Keys {
        #[command(subcommand)]
        command: keys::KeysCommand,
    },
    #[cfg(all(feature = "trap", feature = "verify"))]
    /// Write out the journal, or let go of its oldest lines.
    Journal {
        #[command(subcommand)]
        command: JournalCommand,
    },
    #[cfg(feature = "trap")]
    /// Carry sealed events from the box to the service, and the service's answer back.
    Transfer {
        #[command(subcommand)]
        command: transfer::TransferCommand,
    },
    #[cfg(feature = "desk")]
    /// The service's machine: pages for the agents, retention, backups.
    Desk {
        #[command(subcommand)]
        command: desk::DeskCommand,
    },
    #[cfg(feature = "verify")]
    /// Check a vault, its journal's export, a bundle, a package, a sealed item or a redacted frame; needs neither
    /// networks nor keys.
    Verify {
        /// A vault's folder, a bundle, a journal's export, a package (packed or not), one sealed item, or a redacted
        /// frame.
        path: PathBuf,
        /// The public key file of the device, or of the desk for a package, that must have signed it.
        #[arg(long, value_name = "FILE")]
        device: Option<PathBuf>,
        /// A line that the journal must contain, as `status`, `verify` or an export gave it earlier.
        #[arg(long, value_name = "SEQ:HASH", conflicts_with = "manifest")]
        head: Option<crate::vault::journal::Head>,
        /// The manifest (JSON) of a redacted frame.
        #[arg(long, value_name = "FILE", conflicts_with = "device")]
        manifest: Option<PathBuf>,
        /// A file with the pass-phrase of an encrypted package.
        #[arg(long, value_name = "FILE", conflicts_with_all = ["manifest", "head"])]
        passphrase_file: Option<PathBuf>,
    },
}

#[cfg(all(feature = "trap", feature = "verify"))]
#[derive(Debug, Subcommand)]
enum JournalCommand {
    /// Write the journal as JSON lines that anyone can check (docs/formats.md).
    Export {
        /// The file to write; it must not exist.
        out: PathBuf,
        /// Only from this line on.
        #[arg(long, value_name = "SEQ")]
        from: Option<u64>,
        /// The vault; by default the configured one.
        #[arg(long, value_name = "DIR")]
        store: Option<PathBuf>,
    },
    /// Let go of lines that are older than three years; without --yes, only say which.
    Prune {
        /// Only of lines from before this day (UTC).
        #[arg(long, value_name = "DATE")]
        before: Option<jiff::civil::Date>,
        /// Do it.
        #[arg(long)]
        yes: bool,
    },
}

/// The two mask policies of DESIGN §5.
#[cfg(feature = "trap")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum MaskChoice {
    /// Mask each person that is found.
    Persons,
    /// Mask everything but vehicles, plates and the waste zone.
    AllBut,
}

/// Runs the program: parses `args`, runs one command, prints its failure if it has one.
pub fn run(args: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    let lang = Lang::from_environment();
    let parsed = lang
        .translate(Arguments::command())
        .try_get_matches_from(args)
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match parsed {
        Ok(arguments) => arguments,
        Err(refusal) => {
            let wrong = refusal.use_stderr();
            // The terminal that asked is the only one who could be told that printing to it failed.
            let _ = refusal.print();
            return if wrong {
                Exit::WrongUse.into()
            } else {
                Exit::Done.into()
            };
        }
    };
    match dispatch(&arguments, lang) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprintln!("{}", failure.told(lang));
            failure.exit().into()
        }
    }
}

fn dispatch(arguments: &Arguments, lang: Lang) -> Result<Exit, Failure> {
    let a = arguments;
    match &a.command {
        #[cfg(feature = "trap")]
        Command::Scan { card, camera } => scan::run(a, card.as_deref(), camera.as_deref(), lang),
        #[cfg(feature = "trap")]
        Command::Watch { until_idle, socket } => watch::run(a, *until_idle, socket.as_deref(), lang),
        #[cfg(feature = "trap")]
        Command::Wipe {
            card,
            plan: true,
            camera,
            ..
        } => wipe::plan(a, card, camera.as_deref(), lang),
        #[cfg(feature = "trap")]
        Command::Wipe {
            card,
            camera,
            certificate,
            ..
        } => wipe::wipe(a, card, camera.as_deref(), certificate.as_deref(), lang),
        #[cfg(feature = "trap")]
        Command::Detect { files } => detect::run(a, files, lang),
        #[cfg(feature = "trap")]
        Command::Redact {
            input,
            output,
            mask,
            manifest,
        } => redact::run(a, input, output, *mask, manifest.as_deref(), lang),
        #[cfg(feature = "trap")]
        Command::Open {
            event,
            key,
            store,
            out,
        } => open::run(a, event, key, store.as_deref(), out.as_deref(), lang),
        #[cfg(feature = "trap")]
        Command::Status { check, socket } => status::run(a, *check, socket.as_deref(), lang),
        #[cfg(feature = "trap")]
        Command::Attest {
            camera,
            from,
            to,
            out,
        } => {
            let (from, to, out) = (*from, *to, out.as_deref());
            let asked = attest::Asked {
                camera,
                from,
                to,
                out,
            };
            attest::run(a, &asked, lang)
        }
        #[cfg(all(feature = "trap", feature = "verify"))]
        Command::Journal { command } => journal::run(a, command, lang),
        #[cfg(feature = "trap")]
        Command::Survey {
            card,
            camera,
            out,
            frames,
        } => survey::run(a, card, camera.as_deref(), out.as_deref(), *frames, lang),
        #[cfg(feature = "trap")]
        Command::Bench { seconds, dir } => bench::run(a, *seconds, dir.as_deref(), lang),
        #[cfg(feature = "trap")]
        Command::Keys { command } => keys::run(command, a.json, lang),
        #[cfg(feature = "trap")]
        Command::Transfer { command } => transfer::run(a, command, lang),
        #[cfg(feature = "desk")]
        Command::Desk { command } => desk::run(a, command, lang),
        #[cfg(feature = "verify")]
        Command::Verify {
            path,
            device,
            head,
            manifest,
            passphrase_file,
        } => {
            let (device, manifest) = (device.as_deref(), manifest.as_deref());
            match manifest.is_none() && crate::verify::package::is_package(path) {
                true => verify::package(path, device, passphrase_file.as_deref(), a.json, lang),
                false => verify::run(path, device, *head, manifest, a.json, lang),
            }
        }
    }
}

/// One JSON object on one line of standard output, its keys in the order of docs/commands.md.
fn json_line(object: &impl serde::Serialize) {
    // What is printed here holds strings, numbers and lists; only a map with keys of another kind could fail.
    match serde_json::to_string(object) {
        Ok(text) => line(&text),
        Err(error) => tracing::error!(%error, "an answer cannot be written as JSON"),
    }
}

/// One line on standard output. A reader that went away is no reason to leave a frame half-way.
fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// The box's clock: the only place where it is read.
#[cfg(any(feature = "trap", feature = "desk"))]
fn box_time() -> crate::frame::BoxTime {
    crate::frame::BoxTime(jiff::Timestamp::now())
}

/// A whole file of the user's, up to the size of the largest frame.
#[cfg(feature = "trap")]
fn read_file(path: &std::path::Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let limit = crate::card::FRAME_AT_MOST;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(limit + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(std::io::Error::other(format!("more than {limit} bytes")));
    }
    Ok(bytes)
}

/// Raised by SIGTERM and SIGINT: the frame in hand is finished, then the program ends cleanly. The second one ends it
/// at once: whatever was cut off is taken up at the next start, as after a power cut.
#[cfg(feature = "trap")]
fn stop_on_signals() -> std::sync::Arc<std::sync::atomic::AtomicBool> {
    /// As [`Exit::Failed`].
    const FAILED: i32 = 1;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        let second = signal_hook::flag::register_conditional_shutdown(signal, FAILED, stop.clone());
        if let Err(error) = second.and_then(|_| signal_hook::flag::register(signal, stop.clone())) {
            tracing::warn!(%error, signal, "a stop by this signal will not be clean");
        }
    }
    stop
}

/// Warnings and worse; `VIGIE_LOG=debug` for more. Never on standard output, which may be JSON.
pub fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("VIGIE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,ort=error"));
    // A second call in one process (the tests) keeps the first subscriber.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}
