//! Closing events: from held frames to a verdict, to sealed witnesses, to erasure.
//!
//! Promises: an event is sealed whole or not at all; its verdict, its items and its journal line are one transaction;
//! erasure is intended only after it. Where a network or a redaction fails, the event waits on the card unsealed.
//! Leaves the rules to `triage`, looking to [`super::witness`].

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Error;
use super::ahead::one_beside;
use super::in_hand::{self, Hand};
use super::ledger::{Ledger, Row, State};
use super::outcome::word;
use super::round::Run;
use super::terms;
use super::timeline::{Stand, Timeline};
use super::witness::{self, LookedAt, Site, Witness, corrected};
use crate::card;
use crate::config::{self, Camera};
use crate::frame::{BoxTime, CameraTime, Digest, EventId};
use crate::redact::Original;
use crate::transfer::returning;
use crate::triage::{self, Before, Facts, Rules, Scene, Shown, Verdict};
use crate::vault::{Entry, EventSealer, Kind, Staged, Staging, seal};
use crate::vision::{Detection, Light, Objects, Sighting};

/// Frames this close together show the same people: each other's boxes are masked too.
const BURST: SignedDuration = SignedDuration::from_secs(2);

/// What the last decided event left before a camera: kept in the ledger, passed with the next one.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Memory {
    scene: Scene,
    shown: Shown,
}

/// What an opened event says of itself: sealed beside its witnesses.
#[derive(Serialize)]
struct Record<'a> {
    record: u32,
    event: EventId,
    site: &'a str,
    regime: &'a config::Regime,
    triage: &'a config::Triage,
    zone: Digest,
    verdict: &'a Verdict,
    frames: Vec<RecordedFrame<'a>>,
}

#[derive(Serialize)]
struct RecordedFrame<'a> {
    frame: Digest,
    name: &'a str,
    taken: Option<CameraTime>,
    arrived: BoxTime,
    light: Light,
}

/// The configured choice in triage's own words.
pub(super) fn choice(choice: config::Choice) -> triage::Choice {
    match choice {
        config::Choice::Manual => triage::Choice::Manual,
        config::Choice::Empty => triage::Choice::Empty,
        config::Choice::Irrelevant => triage::Choice::Irrelevant,
    }
}

pub(super) fn rules(config: &config::Trap, camera: &Camera) -> Rules {
    Rules {
        choice: choice(config.triage.choice),
        zone: camera.zone.clone(),
        event_gap: config.event_gap.into(),
        max_hold: config.max_hold.into(),
        keep: config.keep.into(),
    }
}

/// An event that is complete, with what stood there before it.
struct Complete<'a> {
    id: EventId,
    frames: &'a [Facts],
    verdict: Verdict,
    after: Memory,
}

/// What was made of an event's witnesses, durable but not on record yet.
#[derive(Default)]
struct Made {
    items: Vec<Staged>,
    redactions: Vec<(Digest, String)>,
}

/// Where the witnesses of one event are masked and sealed, one after the other.
struct Sealing {
    sealer: EventSealer,
    staging: Staging,
    made: Made,
}

impl Sealing {
    fn seal(&mut self, id: Digest, witness: LookedAt<'_>) -> Result<(), Error> {
        let redacted = witness.redacted()?;
        // Sealing needs the room that the original takes.
        drop(witness);
        for sealed in self.sealer.seal_frame(&redacted)? {
            self.made.items.push(self.staging.stage(sealed)?);
        }
        let redaction = word(&redacted.manifest().redaction);
        self.made.redactions.push((id, redaction));
        Ok(())
    }
}

