//! What a store's database says, read without changing it, and whether it holds together.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::journal::{Milestone, Walk};
use super::{Report, certificates};
use crate::frame::{Digest, EventId};
use crate::vault::checkpoint::Checkpoint;
use crate::vault::closing::Closing;
use crate::vault::item::ItemId;
use crate::vault::journal::{Head, Kind, Line, canonical};
use crate::vault::keys::{DeviceId, DevicePublic};
use crate::vault::signed;
use crate::vault::store::{APPLICATION, DATABASE, Filed, LOG, SCHEMA, SCHEMA_VERSION, sealed_body};

/// A database opened for reading alone.
pub(super) struct Snapshot {
    sql: Connection,
    _copy: Option<TempDir>,
}

impl Snapshot {
    /// The database in `dir` as it lies there. With a write-ahead log beside it, a copy of both:
    /// SQLite would otherwise make files in the store.
    pub(super) fn open(dir: &Path, has_log: bool) -> Result<Self, SnapshotError> {
        if !has_log {
            let sql = connect(&dir.join(DATABASE), "mode=ro&immutable=1")?;
            return Ok(Self { sql, _copy: None });
        }
        let copy = TempDir::new()?;
        for name in [DATABASE, LOG] {
            fs::copy(dir.join(name), copy.path().join(name))?;
        }
        Ok(Self {
            sql: connect(&copy.path().join(DATABASE), "mode=rw")?,
            _copy: Some(copy),
        })
    }

    pub(super) fn sql(&self) -> &Connection {
        &self.sql
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum SnapshotError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
}

fn connect(path: &Path, how: &str) -> rusqlite::Result<Connection> {
    use std::os::unix::ffi::OsStrExt as _;
    // SQLite's URI: every byte but the plain ones as %XX (sqlite.org/uri.html, §3.1).
    let mut uri = "file:".to_owned();
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri.push('?');
    uri.push_str(how);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sql = Connection::open_with_flags(uri, flags)?;
    // A schema from a stranger's disk: no function or view of it is to be trusted, no damage
    // overlooked (sqlite.org/security.html).
    sql.pragma_update(None, "trusted_schema", "OFF")?;
    sql.pragma_update(None, "cell_size_check", "ON")?;
    sql.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(sql)
}

/// What the store says of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) kind: String,
    pub(super) size: u64,
    pub(super) sha256: Digest,
    /// The box that sealed it, where that is not the one that keeps the store.
    pub(super) by_another: Option<DeviceId>,
}

/// What the database says, as far as it could be read.
pub(super) struct Records {
    /// The box by whose key it was read.
    pub(super) device: Option<DevicePublic>,
    /// The head that the box signed; nothing if there is none with a good signature.
    pub(super) signed: Option<Head>,
    /// Whether the last line is `closed`.
    pub(super) closed: bool,
    /// Whether the walk met what `vault.head` had signed.
    pub(super) met_closing: bool,
    /// Every item that has a row or a line.
    pub(super) items: BTreeMap<ItemId, Expected>,
    /// Every certificate that has a row.
    pub(super) certificates: Vec<Filed>,
}

/// What is known of a store beside its database.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    /// The box that is trusted to have written it.
    pub(super) trusted: Option<&'a DevicePublic>,
    /// Its `vault.head`.
    pub(super) closing: Option<&'a Closing>,
    /// A line that was in the journal once.
    pub(super) pinned: Option<Head>,
}

/// Reads and checks everything in the database that is the vault's.
pub(super) fn check(snapshot: &Snapshot, known: Known<'_>, report: &mut Report) -> Records {
    let Known { trusted, closing, .. } = known;
    let sql = &snapshot.sql;
    let mut records = Records {
        device: None,
        signed: None,
        closed: false,
        met_closing: false,
        items: BTreeMap::new(),
        certificates: Vec::new(),
    };
    note(report, "", integrity(sql));
    note(report, ": schema", schema(sql));
    let own = match device(sql) {
        Ok(own) => own,
        Err(error) => {
            report.fault(place(": table device"), error.to_string());
            None
        }
    };
    if own.is_none() {
        report.fault(place(": table device"), "the box's key is missing or damaged");
    }
    let named = closing.map(|closing| &closing.device_key);
    let Some(device) = trusted.or(named).or(own.as_ref()).cloned() else {
        return records;
    };
    records.device = Some(device.clone());
    if own.is_some_and(|own| own != device) {
        let what = format!("this store was not written by the box {}", device.id());
        report.fault(place(": table device"), what);
    }
    records.certificates = certificates::in_database(sql, &device, report);
    let mut sealed = BTreeMap::new();
    let walk = walk(sql, &device, known, &mut records, &mut sealed, report);
    match signed_head(sql) {
        Ok(Some((head, signature))) if head.signed(&device, &signature) => {
            records.signed = Some(head);
            report.head = Some(head.to_string());
            if let Some(what) = walk.end(head) {
                report.fault(place(": journal"), what);
            }
        }
        Ok(Some(_)) => report.fault(
            place(": table head"),
            format!("the journal's head is not signed by the box {}", device.id()),
        ),
        Ok(None) => report.fault(place(": table head"), "the journal's signed head is missing"),
        Err(error) => report.fault(place(": table head"), error.to_string()),
    }
    rows_against_lines(sql, sealed, &mut records, report);
    records
}

