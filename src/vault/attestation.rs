//! Attestation of destruction: what became of a camera's recordings of a given time, from the journal alone
//! (CSI art. L.253-5: whoever has an interest may have the destruction of recordings verified).
//!
//! Promises: an attestation holds no personal data: a camera, times, counts; it says "destroyed" only if
//! every event that can be of that time was discarded or erased and no erasure is still under way; an
//! event whose frames bear no time counts as being of any time. Pure: lines
//! and time are passed in. Leaves what flash memory keeps to the sentence that goes with it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan as _;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

use super::journal::{Head, Kind, Line};
use super::keys::DeviceId;
use super::signed::Document;
use crate::frame::{BoxTime, CameraTime, EventId};

/// Whose recordings, of what time by the camera's corrected clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The camera's id.
    pub camera: String,
    /// The place, as the configuration names it.
    pub site: String,
    /// First moment.
    pub from: CameraTime,
    /// Last moment.
    pub to: CameraTime,
}

impl Question {
    /// Whether it may be about what was taken from one moment to another, or nobody knows when.
    pub fn is_about(&self, taken: Option<[CameraTime; 2]>) -> bool {
        taken.is_none_or(|[first, last]| first <= self.to && last >= self.from)
    }
}

/// The answer in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Nothing of that time is kept: what there may have been is destroyed.
    Destroyed,
    /// Events of that time were handed to the service, masked; the box keeps none.
    HandedOver,
    /// Frames of that time wait on the card, or their erasure is not on record as done.
    UnderWay,
    /// Masked, sealed recordings of that time are kept within their term.
    Kept,
}

/// Events that can be of the time that was asked about, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// Discarded by the box; their frames left the card.
    pub discarded: u64,
    /// Kept at first and erased since.
    pub erased: u64,
    /// Handed to the service.
    pub handed_over: u64,
    /// Still kept.
    pub kept: u64,
}

/// The document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// In one word.
    pub answer: Answer,
    /// What was asked.
    pub asked: Question,
    /// Who keeps the journal and signs.
    pub device: DeviceId,
    /// When it was drawn up.
    pub drawn: BoxTime,
    /// The events that can be of that time.
    pub events: Events,
    /// When the last of the camera's frames left the card.
    pub last_discard: Option<String>,
    /// The journal's last line: what came after it is not attested.
    pub journal_hash: crate::frame::Digest,
    /// Its number.
    pub journal_seq: u64,
    /// Frames that can be of that time and still are on the card; only the box itself knows.
    pub on_card: Option<u64>,
    /// Frames of the camera whose erasure is under way.
    pub under_way: u64,
    /// When the card was first wiped after that time.
    pub wiped: Option<String>,
}

impl Document for Attestation {
    const TITLE: &'static str = "vigie attestation 1";
}

/// The members of the bodies that bear on it.
#[derive(Deserialize)]
struct Body {
    camera: Option<String>,
    event: Option<EventId>,
    frame: Option<crate::frame::Digest>,
    file: Option<crate::frame::Digest>,
    keep: Option<bool>,
    number: Option<u32>,
    numbers: Option<Vec<u32>>,
    cause: Option<String>,
    taken: Option<[CameraTime; 2]>,
}

/// What became of one kept event's items.
#[derive(Default)]
struct Items {
    there: BTreeSet<u32>,
    returned: bool,
}

/// A line that does not follow from the one before it: nothing can be attested from such a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("journal line {0} does not follow from the line before")]
pub struct Broken(u64);

/// Reads a journal through, line by line, for one question.
pub struct Reading {
    question: Question,
    /// Kept events that can be of that time.
    kept: BTreeSet<EventId>,
    items: BTreeMap<EventId, Items>,
    under_way: BTreeSet<crate::frame::Digest>,
    discarded: u64,
    last_discard: Option<String>,
    wiped: Option<String>,
    head: Head,
}

impl Reading {
    /// Before the first line; `head`: of an empty journal.
    pub fn new(question: Question, head: Head) -> Self {
        Self {
            question,
            kept: BTreeSet::new(),
            items: BTreeMap::new(),
            under_way: BTreeSet::new(),
            discarded: 0,
            last_discard: None,
            wiped: None,
            head,
        }
    }

