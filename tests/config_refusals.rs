//! A configuration with a slip is refused: at its line, by what is wrong, with what to do.
#![cfg(feature = "trap")]

use std::path::Path;

use proptest::prelude::*;
use vigie::config::{Error, Fault, Mode, Trap};

const EXAMPLE: &str = include_str!("../docs/trap.example.toml");

fn parse(text: &str) -> Result<Trap, Error> {
    Trap::parse(text, Path::new("trap.toml"))
}

/// The example with one piece of text changed; the line of the change is where the refusal must point.
fn slip(from: &str, to: &str) -> (String, usize) {
    let start = EXAMPLE
        .find(from)
        .unwrap_or_else(|| panic!("{from:?} is not in the example"));
    let line = 1 + EXAMPLE[..start].matches('\n').count();
    (EXAMPLE.replacen(from, to, 1), line)
}

/// A second camera, after the first.
fn second(id: &str, card: &str) -> String {
    let start = EXAMPLE.find("[[camera]]\n").expect("a camera");
    let camera = EXAMPLE[start..].replace("quai-nord\"\nsite", &format!("{id}\"\nsite"));
    EXAMPLE.to_owned() + "\n" + &camera.replace("card = \"/media/quai-nord\"", &format!("card = \"{card}\""))
}

#[test]
fn every_slip_is_refused_at_its_line_with_what_to_do() {
    let zone = "zone = [[0.05, 0.35], [0.95, 0.35], [1.0, 1.0], [0.0, 1.0]]";
    for (from, to, says) in [
        ("keep = 12", "kep = 12", "unknown key `kep`: did you mean `keep`?"),
        ("day = ", "dya = ", "did you mean `day`?"),
        (
            "clock_correction",
            "clock-correction",
            "did you mean `clock_correction`?",
        ),
        ("day = ", "zzz = ", "unknown key `zzz`: remove it"),
        (
            "day = ",
            "max_age = ",
            "`max_age`: it belongs at the top of the file",
        ),
        ("privacy = []", "reason = 'x'", "`reason`: it belongs in [triage]"),
        (
            "night = \"all-but\"",
            "night = \"all_but\"",
            "write one of \"persons\", \"all-but\"",
        ),
        (
            "choice = \"empty\"",
            "choice = \"some\"",
            "\"manual\", \"empty\", \"irrelevant\"",
        ),
        (
            "mode = \"enforce\"\n",
            "mode = \"trial\"\n",
            "`trial_from` is missing",
        ),
        ("keep = 12", "keep = 0", "`keep` = 0 is out of bounds: 1 to 500"),
        ("keep = 12", "keep = \"12\"", "invalid type"),
        ("keep = 12", "keep = = 12", ""),
        ("attempts = 3", "attempts = 70000", "1 to 100"),
        (
            "# opt: threads = 2",
            "threads = 0",
            "`threads` = 0 is out of bounds: 1 to 64",
        ),
        (
            "\"30 days\" ",
            "\"32 days\" ",
            "31 days (one month: CSI art. L.252-5)",
        ),
        ("\"30 days\" ", "\"-1 day\" ", "out of bounds"),
        ("\"30 days\" ", "\"a while\" ", "not a length of time"),
        ("\"30 days\" ", "\"1 month\" ", "not a length of time"),
        ("\"30 days\" ", "\"99999999 weeks\" ", "`max_age`"),
        ("\"92 days\"", "\"93 days\"", "the quarter promised to the public"),
        (
            "max_hold = \"1 h\"",
            "max_hold = \"59 s\"",
            "`max_hold` is shorter than `event_gap`",
        ),
        (
            "decided_on = 2026-10-01\nreason",
            "decided_on = 2026-10-01T08:00:00\nreason",
            "not a date",
        ),
        ("from = 2026-09-01", "from = \"2026-09-31\"", "not a date"),
        (
            "until = 2031-08-31",
            "until = 2025-08-31",
            "`until` is before `from`",
        ),
        (
            "kind = \"videoprotection\", r",
            "kind = \"sans_texte\", r",
            "`acknowledged_by` is missing",
        ),
        ("site = \"Quai Nord, face", "site = \"\\u0007", "one line"),
        (
            "decided_by = \"A. Durand, adjointe à la propreté\"\n",
            "decided_by = \" \"\n",
            "say something",
        ),
        ("id = \"quai-nord\"", "id = \"Quai Nord\"", "use 1 to 32 of a-z"),
        (
            "store = \"/var/lib/vigie\"",
            "store = \"\"",
            "`store` must say something",
        ),
        (
            "store = \"/var/lib/vigie\"",
            "store = \"/media/quai-nord/vigie\"",
            "move `store` elsewhere",
        ),
        (
            "store = \"/var/lib/vigie\"",
            "store = \"/media\"",
            "move `store` elsewhere",
        ),
        (
            "device_key = \"/etc",
            "device_key = \"/media/quai-nord/../quai-nord",
            "move `device_key`",
        ),
        (
            "recipients = \"/etc/vigie/recipients\"",
            "recipients = { service = \"service.pub\" }",
            "write a folder, or { service =",
        ),
        (
            "recipients = \"/etc/vigie/recipients\"",
            "recipients = { service = \"a.pub\", recovery = \"./a.pub\" }",
            "`recovery` is the same file as `service`",
        ),
        (
            "recipients = \"/etc/vigie/recipients\"",
            "recipients = \"/media/quai-nord/keys\"",
            "move `recipients` elsewhere",
        ),
        (zone, "zone = \"everywhere\"", "or \"all\" for the whole frame"),
        (zone, "zone = [[0, 0], [1, 0], [1, 2]]", "corner 3 is outside"),
        ("privacy = []", "privacy = [[[0, 0], [1, 1]]]", "2 corners"),
        (
            "clock_correction = 0",
            "clock_correction = 9223372036854775807",
            "a hundred years",
        ),
        (
            "access = \"mounted\"",
            "access = \"handover\"",
            "`blind_at_most` is missing",
        ),
    ] {
        let (text, line) = slip(from, to);
        let message = parse(&text).expect_err(to).to_string();
        assert!(
            message.starts_with(&format!("trap.toml:{line}: ")),
            "{to}: {message} (expected {line})"
        );
        assert!(message.contains(says), "{to}: {message}");
    }
}

