//! What a command needs before it can begin: the configuration, the networks, the vault, the keys.

use std::path::{Path, PathBuf};

use super::{Arguments, Exit, Failure, box_time};
use crate::config::{self, Camera, Threads};
use crate::transfer::{self, returning};
use crate::trap::health::reading::database;
use crate::trap::{orders, recipients};
use crate::vault::keys::Ring;
use crate::vault::{DeviceKey, Store};
use crate::vision::networks::Networks;

/// Reads the configuration, with what the desk has ordered since in place of what is written; says which file was
/// looked for.
pub fn config(a: &Arguments) -> Result<config::Trap, Failure> {
    let mut config = config_as_written(a)?;
    // A vault that cannot be read is told of when it is opened.
    if let Ok(Some(db)) = database(&config.store)
        && let Ok(Some(last)) = returning::last(&db)
    {
        orders::apply(&mut config, &last.orders).map_err(transfer::Error::from)?;
    }
    Ok(config)
}

/// The same, with what the command line says of networks and runtime in place of what is written.
pub fn config_of_rounds(a: &Arguments) -> Result<config::Trap, Failure> {
    let mut config = config(a)?;
    if let Some(models) = &a.models {
        config.models.clone_from(models);
    }
    config.runtime = a.runtime.clone().or(config.runtime);
    Ok(config)
}

/// Reads the configuration alone.
pub fn config_as_written(a: &Arguments) -> Result<config::Trap, Failure> {
    Ok(config::Trap::read(&a.config)?)
}

/// Finds the networks, and has them checked and loaded when they are first needed. They have all threads.
pub fn networks(a: &Arguments, config: Option<&config::Trap>) -> Result<Networks, Failure> {
    let threads = config.map_or_else(Threads::of_this_machine, config::Trap::threads);
    networks_with(a, config, threads.alone())
}

/// The same, for rounds over cards, which do other things beside.
pub fn networks_of_rounds(a: &Arguments, config: &config::Trap) -> Result<Networks, Failure> {
    networks_with(a, Some(config), config.threads().beside())
}

/// The networks' folder: given, configured, or `models` where the program was started.
pub fn models(a: &Arguments, config: Option<&config::Trap>) -> PathBuf {
    let configured = config.map(|config| config.models.clone());
    let given = a.models.clone();
    given.or(configured).unwrap_or_else(|| PathBuf::from("models"))
}

/// The same, with so many threads to one network.
pub fn networks_with(
    a: &Arguments,
    config: Option<&config::Trap>,
    threads: usize,
) -> Result<Networks, Failure> {
    let models = models(a, config);
    let library = a
        .runtime
        .as_deref()
        .or(config.and_then(|config| config.runtime.as_deref()));
    Ok(Networks::open(&models, library, threads)?)
}

/// The vault, opened for this process alone, and the keys to which it seals. Refused where it would lie on a card, before
/// anything of it is made there: on `card`, or on a configured one.
pub fn vault(config: &config::Trap, card: Option<&Path>) -> Result<(Store, Ring), Failure> {
    let configured = config.cameras.iter().map(|camera| camera.card.as_path());
    for card in configured.chain(card) {
        crate::card::apart(card, &config.store)?;
    }
    let device = DeviceKey::read(&config.device_key)?;
    let recipients = recipients::read(config)?;
    for trouble in recipients.oddities() {
        tracing::warn!(%trouble, "a file among the recipients has no effect");
    }
    let store = Store::open(&config.store, &device, box_time())?;
    Ok((store, recipients))
}

/// The camera of this id.
pub fn camera_named<'c>(config: &'c config::Trap, id: &str) -> Result<&'c Camera, Failure> {
    let found = config.cameras.iter().find(|camera| camera.id.as_str() == id);
    found.ok_or_else(|| unknown_camera(config, &id))
}

/// It is not known which camera is meant; `what` was given.
pub fn unknown_camera(config: &config::Trap, what: &dyn std::fmt::Display) -> Failure {
    let known: Vec<_> = config.cameras.iter().map(|camera| camera.id.as_str()).collect();
    Failure::wrong_use(
        format!("{what}; cameras: {}", known.join(", ")),
        [
            "it is not known which camera is meant",
            "name one of the cameras with --camera",
        ],
        [
            "on ne sait pas de quelle caméra il s'agit",
            "indiquez l'une des caméras avec --camera",
        ],
    )
}

/// The vault's folder: given, or configured.
pub fn store_folder(a: &Arguments, given: Option<&Path>) -> Result<PathBuf, Failure> {
    match given {
        Some(folder) => Ok(folder.to_owned()),
        None => Ok(config(a)?.store),
    }
}

/// Neither going on without erasing nor beginning to erase unasked keeps a promise: a human must decide.
pub fn refuse_expired_trial(config: &config::Trap) -> Result<(), Failure> {
    let today = box_time().0.to_zoned(jiff::tz::TimeZone::UTC).date();
    match config.mode {
        config::Mode::Trial { from, until } if config.mode.trial_is_over(today) => Err(Failure::new(
            Exit::WrongUse,
            format!("trial from {from} until {until}; today is {today}"),
            [
                "the trial is over, or has not begun",
                "set mode = \"enforce\", or check the box's clock",
            ],
            [
                "l'essai est terminé, ou n'a pas commencé",
                "passez à mode = \"enforce\", ou vérifiez l'horloge du boîtier",
            ],
        )),
        _ => Ok(()),
    }
}
