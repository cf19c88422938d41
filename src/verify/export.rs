//! The journal as JSON lines: written from a store, checked without one.
//!
//! Promises: writing changes nothing in the store and takes the lines as they stand, good or bad; whatever
//! was changed, taken out, added or moved in an export is found, and the first line that does not fit is
//! named. A part of a journal is checked as far as it goes, and the report says so.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};

use super::database::{self, Snapshot};
use super::journal::{Milestone, Walk};
use super::store::hold;
use super::{Error, Report, io_at};
use crate::frame::Digest;
use crate::vault::DevicePublic;
use crate::vault::checkpoint::Checkpoint;
use crate::vault::export::{self, FORMAT, Header, Last, Reader, Record, Signed, write_line};
use crate::vault::journal::{Head, Line, genesis};
use crate::vault::store::LOG;

/// How every export begins.
pub(super) const START: &[u8] = b"{\"export\":";

/// Writes the journal of the store in `dir` to `out`, a new file: all of it, or the lines from `from` on.
/// Gives how many lines, and the head.
pub fn write_export(dir: &Path, out: &Path, from: Option<u64>) -> Result<(u64, Head), Error> {
    let unreadable = |source: io::Error| io_at(dir, source);
    let _alone = hold(dir)?;
    let has_log = dir.join(LOG).metadata().is_ok_and(|meta| meta.len() > 0);
    let snapshot = Snapshot::open(dir, has_log).map_err(|error| unreadable(io::Error::other(error)))?;
    let sql = snapshot.sql();
    let (header, head) = ends(sql, from).map_err(|error| unreadable(io::Error::other(error)))?;
    let written = |source| io_at(out, source);
    let mut file = BufWriter::new(File::create_new(out).map_err(written)?);
    let count = copy(sql, &header, &head, &mut file);
    let count = count.and_then(|count| {
        file.flush()?;
        file.get_ref().sync_all()?;
        Ok(count)
    });
    match count {
        Ok(count) => Ok((
            count,
            Head {
                seq: head.head.seq,
                hash: head.head.hash,
            },
        )),
        Err(error) => {
            // Half an export is none.
            let _ = std::fs::remove_file(out);
            Err(written(error))
        }
    }
}

/// Writes the journal of an open store, all of it or the lines from `from` on: for who holds the store. Gives how many
/// lines, and the head.
pub fn write_part(sql: &Connection, out: &mut impl io::Write, from: Option<u64>) -> io::Result<(u64, Head)> {
    let (header, last) = ends(sql, from).map_err(io::Error::other)?;
    let count = copy(sql, &header, &last, out)?;
    Ok((
        count,
        Head {
            seq: last.head.seq,
            hash: last.head.hash,
        },
    ))
}

/// First and last line of an export.
fn ends(sql: &Connection, from: Option<u64>) -> Result<(Header, Last), database::SnapshotError> {
    let missing = |what: &str| io::Error::other(format!("{what} is missing"));
    let device_key = database::device(sql)?.ok_or_else(|| missing("the box's key"))?;
    let (head, signature) = database::signed_head(sql)?.ok_or_else(|| missing("the signed head"))?;
    let checkpoint = Checkpoint::text(sql)?;
    let first = "SELECT seq, prev FROM journal WHERE seq >= ? ORDER BY seq LIMIT 1";
    let after = sql.query_row(first, [from.unwrap_or(0)], |row| {
        Ok(Head {
            seq: row.get::<_, u64>(0)?.saturating_sub(1),
            hash: Digest::from_bytes(row.get(1)?),
        })
    });
    // From beyond the end on there is nothing but the head.
    let after = after.optional()?.unwrap_or(head);
    let header = Header {
        export: FORMAT.to_owned(),
        device: device_key.id(),
        device_key,
        after,
        checkpoint,
    };
    let head = Signed {
        seq: head.seq,
        hash: head.hash,
        signature: hex::encode(signature),
    };
    Ok((header, Last { head }))
}

fn copy(sql: &Connection, header: &Header, head: &Last, out: &mut impl io::Write) -> io::Result<u64> {
    write_line(out, header)?;
    let (count, _) = lines(sql, (header.after.seq, i64::MAX as u64), -1, out)?;
    write_line(out, head)?;
    Ok(count)
}

/// Writes the lines behind one number up to another, so many at most, below zero all: how many, and the last one's number.
fn lines(
    sql: &Connection,
    (mut at, until): (u64, u64),
    most: i64,
    out: &mut impl io::Write,
) -> io::Result<(u64, u64)> {
    let lines = "SELECT seq, time, kind, body, prev, hash FROM journal
                  WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?";
    let mut lines = sql.prepare_cached(lines).map_err(io::Error::other)?;
    let mut rows = lines
        .query(rusqlite::params![at, until, most])
        .map_err(io::Error::other)?;
    let mut count = 0;
    while let Some(row) = rows.next().map_err(io::Error::other)? {
        let line = Line::of_row(row).map_err(io::Error::other)?;
        at = line.seq;
        write_line(out, &line)?;
        count += 1;
    }
    Ok((count, at))
}

