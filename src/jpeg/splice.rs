//! Splicing: a file of the same coefficients but for some MCUs, which become one even colour.
//!
//! Promises: outside the MCUs that are filled, every coefficient is the original's; the filled ones hold
//! nothing but the level they are given (ITU-T T.81 F.1.2.1, F.1.2.2: a DC coefficient and an end of
//! block). The file is made of what was understood of the original, never of its bytes as they stand:
//! no application data but a bare JFIF or Adobe segment where the original has one (a decoder guesses
//! the colours by them) and the EXIF that is given; no table that the scan does not use, no colour
//! profile (anything can hide in its tags), nothing between the segments or behind the end.
//! Whole runs of MCUs are moved as bits; only the first one behind a filled run is coded anew, for its
//! DC differences are counted from other values. Leaves proving all this to `compare`.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::bits::BitWriter;
use super::head::Head;
use super::huffman::{Code, LookUp, Word};
use super::markers::{DHT, DQT, DRI, SOS};
use super::scan::Part;
use super::{Index, Process};

/// What stands in each MCU, in scan order: the original's coefficients, or nothing but this DC
/// coefficient in all blocks of luma (0 in those of chroma).
pub type Fills<'a> = &'a [Option<i16>];

/// Why a picture cannot be spliced; it can still be decoded and encoded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not one fill for each MCU.
    #[error("{0} fills for {1} MCUs")]
    Fills(usize, usize),
    /// A difference that baseline coding has no category for (T.81 table F.1).
    #[error("a block is too bright or too dark to stand beside its neighbour's fill")]
    Difference,
    /// So many symbols that no table can take those that are missing.
    #[error("the Huffman tables have no room for what must be written")]
    Tables,
    /// An EXIF longer than a segment.
    #[error("an EXIF of {0} bytes does not fit into a segment")]
    Exif(usize),
    /// The index is of another picture.
    #[error("the index does not belong to these data")]
    Index,
}

/// With which Huffman tables a spliced file was written; the later ones are further from the camera's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tables {
    /// The camera's own.
    Kept,
    /// The camera's own, with further words for what they could not say: all its bits are as they were.
    Extended,
    /// Others, for the camera's own have no room: its coefficients are as they were, not its bits.
    Rewritten,
}

/// A spliced file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spliced {
    /// Its bytes.
    pub jpeg: Vec<u8>,
    /// With which tables.
    pub tables: Tables,
}

/// Writes the picture of `index`, whose head this is, with these MCUs filled and this EXIF (a TIFF
/// structure; empty: none).
pub fn splice(head: &Head, index: &Index, fills: Fills<'_>, exif: &[u8]) -> Result<Spliced, Error> {
    let scan = index.scan();
    if fills.len() != index.mcus() || head.components.len() != scan.parts.len() {
        return Err(Error::Fills(fills.len(), index.mcus()));
    }
    if exif.len() > 65_000 {
        return Err(Error::Exif(exif.len()));
    }
    let (codes, tables) = Codes::that_can_say(&missing(index, fills)?, &scan.parts)?;
    let mut out = Vec::with_capacity(scan.data.len() + scan.data.len() / 32 + (1 << 14));
    write_head(&mut out, head, index, &codes, exif);
    let mut writer = Writer {
        index,
        fills,
        parts: scan.parts.iter().zip(&codes).map(Coding::of).collect(),
        bits: BitWriter::behind(out),
    };
    for (number, mcus) in scan.intervals().enumerate() {
        if number > 0 {
            writer.bits.marker(0xD0 + ((number - 1) % 8) as u8);
        }
        for run in runs(fills, mcus.clone()) {
            match fills[run.start] {
                Some(level) => writer.fill(run, level)?,
                None if tables == Tables::Rewritten => run.clone().try_for_each(|m| writer.recode(m))?,
                None if run.start == mcus.start => writer.copy(run),
                None => {
                    writer.recode(run.start)?;
                    writer.copy(run.start + 1..run.end);
                }
            }
        }
    }
    let mut jpeg = writer.bits.finish();
    jpeg.extend_from_slice(&[0xFF, 0xD9]);
    Ok(Spliced { jpeg, tables })
}

