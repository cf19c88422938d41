//! The desk wraps what it imports to its own keys as a box seals: to none that was revoked; and the drill tries its
//! vault as it opens it.
#![cfg(feature = "trap")]

mod common;
mod transfer_kit;
mod vault_kit;

use std::fs;

use common::{json_lines, program, stderr};
use transfer_kit::{Way, at};
use vigie::frame::EventId;
use vigie::vault::Role;
use vigie::vault::keys::Revocation;

#[test]
fn what_is_imported_is_wrapped_to_no_revoked_key_and_the_drill_says_which_key_opens_it() {
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
