//! Dates and hours as French administration writes them.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::frame::BoxTime;
use crate::vault::Epoch;

/// From January on.
pub(super) const MONTHS: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];

/// `22 novembre 2026`, `1er mars 2026`.
pub fn long(date: Date) -> String {
    let day = match date.day() {
        1 => "1er".to_owned(),
        day => day.to_string(),
    };
    format!(
        "{day} {} {}",
        MONTHS[usize::from(date.month().unsigned_abs()) - 1],
        date.year()
    )
}

/// `22/11/2026`.
pub fn short(date: Date) -> String {
    format!("{:02}/{:02}/{:04}", date.day(), date.month(), date.year())
}

/// `22/11/2026 14:05:09`, by the clocks of `zone`.
pub fn moment(time: BoxTime, zone: &TimeZone) -> String {
    let local = time.0.to_zoned(zone.clone());
    let clock = (local.hour(), local.minute(), local.second());
    format!(
        "{} {:02}:{:02}:{:02}",
        short(local.date()),
        clock.0,
        clock.1,
        clock.2
    )
}

/// `22 novembre 2026 à 14 h 05`.
pub fn spoken(time: BoxTime, zone: &TimeZone) -> String {
    let local = time.0.to_zoned(zone.clone());
    format!(
        "{} à {} h {:02}",
        long(local.date()),
        local.hour(),
        local.minute()
    )
}

/// `4e trimestre 2026`.
pub fn quarter(epoch: Epoch) -> String {
    let number = match epoch.quarter() {
        1 => "1er".to_owned(),
        other => format!("{other}e"),
    };
    format!("{number} trimestre {}", epoch.year())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn dates_read_as_french_writes_them() {
        assert_eq!(long(date(2026, 3, 1)), "1er mars 2026");
        assert_eq!(long(date(2026, 8, 22)), "22 août 2026");
        assert_eq!(short(date(2026, 8, 2)), "02/08/2026");
        let time = BoxTime("2026-11-22T13:05:09Z".parse().expect("a time"));
        let paris = TimeZone::get("Europe/Paris").expect("the zone");
        assert_eq!(moment(time, &paris), "22/11/2026 14:05:09");
        assert_eq!(spoken(time, &paris), "22 novembre 2026 à 14 h 05");
    }
}
