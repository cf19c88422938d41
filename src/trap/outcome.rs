//! What is said of each file of a card: one outcome per file, in the words of docs/commands.md.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::frame::EventId;
use crate::{card, jpeg};

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
    /// Its path below the card; in JSON with replacement characters where it is no UTF-8.
    #[serde(serialize_with = "lossy")]
    pub file: PathBuf,
    /// What became of it.
    pub verdict: Word,
    /// Why: a word of docs/commands.md.
    pub reason: String,
    /// Its event, once decided.
    pub event: Option<EventId>,
    /// How it was redacted, if it was sealed.
    pub redaction: Option<String>,
    /// Whether that was decided in an earlier round, since when the file has lain on its card.
    #[serde(skip)]
    pub again: bool,
}

fn lossy<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
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
    /// Those of them that had grown too old there, and were never sealed.
    pub aged: u64,
    /// Files that could not be erased (a card that cannot be written to): tried again in the next round.
    pub not_erased: u64,
    /// Files of other kinds on the card: not touched.
    pub others: u64,
    /// Frames whose maker's name or serial is not the configured camera's.
    pub unexpected_camera: u64,
    /// Set in `trial` mode: nothing was erased.
    pub trial: bool,
    /// Set in `enforce` mode when frames stayed on the card because no return file has proven yet that the desk opens
    /// what is sealed, or what their events were sealed to.
    pub no_return_file: bool,
    /// Seconds the round took.
    pub seconds: f64,
    /// Frames looked at per second.
    pub frames_per_second: f64,
    /// The process's peak resident memory in MB (10^6 bytes), where the kernel tells.
    pub peak_memory_mb: Option<f64>,
}

impl Summary {
    /// Several rounds as one.
    pub fn of(rounds: impl IntoIterator<Item = Self>) -> Self {
        let mut whole = rounds.into_iter().fold(Self::default(), |mut sum, round| {
            sum.files += round.files;
            sum.kept += round.kept;
            sum.discarded += round.discarded;
            sum.held += round.held;
            sum.left += round.left;
            sum.events_sealed += round.events_sealed;
            sum.looked_at += round.looked_at;
            sum.erased += round.erased;
            sum.aged += round.aged;
            sum.not_erased += round.not_erased;
            sum.others += round.others;
            sum.unexpected_camera += round.unexpected_camera;
            sum.trial |= round.trial;
            sum.no_return_file |= round.no_return_file;
            sum.seconds += round.seconds;
            sum.peak_memory_mb = round.peak_memory_mb.or(sum.peak_memory_mb);
            sum
        });
        whole.set_speed();
        whole
    }

    /// Frames per second, from what was counted.
    pub(super) fn set_speed(&mut self) {
        if self.seconds > 0.0 {
            self.frames_per_second = self.looked_at as f64 / self.seconds;
        }
    }

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

/// A name as it is written everywhere: in the ledger, in JSON, in the journal.
pub(super) fn word(name: &impl serde::Serialize) -> String {
    serde_json::to_value(name)
        .ok()
        .and_then(|v| v.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// Why a damaged file is left, as a word of docs/commands.md.
pub(super) fn jpeg_reason(damage: &jpeg::Error) -> &'static str {
    match damage {
        jpeg::Error::Empty => "empty-file",
        jpeg::Error::NotJpeg => "not-jpeg",
        jpeg::Error::Truncated { .. } => "truncated",
        jpeg::Error::TooLarge { .. } => "too-large",
        jpeg::Error::Unsupported(_) => "unsupported",
        jpeg::Error::Corrupt { .. } | jpeg::Error::Undecodable(_) => "corrupt",
    }
}

/// Why the card does not give a file, as a word of docs/commands.md; `None` where the card itself is the trouble.
pub(super) fn read_reason(refusal: &card::Error) -> Option<&'static str> {
    match refusal {
        card::Error::Empty(_) => Some("empty-file"),
        card::Error::TooBig { .. } => Some("too-large"),
        card::Error::NotAFile(_) => Some("not-a-file"),
        card::Error::Changed(_) => Some("not-settled"),
        card::Error::Missing(_) | card::Error::Denied(_) | card::Error::Io { .. } => Some("unreadable"),
        _ => None,
    }
}

/// Why the walk left something alone, as a word of docs/commands.md.
pub(super) fn odd_reason(why: &card::Why) -> &'static str {
    match why {
        card::Why::Link => "link",
        card::Why::NotAFile => "not-a-file",
        card::Why::TooDeep | card::Why::OtherVolume | card::Why::Unreadable(_) => "unreadable",
    }
}
