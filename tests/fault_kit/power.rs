//! What a power cut may leave on the disk, rebuilt from a recorded run.
//!
//! The model, after ALICE (Pillai et al., OSDI 2014) and CrashMonkey: each file has bytes that are durable and changes
//! that are pending; fsync and fdatasync of the file make all of them durable. Each folder has names that are durable
//! and changes of names that are pending; fsync of the folder makes all of them durable, fsync of a file in it none.
//! syncfs makes everything durable, of a mounted card too. At a cut any part of what is pending is lost, whatever came before or after it: a
//! file may have its name and none of its bytes, or bytes and no name; a longer file may have zeros for what was not
//! written; a write may be torn between sectors of 512 bytes.
//!
//! Assumed: a sector is written whole or not at all; a rename is whole or not at all; of two writes to the same sector
//! the later one never gives way to the earlier; what is durable stays as it is. Not modelled: writes through mmap
//! (SQLite's -shm, which is left out: it is made anew), permissions, and times of files that were changed.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Chance;

const SECTOR: usize = 512;

/// The kinds of calls, in the order of `interpose.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Write,
    Create,
    Mkdir,
    Rename,
    Link,
    Unlink,
    Rmdir,
    Truncate,
    Sync,
    SyncAll,
}

const KINDS: [Kind; 10] = [
    Kind::Write,
    Kind::Create,
    Kind::Mkdir,
    Kind::Rename,
    Kind::Link,
    Kind::Unlink,
    Kind::Rmdir,
    Kind::Truncate,
    Kind::Sync,
    Kind::SyncAll,
];

/// One recorded call that succeeded.
#[derive(Debug)]
pub struct Call {
    kind: Kind,
    /// Below the box's folder.
    path: PathBuf,
    to: PathBuf,
    inode: u64,
    /// Of a write; of a truncation the new length; of a sync whether it is a folder's.
    offset: u64,
    data: Vec<u8>,
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {} {}", self.kind, self.path.display(), self.to.display())?;
        write!(f, " ({} bytes at {})", self.data.len(), self.offset)
    }
}

/// The calls of a trace, their paths below `root`.
pub fn calls(mut trace: &[u8], root: &Path) -> Vec<Call> {
    let mut calls = Vec::new();
    while !trace.is_empty() {
        let mut take = |length: usize| {
            let (taken, rest) = trace.split_at(length);
            trace = rest;
            taken
        };
        let [kind, path, to, data] =
            [(); 4].map(|()| u32::from_ne_bytes(take(4).try_into().expect("four bytes")) as usize);
        let [inode, offset] = [(); 2].map(|()| u64::from_ne_bytes(take(8).try_into().expect("eight bytes")));
        let [path, to] = [path, to].map(|length| {
            let path = std::str::from_utf8(take(length)).expect("UTF-8");
            Path::new(path)
                .strip_prefix(root)
                .unwrap_or(Path::new(""))
                .to_owned()
        });
        let data = take(data).to_vec();
        calls.push(Call {
            kind: KINDS[kind],
            path,
            to,
            inode,
            offset,
            data,
        });
    }
    calls
}

#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, data: Vec<u8> },
    Length(usize),
}

#[derive(Debug, Clone, Default)]
struct Contents {
    durable: Vec<u8>,
    pending: Vec<Change>,
    /// Of a file that nothing changed.
    modified: Option<SystemTime>,
    /// Of one that was there before; new ones are made for their owner alone.
    mode: Option<u32>,
}

/// A place in [`Disk::files`] or [`Disk::folders`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Node {
    File(usize),
    Folder(usize),
}

#[derive(Debug, Clone)]
enum Naming {
    Set(PathBuf, Node),
    Remove(PathBuf),
    Move(PathBuf, PathBuf, Node),
}

#[derive(Debug, Clone, Default)]
struct Names {
    durable: BTreeMap<PathBuf, Node>,
    pending: Vec<Naming>,
}

impl Naming {
    fn apply(self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Self::Set(name, node) => drop(names.insert(name, node)),
            Self::Remove(name) => drop(names.remove(&name)),
            Self::Move(from, to, node) => {
                names.remove(&from);
                names.insert(to, node);
            }
        }
    }
}

