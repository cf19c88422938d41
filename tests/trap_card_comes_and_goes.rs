//! A card may be taken out and put back, and the camera may write to it, while the service watches.
#![cfg(feature = "trap")]

mod common;

use std::cell::Cell;
use std::fs::{self, File};
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use common::{Rig, Told, VAN, clock, content, frame};
use vigie::frame::BoxTime;
use vigie::trap::service::Service;
use vigie::trap::{Listener, Outcome, Word};
use vigie::vision::Painted;
use vigie::vision::painted::Job;

/// Longer than any test may take: a wait that ends by this timer is a failure.
const FOR_EVER: Duration = Duration::from_secs(120);

/// Passes every outcome on.
struct Pass(Sender<Outcome>);

impl Listener for Pass {
    fn begin(&mut self, _files: u64) {}
    fn step(&mut self) {}
    fn outcome(&mut self, outcome: &Outcome) {
        // The test may have heard enough.
        let _ = self.0.send(outcome.clone());
    }
}

/// Ends the service also where the test fails.
struct StopAtTheEnd<'a>(&'a AtomicBool);

impl Drop for StopAtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits until the file of this name has this outcome; the reason `never` must not be told of it meanwhile.
fn until(outcomes: &Receiver<Outcome>, name: &str, word: Word, reason: &str, never: &str) {
    let end = Instant::now() + FOR_EVER;
    loop {
        let rest = end.saturating_duration_since(Instant::now());
        let outcome = outcomes.recv_timeout(rest).expect("told in time");
        if outcome.file.as_os_str() != name {
            continue;
        }
        if (outcome.verdict, outcome.reason.as_str()) == (word, reason) {
            return;
        }
        assert!(never != outcome.reason, "{outcome:?}");
    }
}

/// Two cameras; the second one's card holds a video, told of in each round, and stays.
fn two_cameras() -> Rig {
    let rig = Rig {
        settings: "attempts = 100".to_owned(),
        camera: r#"access = "mounted"
[[camera]]
id = "second"
site = "Second camera"
regime = { kind = "videoprotection", reference = "none: a test", from = 2026-01-01, until = 2040-12-31 }
card = "second"
zone = "all"
access = "mounted""#
            .to_owned(),
        ..Rig::new()
    };
    fs::create_dir(rig.path("second")).expect("a card");
    fs::write(rig.path("second/ROUND.AVI"), b"RIFF").expect("written");
    rig
}

