//! The keys on the box: each event is sealed to those of its quarter, a revocation counts at once, and without any key
//! the frames stay where they are.
#![cfg(feature = "trap")]

mod common;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use common::{
    Rig, Told, UNLOADING, VAN, clock, content, count, frame, json_lines, program, stderr, stdout, told,
};
use vigie::frame::BoxTime;
use vigie::trap::service::Service;
use vigie::trap::{Listener, Outcome, Word};
use vigie::vault::item::{Header, ItemId};
use vigie::vault::keys::{Revocation, desk_init, office_init, office_init_quarters};
use vigie::vault::store::Cause;

use vigie::vault::{DeviceKey, Epoch, Fingerprint, Recipient, Role, Store, Tx};
use vigie::vision::Painted;

/// A box whose recipients lie in a folder: two quarters from 2026-Q4 on; and the desk's key.
fn rig() -> (Rig, DeviceKey) {
    let rig = Rig::new();
    fs::create_dir(rig.path("recipients")).expect("a folder");
    bring(&rig, "2026-Q4", 2);
    let desk = desk_init(rig.folder.path()).expect("made").files;
    (rig, DeviceKey::read_desk(&desk.secret).expect("a key"))
}

/// Puts the public keys of some quarters into the recipients' folder; the fingerprints of the service's.
fn bring(rig: &Rig, from: &str, quarters: u8) -> Vec<Fingerprint> {
    let office = tempfile::tempdir().expect("a folder");
    let made = office_init_quarters(office.path(), from.parse().expect("a quarter"), quarters);
    let made = made.expect("made");
    for pair in &made {
        for files in [&pair.service, &pair.recovery] {
            let name = format!("recipients/{}.pub", files.fingerprint);
            fs::copy(&files.public, rig.path(&name)).expect("copied");
        }
    }
    made.iter().map(|pair| pair.service.fingerprint).collect()
}

fn with_folder(rig: &Rig) -> vigie::config::Trap {
    let pair = r#"{ service = "service-2026-Q4.pub", recovery = "recovery-2026-Q4.pub" }"#;
    let text = rig
        .config_text()
        .replace(pair, "\"recipients\"\ndesk_key = \"desk.pub\"");
    fs::write(rig.path("trap.toml"), &text).expect("written");
    vigie::config::Trap::parse(&text, &rig.path("trap.toml")).expect("a configuration")
}

fn revoke(rig: &Rig, desk: &DeviceKey, keys: Vec<Fingerprint>) {
    let revocation = Revocation::new(desk, keys, "vol du poste du service", clock()).expect("one");
    let path = rig.path("recipients/vol.revocation");
    revocation.write(desk, &path).expect("written");
}

fn everyone(rig: &Rig) -> Vec<Recipient> {
    let files = fs::read_dir(rig.path("recipients")).expect("a folder");
    let read = files.filter_map(|entry| Recipient::read(&entry.expect("an entry").path()).ok());
    read.collect()
}

fn scan(rig: &Rig, now: BoxTime) -> Vec<Outcome> {
    let config = with_folder(rig);
    let mut store = Store::open(&rig.store(), &rig.device(), now).expect("a store");
    let mut told = Told::default();
    Service {
        config: &config,
        store: &mut store,
        recipients: &vigie::trap::recipients::read(&config).expect("keys"),
        detector: &mut Painted::new(),
        clock: &|| now,
        stop: &AtomicBool::new(false),
    }
    .scan(&config.cameras[0], &rig.card(), &mut told)
    .expect("a whole round");
    store.close(now).expect("closed");
    told.0
}

/// To whom each item in the store is sealed.
fn sealed_to(store: &Path) -> BTreeSet<Vec<(Role, String)>> {
    let items = fs::read_dir(store.join("items")).expect("items");
    let header = |path: PathBuf| Header::read(&mut File::open(path).expect("opened")).expect("a header");
    items
        .map(|entry| {
            let stanzas = header(entry.expect("an entry").path()).stanzas;
            stanzas.iter().map(|s| (s.role, s.epoch.to_string())).collect()
        })
        .collect()
}

fn both(quarter: &str) -> Vec<(Role, String)> {
    [Role::Service, Role::Recovery]
        .map(|role| (role, quarter.to_owned()))
        .into()
}

/// The same for the keys of a quarter.
fn prove_quarter(rig: &Rig, quarter: &str, now: BoxTime) {
    let keys = everyone(rig).into_iter();
    let of_quarter = keys.filter(|key| key.epoch().to_string() == quarter);
    let fingerprints: Vec<_> = of_quarter.map(|key| key.fingerprint()).collect();
    prove(rig, &fingerprints, now);
}

