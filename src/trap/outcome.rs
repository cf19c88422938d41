//! What is said of each file of a card: one outcome per file, in the words of docs/commands.md.

use std::path::PathBuf;

use serde::Serialize;

use crate::frame::EventId;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// Redacted and sealed.
    Keep,
    /// Discarded: it leaves nothing behind but its journal lines.
    Discard,
    /// Waits on the card.
    Held,
    /// Cannot be taken: stays on the card until the wipe.
    Left,
}

/// One file's outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Its path below the card.
    pub file: PathBuf,
    /// What became of it.
    pub verdict: Word,
    /// Why: a word of docs/commands.md.
    pub reason: String,
    /// Its event, once decided.
    pub event: Option<EventId>,
    /// How it was redacted, if it was sealed.
    pub redaction: Option<String>,
}

/// A round's counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Files that were accounted for.
    pub files: u64,
    /// Kept: redacted and sealed.
    pub kept: u64,
    /// Discarded.
    pub discarded: u64,
    /// Waiting on the card.
    pub held: u64,
    /// Left on the card.
    pub left: u64,
    /// Events that were sealed in this round.
    pub events_sealed: u64,
    /// Frames the scout looked at in this round: none in a second run over the same card.
    pub looked_at: u64,
    /// Files erased from the card in this round.
    pub erased: u64,
    /// Files that could not be erased (a card that cannot be written to): tried again in the next round.
    pub not_erased: u64,
    /// Files of other kinds on the card: not touched.
    pub others: u64,
    /// Frames whose maker's name or serial is not the configured camera's.
    pub unexpected_camera: u64,
    /// Set in `trial` mode: nothing was erased.
    pub trial: bool,
    /// Seconds the round took.
    pub seconds: f64,
    /// Frames looked at per second.
    pub frames_per_second: f64,
    /// The process's peak resident memory in MB (10^6 bytes), where the kernel tells.
    pub peak_memory_mb: Option<f64>,
}

impl Summary {
    /// Counts one file.
    pub fn count(&mut self, word: Word) {
        self.files += 1;
        match word {
            Word::Keep => self.kept += 1,
            Word::Discard => self.discarded += 1,
            Word::Held => self.held += 1,
            Word::Left => self.left += 1,
        }
    }
}
