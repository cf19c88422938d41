use proptest::prelude::*;

use super::*;

fn canvas(width: u32, height: u32, unit: [u16; 2], tag: u16) -> Canvas {
    let stored = FrameSize { width, height };
    Canvas {
        stored,
        orientation: tag.try_into().expect("1 to 8"),
        grid: Grid::covering(stored, unit),
    }
}

/// Any canvas of a few hundred pixels.
fn canvases() -> impl Strategy<Value = Canvas> {
    let unit = prop_oneof![Just(8u16), Just(16), Just(32)];
    (1u32..200, 1u32..200, unit.clone(), unit, 1u16..=8)
        .prop_map(|(w, h, uw, uh, tag)| canvas(w, h, [uw, uh], tag))
}

fn rects() -> impl Strategy<Value = Rect> {
    (-50i32..250, -50i32..250, 0i32..150, 0i32..150)
        .prop_map(|(x, y, w, h)| [x as f32, y as f32, w as f32, h as f32].into())
}

/// Whether the MCU under an upright pixel's middle is masked.
fn hides(canvas: &Canvas, mask: &Mask, x: u32, y: u32) -> bool {
    let upright = canvas.orientation.turned(canvas.stored);
    let middle = [x as f32 + 0.5, y as f32 + 0.5];
    let [sx, sy] = canvas.orientation.point_to_stored(middle, upright);
    let [uw, uh] = canvas.grid.unit.map(u32::from);
    mask.contains(sx as u32 / uw, sy as u32 / uh)
}

fn pixels(canvas: &Canvas) -> impl Iterator<Item = (u32, u32)> + use<> {
    let size = canvas.orientation.turned(canvas.stored);
    (0..size.height).flat_map(move |y| (0..size.width).map(move |x| (x, y)))
}

proptest! {
    #[test]
    fn every_pixel_of_a_box_is_hidden_in_every_orientation(canvas in canvases(), rect in rects()) {
        let mut mask = Mask::none(canvas.grid);
        canvas.hide(&mut mask, rect);
        for (x, y) in pixels(&canvas) {
            if rect.intersection(&Rect { x: x as f32, y: y as f32, w: 1.0, h: 1.0 }).area() > 0.0 {
                prop_assert!(hides(&canvas, &mask, x, y), "{x}, {y}");
            }
        }
        if !mask.is_empty() {
            prop_assert!(canvas.is_hidden(&mask, rect));
        }
    }

    #[test]
    fn a_box_hides_no_more_than_the_units_it_touches(canvas in canvases(), rect in rects()) {
        let mut mask = Mask::none(canvas.grid);
        canvas.hide(&mut mask, rect);
        let reach = canvas.grid.unit[0].max(canvas.grid.unit[1]) as f32 + 1.0;
        let near = Rect::from_edges(rect.x - reach, rect.y - reach, rect.right() + reach, rect.bottom() + reach);
        for (x, y) in pixels(&canvas) {
            if hides(&canvas, &mask, x, y) {
                prop_assert!(near.contains([x as f32 + 0.5, y as f32 + 0.5]), "{x}, {y}");
            }
        }
    }

    #[test]
    fn a_polygon_hides_all_of_its_pixels_and_shows_only_its_own(
        canvas in canvases(),
        corners in proptest::collection::vec((-0.2f32..1.2, -0.2f32..1.2), 3..7),
    ) {
        let polygon = Polygon(corners.into_iter().map(|(x, y)| [x, y]).collect());
        let mut hidden = Mask::none(canvas.grid);
        canvas.hide_polygon(&mut hidden, &polygon);
        let shown = canvas.inside(&polygon);
        let size = canvas.orientation.turned(canvas.stored);
        for (x, y) in pixels(&canvas) {
            let share = [(x as f32 + 0.5) / size.width as f32, (y as f32 + 0.5) / size.height as f32];
            if polygon.contains(share) {
                prop_assert!(hides(&canvas, &hidden, x, y), "hidden {x}, {y}");
            } else {
                prop_assert!(!hides(&canvas, &shown, x, y), "shown {x}, {y}");
            }
        }
    }

    #[test]
    fn a_mask_survives_being_written_and_read(canvas in canvases(), rects in proptest::collection::vec(rects(), 0..5)) {
        let mut mask = Mask::none(canvas.grid);
        for rect in rects {
            let before = mask.clone();
            canvas.hide(&mut mask, rect);
            let mut both = before.clone();
            both.unite(&mask);
            prop_assert_eq!(&both, &mask, "a mask only grows");
        }
        let runs = mask.runs();
        let text = serde_json::to_string(&runs).expect("plain");
        let read: Runs = serde_json::from_str(&text).expect("as written");
        prop_assert_eq!(read.on(canvas.stored), Ok(mask));
    }

    #[test]
    fn coarsening_never_shows_what_was_hidden(canvas in canvases(), rect in rects(), columns in 1u32..5, rows in 1u32..5) {
        let mut mask = Mask::none(canvas.grid);
        canvas.hide(&mut mask, rect);
        let mut left = mask.clone();
        left.subtract(&mask.coarsened(columns, rows));
        prop_assert!(left.is_empty());
    }

    #[test]
    fn any_runs_end_in_a_mask_or_an_error(unit: [u16; 2], runs: Vec<[u32; 3]>, width in 1u32..300, height in 1u32..300) {
        let stored = FrameSize { width, height };
        let _ = Runs { unit, runs: runs.clone() }.on(stored);
        let _ = Runs { unit: [16, 8], runs }.on(stored);
    }
}

