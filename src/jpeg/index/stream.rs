//! The entropy-coded data of a scan without what is stuffed into them (ITU-T T.81 B.1.1.5).
//!
//! Promises: restart intervals lie one behind the other, each from a whole byte on; there are as many
//! as the scan announces, their markers in order; behind the last stand zero bytes, so that eight bytes
//! can be read from any of its bits. Leaves what the bits mean to the walk.

use std::ops::Range;

use crate::jpeg::{Error, Scan};

/// Zero bytes behind the end.
const ZEROS: usize = 16;
/// Bytes of the longest scan: some 27 bits for each pixel of the largest picture. Its bits can be counted
/// in 32 bits.
const LONGEST: usize = (1 << 28) + (1 << 26);

/// The bits of a scan.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    bytes: Vec<u8>,
    /// Whole bytes of each restart interval.
    intervals: Vec<Range<usize>>,
}

impl Stream {
    /// Of a copy of the scan's data.
    pub(super) fn copied(file: &[u8], scan: &Scan) -> Result<Self, Error> {
        let data = file.get(scan.data.clone()).unwrap_or_default();
        let mut copy = Vec::new();
        copy.reserve_exact(data.len() + ZEROS);
        copy.extend_from_slice(data);
        let data = 0..copy.len();
        Self::compacted(copy, data, scan)
    }

    /// Of the file itself, of which nothing else is left: the scan's data move to its front.
    pub(super) fn in_place(file: Vec<u8>, scan: &Scan) -> Result<Self, Error> {
        let data = file.get(scan.data.clone()).map_or(0..0, |_| scan.data.clone());
        Self::compacted(file, data, scan)
    }

    fn compacted(mut bytes: Vec<u8>, data: Range<usize>, scan: &Scan) -> Result<Self, Error> {
        let corrupt = |at, what| Error::Corrupt {
            at: scan.data.start + at,
            what,
        };
        if data.len() > LONGEST {
            return Err(corrupt(0, "more image data than any image has room for"));
        }
        let announced = scan.intervals().count();
        // An interval that is not the last ends in a marker of two bytes.
        let mut intervals = Vec::with_capacity(announced.min(data.len() / 2 + 1));
        let mut stuffed = Stuffed {
            at: data.start,
            end: data.end,
            to: 0,
            bytes: &mut bytes,
        };
        for number in 0..announced {
            let start = stuffed.to;
            let marker = stuffed.compact_interval();
            intervals.push(start..stuffed.to);
            let expected = (number + 1 < announced).then_some(0xD0 + (number % 8) as u8);
            if marker != expected {
                return Err(corrupt(
                    stuffed.at - data.start,
                    "a restart marker missing, or out of place",
                ));
            }
        }
        let length = stuffed.to;
        bytes.truncate(length);
        bytes.resize(length + ZEROS, 0);
        Ok(Self { bytes, intervals })
    }

    /// Its memory, and nothing that counts in it.
    pub(super) fn into_memory(self) -> Vec<u8> {
        self.bytes
    }

    /// The bits, with zeros behind the end.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of each restart interval.
    pub fn intervals(&self) -> &[Range<usize>] {
        &self.intervals
    }

    /// At least 57 bits from this one on, left-aligned; zeros behind the end.
    #[inline(always)]
    pub fn peek(&self, bit: u64) -> u64 {
        peek(&self.bytes, bit)
    }
}

/// Data on their way to the front of the bytes they lie in. What is written never reaches what is still to be read.
struct Stuffed<'b> {
    bytes: &'b mut [u8],
    /// What is to be read.
    at: usize,
    end: usize,
    /// Where the next byte goes.
    to: usize,
}

impl Stuffed<'_> {
    /// Moves all up to the next RSTn, which is returned, or the end.
    fn compact_interval(&mut self) -> Option<u8> {
        let mut moved = self.at;
        while let Some(skip) = memchr::memchr(0xFF, &self.bytes[self.at..self.end]) {
            let mark = self.at + skip;
            if self.bytes[..self.end].get(mark + 1) == Some(&0) {
                // The stuffed zero is left out when what follows is moved.
                self.take(moved..mark + 1);
                moved = mark + 2;
                self.at = moved;
                continue;
            }
            self.take(moved..mark);
            let fill = self.bytes[mark..self.end]
                .iter()
                .take_while(|b| **b == 0xFF)
                .count();
            let next = self.bytes[..self.end].get(mark + fill).copied();
            self.at = self.end.min(mark + fill + 1);
            moved = self.at;
            match next {
                Some(0) => self.take(mark..mark + 1),
                marker => return marker,
            }
        }
        self.take(moved..self.end);
        self.at = self.end;
        None
    }

    fn take(&mut self, from: Range<usize>) {
        let to = self.to;
        self.to += from.len();
        self.bytes.copy_within(from, to);
    }
}

/// At least 57 bits of [`Stream::bytes`] from this one on, left-aligned; zeros behind the end.
#[inline(always)]
pub(super) fn peek(bytes: &[u8], bit: u64) -> u64 {
    let at = (bit >> 3) as usize;
    match bytes.get(at..at + 8).and_then(|eight| eight.first_chunk::<8>()) {
        Some(eight) => u64::from_be_bytes(*eight) << (bit & 7),
        None => 0,
    }
}

