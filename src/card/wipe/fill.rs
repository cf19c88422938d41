//! The free space: filled with a stream that can be told from anything else, read back, freed.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;

use chacha20poly1305::aead::AeadInOut as _;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit as _};
use rustix::fs::{Advice, AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;

use super::{Card, Error, FOLDER, Phase, Progress};
use crate::card::Error as CardError;
use crate::card::erase::sync_folder;

/// What is written and read at once.
pub(super) const PIECE: usize = 64 << 10;
/// What a card can hold on its own, and what the read-back counts in.
const BLOCK: usize = 512;
/// FAT ends a file at 4 GiB; smaller ones are synced sooner.
const FILE_AT_MOST: u64 = 1 << 30;
/// A buffer that is read past the cache must begin at such a boundary (open(2), O_DIRECT).
const ALIGNED: usize = 4096;
/// A card that refuses more writes than this takes no more.
const MOST_REFUSALS: u64 = 64;

/// What the stream of one wipe is made from. It is no secret: the certificate names it, so that anyone can
/// compare the card with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub [u8; 32]);

impl Seed {
    /// A new one.
    pub fn random() -> Result<Self, Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        Ok(Self(seed))
    }

    /// Its stream.
    pub fn stream(self) -> Stream {
        Stream(ChaCha20Poly1305::new(&self.0.into()))
    }
}

/// A stream without zeros or repetition, a piece at a time: ChaCha20 (RFC 8439) under the seed, the piece's number
/// as nonce.
pub struct Stream(ChaCha20Poly1305);

impl Stream {
    /// Piece `number`, as much of it as there is room for.
    pub fn piece(&self, number: u64, into: &mut [u8]) {
        into.fill(0);
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&number.to_be_bytes());
        // The tag is not needed. A piece is far below the cipher's 256 GiB, its only refusal.
        let _ = self.0.encrypt_inout_detached(&nonce.into(), &[], into.into());
    }
}

/// What filling and reading back came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filled {
    /// Bytes that the free space took.
    pub bytes: u64,
    /// Writes that the card refused otherwise than by being full.
    pub refused: u64,
    /// Blocks of 512 bytes that were read back.
    pub read: u64,
    /// Those of them that were not what was written.
    pub different: u64,
    /// Blocks that could not be read.
    pub unread: u64,
    /// Whether they were read past the system's cache, as far as the system says so; else the cache was only
    /// asked to forget them.
    pub direct: bool,
}

/// Fills the free space with `stream`, makes it durable, reads it back, and frees it, also where it is stopped.
pub fn fill(
    card: &Card,
    stream: &Stream,
    expected: u64,
    progress: &mut dyn Progress,
) -> Result<Filled, Error> {
    let filled = filled(card, stream, expected, progress);
    let cleared = clear(card);
    let filled = filled?;
    cleared?;
    Ok(filled)
}

/// Removes what a wipe that was cut off left; whether there was anything.
pub fn clear(card: &Card) -> Result<bool, Error> {
    let failed = |errno| card.failed(None, "clear", errno);
    let folder = match card.step(&card.folder, FOLDER.as_ref()) {
        Ok(folder) => folder,
        Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => return Ok(false),
        Err(errno) => return Err(failed(errno).into()),
    };
    let mut names = Vec::new();
    for entry in Dir::read_from(&folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_owned();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push(name);
        }
    }
    for name in names {
        rustix::fs::unlinkat(&folder, name, AtFlags::empty()).map_err(failed)?;
    }
    drop(folder);
    // The folder was the card's last sign of a camera where the wipe was cut off while DCIM was made anew.
    if !super::place::has_dcim(card) {
        rustix::fs::mkdirat(&card.folder, "DCIM", Mode::from_raw_mode(0o755)).map_err(failed)?;
    }
    rustix::fs::unlinkat(&card.folder, FOLDER, AtFlags::REMOVEDIR).map_err(failed)?;
    sync_folder(&card.folder).map_err(failed)?;
    Ok(true)
}

