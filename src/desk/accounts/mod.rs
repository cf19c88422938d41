//! Accounts: who may be at the desk, how they prove it, what they hold.
//!
//! Promises:
//! - named accounts only (law.md I47T), each of one role; the journal knows them by opaque ids, the disk holds their
//!   names sealed and their log-ins as slow digests ([`derive`]);
//! - nobody enters without a password and a second factor ([`totp`], L36); whoever is wrong waits, then is locked out
//!   ([`throttle`]), and learns not whether the name, the password or the code was wrong ([`entry`]);
//! - keys are wrapped per account under its password ([`wrapped`]); the service's own keys lie sealed under the
//!   evidence key ([`office_keys`]), no longer as files;
//! - a chef who is alone and loses his password is let in again by the safe and the admin together ([`escrow`]);
//! - no image without a valid sheet ([`sheet`], I21);
//! - nobody gets into another's account alone, nor into a second one of his own: a first and a new password take two
//!   people, each with half of a code ([`invitation`]).
//!
//! Time comes in as a value. Derivations take some tenths of a second and never happen with the office locked: what is
//! read, what is worked out and what is written are three steps.

mod account;
mod cells;
pub mod code;
pub mod derive;
pub mod entry;
pub mod escrow;
pub mod founding;
pub mod invitation;
pub mod office_keys;
pub mod password;
pub mod sheet;
pub mod throttle;
pub mod totp;
pub mod waiting;
pub mod wrapped;

use crate::vault::{Store, keys, seal, store};

pub use account::{
    Account, By, Change, Enrolled, New, Person, State, accept_notice, account, accounts, active, close,
    login_salt, set_sheet, unlock,
};
pub use wrapped::Keyring;

const SCHEMA: &str = include_str!("schema.sql");
const OBJECTS: [&str; 8] = [
    "login_salt",
    "account",
    "account_lock",
    "account_recovery",
    "account_invitation",
    "entry_failure",
    "escrow",
    "office_key",
];

/// Makes this module's tables, and the salt of log-ins, if they are not there.
pub fn ensure(store: &mut Store) -> Result<(), Error> {
    store.ensure(&OBJECTS, SCHEMA)?;
    if store.sql().prepare("SELECT 1 FROM login_salt")?.exists([])? {
        return Ok(());
    }
    let derive::Salt { bytes, cost } = derive::Salt::draw(derive::Cost::LEAST)?;
    store.transaction(|tx| {
        tx.raw().execute(
            "INSERT INTO login_salt (one, salt, memory, passes, lanes) VALUES (1, ?, ?, ?, ?)",
            rusqlite::params![bytes, cost.memory, cost.passes, cost.lanes],
        )?;
        Ok(())
    })
}