fn place(part: &str) -> String {
    format!("{DATABASE}{part}")
}

fn note(report: &mut Report, part: &str, found: rusqlite::Result<Vec<String>>) {
    let found = found.unwrap_or_else(|error| vec![error.to_string()]);
    for what in found {
        report.fault(place(part), what);
    }
}

/// SQLite's own check of pages, indexes and constraints.
fn integrity(sql: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut check = sql.prepare("PRAGMA integrity_check")?;
    let mut rows = check.query([])?;
    while let Some(row) = rows.next()? {
        let what: String = row.get(0)?;
        if what != "ok" {
            found.push(what);
        }
    }
    Ok(found)
}

/// Whether the vault's tables and triggers are the ones it makes.
fn schema(sql: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut found = Vec::new();
    for (name, wanted) in [("application_id", APPLICATION), ("user_version", SCHEMA_VERSION)] {
        let value: i32 = sql.pragma_query_value(None, name, |row| row.get(0))?;
        if value != wanted {
            found.push(format!("{name} is {value}, not {wanted}"));
        }
    }
    let model = Connection::open_in_memory()?;
    model.execute_batch(SCHEMA)?;
    let there = objects(sql)?;
    for (name, text) in objects(&model)? {
        match there.get(&name) {
            Some(found) if *found == text => {}
            Some(_) => found.push(format!("{name} was changed")),
            None => found.push(format!("{name} is missing")),
        }
    }
    Ok(found)
}

