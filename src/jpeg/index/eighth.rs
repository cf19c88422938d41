//! The 1/8 picture: the mean of each block of luma, from its DC coefficient alone (ITU-T T.81 A.3.3:
//! the DC coefficient is eight times the mean of the block, less 128).

use image::{Rgb, RgbImage};

use super::Index;

impl Index {
    /// One pixel for each 8 x 8 of the stored picture.
    pub fn eighth(&self, width: u32, height: u32) -> RgbImage {
        let [across, down] = self.scan.parts[0].blocks;
        let columns = self.scan.grid.columns as usize;
        let luma = across * down;
        let mean = |part: usize, dc: i16| {
            128.0 + f32::from(dc) * f32::from(self.scan.parts[part].quantiser[0]) / 8.0
        };
        RgbImage::from_fn(width.div_ceil(8), height.div_ceil(8), |x, y| {
            let (x, y) = (x as usize, y as usize);
            let dcs = self.dcs(y / down * columns + x / across);
            let y = mean(0, dcs[y % down * across + x % across]);
            let [r, g, b] = match dcs.get(luma..) {
                Some(&[cb, cr]) => {
                    let (cb, cr) = (mean(1, cb) - 128.0, mean(2, cr) - 128.0);
                    // T.871 clause 7.
                    [
                        y + 1.402 * cr,
                        y - 0.344_136 * cb - 0.714_136 * cr,
                        y + 1.772 * cb,
                    ]
                }
                _ => [y; 3],
            };
            Rgb([r, g, b].map(|c| c.round().clamp(0.0, 255.0) as u8))
        })
    }
}
