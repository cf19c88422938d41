//! The commented example is the documentation of `trap.toml`: it parses, its defaults are the program's,
//! and every option it shows is one.
#![cfg(feature = "trap")]

use std::path::Path;
use std::time::Duration;

use vigie::config::{
    Access, Choice, Error, Fault, Fill, MaskPolicy, Mode, Occupants, Recipients, RegimeKind, Trap, Video,
};

const EXAMPLE: &str = include_str!("../docs/trap.example.toml");

fn parse(text: &str) -> Result<Trap, Error> {
    Trap::parse(text, Path::new("/etc/vigie/trap.toml"))
}

/// The example with the optional lines of one mark switched on.
fn with(mark: &str) -> String {
    EXAMPLE.replace(&format!("# {mark}: "), "")
}

#[test]
fn the_example_parses_and_says_what_its_comments_say() {
    let trap = parse(EXAMPLE).expect("the example");
    assert_eq!(trap.store, Path::new("/var/lib/vigie"));
    assert_eq!(
        trap.recipients,
        Recipients::Folder("/etc/vigie/recipients".into())
    );
    assert_eq!(trap.mode, Mode::Enforce);
    assert_eq!(trap.triage.choice, Choice::Empty);
    assert_eq!(trap.keep.get(), 12);
    assert_eq!(trap.attempts.get(), 3);
    assert_eq!(Duration::from(trap.event_gap), Duration::from_secs(60));
    assert_eq!(Duration::from(trap.max_hold), Duration::from_secs(3600));
    assert_eq!(Duration::from(trap.max_age), Duration::from_secs(30 * 86400));
    assert_eq!(Duration::from(trap.wipe_period), Duration::from_secs(92 * 86400));
    assert_eq!(
        (trap.mask.day, trap.mask.night),
        (MaskPolicy::Persons, MaskPolicy::AllBut)
    );
    assert_eq!(
        (trap.mask.fill, trap.mask.occupants),
        (Fill::Flat, Occupants::Mask)
    );
    assert_eq!(
        (trap.video, trap.threads, trap.runtime),
        (Video::Leave, None, None)
    );
    let [camera] = &trap.cameras[..] else {
        panic!("one camera")
    };
    assert_eq!(camera.id.as_str(), "quai-nord");
    assert_eq!(camera.regime.kind, RegimeKind::Videoprotection);
    assert_eq!((&camera.access, camera.clock_correction), (&Access::Mounted, 0));
    assert!(camera.privacy.is_empty() && camera.waste.is_none());
}

#[test]
fn what_the_example_calls_a_default_holds_without_the_line() {
    let is_default = |line: &&str| line.trim_end().ends_with("# default");
    assert_eq!(
        EXAMPLE.lines().filter(is_default).count(),
        13,
        "a default was added or lost"
    );
    let bare: Vec<_> = EXAMPLE.lines().filter(|line| !is_default(line)).collect();
    assert_eq!(
        parse(&bare.join("\n")).expect("without defaults"),
        parse(EXAMPLE).expect("with them")
    );
}

#[test]
fn every_option_that_the_example_shows_is_one() {
    let trap = parse(&with("opt")).expect("options");
    assert_eq!(trap.threads.map(usize::from), Some(2));
    assert_eq!(trap.desk_key.as_deref(), Some(Path::new("/etc/vigie/desk.pub")));
    assert_eq!(trap.socket.as_deref(), Some(Path::new("/run/vigie/vigie.sock")));
    assert_eq!(trap.socket_group.as_deref(), Some("vigie-firmware"));
    let camera = &trap.cameras[0];
    assert_eq!(camera.serial.as_deref(), Some("0042317"));
    assert!(camera.waste.is_some() && camera.model.is_some() && trap.runtime.is_some());

    let trial = with("opt-trial").replace("mode = \"enforce\"", "mode = \"trial\"");
    assert!(matches!(parse(&trial).expect("trial").mode, Mode::Trial { .. }));

    let mosaic = with("opt-mosaic").replace("fill = \"flat\"", "fill = \"mosaic\"");
    assert!(matches!(
        parse(&mosaic).expect("mosaic").mask.fill,
        Fill::Mosaic(_)
    ));

    let handover = with("opt-handover").replace("access = \"mounted\"", "access = \"handover\"");
    let Access::Handover { give, .. } = &parse(&handover).expect("handover").cameras[0].access else {
        panic!("not a hand-over")
    };
    assert_eq!(give[..], ["/usr/local/bin/card-to-camera", "quai-nord"]);
}

#[test]
fn options_that_would_be_ignored_in_silence_are_refused() {
    for (mark, key) in [
        ("opt-trial", "trial_from"),
        ("opt-mosaic", "decided_by"),
        ("opt-handover", "take"),
    ] {
        let refused = parse(&with(mark)).expect_err(mark);
        assert!(
            matches!(&refused, Error::Refused { fault: Fault::Idle { key: k, .. }, .. } if *k == key),
            "{refused}"
        );
    }
}
