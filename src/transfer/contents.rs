//! The contents document of a bundle: what it holds, signed by the box. Pure.
//!
//! Promises: what [`Contents::faults`] lets pass lists each item once and in order, with sizes that items can
//! have, and a journal whose length fits its two ends; no number in it can make a reader allocate without
//! bound.

use serde::{Deserialize, Serialize};

use super::{BundleName, LONGEST_FILE, MOST_ITEMS};
use crate::frame::{BoxTime, Digest, EventId};
use crate::vault::item::{CHUNK, FIXED, ItemId, ItemKind, LONGEST, MOST_STANZAS, STANZA, TAG};
use crate::vault::journal::Head;
use crate::vault::signed::{self, Document};
use crate::vault::store::ItemFacts;
use crate::vault::{DeviceId, DevicePublic};

/// Bytes of an item file at most.
const LONGEST_ITEM: u64 =
    (FIXED + STANZA * MOST_STANZAS) as u64 + LONGEST + LONGEST / CHUNK as u64 * TAG as u64;

/// One bundle an hour for a hundred years.
const MOST_BUNDLES: u64 = 1_000_000;

/// Bytes of a drill at most: a header, a secret of 64 digits, and then some.
const LONGEST_DRILL: u64 = 4096;

/// What a bundle holds. Members in the order in which they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// The bundle's number.
    pub bundle: u64,
    /// Items that the box has a row of, and whose file is not what was sealed any more: not here.
    pub damaged: Vec<ListedName>,
    /// The box.
    pub device: DeviceId,
    /// Its public key.
    pub device_key: DevicePublic,
    /// The drill item.
    pub drill: FileFacts,
    /// The items, by event and number.
    pub items: Vec<Listed>,
    /// The journal's excerpt.
    pub journal: Excerpt,
    /// Box time.
    pub made: BoxTime,
    /// The program's version.
    pub program: String,
}

impl Document for Contents {
    const TITLE: &'static str = "vigie bundle 1";
}

/// A file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileFacts {
    /// SHA-256 of it.
    pub sha256: Digest,
    /// Bytes.
    pub size: u64,
}

/// An item's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedName {
    /// Its event.
    pub event: EventId,
    /// Its number.
    pub number: u32,
}

impl From<ListedName> for ItemId {
    fn from(name: ListedName) -> Self {
        Self {
            event: name.event,
            number: name.number,
        }
    }
}

/// An item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listed {
    /// Its event.
    pub event: EventId,
    /// What it holds.
    pub kind: ItemKind,
    /// Its number.
    pub number: u32,
    /// SHA-256 of the file.
    pub sha256: Digest,
    /// Bytes of the file.
    pub size: u64,
}

impl Listed {
    /// Its name.
    pub fn id(&self) -> ItemId {
        ItemId {
            event: self.event,
            number: self.number,
        }
    }

    /// As the store speaks of it.
    pub fn facts(&self, device: DeviceId) -> ItemFacts {
        ItemFacts {
            device,
            id: self.id(),
            kind: self.kind,
            size: self.size,
            digest: self.sha256,
        }
    }
}

/// A piece of the box's journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Excerpt {
    /// The line before the first one: the last one that the desk has answered, or where the journal begins.
    pub after: Head,
    /// The last line.
    pub head: Head,
    /// SHA-256 of the file.
    pub sha256: Digest,
    /// Bytes of the file.
    pub size: u64,
}

impl Contents {
    /// The folder's name.
    pub fn name(&self) -> BundleName {
        BundleName {
            device: self.device,
            number: self.bundle,
        }
    }

    /// Reads the document; it must be signed by the key that `signer` finds for it, which is the one that it
    /// names.
    pub fn read(
        text: &str,
        signer: impl FnOnce(&Self) -> Option<DevicePublic>,
    ) -> Result<Self, signed::Error> {
        let named = |contents: &Self| {
            let own = contents.device_key.id() == contents.device;
            signer(contents).filter(|key| own && *key == contents.device_key)
        };
        signed::read_by(text, named, "an enrolled box, or not of the one it names")
    }

    /// Bytes of all files that it lists.
    pub fn size(&self) -> u64 {
        let items = self.items.iter().map(|item| item.size);
        items
            .chain([self.drill.size, self.journal.size])
            .fold(0, u64::saturating_add)
    }

    /// What no box writes.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.items.len().saturating_add(self.damaged.len()) > MOST_ITEMS {
            faults.push(format!("more than {MOST_ITEMS} items"));
        }
        if !self.items.is_sorted_by(|a, b| a.id() < b.id()) {
            faults.push("an item is listed twice, or out of order".to_owned());
        }
        if !self.damaged.is_sorted_by(|a, b| a < b) {
            faults.push("a damaged item is listed twice, or out of order".to_owned());
        }
        let damaged = |id: ItemId| {
            self.damaged
                .binary_search_by_key(&id, |name| ItemId::from(*name))
                .is_ok()
        };
        if self.items.iter().any(|item| damaged(item.id())) {
            faults.push("an item is both here and damaged".to_owned());
        }
        for item in self.items.iter().filter(|item| item.size > LONGEST_ITEM) {
            faults.push(format!(
                "{}: {} bytes are more than any item has",
                item.id(),
                item.size
            ));
        }
        if self.drill.size > LONGEST_DRILL {
            faults.push("the drill is longer than any drill".to_owned());
        }
        if self.journal.size > LONGEST_FILE {
            faults.push("the journal is longer than any file on a stick".to_owned());
        }
        if self.journal.after.seq > self.journal.head.seq {
            faults.push("its journal ends before it begins".to_owned());
        }
        if !(1..=MOST_BUNDLES).contains(&self.bundle) {
            faults.push(format!("bundles are counted from 1 to {MOST_BUNDLES}"));
        }
        faults
    }
}
