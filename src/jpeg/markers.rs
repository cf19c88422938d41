//! The marker walk (ITU-T T.81 Annex B): where everything in a JPEG file lies, without decoding it.
//!
//! Promises: reads no byte twice and none beyond the end; whatever the bytes are, it ends in a
//! [`Layout`] or an [`Error`]. A [`Layout`] exists only for one complete primary image whose size is
//! within [`Limits`] and not implausible for the number of bytes that code it. It is as tolerant as
//! the usual decoders are of fill bytes, stray bytes between segments and anything after the EOI.
//! Leaves what the entropy-coded data say to `entropy` and `picture`.

mod segments;

use std::ops::Range;

use super::{Error, Unsupported};
use crate::frame::FrameSize;
use segments::{Walk, next_marker};

const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
pub(super) const SOS: u8 = 0xDA;
pub(super) const DQT: u8 = 0xDB;
const DNL: u8 = 0xDC;
pub(super) const DRI: u8 = 0xDD;
pub(super) const DHT: u8 = 0xC4;
const APP1: u8 = 0xE1;
const APP14: u8 = 0xEE;
const COM: u8 = 0xFE;

/// How large a picture may be before anything is allocated for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Width times height.
    pub pixels: u64,
    /// Width, and height.
    pub side: u32,
}

impl Default for Limits {
    /// 100 megapixels (five times the largest trap's), 65,500 a side (what libjpeg allows).
    fn default() -> Self {
        Self {
            pixels: 100_000_000,
            side: 65_500,
        }
    }
}

/// The coding process (T.81 table B.1) of a picture that can be decoded here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    /// SOF0.
    Baseline,
    /// SOF1, 8 bits, Huffman.
    Extended,
    /// SOF2, 8 bits, Huffman.
    Progressive,
}

/// One component of the frame header (T.81 B.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Component {
    /// Its identifier, as scans name it.
    pub id: u8,
    /// Horizontal sampling factor, 1 to 4.
    pub horizontal: u8,
    /// Vertical sampling factor, 1 to 4.
    pub vertical: u8,
    /// Name of its quantiser.
    pub quantiser: u8,
}

/// The MCUs of a stored picture: a unit in pixels, and how many of them lie across and down. The last
/// column and row may reach beyond the picture (T.81 A.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    /// Width and height of one MCU in pixels.
    pub unit: [u16; 2],
    /// MCUs across.
    pub columns: u32,
    /// MCUs down.
    pub rows: u32,
}

impl Grid {
    /// The grid of `unit`s that covers a picture of this size.
    pub fn covering(size: FrameSize, unit: [u16; 2]) -> Self {
        Self {
            unit,
            columns: size.width.div_ceil(u32::from(unit[0]).max(1)),
            rows: size.height.div_ceil(u32::from(unit[1]).max(1)),
        }
    }
}

/// What a segment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SegmentKind {
    /// Needed to decode: tables, headers, the Adobe colour transform.
    Essential,
    /// An EXIF segment.
    Exif,
    /// Any other application data or comment: may hold a picture of the scene.
    Extra,
}

/// One marker segment, with its marker and its length field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The marker's second byte.
    pub marker: u8,
    /// What it is for.
    pub kind: SegmentKind,
    /// Where it lies in the file, from its `FF` on.
    pub range: Range<usize>,
    /// For SOS, the entropy-coded data behind it, RSTn markers included; else empty.
    pub data: Range<usize>,
}

impl Segment {
    /// The payload, behind the length field.
    pub fn payload<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes
            .get(self.range.start + 4..self.range.end)
            .unwrap_or_default()
    }
}

/// Where everything lies in one JPEG file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The coding process; samples are always of 8 bits.
    pub process: Process,
    /// The stored picture's size.
    pub size: FrameSize,
    /// One (grey) or three components.
    pub components: Vec<Component>,
    /// MCUs between restart markers in the first scan; 0: none.
    pub restart_interval: u16,
    /// The colour transform that an Adobe segment names.
    pub adobe_transform: Option<u8>,
    /// All segments of the primary image, in order.
    pub segments: Vec<Segment>,
    /// Just behind the primary image's EOI; what follows is no part of the picture.
    pub end: usize,
    /// Bytes behind the EOI.
    pub trailing: usize,
    has_dnl: bool,
}

