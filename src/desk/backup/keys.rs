//! The file of keys: what was left out of a backup's database and sealed files, and the desk's signing key.
//!
//! Promises: it is whole, signed and of one backup, or refused; the one before it is overwritten only after it is
//! durable. Whoever has it and not the rest has nothing to open with it; whoever has the rest and not it, nothing that
//! opens.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, BufWriter, Seek as _, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::blobs::Beginning;
use super::contents::KeysHead;
use super::{Error, document_at, io_at, refused};
use crate::frame::Digest;
use crate::transfer::Folder;
use crate::vault::durable::{self, Existing};
use crate::vault::keys::DevicePublic;
use crate::vault::{DeviceKey, signed};

const EXTENSION: &str = "vgk";
/// The signed part is some 400 bytes; a line holds one blob's beginning.
const LONGEST_LINE: u64 = 1 << 20;

/// One line of the body.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Entry {
    /// The text of `desk.key`.
    Desk(String),
    /// A blob's beginning.
    Blob(Beginning),
    /// A sealed file's wrapped content keys: its name, and hexadecimal digits.
    Item(String, String),
}

/// A body that is being written.
pub(super) struct Body {
    file: BufWriter<fs::File>,
    hash: Sha256,
    size: u64,
    /// The first failure: SQLite's callbacks cannot carry it.
    pub failed: Option<std::io::Error>,
}

impl Body {
    pub(super) fn new(path: &Path) -> Result<Self, Error> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let made = fs::File::options()
            .create_new(true)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(path);
        Ok(Self {
            file: BufWriter::new(made.map_err(io_at(path))?),
            hash: Sha256::new(),
            size: 0,
            failed: None,
        })
    }

    pub(super) fn add(&mut self, entry: &Entry) {
        let written = serde_json::to_vec(entry)
            .map_err(std::io::Error::from)
            .and_then(|mut line| {
                line.push(b'\n');
                self.hash.update(&line);
                self.size += line.len() as u64;
                self.file.write_all(&line)
            });
        if let Err(error) = written {
            self.failed.get_or_insert(error);
        }
    }

    fn done(mut self, path: &Path) -> Result<(fs::File, u64, Digest), Error> {
        let failed = self.failed.take().map_or(Ok(()), Err);
        failed.and_then(|()| self.file.flush()).map_err(io_at(path))?;
        let mut file = self
            .file
            .into_inner()
            .map_err(|error| io_at(path)(error.into_error()))?;
        file.rewind().map_err(io_at(path))?;
        Ok((file, self.size, Digest::from_bytes(self.hash.finalize().into())))
    }
}

fn name(number: u64) -> String {
    format!("{number:06}.{EXTENSION}")
}

/// The files of keys in a folder, the latest first.
pub(super) fn files(folder: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io_at(folder))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(io_at(folder))?.path();
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .and_then(|stem| stem.parse().ok());
        let is_ours = path.extension().is_some_and(|extension| extension == EXTENSION);
        found.extend(number.filter(|_| is_ours).map(|number| (number, path)));
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found)
}

/// Signs a body and makes it the file of keys of that backup.
pub(super) fn write(
    folder: &Path,
    number: u64,
    contents: Digest,
    body: Body,
    body_path: &Path,
    desk: &DeviceKey,
) -> Result<PathBuf, Error> {
    let path = folder.join(name(number));
    let (mut body, size, sha256) = body.done(body_path)?;
    let head = KeysHead {
        number,
        contents,
        desk_key: desk.public().clone(),
        size,
        sha256,
    };
    let head = signed::sign(&head, desk).map_err(document_at(&path))?;
    let mut file = durable::unfinished(folder).map_err(io_at(&path))?;
    let written = file
        .write_all(head.as_bytes())
        .and_then(|()| std::io::copy(&mut body, &mut file));
    written.map_err(io_at(&path))?;
    durable::finish(file, &path, 0o600, Existing::Replace).map_err(io_at(&path))?;
    Ok(path)
}

/// Overwrites and removes every file of keys but that of `number`, and what a crash left.
pub(super) fn leave_only(folder: &Path, number: u64) -> Result<(), Error> {
    for (_, path) in files(folder)?.into_iter().filter(|(found, _)| *found != number) {
        durable::erase(&path).map_err(io_at(&path))?;
    }
    for entry in fs::read_dir(folder).map_err(io_at(folder))? {
        let entry = entry.map_err(io_at(folder))?;
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with(durable::UNFINISHED)
        {
            durable::erase(&entry.path()).map_err(io_at(&entry.path()))?;
        }
    }
    Ok(())
}

/// Keys that were read whole.
pub(super) struct Keys {
    pub head: KeysHead,
    pub desk_key: String,
    pub blobs: Vec<Beginning>,
    pub items: BTreeMap<String, Vec<u8>>,
}

/// Reads a file of keys, as signed by the desk that it names.
pub(super) fn read(path: &Path) -> Result<Keys, Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let open = Folder::open(folder).map_err(io_at(folder))?;
    let (file, _) = open.file(name).map_err(io_at(path))?;
    let mut source = BufReader::new(file);
    let mut text = String::new();
    for _ in 0..3 {
        let line = line(&mut source, path)?.ok_or_else(|| refused(path, "it ends in its head"))?;
        text.push_str(&line);
    }
    let by = |head: &KeysHead| Some(head.desk_key.clone());
    let head: KeysHead = signed::read_by(&text, by, "the desk it names").map_err(document_at(path))?;
    let mut keys = Keys {
        head,
        desk_key: String::new(),
        blobs: Vec::new(),
        items: BTreeMap::new(),
    };
    let (mut hash, mut size) = (Sha256::new(), 0);
    while let Some(line) = line(&mut source, path)? {
        hash.update(&line);
        size += line.len() as u64;
        let entry = serde_json::from_str(&line).map_err(|_| refused(path, "a line of it is damaged"))?;
        match entry {
            Entry::Desk(text) => keys.desk_key = text,
            Entry::Blob(beginning) => keys.blobs.push(beginning),
            Entry::Item(name, digits) => {
                let bytes = hex::decode(digits).map_err(|_| refused(path, "a line of it is damaged"))?;
                keys.items.insert(name, bytes);
            }
        }
    }
    let found = (size, Digest::from_bytes(hash.finalize().into()));
    match found == (keys.head.size, keys.head.sha256) {
        true => Ok(keys),
        false => Err(refused(path, "it is not whole: it was changed or cut off")),
    }
}

fn line(source: &mut impl std::io::BufRead, path: &Path) -> Result<Option<String>, Error> {
    let mut bytes = Vec::new();
    let mut limited = std::io::Read::take(source, LONGEST_LINE);
    limited.read_until(b'\n', &mut bytes).map_err(io_at(path))?;
    match bytes.last() {
        None => Ok(None),
        Some(b'\n') => String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| refused(path, "a line of it is damaged")),
        Some(_) => Err(refused(path, "it is cut off")),
    }
}

/// Whether this is the desk that is expected.
pub(super) fn is_of(keys: &Keys, expected: Option<&DevicePublic>) -> bool {
    expected.is_none_or(|expected| *expected == keys.head.desk_key)
}
