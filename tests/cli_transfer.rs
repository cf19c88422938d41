//! `vigie transfer` from the box to the desk and back, as an agent carries it; and `enforce` waits for the answer.
#![cfg(feature = "trap")]

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use common::{Rig, VAN, content, frame, json_lines, keys, stderr, stdout};
use serde_json::{Map, Value, json};
use vigie::trap::Word;
use vigie::vision::Painted;

/// A box that has scanned a van's event, its desk, and a stick.
fn rig() -> Rig {
    let mut rig = Rig::new();
    for folder in ["stick", "office", "office/traps", "office/keys"] {
        fs::create_dir(rig.path(folder)).expect("a folder");
    }
    assert!(
        rig.vigie(&["keys", "desk-init", "office"])
            .status()
            .expect("run")
            .success()
    );
    fs::copy(rig.path("device.pub"), rig.path("office/traps/device.pub")).expect("enrolled");
    for name in [
        "service-2026-Q4.key",
        "service-2026-Q4.pub",
        "recovery-2026-Q4.pub",
    ] {
        fs::copy(rig.path(name), rig.path("office/keys").join(name)).expect("copied");
    }
    rig.settings = "desk_key = \"office/desk.pub\"".to_owned();
    rig.write_config();
    rig.put("DCIM/IMG_0001.JPG", &frame(VAN, "08:00:00", 1));
    rig.put("DCIM/IMG_0002.JPG", &frame(VAN, "08:00:02", 2));
    rig
}

/// A scan that nobody has helped to a return file.
fn scan(rig: &Rig) -> vigie::trap::Summary {
    let config = rig.config();
    let mut store = vigie::vault::Store::open(&rig.store(), &rig.device(), common::clock()).expect("a store");
    let mut told = common::Told::default();
    let summary = vigie::trap::service::Service {
        config: &config,
        store: &mut store,
        recipients: &rig.recipients(),
        detector: &mut Painted::new(),
        clock: &common::clock,
        stop: &std::sync::atomic::AtomicBool::new(false),
    }
    .scan(&config.cameras[0], &rig.card(), &mut told)
    .expect("a whole round");
    store.close(common::clock()).expect("closed");
    assert_eq!(common::count(&told.0, Word::Keep), 2);
    summary
}

fn run(rig: &Rig, arguments: &[&str], code: i32) -> Output {
    let output = rig.vigie(arguments).output().expect("run");
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
    output
}

fn only(output: &Output) -> Map<String, Value> {
    let [object] = &json_lines(output)[..] else {
        panic!("one object: {}", stdout(output))
    };
    object.clone()
}

const OUT: &[&str] = &["transfer", "out", "stick", "--json"];
const IN: &[&str] = &["transfer", "in", "stick", "--desk", "office", "--json"];

