//! Every page of the desk, with everything in it that a service gathers: each is answered, and how fast.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use vigie::desk::rights::{Act, Role, allowed};
use vigie::desk::web::{Route, Verb, routes};

use crate::crowd::Crowd;
use crate::desk_kit::Browser;
use crate::review_kit::event;
use crate::{processor, size};

/// Further addresses of pages that list or look for something.
const ASKED: [(&str, &[&str]); 8] = [
    (
        "/file",
        &[
            "etat=tous",
            "etat=tous&page=1000000",
            "etat=retenus&du=2026-02-01&au=2026-03-01",
            "piege=demo&lumiere=nuit",
        ],
    ),
    (
        "/dossiers",
        &[
            "page=100",
            "etat=draft",
            "appareil=demo&du=01/02/2026&au=01/03/2026",
            "numero=2026-EXE-0007",
        ],
    ),
    (
        "/echeances",
        &[
            "etat=tous",
            "etat=tous&page=100",
            "etat=verrou",
            "categorie=images",
        ],
    ),
    (
        "/journal",
        &[
            "type=ruled",
            "du=2026-01-01&au=2026-12-31",
            "compte=ffffffffffffffff",
            "objet=ffffffffffffffff",
        ],
    ),
    ("/certificats", &["page=1000000"]),
    ("/transmissions", &["page=1000000"]),
    ("/echeances/surnumeraires", &["page=1000000"]),
    ("/echeances/decisions", &["page=1000000"]),
];

/// What stands at this desk in a place of a route's path.
fn part(path: &str, place: &str, crowd: &Crowd, account: &str) -> String {
    match place {
        "{id}" if path.starts_with("/evenement/") => crowd.event.to_string(),
        "{id}" if path.starts_with("/comptes/") || path.starts_with("/agents/") => account.to_owned(),
        "{id}" if path.starts_with("/echeances/gels/") => "1".to_owned(),
        "{number}" if path.starts_with("/dossier/") => crowd.file.to_string(),
        "{number}" if path.starts_with("/transmission/") => crowd.transmission.clone(),
        "{nth}" if path.starts_with("/evenement/") => "0".to_owned(),
        "{place}" | "{nth}" => "1".to_owned(),
        "{section}" => "faits".to_owned(),
        "{numero}" => crowd.certificate.clone(),
        "{tache}" => "journal-review".to_owned(),
        "{periode}" => crowd
            .service
            .sql("SELECT period FROM task WHERE kind = 'journal-review'"),
        "{name}" if path.starts_with("/statique/") => "vigie.css".to_owned(),
        "{name}" if path.starts_with("/import/retour/") => crowd.answer.clone(),
        _ => panic!("nothing is known for {place} of {path}: tell it here"),
    }
}

fn filled(route: &Route, crowd: &Crowd, account: &str) -> String {
    let parts = route.path.split('/').map(|place| match place.starts_with('{') {
        true => part(route.path, place, crowd, account),
        false => place.to_owned(),
    });
    let address = parts.collect::<Vec<_>>().join("/");
    match route.path {
        "/dossiers/nouveau" => format!("{address}?evenement={}", crowd.event),
        _ => address,
    }
}

/// What an answer takes: by the clock, and of the processor, which on a busy machine says more.
#[derive(Clone, Copy)]
struct Took {
    clock: Duration,
    processor: Duration,
}

/// Of three answers, after one that does not count: the median by the clock, the mean of the processor.
fn timed(browser: &mut Browser, address: &str) -> Took {
    let mut once = || {
        let start = Instant::now();
        let page = browser.get(address);
        let took = start.elapsed();
        // What is asked for out of its turn leads elsewhere.
        let answered = [StatusCode::OK, StatusCode::SEE_OTHER].contains(&page.status);
        assert!(answered, "{address}: {} {}", page.status, page.text());
        took
    };
    once();
    let before = processor();
    let mut times = [once(), once(), once()];
    let processor = (processor() - before) / 3;
    times.sort_unstable();
    Took {
        clock: times[1],
        processor,
    }
}

fn print(times: &BTreeMap<String, Took>, most: usize) {
    let mut all: Vec<_> = times.iter().collect();
    all.sort_by_key(|(_, took)| std::cmp::Reverse((took.processor, took.clock)));
    let ms = |took: Duration| took.as_secs_f64() * 1e3;
    for (address, took) in all.iter().take(most) {
        println!(
            "  {:>7.0} ms of the processor, {:>7.0} ms  {address}",
            ms(took.processor),
            ms(took.clock)
        );
    }
}