/// Lines of a slice.
const SLICE: i64 = 1000;

/// The journal of an open store, written slice by slice: as it was when this began, whatever is added between two.
pub struct Slices {
    checkpoint: Option<String>,
    last: Last,
    /// The last line that is written.
    at: u64,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// There is more to write.
    Some,
    /// It is whole.
    All,
    /// The oldest lines were pruned meanwhile: it is none, and is to be begun anew.
    Pruned,
}

impl Slices {
    /// Begins it: for who holds the store.
    pub fn begin(sql: &Connection, out: &mut impl io::Write) -> io::Result<Self> {
        let (header, last) = ends(sql, None).map_err(io::Error::other)?;
        write_line(out, &header)?;
        Ok(Self {
            at: header.after.seq,
            checkpoint: header.checkpoint,
            last,
        })
    }

    /// Writes the next slice: for who holds the store.
    pub fn go_on(&mut self, sql: &Connection, out: &mut impl io::Write) -> io::Result<Written> {
        if Checkpoint::text(sql).map_err(io::Error::other)? != self.checkpoint {
            return Ok(Written::Pruned);
        }
        let before = self.at;
        (_, self.at) = lines(sql, (before, self.last.head.seq), SLICE, out)?;
        if self.at > before {
            return Ok(Written::Some);
        }
        write_line(out, &self.last)?;
        Ok(Written::All)
    }
}

/// Checks the export at `path`. `device` is the box that is trusted to have written it; without it the
/// export is taken at its word, and the report says so. It must contain the line `pinned`.
pub fn export(path: &Path, device: Option<&DevicePublic>, pinned: Option<Head>) -> Result<Report, Error> {
    let mut report = Report::new(path);
    let file = File::open(path).map_err(|source| io_at(path, source))?;
    let (mut reader, header) = match Reader::new(BufReader::new(file)) {
        Ok(read) => read,
        Err(error) => {
            told(path, "its first line", error, &mut report)?;
            return Ok(report);
        }
    };
    let trusted = device.unwrap_or(&header.device_key);
    if *trusted != header.device_key {
        let what = format!("it is of the box {}, not {}", header.device, trusted.id());
        report.fault("its first line", what);
    }
    begins(&header, trusted, &mut report);
    let mut walk = Walk::after(header.after);
    let mut pinned = pinned.map(|head| Milestone::new(head, header.after));
    let end = loop {
        let next = walk.head().seq.saturating_add(1);
        match reader.record() {
            Ok(Some(Record::Line(line))) => {
                for what in walk.step(&line) {
                    report.fault(format!("journal line {}", line.seq), what);
                }
                pinned.iter_mut().for_each(|pinned| pinned.pass(&line));
            }
            Ok(Some(Record::Last(last))) => break Some(last.head),
            Ok(None) => break None,
            Err(error) => {
                told(
                    path,
                    &format!("the line for journal line {next}"),
                    error,
                    &mut report,
                )?;
                return Ok(report);
            }
        }
    };
    ends_there(&walk, end, trusted, &mut report);
    if !matches!(reader.record(), Ok(None)) {
        report.fault("after its last line", "something was added");
    }
    if let Some(what) = pinned.and_then(|pinned| pinned.missed(header.after, walk.head())) {
        report.fault("journal", what);
    }
    report.remarks.extend(walk.clock());
    if device.is_none() {
        report.remark(format!(
            "the export says itself that it is of the box {}; name the box's public key to be sure",
            header.device
        ));
    }
    Ok(report)
}

/// Whether the chain begins where this box's does, or where it signed that it does.
fn begins(header: &Header, device: &DevicePublic, report: &mut Report) {
    let Head { seq, hash } = header.after;
    let from = match &header.checkpoint {
        None => Head::empty(device),
        Some(text) => match Checkpoint::read(text, device) {
            Ok(checkpoint) => {
                report.remark(database::pruned(&checkpoint));
                checkpoint.head()
            }
            Err(error) => return report.fault("its first line", format!("its checkpoint: {error}")),
        },
    };
    if seq > from.seq {
        report.remark(format!("a part of the journal: it begins after line {seq}"));
    } else if header.after != from {
        let what = match seq == 0 && hash != genesis(device) {
            true => "the chain does not begin with this box",
            false => "the chain does not begin where its checkpoint says",
        };
        report.fault("its first line", what);
    }
}

fn ends_there(walk: &Walk, end: Option<Signed>, device: &DevicePublic, report: &mut Report) {
    let Some(end) = end else {
        return report.fault("journal", "cut off: its last line, the signed head, is missing");
    };
    match end.by(device) {
        Some(head) => {
            report.head = Some(head.to_string());
            if let Some(what) = walk.end(head) {
                report.fault("journal", what);
            }
        }
        None => report.fault(
            "its last line",
            format!("the journal's head is not signed by the box {}", device.id()),
        ),
    }
}

fn told(path: &Path, place: &str, error: export::Error, report: &mut Report) -> Result<(), Error> {
    match error {
        export::Error::Damaged => report.fault(place, error.to_string()),
        export::Error::Io(source) => return Err(io_at(path, source)),
    }
    Ok(())
}
