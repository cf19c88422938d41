//! What the trap's errors mean to the person at the box, and what they can do.

use super::{Exit, Failure};
use crate::vault::{seal, store};
use crate::{card, config, jpeg, redact, trap, vision};

impl From<config::Error> for Failure {
    fn from(error: config::Error) -> Self {
        Self::new(
            Exit::WrongUse,
            error,
            [
                "the configuration is refused",
                "mend the line that is named; docs/trap.example.toml explains every key",
            ],
            [
                "la configuration est refusée",
                "corrigez la ligne indiquée ; docs/trap.example.toml explique chaque clé",
            ],
        )
    }
}

impl From<vision::Error> for Failure {
    fn from(error: vision::Error) -> Self {
        use vision::Error as E;
        if let E::Picture(damage) = error {
            return damage.into();
        }
        let (english, french) = match &error {
            E::RuntimeMissing { .. } | E::Runtime { .. } => (
                [
                    "ONNX Runtime cannot be used",
                    "run `make runtime`, or name the library with --runtime",
                ],
                [
                    "ONNX Runtime est inutilisable",
                    "lancez « make runtime », ou indiquez la bibliothèque avec --runtime",
                ],
            ),
            E::WrongHash { .. } => (
                [
                    "a file is not the one that was approved",
                    "remove the file named here, then run `make models runtime`",
                ],
                [
                    "un fichier n'est pas celui qui a été approuvé",
                    "supprimez le fichier indiqué, puis lancez « make models runtime »",
                ],
            ),
            E::ModelMissing { .. } | E::Unreadable { .. } | E::Manifest { .. } => (
                [
                    "the networks are not there",
                    "run `make models`, or name their folder with --models",
                ],
                [
                    "les réseaux de neurones sont absents",
                    "lancez « make models », ou indiquez leur dossier avec --models",
                ],
            ),
            _ => (
                [
                    "a network failed",
                    "frames stay on the card; run `make models runtime`, then try again",
                ],
                [
                    "un réseau de neurones a échoué",
                    "les images restent sur la carte ; lancez « make models runtime », puis recommencez",
                ],
            ),
        };
        Self::new(Exit::Failed, error, english, french)
    }
}

impl From<card::Error> for Failure {
    fn from(error: card::Error) -> Self {
        use card::Error as E;
        let (exit, english, french) = match &error {
            E::Gone(_) | E::NoFolder(_) => (
                Exit::Failed,
                [
                    "the card is not there",
                    "put it back and run the command again: nothing was lost",
                ],
                [
                    "la carte est absente",
                    "remettez-la et relancez la commande : rien n'est perdu",
                ],
            ),
            E::NotAFolder(_) | E::NotBelow(_) => (
                Exit::WrongUse,
                [
                    "this is not a card's folder",
                    "name the folder in which the card is mounted",
                ],
                [
                    "ce n'est pas le dossier d'une carte",
                    "indiquez le dossier où la carte est montée",
                ],
            ),
            E::Overlap { .. } => (
                Exit::WrongUse,
                [
                    "the vault and the card lie one inside the other",
                    "set `store` to a folder outside the card",
                ],
                [
                    "le coffre et la carte sont imbriqués",
                    "réglez « store » sur un dossier hors de la carte",
                ],
            ),
            E::ReadOnly(_) | E::Denied(_) => (
                Exit::Failed,
                [
                    "the card cannot be written to",
                    "open its lock switch, or mount it for the user that runs vigie",
                ],
                [
                    "la carte n'est pas accessible en écriture",
                    "déverrouillez-la, ou montez-la pour l'utilisateur qui exécute vigie",
                ],
            ),
            E::Hook { .. } => (
                Exit::Failed,
                [
                    "a command of the integrator failed",
                    "try the command of `take` or `give` by hand",
                ],
                [
                    "une commande de l'intégrateur a échoué",
                    "essayez à la main la commande « take » ou « give »",
                ],
            ),
            _ => (
                Exit::Failed,
                [
                    "the card could not be used",
                    "check the card; frames not acknowledged are still on it",
                ],
                [
                    "la carte n'a pu être utilisée",
                    "vérifiez la carte ; les images non traitées y sont toujours",
                ],
            ),
        };
        Self::new(exit, error, english, french)
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        use store::Error as E;
        let (english, french) = match &error {
            E::InUse(_) => (
                [
                    "the vault is in use",
                    "wait for the other vigie to end, or stop the service",
                ],
                [
                    "le coffre est en cours d'utilisation",
                    "attendez la fin de l'autre vigie, ou arrêtez le service",
                ],
            ),
            E::Full(_) => (
                [
                    "the disk is full",
                    "make room: frames stay on the card, nothing was dropped",
                ],
                [
                    "le disque est plein",
                    "libérez de la place : les images restent sur la carte, rien n'est perdu",
                ],
            ),
            E::InDoubt(_) => (
                [
                    "the vault's disk did not confirm what was written",
                    "start vigie again, which finds out what is there; if it comes back, replace the disk",
                ],
                [
                    "le disque du coffre n'a pas confirmé l'écriture",
                    "relancez vigie, qui constatera ce qui y est ; si cela se répète, remplacez le disque",
                ],
            ),
            E::OtherDevice { .. } => (
                [
                    "the vault belongs to another box",
                    "use that box's device key, or set `store` to a new folder",
                ],
                [
                    "le coffre appartient à un autre boîtier",
                    "utilisez la clé de ce boîtier, ou réglez « store » sur un nouveau dossier",
                ],
            ),
            _ => (
                [
                    "the vault cannot be used",
                    "run `vigie verify` on it; frames stay on the card",
                ],
                [
                    "le coffre est inutilisable",
                    "lancez « vigie verify » sur le coffre ; les images restent sur la carte",
                ],
            ),
        };
        Self::new(Exit::Failed, error, english, french)
    }
}

