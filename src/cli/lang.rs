//! French or English, by the environment (POSIX XBD 8.2: `LC_ALL`, `LC_MESSAGES`, `LANG`, in this order).

/// The language of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    /// English, unless French is asked for.
    English,
    /// French.
    French,
}

impl Lang {
    /// What the environment asks for.
    pub fn from_environment() -> Self {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let asked = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set);
        Self::of(asked.as_deref().unwrap_or(""))
    }

    /// Of one locale name, such as `fr_FR.UTF-8`.
    pub fn of(locale: &str) -> Self {
        let french = locale.get(..2).is_some_and(|l| l.eq_ignore_ascii_case("fr"));
        if french { Self::French } else { Self::English }
    }

    /// The one of two texts that this language reads.
    pub fn pick<T>(self, english: T, french: T) -> T {
        match self {
            Self::English => english,
            Self::French => french,
        }
    }

    /// A count and its noun, singular or plural by the language's rule (French: 0 and 1 are singular).
    pub fn count(self, n: u64, english: [&str; 2], french: [&str; 2]) -> String {
        let noun = self.pick(english[usize::from(n != 1)], french[usize::from(n > 1)]);
        format!("{n} {noun}")
    }

    /// The commands' one-line descriptions in this language.
    pub(super) fn translate(self, command: clap::Command) -> clap::Command {
        if self == Self::English {
            return command;
        }
        let about = [
            (
                "scan",
                "Traite toutes les photographies d'une carte : regarder, décider, masquer, sceller, effacer",
            ),
            (
                "watch",
                "Surveille les cartes des caméras configurées et traite les photographies à mesure",
            ),
            (
                "wipe",
                "Vide entièrement une carte : traiter ce qui peut l'être, tout réécrire, établir un certificat",
            ),
            (
                "detect",
                "Dit ce qui est vu dans des fichiers JPEG ; n'écrit rien",
            ),
            ("redact", "Masque les personnes d'un fichier JPEG"),
            ("open", "Ouvre un événement scellé avec une clé du service"),
            ("status", "Dit comment va le boîtier"),
            (
                "survey",
                "Établit le relevé d'un nouveau site, à signer avant toute suppression ; n'efface rien",
            ),
            (
                "bench",
                "Mesure ce que coûte une image sur cette machine, étape par étape",
            ),
            (
                "attest",
                "Atteste ce que sont devenus les enregistrements d'une caméra à un moment donné",
            ),
            (
                "journal",
                "Exporte le journal, ou en retire les lignes les plus anciennes",
            ),
            ("keys", "Crée, montre, éprouve, révoque et détruit les clés"),
            (
                "transfer",
                "Porte les événements scellés du boîtier au service, et la réponse du service au boîtier",
            ),
            (
                "verify",
                "Vérifie un coffre, un lot, un export de journal, un paquet, un élément scellé ou une image masquée, sans réseau ni clé",
            ),
        ];
        about
            .into_iter()
            .fold(command, |c, (name, text)| match c.find_subcommand(name) {
                Some(_) => c.mut_subcommand(name, |s| s.about(text)),
                // Built without the feature that has it.
                None => c,
            })
            .about("Photographies de pièges photographiques : écarter, masquer, sceller")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn french_is_spoken_where_the_locale_asks_for_it() {
        for (locale, lang) in [
            ("fr_FR.UTF-8", Lang::French),
            ("fr", Lang::French),
            ("FR_CA", Lang::French),
            ("en_GB.UTF-8", Lang::English),
            ("C", Lang::English),
            ("", Lang::English),
        ] {
            assert_eq!(Lang::of(locale), lang, "{locale}");
        }
    }

    #[test]
    fn french_counts_nothing_in_the_singular() {
        let frames = |lang: Lang, n| lang.count(n, ["frame", "frames"], ["image", "images"]);
        assert_eq!(frames(Lang::French, 0), "0 image");
        assert_eq!(frames(Lang::English, 0), "0 frames");
        assert_eq!(frames(Lang::French, 2), "2 images");
    }
}