#[test]
fn a_zone_drawn_to_the_edge_shows_the_padded_units_too() {
    let canvas = canvas(33, 33, [16, 16], 1);
    assert_eq!(canvas.inside(&Polygon::everywhere()), Mask::all(canvas.grid));
}

#[test]
fn a_box_that_is_no_number_hides_the_whole_frame() {
    let canvas = canvas(64, 64, [16, 16], 6);
    let mut mask = Mask::none(canvas.grid);
    canvas.hide(&mut mask, [f32::NAN, 0.0, 1.0, 1.0].into());
    assert_eq!(mask, Mask::all(canvas.grid));
    for odd in [f32::NAN, f32::INFINITY] {
        let rect = [0.0, odd, 1.0, 1.0].into();
        assert!(canvas.around(rect).is_empty(), "and shows nothing");
        assert!(canvas.inside(&canvas.corners(rect)).is_empty());
    }
}

#[test]
fn a_silhouette_hides_its_body_and_a_margin_around_it() {
    let canvas = canvas(160, 160, [8, 8], 1);
    let mut body = vec![0.0; 100];
    body[5 * 10 + 5] = 0.3;
    let silhouette = Silhouette {
        square: [0.0, 0.0, 160.0, 160.0].into(),
        side: 10,
        body,
    };
    let mut mask = Mask::none(canvas.grid);
    canvas.hide_silhouette(&mut mask, &silhouette, 0.1, 4.0);
    let mut expected = Mask::none(canvas.grid);
    canvas.hide(&mut expected, [76.0, 76.0, 24.0, 24.0].into());
    assert_eq!(mask, expected);
}