#[test]
fn nothing_is_erased_until_the_desk_has_answered_and_then_everything_is() {
    let rig = rig();
    let summary = scan(&rig);
    assert!(summary.no_return_file && !summary.trial);
    assert_eq!(summary.erased, 0);
    assert_eq!(
        content(&rig.card()).len(),
        2,
        "the originals are all there is that is proven to open"
    );
    let status = only(&run(&rig, &["status", "--json"], 0));
    assert!(status["degraded"].to_string().contains("no-return-file"));
    assert_eq!(
        (&status["last_bundle"], &status["last_return"]),
        (&json!(null), &json!(null))
    );
    let items = status["events"][0]["items"].as_u64().expect("a count");

    let out = only(&run(&rig, OUT, 0));
    assert_eq!(
        keys(&out),
        ["bundle", "bytes", "damaged", "items", "refused", "return"]
    );
    assert_eq!((&out["items"], &out["return"]), (&json!(items), &json!(null)));
    let taken = only(&run(&rig, IN, 0));
    let expected = [
        "bundle",
        "damaged",
        "erased_before",
        "items",
        "outcome",
        "refused",
        "return",
    ];
    assert_eq!(keys(&taken), expected);
    assert_eq!(
        (&taken["outcome"], &taken["items"]),
        (&json!("imported"), &json!(items))
    );
    assert_eq!(only(&run(&rig, IN, 0))["outcome"], "already-imported");
    let back = only(&run(&rig, OUT, 0));
    assert_eq!(back["return"], json!({"number": 2, "erased": items, "kept": 0}));
    assert_eq!(back["items"], 0);

    let status = only(&run(&rig, &["status", "--json"], 0));
    assert!(!status["degraded"].to_string().contains("no-return-file"));
    assert_eq!(
        (&status["last_bundle"], &status["last_return"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(status["events"], json!([]), "the desk has it");
    let summary = scan(&rig);
    assert!(!summary.no_return_file);
    assert_eq!(content(&rig.card()), []);
    // The event is opened at the desk, which holds it now.
    let event = fs::read_dir(rig.path("office/store/items"))
        .expect("items")
        .next();
    let name = event
        .expect("an item")
        .expect("read")
        .file_name()
        .into_string()
        .expect("ASCII");
    let key = "office/keys/service-2026-Q4.key";
    run(
        &rig,
        &["open", &name[..16], "--key", key, "--store", "office/store"],
        0,
    );
    run(&rig, &["verify", "office/store"], 0);
    run(&rig, &["verify", "store", "--device", "device.pub"], 0);
}

#[test]
fn what_is_refused_is_told_with_its_reason_in_both_languages() {
    let rig = rig();
    scan(&rig);
    let bundle = only(&run(&rig, OUT, 0))["bundle"]
        .as_str()
        .expect("a name")
        .to_owned();
    fs::remove_file(rig.path("office/traps/device.pub")).expect("removed");
    let refused = only(&run(&rig, IN, 4));
    assert_eq!(
        (&refused["outcome"], &refused["return"]),
        (&json!("refused"), &json!(null))
    );
    assert_eq!(refused["refused"]["reason"], "unknown-signer");
    for (lang, said) in [
        ("C", "its signer is not known here"),
        ("fr", "signataire inconnu ici"),
    ] {
        let output = rig.vigie(&IN[..5]).env("LANG", lang).output().expect("run");
        assert!(stdout(&output).contains(said), "{}", stdout(&output));
    }
    fs::copy(rig.path("device.pub"), rig.path("office/traps/device.pub")).expect("enrolled");
    let french = rig.vigie(&IN[..5]).env("LANG", "fr").output().expect("run");
    assert_eq!(french.status.code(), Some(0), "{}", stderr(&french));
    for english in ["taken", "item", "carry"] {
        assert!(!stdout(&french).contains(english), "{}", stdout(&french));
    }
    // A damaged return file is refused, and the bundle goes out all the same.
    let path = back(&rig);
    let text = fs::read_to_string(&path).expect("there");
    fs::write(&path, text.replace("imported", "erased")).expect("written");
    let out = only(&run(&rig, OUT, 4));
    assert_eq!(out["refused"]["reason"], "unknown-signer");
    assert_ne!(out["bundle"], json!(bundle));
    assert!(
        !content(&rig.store().join("items")).is_empty(),
        "nothing was erased"
    );
}

fn back(rig: &Rig) -> PathBuf {
    let mut entries = fs::read_dir(rig.path("stick")).expect("a stick");
    let found = entries.find_map(|entry| {
        let path = entry.expect("read").path();
        path.to_string_lossy().contains("vigie-return-").then_some(path)
    });
    found.expect("a return file")
}

#[test]
fn a_stick_without_a_bundle_and_a_box_without_a_desk_say_what_to_do() {
    let mut rig = rig();
    for (lang, said) in [
        ("C", "vigie transfer out DIR"),
        ("fr", "vigie transfer out DOSSIER"),
    ] {
        let output = rig.vigie(IN).env("LANG", lang).output().expect("run");
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
    }
    run(&rig, OUT, 0);
    run(&rig, IN, 0);
    rig.settings = String::new();
    rig.write_config();
    let out = only(&run(&rig, OUT, 4));
    assert!(
        out["refused"]["details"][0]
            .as_str()
            .expect("text")
            .contains("desk_key")
    );
}

#[test]
fn what_the_desk_orders_is_in_force_from_its_return_file_on() {
    let rig = rig();
    let orders = rig.path("office/orders");
    fs::create_dir(&orders).expect("a folder");
    let file = orders.join(format!("{}.json", rig.device().id()));
    let order = |text: &str| fs::write(&file, text).expect("written");
    order(r#"{"cameras":[{"camera":"elsewhere","clock_correction":1}]}"#);
    run(&rig, OUT, 0);
    run(&rig, IN, 0);
    let refused = only(&run(&rig, OUT, 4));
    assert_eq!(refused["refused"]["reason"], "order");
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    order(&json!({"mode": {"trial": {"from": today, "until": today}}}).to_string());
    run(&rig, IN, 0);
    run(&rig, OUT, 0);
    let status = only(&run(&rig, &["status", "--json"], 0));
    assert_eq!(
        (&status["mode"], &status["trial_ends"]),
        (&json!("trial"), &json!(today))
    );
    order("{}");
    run(&rig, IN, 0);
    run(&rig, OUT, 0);
    assert_eq!(
        only(&run(&rig, &["status", "--json"], 0))["mode"],
        "enforce",
        "the order is over"
    );
}

#[test]
fn keys_and_revocations_reach_the_box_with_the_return_file() {
    let rig = rig();
    let folder = rig.path("recipients");
    fs::create_dir(&folder).expect("a folder");
    for name in ["service-2026-Q4.pub", "recovery-2026-Q4.pub"] {
        fs::copy(rig.path(name), folder.join(name)).expect("copied");
    }
    let pair = r#"{ service = "service-2026-Q4.pub", recovery = "recovery-2026-Q4.pub" }"#;
    let text = rig.config_text().replace(pair, "\"recipients\"");
    fs::write(rig.path("trap.toml"), text).expect("written");
    run(
        &rig,
        &["keys", "office-init", "office/keys", "--from", "2999-Q1"],
        0,
    );
    let revoke = "office/keys/stolen.revocation";
    let key = "office/keys/recovery-2026-Q4.pub";
    run(
        &rig,
        &[
            "keys",
            "revoke",
            key,
            "--reason",
            "stolen",
            "--key",
            "office/desk.key",
            "--out",
            revoke,
        ],
        0,
    );
    run(&rig, OUT, 0);
    run(&rig, IN, 0);
    run(&rig, OUT, 0);
    let status = only(&run(&rig, &["status", "--json"], 0));
    assert!(
        status["keys"]["quarters"].to_string().contains("2999-Q1"),
        "{status:?}"
    );
    assert_eq!(
        status["keys"]["revoked"].as_array().map(Vec::len),
        Some(1),
        "{status:?}"
    );
    let names = |dir: &str| content(&rig.path(dir)).len();
    let before = names("recipients");
    run(&rig, IN, 0);
    run(&rig, OUT, 0);
    assert_eq!(names("recipients"), before, "what is known is not written again");
}
