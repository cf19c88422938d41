//! How large plates are at the zone's edges, and how many of them the night blinds. Pure.
//!
//! Promises: an estimate says on how many plates it rests and how far it may be off; where it rests on too few, or on
//! plates that all stand at one distance, there is none. On flat ground a thing's width in the picture grows in proportion
//! to how far below the horizon it stands: hence a straight line through widths by height in the picture.

use serde::Serialize;

/// A line wants so many plates ...
const LEAST: usize = 5;
/// ... whose places differ by this share of the picture's height.
const SPREAD: f32 = 0.1;

/// A plate that was found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sized {
    /// Its width in pixels of the frame.
    pub width: f32,
    /// How far down its lower edge lies, 0 to 1.
    pub y: f32,
    /// Share of its pixels that are as white as can be; by night only.
    pub clipped: Option<f32>,
}

/// The width of a plate at one edge of the zone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AtEdge {
    /// How far down the picture this edge lies, 0 to 1.
    pub y: f32,
    /// Pixels.
    pub width: f32,
    /// Two standard errors of one plate there to either side.
    pub either_side: f32,
    /// Whether no plate was seen as far away, or as near: then it is a guess from the others.
    pub beyond: bool,
}

/// The widths to be expected at these places, if the plates tell.
pub fn at(plates: &[Sized], edges: [f32; 2]) -> Option<[AtEdge; 2]> {
    let n = plates.len() as f32;
    let mean = |of: fn(&Sized) -> f32| plates.iter().map(of).sum::<f32>() / n;
    let [low, high] = [
        plates.iter().map(|p| p.y).fold(f32::INFINITY, f32::min),
        plates.iter().map(|p| p.y).fold(f32::NEG_INFINITY, f32::max),
    ];
    if plates.len() < LEAST || high - low < SPREAD {
        return None;
    }
    let (y, width) = (mean(|p| p.y), mean(|p| p.width));
    let spread: f32 = plates.iter().map(|p| (p.y - y).powi(2)).sum();
    let slope = plates.iter().map(|p| (p.y - y) * (p.width - width)).sum::<f32>() / spread;
    // Farther things are not larger: such plates are of vehicles that stand in no order, or are none.
    if slope <= 0.0 {
        return None;
    }
    let line = |at: f32| width + slope * (at - y);
    let missed: f32 = plates.iter().map(|p| (p.width - line(p.y)).powi(2)).sum();
    let error = (missed / (n - 2.0)).sqrt();
    Some(edges.map(|at| AtEdge {
        y: at,
        width: line(at).max(0.0),
        either_side: 2.0 * error * (1.0 + 1.0 / n + (at - y).powi(2) / spread).sqrt(),
        beyond: at < low || at > high,
    }))
}

/// Smallest, middle and largest.
pub fn range(mut values: Vec<f32>) -> Option<[f32; 3]> {
    values.sort_by(f32::total_cmp);
    Some([*values.first()?, *values.get(values.len() / 2)?, *values.last()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plate(y: f32, width: f32) -> Sized {
        Sized {
            width,
            y,
            clipped: None,
        }
    }

    #[test]
    fn plates_along_a_street_tell_their_width_at_both_edges() {
        let seen: Vec<_> = (0u8..8)
            .map(|n| 0.4 + f32::from(n) * 0.05)
            .map(|y| plate(y, 200.0 * (y - 0.2)))
            .collect();
        let [far, near] = at(&seen, [0.3, 0.7]).expect("a line");
        assert!(
            (far.width - 20.0).abs() < 0.1 && (near.width - 100.0).abs() < 0.1,
            "{far:?} {near:?}"
        );
        assert!(far.beyond && !near.beyond && near.either_side < 1.0);
        assert_eq!(
            at(&seen, [0.1, 0.9]).expect("a line")[0].width,
            0.0,
            "nothing has less than no width"
        );
    }

    #[test]
    fn few_plates_or_plates_of_one_place_or_in_no_order_tell_nothing() {
        let line = |ys: &[f32]| ys.iter().map(|&y| plate(y, 100.0 * y)).collect::<Vec<_>>();
        assert_eq!(at(&line(&[0.2, 0.4, 0.6, 0.8]), [0.0, 1.0]), None);
        assert_eq!(at(&line(&[0.50, 0.51, 0.52, 0.53, 0.54]), [0.0, 1.0]), None);
        let falling: Vec<_> = [0.2, 0.4, 0.6, 0.7, 0.8]
            .map(|y| plate(y, 100.0 * (1.0 - y)))
            .into();
        assert_eq!(at(&falling, [0.0, 1.0]), None);
        assert_eq!(at(&[], [0.0, 1.0]), None);
    }
}
