//! The same on the file systems of real cards, in image files: what is erased is nowhere in the raw volume,
//! a read-only card is told, and a volume mounted into a card is not the card's.
//!
//! Needs root and the FUSE drivers (Debian: fusefat, exfat-fuse, dosfstools, exfatprogs); skips without.
#![cfg(feature = "trap")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use vigie::card::{Card, CardPath, Erased, Error, Limits, Why, erase, list};
use vigie::frame::Digest;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Format {
    Fat32,
    ExFat,
}

/// An image file with a file system in it.
struct Image {
    format: Format,
    folder: tempfile::TempDir,
}

/// An image while it is mounted.
struct Mounted {
    at: PathBuf,
    device: Option<String>,
}

fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary folder's name")
}

impl Image {
    fn new(format: Format) -> Option<Self> {
        let image = Self {
            format,
            folder: tempfile::tempdir().expect("a folder"),
        };
        let file = fs::File::create(image.file()).expect("an image");
        file.set_len(64 << 20).expect("a sparse file");
        match format {
            Format::Fat32 => run("mkfs.vfat", &["-F", "32", text(&image.file())])?,
            Format::ExFat => run("mkfs.exfat", &[text(&image.file())])?,
        };
        Some(image)
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn mount(&self, at: &Path, read_only: bool) -> Option<Mounted> {
        let device = match self.format {
            Format::Fat32 => {
                let mode = if read_only { "ro" } else { "rw+" };
                run("fusefat", &["-o", mode, text(&self.file()), text(at)])?;
                None
            }
            Format::ExFat => {
                let device = run("losetup", &["-f", "--show", text(&self.file())])?;
                let mode = if read_only { "ro" } else { "rw" };
                if run("mount.exfat-fuse", &["-o", mode, &device, text(at)]).is_none() {
                    run("losetup", &["-d", &device]);
                    return None;
                }
                Some(device)
            }
        };
        Some(Mounted {
            at: at.to_owned(),
            device,
        })
    }

    /// Whether any of the frame's pieces stands anywhere in the raw volume. Pieces of one sector: what a
    /// card can hold on its own.
    fn holds(&self, frame: &[u8]) -> bool {
        let raw = fs::read(self.file()).expect("the image");
        let pieces: std::collections::HashSet<_> = frame.chunks_exact(512).collect();
        raw.chunks_exact(512).any(|sector| pieces.contains(sector))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = run("umount", &[text(&self.at)]);
        if let Some(device) = &self.device {
            run("losetup", &["-d", device]);
        }
        assert!(
            unmounted.is_some() || std::thread::panicking(),
            "not unmounted: a file was left open"
        );
    }
}

/// Between its fork and its exec, a command that another test starts holds every open file of this process, and a
/// volume in use cannot be unmounted: one test mounts at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs a check on each file system that can be mounted here.
fn on_each(check: impl Fn(&Image, &Path)) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    for format in [Format::Fat32, Format::ExFat] {
        let at = tempfile::tempdir().expect("a mount point");
        match Image::new(format) {
            Some(image) if image.mount(at.path(), false).is_some() => check(&image, at.path()),
            _ => eprintln!("skipped on {format:?}: needs root, /dev/fuse and the FUSE drivers"),
        }
    }
}

fn frame() -> Vec<u8> {
    (0..96 * 1024_u32)
        .flat_map(|i| *Digest::of(&i.to_le_bytes()).as_bytes())
        .collect()
}

fn path() -> CardPath {
    CardPath::new("DCIM/100MEDIA/IMG_0001.JPG").expect("below")
}

fn put(card: &Path, bytes: &[u8]) {
    fs::create_dir_all(card.join("DCIM/100MEDIA")).expect("folders");
    fs::write(card.join(path().as_path()), bytes).expect("written");
}

#[test]
fn what_is_erased_is_nowhere_in_the_raw_volume() {
    on_each(|image, at| {
        let frame = frame();
        let mounted = image.mount(at, false).expect("mounted");
        put(at, &frame);
        drop(mounted);
        assert!(
            image.holds(&frame),
            "{:?}: the frame was never there",
            image.format
        );
        let mounted = image.mount(at, false).expect("mounted");
        let card = Card::open(at).expect("a card");
        let found = list(&card, &Limits::default()).expect("a listing").frames;
        assert_eq!(
            found.iter().map(|file| file.path.clone()).collect::<Vec<_>>(),
            [path()]
        );
        assert_eq!(
            erase(&card, &path(), Digest::of(&frame)).expect("erased"),
            Erased::Now
        );
        drop(card);
        drop(mounted);
        assert!(!image.holds(&frame), "{:?}", image.format);
    });
}

#[test]
fn a_read_only_card_is_told_before_and_when_it_is_erased() {
    on_each(|image, at| {
        let mounted = image.mount(at, false).expect("mounted");
        put(at, b"a frame");
        assert!(Card::open(at).and_then(|card| card.writable()).expect("asked"));
        drop(mounted);
        let _mounted = image.mount(at, true).expect("mounted");
        let card = Card::open(at).expect("a card");
        assert!(!card.writable().expect("asked"), "{:?}", image.format);
        let refused = erase(&card, &path(), Digest::of(b"a frame"));
        assert!(
            matches!(refused, Err(Error::ReadOnly(_))),
            "{:?}: {refused:?}",
            image.format
        );
        drop(card);
    });
}

#[test]
fn a_volume_mounted_into_a_card_is_not_the_cards() {
    on_each(|image, _| {
        let root = tempfile::tempdir().expect("a card");
        put(root.path(), b"the card's");
        let inner = root.path().join("inner");
        fs::create_dir(&inner).expect("a folder");
        let _mounted = image.mount(&inner, false).expect("mounted");
        put(&inner, b"not the card's");
        let card = Card::open(root.path()).expect("a card");
        let listing = list(&card, &Limits::default()).expect("a listing");
        assert_eq!(
            (listing.frames.len(), &listing.oddities[0].why),
            (1, &Why::OtherVolume)
        );
        drop(card);
    });
}

#[test]
fn an_unmounted_card_does_not_turn_its_files_into_erased_ones() {
    on_each(|image, at| {
        let mounted = image.mount(at, false).expect("mounted");
        put(at, b"a frame");
        drop(mounted);
        // The mount point is there, empty, as after the card was pulled out.
        let card = Card::open(at).expect("an empty folder");
        let refused = erase(&card, &path(), Digest::of(b"a frame"));
        assert!(matches!(refused, Err(Error::NoFolder(_))), "{refused:?}");
    });
}
