//! A package and its faulty brothers: each fault is named, by its file, in French and in English.
#![cfg(feature = "desk")]

mod report_kit;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use report_kit::{Entries, at_name, desk_key, entries, made, small, zipped};
use vigie::report::contents::{self, Contents};
use vigie::report::package::Package;
use vigie::report::timestamp;
use vigie::vault::{DeviceKey, signed};
use vigie::verify::package::{Checked, Remark, What};
use vigie::verify::{self, Error};

struct Case {
    folder: tempfile::TempDir,
    key: DeviceKey,
    package: Package,
}

impl Case {
    fn new() -> Self {
        let key = desk_key();
        let package = small(&key);
        let folder = tempfile::tempdir().expect("a folder");
        Self { folder, key, package }
    }

    fn file(&self, zip: &[u8]) -> PathBuf {
        let path = self.folder.path().join("package.zip");
        fs::write(&path, zip).expect("written");
        path
    }

    fn check(&self, zip: &[u8]) -> Checked {
        verify::package(&self.file(zip), Some(self.key.public()), None).expect("checked")
    }

    fn entries(&self) -> Entries {
        entries(&self.package.zip)
    }

    /// What is found after a change, `place: French`.
    #[track_caller]
    fn changed(&self, change: impl FnOnce(&mut Entries)) -> Vec<String> {
        let mut entries = self.entries();
        change(&mut entries);
        told(&self.check(&zipped(&entries)))
    }

    /// The same with contents that list the changed files, signed anew: a forger at the desk itself.
    fn signed_anew(&self, change: impl FnOnce(&mut Entries)) -> Vec<String> {
        let mut entries = self.entries();
        change(&mut entries);
        let text = String::from_utf8(entries[0].1.clone()).expect("text");
        let mut contents = Contents::read(&text).expect("sound");
        for file in &mut contents.files {
            let bytes = at_name(&mut entries, &file.name);
            file.size = bytes.len() as u64;
            file.sha256 = vigie::frame::Digest::of(bytes);
            if file.name == "rapport.pdf" {
                contents.report = file.sha256;
            }
        }
        entries[0].1 = signed::sign(&contents, &self.key).expect("signed").into_bytes();
        told(&self.check(&zipped(&entries)))
    }
}

fn told(checked: &Checked) -> Vec<String> {
    let told = checked.findings.iter();
    told.map(|finding| format!("{}: {}", finding.place, finding.what.french()))
        .collect()
}

#[track_caller]
fn only(told: &[String], expected: &str) {
    assert!(
        told.len() == 1 && told[0].starts_with(expected),
        "{expected}, not {told:#?}"
    );
}

const IMAGE: &str = "images/image-00001.jpg";
const OTHER: &str = "images/image-00002.jpg";

#[test]
fn an_honest_package_is_intact_packed_packed_anew_and_unpacked() {
    let case = Case::new();
    assert_eq!(told(&case.check(&case.package.zip)), [""; 0]);
    assert_eq!(told(&case.check(&zipped(&case.entries()))), [""; 0]);
    let folder = case.folder.path().join("unpacked");
    fs::create_dir_all(folder.join("images")).expect("folders");
    for (name, bytes) in case.entries() {
        fs::write(folder.join(name), bytes).expect("written");
    }
    let checked = verify::package(&folder, Some(case.key.public()), None).expect("checked");
    assert_eq!(told(&checked), [""; 0]);
    assert_eq!(checked.remarks, [Remark::NoOrder]);
    let alone = verify::package(&folder, None, None).expect("checked");
    assert!(alone.is_intact() && alone.remarks.contains(&Remark::OwnWord(case.key.id())));
}

#[test]
fn what_is_missing_added_renamed_or_in_another_order_is_named() {
    let case = Case::new();
    only(
        &case.changed(|e| e.retain(|(name, _)| name != "journal.jsonl")),
        "journal.jsonl: manquant",
    );
    only(
        &case.changed(|e| e.push(("autre.txt".to_owned(), vec![1]))),
        "autre.txt: ajouté",
    );
    let renamed = case.changed(|e| {
        e.iter_mut().find(|(name, _)| name == OTHER).expect("one").0 = "images/autre.jpg".to_owned()
    });
    only(
        &renamed,
        &format!("{OTHER}: renommé : il est présent sous le nom images/autre.jpg"),
    );
    only(&case.changed(|e| e.swap(2, 3)), &format!("{IMAGE}: réordonné"));
    only(&case.changed(|e| e.swap(0, 1)), "contenu.txt: réordonné");
    only(
        &case.changed(|e| e.retain(|(name, _)| name != contents::NAME)),
        "contenu.txt: manquant",
    );
}

