//! The plain walk: MCU after MCU, each from the bit where the one before ended (ITU-T T.81 F.2.2).
//!
//! Promises: a code that does not exist, a 65th coefficient, a DC coefficient that 8-bit samples cannot
//! have (F.1.2.1), missing and surplus data are found, in the order in which they stand. Whatever else
//! reads ahead may only [hand over](Walk::take) blocks that begin where this walk stands.

use std::ops::Range;

use super::stream::equal_bits;
use super::tables::{Damage, Tables};
use super::{Found, Index, Stream};
use crate::jpeg::{Error, Scan};

/// The most bits that may be left behind the last MCU.
const STRAY: u64 = 64;

/// A walk on its way: all that lies behind it is found and sound.
pub(super) struct Walk<'a> {
    scan: &'a Scan,
    stream: &'a Stream,
    tables: &'a Tables,
    found: &'a mut Found,
    /// The restart interval in which it stands; the MCU behind it; the bit behind its data.
    interval: usize,
    last: usize,
    end: u64,
    /// The MCU before which it stands, and the bit at which that begins.
    mcu: usize,
    bit: u64,
    /// The DC coefficients of the block before, by part (F.1.1.5.1).
    dcs: [i32; 3],
}

impl<'a> Walk<'a> {
    /// Before the first MCU.
    pub(super) fn new(scan: &'a Scan, stream: &'a Stream, tables: &'a Tables, found: &'a mut Found) -> Self {
        found.starts.clear();
        found.starts.reserve_exact(scan.mcus());
        found.ends.clear();
        found.ends.reserve_exact(stream.intervals().len());
        found.dcs.resize(scan.mcus() * scan.blocks_per_mcu(), 0);
        let mut walk = Self {
            scan,
            stream,
            tables,
            found,
            interval: 0,
            last: 0,
            end: 0,
            mcu: 0,
            bit: 0,
            dcs: [0; 3],
        };
        walk.begin(0);
        walk
    }

    fn begin(&mut self, interval: usize) {
        let bytes = self.stream.intervals().get(interval).cloned().unwrap_or_default();
        let step = self.scan.restart_interval.unwrap_or(self.scan.mcus());
        self.interval = interval;
        self.last = self.scan.mcus().min(self.mcu + step);
        self.end = 8 * bytes.end as u64;
        self.bit = 8 * bytes.start as u64;
        self.dcs = [0; 3];
    }

    /// The bit before which it stands.
    pub(super) fn bit(&self) -> u64 {
        self.bit
    }

    /// What it reads.
    pub(super) fn reads(&self) -> (&'a Stream, &'a Tables) {
        (self.stream, self.tables)
    }

    /// Blocks of an MCU.
    pub(super) fn blocks(&self) -> usize {
        self.tables.blocks().len()
    }

    /// Whether all MCUs of the restart interval lie behind it.
    pub(super) fn is_through(&self) -> bool {
        self.mcu == self.last
    }

    /// Goes on to the start of this restart interval, which is not behind it.
    pub(super) fn advance_to(&mut self, interval: usize) -> Result<(), Error> {
        while self.interval < interval {
            self.finish_interval()?;
            self.begin(self.interval + 1);
        }
        Ok(())
    }

    /// Goes on to the end of the scan.
    pub(super) fn finish(mut self) -> Result<(), Error> {
        self.advance_to(self.stream.intervals().len().saturating_sub(1))?;
        self.finish_interval()
    }

    fn finish_interval(&mut self) -> Result<(), Error> {
        while !self.is_through() {
            self.step()?;
        }
        self.found.ends.push(self.bit as u32);
        match self.end - self.bit < 8 || self.has_stray_bytes() {
            true => Ok(()),
            false => Err(corrupt(self.scan, "more image data than the image has room for")),
        }
    }

    /// Whether what lies behind the last MCU is a few stray bytes of an encoder: no MCU can be read there,
    /// as it could if one that lies before were missing or damaged.
    fn has_stray_bytes(&self) -> bool {
        let mut bit = self.bit;
        let is_an_mcu = self.tables.blocks().all(|tables| {
            let end = tables.block_end(&self.tables.strides, self.stream.bytes(), bit, 0);
            bit = end.unwrap_or(u64::MAX);
            bit <= self.end
        });
        self.scan.restart_interval.is_none() && self.end - self.bit <= STRAY && !is_an_mcu
    }

    /// Walks one MCU.
    pub(super) fn step(&mut self) -> Result<(), Error> {
        let corrupt = |what| corrupt(self.scan, what);
        let mut bit = self.bit;
        let blocks = self.tables.blocks().len();
        let out = self.found.dcs[self.mcu * blocks..].iter_mut();
        for ((tables, part), out) in self.tables.blocks().zip(parts(self.scan)).zip(out) {
            let dc = &mut self.dcs[part];
            *dc += tables.difference(self.stream.peek(bit)).map_err(corrupt)?;
            if !is_dc(*dc) {
                return Err(corrupt("a block brighter than white or darker than black"));
            }
            *out = *dc as i16;
            let end = tables.block_end(&self.tables.strides, self.stream.bytes(), bit, 0);
            bit = end.map_err(|(_, what)| corrupt(what))?;
        }
        if bit > self.end {
            return Err(corrupt("the image data end before the image does"));
        }
        self.found.starts.push(self.bit as u32);
        self.mcu += 1;
        self.bit = bit;
        Ok(())
    }

