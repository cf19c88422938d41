//! A walk over the entropy-coded data of all scans: is every MCU there?
//!
//! Promises: [`check`] passes a picture only if each of its scans codes exactly the MCUs that its
//! header promises, with codes that exist, between restart markers in order (ITU-T T.81 F.2.2, G.2),
//! and every component has its DC coefficients. Decoders go on with zeros where an EOI or RSTn comes
//! too early, strict or not (zune-jpeg 0.5.15 takes 570 of 572 pictures that were cut off and given an
//! EOI); this does not. Whatever the bytes are, it ends, in time proportional to their number and the
//! picture's size. Leaves values to the decoder.

use super::blocks::{Bits, Codes, Coding, Damage};
use super::huffman::{Class, Code, LookUp};
use super::markers::{Component, DHT, DRI, SOS, Segment};
use super::{Error, Layout, Process};

/// Whether the picture's entropy-coded data are all there.
pub(super) fn check(bytes: &[u8], layout: &Layout) -> Result<(), Error> {
    let mut tables = Tables::default();
    let mut restart_interval = 0;
    let mut progress = Progress::new(layout);
    for segment in &layout.segments {
        let payload = segment.payload(bytes);
        match segment.marker {
            DHT => tables.define(payload, segment.range.start)?,
            DRI => restart_interval = payload.iter().fold(0, |n, &b| n << 8 | usize::from(b)),
            SOS => {
                let scan = Scan::new(payload, segment, layout, &tables)?;
                scan.walk(bytes, restart_interval, &mut progress)?;
            }
            _ => {}
        }
    }
    if progress.has_dc.contains(&false) {
        return Err(Error::Corrupt {
            at: layout.end,
            what: "a component that no scan codes",
        });
    }
    Ok(())
}

/// What the scans so far have told, by component in the frame header's order.
struct Progress {
    has_dc: Vec<bool>,
    /// By block: the coefficients, bit k for the k-th, that are other than zero. Progressive only.
    known: Vec<Vec<u64>>,
    unstuffed: Vec<u8>,
}

impl Progress {
    fn new(layout: &Layout) -> Self {
        let blocks = |c| match layout.process {
            Process::Progressive => layout.blocks(c),
            _ => 0,
        };
        Self {
            has_dc: vec![false; layout.components.len()],
            known: layout.components.iter().map(|c| vec![0; blocks(c)]).collect(),
            unstuffed: Vec::new(),
        }
    }
}

#[derive(Default)]
struct Tables {
    dc: [Option<LookUp>; 4],
    ac: [Option<LookUp>; 4],
}

impl Tables {
    fn define(&mut self, payload: &[u8], at: usize) -> Result<(), Error> {
        for (class, name, code) in Code::read_all(payload, at)? {
            let tables = match class {
                Class::Dc => &mut self.dc,
                Class::Ac => &mut self.ac,
            };
            tables[name] = Some(code.look_up());
        }
        Ok(())
    }

    /// The tables that a scan's component names, as far as the scan needs them.
    fn codes(&self, coding: Coding, names: u8) -> Option<Codes<'_>> {
        Some(Codes {
            dc: named(&self.dc, names >> 4, coding.needs_dc_table())?,
            ac: named(&self.ac, names & 15, coding.needs_ac_table())?,
        })
    }
}

fn named(tables: &[Option<LookUp>; 4], name: u8, needed: bool) -> Option<&[u16]> {
    match needed {
        true => tables.get(usize::from(name))?.as_deref(),
        false => Some(&[]),
    }
}

/// The blocks of one MCU that belong to one component, and the tables that code them.
struct Part<'a> {
    component: usize,
    blocks: u32,
    codes: Codes<'a>,
}

struct Scan<'a> {
    segment: &'a Segment,
    coding: Coding,
    parts: Vec<Part<'a>>,
    mcus: usize,
}

impl<'a> Scan<'a> {
    /// T.81 B.2.3, of a header that the marker walk found sound.
    fn new(header: &[u8], segment: &'a Segment, layout: &Layout, tables: &'a Tables) -> Result<Self, Error> {
        let corrupt = |what| Error::Corrupt {
            at: segment.range.start,
            what,
        };
        let count = usize::from(header.first().copied().unwrap_or(0));
        let names = header.get(1..1 + 2 * count).unwrap_or_default();
        let coding = match (layout.process, header.get(1 + 2 * count..)) {
            (Process::Progressive, Some(&[start, end, bits, ..])) => {
                Coding::progressive(start, end, bits >> 4)
            }
            _ => Some(Coding::Sequential),
        };
        let coding = coding.ok_or(corrupt("a scan of coefficients that do not exist"))?;
        if coding.is_ac_only() && count > 1 {
            return Err(corrupt("an interleaved scan of AC coefficients"));
        }
        let mut parts = Vec::with_capacity(count);
        for name in names.chunks_exact(2) {
            let index = layout.components.iter().position(|c| c.id == name[0]);
            let index = index.ok_or(corrupt("a scan of an unknown component"))?;
            let codes = tables.codes(coding, name[1]);
            parts.push(Part {
                component: index,
                blocks: blocks_of_mcu(&layout.components[index], count),
                codes: codes.ok_or(corrupt("a scan without its Huffman table"))?,
            });
        }
        let grid = layout.grid();
        let mcus = match parts.as_slice() {
            [alone] => layout.blocks(&layout.components[alone.component]),
            _ => grid.columns as usize * grid.rows as usize,
        };
        Ok(Self {
            segment,
            coding,
            parts,
            mcus,
        })
    }

