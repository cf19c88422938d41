//! Walks a journal's chain, line by line. Pure.

use crate::frame::Digest;
use crate::vault::DevicePublic;
use crate::vault::journal::{Head, Line};

/// The walk so far.
pub(super) struct Walk {
    head: Head,
}

impl Walk {
    pub(super) fn from_the_start(device: &DevicePublic) -> Self {
        Self {
            head: Head::empty(device),
        }
    }

    /// Where the walk has come to.
    pub(super) fn head(&self) -> Head {
        self.head
    }

    /// Takes the next line; what is wrong with it. Goes on from what the line says of itself, so that
    /// one changed line is one fault.
    pub(super) fn step(&mut self, line: &Line) -> Vec<String> {
        let mut faults = Vec::new();
        let expected = self.head.seq.saturating_add(1);
        if line.seq > expected {
            faults.push(match line.seq - expected {
                1 => format!("line {expected}, before this one, is missing"),
                _ => format!(
                    "lines {expected} to {}, before this one, are missing",
                    line.seq - 1
                ),
            });
        } else if line.seq < expected {
            faults.push("it stands out of order".to_owned());
        } else if line.prev != self.head.hash {
            faults.push(
                "it does not follow from the line before: one of them was changed, moved or put in"
                    .to_owned(),
            );
        }
        if line.hash != line.expected_hash() {
            faults.push("it was changed: its hash is another".to_owned());
        }
        self.head = Head {
            seq: line.seq,
            hash: line.hash,
        };
        faults
    }

    /// Holds the end of the walk against the head that was signed.
    pub(super) fn end(&self, signed: Head) -> Option<String> {
        let last = self.head.seq;
        if last < signed.seq {
            Some(format!(
                "cut off: it ends with line {last}, and the box signed line {}",
                signed.seq
            ))
        } else if last > signed.seq {
            Some(format!(
                "lines {} to {last} were added: the box signed no more than line {}",
                signed.seq.saturating_add(1),
                signed.seq
            ))
        } else if self.head.hash != signed.hash {
            Some(format!("line {last} is not the last line that the box signed"))
        } else {
            None
        }
    }
}

/// A line of the chain that someone fixed earlier, to be met again on the walk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Milestone {
    pub(super) seq: u64,
    pub(super) hash: Digest,
    pub(super) met: bool,
}

impl Milestone {
    pub(super) fn new(head: Head) -> Self {
        Self {
            seq: head.seq,
            hash: head.hash,
            met: false,
        }
    }

    pub(super) fn pass(&mut self, line: &Line) {
        self.met |= line.seq == self.seq && line.hash == self.hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::BoxTime;
    use crate::vault::{Entry, Kind};
    use serde_json::json;

    fn device() -> DevicePublic {
        // RFC 8032 §7.1, test 1.
        let digits = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        DevicePublic::try_from(digits.to_owned()).expect("a key")
    }

    fn lines(count: usize) -> Vec<Line> {
        let mut head = Head::empty(&device());
        let now = BoxTime(jiff::Timestamp::UNIX_EPOCH);
        let line = |number| {
            let kind = Kind::Verdict;
            let line = Line::after(
                head,
                now,
                &Entry {
                    kind,
                    body: json!(number),
                },
            );
            head = Head {
                seq: line.seq,
                hash: line.hash,
            };
            line
        };
        (0..count).map(line).collect()
    }

    fn walk(lines: &[Line]) -> (Walk, Vec<(u64, String)>) {
        let mut walk = Walk::from_the_start(&device());
        let mut faults = Vec::new();
        for line in lines {
            faults.extend(walk.step(line).into_iter().map(|what| (line.seq, what)));
        }
        (walk, faults)
    }

    #[test]
    fn an_honest_journal_has_no_fault() {
        let lines = lines(5);
        let (walk, faults) = walk(&lines);
        assert_eq!(faults, []);
        assert_eq!(walk.end(walk.head()), None);
    }

    #[test]
    fn a_changed_line_is_named() {
        let mut lines = lines(5);
        lines[2].body = "99".to_owned();
        let (_, faults) = walk(&lines);
        assert_eq!(faults, [(3, "it was changed: its hash is another".to_owned())]);
        // And a forger who also mends its hash is found at the next one.
        lines[2].hash = lines[2].expected_hash();
        assert_eq!(walk(&lines).1[0].0, 4);
    }

    #[test]
    fn a_line_taken_out_is_named() {
        let mut lines = lines(5);
        lines.remove(2);
        let expected = (4, "line 3, before this one, is missing".to_owned());
        assert_eq!(walk(&lines).1, [expected]);
    }

    #[test]
    fn lines_that_changed_places_are_named() {
        let mut lines = lines(5);
        lines.swap(1, 2);
        (lines[1].seq, lines[2].seq) = (2, 3);
        let faults = walk(&lines).1;
        assert!(faults.iter().any(|(seq, _)| *seq == 2));
        assert!(faults.iter().any(|(seq, _)| *seq == 3));
    }

    #[test]
    fn a_cut_or_lengthened_end_is_named() {
        let lines = lines(5);
        let signed = walk(&lines).0.head();
        let (short, faults) = walk(&lines[..3]);
        assert_eq!(faults, []);
        assert!(short.end(signed).is_some_and(|what| what.contains("cut off")));
        let early = walk(&lines[..3]).0.head();
        let (long, _) = walk(&lines);
        assert!(
            long.end(early)
                .is_some_and(|what| what.contains("lines 4 to 5 were added"))
        );
    }

    #[test]
    fn a_journal_of_another_box_does_not_begin_here() {
        let mut lines = lines(2);
        lines[0].prev = Digest::of(b"elsewhere");
        lines[0].hash = lines[0].expected_hash();
        assert_eq!(walk(&lines).1[0].0, 1);
    }
}
