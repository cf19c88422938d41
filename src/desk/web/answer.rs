//! What a handler answers, and why it refuses.

use askama::Template;

use super::dates;
use super::typography;
use crate::desk::accounts;
use crate::desk::infraction::register;
use crate::desk::{backup, daily, retention};
use crate::transfer;
use crate::vault::store;

/// What goes back to the browser.
#[derive(Debug)]
pub enum Answer {
    /// A page.
    Page(String),
    /// After a form: look there.
    SeeOther(String),
    /// The same, with a new session's token for the cookie.
    Entered {
        /// Where to.
        to: String,
        /// The token.
        token: String,
    },
    /// The same, without any session any more.
    Left(String),
    /// A file.
    File {
        /// `image/jpeg`.
        media: &'static str,
        /// The name to save it under; without one, it is shown.
        name: Option<String>,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// An asset, which may be kept: its address changes with its content.
    Asset {
        /// `text/css; charset=utf-8`.
        media: &'static str,
        /// Its bytes.
        bytes: &'static [u8],
    },
}

impl Answer {
    /// A page from its template.
    pub fn page(template: &impl Template) -> Result<Self, Refused> {
        Ok(Self::Page(typography::held(&template.render()?)))
    }

    /// To another page, after a form.
    pub fn see_other(to: impl Into<String>) -> Result<Self, Refused> {
        Ok(Self::SeeOther(to.into()))
    }
}

/// One field that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// Its name.
    pub field: String,
    /// In French: what is wrong, and what to do.
    pub message: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Nobody is logged in.
    #[error("nobody is logged in")]
    Unknown,
    /// The role does not let.
    #[error("this role does not allow it")]
    Forbidden,
    /// The sheet does not let.
    #[error("no valid sheet")]
    NoSheet,
    /// Nothing of that name, or nothing that this person may know of.
    #[error("nothing there")]
    NotFound,
    /// Somebody else changed it since the page was shown.
    #[error("somebody else changed it")]
    Conflict,
    /// The form was not sent from a page of ours, or the session it was shown in is over.
    #[error("the form's token does not hold")]
    Forged,
    /// Asked for under another name than the desk's.
    #[error("unknown host")]
    Host,
    /// Longer than any form of ours.
    #[error("too long")]
    TooLong,
    /// What cannot be, told in French; a page that shows its form again handles its own fields' errors.
    #[error("{0}")]
    Impossible(String),
    /// The vault.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The desk.
    #[error(transparent)]
    Desk(#[from] transfer::Error),
    /// A cell that does not open.
    #[error(transparent)]
    Cell(#[from] crate::desk::cell::Error),
    /// A template.
    #[error(transparent)]
    Page(#[from] askama::Error),
    /// Whatever else went wrong here.
    #[error("{0}")]
    Failed(String),
}

impl From<accounts::Error> for Refused {
    fn from(error: accounts::Error) -> Self {
        match error {
            accounts::Error::Store(error) => Self::Store(error),
            accounts::Error::Cell(error) => Self::Cell(error),
            accounts::Error::Refused(accounts::Rule::Changed) => Self::Conflict,
            accounts::Error::Refused(rule) => Self::Impossible(rule.french().to_owned()),
            accounts::Error::Hanging(events) => Self::Impossible(format!(
                "Seules les clés de ce trimestre ouvrent encore des événements du bureau (ici : {events}). Enveloppez-les \
                 d’abord de nouveau à la page « Clés du service », ou laissez-les arriver à échéance."
            )),
            accounts::Error::Busy => Self::Impossible(
                "Trop de connexions en même temps. Attendez quelques secondes, puis recommencez.".to_owned(),
            ),
            accounts::Error::Key(error) => {
                tracing::error!(%error, "a key file cannot be used");
                Self::Impossible(
                    "Un fichier du dossier des clés ne peut être utilisé : abîmé, lisible par d’autres, ou simple lien. \
                     L’administrateur en trouvera la cause dans le journal technique."
                        .to_owned(),
                )
            }
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<register::Error> for Refused {
    fn from(error: register::Error) -> Self {
        match error {
            register::Error::Store(error) => Self::Store(error),
            register::Error::Cell(error) => Self::Cell(error),
            register::Error::NoSuchFile(_) => Self::NotFound,
            register::Error::Changed(_) => Self::Conflict,
            register::Error::NothingViewed => Self::Impossible(
                "Un dossier s'ouvre à partir d'un événement dont vous avez vu au moins une image. Regardez d'abord \
                 les images, puis recommencez."
                    .to_owned(),
            ),
            register::Error::State(number, _) => Self::Impossible(format!(
                "L'état du dossier {number} ne le permet plus. Revenez au dossier pour voir où il en est."
            )),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<retention::Error> for Refused {
    fn from(error: retention::Error) -> Self {
        use retention::Error;
        let told = |message: &str| Self::Impossible(message.to_owned());
        match error {
            Error::Store(error) => Self::Store(error),
            Error::Cell(error) => Self::Cell(error),
            Error::HoldTerm { at_most, .. } => Self::Impossible(format!(
                "Un gel prend fin après aujourd’hui et au plus tard le {} (six mois) ; il peut être renouvelé.",
                dates::long(at_most)
            )),
            Error::NoSuchHold(_) | Error::NoSuchAgreement(_) | Error::NoSuchTask => Self::Conflict,
            Error::RulingDates => {
                told("Une décision n’est pas datée de l’avenir, et n’est pas définitive avant son jour.")
            }
            Error::AgreementDates => {
                told("Un accord n’est pas daté de l’avenir, et ne prend pas fin avant son jour.")
            }
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<backup::Error> for Refused {
    fn from(error: backup::Error) -> Self {
        match error {
            backup::Error::Store(error) => Self::Store(error),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<daily::Error> for Refused {
    fn from(error: daily::Error) -> Self {
        match error {
            daily::Error::Retention(error) => error.into(),
            daily::Error::Backup(error) => error.into(),
            daily::Error::Review(error) => Self::Failed(error.to_string()),
        }
    }
}
