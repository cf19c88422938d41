//! Who listens to the frame loop of a service: the service manager, the firmware, and whoever prints.
//!
//! Promises: the watchdog is fed by what the loop has finished, and by nothing else; each file's fate is passed on when
//! it is news, however many rounds meet the file.

use std::collections::HashMap;
use std::path::PathBuf;

use super::notify::Notifier;
use super::socket::Board;
use super::{Listener, Outcome, Word};
use crate::frame::CameraId;

/// Passes on what the loop tells.
pub struct Attendance<'a> {
    /// Who prints.
    pub inner: &'a mut dyn Listener,
    /// The service manager.
    pub notifier: &'a mut Notifier,
    /// The firmware, where there is a socket.
    pub board: Option<&'a Board>,
    said: HashMap<Option<CameraId>, Said>,
    camera: Option<CameraId>,
}

/// What was said last of each file of a card, in this round and in the one before: what no round meets any more is
/// forgotten, or a service of months would remember every frame that it erased.
#[derive(Default)]
struct Said {
    now: HashMap<PathBuf, (Word, String)>,
    before: HashMap<PathBuf, (Word, String)>,
}

impl Said {
    fn next_round(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }

    fn is_news(&mut self, outcome: &Outcome) -> bool {
        let fate = (outcome.verdict, outcome.reason.clone());
        let last = self
            .now
            .get(&outcome.file)
            .or_else(|| self.before.get(&outcome.file));
        // What is decided now may bear the name of another frame of yesterday.
        let is_decided = matches!(outcome.verdict, Word::Keep | Word::Discard) && !outcome.again;
        let is_news = is_decided || last != Some(&fate);
        self.now.insert(outcome.file.clone(), fate);
        is_news
    }
}

impl<'a> Attendance<'a> {
    /// Nothing was said yet.
    pub fn new(inner: &'a mut dyn Listener, notifier: &'a mut Notifier, board: Option<&'a Board>) -> Self {
        Self {
            inner,
            notifier,
            board,
            said: HashMap::new(),
            camera: None,
        }
    }
}

impl Listener for Attendance<'_> {
    fn begin(&mut self, files: u64) {
        self.notifier.alive();
        self.inner.begin(files);
        if let Some(board) = self.board {
            board.begin(files);
        }
    }

    fn step(&mut self) {
        self.notifier.alive();
        self.inner.step();
        if let Some(board) = self.board {
            board.step();
        }
    }

    fn outcome(&mut self, outcome: &Outcome) {
        self.notifier.alive();
        let news = self.said.entry(self.camera.clone()).or_default().is_news(outcome);
        if news {
            self.inner.outcome(outcome);
        }
        if let Some(board) = self.board {
            board.outcome(outcome, news);
        }
    }

    fn card(&mut self, camera: &CameraId) {
        self.notifier.alive();
        self.notifier.status(&format!("at the card of {camera}"));
        if let Some(board) = self.board {
            board.card(camera);
        }
        self.camera = Some(camera.clone());
        self.said.entry(self.camera.clone()).or_default().next_round();
    }

    fn alive(&mut self) {
        self.notifier.alive();
    }

    fn slow(&mut self, begins: bool) {
        self.notifier.slow(begins);
        if begins {
            self.notifier.status("a card's wipe is due");
        }
    }

    fn at_rest(&mut self) {
        self.notifier.alive();
        let resting = self.rest_asked();
        self.notifier.status(if resting {
            "at rest: the power may go"
        } else {
            "waiting"
        });
        if let Some(board) = self.board {
            board.at_rest();
        }
    }

    fn rest_asked(&self) -> bool {
        self.board.is_some_and(Board::rest_asked)
    }

    fn look_asked(&mut self) -> bool {
        self.board.is_some_and(Board::look_asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Count(u32);

    impl Listener for Count {
        fn begin(&mut self, _: u64) {}
        fn step(&mut self) {}
        fn outcome(&mut self, _: &Outcome) {
            self.0 += 1;
        }
    }

    #[test]
    fn a_file_that_is_gone_is_forgotten() {
        let mut said = Said::default();
        let outcome = |file: &str| Outcome {
            file: file.into(),
            verdict: Word::Discard,
            reason: "empty".to_owned(),
            event: None,
            redaction: None,
            again: true,
        };
        assert!(said.is_news(&outcome("A.JPG")));
        said.next_round();
        assert!(!said.is_news(&outcome("A.JPG")));
        assert!(said.is_news(&outcome("B.JPG")));
        said.next_round();
        said.next_round();
        assert!(said.is_news(&outcome("A.JPG")));
        assert_eq!((said.now.len(), said.before.len()), (1, 0));
    }

    #[test]
    fn a_file_that_stays_is_told_once_and_again_when_its_fate_changes_and_for_each_camera() {
        let mut count = Count(0);
        let mut notifier = Notifier::default();
        let mut attendance = Attendance::new(&mut count, &mut notifier, None);
        let outcome = |verdict, reason: &str| Outcome {
            file: "DCIM/A.JPG".into(),
            verdict,
            reason: reason.to_owned(),
            event: None,
            redaction: None,
            again: false,
        };
        let lies_there_still = Outcome {
            again: true,
            ..outcome(Word::Discard, "empty")
        };
        for camera in ["quai", "pont"] {
            attendance.card(&camera.parse().expect("plain"));
            // A round that began before this program did decided on it.
            attendance.outcome(&lies_there_still);
            for _ in 0..3 {
                attendance.outcome(&outcome(Word::Held, "not-settled"));
            }
            attendance.outcome(&outcome(Word::Held, "event-open"));
            attendance.outcome(&outcome(Word::Discard, "empty"));
            for _ in 0..3 {
                attendance.outcome(&lies_there_still);
            }
            // Another frame under the same name.
            attendance.outcome(&outcome(Word::Discard, "empty"));
            attendance.outcome(&outcome(Word::Held, "event-open"));
        }
        assert_eq!(count.0, 12);
    }
}
