//! A card is wiped when it is due, also after the box was off; what can be sealed is sealed first; what was done is
//! certified; a wipe that is cut off is taken up again.
//!
//! Needs the right to mount; skips without.
#![cfg(feature = "trap")]

mod common;
mod volumes;

use std::fs;
use std::sync::atomic::AtomicBool;

use common::{EMPTY, Rig, TRIAL, Told, VAN, WALKER, clock, content, frame, json_lines, stderr, stdout};
use vigie::card::wipe::{self, Phase, Progress, Refusal};
use vigie::frame::BoxTime;
use vigie::trap::Error;
use vigie::trap::service::Service;
use vigie::trap::wiping::{Unwatched, Wiped};
use vigie::vault::certificate::{Certificate, LIMIT, Reason, What};
use vigie::vault::store::CERTIFICATES;
use vigie::vault::{Store, signed};
use vigie::verify;
use vigie::vision::Painted;
use vigie::vision::painted::Job;
use volumes::{Mounted, alone, in_memory};

/// A box whose card is a mounted volume; not unmounted before the box is gone.
struct Trap {
    _mounted: Mounted,
    rig: Rig,
}

fn trap(rig: Rig) -> Option<Trap> {
    let mounted = in_memory(&rig.card(), "4m")?;
    fs::create_dir(rig.card().join("DCIM")).expect("a folder");
    rig.write_config();
    Some(Trap {
        _mounted: mounted,
        rig,
    })
}

fn days(day: i64) -> BoxTime {
    BoxTime(clock().0 + jiff::SignedDuration::from_hours(24 * day))
}

