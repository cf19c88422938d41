//! What must hold of any package, however it was made. `tests/fuzz_package.rs` runs the same over the seeds.
//!
//! An input that begins as a ZIP is one. Of any other the first byte chooses a file of the good package, unpacked, and
//! the rest stands in its place: behind an archive's checksums no mutation would get past them.

use std::cell::OnceCell;
use std::fs;
use std::io::{Cursor, Read as _};
use std::path::Path;

use tempfile::TempDir;
use vigie::vault::DevicePublic;
use vigie::verify::{self, Error};
use zip::ZipArchive;

const GOOD: &[u8] = include_bytes!("../../testdata/vectors/package/good.zip");
/// What a time stamp's answer is called; the good package has none.
const STAMP: &str = "contenu.tsr";

/// The good package, unpacked, and a place for another one.
pub struct Bench {
    folder: TempDir,
    desk: DevicePublic,
    files: Vec<(String, Vec<u8>)>,
}

thread_local! {
    static BENCH: OnceCell<Bench> = const { OnceCell::new() };
}

impl Bench {
    /// Unpacks it.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let key = folder.path().join("desk.pub");
        fs::write(&key, include_bytes!("../../testdata/vectors/desk.pub")).expect("written");
        let mut archive = ZipArchive::new(Cursor::new(GOOD)).expect("an archive");
        let mut files = Vec::new();
        for nth in 0..archive.len() {
            let mut entry = archive.by_index(nth).expect("an entry");
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("read");
            let name = entry.name().expect("a name").into_owned();
            let path = folder.path().join("unpacked").join(&name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, &bytes).expect("written");
            files.push((name, bytes));
        }
        Self {
            desk: DevicePublic::read_desk(&key).expect("a key"),
            folder,
            files,
        }
    }

    /// Its files, in the order of the bytes that choose them; behind the last one, the time stamp's.
    pub fn files(&self) -> &[(String, Vec<u8>)] {
        &self.files
    }

    /// Whether it is found intact. Whatever it is, it is judged, not refused.
    fn is_intact(&self, path: &Path) -> bool {
        let checked = match verify::package(path, Some(&self.desk), None) {
            Ok(checked) => checked,
            Err(Error::Encrypted(_)) => return false,
            Err(error) => panic!("{error}"),
        };
        let report = checked.report();
        assert_eq!(
            (report.ok, report.faults.is_empty()),
            (checked.is_intact(), checked.is_intact())
        );
        for finding in &checked.findings {
            let (french, english) = (finding.what.french(), finding.what.english());
            assert!(!french.is_empty() && !english.is_empty());
            let plain = |text: &str| !text.chars().any(char::is_control);
            assert!(
                plain(&french) && plain(&english) && plain(&finding.place),
                "{finding:?}"
            );
        }
        checked.is_intact()
    }

    fn archive(&self, data: &[u8]) {
        let path = self.folder.path().join("package.zip");
        fs::write(&path, data).expect("written");
        if !self.is_intact(&path) {
            return;
        }
        // Nobody but the desk signs, so what is intact holds what the good one holds.
        let mut archive = ZipArchive::new(Cursor::new(data)).expect("an archive");
        for (name, expected) in &self.files {
            let mut bytes = Vec::new();
            let mut entry = archive.by_name(name).expect("listed");
            entry.read_to_end(&mut bytes).expect("read");
            assert!(bytes == *expected, "{name} is another one, and nothing is found");
        }
    }

    fn unpacked(&self, chosen: u8, data: &[u8]) {
        let folder = self.folder.path().join("unpacked");
        let chosen = usize::from(chosen) % (self.files.len() + 1);
        let Some((name, good)) = self.files.get(chosen) else {
            let path = folder.join(STAMP);
            fs::write(&path, data).expect("written");
            self.is_intact(&folder);
            fs::remove_file(path).expect("removed");
            return;
        };
        fs::write(folder.join(name), data).expect("written");
        let intact = self.is_intact(&folder);
        fs::write(folder.join(name), good).expect("written");
        assert_eq!(intact, data == good, "{name}");
    }
}

/// No bytes make the reader panic, hang or allocate without bound, and none is taken for what a desk has not signed.
pub fn package(data: &[u8]) {
    BENCH.with(|bench| {
        let bench = bench.get_or_init(Bench::new);
        match data {
            [b'P', b'K', ..] => bench.archive(data),
            [chosen, data @ ..] => bench.unpacked(*chosen, data),
            [] => {}
        }
    });
}
