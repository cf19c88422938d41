//! Makes a backup.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};
use rustix::fs::{FlockOperation, flock};
use serde_json::json;

use super::blobs;
use super::contents::{CONTENTS, Contents, FileFact, Made};
use super::keys::{self, Body, Entry};
use super::{DESK_PUBLIC, Error, KEYS, NOTES, POOL, document_at, io_at, refused, sql_at};
use crate::desk::office::CONFIG;
use crate::frame::{BoxTime, Digest};
use crate::transfer::Folder;
use crate::vault::certificate::LastLine;
use crate::vault::durable::{self, Existing};
use crate::vault::item::{Header, ItemId, STANZA};
use crate::vault::store::{DATABASE, ITEMS};
use crate::vault::{DeviceKey, Kind, Store, signed};

/// What of the desk's folder belongs to a backup beside `desk.toml` and the store: public files alone.
pub(super) const FOLDERS: [(&str, &[&str]); 3] = [
    ("traps", &[".pub"]),
    ("keys", &[".pub", ".revocation"]),
    ("orders", &[".json"]),
];
/// Bytes of such a file at most.
const LONGEST_FILE: u64 = 1 << 20;
/// Where the sealed bytes of an item's header begin: before them, what names it.
pub(super) const STANZAS_AT: usize = 64;
/// How often a backup begins anew because something was erased while it was made.
const ATTEMPTS: u32 = 5;

const README: &str = "\
Sauvegarde du poste vigie.

Ce dossier contient des données chiffrées : base de données et fichiers scellés, sans les clés qui les ouvrent.
Les clés sont dans un fichier .vgk (dossier « cles », ou celui que vous avez choisi). Il est réécrit à chaque
sauvegarde : c'est ainsi que ce qui a été détruit au poste l'est aussi dans la sauvegarde.

- Conservez le fichier .vgk sur un autre support que le reste, sous clé.
- Refaites la sauvegarde au moins tous les sept jours : les certificats de destruction s'y engagent.
- N'en gardez pas d'ancienne copie : une copie du fichier .vgk de plus de sept jours doit être détruite.
- Pour revenir en arrière : vigie desk restore CE_DOSSIER --into NOUVEAU_DOSSIER
";

/// A backup that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Backup<'a> {
    /// The desk's folder.
    pub desk: &'a Path,
    /// Where to.
    pub to: &'a Path,
    /// Where the file of keys goes; without it, into [`KEYS`] in there.
    pub keys: Option<&'a Path>,
}

/// Copies the desk as it is at one moment. It may be served meanwhile, by this process or another.
///
/// The journal is told by [`note`], which needs the store to itself.
pub fn backup(asked: Backup<'_>, now: BoxTime) -> Result<Made, Error> {
    let Backup { desk, to, .. } = asked;
    let key = DeviceKey::read_desk(&desk.join("desk.key"))?;
    let keys_folder = asked.keys.map_or_else(|| to.join(KEYS), Path::to_owned);
    for folder in [to, &to.join(POOL), &keys_folder] {
        make_folder(folder)?;
    }
    let _alone = alone(to)?;
    let number = next_number(to, &keys_folder, &key)?;
    clear(to)?;
    let mut attempt = 1;
    let (contents, folder) = loop {
        match copy(asked, &key, number, &keys_folder, now) {
            Err(Error::Refused { what, .. }) if what == ERASED_MEANWHILE && attempt < ATTEMPTS => {
                attempt += 1
            }
            copied => break copied?,
        }
    };
    leave_only(to, number)?;
    keys::leave_only(&keys_folder, number)?;
    prune_pool(&to.join(POOL), &folder.join(DATABASE))?;
    let made = Made {
        number,
        folder: to.display().to_string(),
        made: now,
        items: contents.0.items,
        head: format!("{}:{}", contents.0.journal.seq, contents.0.journal.hash),
        contents: contents.1,
    };
    leave_note(desk, &made)?;
    Ok(made)
}

