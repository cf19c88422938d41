//! Backups of the desk, and their way back.
//!
//! | in the backup's folder | what |
//! | --- | --- |
//! | `<number>/contents.txt` | signed by the desk: what belongs to this backup, with sizes and SHA-256 |
//! | `<number>/vault.db` | the database as it was at one moment, without the beginnings of its blobs |
//! | `<number>/desk/...` | configuration and public keys |
//! | `items/` | the sealed files, without their wrapped content keys |
//! | `cles/<number>.vgk`, or elsewhere | what was left out of both, and the desk's signing key |
//!
//! Promises:
//! - a copy is of one moment, also while the desk is served, and is read again after it was written; a crash leaves
//!   the backup before it as it was;
//! - without the small file of keys nothing in the rest can be opened, and that file is overwritten at each backup: so
//!   what the desk erased is gone from a backup when the next one is made, whatever older copies of the rest lie
//!   around (findings on law §4: purge = key destroyed everywhere);
//! - restoring refuses what is damaged, incomplete or another desk's, and erases again whatever is on the list of
//!   erasures, the backup's and every later one that is at hand, before there is a desk that could be served;
//! - a restored desk continues its journal, which says so, and the numbers of its return files leap ahead, so that no
//!   box takes its next answer for a replay.
//!
//! `docs/formats.md` §16 has the bytes. Leaves what is in the tables to their modules: of every blob the beginning is
//! left out, whoever's it is.

mod blobs;
mod contents;
mod keys;
mod restoring;
mod writing;

use std::io;
use std::path::{Path, PathBuf};

use crate::vault::{keys as vault_keys, signed, store};

pub use contents::{Contents, Made};
pub use restoring::{Restore, Restored, restore};
pub use writing::{Backup, backup, note};

/// The folder of the keys in a backup's folder, where no other is named.
pub const KEYS: &str = "cles";
/// The folder of sealed files in it.
pub const POOL: &str = "items";
/// The desk's public key in its folder.
const DESK_PUBLIC: &str = "desk.pub";
/// In a desk's folder: the backups that its journal does not tell of yet.
pub const NOTES: &str = "backups";

/// The table of this module.
pub const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS backup (
    n       INTEGER PRIMARY KEY,
    number  INTEGER NOT NULL,
    folder  TEXT NOT NULL,
    made    TEXT NOT NULL,
    items   INTEGER NOT NULL,
    head    TEXT NOT NULL,
    digest  TEXT NOT NULL UNIQUE,
    made_by TEXT
) STRICT;
";
/// What [`SCHEMA`] makes.
pub const OBJECTS: [&str; 1] = ["backup"];

/// Why there is no backup, or no desk from it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A database.
    #[error("{}: {source}", path.display())]
    Database {
        /// Which.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The desk's key.
    #[error(transparent)]
    Key(#[from] vault_keys::Error),
    /// The desk's store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A signed document.
    #[error("{}: {source}", path.display())]
    Document {
        /// Which.
        path: PathBuf,
        /// Why.
        source: signed::Error,
    },
    /// Replaying the erasures.
    #[error(transparent)]
    Retention(#[from] super::retention::Error),
    /// Something is not as it must be; nothing was changed.
    #[error("{}: {what}", path.display())]
    Refused {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io {
        path: path.to_owned(),
        source,
    }
}

fn sql_at(path: &Path) -> impl Fn(rusqlite::Error) -> Error {
    move |source| Error::Database {
        path: path.to_owned(),
        source,
    }
}

fn document_at(path: &Path) -> impl Fn(signed::Error) -> Error {
    move |source| Error::Document {
        path: path.to_owned(),
        source,
    }
}

fn refused(path: &Path, what: impl Into<String>) -> Error {
    Error::Refused {
        path: path.to_owned(),
        what: what.into(),
    }
}
