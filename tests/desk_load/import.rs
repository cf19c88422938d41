//! A bundle of large items: taken whole, and how fast beside the cipher alone on the same bytes.

use std::fs::{self, File};
use std::io::Write as _;
use std::thread;

use vigie::frame::Digest;
use vigie::transfer::Folder;
use vigie::transfer::taking_in::{Opened, Outcome, begin, bundles};

use crate::desk_kit::time;
use crate::review_kit::{Service, event};
use crate::rounds::Rounds;
use crate::{processor, sealing, size};

/// Bytes of an item: a witness of 20 MP.
const ITEM: usize = 3 << 20;

/// Does `work` with each on as many threads.
fn spread<I: Send>(items: &mut [I], threads: usize, work: impl Fn(&mut I) + Sync) {
    let each = items.len().div_ceil(threads).max(1);
    thread::scope(|scope| {
        for some in items.chunks_mut(each) {
            scope.spawn(|| some.iter_mut().for_each(&work));
        }
    });
}

#[test]
fn a_large_bundle_is_taken_whole() {
    let megabytes = size("VIGIE_LOAD_MB", 6) as usize;
    let service = Service::new();
    let mut store = service.trap.store();
    let count = (megabytes << 20).div_ceil(ITEM);
    let mut text = vec![0; ITEM / 2];
    for nth in 0..count as u32 {
        getrandom::fill(&mut text).expect("randomness");
        let mut sealer = service.trap.sealer(event(nth));
        let sealed = sealer.seal_record(&hex::encode(&text)).expect("sealed");
        service
            .trap
            .keep(&mut store, vec![sealed], time("2026-11-21T06:00:00Z"));
    }
    let bundle = service.trap.bundle(&mut store, service.stick.path());
    let mut office = service.rig.app.office.lock().expect("the desk");
    let keys = &service.rig.evidence.office;
    let now = service.rig.now();
    let on_stick = Folder::open(service.stick.path()).expect("a stick");
    let name = bundles(&on_stick).expect("read")[0];
    let opened = || -> Opened {
        let begun = begin(&office.desk, &on_stick, name).expect("read").expect("new");
        let chosen = begun
            .check()
            .expect("sound")
            .choose(&office.desk, now)
            .expect("chosen");
        chosen.open(keys, &mut |_| true).expect("opened")
    };
    let paths: Vec<_> = fs::read_dir(&bundle)
        .expect("a bundle")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    let mut files: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).expect("read")).collect();
    let (mut ciphered, mut hashed) = (files.clone(), files.clone());
    let bytes: usize = files.iter().map(Vec::len).sum();
    let threads = thread::available_parallelism().map_or(1, usize::from).min(4);
    let aside = tempfile::tempdir_in(service.rig.folder.path()).expect("a folder");
    let medians = Rounds::default()
        .way("import: check, copy, open", opened)
        .way("XChaCha20-Poly1305 alone, one thread", || {
            ciphered.iter_mut().for_each(|bytes| sealing::encrypt(bytes));
        })
        .way("XChaCha20-Poly1305 alone, as many threads", || {
            spread(&mut files, threads, |bytes| sealing::encrypt(bytes));
        })
        .way("SHA-256 alone, as many threads", || {
            spread(&mut hashed, threads, |bytes| {
                std::hint::black_box(Digest::of(bytes));
            });
        })
        .way("reading and copying alone, as many threads", || {
            spread(&mut paths.clone(), threads, |path| {
                let to = aside.path().join(path.file_name().expect("a name"));
                let mut to = File::create(to).expect("made");
                to.write_all(&fs::read(path).expect("read")).expect("written");
                to.sync_all().expect("durable");
            });
        })
        .run(if megabytes > 100 { 5 } else { 1 });
    println!("{count} items, {:.0} MB, {threads} threads", bytes as f64 / 1e6);
    medians.print();
    for way in [
        "XChaCha20-Poly1305 alone, one thread",
        "XChaCha20-Poly1305 alone, as many threads",
    ] {
        let ratio = medians.ratio(way, "import: check, copy, open");
        println!("  import at {:.0} % of the speed of {way}", 100.0 * ratio);
    }
    let used = |work: &mut dyn FnMut()| {
        let before = processor();
        (0..3).for_each(|_| work());
        (processor() - before).as_secs_f64() * 1e3 / 3.0
    };
    let (import, cipher) = (
        used(&mut || drop(opened())),
        used(&mut || ciphered.iter_mut().for_each(|bytes| sealing::encrypt(bytes))),
    );
    println!(
        "  of the processor: import {import:.0} ms, the cipher {cipher:.0} ms: {:.0} %",
        100.0 * cipher / import
    );
    let begun = begin(&office.desk, &on_stick, name).expect("read").expect("new");
    let chosen = begun
        .check()
        .expect("sound")
        .choose(&office.desk, now)
        .expect("chosen");
    let opened = chosen.open(keys, &mut |_| true).expect("opened");
    let start = std::time::Instant::now();
    let outcome = opened.commit(&mut office.desk, now).expect("taken");
    println!(
        "  its rows and lines, committed{:>34.2} ms",
        start.elapsed().as_secs_f64() * 1e3
    );
    let expected = Outcome::Imported {
        items: count as u64,
        erased_before: 0,
        damaged: 0,
    };
    assert_eq!(outcome, expected);
    drop(office);
    assert_eq!(service.items().len(), count);
}