#[test]
fn a_card_is_taken_out_and_put_back_and_frames_are_taken_when_they_are_whole() {
    let rig = two_cameras();
    rig.put("A.JPG", &frame(VAN, "08:00:00", 1));
    fs::rename(rig.card(), rig.path("away")).expect("taken out");
    let (stop, later) = (AtomicBool::new(false), AtomicI64::new(0));
    let (tell, outcomes) = channel();
    let painted = Painted::new();
    std::thread::scope(|scope| {
        let stop_at_the_end = StopAtTheEnd(&stop);
        let (rig, stop, later) = (&rig, &stop, &later);
        let mut detector = painted.clone();
        let service = scope.spawn(move || {
            let config = rig.config();
            let mut store = rig.open_store();
            let now = || BoxTime(clock().0 + jiff::SignedDuration::from_secs(later.load(Ordering::Relaxed)));
            let ended = Service {
                config: &config,
                store: &mut store,
                recipients: &rig.recipients(),
                detector: &mut detector,
                clock: &now,
                stop,
            }
            .watch(false, &mut Pass(tell));
            store.close(now()).expect("closed");
            ended.map(|_| ())
        });
        // A change on the second card begins a round without waiting for the timer.
        let hints = Cell::new(0);
        let hint = || {
            hints.set(hints.get() + 1);
            fs::write(rig.path(&format!("second/{}.txt", hints.get())), b"a hint").expect("written");
        };
        let next_round = || {
            while let Ok(_said_before) = outcomes.try_recv() {}
            hint();
            until(&outcomes, "ROUND.AVI", Word::Left, "video", "");
        };
        next_round();
        fs::rename(rig.path("away"), rig.card()).expect("put in");
        until(&outcomes, "A.JPG", Word::Held, "event-open", "truncated");
        assert_eq!(painted.calls().scout, 1);

        // It waits for its event over several rounds, and over an absence, and is not looked at again.
        for _ in 0..2 {
            hint();
            until(&outcomes, "A.JPG", Word::Held, "event-open", "not-settled");
        }
        fs::rename(rig.card(), rig.path("away")).expect("taken out");
        next_round();
        next_round();
        fs::rename(rig.path("away"), rig.card()).expect("put back");
        until(&outcomes, "A.JPG", Word::Held, "event-open", "not-settled");
        next_round();
        assert_eq!(painted.calls().scout, 1);

        // Time passes without a frame: the event is complete.
        later.store(600, Ordering::Relaxed);
        hint();
        until(&outcomes, "A.JPG", Word::Keep, "vehicle-in-zone", "truncated");

        // The camera writes, slowly.
        let bytes = frame(VAN, "09:00:00", 2);
        let (first, rest) = bytes.split_at(bytes.len() / 2);
        let mut file = File::create(rig.card().join("B.JPG")).expect("created");
        file.write_all(first).expect("written");
        for _ in 0..2 {
            until(&outcomes, "B.JPG", Word::Held, "not-settled", "truncated");
            next_round();
        }
        assert_eq!(painted.calls().scout, 1, "not taken early");
        file.write_all(rest).expect("written");
        drop(file);
        until(&outcomes, "B.JPG", Word::Held, "event-open", "truncated");
        assert_eq!(painted.calls().scout, 2);
        later.store(1200, Ordering::Relaxed);
        hint();
        until(&outcomes, "B.JPG", Word::Keep, "vehicle-in-zone", "truncated");
        drop(stop_at_the_end);
        service.join().expect("no panic").expect("no error");
    });
    assert_eq!(content(&rig.card()), []);
    assert_eq!((painted.calls().scout, painted.calls().guard), (2, 2));
}

/// A camera whose card is borrowed by two commands that write down that they were called.
fn handover() -> Rig {
    let rig = Rig::new();
    let log = rig.path("log");
    let hook = |word: &str| {
        let script = format!("echo {word} $VIGIE_CAMERA >> '{}'", log.display());
        format!(r#"["/bin/sh", "-c", "{script}"]"#)
    };
    let camera = format!(
        "access = \"handover\"\ntake = {}\ngive = {}\nblind_at_most = \"10 min\"",
        hook("take"),
        hook("give")
    );
    Rig { camera, ..rig }
}

fn borrow(rig: &Rig, painted: &Painted) -> Result<usize, vigie::trap::Error> {
    let config = rig.config();
    let mut store = rig.open_store();
    let ended = Service {
        config: &config,
        store: &mut store,
        recipients: &rig.recipients(),
        detector: &mut painted.clone(),
        clock: &clock,
        stop: &AtomicBool::new(false),
    }
    .watch(true, &mut Told::default());
    store.close(clock()).expect("closed");
    ended.map(|ended| ended.absent.len())
}

#[test]
fn a_borrowed_card_is_given_back_after_each_round_also_after_an_error() {
    let rig = handover();
    let log = || fs::read_to_string(rig.path("log")).unwrap_or_default();
    rig.put_busy_card();
    let painted = Painted::new();
    painted.fail_next(Job::Scout);
    assert!(borrow(&rig, &painted).is_err());
    assert_eq!(log(), "take quai\ngive quai\n");
    assert_eq!(borrow(&rig, &painted).expect("a round"), 0);
    assert_eq!(log(), "take quai\ngive quai\n".repeat(2));
    assert_eq!(content(&rig.card()), []);
    // No card came although it was asked for.
    fs::remove_dir_all(rig.card()).expect("removed");
    assert_eq!(borrow(&rig, &painted).expect("a round"), 1);
    assert_eq!(log(), "take quai\ngive quai\n".repeat(3));
}