impl Run<'_, '_> {
    /// Decides every event that is complete. `waiting`: files of this card were not looked at yet.
    pub(super) fn close_events(&mut self, waiting: bool) -> Result<(), Error> {
        let rules = rules(self.round.config, self.round.camera);
        // Taken out while events are decided by it: after an error it is read anew.
        let mut timeline = match self.timeline.take() {
            Some(timeline) => timeline,
            None if self.ledger().all_decided()? => return Ok(()),
            None => self.read_timeline(&rules)?,
        };
        let Some(last_arrival) = timeline.last_arrival() else {
            return Ok(());
        };
        let watch = triage::Watch {
            now: self.now(),
            last_arrival,
            waiting,
            until_idle: self.round.until_idle,
        };
        for span in timeline.undecided(&rules) {
            if self.called_off() {
                break;
            }
            let Some(id) = span.id(&self.round.camera.id, timeline.frames()) else {
                continue;
            };
            if triage::closed(&span, timeline.frames(), &watch, &rules).is_none()
                || self.unsealed.contains(&id)
            {
                continue;
            }
            let frames = span.of(timeline.frames());
            // A frame not met in this round yet may be gone from the card: the end of the round will tell.
            let is_met = |f: &Facts| !timeline.is_held(&f.id) || self.under_way.contains_key(&f.id);
            let all_met = frames.iter().all(is_met);
            // What is decided on was read in this round: the ledger's word for a file's bytes is not enough.
            if !all_met || !self.are_there(frames.iter().map(|f| f.id))? {
                continue;
            }
            let memory = self.memory()?;
            let before = Before {
                cut_from: span.begins.is_cut().then_some(memory.shown),
                scene: memory.scene,
            };
            let verdict = triage::verdict(frames, &before, &rules);
            let after = Memory {
                scene: before.scene.after(frames),
                shown: verdict.shown,
            };
            let decided = self.decide(Complete {
                id,
                frames,
                verdict,
                after,
            })?;
            if decided {
                timeline.decide(&span, id);
            }
        }
        self.timeline = Some(timeline);
        Ok(())
    }

    /// Everything that bears on the events that are not decided yet.
    fn read_timeline(&self, rules: &Rules) -> Result<Timeline, Error> {
        let near = SignedDuration::try_from(rules.max_hold + rules.event_gap).unwrap_or(SignedDuration::MAX);
        let recently = self
            .now()
            .0
            .checked_sub(near)
            .map_or(BoxTime(jiff::Timestamp::MIN), BoxTime);
        let undecided = self.ledger().undecided()?;
        let nearby = self.ledger().decided_nearby(recently)?;
        let correction = self.round.camera.clock_correction;
        let known = undecided.into_iter().chain(nearby).map(|row| {
            let stand = match (row.event, row.state) {
                (Some(event), _) => Stand::Decided(event),
                (None, State::Held) => Stand::Held,
                (None, _) => Stand::Discarded,
            };
            (facts_of(row, correction), stand)
        });
        Ok(Timeline::of(known.collect()))
    }

    fn memory(&self) -> Result<Memory, Error> {
        // A memory that cannot be read is none: triage is safe by being forgetful.
        let text = self.ledger().scene()?;
        Ok(text
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default())
    }

