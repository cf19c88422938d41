//! What a check of a package tells, in French and in English. The first word of each finding is the one that the
//! offline page uses too (src/report/verifier.html).

use super::Remark;
use crate::frame::Digest;
use crate::jpeg::compare;
use crate::report::{contents, timestamp};
use crate::vault::keys::DeviceId;
use crate::verify::frame::Mismatch;

/// What is wrong in a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The archive itself.
    Archive(&'static str),
    /// Larger than any package.
    TooLarge,
    /// A name that leads elsewhere, a link, or a special file.
    Path,
    /// It cannot be unpacked: its bytes are not those that were packed.
    Damaged,
    /// The contents are not written as they must be.
    Contents(&'static str),
    /// The contents do not bear the signature of the key that they name.
    Signature,
    /// Signed by another desk than the trusted one.
    Signer {
        /// By its word.
        found: DeviceId,
        /// Whom the caller trusts.
        trusted: DeviceId,
    },
    /// Listed, and not there.
    Missing,
    /// There, and not listed.
    Added,
    /// There under another name.
    Renamed {
        /// Under which.
        to: String,
    },
    /// Another file's content stands there.
    Swapped {
        /// Whose.
        with: String,
    },
    /// In another order than that of the contents.
    Reordered,
    /// Other bytes.
    Altered {
        /// Of the file.
        found: Digest,
        /// By the contents.
        expected: Digest,
    },
    /// Too short.
    Truncated {
        /// Bytes that are there.
        found: u64,
        /// By the contents.
        expected: u64,
    },
    /// Too long.
    Longer {
        /// By the contents.
        expected: u64,
    },
    /// The report is no PDF.
    NoPdf,
    /// An image that is not what its manifest says.
    Frame(Mismatch),
    /// A line of a journal that is not written as it must be.
    JournalForm {
        /// Of the file, from 1.
        line: u64,
    },
    /// A journal of another box or desk.
    JournalOtherBox(DeviceId),
    /// A journal that begins nowhere.
    JournalBegin,
    /// A line that does not follow, or one before it is missing.
    JournalOrder {
        /// Its number.
        seq: u64,
    },
    /// A changed line.
    JournalChanged {
        /// Its number.
        seq: u64,
    },
    /// It ends before its signed end.
    JournalCut {
        /// The last line that is there.
        seq: u64,
    },
    /// Something stands behind its end.
    JournalAdded,
    /// Its end is not signed.
    JournalSignature,
    /// A time stamp that is none of these contents.
    Stamp(timestamp::Error),
}

impl From<contents::Error> for What {
    fn from(error: contents::Error) -> Self {
        use crate::vault::signed;
        match error {
            contents::Error::Document(signed::Error::Signature(_)) => Self::Signature,
            contents::Error::Document(signed::Error::Damaged(what)) => Self::Contents(what),
            contents::Error::Member(what) => Self::Contents(what),
        }
    }
}

impl What {
    /// In English.
    pub fn english(&self) -> String {
        match self {
            Self::Archive(what) => format!("archive refused: {what}"),
            Self::TooLarge => "archive refused: larger than any package".to_owned(),
            Self::Path => "archive refused: a name that leads elsewhere, a link or a special file".to_owned(),
            Self::Damaged => "altered: it cannot be unpacked".to_owned(),
            Self::Contents(what) => format!("altered: the contents are damaged: {what}"),
            Self::Signature => "altered: the signature of the contents does not hold".to_owned(),
            Self::Signer { found, trusted } => {
                format!("unknown signer: signed by the desk {found}, not by {trusted}")
            }
            Self::Missing => "missing".to_owned(),
            Self::Added => "added: the contents do not list it".to_owned(),
            Self::Renamed { to } => format!("renamed: it is there as {to}"),
            Self::Swapped { with } => format!("altered: it has the content of {with}"),
            Self::Reordered => "reordered: the files do not stand in the order of the contents".to_owned(),
            Self::Altered { found, expected } => format!("altered: its SHA-256 is {found}, not {expected}"),
            Self::Truncated { found, expected } => format!("truncated: {found} bytes of {expected}"),
            Self::Longer { expected } => format!("altered: longer than {expected} bytes"),
            Self::NoPdf => "altered: this is no PDF".to_owned(),
            Self::Frame(mismatch) => match masked(mismatch) {
                Some([column, row]) => {
                    format!("content in a masked place: block in column {column}, row {row}")
                }
                None => format!("manifest mismatch: {mismatch}"),
            },
            Self::JournalForm { line } => format!("journal changed: line {line} of the file is damaged"),
            Self::JournalOtherBox(device) => format!("journal changed: it is of {device}"),
            Self::JournalBegin => "journal changed: it does not begin where it was signed to".to_owned(),
            Self::JournalOrder { seq } => {
                format!("journal changed: line {seq} does not follow the one before, or one is missing")
            }
            Self::JournalChanged { seq } => format!("journal changed: line {seq}"),
            Self::JournalCut { seq } => {
                format!("journal truncated: it ends with line {seq}, before its signed end")
            }
            Self::JournalAdded => "journal changed: something stands behind its end".to_owned(),
            Self::JournalSignature => "journal changed: its end is not signed by its box".to_owned(),
            Self::Stamp(error) => format!("time stamp: {error}"),
        }
    }

    /// In French.
    pub fn french(&self) -> String {
        match self {
            Self::Archive(what) => format!("archive refusée : {}", archive(what)),
            Self::TooLarge => "archive refusée : plus grande que tout paquet".to_owned(),
            Self::Path => "archive refusée : nom menant ailleurs, lien ou fichier spécial".to_owned(),
            Self::Damaged => "altéré : il ne peut être décompressé".to_owned(),
            Self::Contents(_) => "altéré : la liste n'est pas écrite comme le programme l'écrit".to_owned(),
            Self::Signature => "altéré : la signature de la liste ne tient pas".to_owned(),
            Self::Signer { found, trusted } => {
                format!("signataire inconnu : signé par le poste {found}, et non par {trusted}")
            }
            Self::Missing => "manquant".to_owned(),
            Self::Added => "ajouté : la liste ne le mentionne pas".to_owned(),
            Self::Renamed { to } => format!("renommé : il est présent sous le nom {to}"),
            Self::Swapped { with } => format!("altéré : il a le contenu de {with}"),
            Self::Reordered => "réordonné : les fichiers ne suivent pas l'ordre de la liste".to_owned(),
            Self::Altered { found, expected } => {
                format!("altéré : son empreinte SHA-256 est {found}, et non {expected}")
            }
            Self::Truncated { found, expected } => format!("tronqué : {found} octets sur {expected}"),
            Self::Longer { expected } => format!("altéré : plus long que {expected} octets"),
            Self::NoPdf => "altéré : ce n'est pas un document PDF".to_owned(),
            Self::Frame(mismatch) => match masked(mismatch) {
                Some([column, row]) => {
                    format!("contenu dans une zone masquée : bloc de la colonne {column}, ligne {row}")
                }
                None => format!("désaccord avec le manifeste : {}", frame(mismatch)),
            },
            Self::JournalForm { line } => {
                format!("journal modifié : la ligne {line} du fichier est endommagée")
            }
            Self::JournalOtherBox(device) => format!("journal modifié : il est de l'appareil {device}"),
            Self::JournalBegin => "journal modifié : il ne commence pas où il a été signé".to_owned(),
            Self::JournalOrder { seq } => {
                format!("journal modifié : la ligne {seq} ne suit pas la précédente, ou il en manque une")
            }
            Self::JournalChanged { seq } => format!("journal modifié : ligne {seq}"),
            Self::JournalCut { seq } => {
                format!("journal tronqué : il s'arrête à la ligne {seq}, avant sa fin signée")
            }
            Self::JournalAdded => "journal modifié : quelque chose suit sa fin".to_owned(),
            Self::JournalSignature => "journal modifié : sa fin n'est pas signée par son appareil".to_owned(),
            Self::Stamp(error) => format!("horodatage : {}", stamp(*error)),
        }
    }
}

/// The masked block that holds something, if that is what is wrong.
fn masked(mismatch: &Mismatch) -> Option<[usize; 2]> {
    match mismatch {
        Mismatch::Written(compare::Fault::NotFilled { column, row }) => Some([*column, *row]),
        _ => None,
    }
}

fn archive(what: &str) -> &'static str {
    match what {
        "it is cut off or damaged" => "elle est tronquée ou endommagée",
        "it has too many entries" => "elle contient trop d'éléments",
        "two entries have one name" => "deux éléments portent le même nom",
        "its entries lie over one another" => "ses éléments se recouvrent",
        "an entry cannot be read" => "un élément est illisible",
        _ => "des octets précèdent ou suivent ses éléments",
    }
}

