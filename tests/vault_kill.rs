//! `kill -9` at any moment: what was committed is there, what was not is gone, and the store is sound.

mod vault_kit;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use vault_kit::{Kit, at, entry};
use vigie::vault::{DeviceKey, EventSealer, Recipient, Store, store};
use vigie::{frame::EventId, verify};

const FOLDER: &str = "VIGIE_KILL_TEST_FOLDER";

/// Run as a process of its own by the test below: seals and commits until it is killed, and says so
/// after each commit.
#[test]
fn writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let device = DeviceKey::read(&folder.join("device.key")).expect("a key");
    let service = Recipient::read(&folder.join("service-2026-Q4.pub")).expect("a key");
    let mut store = Store::open(&folder.join("store"), &device, at(0)).expect("a store");
    let first = store.items().expect("count");
    for number in first.. {
        let event = EventId::from_bytes(number.to_be_bytes());
        let mut sealer =
            EventSealer::new(device.id(), event, std::slice::from_ref(&service)).expect("a sealer");
        let staged = [100, 80_000].map(|length| {
            let sealed = sealer.seal_record(&"x".repeat(length)).expect("sealed");
            store.stage(sealed).expect("staged")
        });
        store
            .transaction(|tx| {
                tx.journal(at(1), &entry(1))?;
                staged
                    .into_iter()
                    .try_for_each(|staged| tx.insert_item(at(1), staged))
            })
            .expect("committed");
        println!("\ncommitted {event}");
        if number % 5 == 4 {
            store.close(at(2)).expect("closed");
            println!("\nclosed");
            store = Store::open(&folder.join("store"), &device, at(0)).expect("a store");
        }
    }
}

/// Lets the writer go on until it has said `lines` things, and kills it then.
fn kill_after(lines: usize, folder: &Path) -> Vec<String> {
    let mut writer = Command::new(std::env::current_exe().expect("this test"))
        .args(["writes_until_it_is_killed", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let said = BufReader::new(writer.stdout.take().expect("piped")).lines();
    let said = said
        .map_while(Result::ok)
        .filter(|line| line.starts_with("committed") || line == "closed")
        .take(lines)
        .collect();
    writer.kill().expect("killed");
    writer.wait().expect("gone");
    said
}

#[test]
fn what_was_committed_before_a_kill_is_there_after_it() {
    let kit = Kit::new();
    let mut committed = Vec::new();
    for round in 0..20 {
        let said = kill_after(1 + round % 7, kit.folder.path());
        committed.extend(
            said.iter()
                .filter_map(|line| line.strip_prefix("committed "))
                .map(str::to_owned),
        );
        let report = verify::store(&kit.dir(), Some(kit.device.public())).expect("a store");
        assert!(report.ok, "round {round}: {report:#?}");
        let store = kit.open();
        for event in &committed {
            let event = event.parse().expect("an event");
            let items = store::item_files(&kit.dir(), Some(event)).expect("items");
            assert_eq!(items.len(), 2, "round {round}: event {event}");
        }
        // Each event whole or not at all.
        let items = store::item_files(&kit.dir(), None).expect("items");
        assert_eq!(items.len() as u64, store.items().expect("count"));
        assert_eq!(items.len() % 2, 0);
        store.close(at(9)).expect("closed");
        let report = verify::store(&kit.dir(), Some(kit.device.public())).expect("a store");
        // The clock of this test goes back from round to round, and the report says so.
        let clock = |remark: &String| remark.starts_with("the box's clock went back");
        assert!(
            report.ok && report.remarks.iter().all(clock),
            "round {round}: {report:#?}"
        );
    }
    assert!(committed.len() >= 40);
}
