//! At the desk, hiding only ever grows: rectangles, plates that are not involved; the former version is destroyed.
#![cfg(feature = "desk")]

mod desk_kit;
mod review_kit;

use axum::http::StatusCode;
use image::RgbImage;
use review_kit::{Service, Shot, event, look, open};
use vigie::frame::Digest;

const INVOLVED: [f32; 4] = [200.0, 176.0, 48.0, 16.0];
const OTHER: [f32; 4] = [32.0, 200.0, 48.0, 16.0];

fn service(shot: Shot) -> Service {
    let service = Service::new();
    service.bring(&[(event(1), vec![shot, Shot::at("2026-11-21T22:15:05")])]);
    service
}

fn picture(bytes: &[u8]) -> RgbImage {
    image::load_from_memory(bytes).expect("a picture").into_rgb8()
}

/// Pixels like a plate's letters in this part of a picture.
fn letters(picture: &RgbImage, [x, y, w, h]: [f32; 4]) -> usize {
    let part = image::imageops::crop_imm(picture, x as u32, y as u32, w as u32, h as u32).to_image();
    let like = |pixel: &&image::Rgb<u8>| pixel.0[0] > 180 && pixel.0[1] < 120 && pixel.0[2] < 120;
    part.pixels().filter(like).count()
}

fn masking<'f>(version: &'f str, fields: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    let mut all = vec![("version", version), ("place", "1")];
    all.extend_from_slice(fields);
    all
}

#[test]
fn a_rectangle_hides_its_part_and_the_former_version_is_destroyed() {
    let service = service(Shot::at("2026-11-21T22:15:03"));
    let mut agent = service.agent(1);
    open(&mut agent, event(1));
    let before = look(&mut agent, event(1), 1);
    let items = service.items();
    let path = format!("/evenement/{}/masquer", event(1));
    let rect = [
        ("gauche", "100"),
        ("haut", "20"),
        ("largeur", "60"),
        ("hauteur", "40"),
    ];
    agent
        .post(&path, &masking("1", &rect))
        .expect(StatusCode::SEE_OTHER);
    let after = look(&mut agent, event(1), 1);
    let hidden = picture(&after.bytes);
    for (x, y) in [(102, 22), (155, 56), (130, 40)] {
        assert_eq!(hidden.get_pixel(x, y).0, [128; 3], "{x}, {y}");
    }
    let (far, same) = (hidden.get_pixel(250, 20), picture(&before.bytes));
    assert_eq!(far, same.get_pixel(250, 20));
    // Two items came, the two of the former version went; the other frame's are as they were.
    let now = service.items();
    assert_eq!(now.len(), items.len());
    assert_eq!(
        now.iter()
            .filter(|name| name.ends_with("1000000.vgi") || name.ends_with("1000001.vgi"))
            .count(),
        2
    );
    assert!(!now.contains(&items[0]) && !now.contains(&items[1]), "{now:?}");
    let lines = service.lines("masked_more");
    assert_eq!(lines[0]["former"], Digest::of(&before.bytes).to_string());
    assert_eq!(lines[0]["sha256"], Digest::of(&after.bytes).to_string());
    // And once more.
    agent
        .post(
            &path,
            &masking("2", &[("rectangle", "0,0,20,20"), ("rectangle", "300,0,20,20")]),
        )
        .expect(StatusCode::SEE_OTHER);
    let twice = picture(&look(&mut agent, event(1), 1).bytes);
    for (x, y) in [(0, 0), (319, 0), (130, 40)] {
        assert_eq!(twice.get_pixel(x, y).0, [128; 3], "{x}, {y}");
    }
}

#[test]
fn what_is_no_rectangle_of_the_picture_changes_nothing() {
    let service = service(Shot::at("2026-11-21T22:15:03"));
    let mut agent = service.agent(1);
    open(&mut agent, event(1));
    let items = service.items();
    let path = format!("/evenement/{}/masquer", event(1));
    for fields in [
        &[][..],
        &[("gauche", "10"), ("haut", "10")],
        &[
            ("gauche", "a"),
            ("haut", "10"),
            ("largeur", "5"),
            ("hauteur", "5"),
        ],
        &[
            ("gauche", "NaN"),
            ("haut", "10"),
            ("largeur", "5"),
            ("hauteur", "5"),
        ],
        &[
            ("gauche", "inf"),
            ("haut", "10"),
            ("largeur", "5"),
            ("hauteur", "5"),
        ],
        &[
            ("gauche", "5000"),
            ("haut", "10"),
            ("largeur", "5"),
            ("hauteur", "5"),
        ],
        // The person that the box hid.
        &[
            ("gauche", "45"),
            ("haut", "70"),
            ("largeur", "10"),
            ("hauteur", "10"),
        ],
    ] {
        let page = agent.post(&path, &masking("1", fields));
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{fields:?}");
    }
    assert_eq!(service.items(), items);
    assert_eq!(service.version(event(1)), 1);
}

