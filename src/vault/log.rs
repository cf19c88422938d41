//! Tells a damaged write-ahead log from one that a power cut tore.
//!
//! SQLite takes the log up to the first frame whose checksum is wrong and drops the rest without a
//! word: right for a commit that was under way, wrong for commits that were durable before a bit
//! decayed. With `synchronous = FULL` the log is synced after each commit, so a frame that follows a
//! commit and is chained to it proves that all before it were once whole. What cannot be told is damage within
//! the last two commits. Layout and checksum: sqlite.org/fileformat2.html §4.1, §4.2.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::item::read_as_much_as_there_is;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// The number (from 1) of the first frame that is damaged and was followed by a later commit; 0 if it
/// is the log's own header. Nothing if the log is whole, torn or not there.
pub fn damaged_frame(path: &Path) -> io::Result<Option<u64>> {
    match File::open(path) {
        Ok(file) => find_damage(&mut BufReader::with_capacity(1 << 16, file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn find_damage(log: &mut impl Read) -> io::Result<Option<u64>> {
    let mut header = [0; HEADER];
    if read_as_much_as_there_is(log, &mut header)? < HEADER {
        return Ok(None);
    }
    let page = word(&header, 8) as usize;
    let mut sum = match Sum::of_log(&header) {
        Some(sum) if page.is_power_of_two() && (512..=65_536).contains(&page) => sum,
        // Synced before the first frame was written.
        _ => return Ok((read_as_much_as_there_is(log, &mut [0])? > 0).then_some(0)),
    };
    let mut frame = vec![0; FRAME_HEADER + page];
    let mut number = 0;
    // What the next frame may be chained to: of a damaged one, what it says of itself or what it should say.
    let mut before = vec![sum.value];
    let mut first_wrong = None;
    let mut committed_since = false;
    while read_as_much_as_there_is(log, &mut frame)? == frame.len() {
        number += 1;
        // Salts of an earlier round of the log: never part of this one, unless they decayed.
        let this_round = frame[8..16] == header[16..24];
        let told = (word(&frame, 16), word(&frame, 20));
        let should_tell = before.iter().map(|value| {
            sum.value = *value;
            sum.add(&frame[..8]);
            sum.add(&frame[FRAME_HEADER..]);
            sum.value
        });
        let should_tell: Vec<_> = should_tell.collect();
        let whole = this_round && should_tell.contains(&told);
        if whole && committed_since {
            return Ok(first_wrong);
        }
        if whole {
            before = vec![told];
            committed_since = first_wrong.is_some() && word(&frame, 4) != 0;
        } else {
            // Each break anew: a commit that failed is written over by the next one, and where several failed, the
            // ends of the longer ones lie behind each other, none followed by a frame that is chained to its commit.
            // What this frame says of a commit does not count: it may be the torn beginning of a write over such an
            // end.
            first_wrong = Some(number);
            committed_since = false;
            before = std::iter::once(told)
                .chain(should_tell.first().copied())
                .collect();
        }
    }
    Ok(None)
}

/// The four big-endian bytes at `at`; callers stay within fixed headers.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4]
        .iter()
        .fold(0, |word, &byte| word << 8 | u32::from(byte))
}

/// SQLite's checksum over pairs of words, chained from frame to frame.
struct Sum {
    little_endian: bool,
    value: (u32, u32),
}

impl Sum {
    /// After the log's header, if that is whole.
    fn of_log(header: &[u8; HEADER]) -> Option<Self> {
        let little_endian = match word(header, 0) {
            0x377f_0682 => true,
            0x377f_0683 => false,
            _ => return None,
        };
        let mut sum = Self {
            little_endian,
            value: (0, 0),
        };
        sum.add(&header[..24]);
        (sum.value == (word(header, 24), word(header, 28))).then_some(sum)
    }

    fn add(&mut self, bytes: &[u8]) {
        for pair in bytes.chunks_exact(8) {
            let mut words = (word(pair, 0), word(pair, 4));
            if self.little_endian {
                words = (words.0.swap_bytes(), words.1.swap_bytes());
            }
            let (a, b) = &mut self.value;
            *a = a.wrapping_add(words.0).wrapping_add(*b);
            *b = b.wrapping_add(words.1).wrapping_add(*a);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log of some commits.
    fn log() -> Vec<u8> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("t.db");
        let sql = rusqlite::Connection::open(&path).expect("made");
        sql.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
            .expect("set");
        sql.execute_batch("CREATE TABLE t (a)").expect("made");
        for number in 0..6 {
            sql.execute("INSERT INTO t VALUES (zeroblob(?))", [number * 3000])
                .expect("put in");
        }
        std::fs::read(dir.path().join("t.db-wal")).expect("a log")
    }

    fn damage(bytes: &[u8]) -> Option<u64> {
        find_damage(&mut &bytes[..]).expect("readable")
    }

    #[test]
    fn a_log_that_was_only_torn_is_not_damaged() {
        let log = log();
        for end in (0..log.len()).step_by(97) {
            assert_eq!(damage(&log[..end]), None, "{end}");
        }
        assert_eq!(damage(&log), None);
    }

    #[test]
    fn a_flipped_bit_before_the_last_two_commits_is_placed() {
        let log = log();
        let frame = FRAME_HEADER + word(&log, 8) as usize;
        let commit = |nth: &usize| word(&log, HEADER + nth * frame + 4) != 0;
        let frames = (log.len() - HEADER) / frame;
        let commits: Vec<usize> = (0..frames).filter(commit).collect();
        let last_but_two = commits[commits.len() - 3];
        for at in (0..HEADER + (last_but_two + 1) * frame).step_by(61) {
            let mut bad = log.clone();
            bad[at] ^= 1 << (at % 8);
            let expected = if at < HEADER { 0 } else { (at - HEADER) / frame + 1 };
            let found = damage(&bad);
            assert_eq!(found, Some(expected as u64), "byte {at}");
        }
    }

    /// A log of frames, each with whether it ends a commit, and a byte that fills its page; chained from the first
    /// to the last.
    fn chained(frames: &[(bool, u8)]) -> Vec<Vec<u8>> {
        let mut sum = Sum::of_log(&log_header()).expect("whole");
        let frame = |(nth, (commits, fill)): (usize, &(bool, u8))| {
            let mut frame = vec![*fill; FRAME_HEADER + 512];
            frame[..4].copy_from_slice(&(nth as u32 + 1).to_be_bytes());
            frame[4..8].copy_from_slice(&u32::from(*commits).to_be_bytes());
            frame[8..16].copy_from_slice(&log_header()[16..24]);
            sum.add(&frame[..8]);
            sum.add(&frame[FRAME_HEADER..]);
            frame[16..20].copy_from_slice(&sum.value.0.to_be_bytes());
            frame[20..24].copy_from_slice(&sum.value.1.to_be_bytes());
            frame
        };
        frames.iter().enumerate().map(frame).collect()
    }

    #[test]
    fn what_failed_commits_left_behind_the_last_good_one_is_no_damage() {
        // Each is written over the one before it, from the third frame on, and is shorter.
        let commit = |frames: usize, fill: u8| {
            let mut all = vec![(false, 1), (true, 1)];
            all.extend((1..=frames).map(|nth| (nth == frames, fill)));
            chained(&all)
        };
        for lengths in [[9, 5, 2], [9, 3, 2], [6, 4, 3], [12, 11, 1], [5, 4, 3]] {
            let mut frames: Vec<Vec<u8>> = Vec::new();
            for (length, fill) in lengths.into_iter().zip(2..) {
                let written = commit(length, fill);
                let rest = frames.get(written.len()..).unwrap_or_default().to_vec();
                frames = [written, rest].concat();
            }
            let log = [log_header().to_vec(), frames.concat()].concat();
            assert_eq!(damage(&log), None, "{lengths:?}");
            // Nor is a write over such an end that was torn in its header, which says that it commits.
            let mut torn = log.clone();
            let next = HEADER + (2 + lengths[2]) * (FRAME_HEADER + 512);
            torn[next + 4..next + 8].copy_from_slice(&9u32.to_be_bytes());
            assert_eq!(damage(&torn), None, "{lengths:?}");
            // The same, damaged before its last good commit.
            let mut bad = log.clone();
            bad[HEADER + 100] ^= 1;
            assert_eq!(damage(&bad), Some(1), "{lengths:?}");
        }
    }

    #[test]
    fn a_header_that_cannot_be_is_damage_once_a_frame_was_written() {
        let header = |page: u32| {
            let mut header = log_header();
            header[8..12].copy_from_slice(&page.to_be_bytes());
            let mut sum = Sum {
                little_endian: false,
                value: (0, 0),
            };
            sum.add(&header[..24]);
            header[24..28].copy_from_slice(&sum.value.0.to_be_bytes());
            header[28..].copy_from_slice(&sum.value.1.to_be_bytes());
            header
        };
        let mut decayed = header(512);
        decayed[31] ^= 1;
        for bad in [
            header(0),
            header(256),
            header(513),
            header(768),
            header(131_072),
            decayed,
        ] {
            assert_eq!(damage(&bad), None, "nothing was written behind it yet");
            assert_eq!(damage(&[&bad[..], &[0]].concat()), Some(0));
        }
        for good in [header(512), header(4096), header(65_536)] {
            assert_eq!(damage(&[&good[..], &[0]].concat()), None);
        }
    }

    #[test]
    fn a_log_that_cannot_be_read_is_told_from_one_that_is_not_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        assert_eq!(damaged_frame(&file).expect("not there"), None);
        std::fs::write(&file, b"").expect("written");
        assert!(damaged_frame(&file.join("log")).is_err(), "no folder");
        std::fs::write(&file, [&[0; HEADER][..], &[1]].concat()).expect("written");
        assert_eq!(damaged_frame(&file).expect("readable"), Some(0));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>) {
            let _ = damage(&bytes);
            let _ = damage(&[&log_header()[..], &bytes].concat());
        }
    }

    fn log_header() -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[..12].copy_from_slice(&[0x37, 0x7f, 6, 0x83, 0, 0x2d, 0xe2, 0x18, 0, 0, 2, 0]);
        let mut sum = Sum {
            little_endian: false,
            value: (0, 0),
        };
        sum.add(&header[..24]);
        header[24..28].copy_from_slice(&sum.value.0.to_be_bytes());
        header[28..].copy_from_slice(&sum.value.1.to_be_bytes());
        header
    }
}
