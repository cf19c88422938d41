//! Splicing keeps every coefficient outside the mask and leaves one even colour inside, in every way
//! that a camera may code its pictures. Every picture here is made in code.
#![cfg(feature = "trap")]

use image::RgbImage;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use proptest::prelude::*;
use vigie::jpeg::coefficients::Coefficients;
use vigie::jpeg::compare::{Fault, compare};
use vigie::jpeg::huffman::Code;
use vigie::jpeg::splice::{Error, Spliced, Tables, splice};
use vigie::jpeg::{Head, Index, Layout, Scan};

/// How a test picture is coded.
#[derive(Debug, Clone, Copy)]
struct Coded {
    size: [u16; 2],
    sampling: Option<SamplingFactor>,
    quality: u8,
    restarts: u16,
    tables: Made,
}

/// With which Huffman tables.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Made {
    /// ITU-T T.81 K.3.
    Usual,
    /// The symbols that occur and no others, in words as short as can be.
    Tight,
    /// The same, with no room for another word.
    Full,
}

impl Coded {
    /// Grain on a slope: blocks of many kinds. `None` of sampling: grey.
    fn jpeg(self, seed: u32) -> Vec<u8> {
        let [width, height] = self.size;
        let mut state = seed | 1;
        let mut grain = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 24
        };
        let picture = RgbImage::from_fn(width.into(), height.into(), |x, y| {
            let rough = if (x / 24 + y / 24) % 3 == 0 {
                grain()
            } else {
                grain() / 32
            };
            image::Rgb([
                (x * 2 + rough) as u8,
                (y * 3 + rough / 2) as u8,
                (200 - rough / 3) as u8,
            ])
        });
        self.encode(&picture)
    }

    fn encode(self, picture: &RgbImage) -> Vec<u8> {
        let (width, height) = (picture.width() as u16, picture.height() as u16);
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, self.quality);
        encoder.set_restart_interval(self.restarts);
        match self.sampling {
            Some(sampling) => {
                encoder.set_sampling_factor(sampling);
                encoder
                    .encode(picture, width, height, ColorType::Rgb)
                    .expect("encoded");
            }
            None => {
                let grey = image::DynamicImage::ImageRgb8(picture.clone()).into_luma8();
                encoder
                    .encode(&grey, width, height, ColorType::Luma)
                    .expect("encoded");
            }
        }
        match self.tables {
            Made::Usual => jpeg,
            tables => recoded(&jpeg, tables),
        }
    }
}

/// A DC or AC symbol of a part, with the bits behind it.
struct Symbol {
    part: usize,
    ac: bool,
    symbol: u8,
    value: i32,
}

fn size(value: i32) -> u32 {
    32 - value.unsigned_abs().leading_zeros()
}

/// The symbols of one MCU (ITU-T T.81 F.1.2).
fn symbols(blocks: &[[i16; 64]], parts: &[usize], before: &mut [i16; 3]) -> Vec<Symbol> {
    let mut all = Vec::new();
    for (block, &part) in blocks.iter().zip(parts) {
        let mut push = |ac, symbol, value| {
            all.push(Symbol {
                part,
                ac,
                symbol,
                value,
            })
        };
        let difference = i32::from(block[0]) - i32::from(before[part]);
        before[part] = block[0];
        push(false, size(difference) as u8, difference);
        let mut zeros = 0;
        for &c in &block[1..] {
            if c == 0 {
                zeros += 1;
                continue;
            }
            (0..zeros / 16).for_each(|_| push(true, 0xF0, 0));
            push(true, ((zeros % 16) << 4) | size(c.into()) as u8, c.into());
            zeros = 0;
        }
        if zeros > 0 {
            push(true, 0, 0);
        }
    }
    all
}

/// Words of one length for these symbols; if there shall be no room, the first symbol has all words that
/// are left, up to sixteen bits long, but for the one of 1-bits (C.2).
fn code(mut symbols: Vec<u8>, tables: Made) -> Code {
    symbols.sort_unstable();
    symbols.dedup();
    let length = (symbols.len() + 1).next_power_of_two().ilog2() as usize;
    let mut lengths = [0; 16];
    if tables == Made::Full {
        let again = symbols[0];
        lengths[length..].fill(1);
        symbols.resize((1 << length) - 1, again);
        lengths[length - 1] = symbols.len() as u8;
        symbols.extend(vec![again; 16 - length]);
    } else {
        lengths[length - 1] = symbols.len() as u8;
    }
    Code::new(lengths, &symbols).expect("fits")
}