/// These MCUs, cut where the fill changes.
fn runs(fills: Fills<'_>, mcus: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut next = mcus.start;
    let same = fills[mcus].chunk_by(|a, b| a == b);
    same.map(move |run| {
        let start = next;
        next += run.len();
        start..next
    })
}

/// What each part's next DC difference is counted from in the file that is written (T.81 F.1.1.5.1).
fn predictors(index: &Index, fills: Fills<'_>, mcu: usize) -> [i16; 3] {
    let interval = index.scan().restart_interval.unwrap_or(usize::MAX);
    match mcu.checked_sub(1).and_then(|before| fills[before]) {
        Some(level) if !mcu.is_multiple_of(interval) => [level, 0, 0],
        _ => index.predictors(mcu),
    }
}

/// What a part's fill is.
fn target(part: usize, level: i16) -> i16 {
    match part {
        0 => level,
        _ => 0,
    }
}

/// The category of a DC difference (T.81 table F.1).
fn category(difference: i32) -> u32 {
    32 - difference.unsigned_abs().leading_zeros()
}

/// As one bit of a set; none for what baseline coding has no category for.
fn one_category(difference: i32) -> Result<u16, Error> {
    match category(difference) {
        category @ 0..=11 => Ok(1 << category),
        _ => Err(Error::Difference),
    }
}

/// The symbols that must be written of each part, and that its tables may not have: categories of DC
/// differences, and the end of block.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Needs {
    /// Bit n for category n.
    dc: u16,
    end_of_block: bool,
}

fn missing(index: &Index, fills: Fills<'_>) -> Result<[Needs; 3], Error> {
    let mut needs = [Needs::default(); 3];
    let parts = &index.scan().parts;
    for mcus in index.scan().intervals() {
        for run in runs(fills, mcus.clone()) {
            let before = predictors(index, fills, run.start);
            let dcs = index.dcs(run.start);
            let mut first = 0;
            for (part, p) in parts.iter().enumerate() {
                let (need, from) = (&mut needs[part], i32::from(before[part]));
                if let Some(level) = fills[run.start] {
                    need.end_of_block = true;
                    need.dc |= 1 | one_category(i32::from(target(part, level)) - from)?;
                } else if run.start != mcus.start {
                    need.dc |= one_category(i32::from(dcs[first]) - from)?;
                }
                first += p.count();
            }
        }
    }
    Ok(needs)
}

/// The codes of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Codes {
    dc: Code,
    ac: Code,
}

impl Codes {
    /// The parts' own where they can say everything, else with what is missing.
    fn that_can_say(needs: &[Needs; 3], parts: &[Part]) -> Result<(Vec<Self>, Tables), Error> {
        let mut tables = Tables::Kept;
        let mut able = |own: &Code, symbols: Vec<u8>| {
            let words = own.by_symbol();
            let missing: Vec<u8> = symbols
                .into_iter()
                .filter(|&symbol| words[usize::from(symbol)].is_none())
                .collect();
            if missing.is_empty() {
                return Ok(own.clone());
            }
            if let Some(code) = own.extended(&missing) {
                if tables == Tables::Kept {
                    tables = Tables::Extended;
                }
                return Ok(code);
            }
            tables = Tables::Rewritten;
            own.loosened(&missing).ok_or(Error::Tables)
        };
        // Parts that share a table go on sharing it.
        let together = |same: &dyn Fn(&Part) -> bool, need: &dyn Fn(&Needs) -> u16| {
            let sharing = parts.iter().zip(needs).filter(|(part, _)| same(part));
            sharing.fold(0, |all, (_, needs)| all | need(needs))
        };
        let mut codes = Vec::with_capacity(parts.len());
        for part in parts {
            let dc = together(&|p| p.dc == part.dc, &|n| n.dc);
            let ac = together(&|p| p.ac == part.ac, &|n| n.end_of_block.into());
            codes.push(Self {
                dc: able(&part.dc, (0..12).filter(|size| dc >> size & 1 == 1).collect())?,
                ac: able(&part.ac, (0..ac as u8).map(|_| 0).collect())?,
            });
        }
        Ok((codes, tables))
    }
}

