//! Whether this is a card at all: what the system says of the folder, and what follows from it.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType};

use super::{Card, Error, FOLDER};

/// Why something must not be wiped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A plain folder, a folder of a volume, or a part of one mounted by itself.
    NotMounted,
    /// The file system that the system runs from.
    System,
    /// Something of ours lies on the same volume.
    Ours(PathBuf),
    /// No camera wrote here.
    NoDcim,
    /// It cannot be written to.
    ReadOnly,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMounted => f.write_str("not the place where a volume of its own is mounted"),
            Self::System => f.write_str("the file system that the system itself runs from"),
            Self::Ours(path) => write!(f, "{} lies on this volume", path.display()),
            Self::NoDcim => f.write_str("it holds no DCIM folder: no camera wrote here"),
            Self::ReadOnly => f.write_str("it cannot be written to: open its lock or mount it for writing"),
        }
    }
}

/// A mounted volume, as far as the system tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Its file system's name.
    pub file_system: String,
    /// Its serial number, where the system lists it.
    pub serial: Option<String>,
    /// Bytes in all; 0 where its driver does not tell.
    pub bytes: u64,
    /// Bytes that are free; 0 where its driver does not tell.
    pub free: u64,
}

/// What the system says of the folder where a card is to be wiped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The volume whose root this folder is; `None` if it is not one's root.
    pub volume: Option<Volume>,
    /// The device that it lies on.
    pub device: u64,
    /// The device that the system runs from.
    pub system: u64,
    /// What is ours, and the devices that it lies on.
    pub ours: Vec<(PathBuf, u64)>,
    /// Whether a camera's tree is there, or what a wipe of ours that was cut off left.
    pub camera: bool,
    /// Whether it can be written to.
    pub writable: bool,
}

/// Why the card at this place must not be wiped, if so. The worst comes first.
pub fn refusal(place: &Place) -> Option<Refusal> {
    if place.device == place.system {
        return Some(Refusal::System);
    }
    if let Some((path, _)) = place.ours.iter().find(|(_, device)| *device == place.device) {
        return Some(Refusal::Ours(path.clone()));
    }
    if place.volume.is_none() {
        return Some(Refusal::NotMounted);
    }
    if !place.camera {
        return Some(Refusal::NoDcim);
    }
    (!place.writable).then_some(Refusal::ReadOnly)
}

impl Place {
    /// Looks at an open card. Whatever of `ours` does not exist is passed over: it cannot be lost.
    pub fn of(card: &Card, ours: &[PathBuf]) -> Result<Self, Error> {
        let device_of = |path: &Path| path.metadata().ok().map(|meta| meta.dev());
        let with_device = |path: &PathBuf| Some((path.clone(), device_of(path)?));
        Ok(Self {
            volume: volume(card),
            device: card.device,
            // Where not even `/` can be looked at, the card passes for the system.
            system: device_of(Path::new("/")).unwrap_or(card.device),
            ours: ours.iter().filter_map(with_device).collect(),
            camera: has_dcim(card) || is_folder(card, FOLDER),
            writable: card.writable()?,
        })
    }

    /// The volume, if it may be wiped.
    pub fn wipeable(self, card: &Card) -> Result<Volume, Error> {
        match (refusal(&self), self.volume) {
            (None, Some(volume)) => Ok(volume),
            (why, _) => Err(Error::Refused {
                card: card.root.clone(),
                why: why.unwrap_or(Refusal::NotMounted),
            }),
        }
    }
}

pub(super) fn has_dcim(card: &Card) -> bool {
    ["DCIM", "dcim"].iter().any(|name| is_folder(card, name))
}

