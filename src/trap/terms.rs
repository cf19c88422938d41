//! What the terms are counted by, kept in the vault's own database: the box's mark, each card's last wipe, when each
//! file was first listed.
//!
//! Promises: a file that stays the same keeps the time at which it was first listed, however often the box starts;
//! what is written here is written in the transaction of what it tells. No file content ever stands here. Leaves the
//! rule to `triage::deadlines`, acting on it to [`super::ageing`] and [`super::wiping`].

use std::time::Duration;

use jiff::SignedDuration;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Error;
use crate::card::CardPath;
use crate::frame::{BoxTime, CameraId, Digest};
use crate::triage::deadlines::Mark;
use crate::vault::certificate::Reason;
use crate::vault::{Store, store};

/// The mark is written when it moved by this much: a box that is powered every minute need not write each time.
const STEP: SignedDuration = SignedDuration::from_hours(1);

/// A store of an earlier version gets these.
const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS mark (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    mark TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS wipe_term (
    camera    TEXT PRIMARY KEY,
    since     TEXT NOT NULL,
    wipes     INTEGER NOT NULL,
    whole     INTEGER NOT NULL,
    under_way TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS card_file (
    camera   TEXT NOT NULL,
    path     BLOB NOT NULL,
    size     INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    since    TEXT NOT NULL,
    token    BLOB CHECK (length(token) = 32),
    PRIMARY KEY (camera, path)
) STRICT, WITHOUT ROWID;
";

/// Makes the tables where they are not there yet.
pub fn prepare(store: &mut Store) -> Result<(), store::Error> {
    store.ensure(&["mark", "wipe_term", "card_file"], SCHEMA)
}

/// The mark as it was last written; `now` on a box that has none.
pub fn mark(db: &Connection, now: BoxTime) -> rusqlite::Result<Mark> {
    Ok(read_mark(db)?.unwrap_or_else(|| Mark::new(now)))
}

/// The time whose quarter's keys are sealed to: now, and never before the mark, for a clock that was set back would choose
/// a past quarter, whose keys may be destroyed. A leap ahead counts while the clock stands there: coming keys exist, and
/// one wrong reading is forgotten with it.
pub fn sealing_time(db: &Connection, now: BoxTime) -> rusqlite::Result<BoxTime> {
    // Whoever only reads makes no table.
    match db.table_exists(None, "mark")? {
        true => Ok(now.max(mark(db, now)?.time)),
        false => Ok(now),
    }
}

fn read_mark(db: &Connection) -> rusqlite::Result<Option<Mark>> {
    db.query_row("SELECT mark FROM mark", [], |row| json(0, row.get(0)?))
        .optional()
}

/// Looks at the clock; `ran`: how long the program ran since its last look, zero at a start.
pub fn look(store: &mut Store, now: BoxTime, ran: Duration) -> Result<Mark, Error> {
    prepare(store)?;
    let before = read_mark(store.sql())?;
    let mark = before.map_or_else(|| Mark::new(now), |before| before.look(now, ran));
    let moved = |before: Mark| mark.time.0.duration_since(before.time.0) >= STEP || mark.leap != before.leap;
    if before.is_none_or(moved) {
        let text = serde_json::to_string(&mark).map_err(Error::Json)?;
        store.transaction(|tx| {
            let insert = "INSERT OR REPLACE INTO mark (one, mark) VALUES (1, ?1)";
            tx.raw().execute(insert, [text]).map(drop).map_err(Error::from)
        })?;
    }
    Ok(mark)
}

/// How a camera's card stands with its wipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WipeTerm {
    /// When the card was last wiped, or first used.
    pub since: BoxTime,
    /// How often it was wiped.
    pub wipes: u64,
    /// Whether the last wipe was whole.
    pub whole: bool,
    /// A wipe that was begun and is not ended.
    pub under_way: Option<Intent>,
}

/// A wipe that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// What its streams are made from.
    pub seed: Digest,
    /// Why.
    pub reason: Reason,
    /// When.
    pub began: BoxTime,
    /// The card's serial number, where the system tells.
    pub serial: Option<String>,
    /// How often it was cut off.
    pub interrupted: u32,
}

/// A file of a card, as it was first listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Where it lies.
    pub path: CardPath,
    /// Bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970, by the camera's clock.
    pub modified: i64,
    /// When it was first listed like this, by the mark.
    pub since: BoxTime,
    /// Set when its erasure was intended: what names it in the journal.
    pub token: Option<Digest>,
}

/// The terms of one camera, inside one transaction or over a plain connection.
pub struct Terms<'a> {
    db: &'a Connection,
    camera: &'a CameraId,
}

impl<'a> Terms<'a> {
    /// Of this camera.
    pub fn of(db: &'a Connection, camera: &'a CameraId) -> Self {
        Self { db, camera }
    }

    /// How the card stands with its wipe; `None` before its first use.
    pub fn wipe(&self) -> rusqlite::Result<Option<WipeTerm>> {
        self.db
            .prepare_cached("SELECT since, wipes, whole, under_way FROM wipe_term WHERE camera = ?1")?
            .query_row([self.camera.as_str()], |row| {
                let under_way: Option<String> = row.get(3)?;
                Ok(WipeTerm {
                    since: time(0, row.get(0)?)?,
                    wipes: row.get(1)?,
                    whole: row.get(2)?,
                    under_way: under_way.map(|text| json(3, text)).transpose()?,
                })
            })
            .optional()
    }

