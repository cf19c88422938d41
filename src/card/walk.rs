//! What lies on the card, in the order in which the camera wrote it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, Dir, FileType, Stat};
use rustix::io::Errno;

use super::{Card, CardPath, Error, size};

/// How far a walk goes: a card may be damaged, or be someone's whole photo collection.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Folders below one another.
    pub depth: usize,
    /// Names looked at in all.
    pub names: usize,
}

impl Default for Limits {
    /// FAT allows 65,534 files in a folder, and DCIM 900 folders of 9,999 (JEITA CP-3461): a card filled
    /// that far is listed in parts, as its first ones are erased.
    fn default() -> Self {
        Self {
            depth: 16,
            names: 100_000,
        }
    }
}

/// A file as the walk saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardFile {
    /// Where.
    pub path: CardPath,
    /// Bytes.
    pub size: u64,
    /// When it was last written, by the camera's clock: only good to see whether it changed.
    pub mtime: SystemTime,
}

/// What the walk does not count as anything, named so that nothing is passed over in silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oddity {
    /// Where.
    pub path: CardPath,
    /// What is the matter.
    pub why: Why,
}

/// Why something on the card was left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// A symbolic link: never followed.
    Link,
    /// Named like a frame or video, but a FIFO, socket or device.
    NotAFile,
    /// A folder too far down.
    TooDeep,
    /// A folder of another volume, mounted into the card.
    OtherVolume,
    /// A folder or name that the system would not show.
    Unreadable(String),
}

/// All that lies on a card, each list in the camera's order.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// `.jpg` and `.jpeg` in any case.
    pub frames: Vec<CardFile>,
    /// Videos and what belongs to them (`.thm`, `.lrv`).
    pub videos: Vec<CardFile>,
    /// How many other plain files there are; never touched.
    pub others: u64,
    /// What was left alone.
    pub oddities: Vec<Oddity>,
    /// Whether the limits let everything be seen.
    pub complete: bool,
}

const FRAMES: [&str; 2] = ["jpg", "jpeg"];
const VIDEOS: [&str; 18] = [
    "avi", "mp4", "m4v", "mov", "mts", "m2ts", "3gp", "3g2", "mpg", "mpeg", "mkv", "wmv", "asf", "h264",
    "h265", "ts", "thm", "lrv",
];

/// Folders that systems, not cameras, keep on a card. What they hold is what was deleted or found again:
/// it stays for the wipe. Names that begin with a dot are theirs too.
const SYSTEM: [&str; 7] = [
    "System Volume Information",
    "$RECYCLE.BIN",
    "RECYCLER",
    "LOST.DIR",
    "lost+found",
    "FOUND.000",
    "__MACOSX",
];

/// Lists a card: DCIM as the standard has it and any other tree that makers or users made of it.
///
/// A folder that cannot be read is an oddity, not an error; only a root that cannot be read is.
pub fn list(card: &Card, limits: &Limits) -> Result<Listing, Error> {
    let mut walk = Walk {
        card,
        limits,
        seen: 0,
        listing: Listing {
            complete: true,
            ..Listing::default()
        },
    };
    walk.folder(&card.folder, Path::new(""), 0)
        .map_err(|errno| card.failed(None, "list", errno))?;
    // A card pulled out half-way shows the rest as empty: then this listing is not the card's.
    if Card::open(card.root())?.device != card.device {
        return Err(Error::Gone(card.root().to_owned()));
    }
    let mut listing = walk.listing;
    listing.frames.sort_by(|a, b| a.path.cmp(&b.path));
    listing.videos.sort_by(|a, b| a.path.cmp(&b.path));
    listing.oddities.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(listing)
}

