//! `vault.head`: what a store was when it was closed in good order, signed by its box.
//!
//! Promises: it has one single text for what it says, so any changed bit in it is found; it fixes
//! every bit of the database file, block by block, so that damage there is found *and placed*, also
//! in bytes that no query reads. After a crash it is stale, and the journal says so: its last line is
//! then not `closed`.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::durable::{self, Existing};
use super::item::read_as_much_as_there_is;
use super::journal::Head;
use super::keys::{DeviceId, DeviceKey, DevicePublic};
use super::signed::{self, Document};
use crate::frame::{BoxTime, Digest};

/// Its name in the store's folder.
pub const NAME: &str = "vault.head";

/// Some 256 lines of 67 characters, and then some.
const LONGEST_FILE: u64 = 64 * 1024;
const SMALLEST_BLOCK: u64 = 4096;
const MOST_BLOCKS: u64 = 256;

/// Why a `vault.head` tells nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not what this program writes, or not signed by the box that it names.
    #[error(transparent)]
    Document(#[from] signed::Error),
    /// It could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// A file's bytes: as a whole, and block by block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fixed {
    /// Bytes of each block but the last: the smallest power of two, from 4096, that makes at most 256
    /// blocks.
    pub block: u64,
    /// SHA-256 of each block.
    pub blocks: Vec<Digest>,
    /// SHA-256 of the whole file.
    pub sha256: Digest,
    /// Bytes of the whole file.
    pub size: u64,
}

impl Fixed {
    /// Reads the file at `path` once.
    pub fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut block = SMALLEST_BLOCK;
        while size.div_ceil(block) > MOST_BLOCKS {
            block *= 2;
        }
        let mut whole = Sha256::new();
        let mut blocks = Vec::new();
        let mut size = 0;
        // A block is 1/128 of the file or less, or 4096 bytes.
        let mut buffer = vec![0; block as usize];
        loop {
            let found = read_as_much_as_there_is(&mut file, &mut buffer)?;
            if found == 0 {
                break;
            }
            size += found as u64;
            whole.update(&buffer[..found]);
            blocks.push(Digest::of(&buffer[..found]));
        }
        Ok(Self {
            block,
            blocks,
            sha256: Digest::from_bytes(whole.finalize().into()),
            size,
        })
    }

    /// The byte ranges (first, last) in which `now` differs from what was fixed.
    pub fn differences(&self, now: &Self) -> Vec<(u64, u64)> {
        let size = self.size.max(now.size);
        if self.sha256 == now.sha256 && self.size == now.size {
            return Vec::new();
        }
        if self.block != now.block {
            return vec![(0, size.saturating_sub(1))];
        }
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        let count = self.blocks.len().max(now.blocks.len());
        for nth in (0..count).filter(|&nth| self.blocks.get(nth) != now.blocks.get(nth)) {
            let first = nth as u64 * self.block;
            let last = (first + self.block).min(size) - 1;
            match ranges.last_mut() {
                Some(range) if range.1 + 1 == first => range.1 = last,
                _ => ranges.push((first, last)),
            }
        }
        ranges
    }
}

/// What `vault.head` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closing {
    /// When.
    pub closed: BoxTime,
    /// The database file.
    pub database: Fixed,
    /// The box's name.
    pub device: DeviceId,
    /// The box's public key.
    pub device_key: DevicePublic,
    /// Items in the store.
    pub items: u64,
    /// The journal's last hash.
    pub journal_hash: Digest,
    /// The journal's last number.
    pub journal_seq: u64,
}

impl Document for Closing {
    const TITLE: &'static str = "vigie vault head 1";
}

impl Closing {
    /// The state of a closed store.
    pub(super) fn new(
        device: &DevicePublic,
        closed: BoxTime,
        head: Head,
        items: u64,
        database: Fixed,
    ) -> Self {
        Self {
            closed,
            database,
            device: device.id(),
            device_key: device.clone(),
            items,
            journal_hash: head.hash,
            journal_seq: head.seq,
        }
    }

