//! The journal's words in French: kinds of lines, and what their bodies say.
//!
//! Promises: every kind that a desk writes has its French name; a body is told by the facts that a reader needs, and
//! stands as it was chained beside it. Pure.

use serde_json::Value;

use crate::desk::infraction::search;
use crate::desk::retention::plan::{Class, Outcome};
use crate::desk::retention::records::Authority;
use crate::desk::review;

/// A kind of line, in French.
pub fn kind(kind: &str) -> &'static str {
    match kind {
        "created" => "Création du coffre",
        "opened" => "Ouverture du poste",
        "recovered" => "Reprise après interruption",
        "closed" => "Fermeture du poste",
        "sealed" => "Fichier scellé",
        "erased" => "Fichiers effacés",
        "pruned" => "Lignes anciennes retirées",
        "resend_ordered" => "Ordre de renvoi du journal à un boîtier",
        "imported" => "Relevé importé",
        "returned" => "Fichier de retour",
        "consulted" => "Événement ouvert",
        "viewed" => "Image vue",
        "masked_more" => "Masque ajouté",
        "confirmed" => "Image confirmée",
        "retained" => "Événement retenu",
        "taken_back" => "Décision reprise",
        "dismissed" => "Événement écarté et détruit",
        "held" => "Gel",
        "ruled" => "Décision de justice",
        "agreed" => "Accord d’élimination",
        "locked" => "Verrouillage à l’échéance",
        "destroyed" => "Destruction à l’échéance",
        "certified" => "Certificat de destruction",
        "clock_confirmed" => "Date confirmée",
        "task_done" => "Tâche périodique",
        "backed_up" => "Sauvegarde",
        "restored" => "Restauration",
        "journal_consulted" => "Recherche dans le journal",
        "journal_exported" => "Export du journal",
        "downloaded" => "Document remis à un navigateur",
        "session_opened" => "Connexion",
        "session_ended" => "Fin de session",
        "session_refused" => "Connexion refusée",
        "account_changed" => "Compte modifié",
        "key_taken" => "Clé du service reprise",
        "escrowed" => "Trousseau mis sous séquestre",
        "escrow_opened" => "Séquestre ouvert avec la clé de secours",
        "key_doomed" => "Destruction de clés proposée",
        "key_destroyed" => "Clés détruites",
        "rewrapped" => "Clés enveloppées à neuf",
        "infraction_opened" => "Dossier ouvert",
        "infraction_viewed" => "Dossier consulté",
        "infraction_changed" => "Dossier modifié",
        "infraction_closed" => "Dossier clos",
        "infraction_erased" => "Dossier détruit",
        "infraction_searched" => "Recherche d’une immatriculation",
        "infraction_exported" => "Dossiers exportés",
        "infraction_imported" => "Dossiers repris d’un tableau",
        "report_drafted" => "Choix du rapport enregistrés",
        "report_sealed" => "Rapport scellé",
        "package_asked" => "Transmission demandée",
        "package_approved" => "Transmission approuvée",
        "package_refused" => "Transmission refusée",
        "package_stamped" => "Paquet horodaté",
        "package_made" => "Paquet établi",
        "package_sent" => "Paquet remis",
        "package_copies_gone" => "Copies d’un paquet détruites",
        "package_received" => "Accusé de réception",
        _ => "Autre acte",
    }
}

