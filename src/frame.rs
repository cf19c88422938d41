//! The names of things: what identifies a frame, a camera, an event, and which clock said so.
//!
//! Promises: a frame is its camera and the SHA-256 of its bytes, nothing else, so the same bytes are
//! never looked at twice; camera time and box time are different types, so one is never compared
//! with the other by accident. Leaves reading clocks, files and EXIF to those who do I/O.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use jiff::civil::{DateTime, Time, date};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What a name or number was refused for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A camera id is 1 to 32 of `a-z`, `0-9` and `-`: it becomes part of names and of journal lines.
    #[error("camera id {0:?}: use 1 to 32 of a-z, 0-9 and '-', starting with a letter or digit")]
    CameraId(String),
    /// Not the hexadecimal form of the right length.
    #[error("{0:?} is not {1} hexadecimal digits")]
    Hex(String, usize),
}

/// A camera, as the city calls it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CameraId(String);

impl CameraId {
    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CameraId {
    type Error = Error;
    fn try_from(name: String) -> Result<Self, Error> {
        let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        let ok = (1..=32).contains(&name.len())
            && name.bytes().all(|c| plain(c) || c == b'-')
            && name.bytes().next().is_some_and(plain);
        if ok {
            Ok(Self(name))
        } else {
            Err(Error::CameraId(name))
        }
    }
}

impl FromStr for CameraId {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self, Error> {
        name.to_owned().try_into()
    }
}

impl From<CameraId> for String {
    fn from(id: CameraId) -> Self {
        id.0
    }
}

impl fmt::Display for CameraId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A SHA-256 (FIPS 180-4), written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Of all that can be read from here, a piece at a time.
    pub fn of_all(mut from: impl Read) -> io::Result<Self> {
        let mut hash = Sha256::new();
        let mut piece = vec![0; 64 << 10];
        loop {
            match from.read(&mut piece) {
                Ok(0) => return Ok(Self(hash.finalize().into())),
                Ok(length) => hash.update(&piece[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// From its 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| Error::Hex(text.to_owned(), 64))?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// An event, 16 hexadecimal digits. It follows from the camera and the event's first frame, so a scan
/// that is killed and run again finds the same events under the same names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventId([u8; 8]);

impl EventId {
    /// The event of `camera` that begins with the frame `first`.
    pub fn of(camera: &CameraId, first: &Digest) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"vigie event\0");
        hash.update(camera.as_str());
        hash.update(b"\0");
        hash.update(first.as_bytes());
        let mut id = [0; 8];
        id.copy_from_slice(&hash.finalize()[..8]);
        Self(id)
    }

    /// From its 8 bytes.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// Its 8 bytes.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for EventId {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let mut bytes = [0; 8];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| Error::Hex(text.to_owned(), 16))?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for EventId {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<EventId> for String {
    fn from(id: EventId) -> Self {
        id.to_string()
    }
}

/// What the camera's own clock said: a date and an hour without a zone (EXIF 2.32, DateTimeOriginal).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CameraTime(pub jiff::civil::DateTime);

/// What the box's clock says: an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BoxTime(pub jiff::Timestamp);

/// Before this, a clock was never set: no box that runs this program is older.
pub const FIRST_PLAUSIBLE: DateTime = date(2020, 1, 1).to_datetime(Time::midnight());

impl BoxTime {
    /// Whether the clock that said so had been set at all.
    pub fn is_set(self) -> bool {
        TimeZone::UTC.to_datetime(self.0) >= FIRST_PLAUSIBLE
    }
}

impl fmt::Display for CameraTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for BoxTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Width and height in pixels of a whole frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FrameSize {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

/// A rectangle of whole pixels of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Left column.
    pub x: u32,
    /// Top row.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Region {
    /// All of a picture of this size.
    pub fn whole(width: u32, height: u32) -> Self {
        Self {
            x: 0,
            y: 0,
            width,
            height,
        }
    }

    /// The longer of its sides.
    pub fn long_side(&self) -> u32 {
        self.width.max(self.height)
    }

    /// The part of it inside a picture of this size; nowhere else than inside, and at least one pixel
    /// where the picture has one.
    pub fn clipped(&self, size: FrameSize) -> Self {
        let side = |start: u32, length: u32, full: u32| {
            let start = start.min(full.saturating_sub(1));
            (start, length.max(1).min(full - start))
        };
        let (x, width) = side(self.x, self.width, size.width);
        let (y, height) = side(self.y, self.height, size.height);
        Self { x, y, width, height }
    }
}

/// How the stored picture must be turned to stand upright: EXIF 2.32, tag 0x0112, values 1 to 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "u16", try_from = "u16")]
pub struct Orientation(u16);

impl Default for Orientation {
    fn default() -> Self {
        Self(1)
    }
}

impl From<Orientation> for u16 {
    fn from(o: Orientation) -> Self {
        o.0
    }
}

impl TryFrom<u16> for Orientation {
    type Error = String;
    fn try_from(tag: u16) -> Result<Self, String> {
        if (1..=8).contains(&tag) {
            Ok(Self(tag))
        } else {
            Err(format!("orientation {tag} is not 1 to 8"))
        }
    }
}

impl Orientation {
    /// The turn that undoes this one. Only the two quarter turns differ from their own.
    pub fn undone(self) -> Self {
        match self.0 {
            6 => Self(8),
            8 => Self(6),
            _ => self,
        }
    }

    /// Whether width and height change places.
    pub fn swaps(self) -> bool {
        self.0 >= 5
    }

    /// The upright size of a stored size, and the other way round.
    pub fn turned(self, size: FrameSize) -> FrameSize {
        if self.swaps() {
            FrameSize {
                width: size.height,
                height: size.width,
            }
        } else {
            size
        }
    }

    /// Where a region of the upright picture lies in the stored one of size `stored`.
    pub fn region_to_stored(self, upright: Region, stored: FrameSize) -> Region {
        let size = self.turned(stored);
        let Region { x, y, width, height } = upright.clipped(size);
        let from_right = size.width - x - width;
        let from_below = size.height - y - height;
        let (x, y) = match self.0 {
            2 => (from_right, y),
            3 => (from_right, from_below),
            4 => (x, from_below),
            5 => (y, x),
            6 => (y, from_right),
            7 => (from_below, from_right),
            8 => (from_below, x),
            _ => (x, y),
        };
        let (width, height) = match self.swaps() {
            true => (height, width),
            false => (width, height),
        };
        Region { x, y, width, height }
    }

    /// Where a region of the stored picture of size `stored` lies in the upright one.
    pub fn region_to_upright(self, region: Region, stored: FrameSize) -> Region {
        self.undone().region_to_stored(region, self.turned(stored))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_id_cannot_climb_out_of_a_folder_or_break_a_line() {
        for bad in ["", "../x", "a b", "Été", "a\n", "-a", &"a".repeat(33)] {
            assert!(bad.parse::<CameraId>().is_err(), "{bad:?}");
        }
        assert_eq!(
            "rue-9".parse::<CameraId>().map(String::from).as_deref(),
            Ok("rue-9")
        );
    }

    #[test]
    fn names_survive_being_written_and_read() {
        let camera: CameraId = "quai".parse().expect("plain");
        let digest = Digest::of(b"abc");
        // FIPS 180-4, example B.1
        assert_eq!(
            digest.to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(digest.to_string().parse(), Ok(digest));
        let event = EventId::of(&camera, &digest);
        assert_eq!(event.to_string().parse(), Ok(event));
        assert_ne!(event, EventId::of(&"quai-2".parse().expect("plain"), &digest));
    }
}
