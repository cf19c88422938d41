//! Writes a JPEG of any coefficients: any sampling, any restart interval, the usual Huffman tables or such that have
//! codes for nothing but what is written (ITU-T T.81 Annexes B, C, F.1.2, K.2, K.3).

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Coefficients, Component, mcus_of_scan};

/// How a picture is written.
#[derive(Debug, Clone)]
pub struct Style {
    /// Whether the tables have codes for exactly the symbols that occur; else those of K.3.
    pub optimised: bool,
    /// Which of the Huffman tables each component uses.
    pub tables: Vec<u8>,
    /// Which components each scan holds, in order.
    pub scans: Vec<Vec<usize>>,
    /// Segments that a decoder does not need, each in front of a fill byte (B.1.1.2).
    pub extras: bool,
}

impl Style {
    /// One scan, the usual tables.
    pub fn plain(picture: &Coefficients) -> Self {
        let components = picture.components.len();
        Self {
            optimised: false,
            tables: (0..components).map(|c| c.min(1) as u8).collect(),
            scans: vec![(0..components).collect()],
            extras: false,
        }
    }
}

/// A symbol and the bits behind its code.
struct Coded {
    /// 0: DC, 1: AC.
    class: usize,
    table: u8,
    symbol: u8,
    value: u32,
    bits: u32,
}

enum Event {
    Code(Coded),
    Restart(usize),
    End,
}