/// What a body says, as far as it has a French name: name and value. Accounts are told by who asks.
pub fn facts(body: &str) -> Vec<(&'static str, String)> {
    let Ok(Value::Object(body)) = serde_json::from_str(body) else {
        return Vec::new();
    };
    const KNOWN: [(&str, &str); 21] = [
        ("event", "Événement"),
        ("what", "Document"),
        ("file", "Dossier"),
        ("infraction", "Dossier"),
        ("object", "Objet"),
        ("number", "Numéro"),
        ("motive", "Motif"),
        ("act", "Acte"),
        ("authority", "Autorité"),
        ("until", "Jusqu’au"),
        ("final", "Définitive le"),
        ("outcome", "Issue"),
        ("class", "Catégorie"),
        ("due", "Échéance"),
        ("items", "Fichiers scellés"),
        ("hold", "Gel n°"),
        ("period", "Période"),
        ("device", "Boîtier"),
        ("backup", "Sauvegarde n°"),
        ("transmission", "Transmission"),
        ("sha256", "SHA-256"),
    ];
    let known = KNOWN
        .iter()
        .filter_map(|(member, name)| Some((*name, body.get(*member)?)));
    let plain = known.filter_map(|(name, value)| match value {
        Value::String(text) => Some((name, said(text))),
        Value::Number(number) => Some((name, number.to_string())),
        _ => None,
    });
    plain.collect()
}

/// A value in French: coded words by their names, days as French writes them, anything else as it stands.
fn said(text: &str) -> String {
    if let Ok(day) = text.parse::<jiff::civil::Date>() {
        return format!("{:02}/{:02}/{:04}", day.day(), day.month(), day.year());
    }
    let motive = || text.parse::<review::Motive>().ok().map(review::Motive::french);
    let looked = || search::Motive::of(text).map(search::Motive::french);
    let dismissal = || {
        text.parse::<review::Dismissal>()
            .ok()
            .map(review::Dismissal::french)
    };
    let authority = || Authority::named(text).map(Authority::french);
    let class = || Class::named(text).map(Class::french);
    let outcome = || Outcome::named(text).map(Outcome::french);
    let act = || {
        Some(match text {
            "placed" => "posé",
            "renewed" => "renouvelé",
            "lifted" => "levé",
            "noted" => "vu par le délégué",
            "entered" => "saisi",
            "withdrawn" => "terminé",
            "term" => "délai échu",
            "expired" => "délai échu",
            "discarded" => "écarté",
            "superseded" => "remplacé par une version plus masquée",
            "returned" => "rendu",
            "package" => "paquet",
            "time-stamp-request" => "demande d’horodatage",
            "slip" => "bordereau de transmission",
            "report" => "acte scellé",
            "draft" => "brouillon du rapport",
            "certificate" => "certificat",
            "return-file" => "fichier de retour",
            "rejects" => "liste des rejets",
            "takeover" => "reprise de l’ancien tableau",
            _ => return None,
        })
    };
    let named = act()
        .or_else(motive)
        .or_else(looked)
        .or_else(dismissal)
        .or_else(authority)
        .or_else(outcome)
        .or_else(class);
    named.map_or_else(|| text.to_owned(), str::to_owned)
}

/// The account that a body names.
pub fn account(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    Some(body.get("account")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kinds that boxes alone write.
    const OF_BOXES: [&str; 7] = [
        "verdict",
        "discard_intended",
        "discarded",
        "left",
        "wipe_intended",
        "wiped",
        "expired",
    ];

    #[test]
    fn every_kind_of_line_that_a_desk_writes_has_its_french_name() {
        let source = include_str!("../../vault/journal.rs");
        let names = source
            .split("Self::")
            .filter_map(|arm| arm.split("=> \"").nth(1)?.split('"').next());
        let names: Vec<_> = names
            .filter(|name| !OF_BOXES.contains(name) && *name != "transferred")
            .collect();
        assert!(names.contains(&"held") && names.len() > 40, "{names:?}");
        for name in names {
            assert_ne!(kind(name), "Autre acte", "{name}");
        }
    }

    #[test]
    fn a_body_is_told_in_french_by_what_it_says() {
        let body = r#"{"account":"00c1","act":"placed","hold":3,"other":[1],"until":"2027-05-22"}"#;
        let told = facts(body);
        assert_eq!(
            told,
            [
                ("Acte", "posé".to_owned()),
                ("Jusqu’au", "22/05/2027".to_owned()),
                ("Gel n°", "3".to_owned())
            ]
        );
        assert_eq!(account(body).as_deref(), Some("00c1"));
        assert_eq!((facts("[]"), account("x")), (Vec::new(), None));
    }
}