const ERASED_MEANWHILE: &str = "it was erased while the backup was made";

fn make_folder(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(io_at(path))?;
    durable::sync_name(path).map_err(io_at(path))
}

fn alone(to: &Path) -> Result<fs::File, Error> {
    let path = to.join("backup.lock");
    let file = fs::File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(io_at(&path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(_) => Err(refused(
            to,
            "another backup or restore is at work here; wait until it has ended",
        )),
    }
}

/// The number after the last one. What lies here must be this desk's.
fn next_number(to: &Path, keys_folder: &Path, key: &DeviceKey) -> Result<u64, Error> {
    let mut last = 0;
    for (number, folder) in generations(to)? {
        let (contents, _) = Contents::read(&folder)?;
        if contents.desk_key != *key.public() {
            return Err(refused(
                &folder,
                "this is another desk's backup; name another folder",
            ));
        }
        last = last.max(number);
    }
    let of_keys = keys::files(keys_folder)?.first().map_or(0, |(number, _)| *number);
    Ok(last.max(of_keys) + 1)
}

/// The backups in a folder, the latest first.
pub(super) fn generations(to: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(to).map_err(io_at(to))? {
        let path = entry.map_err(io_at(to))?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let number = name
            .parse::<u64>()
            .ok()
            .filter(|number| format!("{number:06}") == name);
        found.extend(number.map(|number| (number, path)));
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found)
}

/// What a backup that was cut off left.
fn clear(to: &Path) -> Result<(), Error> {
    for folder in [to.to_owned(), to.join(POOL)] {
        for entry in fs::read_dir(&folder).map_err(io_at(&folder))? {
            let path = entry.map_err(io_at(&folder))?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if name.starts_with(durable::UNFINISHED) {
                remove(&path)?;
            }
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), Error> {
    let removed = match path.is_dir() && !path.is_symlink() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    };
    removed.map_err(io_at(path))
}

/// One attempt: the signed contents with their digest, and their folder.
fn copy(
    asked: Backup<'_>,
    key: &DeviceKey,
    number: u64,
    keys_folder: &Path,
    now: BoxTime,
) -> Result<((Contents, Digest), PathBuf), Error> {
    // Beside the store, where the keys lie anyway: on the backup's disk they are never written.
    let scratch = tempfile::Builder::new()
        .prefix(durable::UNFINISHED)
        .tempdir_in(asked.desk);
    let scratch = scratch.map_err(io_at(asked.desk))?;
    let body_path = scratch.path().join("keys");
    let database = scratch.path().join(DATABASE);
    let mut body = Body::new(&body_path)?;
    let desk_key =
        fs::read_to_string(asked.desk.join("desk.key")).map_err(io_at(&asked.desk.join("desk.key")))?;
    body.add(&Entry::Desk(desk_key));
    snapshot(&asked.desk.join("store").join(DATABASE), &database)?;
    let facts = strip(&database, &mut body)?;
    let rows = items(&database)?;
    for (id, sha256) in &rows {
        let stanzas = pooled(asked, *id, *sha256)?;
        body.add(&Entry::Item(id.to_string(), hex::encode(stanzas)));
    }
    durable::sync_folder(&asked.to.join(POOL)).map_err(io_at(&asked.to.join(POOL)))?;
    let staged = asked.to.join(format!("{}{number:06}", durable::UNFINISHED));
    make_folder(&staged)?;
    let files = desk_files(asked.desk, &staged, &database)?;
    let contents = Contents {
        number,
        desk_key: key.public().clone(),
        made: now,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        journal: facts.head,
        items: rows.len() as u64,
        erasures: facts.erasures,
        files,
    };
    let path = staged.join(CONTENTS);
    let text = signed::sign(&contents, key).map_err(document_at(&path))?;
    durable::write(&path, text.as_bytes(), 0o600, Existing::Refuse).map_err(io_at(&path))?;
    check(&staged, &contents)?;
    let readme = asked.to.join("LISEZMOI.txt");
    durable::write(&readme, README.as_bytes(), 0o644, Existing::Replace).map_err(io_at(&readme))?;
    let folder = asked.to.join(format!("{number:06}"));
    fs::rename(&staged, &folder).map_err(io_at(&folder))?;
    durable::sync_folder(asked.to).map_err(io_at(asked.to))?;
    let digest = signed::digest(&text);
    // From here on there are two backups, each with its contents; the keys decide which one is restored.
    let written = keys::write(keys_folder, number, digest, body, &body_path, key)?;
    keys::read(&written)?;
    Ok(((contents, digest), folder))
}

/// The database as it is at one moment, without pages that are free.
fn snapshot(from: &Path, to: &Path) -> Result<(), Error> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let sql = Connection::open_with_flags(from, flags).map_err(sql_at(from))?;
    sql.busy_timeout(std::time::Duration::from_secs(30))
        .map_err(sql_at(from))?;
    let name = to
        .to_str()
        .ok_or_else(|| refused(to, "the desk's folder must have a plain name"))?;
    sql.execute("VACUUM INTO ?", [name]).map_err(sql_at(from))?;
    Ok(())
}

struct Facts {
    head: LastLine,
    erasures: u64,
}

/// Takes the keys out of the copy; what it says of itself.
fn strip(database: &Path, body: &mut Body) -> Result<Facts, Error> {
    let mut sql = Connection::open(database).map_err(sql_at(database))?;
    let sql = &mut sql;
    // Overwritten where they stand, and no file beside it ever holds them.
    sql.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))
        .map_err(sql_at(database))?;
    sql.pragma_update_and_check(None, "journal_mode", "MEMORY", |_| Ok(()))
        .map_err(sql_at(database))?;
    blobs::take_out(sql, |beginning| {
        body.add(&Entry::Blob(beginning));
        Ok(())
    })
    .map_err(sql_at(database))?;
    let sound: String = sql
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .map_err(sql_at(database))?;
    if sound != "ok" {
        return Err(refused(
            database,
            format!("the desk's database is damaged: {sound}"),
        ));
    }
    let head = sql.query_row("SELECT seq, hash FROM head", [], |row| {
        Ok(LastLine {
            seq: row.get(0)?,
            hash: Digest::from_bytes(row.get(1)?),
        })
    });
    let erasures = sql.query_row("SELECT count(*) FROM erasure", [], |row| row.get(0));
    Ok(Facts {
        head: head.map_err(sql_at(database))?,
        erasures: erasures.map_err(sql_at(database))?,
    })
}