fn apply(change: Change, bytes: &mut Vec<u8>) {
    match change {
        Change::Write { at, data } => {
            if bytes.len() < at + data.len() {
                bytes.resize(at + data.len(), 0);
            }
            bytes[at..at + data.len()].copy_from_slice(&data);
        }
        Change::Length(length) => bytes.resize(length, 0),
    }
}

/// A box's folder as its disk holds it.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    files: Vec<Contents>,
    /// The box's own is the first.
    folders: Vec<Names>,
    /// Which file an inode is now: the number of one that is gone is given to another.
    inodes: HashMap<u64, usize>,
    /// The names as a running program sees them.
    seen: BTreeMap<PathBuf, Node>,
}

/// What a cut leaves of what is pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Nothing.
    Nothing,
    /// All of it: as if the program had been killed.
    All,
    /// Chance decides, piece by piece and sector by sector.
    Some,
}

impl Disk {
    /// What lies in `root` now, all of it durable.
    pub fn read(root: &Path) -> Self {
        let mut disk = Self::default();
        disk.read_folder(root, Path::new(""));
        disk
    }

    fn read_folder(&mut self, root: &Path, folder: &Path) -> Node {
        let number = self.folders.len();
        self.folders.push(Names::default());
        self.seen.insert(folder.to_owned(), Node::Folder(number));
        for entry in fs::read_dir(root.join(folder)).expect("a folder") {
            let entry = entry.expect("an entry");
            let (meta, path) = (entry.metadata().expect("there"), folder.join(entry.file_name()));
            let node = if meta.is_dir() {
                self.read_folder(root, &path)
            } else {
                // As `interpose.c` numbers them.
                let inode = meta.ino() ^ meta.dev() << 40;
                self.inodes.insert(inode, self.files.len());
                self.files.push(Contents {
                    durable: fs::read(entry.path()).expect("readable"),
                    pending: Vec::new(),
                    modified: meta.modified().ok(),
                    mode: Some(meta.mode()),
                });
                Node::File(self.files.len() - 1)
            };
            let names = &mut self.folders[number];
            names.durable.insert(entry.file_name().into(), node);
            self.seen.insert(path, node);
        }
        Node::Folder(number)
    }

    /// One more call that the program made.
    pub fn step(&mut self, call: &Call) {
        match call.kind {
            Kind::Write => self.change(
                call,
                Change::Write {
                    at: call.offset as usize,
                    data: call.data.clone(),
                },
            ),
            Kind::Truncate => self.change(call, Change::Length(call.offset as usize)),
            Kind::Create => {
                self.inodes.insert(call.inode, self.files.len());
                let node = Node::File(self.files.len());
                self.files.push(Contents::default());
                self.name(&call.path, node);
            }
            Kind::Mkdir => {
                let node = Node::Folder(self.folders.len());
                self.folders.push(Names::default());
                self.name(&call.path, node);
            }
            Kind::Link => self.name(&call.to, self.seen[&call.path]),
            Kind::Unlink | Kind::Rmdir => {
                self.seen.remove(&call.path);
                let name = Naming::Remove(name_of(&call.path));
                self.names(&call.path).pending.push(name);
            }
            Kind::Rename => {
                assert_eq!(
                    call.path.parent(),
                    call.to.parent(),
                    "moved elsewhere: not modelled"
                );
                let node = self.seen[&call.path];
                self.move_seen(&call.path, &call.to);
                let naming = Naming::Move(name_of(&call.path), name_of(&call.to), node);
                self.names(&call.to).pending.push(naming);
            }
            Kind::Sync if call.offset == 1 => {
                let names = self.folder(&call.path);
                sync_names(names);
            }
            Kind::Sync => sync_contents(&mut self.files[self.inodes[&call.inode]]),
            Kind::SyncAll => {
                self.folders.iter_mut().for_each(sync_names);
                self.files.iter_mut().for_each(sync_contents);
            }
        }
    }

    fn change(&mut self, call: &Call, change: Change) {
        let file = &mut self.files[self.inodes[&call.inode]];
        file.modified = None;
        file.pending.push(change);
    }