#[test]
fn every_page_is_answered_whatever_the_desk_holds() {
    let count = size("VIGIE_LOAD_EVENTS", 120);
    let began = Instant::now();
    let crowd = Crowd::of(count);
    let lines: u32 = crowd.service.sql("SELECT count(*) FROM journal");
    println!(
        "{count} events, files, transmissions and certificates, {lines} lines of the journal, in {:.0} s",
        began.elapsed().as_secs_f64()
    );
    lists_are_whole_and_in_order(&crowd, count);
    let mut times = BTreeMap::new();
    for role in Role::ALL {
        let mut browser = crowd.browser(role);
        if role.holds_evidence() {
            let file = format!("/dossier/{}/motif", crowd.file);
            browser.post(&file, &[("motif", "checking")]);
            let event = format!("/evenement/{}/ouvrir", crowd.event);
            browser.post(&event, &[("motif", "control")]);
        }
        let shown = routes().filter(|route| route.method == Verb::Get && allowed(role, route.act));
        for route in shown {
            let account = match route.act {
                Act::ManageSheets => &crowd.agent.id,
                _ => &crowd.dpd.id,
            };
            let address = filled(route, &crowd, account);
            let further = ASKED.iter().filter(|(path, _)| *path == route.path);
            let further =
                further.flat_map(|(path, asked)| asked.iter().map(move |asked| format!("{path}?{asked}")));
            for address in std::iter::once(address.clone()).chain(further) {
                let took = timed(&mut browser, &address);
                times.insert(format!("{} {address}", role.as_str()), took);
            }
        }
    }
    let over =
        |took: fn(&Took) -> Duration| times.values().filter(|one| took(one).as_millis() >= 200).count();
    println!(
        "{} pages; {} of them took the processor 200 ms or more, {} so long by the clock; the slowest:",
        times.len(),
        over(|took| took.processor),
        over(|took| took.clock)
    );
    print(&times, 20);
    println!("putting aside; each but the first destroys what the one before put aside:");
    print(&put_aside(&crowd, 4), 4);
}

/// The numbers that a list links to, page after page.
fn listed(browser: &mut Browser, list: &str, link: &str) -> Vec<String> {
    let mut found = Vec::new();
    for page in 1.. {
        let text = browser
            .get(&format!("{list}?page={page}"))
            .expect(StatusCode::OK)
            .text();
        let before = format!("<th scope=\"row\"><a href=\"{link}");
        let links = text.split(&before).skip(1);
        found.extend(links.map(|rest| rest.split('"').next().expect("its end").to_owned()));
        if !text.contains("Page suivante") {
            break;
        }
    }
    found
}

fn lists_are_whole_and_in_order(crowd: &Crowd, count: u32) {
    let mut chef = crowd.browser(Role::Chef);
    let certificates = listed(&mut chef, "/certificats", "/certificats/");
    // Made by the minute, the youngest first.
    let expected: Vec<String> = (0..count)
        .map(|nth| format!("ecart-{}", event(2_000_000 + nth)))
        .collect();
    assert!(
        certificates == expected,
        "{} of {count} certificates",
        certificates.len()
    );
    let transmissions = listed(&mut chef, "/transmissions", "/transmission/");
    assert_eq!(transmissions.len() as u32, count + 1);
    assert_eq!(
        transmissions.last(),
        Some(&crowd.transmission),
        "those that wait for approval stand first"
    );
    let surplus = listed(&mut chef, "/echeances/surnumeraires", "/dossier/");
    assert_eq!(surplus.len() as u32, count);
}

/// Puts events aside, one after the other.
fn put_aside(crowd: &Crowd, count: u32) -> BTreeMap<String, Took> {
    let mut agent = crowd.browser(Role::Agent);
    let mut id = event(1);
    let mut acts = BTreeMap::new();
    agent.post(&format!("/evenement/{id}/ouvrir"), &[("motif", "review")]);
    for _ in 0..count {
        let version = crowd.service.version(id).to_string();
        let fields = [("version", version.as_str()), ("raison", "no-offence")];
        let (start, before) = (Instant::now(), processor());
        let page = agent.post(&format!("/evenement/{id}/ecarter"), &fields);
        let took = Took {
            clock: start.elapsed(),
            processor: processor() - before,
        };
        acts.insert(format!("/evenement/{id}/ecarter"), took);
        let page = page.expect(StatusCode::SEE_OTHER);
        let next = page
            .location()
            .trim_start_matches("/evenement/")
            .split('?')
            .next();
        id = next.expect("the next event").parse().expect("an event");
    }
    acts
}
