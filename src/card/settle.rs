//! When a file is whole: its writer closed it, or it stayed as it was for a while; and it ends like a JPEG.
//!
//! Pure: observations come in with their time, on any clock that never goes back (the camera's does).

use std::time::{Duration, SystemTime};

/// A file as it was seen once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// Bytes.
    pub size: u64,
    /// When it was last written, by the camera's clock: only compared for being the same.
    pub mtime: SystemTime,
    /// Whether its tail has the marker EOI ([`ended`]).
    pub ends: bool,
    /// When it was seen: time since any fixed start.
    pub at: Duration,
}

/// How long to wait.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// A file that nobody closed before our eyes must stay the same for this long.
    pub quiet: Duration,
    /// How many times `quiet` a file without an end is given.
    pub attempts: u16,
}

/// What to do with the file now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Take it.
    Settled,
    /// Look again, after this long at the earliest.
    Waiting(Duration),
    /// It stays without an end: list it and leave it. It is looked at anew when it changes.
    Left,
}

/// One file on its way to being settled.
#[derive(Debug, Clone)]
pub struct Settling {
    /// As it was when it was first seen like this.
    since: Observation,
    closed: bool,
}

impl Settling {
    /// Begins with a first look, which alone settles nothing.
    pub fn new(first: Observation) -> Self {
        Self {
            since: first,
            closed: false,
        }
    }

    /// Its writer closed it (inotify's `IN_CLOSE_WRITE`).
    pub fn closed(&mut self) {
        self.closed = true;
    }

    /// Takes in another look.
    pub fn seen(&mut self, now: Observation, rules: &Rules) -> State {
        let same = (now.size, now.mtime) == (self.since.size, self.since.mtime);
        // The close may have been the end of the very change that this look shows; it counts for one.
        let closed = std::mem::take(&mut self.closed);
        if now.ends && closed {
            return State::Settled;
        }
        if !same {
            self.since = now;
            return State::Waiting(rules.quiet);
        }
        let quiet = rules.quiet.max(Duration::from_nanos(1)).as_nanos();
        let stayed = now.at.saturating_sub(self.since.at).as_nanos();
        let spells = stayed / quiet;
        if now.ends && spells >= 1 {
            State::Settled
        } else if spells >= u128::from(rules.attempts.max(1)) {
            State::Left
        } else {
            let rest = u64::try_from(quiet - stayed % quiet).unwrap_or(u64::MAX);
            State::Waiting(Duration::from_nanos(rest))
        }
    }
}

/// Whether a file's tail (its last 64 KiB) holds EOI, `FF D9` (ITU-T T.81 B.1.1.3). In entropy-coded data
/// every `FF` is followed by `00` or a restart marker (B.1.1.5), so the pair ends a picture; what makers
/// put after it (padding, trailers) does not matter. Whether it is *this* picture's end, reading it tells.
pub fn ended(tail: &[u8]) -> bool {
    tail.windows(2).any(|pair| pair == [0xFF, 0xD9])
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        quiet: Duration::from_secs(2),
        attempts: 3,
    };

    fn look(at: u64, size: u64, ends: bool) -> Observation {
        Observation {
            size,
            mtime: SystemTime::UNIX_EPOCH,
            ends,
            at: Duration::from_secs(at),
        }
    }

    #[test]
    fn a_file_is_taken_when_it_stayed_or_was_closed_and_ends_like_a_jpeg() {
        use State::{Left, Settled, Waiting};
        let wait = |seconds| Waiting(Duration::from_secs(seconds));
        // Looks after the first at second 0 with 100 bytes: (second, bytes, ends, closed before), result.
        type Look = ((u64, u64, bool, bool), State);
        let tables: &[(&str, &[Look])] = &[
            (
                "stays",
                &[((1, 100, true, false), wait(1)), ((2, 100, true, false), Settled)],
            ),
            ("closed", &[((0, 100, true, true), Settled)]),
            ("closed after its last bytes", &[((1, 300, true, true), Settled)]),
            (
                "closed once, written again",
                &[((1, 100, false, true), wait(1)), ((2, 200, true, false), wait(2))],
            ),
            (
                "grows",
                &[
                    ((2, 200, false, false), wait(2)),
                    ((3, 300, true, false), wait(2)),
                    ((5, 300, true, false), Settled),
                ],
            ),
            (
                "truncated, then whole after all",
                &[
                    ((2, 100, false, false), wait(2)),
                    ((4, 100, false, false), wait(2)),
                    ((6, 100, false, false), Left),
                    ((7, 100, false, false), Left),
                    ((8, 400, true, false), wait(2)),
                    ((10, 400, true, false), Settled),
                ],
            ),
            (
                "closed but truncated",
                &[((1, 100, false, true), wait(1)), ((6, 100, false, false), Left)],
            ),
            (
                "empty",
                &[((6, 0, false, false), wait(2)), ((12, 0, false, false), Left)],
            ),
        ];
        for (name, looks) in tables {
            let mut settling = Settling::new(look(0, 100, false));
            for &((at, size, ends, closed), expected) in *looks {
                if closed {
                    settling.closed();
                }
                assert_eq!(
                    settling.seen(look(at, size, ends), &RULES),
                    expected,
                    "{name}, second {at}"
                );
            }
        }
    }

    #[test]
    fn a_file_rewritten_at_the_same_size_is_not_settled() {
        let mut settling = Settling::new(look(0, 100, true));
        let mut rewritten = look(5, 100, true);
        rewritten.mtime += Duration::from_secs(1);
        assert_eq!(settling.seen(rewritten, &RULES), State::Waiting(RULES.quiet));
    }

    #[test]
    fn only_the_end_marker_ends_a_file() {
        assert!(ended(b"\x12\xff\xd9") && ended(b"\xff\xd9\0\0\0") && ended(b"\xff\xff\xd9"));
        for tail in [&b""[..], b"\xd9", b"\xff", b"\xff\x00\xd9", b"\xff\xd8\xff\xda"] {
            assert!(!ended(tail), "{tail:?}");
        }
    }
}
