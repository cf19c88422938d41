//! Events as the desk knows them: an index of what the bundles brought, which shows nothing.
//!
//! Promises: a row says what may be said in clear: ids, camera, site, regime, times, counts, states; neither a
//! plate nor a picture nor a word of anybody's. Each event that is in the store has one row, made when it came or,
//! where that was cut off, the next time that somebody who can open it asks ([`index`]). The row outlives the event:
//! of what was destroyed it says that it was, so that whoever asks for a place and an hour can be answered
//! (CSI art. L.253-5). A row's state changes only by the version at which it was read. Leaves who may do what to
//! `rights`, deciding to `review`, and terms of what is kept to `retention`.

pub mod frames;
pub mod index;
pub mod list;
pub mod terms;

use std::fmt;
use std::str::FromStr;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::frame::{BoxTime, CameraId, CameraTime, EventId};
use crate::transfer;
use crate::vault::certificate::Regime;
use crate::vault::store::{self, Tx};
use crate::vault::{DeviceId, seal};
use crate::vision::Light;
pub use frames::{Frame, Items};
pub use terms::{Clock, Terms};

/// The tables of this module.
pub const SCHEMA: &str = include_str!("schema.sql");
/// What [`SCHEMA`] makes.
pub const OBJECTS: [&str; 6] = [
    "event",
    "event_by_facts",
    "event_aside",
    "event_by_agent",
    "event_by_file",
    "event_frame",
];
/// The first number of an item that the desk seals itself; a box never comes near.
pub const FIRST_OWN_ITEM: u32 = 1_000_000;

/// Why nothing is known of an event, or nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The desk's own records of what came.
    #[error(transparent)]
    Desk(#[from] transfer::Error),
    /// An item does not open.
    #[error("item {item} of event {event} does not open: {source}")]
    Seal {
        /// Whose.
        event: EventId,
        /// Its number.
        item: u32,
        /// Why.
        source: seal::Error,
    },
    /// An item holds something else than it must.
    #[error("item {item} of event {event}: {what}")]
    Content {
        /// Whose.
        event: EventId,
        /// Its number.
        item: u32,
        /// What is wrong.
        what: String,
    },
    /// Nobody who is logged in holds a key of this event.
    #[error("no key at hand opens the event {0}")]
    NoKey(EventId),
    /// There is no such event, or it was destroyed.
    #[error("there is no event {0}")]
    NotThere(EventId),
    /// Somebody else changed it since it was shown.
    #[error("the event {0} was changed meanwhile")]
    Changed(EventId),
    /// The index holds what this program never writes.
    #[error("the index of events is damaged: {0}")]
    Damaged(String),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// How far an event has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Nobody has opened it.
    New,
    /// Somebody has, and nobody has decided.
    Seen,
    /// An agent put it aside, and may take that back for a moment.
    Aside,
    /// An agent keeps it: it may become an infraction file.
    Retained,
    /// It was put aside: it is destroyed.
    Discarded,
    /// Its term was over: it is destroyed.
    Expired,
}

impl State {
    /// All of them, in the order in which an event goes through them.
    pub const ALL: [Self; 6] = [
        Self::New,
        Self::Seen,
        Self::Aside,
        Self::Retained,
        Self::Discarded,
        Self::Expired,
    ];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Seen => "seen",
            Self::Aside => "aside",
            Self::Retained => "retained",
            Self::Discarded => "discarded",
            Self::Expired => "expired",
        }
    }

    /// Whether its images are there.
    pub const fn is_there(self) -> bool {
        matches!(self, Self::New | Self::Seen | Self::Aside | Self::Retained)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is no word of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is none of the words that stand here")]
pub struct NotAWord;

impl FromStr for State {
    type Err = NotAWord;
    fn from_str(word: &str) -> Result<Self, NotAWord> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == word);
        found.ok_or(NotAWord)
    }
}

/// Day or night, as it is written.
pub(super) const fn light_word(light: Light) -> &'static str {
    match light {
        Light::Day => "day",
        Light::Night => "night",
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its name.
    pub id: EventId,
    /// The box that sealed it.
    pub device: DeviceId,
    /// The camera that took it.
    pub camera: CameraId,
    /// Where that stands, in words.
    pub site: String,
    /// The legal ground that the city states for it.
    pub regime: Regime,
    /// The first and the last moment by the camera's corrected clock.
    pub taken: Option<[CameraTime; 2]>,
    /// Seconds that were added to the camera's clock.
    pub correction: i64,
    /// When the box first saw it.
    pub arrived: BoxTime,
    /// The moment from which its terms count.
    pub facts: BoxTime,
    /// By which clock that is.
    pub facts_by: Clock,
    /// By day or by night.
    pub light: Light,
    /// How many frames it has.
    pub frames: u32,
    /// When it is destroyed at the latest, as long as it is no infraction file.
    pub due: BoxTime,
    /// How far it has come.
    pub state: State,
    /// How often it was changed.
    pub version: u32,
    /// The number of the next item that the desk seals of it.
    pub next_item: u32,
    /// Who decided, when, and with which coded motive.
    pub decision: Option<Decision>,
    /// The infraction file that it belongs to.
    pub file: Option<String>,
    /// Who opened it last, and when, if nobody has decided since.
    pub open: Option<(String, BoxTime)>,
}