fn frame(mismatch: &Mismatch) -> &'static str {
    match mismatch {
        Mismatch::Length { .. } | Mismatch::Digest { .. } => "l'image n'est pas le fichier qu'il nomme",
        Mismatch::Written(_) => "l'image contient autre chose que ce qu'écrit le masquage",
        Mismatch::Orientation { .. } => "l'image est orientée autrement",
        Mismatch::Size { .. } => "l'image a une autre taille",
        Mismatch::NoMask | Mismatch::Unit => "son masque n'est pas celui d'une telle image",
        Mismatch::Coefficients { .. } => "l'image a été modifiée hors du masque",
        Mismatch::NoHash | Mismatch::NeedlessHash => "il affirme ce que l'image ne peut porter",
        Mismatch::NoManifest(_) => "ce n'est pas un manifeste",
    }
}

fn stamp(error: timestamp::Error) -> &'static str {
    match error {
        timestamp::Error::Form => "ce n'est pas une réponse d'un service d'horodatage (RFC 3161)",
        timestamp::Error::Refused(_) => "le service d'horodatage a refusé la demande",
        timestamp::Error::Hash => "il ne porte pas sur une empreinte SHA-256",
        timestamp::Error::OtherFile => "il porte sur un autre fichier",
    }
}

impl Remark {
    /// In English.
    pub fn english(&self) -> String {
        match self {
            Self::OwnWord(desk) => format!(
                "the package says itself that it is signed by the desk {desk}; name the desk's public key to be sure"
            ),
            Self::EncodedAgain(name) => {
                format!("{name}: encoded again: what is not masked cannot be proven to be the camera's")
            }
            Self::Stamped(time) => format!(
                "time stamp of {time}, over these contents by its form; `openssl ts -verify` checks its signature"
            ),
            Self::NoOrder => "unpacked: the order of the files cannot be checked".to_owned(),
        }
    }

    /// In French.
    pub fn french(&self) -> String {
        match self {
            Self::OwnWord(desk) => format!(
                "le paquet dit lui-même être signé par le poste {desk} ; indiquez la clé publique du poste pour en être sûr"
            ),
            Self::EncodedAgain(name) => format!(
                "{name} : image recomposée ; ce qui n'est pas masqué ne peut être prouvé élément par élément"
            ),
            Self::Stamped(time) => format!(
                "horodatage du {time}, dont la forme porte bien sur cette liste ; « openssl ts -verify » en vérifie la signature"
            ),
            Self::NoOrder => "paquet décompressé : l'ordre des fichiers ne peut être vérifié".to_owned(),
        }
    }
}