    /// Puts one verdict on record, with everything it must leave behind, and then lets the frames go. `false` where the
    /// event cannot be sealed: it waits.
    fn decide(&mut self, event: Complete<'_>) -> Result<bool, Error> {
        let Made { items, redactions } = match self.seal(&event) {
            Ok(made) => made,
            // One event that cannot be sealed must not keep the others from being.
            Err(Error::Witness(failure)) => {
                tracing::error!(event = %event.id, %failure, "not sealed: its frames wait on the card");
                let reason = match failure {
                    witness::Error::Vision(_) => "network-failed",
                    witness::Error::Jpeg(_) | witness::Error::Redact(_) => "redaction-failed",
                };
                self.leave_unsealed(&event, reason);
                return Ok(false);
            }
            Err(Error::Seal(failure @ seal::Error::NoRecipients)) => {
                tracing::error!(event = %event.id, %failure, "not sealed: its frames wait on the card");
                self.leave_unsealed(&event, "no-recipient");
                return Ok(false);
            }
            // The event begins anew in the next round.
            Err(Error::Stopped) => {
                self.let_go();
                return Ok(false);
            }
            Err(error) => return Err(error),
        };
        if !items.is_empty() {
            self.summary.events_sealed += 1;
        }
        let now = self.now();
        let camera = &self.round.camera.id;
        let memory = serde_json::to_string(&event.after).map_err(Error::Json)?;
        let journal = Entry {
            kind: Kind::Verdict,
            body: json!({
                "camera": camera,
                "event": event.id,
                "frames": event.frames.len(),
                "witnesses": event.verdict.frames.iter().filter(|f| f.keep).count(),
                "keep": event.verdict.keep,
                "reason": event.verdict.reason,
                "scores": event.verdict.scores,
                // For the attestation of destruction: which recordings this verdict is about.
                "taken": span(event.frames),
            }),
        };
        self.round.store.transaction(|tx| {
            for item in items {
                tx.insert_item(now, item)?;
            }
            tx.journal(now, &journal)?;
            let ledger = Ledger::of(tx.raw(), camera);
            for frame in &event.verdict.frames {
                ledger.decide(&frame.id, frame.keep, &word(&frame.reason), event.id)?;
            }
            for (frame, redaction) in &redactions {
                ledger.redacted(frame, redaction)?;
            }
            ledger.set_scene(&memory)?;
            in_hand::let_go(tx.raw(), camera)?;
            Ok::<_, Error>(())
        })?;
        let on_card = |frame: &&triage::FrameVerdict| self.under_way.contains_key(&frame.id);
        let frames: Vec<Digest> = event
            .verdict
            .frames
            .iter()
            .filter(on_card)
            .map(|f| f.id)
            .collect();
        self.erase(&frames)?;
        self.tell_decided(&frames, &BTreeSet::new())?;
        Ok(true)
    }

    fn leave_unsealed(&mut self, event: &Complete<'_>, reason: &'static str) {
        self.let_go();
        self.unsealed.insert(event.id);
        let frames = event.frames.iter().map(|frame| (frame.id, reason));
        self.waiting_for.extend(frames);
    }

    /// Redacts and seals the witnesses; nothing is on record yet. With more than one thread, one is masked and sealed
    /// while the networks look at the next; never are more than these two in memory.
    fn seal(&mut self, event: &Complete<'_>) -> Result<Made, Error> {
        if !event.verdict.keep {
            return Ok(Made::default());
        }
        self.round.store.check_room()?;
        let site = Site::of(self.round.config, self.round.camera);
        let sealer = self.sealer(event.id)?;
        let staging = self.round.store.staging();
        let overlap = self.round.config.threads().overlap();
        let kept = event.verdict.frames.iter().enumerate();
        let kept = kept.filter(|(_, frame)| frame.keep);
        let looked_at = kept.map(|(index, frame)| {
            if self.called_off() {
                return Err(Error::Stopped);
            }
            self.listener.alive();
            let hand = self.witness_in_hand(&frame.id)?;
            let witness = Witness {
                original: Original::read_named(self.read_again(&frame.id)?, frame.id)
                    .map_err(witness::Error::from)?,
                neighbours: Some(neighbours(event.frames, index)),
                now: self.now(),
            };
            let looked_at = LookedAt::new(witness, &site, None, self.round.detector)?;
            Ok((frame.id, hand, looked_at))
        });
        let sealing = Sealing {
            sealer,
            staging,
            made: Made::default(),
        };
        let mut sealing = one_beside(sealing, looked_at, overlap, |sealing, (id, hand, looked_at)| {
            let sealed = sealing.seal(id, looked_at);
            drop(hand);
            sealed
        })?;
        let record = Record {
            record: 1,
            event: event.id,
            site: &self.round.camera.site,
            regime: &self.round.camera.regime,
            triage: &self.round.config.triage,
            zone: site.zone,
            verdict: &event.verdict,
            frames: event
                .frames
                .iter()
                .map(|f| RecordedFrame {
                    frame: f.id,
                    name: &f.name,
                    taken: f.taken,
                    arrived: f.arrived,
                    light: f.sighting.light,
                })
                .collect(),
        };
        let sealed = sealing.sealer.seal_record(&record)?;
        sealing.made.items.push(sealing.staging.stage(sealed)?);
        Ok(sealing.made)
    }

