//! From the pixels of a region to the numbers that a network expects.
//!
//! Promises: shrinking averages over the area of each new pixel, growing is bilinear, each axis on
//! its own, the result rounded to whole grey levels: the same numbers, within one level, as the
//! resampling with which the networks' figures were measured (OpenCV's INTER_AREA and INTER_LINEAR);
//! one buffer serves all pictures. Leaves to the networks what their inputs look like (`manifest`).

use image::RgbImage;

use super::geometry::Rect;
use super::manifest::{Fit, Input, Layout, Order};
use crate::frame::Region;

/// Where a region of a picture lies in a network's input: input = region x scale + offset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    scale: [f32; 2],
    offset: [f32; 2],
    region: Region,
}

impl Placement {
    /// From edges in input pixels to a rectangle in pixels of the region, cut at its edges.
    pub fn to_region(self, [left, top, right, bottom]: [f32; 4]) -> Rect {
        let [left, top] = self.point_to_region([left, top]);
        let [right, bottom] = self.point_to_region([right, bottom]);
        let (w, h) = (self.region.width as f32, self.region.height as f32);
        let (left, top) = (left.clamp(0.0, w), top.clamp(0.0, h));
        Rect::from_edges(left, top, right.clamp(0.0, w), bottom.clamp(0.0, h))
    }

    /// The same, in pixels of the picture that holds the region.
    pub fn to_picture(self, edges: [f32; 4]) -> Rect {
        self.to_region(edges).shifted(self.region.origin())
    }

    /// A point of the input in pixels of the region.
    pub fn point_to_region(self, [x, y]: [f32; 2]) -> [f32; 2] {
        [
            (x - self.offset[0]) / self.scale[0],
            (y - self.offset[1]) / self.scale[1],
        ]
    }

    /// The region's size.
    pub fn region(self) -> Region {
        self.region
    }
}

/// One new pixel along one axis: which old ones it is made of.
#[derive(Debug, Clone, Copy)]
struct Tap {
    first: usize,
    weights: (usize, usize),
}

/// The weights of one axis.
#[derive(Debug, Default)]
struct Axis {
    taps: Vec<Tap>,
    weights: Vec<f32>,
}

impl Axis {
    fn set(&mut self, from: u32, to: u32) {
        self.taps.clear();
        self.weights.clear();
        let step = f64::from(from) / f64::from(to);
        for i in 0..to {
            let start = self.weights.len();
            let first = if to < from {
                self.area(f64::from(i) * step, step, from)
            } else {
                self.linear((f64::from(i) + 0.5) * step - 0.5, from)
            };
            self.taps.push(Tap {
                first,
                weights: (start, self.weights.len()),
            });
        }
    }

    /// Each old pixel counts by the share of it that the new one covers.
    fn area(&mut self, start: f64, step: f64, from: u32) -> usize {
        /// A sliver that comes of rounding is no coverage.
        const SLIVER: f64 = 1e-3;
        let end = (start + step).min(f64::from(from));
        let first = (start + SLIVER).floor();
        let last = (end - SLIVER).ceil().max(first + 1.0);
        let mut pixel = first;
        let begin = self.weights.len();
        while pixel < last {
            let covered = (pixel + 1.0).min(end) - pixel.max(start);
            self.weights.push(covered as f32);
            pixel += 1.0;
        }
        let sum: f32 = self.weights[begin..].iter().sum();
        self.weights[begin..].iter_mut().for_each(|w| *w /= sum);
        first as usize
    }

    /// Pixel centres lie at halves; beyond the outermost centre the outermost pixel goes on.
    fn linear(&mut self, at: f64, from: u32) -> usize {
        let at = at.clamp(0.0, f64::from(from - 1));
        let first = at.floor();
        let share = (at - first) as f32;
        self.weights.push(1.0 - share);
        if share > 0.0 {
            self.weights.push(share);
        }
        first as usize
    }

    fn weights(&self, tap: &Tap) -> &[f32] {
        &self.weights[tap.weights.0..tap.weights.1]
    }
}

/// The buffers of all this, kept between pictures.
#[derive(Debug, Default)]
pub struct Canvas {
    columns: Axis,
    rows: Axis,
    band: Vec<f32>,
    line: Vec<f32>,
    data: Vec<f32>,
    shape: [usize; 4],
}

