//! A frame's JPEG: its markers, the facts its EXIF tells, its picture.
//!
//! Promises: nothing read here is trusted. No byte beyond the end is read, nothing is allocated by
//! what a header claims before the file's own length has borne it out, and a file that is damaged
//! ends in an [`Error`], never in a picture with a grey or guessed part. Nothing but what a decoder
//! needs to show the picture ([`Layout::essence`]) ever reaches a decoder.
//! Leaves turning boxes to `vision::geometry` and everything that writes a picture to `redact`.
//! What only checks a file (up to `compare`) is there for `verify` too, without any decoder.

#[cfg(any(feature = "trap", feature = "desk"))]
pub mod bits;
#[cfg(any(feature = "trap", feature = "desk"))]
mod blocks;
pub mod coefficients;
pub mod compare;
#[cfg(any(feature = "trap", feature = "desk"))]
pub mod crop;
#[cfg(any(feature = "trap", feature = "desk"))]
mod decode;
#[cfg(any(feature = "trap", feature = "desk"))]
mod entropy;
#[cfg(any(feature = "trap", feature = "desk"))]
pub mod facts;
pub mod head;
pub mod huffman;
pub mod index;
pub mod markers;
#[cfg(any(feature = "trap", feature = "desk"))]
pub mod picture;
#[cfg(any(feature = "trap", feature = "desk"))]
mod scaled;
pub mod scan;
#[cfg(any(feature = "trap", feature = "desk"))]
pub mod splice;

#[cfg(any(feature = "trap", feature = "desk"))]
pub use bits::BitWriter;
#[cfg(any(feature = "trap", feature = "desk"))]
pub use decode::decode;
#[cfg(any(feature = "trap", feature = "desk"))]
pub use facts::Facts;
pub use head::Head;
pub use index::Index;
pub use markers::{Component, Grid, Layout, Limits, Process, Segment, SegmentKind};
#[cfg(any(feature = "trap", feature = "desk"))]
pub use picture::{Part, Picture};
pub use scan::Scan;

/// Why a file cannot be taken for a picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Zero bytes.
    #[error("the file is empty")]
    Empty,
    /// No SOI marker (ITU-T T.81 B.2.1) at the start.
    #[error("not a JPEG: it does not begin with FF D8")]
    NotJpeg,
    /// The file, or its first image, ends before that image's EOI marker.
    #[error("cut off: the image does not end before byte {at}")]
    Truncated {
        /// Where the bytes ran out.
        at: usize,
    },
    /// Larger than [`Limits`] allow.
    #[error("{width} x {height} pixels are more than the limit")]
    TooLarge {
        /// Pixels from left to right, as the header claims.
        width: u32,
        /// Pixels from top to bottom, as the header claims.
        height: u32,
    },
    /// A JPEG, but of a kind that no camera trap writes and that is not decoded here.
    #[error("unsupported JPEG: {0}")]
    Unsupported(Unsupported),
    /// The markers contradict the standard or each other.
    #[error("damaged at byte {at}: {what}")]
    Corrupt {
        /// Offset into the file.
        at: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// The markers are sound, the entropy-coded data are not.
    #[error("damaged image data: {0}")]
    Undecodable(String),
}

/// What kind of JPEG is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// Four components.
    #[error("four components (CMYK or YCCK)")]
    Cmyk,
    /// Neither one nor three (nor four) components.
    #[error("{0} components")]
    Components(u8),
    /// Arithmetic coding (T.81 Annex D).
    #[error("arithmetic coding")]
    Arithmetic,
    /// Lossless processes (T.81 Annex H) and JPEG-LS.
    #[error("lossless coding")]
    Lossless,
    /// Hierarchical processes (T.81 Annex J).
    #[error("hierarchical coding")]
    Hierarchical,
    /// Samples of 12 bits.
    #[error("12-bit samples")]
    TwelveBit,
}
