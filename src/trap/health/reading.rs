//! Looking how the box is doing: the vault read without disturbing who writes to it, the card's folder, the kernel.
//!
//! Promises: nothing is written, and nobody who writes is kept waiting; what cannot be read is told as not known.

use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::{
    BoxClock, CameraClock, CameraHealth, Concern, Found, Health, Keys, Mode, NetworkFile, Running,
    RuntimeVersion, SealedEvent, SealingKey, judged, wipe_day,
};
use crate::config;
use crate::frame::{BoxTime, Digest, Error as Unreadable};
use crate::transfer::{out, returning};
use crate::trap::ledger::Ledger;
use crate::trap::terms::{self, Terms};
use crate::trap::{in_hand, recipients};
use crate::triage::deadlines::Mark;
use crate::vault::journal::Head;
use crate::vault::keys::{Recipient, ring};
use crate::vault::store::{self, Room};
use crate::vision::manifest::Manifest;
use crate::vision::runtime;

/// A camera's clock is measured by so many of its last frames.
const LAST_FRAMES: u32 = 32;

impl Health {
    /// Looks; `running` is what the service that asks knows of itself.
    pub fn read(config: &config::Trap, now: BoxTime, running: Option<Running>) -> Result<Self, store::Error> {
        let db = database(&config.store)?;
        let room = room(&config.store);
        let trial_ends = match config.mode {
            config::Mode::Trial { until, .. } => Some(until),
            config::Mode::Enforce => None,
        };
        let (networks, runtime, networks_there) = networks(config);
        let mut health = Self {
            mode: trial_ends.map_or(Mode::Enforce, |_| Mode::Trial),
            trial_ends,
            cameras: cameras(config, db.as_ref(), running.as_ref()),
            events: Vec::new(),
            journal_lines: 0,
            journal_head: None,
            wipe_due: None,
            wipe_overdue: false,
            free_bytes: room.map(|room| room.bytes),
            free_files: room.map(|room| room.files).filter(|files| *files != u64::MAX),
            keys: Keys::default(),
            last_bundle: None,
            last_return: None,
            clock: BoxClock::of(now, None, None),
            networks,
            runtime,
            temperature: temperature(Path::new("/sys/class/thermal")),
            uptime_seconds: uptime(),
            service: running,
            degraded: Vec::new(),
        };
        let mut found = Found {
            config,
            today: now.0.to_zoned(TimeZone::UTC).date(),
            vault: db.is_some(),
            room,
            wipe_in_part: false,
            networks: networks_there,
        };
        if let Some(db) = &db {
            health.events = events(db)?;
            health.read_vault(db, now)?;
            found.wipe_in_part = health.read_wipes(db, config, now)?;
        }
        health.degraded = judged(&health, &found);
        health.read_keys(config, db.as_ref(), now);
        Ok(health)
    }

    fn read_vault(&mut self, db: &Connection, now: BoxTime) -> Result<(), store::Error> {
        self.journal_lines = db.query_row("SELECT COUNT(*) FROM journal", [], |row| row.get(0))?;
        self.last_bundle = out::last_number(db)?;
        self.last_return = returning::last(db).ok().flatten().map(|last| last.number);
        let head = db.query_row("SELECT seq, hash FROM head", [], |row| {
            Ok(Head {
                seq: row.get(0)?,
                hash: Digest::from_bytes(row.get(1)?),
            })
        });
        self.journal_head = head.optional()?.map(|head| head.to_string());
        let last = db
            .query_row("SELECT time FROM journal ORDER BY seq DESC LIMIT 1", [], |row| {
                row.get::<_, String>(0)
            })
            .optional()?;
        let last = last.and_then(|time| time.parse().ok()).map(BoxTime);
        self.clock = BoxClock::of(now, last, terms::mark(db, now).ok());
        Ok(())
    }

