//! What cannot be done safely is refused, with what is wrong and what to do, and every frame stays on the card.
#![cfg(feature = "trap")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use common::{
    EMPTY, Rig, TRIAL, bare, content, digests, frame, json_lines, networks_are_there, picture, stderr,
};
use image::imageops::{FilterType, resize};
use vigie::verify;

/// A box with a card that a refusal must leave as it is.
fn rig() -> Rig {
    let rig = Rig {
        settings: "threads = 1".to_owned(),
        ..Rig::new()
    };
    rig.put("DCIM/IMG_0001.JPG", &frame(EMPTY, "08:00:00", 1));
    rig.put("DCIM/IMG_0002.JPG", b"no JPEG");
    rig.write_config();
    rig
}

/// Runs a command that must be refused, in both languages.
fn refused(rig: &Rig, arguments: &[&str], code: i32, said: [&str; 2]) {
    let before = digests(&content(&rig.card()));
    for (lang, mark, said) in [
        ("C", "what to do: ", said[0]),
        ("fr_FR.UTF-8", "que faire : ", said[1]),
    ] {
        let output = rig.vigie(arguments).env("LANG", lang).output().expect("run");
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(
            told.contains(said) && told.contains(mark),
            "{said:?} is not said: {told}"
        );
        assert!(output.stdout.is_empty(), "only errors, on standard error");
    }
    assert_eq!(digests(&content(&rig.card())), before, "the card is as it was");
}

#[test]
fn a_typing_error_in_the_configuration_is_refused_and_the_nearest_key_named() {
    let mut rig = rig();
    rig.settings = "evnt_gap = \"60 s\"".to_owned();
    rig.write_config();
    refused(
        &rig,
        &["scan"],
        2,
        ["the configuration is refused", "la configuration est refusée"],
    );
    let output = rig.vigie(&["scan"]).output().expect("run");
    assert!(stderr(&output).contains("event_gap"), "{}", stderr(&output));
}

#[test]
fn a_configuration_that_is_not_there_is_refused() {
    let rig = rig();
    fs::remove_file(rig.path("trap.toml")).expect("removed");
    refused(&rig, &["scan"], 2, ["trap.toml", "trap.toml"]);
}

#[test]
fn networks_that_are_not_there_are_refused() {
    let mut rig = rig();
    fs::create_dir(rig.path("no models")).expect("a folder");
    rig.models = rig.path("no models");
    rig.write_config();
    refused(&rig, &["scan"], 1, ["make models", "make models"]);
}

/// A copy of the models' folder: links, but for `changed`, whose first byte is another.
fn models_but(rig: &Rig, changed: &str) {
    let (from, to) = (common::repository().join("models"), rig.path("models"));
    fs::create_dir_all(to.join("onnx")).expect("a folder");
    for folder in ["", "onnx"] {
        for entry in fs::read_dir(from.join(folder)).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = Path::new(folder).join(path.file_name().expect("a name"));
            if name == Path::new(changed) {
                let mut bytes = fs::read(&path).expect("readable");
                bytes[0] ^= 1;
                fs::write(to.join(name), bytes).expect("written");
            } else if path.is_file() {
                symlink(&path, to.join(name)).expect("a link");
            }
        }
    }
}

#[test]
fn a_network_that_is_not_the_approved_one_is_refused() {
    if !networks_are_there() {
        return;
    }
    let mut rig = rig();
    models_but(&rig, "plates.onnx");
    symlink(common::repository().join("runtime"), rig.path("runtime")).expect("a link");
    rig.models = rig.path("models");
    rig.write_config();
    refused(
        &rig,
        &["scan"],
        1,
        ["not the one that was approved", "pas celui qui a été approuvé"],
    );
    let output = rig.vigie(&["scan"]).output().expect("run");
    assert!(stderr(&output).contains("plates.onnx"));
}

#[test]
fn a_runtime_that_is_not_there_is_refused() {
    if !networks_are_there() {
        return;
    }
    let rig = rig();
    refused(
        &rig,
        &["--runtime", "nowhere", "scan"],
        1,
        ["make runtime", "make runtime"],
    );
}

#[test]
fn keys_that_are_not_there_are_refused() {
    if !networks_are_there() {
        return;
    }
    for name in ["device.key", "service-2026-Q4.pub", "recovery-2026-Q4.pub"] {
        let rig = rig();
        fs::remove_file(rig.path(name)).expect("removed");
        refused(
            &rig,
            &["scan"],
            1,
            ["a key file is not there", "un fichier de clé est absent"],
        );
    }
}

#[test]
fn the_vault_of_another_box_is_refused() {
    if !networks_are_there() {
        return;
    }
    let (rig, other) = (rig(), Rig::new());
    rig.scan(&mut vigie::vision::Painted::new());
    fs::copy(other.path("device.key"), rig.path("device.key")).expect("copied");
    refused(
        &rig,
        &["scan"],
        1,
        ["belongs to another box", "appartient à un autre boîtier"],
    );
}

#[test]
fn a_vault_on_the_card_is_refused_before_anything_is_made_there() {
    if !networks_are_there() {
        return;
    }
    let mut rig = rig();
    rig.mode = TRIAL;
    let said = ["lie one inside the other", "sont imbriqués"];
    // The folder of all holds the vault's folder too.
    let all = rig.folder.path().to_str().expect("UTF-8").to_owned();
    refused(&rig, &["scan", &all], 2, said);
    assert!(!rig.store().exists());
    // The vault's name leads onto the card.
    symlink("card/DCIM", rig.store()).expect("a link");
    refused(&rig, &["scan"], 2, said);
    refused(&rig, &["watch", "--until-idle"], 2, said);
}

