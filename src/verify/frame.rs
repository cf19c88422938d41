//! A redacted frame against its manifest (docs/formats.md §8): with neither the original nor a key.
//!
//! Promises: any changed byte of the frame is found; so is a manifest that claims what its frame does not
//! bear out: a masked block that is not its fill, another mask, another size, coefficients outside the
//! mask that are not those that were hashed when the original was there. Reads the manifest by itself, by
//! the written format, and decodes no picture. Leaves who vouches for the manifest to the journal.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use serde::Deserialize;

use super::{Error, Report, io_at};
use crate::frame::{Digest, FrameSize};
use crate::jpeg::compare::{Fault, Written};

/// More than any frame has.
const LARGEST_FRAME: u64 = 1 << 28;
const LARGEST_MANIFEST: u64 = 1 << 24;

/// The members of a manifest that can be checked against its frame alone.
#[derive(Deserialize)]
struct Claim {
    manifest: u32,
    redacted: Identity,
    size: FrameSize,
    orientation: u16,
    redaction: Redaction,
    coefficients: Option<Digest>,
    fill: Fill,
    mask: Runs,
}

#[derive(Deserialize)]
struct Identity {
    sha256: Digest,
    bytes: u64,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Redaction {
    Splice,
    ReEncoded,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Fill {
    Flat,
    Mosaic,
}

#[derive(Deserialize)]
struct Runs {
    unit: [u32; 2],
    runs: Vec<[u32; 3]>,
}

/// Units of the mask, row by row.
struct Mask {
    unit: [u32; 2],
    columns: u32,
    rows: u32,
    masked: Vec<bool>,
}

impl Runs {
    /// The mask of a picture of this size; none if a run is empty, out of order or outside of it.
    fn on(&self, size: FrameSize) -> Option<Mask> {
        let [width, height] = self.unit;
        if ![width, height]
            .iter()
            .all(|side| matches!(side, 8 | 16 | 24 | 32))
        {
            return None;
        }
        let (columns, rows) = (size.width.div_ceil(width), size.height.div_ceil(height));
        let mut masked = Vec::new();
        for &[row, first, count] in &self.runs {
            let (row, first) = (u64::from(row), u64::from(first));
            let start = row * u64::from(columns) + first;
            let end = first + u64::from(count);
            let is_sound = count > 0 && row < u64::from(rows) && end <= u64::from(columns);
            if !is_sound || start < masked.len() as u64 {
                return None;
            }
            masked.resize(start as usize, false);
            masked.resize((start + u64::from(count)) as usize, true);
        }
        masked.resize(columns as usize * rows as usize, false);
        Some(Mask {
            unit: self.unit,
            columns,
            rows,
            masked,
        })
    }
}

impl Mask {
    /// Whether the part of the picture that an MCU of this size shows, in this column and row, is masked
    /// everywhere.
    fn hides(&self, [width, height]: [u32; 2], column: u32, row: u32) -> bool {
        let units = |at: u32, side: u32, unit: u32, count: u32| {
            let end = ((at + 1) * side).div_ceil(unit).min(count);
            at * side / unit..end
        };
        let columns = units(column, width, self.unit[0], self.columns);
        units(row, height, self.unit[1], self.rows).all(|row| {
            columns
                .clone()
                .all(|column| self.masked[(row * self.columns + column) as usize])
        })
    }
}

/// Checks the redacted frame at `path` against the manifest at `manifest`.
pub fn frame(path: &Path, manifest: &Path) -> Result<Report, Error> {
    let bytes = read(path, LARGEST_FRAME)?;
    let json = read(manifest, LARGEST_MANIFEST)?;
    let mut report = Report::new(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let held = held(&bytes, &json);
    for mismatch in &held.mismatches {
        match mismatch {
            Mismatch::NoManifest(_) => report.fault(manifest.display().to_string(), mismatch.to_string()),
            _ => report.fault(name.clone(), mismatch.to_string()),
        }
    }
    if held.encoded_again {
        report.remark("encoded again: what is not masked cannot be proven to be the camera's");
    }
    Ok(report)
}

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let mut file = File::open(path).map_err(|source| io_at(path, source))?;
    let taken = file.by_ref().take(limit + 1).read_to_end(&mut bytes);
    taken.map_err(|source| io_at(path, source))?;
    match bytes.len() as u64 > limit {
        true => Err(io_at(
            path,
            std::io::Error::other(format!("more than {limit} bytes")),
        )),
        false => Ok(bytes),
    }
}

/// How a frame is not what its manifest says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Another length.
    #[error("{found} bytes, not {expected}")]
    Length {
        /// Of the file.
        found: u64,
        /// By the manifest.
        expected: u64,
    },
    /// Other bytes.
    #[error("its SHA-256 is {found}, not {expected}")]
    Digest {
        /// Of the file.
        found: Digest,
        /// By the manifest.
        expected: Digest,
    },
    /// It is not what a redaction writes, or something stands where something was hidden.
    #[error(transparent)]
    Written(#[from] Fault),
    /// It is turned otherwise.
    #[error("its orientation is {found}, not {expected}")]
    Orientation {
        /// Of the file.
        found: u16,
        /// By the manifest.
        expected: u16,
    },
    /// Another size.
    #[error("{} x {} pixels, not {} x {}", found.width, found.height, expected.width, expected.height)]
    Size {
        /// Of the file.
        found: FrameSize,
        /// By the manifest.
        expected: FrameSize,
    },
    /// A mask that no picture of this size has.
    #[error("the manifest's mask is none of a picture of this size")]
    NoMask,
    /// Drawn in other units than the picture's.
    #[error("the manifest's mask is not drawn in its MCUs")]
    Unit,
    /// What is not masked was changed.
    #[error("the coefficients outside the mask have the hash {found}, not {expected}")]
    Coefficients {
        /// Of the file.
        found: Digest,
        /// By the manifest.
        expected: Digest,
    },
    /// A manifest that proves nothing and should.
    #[error("spliced, and no hash over its coefficients")]
    NoHash,
    /// A manifest that claims what cannot be.
    #[error("encoded again, and yet a hash over the camera's coefficients")]
    NeedlessHash,
    /// No manifest at all.
    #[error("this is no manifest of a frame: {0}")]
    NoManifest(String),
}

/// What a frame holds against its manifest, byte by byte. `encoded_again` tells of a frame of which only the mask
/// can be proven.
pub(super) struct Held {
    pub(super) mismatches: Vec<Mismatch>,
    pub(super) encoded_again: bool,
}

/// How a frame in memory is not what its manifest (JSON) says: nothing, if it is.
pub fn mismatches(jpeg: &[u8], manifest: &[u8]) -> Vec<Mismatch> {
    held(jpeg, manifest).mismatches
}

/// Holds a frame against its manifest (JSON).
pub(super) fn held(bytes: &[u8], manifest: &[u8]) -> Held {
    let none = |why: String| Held {
        mismatches: vec![Mismatch::NoManifest(why)],
        encoded_again: false,
    };
    match serde_json::from_slice::<Claim>(manifest) {
        Ok(claim) if claim.manifest == 1 => check(bytes, &claim),
        Ok(claim) => none(format!("form {}; this program reads 1", claim.manifest)),
        Err(error) => none(error.to_string()),
    }
}

fn check(bytes: &[u8], claim: &Claim) -> Held {
    let mut held = Held {
        mismatches: Vec::new(),
        encoded_again: false,
    };
    let mut fault = |mismatch| held.mismatches.push(mismatch);
    let (found, expected) = (bytes.len() as u64, claim.redacted.bytes);
    if found != expected {
        fault(Mismatch::Length { found, expected });
    }
    let (found, expected) = (Digest::of(bytes), claim.redacted.sha256);
    if found != expected {
        fault(Mismatch::Digest { found, expected });
    }
    let (written, exif) = match Written::read(bytes) {
        Ok(read) => read,
        Err(error) => {
            fault(error.into());
            return held;
        }
    };
    // A file without a word on it is seen as it is stored.
    let (found, expected) = (exif.and_then(orientation).unwrap_or(1), claim.orientation);
    if found != expected {
        fault(Mismatch::Orientation { found, expected });
    }
    let (found, expected) = (written.head().size, claim.size);
    if found != expected {
        fault(Mismatch::Size { found, expected });
        return held;
    }
    let Some(mask) = claim.mask.on(found) else {
        fault(Mismatch::NoMask);
        return held;
    };
    let grid = written.index().scan().grid;
    let unit = grid.unit.map(u32::from);
    if claim.redaction == Redaction::Splice && unit != mask.unit {
        fault(Mismatch::Unit);
        return held;
    }
    let masked = |mcu: usize| mask.hides(unit, mcu as u32 % grid.columns, mcu as u32 / grid.columns);
    if let Err(error) = is_filled(&written, claim, masked) {
        fault(error.into());
    }
    match (&claim.redaction, claim.coefficients) {
        (Redaction::Splice, Some(expected)) => match written.hash(masked) {
            Ok(found) if found == expected => {}
            Ok(found) => fault(Mismatch::Coefficients { found, expected }),
            Err(error) => fault(error.into()),
        },
        (Redaction::Splice, None) => fault(Mismatch::NoHash),
        (Redaction::ReEncoded, Some(_)) => fault(Mismatch::NeedlessHash),
        (Redaction::ReEncoded, None) => held.encoded_again = true,
    }
    held
}

/// The orientation in the first directory of a TIFF structure (TIFF 6.0 §2; EXIF 2.32, tag 0x0112).
fn orientation(tiff: &[u8]) -> Option<u16> {
    let little = match tiff.get(..4)? {
        b"II\x2a\0" => true,
        b"MM\0\x2a" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(match little {
            true => u16::from_le_bytes(bytes),
            false => u16::from_be_bytes(bytes),
        })
    };
    let long = |at: usize| {
        let [first, second] = [short(at)?, short(at.checked_add(2)?)?].map(u32::from);
        Some(match little {
            true => second << 16 | first,
            false => first << 16 | second,
        })
    };
    let directory = long(4)? as usize;
    (0..usize::from(short(directory)?))
        .map_while(|nth| directory.checked_add(2 + 12 * nth))
        .find(|&entry| short(entry) == Some(0x0112))
        .and_then(|entry| short(entry.checked_add(8)?))
}

/// Whether what is masked holds a fill and nothing else: nothing at all, or one of the mosaic's greys.
fn is_filled(written: &Written, claim: &Claim, masked: impl Fn(usize) -> bool) -> Result<(), Fault> {
    let step = i32::from(written.index().scan().parts[0].quantiser[0].max(1));
    // Five steps of the range from 0 to 255, their middles, as distances from its middle, times eight.
    let greys = [25, 76, 128, 179, 230].map(|grey: i32| 8 * (grey - 128));
    let levels = greys.map(|g| (g.signum() * ((2 * g.abs() + step) / (2 * step))) as i16);
    written.is_filled(|mcu| {
        masked(mcu).then(|| match written.index().dcs(mcu).first() {
            Some(level) if claim.fill == Fill::Mosaic && levels.contains(level) => *level,
            // An encoder rounds by itself.
            Some(level) if claim.fill == Fill::Mosaic && claim.redaction == Redaction::ReEncoded => *level,
            _ => 0,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::orientation;

    #[test]
    fn the_orientation_is_read_in_either_byte_order_and_nowhere_beyond_the_end() {
        let little =
            b"II\x2a\0\x08\0\0\0\x02\0\x0f\x01\x02\0\x01\0\0\0A\0\0\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0";
        let big = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0";
        assert_eq!(orientation(little), Some(6));
        assert_eq!(orientation(big), Some(8));
        for end in 0..little.len() - 2 {
            assert!(
                orientation(&little[..end]).is_none_or(|found| found == 6),
                "{end}"
            );
        }
        // A directory behind the first 65536 bytes.
        let mut far = [&b"II\x2a\0\x04\0\x01\0"[..], &[0; 0xfffc], &little[8..]].concat();
        assert_eq!(orientation(&far), Some(6));
        far = [&b"MM\0\x2a\0\x01\0\x04"[..], &[0; 0xfffc], &big[8..]].concat();
        assert_eq!(orientation(&far), Some(8));
        assert_eq!(orientation(b"II\x2a\0\xff\xff\xff\xff"), None);
        assert_eq!(orientation(b"no TIFF"), None);
    }
}
