//! Polygons of the configuration: corners in shares of the frame, checked to cover something.

use toml::Value;

use super::error::PolygonFault;
use crate::vision::geometry::Polygon;

const MOST_CORNERS: usize = 256;
/// A thousandth of a thousandth of the frame: 2 pixels of 2 megapixels.
const LEAST_AREA: f64 = 1e-6;

/// A polygon written as a list of corners.
pub(super) fn corners(value: &Value) -> Result<Polygon, PolygonFault> {
    let list = value.as_array().ok_or(PolygonFault::NotCorners)?;
    let corners = list
        .iter()
        .map(|corner| match corner.as_array().map(Vec::as_slice) {
            Some([x, y]) => number(x).zip(number(y)).map(<[f64; 2]>::from),
            _ => None,
        });
    let corners: Option<Vec<_>> = corners.collect();
    // How many there are is said first: a long list of anything is no list of corners.
    enough(list.len())?;
    polygon_of(&corners.ok_or(PolygonFault::NotCorners)?)
}

/// A polygon of these corners, in shares of the frame.
pub fn polygon_of(corners: &[[f64; 2]]) -> Result<Polygon, PolygonFault> {
    enough(corners.len())?;
    let inside = |corner: &[f64; 2]| corner.iter().all(|share| (0.0..=1.0).contains(share));
    if let Some(outside) = corners.iter().position(|corner| !inside(corner)) {
        return Err(PolygonFault::Outside(outside + 1));
    }
    if on_one_line(corners) {
        return Err(PolygonFault::Flat);
    }
    Ok(Polygon(
        corners.iter().map(|c| c.map(|share| share as f32)).collect(),
    ))
}

fn enough(corners: usize) -> Result<(), PolygonFault> {
    match (3..=MOST_CORNERS).contains(&corners) {
        true => Ok(()),
        false => Err(PolygonFault::Corners(corners)),
    }
}

/// The same, or the word `"all"` for the whole frame.
pub(super) fn corners_or_all(value: &Value) -> Result<Polygon, PolygonFault> {
    match value.as_str() {
        Some("all") => Ok(Polygon::everywhere()),
        Some(_) => Err(PolygonFault::NotCornersNorAll),
        None => corners(value).map_err(|fault| match fault {
            PolygonFault::NotCorners => PolygonFault::NotCornersNorAll,
            other => other,
        }),
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|n| n as f64))
}

/// Whether every triangle of the first corner and an edge is (nearly) nothing. The signed area of the
/// whole would not do: it is zero for an hourglass too, which covers something.
fn on_one_line(corners: &[[f64; 2]]) -> bool {
    let [ox, oy] = corners[0];
    corners.windows(2).all(|edge| {
        let [[ax, ay], [bx, by]] = [edge[0], edge[1]];
        ((ax - ox) * (by - oy) - (bx - ox) * (ay - oy)).abs() / 2.0 < LEAST_AREA
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polygon(text: &str) -> Result<Polygon, PolygonFault> {
        let table: toml::Table = format!("p = {text}").parse().expect("TOML");
        corners_or_all(&table["p"])
    }

    #[test]
    fn a_polygon_has_corners_inside_the_frame_and_covers_something() {
        for (text, fault) in [
            ("\"everywhere\"", PolygonFault::NotCornersNorAll),
            ("3", PolygonFault::NotCornersNorAll),
            ("[[0, 0], [1, 1], [1]]", PolygonFault::NotCornersNorAll),
            ("[[0, 0], [1, 1], [1, \"0\"]]", PolygonFault::NotCornersNorAll),
            ("[]", PolygonFault::Corners(0)),
            ("[[0, 0], [1, 1]]", PolygonFault::Corners(2)),
            ("[[0, 0], [1, 1], [1, 1.01]]", PolygonFault::Outside(3)),
            ("[[0, 0], [-0.1, 1], [1, 1]]", PolygonFault::Outside(2)),
            ("[[0, nan], [1, 1], [1, 0]]", PolygonFault::Outside(1)),
            ("[[0, 0], [0.5, 0.5], [1, 1]]", PolygonFault::Flat),
            ("[[0.2, 0.2], [0.2, 0.2], [0.2, 0.2]]", PolygonFault::Flat),
        ] {
            assert_eq!(polygon(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn whole_numbers_an_hourglass_and_the_word_all_are_polygons() {
        assert_eq!(
            polygon("[[0, 0], [1, 0], [0.5, 1]]"),
            Ok(Polygon(vec![[0.0, 0.0], [1.0, 0.0], [0.5, 1.0]]))
        );
        assert!(polygon("[[0, 0], [1, 1], [1, 0], [0, 1]]").is_ok());
        assert_eq!(polygon("\"all\""), Ok(Polygon::everywhere()));
    }
}
