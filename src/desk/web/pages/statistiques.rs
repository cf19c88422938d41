//! Local statistics: counts by month and sector, small cells hidden.

use askama::Template;

use crate::desk::registers::statistics::{LEAST, shown, table};
use crate::desk::rights::Act;
use crate::desk::web::dates::MONTHS;
use crate::desk::web::{Answer, Refused, Route, Shell, Visit, get};

/// The routes.
pub const ROUTES: &[Route] = &[get("/statistiques", Act::SeeDeadlines, statistics)];

struct Row {
    month: String,
    sector: String,
    came: String,
    retained: String,
}

#[derive(Template)]
#[template(path = "statistiques.html")]
struct Page {
    shell: Shell,
    least: u64,
    rows: Vec<Row>,
}

fn statistics(visit: &Visit) -> Result<Answer, Refused> {
    let table = {
        let office = visit.office();
        table(office.desk.store.sql(), &office.config.time_zone())?
    };
    let mut rows = Vec::new();
    for ((year, month), sectors) in table.iter().rev() {
        let name = MONTHS[usize::from(month.unsigned_abs()).clamp(1, 12) - 1];
        for (sector, counts) in sectors {
            rows.push(Row {
                month: format!("{name} {year}"),
                sector: sector.clone(),
                came: shown(counts.came),
                retained: shown(counts.retained),
            });
        }
    }
    Answer::page(&Page {
        least: LEAST,
        rows,
        shell: visit.shell("Statistiques"),
    })
}
