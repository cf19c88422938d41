//! A worker under the interposer: one round over the card, cut off or failed wherever it is wanted.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard};

use tempfile::TempDir;
use vigie::config::{Camera, Trap};
use vigie::frame::BoxTime;
use vigie::trap;
use vigie::trap::service::Service;
use vigie::trap::wiping::Unwatched;
use vigie::vault::certificate::Reason;
use vigie::vault::{DeviceKey, Store};
use vigie::vision::Painted;

use super::{said_in, way};
use crate::common::{Rig, Told};

/// Every test that starts workers has a test of this name that calls [`work`].
pub const WORKER: &str = "a_worker_does_one_round";
const FOLDER: &str = "VIGIE_FAULT_BOX";
const NOW: &str = "VIGIE_FAULT_NOW";
const TASK: &str = "VIGIE_FAULT_TASK";

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// One round over the card, as `vigie scan` does it.
    Round,
    /// Out, in and back, as the box, the desk and the box do it one after the other.
    Transfer,
    /// The card's wipe, as `vigie wipe` does it: it must be a mounted one ([`super::mounted`]).
    Wipe,
}

impl Task {
    fn name(self) -> &'static str {
        match self {
            Self::Round => "round",
            Self::Transfer => "transfer",
            Self::Wipe => "wipe",
        }
    }

    fn named(name: &str) -> Option<Self> {
        let all = [Self::Round, Self::Transfer, Self::Wipe].into_iter();
        all.into_iter().find(|task| task.name() == name)
    }

    /// Whether it does nothing to a card that is not mounted.
    pub fn mounts(self) -> bool {
        self == Self::Wipe
    }

    /// The folder of what can be pulled out.
    fn pulled(self) -> &'static str {
        match self {
            Self::Round | Self::Wipe => "card",
            Self::Transfer => "stick",
        }
    }
}

const DONE: i32 = 40;
const REFUSED: i32 = 41;
const SIGKILL: i32 = 9;

/// How a worker ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Whole.
    Done,
    /// With an error that says what is wrong.
    Refused(String),
    /// Killed.
    Killed,
}

/// What came of a run under the interposer.
#[derive(Debug)]
pub struct Run {
    pub ended: Ended,
    /// What the interposer did; nothing if the run was over before it was to do it.
    pub fault: Option<String>,
}

/// Run in the worker: its task, ended as the program ends it. Nothing where this is not a worker.
pub fn work() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let now = std::env::var(NOW).expect("a time").parse().expect("a time");
    let task = std::env::var(TASK).expect("a task");
    let done = match Task::named(&task).expect("a task") {
        Task::Transfer => way::there_and_back(&folder, BoxTime(now)).map_err(Into::into),
        Task::Round => with_card(&folder, BoxTime(now), |service, camera| {
            let card = &camera.card;
            service.scan(camera, card, &mut Told::default()).map(drop)
        }),
        Task::Wipe => with_card(&folder, BoxTime(now), |service, camera| {
            let card = &camera.card;
            service
                .wipe(camera, card, Reason::Asked, &mut Unwatched)
                .map(drop)
        }),
    };
    match done {
        Ok(()) => std::process::exit(DONE),
        Err(error) => {
            eprintln!("\nREFUSED {error}");
            std::process::exit(REFUSED)
        }
    }
}

