//! What a hostile network, page, form or thief finds at the desk: nothing.
#![cfg(feature = "desk")]

mod desk_kit;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use desk_kit::people::{NAMES, Town, sheet};
use desk_kit::{Browser, HOST, Rig};
use vigie::desk::rights::{Act, Role, allowed};
use vigie::desk::web::tls::Channel;
use vigie::desk::web::{App, Verb, routes, server};

fn filled(path: &str) -> String {
    let parts = path
        .split('/')
        .map(|part| if part.starts_with('{') { "0" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn asked_as(browser: &mut Browser, path: &str, host: Option<&str>) -> StatusCode {
    let mut request = Request::builder().method("GET").uri(path);
    if let Some(host) = host {
        request = request.header(header::HOST, host);
    }
    browser.send(request, Body::empty()).status
}

#[test]
fn under_another_name_the_desk_answers_nothing() {
    let rig = Rig::new();
    let mut browser = rig.browser(Role::Chef, "00000000000000c1");
    for host in [
        None,
        Some("evil.example"),
        Some("localhost"),
        Some("localhost:8080.evil.example"),
        Some(""),
    ] {
        for route in routes().filter(|route| route.method == Verb::Get) {
            let status = asked_as(&mut browser, &filled(route.path), host);
            assert_eq!(status, StatusCode::MISDIRECTED_REQUEST, "{host:?} {}", route.path);
        }
        assert_eq!(
            asked_as(&mut browser, "/nothing-there", host),
            StatusCode::MISDIRECTED_REQUEST
        );
    }
    assert_eq!(asked_as(&mut browser, "/", Some(HOST)), StatusCode::OK);
}

#[test]
fn a_form_of_another_place_or_another_session_changes_nothing() {
    let town = Town::new();
    let (mut chef, mut admin) = (town.chef.enter(&town.rig), town.admin.enter(&town.rig));
    let path = format!("/comptes/{}/debloquer", town.agent.id);
    let form = |csrf: &str| format!("csrf={csrf}").into_bytes();
    let (own, other) = (chef.csrf(), admin.csrf());
    let media = "application/x-www-form-urlencoded";
    for token in [other.as_str(), "", &own[..63], &own.to_uppercase()] {
        let page = chef.post_raw(&path, media, form(token));
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{token}");
    }
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost:8081",
        "https://localhost:8080",
    ] {
        let request = Request::builder()
            .method("POST")
            .uri(&path)
            .header(header::HOST, HOST);
        let request = request
            .header(header::ORIGIN, origin)
            .header(header::CONTENT_TYPE, media);
        let page = chef.send(request, form(&own).into());
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{origin}");
    }
    assert_eq!(
        chef.post_raw(&path, media, form(&own)).status,
        StatusCode::SEE_OTHER
    );
}

#[test]
fn secrets_are_compared_in_constant_time() {
    // Whoever compares one of them with `==` takes it out of the list, or this test fails.
    for (file, function) in [
        ("src/desk/web/guard.rs", "fn token_holds("),
        ("src/desk/accounts/code.rs", "pub fn is(&self"),
        ("src/desk/accounts/entry.rs", "fn recovered("),
    ] {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect(file);
        let (_, body) = text.split_once(function).expect(function);
        let body = body
            .split_once("\n    }")
            .or_else(|| body.split_once("\n}"))
            .expect("an end")
            .0;
        assert!(
            body.contains(".ct_eq(") && !body.contains(" == "),
            "{file} {function}"
        );
    }
}

/// The page's text without what is between two marks of a script or a style sheet of our own.
fn outside(page: &str) -> Vec<&str> {
    let places = page
        .match_indices("http://")
        .chain(page.match_indices("https://"));
    let places = places.map(|(at, _)| page[at..].split(['"', '\'', '<', ' ']).next().unwrap_or_default());
    places
        .filter(|place| *place != "http://www.w3.org/2000/svg")
        .collect()
}

#[test]
fn no_page_runs_or_fetches_anything_but_our_own_files() {
    let town = Town::new();
    for (role, someone) in town.all() {
        let mut browser = someone.enter(&town.rig);
        let mut paths: Vec<_> = routes()
            .filter(|route| route.method == Verb::Get && allowed(role, route.act))
            .map(|route| filled(route.path))
            .collect();
        paths.extend(town.all().map(|(_, other)| format!("/comptes/{}", other.id)));
        paths.push(format!("/agents/{}", town.agent.id));
        paths.push("/nothing-there".to_owned());
        for path in paths {
            let page = browser.get(&path);
            let told = |name: &str| {
                page.headers
                    .get(name)
                    .map(|value| value.to_str().expect("text").to_owned())
            };
            let policy = told("content-security-policy").expect("a policy");
            let parts: BTreeSet<_> = policy.split("; ").collect();
            for part in [
                "default-src 'none'",
                "script-src 'self'",
                "style-src 'self'",
                "form-action 'self'",
                "base-uri 'none'",
                "frame-ancestors 'none'",
            ] {
                assert!(parts.contains(part), "{path}: {policy}");
            }
            assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
            assert_eq!(told("x-content-type-options").as_deref(), Some("nosniff"));
            assert_eq!(told("x-frame-options").as_deref(), Some("DENY"));
            let media = told("content-type").unwrap_or_default();
            if !media.starts_with("text/html") {
                continue;
            }
            assert_eq!(told("cache-control").as_deref(), Some("no-store"), "{path}");
            let text = page.text();
            for inline in [
                " style=\"",
                " onclick=",
                " onload=",
                " onsubmit=",
                "javascript:",
                "<style",
                "<iframe",
                "<object",
                "<base",
            ] {
                assert!(!text.contains(inline), "{path}: {inline}");
            }
            for script in text.split("<script").skip(1) {
                assert!(
                    script.starts_with(" src=\"/statique/") && script.contains("></script>"),
                    "{path}"
                );
            }
            assert_eq!(outside(&text), Vec::<&str>::new(), "{path}");
        }
    }
}

fn cookie_of(headers: &HeaderMap) -> BTreeSet<String> {
    let set = headers
        .get(header::SET_COOKIE)
        .expect("a cookie")
        .to_str()
        .expect("text");
    set.split("; ")
        .map(|part| part.split_once('=').map_or(part, |(name, _)| name).to_owned())
        .collect()
}

#[test]
fn cookies_are_for_our_own_pages_alone_and_under_tls_for_tls_alone() {
    let town = Town::new();
    let mut browser = town.rig.stranger();
    let page = town.agent.knock(&town.rig, &mut browser);
    let set = page
        .headers
        .get(header::SET_COOKIE)
        .expect("a cookie")
        .to_str()
        .expect("text")
        .to_owned();
    assert!(
        set.contains("; HttpOnly") && set.contains("; SameSite=Strict") && set.contains("; Path=/"),
        "{set}"
    );
    assert!(
        !set.contains("Domain") && !set.contains("Expires") && !set.contains("Max-Age"),
        "{set}"
    );

    let folder = Rig::bare();
    let office = vigie::desk::Office::open(folder.path(), vigie_clock()).expect("a desk");
    let app = App::new(office, vigie_clock, true, vec![HOST.to_owned()]).expect("pages");
    let mut browser = Browser::of(Arc::new(app));
    let page = browser.get("/mise-en-service");
    let parts = cookie_of(&page.headers);
    for part in ["__Host-vigie", "Path", "HttpOnly", "SameSite", "Secure"] {
        assert!(parts.contains(part), "{parts:?}");
    }
    assert!(!parts.contains("Domain"), "{parts:?}");
}

fn vigie_clock() -> vigie::frame::BoxTime {
    desk_kit::time("2026-11-22T11:00:00Z")
}

#[test]
fn nothing_longer_than_a_form_is_read_and_no_file_of_a_stranger_is_kept() {
    let town = Town::new();
    let mut chef = town.chef.enter(&town.rig);
    let long = "x".repeat(300 << 10);
    let page = chef.post("/comptes/nouveau", &[("nom", &long)]);
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    let page = chef.upload("/comptes/nouveau", &[("nom", &long)], &[]);
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    let incoming = town.rig.folder.path().join("incoming");
    let kept = || walk(&incoming).len();
    for (role, someone) in town.all() {
        let mut browser = someone.enter(&town.rig);
        // To the chef everything that takes a form is open so far.
        let refused = routes().filter(|route| route.method == Verb::Post && !allowed(role, route.act));
        for path in refused.map(|route| filled(route.path)) {
            let page = browser.upload(&path, &[], &[("fichier", "../../../tmp/x", b"bytes")]);
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{role:?} {path}");
            assert_eq!(kept(), 0, "{role:?} {path}");
        }
    }
    let mut stranger = town.rig.stranger();
    assert_eq!(
        stranger
            .upload("/comptes/nouveau", &[], &[("fichier", "x", b"bytes")])
            .location(),
        "/entree"
    );
    assert_eq!(kept(), 0);
}

#[test]
fn no_path_leads_out_of_the_pages() {
    let rig = Rig::new();
    let mut browser = rig.browser(Role::Chef, "00000000000000c1");
    let secret = std::fs::read_to_string(rig.folder.path().join("desk.key")).expect("a key");
    for path in [
        "/statique/../desk.key",
        "/statique/..%2fdesk.key",
        "/statique/%2e%2e%2fdesk.key",
        "/statique/%2e%2e/%2e%2e/desk.key",
        "/statique/..%5c..%5cdesk.key",
        "/statique//etc/passwd",
        "/statique/%2fetc%2fpasswd",
        "/../desk.key",
        "/desk.key",
        "/keys/service-2026-Q4.key",
        "/store/vault.db",
        "/statique/vigie.css%00.js",
    ] {
        let page = browser.get(path);
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        assert!(
            !page.text().contains(secret.trim()) && !page.text().contains("root:"),
            "{path}"
        );
    }
    for id in [
        "..%2f..%2fdesk.key",
        "%2fetc%2fpasswd",
        "0%27%20OR%201=1--",
        "%00",
    ] {
        let page = browser.get(&format!("/comptes/{id}"));
        assert_eq!(page.status, StatusCode::NOT_FOUND, "{id}");
    }
}

#[test]
fn pages_in_clear_are_refused_to_any_address_but_this_machines() {
    let folder = Rig::bare();
    let office = vigie::desk::Office::open(folder.path(), vigie_clock()).expect("a desk");
    let app = App::new(office, vigie_clock, false, vec![HOST.to_owned()]).expect("pages");
    let listener = std::net::TcpListener::bind("0.0.0.0:0").expect("a port");
    let refused = server::serve(app, listener, Channel::Clear).expect_err("refused");
    assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
}

#[test]
fn each_role_reaches_its_own_routes_with_a_real_log_in_and_no_others() {
    let town = Town::new();
    for (role, someone) in town.all() {
        let mut browser = someone.enter(&town.rig);
        for route in routes().filter(|route| route.method == Verb::Get && route.act != Act::Enter) {
            let page = browser.get(&filled(route.path));
            let forbidden = page.status == StatusCode::FORBIDDEN;
            assert_eq!(
                forbidden,
                !allowed(role, route.act),
                "{role:?} {}: {}",
                route.path,
                page.status
            );
            assert!(
                page.status.as_u16() < 500,
                "{role:?} {}: {}",
                route.path,
                page.text()
            );
        }
    }
}

#[test]
fn no_picture_is_decoded_before_its_size_was_bounded() {
    // The one reader that bounds what a header may claim before anything is allocated.
    let bomb = b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xdc\xff\xdc\x03\x01\x11\x00\x02\x11\x01\x03\x11\x01\xff\xda\x00\x0c\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00\x00\xff\xd9";
    let refused = vigie::jpeg::Layout::parse(bomb).expect_err("refused");
    assert!(
        matches!(refused, vigie::jpeg::Error::TooLarge { .. }),
        "{refused}"
    );
    // And the desk has no other.
    for file in walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/desk")) {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        for other in [
            "image::load",
            "ImageReader",
            "JpegDecoder",
            "PngDecoder",
            "zune_jpeg",
        ] {
            assert!(!text.contains(other), "{other} in {}", file.display());
        }
    }
}

