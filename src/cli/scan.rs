//! `vigie scan`: every frame of a card, once.

use std::path::Path;

use super::report::Reporter;
use super::{Arguments, Exit, Failure, Lang, box_time, equipment, stop_on_signals};
use crate::config::{self, Camera};
use crate::frame::CameraId;
use crate::trap::service::Service;
use crate::trap::{self, Summary};

pub fn run(a: &Arguments, card: Option<&Path>, camera: Option<&str>, lang: Lang) -> Result<Exit, Failure> {
    let config = equipment::config(a)?;
    equipment::refuse_expired_trial(&config)?;
    let mut networks = equipment::networks_of_rounds(a, &config)?;
    networks.check()?;
    let (mut store, recipients) = equipment::vault(&config, card)?;
    let stop = stop_on_signals();
    let mut reporter = Reporter::once(a.json, lang);
    let mut service = Service {
        config: &config,
        store: &mut store,
        recipients: &recipients,
        detector: &mut networks,
        clock: &box_time,
        stop: &stop,
    };
    let done = match card {
        Some(card) => {
            let camera = which(&config, card, camera)?;
            service
                .scan(camera, card, &mut reporter)
                .map(|summary| (summary, Vec::new()))
        }
        None => service
            .scan_all(&mut reporter)
            .map(|ended| (Summary::of(ended.rounds.into_values()), ended.absent)),
    };
    // Closing writes the signed end of the session; after an error it is still true of what was acknowledged.
    store.close(box_time())?;
    let (summary, absent) = done?;
    let exit = reporter.end(&summary);
    Ok(tell_absent(absent, lang).unwrap_or(exit))
}

/// Says of each camera why its card was not taken; what was left so is not done whole.
pub fn tell_absent(absent: Vec<(CameraId, trap::Error)>, lang: Lang) -> Option<Exit> {
    let some = !absent.is_empty();
    for (camera, trouble) in absent {
        eprintln!("{camera}: {}", Failure::from(trouble).told(lang));
    }
    some.then_some(Exit::InPart)
}

/// The camera whose card this is: named, or the only one, or the one whose configured card it is.
pub(super) fn which<'c>(
    config: &'c config::Trap,
    card: &Path,
    id: Option<&str>,
) -> Result<&'c Camera, Failure> {
    let cameras = &config.cameras;
    match (id, cameras.as_slice()) {
        (Some(id), _) => equipment::camera_named(config, id),
        (None, [only]) => Ok(only),
        (None, _) => {
            let found = cameras.iter().find(|camera| camera.card == card);
            found.ok_or_else(|| equipment::unknown_camera(config, &card.display()))
        }
    }
}
