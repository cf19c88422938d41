//! Whoever has the right may have the destruction of recordings attested: truly, and without personal data.
#![cfg(feature = "trap")]

mod common;

use common::{Rig, json_lines, stderr, stdout};
use vigie::vault::attestation::{Answer, Attestation};
use vigie::vault::signed;
use vigie::vision::Painted;

fn attest(rig: &Rig, from: &str, to: &str, more: &[&str]) -> std::process::Output {
    let times = ["attest", "--camera", "quai", "--from", from, "--to", to];
    let mut command = rig.vigie(&[&times, more].concat());
    command.env("LC_ALL", "fr_FR.UTF-8").output().expect("run")
}

#[test]
fn an_attestation_says_what_became_of_each_event_of_a_time_and_is_signed_by_the_box() {
    let rig = Rig::new();
    rig.put_busy_card();
    rig.scan(&mut Painted::new());
    let out = rig.path("attestation.vigie");
    let answer = |from, to| {
        let output = attest(&rig, from, to, &["--json"]);
        assert!(output.status.success(), "{}", stderr(&output));
        json_lines(&output)[0]["answer"].as_str().map(str::to_owned)
    };
    // What was kept of the morning is told; nothing was recorded at night.
    assert_eq!(
        answer("2026-10-20T06:00", "2026-10-20T23:00").as_deref(),
        Some("kept")
    );
    assert_eq!(
        answer("2026-10-19T00:00", "2026-10-19T23:00").as_deref(),
        Some("destroyed")
    );

    let output = attest(
        &rig,
        "2026-10-20T06:00",
        "2026-10-20T23:00",
        &["--out", out.to_str().expect("text")],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let text = std::fs::read_to_string(&out).expect("written");
    let read: Attestation = signed::read(&text, rig.device().public(), "the box").expect("signed");
    assert_eq!((read.answer, read.on_card), (Answer::Kept, Some(0)));
    assert!(
        read.events.kept > 0 && read.events.discarded > 0,
        "{:?}",
        read.events
    );
    let page = stdout(&output);
    println!("{page}");
    assert!(page.lines().all(|line| line.chars().count() <= 110));
    let written = std::fs::read_to_string(out.with_extension("txt")).expect("written");
    assert!(page.starts_with(written.trim_end()));
}

#[test]
fn frames_that_wait_on_the_card_are_not_attested_to_be_gone() {
    // A trial erases nothing: all frames are still there.
    let mut rig = Rig::new();
    rig.mode = common::TRIAL;
    rig.put_busy_card();
    rig.scan(&mut Painted::new());
    let output = attest(&rig, "2026-10-20T05:00", "2026-10-20T05:30", &["--json"]);
    let found = &json_lines(&output)[0];
    assert_eq!(found["on_card"], 0, "nothing was taken then");
    assert_eq!(found["answer"], "destroyed");
    let output = attest(&rig, "2026-10-20T06:00", "2026-10-20T23:00", &["--json"]);
    let found = &json_lines(&output)[0];
    assert!(found["on_card"].as_u64().is_some_and(|frames| frames > 0));
    assert_ne!(found["answer"], "destroyed");
}