/// All files under a folder.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] })
        .collect()
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_stolen_folder_reveals_no_name_no_log_in_no_code_and_no_key() {
    let town = Town::new();
    let rig = &town.rig;
    // What somebody types and writes through the pages goes the same way.
    let mut chef = town.chef.enter(rig);
    let fields = [
        ("nom", "Ondine Lespinasse"),
        ("identifiant", "ondine.lespinasse"),
        ("role", "agent"),
    ];
    let location = chef.post("/comptes/nouveau", &fields).location().to_owned();
    let half = |browser: &mut Browser| {
        let shown = browser.get(&location).text();
        shown
            .split_once("affichée cette seule fois : ")
            .expect("half a code")
            .1[..9]
            .to_owned()
    };
    let first = half(&mut chef);
    let mut admin = town.admin.enter(rig);
    let page = admin.get(&location).text();
    let version = page
        .split_once("name=\"version\" value=\"")
        .and_then(|(_, rest)| rest.split('"').next())
        .expect("a version");
    admin
        .post(&format!("{location}/confirmer"), &[("version", version)])
        .expect(StatusCode::SEE_OTHER);
    let second = half(&mut admin);
    town.agent.enter(rig);
    rig.stranger().post(
        "/entree",
        &[
            ("identifiant", "agent.inconnu"),
            ("mot_de_passe", "motdepasse"),
            ("code", "1"),
        ],
    );

    let mut secrets: Vec<Vec<u8>> = NAMES
        .iter()
        .flat_map(|name| name.split(' '))
        .map(Vec::from)
        .collect();
    secrets.extend(
        [
            "Ondine",
            "Lespinasse",
            "lespinasse",
            "agent.inconnu",
            "motdepasse",
        ]
        .map(Vec::from),
    );
    let sheet = sheet();
    secrets.extend(
        [
            sheet.quality,
            sheet.habilitation.authority,
            sheet.viewing.reference,
        ]
        .map(Vec::from),
    );
    secrets.extend([first, second].map(|half| half.replace('-', "").into_bytes()));
    for (_, someone) in town.all() {
        secrets.extend([someone.login.as_str(), &someone.password].map(Vec::from));
        secrets.push(someone.secret.as_bytes().to_vec());
        secrets.extend(
            someone
                .codes
                .iter()
                .map(|code| code.replace('-', "").into_bytes()),
        );
    }
    let session = chef.token.as_deref().expect("a cookie");
    secrets.push(session.as_bytes().to_vec());
    let idle = jiff::SignedDuration::from_mins(15);
    let session = rig
        .app
        .sessions
        .find(session, rig.now(), idle)
        .expect("a session");
    let evidence = session.evidence.as_ref().expect("keys");
    for key in [&session.register.0, &evidence.cells, &evidence.index] {
        secrets.push(key.as_bytes().to_vec());
        secrets.push(hex::encode(key.as_bytes()).into_bytes());
    }
    // The kit read the service's secret key before it was destroyed.
    let service = rig.plain_service_key.as_bytes();
    secrets.push(service.to_vec());
    secrets.push(hex::decode(&rig.plain_service_key).expect("digits"));

    let files = walk(rig.folder.path());
    assert!(files.iter().any(|file| file.ends_with("store/vault.db")));
    let mut seen = 0;
    for file in files {
        let bytes = std::fs::read(&file).expect("a file");
        seen += bytes.len();
        for secret in &secrets {
            assert!(secret.len() >= 5);
            assert!(
                !holds(&bytes, secret),
                "{} in {}",
                String::from_utf8_lossy(secret),
                file.display()
            );
        }
    }
    assert!(seen > 50_000, "the database was read");
}

