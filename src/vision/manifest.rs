//! `models/manifest.toml`: which files the networks are, what they expect, at which scores we listen to them.
//!
//! Promises: an unknown key, an impossible number or a job that names a network it cannot use is
//! refused when the file is read; the bytes of a network are handed out only when their SHA-256 is
//! the one written there. Leaves fetching and converting to `make models`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Error;
use crate::frame::Digest;

/// The file's name inside the models folder.
pub const FILE: &str = "manifest.toml";

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The library that runs the networks.
    pub runtime: RuntimeFile,
    /// The networks, by name.
    pub network: NetworkTable,
    /// Every frame: is there a vehicle or a person at all.
    pub scout: Scout,
    /// Witnesses: every person.
    pub guard: Guard,
    /// What a list of the guard's boxes shows.
    pub listing: Listing,
    /// The outline of one person.
    pub silhouette: SilhouetteJob,
    /// Registration plates.
    pub plates: PlatesJob,
}

/// ONNX Runtime, pinned.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeFile {
    /// As its makers number it.
    pub version: String,
    /// Name inside `runtime/`.
    pub file: String,
    /// SPDX.
    pub licence: String,
    /// Where it was fetched.
    pub source: String,
    /// SHA-256 by processor.
    pub sha256: RuntimeDigests,
}

/// SHA-256 of the runtime by processor, in Rust's names of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeDigests {
    /// 64-bit Intel and AMD.
    pub x86_64: Digest,
    /// 64-bit ARM.
    pub aarch64: Digest,
}

impl RuntimeDigests {
    /// For the processor this program was built for.
    pub fn here(&self) -> &Digest {
        if cfg!(target_arch = "aarch64") {
            &self.aarch64
        } else {
            &self.x86_64
        }
    }
}

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

/// The networks that see vehicles and persons, by their names in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seer {
    /// See [`NetworkTable::ssd`].
    Ssd,
    /// See [`NetworkTable::nanodet_256x416`].
    #[serde(rename = "nanodet_256x416")]
    NanodetSmall,
    /// See [`NetworkTable::nanodet_640x640`].
    #[serde(rename = "nanodet_640x640")]
    NanodetLarge,
}

impl Seer {
    /// Its name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ssd => "ssd",
            Self::NanodetSmall => "nanodet_256x416",
            Self::NanodetLarge => "nanodet_640x640",
        }
    }
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

/// `[scout]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scout {
    /// Who looks.
    pub networks: Vec<Seer>,
    /// Least score.
    pub threshold: f32,
    /// Boxes of one kind that overlap by more are one.
    pub nms_iou: f32,
}

/// `[guard]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// Who looks.
    pub networks: Vec<Seer>,
    /// Least score.
    pub threshold: f32,
    /// Inside one network's answer to one picture or tile only.
    pub nms_iou: f32,
    /// The SSD looks at the whole and at `tiles` x `tiles` parts.
    pub tiles: u32,
    /// Share of a tile that its neighbour sees too.
    pub overlap: f64,
    /// How much a box is to be grown before it becomes a mask, a share of it on each side. For `redact`.
    pub grow: f32,
}

/// `[listing]`: how the guard's boxes become a list with each thing once.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Least score, after the following.
    pub threshold: f32,
    /// Boxes of one kind that overlap by more are one.
    pub nms_iou: f32,
    /// A vehicle of which more lies in another is a part of it.
    pub nms_inside: f32,
    /// How much of another look's score speaks for a box that it confirms, 0..=1.
    pub agreement: f32,
    /// Added to the log odds of the SSD's scores: it is sooner sure than NanoDet.
    pub ssd_logit: f32,
}

/// `[silhouette]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SilhouetteJob {
    /// Who looks.
    pub network: PoseName,
    /// A cell above this is body. For `redact`.
    pub threshold: f32,
    /// Side of the square, in the longer side of the person's box.
    pub crop: f32,
    /// How far the body is to be widened, a share of the person's height. For `redact`.
    pub dilate: f32,
}

/// The one network that draws outlines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoseName {
    /// See [`NetworkTable::pose_lite`].
    PoseLite,
}

/// `[plates]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatesJob {
    /// Who looks.
    pub network: PlateName,
    /// Least score.
    pub threshold: f32,
    /// Boxes that overlap by more are one.
    pub nms_iou: f32,
    /// Boxes of which the smaller lies in the other by more are one.
    pub nms_inside: f32,
}

/// The one network that finds plates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlateName {
    /// See [`NetworkTable::plates`].
    Plates,
}

