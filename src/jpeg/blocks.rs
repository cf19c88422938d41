//! The codes of one block, walked without keeping what they say (ITU-T T.81 F.2.2, G.1.2, G.2).
//!
//! Promises: a code that does not exist, a coefficient beyond the 64th and a brightness beyond white
//! are found; each call ends after at most 64 symbols. Reads zeros behind the end, and counts them.
//! Leaves the order of blocks to `entropy`.

/// What goes wrong inside a scan.
#[derive(Clone, Copy)]
pub(super) struct Damage(pub &'static str);

/// What a scan codes of each block (T.81 B.2.3, G.1.1.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    /// All 64 coefficients.
    Sequential,
    /// The DC coefficient's high bits.
    DcFirst,
    /// One more bit of the DC coefficient.
    DcRefinement,
    /// The high bits of the coefficients in this band, from the first to the last.
    AcFirst(u32, u32),
    /// One more bit of the coefficients in this band.
    AcRefinement(u32, u32),
}

impl Coding {
    /// Of a progressive scan with these parameters; none if the standard knows no such scan.
    pub(super) fn progressive(start: u8, end: u8, high: u8) -> Option<Self> {
        match (start, end, high) {
            (0, 0, 0) => Some(Self::DcFirst),
            (0, 0, _) => Some(Self::DcRefinement),
            (1..=63, 1..=63, _) if start > end => None,
            (1..=63, 1..=63, 0) => Some(Self::AcFirst(start.into(), end.into())),
            (1..=63, 1..=63, _) => Some(Self::AcRefinement(start.into(), end.into())),
            _ => None,
        }
    }

    pub(super) fn needs_dc_table(self) -> bool {
        matches!(self, Self::Sequential | Self::DcFirst)
    }

    pub(super) fn needs_ac_table(self) -> bool {
        !matches!(self, Self::DcFirst | Self::DcRefinement)
    }

    pub(super) fn is_ac_only(self) -> bool {
        matches!(self, Self::AcFirst(..) | Self::AcRefinement(..))
    }
}

/// The tables that code a component's blocks; empty where the scan needs none.
pub(super) struct Codes<'a> {
    pub dc: &'a [u16],
    pub ac: &'a [u16],
}

