//! What is in hand: written down before it is begun, so that a frame that stops the program is known afterwards.
//!
//! Promises: before a file is read or looked at in full, its name is durable in the vault's database; after an orderly
//! end of any kind it is not there any more. What a session that ended otherwise left there is taken alone by the next
//! one. A file that the watchdog ended the program over twice ([`STUCK`]), or that was in hand [`DEATHS`] times when the
//! program was killed or crashed under a system that went on, is left on the card with the reason
//! [`SET_ASIDE`]: never taken a third time by the one or a fourth by the other, never dropped. A power cut is no
//! file's fault: the kernel's boot id tells it from a crash. No pixel and no digest stands here.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Error;
use super::ledger::{self, Ledger, LeftFile, State};
use super::round::Run;
use super::taking::nanoseconds;
use crate::card::{CardFile, CardPath};
use crate::frame::{BoxTime, CameraId};
use crate::vault::durable::{self, Existing};
use crate::vault::{Entry, Kind, Tx};

/// The reason of a file that is not taken any more, as a word of docs/commands.md.
pub const SET_ASIDE: &str = "stuck";
/// So often the watchdog may end the program over one file.
const STUCK: u32 = 2;
/// So often the program may be killed or crash over one file.
const DEATHS: u32 = 3;
/// The file in the store's folder that says over what the watchdog ended the program.
pub const EVIDENCE: &str = "stuck";

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS in_hand (
    camera   TEXT NOT NULL,
    path     BLOB NOT NULL,
    size     INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    session  TEXT,
    stuck    INTEGER NOT NULL DEFAULT 0,
    deaths   INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (camera, path)
) STRICT, WITHOUT ROWID;
";

/// How often the program ended badly with a file in hand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Ends {
    stuck: u32,
    deaths: u32,
}

impl Ends {
    /// After one more such end.
    fn and(self, stuck: bool, crashed: bool) -> Self {
        Self {
            stuck: self.stuck + u32::from(stuck),
            deaths: self.deaths + u32::from(crashed),
        }
    }

    fn are_enough(self) -> bool {
        self.stuck >= STUCK || self.deaths >= DEATHS
    }
}

/// One file, as it was when it was taken in hand.
struct Row {
    path: CardPath,
    size: u64,
    modified: i64,
    /// The session that had it; `None` once its end was counted.
    session: Option<String>,
    ends: Ends,
}

/// Which boot of which system, and which process of it: two sessions never have the same.
fn session() -> &'static str {
    static SESSION: OnceLock<String> = OnceLock::new();
    SESSION.get_or_init(|| {
        let mut chance = [0; 8];
        // Without it the process's number has to do.
        let _ = getrandom::fill(&mut chance);
        format!("{}/{}-{}", boot(), std::process::id(), hex::encode(chance))
    })
}

/// The kernel's name for this boot (random(4)); empty where it does not tell: then every end counts as a power cut.
fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

fn is_of_this_boot(session: &str) -> bool {
    let boot = boot();
    !boot.is_empty() && session.split('/').next() == Some(&boot)
}

/// The table's rows of one camera.
struct InHand<'a> {
    db: &'a Connection,
    camera: &'a CameraId,
}

impl<'a> InHand<'a> {
    fn of(db: &'a Connection, camera: &'a CameraId) -> Self {
        Self { db, camera }
    }

    fn take(&self, path: &CardPath, size: u64, modified: i64) -> rusqlite::Result<()> {
        // Another file under a name of which something is known begins anew.
        self.db
            .prepare_cached(
                "INSERT INTO in_hand (camera, path, size, modified, session) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET session = ?5, size = ?3, modified = ?4,
                     stuck = CASE WHEN size = ?3 AND modified = ?4 THEN stuck ELSE 0 END,
                     deaths = CASE WHEN size = ?3 AND modified = ?4 THEN deaths ELSE 0 END",
            )?
            .execute(params![
                self.camera.as_str(),
                path.as_bytes(),
                size,
                modified,
                session()
            ])?;
        Ok(())
    }

