//! Reading ahead: the next files of a card, read, hashed and made ready while the networks look at the one before.
//!
//! Promises: files come out in the order in which they were asked for; at most [`AHEAD`] of them are more than read,
//! whatever the card holds, and their bytes lie in one buffer that is used again; with one thread nothing runs beside
//! the caller. What is known already is hashed and not decoded. Leaves looking and the ledger to [`super::taking`].

use std::collections::BTreeSet;
use std::sync::mpsc::sync_channel;
use std::thread;

use super::look::{self, Prepared};
use crate::card::{self, Card, CardFile};
use crate::frame::Digest;
use crate::jpeg;

/// Frames made ready that wait for the networks, the one in the making not counted.
pub(super) const AHEAD: usize = 1;

/// A file that was read.
pub(super) struct Read {
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Bytes.
    pub size: u64,
    /// What the scout is to see; `None` where the bytes were known.
    pub prepared: Option<Result<Prepared, jpeg::Error>>,
}

/// Reads one file after the other into one buffer.
pub(super) struct Reader<'a> {
    card: &'a Card,
    known: &'a BTreeSet<Digest>,
    bytes: Vec<u8>,
}

impl<'a> Reader<'a> {
    /// Of this card; frames of the digests in `known` are not decoded.
    pub fn new(card: &'a Card, known: &'a BTreeSet<Digest>) -> Self {
        Self {
            card,
            known,
            bytes: Vec::new(),
        }
    }

    /// Reads one file.
    pub fn read(&mut self, file: &CardFile) -> Result<Read, card::Error> {
        card::read_into(self.card, &file.path, card::FRAME_AT_MOST, &mut self.bytes)?;
        let digest = Digest::of(&self.bytes);
        Ok(Read {
            digest,
            size: self.bytes.len() as u64,
            prepared: (!self.known.contains(&digest)).then(|| look::prepare(&self.bytes)),
        })
    }
}

/// Gives the next one of the files, which must be the one that is named.
pub(super) type Next<'n> = dyn FnMut(&CardFile) -> Result<Read, card::Error> + 'n;

/// Does `work` with the files at hand in their order; with `overlap` a thread of its own reads them ahead.
pub(super) fn ahead<T>(
    mut reader: Reader<'_>,
    files: &[CardFile],
    overlap: bool,
    work: impl FnOnce(&mut Next<'_>) -> T,
) -> T {
    if !overlap || files.len() < 2 {
        return work(&mut |file| reader.read(file));
    }
    thread::scope(|scope| {
        let (send, receive) = sync_channel(AHEAD);
        let mut here = Reader::new(reader.card, reader.known);
        let reading = move || {
            // The caller may have had enough.
            for file in files {
                if send.send(reader.read(file)).is_err() {
                    break;
                }
            }
        };
        let started = thread::Builder::new()
            .name("vigie-ahead".to_owned())
            .spawn_scoped(scope, reading);
        if let Err(error) = started {
            tracing::warn!(%error, "no thread to read ahead with");
        }
        work(&mut |file| receive.recv().unwrap_or_else(|_| here.read(file)))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;
    use crate::card::Limits;

    fn card(files: usize) -> (tempfile::TempDir, Card, Vec<CardFile>) {
        let folder = tempfile::tempdir().expect("a folder");
        for number in 0..files {
            fs::write(folder.path().join(format!("{number:03}.jpg")), [number as u8]).expect("written");
        }
        let card = Card::open(folder.path()).expect("a card");
        let files = card::list(&card, &Limits::default()).expect("listed").frames;
        (folder, card, files)
    }

    #[test]
    fn files_come_in_their_order_with_one_thread_and_with_more() {
        let (_folder, card, files) = card(40);
        let expected: Vec<_> = (0..40u8).map(|number| Digest::of(&[number])).collect();
        for overlap in [false, true] {
            let none = BTreeSet::new();
            let digests: Vec<_> = ahead(Reader::new(&card, &none), &files, overlap, |next| {
                files
                    .iter()
                    .map(|file| next(file).expect("read").digest)
                    .collect()
            });
            assert_eq!(digests, expected);
        }
    }

    #[test]
    fn no_more_files_than_the_bound_are_read_before_they_are_asked_for() {
        let (folder, card, files) = card(40);
        let none = BTreeSet::new();
        ahead(Reader::new(&card, &none), &files, true, |next| {
            next(&files[0]).expect("read");
            // Behind it, one lies in the channel and one waits to be put there.
            let unread = AHEAD + 2;
            for number in unread..files.len() {
                fs::write(folder.path().join(format!("{number:03}.jpg")), b"changed").expect("written");
            }
            for (number, file) in files.iter().enumerate().skip(1) {
                let is_changed = next(file).expect("read").digest == Digest::of(b"changed");
                assert!(is_changed || number < unread, "{number} was read ahead");
            }
        });
    }

    #[test]
    fn a_caller_that_has_had_enough_is_not_held_up() {
        let (_folder, card, files) = card(40);
        let (tell, ended) = channel();
        thread::spawn(move || {
            let none = BTreeSet::new();
            ahead(Reader::new(&card, &none), &files, true, |next| {
                next(&files[0]).map(|_| ()).expect("read");
            });
            tell.send(()).expect("heard");
        });
        assert!(ended.recv_timeout(Duration::from_secs(60)).is_ok());
    }

    #[test]
    fn what_is_known_is_hashed_and_not_decoded() {
        let (_folder, card, files) = card(2);
        let known = BTreeSet::from([Digest::of(&[1])]);
        let mut reader = Reader::new(&card, &known);
        let prepared = files.iter().map(|file| reader.read(file).expect("read").prepared);
        assert_eq!(prepared.map(|p| p.is_some()).collect::<Vec<_>>(), [true, false]);
    }
}