/// Bits from the most significant on, and the blocks that a run of EOBs still covers.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    buffer: u64,
    count: u32,
    ended_blocks: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            at: 0,
            buffer: 0,
            count: 0,
            ended_blocks: 0,
        }
    }

    /// One block. `dc` is the component's prediction, `known` the block's coefficients, bit k for the
    /// k-th, that earlier scans made other than zero.
    pub(super) fn block(
        &mut self,
        coding: Coding,
        codes: &Codes<'_>,
        dc: &mut i32,
        known: &mut u64,
    ) -> Result<(), Damage> {
        match coding {
            Coding::Sequential => {
                self.dc(codes, dc)?;
                self.sequential_ac(codes)
            }
            Coding::DcFirst => self.dc(codes, dc),
            Coding::DcRefinement => {
                self.take(1);
                Ok(())
            }
            Coding::AcFirst(start, end) => self.ac_first(codes, start, end, known),
            Coding::AcRefinement(start, end) => self.ac_refinement(codes, start, end, known),
        }
    }

    /// T.81 F.2.2.1.
    fn dc(&mut self, codes: &Codes<'_>, dc: &mut i32) -> Result<(), Damage> {
        let size = self.symbol(codes.dc)?;
        if size > 11 {
            return Err(Damage("a DC difference that is too large"));
        }
        *dc += self.difference(size);
        // 8-bit samples give DC coefficients of 11 bits and a sign (T.81 F.1.2.1), whatever the quantiser.
        if dc.abs() > 2047 {
            return Err(Damage("a block brighter than white or darker than black"));
        }
        Ok(())
    }

    /// T.81 F.2.2.2.
    fn sequential_ac(&mut self, codes: &Codes<'_>) -> Result<(), Damage> {
        let mut k = 1;
        while k < 64 {
            let run_and_size = self.symbol(codes.ac)?;
            let (run, size) = (run_and_size >> 4, run_and_size & 15);
            match (run, size) {
                (15, 0) => k += 16,
                (_, 0) => return Ok(()),
                _ => {
                    self.skip(size);
                    k += run + 1;
                }
            }
            if k > 64 {
                return Err(TOO_MANY);
            }
        }
        Ok(())
    }

    /// T.81 G.1.2.2.
    fn ac_first(&mut self, codes: &Codes<'_>, start: u32, end: u32, known: &mut u64) -> Result<(), Damage> {
        if self.ended_blocks > 0 {
            self.ended_blocks -= 1;
            return Ok(());
        }
        let mut k = start;
        while k <= end {
            let run_and_size = self.symbol(codes.ac)?;
            let (run, size) = (run_and_size >> 4, run_and_size & 15);
            match (run, size) {
                (15, 0) => k += 16,
                (_, 0) => {
                    self.ended_blocks = (1 << run) - 1 + self.take(run);
                    return Ok(());
                }
                _ => {
                    self.skip(size);
                    k += run;
                    if k <= end {
                        *known |= 1 << k;
                    }
                    k += 1;
                }
            }
            if k > end + 1 {
                return Err(TOO_MANY);
            }
        }
        Ok(())
    }

    /// T.81 G.1.2.3: a bit for each coefficient that is known, between them the new ones.
    fn ac_refinement(
        &mut self,
        codes: &Codes<'_>,
        start: u32,
        end: u32,
        known: &mut u64,
    ) -> Result<(), Damage> {
        let mut k = start;
        while self.ended_blocks == 0 && k <= end {
            let run_and_size = self.symbol(codes.ac)?;
            let (mut zeros, size) = (run_and_size >> 4, run_and_size & 15);
            if size == 0 && zeros < 15 {
                self.ended_blocks = (1 << zeros) + self.take(zeros);
                break;
            }
            if size > 0 {
                self.skip(1);
            }
            while k <= end && (*known >> k & 1 == 1 || zeros > 0) {
                if *known >> k & 1 == 1 {
                    self.take(1);
                } else {
                    zeros -= 1;
                }
                k += 1;
            }
            if k > end {
                return Err(TOO_MANY);
            }
            *known |= u64::from(size > 0) << k;
            k += 1;
        }
        if self.ended_blocks > 0 {
            self.ended_blocks -= 1;
            (k..=end).filter(|k| *known >> k & 1 == 1).for_each(|_| {
                self.take(1);
            });
        }
        Ok(())
    }

    /// At least 56 bits.
    fn refill(&mut self) {
        let next = self.data.get(self.at..).and_then(|rest| rest.first_chunk::<8>());
        if let Some(eight) = next {
            self.buffer |= u64::from_be_bytes(*eight) >> self.count;
            self.at += (63 - self.count as usize) >> 3;
            self.count |= 56;
            return;
        }
        while self.count <= 56 {
            let byte = self.data.get(self.at).copied().unwrap_or(0);
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.at += 1;
            self.count += 8;
        }
    }

    fn skip(&mut self, bits: u32) {
        self.buffer <<= bits;
        self.count -= bits;
    }

    /// The next bits, at most 16, as a number.
    fn take(&mut self, bits: u32) -> u32 {
        if bits == 0 {
            return 0;
        }
        self.refill();
        let value = (self.buffer >> (64 - bits)) as u32;
        self.skip(bits);
        value
    }

    /// The next symbol; behind its code at least 16 bits are at hand, as many as may belong to it.
    fn symbol(&mut self, table: &[u16]) -> Result<u32, Damage> {
        self.refill();
        let entry = table.get((self.buffer >> 48) as usize).copied();
        let entry = u32::from(entry.unwrap_or(0));
        if entry >> 8 == 0 {
            return Err(Damage("a Huffman code that does not exist"));
        }
        self.skip(entry >> 8);
        Ok(entry & 0xFF)
    }

    /// EXTEND of T.81 F.2.2.1.
    fn difference(&mut self, size: u32) -> i32 {
        if size == 0 {
            return 0;
        }
        let value = (self.buffer >> (64 - size)) as i32;
        self.skip(size);
        if value < 1 << (size - 1) {
            value - (1 << size) + 1
        } else {
            value
        }
    }

    fn taken(&self) -> usize {
        8 * self.at - self.count as usize
    }

    pub(super) fn is_beyond_the_end(&self) -> bool {
        self.taken() > 8 * self.data.len()
    }

    /// Whole bytes that no MCU used.
    pub(super) fn bytes_left(&self) -> usize {
        (8 * self.data.len()).saturating_sub(self.taken()) / 8
    }

    /// Whether a run of EOBs covers more blocks than there were.
    pub(super) fn has_blocks_to_come(&self) -> bool {
        self.ended_blocks > 0
    }
}

const TOO_MANY: Damage = Damage("a block of more coefficients than there are");
