//! A rectangle of MCUs as a JPEG of its own, losslessly: every coefficient is the camera's.
//!
//! Promises: what is cut out holds exactly the MCUs asked for, coded with the camera's quantisers and
//! AC codes, bit for bit; only where an MCU gets another neighbour on its left are the differences of
//! its DC coefficients coded anew (ITU-T T.81 F.1.1.5.1, F.1.2.1), with the camera's DC codes where
//! these have a word for each, else with the complete ones of table K.3. No restart markers, no
//! application data. Leaves decoding to `picture`.

use std::ops::Range;

use super::huffman::{Code, LookUp, Word};
use super::index::Index;
use super::{BitWriter, Error, Scan};
use crate::frame::FrameSize;

/// What it takes to cut pieces out of one picture.
#[derive(Debug, Clone)]
pub struct Cutter {
    size: FrameSize,
    parts: Vec<PartCodes>,
    complete: Code,
}

#[derive(Debug, Clone)]
struct PartCodes {
    dc: LookUp,
    ac: LookUp,
    words: [Option<Word>; 256],
}

/// With which words the differences of DC coefficients are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
    /// The camera's.
    Own,
    /// Those of table K.3, which has one for every difference of 8-bit pictures.
    Complete,
}

/// A difference for which there is no word.
struct NoWord;

impl Cutter {
    /// For the picture of this stored size that `scan` codes.
    pub fn new(scan: &Scan, size: FrameSize) -> Self {
        let part = |part: &super::scan::Part| PartCodes {
            dc: part.dc.look_up(),
            ac: part.ac.look_up(),
            words: part.dc.by_symbol(),
        };
        Self {
            size,
            parts: scan.parts.iter().map(part).collect(),
            complete: complete_dc(),
        }
    }

    /// The JPEG of these columns and rows of MCUs, which must lie in the picture's grid; it is as large
    /// in pixels as what they show of the picture.
    pub fn cut(&self, index: &Index, columns: Range<u32>, rows: Range<u32>) -> Result<Vec<u8>, Error> {
        let write = |words| {
            let out = self.headers(index.scan(), &columns, &rows, words);
            let mut writing = Writing {
                index,
                cutter: self,
                words,
                complete: self.complete.by_symbol(),
                out: BitWriter::behind(out),
                predictors: [0; 3],
            };
            writing.rectangle(&columns, &rows)?;
            let mut jpeg = writing.out.finish();
            jpeg.extend_from_slice(&[0xFF, 0xD9]);
            Ok(jpeg)
        };
        write(Words::Own)
            .or_else(|NoWord| write(Words::Complete))
            // A difference of category 12: no picture of 8-bit samples has one (F.1.2.1.1).
            .map_err(|NoWord| Error::Undecodable("neighbouring blocks too different in brightness".into()))
    }

    /// SOI, DQT, SOF1, DHT and SOS (T.81 B.2): SOF1, for only it may name a table for each component.
    fn headers(&self, scan: &Scan, columns: &Range<u32>, rows: &Range<u32>, words: Words) -> Vec<u8> {
        let [w, h] = scan.grid.unit.map(u32::from);
        let shown = |mcus: &Range<u32>, unit: u32, side: u32| {
            let pixels = (mcus.end * unit).min(side) - mcus.start * unit;
            (pixels as u16).to_be_bytes()
        };
        let height = shown(rows, h, self.size.height);
        let width = shown(columns, w, self.size.width);
        let count = scan.parts.len() as u8;
        let mut out = vec![0xFF, 0xD8];
        let mut frame = [&[8][..], &height, &width, &[count]].concat();
        let mut names = vec![count];
        for (name, part) in (0u8..).zip(&scan.parts) {
            let steps = part.quantiser.iter().flat_map(|step| step.to_be_bytes());
            segment(&mut out, 0xDB, |out| {
                out.push(0x10 | name);
                out.extend(steps);
            });
            let dc = match words {
                Words::Own => &part.dc,
                Words::Complete => &self.complete,
            };
            for (class, code) in [(0x00, dc), (0x10, &part.ac)] {
                segment(&mut out, 0xC4, |out| {
                    out.push(class | name);
                    code.write(out);
                });
            }
            let [across, down] = part.blocks;
            frame.extend([name + 1, (across << 4 | down) as u8, name]);
            names.extend([name + 1, name << 4 | name]);
        }
        names.extend([0, 63, 0]);
        segment(&mut out, 0xC1, |out| out.extend(frame));
        segment(&mut out, 0xDA, |out| out.extend(names));
        out
    }
}

