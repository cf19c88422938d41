//! A frame's pixels, in every part and size that is asked for.
//!
//! Promises: a [`Picture`] exists only where every MCU is there. One that has an [`Index`] is decoded
//! only as far as it is looked at: reduced from its coefficients, or a part at full size out of a
//! lossless cut, and beside what is returned no more than a row of MCUs is held; every other picture
//! is decoded once.
//! A pixel of a smaller picture is the mean of those it stands for. Everything returned stands
//! upright. Leaves what is in it to `vision`.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use image::{RgbImage, imageops};

use super::crop::Cutter;
use super::decode::{decode, means, strict, turned};
use super::scaled::scaled;
use super::{Error, Index, Layout, Scan};
use crate::frame::{FrameSize, Orientation, Region};

/// The scout's picture has a long side of at least this many pixels (findings: an eighth of a 3 MP
/// frame; below some 250 vehicles begin to be missed).
const LEAST_LONG_SIDE: u32 = 400;

/// A frame's pixels.
#[derive(Debug, Clone)]
pub struct Picture {
    source: Source,
    stored: FrameSize,
    orientation: Orientation,
    /// The whole frame, upright, and by what it is reduced.
    whole: Option<(u32, RgbImage)>,
}

#[derive(Debug, Clone)]
enum Source {
    Indexed(Box<Indexed>),
    /// As stored.
    Decoded(RgbImage),
}

#[derive(Debug, Clone)]
struct Indexed {
    index: Index,
    /// Made when first needed: an empty frame's small picture needs none.
    cutter: OnceCell<Cutter>,
}

impl Source {
    fn indexed(index: Index) -> Self {
        let cutter = OnceCell::new();
        Self::Indexed(Box::new(Indexed { index, cutter }))
    }
}

/// A part of a frame.
#[derive(Debug, Clone)]
pub struct Part<'p> {
    /// Upright pixels.
    pub picture: Cow<'p, RgbImage>,
    /// What of the upright frame they show: at least what was asked for.
    pub covers: Region,
}

impl Part<'_> {
    /// Pixels of the frame to one of the picture, across and down.
    pub fn scale(&self) -> [f32; 2] {
        let (width, height) = self.picture.dimensions();
        [
            self.covers.width as f32 / width as f32,
            self.covers.height as f32 / height as f32,
        ]
    }

    /// Where a point of the upright frame lies in the picture.
    pub fn point(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let [sx, sy] = self.scale();
        [(x - self.covers.x as f32) / sx, (y - self.covers.y as f32) / sy]
    }

    /// The pixels of the picture that show this region of the upright frame.
    pub fn pixels_of(&self, region: Region) -> Region {
        let (width, height) = self.picture.dimensions();
        let side = |start: u32, length: u32, first: u32, covered: u32, pixels: u32| {
            let at = |edge: u32| u64::from(edge.saturating_sub(first)) * u64::from(pixels);
            let covered = u64::from(covered.max(1));
            let from = (at(start) / covered) as u32;
            (
                from,
                (at(start + length).div_ceil(covered) as u32).saturating_sub(from),
            )
        };
        let (x, w) = side(region.x, region.width, self.covers.x, self.covers.width, width);
        let (y, h) = side(region.y, region.height, self.covers.y, self.covers.height, height);
        let region = Region {
            x,
            y,
            width: w,
            height: h,
        };
        region.clipped(FrameSize { width, height })
    }
}

impl Picture {
    /// The primary image of `bytes`, whose layout this is: indexed where it can be, else decoded.
    pub fn read(bytes: &[u8], layout: &Layout, orientation: Orientation) -> Result<Self, Error> {
        let source = match Scan::of(bytes, layout)? {
            Some(scan) => Source::indexed(Index::build(bytes, scan)?),
            None => Source::Decoded(decode(bytes, layout)?),
        };
        Ok(Self::of(source, layout.size, orientation))
    }

    /// The same in the memory that `bytes` take: nothing is left in them where the picture could be indexed, whether it is
    /// whole or not ([`recycle`](Self::recycle) hands the memory back).
    pub fn read_in_place(
        bytes: &mut Vec<u8>,
        layout: &Layout,
        orientation: Orientation,
    ) -> Result<Self, Error> {
        let source = match Scan::of(bytes, layout)? {
            Some(scan) => Source::indexed(Index::build_in_place(std::mem::take(bytes), scan)?),
            None => Source::Decoded(decode(bytes, layout)?),
        };
        Ok(Self::of(source, layout.size, orientation))
    }

    fn of(source: Source, stored: FrameSize, orientation: Orientation) -> Self {
        Self {
            source,
            stored,
            orientation,
            whole: None,
        }
    }

