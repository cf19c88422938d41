//! The journal as text: one JSON object per line, for whoever must check it with tools of their own.
//!
//! Promises: an export has one single text for what it says, so any changed bit in it is found; it holds
//! the lines as they were hashed, the box's key, where the chain begins and the signed head, and needs
//! nothing else to be checked (docs/formats.md has the recipe). Reading takes one line at a time, of bounded
//! length. Leaves judging the chain to [`crate::verify`].

use std::io::{self, BufRead, Read as _, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::journal::{Head, Line};
use super::keys::{DeviceId, DevicePublic, lower_hex};

/// The header's first member: which form, and which version of it.
pub const FORMAT: &str = "vigie journal 1";

/// The longest line tells of the leftovers of a crash, some 40 bytes each.
const LONGEST_LINE: u64 = 1 << 24;

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`].
    pub export: String,
    /// The box's name.
    pub device: DeviceId,
    /// The box's public key.
    pub device_key: DevicePublic,
    /// The line before the first one that follows: genesis, the checkpoint's, or any.
    pub after: Head,
    /// The signed checkpoint, where the journal begins with one.
    pub checkpoint: Option<String>,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Last {
    /// What the box signed.
    pub head: Signed,
}

/// A head and its signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// The last line's number.
    pub seq: u64,
    /// Its hash, in hexadecimal digits.
    pub hash: crate::frame::Digest,
    /// The box's signature, in hexadecimal digits.
    pub signature: String,
}

impl Signed {
    /// The head, if `device` signed it.
    pub fn by(&self, device: &DevicePublic) -> Option<Head> {
        let head = Head {
            seq: self.seq,
            hash: self.hash,
        };
        let signature = lower_hex(&self.signature)?;
        head.signed(device, &signature).then_some(head)
    }
}

/// Writes an object as one line.
pub fn write_line(out: &mut impl Write, object: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, object)?;
    out.write_all(b"\n")
}

/// One line after the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A line of the journal.
    Line(Line),
    /// The end.
    Last(Last),
}

/// Why a line of an export tells nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not the text that this program writes.
    #[error("it is not written as the program writes it")]
    Damaged,
    /// It could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// An export that is being read.
pub struct Reader<R> {
    source: R,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    pub fn new(mut source: R) -> Result<(Self, Header), Error> {
        let text = next_line(&mut source)?.ok_or(Error::Damaged)?;
        let header: Header = one_text(&text).ok_or(Error::Damaged)?;
        let known = header.export == FORMAT && header.device == header.device_key.id();
        known.then_some((Self { source }, header)).ok_or(Error::Damaged)
    }

    /// The next line; nothing at the end of the file.
    pub fn record(&mut self) -> Result<Option<Record>, Error> {
        let Some(text) = next_line(&mut self.source)? else {
            return Ok(None);
        };
        let line = one_text(&text).map(Record::Line);
        let record = line.or_else(|| one_text(&text).map(Record::Last));
        record.map(Some).ok_or(Error::Damaged)
    }
}

fn next_line(source: &mut impl BufRead) -> Result<Option<String>, Error> {
    let mut bytes = Vec::new();
    source.take(LONGEST_LINE).read_until(b'\n', &mut bytes)?;
    match bytes.pop() {
        None => Ok(None),
        Some(b'\n') => String::from_utf8(bytes).map(Some).map_err(|_| Error::Damaged),
        Some(_) => Err(Error::Damaged),
    }
}

/// Reads an object from the only text that says it.
fn one_text<T: Serialize + DeserializeOwned>(text: &str) -> Option<T> {
    let object: T = serde_json::from_str(text).ok()?;
    (serde_json::to_string(&object).ok()? == text).then_some(object)
}