/// The same coefficients with other tables.
fn recoded(jpeg: &[u8], tables: Made) -> Vec<u8> {
    let (_, index) = read(jpeg);
    let (scan, coefficients) = (index.scan(), Coefficients::of(&index));
    let counts = scan.parts.iter().enumerate();
    let parts: Vec<_> = counts.flat_map(|(part, p)| vec![part; p.count()]).collect();
    let intervals: Vec<Vec<Symbol>> = scan
        .intervals()
        .map(|mcus| {
            let mut before = [0; 3];
            mcus.flat_map(|mcu| symbols(&coefficients.mcu(mcu).expect("sound"), &parts, &mut before))
                .collect()
        })
        .collect();
    // One table for luma, one for both chroma components.
    let all = || intervals.iter().flatten();
    let of = |name: usize, ac| {
        let some = all().filter(|s| s.part.min(1) == name && s.ac == ac);
        code(some.map(|s| s.symbol).collect(), tables)
    };
    let codes: Vec<_> = (0..scan.parts.len().min(2))
        .map(|name| [of(name, false), of(name, true)])
        .collect();
    let layout = Layout::parse(jpeg).expect("sound");
    let mut out = vec![0xFF, 0xD8];
    for segment in layout.segments.iter().filter(|s| s.marker != 0xC4) {
        if segment.marker == 0xDA {
            for (name, code) in codes.iter().enumerate() {
                for (class, code) in code.iter().enumerate() {
                    let mut payload = vec![(class << 4 | name) as u8];
                    code.write(&mut payload);
                    out.extend([0xFF, 0xC4]);
                    out.extend((payload.len() as u16 + 2).to_be_bytes());
                    out.extend(payload);
                }
            }
        }
        out.extend(&jpeg[segment.range.clone()]);
    }
    for (number, interval) in intervals.iter().enumerate() {
        if number > 0 {
            out.extend([0xFF, 0xD0 + ((number - 1) % 8) as u8]);
        }
        let mut bits = String::new();
        for s in interval {
            let word =
                codes[s.part.min(1)][usize::from(s.ac)].by_symbol()[usize::from(s.symbol)].expect("coded");
            bits += &format!("{:0width$b}", word.bits, width = word.length.into());
            let size = size(s.value) as usize;
            let value = if s.value < 0 {
                s.value + (1 << size) - 1
            } else {
                s.value
            };
            if size > 0 {
                bits += &format!("{value:0size$b}");
            }
        }
        for byte in bits.as_bytes().chunks(8) {
            let text = format!("{:1<8}", std::str::from_utf8(byte).expect("digits"));
            let byte = u8::from_str_radix(&text, 2).expect("digits");
            out.push(byte);
            if byte == 0xFF {
                out.push(0);
            }
        }
    }
    out.extend([0xFF, 0xD9]);
    out
}

fn read(jpeg: &[u8]) -> (Head, Index) {
    let layout = Layout::parse(jpeg).expect("sound");
    let scan = Scan::of(jpeg, &layout)
        .expect("sound")
        .expect("one sequential scan");
    (Head::of(jpeg, &layout), Index::build(jpeg, scan).expect("sound"))
}

