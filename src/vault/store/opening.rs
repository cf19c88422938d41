//! What is asked of a folder before it is a store of this box, for this process alone.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use rustix::fs::{FlockOperation, flock};

use super::{APPLICATION, DATABASE, Error, ITEMS, LOCK, LOG, SCHEMA_VERSION, io_at, item_files};
use crate::frame::Digest;
use crate::vault::closing::{self, Closing};
use crate::vault::durable;
use crate::vault::journal::Head;
use crate::vault::keys::DevicePublic;
use crate::vault::log;

/// Makes a folder, durably: a store whose own name a power cut takes away is lost with all in it.
pub(super) fn make_folder(dir: &Path) -> Result<(), Error> {
    let missing: Vec<_> = dir.ancestors().take_while(|folder| !folder.exists()).collect();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(io_at(dir))?;
    for made in missing {
        durable::sync_name(made).map_err(io_at(made))?;
    }
    let mode = dir.metadata().map_err(io_at(dir))?.permissions().mode();
    if mode & 0o077 != 0 {
        fs::set_permissions(dir, Permissions::from_mode(0o700)).map_err(io_at(dir))?;
    }
    Ok(())
}

pub(super) fn lock(dir: &Path) -> Result<File, Error> {
    let path = dir.join(LOCK);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(io_at(&path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::InUse(dir.to_owned())),
        Err(error) => Err(io_at(&path)(error.into())),
    }
}

pub(super) fn exists(path: &Path) -> Result<bool, Error> {
    path.try_exists().map_err(io_at(path))
}

/// Refuses a folder without a database that has anything else in it. A store named `/home` by mistake
/// must not become one; and items without their database are evidence without its record, in which a
/// new database would see leftovers to remove.
pub(super) fn refuse_anything_else(dir: &Path) -> Result<(), Error> {
    if exists(&dir.join(DATABASE))? || !exists(dir)? {
        return Ok(());
    }
    let refused = |what| Error::NotAStore {
        path: dir.to_owned(),
        what,
    };
    for entry in fs::read_dir(dir).map_err(io_at(dir))? {
        let name = entry.map_err(io_at(dir))?.file_name();
        let name = name.to_string_lossy();
        let lost = match &*name {
            ITEMS => !item_files(dir, None)?.is_empty(),
            closing::NAME => true,
            LOCK => false,
            name if name.starts_with(durable::UNFINISHED) => false,
            _ => return Err(refused("other things are in this folder; name a new one")),
        };
        if lost {
            return Err(refused(
                "vault.db is missing, and what belongs to it is there; put it back",
            ));
        }
    }
    Ok(())
}

/// Refuses a write-ahead log from which SQLite would silently drop commits: their items would look
/// like leftovers.
pub(super) fn refuse_damaged_log(dir: &Path) -> Result<(), Error> {
    let path = dir.join(LOG);
    match log::damaged_frame(&path).map_err(io_at(&path))? {
        None => Ok(()),
        Some(_) => Err(Error::Journal {
            dir: dir.to_owned(),
            what: "the database's write-ahead log is damaged",
        }),
    }
}

pub(super) fn connect(path: &Path) -> Result<Connection, Error> {
    // SQLite makes files with the database's own permissions, and the database itself with 0644.
    let made = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path);
    let made = made.map_err(io_at(path))?;
    // Before SQLite makes files beside it: without it, these would be other things in the folder.
    if made.metadata().map_err(io_at(path))?.len() == 0 {
        durable::sync_name(path).map_err(io_at(path))?;
    }
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let sql = Connection::open_with_flags(path, flags)?;
    sql.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    sql.pragma_update(None, "synchronous", "FULL")?;
    sql.pragma_update(None, "foreign_keys", "ON")?;
    // Of a row that is gone, nothing stays in the file.
    sql.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))?;
    sql.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(sql)
}

pub(super) fn is_empty(sql: &Connection, path: &Path) -> Result<bool, Error> {
    let pragma = |name| sql.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let version = pragma("user_version")?;
    let application = pragma("application_id")?;
    let count = "SELECT count(*) FROM sqlite_schema";
    let tables: u64 = sql.query_row(count, [], |row| row.get(0))?;
    match (application, version) {
        (0, 0) if tables == 0 => Ok(true),
        (APPLICATION, SCHEMA_VERSION) => Ok(false),
        (APPLICATION, found) => Err(Error::Version {
            path: path.to_owned(),
            found,
        }),
        _ => Err(Error::NotAStore {
            path: path.to_owned(),
            what: "this is the database of another program",
        }),
    }
}

/// The head, if it is this box's, signed, and that of the last line.
pub(super) fn own_head(sql: &Connection, dir: &Path, device: &DevicePublic) -> Result<Head, Error> {
    let broken = |what| Error::Journal {
        dir: dir.to_owned(),
        what,
    };
    let key: [u8; 32] = sql.query_row("SELECT public_key FROM device", [], |row| row.get(0))?;
    if key != *device.as_bytes() {
        return Err(match DevicePublic::from_bytes(&key) {
            Some(found) => Error::OtherDevice {
                dir: dir.to_owned(),
                expected: device.id(),
                found: found.id(),
            },
            None => broken("its box's key is damaged"),
        });
    }
    let (head, signature) = sql
        .query_row("SELECT seq, hash, signature FROM head", [], |row| {
            let head = Head {
                seq: row.get(0)?,
                hash: Digest::from_bytes(row.get(1)?),
            };
            Ok((head, row.get::<_, [u8; 64]>(2)?))
        })
        .optional()?
        .ok_or_else(|| broken("it has no head"))?;
    if !head.signed(device, &signature) {
        return Err(broken("its head is not signed by this box"));
    }
    let last = sql
        .query_row(
            "SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1",
            [],
            |row| Ok((row.get::<_, u64>(0)?, row.get::<_, [u8; 32]>(1)?)),
        )
        .optional()?;
    if last != Some((head.seq, *head.hash.as_bytes())) {
        return Err(broken("its last line is not the one that was signed"));
    }
    Ok(head)
}

/// Whether the session before ended with [`Store::close`]. A `vault.head` later than the journal
/// means that an older copy of the database was put in its place.
pub(super) fn closed_in_good_order(dir: &Path, sql: &Connection, head: Head) -> Result<bool, Error> {
    let broken = |what| Error::Journal {
        dir: dir.to_owned(),
        what,
    };
    let closing = match Closing::read(dir) {
        Ok(Some(closing)) => closing,
        Ok(None) => return Ok(false),
        Err(closing::Error::Io(source)) => return Err(io_at(&dir.join(closing::NAME))(source)),
        Err(_) => return Err(broken("vault.head is damaged")),
    };
    let then: Option<[u8; 32]> = sql
        .query_row(
            "SELECT hash FROM journal WHERE seq = ?",
            [closing.journal_seq],
            |row| row.get(0),
        )
        .optional()?;
    if then != Some(*closing.journal_hash.as_bytes()) {
        return Err(broken("it does not contain what vault.head has signed"));
    }
    Ok(closing.head() == head)
}
