//! The desk wraps what it imports to its own keys as a box seals: to none that was revoked; and the drill tries its
//! vault as it opens it.
#![cfg(feature = "trap")]

mod common;
mod transfer_kit;
mod vault_kit;

use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::{json_lines, program, stderr};
use transfer_kit::{Way, at};
use vigie::frame::{BoxTime, EventId};
use vigie::vault::keys::{Revocation, office_init};
use vigie::vault::{Epoch, Recipient, Role, Tx, store};

/// Between its fork and its exec, a command that another test starts holds the lock of a store that was closed meanwhile:
/// one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn what_is_imported_is_wrapped_to_no_revoked_key_and_the_drill_says_which_key_opens_it() {
    let _alone = alone();
    let way = Way::new();
    way.seal(1, &[200]);
    let keys = way.desk_dir().join("keys");
    let stolen = way.kit.service.recipient().fingerprint();
    let revocation = Revocation::new(&way.desk_key(), vec![stolen], "vol", at(0)).expect("one");
    revocation
        .write(&way.desk_key(), &keys.join("vol.revocation"))
        .expect("written");
    way.out();
    way.take_in_well();
    let stanzas = way
        .desk()
        .wrapped(EventId::from_bytes([1; 8]))
        .expect("read")
        .expect("wrapped");
    assert_eq!(
        stanzas.iter().map(|s| s.role).collect::<Vec<_>>(),
        [Role::Recovery]
    );

    // The item's own header still names the stolen key; the desk does not open by it any more.
    let drill = |name: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        fs::copy(way.kit.folder.path().join(name), path).expect("copied");
        let mut command = program();
        command
            .args(["keys", "drill", "--json", "--keys"])
            .arg(folder.path());
        command.arg("--store").arg(way.desk_dir().join("store"));
        let output = command.output().expect("run");
        let lines = json_lines(&output);
        let event = lines.iter().find(|line| line.contains_key("event"));
        let opened = event.unwrap_or_else(|| panic!("{}", stderr(&output)))["opened_with"].clone();
        (output.status.code(), opened)
    };
    assert_eq!(drill("service-2026-Q4.key"), (Some(4), serde_json::Value::Null));
    let recovery = way.kit.recovery.recipient().fingerprint().to_string();
    assert_eq!(drill("recovery-2026-Q4.key"), (Some(0), recovery.into()));
}

/// The desk's commands about keys, on a desk that holds an event sealed to keys of a quarter that is over.
#[test]
fn keys_that_an_event_hangs_on_are_destroyed_only_once_it_is_wrapped_anew() {
    let _alone = alone();
    let way = Way::new();
    let made = office_init(way.kit.folder.path(), "2026-Q2".parse().expect("a quarter")).expect("made");
    let past = [&made.service, &made.recovery].map(|files| Recipient::read(&files.public).expect("a key"));
    way.give("service-2026-Q2.key", "desk/keys");
    way.seal_to(1, &[200], &past);
    way.out();
    way.take_in_well();
    // As it came, before anything was wrapped at the desk.
    let mut desk = way.desk();
    let forget = |tx: &mut Tx<'_>| {
        tx.raw()
            .execute("DELETE FROM wrap", [])
            .map_err(store::Error::from)
    };
    desk.store.transaction(forget).expect("forgotten");
    desk.store.close(at(200)).expect("closed");
    // The desk's keys are of this quarter, whenever this is run.
    let now = BoxTime(jiff::Timestamp::now());
    let current = Epoch::at(now).expect("a quarter");
    if !way.path(&format!("service-{current}.pub")).exists() {
        office_init(way.kit.folder.path(), current).expect("made");
    }
    for name in ["service", "recovery"] {
        way.give(&format!("{name}-{current}.pub"), "desk/keys");
    }
    way.give(&format!("service-{current}.key"), "desk/keys");

    let path = |name: &str| way.path(name).display().to_string();
    let run = |arguments: &[&str]| {
        let output = program().args(arguments).arg("--json").output().expect("run");
        (output.status.code(), json_lines(&output), stderr(&output))
    };
    let (keys, desk, key, out) = (
        path("desk/keys"),
        path("desk"),
        path("desk/desk.key"),
        path("d.txt"),
    );
    let destroy = ["keys", "destroy-epoch", "2026-Q2", "--keys", &keys];
    let at_desk = [&destroy[..], &["--desk", &desk]].concat();
    let yes = ["--yes", "--key", &key, "--out", &out];
    let event = EventId::from_bytes([1; 8]).to_string();
    for how in [&["--plan"][..], &yes] {
        let (code, told, error) = run(&[&at_desk, how].concat());
        assert_eq!((code, told.len()), (Some(1), 0), "{error}");
        assert!(error.contains(&event) && error.contains("keys rewrap"), "{error}");
        // Where no desk is named, nobody knows what hangs on them.
        let (code, _, error) = run(&[&destroy[..], how].concat());
        assert_eq!(code, Some(2), "{error}");
        let (code, _, error) = run(&[&destroy[..], &["--desk", &keys], how].concat());
        assert_eq!(code, Some(2), "{error}");
    }
    assert!(way.path("desk/keys/service-2026-Q2.key").exists() && !way.path("d.txt").exists());

    let (code, told, error) = run(&["keys", "rewrap", "--desk", &desk]);
    assert_eq!((code, told.len()), (Some(0), 2), "{error}");
    assert_eq!(
        (&told[0]["event"], &told[0]["state"]),
        (&event.clone().into(), &"rewrapped".into())
    );
    assert_eq!(common::keys(&told[0]), ["event", "state", "why"]);
    let summary = serde_json::json!({"cannot_open": 0, "events": 1, "rewrapped": 1});
    assert_eq!(told[1]["summary"], summary);
    let (_, told, _) = run(&["keys", "rewrap", "--desk", &desk]);
    assert_eq!(told[0]["state"], "current");

    let (code, told, error) = run(&[&at_desk[..], &["--plan"]].concat());
    assert_eq!((code, &told[0]["state"]), (Some(0), &"planned".into()), "{error}");
    let (code, told, error) = run(&[&at_desk[..], &yes].concat());
    assert_eq!(
        (code, &told[0]["state"]),
        (Some(0), &"destroyed".into()),
        "{error}"
    );
    assert!(!way.path("desk/keys/service-2026-Q2.key").exists());
    // What is wrapped anew opens with this quarter's key, though the item's own header does not name it.
    let (store, key) = (path("desk/store"), path(&format!("service-{current}.key")));
    let (code, opened, error) = run(&[
        "open",
        &event,
        "--key",
        &key,
        "--store",
        &store,
        "--out",
        &path("opened"),
    ]);
    assert_eq!(
        (code, &opened[0]["files"][0]),
        (Some(0), &"event.json".into()),
        "{error}"
    );
}