/// Splices, and checks the result against the original and as a decoder would.
fn spliced(jpeg: &[u8], fills: &[Option<i16>]) -> Spliced {
    let (head, index) = read(jpeg);
    let spliced = splice(&head, &index, fills, b"an EXIF").expect("spliced");
    let hash = compare(&head, &index, fills, b"an EXIF", &spliced.jpeg).expect("sound");
    if spliced.tables == Tables::Kept {
        let original = vigie::jpeg::coefficients::hash(&head, &index, |mcu| fills[mcu].is_some());
        assert_eq!(original.expect("sound"), hash, "the hash is the original's");
    }
    let decoded = |jpeg: &[u8]| {
        let layout = vigie::jpeg::Layout::parse(jpeg).expect("sound");
        vigie::jpeg::decode(jpeg, &layout).expect("decodes")
    };
    let (before, after) = (decoded(jpeg), decoded(&spliced.jpeg));
    let grid = index.scan().grid;
    let [w, h] = grid.unit.map(u32::from);
    let masked = |x: u32, y: u32| fills[(y / h * grid.columns + x / w) as usize].is_some();
    for (x, y, pixel) in after.enumerate_pixels() {
        // Decoders mix chroma across the edge of an MCU.
        let around = [x.saturating_sub(2), (x + 2).min(before.width() - 1)];
        let beside = [y.saturating_sub(2), (y + 2).min(before.height() - 1)];
        let near = around.iter().flat_map(|&x| beside.map(|y| masked(x, y)));
        if near.clone().all(|m| !m) && !masked(x, y) {
            assert_eq!(pixel, before.get_pixel(x, y), "outside, at {x}, {y}");
        } else if near.clone().all(|m| m) && fills.iter().flatten().all(|level| *level == 0) {
            assert_eq!(pixel.0, [128; 3], "inside, at {x}, {y}");
        }
    }
    spliced
}

fn samplings() -> impl Strategy<Value = Option<SamplingFactor>> {
    use SamplingFactor::*;
    prop::sample::select(vec![None, Some(F_1_1), Some(F_2_1), Some(F_1_2), Some(F_2_2)])
}

/// Runs of filled and other MCUs.
fn fills(mcus: usize, lengths: &[(usize, Option<i16>)]) -> Vec<Option<i16>> {
    let mut fills: Vec<_> = lengths
        .iter()
        .flat_map(|(length, fill)| std::iter::repeat_n(*fill, *length))
        .collect();
    fills.resize(mcus, None);
    fills
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn outside_the_mask_everything_stays_and_inside_nothing(
        size in [1u16..120, 1u16..90],
        sampling in samplings(),
        quality in prop::sample::select(vec![20u8, 60, 90, 100]),
        restarts in prop::sample::select(vec![0u16, 0, 1, 2, 3, 7]),
        tables in prop::sample::select(vec![Made::Usual, Made::Tight, Made::Full]),
        seed: u32,
        lengths in prop::collection::vec((0usize..12, prop_oneof![Just(None), Just(Some(0i16)), (-60i16..60).prop_map(Some)]), 0..30),
    ) {
        let jpeg = Coded { size, sampling, quality, restarts, tables }.jpeg(seed);
        let mcus = read(&jpeg).1.mcus();
        spliced(&jpeg, &fills(mcus, &lengths));
        let flat: Vec<_> = fills(mcus, &lengths).iter().map(|fill| fill.map(|_| 0)).collect();
        spliced(&jpeg, &flat);
    }
}

const PLAIN: Coded = Coded {
    size: [100, 70],
    sampling: Some(SamplingFactor::F_2_1),
    quality: 90,
    restarts: 0,
    tables: Made::Usual,
};

#[test]
fn an_empty_mask_moves_every_bit_and_a_full_one_none() {
    for tables in [Made::Usual, Made::Tight] {
        for restarts in [0, 3] {
            let jpeg = Coded {
                restarts,
                tables,
                ..PLAIN
            }
            .jpeg(3);
            let mcus = read(&jpeg).1.mcus();
            let same = spliced(&jpeg, &vec![None; mcus]);
            assert_eq!(same.tables, Tables::Kept);
            let data = |jpeg: &[u8]| {
                jpeg[Layout::parse(jpeg)
                    .expect("sound")
                    .scans()
                    .next()
                    .expect("one")
                    .data
                    .clone()]
                .to_vec()
            };
            assert_eq!(data(&same.jpeg), data(&jpeg));
            spliced(&jpeg, &vec![Some(0); mcus]);
        }
    }
}

