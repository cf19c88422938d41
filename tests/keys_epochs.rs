//! A box holds the keys of several quarters and seals to those of the quarter it is; to whom it seals is a function of
//! its keys and its clock, and evidence is not lost for want of the right key.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use vigie::frame::BoxTime;
use vigie::vault::keys::ring::{Concern, Source};
use vigie::vault::keys::{Ring, desk_init, office_init, office_init_quarters, trap_init};
use vigie::vault::{Epoch, Fingerprint, OfficeKey, Recipient, Role};

fn quarter(text: &str) -> Epoch {
    text.parse().expect("a quarter")
}

fn at(text: &str) -> BoxTime {
    BoxTime(text.parse().expect("an instant"))
}

fn in_2026_q4() -> BoxTime {
    at("2026-11-22T06:00:00Z")
}

/// The public keys of these quarters, service before recovery.
fn pairs(quarters: &[&str]) -> Vec<Recipient> {
    let dir = tempfile::tempdir().expect("a folder");
    let pair = |text: &&str| {
        let made = office_init(dir.path(), quarter(text)).expect("made");
        [made.service, made.recovery].map(|files| Recipient::read(&files.public).expect("a key"))
    };
    quarters.iter().flat_map(pair).collect()
}

fn chosen(ring: &Ring, now: BoxTime) -> Vec<(Role, String)> {
    let chosen = ring.choose(now).recipients;
    chosen.iter().map(|r| (r.role(), r.epoch().to_string())).collect()
}

fn both(text: &str) -> Vec<(Role, String)> {
    vec![
        (Role::Service, text.to_owned()),
        (Role::Recovery, text.to_owned()),
    ]
}

#[test]
fn what_is_sealed_in_a_quarter_is_sealed_to_its_keys_to_the_second() {
    let ring = Ring::from(pairs(&["2026-Q3", "2026-Q4", "2027-Q1"]));
    for (now, expected) in [
        ("2026-07-01T00:00:00Z", "2026-Q3"),
        ("2026-09-30T23:59:59Z", "2026-Q3"),
        ("2026-10-01T00:00:00Z", "2026-Q4"),
        ("2026-12-31T23:59:59Z", "2026-Q4"),
        ("2027-01-01T00:00:00Z", "2027-Q1"),
    ] {
        assert_eq!(chosen(&ring, at(now)), both(expected), "{now}");
        assert_eq!(ring.choose(at(now)).concerns, [], "{now}");
    }
    assert_eq!(ring.concerns(in_2026_q4()), []);
    let quarters: Vec<_> = ring.quarters().into_iter().map(|q| q.to_string()).collect();
    assert_eq!(quarters, ["2026-Q3", "2026-Q4", "2027-Q1"]);
}

#[test]
fn a_quarter_without_keys_is_sealed_to_the_newest_ones_and_the_box_says_so() {
    for (held, expected) in [
        (&["2026-Q1", "2026-Q2"][..], "2026-Q2"),
        (&["2026-Q2", "2027-Q1", "2027-Q2"], "2027-Q2"),
    ] {
        let ring = Ring::from(pairs(held));
        assert_eq!(chosen(&ring, in_2026_q4()), both(expected));
        assert!(ring.concerns(in_2026_q4()).contains(&Concern::EpochMissing));
    }
    // Half a pair is no pair: the quarter's own recovery key alone would leave the service blind.
    let mut halved = pairs(&["2026-Q3", "2026-Q4"]);
    halved.remove(2);
    assert_eq!(chosen(&Ring::from(halved), in_2026_q4()), both("2026-Q3"));
    // Where there is no pair at all, half a one is better than losing what was seen.
    let mut one = pairs(&["2026-Q4"]);
    one.pop();
    let ring = Ring::from(one);
    assert_eq!(
        chosen(&ring, in_2026_q4()),
        [(Role::Service, "2026-Q4".to_owned())]
    );
    assert_eq!(ring.choose(in_2026_q4()).concerns, [Concern::EpochMissing]);
}

#[test]
fn before_its_clock_was_ever_set_a_box_seals_to_the_newest_keys() {
    let ring = Ring::from(pairs(&["2026-Q3", "2026-Q4", "2027-Q1"]));
    for never_set in [
        "1970-01-01T00:00:12Z",
        "1999-12-31T23:59:59Z",
        "2025-01-01T00:00:00Z",
    ] {
        assert_eq!(chosen(&ring, at(never_set)), both("2027-Q1"), "{never_set}");
        assert_eq!(ring.concerns(at(never_set)), [Concern::EpochMissing]);
    }
}

#[test]
fn a_box_says_when_it_has_no_keys_for_the_next_quarter() {
    let running_out = |quarters: &[&str]| {
        let concerns = Ring::from(pairs(quarters)).concerns(in_2026_q4());
        concerns.contains(&Concern::KeysRunningOut)
    };
    assert!(running_out(&["2026-Q4"]));
    assert!(running_out(&["2026-Q3", "2026-Q4"]));
    assert!(!running_out(&["2026-Q4", "2027-Q1"]));
    let mut half_a_pair = pairs(&["2026-Q4", "2027-Q1"]);
    half_a_pair.pop();
    let ring = Ring::from(half_a_pair);
    assert_eq!(ring.concerns(in_2026_q4()), [Concern::KeysRunningOut]);
}

