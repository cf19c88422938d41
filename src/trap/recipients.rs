//! To whom the box seals: the configured keys, read when it starts and again before each round of `watch`, so that a
//! revocation or a new quarter's keys count from the next round on.

use crate::config;
use crate::vault::DevicePublic;
use crate::vault::keys::Error;
use crate::vault::keys::ring::{Ring, Source};

/// Reads the configured keys and the revocations beside them.
pub fn read(config: &config::Trap) -> Result<Ring, Error> {
    let source = match &config.recipients {
        config::Recipients::Pair { service, recovery } => Source::Pair {
            service: service.clone(),
            recovery: recovery.clone(),
        },
        config::Recipients::Folder(folder) => Source::Folder(folder.clone()),
    };
    let desk = config
        .desk_key
        .as_deref()
        .map(DevicePublic::read_desk)
        .transpose()?;
    Ring::read(&source, desk.as_ref())
}

/// The same once more. What was revoked stays so, and while the keys cannot be read the old ones are used: a folder
/// that is just being filled must not stop the trap.
pub(super) fn renewed(config: &config::Trap, older: &Ring) -> Option<Ring> {
    match read(config) {
        Ok(mut ring) => {
            ring.revoke_as(older);
            Some(ring)
        }
        Err(trouble) => {
            tracing::warn!(%trouble, "the recipients are those read before");
            None
        }
    }
}
