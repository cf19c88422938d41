//! The page of a certificate: one sheet for a data protection officer, in French.

use super::layout::{Page, date, lateness, number, octets};
use super::{Certificate, DISMISSALS, Dismissed, Expired, LIMIT, Reason, Regime, What, Wipe};

/// The page of this certificate. Its own hash in it ([`Certificate::page`]) plays no part.
pub fn page(certificate: &Certificate) -> String {
    let mut page = Page::default();
    page.heading(&certificate.number);
    match &certificate.what {
        What::Wipe(wipe) => of_wipe(&mut page, certificate, wipe),
        What::Expired(expired) => of_expired(&mut page, certificate, expired),
        What::Dismissed(dismissed) => of_dismissed(&mut page, certificate, dismissed),
    }
    page.lines
}

fn of_wipe(page: &mut Page, certificate: &Certificate, wipe: &Wipe) {
    page.text("Objet : vidage complet de la carte mémoire d'un piège photographique.");
    page.text(match wipe.is_whole() {
        true => "Résultat : vidage complet, contrôle par relecture conforme.",
        false => {
            "Résultat : VIDAGE PARTIEL. Une partie de la carte n'a pu être réécrite, supprimée ou contrôlée (points 3 \
             et 4). La carte doit être retirée du service et détruite physiquement."
        }
    });
    device(page, certificate);
    card(page, wipe);
    term(
        page,
        certificate,
        match wipe.reason {
            Reason::Due => "échéance du vidage périodique",
            Reason::Asked => "demande d'un opérateur",
        },
    );
    if wipe.interrupted > 0 {
        page.row("Interruptions, puis reprises", &number(wipe.interrupted.into()));
    }
    files(page, wipe);
    method(page, wipe);
    page.title("5. Limite");
    page.text(LIMIT);
    proof(page, certificate);
    page.text("La suite pseudo-aléatoire de l'espace libre est tirée de");
    page.text(&format!("  {}", wipe.fill.seed));
    original(page, certificate);
}

fn of_expired(page: &mut Page, certificate: &Certificate, expired: &Expired) {
    page.text(
        "Objet : destruction d'événements scellés que le service n'a pas relevés dans le délai de conservation.",
    );
    device(page, certificate);
    term(page, certificate, "échéance du délai de conservation");
    page.title("3. Ce qui a été détruit");
    page.row("Événements", &number(expired.events));
    page.row("Éléments scellés", &number(expired.items));
    page.row("Volume de ces éléments", &octets(expired.bytes));
    page.title("4. Méthode");
    page.text(
        "Ces éléments étaient masqués et chiffrés avant leur première écriture ; le boîtier n'a jamais détenu la clé \
         qui les ouvre. Leur enregistrement a été retiré du coffre, puis chaque fichier a été réécrit sur place, une \
         fois, par des octets aléatoires, et supprimé.",
    );
    page.title("5. Limite");
    page.text(LIMIT);
    proof(page, certificate);
    original(page, certificate);
}

fn of_dismissed(page: &mut Page, certificate: &Certificate, dismissed: &Dismissed) {
    page.text("Objet : destruction immédiate d'un événement écarté par un agent assermenté.");
    page.title("1. Origine");
    page.row("Événement", &dismissed.event.to_string());
    page.row("Caméra", &certificate.camera.to_string());
    page.row("Lieu", &certificate.site);
    page.row("Régime juridique déclaré", &regime(&certificate.regime));
    page.row("Poste du service", &certificate.device.to_string());
    let known = DISMISSALS.iter().find(|(word, _)| *word == dismissed.motive);
    let motive = known.map_or(dismissed.motive.as_str(), |(_, french)| french);
    term(page, certificate, &format!("événement écarté : {motive}"));
    page.row("Décision de", &format!("compte {}", dismissed.account));
    page.title("3. Ce qui a été détruit");
    page.row("Éléments scellés", &number(dismissed.items));
    page.row("Volume de ces éléments", &octets(dismissed.bytes));
    page.title("4. Méthode");
    page.text(
        "Ces éléments étaient masqués et chiffrés. La clé de l'événement, sans laquelle aucun d'eux ne s'ouvre, et \
         leur enregistrement ont été retirés de la base et effacés ; puis chaque fichier a été réécrit sur place, une \
         fois, par des octets aléatoires, et supprimé.",
    );
    page.title("5. Limite");
    page.text(LIMIT);
    proof(page, certificate);
    page.text(&format!(
        "L'original, signé par le poste du service, est le fichier {}.json ; cette page en est la version à imprimer, \
         et son empreinte y figure.",
        certificate.number
    ));
}

