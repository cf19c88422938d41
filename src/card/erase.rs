//! Erasing one file: overwritten in place, then unlinked, and resumable wherever it was cut off.
//!
//! What is written over a file is a stream derived from the file's own SHA-256, not zeros: a card's
//! controller may treat zeros as "nothing here" and leave the old cells as they are, and zeros are also
//! what a dying card or a camera that reserves space shows. The stream is in no file but one that we
//! began to erase, so a half-erased file is known for what it is after a power cut, although its bytes no
//! longer have the digest that was meant. Its first 4 KiB are made durable before the rest is touched: a
//! file whose beginning is not the stream still has every one of its own bytes.
//!
//! What no program can promise: flash memory writes elsewhere and keeps old cells until it needs them
//! (NIST SP 800-88r2 §3.1); the wipe's certificate says so.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;

use rustix::fs::{AtFlags, OFlags, Stat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::read::{PIECE, hash, unreadable};
use super::walk::mtime;
use super::{Card, CardFile, CardPath, Error, size};
use crate::frame::Digest;

/// The part that is made durable first.
const HEAD: usize = 4096;
/// What a card writes at once at least: power lost amid the head leaves sectors of either kind.
const SECTOR: usize = 512;

/// How a file came to be gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Erased {
    /// Overwritten and unlinked now.
    Now,
    /// An erasure that had been cut off, now done to the end.
    Resumed,
    /// The file was not there, though its folder was. After an intent of ours it is gone by our hand, or
    /// another card with the same folders lies there now: this alone proves no erasure.
    Absent,
}

/// Erases the file at `path` if its bytes are those of `expected`, or what an erasure of them left behind.
///
/// The caller has made its intent durable before, so that this can be called again after a crash; nothing
/// else is needed to resume. A file with any other bytes is [`Error::Changed`] and left alone.
pub fn erase(card: &Card, path: &CardPath, expected: Digest) -> Result<Erased, Error> {
    let folder = card.folder_of(path)?;
    let (file, stat) = match card.file(&folder, path, OFlags::RDWR) {
        Ok(found) => found,
        Err(Error::Missing(_)) => return Ok(Erased::Absent),
        Err(other) => return Err(other),
    };
    let size = size(&stat);
    let stream = stream(expected);
    let read = |source| unreadable(card, path, source);
    let erased = if hash(&file, size).map_err(read)? == expected {
        Erased::Now
    } else if begun(&file, size, &stream).map_err(read)? {
        Erased::Resumed
    } else {
        return Err(Error::Changed(card.place(path)));
    };
    overwrite_named(card, path, &file, size, &stream)?;
    unlink(card, path, &folder, &file, &stat)?;
    Ok(erased)
}

/// Erases a file whose bytes nobody knows, for it cannot be read or was never looked at: the one listed as `file`,
/// by its size and time, or what an erasure of it left behind. Any other is [`Error::Changed`] and left alone.
/// `token` names it as a digest does for [`erase`], with the same duty of a durable intent.
pub fn erase_unread(card: &Card, file: &CardFile, token: Digest) -> Result<Erased, Error> {
    let path = &file.path;
    let folder = card.folder_of(path)?;
    let (open, stat) = match card.file(&folder, path, OFlags::RDWR) {
        Ok(found) => found,
        Err(Error::Missing(_)) => return Ok(Erased::Absent),
        Err(other) => return Err(other),
    };
    let size = size(&stat);
    let stream = stream(token);
    let erased = if (size, mtime(&stat)) == (file.size, file.mtime) {
        Erased::Now
    // What cannot be read was not begun by us: a head that we wrote can be.
    } else if size == file.size && begun(&open, size, &stream).unwrap_or(false) {
        Erased::Resumed
    } else {
        return Err(Error::Changed(card.place(path)));
    };
    overwrite_named(card, path, &open, size, &stream)?;
    unlink(card, path, &folder, &open, &stat)?;
    Ok(erased)
}

fn overwrite_named(card: &Card, path: &CardPath, file: &File, size: u64, stream: &[u8]) -> Result<(), Error> {
    overwrite(file, size, stream).map_err(|source| match Errno::from_io_error(&source) {
        Some(errno) => card.failed(Some(path), "overwrite", errno),
        None => Error::Io {
            path: card.place(path),
            doing: "overwrite",
            source,
        },
    })
}

