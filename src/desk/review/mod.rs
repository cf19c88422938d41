//! Review: an agent opens an event, sees its images, hides more, and decides.
//!
//! Promises:
//! - nobody opens an event without a motive out of a closed list, and each opening leaves a line (LIL art. 101);
//! - what was shown at full size, to whom and when, is on record by its SHA-256; only who has seen an image retains
//!   its event or confirms it (CPP art. 429: what its author has personally seen);
//! - hiding only ever grows ([`masking`]);
//! - what is put aside is destroyed with its key at the agent's next act, and at the latest after [`SECONDS`]; until
//!   then, and only then, it can be taken back ([`dismissal`]);
//! - of two agents who decide at once, one does: the other is told.
//!
//! Leaves who may come here to `rights`, the words of motives to its callers' cells, infraction files to `infraction`.

pub mod dismissal;
pub mod masking;

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::json;

use super::cell::Cell;
use super::events::{self, Event, Frame, NotAWord, State};
use crate::frame::{BoxTime, Digest, EventId};
use crate::redact;
use crate::vault::certificate::DISMISSALS;
use crate::vault::store::{self, Tx};
use crate::vault::{Entry, Kind, seal, signed};
pub use dismissal::SECONDS;

/// The tables of this module.
pub const SCHEMA: &str = include_str!("schema.sql");
/// What [`SCHEMA`] makes.
pub const OBJECTS: [&str; 3] = ["opening", "viewed", "opening_by_account"];

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The index of events.
    #[error(transparent)]
    Event(#[from] events::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A certificate cannot be signed.
    #[error(transparent)]
    Certificate(#[from] signed::Error),
    /// A frame cannot be masked more.
    #[error(transparent)]
    Redact(#[from] redact::Error),
    /// A frame that was masked more cannot be sealed.
    #[error(transparent)]
    Seal(#[from] seal::Error),
    /// This account has not opened the event in this session.
    #[error("the event {0} was not opened by this account")]
    NotOpened(EventId),
    /// This account has not seen what it wants to decide on.
    #[error("this account has seen no image of the event {0} at full size")]
    NotSeen(EventId),
    /// Plates of several vehicles are shown.
    #[error("more than one plate is shown in this frame of the event {0}")]
    PlatesShown(EventId),
    /// The event is an infraction file's: its images follow that.
    #[error("the event {0} belongs to an infraction file")]
    InAFile(EventId),
    /// A hold stands on the event: an authority's, or for the exercise of a right.
    #[error("a hold stands on the event {0}")]
    Held(EventId),
    /// Nothing of this account's can be taken back.
    #[error("nothing is left to be taken back")]
    NothingToTakeBack,
    /// Nothing of the frame would be hidden.
    #[error("no part of the frame is to be hidden")]
    NothingToHide,
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Why an event is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Motive {
    /// Looking through what the boxes brought.
    Review,
    /// Work on an infraction file.
    Infraction,
    /// A person's right: access, rectification, erasure.
    Rights,
    /// A request of a court or the police.
    Authority,
    /// The chef de service's control.
    Control,
}

impl Motive {
    /// All of them, in the order of the list on screen.
    pub const ALL: [Self; 5] = [
        Self::Review,
        Self::Infraction,
        Self::Rights,
        Self::Authority,
        Self::Control,
    ];

    /// The stable word, as the journal has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Review => "review",
            Self::Infraction => "infraction",
            Self::Rights => "rights",
            Self::Authority => "authority",
            Self::Control => "control",
        }
    }

    /// As it stands on screen.
    pub const fn french(self) -> &'static str {
        match self {
            Self::Review => "Examen des images relevées",
            Self::Infraction => "Instruction d'un dossier d'infraction",
            Self::Rights => "Exercice d'un droit par une personne",
            Self::Authority => "Réquisition ou demande d'une autorité",
            Self::Control => "Contrôle interne",
        }
    }
}

impl fmt::Display for Motive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Motive {
    type Err = NotAWord;
    fn from_str(word: &str) -> Result<Self, NotAWord> {
        let found = Self::ALL.into_iter().find(|motive| motive.as_str() == word);
        found.ok_or(NotAWord)
    }
}

/// Why an event is put aside: a word of [`DISMISSALS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dismissal(usize);

impl Dismissal {
    /// All of them, in the order of the list on screen.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..DISMISSALS.len()).map(Self)
    }

    /// The stable word.
    pub fn as_str(self) -> &'static str {
        DISMISSALS[self.0].0
    }

    /// As it stands on screen.
    pub fn french(self) -> &'static str {
        DISMISSALS[self.0].1
    }
}

