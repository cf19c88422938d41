//! What a browser sends or is sent: names, forms, cookies, lengths, paths, pictures.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use vigie::desk::rights::{Role, allowed};
use vigie::desk::web::tls::Channel;
use vigie::desk::web::{App, Verb, routes, server};

use crate::desk_kit::people::Town;
use crate::desk_kit::{self, Browser, HOST, Rig};
use crate::{filled, walk};

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
