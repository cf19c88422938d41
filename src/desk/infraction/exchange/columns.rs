//! The columns of the register's CSV: what an export writes, and an import finds by its titles.

use std::collections::BTreeMap;

use crate::desk::infraction::record::listed;

listed! {
    /// A column.
    Column {
        /// The number that the file had.
        Number = "numero", "Numéro de dossier";
        /// The day of the facts.
        Date = "date", "Date des faits";
        /// Their hour.
        Hour = "heure", "Heure des faits";
        /// Where.
        Place = "lieu", "Lieu";
        /// The article.
        Offence = "infraction", "Infraction";
        /// What the agent noted.
        Facts = "faits", "Faits constatés";
        /// The plate as it was read.
        Plate = "immatriculation", "Immatriculation";
        /// Its country.
        Country = "pays", "Pays";
        /// The vehicle in words.
        Vehicle = "vehicule", "Véhicule";
        /// The waste in words.
        Waste = "dechets", "Déchets";
        /// Cubic metres.
        Volume = "volume", "Volume (m³)";
        /// The sum of what cleaning cost.
        Costs = "frais", "Frais de nettoyage (€)";
        /// The vouchers.
        Vouchers = "justificatifs", "Justificatifs";
        /// To whom it went.
        Route = "voie", "Voie";
        /// What came of it.
        Outcome = "suites", "Suites";
        /// When.
        OutcomeDate = "date_suites", "Date des suites";
        /// Number at the parquet or the court.
        OutcomeReference = "reference_suites", "Référence des suites";
        /// When the SIV was looked up.
        SivDate = "siv_date", "Date de consultation du SIV";
        /// By whom.
        SivBy = "siv_agent", "Agent ayant consulté le SIV";
        /// Its reference.
        SivReference = "siv_reference", "Référence de la consultation du SIV";
        /// The person's comments.
        Comments = "commentaires", "Commentaires";
    }
}

impl Column {
    /// Other titles under which services keep it, in [`folded`] form.
    const fn also(self) -> &'static [&'static str] {
        match self {
            Self::Number => &["numero", "n", "n dossier", "dossier", "reference", "ref"],
            Self::Date => &[
                "date",
                "date infraction",
                "date de l infraction",
                "date faits",
                "jour",
            ],
            Self::Hour => &["heure", "heure infraction", "heure de l infraction"],
            Self::Place => &["adresse", "site", "rue", "lieu des faits", "lieu de l infraction"],
            Self::Offence => &["article", "texte", "qualification", "infraction retenue"],
            Self::Facts => &["faits", "description", "description des faits", "observations"],
            Self::Plate => &[
                "plaque",
                "immat",
                "plaque d immatriculation",
                "immatriculation lue",
            ],
            Self::Country => &["pays de la plaque"],
            Self::Vehicle => &["type de vehicule", "marque", "modele"],
            Self::Waste => &["nature", "nature des dechets", "type de dechets", "depot"],
            Self::Volume => &["volume", "volume m3", "volume estime"],
            Self::Costs => &["frais", "cout", "montant", "frais de nettoyage", "cout nettoyage"],
            Self::Vouchers => &["justificatif", "facture", "pieces"],
            Self::Route => &["destinataire", "transmission", "transmis a"],
            Self::Outcome => &["suite", "decision", "issue"],
            Self::OutcomeDate => &["date suite", "date decision", "date de la decision"],
            Self::OutcomeReference => &["n parquet", "reference parquet", "numero parquet"],
            Self::SivDate => &["siv", "date siv", "consultation siv"],
            Self::SivBy => &["agent siv"],
            Self::SivReference => &["reference siv", "n siv"],
            Self::Comments => &["commentaire", "remarques", "remarque"],
        }
    }
}

/// Which column of a table is which of ours.
pub type Map = BTreeMap<Column, usize>;

/// A title without accents, capitals and signs.
fn folded(title: &str) -> String {
    let title = title.to_lowercase();
    let letters = title.chars().map(|c| match c {
        'à' | 'â' | 'ä' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'î' | 'ï' => 'i',
        'ô' | 'ö' => 'o',
        'ù' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        '³' => '3',
        c if c.is_ascii_alphanumeric() => c,
        _ => ' ',
    });
    let letters: String = letters.collect();
    letters.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Which columns the titles name, each title once, ours first.
pub fn proposed(titles: &[String]) -> Map {
    let titles: Vec<String> = titles.iter().map(|title| folded(title)).collect();
    let mut map = Map::new();
    let mut take = |column: Column, named: &dyn Fn(&str) -> bool| {
        let taken: Vec<usize> = map.values().copied().collect();
        let found = titles
            .iter()
            .enumerate()
            .find(|(at, title)| !taken.contains(at) && named(title));
        if let (Some((at, _)), false) = (found, map.contains_key(&column)) {
            map.insert(column, at);
        }
    };
    for column in Column::ALL {
        let ours = [folded(column.french()), column.as_str().replace('_', " ")];
        take(*column, &|title| ours.iter().any(|name| name == title));
    }
    for column in Column::ALL {
        take(*column, &|title| column.also().contains(&title));
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_titles_are_all_found() {
        let titles: Vec<String> = Column::ALL
            .iter()
            .map(|column| column.french().to_owned())
            .collect();
        let expected: Map = Column::ALL.iter().copied().zip(0..).collect();
        assert_eq!(proposed(&titles), expected);
    }

    #[test]
    fn titles_as_services_write_them_are_found_and_none_is_taken_twice() {
        let titles = [
            "N°",
            "DATE",
            "Adresse",
            "Plaque d'immatriculation",
            "Coût",
            "Date",
            "Autre",
        ];
        let map = proposed(&titles.map(str::to_owned));
        assert_eq!(map.get(&Column::Number), Some(&0));
        assert_eq!(map.get(&Column::Date), Some(&1));
        assert_eq!(map.get(&Column::Place), Some(&2));
        assert_eq!(map.get(&Column::Plate), Some(&3));
        assert_eq!(map.get(&Column::Costs), Some(&4));
        assert_eq!(map.len(), 5);
    }
}
