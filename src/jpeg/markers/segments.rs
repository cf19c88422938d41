//! The walk over a file's segments: their order, lengths and headers (ITU-T T.81 B.2).

use super::{
    APP1, APP14, COM, Component, DHT, DNL, DQT, DRI, Error, Layout, Limits, Process, SOS, Segment,
    SegmentKind, Unsupported,
};
use crate::frame::FrameSize;

/// The next marker at or behind `at`, and where its last `FF` is. Stray bytes, fill bytes (T.81
/// B.1.1.2) and stuffed zeros are passed over, as libjpeg does.
pub(super) fn next_marker(bytes: &[u8], mut at: usize) -> Result<(u8, usize), Error> {
    let gone = Error::Truncated { at: bytes.len() };
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let skip = rest.iter().position(|&b| b == 0xFF).ok_or(gone.clone())?;
        at += skip;
        match bytes.get(at + 1) {
            None => return Err(gone),
            Some(0x00) => at += 2,
            Some(0xFF) => at += 1,
            Some(&marker) => return Ok((marker, at)),
        }
    }
}

/// Where the entropy-coded data that begin at `at` end: at the first marker that is no RSTn. The
/// offset of that marker's first `FF`, fill bytes included.
fn end_of_scan(bytes: &[u8], mut at: usize) -> Result<usize, Error> {
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let skip = memchr::memchr(0xFF, rest).ok_or(Error::Truncated { at: bytes.len() })?;
        let first = at + skip;
        at = first + 1;
        while bytes.get(at) == Some(&0xFF) {
            at += 1;
        }
        match bytes.get(at) {
            None => return Err(Error::Truncated { at: bytes.len() }),
            Some(0x00 | 0xD0..=0xD7) => at += 1,
            Some(_) => return Ok(first),
        }
    }
}

/// What the segments behind it said.
#[derive(Default)]
pub(super) struct Walk {
    /// Where the next marker is looked for.
    pub(super) at: usize,
    process: Option<Process>,
    width: u32,
    height: u32,
    has_dnl: bool,
    components: Vec<Component>,
    restart_interval: u16,
    first_restart_interval: Option<u16>,
    adobe_transform: Option<u8>,
    segments: Vec<Segment>,
}

impl Walk {
    /// Takes the segment of this marker.
    pub(super) fn segment(&mut self, bytes: &[u8], marker: u8, start: usize) -> Result<(), Error> {
        let gone = Error::Truncated { at: bytes.len() };
        let corrupt = |what| Error::Corrupt { at: start, what };
        let length = match bytes.get(start + 2..start + 4) {
            Some(&[high, low]) => usize::from(u16::from_be_bytes([high, low])),
            _ => return Err(gone),
        };
        if length < 2 {
            return Err(corrupt("a segment shorter than its own length field"));
        }
        let range = start..start + 2 + length;
        let payload = bytes.get(start + 4..range.end).ok_or(gone)?;
        let mut kind = SegmentKind::Essential;
        let mut data = range.end..range.end;
        match marker {
            0xC0..=0xC2 => self.frame_header(marker, payload, start)?,
            DHT | DQT => {}
            SOS => {
                self.scan_header(payload, start)?;
                data.end = end_of_scan(bytes, data.start)?;
            }
            DRI => match payload {
                &[high, low] => self.restart_interval = u16::from_be_bytes([high, low]),
                _ => return Err(corrupt("a restart interval of the wrong length")),
            },
            DNL => {
                self.has_dnl = true;
                self.number_of_lines(payload, start)?;
                self.at = range.end;
                return Ok(());
            }
            APP14 if payload.starts_with(b"Adobe") && payload.len() >= 12 => {
                self.adobe_transform = payload.get(11).copied();
            }
            APP1 if payload.starts_with(b"Exif\0") => kind = SegmentKind::Exif,
            0xE0..=0xEF | COM => kind = SegmentKind::Extra,
            0xC3 | 0xF7 => return Err(Error::Unsupported(Unsupported::Lossless)),
            0xC5..=0xC7 | 0xDE | 0xDF => return Err(Error::Unsupported(Unsupported::Hierarchical)),
            0xC9..=0xCF => return Err(Error::Unsupported(Unsupported::Arithmetic)),
            _ => return Err(corrupt("a reserved marker")),
        }
        self.at = data.end;
        self.segments.push(Segment {
            marker,
            kind,
            range,
            data,
        });
        Ok(())
    }

