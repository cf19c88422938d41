//! Walks a journal's chain, line by line. Pure.

use crate::frame::BoxTime;
use crate::vault::journal::{Head, Line};

/// The walk so far.
pub(super) struct Walk {
    head: Head,
    time: Option<BoxTime>,
    /// Lines that are older by their hour than the line before: the first, and how many.
    back: Option<(u64, u64)>,
}

impl Walk {
    /// From the line after this one.
    pub(super) fn after(head: Head) -> Self {
        Self {
            head,
            time: None,
            back: None,
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
        self.head = line.head();
        let time = line.time.parse().ok().map(BoxTime);
        if time.zip(self.time).is_some_and(|(now, before)| now < before) {
            let (first, count) = self.back.unwrap_or((line.seq, 0));
            self.back = Some((first, count + 1));
        }
        self.time = time.or(self.time);
        faults
    }

    /// What a reader should know of the hours that the lines tell.
    pub(super) fn clock(&self) -> Option<String> {
        let (first, count) = self.back?;
        let more = match count {
            1 => String::new(),
            _ => format!(", and before {} more", count - 1),
        };
        Some(format!("the box's clock went back before line {first}{more}"))
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
    head: Head,
    pub(super) met: bool,
}

impl Milestone {
    /// To be met on a walk that begins after `start`.
    pub(super) fn new(head: Head, start: Head) -> Self {
        Self {
            head,
            met: head == start,
        }
    }

    pub(super) fn pass(&mut self, line: &Line) {
        self.met |= line.head() == self.head;
    }

    /// What is wrong if the head that a reader keeps was not met between `start` and `end`.
    pub(super) fn missed(&self, start: Head, end: Head) -> Option<String> {
        let seq = self.head.seq;
        if self.met {
            None
        } else if seq < start.seq {
            Some(format!(
                "line {seq}, whose hash was asked for, is no longer there: the journal begins after line {}",
                start.seq
            ))
        } else if seq > end.seq {
            Some(format!(
                "set back or cut off: it ends with line {}, and line {seq} was there once",
                end.seq
            ))
        } else {
            Some(format!(
                "set back or forked: line {seq} is not the one that was there once"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Digest;
    use crate::vault::{DevicePublic, Entry, Kind};
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
            head = line.head();
            line
        };
        (0..count).map(line).collect()
    }

    fn walk(lines: &[Line]) -> (Walk, Vec<(u64, String)>) {
        let mut walk = Walk::after(Head::empty(&device()));
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

    #[test]
    fn a_clock_that_went_back_is_told_and_is_no_fault() {
        let mut lines = lines(5);
        for (line, time) in lines.iter_mut().zip([5, 6, 3, 4, 1]) {
            line.time = format!("2026-01-01T00:00:0{time}Z");
        }
        let mut walk = Walk::after(Head::empty(&device()));
        assert_eq!(walk.clock(), None);
        for line in &lines[..4] {
            walk.step(line);
        }
        let once = "the box's clock went back before line 3";
        assert_eq!(walk.clock().as_deref(), Some(once));
        walk.step(&lines[4]);
        let told = "the box's clock went back before line 3, and before 1 more";
        assert_eq!(walk.clock().as_deref(), Some(told));
    }

    #[test]
    fn a_head_that_a_reader_keeps_is_met_or_missed() {
        let lines = lines(5);
        let (start, end) = (lines[1].head(), lines[4].head());
        let missed = |head: Head| {
            let mut milestone = Milestone::new(head, start);
            lines[2..].iter().for_each(|line| milestone.pass(line));
            milestone.missed(start, end)
        };
        for line in &lines[1..] {
            assert_eq!(missed(line.head()), None, "line {}", line.seq);
        }
        let other = |seq| Head {
            seq,
            hash: Digest::of(b"elsewhere"),
        };
        for (head, told) in [
            (lines[0].head(), "no longer there"),
            (other(2), "forked"),
            (other(4), "forked"),
            (other(6), "it ends with line 5"),
        ] {
            assert!(missed(head).is_some_and(|what| what.contains(told)), "{told}");
        }
    }
}