    /// Takes the next line; one that does not follow from the line before ends the reading.
    pub fn line(&mut self, line: &Line) -> Result<(), Broken> {
        let follows = line.seq == self.head.seq + 1 && line.prev == self.head.hash;
        if !follows || line.hash != line.expected_hash() {
            return Err(Broken(line.seq));
        }
        self.head = Head {
            seq: line.seq,
            hash: line.hash,
        };
        let Ok(body) = serde_json::from_str::<Body>(&line.body) else {
            return Ok(());
        };
        let is = |kind: Kind| line.kind == kind.as_str();
        if let Some(event) = body.event {
            let items = self.items.entry(event).or_default();
            if is(Kind::Sealed) {
                items.there.extend(body.number);
            }
            if is(Kind::Erased) {
                let gone = body.numbers.unwrap_or_default();
                items.there.retain(|number| !gone.contains(number));
                items.returned |= body.cause.as_deref() == Some("returned");
            }
        }
        if body.camera.as_deref() != Some(&self.question.camera) {
            return Ok(());
        }
        if is(Kind::Verdict) && self.question.is_about(body.taken) {
            match body.event.filter(|_| body.keep == Some(true)) {
                Some(event) => _ = self.kept.insert(event),
                None => self.discarded += 1,
            }
        } else if is(Kind::DiscardIntended) {
            self.under_way.extend(body.frame.or(body.file));
        } else if is(Kind::Discarded) {
            if let Some(frame) = body.frame.or(body.file) {
                self.under_way.remove(&frame);
            }
            self.last_discard = Some(line.time.clone());
        } else if is(Kind::Wiped) && self.wiped.is_none() && self.is_later(&line.time) {
            self.wiped = Some(line.time.clone());
        }
        Ok(())
    }

    /// Whether a line was written when that time was over wherever on Earth the camera's clock counts.
    fn is_later(&self, time: &str) -> bool {
        let last: DateTime = self.question.to.0;
        let over = last.checked_add(1.day()).unwrap_or(last);
        let written: Option<jiff::Timestamp> = time.parse().ok();
        written.is_some_and(|written| written.to_zoned(jiff::tz::TimeZone::UTC).datetime() > over)
    }