/// The sealed files that a database tells of.
pub(super) fn items(database: &Path) -> Result<Vec<(ItemId, Digest)>, Error> {
    let sql =
        Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(sql_at(database))?;
    let read = || {
        let mut query = sql.prepare("SELECT event, number, sha256 FROM item ORDER BY event, number")?;
        let rows = query.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get(1)?, row.get::<_, String>(2)?))
        })?;
        rows.collect::<rusqlite::Result<Vec<(String, u32, String)>>>()
    };
    let rows = read().map_err(sql_at(database))?;
    let item = |(event, number, sha256): (String, u32, String)| {
        let id = ItemId {
            event: event.parse().ok()?,
            number,
        };
        Some((id, sha256.parse().ok()?))
    };
    rows.into_iter()
        .map(|row| item(row).ok_or_else(|| refused(database, "a row of an item is damaged")))
        .collect()
}

/// Has the sealed file in the pool, whole and without its wrapped keys; these.
fn pooled(asked: Backup<'_>, id: ItemId, sha256: Digest) -> Result<Vec<u8>, Error> {
    let name = id.to_string();
    let live = asked.desk.join("store").join(ITEMS).join(&name);
    let pool = asked.to.join(POOL).join(&name);
    let gone = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => refused(&live, ERASED_MEANWHILE),
        _ => io_at(&live)(error),
    };
    let mut source = fs::File::open(&live).map_err(gone)?;
    let header =
        Header::read(&mut source).map_err(|_| refused(&live, "its header is damaged: run vigie verify"))?;
    let length = header.stanzas.len() * STANZA;
    let mut begin = vec![0; STANZAS_AT + length];
    std::os::unix::fs::FileExt::read_exact_at(&source, &mut begin, 0).map_err(io_at(&live))?;
    let stanzas = begin.split_off(STANZAS_AT);
    if let Ok(mut there) = fs::read(&pool)
        && there.len() >= STANZAS_AT + length
    {
        there[STANZAS_AT..STANZAS_AT + length].copy_from_slice(&stanzas);
        if Digest::of(&there) == sha256 {
            return Ok(stanzas);
        }
    }
    let mut bytes = fs::read(&live).map_err(gone)?;
    if Digest::of(&bytes) != sha256 {
        // An erasure overwrites a file before it goes.
        return Err(match still_there(asked.desk, id)? {
            true => refused(&live, "it is damaged; run vigie verify"),
            false => refused(&live, ERASED_MEANWHILE),
        });
    }
    bytes[STANZAS_AT..STANZAS_AT + length].fill(0);
    durable::write(&pool, &bytes, 0o600, Existing::Replace).map_err(io_at(&pool))?;
    let written = fs::read(&pool).map_err(io_at(&pool))?;
    match written == bytes {
        true => Ok(stanzas),
        false => Err(refused(
            &pool,
            "it was not written as it is: the backup's disk is failing",
        )),
    }
}