fn objects(sql: &Connection) -> rusqlite::Result<BTreeMap<String, Option<String>>> {
    let mut objects = sql.prepare("SELECT type || ' ' || name, sql FROM sqlite_schema")?;
    objects
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

pub(super) fn device(sql: &Connection) -> rusqlite::Result<Option<DevicePublic>> {
    let key = sql.query_row("SELECT public_key FROM device", [], |row| row.get(0));
    Ok(key.optional()?.and_then(|key| DevicePublic::from_bytes(&key)))
}

pub(super) fn signed_head(sql: &Connection) -> rusqlite::Result<Option<(Head, [u8; 64])>> {
    sql.query_row("SELECT seq, hash, signature FROM head", [], |row| {
        let head = Head {
            seq: row.get(0)?,
            hash: Digest::from_bytes(row.get(1)?),
        };
        Ok((head, row.get(2)?))
    })
    .optional()
}

/// The line after which the walk begins, as the box signed it, and the digest of what it signed.
fn start(sql: &Connection, device: &DevicePublic, report: &mut Report) -> (Head, Option<Digest>) {
    let here = place(": table checkpoint");
    let genesis = (Head::empty(device), None);
    let text = match Checkpoint::text(sql) {
        Ok(Some(text)) => text,
        Ok(None) => return genesis,
        Err(error) => {
            report.fault(here, error.to_string());
            return genesis;
        }
    };
    match Checkpoint::read(&text, device) {
        Ok(checkpoint) => {
            report.remark(pruned(&checkpoint));
            (checkpoint.head(), Some(signed::digest(&text)))
        }
        Err(error) => {
            report.fault(here, error.to_string());
            genesis
        }
    }
}

/// What a reader should know of a journal that does not begin with line 1.
pub(super) fn pruned(checkpoint: &Checkpoint) -> String {
    format!(
        "lines 1 to {}, of {} to {}, were pruned by the box on {}, their term being over",
        checkpoint.seq, checkpoint.first, checkpoint.last, checkpoint.pruned
    )
}

/// Walks the journal; collects what its `sealed` lines say.
fn walk(
    sql: &Connection,
    device: &DevicePublic,
    known: Known<'_>,
    records: &mut Records,
    sealed: &mut BTreeMap<ItemId, (u64, Expected)>,
    report: &mut Report,
) -> Walk {
    let (start, checkpoint) = start(sql, device, report);
    let mut walk = Walk::after(start);
    let mut milestone = known.closing.map(|closing| Milestone::new(closing.head(), start));
    let mut pinned = known.pinned.map(|head| Milestone::new(head, start));
    let mut pruned = None;
    let found = each_row(
        sql,
        "SELECT seq, time, kind, body, prev, hash FROM journal ORDER BY seq",
        |row| {
            let line = match Line::of_row(row) {
                Ok(line) => line,
                Err(error) => {
                    let after = walk.head().seq;
                    let place = place(&format!(": journal, the line after {after}"));
                    report.fault(place, error.to_string());
                    return;
                }
            };
            let here = place(&format!(": journal line {}", line.seq));
            for what in walk.step(&line) {
                report.fault(&here, what);
            }
            for milestone in milestone.iter_mut().chain(&mut pinned) {
                milestone.pass(&line);
            }
            records.closed = line.kind == Kind::Closed.as_str();
            if line.kind == Kind::Sealed.as_str() {
                match sealed_item(&line.body) {
                    Some((id, expected)) => {
                        if sealed.insert(id, (line.seq, expected)).is_some() {
                            report.fault(&here, format!("{id} was sealed before"));
                        }
                    }
                    None => report.fault(&here, "it does not say what was sealed"),
                }
            }
            if line.kind == Kind::Erased.as_str() {
                match erased_items(&line.body) {
                    Some(ids) => {
                        for id in ids.filter(|id| sealed.remove(id).is_none()) {
                            // Its `sealed` line may have been pruned.
                            if start.seq == 0 {
                                report.fault(&here, format!("{id} was not there to be erased"));
                            }
                        }
                    }
                    None => report.fault(&here, "it does not say what was erased"),
                }
            }
            if line.kind == Kind::Pruned.as_str() {
                pruned = Some(line.body);
            }
        },
    );
    if let Err(error) = found {
        report.fault(place(": journal"), error.to_string());
    }
    if let Some(what) = pinned.and_then(|pinned| pinned.missed(start, walk.head())) {
        report.fault(place(": journal"), what);
    }
    let told = checkpoint.map(|text| canonical(&json!({"checkpoint": text, "seq": start.seq})));
    if told != pruned {
        report.fault(
            place(": table checkpoint"),
            "it is not the one that the journal tells of",
        );
    }
    report.remarks.extend(walk.clock());
    records.met_closing = milestone.is_some_and(|milestone| milestone.met);
    walk
}

fn each_row(sql: &Connection, query: &str, mut each: impl FnMut(&Row<'_>)) -> rusqlite::Result<()> {
    let mut query = sql.prepare(query)?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        each(row);
    }
    Ok(())
}

/// What the body of a `sealed` line says, if it says all of it and no more.
fn sealed_item(body: &str) -> Option<(ItemId, Expected)> {
    let value: Value = serde_json::from_str(body).ok()?;
    let text = |name| value.get(name)?.as_str();
    let id = ItemId {
        event: text("event")?.parse().ok()?,
        number: value.get("number")?.as_u64()?.try_into().ok()?,
    };
    let expected = Expected {
        kind: text("kind")?.to_owned(),
        size: value.get("size")?.as_u64()?,
        sha256: text("sha256")?.parse().ok()?,
        by_another: match value.get("device") {
            Some(device) => Some(DeviceId(device.as_str()?.parse().ok()?)),
            None => None,
        },
    };
    let whole = sealed_body(
        id,
        &expected.kind,
        expected.size,
        expected.sha256,
        expected.by_another,
    );
    (canonical(&whole) == body).then_some((id, expected))
}

/// What the body of an `erased` line says, if it says all of it and no more.
fn erased_items(body: &str) -> Option<impl Iterator<Item = ItemId>> {
    let value: Value = serde_json::from_str(body).ok()?;
    let event: EventId = value.get("event")?.as_str()?.parse().ok()?;
    let number = |number: &Value| number.as_u64()?.try_into().ok();
    let numbers: Option<Vec<u32>> = value.get("numbers")?.as_array()?.iter().map(number).collect();
    let numbers = numbers?;
    let whole = json!({"cause": value.get("cause")?.as_str()?, "event": event, "numbers": numbers});
    (canonical(&whole) == body).then(|| numbers.into_iter().map(move |number| ItemId { event, number }))
}

/// Every row must be the one that its line tells of, every line must have its row.
fn rows_against_lines(
    sql: &Connection,
    mut sealed: BTreeMap<ItemId, (u64, Expected)>,
    records: &mut Records,
    report: &mut Report,
) {
    let query = "SELECT event, number, kind, size, sha256, line FROM item";
    let found = each_row(sql, query, |row| match item_row(row) {
        Some((id, line, expected)) => {
            let here = place(&format!(": item {id}"));
            match sealed.remove(&id) {
                Some((told, by_line)) => {
                    let by_row = Expected {
                        by_another: by_line.by_another,
                        ..expected
                    };
                    if (told, &by_line) != (line, &by_row) {
                        report.fault(here, format!("its row is not what line {told} says"));
                    }
                    // The journal is signed, the row is not.
                    records.items.insert(id, by_line);
                }
                None => report.fault(here, "no journal line tells of this row: it was added"),
            }
        }
        None => report.fault(place(": table item"), "a row cannot be read"),
    });
    if let Err(error) = found {
        report.fault(place(": table item"), error.to_string());
    }
    for (id, (line, expected)) in sealed {
        let here = place(&format!(": item {id}"));
        report.fault(here, format!("its row is missing: line {line} tells of it"));
        records.items.insert(id, expected);
    }
}

fn item_row(row: &Row<'_>) -> Option<(ItemId, u64, Expected)> {
    let text = |nth| row.get::<_, String>(nth).ok();
    let id = ItemId {
        event: text(0)?.parse().ok()?,
        number: row.get(1).ok()?,
    };
    let expected = Expected {
        kind: text(2)?,
        size: row.get(3).ok()?,
        sha256: text(4)?.parse().ok()?,
        by_another: None,
    };
    Some((id, row.get(5).ok()?, expected))
}