/// Makes the folder that a wipe is known by; it is there before anything is removed.
pub(super) fn mark(card: &Card) -> Result<OwnedFd, Error> {
    let failed = |errno| card.failed(None, "write into", errno);
    match rustix::fs::mkdirat(&card.folder, FOLDER, Mode::from_raw_mode(0o700)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(failed(errno).into()),
    }
    sync_folder(&card.folder).map_err(failed)?;
    Ok(card.step(&card.folder, FOLDER.as_ref()).map_err(failed)?)
}

fn filled(card: &Card, stream: &Stream, expected: u64, progress: &mut dyn Progress) -> Result<Filled, Error> {
    let folder = mark(card)?;
    progress.begin(Phase::Fill, expected);
    let mut filled = Filled::default();
    let mut lengths = Vec::new();
    loop {
        let file = match create(card, &folder, lengths.len())? {
            Some(file) => file,
            None => break,
        };
        let written = write(card, &file, lengths.len(), stream, &mut filled, progress)?;
        lengths.push(written);
        filled.bytes += written;
        if written == 0 || filled.refused > MOST_REFUSALS {
            break;
        }
    }
    rustix::fs::syncfs(&folder).map_err(|errno| card.failed(None, "sync", errno))?;
    progress.begin(Phase::ReadBack, filled.bytes);
    filled.direct = !lengths.is_empty();
    for (number, length) in lengths.into_iter().enumerate() {
        read_back(card, &folder, (number, length), stream, &mut filled, progress)?;
    }
    Ok(filled)
}

fn name(number: usize) -> String {
    format!("fill-{number:05}")
}

/// `None` where there is no room for a further name.
fn create(card: &Card, folder: &OwnedFd, number: usize) -> Result<Option<File>, Error> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat(folder, name(number), flags, Mode::from_raw_mode(0o600)) {
        Ok(file) => Ok(Some(file.into())),
        Err(Errno::NOSPC | Errno::DQUOT) => Ok(None),
        Err(errno) => Err(card.failed(None, "write into", errno).into()),
    }
}

/// Pieces of one file before the next one's.
const PIECES: u64 = FILE_AT_MOST / PIECE as u64;

/// Fills one file, until it is as long as may be or the volume is full; its length.
fn write(
    card: &Card,
    file: &File,
    number: usize,
    stream: &Stream,
    filled: &mut Filled,
    progress: &mut dyn Progress,
) -> Result<u64, Error> {
    let mut piece = vec![0; PIECE];
    let mut length = 0;
    'file: for nth in 0..PIECES {
        stream.piece(number as u64 * PIECES + nth, &mut piece);
        let (mut rest, mut most) = (&piece[..], PIECE);
        while !rest.is_empty() {
            match file.write_at(&rest[..most.min(rest.len())], length) {
                Ok(0) => break 'file,
                Ok(written) => {
                    length += written as u64;
                    rest = &rest[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    fatal(card, &error, "fill")?;
                    // The last places are smaller than a piece, and beside a bad block there are good ones.
                    if most > BLOCK {
                        most = BLOCK;
                        continue;
                    }
                    filled.refused += u64::from(!is_full(&error));
                    break 'file;
                }
            }
        }
        if !progress.advance(PIECE as u64) {
            return Err(Error::Stopped);
        }
    }
    if let Err(error) = file.sync_all()
        && !is_full(&error)
    {
        fatal(card, &error, "fill")?;
        filled.refused += 1;
    }
    Ok(length)
}

/// Whether nothing more goes into a file. EPERM, which write(2) has for sealed files in memory alone, is what fusefat
/// says of a full volume.
fn is_full(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG | Errno::PERM)
    )
}