    /// When the cards must be wiped: counted from each card's last wipe or first use, and in a vault that knows neither
    /// yet from its first line. Whether one was wiped in part.
    fn read_wipes(
        &mut self,
        db: &Connection,
        config: &config::Trap,
        now: BoxTime,
    ) -> Result<bool, store::Error> {
        let first: Option<String> = db.query_row("SELECT MIN(time) FROM journal", [], |row| row.get(0))?;
        let first = first.and_then(|time| time.parse().ok()).map(BoxTime);
        let mark = terms::mark(db, now)
            .unwrap_or_else(|_| Mark::new(now))
            .look(now, Duration::ZERO);
        let mut in_part = false;
        for camera in &config.cameras {
            // A vault of an earlier version has no such tables.
            let term = Terms::of(db, &camera.id).wipe().ok().flatten();
            in_part |= term.as_ref().is_some_and(|term| !term.whole);
            if let Some((day, over)) = wipe_day(term.as_ref(), first, mark, config.wipe_period.into()) {
                self.wipe_due = Some(self.wipe_due.map_or(day, |before| before.min(day)));
                self.wipe_overdue |= over;
            }
        }
        Ok(in_part)
    }

    /// Keys that cannot be read are told like any other trouble: everything else is still worth knowing.
    fn read_keys(&mut self, config: &config::Trap, db: Option<&Connection>, now: BoxTime) {
        let ring = match recipients::read(config) {
            Ok(ring) => ring,
            Err(trouble) => {
                tracing::warn!(%trouble, "no key to seal to");
                self.degraded.push(Concern::Keys(ring::Concern::NoRecipient));
                return;
            }
        };
        for trouble in ring.oddities() {
            tracing::warn!(%trouble, "a file among the recipients has no effect");
        }
        let sealing = db.and_then(|db| terms::sealing_time(db, now).ok()).unwrap_or(now);
        let sealing_to = ring.choose(sealing).recipients;
        let enforces = self.mode == Mode::Enforce;
        if enforces && !db.is_some_and(|db| is_proven(db, config, &sealing_to).unwrap_or(false)) {
            self.degraded.push(Concern::NoReturnFile);
        }
        let key = |key: &Recipient| SealingKey {
            kind: key.role(),
            epoch: key.epoch(),
            fingerprint: key.fingerprint(),
        };
        self.keys = Keys {
            quarters: ring.quarters().into_iter().collect(),
            sealing_to: sealing_to.iter().map(key).collect(),
            revoked: ring.revoked().collect(),
        };
        self.degraded
            .extend(ring.concerns(now).into_iter().map(Concern::Keys));
    }
}

/// Whether the desk has proven every key that something on the box is sealed to, or is about to be.
fn is_proven(db: &Connection, config: &config::Trap, sealing_to: &[Recipient]) -> rusqlite::Result<bool> {
    let mut proven = returning::proven(db, sealing_to)?;
    for camera in &config.cameras {
        for event in Ledger::of(db, &camera.id).waiting_events()? {
            proven &= returning::event_proven(db, &config.store, event)?;
        }
    }
    Ok(proven)
}

/// The vault's database, for reading only; `None` where there is none yet.
pub fn database(store: &Path) -> Result<Option<Connection>, store::Error> {
    let path = store.join(store::DATABASE);
    if !path.exists() {
        return Ok(None);
    }
    // Without a write-ahead log nobody writes, and SQLite must be told so, or it would make one to read.
    let quiet = !store.join(format!("{}-wal", store::DATABASE)).exists();
    let uri = format!(
        "file:{}?mode=ro{}",
        escaped(&path),
        if quiet { "&immutable=1" } else { "" }
    );
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Ok(Some(Connection::open_with_flags(uri, flags)?))
}

/// What SQLite's URIs give a meaning to (sqlite.org/uri.html §3.1).
fn escaped(path: &Path) -> String {
    path.to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23")
}