    fn any(&self) -> rusqlite::Result<bool> {
        self.db
            .prepare_cached("SELECT 1 FROM in_hand WHERE camera = ?1 AND session = ?2")?
            .exists(params![self.camera.as_str(), session()])
    }

    fn let_go(&self) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("DELETE FROM in_hand WHERE camera = ?1 AND session = ?2")?
            .execute(params![self.camera.as_str(), session()])?;
        Ok(())
    }

    /// What other sessions left, counted or not.
    fn left_behind(&self) -> rusqlite::Result<Vec<Row>> {
        let mut query = self.db.prepare_cached(
            "SELECT path, size, modified, session, stuck, deaths FROM in_hand
             WHERE camera = ?1 AND session IS NOT ?2",
        )?;
        let rows = query.query_map(params![self.camera.as_str(), session()], |row| {
            let path: Vec<u8> = row.get(0)?;
            Ok(Row {
                path: CardPath::from_bytes(&path).map_err(|refusal| {
                    let blob = rusqlite::types::Type::Blob;
                    rusqlite::Error::FromSqlConversionFailure(0, blob, Box::new(refusal))
                })?,
                size: row.get(1)?,
                modified: row.get(2)?,
                session: row.get(3)?,
                ends: Ends {
                    stuck: row.get(4)?,
                    deaths: row.get(5)?,
                },
            })
        })?;
        rows.collect()
    }

    fn count(&self, row: &Row, ends: Ends) -> rusqlite::Result<()> {
        let sql =
            "UPDATE in_hand SET session = NULL, stuck = ?3, deaths = ?4 WHERE camera = ?1 AND path = ?2";
        self.db.prepare_cached(sql)?.execute(params![
            self.camera.as_str(),
            row.path.as_bytes(),
            ends.stuck,
            ends.deaths
        ])?;
        Ok(())
    }

    fn forget(&self, path: &CardPath) -> rusqlite::Result<()> {
        let sql = "DELETE FROM in_hand WHERE camera = ?1 AND path = ?2";
        self.db
            .prepare_cached(sql)?
            .execute(params![self.camera.as_str(), path.as_bytes()])?;
        Ok(())
    }
}

impl Run<'_, '_> {
    /// Counts what sessions before left in hand, sets aside what was there too often, and remembers the rest: each of
    /// those is taken alone.
    pub(super) fn reckon(&mut self) -> Result<(), Error> {
        let camera = &self.round.camera.id;
        let rows = InHand::of(self.round.store.sql(), camera).left_behind()?;
        let dir = self.round.store.dir().to_owned();
        let evidence = Evidence::read(&dir).filter(|evidence| evidence.camera == *camera);
        if rows.is_empty() && evidence.is_none() {
            return Ok(());
        }
        let is_stuck = |row: &Row| {
            evidence
                .as_ref()
                .is_some_and(|evidence| evidence.path == hex::encode(row.path.as_bytes()))
        };
        let now = self.now();
        let held = self.ledger().in_state(State::Held)?;
        self.round.store.transaction(|tx| {
            for row in &rows {
                let ends = match &row.session {
                    Some(session) => row.ends.and(is_stuck(row), is_of_this_boot(session)),
                    None => row.ends,
                };
                if !ends.are_enough() {
                    InHand::of(tx.raw(), camera).count(row, ends)?;
                    continue;
                }
                set_aside_file(tx, now, camera, row, ends, &held)?;
            }
            Ok::<_, Error>(())
        })?;
        if evidence.is_some() {
            Evidence::remove(&dir);
        }
        let still = InHand::of(self.round.store.sql(), camera).left_behind()?;
        self.alone = still.into_iter().map(|row| row.path).collect();
        Ok(())
    }