impl Layout {
    /// Walks the markers of `bytes` within the default [`Limits`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        Self::parse_within(bytes, &Limits::default())
    }

    /// Walks the markers of `bytes`.
    pub fn parse_within(bytes: &[u8], limits: &Limits) -> Result<Self, Error> {
        if bytes.is_empty() {
            return Err(Error::Empty);
        }
        if bytes.get(..2) != Some(&[0xFF, SOI]) {
            return Err(Error::NotJpeg);
        }
        let mut walk = Walk::default();
        let mut at = 2;
        let end = loop {
            let (marker, start) = next_marker(bytes, at)?;
            match marker {
                EOI => break start + 2,
                // RSTn out of place and TEM stand alone (T.81 B.1.1.3); decoders pass over them.
                0x01 | 0xD0..=0xD7 => at = start + 2,
                // A new image begins before this one has ended.
                SOI => return Err(Error::Truncated { at: start }),
                _ => {
                    walk.segment(bytes, marker, start)?;
                    at = walk.at;
                }
            }
        };
        walk.finish(limits, end, bytes.len())
    }

    /// The MCUs of the picture. A scan of one component is not interleaved (T.81 A.2.2): its MCU is
    /// one block whatever the sampling factors say.
    pub fn grid(&self) -> Grid {
        let [h, v] = match self.components.as_slice() {
            [_] => [1, 1],
            several => most_samples(several),
        };
        Grid::covering(self.size, [8 * u16::from(h), 8 * u16::from(v)])
    }

    /// Whether a number of lines is told outside the frame header (T.81 B.2.5).
    pub(super) fn has_dnl(&self) -> bool {
        self.has_dnl
    }

    /// Whether the picture has no colour components.
    pub fn is_grey(&self) -> bool {
        self.components.len() == 1
    }

    /// The scans, in order.
    pub fn scans(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter().filter(|s| s.marker == SOS)
    }

    /// What a decoder needs and nothing else, as a JPEG: no application data but Adobe's colour
    /// transform, no comments, no stray bytes, nothing behind the EOI, the height where it belongs.
    pub fn essence(&self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.end);
        out.extend_from_slice(&[0xFF, SOI]);
        for segment in self.segments.iter().filter(|s| s.kind == SegmentKind::Essential) {
            let start = out.len();
            out.extend_from_slice(bytes.get(segment.range.clone()).unwrap_or_default());
            if self.has_dnl && is_frame_header(segment.marker) {
                let height = (self.size.height as u16).to_be_bytes();
                if let Some(field) = out.get_mut(start + 5..start + 7) {
                    field.copy_from_slice(&height);
                }
            }
            out.extend_from_slice(bytes.get(segment.data.clone()).unwrap_or_default());
        }
        out.extend_from_slice(&[0xFF, EOI]);
        out
    }
}

fn most_samples(components: &[Component]) -> [u8; 2] {
    let most = |factor: fn(&Component) -> u8| components.iter().map(factor).max().unwrap_or(1);
    [most(|c| c.horizontal), most(|c| c.vertical)]
}

fn is_frame_header(marker: u8) -> bool {
    matches!(marker, 0xC0..=0xC2)
}

impl Layout {
    /// The blocks of a scan of this component alone (T.81 A.1.1, A.2.2).
    pub(super) fn blocks(&self, component: &Component) -> usize {
        let [across, down] = most_samples(&self.components).map(u32::from);
        let samples = |side: u32, factor: u8, most: u32| (side * u32::from(factor)).div_ceil(most);
        let columns = samples(self.size.width, component.horizontal, across).div_ceil(8);
        let rows = samples(self.size.height, component.vertical, down).div_ceil(8);
        columns as usize * rows as usize
    }

