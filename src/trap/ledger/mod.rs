//! The ledger: what became of each frame, kept in the vault's own database.
//!
//! Promises: a frame stands here once, under its camera and digest; its row changes in the same transaction as the
//! journal line that tells of it; what was seen in it (boxes, scores) is forgotten as soon as its event is
//! decided. No pixel and no file content ever stands here. Of files rather than frames: [`KnownFile`] and [`LeftFile`].
//! Leaves files to `card`, sealing to `vault`.

mod files;

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::card::CardPath;
use crate::frame::{BoxTime, CameraId, CameraTime, Digest, EventId};
use crate::vault::{Store, store};
use crate::vision::Sighting;

pub use files::{KnownFile, LeftFile};

/// Where a frame stands on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Looked at; on the card until its event closes.
    Held,
    /// Decided; still on the card because the mode is `trial`.
    Decided,
    /// Decided, and its erasure intended: a crash from here on ends in its erasure.
    Erasing,
    /// No longer on the card.
    Gone,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Decided => "decided",
            Self::Erasing => "erasing",
            Self::Gone => "gone",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Held, Self::Decided, Self::Erasing, Self::Gone]
            .into_iter()
            .find(|s| s.name() == name)
    }
}

/// One frame's row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Where it lay on the card when last seen.
    pub path: CardPath,
    /// Bytes.
    pub size: u64,
    /// What the camera's clock said, uncorrected.
    pub taken: Option<CameraTime>,
    /// When the box first saw it.
    pub arrived: BoxTime,
    /// What was seen; only until its event is decided.
    pub sighting: Option<Sighting>,
    /// Where it stands.
    pub state: State,
    /// `keep` or `discard`, once decided.
    pub verdict: Option<String>,
    /// The verdict's reason.
    pub reason: Option<String>,
    /// Its event, once decided.
    pub event: Option<EventId>,
    /// How it was redacted, if it was sealed.
    pub redaction: Option<String>,
}

/// A store of an earlier version gets the tables that it lacks, and the indices of this one.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS frame (
    camera   TEXT NOT NULL,
    digest   BLOB NOT NULL CHECK (length(digest) = 32),
    path     BLOB NOT NULL,
    size     INTEGER NOT NULL,
    taken    TEXT,
    arrived  TEXT NOT NULL,
    sighting TEXT,
    state    TEXT NOT NULL CHECK (state IN ('held', 'decided', 'erasing', 'gone')),
    verdict  TEXT CHECK (verdict IN ('keep', 'discard')),
    reason   TEXT,
    event    BLOB CHECK (length(event) = 8),
    redaction TEXT,
    PRIMARY KEY (camera, digest)
) STRICT, WITHOUT ROWID;
DROP INDEX IF EXISTS frame_under_way;
CREATE INDEX IF NOT EXISTS frame_on_card ON frame (camera, state) WHERE state <> 'gone';
CREATE INDEX IF NOT EXISTS frame_undecided ON frame (camera) WHERE event IS NULL;
CREATE INDEX IF NOT EXISTS frame_arrived ON frame (camera, arrived) WHERE event IS NOT NULL;
CREATE TABLE IF NOT EXISTS scene (
    camera TEXT PRIMARY KEY,
    scene  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

/// What [`prepare`] makes.
const OBJECTS: [&str; 9] = [
    "erasing_video",
    "in_hand",
    "frame",
    "frame_on_card",
    "frame_undecided",
    "frame_arrived",
    "known_file",
    "scene",
    "left_file",
];

/// Makes the tables and indices where they are not there yet.
pub fn prepare(store: &mut Store) -> Result<(), store::Error> {
    store.ensure(&OBJECTS, &schema())
}

fn schema() -> String {
    [
        SCHEMA,
        files::SCHEMA,
        super::videos::SCHEMA,
        super::in_hand::SCHEMA,
    ]
    .concat()
}

/// The ledger of one camera, inside one transaction or over a plain connection.
pub struct Ledger<'a> {
    db: &'a Connection,
    camera: &'a CameraId,
}

impl<'a> Ledger<'a> {
    /// Of this camera.
    pub fn of(db: &'a Connection, camera: &'a CameraId) -> Self {
        Self { db, camera }
    }

