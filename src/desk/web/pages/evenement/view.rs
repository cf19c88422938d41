//! What the page of an event shows of it, in words and shapes.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use super::{by_camera, light};
use crate::desk::events::{Clock, Event, Frame, Items};
use crate::desk::review::masking::{plates_shown, shows_one_plate};
use crate::desk::web::pages::file::who;
use crate::desk::web::{Refused, Visit, dates};
use crate::frame::{Digest, FrameSize, Region};
use crate::redact::{Fill, Flag, Manifest, Mask, Policy, Redaction};
use crate::vault::OfficeKey;

/// What is known of an event without its pictures.
pub struct Facts {
    /// When it began, by the camera's clock, or else by the box's.
    pub when: String,
    /// By which of them.
    pub by_box: bool,
    /// First and last picture by the camera's corrected clock.
    pub span: Option<(String, String)>,
    /// What was added to the camera's clock.
    pub correction: String,
    /// When the box first saw it.
    pub arrived: String,
    /// When it is destroyed at the latest.
    pub due: String,
    /// Where.
    pub site: String,
    /// Which camera.
    pub camera: String,
    /// The legal ground.
    pub regime: String,
    /// By day or by night.
    pub light: &'static str,
    /// How many pictures.
    pub frames: u32,
}

impl Facts {
    /// Of this event.
    pub fn of(event: &Event, zone: &TimeZone) -> Self {
        let span = event.taken.map(|taken| taken.map(by_camera));
        let by_box = event.facts_by == Clock::Box;
        Self {
            when: match (&span, by_box) {
                (Some([first, _]), false) => first.clone(),
                _ => dates::moment(event.facts, zone),
            },
            by_box,
            span: span.map(|[first, last]| (first, last)),
            correction: correction(event.correction),
            arrived: dates::moment(event.arrived, zone),
            due: dates::spoken(event.due, zone),
            site: event.site.clone(),
            camera: event.camera.to_string(),
            regime: regime(&event.regime.kind, &event.regime.reference),
            light: light(event.light),
            frames: event.frames,
        }
    }
}

fn regime(kind: &str, reference: &str) -> String {
    let kind = match kind {
        "videoprotection" => "vidéoprotection",
        "acte_enquete" => "acte d'enquête",
        "sans_texte" => "sans texte (contesté)",
        "quebec" => "Québec",
        _ => "non indiqué",
    };
    match reference {
        "" => kind.to_owned(),
        reference => format!("{kind}, {reference}"),
    }
}

/// `aucune`, `+ 3 min 12 s`.
fn correction(seconds: i64) -> String {
    if seconds == 0 {
        return "aucune".to_owned();
    }
    let sign = if seconds < 0 { "−" } else { "+" };
    let all = seconds.unsigned_abs();
    let (hours, minutes, rest) = (all / 3600, all / 60 % 60, all % 60);
    let mut text = sign.to_owned();
    for (count, unit) in [(hours, "h"), (minutes, "min"), (rest, "s")] {
        if count > 0 {
            // Into a string, which takes everything.
            let _ = write!(text, " {count} {unit}");
        }
    }
    text
}

/// One picture of the filmstrip.
pub struct Strip {
    /// Its place, from 1.
    pub place: u32,
    /// When it was taken.
    pub taken: String,
    /// Whether it is the one at full size.
    pub here: bool,
    /// Whether this agent has seen it at full size.
    pub seen: bool,
    /// Whether it is confirmed.
    pub confirmed: bool,
}

impl Strip {
    /// Of all of them.
    pub fn all(frames: &[Frame], here: Option<&Frame>, seen: &[Digest]) -> Vec<Self> {
        let one = |frame: &Frame| Self {
            place: frame.place,
            taken: frame.taken.map_or_else(|| "heure inconnue".to_owned(), by_camera),
            here: here.is_some_and(|here| here.place == frame.place),
            seen: seen.contains(&frame.sha256),
            confirmed: frame.confirmed.is_some(),
        };
        frames.iter().map(one).collect()
    }
}

