//! A whole store: its folder, its closing, its database, its items.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::database::{self, Known, Records, Snapshot};
use super::{Error, Report, certificates, io_at, items};
use crate::vault::DevicePublic;
use crate::vault::closing::{self, Closing, Fixed};
use crate::vault::journal::Head;
use crate::vault::log;
use crate::vault::store::{CERTIFICATES, DATABASE, ITEMS, LOCK, LOG};

/// Checks the store in `dir`. `device` is the box that is trusted to have written it; without it the
/// store's own `vault.head` is taken at its word, and the report says so.
pub fn store(dir: &Path, device: Option<&DevicePublic>) -> Result<Report, Error> {
    store_with(dir, device, None)
}

/// The same; and its journal must contain the line `pinned`, which someone has kept elsewhere since it
/// was the last one. Only so is a whole store found that was set back to an older copy of itself.
pub fn store_with(dir: &Path, device: Option<&DevicePublic>, pinned: Option<Head>) -> Result<Report, Error> {
    let mut report = Report::new(dir);
    let folder = Folder::read(dir)?;
    let _alone = hold(dir)?;
    for name in &folder.strangers {
        report.fault(name, "it does not belong to a store: it was added");
    }
    let closing = read_closing(dir, &folder, &mut report);
    if let (Some(closing), Some(trusted)) = (&closing, device)
        && closing.device_key != *trusted
    {
        let what = format!("it is signed by the box {}, not {}", closing.device, trusted.id());
        report.fault(closing::NAME, what);
    }
    let known = Known {
        trusted: device,
        closing: closing.as_ref(),
        pinned,
    };
    let records = match read_database(dir, &folder, known, &mut report) {
        Some(records) => records,
        None => {
            report.remark("without its database, the items cannot be checked");
            return Ok(report);
        }
    };
    let closed = against_closing(dir, &folder, closing.as_ref(), &records, &mut report);
    let device_id = records.device.as_ref().map(DevicePublic::id);
    items::check(dir, &records.items, device_id, closed, &mut report);
    certificates::in_folder(dir, &records.certificates, closed, &mut report);
    if closed {
        for name in &folder.unfinished {
            report.fault(name, "it was added: the store was closed in good order");
        }
    }
    if device.is_none() {
        let id = device_id.map_or_else(|| "no box".to_owned(), |id| format!("the box {id}"));
        report.remark(format!(
            "the store says itself that it is of {id}; name the box's public key to be sure"
        ));
    }
    Ok(report)
}

/// What lies in the store's folder.
struct Folder {
    database: bool,
    /// A write-ahead log that is not empty.
    log: bool,
    head: bool,
    unfinished: Vec<String>,
    strangers: Vec<String>,
}

impl Folder {
    fn read(dir: &Path) -> Result<Self, Error> {
        let mut folder = Self {
            database: false,
            log: false,
            head: false,
            unfinished: Vec::new(),
            strangers: Vec::new(),
        };
        let mut items = false;
        let mut entries = fs::read_dir(dir)
            .and_then(Iterator::collect::<io::Result<Vec<_>>>)
            .map_err(|source| io_at(dir, source))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            let meta = entry.path().symlink_metadata();
            let meta = meta.map_err(|source| io_at(&entry.path(), source))?;
            match name.as_str() {
                ITEMS => items = true,
                CERTIFICATES if meta.is_dir() => {}
                DATABASE if meta.is_file() => folder.database = true,
                LOG if meta.is_file() => folder.log = meta.len() > 0,
                "vault.db-shm" if meta.is_file() => {}
                closing::NAME if meta.is_file() => folder.head = true,
                LOCK if meta.is_file() && meta.len() == 0 => {}
                // A card that its camera lent and has not got back yet leaves its marker here (card::lease).
                name if name.starts_with("lease-") && meta.is_file() && meta.len() == 0 => {}
                // What the watchdog ended the trap over, until the next session has counted it (trap::in_hand).
                "stuck" if meta.is_file() => {}
                name if name.starts_with(".new-") && meta.is_file() => {
                    folder.unfinished.push(name.to_owned());
                }
                _ => folder.strangers.push(name),
            }
        }
        if !folder.database && !folder.head && !items {
            return Err(Error::Unknown(dir.to_owned()));
        }
        Ok(folder)
    }
}

