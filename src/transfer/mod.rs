//! Transfer: what travels from the box to the desk, and what comes back.
//!
//! Promises:
//! - a bundle bears its name only when all of it is durable on the stick: whoever pulls it out earlier
//!   leaves nothing that the desk would take ([`out`]);
//! - the desk checks a bundle whole before it takes anything ([`inspect`]), takes it in one transaction or
//!   not at all, from enrolled boxes only, never twice and never out of order ([`taking_in`]);
//! - the box erases only what the desk has named in a signed return file of its own, by event, number and
//!   SHA-256 ([`returning`]);
//! - the box destroys no original before the desk has opened what it seals ([`drill`], [`returning`]);
//! - no event of the desk's hangs on a past quarter's keys once it was wrapped anew ([`wrapping`]).
//!
//! A bundle is a folder of plain files, so that it travels on FAT: nothing is packed, nothing is extracted.
//! `docs/formats.md` has the bytes. Leaves sealing, rows and journal to [`crate::vault`], and the mode and the
//! cameras' zones to the trap.

pub mod contents;
pub mod desk;
pub mod drill;
mod folder;
pub mod inspect;
pub mod orders;
pub mod out;
pub mod returning;
mod several;
pub mod taking_in;
pub mod wrapping;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::vault::{DeviceId, keys, seal, signed, store};

pub use contents::Contents;
pub use desk::Desk;
pub use folder::Folder;

/// Items in a bundle at most; so many frames no box takes in a quarter.
pub const MOST_ITEMS: usize = 100_000;
/// Bytes of a signed document at most: some 170 for each item.
pub const LONGEST_DOCUMENT: u64 = 32 << 20;
/// Bytes of a file on FAT at most.
pub const LONGEST_FILE: u64 = u32::MAX as u64;

/// The signed document in a bundle that lists all else.
pub const CONTENTS: &str = "contents.txt";
/// The journal since the desk's last answer, in the form of [`crate::vault::export`].
pub const JOURNAL: &str = "journal.jsonl";
/// The item whose opening proves that the desk holds the key.
pub const DRILL: &str = "drill.vgi";

/// Why nothing was written, or nothing was taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The vault, the box's or the desk's.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A key.
    #[error(transparent)]
    Key(#[from] keys::Error),
    /// Sealing the drill, or wrapping keys anew.
    #[error(transparent)]
    Seal(#[from] seal::Error),
    /// A document of one's own cannot be written.
    #[error(transparent)]
    Document(#[from] signed::Error),
    /// A file or folder.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The target has not the room.
    #[error("{}: {needed} bytes are needed, {free} are free", path.display())]
    NoRoom {
        /// Which.
        path: PathBuf,
        /// Bytes.
        needed: u64,
        /// Bytes.
        free: u64,
    },
    /// A file of the desk's own folder that is not what it must be.
    #[error("{}: {what}", path.display())]
    DeskFile {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// What the other side sent is not taken.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Whoever watched did not want it to go on. Nothing was taken.
    #[error("it was stopped before anything was taken")]
    Stopped,
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io {
        path: path.to_owned(),
        source,
    }
}

/// Why a bundle or a return file is not taken: the whole of it, always.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}", details.first().map_or("", String::as_str), more(details))]
pub struct Refusal {
    /// Which kind of refusal.
    pub reason: Reason,
    /// What is wrong, each with its place.
    pub details: Vec<String>,
}

fn more(details: &[String]) -> String {
    match details.len() {
        0 | 1 => String::new(),
        many => format!(" (and {} more)", many - 1),
    }
}

impl Refusal {
    fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            details: vec![detail.into()],
        }
    }
}

/// The kinds of refusal; words of docs/commands.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Not what was signed: a file changed, missing, added, of another kind or size.
    Damaged,
    /// Signed by nobody who is known here.
    UnknownSigner,
    /// For another box, or another box's.
    OtherDevice,
    /// Older than what was taken already.
    Replay,
    /// Its journal is not the one that was seen before.
    Fork,
    /// Lines of the journal are missing between what was seen and this.
    Gap,
    /// No key here opens it.
    CannotOpen,
    /// An order that cannot be carried out on this box.
    Order,
}

impl Reason {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::UnknownSigner => "unknown-signer",
            Self::OtherDevice => "other-device",
            Self::Replay => "replay",
            Self::Fork => "fork",
            Self::Gap => "gap",
            Self::CannotOpen => "cannot-open",
            Self::Order => "order",
        }
    }
}

/// The text is not the name of a bundle or of a return file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no name of a bundle or a return file")]
pub struct NotAName;

/// A bundle's name: `vigie-0123456789abcdef-00001`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BundleName {
    /// The box that made it.
    pub device: DeviceId,
    /// Its number, counted by the box from 1.
    pub number: u64,
}

impl fmt::Display for BundleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vigie-{}-{:05}", self.device, self.number)
    }
}

impl FromStr for BundleName {
    type Err = NotAName;
    fn from_str(name: &str) -> Result<Self, NotAName> {
        let (device, number) = device_and_number(name.strip_prefix("vigie-").ok_or(NotAName)?)?;
        let parsed = Self { device, number };
        (parsed.to_string() == name).then_some(parsed).ok_or(NotAName)
    }
}

/// A return file's name: `vigie-return-0123456789abcdef-00001.txt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReturnName {
    /// The box that it is for.
    pub device: DeviceId,
    /// Its number, counted by the desk for this box from 1.
    pub number: u64,
}

impl fmt::Display for ReturnName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vigie-return-{}-{:05}.txt", self.device, self.number)
    }
}

impl FromStr for ReturnName {
    type Err = NotAName;
    fn from_str(name: &str) -> Result<Self, NotAName> {
        let stem = name
            .strip_prefix("vigie-return-")
            .and_then(|n| n.strip_suffix(".txt"));
        let (device, number) = device_and_number(stem.ok_or(NotAName)?)?;
        let parsed = Self { device, number };
        (parsed.to_string() == name).then_some(parsed).ok_or(NotAName)
    }
}

fn device_and_number(text: &str) -> Result<(DeviceId, u64), NotAName> {
    let (device, number) = text.split_once('-').ok_or(NotAName)?;
    let device = DeviceId(device.parse().map_err(|_| NotAName)?);
    Ok((device, number.parse().map_err(|_| NotAName)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_and_a_return_file_have_one_name_each() {
        let bundle = "vigie-0123456789abcdef-00012";
        assert_eq!(
            bundle.parse::<BundleName>().map(|n| n.to_string()),
            Ok(bundle.to_owned())
        );
        let back = "vigie-return-0123456789abcdef-00012.txt";
        assert_eq!(
            back.parse::<ReturnName>().map(|n| n.to_string()),
            Ok(back.to_owned())
        );
        for other in [
            "vigie-0123456789abcdef-12",
            "vigie-0123456789ABCDEF-00012",
            "vigie-0123456789abcdef-+0012",
            "Vigie-0123456789abcdef-00012",
            ".new-vigie-0123456789abcdef-00012",
            "vigie-0123456789abcdef-00012/..",
            back,
        ] {
            assert_eq!(other.parse::<BundleName>(), Err(NotAName), "{other}");
        }
        assert_eq!(bundle.parse::<ReturnName>(), Err(NotAName));
    }
}