fn still_there(desk: &Path, id: ItemId) -> Result<bool, Error> {
    let path = desk.join("store").join(DATABASE);
    let sql = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(sql_at(&path))?;
    let row = "SELECT 1 FROM item WHERE event = ? AND number = ?";
    let mut row = sql.prepare(row).map_err(sql_at(&path))?;
    row.exists(params![id.event.to_string(), id.number])
        .map_err(sql_at(&path))
}

/// Copies the desk's plain files and the database into the staged backup.
fn desk_files(desk: &Path, staged: &Path, database: &Path) -> Result<Vec<FileFact>, Error> {
    let mut files = vec![(CONFIG.to_owned(), desk.join(CONFIG))];
    let public = desk.join(DESK_PUBLIC);
    if public.exists() {
        files.push((DESK_PUBLIC.to_owned(), public));
    }
    for (folder, ends) in FOLDERS {
        let path = desk.join(folder);
        if !path.is_dir() {
            continue;
        }
        let names = Folder::open(&path)
            .and_then(|folder| folder.names())
            .map_err(io_at(&path))?;
        let ours = names
            .into_iter()
            .filter(|name| ends.iter().any(|end| name.ends_with(end)));
        let ours = ours.map(|name| (format!("{folder}/{name}"), path.join(&name)));
        files.extend(ours.filter(|(name, _)| super::contents::is_ours(&format!("desk/{name}"))));
    }
    let mut facts = Vec::new();
    for (name, path) in files {
        let bytes = plain(&path)?;
        facts.push(put(staged, &format!("desk/{name}"), &bytes)?);
    }
    let bytes = fs::read(database).map_err(io_at(database))?;
    facts.push(put(staged, DATABASE, &bytes)?);
    Ok(facts)
}

fn plain(path: &Path) -> Result<Vec<u8>, Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let open = Folder::open(folder).map_err(io_at(folder))?;
    open.text(name, LONGEST_FILE)
        .map(String::into_bytes)
        .map_err(io_at(path))
}