    /// The row of these bytes, if they were ever seen.
    pub fn find(&self, digest: &Digest) -> rusqlite::Result<Option<Row>> {
        let sql = format!("SELECT {COLUMNS} FROM frame WHERE camera = ?1 AND digest = ?2");
        self.db
            .prepare_cached(&sql)?
            .query_row(params![self.camera.as_str(), digest.as_bytes()], read_row)
            .optional()
    }

    /// All rows in this state, in no particular order: the card's order is the caller's to know. Not for those that
    /// are gone: there are years of them.
    pub fn in_state(&self, state: State) -> rusqlite::Result<Vec<Row>> {
        let sql = format!("SELECT {COLUMNS} FROM {ON_CARD} AND state = ?2");
        let mut query = self.db.prepare_cached(&sql)?;
        let rows = query.query_map(params![self.camera.as_str(), state.name()], read_row)?;
        rows.collect()
    }

    /// How many frames stand in each state: held, decided, erasing, gone.
    pub fn counts(&self) -> rusqlite::Result<[u64; 4]> {
        let mut counts = [0; 4];
        let mut query = self
            .db
            .prepare_cached("SELECT state, COUNT(*) FROM frame WHERE camera = ?1 GROUP BY state")?;
        let mut rows = query.query(params![self.camera.as_str()])?;
        while let Some(row) = rows.next()? {
            let state: String = row.get(0)?;
            if let Some(state) = State::named(&state) {
                counts[state as usize] = row.get(1)?;
            }
        }
        Ok(counts)
    }

