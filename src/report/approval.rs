//! Two persons stand for what leaves the service: one asks, naming each thing; another approves. Pure.
//!
//! Promises: an [`Approved`] exists only if someone asked for something that they named, for a recipient and
//! with a motive, and someone else approved exactly that (LIL 101: the motive and the recipient of every
//! communication). Nothing is chosen by default. Leaves to the desk who may ask and who may approve.

use std::collections::BTreeSet;

use crate::frame::{BoxTime, Digest};

/// Why nothing leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody is named.
    #[error("who asks, or who approves, is not named")]
    Nobody,
    /// To nobody.
    #[error("no recipient is named")]
    Recipient,
    /// For nothing.
    #[error("no motive is given")]
    Motive,
    /// Nothing was chosen.
    #[error("nothing was chosen")]
    Nothing,
    /// A package without the report explains nothing.
    #[error("the report was not chosen")]
    NoReport,
    /// The one who asked cannot approve.
    #[error("whoever asked cannot approve: another chief must")]
    SamePerson,
    /// It was approved before it was asked for.
    #[error("it was approved before it was asked for")]
    TooEarly,
}

impl Refused {
    /// In French.
    pub const fn told(self) -> &'static str {
        match self {
            Self::Nobody => "Le demandeur ou l'approbateur n'est pas désigné.",
            Self::Recipient => "Le destinataire n'est pas indiqué.",
            Self::Motive => "Le motif n'est pas indiqué.",
            Self::Nothing => "Rien n'est coché.",
            Self::NoReport => "Le procès-verbal ou le rapport n'est pas coché.",
            Self::SamePerson => {
                "Le demandeur ne peut pas approuver sa propre demande : un autre chef de service le doit."
            }
            Self::TooEarly => "L'approbation est antérieure à la demande.",
        }
    }
}

/// What was ticked. By default nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The report, by its SHA-256.
    pub report: Option<Digest>,
    /// Images with their manifests, by the SHA-256 of each image.
    pub images: BTreeSet<Digest>,
    /// The part of the journal.
    pub journal: bool,
}

/// Someone asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    requester: String,
    asked: BoxTime,
    recipient: String,
    motive: String,
    chosen: Chosen,
}

impl Request {
    /// `requester` by an opaque id.
    pub fn new(
        requester: &str,
        asked: BoxTime,
        recipient: &str,
        motive: &str,
        chosen: Chosen,
    ) -> Result<Self, Refused> {
        let said = |text: &str, refused| match text.trim() {
            "" => Err(refused),
            text => Ok(text.to_owned()),
        };
        let is_empty = chosen == Chosen::default();
        match (is_empty, chosen.report) {
            (true, _) => return Err(Refused::Nothing),
            (false, None) => return Err(Refused::NoReport),
            (false, Some(_)) => {}
        }
        Ok(Self {
            requester: said(requester, Refused::Nobody)?,
            asked,
            recipient: said(recipient, Refused::Recipient)?,
            motive: said(motive, Refused::Motive)?,
            chosen,
        })
    }

    /// Someone else agrees.
    pub fn approve(self, approver: &str, at: BoxTime) -> Result<Approved, Refused> {
        let approver = approver.trim();
        if approver.is_empty() {
            return Err(Refused::Nobody);
        }
        if approver == self.requester {
            return Err(Refused::SamePerson);
        }
        if at < self.asked {
            return Err(Refused::TooEarly);
        }
        Ok(Approved {
            approver: approver.to_owned(),
            approved: at,
            request: self,
        })
    }

    /// Who asked.
    pub fn requester(&self) -> &str {
        &self.requester
    }

    /// When.
    pub fn asked(&self) -> BoxTime {
        self.asked
    }

    /// To whom it is to go.
    pub fn recipient(&self) -> &str {
        &self.recipient
    }

    /// Why.
    pub fn motive(&self) -> &str {
        &self.motive
    }

    /// What.
    pub fn chosen(&self) -> &Chosen {
        &self.chosen
    }
}

/// Two persons agree. There is no other way to one than [`Request::approve`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approved {
    request: Request,
    approver: String,
    approved: BoxTime,
}

impl Approved {
    /// What was asked.
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Who approved.
    pub fn approver(&self) -> &str {
        &self.approver
    }

    /// When.
    pub fn at(&self) -> BoxTime {
        self.approved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> BoxTime {
        BoxTime(text.parse().expect("a time"))
    }

    fn chosen() -> Chosen {
        Chosen {
            report: Some(Digest::of(b"pdf")),
            ..Chosen::default()
        }
    }

    fn asked() -> Request {
        let at = at("2026-11-22T10:00:00Z");
        Request::new("a1", at, "Parquet de Créteil", "transmission", chosen()).expect("whole")
    }

    #[test]
    fn whoever_asks_cannot_approve() {
        let later = at("2026-11-22T11:00:00Z");
        assert_eq!(asked().approve("a1", later), Err(Refused::SamePerson));
        assert_eq!(asked().approve(" a1 ", later), Err(Refused::SamePerson));
        assert_eq!(asked().approve(" ", later), Err(Refused::Nobody));
        assert_eq!(
            asked().approve("b2", at("2026-11-22T09:59:59Z")),
            Err(Refused::TooEarly)
        );
        let approved = asked().approve("b2", later).expect("two persons");
        assert_eq!(
            (approved.request().requester(), approved.approver()),
            ("a1", "b2")
        );
    }

    #[test]
    fn nothing_is_chosen_by_default_and_nothing_chosen_is_refused() {
        let ask = |recipient, motive, chosen| {
            Request::new("a1", at("2026-11-22T10:00:00Z"), recipient, motive, chosen).err()
        };
        let nothing = Chosen::default();
        assert_eq!(
            (nothing.report, nothing.images.len(), nothing.journal),
            (None, 0, false)
        );
        assert_eq!(ask("p", "m", nothing), Some(Refused::Nothing));
        let journal_alone = Chosen {
            journal: true,
            ..Chosen::default()
        };
        assert_eq!(ask("p", "m", journal_alone), Some(Refused::NoReport));
        assert_eq!(ask(" ", "m", chosen()), Some(Refused::Recipient));
        assert_eq!(ask("p", "", chosen()), Some(Refused::Motive));
    }
}