impl FromStr for Dismissal {
    type Err = NotAWord;
    fn from_str(word: &str) -> Result<Self, NotAWord> {
        Self::all()
            .find(|dismissal| dismissal.as_str() == word)
            .ok_or(NotAWord)
    }
}

/// Who acts, since when this session lasts, and when it is now.
#[derive(Debug, Clone, Copy)]
pub struct Agent<'a> {
    /// The account, opaque.
    pub account: &'a str,
    /// When the session began.
    pub since: BoxTime,
    /// Now.
    pub now: BoxTime,
}

/// Opens an event: from now on its images may be shown to this agent, in this session.
pub fn open(
    tx: &mut Tx<'_>,
    agent: Agent<'_>,
    id: EventId,
    motive: Motive,
    words: Option<&Cell>,
) -> Result<(), Error> {
    let event = Event::there(tx.raw(), id)?;
    let frames: Vec<Digest> = Frame::all(tx.raw(), id)?
        .iter()
        .map(|frame| frame.sha256)
        .collect();
    let (event_text, now) = (id.to_string(), agent.now.to_string());
    tx.raw().execute(
        "INSERT OR REPLACE INTO opening (event, account, opened, motive, words_key, words) VALUES (?, ?, ?, ?, ?, ?)",
        params![
            event_text,
            agent.account,
            now,
            motive.as_str(),
            words.map(|cell| &cell.wrapped),
            words.map(|cell| &cell.body),
        ],
    )?;
    let seen = match event.state {
        State::New => State::Seen,
        other => other,
    };
    tx.raw().execute(
        "UPDATE event SET state = ?, open_by = ?, open_since = ? WHERE id = ?",
        params![seen.as_str(), agent.account, now, event_text],
    )?;
    let mut body = json!({
        "account": agent.account,
        "event": id,
        "frames": frames,
        "motive": motive.as_str(),
    });
    if words.is_some() {
        body["words"] = json!(true);
    }
    let kind = Kind::Consulted;
    Ok(tx.journal(agent.now, &Entry { kind, body })?)
}

/// The row of the cell that an opening's words are sealed in.
pub fn words_row(event: EventId, account: &str, now: BoxTime) -> String {
    format!("{event} {account} {now}")
}

/// When this agent opened the event in this session, and why; the last time.
pub fn opened(sql: &Connection, agent: Agent<'_>, id: EventId) -> Result<Option<(BoxTime, Motive)>, Error> {
    let mut query = sql.prepare_cached(
        "SELECT opened, motive FROM opening WHERE event = ? AND account = ? AND opened >= ?
         ORDER BY opened DESC LIMIT 1",
    )?;
    let row = query.query_row(
        params![id.to_string(), agent.account, agent.since.to_string()],
        |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)),
    );
    let Some((opened, motive)) = row.optional()? else {
        return Ok(None);
    };
    Ok(Some((BoxTime(events::read(&opened)?), events::read(&motive)?)))
}

/// The same, or an error.
fn must_be_open(sql: &Connection, agent: Agent<'_>, id: EventId) -> Result<BoxTime, Error> {
    let (opened, _) = opened(sql, agent, id)?.ok_or(Error::NotOpened(id))?;
    Ok(opened)
}

