//! A frame that stops the program is known afterwards, and left alone: the watchdog hears of finished steps alone.
#![cfg(feature = "trap")]

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use common::{
    EMPTY, Rig, Scene, Told, UNLOADING, VAN, WALKER, clock, frame, networks_are_there, stderr, told,
};
use rustix::process::{Pid, Signal, kill_process};
use vigie::config::Trap;
use vigie::frame::Digest;
use vigie::jpeg::Picture;
use vigie::trap::attendance::Attendance;
use vigie::trap::in_hand;
use vigie::trap::notify::Notifier;
use vigie::trap::service::Service;
use vigie::trap::{Listener, Outcome, Word};
use vigie::vault::{DeviceKey, Store};
use vigie::verify;
use vigie::vision::geometry::Rect;
use vigie::vision::{Detection, Detector, Error, Objects, Painted, Plate, Silhouette, View};

const FOLDER: &str = "VIGIE_WATCHED_FOLDER";
const STUCK_AT: &str = "VIGIE_WATCHED_STUCK_AT";
/// What the manager of these tests waits for a sign of life.
const WATCHDOG: Duration = Duration::from_millis(200);

/// Never comes back from a frame with a person and a vehicle in it.
struct Hanging {
    painted: Painted,
    at_the_scout: bool,
}

fn hang_over(seen: &Objects) {
    if !seen.persons.is_empty() && !seen.vehicles.is_empty() {
        println!("\nHUNG");
        loop {
            std::thread::park();
        }
    }
}

impl Detector for Hanging {
    fn scout(&mut self, view: View<'_>) -> Result<Objects, Error> {
        let seen = self.painted.scout(view)?;
        if self.at_the_scout {
            hang_over(&seen);
        }
        Ok(seen)
    }
    fn guard(&mut self, picture: &mut Picture) -> Result<Objects, Error> {
        let seen = self.painted.guard(picture)?;
        hang_over(&seen);
        Ok(seen)
    }
    fn plates(&mut self, picture: &mut Picture, vehicles: &[Detection]) -> Result<Vec<Plate>, Error> {
        self.painted.plates(picture, vehicles)
    }
    fn silhouette(&mut self, picture: &mut Picture, person: Rect) -> Result<Silhouette, Error> {
        self.painted.silhouette(picture, person)
    }
    fn networks(&self) -> Vec<(String, Digest)> {
        self.painted.networks()
    }
}

/// Says each outcome on standard output, a line of its own even amid what the test harness prints.
struct Aloud;

impl Listener for Aloud {
    fn begin(&mut self, _files: u64) {}
    fn step(&mut self) {}
    fn outcome(&mut self, outcome: &Outcome) {
        let word = serde_json::to_value(outcome.verdict).expect("a word");
        let word = word.as_str().expect("text");
        println!("\nOUTCOME {} {word} {}", outcome.file.display(), outcome.reason);
    }
}

/// Run as a process of its own by the tests below: the service, as `vigie watch --until-idle` puts it together.
#[test]
fn serves_until_it_is_ended() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let config = Trap::read(&folder.join("trap.toml")).expect("a configuration");
    let device = DeviceKey::read(&config.device_key).expect("a key");
    let recipients = vigie::trap::recipients::read(&config).expect("keys");
    let mut store = Store::open(&config.store, &device, clock()).expect("a store");
    in_hand::leave_evidence_on_abort(config.store.clone()).expect("watched");
    let mut notifier = Notifier::from_environment();
    notifier.ready();
    let mut aloud = Aloud;
    Service {
        config: &config,
        store: &mut store,
        recipients: &recipients,
        detector: &mut Hanging {
            painted: Painted::new(),
            at_the_scout: std::env::var(STUCK_AT).as_deref() == Ok("scout"),
        },
        clock: &clock,
        stop: &AtomicBool::new(false),
    }
    .watch(true, &mut Attendance::new(&mut aloud, &mut notifier, None))
    .expect("a whole round");
    notifier.stopping();
    store.close(clock()).expect("closed");
}

enum Event {
    Line(String),
    Told(String),
}

/// A service manager, as far as it matters here.
struct Manager {
    child: Child,
    events: Receiver<Event>,
}

fn pass_on(lines: impl Iterator<Item = Event> + Send + 'static, to: Sender<Event>) {
    std::thread::spawn(move || lines.into_iter().try_for_each(|event| to.send(event)));
}

impl Manager {
    /// Starts a command as a service.
    fn start(command: &mut Command, folder: &Path) -> Self {
        let (send, events) = channel();
        let address = folder.join("notify");
        let _ = fs::remove_file(&address);
        let socket = UnixDatagram::bind(&address).expect("bound");
        let mut child = command
            .env("NOTIFY_SOCKET", &address)
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a process");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        pass_on(lines.map_while(Result::ok).map(Event::Line), send.clone());
        let messages = std::iter::from_fn(move || {
            let mut buffer = [0; 512];
            let length = socket.recv(&mut buffer).ok()?;
            Some(Event::Told(
                String::from_utf8_lossy(&buffer[..length]).into_owned(),
            ))
        });
        pass_on(messages, send);
        Self { child, events }
    }