pub fn write(picture: &Coefficients, style: &Style) -> Vec<u8> {
    let scans: Vec<Vec<Event>> = style
        .scans
        .iter()
        .map(|components| events(picture, style, components))
        .collect();
    let tables = if style.optimised {
        optimised(&scans)
    } else {
        usual(style)
    };
    let mut out = vec![0xFF, 0xD8];
    if style.extras {
        segment(&mut out, 0xE0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0");
        out.push(0xFF);
        segment(
            &mut out,
            0xE5,
            b"\xFF\xD8 a preview that shows everything \xFF\xD9",
        );
        segment(&mut out, 0xFE, b"said of the scene");
    }
    let wide = picture
        .components
        .iter()
        .any(|c| c.quantiser.iter().any(|&q| q > 255));
    for (name, component) in picture.components.iter().enumerate() {
        let mut table = vec![name as u8 | u8::from(wide) << 4];
        for q in component.quantiser {
            table.extend(&q.to_be_bytes()[usize::from(!wide)..]);
        }
        segment(&mut out, 0xDB, &table);
    }
    // More than two tables of a class, or quantisers of 16 bits, are not baseline (table B.5, B.2.4.1).
    let extended = wide || style.tables.iter().any(|&t| t > 1);
    frame_header(&mut out, picture, if extended { 0xC1 } else { 0xC0 });
    for (&(class, name), (bits, values)) in &tables {
        segment(
            &mut out,
            0xC4,
            &[&[(class as u8) << 4 | name], &bits[..], values].concat(),
        );
    }
    if picture.restart_interval > 0 {
        segment(&mut out, 0xDD, &(picture.restart_interval as u16).to_be_bytes());
    }
    let codes: BTreeMap<_, _> = tables
        .iter()
        .map(|(name, (bits, values))| (*name, codes(bits, values)))
        .collect();
    for (components, events) in style.scans.iter().zip(&scans) {
        let mut header = vec![components.len() as u8];
        for &c in components {
            header.extend([picture.components[c].id, style.tables[c] << 4 | style.tables[c]]);
        }
        header.extend([0, 63, 0]);
        segment(&mut out, 0xDA, &header);
        entropy_coded(&mut out, events, &codes);
    }
    out.extend([0xFF, 0xD9]);
    out
}

fn segment(out: &mut Vec<u8>, marker: u8, payload: &[u8]) {
    out.extend([0xFF, marker]);
    out.extend((payload.len() as u16 + 2).to_be_bytes());
    out.extend(payload);
}

fn frame_header(out: &mut Vec<u8>, picture: &Coefficients, marker: u8) {
    let [width, height] = picture.size.map(|side| (side as u16).to_be_bytes());
    let mut header = [&[8], &height[..], &width, &[picture.components.len() as u8]].concat();
    for (name, component) in picture.components.iter().enumerate() {
        let [h, v] = component.factors;
        header.extend([component.id, (h << 4 | v) as u8, name as u8]);
    }
    segment(out, marker, &header);
}

/// F.1.2: what a scan codes, in order.
fn events(picture: &Coefficients, style: &Style, components: &[usize]) -> Vec<Event> {
    let mut events = Vec::new();
    let mut preds = vec![0; components.len()];
    for (number, mcu) in mcus_of_scan(picture, components.to_vec()).into_iter().enumerate() {
        let interval = picture.restart_interval;
        if interval > 0 && number > 0 && number % interval == 0 {
            events.push(Event::Restart(number / interval - 1));
            preds.fill(0);
        }
        for (part, block) in mcu {
            let c = components[part];
            let zz = &picture.components[c].blocks[block];
            block_events(&mut events, style.tables[c], zz, &mut preds[part]);
        }
    }
    events.push(Event::End);
    events
}

/// F.1.2.1 and F.1.2.2, figure F.2.
fn block_events(events: &mut Vec<Event>, table: u8, zz: &[i16; 64], pred: &mut i32) {
    let mut code = |class, run: usize, value: i32| {
        let size = 32 - value.unsigned_abs().leading_zeros();
        let bits = if value < 0 { value - 1 } else { value } as u32;
        events.push(Event::Code(Coded {
            class,
            table,
            symbol: (run << 4) as u8 | size as u8,
            value: bits & ((1 << size) - 1),
            bits: size,
        }));
    };
    code(0, 0, i32::from(zz[0]) - *pred);
    *pred = i32::from(zz[0]);
    let mut run = 0;
    for &value in &zz[1..] {
        if value == 0 {
            run += 1;
            continue;
        }
        while run > 15 {
            code(1, 15, 0);
            run -= 16;
        }
        code(1, run, value.into());
        run = 0;
    }
    if run > 0 {
        code(1, 0, 0);
    }
}

fn entropy_coded(out: &mut Vec<u8>, events: &[Event], codes: &BTreeMap<(usize, u8), Codes>) {
    let (mut byte, mut count) = (0u8, 0);
    let mut put = |out: &mut Vec<u8>, value: u32, bits: u32| {
        for bit in (0..bits).rev() {
            byte = byte << 1 | (value >> bit & 1) as u8;
            count += 1;
            if count == 8 {
                out.push(byte);
                if byte == 0xFF {
                    out.push(0);
                }
                (byte, count) = (0, 0);
            }
        }
        count
    };
    for event in events {
        match event {
            Event::Code(coded) => {
                let (code, length) = codes[&(coded.class, coded.table)][&coded.symbol];
                put(out, code, length);
                put(out, coded.value, coded.bits);
            }
            // Padded with ones (F.1.2.3).
            Event::Restart(_) | Event::End => {
                while put(out, 0, 0) > 0 {
                    put(out, 1, 1);
                }
                if let Event::Restart(number) = event {
                    out.extend([0xFF, 0xD0 + (number % 8) as u8]);
                }
            }
        }
    }
}

type Tables = BTreeMap<(usize, u8), ([u8; 16], Vec<u8>)>;

/// Symbol to code and length.
type Codes = BTreeMap<u8, (u32, u32)>;

/// C.2.
fn codes(bits: &[u8; 16], values: &[u8]) -> Codes {
    let (mut code, mut next, mut out) = (0, values.iter(), BTreeMap::new());
    for (length, &count) in (1..).zip(bits) {
        for value in next.by_ref().take(count.into()) {
            out.insert(*value, (code, length));
            code += 1;
        }
        code <<= 1;
    }
    out
}

/// K.2: code lengths by the symbols' frequencies, none longer than 16, none all ones.
fn optimised(scans: &[Vec<Event>]) -> Tables {
    let mut counts: BTreeMap<(usize, u8), BTreeMap<u8, u64>> = BTreeMap::new();
    for event in scans.iter().flatten() {
        if let Event::Code(c) = event {
            *counts
                .entry((c.class, c.table))
                .or_default()
                .entry(c.symbol)
                .or_default() += 1;
        }
    }
    counts
        .into_iter()
        .map(|(name, counts)| (name, table_for(&counts)))
        .collect()
}

/// Symbols and their depths in a tree; none: the code that is reserved.
type Leaves = Vec<(Option<u8>, usize)>;

fn table_for(counts: &BTreeMap<u8, u64>) -> ([u8; 16], Vec<u8>) {
    // Trees to be joined, the lightest two first; the reserved all-ones code is a leaf of its own, lightest of all.
    let mut trees: Vec<(u64, Leaves)> = vec![(0, vec![(None, 0)])];
    trees.extend(
        counts
            .iter()
            .map(|(&symbol, &count)| (count, vec![(Some(symbol), 0)])),
    );
    while trees.len() > 1 {
        trees.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let (a, b) = (trees.pop().expect("two"), trees.pop().expect("two"));
        let deeper =
            a.1.into_iter()
                .chain(b.1)
                .map(|(symbol, depth)| (symbol, depth + 1));
        trees.push((a.0 + b.0, deeper.collect()));
    }
    let mut leaves = trees.remove(0).1;
    let deepest = leaves.iter().map(|l| l.1).max().expect("a leaf");
    let mut lengths = vec![0usize; deepest.max(16) + 1];
    leaves.iter().for_each(|leaf| lengths[leaf.1] += 1);
    // Figure K.3.
    for i in (17..=deepest).rev() {
        while lengths[i] > 0 {
            let j = (1..i - 1).rev().find(|&j| lengths[j] > 0).expect("a shorter one");
            lengths[i] -= 2;
            lengths[i - 1] += 1;
            lengths[j + 1] += 2;
            lengths[j] -= 1;
        }
    }
    // The reserved code is one of the longest.
    let last = lengths.iter().rposition(|&n| n > 0).expect("a length");
    lengths[last] -= 1;
    leaves.sort_by_key(|&(symbol, depth)| (depth, symbol));
    let bits = std::array::from_fn(|i| lengths[i + 1] as u8);
    (
        bits,
        leaves.into_iter().filter_map(|(symbol, _)| symbol).collect(),
    )
}

/// K.3.3: tables 0 for luma's statistics, all others for chroma's.
fn usual(style: &Style) -> Tables {
    let mut tables = Tables::new();
    for &name in &style.tables {
        let [dc, ac] = if name == 0 {
            [&LUMA_DC, &LUMA_AC]
        } else {
            [&CHROMA_DC, &CHROMA_AC]
        };
        tables.insert((0, name), (*dc, (0..12).collect()));
        let hex = |text: &str| u8::from_str_radix(text, 16).expect("hexadecimal");
        let symbols = if name == 0 { LUMA_SYMBOLS } else { CHROMA_SYMBOLS };
        let symbols = symbols.split_ascii_whitespace().map(hex).collect();
        tables.insert((1, name), (*ac, symbols));
    }
    tables
}

const LUMA_DC: [u8; 16] = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];
const CHROMA_DC: [u8; 16] = [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0];
const LUMA_AC: [u8; 16] = [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D];
const CHROMA_AC: [u8; 16] = [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77];
const LUMA_SYMBOLS: &str = "
    01 02 03 00 04 11 05 12 21 31 41 06 13 51 61 07 22 71 14 32 81 91 A1 08 23 42 B1 C1 15 52 D1 F0
    24 33 62 72 82 09 0A 16 17 18 19 1A 25 26 27 28 29 2A 34 35 36 37 38 39 3A 43 44 45 46 47 48 49
    4A 53 54 55 56 57 58 59 5A 63 64 65 66 67 68 69 6A 73 74 75 76 77 78 79 7A 83 84 85 86 87 88 89
    8A 92 93 94 95 96 97 98 99 9A A2 A3 A4 A5 A6 A7 A8 A9 AA B2 B3 B4 B5 B6 B7 B8 B9 BA C2 C3 C4 C5
    C6 C7 C8 C9 CA D2 D3 D4 D5 D6 D7 D8 D9 DA E1 E2 E3 E4 E5 E6 E7 E8 E9 EA F1 F2 F3 F4 F5 F6 F7 F8
    F9 FA";
