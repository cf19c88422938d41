//! Checks that anyone can run: they need neither networks nor keys, and change nothing.
//!
//! Promises: any changed, missing, added, renamed or swapped item, any change to the journal and any
//! changed bit in a closed store is found and named, and so is any difference between a redacted frame
//! and its manifest; no bytes, however damaged, make it panic or
//! allocate without bound. A store that was cut off and not closed is checked for all it says, and
//! the report remarks that it was cut off.
//!
//! Leaves proving *which* box wrote a store to the public key that the caller trusts: without one the
//! store vouches for itself, and the report says so.

#[cfg(unix)]
mod bundle;
#[cfg(unix)]
mod certificates;
#[cfg(unix)]
mod database;
#[cfg(unix)]
mod export;
mod frame;
#[cfg(unix)]
mod items;
#[cfg(unix)]
mod journal;
pub mod package;
#[cfg(unix)]
mod store;

use std::fs::File;
use std::io;
#[cfg(unix)]
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::vault::DevicePublic;
use crate::vault::item::Header;
use crate::vault::journal::Head;

#[cfg(unix)]
pub use bundle::bundle;
#[cfg(unix)]
pub use export::{Slices, Written, export, write_export, write_part};
pub use frame::{Mismatch, frame, mismatches};
pub use package::package;
#[cfg(unix)]
pub use store::{store, store_with};

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing is there, or nothing that can be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Neither a store, nor a bundle, nor an item.
    #[error("{}: this is neither a vigie store, nor a bundle, nor a sealed item", .0.display())]
    Unknown(PathBuf),
    /// A package that only its pass-phrase opens.
    #[error("{}: this package is encrypted; give its pass-phrase", .0.display())]
    Encrypted(PathBuf),
    /// Not the package's pass-phrase.
    #[error("{}: this is not the package's pass-phrase", .0.display())]
    Passphrase(PathBuf),
    /// A running program changes it while it is read.
    #[error("{}: in use by a running vigie; stop it first, or verify a copy", .0.display())]
    InUse(PathBuf),
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// File, and line or row or bytes in it.
    #[serde(rename = "where")]
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What was checked.
    pub path: String,
    /// No faults.
    pub ok: bool,
    /// The journal's head, if the box signed it: whoever keeps it can ask for it later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// What is not as it was written.
    pub faults: Vec<Fault>,
    /// What a reader should know, and is no fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

impl Report {
    fn new(path: &Path) -> Self {
        Self {
            path: path.display().to_string(),
            ok: true,
            head: None,
            faults: Vec::new(),
            remarks: Vec::new(),
        }
    }

    fn fault(&mut self, place: impl Into<String>, what: impl Into<String>) {
        self.ok = false;
        self.faults.push(Fault {
            place: place.into(),
            what: what.into(),
        });
    }

    fn remark(&mut self, what: impl Into<String>) {
        self.remarks.push(what.into());
    }
}

/// Checks the store, the bundle, the journal's export or the item at `path`. `device` is the box that is trusted to
/// have written it; the journal must contain the line `pinned`.
#[cfg(unix)]
pub fn path(path: &Path, device: Option<&DevicePublic>, pinned: Option<Head>) -> Result<Report, Error> {
    let unreadable = |source| io_at(path, source);
    if path.metadata().map_err(unreadable)?.is_dir() {
        return match bundle::is_bundle(path) {
            true => bundle(path, device, pinned),
            false => store_with(path, device, pinned),
        };
    }
    let mut start = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(export::START.len() as u64)
        .read_to_end(&mut start)
        .map_err(unreadable)?;
    match start == export::START {
        true => export(path, device, pinned),
        false => item(path),
    }
}

/// Checks the item at `path`: vaults, bundles and exports are checked where they are made, on Linux.
#[cfg(not(unix))]
pub fn path(path: &Path, _: Option<&DevicePublic>, _: Option<Head>) -> Result<Report, Error> {
    match path.metadata().map_err(|source| io_at(path, source))?.is_dir() {
        true => Err(Error::Unknown(path.to_owned())),
        false => item(path),
    }
}

/// Checks the form of one item file: header, length, chunks. What is in it only a key can check.
pub fn item(path: &Path) -> Result<Report, Error> {
    let mut file = File::open(path).map_err(|source| io_at(path, source))?;
    let length = file.metadata().map_err(|source| io_at(path, source))?.len();
    let mut report = Report::new(path);
    let checked = Header::read(&mut file).and_then(|header| {
        header.check_length(length)?;
        Ok(header)
    });
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match checked {
        Ok(header) if header.id.to_string() != name => {
            report.remark(format!("by its header this is {}: it was renamed", header.id))
        }
        Ok(_) => {}
        Err(error) => report.fault(name, error.to_string()),
    }
    report.remark("only the form of an item can be checked without a key or its store");
    Ok(report)
}

fn io_at(path: &Path, source: io::Error) -> Error {
    Error::Io {
        path: path.to_owned(),
        source,
    }
}
