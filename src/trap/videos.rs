//! Videos: none can be redacted, so each waits for the wipe, or goes at once, as the city chose.
//!
//! Promises: the erasure of a video is intended once and told once, wherever it was cut off. Until it is done, its digest
//! stands beside the journal's line: a half-erased file no longer has it.

use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;

use super::Error;
use super::erasing::Erasure;
use super::outcome::{Outcome, Word, read_reason};
use super::round::Run;
use crate::card::{self, CardFile, CardPath};
use crate::config;
use crate::frame::{BoxTime, CameraId, Digest};
use crate::vault::{Entry, Kind, Tx};

/// Videos whose erasure is intended and not done.
pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS erasing_video (
    camera   TEXT NOT NULL,
    path     BLOB NOT NULL,
    digest   BLOB NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (camera, path)
) STRICT, WITHOUT ROWID;
";

impl Run<'_, '_> {
    /// Takes one video of the card.
    pub(super) fn video(&mut self, video: &CardFile) -> Result<(), Error> {
        if self.round.config.video == config::Video::Leave || !self.enforcing() {
            return self.leave_or_age(video, "video");
        }
        // Intended before, and tried in this round already.
        if self.is_intended(&video.path)? {
            self.not_erased(&video.path);
            return Ok(());
        }
        let digest = match card::digest(self.round.card, &video.path) {
            Ok(digest) => digest,
            Err(refusal) => match read_reason(&refusal) {
                Some(reason) => return self.leave_or_age(video, reason),
                None => return Err(refusal.into()),
            },
        };
        self.intend_video(&video.path, digest)?;
        if self.erase_file(&video.path, digest) == Erasure::Refused {
            self.not_erased(&video.path);
            return Ok(());
        }
        self.video_gone(&video.path, digest)?;
        self.summary.erased += 1;
        self.tell(Outcome {
            file: video.path.as_path().to_owned(),
            verdict: Word::Discard,
            reason: "video".to_owned(),
            event: None,
            redaction: None,
            again: false,
        });
        Ok(())
    }

    /// Ends what an earlier round intended.
    pub(super) fn finish_videos(&mut self) -> Result<(), Error> {
        for (path, digest) in intended(self.round.store.sql(), &self.round.camera.id)? {
            if self.erase_file(&path, digest) != Erasure::Refused {
                self.video_gone(&path, digest)?;
            }
        }
        Ok(())
    }

    fn is_intended(&self, path: &CardPath) -> Result<bool, Error> {
        let camera = self.round.camera.id.as_str();
        let row = self
            .round
            .store
            .sql()
            .prepare_cached("SELECT 1 FROM erasing_video WHERE camera = ?1 AND path = ?2")?
            .query_row(params![camera, path.as_bytes()], |_| Ok(()))
            .optional()?;
        Ok(row.is_some())
    }

    fn not_erased(&mut self, path: &CardPath) {
        self.summary.not_erased += 1;
        self.leave(path, "video");
    }

    fn video_gone(&mut self, path: &CardPath, digest: Digest) -> Result<(), Error> {
        let (now, camera) = (self.now(), &self.round.camera.id);
        self.round
            .store
            .transaction(|tx| gone(tx, now, camera, path, digest))
    }

    fn intend_video(&mut self, path: &CardPath, digest: Digest) -> Result<(), Error> {
        let (now, camera) = (self.now(), &self.round.camera.id);
        self.round.store.transaction(|tx| {
            let insert = "INSERT INTO erasing_video (camera, path, digest) VALUES (?1, ?2, ?3)";
            let row = params![camera.as_str(), path.as_bytes(), digest.as_bytes()];
            tx.raw().execute(insert, row)?;
            Ok(tx.journal(now, &entry(Kind::DiscardIntended, camera, digest))?)
        })
    }
}

/// The videos of a camera whose erasure is intended and not done.
pub(super) fn intended(db: &Connection, camera: &CameraId) -> Result<Vec<(CardPath, Digest)>, Error> {
    let mut query = db.prepare("SELECT path, digest FROM erasing_video WHERE camera = ?1")?;
    let rows = query.query_map([camera.as_str()], |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, Digest::from_bytes(row.get(1)?)))
    })?;
    let placed = |row: rusqlite::Result<(Vec<u8>, Digest)>| {
        let (path, digest) = row?;
        Ok((CardPath::from_bytes(&path)?, digest))
    };
    rows.map(placed).collect()
}

/// Writes that a video is gone, in the table and in the journal.
pub(super) fn gone(
    tx: &mut Tx<'_>,
    now: BoxTime,
    camera: &CameraId,
    path: &CardPath,
    digest: Digest,
) -> Result<(), Error> {
    let delete = "DELETE FROM erasing_video WHERE camera = ?1 AND path = ?2 AND digest = ?3";
    let row = params![camera.as_str(), path.as_bytes(), digest.as_bytes()];
    tx.raw().execute(delete, row)?;
    Ok(tx.journal(now, &entry(Kind::Discarded, camera, digest))?)
}

fn entry(kind: Kind, camera: &CameraId, digest: Digest) -> Entry {
    let body = json!({"camera": camera, "frame": digest, "video": true});
    Entry { kind, body }
}