fn put(staged: &Path, name: &str, bytes: &[u8]) -> Result<FileFact, Error> {
    let path = staged.join(name);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(io_at(folder))?;
    }
    durable::write(&path, bytes, 0o600, Existing::Refuse).map_err(io_at(&path))?;
    Ok(FileFact {
        name: name.to_owned(),
        size: bytes.len() as u64,
        sha256: Digest::of(bytes),
    })
}

/// Reads a backup's own files again, and holds them against its contents.
pub(super) fn check(folder: &Path, contents: &Contents) -> Result<(), Error> {
    for file in &contents.files {
        let path = folder.join(&file.name);
        let parent = path.parent().unwrap_or(folder);
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let open = Folder::open(parent).map_err(io_at(parent))?;
        let (found, size) = open.file(name).map_err(io_at(&path))?;
        let digest = Digest::of_all(found).map_err(io_at(&path))?;
        if (size, digest) != (file.size, file.sha256) {
            return Err(refused(
                &path,
                "it is not what was signed: it was changed or cut off",
            ));
        }
    }
    Ok(())
}

/// Removes every backup but that of `number`.
fn leave_only(to: &Path, number: u64) -> Result<(), Error> {
    for (_, folder) in generations(to)?.into_iter().filter(|(found, _)| *found != number) {
        remove(&folder)?;
    }
    durable::sync_folder(to).map_err(io_at(to))
}

/// What the desk has erased goes from the pool as well.
fn prune_pool(pool: &Path, database: &Path) -> Result<(), Error> {
    let rows = items(database)?;
    let kept: std::collections::BTreeSet<String> = rows.iter().map(|(id, _)| id.to_string()).collect();
    for entry in fs::read_dir(pool).map_err(io_at(pool))? {
        let entry = entry.map_err(io_at(pool))?;
        if !kept.contains(&*entry.file_name().to_string_lossy()) {
            durable::erase(&entry.path()).map_err(io_at(&entry.path()))?;
        }
    }
    Ok(())
}

fn leave_note(desk: &Path, made: &Made) -> Result<(), Error> {
    let folder = desk.join(NOTES);
    make_folder(&folder)?;
    let path = folder.join(format!("{}.json", hex::encode(&made.contents.as_bytes()[..8])));
    let text = serde_json::to_vec(made).map_err(|error| refused(&path, error.to_string()))?;
    durable::write(&path, &text, 0o600, Existing::Replace).map_err(io_at(&path))
}

/// Has the journal tell of the backups that were made while somebody else had the store. `account`: who asked, where
/// that is known.
pub fn note(store: &mut Store, desk: &Path, account: Option<&str>, now: BoxTime) -> Result<u64, Error> {
    let folder = desk.join(NOTES);
    if !folder.is_dir() {
        return Ok(0);
    }
    let mut count = 0;
    let names = Folder::open(&folder)
        .and_then(|folder| folder.names())
        .map_err(io_at(&folder))?;
    for name in names.iter().filter(|name| name.ends_with(".json")) {
        let path = folder.join(name);
        let made: Made =
            serde_json::from_slice(&plain(&path)?).map_err(|error| refused(&path, error.to_string()))?;
        store.transaction(|tx| {
            let insert = "INSERT OR IGNORE INTO backup (number, folder, made, items, head, digest, made_by)
                VALUES (?, ?, ?, ?, ?, ?, ?)";
            let (at, digest) = (made.made.to_string(), made.contents.to_string());
            let row = params![
                made.number,
                made.folder,
                at,
                made.items,
                made.head,
                digest,
                account
            ];
            // Told already, and cut off before the note was taken away.
            if tx.raw().execute(insert, row)? == 0 {
                return Ok(());
            }
            let body = json!({
                "account": account, "contents": made.contents, "head": made.head, "items": made.items,
                "made": made.made, "number": made.number,
            });
            let kind = Kind::BackedUp;
            tx.journal(now, &crate::vault::Entry { kind, body })
        })?;
        fs::remove_file(&path).map_err(io_at(&path))?;
        count += 1;
    }
    Ok(count)
}
