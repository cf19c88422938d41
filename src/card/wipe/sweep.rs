//! Every file of a card: overwritten in place, made durable, unlinked.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::fill::{PIECE, Stream, mark};
use super::{Card, CardPath, Error, FOLDER, Goes, Phase, Progress};
use crate::card::erase::sync_folder;
use crate::card::walk::{self, mtime};
use crate::card::{Error as CardError, size};

/// Deeper than any camera's or person's tree; a damaged volume can lie within itself.
const DEEPEST: usize = 64;
/// Names looked at in all, for the same reason.
const MOST_NAMES: u64 = 2_000_000;
/// Places in a folder's list that are written over at most.
const MOST_PLACES: usize = 4096;

/// What lay on the card, and what became of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Files named like frames.
    pub frames: u64,
    /// Files named like videos.
    pub videos: u64,
    /// All other files, those of systems among them.
    pub others: u64,
    /// Links, FIFOs and the like: unlinked, never followed or opened.
    pub links: u64,
    /// Bytes in these files.
    pub bytes: u64,
    /// Files of which a part could not be overwritten.
    pub not_overwritten: u64,
    /// Names that are still there.
    pub not_removed: u64,
}

impl Swept {
    /// Files in all.
    pub fn files(&self) -> u64 {
        self.frames + self.videos + self.others
    }
}

/// Counts what a wipe would remove; touches nothing.
pub fn plan(card: &Card) -> Result<Swept, Error> {
    run(card, None, &|_, _, _| true, &mut Unheard)
}

/// Overwrites and removes everything on the card. Folders go too, for their lists hold the names of what was in
/// them; DCIM is made anew, so that the camera finds its place.
pub fn sweep(
    card: &Card,
    stream: &Stream,
    expected: u64,
    goes: &Goes<'_>,
    progress: &mut dyn Progress,
) -> Result<Swept, Error> {
    progress.begin(Phase::Files, expected);
    let swept = run(card, Some(stream), goes, progress)?;
    rustix::fs::syncfs(&card.folder).map_err(|errno| card.failed(None, "sync", errno))?;
    Ok(swept)
}

fn run(
    card: &Card,
    stream: Option<&Stream>,
    goes: &Goes<'_>,
    progress: &mut dyn Progress,
) -> Result<Swept, Error> {
    let mut sweep = Sweep {
        card,
        stream,
        goes,
        progress,
        names: 0,
        swept: Swept::default(),
    };
    let names = sweep.folder(&card.folder, Path::new(""), 0)?;
    if stream.is_some() {
        cover(&card.folder, places(&names)).map_err(|errno| card.failed(None, "write into", errno))?;
    }
    Ok(sweep.swept)
}

struct Unheard;

impl Progress for Unheard {
    fn begin(&mut self, _: Phase, _: u64) {}
    fn advance(&mut self, _: u64) -> bool {
        true
    }
}

struct Sweep<'a> {
    card: &'a Card,
    /// `None`: only counts.
    stream: Option<&'a Stream>,
    goes: &'a Goes<'a>,
    progress: &'a mut dyn Progress,
    names: u64,
    swept: Swept,
}

