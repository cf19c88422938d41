//! The committed packages (testdata/vectors/package) are judged as their index says, by this program; the offline
//! page is held to the same index in tests/browser.
//!
//! To write them anew after a decided change: `VIGIE_WRITE_VECTORS=1 cargo test --test package_vectors`.
#![cfg(feature = "desk")]

mod report_kit;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use report_kit::{Entries, Frame, approved, at_name, entries, journal, made, parts, zipped};
use serde_json::{Value, json};
use vigie::frame::Digest;
use vigie::report::Act;
use vigie::report::contents::Contents;
use vigie::report::package;
use vigie::report::passphrase::Passphrase;
use vigie::vault::{DeviceKey, DevicePublic, signed};
use vigie::verify;

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/vectors")
}

/// The published key; git keeps no mode 0600.
fn key() -> DeviceKey {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("desk.key");
    fs::copy(vectors().join("desk.key"), &path).expect("copied");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("guarded");
    DeviceKey::read_desk(&path).expect("a key")
}

fn frames() -> Vec<Frame> {
    let frame = |number| {
        let read = |end: &str| fs::read(vectors().join(format!("frame-{number}{end}"))).expect("a vector");
        Frame {
            number,
            jpeg: read(".jpg"),
            manifest: read(".json"),
        }
    };
    vec![frame(1), frame(2)]
}

const REPORT: &[u8] = b"%PDF-1.7\n%%EOF\n";
const PHRASE: &str = "abaisser abandon abeille abolir aboutir abrasif abreuver abroger";

fn good(key: &DeviceKey, passphrase: Option<&Passphrase>) -> Vec<u8> {
    let frames = frames();
    let approved = approved(REPORT, &frames, true);
    let parts = parts(Act::Rapport, REPORT.to_vec(), &frames, Some(journal(key)));
    package::write(&approved, &parts, key, made(), passphrase)
        .expect("a package")
        .zip
}

/// Signs the contents anew over what the entries hold now.
fn sign_anew(entries: &mut Entries, key: &DeviceKey) {
    let text = String::from_utf8(entries[0].1.clone()).expect("text");
    let mut contents = Contents::read(&text).expect("sound");
    for file in &mut contents.files {
        let bytes = at_name(entries, &file.name);
        file.size = bytes.len() as u64;
        file.sha256 = Digest::of(bytes);
    }
    entries[0].1 = signed::sign(&contents, key).expect("signed").into_bytes();
}

/// A change, what is wrong by it, what `verify` says (place, first words), what the page says where it says less.
type Brother = (
    &'static str,
    &'static str,
    fn(&mut Entries, &DeviceKey),
    &'static [&'static str],
    Option<&'static [&'static str]>,
);

const IMAGE: &str = "images/image-00001.jpg";

fn lines(entries: &mut Entries, change: fn(&mut Vec<String>)) {
    let journal = at_name(entries, "journal.jsonl");
    let text = String::from_utf8(journal.clone()).expect("text");
    let mut all: Vec<_> = text.lines().map(str::to_owned).collect();
    change(&mut all);
    *journal = (all.join("\n") + "\n").into_bytes();
}

const BROTHERS: &[Brother] = &[
    (
        "missing",
        "a file is gone",
        |e, _| e.retain(|(name, _)| name != "lisezmoi.txt"),
        &["lisezmoi.txt : manquant"],
        None,
    ),
    (
        "added",
        "a file more",
        |e, _| e.push(("plus.txt".to_owned(), b"x".to_vec())),
        &["plus.txt : ajouté"],
        None,
    ),
    (
        "renamed",
        "an image under another name",
        |e, _| e[4].0 = "images/autre.jpg".to_owned(),
        &["images/image-00002.jpg : renommé"],
        None,
    ),
    (
        "reordered",
        "two files changed places in the archive",
        |e, _| e.swap(6, 7),
        &["journal.jsonl : réordonné"],
        None,
    ),
    (
        "altered",
        "one byte of the report",
        |e, _| at_name(e, "rapport.pdf")[5] = b'2',
        &["rapport.pdf : altéré"],
        None,
    ),
    (
        "truncated",
        "the report ends early",
        |e, _| at_name(e, "rapport.pdf").truncate(9),
        &["rapport.pdf : tronqué"],
        None,
    ),
    (
        "signature",
        "another recipient in the signed contents",
        |e, _| {
            let text = String::from_utf8(e[0].1.clone()).expect("text");
            e[0].1 = text.replace("Parquet", "Cabinet").into_bytes();
        },
        &["contenu.txt : altéré"],
        None,
    ),
    (
        "mismatch",
        "an image of another manifest, signed so",
        |e, key| {
            let other = at_name(e, "images/image-00002.jpg").clone();
            *at_name(e, IMAGE) = other;
            sign_anew(e, key);
        },
        &["images/image-00001.jpg : désaccord avec le manifeste"],
        None,
    ),
    (
        "unmasked",
        "an image with content in a masked place, signed so",
        |e, key| {
            let mut manifest: Value =
                serde_json::from_slice(at_name(e, "images/image-00001.json")).expect("JSON");
            manifest["mask"]["runs"]
                .as_array_mut()
                .expect("runs")
                .insert(0, json!([0, 0, 1]));
            *at_name(e, "images/image-00001.json") = serde_json::to_vec(&manifest).expect("JSON");
            sign_anew(e, key);
        },
        &["images/image-00001.jpg : contenu dans une zone masquée"],
        Some(&[]),
    ),
    (
        "journal-line",
        "a line of the journal was changed, signed so",
        |e, key| {
            lines(e, |all| all[1] = all[1].replace("retained", "rejected"));
            sign_anew(e, key);
        },
        &["journal.jsonl : journal modifié"],
        None,
    ),
    (
        "journal-cut",
        "the journal ends early, signed so",
        |e, key| {
            lines(e, |all| {
                all.remove(2);
            });
            sign_anew(e, key);
        },
        &["journal.jsonl : journal tronqué"],
        None,
    ),
    (
        "path",
        "a name that leads elsewhere",
        |e, _| e.push(("../plus.txt".to_owned(), b"x".to_vec())),
        &["../plus.txt : archive refusée"],
        None,
    ),
];

