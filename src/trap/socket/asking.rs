//! Asking a running service over its socket, as `vigie status` does.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::protocol::{Command, Said, VERSION};
use crate::trap::health::Health;

/// A service that does not answer within this time is asked no more.
const PATIENCE: Duration = Duration::from_secs(5);
/// An answer is not longer: a line for each event of many years.
const LONGEST: u64 = 64 << 20;

/// How the box is doing that keeps the vault in `store`, by the service that listens at `socket`; `None` where none does, or
/// where it keeps another vault.
pub fn health(socket: &Path, store: &Path) -> Option<Health> {
    let said = ask(socket, Command::Status)
        .inspect_err(|error| tracing::debug!(%error, "no service was asked"))
        .ok()?;
    let same = said.store.as_deref() == Some(&*super::vault_of(store));
    let status = said.status.filter(|_| same)?;
    serde_json::from_str(status.get())
        .inspect_err(|error| tracing::warn!(%error, "the service's answer cannot be read"))
        .ok()
}

fn ask(socket: &Path, command: Command) -> std::io::Result<Said> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let question = Said {
        vigie: VERSION,
        command: Some(command),
        ..Said::default()
    };
    stream.write_all(question.line().as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST)).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}