/// Everything before the entropy-coded data.
fn write_head(out: &mut Vec<u8>, head: &Head, index: &Index, codes: &[Codes], exif: &[u8]) {
    out.extend_from_slice(&[0xFF, 0xD8]);
    if head.jfif {
        // T.871 10.1: version 1.02, square pixels, no thumbnail.
        segment(out, 0xE0, &[b"JFIF\0\x01\x02\0", &[0, 1, 0, 1, 0, 0]]);
    }
    if let Some(transform) = head.adobe_transform {
        segment(out, 0xEE, &[b"Adobe\0\x64\0\0\0\0", &[transform]]);
    }
    if !exif.is_empty() {
        segment(out, 0xE1, &[b"Exif\0\0", exif]);
    }
    let scan = index.scan();
    let mut quantisers: Vec<u8> = Vec::new();
    for (component, part) in head.components.iter().zip(&scan.parts) {
        if !quantisers.contains(&component.quantiser) {
            quantisers.push(component.quantiser);
            write_quantiser(out, component.quantiser, &part.quantiser);
        }
    }
    write_frame_header(out, head);
    let (dc, dc_names) = distinct(codes.iter().map(|c| &c.dc));
    let (ac, ac_names) = distinct(codes.iter().map(|c| &c.ac));
    for (class, tables) in [(0x00, dc), (0x10, ac)] {
        for (name, code) in (0..).zip(tables) {
            let mut payload = vec![class | name];
            code.write(&mut payload);
            segment(out, DHT, &[&payload]);
        }
    }
    if let Some(interval) = scan.restart_interval {
        segment(out, DRI, &[&(interval as u16).to_be_bytes()]);
    }
    let mut payload = vec![head.components.len() as u8];
    for (component, (dc, ac)) in head.components.iter().zip(dc_names.iter().zip(ac_names)) {
        payload.extend_from_slice(&[component.id, dc << 4 | ac]);
    }
    // T.81 table B.3, sequential.
    segment(out, SOS, &[&payload, &[0, 63, 0]]);
}

fn segment(out: &mut Vec<u8>, marker: u8, payload: &[&[u8]]) {
    let length = 2 + payload.iter().map(|p| p.len()).sum::<usize>();
    out.extend_from_slice(&[0xFF, marker]);
    out.extend_from_slice(&(length as u16).to_be_bytes());
    payload.iter().for_each(|p| out.extend_from_slice(p));
}

/// T.81 B.2.4.1.
fn write_quantiser(out: &mut Vec<u8>, name: u8, steps: &[u16; 64]) {
    let mut payload = Vec::with_capacity(129);
    if steps.iter().all(|step| *step < 256) {
        payload.push(name);
        payload.extend(steps.iter().map(|step| *step as u8));
    } else {
        payload.push(0x10 | name);
        payload.extend(steps.iter().flat_map(|step| step.to_be_bytes()));
    }
    segment(out, DQT, &[&payload]);
}

/// T.81 B.2.2.
fn write_frame_header(out: &mut Vec<u8>, head: &Head) {
    let marker = match head.process {
        Process::Baseline => 0xC0,
        Process::Extended => 0xC1,
        Process::Progressive => 0xC2,
    };
    let [height, width] = [head.size.height, head.size.width].map(|side| (side as u16).to_be_bytes());
    let mut payload = vec![8, height[0], height[1], width[0], width[1]];
    payload.push(head.components.len() as u8);
    for c in &head.components {
        payload.extend_from_slice(&[c.id, c.horizontal << 4 | c.vertical, c.quantiser]);
    }
    segment(out, marker, &[&payload]);
}

/// Each of the codes once, and which of these each was.
fn distinct<'c>(codes: impl Iterator<Item = &'c Code>) -> (Vec<&'c Code>, Vec<u8>) {
    let mut tables: Vec<&Code> = Vec::new();
    let names = codes.map(|code| {
        let name = tables.iter().position(|table| *table == code);
        name.unwrap_or_else(|| {
            tables.push(code);
            tables.len() - 1
        }) as u8
    });
    let names = names.collect();
    (tables, names)
}

