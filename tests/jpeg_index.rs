//! The index of a scan is what a plain decoder of T.81 finds, whatever the picture, its sampling, its tables and its
//! restart interval; and where the data are damaged it is no index.
#![cfg(feature = "trap")]

mod jpeg_oracle;

use jpeg_oracle::maker::{self, SAMPLINGS, Style, Texture};
use jpeg_oracle::{Coefficients, Decoded, decode};
use proptest::prelude::*;
use vigie::jpeg::index::{Walker, Way};
use vigie::jpeg::{Error, Index, Layout, Scan};

fn index(file: &[u8]) -> Result<Option<Index>, Error> {
    let layout = Layout::parse(file)?;
    let scan = Scan::of(file, &layout)?;
    scan.map(|scan| Index::build(file, scan)).transpose()
}

/// Grey, or luma of at most two by two or of four by one blocks with one block of each chroma component.
fn has_an_index(picture: &Coefficients) -> bool {
    let factors: Vec<_> = picture.components.iter().map(|c| c.factors).collect();
    match factors.as_slice() {
        [_] => true,
        [luma, chroma @ ..] => matches!(luma, [1 | 2, 1 | 2] | [4, 1]) && chroma.iter().all(|c| *c == [1, 1]),
        [] => false,
    }
}

fn assert_is_index(index: &Index, decoded: &Decoded) {
    let [columns, rows] = decoded.picture.mcus();
    assert_eq!(index.mcus(), columns * rows);
    for mcu in 0..index.mcus() {
        assert_eq!(
            index.bits(mcu..mcu + 1).start,
            decoded.starts[mcu],
            "start of MCU {mcu}"
        );
        let expected = decoded.picture.dcs([mcu % columns, mcu / columns]);
        assert_eq!(index.dcs(mcu), expected, "DC coefficients of MCU {mcu}");
    }
}

proptest! {
    #[test]
    fn starts_and_dc_coefficients_are_those_of_a_plain_decoder((picture, style) in maker::any_file(120)) {
        let file = maker::write(&picture, &style);
        let index = index(&file).expect("sound");
        prop_assert_eq!(index.is_some(), has_an_index(&picture));
        if let Some(index) = index {
            assert_is_index(&index, &decode(&file).expect("sound"));
        }
    }

    #[test]
    fn walks_from_many_bits_find_what_the_plain_walk_finds(
        (picture, style) in maker::any_file(200),
        segments in prop::collection::vec(8..3_000usize, 1..4),
        damage in prop::option::weighted(0.3, (any::<prop::sample::Index>(), any::<u8>())),
    ) {
        let mut file = maker::write(&picture, &style);
        let layout = Layout::parse(&file).expect("sound");
        let Some(scan) = Scan::of(&file, &layout).expect("sound") else { return Ok(()) };
        if let Some((at, value)) = damage {
            file[scan.data.start + at.index(scan.data.len())] = value;
        }
        let mut walker = Walker::default();
        let plain = walker.index_by(Way::Plain, &file, scan.clone());
        for segment in segments {
            let other = walker.index_by(Way::Interleaved(segment), &file, scan.clone());
            prop_assert_eq!(plain.is_ok(), other.is_ok());
            if let (Ok(plain), Ok(other)) = (&plain, other) {
                for mcu in 0..plain.mcus() {
                    prop_assert_eq!(plain.bits(mcu..mcu + 1), other.bits(mcu..mcu + 1));
                    prop_assert_eq!(plain.dcs(mcu), other.dcs(mcu));
                }
                walker.recycle(other);
            }
        }
    }

    #[test]
    fn damage_in_the_data_is_found_or_harms_nothing(
        (picture, style) in maker::any_file(60),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut file = maker::write(&picture, &style);
        let layout = Layout::parse(&file).expect("sound");
        let data = layout.scans().next().expect("a scan").data.clone();
        for (at, value) in damage {
            let at = data.start + at.index(data.len());
            file[at] = value;
        }
        let index = match index(&file) {
            Ok(None) => return Ok(()),
            Ok(Some(index)) => Some(index),
            Err(_) => None,
        };
        match (index, decode(&file)) {
            (Some(index), Ok(decoded)) => assert_is_index(&index, &decoded),
            (Some(index), Err(why)) => {
                // A few stray bytes behind the last MCU are an encoder's, and the plain decoder takes none.
                let end = index.bits(index.mcus() - 1..index.mcus()).end;
                let behind = 8 * index.stream().intervals().last().expect("one").end as u64 - end;
                prop_assert!(layout.restart_interval == 0 && (8..=64).contains(&behind), "{why}");
            }
            (None, Ok(decoded)) => {
                // Only the index knows what samples of 8 bits can be (T.81 F.1.2.1).
                let dcs = decoded.picture.components.iter().flat_map(|c| &c.blocks).map(|b| b[0]);
                prop_assert!(dcs.into_iter().any(|dc| !(-2047..=2047).contains(&dc)));
            }
            (None, Err(_)) => {}
        }
    }
}

/// Large enough for several walks at once.
#[test]
fn large_pictures_have_the_index_of_a_plain_decoder() {
    for (sampling, texture, restarts, optimised) in [
        (4, Texture::Mixed, 0, false),
        (5, Texture::Mixed, 0, true),
        (4, Texture::Dense, 0, true),
        (0, Texture::Mixed, 0, false),
        (3, Texture::Smooth, 0, true),
        (4, Texture::Mixed, 61, false),
        (7, Texture::Mixed, 1, true),
    ] {
        let mut picture = maker::picture([1201, 803], SAMPLINGS[sampling], texture, 5);
        picture.restart_interval = restarts;
        let style = Style {
            optimised,
            ..Style::plain(&picture)
        };
        let file = maker::write(&picture, &style);
        let index = index(&file).expect("sound").expect("of the usual kind");
        assert_is_index(&index, &decode(&file).expect("sound"));
    }
}
