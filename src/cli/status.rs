//! `vigie status`: how the box is doing, read from the vault without disturbing who writes to it.

use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use serde::Serialize;

use super::{Arguments, Exit, Failure, Lang, box_time, equipment, json_line, keys, line};
use crate::config::{self, Mode};
use crate::frame::{BoxTime, Digest, EventId};
use crate::transfer::{out, returning};
use crate::trap::ledger::Ledger;
use crate::trap::recipients;
use crate::trap::terms::{self, Terms};
use crate::trap::wiping;
use crate::triage::deadlines::{Due, Mark, due};
use crate::vault::journal::Head;
use crate::vault::keys::ring;
use crate::vault::store::{self, HEAD_ROOM, Room};
use crate::vault::{Epoch, Fingerprint};

/// Below this, soon no event will fit.
const LITTLE_ROOM: Room = Room {
    bytes: 4 * HEAD_ROOM.bytes,
    files: 4 * HEAD_ROOM.files,
};

#[derive(Serialize)]
struct Status {
    mode: &'static str,
    trial_ends: Option<jiff::civil::Date>,
    cameras: Vec<CameraStatus>,
    events: Vec<Event>,
    journal_lines: u64,
    journal_head: Option<String>,
    wipe_due: Option<jiff::civil::Date>,
    wipe_overdue: bool,
    #[serde(skip)]
    wipe_in_part: bool,
    free_bytes: Option<u64>,
    free_files: Option<u64>,
    keys: Keys,
    last_bundle: Option<u64>,
    last_return: Option<u64>,
    degraded: Vec<Concern>,
}

/// To whom the box seals.
#[derive(Serialize, Default)]
struct Keys {
    quarters: Vec<Epoch>,
    sealing_to: Vec<keys::Key>,
    revoked: Vec<Fingerprint>,
}

#[derive(Serialize)]
struct CameraStatus {
    id: String,
    site: String,
    card_there: bool,
    held: u64,
    waiting_for_erasure: u64,
    gone: u64,
    left: u64,
}

#[derive(Serialize)]
struct Event {
    event: EventId,
    items: u64,
    sealed: String,
}

/// Why the box is not as it should be.
#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Concern {
    NoVaultYet,
    CardAbsent,
    FilesLeft,
    TrialOver,
    RegimeNotInForce,
    WipeOverdue,
    WipeInPart,
    LittleRoom,
    StoreFull,
    NoReturnFile,
    #[serde(untagged)]
    Keys(ring::Concern),
}

impl Concern {
    fn told(self, lang: Lang) -> &'static str {
        match self {
            Self::NoVaultYet => lang.pick("no frame was taken yet", "aucune image traitée pour l'instant"),
            Self::CardAbsent => lang.pick("a card is not there", "une carte est absente"),
            Self::FilesLeft => lang.pick(
                "files on a card cannot be taken",
                "des fichiers d'une carte sont inutilisables",
            ),
            Self::TrialOver => lang.pick(
                "the trial is over: set mode = \"enforce\"",
                "l'essai est terminé : passez à mode = \"enforce\"",
            ),
            Self::RegimeNotInForce => lang.pick(
                "a camera's legal regime is not in force today",
                "le régime juridique d'une caméra n'est pas en vigueur aujourd'hui",
            ),
            Self::WipeOverdue => lang.pick(
                "the card's wipe is overdue",
                "le vidage de la carte est en retard",
            ),
            Self::WipeInPart => lang.pick(
                "a card could not be wiped whole: destroy it",
                "une carte n'a pu être vidée entièrement : détruisez-la",
            ),
            Self::LittleRoom => lang.pick("little room on the disk", "peu de place sur le disque"),
            Self::StoreFull => lang.pick(
                "the disk is full: frames stay on the card until there is room",
                "le disque est plein : les images restent sur la carte tant qu'il n'y a pas de place",
            ),
            Self::NoReturnFile => lang.pick(
                "frames are not erased: no return file has shown yet that the service opens what this box sealed (vigie transfer out)",
                "des images ne sont pas effacées : aucun fichier de retour n'a encore montré que le service ouvre ce que ce boîtier a scellé (vigie transfer out)",
            ),
            Self::Keys(concern) => keys::told(concern, lang),
        }
    }
}

pub fn run(a: &Arguments, lang: Lang) -> Result<Exit, Failure> {
    let config = equipment::config(a)?;
    let status = status(&config, box_time())?;
    if a.json {
        json_line(&status);
    } else {
        tell(&status, lang);
    }
    Ok(Exit::Done)
}

