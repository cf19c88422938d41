//! The 1/8 picture: the mean of each block, from its DC coefficient alone (ITU-T T.81 A.3.3: the DC
//! coefficient is eight times the mean of the block, less 128), in colour (T.871 clause 7).
//!
//! Promises: what a decoder that scales by 1/8 gives, but for rounding: means are kept to an eighth of a
//! level until they are a colour. A chroma block that spans several luma blocks gives each its colour.

use image::RgbImage;

use super::Index;

/// An eighth of a level: what a DC coefficient counts in, once it is multiplied by its quantiser.
const WHITE: i32 = 8 * 255;
const GREY: i32 = 8 * 128;

/// The colour transform's factors, in 1 / 2^16.
const RED_OF_CR: i32 = 91_881;
const GREEN_OF_CB: i32 = -22_554;
const GREEN_OF_CR: i32 = -46_802;
const BLUE_OF_CB: i32 = 116_130;

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
        let steps = [0, 1, 2].map(|part| self.scan.parts.get(part).map_or(0, |p| p.quantiser[0].into()));
        let mut eighths = vec![0; line];
        let bands = picture.chunks_mut((luma[1] * line).max(1));
        let dcs = self
            .found
            .dcs
            .chunks_exact(self.scan.grid.columns as usize * blocks);
        for (band, dcs) in bands.zip(dcs) {
            for (v, out) in band.chunks_exact_mut(line).enumerate() {
                row(dcs, v, steps, &mut eighths);
                for (level, eighths) in out.iter_mut().zip(&eighths) {
                    *level = ((eighths + 4) >> 3).clamp(0, 255) as u8;
                }
            }
        }
        picture
    }
}

/// One row of pixels, in eighths of a level, out of a row of MCUs of so many blocks, of which luma has so
/// many across: those of its `v`-th row of luma blocks. `steps` are the quantisers', by part.
fn row<const ACROSS: usize, const BLOCKS: usize>(dcs: &[i16], v: usize, steps: [i32; 3], out: &mut [i16]) {
    let mean = |dc: i16, step: i32| (GREY + i32::from(dc) * step).clamp(0, WHITE);
    let mcus = dcs.as_chunks::<BLOCKS>().0;
    for (mcu, pixels) in mcus.iter().zip(out.chunks_mut(3 * ACROSS)) {
        let tint = match mcu.last_chunk::<2>() {
            Some(&[cb, cr]) if BLOCKS > 2 => {
                let (cb, cr) = (mean(cb, steps[1]) - GREY, mean(cr, steps[2]) - GREY);
                let factors = [
                    RED_OF_CR * cr,
                    GREEN_OF_CB * cb + GREEN_OF_CR * cr,
                    BLUE_OF_CB * cb,
                ];
                factors.map(|sum| ((sum + (1 << 15)) >> 16) as i16)
            }
            _ => [0; 3],
        };
        let luma = mcu.as_chunks::<ACROSS>().0.get(v).unwrap_or(&[0; ACROSS]);
        for (dc, pixel) in luma.iter().zip(pixels.as_chunks_mut::<3>().0) {
            let level = mean(*dc, steps[0]) as i16;
            *pixel = tint.map(|tint| level + tint);
        }
    }
}

#[cfg(test)]
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
