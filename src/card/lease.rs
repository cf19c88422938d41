//! Borrowing the card from its camera, and always giving it back.
//!
//! Promises: a taken card is given back when the lease ends, however it ends: given, dropped, unwound, or
//! cut off by a crash, for a marker is made durable in the store's folder before the integrator's `take`
//! runs, and goes only after a `give` that succeeded. A `take` that fails is given back too: nobody knows
//! how far it came. No command may hang: it is stopped with its children.
//!
//! Leaves to the integrator: that `take` returns with the card mounted, that `give` unmounts it and does
//! no harm when the camera has its card already. Close every [`super::Card`] before giving back.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{Error, HookFault};
use crate::config::{Access, Camera};
use crate::frame::CameraId;

/// No command may take longer, even where the camera may be blind for longer.
const HOOK_AT_MOST: Duration = Duration::from_secs(60);

/// The right to touch a camera's card now.
#[derive(Debug)]
pub struct CardLease {
    held: Option<Held>,
}

impl CardLease {
    /// Borrows the card. With `access = "mounted"` there is nothing to do; with `"handover"` the marker is
    /// written into `folder` (the store's), then `take` runs. A card that a crash left taken is given back
    /// first. `now` is when the camera goes blind.
    pub fn take(camera: &Camera, folder: &Path, now: Instant) -> Result<Self, Error> {
        recover(camera, folder)?;
        let Some(mut held) = Held::of(camera, folder) else {
            return Ok(Self { held: None });
        };
        held.ends = now.checked_add(held.blind_at_most);
        held.mark()?;
        // From here on, dropping the lease gives the card back.
        let lease = Self { held: Some(held) };
        if let Some(held) = &lease.held {
            held.run("take", &held.take)?;
        }
        Ok(lease)
    }

    /// How long the camera may still be without its card; `None` where it is not without it at all.
    pub fn remaining(&self, now: Instant) -> Option<Duration> {
        let held = self.held.as_ref()?;
        Some(
            held.ends
                .map_or(held.blind_at_most, |ends| ends.saturating_duration_since(now)),
        )
    }

    /// Gives the card back. Where that fails, the marker stays, and the next start or lease tries again.
    pub fn give(mut self) -> Result<(), Error> {
        self.held.take().map_or(Ok(()), |held| held.give_back())
    }
}

impl Drop for CardLease {
    fn drop(&mut self) {
        if let Some(held) = self.held.take()
            && let Err(error) = held.give_back()
        {
            tracing::error!(%error, "the camera is still without its card");
        }
    }
}

/// Gives a card back that a crash left taken; whether there was one. For every camera, at every start.
pub fn recover(camera: &Camera, folder: &Path) -> Result<bool, Error> {
    match Held::of(camera, folder) {
        Some(held) if held.marker.exists() => {
            tracing::warn!(camera = %camera.id, "the card was left taken; giving it back");
            held.give_back().map(|()| true)
        }
        _ => Ok(false),
    }
}

/// A card that the camera is without.
#[derive(Debug)]
struct Held {
    camera: CameraId,
    card: PathBuf,
    take: Vec<String>,
    give: Vec<String>,
    blind_at_most: Duration,
    ends: Option<Instant>,
    marker: PathBuf,
}

impl Held {
    fn of(camera: &Camera, folder: &Path) -> Option<Self> {
        match &camera.access {
            Access::Mounted => None,
            Access::Handover {
                take,
                give,
                blind_at_most,
            } => Some(Self {
                camera: camera.id.clone(),
                card: camera.card.clone(),
                take: take.clone(),
                give: give.clone(),
                blind_at_most: (*blind_at_most).into(),
                ends: None,
                marker: folder.join(format!("lease-{}", camera.id)),
            }),
        }
    }

    fn mark(&self) -> Result<(), Error> {
        File::create(&self.marker)
            .and_then(|file| file.sync_all())
            .and_then(|()| self.sync_folder())
            .map_err(|source| self.marker_failed("write", source))
    }

    fn give_back(self) -> Result<(), Error> {
        self.run("give", &self.give)?;
        std::fs::remove_file(&self.marker)
            .and_then(|()| self.sync_folder())
            .map_err(|source| self.marker_failed("remove", source))
    }

    fn sync_folder(&self) -> std::io::Result<()> {
        self.marker
            .parent()
            .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    }

    fn marker_failed(&self, doing: &'static str, source: std::io::Error) -> Error {
        Error::Io {
            path: self.marker.clone(),
            doing,
            source,
        }
    }

    /// Runs one of the integrator's commands to its end: no shell, no input, its own process group, its
    /// output with our errors (our stdout is for results).
    fn run(&self, hook: &'static str, argv: &[String]) -> Result<(), Error> {
        let [program, arguments @ ..] = argv else {
            return Ok(());
        };
        let failed = |fault| Error::Hook {
            camera: self.camera.clone(),
            hook,
            command: program.clone(),
            fault,
        };
        let mut child = Command::new(program)
            .args(arguments)
            .env("VIGIE_CAMERA", self.camera.as_str())
            .env("VIGIE_CARD", &self.card)
            .stdin(Stdio::null())
            .stdout(Stdio::from(std::io::stderr()))
            .process_group(0)
            .spawn()
            .map_err(|source| failed(HookFault::Start(source)))?;
        let limit = HOOK_AT_MOST.min(self.blind_at_most);
        match wait(&mut child, limit).map_err(|source| failed(HookFault::Start(source)))? {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(failed(HookFault::Status(status))),
            None => Err(failed(HookFault::TimedOut(limit))),
        }
    }
}

/// Waits for a child; one that does not end in time is killed with its group, and `None` is returned.
fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    const LOOK_EVERY: Duration = Duration::from_millis(10);
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() >= limit {
            // Its group bears its pid (process_group(0) above). A child that ended just now is no error.
            let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
