//! After a wipe nothing of what lay on a card is left on the raw volume, and nothing but a card can be wiped.
//!
//! Needs the right to mount, and for FAT and exFAT the drivers that tests/card_volumes.rs names; skips without.
#![cfg(feature = "trap")]

mod volumes;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use vigie::card::wipe::{self, Error, Filled, Phase, Place, Progress, Refusal, Seed, Swept};
use vigie::card::{Card, CardPath, Limits, list};
use vigie::frame::Digest;
use volumes::{Format, Image, alone, in_memory};

const FILES: Seed = Seed([1; 32]);
const FREE: Seed = Seed([2; 32]);

/// Stops after so many steps, and says which it was in.
struct Until(usize, Phase);

impl Progress for Until {
    fn begin(&mut self, phase: Phase, _: u64) {
        self.1 = phase;
    }
    fn advance(&mut self, _: u64) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 > 0
    }
}

fn to_the_end() -> Until {
    Until(usize::MAX, Phase::Files)
}

fn all(_: &CardPath, _: u64, _: SystemTime) -> bool {
    true
}

fn wiped(at: &Path, progress: &mut Until) -> Result<(Swept, Filled), Error> {
    let card = Card::open(at)?;
    Place::of(&card, &[])?.wipeable(&card)?;
    wipe::clear(&card)?;
    let swept = wipe::sweep(&card, &FILES.stream(), 0, &all, progress)?;
    Ok((swept, wipe::fill(&card, &FREE.stream(), 0, progress)?))
}

/// A photograph's worth of bytes that are like no other's.
fn photograph(number: u32, kilobytes: u32) -> Vec<u8> {
    (0..kilobytes * 32)
        .flat_map(|i| *Digest::of(&[number.to_le_bytes(), i.to_le_bytes()].concat()).as_bytes())
        .collect()
}

/// What a camera, a system and a person put on a card; returns all photographs' bytes. Some were deleted since.
fn fill_card(at: &Path) -> Vec<Vec<u8>> {
    fs::create_dir_all(at.join("DCIM/100MEDIA/deeper/still")).expect("folders");
    fs::create_dir_all(at.join("System Volume Information")).expect("a folder");
    let mut put = Vec::new();
    for (number, name) in [
        "DCIM/100MEDIA/IMG_0001.JPG",
        "DCIM/100MEDIA/a long name with AB-123-CD in it.jpg",
        "DCIM/100MEDIA/deeper/still/IMG_0002.JPG",
        "DCIM/MOV_0001.AVI",
        "BELLEVUE.JPG",
        ".hidden.JPG",
        "System Volume Information/thumb.db",
    ]
    .iter()
    .enumerate()
    {
        let bytes = photograph(number as u32, 100 + number as u32);
        fs::write(at.join(name), &bytes).expect("written");
        put.push(bytes);
    }
    for number in 50..60 {
        let bytes = photograph(number, 300);
        let place = at.join(format!("DCIM/100MEDIA/IMG_{number:04}.JPG"));
        fs::write(&place, &bytes).expect("written");
        put.push(bytes);
    }
    rustix::fs::syncfs(fs::File::open(at).expect("a folder")).expect("on the volume");
    // What the camera itself deletes lies in the free space.
    for number in 55..60 {
        fs::remove_file(at.join(format!("DCIM/100MEDIA/IMG_{number:04}.JPG"))).expect("deleted");
    }
    put
}

/// Every path below a folder.
fn tree(at: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(at).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.symlink_metadata().expect("there").is_dir() {
            found.extend(tree(&path));
        }
        found.push(path);
    }
    found.sort();
    found
}

fn on_each(check: impl Fn(&Image, &Path)) {
    let _alone = alone();
    for format in Format::ALL {
        let at = tempfile::tempdir().expect("a mount point");
        match Image::new(format) {
            Some(image) if image.mount(at.path(), false).is_some() => check(&image, at.path()),
            _ => eprintln!("skipped on {format:?}: needs root, /dev/fuse and the FUSE drivers"),
        }
    }
}

