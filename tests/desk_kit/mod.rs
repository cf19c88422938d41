//! A desk in a folder of its own, and browsers that ask it for pages without a network.
#![allow(dead_code, reason = "each test file uses its part of the kit")]

pub mod people;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use tower::ServiceExt as _;
use vigie::desk::cell::CellKey;
use vigie::desk::keyring::{EvidenceKeys, RegisterKey};
use vigie::desk::office::Office;
use vigie::desk::rights::Role;
use vigie::desk::session::Session;
use vigie::desk::web::{App, guard, router};
use vigie::frame::BoxTime;
use vigie::vault::OfficeKey;
use vigie::vault::keys::{desk_init, office_init};

/// The host under which the kit's browsers ask.
pub const HOST: &str = "localhost:8080";

/// A desk whose clock stands where it is put.
pub struct Rig {
    pub folder: tempfile::TempDir,
    pub app: Arc<App>,
    clock: Arc<Mutex<BoxTime>>,
    pub register: RegisterKey,
    pub evidence: Arc<EvidenceKeys>,
    /// The service's secret key as it lay in its file, in hexadecimal digits.
    pub plain_service_key: String,
}

pub fn time(text: &str) -> BoxTime {
    BoxTime(text.parse().expect("a time"))
}

impl Rig {
    /// A desk with its keys and the example's configuration, at noon of 22 November 2026.
    pub fn new() -> Self {
        Self::with_config(|text| text)
    }

    pub fn with_config(change: impl FnOnce(String) -> String) -> Self {
        Self::prepared(|_| {}, change)
    }

    /// The same, with something done in its folder before it is opened.
    pub fn prepared(prepare: impl FnOnce(&Path), change: impl FnOnce(String) -> String) -> Self {
        let folder = Self::bare();
        let config = folder.path().join("desk.toml");
        let example = std::fs::read_to_string(&config).expect("desk.toml");
        std::fs::write(&config, change(example)).expect("desk.toml");
        let office_keys = secret_keys(&folder.path().join("keys"));
        let plain = std::fs::read_to_string(folder.path().join("keys/service-2026-Q4.key")).expect("a key");
        let digits = plain.lines().find_map(|line| line.strip_prefix("key: "));
        prepare(folder.path());
        let now = time("2026-11-22T11:00:00Z");
        let office = Office::open(folder.path(), now).expect("the desk");
        let clock = Arc::new(Mutex::new(now));
        let read = clock.clone();
        let app = App::new(
            office,
            move || *read.lock().expect("the clock"),
            false,
            vec![HOST.to_owned()],
        );
        let evidence = EvidenceKeys {
            cells: CellKey::generate().expect("a key"),
            index: CellKey::generate().expect("a key"),
            office: office_keys,
        };
        Self {
            folder,
            app: Arc::new(app.expect("the pages")),
            clock,
            register: RegisterKey(CellKey::generate().expect("a key")),
            evidence: Arc::new(evidence),
            plain_service_key: digits.expect("digits").to_owned(),
        }
    }

    /// A desk's folder, before anybody has opened it.
    pub fn bare() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        desk_init(folder.path()).expect("the desk's key");
        std::fs::create_dir(folder.path().join("keys")).expect("a folder");
        office_init(&folder.path().join("keys"), "2026-Q4".parse().expect("a quarter"))
            .expect("the office's keys");
        let example = include_str!("../../docs/desk.example.toml");
        std::fs::write(folder.path().join("desk.toml"), example).expect("desk.toml");
        folder
    }

    pub fn now(&self) -> BoxTime {
        *self.clock.lock().expect("the clock")
    }

    pub fn set_clock(&self, to: &str) {
        *self.clock.lock().expect("the clock") = time(to);
    }

    pub fn advance(&self, seconds: i64) {
        let mut clock = self.clock.lock().expect("the clock");
        clock.0 += jiff::SignedDuration::from_secs(seconds);
    }

    /// A browser in which somebody of that role is logged in, with a valid sheet; `account` is 16 hexadecimal digits.
    pub fn browser(&self, role: Role, account: &str) -> Browser {
        let session = Session {
            account: account.to_owned(),
            role,
            name: format!("{} {}", role.french(), &account[..4]),
            sheet_until: Some(jiff::civil::date(2030, 12, 31)),
            register: self.register.clone(),
            evidence: role.holds_evidence().then(|| self.evidence.clone()),
            began: self.now(),
            flash: Mutex::new(None),
        };
        let (token, _) = self.app.sessions.begin(session, self.now()).expect("a session");
        Browser {
            app: self.app.clone(),
            token: Some(token),
        }
    }

    /// A browser in which nobody is logged in.
    pub fn stranger(&self) -> Browser {
        Browser {
            app: self.app.clone(),
            token: None,
        }
    }
}

