//! The plain walk: MCU after MCU, code after code (ITU-T T.81 F.2.2).
//!
//! Promises: a code that does not exist, a 65th coefficient, a DC coefficient that 8-bit samples cannot
//! have (F.1.2.1), missing and surplus data are found.

use super::Stream;
use crate::jpeg::huffman::LookUp;
use crate::jpeg::{Error, Scan};

/// What a walk tells.
pub(super) struct Walked {
    pub starts: Vec<u32>,
    pub ends: Vec<u32>,
    pub dcs: Vec<i16>,
}

struct Tables {
    part: usize,
    dc: LookUp,
    ac: LookUp,
}

pub(super) fn walk(scan: &Scan, stream: &Stream) -> Result<Walked, Error> {
    let mut blocks = Vec::with_capacity(scan.blocks_per_mcu());
    let tables: Vec<_> = scan
        .parts
        .iter()
        .enumerate()
        .map(|(part, p)| Tables {
            part,
            dc: p.dc.look_up(),
            ac: p.ac.look_up(),
        })
        .collect();
    for (tables, part) in tables.iter().zip(&scan.parts) {
        blocks.extend(std::iter::repeat_n(tables, part.count()));
    }
    let corrupt = |what| Error::Corrupt {
        at: scan.data.start,
        what,
    };
    let mut walked = Walked {
        starts: Vec::with_capacity(scan.mcus()),
        ends: Vec::with_capacity(stream.intervals().len()),
        dcs: Vec::with_capacity(scan.mcus() * blocks.len()),
    };
    for (mcus, bytes) in scan.intervals().zip(stream.intervals()) {
        let mut bit = 8 * bytes.start as u64;
        let end = 8 * bytes.end as u64;
        let mut dcs = [0i32; 3];
        for _ in mcus {
            walked.starts.push(bit as u32);
            for tables in &blocks {
                let dc = &mut dcs[tables.part];
                bit = block(stream, bit, tables, dc).map_err(corrupt)?;
                walked.dcs.push(*dc as i16);
            }
            if bit > end {
                return Err(corrupt("the image data end before the image does"));
            }
        }
        walked.ends.push(bit as u32);
        if end - bit >= 8 {
            return Err(corrupt("more image data than the image has room for"));
        }
    }
    Ok(walked)
}

/// Walks one block; the bit behind it.
fn block(stream: &Stream, mut bit: u64, tables: &Tables, dc: &mut i32) -> Result<u64, &'static str> {
    const NO_CODE: &str = "a Huffman code that does not exist";
    let window = stream.peek(bit);
    let entry = u32::from(tables.dc[(window >> 48) as usize]);
    let (length, size) = (entry >> 8, entry & 0xFF);
    if length == 0 {
        return Err(NO_CODE);
    }
    if size > 11 {
        return Err("a DC difference that is too large");
    }
    *dc += difference(window << length, size);
    if dc.abs() > 2047 {
        return Err("a block brighter than white or darker than black");
    }
    bit += u64::from(length + size);
    let mut k = 1;
    while k < 64 {
        let entry = u32::from(tables.ac[(stream.peek(bit) >> 48) as usize]);
        let (length, run, size) = (entry >> 8, entry >> 4 & 15, entry & 15);
        if length == 0 {
            return Err(NO_CODE);
        }
        bit += u64::from(length + size);
        k += match (run, size) {
            (15, 0) => 16,
            (_, 0) => return Ok(bit),
            _ => run + 1,
        };
        if k > 64 {
            return Err("a block of more coefficients than there are");
        }
    }
    Ok(bit)
}

/// EXTEND of T.81 F.2.2.1, of the first `size` bits.
fn difference(bits: u64, size: u32) -> i32 {
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
