//! An ONNX file taken apart: its graph, and its weights left where they lie.
//!
//! Promises: the graph asks for each of its large weights at the place where the file itself has them, so that ONNX
//! Runtime takes them from the one buffer whose hash was checked; it keeps for good a second copy of every weight that
//! stands in the graph (docs/decisions/0008-memory-of-the-networks.md). Nothing else of the graph is changed. What is no
//! ONNX file is none here either; no length that a file claims is believed beyond its end.
//!
//! The numbers are those of onnx.proto3 (ONNX 1.13 and later) in protobuf's wire format.

use std::ops::Range;

/// The file that the graph asks for weights.
pub(super) const WEIGHTS: &str = "weights";
/// Smaller ones stay in the graph: shapes and biases, which the optimiser wants to read there.
const LEAST: usize = 1024;

const MODEL_GRAPH: u64 = 7;
const GRAPH_INITIALIZER: u64 = 5;
const TENSOR_RAW_DATA: u64 = 9;
const TENSOR_EXTERNAL_DATA: u64 = 13;
const TENSOR_DATA_LOCATION: u64 = 14;
const ENTRY_KEY: u64 = 1;
const ENTRY_VALUE: u64 = 2;
const EXTERNAL: u64 = 1;

/// The model of this file, its large weights named by where they lie in it; `None` if it is no model.
pub(super) fn graph_alone(file: &[u8]) -> Option<Vec<u8>> {
    rewritten(file, 0..file.len(), MODEL_GRAPH, |graph| {
        rewritten(file, graph, GRAPH_INITIALIZER, |tensor| reference(file, tensor))
    })
}

/// A message with every field of this number made anew; `None` if there is none, or it cannot be read.
fn rewritten(
    file: &[u8],
    message: Range<usize>,
    number: u64,
    anew: impl Fn(Range<usize>) -> Option<Vec<u8>>,
) -> Option<Vec<u8>> {
    let (mut out, mut found) = (Vec::new(), false);
    for field in fields(file, message) {
        match field? {
            Field {
                number: n,
                inside: Some(inside),
                ..
            } if n == number => {
                put(&mut out, number, &anew(inside)?);
                found = true;
            }
            other => out.extend(&file[other.whole]),
        }
    }
    found.then_some(out)
}

/// A tensor whose numbers, if they are many, are named by their place in the file.
fn reference(file: &[u8], tensor: Range<usize>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    for field in fields(file, tensor) {
        let field = field?;
        match field.inside {
            Some(raw) if field.number == TENSOR_RAW_DATA && raw.len() >= LEAST => {
                let [offset, length] = [raw.start, raw.len()].map(|n| n.to_string());
                for (key, value) in [("location", WEIGHTS), ("offset", &offset), ("length", &length)] {
                    let mut entry = Vec::new();
                    put(&mut entry, ENTRY_KEY, key.as_bytes());
                    put(&mut entry, ENTRY_VALUE, value.as_bytes());
                    put(&mut out, TENSOR_EXTERNAL_DATA, &entry);
                }
                put_number(&mut out, TENSOR_DATA_LOCATION << 3);
                put_number(&mut out, EXTERNAL);
            }
            _ => out.extend(&file[field.whole]),
        }
    }
    Some(out)
}

/// One field of a message, by its places in the file.
struct Field {
    number: u64,
    /// With its tag.
    whole: Range<usize>,
    /// What it holds, where it says how long that is.
    inside: Option<Range<usize>>,
}

/// The fields of a message in turn; `None` ends them where one cannot be read.
fn fields(file: &[u8], message: Range<usize>) -> impl Iterator<Item = Option<Field>> {
    let mut at = Some(message.start);
    std::iter::from_fn(move || {
        let start = at.filter(|&at| at < message.end)?;
        let field = field(file, start..message.end);
        at = field.as_ref().map(|field| field.whole.end);
        Some(field)
    })
}

fn field(file: &[u8], rest: Range<usize>) -> Option<Field> {
    let (tag, at) = number(file, rest.clone())?;
    let (inside, end) = match tag & 7 {
        0 => (None, number(file, at..rest.end)?.1),
        1 => (None, at.checked_add(8)?),
        5 => (None, at.checked_add(4)?),
        2 => {
            let (length, at) = number(file, at..rest.end)?;
            let end = at.checked_add(usize::try_from(length).ok()?)?;
            (Some(at..end), end)
        }
        _ => return None,
    };
    (end <= rest.end).then_some(Field {
        number: tag >> 3,
        whole: rest.start..end,
        inside,
    })
}

/// A number of seven bits to a byte, and where it ends.
fn number(file: &[u8], rest: Range<usize>) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (at, shift) in rest.zip((0..64).step_by(7)) {
        let byte = *file.get(at)?;
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some((value, at + 1));
        }
    }
    None
}

fn put(out: &mut Vec<u8>, number: u64, inside: &[u8]) {
    put_number(out, number << 3 | 2);
    put_number(out, inside.len() as u64);
    out.extend(inside);
}

fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model: its version, a graph with a name and two weights.
    fn model(weights: [&[u8]; 2]) -> Vec<u8> {
        let mut graph = Vec::new();
        put(&mut graph, 2, b"net");
        for raw in weights {
            let mut tensor = vec![0x10, 10];
            put(&mut tensor, 8, b"w");
            put(&mut tensor, TENSOR_RAW_DATA, raw);
            put(&mut graph, GRAPH_INITIALIZER, &tensor);
        }
        let mut model = vec![0x08, 8];
        put(&mut model, MODEL_GRAPH, &graph);
        model.extend([0x0D, 1, 2, 3, 4]);
        model
    }

    fn has(bytes: &[u8], what: &[u8]) -> bool {
        bytes.windows(what.len()).any(|window| window == what)
    }

    #[test]
    fn large_weights_are_named_by_their_place_and_all_else_stays() {
        let file = model([&[7; 2000], &[9; 30]]);
        let graph = graph_alone(&file).expect("a model");
        assert!(graph.len() < 200 && !has(&graph, &[7; 10]) && has(&graph, &[9; 30]));
        let place = file
            .windows(2000)
            .position(|window| window == [7; 2000])
            .expect("there");
        assert!(
            has(&graph, place.to_string().as_bytes())
                && has(&graph, b"2000")
                && has(&graph, WEIGHTS.as_bytes())
        );
        assert!(graph.starts_with(&[0x08, 8]) && graph.ends_with(&[0x0D, 1, 2, 3, 4]));
        let small = model([&[7; 20], &[9; 30]]);
        assert_eq!(graph_alone(&small), Some(small), "nothing large, nothing changed");
    }

    #[test]
    fn what_is_cut_anywhere_or_is_no_model_is_none() {
        let file = model([&[7; 2000], &[9; 30]]);
        for end in (0..file.len()).filter(|&end| end != file.len() - 5) {
            assert_eq!(graph_alone(&file[..end]), None, "cut at {end}");
        }
        for other in [
            &b"weights"[..],
            &[0xFF; 40],
            &[0x3A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F],
        ] {
            assert_eq!(graph_alone(other), None);
        }
    }
}