/// Puts on record that this image is shown to this agent at full size; once for each opening.
pub fn view(tx: &mut Tx<'_>, agent: Agent<'_>, id: EventId, frame: &Frame) -> Result<(), Error> {
    let opened = must_be_open(tx.raw(), agent, id)?;
    let here = Frame::find(tx.raw(), id, frame.place)?;
    if here.is_none_or(|here| here.sha256 != frame.sha256) {
        return Err(events::Error::Changed(id).into());
    }
    let new = tx.raw().execute(
        "INSERT OR IGNORE INTO viewed (event, sha256, account, opened, time) VALUES (?, ?, ?, ?, ?)",
        params![
            id.to_string(),
            frame.sha256.to_string(),
            agent.account,
            opened.to_string(),
            agent.now.to_string()
        ],
    )?;
    if new == 0 {
        return Ok(());
    }
    let body = json!({
        "account": agent.account,
        "event": id,
        "frame": frame.place,
        "sha256": frame.sha256,
    });
    let kind = Kind::Viewed;
    Ok(tx.journal(agent.now, &Entry { kind, body })?)
}

/// Which of an event's images, as they are now, this account has seen at full size.
pub fn seen_by(sql: &Connection, account: &str, id: EventId) -> Result<Vec<Digest>, Error> {
    let mut query = sql.prepare_cached(
        "SELECT DISTINCT event_frame.place, event_frame.sha256 FROM event_frame
         JOIN viewed ON viewed.event = event_frame.event AND viewed.sha256 = event_frame.sha256
         WHERE event_frame.event = ? AND viewed.account = ? ORDER BY event_frame.place",
    )?;
    let rows = query.query_map(params![id.to_string(), account], |row| row.get::<_, String>(1))?;
    rows.map(|digest| Ok(events::read(&digest?)?)).collect()
}

/// Everybody who has seen an image as it is now, each with the first time.
pub fn viewers(sql: &Connection, id: EventId, sha256: Digest) -> Result<Vec<(String, BoxTime)>, Error> {
    let mut query = sql.prepare_cached(
        "SELECT account, min(time) FROM viewed WHERE event = ? AND sha256 = ? GROUP BY account ORDER BY 2, 1",
    )?;
    let rows = query.query_map(params![id.to_string(), sha256.to_string()], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    })?;
    rows.map(|row| {
        let (account, time) = row?;
        Ok((account, BoxTime(events::read(&time)?)))
    })
    .collect()
}

/// Keeps an event: of its images this agent must have seen one at least.
pub fn retain(tx: &mut Tx<'_>, agent: Agent<'_>, id: EventId, version: u32) -> Result<(), Error> {
    let event = Event::at_version(tx.raw(), id, version)?;
    must_be_open(tx.raw(), agent, id)?;
    if !matches!(event.state, State::New | State::Seen) {
        return Err(events::Error::Changed(id).into());
    }
    let seen = seen_by(tx.raw(), agent.account, id)?;
    if seen.is_empty() {
        return Err(Error::NotSeen(id));
    }
    decided(tx, agent, id, State::Retained, None)?;
    let body = json!({"account": agent.account, "event": id, "frames": seen});
    let kind = Kind::Retained;
    Ok(tx.journal(agent.now, &Entry { kind, body })?)
}

fn decided(
    tx: &Tx<'_>,
    agent: Agent<'_>,
    id: EventId,
    state: State,
    motive: Option<Dismissal>,
) -> Result<(), Error> {
    tx.raw().execute(
        "UPDATE event SET state = ?, version = version + 1, decided_by = ?, decided = ?, motive = ?,
             open_by = NULL, open_since = NULL WHERE id = ?",
        params![
            state.as_str(),
            agent.account,
            agent.now.to_string(),
            motive.map(Dismissal::as_str),
            id.to_string()
        ],
    )?;
    Ok(())
}

/// This agent's last decision that destroyed nothing yet: which event, what was decided, when.
pub fn revocable(sql: &Connection, agent: Agent<'_>) -> Result<Option<(EventId, State, BoxTime)>, Error> {
    let mut last = sql.prepare_cached(
        "SELECT id, state, decided FROM event WHERE decided_by = ?1 AND decided >= ?2
         AND state IN ('aside', 'retained') AND file IS NULL
         ORDER BY state = 'aside' DESC, decided DESC, id LIMIT 1",
    )?;
    let row = last.query_row(params![agent.account, agent.since.to_string()], |row| {
        Ok([row.get::<_, String>(0)?, row.get(1)?, row.get(2)?])
    });
    let Some([id, state, at]) = row.optional()? else {
        return Ok(None);
    };
    Ok(Some((
        events::read(&id)?,
        events::read(&state)?,
        BoxTime(events::read(&at)?),
    )))
}