    /// Walks the scan interval by interval, each up to its RSTn or the end.
    fn walk(&self, bytes: &[u8], restart_interval: usize, progress: &mut Progress) -> Result<(), Error> {
        let data = bytes.get(self.segment.data.clone()).unwrap_or_default();
        let interval = if restart_interval == 0 {
            self.mcus
        } else {
            restart_interval
        };
        let (mut at, mut done, mut number) = (0, 0, 0);
        while done < self.mcus {
            let corrupt = |Damage(what)| Error::Corrupt {
                at: self.segment.data.start + at,
                what,
            };
            let (length, restart) = unstuff(&data[at..], &mut progress.unstuffed);
            let mcus = done..self.mcus.min(done + interval);
            done = mcus.end;
            self.interval(mcus, progress).map_err(corrupt)?;
            let expected = (done < self.mcus).then_some(0xD0 + number);
            if restart != expected {
                return Err(corrupt(Damage("a restart marker missing, or out of place")));
            }
            number = (number + 1) % 8;
            at += length;
        }
        if !self.coding.is_ac_only() {
            self.parts
                .iter()
                .for_each(|p| progress.has_dc[p.component] = true);
        }
        Ok(())
    }

    fn interval(&self, mcus: std::ops::Range<usize>, progress: &mut Progress) -> Result<(), Damage> {
        let mut bits = Bits::new(&progress.unstuffed);
        let mut brightness = [0i32; 4];
        for mcu in mcus {
            for (part, dc) in self.parts.iter().zip(&mut brightness) {
                // Only scans of one component ask what is known: their MCU is a block.
                let known = &mut progress.known[part.component];
                let mut nothing = 0;
                let known = known.get_mut(mcu).unwrap_or(&mut nothing);
                for _ in 0..part.blocks {
                    bits.block(self.coding, &part.codes, dc, known)?;
                }
            }
            if bits.is_beyond_the_end() {
                return Err(Damage("the image data end before the image does"));
            }
        }
        if bits.bytes_left() > 0 || bits.has_blocks_to_come() {
            return Err(Damage("more image data than the image has room for"));
        }
        Ok(())
    }
}

/// T.81 A.2.2 and A.2.3.
fn blocks_of_mcu(component: &Component, components_in_scan: usize) -> u32 {
    match components_in_scan {
        1 => 1,
        _ => u32::from(component.horizontal) * u32::from(component.vertical),
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

#[cfg(test)]
mod tests {
    use image::RgbImage;
    use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
    use proptest::prelude::*;

    use super::*;

    /// A picture with something in every block.
    fn made(progressive: bool, restarts: u16) -> Vec<u8> {
        let picture = RgbImage::from_fn(90, 70, |x, y| {
            let noise = (x * 7919 + y * 104_729) % 251;
            image::Rgb([noise as u8, (noise * 3 % 256) as u8, (x * 2) as u8])
        });
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, 80);
        encoder.set_progressive(progressive);
        encoder.set_sampling_factor(SamplingFactor::F_2_2);
        encoder.set_restart_interval(restarts);
        encoder.encode(&picture, 90, 70, ColorType::Rgb).expect("encoded");
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
        for (progressive, restarts) in [(false, 0), (false, 5), (true, 0), (true, 4)] {
            assert_eq!(checked(&made(progressive, restarts)), Ok(()));
        }
    }

    #[test]
    fn a_picture_that_was_cut_off_and_given_an_end_is_found_out_wherever_it_was_cut() {
        for (progressive, restarts) in [(false, 0), (false, 5), (true, 0)] {
            let whole = made(progressive, restarts);
            let layout = Layout::parse(&whole).expect("sound");
            // Between two scans a progressive picture is whole, only coarse, once all have their DC.
            let scans: Vec<_> = layout.scans().map(|s| s.data.clone()).collect();
            for cut in (scans[0].start..whole.len() - 2).step_by(5) {
                if !scans.iter().any(|s| s.start + 2 < cut && cut + 1 < s.end) {
                    continue;
                }
                let mut cut_off = whole[..cut].to_vec();
                cut_off.extend([0xFF, 0xD9]);
                assert!(checked(&cut_off).is_err(), "cut at {cut} of {scans:?}");
            }
        }
    }

    #[test]
    fn a_colour_that_no_scan_codes_is_found_out() {
        let whole = made(true, 0);
        let layout = Layout::parse(&whole).expect("sound");
        let dc_only_of_luma: Vec<_> = layout.scans().map(|s| s.payload(&whole)[0]).collect();
        assert!(dc_only_of_luma.contains(&1));
        let first = layout.scans().next().expect("one").clone();
        let mut without = whole.clone();
        without.drain(first.range.start..first.data.end);
        assert!(checked(&without).is_err());
    }

    #[test]
    fn a_stretch_that_is_missing_or_doubled_is_found_out() {
        let whole = made(false, 0);
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
    fn a_restart_marker_that_is_lost_or_that_nobody_announced_is_found_out() {
        let mut odd = made(false, 0);
        let data = scan(&odd);
        odd.splice(data.end..data.end, [0xFF, 0xD0]);
        assert!(checked(&odd).is_err());
        let mut lost = made(false, 5);
        let data = scan(&lost);
        let at = lost[data.clone()].windows(2).position(|w| w == [0xFF, 0xD1]);
        let at = data.start + at.expect("made with restarts");
        lost.drain(at..at + 2);
        assert!(checked(&lost).is_err());
    }

    proptest! {
        #[test]
        fn a_damaged_picture_ends_in_a_verdict(progressive: bool, damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
            let mut bytes = made(progressive, 0);
            for (at, value) in damage {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            let _ = checked(&bytes);
        }
    }
}
