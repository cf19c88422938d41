//! The two signed documents of a backup: what belongs to it, and which keys belong to that.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Error, document_at, io_at, refused};
use crate::frame::{BoxTime, Digest};
use crate::transfer::Folder;
use crate::vault::certificate::LastLine;
use crate::vault::keys::DevicePublic;
use crate::vault::signed::{self, Document};

/// The name of a backup's signed list in its folder.
pub(super) const CONTENTS: &str = "contents.txt";
/// Bytes of it at most: some hundred files.
const LONGEST: u64 = 1 << 20;

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// Its number in its folder, from 1.
    pub number: u64,
    /// The desk's public key.
    pub desk_key: DevicePublic,
    /// When.
    pub made: BoxTime,
    /// The program's version.
    pub program: String,
    /// The journal's head in it.
    pub journal: LastLine,
    /// Sealed files that belong to it.
    pub items: u64,
    /// Entries of the list of erasures.
    pub erasures: u64,
    /// Its own files: the database and what lies under `desk/`.
    pub files: Vec<FileFact>,
}

impl Document for Contents {
    const TITLE: &'static str = "vigie backup 1";
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileFact {
    /// Below the backup's folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Of these.
    pub sha256: Digest,
}

/// What stands before the keys in their file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeysHead {
    /// Of which backup.
    pub number: u64,
    /// SHA-256 of that backup's signed contents.
    pub contents: Digest,
    /// The desk's public key.
    pub desk_key: DevicePublic,
    /// Bytes that follow.
    pub size: u64,
    /// Of these.
    pub sha256: Digest,
}

impl Document for KeysHead {
    const TITLE: &'static str = "vigie backup keys 1";
}

/// A backup of which the desk's journal is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// Its number in its folder.
    pub number: u64,
    /// The folder, as it was named.
    pub folder: String,
    /// When.
    pub made: BoxTime,
    /// Sealed files in it.
    pub items: u64,
    /// The journal's head in it.
    pub head: String,
    /// SHA-256 of its signed contents.
    pub contents: Digest,
}

impl Contents {
    /// Reads the signed contents in a backup's folder, as signed by the desk that they name; and their digest.
    pub(super) fn read(folder: &Path) -> Result<(Self, Digest), Error> {
        let path = folder.join(CONTENTS);
        let open = Folder::open(folder).map_err(io_at(folder))?;
        let text = open.text(CONTENTS, LONGEST).map_err(io_at(&path))?;
        let by = |contents: &Self| Some(contents.desk_key.clone());
        let contents = signed::read_by(&text, by, "the desk it names").map_err(document_at(&path))?;
        match contents.files.iter().all(|file| is_ours(&file.name)) {
            true => Ok((contents, signed::digest(&text))),
            false => Err(refused(&path, "it names a file that no backup has")),
        }
    }
}

/// Whether a backup may hold a file of this name: the database, or one of the desk's own plain files.
pub(super) fn is_ours(name: &str) -> bool {
    if name == crate::vault::store::DATABASE {
        return true;
    }
    let Some(rest) = name.strip_prefix("desk/") else {
        return false;
    };
    let plain = |part: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        !part.is_empty() && !part.starts_with('.') && part.chars().all(known)
    };
    match rest.split_once('/') {
        None => [crate::desk::office::CONFIG, super::DESK_PUBLIC].contains(&rest),
        Some((folder, file)) => super::writing::FOLDERS.iter().any(|(known, ends)| {
            folder == *known && plain(file) && ends.iter().any(|end| file.ends_with(end))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backup_names_no_file_outside_itself() {
        for ours in [
            "vault.db",
            "desk/desk.toml",
            "desk/traps/a.pub",
            "desk/keys/x.revocation",
        ] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in [
            "desk/../desk.toml",
            "/etc/passwd",
            "desk/keys/service.key",
            "desk/keys/../x.pub",
            "desk/keys/.x.pub",
            "desk/traps/a/b.pub",
            "../vault.db",
            "desk/",
            "",
        ] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
