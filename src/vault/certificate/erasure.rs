//! Certificates of what the desk erased: events that led to nothing, infraction files whose term was over.
//!
//! Promises: signed by the desk after it looked whether what it erased is gone; opaque ids, counts and dates, no
//! personal data; the page in French is signed with the rest. Pure: what is told comes in. Leaves keeping it to
//! [`crate::vault::store`].

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::layout::{self, Page};
use super::page::regime;
use super::{LastLine, Paged, Regime};
use crate::frame::{BoxTime, Digest};
use crate::vault::keys::{DeviceId, DevicePublic};
use crate::vault::signed::Document;

/// What no program can promise of a disk, as it must be printed.
pub const OFFICE_LIMIT: &str = "Ce qui était conservé avait été chiffré avant d'être écrit. La clé propre à chaque \
élément, qui n'existait qu'enveloppée dans la base du poste, a été détruite : sans elle, le contenu ne peut plus être \
lu. Lignes et fichiers ont été réécrits et effacés, puis leur absence a été contrôlée par relecture. Sur une mémoire \
flash, la répartition de l'usure peut laisser une copie de la clé enveloppée dans une zone que vigie ne peut \
atteindre ; elle ne s'ouvre qu'avec les clés du service, que la destruction trimestrielle de ces clés ou la \
destruction physique du support (NIST SP 800-88, « Destroy ») rend définitivement inutile.";

/// A certificate of the desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasureCertificate {
    /// Its name, once per desk: of `a-z`, `0-9` and `-`.
    pub number: String,
    /// What was erased.
    pub what: Erased,
    /// Why.
    pub motive: Motive,
    /// The text or promise by which it had to go.
    pub basis: String,
    /// The archives' agreement, where one was needed.
    pub agreement: Option<String>,
    /// The desk that did it.
    pub device: DeviceId,
    /// Its public key.
    pub device_key: DevicePublic,
    /// Whose data it was.
    pub cameras: Vec<Site>,
    /// The first and the last day of the facts.
    pub facts: (Date, Date),
    /// The day on which it had to be done at the latest.
    pub due: Date,
    /// When it was done.
    pub ended: BoxTime,
    /// How many days later than due; 0 if in time.
    pub late_days: u32,
    /// What a look afterwards found.
    pub check: Check,
    /// The day by which no backup holds a key to it any more.
    pub backups_until: Date,
    /// The program's version.
    pub program: String,
    /// The journal's last line before the one that names this certificate.
    pub journal: LastLine,
    /// [`OFFICE_LIMIT`].
    pub limit: String,
    /// SHA-256 of its page.
    pub page: Digest,
}

impl Document for ErasureCertificate {
    const TITLE: &'static str = "vigie erasure certificate 1";
}

impl Paged for ErasureCertificate {
    fn number(&self) -> &str {
        &self.number
    }

    fn page(&self) -> String {
        page(self)
    }

    fn names(&mut self, page: Digest) {
        self.page = page;
    }

    fn named(&self) -> Digest {
        self.page
    }

    fn journal(&self) -> &LastLine {
        &self.journal
    }
}

/// What was erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erased {
    /// The infraction file's opaque number; none for events that led to no file.
    pub file: Option<String>,
    /// Events.
    pub events: u64,
    /// Records of infraction files.
    pub records: u64,
    /// Sealed files.
    pub items: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Why something was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Motive {
    /// Its term was over.
    Term,
    /// A final relaxe.
    Relaxe,
    /// A final classement.
    Classement,
}

impl Motive {
    const fn french(self) -> &'static str {
        match self {
            Self::Term => "échéance du délai de conservation",
            Self::Relaxe => "relaxe définitive",
            Self::Classement => "classement sans suite",
        }
    }
}

/// A camera and its ground.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// The camera's id.
    pub camera: String,
    /// Where it stands, in words.
    pub site: String,
    /// The legal ground that the city states for it.
    pub regime: Regime,
}

