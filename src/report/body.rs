//! The fifteen sections of a procès-verbal or rapport, set on sheets.

use super::act::{Act, Decision, Moment, Report, SignOff};
use super::complete::Complete;
use super::french::{count, day, euros, exact, moment, offset, short};
use super::pictures;
pub use super::sheet::Error;
use super::sheet::{Align, Column, Face, GREY, Paper, Sheets, Style};

/// The report as it stands, for those who work on it: each sheet says that it is a draft.
pub fn draft(report: &Report, drawn: Moment) -> Result<Vec<u8>, Error> {
    set(report, None, drawn)
}

/// The final report. Its author and the chief sign the print by hand; the sign-off is told beside.
pub fn sealed(report: &Complete, signed: &SignOff) -> Result<Vec<u8>, Error> {
    set(report.report(), Some(signed), signed.at)
}

fn set(report: &Report, signed: Option<&SignOff>, drawn: Moment) -> Result<Vec<u8>, Error> {
    let mut sheets = Sheets::new().ok_or(Error::Fonts)?;
    let body = Body {
        report,
        signed,
        drawn,
    };
    body.head(&mut sheets);
    body.author(&mut sheets);
    body.framework(&mut sheets);
    body.facts(&mut sheets);
    body.circumstances(&mut sheets);
    body.observed(&mut sheets);
    body.offence(&mut sheets);
    body.vehicle(&mut sheets);
    body.identification(&mut sheets);
    body.waste(&mut sheets);
    sheets.heading("11. Planche d'images");
    pictures::plates(&mut sheets, report)?;
    body.masking(&mut sheets);
    body.trace(&mut sheets);
    body.limits(&mut sheets);
    body.closing(&mut sheets);
    let title = format!("{} n° {}", report.act.title(), report.number);
    let status = if signed.is_none() {
        " – BROUILLON, sans valeur"
    } else {
        ""
    };
    sheets.painted(&Paper {
        head: format!("{title} – {}{status}", report.service.commune),
        foot: format!("Dossier n° {}{status}", report.number),
        author: format!("{}, {}", report.service.commune, report.service.name),
        watermark: signed.is_none().then_some("BROUILLON"),
        drawn: drawn.utc,
        title,
    })
}

struct Body<'a> {
    report: &'a Report,
    signed: Option<&'a SignOff>,
    drawn: Moment,
}

