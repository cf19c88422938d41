//! Before a wipe: which card may be wiped, and what would be done to it.
//!
//! Promises: a plan touches nothing; no card is opened in a trial, nor a volume on which anything of ours lies.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::card::wipe::{self, Place, Volume};
use crate::card::{self, Card};
use crate::config::{self, Camera};
use crate::frame::CameraId;
use crate::trap::Error;

/// What must never be on the volume that is wiped.
pub fn ours(config: &config::Trap) -> Vec<PathBuf> {
    let mut ours = vec![
        config.store.clone(),
        config.device_key.clone(),
        config.file.clone(),
        config.models.clone(),
    ];
    ours.extend(match &config.recipients {
        config::Recipients::Pair { service, recovery } => vec![service.clone(), recovery.clone()],
        config::Recipients::Folder(folder) => vec![folder.clone()],
    });
    ours.extend(config.desk_key.clone());
    ours.extend(config.runtime.clone());
    ours.extend(std::env::current_exe().ok());
    ours
}

/// What a wipe of one card would do.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// The folder in which it is mounted.
    pub card: PathBuf,
    /// Whose it is.
    pub camera: CameraId,
    /// The volume's file system.
    pub file_system: String,
    /// Its serial number, where the system tells.
    pub serial: Option<String>,
    /// Bytes in all, and free; 0 where its driver does not tell.
    pub card_bytes: u64,
    /// Free bytes, filled at the end.
    pub free_bytes: u64,
    /// Photographs, processed first.
    pub frames: u64,
    /// Videos.
    pub videos: u64,
    /// Other files.
    pub others: u64,
    /// Links and the like.
    pub links: u64,
    /// Bytes that are overwritten.
    pub bytes: u64,
}

/// The plan of one camera's card, or why there is none.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Planned {
    /// What would be done.
    Plan(Plan),
    /// Why it would be refused.
    Refused {
        /// Whose card.
        camera: CameraId,
        /// `handover`: the camera has it; else in words.
        refused: String,
    },
}

/// Counts what lies on a card, and says whether it may be wiped; touches nothing.
pub fn plan(config: &config::Trap, camera: &Camera, card: &Path) -> Result<Plan, Error> {
    let (open, volume) = open(config, card)?;
    let files = wipe::plan(&open)?;
    Ok(Plan {
        card: card.to_owned(),
        camera: camera.id.clone(),
        file_system: volume.file_system,
        serial: volume.serial,
        card_bytes: volume.bytes,
        free_bytes: volume.free,
        frames: files.frames,
        videos: files.videos,
        others: files.others,
        links: files.links,
        bytes: files.bytes,
    })
}

/// The plans of all cards that lie still. One that is borrowed from its camera is not looked at meanwhile: it may have
/// to be given back at any moment.
pub fn plans(config: &config::Trap) -> Vec<Planned> {
    let of = |camera: &Camera| {
        let refused = |why: String| Planned::Refused {
            camera: camera.id.clone(),
            refused: why,
        };
        match camera.access {
            config::Access::Handover { .. } => refused("handover".to_owned()),
            config::Access::Mounted => plan(config, camera, &camera.card)
                .map_or_else(|error| refused(error.to_string()), Planned::Plan),
        }
    };
    config.cameras.iter().map(of).collect()
}

/// Opens a card that is to be wiped, and refuses what is none.
pub fn open(config: &config::Trap, card: &Path) -> Result<(Card, Volume), Error> {
    if matches!(config.mode, config::Mode::Trial { .. }) {
        return Err(Error::Trial);
    }
    card::apart(card, &config.store)?;
    let card = Card::open(card)?;
    let volume = Place::of(&card, &ours(config))?.wipeable(&card)?;
    Ok((card, volume))
}
