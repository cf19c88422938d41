//! Whatever is changed in a certificate, added or taken away, is found and named: in the database, and in the folder.

mod vault_kit;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use vault_kit::{Kit, at, copy, entry};
use vigie::frame::Digest;
use vigie::vault::certificate::{Certificate, Expired, LIMIT, Period, Regime, What};
use vigie::vault::keys::trap_init;
use vigie::vault::store::{Filed, Store};
use vigie::vault::{DeviceKey, Entry, Kind, signed};
use vigie::verify;

fn certificate(store: &Store, number: &str) -> Certificate {
    Certificate {
        number: number.to_owned(),
        what: What::Expired(Expired {
            events: 1,
            items: 2,
            bytes: 3,
        }),
        device: store.device(),
        device_key: store.device_key().clone(),
        camera: "quai".parse().expect("plain"),
        site: "Quai Nord".to_owned(),
        regime: Regime {
            kind: "videoprotection".to_owned(),
            reference: "arrêté 2026-0412".to_owned(),
        },
        period: Period {
            from: at(0),
            until: at(1),
        },
        due: at(2),
        began: at(2),
        ended: at(2),
        late_seconds: 0,
        program: "0.1.0".to_owned(),
        journal: store.head().into(),
        limit: LIMIT.to_owned(),
        page: Digest::of(b""),
    }
}

fn filed(store: &Store, number: &str) -> Filed {
    store.certificate(certificate(store, number)).expect("signed").1
}

/// Keeps a certificate and names it, or does one of these alone.
fn keep(store: &mut Store, kept: Option<&Filed>, named: Option<&Filed>) {
    store
        .transaction(|tx| {
            if let Some(filed) = named {
                tx.journal(
                    at(3),
                    &Entry {
                        kind: Kind::Expired,
                        body: json!({"certificate": filed.digest(), "number": filed.number}),
                    },
                )?;
            }
            kept.map_or(Ok(()), |filed| tx.keep_certificate(filed))
        })
        .expect("committed");
}

/// A closed store of two certificates, to which something was done before it was closed.
fn store(kit: &Kit, change: impl FnOnce(&mut Store)) -> PathBuf {
    let mut store = kit.open();
    for number in ["echeance-quai-000001", "echeance-quai-000002"] {
        let filed = filed(&store, number);
        keep(&mut store, Some(&filed), Some(&filed));
    }
    change(&mut store);
    store.put_out_certificates().expect("written");
    store.put_out_certificates().expect("nothing is left to write");
    store.close(at(9)).expect("closed");
    kit.dir()
}

fn faults(dir: &Path) -> Vec<String> {
    let report = verify::store(dir, None).expect("a store");
    let text = |fault: &verify::Fault| format!("{}: {}", fault.place, fault.what);
    report.faults.iter().map(text).collect()
}

#[test]
fn honest_certificates_have_no_fault() {
    let kit = Kit::new();
    assert_eq!(faults(&store(&kit, |_| {})), [""; 0]);
}

#[test]
fn a_certificate_that_no_line_names_and_a_line_whose_certificate_is_gone_are_named() {
    let kit = Kit::new();
    let dir = store(&kit, |store| {
        let (added, lost) = (filed(store, "a"), filed(store, "b"));
        keep(store, Some(&added), None);
        keep(store, None, Some(&lost));
    });
    let told = faults(&dir);
    assert_eq!(told.len(), 2, "{told:#?}");
    assert_eq!(
        told[0],
        "certificate a: no journal line names it: it was added or changed"
    );
    assert!(
        told[1].starts_with("certificates: the one that the journal names"),
        "{told:#?}"
    );
}

