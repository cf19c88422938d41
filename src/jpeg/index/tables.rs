//! What the walks look up: strides over several codes at once, and DC differences.
//!
//! Of a block's codes (ITU-T T.81 F.1.2) a walk that keeps no AC values needs to know only how many bits
//! the next ones and their values take, how many coefficients those stand for, and whether an EOB ends
//! the block: a [`Stride`].
//!
//! Promises: a stride covers only codes that exist, whole, and nothing behind an EOB. A block that ends at
//! its 64th coefficient has no EOB, and a stride may run on from there into the next block: whoever meets
//! one that leads to the 64th coefficient or beyond must not take it, but one code instead, as
//! [`Tables::block_end`] does, which also finds codes that do not exist and coefficients that are too
//! many. Tables are made once for a set of codes: a camera writes the same for ever.

use super::stream::peek;
use crate::jpeg::Scan;
use crate::jpeg::huffman::Code;
use crate::jpeg::scan::Part;

/// What goes wrong inside a block.
pub(super) type Damage = &'static str;
const NO_CODE: Damage = "a Huffman code that does not exist";
const TOO_LARGE: Damage = "a DC difference that is too large";

/// The bits that a stride is looked up by.
const SEEN: u32 = 13;
/// The strides that can be taken in one window of 57 bits.
pub(super) const STRIDES: usize = 3;
/// The bits that a stride takes at most.
const LONGEST: u32 = 57 / STRIDES as u32;

/// Coefficients of a block.
pub(super) const FULL: u8 = 64;
/// Beside the coefficients of a stride: an EOB ends the block.
pub(super) const ENDS: u8 = 0x80;

/// How far the next codes of a block lead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Stride {
    /// The bits they take.
    pub bits: u8,
    /// The coefficients they stand for, at most 63, and [`ENDS`]; [`FULL`] and no bits: the next code must
    /// be taken alone.
    pub coefficients: u8,
}

/// Up to eight tables of strides, each by the next 13 bits.
pub(super) type Strides = [Stride; 8 << SEEN];

/// The stride that begins a window, out of this table.
#[inline(always)]
pub(super) fn next(strides: &Strides, table: Table, window: u64) -> Stride {
    strides[usize::from(table.0.wrapping_add((window >> (64 - SEEN)) as u16))]
}

/// A table among [`Strides`]: its place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Table(u16);

/// The bits that a DC difference is looked up by.
const DC_SEEN: u32 = 12;
/// In place of a difference whose code and value are longer.
const LONG: i16 = i16::MIN;

/// How the blocks of a component are read.
#[derive(Debug)]
pub(super) struct PartTables {
    dc: Code,
    ac: Code,
    /// A block's first stride, which begins with its DC difference.
    pub first: Table,
    /// Its other strides.
    pub other: Table,
    differences: Box<[i16; 1 << DC_SEEN]>,
}

/// The tables of a scan.
#[derive(Debug)]
pub(super) struct Tables {
    pub strides: Box<Strides>,
    /// All that differ.
    parts: Vec<PartTables>,
    /// Which of them each block of an MCU is read with.
    blocks: Vec<usize>,
}

impl Default for Tables {
    fn default() -> Self {
        Self {
            strides: boxed(vec![Stride::default(); 8 << SEEN]),
            parts: Vec::new(),
            blocks: Vec::new(),
        }
    }
}

impl Tables {
    /// Makes these the tables of `scan`: there is nothing to be done where its codes are those of the
    /// scan before.
    pub(super) fn fit(&mut self, scan: &Scan) {
        let known = |t: &PartTables, part: &Part| t.dc == part.dc && t.ac == part.ac;
        let all_known = |t: &Self| scan.parts.iter().all(|p| t.parts.iter().any(|t| known(t, p)));
        if !all_known(self) {
            self.parts.clear();
        }
        self.blocks.clear();
        for part in &scan.parts {
            // Chroma components share their codes, as a rule, and what is shared stays in the cache.
            let place = self.parts.iter().position(|t| known(t, part));
            let place = place.unwrap_or_else(|| self.add(part));
            self.blocks.extend(std::iter::repeat_n(place, part.count()));
        }
    }

    fn add(&mut self, part: &Part) -> usize {
        let place = self.parts.len();
        let [dcs, acs] = [&part.dc, &part.ac].map(Code::look_up);
        let tables = self.strides.chunks_exact_mut(1 << SEEN).skip(2 * place);
        for (table, first) in tables.zip([Some(&*dcs), None]) {
            for (bits, entry) in (0u32..).zip(table) {
                *entry = stride(bits << (32 - SEEN), first, &acs);
            }
        }
        let differences = (0..1 << DC_SEEN).map(|bits: u64| {
            let window = bits << (64 - DC_SEEN);
            let (length, size) = length_and_symbol(dcs[(window >> 48) as usize]);
            match length > 0 && size <= 11 && length + size <= DC_SEEN {
                true => extended(window << length, size) as i16,
                false => LONG,
            }
        });
        self.parts.push(PartTables {
            dc: part.dc.clone(),
            ac: part.ac.clone(),
            first: Table(((2 * place) << SEEN) as u16),
            other: Table(((2 * place + 1) << SEEN) as u16),
            differences: boxed(differences.collect()),
        });
        place
    }