impl Body<'_> {
    fn head(&self, sheets: &mut Sheets) {
        let service = &self.report.service;
        let small = Style {
            face: Face::Text,
            size: 9.0,
            grey: GREY,
        };
        let strong = Style {
            face: Face::Bold,
            size: 10.5,
            ..Style::BODY
        };
        sheets.block(
            &[(
                "RÉPUBLIQUE FRANÇAISE",
                Style {
                    face: Face::Bold,
                    size: 9.0,
                    grey: GREY,
                },
            )],
            Align::Middle,
        );
        sheets.skip(3.0);
        sheets.block(
            &[
                (&service.commune, strong),
                (&service.name, Style::BODY),
                (&service.address, small),
                (&service.contact, small),
            ],
            Align::Middle,
        );
        sheets.skip(16.0);
        sheets.title(self.report.act.title());
        let number = format!("n° {}", self.report.number);
        sheets.block(
            &[(
                &number,
                Style {
                    size: 11.5,
                    ..Style::STRONG
                },
            )],
            Align::Middle,
        );
        sheets.skip(6.0);
        sheets.heading("1. Acte et textes visés");
        sheets.facts(&[
            ("Nature de l'acte", self.report.act.title().to_owned()),
            ("Numéro", self.report.number.clone()),
        ]);
        for visa in &self.report.visas {
            sheets.paragraph(visa, Style::BODY, Align::Left);
        }
    }

    fn author(&self, sheets: &mut Sheets) {
        let author = &self.report.author;
        sheets.heading("2. Rédacteur");
        sheets.facts(&[
            ("Nom", author.name.clone()),
            ("Matricule", author.number.clone()),
            ("Qualité", author.quality.clone()),
            ("Habilitation", decision(author.clearance.as_ref())),
            ("Prestation de serment", decision(author.oath.as_ref())),
            ("Agrément préfectoral", decision(author.agreement.as_ref())),
        ]);
    }

    fn framework(&self, sheets: &mut Sheets) {
        let framework = &self.report.framework;
        sheets.heading("3. Cadre du dispositif");
        sheets.facts(&[
            ("Régime déclaré par la Ville", framework.regime.clone()),
            ("Décision", framework.reference.clone()),
            ("Datée du", framework.decided.map(day).unwrap_or_default()),
            ("Valable jusqu'au", framework.until.map(day).unwrap_or_default()),
            ("Information du public", framework.sign.clone()),
            ("Analyse d'impact", framework.assessment.clone()),
            ("Registre des traitements", framework.register.clone()),
        ]);
    }

    fn facts(&self, sheets: &mut Sheets) {
        let facts = &self.report.facts;
        sheets.heading("4. Date, heure et lieu des faits");
        let clock = facts.clock.as_ref().map(|clock| {
            format!(
                "horloge de l'appareil {}, mesurée le {} par {} ; les heures légales ci-dessus en tiennent compte",
                offset(clock.ahead),
                day(clock.measured),
                clock.by
            )
        });
        let utc = jiff::tz::TimeZone::UTC.to_datetime(facts.utc.0);
        sheets.facts(&[
            ("Date et heure légales", exact(facts.from)),
            ("Jusqu'au", facts.until.map(exact).unwrap_or_default()),
            ("En temps universel", format!("{} (UTC)", short(utc))),
            ("Lieu", facts.place.clone()),
            ("Repérage", facts.position.clone()),
            ("Appareil", facts.camera.clone()),
            ("Écart d'horloge", clock.unwrap_or_default()),
        ]);
    }

    fn circumstances(&self, sheets: &mut Sheets) {
        sheets.heading("5. Circonstances de la constatation");
        let told = format!(
            "Les faits ont été constatés par le visionnage des images énumérées ci-dessous, après les faits. Support : {}",
            self.report.medium
        );
        sheets.paragraph(&told, Style::BODY, Align::Left);
        let mut rows = Vec::new();
        for viewing in &self.report.viewings {
            let numbers = self.numbers(&viewing.images);
            rows.push(vec![moment(viewing.at), viewing.place.clone(), numbers]);
        }
        let column = |head, share| Column {
            head,
            share,
            align: Align::Left,
        };
        let columns = [
            column("Visionnage du", 0.34),
            column("Lieu", 0.30),
            column("Images vues par le rédacteur", 0.36),
        ];
        sheets.table(&columns, &rows);
        let note = "Les empreintes des images figurent à la section 11.";
        sheets.paragraph(note, Style::REMARK, Align::Left);
    }

    /// The numbers of images, by their fingerprints.
    fn numbers(&self, images: &[crate::frame::Digest]) -> String {
        let all = || self.report.images.iter().chain(&self.report.others);
        let mut numbers: Vec<u32> = images
            .iter()
            .filter_map(|seen| all().find(|picture| picture.sha256 == *seen))
            .map(|picture| picture.number)
            .collect();
        numbers.sort_unstable();
        let gone = images.len() - numbers.len();
        let numbers: Vec<_> = numbers.iter().map(u32::to_string).collect();
        let told = match numbers.is_empty() {
            true => String::new(),
            false => format!("n° {}", numbers.join(", ")),
        };
        match (gone, told.is_empty()) {
            (0, _) => told,
            (1, true) => "une image, non jointe".to_owned(),
            (gone, true) => format!("{gone} images, non jointes"),
            (1, false) => format!("{told} et une autre, non jointe"),
            (gone, false) => format!("{told} et {gone} autres, non jointes"),
        }
    }

    fn observed(&self, sheets: &mut Sheets) {
        sheets.heading("6. Faits personnellement constatés par le rédacteur");
        sheets.paragraph(&self.report.observed, Style::BODY, Align::Left);
    }

    fn offence(&self, sheets: &mut Sheets) {
        sheets.heading("7. Infraction et textes applicables à la date des faits");
        let Some(offence) = &self.report.offence else {
            return;
        };
        sheets.facts(&[
            ("Qualification retenue", offence.title.clone()),
            ("Texte", offence.article.clone()),
            ("Peine encourue", offence.penalty.clone()),
            ("En vigueur", offence.in_force.clone()),
        ]);
        sheets.list(&offence.texts, Style::BODY);
        let note =
            "La qualification est proposée par le rédacteur ; elle appartient à l'autorité judiciaire.";
        sheets.paragraph(note, Style::REMARK, Align::Left);
    }

    fn vehicle(&self, sheets: &mut Sheets) {
        sheets.heading("8. Véhicule et lecture de la plaque");
        let Some(vehicle) = &self.report.vehicle else {
            return sheets.paragraph("Aucun véhicule n'est mis en cause.", Style::BODY, Align::Left);
        };
        sheets.facts(&[
            ("Première lecture", reading(&vehicle.plate, &vehicle.first_reader)),
            (
                "Seconde lecture",
                reading(&vehicle.second_reading, &vehicle.second_reader),
            ),
            ("Pays", vehicle.country.clone()),
            ("Lisibilité", vehicle.legibility.clone()),
            ("Description", vehicle.description.clone()),
            ("Personnes visibles", vehicle.persons.clone()),
        ]);
        let note = match vehicle.same_reader {
            true => {
                "La plaque a été lue deux fois par le même agent. Aucune lecture automatique n'est faite."
            }
            false => {
                "La plaque a été lue par deux agents, chacun de son côté. Aucune lecture automatique n'est faite."
            }
        };
        sheets.paragraph(note, Style::REMARK, Align::Left);
    }

    fn identification(&self, sheets: &mut Sheets) {
        sheets.heading("9. Identification");
        if self.report.identification.is_empty() {
            let none = "Aucune démarche d'identification n'a été faite à ce jour.";
            return sheets.paragraph(none, Style::BODY, Align::Left);
        }
        let rows = self.report.identification.iter();
        let rows: Vec<_> = rows
            .map(|step| vec![day(step.on), step.what.clone(), step.reference.clone()])
            .collect();
        let column = |head, share| Column {
            head,
            share,
            align: Align::Left,
        };
        sheets.table(
            &[
                column("Date", 0.22),
                column("Démarche", 0.42),
                column("Référence", 0.36),
            ],
            &rows,
        );
    }

    fn waste(&self, sheets: &mut Sheets) {
        let waste = &self.report.waste;
        sheets.heading("10. Déchets et frais de nettoyage");
        sheets.facts(&[
            ("Nature", waste.nature.clone()),
            ("Volume estimé", waste.volume.clone()),
            ("Dangerosité", waste.hazard.clone()),
        ]);
        if waste.costs.is_empty() {
            return;
        }
        let rows = waste.costs.iter();
        let mut rows: Vec<_> = rows
            .map(|cost| vec![cost.what.clone(), cost.voucher.clone(), euros(cost.cents)])
            .collect();
        let total = waste.costs.iter().map(|cost| cost.cents).sum();
        rows.push(vec!["Total".to_owned(), String::new(), euros(total)]);
        let column = |head, share, align| Column { head, share, align };
        let columns = [
            column("Frais", 0.46, Align::Left),
            column("Pièce justificative", 0.34, Align::Left),
            column("Montant", 0.20, Align::Right),
        ];
        sheets.table(&columns, &rows);
    }

    fn masking(&self, sheets: &mut Sheets) {
        let masking = &self.report.masking;
        sheets.heading("12. Note sur le masquage");
        sheets.notice(
            "Les personnes ont été masquées de façon irréversible à la prise en charge de l'image, conformément à \
             l'engagement public de la Ville ; aucun original n'est conservé.",
        );
        sheets.facts(&[("Règle en vigueur", masking.policy.clone())]);
        let explained = [
            "Sont masqués le corps entier des personnes et, le cas échéant, l'habitacle des véhicules, les zones \
             privées et les plaques des véhicules non concernés. La silhouette, la posture et le lien entre les \
             personnes, les objets et le véhicule restent visibles.",
            "Hors des zones masquées, l'image est celle de l'appareil : la section 11 dit, image par image, si cela \
             est vérifiable élément par élément. Un masque ne peut qu'être étendu, jamais retiré.",
            "Le masquage détruit aussi des détails qui auraient pu être favorables à la personne mise en cause.",
        ];
        for text in explained {
            sheets.paragraph(text, Style::BODY, Align::Left);
        }
        sheets.list(&masking.added, Style::BODY);
    }

    fn trace(&self, sheets: &mut Sheets) {
        let trace = &self.report.trace;
        sheets.heading("13. Traçabilité");
        sheets.facts(&[
            ("Boîtier de l'appareil", trace.device.clone()),
            ("Logiciel", trace.program.clone()),
            ("Poste du service", trace.desk.clone()),
            ("Dernière ligne du journal", trace.journal.clone()),
            ("Dernier contrôle", trace.checked.clone()),
        ]);
        if !trace.networks.is_empty() {
            sheets.subheading("Réseaux de neurones employés au masquage");
            let rows = trace.networks.iter();
            let rows: Vec<_> = rows
                .map(|(job, digest)| vec![job.clone(), digest.to_string()])
                .collect();
            let column = |head, share| Column {
                head,
                share,
                align: Align::Left,
            };
            sheets.table(
                &[column("Emploi", 0.2), column("Empreinte SHA-256 du fichier", 0.8)],
                &rows,
            );
        }
        let text = "Le paquet transmis contient les images, leurs manifestes et l'extrait du journal. Il se vérifie \
                    sans réseau, avec le programme vigie ou avec la page verifier.html qui y est jointe.";
        sheets.paragraph(text, Style::BODY, Align::Left);
    }

    fn limits(&self, sheets: &mut Sheets) {
        sheets.heading("14. Limites");
        sheets.notice("L'image n'est pas la seule preuve.");
        let always = [
            "Les images sont des vues fixes, prises au déclenchement de l'appareil ; elles ne montrent ni ce qui \
             précède, ni ce qui suit, ni ce qui se passe hors du champ.",
            "Elles ne permettent de reconnaître personne. La plaque désigne un véhicule, non son conducteur.",
            "L'empreinte de l'original, calculée avant sa destruction, ne prouve rien à elle seule à un tiers : \
             elle vaut avec le journal signé du boîtier.",
            "Le masquage est automatique, puis contrôlé par l'agent image par image ; un détail a pu échapper à \
             l'un et à l'autre.",
        ];
        sheets.list(&always.map(str::to_owned), Style::BODY);
        sheets.paragraph(&self.report.limits, Style::BODY, Align::Left);
    }

    fn closing(&self, sheets: &mut Sheets) {
        let closing = &self.report.closing;
        sheets.heading("15. Clôture");
        let told = match self.signed {
            None => format!("Brouillon édité le {} : sans valeur.", moment(self.drawn.local)),
            Some(signed) => format!(
                "Établi à {} le {}. Validé par {} ; {} est clos à cette date.",
                closing.place,
                moment(signed.at.local),
                signed.by,
                self.report.act.this()
            ),
        };
        sheets.paragraph(&told, Style::BODY, Align::Left);
        sheets.facts(&[
            ("Destinataires", closing.recipients.join(" ; ")),
            ("Annexes", closing.annexes.join(" ; ")),
            (
                "Destruction du dossier",
                closing.erased.map(day).unwrap_or_default(),
            ),
        ]);
        sheets.signatures(["Le rédacteur", "Visa du chef de service", "Visa du maire"]);
        if self.report.act == Act::Rapport {
            let note = "Le présent rapport est établi à titre d'information.";
            sheets.paragraph(note, Style::REMARK, Align::Left);
        }
    }
}

fn decision(decision: Option<&Decision>) -> String {
    let Some(decision) = decision else {
        return String::new();
    };
    let about = match decision.about.trim() {
        "" => String::new(),
        about => format!(" – {about}"),
    };
    format!("{}, {}{about}", decision.by, day(decision.on))
}

fn reading(plate: &str, by: &str) -> String {
    match (plate.trim(), by.trim()) {
        ("", _) => String::new(),
        (plate, "") => plate.to_owned(),
        (plate, by) => format!("{plate} (par {by})"),
    }
}

/// `3 images`.
pub(super) fn images(number: usize) -> String {
    let noun = if number > 1 { "images" } else { "image" };
    format!("{} {noun}", count(number as u64))
}