/// A form's body that comes in pieces and breaks off; before each piece but the first, somebody looks at the disk.
struct Broken<L> {
    pieces: std::collections::VecDeque<Vec<u8>>,
    sent: usize,
    rested: bool,
    look: L,
}

impl<L: FnMut() + Unpin> axum::body::HttpBody for Broken<L> {
    type Data = axum::body::Bytes;
    type Error = std::io::Error;
    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        // Each piece comes by itself, as over a network: what came is worked on before the next.
        if !std::mem::replace(&mut self.rested, false) {
            self.rested = true;
            context.waker().wake_by_ref();
            return std::task::Poll::Pending;
        }
        if self.sent > 0 {
            (self.look)();
        }
        self.sent += 1;
        std::task::Poll::Ready(Some(match self.pieces.pop_front() {
            Some(piece) => Ok(http_body::Frame::data(piece.into())),
            None => Err(std::io::ErrorKind::ConnectionReset.into()),
        }))
    }
}

#[test]
fn a_spreadsheet_touches_no_disk_also_when_its_connection_is_cut_off() {
    const MARK: &[u8] = b"QQ-987-ZZ;Quatrelivres";
    let town = Town::new();
    let folder = town.rig.folder.path().to_owned();
    let mut agent = town.agent.enter(&town.rig);
    let before: BTreeSet<PathBuf> = walk(&folder).into_iter().collect();
    // A file for it counts before anything is written to it: nobody knows when that is.
    let lies_there = move || {
        walk(&folder).iter().any(|path| {
            let bytes = std::fs::read(path).unwrap_or_default();
            !before.contains(path) || bytes.windows(MARK.len()).any(|part| part == MARK)
        })
    };
    let head = format!(
        "--BOUND\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{}\r\n--BOUND\r\nContent-Disposition: form-data; \
         name=\"fichier\"; filename=\"ancien.csv\"\r\n\r\n",
        agent.csrf()
    );
    let rows = MARK.repeat(20_000);
    let pieces = [head.into_bytes(), rows.clone(), rows.clone(), rows.clone(), rows];
    let looks = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let (counted, look) = (looks.clone(), lies_there.clone());
    let body = Broken {
        pieces: pieces.into(),
        sent: 0,
        rested: false,
        look: move || {
            counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            assert!(!look(), "the spreadsheet lies on the disk");
        },
    };
    let request = axum::http::Request::builder()
        .method("POST")
        .uri("/dossiers/releves/fichier")
        .header("host", desk_kit::HOST)
        .header("content-type", "multipart/form-data; boundary=BOUND");
    let page = agent.send(request, axum::body::Body::new(body));
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", page.text());
    assert!(looks.load(std::sync::atomic::Ordering::Relaxed) >= 4);
    assert!(!lies_there());
}