fn is_folder(card: &Card, name: &str) -> bool {
    rustix::fs::statat(&card.folder, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

fn volume(card: &Card) -> Option<Volume> {
    let mounts = std::fs::read("/proc/self/mountinfo").ok()?;
    let mount = mounted_at(&mounts, &card.root.canonicalize().ok()?, card.device)?;
    let size = rustix::fs::fstatvfs(&card.folder).ok()?;
    Some(Volume {
        serial: serial(&mount.source),
        file_system: mount.file_system,
        bytes: size.f_blocks.saturating_mul(size.f_frsize),
        free: size.f_bavail.saturating_mul(size.f_frsize),
    })
}

struct Mount {
    file_system: String,
    source: PathBuf,
}

/// The last mount at this very place, if it shows a whole volume and it is this device's (proc(5), mountinfo).
fn mounted_at(mountinfo: &[u8], at: &Path, device: u64) -> Option<Mount> {
    let numbers = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let lines = mountinfo.split(|byte| *byte == b'\n').rev();
    let mut fields = lines
        .map(|line| line.split(|byte| *byte == b' ').collect::<Vec<_>>())
        .filter(|fields| fields.get(4).is_some_and(|point| unescaped(point) == at));
    let fields = fields.next()?;
    let source = fields.iter().position(|field| field == b"-")? + 1;
    let whole = fields.get(3) == Some(&b"/".as_slice()) && fields.get(2) == Some(&numbers.as_bytes());
    whole.then_some(())?;
    Some(Mount {
        file_system: String::from_utf8_lossy(fields.get(source)?).into_owned(),
        source: unescaped(fields.get(source + 1)?),
    })
}

/// Blanks, line ends and backslashes stand as three octal digits there.
fn unescaped(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let octal = (first == b'\\').then(|| after.get(..3)).flatten();
        let value = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(value.unwrap_or(first));
        rest = if value.is_some() { &after[3..] } else { after };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// The name under which the system lists the volume: for FAT and exFAT, its serial number.
fn serial(source: &Path) -> Option<String> {
    let source = source.canonicalize().ok()?;
    let listed = std::fs::read_dir("/dev/disk/by-uuid").ok()?;
    let mut names = listed
        .filter_map(Result::ok)
        .filter(|entry| entry.path().canonicalize().is_ok_and(|path| path == source));
    let name = names.next()?.file_name();
    let plain = name
        .as_bytes()
        .iter()
        .all(|c| c.is_ascii_alphanumeric() || *c == b'-');
    plain.then(|| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> Place {
        Place {
            volume: Some(Volume {
                file_system: "exfat".to_owned(),
                serial: None,
                bytes: 1,
                free: 1,
            }),
            device: 7,
            system: 1,
            ours: vec![
                (PathBuf::from("/var/lib/vigie"), 1),
                (PathBuf::from("/etc/vigie"), 2),
            ],
            camera: true,
            writable: true,
        }
    }

    #[test]
    fn only_a_mounted_camera_card_that_is_neither_ours_nor_the_systems_can_be_wiped() {
        assert_eq!(refusal(&card()), None);
        type Change = fn(&mut Place);
        let changes: [(Change, Refusal); 6] = [
            (|p| p.volume = None, Refusal::NotMounted),
            (|p| p.system = 7, Refusal::System),
            (|p| p.ours[0].1 = 7, Refusal::Ours("/var/lib/vigie".into())),
            (|p| p.ours[1].1 = 7, Refusal::Ours("/etc/vigie".into())),
            (|p| p.camera = false, Refusal::NoDcim),
            (|p| p.writable = false, Refusal::ReadOnly),
        ];
        for (change, why) in changes {
            let mut place = card();
            change(&mut place);
            assert_eq!(refusal(&place), Some(why));
        }
    }

    #[test]
    fn a_mount_counts_if_it_is_the_last_one_there_and_shows_a_whole_volume() {
        let mounts = b"27 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
            42 27 8:17 / /media/my\\040card rw,nosuid shared:3 - vfat /dev/sdb1 rw\n\
            43 27 8:18 / /media/twice rw - vfat /dev/sdc1 rw\n\
            44 27 8:1 /srv /media/twice rw - ext4 /dev/sda1 rw\n\
            45 27 8:1 /home/x /media/bound rw - ext4 /dev/sda1 rw\n";
        let at = |path: &str, minor| {
            let device = rustix::fs::makedev(8, minor);
            mounted_at(mounts, Path::new(path), device).map(|mount| (mount.file_system, mount.source))
        };
        assert_eq!(
            at("/media/my card", 17),
            Some(("vfat".to_owned(), "/dev/sdb1".into()))
        );
        for (path, minor) in [
            ("/media/my card", 18),
            ("/media", 17),
            ("/media/my card/DCIM", 17),
            ("/media/twice", 18),
            ("/media/twice", 1),
            ("/media/bound", 1),
        ] {
            assert_eq!(at(path, minor), None, "{path} {minor}");
        }
        assert!(mounted_at(b"", Path::new("/"), 0).is_none());
        assert!(mounted_at(b"1 2 0:0 / /", Path::new("/"), 0).is_none());
    }
}
