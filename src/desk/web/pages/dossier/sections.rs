//! What each page of the infraction file asks. Nothing here answers: no fact is written for the agent.

use jiff::civil::Date;

use super::question::{Group, Question};
use crate::desk::infraction::form::Fields;
use crate::desk::infraction::plate::Legibility;
use crate::desk::infraction::record::{CostKind, Danger, OutcomeKind, Record, WasteKind};
use crate::desk::infraction::{Section, moment::Turn};
use crate::desk::law::natinf::Natinf;
use crate::desk::law::{Act, Confirm, Law};
use jiff::tz::TimeZone;

/// Empty lines that a page of costs or outcomes offers beside those that are there.
const EMPTY_LINES: usize = 3;

/// What the questions depend on.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The record as it stands.
    pub record: &'a Record,
    /// The dated tables.
    pub law: &'a Law,
    /// The city's list of codes.
    pub natinf: &'a Natinf,
    /// The city's clocks.
    pub zone: &'a TimeZone,
    /// Whether the first reading may be shown to whoever asks.
    pub first_reading: bool,
    /// Whether a change is a correction, which takes a reason.
    pub correction: bool,
}

impl Asked<'_> {
    /// The questions of a section, with as many lines as `fields` have.
    pub fn groups(self, section: Section, fields: &Fields) -> Vec<Group> {
        let mut groups = match section {
            Section::Facts => self.facts(),
            Section::Offence => vec![Group::plain(self.offence())],
            Section::Waste => vec![Group::plain(waste())],
            Section::Vehicle => self.vehicle(),
            Section::SecondReading => vec![second_reading()],
            Section::Identification => identification(),
            Section::Costs => lines(fields, "frais", "Frais", cost),
            Section::Outcomes => outcomes(fields),
            Section::Comments => vec![Group::plain(vec![
                Question::text("commentaires", "Commentaires de la personne concernée")
                    .help("Tels qu'elle les a formulés par écrit ; ils sont joints au dossier."),
            ])],
        };
        if self.correction {
            groups.push(Group::about("Rectification", vec![reason()]));
        }
        groups
    }

    fn facts(self) -> Vec<Group> {
        let mut when = vec![
            Question::short("date", "Date des faits")
                .required()
                .help("Jour/mois/année, par exemple 22/11/2026."),
            Question::short("heure", "Heure des faits")
                .required()
                .help("Heure légale, par exemple 14:05:09."),
        ];
        if self.may_be_twice() {
            when.push(
                Question::radio(
                    "tour",
                    "Cette nuit-là, les horloges ont été reculées d'une heure",
                    turns(),
                )
                .help("À indiquer si l'heure des faits est comprise entre 2 h et 3 h."),
            );
        }
        let place = Question::line("lieu", "Lieu des faits")
            .required()
            .help("Adresse ou repère précis, tel qu'il doit figurer sur l'acte.");
        when.push(place);
        let clock = vec![
            Question::short("horloge", "Avance de l'horloge de l'appareil, en secondes")
                .required()
                .help("Telle que mesurée ; négative si l'horloge retarde, 0 si elle est exacte."),
            Question::short("horloge_date", "Mesurée le").required(),
            Question::line("horloge_par", "Mesurée par").required(),
        ];
        let facts = Question::text("faits", "Faits personnellement constatés")
            .required()
            .help("Ce que vous avez vu vous-même sur les images ou sur place, avec vos propres mots (Code de procédure pénale, art. 429). Le programme ne propose aucun texte.");
        vec![
            Group::about("Date et lieu", when),
            Group::about("Horloge de l'appareil", clock),
            Group::about("Constatations", vec![facts]),
        ]
    }

    fn may_be_twice(self) -> bool {
        let night = self.record.facts_at.day();
        let local = night.at(2, 30, 0, 0);
        let moments = [Turn::First, Turn::Second]
            .map(|turn| crate::desk::infraction::Moment::of_local(local, self.zone, Some(turn)));
        moments[0] != moments[1]
    }

    fn offence(self) -> Vec<Question> {
        let day = self.record.facts_at.day();
        let offences = self.law.in_force(day).map(|(offence, _)| {
            let words = format!("{} : {}", offence.text, offence.label);
            (offence.id.to_string(), words)
        });
        let penalties = self
            .law
            .in_force(day)
            .map(|(offence, row)| row.penalty(offence.kind));
        let routes = self.law.routes.iter();
        let routes = routes.map(|route| (route.id.to_string(), route.label.clone()));
        let bases = self.law.routes.iter().map(|route| {
            let doubted = [Confirm::Basis, Confirm::Days]
                .into_iter()
                .any(|what| route.is_to_confirm(what));
            format!("{}{}", route.basis, if doubted { " (à confirmer)" } else { "" })
        });
        let acts = Act::ALL.map(|act| (act.as_str().to_owned(), act.french().to_owned()));
        vec![
            Question::radio("infraction", "Infraction retenue", offences)
                .details(penalties)
                .required()
                .help(format!("Textes en vigueur le jour des faits ({}).", short(day))),
            Question::radio("acte", "Nature de l'acte", acts)
                .required()
                .help(self.competence()),
            Question::radio("voie", "Voie de transmission", routes)
                .details(bases)
                .required(),
            Question::short("natinf", "Code NATINF").help(self.codes()),
        ]
    }

    /// What the agent's quality allows.
    fn competence(self) -> String {
        let officer = &self.record.officer;
        let Some(quality) = self.law.quality(&officer.quality) else {
            return "La qualité de l'agent n'est pas connue : complétez sa fiche.".to_owned();
        };
        let offence = self.record.offence.as_ref().and_then(|id| self.law.offence(id));
        let Some(offence) = offence else {
            return format!("Qualité de l'agent : {}.", quality.label);
        };
        let competence = self.law.competence(quality, offence);
        let acts: Vec<String> = competence
            .acts
            .iter()
            .map(|act| act.french().to_lowercase())
            .collect();
        let acts = match acts.is_empty() {
            true => "aucun acte possible".to_owned(),
            false => acts.join(" ou "),
        };
        let basis = competence
            .basis
            .map(|basis| format!(" ({basis})"))
            .unwrap_or_default();
        let doubted = if competence.to_confirm {
            ", à confirmer"
        } else {
            ""
        };
        format!(
            "{}, pour {} : {acts}{basis}{doubted}.",
            quality.label, offence.text
        )
    }

    fn codes(self) -> String {
        let day = self.record.facts_at.day();
        let codes: Vec<String> = match &self.record.offence {
            Some(offence) => {
                let codes = self.natinf.of(offence, day);
                codes
                    .map(|code| format!("{} ({})", code.number, code.label))
                    .collect()
            }
            None => Vec::new(),
        };
        let listed = match codes.is_empty() {
            true => "La liste de la commune n'en contient aucun pour cette infraction.".to_owned(),
            false => format!("Liste de la commune : {}.", codes.join(", ")),
        };
        format!("Porté sur le seul bordereau de transmission, jamais dans l'acte. {listed}")
    }

    fn vehicle(self) -> Vec<Group> {
        let mut groups = Vec::new();
        if self.first_reading {
            let reading = vec![
                Question::short("plaque", "Immatriculation lue")
                    .required()
                    .help("Telle que vous la lisez sur l'image. Un caractère illisible s'écrit « ? ». Rien n'est corrigé ni complété."),
                legibility(),
                Question::short("pays", "Pays de la plaque")
                    .required()
                    .help("Signe distinctif (F, B, D…) ou « ? » s'il est inconnu."),
            ];
            groups.push(Group::about("Première lecture de la plaque", reading));
        } else {
            let hidden = Group::about("Première lecture de la plaque", Vec::new());
            groups.push(hidden.help(
                "Saisie par un autre agent ; elle n'est pas montrée avant que la seconde lecture ait été faite.",
            ));
        }
        let seen = vec![
            Question::line("genre", "Genre du véhicule").help("Par exemple : camionnette, remorque."),
            Question::line("marque", "Marque et modèle"),
            Question::line("couleur", "Couleur"),
            Question::line("marquage", "Marquage, inscriptions"),
            Question::short("personnes", "Nombre de personnes visibles")
                .help("Silhouettes masquées comprises."),
        ];
        groups.push(Group::about("Description par l'agent", seen));
        groups
    }
}

