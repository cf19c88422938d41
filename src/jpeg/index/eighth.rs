//! The 1/8 picture: the mean of each block, from its DC coefficient alone (ITU-T T.81 A.3.3: the DC
//! coefficient is eight times the mean of the block, less 128), in colour (T.871 clause 7).
//!
//! Promises: what a decoder that scales by 1/8 gives, but for rounding: colours are kept to a sixteenth of
//! a level until all of them is summed up. A chroma block that spans several luma blocks gives each its colour.

use image::RgbImage;

use super::Index;
use super::tables::boxed;

/// What colours are summed up in: so many to a level, so that rounding a block's luma and its tints apart
/// is not seen.
const FINE: f64 = 16.0;
/// Added to each colour by each of the two tints, lest a sum be negative.
const BIAS: u16 = 4096;

/// What a component's DC coefficients bring to the colours of their pixels: red, green and blue side by
/// side, 16 bits each, so that all are summed up at once and none reaches into the next.
struct Share(Box<[u64; 4096]>);

impl Share {
    /// By `factors` times how far the mean is above `zero`, of coefficients in steps of this quantiser.
    fn new(step: u16, zero: f64, factors: [f64; 3], bias: u16) -> Self {
        let share = |dc: i16| {
            let mean = (128.0 + f64::from(dc) * f64::from(step) / 8.0).clamp(0.0, 255.0);
            let colours = factors.map(|factor| ((mean - zero) * factor * FINE).round() + f64::from(bias));
            colours
                .into_iter()
                .rev()
                .fold(0, |share, colour| share << 16 | colour as u64)
        };
        // As `of` finds them: those below zero stand behind the others.
        let all = (0..2048).chain(-2048..0).map(share);
        Self(boxed(all.collect()))
    }

    /// Of this DC coefficient, which is one of 8-bit samples (T.81 F.1.2.1).
    #[inline(always)]
    fn of(&self, dc: i16) -> u64 {
        self.0[usize::from(dc as u16 % 4096)]
    }
}

impl Index {
    /// One pixel for each 8 x 8 of the stored picture, of which this is the size; those at its right and
    /// lower edges may stand for fewer.
    pub fn eighth(&self, width: u32, height: u32) -> RgbImage {
        let mut picture = RgbImage::new(width.div_ceil(8), height.div_ceil(8));
        let line = 3 * picture.width() as usize;
        let luma = self.scan.parts.first().map_or([1, 1], |luma| luma.blocks);
        let blocks = self.scan.blocks_per_mcu();
        let row = match (luma, blocks) {
            (_, 1) => row::<1, 1>,
            ([1, 1], 3) => row::<1, 3>,
            ([1, 2], 4) => row::<1, 4>,
            ([2, 1], 4) => row::<2, 4>,
            ([2, 2], 6) => row::<2, 6>,
            ([4, 1], 6) => row::<4, 6>,
            // No scan has any other (`Scan`).
            _ => return picture,
        };
        let step = |part: usize| self.scan.parts.get(part).map_or(0, |part| part.quantiser[0]);
        let shares = [
            Share::new(step(0), 0.0, [1.0; 3], 0),
            Share::new(step(1), 128.0, [0.0, -0.344_136, 1.772], BIAS),
            Share::new(step(2), 128.0, [1.402, -0.714_136, 0.0], BIAS),
        ];
        let mut sums = vec![0; 2 * line];
        let bands = picture.chunks_mut((luma[1] * line).max(1));
        let dcs = self
            .found
            .dcs
            .chunks_exact(self.scan.grid.columns as usize * blocks);
        for (band, dcs) in bands.zip(dcs) {
            for (v, out) in band.chunks_exact_mut(line).enumerate() {
                row(dcs, v, &shares, &mut sums);
                for (level, sum) in out.iter_mut().zip(sums.as_chunks().0) {
                    let half = FINE as u16 / 2;
                    let sum = u16::from_le_bytes(*sum).saturating_sub(2 * BIAS - half);
                    *level = (sum / FINE as u16).min(255) as u8;
                }
            }
        }
        picture
    }
}

/// One row of pixels, the sums of their [`Share`]s, out of a row of MCUs of so many blocks, of which luma
/// has so many across: those of its `v`-th row of luma blocks.
fn row<const ACROSS: usize, const BLOCKS: usize>(
    dcs: &[i16],
    v: usize,
    [luma, cb, cr]: &[Share; 3],
    out: &mut [u8],
) {
    let mcus = dcs.as_chunks::<BLOCKS>().0;
    for (mcu, pixels) in mcus.iter().zip(out.chunks_mut(6 * ACROSS)) {
        let tint = match mcu.last_chunk() {
            Some([blue, red]) if BLOCKS > 2 => cb.of(*blue) + cr.of(*red),
            _ => cb.of(0) + cr.of(0),
        };
        let levels = mcu.as_chunks::<ACROSS>().0.get(v).unwrap_or(&[0; ACROSS]);
        for (dc, pixel) in levels.iter().zip(pixels.as_chunks_mut::<6>().0) {
            let [colours @ .., _, _] = (luma.of(*dc) + tint).to_le_bytes();
            *pixel = colours;
        }
    }
}

#[cfg(all(test, feature = "trap"))]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::scan_of;
    use super::super::{Found, Stream};
    use super::*;
    use crate::jpeg::huffman::Code;

    proptest! {
        #[test]
        fn each_pixel_is_its_blocks_mean_in_its_mcus_colour_at_any_size(
            [width, height] in [1u32..300, 1u32..300],
            luma in prop_oneof![Just([1, 1]), Just([2, 1]), Just([1, 2]), Just([2, 2]), Just([4, 1])],
            is_grey: bool,
            dcs in proptest::collection::vec(-400i16..400, 6 * 38 * 38),
        ) {
            let code = Code::new([0; 16], &[]).expect("empty");
            let luma = if is_grey { [1, 1] } else { luma };
            let [across, down] = luma.map(|n| n as u32);
            let grid = [width.div_ceil(8 * across), height.div_ceil(8 * down)];
            let scan = scan_of(grid, luma, is_grey, &[[code.clone(), code.clone()], [code.clone(), code]]);
            let dcs = dcs[..scan.mcus() * scan.blocks_per_mcu()].to_vec();
            let found = Found { starts: vec![0; scan.mcus()], ends: vec![0], dcs };
            let index = Index { scan, stream: Stream::default(), found };
            let eighth = index.eighth(width, height);
            prop_assert_eq!(eighth.dimensions(), (width.div_ceil(8), height.div_ceil(8)));
            for (x, y, pixel) in eighth.enumerate_pixels() {
                let dcs = index.dcs((y / down * grid[0] + x / across) as usize);
                let mean = |block: usize| (128.0 + f64::from(dcs[block]) * 3.0 / 8.0).clamp(0.0, 255.0);
                let level = mean((y % down * across + x % across) as usize);
                let [cb, cr] = match is_grey {
                    true => [0.0; 2],
                    false => [2, 1].map(|from_end| mean(dcs.len() - from_end) - 128.0),
                };
                let colour = [
                    level + 1.402 * cr,
                    level - 0.344_136 * cb - 0.714_136 * cr,
                    level + 1.772 * cb,
                ];
                for (is, exact) in pixel.0.into_iter().zip(colour) {
                    let off = (f64::from(is) - exact.clamp(0.0, 255.0)).abs();
                    prop_assert!(off < 0.57, "{:?} for {:?} at {}, {}", pixel, colour, x, y);
                }
            }
        }
    }
}
