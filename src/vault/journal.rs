//! The journal's lines: what they say, how they are chained, how their head is signed.
//!
//! Promises: a line's hash covers everything in it and the line before, the first one its box; so no
//! line can be changed, dropped, added or moved without breaking the chain, and none cut off the end
//! without the box's signature over the head. No clock; time is passed in.
//! (LIL art. 101: the journal serves to check that the processing is lawful, and its integrity.)
//!
//! Leaves to the callers to name frames, events and cards by opaque ids only, never by a plate or a
//! person: the journal outlives what it tells of. Leaves the table and its triggers to
//! [`super::store`]. What a chain cannot show is a whole store set back to an older copy of itself;
//! for that, someone else must keep a later head.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::keys::{DeviceKey, DevicePublic};
use crate::frame::{BoxTime, Digest};

/// What a line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The store was made (written by the store).
    Created,
    /// A session began that changed something (written by the store).
    Opened,
    /// The session before was cut off; leftovers were removed (written by the store).
    Recovered,
    /// The session ended in good order (written by the store).
    Closed,
    /// An item was sealed and is durable (written by the store).
    Sealed,
    /// An event was decided on.
    Verdict,
    /// A frame is about to be erased.
    DiscardIntended,
    /// A frame was erased.
    Discarded,
    /// A file was left on the card, with the reason.
    Left,
    /// A card is about to be wiped.
    WipeIntended,
    /// A card was wiped.
    Wiped,
    /// Items are no longer in the store (written by the store).
    Erased,
    /// Sealed events went because nobody fetched them in time.
    Expired,
    /// A bundle was written for the desk.
    Transferred,
    /// The desk's return file was taken.
    Returned,
    /// A box was ordered to tell its journal anew, at the desk.
    ResendOrdered,
    /// A box's bundle was taken, at the desk.
    Imported,
    /// An event was opened to look at it, at the desk: by whom, with which motive, with which images.
    Consulted,
    /// An image was shown at full size: to whom, which.
    Viewed,
    /// More was hidden in a frame: a version of it stands in the place of another, which is destroyed.
    MaskedMore,
    /// An agent confirmed that a frame may leave the desk as it is.
    Confirmed,
    /// An event was retained: by whom, after having seen which images.
    Retained,
    /// A decision that had destroyed nothing yet was taken back.
    TakenBack,
    /// An event was put aside and destroyed: by whom, with which motive.
    Dismissed,
    /// Content keys were wrapped anew, at the desk.
    Rewrapped,
    /// The oldest lines were cut off, and a checkpoint stands in their place (written by the store).
    Pruned,
    /// A hold was put on, renewed, lifted or noted, at the desk.
    Held,
    /// A ruling on an infraction file was written down.
    Ruled,
    /// An elimination agreement was written down or ended.
    Agreed,
    /// Things became due that may not be erased, or may be now.
    Locked,
    /// What was due was destroyed, at the desk.
    Destroyed,
    /// What was destroyed was looked for, and a certificate made.
    Certified,
    /// A person said that the clock is right.
    ClockConfirmed,
    /// A periodical task was done.
    TaskDone,
    /// The desk was backed up.
    BackedUp,
    /// The desk was restored from a backup, and what had been erased was erased again.
    Restored,
    /// Somebody looked for one account or one object in the journal.
    JournalConsulted,
    /// Somebody exported the journal, with which motive.
    JournalExported,
    /// A file left the desk through somebody's browser: which, with which motive.
    Downloaded,
    /// Somebody logged in, at the desk.
    SessionOpened,
    /// A session ended, and why.
    SessionEnded,
    /// Somebody was not let in.
    SessionRefused,
    /// An account was made, changed, locked or closed.
    AccountChanged,
    /// A secret key of the service went into the keyring, or its file was destroyed.
    KeyTaken,
    /// The desk's keys were sealed to keys of the safe.
    Escrowed,
    /// They were opened with a key of the safe, to let somebody in again.
    EscrowOpened,
    /// The destruction of a past quarter's keys in the keyring was proposed.
    KeyDoomed,
    /// They were destroyed.
    KeyDestroyed,
    /// An infraction file was opened, from which event, by whom.
    InfractionOpened,
    /// An infraction file was looked at, by whom, with which motive.
    InfractionViewed,
    /// An infraction file was changed: which parts, by whom.
    InfractionChanged,
    /// An infraction file was found complete and closed.
    InfractionClosed,
    /// An infraction file was destroyed, and why.
    InfractionErased,
    /// Infraction files were looked for by a plate, with which motive.
    InfractionSearched,
    /// Infraction files were exported: which, by whom.
    InfractionExported,
    /// Infraction files were taken over from the former register.
    InfractionImported,
    /// The choices of a report's author were kept: which images, by whom.
    ReportDrafted,
    /// A report was signed off, and is never changed again.
    ReportSealed,
    /// Somebody asked for a package: of which report, which images.
    PackageAsked,
    /// Another one approved it.
    PackageApproved,
    /// It was refused, or taken back.
    PackageRefused,
    /// The package was made.
    PackageMade,
    /// A time stamp was put into it.
    PackageStamped,
    /// It was sent.
    PackageSent,
    /// Its recipient acknowledged it.
    PackageReceived,
    /// Its file was destroyed, and the service's own copies of it too.
    PackageCopiesGone,
}