fn turns() -> [(String, String); 2] {
    [
        ("ete".to_owned(), "Heure d'été (la première)".to_owned()),
        ("hiver".to_owned(), "Heure d'hiver (la seconde)".to_owned()),
    ]
}

fn short(day: Date) -> String {
    crate::desk::web::dates::short(day)
}

fn legibility() -> Question {
    let all = Legibility::ALL.map(|one| (one.as_str().to_owned(), one.french().to_owned()));
    Question::radio("lisibilite", "Lisibilité", all).required()
}

fn reason() -> Question {
    Question::line("motif_correction", "Motif de la rectification")
        .required()
        .help("L'ancienne mention est conservée avec ce motif.")
}

fn second_reading() -> Group {
    let questions = vec![
        Question::short("plaque", "Immatriculation lue").required().help(
            "Relisez l'image et ressaisissez l'immatriculation ; la première lecture n'est pas montrée.",
        ),
        legibility(),
    ];
    Group::plain(questions)
}

fn waste() -> Vec<Question> {
    let kinds = WasteKind::ALL
        .iter()
        .map(|kind| (kind.as_str().to_owned(), kind.french().to_owned()));
    let dangers = Danger::ALL
        .iter()
        .map(|danger| (danger.as_str().to_owned(), danger.french().to_owned()));
    vec![
        Question::ticks("nature", "Nature des déchets", kinds).required(),
        Question::text("description", "Description"),
        Question::short("volume", "Volume estimé, en m³").help("Par exemple : 1,5."),
        Question::ticks("danger", "Dangerosité", dangers),
        Question::line("photos", "Photographies prises sur place par l'agent")
            .help("Références des clichés joints."),
    ]
}