    /// Of pixels as they are stored.
    pub fn of_pixels(stored: RgbImage, orientation: Orientation) -> Self {
        let (width, height) = stored.dimensions();
        Self::of(Source::Decoded(stored), FrameSize { width, height }, orientation)
    }

    /// How the stored pixels stand upright.
    pub fn orientation(&self) -> Orientation {
        self.orientation
    }

    /// The size as stored.
    pub fn stored_size(&self) -> FrameSize {
        self.stored
    }

    /// The size of the upright frame.
    pub fn frame(&self) -> FrameSize {
        self.orientation.turned(self.stored)
    }

    /// Where its MCUs lie; none where it had to be decoded.
    pub fn index(&self) -> Option<&Index> {
        match &self.source {
            Source::Indexed(indexed) => Some(&indexed.index),
            Source::Decoded(_) => None,
        }
    }

    /// All pixels as they are stored, at full size: what encoding them again needs, and nothing else.
    pub fn stored(&self) -> Result<Cow<'_, RgbImage>, Error> {
        match &self.source {
            Source::Indexed(indexed) => {
                let grid = indexed.index.scan().grid;
                indexed
                    .decoded(0..grid.columns, 0..grid.rows, 1, self.stored)
                    .map(Cow::Owned)
            }
            Source::Decoded(stored) => Ok(Cow::Borrowed(stored)),
        }
    }

    /// The small picture for the scout: the smallest of 1/8, 1/4, 1/2 and 1 whose long side has at least
    /// 400 pixels. An eighth is made of the DC coefficients alone.
    pub fn reduced(&self) -> Result<RgbImage, Error> {
        let FrameSize { width, height } = self.stored;
        match (self.factor(LEAST_LONG_SIDE), &self.source) {
            (8, Source::Indexed(indexed)) => {
                Ok(turned(indexed.index.eighth(width, height), self.orientation))
            }
            (factor, _) => match &self.whole {
                Some((kept, whole)) if *kept == factor => Ok(whole.clone()),
                _ => self.scaled(factor),
            },
        }
    }

    /// The whole frame: the smallest of 1/8, 1/4, 1/2 and 1 whose long side has at least this many
    /// pixels, or a larger one. It is kept until more is asked for.
    pub fn whole(&mut self, least_long_side: u32) -> Result<&RgbImage, Error> {
        let factor = self.factor(least_long_side);
        let kept = self.whole.take().filter(|(kept, _)| *kept <= factor);
        let kept = match kept {
            Some(kept) => kept,
            None => (factor, self.scaled(factor)?),
        };
        Ok(&self.whole.insert(kept).1)
    }

    /// Lets it go; its memory serves the next picture that this thread reads, and the next file: `bytes` take over that of
    /// the file that it was read from.
    pub fn recycle(self, bytes: &mut Vec<u8>) {
        if let Source::Indexed(indexed) = self.source {
            *bytes = indexed.index.recycle();
        }
    }

    /// Forgets what [`whole`](Self::whole) kept.
    pub fn forget_whole(&mut self) {
        self.whole = None;
    }

    /// A part of the upright frame, reduced by as much of 8, 4 and 2 as leaves what was asked for a long
    /// side of at least this many pixels; out of the whole frame, where that is at hand and no smaller.
    /// Without reduction each pixel is that of the frame decoded whole.
    pub fn part(&self, wanted: Region, least_long_side: u32) -> Result<Part<'_>, Error> {
        let frame = self.frame();
        let wanted = wanted.clipped(frame);
        let factor = (REDUCTIONS.into_iter())
            .find(|factor| wanted.long_side() / factor >= least_long_side)
            .unwrap_or(1);
        if let Some((kept, whole)) = &self.whole
            && *kept <= factor
        {
            return Ok(Part {
                picture: Cow::Borrowed(whole),
                covers: Region::whole(frame.width, frame.height),
            });
        }
        let stored = self.orientation.region_to_stored(wanted, self.stored);
        let covers = snapped(stored, factor, self.stored);
        let part = match &self.source {
            Source::Indexed(indexed) => indexed.part(covers, factor, self.stored)?,
            Source::Decoded(pixels) => {
                let Region { x, y, width, height } = covers;
                means(
                    &imageops::crop_imm(pixels, x, y, width, height).to_image(),
                    factor,
                )
            }
        };
        Ok(Part {
            picture: Cow::Owned(turned(part, self.orientation)),
            covers: self.orientation.region_to_upright(covers, self.stored),
        })
    }

    /// By how much the whole frame may be reduced.
    fn factor(&self, least_long_side: u32) -> u32 {
        let long = self.stored.width.max(self.stored.height);
        REDUCTIONS
            .into_iter()
            .find(|factor| long.div_ceil(*factor) >= least_long_side)
            .unwrap_or(1)
    }

    fn scaled(&self, factor: u32) -> Result<RgbImage, Error> {
        let stored = match &self.source {
            Source::Indexed(indexed) => {
                let grid = indexed.index.scan().grid;
                indexed.decoded(0..grid.columns, 0..grid.rows, factor, self.stored)?
            }
            Source::Decoded(stored) => means(stored, factor),
        };
        Ok(turned(stored, self.orientation))
    }
}

