//! The index: one walk over the codes of a scan, which tells where each MCU begins and what its DC
//! coefficients are, without decoding a single AC coefficient (ITU-T T.81 F.2.2).
//!
//! Promises: an [`Index`] exists only if the scan codes exactly the MCUs that its header promises, with
//! codes that exist, between restart markers in order. Whatever the bytes are, the walk ends, in time
//! proportional to their number and the picture's size, and reads none beyond the end. There are two
//! [ways](Way) to walk, which find the same and complain of the same.
//! Leaves values of AC coefficients to `compare`, writing to `splice` and `crop`.

#[cfg(any(feature = "trap", feature = "desk"))]
mod eighth;
mod lanes;
mod stream;
mod tables;
mod walk;

use std::cell::RefCell;
use std::ops::Range;

use lanes::Lanes;
pub use stream::Stream;
pub(super) use stream::equal_bits;
use tables::Tables;
use walk::Walk;

use super::{Error, Scan};

/// Where everything lies in a scan, and how bright its blocks are.
#[derive(Debug, Clone)]
pub struct Index {
    scan: Scan,
    stream: Stream,
    found: Found,
}

/// What a walk finds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Found {
    /// The bit of the stream at which each MCU begins.
    starts: Vec<u32>,
    /// The bit behind the last MCU of each restart interval; what is left of its byte is padding.
    ends: Vec<u32>,
    /// The DC coefficient of each block, in scan order.
    dcs: Vec<i16>,
}

/// Makes indexes, one after the other, with the same tables and in the same memory.
#[derive(Debug, Default)]
pub struct Walker {
    tables: Tables,
    lanes: Lanes,
    found: Found,
}

thread_local! {
    static WALKER: RefCell<Walker> = RefCell::default();
}

/// How a scan is walked. All ways find the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the first bit to the last.
    Plain,
    /// From many bits in turn: the first of segments of so many bytes.
    Interleaved(usize),
}

impl Walker {
    /// Walks the scan of `bytes`, the way that is fastest.
    pub fn index(&mut self, bytes: &[u8], scan: Scan) -> Result<Index, Error> {
        self.index_by(lanes::fastest(&scan), bytes, scan)
    }

    /// Walks the scan of `bytes` this way.
    pub fn index_by(&mut self, way: Way, bytes: &[u8], scan: Scan) -> Result<Index, Error> {
        self.walk(way, Stream::copied(bytes, &scan)?, scan)
    }

    fn walk(&mut self, way: Way, stream: Stream, scan: Scan) -> Result<Index, Error> {
        self.tables.fit(&scan);
        let mut walk = Walk::new(&scan, &stream, &self.tables, &mut self.found);
        if let Way::Interleaved(segment) = way {
            self.lanes.lead(&mut walk, segment)?;
        }
        walk.finish()?;
        Ok(Index {
            scan,
            stream,
            found: std::mem::take(&mut self.found),
        })
    }

    /// Walks the scan of `bytes`, the same as [`index`](Self::index) does. It need not read what is known: these runs of
    /// MCUs of another picture, each of one restart interval, where the same bits stand here and the codes are the same.
    fn index_beside(
        &mut self,
        bytes: &[u8],
        scan: Scan,
        other: &Index,
        runs: &[Range<usize>],
    ) -> Result<Index, Error> {
        let alike = |a: &Scan, b: &Scan| {
            a.grid == b.grid && a.restart_interval == b.restart_interval && a.parts == b.parts
        };
        if !alike(&scan, &other.scan) {
            return self.index(bytes, scan);
        }
        let stream = Stream::copied(bytes, &scan)?;
        self.tables.fit(&scan);
        let mut walk = Walk::new(&scan, &stream, &self.tables, &mut self.found);
        for run in runs {
            walk.advance_to_mcu(run.start)?;
            walk.take_alike(other, run.clone());
        }
        walk.finish()?;
        Ok(Index {
            scan,
            stream,
            found: std::mem::take(&mut self.found),
        })
    }

