//! `vigie watch`: the cards of all cameras, as long as it runs.

use super::report::Reporter;
use super::scan::tell_absent;
use super::{Arguments, Exit, Failure, Lang, box_time, equipment, stop_on_signals};
use crate::trap::Summary;
use crate::trap::service::Service;

pub fn run(a: &Arguments, until_idle: bool, lang: Lang) -> Result<Exit, Failure> {
    let config = equipment::config(a)?;
    equipment::refuse_expired_trial(&config)?;
    let mut networks = equipment::networks_of_rounds(a, &config)?;
    networks.check()?;
    let (mut store, recipients) = equipment::vault(&config, None)?;
    let stop = stop_on_signals();
    let mut reporter = if until_idle {
        Reporter::once(a.json, lang)
    } else {
        Reporter::again_and_again(a.json, lang)
    };
    let mut service = Service {
        config: &config,
        store: &mut store,
        recipients: &recipients,
        detector: &mut networks,
        clock: &box_time,
        stop: &stop,
    };
    let ended = service.watch(until_idle, &mut reporter);
    store.close(box_time())?;
    let ended = ended?;
    if !until_idle {
        return Ok(Exit::Done);
    }
    let exit = reporter.end(&Summary::of(ended.rounds.into_values()));
    Ok(tell_absent(ended.absent, lang).unwrap_or(exit))
}