/// How a part's blocks are read and written.
struct Coding {
    count: usize,
    reading: [LookUp; 2],
    dc: [Option<Word>; 256],
    ac: [Option<Word>; 256],
}

impl Coding {
    fn of((part, codes): (&Part, &Codes)) -> Self {
        Self {
            count: part.count(),
            reading: [part.dc.look_up(), part.ac.look_up()],
            dc: codes.dc.by_symbol(),
            ac: codes.ac.by_symbol(),
        }
    }

    /// A DC difference (T.81 F.1.2.1.3).
    fn put_difference(&self, bits: &mut BitWriter, difference: i32) -> Result<(), Error> {
        let size = category(difference);
        let word = self.dc[size as usize].ok_or(Error::Difference)?;
        let value = match difference < 0 {
            true => difference - 1,
            false => difference,
        };
        let value = u64::from(value as u32) & ((1 << size) - 1);
        bits.put(
            u64::from(word.bits) << size | value,
            u32::from(word.length) + size,
        );
        Ok(())
    }
}

struct Writer<'a> {
    index: &'a Index,
    fills: Fills<'a>,
    parts: Vec<Coding>,
    bits: BitWriter,
}

impl Writer<'_> {
    /// MCUs as they stand.
    fn copy(&mut self, mcus: Range<usize>) {
        if !mcus.is_empty() {
            let bits = self.index.bits(mcus);
            self.bits.append(self.index.stream().bytes(), bits);
        }
    }

    /// MCUs that hold this level alone.
    fn fill(&mut self, mcus: Range<usize>, level: i16) -> Result<(), Error> {
        let mut before = predictors(self.index, self.fills, mcus.start);
        for _ in mcus {
            for (part, coding) in self.parts.iter().enumerate() {
                let end = coding.ac[0].ok_or(Error::Tables)?;
                let level = target(part, level);
                for _ in 0..coding.count {
                    coding.put_difference(&mut self.bits, i32::from(level) - i32::from(before[part]))?;
                    self.bits.push(end);
                    before[part] = level;
                }
            }
        }
        Ok(())
    }

    /// An MCU of the same coefficients, symbol by symbol, with the DC differences and the codes of the
    /// file that is written.
    fn recode(&mut self, mcu: usize) -> Result<(), Error> {
        let mut before = predictors(self.index, self.fills, mcu);
        let mut at = self.index.bits(mcu..mcu + 1).start;
        let mut dcs = self.index.dcs(mcu).iter();
        for (coding, before) in self.parts.iter().zip(&mut before) {
            for &dc in dcs.by_ref().take(coding.count) {
                coding.put_difference(&mut self.bits, i32::from(dc) - i32::from(*before))?;
                *before = dc;
                at = recode_block(self.index, coding, at, &mut self.bits)?;
            }
        }
        Ok(())
    }
}

/// The AC symbols of the block at this bit, each with its value (T.81 F.2.2.2); the bit behind it.
fn recode_block(index: &Index, coding: &Coding, mut at: u64, bits: &mut BitWriter) -> Result<u64, Error> {
    let symbol = |table: &LookUp, window: u64| match table[(window >> 48) as usize] {
        0 => Err(Error::Index),
        entry => Ok((u32::from(entry >> 8), entry as u8)),
    };
    let [dc, ac] = &coding.reading;
    let (length, size) = symbol(dc, index.stream().peek(at))?;
    at += u64::from(length) + u64::from(size);
    let mut k = 1;
    while k < 64 {
        let window = index.stream().peek(at);
        let (length, run_and_size) = symbol(ac, window)?;
        let (run, size) = (run_and_size >> 4, u32::from(run_and_size & 15));
        let value = (window << length >> 1) >> (63 - size);
        let word = coding.ac[usize::from(run_and_size)].ok_or(Error::Index)?;
        bits.put(
            u64::from(word.bits) << size | value,
            u32::from(word.length) + size,
        );
        at += u64::from(length + size);
        k += match (run, size) {
            (15, 0) => 16,
            (_, 0) => break,
            _ => run + 1,
        };
    }
    Ok(at)
}