#[test]
fn a_card_that_is_not_there_is_named() {
    if !networks_are_there() {
        return;
    }
    let rig = rig();
    for lang in ["C", "fr"] {
        let output = rig
            .vigie(&["scan", "no-card"])
            .env("LANG", lang)
            .output()
            .expect("run");
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains("no-card"));
    }
    fs::rename(rig.card(), rig.path("away")).expect("taken out");
    let output = rig.vigie(&["scan", "--json"]).output().expect("run");
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("no card there"), "{}", stderr(&output));
    assert_eq!(json_lines(&output).len(), 1);
}

/// Runs the program in a mount namespace of its own, after these commands; `None`, said aloud, where that is not
/// permitted.
fn apart(rig: &Rig, prepare: &str, arguments: &[&str]) -> Option<Output> {
    let permitted = Command::new("unshare")
        .args(["-m", "sh", "-c", prepare])
        .current_dir(rig.folder.path())
        .output();
    if !permitted.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this user may not mount in a namespace of its own ({prepare})");
        return None;
    }
    let program = rig.vigie(arguments);
    let mut command = Command::new("unshare");
    command
        .args(["-m", "sh", "-c", &format!("{prepare} && exec \"$@\""), "sh"])
        .arg(program.get_program())
        .args(program.get_args())
        .current_dir(rig.folder.path())
        .env_remove("LC_ALL")
        .env("LANG", "C");
    Some(command.output().expect("run"))
}

#[test]
fn a_card_that_cannot_be_written_to_is_reported_and_cleared_when_it_can() {
    if !networks_are_there() {
        return;
    }
    let rig = rig();
    let before = digests(&content(&rig.card()));
    let read_only = "mount --bind card card && mount -o remount,ro,bind card";
    let mut journal = Vec::new();
    for _ in 0..2 {
        let Some(output) = apart(&rig, read_only, &["scan", "--json"]) else {
            return;
        };
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
        assert!(stderr(&output).contains("read-only"), "{}", stderr(&output));
        let lines = json_lines(&output);
        let summary = &lines.last().expect("a summary")["summary"];
        assert_eq!(
            (&summary["not_erased"], &summary["erased"]),
            (&1.into(), &0.into())
        );
        assert_eq!(digests(&content(&rig.card())), before);
        let store = rig.open_store();
        let intents = "SELECT COUNT(*) FROM journal WHERE kind = 'discard_intended'";
        journal.push(
            store
                .sql()
                .query_row(intents, [], |row| row.get::<_, u64>(0))
                .expect("counted"),
        );
    }
    assert_eq!(journal, [1, 1], "the journal does not grow with each try");
    let output = rig.vigie(&["scan", "--json"]).output().expect("run");
    assert_eq!(
        output.status.code(),
        Some(3),
        "the broken one stays: {}",
        stderr(&output)
    );
    let left: Vec<_> = content(&rig.card()).into_iter().map(|(path, _)| path).collect();
    assert_eq!(left, [Path::new("DCIM/IMG_0002.JPG")]);
}

#[test]
fn a_full_disk_loses_nothing() {
    if !networks_are_there() {
        return;
    }
    let mut rig = rig();
    rig.choice = "manual";
    rig.write_config();
    fs::remove_dir_all(rig.card().join("DCIM")).expect("removed");
    // Six frames of some 250 kB, in six events.
    for number in 0..6_u32 {
        let hour = format!("{:02}:00:00", 8 + number);
        let large = resize(&picture(EMPTY, number), 960, 720, FilterType::Nearest);
        let jpeg = common::with_exif(&bare(&large), &hour);
        rig.put(&format!("IMG_{number:04}.JPG"), &jpeg);
    }
    let before = digests(&content(&rig.card()));
    fs::create_dir(rig.store()).expect("a folder");
    // The vault that was full is kept: what it acknowledged must be whole.
    let tiny = "mkdir -p full && mount -t tmpfs -o size=700k,mode=700 tiny store";
    let Some(_) = apart(&rig, tiny, &["--version"]) else {
        return;
    };
    let script = format!("{tiny} && {{ \"$@\"; code=$?; cp -a store/. full/; exit $code; }}");
    let program = rig.vigie(&["scan", "--json"]);
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", &script, "sh"])
        .arg(program.get_program())
        .args(program.get_args())
        .current_dir(rig.folder.path())
        .env("LANG", "C")
        .output()
        .expect("run");
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("the disk is full"),
        "{}",
        stderr(&output)
    );
    let after = digests(&content(&rig.card()));
    assert!(
        after.iter().all(|file| before.contains(file)),
        "what is left is untouched"
    );
    assert!(!after.is_empty(), "the test's disk was large enough for all");

    // With room again, the rest is sealed.
    fs::remove_dir_all(rig.store()).expect("removed");
    fs::rename(rig.path("full"), rig.store()).expect("moved");
    let report = verify::store(&rig.store(), Some(rig.device().public())).expect("a store");
    assert!(report.ok, "{report:#?}");
    let output = rig.vigie(&["scan", "--json"]).output().expect("run");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(content(&rig.card()), []);
    // A frame, a manifest and a record for each event.
    assert_eq!(rig.open_store().items().expect("counted"), 18);
}