fn secret_keys(folder: &Path) -> Vec<OfficeKey> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("keys")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let secret = paths
        .iter()
        .filter(|path| path.extension().is_some_and(|e| e == "key"));
    let secret = secret.filter(|path| {
        path.file_name()
            .is_some_and(|n| n.to_string_lossy().starts_with("service"))
    });
    secret.map(|path| OfficeKey::read(path).expect("a key")).collect()
}

/// What came back.
#[derive(Debug)]
pub struct Page {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Page {
    /// With plain blanks where the page holds them.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).replace('\u{a0}', " ")
    }

    pub fn location(&self) -> &str {
        self.headers
            .get(header::LOCATION)
            .map_or("", |to| to.to_str().expect("a location"))
    }

    /// Fails with the page's text where `status` is another.
    #[track_caller]
    pub fn expect(self, status: StatusCode) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

/// One browser, with its cookie.
pub struct Browser {
    app: Arc<App>,
    pub token: Option<String>,
}

impl Browser {
    /// Of pages that the kit did not make.
    pub fn of(app: Arc<App>) -> Self {
        Self { app, token: None }
    }

    pub fn get(&mut self, path: &str) -> Page {
        let request = Request::builder()
            .method("GET")
            .uri(path)
            .header(header::HOST, HOST);
        self.send(request, Body::empty())
    }

    /// Sends a form, with the token that its page would have carried.
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = self.csrf();
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", &csrf).extend_pairs(fields);
        self.post_raw(
            path,
            "application/x-www-form-urlencoded",
            form.finish().into_bytes(),
        )
    }

    /// Sends a form with files: field, name, bytes.
    pub fn upload(&mut self, path: &str, fields: &[(&str, &str)], files: &[(&str, &str, &[u8])]) -> Page {
        let csrf = self.csrf();
        let mut body = Vec::new();
        for (name, value) in std::iter::once(&("csrf", csrf.as_str())).chain(fields) {
            let head =
                format!("--BOUND\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(head.as_bytes());
        }
        for (name, file, bytes) in files {
            let head = format!(
                "--BOUND\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--BOUND--\r\n");
        self.post_raw(path, "multipart/form-data; boundary=BOUND", body)
    }

    pub fn post_raw(&mut self, path: &str, media: &str, body: Vec<u8>) -> Page {
        let request = Request::builder()
            .method("POST")
            .uri(path)
            .header(header::HOST, HOST);
        let request = request
            .header(header::CONTENT_TYPE, media)
            .header(header::ORIGIN, format!("http://{HOST}"));
        self.send(request, body.into())
    }

    /// The token that forms carry for this browser.
    pub fn csrf(&mut self) -> String {
        if self.token.is_none() {
            self.get("/statique/vigie.css");
        }
        guard::form_token(&self.app, self.token.as_deref().expect("a cookie"))
    }

    pub fn send(&mut self, mut request: axum::http::request::Builder, body: Body) -> Page {
        if let Some(token) = &self.token {
            request = request.header(header::COOKIE, format!("vigie={token}"));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let page = runtime.block_on(async {
            let request = request.body(body).expect("a request");
            let response = router(self.app.clone())
                .oneshot(request)
                .await
                .expect("an answer");
            let (parts, body) = response.into_parts();
            Page {
                status: parts.status,
                headers: parts.headers,
                bytes: to_bytes(body, usize::MAX).await.expect("a body").to_vec(),
            }
        });
        self.keep_cookie(&page);
        page
    }

    fn keep_cookie(&mut self, page: &Page) {
        let Some(set) = page.headers.get(header::SET_COOKIE) else {
            return;
        };
        let set = set.to_str().expect("a cookie");
        let value = set
            .split(';')
            .next()
            .and_then(|pair| pair.split_once('='))
            .map(|(_, value)| value);
        self.token = value.filter(|value| !value.is_empty()).map(str::to_owned);
    }
}