    fn kill(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("killed");
    }

    /// Goes on until the service has ended; over a frame that hangs, `bite` ends it as soon as it feeds the watchdog no
    /// more. The lines it said, what it told the manager, and the signal it ended by.
    fn until_it_ends(mut self, bite: Signal) -> (Vec<String>, Vec<String>, Option<i32>) {
        let (mut lines, mut said, mut hung) = (Vec::new(), Vec::new(), false);
        loop {
            match self.events.recv_timeout(WATCHDOG) {
                Ok(Event::Line(line)) => {
                    hung |= line == "HUNG";
                    lines.push(line);
                }
                Ok(Event::Told(message)) => said.push(message),
                // A slow machine is no hang.
                Err(RecvTimeoutError::Timeout) if hung => self.kill(bite),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if let Some(status) = self.child.try_wait().expect("waited for") {
                lines.extend(self.events.try_iter().filter_map(|event| match event {
                    Event::Line(line) => Some(line),
                    Event::Told(message) => {
                        said.push(message);
                        None
                    }
                }));
                return (lines, said, status.signal());
            }
        }
        panic!("nobody listens to the service any more");
    }
}

fn serve(rig: &Rig, stuck_at: &str, bite: Signal) -> (Vec<String>, Vec<String>, Option<i32>) {
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command
        .args(["serves_until_it_is_ended", "--exact", "--nocapture"])
        .env(FOLDER, rig.folder.path())
        .env(STUCK_AT, stuck_at);
    Manager::start(&mut command, rig.folder.path()).until_it_ends(bite)
}

const CARD: [(Scene, &str); 5] = [
    (EMPTY, "08:00:01"),
    (VAN, "08:20:01"),
    (UNLOADING, "08:20:06"),
    (VAN, "08:20:16"),
    (WALKER, "09:00:01"),
];

fn outcome_of<'a>(lines: &'a [String], name: &str) -> Vec<&'a str> {
    let begins = format!("OUTCOME DCIM/{name} ");
    let rest = lines.iter().filter_map(|line| line.strip_prefix(&begins));
    rest.collect()
}

fn box_with_a_card_that_hangs() -> Rig {
    let rig = Rig::new();
    for (number, (scene, hour)) in CARD.into_iter().enumerate() {
        rig.put(&format!("DCIM/{number}.JPG"), &frame(scene, hour, number as u32));
    }
    rig.prove_keys();
    rig
}

/// So often the program is ended over one frame, wherever it hangs; then it is told as left, and everything else is done.
fn is_left_alone_after(ends: usize, stuck_at: &str, bite: Signal) {
    let rig = box_with_a_card_that_hangs();
    for end in 0..ends {
        let (lines, said, signal) = serve(&rig, stuck_at, bite);
        assert_eq!(signal, Some(bite.as_raw()), "{stuck_at} {end}: {lines:#?}");
        assert!(lines.contains(&"HUNG".to_owned()));
        assert!(said.contains(&"READY=1".to_owned()) && said.contains(&"WATCHDOG=1".to_owned()));
        assert!(!said.contains(&"STOPPING=1".to_owned()));
        let report = verify::store(&rig.store(), Some(rig.device().public())).expect("a store");
        assert!(report.ok, "{report:#?}");
    }
    let (lines, said, signal) = serve(&rig, stuck_at, bite);
    assert_eq!(signal, None, "{lines:#?}");
    assert!(
        !lines.contains(&"HUNG".to_owned()),
        "it was taken again: {lines:#?}"
    );
    assert_eq!(outcome_of(&lines, "2.JPG"), ["left stuck"], "{lines:#?}");
    assert_eq!(
        outcome_of(&lines, "1.JPG"),
        ["keep vehicle-in-zone"],
        "{lines:#?}"
    );
    assert_eq!(
        outcome_of(&lines, "4.JPG"),
        ["discard walker-alone"],
        "{lines:#?}"
    );
    assert_eq!(said.last().map(String::as_str), Some("STOPPING=1"));
    assert!(rig.card().join("DCIM/2.JPG").exists(), "never dropped");

    let status = rig.vigie(&["status", "--json"]).output().expect("run");
    let status: serde_json::Value =
        serde_json::from_slice(&status.stdout).unwrap_or_else(|_| panic!("{}", stderr(&status)));
    assert_eq!(status["cameras"][0]["set_aside"], 1);
    assert!(status["degraded"].to_string().contains("frame-stuck"), "{status}");
    let (outcomes, _) = rig.scan(&mut Painted::new());
    assert_eq!(outcomes.len(), 1, "and it stays so");
    assert_eq!(told(&outcomes, "DCIM/2.JPG").reason, "stuck");
    let report = verify::store(&rig.store(), Some(rig.device().public())).expect("a store");
    assert!(report.ok && report.remarks.is_empty(), "{report:#?}");
}