#[test]
fn every_plate_but_the_involved_one_is_hidden_and_that_one_keeps_every_pixel() {
    let service = service(Shot::at("2026-11-21T22:15:03").with_plates(&[OTHER, INVOLVED]));
    let mut agent = service.agent(1);
    open(&mut agent, event(1));
    let before = picture(&look(&mut agent, event(1), 1).bytes);
    assert!(letters(&before, OTHER) > 50 && letters(&before, INVOLVED) > 50);
    let confirm = format!("/evenement/{}/confirmer", event(1));
    let early = agent
        .post(&confirm, &masking("1", &[]))
        .expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        early.text().contains("Plusieurs plaques sont visibles"),
        "{}",
        early.text()
    );
    agent
        .post(
            &format!("/evenement/{}/plaque", event(1)),
            &masking("1", &[("impliquee", "1")]),
        )
        .expect(StatusCode::SEE_OTHER);
    let after = picture(&look(&mut agent, event(1), 1).bytes);
    assert_eq!(letters(&after, OTHER), 0);
    let [x, y, w, h] = INVOLVED.map(|side| side as u32);
    for (x, y) in (y..y + h).flat_map(|y| (x..x + w).map(move |x| (x, y))) {
        assert_eq!(after.get_pixel(x, y), before.get_pixel(x, y), "{x}, {y}");
    }
    agent
        .post(&confirm, &masking("2", &[]))
        .expect(StatusCode::SEE_OTHER);
    let by: String = service.sql("SELECT confirmed_by FROM event_frame WHERE place = 1");
    assert_eq!(by, review_kit::account(1));
}

#[test]
fn no_plate_need_be_involved() {
    let service = service(Shot::at("2026-11-21T22:15:03").with_plates(&[OTHER, INVOLVED]));
    let mut agent = service.agent(1);
    open(&mut agent, event(1));
    agent
        .post(
            &format!("/evenement/{}/plaque", event(1)),
            &masking("1", &[("impliquee", "aucune")]),
        )
        .expect(StatusCode::SEE_OTHER);
    let after = picture(&look(&mut agent, event(1), 1).bytes);
    assert_eq!(letters(&after, OTHER) + letters(&after, INVOLVED), 0);
}

#[test]
fn a_confirmation_is_of_what_was_seen_and_ends_with_the_version() {
    let service = service(Shot::at("2026-11-21T22:15:03"));
    let mut agent = service.agent(1);
    open(&mut agent, event(1));
    let confirm = format!("/evenement/{}/confirmer", event(1));
    let blind = agent
        .post(&confirm, &masking("1", &[]))
        .expect(StatusCode::UNPROCESSABLE_ENTITY);
    assert!(blind.text().contains("pas encore vu"), "{}", blind.text());
    let shown = look(&mut agent, event(1), 1);
    agent
        .post(&confirm, &masking("1", &[]))
        .expect(StatusCode::SEE_OTHER);
    assert_eq!(
        service.lines("confirmed")[0]["sha256"],
        Digest::of(&shown.bytes).to_string()
    );
    let rect = [
        ("gauche", "100"),
        ("haut", "20"),
        ("largeur", "60"),
        ("hauteur", "40"),
    ];
    agent
        .post(&format!("/evenement/{}/masquer", event(1)), &masking("2", &rect))
        .expect(StatusCode::SEE_OTHER);
    assert_eq!(
        service.sql::<u32>("SELECT count(*) FROM event_frame WHERE confirmed IS NOT NULL"),
        0
    );
    agent
        .post(&confirm, &masking("3", &[]))
        .expect(StatusCode::UNPROCESSABLE_ENTITY);
    look(&mut agent, event(1), 1);
    agent
        .post(&confirm, &masking("3", &[]))
        .expect(StatusCode::SEE_OTHER);
}

#[test]
fn of_two_who_mask_the_same_frame_at_once_one_does_and_nothing_is_shown_again() {
    let service = service(Shot::at("2026-11-21T22:15:03"));
    let rects = [
        [("gauche", "100"), ("haut", "20")],
        [("gauche", "200"), ("haut", "80")],
    ];
    let browsers: Vec<_> = (1..=2)
        .map(|nth| {
            let mut browser = service.agent(nth);
            open(&mut browser, event(1));
            browser
        })
        .collect();
    let path = format!("/evenement/{}/masquer", event(1));
    let statuses: Vec<StatusCode> = std::thread::scope(|scope| {
        let threads: Vec<_> = browsers
            .into_iter()
            .zip(rects)
            .map(|(mut browser, rect)| {
                let path = &path;
                scope.spawn(move || {
                    let size = [("largeur", "40"), ("hauteur", "30")];
                    browser.post(path, &masking("1", &[rect, size].concat())).status
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    let count = |wanted| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!(
        (count(StatusCode::SEE_OTHER), count(StatusCode::CONFLICT)),
        (1, 1),
        "{statuses:?}"
    );
    assert_eq!(service.lines("masked_more").len(), 1);
    assert_eq!(service.version(event(1)), 2);
    assert_eq!(service.items().len(), 5, "no staged file is left");
}

#[test]
fn a_turned_picture_is_masked_where_it_is_seen() {
    let turned = Shot {
        orientation: 6,
        persons: Vec::new(),
        plates: Vec::new(),
        ..Shot::at("2026-11-21T22:15:03")
    };
    let service = service(turned);
    let mut agent = service.agent(1);
    open(&mut agent, event(1));
    // Stored 320 x 240; upright 240 x 320. The upper left corner as seen is the stored lower left one.
    let rect = [
        ("gauche", "0"),
        ("haut", "0"),
        ("largeur", "30"),
        ("hauteur", "30"),
    ];
    agent
        .post(&format!("/evenement/{}/masquer", event(1)), &masking("1", &rect))
        .expect(StatusCode::SEE_OTHER);
    let stored = picture(&look(&mut agent, event(1), 1).bytes);
    assert_eq!(stored.get_pixel(5, 235).0, [128; 3]);
    assert_ne!(stored.get_pixel(5, 5).0, [128; 3]);
    let page = agent.get(&format!("/evenement/{}?masques=1", event(1))).text();
    assert!(page.contains("viewBox=\"0 0 240 320\""), "{page}");
    let added = page.split("masque ajoute\" d=\"").nth(1);
    let added = added.and_then(|rest| rest.split('"').next());
    assert!(
        added == Some("M0 0h32v32h-32z"),
        "the overlay is upright too: {added:?}"
    );
}