/// What a picture may be reduced by; each divides the sides of every MCU.
const REDUCTIONS: [u32; 3] = [8, 4, 2];

/// The smallest region around this one whose edges are multiples of `factor`, or the picture's.
fn snapped(region: Region, factor: u32, size: FrameSize) -> Region {
    let side = |start: u32, length: u32, full: u32| {
        let first = start - start % factor;
        let end = (start + length).next_multiple_of(factor).min(full);
        (first, end - first)
    };
    let (x, width) = side(region.x, region.width, size.width);
    let (y, height) = side(region.y, region.height, size.height);
    Region { x, y, width, height }
}

impl Indexed {
    /// A region whose edges are multiples of `factor` or the picture's.
    fn part(&self, region: Region, factor: u32, size: FrameSize) -> Result<RgbImage, Error> {
        let grid = self.index.scan().grid;
        // At full size one MCU more on each side: a decoder mixes the chroma of neighbours.
        let more = u32::from(factor == 1);
        let around = |start: u32, length: u32, unit: u32, count: u32| {
            (start / unit).saturating_sub(more)..((start + length).div_ceil(unit) + more).min(count)
        };
        let [w, h] = grid.unit.map(u32::from);
        let columns = around(region.x, region.width, w, grid.columns);
        let rows = around(region.y, region.height, h, grid.rows);
        let (x, y) = (region.x - columns.start * w, region.y - rows.start * h);
        let mut decoded = self.decoded(columns, rows, factor, size)?;
        let [x, y] = [x, y].map(|side| side / factor);
        let [width, height] = [region.width, region.height].map(|side| side.div_ceil(factor));
        Ok(imageops::crop(&mut decoded, x, y, width, height).to_image())
    }

    /// These columns and rows of MCUs, reduced by `factor`.
    fn decoded(
        &self,
        columns: Range<u32>,
        rows: Range<u32>,
        factor: u32,
        size: FrameSize,
    ) -> Result<RgbImage, Error> {
        if factor > 1 {
            return Ok(scaled(&self.index, columns, rows, factor, size));
        }
        let [w, h] = self.index.scan().grid.unit.map(u32::from);
        let pixels =
            |mcus: &Range<u32>, unit: u32, side: u32| (mcus.end * unit).min(side) - mcus.start * unit;
        let (width, height) = (pixels(&columns, w, size.width), pixels(&rows, h, size.height));
        let cutter = self.cutter.get_or_init(|| Cutter::new(self.index.scan(), size));
        let jpeg = cutter.cut(&self.index, columns, rows)?;
        strict(&jpeg, FrameSize { width, height })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;
    use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
    use proptest::prelude::*;

    fn turn(tag: u16) -> Orientation {
        tag.try_into().expect("1 to 8")
    }

    fn scene(width: u16, height: u16) -> RgbImage {
        RgbImage::from_fn(width.into(), height.into(), |x, y| {
            let wave = |v: u32, n: f32| (100.0 + 90.0 * (v as f32 / n).sin()) as u8;
            Rgb([wave(x, 25.0), wave(y, 35.0), wave(x + y, 55.0)])
        })
    }

    fn encoded(picture: &RgbImage, sampling: SamplingFactor, restarts: u16) -> Vec<u8> {
        let (width, height) = picture.dimensions();
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, 93);
        encoder.set_sampling_factor(sampling);
        encoder.set_restart_interval(restarts);
        encoder
            .encode(picture, width as u16, height as u16, ColorType::Rgb)
            .expect("encoded");
        jpeg
    }

    /// The picture as it is read, and as a decoder of the whole file gives it.
    fn read(jpeg: &[u8], orientation: Orientation) -> (Picture, Picture) {
        let layout = Layout::parse(jpeg).expect("sound");
        let indexed = Picture::read(jpeg, &layout, orientation).expect("sound");
        assert!(indexed.index().is_some());
        let decoded = decode(jpeg, &layout).expect("sound");
        (indexed, Picture::of_pixels(decoded, orientation))
    }