#[test]
fn what_is_altered_cut_or_lengthened_is_named() {
    let case = Case::new();
    for (name, _) in case.entries() {
        let flipped = case.changed(|e| {
            let bytes = at_name(e, &name);
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        });
        assert!(
            flipped.iter().all(|told| told.starts_with(&format!("{name}: "))
                || told.starts_with(IMAGE)
                || told.starts_with(OTHER)),
            "{flipped:#?}"
        );
        assert!(
            flipped
                .iter()
                .any(|told| told.starts_with(&format!("{name}: altéré"))),
            "{name}: {flipped:#?}"
        );
    }
    let cut = case.changed(|e| at_name(e, "rapport.pdf").truncate(12));
    only(&cut, "rapport.pdf: tronqué : 12 octets sur 15");
    let longer = case.changed(|e| at_name(e, "rapport.pdf").push(b'\n'));
    only(&longer, "rapport.pdf: altéré : plus long que 15 octets");
    let swapped = case.changed(|e| {
        let first = at_name(e, IMAGE).clone();
        let second = std::mem::replace(at_name(e, OTHER), first);
        *at_name(e, IMAGE) = second;
    });
    assert!(
        swapped.contains(&format!("{IMAGE}: altéré : il a le contenu de {OTHER}")),
        "{swapped:#?}"
    );
    // Of the two that is all that is said of their sizes, and what is wrong elsewhere is still said.
    let with_another = case.changed(|e| {
        let first = at_name(e, IMAGE).clone();
        let second = std::mem::replace(at_name(e, OTHER), first);
        *at_name(e, IMAGE) = second;
        at_name(e, "rapport.pdf").truncate(12);
    });
    let sized: Vec<_> = with_another
        .iter()
        .filter(|told| told.contains(": tronqué :") || told.contains("plus long que"))
        .collect();
    assert_eq!(
        sized,
        ["rapport.pdf: tronqué : 12 octets sur 15"],
        "{with_another:#?}"
    );
}

#[test]
fn content_in_a_masked_place_and_an_image_of_another_manifest_are_named_even_if_the_desk_signed_them() {
    let case = Case::new();
    let unmasked = case.signed_anew(|e| {
        let mut manifest: serde_json::Value =
            serde_json::from_slice(at_name(e, "images/image-00001.json")).expect("JSON");
        // A mask that claims one more block than is filled.
        let runs = manifest["mask"]["runs"].as_array_mut().expect("runs");
        runs.insert(0, serde_json::json!([0, 0, 1]));
        *at_name(e, "images/image-00001.json") = serde_json::to_vec(&manifest).expect("JSON");
    });
    let place = format!("{IMAGE}: contenu dans une zone masquée : bloc de la colonne 0, ligne 0");
    assert!(unmasked.contains(&place), "{unmasked:#?}");
    let other = case.signed_anew(|e| {
        let second = at_name(e, OTHER).clone();
        *at_name(e, IMAGE) = second;
    });
    let place = format!("{IMAGE}: désaccord avec le manifeste : l'image n'est pas le fichier qu'il nomme");
    assert!(other.contains(&place), "{other:#?}");
}

#[test]
fn a_changed_missing_or_cut_journal_is_named_by_its_line_even_if_the_desk_signed_the_contents() {
    let case = Case::new();
    let lines = |e: &mut Entries| -> Vec<String> {
        let text = String::from_utf8(at_name(e, "journal.jsonl").clone()).expect("text");
        text.lines().map(str::to_owned).collect()
    };
    let put = |e: &mut Entries, lines: Vec<String>| {
        *at_name(e, "journal.jsonl") = (lines.join("\n") + "\n").into_bytes();
    };
    let changed = case.signed_anew(|e| {
        let mut all = lines(e);
        all[1] = all[1].replace("retained", "rejected");
        put(e, all);
    });
    only(&changed, "journal.jsonl: journal modifié : ligne 2");
    let missing = case.signed_anew(|e| {
        let mut all = lines(e);
        all.remove(1);
        put(e, all);
    });
    only(
        &missing,
        "journal.jsonl: journal modifié : la ligne 3 ne suit pas la précédente",
    );
    let cut = case.signed_anew(|e| {
        let mut all = lines(e);
        all.remove(2);
        put(e, all);
    });
    only(&cut, "journal.jsonl: journal tronqué : il s'arrête à la ligne 2");
    let headless = case.signed_anew(|e| {
        let mut all = lines(e);
        all.pop();
        put(e, all);
    });
    only(&headless, "journal.jsonl: journal tronqué");
    let added = case.signed_anew(|e| {
        let mut all = lines(e);
        all.push(all[1].clone());
        put(e, all);
    });
    only(
        &added,
        "journal.jsonl: journal modifié : quelque chose suit sa fin",
    );
}