/// What a look after the erasure found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Rows that are still there.
    pub rows: u64,
    /// Files that are still there.
    pub files: u64,
    /// Bytes of the write-ahead log that are not folded in.
    pub log: u64,
}

impl Check {
    /// Whether nothing is left.
    pub const fn is_clean(self) -> bool {
        self.rows + self.files + self.log == 0
    }
}

fn page(certificate: &ErasureCertificate) -> String {
    let mut page = Page::default();
    page.heading(&certificate.number);
    page.text(&object(&certificate.what));
    page.text("Résultat : destruction complète, contrôle par relecture conforme.");
    page.title("1. Origine des données");
    for site in &certificate.cameras {
        page.row("Caméra", &format!("{}, {}", site.camera, site.site));
        page.row("Régime juridique déclaré", &regime(&site.regime));
    }
    page.row("Poste", &certificate.device.to_string());
    term(&mut page, certificate);
    counts(&mut page, &certificate.what);
    method(&mut page, certificate);
    page.title("5. Limite");
    page.text(&certificate.limit);
    proof(&mut page, certificate);
    page.lines
}

fn object(what: &Erased) -> String {
    match (&what.file, what.events, what.records) {
        (None, _, _) => "Objet : destruction d'événements qui n'ont donné lieu à aucun dossier.".to_owned(),
        (Some(file), 0, _) => format!("Objet : destruction de la fiche du dossier d'infraction n° {file}."),
        (Some(file), _, 0) => format!("Objet : destruction des images du dossier d'infraction n° {file}."),
        (Some(file), _, _) => {
            format!("Objet : destruction du dossier d'infraction n° {file}, fiche et images.")
        }
    }
}

fn term(page: &mut Page, certificate: &ErasureCertificate) {
    page.title("2. Motif et délais");
    page.row("Motif", certificate.motive.french());
    page.row("Fondement du délai", &certificate.basis);
    let agreement = certificate.agreement.as_deref();
    page.row(
        "Accord d'élimination",
        agreement.unwrap_or("non requis (destruction imposée par un texte)"),
    );
    page.row("Faits, premier jour", &layout::day(certificate.facts.0));
    page.row("Faits, dernier jour", &layout::day(certificate.facts.1));
    page.row("Prévu au plus tard le", &layout::day(certificate.due));
    page.row("Fait le (temps universel)", &layout::date(certificate.ended));
    page.row(
        "Retard",
        &match certificate.late_days {
            0 => "aucun".to_owned(),
            1 => "1 jour".to_owned(),
            days => format!("{} jours", layout::number(days.into())),
        },
    );
}

fn counts(page: &mut Page, what: &Erased) {
    page.title("3. Ce qui a été détruit");
    page.row("Événements", &layout::number(what.events));
    page.row("Fiches d'infraction", &layout::number(what.records));
    page.row("Fichiers scellés", &layout::number(what.items));
    page.row("Volume de ces fichiers", &layout::octets(what.bytes));
}

fn method(page: &mut Page, certificate: &ErasureCertificate) {
    page.title("4. Méthode et contrôle");
    page.text(
        "Clé de contenu détruite avec l'enregistrement qui la portait, dans une seule opération ; base de données \
         réécrite aux emplacements libérés ; fichiers réécrits sur place, une fois, par des octets aléatoires, puis \
         supprimés ; journal d'écriture de la base vidé.",
    );
    let check = certificate.check;
    page.row("Lignes restantes", &layout::number(check.rows));
    page.row("Fichiers restants", &layout::number(check.files));
    page.row("Journal d'écriture", &layout::octets(check.log));
    page.row(
        "Sauvegardes",
        &format!(
            "n'en détiennent plus la clé au plus tard le {}, à la prochaine sauvegarde de chaque support",
            layout::day(certificate.backups_until)
        ),
    );
}

