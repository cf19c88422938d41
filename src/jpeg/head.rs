//! What a file says of its picture besides the tables and the data: the same before and after redaction.
//!
//! Promises: two files of equal [`Head`]s are shown by a decoder in the same size and the same colours.
//! Leaves tables and data to `scan`.

use super::{Component, Layout, Process};
use crate::frame::FrameSize;

const APP0: u8 = 0xE0;

/// What a decoder needs to know besides tables and data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The coding process.
    pub process: Process,
    /// The stored picture's size.
    pub size: FrameSize,
    /// As the frame header names them (ITU-T T.81 B.2.2).
    pub components: Vec<Component>,
    /// Whether it calls itself JFIF (T.871): decoders guess its colours otherwise.
    pub jfif: bool,
    /// The colour transform that an Adobe segment names (T.872 6.5.3).
    pub adobe_transform: Option<u8>,
}

impl Head {
    /// Of the file whose layout this is.
    pub fn of(bytes: &[u8], layout: &Layout) -> Self {
        let is_jfif = |s: &super::Segment| s.marker == APP0 && s.payload(bytes).starts_with(b"JFIF\0");
        Self {
            process: layout.process,
            size: layout.size,
            components: layout.components.clone(),
            jfif: layout.segments.iter().any(is_jfif),
            adobe_transform: layout.adobe_transform,
        }
    }
}