/// The sealed events of a vault, the oldest first.
pub fn events(db: &Connection) -> Result<Vec<SealedEvent>, store::Error> {
    let mut query = db.prepare(
        "SELECT item.event, COUNT(*), MIN(journal.time) FROM item JOIN journal ON journal.seq = item.line
         GROUP BY item.event ORDER BY MIN(item.line)",
    )?;
    let rows = query.query_map([], |row| {
        let event: String = row.get(0)?;
        let event = event.parse().map_err(|e: Unreadable| {
            rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, e.into())
        })?;
        Ok(SealedEvent {
            event,
            items: row.get(1)?,
            sealed: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn cameras(config: &config::Trap, db: Option<&Connection>, running: Option<&Running>) -> Vec<CameraHealth> {
    let set_aside = db.and_then(|db| in_hand::set_aside(db).ok()).unwrap_or_default();
    let of = |camera: &config::Camera| {
        let ledger = db.map(|db| Ledger::of(db, &camera.id));
        let ledger = ledger.as_ref();
        // A vault that knows no ledger yet knows no frame.
        let [held, decided, erasing, gone] =
            ledger.and_then(|ledger| ledger.counts().ok()).unwrap_or_default();
        let frames = ledger.and_then(|ledger| ledger.latest(LAST_FRAMES).ok());
        let frames = frames.unwrap_or_default();
        CameraHealth {
            id: camera.id.clone(),
            site: camera.site.clone(),
            card_there: camera.card.is_dir(),
            held,
            waiting_for_erasure: decided + erasing,
            gone,
            left: ledger.and_then(|ledger| ledger.left_count().ok()).unwrap_or(0),
            set_aside: set_aside.get(camera.id.as_str()).copied().unwrap_or(0),
            backlog: running.and_then(|running| running.backlog.get(&camera.id).copied()),
            last_frame: frames.iter().map(|(_, arrived)| *arrived).max(),
            clock: CameraClock::of(&frames, camera.clock_correction),
        }
    };
    config.cameras.iter().map(of).collect()
}

/// What the manifest pins, and whether the files are there. Their hashes are checked when they are loaded.
fn networks(config: &config::Trap) -> (Vec<NetworkFile>, Option<RuntimeVersion>, bool) {
    let Ok(manifest) = Manifest::read(&config.models) else {
        return (Vec::new(), None, false);
    };
    let used = manifest.used();
    let pinned = &manifest.runtime;
    let there = used.iter().all(|(_, file, _)| config.models.join(file).is_file())
        && runtime::find(config.runtime.as_deref(), &config.models, &pinned.file).is_ok();
    let network = |(name, _, sha256)| NetworkFile { name, sha256 };
    let runtime = RuntimeVersion {
        version: pinned.version.clone(),
        sha256: *pinned.sha256.here(),
    };
    (used.into_iter().map(network).collect(), Some(runtime), there)
}

fn room(store: &Path) -> Option<Room> {
    let there = store.ancestors().find(|folder| folder.exists())?;
    Room::of(there).ok()
}

/// The hottest zone, in thousandths of a degree each (Documentation/driver-api/thermal/sysfs-api.rst); what no board
/// survives is a sensor that is not there.
pub fn temperature(zones: &Path) -> Option<f64> {
    let zones = fs::read_dir(zones).ok()?.filter_map(Result::ok);
    let zones = zones.filter(|zone| zone.file_name().to_string_lossy().starts_with("thermal_zone"));
    let degrees = |zone: fs::DirEntry| {
        let text = fs::read_to_string(zone.path().join("temp")).ok()?;
        text.trim().parse::<i32>().ok()
    };
    let hottest = zones
        .filter_map(degrees)
        .filter(|thousandths| (-60_000..200_000).contains(thousandths))
        .max()?;
    Some(f64::from(hottest) / 1000.0)
}

/// Whole seconds since the box was started (proc(5)).
fn uptime() -> Option<u64> {
    let text = fs::read_to_string("/proc/uptime").ok()?;
    text.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hottest_zone_is_told_and_a_sensor_that_is_not_there_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(temperature(&folder.path().join("none")), None);
        for (zone, text) in [
            ("thermal_zone0", "41500\n"),
            ("thermal_zone1", "48200\n"),
            ("thermal_zone2", "-274000\n"),
            ("thermal_zone3", "no number"),
            ("cooling_device0", "99000"),
        ] {
            fs::create_dir(folder.path().join(zone)).expect("made");
            fs::write(folder.path().join(zone).join("temp"), text).expect("written");
        }
        assert_eq!(temperature(folder.path()), Some(48.2));
    }
}