impl From<seal::Error> for Failure {
    fn from(error: seal::Error) -> Self {
        Self::new(
            Exit::Failed,
            error,
            [
                "an item could not be sealed or opened",
                "use the key of the quarter it was sealed to; run `vigie verify`",
            ],
            [
                "un élément n'a pu être scellé ou ouvert",
                "utilisez la clé du trimestre du scellement ; lancez « vigie verify »",
            ],
        )
    }
}

impl From<jpeg::Error> for Failure {
    fn from(error: jpeg::Error) -> Self {
        Self::new(
            Exit::Failed,
            error,
            [
                "the file cannot be taken for a photograph",
                "give a whole baseline or progressive JPEG",
            ],
            [
                "le fichier n'est pas une photographie utilisable",
                "donnez un JPEG complet",
            ],
        )
    }
}

impl From<redact::Error> for Failure {
    fn from(error: redact::Error) -> Self {
        Self::new(
            Exit::Failed,
            error,
            [
                "the redacted picture did not pass its check and was not written",
                "keep the file and report this",
            ],
            [
                "l'image masquée n'a pas passé sa vérification et n'a pas été écrite",
                "gardez le fichier et signalez-le",
            ],
        )
    }
}

impl From<trap::witness::Error> for Failure {
    fn from(error: trap::witness::Error) -> Self {
        match error {
            trap::witness::Error::Jpeg(e) => e.into(),
            trap::witness::Error::Vision(e) => e.into(),
            trap::witness::Error::Redact(e) => e.into(),
        }
    }
}