    /// After the last line. `on_card`: how many frames that can be of that time the box has not let go yet.
    pub fn attest(self, device: DeviceId, now: BoxTime, on_card: Option<u64>) -> Attestation {
        let mut events = Events {
            discarded: self.discarded,
            ..Events::default()
        };
        for event in &self.kept {
            match self.items.get(event) {
                Some(items) if !items.there.is_empty() => events.kept += 1,
                Some(items) if items.returned => events.handed_over += 1,
                _ => events.erased += 1,
            }
        }
        let under_way = self.under_way.len() as u64;
        let answers = [
            (events.kept > 0, Answer::Kept),
            (under_way + on_card.unwrap_or_default() > 0, Answer::UnderWay),
            (events.handed_over > 0, Answer::HandedOver),
        ];
        let first = answers.into_iter().find(|(holds, _)| *holds);
        Attestation {
            answer: first.map_or(Answer::Destroyed, |(_, answer)| answer),
            asked: self.question,
            device,
            drawn: now,
            events,
            last_discard: self.last_discard,
            journal_hash: self.head.hash,
            journal_seq: self.head.seq,
            on_card,
            under_way,
            wiped: self.wiped,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::frame::Digest;
    use crate::vault::keys::Fingerprint;
    use crate::vault::{Entry, ItemId};

    const EVENT: &str = "0101010101010101";

    fn at(hour: &str) -> CameraTime {
        CameraTime(format!("2026-10-20T{hour}").parse().expect("a time"))
    }

    fn frame(number: u8) -> String {
        Digest::from_bytes([number; 32]).to_string()
    }

    /// A journal of these lines, read for the hour from 8 to 9 on camera `quai`.
    fn attested(lines: &[(Kind, &str, Value)]) -> Attestation {
        reading(lines).attest(
            DeviceId(Fingerprint::from_bytes([1; 8])),
            BoxTime(jiff::Timestamp::UNIX_EPOCH),
            Some(0),
        )
    }

    fn reading(lines: &[(Kind, &str, Value)]) -> Reading {
        let empty = Head {
            seq: 0,
            hash: Digest::of(b""),
        };
        let question = Question {
            camera: "quai".to_owned(),
            site: "Quai Nord".to_owned(),
            from: at("08:00:00"),
            to: at("09:00:00"),
        };
        let mut reading = Reading::new(question, empty);
        let mut head = empty;
        for (kind, time, body) in lines {
            let time = BoxTime(time.parse().expect("a time"));
            let entry = Entry {
                kind: *kind,
                body: body.clone(),
            };
            let line = Line::after(head, time, &entry);
            (head.seq, head.hash) = (line.seq, line.hash);
            reading.line(&line).expect("in order");
        }
        reading
    }

    fn verdict(keep: bool, taken: Value) -> (Kind, &'static str, Value) {
        let body = json!({"camera": "quai", "event": EVENT, "keep": keep, "taken": taken});
        (Kind::Verdict, "2026-10-20T09:10:00Z", body)
    }

    fn sealed() -> (Kind, &'static str, Value) {
        let id = ItemId {
            event: EVENT.parse().expect("an id"),
            number: 0,
        };
        let body = json!({"event": id.event, "number": id.number});
        (Kind::Sealed, "2026-10-20T09:10:00Z", body)
    }

    fn erased(cause: &str) -> (Kind, &'static str, Value) {
        let body = json!({"event": EVENT, "numbers": [0], "cause": cause});
        (Kind::Erased, "2026-11-01T00:00:00Z", body)
    }

    fn discard(kind: Kind, number: u8) -> (Kind, &'static str, Value) {
        let body = json!({"camera": "quai", "frame": frame(number)});
        (kind, "2026-10-20T09:11:00Z", body)
    }

    #[test]
    fn what_is_kept_is_never_attested_to_be_destroyed() {
        let of_that_time = json!([at("08:59:58"), at("09:00:03")]);
        let lines = [sealed(), verdict(true, of_that_time.clone())];
        assert_eq!(attested(&lines).answer, Answer::Kept);
        // Nor is what bears no time, or is about to be erased.
        assert_eq!(
            attested(&[sealed(), verdict(true, Value::Null)]).answer,
            Answer::Kept
        );
        let begun = [
            verdict(false, of_that_time),
            discard(Kind::DiscardIntended, 1),
            discard(Kind::DiscardIntended, 2),
            discard(Kind::Discarded, 1),
        ];
        let attestation = attested(&begun);
        assert_eq!((attestation.answer, attestation.under_way), (Answer::UnderWay, 1));
        assert_eq!(attestation.events.discarded, 1);
    }

    #[test]
    fn what_waits_on_the_card_is_not_attested_to_be_destroyed() {
        let device = DeviceId(Fingerprint::from_bytes([1; 8]));
        let now = BoxTime(jiff::Timestamp::UNIX_EPOCH);
        let attested = |on_card| reading(&[]).attest(device, now, on_card).answer;
        assert_eq!(attested(Some(1)), Answer::UnderWay);
        assert_eq!(attested(Some(0)), Answer::Destroyed);
        assert_eq!(attested(None), Answer::Destroyed);
    }

    #[test]
    fn what_was_erased_since_is_told_by_its_cause() {
        let taken = json!([at("08:10:00"), at("08:10:05")]);
        let kept = |cause| attested(&[sealed(), verdict(true, taken.clone()), erased(cause)]);
        assert_eq!(kept("expired").answer, Answer::Destroyed);
        assert_eq!(kept("expired").events.erased, 1);
        assert_eq!(kept("returned").answer, Answer::HandedOver);
    }

    #[test]
    fn events_of_other_times_and_other_cameras_do_not_count() {
        let before = json!([at("07:10:00"), at("07:59:59")]);
        let mut elsewhere = verdict(true, json!([at("08:10:00"), at("08:10:05")]));
        elsewhere.2["camera"] = json!("pont");
        let attestation = attested(&[sealed(), verdict(true, before), elsewhere]);
        assert_eq!(attestation.answer, Answer::Destroyed);
        assert_eq!(attestation.events, Events::default());
    }

    #[test]
    fn nothing_is_attested_from_a_journal_that_was_changed() {
        let mut reading = reading(&[sealed(), verdict(true, Value::Null)]);
        let (head, taken) = (reading.head, json!([at("07:00:00"), at("07:00:00")]));
        let (kind, time, body) = verdict(true, taken);
        let time = BoxTime(time.parse().expect("a time"));
        let line = Line::after(head, time, &Entry { kind, body });
        let mut changed = line.clone();
        changed.body = changed.body.replace("true", "false");
        assert_eq!(reading.line(&changed), Err(Broken(3)));
        let mut later = line.clone();
        later.seq += 1;
        later.hash = later.expected_hash();
        assert_eq!(reading.line(&later), Err(Broken(4)));
        assert_eq!(reading.line(&line), Ok(()));
        assert_eq!(reading.line(&line), Err(Broken(3)));
    }

    #[test]
    fn a_wipe_counts_once_that_time_was_over_everywhere() {
        let wiped = |time| (Kind::Wiped, time, json!({"camera": "quai"}));
        let attestation = attested(&[
            wiped("2026-10-20T10:00:00Z"),
            wiped("2026-10-21T09:00:00Z"),
            wiped("2026-12-31T03:00:00Z"),
        ]);
        assert_eq!(attestation.wiped.as_deref(), Some("2026-12-31T03:00:00Z"));
        // The first one after it is told; what is only intended is none.
        let intended = (
            Kind::WipeIntended,
            "2026-12-30T00:00:00Z",
            json!({"camera": "quai"}),
        );
        let lines = [
            intended,
            wiped("2026-12-31T03:00:00Z"),
            wiped("2027-03-31T03:00:00Z"),
        ];
        let attestation = attested(&lines);
        assert_eq!(attestation.wiped.as_deref(), Some("2026-12-31T03:00:00Z"));
    }
}
