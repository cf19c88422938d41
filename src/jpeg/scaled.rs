//! A part of a picture at 1/2, 1/4 or 1/8 of its size, straight from the coefficients.
//!
//! Promises: a pixel is the mean of what the inverse DCT (ITU-T T.81 A.3.3) gives for the samples it
//! stands for. That mean is a sum over the coefficients, so no sample is ever computed: each
//! coefficient that is not zero adds its share to the few pixels of its block. Beside what is returned
//! only a row of MCUs is held. Leaves pictures at full size to `crop` and a decoder.

use std::f32::consts::{FRAC_1_SQRT_2, PI};
use std::ops::Range;

use image::RgbImage;

use super::huffman::LookUp;
use super::index::{Index, Stream};
use super::scan::Part;
use crate::frame::FrameSize;

/// Zigzag order (T.81 figure A.6): row and column of each coefficient.
const ZIGZAG: [[u8; 2]; 64] = zigzag();

const fn zigzag() -> [[u8; 2]; 64] {
    let mut order = [[0; 2]; 64];
    let (mut row, mut column) = (0u8, 0u8);
    let mut k = 0;
    while k < 64 {
        order[k] = [row, column];
        // Even diagonals go up and to the right, odd ones down and to the left.
        let up = (row + column).is_multiple_of(2);
        let (ahead, aside) = if up { (column, row) } else { (row, column) };
        let (ahead, aside) = match (ahead, aside) {
            (7, _) => (7, aside + 1),
            (_, 0) => (ahead + 1, 0),
            _ => (ahead + 1, aside - 1),
        };
        (row, column) = if up { (aside, ahead) } else { (ahead, aside) };
        k += 1;
    }
    order
}

/// Most codes are no longer than this.
const SHORT: u16 = 10;

/// What is read and written of one component.
struct Plane {
    dc: LookUp,
    ac: LookUp,
    /// The same by the first bits alone, small enough for the fastest cache; 0 where they do not tell.
    short: LookUp,
    /// Blocks of one MCU, across and down.
    blocks: [usize; 2],
    /// Means of one block, across and down.
    means: [usize; 2],
    /// Pixels to one mean, across and down: more than one only where colour is coarser than the result.
    repeat: [usize; 2],
    /// The share of each coefficient, in zigzag order, in each mean; quantiser steps are in it.
    shares: Vec<f32>,
    /// A row of MCUs.
    pixels: Vec<f32>,
}

impl Plane {
    /// `unit`: blocks of the MCU at full resolution, across and down.
    fn new(part: &Part, unit: [usize; 2], factor: usize, columns: usize) -> Self {
        let pixels = [0, 1].map(|axis| 8 / factor * unit[axis] / part.blocks[axis]);
        let means = pixels.map(|count| count.min(8));
        let along = means.map(|count| (0..count).map(|i| weights(i, count)).collect::<Vec<_>>());
        let mut shares = Vec::with_capacity(64 * means[0] * means[1]);
        for (&[row, column], &step) in ZIGZAG.iter().zip(&part.quantiser) {
            for down in &along[1] {
                let share = |across: &[f32; 8]| {
                    f32::from(step) * down[usize::from(row)] * across[usize::from(column)]
                };
                shares.extend(along[0].iter().map(share));
            }
        }
        let mcu: usize = unit.iter().map(|blocks| blocks * 8 / factor).product();
        let ac = part.ac.look_up();
        let short = ac.iter().step_by(1 << (16 - SHORT));
        Self {
            dc: part.dc.look_up(),
            short: short
                .map(|entry| if entry >> 8 <= SHORT { *entry } else { 0 })
                .collect(),
            ac,
            blocks: part.blocks,
            means,
            repeat: [0, 1].map(|axis| pixels[axis] / means[axis]),
            shares,
            pixels: vec![0.0; columns * mcu],
        }
    }

    /// Reads one block of `N` means; the bit behind it. The index was built of these codes: they are sound.
    fn read<const N: usize>(&self, stream: &Stream, mut bit: u64, dc: i16, means: &mut [f32; N]) -> u64 {
        let shares = self.shares.as_chunks::<N>().0;
        let add = |means: &mut [f32; N], k: usize, value: f32| {
            if let Some(shares) = shares.get(k) {
                (0..N).for_each(|i| means[i] += shares[i] * value);
            }
        };
        means.fill(128.0);
        add(means, 0, f32::from(dc));
        let entry = self.dc[(stream.peek(bit) >> 48) as usize];
        bit += u64::from((entry >> 8) + (entry & 0xFF));
        let mut k = 1;
        while k < 64 {
            let window = stream.peek(bit);
            let entry = match self.short[(window >> (64 - SHORT)) as usize] {
                0 => self.ac[(window >> 48) as usize],
                entry => entry,
            };
            let entry = u32::from(entry);
            let (length, run, size) = (entry >> 8, (entry >> 4 & 15) as usize, entry & 15);
            bit += u64::from(length + size);
            if size > 0 {
                k += run;
                add(means, k, extended(window << length, size) as f32);
                k += 1;
            } else if run == 15 {
                k += 16;
            } else {
                break;
            }
        }
        bit
    }

