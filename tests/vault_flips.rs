//! Random single bits, flipped in what the vault leaves behind: each is found, and none stops the check.
//!
//! `VIGIE_FLIPS=1000 cargo test --test vault_flips` flips as many in each; bundles and return files have
//! tests of their own, which ask for the same.

mod vault_kit;

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use vault_kit::{Kit, content, cut_off, flips};
use vigie::verify::{self, Report};

/// Flips one bit of one of these files at a time, every file as often as every other, and has the path
/// of the flipped one judged.
fn each_flip(files: &[(PathBuf, Vec<u8>)], judge: impl Fn(&Path) -> Result<(), String>) {
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(42),
        ..Config::with_cases(flips(150))
    });
    let flips = (0..files.len(), any::<prop::sample::Index>(), 0..8);
    runner
        .run(&flips, |(file, byte, bit)| {
            let (path, good) = &files[file];
            let byte = byte.index(good.len());
            let mut bad = good.clone();
            bad[byte] ^= 1u8 << bit;
            fs::write(path, bad).expect("written");
            let judged = judge(path);
            fs::write(path, good).expect("mended");
            judged.map_err(|why| {
                let place = format!("{} byte {byte} bit {bit}", path.display());
                TestCaseError::fail(format!("{place}: {why}"))
            })
        })
        .expect("every flip is found");
}

fn filled(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = content(dir).into_iter();
    files.filter(|(_, bytes)| !bytes.is_empty()).collect()
}

fn check(path: &Path) -> Report {
    verify::path(path, None, None).expect("readable")
}

fn names(report: &Report, dir: &Path, path: &Path) -> Result<(), String> {
    let name = path.strip_prefix(dir).expect("inside").to_str().expect("text");
    let named = report.faults.iter().any(|fault| fault.place.starts_with(name));
    named.then_some(()).ok_or(format!("not named: {report:?}"))
}

#[test]
fn in_a_closed_store_every_flip_is_found_and_its_file_named() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    let files = filled(&dir);
    assert_eq!(files.len(), 6, "database, head, four items");
    each_flip(&files, |path| names(&check(&dir), &dir, path));
    assert!(check(&dir).ok);
}

#[test]
fn in_a_store_that_was_cut_off_no_flip_changes_what_it_says() {
    let kit = Kit::new();
    let dir = cut_off(&kit);
    let whole = check(&dir);
    assert!(whole.ok);
    let last: u64 = whole
        .head
        .as_deref()
        .and_then(|head| head.split(':').next()?.parse().ok())
        .expect("a head");
    let leftover = "items/0404040404040404-00000.vgi";
    let files: Vec<_> = filled(&dir)
        .into_iter()
        .filter(|(path, _)| !path.ends_with("vault.db-shm") && !path.ends_with(leftover))
        .collect();
    assert_eq!(files.len(), 8, "database, log, head, five items");
    each_flip(&files, |path| {
        let report = check(&dir);
        let database = path.ends_with("vault.db") || path.ends_with("vault.db-wal");
        if !database {
            return names(&report, &dir, path);
        }
        // Not every bit of a database that was not closed is fixed; and a log that decayed in its very
        // last commit looks like one that was torn there.
        let says = |seq: u64| {
            report
                .head
                .as_deref()
                .is_some_and(|head| head.starts_with(&format!("{seq}:")))
        };
        let same = report.head == whole.head || says(last - 1);
        let sound = !report.ok || same;
        sound
            .then_some(())
            .ok_or(format!("it says something else: {report:?}"))
    });
    assert!(check(&dir).ok);
}

#[test]
fn in_an_export_every_flip_is_found() {
    let kit = Kit::new();
    let dir = kit.closed_store();
    let out = kit.folder.path().join("journal.jsonl");
    verify::write_export(&dir, &out, None).expect("written");
    let files = [(out.clone(), fs::read(&out).expect("there"))];
    let found = |report: Report| (!report.ok).then_some(()).ok_or(format!("{report:?}"));
    each_flip(&files, |path| found(check(path)));
    assert!(check(&out).ok);
}