    /// Forgets a held frame that is no longer on the card: if its bytes come back, they are looked at anew.
    pub fn forget(&self, digest: &Digest) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("DELETE FROM frame WHERE camera = ?1 AND digest = ?2 AND state = 'held'")?
            .execute(params![self.camera.as_str(), digest.as_bytes()])?;
        Ok(())
    }

    /// Writes a frame that was looked at just now.
    pub fn hold(&self, row: &Row) -> rusqlite::Result<()> {
        let sighting = row.sighting.as_ref().map(to_json).transpose()?;
        self.db
            .prepare_cached(
                "INSERT INTO frame (camera, digest, path, size, taken, arrived, sighting, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'held')",
            )?
            .execute(params![
                self.camera.as_str(),
                row.digest.as_bytes(),
                row.path.as_bytes(),
                row.size,
                row.taken.map(|t| t.to_string()),
                row.arrived.to_string(),
                sighting,
            ])?;
        Ok(())
    }

    /// Writes where the same bytes lie now; a frame that lies where it lay costs no write.
    pub fn moved(&self, digest: &Digest, path: &CardPath) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("UPDATE frame SET path = ?3 WHERE camera = ?1 AND digest = ?2 AND path <> ?3")?
            .execute(params![self.camera.as_str(), digest.as_bytes(), path.as_bytes()])?;
        Ok(())
    }

    /// Discards a frame at the first look. What was seen stays: it may hold its event together.
    pub fn discard_now(&self, digest: &Digest, reason: &str) -> rusqlite::Result<()> {
        self.db
            .prepare_cached(
                "UPDATE frame SET state = 'decided', verdict = 'discard', reason = ?3
                 WHERE camera = ?1 AND digest = ?2 AND state = 'held'",
            )?
            .execute(params![self.camera.as_str(), digest.as_bytes(), reason])?;
        Ok(())
    }

    /// Writes the verdict of a frame's event, and forgets what was seen. A verdict is never changed: what was
    /// discarded at the first look only learns its event.
    pub fn decide(&self, digest: &Digest, keep: bool, reason: &str, event: EventId) -> rusqlite::Result<()> {
        self.db
            .prepare_cached(
                "UPDATE frame SET event = ?5, sighting = NULL,
                     verdict = COALESCE(verdict, ?3), reason = COALESCE(reason, ?4),
                     state = CASE state WHEN 'held' THEN 'decided' ELSE state END
                 WHERE camera = ?1 AND digest = ?2 AND event IS NULL",
            )?
            .execute(params![
                self.camera.as_str(),
                digest.as_bytes(),
                if keep { "keep" } else { "discard" },
                reason,
                event.as_bytes(),
            ])?;
        Ok(())
    }

    /// Whether no frame waits for its event to be decided.
    pub fn all_decided(&self) -> rusqlite::Result<bool> {
        let any = self
            .db
            .prepare_cached(&format!("SELECT 1 FROM {UNDECIDED}"))?
            .exists(params![self.camera.as_str()])?;
        Ok(!any)
    }

    /// The frames whose event is not decided yet, those discarded at the first look among them.
    pub fn undecided(&self) -> rusqlite::Result<Vec<Row>> {
        let sql = format!("SELECT {COLUMNS} FROM {UNDECIDED}");
        let mut query = self.db.prepare_cached(&sql)?;
        query
            .query_map(params![self.camera.as_str()], read_row)?
            .collect()
    }

    /// The frames of decided events that may still touch an undecided one: those that lie on the card yet, and
    /// those that arrived since `recently`.
    pub fn decided_nearby(&self, recently: BoxTime) -> rusqlite::Result<Vec<Row>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM {ON_CARD} AND event IS NOT NULL
             UNION ALL SELECT {COLUMNS} FROM {GONE_SINCE}"
        );
        let mut query = self.db.prepare_cached(&sql)?;
        query
            .query_map(params![self.camera.as_str(), recently.to_string()], read_row)?
            .collect()
    }

    /// What the camera's clock said of the frames that arrived last, and when each did: at most so many of those that
    /// have an event, and all that have none yet.
    pub fn latest(&self, most: u32) -> rusqlite::Result<Vec<(Option<CameraTime>, BoxTime)>> {
        let sql = format!(
            "SELECT taken, arrived FROM (SELECT taken, arrived FROM frame INDEXED BY frame_arrived
                WHERE camera = ?1 AND event IS NOT NULL ORDER BY arrived DESC LIMIT ?2)
             UNION ALL SELECT taken, arrived FROM {UNDECIDED}"
        );
        let mut query = self.db.prepare_cached(&sql)?;
        let rows = query.query_map(params![self.camera.as_str(), most], |row| {
            let taken: Option<String> = row.get(0)?;
            let arrived: String = row.get(1)?;
            let arrived = arrived.parse().map_err(|e| unreadable(1, e))?;
            Ok((
                taken.and_then(|t| t.parse().ok()).map(CameraTime),
                BoxTime(arrived),
            ))
        })?;
        rows.collect()
    }

    /// What the last decided event left before this camera, as JSON.
    pub fn scene(&self) -> rusqlite::Result<Option<String>> {
        self.db
            .prepare_cached("SELECT scene FROM scene WHERE camera = ?1")?
            .query_row(params![self.camera.as_str()], |row| row.get(0))
            .optional()
    }

    /// Writes what an event left before this camera.
    pub fn set_scene(&self, scene: &str) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("INSERT OR REPLACE INTO scene (camera, scene) VALUES (?1, ?2)")?
            .execute(params![self.camera.as_str(), scene])?;
        Ok(())
    }

    /// Writes how a kept frame was redacted.
    pub fn redacted(&self, digest: &Digest, redaction: &str) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("UPDATE frame SET redaction = ?3 WHERE camera = ?1 AND digest = ?2")?
            .execute(params![self.camera.as_str(), digest.as_bytes(), redaction])?;
        Ok(())
    }

    /// Moves a decided frame along: its erasure is intended, or done.
    pub fn set_state(&self, digest: &Digest, state: State) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("UPDATE frame SET state = ?3 WHERE camera = ?1 AND digest = ?2")?
            .execute(params![self.camera.as_str(), digest.as_bytes(), state.name()])?;
        Ok(())
    }

    /// The events whose frames are decided and wait on the card for their erasure.
    pub fn waiting_events(&self) -> rusqlite::Result<Vec<EventId>> {
        let sql = format!("SELECT DISTINCT event FROM {ON_CARD} AND state = 'decided' AND event IS NOT NULL");
        let mut query = self.db.prepare(&sql)?;
        query
            .query_map([self.camera.as_str()], |row| row.get(0).map(EventId::from_bytes))?
            .collect()
    }

    /// When each frame was taken that has not been let go yet, by the camera's clock.
    pub fn let_go_later(&self) -> rusqlite::Result<Vec<Option<CameraTime>>> {
        let mut query = self
            .db
            .prepare("SELECT taken FROM frame WHERE camera = ?1 AND state <> 'gone'")?;
        let taken = query.query_map([self.camera.as_str()], |row| row.get::<_, Option<String>>(0))?;
        let parsed = |taken: Option<String>| taken.and_then(|text| text.parse().ok()).map(CameraTime);
        taken.map(|taken| Ok(parsed(taken?))).collect()
    }

    /// The digests of all frames that lie on the card.
    pub fn on_card(&self) -> rusqlite::Result<BTreeSet<Digest>> {
        let mut query = self.db.prepare_cached(&format!("SELECT digest FROM {ON_CARD}"))?;
        query
            .query_map(params![self.camera.as_str()], |row| {
                row.get(0).map(Digest::from_bytes)
            })?
            .collect()
    }
}