/// One piece of the stream; it repeats from there on, which is enough to be recognised and to be no zeros.
fn stream(expected: Digest) -> Vec<u8> {
    (0..(PIECE / 32) as u64)
        .flat_map(|block| {
            let mut hash = Sha256::new();
            hash.update(b"vigie erased\0");
            hash.update(expected.as_bytes());
            hash.update(block.to_le_bytes());
            <[u8; 32]>::from(hash.finalize())
        })
        .collect()
}

/// Whether any sector of the head is the stream's.
fn begun(file: &File, size: u64, stream: &[u8]) -> std::io::Result<bool> {
    let length = usize::try_from(size).unwrap_or(HEAD).min(HEAD);
    let mut head = vec![0; length];
    file.read_exact_at(&mut head, 0)?;
    Ok(head
        .chunks(SECTOR)
        .zip(stream.chunks(SECTOR))
        .any(|(found, ours)| found == &ours[..found.len()]))
}

fn overwrite(file: &File, size: u64, stream: &[u8]) -> std::io::Result<()> {
    let head = size.min(HEAD as u64);
    write(file, 0..head, stream)?;
    file.sync_data()?;
    write(file, head..size, stream)?;
    file.sync_all()
}

fn write(file: &File, range: std::ops::Range<u64>, stream: &[u8]) -> std::io::Result<()> {
    let mut at = range.start;
    while at < range.end {
        let from = usize::try_from(at % PIECE as u64).unwrap_or(0);
        let length = usize::try_from(range.end - at).unwrap_or(PIECE).min(PIECE - from);
        file.write_all_at(&stream[from..from + length], at)?;
        at += length as u64;
    }
    Ok(())
}

/// Takes the name away, if it still is the name of the file that was overwritten and nothing was added.
fn unlink(card: &Card, path: &CardPath, folder: &OwnedFd, file: &File, stat: &Stat) -> Result<(), Error> {
    let failed = |doing| move |errno| card.failed(Some(path), doing, errno);
    let now = rustix::fs::fstat(file).map_err(failed("look at"))?;
    let named =
        rustix::fs::statat(folder, path.name(), AtFlags::SYMLINK_NOFOLLOW).map_err(failed("look at"))?;
    if (named.st_dev, named.st_ino) != (stat.st_dev, stat.st_ino) || now.st_size != stat.st_size {
        return Err(Error::Changed(card.place(path)));
    }
    rustix::fs::unlinkat(folder, path.name(), AtFlags::empty()).map_err(failed("remove"))?;
    sync_folder(folder).map_err(failed("sync the folder of"))
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &OwnedFd) -> Result<(), Errno> {
    match rustix::fs::fsync(folder) {
        // Some file systems sync no folder by itself (fsync(2): EINVAL); then the whole volume is synced.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => rustix::fs::syncfs(folder),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> File {
        let file = tempfile::tempfile().expect("a file");
        file.write_all_at(bytes, 0).expect("written");
        file
    }

    #[test]
    fn what_a_power_cut_leaves_of_an_erasure_is_recognised_by_any_sector_of_its_head() {
        let original: Vec<u8> = (0..200_000_u32).map(|i| (i / 3) as u8).collect();
        let stream = stream(Digest::of(&original));
        let begun = |bytes: &[u8]| begun(&file(bytes), bytes.len() as u64, &stream).expect("read");
        assert!(!begun(&original));
        for sector in 0..HEAD / SECTOR {
            let mut torn = original.clone();
            let at = sector * SECTOR..(sector + 1) * SECTOR;
            torn[at.clone()].copy_from_slice(&stream[at]);
            assert!(begun(&torn), "sector {sector}");
        }
        let other = super::stream(Digest::of(b"another file"));
        assert!(!begun(&other), "the stream belongs to one file");
        assert!(!begun(&vec![0; original.len()]), "zeros are nobody's");
        assert!(!begun(b""), "an empty file holds nothing of ours");
    }

    #[test]
    fn every_byte_is_overwritten_whatever_the_size() {
        for size in [1, 31, HEAD - 1, HEAD, HEAD + 1, PIECE, PIECE + 1, 3 * PIECE + 5] {
            let original = vec![0xA5; size];
            let stream = stream(Digest::of(&original));
            let file = file(&original);
            overwrite(&file, size as u64, &stream).expect("written");
            let mut now = vec![0; size + 1];
            assert_eq!(
                file.read_at(&mut now, 0).expect("read"),
                size,
                "neither longer nor shorter"
            );
            let expected: Vec<_> = stream.iter().cycle().take(size).copied().collect();
            assert_eq!(now[..size], expected);
        }
    }
}
