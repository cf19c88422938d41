//! The way back: the desk's signed return file, and what the box does with it.
//!
//! Promises:
//! - the box takes a return file only if its own desk signed it, for this box, with a number greater than any
//!   before, as the answer to a bundle that this box wrote, over a line of this box's journal;
//! - then, and only then, items are erased: exactly those that it names and whose SHA-256 is the one that it
//!   names, in the transaction that writes down that it was taken;
//! - a key counts as proven when the desk has opened a drill with it, or hands it out itself: as long as a
//!   key of the service to which the box seals is not proven, the box destroys no original ([`proven`]), and
//!   none of an event whose items were sealed to another that is not ([`event_proven`]);
//! - what the desk has erased meanwhile is answered as erased: the box erases it too, and nobody takes it
//!   again;
//! - a desk that was restored from a backup knows less than the box was answered: its order to resend, signed and
//!   numbered as every answer, lets the box tell its journal anew from the line that the desk has, and erases nothing.
//!
//! Leaves its orders to the trap.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::desk::{Desk, LastBundle};
use super::orders::Orders;
use super::out::prepare;
use super::{Error, Folder, LONGEST_DOCUMENT, Reason, Refusal, ReturnName, io_at};
use crate::frame::{BoxTime, Digest, EventId};
use crate::vault::durable::{UNFINISHED, sync_folder};
use crate::vault::item::{Header, ItemId};
use crate::vault::journal::{Head, genesis};
use crate::vault::keys::{Fingerprint, Role};
use crate::vault::signed::{self, Document};
use crate::vault::store::{Cause, ITEMS, Tx};
use crate::vault::{DeviceId, DevicePublic, Entry, Kind, Recipient, Store};

/// What the desk answers. Members in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Return {
    /// Which bundle it answers; none if the desk has taken none and orders to resend from the first line.
    pub answer: Option<Answer>,
    /// The desk.
    pub desk: DevicePublic,
    /// The box.
    pub device: DeviceId,
    /// The last line of the box's journal that the desk has.
    pub head: Head,
    /// Each item of the bundle.
    pub items: Vec<Acknowledged>,
    /// The desk's time.
    pub made: BoxTime,
    /// Counted by the desk for this box.
    pub number: u64,
    /// What the box is to do from now on.
    pub orders: Orders,
    /// The program's version.
    pub program: String,
    /// Public keys, as key files have them, to which it is to seal in this quarter and the coming ones.
    pub recipients: Vec<String>,
    /// Whether the box is to tell its journal anew from `head`, whatever it was answered before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resend: bool,
    /// Signed revocations.
    pub revocations: Vec<String>,
}

impl Document for Return {
    const TITLE: &'static str = "vigie return 1";
}

/// The bundle that is answered, and the proof that it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Its number.
    pub bundle: u64,
    /// SHA-256 of its contents document.
    pub contents: Digest,
    /// The drill's answer.
    pub drill: Digest,
    /// The key that opened it.
    pub opened_by: Fingerprint,
}

/// An item that the box need not keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledged {
    /// Its event.
    pub event: EventId,
    /// Its number.
    pub number: u32,
    /// SHA-256 of the file that the desk took.
    pub sha256: Digest,
    /// Where it is now.
    pub state: Stand,
}

/// Where an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stand {
    /// In the desk's store.
    Imported,
    /// Taken once, and erased since.
    Erased,
}

/// Writes the desk's answer to the last bundle of a box that it took.
pub fn write(desk: &mut Desk, device: DeviceId, target: &Path, now: BoxTime) -> Result<ReturnName, Error> {
    let Some(last) = desk.last_bundle(device)? else {
        let what = format!("no bundle of the box {device} was taken");
        return Err(Refusal::new(Reason::OtherDevice, what).into());
    };
    let number = desk
        .store
        .transaction(|tx| Ok::<_, Error>(next_number(tx, device)?))?;
    let answer = answer_to(desk, &last, number, now)?;
    signed_out(desk, &answer, target)
}

