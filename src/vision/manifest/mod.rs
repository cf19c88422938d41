//! `models/manifest.toml`: which files the networks are, what they expect, at which scores we listen to them.
//!
//! Promises: an unknown key, an impossible number or a job that names a network it cannot use is
//! refused when the file is read; the bytes of a network are handed out only when their SHA-256 is
//! the one written there. Leaves fetching and converting to `make models`.

mod network;

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

pub use network::{
    Fit, Input, Layout, NanoDetFile, NanoDetOutputs, NetworkTable, Order, PlateFile, PlateOutputs, PoseFile,
    PoseOutputs, SsdFile, SsdOutputs, WholeFrame,
};

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
    /// A person over more than this share of the frame is believed only from this score on.
    pub large_person: WholeFrame,
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
    /// Side of the square, in the longer side of the person's box.
    pub crop: f32,
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
    /// Least score in one look.
    pub floor: f32,
    /// Least score after fusing.
    pub threshold: f32,
    /// Boxes that overlap by more are answers about one plate.
    pub nms_iou: f32,
    /// A box is no plate of its own if more of the smaller of it and a surer one lies in the other.
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
        if n.plates.stride == 0 || !n.plates.input.multiple.is_multiple_of(n.plates.stride) {
            return Err("network.plates: input.multiple must be a multiple of stride".into());
        }
        let shares = [
            ("scout.threshold", self.scout.threshold),
            ("scout.nms_iou", self.scout.nms_iou),
            ("guard.threshold", self.guard.threshold),
            ("guard.nms_iou", self.guard.nms_iou),
            ("listing.threshold", self.listing.threshold),
            ("listing.nms_iou", self.listing.nms_iou),
            ("listing.nms_inside", self.listing.nms_inside),
            ("listing.agreement", self.listing.agreement),
            ("plates.floor", self.plates.floor),
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

    /// File and SHA-256 of one that sees vehicles and persons.
    pub(in crate::vision) fn seer(&self, seer: Seer) -> (&Path, Digest) {
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
pub fn read_pinned(path: &Path, expected: &Digest) -> Result<Arc<[u8]>, Error> {
    let bytes = read_shared(path).map_err(missing_or_unreadable(path))?;
    as_pinned(path, expected, Digest::of(&bytes)).map(|()| bytes)
}

/// As long as the file says that it is; read where it will stay: a copy would be as large again.
fn read_shared(path: &Path) -> io::Result<Arc<[u8]>> {
    let mut file = fs::File::open(path)?;
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, length).collect();
    file.read_exact(Arc::make_mut(&mut bytes))?;
    Ok(bytes)
}

/// Whether a file is the pinned one; no more than a piece of it is in memory at a time.
pub fn check_pinned(path: &Path, expected: &Digest) -> Result<(), Error> {
    let got = fs::File::open(path)
        .and_then(Digest::of_all)
        .map_err(missing_or_unreadable(path))?;
    as_pinned(path, expected, got)
}

fn as_pinned(path: &Path, expected: &Digest, got: Digest) -> Result<(), Error> {
    if got == *expected {
        Ok(())
    } else {
        Err(Error::WrongHash {
            path: path.to_owned(),
            expected: *expected,
            got,
            make: "make models",
        })
    }
}

fn missing_or_unreadable(path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |e| match e.kind() {
        io::ErrorKind::NotFound => Error::ModelMissing {
            path: path.to_owned(),
        },
        _ => Error::Unreadable {
            path: path.to_owned(),
            message: e.to_string(),
        },
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const TEXT: &str = include_str!("../../../models/manifest.toml");

    /// What the repository ships.
    pub(in crate::vision) fn shipped() -> Manifest {
        Manifest::parse(TEXT).expect("the shipped manifest")
    }

    #[test]
    fn the_shipped_manifest_is_read_whole() {
        let manifest = shipped();
        let jobs: Vec<_> = manifest.used().into_iter().map(|(name, ..)| name).collect();
        for job in ["scout/", "guard/", "plates/", "silhouette/"] {
            assert!(jobs.iter().any(|name| name.starts_with(job)), "{job} in {jobs:?}");
        }
    }

    #[test]
    fn a_key_that_is_unknown_missing_or_impossible_is_refused_by_name() {
        for (from, to, word) in [
            ("[scout]", "[scout]\nthreshhold = 0.1", "threshhold"),
            ("[scout]", "[skout]", "skout"),
            ("overlap = 0.2", "", "overlap"),
            ("overlap = 0.2", "overlap = 0.9", "overlap"),
            ("tiles = 2", "tiles = 900", "tiles"),
            ("overlap = 0.2", "overlap = nan", "overlap"),
            ("\"nanodet_640x640\"]", "\"nanodet_9\"]", "nanodet_9"),
            ("width = 300", "width = 0", "width"),
            ("strides = [8, 16, 32]", "strides = [8, 16]", "stride"),
            (
                "scale = [127.5, 127.5, 127.5]",
                "scale = [127.5, 0.0, 127.5]",
                "scale",
            ),
            ("crop = 1.25", "crop = 0.0", "crop"),
            (
                "order = \"rgb\", fit = \"corner\"",
                "order = \"rgb\", fit = \"stretch\"",
                "fit",
            ),
        ] {
            assert!(TEXT.contains(from), "{from}");
            let refused = Manifest::parse(&TEXT.replacen(from, to, 1)).expect_err(to);
            assert!(refused.contains(word), "{to}: {refused}");
        }
    }

    #[test]
    fn bytes_are_handed_out_only_with_the_pinned_hash() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("net.onnx");
        fs::write(&path, b"weights").expect("write");
        let right = Digest::of(b"weights");
        assert_eq!(*read_pinned(&path, &right).expect("pinned"), *b"weights");
        let wrong = Digest::of(b"other weights");
        match read_pinned(&path, &wrong) {
            Err(Error::WrongHash { expected, got, .. }) => assert_eq!((expected, got), (wrong, right)),
            other => panic!("{other:?}"),
        }
        let missing = read_pinned(&folder.path().join("none.onnx"), &right);
        assert!(matches!(missing, Err(Error::ModelMissing { .. })));
        assert!(matches!(
            read_pinned(folder.path(), &right),
            Err(Error::Unreadable { .. })
        ));
    }
}
