//! From what is written to what may run: each value checked at its place, then what they say together.

use std::num::{NonZeroU16, NonZeroUsize};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use jiff::civil::Date;
use toml::{Spanned, Value};

use super::error::{Error, Fault, Place, PolygonFault};
use super::{
    Access, BlindAtMost, Camera, DAY, Decision, EventGap, Fill, Mask, MaskPolicy, MaxAge, MaxHold, Mode,
    Occupants, Recipients, Regime, RegimeKind, Trap, Triage, Video, WipePeriod, polygon, raw,
};
use crate::vision::geometry::Polygon;

pub(super) const LONGEST_TRIAL: i32 = 30;
/// Seconds that a camera's clock may be wrong by: a hundred years.
pub const LONGEST_CORRECTION: i64 = 100 * 366 * DAY as i64;
const LONGEST_TEXT: usize = 500;
const KEEP: NonZeroU16 = NonZeroU16::new(12).unwrap();
const ATTEMPTS: NonZeroU16 = NonZeroU16::new(3).unwrap();

pub(super) fn trap(text: &str, path: &Path) -> Result<Trap, Error> {
    let raw = raw::read(text, path)?;
    let check = Check {
        text,
        file: path,
        folder: path.parent().unwrap_or(Path::new("")),
    };
    let places = Places::of(&raw);
    let trap = check.whole(raw)?;
    check.cards_apart(&trap, &places)?;
    Ok(trap)
}

/// Where the paths stand that must not lie on a card, for the messages of the last check.
struct Places {
    ours: Vec<(&'static str, Range<usize>)>,
    cards: Vec<Range<usize>>,
    ids: Vec<Range<usize>>,
}

impl Places {
    fn of(raw: &raw::Trap) -> Self {
        let cameras = raw.camera.get_ref().iter().map(Spanned::get_ref);
        Self {
            ours: vec![
                ("store", raw.store.span()),
                ("models", raw.models.span()),
                ("device_key", raw.device_key.span()),
                ("recipients", raw.recipients.span()),
                ("recipients", raw.recipients.span()),
            ],
            cards: cameras.clone().map(|c| c.card.span()).collect(),
            ids: cameras.map(|c| c.id.span()).collect(),
        }
    }
}

struct Check<'a> {
    text: &'a str,
    file: &'a Path,
    folder: &'a Path,
}