/// One marker segment: marker, length, payload.
fn segment(out: &mut Vec<u8>, marker: u8, payload: impl FnOnce(&mut Vec<u8>)) {
    out.extend_from_slice(&[0xFF, marker, 0, 0]);
    let start = out.len();
    payload(out);
    let length = (out.len() - start + 2) as u16;
    out[start - 2..start].copy_from_slice(&length.to_be_bytes());
}

/// The DC codes of table K.3: categories 0 to 11.
fn complete_dc() -> Code {
    let lengths = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
    let categories: [u8; 12] = std::array::from_fn(|category| category as u8);
    Code::new(lengths, &categories).expect("twelve codes that fit")
}

/// A piece in the making.
struct Writing<'a> {
    index: &'a Index,
    cutter: &'a Cutter,
    words: Words,
    complete: [Option<Word>; 256],
    out: BitWriter,
    /// The DC coefficients from which the next differences are counted.
    predictors: [i16; 3],
}

impl Writing<'_> {
    fn rectangle(&mut self, columns: &Range<u32>, rows: &Range<u32>) -> Result<(), NoWord> {
        let scan = self.index.scan();
        let interval = scan.restart_interval.unwrap_or(scan.mcus()).max(1);
        for row in rows.clone() {
            let row = row as usize * scan.grid.columns as usize;
            let (mut first, end) = (row + columns.start as usize, row + columns.end as usize);
            while first < end {
                let next = end.min((first / interval + 1) * interval);
                self.run(first..next)?;
                first = next;
            }
        }
        Ok(())
    }

    /// MCUs of one row and one restart interval: copied, the first anew where its neighbour is another.
    fn run(&mut self, mut mcus: Range<usize>) -> Result<(), NoWord> {
        if self.words == Words::Complete {
            return mcus.into_iter().try_for_each(|mcu| self.anew(mcu));
        }
        if self.index.predictors(mcus.start) != self.predictors {
            self.anew(mcus.start)?;
            mcus.start += 1;
        }
        if !mcus.is_empty() {
            self.out
                .append(self.index.stream().bytes(), self.index.bits(mcus.clone()));
            self.predictors = self.last_dcs(mcus.end - 1);
        }
        Ok(())
    }

    /// The DC coefficient of each part's last block in this MCU.
    fn last_dcs(&self, mcu: usize) -> [i16; 3] {
        let dcs = self.index.dcs(mcu);
        let mut last = [0; 3];
        let mut blocks = 0;
        for (last, part) in last.iter_mut().zip(&self.index.scan().parts) {
            blocks += part.count();
            *last = dcs[blocks - 1];
        }
        last
    }

    /// One MCU with new DC differences and its own AC bits.
    fn anew(&mut self, mcu: usize) -> Result<(), NoWord> {
        let stream = self.index.stream();
        let mut bit = self.index.bits(mcu..mcu + 1).start;
        let mut dcs = self.index.dcs(mcu).iter();
        let parts = self.index.scan().parts.iter().zip(&self.cutter.parts);
        for ((part, codes), predictor) in parts.zip(&mut self.predictors) {
            let words = match self.words {
                Words::Own => &codes.words,
                Words::Complete => &self.complete,
            };
            for &dc in dcs.by_ref().take(part.count()) {
                let entry = codes.dc[(stream.peek(bit) >> 48) as usize];
                let ac = bit + u64::from((entry >> 8) + (entry & 0xFF));
                bit = end_of_block(self.index, ac, &codes.ac);
                difference(&mut self.out, i32::from(dc) - i32::from(*predictor), words)?;
                self.out.append(stream.bytes(), ac..bit);
                *predictor = dc;
            }
        }
        Ok(())
    }
}

