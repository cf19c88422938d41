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
    /// Copies the scan's data out of the file, over what was here before.
    pub(super) fn read(&mut self, bytes: &[u8], scan: &Scan) -> Result<(), Error> {
        let data = bytes.get(scan.data.clone()).unwrap_or_default();
        let corrupt = |at, what| Error::Corrupt {
            at: scan.data.start + at,
            what,
        };
        if data.len() > LONGEST {
            return Err(corrupt(0, "more image data than any image has room for"));
        }
        self.bytes.clear();
        self.bytes.reserve_exact(data.len() + ZEROS);
        self.intervals.clear();
        let announced = scan.intervals().count();
        // An interval that is not the last ends in a marker of two bytes.
        self.intervals.reserve_exact(announced.min(data.len() / 2 + 1));
        let (mut at, mut start) = (0, 0);
        for number in 0..announced {
            let marker = self.read_interval(data, &mut at);
            self.intervals.push(start..self.bytes.len());
            start = self.bytes.len();
            let expected = (number + 1 < announced).then_some(0xD0 + (number % 8) as u8);
            if marker != expected {
                return Err(corrupt(at, "a restart marker missing, or out of place"));
            }
        }
        self.bytes.extend_from_slice(&[0; ZEROS]);
        Ok(())
    }

    /// Copies up to the next RSTn, which is returned, or the end.
    fn read_interval(&mut self, data: &[u8], at: &mut usize) -> Option<u8> {
        let mut copied = *at;
        while let Some(skip) = memchr::memchr(0xFF, &data[*at..]) {
            let mark = *at + skip;
            if data.get(mark + 1) == Some(&0) {
                // The stuffed zero is left out when what follows is copied.
                self.bytes.extend_from_slice(&data[copied..=mark]);
                copied = mark + 2;
                *at = copied;
                continue;
            }
            self.bytes.extend_from_slice(&data[copied..mark]);
            let fill = data[mark..].iter().take_while(|b| **b == 0xFF).count();
            let next = data.get(mark + fill).copied();
            *at = data.len().min(mark + fill + 1);
            copied = *at;
            match next {
                Some(0) => self.bytes.push(0xFF),
                marker => return marker,
            }
        }
        self.bytes.extend_from_slice(&data[copied..]);
        *at = data.len();
        None
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

#[cfg(test)]
mod tests {
    use super::*;

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
