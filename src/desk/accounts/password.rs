//! What a password must be. Pure.
//!
//! Promises: what CNIL's délibération 2022-100 of 21 July 2022 asks for where nothing else protects (80 bits: twelve
//! characters of four kinds, fourteen of three, or a sentence), though a second factor stands beside it, for the
//! password alone guards the keys in a stolen copy of the folder.

/// Characters at most: more is somebody else's text, pasted.
const LONGEST: usize = 256;
/// From this length on a sentence needs no kinds of characters, only different ones.
const SENTENCE: usize = 20;
/// Different characters at least.
const LEAST_DIFFERENT: usize = 6;

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weak {
    /// Too short for its kinds of characters.
    Short,
    /// Longer than any.
    Long,
    /// A few characters, repeated.
    Monotonous,
    /// The log-in name or the name is in it.
    OwnName,
    /// The two entries differ.
    Different,
}

impl Weak {
    /// For the screen.
    pub const fn french(self) -> &'static str {
        match self {
            Self::Short => {
                "Le mot de passe est trop simple : 12 caractères au moins avec majuscule, minuscule, chiffre et signe, \
                 ou 14 avec trois de ces sortes, ou une phrase d’au moins 20 caractères."
            }
            Self::Long => "Le mot de passe est trop long : 256 caractères au plus.",
            Self::Monotonous => {
                "Le mot de passe répète trop peu de caractères différents : il en faut six au moins."
            }
            Self::OwnName => "Le mot de passe ne doit contenir ni l’identifiant ni le nom.",
            Self::Different => "Les deux saisies du mot de passe diffèrent.",
        }
    }
}

/// Whether `password` will do for whoever bears these names.
pub fn check(password: &str, again: &str, names: &[&str]) -> Result<(), Weak> {
    let length = password.chars().count();
    if length > LONGEST {
        return Err(Weak::Long);
    }
    let lower = password.to_lowercase();
    let parts = names
        .iter()
        .flat_map(|name| name.split(|c: char| !c.is_alphanumeric()));
    let own = parts
        .filter(|part| part.chars().count() >= 4)
        .any(|part| lower.contains(&part.to_lowercase()));
    if own {
        return Err(Weak::OwnName);
    }
    let kinds: [fn(char) -> bool; 4] = [char::is_uppercase, char::is_lowercase, char::is_numeric, |c| {
        !c.is_alphanumeric()
    }];
    let kinds = kinds
        .into_iter()
        .filter(|kind| password.chars().any(kind))
        .count();
    let enough = match kinds {
        4 => 12,
        3 => 14,
        _ => SENTENCE,
    };
    if length < enough {
        return Err(Weak::Short);
    }
    let different: std::collections::BTreeSet<char> = password.chars().collect();
    if different.len() < LEAST_DIFFERENT {
        return Err(Weak::Monotonous);
    }
    match password == again {
        true => Ok(()),
        false => Err(Weak::Different),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_eighty_bits_or_is_refused_with_its_reason() {
        let with = |password: &str| check(password, password, &["marie.dupont", "Marie Dupont"]);
        assert_eq!(with("Tilleul-8fleurs"), Ok(()));
        assert_eq!(with("Tilleul-8fle"), Ok(()));
        assert_eq!(with("Tilleul-8fl"), Err(Weak::Short));
        assert_eq!(with("tilleul-8fleu"), Err(Weak::Short));
        assert_eq!(with("tilleul-8fleur"), Ok(()));
        assert_eq!(with("sept petits hérissons"), Ok(()));
        assert_eq!(with("azertyuiop"), Err(Weak::Short));
        assert_eq!(with("Dupont-8fleurs!"), Err(Weak::OwnName));
        assert_eq!(with("aaaaaaaaaaaaaaaaaaaaaaaa"), Err(Weak::Monotonous));
        assert_eq!(with(&"Ab1-".repeat(65)), Err(Weak::Long));
        assert_eq!(
            check("Tilleul-8fleurs", "Tilleul-8fleur", &[]),
            Err(Weak::Different)
        );
    }

    #[test]
    fn a_short_name_does_not_forbid_its_letters() {
        assert_eq!(
            check("Tilleul-8fleurs", "Tilleul-8fleurs", &["le", "li.u"]),
            Ok(())
        );
    }
}
