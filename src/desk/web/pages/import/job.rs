//! One import, in a thread of its own: pages are answered meanwhile.
//!
//! Promises: one import at a time; the desk is held for the short steps alone; the keys of the session that began it
//! are let go with its end, and it ends with that session. A bundle that is refused keeps none of the others out. What came is indexed as soon as it
//! is taken, and answered with a return file: on the stick that it came from, or to be fetched by the browser.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::refusals::{Explained, explained};
use super::{RETURNS, terms};
use crate::desk::events::index::{self, Unread};
use crate::desk::events::{self, Terms};
use crate::desk::incoming::Incoming;
use crate::desk::keyring::EvidenceKeys;
use crate::desk::office::Office;
use crate::desk::session::AccountId;
use crate::desk::web::App;
use crate::transfer::taking_in::{Outcome, Progress, begin};
use crate::transfer::{self, BundleName, Folder, returning};
use crate::vault::DeviceId;

/// Events that get their rows in one transaction.
const AT_ONCE: usize = 200;

/// Where bundles come from.
#[derive(Debug)]
pub enum Source {
    /// A folder that the configuration allows, and the bundles in it.
    Stick(PathBuf, Vec<BundleName>),
    /// What a browser sent, in a folder that goes with the import.
    Browser(Incoming, Vec<BundleName>),
}

/// An import is under way.
#[derive(Debug, Clone, Copy)]
pub struct Busy;

/// What became of one bundle.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// Its name.
    pub bundle: String,
    /// What was taken, or why nothing was.
    pub outcome: Result<Outcome, Explained>,
    /// The return file that was written, and whether it is to be fetched here.
    pub answer: Option<Result<(String, bool), Explained>>,
}

/// How far an import is.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// The bundle that is looked at or taken.
    pub bundle: String,
    /// What is being done with it.
    pub step: &'static str,
    /// Of 100.
    pub percent: u64,
    /// What became of those before.
    pub receipts: Vec<Receipt>,
    /// How many events were indexed.
    pub events: u64,
    /// How many could not be read.
    pub unread: u64,
    /// Whether it is over.
    pub over: bool,
}

/// One import.
#[derive(Debug)]
pub struct Job {
    by: AccountId,
    standing: Mutex<Standing>,
    stopped: AtomicBool,
}

impl Job {
    /// How far it is.
    pub fn standing(&self) -> Standing {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the job whatever becomes of its thread.
struct Ending(Arc<Job>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.lock().over = true;
    }
}

/// A job and its thread, until that was waited for.
type Begun = (Arc<Job>, Option<JoinHandle<()>>);

/// The import that is under way, or the last one.
#[derive(Debug, Default)]
pub struct Importing {
    last: Mutex<Option<Begun>>,
    indexed: AtomicBool,
}

impl Importing {
    /// The one that is under way, or was last.
    pub fn job(&self) -> Option<Arc<Job>> {
        self.lock().as_ref().map(|(job, _)| job.clone())
    }

    /// Whether every event that came has its row, as far as is known.
    pub fn is_indexed(&self) -> bool {
        self.indexed.load(Ordering::SeqCst)
    }

    /// Every event that came has its row.
    pub fn set_indexed(&self) {
        self.indexed.store(true, Ordering::SeqCst);
    }

