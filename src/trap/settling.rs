//! Which files of a card are whole yet, remembered from one look to the next.
//!
//! Promises: a file is taken once its writer closed it or it stayed as it was ([`crate::card::settle`]), and stays
//! taken as long as it stays the same; time is counted on a clock that never goes back, so a jump of the box's clock
//! neither hurries nor stops anyone.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use crate::card::settle::{Observation, Rules, Settling, State};
use crate::card::{self, Card, CardFile, CardPath};

/// A file that nobody closed before our eyes must stay the same for this long.
const QUIET: Duration = Duration::from_secs(2);

/// The files of one card on their way to being settled.
#[derive(Debug)]
pub struct Settlings {
    since: Instant,
    attempts: u16,
    files: HashMap<CardPath, Known>,
    closed: HashSet<PathBuf>,
}

/// A file that was seen before.
#[derive(Debug)]
struct Known {
    settling: Settling,
    /// Its size and time when it was found whole: a frame that waits for its event lies there for many rounds.
    whole: Option<(u64, SystemTime)>,
    /// Whether this round has met it.
    met: bool,
}

impl Settlings {
    /// None seen yet; `attempts` spells of quiet are given to a file without an end.
    pub fn new(attempts: u16) -> Self {
        Self {
            since: Instant::now(),
            attempts,
            files: HashMap::new(),
            closed: HashSet::new(),
        }
    }

    /// Writers closed these files, whole paths.
    pub fn closed(&mut self, files: Vec<PathBuf>) {
        self.closed.extend(files);
    }

    /// How long until a file that waits may have settled; `None` if none waits.
    pub fn next(&self) -> Option<Duration> {
        self.files
            .values()
            .any(|known| known.whole.is_none())
            .then_some(QUIET)
    }

    /// Whether its writer closed this file since the last round.
    pub(super) fn was_closed(&self, card: &Card, file: &CardPath) -> bool {
        !self.closed.is_empty() && self.closed.contains(&card.root().join(file.as_path()))
    }

    /// Looks at one file of the card once more.
    pub(super) fn look(&mut self, card: &Card, file: &CardFile) -> State {
        let closed = self.was_closed(card, &file.path);
        let state = (file.size, file.mtime);
        if let Some(known) = self.files.get_mut(&file.path)
            && known.whole == Some(state)
            && !closed
        {
            known.met = true;
            return State::Settled;
        }
        let now = Observation {
            size: file.size,
            mtime: file.mtime,
            // A file that cannot be read is settled by its quiet alone: reading it again says what is wrong.
            ends: card::ends(card, &file.path).unwrap_or(false),
            at: self.since.elapsed(),
        };
        let rules = Rules {
            quiet: QUIET,
            attempts: self.attempts,
        };
        let known = self.files.entry(file.path.clone()).or_insert_with(|| Known {
            settling: Settling::new(now),
            whole: None,
            met: true,
        });
        known.met = true;
        if closed {
            known.settling.closed();
        }
        let seen = known.settling.seen(now, &rules);
        known.whole = match seen {
            State::Waiting(_) => None,
            State::Settled | State::Left => Some(state),
        };
        seen
    }

    /// Forgets files that are no longer on the card, and hints about files that no look has met.
    pub(super) fn end_of_round(&mut self) {
        self.files.retain(|_, known| std::mem::take(&mut known.met));
        self.closed.clear();
    }
}