/// Writes down that the desk has opened what is sealed to these keys.
fn prove(rig: &Rig, keys: &[Fingerprint], now: BoxTime) {
    rig.prove_keys();
    let mut store = Store::open(&rig.store(), &rig.device(), now).expect("a store");
    let proven = |tx: &mut Tx<'_>| -> Result<(), vigie::vault::store::Error> {
        for key in keys {
            let known = "INSERT OR IGNORE INTO proven_key (fingerprint) VALUES (?)";
            tx.raw().execute(known, [key.to_string()])?;
        }
        Ok(())
    };
    store.transaction(proven).expect("committed");
    store.close(now).expect("closed");
}

fn on_card(rig: &Rig) -> Vec<String> {
    let files = content(&rig.card()).into_iter();
    files.map(|(path, _)| path.display().to_string()).collect()
}

fn at(text: &str) -> BoxTime {
    BoxTime(text.parse().expect("an instant"))
}

#[test]
fn events_are_sealed_to_the_keys_of_the_quarter_in_which_they_are_sealed() {
    let (rig, _) = rig();
    rig.put("DCIM/A.JPG", &frame(UNLOADING, "08:00:00", 1));
    scan(&rig, at("2026-12-31T23:59:00Z"));
    assert_eq!(sealed_to(&rig.store()), [both("2026-Q4")].into());
    rig.put("DCIM/B.JPG", &frame(UNLOADING, "09:00:00", 2));
    scan(&rig, at("2027-01-01T00:01:00Z"));
    assert_eq!(sealed_to(&rig.store()), [both("2026-Q4"), both("2027-Q1")].into());
}

#[test]
fn a_clock_that_was_set_back_chooses_no_past_quarter() {
    let (rig, _) = rig();
    prove_quarter(&rig, "2026-Q4", clock());
    rig.put("DCIM/A.JPG", &frame(UNLOADING, "08:00:00", 1));
    scan(&rig, at("2027-02-01T00:00:00Z"));
    rig.put("DCIM/B.JPG", &frame(UNLOADING, "09:00:00", 2));
    let on_card = content(&rig.card());
    // The battery is empty: the clock begins again where the system last saved it.
    scan(&rig, at("2026-11-01T00:00:00Z"));
    assert_eq!(sealed_to(&rig.store()), [both("2027-Q1")].into());
    assert_eq!(
        content(&rig.card()),
        on_card,
        "the desk has proven the keys of the quarter that the clock says, not those that it was sealed to"
    );
}

#[test]
fn one_wrong_leap_of_the_clock_seals_nothing_to_a_coming_quarter_once_it_is_mended() {
    let (rig, _) = rig();
    let before = at("2026-11-20T00:00:00Z");
    scan(&rig, before);
    rig.put("DCIM/A.JPG", &frame(UNLOADING, "08:00:00", 1));
    scan(&rig, at("2027-02-01T00:00:00Z"));
    assert_eq!(sealed_to(&rig.store()), [both("2027-Q1")].into());
    rig.put("DCIM/B.JPG", &frame(UNLOADING, "09:00:00", 2));
    scan(&rig, BoxTime(before.0 + jiff::SignedDuration::from_hours(1)));
    assert_eq!(sealed_to(&rig.store()), [both("2026-Q4"), both("2027-Q1")].into());
}

#[test]
fn what_waits_for_an_unproven_key_does_not_go_when_another_is_proven() {
    let (rig, _) = rig();
    let (before, after) = (at("2026-12-31T23:59:00Z"), at("2027-01-01T00:01:00Z"));
    rig.put("DCIM/A.JPG", &frame(UNLOADING, "08:00:00", 1));
    scan(&rig, before);
    prove_quarter(&rig, "2027-Q1", after);
    rig.put("DCIM/B.JPG", &frame(UNLOADING, "09:00:00", 2));
    scan(&rig, after);
    scan(&rig, after);
    assert_eq!(
        on_card(&rig),
        ["DCIM/A.JPG"],
        "nobody has opened what A was sealed to"
    );
    // An item that does not say to whom it is sealed proves nothing.
    let items = fs::read_dir(rig.store().join("items")).expect("items");
    let items: Vec<_> = items.map(|entry| entry.expect("an entry").path()).collect();
    let whole: Vec<_> = items.iter().map(|path| fs::read(path).expect("read")).collect();
    items
        .iter()
        .for_each(|path| fs::write(path, b"vigie").expect("written"));
    prove_quarter(&rig, "2026-Q4", after);
    scan(&rig, after);
    assert_eq!(on_card(&rig), ["DCIM/A.JPG"]);
    for (path, bytes) in items.iter().zip(whole) {
        fs::write(path, bytes).expect("written");
    }
    scan(&rig, after);
    assert_eq!(on_card(&rig), Vec::<String>::new());
}

