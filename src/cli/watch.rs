//! `vigie watch`: the cards of all cameras, as long as it runs.

use std::path::Path;

use super::report::Reporter;
use super::scan::tell_absent;
use super::{Arguments, Exit, Failure, Lang, box_time, equipment, stop_on_signals};
use crate::trap::attendance::Attendance;
use crate::trap::notify::Notifier;
use crate::trap::service::Service;
use crate::trap::socket::{self, Interface};
use crate::trap::{Summary, in_hand};

pub fn run(a: &Arguments, until_idle: bool, socket: Option<&Path>, lang: Lang) -> Result<Exit, Failure> {
    let config = equipment::config_of_rounds(a)?;
    equipment::refuse_expired_trial(&config)?;
    let mut networks = equipment::networks_of_rounds(a, &config)?;
    networks.check()?;
    let (mut store, recipients) = equipment::vault(&config, None)?;
    let stop = stop_on_signals();
    if let Err(error) = in_hand::leave_evidence_on_abort(config.store.clone()) {
        tracing::warn!(%error, "what a watchdog ends the program over will not be known");
    }
    let place = socket::place(socket, &config).filter(|_| !until_idle);
    let interface = place
        .map(|place| Interface::open(&place, &config, box_time))
        .transpose()?;
    let mut reporter = if until_idle {
        Reporter::once(a.json, lang)
    } else {
        Reporter::again_and_again(a.json, lang)
    };
    let mut notifier = Notifier::from_environment();
    notifier.ready();
    let mut service = Service {
        config: &config,
        store: &mut store,
        recipients: &recipients,
        detector: &mut networks,
        clock: &box_time,
        stop: &stop,
    };
    let board = interface.as_ref().map(Interface::board);
    let mut attendance = Attendance::new(&mut reporter, &mut notifier, board);
    let ended = service.watch(until_idle, &mut attendance);
    notifier.stopping();
    // Whoever reads the vault keeps its log from being folded in.
    if let Some(interface) = interface {
        interface.close();
    }
    store.close(box_time())?;
    let ended = ended?;
    if !until_idle {
        return Ok(Exit::Done);
    }
    let exit = reporter.end(&Summary::of(ended.rounds.into_values()));
    Ok(tell_absent(ended.absent, lang).unwrap_or(exit))
}