    /// Writes down that these files are taken in hand now.
    pub(super) fn take_in_hand<'f>(
        &mut self,
        files: impl Iterator<Item = &'f CardFile> + Clone,
    ) -> Result<(), Error> {
        if files.clone().next().is_none() {
            return Ok(());
        }
        let camera = &self.round.camera.id;
        self.round.store.transaction(|tx| {
            let in_hand = InHand { db: tx.raw(), camera };
            for file in files {
                in_hand.take(&file.path, file.size, nanoseconds(file.mtime))?;
            }
            Ok(())
        })
    }

    /// Nothing is in hand any more: an orderly end. What cannot be written down now costs a file one of its lives.
    pub(super) fn let_go(&mut self) {
        let camera = &self.round.camera.id;
        let store = &mut self.round.store;
        let any = InHand::of(store.sql(), camera).any();
        let done = any.map_err(Error::from).and_then(|any| match any {
            true => store.transaction(|tx| let_go(tx.raw(), camera).map_err(Error::from)),
            false => Ok(()),
        });
        if let Err(error) = done {
            tracing::warn!(%error, "what was in hand stays written down");
        }
    }
}

/// Leaves a file on the card for good: it was in hand too often when the program ended.
fn set_aside_file(
    tx: &mut Tx<'_>,
    now: BoxTime,
    camera: &CameraId,
    row: &Row,
    ends: Ends,
    held: &[ledger::Row],
) -> Result<(), Error> {
    InHand::of(tx.raw(), camera).forget(&row.path)?;
    let ledger = Ledger::of(tx.raw(), camera);
    ledger.unknow(&row.path)?;
    for frame in held.iter().filter(|frame| frame.path == row.path) {
        ledger.forget(&frame.digest)?;
    }
    ledger.leave(&LeftFile {
        path: row.path.clone(),
        size: row.size,
        modified: row.modified,
        attempts: ends.stuck + ends.deaths,
        reason: SET_ASIDE.to_owned(),
    })?;
    let body = json!({"camera": camera, "reason": SET_ASIDE, "size": row.size});
    let kind = Kind::Left;
    tx.journal(now, &Entry { kind, body })?;
    Ok(())
}

/// Nothing of this camera is in hand any more, inside the transaction that says what became of it.
pub(super) fn let_go(db: &Connection, camera: &CameraId) -> rusqlite::Result<()> {
    InHand::of(db, camera).let_go()
}

/// A file that a session ended badly over is not on its card any more.
pub(super) fn forget(db: &Connection, camera: &CameraId, path: &CardPath) -> rusqlite::Result<()> {
    InHand::of(db, camera).forget(path)
}

/// The last number that was given, and each file in hand with its own.
type Hands = (u64, VecDeque<(u64, CameraId, CardPath)>);

/// What this process has in hand, the oldest first. One for the whole process: it is asked when the process ends badly.
static HANDS: Mutex<Hands> = Mutex::new((0, VecDeque::new()));

fn hands() -> MutexGuard<'static, Hands> {
    HANDS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file in hand, until it is dropped.
#[derive(Debug)]
pub(super) struct Hand(u64);

impl Hand {
    pub(super) fn on(camera: &CameraId, path: &CardPath) -> Self {
        let mut hands = hands();
        hands.0 += 1;
        let number = hands.0;
        hands.1.push_back((number, camera.clone(), path.clone()));
        Self(number)
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        hands().1.retain(|(number, ..)| *number != self.0);
    }
}

/// Over what the watchdog ended the program.
#[derive(Debug, Serialize, Deserialize)]
struct Evidence {
    camera: CameraId,
    /// The path's bytes in hexadecimal digits.
    path: String,
}

impl Evidence {
    fn read(store: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(store.join(EVIDENCE)).ok()?).ok()
    }

    fn remove(store: &Path) {
        let removed = fs::remove_file(store.join(EVIDENCE)).and_then(|()| durable::sync_folder(store));
        if let Err(error) = removed {
            tracing::warn!(%error, "what the watchdog ended the program over stays written down");
        }
    }
}

/// Writes down in the store's folder what is in hand, for the program is about to be ended over it. The oldest: what
/// came into hand after it waits for it, or has nothing to do with it.
pub fn leave_evidence(store: &Path) {
    let oldest = hands().1.front().cloned();
    let Some((_, camera, path)) = oldest else {
        tracing::error!("ended by the watchdog with nothing in hand");
        return;
    };
    tracing::error!(%camera, %path, "ended by the watchdog over this file");
    let path = hex::encode(path.as_bytes());
    let text = serde_json::to_vec(&Evidence { camera, path }).unwrap_or_default();
    if let Err(error) = durable::write(&store.join(EVIDENCE), &text, 0o600, Existing::Replace) {
        tracing::error!(%error, "it cannot be written down");
    }
}

