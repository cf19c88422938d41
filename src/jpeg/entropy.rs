//! A walk over the entropy-coded data of sequential scans: is every MCU there?
//!
//! Promises: [`check`] passes a sequential picture only if each of its scans codes exactly the MCUs
//! that its header promises, with codes that exist, between restart markers in order (ITU-T T.81
//! F.2.2). Decoders go on with zeros where an EOI or RSTn comes too early; this does not. Whatever the
//! bytes are, it ends, in time proportional to their number. Leaves values to the decoder, and
//! progressive pictures, whose decoder notices by itself.

use super::markers::{Component, DHT, DRI, SOS, Segment};
use super::{Error, Layout, Process};

/// Whether the picture's entropy-coded data are all there.
pub fn check(bytes: &[u8], layout: &Layout) -> Result<(), Error> {
    if layout.process == Process::Progressive {
        return Ok(());
    }
    let mut tables = Tables::default();
    let mut restart_interval = 0;
    let mut unstuffed = Vec::new();
    for segment in &layout.segments {
        let payload = segment.payload(bytes);
        match segment.marker {
            DHT => tables.define(payload, segment.range.start)?,
            DRI => restart_interval = payload.iter().fold(0, |n, &b| n << 8 | usize::from(b)),
            SOS => {
                let scan = Scan::new(payload, segment, layout, &tables)?;
                scan.walk(bytes, restart_interval, &mut unstuffed)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// A Huffman table as one look-up of 16 bits: length of the code in the high byte (0: there is no such
/// code), symbol in the low one.
type Table = Vec<u16>;

#[derive(Default)]
struct Tables {
    dc: [Option<Table>; 4],
    ac: [Option<Table>; 4],
}

impl Tables {
    /// T.81 B.2.4.2 and C.2.
    fn define(&mut self, mut payload: &[u8], at: usize) -> Result<(), Error> {
        let corrupt = Error::Corrupt {
            at,
            what: "a Huffman table that is none",
        };
        while let Some((&class_and_name, rest)) = payload.split_first() {
            let (lengths, rest) = rest.split_at_checked(16).ok_or(corrupt.clone())?;
            let count = lengths.iter().map(|&n| usize::from(n)).sum();
            let (symbols, rest) = rest.split_at_checked(count).ok_or(corrupt.clone())?;
            let table = table(lengths, symbols).ok_or(corrupt.clone())?;
            let class = match class_and_name >> 4 {
                0 => &mut self.dc,
                1 => &mut self.ac,
                _ => return Err(corrupt),
            };
            *class
                .get_mut(usize::from(class_and_name & 15))
                .ok_or(corrupt.clone())? = Some(table);
            payload = rest;
        }
        Ok(())
    }
}

/// Codes in order of length (T.81 C.2), each filling the entries that begin with it.
fn table(lengths: &[u8], symbols: &[u8]) -> Option<Table> {
    let mut table = Vec::with_capacity(1 << 16);
    let mut symbols = symbols.iter();
    for (length, &count) in (1u16..).zip(lengths) {
        for symbol in symbols.by_ref().take(usize::from(count)) {
            let entries = 1usize << (16 - length);
            if table.len() + entries > 1 << 16 {
                return None;
            }
            table.resize(table.len() + entries, length << 8 | u16::from(*symbol));
        }
    }
    table.resize(1 << 16, 0);
    Some(table)
}

/// What goes wrong inside a scan.
#[derive(Clone, Copy)]
struct Damage(&'static str);

/// The blocks of one MCU that belong to one component, and the tables that code them.
struct Part<'a> {
    blocks: u32,
    dc: &'a Table,
    ac: &'a Table,
}

struct Scan<'a> {
    segment: &'a Segment,
    parts: Vec<Part<'a>>,
    mcus: usize,
}

impl<'a> Scan<'a> {
    fn new(header: &[u8], segment: &'a Segment, layout: &Layout, tables: &'a Tables) -> Result<Self, Error> {
        let corrupt = |what| Error::Corrupt {
            at: segment.range.start,
            what,
        };
        let count = usize::from(header.first().copied().unwrap_or(0));
        let mut parts = Vec::with_capacity(count);
        let mut alone = None;
        for name in header.get(1..1 + 2 * count).unwrap_or_default().chunks_exact(2) {
            let find = |c: &&Component| c.id == name[0];
            let component = layout.components.iter().find(find);
            let component = component.ok_or(corrupt("a scan of an unknown component"))?;
            let table = |tables: &'a [Option<Table>; 4], name: u8| {
                let table = tables.get(usize::from(name)).and_then(Option::as_ref);
                table.ok_or(corrupt("a scan without its Huffman table"))
            };
            let interleaved = u32::from(component.horizontal) * u32::from(component.vertical);
            parts.push(Part {
                blocks: if count == 1 { 1 } else { interleaved },
                dc: table(&tables.dc, name[1] >> 4)?,
                ac: table(&tables.ac, name[1] & 15)?,
            });
            alone = Some(component);
        }
        let mcus = match alone.filter(|_| count == 1) {
            Some(component) => layout.blocks(component),
            None => {
                let grid = layout.grid();
                grid.columns as usize * grid.rows as usize
            }
        };
        Ok(Self { segment, parts, mcus })
    }

    /// Walks the scan interval by interval, each up to its RSTn or the end.
    fn walk(&self, bytes: &[u8], restart_interval: usize, unstuffed: &mut Vec<u8>) -> Result<(), Error> {
        let data = bytes.get(self.segment.data.clone()).unwrap_or_default();
        let interval = if restart_interval == 0 {
            self.mcus
        } else {
            restart_interval
        };
        let (mut at, mut left, mut number) = (0, self.mcus, 0);
        while left > 0 {
            let corrupt = |Damage(what)| Error::Corrupt {
                at: self.segment.data.start + at,
                what,
            };
            let (length, restart) = unstuff(&data[at..], unstuffed);
            let mcus = interval.min(left);
            self.interval(unstuffed, mcus).map_err(corrupt)?;
            left -= mcus;
            let expected = (left > 0).then_some(0xD0 + number);
            if restart != expected {
                return Err(corrupt(Damage("a restart marker missing, or out of place")));
            }
            number = (number + 1) % 8;
            at += length;
        }
        Ok(())
    }

    fn interval(&self, data: &[u8], mcus: usize) -> Result<(), Damage> {
        let mut bits = Bits::new(data);
        let mut brightness = [0i32; 4];
        for _ in 0..mcus {
            for (part, dc) in self.parts.iter().zip(&mut brightness) {
                for _ in 0..part.blocks {
                    bits.block(part, dc)?;
                }
            }
            if bits.is_beyond_the_end() {
                return Err(Damage("the image data end before the image does"));
            }
        }
        if bits.bytes_left() > 0 {
            return Err(Damage("more image data than the image has room for"));
        }
        Ok(())
    }
}

/// Copies entropy-coded data up to the next RSTn without their stuffed zeros (T.81 B.1.1.5) and fill
/// bytes. How many bytes that took, RSTn included, and the RSTn.
fn unstuff(data: &[u8], out: &mut Vec<u8>) -> (usize, Option<u8>) {
    out.clear();
    let mut at = 0;
    while let Some(skip) = data[at..].iter().position(|&b| b == 0xFF) {
        let mark = at + skip;
        out.extend_from_slice(&data[at..mark]);
        at = mark + 1;
        while data.get(at) == Some(&0xFF) {
            at += 1;
        }
        match data.get(at) {
            Some(0) => out.push(0xFF),
            marker => return ((at + 1).min(data.len()), marker.copied()),
        }
        at += 1;
    }
    out.extend_from_slice(&data[at..]);
    (data.len(), None)
}

/// Bits from the most significant on; zeros behind the end, which are counted.
struct Bits<'a> {
    data: &'a [u8],
    at: usize,
    buffer: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            at: 0,
            buffer: 0,
            count: 0,
        }
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

    /// The next symbol, its code taken.
    fn symbol(&mut self, table: &Table) -> Result<u32, Damage> {
        let entry = u32::from(table[(self.buffer >> 48) as usize]);
        if entry >> 8 == 0 {
            return Err(Damage("a Huffman code that does not exist"));
        }
        self.skip(entry >> 8);
        Ok(entry & 0xFF)
    }

    /// One block: T.81 F.2.2.1 and F.2.2.2. At most 16 + 15 bits a symbol.
    fn block(&mut self, part: &Part<'_>, dc: &mut i32) -> Result<(), Damage> {
        self.refill();
        let size = self.symbol(part.dc)?;
        if size > 11 {
            return Err(Damage("a DC difference that is too large"));
        }
        *dc += self.difference(size);
        // 8-bit samples give DC coefficients of 11 bits and a sign (T.81 F.1.2.1), whatever the quantiser.
        if dc.abs() > 2047 {
            return Err(Damage("a block brighter than white or darker than black"));
        }
        let mut k = 1;
        while k < 64 {
            self.refill();
            let run_and_size = self.symbol(part.ac)?;
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
                return Err(Damage("a block of more than 64 coefficients"));
            }
        }
        Ok(())
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

    fn is_beyond_the_end(&self) -> bool {
        self.taken() > 8 * self.data.len()
    }

    /// Whole bytes that no MCU used.
    fn bytes_left(&self) -> usize {
        (8 * self.data.len()).saturating_sub(self.taken()) / 8
    }
}

