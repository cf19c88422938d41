//! Camera-sized JPEGs, made by rule: the same bytes on every machine, no one and no place in them.
//!
//! A trap's view has a smooth sky, foliage, gravel, a road, walls with hard edges and some heaped objects. What the
//! entropy coder meets is set by how much of each there is and by the lens: the finest detail is two to three pixels
//! wide, as behind a real lens, and the sensor's noise is faint, as after a camera's own filter. The amounts were
//! chosen so that a frame has the bytes per pixel of trap cameras (some 1.7 bits at 4:2:2, quality 88).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use image::RgbImage;
use image::imageops::{self, FilterType};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// One made frame.
#[derive(Clone, Copy)]
pub struct Frame {
    pub name: &'static str,
    pub width: u16,
    pub height: u16,
    pub quality: u8,
    pub sampling: Sampling,
    /// MCUs between restart markers; 0: none.
    pub restart_interval: u16,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    Grey,
    S422,
    S420,
}

const fn frame(name: &'static str, [width, height]: [u16; 2], quality: u8, sampling: Sampling) -> Frame {
    Frame {
        name,
        width,
        height,
        quality,
        sampling,
        restart_interval: 0,
    }
}

/// The frame that the targets speak of.
pub const MAIN: Frame = frame("20mp-422", [5472, 3648], 88, Sampling::S422);
/// The frame whose memory the targets speak of.
pub const LARGEST: Frame = frame("24mp-422", [6000, 4000], 88, Sampling::S422);

/// The frame whose memory on a small board the targets speak of.
pub const SMALL_BOARD: Frame = frame("12mp-420", [4032, 3024], 90, Sampling::S420);

/// Sizes, samplings and restart intervals that trap cameras write; [`MAIN`] first.
pub const ALL: [Frame; 10] = [
    MAIN,
    Frame {
        name: "20mp-422-rst",
        // A row of MCUs, as cameras do that write restart markers.
        restart_interval: 342,
        ..MAIN
    },
    frame("20mp-420", [5472, 3648], 88, Sampling::S420),
    frame("20mp-grey", [5472, 3648], 88, Sampling::Grey),
    LARGEST,
    frame("24mp-420", [6000, 4000], 88, Sampling::S420),
    SMALL_BOARD,
    Frame {
        name: "12mp-420-rst",
        restart_interval: 252,
        ..SMALL_BOARD
    },
    frame("5mp-422", [2592, 1944], 85, Sampling::S422),
    frame("5mp-grey", [2592, 1944], 85, Sampling::Grey),
];

impl Frame {
    pub fn megapixels(&self) -> f64 {
        f64::from(self.width) * f64::from(self.height) / 1e6
    }

    /// The file in `folder`, made if it is not there. Its name counts changes of the scene, so that one makes new files.
    pub fn file(&self, folder: &Path, busy: bool) -> io::Result<PathBuf> {
        let busy_name = if busy { "-busy" } else { "" };
        let path = folder.join(format!("{}{busy_name}-v{SCENE}.jpg", self.name));
        if !path.is_file() {
            fs::create_dir_all(folder)?;
            let mut scene = scene(self.width, self.height);
            if busy {
                unload_a_van(&mut scene);
            }
            let whole = path.with_extension("part");
            fs::write(&whole, self.encode(&scene))?;
            fs::rename(whole, &path)?;
        }
        Ok(path)
    }

    fn encode(&self, scene: &RgbImage) -> Vec<u8> {
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, self.quality);
        encoder.set_sampling_factor(match self.sampling {
            Sampling::Grey => SamplingFactor::F_1_1,
            Sampling::S422 => SamplingFactor::F_2_1,
            Sampling::S420 => SamplingFactor::F_2_2,
        });
        if self.restart_interval > 0 {
            encoder.set_restart_interval(self.restart_interval);
        }
        match self.sampling {
            Sampling::Grey => {
                let luma: Vec<u8> = scene.pixels().map(|p| p[1]).collect();
                encoder.encode(&luma, self.width, self.height, ColorType::Luma)
            }
            _ => encoder.encode(scene, self.width, self.height, ColorType::Rgb),
        }
        .expect("sizes and samplings of the table can be encoded");
        jpeg
    }
}

/// Pastes the van and the two walkers of the sample card's `IMG_0008.JPG` onto the road, at twice their size.
fn unload_a_van(scene: &mut RgbImage) {
    let sample = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/testdata/card/DCIM/100MEDIA/IMG_0008.JPG"
    );
    let sample = image::open(sample).expect("the sample card is there").into_rgb8();
    let group = imageops::crop_imm(&sample, 216, 430, 964, 555).to_image();
    let group = imageops::resize(&group, 2 * 964, 2 * 555, FilterType::Triangle);
    let [left, top] = [scene.width() * 2 / 5, scene.height() * 11 / 20].map(i64::from);
    imageops::replace(scene, &group, left, top);
}

/// Counts changes of the scene.
const SCENE: u32 = 1;

/// Smooth noise in -1..1 whose detail is `cell` pixels wide: values at lattice points, smoothstep between.
struct Noise {
    cell: f32,
    seed: u32,
    row: Vec<f32>,
}

fn lattice(x: u32, y: u32, seed: u32) -> f32 {
    let mut h = x
        .wrapping_mul(0x9E37_79B1)
        .wrapping_add(y.wrapping_mul(0x85EB_CA77))
        .wrapping_add(seed.wrapping_mul(0xC2B2_AE3D));
    h = (h ^ h >> 15).wrapping_mul(0x2C1B_3C6D);
    h = (h ^ h >> 12).wrapping_mul(0x297A_2D39);
    h ^= h >> 15;
    h as f32 / 2_147_483_648.0 - 1.0
}