fn device(page: &mut Page, certificate: &Certificate) {
    page.title("1. Appareil et support");
    page.row("Caméra", &certificate.camera.to_string());
    page.row("Lieu", &certificate.site);
    page.row("Régime juridique déclaré", &regime(&certificate.regime));
    page.row("Boîtier", &certificate.device.to_string());
}

fn card(page: &mut Page, wipe: &Wipe) {
    let card = &wipe.card;
    let unknown = || "non communiqué par le système".to_owned();
    let serial = card.serial.clone().unwrap_or_else(unknown);
    page.row("Carte", &format!("{}, n° de série {serial}", card.file_system));
    let size = (card.bytes > 0).then(|| octets(card.bytes));
    page.row("Carte, capacité", &size.unwrap_or_else(unknown));
}

fn term(page: &mut Page, certificate: &Certificate, why: &str) {
    page.title("2. Motif et délais (heures en temps universel)");
    page.row("Motif", why);
    page.row("Période couverte, début", &date(certificate.period.from));
    page.row("Période couverte, fin", &date(certificate.period.until));
    page.row("Prévu au plus tard le", &date(certificate.due));
    page.row("Commencé le", &date(certificate.began));
    page.row("Terminé le", &date(certificate.ended));
    page.row("Retard", &lateness(certificate.late_seconds));
}

fn files(page: &mut Page, wipe: &Wipe) {
    let files = &wipe.files;
    page.title("3. Ce qui a été détruit");
    page.text(
        "Les photographies lisibles ont été traitées avant le vidage : retenues et scellées après masquage, ou \
         détruites. Restaient sur la carte :",
    );
    page.row("Photographies inutilisables", &number(files.frames));
    for (word, count) in &wipe.unusable {
        page.row(&format!("  - {}", unusable(word)), &number(*count));
    }
    page.row("Vidéos", &number(files.videos));
    page.row("Autres fichiers", &number(files.others));
    page.row("Liens et objets spéciaux", &number(files.links));
    page.row("Volume de ces fichiers", &octets(files.bytes));
    page.row("Réécriture incomplète", &number(files.not_overwritten));
    page.row("Suppression impossible", &number(files.not_removed));
    page.row(
        "Sauvegardes à purger",
        "aucune : les originaux ne sont que sur la carte",
    );
}

fn method(page: &mut Page, wipe: &Wipe) {
    let fill = &wipe.fill;
    page.title("4. Méthode et contrôle");
    page.text(
        "Chaque fichier a été réécrit sur place, une fois, par une suite pseudo-aléatoire, puis supprimé. L'espace \
         libre a ensuite été rempli d'une telle suite, relu bloc par bloc, puis libéré.",
    );
    page.row("Espace libre rempli", &octets(fill.bytes));
    page.row("Écritures refusées", &number(fill.refused));
    page.row("Blocs (512 octets) relus", &number(fill.blocks_read));
    let [different, unread] = [fill.blocks_different, fill.blocks_unread].map(number);
    page.row("Blocs différents, illisibles", &format!("{different}, {unread}"));
    page.row(
        "Relecture",
        match fill.read_direct {
            true => "directe, sans la mémoire tampon du système",
            false => "mémoire tampon du système non exclue",
        },
    );
    page.row(
        "Abandon des blocs libérés",
        match wipe.discard_passed_on {
            true => "ordre accepté par le système",
            false => "ordre non transmis à la carte",
        },
    );
}

fn proof(page: &mut Page, certificate: &Certificate) {
    page.title("6. Preuve");
    page.row(
        "Établi par",
        &format!("vigie {}, automatiquement", certificate.program),
    );
    let line = number(certificate.journal.seq);
    page.text(&format!(
        "Dernière ligne du journal : {line}, dont l'empreinte est"
    ));
    page.text(&format!("  {}", certificate.journal.hash));
}

