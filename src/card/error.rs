//! Why something could not be done with a card.

use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

/// What went wrong, and with which file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The card is not there, or was pulled out.
    #[error("{}: no card there; put it in and it is looked at again", .0.display())]
    Gone(PathBuf),
    /// The configured card is a file.
    #[error("{}: not a folder; name the folder where the card appears", .0.display())]
    NotAFolder(PathBuf),
    /// Wiping the card would wipe the store, or seal the store into itself.
    #[error("{} and the card {} lie one inside the other; move the store", ours.display(), card.display())]
    Overlap {
        /// The card's folder.
        card: PathBuf,
        /// The store's.
        ours: PathBuf,
    },
    /// Not a path below the card's root.
    #[error("{0:?} is not a path below a card's folder")]
    NotBelow(PathBuf),
    /// The file is no longer there, though its folder is.
    #[error("{}: no longer on the card", .0.display())]
    Missing(PathBuf),
    /// The file's folder is no longer there: the card was exchanged or taken out.
    #[error("{}: its folder is not on this card; another card, or none", .0.display())]
    NoFolder(PathBuf),
    /// A link, a folder, a FIFO, a device: never followed, read or erased.
    #[error("{}: not a plain file (or reached through a link); left alone", .0.display())]
    NotAFile(PathBuf),
    /// Nothing in it.
    #[error("{}: 0 bytes", .0.display())]
    Empty(PathBuf),
    /// Larger than any frame.
    #[error("{}: {size} bytes, more than the {limit} of any frame", path.display())]
    TooBig {
        /// Which file.
        path: PathBuf,
        /// Its size.
        size: u64,
        /// The most that is read.
        limit: u64,
    },
    /// It is being written, or is another file than the one meant.
    #[error("{}: its bytes are not those expected; left alone", .0.display())]
    Changed(PathBuf),
    /// The volume cannot be written.
    #[error("{}: the card is read-only; open its lock or mount it for writing", .0.display())]
    ReadOnly(PathBuf),
    /// The program may not.
    #[error("{}: permission denied; mount the card for the user that runs vigie", .0.display())]
    Denied(PathBuf),
    /// A command of the integrator failed.
    #[error("camera {camera}: {hook} ({command}) {fault}")]
    Hook {
        /// Whose card.
        camera: crate::frame::CameraId,
        /// `take` or `give`.
        hook: &'static str,
        /// The program.
        command: String,
        /// How it failed.
        fault: HookFault,
    },
    /// The system refused.
    #[error("{}: cannot {doing}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What was tried: "{doing} it".
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    pub(super) fn io(path: &Path, doing: &'static str, errno: Errno) -> Self {
        Self::Io {
            path: path.to_owned(),
            doing,
            source: errno.into(),
        }
    }
}

/// How a command of the integrator failed.
#[derive(Debug, thiserror::Error)]
pub enum HookFault {
    /// It could not be started.
    #[error("could not be started: {0}")]
    Start(io::Error),
    /// It said no.
    #[error("failed: {0}")]
    Status(std::process::ExitStatus),
    /// It did not end, and was killed with its children.
    #[error("did not end within {0:?} and was stopped")]
    TimedOut(std::time::Duration),
}