#[test]
fn a_certificate_of_another_number_another_page_or_another_box_is_named_even_if_the_journal_names_it() {
    let kit = Kit::new();
    let other = tempfile::tempdir().expect("a folder");
    let other = trap_init(other.path())
        .map(|made| DeviceKey::read(&made.files.secret).expect("just made"))
        .expect("a new key");
    let dir = store(&kit, |store| {
        let mut renamed = filed(store, "a");
        renamed.number = "b".to_owned();
        let mut rewritten = filed(store, "c");
        rewritten.page = rewritten.page.replace("Quai Nord", "Quai Sud");
        let mut foreign = filed(store, "d");
        foreign.text = signed::sign(&certificate(store, "d"), &other).expect("signed");
        for filed in [renamed, rewritten, foreign] {
            keep(store, Some(&filed), Some(&filed));
        }
    });
    let told = faults(&dir);
    assert_eq!(told.len(), 3, "{told:#?}");
    assert_eq!(told[0], "certificate b: it bears the number a");
    assert_eq!(told[1], "certificate c: its page is not the one that was signed");
    assert!(told[2].starts_with("certificate d: "), "{told:#?}");
}

#[test]
fn a_file_that_was_changed_lost_or_added_is_named() {
    let kit = Kit::new();
    let dir = store(&kit, |_| {});
    let folder = dir.join("certificates");
    let (first, second) = (
        folder.join("echeance-quai-000001.json"),
        folder.join("echeance-quai-000002.txt"),
    );
    let good = fs::read(&first).expect("readable");
    let mut changed = good.clone();
    changed[good.len() / 2] ^= 1;
    for bad in [&changed[..], &good[1..], &[&good[..], b"\n"].concat()] {
        fs::write(&first, bad).expect("written");
        let named = "certificates/echeance-quai-000001.json: it was changed";
        assert_eq!(faults(&dir), [named]);
    }
    // The same bytes, and yet no file of the store's.
    let elsewhere = kit.folder.path().join("elsewhere");
    fs::write(&elsewhere, &good).expect("written");
    fs::remove_file(&first).expect("removed");
    std::os::unix::fs::symlink(&elsewhere, &first).expect("linked");
    assert_eq!(
        faults(&dir),
        ["certificates/echeance-quai-000001.json: it was changed"]
    );
    fs::remove_file(&first).expect("removed");
    fs::write(&first, &good).expect("written");
    assert_eq!(faults(&dir), [""; 0]);

    fs::remove_file(&second).expect("removed");
    assert_eq!(
        faults(&dir),
        ["certificates/echeance-quai-000002.txt: it is missing"]
    );
    for name in ["mine.txt", ".new-abc"] {
        fs::write(folder.join(name), b"mine").expect("written");
    }
    let mut told = faults(&dir);
    told.sort();
    let added = "it does not belong to the store: it was added";
    assert_eq!(told[0], format!("certificates/.new-abc: {added}"));
    assert_eq!(told[2], format!("certificates/mine.txt: {added}"));
    assert_eq!(told.len(), 3, "{told:#?}");
    fs::remove_dir_all(&folder).expect("removed");
    assert_eq!(faults(&dir).len(), 4);
    fs::write(&folder, b"no folder").expect("written");
    // Each of the four that is missing, the stranger, and why it cannot be read.
    assert_eq!(faults(&dir).len(), 6);
}

#[test]
fn of_a_store_that_was_cut_off_a_file_may_be_missing_or_unfinished_and_none_added() {
    let kit = Kit::new();
    store(&kit, |_| {});
    let mut open = kit.open();
    open.transaction(|tx| tx.journal(at(10), &entry(1)))
        .expect("committed");
    let left = kit.folder.path().join("left");
    fs::create_dir_all(left.join("certificates")).expect("a folder");
    copy(open.dir(), &left);
    let folder = left.join("certificates");
    fs::remove_file(folder.join("echeance-quai-000002.txt")).expect("removed");
    fs::write(folder.join(".new-abc"), b"half").expect("written");
    assert_eq!(faults(&left), [""; 0]);
    fs::write(folder.join("mine.txt"), b"mine").expect("written");
    let added = "certificates/mine.txt: it does not belong to the store: it was added";
    assert_eq!(faults(&left), [added]);
}
