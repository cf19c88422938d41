//! Wiping a whole card: every file overwritten and unlinked, the free space filled, read back and freed.
//!
//! Promises: nothing but a volume of its own, mounted just there, that a camera filled ([`place`]) is ever wiped; no
//! link is followed and no other volume entered; the caller has the last word on every frame ([`Goes`]), so that
//! none goes that was not processed; cut off anywhere, it can be begun again, and what it left on the card
//! is in one folder that no scan looks into and [`clear`] removes. ENOSPC is how filling ends, not an error; a
//! block that cannot be written or read is counted, and the wipe goes on.
//!
//! What no program can promise: flash memory keeps cells that neither the camera nor we can reach; the
//! certificate says so. Leaves to the caller when, the journal and the certificate.

mod fill;
mod place;
mod sweep;

pub use fill::{Filled, Seed, clear, fill};
pub use place::{Place, Refusal, Volume, refusal};
pub use sweep::{Swept, plan, sweep};

use super::{Card, CardPath};

/// The folder that the fill's files lie in. Names with a dot are passed over by [`super::list`].
const FOLDER: &str = ".vigie-wipe";

/// Why a wipe ended before its end. It can be begun again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This must not be wiped.
    #[error("{}: {why}", card.display())]
    Refused {
        /// The folder that was named.
        card: std::path::PathBuf,
        /// What is in the way.
        why: Refusal,
    },
    /// A frame that was not processed lies on the card.
    #[error("{0}: it came while the card was being wiped, or changed; it is processed first")]
    Unprocessed(CardPath),
    /// Told to stop.
    #[error("stopped; the wipe is taken up again")]
    Stopped,
    /// The system gave no random numbers.
    #[error("no random numbers from the operating system: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The card.
    #[error(transparent)]
    Card(#[from] super::Error),
}

/// What a wipe is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Files are overwritten.
    Files,
    /// The free space is filled.
    Fill,
    /// The fill is read back.
    ReadBack,
}

/// Whom a wipe tells how far it is.
pub trait Progress {
    /// This begins; so many bytes are expected, as far as the volume tells.
    fn begin(&mut self, phase: Phase, bytes: u64);
    /// So many bytes more are done; `false` stops the wipe here.
    fn advance(&mut self, bytes: u64) -> bool;
}

/// Whether a frame, of this size and time, may go: it was processed, or can never be.
pub type Goes<'a> = dyn Fn(&CardPath, u64, std::time::SystemTime) -> bool + 'a;

/// Whether the device may forget the freed blocks: asks the system's `fstrim`, for the call itself (FITRIM)
/// cannot be had safely. Most readers of memory cards do not pass it on; then nothing was done.
pub fn discard(card: &Card) -> bool {
    use std::process::{Command, Stdio};
    ["fstrim", "/usr/sbin/fstrim", "/sbin/fstrim"]
        .iter()
        .any(|program| {
            let mut fstrim = Command::new(program);
            fstrim.arg(card.root());
            fstrim
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            fstrim.status().is_ok_and(|status| status.success())
        })
}