#[test]
fn what_the_city_must_decide_has_no_default() {
    for key in [
        "store",
        "models",
        "recipients",
        "device_key",
        "mode",
        "choice",
        "decided_by",
        "decided_on",
        "reason",
        "id",
        "site",
        "regime",
        "card",
        "access",
        "zone",
    ] {
        let lines = EXAMPLE
            .lines()
            .filter(|line| !line.starts_with(&format!("{key} = ")));
        let refused = parse(&lines.collect::<Vec<_>>().join("\n")).expect_err(key);
        assert!(
            matches!(&refused, Error::Refused { fault: Fault::Missing(k), .. } if k == key),
            "{key}: {refused}"
        );
    }
    let nothing = parse("").expect_err("an empty file");
    assert!(nothing.to_string().starts_with("trap.toml:1: `"), "{nothing}");
    let start = EXAMPLE.find("[[camera]]\n").expect("a camera");
    let none = EXAMPLE[..start].replacen("store =", "camera = []\nstore =", 1);
    let refused = parse(&none).expect_err("no camera");
    assert!(
        matches!(
            refused,
            Error::Refused {
                fault: Fault::NoCamera,
                ..
            }
        ),
        "{refused}"
    );
}

#[test]
fn a_trial_ends_by_itself_after_at_most_thirty_days() {
    let trial = |from: &str, until: &str| {
        parse(
            &EXAMPLE
                .replace("mode = \"enforce\"\n", "mode = \"trial\"\n")
                .replace("# opt-trial: ", "")
                .replace("trial_from = 2026-11-21", &format!("trial_from = {from}"))
                .replace("trial_until = 2026-12-21", &format!("trial_until = {until}")),
        )
    };
    let mode = trial("2026-11-21", "2026-12-21").expect("thirty days").mode;
    let over = |day: &str| mode.trial_is_over(day.parse().expect("a day"));
    assert!(!over("2026-11-21") && !over("2026-12-21") && over("2026-12-22") && over("2026-11-20"));
    assert!(!Mode::Enforce.trial_is_over("2026-12-22".parse().expect("a day")));
    for (from, until) in [("2026-11-21", "2026-12-22"), ("2026-12-21", "2026-11-21")] {
        assert!(trial(from, until).is_err(), "{from} {until}");
    }
}

