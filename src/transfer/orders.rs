//! What the desk orders a box to do from now on: the mode, a camera's zone, the correction of its clock.
//!
//! Promises: orders are whole: those of a return file take the place of all before. Leaves to the trap, which
//! knows its cameras, whether they can be carried out.

use serde::{Deserialize, Serialize};

use crate::frame::CameraId;

/// All that is ordered. What is left out is as the box's configuration says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Orders {
    /// For each camera that there are orders for.
    #[serde(default)]
    pub cameras: Vec<CameraOrders>,
    /// The mode.
    #[serde(default)]
    pub mode: Option<Mode>,
}

/// The modes that can be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Mode {
    /// Ends a trial.
    Enforce,
    /// A trial, 30 days at most.
    Trial {
        /// First day.
        from: jiff::civil::Date,
        /// Last day.
        until: jiff::civil::Date,
    },
}

/// Orders for one camera.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraOrders {
    /// Which.
    pub camera: CameraId,
    /// Seconds to add to its clock to get the true hour, as measured.
    #[serde(default)]
    pub clock_correction: Option<i64>,
    /// Where a vehicle must be to make an event: corners in shares of the frame.
    #[serde(default)]
    pub zone: Option<Vec<[f64; 2]>>,
}