impl Kind {
    /// The stable name, as stored and hashed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Opened => "opened",
            Self::Recovered => "recovered",
            Self::Closed => "closed",
            Self::Sealed => "sealed",
            Self::Verdict => "verdict",
            Self::DiscardIntended => "discard_intended",
            Self::Discarded => "discarded",
            Self::Left => "left",
            Self::WipeIntended => "wipe_intended",
            Self::Wiped => "wiped",
            Self::Erased => "erased",
            Self::Expired => "expired",
            Self::Transferred => "transferred",
            Self::Returned => "returned",
            Self::ResendOrdered => "resend_ordered",
            Self::Imported => "imported",
            Self::Consulted => "consulted",
            Self::Viewed => "viewed",
            Self::MaskedMore => "masked_more",
            Self::Confirmed => "confirmed",
            Self::Retained => "retained",
            Self::TakenBack => "taken_back",
            Self::Dismissed => "dismissed",
            Self::Rewrapped => "rewrapped",
            Self::Pruned => "pruned",
            Self::Held => "held",
            Self::Ruled => "ruled",
            Self::Agreed => "agreed",
            Self::Locked => "locked",
            Self::Destroyed => "destroyed",
            Self::Certified => "certified",
            Self::ClockConfirmed => "clock_confirmed",
            Self::TaskDone => "task_done",
            Self::BackedUp => "backed_up",
            Self::Restored => "restored",
            Self::JournalConsulted => "journal_consulted",
            Self::JournalExported => "journal_exported",
            Self::Downloaded => "downloaded",
            Self::SessionOpened => "session_opened",
            Self::SessionEnded => "session_ended",
            Self::SessionRefused => "session_refused",
            Self::AccountChanged => "account_changed",
            Self::KeyTaken => "key_taken",
            Self::Escrowed => "escrowed",
            Self::EscrowOpened => "escrow_opened",
            Self::KeyDoomed => "key_doomed",
            Self::KeyDestroyed => "key_destroyed",
            Self::InfractionOpened => "infraction_opened",
            Self::InfractionViewed => "infraction_viewed",
            Self::InfractionChanged => "infraction_changed",
            Self::InfractionClosed => "infraction_closed",
            Self::InfractionErased => "infraction_erased",
            Self::InfractionSearched => "infraction_searched",
            Self::InfractionExported => "infraction_exported",
            Self::InfractionImported => "infraction_imported",
            Self::ReportDrafted => "report_drafted",
            Self::ReportSealed => "report_sealed",
            Self::PackageAsked => "package_asked",
            Self::PackageApproved => "package_approved",
            Self::PackageRefused => "package_refused",
            Self::PackageMade => "package_made",
            Self::PackageStamped => "package_stamped",
            Self::PackageSent => "package_sent",
            Self::PackageReceived => "package_received",
            Self::PackageCopiesGone => "package_copies_gone",
        }
    }
}

