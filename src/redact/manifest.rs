//! The manifest: what a court needs to know of one redacted frame, without any of its pixels.
//!
//! Promises: written as JSON with its keys always in the same order, read back only if it is of this
//! version, has every field and no other. Only `redact` makes one. Leaves sealing it to the vault.

use serde::{Deserialize, Serialize};

use super::fill::Fill;
use super::mask::Runs;
use super::plan::{Flag, Found, Policy};
use crate::frame::Orientation;
use crate::frame::{BoxTime, CameraId, CameraTime, Digest, FrameSize};
use crate::jpeg::splice::Tables;

/// One redacted frame's facts, written as JSON beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form of this manifest.
    pub manifest: Version,
    /// The version of the program that redacted the frame.
    pub program: String,
    /// Whose frame.
    pub camera: CameraId,
    /// When, by whose clock.
    pub time: Times,
    /// What the camera wrote.
    pub original: File,
    /// What was made of it.
    pub redacted: File,
    /// Size of the stored picture, the same before and after.
    pub size: FrameSize,
    /// How it stands upright.
    pub orientation: Orientation,
    /// How the redacted file was made.
    pub redaction: Redaction,
    /// With which Huffman tables, where it was spliced.
    pub tables: Option<Tables>,
    /// Over the coefficients outside the mask (docs/formats.md §8), where they are the camera's own.
    pub coefficients: Option<Digest>,
    /// What was to be hidden.
    pub policy: Policy,
    /// What stands there now.
    pub fill: Fill,
    /// What is hidden, in MCUs of the original.
    pub mask: Runs,
    /// What is to be known about the mask.
    pub flags: Vec<Flag>,
    /// What was seen, in pixels of the upright frame.
    pub found: Found,
    /// By which networks.
    pub networks: Vec<Network>,
    /// The zones in force.
    pub zone: Digest,
    /// The version that this one stands for, where the desk hid more than the box.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<Former>,
}

impl Manifest {
    /// The manifest as it is stored and hashed.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// A manifest that was stored.
    pub fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }
}

/// The form of a manifest: 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Version;

impl From<Version> for u32 {
    fn from(_: Version) -> Self {
        1
    }
}

impl TryFrom<u32> for Version {
    type Error = String;
    fn try_from(version: u32) -> Result<Self, String> {
        match version {
            1 => Ok(Self),
            other => Err(format!("manifest version {other}; this program reads 1")),
        }
    }
}

/// A file's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Of all its bytes.
    pub sha256: Digest,
    /// How many.
    pub bytes: u64,
}

impl File {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self {
            sha256: Digest::of(bytes),
            bytes: bytes.len() as u64,
        }
    }
}

/// The version of a redacted frame in whose place another stands, that hides more. It was destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Former {
    /// Of its bytes.
    pub redacted: Digest,
    /// Of its manifest.
    pub manifest: Digest,
    /// What the desk's clock said when more was hidden.
    pub masked: BoxTime,
    /// The version of the program that hid more.
    pub program: String,
    /// Everything that was hidden at the desk, in this version and in those before it, in MCUs of the original.
    pub added: Runs,
}

/// Three facts about time, none of them corrected by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// What the camera's clock said when it took the frame.
    pub camera: Option<CameraTime>,
    /// What the box's clock said when it redacted the frame.
    #[serde(rename = "box")]
    pub redacted: BoxTime,
    /// Seconds to add to the camera's clock, as the city measured them.
    pub correction: i64,
}

impl Times {
    /// What the camera's clock should have said; nothing where it said nothing, or beyond all dates.
    pub fn corrected(&self) -> Option<CameraTime> {
        let CameraTime(said) = self.camera?;
        let correction = jiff::SignedDuration::from_secs(self.correction);
        said.checked_add(correction).ok().map(CameraTime)
    }
}

/// How a redacted file was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Redaction {
    /// Decoded, painted and encoded again.
    ReEncoded,
    /// Masked blocks replaced, all others byte for byte the camera's coefficients.
    Splice,
}

/// A network that was looked with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// What it was asked for.
    pub job: String,
    /// Of its file.
    pub sha256: Digest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cameras_time_is_corrected_as_the_city_measured_it_or_not_at_all() {
        let at = |text: &str| CameraTime(text.parse().expect("a time"));
        let corrected = |camera, correction| {
            let redacted = BoxTime(jiff::Timestamp::UNIX_EPOCH);
            Times {
                camera,
                redacted,
                correction,
            }
            .corrected()
        };
        let said = Some(at("2026-11-03T00:01:00"));
        assert_eq!(corrected(said, -125), Some(at("2026-11-02T23:58:55")));
        assert_eq!(corrected(said, 3600), Some(at("2026-11-03T01:01:00")));
        assert_eq!(corrected(said, i64::MAX), None);
        assert_eq!(corrected(None, 60), None);
    }
}
