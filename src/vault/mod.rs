//! The vault: seals what may prove an offence, stores it, and writes down what was done.
//!
//! Promises:
//! - who steals the box opens nothing: it holds a signing key of its own and only *public* keys of
//!   the service ([`keys`]);
//! - a picture gets in only as [`crate::redact::Redacted`] and lies on the disk only as
//!   [`seal::Sealed`];
//! - a row exists only for a file that is durable, and a journal line is written in the same
//!   transaction as what it tells ([`store`]);
//! - any change to what was written is found by [`crate::verify`] and named ([`journal`],
//!   [`closing`]).
//!
//! `docs/formats.md` says byte by byte what lies on the disk. What is sealed, and when, is the trap's
//! business; carrying it to the desk is the transfer's.

pub mod attestation;
pub mod certificate;
pub mod checkpoint;
pub mod closing;
pub(crate) mod durable;
#[cfg(feature = "desk")]
pub mod escrow;
pub mod export;
pub mod item;
pub mod journal;
pub mod keys;
pub mod log;
pub mod seal;
pub mod signed;
#[cfg(unix)]
pub mod store;
#[cfg(test)]
mod vectors;

pub use item::ItemId;
pub use journal::{Entry, Kind};
pub use keys::{DeviceId, DeviceKey, DevicePublic, Epoch, Fingerprint, OfficeKey, Recipient, Role};
pub use seal::{EventSealer, Sealed};
#[cfg(unix)]
pub use store::{Staged, Staging, Store, Tx};
