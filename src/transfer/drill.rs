//! The drill: a secret sealed as an event is, whose answer only the holder of a recipient's key can give.
//!
//! Promises: the answer tells nothing of the secret, and no two drills have the same one. It is what lets the
//! box know, before it destroys any original, that what it seals can be opened. Leaves keeping the answer, and
//! comparing it, to [`super::out`] and [`super::returning`].

use serde_json::json;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::frame::{Digest, EventId};
use crate::vault::seal::{self, EventSealer, Sealed};
use crate::vault::{DeviceId, Recipient};

/// Makes a drill of a box, sealed to these recipients, and its answer.
pub fn make(device: DeviceId, recipients: &[Recipient]) -> Result<(Sealed, Digest), seal::Error> {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *secret)?;
    let mut event = [0; 8];
    getrandom::fill(&mut event)?;
    let text = Zeroizing::new(hex::encode(*secret));
    let record = json!({"drill": *text});
    let sealed = EventSealer::new(device, EventId::from_bytes(event), recipients)?.seal_record(&record)?;
    let plaintext = Zeroizing::new(serde_json::to_vec(&record)?);
    Ok((sealed, answer(&plaintext)))
}

/// What whoever has opened a drill can say.
pub fn answer(plaintext: &[u8]) -> Digest {
    let mut hash = Sha256::new();
    hash.update(b"vigie drill answer 1\0");
    hash.update(plaintext);
    Digest::from_bytes(hash.finalize().into())
}