fn with_service<T>(rig: &Rig, day: i64, painted: &Painted, work: impl FnOnce(&mut Service<'_>) -> T) -> T {
    rig.prove_keys();
    let config = rig.config();
    let mut store = Store::open(&rig.store(), &rig.device(), days(day)).expect("a store");
    let now = || days(day);
    let done = work(&mut Service {
        config: &config,
        store: &mut store,
        recipients: &rig.recipients(),
        detector: &mut painted.clone(),
        clock: &now,
        stop: &AtomicBool::new(false),
    });
    store.close(now()).expect("closed");
    done
}

/// The box is powered on this day, takes what lies there, and ends.
fn powered_on(rig: &Rig, day: i64, painted: &Painted) {
    with_service(rig, day, painted, |service| {
        let ended = service.watch(true, &mut Told::default()).expect("a round");
        assert!(ended.absent.is_empty(), "{:?}", ended.absent);
    });
}

fn wipe_now(rig: &Rig, painted: &Painted, progress: &mut dyn Progress) -> Result<Wiped, Error> {
    with_service(rig, 0, painted, |service| {
        let camera = &service.config.cameras[0];
        service.wipe(camera, &rig.card(), Reason::Asked, progress)
    })
}

/// The certificates in the store's folder, each read by the box's key.
fn certificates(rig: &Rig) -> Vec<Certificate> {
    let folder = rig.store().join(CERTIFICATES);
    let files = if folder.exists() {
        content(&folder)
    } else {
        Vec::new()
    };
    let signed = files
        .into_iter()
        .filter(|(path, _)| path.extension().is_some_and(|e| e == "json"));
    let read = |(_, bytes)| {
        let text = String::from_utf8(bytes).expect("text");
        signed::read(&text, rig.device().public(), "the box").expect("signed")
    };
    signed.map(read).collect()
}

fn assert_verified(rig: &Rig) {
    let report = verify::path(&rig.store(), Some(rig.device().public()), None).expect("a store");
    assert!(report.ok, "{:?}", report.faults);
}

fn lines(rig: &Rig, kind: &str) -> u64 {
    let sql = "SELECT count(*) FROM journal WHERE kind = ?1";
    let store = rig.open_store();
    store
        .sql()
        .query_row(sql, [kind], |row| row.get(0))
        .expect("counted")
}

fn put_mixed_card(rig: &Rig) {
    rig.put("DCIM/100MEDIA/IMG_0001.JPG", &frame(VAN, "08:00:00", 1));
    rig.put("DCIM/100MEDIA/IMG_0002.JPG", &frame(EMPTY, "09:00:00", 2));
    rig.put("DCIM/100MEDIA/IMG_0003.JPG", &frame(WALKER, "10:00:00", 3));
    rig.put("DCIM/100MEDIA/IMG_0004.JPG", b"no JPEG");
    rig.put("DCIM/100MEDIA/MOV_0001.AVI", b"RIFF");
    rig.put("notes.txt", b"somebody's");
}

#[test]
fn a_card_is_wiped_at_the_end_of_its_term_also_after_the_box_was_off_and_says_how_late() {
    let _alone = alone();
    let Some(Trap { _mounted, rig }) = trap(Rig {
        settings: "max_age = \"31 days\"".to_owned(),
        ..Rig::new()
    }) else {
        return;
    };
    let painted = Painted::new();
    powered_on(&rig, 0, &painted);
    rig.put("notes.txt", b"somebody's");
    for day in [1, 91] {
        powered_on(&rig, day, &painted);
        assert_eq!(certificates(&rig), [], "day {day}");
    }
    powered_on(&rig, 91, &painted);
    assert_eq!(certificates(&rig), [], "91 days are believed, and are not 92");
    // Off over the due date: a leap of the clock is believed when it is seen again.
    powered_on(&rig, 100, &painted);
    assert_eq!(certificates(&rig), []);
    rig.put("DCIM/100MEDIA/IMG_0001.JPG", &frame(VAN, "08:00:00", 1));
    powered_on(&rig, 100, &painted);
    let [certificate] = &certificates(&rig)[..] else {
        panic!("one certificate")
    };
    assert_eq!((certificate.due, certificate.period.from), (days(92), days(0)));
    assert_eq!(certificate.late_seconds, 8 * 24 * 3600);
    let What::Wipe(wiped) = &certificate.what else {
        panic!("of a wipe")
    };
    assert!(wiped.is_whole() && wiped.reason == Reason::Due);
    assert_eq!(content(&rig.card()), []);
    assert_verified(&rig);
    for day in 101..103 {
        powered_on(&rig, day, &painted);
        assert_eq!(certificates(&rig).len(), 1, "once, until the next term is over");
    }
}

#[test]
fn what_can_be_sealed_is_sealed_first_and_what_cannot_is_counted_with_its_reason() {
    let _alone = alone();
    let Some(Trap { _mounted, rig }) = trap(Rig::new()) else {
        return;
    };
    put_mixed_card(&rig);
    let wiped = wipe_now(&rig, &Painted::new(), &mut Unwatched).expect("wiped");
    assert_eq!(
        rig.open_store().items().expect("counted"),
        3,
        "frame, manifest and record of the van"
    );
    let wipe = &wiped.wipe;
    let files = (wipe.files.frames, wipe.files.videos, wipe.files.others);
    assert_eq!(files, (1, 1, 1));
    assert_eq!(wipe.unusable, [("not-jpeg".to_owned(), 1)].into());
    assert!(wipe.is_whole() && wipe.fill.bytes > 3 << 20, "{:?}", wipe.fill);
    assert_eq!(wiped.certificate.limit, LIMIT);
    assert_eq!(certificates(&rig), [wiped.certificate]);
    assert_eq!((lines(&rig, "wipe_intended"), lines(&rig, "wiped")), (1, 1));
    assert_eq!(content(&rig.card()), []);
    assert!(rig.card().join("DCIM").is_dir());
    assert_verified(&rig);
    // The camera goes on.
    rig.put("DCIM/100MEDIA/IMG_0004.JPG", &frame(VAN, "12:00:00", 4));
    let (_, summary) = rig.scan(&mut Painted::new());
    assert_eq!((summary.kept, summary.erased), (1, 1));
}

#[test]
fn nothing_is_wiped_while_an_event_cannot_be_sealed_or_a_trial_lasts_or_no_card_is_mounted() {
    let _alone = alone();
    let Some(Trap { _mounted, mut rig }) = trap(Rig::new()) else {
        return;
    };
    put_mixed_card(&rig);
    let painted = Painted::new();
    painted.fail_next(Job::Guard);
    painted.fail_next(Job::Guard);
    // The first round takes what it can; in the second nothing more goes.
    let refused = wipe_now(&rig, &painted, &mut Unwatched);
    assert!(
        matches!(&refused, Err(Error::Unprocessed { frames: 1, reason }) if reason == "network-failed"),
        "{refused:?}"
    );
    assert!(rig.card().join("DCIM/100MEDIA/IMG_0001.JPG").exists());
    assert!(rig.card().join("notes.txt").exists(), "nothing at all was wiped");
    painted.fail_next(Job::Scout);
    rig.put("DCIM/100MEDIA/IMG_0009.JPG", &frame(VAN, "11:00:00", 9));
    assert!(matches!(
        wipe_now(&rig, &painted, &mut Unwatched),
        Err(Error::Vision(_))
    ));
    assert!(rig.card().join("notes.txt").exists());
    rig.mode = TRIAL;
    assert!(matches!(
        wipe_now(&rig, &painted, &mut Unwatched),
        Err(Error::Trial)
    ));
    rig.mode = common::ENFORCE;
    assert_eq!((lines(&rig, "wipe_intended"), certificates(&rig).len()), (0, 0));
    drop(_mounted);
    fs::create_dir(rig.card().join("DCIM")).expect("a folder");
    rig.put("notes.txt", b"in a plain folder");
    match wipe_now(&rig, &painted, &mut Unwatched) {
        Err(Error::Wipe(wipe::Error::Refused { why, .. })) => {
            assert!(
                matches!(why, Refusal::NotMounted | Refusal::Ours(_) | Refusal::System),
                "{why:?}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(content(&rig.card()).len(), 1);
}

/// Stops at the n-th step.
struct StopAt(usize);

impl Progress for StopAt {
    fn begin(&mut self, _: Phase, _: u64) {}
    fn advance(&mut self, _: u64) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 > 0
    }
}

#[test]
fn a_wipe_that_is_cut_off_is_taken_up_again_under_its_number_and_frames_go_on_being_taken() {
    let _alone = alone();
    let Some(Trap { _mounted, rig }) = trap(Rig::new()) else {
        return;
    };
    put_mixed_card(&rig);
    let painted = Painted::new();
    for (nth, steps) in [1, 3, 30, 80].into_iter().enumerate() {
        let stopped = wipe_now(&rig, &painted, &mut StopAt(steps));
        assert!(
            matches!(stopped, Err(Error::Wipe(wipe::Error::Stopped))),
            "{stopped:?}"
        );
        let place = format!("DCIM/NEW_{nth:04}.JPG");
        rig.put(&place, &frame(VAN, &format!("11:{nth:02}:00"), 20 + nth as u32));
        let (_, summary) = rig.scan(&mut painted.clone());
        assert_eq!(summary.events_sealed, 1, "after {steps} steps");
    }
    // The next start takes it up, though nothing is due.
    powered_on(&rig, 0, &painted);
    let [certificate] = &certificates(&rig)[..] else {
        panic!("one certificate")
    };
    let What::Wipe(wiped) = &certificate.what else {
        panic!("of a wipe")
    };
    assert_eq!(
        (wiped.interrupted, wiped.reason, wiped.is_whole()),
        (4, Reason::Asked, true)
    );
    assert_eq!(certificate.number, "vidage-quai-0001");
    assert_eq!((lines(&rig, "wipe_intended"), lines(&rig, "wiped")), (5, 1));
    assert_verified(&rig);
}

#[test]
fn a_wipe_that_cannot_be_done_keeps_nobody_from_taking_frames() {
    let _alone = alone();
    // Not mounted: a plain folder is never wiped.
    let rig = Rig::new();
    let painted = Painted::new();
    powered_on(&rig, 0, &painted);
    for (seed, day) in [(1, 100), (2, 100), (3, 101)] {
        rig.put("DCIM/IMG_0001.JPG", &frame(VAN, "08:00:00", seed));
        powered_on(&rig, day, &painted);
        assert_eq!(content(&rig.card()), [], "day {day}");
    }
    assert_eq!(rig.open_store().items().expect("counted"), 9);
    assert_eq!(certificates(&rig), []);
}

#[test]
fn any_change_to_a_certificate_is_found_and_a_lost_file_comes_back_at_the_next_opening() {
    let _alone = alone();
    let Some(Trap { _mounted, rig }) = trap(Rig::new()) else {
        return;
    };
    let wiped = wipe_now(&rig, &Painted::new(), &mut Unwatched).expect("wiped");
    assert_verified(&rig);
    let folder = rig.store().join(CERTIFICATES);
    let faults = || {
        verify::path(&rig.store(), Some(rig.device().public()), None)
            .expect("a store")
            .faults
            .len()
    };
    for (name, bytes) in content(&folder) {
        let path = folder.join(&name);
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            fs::write(&path, &changed).expect("written");
            assert_eq!(faults(), 1, "{} byte {at}", name.display());
        }
        fs::remove_file(&path).expect("removed");
        assert_eq!(faults(), 1, "{} is gone", name.display());
        drop(rig.open_store());
        assert_eq!(fs::read(&path).expect("there again"), bytes);
        assert_eq!(faults(), 0);
    }
    fs::write(folder.join("vidage-quai-0002.json"), b"mine").expect("written");
    assert_eq!(faults(), 1, "an added one");
    fs::remove_file(folder.join("vidage-quai-0002.json")).expect("removed");
    // In the database: a fault there, one in the closing, one in each of what does not fit it any more.
    let db = rusqlite::Connection::open(rig.store().join("vault.db")).expect("opened");
    let text = wiped
        .filed
        .text
        .replace("\"late_seconds\":0", "\"late_seconds\":1");
    assert_ne!(text, wiped.filed.text);
    db.execute("UPDATE certificate SET text = ?1", [&text])
        .expect("changed");
    drop(db);
    let report = verify::path(&rig.store(), Some(rig.device().public()), None).expect("a store");
    let of_it = |fault: &&verify::Fault| fault.place.starts_with("certificate vidage-quai-0001");
    assert!(
        report.faults.iter().filter(of_it).count() >= 2,
        "{:?}",
        report.faults
    );
}

#[test]
fn the_plan_touches_nothing_and_what_is_refused_says_why_in_both_languages() {
    let _alone = alone();
    let Some(Trap { _mounted, rig }) = trap(Rig::new()) else {
        return;
    };
    put_mixed_card(&rig);
    let before = content(&rig.card());
    let output = rig
        .vigie(&["wipe", "card", "--plan", "--json"])
        .output()
        .expect("run");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let [plan] = &json_lines(&output)[..] else {
        panic!("one object")
    };
    let of = |name: &str| plan[name].as_u64().expect("a count");
    assert_eq!(["frames", "videos", "others", "links"].map(of), [4, 1, 1, 0]);
    assert_eq!(plan["file_system"], "tmpfs");
    assert!(of("free_bytes") > 3 << 20 && of("bytes") > 1000, "{plan:?}");
    assert!(content(&rig.card()) == before && !rig.store().exists());
    for (lang, said) in [
        ("C", "not a camera's card"),
        ("fr", "n'est pas la carte d'une caméra"),
    ] {
        for how in ["--plan", "--yes"] {
            let output = rig
                .vigie(&["wipe", "card/DCIM", how])
                .env("LANG", lang)
                .output()
                .expect("run");
            assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
            assert!(stderr(&output).contains(said), "{}", stderr(&output));
        }
    }
    for neither in [&["wipe", "card"][..], &["wipe", "card", "--plan", "--yes"]] {
        assert_eq!(rig.vigie(neither).output().expect("run").status.code(), Some(2));
    }
    let french = rig
        .vigie(&["wipe", "card", "--plan"])
        .env("LANG", "fr")
        .output()
        .expect("run");
    for english in ["files", "photographs", "other", "free", "wipe", "bytes"] {
        assert!(
            !stdout(&french).contains(english),
            "{english}: {}",
            stdout(&french)
        );
    }
}

#[test]
fn the_command_wipes_writes_its_certificate_and_tells_it() {
    let _alone = alone();
    if !common::networks_are_there() {
        return;
    }
    let Some(Trap { _mounted, rig }) = trap(Rig::new()) else {
        return;
    };
    rig.put("DCIM/IMG_0001.JPG", b"no JPEG");
    let command = ["wipe", "card", "--yes", "--json", "--certificate", "out"];
    let output = rig.vigie(&command).output().expect("run");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let [done] = &json_lines(&output)[..] else {
        panic!("one object")
    };
    assert_eq!((&done["whole"], &done["files"]), (&true.into(), &1.into()));
    assert_eq!(
        content(&rig.path("out")),
        content(&rig.store().join(CERTIFICATES))
    );
    let page = fs::read_to_string(rig.path("out/vidage-quai-0001.txt")).expect("a page");
    assert!(page.starts_with("CERTIFICAT DE DESTRUCTION"), "{page}");
    assert_eq!(certificates(&rig).len(), 1);
    let output = rig
        .vigie(&["wipe", "card", "--yes"])
        .env("LANG", "fr")
        .output()
        .expect("run");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stdout(&output).contains("espace libre rempli et relu"),
        "{}",
        stdout(&output)
    );
}

#[test]
fn a_status_says_when_the_next_wipe_is_due_that_it_is_late_and_that_one_was_not_whole() {
    let rig = Rig::new();
    rig.write_config();
    rig.put("DCIM/IMG_0001.JPG", &frame(EMPTY, "08:00:00", 1));
    rig.scan(&mut Painted::new());
    let status = || {
        let output = rig.vigie(&["status", "--json"]).output().expect("run");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        json_lines(&output).remove(0)
    };
    let before = status();
    assert_eq!(
        (&before["wipe_due"], &before["wipe_overdue"]),
        (&"2027-01-20".into(), &false.into())
    );
    let db = rusqlite::Connection::open(rig.store().join("vault.db")).expect("opened");
    db.execute(
        "UPDATE wipe_term SET since = '2026-01-01T00:00:00Z', whole = 0",
        [],
    )
    .expect("as if");
    drop(db);
    let after = status();
    assert_eq!(
        (&after["wipe_due"], &after["wipe_overdue"]),
        (&"2026-04-03".into(), &true.into())
    );
    let degraded = after["degraded"].as_array().expect("a list");
    assert!(
        degraded.contains(&"wipe-overdue".into()) && degraded.contains(&"wipe-in-part".into()),
        "{degraded:?}"
    );
}