#[test]
fn a_fault_is_named_by_its_block() {
    let jpeg = PLAIN.jpeg(5);
    let (head, index) = read(&jpeg);
    let columns = index.scan().grid.columns as usize;
    let mut fills = vec![None; index.mcus()];
    let masked = 2 * columns + 3;
    fills[masked] = Some(0);
    let written = splice(&head, &index, &fills, &[]).expect("spliced").jpeg;
    let fault = |fills: &[Option<i16>], written: &[u8]| compare(&head, &index, fills, &[], written).err();
    assert_eq!(fault(&fills, &written), None);
    let mut other = fills.clone();
    other[masked] = None;
    assert_eq!(
        fault(&other, &written),
        Some(Fault::Changed { column: 3, row: 2 })
    );
    other[masked] = Some(1);
    assert_eq!(
        fault(&other, &written),
        Some(Fault::NotFilled { column: 3, row: 2 })
    );
    other[masked] = Some(0);
    other[0] = Some(0);
    assert_eq!(
        fault(&other, &written),
        Some(Fault::NotFilled { column: 0, row: 0 })
    );
    // Nothing may stand in the file but the picture.
    let mut longer = written.clone();
    longer.push(0);
    assert!(matches!(fault(&fills, &longer), Some(Fault::Extra(_))));
    for extra in [
        &b"\xFF\xFE\0\x04hi"[..],
        b"\xFF\xE1\0\x09Exif\0\0x",
        b"\0",
        b"\xFF",
    ] {
        let mut more = written.clone();
        more.splice(2..2, extra.iter().copied());
        assert!(matches!(fault(&fills, &more), Some(Fault::Extra(_))), "{extra:?}");
    }
}

#[test]
fn any_changed_bit_of_a_written_file_is_found() {
    for (tables, restarts) in [(Made::Usual, 0), (Made::Tight, 2)] {
        let jpeg = Coded {
            size: [34, 18],
            tables,
            restarts,
            ..PLAIN
        }
        .jpeg(9);
        let (head, index) = read(&jpeg);
        let mut fills = vec![None; index.mcus()];
        fills[3..7].fill(Some(0));
        let mut written = splice(&head, &index, &fills, b"x").expect("spliced").jpeg;
        for bit in 0..8 * written.len() {
            written[bit / 8] ^= 1 << (bit % 8);
            let found = compare(&head, &index, &fills, b"x", &written);
            assert!(
                found.is_err(),
                "bit {bit} of {} went unnoticed",
                8 * written.len()
            );
            written[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn a_table_without_a_word_gets_one_and_no_bit_outside_changes_where_it_has_room() {
    // Noise of the best quality: no block has an end of block, but for the padding's; black and white
    // beside each other: the differences to a grey fill are missing.
    let noise = |coded: Coded| Coded {
        quality: 100,
        size: [64, 64],
        ..coded
    };
    for (tables, expected) in [(Made::Tight, Tables::Extended), (Made::Full, Tables::Rewritten)] {
        for sampling in [None, PLAIN.sampling] {
            let coded = noise(Coded {
                tables,
                sampling,
                ..PLAIN
            });
            let picture = RgbImage::from_fn(64, 64, |x, y| {
                let grain = (x * 7919 + y * 104_729) * (x + 3 * y + 1) % 251;
                image::Rgb([grain as u8, (grain / 3) as u8, (grain * 5) as u8])
            });
            let jpeg = coded.encode(&picture);
            let index = read(&jpeg).1;
            let fills = fills(index.mcus(), &[(5, None), (3, Some(0)), (4, None), (1, Some(0))]);
            assert!(
                index.scan().parts[0].ac.by_symbol()[0].is_none(),
                "the test lacks its end of block"
            );
            assert_eq!(spliced(&jpeg, &fills).tables, expected, "{coded:?}");
        }
    }
}

#[test]
fn what_no_baseline_file_can_say_is_an_error_and_no_file() {
    let jpeg = PLAIN.jpeg(2);
    let (head, index) = read(&jpeg);
    let too_bright = splice(&head, &index, &fills(index.mcus(), &[(3, Some(i16::MAX))]), &[]);
    assert_eq!(too_bright, Err(Error::Difference));
    assert_eq!(
        splice(&head, &index, &[None], &[]),
        Err(Error::Fills(1, index.mcus()))
    );
}