/// A plate that was found.
pub struct PlateView {
    /// Counted from 0.
    pub nth: usize,
    /// Whether any of it is shown.
    pub shown: bool,
    /// Left, top, width, height in the upright picture.
    pub place: [u32; 4],
}

/// The picture at full size.
pub struct FrameView {
    /// Its place, from 1.
    pub place: u32,
    /// Pixels from left to right, upright.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// What is hidden, as an SVG path.
    pub hidden: String,
    /// What of that was hidden at the desk.
    pub added: String,
    /// The share that is hidden, of 100.
    pub share: u32,
    /// The plates that were found.
    pub plates: Vec<PlateView>,
    /// Whether no more than one vehicle's is shown.
    pub one_plate: bool,
    /// Who confirmed it, in words.
    pub confirmed: Option<String>,
    /// What the camera's clock said, uncorrected.
    pub said: String,
    /// What it should have said.
    pub taken: String,
    /// What was added.
    pub correction: String,
    /// What the box's clock said when it masked it.
    pub redacted: String,
    /// What the box did.
    pub how: Vec<&'static str>,
    /// Of the redacted picture.
    pub sha256: Digest,
    /// Of the camera's own.
    pub original: Digest,
    /// When more was hidden here.
    pub masked: Option<String>,
    /// The place before it in the event.
    pub before: Option<u32>,
    /// The place behind it.
    pub behind: Option<u32>,
    /// Whether masks are drawn over it.
    pub show_masks: bool,
}

impl FrameView {
    /// Of this frame, whose manifest is opened with one of `keys`.
    pub fn of(
        visit: &Visit,
        items: &Items,
        frame: &Frame,
        frames: &[Frame],
        keys: &[OfficeKey],
        zone: &TimeZone,
    ) -> Result<Self, Refused> {
        let (manifest, _) = items.manifest(frame, keys)?;
        let size = manifest.orientation.turned(manifest.size);
        let hidden = manifest
            .hidden()
            .map_err(|error| Refused::Failed(error.to_string()))?;
        let added = manifest
            .supersedes
            .as_ref()
            .map(|former| former.added.on(manifest.size));
        let added = added
            .transpose()
            .map_err(|error| Refused::Failed(error.to_string()))?;
        let shown = plates_shown(&manifest)?;
        let plates = (0..).zip(&manifest.found.plates).map(|(nth, plate)| PlateView {
            nth,
            shown: shown.contains(&nth),
            place: pixels(<[f32; 4]>::from(plate.rect), size),
        });
        let session = visit.session()?;
        let unknown = || "inconnue".to_owned();
        Ok(Self {
            place: frame.place,
            width: size.width,
            height: size.height,
            hidden: path(&hidden, &manifest),
            added: added.map(|added| path(&added, &manifest)).unwrap_or_default(),
            share: (100.0 * hidden.share()).round() as u32,
            plates: plates.collect(),
            one_plate: shows_one_plate(&manifest)?,
            confirmed: frame.confirmed.as_ref().map(|(by, at)| {
                let who = who(visit.office().desk.store.sql(), session, by);
                format!("par {who}, {}", dates::moment(*at, zone))
            }),
            said: manifest.time.camera.map_or_else(unknown, by_camera),
            taken: manifest.time.corrected().map_or_else(unknown, by_camera),
            correction: correction(manifest.time.correction),
            redacted: dates::moment(manifest.time.redacted, zone),
            how: how(&manifest),
            sha256: frame.sha256,
            original: manifest.original.sha256,
            masked: manifest
                .supersedes
                .as_ref()
                .map(|former| dates::moment(former.masked, zone)),
            before: frames
                .iter()
                .rev()
                .map(|f| f.place)
                .find(|place| *place < frame.place),
            behind: frames.iter().map(|f| f.place).find(|place| *place > frame.place),
            show_masks: visit.query("masques").is_some(),
        })
    }
}

