//! Volumes like those of cards: in image files, mounted through FUSE drivers or loop devices, or in memory.

#![allow(dead_code)]

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Format {
    Fat32,
    ExFat,
    Ext4,
}

impl Format {
    pub const ALL: [Self; 3] = [Self::Fat32, Self::ExFat, Self::Ext4];
}

/// An image file with a file system in it.
pub struct Image {
    pub format: Format,
    folder: tempfile::TempDir,
}

/// An image while it is mounted.
pub struct Mounted {
    at: PathBuf,
    device: Option<String>,
}

pub fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary folder's name")
}

impl Image {
    pub fn new(format: Format) -> Option<Self> {
        let image = Self {
            format,
            folder: tempfile::tempdir().expect("a folder"),
        };
        let file = fs::File::create(image.file()).expect("an image");
        file.set_len(64 << 20).expect("a sparse file");
        match format {
            Format::Fat32 => run("mkfs.vfat", &["-F", "32", text(&image.file())])?,
            Format::ExFat => run("mkfs.exfat", &[text(&image.file())])?,
            Format::Ext4 => run("mkfs.ext4", &["-q", text(&image.file())])?,
        };
        Some(image)
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    pub fn mount(&self, at: &Path, read_only: bool) -> Option<Mounted> {
        let device = match self.format {
            Format::Fat32 => {
                let mode = if read_only { "ro" } else { "rw+" };
                run("fusefat", &["-o", mode, text(&self.file()), text(at)])?;
                None
            }
            Format::Ext4 => {
                let mode = if read_only { "loop,ro" } else { "loop" };
                run("mount", &["-o", mode, text(&self.file()), text(at)])?;
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
    pub fn holds(&self, frame: &[u8]) -> bool {
        self.pieces(frame) > 0
    }

    /// How many of the pieces stand there.
    pub fn pieces(&self, frame: &[u8]) -> usize {
        let raw = fs::read(self.file()).expect("the image");
        let mut pieces: HashSet<_> = frame.chunks_exact(512).collect();
        raw.chunks_exact(512)
            .filter(|sector| pieces.remove(sector))
            .count()
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

pub fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A volume in memory, mounted at a folder; `None` where this may not mount.
pub fn in_memory(at: &Path, size: &str) -> Option<Mounted> {
    let mounted = run(
        "mount",
        &["-t", "tmpfs", "-o", &format!("size={size}"), "none", text(at)],
    );
    if mounted.is_none() {
        eprintln!("skipped: needs the right to mount");
    }
    mounted.map(|_| Mounted {
        at: at.to_owned(),
        device: None,
    })
}
