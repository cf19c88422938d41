//! Files that are whole or absent, whatever moment the power goes.
//!
//! Promises: after `write` returned, name and bytes survive a power cut; before, the name does not
//! exist (or still holds what it held). What is left of an interrupted write begins with
//! [`UNFINISHED`], so that whoever owns the folder can clear it.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

/// How the name of a file that is still being written begins.
pub(crate) const UNFINISHED: &str = ".new-";

/// Bytes that are written at once.
const PIECE: usize = 1 << 16;

/// What to do about a file that already has the name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// Fail with [`io::ErrorKind::AlreadyExists`]: `O_EXCL`, but for the finished file.
    Refuse,
    /// Take its place.
    Replace,
}

/// Writes `bytes` under `path` with permissions `mode`: temporary file in the same folder, fsync,
/// rename, fsync of the folder.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32, existing: Existing) -> io::Result<()> {
    let folder = folder_of(path);
    let mut file = unfinished(folder)?;
    file.write_all(bytes)?;
    finish(file, path, mode, existing)
}

/// An unfinished file in `folder`, removed again when dropped.
pub(crate) fn unfinished(folder: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)
}

/// Makes an unfinished file durable under its name.
pub(crate) fn finish(
    file: tempfile::NamedTempFile,
    path: &Path,
    mode: u32,
    existing: Existing,
) -> io::Result<()> {
    set_mode(file.as_file(), mode)?;
    file.as_file().sync_all()?;
    match existing {
        Existing::Refuse => file.persist_noclobber(path),
        Existing::Replace => file.persist(path),
    }
    .map_err(|failed| failed.error)?;
    sync_name(path)
}

#[cfg(unix)]
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(mode))
}

/// Elsewhere `verify` alone runs, which writes nothing that must be kept from others.
#[cfg(not(unix))]
fn set_mode(_: &File, _: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Overwrites a file in place with random bytes, and takes its name away for good. A link is not followed:
/// its name alone goes.
pub(crate) fn erase(path: &Path) -> io::Result<()> {
    if path.symlink_metadata()?.is_file() {
        let mut file = File::options().write(true).open(path)?;
        let mut left = file.metadata()?.len();
        let mut bytes = vec![0; PIECE];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        while left > 0 {
            let length = left.min(PIECE as u64);
            file.write_all(&bytes[..length as usize])?;
            left -= length;
        }
        file.sync_all()?;
    }
    std::fs::remove_file(path)?;
    sync_name(path)
}

/// Makes the names in `folder` durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Makes the name at `path` durable.
pub(crate) fn sync_name(path: &Path) -> io::Result<()> {
    sync_folder(folder_of(path))
}

/// The folder in which `path` names something.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Whether `error` says that the disk, or what may be used of it, is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_or_a_quota_that_is_full_is_told_from_other_trouble() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            assert!(is_full(&kind.into()), "{kind}");
        }
        for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::NotFound] {
            assert!(!is_full(&kind.into()), "{kind}");
        }
    }

    #[test]
    fn an_erased_file_is_overwritten_to_its_last_byte_and_its_name_is_gone() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, kept) = (folder.path().join("item"), folder.path().join("kept"));
        for length in [0, 5, PIECE, 2 * PIECE + 5] {
            std::fs::write(&path, vec![0x5a; length]).expect("written");
            std::fs::hard_link(&path, &kept).expect("a second name");
            erase(&path).expect("erased");
            assert!(!path.exists());
            let bytes = std::fs::read(&kept).expect("under its second name");
            assert_eq!(bytes.len(), length);
            assert!(!bytes.windows(5).any(|bytes| bytes == [0x5a; 5]), "{length}");
            std::fs::remove_file(&kept).expect("removed");
        }
    }

    #[test]
    fn of_a_link_the_name_alone_is_erased() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, link) = (folder.path().join("item"), folder.path().join("link"));
        std::fs::write(&path, b"kept").expect("written");
        std::os::unix::fs::symlink(&path, &link).expect("linked");
        erase(&link).expect("erased");
        assert!(link.symlink_metadata().is_err());
        assert_eq!(std::fs::read(&path).expect("still there"), b"kept");
    }

    #[test]
    fn a_bare_name_lies_in_the_folder_one_is_in() {
        let folders = ["item", "a/item", "/item"].map(|path| folder_of(Path::new(path)));
        assert_eq!(folders, [".", "a", "/"].map(Path::new));
    }
}