#[cfg(test)]
mod tests {
    use image::codecs::jpeg::JpegEncoder;
    use image::{ExtendedColorType, RgbImage};
    use proptest::prelude::*;

    use super::*;

    /// A picture with something in every block.
    fn made() -> Vec<u8> {
        let picture = RgbImage::from_fn(90, 70, |x, y| {
            let noise = (x * 7919 + y * 104_729) % 251;
            image::Rgb([noise as u8, (noise * 3 % 256) as u8, (x * 2) as u8])
        });
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, 80)
            .encode(&picture, 90, 70, ExtendedColorType::Rgb8)
            .expect("encoded");
        jpeg
    }

    fn checked(bytes: &[u8]) -> Result<(), Error> {
        check(bytes, &Layout::parse(bytes)?)
    }

    fn scan(bytes: &[u8]) -> std::ops::Range<usize> {
        let layout = Layout::parse(bytes).expect("sound");
        layout.scans().map(|s| s.data.clone()).next().expect("one scan")
    }

    #[test]
    fn a_whole_picture_passes() {
        assert_eq!(checked(&made()), Ok(()));
    }

    #[test]
    fn a_picture_that_was_cut_off_and_given_an_end_is_found_out_wherever_it_was_cut() {
        let whole = made();
        let data = scan(&whole);
        for cut in (data.start + 1_500..data.end - 1).step_by(7) {
            let mut cut_off = whole[..cut].to_vec();
            cut_off.extend([0xFF, 0xD9]);
            assert!(checked(&cut_off).is_err(), "cut at {cut} of {data:?}");
        }
    }

    #[test]
    fn a_stretch_that_is_missing_or_doubled_is_found_out() {
        let whole = made();
        let data = scan(&whole);
        let middle = (data.start + data.end) / 2;
        let mut missing = whole.clone();
        missing.drain(middle..middle + 400);
        assert!(checked(&missing).is_err());
        let mut doubled = whole.clone();
        let again = whole[middle..middle + 400].to_vec();
        doubled.splice(middle..middle, again);
        assert!(checked(&doubled).is_err());
    }

    #[test]
    fn a_restart_marker_that_nobody_announced_is_found_out() {
        let mut odd = made();
        let data = scan(&odd);
        odd.splice(data.end..data.end, [0xFF, 0xD0]);
        assert!(checked(&odd).is_err());
    }

    #[test]
    fn more_codes_than_there_is_room_for_are_no_table() {
        assert!(table(&[3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[1, 2, 3]).is_none());
        assert!(table(&[1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[1, 2]).is_some());
    }

    proptest! {
        #[test]
        fn a_damaged_picture_ends_in_a_verdict(damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
            let mut bytes = made();
            for (at, value) in damage {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let _ = checked(&bytes);
        }
    }
}