const CHROMA_SYMBOLS: &str = "
    00 01 02 03 11 04 05 21 31 06 12 41 51 07 61 71 13 22 32 81 08 14 42 91 A1 B1 C1 09 23 33 52 F0
    15 62 72 D1 0A 16 24 34 E1 25 F1 17 18 19 1A 26 27 28 29 2A 35 36 37 38 39 3A 43 44 45 46 47 48
    49 4A 53 54 55 56 57 58 59 5A 63 64 65 66 67 68 69 6A 73 74 75 76 77 78 79 7A 82 83 84 85 86 87
    88 89 8A 92 93 94 95 96 97 98 99 9A A2 A3 A4 A5 A6 A7 A8 A9 AA B2 B3 B4 B5 B6 B7 B8 B9 BA C2 C3
    C4 C5 C6 C7 C8 C9 CA D2 D3 D4 D5 D6 D7 D8 D9 DA E2 E3 E4 E5 E6 E7 E8 E9 EA F2 F3 F4 F5 F6 F7 F8
    F9 FA";

/// What the blocks of a picture are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Texture {
    /// Sky: DC alone, or little beside it.
    Smooth,
    /// Each block of another kind: smooth, sparse with runs over 16, dense, or its 63rd coefficient alone.
    Mixed,
    /// Every block ends at its 63rd coefficient, so that no EOB is ever coded.
    Dense,
}

