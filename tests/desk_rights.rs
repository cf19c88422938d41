//! No route without its right: role by route, through the pages themselves.
#![cfg(feature = "desk")]

mod desk_kit;

use axum::http::StatusCode;
use desk_kit::Rig;
use vigie::desk::rights::{Act, Role, allowed};
use vigie::desk::web::{Verb, routes};

/// A path with something in each of its places.
fn filled(path: &str) -> String {
    let parts = path
        .split('/')
        .map(|part| if part.starts_with('{') { "0" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn every_route_is_refused_to_every_role_that_may_not() {
    let rig = Rig::new();
    for (at, role) in Role::ALL.into_iter().enumerate() {
        for route in routes().filter(|route| !allowed(role, route.act)) {
            let mut browser = rig.browser(role, &format!("{at:016x}"));
            let path = filled(route.path);
            let page = match route.method {
                Verb::Get => browser.get(&path),
                Verb::Post => browser.post(&path, &[]),
            };
            assert_eq!(page.status, StatusCode::FORBIDDEN, "{role:?} {path}");
        }
    }
}

#[test]
fn whoever_is_not_logged_in_sees_only_the_entrance() {
    let rig = Rig::new();
    for route in routes().filter(|route| route.act != Act::Enter) {
        let mut stranger = rig.stranger();
        let path = filled(route.path);
        let page = match route.method {
            Verb::Get => stranger.get(&path),
            Verb::Post => stranger.post(&path, &[]),
        };
        assert_eq!(
            (page.status, page.location()),
            (StatusCode::SEE_OTHER, "/entree"),
            "{path}"
        );
    }
}

#[test]
fn a_form_without_the_token_of_its_page_changes_nothing() {
    let rig = Rig::new();
    for route in routes().filter(|route| route.method == Verb::Post) {
        let role = Role::ALL
            .into_iter()
            .find(|role| allowed(*role, route.act))
            .expect("a role");
        let mut browser = rig.browser(role, "00000000000000ff");
        let media = "application/x-www-form-urlencoded";
        let page = browser.post_raw(&filled(route.path), media, b"csrf=0000".to_vec());
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", route.path);
    }
}
