//! The fuzz target of packages holds on its seeds, and on what little mutations make of them; the seeds are the good
//! package's files. `VIGIE_MAKE_SEEDS=1 cargo test --test fuzz_package` writes them anew.
#![cfg(feature = "verify")]

#[path = "../fuzz/package/checks.rs"]
mod checks;

use std::fs;
use std::path::{Path, PathBuf};

use checks::{Bench, package};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A small file of the good package, behind the byte that chooses it; and an answer that is hardly a time stamp.
fn seeds() -> Vec<(String, Vec<u8>)> {
    let bench = Bench::new();
    let small = bench
        .files()
        .iter()
        .zip(0..)
        .filter(|((_, bytes), _)| bytes.len() < 8_192);
    let mut seeds: Vec<_> = small
        .map(|((name, bytes), nth)| (name.replace('/', "-"), [&[nth], &bytes[..]].concat()))
        .collect();
    let stamp = u8::try_from(bench.files().len()).expect("a byte");
    let granted = [stamp, 0x30, 0x05, 0x30, 0x03, 0x02, 0x01, 0x00];
    seeds.push(("contenu.tsr".to_owned(), granted.to_vec()));
    seeds
}

/// The committed packages, good and bad.
fn archives() -> Vec<Vec<u8>> {
    let there = fs::read_dir(folder("testdata/vectors/package")).expect("packages");
    let paths = there.map(|entry| entry.expect("an entry").path());
    let zips = paths.filter(|path| path.extension().is_some_and(|end| end == "zip"));
    zips.map(|path| fs::read(path).expect("read")).collect()
}

#[test]
fn the_seeds_are_the_small_files_of_the_good_package() {
    let made = seeds();
    for (name, bytes) in &made {
        let path = folder("fuzz/package/seeds").join(name);
        if std::env::var_os("VIGIE_MAKE_SEEDS").is_some() {
            fs::write(&path, bytes).expect("written");
        }
        assert_eq!(&fs::read(&path).expect(name), bytes, "{name}");
    }
    let there = fs::read_dir(folder("fuzz/package/seeds")).expect("seeds").count();
    assert_eq!(there, made.len(), "no file but the seeds");
}

#[test]
fn the_target_holds_on_its_seeds_and_on_damaged_ones() {
    let mut state = 1u32;
    let mut below = |most: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % most
    };
    let files = seeds().into_iter().map(|(_, bytes)| bytes);
    for seed in files.chain(archives()) {
        package(&seed);
        for _ in 0..16 {
            let mut damaged = seed.clone();
            for _ in 0..=below(3) {
                let at = 1 + below(damaged.len() - 1);
                damaged[at] = below(256) as u8;
            }
            damaged.truncate(2 + below(8 * damaged.len()));
            package(&damaged);
        }
    }
}
