//! Whether a bundle may be taken, and what of it is new.
//!
//! Promises: what an enrolled box has signed, what no bundle brought before and what goes on from where the box's
//! journal ended last time, or a refusal that says what else; what was here before is not chosen again, be it in the
//! store or erased since, and nothing is chosen for which there is no room.

use std::collections::BTreeMap;

use super::{Bundle, Chosen, Followed};
use crate::frame::BoxTime;
use crate::transfer::contents::{Contents, Listed};
use crate::transfer::desk::Desk;
use crate::transfer::inspect::{self, Inspection, papers};
use crate::transfer::{Error, Reason, Refusal, io_at};
use crate::vault::item::ItemId;
use crate::vault::journal::Head;

impl Bundle {
    /// Looks at all of it but the items; if that has a fault, at these too, to name what else has one.
    pub fn check(self) -> Result<Followed, Error> {
        let own = |contents: &Contents| self.enrolled.get(&contents.device).cloned();
        let mut found = papers(&self.folder, Some(self.name), own, self.pinned.seq);
        if !found.faults.is_empty() {
            inspect::items(&self.folder, &mut found);
        }
        let (contents, text) = sound(&found)?;
        follows(contents, self.last, self.pinned, &found)?;
        Ok(Followed {
            contents: contents.clone(),
            text: text.clone(),
            told_earlier: found.told_earlier,
            bundle: self,
        })
    }
}

impl Followed {
    /// Finds out what of it was never here, and to whom its content keys are to be wrapped.
    pub fn choose(self, desk: &Desk, now: BoxTime) -> Result<Chosen, Error> {
        let new = new_items(desk, &self.contents, &self.told_earlier)?;
        refuse_without_room(desk, &new)?;
        let mut wrapped = BTreeMap::new();
        for item in &new {
            if let Some(stanzas) = desk.wrapped(item.event)? {
                wrapped.insert(item.event, stanzas);
            }
        }
        let mut erased_before = 0;
        let mut is_new = new.iter().map(Listed::id).peekable();
        for id in self.contents.items.iter().map(Listed::id) {
            // Both lists are in order.
            if is_new.next_if_eq(&id).is_none() && !desk.holds(id)? {
                erased_before += 1;
            }
        }
        Ok(Chosen {
            followed: self,
            new,
            erased_before,
            wrapped,
            recipients: desk.ring.choose(now).recipients,
            staging: desk.store.staging(),
        })
    }
}

/// The contents of a bundle without a fault.
fn sound(found: &Inspection) -> Result<(&Contents, &String), Refusal> {
    match &found.contents {
        Some((contents, text)) if found.faults.is_empty() => Ok((contents, text)),
        _ => Err(Refusal {
            reason: match found.unknown_signer {
                true => Reason::UnknownSigner,
                false if found.other_name => Reason::OtherDevice,
                false => Reason::Damaged,
            },
            details: found.faults.iter().map(ToString::to_string).collect(),
        }),
    }
}

/// Whether the bundle comes after the last one, and its journal goes on from where that one's ended. Pure.
fn follows(contents: &Contents, last: Option<u64>, pinned: Head, found: &Inspection) -> Result<(), Refusal> {
    let refuse = |reason, what: String| Err(Refusal::new(reason, what));
    let excerpt = &contents.journal;
    match last {
        Some(last) if contents.bundle < last => {
            let what = format!(
                "bundle {} was taken already; this is number {}",
                last, contents.bundle
            );
            return refuse(Reason::Replay, what);
        }
        Some(last) if contents.bundle == last => {
            let what = format!("another bundle of the number {last} was taken: the box has two histories");
            return refuse(Reason::Fork, what);
        }
        _ => {}
    }
    if excerpt.after.seq > pinned.seq {
        let what = format!(
            "its journal begins behind line {}; the last one known here is {}: the box was answered by a desk that knew \
             more; if this desk was restored from a backup, order the box to resend",
            excerpt.after.seq, pinned.seq
        );
        return refuse(Reason::Gap, what);
    }
    if found.met != Some(pinned.hash) {
        let what = match excerpt.head.seq < pinned.seq {
            true => format!(
                "its journal ends with line {}; line {} is known here: it was set back",
                excerpt.head.seq, pinned.seq
            ),
            false => format!(
                "line {} of its journal is another than the one known here",
                pinned.seq
            ),
        };
        return refuse(Reason::Fork, what);
    }
    Ok(())
}

/// The items that were never here.
fn new_items(desk: &Desk, contents: &Contents, told_earlier: &[ItemId]) -> Result<Vec<Listed>, Error> {
    let mut new = Vec::new();
    for item in &contents.items {
        let id = item.id();
        match desk.taken(id)? {
            Some(taken) if taken.device != contents.device.to_string() => {
                let what = format!("{id} was taken from the box {}", taken.device);
                return Err(Refusal::new(Reason::OtherDevice, what).into());
            }
            Some(taken) if taken.sha256 != item.sha256.to_string() => {
                let what = format!("{id} was taken before with another content");
                return Err(Refusal::new(Reason::Damaged, what).into());
            }
            Some(_) => {}
            None if told_earlier.contains(&id) && !desk.was_sealed(item, contents.device)? => {
                let what = format!("{id}: no line of the box's journal tells that it was sealed");
                return Err(Refusal::new(Reason::Damaged, what).into());
            }
            // Of an event that was erased, what comes late is not taken either.
            None if desk.erased(item.event)? => {}
            None => new.push(*item),
        }
    }
    Ok(new)
}

fn refuse_without_room(desk: &Desk, new: &[Listed]) -> Result<(), Error> {
    let dir = desk.store.dir();
    let fs = rustix::fs::statvfs(dir).map_err(|errno| io_at(dir)(errno.into()))?;
    let free = fs.f_bavail.saturating_mul(fs.f_frsize);
    let needed = new.iter().map(|item| item.size).fold(0, u64::saturating_add);
    match needed <= free {
        true => Ok(()),
        false => Err(Error::NoRoom {
            path: dir.to_owned(),
            needed,
            free,
        }),
    }
}