/// Whether two places hold the same bits. Behind both stand eight bytes more than are compared.
pub(in crate::jpeg) fn equal_bits((a, at_a): (&[u8], u64), (b, at_b): (&[u8], u64), count: u64) -> bool {
    let from = |bytes, at: u64| <[u8]>::get(bytes, (at >> 3) as usize..).unwrap_or_default();
    let (mut a, mut b) = (from(a, at_a), from(b, at_b));
    let shifts = [at_a, at_b].map(|at| (at & 7) as u32);
    let word = |nine: &[u8; 9], shift: u32| {
        let [eight @ .., ninth] = *nine;
        u64::from_be_bytes(eight) << shift | u64::from(ninth) << shift >> 8
    };
    let mut left = count;
    while let (256.., Some(x), Some(y)) = (left, a.first_chunk::<33>(), b.first_chunk::<33>()) {
        let mut difference = 0;
        for at in [0, 8, 16, 24] {
            if let (Some(x), Some(y)) = (x[at..].first_chunk(), y[at..].first_chunk()) {
                difference |= word(x, shifts[0]) ^ word(y, shifts[1]);
            }
        }
        if difference != 0 {
            return false;
        }
        left -= 256;
        (a, b) = (&a[32..], &b[32..]);
    }
    while left > 0 {
        let (Some(x), Some(y)) = (a.first_chunk(), b.first_chunk()) else {
            return false;
        };
        let step = left.min(64);
        if (word(x, shifts[0]) ^ word(y, shifts[1])) >> (64 - step) != 0 {
            return false;
        }
        left -= step;
        (a, b) = (&a[8..], &b[8..]);
    }
    true
}

#[cfg(all(test, any(feature = "trap", feature = "desk")))]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::jpeg::huffman::Code;
    use crate::jpeg::index::tests::scan_of;

    /// Byte by byte, as the standard tells it.
    fn unstuffed(data: &[u8]) -> Vec<u8> {
        let (mut out, mut at) = (Vec::new(), 0);
        while let Some(&byte) = data.get(at) {
            at += 1;
            if byte != 0xFF {
                out.push(byte);
                continue;
            }
            while data.get(at) == Some(&0xFF) {
                at += 1;
            }
            if data.get(at) == Some(&0) {
                out.push(0xFF);
            }
            at += 1;
        }
        out
    }

    /// The data of so many restart intervals, or something near them.
    fn any_data() -> impl Strategy<Value = (Vec<u8>, u32)> {
        let stuffed = (1..4usize).prop_map(|fill| [vec![0xFF; fill], vec![0]].concat());
        let piece = prop_oneof![4 => (0..0xFFu8).prop_map(|byte| vec![byte]), 1 => stuffed];
        let interval = proptest::collection::vec(piece, 0..30);
        let damage = proptest::option::weighted(0.2, (any::<prop::sample::Index>(), any::<u8>()));
        (proptest::collection::vec(interval, 1..12), damage).prop_map(|(intervals, damage)| {
            let mut data = intervals[0].concat();
            for (number, interval) in intervals[1..].iter().enumerate() {
                data.extend([0xFF, 0xD0 + number as u8 % 8]);
                data.extend(interval.concat());
            }
            if let Some((at, byte)) = damage
                && !data.is_empty()
            {
                let at = at.index(data.len());
                data[at] = byte;
            }
            (data, intervals.len() as u32)
        })
    }

    proptest! {
        #[test]
        fn data_unstuffed_in_the_file_itself_are_those_of_a_copy_and_of_the_standard(
            (data, intervals) in any_data(),
            around in [0usize..40, 0..40],
        ) {
            let [before, after] = around.map(|length| vec![0xA5; length]);
            let file = [before, data.clone(), after].concat();
            let code = || Code::new([0; 16], &[]).expect("empty");
            let mut scan = scan_of([intervals, 1], [1, 1], true, &[[code(), code()], [code(), code()]]);
            (scan.restart_interval, scan.data) = (Some(1), around[0]..around[0] + data.len());
            let parts = |stream: Stream| (stream.bytes, stream.intervals);
            let copied = Stream::copied(&file, &scan).map(parts);
            prop_assert_eq!(&Stream::in_place(file, &scan).map(parts), &copied);
            if let Ok((bytes, intervals)) = copied {
                let (bytes, zeros) = bytes.split_at(bytes.len() - ZEROS);
                prop_assert_eq!(zeros, [0; ZEROS]);
                prop_assert_eq!(bytes, unstuffed(&data));
                prop_assert_eq!(intervals.last().map(|last| last.end), Some(bytes.len()));
            }
        }
    }

    #[test]
    fn bits_are_equal_where_each_of_them_is() {
        let bytes: Vec<u8> = (0..200u32).map(|n| ((n * n * 37) >> 3) as u8).collect();
        for shift in 0..8 {
            // The same bits, `shift` further on.
            let mut moved = vec![0; 201];
            for bit in 0..1_600 {
                moved[(bit + shift) / 8] |= (bytes[bit / 8] >> (7 - bit % 8) & 1) << (7 - (bit + shift) % 8);
            }
            for (start, count) in [
                (0, 1),
                (3, 61),
                (5, 64),
                (6, 255),
                (1, 256),
                (7, 257),
                (2, 1_200),
                (0, 1_500),
            ] {
                let equal = |moved: &[u8]| equal_bits((&bytes, start), (moved, start + shift as u64), count);
                assert!(equal(&moved), "{shift} {start} {count}");
                for bit in [start, start + count / 2, start + count - 1] {
                    let at = bit as usize + shift;
                    let mut other = moved.clone();
                    other[at / 8] ^= 0x80 >> (at % 8);
                    assert!(!equal(&other), "{shift} {start} {count}: bit {bit}");
                }
                let behind = (start + count) as usize + shift;
                let mut other = moved.clone();
                other[behind / 8] ^= 0x80 >> (behind % 8);
                assert!(
                    equal(&other),
                    "{shift} {start} {count}: what is behind does not count"
                );
            }
        }
    }
}