    /// Seals to the keys of the quarter it is now. Where these are not the ones that the round began with, and not proven,
    /// nothing more is erased in it: what is sealed to them waits for the desk.
    fn sealer(&mut self, event: EventId) -> Result<EventSealer, Error> {
        let choice = self
            .round
            .recipients
            .choose(terms::sealing_time(self.round.store.sql(), self.now())?);
        if self.enforcing && !returning::proven(self.round.store.sql(), &choice.recipients)? {
            tracing::warn!(%event, "nothing is erased: the desk has not proven these keys yet");
            self.enforcing = false;
            self.summary.no_return_file = true;
        }
        if !choice.concerns.is_empty() {
            tracing::warn!(%event, concerns = ?choice.concerns, "the keys it is sealed to are not those they should be");
        }
        let device = self.round.store.device();
        Ok(EventSealer::new(device, event, &choice.recipients)?)
    }

    /// Takes the file of a held frame in hand, to look at it in full.
    fn witness_in_hand(&mut self, digest: &Digest) -> Result<Hand, Error> {
        let known = self.under_way.get(digest).and_then(|names| names.first());
        let file = known.ok_or(Error::Vanished(*digest))?.file.clone();
        self.take_in_hand(std::iter::once(&file))?;
        Ok(Hand::on(&self.round.camera.id, &file.path))
    }

    /// The bytes of a frame that was looked at before. The card may have changed since: only the same bytes will do.
    fn read_again(&self, digest: &Digest) -> Result<Vec<u8>, Error> {
        let known = self.under_way.get(digest).and_then(|names| names.first());
        let path = &known.ok_or(Error::Vanished(*digest))?.file.path;
        let bytes = card::read(self.round.card, path, card::FRAME_AT_MOST)?;
        if Digest::of(&bytes) != *digest {
            return Err(Error::Changed(path.as_path().to_owned()));
        }
        Ok(bytes)
    }
}

/// Persons that the scout saw in one frame and in those of a burst around it. The guard usually sees them too; where it
/// does not, they are masked all the same: nobody who was seen is shown.
pub(super) fn neighbours(frames: &[Facts], index: usize) -> Vec<Detection> {
    let here = &frames[index];
    let near = |frame: &&Facts| match (here.taken, frame.taken) {
        (Some(here), Some(there)) => there.0.duration_since(here.0).abs() <= BURST,
        _ => false,
    };
    let others = [index.checked_sub(1), Some(index + 1)].into_iter().flatten();
    let others = others.filter_map(|i| frames.get(i)).filter(near);
    std::iter::once(here)
        .chain(others)
        .flat_map(|frame| frame.sighting.objects.persons.iter().copied())
        .collect()
}

pub(super) fn facts_of(row: Row, correction: i64) -> Facts {
    Facts {
        id: row.digest,
        folder: row.path.folder().to_string_lossy().into_owned(),
        name: row.path.name().to_string_lossy().into_owned(),
        taken: row.taken.and_then(|taken| corrected(taken, correction)),
        arrived: row.arrived,
        // A decided frame's sighting is forgotten; it only marks where its event ended.
        sighting: row.sighting.unwrap_or(Sighting {
            size: crate::frame::FrameSize { width: 1, height: 1 },
            light: Light::Day,
            objects: Objects::default(),
        }),
    }
}

/// The first and the last moment of an event by its camera's corrected clock; nothing if a frame bears none.
fn span(frames: &[Facts]) -> Option<[CameraTime; 2]> {
    let times: Option<Vec<_>> = frames.iter().map(|frame| frame.taken).collect();
    let times = times?;
    Some([*times.iter().min()?, *times.iter().max()?])
}
