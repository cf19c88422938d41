//! The kit of faulty files (docs/formats.md §9): this program and a second reader, written in Python from
//! the document alone, say the same of each.
#![cfg(feature = "verify")]

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use vigie::frame::Digest;
use vigie::vault::checkpoint::Checkpoint;
use vigie::vault::closing::{self, Closing};
use vigie::vault::{DeviceKey, DevicePublic, OfficeKey, Recipient, item, keys, seal, signed};
use vigie::verify;

/// A file of the kit, as its index tells of it.
#[derive(Deserialize)]
struct Entry {
    file: String,
    form: String,
    with: String,
    what: String,
    expect: String,
}

#[derive(Deserialize)]
struct Index {
    files: Vec<Entry>,
}

/// A class, and of a good file something that only who read it can know.
type Said = (String, Option<String>);

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/vectors")
}

fn index() -> Vec<Entry> {
    let index = fs::read(vectors().join("kit/kit.json")).expect("committed");
    serde_json::from_slice::<Index>(&index).expect("an index").files
}

/// git keeps no mode 0600, and a secret that others can read is refused.
fn secret<T>(path: &Path, read: impl FnOnce(&Path) -> T) -> T {
    let dir = tempfile::tempdir().expect("a folder");
    let copy = dir.path().join("secret.key");
    fs::copy(path, &copy).expect("copied");
    fs::set_permissions(&copy, Permissions::from_mode(0o600)).expect("chmod");
    read(&copy)
}

fn of_key(path: &Path, kind: &str) -> Result<String, &'static str> {
    let print = match kind {
        "device.pub" => DevicePublic::read(path).map(|key| key.id().0),
        "device.key" => secret(path, DeviceKey::read).map(|key| key.id().0),
        "service.pub" => Recipient::read(path).map(|key| key.fingerprint()),
        _ => secret(path, OfficeKey::read).map(|key| key.recipient().fingerprint()),
    };
    print.map(|print| print.to_string()).map_err(|error| match error {
        keys::Error::Malformed { .. } => "malformed",
        keys::Error::WrongKey { .. } => "wrong-key",
        _ => "something else",
    })
}

fn of_item(path: &Path, key: &OfficeKey) -> Result<String, &'static str> {
    match seal::open(File::open(path).expect("committed"), key) {
        Ok(opened) => Ok(Digest::of(&opened.plaintext).to_string()),
        Err(seal::Error::Damaged { .. }) => Err("damaged"),
        Err(seal::Error::DamagedStanza(_)) => Err("stanza"),
        Err(seal::Error::OtherKey { .. }) => Err("other-key"),
        Err(seal::Error::Item(error)) => Err(match error {
            item::Error::NotAnItem => "not-an-item",
            item::Error::Version(_) => "version",
            item::Error::Header(_) => "header",
            item::Error::Truncated { .. } => "truncated",
            item::Error::Trailing(_) => "trailing",
            item::Error::Io(_) => "something else",
        }),
        Err(_) => Err("something else"),
    }
}

fn of_document<T>(
    read: Result<T, signed::Error>,
    holds: impl FnOnce(T) -> u64,
) -> Result<String, &'static str> {
    match read {
        Ok(content) => Ok(holds(content).to_string()),
        Err(signed::Error::Damaged(_)) => Err("damaged"),
        Err(signed::Error::Signature(_)) => Err("signature"),
    }
}

fn of_journal(path: &Path, device: &DevicePublic) -> Result<String, &'static str> {
    let report = verify::export(path, Some(device), None).expect("readable");
    let Some(fault) = report.faults.first() else {
        return Ok(report.head.expect("a head"));
    };
    let classes = [
        ("it is not written as", "damaged"),
        ("it is of the box", "box"),
        ("its checkpoint: ", "begin"),
        ("the chain does not begin", "begin"),
        ("before this one, ", "order"),
        ("it stands out of order", "order"),
        ("it does not follow", "order"),
        ("it was changed", "changed"),
        ("cut off", "cut"),
        ("was added", "added"),
        ("were added", "added"),
        ("is not signed", "signature"),
    ];
    let class = classes.iter().find(|(text, _)| fault.what.contains(text));
    Err(class.map_or("something else", |(_, class)| class))
}

fn of(entry: &Entry) -> Said {
    let path = vectors().join("kit").join(&entry.file);
    let with = vectors().join(&entry.with);
    let text = || fs::read_to_string(&path).expect("text");
    let device = || DevicePublic::read(&with).expect("a key");
    let said = match entry.form.as_str() {
        "key" => of_key(&path, &entry.with),
        "item" => of_item(&path, &secret(&with, OfficeKey::read).expect("a key")),
        "head" => match Closing::parse(&text()) {
            Ok(closing) => Ok(closing.journal_seq.to_string()),
            Err(closing::Error::Document(error)) => of_document(Err(error), |()| 0),
            Err(closing::Error::Io(_)) => Err("something else"),
        },
        "checkpoint" => of_document(Checkpoint::read(&text(), &device()), |checkpoint| checkpoint.seq),
        "journal" => of_journal(&path, &device()),
        form => panic!("{form}"),
    };
    match said {
        Ok(holds) => ("good".to_owned(), Some(holds)),
        Err(class) => (class.to_owned(), None),
    }
}

#[test]
fn each_file_of_the_kit_is_judged_as_its_index_says() {
    let index = index();
    assert!(index.iter().filter(|entry| entry.expect != "good").count() >= 60);
    for entry in &index {
        let (class, _) = of(entry);
        assert_eq!(class, entry.expect, "{}: {}", entry.file, entry.what);
    }
    let mut listed: Vec<_> = index.into_iter().map(|entry| entry.file).collect();
    listed.retain(|file| !file.starts_with("../"));
    listed.push("kit.json".to_owned());
    listed.sort();
    let there = fs::read_dir(vectors().join("kit")).expect("a folder");
    let mut there: Vec<_> = there
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    there.sort();
    assert_eq!(there, listed, "the index lists what is there");
}

/// A Python that has `cryptography`: `make venv` installs one.
fn python() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    let given = std::env::var_os("VIGIE_PYTHON").map(PathBuf::from);
    let able = |python: &PathBuf| {
        let tried = Command::new(python).args(["-c", "import cryptography"]).output();
        tried.is_ok_and(|output| output.status.success())
    };
    given
        .into_iter()
        .chain([own, PathBuf::from("python3")])
        .find(able)
}

#[test]
fn a_second_reader_says_the_same_of_every_file() {
    let Some(python) = python() else {
        return eprintln!("skipped: no python3 with `cryptography`; run `make venv`");
    };
    #[derive(Deserialize)]
    struct Read {
        file: String,
        class: String,
        holds: Option<String>,
    }
    let output = Command::new(python)
        .arg(vectors().join("reader.py"))
        .arg("kit")
        .output()
        .expect("run");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let lines = String::from_utf8(output.stdout).expect("text");
    let second: BTreeMap<String, Said> = lines
        .lines()
        .map(|line| serde_json::from_str::<Read>(line).expect("an object"))
        .map(|read| (read.file, (read.class, read.holds)))
        .collect();
    let first: BTreeMap<String, Said> = index()
        .into_iter()
        .map(|entry| (entry.file.clone(), of(&entry)))
        .collect();
    for (file, said) in &first {
        assert_eq!(second.get(file), Some(said), "{file}");
    }
    assert_eq!(first.len(), second.len());
}
