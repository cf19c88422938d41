//! The list of events: which ones, in which order, how many, and how far each agent has come.
//!
//! Promises: whatever is asked for, the answer comes from the index alone, by bound parameters, a page at a time.

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::{COLUMNS, Error, Event, State, light_word, read};
use crate::frame::{BoxTime, CameraId, EventId};
use crate::vision::Light;

/// Which events are asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Of this camera.
    pub camera: Option<CameraId>,
    /// Not before this moment.
    pub from: Option<BoxTime>,
    /// Before this moment.
    pub until: Option<BoxTime>,
    /// By day, or by night.
    pub light: Option<Light>,
    /// In one of these states; none: all whose images are there.
    pub states: Vec<State>,
}

impl Filter {
    /// What waits for a decision.
    pub fn undecided() -> Self {
        Self {
            states: vec![State::New, State::Seen],
            ..Self::default()
        }
    }

    /// The condition, and what it binds.
    fn sql(&self) -> (String, Vec<Value>) {
        let mut terms = Vec::new();
        let mut bound: Vec<Value> = Vec::new();
        let mut term = |sql: &str, value: String| {
            terms.push(sql.to_owned());
            bound.push(value.into());
        };
        if let Some(camera) = &self.camera {
            term("camera = ?", camera.to_string());
        }
        if let Some(from) = self.from {
            term("facts >= ?", from.to_string());
        }
        if let Some(until) = self.until {
            term("facts < ?", until.to_string());
        }
        if let Some(light) = self.light {
            term("light = ?", light_word(light).to_owned());
        }
        let there = State::ALL.into_iter().filter(|state| state.is_there());
        let states: Vec<State> = match self.states.is_empty() {
            true => there.collect(),
            false => self.states.clone(),
        };
        terms.push(format!("state IN ({})", vec!["?"; states.len()].join(", ")));
        bound.extend(states.iter().map(|state| Value::from(state.as_str().to_owned())));
        (terms.join(" AND "), bound)
    }
}

/// How many events that is.
pub fn count(sql: &Connection, filter: &Filter) -> Result<u64, Error> {
    let (condition, bound) = filter.sql();
    let mut query = sql.prepare_cached(&format!("SELECT count(*) FROM event WHERE {condition}"))?;
    Ok(query.query_row(params_from_iter(bound), |row| row.get(0))?)
}

/// How many events that wait for a decision are destroyed before this moment.
pub fn due_before(sql: &Connection, moment: BoxTime) -> Result<u64, Error> {
    let mut query =
        sql.prepare_cached("SELECT count(*) FROM event WHERE state IN ('new', 'seen') AND due < ?")?;
    Ok(query.query_row([moment.to_string()], |row| row.get(0))?)
}

/// These events, earliest facts first: what is due first is looked at first.
pub fn page(sql: &Connection, filter: &Filter, first: u64, most: u64) -> Result<Vec<Event>, Error> {
    let (condition, mut bound) = filter.sql();
    bound.extend([most, first].map(|number| Value::from(number as i64)));
    // Which they are, the index tells alone; only these are read.
    let mut query = sql.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM event WHERE id IN
             (SELECT id FROM event WHERE {condition} ORDER BY facts, id LIMIT ? OFFSET ?)
         ORDER BY facts, id"
    ))?;
    let mut rows = query.query(params_from_iter(bound))?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        events.push(Event::of_row(row)?);
    }
    Ok(events)
}

/// The next event behind this one, or the one before it; past the end it begins again at the other.
pub fn beside(sql: &Connection, filter: &Filter, of: &Event, ahead: bool) -> Result<Option<EventId>, Error> {
    let (sign, order) = if ahead { (">", "ASC") } else { ("<", "DESC") };
    let (condition, bound) = filter.sql();
    let first = |further: String, values: &[String]| -> Result<Option<EventId>, Error> {
        let bound = bound.iter().cloned();
        let values = values.iter().cloned().map(Value::from);
        let mut query = sql.prepare_cached(&format!(
            "SELECT id FROM event WHERE {condition} AND {further} ORDER BY facts {order}, id {order} LIMIT 1"
        ))?;
        let mut rows = query.query(params_from_iter(bound.chain(values)))?;
        let found = rows.next()?.map(|row| row.get::<_, String>(0)).transpose()?;
        found.as_deref().map(read).transpose()
    };
    let (facts, id) = (of.facts.to_string(), of.id.to_string());
    match first(format!("(facts, id) {sign} (?, ?)"), &[facts, id.clone()])? {
        None => first("id <> ?".to_owned(), &[id]),
        found => Ok(found),
    }
}

/// What one agent has decided since a moment: how many events were retained, how many put aside.
pub fn decided_by(sql: &Connection, account: &str, since: BoxTime) -> Result<[u64; 2], Error> {
    let mut query = sql.prepare_cached(
        "SELECT coalesce(sum(state = 'retained'), 0), coalesce(sum(state = 'discarded'), 0) FROM event
         WHERE decided_by = ? AND decided >= ?",
    )?;
    let counts = query.query_row(params![account, since.to_string()], |row| {
        Ok([row.get(0)?, row.get(1)?])
    })?;
    Ok(counts)
}
