//! What must hold of any bytes: one function for each fuzz target. `tests/fuzz_seeds.rs` runs the same functions over
//! the seeds in every test run.
//!
//! An input is a JPEG and what stands behind its end: the last bytes choose mask, levels and damage, so that all
//! targets can share their seeds. Nothing here is slow on purpose, so pictures are small.

#[path = "../tests/jpeg_oracle/decoder.rs"]
mod decoder;

use decoder::{Coefficients, Decoded, decode};
use vigie::jpeg::compare::compare as compare_files;
use vigie::jpeg::index::{Walker, Way};
use vigie::jpeg::splice::splice as splice_file;
use vigie::jpeg::{Facts, Head, Index, Layout, Limits, Scan};

/// Large enough for every form of an MCU, small enough for thousands of runs a second.
const LIMITS: Limits = Limits {
    pixels: 1 << 18,
    side: 2_048,
};
/// The amplified picture may be that much.
const AMPLIFIED: Limits = Limits {
    pixels: 1 << 24,
    side: 65_500,
};

/// The marker walk stays inside the file, and what it takes for the picture's essence is the same picture.
pub fn markers(data: &[u8]) {
    let Ok(layout) = Layout::parse_within(data, &LIMITS) else {
        return;
    };
    let mut at = 2;
    for segment in &layout.segments {
        assert!(at <= segment.range.start && segment.range.start + 4 <= segment.range.end);
        assert!(segment.range.end <= segment.data.start && segment.data.start <= segment.data.end);
        at = segment.data.end;
    }
    assert!(at < layout.end && layout.end + layout.trailing == data.len());
    let essence = layout.essence(data);
    let again = Layout::parse_within(&essence, &LIMITS).expect("the essence is a JPEG");
    assert_eq!((again.size, &again.components), (layout.size, &layout.components));
    assert_eq!(
        (again.process, again.grid(), again.trailing),
        (layout.process, layout.grid(), 0)
    );
    assert_eq!(again.scans().count(), layout.scans().count());
    let facts = Facts::read(data, &layout);
    let exif = facts.exif();
    assert!(exif.len() < 1_024, "an EXIF of our own has no room for a picture");
}

/// All walks find the same, in a copy and in the file itself, and a plain decoder agrees with them; also where the
/// picture is repeated until it is long enough for many lanes.
pub fn index(data: &[u8]) {
    let Some((layout, index)) = walked(data, &LIMITS) else {
        return;
    };
    let Some(decoded) = decoded(&layout.essence(data), &index) else {
        return;
    };
    let [columns, _] = decoded.picture.mcus();
    for mcu in 0..index.mcus() {
        assert_eq!(index.bits(mcu..mcu + 1).start, decoded.starts[mcu]);
        assert_eq!(
            index.dcs(mcu),
            decoded.picture.dcs([mcu % columns, mcu / columns])
        );
    }
    index.eighth(layout.size.width, layout.size.height);
    let mut long = amplified(data, &layout, &index);
    walked(&long, &AMPLIFIED);
    damage(&mut long, data);
    walked(&long, &AMPLIFIED);
}

/// A spliced file is the picture outside the mask and its level inside, says `compare`, says a plain decoder.
pub fn splice(data: &[u8]) {
    let Some(original) = Original::read(data) else {
        return;
    };
    let fills = original.fills(data);
    let Ok(spliced) = splice_file(&original.head, &original.index, &fills, b"") else {
        return;
    };
    compare_files(&original.head, &original.index, &fills, b"", &spliced.jpeg)
        .expect("it passes its own check");
    let after = decode(&spliced.jpeg).expect("what was written is sound").picture;
    if let Some(before) = decoded(&original.layout.essence(data), &original.index) {
        assert_outcome(&before.picture, &after, &fills);
    }
}

/// What `compare` lets pass a plain decoder lets pass: any bytes, and what was spliced and then damaged.
pub fn compare(data: &[u8]) {
    let Some(original) = Original::read(data) else {
        return;
    };
    let fills = original.fills(data);
    let passes = |file: &[u8]| compare_files(&original.head, &original.index, &fills, b"", file).is_ok();
    let mut files = vec![data.to_vec(), original.layout.essence(data)];
    if let Ok(spliced) = splice_file(&original.head, &original.index, &fills, b"") {
        let mut damaged = spliced.jpeg;
        damage(&mut damaged, data);
        files.push(damaged);
    }
    for file in files.iter().filter(|file| passes(file)) {
        let after = decode(file).expect("it passed").picture;
        if let Some(before) = decoded(&original.layout.essence(data), &original.index) {
            assert_outcome(&before.picture, &after, &fills);
        }
    }
}

/// What the plain decoder makes of a file with this index; none where a few stray bits lie behind the last MCU, which the
/// walk takes for an encoder's and the plain decoder does not take.
fn decoded(data: &[u8], index: &Index) -> Option<Decoded> {
    let end = index.bits(index.mcus() - 1..index.mcus()).end;
    let bytes = index.stream().intervals().last().map_or(0, |last| last.end);
    (8 * (bytes as u64) < end + 8).then(|| decode(data).expect("the walk took it"))
}