    /// Takes over the blocks that begin at these bits, the first of which is the bit before which it
    /// stands, as far as they make up whole MCUs of this restart interval and are sound. How many MCUs
    /// that were.
    pub(super) fn take(&mut self, starts: &[u32]) -> usize {
        match self.tables.blocks().len() {
            1 => self.take_mcus::<1>(starts),
            3 => self.take_mcus::<3>(starts),
            4 => self.take_mcus::<4>(starts),
            6 => self.take_mcus::<6>(starts),
            _ => 0,
        }
    }

    /// Goes on to this MCU, which is not behind it.
    pub(super) fn advance_to_mcu(&mut self, mcu: usize) -> Result<(), Error> {
        self.advance_to(mcu / self.scan.restart_interval.unwrap_or(usize::MAX))?;
        while self.mcu < mcu && !self.is_through() {
            self.step()?;
        }
        Ok(())
    }

    /// Takes over these MCUs of another scan of the same codes, all of one restart interval, if it stands
    /// before the first of them and the bits that code them there lie ahead: the same codes read the same
    /// out of the same bits (F.2.2.3), and the same differences from the same predictors give the same.
    pub(super) fn take_alike(&mut self, other: &Index, mcus: Range<usize>) {
        let Some(last) = mcus.end.checked_sub(1).filter(|last| *last >= mcus.start) else {
            return;
        };
        let bits = other.bits(mcus.clone());
        let count = bits.end - bits.start;
        let same_place = self.mcu == mcus.start
            && mcus.end <= self.last
            && self.bit + count <= self.end
            && self.dcs == other.predictors(mcus.start).map(i32::from);
        let mine = (self.stream.bytes(), self.bit);
        if !same_place || !equal_bits(mine, (other.stream.bytes(), bits.start), count) {
            return;
        }
        let blocks = self.blocks();
        let range = mcus.start * blocks..mcus.end * blocks;
        self.found.dcs[range.clone()].copy_from_slice(&other.found.dcs[range]);
        let starts = &other.found.starts[mcus.clone()];
        let moved = |start: &u32| (u64::from(*start) - bits.start + self.bit) as u32;
        self.found.starts.extend(starts.iter().map(moved));
        let mut next = 0;
        for (dc, part) in self.dcs.iter_mut().zip(&self.scan.parts) {
            next += part.count();
            *dc = other.dcs(last)[next - 1].into();
        }
        self.mcu = mcus.end;
        self.bit += count;
    }

    /// [`Walk::take`] of MCUs of so many blocks: all of luma but one of each chroma component.
    fn take_mcus<const BLOCKS: usize>(&mut self, starts: &[u32]) -> usize {
        // The last start only tells where the block before it ends.
        let mut whole = (starts.len().saturating_sub(1) / BLOCKS).min(self.last - self.mcu);
        while whole > 0 && u64::from(starts[whole * BLOCKS]) > self.end {
            whole -= 1;
        }
        let mut tables = self.tables.blocks();
        let Some(luma) = tables.next() else { return 0 };
        let chroma = [tables.len().checked_sub(2), tables.len().checked_sub(1)]
            .map(|n| n.and_then(|n| tables.clone().nth(n)).unwrap_or(luma));
        let out = self.found.dcs[self.mcu * BLOCKS..].as_chunks_mut::<BLOCKS>().0;
        let mut taken = 0;
        let mut dcs = self.dcs;
        for (mcu, out) in starts[..whole * BLOCKS].as_chunks::<BLOCKS>().0.iter().zip(out) {
            let mut is_sound = true;
            for (n, (start, out)) in mcu.iter().zip(out).enumerate() {
                let part = if BLOCKS < 3 {
                    0
                } else {
                    (n + 3).saturating_sub(BLOCKS)
                };
                let tables = if part == 0 { luma } else { chroma[part - 1] };
                let difference = tables.difference(self.stream.peek((*start).into()));
                is_sound &= difference.is_ok();
                dcs[part] += difference.unwrap_or(0);
                is_sound &= is_dc(dcs[part]);
                *out = dcs[part] as i16;
            }
            if !is_sound {
                break;
            }
            self.dcs = dcs;
            taken += 1;
        }
        let begun = starts[..taken * BLOCKS].iter().step_by(BLOCKS);
        self.found.starts.extend(begun);
        self.mcu += taken;
        if let Some(next) = starts.get(taken * BLOCKS) {
            self.bit = (*next).into();
        }
        taken
    }
}

/// The part to which each block of an MCU belongs.
fn parts(scan: &Scan) -> impl Iterator<Item = usize> {
    let parts = scan.parts.iter().enumerate();
    parts.flat_map(|(part, p)| std::iter::repeat_n(part, p.count()))
}

fn corrupt(scan: &Scan, what: Damage) -> Error {
    Error::Corrupt {
        at: scan.data.start,
        what,
    }
}

/// 11 bits and a sign (F.1.2.1), whatever the quantiser.
fn is_dc(dc: i32) -> bool {
    dc.abs() < 2048
}
