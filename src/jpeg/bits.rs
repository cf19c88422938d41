//! Writing entropy-coded data: words of bits, and ranges of bits copied with a shift.
//!
//! Promises: bits come out in the order in which they were put in, the most significant of a byte
//! first (ITU-T T.81 F.1.2.3 and F.2.2.5); a byte FF among them is followed by a zero byte (B.1.1.5),
//! so no marker can arise but those that are asked for; the last byte before a marker is filled up
//! with 1-bits (F.1.2.3). Leaves what the bits mean to `splice` and `crop`.

use std::ops::Range;

use super::huffman::Word;

/// Entropy-coded data in the making.
#[derive(Debug, Default)]
pub struct BitWriter {
    out: Vec<u8>,
    /// Bits that make no whole 64 yet, left-aligned, zeros behind them.
    waiting: u64,
    /// How many they are, 0 to 63.
    count: u32,
}

impl BitWriter {
    /// Writes behind what is in `out` already, which stays as it is.
    pub fn behind(out: Vec<u8>) -> Self {
        Self {
            out,
            waiting: 0,
            count: 0,
        }
    }

    /// Appends one word.
    #[inline]
    pub fn push(&mut self, word: Word) {
        self.put(u64::from(word.bits), u32::from(word.length));
    }

    /// Appends the lowest `length` bits, at most 32, of `bits`.
    #[inline]
    pub fn put(&mut self, bits: u64, length: u32) {
        if length == 0 {
            return;
        }
        let bits = bits << (64 - length);
        self.waiting |= bits >> self.count;
        self.count += length;
        if self.count >= 64 {
            self.write(self.waiting);
            self.count -= 64;
            // Those up to the 64th are out.
            self.waiting = bits << (length - self.count);
        }
    }

    /// Appends these bits of `bytes`; what of them lies beyond the end of `bytes` is left out.
    pub fn append(&mut self, bytes: &[u8], bits: Range<u64>) {
        let end = bits.end.min(8 * bytes.len() as u64);
        let Some(left) = end.checked_sub(bits.start) else {
            return;
        };
        // Up to a whole word here; from there on, words here are words there, all shifted alike.
        let head = left.min(u64::from(64 - self.count) % 64);
        self.append_few(bytes, bits.start..bits.start + head);
        let at = bits.start + head;
        let words = match self.count {
            0 => self.append_words(&bytes[(at >> 3) as usize..], (at & 7) as u32, (left - head) / 64),
            _ => 0,
        };
        self.append_few(bytes, at + 64 * words..end);
    }

    /// Appends bits byte by byte.
    fn append_few(&mut self, bytes: &[u8], bits: Range<u64>) {
        let mut at = bits.start;
        while at < bits.end {
            let inside = (at & 7) as u32;
            let length = (bits.end - at).min(u64::from(8 - inside)) as u32;
            let byte = bytes[(at >> 3) as usize] << inside;
            self.put(u64::from(byte) >> (8 - length), length);
            at += u64::from(length);
        }
    }

    /// Appends up to `most` words from bit `shift` of `source` on, as far as it has nine bytes for each,
    /// while no bits wait. How many they were.
    fn append_words(&mut self, source: &[u8], shift: u32, most: u64) -> u64 {
        // Eight bytes and the one behind them hold 64 bits from any bit of the first byte on.
        let word = |nine: &[u8; 9]| {
            let [eight @ .., ninth] = *nine;
            u64::from_be_bytes(eight) << shift | u64::from(ninth) << shift >> 8
        };
        let words = most.min(source.len().saturating_sub(1) as u64 / 8);
        let mut rest = source;
        for _ in 0..words / 4 {
            let Some(block) = rest.first_chunk::<33>() else {
                break;
            };
            let mut four = [0; 4];
            for (to, at) in four.iter_mut().zip([0, 8, 16, 24]) {
                *to = block[at..].first_chunk().map_or(0, word);
            }
            if four.iter().any(|word| has_mark(*word)) {
                four.iter().for_each(|word| self.write(*word));
            } else {
                self.out
                    .extend_from_slice(four.map(u64::to_be_bytes).as_flattened());
            }
            rest = &rest[32..];
        }
        for _ in 0..words % 4 {
            self.write(rest.first_chunk().map_or(0, word));
            rest = rest.get(8..).unwrap_or_default();
        }
        words
    }

