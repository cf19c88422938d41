//! `vigie desk retention`: what is due at the desk, and its erasure.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::serve::not_opened;
use crate::cli::{Arguments, Exit, Failure, Lang, box_time, json_line, line};
use crate::desk::retention::clock::Trust;
use crate::desk::retention::evidence;
use crate::desk::retention::plan::{Planned, Standing};
use crate::desk::{Office, daily};

#[derive(Serialize)]
struct Told<'a> {
    class: &'static str,
    id: &'a str,
    began: jiff::civil::Date,
    due: jiff::civil::Date,
    ground: &'static str,
    standing: &'static str,
    days: Option<i32>,
    until: Option<jiff::civil::Date>,
}

impl<'a> Told<'a> {
    fn of(planned: &'a Planned) -> Self {
        let (standing, days, until) = match planned.standing {
            Standing::Running { days, .. } => ("running", Some(days), None),
            Standing::Held { until } => ("held", None, Some(until)),
            Standing::Locked => ("locked", None, None),
            Standing::Due { .. } => ("due", None, None),
        };
        Self {
            class: planned.object.subject.class.as_str(),
            id: &planned.object.subject.id,
            began: planned.began,
            due: planned.due,
            ground: planned.ground.as_str(),
            standing,
            days,
            until,
        }
    }
}

#[derive(Serialize)]
struct Summary {
    day: Option<jiff::civil::Date>,
    clock: Trust,
    running: usize,
    due: usize,
    held: usize,
    locked: usize,
}

#[derive(Serialize)]
struct Last {
    summary: Summary,
}

/// Says what is due and what will be; nothing is written.
pub fn plan(a: &Arguments, folder: &Path, lang: Lang) -> Result<Exit, Failure> {
    let now = box_time();
    let office = Office::open(folder, now).map_err(not_opened)?;
    let (mark, plan) = evidence::planned(&office, now).map_err(failed)?;
    let count = |standing| {
        plan.iter()
            .filter(|planned| Told::of(planned).standing == standing)
            .count()
    };
    let summary = Summary {
        day: mark.today(&office.config.time_zone()),
        clock: mark.trust(),
        running: count("running"),
        due: count("due"),
        held: count("held"),
        locked: count("locked"),
    };
    for planned in &plan {
        let told = Told::of(planned);
        if a.json {
            json_line(&told);
        } else if told.standing != "running" {
            line(&format!(
                "{}  {}  {}  {}",
                told.due, told.class, told.id, told.standing
            ));
        }
    }
    if a.json {
        json_line(&Last { summary });
    } else {
        tell(&summary, lang);
    }
    Ok(Exit::Done)
}

fn tell(summary: &Summary, lang: Lang) {
    let Summary {
        running,
        due,
        held,
        locked,
        ..
    } = summary;
    line(&lang.pick(
        format!("to be erased: {due}; held: {held}; locked, for want of an agreement: {locked}; not due yet: {running}"),
        format!("à détruire : {due} ; sous gel : {held} ; verrouillés, faute d'accord d'élimination : {locked} ; non échus : {running}"),
    ));
    clock(summary.clock, lang);
}

fn clock(trust: Trust, lang: Lang) {
    match trust {
        Trust::InStep => {}
        Trust::Ahead => line(lang.pick(
            "! the clock is more than a day ahead of where it was: nothing is erased by it until that is proven",
            "! l'horloge a avancé de plus d'un jour : rien n'est détruit d'après elle avant confirmation",
        )),
        Trust::Behind => line(lang.pick(
            "! the clock was set back: terms go on by the time that passes",
            "! l'horloge a été reculée : les délais courent selon le temps écoulé",
        )),
        Trust::Unset => line(lang.pick(
            "! the clock was never set: nothing is erased",
            "! l'horloge n'a jamais été réglée : rien n'est détruit",
        )),
    }
}

/// Erases what is due.
pub fn run(a: &Arguments, folder: &Path, lang: Lang) -> Result<Exit, Failure> {
    let now = box_time();
    let mut office = Office::open(folder, now).map_err(not_opened)?;
    let ran = daily::run(&mut office, now, Duration::ZERO).map_err(failed)?;
    office.desk.store.close(box_time()).map_err(failed)?;
    if a.json {
        json_line(&ran);
    } else {
        for (class, count) in &ran.erased {
            line(&lang.pick(
                format!("erased: {class}: {count}"),
                format!("détruits : {class} : {count}"),
            ));
        }
        for number in &ran.certificates {
            line(&lang.pick(format!("certificate {number}"), format!("certificat {number}")));
        }
        let (held, locked) = (ran.held, ran.locked);
        line(&lang.pick(
            format!("due and held: {held}; due and locked: {locked}"),
            format!("échus sous gel : {held} ; échus et verrouillés : {locked}"),
        ));
        clock(ran.clock, lang);
    }
    Ok(match ran.locked == 0 && ran.unclean == 0 {
        true => Exit::Done,
        false => Exit::InPart,
    })
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Failed,
        error,
        [
            "retention was not carried out",
            "mend what is named, then run it again: nothing is done twice",
        ],
        [
            "les échéances n'ont pas été exécutées",
            "corrigez ce qui est nommé, puis relancez : rien n'est fait deux fois",
        ],
    )
}