    fn name(&mut self, path: &Path, node: Node) {
        self.seen.insert(path.to_owned(), node);
        self.names(path).pending.push(Naming::Set(name_of(path), node));
    }

    fn names(&mut self, path: &Path) -> &mut Names {
        self.folder(path.parent().expect("below the root"))
    }

    fn folder(&mut self, path: &Path) -> &mut Names {
        match self.seen.get(path) {
            Some(&Node::Folder(folder)) => &mut self.folders[folder],
            other => panic!("{}: no folder but {other:?}", path.display()),
        }
    }

    fn move_seen(&mut self, from: &Path, to: &Path) {
        let moved = self.seen.extract_if(.., |path, _| path.starts_with(from));
        let moved: Vec<_> = moved.collect();
        for (path, node) in moved {
            let below = path.strip_prefix(from).expect("below");
            // Joining nothing would add a slash to a file's name.
            let path = if below == Path::new("") {
                to.to_owned()
            } else {
                to.join(below)
            };
            self.seen.insert(path, node);
        }
    }

    /// Writes what a power cut now may leave into the empty folder `root`.
    pub fn cut(&self, left: Left, chance: &mut Chance, root: &Path) {
        self.cut_folder(0, Path::new(""), left, chance, root);
    }

    fn cut_folder(&self, number: usize, folder: &Path, left: Left, chance: &mut Chance, root: &Path) {
        let Names { mut durable, pending } = self.folders[number].clone();
        for naming in pending {
            if stays(left, chance) {
                naming.apply(&mut durable);
            }
        }
        for (name, node) in durable {
            let path = folder.join(name);
            match node {
                Node::Folder(number) => {
                    fs::create_dir(root.join(&path)).expect("a folder");
                    self.cut_folder(number, &path, left, chance, root);
                }
                Node::File(_) if path.to_string_lossy().ends_with("-shm") => {}
                Node::File(file) => {
                    let contents = &self.files[file];
                    let mut written = File::create(root.join(&path)).expect("a file");
                    written
                        .write_all(&cut_contents(contents, left, chance))
                        .expect("written");
                    let mode = Permissions::from_mode(contents.mode.unwrap_or(0o600));
                    written.set_permissions(mode).expect("a mode");
                    if let Some(modified) = contents.modified {
                        written.set_modified(modified).expect("a time");
                    }
                }
            }
        }
    }
}

fn name_of(path: &Path) -> PathBuf {
    path.file_name().expect("a name").into()
}

fn sync_names(names: &mut Names) {
    for naming in names.pending.drain(..) {
        naming.apply(&mut names.durable);
    }
}

fn sync_contents(contents: &mut Contents) {
    for change in contents.pending.drain(..) {
        apply(change, &mut contents.durable);
    }
}

fn stays(left: Left, chance: &mut Chance) -> bool {
    match left {
        Left::Nothing => false,
        Left::All => true,
        Left::Some => chance.one_in(2),
    }
}

fn cut_contents(contents: &Contents, left: Left, chance: &mut Chance) -> Vec<u8> {
    let mut bytes = contents.durable.clone();
    for change in &contents.pending {
        match change {
            Change::Write { at, data } if left == Left::Some => match chance.below(4) {
                0 => {}
                // Its length, and none of its bytes.
                1 => bytes.resize(bytes.len().max(at + data.len()), 0),
                2 => write_some_sectors(*at, data, chance, &mut bytes),
                _ => apply(change.clone(), &mut bytes),
            },
            _ if stays(left, chance) => apply(change.clone(), &mut bytes),
            _ => {}
        }
    }
    bytes
}

fn write_some_sectors(at: usize, data: &[u8], chance: &mut Chance, bytes: &mut Vec<u8>) {
    let mut done = 0;
    while done < data.len() {
        let rest = SECTOR - (at + done) % SECTOR;
        let piece = &data[done..data.len().min(done + rest)];
        if chance.one_in(2) {
            let (at, data) = (at + done, piece.to_vec());
            apply(Change::Write { at, data }, bytes);
        }
        done += piece.len();
    }
}