impl Canvas {
    /// The tensor that was last painted.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// Its axes.
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// Brings a region to the network's own size. `region` must lie inside the picture and have pixels.
    pub fn paint(&mut self, picture: &RgbImage, region: Region, input: &Input) -> Placement {
        let (w, h) = (input.width, input.height);
        let (width, height) = match input.fit {
            Fit::Letterbox => {
                let scale =
                    (f64::from(w) / f64::from(region.width)).min(f64::from(h) / f64::from(region.height));
                (
                    scaled(region.width, scale, 1).min(w),
                    scaled(region.height, scale, 1).min(h),
                )
            }
            Fit::Stretch | Fit::Corner | Fit::Crop => (w, h),
        };
        let at = [(w - width) / 2, (h - height) / 2];
        self.place(picture, region, input, [w, h], [width, height], at)
    }

    /// Brings a region to this long side, padded on the right and below to the network's multiples.
    pub fn paint_corner(
        &mut self,
        picture: &RgbImage,
        region: Region,
        input: &Input,
        side: u32,
    ) -> Placement {
        /// Fewer pixels than this tell the network nothing, but a line must not become none.
        const LEAST: u32 = 8;
        let scale = f64::from(side) / f64::from(region.width.max(region.height));
        let (width, height) = (
            scaled(region.width, scale, LEAST),
            scaled(region.height, scale, LEAST),
        );
        let padded = [
            width.next_multiple_of(input.multiple),
            height.next_multiple_of(input.multiple),
        ];
        self.place(picture, region, input, padded, [width, height], [0, 0])
    }

    fn place(
        &mut self,
        picture: &RgbImage,
        region: Region,
        input: &Input,
        full: [u32; 2],
        size: [u32; 2],
        at: [u32; 2],
    ) -> Placement {
        self.blank(input, full, size);
        let writer = Writer::new(input, full, at);
        self.columns.set(region.width, size[0]);
        self.rows.set(region.height, size[1]);
        let width = region.width as usize * 3;
        self.band.resize(width, 0.0);
        self.line.resize(size[0] as usize * 3, 0.0);
        let stride = picture.width() as usize * 3;
        let origin = region.y as usize * stride + region.x as usize * 3;
        let pixels = picture.as_raw();
        for (y, tap) in self.rows.taps.iter().enumerate() {
            for (k, &weight) in self.rows.weights(tap).iter().enumerate() {
                let start = origin + (tap.first + k) * stride;
                add_row(&mut self.band, &pixels[start..start + width], weight, k == 0);
            }
            squeeze(&self.columns, &self.band, &mut self.line);
            writer.row(&mut self.data, y, &self.line);
        }
        Placement {
            scale: [
                size[0] as f32 / region.width as f32,
                size[1] as f32 / region.height as f32,
            ],
            offset: [at[0] as f32, at[1] as f32],
            region,
        }
    }

    /// Paints what lies around a point: `sides` pixels of the picture around `centre`, black outside it,
    /// sampled bilinearly as the outline network was trained to see.
    pub fn paint_square(&mut self, picture: &RgbImage, centre: [f32; 2], sides: [f32; 2], input: &Input) {
        let (w, h) = (input.width, input.height);
        self.blank(input, [w, h], [w, h]);
        let writer = Writer::new(input, [w, h], [0, 0]);
        let step = [sides[0] / w as f32, sides[1] / h as f32];
        let corner = [centre[0] - sides[0] / 2.0, centre[1] - sides[1] / 2.0];
        self.line.resize(w as usize * 3, 0.0);
        for row in 0..h {
            let y = corner[1] + (row as f32 + 0.5) * step[1] - 0.5;
            for column in 0..w {
                let x = corner[0] + (column as f32 + 0.5) * step[0] - 0.5;
                let cell = column as usize * 3;
                self.line[cell..cell + 3].copy_from_slice(&sample(picture, x, y));
            }
            writer.row(&mut self.data, row as usize, &self.line);
        }
    }

    /// Sets the shape, and the padding's colour where the picture will not reach.
    fn blank(&mut self, input: &Input, full: [u32; 2], size: [u32; 2]) {
        let [w, h] = full.map(|side| side as usize);
        self.data.resize(w * h * 3, 0.0);
        self.shape = match input.layout {
            Layout::Nhwc => [1, h, w, 3],
            Layout::Nchw => [1, 3, h, w],
        };
        if full == size {
            return;
        }
        let pad: [f32; 3] = std::array::from_fn(|c| (f32::from(input.pad) - input.mean[c]) / input.scale[c]);
        match input.layout {
            Layout::Nhwc => self
                .data
                .chunks_exact_mut(3)
                .for_each(|p| p.copy_from_slice(&pad)),
            Layout::Nchw => {
                let planes = self.data.chunks_exact_mut(w * h);
                planes.zip(pad).for_each(|(plane, value)| plane.fill(value));
            }
        }
    }
}

