//! Certificates of destruction: the list, each page to print, each signed original.

use askama::Template;
use serde_json::json;

use crate::desk::rights::Act;
use crate::desk::web::pager::PAGE;
use crate::desk::web::{Answer, Download, Pager, Refused, Route, Shell, Visit, dates, get};
use crate::vault::certificate::Certificate;
use crate::vault::certificate::erasure::ErasureCertificate;
use crate::vault::keys::Destruction;
use crate::vault::signed;
use crate::vault::store::{self, Filed};

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/certificats", Act::SeeDeadlines, list),
    get("/certificats/{numero}", Act::SeeDeadlines, one),
    get("/certificats/{numero}/original", Act::SeeDeadlines, original),
];

struct Row {
    number: String,
    what: String,
    done: String,
    late: String,
}

#[derive(Template)]
#[template(path = "certificats.html")]
struct List {
    shell: Shell,
    rows: Vec<Row>,
    pager: Pager,
}

fn list(visit: &Visit) -> Result<Answer, Refused> {
    let (pager, filed, device, zone) = {
        let office = visit.office();
        let store = &office.desk.store;
        let pager = Pager::of(visit, "/certificats", store::count_certificates(store.sql())?);
        (
            pager,
            store::youngest_certificates(store.sql(), pager.first(), PAGE)?,
            store.device_key().clone(),
            office.config.time_zone(),
        )
    };
    let row = |filed: &Filed| {
        if let Ok(read) = signed::read::<ErasureCertificate>(&filed.text, &device, "the desk") {
            let what = match (&read.what.file, read.what.records) {
                (None, _) => format!("Événements non retenus : {}", read.what.events),
                (Some(file), 0) => format!("Images du dossier {file}"),
                (Some(file), _) => format!("Fiche du dossier {file}"),
            };
            let late = match read.late_days {
                0 => "aucun".to_owned(),
                days => format!("{days} j"),
            };
            return (Some(read.ended), what, late);
        }
        match signed::read::<Certificate>(&filed.text, &device, "the desk") {
            Ok(read) => (
                Some(read.ended),
                "Événement écarté".to_owned(),
                "aucun".to_owned(),
            ),
            Err(_) => match signed::read::<Destruction>(&filed.text, &device, "the desk") {
                Ok(read) => {
                    let what = format!("Clés du {}", dates::quarter(read.epoch));
                    (Some(read.time), what, "aucun".to_owned())
                }
                Err(_) => (None, "Signature non valable".to_owned(), String::new()),
            },
        }
    };
    let rows = filed.into_iter().map(|filed| {
        let (done, what, late) = row(&filed);
        Row {
            number: filed.number,
            what,
            done: done.map_or_else(String::new, |done| dates::moment(done, &zone)),
            late,
        }
    });
    Answer::page(&List {
        rows: rows.collect(),
        pager,
        shell: visit.shell("Certificats de destruction"),
    })
}

fn found(visit: &Visit) -> Result<Filed, Refused> {
    let found = store::certificate(visit.office().desk.store.sql(), visit.path("numero"))?;
    found.ok_or(Refused::NotFound)
}

#[derive(Template)]
#[template(path = "certificat.html")]
struct Page {
    shell: Shell,
    number: String,
    text: String,
}

fn one(visit: &Visit) -> Result<Answer, Refused> {
    let filed = found(visit)?;
    Answer::page(&Page {
        shell: visit.shell(format!("Certificat {}", filed.number)),
        number: filed.number,
        text: filed.page,
    })
}

fn original(visit: &Visit) -> Result<Answer, Refused> {
    let filed = found(visit)?;
    let told = json!({"number": filed.number, "what": "certificate"});
    let file = Download {
        media: "application/json",
        name: Some(format!("{}.json", filed.number)),
        bytes: filed.text.into_bytes(),
    };
    file.told(visit, told)
}
