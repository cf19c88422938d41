//! The trap: carries each frame from the card to the vault, or to nothing.
//!
//! Promises: what [`round`] says of one pass over a card, [`taking`] of one file, [`closing`] of one event, [`erasing`] of
//! what leaves the card, [`ageing`] of what grows too old there, [`wiping`] of a whole card, [`in_hand`] of what stops the
//! program, [`notify`], [`socket`] and [`health`] of who asks how it is. Here the clock is read
//! and the disk is touched; every decision is made by the pure modules above. Leaves printing to `cli`.

mod ageing;
mod ahead;
pub mod attendance;
pub mod bench;
mod closing;
mod erasing;
pub mod health;
pub mod in_hand;
pub mod ledger;
pub mod look;
pub mod notify;
pub mod orders;
pub mod outcome;
pub mod recipients;
pub mod round;
pub mod service;
pub mod settling;
pub mod socket;
pub mod survey;
mod taking;
pub mod terms;
mod timeline;
mod unreviewed;
mod videos;
pub mod wiping;
pub mod witness;

use std::path::PathBuf;

use crate::frame::Digest;
use crate::{card, vault, vision};

pub use outcome::{Outcome, Summary, Word};
pub use round::{Listener, Round};

/// Why a round ended before its end. Whatever was acknowledged before it stays done; every other frame is on the card.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The card.
    #[error(transparent)]
    Card(#[from] card::Error),
    /// The networks.
    #[error(transparent)]
    Vision(#[from] vision::Error),
    /// A witness could not be redacted.
    #[error(transparent)]
    Witness(#[from] witness::Error),
    /// The vault.
    #[error(transparent)]
    Store(#[from] vault::store::Error),
    /// Sealing.
    #[error(transparent)]
    Seal(#[from] vault::seal::Error),
    /// The ledger.
    #[error("the vault's database: {0}")]
    Database(#[from] rusqlite::Error),
    /// The wipe of a card.
    #[error(transparent)]
    Wipe(#[from] card::wipe::Error),
    /// A trial erases nothing.
    #[error("mode = \"trial\": nothing is erased")]
    Trial,
    /// Frames on the card are not processed yet, so that it must not be wiped.
    #[error("{frames} frames on the card are not processed: {reason}")]
    Unprocessed {
        /// How many.
        frames: u64,
        /// Why, as a word of docs/commands.md.
        reason: String,
    },
    /// A certificate could not be written.
    #[error("the certificate cannot be written: {0}")]
    Certificate(#[from] vault::signed::Error),
    /// What is to be sealed cannot be written as JSON.
    #[error("cannot be written as JSON: {0}")]
    Json(serde_json::Error),
    /// A held frame is no longer on the card.
    #[error("frame {0} was held on the card and is not there any more")]
    Vanished(Digest),
    /// Told to stop: what was begun and is not on record begins anew.
    #[error("stopped; it is taken up again")]
    Stopped,
    /// A held frame's file holds other bytes now.
    #[error("{}: the file changed while its event was open", .0.display())]
    Changed(PathBuf),
}
