//! Redaction: what makes the people of a frame unrecognisable, for good.

pub mod manifest;

pub use manifest::Manifest;

/// A redacted JPEG and what was done to it. Only this module can make one, so an unmasked pixel
/// cannot be passed on by mistake: it does not compile.
#[derive(Debug, Clone)]
pub struct Redacted {
    jpeg: Vec<u8>,
    manifest: Manifest,
}

impl Redacted {
    /// The redacted file's bytes.
    pub fn jpeg(&self) -> &[u8] {
        &self.jpeg
    }

    /// What was found, what was masked, what the original was.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}