fn original(page: &mut Page, certificate: &Certificate) {
    page.text(&format!(
        "L'original, signé par le boîtier, est le fichier {}.json ; cette page en est la version à imprimer, et \
         son empreinte y figure.",
        certificate.number
    ));
}

pub(super) fn regime(regime: &Regime) -> String {
    let kind = match regime.kind.as_str() {
        "videoprotection" => "vidéoprotection",
        "acte_enquete" => "acte d'enquête",
        "sans_texte" => "sans texte (contesté)",
        "quebec" => "Québec",
        other => other,
    };
    format!("{kind}, {}", regime.reference)
}

fn unusable(word: &str) -> &str {
    match word {
        "empty-file" => "vides",
        "not-jpeg" => "autre contenu",
        "truncated" => "tronquées",
        "corrupt" => "endommagées",
        "too-large" => "trop grandes",
        "unsupported" => "type non pris en charge",
        "unreadable" => "illisibles",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::WIDTH;
    use super::super::{Card, Files, Fill, LastLine, Period};
    use super::*;
    use crate::frame::{BoxTime, Digest};
    use crate::vault::keys::trap_init_from;
    use crate::vault::{DeviceKey, signed};

    fn at(text: &str) -> BoxTime {
        BoxTime(text.parse().expect("a time"))
    }

    fn wipe() -> Wipe {
        Wipe {
            reason: Reason::Due,
            interrupted: 0,
            card: Card {
                file_system: "exfat".to_owned(),
                serial: Some("1A2B-3C4D".to_owned()),
                bytes: 31_914_983_424,
            },
            files: Files {
                frames: 3,
                videos: 1,
                others: 2,
                links: 0,
                bytes: 1_234_567,
                ..Files::default()
            },
            unusable: [("truncated".to_owned(), 2), ("not-jpeg".to_owned(), 1)].into(),
            fill: Fill {
                seed: Digest::of(b"seed"),
                bytes: 1024,
                refused: 0,
                blocks_read: 2,
                blocks_different: 0,
                blocks_unread: 0,
                read_direct: true,
            },
            discard_passed_on: false,
        }
    }

    fn certificate(key: &DeviceKey, wipe: Wipe) -> Certificate {
        let mut certificate = Certificate {
            number: "quai-nord-0003".to_owned(),
            what: What::Wipe(wipe),
            device: key.id(),
            device_key: key.public().clone(),
            camera: "quai-nord".parse().expect("plain"),
            site: "Quai Nord, face au 12,\ndépôt des conteneurs, à côté de l'ancienne gare fluviale"
                .to_owned(),
            regime: Regime {
                kind: "videoprotection".to_owned(),
                reference: "arrêté 2026-0412".to_owned(),
            },
            period: Period {
                from: at("2026-08-01T06:05:00Z"),
                until: at("2026-11-05T23:59:59Z"),
            },
            due: at("2026-11-01T06:05:00Z"),
            began: at("2026-11-05T23:59:59Z"),
            ended: at("2026-11-06T01:00:00Z"),
            late_seconds: 413_700,
            program: "0.1.0".to_owned(),
            journal: LastLine {
                seq: 1041,
                hash: Digest::of(b"line"),
            },
            limit: LIMIT.to_owned(),
            page: Digest::of(b""),
        };
        certificate.page = Digest::of(page(&certificate).as_bytes());
        certificate
    }

    fn key() -> DeviceKey {
        let dir = tempfile::tempdir().expect("a folder");
        let made = trap_init_from(dir.path(), &[1; 32]).expect("a key");
        DeviceKey::read(&made.files.secret).expect("just made")
    }

    #[test]
    fn the_page_fits_a_sheet_and_says_what_counts() {
        let page = page(&certificate(&key(), wipe()));
        for line in page.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
        assert!(page.lines().count() <= 66, "{} lines", page.lines().count());
        let flat = page.split_whitespace().collect::<Vec<_>>().join(" ");
        for said in [
            "n° quai-nord-0003",
            "contrôle par relecture conforme",
            "vidéoprotection, arrêté 2026-0412",
            "1er novembre 2026 à 6 h 05",
            "4 jours 18 heures",
            "31 914 983 424 octets",
            "tronquées ................ : 2",
            "1A2B-3C4D",
            "réécrit sur place, une fois, par une suite pseudo-aléatoire",
            "Blocs (512 octets) relus ..... : 2",
            "Établi par ................... : vigie 0.1.0",
            "Dernière ligne du journal : 1 041, dont l'empreinte est",
            "L'original, signé par le boîtier, est le fichier quai-nord-0003.json",
        ] {
            assert!(flat.contains(said), "{said}:\n{page}");
        }
        assert!(flat.contains(LIMIT), "word for word");
        assert!(!flat.contains("Interruptions"), "there was none");
    }

    #[test]
    fn what_a_card_does_not_tell_is_said_and_so_is_each_interruption() {
        let mut wipe = wipe();
        (wipe.interrupted, wipe.card.bytes) = (2, 0);
        let page = page(&certificate(&key(), wipe));
        let flat = page.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains("Interruptions, puis reprises . : 2"), "{page}");
        let unknown = "Carte, capacité .............. : non communiqué par le système";
        assert!(flat.contains(unknown), "{page}");
    }

    #[test]
    fn the_pages_of_what_was_sealed_say_what_went_why_and_how() {
        let of = |what: What| {
            let certificate = Certificate {
                what,
                ..certificate(&key(), wipe())
            };
            page(&certificate)
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        };
        let expired = of(What::Expired(Expired {
            events: 2,
            items: 14,
            bytes: 5_123_456,
        }));
        let dismissed = of(What::Dismissed(Dismissed {
            event: crate::frame::EventId::from_bytes([2; 8]),
            account: "a7".to_owned(),
            motive: "lawful-deposit".to_owned(),
            items: 14,
            bytes: 5_123_456,
        }));
        let both = [
            "n° quai-nord-0003",
            "vidéoprotection, arrêté 2026-0412",
            "1er novembre 2026 à 6 h 05",
            ": 14 ",
            ": 5 123 456 octets",
            "réécrit sur place, une fois, par des octets aléatoires, et supprimé",
            LIMIT,
            "Dernière ligne du journal : 1 041, dont l'empreinte est",
            "est le fichier quai-nord-0003.json",
        ];
        let of_expired = [
            "n'a pas relevés dans le délai",
            ": échéance du délai de conservation",
            ": 2 ",
        ];
        let of_dismissed = [
            "événement écarté : dépôt régulier (service, collecte, riverain autorisé)",
            "0202020202020202",
            "compte a7",
            "La clé de l'événement",
        ];
        for (page, own) in [(&expired, &of_expired[..]), (&dismissed, &of_dismissed[..])] {
            for said in both.iter().chain(own) {
                assert!(page.contains(said), "{said} in\n{page}");
            }
        }
    }

    #[test]
    fn a_wipe_in_part_says_so_first_and_sends_the_card_to_be_destroyed() {
        type Change = fn(&mut Wipe);
        let changes: [Change; 6] = [
            |w| w.files.not_overwritten = 1,
            |w| w.files.not_removed = 1,
            |w| w.fill.refused = 1,
            |w| w.fill.blocks_different = 1,
            |w| w.fill.blocks_unread = 1,
            |w| w.fill.blocks_read = 1,
        ];
        assert!(wipe().is_whole());
        for change in changes {
            let mut wipe = wipe();
            change(&mut wipe);
            assert!(!wipe.is_whole());
            let page = page(&certificate(&key(), wipe));
            assert!(
                page.contains("VIDAGE PARTIEL") && page.contains("détruite"),
                "{page}"
            );
            assert!(!page.contains("conforme"), "{page}");
        }
    }

    #[test]
    fn a_certificate_is_read_as_it_was_signed() {
        let key = key();
        let certificate = certificate(&key, wipe());
        let text = signed::sign(&certificate, &key).expect("signed");
        assert_eq!(
            signed::read::<Certificate>(&text, key.public(), "the box"),
            Ok(certificate)
        );
    }
}