#[test]
fn a_folder_gives_all_its_pairs_and_names_what_it_cannot_use() {
    let dir = tempfile::tempdir().expect("a folder");
    let office = dir.path().join("office");
    let folder = dir.path().join("recipients");
    for folder in [&office, &folder] {
        fs::create_dir(folder).expect("a folder");
    }
    office_init_quarters(&office, quarter("2026-Q4"), 3).expect("made");
    for path in files(&office, "pub") {
        fs::copy(&path, folder.join(path.file_name().expect("named"))).expect("copied");
    }
    // Signing keys may lie beside them, and anything that is no key.
    trap_init(&folder).expect("made");
    desk_init(&folder).expect("made");
    fs::write(folder.join("LISEZ-MOI.txt"), "des clés").expect("written");
    let read = || Ring::read(&Source::Folder(folder.clone()), None).expect("keys");
    assert_eq!(read().quarters().len(), 3);
    assert_eq!(read().concerns(in_2026_q4()), []);

    // One damaged key keeps none of the others from being used.
    fs::write(folder.join("service-2027-Q2.pub"), "vigie public key 1\n").expect("written");
    assert_eq!(chosen(&read(), in_2026_q4()), both("2026-Q4"));
    assert_eq!(read().concerns(in_2026_q4()), [Concern::KeyFileUnusable]);
    assert!(
        read()
            .oddities()
            .next()
            .expect("named")
            .to_string()
            .contains("2027-Q2")
    );

    // Nor is a secret key under the name of a public one passed over.
    fs::copy(
        office.join("service-2027-Q2.key"),
        folder.join("service-2027-Q2.pub"),
    )
    .expect("copied");
    assert_eq!(read().concerns(in_2026_q4()), [Concern::KeyFileUnusable]);

    // A secret key that was copied along is the end of "who steals the box opens nothing".
    let secret = office.join("service-2026-Q4.key");
    fs::copy(&secret, folder.join("service-2026-Q4.key")).expect("copied");
    assert!(read().concerns(in_2026_q4()).contains(&Concern::OfficeKeyOnBox));
}

#[test]
fn a_box_with_one_named_pair_goes_on_working() {
    let dir = tempfile::tempdir().expect("a folder");
    let made = office_init(dir.path(), quarter("2026-Q4")).expect("made");
    // Another pair beside it was not named, and is not taken.
    office_init(dir.path(), quarter("2027-Q1")).expect("made");
    let source = Source::Pair {
        service: made.service.public.clone(),
        recovery: made.recovery.public,
    };
    let ring = Ring::read(&source, None).expect("keys");
    for now in [
        "2026-11-22T06:00:00Z",
        "2027-02-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
    ] {
        assert_eq!(chosen(&ring, at(now)), both("2026-Q4"), "{now}");
    }
    // A pair must be whole.
    fs::remove_file(&made.service.public).expect("removed");
    assert!(Ring::read(&source, None).is_err());
}

#[test]
fn several_quarters_are_made_at_once_or_none() {
    let dir = tempfile::tempdir().expect("a folder");
    let made = office_init_quarters(dir.path(), quarter("2026-Q4"), 6).expect("made");
    let epochs: Vec<_> = made.iter().map(|made| made.epoch.to_string()).collect();
    assert_eq!(
        epochs,
        ["2026-Q4", "2027-Q1", "2027-Q2", "2027-Q3", "2027-Q4", "2028-Q1"]
    );
    assert_eq!(files(dir.path(), "key").len(), 12);
    for path in files(dir.path(), "key") {
        OfficeKey::read(&path).expect("a key");
    }
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("recovery-2027-Q2.pub"), "").expect("written");
    assert!(office_init_quarters(dir.path(), quarter("2026-Q4"), 6).is_err());
    assert_eq!(fs::read_dir(dir.path()).expect("a folder").count(), 1);
}

fn files(folder: &Path, extension: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect()
}

proptest! {
    /// Whatever a box holds and whatever is revoked: it never seals to a revoked key, never to two quarters at once,
    /// never to nobody while a key is left, and never in silence to others than the quarter's own two.
    #[test]
    fn no_ring_and_no_clock_make_a_box_seal_to_a_revoked_key_or_to_nobody_or_say_nothing(
        held in proptest::collection::vec((2024_u16..2029, 1_u8..5, any::<bool>(), any::<bool>()), 0..8),
        year in 1970_i16..2040,
        month in 1_i8..13,
    ) {
        let mut all = Vec::new();
        let mut revoked = Vec::new();
        for (nth, (year, quarter, service, is_revoked)) in held.into_iter().enumerate() {
            let role = if service { "service" } else { "recovery" };
            let bytes = [nth as u8 + 9; 32];
            let name = Fingerprint::of(&bytes);
            let text = format!(
                "vigie public key 1\nkind: {role}\nepoch: {year}-Q{quarter}\nfingerprint: {name}\nkey: {}\n",
                hex::encode(bytes)
            );
            all.push(text.parse::<Recipient>().expect("a key"));
            if is_revoked {
                revoked.push(name);
            }
        }
        let left = all.iter().filter(|r| !revoked.contains(&r.fingerprint())).count();
        let mut ring = Ring::from(all);
        ring.revoke(&revoked);
        let day = jiff::civil::date(year, month, 1).to_zoned(jiff::tz::TimeZone::UTC).expect("a day");
        let now = BoxTime(day.timestamp());
        let choice = ring.choose(now);
        prop_assert!(choice.recipients.iter().all(|r| !revoked.contains(&r.fingerprint())));
        prop_assert_eq!(choice.recipients.is_empty(), left == 0);
        let epochs: std::collections::BTreeSet<_> = choice.recipients.iter().map(Recipient::epoch).collect();
        prop_assert!(epochs.len() <= 1);
        let current = Epoch::at(now);
        let own = epochs.first().copied() == current && [Role::Service, Role::Recovery]
            .iter()
            .all(|role| choice.recipients.iter().any(|r| r.role() == *role));
        prop_assert_eq!(choice.concerns.is_empty(), own && !epochs.is_empty());
    }
}
