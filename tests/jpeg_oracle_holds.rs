//! The second opinion on coefficients is one: what the maker writes the decoder reads, and other decoders see the same
//! picture in it.
#![cfg(feature = "trap")]

mod jpeg_oracle;

use jpeg_oracle::maker::{self, SAMPLINGS, Style, Texture};
use jpeg_oracle::{Coefficients, decode};
use proptest::prelude::*;

proptest! {
    #[test]
    fn what_was_written_is_read((picture, style) in maker::any_file(90)) {
        let decoded = decode(&maker::write(&picture, &style)).expect("sound");
        prop_assert_eq!(&decoded.picture, &picture);
        prop_assert!(!decoded.odd_padding);
        prop_assert_eq!(decoded.starts.len(), picture.mcus()[0] * picture.mcus()[1]);
    }
}

#[test]
fn scans_of_one_component_each_are_read() {
    for sampling in SAMPLINGS.iter().filter(|s| s.len() == 3) {
        let mut picture = maker::picture([61, 45], sampling, Texture::Mixed, 7);
        picture.restart_interval = 5;
        let style = Style {
            scans: vec![vec![1], vec![0], vec![2]],
            ..Style::plain(&picture)
        };
        let decoded = decode(&maker::write(&picture, &style)).expect("sound");
        assert_eq!(decoded.scans, 3);
        // Such scans hold no padded blocks (T.81 A.2.2, A.2.4): those stay zero.
        for (seen, made) in decoded.picture.components.iter().zip(&picture.components) {
            for (seen, made) in seen.blocks.iter().zip(&made.blocks) {
                assert!(seen == made || seen == &[0; 64]);
            }
        }
        assert_eq!(
            decoded.picture.components[0].blocks[0],
            picture.components[0].blocks[0]
        );
    }
}

#[test]
fn tables_may_lack_the_end_of_a_block() {
    let picture = maker::picture([64, 64], SAMPLINGS[4], Texture::Dense, 3);
    let style = Style {
        optimised: true,
        ..Style::plain(&picture)
    };
    let file = maker::write(&picture, &style);
    assert_eq!(decode(&file).expect("sound").picture, picture);
    let table = file.windows(2).position(|w| w == [0xFF, 0xC4]).expect("tables");
    let ac = table
        + file[table..]
            .windows(5)
            .position(|w| w[..2] == [0xFF, 0xC4] && w[4] == 0x10)
            .expect("AC");
    let count: usize = file[ac + 5..ac + 21].iter().map(|&n| usize::from(n)).sum();
    assert!(!file[ac + 21..ac + 21 + count].contains(&0), "no EOB");
}

/// Mean of each block by its DC coefficient.
fn is_seen_by_others(picture: &Coefficients, file: &[u8]) {
    let seen = image::load_from_memory(file).expect("sound").into_luma8();
    assert_eq!([seen.width() as usize, seen.height() as usize], picture.size);
    let luma = &picture.components[0];
    for (number, block) in luma.blocks.iter().enumerate() {
        let (x, y) = (number % luma.columns * 8, number / luma.columns * 8);
        if x + 8 > picture.size[0] || y + 8 > picture.size[1] {
            continue;
        }
        let pixels = image::imageops::crop_imm(&seen, x as u32, y as u32, 8, 8).to_image();
        let mean = pixels.iter().map(|&p| f64::from(p)).sum::<f64>() / 64.0;
        let expected = 128.0 + f64::from(block[0]) * f64::from(luma.quantiser[0]) / 8.0;
        assert!(
            (mean - expected).abs() < 3.0,
            "block {number}: {mean} is not {expected}"
        );
    }
}

#[test]
fn another_decoder_sees_the_same_picture() {
    for (sampling, restarts) in [(0, 0), (0, 3), (3, 0), (4, 2), (5, 0)] {
        let mut picture = maker::picture([80, 56], SAMPLINGS[sampling], Texture::Smooth, 11);
        picture.restart_interval = restarts;
        for component in &mut picture.components {
            component.quantiser = [4; 64];
            let is_luma = component.id == 1;
            for block in &mut component.blocks {
                // Nothing is clipped, and grey, so that luma alone is seen.
                block[0] = if is_luma { block[0] / 8 } else { 0 };
                if !is_luma {
                    block[1..].fill(0);
                }
                block[1..].iter_mut().for_each(|v| *v = (*v).clamp(-2, 2));
            }
        }
        for optimised in [false, true] {
            let style = Style {
                optimised,
                ..Style::plain(&picture)
            };
            is_seen_by_others(&picture, &maker::write(&picture, &style));
        }
    }
}
