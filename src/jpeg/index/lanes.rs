//! Many walks in turn, from bits where no one knows whether an MCU begins there.
//!
//! A plain walk waits: each look-up needs the one before. Several walks taken in turn in one thread keep
//! the processor busy while each of them waits. They may start anywhere, for Huffman codes synchronise by
//! themselves (Klein and Wiseman 2003; on GPUs Weissenberger and Schmidt 2018): a walk that took any bit
//! for the start of an MCU stands on a true one, in the right phase, after a few MCUs. So the scan is cut
//! into segments, at its restart markers where it has any, and each lane walks one segment after the
//! other and notes where blocks begin. Then the one [`Walk`] that counts goes through the segments in
//! order. Where it stands on a noted start of an MCU, all that is noted behind it is what it would have
//! found itself, for what follows depends on nothing else; until then, and where a lane was led astray,
//! it walks alone.
//!
//! Promises: nothing of what the lanes note is believed before the plain walk stands on it, so the
//! outcome is the plain walk's, errors included, whatever the bytes are. Each bit is walked at most twice,
//! but for a few behind each segment. A lane never ends the walk: a code that does not exist may mean
//! that it began at a wrong bit.

use std::collections::VecDeque;
use std::hint::select_unpredictable;

use super::stream::peek;
use super::tables::{ENDS, FULL, STRIDES, Table, Tables, next};
use super::walk::Walk;
use super::{Stream, Way};
use crate::jpeg::{Error, Scan};

/// Lanes that are walked in turn. More need more registers than there are, fewer leave gaps.
const LANES: usize = 4;
/// Windows that a lane takes before its notes are looked at.
const TURNS: usize = 32;
/// Room for the notes of so many windows, each of which ends at most as many blocks as it has strides,
/// and for the blocks of the MCU in which they begin.
const NOTES: usize = 256;
const _: () = assert!(TURNS * STRIDES + 8 < NOTES);
/// How often a lane may begin anew in one segment.
const GUESSES: u32 = 32;
/// Bytes of a segment: few enough for the lanes to end together and for the cache to hold what they read
/// until the walk is led through it, enough for it not to matter how each begins and ends.
const SEGMENT: std::ops::RangeInclusive<usize> = 4 << 10..=16 << 10;
/// Bytes of scans and of restart intervals that are too short for lanes to pay.
const SHORT_SCAN: usize = 100_000;
const SHORT_INTERVAL: usize = 1_000;

/// The way that is fastest for a scan.
pub(super) fn fastest(scan: &Scan) -> Way {
    let length = scan.data.len();
    match length < SHORT_SCAN || length / scan.intervals().count().max(1) < SHORT_INTERVAL {
        true => Way::Plain,
        false => Way::Interleaved((length / 64).clamp(*SEGMENT.start(), *SEGMENT.end())),
    }
}

/// A part of a restart interval, in bits.
#[derive(Debug, Clone, Copy)]
struct Segment {
    interval: usize,
    begin: u32,
    end: u32,
}

/// Cuts the scan, at its restart markers and into segments of so many bytes.
fn segments(stream: &Stream, size: usize) -> impl Iterator<Item = Segment> + '_ {
    let intervals = stream.intervals().iter().enumerate();
    intervals.flat_map(move |(interval, bytes)| {
        let parts = bytes.len().div_ceil(size.max(1));
        let cut = move |part: usize| (8 * (bytes.start + bytes.len() * part / parts)) as u32;
        (0..parts).map(move |part| Segment {
            interval,
            begin: cut(part),
            end: cut(part + 1),
        })
    })
}

/// What lanes read, and with which tables.
struct Course<'a> {
    bytes: &'a [u8],
    tables: &'a Tables,
    /// Of the blocks that follow each other from an MCU's first on, the table of all strides but the first.
    other: [Table; NOTES],
    /// The table of the first stride of the block behind.
    next_first: [Table; NOTES],
}

impl<'a> Course<'a> {
    fn new(stream: &'a Stream, tables: &'a Tables) -> Self {
        Self {
            bytes: stream.bytes(),
            tables,
            other: std::array::from_fn(|block| tables.block(block).other),
            next_first: std::array::from_fn(|block| tables.block(block + 1).first),
        }
    }
}

/// Where a lane stands.
#[derive(Clone, Copy)]
struct Place {
    bit: u32,
    table: Table,
    /// Of the block in which it stands.
    coefficients: u32,
    /// That block, counted from the MCU in which its notes begin.
    block: usize,
}

impl Place {
    /// At the start of an MCU.
    fn at(bit: u32, tables: &Tables) -> Self {
        Self {
            bit,
            table: tables.block(0).first,
            coefficients: 0,
            block: 0,
        }
    }
}

/// A walk through a segment: the bits at which blocks begin, the first of them an MCU's, if the walk began
/// at the right bit or has found its way since.
struct Lane {
    number: usize,
    segment: Segment,
    starts: Vec<u32>,
    place: Place,
    /// Where its notes begin: the block in which it stood when it last wrote them down.
    noted_from: usize,
    /// Where each block ends.
    notes: [u32; NOTES],
    /// How often it may still begin anew.
    guesses: u32,
    is_through: bool,
}

impl Lane {
    fn new(number: usize, segment: Segment, mut starts: Vec<u32>, tables: &Tables) -> Self {
        starts.clear();
        starts.push(segment.begin);
        Self {
            number,
            segment,
            starts,
            place: Place::at(segment.begin, tables),
            noted_from: 0,
            notes: [0; NOTES],
            guesses: GUESSES,
            is_through: false,
        }
    }