fn status(config: &config::Trap, now: BoxTime) -> Result<Status, Failure> {
    let today = now.0.to_zoned(TimeZone::UTC).date();
    let room = room(&config.store);
    let mut status = Status {
        mode: match config.mode {
            Mode::Trial { .. } => "trial",
            Mode::Enforce => "enforce",
        },
        trial_ends: match config.mode {
            Mode::Trial { until, .. } => Some(until),
            Mode::Enforce => None,
        },
        cameras: Vec::new(),
        events: Vec::new(),
        journal_lines: 0,
        journal_head: None,
        wipe_due: None,
        wipe_overdue: false,
        wipe_in_part: false,
        free_bytes: room.map(|room| room.bytes),
        free_files: room.map(|room| room.files).filter(|files| *files != u64::MAX),
        keys: Keys::default(),
        last_bundle: None,
        last_return: None,
        degraded: Vec::new(),
    };
    let db = reading(&config.store)?;
    for camera in &config.cameras {
        let [held, decided, erasing, gone] = match &db {
            Some(db) => Ledger::of(db, &camera.id).counts().unwrap_or_default(),
            None => [0; 4],
        };
        let left = db
            .as_ref()
            .and_then(|db| Ledger::of(db, &camera.id).left_count().ok());
        status.cameras.push(CameraStatus {
            id: camera.id.to_string(),
            site: camera.site.clone(),
            card_there: camera.card.is_dir(),
            held,
            waiting_for_erasure: decided + erasing,
            gone,
            left: left.unwrap_or(0),
        });
    }
    if let Some(db) = &db {
        read_vault(db, config, now, &mut status)?;
    }
    let concerns = [
        (db.is_none(), Concern::NoVaultYet),
        (status.cameras.iter().any(|c| !c.card_there), Concern::CardAbsent),
        (status.cameras.iter().any(|c| c.left > 0), Concern::FilesLeft),
        (config.mode.trial_is_over(today), Concern::TrialOver),
        (
            config.cameras.iter().any(|c| !c.regime.covers(today)),
            Concern::RegimeNotInForce,
        ),
        (status.wipe_overdue, Concern::WipeOverdue),
        (status.wipe_in_part, Concern::WipeInPart),
        (
            room.is_some_and(|room| room.holds(HEAD_ROOM) && !room.holds(LITTLE_ROOM)),
            Concern::LittleRoom,
        ),
        (
            room.is_some_and(|room| !room.holds(HEAD_ROOM)),
            Concern::StoreFull,
        ),
    ];
    status.degraded.extend(
        concerns
            .into_iter()
            .filter(|(so, _)| *so)
            .map(|(_, concern)| concern),
    );
    read_keys(config, db.as_ref(), now, &mut status);
    Ok(status)
}

/// Keys that cannot be read are told like any other trouble: everything else is still worth knowing.
fn read_keys(config: &config::Trap, db: Option<&Connection>, now: BoxTime, status: &mut Status) {
    let ring = match recipients::read(config) {
        Ok(ring) => ring,
        Err(trouble) => {
            tracing::warn!(%trouble, "no key to seal to");
            status.degraded.push(Concern::Keys(ring::Concern::NoRecipient));
            return;
        }
    };
    for trouble in ring.oddities() {
        tracing::warn!(%trouble, "a file among the recipients has no effect");
    }
    let sealing = db.and_then(|db| terms::sealing_time(db, now).ok()).unwrap_or(now);
    let sealing_to = ring.choose(sealing).recipients;
    let proven = |db: &Connection| -> rusqlite::Result<bool> {
        let mut proven = returning::proven(db, &sealing_to)?;
        for camera in &config.cameras {
            for event in Ledger::of(db, &camera.id).waiting_events()? {
                proven &= returning::event_proven(db, &config.store, event)?;
            }
        }
        Ok(proven)
    };
    if config.mode == Mode::Enforce && !db.is_some_and(|db| proven(db).unwrap_or(false)) {
        status.degraded.push(Concern::NoReturnFile);
    }
    status.keys = Keys {
        quarters: ring.quarters().into_iter().collect(),
        sealing_to: sealing_to.iter().map(keys::Key::of).collect(),
        revoked: ring.revoked().collect(),
    };
    status
        .degraded
        .extend(ring.concerns(now).into_iter().map(Concern::Keys));
}

/// The vault's database, for reading only; `None` where there is none yet.
pub(super) fn reading(store: &Path) -> Result<Option<Connection>, Failure> {
    let path = store.join(store::DATABASE);
    if !path.exists() {
        return Ok(None);
    }
    // Without a write-ahead log nobody writes, and SQLite must be told so, or it would make one to read.
    let quiet = !store.join(format!("{}-wal", store::DATABASE)).exists();
    let uri = format!(
        "file:{}?mode=ro{}",
        escaped(&path),
        if quiet { "&immutable=1" } else { "" }
    );
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(uri, flags)
        .map(Some)
        .map_err(|e| store::Error::from(e).into())
}

/// What SQLite's URIs give a meaning to (sqlite.org/uri.html §3.1).
fn escaped(path: &Path) -> String {
    path.to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23")
}

