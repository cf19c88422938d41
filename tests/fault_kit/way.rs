//! The way to the desk and back: a bundle onto a stick, the stick to the desk, its answer to the box.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use vigie::config::Trap;
use vigie::frame::{BoxTime, Digest};
use vigie::transfer::taking_in::{bundles, import};
use vigie::transfer::{Desk, Error, Folder, out, returning};
use vigie::vault::keys::desk_init;
use vigie::vault::{DeviceKey, DevicePublic, Recipient, Store, store};

use super::inventory::{assert_sound, assert_store_sound};
use crate::common::Rig;

/// Makes a desk and a stick for this box.
pub fn prepare(rig: &Rig) {
    for name in ["stick", "desk", "desk/traps", "desk/keys"] {
        fs::create_dir(rig.path(name)).expect("a folder");
    }
    desk_init(&rig.path("desk")).expect("a new key");
    for (name, to) in [
        ("device.pub", "desk/traps"),
        ("service-2026-Q4.key", "desk/keys"),
        ("service-2026-Q4.pub", "desk/keys"),
        ("recovery-2026-Q4.pub", "desk/keys"),
    ] {
        let to = rig.path(to).join(name);
        fs::copy(rig.path(name), &to).expect("copied");
        fs::set_permissions(to, fs::Permissions::from_mode(0o600)).expect("its rights");
    }
}

/// Everything that the box has sealed goes to the desk, and what the desk has leaves the box.
pub fn there_and_back(folder: &Path, now: BoxTime) -> Result<(), Error> {
    let config = Trap::read(&folder.join("trap.toml")).expect("a configuration");
    let device = DeviceKey::read(&config.device_key)?;
    let recipients = ["service-2026-Q4.pub", "recovery-2026-Q4.pub"];
    let recipients = recipients.map(|name| Recipient::read(&folder.join(name)).expect("a key"));
    let stick = folder.join("stick");
    let mut store = Store::open(&config.store, &device, now)?;
    let done = out::write(&mut store, &device, &recipients, &stick, now);
    store.close(now)?;
    done?;
    at_desk(folder, &stick, now)?;
    let desk = DevicePublic::read_desk(&folder.join("desk/desk.pub"))?;
    let on_stick = open(&stick)?;
    let mut store = Store::open(&config.store, &device, now)?;
    let done = returning::find(&on_stick, device.id()).and_then(|name| {
        let name = name.expect("the desk has answered");
        returning::take(&mut store, &desk, &on_stick, name, now, |_| Ok(()))
    });
    store.close(now)?;
    done.map(drop)
}

fn at_desk(folder: &Path, stick: &Path, now: BoxTime) -> Result<(), Error> {
    let mut desk = Desk::open(&folder.join("desk"), now)?;
    let mut answer = || {
        let on_stick = open(stick)?;
        for name in bundles(&on_stick)? {
            import(&mut desk, &on_stick, name, now)?;
            returning::write(&mut desk, name.device, stick, now)?;
        }
        Ok(())
    };
    let done = answer();
    desk.store.close(now)?;
    done
}

fn open(stick: &Path) -> Result<Folder, Error> {
    Folder::open(stick).map_err(|source| Error::Io {
        path: stick.to_owned(),
        source,
    })
}

/// The items in a store, and their bytes.
pub fn items(dir: &Path) -> BTreeMap<String, Digest> {
    if !dir.join("items").exists() {
        return BTreeMap::new();
    }
    let files = store::item_files(dir, None).expect("items").into_iter();
    files
        .map(|(id, path)| (id.to_string(), Digest::of(&fs::read(path).expect("readable"))))
        .collect()
}

/// Asserts that the way is done: the desk has everything, the box nothing more, the stick nothing unfinished.
pub fn assert_done(rig: &Rig, expected: &BTreeMap<String, Digest>, what: &str) {
    assert_eq!(&items(&rig.path("desk/store")), expected, "{what}: at the desk");
    assert_eq!(items(&rig.store()), BTreeMap::new(), "{what}: on the box");
    let desk = DevicePublic::read_desk(&rig.path("desk/desk.pub")).expect("a key");
    assert_store_sound(&rig.path("desk/store"), &desk, what);
    assert_sound(rig, what);
    let on_stick = names(&rig.path("stick"));
    assert_eq!(on_stick.len(), 2, "{what}: a bundle and its answer: {on_stick:?}");
    assert!(
        on_stick.iter().all(|name| !name.starts_with('.')),
        "{what}: {on_stick:?}"
    );
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("a folder");
    entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}