/// Orders a box to tell its journal anew, from the line that this desk has, and to bring all that is not answered since:
/// what the desk asks for that was restored from a backup. `by` is the account that asked, if one did.
pub fn order_resend(
    desk: &mut Desk,
    device: DeviceId,
    by: Option<&str>,
    target: &Path,
    now: BoxTime,
) -> Result<ReturnName, Error> {
    let Some(public) = desk.traps.get(&device).cloned() else {
        let what = format!("the box {device} is not enrolled at this desk");
        return Err(Refusal::new(Reason::UnknownSigner, what).into());
    };
    let last = desk.last_bundle(device)?;
    let head = desk.pinned(&public)?;
    let number = desk.store.transaction(|tx| {
        let number = next_number(tx, device)?;
        let body = json!({"account": by, "device": device, "from": head, "number": number});
        let kind = Kind::ResendOrdered;
        tx.journal(now, &Entry { kind, body })?;
        Ok::<_, Error>(number)
    })?;
    let order = Return {
        answer: last.as_ref().map(Answer::to),
        desk: desk.key.public().clone(),
        device,
        head,
        items: Vec::new(),
        made: now,
        number,
        orders: desk.orders.get(&device).cloned().unwrap_or_default(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        recipients: desk.to_seal_to(now),
        resend: true,
        revocations: desk.revocations.clone(),
    };
    signed_out(desk, &order, target)
}

/// By so much a restored desk's numbers of return files leap ahead: more than it can have given since its backup.
pub const LEAP: u64 = 10_000;

/// The next number of a return file for this box. A box that a restored desk does not know yet may have been answered by
/// the one that was lost.
fn next_number(tx: &Tx<'_>, device: DeviceId) -> rusqlite::Result<u64> {
    let next = "INSERT INTO trap (device, returned)
                VALUES (?1, 1 + ?2 * (SELECT count(*) FROM journal WHERE kind = ?3))
                ON CONFLICT (device) DO UPDATE SET returned = returned + 1 RETURNING returned";
    let values = params![device.to_string(), LEAP, Kind::Restored.as_str()];
    tx.raw().query_row(next, values, |row| row.get(0))
}

fn signed_out(desk: &Desk, given: &Return, target: &Path) -> Result<ReturnName, Error> {
    let text = signed::sign(given, &desk.key)?;
    let name = ReturnName {
        device: given.device,
        number: given.number,
    };
    write_alone(target, name, &text).map_err(io_at(target))?;
    Ok(name)
}

impl Answer {
    fn to(last: &LastBundle) -> Self {
        Self {
            bundle: last.contents.bundle,
            contents: signed::digest(&last.text),
            drill: last.drill,
            opened_by: last.opened_by,
        }
    }
}

fn answer_to(desk: &Desk, last: &LastBundle, number: u64, now: BoxTime) -> Result<Return, Error> {
    let contents = &last.contents;
    let mut items = Vec::with_capacity(contents.items.len());
    for item in &contents.items {
        items.push(Acknowledged {
            event: item.event,
            number: item.number,
            sha256: item.sha256,
            state: match desk.holds(item.id())? {
                true => Stand::Imported,
                false => Stand::Erased,
            },
        });
    }
    Ok(Return {
        answer: Some(Answer::to(last)),
        desk: desk.key.public().clone(),
        device: contents.device,
        head: contents.journal.head,
        items,
        made: now,
        number,
        orders: desk.orders.get(&contents.device).cloned().unwrap_or_default(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        recipients: desk.to_seal_to(now),
        resend: false,
        revocations: desk.revocations.clone(),
    })
}

/// Writes the file whole or not at all, and removes the earlier ones for the same box, which it stands for.
fn write_alone(target: &Path, name: ReturnName, text: &str) -> io::Result<()> {
    let left = format!("{UNFINISHED}vigie-return-{}-", name.device);
    for other in Folder::open(target)?.names()? {
        if other.starts_with(&left) {
            fs::remove_file(target.join(other))?;
        }
    }
    let unfinished = target.join(format!("{UNFINISHED}{name}"));
    // New, or a link that someone laid there would lead elsewhere.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    drop(file);
    fs::rename(&unfinished, target.join(name.to_string()))?;
    sync_folder(target)?;
    for other in Folder::open(target)?.names()? {
        let earlier = |other: ReturnName| other.device == name.device && other.number < name.number;
        if other.parse().is_ok_and(earlier) {
            fs::remove_file(target.join(other))?;
        }
    }
    Ok(())
}

/// What was taken from a return file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Its number.
    pub number: u64,
    /// Items that are no longer in the box's store.
    pub erased: u64,
    /// Items that it names and that are in the store with another content: they stay.
    pub kept: u64,
}

/// The latest return file for this box that lies in a folder.
pub fn find(on_stick: &Folder, device: DeviceId) -> Result<Option<ReturnName>, Error> {
    let names = on_stick.names().map_err(io_at(on_stick.path()))?;
    let found = names.iter().filter_map(|name| name.parse::<ReturnName>().ok());
    Ok(found.filter(|name| name.device == device).max())
}

/// Takes a return file: nothing if it is the one that was taken last. `carry_out` says whether its orders and
/// keys can be carried out, and makes ready what must be; it is asked when all else holds, before anything is
/// erased.
pub fn take(
    store: &mut Store,
    desk: &DevicePublic,
    on_stick: &Folder,
    name: ReturnName,
    now: BoxTime,
    carry_out: impl FnOnce(&Return) -> Result<(), Error>,
) -> Result<Option<Taken>, Error> {
    prepare(store)?;
    let text = on_stick
        .text(&name.to_string(), LONGEST_DOCUMENT)
        .map_err(|error| Refusal::new(Reason::Damaged, format!("{name}: {error}")))?;
    let last = last(store.sql())?;
    let given = match last_text(store.sql())? {
        Some(last) if last == text => return Ok(None),
        _ => read(&text, desk, store.device(), name, last.as_ref())?,
    };
    answers_us(&given, store)?;
    let keys = recipients(&given)?;
    carry_out(&given)?;
    let taken = store.transaction(|tx| commit(tx, &given, &text, &keys, now))?;
    Ok(Some(taken))
}

/// Who signed it, for whom, and whether it is new. Pure.
fn read(
    text: &str,
    desk: &DevicePublic,
    device: DeviceId,
    name: ReturnName,
    last: Option<&Return>,
) -> Result<Return, Refusal> {
    let refuse = |reason, what: String| Err(Refusal::new(reason, format!("{name}: {what}")));
    let given: Return = match signed::read(text, desk, "this box's desk") {
        Ok(given) => given,
        Err(error @ signed::Error::Signature(_)) => return refuse(Reason::UnknownSigner, error.to_string()),
        Err(error) => return refuse(Reason::Damaged, error.to_string()),
    };
    if given.device != device {
        return refuse(Reason::OtherDevice, format!("it is for the box {}", given.device));
    }
    if given.desk != *desk {
        return refuse(Reason::UnknownSigner, "it names another desk".to_owned());
    }
    if given.number != name.number {
        return refuse(
            Reason::Damaged,
            format!("this is number {}, under another name", given.number),
        );
    }
    if let Some(last) = last.filter(|last| given.number <= last.number) {
        return refuse(
            Reason::Replay,
            format!("number {} was taken already", last.number),
        );
    }
    if given.resend && !given.items.is_empty() {
        return refuse(
            Reason::Damaged,
            "an order to resend answers for no item".to_owned(),
        );
    }
    if let Some(last) = last.filter(|last| given.head.seq < last.head.seq && !given.resend) {
        let what = format!("the desk knew line {} of the journal before", last.head.seq);
        return refuse(Reason::Replay, what);
    }
    Ok(given)
}

/// Whether it answers what this box wrote.
fn answers_us(given: &Return, store: &Store) -> Result<(), Error> {
    let refuse = |reason, what: String| Err(Refusal::new(reason, what).into());
    match given.answer {
        Some(answer) => answers_bundle(&answer, store)?,
        None if given.resend && given.head.seq == 0 => {}
        None => return refuse(Reason::Damaged, "it answers no bundle".to_owned()),
    }
    let hash = match given.head.seq {
        0 => Some(genesis_of(store)?),
        seq => {
            let line = "SELECT hash FROM journal WHERE seq = ?";
            let hash = store.sql().query_row(line, [seq], |row| row.get(0));
            hash.optional()?.map(Digest::from_bytes)
        }
    };
    match hash == Some(given.head.hash) {
        true => Ok(()),
        false => {
            let what = format!("line {} of this box's journal is another", given.head.seq);
            refuse(Reason::Fork, what)
        }
    }
}

/// Whether the desk has opened a bundle that this box wrote.
fn answers_bundle(answer: &Answer, store: &Store) -> Result<(), Error> {
    let refuse = |reason, what: String| Err(Refusal::new(reason, what).into());
    let Answer {
        bundle,
        contents,
        drill,
        opened_by,
    } = *answer;
    let row = "SELECT contents, answer, keys FROM bundle WHERE number = ?";
    let row = store.sql().query_row(row, [bundle], |row| {
        Ok([row.get::<_, String>(0)?, row.get(1)?, row.get(2)?])
    });
    let ours = row.optional()?.filter(|[ours, ..]| *ours == contents.to_string());
    let Some([_, answer, keys]) = ours else {
        return refuse(
            Reason::Fork,
            format!("it answers a bundle {bundle} that this box did not write"),
        );
    };
    if answer != drill.to_string() || !keys.split(' ').any(|key| key == opened_by.to_string()) {
        return refuse(Reason::CannotOpen, "the desk has not opened the drill".to_owned());
    }
    Ok(())
}

fn genesis_of(store: &Store) -> Result<Digest, Error> {
    let key = store
        .sql()
        .query_row("SELECT public_key FROM device", [], |row| row.get(0))?;
    let key = DevicePublic::from_bytes(&key);
    Ok(key.map_or_else(|| Digest::of(b""), |key| genesis(&key)))
}

/// The public keys that it brings.
pub fn recipients(given: &Return) -> Result<Vec<Recipient>, Refusal> {
    let read = |text: &String| text.parse();
    let keys = given.recipients.iter().map(read).collect::<Result<_, _>>();
    keys.map_err(|error: crate::vault::keys::Error| Refusal::new(Reason::Damaged, error.to_string()))
}

fn commit(
    tx: &mut Tx<'_>,
    given: &Return,
    text: &str,
    keys: &[Recipient],
    now: BoxTime,
) -> Result<Taken, Error> {
    let mut events: BTreeMap<EventId, Vec<u32>> = BTreeMap::new();
    let mut kept = 0;
    for item in &given.items {
        match stored(tx, item)? {
            Some(sha256) if sha256 == item.sha256.to_string() => {
                events.entry(item.event).or_default().push(item.number);
            }
            Some(_) => {
                let id = ItemId {
                    event: item.event,
                    number: item.number,
                };
                tracing::error!(item = %id, "the desk has another content of it; it stays");
                kept += 1;
            }
            None => {}
        }
    }
    let mut erased = 0;
    for (event, numbers) in events {
        erased += tx.erase_items(now, event, &numbers, Cause::Returned)? as u64;
    }
    let sql = tx.raw();
    sql.execute(
        "INSERT INTO return_file (one, number, text) VALUES (1, ?1, ?2)
         ON CONFLICT (one) DO UPDATE SET number = ?1, text = ?2",
        params![given.number, text],
    )?;
    let handed_out = keys.iter().filter(|key| key.role() == Role::Service);
    let handed_out = handed_out.map(Recipient::fingerprint);
    for key in handed_out.chain(given.answer.map(|answer| answer.opened_by)) {
        sql.execute(
            "INSERT OR IGNORE INTO proven_key (fingerprint) VALUES (?)",
            [key.to_string()],
        )?;
    }
    let mut body = json!({
        "bundle": given.answer.map(|answer| answer.bundle),
        "head": given.head,
        "items": erased,
        "kept": kept,
        "number": given.number,
        "return": signed::digest(text),
    });
    if given.resend {
        body["resend"] = true.into();
    }
    let kind = Kind::Returned;
    tx.journal(now, &Entry { kind, body })?;
    Ok(Taken {
        number: given.number,
        erased,
        kept,
    })
}

fn stored(tx: &Tx<'_>, item: &Acknowledged) -> rusqlite::Result<Option<String>> {
    let row = "SELECT sha256 FROM item WHERE event = ? AND number = ?";
    let mut row = tx.raw().prepare_cached(row)?;
    row.query_row(params![item.event.to_string(), item.number], |row| row.get(0))
        .optional()
}

fn last_text(sql: &Connection) -> rusqlite::Result<Option<String>> {
    // A store that never wrote a bundle has no such table, and whoever only reads makes none.
    if !sql.table_exists(None, "return_file")? {
        return Ok(None);
    }
    let text = "SELECT text FROM return_file";
    sql.query_row(text, [], |row| row.get(0)).optional()
}

/// The return file that the box took last.
pub fn last(sql: &Connection) -> Result<Option<Return>, Error> {
    let Some(text) = last_text(sql)? else {
        return Ok(None);
    };
    let signer = |given: &Return| Some(given.desk.clone());
    Ok(Some(signed::read_by(&text, signer, "the desk it names")?))
}

/// Whether the desk has proven that it opens what is sealed to these recipients: each key of the service among
/// them, and at least one. Until it has, nothing is destroyed.
pub fn proven(sql: &Connection, recipients: &[Recipient]) -> rusqlite::Result<bool> {
    let of_service = recipients.iter().filter(|key| key.role() == Role::Service);
    all_proven(sql, of_service.map(Recipient::fingerprint))
}

/// Whether the desk can open what is left in the store of an event: the keys to which its items say that they are
/// sealed are proven, whatever the box seals to by now. Of an event without items nothing waits for the desk: it was
/// not sealed, the desk has it, or its term is over. An item that cannot be read proves nothing.
pub fn event_proven(sql: &Connection, store: &Path, event: EventId) -> rusqlite::Result<bool> {
    // All items of an event are sealed to the same keys: one sealer makes them.
    let number = "SELECT number FROM item WHERE event = ? ORDER BY number LIMIT 1";
    let mut number = sql.prepare_cached(number)?;
    let number = number.query_row([event.to_string()], |row| row.get(0));
    let Some(number) = number.optional()? else {
        return Ok(true);
    };
    let item = ItemId { event, number };
    let header = File::open(store.join(ITEMS).join(item.to_string()))
        .map_err(crate::vault::item::Error::from)
        .and_then(|mut file| Header::read(&mut file));
    match header {
        Ok(header) => {
            let stanzas = header.stanzas.iter();
            let of_service = stanzas.filter(|stanza| stanza.role == Role::Service);
            all_proven(sql, of_service.map(|stanza| stanza.fingerprint))
        }
        Err(error) => {
            tracing::error!(%item, %error, "it is not known to whom it is sealed: its originals stay");
            Ok(false)
        }
    }
}

fn all_proven(sql: &Connection, keys: impl Iterator<Item = Fingerprint>) -> rusqlite::Result<bool> {
    if !sql.table_exists(None, "proven_key")? {
        return Ok(false);
    }
    let mut known = sql.prepare_cached("SELECT 1 FROM proven_key WHERE fingerprint = ?")?;
    let mut any = false;
    for key in keys {
        any = true;
        if !known.exists([key.to_string()])? {
            return Ok(false);
        }
    }
    Ok(any)
}
