//! Certificates of destruction: what was destroyed, how, when and how late, signed by the box that did it.
//!
//! Promises: the fields that such a certificate needs and no personal data; the sentence about what flash memory
//! does not allow anyone to promise, word for word, on each; a page for people that says the same in French, on
//! 78 columns, whose SHA-256 is signed with the rest. Pure: what is told comes in. Leaves keeping them to
//! [`super::store`], and telling of them in the journal to those who destroyed.

pub mod erasure;
mod layout;
mod page;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::journal::Head;
use super::keys::{DeviceId, DevicePublic};
use super::signed::Document;
use crate::frame::{BoxTime, CameraId, Digest, EventId};

pub use page::page;

/// A certificate that has a page of its own, whose SHA-256 it names.
pub trait Paged: Document {
    /// Its number.
    fn number(&self) -> &str;
    /// The page, whatever it names now.
    fn page(&self) -> String;
    /// Names this page.
    fn names(&mut self, page: Digest);
    /// The page that it names.
    fn named(&self) -> Digest;
    /// The journal's last line before the one that names the certificate.
    fn journal(&self) -> &LastLine;
}

/// What no program can promise of a memory card, as it must be printed.
pub const LIMIT: &str = "La suppression est logique : les fichiers ont été réécrits et effacés, puis l'absence a été \
contrôlée par relecture. Sur une mémoire flash, la répartition de l'usure peut laisser des copies dans des zones que \
ni l'appareil ni vigie ne peuvent atteindre ; seule la destruction physique de la carte (NIST SP 800-88, « Destroy ») \
les élimine avec certitude.";

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Its name, once per box: of `a-z`, `0-9` and `-`.
    pub number: String,
    /// What was destroyed, and how.
    pub what: What,
    /// The box that did it.
    pub device: DeviceId,
    /// Its public key.
    pub device_key: DevicePublic,
    /// The camera whose data it was.
    pub camera: CameraId,
    /// Where that stands, in words.
    pub site: String,
    /// The legal ground that the city states for it.
    pub regime: Regime,
    /// The time over which the data came.
    pub period: Period,
    /// When it had to be done at the latest.
    pub due: BoxTime,
    /// When it began.
    pub began: BoxTime,
    /// When it was done.
    pub ended: BoxTime,
    /// How much later than due; 0 if in time.
    pub late_seconds: u64,
    /// The program's version.
    pub program: String,
    /// The journal's last line before the one that names this certificate.
    pub journal: LastLine,
    /// [`LIMIT`].
    pub limit: String,
    /// SHA-256 of its [`page`].
    pub page: Digest,
}

impl Document for Certificate {
    const TITLE: &'static str = "vigie certificate 1";
}

impl Paged for Certificate {
    fn number(&self) -> &str {
        &self.number
    }

    fn page(&self) -> String {
        page(self)
    }

    fn names(&mut self, page: Digest) {
        self.page = page;
    }

    fn named(&self) -> Digest {
        self.page
    }

    fn journal(&self) -> &LastLine {
        &self.journal
    }
}

/// What was destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// All that lay on a memory card.
    Wipe(Wipe),
    /// Sealed events that nobody fetched in time.
    Expired(Expired),
    /// An event that an agent put aside.
    Dismissed(Dismissed),
}

/// An event that an agent looked at and put aside: it proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dismissed {
    /// Which.
    pub event: EventId,
    /// Whose decision: an opaque account.
    pub account: String,
    /// Why: a word of [`DISMISSALS`].
    pub motive: String,
    /// Its items.
    pub items: u64,
    /// Bytes of these.
    pub bytes: u64,
}

/// Why an event may be put aside: the stable word, and how it stands on paper and on screen.
pub const DISMISSALS: [(&str, &str); 5] = [
    ("no-offence", "aucune infraction visible"),
    (
        "lawful-deposit",
        "dépôt régulier (service, collecte, riverain autorisé)",
    ),
    ("nobody-identifiable", "véhicule ou plaque inexploitable"),
    ("duplicate", "double d'un autre événement"),
    ("false-trigger", "déclenchement sans objet"),
];

/// Sealed events that went because their term was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expired {
    /// Events.
    pub events: u64,
    /// Their items.
    pub items: u64,
    /// Bytes of these.
    pub bytes: u64,
}

/// The legal ground of a camera, as the configuration states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regime {
    /// A word of docs/trap.example.toml.
    pub kind: String,
    /// Number of the arrêté, authorisation or by-law.
    pub reference: String,
}

/// A time from one moment to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// Its first moment.
    pub from: BoxTime,
    /// Its last.
    pub until: BoxTime,
}

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastLine {
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
}

impl From<Head> for LastLine {
    fn from(head: Head) -> Self {
        Self {
            seq: head.seq,
            hash: head.hash,
        }
    }
}

/// Why a card was wiped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Its term had run out.
    Due,
    /// Somebody asked for it.
    Asked,
}

/// How a card was wiped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wipe {
    /// Why.
    pub reason: Reason,
    /// How often it had been cut off and was begun again.
    pub interrupted: u32,
    /// The card.
    pub card: Card,
    /// What lay on it.
    pub files: Files,
    /// Photographs that could not be processed before, by the words of docs/commands.md.
    pub unusable: BTreeMap<String, u64>,
    /// The free space.
    pub fill: Fill,
    /// Whether the system took the order to discard the freed blocks.
    pub discard_passed_on: bool,
}

impl Wipe {
    /// Whether all of it was done and found so.
    pub fn is_whole(&self) -> bool {
        let (files, fill) = (&self.files, &self.fill);
        let troubles = files.not_overwritten + files.not_removed + fill.refused;
        troubles + fill.blocks_different + fill.blocks_unread == 0
            && fill.blocks_read == fill.bytes.div_ceil(512)
    }
}

/// A memory card, as far as the system tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// The name of its file system.
    pub file_system: String,
    /// Its volume's serial number.
    pub serial: Option<String>,
    /// Its size; 0 where the system does not tell.
    pub bytes: u64,
}

/// The files that lay on a card.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    /// Photographs.
    pub frames: u64,
    /// Videos.
    pub videos: u64,
    /// Other files.
    pub others: u64,
    /// Links and the like.
    pub links: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Files of which a part could not be overwritten.
    pub not_overwritten: u64,
    /// Names that are still there.
    pub not_removed: u64,
}

/// How the free space was filled, and what the read-back found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fill {
    /// What the stream was made from: docs/formats.md.
    pub seed: Digest,
    /// Bytes that were written.
    pub bytes: u64,
    /// Writes that the card refused.
    pub refused: u64,
    /// Blocks of 512 bytes read back.
    pub blocks_read: u64,
    /// Those that were not what was written.
    pub blocks_different: u64,
    /// Those that could not be read.
    pub blocks_unread: u64,
    /// Whether they were read past the system's cache.
    pub read_direct: bool,
}