struct Original {
    layout: Layout,
    head: Head,
    index: Index,
}

impl Original {
    fn read(data: &[u8]) -> Option<Self> {
        let layout = Layout::parse_within(data, &LIMITS).ok()?;
        let scan = Scan::of(data, &layout).ok()??;
        Some(Self {
            head: Head::of(data, &layout),
            index: Index::build(data, scan).ok()?,
            layout,
        })
    }

    /// Runs of filled MCUs, their lengths and levels by the last bytes.
    fn fills(&self, data: &[u8]) -> Vec<Option<i16>> {
        let mut fills = vec![None; self.index.mcus()];
        let mut at = 0;
        for choice in data.rchunks_exact(2).take(32) {
            let (skip, length) = (usize::from(choice[0]), usize::from(choice[1] >> 2));
            let level = [0, -1_000, 90, 1_000][usize::from(choice[1] & 3)];
            at = (at + skip).min(fills.len());
            let end = (at + length).min(fills.len());
            fills[at..end].fill(Some(level));
            at = end;
        }
        fills
    }
}

fn assert_outcome(before: &Coefficients, after: &Coefficients, fills: &[Option<i16>]) {
    assert_eq!(before.size, after.size);
    let [columns, _] = before.mcus();
    for (number, fill) in fills.iter().enumerate() {
        let mcu = [number % columns, number / columns];
        match fill {
            None => assert!(before.is_same(after, mcu), "outside, {mcu:?}"),
            Some(level) => assert_eq!(after.level(mcu), Some(*level), "inside, {mcu:?}"),
        }
    }
}

/// Overwrites some bytes, places and values by the last bytes.
fn damage(file: &mut [u8], by: &[u8]) {
    for choice in by.rchunks_exact(4).take(3) {
        let place = usize::from(choice[0]) << 16 | usize::from(choice[1]) << 8 | usize::from(choice[2]);
        let place = place % file.len();
        file[place] = choice[3];
    }
}

/// The index, if the file has one: all walks must say the same.
fn walked(data: &[u8], limits: &Limits) -> Option<(Layout, Index)> {
    let layout = Layout::parse_within(data, limits).ok()?;
    let scan = Scan::of(data, &layout).ok()??;
    let mut walker = Walker::default();
    let plain = walker.index_by(Way::Plain, data, scan.clone());
    let same = |other: Result<Index, _>| match (&plain, other) {
        (Ok(plain), Ok(other)) => assert_same(plain, &other),
        (Err(error), Err(other)) => assert_eq!(error, &other),
        (plain, other) => panic!("plain: {:?}, other: {:?}", plain.as_ref().err(), other.err()),
    };
    // Segments of a few MCUs, and of many.
    for segment in [16, 100, 1_500] {
        same(walker.index_by(Way::Interleaved(segment), data, scan.clone()));
    }
    same(Index::build_in_place(data.to_vec(), scan));
    plain.ok().map(|index| (layout, index))
}

fn assert_same(plain: &Index, other: &Index) {
    assert_eq!(plain.mcus(), other.mcus());
    for mcu in 0..plain.mcus() {
        assert_eq!(plain.bits(mcu..mcu + 1), other.bits(mcu..mcu + 1));
        assert_eq!(plain.dcs(mcu), other.dcs(mcu));
        assert_eq!(plain.predictors(mcu), other.predictors(mcu));
    }
}

/// The same MCUs again and again, one picture below the other, until there are 64 kB of them.
fn amplified(data: &[u8], layout: &Layout, index: &Index) -> Vec<u8> {
    let scan = index.scan();
    let bits = index.bits(0..scan.restart_interval.unwrap_or(usize::MAX).min(index.mcus()));
    let rows = 8 * scan.grid.rows * u32::from(scan.grid.unit[1] / 8);
    let most = (1 << 19) / (bits.end - bits.start).max(1) + 1;
    let times = most.min(u64::from((AMPLIFIED.side - 100) / rows));
    let mut out = layout.essence(data);
    let parsed = Layout::parse_within(&out, &AMPLIFIED).expect("the essence is a JPEG");
    let of = |wanted: fn(u8) -> bool| {
        parsed
            .segments
            .iter()
            .find(move |s| wanted(s.marker))
            .expect("there")
    };
    let header = of(|marker| matches!(marker, 0xC0 | 0xC1)).range.start;
    out[header + 5..header + 7].copy_from_slice(&((u64::from(rows) * times) as u16).to_be_bytes());
    out.truncate(of(|marker| marker == 0xDA).range.end);
    let (mut byte, mut count) = (0u8, 0);
    let mut push = |bit: u64| {
        byte = byte << 1 | bit as u8;
        count += 1;
        if count == 8 {
            out.push(byte);
            if byte == 0xFF {
                out.push(0);
            }
            count = 0;
        }
        count == 0
    };
    for _ in 0..times {
        bits.clone().for_each(|bit| {
            push(index.stream().peek(bit) >> 63);
        });
    }
    while !push(1) {}
    out.extend([0xFF, 0xD9]);
    out
}
