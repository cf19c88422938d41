//! The desk's own program, served and asked over a socket: what it connects to (nothing), and how pages travel.
#![cfg(feature = "desk")]

mod desk_kit;

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use desk_kit::Rig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, Stream};
use sha2::{Digest as _, Sha256};

/// A running desk; told to stop when dropped.
struct Served {
    child: Child,
    said: serde_json::Value,
}

impl Served {
    fn start(folder: &Path, under: &[(&str, &Path)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vigie"));
        command.args(["--json", "desk", "serve", "--desk"]).arg(folder);
        command.stdout(Stdio::piped());
        for (name, value) in under {
            command.env(name, value);
        }
        let mut child = command.spawn().expect("started");
        let mut line = String::new();
        let out = child.stdout.as_mut().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let said = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
        Self { child, said }
    }

    fn port(&self) -> u16 {
        let url = self.said["serving"].as_str().expect("an address");
        let address = url.split("://").nth(1).expect("a scheme").trim_end_matches('/');
        address.parse::<SocketAddr>().expect("an address").port()
    }

    fn stop(&mut self) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("told");
        let status = self.child.wait().expect("ended");
        assert!(status.success(), "{status}");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It has ended already, or a test failed before it was told to.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder(listen: &str, hosts: &str) -> tempfile::TempDir {
    let folder = Rig::bare();
    let config = folder.path().join("desk.toml");
    let text = std::fs::read_to_string(&config).expect("desk.toml");
    let text = text
        .replace("127.0.0.1:8080", listen)
        .replace("hosts = []", hosts);
    std::fs::write(config, text).expect("desk.toml");
    folder
}

/// Asks one thing and reads all of the answer.
fn ask(mut channel: impl Read + Write, request: &str) -> String {
    channel.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    // Whoever closes without a goodbye has still answered.
    let _ = channel.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(port: u16, path: &str, cookie: &str) -> String {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    ask(
        stream,
        &format!(
            "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
        ),
    )
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let rest = text
        .split_once(start)
        .unwrap_or_else(|| panic!("{start} in {text}"))
        .1;
    rest.split_once(end).expect("an end").0
}

fn interposer(folder: &Path) -> PathBuf {
    let library = folder.join("connections.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/desk_kit/connections.c");
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .status();
    assert!(made.expect("a C compiler: see the README").success());
    library
}

#[test]
fn the_desk_listens_and_never_connects_to_anything() {
    let folder = folder("127.0.0.1:0", "hosts = []");
    let aside = tempfile::tempdir().expect("a folder");
    let (library, calls) = (interposer(aside.path()), aside.path().join("calls"));
    let mut served = Served::start(
        folder.path(),
        &[("LD_PRELOAD", &library), ("VIGIE_CALLS", &calls)],
    );
    let port = served.port();
    let page = get(port, "/mise-en-service", "");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    let cookie = format!("vigie={}", between(&page, "set-cookie: vigie=", ";"));
    let csrf = between(&page, "name=\"csrf\" value=\"", "\"");
    let code = served.said["set_up_code"].as_str().expect("a code");
    let form = format!("csrf={csrf}&code={code}");
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    let answer = ask(
        stream,
        &format!(
            "POST /mise-en-service HTTP/1.1\r\nHost: localhost:{port}\r\nCookie: {cookie}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        ),
    );
    assert!(answer.contains("location: /mise-en-service/suite"), "{answer}");
    let cookie = format!("vigie={}", between(&answer, "set-cookie: vigie=", ";"));
    assert!(get(port, "/mise-en-service/suite", &cookie).contains("étape 1 sur 3"));
    for path in ["/", "/entree", "/statique/vigie.css", "/nothing-there"] {
        assert!(get(port, path, &cookie).starts_with("HTTP/1.1 "), "{path}");
    }
    served.stop();
    let calls = std::fs::read_to_string(calls).expect("the interposer stood there");
    assert_eq!(calls, "listen\n");
}

/// Takes any certificate, and remembers which.
#[derive(Debug)]
struct Remembers(Mutex<Option<String>>);

impl ServerCertVerifier for Remembers {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let digest = Sha256::digest(end);
        let pairs: Vec<_> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        *self.0.lock().expect("free") = Some(pairs.join(":"));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("TLS 1.3 was expected".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

#[test]
fn to_other_machines_pages_travel_over_tls_alone_under_the_printed_certificate() {
    let folder = folder("0.0.0.0:0", "hosts = [\"desk.example\"]");
    let mut served = Served::start(folder.path(), &[]);
    let port = served.port();
    let printed = served.said["certificate_sha256"]
        .as_str()
        .expect("a fingerprint")
        .to_owned();
    let request =
        format!("GET /mise-en-service HTTP/1.1\r\nHost: desk.example:{port}\r\nConnection: close\r\n\r\n");

    let clear = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    assert!(
        !ask(clear, &request).contains("HTTP/"),
        "nothing is answered in clear"
    );

    let seen = Arc::new(Remembers(Mutex::new(None)));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(seen.clone())
        .with_no_client_auth();
    let name = ServerName::try_from("desk.example").expect("a name");
    let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    let page = ask(Stream::new(&mut client, &mut stream), &request);
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(
        page.contains("set-cookie: __Host-vigie=") && page.contains("; Secure"),
        "{page}"
    );
    assert_eq!(seen.0.lock().expect("free").as_deref(), Some(printed.as_str()));
    served.stop();
}