impl Noise {
    fn new(cell: f32, seed: u32, width: u16) -> Self {
        Self {
            cell,
            seed,
            row: vec![0.0; usize::from(width)],
        }
    }

    /// Fills the row `y`.
    fn at(&mut self, y: u32) -> &[f32] {
        let v = y as f32 / self.cell;
        let (top, down) = (v as u32, smooth(v.fract()));
        let mix = |x| {
            let (a, b) = (lattice(x, top, self.seed), lattice(x, top + 1, self.seed));
            a + (b - a) * down
        };
        let (mut column, mut left, mut right) = (0, mix(0), mix(1));
        for (x, value) in self.row.iter_mut().enumerate() {
            let u = x as f32 / self.cell;
            while u as u32 > column {
                column += 1;
                (left, right) = (right, mix(column + 1));
            }
            *value = left + (right - left) * smooth(u.fract());
        }
        &self.row
    }
}

fn smooth(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}

/// A part of the view: its colour, how rough its light and colour are by width of detail, and its slow shading.
struct Surface {
    colour: [f32; 3],
    /// Amplitudes of detail 2.6, 6, 16, 50 and 200 pixels wide.
    rough: [f32; 5],
    tint: f32,
}

const CELLS: [f32; 5] = [2.6, 6.0, 16.0, 50.0, 200.0];

const SKY: Surface = Surface {
    colour: [168.0, 190.0, 214.0],
    rough: [0.0, 0.0, 0.4, 2.0, 9.0],
    tint: 3.8,
};
const FOLIAGE: Surface = Surface {
    colour: [74.0, 92.0, 52.0],
    rough: [25.0, 30.0, 24.0, 18.0, 20.0],
    tint: 18.2,
};
const GRAVEL: Surface = Surface {
    colour: [140.0, 132.0, 120.0],
    rough: [24.0, 14.0, 6.0, 5.0, 8.0],
    tint: 7.4,
};
const ROAD: Surface = Surface {
    colour: [112.0, 112.0, 114.0],
    rough: [7.0, 3.5, 2.0, 3.0, 6.0],
    tint: 3.8,
};
const WALL: Surface = Surface {
    colour: [176.0, 160.0, 140.0],
    rough: [2.5, 2.5, 2.0, 3.0, 5.0],
    tint: 5.6,
};
const GLASS: Surface = Surface {
    colour: [46.0, 54.0, 62.0],
    rough: [0.5, 1.0, 2.0, 6.0, 14.0],
    tint: 5.6,
};
const HEAP: Surface = Surface {
    colour: [120.0, 104.0, 96.0],
    rough: [14.0, 18.0, 24.0, 30.0, 16.0],
    tint: 45.2,
};

/// What is seen at `u`, `v` in 0..1; `edge` roughens outlines.
fn surface(u: f32, v: f32, edge: f32) -> &'static Surface {
    let in_box = |x: f32, y: f32, w: f32, h: f32| u >= x && u < x + w && v >= y && v < y + h;
    if in_box(0.62, 0.12, 0.26, 0.38) {
        let (column, row) = ((u - 0.62) / 0.052, (v - 0.12) / 0.095);
        let pane = (0.25..0.75).contains(&column.fract()) && (0.2..0.8).contains(&row.fract());
        return if pane { &GLASS } else { &WALL };
    }
    let heap = ((u - 0.3) / 0.11).powi(2) + ((v - 0.66) / 0.09).powi(2);
    if heap < 1.0 + edge {
        return &HEAP;
    }
    if v < 0.24 + 0.05 * edge {
        return &SKY;
    }
    if v < 0.5 + 0.02 * edge || u < 0.06 + 0.04 * edge {
        return &FOLIAGE;
    }
    // The road narrows towards the horizon.
    let middle = 0.55 + 0.1 * (v - 0.5);
    if (u - middle).abs() < 0.12 + 0.5 * (v - 0.5) {
        &ROAD
    } else {
        &GRAVEL
    }
}

/// The whole view.
fn scene(width: u16, height: u16) -> RgbImage {
    let mut detail: Vec<_> = (0..)
        .zip(CELLS)
        .map(|(n, cell)| Noise::new(cell, n, width))
        .collect();
    let mut tints = [5, 6].map(|n| Noise::new(4.5, n, width));
    let mut edges = Noise::new(f32::from(width) / 40.0, 7, width);
    let mut sensor = Noise::new(1.7, 8, width);
    let mut out = Vec::with_capacity(3 * usize::from(width) * usize::from(height));
    for y in 0..u32::from(height) {
        let v = y as f32 / f32::from(height);
        let layers: Vec<&[f32]> = detail.iter_mut().map(|n| n.at(y)).collect();
        let [warm, cool] = tints.each_mut().map(|n| n.at(y));
        let (edge, sensor) = (edges.at(y), sensor.at(y));
        for x in 0..usize::from(width) {
            let seen = surface(x as f32 / f32::from(width), v, edge[x]);
            let rough = layers.iter().zip(seen.rough).map(|(layer, a)| a * layer[x]);
            let light = rough.sum::<f32>() + 2.6 * sensor[x] + 24.0 * (0.5 - v);
            let [r, g, b] = seen.colour;
            let (warm, cool) = (seen.tint * warm[x], seen.tint * cool[x]);
            out.extend([r + light + warm, g + light, b + light + cool].map(|c| c.clamp(0.0, 255.0) as u8));
        }
    }
    RgbImage::from_raw(width.into(), height.into(), out).expect("three bytes to a pixel")
}
