//! The index: one walk over the codes of a scan, which tells where each MCU begins and what its DC
//! coefficients are, without decoding a single AC coefficient (ITU-T T.81 F.2.2).
//!
//! Promises: an [`Index`] exists only if the scan codes exactly the MCUs that its header promises, with
//! codes that exist, between restart markers in order. Whatever the bytes are, the walk ends, in time
//! proportional to their number and the picture's size, and reads none beyond the end.
//! Leaves values of AC coefficients to `compare`, writing to `splice` and `crop`.

#[cfg(feature = "trap")]
mod eighth;
mod stream;
mod walk;

use std::ops::Range;

pub use stream::Stream;

use super::{Error, Scan};

/// Where everything lies in a scan, and how bright its blocks are.
#[derive(Debug, Clone)]
pub struct Index {
    scan: Scan,
    stream: Stream,
    /// The bit of the stream at which each MCU begins.
    starts: Vec<u32>,
    /// The bit behind the last MCU of each restart interval; what is left of its byte is padding.
    ends: Vec<u32>,
    /// The DC coefficient of each block, in scan order.
    dcs: Vec<i16>,
}

impl Index {
    /// Walks the scan of `bytes`.
    pub fn build(bytes: &[u8], scan: Scan) -> Result<Self, Error> {
        let stream = Stream::read(bytes, &scan)?;
        let walk::Walked { starts, ends, dcs } = walk::walk(&scan, &stream)?;
        Ok(Self {
            scan,
            stream,
            starts,
            ends,
            dcs,
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
        self.starts.len()
    }

    /// The bits of the stream that code these MCUs, which must lie in one restart interval.
    pub fn bits(&self, mcus: Range<usize>) -> Range<u64> {
        let interval = self.scan.restart_interval.unwrap_or(self.mcus()).max(1);
        let end = match mcus.end.is_multiple_of(interval) || mcus.end == self.mcus() {
            true => self.ends[(mcus.end - 1) / interval],
            false => self.starts[mcus.end],
        };
        u64::from(self.starts[mcus.start])..u64::from(end)
    }

    /// The DC coefficients of one MCU's blocks, in scan order.
    pub fn dcs(&self, mcu: usize) -> &[i16] {
        let blocks = self.scan.blocks_per_mcu();
        &self.dcs[mcu * blocks..(mcu + 1) * blocks]
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

#[cfg(test)]
mod tests {
    use image::RgbImage;
    use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

    use super::*;
    use crate::jpeg::Layout;

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
}