/// Frames without an event. Here and below the index is named: SQLite, which knows nothing of how many frames are gone,
/// would walk all of a camera's instead.
const UNDECIDED: &str = "frame INDEXED BY frame_undecided WHERE camera = ?1 AND event IS NULL";
/// Frames that are not gone.
const ON_CARD: &str = "frame INDEXED BY frame_on_card WHERE camera = ?1 AND state <> 'gone'";
/// Of the frames that are gone, the last to arrive.
const GONE_SINCE: &str = "frame INDEXED BY frame_arrived \
    WHERE camera = ?1 AND state = 'gone' AND event IS NOT NULL AND arrived >= ?2";

const COLUMNS: &str =
    "digest, path, size, taken, arrived, sighting, state, verdict, reason, event, redaction";

fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let arrived: String = row.get(4)?;
    let state: String = row.get(6)?;
    Ok(Row {
        digest: Digest::from_bytes(row.get(0)?),
        path: path_of(1, row.get(1)?)?,
        size: row.get(2)?,
        taken: row
            .get::<_, Option<String>>(3)?
            .and_then(|t| t.parse().ok())
            .map(CameraTime),
        arrived: BoxTime(arrived.parse().map_err(|e| unreadable(4, e))?),
        sighting: row
            .get::<_, Option<String>>(5)?
            .map(|text| serde_json::from_str(&text).map_err(|e| unreadable(5, e)))
            .transpose()?,
        state: State::named(&state).ok_or_else(|| unreadable(6, format!("state {state:?}")))?,
        verdict: row.get(7)?,
        reason: row.get(8)?,
        event: row.get::<_, Option<[u8; 8]>>(9)?.map(EventId::from_bytes),
        redaction: row.get(10)?,
    })
}

fn unreadable(column: usize, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, why.into())
}

fn to_json(sighting: &Sighting) -> rusqlite::Result<String> {
    serde_json::to_string(sighting).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))
}