struct Walk<'a> {
    card: &'a Card,
    limits: &'a Limits,
    seen: usize,
    listing: Listing,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &OwnedFd, path: &Path, depth: usize) -> Result<(), Errno> {
        let (names, broken) = self.names(folder);
        for name in names {
            let Ok(path) = CardPath::new(path.join(&name)) else {
                continue;
            };
            match rustix::fs::statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => self.entry(folder, path, &stat, depth),
                // Deleted since its folder was read.
                Err(Errno::NOENT) => {}
                Err(errno) => self.odd(path, Why::Unreadable(errno.to_string())),
            }
        }
        broken.map_or(Ok(()), Err)
    }

    /// The names in a folder, once each (a damaged FAT can repeat one for ever), and what kept the rest
    /// of them from being read.
    fn names(&mut self, folder: &OwnedFd) -> (BTreeSet<PathBuf>, Option<Errno>) {
        let mut names = BTreeSet::new();
        let entries = match Dir::read_from(folder) {
            Ok(entries) => entries,
            Err(errno) => return (names, Some(errno)),
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(errno) => return (names, Some(errno)),
            };
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            if self.seen == self.limits.names {
                self.listing.complete = false;
                break;
            }
            self.seen += 1;
            names.insert(PathBuf::from(OsStr::from_bytes(name)));
        }
        (names, None)
    }

    fn entry(&mut self, folder: &OwnedFd, path: CardPath, stat: &Stat, depth: usize) {
        let hidden = path.name().as_bytes().starts_with(b".");
        let media = !hidden && (has(&path, &FRAMES) || has(&path, &VIDEOS));
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory if hidden || is_system(path.name()) => {}
            FileType::Directory => self.below(folder, path, depth + 1),
            FileType::Symlink => self.odd(path, Why::Link),
            FileType::RegularFile if media => {
                let frames = has(&path, &FRAMES);
                let file = CardFile {
                    path,
                    size: size(stat),
                    mtime: mtime(stat),
                };
                let list = if frames {
                    &mut self.listing.frames
                } else {
                    &mut self.listing.videos
                };
                list.push(file);
            }
            _ if media => self.odd(path, Why::NotAFile),
            _ => self.listing.others += 1,
        }
    }

    fn below(&mut self, above: &OwnedFd, path: CardPath, depth: usize) {
        if depth > self.limits.depth {
            self.listing.complete = false;
            return self.odd(path, Why::TooDeep);
        }
        let walked = self
            .card
            .step(above, path.name())
            .and_then(|folder| self.folder(&folder, path.as_path(), depth));
        match walked {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::XDEV) => self.odd(path, Why::OtherVolume),
            Err(Errno::LOOP | Errno::NOTDIR) => self.odd(path, Why::Link),
            Err(errno) => self.odd(path, Why::Unreadable(errno.to_string())),
        }
    }

    fn odd(&mut self, path: CardPath, why: Why) {
        self.listing.oddities.push(Oddity { path, why });
    }
}

fn has(path: &CardPath, extensions: &[&str]) -> bool {
    let extension = path.as_path().extension().unwrap_or_default();
    extensions
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known))
}

fn is_system(name: &OsStr) -> bool {
    SYSTEM.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// A file that [`list`] counts among the frames.
pub(super) fn is_frame(path: &CardPath) -> bool {
    is_shown(path) && has(path, &FRAMES)
}

/// A file that [`list`] counts among the videos.
pub(super) fn is_video(path: &CardPath) -> bool {
    is_shown(path) && has(path, &VIDEOS)
}

fn is_shown(path: &CardPath) -> bool {
    let hidden = |name: &OsStr| name.as_bytes().starts_with(b".");
    let folders = path.folder().iter();
    !hidden(path.name())
        && folders.clone().count() <= Limits::default().depth
        && !folders.clone().any(|name| hidden(name) || is_system(name))
}

pub(super) fn mtime(stat: &Stat) -> SystemTime {
    let whole = Duration::from_secs(stat.st_mtime.unsigned_abs());
    let part = Duration::from_nanos(u64::try_from(stat.st_mtime_nsec).unwrap_or(0));
    let start = if stat.st_mtime < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(whole)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(whole)
    };
    start
        .and_then(|start| start.checked_add(part))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}
