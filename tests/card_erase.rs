//! Erasing: the bytes are gone from the file's blocks, not only its name; and never another file's bytes.
#![cfg(feature = "trap")]

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use vigie::card::{Card, CardPath, Erased, Error, erase};
use vigie::frame::Digest;

const NAME: &str = "DCIM/100MEDIA/IMG_0001.JPG";

/// Bytes of which every 32-byte run is another, so that any piece that survives is found.
fn original(seed: &str, size: usize) -> Vec<u8> {
    (0..size.div_ceil(32))
        .flat_map(|i| *Digest::of(format!("{seed}{i}").as_bytes()).as_bytes())
        .take(size)
        .collect()
}

struct Sample {
    root: tempfile::TempDir,
    bytes: Vec<u8>,
}

impl Sample {
    fn new(size: usize) -> Self {
        let root = tempfile::tempdir().expect("a card");
        let bytes = original("frame", size);
        fs::create_dir_all(root.path().join("DCIM/100MEDIA")).expect("folders");
        fs::write(root.path().join(NAME), &bytes).expect("written");
        Self { root, bytes }
    }

    fn file(&self) -> std::path::PathBuf {
        self.root.path().join(NAME)
    }

    fn erase(&self) -> Result<Erased, Error> {
        erase_at(self.root.path(), Digest::of(&self.bytes))
    }
}

fn erase_at(root: &Path, expected: Digest) -> Result<Erased, Error> {
    let path = CardPath::new(NAME).expect("below");
    erase(&Card::open(root)?, &path, expected)
}

/// Whether any 16 bytes of `original` still stand at their place.
fn survives(original: &[u8], now: &[u8]) -> bool {
    original
        .chunks_exact(16)
        .zip(now.chunks_exact(16))
        .any(|(then, now)| then == now)
}

#[test]
fn the_old_bytes_are_gone_from_the_blocks_that_held_them() {
    for size in [40, 5_000, 300_001] {
        let sample = Sample::new(size);
        // Another name of the same blocks shows what the erasure left in them.
        let blocks = sample.root.path().join("blocks");
        fs::hard_link(sample.file(), &blocks).expect("a second name");
        assert_eq!(sample.erase().expect("erased"), Erased::Now);
        assert!(!sample.file().exists());
        let now = fs::read(&blocks).expect("the blocks");
        assert_eq!(now.len(), size, "nothing was cut off before it was overwritten");
        assert!(!survives(&sample.bytes, &now), "{size} bytes");
        assert_eq!(sample.erase().expect("again"), Erased::Absent);
    }
}

#[test]
fn a_file_that_is_not_the_one_meant_is_left_as_it_is() {
    let sample = Sample::new(10_000);
    let mut newer = sample.bytes.clone();
    newer[9_999] ^= 1;
    for other in [&newer[..], &sample.bytes[..9_999], b"", &[0; 10_000]] {
        fs::write(sample.file(), other).expect("written");
        assert!(
            matches!(sample.erase(), Err(Error::Changed(_))),
            "{} bytes",
            other.len()
        );
        assert_eq!(fs::read(sample.file()).expect("there"), other);
    }
}

#[test]
fn an_erasure_cut_off_anywhere_is_done_to_the_end_by_the_next_call() {
    // What a whole erasure leaves in the blocks, to compose every half-way state from.
    let sample = Sample::new(200_000);
    let blocks = sample.root.path().join("blocks");
    fs::hard_link(sample.file(), &blocks).expect("a second name");
    sample.erase().expect("erased");
    let after = fs::read(&blocks).expect("the blocks");

    for cut in [512, 4_096, 4_097, 65_536, 199_999, 200_000] {
        let half = [&after[..cut], &sample.bytes[cut..]].concat();
        fs::write(sample.file(), &half).expect("written");
        let held = fs::File::open(sample.file()).expect("still open");
        assert_eq!(sample.erase().expect("resumed"), Erased::Resumed, "cut at {cut}");
        assert!(!sample.file().exists());
        let mut now = vec![0; half.len()];
        held.read_exact_at(&mut now, 0).expect("the blocks");
        assert!(!survives(&sample.bytes, &now), "cut at {cut}");
    }

    // Another frame's half-erased file under this name is not this frame's.
    fs::write(sample.file(), &after).expect("written");
    let refused = erase_at(sample.root.path(), Digest::of(b"another frame"));
    assert!(matches!(refused, Err(Error::Changed(_))), "{refused:?}");
}

#[test]
fn a_file_on_a_card_without_its_folders_is_not_taken_for_erased() {
    let sample = Sample::new(100);
    fs::remove_dir_all(sample.root.path().join("DCIM")).expect("another card");
    assert!(matches!(sample.erase(), Err(Error::NoFolder(_))));
    let gone = erase_at(&sample.root.path().join("nowhere"), Digest::of(&sample.bytes));
    assert!(matches!(gone, Err(Error::Gone(_))), "{gone:?}");
}

#[test]
fn the_files_beside_it_are_not_touched() {
    let sample = Sample::new(5_000);
    let beside = sample.file().with_file_name("IMG_0002.JPG");
    fs::write(&beside, &sample.bytes).expect("the same bytes under another name");
    sample.erase().expect("erased");
    assert_eq!(fs::read(&beside).expect("there"), sample.bytes);
}
