//! What runs beside the networks: the next files of a card are read, hashed and made ready while they look at the one
//! before ([`ahead`]); a witness is masked and sealed while they look at the next ([`one_beside`]).
//!
//! Promises: everything comes out in the order in which it went in; one frame at most is made ready while the networks
//! look at another, whatever the card holds, and the files' bytes lie in one buffer that is used again; with one thread
//! nothing runs beside the caller. What is known already is hashed and not decoded. Leaves looking and the ledger to
//! [`super::taking`], verdicts to [`super::closing`].

use std::collections::BTreeSet;
use std::sync::mpsc::sync_channel;
use std::thread;

use super::look::{self, Prepared};
use crate::card::{self, Card, CardFile};
use crate::frame::Digest;
use crate::jpeg;

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
        let (digest, size) = (Digest::of(&self.bytes), self.bytes.len() as u64);
        Ok(Read {
            digest,
            size,
            prepared: (!self.known.contains(&digest)).then(|| look::prepare(&mut self.bytes)),
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
        // Nothing is kept between the two: making a frame ready takes a fraction of looking at one, and each that waits
        // costs its small picture's memory.
        let (send, receive) = sync_channel(0);
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

/// Does `second` to each thing in turn, on `bench`; with `beside` on a thread of its own, while the next thing is made.
/// The first failure, of the making or of `second`, ends it.
pub(super) fn one_beside<B: Send, T: Send, E: Send>(
    bench: B,
    things: impl Iterator<Item = Result<T, E>>,
    beside: bool,
    second: impl Fn(&mut B, T) -> Result<(), E> + Sync,
) -> Result<B, E> {
    let worked = |mut bench: B, thing: T| second(&mut bench, thing).map(|()| bench);
    if !beside {
        let mut bench = bench;
        for thing in things {
            bench = worked(bench, thing?)?;
        }
        return Ok(bench);
    }
    let worked = &worked;
    thread::scope(|scope| {
        let mut at_work = Work::Done(bench);
        for thing in things {
            let thing = thing?;
            let bench = at_work.end()?;
            at_work = Work::Running(scope.spawn(move || worked(bench, thing)));
        }
        at_work.end()
    })
}

/// Work that another thread may be at.
enum Work<'s, B, E> {
    Done(B),
    Running(thread::ScopedJoinHandle<'s, Result<B, E>>),
}

impl<B, E> Work<'_, B, E> {
    fn end(self) -> Result<B, E> {
        match self {
            Self::Done(bench) => Ok(bench),
            Self::Running(thread) => thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        }
    }
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
            // The one behind it waits to be handed over.
            let unread = 2;
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

    #[test]
    fn what_is_done_beside_is_done_in_order_and_ends_with_the_first_failure() {
        for beside in [false, true] {
            let done = one_beside(Vec::new(), (0..20).map(Ok::<_, u32>), beside, |done, thing| {
                done.push(thing);
                Ok(())
            });
            assert_eq!(done, Ok((0..20).collect()));
            let second = |_: &mut (), thing| if thing == 7 { Err(thing) } else { Ok(()) };
            assert_eq!(one_beside((), (0..20).map(Ok), beside, second), Err(7));
            let making = (0..20).map(|thing| if thing == 3 { Err(thing) } else { Ok(thing) });
            assert_eq!(one_beside((), making, beside, second), Err(3));
        }
    }
}