const SHEET: [(&str, &str); 13] = [
    ("service", "Service de lutte contre les incivilités"),
    ("qualite", "Agent de surveillance de la voie publique"),
    ("numero", "A-17"),
    ("formation", "2025-12-01"),
    ("hab_autorite", "Maire"),
    ("hab_date", "2026-01-05"),
    ("hab_objet", "Abandon de déchets"),
    ("serment_tribunal", "tribunal judiciaire d'Exemple"),
    ("serment_date", "2026-01-20"),
    ("vis_fondement", "agreement"),
    ("vis_autorite", "Préfet"),
    ("vis_reference", "2026-77"),
    ("vis_date", "2026-02-01"),
];

#[test]
fn a_clock_that_is_set_back_makes_no_sheet_valid_again() {
    let town = Town::new();
    let rig = &town.rig;
    let mut chef = town.chef.enter(rig);
    let path = format!("/agents/{}", town.agent.id);
    let page = chef.get(&path).text();
    let version = page
        .split("name=\"version\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let until = [
        ("vis_fin", "2026-11-22"),
        ("version", version.expect("a version")),
    ];
    let page = chef.post(&path, &[&SHEET[..], &until].concat());
    assert_eq!(page.location(), "/agents", "{}", page.text());
    let mut agent = town.agent.enter(rig);
    agent.get("/dossiers").expect(StatusCode::OK);
    // By recovery codes: of a telephone's codes none counts twice, and none from before the last one.
    let enter = |someone: &desk_kit::people::Someone, nth: usize| {
        let mut browser = rig.stranger();
        let page = browser.post("/entree", &someone.fields(&someone.codes[nth]));
        assert_eq!(page.location(), "/", "{}", page.text());
        browser
    };
    // The next day, of which the desk takes note as it does every ten seconds.
    rig.set_clock("2026-11-23T08:00:00Z");
    rig.app.sweep().expect("swept");
    assert_eq!(
        enter(&town.agent, 0).get("/dossiers").status,
        StatusCode::FORBIDDEN
    );
    rig.set_clock("2026-11-22T11:30:00Z");
    assert_eq!(
        enter(&town.agent, 1).get("/dossiers").status,
        StatusCode::FORBIDDEN
    );
    // Until somebody who may says that the date is right.
    let confirmed = enter(&town.chef, 0).post("/echeances/horloge", &[]);
    assert_eq!(confirmed.location(), "/echeances", "{}", confirmed.text());
    enter(&town.agent, 2).get("/dossiers").expect(StatusCode::OK);
}

#[test]
fn a_program_that_stops_writes_down_the_end_of_every_session() {
    let town = Town::new();
    let rig = &town.rig;
    let (_chef, mut agent) = (town.chef.enter(rig), town.agent.enter(rig));
    rig.app.stop().expect("stopped");
    let office = rig.app.office.lock().expect("the desk");
    let ends = "SELECT count(*) FROM journal WHERE kind = 'session_ended' AND body LIKE '%\"stopped\"%'";
    let ends: u32 = office
        .desk
        .store
        .sql()
        .query_row(ends, [], |row| row.get(0))
        .expect("counted");
    assert_eq!(ends, 2);
    drop(office);
    assert_eq!(agent.get("/").location(), "/entree");
}