/// The motive for which this agent opened an event last in this session.
pub fn last_motive(sql: &Connection, agent: Agent<'_>) -> Result<Option<Motive>, Error> {
    let mut query = sql.prepare_cached(
        "SELECT motive FROM opening WHERE account = ? AND opened >= ? ORDER BY opened DESC LIMIT 1",
    )?;
    let row = query.query_row(params![agent.account, agent.since.to_string()], |row| {
        row.get::<_, String>(0)
    });
    Ok(row.optional()?.as_deref().map(events::read).transpose()?)
}

/// Who else opened the event within the last quarter of an hour, and when: they may be about to decide.
pub fn others_at(sql: &Connection, agent: Agent<'_>, id: EventId) -> Result<Vec<(String, BoxTime)>, Error> {
    let recently = agent.now.0.checked_sub(SignedDuration::from_mins(15));
    let recently = recently.map_or(agent.now, BoxTime).to_string();
    let mut query = sql.prepare_cached(
        "SELECT account, max(opened) FROM opening WHERE event = ? AND account <> ? AND opened >= ?
         GROUP BY account ORDER BY 2",
    )?;
    let rows = query.query_map(params![id.to_string(), agent.account, recently], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
    })?;
    rows.map(|row| {
        let (account, at) = row?;
        Ok((account, BoxTime(events::read(&at)?)))
    })
    .collect()
}

/// Takes back this agent's last decision, if it has destroyed nothing: what was put aside a moment ago, or retained
/// in this session and is no infraction file yet. Which event that was.
pub fn take_back(tx: &mut Tx<'_>, agent: Agent<'_>) -> Result<EventId, Error> {
    let (id, was, _) = revocable(tx.raw(), agent)?.ok_or(Error::NothingToTakeBack)?;
    tx.raw().execute(
        "UPDATE event SET state = 'seen', version = version + 1, decided_by = NULL, decided = NULL, motive = NULL
         WHERE id = ?",
        [id.to_string()],
    )?;
    let body = json!({"account": agent.account, "event": id, "was": was.as_str()});
    let kind = Kind::TakenBack;
    tx.journal(agent.now, &Entry { kind, body })?;
    Ok(id)
}

/// Confirms that a frame may leave the desk as it is: this agent has seen it so, and it shows the plate of no more
/// than one vehicle. `one_plate` is [`masking::shows_one_plate`] of its manifest.
pub fn confirm(
    tx: &mut Tx<'_>,
    agent: Agent<'_>,
    id: EventId,
    version: u32,
    frame: &Frame,
    one_plate: bool,
) -> Result<(), Error> {
    let event = Event::at_version(tx.raw(), id, version)?;
    if event.state == State::Aside {
        return Err(events::Error::Changed(id).into());
    }
    must_be_open(tx.raw(), agent, id)?;
    if !seen_by(tx.raw(), agent.account, id)?.contains(&frame.sha256) {
        return Err(Error::NotSeen(id));
    }
    if !one_plate {
        return Err(Error::PlatesShown(id));
    }
    tx.raw().execute(
        "UPDATE event_frame SET confirmed_by = ?, confirmed = ? WHERE event = ? AND place = ? AND sha256 = ?",
        params![
            agent.account,
            agent.now.to_string(),
            id.to_string(),
            frame.place,
            frame.sha256.to_string()
        ],
    )?;
    tx.raw().execute(
        "UPDATE event SET version = version + 1 WHERE id = ?",
        [id.to_string()],
    )?;
    let body = json!({
        "account": agent.account,
        "event": id,
        "frame": frame.place,
        "sha256": frame.sha256,
    });
    let kind = Kind::Confirmed;
    Ok(tx.journal(agent.now, &Entry { kind, body })?)
}
