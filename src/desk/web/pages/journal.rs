//! The journal, for the chef de service and the data protection officer.
//!
//! Promises: whoever looks for one account's or one object's lines leaves a line; so does whoever exports it, with a
//! motive. An export holds the desk for a slice of the lines at a time.

use std::ops::DerefMut;

use askama::Template;
use jiff::civil::Date;
use serde_json::json;

use super::echeances::{name, names};
use crate::desk::office::Office;
use crate::desk::registers::journal::{self, BoxHead, Filter, PAGE};
use crate::desk::registers::words;
use crate::desk::review::Motive;
use crate::desk::rights::Act;
use crate::desk::web::{Answer, Refused, Route, Shell, Visit, dates, get, post};
use crate::frame::BoxTime;
use crate::vault::{Entry, Kind};
use crate::verify::{Slices, Written};

/// The routes.
pub const ROUTES: &[Route] = &[
    get("/journal", Act::SeeJournal, list),
    post("/journal/export", Act::SeeJournal, export),
];

struct Row {
    seq: u64,
    time: String,
    kind: &'static str,
    who: String,
    facts: Vec<(&'static str, String)>,
    body: String,
    hash: String,
}

#[derive(Template)]
#[template(path = "journal.html")]
struct List {
    shell: Shell,
    kinds: Vec<(String, &'static str, bool)>,
    accounts: Vec<(String, String, bool)>,
    from: String,
    until: String,
    object: String,
    rows: Vec<Row>,
    next: Option<String>,
    head: String,
    motives: [Motive; 3],
    boxes: Vec<(BoxHead, String)>,
}

/// What was asked for; an account or an object that no id can be is none.
fn filter(visit: &Visit) -> Filter {
    let word = |field: &str| {
        let word = visit.query(field).filter(|word| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            (4..=64).contains(&word.len()) && word.chars().all(plain)
        });
        word.map(str::to_owned)
    };
    let day = |field: &str| visit.query(field).and_then(|text| text.parse::<Date>().ok());
    Filter {
        kind: word("type"),
        from: day("du"),
        until: day("au"),
        account: word("compte"),
        object: word("objet"),
        before: visit.query("avant").and_then(|seq| seq.parse().ok()),
    }
}

fn list(visit: &Visit) -> Result<Answer, Refused> {
    let filter = filter(visit);
    if filter.is_personal() && filter.before.is_none() {
        let account = visit.session()?.account.clone();
        let body = json!({"account": account, "of": filter.account, "object": filter.object});
        let kind = Kind::JournalConsulted;
        visit
            .office()
            .store()
            .transaction(|tx| tx.journal(visit.now, &Entry { kind, body }))?;
    }
    let names = names(visit)?;
    let (mut lines, kinds, boxes, head, zone) = {
        let office = visit.office();
        let (sql, zone) = (office.desk.store.sql(), office.config.time_zone());
        let lines = journal::lines(sql, &filter, &zone)?;
        (
            lines,
            journal::kinds(sql)?,
            journal::heads(sql)?,
            office.desk.store.head(),
            zone,
        )
    };
    let moment = |text: &str| match text.parse().map(BoxTime) {
        Ok(time) => dates::moment(time, &zone),
        Err(_) => text.to_owned(),
    };
    let more = lines.len() > PAGE;
    lines.truncate(PAGE);
    let next = lines
        .last()
        .filter(|_| more)
        .map(|last| next_page(visit, last.seq));
    let rows = lines.into_iter().map(|line| Row {
        seq: line.seq,
        time: moment(&line.time),
        kind: words::kind(&line.kind),
        who: words::account(&line.body).map_or_else(String::new, |account| name(&names, &account)),
        facts: words::facts(&line.body),
        body: line.body,
        hash: line.hash.to_string(),
    });
    let text = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
    let boxes = boxes.into_iter().map(|found| {
        let time = moment(&found.time);
        (found, time)
    });
    Answer::page(&List {
        kinds: kinds
            .into_iter()
            .map(|kind| {
                let chosen = filter.kind.as_ref() == Some(&kind);
                let words = words::kind(&kind);
                (kind, words, chosen)
            })
            .collect(),
        accounts: names
            .iter()
            .map(|(id, name)| (id.clone(), name.clone(), filter.account.as_ref() == Some(id)))
            .collect(),
        from: text(filter.from),
        until: text(filter.until),
        object: filter.object.unwrap_or_default(),
        rows: rows.collect(),
        next,
        head: head.to_string(),
        motives: [Motive::Control, Motive::Authority, Motive::Rights],
        boxes: boxes.collect(),
        shell: visit.shell("Journal"),
    })
}

fn next_page(visit: &Visit, before: u64) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    let kept = visit.queries().iter().filter(|(name, _)| name != "avant");
    query.extend_pairs(kept).append_pair("avant", &before.to_string());
    format!("/journal?{}", query.finish())
}

fn export(visit: &Visit) -> Result<Answer, Refused> {
    let account = visit.session()?.account.clone();
    let motive = visit.field("motif").and_then(|word| word.parse::<Motive>().ok());
    let motive = motive.ok_or_else(|| Refused::Impossible("Choisissez le motif de l'export.".to_owned()))?;
    let bytes = exported(|| visit.office(), (&account, motive), visit.now)?;
    let office = visit.office();
    let day = visit.now.0.to_zoned(office.config.time_zone()).date();
    Ok(Answer::File {
        media: "application/jsonl",
        name: Some(format!("journal-{}-{day}.jsonl", office.desk.store.device())),
        bytes,
    })
}

/// The journal up to the line that says who exports it and why; `desk` is asked for each slice of it, and let go before the
/// next.
pub fn exported<D: DerefMut<Target = Office>>(
    mut desk: impl FnMut() -> D,
    (account, motive): (&str, Motive),
    now: BoxTime,
) -> Result<Vec<u8>, Refused> {
    let failed = |error: std::io::Error| Refused::Failed(error.to_string());
    let mut bytes = Vec::new();
    let mut slices = {
        let mut office = desk();
        let head = office.desk.store.head().to_string();
        let body = json!({"account": account, "head": head, "motive": motive.as_str()});
        let kind = Kind::JournalExported;
        office
            .store()
            .transaction(|tx| tx.journal(now, &Entry { kind, body }))?;
        Slices::begin(office.desk.store.sql(), &mut bytes).map_err(failed)?
    };
    loop {
        let written = slices.go_on(desk().desk.store.sql(), &mut bytes);
        match written.map_err(failed)? {
            Written::Some => {}
            Written::All => return Ok(bytes),
            Written::Pruned => {
                return Err(Refused::Impossible(
                    "Les lignes les plus anciennes, dont le délai est passé, viennent d’être retirées du journal : relancez l’export."
                        .to_owned(),
                ));
            }
        }
    }
}
