//! The checkpoint: what stands in the place of a journal's oldest lines when their term is over.
//!
//! Promises: no line younger than [`TERM_YEARS`] goes; what goes is the front of the chain and nothing
//! else, and the box signs how far it went, so that the chain goes on from there and no one can cut
//! further. Pure: the hour that is believed is passed in.
//!
//! Leaves to [`super::store`] which lines must stay although their term is over.

use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension as _};
use serde::{Deserialize, Serialize};

use super::journal::Head;
use super::keys::{DeviceId, DeviceKey, DevicePublic};
use super::signed::{self, Document};
use crate::frame::{BoxTime, Digest};

/// How long a line is kept. LIL art. 101 says no term; CNIL, délibération 2021-122 of 14 October 2021:
/// six months to a year, up to three where the journal serves internal control.
pub const TERM_YEARS: i32 = 3;

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The box's name.
    pub device: DeviceId,
    /// The box's public key.
    pub device_key: DevicePublic,
    /// The time of line 1.
    pub first: BoxTime,
    /// The hash of line `seq`: the `prev` of the first line that is kept.
    pub hash: Digest,
    /// The time of line `seq`.
    pub last: BoxTime,
    /// When they were cut off.
    pub pruned: BoxTime,
    /// Lines 1 to `seq` are no longer there; as numbers have no gaps, it is also how many.
    pub seq: u64,
}

impl Document for Checkpoint {
    const TITLE: &'static str = "vigie journal checkpoint 1";
}

impl Checkpoint {
    /// Where the chain goes on.
    pub fn head(&self) -> Head {
        Head {
            seq: self.seq,
            hash: self.hash,
        }
    }

    pub(super) fn sign(&self, device: &DeviceKey) -> Result<String, signed::Error> {
        signed::sign(self, device)
    }

    /// The text of the checkpoint with which the journal in a vault's database begins; nothing if it
    /// begins with line 1.
    pub fn text(sql: &Connection) -> rusqlite::Result<Option<String>> {
        let text = sql.query_row("SELECT text FROM checkpoint", [], |row| row.get(0));
        text.optional()
    }

    /// Reads a checkpoint that `device` must have signed.
    pub fn read(text: &str, device: &DevicePublic) -> Result<Self, signed::Error> {
        let checkpoint: Self = signed::read(text, device, "the box")?;
        match checkpoint.device_key == *device && checkpoint.device == device.id() {
            true => Ok(checkpoint),
            false => Err(signed::Error::Damaged("it names another box")),
        }
    }
}

/// The hour before which lines are past their term; nothing if no such hour can be written.
pub fn term_began(now: BoxTime) -> Option<BoxTime> {
    let then = now.0.to_zoned(TimeZone::UTC);
    let then = then.checked_sub(TERM_YEARS.years()).ok()?;
    Some(BoxTime(then.timestamp()))
}

/// The last line that is past its term: it and all before it were written before `bound`. `lines` are
/// the numbers and times of the journal from its front.
///
/// A line of an hour before the clock was set was written before the next one whose hour can be
/// believed, and goes with it; the first line that is too young, or tells no time, stops the cut,
/// whatever stands behind it.
pub fn past_term(lines: impl Iterator<Item = (u64, Option<BoxTime>)>, bound: BoxTime) -> Option<u64> {
    let old = lines.map_while(|(seq, time)| time.filter(|time| *time < bound).map(|time| (seq, time)));
    old.filter(|(_, time)| time.is_set()).map(|(seq, _)| seq).last()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::keys::trap_init_from;

    fn at(text: &str) -> BoxTime {
        BoxTime(text.parse().expect("an instant"))
    }

    fn cut(times: &[&str], bound: &str) -> Option<u64> {
        let lines = times.iter().enumerate();
        let lines = lines.map(|(nth, time)| (nth as u64 + 1, time.parse().ok().map(BoxTime)));
        past_term(lines, at(bound))
    }

    #[test]
    fn the_term_is_three_years_by_the_calendar_and_never_a_day_less() {
        for (now, began) in [
            ("2029-11-22T06:00:00Z", "2026-11-22T06:00:00Z"),
            ("2031-02-28T00:00:00Z", "2028-02-28T00:00:00Z"),
            ("2028-02-29T12:00:00Z", "2025-02-28T12:00:00Z"),
        ] {
            assert_eq!(term_began(at(now)), Some(at(began)), "{now}");
        }
        assert_eq!(term_began(BoxTime(jiff::Timestamp::MIN)), None);
    }

    #[test]
    fn the_front_goes_up_to_the_first_line_that_is_too_young() {
        let times = [
            "2026-01-01T00:00:00Z",
            "2026-01-02T00:00:00Z",
            "2026-01-03T00:00:00Z",
        ];
        assert_eq!(cut(&times, "2026-01-03T00:00:00Z"), Some(2));
        assert_eq!(cut(&times, "2026-01-01T00:00:00Z"), None);
        assert_eq!(cut(&times, "2030-01-01T00:00:00Z"), Some(3));
        assert_eq!(cut(&[], "2030-01-01T00:00:00Z"), None);
    }

    #[test]
    fn an_old_hour_behind_a_young_line_proves_nothing() {
        let times = [
            "2026-01-01T00:00:00Z",
            "2028-01-01T00:00:00Z",
            "2026-01-02T00:00:00Z",
        ];
        assert_eq!(cut(&times, "2027-01-01T00:00:00Z"), Some(1));
        assert_eq!(
            cut(&["2026-01-01T00:00:00Z", "no hour"], "2027-01-01T00:00:00Z"),
            Some(1)
        );
    }

    #[test]
    fn a_line_from_before_the_clock_was_set_goes_with_the_next_one_that_can_be_believed() {
        let unset = "1970-01-01T00:00:05Z";
        assert_eq!(
            cut(&[unset, "2026-01-01T00:00:00Z", unset], "2027-01-01T00:00:00Z"),
            Some(2)
        );
        assert_eq!(cut(&[unset, unset], "2027-01-01T00:00:00Z"), None);
    }

    #[test]
    fn a_checkpoint_that_names_another_box_than_the_one_that_signed_it_is_refused() {
        let key = |seed| {
            let folder = tempfile::tempdir().expect("a folder");
            let made = trap_init_from(folder.path(), &[seed; 32]).expect("a key");
            DeviceKey::read(&made.files.secret).expect("just made")
        };
        let (own, other) = (key(1), key(2));
        let read = |id: &DeviceKey, named: &DeviceKey| {
            let now = at("2026-01-01T00:00:00Z");
            let checkpoint = Checkpoint {
                device: id.id(),
                device_key: named.public().clone(),
                first: now,
                hash: Digest::of(b""),
                last: now,
                pruned: now,
                seq: 4,
            };
            Checkpoint::read(&checkpoint.sign(&own).expect("signed"), own.public())
        };
        assert!(read(&own, &own).is_ok());
        assert!(read(&other, &own).is_err() && read(&own, &other).is_err());
    }
}
