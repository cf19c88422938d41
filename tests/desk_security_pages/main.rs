//! What a hostile network, page, form or thief finds at the desk: nothing.
#![cfg(feature = "desk")]

#[path = "../desk_kit/mod.rs"]
mod desk_kit;
mod disk;
mod requests;
mod rights;

use std::path::{Path, PathBuf};

fn filled(path: &str) -> String {
    let parts = path
        .split('/')
        .map(|part| if part.starts_with('{') { "0" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// All files under a folder.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] })
        .collect()
}
