//! The one scan of a JPEG that can be walked, spliced and cropped at the entropy level.
//!
//! Promises: a [`Scan`] exists only for a sequential Huffman picture of 8-bit samples whose only scan
//! holds all components (ITU-T T.81 table B.1, B.2.3): grey, or luma with two chroma components of one
//! block each (4:4:4, 4:2:2, 4:2:0, 4:4:0, 4:1:1). It holds the tables in force at that scan.
//! Leaves every other picture to be decoded and encoded again, damage inside the scan to `index`.

use std::ops::Range;

use super::huffman::{Class, Code};
use super::markers::{DHT, DQT, Grid, SOS};
use super::{Error, Layout, Process};

/// A component of the scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its place in the frame header.
    pub component: usize,
    /// Blocks of one MCU, across and down (T.81 A.2.3).
    pub blocks: [usize; 2],
    /// Quantiser steps in zigzag order (B.2.4.1).
    pub quantiser: [u16; 64],
    /// Codes of DC differences.
    pub dc: Code,
    /// Codes of AC runs and sizes.
    pub ac: Code,
}

impl Part {
    /// Blocks of one MCU.
    pub fn count(&self) -> usize {
        self.blocks[0] * self.blocks[1]
    }
}

/// The scan and what it is read with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Components in the order in which an MCU holds their blocks.
    pub parts: Vec<Part>,
    /// Its MCUs.
    pub grid: Grid,
    /// MCUs between restart markers; `None`: there are none.
    pub restart_interval: Option<usize>,
    /// The entropy-coded data in the file.
    pub data: Range<usize>,
}

impl Scan {
    /// The scan of `bytes`, whose layout this is; `None` if the picture must go the long way.
    pub fn of(bytes: &[u8], layout: &Layout) -> Result<Option<Self>, Error> {
        let mut scans = layout.scans();
        let (Some(only), None) = (scans.next(), scans.next()) else {
            return Ok(None);
        };
        if layout.process == Process::Progressive || layout.has_dnl() || !is_usual(layout) {
            return Ok(None);
        }
        let header = only.payload(bytes);
        let named: Vec<_> = header.get(1..).unwrap_or_default().chunks_exact(2).collect();
        if usize::from(header.first().copied().unwrap_or(0)) != layout.components.len() {
            return Ok(None);
        }
        let tables = Tables::at_the_scan(bytes, layout)?;
        let mut parts = Vec::with_capacity(layout.components.len());
        for (index, (component, name)) in layout.components.iter().zip(named).enumerate() {
            let missing = |what| Error::Corrupt {
                at: only.range.start,
                what,
            };
            if name[0] != component.id {
                return Ok(None);
            }
            let blocks = match layout.components.len() {
                1 => [1, 1],
                _ => [component.horizontal, component.vertical].map(usize::from),
            };
            let code = |codes: &[Option<Code>; 4], name: u8| codes.get(usize::from(name)).cloned().flatten();
            let quantiser = tables.quantisers.get(usize::from(component.quantiser));
            let (Some(dc), Some(ac)) = (code(&tables.dc, name[1] >> 4), code(&tables.ac, name[1] & 15))
            else {
                return Err(missing("a scan without its Huffman table"));
            };
            parts.push(Part {
                component: index,
                blocks,
                quantiser: quantiser
                    .copied()
                    .flatten()
                    .ok_or(missing("a scan without its quantiser"))?,
                dc,
                ac,
            });
        }
        Ok(Some(Self {
            parts,
            grid: layout.grid(),
            restart_interval: Some(usize::from(layout.restart_interval)).filter(|n| *n > 0),
            data: only.data.clone(),
        }))
    }

    /// MCUs of the picture.
    pub fn mcus(&self) -> usize {
        self.grid.columns as usize * self.grid.rows as usize
    }

    /// Blocks of one MCU.
    pub fn blocks_per_mcu(&self) -> usize {
        self.parts.iter().map(Part::count).sum()
    }