    /// Writes how the card stands with its wipe.
    pub fn set_wipe(&self, term: &WipeTerm) -> rusqlite::Result<()> {
        let under_way = term.under_way.as_ref().map(serde_json::to_string).transpose();
        let under_way = under_way.map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
        self.db
            .prepare_cached(
                "INSERT OR REPLACE INTO wipe_term (camera, since, wipes, whole, under_way)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                self.camera.as_str(),
                term.since.to_string(),
                term.wipes,
                term.whole,
                under_way,
            ])?;
        Ok(())
    }

    /// The files that lay on the card when it was last listed.
    pub fn files(&self) -> rusqlite::Result<Vec<Listed>> {
        let mut query = self
            .db
            .prepare_cached("SELECT path, size, modified, since, token FROM card_file WHERE camera = ?1")?;
        let rows = query.query_map([self.camera.as_str()], |row| {
            let path: Vec<u8> = row.get(0)?;
            Ok(Listed {
                path: CardPath::from_bytes(&path).map_err(|refusal| unreadable(0, refusal))?,
                size: row.get(1)?,
                modified: row.get(2)?,
                since: time(3, row.get(3)?)?,
                token: row.get::<_, Option<[u8; 32]>>(4)?.map(Digest::from_bytes),
            })
        })?;
        rows.collect()
    }

    /// Writes a file.
    pub fn set_file(&self, file: &Listed) -> rusqlite::Result<()> {
        self.db
            .prepare_cached(
                "INSERT OR REPLACE INTO card_file (camera, path, size, modified, since, token)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                self.camera.as_str(),
                file.path.as_bytes(),
                file.size,
                file.modified,
                file.since.to_string(),
                file.token.as_ref().map(Digest::as_bytes),
            ])?;
        Ok(())
    }

    /// Forgets a file that is not on the card any more.
    pub fn forget_file(&self, path: &CardPath) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("DELETE FROM card_file WHERE camera = ?1 AND path = ?2")?
            .execute(params![self.camera.as_str(), path.as_bytes()])?;
        Ok(())
    }

    /// The card was wiped: every frame is gone from it (`super::ledger`), and nothing is known of its files. What a wipe in
    /// part left of intended erasures stays intended.
    pub fn card_wiped(&self) -> rusqlite::Result<()> {
        for sql in [
            "UPDATE frame SET state = 'gone' WHERE camera = ?1 AND state NOT IN ('erasing', 'gone')",
            "DELETE FROM known_file WHERE camera = ?1",
            "DELETE FROM left_file WHERE camera = ?1",
            "DELETE FROM in_hand WHERE camera = ?1",
            "DELETE FROM card_file WHERE camera = ?1 AND token IS NULL",
        ] {
            self.db.execute(sql, [self.camera.as_str()])?;
        }
        Ok(())
    }
}

fn time(column: usize, text: String) -> rusqlite::Result<BoxTime> {
    text.parse().map(BoxTime).map_err(|e| unreadable(column, e))
}

fn json<T: DeserializeOwned>(column: usize, text: String) -> rusqlite::Result<T> {
    serde_json::from_str(&text).map_err(|e| unreadable(column, e))
}

fn unreadable(column: usize, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> BoxTime {
        BoxTime(jiff::Timestamp::from_second(1_780_000_000 + seconds).expect("in range"))
    }

    #[test]
    fn what_is_written_is_read_again_and_each_camera_has_its_own() {
        let db = Connection::open_in_memory().expect("memory");
        db.execute_batch(SCHEMA).expect("tables");
        db.execute_batch(SCHEMA).expect("again");
        let [quai, pont]: [CameraId; 2] = ["quai", "pont"].map(|id| id.parse().expect("plain"));
        let term = WipeTerm {
            since: at(0),
            wipes: 3,
            whole: false,
            under_way: Some(Intent {
                seed: Digest::of(b"seed"),
                reason: Reason::Asked,
                began: at(7),
                serial: None,
                interrupted: 2,
            }),
        };
        let file = Listed {
            path: CardPath::from_bytes(b"DCIM/\xff.JPG").expect("below"),
            size: 9,
            modified: -5,
            since: at(1),
            token: Some(Digest::of(b"token")),
        };
        let terms = Terms::of(&db, &quai);
        terms.set_wipe(&term).expect("written");
        terms.set_file(&file).expect("written");
        assert_eq!(terms.wipe().expect("read"), Some(term));
        assert_eq!(terms.files().expect("read"), std::slice::from_ref(&file));
        let other = Terms::of(&db, &pont);
        assert_eq!(
            (other.wipe().expect("read"), other.files().expect("read")),
            (None, vec![])
        );
        other.forget_file(&file.path).expect("none");
        assert_eq!(terms.files().expect("read").len(), 1);
        terms.forget_file(&file.path).expect("forgotten");
        assert_eq!(terms.files().expect("read"), []);
    }
}