/// Ends the wipe where the card is gone or lets nothing be written; anything else is one block's trouble.
fn fatal(card: &Card, error: &io::Error, doing: &'static str) -> Result<(), Error> {
    match card.failed(None, doing, Errno::from_io_error(error).unwrap_or(Errno::IO)) {
        error @ (CardError::Gone(_) | CardError::ReadOnly(_)) => Err(error.into()),
        _ => Ok(()),
    }
}

fn read_back(
    card: &Card,
    folder: &OwnedFd,
    (number, length): (usize, u64),
    stream: &Stream,
    filled: &mut Filled,
    progress: &mut dyn Progress,
) -> Result<(), Error> {
    let (file, direct) = open(folder, number).map_err(|errno| card.failed(None, "read back", errno))?;
    filled.direct &= direct;
    let mut expected = vec![0; PIECE];
    let mut room = vec![0; PIECE + ALIGNED];
    let start = room.as_ptr().align_offset(ALIGNED).min(ALIGNED);
    let found = &mut room[start..start + PIECE];
    let mut at = 0;
    while at < length {
        let want = usize::try_from(length - at).unwrap_or(PIECE).min(PIECE);
        let blocks = want.div_ceil(BLOCK) as u64;
        stream.piece(number as u64 * PIECES + at / PIECE as u64, &mut expected);
        // Nothing that was there before may pass for what was read.
        found.fill(0);
        match read_piece(&file, found, want, at) {
            Ok(()) => {
                let pairs = found[..want].chunks(BLOCK).zip(expected[..want].chunks(BLOCK));
                filled.read += blocks;
                filled.different += pairs.filter(|(found, expected)| found != expected).count() as u64;
            }
            Err(error) => {
                fatal(card, &error, "read back")?;
                filled.unread += blocks;
            }
        }
        at += want as u64;
        if !progress.advance(want as u64) {
            return Err(Error::Stopped);
        }
    }
    Ok(())
}

/// A fill file past the cache, where its file system can; else with the cache asked to forget it.
fn open(folder: &OwnedFd, number: usize) -> Result<(File, bool), Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    if let Ok(file) = rustix::fs::openat(folder, name(number), flags | OFlags::DIRECT, Mode::empty()) {
        return Ok((file.into(), true));
    }
    let file = rustix::fs::openat(folder, name(number), flags, Mode::empty())?;
    // Advice alone: what is not followed is said in the certificate, for nothing was proven by it.
    let _ = rustix::fs::fadvise(file.as_fd(), 0, None, Advice::DontNeed);
    Ok((file.into(), false))
}

/// Reads a whole piece at once, for only so can it be read past the cache; at the end of the file less comes.
fn read_piece(file: &File, into: &mut [u8], want: usize, at: u64) -> io::Result<()> {
    let mut done = 0;
    while done < want {
        match file.read_at(&mut into[done..], at + done as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_has_no_block_of_zeros_and_none_twice_and_follows_from_its_seed() {
        let stream = Seed([7; 32]).stream();
        let (mut piece, mut again) = (vec![1; PIECE], vec![2; PIECE]);
        let mut seen = std::collections::HashSet::new();
        for number in 0..40 {
            stream.piece(number, &mut piece);
            for block in piece.chunks(BLOCK) {
                assert!(block.iter().any(|byte| *byte != 0));
                assert!(seen.insert(block.to_vec()), "piece {number}");
            }
        }
        Seed([7; 32]).stream().piece(39, &mut again);
        assert_eq!(piece, again);
        Seed([8; 32]).stream().piece(39, &mut again);
        assert_ne!(piece, again);
        stream.piece(39, &mut again[..100]);
        assert_eq!(piece[..100], again[..100], "a part is the beginning of the whole");
    }

    #[test]
    fn the_stream_is_chacha20_of_rfc_8439() {
        let mut piece = [0; 16];
        Seed([0; 32]).stream().piece(0, &mut piece);
        // RFC 8439 A.1, test vector 2: key 0, nonce 0, block 1: the AEAD's first block is its tag's key.
        assert_eq!(hex::encode(piece), "9f07e7be5551387a98ba977c732d080d");
    }
}