/// What is to be written down.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What it tells.
    pub kind: Kind,
    /// The facts, with opaque ids only.
    pub body: Value,
}

/// A line as it stands in the table, and in an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// From 1, without gaps.
    pub seq: u64,
    /// Box time, RFC 3339, UTC.
    pub time: String,
    /// A [`Kind`]'s name.
    pub kind: String,
    /// Canonical JSON.
    pub body: String,
    /// The hash of the line before, or [`genesis`].
    pub prev: Digest,
    /// [`Line::expected_hash`].
    pub hash: Digest,
}

impl Line {
    /// The line that follows `head`.
    pub fn after(head: Head, time: BoxTime, entry: &Entry) -> Self {
        let mut line = Self {
            seq: head.seq + 1,
            time: time.to_string(),
            kind: entry.kind.as_str().to_owned(),
            body: canonical(&entry.body),
            prev: head.hash,
            hash: head.hash,
        };
        line.hash = line.expected_hash();
        line
    }

    /// The end of a chain that ends with this line.
    pub fn head(&self) -> Head {
        Head {
            seq: self.seq,
            hash: self.hash,
        }
    }

    /// Reads all lines of a vault's database, in order.
    pub fn each(db: &rusqlite::Connection, mut take: impl FnMut(Self)) -> rusqlite::Result<()> {
        let mut query = db.prepare("SELECT seq, time, kind, body, prev, hash FROM journal ORDER BY seq")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            take(Self::of_row(row)?);
        }
        Ok(())
    }

    /// A row of these columns, in this order.
    pub fn of_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            time: row.get(1)?,
            kind: row.get(2)?,
            body: row.get(3)?,
            prev: Digest::from_bytes(row.get(4)?),
            hash: Digest::from_bytes(row.get(5)?),
        })
    }

    /// SHA-256 over everything in the line; texts are preceded by their length (8 bytes, big-endian),
    /// so that no two lines have the same encoding.
    pub fn expected_hash(&self) -> Digest {
        let mut hash = Sha256::new();
        hash.update(b"vigie journal line 1\0");
        hash.update(self.seq.to_be_bytes());
        for text in [&self.time, &self.kind, &self.body] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        hash.update(self.prev.as_bytes());
        Digest::from_bytes(hash.finalize().into())
    }
}

/// Where the chain of a box begins: no line of one box fits into another's journal.
pub fn genesis(device: &DevicePublic) -> Digest {
    let mut hash = Sha256::new();
    hash.update(b"vigie journal 1\0");
    hash.update(device.as_bytes());
    Digest::from_bytes(hash.finalize().into())
}

/// The end of the chain, or any place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The last line's number; 0 before the first line.
    pub seq: u64,
    /// The last line's hash; [`genesis`] before the first line.
    pub hash: Digest,
}

impl Head {
    /// The head of an empty journal.
    pub fn empty(device: &DevicePublic) -> Self {
        Self {
            seq: 0,
            hash: genesis(device),
        }
    }

    /// The box's signature over this head.
    pub(super) fn sign(&self, device: &DeviceKey) -> [u8; 64] {
        device.sign(&self.message(device.public()))
    }

    /// Whether `signature` is the box's over this head.
    pub fn signed(&self, device: &DevicePublic, signature: &[u8; 64]) -> bool {
        device.signed(&self.message(device), signature)
    }

    fn message(&self, device: &DevicePublic) -> Vec<u8> {
        let mut message = b"vigie journal head 1\0".to_vec();
        message.extend_from_slice(device.as_bytes());
        message.extend_from_slice(&self.seq.to_be_bytes());
        message.extend_from_slice(self.hash.as_bytes());
        message
    }
}