/// The least and the most a value may be, in its unit, and the same in words.
struct Bounds<T> {
    key: &'static str,
    least: (T, &'static str),
    most: (T, &'static str),
}

impl Check<'_> {
    fn refuse<T>(&self, span: Range<usize>, fault: Fault) -> Result<T, Error> {
        Err(Error::Refused {
            at: Place::of(self.file, self.text.as_bytes(), span.start),
            fault,
        })
    }

    fn whole(&self, raw: raw::Trap) -> Result<Trap, Error> {
        let recipients = self.recipients(&raw.recipients)?;
        let mode = self.mode(&raw)?;
        let (event_gap, max_hold) = self.event_terms(&raw)?;
        let triage = Triage {
            choice: raw.triage.choice,
            decision: self.decision(&raw.triage.decided_by, &raw.triage.decided_on)?,
            reason: self.line("reason", &raw.triage.reason)?,
        };
        Ok(Trap {
            file: self.file.to_owned(),
            store: self.path("store", &raw.store)?,
            models: self.path("models", &raw.models)?,
            runtime: raw
                .runtime
                .as_ref()
                .map(|p| self.path("runtime", p))
                .transpose()?,
            recipients,
            desk_key: raw
                .desk_key
                .as_ref()
                .map(|p| self.path("desk_key", p))
                .transpose()?,
            device_key: self.path("device_key", &raw.device_key)?,
            mode,
            triage,
            mask: self.mask(raw.mask.unwrap_or_default())?,
            keep: self.count("keep", raw.keep, (500, "500"))?.unwrap_or(KEEP),
            event_gap,
            max_hold,
            max_age: self.term(&raw.max_age, &MAX_AGE)?.map(MaxAge).unwrap_or_default(),
            wipe_period: self
                .term(&raw.wipe_period, &WIPE_PERIOD)?
                .map(WipePeriod)
                .unwrap_or_default(),
            attempts: self
                .count("attempts", raw.attempts, (100, "100"))?
                .unwrap_or(ATTEMPTS),
            video: raw.video.unwrap_or(Video::Leave),
            threads: self
                .count("threads", raw.threads, (64, "64"))?
                .map(NonZeroUsize::from),
            socket: raw.socket.as_ref().map(|p| self.path("socket", p)).transpose()?,
            socket_group: raw
                .socket_group
                .as_ref()
                .map(|g| self.line("socket_group", g))
                .transpose()?,
            cameras: self.cameras(raw.camera)?,
        })
    }

    fn recipients(&self, raw: &Spanned<raw::Recipients>) -> Result<Recipients, Error> {
        let path = |key, path: &String| self.path(key, &Spanned::new(raw.span(), path.clone()));
        Ok(match raw.get_ref() {
            raw::Recipients::Folder(folder) => Recipients::Folder(path("recipients", folder)?),
            raw::Recipients::Pair { service, recovery } => {
                let [service, recovery] = [path("service", service)?, path("recovery", recovery)?];
                if plain(&service) == plain(&recovery) {
                    return self.refuse(raw.span(), Fault::OneRecipient);
                }
                Recipients::Pair { service, recovery }
            }
        })
    }

    fn mode(&self, raw: &raw::Trap) -> Result<Mode, Error> {
        const TRIAL: &str = "mode = \"trial\"";
        let dates = [("trial_from", &raw.trial_from), ("trial_until", &raw.trial_until)];
        if *raw.mode.get_ref() == raw::Mode::Enforce {
            return match dates
                .into_iter()
                .find_map(|(key, date)| Some((key, date.as_ref()?)))
            {
                Some((key, date)) => self.refuse(date.span(), Fault::Idle { key, needs: TRIAL }),
                None => Ok(Mode::Enforce),
            };
        }
        let [from, until] = dates.map(|(key, date)| self.needed(key, date, raw.mode.span(), TRIAL));
        let (from, until) = self.days(("trial_from", from?), ("trial_until", until?))?;
        let days = (until - from).get_days();
        if days > LONGEST_TRIAL {
            return self.refuse(raw.mode.span(), Fault::TrialTooLong { days });
        }
        Ok(Mode::Trial { from, until })
    }

    fn event_terms(&self, raw: &raw::Trap) -> Result<(EventGap, MaxHold), Error> {
        let gap = self
            .term(&raw.event_gap, &EVENT_GAP)?
            .map(EventGap)
            .unwrap_or_default();
        let hold = self
            .term(&raw.max_hold, &MAX_HOLD)?
            .map(MaxHold)
            .unwrap_or_default();
        if hold.0 < gap.0 {
            let span = raw
                .max_hold
                .as_ref()
                .or(raw.event_gap.as_ref())
                .map(Spanned::span);
            return self.refuse(span.unwrap_or(0..0), Fault::HoldShorterThanGap);
        }
        Ok((gap, hold))
    }

    fn mask(&self, raw: raw::Mask) -> Result<Mask, Error> {
        const MOSAIC: &str = "fill = \"mosaic\"";
        let fill = match raw.fill {
            Some(fill) if *fill.get_ref() == raw::Fill::Mosaic => {
                let by = self.needed("decided_by", &raw.decided_by, fill.span(), MOSAIC)?;
                let on = self.needed("decided_on", &raw.decided_on, fill.span(), MOSAIC)?;
                Fill::Mosaic(self.decision(by, on)?)
            }
            _ => {
                let by = raw.decided_by.map(|by| ("decided_by", by.span()));
                let on = raw.decided_on.map(|on| ("decided_on", on.span()));
                if let Some((key, span)) = by.or(on) {
                    return self.refuse(span, Fault::Idle { key, needs: MOSAIC });
                }
                Fill::Flat
            }
        };
        Ok(Mask {
            day: raw.day.unwrap_or(MaskPolicy::Persons),
            night: raw.night.unwrap_or(MaskPolicy::AllBut),
            fill,
            occupants: raw.occupants.unwrap_or(Occupants::Mask),
        })
    }

    fn cameras(&self, raw: Spanned<Vec<Spanned<raw::Camera>>>) -> Result<Vec<Camera>, Error> {
        let span = raw.span();
        let cameras = raw
            .into_inner()
            .into_iter()
            .map(|camera| self.camera(camera.into_inner()))
            .collect::<Result<Vec<_>, _>>()?;
        if cameras.is_empty() {
            return self.refuse(span, Fault::NoCamera);
        }
        Ok(cameras)
    }

    fn camera(&self, raw: raw::Camera) -> Result<Camera, Error> {
        let access = self.access(&raw)?;
        let id = match raw.id.get_ref().parse() {
            Ok(id) => id,
            Err(why) => return self.refuse(raw.id.span(), Fault::CameraId(why)),
        };
        let clock_correction = match raw.clock_correction {
            None => 0,
            Some(seconds) => self.within(
                *seconds.get_ref(),
                &seconds,
                &Bounds {
                    key: "clock_correction",
                    least: (-LONGEST_CORRECTION, "minus a hundred years"),
                    most: (LONGEST_CORRECTION, "a hundred years, in seconds"),
                },
            )?,
        };
        Ok(Camera {
            id,
            site: self.line("site", &raw.site)?,
            regime: self.regime(raw.regime)?,
            card: self.path("card", &raw.card)?,
            access,
            model: raw.model.map(|m| self.line("model", &m)).transpose()?,
            serial: raw.serial.map(|s| self.line("serial", &s)).transpose()?,
            zone: self.polygon("zone", &raw.zone, polygon::corners_or_all)?,
            waste: raw
                .waste
                .map(|p| self.polygon("waste", &p, polygon::corners))
                .transpose()?,
            privacy: raw
                .privacy
                .unwrap_or_default()
                .iter()
                .map(|p| self.polygon("privacy", p, polygon::corners))
                .collect::<Result<_, _>>()?,
            clock_correction,
        })
    }

    fn access(&self, raw: &raw::Camera) -> Result<Access, Error> {
        const HANDOVER: &str = "access = \"handover\"";
        let span = raw.access.span();
        if *raw.access.get_ref() == raw::Access::Mounted {
            let idle = [
                ("take", raw.take.as_ref().map(Spanned::span)),
                ("give", raw.give.as_ref().map(Spanned::span)),
                ("blind_at_most", raw.blind_at_most.as_ref().map(Spanned::span)),
            ];
            return match idle.into_iter().find_map(|(key, span)| Some((key, span?))) {
                Some((key, span)) => self.refuse(span, Fault::Idle { key, needs: HANDOVER }),
                None => Ok(Access::Mounted),
            };
        }
        let command = |key, argv: &Option<Spanned<Vec<String>>>| {
            let argv = self.needed(key, argv, span.clone(), HANDOVER)?;
            match argv.get_ref().first() {
                Some(program) if !program.trim().is_empty() => Ok(argv.get_ref().clone()),
                _ => self.refuse(argv.span(), Fault::NoCommand { key }),
            }
        };
        let blind = self.needed("blind_at_most", &raw.blind_at_most, span.clone(), HANDOVER)?;
        Ok(Access::Handover {
            take: command("take", &raw.take)?,
            give: command("give", &raw.give)?,
            blind_at_most: BlindAtMost(self.length(blind, &BLIND_AT_MOST)?),
        })
    }

    fn regime(&self, raw: Spanned<raw::Regime>) -> Result<Regime, Error> {
        const WITHOUT: &str = "kind = \"sans_texte\"";
        let span = raw.span();
        let raw = raw.into_inner();
        let kind = match (raw.kind, &raw.acknowledged_by) {
            (raw::Kind::SansTexte, signed) => {
                let signed = self.needed("acknowledged_by", signed, span, WITHOUT)?.get_ref();
                RegimeKind::SansTexte {
                    responsible: self.line("responsible", &signed.responsible)?,
                    dpo: self.line("dpo", &signed.dpo)?,
                }
            }
            (_, Some(signed)) => {
                let key = "acknowledged_by";
                return self.refuse(signed.span(), Fault::Idle { key, needs: WITHOUT });
            }
            (raw::Kind::Videoprotection, None) => RegimeKind::Videoprotection,
            (raw::Kind::ActeEnquete, None) => RegimeKind::ActeEnquete,
            (raw::Kind::Quebec, None) => RegimeKind::Quebec,
        };
        let (from, until) = self.days(("from", &raw.from), ("until", &raw.until))?;
        let reference = self.line("reference", &raw.reference)?;
        Ok(Regime {
            kind,
            reference,
            from,
            until,
        })
    }

    /// Two cameras that share an id or a card, or anything of ours on a card, would lose evidence at
    /// the first wipe. Compared as written; what links make of it is for `card::apart`.
    fn cards_apart(&self, trap: &Trap, places: &Places) -> Result<(), Error> {
        for (i, camera) in trap.cameras.iter().enumerate() {
            for first in &trap.cameras[..i] {
                if first.id == camera.id {
                    return self.refuse(places.ids[i].clone(), Fault::SameCamera(camera.id.to_string()));
                }
                if nested(&first.card, &camera.card) {
                    let fault = Fault::SameCard {
                        first: first.id.to_string(),
                        second: camera.id.to_string(),
                    };
                    return self.refuse(places.cards[i].clone(), fault);
                }
            }
            let [first, second] = trap.recipients.paths();
            let ours = [&trap.store, &trap.models, &trap.device_key, first, second];
            for (path, (key, span)) in ours.into_iter().zip(&places.ours) {
                if nested(path, &camera.card) {
                    let camera = camera.id.to_string();
                    return self.refuse(span.clone(), Fault::OnTheCard { key, camera });
                }
            }
        }
        Ok(())
    }

    fn needed<'v, T>(
        &self,
        key: &'static str,
        value: &'v Option<Spanned<T>>,
        asked: Range<usize>,
        because: &'static str,
    ) -> Result<&'v Spanned<T>, Error> {
        match value {
            Some(value) => Ok(value),
            None => self.refuse(asked, Fault::Needed { key, because }),
        }
    }

    fn path(&self, key: &'static str, raw: &Spanned<String>) -> Result<PathBuf, Error> {
        let text = raw.get_ref();
        if text.trim().is_empty() || text.contains('\0') {
            return self.refuse(raw.span(), Fault::NoText { key });
        }
        Ok(self.folder.join(text))
    }

    fn line(&self, key: &'static str, raw: &Spanned<String>) -> Result<String, Error> {
        let text = raw.get_ref().trim();
        if text.is_empty() || text.chars().count() > LONGEST_TEXT || text.contains(char::is_control) {
            return self.refuse(raw.span(), Fault::NoText { key });
        }
        Ok(text.to_owned())
    }

    fn decision(&self, by: &Spanned<String>, on: &Spanned<Value>) -> Result<Decision, Error> {
        Ok(Decision {
            by: self.line("decided_by", by)?,
            on: self.date("decided_on", on)?,
        })
    }

    /// A TOML local date, or the same between quotes.
    fn date(&self, key: &'static str, raw: &Spanned<Value>) -> Result<Date, Error> {
        let text = match raw.get_ref() {
            Value::Datetime(written) if written.time.is_none() => written.to_string(),
            Value::String(written) => written.clone(),
            _ => String::new(),
        };
        match text.parse() {
            Ok(date) => Ok(date),
            Err(_) => self.refuse(raw.span(), Fault::NotADate { key }),
        }
    }

    fn days(
        &self,
        (first, from): (&'static str, &Spanned<Value>),
        (last, until): (&'static str, &Spanned<Value>),
    ) -> Result<(Date, Date), Error> {
        let days = (self.date(first, from)?, self.date(last, until)?);
        if days.1 < days.0 {
            let fault = Fault::Backwards {
                from: first,
                until: last,
            };
            return self.refuse(until.span(), fault);
        }
        Ok(days)
    }

    fn polygon(
        &self,
        key: &'static str,
        raw: &Spanned<Value>,
        read: fn(&Value) -> Result<Polygon, PolygonFault>,
    ) -> Result<Polygon, Error> {
        match read(raw.get_ref()) {
            Ok(polygon) => Ok(polygon),
            Err(what) => self.refuse(raw.span(), Fault::Polygon { key, what }),
        }
    }

    /// A number from 1 to `most`.
    fn count(
        &self,
        key: &'static str,
        raw: Option<Spanned<i64>>,
        most: (u16, &'static str),
    ) -> Result<Option<NonZeroU16>, Error> {
        let Some(raw) = raw else { return Ok(None) };
        let number = u16::try_from(*raw.get_ref()).ok().and_then(NonZeroU16::new);
        match number.filter(|number| number.get() <= most.0) {
            Some(number) => Ok(Some(number)),
            None => {
                let fault = Fault::OutOfBounds {
                    key,
                    found: raw.get_ref().to_string(),
                    least: "1",
                    most: most.1,
                };
                self.refuse(raw.span(), fault)
            }
        }
    }

    fn term(
        &self,
        raw: &Option<Spanned<String>>,
        bounds: &Bounds<Duration>,
    ) -> Result<Option<Duration>, Error> {
        raw.as_ref().map(|raw| self.length(raw, bounds)).transpose()
    }

    /// Days count 24 hours here: these are terms, not appointments.
    fn length(&self, raw: &Spanned<String>, bounds: &Bounds<Duration>) -> Result<Duration, Error> {
        let length = raw
            .get_ref()
            .parse::<jiff::Span>()
            .and_then(|span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()));
        match length {
            // A negative length is as far out of bounds as zero.
            Ok(length) => {
                let length = Duration::try_from(length).unwrap_or(Duration::ZERO);
                self.within(length, raw, bounds)
            }
            Err(_) => {
                let fault = Fault::NotADuration {
                    key: bounds.key,
                    found: raw.get_ref().clone(),
                };
                self.refuse(raw.span(), fault)
            }
        }
    }

    fn within<T: PartialOrd, W: std::fmt::Display>(
        &self,
        value: T,
        written: &Spanned<W>,
        bounds: &Bounds<T>,
    ) -> Result<T, Error> {
        if value >= bounds.least.0 && value <= bounds.most.0 {
            return Ok(value);
        }
        let fault = Fault::OutOfBounds {
            key: bounds.key,
            found: written.get_ref().to_string(),
            least: bounds.least.1,
            most: bounds.most.1,
        };
        self.refuse(written.span(), fault)
    }
}

const fn seconds(
    key: &'static str,
    least: (u64, &'static str),
    most: (u64, &'static str),
) -> Bounds<Duration> {
    Bounds {
        key,
        least: (Duration::from_secs(least.0), least.1),
        most: (Duration::from_secs(most.0), most.1),
    }
}

const EVENT_GAP: Bounds<Duration> = seconds("event_gap", (1, "1 s"), (3600, "1 h"));
const MAX_HOLD: Bounds<Duration> = seconds("max_hold", (1, "1 s"), (DAY, "24 h"));
const MAX_AGE: Bounds<Duration> = seconds(
    "max_age",
    (DAY, "1 day"),
    (31 * DAY, "31 days (one month: CSI art. L.252-5)"),
);
const WIPE_PERIOD: Bounds<Duration> = seconds(
    "wipe_period",
    (DAY, "1 day"),
    (92 * DAY, "92 days (the quarter promised to the public)"),
);
const BLIND_AT_MOST: Bounds<Duration> = seconds("blind_at_most", (1, "1 s"), (3600, "1 h"));

/// Whether one path is the other or lies inside it, as written.
fn nested(a: &Path, b: &Path) -> bool {
    let (a, b) = (plain(a), plain(b));
    a.starts_with(&b) || b.starts_with(&a)
}

/// The path without `.` and with `..` taken at its word.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            part => plain.push(part),
        }
        plain
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_nested_by_whole_names_and_through_dots() {
        for (a, b, expected) in [
            ("/card", "/card", true),
            ("/card/DCIM", "/card", true),
            ("/card", "/cards", false),
            ("/mnt/../card/./x", "/card", true),
            ("../card", "card", false),
            ("a/../../b", "../b/c", true),
        ] {
            assert_eq!(nested(Path::new(a), Path::new(b)), expected, "{a} {b}");
            assert_eq!(nested(Path::new(b), Path::new(a)), expected, "{b} {a}");
        }
    }
}
