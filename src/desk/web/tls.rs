//! How pages travel: in clear on this machine alone, over TLS to any other.
//!
//! Promises: an address that is not loopback is served over TLS or not at all, with the office's own files, or with a
//! certificate made here once and kept, whose fingerprint is printed so that it can be compared in the browser; what
//! cannot be read is an error, never a reason to go on in clear. TLS 1.2 and 1.3 (RFC 8446), ring's suites.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{ToSpan as _, civil};
use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::desk::config;
use crate::frame::BoxTime;
use crate::vault::durable::{self, Existing};

/// The folder of the certificate made here, in the desk's folder.
pub const FOLDER: &str = "tls";
const CERTIFICATE: &str = "desk.pem";
const KEY: &str = "desk.key";
/// What stands before the PEM text, which readers skip (RFC 7468 §2): when a new one must be made.
const UNTIL: &str = "vigie desk, until ";
/// Days for which a certificate made here is good: browsers refuse much longer ones.
const DAYS: i32 = 820;

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A certificate or key that cannot be read.
    #[error("{}: {what}; without it, nothing is served on an address that is not loopback", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        what: String,
    },
    /// A key that others can read.
    #[error("{}: others can read this key (mode {mode:o}); run chmod 600 on it", path.display())]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Certificate and key do not belong together, or are of a kind that cannot be served.
    #[error("the certificate cannot be served: {0}")]
    Rustls(#[from] rustls::Error),
    /// None could be made.
    #[error("no certificate could be made: {0}")]
    Made(#[from] rcgen::Error),
}

/// How pages travel.
pub enum Channel {
    /// In clear, on this machine.
    Clear,
    /// Over TLS.
    Tls {
        /// For the server.
        server: Arc<ServerConfig>,
        /// SHA-256 of the certificate, as browsers show it.
        fingerprint: String,
        /// Whether the certificate was made here: browsers warn, and the fingerprint is to be compared.
        own: bool,
    },
}

impl Channel {
    /// Of the configured address.
    pub fn of(office: &config::Office, folder: &Path, now: BoxTime) -> Result<Self, Error> {
        match (&office.tls, office.listen.ip().is_loopback()) {
            (Some(given), _) => Self::tls(&given.certificate, &given.key, false),
            (None, true) => Ok(Self::Clear),
            (None, false) => {
                let (certificate, key) = own(folder, &names(office.listen, &office.hosts), now)?;
                Self::tls(&certificate, &key, true)
            }
        }
    }

    /// Whether cookies must be for TLS alone.
    pub const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls { .. })
    }

    fn tls(certificate: &Path, key: &Path, own: bool) -> Result<Self, Error> {
        let (certificate, key) = (read(certificate)?, read_key(key)?);
        let fingerprint = certificate.first().map(fingerprint).unwrap_or_default();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certificate, key)?;
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self::Tls {
            server: Arc::new(server),
            fingerprint,
            own,
        })
    }
}

fn unreadable(path: &Path, what: impl ToString) -> Error {
    Error::Unreadable {
        path: path.to_owned(),
        what: what.to_string(),
    }
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let all = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(path, error))?;
    let all: Vec<_> = all
        .collect::<Result<_, _>>()
        .map_err(|error| unreadable(path, error))?;
    match all.is_empty() {
        false => Ok(all),
        true => Err(unreadable(path, "there is no certificate in it")),
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    use std::os::unix::fs::MetadataExt as _;
    let mode = path.metadata().map_err(|error| unreadable(path, error))?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        let path = path.to_owned();
        return Err(Error::Exposed { path, mode });
    }
    PrivateKeyDer::from_pem_file(path).map_err(|error| unreadable(path, error))
}

/// `AB:CD:…`, as browsers show it.
fn fingerprint(certificate: &CertificateDer<'_>) -> String {
    let digest = Sha256::digest(certificate);
    let pairs = digest.iter().map(|byte| format!("{byte:02X}"));
    pairs.collect::<Vec<_>>().join(":")
}

/// The names for which a certificate made here is good.
fn names(listen: SocketAddr, hosts: &[String]) -> Vec<String> {
    let bare = |host: &String| {
        host.rsplit_once(':')
            .map_or(host.clone(), |(name, _)| name.to_owned())
    };
    let mut names: Vec<_> = hosts.iter().map(bare).collect();
    if !matches!(listen.ip(), IpAddr::V4(ip) if ip.is_unspecified()) && !listen.ip().is_unspecified() {
        names.push(listen.ip().to_string());
    }
    names.push("localhost".to_owned());
    names
}

