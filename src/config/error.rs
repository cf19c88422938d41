//! Why a configuration was refused: where, what, and what to do about it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A line of a file, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line.
    pub line: usize,
}

impl Place {
    /// The place of byte `offset` in the `text` of `file`.
    pub(super) fn of(file: &Path, text: &[u8], offset: usize) -> Self {
        let before = &text[..offset.min(text.len())];
        Self {
            file: file.to_owned(),
            line: 1 + before.iter().filter(|&&b| b == b'\n').count(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// A configuration that is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be opened or read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Far longer than any configuration.
    #[error("{}: longer than 1 MiB, so this is not a trap.toml", .0.display())]
    TooLong(PathBuf),
    /// TOML is UTF-8.
    #[error("{at}: not UTF-8; save the file as UTF-8")]
    NotUtf8 {
        /// The first wrong byte.
        at: Place,
    },
    /// Something in it is wrong.
    #[error("{at}: {fault}")]
    Refused {
        /// Where.
        at: Place,
        /// What, and what to do.
        fault: Fault,
    },
}

/// What is wrong in a configuration. `Display` says it and what to do, in English; the variants carry
/// enough to say it in another language.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Fault {
    /// Not TOML, or a value of the wrong kind.
    #[error("{0}")]
    Malformed(String),
    /// No such key here.
    #[error("unknown key `{key}`{}", hint(nearest.as_deref(), *belongs))]
    UnknownKey {
        /// As written.
        key: String,
        /// The known key of this table that looks most like it.
        nearest: Option<String>,
        /// The table that has a key of this very name.
        belongs: Option<&'static str>,
    },
    /// No such choice.
    #[error("unknown value \"{value}\": write one of {}", allowed.join(", "))]
    UnknownValue {
        /// As written.
        value: String,
        /// The choices.
        allowed: Vec<String>,
    },
    /// A key without default is not there.
    #[error("`{0}` is missing and has no default: add it (docs/trap.example.toml shows how)")]
    Missing(String),
    /// A key that another one makes necessary is not there.
    #[error("`{key}` is missing: {because} needs it")]
    Needed {
        /// The key.
        key: &'static str,
        /// What asks for it.
        because: &'static str,
    },
    /// A key that would be silently ignored.
    #[error("`{key}` has no effect without {needs}: remove it, or set {needs}")]
    Idle {
        /// The key.
        key: &'static str,
        /// What it belongs to.
        needs: &'static str,
    },
    /// Not a length of time.
    #[error("`{key}` = \"{found}\" is not a length of time: write \"60 s\", \"1 h\" or \"30 days\"")]
    NotADuration {
        /// The key.
        key: &'static str,
        /// As written.
        found: String,
    },
    /// A length of time or number outside its bounds.
    #[error("`{key}` = {found} is out of bounds: {least} to {most}")]
    OutOfBounds {
        /// The key.
        key: &'static str,
        /// As written.
        found: String,
        /// The least allowed.
        least: &'static str,
        /// The most allowed, and by whom.
        most: &'static str,
    },
    /// `max_hold` would close an event before its gap is over.
    #[error("`max_hold` is shorter than `event_gap`: every event would be cut; lengthen `max_hold`")]
    HoldShorterThanGap,
    /// Not a day.
    #[error("`{key}` is not a date: write it as 2026-11-21, without an hour")]
    NotADate {
        /// The key.
        key: &'static str,
    },
    /// The last day is before the first.
    #[error("`{until}` is before `{from}`: exchange or correct them")]
    Backwards {
        /// Key of the first day.
        from: &'static str,
        /// Key of the last day.
        until: &'static str,
    },
    /// A trial of more than 30 days.
    #[error("a trial of {days} days: at most 30 are allowed, for a trial erases nothing")]
    TrialTooLong {
        /// Its length.
        days: i32,
    },
    /// Blank, overlong or with control characters.
    #[error("`{key}` must say something in one line of at most 500 characters")]
    NoText {
        /// The key.
        key: &'static str,
    },
    /// A command without a program.
    #[error("`{key}` must be a list that begins with a program, like [\"/usr/local/bin/{key}\"]")]
    NoCommand {
        /// The key.
        key: &'static str,
    },
    /// Not a usable polygon.
    #[error("`{key}`: {what}")]
    Polygon {
        /// The key.
        key: &'static str,
        /// What it lacks.
        what: PolygonFault,
    },
    /// A camera id that no record could carry.
    #[error("{0}")]
    CameraId(crate::frame::Error),
    /// Both recipients are one file, so losing one key loses everything.
    #[error("`recovery` is the same file as `service`: make a second key and keep it in a safe")]
    OneRecipient,
    /// There is nothing to watch.
    #[error("no [[camera]]: describe at least one")]
    NoCamera,
    /// Two cameras cannot be told apart.
    #[error("camera \"{0}\" is described twice: give each its own id")]
    SameCamera(String),
    /// Two cameras would take each other's frames.
    #[error("cameras \"{first}\" and \"{second}\" have the same card folder, or one inside the other")]
    SameCard {
        /// The one described first.
        first: String,
        /// The other.
        second: String,
    },
    /// What must survive a card would be wiped with it, or the card with the store.
    #[error("`{key}` and the card of camera \"{camera}\" lie one inside the other: move `{key}` elsewhere")]
    OnTheCard {
        /// The key.
        key: &'static str,
        /// Whose card.
        camera: String,
    },
}

/// What is wrong with a polygon.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PolygonFault {
    /// Neither corners nor the word.
    #[error("write a list of corners, like [[0.1, 0.4], [0.9, 0.4], [0.5, 1.0]]")]
    NotCorners,
    /// Only `zone` may be the whole frame by a word.
    #[error("write a list of corners, or \"all\" for the whole frame")]
    NotCornersNorAll,
    /// Fewer than three corners, or more than 256.
    #[error("{0} corners: a polygon has 3 to 256")]
    Corners(usize),
    /// A corner is not in the frame.
    #[error("corner {0} is outside the frame: both numbers are shares of its width and height, 0 to 1")]
    Outside(usize),
    /// All corners on one line.
    #[error("it covers nothing: its corners lie on one line")]
    Flat,
}

fn hint(nearest: Option<&str>, belongs: Option<&str>) -> String {
    match (belongs, nearest) {
        (Some(table), _) => format!(": it belongs {table}"),
        (None, Some(near)) => format!(": did you mean `{near}`?"),
        (None, None) => ": remove it (docs/trap.example.toml lists all keys)".to_owned(),
    }
}
