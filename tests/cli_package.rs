//! `vigie verify` of a package: its words in French and in English, its exit codes, its JSON.
#![cfg(feature = "verify")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/vectors")
}

fn verify(language: &str, package: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vigie"))
        .env_clear()
        .env("LANG", language)
        .current_dir(vectors())
        .args(["verify", &format!("package/{package}")])
        .args(arguments)
        .output()
        .expect("run")
}

fn told(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8") + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn an_intact_package_is_said_to_be_in_both_languages() {
    let french = verify("fr_FR.UTF-8", "good.zip", &["--device", "desk.pub"]);
    assert_eq!(french.status.code(), Some(0), "{}", told(&french));
    for said in [
        "paquet 2026-T-0007, dossier 2026-IVR-0042",
        "signé par le poste",
        "good.zip : intact",
    ] {
        assert!(told(&french).contains(said), "{said}: {}", told(&french));
    }
    let english = verify("C", "good.zip", &[]);
    assert_eq!(english.status.code(), Some(0));
    for said in [
        "package 2026-T-0007",
        "the package says itself",
        "good.zip: intact",
    ] {
        assert!(told(&english).contains(said), "{said}: {}", told(&english));
    }
}

#[test]
fn a_fault_has_its_exit_code_its_file_and_its_word() {
    for (package, french, english) in [
        ("missing.zip", "lisezmoi.txt : manquant", "lisezmoi.txt: missing"),
        ("added.zip", "plus.txt : ajouté", "plus.txt: added"),
        (
            "renamed.zip",
            "image-00002.jpg : renommé",
            "image-00002.jpg: renamed",
        ),
        (
            "reordered.zip",
            "journal.jsonl : réordonné",
            "journal.jsonl: reordered",
        ),
        ("altered.zip", "rapport.pdf : altéré", "rapport.pdf: altered"),
        ("truncated.zip", "rapport.pdf : tronqué", "rapport.pdf: truncated"),
        (
            "unmasked.zip",
            "contenu dans une zone masquée",
            "content in a masked place",
        ),
        ("mismatch.zip", "désaccord avec le manifeste", "manifest mismatch"),
        (
            "journal-line.zip",
            "journal modifié : ligne 2",
            "journal changed: line 2",
        ),
        ("cut.zip", "archive refusée", "archive refused"),
    ] {
        for (language, word) in [("fr_FR.UTF-8", french), ("en_GB.UTF-8", english)] {
            let output = verify(language, package, &["--device", "desk.pub"]);
            assert_eq!(output.status.code(), Some(4), "{}", told(&output));
            assert!(told(&output).contains(word), "{word}: {}", told(&output));
        }
    }
}

#[test]
fn json_is_the_same_in_every_language_and_names_place_and_fault() {
    let output = verify("fr_FR.UTF-8", "altered.zip", &["--json", "--device", "desk.pub"]);
    assert_eq!(output.status.code(), Some(4));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["ok"], false);
    assert_eq!(report["faults"][0]["where"], "rapport.pdf");
    assert!(
        report["faults"][0]["what"]
            .as_str()
            .is_some_and(|what| what.starts_with("altered: "))
    );
}

#[test]
fn an_encrypted_package_asks_for_its_words_and_opens_with_them() {
    let opened = verify(
        "C",
        "encrypted.zip",
        &[
            "--device",
            "desk.pub",
            "--passphrase-file",
            "package/encrypted.passphrase",
        ],
    );
    assert_eq!(opened.status.code(), Some(0), "{}", told(&opened));
    let without = verify("fr_FR.UTF-8", "encrypted.zip", &[]);
    assert_eq!(without.status.code(), Some(1));
    assert!(told(&without).contains("--passphrase-file"), "{}", told(&without));
    let wrong = verify("C", "encrypted.zip", &["--passphrase-file", "desk.pub"]);
    assert_eq!(wrong.status.code(), Some(1), "{}", told(&wrong));
}
