//! A stick pulled out, a power cut on either side: nothing half done is taken, nothing is taken twice.

mod transfer_kit;
mod vault_kit;

use std::fs;

use transfer_kit::{items, name, names, ready};
use vault_kit::at;
use vigie::transfer::taking_in::{Outcome, bundles};
use vigie::transfer::{CONTENTS, DRILL, JOURNAL, Reason};

#[test]
fn a_stick_pulled_at_any_moment_leaves_nothing_that_is_taken_and_the_next_writing_clears_it() {
    let way = ready();
    let whole = way.bundle();
    // In the order in which they are written; the contents come last.
    let mut files = items(&way);
    files.extend([DRILL, JOURNAL, CONTENTS].map(str::to_owned));
    let unfinished = way.stick().join(format!(".new-{}", name(&way, 2)));
    for cut in 0..=2 * files.len() {
        fs::create_dir(&unfinished).expect("made");
        for (nth, file) in files.iter().enumerate().take(cut.div_ceil(2)) {
            let bytes = fs::read(whole.join(file)).expect("there");
            // Every other time, the last file is cut too.
            let end = if 2 * nth + 1 == cut {
                bytes.len() / 2
            } else {
                bytes.len()
            };
            fs::write(unfinished.join(file), &bytes[..end]).expect("written");
        }
        assert_eq!(bundles(&way.folder()).expect("read"), [name(&way, 1)], "{cut}");
        fs::remove_dir_all(&unfinished).expect("removed");
    }
    // A stick that renamed before it wrote (FAT has no order): the name is there, and the bytes are not.
    for cut in 0..2 * files.len() {
        let way = ready();
        let bundle = way.bundle();
        for (nth, file) in files.iter().enumerate().skip(cut / 2) {
            let path = bundle.join(file);
            match 2 * nth + 1 == cut {
                true => fs::File::options()
                    .write(true)
                    .open(path)
                    .and_then(|file| file.set_len(file.metadata()?.len() / 2))
                    .expect("cut"),
                false => fs::remove_file(path).expect("removed"),
            }
        }
        assert_eq!(way.refused().0, Reason::Damaged, "{cut}");
    }
    fs::create_dir(&unfinished).expect("made");
    fs::write(unfinished.join(CONTENTS), b"half").expect("written");
    way.out();
    assert_eq!(names(&way.stick()), [name(&way, 2).to_string()]);
}

#[test]
fn what_a_crash_left_at_the_desk_is_cleared_and_the_bundle_taken() {
    let way = ready();
    way.desk().store.close(at(100)).expect("closed");
    // Killed between staging and commit: files under their names, and no rows.
    for item in items(&way) {
        let to = way.path("desk/store/items").join(&item);
        fs::copy(way.bundle().join(item), to).expect("copied");
    }
    assert!(matches!(way.take_in_well(), Outcome::Imported { items: 3, .. }));
    assert_eq!(way.at_desk(), items(&way));
}

#[test]
fn a_box_that_lost_its_bundle_before_the_renaming_counts_on() {
    let way = ready();
    // The record was committed, and the power went before the name was there.
    fs::remove_dir_all(way.bundle()).expect("lost");
    assert_eq!(way.out().name.number, 2);
    assert!(matches!(way.take_in_well(), Outcome::Imported { items: 3, .. }));
}
