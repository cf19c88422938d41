//! Keys: the box's and the desk's own signing keys, and the service's and the recovery recipients.
//!
//! Promises: a secret key file is never overwritten, is readable by its owner alone and is refused
//! when it is not; a secret is never printed and is wiped from memory when dropped; a public key file
//! exists only if its secret was durable first. Ed25519 (RFC 8032) for signing, DHKEM(X25519,
//! HKDF-SHA256) (RFC 9180 §7.1) for recipients. The file format is in `docs/formats.md`.
//!
//! Leaves to others where keys are kept, and what is done when one is lost.

#[cfg(unix)]
pub mod destruction;
#[cfg(unix)]
pub mod drill;
mod file;
mod init;
mod recipient;
pub mod revocation;
pub mod ring;
mod signing;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::signed;
use crate::frame::BoxTime;
#[cfg(unix)]
pub use destruction::{Destruction, Plan};
#[cfg(unix)]
pub use drill::Drill;
pub(super) use file::lower_hex;
pub use init::{
    DeviceIdentity, KeyFiles, OfficeIdentity, desk_init, office_init, office_init_quarters, trap_init,
};
#[cfg(test)]
pub(super) use init::{office_init_from, trap_init_from};
pub(super) use recipient::Kem;
pub use recipient::{OfficeKey, Recipient};
pub use revocation::Revocation;
pub use ring::Ring;
pub use signing::{DeviceKey, DevicePublic};

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Making keys never replaces any: what was sealed to the old one could no longer be opened.
    #[error(
        "{}: it is already there; keep it, or move it to a safe place before making a new one",
        .0.display()
    )]
    Exists(PathBuf),
    /// A secret that others on this machine can read is no secret.
    #[error("{}: others can read this secret key (mode {mode:o}); run chmod 600 on it, and make a new one if it may have been read", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Whoever owns the file can read and replace it, or whoever can write to its folder.
    #[error("{}: {what}", path.display())]
    Unguarded {
        /// The file, or its folder.
        path: PathBuf,
        /// What is wrong, and what to do.
        what: &'static str,
    },
    /// A link could lead anywhere; a pipe would never end.
    #[error("{}: a key is read from a plain file, and a secret one never through a link", .0.display())]
    NotPlain(PathBuf),
    /// Not a key file, or a damaged one.
    #[error("{place}: {what}")]
    Malformed {
        /// The file, or `key` when it came from elsewhere.
        place: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// A document that the desk did not sign, or a damaged one.
    #[error("{place}: {what}")]
    Document {
        /// The file, or what it came from.
        place: String,
        /// What is wrong with it.
        what: signed::Error,
    },
    /// Nobody is known by whom it could be signed.
    #[error("{}: the desk's public key is not configured, so nothing can be checked with it", .0.display())]
    NoDesk(PathBuf),
    /// What is sealed now, or will be, must stay readable.
    #[error("{0} is not over: its keys are still needed")]
    NotOver(Epoch),
    /// None of that quarter is there.
    #[error("{}: there is no secret key of {epoch} here", folder.display())]
    NothingToDestroy {
        /// The folder.
        folder: PathBuf,
        /// The quarter.
        epoch: Epoch,
    },
    /// More than any office hands out.
    #[error("{}: more than 1000 keys and revocations: this is no box's folder", .0.display())]
    TooManyFiles(PathBuf),
    /// A good key, but for another job.
    #[error("{place}: this is the {found}, where the {wanted} is needed")]
    WrongKey {
        /// The file, or `key` when it came from elsewhere.
        place: String,
        /// What the file holds.
        found: String,
        /// What was asked for.
        wanted: &'static str,
    },
    /// Not a quarter.
    #[error("{0:?} is not a quarter such as 2026-Q4")]
    Epoch(String),
    /// Not 16 hexadecimal digits in lower case.
    #[error("{0:?} is not a fingerprint (16 hexadecimal digits)")]
    Fingerprint(String),
    /// Not the 64 hexadecimal digits, in lower case, of an Ed25519 key.
    #[error("{0:?} is no public key")]
    PublicKey(String),
    /// The file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The operating system gave no random numbers.
    #[error("no random numbers from the operating system: {0}")]
    Randomness(#[from] getrandom::Error),
}

/// The first 8 bytes of the SHA-256 of a public key, written as 16 hexadecimal digits: names a key,
/// proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint([u8; 8]);

impl Fingerprint {
    /// Of the key with these 32 bytes.
    pub fn of(public: &[u8; 32]) -> Self {
        let mut first = [0; 8];
        first.copy_from_slice(&Sha256::digest(public)[..8]);
        Self(first)
    }

    /// From its 8 bytes.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// Its 8 bytes.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        lower_hex::<8>(text)
            .map(Self)
            .ok_or_else(|| Error::Fingerprint(text.to_owned()))
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

/// A box, or the desk: the fingerprint of its signing key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceId(pub Fingerprint);

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The quarter for which a recipient was made. Destroying a quarter's secret keys is the erasure that
/// backups cannot undo.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Epoch {
    year: u16,
    quarter: u8,
}

impl Epoch {
    /// Quarter 1 to 4 of a year from 2000 to 9999.
    pub fn new(year: u16, quarter: u8) -> Result<Self, Error> {
        if (2000..=9999).contains(&year) && (1..=4).contains(&quarter) {
            Ok(Self { year, quarter })
        } else {
            Err(Error::Epoch(format!("{year}-Q{quarter}")))
        }
    }

    /// The quarter in which `day` lies.
    pub fn of(day: jiff::civil::Date) -> Result<Self, Error> {
        let quarter = (day.month() - 1) / 3 + 1;
        match (u16::try_from(day.year()), u8::try_from(quarter)) {
            (Ok(year), Ok(quarter)) => Self::new(year, quarter),
            _ => Err(Error::Epoch(day.to_string())),
        }
    }

    /// The year.
    pub fn year(self) -> u16 {
        self.year
    }

    /// 1 to 4.
    pub fn quarter(self) -> u8 {
        self.quarter
    }

    /// The quarter in which an instant lies, in UTC; nothing before 2000, when no box had its clock set.
    pub fn at(now: BoxTime) -> Option<Self> {
        Self::of(now.0.to_zoned(jiff::tz::TimeZone::UTC).date()).ok()
    }

    /// The next quarter; after the last of 9999 there is none.
    pub fn next(self) -> Option<Self> {
        match self.quarter {
            4 => Self::new(self.year + 1, 1),
            quarter => Self::new(self.year, quarter + 1),
        }
        .ok()
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-Q{}", self.year, self.quarter)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Epoch {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Epoch(text.to_owned());
        let (year, quarter) = text.split_once("-Q").ok_or_else(wrong)?;
        let epoch = match (year.parse(), quarter.parse()) {
            (Ok(year), Ok(quarter)) => Self::new(year, quarter),
            _ => Err(wrong()),
        }?;
        // One spelling each: `+2026-Q04` is not a quarter.
        if epoch.to_string() == text {
            Ok(epoch)
        } else {
            Err(wrong())
        }
    }
}

impl TryFrom<String> for Epoch {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Epoch> for String {
    fn from(epoch: Epoch) -> Self {
        epoch.to_string()
    }
}

/// For whom a recipient stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The service that reviews.
    Service,
    /// The key in the safe, for the day when the service's is lost.
    Recovery,
}

impl Role {
    /// `service` or `recovery`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Recovery => "recovery",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
