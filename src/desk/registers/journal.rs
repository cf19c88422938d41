//! The journal, line by line, the youngest first; found by kind, day, account and object.

use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::frame::Digest;
use crate::vault::journal::Line;

/// Lines on a page.
pub const PAGE: usize = 100;

/// What is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// A kind of line.
    pub kind: Option<String>,
    /// From this day on.
    pub from: Option<Date>,
    /// Up to this day.
    pub until: Option<Date>,
    /// An account's opaque id.
    pub account: Option<String>,
    /// An event's, a file's, a certificate's id, or a digest.
    pub object: Option<String>,
    /// Lines before this one: where the page before ended.
    pub before: Option<u64>,
}

impl Filter {
    /// Whether it looks for one person's or one thing's lines: that is on record.
    pub const fn is_personal(&self) -> bool {
        self.account.is_some() || self.object.is_some()
    }
}

/// The lines that fit, at most a page and one more: then there is a next page.
pub fn lines(db: &Connection, filter: &Filter, zone: &TimeZone) -> rusqlite::Result<Vec<Line>> {
    let mut wanted: Vec<&str> = Vec::new();
    let mut values: Vec<Value> = Vec::new();
    let mut want = |clause, value: Value| {
        wanted.push(clause);
        values.push(value);
    };
    if let Some(kind) = &filter.kind {
        want("kind = ?", kind.clone().into());
    }
    if let Some(day) = filter.from {
        want("time >= ?", began(day, zone).into());
    }
    if let Some(day) = filter.until {
        want("time < ?", began(day.saturating_add(1.day()), zone).into());
    }
    if let Some(account) = &filter.account {
        want("instr(body, ?) > 0", format!("\"account\":\"{account}\"").into());
    }
    if let Some(object) = &filter.object {
        want("instr(body, ?) > 0", object.clone().into());
    }
    if let Some(before) = filter.before {
        want("seq < ?", i64::try_from(before).unwrap_or(i64::MAX).into());
    }
    let wanted = match wanted.is_empty() {
        true => String::new(),
        false => format!("WHERE {}", wanted.join(" AND ")),
    };
    let mut query = db.prepare(&format!(
        "SELECT seq, time, kind, body, prev, hash FROM journal {wanted} ORDER BY seq DESC LIMIT {}",
        PAGE + 1
    ))?;
    let rows = query.query_map(params_from_iter(values), Line::of_row)?;
    rows.collect()
}

/// The first moment of a day, as the beginning of what a line says of its time: `Z` and fractions sort behind it.
pub(super) fn began(day: Date, zone: &TimeZone) -> String {
    let start = day.to_zoned(zone.clone()).map(|zoned| zoned.timestamp());
    let start = start.unwrap_or(jiff::Timestamp::MIN);
    start.to_string().trim_end_matches('Z').to_owned()
}

/// The kinds that the journal has lines of.
pub fn kinds(db: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut query = db.prepare("SELECT DISTINCT kind FROM journal ORDER BY kind")?;
    let rows = query.query_map([], |row| row.get(0))?;
    rows.collect()
}

/// The journal of a box as far as the desk knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoxHead {
    /// The box.
    pub device: String,
    /// Its last bundle's number.
    pub bundle: u64,
    /// The last line: number, hash, time.
    pub seq: u64,
    /// The hash of that line.
    pub hash: Digest,
    /// When that was, by the box's clock.
    pub time: String,
}

/// The last known line of each box.
pub fn heads(db: &Connection) -> rusqlite::Result<Vec<BoxHead>> {
    let mut query = db.prepare(
        "SELECT line.device, line.seq, line.hash, line.time,
            coalesce((SELECT max(number) FROM trap_bundle WHERE trap_bundle.device = line.device), 0)
         FROM trap_line AS line
         WHERE line.seq = (SELECT max(seq) FROM trap_line WHERE trap_line.device = line.device)
         ORDER BY line.device",
    )?;
    let rows = query.query_map([], |row| {
        Ok(BoxHead {
            device: row.get(0)?,
            seq: row.get(1)?,
            hash: Digest::from_bytes(row.get(2)?),
            time: row.get(3)?,
            bundle: row.get(4)?,
        })
    })?;
    rows.collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn database() -> Connection {
        let db = Connection::open_in_memory().expect("memory");
        db.execute_batch("CREATE TABLE journal (seq INTEGER PRIMARY KEY, time TEXT, kind TEXT, body TEXT, prev BLOB, hash BLOB)")
            .expect("a table");
        let lines = [
            ("2026-11-21T22:59:59.9Z", "held", r#"{"account":"c1","hold":1}"#),
            ("2026-11-21T23:00:00Z", "held", r#"{"account":"d1","hold":1}"#),
            (
                "2026-11-22T22:59:59Z",
                "ruled",
                r#"{"account":"c1","file":"2026-EXE-0001"}"#,
            ),
            ("2026-11-22T23:00:00Z", "agreed", r#"{"account":"c1"}"#),
        ];
        for (seq, (time, kind, body)) in (1..).zip(lines) {
            let insert = "INSERT INTO journal VALUES (?, ?, ?, ?, zeroblob(32), zeroblob(32))";
            db.execute(insert, (seq, time, kind, body)).expect("a row");
        }
        db
    }

    fn found(filter: Filter) -> Vec<u64> {
        let zone = TimeZone::get("Europe/Paris").expect("a zone");
        let lines = lines(&database(), &filter, &zone).expect("lines");
        lines.into_iter().map(|line| line.seq).collect()
    }

    #[test]
    fn lines_are_found_by_kind_account_object_and_by_the_days_of_the_people() {
        assert_eq!(found(Filter::default()), [4, 3, 2, 1]);
        let day = Some(date(2026, 11, 22));
        let of_day = Filter {
            from: day,
            until: day,
            ..Filter::default()
        };
        assert_eq!(found(of_day), [3, 2]);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            found(Filter {
                kind: text("held"),
                ..Filter::default()
            }),
            [2, 1]
        );
        assert_eq!(
            found(Filter {
                account: text("c1"),
                ..Filter::default()
            }),
            [4, 3, 1]
        );
        assert_eq!(
            found(Filter {
                object: text("2026-EXE-0001"),
                ..Filter::default()
            }),
            [3]
        );
        assert_eq!(
            found(Filter {
                before: Some(3),
                ..Filter::default()
            }),
            [2, 1]
        );
        assert_eq!(
            found(Filter {
                object: text("%"),
                ..Filter::default()
            }),
            Vec::<u64>::new()
        );
    }
}
