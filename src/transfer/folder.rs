//! A folder that strangers may have written: looked at through one open handle, never through a link.
//!
//! Promises: what is opened is a plain file of that very folder; no link is followed, no device or FIFO is
//! opened, and a folder of too many names is refused before they are held in memory.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};

/// Names in one folder at most: a full bundle, and what may lie beside bundles on a stick.
const MOST_NAMES: usize = super::MOST_ITEMS + 1000;

/// An open folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    handle: OwnedFd,
}

impl Folder {
    /// Opens the folder at `path`, which the user named.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self {
            path: path.to_owned(),
            handle: rustix::fs::open(path, flags, Mode::empty())?,
        })
    }

    /// Opens a folder in this one; a link to one is none.
    pub fn within(&self, name: &str) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self {
            path: self.path.join(name),
            handle: rustix::fs::openat(&self.handle, name, flags, Mode::empty())?,
        })
    }

    /// Where it is, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names in it, in order; those that are no UTF-8 with what stands for the odd bytes.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.handle)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            if names.len() == MOST_NAMES {
                return Err(io::Error::other(format!("more than {MOST_NAMES} files")));
            }
            names.push(OsStr::from_bytes(name).to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Opens a plain file and says how long it is. Looked at before it is opened, for opening a device can
    /// act, and again after, for it may have been exchanged; `O_NONBLOCK`, or a FIFO put in its place would
    /// hold us for ever.
    pub fn file(&self, name: &str) -> io::Result<(File, u64)> {
        let plain = |stat: &Stat| match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(()),
            FileType::Symlink => Err(io::Error::other("it is a link")),
            FileType::Directory => Err(io::Error::other("it is a folder")),
            _ => Err(io::Error::other("it is no plain file")),
        };
        plain(&rustix::fs::statat(
            &self.handle,
            name,
            AtFlags::SYMLINK_NOFOLLOW,
        )?)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.handle, name, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&file)?;
        plain(&stat)?;
        Ok((file.into(), u64::try_from(stat.st_size).unwrap_or(0)))
    }

    /// The text of a file of at most `longest` bytes; its length is looked at before it is read.
    pub fn text(&self, name: &str, longest: u64) -> io::Result<String> {
        let (file, size) = self.file(name)?;
        if size > longest {
            return Err(io::Error::other(format!("{size} bytes are too many")));
        }
        let mut bytes = Vec::new();
        file.take(longest).read_to_end(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| io::Error::other("it is no text"))
    }
}
