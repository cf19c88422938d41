//! A borrowed card always goes back to its camera: after success, after errors, after a crash.
#![cfg(feature = "trap")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use vigie::card::lease::{CardLease, recover};
use vigie::card::{Error, HookFault};
use vigie::config::{Camera, Trap};

const EXAMPLE: &str = include_str!("../docs/trap.example.toml");

/// A camera whose two commands write down that they ran, and do what the test says.
struct Bench {
    folder: tempfile::TempDir,
    camera: Camera,
}

impl Bench {
    fn new(take: &str, give: &str, blind_at_most: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let hook = |name: &str, does: &str| {
            let path = folder.path().join(name);
            let log = folder.path().join("log");
            let script = format!(
                "#!/bin/sh\necho {name} $1 $VIGIE_CAMERA $VIGIE_CARD >> '{}'\n{does}\n",
                log.display()
            );
            fs::write(&path, script).expect("a script");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
            format!("{name} = [\"{}\", \"now\"]", path.display())
        };
        let text = EXAMPLE.replace(
            "access = \"mounted\"",
            &format!(
                "access = \"handover\"\nblind_at_most = \"{blind_at_most}\"\n{}\n{}",
                hook("take", take),
                hook("give", give)
            ),
        );
        let camera = Trap::parse(&text, Path::new("trap.toml"))
            .expect("a trap")
            .cameras
            .remove(0);
        Self { folder, camera }
    }

    fn take(&self) -> Result<CardLease, Error> {
        CardLease::take(&self.camera, self.folder.path(), Instant::now())
    }

    /// The commands that ran, in order.
    fn ran(&self) -> Vec<String> {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        log.lines()
            .map(|line| {
                line.strip_suffix(" now quai-nord /media/quai-nord")
                    .expect("what hooks are told")
                    .to_owned()
            })
            .collect()
    }

    fn marker(&self) -> PathBuf {
        self.folder.path().join("lease-quai-nord")
    }
}

#[test]
fn a_lease_takes_the_card_and_gives_it_back_once() {
    let bench = Bench::new("", "", "10 min");
    let lease = bench.take().expect("taken");
    assert_eq!(bench.ran(), ["take"]);
    assert!(bench.marker().exists());
    lease.give().expect("given");
    assert_eq!(bench.ran(), ["take", "give"]);
    assert!(!bench.marker().exists());
    assert!(!recover(&bench.camera, bench.folder.path()).expect("nothing to recover"));
}

#[test]
fn an_error_between_take_and_give_gives_the_card_back() {
    let bench = Bench::new("", "", "10 min");
    let failing = || -> Result<(), Error> {
        let _lease = bench.take()?;
        Err(Error::Gone(PathBuf::from("card")))
    };
    assert!(failing().is_err());
    assert_eq!(bench.ran(), ["take", "give"]);
    assert!(!bench.marker().exists());
}

#[test]
fn a_panic_between_take_and_give_gives_the_card_back() {
    let bench = Bench::new("", "", "10 min");
    let panicked = std::panic::catch_unwind(|| {
        let _lease = bench.take();
        panic!("a bug");
    });
    assert!(panicked.is_err());
    assert_eq!(bench.ran(), ["take", "give"]);
}

#[test]
fn a_card_that_a_crash_left_taken_is_given_back_before_anything_else() {
    let bench = Bench::new("", "", "10 min");
    std::mem::forget(bench.take().expect("taken"));
    assert!(recover(&bench.camera, bench.folder.path()).expect("recovered"));
    assert_eq!(bench.ran(), ["take", "give"]);
    assert!(!bench.marker().exists());

    std::mem::forget(bench.take().expect("taken"));
    bench.take().expect("taken again").give().expect("given");
    assert_eq!(bench.ran()[2..], ["take", "give", "take", "give"]);
}

#[test]
fn a_take_that_fails_is_given_back_for_nobody_knows_how_far_it_came() {
    let bench = Bench::new("exit 3", "", "10 min");
    let refused = bench.take().expect_err("failed");
    assert!(matches!(
        &refused,
        Error::Hook { hook: "take", fault: HookFault::Status(status), .. } if status.code() == Some(3)
    ));
    assert_eq!(bench.ran(), ["take", "give"]);
    assert!(!bench.marker().exists());
}

#[test]
fn a_give_that_fails_leaves_the_marker_so_that_it_is_tried_again() {
    let bench = Bench::new("", "[ -e \"$0.fixed\" ]", "10 min");
    let refused = bench.take().expect("taken").give().expect_err("failed");
    assert!(matches!(refused, Error::Hook { hook: "give", .. }), "{refused}");
    assert!(bench.marker().exists());
    assert!(
        bench.take().is_err(),
        "no second lease over a card that is not back"
    );
    fs::write(bench.folder.path().join("give.fixed"), b"").expect("fixed");
    assert!(recover(&bench.camera, bench.folder.path()).expect("recovered"));
    assert!(!bench.marker().exists());
}

#[test]
fn a_command_that_hangs_is_stopped_with_its_children() {
    // Both the shell and its child wait for a writer of this FIFO, who never comes.
    let bench = Bench::new("mkfifo \"$0.fifo\"; cat \"$0.fifo\" & cat \"$0.fifo\"", "", "3 s");
    let refused = bench.take().expect_err("stopped");
    assert!(
        matches!(
            refused,
            Error::Hook {
                fault: HookFault::TimedOut(_),
                ..
            }
        ),
        "{refused}"
    );
    assert_eq!(bench.ran(), ["take", "give"]);
    // With no reader left, a writer that does not wait is refused (fifo(7): ENXIO); until then, the
    // children are still dying.
    let fifo = bench.folder.path().join("take.fifo");
    let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK;
    let write = || rustix::fs::open(&fifo, flags, rustix::fs::Mode::empty());
    while write().is_ok() {
        std::thread::yield_now();
    }
    assert_eq!(write().err(), Some(rustix::io::Errno::NXIO));
}

#[test]
fn a_command_that_is_not_there_is_named() {
    let mut bench = Bench::new("", "", "10 min");
    if let vigie::config::Access::Handover { take, .. } = &mut bench.camera.access {
        take[0] = "/nowhere/card-to-box".to_owned();
    }
    let refused = bench.take().expect_err("not there").to_string();
    assert!(
        refused.contains("take (/nowhere/card-to-box) could not be started"),
        "{refused}"
    );
    assert_eq!(bench.ran(), ["give"]);
}

#[test]
fn the_time_that_the_camera_is_blind_is_counted_from_before_take() {
    let bench = Bench::new("", "", "10 min");
    let start = Instant::now();
    let lease = CardLease::take(&bench.camera, bench.folder.path(), start).expect("taken");
    let remaining = |seconds| lease.remaining(start + Duration::from_secs(seconds));
    assert_eq!(remaining(0), Some(Duration::from_secs(600)));
    assert_eq!(remaining(599), Some(Duration::from_secs(1)));
    assert_eq!(remaining(601), Some(Duration::ZERO));
}

#[test]
fn a_mounted_card_is_nobodys_loan() {
    let folder = tempfile::tempdir().expect("a folder");
    let camera = Trap::parse(EXAMPLE, Path::new("trap.toml"))
        .expect("a trap")
        .cameras
        .remove(0);
    let lease = CardLease::take(&camera, folder.path(), Instant::now()).expect("there is nothing to take");
    assert_eq!(lease.remaining(Instant::now()), None);
    lease.give().expect("nor to give");
    assert_eq!(
        fs::read_dir(folder.path()).expect("the folder").count(),
        0,
        "no marker"
    );
}
