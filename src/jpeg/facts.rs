//! The facts that a frame's EXIF tells, and the short EXIF that is written anew.
//!
//! Promises: a broken, hostile or missing EXIF gives fewer facts, never an error. What [`Facts::exif`]
//! writes holds orientation, hour, make and model, made from these values: no position, thumbnail,
//! maker note or any other byte of the camera's. Leaves it to others whether the camera's clock is right.

use std::io::Cursor;

use exif::experimental::Writer;
use exif::{Exif, Field, In, Reader, Tag, Value};

use super::{Layout, SegmentKind};
use crate::frame::CameraTime;
use crate::frame::Orientation;

/// A maker's or camera's name longer than this says something else.
const LONGEST_NAME: usize = 64;

/// What the camera wrote about the frame (EXIF 2.32).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// How the stored picture stands upright; as stored where nothing (sensible) is said.
    pub orientation: Orientation,
    /// DateTimeOriginal with SubSecTimeOriginal.
    pub taken: Option<CameraTime>,
    /// Make.
    pub make: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// BodySerialNumber.
    pub serial: Option<String>,
}

impl Facts {
    /// Reads the first EXIF segment of `bytes`.
    pub fn read(bytes: &[u8], layout: &Layout) -> Self {
        let segment = layout.segments.iter().find(|s| s.kind == SegmentKind::Exif);
        let tiff = segment.and_then(|s| s.payload(bytes).get(6..));
        let Some(tiff) = tiff else {
            return Self::default();
        };
        let mut reader = Reader::new();
        reader.continue_on_error(true);
        reader
            .read_raw(tiff.to_vec())
            .or_else(|e| e.distill_partial_result(|_| ()))
            .map(|exif| Self::of(&exif))
            .unwrap_or_default()
    }

    fn of(exif: &Exif) -> Self {
        let field = |tag| exif.get_field(tag, In::PRIMARY);
        let text = |tag| field(tag).and_then(|f| first_text(&f.value));
        let orientation = field(Tag::Orientation).and_then(|f| f.value.get_uint(0));
        Self {
            orientation: orientation
                .and_then(|n| u16::try_from(n).ok())
                .and_then(|n| Orientation::try_from(n).ok())
                .unwrap_or_default(),
            taken: text(Tag::DateTimeOriginal)
                .and_then(|hour| camera_time(&hour, text(Tag::SubSecTimeOriginal).as_deref())),
            make: text(Tag::Make),
            model: text(Tag::Model),
            serial: text(Tag::BodySerialNumber),
        }
    }

    /// The short EXIF (a TIFF structure, without the segment's `Exif\0\0`) that goes into a redacted
    /// file; empty where there is nothing to say.
    pub fn exif(&self) -> Vec<u8> {
        let ascii = |text: &str| Value::Ascii(vec![text.as_bytes().to_vec()]);
        let field = |tag, value| Field {
            tag,
            ifd_num: In::PRIMARY,
            value,
        };
        let mut fields = vec![field(
            Tag::Orientation,
            Value::Short(vec![self.orientation.into()]),
        )];
        fields.extend(self.make.as_deref().map(|t| field(Tag::Make, ascii(t))));
        fields.extend(self.model.as_deref().map(|t| field(Tag::Model, ascii(t))));
        if let Some(CameraTime(taken)) = self.taken {
            let hour = taken.strftime("%Y:%m:%d %H:%M:%S").to_string();
            fields.push(field(Tag::DateTimeOriginal, ascii(&hour)));
            let milliseconds = taken.millisecond();
            if milliseconds != 0 {
                fields.push(field(
                    Tag::SubSecTimeOriginal,
                    ascii(&format!("{milliseconds:03}")),
                ));
            }
        }
        let mut writer = Writer::new();
        fields.iter().for_each(|f| writer.push_field(f));
        let mut out = Cursor::new(Vec::new());
        match writer.write(&mut out, true) {
            Ok(()) => out.into_inner(),
            Err(_) => Vec::new(),
        }
    }
}

/// The first string, without what does not print: it is shown, and written into files, as it is.
fn first_text(value: &Value) -> Option<String> {
    let Value::Ascii(strings) = value else {
        return None;
    };
    let printable = |b: &&u8| matches!(b, 0x20..=0x7E);
    let text: String = strings
        .first()?
        .iter()
        .filter(printable)
        .take(LONGEST_NAME)
        .map(|&b| char::from(b))
        .collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// `YYYY:MM:DD HH:MM:SS` and the decimals of the second (EXIF 2.32, 4.6.6).
fn camera_time(text: &str, decimals: Option<&str>) -> Option<CameraTime> {
    let hour = jiff::civil::DateTime::strptime("%Y:%m:%d %H:%M:%S", text).ok()?;
    let milliseconds = decimals
        .filter(|d| d.bytes().all(|b| b.is_ascii_digit()))
        .and_then(|d| format!("{d:0<3}").get(..3)?.parse().ok())
        .unwrap_or(0);
    let hour = hour.with().millisecond(milliseconds).build().ok()?;
    Some(CameraTime(hour))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_back(exif: &[u8]) -> Facts {
        let mut reader = Reader::new();
        reader.continue_on_error(true);
        reader
            .read_raw(exif.to_vec())
            .or_else(|e| e.distill_partial_result(|_| ()))
            .map(|e| Facts::of(&e))
            .unwrap_or_default()
    }

    #[test]
    fn what_is_written_anew_says_the_same_and_no_more() {
        let facts = Facts {
            orientation: 6.try_into().expect("1 to 8"),
            taken: camera_time("2026:10:25 02:30:00", Some("12")),
            make: Some("Maker".into()),
            model: Some("Trap 9".into()),
            serial: Some("SN-123".into()),
        };
        let read = read_back(&facts.exif());
        assert_eq!(
            read,
            Facts {
                serial: None,
                ..facts
            }
        );
        assert_eq!(
            read.taken.map(|t| t.to_string()).as_deref(),
            Some("2026-10-25T02:30:00.12")
        );
    }

    #[test]
    fn an_impossible_hour_or_orientation_is_no_fact() {
        assert_eq!(camera_time("0000:00:00 00:00:00", None), None);
        assert_eq!(camera_time("2026:13:01 00:00:00", None), None);
        assert_eq!(camera_time("    :  :     :  :  ", None), None);
        let written = Facts::default().exif();
        let at = written
            .windows(2)
            .position(|w| w == 0x0112u16.to_le_bytes())
            .expect("the tag is there");
        let mut odd = written;
        odd[at + 8] = 9;
        assert_eq!(read_back(&odd), Facts::default());
    }

    proptest! {
        #[test]
        fn a_damaged_exif_never_stops_a_frame(damage in proptest::collection::vec((0usize..160, any::<u8>()), 0..8), cut in 0usize..160) {
            let mut exif = Facts { make: Some("Maker".into()), taken: camera_time("2026:01:01 10:00:00", None), ..Facts::default() }.exif();
            for (at, value) in damage {
                if let Some(byte) = exif.get_mut(at) { *byte = value; }
            }
            exif.truncate(exif.len().max(cut));
            read_back(&exif);
        }
    }
}