/// Keeps the box's program out while its store is read; it changes nothing. A copy may have no lock,
/// and a read-only disk none to take.
pub(super) fn hold(dir: &Path) -> Result<Option<File>, Error> {
    let Ok(file) = File::open(dir.join(LOCK)) else {
        return Ok(None);
    };
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::InUse(dir.to_owned())),
        _ => Ok(Some(file)),
    }
}

fn read_closing(dir: &Path, folder: &Folder, report: &mut Report) -> Option<Closing> {
    if !folder.head {
        return None;
    }
    Closing::read(dir).unwrap_or_else(|error| {
        report.fault(closing::NAME, error.to_string());
        None
    })
}

fn read_database(dir: &Path, folder: &Folder, known: Known<'_>, report: &mut Report) -> Option<Records> {
    if !folder.database {
        report.fault(DATABASE, "it is missing");
        return None;
    }
    if folder.log {
        match log::damaged_frame(&dir.join(LOG)) {
            Ok(None) => {}
            Ok(Some(0)) => report.fault(LOG, "its header is damaged: all in it is lost"),
            Ok(Some(frame)) => report.fault(
                format!("{LOG}: frame {frame}"),
                "it is damaged: this commit and the later ones are lost",
            ),
            Err(error) => report.fault(LOG, error.to_string()),
        }
    }
    match Snapshot::open(dir, folder.log) {
        Ok(snapshot) => Some(database::check(&snapshot, known, report)),
        Err(error) => {
            report.fault(DATABASE, error.to_string());
            place_damage(dir, known.closing, report);
            None
        }
    }
}

/// Holds the database against `vault.head`; whether the store was closed in good order.
fn against_closing(
    dir: &Path,
    folder: &Folder,
    closing: Option<&Closing>,
    records: &Records,
    report: &mut Report,
) -> bool {
    let Some(closing) = closing else {
        return without_closing(folder, records, report);
    };
    // Written on since: only the box can have signed a later head.
    let stale = records.signed.is_some_and(|head| head.seq > closing.journal_seq);
    if !records.met_closing {
        let what = format!(
            "line {} is not the one that vault.head has signed: changed, cut off or set back",
            closing.journal_seq
        );
        report.fault(format!("{DATABASE}: journal"), what);
    }
    if !stale {
        place_damage(dir, Some(closing), report);
        if folder.log {
            report.fault(LOG, "it was added: the store was closed without");
        }
        if records.items.len() as u64 != closing.items {
            let what = format!(
                "{} items, where vault.head has signed {}",
                records.items.len(),
                closing.items
            );
            report.fault(DATABASE, what);
        }
        return true;
    }
    if records.closed && folder.unfinished.is_empty() {
        report.fault(
            closing::NAME,
            "it is older than the last closing: it was set back",
        );
    } else {
        cut_off(report);
    }
    false
}

fn without_closing(folder: &Folder, records: &Records, report: &mut Report) -> bool {
    if folder.head {
        // Damaged, and told so already.
    } else if records.closed && folder.unfinished.is_empty() {
        report.fault(
            closing::NAME,
            "it is missing, though the journal says that the store was closed",
        );
    } else {
        cut_off(report);
    }
    false
}

fn cut_off(report: &mut Report) {
    report.remark(
        "not closed cleanly (power cut or kill): all it says was checked, but not every bit of its \
         database; opening it again on its box repairs that",
    );
}

/// Names the bytes of the database file that are not those that were signed at closing.
fn place_damage(dir: &Path, closing: Option<&Closing>, report: &mut Report) {
    let Some(closing) = closing else { return };
    match Fixed::of(&dir.join(DATABASE)) {
        Ok(now) => {
            for (first, last) in closing.database.differences(&now) {
                report.fault(
                    format!("{DATABASE}: bytes {first} to {last}"),
                    "changed since the store was closed",
                );
            }
        }
        Err(error) => report.fault(DATABASE, error.to_string()),
    }
}