fn how(manifest: &Manifest) -> Vec<&'static str> {
    let mut how = vec![
        match manifest.policy {
            Policy::Persons => "les personnes trouvées ont été masquées",
            Policy::AllBut => "tout a été masqué, sauf véhicules, plaques et zone de dépôt",
        },
        match manifest.fill {
            Fill::Flat => "remplissage uni",
            Fill::Mosaic => "remplissage en mosaïque grossière",
        },
        match manifest.redaction {
            Redaction::Splice => "hors masques, les pixels sont ceux de l'appareil",
            Redaction::ReEncoded => {
                "image réencodée : hors masques, les pixels sont voisins de ceux de l'appareil"
            }
        },
    ];
    how.extend(manifest.flags.iter().map(|flag| match flag {
        Flag::Unseen => "l'analyse n'a pu avoir lieu : toute l'image est masquée",
        Flag::PlateCovered => "attention : une plaque est couverte, en tout ou en partie",
        Flag::NeighbourCovered => {
            "une place est masquée parce qu'une personne s'y trouvait à deux secondes près"
        }
    }));
    how
}

/// Whole pixels inside the picture.
fn pixels(rect: [f32; 4], size: FrameSize) -> [u32; 4] {
    let [x, y, w, h] = rect;
    if !rect.iter().all(|side| side.is_finite()) || w < 0.0 || h < 0.0 {
        return [0; 4];
    }
    let (left, top) = (x.clamp(0.0, size.width as f32), y.clamp(0.0, size.height as f32));
    let right = (x + w).clamp(left, size.width as f32);
    let bottom = (y + h).clamp(top, size.height as f32);
    [left, top, right - left, bottom - top].map(|side| side.round() as u32)
}

/// A mask as an SVG path over the upright picture: equal runs of rows that follow one another are one rectangle.
fn path(mask: &Mask, manifest: &Manifest) -> String {
    let runs = mask.runs();
    let [w, h] = runs.unit.map(u32::from);
    let mut boxes: Vec<[u32; 4]> = Vec::new();
    for [row, first, count] in runs.runs {
        let above = boxes
            .iter_mut()
            .rev()
            .take_while(|[top, _, _, rows]| top + rows + 1 >= row);
        let grown = above
            .into_iter()
            .find(|[top, left, across, rows]| (top + rows, *left, *across) == (row, first, count));
        match grown {
            Some([_, _, _, rows]) => *rows += 1,
            None => boxes.push([row, first, count, 1]),
        }
    }
    let mut path = String::new();
    for [row, first, count, rows] in boxes {
        let stored = Region {
            x: first * w,
            y: row * h,
            width: count * w,
            height: rows * h,
        };
        let stored = stored.clipped(manifest.size);
        let Region { x, y, width, height } = manifest.orientation.region_to_upright(stored, manifest.size);
        // Into a string, which takes everything.
        let _ = write!(path, "M{x} {y}h{width}v{height}h-{width}z");
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correction_reads_as_one_says_it() {
        assert_eq!(correction(0), "aucune");
        assert_eq!(correction(192), "+ 3 min 12 s");
        assert_eq!(correction(-3600), "− 1 h");
    }

    #[test]
    fn a_box_that_reaches_beyond_the_picture_is_drawn_inside_it() {
        let size = FrameSize {
            width: 100,
            height: 50,
        };
        assert_eq!(pixels([-10.0, 40.0, 30.0, 30.0], size), [0, 40, 20, 10]);
        for odd in [f32::NAN, f32::INFINITY] {
            assert_eq!(pixels([odd, 0.0, 10.0, 10.0], size), [0; 4]);
        }
        assert_eq!(pixels([5.0, 0.0, -10.0, 10.0], size), [0; 4]);
        assert_eq!(pixels([500.0, 0.0, 10.0, 10.0], size), [100, 0, 0, 10]);
    }
}