/// Python's `round`, as the reference uses it: halves to even.
fn scaled(side: u32, scale: f64, least: u32) -> u32 {
    ((f64::from(side) * scale).round_ties_even() as u32).max(least)
}

/// Adds one row of the picture to a band, or begins the band with it.
fn add_row(band: &mut [f32], row: &[u8], weight: f32, first: bool) {
    if first {
        band.iter_mut()
            .zip(row)
            .for_each(|(b, &p)| *b = weight * f32::from(p));
    } else {
        band.iter_mut()
            .zip(row)
            .for_each(|(b, &p)| *b += weight * f32::from(p));
    }
}

/// The same along the row.
fn squeeze(columns: &Axis, band: &[f32], line: &mut [f32]) {
    let band = band.as_chunks::<3>().0;
    for (tap, out) in columns.taps.iter().zip(line.as_chunks_mut::<3>().0) {
        let weights = columns.weights(tap);
        let mut sum = [0.0f32; 3];
        for (pixel, &weight) in band[tap.first..tap.first + weights.len()].iter().zip(weights) {
            for c in 0..3 {
                sum[c] += weight * pixel[c];
            }
        }
        *out = sum;
    }
}

/// One point between four pixels; black outside.
fn sample(picture: &RgbImage, x: f32, y: f32) -> [f32; 3] {
    let (w, h) = (picture.width() as f32, picture.height() as f32);
    if !(x > -1.0 && y > -1.0 && x < w && y < h) {
        return [0.0; 3];
    }
    let (left, top) = (x.floor(), y.floor());
    let (fx, fy) = (x - left, y - top);
    let mut sum = [0.0f32; 3];
    for (dx, dy, weight) in [
        (0.0, 0.0, (1.0 - fx) * (1.0 - fy)),
        (1.0, 0.0, fx * (1.0 - fy)),
        (0.0, 1.0, (1.0 - fx) * fy),
        (1.0, 1.0, fx * fy),
    ] {
        let (px, py) = (left + dx, top + dy);
        if px >= 0.0 && py >= 0.0 && px < w && py < h {
            let pixel = picture.get_pixel(px as u32, py as u32).0;
            for c in 0..3 {
                sum[c] += weight * f32::from(pixel[c]);
            }
        }
    }
    sum
}

/// Puts rows of red, green, blue where the tensor wants them, normalised.
struct Writer {
    layout: Layout,
    width: usize,
    plane: usize,
    at: [usize; 2],
    /// By colour red, green, blue: channel, factor, summand.
    channels: [(usize, f32, f32); 3],
}

impl Writer {
    fn new(input: &Input, full: [u32; 2], at: [u32; 2]) -> Self {
        let [width, height] = full.map(|side| side as usize);
        let channels = std::array::from_fn(|colour| {
            let channel = match input.order {
                Order::Rgb => colour,
                Order::Bgr => 2 - colour,
            };
            let factor = 1.0 / input.scale[channel];
            (channel, factor, -input.mean[channel] * factor)
        });
        Self {
            layout: input.layout,
            width,
            plane: width * height,
            at: at.map(|offset| offset as usize),
            channels,
        }
    }

    fn row(&self, data: &mut [f32], y: usize, line: &[f32]) {
        let line = line.as_chunks::<3>().0;
        let start = (self.at[1] + y) * self.width + self.at[0];
        match self.layout {
            Layout::Nhwc => {
                let out = data.as_chunks_mut::<3>().0[start..start + line.len()].iter_mut();
                for (out, pixel) in out.zip(line) {
                    for (&value, &(channel, factor, summand)) in pixel.iter().zip(&self.channels) {
                        out[channel] = whole(value) * factor + summand;
                    }
                }
            }
            Layout::Nchw => {
                for (colour, &(channel, factor, summand)) in self.channels.iter().enumerate() {
                    let out = &mut data[channel * self.plane + start..][..line.len()];
                    let values = line.iter().map(|pixel| whole(pixel[colour]) * factor + summand);
                    out.iter_mut().zip(values).for_each(|(out, value)| *out = value);
                }
            }
        }
    }
}