    /// Takes back the memory of an index that is no longer needed, but for that of its bytes, which it hands over.
    pub fn recycle(&mut self, index: Index) -> Vec<u8> {
        self.found = index.found;
        index.stream.into_memory()
    }
}

impl Index {
    /// Walks the scan of `bytes`, with the tables of this thread's last scan where they are the same.
    pub fn build(bytes: &[u8], scan: Scan) -> Result<Self, Error> {
        Self::with_walker(|walker| walker.index(bytes, scan))
    }

    /// The same without a second copy of the scan: its data stay in the memory of the file, of which nothing else is left
    /// ([`recycle`](Self::recycle) hands it back).
    pub fn build_in_place(file: Vec<u8>, scan: Scan) -> Result<Self, Error> {
        Self::with_walker(|walker| {
            let stream = Stream::in_place(file, &scan)?;
            walker.walk(lanes::fastest(&scan), stream, scan)
        })
    }

    /// The same, sooner: where `bytes` hold the bits of these runs of MCUs of `other`, all in their order and each of one
    /// restart interval, they are compared and not walked.
    pub(super) fn build_beside(
        bytes: &[u8],
        scan: Scan,
        other: &Self,
        runs: &[Range<usize>],
    ) -> Result<Self, Error> {
        Self::with_walker(|walker| walker.index_beside(bytes, scan, other, runs))
    }

    /// Gives its memory to the next index of this thread, and that of its bytes back: frame after frame lies in the same
    /// place.
    pub fn recycle(self) -> Vec<u8> {
        WALKER.with_borrow_mut(|walker| walker.recycle(self))
    }

    fn with_walker(walk: impl FnOnce(&mut Walker) -> Result<Self, Error>) -> Result<Self, Error> {
        WALKER.with_borrow_mut(|walker| {
            let index = walk(walker);
            if index.is_err() {
                // What a damaged scan left, however long it was, is not kept.
                walker.found = Found::default();
            }
            index
        })
    }

    /// The scan that was walked.
    pub fn scan(&self) -> &Scan {
        &self.scan
    }

    /// The scan's bits.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// How many MCUs there are.
    pub fn mcus(&self) -> usize {
        self.found.starts.len()
    }

    /// The bits of the stream that code these MCUs, which must lie in one restart interval.
    pub fn bits(&self, mcus: Range<usize>) -> Range<u64> {
        let interval = self.scan.restart_interval.unwrap_or(self.mcus()).max(1);
        let end = match mcus.end.is_multiple_of(interval) || mcus.end == self.mcus() {
            true => self.found.ends[(mcus.end - 1) / interval],
            false => self.found.starts[mcus.end],
        };
        u64::from(self.found.starts[mcus.start])..u64::from(end)
    }

    /// The DC coefficients of one MCU's blocks, in scan order.
    pub fn dcs(&self, mcu: usize) -> &[i16] {
        let blocks = self.scan.blocks_per_mcu();
        &self.found.dcs[mcu * blocks..(mcu + 1) * blocks]
    }

    /// What each part's first DC difference in this MCU is counted from: the DC coefficient of the
    /// block before, or 0 at the start of a restart interval (T.81 F.1.1.5.1).
    pub fn predictors(&self, mcu: usize) -> [i16; 3] {
        let interval = self.scan.restart_interval.unwrap_or(self.mcus()).max(1);
        let mut predictors = [0; 3];
        if mcu.is_multiple_of(interval) {
            return predictors;
        }
        let before = self.dcs(mcu - 1);
        let mut last = 0;
        for (predictor, part) in predictors.iter_mut().zip(&self.scan.parts) {
            last += part.count();
            *predictor = before[last - 1];
        }
        predictors
    }
}

#[cfg(all(test, any(feature = "trap", feature = "desk")))]
pub(super) mod tests {
    use image::RgbImage;
    use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
    use proptest::prelude::*;