    /// Reads the `at`-th MCU of a row of them, all of this component's blocks, and puts them in their places.
    fn read_blocks<const N: usize>(
        &mut self,
        index: &Index,
        mut bit: u64,
        dcs: &[i16],
        at: usize,
        width: usize,
    ) -> u64 {
        let [across, down] = [0, 1].map(|axis| self.means[axis] * self.repeat[axis]);
        let columns = self.blocks[0];
        let mut means = [0.0; N];
        for (block, &dc) in dcs.iter().enumerate() {
            bit = self.read(index.stream(), bit, dc, &mut means);
            let (column, row) = (block % columns, block / columns);
            self.put(&means, (at * columns + column) * across, row * down, width);
        }
        bit
    }

    /// Puts the means of one block where they belong.
    fn put(&mut self, means: &[f32], x: usize, y: usize, width: usize) {
        let [across, down] = self.means;
        let [repeat_across, repeat_down] = self.repeat;
        for (row, line) in means.chunks_exact(across).enumerate().take(down) {
            for copy in 0..repeat_down {
                let start = (y + row * repeat_down + copy) * width + x;
                let out = &mut self.pixels[start..start + across * repeat_across];
                match repeat_across {
                    1 => out.copy_from_slice(line),
                    _ => (out.chunks_exact_mut(repeat_across).zip(line)).for_each(|(out, m)| out.fill(*m)),
                }
            }
        }
    }
}

/// How much each of the eight coefficients along one axis adds to the `i`-th of `count` means.
fn weights(i: usize, count: usize) -> [f32; 8] {
    let samples = 8 / count;
    std::array::from_fn(|u| {
        let scale = if u == 0 { FRAC_1_SQRT_2 / 2.0 } else { 0.5 };
        let at = |x: usize| ((2 * x + 1) as f32 * u as f32 * PI / 16.0).cos();
        scale * (i * samples..(i + 1) * samples).map(at).sum::<f32>() / samples as f32
    })
}

/// EXTEND of T.81 F.2.2.1, of the first `size` bits, 1 to 15.
fn extended(bits: u64, size: u32) -> i32 {
    let value = (bits >> (64 - size)) as i32;
    match bits >> 63 {
        0 => value - (1 << size) + 1,
        _ => value,
    }
}

/// These columns and rows of MCUs of a picture of `size`, reduced by `factor`: 2, 4 or 8.
pub(super) fn scaled(
    index: &Index,
    columns: Range<u32>,
    rows: Range<u32>,
    factor: u32,
    size: FrameSize,
) -> RgbImage {
    let scan = index.scan();
    let [w, h] = scan.grid.unit.map(u32::from);
    let pixels = |mcus: &Range<u32>, unit: u32, side: u32| {
        ((mcus.end * unit).min(side) - mcus.start * unit).div_ceil(factor)
    };
    let (width, height) = (pixels(&columns, w, size.width), pixels(&rows, h, size.height));
    let unit = scan.grid.unit.map(|side| usize::from(side) / 8);
    let count = (columns.end - columns.start) as usize;
    let mut planes: Vec<_> = (scan.parts.iter())
        .map(|part| Plane::new(part, unit, factor as usize, count))
        .collect();
    let mut out = RgbImage::new(width, height);
    let stride = count * unit[0] * 8 / factor as usize;
    let lines = unit[1] * 8 / factor as usize;
    let bands = out.chunks_mut((3 * width as usize * lines).max(1));
    for (row, band) in rows.zip(bands) {
        let first = (row * scan.grid.columns + columns.start) as usize;
        for mcu in 0..count {
            read_mcu(index, first + mcu, &mut planes, mcu, stride);
        }
        for (y, line) in band.chunks_exact_mut(3 * width as usize).enumerate() {
            let plane = |part: usize| planes.get(part).map(|p| &p.pixels[y * stride..]);
            show(line, plane(0).unwrap_or_default(), plane(1).zip(plane(2)));
        }
    }
    out
}

/// Reads one MCU into the planes, as the `at`-th of its row.
fn read_mcu(index: &Index, mcu: usize, planes: &mut [Plane], at: usize, width: usize) {
    let mut bit = index.bits(mcu..mcu + 1).start;
    let mut dcs = index.dcs(mcu);
    for plane in planes {
        let (own, others) = dcs.split_at(plane.blocks[0] * plane.blocks[1]);
        dcs = others;
        // Known to the compiler, the number of means makes one addition of several.
        let read = match plane.means[0] * plane.means[1] {
            1 => Plane::read_blocks::<1>,
            2 => Plane::read_blocks::<2>,
            4 => Plane::read_blocks::<4>,
            8 => Plane::read_blocks::<8>,
            16 => Plane::read_blocks::<16>,
            32 => Plane::read_blocks::<32>,
            _ => Plane::read_blocks::<64>,
        };
        bit = read(plane, index, bit, own, at, width);
    }
}

/// One line of pixels (T.871 clause 7).
fn show(line: &mut [u8], luma: &[f32], chroma: Option<(&[f32], &[f32])>) {
    // `as` cuts off below 0 and above 255.
    let whole = |value: f32| (value + 0.5) as u8;
    let pixels = line.as_chunks_mut::<3>().0.iter_mut().zip(luma);
    match chroma {
        None => pixels.for_each(|(pixel, &y)| *pixel = [whole(y); 3]),
        Some((blue, red)) => {
            for ((pixel, &y), (&cb, &cr)) in pixels.zip(blue.iter().zip(red)) {
                let (cb, cr) = (cb - 128.0, cr - 128.0);
                *pixel = [
                    whole(y + 1.402 * cr),
                    whole(y - 0.344_136 * cb - 0.714_136 * cr),
                    whole(y + 1.772 * cb),
                ];
            }
        }
    }
}