/// T.81 F.1.2.1: the category's word, then the bits that tell which of its values.
fn difference(out: &mut BitWriter, value: i32, words: &[Option<Word>; 256]) -> Result<(), NoWord> {
    let category = 32 - value.unsigned_abs().leading_zeros();
    out.push(words[category as usize].ok_or(NoWord)?);
    let bits = if value < 0 { value - 1 } else { value };
    out.put(bits as u64, category);
    Ok(())
}

/// The bit behind a block whose AC codes begin at this one. The index was built of them: they are sound.
fn end_of_block(index: &Index, mut bit: u64, ac: &LookUp) -> u64 {
    let mut k = 1;
    while k < 64 {
        let entry = u32::from(ac[(index.stream().peek(bit) >> 48) as usize]);
        let (length, run, size) = (entry >> 8, entry >> 4 & 15, entry & 15);
        bit += u64::from(length + size);
        k += match (run, size) {
            (15, 0) => 16,
            (_, 0) => break,
            _ => run + 1,
        };
    }
    bit
}

#[cfg(test)]
mod tests {
    use image::RgbImage;
    use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
    use proptest::prelude::*;

    use super::*;
    use crate::jpeg::decode::strict;
    use crate::jpeg::{Layout, decode};

    /// How a camera may code a picture.
    #[derive(Debug, Clone, Copy)]
    struct Way {
        /// `None`: grey.
        sampling: Option<SamplingFactor>,
        restarts: u16,
        optimised: bool,
        quality: u8,
    }

    fn ways() -> impl Strategy<Value = Way> {
        use SamplingFactor::*;
        let sampling = prop_oneof![
            Just(None),
            prop::sample::select(vec![F_1_1, F_2_1, F_1_2, F_2_2]).prop_map(Some)
        ];
        (sampling, 0..9u16, any::<bool>(), 40..=100u8).prop_map(|(sampling, restarts, optimised, quality)| {
            // With optimised tables the encoder writes a scan for each component ...
            let optimised = optimised && sampling.is_none();
            Way {
                sampling,
                // ... and forgets the restarts when it makes them.
                restarts: if optimised { 0 } else { restarts },
                optimised,
                quality,
            }
        })
    }

