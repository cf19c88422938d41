//! The short cut to a rescan: ticks when something changes below a card's folder.
//!
//! Promises: [`Watch::wait`] returns at the latest after the time it was given, whatever happens to the
//! card or to the kernel's watches, so a caller that rescans after every return misses nothing; a card
//! that comes back is watched anew. What it reports is a hint: events may be lost, the rescan may not.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

/// After a change, more of the same burst is waited for this long ...
const BURST: Duration = Duration::from_millis(100);
/// ... but not longer than this in all.
const BURST_AT_MOST: Duration = Duration::from_secs(1);
/// Hints kept while the caller is busy; beyond, they are dropped, for one is enough to rescan.
const HINTS: usize = 1024;

/// Why [`Watch::wait`] returned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wake {
    /// Something changed, or a card came or went; otherwise the time was up.
    pub changed: bool,
    /// Files that their writer closed meanwhile: [`super::settle::Settling::closed`].
    pub closed: Vec<PathBuf>,
}

/// Watches the folders of several cards.
#[derive(Debug)]
pub struct Watch {
    roots: Vec<Root>,
    /// `None` where the system has no watches to give.
    watcher: Option<RecommendedWatcher>,
    hints: Receiver<Hint>,
    /// Keeps the channel open when there is no watcher, so that waiting still waits.
    _open: SyncSender<Hint>,
}

#[derive(Debug)]
struct Root {
    path: PathBuf,
    /// Which folder was there at the last look: mounting puts another one in its place.
    folder: Option<(u64, u64)>,
}

#[derive(Debug)]
enum Hint {
    Changed,
    Closed(Vec<PathBuf>),
}

impl Watch {
    /// Watches these folders, those that are there and those that will come.
    pub fn over(roots: impl IntoIterator<Item = PathBuf>) -> Self {
        let (send, hints) = sync_channel(HINTS);
        let sender = send.clone();
        let handler = move |event: notify::Result<notify::Event>| {
            if let Some(hint) = hint(event) {
                let _ = sender.try_send(hint);
            }
        };
        let config = notify::Config::default().with_follow_symlinks(false);
        let watcher = RecommendedWatcher::new(handler, config)
            .inspect_err(|error| tracing::warn!(%error, "no watches; cards are looked at on the timer only"))
            .ok();
        let roots = roots
            .into_iter()
            .map(|path| Root { path, folder: None })
            .collect();
        let mut watch = Self {
            roots,
            watcher,
            hints,
            _open: send,
        };
        watch.arm();
        watch
    }

    /// Waits for a change, at most this long.
    pub fn wait(&mut self, at_most: Duration) -> Wake {
        let mut wake = Wake {
            changed: self.arm(),
            ..Wake::default()
        };
        if !wake.changed {
            match self.hints.recv_timeout(at_most) {
                Ok(hint) => wake.take(hint),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    wake.changed = self.arm();
                    return wake;
                }
            }
        }
        let end = Instant::now() + BURST_AT_MOST;
        while Instant::now() < end
            && let Ok(hint) = self.hints.recv_timeout(BURST)
        {
            wake.take(hint);
        }
        wake
    }

    /// Looks whether each root is still the folder that is watched; whether any is not.
    fn arm(&mut self) -> bool {
        let mut changed = false;
        for root in &mut self.roots {
            let there = root.path.metadata().ok().map(|m| (m.dev(), m.ino()));
            if there == root.folder {
                continue;
            }
            changed = true;
            root.folder = there;
            let Some(watcher) = &mut self.watcher else {
                continue;
            };
            // The old folder's watch may have gone with its volume.
            let _ = watcher.unwatch(&root.path);
            if there.is_some()
                && let Err(error) = watcher.watch(&root.path, RecursiveMode::Recursive)
            {
                tracing::warn!(card = %root.path.display(), %error, "not watched; looked at on the timer only");
            }
        }
        changed
    }
}

impl Wake {
    fn take(&mut self, hint: Hint) {
        self.changed = true;
        if let Hint::Closed(paths) = hint {
            self.closed.extend(paths);
        }
    }
}

/// What an event tells. Reading and listing (ours too) tell nothing, or every rescan would call the next;
/// nor does what was removed.
fn hint(event: notify::Result<notify::Event>) -> Option<Hint> {
    let event = match event {
        Ok(event) => event,
        Err(error) => {
            let gone = matches!(&error.kind, notify::ErrorKind::Io(e) if e.kind() == io::ErrorKind::NotFound);
            if !gone {
                tracing::warn!(%error, "a watch failed; the timer goes on");
            }
            return Some(Hint::Changed);
        }
    };
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Hint::Closed(event.paths)),
        EventKind::Create(_)
        | EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Name(_) | ModifyKind::Any) => {
            Some(Hint::Changed)
        }
        _ if event.need_rescan() => Some(Hint::Changed),
        _ => None,
    }
}