#[test]
fn what_the_desk_has_taken_waits_for_no_proof_of_its_key() {
    let (rig, _) = rig();
    let (before, after) = (at("2026-12-31T23:59:00Z"), at("2027-01-01T00:01:00Z"));
    rig.put("DCIM/A.JPG", &frame(UNLOADING, "08:00:00", 1));
    scan(&rig, before);
    prove_quarter(&rig, "2027-Q1", after);
    let mut store = Store::open(&rig.store(), &rig.device(), after).expect("a store");
    let names = fs::read_dir(rig.store().join("items")).expect("items");
    let items: Vec<ItemId> = names
        .map(|entry| entry.expect("an entry").file_name())
        .map(|name| name.to_str().expect("a name").parse().expect("an item"))
        .collect();
    let numbers: Vec<u32> = items.iter().map(|item| item.number).collect();
    store
        .transaction(|tx| tx.erase_items(after, items[0].event, &numbers, Cause::Returned))
        .expect("committed");
    store.close(after).expect("closed");
    scan(&rig, after);
    assert_eq!(on_card(&rig), Vec::<String>::new());
}

#[test]
fn without_any_key_frames_stay_on_the_card_until_there_is_one() {
    let (rig, desk) = rig();
    revoke(
        &rig,
        &desk,
        everyone(&rig).iter().map(Recipient::fingerprint).collect(),
    );
    rig.put("DCIM/A.JPG", &frame(UNLOADING, "08:00:00", 1));
    let before = content(&rig.card());
    let outcomes = scan(&rig, clock());
    let waiting = told(&outcomes, "DCIM/A.JPG");
    assert_eq!(
        (waiting.verdict, waiting.reason.as_str()),
        (Word::Held, "no-recipient")
    );
    assert_eq!(content(&rig.card()), before);
    assert_eq!(sealed_to(&rig.store()), [].into());

    bring(&rig, "2026-Q4", 1);
    assert_eq!(count(&scan(&rig, clock()), Word::Keep), 1);
    assert_eq!(sealed_to(&rig.store()), [both("2026-Q4")].into());
    assert_eq!(
        content(&rig.card()),
        before,
        "no desk has shown yet that it holds the new key"
    );
}

/// Ends the service when a frame was kept.
struct UntilKept<'s>(&'s AtomicBool);

