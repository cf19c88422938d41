//! Brings a desk back.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};
use serde_json::json;

use super::contents::Contents;
use super::keys::{self, Keys};
use super::writing::{STANZAS_AT, check, generations, items};
use super::{DESK_PUBLIC, Error, KEYS, POOL, blobs, io_at, refused, sql_at};
use crate::desk::retention::erasures::{self, Erasure, ITEM};
use crate::desk::retention::past_keys::KEY;
use crate::desk::retention::plan::{Class, Subject};
use crate::desk::retention::run::Destroys;
use crate::frame::{BoxTime, Digest};
use crate::transfer::returning::LEAP;
use crate::vault::durable::{self, Existing};
use crate::vault::keys::DevicePublic;
use crate::vault::store::{Cause, DATABASE, ITEMS};
use crate::vault::{DeviceKey, Entry, ItemId, Kind, Store};

/// A restore that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Restore<'a> {
    /// The backup's folder.
    pub from: &'a Path,
    /// Where its file of keys lies; without it, in [`KEYS`] in there.
    pub keys: Option<&'a Path>,
    /// The desk's new folder; it must not exist, or be empty.
    pub into: &'a Path,
    /// Later lists of erasures: a desk's folder, or a later backup's.
    pub erasures: &'a [PathBuf],
    /// The desk that it must be of.
    pub desk: Option<&'a DevicePublic>,
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The backup's number.
    pub number: u64,
    /// When it was made.
    pub made: BoxTime,
    /// Sealed files that are there.
    pub items: u64,
    /// What was erased again.
    pub erased: u64,
    /// The desk's name.
    pub desk: DevicePublic,
}

/// Makes a desk of a backup in a folder of its own, and erases again what had been erased. Until all of it is there
/// and durable, the folder does not have its name.
pub fn restore(asked: Restore<'_>, with: &dyn Destroys, now: BoxTime) -> Result<Restored, Error> {
    let Restore { from, into, .. } = asked;
    if fs::read_dir(into).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(refused(
            into,
            "something is there; name a folder that is empty or does not exist",
        ));
    }
    let (keys, contents, folder) = find(asked)?;
    let parent = into
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let name = into
        .file_name()
        .ok_or_else(|| refused(into, "it names no folder"))?;
    let staged = parent.join(format!("{}{}", durable::UNFINISHED, name.to_string_lossy()));
    if staged.exists() {
        fs::remove_dir_all(&staged).map_err(io_at(&staged))?;
    }
    let list = listed(asked, &folder, &keys.head.desk_key)?;
    lay_out(&staged, &folder, &contents, &keys)?;
    let missing = put_items(&staged, &from.join(POOL), &keys, &list)?;
    let (items, erased) = replay(&staged, &contents, &list, &missing, with, now)?;
    if into.exists() {
        fs::remove_dir(into).map_err(io_at(into))?;
    }
    fs::rename(&staged, into).map_err(io_at(into))?;
    durable::sync_name(into).map_err(io_at(into))?;
    Ok(Restored {
        number: contents.number,
        made: contents.made,
        items,
        erased,
        desk: contents.desk_key,
    })
}

/// The keys, and the backup that they are of: the latest pair that belongs together.
fn find(asked: Restore<'_>) -> Result<(Keys, Contents, PathBuf), Error> {
    let Restore { from, .. } = asked;
    let folder = asked.keys.map_or_else(|| from.join(KEYS), Path::to_owned);
    let files = match folder.is_file() {
        true => vec![(0, folder.clone())],
        false => keys::files(&folder)?,
    };
    let (_, path) = files
        .first()
        .ok_or_else(|| refused(&folder, "no file of keys is here; name it with --keys"))?;
    let keys = keys::read(path)?;
    if !keys::is_of(&keys, asked.desk) {
        return Err(refused(
            path,
            format!(
                "these are the keys of the desk {}, not of yours",
                keys.head.desk_key.id()
            ),
        ));
    }
    let of_number = generations(from)?
        .into_iter()
        .find(|(number, _)| *number == keys.head.number);
    let (_, found) = of_number.ok_or_else(|| {
        refused(
            from,
            format!(
                "backup {:06}, to which these keys belong, is not here",
                keys.head.number
            ),
        )
    })?;
    let (contents, digest) = Contents::read(&found)?;
    if contents.desk_key != keys.head.desk_key {
        return Err(refused(&found, "it is another desk's than the keys"));
    }
    if digest != keys.head.contents {
        return Err(refused(
            &found,
            "it is another backup than the one that the keys are of",
        ));
    }
    check(&found, &contents)?;
    Ok((keys, contents, found))
}

/// Every erasure that is known: the backup's own, and those of later lists, which must be of the same desk.
fn listed(asked: Restore<'_>, folder: &Path, desk: &DevicePublic) -> Result<Vec<Erasure>, Error> {
    let mut list = read_list(&folder.join(DATABASE), desk)?;
    for source in asked.erasures {
        let live = source.join("store").join(DATABASE);
        let database = match live.is_file() {
            true => live,
            false => {
                let latest = generations(source)?.into_iter().next();
                let (_, latest) =
                    latest.ok_or_else(|| refused(source, "it is neither a desk nor a backup"))?;
                let (contents, _) = Contents::read(&latest)?;
                check(&latest, &contents)?;
                latest.join(DATABASE)
            }
        };
        list.extend(read_list(&database, desk)?);
    }
    let mut seen = BTreeSet::new();
    list.retain(|erasure| seen.insert(erasure.clone()));
    Ok(list)
}

fn read_list(database: &Path, desk: &DevicePublic) -> Result<Vec<Erasure>, Error> {
    let sql =
        Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(sql_at(database))?;
    let of: [u8; 32] = sql
        .query_row("SELECT public_key FROM device", [], |row| row.get(0))
        .map_err(sql_at(database))?;
    if of != *desk.as_bytes() {
        return Err(refused(database, "it is another desk's"));
    }
    erasures::all(&sql).map_err(sql_at(database))
}

