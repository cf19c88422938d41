//! What lies on a memory card: finding it, waiting until it is settled, reading it, erasing it, and
//! wiping it, and borrowing the card from its camera.
//!
//! Promises: nothing outside the card's folder is ever reached, whatever links are put in its tree, and
//! even while we look (every component is opened by itself, without following links, below one open
//! folder); outside a wipe nothing but frames and videos named by the caller is ever written; no probe is
//! written to see whether the card can be written; a file is erased only while it has the bytes that
//! the caller names. A card may vanish at any moment: that is [`Error::Gone`], never a panic.
//!
//! Leaves to others: committing the intent before an erasure and the deed after it, and what a frame shows.
//! [`Card`] holds the card's folder open, so it must be dropped before a
//! [`lease::CardLease`] gives the card back, or the card cannot be unmounted.

mod apart;
mod erase;
mod error;
pub mod lease;
mod path;
mod read;
pub mod settle;
mod walk;
pub mod watch;
pub mod wipe;

pub use apart::apart;
pub use erase::{Erased, erase, erase_unread};
pub use error::{Error, HookFault};
pub use path::CardPath;
pub use read::{FRAME_AT_MOST, digest, ends, read, read_into};
pub use walk::{CardFile, Limits, Listing, Oddity, Why, list};

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, StatVfsMountFlags};
use rustix::io::Errno;

/// A card that was there when it was opened.
#[derive(Debug)]
pub struct Card {
    root: PathBuf,
    folder: OwnedFd,
    device: u64,
}

impl Card {
    /// Opens the card whose files appear in the folder `root`.
    pub fn open(root: &Path) -> Result<Self, Error> {
        let because = |errno| match errno {
            Errno::NOENT | Errno::NODEV | Errno::NXIO | Errno::NOMEDIUM | Errno::IO => {
                Error::Gone(root.to_owned())
            }
            Errno::NOTDIR => Error::NotAFolder(root.to_owned()),
            _ => Error::io(root, "open", errno),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(root, flags, Mode::empty()).map_err(because)?;
        let device = rustix::fs::fstat(&folder).map_err(because)?.st_dev;
        Ok(Self {
            root: root.to_owned(),
            folder,
            device,
        })
    }

    /// Has the system write out what it still owes the card's volume. Every erasure was made durable by itself: what is
    /// missing then is told, and no error.
    pub fn sync(&self) {
        if let Err(errno) = rustix::fs::syncfs(&self.folder) {
            tracing::warn!(card = %self.root.display(), %errno, "the card's volume is not written out");
        }
    }

    /// The folder it was opened at.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether its files can be changed at all: `false` for a volume mounted read-only (a card with its
    /// lock shut, or one that the system no longer trusts).
    pub fn writable(&self) -> Result<bool, Error> {
        let volume = rustix::fs::fstatvfs(&self.folder).map_err(|e| self.failed(None, "look at", e))?;
        Ok(!volume.f_flag.contains(StatVfsMountFlags::RDONLY))
    }

    /// Where a file of the card is, for messages.
    fn place(&self, path: &CardPath) -> PathBuf {
        self.root.join(path.as_path())
    }

    /// What a refused call on the card, or on one of its files, means.
    fn failed(&self, path: Option<&CardPath>, doing: &'static str, errno: Errno) -> Error {
        let place = path.map_or_else(|| self.root.clone(), |path| self.place(path));
        match errno {
            Errno::NODEV | Errno::NXIO | Errno::NOMEDIUM | Errno::STALE => Error::Gone(self.root.clone()),
            Errno::NOENT if path.is_some() => Error::Missing(place),
            Errno::ROFS => Error::ReadOnly(place),
            Errno::ACCESS | Errno::PERM => Error::Denied(place),
            // What O_NOFOLLOW and O_DIRECTORY say of a link (open(2)).
            Errno::LOOP | Errno::NOTDIR => Error::NotAFile(place),
            _ => Error::io(&place, doing, errno),
        }
    }

    /// One folder below an open one: never a link, never another volume.
    fn step(&self, above: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(above, name, flags, Mode::empty())?;
        if rustix::fs::fstat(&folder)?.st_dev == self.device {
            Ok(folder)
        } else {
            Err(Errno::XDEV)
        }
    }

    /// The open folder of a file, reached from the root one name at a time.
    fn folder_of(&self, path: &CardPath) -> Result<OwnedFd, Error> {
        let start = self.folder.try_clone().map_err(|source| Error::Io {
            path: self.root.clone(),
            doing: "open",
            source,
        })?;
        path.folder().iter().try_fold(start, |above, name| {
            self.step(&above, name).map_err(|errno| match errno {
                Errno::NOENT => Error::NoFolder(self.place(path)),
                errno => self.failed(Some(path), "open the folder of", errno),
            })
        })
    }

    /// A plain file in its open folder. Looked at before it is opened, for opening a device can act;
    /// looked at again after, for it may have been exchanged; and `O_NONBLOCK`, or a FIFO put in its
    /// place would hold us for ever.
    fn file(
        &self,
        folder: &OwnedFd,
        path: &CardPath,
        access: OFlags,
    ) -> Result<(std::fs::File, Stat), Error> {
        let failed = |errno| self.failed(Some(path), "open", errno);
        let plain = |stat: &Stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        let before = rustix::fs::statat(folder, path.name(), AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        if !plain(&before) {
            return Err(Error::NotAFile(self.place(path)));
        }
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(folder, path.name(), flags, Mode::empty()).map_err(failed)?;
        let stat = rustix::fs::fstat(&file).map_err(failed)?;
        if !plain(&stat) {
            return Err(Error::NotAFile(self.place(path)));
        }
        Ok((file.into(), stat))
    }
}

/// A file's size; FAT and exFAT know no negative one.
fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}