#[test]
fn a_report_that_is_none_and_a_line_that_is_none_are_named_even_if_the_desk_signed_them() {
    let case = Case::new();
    let told = case.signed_anew(|e| *at_name(e, "rapport.pdf") = b"GIF89a".to_vec());
    only(&told, "rapport.pdf: altéré : ce n'est pas un document PDF");
    let told = case.signed_anew(|e| {
        let text = String::from_utf8(at_name(e, "journal.jsonl").clone()).expect("text");
        let mut lines: Vec<&str> = text.lines().collect();
        lines[2] = "{}";
        *at_name(e, "journal.jsonl") = (lines.join("\n") + "\n").into_bytes();
    });
    only(
        &told,
        "journal.jsonl: journal modifié : la ligne 3 du fichier est endommagée",
    );
}

#[test]
fn a_journal_is_of_the_box_that_its_name_tells() {
    let case = Case::new();
    let named = |name: &str| {
        let mut entries = case.entries();
        let journal = entries.iter_mut().find(|(name, _)| name == "journal.jsonl");
        journal.expect("one").0 = name.to_owned();
        let text = String::from_utf8(entries[0].1.clone()).expect("text");
        let mut contents = Contents::read(&text).expect("sound");
        let listed = contents
            .files
            .iter_mut()
            .find(|file| file.name == "journal.jsonl");
        listed.expect("listed").name = name.to_owned();
        entries[0].1 = signed::sign(&contents, &case.key).expect("signed").into_bytes();
        told(&case.check(&zipped(&entries)))
    };
    let desk = case.key.id();
    assert_eq!(named(&format!("journal-{desk}.jsonl")), [""; 0]);
    let other = "journal-0000000000000000.jsonl";
    only(
        &named(other),
        &format!("{other}: journal modifié : il est de l'appareil {desk}"),
    );
}

#[test]
fn another_signer_and_a_broken_signature_are_named() {
    let case = Case::new();
    let other = desk_key();
    let checked =
        verify::package(&case.file(&case.package.zip), Some(other.public()), None).expect("checked");
    only(&told(&checked), "contenu.txt: signataire inconnu");
    let text = String::from_utf8(case.entries()[0].1.clone()).expect("text");
    let mut contents = Contents::read(&text).expect("sound");
    contents.recipient = "Un autre".to_owned();
    let forged = signed::sign(&contents, &other).expect("signed");
    only(
        &case.changed(|e| e[0].1 = forged.into_bytes()),
        "contenu.txt: altéré : la signature de la liste ne tient pas",
    );
    let approver = text.replace("00000000000000b2", "00000000000000a1");
    only(
        &case.changed(|e| e[0].1 = approver.into_bytes()),
        "contenu.txt: altéré",
    );
}

#[test]
fn a_cut_zip_is_refused_and_no_cut_one_passes() {
    let case = Case::new();
    let zip = &case.package.zip;
    for end in (4..zip.len()).step_by(zip.len() / 40) {
        let checked = case.check(&zip[..end]);
        assert_eq!(
            checked.findings[0].what,
            What::Archive("it is cut off or damaged"),
            "{end}"
        );
    }
}

#[test]
fn tricks_with_names_and_sizes_are_refused_and_named() {
    let case = Case::new();
    for name in [
        "../evil.txt",
        "/etc/passwd",
        "images/../../x",
        "C:\\x",
        "images\\x.jpg",
        "NUL",
        "a\u{202e}gpj.exe",
    ] {
        let found = case.changed(|e| e.push((name.to_owned(), vec![1])));
        assert!(
            found
                .iter()
                .any(|told| told.contains("archive refusée : nom menant ailleurs")),
            "{name}: {found:#?}"
        );
    }
    let mut front = b"#!/bin/sh\n".to_vec();
    front.extend_from_slice(&case.package.zip);
    let path = case.file(&front);
    assert!(
        !verify::package::is_package(&path),
        "what does not begin as a ZIP is none"
    );
    let bomb = case.changed(|e| *at_name(e, "lisezmoi.txt") = vec![0; 64 << 20]);
    only(&bomb, "lisezmoi.txt: altéré : plus long que");
    let listless = case.changed(|e| *at_name(e, contents::NAME) = vec![b' '; 8 << 20]);
    assert!(listless[0].starts_with("contenu.txt: altéré"), "{listless:#?}");
}

