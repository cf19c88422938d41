//! Reading a file of the card whole, or the part of it that says whether it is.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;

use rustix::fs::{OFlags, Stat};
use sha2::{Digest as _, Sha256};

use super::{Card, CardPath, Error, size};
use crate::frame::Digest;

/// The most bytes of a frame: no trap's camera writes a tenth of it.
pub const FRAME_AT_MOST: u64 = 64 << 20;

/// A file is hashed and overwritten in pieces of this size.
pub(super) const PIECE: usize = 64 << 10;

/// All bytes of a file, at most `limit`. A file that is written meanwhile is [`Error::Changed`].
pub fn read(card: &Card, path: &CardPath, limit: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    read_into(card, path, limit, &mut bytes)?;
    Ok(bytes)
}

/// The same in place of what was in `bytes`, whose room is used again; after an error it holds nothing of use.
pub fn read_into(card: &Card, path: &CardPath, limit: u64, bytes: &mut Vec<u8>) -> Result<(), Error> {
    let (mut file, before) = open(card, path)?;
    let expected = size(&before);
    if expected > limit {
        return Err(Error::TooBig {
            path: card.place(path),
            size: expected,
            limit,
        });
    }
    bytes.clear();
    // One more than is expected, or finding the end would double the room.
    bytes.reserve_exact(usize::try_from(expected).unwrap_or(0) + 1);
    (&mut file)
        .take(expected + 1)
        .read_to_end(bytes)
        .map_err(|source| unreadable(card, path, source))?;
    unchanged(card, path, &file, &before)?;
    if bytes.len() as u64 != expected {
        return Err(Error::Changed(card.place(path)));
    }
    Ok(())
}

/// The SHA-256 of a file of any size.
pub fn digest(card: &Card, path: &CardPath) -> Result<Digest, Error> {
    let (file, before) = open(card, path)?;
    let digest = hash(&file, size(&before)).map_err(|source| unreadable(card, path, source))?;
    unchanged(card, path, &file, &before)?;
    Ok(digest)
}

/// Whether the file's last part has the marker that ends a JPEG picture (see [`super::settle::ended`]);
/// an empty file has not.
pub fn ends(card: &Card, path: &CardPath) -> Result<bool, Error> {
    let (file, stat) = card.file(&card.folder_of(path)?, path, OFlags::RDONLY)?;
    let size = size(&stat);
    let mut tail = vec![0; usize::try_from(size).unwrap_or(PIECE).min(PIECE)];
    let start = size - tail.len() as u64;
    file.read_exact_at(&mut tail, start)
        .map_err(|source| unreadable(card, path, source))?;
    Ok(super::settle::ended(&tail))
}

fn open(card: &Card, path: &CardPath) -> Result<(File, Stat), Error> {
    let (file, stat) = card.file(&card.folder_of(path)?, path, OFlags::RDONLY)?;
    if size(&stat) == 0 {
        return Err(Error::Empty(card.place(path)));
    }
    Ok((file, stat))
}

/// The SHA-256 of the first `size` bytes of a file.
pub(super) fn hash(file: &File, size: u64) -> std::io::Result<Digest> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    while at < size {
        let length = usize::try_from(size - at).unwrap_or(PIECE).min(PIECE);
        file.read_exact_at(&mut piece[..length], at)?;
        hash.update(&piece[..length]);
        at += length as u64;
    }
    Ok(Digest::from_bytes(hash.finalize().into()))
}

fn unchanged(card: &Card, path: &CardPath, file: &File, before: &Stat) -> Result<(), Error> {
    let after = rustix::fs::fstat(file).map_err(|e| card.failed(Some(path), "look at", e))?;
    let state = |stat: &Stat| (stat.st_size, stat.st_mtime, stat.st_mtime_nsec);
    if state(before) == state(&after) {
        Ok(())
    } else {
        Err(Error::Changed(card.place(path)))
    }
}

/// What a refused read means; a file that ended before its size was shortened meanwhile.
pub(super) fn unreadable(card: &Card, path: &CardPath, source: std::io::Error) -> Error {
    if source.kind() == std::io::ErrorKind::UnexpectedEof {
        return Error::Changed(card.place(path));
    }
    match rustix::io::Errno::from_io_error(&source) {
        Some(errno) => card.failed(Some(path), "read", errno),
        None => Error::Io {
            path: card.place(path),
            doing: "read",
            source,
        },
    }
}
