//! `[network.*]`: what each network is, expects and answers.
//!
//! Promises: the form only; whether the numbers can be is checked where the file is read.

use std::path::PathBuf;

use serde::Deserialize;

use crate::frame::Digest;

/// The networks we know how to read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkTable {
    /// SSD MobileNetV2 (Open Images).
    pub ssd: SsdFile,
    /// NanoDet-g for a small wide picture.
    pub nanodet_256x416: NanoDetFile,
    /// NanoDet-g for a large picture.
    pub nanodet_640x640: NanoDetFile,
    /// BlazePose lite.
    pub pose_lite: PoseFile,
    /// Our own.
    pub plates: PlateFile,
}

/// How a tensor's axes lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Row, column, channel.
    Nhwc,
    /// Channel, row, column.
    Nchw,
}

/// Which colour comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// How a picture is brought to the network's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// Each side on its own.
    Stretch,
    /// One scale, centred, padded.
    Letterbox,
    /// One scale to a long side that the job picks, at the origin, padded to multiples.
    Corner,
    /// A square around one person, black outside the picture.
    Crop,
}

/// What a network expects: each channel becomes `(p - mean) / scale` for `p` in 0..=255.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The tensor's name.
    pub name: String,
    /// Columns; absent where the job picks the size.
    #[serde(default)]
    pub width: u32,
    /// Rows; absent where the job picks the size.
    #[serde(default)]
    pub height: u32,
    /// Axes.
    pub layout: Layout,
    /// Channels.
    pub order: Order,
    /// Resizing.
    pub fit: Fit,
    /// What the padding shows, 0..=255.
    #[serde(default)]
    pub pad: u8,
    /// With [`Fit::Corner`], both sides are padded to multiples of this.
    #[serde(default = "one")]
    pub multiple: u32,
    /// By channel, in the order of `order`.
    pub mean: [f32; 3],
    /// By channel, in the order of `order`.
    pub scale: [f32; 3],
}

fn one() -> u32 {
    1
}

/// An SSD with Open Images classes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SsdFile {
    /// Inside the models folder.
    pub file: PathBuf,
    /// Of the file.
    pub sha256: Digest,
    /// SPDX.
    pub licence: String,
    /// Where it was fetched.
    pub source: String,
    /// What it expects.
    pub input: Input,
    /// What it answers.
    pub outputs: SsdOutputs,
    /// Its classes that are vehicles.
    pub vehicle: Vec<usize>,
    /// Its classes that are people.
    pub person: Vec<usize>,
    /// Its largest anchors fire on empty pictures.
    pub whole_frame: WholeFrame,
}

/// Names of an SSD's outputs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SsdOutputs {
    /// Places relative to anchors.
    pub boxes: String,
    /// Scores before the sigmoid.
    pub logits: String,
}

/// A box over more than `share` of what was looked at, with a score less than `below`, is dropped.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WholeFrame {
    /// Of the picture or tile, 0..=1.
    pub share: f32,
    /// Score, 0..=1.
    pub below: f32,
}

/// A NanoDet with COCO classes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NanoDetFile {
    /// Inside the models folder.
    pub file: PathBuf,
    /// Of the file.
    pub sha256: Digest,
    /// SPDX.
    pub licence: String,
    /// Where it was fetched.
    pub source: String,
    /// What it expects.
    pub input: Input,
    /// What it answers.
    pub outputs: NanoDetOutputs,
    /// Pixels per cell of each pair of outputs.
    pub strides: Vec<u32>,
    /// Its classes that are vehicles.
    pub vehicle: Vec<usize>,
    /// Its classes that are people.
    pub person: Vec<usize>,
}

/// Names of a NanoDet's outputs, one each per stride.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NanoDetOutputs {
    /// Scores after the sigmoid.
    pub scores: Vec<String>,
    /// Distributions of the four distances.
    pub sides: Vec<String>,
}

/// BlazePose, for its mask.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoseFile {
    /// Inside the models folder.
    pub file: PathBuf,
    /// Of the file.
    pub sha256: Digest,
    /// SPDX.
    pub licence: String,
    /// Where it was fetched.
    pub source: String,
    /// What it expects.
    pub input: Input,
    /// What it answers.
    pub outputs: PoseOutputs,
}

/// Names of BlazePose's outputs that we read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoseOutputs {
    /// How surely each cell is body, 0..=1.
    pub mask: String,
}

/// Our plate network.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlateFile {
    /// Inside the models folder.
    pub file: PathBuf,
    /// Of the file.
    pub sha256: Digest,
    /// SPDX.
    pub licence: String,
    /// Who trained it.
    pub source: String,
    /// What it expects.
    pub input: Input,
    /// What it answers.
    pub outputs: PlateOutputs,
    /// Input pixels per cell.
    pub stride: u32,
}

/// Names of the plate network's outputs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlateOutputs {
    /// Scores after the sigmoid.
    pub heat: String,
    /// Distances from the cell's centre to the four sides, input pixels.
    pub sides: String,
    /// Corners as shares of the box.
    pub corners: String,
}