fn identification() -> Vec<Group> {
    let siv = vec![
        Question::short("siv_date", "Date de la consultation"),
        Question::line("siv_agent", "Faite par"),
        Question::line("siv_reference", "Référence"),
    ];
    let holder = vec![
        Question::line("titulaire_nom", "Nom ou raison sociale"),
        Question::text("titulaire_adresse", "Adresse"),
        Question::line("titulaire_source", "Source de l'information"),
    ];
    vec![
        Group::about("Consultation du système d'immatriculation des véhicules", siv)
            .help("Le programme n'a aucun accès au SIV : notez ici une consultation faite par ailleurs."),
        Group::about("Titulaire du certificat d'immatriculation", holder)
            .help("Facultatif. Conservé à part, sous une clé distincte, et jamais exporté."),
    ]
}

/// The lines of a repeated group, and some empty ones.
fn lines(fields: &Fields, group: &str, legend: &str, questions: fn(usize) -> Vec<Question>) -> Vec<Group> {
    let last = fields
        .iter()
        .filter_map(|(name, value)| {
            let line = name.strip_prefix(group)?.strip_prefix('.')?.split('.').next()?;
            line.parse::<usize>().ok().filter(|_| !value.is_empty())
        })
        .max();
    let count = last.map_or(0, |last| last + 1) + EMPTY_LINES;
    let count = count.min(crate::desk::infraction::form::MOST_LINES);
    (0..count)
        .map(|n| Group::about(format!("{legend} n° {}", n + 1), questions(n)).line())
        .collect()
}

fn cost(n: usize) -> Vec<Question> {
    let name = |part: &str| format!("frais.{n}.{part}");
    let kinds = CostKind::ALL
        .iter()
        .map(|kind| (kind.as_str().to_owned(), kind.french().to_owned()));
    vec![
        Question::choice(name("type"), "Nature", kinds),
        Question::line(name("libelle"), "Libellé"),
        Question::short(name("quantite"), "Quantité").help("Heures, rotations, tonnes…"),
        Question::short(name("unite"), "Prix unitaire (€)"),
        Question::short(name("montant"), "Montant (€)")
            .help("Calculé si la quantité et le prix unitaire sont donnés."),
        Question::line(name("justificatif"), "Justificatif")
            .required()
            .help("Référence du bon, de la facture ou du relevé d'heures ; obligatoire pour chaque frais."),
    ]
}

fn outcome(n: usize) -> Vec<Question> {
    let name = |part: &str| format!("suites.{n}.{part}");
    let kinds = OutcomeKind::ALL
        .iter()
        .map(|kind| (kind.as_str().to_owned(), kind.french().to_owned()));
    vec![
        Question::choice(name("nature"), "Suite", kinds),
        Question::short(name("date"), "Date"),
        Question::line(name("reference"), "Référence").help("N° de parquet ou de jugement."),
        Question::line(name("note"), "Précisions"),
    ]
}

fn outcomes(fields: &Fields) -> Vec<Group> {
    let mut groups = lines(fields, "suites", "Suite", outcome);
    let holds = Question::text("gels", "Références des gels").help(
        "Une par ligne. Le gel lui-même (autorité, motif, fin) se décide à la page Échéances : cette mention ne suspend rien.",
    );
    groups.push(Group::about("Gel de la destruction", vec![holds]));
    groups
}
