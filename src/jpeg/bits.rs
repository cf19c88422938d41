//! Bits into entropy-coded data (ITU-T T.81 F.1.2.3, B.1.1.5).
//!
//! Promises: behind every byte `FF` that is written stands a zero byte; an interval ends on a whole
//! byte, filled up with 1-bits. Leaves what the bits mean to those who write them.

use std::ops::Range;

/// Bits, most significant first, on their way into a file.
pub(super) struct Bits {
    out: Vec<u8>,
    /// What is not written yet, left-aligned.
    word: u64,
    /// How many of its bits are still free: 1 to 64.
    free: u32,
}

impl Bits {
    /// Goes on behind what is there.
    pub(super) fn behind(out: Vec<u8>) -> Self {
        Self {
            out,
            word: 0,
            free: 64,
        }
    }

    /// The last `count` bits of `bits`, at most 64, which has no others.
    #[inline]
    pub(super) fn put(&mut self, bits: u64, count: u32) {
        if count == 0 {
            return;
        }
        if count < self.free {
            self.free -= count;
            self.word |= bits << self.free;
            return;
        }
        let over = count - self.free;
        let full = self.word | bits >> over;
        push(&mut self.out, full);
        self.free = 64 - over;
        self.word = match over {
            0 => 0,
            _ => bits << self.free,
        };
    }

    /// These bits of `source`, behind whose last there are eight bytes more.
    pub(super) fn copy(&mut self, source: &[u8], bits: Range<u64>) {
        let mut at = bits.start;
        let mut left = bits.end.saturating_sub(at);
        let head = left.min(u64::from(self.free));
        self.put_from(source, at, head);
        at += head;
        left -= head;
        // Here the writer stands on a whole word, or nothing is left: what follows is moved word by
        // word, by the one distance between the source's bytes and its own.
        let words = (left / 64) as usize;
        let shift = (at & 7) as u32;
        let from = source.get((at >> 3) as usize..).unwrap_or_default();
        let mut eights = from.chunks_exact(8).map(big_endian);
        let mut this = eights.next().unwrap_or(0);
        for next in eights.take(words) {
            push(&mut self.out, this << shift | (next >> 1) >> (63 - shift));
            this = next;
        }
        at += 64 * words as u64;
        self.put_from(source, at, left % 64);
    }

    /// `count` bits of `source` from bit `at` on, at most 64.
    fn put_from(&mut self, source: &[u8], at: u64, count: u64) {
        if count == 0 {
            return;
        }
        let byte = (at >> 3) as usize;
        let (shift, count) = ((at & 7) as u32, count as u32);
        let eight = source.get(byte..byte + 8).map_or(0, big_endian);
        let ninth = source.get(byte + 8).copied().unwrap_or(0);
        let word = eight << shift | u64::from(ninth) >> (8 - shift);
        self.put(word >> (64 - count), count);
    }

    /// Ends an interval.
    pub(super) fn align(&mut self) {
        let fill = self.free % 8;
        self.put((1 << fill) - 1, fill);
        let bytes = (64 - self.free) / 8;
        for &byte in self.word.to_be_bytes().iter().take(bytes as usize) {
            push_byte(&mut self.out, byte);
        }
        (self.word, self.free) = (0, 64);
    }

    /// A marker, between intervals.
    pub(super) fn marker(&mut self, marker: u8) {
        self.align();
        self.out.extend_from_slice(&[0xFF, marker]);
    }

    /// All that was written.
    pub(super) fn done(mut self) -> Vec<u8> {
        self.align();
        self.out
    }
}

fn big_endian(eight: &[u8]) -> u64 {
    eight.iter().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

#[inline]
fn push(out: &mut Vec<u8>, word: u64) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // A byte of the complement is zero where one of the word is FF.
    if (!word).wrapping_sub(ONES) & word & HIGH == 0 {
        out.extend_from_slice(&word.to_be_bytes());
    } else {
        word.to_be_bytes().iter().for_each(|&byte| push_byte(out, byte));
    }
}

fn push_byte(out: &mut Vec<u8>, byte: u8) {
    out.push(byte);
    if byte == 0xFF {
        out.push(0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn as_text(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:08b}")).collect()
    }

    /// Stuffed, as the standard says it.
    fn stuffed(bits: &str) -> Vec<u8> {
        let mut out = Vec::new();
        for byte in bits.as_bytes().chunks(8) {
            let text = format!("{:1<8}", String::from_utf8_lossy(byte));
            push_byte(&mut out, u8::from_str_radix(&text, 2).expect("bits"));
        }
        out
    }

    proptest! {
        #[test]
        fn what_is_put_and_copied_stands_there_in_order(
            mut source in proptest::collection::vec(prop_oneof![Just(0xFFu8), any::<u8>()], 0..80),
            pieces in proptest::collection::vec((any::<u64>(), 0u32..=64, any::<(u16, u16)>()), 0..12),
        ) {
            let bits = 8 * source.len() as u64;
            let text = as_text(&source);
            source.extend([0; 16]);
            let mut writer = Bits::behind(Vec::new());
            let mut expected = String::new();
            for (value, count, (a, b)) in pieces {
                let value = value.checked_shr(64 - count).unwrap_or(0);
                writer.put(value, count);
                expected += &format!("{value:064b}")[64 - count as usize..];
                let (a, b) = (u64::from(a) % (bits + 1), u64::from(b) % (bits + 1));
                let (a, b) = (a.min(b), a.max(b));
                writer.copy(&source, a..b);
                expected += &text[a as usize..b as usize];
            }
            prop_assert_eq!(writer.done(), stuffed(&expected));
        }
    }
}