impl Listener for UntilKept<'_> {
    fn begin(&mut self, _files: u64) {}
    fn step(&mut self) {}
    fn outcome(&mut self, outcome: &Outcome) {
        if outcome.verdict == Word::Keep {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_revocation_counts_for_a_service_that_is_running() {
    let (rig, desk) = rig();
    let config = with_folder(&rig);
    // As read when the service began; the revocation comes after.
    let before = vigie::trap::recipients::read(&config).expect("keys");
    let services = everyone(&rig).into_iter().filter(|r| r.role() == Role::Service);
    revoke(&rig, &desk, services.map(|r| r.fingerprint()).collect());
    rig.put("DCIM/A.JPG", &frame(VAN, "08:00:00", 1));
    let mut store = rig.open_store();
    let stop = AtomicBool::new(false);
    // Each look at the clock is half a minute later: the event is complete in the second round.
    let looks = Cell::new(0);
    let now = || {
        looks.set(looks.get() + 1);
        BoxTime(clock().0 + jiff::SignedDuration::from_secs(30 * looks.get()))
    };
    Service {
        config: &config,
        store: &mut store,
        recipients: &before,
        detector: &mut Painted::new(),
        clock: &now,
        stop: &stop,
    }
    .watch(false, &mut UntilKept(&stop))
    .expect("no error");
    store.close(now()).expect("closed");
    assert_eq!(
        sealed_to(&rig.store()),
        [vec![(Role::Recovery, "2026-Q4".to_owned())]].into()
    );
}

fn this_quarter() -> Epoch {
    Epoch::at(BoxTime(jiff::Timestamp::now())).expect("a quarter")
}

fn status(rig: &Rig) -> serde_json::Map<String, serde_json::Value> {
    let output = rig.vigie(&["status", "--json"]).output().expect("run");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    json_lines(&output).remove(0)
}

/// What `degraded` says of the keys.
fn degraded(rig: &Rig) -> Vec<String> {
    let of_keys = |word: &String| {
        ["key", "recipient", "epoch", "revocation"]
            .iter()
            .any(|part| word.contains(part))
    };
    all_degraded(rig).into_iter().filter(of_keys).collect()
}

fn all_degraded(rig: &Rig) -> Vec<String> {
    let words = status(rig)["degraded"].as_array().expect("words").clone();
    let words = words.iter().map(|word| word.as_str().expect("a word").to_owned());
    words.collect()
}

#[test]
fn status_tells_for_which_quarters_there_are_keys_and_what_is_wrong_with_them() {
    let rig = Rig::new();
    fs::create_dir(rig.path("recipients")).expect("a folder");
    let desk = desk_init(rig.folder.path()).expect("made").files;
    let desk = DeviceKey::read_desk(&desk.secret).expect("a key");
    with_folder(&rig);
    let current = this_quarter();
    assert_eq!(degraded(&rig), ["no-recipient", "keys-running-out"]);
    let service = bring(&rig, &current.to_string(), 1);
    assert_eq!(degraded(&rig), ["keys-running-out"]);
    bring(&rig, &current.next().expect("a quarter").to_string(), 1);
    assert_eq!(degraded(&rig), Vec::<String>::new());
    let keys = &status(&rig)["keys"];
    assert_eq!(keys["quarters"].as_array().map(Vec::len), Some(2));
    assert_eq!(keys["sealing_to"][0]["fingerprint"], service[0].to_string());
    assert_eq!(keys["sealing_to"][0]["epoch"], current.to_string());

    revoke(&rig, &desk, service.clone());
    assert!(degraded(&rig).contains(&"service-key-revoked".to_owned()));
    assert_eq!(status(&rig)["keys"]["revoked"][0], service[0].to_string());
    // Nothing to read at all is told too, and everything else with it.
    fs::remove_dir_all(rig.path("recipients")).expect("removed");
    assert_eq!(degraded(&rig), ["no-recipient"]);
}

#[test]
fn status_tells_of_frames_that_wait_for_a_key_that_is_no_longer_used() {
    let rig = Rig::new();
    fs::create_dir(rig.path("recipients")).expect("a folder");
    let desk = desk_init(rig.folder.path()).expect("made").files;
    let desk = DeviceKey::read_desk(&desk.secret).expect("a key");
    let now = BoxTime(jiff::Timestamp::now());
    let waits = || all_degraded(&rig).contains(&"no-return-file".to_owned());
    bring(&rig, &this_quarter().to_string(), 1);
    rig.put("DCIM/A.JPG", &frame(UNLOADING, "08:00:00", 1));
    scan(&rig, now);
    let before: Vec<_> = everyone(&rig).iter().map(Recipient::fingerprint).collect();
    revoke(&rig, &desk, before.clone());
    let after = bring(&rig, &this_quarter().to_string(), 1);
    prove(&rig, &after, now);
    scan(&rig, now);
    assert_eq!(on_card(&rig), ["DCIM/A.JPG"]);
    assert!(
        waits(),
        "the desk has shown that it holds the new key, not the one A was sealed to"
    );
    prove(&rig, &before, now);
    assert!(!waits());
}

#[test]
fn the_life_of_keys_by_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let run = |arguments: &[&str]| {
        let output = program()
            .arg("keys")
            .args(arguments)
            .arg("--json")
            .output()
            .expect("run");
        (output.status.code(), json_lines(&output), stderr(&output))
    };
    let (office, desk) = (path("office"), path("desk"));
    let (code, made, error) = run(&["office-init", &office, "--from", "2026-Q2", "--quarters", "2"]);
    assert_eq!((code, made.len()), (Some(0), 4), "{error}");
    assert_eq!(
        common::keys(&made[0]),
        ["epoch", "fingerprint", "kind", "public", "secret"]
    );
    let (code, signer, error) = run(&["desk-init", &desk]);
    assert_eq!((code, &signer[0]["kind"]), (Some(0), &"desk".into()), "{error}");

    let service = path("office/service-2026-Q2.pub");
    let (code, shown, error) = run(&["show", &service, &path("desk/desk.key")]);
    assert_eq!((code, shown.len()), (Some(0), 2), "{error}");
    assert_eq!(
        common::keys(&shown[0]),
        ["epoch", "file", "fingerprint", "half", "kind"]
    );
    assert_eq!(
        (&shown[0]["half"], &shown[1]["half"]),
        (&"public".into(), &"secret".into())
    );
    assert_eq!(shown[0]["fingerprint"], made[0]["fingerprint"]);

    let (desk_key, out) = (path("desk/desk.key"), path("vol.revocation"));
    let by_name = made[2]["fingerprint"].as_str().expect("a name");
    let (code, revoked, error) = run(&[
        "revoke", &service, by_name, "--reason", "vol", "--key", &desk_key, "--out", &out,
    ]);
    assert_eq!(code, Some(0), "{error}");
    assert_eq!(
        common::keys(&revoked[0]),
        ["desk", "keys", "out", "reason", "revoked"]
    );
    assert_eq!(revoked[0]["keys"].as_array().map(Vec::len), Some(2));
    let (code, _, error) = run(&[
        "revoke",
        by_name,
        "--reason",
        "vol",
        "--key",
        &desk_key,
        "--out",
        &path("vol.txt"),
    ]);
    assert_eq!(code, Some(2), "{error}");

    let (code, tried, error) = run(&["drill", "--keys", &office]);
    assert_eq!((code, tried.len()), (Some(0), 5), "{error}");
    assert_eq!(
        common::keys(&tried[0]),
        ["epoch", "fingerprint", "role", "state", "why"]
    );
    assert_eq!(tried[4]["summary"]["ok"], true);

    let destroy = ["destroy-epoch", "2026-Q2", "--keys", &office, "--desk", &desk];
    let (code, planned, error) = run(&[&destroy[..], &["--plan"]].concat());
    assert_eq!((code, planned.len()), (Some(0), 2), "{error}");
    assert_eq!(
        common::keys(&planned[0]),
        ["epoch", "file", "fingerprint", "role", "state"]
    );
    // Neither without saying so, nor without a signer and a place for the certificate.
    assert_eq!(run(&destroy).0, Some(2));
    assert_eq!(run(&[&destroy[..], &["--yes"]].concat()).0, Some(2));
    let certificate = path("destruction.txt");
    let yes = ["--yes", "--key", &desk_key, "--out", &certificate];
    let (code, destroyed, error) = run(&[&destroy[..], &yes].concat());
    assert_eq!(
        (code, &destroyed[0]["state"]),
        (Some(0), &"destroyed".into()),
        "{error}"
    );
    assert!(
        fs::read_to_string(&certificate)
            .expect("text")
            .starts_with("vigie key destruction 1\n")
    );
    let (code, _, error) = run(&[
        "destroy-epoch",
        &this_quarter().to_string(),
        "--keys",
        &office,
        "--desk",
        &desk,
        "--plan",
    ]);
    assert_eq!(code, Some(1));
    assert!(error.contains("is not over"), "{error}");

    // A key that does not fit is what exit code 4 is for.
    fs::copy(
        path("office/service-2026-Q3.key"),
        path("office/recovery-2026-Q3.key"),
    )
    .expect("copied");
    let (code, tried, error) = run(&["drill", "--keys", &office]);
    assert_eq!(code, Some(4), "{error}");
    assert!(
        tried
            .iter()
            .any(|key| key.get("state") == Some(&"does-not-fit".into()))
    );
}

#[test]
fn no_secret_is_told_by_any_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = office_init(folder.path(), "2026-Q2".parse().expect("a quarter")).expect("made");
    let text = fs::read_to_string(&made.service.secret).expect("text");
    desk_init(folder.path()).expect("made");
    let secret = text
        .lines()
        .last()
        .expect("key")
        .strip_prefix("key: ")
        .expect("key");
    let dir = folder.path().display().to_string();
    let file = made.service.secret.display().to_string();
    for arguments in [
        vec!["show", &file],
        vec!["drill", "--keys", &dir],
        vec![
            "destroy-epoch",
            "2026-Q2",
            "--keys",
            &dir,
            "--desk",
            &dir,
            "--plan",
        ],
        vec!["office-init", &dir, "--from", "2026-Q2"],
    ] {
        let output = program()
            .arg("keys")
            .args(&arguments)
            .env("VIGIE_LOG", "trace")
            .output();
        let output = output.expect("run");
        let said = stdout(&output) + &stderr(&output);
        assert!(!said.is_empty() && !said.contains(secret), "{arguments:?}");
    }
}