    /// A block costs at least one bit for its DC code (T.81 F.1.2.1, G.1.2.1), so the bytes of the
    /// scans bound the picture that may be allocated for them.
    fn bears_out_its_size(&self) -> Result<(), Error> {
        let bits: u64 = self.scans().map(|s| 8 * s.data.len() as u64).sum();
        let blocks: usize = self.components.iter().map(|c| self.blocks(c)).sum();
        if bits < blocks as u64 {
            return Err(Error::Corrupt {
                at: self.end,
                what: "too few bytes for a picture of this size",
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Markers of a JPEG that no decoder need accept: the walk alone is under test.
    fn made(sof: u8, size: [u16; 2], factors: &[(u8, u8)], scan: &[u8]) -> Vec<u8> {
        let mut out = vec![0xFF, SOI, 0xFF, sof];
        let [w, h] = size.map(u16::to_be_bytes);
        let count = factors.len() as u8;
        out.extend([0, 8 + 3 * count, 8, h[0], h[1], w[0], w[1], count]);
        for (id, (horizontal, vertical)) in (1..).zip(factors) {
            out.extend([id, horizontal << 4 | vertical, 0]);
        }
        out.extend([0xFF, SOS, 0, 6 + 2 * count, count]);
        for id in 1..=count {
            out.extend([id, 0]);
        }
        out.extend([0, 63, 0]);
        out.extend(scan);
        out.extend([0xFF, EOI]);
        out
    }

    #[test]
    fn the_mcu_follows_from_the_sampling_factors_and_grey_is_never_interleaved() {
        let grid = |factors: &[(u8, u8)]| {
            let file = made(0xC0, [33, 17], factors, &[0; 40]);
            Layout::parse(&file).expect("sound").grid()
        };
        let of = |unit, columns, rows| Grid { unit, columns, rows };
        assert_eq!(grid(&[(2, 2), (1, 1), (1, 1)]), of([16, 16], 3, 2));
        assert_eq!(grid(&[(2, 1), (1, 1), (1, 1)]), of([16, 8], 3, 3));
        assert_eq!(grid(&[(1, 1), (1, 1), (1, 1)]), of([8, 8], 5, 3));
        assert_eq!(grid(&[(4, 1), (1, 1), (1, 1)]), of([32, 8], 2, 3));
        assert_eq!(grid(&[(2, 2)]), of([8, 8], 5, 3));
    }

    #[test]
    fn fill_bytes_stray_bytes_and_bytes_behind_the_end_are_passed_over_and_left_out() {
        let plain = made(0xC0, [16, 16], &[(1, 1)], &[1, 2, 0xFF, 0, 0xFF, 0xD0, 3]);
        let mut odd = vec![
            0xFF, SOI, 7, 7, 0xFF, 0x00, 0xFF, 0xFF, 0xFF, 0xFE, 0, 4, b'h', b'i',
        ];
        odd.extend(&plain[2..]);
        odd.extend(b"FFD8 and more");
        let layout = Layout::parse(&odd).expect("sound");
        assert_eq!(layout.trailing, 13);
        assert_eq!(layout.essence(&odd), plain);
    }

    #[test]
    fn each_unusable_file_is_refused_by_its_own_name() {
        let three = [(1, 1); 3];
        let sound = made(0xC0, [16, 16], &three, &[0; 40]);
        let refused = |bytes: &[u8]| Layout::parse(bytes).expect_err("refused");
        assert_eq!(refused(b""), Error::Empty);
        assert_eq!(refused(b"GIF89a"), Error::NotJpeg);
        for cut in 2..sound.len() {
            assert_eq!(
                refused(&sound[..cut]),
                Error::Truncated { at: cut },
                "cut at {cut}"
            );
        }
        let of = |sof, factors: &[(u8, u8)]| refused(&made(sof, [16, 16], factors, &[0; 40]));
        assert_eq!(of(0xC0, &[(1, 1); 4]), Error::Unsupported(Unsupported::Cmyk));
        assert_eq!(
            of(0xC0, &[(1, 1); 2]),
            Error::Unsupported(Unsupported::Components(2))
        );
        assert_eq!(of(0xC9, &three), Error::Unsupported(Unsupported::Arithmetic));
        assert_eq!(of(0xC3, &three), Error::Unsupported(Unsupported::Lossless));
        assert_eq!(of(0xC5, &three), Error::Unsupported(Unsupported::Hierarchical));
        let mut twelve = sound.clone();
        twelve[6] = 12;
        assert_eq!(refused(&twelve), Error::Unsupported(Unsupported::TwelveBit));
        assert_eq!(
            refused(&made(0xC0, [65_500, 65_500], &three, &[0; 40])),
            Error::TooLarge {
                width: 65_500,
                height: 65_500
            }
        );
    }

    #[test]
    fn a_short_file_cannot_claim_a_large_picture() {
        let file = made(0xC0, [8_000, 8_000], &[(1, 1)], &[0; 1_000]);
        assert!(matches!(Layout::parse(&file), Err(Error::Corrupt { .. })));
    }

    #[test]
    fn a_second_image_does_not_complete_a_first_one_that_was_cut_off() {
        let whole = made(0xC0, [16, 16], &[(1, 1)], &[0; 40]);
        let mut file = whole[..whole.len() - 2].to_vec();
        let cut = file.len();
        file.extend(&whole);
        assert_eq!(Layout::parse(&file), Err(Error::Truncated { at: cut }));
    }

    #[test]
    fn a_height_told_after_the_scan_is_written_where_it_belongs() {
        let whole = made(0xC0, [16, 24], &[(1, 1)], &[0; 40]);
        let mut late = made(0xC0, [16, 0], &[(1, 1)], &[0; 40]);
        let end = late.len() - 2;
        late.splice(end..end, [0xFF, DNL, 0, 4, 0, 24]);
        let layout = Layout::parse(&late).expect("sound");
        assert_eq!(layout.size.height, 24);
        assert_eq!(layout.essence(&late), whole);
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_a_layout_or_an_error(mut bytes in proptest::collection::vec(any::<u8>(), 0..400), soi: bool) {
            if soi && bytes.len() > 1 {
                bytes[..2].copy_from_slice(&[0xFF, SOI]);
            }
            if let Ok(layout) = Layout::parse(&bytes) {
                prop_assert!(layout.end <= bytes.len());
            }
        }

        #[test]
        fn a_damaged_file_ends_in_a_layout_or_an_error(
            damage in proptest::collection::vec((0usize..200, any::<u8>()), 1..6),
            cut in 0usize..200,
        ) {
            let mut bytes = made(0xC2, [40, 40], &[(2, 2), (1, 1), (1, 1)], &[0x55; 100]);
            for (at, value) in damage {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            bytes.truncate(bytes.len().saturating_sub(cut / 4));
            if let Ok(layout) = Layout::parse(&bytes) {
                let essence = layout.essence(&bytes);
                let again = Layout::parse(&essence).expect("the essence is sound");
                prop_assert_eq!(again.size, layout.size);
                prop_assert_eq!(again.grid(), layout.grid());
            }
        }
    }
}
