//! What the frame loop and the socket's thread know of each other.
//!
//! Promises: neither waits for the other longer than it takes to copy a few numbers; verdicts that nobody fetches in
//! time are dropped and counted, in bounded room; a flush is over only after the loop has said, later than it was
//! asked for, that nothing is in hand.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::protocol::{Said, raw};
use crate::frame::{CameraId, EventId};
use crate::trap::health::Running;
use crate::trap::{Outcome, Word};

/// After a flush no frame is begun for so long, unless a look is asked for.
pub const REST: Duration = Duration::from_secs(60);
/// Verdicts that wait to be fetched.
const VERDICTS: usize = 256;

/// The two sides' common knowledge.
#[derive(Debug)]
pub struct Board {
    facts: Mutex<Facts>,
    /// Wakes the socket's thread.
    wake: UnixStream,
}

#[derive(Debug)]
struct Facts {
    began: Instant,
    restarts: Option<u64>,
    rounds: u64,
    at_work: bool,
    camera: Option<CameraId>,
    cards: BTreeMap<CameraId, Card>,
    flushes_asked: u64,
    flushes_done: u64,
    rest_until: Option<Instant>,
    look: bool,
    over: bool,
    listened_to: bool,
    verdicts: VecDeque<Arc<str>>,
    missed: u64,
}

/// The files of one card, as the last round met them.
#[derive(Debug, Default)]
struct Card {
    listed: u64,
    looked_at: u64,
    told: u64,
}

/// What one verdict says to subscribers: no box, no score, nothing of what was seen.
#[derive(Serialize)]
struct Verdict<'a> {
    camera: Option<&'a CameraId>,
    file: std::borrow::Cow<'a, str>,
    verdict: Word,
    reason: &'a str,
    event: Option<EventId>,
}

/// What the socket's thread fetches.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    pub verdicts: VecDeque<Arc<str>>,
    pub missed: u64,
    pub flushes_done: u64,
    pub over: bool,
}

impl Board {
    pub(super) fn new(wake: UnixStream, restarts: Option<u64>) -> Self {
        Self {
            facts: Mutex::new(Facts {
                began: Instant::now(),
                restarts,
                rounds: 0,
                at_work: false,
                camera: None,
                cards: BTreeMap::new(),
                flushes_asked: 0,
                flushes_done: 0,
                rest_until: None,
                look: false,
                over: false,
                listened_to: false,
                verdicts: VecDeque::new(),
                missed: 0,
            }),
            wake,
        }
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // Not blocking: a pipe that is full has woken it already.
        let _ = (&self.wake).write(&[1]);
    }

    /// A round over this camera's card begins.
    pub fn card(&self, camera: &CameraId) {
        let mut facts = self.facts();
        facts.rounds += 1;
        facts.at_work = true;
        facts.camera = Some(camera.clone());
    }

    /// The card holds so many files.
    pub fn begin(&self, files: u64) {
        let mut facts = self.facts();
        if let Some(camera) = facts.camera.clone() {
            let card = Card {
                listed: files,
                ..Card::default()
            };
            facts.cards.insert(camera, card);
        }
    }

    fn on_card(&self, count: impl FnOnce(&mut Card)) {
        let mut facts = self.facts();
        if let Some(camera) = facts.camera.clone() {
            count(facts.cards.entry(camera).or_default());
        }
    }

    /// A file was looked at.
    pub fn step(&self) {
        self.on_card(|card| card.looked_at += 1);
    }

    /// A file was accounted for; `news`: for the first time so.
    pub fn outcome(&self, outcome: &Outcome, news: bool) {
        self.on_card(|card| card.told += 1);
        let mut facts = self.facts();
        if !news || !facts.listened_to {
            return;
        }
        if facts.verdicts.len() >= VERDICTS {
            facts.missed += 1;
            return;
        }
        let frame = raw(&Verdict {
            camera: facts.camera.as_ref(),
            file: outcome.file.to_string_lossy(),
            verdict: outcome.verdict,
            reason: &outcome.reason,
            event: outcome.event,
        });
        let said = Said {
            frame,
            ..Said::unasked()
        };
        facts.verdicts.push_back(said.line().into());
        drop(facts);
        self.wake();
    }

    /// Nothing is in hand, and everything is durable: whoever waits for that may be told.
    pub fn at_rest(&self) {
        let mut facts = self.facts();
        facts.at_work = false;
        if facts.flushes_done < facts.flushes_asked {
            facts.flushes_done = facts.flushes_asked;
            facts.rest_until = Some(Instant::now() + REST);
            drop(facts);
            self.wake();
        }
    }

    /// Whether no frame is to be begun.
    pub fn rest_asked(&self) -> bool {
        let facts = self.facts();
        facts.flushes_done < facts.flushes_asked
            || facts.rest_until.is_some_and(|until| Instant::now() < until)
    }

    /// Whether a look at the cards was asked for since this was asked last.
    pub fn look_asked(&self) -> bool {
        std::mem::take(&mut self.facts().look)
    }