    /// The journal's head at the time.
    pub fn head(&self) -> Head {
        Head {
            seq: self.journal_seq,
            hash: self.journal_hash,
        }
    }

    /// Reads a `vault.head`'s text and checks it against the key it names.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let named = |closing: &Self| {
            let is_its_name = closing.device_key.id() == closing.device;
            is_its_name.then(|| closing.device_key.clone())
        };
        Ok(signed::read_by(text, named, "the box it names")?)
    }

    /// Reads the `vault.head` in `dir`; nothing if there is none.
    pub fn read(dir: &Path) -> Result<Option<Self>, Error> {
        let file = match File::open(dir.join(NAME)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut bytes = Vec::new();
        file.take(LONGEST_FILE).read_to_end(&mut bytes)?;
        let text = String::from_utf8(bytes).map_err(|_| signed::Error::Damaged("it is no text"))?;
        Self::parse(&text).map(Some)
    }
}

/// A `vault.head` announced and not yet written. From now on, until it is, its unfinished file lies in
/// the folder, also after a failure: a closing that was cut off, or found the disk full, between the
/// journal's `closed` and the new `vault.head` can be told from the loss of `vault.head`.
pub(super) struct Announced {
    file: tempfile::NamedTempFile,
    path: PathBuf,
}

impl Announced {
    pub(super) fn new(dir: &Path) -> io::Result<Self> {
        let mut file = durable::unfinished(dir)?;
        file.disable_cleanup(true);
        durable::sync_folder(dir)?;
        Ok(Self {
            file,
            path: dir.join(NAME),
        })
    }

    /// Signs and writes it, in the place of the one before.
    pub(super) fn write(mut self, closing: &Closing, device: &DeviceKey) -> Result<(), Error> {
        use std::io::Write as _;
        let text = signed::sign(closing, device)?;
        self.file.write_all(text.as_bytes())?;
        durable::finish(self.file, &self.path, 0o600, Existing::Replace)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(blocks: &[u8], size: u64) -> Fixed {
        Fixed {
            block: 4096,
            blocks: blocks.iter().map(|b| Digest::of(&[*b])).collect(),
            sha256: Digest::of(blocks),
            size,
        }
    }

    #[test]
    fn a_file_of_any_size_is_fixed_in_no_more_blocks_than_a_head_can_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        for (size, block, blocks) in [
            (0, 4096, 0),
            (4097, 4096, 2),
            (256 * 4096, 4096, 256),
            (256 * 4096 + 1, 8192, 129),
        ] {
            std::fs::write(&path, vec![7; size]).expect("written");
            let fixed = Fixed::of(&path).expect("read");
            assert_eq!(
                (fixed.block, fixed.blocks.len(), fixed.size),
                (block, blocks, size as u64)
            );
        }
    }

    #[test]
    fn a_difference_is_placed_and_neighbours_are_told_as_one() {
        let then = fixed(&[1, 2, 3, 4], 16_000);
        assert_eq!(then.differences(&then), []);
        let now = fixed(&[1, 9, 9, 4], 16_000);
        assert_eq!(then.differences(&now), [(4096, 12_287)]);
        let now = fixed(&[9, 2, 9, 4], 16_000);
        assert_eq!(then.differences(&now), [(0, 4095), (8192, 12_287)]);
        let grown = fixed(&[1, 2, 3, 4, 5], 17_000);
        assert_eq!(then.differences(&grown), [(16_384, 16_999)]);
    }

    #[test]
    fn a_head_that_cannot_be_read_is_told_from_one_that_is_not_there() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(matches!(Closing::read(folder.path()), Ok(None)));
        let file = folder.path().join("file");
        std::fs::write(&file, b"").expect("written");
        assert!(matches!(Closing::read(&file), Err(Error::Io(_))), "no folder");
    }
}