impl From<trap::Error> for Failure {
    fn from(error: trap::Error) -> Self {
        match error {
            trap::Error::Card(e) => e.into(),
            trap::Error::Vision(e) => e.into(),
            trap::Error::Witness(e) => e.into(),
            trap::Error::Store(e) => e.into(),
            trap::Error::Seal(e) => e.into(),
            trap::Error::Database(_) | trap::Error::Json(_) => Self::new(
                Exit::Failed,
                error,
                [
                    "the vault's database refused",
                    "run `vigie verify` on the vault; frames stay on the card",
                ],
                [
                    "la base du coffre a refusé l'opération",
                    "lancez « vigie verify » sur le coffre ; les images restent sur la carte",
                ],
            ),
            trap::Error::Wipe(e) => e.into(),
            trap::Error::Trial => Self::new(
                Exit::WrongUse,
                error,
                [
                    "a trial erases nothing, and wipes no card",
                    "set mode = \"enforce\" first",
                ],
                [
                    "un essai n'efface rien et ne vide aucune carte",
                    "passez d'abord à mode = \"enforce\"",
                ],
            ),
            trap::Error::Unprocessed { .. } => Self::new(
                Exit::Failed,
                error,
                [
                    "photographs on the card could not be processed; nothing was wiped",
                    "run `vigie scan` on the card: it says of each what is in the way",
                ],
                [
                    "des photographies de la carte n'ont pu être traitées ; rien n'a été vidé",
                    "lancez « vigie scan » sur la carte : il dit pour chacune ce qui l'empêche",
                ],
            ),
            trap::Error::Certificate(_) => Self::new(
                Exit::Failed,
                error,
                [
                    "the card was wiped, but its certificate could not be written",
                    "run the command again and report this",
                ],
                [
                    "la carte est vidée, mais le certificat n'a pu être établi",
                    "relancez la commande et signalez-le",
                ],
            ),
            trap::Error::Stopped => Self::new(
                Exit::InPart,
                error,
                [
                    "told to stop before this card was reached",
                    "run the command again: everything is still there",
                ],
                [
                    "arrêté avant d'avoir traité cette carte",
                    "relancez la commande : tout est encore là",
                ],
            ),
            trap::Error::Vanished(_) | trap::Error::Changed(_) => Self::new(
                Exit::Failed,
                error,
                [
                    "the card changed while it was read",
                    "put the card back and run the command again",
                ],
                [
                    "la carte a changé pendant la lecture",
                    "remettez la carte et relancez la commande",
                ],
            ),
        }
    }
}

impl From<card::wipe::Error> for Failure {
    fn from(error: card::wipe::Error) -> Self {
        use card::wipe::Error as E;
        let (exit, english, french) = match error {
            E::Card(error) => return error.into(),
            E::Refused { .. } => (
                Exit::WrongUse,
                [
                    "this cannot be wiped: it is not a camera's card",
                    "name the folder in which the camera's card, and nothing else, is mounted for writing",
                ],
                [
                    "ceci ne peut être vidé : ce n'est pas la carte d'une caméra",
                    "indiquez le dossier où la carte de la caméra, et rien d'autre, est montée en écriture",
                ],
            ),
            E::Unprocessed(_) | E::Stopped => (
                Exit::Failed,
                [
                    "the wipe ended before its end",
                    "run the command again: the wipe is taken up",
                ],
                [
                    "le vidage a été interrompu",
                    "relancez la commande : le vidage sera repris",
                ],
            ),
            E::Randomness(_) => (
                Exit::Failed,
                ["the system gives no random numbers", "start the machine anew"],
                [
                    "le système ne fournit pas de nombres aléatoires",
                    "redémarrez la machine",
                ],
            ),
        };
        Self::new(exit, error, english, french)
    }
}

impl From<trap::socket::Error> for Failure {
    fn from(error: trap::socket::Error) -> Self {
        use trap::socket::Error as E;
        let (exit, english, french) = match &error {
            E::InUse(_) | E::NotOurs(_) => (
                Exit::Failed,
                [
                    "the socket for firmware cannot be made: its place is taken",
                    "stop the program that listens there, or set `socket` to another path",
                ],
                [
                    "l'interface de commande ne peut être ouverte : sa place est prise",
                    "arrêtez le programme qui l'occupe, ou réglez « socket » sur un autre chemin",
                ],
            ),
            E::NoGroup(_) => (
                Exit::WrongUse,
                [
                    "the group that may speak to the service is not there",
                    "make it (groupadd), or mend `socket_group`",
                ],
                [
                    "le groupe autorisé à s'adresser au service n'existe pas",
                    "créez-le (groupadd), ou corrigez « socket_group »",
                ],
            ),
            E::Io { .. } => (
                Exit::Failed,
                [
                    "the socket for firmware cannot be made",
                    "its folder must be there and be the service's, its user a member of `socket_group`, and its path short",
                ],
                [
                    "l'interface de commande ne peut être ouverte",
                    "son dossier doit exister et appartenir au service, dont l'utilisateur est membre de « socket_group » ; le chemin doit être court",
                ],
            ),
        };
        Self::new(exit, error, english, french)
    }
}