#[test]
fn two_entries_of_one_name_are_refused() {
    let case = Case::new();
    let mut entries = case.entries();
    entries.push(("rapport.pdx".to_owned(), b"%PDF-1.7\nother".to_vec()));
    let mut zip = zipped(&entries);
    // No writer makes it: the name is changed where it stands, in both places.
    while let Some(at) = zip.windows(11).position(|window| window == b"rapport.pdx") {
        zip[at + 10] = b'f';
    }
    let found = told(&case.check(&zip));
    assert!(
        found
            .iter()
            .any(|told| told.contains("deux éléments portent le même nom")),
        "{found:#?}"
    );
}

#[test]
fn a_link_in_an_unpacked_package_is_not_followed() {
    let case = Case::new();
    let folder = case.folder.path().join("unpacked");
    fs::create_dir_all(folder.join("images")).expect("folders");
    for (name, bytes) in case.entries() {
        fs::write(folder.join(name), bytes).expect("written");
    }
    fs::remove_file(folder.join("rapport.pdf")).expect("removed");
    std::os::unix::fs::symlink(Path::new("/etc/hostname"), folder.join("rapport.pdf")).expect("a link");
    let checked = verify::package(&folder, Some(case.key.public()), None).expect("checked");
    let found = told(&checked);
    assert!(
        found
            .iter()
            .any(|told| told.starts_with("rapport.pdf: archive refusée")),
        "{found:#?}"
    );
    assert!(
        found.iter().any(|told| told == "rapport.pdf: manquant"),
        "{found:#?}"
    );
}

#[test]
fn every_finding_is_told_in_both_languages_and_no_english_word_stands_in_the_french() {
    let case = Case::new();
    let mut entries = case.entries();
    at_name(&mut entries, IMAGE)[700] ^= 4;
    at_name(&mut entries, "journal.jsonl").truncate(900);
    entries.remove(1);
    entries.push(("../x".to_owned(), vec![]));
    let checked = case.check(&zipped(&entries));
    assert!(checked.findings.len() >= 4);
    for finding in &checked.findings {
        let (french, english) = (finding.what.french(), finding.what.english());
        assert_ne!(french, english);
        for word in [" the ", " is ", " not ", " of ", " it ", " line "] {
            assert!(!french.contains(word), "{french}");
        }
    }
    let report = checked.report();
    assert!(!report.ok && report.faults.len() == checked.findings.len());
}

#[test]
fn each_reason_to_refuse_an_archive_or_a_stamp_has_its_own_words() {
    let archives = [
        "it is cut off or damaged",
        "it has too many entries",
        "two entries have one name",
        "its entries lie over one another",
        "an entry cannot be read",
        "something stands before its entries or behind them",
    ];
    let stamps = [
        timestamp::Error::Form,
        timestamp::Error::Refused(2),
        timestamp::Error::Hash,
        timestamp::Error::OtherFile,
    ];
    let all = archives
        .map(What::Archive)
        .into_iter()
        .chain(stamps.map(What::Stamp));
    let told: BTreeSet<String> = all.map(|what| what.french()).collect();
    assert_eq!(told.len(), 10, "{told:#?}");
    let again = Remark::EncodedAgain(IMAGE.to_owned());
    for remark in [&again, &Remark::NoOrder] {
        assert_ne!(remark.french(), remark.english());
    }
    assert!(again.french().starts_with(IMAGE) && again.english().starts_with(IMAGE));
    assert!(Remark::NoOrder.french().contains("ordre") && Remark::NoOrder.english().contains("order"));
}

#[test]
fn an_encrypted_package_opens_with_its_words_alone() {
    let key = desk_key();
    let phrase = vigie::report::passphrase::Passphrase::random().expect("random numbers");
    let frames = [report_kit::frame_of(1, 160, 120)];
    let report = b"%PDF-1.7\n%%EOF\n".to_vec();
    let approved = report_kit::approved(&report, &frames, false);
    let parts = report_kit::parts(vigie::report::Act::Rapport, report, &frames, None);
    let package =
        vigie::report::package::write(&approved, &parts, &key, made(), Some(&phrase)).expect("a package");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("package.zip");
    fs::write(&path, &package.zip).expect("written");
    assert!(!package.zip.windows(8).any(|window| window == b"%PDF-1.7"));
    let check = |phrase: Option<&str>| verify::package(&path, Some(key.public()), phrase);
    assert_eq!(told(&check(Some(phrase.words())).expect("opened")), [""; 0]);
    assert!(matches!(check(None), Err(Error::Encrypted(_))));
    assert!(matches!(check(Some("other words")), Err(Error::Passphrase(_))));
}