    /// Begins one, for this account, with the keys of its session.
    pub fn start(
        &self,
        app: &Arc<App>,
        by: AccountId,
        keys: Arc<EvidenceKeys>,
        source: Source,
    ) -> Result<(), Busy> {
        let mut last = self.lock();
        if last.as_ref().is_some_and(|(job, _)| !job.standing().over) {
            return Err(Busy);
        }
        self.indexed.store(false, Ordering::SeqCst);
        let job = Arc::new(Job {
            by,
            standing: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let ending = Ending(job.clone());
        let app = app.clone();
        let thread = std::thread::spawn(move || {
            Import {
                app: &app,
                keys: &keys,
                job: &ending.0,
            }
            .run(&source);
            drop(source);
        });
        *last = Some((job, Some(thread)));
        Ok(())
    }

    /// Stops the one that is under way before it takes anything more, if it is that of this account, or, of no account
    /// that is named, anybody's: keys are not kept for a session that is over.
    pub fn stop(&self, of: Option<&str>) {
        if let Some((job, _)) = self.lock().as_ref()
            && of.is_none_or(|account| job.by == account)
        {
            job.stopped.store(true, Ordering::SeqCst);
        }
    }

    /// Waits until the one that is under way is over.
    pub fn finish(&self) {
        let thread = self.lock().as_mut().and_then(|(_, thread)| thread.take());
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("an import stopped unexpectedly");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Begun>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Import<'a> {
    app: &'a App,
    keys: &'a EvidenceKeys,
    job: &'a Job,
}

impl Import<'_> {
    fn office(&self) -> MutexGuard<'_, Office> {
        self.app.office.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self, source: &Source) {
        let (folder, bundles, on_stick) = match source {
            Source::Stick(folder, bundles) => (folder.as_path(), bundles, true),
            Source::Browser(folder, bundles) => (folder.path(), bundles, false),
        };
        for name in bundles {
            {
                let mut standing = self.job.lock();
                (standing.bundle, standing.step, standing.percent) = (name.to_string(), "Vérification", 0);
            }
            let outcome = self.take(folder, *name).map_err(|error| explained(&error));
            let answer = match &outcome {
                Ok(_) => Some(self.answer(folder, name.device, on_stick)),
                Err(_) => None,
            };
            self.job.lock().receipts.push(Receipt {
                bundle: name.to_string(),
                outcome,
                answer,
            });
        }
        self.index();
    }

    fn take(&self, folder: &Path, name: BundleName) -> Result<Outcome, transfer::Error> {
        let on_stick = Folder::open(folder).map_err(|source| transfer::Error::Io {
            path: folder.to_owned(),
            source,
        })?;
        let begun = begin(&self.office().desk, &on_stick, name)?;
        let Some(bundle) = begun else {
            return Ok(Outcome::AlreadyImported);
        };
        let watch = &mut |progress| self.watch(progress);
        let followed = bundle.check()?;
        let chosen = followed.choose(&self.office().desk, (self.app.clock)())?;
        let opened = chosen.open(&self.keys.office, watch)?;
        let now = (self.app.clock)();
        opened.commit(&mut self.office().desk, now)
    }

    fn watch(&self, progress: Progress) -> bool {
        let mut standing = self.job.lock();
        standing.step = "Vérification et copie";
        standing.percent = progress.done.saturating_mul(100) / progress.of.max(1);
        self.goes_on()
    }

    fn goes_on(&self) -> bool {
        !self.job.stopped.load(Ordering::SeqCst)
    }

    /// Where the stick cannot be written, the answer is to be fetched.
    fn answer(&self, folder: &Path, device: DeviceId, on_stick: bool) -> Result<(String, bool), Explained> {
        let now = (self.app.clock)();
        let mut office = self.office();
        let own = office.folder.join(RETURNS);
        let mut write = |target: &Path| {
            let written = office.desk.with_keys(&self.keys.office, |desk| {
                returning::write(desk, device, target, now)
            });
            written.map(|name| name.to_string())
        };
        if on_stick && let Ok(name) = write(folder) {
            return Ok((name, false));
        }
        let made = std::fs::create_dir_all(&own).map_err(|source| transfer::Error::Io {
            path: own.clone(),
            source,
        });
        let written = made.and_then(|()| write(&own));
        written
            .map(|name| (name, true))
            .map_err(|error| explained(&error))
    }

    fn index(&self) {
        {
            let mut standing = self.job.lock();
            (standing.step, standing.percent) = ("Mise en liste des événements", 100);
        }
        let (missing, terms) = {
            let office = self.office();
            (index::missing(office.desk.store.sql()), terms(&office.config))
        };
        let missing = missing.unwrap_or_else(|error| {
            tracing::error!(%error, "what was taken is not indexed; the list of events makes up for it");
            Vec::new()
        });
        for some in missing.chunks(AT_ONCE) {
            if !self.goes_on() {
                return;
            }
            let (mut read, mut failed) = (Vec::new(), 0);
            for id in some {
                match self.read(*id, &terms) {
                    Ok(event) => read.push(event),
                    Err(error) => {
                        tracing::error!(%error, "an event that came cannot be read");
                        failed += 1;
                    }
                }
            }
            let written = self.office().store().transaction(|tx| {
                for event in &read {
                    event.insert(tx)?;
                }
                Ok::<_, events::Error>(())
            });
            let mut standing = self.job.lock();
            match written {
                Ok(()) => standing.events += read.len() as u64,
                Err(error) => {
                    tracing::error!(%error, "what was taken is not indexed; the list of events makes up for it");
                }
            }
            standing.unread += failed;
        }
    }

    fn read(&self, id: crate::frame::EventId, terms: &Terms) -> Result<index::Indexed, events::Error> {
        let unread = Unread::of(&self.office().desk.store, id)?;
        unread.read(&self.keys.office, terms)
    }
}