/// A card's names need not be UTF-8: they are kept as the bytes they are.
fn path_of(column: usize, bytes: Vec<u8>) -> rusqlite::Result<CardPath> {
    CardPath::from_bytes(&bytes).map_err(|refusal| unreadable(column, refusal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::FrameSize;
    use crate::vision::{Light, Objects};

    fn row(byte: u8, path: &[u8]) -> Row {
        Row {
            digest: Digest::of(&[byte]),
            path: CardPath::from_bytes(path).expect("below the card"),
            size: 7,
            taken: Some(CameraTime(jiff::civil::date(2026, 3, 4).at(5, 6, 7, 0))),
            arrived: BoxTime(jiff::Timestamp::UNIX_EPOCH),
            sighting: Some(Sighting {
                size: FrameSize { width: 4, height: 3 },
                light: Light::Day,
                objects: Objects::default(),
            }),
            state: State::Held,
            verdict: None,
            reason: None,
            event: None,
            redaction: None,
        }
    }

    fn open() -> (Connection, CameraId) {
        let db = Connection::open_in_memory().expect("memory");
        db.execute_batch(&schema()).expect("made");
        (db, "quai".parse().expect("plain"))
    }

    #[test]
    fn a_frame_is_found_again_whatever_its_name() {
        let (db, camera) = open();
        let ledger = Ledger::of(&db, &camera);
        let odd = row(1, b"DCIM/\xff\xfe.JPG");
        ledger.hold(&odd).expect("held");
        assert_eq!(ledger.find(&odd.digest).expect("read"), Some(odd));
        let other: CameraId = "pont".parse().expect("plain");
        assert_eq!(
            Ledger::of(&db, &other).find(&Digest::of(&[1])).expect("read"),
            None
        );
    }

    #[test]
    fn what_was_seen_is_forgotten_with_the_verdict() {
        let (db, camera) = open();
        let ledger = Ledger::of(&db, &camera);
        let frame = row(1, b"a.jpg");
        ledger.hold(&frame).expect("held");
        let event = EventId::of(&camera, &frame.digest);
        ledger
            .decide(&frame.digest, true, "vehicle-in-zone", event)
            .expect("decided");
        let after = ledger.find(&frame.digest).expect("read").expect("there");
        assert_eq!((after.state, after.sighting), (State::Decided, None));
        assert_eq!(
            (after.verdict.as_deref(), after.event),
            (Some("keep"), Some(event))
        );
        assert_eq!(ledger.counts().expect("counts"), [0, 1, 0, 0]);
    }

    #[test]
    fn a_verdict_is_never_changed_and_an_empty_frame_only_learns_its_event() {
        let (db, camera) = open();
        let ledger = Ledger::of(&db, &camera);
        let frame = row(1, b"a.jpg");
        ledger.hold(&frame).expect("held");
        ledger.discard_now(&frame.digest, "empty").expect("discarded");
        assert_eq!(ledger.undecided().expect("rows").len(), 1);
        let event = EventId::of(&camera, &frame.digest);
        ledger
            .decide(&frame.digest, true, "unsure", event)
            .expect("decided");
        let after = ledger.find(&frame.digest).expect("read").expect("there");
        assert_eq!(
            (after.verdict.as_deref(), after.reason.as_deref()),
            (Some("discard"), Some("empty"))
        );
        assert_eq!((after.event, after.sighting), (Some(event), None));
        assert_eq!(ledger.undecided().expect("rows"), []);
    }

    #[test]
    fn a_ledger_of_an_earlier_version_goes_on_and_knows_its_files_once_they_were_read() {
        let (db, camera) = open();
        db.execute_batch(
            "DROP TABLE known_file; DROP INDEX frame_on_card; DROP INDEX frame_arrived;
             CREATE INDEX frame_under_way ON frame (camera, state) WHERE state IN ('held', 'erasing');",
        )
        .expect("as it was");
        let ledger = Ledger::of(&db, &camera);
        let frame = row(1, b"a.jpg");
        ledger.hold(&frame).expect("held");
        for _ in 0..2 {
            db.execute_batch(&schema()).expect("brought up to date");
        }
        assert_eq!(
            ledger.in_state(State::Held).expect("rows"),
            std::slice::from_ref(&frame)
        );
        let trusted = |path: &CardPath, size, modified| ledger.trusted(path, size, modified).expect("read");
        assert_eq!(trusted(&frame.path, 7, 2), None);
        let known = KnownFile {
            path: frame.path.clone(),
            size: 7,
            modified: 2,
            digest: frame.digest,
        };
        ledger.know(&known).expect("known");
        assert_eq!(trusted(&frame.path, 7, 2), Some(frame.digest));
        let other = CardPath::from_bytes(b"b.jpg").expect("below the card");
        for (path, size, modified) in [(&other, 7, 2), (&frame.path, 8, 2), (&frame.path, 7, 3)] {
            assert_eq!(trusted(path, size, modified), None);
        }
        ledger.forget(&frame.digest).expect("forgotten");
        assert_eq!(
            trusted(&frame.path, 7, 2),
            None,
            "nothing is known of a forgotten frame"
        );
    }

    #[test]
    fn what_every_round_asks_does_not_walk_the_frames_of_years() {
        let (db, _) = open();
        for which in [
            UNDECIDED,
            ON_CARD,
            &format!("{ON_CARD} AND state = ?2"),
            GONE_SINCE,
        ] {
            let sql = format!("EXPLAIN QUERY PLAN SELECT {COLUMNS} FROM {which}");
            let mut plan = db.prepare(&sql).expect("a plan");
            let values = vec![""; plan.parameter_count()];
            let step: String = plan
                .query_row(rusqlite::params_from_iter(values), |row| row.get(3))
                .expect("one step");
            assert!(
                step.starts_with("SEARCH frame USING INDEX frame_"),
                "{which}: {step}"
            );
        }
    }
}