fn lay_out(staged: &Path, folder: &Path, contents: &Contents, keys: &Keys) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt as _;
    for path in [staged, &staged.join("store"), &staged.join("store").join(ITEMS)] {
        fs::DirBuilder::new()
            .mode(0o700)
            .create(path)
            .map_err(io_at(path))?;
    }
    let put = |name: &Path, bytes: &[u8]| {
        if let Some(folder) = name.parent() {
            fs::create_dir_all(folder).map_err(io_at(folder))?;
        }
        durable::write(name, bytes, 0o600, Existing::Refuse).map_err(io_at(name))
    };
    for file in &contents.files {
        let from = folder.join(&file.name);
        let bytes = fs::read(&from).map_err(io_at(&from))?;
        // Between the check and now it may have been exchanged.
        if Digest::of(&bytes) != file.sha256 {
            return Err(refused(&from, "it is not what was signed: it was changed"));
        }
        match file.name.strip_prefix("desk/") {
            Some(name) => put(&staged.join(name), &bytes)?,
            None => put(&staged.join("store").join(DATABASE), &bytes)?,
        }
    }
    put(&staged.join("desk.key"), keys.desk_key.as_bytes())?;
    let public = staged.join(DESK_PUBLIC);
    if public.exists() && DevicePublic::read_desk(&public)? != contents.desk_key {
        return Err(refused(
            &folder.join("desk").join(DESK_PUBLIC),
            "it is another desk's key",
        ));
    }
    let database = staged.join("store").join(DATABASE);
    let mut sql = Connection::open(&database).map_err(sql_at(&database))?;
    blobs::put_back(&mut sql, keys.blobs.iter().cloned()).map_err(sql_at(&database))?;
    let sound: String = sql
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .map_err(sql_at(&database))?;
    match sound.as_str() {
        "ok" => Ok(()),
        _ => Err(refused(&database, sound)),
    }
}

/// Puts the sealed files into the new store, whole again; those that are not in the pool must have been erased since.
fn put_items(staged: &Path, pool: &Path, keys: &Keys, list: &[Erasure]) -> Result<Vec<ItemId>, Error> {
    let gone: BTreeSet<&str> = list
        .iter()
        .filter(|e| e.class == ITEM)
        .map(|e| e.id.as_str())
        .collect();
    let store = staged.join("store");
    let mut missing = Vec::new();
    for (id, sha256) in items(&store.join(DATABASE))? {
        let name = id.to_string();
        let from = pool.join(&name);
        if gone.contains(listed_as(id).as_str()) {
            missing.push(id);
            continue;
        }
        let mut bytes = fs::read(&from).map_err(io_at(&from))?;
        let stanzas = keys
            .items
            .get(&name)
            .ok_or_else(|| refused(&from, "its keys are missing"))?;
        let place = bytes.get_mut(STANZAS_AT..STANZAS_AT + stanzas.len());
        place
            .ok_or_else(|| refused(&from, "it is cut off"))?
            .copy_from_slice(stanzas);
        if Digest::of(&bytes) != sha256 {
            return Err(refused(&from, "it is damaged: restore from another backup"));
        }
        let to = store.join(ITEMS).join(&name);
        durable::write(&to, &bytes, 0o600, Existing::Refuse).map_err(io_at(&to))?;
    }
    Ok(missing)
}

/// As the list of erasures names an item.
fn listed_as(id: ItemId) -> String {
    format!("{}-{}", id.event, id.number)
}

/// Erases again what had been erased, in one transaction; how many items are left, and how much was erased.
fn replay(
    staged: &Path,
    contents: &Contents,
    list: &[Erasure],
    missing: &[ItemId],
    with: &dyn Destroys,
    now: BoxTime,
) -> Result<(u64, u64), Error> {
    let device = DeviceKey::read_desk(&staged.join("desk.key"))?;
    if *device.public() != contents.desk_key {
        return Err(refused(
            staged,
            "the desk's key is not the one that signed the backup",
        ));
    }
    let mut store = Store::open(&staged.join("store"), &device, now)?;
    let mut subjects = Vec::new();
    for erasure in list {
        let Some(class) = Class::named(&erasure.class) else {
            continue;
        };
        let subject = Subject {
            class,
            id: erasure.id.clone(),
        };
        if with.is_there(store.sql(), &subject)? {
            subjects.push(subject);
        }
    }
    let erased = store.transaction(|tx| {
        for subject in &subjects {
            with.destroy(tx, subject, now)?;
        }
        let mut erased = subjects.len() as u64;
        for id in missing {
            erased += tx.erase_items(now, id.event, &[id.number], Cause::Expired)? as u64;
        }
        for erasure in list {
            erasures::list(tx, &erasure.class, &erasure.id)?;
            if erasure.class == KEY {
                let key = "DELETE FROM office_key WHERE fingerprint = ?";
                let gone = tx.raw().execute(key, [&erasure.id]).map_err(crate::vault::store::Error::from)?;
                erased += gone as u64;
            }
        }
        let trap = "UPDATE trap SET returned = returned + ?";
        tx.raw().execute(trap, params![LEAP]).map_err(crate::vault::store::Error::from)?;
        let body = json!({
            "backup": contents.number, "erased": erased, "head": format!("{}:{}", contents.journal.seq, contents.journal.hash),
            "made": contents.made,
        });
        let kind = Kind::Restored;
        tx.journal(now, &Entry { kind, body })?;
        Ok::<_, Error>(erased)
    })?;
    let items = store.items()?;
    store.close(now)?;
    Ok((items, erased))
}
