//! Real files, as camera makers and the test suites of image libraries wrote them: each is either a
//! whole picture or refused with a reason. Skipped where the files are absent (`VIGIE_DATA`).
#![cfg(feature = "trap")]

use std::path::{Path, PathBuf};

use vigie::jpeg::{Facts, Layout, Picture};

/// The files of one folder of the development scenes, or nothing, said aloud.
fn scenes(folder: &str) -> Vec<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let data = std::env::var_os("VIGIE_DATA").map_or(default, PathBuf::from);
    let Ok(entries) = std::fs::read_dir(data.join("scenes").join(folder)) else {
        eprintln!("skipped: no development scenes ({folder}); set VIGIE_DATA to where they are");
        return Vec::new();
    };
    let mut files: Vec<_> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    files.sort();
    files
}

fn outcome(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).expect("readable");
    let layout = Layout::parse(&bytes).map_err(|e| e.to_string())?;
    let facts = Facts::read(&bytes, &layout);
    let picture = Picture::decode(&bytes, &layout, facts.orientation).map_err(|e| e.to_string())?;
    assert_eq!(picture.stored_size(), layout.size);
    Ok(format!(
        "{:?} {}x{} unit {:?} scans {} trailing {} taken {}",
        layout.process,
        layout.size.width,
        layout.size.height,
        layout.grid().unit,
        layout.scans().count(),
        layout.trailing,
        facts.taken.map_or("-".into(), |t| t.to_string()),
    ))
}

#[test]
fn every_file_that_a_trap_wrote_is_a_picture() {
    for file in scenes("trap") {
        let outcome = outcome(&file);
        println!("{}: {outcome:?}", file.display());
        assert!(outcome.is_ok(), "{}: {outcome:?}", file.display());
    }
}

#[test]
fn every_odd_file_is_a_picture_or_refused_with_a_reason() {
    for file in scenes("jpeg-odd") {
        println!("{}: {:?}", file.display(), outcome(&file));
    }
}