/// Has [`leave_evidence`] called when the watchdog ends this process: systemd does so with SIGABRT (systemd.service(5),
/// `WatchdogSignal=`), and with SIGKILL only when that did not help.
pub fn leave_evidence_on_abort(store: PathBuf) -> std::io::Result<()> {
    const SIGABRT: i32 = signal_hook::consts::SIGABRT;
    let mut signals = signal_hook::iterator::Signals::new([SIGABRT])?;
    std::thread::Builder::new()
        .name("vigie-watched".to_owned())
        .spawn(move || {
            if signals.forever().next().is_some() {
                leave_evidence(&store);
                let _ = signal_hook::low_level::emulate_default_handler(SIGABRT);
            }
        })
        .map(drop)
}

/// Files that were set aside, camera by camera.
pub fn set_aside(db: &Connection) -> rusqlite::Result<BTreeMap<String, u64>> {
    let mut query = db.prepare("SELECT camera, COUNT(*) FROM left_file WHERE reason = ?1 GROUP BY camera")?;
    let rows = query.query_map([SET_ASIDE], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_watchdog_ends_the_program_over_a_file_twice_at_most_and_a_crash_three_times() {
        let none = Ends::default();
        assert!(!none.are_enough());
        let once = none.and(true, true);
        assert!(!once.are_enough() && once.and(true, true).are_enough());
        let crashed = none.and(false, true).and(false, true);
        assert!(!crashed.are_enough() && crashed.and(false, true).are_enough());
        let cut = (0..100).fold(none, |ends, _| ends.and(false, false));
        assert!(!cut.are_enough(), "a power cut is no file's fault");
    }

    #[test]
    fn a_session_of_another_boot_ended_with_the_power() {
        assert!(is_of_this_boot(session()));
        for other in ["", "/1-00", "c0ffee/1-00"] {
            assert!(!is_of_this_boot(other), "{other:?}");
        }
    }

    #[test]
    fn another_file_under_a_known_name_begins_anew() {
        let db = Connection::open_in_memory().expect("memory");
        db.execute_batch(SCHEMA).expect("a table");
        let camera = "quai".parse().expect("plain");
        let in_hand = InHand::of(&db, &camera);
        let path = CardPath::from_bytes(b"DCIM/\xff.JPG").expect("below");
        in_hand.take(&path, 7, 1).expect("written");
        assert!(in_hand.any().expect("read"));
        db.execute_batch("UPDATE in_hand SET session = 'b/1', stuck = 1")
            .expect("another's");
        assert!(!in_hand.any().expect("read"));
        let ends = || {
            db.execute_batch("UPDATE in_hand SET session = 'b/1'")
                .expect("another's");
            in_hand.left_behind().expect("read")[0].ends.stuck
        };
        assert_eq!(ends(), 1);
        in_hand.take(&path, 7, 1).expect("written");
        assert_eq!(ends(), 1, "the same file");
        in_hand.take(&path, 8, 1).expect("written");
        assert_eq!(ends(), 0, "another file");
        in_hand.take(&path, 8, 1).expect("written");
        in_hand.let_go().expect("let go");
        assert_eq!(in_hand.left_behind().expect("read").len(), 0);
    }

    #[test]
    fn what_came_into_hand_first_is_named() {
        let camera: CameraId = "in-hand-test".parse().expect("plain");
        let path = |name: &str| CardPath::new(name).expect("below");
        let first = Hand::on(&camera, &path("a.jpg"));
        let second = Hand::on(&camera, &path("b.jpg"));
        let names = || {
            let hands = hands();
            let ours = hands.1.iter().filter(|(_, of, _)| *of == camera);
            ours.map(|(_, _, path)| path.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(), ["a.jpg", "b.jpg"]);
        drop(first);
        assert_eq!(names(), ["b.jpg"]);
        drop(second);
        assert_eq!(names(), Vec::<String>::new());
    }
}
