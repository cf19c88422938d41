//! The manifest: what a court needs to know of one redacted frame, without any of its pixels.

use serde::{Deserialize, Serialize};

/// One redacted frame's facts, written as JSON beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {}