    pub(super) fn ask_look(&self) {
        let mut facts = self.facts();
        facts.look = true;
        facts.rest_until = None;
    }

    /// The number of the flush that is asked for.
    pub(super) fn ask_flush(&self) -> u64 {
        let mut facts = self.facts();
        facts.flushes_asked += 1;
        facts.flushes_asked
    }

    /// Whether anyone is to be told verdicts.
    pub(super) fn listen(&self, listened_to: bool) {
        self.facts().listened_to = listened_to;
    }

    pub(super) fn fetch(&self) -> Fetched {
        let mut facts = self.facts();
        Fetched {
            verdicts: std::mem::take(&mut facts.verdicts),
            missed: std::mem::take(&mut facts.missed),
            flushes_done: facts.flushes_done,
            over: facts.over,
        }
    }

    pub(super) fn end(&self) {
        self.facts().over = true;
        self.wake();
    }

    /// What `status` says of the service.
    pub(super) fn running(&self) -> Running {
        let facts = self.facts();
        let backlog = |card: &Card| card.listed.saturating_sub(card.looked_at.max(card.told));
        let backlog = facts
            .cards
            .iter()
            .map(|(camera, card)| (camera.clone(), backlog(card)));
        Running {
            seconds: facts.began.elapsed().as_secs(),
            restarts: facts.restarts,
            rounds: facts.rounds,
            at_work: facts.at_work,
            resting: facts.rest_until.is_some_and(|until| Instant::now() < until),
            backlog: backlog.collect(),
        }
    }
}

/// Counts the starts of the service in a file beside its socket, which goes with the folder when the service is
/// stopped on purpose (systemd.exec(5), `RuntimeDirectoryPreserve=restart`). How many there were before; `None` where
/// that cannot be counted.
pub(super) fn count_starts(socket: &Path) -> Option<u64> {
    let file = socket.with_extension("starts");
    let before = match std::fs::read_to_string(&file) {
        Ok(text) => text.trim().parse().ok()?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0_u64,
        Err(_) => return None,
    };
    std::fs::write(&file, format!("{}\n", before.saturating_add(1))).ok()?;
    Some(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board() -> Board {
        let (wake, _) = UnixStream::pair().expect("a pair");
        wake.set_nonblocking(true).expect("set");
        Board::new(wake, None)
    }

    fn kept(file: &str) -> Outcome {
        Outcome {
            file: file.into(),
            verdict: Word::Keep,
            reason: "vehicle-in-zone".to_owned(),
            event: None,
            redaction: Some("splice".to_owned()),
            again: false,
        }
    }

    #[test]
    fn a_flush_is_done_when_the_loop_rests_after_it_was_asked_for() {
        let board = board();
        board.at_rest();
        assert!(!board.rest_asked());
        let number = board.ask_flush();
        assert!(board.rest_asked() && board.fetch().flushes_done < number);
        board.at_rest();
        assert!(board.fetch().flushes_done >= number);
        assert!(
            board.rest_asked() && board.running().resting,
            "nothing is begun afterwards"
        );
        board.ask_look();
        assert!(!board.rest_asked() && board.look_asked() && !board.look_asked());
    }

    #[test]
    fn what_nobody_fetches_is_dropped_and_counted() {
        let board = board();
        board.card(&"quai".parse().expect("plain"));
        board.outcome(&kept("unheard.jpg"), true);
        board.listen(true);
        board.outcome(&kept("old.jpg"), false);
        for number in 0..VERDICTS + 7 {
            board.outcome(&kept(&format!("{number}.jpg")), true);
        }
        let fetched = board.fetch();
        assert_eq!((fetched.verdicts.len(), fetched.missed), (VERDICTS, 7));
        assert_eq!(
            &*fetched.verdicts[0],
            "{\"vigie\":1,\"frame\":{\"camera\":\"quai\",\"file\":\"0.jpg\",\"verdict\":\"keep\",\"reason\":\"vehicle-in-zone\",\"event\":null}}\n"
        );
        assert_eq!(board.fetch().verdicts.len(), 0);
    }

    #[test]
    fn the_backlog_is_what_was_listed_and_not_got_to() {
        let board = board();
        board.begin(9);
        board.card(&"quai".parse().expect("plain"));
        board.begin(5);
        board.step();
        board.step();
        let backlog = board.running().backlog;
        assert_eq!(backlog.into_values().collect::<Vec<_>>(), [3]);
        for _ in 0..5 {
            board.outcome(&kept("a.jpg"), false);
        }
        assert_eq!(board.running().backlog.into_values().collect::<Vec<_>>(), [0]);
    }

    #[test]
    fn starts_are_counted_beside_the_socket() {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("vigie.sock");
        assert_eq!([0; 3].map(|_| count_starts(&socket)), [Some(0), Some(1), Some(2)]);
        std::fs::write(socket.with_extension("starts"), "no number").expect("written");
        assert_eq!(count_starts(&socket), None);
    }
}
