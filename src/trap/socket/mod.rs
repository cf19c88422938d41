//! The interface for firmware: a Unix socket, one JSON object per line (docs/firmware.md).
//!
//! Promises: it runs beside the frame loop on one thread of its own and never keeps it waiting; room and clients are
//! bounded; who is neither root, nor the service's user, nor of the configured group is not heard; nothing that is
//! asked can change what is kept, masked or erased, and nothing that is answered names a plate or a person. A socket's
//! file that a crash left is taken away only if it is ours and nobody listens behind it. Leaves lines to [`protocol`],
//! rights to [`peers`], what the loop knows to [`board`], clients to [`server`].

pub mod asking;
pub mod board;
pub mod peers;
pub mod protocol;
mod server;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use rustix::fs::Gid;

use crate::config;
use crate::frame::BoxTime;

pub use board::Board;

/// The socket's name in the service's folder below `/run`.
pub const NAME: &str = "vigie.sock";
/// Where the packaged service has it.
pub const USUAL: &str = "/run/vigie/vigie.sock";

/// Why there is no interface.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody listens there.
    #[error("{}: another program listens there", .0.display())]
    InUse(PathBuf),
    /// What is there is no socket of ours.
    #[error("{}: is there, and is no socket of this user's", .0.display())]
    NotOurs(PathBuf),
    /// The box has no such group.
    #[error("{0}: this box has no such group")]
    NoGroup(String),
    /// The system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Where the socket is to be, if anywhere: as it was asked for, configured, or in the folder that the service manager
/// made (`RUNTIME_DIRECTORY`, systemd.exec(5)).
pub fn place(asked: Option<&Path>, config: &config::Trap) -> Option<PathBuf> {
    let made = || {
        let folders = std::env::var_os("RUNTIME_DIRECTORY")?;
        let first = folders
            .to_str()?
            .split(':')
            .next()
            .filter(|folder| !folder.is_empty())?;
        Some(Path::new(first).join(NAME))
    };
    let given = asked.map(Path::to_owned).or_else(|| config.socket.clone());
    given.or_else(made)
}

/// The open interface. [`Interface::close`] it before the store is closed.
#[derive(Debug)]
pub struct Interface {
    board: Arc<Board>,
    path: PathBuf,
    /// The file that was made, by device and number.
    made: (u64, u64),
    thread: JoinHandle<()>,
}

impl Interface {
    /// Listens at `path`, for the group of the configuration.
    pub fn open(path: &Path, config: &config::Trap, clock: fn() -> BoxTime) -> Result<Self, Error> {
        let failed = |source| Error::Io {
            path: path.to_owned(),
            source,
        };
        let group = config
            .socket_group
            .as_deref()
            .map(|name| peers::Group::of_this_box(name).ok_or_else(|| Error::NoGroup(name.to_owned())));
        let group = group.transpose()?;
        clear(path)?;
        let listener = UnixListener::bind(path).map_err(failed)?;
        let mode = match &group {
            Some(group) => {
                let gid = Gid::from_raw(group.gid);
                rustix::fs::chown(path, None, Some(gid)).map_err(|errno| failed(errno.into()))?;
                0o660
            }
            None => 0o600,
        };
        fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let made = path.symlink_metadata().map_err(failed)?;
        let (wake, woken) = UnixStream::pair().map_err(failed)?;
        wake.set_nonblocking(true).map_err(failed)?;
        woken.set_nonblocking(true).map_err(failed)?;
        let board = Arc::new(Board::new(wake, board::count_starts(path)));
        let server = server::Server::new(listener, woken, board.clone(), config.clone(), group, clock);
        let thread = std::thread::Builder::new()
            .name("vigie-socket".to_owned())
            .spawn(move || server.run())
            .map_err(failed)?;
        Ok(Self {
            board,
            path: path.to_owned(),
            made: (made.dev(), made.ino()),
            thread,
        })
    }

    /// What the frame loop tells and asks.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Ends it: clients find the connection closed, the vault's readers are gone when this returns.
    pub fn close(self) {
        self.board.end();
        if self.thread.join().is_err() {
            tracing::error!("the socket's thread had failed");
        }
        let is_ours = |meta: &fs::Metadata| (meta.dev(), meta.ino()) == self.made;
        if self.path.symlink_metadata().as_ref().is_ok_and(is_ours) {
            // What stays is cleared away at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// How a vault is named in answers: whoever asks about another one is not to believe them.
fn vault_of(store: &Path) -> String {
    let path = store.canonicalize();
    let path = path.as_deref().unwrap_or(store);
    path.to_string_lossy().into_owned()
}

/// Makes way for a socket: what a crash of ours left is taken away, anything else is refused.
fn clear(path: &Path) -> Result<(), Error> {
    let Ok(meta) = path.symlink_metadata() else {
        return Ok(());
    };
    if !meta.file_type().is_socket() || meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(Error::NotOurs(path.to_owned()));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|source| Error::Io {
                path: path.to_owned(),
                source,
            })
        }
        _ => Err(Error::InUse(path.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_socket_that_nobody_listens_behind_is_taken_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(NAME);
        clear(&path).expect("nothing is there");
        let listener = UnixListener::bind(&path).expect("bound");
        assert!(matches!(clear(&path), Err(Error::InUse(_))));
        drop(listener);
        clear(&path).expect("left by a crash");
        assert!(!path.exists());
        fs::write(&path, "somebody's").expect("written");
        assert!(matches!(clear(&path), Err(Error::NotOurs(_))));
        fs::remove_file(&path).expect("removed");
        let target = folder.path().join("elsewhere");
        drop(UnixListener::bind(&target).expect("bound"));
        std::os::unix::fs::symlink(&target, &path).expect("linked");
        assert!(
            matches!(clear(&path), Err(Error::NotOurs(_))),
            "a link is not followed"
        );
    }
}