    /// T.81 B.2.2.
    fn frame_header(&mut self, marker: u8, payload: &[u8], start: usize) -> Result<(), Error> {
        let corrupt = |what| Error::Corrupt { at: start, what };
        if self.process.is_some() {
            return Err(corrupt("a second frame header"));
        }
        let &[precision, ya, yb, xa, xb, count, ref rest @ ..] = payload else {
            return Err(corrupt("a frame header that is too short"));
        };
        match precision {
            8 => {}
            12 => return Err(Error::Unsupported(Unsupported::TwelveBit)),
            _ => return Err(corrupt("samples of neither 8 nor 12 bits")),
        }
        self.height = u32::from(u16::from_be_bytes([ya, yb]));
        self.width = u32::from(u16::from_be_bytes([xa, xb]));
        match count {
            1 | 3 => {}
            4 => return Err(Error::Unsupported(Unsupported::Cmyk)),
            n => return Err(Error::Unsupported(Unsupported::Components(n))),
        }
        let specs = rest
            .get(..3 * usize::from(count))
            .ok_or(corrupt("a frame header that is too short"))?;
        for spec in specs.chunks_exact(3) {
            let component = Component {
                id: spec[0],
                horizontal: spec[1] >> 4,
                vertical: spec[1] & 15,
                quantiser: spec[2],
            };
            if !(1..=4).contains(&component.horizontal) || !(1..=4).contains(&component.vertical) {
                return Err(corrupt("a sampling factor outside 1 to 4"));
            }
            if self.components.iter().any(|c| c.id == component.id) {
                return Err(corrupt("two components of one name"));
            }
            self.components.push(component);
        }
        self.process = Some(match marker {
            0xC0 => Process::Baseline,
            0xC1 => Process::Extended,
            _ => Process::Progressive,
        });
        Ok(())
    }

    /// T.81 B.2.3.
    fn scan_header(&mut self, payload: &[u8], start: usize) -> Result<(), Error> {
        let corrupt = |what| Error::Corrupt { at: start, what };
        if self.process.is_none() {
            return Err(corrupt("a scan before the frame header"));
        }
        let count = usize::from(*payload.first().ok_or(corrupt("an empty scan header"))?);
        let names = payload
            .get(1..1 + 2 * count)
            .ok_or(corrupt("a scan header that is too short"))?;
        if !(1..=self.components.len()).contains(&count) || payload.len() < 4 + 2 * count {
            return Err(corrupt("a scan of the wrong number of components"));
        }
        let mut blocks = 0;
        for name in names.chunks_exact(2) {
            let component = self.components.iter().find(|c| c.id == name[0]);
            let component = component.ok_or(corrupt("a scan of an unknown component"))?;
            blocks += u32::from(component.horizontal) * u32::from(component.vertical);
        }
        if count > 1 && blocks > 10 {
            return Err(corrupt("more than 10 blocks in an MCU"));
        }
        self.first_restart_interval.get_or_insert(self.restart_interval);
        Ok(())
    }

    /// T.81 B.2.5: the height, told after the first scan, where the frame header says 0. Anywhere else
    /// it has no meaning and is passed over, as libjpeg does.
    fn number_of_lines(&mut self, payload: &[u8], start: usize) -> Result<(), Error> {
        if self.height != 0 || self.first_restart_interval.is_none() {
            return Ok(());
        }
        let &[high, low] = payload else {
            return Err(Error::Corrupt {
                at: start,
                what: "a number of lines of the wrong length",
            });
        };
        self.height = u32::from(u16::from_be_bytes([high, low]));
        Ok(())
    }

    /// After the EOI.
    pub(super) fn finish(self, limits: &Limits, end: usize, length: usize) -> Result<Layout, Error> {
        let corrupt = |what| Error::Corrupt { at: end, what };
        let process = self.process.ok_or(corrupt("no frame header"))?;
        let size = FrameSize {
            width: self.width,
            height: self.height,
        };
        let pixels = u64::from(size.width) * u64::from(size.height);
        if size.width > limits.side || size.height > limits.side || pixels > limits.pixels {
            return Err(Error::TooLarge {
                width: size.width,
                height: size.height,
            });
        }
        if pixels == 0 {
            return Err(corrupt("a picture without pixels"));
        }
        let layout = Layout {
            process,
            size,
            components: self.components,
            restart_interval: self.first_restart_interval.unwrap_or(0),
            adobe_transform: self.adobe_transform,
            segments: self.segments,
            end,
            trailing: length - end,
            has_dnl: self.has_dnl,
        };
        layout.bears_out_its_size()?;
        Ok(layout)
    }
}