/// The blocks of the fill that stand in the raw volume, and what stands there of these names.
fn in_the_raw_volume(image: &Image, filled: &Filled, names: &[&str]) -> (u64, Vec<String>) {
    let raw = fs::read(image.file()).expect("the image");
    let stream = FREE.stream();
    let mut fill = vec![
        0;
        usize::try_from(filled.bytes)
            .expect("in memory")
            .next_multiple_of(64 << 10)
    ];
    for (number, piece) in fill.chunks_mut(64 << 10).enumerate() {
        stream.piece(number as u64, piece);
    }
    let there = image.pieces(&fill) as u64;
    let wide = |name: &str| {
        name.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    let holds = |bytes: &[u8]| memchr::memmem::find(&raw, bytes).is_some();
    let left = names
        .iter()
        .filter(|name| holds(name.as_bytes()) || holds(&wide(name)));
    (there, left.map(|name| (*name).to_owned()).collect())
}

#[test]
fn after_a_wipe_no_sector_of_a_photograph_is_left_and_the_free_space_is_the_fill() {
    on_each(|image, at| {
        let mounted = image.mount(at, false).expect("mounted");
        let put = fill_card(at);
        drop(mounted);
        let put = put.concat();
        assert_eq!(
            image.pieces(&put),
            put.len() / 512,
            "{:?}: they were there",
            image.format
        );
        let mounted = image.mount(at, false).expect("mounted");
        let (swept, filled) = wiped(at, &mut to_the_end()).expect("wiped");
        let left: Vec<_> = tree(at)
            .into_iter()
            .filter(|path| !path.ends_with("lost+found"))
            .collect();
        assert_eq!(left, [at.join("DCIM")], "{:?}", image.format);
        drop(mounted);
        let found = (swept.frames, swept.videos, swept.others, swept.links);
        assert_eq!(found, (9, 1, 2, 0), "{:?}", image.format);
        assert_eq!(
            (swept.not_overwritten, swept.not_removed),
            (0, 0),
            "{:?}",
            image.format
        );
        assert_eq!(
            (filled.refused, filled.different, filled.unread),
            (0, 0, 0),
            "{:?}",
            image.format
        );
        assert_eq!(filled.read, filled.bytes.div_ceil(512), "{:?}", image.format);
        // ext4 keeps a few free blocks to itself, in which what was deleted before may lie; no camera writes it.
        let deleted = if image.format == Format::Ext4 {
            5 * 300 * 1024
        } else {
            0
        };
        assert_eq!(image.pieces(&put[..put.len() - deleted]), 0, "{:?}", image.format);
        let names = ["AB-123-CD", "BELLEVUE", "IMG_0001", "MOV_0001", "100MEDIA"];
        let (there, names) = in_the_raw_volume(image, &filled, &names);
        assert!(
            there >= filled.bytes / 512,
            "{:?}: {there} of {}",
            image.format,
            filled.bytes / 512
        );
        // The volume's own lists, and on ext4 what is kept for root, are not free space.
        assert!(
            filled.bytes > (64 << 20) * 8 / 10,
            "{:?}: {}",
            image.format,
            filled.bytes
        );
        if image.format != Format::Ext4 {
            assert_eq!(names, [""; 0], "{:?}", image.format);
        }
    });
}

#[test]
fn every_file_is_overwritten_where_it_lies_before_anything_is_filled() {
    on_each(|image, at| {
        let mounted = image.mount(at, false).expect("mounted");
        fill_small_card(at);
        drop(mounted);
        let put: Vec<u8> = (0..8).flat_map(|number| photograph(number, 128)).collect();
        assert_eq!(image.pieces(&put), put.len() / 512, "{:?}", image.format);
        let mounted = image.mount(at, false).expect("mounted");
        let card = Card::open(at).expect("a card");
        wipe::sweep(&card, &FILES.stream(), 0, &all, &mut to_the_end()).expect("swept");
        drop(card);
        drop(mounted);
        assert_eq!(image.pieces(&put), 0, "{:?}", image.format);
    });
}

#[test]
fn a_wipe_that_is_stopped_anywhere_leaves_room_for_the_camera_and_can_be_begun_again() {
    let _alone = alone();
    let at = tempfile::tempdir().expect("a mount point");
    let Some(_mounted) = in_memory(at.path(), "4m") else {
        return;
    };
    let mut phases = Vec::new();
    for steps in [1, 9, 30, 60, 90, 130] {
        fill_small_card(at.path());
        let mut until = Until(steps, Phase::Files);
        let stopped = wiped(at.path(), &mut until);
        assert!(matches!(stopped, Err(Error::Stopped)), "{steps}: {stopped:?}");
        phases.push(until.1);
        let place = at.path().join("DCIM/NEW.JPG");
        fs::write(&place, photograph(99, 100)).expect("room for the camera");
        let (_, filled) = wiped(at.path(), &mut to_the_end()).expect("begun again");
        assert_eq!(tree(at.path()), [at.path().join("DCIM")]);
        assert_eq!(filled.read, filled.bytes / 512);
    }
    phases.dedup();
    assert_eq!(
        phases,
        [Phase::Files, Phase::Fill, Phase::ReadBack],
        "every phase was stopped"
    );
}

fn fill_small_card(at: &Path) {
    fs::create_dir_all(at.join("DCIM/100MEDIA")).expect("folders");
    for number in 0..8 {
        let place = at.join(format!("DCIM/100MEDIA/IMG_{number:04}.JPG"));
        fs::write(place, photograph(number, 128)).expect("written");
    }
}

#[test]
fn what_a_killed_wipe_left_is_no_scans_business_and_goes_with_the_next_one() {
    let _alone = alone();
    let at = tempfile::tempdir().expect("a mount point");
    let Some(_mounted) = in_memory(at.path(), "4m") else {
        return;
    };
    // Killed while DCIM was being made anew: the folder of the fill is the only sign of a camera.
    fs::create_dir(at.path().join(".vigie-wipe")).expect("a folder");
    fs::write(at.path().join(".vigie-wipe/fill-00000"), photograph(1, 100)).expect("written");
    let card = Card::open(at.path()).expect("a card");
    let listing = list(&card, &Limits::default()).expect("a listing");
    assert_eq!(
        (listing.frames.len(), listing.others, listing.oddities.len()),
        (0, 0, 0)
    );
    assert!(Place::of(&card, &[]).expect("looked at").wipeable(&card).is_ok());
    assert!(wipe::clear(&card).expect("cleared"));
    assert_eq!(tree(at.path()), [at.path().join("DCIM")]);
    assert!(!wipe::clear(&card).expect("nothing"));
}

#[test]
fn links_are_unlinked_and_never_followed_and_a_write_protected_file_goes_too() {
    use std::os::unix::fs::PermissionsExt as _;
    let _alone = alone();
    let at = tempfile::tempdir().expect("a mount point");
    let outside = tempfile::tempdir().expect("a folder");
    let Some(_mounted) = in_memory(at.path(), "4m") else {
        return;
    };
    fill_small_card(at.path());
    fs::write(outside.path().join("mine.jpg"), b"mine").expect("written");
    symlink(outside.path(), at.path().join("DCIM/folder")).expect("a link");
    symlink(outside.path().join("mine.jpg"), at.path().join("DCIM/link.jpg")).expect("a link");
    let fifo = at.path().join("DCIM/pipe.jpg");
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, kind, 0o600.into(), 0).expect("a FIFO");
    let protected = at.path().join("DCIM/100MEDIA/IMG_0000.JPG");
    fs::set_permissions(&protected, fs::Permissions::from_mode(0o400)).expect("protected");
    let (swept, _) = wiped(at.path(), &mut to_the_end()).expect("wiped");
    assert_eq!((swept.frames, swept.links, swept.not_removed), (8, 3, 0));
    assert_eq!(tree(at.path()), [at.path().join("DCIM")]);
    assert_eq!(fs::read(outside.path().join("mine.jpg")).expect("there"), b"mine");
}