    /// The restart intervals: ranges of MCUs between which DC predictors are set to zero (F.1.1.5.1).
    pub fn intervals(&self) -> impl Iterator<Item = Range<usize>> {
        let (mcus, step) = (self.mcus(), self.restart_interval.unwrap_or(self.mcus()).max(1));
        (0..mcus)
            .step_by(step)
            .map(move |first| first..mcus.min(first + step))
    }
}

/// Grey, or YCbCr (T.871) with one block of each chroma component to an MCU.
fn is_usual(layout: &Layout) -> bool {
    match layout.components.as_slice() {
        [_] => true,
        [luma, chroma @ ..] => {
            let luma = [luma.horizontal, luma.vertical];
            matches!(luma, [1 | 2, 1 | 2] | [4, 1])
                && chroma.iter().all(|c| [c.horizontal, c.vertical] == [1, 1])
                && layout.adobe_transform != Some(0)
                // Without Adobe's segment, decoders take these names for the colours themselves.
                && !layout.components.iter().map(|c| c.id).eq(*b"RGB")
        }
        [] => false,
    }
}

/// The tables in force.
#[derive(Default)]
struct Tables {
    dc: [Option<Code>; 4],
    ac: [Option<Code>; 4],
    quantisers: [Option<[u16; 64]>; 4],
}

impl Tables {
    fn at_the_scan(bytes: &[u8], layout: &Layout) -> Result<Self, Error> {
        let mut tables = Self::default();
        for segment in layout.segments.iter().take_while(|s| s.marker != SOS) {
            let payload = segment.payload(bytes);
            match segment.marker {
                DHT => {
                    for (class, name, code) in Code::read_all(payload, segment.range.start)? {
                        let codes = match class {
                            Class::Dc => &mut tables.dc,
                            Class::Ac => &mut tables.ac,
                        };
                        codes[name] = Some(code);
                    }
                }
                DQT => tables.quantise(payload, segment.range.start)?,
                _ => {}
            }
        }
        Ok(tables)
    }

    /// T.81 B.2.4.1.
    fn quantise(&mut self, mut payload: &[u8], at: usize) -> Result<(), Error> {
        let corrupt = Error::Corrupt {
            at,
            what: "a quantiser that is none",
        };
        while let Some((&precision_and_name, rest)) = payload.split_first() {
            let width = match precision_and_name >> 4 {
                0 => 1,
                1 => 2,
                _ => return Err(corrupt),
            };
            let (steps, rest) = rest.split_at_checked(64 * width).ok_or(corrupt.clone())?;
            let mut steps = steps
                .chunks_exact(width)
                .map(|step| step.iter().fold(0, |n, &b| n << 8 | u16::from(b)));
            let quantiser = self
                .quantisers
                .get_mut(usize::from(precision_and_name & 15))
                .ok_or(corrupt.clone())?;
            *quantiser = Some(std::array::from_fn(|_| steps.next().unwrap_or(0)));
            payload = rest;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jpeg_encoder::{ColorType, Encoder};

    #[test]
    fn components_named_for_colours_are_no_luma_and_go_the_long_way() {
        let mut jpeg = Vec::new();
        Encoder::new(&mut jpeg, 90)
            .encode(&[90; 3 * 16 * 16], 16, 16, ColorType::Rgb)
            .expect("encoded");
        let layout = Layout::parse(&jpeg).expect("sound");
        assert!(Scan::of(&jpeg, &layout).expect("sound").is_some());
        // Names stand every three bytes in the frame header (T.81 B.2.2), every two in the scan's (B.2.3).
        let named = |s: &&super::super::Segment| matches!(s.marker, 0xC0 | SOS);
        for segment in layout.segments.iter().filter(named) {
            let (first, step) = if segment.marker == SOS { (5, 2) } else { (10, 3) };
            for (name, at) in b"RGB".iter().zip((segment.range.start + first..).step_by(step)) {
                jpeg[at] = *name;
            }
        }
        let layout = Layout::parse(&jpeg).expect("sound");
        assert!(Scan::of(&jpeg, &layout).expect("sound").is_none());
    }
}
