//! The entropy-coded data of a scan without what is stuffed into them (ITU-T T.81 B.1.1.5).
//!
//! Promises: restart intervals lie one behind the other, each from a whole byte on; there are as many
//! as the scan announces, their markers in order; behind the last stand zero bytes, so that eight bytes
//! can be read from any of its bits. Leaves what the bits mean to the walk.

use std::ops::Range;

use crate::jpeg::{Error, Scan};

/// Zero bytes behind the end.
const ZEROS: usize = 16;

/// The bits of a scan.
#[derive(Debug, Clone)]
pub struct Stream {
    bytes: Vec<u8>,
    /// Whole bytes of each restart interval.
    intervals: Vec<Range<usize>>,
}

impl Stream {
    /// Copies the scan's data out of the file.
    pub(super) fn read(bytes: &[u8], scan: &Scan) -> Result<Self, Error> {
        let data = bytes.get(scan.data.clone()).unwrap_or_default();
        let announced = scan.intervals().count();
        let mut stream = Self {
            bytes: Vec::with_capacity(data.len() + ZEROS),
            intervals: Vec::with_capacity(announced),
        };
        let (mut at, mut start) = (0, 0);
        for number in 0..announced {
            let marker = stream.read_interval(data, &mut at);
            stream.intervals.push(start..stream.bytes.len());
            start = stream.bytes.len();
            let expected = (number + 1 < announced).then_some(0xD0 + (number % 8) as u8);
            if marker != expected {
                return Err(Error::Corrupt {
                    at: scan.data.start + at,
                    what: "a restart marker missing, or out of place",
                });
            }
        }
        stream.bytes.extend_from_slice(&[0; ZEROS]);
        Ok(stream)
    }

    /// Copies up to the next RSTn, which is returned, or the end.
    fn read_interval(&mut self, data: &[u8], at: &mut usize) -> Option<u8> {
        while let Some(skip) = data[*at..].iter().position(|&b| b == 0xFF) {
            let mark = *at + skip;
            self.bytes.extend_from_slice(&data[*at..mark]);
            *at = mark + 1;
            while data.get(*at) == Some(&0xFF) {
                *at += 1;
            }
            let next = data.get(*at).copied();
            *at = (*at + 1).min(data.len());
            match next {
                Some(0) => self.bytes.push(0xFF),
                marker => return marker,
            }
        }
        self.bytes.extend_from_slice(&data[*at..]);
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
    #[inline]
    pub fn peek(&self, bit: u64) -> u64 {
        let at = (bit >> 3) as usize;
        match self.bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
            Some(eight) => u64::from_be_bytes(*eight) << (bit & 7),
            None => 0,
        }
    }
}
