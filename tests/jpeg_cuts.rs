//! A cut is a JPEG of its own with the very coefficients of the picture's MCUs, says a decoder that shares nothing
//! with the program; whatever the picture, its sampling, tables and restart interval.
#![cfg(feature = "trap")]

mod jpeg_oracle;

use jpeg_oracle::decode;
use jpeg_oracle::maker;
use proptest::prelude::*;
use vigie::jpeg::crop::Cutter;
use vigie::jpeg::{Index, Layout, Scan};

proptest! {
    #[test]
    fn a_cut_has_the_coefficients_of_the_picture(
        (picture, style) in maker::any_file(120),
        [left, across, top, down] in any::<[prop::sample::Index; 4]>(),
    ) {
        let file = maker::write(&picture, &style);
        let layout = Layout::parse(&file).expect("sound");
        let Some(scan) = Scan::of(&file, &layout).expect("sound") else { return Ok(()) };
        let [columns, rows] = picture.mcus();
        let (left, top) = (left.index(columns), top.index(rows));
        let (across, down) = (1 + across.index(columns - left), 1 + down.index(rows - top));
        let cutter = Cutter::new(&scan, layout.size);
        let index = Index::build(&file, scan).expect("sound");
        let side = |first: usize, count: usize| first as u32..(first + count) as u32;
        let cut = cutter.cut(&index, side(left, across), side(top, down)).expect("cut");
        let cut = decode(&cut).expect("sound").picture;
        prop_assert_eq!(cut.mcus(), [across, down]);
        for (theirs, ours) in cut.components.iter().zip(&picture.components) {
            prop_assert_eq!(theirs.quantiser, ours.quantiser);
        }
        for row in 0..down {
            for column in 0..across {
                for component in 0..picture.components.len() {
                    let ours = picture.of_mcu(component, [left + column, top + row]);
                    prop_assert_eq!(cut.of_mcu(component, [column, row]), ours);
                }
            }
        }
    }
}