/// Sampling factors by component.
pub const SAMPLINGS: [&[[usize; 2]]; 13] = [
    &[[1, 1]],
    // Grey with factors, which mean nothing in a scan of one component.
    &[[2, 2]],
    &[[4, 1]],
    // 4:4:4, 4:2:2, 4:2:0, 4:4:0, 4:1:1, 4:1:0
    &[[1, 1], [1, 1], [1, 1]],
    &[[2, 1], [1, 1], [1, 1]],
    &[[2, 2], [1, 1], [1, 1]],
    &[[1, 2], [1, 1], [1, 1]],
    &[[4, 1], [1, 1], [1, 1]],
    &[[4, 2], [1, 1], [1, 1]],
    // 4:4:4 said in another way, and odd ones.
    &[[2, 1], [2, 1], [2, 1]],
    &[[2, 1], [1, 2], [1, 2]],
    &[[2, 1], [1, 1], [2, 1]],
    &[[1, 1], [2, 2], [1, 2]],
];

/// Small, and no more: `xorshift64*`.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, n: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) * u64::from(n)) >> 32) as u32
    }

    /// Small values often, values of up to `bits` bits sometimes; never 0.
    fn value(&mut self, bits: u32) -> i16 {
        let size = 1 + (self.below(bits) * self.below(bits + 1)) / bits;
        let magnitude = (1 << (size - 1)) + self.below(1 << (size - 1)) as i16;
        if self.below(2) == 0 { magnitude } else { -magnitude }
    }

    fn block(&mut self, texture: Texture, dc: i16) -> [i16; 64] {
        let mut zz = [0; 64];
        zz[0] = dc;
        let kind = match texture {
            Texture::Smooth => self.below(2),
            Texture::Mixed => self.below(6),
            Texture::Dense => 4 + self.below(2),
        };
        match kind {
            0 => {}
            1 => {
                for _ in 0..=self.below(3) {
                    zz[1 + self.below(6) as usize] = self.value(3);
                }
            }
            2 | 3 => {
                for _ in 0..self.below(8) {
                    zz[1 + self.below(63) as usize] = self.value(10);
                }
            }
            4 => {
                let share = 1 + self.below(4);
                for value in &mut zz[1..] {
                    if self.below(4) < share {
                        *value = self.value(6);
                    }
                }
                zz[63] = self.value(2);
            }
            _ => zz[63] = self.value(10),
        }
        zz
    }
}

/// A picture of this size and sampling.
pub fn picture(size: [usize; 2], sampling: &[[usize; 2]], texture: Texture, seed: u64) -> Coefficients {
    let mut random = Random(seed | 1);
    let component = |(c, &factors): (usize, &[usize; 2])| Component {
        id: [1, 2, 3][c],
        factors,
        quantiser: [1; 64],
        columns: 0,
        blocks: Vec::new(),
    };
    let mut picture = Coefficients {
        size,
        components: sampling.iter().enumerate().map(component).collect(),
        restart_interval: 0,
    };
    let [columns, rows] = picture.mcus();
    for c in 0..picture.components.len() {
        let [h, v] = picture.blocks_in_mcu(&picture.components[c]);
        let component = &mut picture.components[c];
        component.columns = columns * h;
        component.quantiser = std::array::from_fn(|_| 1 + random.below(40) as u16);
        let mut dc = 0;
        for _ in 0..columns * h * rows * v {
            dc = match random.below(12) {
                // A difference of category 11.
                0 => {
                    if dc > 0 {
                        -1023
                    } else {
                        1024
                    }
                }
                1 => random.below(2048) as i16 - 1023,
                _ => (dc + random.below(41) as i16 - 20).clamp(-1023, 1024),
            };
            component.blocks.push(random.block(texture, dc));
        }
    }
    picture
}

/// Any picture of up to `most` pixels a side and a way to write it in one scan.
pub fn any_file(most: usize) -> impl Strategy<Value = (Coefficients, Style)> {
    let texture = prop_oneof![Just(Texture::Smooth), Just(Texture::Mixed), Just(Texture::Dense)];
    (
        (1..=most, 1..=most),
        0..SAMPLINGS.len(),
        texture,
        prop_oneof![Just(0usize), 1..40usize],
        any::<bool>(),
        prop::collection::vec(0..3u8, 3),
        any::<bool>(),
        any::<u64>(),
    )
        .prop_map(
            |((width, height), sampling, texture, restarts, optimised, tables, extras, seed)| {
                let mut picture = picture([width, height], SAMPLINGS[sampling], texture, seed);
                picture.restart_interval = restarts;
                let mut style = Style::plain(&picture);
                style.tables = tables[..picture.components.len()].to_vec();
                (
                    picture,
                    Style {
                        optimised,
                        extras,
                        ..style
                    },
                )
            },
        )
}
