//! Sealing, and the cipher that it uses on the same bytes.

use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use vigie::frame::EventId;
use vigie::vault::keys::{office_init, trap_init};
use vigie::vault::{DeviceKey, Epoch, EventSealer, Recipient};

/// Of an event, to a service and a recovery key made for it.
pub fn sealer() -> EventSealer {
    let dir = tempfile::tempdir().expect("a folder");
    let device = trap_init(dir.path()).expect("keys");
    let office = office_init(dir.path(), Epoch::new(2026, 4).expect("a quarter")).expect("keys");
    let recipients = [office.service.public, office.recovery.public]
        .map(|path| Recipient::read(&path).expect("just made"));
    let device = DeviceKey::read(&device.files.secret).expect("just made");
    EventSealer::new(device.id(), EventId::from_bytes([1; 8]), &recipients).expect("a sealer")
}

/// The cipher alone, chunk by chunk over bytes that lie ready.
pub fn encrypt(bytes: &mut [u8]) {
    const CHUNK: usize = 64 << 10;
    let cipher = XChaCha20Poly1305::new(&[7; 32].into());
    for chunk in bytes.chunks_mut(CHUNK) {
        let tag = cipher.encrypt_inout_detached(&XNonce::default(), &[0; 32], chunk.into());
        std::hint::black_box(tag.expect("short enough"));
    }
}
