//! Why a bundle is not taken, in words that an agent can act on.

use crate::transfer::{Error, Reason};
use crate::vault::store;

/// What is wrong, what to do, and which files it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// What is wrong.
    pub what: &'static str,
    /// What to do.
    pub todo: &'static str,
    /// Names of files in the bundle.
    pub files: Vec<String>,
}

/// Files that are named at most.
const MOST_FILES: usize = 8;

/// The same in French. The details, which are for those who mend the program, go to the technical log.
pub fn explained(error: &Error) -> Explained {
    tracing::warn!(%error, "a bundle was not taken, or not answered");
    let (what, todo) = match error {
        Error::Refused(refusal) => of_reason(refusal.reason),
        Error::NoRoom { .. } | Error::Store(store::Error::Full(_)) => (
            "Il n'y a pas assez de place sur le disque du poste.",
            "Prévenez l'administrateur. Rien n'a été pris : une fois la place faite, recommencez l'import.",
        ),
        Error::Io { .. } => (
            "La clé ou le dossier ne peut être lu ou écrit.",
            "Vérifiez que la clé est bien branchée et qu'elle n'est pas protégée en écriture, puis recommencez. Rien \
             n'a été pris à moitié.",
        ),
        Error::Stopped => (
            "L'import a été interrompu avant que rien ne soit pris.",
            "Recommencez l'import.",
        ),
        Error::Key(_) | Error::Seal(_) | Error::DeskFile { .. } => (
            "Un fichier de clés ou d'ordres du poste est inutilisable.",
            "Prévenez l'administrateur, qui en trouvera la cause dans le journal technique. Rien n'a été pris.",
        ),
        Error::Store(_) | Error::Document(_) => (
            "Le coffre du poste n'a pu enregistrer ce lot.",
            "Recommencez l'import ; si l'erreur persiste, prévenez l'administrateur. Rien n'a été pris à moitié.",
        ),
    };
    let details = match error {
        Error::Refused(refusal) => refusal.details.as_slice(),
        _ => &[],
    };
    let names = details.iter().filter_map(|detail| detail.split(": ").next());
    let is_name =
        |name: &&str| [".vgi", ".txt", ".jsonl"].iter().any(|end| name.ends_with(end)) && !name.contains(' ');
    Explained {
        what,
        todo,
        files: names
            .filter(is_name)
            .take(MOST_FILES)
            .map(str::to_owned)
            .collect(),
    }
}

const fn of_reason(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::Damaged => (
            "Le lot n'est pas celui que le boîtier a signé : un fichier manque, a été ajouté, modifié ou abîmé.",
            "Recopiez le lot depuis le boîtier (« vigie transfer out »), si possible sur une autre clé. Rien n'a été \
             pris, et rien n'est perdu : le boîtier garde ses images tant que le poste n'a pas répondu.",
        ),
        Reason::UnknownSigner => (
            "Le lot vient d'un boîtier qui n'est pas inscrit à ce poste.",
            "Si ce boîtier est bien celui du service, faites-le inscrire par l'administrateur, puis recommencez. Sinon, \
             mettez la clé de côté et prévenez le chef de service.",
        ),
        Reason::OtherDevice => (
            "Le contenu du lot appartient à un autre boîtier, ou à un autre numéro de lot, que ce que dit son nom.",
            "Ne renommez pas les dossiers de la clé. Recopiez le lot depuis le boîtier, puis recommencez.",
        ),
        Reason::Replay => (
            "Ce lot est plus ancien que le dernier lot déjà pris de ce boîtier.",
            "Il n'y a rien à faire : son contenu est déjà au poste. Vous pouvez l'effacer de la clé.",
        ),
        Reason::Fork => (
            "Le journal de ce boîtier ne prolonge pas celui que le poste connaît : le boîtier a été remplacé, restauré \
             ou falsifié.",
            "N'effacez rien. Mettez la clé de côté et prévenez le chef de service et l'administrateur.",
        ),
        Reason::Gap => (
            "Un poste qui en savait davantage a déjà répondu à ce boîtier : le journal du lot commence après ce que ce \
             poste connaît.",
            "Importez d'abord le lot précédent, s'il existe. Si ce poste a été restauré d'une sauvegarde, établissez à la \
             page « Import » un ordre de renvoi pour ce boîtier et portez-le au boîtier : « vigie transfer out » y \
             écrira alors un lot qui reprend le journal là où ce poste l'a laissé.",
        ),
        Reason::CannotOpen => (
            "Aucune des clés de votre session n'ouvre ce lot.",
            "La clé du trimestre correspondant manque au poste, ou a été détruite. Prévenez le chef de service. Rien \
             n'a été pris.",
        ),
        Reason::Order => (
            "Un ordre donné au boîtier ne peut être exécuté.",
            "Prévenez l'administrateur : les ordres donnés à ce boîtier sont à corriger.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::Refusal;

    const REASONS: [Reason; 8] = [
        Reason::Damaged,
        Reason::UnknownSigner,
        Reason::OtherDevice,
        Reason::Replay,
        Reason::Fork,
        Reason::Gap,
        Reason::CannotOpen,
        Reason::Order,
    ];

    #[test]
    fn each_reason_says_something_else_and_what_to_do() {
        let mut said: Vec<_> = REASONS.into_iter().map(of_reason).collect();
        said.sort_unstable();
        said.dedup();
        assert_eq!(said.len(), REASONS.len());
    }

    #[test]
    fn files_are_named_and_no_english_reaches_the_screen() {
        let told = explained(&Error::Refused(Refusal {
            reason: Reason::Damaged,
            details: vec![
                "0101010101010101-00000.vgi: it was changed: its SHA-256 is another".to_owned(),
                "vigie-0123456789abcdef-00001: it is no folder of its own".to_owned(),
            ],
        }));
        assert_eq!(told.files, ["0101010101010101-00000.vgi"]);
    }
}
