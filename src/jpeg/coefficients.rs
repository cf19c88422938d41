//! Quantised coefficients themselves, and the hash by which a court can be shown that they are the
//! camera's (docs/formats.md §8).
//!
//! Promises: [`Coefficients::of`] gives each block's 64 coefficients as ITU-T T.81 F.2.2 decodes them;
//! [`hash`] changes with any coefficient outside the mask, with any quantiser, code, size or sampling,
//! and with nothing that is inside the mask. Shares no code with the writers.

use std::ops::Range;

use sha2::{Digest as _, Sha256};

use super::huffman::LookUp;
use super::{Error, Head, Index};
use crate::frame::Digest;

/// The first bytes that are hashed: what this is a hash of, and in which form.
const TAG: &[u8] = b"vigie coefficients 1\0";

/// Bytes that are shifted at once on their way to the hash.
const PIECE: usize = 1 << 12;

/// A reader of single MCUs of an index.
pub struct Coefficients<'a> {
    index: &'a Index,
    /// Of each block of an MCU: its part.
    blocks: Vec<usize>,
    /// Of each part: codes of DC differences and of AC coefficients.
    tables: Vec<[LookUp; 2]>,
}

impl<'a> Coefficients<'a> {
    /// Of this picture.
    pub fn of(index: &'a Index) -> Self {
        let parts = &index.scan().parts;
        let blocks = parts.iter().enumerate();
        Self {
            index,
            blocks: blocks
                .flat_map(|(part, p)| std::iter::repeat_n(part, p.count()))
                .collect(),
            tables: parts.iter().map(|p| [p.dc.look_up(), p.ac.look_up()]).collect(),
        }
    }

    /// The blocks of one MCU in scan order, coefficients in zigzag order.
    pub fn mcu(&self, mcu: usize) -> Result<Vec<[i16; 64]>, Error> {
        let Range { start: mut at, end } = self.index.bits(mcu..mcu + 1);
        let mut dcs = self.index.predictors(mcu).map(i32::from);
        let mut blocks = Vec::with_capacity(self.blocks.len());
        for &part in &self.blocks {
            let mut block = [0; 64];
            let [dc, ac] = &self.tables[part];
            let size = self.symbol(dc, &mut at)?;
            dcs[part] += self.value(size, &mut at);
            block[0] = dcs[part] as i16;
            let mut k = 1;
            while k < 64 {
                let run_and_size = self.symbol(ac, &mut at)?;
                let (run, size) = (usize::from(run_and_size >> 4), run_and_size & 15);
                if size == 0 && run < 15 {
                    break;
                }
                k += run;
                *block.get_mut(k).ok_or(self.damaged())? = self.value(size, &mut at) as i16;
                k += 1;
            }
            blocks.push(block);
        }
        match at == end {
            true => Ok(blocks),
            false => Err(self.damaged()),
        }
    }

    fn damaged(&self) -> Error {
        Error::Corrupt {
            at: self.index.scan().data.start,
            what: "an MCU that does not end where the next one begins",
        }
    }

    fn symbol(&self, table: &LookUp, at: &mut u64) -> Result<u8, Error> {
        let entry = table[(self.index.stream().peek(*at) >> 48) as usize];
        *at += u64::from(entry >> 8);
        match entry >> 8 {
            0 => Err(self.damaged()),
            _ => Ok(entry as u8),
        }
    }

    /// EXTEND(RECEIVE) of T.81 F.2.2.1.
    fn value(&self, size: u8, at: &mut u64) -> i32 {
        if size == 0 {
            return 0;
        }
        let size = u32::from(size.min(16));
        let bits = (self.index.stream().peek(*at) >> (64 - size)) as i32;
        *at += u64::from(size);
        match bits >> (size - 1) {
            0 => bits - (1 << size) + 1,
            _ => bits,
        }
    }
}

/// These MCUs, cut at restart intervals and where `masked` changes; only what is not masked.
pub fn unmasked_runs(index: &Index, masked: impl Fn(usize) -> bool) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for mcus in index.scan().intervals() {
        let interval = mcus.start;
        for mcu in mcus {
            if masked(mcu) {
                continue;
            }
            match runs.last_mut() {
                Some(run) if run.end == mcu && mcu != interval => run.end += 1,
                _ => runs.push(mcu..mcu + 1),
            }
        }
    }
    runs
}