/// The same steps as `vigie scan` and `vigie wipe`.
fn with_card(
    folder: &Path,
    now: BoxTime,
    work: impl FnOnce(&mut Service<'_>, &Camera) -> Result<(), trap::Error>,
) -> Result<(), Box<dyn std::error::Error>> {
    let config = Trap::read(&folder.join("trap.toml"))?;
    let device = DeviceKey::read(&config.device_key)?;
    let recipients = vigie::trap::recipients::read(&config)?;
    let clock = || now;
    let mut store = Store::open(&config.store, &device, now)?;
    let mut service = Service {
        config: &config,
        store: &mut store,
        recipients: &recipients,
        detector: &mut Painted::new(),
        clock: &clock,
        stop: &AtomicBool::new(false),
    };
    let done = work(&mut service, &config.cameras[0]);
    store.close(now)?;
    done?;
    Ok(())
}

/// Runs a worker on this box; the `at`th call that `mode` concerns is done what the mode says.
pub fn run(rig: &Rig, task: Task, now: BoxTime, mode: &str, at: u64) -> Run {
    let outside = super::folder();
    let run = run_in(rig, task, now, mode, at, &outside);
    let said = fs::read_to_string(said_in(outside.path())).expect("said");
    Run {
        ended: run,
        fault: (!said.is_empty()).then_some(said),
    }
}

/// Runs a worker on this box, whole, and gives what it did to the disk.
pub fn traced(rig: &Rig, task: Task, now: BoxTime) -> Vec<u8> {
    let outside = super::folder();
    let ended = run_in(rig, task, now, "trace", 0, &outside);
    assert_eq!(ended, Ended::Done, "nothing was in its way");
    fs::read(said_in(outside.path())).expect("a trace")
}

/// While this is held, no worker starts: until it is itself, a new process holds every file of the test's, and with
/// them the lock of a store that the test has closed meanwhile.
pub fn nobody_starts() -> RwLockReadGuard<'static, ()> {
    STARTING.read().unwrap_or_else(PoisonError::into_inner)
}

static STARTING: RwLock<()> = RwLock::new(());

fn run_in(rig: &Rig, task: Task, now: BoxTime, mode: &str, at: u64, outside: &TempDir) -> Ended {
    let root = rig.folder.path().canonicalize().expect("a folder");
    let mut command = Command::new(std::env::current_exe().expect("this test"));
    command
        .args([WORKER, "--exact", "--nocapture", "--test-threads=1"])
        .env(FOLDER, &root)
        .env(NOW, now.to_string())
        .env(TASK, task.name())
        .env("TMPDIR", outside.path())
        .env(
            "VIGIE_FAULT_WATCH",
            format!("{}:{}", root.display(), root.join(task.pulled()).display()),
        )
        .env("VIGIE_FAULT_MODE", mode)
        .env("VIGIE_FAULT_AT", at.to_string())
        .env("VIGIE_FAULT_SAID", said_in(outside.path()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let library = interposer();
    let starting = STARTING.write().unwrap_or_else(PoisonError::into_inner);
    let worker = command.env("LD_PRELOAD", library).spawn().expect("a process");
    drop(starting);
    let output = worker.wait_with_output().expect("ended");
    let left: Vec<_> = fs::read_dir(outside.path()).expect("a folder").collect();
    assert_eq!(left.len(), 1, "{mode} {at}: it left temporary files: {left:?}");
    ended(&output, &format!("{mode} {at}"))
}

fn ended(output: &Output, what: &str) -> Ended {
    let stderr = String::from_utf8_lossy(&output.stderr);
    match (output.status.code(), output.status.signal()) {
        (Some(DONE), _) => Ended::Done,
        (Some(REFUSED), _) => {
            let told = stderr.lines().find_map(|line| line.strip_prefix("REFUSED "));
            Ended::Refused(told.expect("why").to_owned())
        }
        (None, Some(SIGKILL)) => Ended::Killed,
        // A panic, an abort, or SIGALRM: it hung.
        _ => panic!("{what}: the worker ended with {}: {stderr}", output.status),
    }
}

/// The interposer, compiled once for each test program.
fn interposer() -> &'static Path {
    static LIBRARY: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, library) = LIBRARY.get_or_init(|| {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let library = folder.path().join("interpose.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fault_kit/interpose.c");
        // It starts a process too.
        let _alone = STARTING.write().unwrap_or_else(PoisonError::into_inner);
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-o"])
            .args([&library, &source])
            .args(["-ldl", "-lpthread"])
            .output()
            .expect("a C compiler: see the README");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        (folder, library)
    });
    library
}