    /// Noise over a slope, so that no two blocks are alike.
    fn made(width: u16, height: u16, seed: u64, way: Way) -> Vec<u8> {
        let mut state = seed;
        let picture = RgbImage::from_fn(width.into(), height.into(), |x, y| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let noise = (state >> 59) as u32;
            image::Rgb([2 * x + noise, 3 * y + noise, 5 * (x + y)].map(|v| (v % 256) as u8))
        });
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, way.quality);
        encoder.set_restart_interval(way.restarts);
        encoder.set_optimized_huffman_tables(way.optimised);
        let encoded = match way.sampling {
            Some(sampling) => {
                encoder.set_sampling_factor(sampling);
                encoder.encode(&picture, width, height, ColorType::Rgb)
            }
            None => {
                let luma = image::DynamicImage::ImageRgb8(picture).into_luma8();
                encoder.encode(&luma, width, height, ColorType::Luma)
            }
        };
        encoded.expect("encoded");
        jpeg
    }

    fn read(jpeg: &[u8]) -> (Layout, Index) {
        let layout = Layout::parse(jpeg).expect("sound");
        let scan = Scan::of(jpeg, &layout).expect("sound").expect("one scan");
        (layout, Index::build(jpeg, scan).expect("sound"))
    }

    /// DC coefficient and AC bits of each block of an MCU.
    fn blocks(index: &Index, cutter: &Cutter, mcu: usize) -> Vec<(i16, Vec<bool>)> {
        let stream = index.stream();
        let mut bit = index.bits(mcu..mcu + 1).start;
        let parts = index.scan().parts.iter().zip(&cutter.parts);
        let codes = parts.flat_map(|(part, codes)| std::iter::repeat_n(codes, part.count()));
        codes
            .zip(index.dcs(mcu))
            .map(|(codes, &dc)| {
                let entry = codes.dc[(stream.peek(bit) >> 48) as usize];
                let ac = bit + u64::from((entry >> 8) + (entry & 0xFF));
                bit = end_of_block(index, ac, &codes.ac);
                (dc, (ac..bit).map(|at| stream.peek(at) >> 63 == 1).collect())
            })
            .collect()
    }

    /// Whether a piece has the very coefficients of what it was cut from.
    fn is_lossless(jpeg: &[u8], columns: Range<u32>, rows: Range<u32>) {
        let (layout, index) = read(jpeg);
        let cutter = Cutter::new(index.scan(), layout.size);
        let piece = cutter.cut(&index, columns.clone(), rows.clone()).expect("cut");
        let (own, piece_index) = read(&piece);
        let own_cutter = Cutter::new(piece_index.scan(), own.size);
        let across = columns.end - columns.start;
        assert_eq!(piece_index.scan().grid.columns, across);
        assert_eq!(piece_index.scan().grid.rows, rows.end - rows.start);
        for (part, was) in piece_index.scan().parts.iter().zip(&index.scan().parts) {
            assert_eq!((part.quantiser, part.blocks), (was.quantiser, was.blocks));
        }
        for (y, row) in (0..).zip(rows) {
            for (x, column) in (0..).zip(columns.clone()) {
                let here = (y * across + x) as usize;
                let there = (row * index.scan().grid.columns + column) as usize;
                assert_eq!(
                    blocks(&piece_index, &own_cutter, here),
                    blocks(&index, &cutter, there),
                    "MCU {column}, {row}"
                );
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn a_piece_has_the_very_coefficients_of_what_it_was_cut_from(
            way in ways(),
            width in 1..150u16,
            height in 1..100u16,
            seed in any::<u64>(),
            edges in [0.0..1.0f64, 0.0..1.0, 0.0..1.0, 0.0..1.0],
        ) {
            let jpeg = made(width, height, seed, way);
            let grid = Layout::parse(&jpeg).expect("sound").grid();
            let range = |a: f64, b: f64, count: u32| {
                let first = (a.min(b) * f64::from(count)) as u32;
                first..((a.max(b) * f64::from(count)) as u32 + 1).clamp(first + 1, count)
            };
            let columns = range(edges[0], edges[1], grid.columns);
            let rows = range(edges[2], edges[3], grid.rows);
            is_lossless(&jpeg, columns, rows);
        }
    }

    #[test]
    fn all_of_a_picture_decodes_to_the_same_pixels() {
        for sampling in [None, Some(SamplingFactor::F_2_2), Some(SamplingFactor::F_2_1)] {
            for (size, restarts) in [([131, 77], 0), ([131, 77], 5), ([1, 1], 0), ([16, 16], 1)] {
                let way = Way {
                    sampling,
                    restarts,
                    optimised: false,
                    quality: 90,
                };
                let jpeg = made(size[0], size[1], 1, way);
                let (layout, index) = read(&jpeg);
                let grid = index.scan().grid;
                let piece = Cutter::new(index.scan(), layout.size)
                    .cut(&index, 0..grid.columns, 0..grid.rows)
                    .expect("cut");
                let own = strict(&piece, layout.size).expect("sound");
                assert_eq!(own, decode(&jpeg, &layout).expect("sound"), "{way:?}");
            }
        }
    }

    #[test]
    fn a_difference_that_the_camera_has_no_word_for_is_written_with_complete_codes() {
        // From middle grey to light, in steps so small that the optimised table knows no larger ones.
        let slope = image::GrayImage::from_fn(400, 40, |x, _| image::Luma([128 + (x / 4) as u8]));
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, 90);
        encoder.set_optimized_huffman_tables(true);
        encoder.encode(&slope, 400, 40, ColorType::Luma).expect("encoded");
        let (_, index) = read(&jpeg);
        let step = 32 - index.dcs(45)[0].unsigned_abs().leading_zeros() - 16;
        let words = index.scan().parts[0].dc.by_symbol();
        assert!(words[step as usize].is_none(), "the test is about a missing word");
        is_lossless(&jpeg, 45..50, 1..5);
    }
}