#[test]
fn runs_that_overlap_repeat_or_leave_the_picture_are_no_mask() {
    let on = |runs: &[[u32; 3]]| {
        let runs = runs.to_vec();
        Runs { unit: [16, 16], runs }.on(FrameSize {
            width: 64,
            height: 64,
        })
    };
    assert!(on(&[[0, 0, 4], [1, 2, 1]]).is_ok());
    for bad in [
        &[[4, 0, 1]][..],
        &[[0, 0, 5]],
        &[[0, 0, 0]],
        &[[0, 1, u32::MAX]],
        &[[1, 0, 1], [0, 0, 1]],
        &[[0, 0, 2], [0, 1, 2]],
        &[[0, 0, 2], [0, 2, 1]],
    ] {
        assert!(on(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn runs_of_units_that_no_jpeg_has_are_no_mask() {
    let stored = FrameSize {
        width: 64,
        height: 64,
    };
    let on = |unit| {
        Runs {
            unit,
            runs: Vec::new(),
        }
        .on(stored)
    };
    assert_eq!(
        on([8, 32]).map(|mask| mask.grid()),
        Ok(Grid::covering(stored, [8, 32]))
    );
    for unit in [[8, 0], [12, 8], [64, 64]] {
        assert_eq!(on(unit), Err(Error::Unit(unit)));
    }
}

#[test]
fn a_mask_is_written_as_its_longest_runs_and_knows_its_share() {
    let stored = FrameSize {
        width: 64,
        height: 48,
    };
    let runs = Runs {
        unit: [16, 16],
        runs: vec![[0, 2, 2], [1, 0, 1], [1, 2, 1]],
    };
    let mask = runs.on(stored).expect("a mask");
    assert_eq!(mask.runs(), runs);
    assert_eq!(mask.units().collect::<Vec<_>>(), [(2, 0), (3, 0), (0, 1), (2, 1)]);
    assert_eq!(mask.share(), 4.0 / 12.0);
    assert!(mask.contains(4, 0) && mask.contains(0, 3), "outside");
    assert!(!mask.contains(0, 0) && !mask.contains(3, 2));
}

#[test]
fn what_is_coarsened_is_whole_blocks_and_no_more() {
    let stored = FrameSize {
        width: 80,
        height: 80,
    };
    let mask = |runs: &[[u32; 3]]| {
        let runs = runs.to_vec();
        Runs { unit: [16, 16], runs }.on(stored).expect("a mask")
    };
    assert_eq!(mask(&[[3, 3, 1]]).coarsened(2, 3), mask(&[[3, 2, 2], [4, 2, 2]]));
    assert_eq!(
        mask(&[[0, 0, 1]]).coarsened(2, 3),
        mask(&[[0, 0, 2], [1, 0, 2], [2, 0, 2]])
    );
    assert_eq!(mask(&[[1, 2, 1]]).coarsened(0, 0), mask(&[[1, 2, 1]]));
}

#[test]
fn of_a_rectangle_it_is_told_how_much_is_hidden() {
    let canvas = canvas(64, 64, [16, 16], 1);
    let mut mask = Mask::none(canvas.grid);
    canvas.hide(&mut mask, [0.0, 0.0, 32.0, 16.0].into());
    let told = |rect: [f32; 4]| {
        let rect = rect.into();
        let (all, some) = (
            canvas.is_hidden(&mask, rect),
            canvas.is_partly_hidden(&mask, rect),
        );
        (all, some, canvas.hidden_share(&mask, rect))
    };
    assert_eq!(told([1.0, 1.0, 30.0, 10.0]), (true, true, 1.0));
    assert_eq!(told([20.0, 1.0, 30.0, 30.0]), (false, true, 1.0 / 6.0));
    assert_eq!(told([33.0, 1.0, 30.0, 30.0]), (false, false, 0.0));
    assert_eq!(told([-90.0, 1.0, 30.0, 30.0]), (false, false, 0.0), "outside");
}

#[test]
fn a_box_touches_the_units_that_it_reaches_into_and_no_others() {
    let canvas = canvas(64, 48, [16, 16], 1);
    let hidden = |rect: [f32; 4]| canvas.around(rect.into()).runs().runs;
    assert_eq!(hidden([16.0, 16.0, 16.0, 16.0]), [[1, 1, 1]]);
    assert_eq!(hidden([15.0, 17.0, 18.0, 1.0]), [[1, 0, 3]]);
    assert_eq!(hidden([40.0, 40.0, 99.0, 99.0]), [[2, 2, 2]]);
    assert_eq!(hidden([-9.0, -9.0, 10.0, 10.0]), [[0, 0, 1]]);
    assert_eq!(hidden([20.0, 20.0, 0.0, 0.0]), [[1, 1, 1]], "no box is too small");
    for outside in [
        [-9.0, 0.0, 8.0, 8.0],
        [0.0, -9.0, 8.0, 8.0],
        [65.0, 0.0, 8.0, 8.0],
        [0.0, 49.0, 8.0, 8.0],
    ] {
        assert!(hidden(outside).is_empty(), "{outside:?}");
    }
}

#[test]
fn a_silhouette_that_does_not_fit_its_square_is_hidden_as_a_box() {
    let canvas = canvas(160, 160, [8, 8], 1);
    let hidden = |side, cells: usize| {
        let silhouette = Silhouette {
            square: [16.0, 16.0, 64.0, 64.0].into(),
            side,
            body: vec![0.0; cells],
        };
        let mut mask = Mask::none(canvas.grid);
        canvas.hide_silhouette(&mut mask, &silhouette, 0.1, 0.0);
        mask
    };
    let square = canvas.around([16.0, 16.0, 64.0, 64.0].into());
    assert_eq!([hidden(0, 0), hidden(4, 15)], [square.clone(), square]);
    assert!(hidden(4, 16).is_empty());
}

#[test]
fn of_a_silhouette_what_is_surer_than_asked_or_no_number_is_hidden() {
    let canvas = canvas(96, 32, [8, 8], 1);
    let silhouette = Silhouette {
        square: [16.0, 0.0, 32.0, 32.0].into(),
        side: 4,
        body: [&[0.1, 0.2, 0.2, f32::NAN][..], &[0.0; 12]].concat(),
    };
    let mut mask = Mask::none(canvas.grid);
    canvas.hide_silhouette(&mut mask, &silhouette, 0.1, 0.0);
    assert_eq!(mask, canvas.around([24.0, 0.0, 24.0, 8.0].into()));
}

#[test]
fn a_polygon_is_hidden_to_every_unit_it_enters_and_shown_in_those_within() {
    let drawn = |(width, height, unit), corners: &[[f32; 2]]| {
        let canvas = canvas(width, height, [unit; 2], 1);
        let share = |[x, y]: &[f32; 2]| [x / width as f32, y / height as f32];
        let polygon = Polygon(corners.iter().map(share).collect());
        let mut hidden = Mask::none(canvas.grid);
        canvas.hide_polygon(&mut hidden, &polygon);
        (hidden.runs().runs, canvas.inside(&polygon).runs().runs)
    };
    // Its slope only touches the corners of the units beside it.
    let (hidden, shown) = drawn((64, 64, 16), &[[0.0, 0.0], [64.0, 0.0], [64.0, 64.0]]);
    assert_eq!(hidden, [[0, 0, 4], [1, 1, 3], [2, 2, 2], [3, 3, 1]]);
    assert_eq!(shown, [[0, 1, 3], [1, 2, 2], [2, 3, 1]]);
    // A crooked one with a corner pushed in.
    let corners = [
        [16.0, 6.0],
        [112.0, 20.0],
        [96.0, 60.0],
        [32.0, 52.0],
        [72.0, 36.0],
    ];
    let (hidden, shown) = drawn((128, 64, 8), &corners);
    let rows: [[u32; 2]; 8] = [[2, 2], [2, 9], [4, 10], [6, 8], [7, 7], [5, 8], [4, 9], [8, 5]];
    let rows: Vec<[u32; 3]> = (0..)
        .zip(rows)
        .map(|(row, [first, count])| [row, first, count])
        .collect();
    assert_eq!(hidden, rows);
    assert_eq!(shown, [[2, 7, 3], [3, 9, 4], [4, 9, 4], [5, 8, 4], [6, 8, 4]]);
}