/// The nearest whole number of a value in 0..=255, halves to even. Adding and taking away 1.5 x 2^23
/// leaves an f32 no room for a fraction, and costs less than a call to the rounding function.
fn whole(value: f32) -> f32 {
    const NO_FRACTION: f32 = 12_582_912.0;
    (value + NO_FRACTION) - NO_FRACTION
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;
    use proptest::prelude::*;

    fn plain(width: u32, height: u32, fit: Fit) -> Input {
        Input {
            name: "image".into(),
            width,
            height,
            layout: Layout::Nhwc,
            order: Order::Rgb,
            fit,
            pad: 114,
            multiple: 32,
            mean: [0.0; 3],
            scale: [1.0; 3],
        }
    }

    /// The picture whose resampling by OpenCV 4 stands below.
    fn pattern(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            Rgb([x * 37 + y * 11, x * 5 + y * 71, x * y * 3].map(|v| (v % 256) as u8))
        })
    }

    #[test]
    fn resampling_gives_the_numbers_of_the_reference() {
        /// Input side, output side, some pixels, sum of all.
        type Case = ([u32; 2], [u32; 2], [(u32, u32, [f32; 3]); 4], f32);
        let cases: [Case; 4] = [
            (
                [37, 29],
                [16, 12],
                [
                    (0, 0, [34.0, 57.0, 2.0]),
                    (8, 6, [107.0, 149.0, 114.0]),
                    (15, 11, [70.0, 107.0, 127.0]),
                    (14, 1, [156.0, 129.0, 113.0]),
                ],
                71_054.0,
            ),
            (
                [37, 29],
                [18, 14],
                [
                    (0, 0, [26.0, 42.0, 1.0]),
                    (9, 7, [101.0, 139.0, 105.0]),
                    (17, 13, [78.0, 87.0, 116.0]),
                    (3, 12, [119.0, 61.0, 111.0]),
                ],
                93_264.0,
            ),
            (
                [40, 30],
                [20, 15],
                [
                    (0, 0, [24.0, 38.0, 1.0]),
                    (10, 7, [150.0, 108.0, 124.0]),
                    (19, 14, [202.0, 168.0, 156.0]),
                    (3, 13, [84.0, 122.0, 133.0]),
                ],
                111_222.0,
            ),
            (
                [37, 29],
                [50, 40],
                [
                    (0, 0, [0.0, 0.0, 0.0]),
                    (25, 20, [70.0, 87.0, 126.0]),
                    (49, 39, [104.0, 120.0, 208.0]),
                    (3, 38, [123.0, 165.0, 172.0]),
                ],
                739_994.0,
            ),
        ];
        let mut canvas = Canvas::default();
        for (from, to, pixels, sum) in cases {
            let picture = pattern(from[0], from[1]);
            canvas.paint(
                &picture,
                Region::whole(from[0], from[1]),
                &plain(to[0], to[1], Fit::Stretch),
            );
            assert_eq!(canvas.shape(), [1, to[1] as usize, to[0] as usize, 3]);
            for (x, y, want) in pixels {
                let at = ((y * to[0] + x) * 3) as usize;
                for (got, want) in canvas.data()[at..at + 3].iter().zip(want) {
                    assert!(
                        (got - want).abs() <= 1.0,
                        "{from:?} to {to:?} at {x},{y}: {got}, not {want}"
                    );
                }
            }
            let got: f32 = canvas.data().iter().sum();
            assert!(
                (got - sum).abs() / sum < 2e-3,
                "{from:?} to {to:?}: {got}, not {sum}"
            );
        }
    }

    #[test]
    fn a_part_is_painted_as_if_it_were_a_picture_of_its_own() {
        let picture = pattern(37, 29);
        let region = Region {
            x: 5,
            y: 7,
            width: 20,
            height: 15,
        };
        let own = image::imageops::crop_imm(&picture, 5, 7, 20, 15).to_image();
        let (mut a, mut b) = (Canvas::default(), Canvas::default());
        let input = plain(16, 16, Fit::Letterbox);
        a.paint(&picture, region, &input);
        b.paint(&own, Region::whole(20, 15), &input);
        assert_eq!(a.data(), b.data());
    }

    #[test]
    fn channels_are_ordered_and_normalised_as_asked_and_the_padding_too() {
        let picture = RgbImage::from_pixel(8, 4, Rgb([10, 20, 30]));
        let mut input = plain(8, 8, Fit::Letterbox);
        input.layout = Layout::Nchw;
        input.order = Order::Bgr;
        input.mean = [1.0, 2.0, 3.0];
        input.scale = [10.0, 5.0, 2.0];
        let mut canvas = Canvas::default();
        canvas.paint(&picture, Region::whole(8, 4), &input);
        let at = |channel: usize, y: usize| canvas.data()[channel * 64 + y * 8];
        // Two rows of padding above: 114 in each channel. Blue comes first.
        assert_eq!([at(0, 0), at(1, 0), at(2, 0)], [11.3, 22.4, 55.5]);
        for (channel, want) in [(0, 2.9), (1, 3.6), (2, 3.5)] {
            assert!((at(channel, 3) - want).abs() < 1e-4);
        }
    }

    #[test]
    fn what_was_painted_before_does_not_show_through_the_padding() {
        let mut canvas = Canvas::default();
        let input = plain(32, 32, Fit::Letterbox);
        canvas.paint(
            &RgbImage::from_pixel(9, 9, Rgb([255; 3])),
            Region::whole(9, 9),
            &input,
        );
        canvas.paint(
            &RgbImage::from_pixel(90, 3, Rgb([0; 3])),
            Region::whole(90, 3),
            &input,
        );
        assert_eq!(canvas.data()[0], 114.0);
    }

    #[test]
    fn outside_the_picture_a_square_is_black() {
        let picture = RgbImage::from_pixel(20, 20, Rgb([200; 3]));
        let mut canvas = Canvas::default();
        canvas.paint_square(&picture, [0.0, 0.0], [16.0; 2], &plain(8, 8, Fit::Crop));
        let at = |x: usize, y: usize| canvas.data()[(y * 8 + x) * 3];
        assert_eq!((at(0, 0), at(3, 7), at(7, 7)), (0.0, 0.0, 200.0));
        canvas.paint_square(
            &picture,
            [f32::NAN, 1e30],
            [f32::INFINITY; 2],
            &plain(8, 8, Fit::Crop),
        );
        assert!(canvas.data().iter().all(|&v| v == 0.0));
    }

    #[test]
    fn a_single_pixel_and_a_single_line_are_pictures_too() {
        let mut canvas = Canvas::default();
        for (w, h) in [(1, 1), (65_535, 1), (1, 65_535), (2, 3)] {
            let picture = RgbImage::from_pixel(w, h, Rgb([7; 3]));
            let region = Region::whole(w, h);
            for fit in [Fit::Letterbox, Fit::Stretch] {
                canvas.paint(&picture, region, &plain(64, 48, fit));
                assert!(canvas.data().contains(&7.0));
            }
            let place = canvas.paint_corner(&picture, region, &plain(0, 0, Fit::Corner), 320);
            assert!(canvas.shape().iter().all(|&side| side <= 320));
            assert!(place.to_picture([0.0, 0.0, 400.0, 400.0]).right() <= w as f32);
        }
    }

    proptest! {
        #[test]
        fn a_box_comes_back_from_the_input_to_where_it_was(
            width in 8..400u32,
            height in 8..400u32,
            edges in [0.0..=1.0f32, 0.0..=1.0, 0.0..=1.0, 0.0..=1.0],
            letterbox in any::<bool>(),
        ) {
            let fit = if letterbox { Fit::Letterbox } else { Fit::Stretch };
            let picture = RgbImage::new(width, height);
            let place = Canvas::default().paint(&picture, Region::whole(width, height), &plain(96, 64, fit));
            let (w, h) = (width as f32, height as f32);
            let [a, b, c, d] = edges;
            let there = [a.min(c) * w, b.min(d) * h, a.max(c) * w, b.max(d) * h];
            let input = [0, 1, 2, 3].map(|k| there[k] * place.scale[k % 2] + place.offset[k % 2]);
            let back = place.to_picture(input);
            for (got, want) in [back.x, back.y, back.right(), back.bottom()].iter().zip(there) {
                prop_assert!((got - want).abs() < 1e-2);
            }
        }

        #[test]
        fn whatever_a_network_answers_the_box_lies_in_the_region(edges in [any::<f32>(), any::<f32>(), any::<f32>(), any::<f32>()]) {
            let picture = RgbImage::new(50, 40);
            let region = Region { x: 10, y: 5, width: 30, height: 20 };
            let place = Canvas::default().paint(&picture, region, &plain(96, 64, Fit::Letterbox));
            let rect = place.to_picture(edges);
            if rect.is_sound() {
                prop_assert!(rect.x >= 10.0 && rect.y >= 5.0 && rect.right() <= 40.01 && rect.bottom() <= 25.01);
            }
        }
    }
}