impl fmt::Display for Head {
    /// As it is noted down elsewhere, to be asked for later: `12:` and 64 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

/// The text names no line of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no line's number and hash, such as 12:0123456789abcdef… (64 hexadecimal digits)")]
pub struct NotAHead;

impl FromStr for Head {
    type Err = NotAHead;
    fn from_str(text: &str) -> Result<Self, NotAHead> {
        let (seq, hash) = text.split_once(':').ok_or(NotAHead)?;
        Ok(Self {
            seq: seq.parse().map_err(|_| NotAHead)?,
            hash: hash.parse().map_err(|_| NotAHead)?,
        })
    }
}

/// How far the box's clock can be believed when a session begins; the first line of each says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// It was set, and stands behind nothing that was written before. More no box can know by itself.
    Set,
    /// It stands before the line that was written last.
    Behind,
    /// It was never set, or lost its hour with its battery.
    Unset,
}

impl Clock {
    /// Judges the clock that says `now`, after a line of the hour `last`.
    pub fn judge(now: BoxTime, last: Option<BoxTime>) -> Self {
        match last {
            _ if !now.is_set() => Self::Unset,
            Some(last) if now < last => Self::Behind,
            _ => Self::Set,
        }
    }
}

/// Compact JSON with sorted keys: one text for one value.
pub fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            // Sorted here, because serde_json's own order depends on a feature any crate may turn on.
            let mut members: Vec<_> = map.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            let members = members
                .into_iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Value::Array(values) => {
            let values = values.iter().map(canonical);
            format!("[{}]", values.collect::<Vec<_>>().join(","))
        }
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_value_has_one_text() {
        let value = json!({"b": [1, {"z": null, "a": "é\n"}], "a": 0.5});
        assert_eq!(canonical(&value), r#"{"a":0.5,"b":[1,{"a":"é\n","z":null}]}"#);
    }

    #[test]
    fn the_document_of_formats_names_every_kind_of_line_and_no_other() {
        use std::collections::BTreeSet;
        let arms = include_str!("journal.rs").split("Self::");
        let kinds = arms.filter_map(|arm| arm.split("=> \"").nth(1)?.split('"').next());
        let kinds: BTreeSet<&str> = kinds.collect();
        assert!(kinds.contains("package_copies_gone") && kinds.len() > 60);
        let document = include_str!("../../docs/formats.md");
        let list = document
            .lines()
            .find(|line| line.starts_with("Kinds of line, stable: "));
        let (list, _) = list
            .and_then(|line| line.split_once(" Bodies name "))
            .expect("a list");
        let named: BTreeSet<&str> = list.split('`').skip(1).step_by(2).collect();
        assert_eq!(named, kinds);
    }

    #[test]
    fn a_name_in_the_table_is_the_name_in_json() {
        for kind in [Kind::DiscardIntended, Kind::Left, Kind::Wiped] {
            assert_eq!(json!(kind), json!(kind.as_str()));
        }
    }

    #[test]
    fn a_clock_is_believed_only_where_nothing_speaks_against_it() {
        let at = |text: &str| BoxTime(text.parse().expect("an instant"));
        let (early, late) = (at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z"));
        assert_eq!(Clock::judge(late, Some(early)), Clock::Set);
        assert_eq!(Clock::judge(early, Some(early)), Clock::Set);
        assert_eq!(Clock::judge(early, Some(late)), Clock::Behind);
        assert_eq!(Clock::judge(at("1970-01-02T00:00:00Z"), Some(late)), Clock::Unset);
        assert_eq!(Clock::judge(at("2019-12-31T23:59:59Z"), None), Clock::Unset);
    }

    #[test]
    fn a_head_is_read_as_it_is_noted_down() {
        let head = Head {
            seq: 12,
            hash: Digest::of(b""),
        };
        assert_eq!(head.to_string().parse(), Ok(head));
        for wrong in ["", "12", "12:", "x:00", "-1:00", &head.to_string()[..66]] {
            assert_eq!(wrong.parse::<Head>(), Err(NotAHead), "{wrong}");
        }
    }

    #[test]
    fn text_cannot_move_from_one_field_of_a_line_to_the_next() {
        let hash = |time: &str, kind: &str| {
            let line = Line {
                seq: 1,
                time: time.to_owned(),
                kind: kind.to_owned(),
                body: "{}".to_owned(),
                prev: Digest::of(b""),
                hash: Digest::of(b""),
            };
            line.expected_hash()
        };
        assert_ne!(hash("ab", "c"), hash("a", "bc"));
    }
}