fn proof(page: &mut Page, certificate: &ErasureCertificate) {
    page.title("6. Preuve");
    page.row(
        "Établi par",
        &format!("vigie {}, automatiquement, à l'échéance", certificate.program),
    );
    page.text(&format!(
        "Dernière ligne du journal : {}, dont l'empreinte est",
        layout::number(certificate.journal.seq)
    ));
    page.text(&format!("  {}", certificate.journal.hash));
    page.text(&format!(
        "L'original, signé par le poste, est le fichier {}.json ; cette page en est la version à imprimer, et son \
         empreinte y figure.",
        certificate.number
    ));
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::vault::keys::trap_init_from;
    use crate::vault::{DeviceKey, journal};

    fn certificate() -> ErasureCertificate {
        let dir = tempfile::tempdir().expect("a folder");
        let made = trap_init_from(dir.path(), &[3; 32]).expect("a key");
        let key = DeviceKey::read(&made.files.secret).expect("just made");
        ErasureCertificate {
            number: "destruction-000042".to_owned(),
            what: Erased {
                file: Some("2026-IVR-0042".to_owned()),
                events: 1,
                records: 1,
                items: 14,
                bytes: 5_123_456,
            },
            motive: Motive::Term,
            basis: "2 ans à compter des faits, engagement public de la commune".to_owned(),
            agreement: Some("AD 94, 2026-117 du 3 mars 2026".to_owned()),
            device: key.id(),
            device_key: key.public().clone(),
            cameras: vec![Site {
                camera: "quai".to_owned(),
                site: "Quai de Seine".to_owned(),
                regime: Regime {
                    kind: "videoprotection".to_owned(),
                    reference: "arrêté 2026-1".to_owned(),
                },
            }],
            facts: (date(2026, 11, 22), date(2026, 11, 22)),
            due: date(2028, 11, 22),
            ended: BoxTime("2028-11-22T02:00:00Z".parse().expect("an instant")),
            late_days: 0,
            check: Check {
                rows: 0,
                files: 0,
                log: 0,
            },
            backups_until: date(2028, 11, 29),
            program: "0.1.0".to_owned(),
            journal: journal::Head::empty(key.public()).into(),
            limit: OFFICE_LIMIT.to_owned(),
            page: Digest::of(b""),
        }
    }

    #[test]
    fn the_page_says_all_that_such_a_certificate_must_on_lines_that_print() {
        let page = certificate().page();
        for told in [
            "n° destruction-000042",
            "dossier d'infraction n° 2026-IVR-0042",
            "échéance du délai de conservation",
            "AD 94, 2026-117",
            "22 novembre 2028",
            "Retard ....................... : aucun",
            "29 novembre 2028",
            "contrôle par relecture conforme",
            "NIST SP 800-88",
            "Fichiers scellés ............. : 14",
            "5 123 456 octets",
            "Dernière ligne du journal : 0, dont l'empreinte est",
            "L'original, signé par le poste, est le fichier destruction-000042.json",
        ] {
            let unbroken = page.split_whitespace().collect::<Vec<_>>().join(" ");
            let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(unbroken.contains(&told), "{told} in\n{page}");
        }
        assert!(page.lines().all(|line| line.chars().count() <= 78), "{page}");
    }

    #[test]
    fn an_erasure_is_clean_only_if_nothing_at_all_was_found() {
        let clean = |rows, files, log| Check { rows, files, log }.is_clean();
        assert!(clean(0, 0, 0));
        for (rows, files, log) in [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1), (1, 1, 1)] {
            assert!(!clean(rows, files, log), "{rows} {files} {log}");
        }
    }

    #[test]
    fn the_page_that_a_certificate_names_is_its_own() {
        let mut certificate = certificate();
        let page = Digest::of(certificate.page().as_bytes());
        certificate.names(page);
        assert_eq!(
            (certificate.named(), certificate.number()),
            (page, "destruction-000042")
        );
        assert_eq!(
            Digest::of(certificate.page().as_bytes()),
            page,
            "whatever it names"
        );
    }
}
