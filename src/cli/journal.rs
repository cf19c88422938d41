//! `vigie journal`: the journal written out for others to check, and relieved of what is past its term.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::json;

use super::{Arguments, Exit, Failure, JournalCommand, Lang, box_time, equipment, json_line, line};
use crate::frame::BoxTime;
use crate::triage::deadlines::Mark;
use crate::vault::store::Why;
use crate::vault::{DeviceKey, Store};
use crate::verify;

pub fn run(a: &Arguments, command: &JournalCommand, lang: Lang) -> Result<Exit, Failure> {
    match command {
        JournalCommand::Export { out, from, store } => {
            let folder = equipment::store_folder(a, store.as_deref())?;
            let (lines, head) = verify::write_export(&folder, out, *from)?;
            if a.json {
                json_line(&json!({"out": out.to_string_lossy(), "lines": lines, "head": head.to_string()}));
            } else {
                let count = lang.count(lines, ["line", "lines"], ["ligne", "lignes"]);
                line(&format!("{}: {count}", out.display()));
                let told = lang.pick("the journal's head:", "dernière ligne du journal :");
                line(&format!("  {told} {head}"));
            }
        }
        JournalCommand::Prune { before, yes } => {
            let before = before.map(|day| day.to_zoned(TimeZone::UTC)).transpose();
            let before = before.map_err(|why| wrong_day(&why))?;
            prune(a, before.map(|day| BoxTime(day.timestamp())), *yes, lang)?;
        }
    }
    Ok(Exit::Done)
}

fn wrong_day(why: &jiff::Error) -> Failure {
    Failure::wrong_use(
        why,
        ["this is no day", "write it as 2026-11-22"],
        ["ce n'est pas une date", "écrivez-la sous la forme 2026-11-22"],
    )
}

/// Term and clock are judged as everywhere (`triage::deadlines`): the mark is the journal's last line, and
/// one wrong reading of the clock, far ahead of it, lets go of nothing.
fn prune(a: &Arguments, before: Option<BoxTime>, yes: bool, lang: Lang) -> Result<(), Failure> {
    let config = equipment::config(a)?;
    let device = DeviceKey::read(&config.device_key)?;
    let now = box_time();
    let mut store = Store::open(&config.store, &device, now)?;
    let believed = match store.last_time()? {
        Some(last) => Mark::new(last).look(now, Duration::ZERO).time,
        None => now,
    };
    let can = store.prunable(believed, before)?;
    if yes {
        store.prune(now, believed, before)?;
    }
    store.close(box_time())?;
    let kept_by = match can.kept_by {
        Why::Term => "term",
        Why::Item => "item",
        Why::Closing => "closing",
    };
    if a.json {
        json_line(&json!({"pruned": yes && can.to.is_some(), "to": can.to, "kept_by": kept_by}));
        return Ok(());
    }
    line(&match (can.to, yes) {
        (None, _) => lang.pick(
            "nothing can be pruned".to_owned(),
            "rien ne peut être retiré".to_owned(),
        ),
        (Some(to), true) => lang.pick(
            format!("the lines up to {to} are gone; a signed checkpoint stands in their place"),
            format!("les lignes jusqu'à {to} sont retirées ; un point de contrôle signé les remplace"),
        ),
        (Some(to), false) => lang.pick(
            format!("the lines up to {to} would go; say --yes to do it"),
            format!("les lignes jusqu'à {to} seraient retirées ; confirmez par --yes"),
        ),
    });
    line(match can.kept_by {
        Why::Term => lang.pick(
            "  the next line is not three years old",
            "  la ligne suivante n'a pas trois ans",
        ),
        Why::Item => lang.pick(
            "  the next line is about an item that is still in the vault",
            "  la ligne suivante concerne un élément encore au coffre",
        ),
        Why::Closing => lang.pick(
            "  the next line is the one that vault.head has signed",
            "  la ligne suivante est celle que vault.head a signée",
        ),
    });
    Ok(())
}
