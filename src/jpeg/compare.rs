//! The check of a spliced file: its own bytes, walked anew, against the original's coefficients.
//!
//! Promises: [`Written::read`] takes only a file that is a picture and nothing else; after
//! [`Written::is_filled`] every masked MCU is known to hold its level and no other coefficient, after
//! [`Written::is_same_outside`] every other MCU to hold all 64 coefficients of each of the original's
//! blocks. What is wrong is named by its MCU. Shares no code with `splice`: a fault of the writer
//! cannot hide itself here. Where both files read the same words as the same symbols (ITU-T T.81
//! F.2.2.3), equal bits from equal places are equal coefficients, and bits are compared; where they do
//! not, every coefficient is.

use std::ops::Range;

use super::coefficients::{self, Coefficients, unmasked_runs};
use super::huffman::{Class, Code};
use super::index::equal_bits;
use super::markers::{DHT, DQT, DRI, SOS};
use super::{Error, Head, Index, Layout, Scan, Segment};
use crate::frame::Digest;

const APP0: u8 = 0xE0;
const APP1: u8 = 0xE1;
const APP14: u8 = 0xEE;

/// An EXIF of our own is a few hundred bytes; a picture has no room in it.
const LONGEST_EXIF: usize = 1_024;

/// What is wrong with a written file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It does not read back.
    #[error("it does not read back: {0}")]
    Unreadable(#[from] Error),
    /// It is of a kind that no splice writes.
    #[error("it is not one scan of all components")]
    Kind,
    /// Something other than a picture and what was written anew.
    #[error("it holds more than the picture: {0}")]
    Extra(&'static str),
    /// Another size, other components, other colours.
    #[error("its header is not the original's")]
    Head,
    /// Other quantisers, codes, sampling or restart intervals.
    #[error("its quantisers, codes, sampling or restart intervals are not the original's")]
    Scan,
    /// Not one fill for each MCU.
    #[error("the mask is of another picture")]
    Mask,
    /// A masked MCU that holds something else than its fill.
    #[error("the masked block in column {column}, row {row} is not filled")]
    NotFilled {
        /// In MCUs.
        column: usize,
        /// In MCUs.
        row: usize,
    },
    /// An MCU outside the mask that is not the original's.
    #[error("the block in column {column}, row {row} is not the original's")]
    Changed {
        /// In MCUs.
        column: usize,
        /// In MCUs.
        row: usize,
    },
}

/// A spliced file, as it reads back.
#[derive(Debug, Clone)]
pub struct Written {
    head: Head,
    index: Index,
}

/// Checks a file that was spliced from the picture of this head and index, and gives its coefficient
/// hash: `fills` as for `splice`, `exif` the one it was given.
pub fn compare(
    head: &Head,
    original: &Index,
    fills: &[Option<i16>],
    exif: &[u8],
    written: &[u8],
) -> Result<Digest, Fault> {
    let interval = original.scan().restart_interval.unwrap_or(usize::MAX);
    let masked = |mcu: usize| fills.get(mcu).is_some_and(Option::is_some);
    // The first MCU behind a fill has other DC differences than the original's.
    let mut same = unmasked_runs(original, masked);
    for run in same.iter_mut().filter(|run| !run.start.is_multiple_of(interval)) {
        run.start += 1;
    }
    let (written, its_exif) = Written::indexed(written, |bytes, scan| {
        Index::build_beside(bytes, scan, original, &same)
    })?;
    if its_exif.unwrap_or_default() != exif {
        return Err(Fault::Extra("an EXIF that was not given"));
    }
    if written.head != *head {
        return Err(Fault::Head);
    }
    written.is_filled(|mcu| fills.get(mcu).copied().unwrap_or_default())?;
    written.is_same_outside(original, fills)?;
    written.hash(|mcu| fills[mcu].is_some())
}

impl Written {
    /// Reads a file, and its EXIF (a TIFF structure) if it has one.
    pub fn read(bytes: &[u8]) -> Result<(Self, Option<&[u8]>), Fault> {
        Self::indexed(bytes, Index::build)
    }

    fn indexed(
        bytes: &[u8],
        index: impl FnOnce(&[u8], Scan) -> Result<Index, Error>,
    ) -> Result<(Self, Option<&[u8]>), Fault> {
        let layout = Layout::parse(bytes)?;
        let exif = form(bytes, &layout)?;
        let scan = Scan::of(bytes, &layout)?.ok_or(Fault::Kind)?;
        let index = index(bytes, scan)?;
        data(&index)?;
        let head = Head::of(bytes, &layout);
        Ok((Self { head, index }, exif))
    }

    /// What its header says.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Where its MCUs lie.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Its coefficient hash.
    pub fn hash(&self, masked: impl Fn(usize) -> bool) -> Result<Digest, Fault> {
        Ok(coefficients::hash(&self.head, &self.index, masked)?)
    }

    /// Whether each MCU that has a level holds it in all blocks of luma, 0 in those of chroma, and
    /// nothing else.
    pub fn is_filled(&self, level: impl Fn(usize) -> Option<i16>) -> Result<(), Fault> {
        let coefficients = Coefficients::of(&self.index);
        let luma = self.index.scan().parts[0].count();
        // One bit pattern says the same wherever the differences are the same, as they are behind the
        // first MCU of a run.
        let mut known = None;
        for mcu in 0..self.index.mcus() {
            let Some(level) = level(mcu) else {
                known = None;
                continue;
            };
            let expected = |block: usize| if block < luma { level } else { 0 };
            let dcs = self.index.dcs(mcu);
            let dc_is_right = dcs.iter().enumerate().all(|(block, dc)| *dc == expected(block));
            let bits = self.index.bits(mcu..mcu + 1);
            let pattern = self.pattern(bits);
            let from = self.index.predictors(mcu);
            if dc_is_right && pattern.is_some() && known == Some((level, from, pattern)) {
                continue;
            }
            let is_flat = |block: &[i16; 64]| block[1..].iter().all(|c| *c == 0);
            if !dc_is_right || !coefficients.mcu(mcu)?.iter().all(is_flat) {
                let (column, row) = self.place(mcu);
                return Err(Fault::NotFilled { column, row });
            }
            known = Some((level, from, pattern));
        }
        Ok(())
    }

    /// A short MCU's bits, and how many they are.
    fn pattern(&self, bits: Range<u64>) -> Option<(u64, u64)> {
        let length = bits.end - bits.start;
        (1..=56)
            .contains(&length)
            .then(|| (self.index.stream().peek(bits.start) >> (64 - length), length))
    }

    /// Whether the other MCUs are the original's.
    pub fn is_same_outside(&self, original: &Index, fills: &[Option<i16>]) -> Result<(), Fault> {
        let (mine, theirs) = (self.index.scan(), original.scan());
        let same = mine.grid == theirs.grid
            && mine.restart_interval == theirs.restart_interval
            && mine.parts.len() == theirs.parts.len()
            && mine.parts.iter().zip(&theirs.parts).all(|(m, t)| {
                // A code may have got further symbols; nothing else can be said by one that is not used.
                let grown = |m: &Code, t: &Code| m.symbols().starts_with(t.symbols());
                (m.blocks, m.quantiser) == (t.blocks, t.quantiser)
                    && grown(&m.dc, &t.dc)
                    && grown(&m.ac, &t.ac)
            });
        if !same {
            return Err(Fault::Scan);
        }
        if fills.len() != self.index.mcus() {
            return Err(Fault::Mask);
        }
        let words_mean_the_same = mine
            .parts
            .iter()
            .zip(&theirs.parts)
            .all(|(m, t)| reads_as(&m.dc, &t.dc) && reads_as(&m.ac, &t.ac));
        let coefficients = [Coefficients::of(&self.index), Coefficients::of(original)];
        let interval = mine.restart_interval.unwrap_or(usize::MAX);
        for run in unmasked_runs(&self.index, |mcu| fills[mcu].is_some()) {
            // At the start of an interval, and behind an equal MCU, DC differences count from equal values.
            let by_bits = match words_mean_the_same {
                true if run.start.is_multiple_of(interval) => run.clone(),
                true => run.start + 1..run.end,
                false => run.end..run.end,
            };
            for mcu in run.start..by_bits.start {
                let [mine, theirs] = &coefficients;
                if mine.mcu(mcu)? != theirs.mcu(mcu)? {
                    return Err(self.changed(mcu));
                }
            }
            self.has_same_bits(original, by_bits)?;
        }
        Ok(())
    }

    /// Whether these MCUs are coded by the same bits, which from equal predictors on are equal
    /// coefficients; that both walks understood them so is asked of the first and the last.
    fn has_same_bits(&self, original: &Index, mcus: Range<usize>) -> Result<(), Fault> {
        let same = |mcus: Range<usize>| {
            let (mine, theirs) = (self.index.bits(mcus.clone()), original.bits(mcus.clone()));
            mine.end - mine.start == theirs.end - theirs.start
                && [mcus.start, mcus.end - 1]
                    .iter()
                    .all(|&mcu| self.index.dcs(mcu) == original.dcs(mcu))
                && equal_bits(
                    (self.index.stream().bytes(), mine.start),
                    (original.stream().bytes(), theirs.start),
                    mine.end - mine.start,
                )
        };
        if mcus.is_empty() || same(mcus.clone()) {
            return Ok(());
        }
        let faulty = mcus.clone().find(|&mcu| !same(mcu..mcu + 1));
        Err(self.changed(faulty.unwrap_or(mcus.start)))
    }

    fn changed(&self, mcu: usize) -> Fault {
        let (column, row) = self.place(mcu);
        Fault::Changed { column, row }
    }

    fn place(&self, mcu: usize) -> (usize, usize) {
        let columns = (self.index.scan().grid.columns as usize).max(1);
        (mcu % columns, mcu / columns)
    }
}

/// Whether every word of `theirs` means the same in `mine`.
fn reads_as(mine: &Code, theirs: &Code) -> bool {
    mine == theirs
        || mine
            .look_up()
            .iter()
            .zip(&theirs.look_up())
            .all(|(mine, theirs)| *theirs == 0 || mine == theirs)
}

/// That the file is a bare JFIF or Adobe segment, a short EXIF, tables that are used, headers and one
/// scan, each once and one directly behind the other. The EXIF.
fn form<'b>(bytes: &'b [u8], layout: &Layout) -> Result<Option<&'b [u8]>, Fault> {
    let mut at = 2;
    for segment in &layout.segments {
        if segment.range.start != at {
            return Err(Fault::Extra("bytes between segments"));
        }
        at = segment.data.end;
    }
    if at + 2 != bytes.len() {
        return Err(Fault::Extra("bytes behind the end"));
    }
    let mut exif = None;
    let mut tables = Vec::new();
    let mut others = Vec::new();
    for segment in &layout.segments {
        let payload = segment.payload(bytes);
        let is_known = match segment.marker {
            DQT => {
                tables.push(quantiser(payload)?);
                continue;
            }
            DHT => {
                tables.push(huffman_table(payload, segment)?);
                continue;
            }
            APP0 => payload == b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0",
            APP1 => payload.starts_with(b"Exif\0\0") && payload.len() <= LONGEST_EXIF,
            APP14 => payload.len() == 12 && payload.starts_with(b"Adobe\0\x64\0\0\0\0"),
            0xC0 | 0xC1 => payload.len() == 6 + 3 * layout.components.len(),
            DRI => layout.restart_interval > 0,
            SOS => payload.len() == 4 + 2 * layout.components.len() && payload.ends_with(&[0, 63, 0]),
            _ => false,
        };
        if !is_known || others.contains(&segment.marker) {
            return Err(Fault::Extra(
                "a segment that is not the picture's, or stands there twice",
            ));
        }
        others.push(segment.marker);
        if segment.marker == APP1 {
            exif = payload.get(6..);
        }
    }
    let mut used: Vec<_> = layout.components.iter().map(|c| (DQT, c.quantiser)).collect();
    let scan = layout
        .scans()
        .next()
        .map(|s| s.payload(bytes))
        .unwrap_or_default();
    for name in scan
        .get(1..)
        .unwrap_or_default()
        .chunks_exact(2)
        .take(layout.components.len())
    {
        used.push((DHT, name[1] >> 4));
        used.push((DHT, 0x10 | name[1] & 15));
    }
    used.sort_unstable();
    used.dedup();
    tables.sort_unstable();
    match tables == used {
        true => Ok(exif),
        false => Err(Fault::Extra("a table that is not used, or stands there twice")),
    }
}