#[test]
fn a_photograph_that_may_not_go_stops_the_wipe_and_stays() {
    let _alone = alone();
    let at = tempfile::tempdir().expect("a mount point");
    let Some(_mounted) = in_memory(at.path(), "4m") else {
        return;
    };
    fill_small_card(at.path());
    let card = Card::open(at.path()).expect("a card");
    let kept = CardPath::new("DCIM/100MEDIA/IMG_0003.JPG").expect("below");
    let goes = |path: &CardPath, size: u64, _: SystemTime| *path != kept && size == 128 << 10;
    let stopped = wipe::sweep(&card, &FILES.stream(), 0, &goes, &mut to_the_end());
    assert!(
        matches!(&stopped, Err(Error::Unprocessed(path)) if *path == kept),
        "{stopped:?}"
    );
    assert_eq!(
        fs::read(at.path().join(kept.as_path())).expect("there"),
        photograph(3, 128)
    );
}

#[test]
fn nothing_but_the_mounted_volume_of_a_camera_can_be_wiped() {
    let _alone = alone();
    let refused = |at: &Path, ours: &[PathBuf]| {
        let card = Card::open(at).expect("a folder");
        match Place::of(&card, ours).expect("looked at").wipeable(&card) {
            Err(Error::Refused { why, .. }) => Some(why),
            Ok(_) => None,
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(refused(Path::new("/"), &[]), Some(Refusal::System));
    let plain = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    fs::create_dir(plain.path().join("DCIM")).expect("a folder");
    let why = refused(plain.path(), &[]);
    assert!(
        matches!(why, Some(Refusal::NotMounted | Refusal::System)),
        "{why:?}"
    );

    let at = tempfile::tempdir().expect("a mount point");
    let Some(_mounted) = in_memory(at.path(), "4m") else {
        return;
    };
    assert_eq!(refused(at.path(), &[]), Some(Refusal::NoDcim));
    fs::create_dir_all(at.path().join("DCIM/DCIM")).expect("folders");
    fs::write(at.path().join("store"), b"ours").expect("written");
    assert_eq!(refused(at.path(), &[]), None);
    assert_eq!(refused(&at.path().join("DCIM"), &[]), Some(Refusal::NotMounted));
    let ours = at.path().join("store");
    assert_eq!(
        refused(at.path(), std::slice::from_ref(&ours)),
        Some(Refusal::Ours(ours))
    );
    let bound = tempfile::tempdir().expect("a mount point");
    let part = at.path().join("DCIM");
    let arguments = ["--bind", volumes::text(&part), volumes::text(bound.path())];
    volumes::run("mount", &arguments).expect("bound");
    let why = refused(bound.path(), &[]);
    volumes::run("umount", &[volumes::text(bound.path())]).expect("unmounted");
    assert_eq!(
        why,
        Some(Refusal::NotMounted),
        "a part of a volume, mounted by itself"
    );
}