    fn largest_difference(one: &RgbImage, other: &RgbImage) -> u8 {
        assert_eq!(one.dimensions(), other.dimensions());
        let pairs = one.as_raw().iter().zip(other.as_raw());
        pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
    }

    /// A decoder blends colours that are coarser than the picture; a mean of them does not.
    const COLOUR: u8 = 6;

    #[test]
    fn every_orientation_stands_upright_as_the_geometry_says() {
        let stored = RgbImage::from_fn(7, 4, |x, y| Rgb([x as u8, y as u8, 0]));
        for tag in 1..=8 {
            let mut picture = Picture::of_pixels(stored.clone(), turn(tag));
            let frame = picture.frame();
            let upright = picture.whole(7).expect("decoded");
            assert_eq!(upright.dimensions(), (frame.width, frame.height));
            for (x, y, &Rgb([sx, sy, _])) in upright.enumerate_pixels() {
                let middle = [x as f32 + 0.5, y as f32 + 0.5];
                let [px, py] = turn(tag).point_to_stored(middle, frame);
                assert_eq!([sx, sy], [px as u8, py as u8], "orientation {tag} at {x}, {y}");
            }
        }
    }

    #[test]
    fn the_small_picture_is_the_smallest_whose_long_side_has_400_pixels() {
        let long_side = |width, height| {
            let picture = Picture::of_pixels(RgbImage::new(width, height), turn(1));
            let small = picture.reduced().expect("decoded");
            small.width().max(small.height())
        };
        assert_eq!(long_side(4_000, 30), 500);
        assert_eq!(long_side(30, 3_193), 400);
        assert_eq!(long_side(3_192, 30), 798);
        assert_eq!(long_side(1_280, 30), 640);
        assert_eq!(long_side(640, 30), 640);
        assert_eq!(long_side(1, 1), 1);
    }