fn write() {
    let folder = vectors().join("package");
    fs::create_dir_all(&folder).expect("a folder");
    let key = key();
    let whole = good(&key, None);
    let mut index = Vec::new();
    let mut put = |name: &str, what: &str, verify: &[&str], page: &[&str], bytes: &[u8]| {
        fs::write(folder.join(format!("{name}.zip")), bytes).expect("written");
        index.push(json!({"file": format!("{name}.zip"), "what": what, "verify": verify, "page": page}));
    };
    put("good", "nothing", &[], &[], &whole);
    for (name, what, change, verify, page) in BROTHERS {
        let mut entries = entries(&whole);
        change(&mut entries, &key);
        put(name, what, verify, page.unwrap_or(verify), &zipped(&entries));
    }
    put(
        "cut",
        "the archive ends early",
        &["archive refusée"],
        &["archive refusée"],
        &whole[..whole.len() / 2],
    );
    let index = json!({"desk": "../desk.pub", "packages": index});
    let text = serde_json::to_string_pretty(&index).expect("JSON") + "\n";
    fs::write(folder.join("package.json"), text).expect("written");
    let sealed = good(&key, Some(&Passphrase::told(PHRASE)));
    fs::write(folder.join("encrypted.zip"), sealed).expect("written");
    fs::write(folder.join("encrypted.passphrase"), format!("{PHRASE}\n")).expect("written");
}

#[test]
fn the_committed_packages_are_judged_as_their_index_says() {
    if std::env::var_os("VIGIE_WRITE_VECTORS").is_some() {
        write();
    }
    let folder = vectors().join("package");
    let desk = DevicePublic::read_desk(&vectors().join("desk.pub")).expect("a key");
    let index: Value =
        serde_json::from_slice(&fs::read(folder.join("package.json")).expect("the index")).expect("JSON");
    let packages = index["packages"].as_array().expect("a list");
    assert_eq!(packages.len(), BROTHERS.len() + 2);
    for package in packages {
        let name = package["file"].as_str().expect("a name");
        let checked = verify::package(&folder.join(name), Some(&desk), None).expect("checked");
        let found: Vec<_> = checked
            .findings
            .iter()
            .map(|finding| match finding.place.as_str() {
                "" => finding.what.french(),
                place => format!("{place} : {}", finding.what.french()),
            })
            .collect();
        let expected: Vec<_> = package["verify"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|e| e.as_str().expect("text"))
            .collect();
        for expected in &expected {
            assert!(
                found.iter().any(|told| told.starts_with(expected)),
                "{name}: {expected}, not {found:#?}"
            );
        }
        assert_eq!(found.is_empty(), expected.is_empty(), "{name}: {found:#?}");
    }
}

#[test]
fn the_committed_encrypted_package_opens_with_its_committed_words() {
    let folder = vectors().join("package");
    let phrase = fs::read_to_string(folder.join("encrypted.passphrase")).expect("the words");
    let checked = verify::package(
        &folder.join("encrypted.zip"),
        Some(key().public()),
        Some(phrase.trim()),
    )
    .expect("opened");
    assert!(checked.is_intact(), "{:?}", checked.findings);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_changed_byte_is_found_or_lies_where_nothing_is_said(at in 0usize..1 << 20, to in any::<u8>()) {
        let mut zip = fs::read(vectors().join("package/good.zip")).expect("the good one");
        let at = at % zip.len();
        prop_assume!(zip[at] != to);
        zip[at] = to;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("package.zip");
        fs::write(&path, &zip).expect("written");
        if !verify::package::is_package(&path) {
            return Ok(());
        }
        // The archive's own dates, versions and attributes are nobody's statement; all else is found.
        if let Ok(checked) = verify::package(&path, Some(key().public()), None) && checked.is_intact() {
            prop_assert_eq!(entries(&zip), entries(&fs::read(vectors().join("package/good.zip")).expect("the good one")));
        }
    }

    #[test]
    fn no_bytes_behind_a_zip_s_start_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("package.zip");
        fs::write(&path, [b"PK\x03\x04", &bytes[..]].concat()).expect("written");
        if let Ok(checked) = verify::package(&path, None, None) {
            prop_assert!(!checked.is_intact());
        }
    }
}
