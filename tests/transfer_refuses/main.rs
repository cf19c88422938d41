//! A bundle that is not what an enrolled box wrote, whole and next in line, is refused whole, with its reason; and
//! nothing at the desk has changed.

mod history;
mod stick;
#[path = "../transfer_kit/mod.rs"]
mod transfer_kit;
#[path = "../vault_kit/mod.rs"]
mod vault_kit;
mod vouched;

use std::fs;

use transfer_kit::Way;
use vigie::transfer::Reason;

#[track_caller]
fn refused(way: &Way, reason: Reason, told: &str) {
    let (found, details) = way.refused();
    assert_eq!(found, reason, "{details:?}");
    assert!(
        details.iter().any(|detail| detail.contains(told)),
        "{told:?} is not in {details:#?}"
    );
}

fn remove(way: &Way, name: &str) {
    fs::remove_file(way.bundle().join(name)).expect("removed");
}

fn write(way: &Way, name: &str, bytes: &[u8]) {
    fs::write(way.bundle().join(name), bytes).expect("written");
}