/// An agent's decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The agent's account.
    pub account: String,
    /// When.
    pub at: BoxTime,
    /// The coded motive, of what was put aside.
    pub motive: Option<String>,
}

/// In the order in which [`Event::of_row`] reads them.
const COLUMNS: &str =
    "id, device, camera, site, regime, reference, first, last, correction, arrived, facts, facts_by,
    light, frames, due, state, version, next_item, decided_by, decided, motive, file, open_by, open_since";

impl Event {
    /// The event of this name, whatever has become of it.
    pub fn find(sql: &Connection, id: EventId) -> Result<Option<Self>, Error> {
        let mut query = sql.prepare_cached(&format!("SELECT {COLUMNS} FROM event WHERE id = ?"))?;
        let found = query.query_row([id.to_string()], |row| Ok(Self::of_row(row)));
        found.optional()?.transpose()
    }

    /// The event of this name, with its images.
    pub fn there(sql: &Connection, id: EventId) -> Result<Self, Error> {
        let found = Self::find(sql, id)?;
        found
            .filter(|event| event.state.is_there())
            .ok_or(Error::NotThere(id))
    }

    /// The same, if it still has this version.
    pub fn at_version(sql: &Connection, id: EventId, version: u32) -> Result<Self, Error> {
        let event = Self::there(sql, id)?;
        match event.version == version {
            true => Ok(event),
            false => Err(Error::Changed(id)),
        }
    }

    fn of_row(row: &Row<'_>) -> Result<Self, Error> {
        let text = |at| row.get::<_, String>(at);
        let maybe = |at| row.get::<_, Option<String>>(at);
        let taken = match (maybe(6)?, maybe(7)?) {
            (Some(first), Some(last)) => Some([read(&first)?, read(&last)?].map(CameraTime)),
            _ => None,
        };
        let decision = match (maybe(18)?, maybe(19)?) {
            (Some(account), Some(at)) => Some(Decision {
                account,
                at: BoxTime(read(&at)?),
                motive: maybe(20)?,
            }),
            _ => None,
        };
        let open = match (maybe(22)?, maybe(23)?) {
            (Some(account), Some(since)) => Some((account, BoxTime(read(&since)?))),
            _ => None,
        };
        Ok(Self {
            id: read(&text(0)?)?,
            device: DeviceId(read(&text(1)?)?),
            camera: read(&text(2)?)?,
            site: text(3)?,
            regime: Regime {
                kind: text(4)?,
                reference: text(5)?,
            },
            taken,
            correction: row.get(8)?,
            arrived: BoxTime(read(&text(9)?)?),
            facts: BoxTime(read(&text(10)?)?),
            facts_by: read(&text(11)?)?,
            light: match text(12)?.as_str() {
                "day" => Light::Day,
                _ => Light::Night,
            },
            frames: row.get(13)?,
            due: BoxTime(read(&text(14)?)?),
            state: read(&text(15)?)?,
            version: row.get(16)?,
            next_item: row.get(17)?,
            decision,
            file: maybe(21)?,
            open,
        })
    }

    /// Writes its row for the first time.
    fn insert(&self, tx: &Tx<'_>) -> Result<(), Error> {
        let places = vec!["?"; 18].join(", ");
        let insert = format!(
            "INSERT INTO event (id, device, camera, site, regime, reference, first, last, correction, arrived, facts,
             facts_by, light, frames, due, state, version, next_item) VALUES ({places})"
        );
        tx.raw().execute(
            &insert,
            params![
                self.id.to_string(),
                self.device.to_string(),
                self.camera.as_str(),
                self.site,
                self.regime.kind,
                self.regime.reference,
                self.taken.map(|taken| taken[0].to_string()),
                self.taken.map(|taken| taken[1].to_string()),
                self.correction,
                self.arrived.to_string(),
                self.facts.to_string(),
                self.facts_by.as_str(),
                light_word(self.light),
                self.frames,
                self.due.to_string(),
                self.state.as_str(),
                self.version,
                self.next_item,
            ],
        )?;
        Ok(())
    }
}

/// Gives an event over to an infraction file, or takes it back from one: as long as it has one, its images follow
/// that file's terms, and nobody puts them aside.
pub fn belongs_to(tx: &Tx<'_>, id: EventId, version: u32, file: Option<&str>) -> Result<(), Error> {
    let event = Event::at_version(tx.raw(), id, version)?;
    if event.state != State::Retained {
        return Err(Error::Changed(id));
    }
    let update = "UPDATE event SET file = ?, version = version + 1 WHERE id = ?";
    tx.raw().execute(update, params![file, id.to_string()])?;
    Ok(())
}

/// What the index has written itself.
pub(super) fn read<T: FromStr>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::Damaged(text.to_owned()))
}
