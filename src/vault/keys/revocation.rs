//! Revocation: the desk's signed word that nothing is sealed to a key any more.
//!
//! Promises: only the desk's own signature revokes, so that nobody else can stop the boxes from sealing.
//! Cannot undo anything: what was sealed to a key before stays openable with it (docs/keys.md).

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::file::read_small;
use super::{DeviceKey, DevicePublic, Error, Fingerprint};
use crate::frame::BoxTime;
use crate::vault::durable::{self, Existing};
use crate::vault::signed::{self, Document};

/// How the name of a revocation ends, beside the recipients.
pub const EXTENSION: &str = "revocation";
/// Room for every key an office ever had, and a reason.
const LONGEST: usize = 64 * 1024;
const LONGEST_REASON: usize = 500;
const MOST_KEYS: usize = 1000;

/// Keys of the service or of the recovery to which nothing is sealed from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// The desk that says so.
    pub desk: DevicePublic,
    /// The keys' names, each once, in ascending order.
    pub keys: Vec<Fingerprint>,
    /// Why, in one line that names nobody: it goes to every box.
    pub reason: String,
    /// When the desk said so.
    pub revoked: BoxTime,
}

impl Document for Revocation {
    const TITLE: &'static str = "vigie revocation 1";
}

impl Revocation {
    /// Of these keys; refused if there are none, or too many, or if the reason is not one line.
    pub fn new(
        desk: &DeviceKey,
        mut keys: Vec<Fingerprint>,
        reason: &str,
        now: BoxTime,
    ) -> Result<Self, Error> {
        keys.sort_unstable();
        keys.dedup();
        let revocation = Self {
            desk: desk.public().clone(),
            keys,
            reason: reason.trim().to_owned(),
            revoked: now,
        };
        revocation.check("revocation")?;
        Ok(revocation)
    }

    /// Signs it and writes it to `path`, which must be free.
    pub fn write(&self, desk: &DeviceKey, path: &Path) -> Result<(), Error> {
        let text = signed::sign(self, desk).map_err(|what| at(&path.display().to_string(), what))?;
        write_document(path, &text)
    }

    /// Reads one that must be signed by `desk`.
    pub fn read(path: &Path, desk: &DevicePublic) -> Result<Self, Error> {
        let place = path.display().to_string();
        Self::parse(&place, &read_small(path, LONGEST)?, desk)
    }

    /// Reads the text of one, found in `place`, that must be signed by `desk`.
    pub fn parse(place: &str, text: &str, desk: &DevicePublic) -> Result<Self, Error> {
        let revocation: Self = signed::read(text, desk, "the desk").map_err(|what| at(place, what))?;
        revocation.check(place)?;
        if revocation.desk == *desk {
            Ok(revocation)
        } else {
            Err(malformed(
                place,
                "it names another desk than the one that signed it",
            ))
        }
    }

    fn check(&self, place: &str) -> Result<(), Error> {
        let reason = self.reason.trim();
        if reason.is_empty() || reason.len() > LONGEST_REASON || reason.contains(char::is_control) {
            return Err(malformed(
                place,
                "its reason is not one line of at most 500 bytes",
            ));
        }
        if !(1..=MOST_KEYS).contains(&self.keys.len()) || !self.keys.is_sorted_by(|a, b| a < b) {
            return Err(malformed(place, "it does not name each key once, in order"));
        }
        Ok(())
    }
}

/// Writes a signed document to a name that must be free.
pub(super) fn write_document(path: &Path, text: &str) -> Result<(), Error> {
    durable::write(path, text.as_bytes(), 0o644, Existing::Refuse).map_err(|source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => Error::Exists(path.to_owned()),
        _ => Error::Io {
            path: path.to_owned(),
            source,
        },
    })
}

fn malformed(place: &str, what: &'static str) -> Error {
    Error::Malformed {
        place: place.to_owned(),
        what,
    }
}

pub(super) fn at(place: &str, what: signed::Error) -> Error {
    Error::Document {
        place: place.to_owned(),
        what,
    }
}
