//! What people have to do by a date: the half-yearly review of the journal, the yearly purge of surplus images.
//!
//! Promises: each period has its task, made by the first run in it, open until somebody says what they found; the
//! answer is counts and coded words, on record. Leaves reminding to the pages.

use jiff::civil::Date;
use rusqlite::{Connection, Row, params};
use serde_json::{Value, json};

use super::Error;
use super::records::{day, time};
use crate::frame::BoxTime;
use crate::vault::store::Tx;
use crate::vault::{Entry, Kind};

/// A kind of task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Once in half a year somebody reads who consulted what, and why.
    JournalReview,
    /// Once a year the files are relieved of images that no report needs.
    Surplus,
}

impl Task {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::JournalReview, Self::Surplus];

    /// The stable name, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::JournalReview => "journal-review",
            Self::Surplus => "surplus",
        }
    }

    /// The task of this stable name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.as_str() == name)
    }

    /// As it stands on screen.
    pub const fn french(self) -> &'static str {
        match self {
            Self::JournalReview => "Revue semestrielle du journal",
            Self::Surplus => "Épuration annuelle des images surnuméraires",
        }
    }

    /// The period that `today` lies in, and its last day.
    pub fn period(self, today: Date) -> (String, Date) {
        let year = today.year();
        let end = |month, day| Date::new(year, month, day).unwrap_or(today);
        match self {
            Self::JournalReview if today.month() <= 6 => (format!("{year}-S1"), end(6, 30)),
            Self::JournalReview => (format!("{year}-S2"), end(12, 31)),
            Self::Surplus => (year.to_string(), end(12, 31)),
        }
    }
}

/// A task as it is kept.
#[derive(Debug, Clone)]
pub struct TaskRecord {
    /// Which.
    pub task: Task,
    /// Of which period.
    pub period: String,
    /// Its last day.
    pub due: Date,
    /// When, by which account, and with what result it was done.
    pub done: Option<(BoxTime, String, Value)>,
}

impl TaskRecord {
    /// Whether its last day has gone by.
    pub fn is_overdue(&self, today: Date) -> bool {
        self.done.is_none() && self.due < today
    }
}

/// Which tasks are missing for the period that `today` lies in.
pub fn missing(db: &Connection, today: Date) -> Result<Vec<Task>, Error> {
    let mut there = db.prepare_cached("SELECT 1 FROM task WHERE kind = ? AND period = ?")?;
    let mut missing = Vec::new();
    for task in Task::ALL {
        if !there.exists(params![task.as_str(), task.period(today).0])? {
            missing.push(task);
        }
    }
    Ok(missing)
}

/// Makes a task for the period that `today` lies in.
pub fn make(tx: &Tx<'_>, task: Task, today: Date, now: BoxTime) -> Result<(), Error> {
    let (period, due) = task.period(today);
    tx.raw().execute(
        "INSERT OR IGNORE INTO task (kind, period, created, due) VALUES (?, ?, ?, ?)",
        params![task.as_str(), period, now.to_string(), due.to_string()],
    )?;
    Ok(())
}

/// Somebody did it; `result` holds counts and coded words alone.
pub fn done(
    tx: &mut Tx<'_>,
    (task, period): (Task, &str),
    result: &Value,
    account: &str,
    now: BoxTime,
) -> Result<(), Error> {
    let done =
        "UPDATE task SET done = ?, done_by = ?, result = ? WHERE kind = ? AND period = ? AND done IS NULL";
    let row = params![
        now.to_string(),
        account,
        result.to_string(),
        task.as_str(),
        period
    ];
    if tx.raw().execute(done, row)? == 0 {
        return Err(Error::NoSuchTask);
    }
    let body = json!({"account": account, "period": period, "result": result, "task": task.as_str()});
    let kind = Kind::TaskDone;
    Ok(tx.journal(now, &Entry { kind, body })?)
}

/// Every task, the youngest first.
pub fn all(db: &Connection) -> Result<Vec<TaskRecord>, Error> {
    let mut query = db.prepare_cached(
        "SELECT kind, period, due, done, done_by, result FROM task ORDER BY due DESC, kind",
    )?;
    let rows = query.query_map([], |row| Ok(of_row(row)))?;
    rows.map(|row| row?).collect()
}

fn of_row(row: &Row<'_>) -> Result<TaskRecord, Error> {
    let kind: String = row.get(0)?;
    let task = Task::named(&kind).ok_or(Error::Damaged(kind))?;
    let done = match (
        row.get::<_, Option<String>>(3)?,
        row.get(4)?,
        row.get::<_, Option<String>>(5)?,
    ) {
        (Some(at), Some(by), Some(result)) => {
            let result = serde_json::from_str(&result).map_err(|_| Error::Damaged(result))?;
            Some((time(&at)?, by, result))
        }
        _ => None,
    };
    Ok(TaskRecord {
        task,
        period: row.get(1)?,
        due: day(&row.get::<_, String>(2)?)?,
        done,
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_year_has_two_reviews_of_the_journal_and_one_purge() {
        let review = |day| Task::JournalReview.period(day);
        assert_eq!(
            review(date(2027, 6, 30)),
            ("2027-S1".to_owned(), date(2027, 6, 30))
        );
        assert_eq!(
            review(date(2027, 7, 1)),
            ("2027-S2".to_owned(), date(2027, 12, 31))
        );
        assert_eq!(
            Task::Surplus.period(date(2027, 3, 3)),
            ("2027".to_owned(), date(2027, 12, 31))
        );
    }
}
