//! What goes before the prosecutor: the report as PDF, the slip that goes with it, the package.
//!
//! Promises: plain values in, bytes out, the same for the same; no clock, no disk, no store. A procès-verbal
//! is never labelled a report nor the other way round; a report that is not complete cannot be made final,
//! and says all that it lacks at once; the chosen images stand in the PDF byte for byte as their manifests
//! name them, so that whoever takes them out finds the same SHA-256; nothing is said of what an image shows
//! (CPP 429: the author certifies what they noted themselves, in their own words). The NATINF code stands on
//! the slip alone. A package is made of what two persons agreed on, one asking and another approving, and of
//! nothing that was not chosen by name.
//!
//! Leaves to the desk who may do what and when, and which texts of law are in force; to [`crate::verify`]
//! judging a package that comes from anywhere.

pub mod contents;
pub mod timestamp;

#[cfg(feature = "desk")]
mod act;
#[cfg(feature = "desk")]
pub mod approval;
#[cfg(feature = "desk")]
mod body;
#[cfg(feature = "desk")]
mod complete;
#[cfg(feature = "desk")]
pub mod french;
#[cfg(feature = "desk")]
pub mod package;
#[cfg(feature = "desk")]
pub mod passphrase;
#[cfg(feature = "desk")]
mod pictures;
#[cfg(feature = "desk")]
mod read_me;
#[cfg(feature = "desk")]
mod sheet;
#[cfg(feature = "desk")]
pub mod slip;

#[cfg(feature = "desk")]
pub use act::*;
#[cfg(feature = "desk")]
pub use body::{Error, draft, sealed};
#[cfg(feature = "desk")]
pub use complete::{Complete, Lacking};