#[test]
fn two_cameras_share_neither_id_nor_card() {
    let two = parse(&second("rue-9", "/media/rue-9")).expect("two cameras");
    assert_eq!(two.cameras.len(), 2);
    let refusal = |id, card| match parse(&second(id, card)).expect_err("shared") {
        Error::Refused { at, fault } => {
            assert!(
                at.line > EXAMPLE.lines().count(),
                "the second camera is to blame: {at}"
            );
            fault
        }
        other => panic!("{other}"),
    };
    assert!(matches!(
        refusal("quai-nord", "/media/rue-9"),
        Fault::SameCamera(_)
    ));
    for card in [
        "/media/quai-nord",
        "/media/quai-nord/DCIM",
        "/media/./quai-nord/",
        "/media/x/../quai-nord",
    ] {
        assert!(matches!(refusal("rue-9", card), Fault::SameCard { .. }), "{card}");
    }
}

#[test]
fn the_zone_version_changes_with_a_corner_and_with_nothing_else() {
    let version = |from: &str, to: &str| {
        let trap = parse(&EXAMPLE.replacen(from, to, 1)).expect("an example");
        trap.cameras[0].zone_version()
    };
    let plain = version("", "");
    assert_eq!(plain, version("Quai Nord,", "Quai Sud,"));
    let triangle = "[[0.5, 0.5], [1.0, 0.5], [1.0, 1.0]]";
    let waste = version("privacy = []", &format!("waste = {triangle}"));
    let privacy = version("privacy = []", &format!("privacy = [{triangle}]"));
    assert_ne!(plain, version("[0.05, 0.35]", "[0.06, 0.35]"));
    assert_ne!(plain, waste);
    assert_ne!(waste, privacy);
}

#[test]
fn relative_paths_count_from_the_configuration() {
    let text = EXAMPLE.replace("\"/var/lib/vigie\"", "\"store\"");
    let trap = Trap::parse(&text, Path::new("/etc/vigie/trap.toml")).expect("an example");
    assert_eq!(trap.store, Path::new("/etc/vigie/store"));
}

#[test]
fn a_file_that_is_no_configuration_is_refused_and_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trap.toml");
    let refusal = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("written");
        Trap::read(&path).expect_err("refused").to_string()
    };
    assert!(refusal(b"store = 1\n# \xff").contains("trap.toml:2: not UTF-8"));
    assert!(refusal(&vec![b'#'; (1 << 20) + 1]).contains("longer than 1 MiB"));
    std::fs::write(&path, EXAMPLE).expect("written");
    assert!(Trap::read(&path).is_ok());
    std::fs::remove_file(&path).expect("removed");
    assert!(matches!(Trap::read(&path), Err(Error::Unreadable { .. })));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(at in 0..EXAMPLE.len(), cut in 0..200usize, put in "[\\[\\]{}\"'=#.0-9a-z \n-]{0,6}") {
        let floor = |mut i: usize| { while !EXAMPLE.is_char_boundary(i) { i -= 1 } i };
        let (start, end) = (floor(at), floor((at + cut).min(EXAMPLE.len())));
        let _ = parse(&format!("{}{put}{}", &EXAMPLE[..start], &EXAMPLE[end..]));
    }
}