/// The name of the one quantiser in this segment.
fn quantiser(payload: &[u8]) -> Result<(u8, u8), Fault> {
    match (payload.first(), payload.len()) {
        (Some(name @ 0..=3), 65) => Ok((DQT, *name)),
        (Some(name @ 0x10..=0x13), 129) => Ok((DQT, name & 15)),
        _ => Err(Fault::Extra("more than one quantiser in a segment")),
    }
}

/// Class and name of the one code in this segment.
fn huffman_table(payload: &[u8], segment: &Segment) -> Result<(u8, u8), Fault> {
    match Code::read_all(payload, segment.range.start)?.as_slice() {
        [(Class::Dc, name, _)] => Ok((DHT, *name as u8)),
        [(Class::Ac, name, _)] => Ok((DHT, 0x10 | *name as u8)),
        _ => Err(Fault::Extra("more than one code in a segment")),
    }
}

/// That the scan's data are its MCUs, markers between intervals, what is stuffed into them, and 1-bits up
/// to the next whole byte (T.81 F.1.2.3).
fn data(index: &Index) -> Result<(), Fault> {
    let scan = index.scan();
    let intervals = index.stream().intervals();
    let coded = intervals.last().map_or(0, |last| last.end);
    let stream = &index.stream().bytes()[..coded];
    let stuffed = stream.iter().filter(|b| **b == 0xFF).count();
    if scan.data.len() != coded + stuffed + 2 * (intervals.len() - 1) {
        return Err(Fault::Extra("bytes in the scan that code nothing"));
    }
    for (mcus, interval) in scan.intervals().zip(intervals) {
        let end = index.bits(mcus).end;
        let padding = 8 * interval.end as u64 - end;
        let ones = (1 << padding.min(7)) - 1;
        if padding > 7 || index.stream().peek(end) >> 1 >> (63 - padding) != ones {
            return Err(Fault::Extra("bits behind an interval that code nothing"));
        }
    }
    Ok(())
}
