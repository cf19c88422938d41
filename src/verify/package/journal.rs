//! A part of a journal in a package: its chain, its signed head, its box.

use super::words::What;
use crate::report::contents::Contents;
use crate::vault::DevicePublic;
use crate::vault::checkpoint::Checkpoint;
use crate::vault::export::{Header, Reader, Record, Signed};
use crate::vault::journal::{Head, Line};

/// The name of the desk's own.
const DESK: &str = "journal.jsonl";

/// What is wrong with the part that lies in the package under `name`: the desk's own, or that of the box of which
/// the name tells.
pub fn faults(bytes: &[u8], name: &str, contents: &Contents) -> Vec<What> {
    let Ok((mut reader, header)) = Reader::new(bytes) else {
        return vec![What::JournalForm { line: 1 }];
    };
    let mut faults = Vec::new();
    let expected = match name {
        DESK => header.device_key == contents.desk_key,
        name => name == format!("journal-{}.jsonl", header.device),
    };
    if !expected {
        faults.push(What::JournalOtherBox(header.device));
    }
    if !begins(&header) {
        faults.push(What::JournalBegin);
    }
    let mut head = header.after;
    let mut number = 1;
    let end = loop {
        number += 1;
        match reader.record() {
            Ok(Some(Record::Line(line))) => {
                faults.extend(step(head, &line));
                head = line.head();
            }
            Ok(Some(Record::Last(last))) => break Some(last.head),
            Ok(None) => break None,
            Err(_) => {
                faults.push(What::JournalForm { line: number });
                return faults;
            }
        }
    };
    faults.extend(ends(head, end, &header.device_key));
    if !matches!(reader.record(), Ok(None)) {
        faults.push(What::JournalAdded);
    }
    faults
}

/// Whether the part begins where the box signed that it can.
fn begins(header: &Header) -> bool {
    match &header.checkpoint {
        None => header.after.seq > 0 || header.after == Head::empty(&header.device_key),
        Some(text) => Checkpoint::read(text, &header.device_key).is_ok_and(|checkpoint| {
            checkpoint.head() == header.after || header.after.seq > checkpoint.head().seq
        }),
    }
}

fn step(head: Head, line: &Line) -> Option<What> {
    let seq = line.seq;
    if seq != head.seq.saturating_add(1) {
        Some(What::JournalOrder { seq })
    } else if line.hash != line.expected_hash() || line.prev != head.hash {
        Some(What::JournalChanged { seq })
    } else {
        None
    }
}

fn ends(head: Head, end: Option<Signed>, signer: &DevicePublic) -> Option<What> {
    let Some(end) = end else {
        return Some(What::JournalCut { seq: head.seq });
    };
    match end.by(signer) {
        None => Some(What::JournalSignature),
        Some(signed) if signed.seq > head.seq => Some(What::JournalCut { seq: head.seq }),
        Some(signed) if signed != head => Some(What::JournalChanged { seq: head.seq }),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{BoxTime, Digest};
    use crate::vault::export::FORMAT;
    use crate::vault::keys::trap_init;
    use crate::vault::{DeviceKey, signed};

    fn key() -> DeviceKey {
        let folder = tempfile::tempdir().expect("a folder");
        let made = trap_init(folder.path()).expect("a key");
        DeviceKey::read(&made.files.secret).expect("just made")
    }

    #[test]
    fn a_part_begins_with_its_box_with_a_checkpoint_or_behind_one() {
        let (key, other) = (key(), key());
        let now = BoxTime(jiff::Timestamp::UNIX_EPOCH);
        let at = |seq, hash: &[u8]| Head {
            seq,
            hash: Digest::of(hash),
        };
        let checkpoint = |signer: &DeviceKey| {
            let checkpoint = Checkpoint {
                device: signer.id(),
                device_key: signer.public().clone(),
                first: now,
                hash: Digest::of(b"four"),
                last: now,
                pruned: now,
                seq: 4,
            };
            signed::sign(&checkpoint, signer).expect("signed")
        };
        let begins = |after, checkpoint: Option<String>| {
            begins(&Header {
                export: FORMAT.to_owned(),
                device: key.id(),
                device_key: key.public().clone(),
                after,
                checkpoint,
            })
        };
        assert!(begins(Head::empty(key.public()), None));
        assert!(!begins(Head::empty(other.public()), None));
        assert!(begins(at(1, b"any"), None), "a part");
        let own = || Some(checkpoint(&key));
        assert!(begins(at(4, b"four"), own()));
        assert!(begins(at(5, b"any"), own()), "a part");
        assert!(!begins(at(4, b"other"), own()));
        assert!(!begins(at(3, b"any"), own()) && !begins(Head::empty(key.public()), own()));
        assert!(!begins(at(4, b"four"), Some(checkpoint(&other))));
    }
}