/// The certificate that was made here, or one that is made now: when there is none, and a month before its end.
fn own(folder: &Path, names: &[String], now: BoxTime) -> Result<(PathBuf, PathBuf), Error> {
    let folder = folder.join(FOLDER);
    let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
    let today = now.0.to_zoned(TimeZone::UTC).date();
    let text = std::fs::read_to_string(&certificate).unwrap_or_default();
    let until = text.lines().next().and_then(|line| line.strip_prefix(UNTIL));
    let until = until.and_then(|day| day.parse::<civil::Date>().ok());
    if key.exists() && until.is_some_and(|until| today < until.saturating_sub(1.month())) {
        return Ok((certificate, key));
    }
    std::fs::create_dir_all(&folder).map_err(|error| unreadable(&folder, error))?;
    let pair = KeyPair::generate()?;
    let until = today.saturating_add(DAYS.days());
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name.push(DnType::CommonName, "vigie");
    let at = |day: civil::Date| {
        let (month, of_month) = (day.month().unsigned_abs(), day.day().unsigned_abs());
        date_time_ymd(i32::from(day.year()), month, of_month)
    };
    params.not_before = at(today.saturating_sub(1.day()));
    params.not_after = at(until);
    let signed = params.self_signed(&pair)?;
    let secret = Zeroizing::new(pair.serialize_pem());
    let write = |path: &Path, text: &str, mode| {
        durable::write(path, text.as_bytes(), mode, Existing::Replace)
            .map_err(|error| unreadable(path, error))
    };
    write(&key, &secret, 0o600)?;
    write(&certificate, &format!("{UNTIL}{until}\n{}", signed.pem()), 0o644)?;
    Ok((certificate, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn office(listen: &str, more: &str) -> config::Office {
        let example = include_str!("../../../docs/desk.example.toml");
        let text = example.replace("127.0.0.1:8080", listen);
        config::Office::parse(&format!("{text}\n{more}"), Path::new("desk.toml")).expect("a configuration")
    }

    fn at(text: &str) -> BoxTime {
        BoxTime(text.parse().expect("an instant"))
    }

    fn fingerprint_at(folder: &Path, now: &str) -> String {
        match Channel::of(&office("0.0.0.0:8443", ""), folder, at(now)).expect("a channel") {
            Channel::Tls { fingerprint, own, .. } => {
                assert!(own);
                fingerprint
            }
            Channel::Clear => panic!("in clear"),
        }
    }

    #[test]
    fn pages_travel_in_clear_on_this_machine_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        for here in ["127.0.0.1:8080", "[::1]:8080", "127.8.9.1:1"] {
            let channel = Channel::of(&office(here, ""), folder.path(), at("2026-11-22T11:00:00Z"));
            assert!(!channel.expect("a channel").is_tls(), "{here}");
        }
        for elsewhere in [
            "0.0.0.0:8443",
            "[::]:8443",
            "192.168.1.20:8443",
            "[2001:db8::1]:443",
        ] {
            let channel = Channel::of(&office(elsewhere, ""), folder.path(), at("2026-11-22T11:00:00Z"));
            assert!(channel.expect("a channel").is_tls(), "{elsewhere}");
        }
    }

    #[test]
    fn files_that_cannot_be_read_stop_it_and_never_turn_it_to_clear() {
        let folder = tempfile::tempdir().expect("a folder");
        let given = "[tls]\ncertificate = \"/nowhere/desk.pem\"\nkey = \"/nowhere/desk.key\"";
        for listen in ["127.0.0.1:8080", "0.0.0.0:8443"] {
            let refused = Channel::of(&office(listen, given), folder.path(), at("2026-11-22T11:00:00Z"));
            assert!(matches!(refused, Err(Error::Unreadable { .. })));
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_not_served_with() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        fingerprint_at(folder.path(), "2026-11-22T11:00:00Z");
        let key = folder.path().join(FOLDER).join(KEY);
        assert_eq!(key.metadata().expect("there").permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).expect("changed");
        let refused = Channel::of(
            &office("0.0.0.0:8443", ""),
            folder.path(),
            at("2026-11-22T11:00:00Z"),
        );
        assert!(matches!(refused, Err(Error::Exposed { mode: 0o640, .. })));
    }

    #[test]
    fn the_own_certificate_is_kept_and_made_anew_a_month_before_its_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = fingerprint_at(folder.path(), "2026-11-22T11:00:00Z");
        assert_eq!(first.len(), 32 * 3 - 1);
        assert_eq!(fingerprint_at(folder.path(), "2029-01-18T11:00:00Z"), first);
        assert_ne!(fingerprint_at(folder.path(), "2029-01-21T11:00:00Z"), first);
    }
}
