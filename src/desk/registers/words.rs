//! The journal's words in French: kinds of lines, and what their bodies say.
//!
//! Promises: every kind that a desk writes has its French name; a body is told by the facts that a reader needs, and
//! stands as it was chained beside it. Pure.

use serde_json::Value;

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
        "session_opened" => "Connexion",
        "session_ended" => "Fin de session",
        "session_refused" => "Connexion refusée",
        "account_changed" => "Compte modifié",
        "key_taken" => "Clé du service reprise",
        "infraction_opened" => "Dossier ouvert",
        "infraction_changed" => "Dossier modifié",
        "infraction_viewed" => "Dossier consulté",
        "infraction_closed" => "Dossier clos",
        "infraction_searched" => "Recherche d’une immatriculation",
        "infraction_erased" => "Dossier détruit",
        "infraction_exported" => "Dossiers exportés",
        "infraction_imported" => "Dossiers repris d’un tableau",
        "refused" => "Accès refusé",
        _ => "Autre acte",
    }
}

/// What a body says, as far as it has a French name: name and value. Accounts are told by who asks.
pub fn facts(body: &str) -> Vec<(&'static str, String)> {
    let Ok(Value::Object(body)) = serde_json::from_str(body) else {
        return Vec::new();
    };
    const KNOWN: [(&str, &str); 18] = [
        ("event", "Événement"),
        ("file", "Dossier"),
        ("infraction", "Dossier"),
        ("object", "Objet"),
        ("number", "Numéro"),
        ("motive", "Motif (code)"),
        ("act", "Acte (code)"),
        ("authority", "Autorité (code)"),
        ("until", "Jusqu’au"),
        ("final", "Définitive le"),
        ("outcome", "Issue (code)"),
        ("class", "Catégorie (code)"),
        ("due", "Échéance"),
        ("items", "Fichiers scellés"),
        ("hold", "Gel n°"),
        ("period", "Période"),
        ("device", "Boîtier"),
        ("backup", "Sauvegarde n°"),
    ];
    let known = KNOWN
        .iter()
        .filter_map(|(member, name)| Some((*name, body.get(*member)?)));
    let plain = known.filter_map(|(name, value)| match value {
        Value::String(text) => Some((name, text.clone())),
        Value::Number(number) => Some((name, number.to_string())),
        _ => None,
    });
    plain.collect()
}

/// The account that a body names.
pub fn account(body: &str) -> Option<String> {
    let body: Value = serde_json::from_str(body).ok()?;
    Some(body.get("account")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_told_in_french_by_what_it_says() {
        let body = r#"{"account":"00c1","act":"placed","hold":3,"other":[1],"until":"2027-05-22"}"#;
        let told = facts(body);
        assert_eq!(
            told,
            [
                ("Acte (code)", "placed".to_owned()),
                ("Jusqu’au", "2027-05-22".to_owned()),
                ("Gel n°", "3".to_owned())
            ]
        );
        assert_eq!(account(body).as_deref(), Some("00c1"));
        assert_eq!((facts("[]"), account("x")), (Vec::new(), None));
    }
}