impl Sweep<'_> {
    /// Everything in a folder; the names that were in it.
    fn folder(&mut self, folder: &OwnedFd, path: &Path, depth: usize) -> Result<BTreeSet<OsString>, Error> {
        let names = match names(folder) {
            Ok(names) => names,
            Err(errno) => {
                self.fatal(errno, "list")?;
                self.swept.not_removed += 1;
                return Ok(BTreeSet::new());
            }
        };
        for name in &names {
            self.names += 1;
            let Ok(path) = CardPath::new(path.join(name)) else {
                continue;
            };
            if depth == 0 && name == FOLDER {
                continue;
            }
            if self.names > MOST_NAMES {
                self.swept.not_removed += 1;
                continue;
            }
            match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => self.entry(folder, &path, &stat, depth)?,
                Err(Errno::NOENT) => {}
                Err(errno) => {
                    self.fatal(errno, "look at")?;
                    self.swept.not_removed += 1;
                }
            }
        }
        if self.stream.is_some() {
            sync_folder(folder).map_err(|errno| self.card.failed(None, "sync", errno))?;
        }
        Ok(names)
    }

    fn entry(&mut self, folder: &OwnedFd, path: &CardPath, stat: &Stat, depth: usize) -> Result<(), Error> {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => self.below(folder, path, depth + 1),
            FileType::RegularFile => {
                let bytes = size(stat);
                if walk::is_frame(path) {
                    if self.stream.is_some() && !(self.goes)(path, bytes, mtime(stat)) {
                        return Err(Error::Unprocessed(path.clone()));
                    }
                    self.swept.frames += 1;
                } else if walk::is_video(path) {
                    self.swept.videos += 1;
                } else {
                    self.swept.others += 1;
                }
                self.swept.bytes += bytes;
                self.file(folder, path)
            }
            _ => {
                self.swept.links += 1;
                self.remove(folder, path, AtFlags::empty())
            }
        }
    }

    fn below(&mut self, above: &OwnedFd, path: &CardPath, depth: usize) -> Result<(), Error> {
        if depth > DEEPEST {
            self.swept.not_removed += 1;
            return Ok(());
        }
        match self.card.step(above, path.name()) {
            Ok(folder) => drop(self.folder(&folder, path.as_path(), depth)?),
            Err(errno) => {
                self.fatal(errno, "open")?;
                self.swept.not_removed += 1;
                return Ok(());
            }
        }
        let camera_s = self.stream.is_some() && depth == 1 && path.name().eq_ignore_ascii_case("DCIM");
        // By one of the two a card is known for a camera's, also by a wipe that is begun again. A card so full
        // that there is no room for ours keeps its own.
        if camera_s && mark(self.card).is_err() {
            return Ok(());
        }
        self.remove(above, path, AtFlags::REMOVEDIR)?;
        if camera_s {
            match rustix::fs::mkdirat(above, path.name(), Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(self.card.failed(Some(path), "make", errno).into()),
            }
        }
        Ok(())
    }

    fn file(&mut self, folder: &OwnedFd, path: &CardPath) -> Result<(), Error> {
        let Some(stream) = self.stream else { return Ok(()) };
        match self.open(folder, path) {
            Ok((file, stat)) => {
                if !self.overwrite(&file, size(&stat), stream)? {
                    self.swept.not_overwritten += 1;
                }
            }
            Err(gone @ CardError::Gone(_)) => return Err(gone.into()),
            Err(CardError::Missing(_)) => return Ok(()),
            Err(_) => self.swept.not_overwritten += 1,
        }
        self.remove(folder, path, AtFlags::empty())
    }

    /// A file that is write-protected for its own sake loses that first.
    fn open(&self, folder: &OwnedFd, path: &CardPath) -> Result<(File, Stat), CardError> {
        match self.card.file(folder, path, OFlags::WRONLY) {
            Err(CardError::Denied(_)) => {
                let _ =
                    rustix::fs::chmodat(folder, path.name(), Mode::from_raw_mode(0o600), AtFlags::empty());
                self.card.file(folder, path, OFlags::WRONLY)
            }
            opened => opened,
        }
    }

    /// Whether every byte was written over, durably.
    fn overwrite(&mut self, file: &File, size: u64, stream: &Stream) -> Result<bool, Error> {
        let mut piece = vec![0; PIECE];
        let (mut whole, mut at) = (true, 0);
        while at < size {
            let length = usize::try_from(size - at).unwrap_or(PIECE).min(PIECE);
            stream.piece(at / PIECE as u64, &mut piece[..length]);
            if let Err(error) = file.write_all_at(&piece[..length], at) {
                self.fatal(Errno::from_io_error(&error).unwrap_or(Errno::IO), "overwrite")?;
                whole = false;
            }
            at += length as u64;
            if !self.progress.advance(length as u64) {
                return Err(Error::Stopped);
            }
        }
        if let Err(error) = file.sync_all() {
            self.fatal(Errno::from_io_error(&error).unwrap_or(Errno::IO), "sync")?;
            whole = false;
        }
        Ok(whole)
    }

    fn remove(&mut self, folder: &OwnedFd, path: &CardPath, how: AtFlags) -> Result<(), Error> {
        if self.stream.is_none() {
            return Ok(());
        }
        match rustix::fs::unlinkat(folder, path.name(), how) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => {
                self.fatal(errno, "remove")?;
                self.swept.not_removed += 1;
            }
        }
        Ok(())
    }

    /// Ends the wipe where the card itself is the trouble; what one file's trouble is, is counted.
    fn fatal(&self, errno: Errno, doing: &'static str) -> Result<(), Error> {
        match self.card.failed(None, doing, errno) {
            error @ (CardError::Gone(_) | CardError::ReadOnly(_)) => Err(error.into()),
            _ => Ok(()),
        }
    }
}

/// The names in a folder, once each (a damaged FAT can repeat one for ever).
fn names(folder: &OwnedFd) -> Result<BTreeSet<OsString>, Errno> {
    let mut names = BTreeSet::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.insert(OsStr::from_bytes(name).to_owned());
        }
        if names.len() as u64 > MOST_NAMES {
            break;
        }
    }
    Ok(names)
}

/// How many places of FAT's list the names of a folder took: one, and one for each 13 characters of a long name.
/// exFAT takes two and one for each 15.
fn places(names: &BTreeSet<OsString>) -> usize {
    names.iter().map(|name| 2 + name.len().div_ceil(13)).sum()
}

/// Writes over the places of removed names in a folder that stays: a removed name is only marked as such. As many
/// empty files with names of no meaning are made, and removed.
fn cover(folder: &OwnedFd, places: usize) -> Result<(), Errno> {
    let name = |number: usize| format!("V{number:07}.TMP");
    let mut made = 0;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let result = loop {
        if made == places.min(MOST_PLACES) {
            break Ok(());
        }
        match rustix::fs::openat(folder, name(made), flags, Mode::from_raw_mode(0o600)) {
            Ok(_) | Err(Errno::EXIST) => made += 1,
            Err(Errno::NOSPC) => break Ok(()),
            Err(errno) => break Err(errno),
        }
    };
    let synced = sync_folder(folder);
    for number in 0..made {
        rustix::fs::unlinkat(folder, name(number), AtFlags::empty())?;
    }
    result.and(synced).and(sync_folder(folder))
}
