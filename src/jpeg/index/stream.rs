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
