//! What browsers send, while it lies on the disk: bundles alone, sealed as they came.
//!
//! Promises: whatever ends it (taken, refused, a connection that was cut off, a crash), the files are overwritten before
//! their names go: a bundle bears the wrapped keys of what may be destroyed one day, and its copy must not outlive that.
//! Nothing that can be read lies here: what is not a bundle stays in memory ([`crate::desk::web::visit::Upload`]).

use std::io;
use std::path::Path;

use tempfile::TempDir;

use crate::vault::durable;

/// The folder in the desk's.
pub const INCOMING: &str = "incoming";

/// A folder of one request or of one import, overwritten and removed when dropped.
#[derive(Debug)]
pub struct Incoming(TempDir);

impl Incoming {
    /// A new one, in the desk's folder.
    pub fn new(desk: &Path) -> io::Result<Self> {
        let folder = desk.join(INCOMING);
        std::fs::create_dir_all(&folder)?;
        Ok(Self(tempfile::tempdir_in(&folder)?))
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Err(error) = overwrite(self.path()) {
            tracing::warn!(%error, "what was sent is not overwritten yet; it is at the next start");
            self.0.disable_cleanup(true);
        }
    }
}

/// Overwrites what an earlier process left, and removes it.
pub fn clear(desk: &Path) -> io::Result<()> {
    let folder = desk.join(INCOMING);
    match folder.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(meta) if !meta.is_dir() => std::fs::remove_file(&folder),
        Ok(_) => {
            overwrite(&folder)?;
            std::fs::remove_dir_all(&folder)
        }
    }
}

/// Overwrites all files below `folder`; a link is not followed.
fn overwrite(folder: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        match path.symlink_metadata()?.is_dir() {
            true => overwrite(&path)?,
            false => durable::erase(&path)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another name of the same file shows what became of its bytes.
    fn sent(folder: &Path, elsewhere: &Path) {
        std::fs::create_dir_all(folder.join("deep")).expect("a folder");
        let path = folder.join("deep/0");
        std::fs::write(&path, b"what was sent").expect("written");
        std::fs::hard_link(&path, elsewhere).expect("another name");
    }

    #[test]
    fn what_was_sent_is_overwritten_when_its_request_ends() {
        let desk = tempfile::tempdir().expect("a folder");
        let incoming = Incoming::new(desk.path()).expect("a folder");
        let elsewhere = desk.path().join("elsewhere");
        sent(incoming.path(), &elsewhere);
        let path = incoming.path().to_owned();
        drop(incoming);
        assert!(!path.exists());
        let left = std::fs::read(&elsewhere).expect("read");
        assert_eq!(left.len(), 13);
        assert_ne!(left, b"what was sent");
    }

    #[test]
    fn what_a_crash_left_is_overwritten_at_the_start() {
        let desk = tempfile::tempdir().expect("a folder");
        clear(desk.path()).expect("nothing there");
        let elsewhere = desk.path().join("elsewhere");
        sent(&desk.path().join(INCOMING).join(".tmp1"), &elsewhere);
        std::os::unix::fs::symlink(&elsewhere, desk.path().join(INCOMING).join("link")).expect("a link");
        clear(desk.path()).expect("cleared");
        assert!(!desk.path().join(INCOMING).exists());
        assert_ne!(std::fs::read(&elsewhere).expect("read"), b"what was sent");
    }
}