#[test]
fn a_frame_at_which_the_scout_hangs_is_left_alone_after_the_second_time() {
    is_left_alone_after(2, "scout", Signal::ABORT);
}

#[test]
fn a_witness_at_which_the_guard_hangs_is_left_alone_after_the_second_time() {
    is_left_alone_after(2, "guard", Signal::ABORT);
}

#[test]
fn a_frame_over_which_the_program_is_killed_without_a_word_is_left_alone_after_the_third_time() {
    is_left_alone_after(3, "scout", Signal::KILL);
}

#[test]
fn a_power_cut_is_no_frames_fault() {
    let rig = box_with_a_card_that_hangs();
    for cut in 0..4 {
        let (lines, _, signal) = serve(&rig, "scout", Signal::KILL);
        assert_eq!(signal, Some(Signal::KILL.as_raw()), "cut {cut}: {lines:#?}");
        // What was written down under another boot.
        let database = rusqlite::Connection::open(rig.store().join("vault.db")).expect("opened");
        let changed = database.execute("UPDATE in_hand SET session = 'another-boot/1-00'", []);
        assert!(changed.expect("written") > 0);
    }
    let (outcomes, _) = rig.scan(&mut Painted::new());
    assert_eq!(told(&outcomes, "DCIM/2.JPG").verdict, Word::Keep);
}

/// Raises the stop while the guard looks at a witness.
struct StopsAtTheGuard(Painted, Arc<AtomicBool>);

impl Detector for StopsAtTheGuard {
    fn scout(&mut self, view: View<'_>) -> Result<Objects, Error> {
        self.0.scout(view)
    }
    fn guard(&mut self, picture: &mut Picture) -> Result<Objects, Error> {
        self.1.store(true, Ordering::Relaxed);
        self.0.guard(picture)
    }
    fn plates(&mut self, picture: &mut Picture, vehicles: &[Detection]) -> Result<Vec<Plate>, Error> {
        self.0.plates(picture, vehicles)
    }
    fn silhouette(&mut self, picture: &mut Picture, person: Rect) -> Result<Silhouette, Error> {
        self.0.silhouette(picture, person)
    }
    fn networks(&self) -> Vec<(String, Digest)> {
        self.0.networks()
    }
}

#[test]
fn told_to_stop_while_a_witness_is_masked_it_stops_after_that_witness_and_goes_on_the_next_time() {
    let undisturbed = box_with_a_card_that_hangs();
    let (expected, _) = undisturbed.scan(&mut Painted::new());
    let rig = box_with_a_card_that_hangs();
    let stop = Arc::new(AtomicBool::new(false));
    let painted = Painted::new();
    let config = rig.config();
    let mut store = rig.open_store();
    let mut heard = Told::default();
    let summary = Service {
        config: &config,
        store: &mut store,
        recipients: &rig.recipients(),
        detector: &mut StopsAtTheGuard(painted.clone(), stop.clone()),
        clock: &clock,
        stop: &stop,
    }
    .scan(&config.cameras[0], &rig.card(), &mut heard)
    .expect("an orderly end");
    assert_eq!((painted.calls().guard, summary.events_sealed), (1, 0));
    let held = heard.0.iter().filter(|outcome| outcome.verdict == Word::Held);
    assert_eq!(held.count(), 4, "{:#?}", heard.0);
    store.close(clock()).expect("closed");
    let (outcomes, summary) = rig.scan(&mut Painted::new());
    assert_eq!(summary.events_sealed, 1);
    for outcome in expected.iter().filter(|outcome| outcome.reason != "empty") {
        let name = outcome.file.to_str().expect("plain");
        assert_eq!(told(&outcomes, name), outcome);
    }
}

#[test]
fn the_program_itself_tells_the_manager_and_ends_cleanly_when_told_to() {
    if !networks_are_there() {
        return;
    }
    let rig = Rig::new();
    rig.put("DCIM/A.JPG", &frame(EMPTY, "08:00:00", 1));
    let mut manager = Manager::start(&mut rig.vigie(&["watch"]), rig.folder.path());
    let mut said = Vec::new();
    let patience = Duration::from_secs(300);
    while !said.contains(&"STATUS=waiting".to_owned()) {
        match manager.events.recv_timeout(patience).expect("it says something") {
            Event::Told(message) => said.push(message),
            Event::Line(_) => {}
        }
    }
    assert_eq!(said[0], "READY=1");
    manager.kill(Signal::TERM);
    let status = manager.child.wait().expect("waited for");
    assert_eq!(status.code(), Some(0));
    while !said.contains(&"STOPPING=1".to_owned()) {
        if let Event::Told(message) = manager
            .events
            .recv_timeout(patience)
            .expect("it says that it goes")
        {
            said.push(message);
        }
    }
    assert!(rig.store().join("vault.head").exists(), "closed in good order");
}
