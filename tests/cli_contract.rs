//! Exit codes, languages and JSON are what docs/commands.md says, whoever reads them.
#![cfg(feature = "trap")]

mod common;

use std::process::Output;

use common::{EMPTY, Rig, frame, json_lines, keys, networks_are_there, program, repository, stderr, stdout};

fn code(output: &Output) -> i32 {
    output
        .status
        .code()
        .unwrap_or_else(|| panic!("killed: {}", stderr(output)))
}

#[test]
fn done_is_0_and_done_in_part_is_3_and_json_is_all_that_is_printed() {
    if !networks_are_there() {
        return;
    }
    let rig = Rig::new();
    rig.put("DCIM/IMG_0001.JPG", &frame(EMPTY, "08:00:00", 1));
    rig.put("DCIM/MOV_0001.AVI", b"RIFF");
    rig.put("notes.txt", b"mine");
    let output = rig.vigie(&["scan", "--json"]).output().expect("run");
    assert_eq!(
        code(&output),
        0,
        "a video is left as the city chose: {}",
        stderr(&output)
    );
    assert_eq!(stderr(&output), "");
    let lines = json_lines(&output);
    assert_eq!(lines.len(), 3);
    for line in &lines[..2] {
        assert_eq!(keys(line), ["event", "file", "reason", "redaction", "verdict"]);
    }
    assert_eq!(keys(&lines[2]), ["summary"]);
    let text: Vec<_> = stdout(&output).lines().map(str::to_owned).collect();
    let begins =
        r#"{"file":"DCIM/IMG_0001.JPG","verdict":"discard","reason":"empty","event":null,"redaction":null}"#;
    assert!(text.iter().any(|line| line == begins), "{text:#?}");

    rig.put("DCIM/IMG_0002.JPG", b"no JPEG");
    for (lang, said) in [("en_GB.UTF-8", "not a JPEG"), ("fr_FR.UTF-8", "pas un JPEG")] {
        let output = rig.vigie(&["scan"]).env("LANG", lang).output().expect("run");
        assert_eq!(code(&output), 3);
        assert!(stdout(&output).contains(said), "{}", stdout(&output));
    }
    let french = rig.vigie(&["scan"]).env("LANG", "fr").output().expect("run");
    for english in ["frames", "files", "kept", "discarded", "erased", "peak"] {
        assert!(
            !stdout(&french).contains(english),
            "{english}: {}",
            stdout(&french)
        );
    }
}

#[test]
fn detect_and_redact_print_the_keys_of_the_contract() {
    if !networks_are_there() {
        return;
    }
    let rig = Rig::new();
    let van = repository().join("testdata/card/DCIM/100MEDIA/IMG_0008.JPG");
    let van = van.to_str().expect("UTF-8");
    let broken = rig.put("broken.jpg", b"no JPEG");
    let broken = broken.to_str().expect("UTF-8");
    let output = rig
        .vigie(&["detect", "--json", van, broken])
        .output()
        .expect("run");
    assert_eq!(code(&output), 3, "{}", stderr(&output));
    let lines = json_lines(&output);
    assert_eq!(
        keys(&lines[0]),
        [
            "file", "height", "ms", "night", "persons", "plates", "vehicles", "width"
        ]
    );
    let object = |value: &serde_json::Value| value.as_object().expect("an object").clone();
    assert_eq!(
        keys(&object(&lines[0]["ms"])),
        ["guard", "index", "plates", "scout"]
    );
    for kind in ["vehicles", "persons"] {
        let first = object(&lines[0][kind][0]);
        assert_eq!(keys(&first), ["box", "score"], "{kind}");
        assert_eq!(first["box"].as_array().map(Vec::len), Some(4));
    }
    let plate = object(&lines[0]["plates"][0]);
    assert_eq!(keys(&plate), ["box", "corners", "score"]);
    assert_eq!(plate["corners"].as_array().map(Vec::len), Some(4));
    assert_eq!(keys(&lines[1]), ["error", "file"]);

    let output = rig
        .vigie(&["redact", "--json", van, "out.jpg", "--mask", "all-but"])
        .output()
        .expect("run");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let [line] = &json_lines(&output)[..] else {
        panic!("one object")
    };
    assert_eq!(keys(line), ["file", "manifest", "mask", "out", "redaction"]);
    let mask = object(&line["mask"]);
    assert!(mask.contains_key("unit") && mask.contains_key("runs"), "{mask:?}");
    assert_eq!(mask["unit"].as_array().map(Vec::len), Some(2));
    // Written once, never over.
    let output = rig.vigie(&["redact", van, "out.jpg"]).output().expect("run");
    assert_eq!(code(&output), 1);
}

#[test]
fn status_is_one_object_and_needs_no_vault() {
    let rig = Rig::new();
    for round in 0..2 {
        let output = rig.vigie(&["status", "--json"]).output().expect("run");
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        let [status] = &json_lines(&output)[..] else {
            panic!("one object")
        };
        let there = [
            "cameras",
            "clock",
            "degraded",
            "events",
            "free_bytes",
            "free_files",
            "journal_head",
            "journal_lines",
            "keys",
            "last_bundle",
            "last_return",
            "mode",
            "networks",
            "runtime",
            "service",
            "temperature",
            "trial_ends",
            "uptime_seconds",
            "wipe_due",
            "wipe_overdue",
        ];
        assert_eq!(keys(status), there);
        assert_eq!(
            status["events"].as_array().map(Vec::len),
            Some(if round == 0 { 0 } else { 2 })
        );
        rig.put_busy_card();
        rig.scan(&mut vigie::vision::Painted::new());
    }
}

#[test]
fn wrong_use_is_2_and_nothing_is_printed_on_standard_output() {
    for arguments in [
        &["scan", "--no-such-option"][..],
        &["no-such-command"],
        &["redact", "only-one"],
        &[],
    ] {
        let output = program().args(arguments).output().expect("run");
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(
            output.stdout.is_empty() && !output.stderr.is_empty(),
            "{arguments:?}"
        );
    }
    let output = program().arg("--version").output().expect("run");
    assert_eq!((code(&output), stderr(&output).as_str()), (0, ""));
}

#[test]
fn an_expired_trial_is_refused_and_says_what_to_do() {
    let mut rig = Rig::new();
    rig.mode = "mode = \"trial\"\ntrial_from = 2026-01-01\ntrial_until = 2026-01-31";
    rig.put("A.JPG", b"a frame");
    rig.write_config();
    for (lang, said) in [
        ("C", "set mode = \"enforce\""),
        ("fr", "passez à mode = \"enforce\""),
    ] {
        let output = rig.vigie(&["scan"]).env("LANG", lang).output().expect("run");
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
}

#[test]
fn keys_are_made_once_kept_secret_and_never_written_over() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    for command in ["trap-init", "office-init"] {
        let run = || {
            let mut vigie = program();
            vigie
                .args(["keys", command, "made"])
                .current_dir(folder.path())
                .output()
                .expect("run")
        };
        assert_eq!(code(&run()), 0, "{command}");
        let made = common::content(&folder.path().join("made"));
        let again = run();
        assert_eq!(code(&again), 1, "{command}");
        assert!(stderr(&again).contains("never overwritten"), "{}", stderr(&again));
        assert!(common::content(&folder.path().join("made")) == made);
    }
    let mut secrets = 0;
    for (path, _) in common::content(&folder.path().join("made")) {
        if path.extension().is_some_and(|e| e == "key") {
            secrets += 1;
            let mode = folder
                .path()
                .join("made")
                .join(&path)
                .metadata()
                .expect("there")
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        }
    }
    assert_eq!(secrets, 3);
}