/// SHA-256 over what is not masked, in the form of docs/formats.md §8.
pub fn hash(head: &Head, index: &Index, masked: impl Fn(usize) -> bool) -> Result<Digest, Error> {
    let scan = index.scan();
    let mut hash = Sha256::new();
    hash.update(TAG);
    let number = |n: usize| (n as u32).to_be_bytes();
    hash.update(head.size.width.to_be_bytes());
    hash.update(head.size.height.to_be_bytes());
    hash.update(number(scan.restart_interval.unwrap_or(0)));
    hash.update([scan.parts.len() as u8]);
    for part in &scan.parts {
        hash.update(part.blocks.map(|n| n as u8));
        part.quantiser
            .iter()
            .for_each(|step| hash.update(step.to_be_bytes()));
        let mut tables = Vec::new();
        part.dc.write(&mut tables);
        part.ac.write(&mut tables);
        hash.update(&tables);
    }
    let coefficients = Coefficients::of(index);
    let interval = scan.restart_interval.unwrap_or(usize::MAX);
    for mut run in unmasked_runs(index, masked) {
        hash.update(number(run.start));
        hash.update(number(run.len()));
        if !run.start.is_multiple_of(interval) {
            for block in coefficients.mcu(run.start)? {
                block.iter().for_each(|c| hash.update(c.to_be_bytes()));
            }
            run.start += 1;
        }
        if !run.is_empty() {
            let bits = index.bits(run);
            hash_bits(&mut hash, index.stream().bytes(), bits);
        }
    }
    Ok(Digest::from_bytes(hash.finalize().into()))
}

/// These bits, from the first one on in whole bytes, the last filled up with zeros. Behind them are eight
/// bytes more.
fn hash_bits(hash: &mut Sha256, bytes: &[u8], bits: Range<u64>) {
    let mut piece = [0; PIECE];
    let shift = (bits.start & 7) as u32;
    let mut from = bytes.get((bits.start >> 3) as usize..).unwrap_or_default();
    let count = bits.end - bits.start;
    for _ in 0..count / (8 * PIECE as u64) {
        shift_left(&mut piece, from, shift);
        hash.update(piece);
        from = from.get(PIECE..).unwrap_or_default();
    }
    let left = count % (8 * PIECE as u64);
    shift_left(&mut piece, from, shift);
    let last = &mut piece[..left.div_ceil(8) as usize];
    if let Some(byte) = last.last_mut() {
        *byte &= 0xFF << ((8 - left % 8) % 8);
    }
    hash.update(last);
}

/// `to` becomes the bits of `from` from bit `shift`, below 8, on, as far as there are any.
fn shift_left(to: &mut [u8; PIECE], from: &[u8], shift: u32) {
    let words = from.as_chunks::<8>().0.iter();
    let behind = from.get(8..).unwrap_or_default().iter().step_by(8);
    let to = to.as_chunks_mut::<8>().0.iter_mut();
    for ((to, eight), &ninth) in to.zip(words).zip(behind) {
        let word = u64::from_be_bytes(*eight) << shift | u64::from(ninth) << shift >> 8;
        *to = word.to_be_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_hashed_from_the_first_on_and_filled_up_with_zeros() {
        let bytes: Vec<u8> = (0..20_000u32).map(|n| ((n * n) >> 3) as u8).collect();
        for bits in [
            0..8,
            3..4,
            5..16,
            7..8 * 16_384 + 7,
            9..8 * 16_384 + 12,
            1..150_000,
        ] {
            let mut expected = Vec::new();
            let bit = |n: u64| bytes[n as usize / 8] >> (7 - n % 8) & 1;
            for start in bits.clone().step_by(8) {
                expected.push((0..8).fold(0, |byte, n| {
                    byte << 1 | if start + n < bits.end { bit(start + n) } else { 0 }
                }));
            }
            let mut hash = Sha256::new();
            hash_bits(&mut hash, &bytes, bits.clone());
            assert_eq!(hash.finalize(), Sha256::digest(&expected), "{bits:?}");
        }
    }
}
