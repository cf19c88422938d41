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
use crate::jpeg::compare::Written;

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
    match serde_json::from_slice::<Claim>(&json) {
        Ok(claim) if claim.manifest == 1 => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            check(&bytes, &claim, &name, &mut report);
        }
        Ok(claim) => report.fault(
            manifest.display().to_string(),
            format!("a manifest of form {}; this program reads 1", claim.manifest),
        ),
        Err(error) => report.fault(
            manifest.display().to_string(),
            format!("this is no manifest of a frame: {error}"),
        ),
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

fn check(bytes: &[u8], claim: &Claim, name: &str, report: &mut Report) {
    if bytes.len() as u64 != claim.redacted.bytes {
        let what = format!("{} bytes, not {}", bytes.len(), claim.redacted.bytes);
        report.fault(name, what);
    }
    let digest = Digest::of(bytes);
    if digest != claim.redacted.sha256 {
        let what = format!("its SHA-256 is {digest}, not {}", claim.redacted.sha256);
        report.fault(name, what);
    }
    let (written, exif) = match Written::read(bytes) {
        Ok(read) => read,
        Err(fault) => return report.fault(name, fault.to_string()),
    };
    // A file without a word on it is seen as it is stored.
    let stands = exif.and_then(orientation).unwrap_or(1);
    if stands != claim.orientation {
        let what = format!("its orientation is {stands}, not {}", claim.orientation);
        report.fault(name, what);
    }
    let size = written.head().size;
    if size != claim.size {
        let what = format!(
            "{} x {} pixels, not {} x {}",
            size.width, size.height, claim.size.width, claim.size.height
        );
        return report.fault(name, what);
    }
    let Some(mask) = claim.mask.on(size) else {
        return report.fault(name, "the manifest's mask is none of a picture of this size");
    };
    let grid = written.index().scan().grid;
    let unit = grid.unit.map(u32::from);
    if claim.redaction == Redaction::Splice && unit != mask.unit {
        return report.fault(name, "the manifest's mask is not drawn in its MCUs");
    }
    let masked = |mcu: usize| mask.hides(unit, mcu as u32 % grid.columns, mcu as u32 / grid.columns);
    if let Err(fault) = is_filled(&written, claim, masked) {
        report.fault(name, fault.to_string());
    }
    match (&claim.redaction, claim.coefficients) {
        (Redaction::Splice, Some(expected)) => match written.hash(masked) {
            Ok(hash) if hash == expected => {}
            Ok(hash) => report.fault(
                name,
                format!("the coefficients outside the mask have the hash {hash}, not {expected}"),
            ),
            Err(fault) => report.fault(name, fault.to_string()),
        },
        (Redaction::Splice, None) => report.fault(name, "spliced, and no hash over its coefficients"),
        (Redaction::ReEncoded, Some(_)) => report.fault(
            name,
            "encoded again, and yet a hash over the camera's coefficients",
        ),
        (Redaction::ReEncoded, None) => {
            report.remark("encoded again: what is not masked cannot be proven to be the camera's")
        }
    }
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
fn is_filled(
    written: &Written,
    claim: &Claim,
    masked: impl Fn(usize) -> bool,
) -> Result<(), crate::jpeg::compare::Fault> {
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
        assert_eq!(orientation(b"II\x2a\0\xff\xff\xff\xff"), None);
        assert_eq!(orientation(b"no TIFF"), None);
    }
}
