//! Counts by month and sector. Pure but for reading them.
//!
//! Promises: a cell of one to four is hidden, and no total is given from which it could be worked out.

use std::collections::BTreeMap;

use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rusqlite::Connection;

use super::journal::began;
use crate::desk::retention::clock::local_date;
use crate::frame::BoxTime;

/// Counts below this are hidden.
pub const LEAST: u64 = 5;

/// A month of a sector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Events that came.
    pub came: u64,
    /// Of these, those that an agent retained.
    pub retained: u64,
}

/// By year and month, then by sector.
pub type Table = BTreeMap<(i16, i8), BTreeMap<String, Counts>>;

/// A count as it may be shown.
pub fn shown(count: u64) -> String {
    match count {
        1..LEAST => format!("< {LEAST}"),
        count => count.to_string(),
    }
}

/// The counts of all events that the desk knows of, erased ones included.
pub fn table(db: &Connection, zone: &TimeZone) -> rusqlite::Result<Table> {
    let end = |which: &str| -> rusqlite::Result<Option<Date>> {
        let facts: Option<String> =
            db.query_row(&format!("SELECT {which}(facts) FROM event"), [], |row| row.get(0))?;
        let facts = facts.and_then(|facts| facts.parse().ok());
        Ok(facts.map(|facts| local_date(BoxTime(facts), zone)))
    };
    let mut table = Table::new();
    let (Some(first), Some(last)) = (end("min")?, end("max")?) else {
        return Ok(table);
    };
    let mut query = db.prepare(
        "SELECT site, count(*), sum(state = 'retained' OR file IS NOT NULL) FROM event
         WHERE facts >= ? AND facts < ? GROUP BY site",
    )?;
    let mut month = first.first_of_month();
    while month <= last {
        let next = month.saturating_add(1.month());
        let rows = query.query_map([began(month, zone), began(next, zone)], |row| {
            let counts = Counts {
                came: row.get(1)?,
                retained: row.get(2)?,
            };
            Ok((row.get::<_, String>(0)?, counts))
        })?;
        let sectors: BTreeMap<_, _> = rows.collect::<rusqlite::Result<_>>()?;
        if !sectors.is_empty() {
            table.insert((month.year(), month.month()), sectors);
        }
        if next == month {
            break;
        }
        month = next;
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_cells_are_hidden_and_none_is_not() {
        let shown = [0, 1, 4, 5, 120].map(shown);
        assert_eq!(shown, ["0", "< 5", "< 5", "5", "120"]);
    }

    #[test]
    fn months_are_those_of_the_people() {
        let db = Connection::open_in_memory().expect("memory");
        db.execute_batch(
            "CREATE TABLE event (site TEXT, facts TEXT, state TEXT, file TEXT);
             INSERT INTO event VALUES ('Quai', '2026-11-30T23:30:00Z', 'retained', NULL),
                ('Quai', '2026-11-30T22:30:00Z', 'discarded', NULL), ('Pont', '2026-12-01T08:00:00Z', 'retained', 'f');",
        )
        .expect("rows");
        let zone = TimeZone::get("Europe/Paris").expect("a zone");
        let table = table(&db, &zone).expect("counted");
        let quai = |month| table[&(2026, month)]["Quai"];
        assert_eq!(quai(11), Counts { came: 1, retained: 0 });
        assert_eq!(quai(12), Counts { came: 1, retained: 1 });
        assert_eq!(table[&(2026, 12)]["Pont"].retained, 1);
    }
}