    /// By block of an MCU.
    pub(super) fn blocks(&self) -> impl ExactSizeIterator<Item = &PartTables> + Clone {
        self.blocks.iter().map(|place| &self.parts[*place])
    }

    /// The tables of this block of an MCU.
    pub(super) fn block(&self, block: usize) -> &PartTables {
        &self.parts[self.blocks[block % self.blocks.len()]]
    }
}

impl PartTables {
    /// The DC difference of a block that begins with these bits (T.81 F.2.2.1).
    #[inline(always)]
    pub(super) fn difference(&self, window: u64) -> Result<i32, Damage> {
        match self.differences[(window >> (64 - DC_SEEN)) as usize] {
            LONG => self.long_difference(window),
            difference => Ok(difference.into()),
        }
    }

    #[cold]
    fn long_difference(&self, window: u64) -> Result<i32, Damage> {
        match self.dc.first((window >> 48) as u16) {
            None => Err(NO_CODE),
            Some((size, _)) if size > 11 => Err(TOO_LARGE),
            Some((size, length)) => Ok(extended(window << length, size.into())),
        }
    }

    /// The bit behind the block of which so many coefficients lie before this bit; or what is wrong, and
    /// at which bit.
    #[inline]
    pub(super) fn block_end(
        &self,
        strides: &Strides,
        stream: &[u8],
        bit: u64,
        coefficients: u8,
    ) -> Result<u64, (u64, Damage)> {
        let (mut bit, mut coefficients) = (bit, coefficients);
        let mut table = if coefficients == 0 { self.first } else { self.other };
        loop {
            let mut window = peek(stream, bit);
            for _ in 0..STRIDES {
                let mut stride = next(strides, table, window);
                let must_step = coefficients + (stride.coefficients & !ENDS) >= FULL;
                if must_step {
                    stride = self.code(stream, bit, coefficients)?;
                }
                bit += u64::from(stride.bits);
                coefficients += stride.coefficients;
                if coefficients >= FULL {
                    return Ok(bit);
                }
                table = self.other;
                if must_step {
                    // It may have been longer than a stride.
                    break;
                }
                window <<= stride.bits;
            }
        }
    }

    /// A stride over one code, the next of a block of which so many coefficients are known.
    #[cold]
    fn code(&self, stream: &[u8], bit: u64, coefficients: u8) -> Result<Stride, (u64, Damage)> {
        let code = if coefficients == 0 { &self.dc } else { &self.ac };
        let first = code.first((peek(stream, bit) >> 48) as u16);
        let (symbol, length) = first.ok_or((bit, NO_CODE))?;
        let (run, size) = (symbol >> 4, symbol & 15);
        let (value, more) = match (run, size) {
            _ if coefficients == 0 && symbol > 11 => return Err((bit, TOO_LARGE)),
            _ if coefficients == 0 => (symbol, 1),
            (15, 0) => (0, 16),
            (_, 0) => (0, ENDS),
            _ => (size, run + 1),
        };
        if coefficients + (more & !ENDS) > FULL {
            return Err((bit, "a block of more coefficients than there are"));
        }
        Ok(Stride {
            bits: length as u8 + value,
            coefficients: more,
        })
    }
}

/// The stride over what begins with these bits, of which the first [`SEEN`] are known: a DC difference,
/// if its codes are given, then AC codes. The value of the last may lie beyond what is seen: it is not
/// looked at.
fn stride(bits: u32, mut dc: Option<&[u16]>, ac: &[u16]) -> Stride {
    let (mut taken, mut coefficients) = (0, 0);
    let mut ends = 0;
    while taken < SEEN && ends == 0 {
        let is_dc = dc.is_some();
        let codes = dc.take().unwrap_or(ac);
        let (length, symbol) = length_and_symbol(codes[(bits << taken >> 16) as usize]);
        let (run, size) = (symbol >> 4, symbol & 15);
        let (value, more, end) = match (is_dc, run, size) {
            (true, 0, 0..=11) => (size, 1, 0),
            (true, ..) => break,
            (false, 15, 0) => (0, 16, 0),
            (false, _, 0) => (0, 0, ENDS),
            (false, ..) => (size, run + 1, 0),
        };
        let is_known = length > 0 && taken + length <= SEEN;
        if !is_known || taken + length + value > LONGEST || coefficients + more >= FULL.into() {
            break;
        }
        taken += length + value;
        coefficients += more;
        ends = end;
    }
    match taken {
        0 => Stride {
            bits: 0,
            coefficients: FULL,
        },
        _ => Stride {
            bits: taken as u8,
            coefficients: coefficients as u8 | ends,
        },
    }
}

/// Of an entry of a [`LookUp`](crate::jpeg::huffman::LookUp).
fn length_and_symbol(entry: u16) -> (u32, u32) {
    (u32::from(entry >> 8), u32::from(entry & 0xFF))
}

/// EXTEND of T.81 F.2.2.1, of the first `size` bits.
fn extended(bits: u64, size: u32) -> i32 {
    if size == 0 {
        return 0;
    }
    let value = (bits >> (64 - size)) as i32;
    if value < 1 << (size - 1) {
        value - (1 << size) + 1
    } else {
        value
    }
}

/// An array that is too large for the stack.
pub(super) fn boxed<T, const N: usize>(values: Vec<T>) -> Box<[T; N]> {
    values
        .try_into()
        .unwrap_or_else(|_| unreachable!("made of N values"))
}
