//! The store and the card are two places, as the disk sees them.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::Error;

/// Refuses a card that lies inside `ours` (the store, a key) or the other way round, also through links
/// and second mounts. Neither needs to exist yet.
pub fn apart(card: &Path, ours: &Path) -> Result<(), Error> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io {
            path,
            doing: "find",
            source,
        }
    };
    let real_card = real(card).map_err(failed(card))?;
    let real_ours = real(ours).map_err(failed(ours))?;
    if within(&real_card, &real_ours) || within(&real_ours, &real_card) {
        return Err(Error::Overlap {
            card: card.to_owned(),
            ours: ours.to_owned(),
        });
    }
    Ok(())
}

/// The path without links, as far as it exists.
fn real(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let mut missing = Vec::new();
    let mut there = path.as_path();
    loop {
        match there.canonicalize() {
            Ok(found) => return Ok(missing.iter().rev().fold(found, |path, name| path.join(name))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => match (there.parent(), there.file_name()) {
                (Some(above), Some(name)) => {
                    missing.push(name);
                    there = above;
                }
                _ => return Err(e),
            },
            Err(e) => return Err(e),
        }
    }
}

/// Whether `inner` is `outer` or below it: by name, or because a folder above it is the same folder.
fn within(inner: &Path, outer: &Path) -> bool {
    let same = |path: &Path| path.metadata().ok().map(|m| (m.dev(), m.ino()));
    inner.starts_with(outer)
        || same(outer).is_some_and(|outer| inner.ancestors().any(|above| same(above) == Some(outer)))
}
