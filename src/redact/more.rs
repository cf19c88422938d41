//! Masking more: a redacted frame in which the desk hides something that the box did not.
//!
//! Promises: hiding only ever grows. What is hidden stays hidden under the fill that it has; what is added is
//! flat; every other MCU keeps its coefficients, which is checked against the file that is superseded as a
//! splice is against its original. The new manifest tells of the same original, and names the version that it
//! stands for. A frame that cannot be spliced again is not masked more: it never loses a coefficient that the
//! mask does not cover. Leaves destroying the former version to the desk.

use super::manifest::{File, Former};
use super::{Canvas, Error, Manifest, Mask, Original, Redacted, Redaction};
use crate::frame::{BoxTime, Digest};
use crate::jpeg::compare::compare;
use crate::jpeg::splice::{self, splice};
use crate::jpeg::{Grid, Head, Index};

impl Manifest {
    /// What a further mask is drawn on.
    pub fn canvas(&self) -> Result<Canvas, super::mask::Error> {
        Ok(Canvas {
            stored: self.size,
            orientation: self.orientation,
            grid: self.hidden()?.grid(),
        })
    }

    /// What is hidden.
    pub fn hidden(&self) -> Result<Mask, super::mask::Error> {
        self.mask.on(self.size)
    }
}

/// Hides `added` too, in the redacted frame `jpeg` of which `manifest` tells.
pub fn mask_more(jpeg: &[u8], manifest: &Manifest, added: &Mask, now: BoxTime) -> Result<Redacted, Error> {
    let digest = Digest::of(jpeg);
    if digest != manifest.redacted.sha256 {
        return Err(Error::OtherFrame);
    }
    let hidden = manifest.hidden()?;
    if added.grid() != hidden.grid() {
        return Err(Error::OtherPicture);
    }
    let mut united = hidden.clone();
    united.unite(added);
    if united == hidden {
        return Err(Error::NothingAdded);
    }
    let redacted = Original::read_named(jpeg, digest)?;
    let (made, tables, coefficients) = spliced(&redacted, &hidden, &united)?;
    let is_spliced = manifest.redaction == Redaction::Splice;
    let mut more = united.clone();
    more.subtract(&hidden);
    if let Some(former) = &manifest.supersedes {
        more.unite(&former.added.on(manifest.size)?);
    }
    let json = manifest.to_json().map_err(Error::Manifest)?;
    let manifest = Manifest {
        redacted: File::of(&made),
        tables: manifest.tables.map(|before| before.max(tables)),
        coefficients: is_spliced.then_some(coefficients),
        mask: united.runs(),
        supersedes: Some(Former {
            redacted: digest,
            manifest: Digest::of(&json),
            masked: now,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            added: more.runs(),
        }),
        ..manifest.clone()
    };
    Ok(Redacted { jpeg: made, manifest })
}

/// The file with everything in `united` filled, and the hash over the coefficients outside of it.
fn spliced(
    redacted: &Original<'_>,
    hidden: &Mask,
    united: &Mask,
) -> Result<(Vec<u8>, splice::Tables, Digest), Error> {
    // Every redacted file is one sequential scan: the box wrote it.
    let index = redacted.index().ok_or(Error::OtherPicture)?;
    let head = Head::of(&redacted.bytes, &redacted.layout);
    let exif = exif(redacted);
    let fills = fills(index, hidden, united)?;
    let splice::Spliced { jpeg, tables } = splice(&head, index, &fills, exif)?;
    let coefficients = compare(&head, index, &fills, exif, &jpeg)?;
    Ok((jpeg, tables, coefficients))
}

/// The EXIF that redaction wrote, to the byte.
fn exif<'o>(redacted: &'o Original<'_>) -> &'o [u8] {
    let mut segments = redacted.layout.segments.iter();
    let exif = segments.find(|segment| segment.kind == crate::jpeg::SegmentKind::Exif);
    exif.and_then(|segment| segment.payload(&redacted.bytes).get(6..))
        .unwrap_or_default()
}

/// What stands in each MCU of the file: where it was hidden, what stands there; where it is hidden from now on,
/// the flat grey, which has no coefficient (T.81 A.3.1). A frame that was encoded again has smaller MCUs than
/// its mask: each lies in one unit of it.
fn fills(index: &Index, hidden: &Mask, united: &Mask) -> Result<Vec<Option<i16>>, Error> {
    let Grid { unit, columns, .. } = index.scan().grid;
    let mask = united.grid().unit;
    if unit
        .iter()
        .zip(mask)
        .any(|(mcu, unit)| !unit.is_multiple_of(*mcu))
    {
        return Err(Error::OtherPicture);
    }
    let place = |mcu: usize| {
        let (column, row) = (mcu as u32 % columns, mcu as u32 / columns);
        let [across, down] = [0, 1].map(|i| u32::from(mask[i] / unit[i]));
        (column / across, row / down)
    };
    let fill = |mcu: usize| {
        let (column, row) = place(mcu);
        match (hidden.contains(column, row), united.contains(column, row)) {
            (true, _) => index.dcs(mcu).first().copied(),
            (false, true) => Some(0),
            (false, false) => None,
        }
    };
    Ok((0..index.mcus()).map(fill).collect())
}