    /// Takes the strides of one window, without a branch that depends on them. False, and it stands where
    /// it stood, if one of them must not be taken.
    #[inline(always)]
    fn take(&mut self, course: &Course<'_>) -> bool {
        let mut place = self.place;
        let mut window = peek(course.bytes, place.bit.into());
        let mut reached = 0;
        for _ in 0..STRIDES {
            let stride = next(&course.tables.strides, place.table, window);
            window = window.wrapping_shl(stride.bits.into());
            place.bit = place.bit.wrapping_add(stride.bits.into());
            place.coefficients += u32::from(stride.coefficients);
            reached |= place.coefficients;
            let block = place.block % NOTES;
            // Holds from where the block ends: only then is it passed.
            self.notes[block] = place.bit;
            let ends = stride.coefficients & ENDS != 0;
            let (first, other) = (course.next_first[block], course.other[block]);
            place.table = select_unpredictable(ends, first, other);
            place.coefficients = select_unpredictable(ends, 0, place.coefficients);
            place.block = block + usize::from(ends);
        }
        let is_sound = reached & u32::from(FULL) == 0;
        if is_sound {
            self.place = place;
        }
        is_sound
    }

    /// Walks to the end of the block in which it stands, plainly; begins anew behind a code that does not
    /// exist.
    #[cold]
    #[inline(never)]
    fn step(&mut self, course: &Course<'_>) {
        if self.is_through {
            return;
        }
        let Place {
            bit,
            coefficients,
            block,
            ..
        } = self.place;
        let tables = course.tables.block(block);
        match tables.block_end(
            &course.tables.strides,
            course.bytes,
            bit.into(),
            coefficients as u8,
        ) {
            Ok(end) => {
                self.notes[block % NOTES] = end as u32;
                self.place = Place {
                    bit: end as u32,
                    table: course.next_first[block % NOTES],
                    coefficients: 0,
                    block: block + 1,
                };
            }
            Err((bit, _)) => {
                self.write_down(course.tables);
                // In the padding behind an interval is nothing to be found.
                let is_padding = self.starts.last().is_some_and(|s| s + 8 > self.segment.end);
                if is_padding || self.guesses == 0 {
                    self.is_through = true;
                } else {
                    self.guesses -= 1;
                    self.starts.clear();
                    self.starts.push(bit as u32 + 1);
                    self.place = Place::at(bit as u32 + 1, course.tables);
                    self.noted_from = 0;
                }
            }
        }
    }

    /// Moves its notes to the starts. Whether it is through.
    fn write_down(&mut self, tables: &Tables) -> bool {
        if !self.is_through {
            let noted = self.noted_from..self.place.block;
            self.starts
                .extend_from_slice(self.notes.get(noted).unwrap_or_default());
            self.place.block %= tables.blocks().len();
            self.noted_from = self.place.block;
            self.is_through = self.starts.last().is_none_or(|start| *start >= self.segment.end);
        }
        self.is_through
    }
}

/// What a lane noted of a segment.
struct Noted {
    interval: usize,
    starts: Vec<u32>,
}

/// Memory that outlives a scan.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    spare: Vec<Vec<u32>>,
}

impl Lanes {
    /// Leads `walk` through its scan, in segments of so many bytes, as far as lanes can; the rest it must
    /// walk itself.
    pub(super) fn lead(&mut self, walk: &mut Walk<'_>, segment: usize) -> Result<(), Error> {
        let (stream, tables) = walk.reads();
        let course = Course::new(stream, tables);
        let mut segments = segments(stream, segment).enumerate();
        let mut lanes: Vec<Lane> = Vec::with_capacity(LANES);
        // By number, from the first on through which the walk has not been led.
        let mut noted: VecDeque<Option<Noted>> = VecDeque::new();
        let mut led = 0;
        loop {
            while lanes.len() < LANES
                && let Some((number, segment)) = segments.next()
            {
                let starts = self.spare.pop().unwrap_or_default();
                lanes.push(Lane::new(number, segment, starts, tables));
                noted.push_back(None);
            }
            if lanes.is_empty() {
                return Ok(());
            }
            for _ in 0..TURNS {
                for lane in &mut lanes {
                    if !lane.take(&course) {
                        lane.step(&course);
                    }
                }
            }
            for lane in lanes.extract_if(.., |lane| lane.write_down(tables)) {
                noted[lane.number - led] = Some(Noted {
                    interval: lane.segment.interval,
                    starts: lane.starts,
                });
            }
            while let Some(Some(next)) = noted.front_mut() {
                let starts = std::mem::take(&mut next.starts);
                let outcome = lead_through(walk, next.interval, &starts);
                self.spare.push(starts);
                outcome?;
                noted.pop_front();
                led += 1;
            }
        }
    }
}

/// Leads `walk` through a segment of this restart interval.
fn lead_through(walk: &mut Walk<'_>, interval: usize, starts: &[u32]) -> Result<(), Error> {
    walk.advance_to(interval)?;
    let blocks = walk.blocks();
    let mut starts = starts;
    while !walk.is_through() {
        while starts.first().is_some_and(|start| u64::from(*start) < walk.bit()) {
            starts = starts.get(blocks..).unwrap_or_default();
        }
        let Some(start) = starts.first() else {
            return Ok(());
        };
        let taken = match u64::from(*start) == walk.bit() {
            true => walk.take(starts),
            false => 0,
        };
        if taken == 0 {
            walk.step()?;
        }
        starts = starts.get(taken * blocks..).unwrap_or_default();
    }
    Ok(())
}