fn read_vault(
    db: &Connection,
    config: &config::Trap,
    now: BoxTime,
    status: &mut Status,
) -> Result<(), Failure> {
    let events = || -> rusqlite::Result<Vec<Event>> {
        let mut query = db.prepare(
            "SELECT item.event, COUNT(*), MIN(journal.time) FROM item JOIN journal ON journal.seq = item.line
             GROUP BY item.event ORDER BY MIN(item.line)",
        )?;
        let rows = query.query_map([], |row| {
            let event: String = row.get(0)?;
            let event = event.parse().map_err(|e: crate::frame::Error| {
                rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, e.into())
            })?;
            Ok(Event {
                event,
                items: row.get(1)?,
                sealed: row.get(2)?,
            })
        })?;
        rows.collect()
    };
    status.events = events().map_err(store::Error::from)?;
    let (lines, first): (u64, Option<String>) = db
        .query_row("SELECT COUNT(*), MIN(time) FROM journal", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .map_err(store::Error::from)?;
    status.journal_lines = lines;
    status.last_bundle = out::last_number(db).map_err(store::Error::from)?;
    status.last_return = returning::last(db)?.map(|last| last.number);
    status.journal_head = db
        .query_row("SELECT seq, hash FROM head", [], |row| {
            Ok(Head {
                seq: row.get(0)?,
                hash: Digest::from_bytes(row.get(1)?),
            })
        })
        .optional()
        .map_err(store::Error::from)?
        .map(|head| head.to_string());
    let first = first.and_then(|time| time.parse().ok()).map(BoxTime);
    for camera in &config.cameras {
        read_wipe(db, config, camera, first, now, status);
    }
    Ok(())
}

/// When a camera's card must be wiped: counted from its last wipe or first use, and in a vault that knows neither yet
/// from its `first` line.
fn read_wipe(
    db: &Connection,
    config: &config::Trap,
    camera: &config::Camera,
    first: Option<BoxTime>,
    now: BoxTime,
    status: &mut Status,
) {
    // A vault of an earlier version has no such tables.
    let term = Terms::of(db, &camera.id).wipe().ok().flatten();
    let mark = terms::mark(db, now)
        .unwrap_or_else(|_| Mark::new(now))
        .look(now, Duration::ZERO);
    status.wipe_in_part |= term.as_ref().is_some_and(|term| !term.whole);
    let Some(since) = term.map(|term| term.since).or(first) else {
        return;
    };
    let period: Duration = config.wipe_period.into();
    status.wipe_overdue |= due(since, mark, period) == Due::Now;
    let day = wiping::later(since, period).0.to_zoned(TimeZone::UTC).date();
    status.wipe_due = Some(status.wipe_due.map_or(day, |before| before.min(day)));
}

fn room(store: &Path) -> Option<Room> {
    let there = store.ancestors().find(|folder| folder.exists())?;
    Room::of(there).ok()
}

fn tell(status: &Status, lang: Lang) {
    let colon = lang.pick(":", " :");
    match status.trial_ends {
        Some(until) => line(&lang.pick(
            format!("TRIAL MODE until {until}: nothing is erased"),
            format!("MODE ESSAI jusqu'au {until} : rien n'est effacé"),
        )),
        None => line(lang.pick("mode: enforce", "mode : effacement en vigueur")),
    }
    for camera in &status.cameras {
        let card = match camera.card_there {
            true => lang.pick("card there", "carte présente"),
            false => lang.pick("no card", "pas de carte"),
        };
        line(&format!("{} ({}){colon} {card}", camera.id, camera.site));
        let row = |english, french, value: u64| {
            line(&format!("  {:<34}{value}", lang.pick(english, french)));
        };
        row("taken and gone", "traitées et effacées", camera.gone);
        row(
            "waiting for their event",
            "en attente de leur événement",
            camera.held,
        );
        row(
            "decided, still on the card",
            "décidées, encore sur la carte",
            camera.waiting_for_erasure,
        );
        row(
            "files that cannot be taken",
            "fichiers inutilisables",
            camera.left,
        );
    }
    let events = lang.count(
        status.events.len() as u64,
        ["sealed event", "sealed events"],
        ["événement scellé", "événements scellés"],
    );
    line(&format!(
        "{events}, {}",
        lang.count(
            status.journal_lines,
            ["journal line", "journal lines"],
            ["ligne de journal", "lignes de journal"]
        )
    ));
    if let Some(head) = &status.journal_head {
        line(&format!(
            "{}{colon} {head}",
            lang.pick("the journal's head", "dernière ligne du journal")
        ));
    }
    for event in &status.events {
        let items = lang.count(event.items, ["item", "items"], ["élément", "éléments"]);
        line(&format!("  {}  {}  {items}", event.event, event.sealed));
    }
    let quarters: Vec<_> = status.keys.quarters.iter().map(Epoch::to_string).collect();
    line(&format!(
        "{}{colon} {}",
        lang.pick("keys to seal to, by quarter", "clés de scellement, par trimestre"),
        if quarters.is_empty() {
            "-".to_owned()
        } else {
            quarters.join(", ")
        }
    ));
    for key in &status.keys.sealing_to {
        line(&format!("  {}", key.told(lang)));
    }
    if let Some(due) = status.wipe_due {
        line(&format!(
            "{}{colon} {due}",
            lang.pick("next wipe of the card by", "prochain vidage de la carte avant le")
        ));
    }
    for concern in &status.degraded {
        line(&format!("! {}", concern.told(lang)));
    }
}