    #[test]
    fn the_small_picture_made_of_dcs_is_that_of_the_pixels() {
        for (tag, sampling) in [(1, SamplingFactor::F_2_1), (6, SamplingFactor::F_2_2)] {
            let jpeg = encoded(&scene(3_301, 77), sampling, 0);
            let (indexed, decoded) = read(&jpeg, turn(tag));
            let (small, means) = (
                indexed.reduced().expect("sound"),
                decoded.reduced().expect("sound"),
            );
            assert_eq!(small.width().max(small.height()), 413);
            // Not to the pixel: an eighth's colour is that of a whole MCU.
            let pairs = small.as_raw().iter().zip(means.as_raw());
            let sum: u32 = pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
            assert_eq!(small.dimensions(), means.dimensions());
            let mean = f64::from(sum) / small.as_raw().len() as f64;
            assert!(mean < 8.0, "{sampling:?}: {mean}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn a_part_at_full_size_is_that_of_the_frame_decoded_whole(
            sampling in prop::sample::select(vec![
                SamplingFactor::F_1_1, SamplingFactor::F_2_1, SamplingFactor::F_1_2, SamplingFactor::F_2_2,
            ]),
            tag in 1..=8u16,
            restarts in 0..6u16,
            size in [17..200u16, 17..200u16],
            x in 0..220u32,
            y in 0..220u32,
            width in 0..120u32,
            height in 0..120u32,
        ) {
            let jpeg = encoded(&scene(size[0], size[1]), sampling, restarts);
            let (indexed, mut decoded) = read(&jpeg, turn(tag));
            let wanted = Region { x, y, width, height };
            let part = indexed.part(wanted, u32::MAX).expect("sound");
            prop_assert_eq!(part.covers, wanted.clipped(indexed.frame()));
            let same = decoded.part(wanted, u32::MAX).expect("sound");
            prop_assert_eq!(part.covers, same.covers);
            prop_assert_eq!(largest_difference(&part.picture, &same.picture), 0);
            let whole = decoded.whole(u32::MAX).expect("sound");
            let Region { x, y, width, height } = part.covers;
            let cut = imageops::crop_imm(whole, x, y, width, height).to_image();
            prop_assert_eq!(largest_difference(&part.picture, &cut), 0);
        }

        #[test]
        fn a_reduced_part_shows_what_was_asked_for_where_it_says(
            tag in 1..=8u16,
            size in [100..300u16, 100..300u16],
            x in 0..250u32,
            y in 0..250u32,
            side in 40..250u32,
        ) {
            let jpeg = encoded(&scene(size[0], size[1]), SamplingFactor::F_2_1, 0);
            let (indexed, decoded) = read(&jpeg, turn(tag));
            let wanted = Region { x, y, width: side, height: side };
            let part = indexed.part(wanted, 20).expect("sound");
            let wanted = wanted.clipped(indexed.frame());
            let seen = part.pixels_of(wanted);
            let [sx, sy] = part.scale();
            let (ox, oy) = (part.covers.x, part.covers.y);
            prop_assert!(ox <= wanted.x && oy <= wanted.y);
            prop_assert!(ox + part.covers.width >= wanted.x + wanted.width);
            prop_assert!(seen.x as f32 * sx + ox as f32 <= wanted.x as f32 + 0.01);
            prop_assert!((seen.x + seen.width) as f32 * sx + ox as f32 >= (wanted.x + wanted.width) as f32 - 0.01);
            prop_assert!((seen.y + seen.height) as f32 * sy + oy as f32 >= (wanted.y + wanted.height) as f32 - 0.01);
            let same = decoded.part(wanted, 20).expect("sound");
            prop_assert_eq!(part.covers, same.covers);
            prop_assert!(largest_difference(&part.picture, &same.picture) <= COLOUR);
        }
    }

    #[test]
    fn a_frame_reduced_from_its_coefficients_is_the_frame_decoded_whole_and_reduced() {
        use SamplingFactor::*;
        for (sampling, restarts) in [(F_1_1, 0), (F_2_1, 7), (F_1_2, 0), (F_2_2, 0)] {
            let jpeg = encoded(&scene(1_203, 901), sampling, restarts);
            let (mut indexed, mut decoded) = read(&jpeg, turn(3));
            for (least, factor) in [(151, 8), (152, 4), (600, 2), (1_000, 1)] {
                let reduced = indexed.whole(least).expect("sound").clone();
                assert_eq!(reduced.width(), 1_203u32.div_ceil(factor));
                let whole = decoded.whole(least).expect("sound");
                let difference = largest_difference(&reduced, whole);
                assert!(difference <= COLOUR, "1/{factor}, {sampling:?}: {difference}");
            }
        }
    }

    #[test]
    fn the_whole_is_kept_until_more_is_asked_for() {
        let mut picture = Picture::of_pixels(RgbImage::new(800, 600), turn(1));
        let mut width = |least| picture.whole(least).expect("decoded").width();
        assert_eq!(
            [width(300), width(100), width(401), width(300)],
            [400, 400, 800, 800]
        );
        assert!(matches!(
            picture.part(Region::whole(9, 9), 5).expect("there").picture,
            Cow::Borrowed(_)
        ));
        picture.forget_whole();
        assert_eq!(picture.whole(300).expect("decoded").width(), 400);
    }

    #[test]
    fn a_picture_read_in_the_memory_of_its_file_is_the_same_and_hands_that_memory_back() {
        let jpeg = encoded(&scene(603, 401), SamplingFactor::F_2_1, 3);
        let layout = Layout::parse(&jpeg).expect("sound");
        let (copied, _) = read(&jpeg, turn(1));
        let mut bytes = jpeg.clone();
        let memory = (bytes.as_ptr(), bytes.capacity());
        let picture = Picture::read_in_place(&mut bytes, &layout, turn(1)).expect("sound");
        assert!(bytes.is_empty());
        assert_eq!(
            picture.reduced().expect("sound"),
            copied.reduced().expect("sound")
        );
        let parts = [&picture, &copied].map(|picture| picture.part(Region::whole(99, 88), u32::MAX));
        let [one, other] = parts.map(|part| part.expect("sound").picture.into_owned());
        assert_eq!(one, other);
        picture.recycle(&mut bytes);
        assert_eq!((bytes.as_ptr(), bytes.capacity()), memory);
    }

    #[test]
    fn what_cannot_be_indexed_is_decoded_and_what_is_damaged_is_no_picture() {
        let picture = scene(90, 70);
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, 90);
        encoder.set_progressive(true);
        encoder.encode(&picture, 90, 70, ColorType::Rgb).expect("encoded");
        let layout = Layout::parse(&jpeg).expect("sound");
        let read = Picture::read(&jpeg, &layout, turn(1)).expect("sound");
        assert!(read.index().is_none());
        assert_eq!(read.stored().expect("sound").dimensions(), (90, 70));
        let whole = encoded(&picture, SamplingFactor::F_2_2, 0);
        let mut cut_off = whole[..whole.len() * 3 / 4].to_vec();
        cut_off.extend([0xFF, 0xD9]);
        let layout = Layout::parse(&cut_off).expect("markers are sound");
        assert!(Picture::read(&cut_off, &layout, turn(1)).is_err());
    }
}