    use super::*;
    use crate::jpeg::huffman::Code;
    use crate::jpeg::scan::Part;
    use crate::jpeg::{Grid, Layout};

    /// Smooth colours with some grain, so that a block's mean is known.
    fn made(size: [u16; 2], sampling: SamplingFactor, restarts: u16) -> (RgbImage, Vec<u8>) {
        let [width, height] = size;
        let picture = RgbImage::from_fn(width.into(), height.into(), |x, y| {
            let grain = (x * 7 + y * 13) % 5;
            image::Rgb([(x + grain) as u8, (2 * y + grain) as u8, (90 + grain) as u8])
        });
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, 95);
        encoder.set_sampling_factor(sampling);
        encoder.set_restart_interval(restarts);
        encoder
            .encode(&picture, width, height, ColorType::Rgb)
            .expect("encoded");
        (picture, jpeg)
    }

    fn index(jpeg: &[u8]) -> Result<Index, Error> {
        let layout = Layout::parse(jpeg)?;
        Index::build(jpeg, Scan::of(jpeg, &layout)?.expect("one sequential scan"))
    }

    #[test]
    fn a_pixel_of_the_eighth_picture_is_the_mean_of_its_block() {
        use SamplingFactor::*;
        for sampling in [F_1_1, F_2_1, F_1_2, F_2_2] {
            for restarts in [0, 3] {
                let (picture, jpeg) = made([128, 96], sampling, restarts);
                let eighth = index(&jpeg).expect("sound").eighth(128, 96);
                assert_eq!(eighth.dimensions(), (16, 12));
                for (x, y, pixel) in eighth.enumerate_pixels() {
                    let block = image::imageops::crop_imm(&picture, 8 * x, 8 * y, 8, 8).to_image();
                    for c in 0..3 {
                        let sum: u32 = block.pixels().map(|p| u32::from(p.0[c])).sum();
                        let off = (sum as f32 / 64.0 - f32::from(pixel.0[c])).abs();
                        assert!(off < 20.0, "{sampling:?} {x} {y} {c}: off by {off}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_bits_of_neighbouring_mcus_meet_and_those_of_an_interval_end_in_its_padding() {
        let (_, jpeg) = made([100, 60], SamplingFactor::F_2_1, 4);
        let index = index(&jpeg).expect("sound");
        for mcus in index.scan().intervals() {
            for mcu in mcus.start..mcus.end - 1 {
                assert_eq!(index.bits(mcu..mcu + 1).end, index.bits(mcu + 1..mcus.end).start);
            }
            let end = index.bits(mcus.clone()).end;
            let bytes = &index.stream().intervals()[mcus.start / 4];
            assert!((8 * bytes.end as u64 - end) < 8);
            assert_eq!(index.predictors(mcus.start), [0; 3]);
        }
    }

    /// The walk as the standard tells it: one code after the other, each looked up by itself.
    fn reference(scan: &Scan, stream: &Stream) -> Result<Found, &'static str> {
        fn code(codes: &[u16], stream: &Stream, bit: &mut u64) -> Result<(u32, u32), &'static str> {
            let entry = codes[(stream.peek(*bit) >> 48) as usize];
            *bit += u64::from(entry >> 8);
            match entry {
                0 => Err("a Huffman code that does not exist"),
                _ => Ok((u32::from(entry >> 4 & 15), u32::from(entry & 15))),
            }
        }
        let codes: Vec<_> = scan
            .parts
            .iter()
            .map(|p| [&p.dc, &p.ac].map(Code::look_up))
            .collect();
        let mut found = Found::default();
        for (mcus, bytes) in scan.intervals().zip(stream.intervals()) {
            let (mut bit, mut dcs) = (8 * bytes.start as u64, [0; 3]);
            for _ in mcus {
                found.starts.push(bit as u32);
                for ((part, dc), [dc_codes, ac_codes]) in scan.parts.iter().zip(&mut dcs).zip(&codes) {
                    for _ in 0..part.count() {
                        let (high, size) = code(dc_codes, stream, &mut bit)?;
                        if high > 0 || size > 11 {
                            return Err("a DC difference that is too large");
                        }
                        if size > 0 {
                            let value = (stream.peek(bit) >> (64 - size)) as i32;
                            let is_negative = value >> (size - 1) == 0;
                            *dc += value - if is_negative { (1 << size) - 1 } else { 0 };
                        }
                        bit += u64::from(size);
                        if !(-2047..=2047).contains(dc) {
                            return Err("a block brighter than white or darker than black");
                        }
                        found.dcs.push(*dc as i16);
                        let mut coefficients = 1;
                        while coefficients < 64 {
                            let (run, size) = code(ac_codes, stream, &mut bit)?;
                            if size == 0 && run < 15 {
                                break;
                            }
                            coefficients += run + 1;
                            bit += u64::from(size);
                        }
                        if coefficients > 64 {
                            return Err("a block of more coefficients than there are");
                        }
                    }
                }
                if bit > 8 * bytes.end as u64 {
                    return Err("the image data end before the image does");
                }
            }
            found.ends.push(bit as u32);
            if 8 * bytes.end as u64 - bit >= 8 {
                return Err("more image data than the image has room for");
            }
        }
        Ok(found)
    }

    /// A scan of MCUs with so many blocks of luma across and down, in these codes.
    pub(super) fn scan_of(grid: [u32; 2], luma: [usize; 2], is_grey: bool, codes: &[[Code; 2]; 2]) -> Scan {
        let part = |component: usize| {
            let [dc, ac] = codes[component.min(1)].clone();
            Part {
                component,
                blocks: if component == 0 { luma } else { [1, 1] },
                quantiser: [3; 64],
                dc,
                ac,
            }
        };
        let [columns, rows] = grid;
        Scan {
            parts: (0..if is_grey { 1 } else { 3 }).map(part).collect(),
            grid: Grid {
                columns,
                rows,
                unit: luma.map(|n| 8 * n as u16),
            },
            restart_interval: None,
            data: 0..0,
        }
    }

    /// Any code: the symbols in this order, from the lengths on that these numbers give.
    fn any_code(symbols: &'static [u8]) -> impl Strategy<Value = Code> {
        let lengths = proptest::collection::vec(0u8..=255, 16);
        (lengths, Just(symbols.to_vec()).prop_shuffle()).prop_map(|(wanted, symbols)| {
            let (mut lengths, mut room, mut left) = ([0; 16], 1 << 16, symbols.len());
            for (n, (length, wanted)) in lengths.iter_mut().zip(wanted).enumerate() {
                let each = 1 << (15 - n);
                // Leaves room for longer codes, as a rule.
                let most = (room / each)
                    .min(left)
                    .saturating_sub(usize::from(n < 15 && wanted > 9));
                *length = usize::from(wanted % 4 + (n / 3) as u8).min(most) as u8;
                room -= usize::from(*length) * each;
                left -= usize::from(*length);
            }
            let count = symbols.len() - left;
            Code::new(lengths, &symbols[..count]).expect("fits")
        })
    }

    /// Whether a walk found what it should; the reference knows of no stray bytes.
    fn agree(found: Result<Found, Error>, told: Result<Found, &'static str>) -> bool {
        match (found, told) {
            (Ok(_), Err(what)) => what == "more image data than the image has room for",
            (found, told) => found == told.map_err(|what| Error::Corrupt { at: 0, what }),
        }
    }

    #[test]
    fn a_few_stray_bytes_are_passed_over_and_a_missing_mcu_is_not() {
        let with = |stray: &[u8]| {
            let (_, mut jpeg) = made([64, 48], SamplingFactor::F_2_1, 0);
            let end = jpeg.len() - 2;
            jpeg.splice(end..end, stray.iter().copied());
            index(&jpeg)
        };
        let whole = with(&[]).expect("sound");
        // All ones are no code.
        assert_eq!(with(&[0xFE; 5]).expect("sound").found, whole.found);
        assert!(with(&[0xFE; 9]).is_err());
        // An MCU of one colour takes 20 bits (T.81 K.3), less than what may be stray.
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, 90);
        encoder.set_sampling_factor(SamplingFactor::F_2_1);
        encoder
            .encode(&[90; 3 * 160 * 8], 160, 8, ColorType::Rgb)
            .expect("encoded");
        let layout = Layout::parse(&jpeg).expect("sound");
        let mut scan = Scan::of(&jpeg, &layout).expect("sound").expect("one scan");
        assert!(Index::build(&jpeg, scan.clone()).is_ok());
        scan.grid.columns -= 1;
        assert!(Index::build(&jpeg, scan).is_err());
    }

    /// What a walk of `bytes` finds or complains of.
    fn outcome(way: Way, bytes: &[u8], scan: &Scan) -> Result<Found, Error> {
        let mut walker = Walker::default();
        walker.index_by(way, bytes, scan.clone()).map(|index| index.found)
    }

    fn noise(size: [u16; 2], quality: u8, sampling: SamplingFactor, restarts: u16) -> Vec<u8> {
        let [width, height] = size;
        let mut seed = 1u32;
        let picture = RgbImage::from_fn(width.into(), height.into(), |x, y| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Flat on the left, wild on the right.
            let grain = (seed >> 24) * (x / 8) / u32::from(width);
            image::Rgb([
                (x + grain) as u8,
                (y + 3 * grain) as u8,
                (200 - grain.min(200)) as u8,
            ])
        });
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, quality);
        encoder.set_sampling_factor(sampling);
        encoder.set_restart_interval(restarts);
        encoder
            .encode(&picture, width, height, ColorType::Rgb)
            .expect("encoded");
        jpeg
    }

    fn sampling() -> impl Strategy<Value = SamplingFactor> {
        use SamplingFactor::*;
        prop_oneof![Just(F_1_1), Just(F_2_1), Just(F_1_2), Just(F_2_2)]
    }

    /// Changed bytes, a stretch doubled and a stretch left out, each in the scan.
    fn damage(
        scan: &mut Vec<u8>,
        bytes: &[(prop::sample::Index, u8)],
        doubled: usize,
        lost: usize,
        at: usize,
    ) {
        for (place, value) in bytes {
            let place = place.index(scan.len());
            scan[place] = *value;
        }
        let at = at % scan.len();
        let again: Vec<u8> = scan[at..].iter().take(doubled).copied().collect();
        scan.splice(at..at, again);
        let end = scan.len().min(at / 2 + lost);
        scan.drain(at / 2..end);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn all_ways_find_the_same(
            size in [1u16..160, 1u16..120],
            quality in 20u8..=100,
            sampling in sampling(),
            restarts in prop_oneof![Just(0u16), 1u16..40],
            segment in prop_oneof![20usize..200, 200usize..4_000],
            bytes in proptest::collection::vec(any::<(prop::sample::Index, u8)>(), 0..3),
            doubled in prop_oneof![Just(0usize), 1usize..2_000],
            lost in prop_oneof![Just(0usize), 1usize..2_000],
            at: usize,
        ) {
            let whole = noise(size, quality, sampling, restarts);
            let layout = Layout::parse(&whole).expect("sound");
            let scan = Scan::of(&whole, &layout).expect("sound").expect("one scan");
            let found = outcome(Way::Interleaved(segment), &whole, &scan);
            prop_assert!(found.is_ok());
            prop_assert_eq!(found, outcome(Way::Plain, &whole, &scan));

            let mut data = whole[scan.data.clone()].to_vec();
            damage(&mut data, &bytes, doubled, lost, at);
            let scan = Scan { data: 0..data.len(), ..scan };
            let plain = outcome(Way::Plain, &data, &scan);
            prop_assert_eq!(&outcome(Way::Interleaved(segment), &data, &scan), &plain);
            if let Ok(stream) = Stream::copied(&data, &scan) {
                let told = reference(&scan, &stream);
                prop_assert!(agree(plain, told));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn all_ways_find_the_same_in_any_codes(
            grid in [1u32..40, 1u32..20],
            luma in prop_oneof![Just([1, 1]), Just([2, 1]), Just([1, 2]), Just([2, 2]), Just([4, 1])],
            is_grey: bool,
            dcs in [any_code(&[0, 1, 2, 3, 4]), any_code(&[0, 1, 2, 12, 5, 9])],
            acs in [
                any_code(&[0, 0x01, 0x02, 0x11, 0x23, 0xF0, 0x31, 0x1F, 0x05, 0x81, 0x03, 0x0A]),
                any_code(&[0, 0x01, 0x11, 0x21, 0xF0, 0xF1, 0x70, 0x02]),
            ],
            data in proptest::collection::vec(any::<u8>(), 0..6_000),
            segment in 20usize..600,
        ) {
            let luma = if is_grey { [1, 1] } else { luma };
            let [dc, other_dc] = dcs;
            let [ac, other_ac] = acs;
            let mut scan = scan_of(grid, luma, is_grey, &[[dc, ac], [other_dc, other_ac]]);
            scan.data = 0..data.len();
            let plain = outcome(Way::Plain, &data, &scan);
            prop_assert_eq!(&outcome(Way::Interleaved(segment), &data, &scan), &plain);
            if let Ok(stream) = Stream::copied(&data, &scan) {
                let told = reference(&scan, &stream);
                prop_assert!(agree(plain, told));
            }
        }
    }

    #[test]
    fn a_walker_finds_the_same_whatever_it_walked_before() {
        let pictures = [
            noise([90, 70], 95, SamplingFactor::F_2_2, 0),
            noise([200, 160], 60, SamplingFactor::F_2_1, 3),
            noise([30, 20], 90, SamplingFactor::F_1_1, 0),
            noise([90, 70], 95, SamplingFactor::F_2_2, 0),
        ];
        let mut walker = Walker::default();
        for jpeg in pictures.iter().chain(&pictures) {
            let alone = index(jpeg).expect("sound");
            let scan = alone.scan().clone();
            let again = walker.index(jpeg, scan).expect("sound");
            assert_eq!(again.found, alone.found);
            walker.recycle(again);
        }
    }

    proptest! {
        #[test]
        fn an_index_built_beside_another_is_the_one_that_is_walked(
            restarts in 0u16..9,
            other in any::<bool>(),
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            cuts in proptest::collection::vec(0usize..48, 0..9),
        ) {
            let (_, first) = made([100, 60], SamplingFactor::F_2_1, restarts);
            let (_, second) = made([100, 60], SamplingFactor::F_2_1, if other { 5 } else { restarts });
            let beside = index(&first).expect("sound");
            let mut jpeg = second;
            let data = Layout::parse(&jpeg).expect("sound").scans().next().expect("one").data.clone();
            for (at, value) in damage {
                jpeg[data.start + at.index(data.len())] = value;
            }
            let mut cuts = cuts;
            cuts.sort_unstable();
            cuts.dedup();
            let interval = beside.scan().restart_interval.unwrap_or(usize::MAX);
            let runs: Vec<_> = (cuts.windows(2).map(|w| w[0]..w[1]))
                .filter(|r| r.start / interval == (r.end - 1) / interval && r.end <= beside.mcus())
                .collect();
            let Ok(layout) = Layout::parse(&jpeg) else { return Ok(()) };
            let Ok(Some(scan)) = Scan::of(&jpeg, &layout) else { return Ok(()) };
            let walked = Index::build(&jpeg, scan.clone());
            let built = Index::build_beside(&jpeg, scan, &beside, &runs);
            prop_assert_eq!(
                walked.as_ref().map(|i| &i.found).map_err(Clone::clone),
                built.as_ref().map(|i| &i.found).map_err(Clone::clone)
            );
        }
    }
}
