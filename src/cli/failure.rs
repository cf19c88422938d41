//! What went wrong, told to a person: what, where, why, and what to do, in French or in English.

use std::process::ExitCode;

use super::Lang;
use crate::vault::keys;

/// The exit codes of docs/commands.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// Wrong use.
    WrongUse,
    /// Done in part: something was left, and is listed.
    InPart,
    /// Verification found a fault.
    Fault,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::WrongUse => 2,
            Exit::InPart => 3,
            Exit::Fault => 4,
        })
    }
}

/// A command's failure.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    /// The error in its own words: names, places and numbers.
    detail: String,
    said: Said,
}

/// What and what to do, in both languages.
#[derive(Debug, Clone, Copy)]
struct Said {
    english: [&'static str; 2],
    french: [&'static str; 2],
}

impl Failure {
    /// With what is wrong and what to do, in both languages.
    pub(super) fn new(
        exit: Exit,
        detail: impl ToString,
        english: [&'static str; 2],
        french: [&'static str; 2],
    ) -> Self {
        Self {
            exit,
            detail: detail.to_string(),
            said: Said { english, french },
        }
    }

    /// Something about the arguments.
    pub fn wrong_use(detail: impl ToString, english: [&'static str; 2], french: [&'static str; 2]) -> Self {
        Self::new(Exit::WrongUse, detail, english, french)
    }

    /// A file of the user's that cannot be read or written.
    pub fn file(path: &std::path::Path, why: &std::io::Error) -> Self {
        Self::new(
            Exit::Failed,
            format!("{}: {why}", path.display()),
            [
                "a file cannot be read or written",
                "check the path, the rights and the room on the disk",
            ],
            [
                "un fichier ne peut être lu ou écrit",
                "vérifiez le chemin, les droits et la place sur le disque",
            ],
        )
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// The whole message.
    pub fn told(&self, lang: Lang) -> String {
        let [what, advice] = lang.pick(self.said.english, self.said.french);
        let todo = lang.pick("what to do", "que faire");
        let colon = lang.pick(":", " :");
        format!("vigie{colon} {what}\n  {}\n  {todo}{colon} {advice}", self.detail)
    }
}

impl From<keys::Error> for Failure {
    fn from(error: keys::Error) -> Self {
        use keys::Error as E;
        let (english, french) = match &error {
            E::Exists { .. } => (
                [
                    "what would be written is there already, and is never overwritten",
                    "name another folder or file",
                ],
                [
                    "ce qui serait écrit existe déjà et n'est jamais remplacé",
                    "indiquez un autre dossier ou fichier",
                ],
            ),
            E::Exposed { .. } => (
                [
                    "a secret key can be read by others",
                    "chmod 600 the file, and think of the key as known",
                ],
                [
                    "une clé secrète est lisible par d'autres",
                    "faites « chmod 600 », et considérez la clé comme connue",
                ],
            ),
            E::Unguarded { .. } | E::NotPlain(_) => (
                [
                    "a key is not guarded from others",
                    "a secret key is a plain file of yours, in a folder that only you write to",
                ],
                [
                    "une clé n'est pas protégée d'autrui",
                    "une clé secrète est un fichier simple qui vous appartient, dans un dossier où vous seul écrivez",
                ],
            ),
            E::NotOver(_) => (
                [
                    "the keys of this quarter are still needed",
                    "destroy them when it is over and its content has reached its term",
                ],
                [
                    "les clés de ce trimestre servent encore",
                    "détruisez-les quand il sera terminé et son contenu arrivé à échéance",
                ],
            ),
            E::NothingToDestroy { .. } => (
                [
                    "there is nothing to destroy",
                    "name the folder in which the secret keys lie",
                ],
                [
                    "il n'y a rien à détruire",
                    "indiquez le dossier où se trouvent les clés secrètes",
                ],
            ),
            E::Document { .. } | E::NoDesk(_) => (
                [
                    "a signed document cannot be believed",
                    "ask the desk for it again, and check `desk_key`",
                ],
                [
                    "un document signé n'est pas digne de foi",
                    "redemandez-le au bureau, et vérifiez « desk_key »",
                ],
            ),
            E::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => (
                [
                    "a key file is not there",
                    "make it with `vigie keys trap-init DIR` or `vigie keys office-init DIR`",
                ],
                [
                    "un fichier de clé est absent",
                    "créez-le avec « vigie keys trap-init DOSSIER » ou « vigie keys office-init DOSSIER »",
                ],
            ),
            _ => (
                [
                    "a key file cannot be used",
                    "`vigie keys show FILE` says what a key file is",
                ],
                [
                    "un fichier de clé est inutilisable",
                    "« vigie keys show FICHIER » dit ce qu'est un fichier de clé",
                ],
            ),
        };
        Self::new(Exit::Failed, error, english, french)
    }
}

#[cfg(feature = "verify")]
impl From<crate::verify::Error> for Failure {
    fn from(error: crate::verify::Error) -> Self {
        if let crate::verify::Error::Encrypted(_) | crate::verify::Error::Passphrase(_) = error {
            return Self::new(
                Exit::Failed,
                error,
                [
                    "an encrypted package cannot be opened",
                    "give a file with its pass-phrase by --passphrase-file; the service tells the words by another way",
                ],
                [
                    "un paquet chiffré ne peut être ouvert",
                    "indiquez par --passphrase-file un fichier contenant la phrase de passe, que le service communique par une autre voie",
                ],
            );
        }
        Self::new(
            Exit::Failed,
            error,
            [
                "nothing could be checked",
                "name a vault's folder or a sealed item that no running vigie uses, a package, or a frame and its manifest",
            ],
            [
                "rien n'a pu être vérifié",
                "indiquez le dossier d'un coffre ou un élément scellé qu'aucune vigie n'utilise, un paquet, ou une image et son manifeste",
            ],
        )
    }
}
