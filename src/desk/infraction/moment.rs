//! When something happened: the local hour as the city's clocks showed it, and the instant that it was.
//!
//! Promises: one is never kept without the other, so neither a change of the hour nor one of the zone's rules moves a
//! fact; an hour that the clocks showed twice is asked for, one that they skipped is refused. No clock.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use serde::{Deserialize, Serialize};

use crate::frame::BoxTime;

/// An instant with the local hour that the clocks showed. Written as RFC 3339 with its offset, as Camtrap DP asks of a
/// `timestamp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment {
    at: Timestamp,
    offset: i32,
}

/// Which of two equal hours, in the night on which clocks are set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The first one, still summer time.
    First,
    /// The second one, winter time.
    Second,
}

/// Why an hour is no moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The clocks skipped it.
    #[error("Cette heure n'a pas existé : les horloges ont été avancées cette nuit-là")]
    Skipped,
    /// They showed it twice.
    #[error(
        "Cette heure a eu lieu deux fois cette nuit-là : indiquez si c'était l'heure d'été ou l'heure d'hiver"
    )]
    Twice,
    /// Not a date and an hour.
    #[error("Écrivez une date et une heure qui existent")]
    Form,
}

impl Moment {
    /// When the clocks of `zone` showed `local`.
    pub fn of_local(local: DateTime, zone: &TimeZone, turn: Option<Turn>) -> Result<Self, Fault> {
        let ambiguous = zone.to_ambiguous_timestamp(local);
        let offset = match (ambiguous.offset(), turn) {
            (AmbiguousOffset::Unambiguous { offset }, _) => offset,
            (AmbiguousOffset::Gap { .. }, _) => return Err(Fault::Skipped),
            (AmbiguousOffset::Fold { before, .. }, Some(Turn::First)) => before,
            (AmbiguousOffset::Fold { after, .. }, Some(Turn::Second)) => after,
            (AmbiguousOffset::Fold { .. }, None) => return Err(Fault::Twice),
        };
        Ok(Self {
            at: offset.to_timestamp(local).map_err(|_| Fault::Form)?,
            offset: offset.seconds(),
        })
    }

    /// What the clocks of `zone` showed at an instant.
    pub fn of_instant(at: BoxTime, zone: &TimeZone) -> Self {
        Self {
            at: at.0,
            offset: zone.to_offset(at.0).seconds(),
        }
    }

    /// The instant.
    pub fn instant(self) -> BoxTime {
        BoxTime(self.at)
    }

    /// What the clocks showed.
    pub fn local(self) -> DateTime {
        self.zone_offset().to_datetime(self.at)
    }

    /// The day on which it was.
    pub fn day(self) -> Date {
        self.local().date()
    }

    /// Whether the clocks of `zone` showed this hour twice, and which of the two it was.
    pub fn turn(self, zone: &TimeZone) -> Option<Turn> {
        match zone.to_ambiguous_timestamp(self.local()).offset() {
            AmbiguousOffset::Fold { before, .. } if before.seconds() == self.offset => Some(Turn::First),
            AmbiguousOffset::Fold { .. } => Some(Turn::Second),
            _ => None,
        }
    }

    fn zone_offset(self) -> Offset {
        Offset::from_seconds(self.offset).unwrap_or(Offset::UTC)
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.at.display_with_offset(self.zone_offset()))
    }
}

impl TryFrom<String> for Moment {
    type Error = Fault;
    fn try_from(text: String) -> Result<Self, Fault> {
        let pieces = jiff::fmt::temporal::DateTimeParser::new();
        let at = pieces.parse_timestamp(&text).map_err(|_| Fault::Form)?;
        let offset = pieces.parse_pieces(&text).map_err(|_| Fault::Form)?;
        let offset = offset.to_numeric_offset().unwrap_or(Offset::UTC);
        Ok(Self {
            at,
            offset: offset.seconds(),
        })
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn paris() -> TimeZone {
        TimeZone::get("Europe/Paris").expect("Paris")
    }

    fn local(text: &str) -> DateTime {
        text.parse().expect("an hour")
    }

    #[test]
    fn the_hour_shown_twice_is_asked_for_and_the_one_skipped_refused() {
        let twice = local("2026-10-25T02:30:00");
        assert_eq!(Moment::of_local(twice, &paris(), None), Err(Fault::Twice));
        let summer = Moment::of_local(twice, &paris(), Some(Turn::First)).expect("summer");
        let winter = Moment::of_local(twice, &paris(), Some(Turn::Second)).expect("winter");
        assert_eq!(summer.to_string(), "2026-10-25T02:30:00+02:00");
        assert_eq!(winter.to_string(), "2026-10-25T02:30:00+01:00");
        assert_eq!(winter.turn(&paris()), Some(Turn::Second));
        let skipped = local("2026-03-29T02:30:00");
        assert_eq!(Moment::of_local(skipped, &paris(), None), Err(Fault::Skipped));
    }

    #[test]
    fn the_day_of_the_facts_is_the_day_that_the_city_had() {
        let at = BoxTime("2026-11-21T23:30:00Z".parse().expect("an instant"));
        let moment = Moment::of_instant(at, &paris());
        assert_eq!(moment.day(), jiff::civil::date(2026, 11, 22));
        assert_eq!(moment.instant(), at);
    }

    proptest! {
        #[test]
        fn a_moment_survives_being_written_and_read(seconds in 0i64..4_000_000_000) {
            let at = BoxTime(Timestamp::from_second(seconds).expect("in range"));
            let moment = Moment::of_instant(at, &paris());
            prop_assert_eq!(Moment::try_from(moment.to_string()), Ok(moment));
            let again = Moment::of_local(moment.local(), &paris(), moment.turn(&paris()));
            prop_assert_eq!(again, Ok(moment));
        }
    }
}