    /// Fills up the byte in hand with 1-bits.
    pub fn pad(&mut self) {
        let missing = self.count.wrapping_neg() & 7;
        self.put((1 << missing) - 1, missing);
        let whole = self.waiting.to_be_bytes();
        for &byte in &whole[..(self.count / 8) as usize] {
            self.byte(byte);
        }
        (self.waiting, self.count) = (0, 0);
    }

    /// Fills up the byte in hand and writes a marker, unstuffed.
    pub fn marker(&mut self, second: u8) {
        self.pad();
        self.out.extend_from_slice(&[0xFF, second]);
    }

    /// Everything written, filled up to a whole byte.
    pub fn finish(mut self) -> Vec<u8> {
        self.pad();
        self.out
    }

    /// Writes 64 bits.
    #[inline]
    fn write(&mut self, word: u64) {
        if has_mark(word) {
            for byte in word.to_be_bytes() {
                self.byte(byte);
            }
        } else {
            self.out.extend_from_slice(&word.to_be_bytes());
        }
    }

    fn byte(&mut self, byte: u8) {
        self.out.push(byte);
        if byte == 0xFF {
            self.out.push(0);
        }
    }
}

/// Whether one of these eight bytes is FF.
#[inline]
fn has_mark(word: u64) -> bool {
    // A byte is FF where its complement is 0, and only from a 0 does the subtraction borrow.
    (!word).wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080 != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is put in, bit by bit.
    #[derive(Debug, Clone)]
    enum Piece {
        Word(u16, u8),
        Copy(Vec<u8>, Range<u64>),
        Marker(u8),
    }

    fn pieces() -> impl Strategy<Value = Vec<Piece>> {
        let word = (any::<u16>(), 1..=16u8).prop_map(|(bits, length)| Piece::Word(bits, length));
        let byte = prop_oneof![any::<u8>(), Just(0xFF)];
        let copy = prop::collection::vec(byte, 0..120).prop_flat_map(|bytes| {
            let bits = 8 * bytes.len() as u64;
            (0..=bits, 0..=bits).prop_map(move |(a, b)| Piece::Copy(bytes.clone(), a.min(b)..a.max(b)))
        });
        let marker = (0xD0..=0xD7u8).prop_map(Piece::Marker);
        prop::collection::vec(prop_oneof![3 => word, 3 => copy, 1 => marker], 0..40)
    }

    #[derive(Default)]
    struct BitByBit {
        out: Vec<u8>,
        bits: Vec<bool>,
    }

    impl BitByBit {
        fn pad(&mut self) {
            while !self.bits.len().is_multiple_of(8) {
                self.bits.push(true);
            }
            for eight in std::mem::take(&mut self.bits).chunks(8) {
                let byte = eight.iter().fold(0u8, |byte, &bit| byte << 1 | u8::from(bit));
                self.out.push(byte);
                self.out.extend((byte == 0xFF).then_some(0));
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_was_put_in_bit_by_bit(pieces in pieces()) {
            let mut fast = BitWriter::behind(vec![7, 7]);
            let mut slow = BitByBit { out: vec![7, 7], ..BitByBit::default() };
            for piece in &pieces {
                match piece {
                    Piece::Word(bits, length) => {
                        let bits = bits & (u16::MAX >> (16 - length));
                        fast.push(Word { bits, length: *length });
                        slow.bits.extend((0..*length).rev().map(|bit| bits >> bit & 1 == 1));
                    }
                    Piece::Copy(bytes, bits) => {
                        fast.append(bytes, bits.clone());
                        let bit = |at: u64| bytes[(at / 8) as usize] >> (7 - at % 8) & 1 == 1;
                        slow.bits.extend(bits.clone().map(bit));
                    }
                    Piece::Marker(second) => {
                        fast.marker(*second);
                        slow.pad();
                        slow.out.extend([0xFF, *second]);
                    }
                }
            }
            slow.pad();
            prop_assert_eq!(fast.finish(), slow.out);
        }
    }

    #[test]
    fn bits_beyond_the_end_are_left_out_and_never_read() {
        let mut writer = BitWriter::default();
        writer.append(&[0b1010_0000], 0..1_000);
        writer.append(&[1, 2, 3], 100..200);
        assert_eq!(writer.finish(), [0b1010_0000]);
    }
}
