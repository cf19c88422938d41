//! The ledger's files: by path, size and time alone, whose bytes are known and which could not be taken.
//!
//! Promises: a file stands once in each table, under its camera and path, and spares its next reading or counts its
//! attempts; what is known of a file is trusted only while its frame has a row.

use rusqlite::{OptionalExtension as _, params};

use super::{Ledger, path_of};
use crate::card::CardPath;
use crate::frame::Digest;

/// A file that could not be taken: tried again until its attempts are used up, then left for the wipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftFile {
    /// Where it lies on the card.
    pub path: CardPath,
    /// Bytes when last tried.
    pub size: u64,
    /// Modification time when last tried, in nanoseconds since 1970, by the camera's clock.
    pub modified: i64,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it cannot be taken: a word of docs/commands.md.
    pub reason: String,
}

/// A file whose bytes are known: while its size and its time stay, it is not read again. No proof: FAT's times have a
/// grain of two seconds, and a camera may write other bytes of the same size and time under the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownFile {
    /// Where it lies on the card.
    pub path: CardPath,
    /// Bytes when it was read.
    pub size: u64,
    /// Modification time when it was read, in nanoseconds since 1970, by the camera's clock.
    pub modified: i64,
    /// SHA-256 of its bytes.
    pub digest: Digest,
}

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS known_file (
    camera   TEXT NOT NULL,
    path     BLOB NOT NULL,
    size     INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    digest   BLOB NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (camera, path)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS left_file (
    camera   TEXT NOT NULL,
    path     BLOB NOT NULL,
    size     INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    reason   TEXT NOT NULL,
    PRIMARY KEY (camera, path)
) STRICT, WITHOUT ROWID;
";

impl Ledger<'_> {
    /// Whose bytes a file has, by its path, size and time alone; `None` if it was never read like this, or if the
    /// frame was forgotten.
    pub fn trusted(&self, path: &CardPath, size: u64, modified: i64) -> rusqlite::Result<Option<Digest>> {
        self.db
            .prepare_cached(
                "SELECT frame.digest FROM known_file JOIN frame USING (camera, digest)
                 WHERE known_file.camera = ?1 AND known_file.path = ?2
                 AND known_file.size = ?3 AND known_file.modified = ?4",
            )?
            .query_row(
                params![self.camera.as_str(), path.as_bytes(), size, modified],
                |row| row.get(0).map(Digest::from_bytes),
            )
            .optional()
    }

    /// Writes whose bytes a file has, just read.
    pub fn know(&self, file: &KnownFile) -> rusqlite::Result<()> {
        self.db
            .prepare_cached(
                "INSERT INTO known_file (camera, path, size, modified, digest) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET size = ?3, modified = ?4, digest = ?5",
            )?
            .execute(params![
                self.camera.as_str(),
                file.path.as_bytes(),
                file.size,
                file.modified,
                file.digest.as_bytes(),
            ])?;
        Ok(())
    }

    /// Forgets whose bytes a file has: it is read when it is met again.
    pub fn unknow(&self, path: &CardPath) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("DELETE FROM known_file WHERE camera = ?1 AND path = ?2")?
            .execute(params![self.camera.as_str(), path.as_bytes()])?;
        Ok(())
    }

    /// Where the files lay whose bytes are known.
    pub fn known_paths(&self) -> rusqlite::Result<Vec<CardPath>> {
        let mut query = self
            .db
            .prepare_cached("SELECT path FROM known_file WHERE camera = ?1")?;
        query
            .query_map(params![self.camera.as_str()], |row| path_of(0, row.get(0)?))?
            .collect()
    }

    /// What is known of a file that could not be taken.
    pub fn left(&self, path: &CardPath) -> rusqlite::Result<Option<LeftFile>> {
        self.db
            .prepare_cached(
                "SELECT path, size, modified, attempts, reason FROM left_file WHERE camera = ?1 AND path = ?2",
            )?
            .query_row(params![self.camera.as_str(), path.as_bytes()], |row| {
                Ok(LeftFile {
                    path: path_of(0, row.get(0)?)?,
                    size: row.get(1)?,
                    modified: row.get(2)?,
                    attempts: row.get(3)?,
                    reason: row.get(4)?,
                })
            })
            .optional()
    }

    /// How many files could not be taken.
    pub fn left_count(&self) -> rusqlite::Result<u64> {
        self.db
            .prepare_cached("SELECT COUNT(*) FROM left_file WHERE camera = ?1")?
            .query_row(params![self.camera.as_str()], |row| row.get(0))
    }

    /// Where the files lay that could not be taken.
    pub fn left_paths(&self) -> rusqlite::Result<Vec<CardPath>> {
        let mut query = self
            .db
            .prepare_cached("SELECT path FROM left_file WHERE camera = ?1")?;
        query
            .query_map(params![self.camera.as_str()], |row| path_of(0, row.get(0)?))?
            .collect()
    }

    /// Writes one more failed attempt.
    pub fn leave(&self, file: &LeftFile) -> rusqlite::Result<()> {
        self.db
            .prepare_cached(
                "INSERT INTO left_file (camera, path, size, modified, attempts, reason)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO UPDATE SET size = ?3, modified = ?4, attempts = ?5, reason = ?6",
            )?
            .execute(params![
                self.camera.as_str(),
                file.path.as_bytes(),
                file.size,
                file.modified,
                file.attempts,
                file.reason,
            ])?;
        Ok(())
    }

    /// Forgets a file that could be taken after all, or that is no longer on the card.
    pub fn taken_after_all(&self, path: &CardPath) -> rusqlite::Result<()> {
        self.db
            .prepare_cached("DELETE FROM left_file WHERE camera = ?1 AND path = ?2")?
            .execute(params![self.camera.as_str(), path.as_bytes()])?;
        Ok(())
    }
}