impl Manifest {
    /// Reads `manifest.toml` of a models folder.
    pub fn read(models: &Path) -> Result<Self, Error> {
        let path = models.join(FILE);
        let text = fs::read_to_string(&path).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => Error::ModelMissing { path: path.clone() },
            _ => Error::Unreadable {
                path: path.clone(),
                message: e.to_string(),
            },
        })?;
        Self::parse(&text).map_err(|message| Error::Manifest { path, message })
    }

    /// From the file's text; the error says which key or number, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let manifest: Self = toml::from_str(text).map_err(|e| e.to_string())?;
        manifest.check()?;
        Ok(manifest)
    }

    /// What the types cannot say. It keeps the arithmetic that follows free of special cases.
    fn check(&self) -> Result<(), String> {
        let n = &self.network;
        let fixed = [Fit::Stretch, Fit::Letterbox];
        check_input("ssd", &n.ssd.input, &fixed)?;
        for (name, net) in [
            ("nanodet_256x416", &n.nanodet_256x416),
            ("nanodet_640x640", &n.nanodet_640x640),
        ] {
            check_input(name, &net.input, &fixed)?;
            let levels = net.strides.len();
            if net.outputs.scores.len() != levels || net.outputs.sides.len() != levels {
                return Err(format!("network.{name}: one output of each kind per stride"));
            }
            let (w, h) = (net.input.width, net.input.height);
            if net.strides.iter().any(|&s| s == 0 || w % s != 0 || h % s != 0) {
                return Err(format!(
                    "network.{name}: width and height must be multiples of each stride"
                ));
            }
        }
        check_input("pose_lite", &n.pose_lite.input, &[Fit::Crop])?;
        if n.pose_lite.input.width != n.pose_lite.input.height {
            return Err("network.pose_lite: the input must be a square".into());
        }
        check_input("plates", &n.plates.input, &[Fit::Corner])?;
        if n.plates.stride == 0 || n.plates.input.multiple % n.plates.stride != 0 {
            return Err("network.plates: input.multiple must be a multiple of stride".into());
        }
        let shares = [
            ("scout.threshold", self.scout.threshold),
            ("scout.nms_iou", self.scout.nms_iou),
            ("guard.threshold", self.guard.threshold),
            ("guard.nms_iou", self.guard.nms_iou),
            ("guard.grow", self.guard.grow),
            ("listing.threshold", self.listing.threshold),
            ("listing.nms_iou", self.listing.nms_iou),
            ("listing.nms_inside", self.listing.nms_inside),
            ("listing.agreement", self.listing.agreement),
            ("silhouette.threshold", self.silhouette.threshold),
            ("silhouette.dilate", self.silhouette.dilate),
            ("plates.threshold", self.plates.threshold),
            ("plates.nms_iou", self.plates.nms_iou),
            ("plates.nms_inside", self.plates.nms_inside),
            ("network.ssd.whole_frame.share", n.ssd.whole_frame.share),
            ("network.ssd.whole_frame.below", n.ssd.whole_frame.below),
        ];
        for (key, value) in shares {
            if !(0.0..=1.0).contains(&value) {
                return Err(format!("{key}: {value} is not 0 to 1"));
            }
        }
        if !(1..=8).contains(&self.guard.tiles) || !(0.0..=0.5).contains(&self.guard.overlap) {
            return Err("guard: tiles must be 1 to 8 and overlap 0 to 0.5".into());
        }
        if !self.listing.ssd_logit.is_finite() {
            return Err("listing.ssd_logit must be a number".into());
        }
        if !(1.0..=4.0).contains(&self.silhouette.crop) {
            return Err("silhouette.crop must be 1 to 4".into());
        }
        if self.scout.networks.is_empty() || self.guard.networks.is_empty() {
            return Err("scout.networks and guard.networks must each name a network".into());
        }
        Ok(())
    }

    /// Every network that a job uses, as `job/network`, with its file and SHA-256.
    pub fn used(&self) -> Vec<(String, &Path, Digest)> {
        let seer = |job: &str, seer: &Seer| {
            let (file, digest) = self.seer(*seer);
            (format!("{job}/{}", seer.name()), file, digest)
        };
        let mut used: Vec<_> = self.scout.networks.iter().map(|n| seer("scout", n)).collect();
        used.extend(self.guard.networks.iter().map(|n| seer("guard", n)));
        let plates = &self.network.plates;
        used.push(("plates/plates".into(), &plates.file, plates.sha256));
        let pose = &self.network.pose_lite;
        used.push(("silhouette/pose_lite".into(), &pose.file, pose.sha256));
        used
    }

    fn seer(&self, seer: Seer) -> (&Path, Digest) {
        let n = &self.network;
        match seer {
            Seer::Ssd => (&n.ssd.file, n.ssd.sha256),
            Seer::NanodetSmall => (&n.nanodet_256x416.file, n.nanodet_256x416.sha256),
            Seer::NanodetLarge => (&n.nanodet_640x640.file, n.nanodet_640x640.sha256),
        }
    }
}

fn check_input(name: &str, input: &Input, fits: &[Fit]) -> Result<(), String> {
    if !fits.contains(&input.fit) {
        return Err(format!(
            "network.{name}.input.fit: not a way in which this network looks"
        ));
    }
    let sized = (1..=4096).contains(&input.width) && (1..=4096).contains(&input.height);
    if input.fit != Fit::Corner && !sized {
        return Err(format!(
            "network.{name}.input: width and height must be 1 to 4096"
        ));
    }
    if !(1..=256).contains(&input.multiple) {
        return Err(format!("network.{name}.input.multiple must be 1 to 256"));
    }
    if input.scale.iter().any(|s| !s.is_normal()) || input.mean.iter().any(|m| !m.is_finite()) {
        return Err(format!(
            "network.{name}.input: mean and scale must be numbers, scale not 0"
        ));
    }
    Ok(())
}

/// The bytes of a file, if they are the pinned ones. What is hashed is what is handed out, so the
/// file cannot change in between.
pub fn read_pinned(path: &Path, expected: &Digest) -> Result<Vec<u8>, Error> {
    let bytes = fs::read(path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => Error::ModelMissing {
            path: path.to_owned(),
        },
        _ => Error::Unreadable {
            path: path.to_owned(),
            message: e.to_string(),
        },
    })?;
    let got = Digest::of(&bytes);
    if got == *expected {
        Ok(bytes)
    } else {
        Err(Error::WrongHash {
            path: path.to_owned(),
            expected: *expected,
            got,
            make: "make models",
        })
    }
}
