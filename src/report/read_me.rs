//! `lisezmoi.txt`: what the package is, how to check it without this program's help, in plain French. The name of
//! each thing is what the recipient sees.

use super::approval::Approved;
use super::contents::{NAME, Role, STAMP};
use super::french;
use super::package::{File, Parts};
use crate::vault::DeviceKey;

const WIDTH: usize = 78;

/// The text, with the line ends that every editor shows.
pub fn read_me(approved: &Approved, parts: &Parts, key: &DeviceKey, files: &[File]) -> String {
    let mut page = Page::default();
    page.line(&format!("PAQUET {} – dossier n° {}", parts.number, parts.case));
    page.line(&"=".repeat(WIDTH));
    page.text(&format!(
        "Destinataire : {}. Motif : {}.",
        approved.request().recipient(),
        approved.request().motive()
    ));
    what(&mut page, parts, files);
    trust(&mut page, key);
    by_hand(&mut page);
    stamp(&mut page);
    limits(&mut page);
    page.text.replace('\n', "\r\n")
}

fn what(page: &mut Page, parts: &Parts, files: &[File]) {
    page.title("1. Ce que contient le paquet");
    page.row(parts.act.file(), &format!("le {}", parts.act.name()));
    let images = files.iter().filter(|file| file.role == Role::Image).count();
    if images > 0 {
        let told = format!("{images} images masquées ; à chacune son manifeste (.json)");
        page.row("images/", &told.replace("1 images masquées", "1 image masquée"));
    }
    for file in files.iter().filter(|file| file.role == Role::Journal) {
        page.row(&file.name, "extrait de journal, signé");
    }
    page.row("lisezmoi.txt", "cette page");
    page.row("verifier.html", "vérification dans un navigateur, sans réseau");
    page.row(NAME, "liste signée de tous ces fichiers");
    page.text(
        "Aucun original n'est conservé : les personnes ont été masquées avant le premier enregistrement.",
    );
}

fn trust(page: &mut Page, key: &DeviceKey) {
    page.title("2. Vérifier");
    page.text(
        "Avec le programme vigie :  vigie verify paquet.zip --device desk.pub\n\
         Sans rien installer : ouvrir verifier.html dans un navigateur récent et y déposer le paquet. La page \
         n'envoie rien ; elle fonctionne réseau coupé.",
    );
    page.text(&format!(
        "Le paquet est signé par le poste du service dont la clé publique est\n  {}\n(nom abrégé : {}). Cette clé doit \
         être comparée à celle que la Ville a remise par une autre voie : sans cette comparaison, le paquet prouve \
         seulement qu'il n'a pas changé depuis sa signature.",
        String::from(key.public().clone()),
        key.id()
    ));
}

fn by_hand(page: &mut Page) {
    page.title("3. Vérifier à la main");
    page.text(
        "Chaque ligne de la liste donne le nom, la taille et l'empreinte SHA-256 d'un fichier. Sous Windows : \
         certutil -hashfile FICHIER SHA256 ; sous Linux et macOS : sha256sum FICHIER ou shasum -a 256 FICHIER.",
    );
    page.text(
        "Les images incorporées au document PDF sont ces mêmes fichiers : « pdfimages -all » les en extrait à \
         l'identique.",
    );
}

fn stamp(page: &mut Page) {
    page.title("4. Horodatage");
    page.text(&format!(
        "Si le fichier {STAMP} est présent, un tiers a daté la liste (RFC 3161). Pour le vérifier, avec le certificat \
         de ce tiers (ca.pem) :\n  openssl ts -verify -data {NAME} -in {STAMP} -CAfile ca.pem\nSeul un horodatage \
         qualifié (règlement eIDAS) vaut présomption de date et d'intégrité.",
    ));
}

fn limits(page: &mut Page) {
    page.title("5. Limites");
    page.text(
        "L'image n'est pas la seule preuve. La vérification dit que rien n'a changé depuis la signature et que les \
         zones masquées ne contiennent rien ; elle ne dit pas ce que l'image montre.",
    );
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn title(&mut self, text: &str) {
        self.line("");
        self.line(text);
        self.line(&"-".repeat(text.chars().count()));
    }

    fn row(&mut self, name: &str, value: &str) {
        self.line(&format!("  {name:<26} {value}"));
    }

    fn text(&mut self, text: &str) {
        for paragraph in french::set(text).split('\n') {
            let indent = paragraph.len() - paragraph.trim_start_matches(' ').len();
            let mut line = " ".repeat(indent);
            for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
                let is_begun = line.trim_start().chars().count() > 0;
                if is_begun && line.chars().count() + 1 + word.chars().count() > WIDTH {
                    self.line(&line);
                    line = " ".repeat(indent);
                } else if is_begun {
                    line.push(' ');
                }
                line.push_str(word);
            }
            self.line(&line);
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end_matches(' '));
        self.text.push('\n');
    }
}