/// Why something about accounts was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The vault.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A cell that does not open.
    #[error(transparent)]
    Cell(#[from] crate::desk::cell::Error),
    /// A key file.
    #[error(transparent)]
    Key(#[from] keys::Error),
    /// A key that does not open what is sealed to it.
    #[error(transparent)]
    Seal(#[from] seal::Error),
    /// A file of a key.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: std::path::PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The operating system gives no randomness.
    #[error("no randomness: {0}")]
    Randomness(#[from] getrandom::Error),
    /// Too many people log in at this moment.
    #[error("too many log-ins at once; try again in some seconds")]
    Busy,
    /// A row is not what this program wrote.
    #[error("accounts: a row's {0} is damaged; restore the desk from a backup")]
    Damaged(&'static str),
    /// A text is too long for what it is.
    #[error("{0} is too long")]
    TooLong(&'static str),
    /// The desk's vault, asked what hangs on keys.
    #[error(transparent)]
    Desk(#[from] Box<crate::transfer::Error>),
    /// A certificate cannot be signed.
    #[error(transparent)]
    Document(#[from] crate::vault::signed::Error),
    /// Events that nothing opens but the keys that were to be destroyed.
    #[error("{0} events hang on this quarter's keys alone")]
    Hanging(usize),
    /// A rule stands against it.
    #[error("refused: {0:?}")]
    Refused(Rule),
}

impl From<crate::transfer::Error> for Error {
    fn from(error: crate::transfer::Error) -> Self {
        Self::Desk(Box::new(error))
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error.into())
    }
}

/// The rule that stands against something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// There is no such account, or it is closed.
    NoAccount,
    /// Another account has that log-in.
    LoginTaken,
    /// Somebody changed it since it was shown.
    Changed,
    /// The role does not make, close or reset such accounts.
    NotYours,
    /// Nobody does that to the own account.
    Own,
    /// The desk needs one chef and one admin at least.
    LastOne,
    /// One person alone lets nobody into an account.
    SamePerson,
    /// There is nothing to confirm, or it is too late.
    NothingProposed,
    /// The desk is set up already.
    SetUp,
    /// Keys of the recovery lie in the folder.
    RecoveryKey,
    /// No key of the service is there.
    NoServiceKey,
    /// A secret key is not that of the public one of its quarter.
    KeyDoesNotFit,
    /// The quarter is not over, or the keyring holds nothing of it.
    NoPastKeys,
    /// Nobody has proposed that destruction, or it is too long ago.
    NotDoomed,
    /// One person alone destroys no keys.
    AloneWithKeys,
    /// No key of the safe by that name, or nothing was sealed to it.
    NoEscrow,
}

impl Rule {
    /// For the screen.
    pub const fn french(self) -> &'static str {
        match self {
            Self::NoAccount => "Ce compte n’existe pas ou a été fermé.",
            Self::LoginTaken => "Cet identifiant est déjà celui d’un autre compte : choisissez-en un autre.",
            Self::Changed => {
                "Ce compte a été modifié entre-temps par une autre personne. Rouvrez la page, vérifiez, puis recommencez."
            }
            Self::NotYours => "Votre rôle ne permet pas d’agir sur ce compte.",
            Self::Own => {
                "Vous ne pouvez pas faire cela sur votre propre compte : demandez à une autre personne."
            }
            Self::LastOne => {
                "C’est le dernier compte actif de ce rôle : le bureau a toujours besoin d’un chef de service et d’un administrateur. Créez d’abord son successeur."
            }
            Self::SamePerson => {
                "Donner un accès demande deux personnes : quelqu’un d’autre que celle qui l’a proposé, et que son titulaire, doit le confirmer."
            }
            Self::NothingProposed => {
                "Aucun accès n’attend de confirmation, ou son délai est passé : proposez-le de nouveau."
            }
            Self::SetUp => "Ce bureau est déjà en service.",
            Self::RecoveryKey => {
                "Une clé de secours se trouve sur cette machine : rangez-la au coffre, retirez le fichier du dossier, puis recommencez."
            }
            Self::KeyDoesNotFit => {
                "Une clé secrète du service ne correspond pas à la clé publique du même trimestre : elle n’ouvrirait pas ce que les boîtiers scellent. Remettez les deux fichiers qui vont ensemble, puis recommencez."
            }
            Self::NoPastKeys => {
                "Ce trimestre n’est pas terminé, ou le trousseau n’en tient aucune clé : il n’y a rien à détruire."
            }
            Self::NotDoomed => {
                "Personne n’a proposé cette destruction, ou la proposition date de plus de sept jours : proposez-la de nouveau."
            }
            Self::AloneWithKeys => {
                "La destruction de clés demande deux personnes : un autre chef de service que celui qui l’a proposée doit l’exécuter."
            }
            Self::NoEscrow => "Le trousseau n’est pas sous séquestre pour cette clé de secours.",
            Self::NoServiceKey => "Aucune clé secrète du service n’a été trouvée dans le dossier des clés.",
        }
    }
}

/// A store with one account in it, for the tests of this module's parts.
#[cfg(test)]
mod trial {
    use super::derive::{Cost, LoginDigest};
    use super::*;
    use crate::desk::rights::Role;
    use crate::frame::BoxTime;

    pub struct Trial {
        _folder: tempfile::TempDir,
        pub store: Store,
        pub keyring: Keyring,
        pub secret: totp::Secret,
        pub enrolled: Enrolled,
        pub id: String,
        pub login: LoginDigest,
    }

    pub const PASSWORD: &str = "tilleul fleuri du quai";

    pub fn at(seconds: i64) -> BoxTime {
        BoxTime(jiff::Timestamp::from_second(1_800_000_000 + seconds).expect("an instant"))
    }

    /// Of somebody of that role, whose log-in is `marie`.
    pub fn trial(role: Role, cost: Cost) -> Trial {
        let folder = tempfile::tempdir().expect("a folder");
        keys::desk_init(folder.path()).expect("a key");
        let key = crate::vault::DeviceKey::read_desk(&folder.path().join("desk.key")).expect("a key");
        let mut store = Store::open(&folder.path().join("store"), &key, at(0)).expect("a store");
        ensure(&mut store).expect("tables");
        let login = login_salt(store.sql())
            .expect("a salt")
            .digest_of_login("marie")
            .expect("derived");
        let secret = totp::Secret::draw().expect("drawn");
        let enrolled = Enrolled::new(PASSWORD, secret.clone(), 0, cost).expect("enrolled");
        let keyring = Keyring::generate().expect("drawn");
        let person = Person {
            name: "Marie Dupont".to_owned(),
            login: "marie".to_owned(),
        };
        let new = New {
            role,
            person: &person,
            login,
            sheet: None,
        };
        let id = store.transaction(|tx| enrolled.insert(tx, &keyring, &new, at(0)));
        Trial {
            id: id.expect("an account"),
            _folder: folder,
            store,
            keyring,
            secret,
            enrolled,
            login,
        }
    }
}
