//! The fuzz targets hold on their seeds, and on what little mutations make of them; the seeds are what the maker makes.
//! `VIGIE_MAKE_SEEDS=1 cargo test --test fuzz_seeds` writes them anew.
#![cfg(feature = "trap")]
// The plain decoder is a part of the fuzz crate, which knows nothing of this one, and of the maker.
#![allow(clippy::duplicate_mod)]

#[allow(dead_code)]
#[path = "../fuzz/checks.rs"]
mod checks;
mod jpeg_oracle;

use std::fs;
use std::path::{Path, PathBuf};

use jpeg_oracle::maker::{self, Random, SAMPLINGS, Style, Texture};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds")
}

/// Small files of every sampling, with restart markers, poor tables, several scans and things that decoders do not need.
fn seeds() -> Vec<(String, Vec<u8>)> {
    let mut seeds = Vec::new();
    for (number, sampling) in SAMPLINGS.iter().enumerate() {
        for (optimised, texture) in [
            (false, Texture::Mixed),
            (true, Texture::Dense),
            (true, Texture::Smooth),
        ] {
            let mut picture = maker::picture([37, 21], sampling, texture, 1 + number as u64);
            picture.restart_interval = if texture == Texture::Smooth { 2 } else { 0 };
            let style = Style {
                optimised,
                extras: texture == Texture::Mixed,
                ..Style::plain(&picture)
            };
            let mut file = maker::write(&picture, &style);
            // Behind the end: what chooses mask and damage.
            file.extend([0x12, 1, 20, 3, 30, 0, 4]);
            seeds.push((format!("{number:02}-{texture:?}.jpg").to_lowercase(), file));
        }
    }
    let picture = maker::picture([37, 21], SAMPLINGS[5], Texture::Smooth, 3);
    let scans = vec![vec![0], vec![1], vec![2]];
    let style = Style {
        scans,
        ..Style::plain(&picture)
    };
    seeds.push(("scans.jpg".to_owned(), maker::write(&picture, &style)));
    seeds
}

#[test]
fn the_seeds_are_what_the_maker_makes() {
    let make = std::env::var_os("VIGIE_MAKE_SEEDS").is_some();
    if make {
        fs::create_dir_all(folder()).expect("a folder");
    }
    let made = seeds();
    for (name, bytes) in &made {
        let path = folder().join(name);
        if make {
            fs::write(&path, bytes).expect("written");
        }
        assert_eq!(&fs::read(&path).expect(name), bytes, "{name}");
    }
    let there = fs::read_dir(folder()).expect("seeds").count();
    assert_eq!(there, made.len(), "no file but the seeds");
}

fn hold(data: &[u8]) {
    checks::markers(data);
    checks::index(data);
    checks::splice(data);
    checks::compare(data);
}

#[test]
fn every_target_holds_on_its_seeds() {
    seeds().iter().for_each(|(_, file)| hold(file));
}

#[test]
fn every_target_holds_on_damaged_seeds() {
    let mut random = Random(1);
    for (_, file) in seeds() {
        for _ in 0..8 {
            let mut damaged = file.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(damaged.len() as u32) as usize;
                damaged[at] = random.below(256) as u8;
            }
            let cut = random.below(8 * damaged.len() as u32) as usize;
            damaged.truncate(cut.max(2));
            hold(&damaged);
        }
    }
}
