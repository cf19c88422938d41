//! Frames for the tables of cases, written as one line each: place on the card, camera time, what is seen.
//!
//! The frame is 1600 x 1200, the zone its left 1000 pixels. What is seen, letter by letter:
//! `.` nothing, `n` by night, `V` a vehicle in the zone, `v` one of which the scout is not sure,
//! `E` one at the zone's edge, `O` one outside, `P` one on the parking place (in the zone),
//! `p` the same one a few pixels off, `W` a walker far from all of these, `B` one beside `V`,
//! `Q` one beside `P`. The camera time is `-` where the frame has none.

// Each test file is a crate of its own and uses its part of this one.
#![allow(dead_code)]

use std::num::NonZeroUsize;
use std::time::Duration;

use jiff::SignedDuration;
use vigie::frame::{BoxTime, CameraTime, Digest, FrameSize};
use vigie::triage::{Choice, Facts, Rules};
use vigie::vision::geometry::Polygon;
use vigie::vision::{Detection, Light, Objects, Sighting};

pub const SIZE: FrameSize = FrameSize {
    width: 1600,
    height: 1200,
};

pub fn rules(choice: Choice) -> Rules {
    Rules {
        choice,
        zone: Polygon(vec![[0.0, 0.0], [0.625, 0.0], [0.625, 1.0], [0.0, 1.0]]),
        event_gap: Duration::from_secs(60),
        max_hold: Duration::from_secs(600),
        keep: NonZeroUsize::new(12).expect("not zero"),
    }
}

pub fn instant(text: &str) -> BoxTime {
    BoxTime(text.parse().expect("an instant"))
}

pub fn after(start: BoxTime, seconds: i64) -> BoxTime {
    BoxTime(start.0 + SignedDuration::from_secs(seconds))
}

pub fn sighting(seen: &str) -> Sighting {
    let mut objects = Objects::default();
    let mut light = Light::Day;
    for letter in seen.chars() {
        let mut vehicle = |area: [f32; 4], score| {
            objects.vehicles.push(Detection {
                rect: area.into(),
                score,
            })
        };
        let mut person = |area: [f32; 4]| {
            objects.persons.push(Detection {
                rect: area.into(),
                score: 0.5,
            })
        };
        match letter {
            '.' => {}
            'n' => light = Light::Night,
            'V' => vehicle([300.0, 400.0, 400.0, 240.0], 0.8),
            'v' => vehicle([300.0, 400.0, 400.0, 240.0], 0.22),
            'E' => vehicle([950.0, 400.0, 400.0, 240.0], 0.8),
            'O' => vehicle([1150.0, 400.0, 400.0, 240.0], 0.8),
            'P' => vehicle([20.0, 900.0, 300.0, 180.0], 0.8),
            'p' => vehicle([26.0, 896.0, 292.0, 184.0], 0.7),
            'W' => person([1400.0, 100.0, 50.0, 130.0]),
            'B' => person([710.0, 450.0, 60.0, 160.0]),
            'Q' => person([330.0, 930.0, 60.0, 150.0]),
            other => panic!("no such letter: {other}"),
        }
    }
    Sighting {
        size: SIZE,
        light,
        objects,
    }
}

/// One frame; all arrive at once, as on a card that is scanned, unless the line ends with `@seconds`.
pub fn frame(line: &str) -> Facts {
    let mut words = line.split_whitespace();
    let mut word = || words.next().unwrap_or(".");
    let (place, taken, seen, arrived) = (word(), word(), word(), word());
    let (folder, name) = place.rsplit_once('/').unwrap_or(("100MEDIA", place));
    let seconds = arrived
        .strip_prefix('@')
        .map_or(0, |s| s.parse().expect("seconds"));
    Facts {
        id: Digest::of(line.as_bytes()),
        folder: folder.into(),
        name: format!("{name}.JPG"),
        taken: (taken != "-").then(|| CameraTime(taken.parse().expect("a civil time"))),
        arrived: after(instant("2026-11-21T12:00:00Z"), seconds),
        sighting: sighting(seen),
    }
}

pub fn frames(lines: &[&str]) -> Vec<Facts> {
    lines.iter().map(|line| frame(line)).collect()
}

/// Frames ten seconds apart from 10:00 on, one for each word.
pub fn every_ten_seconds(seen: &str) -> Vec<Facts> {
    from("2026-11-20T10:00:00", 10, seen)
}

/// Frames `step` seconds apart from `start` on, one for each word.
pub fn from(start: &str, step: i64, seen: &str) -> Vec<Facts> {
    let start: jiff::civil::DateTime = start.parse().expect("a civil time");
    let line = |(i, seen)| {
        let taken = start + SignedDuration::from_secs(step * i as i64);
        frame(&format!("100MEDIA/IMG_{:04} {taken} {seen}", i + 1))
    };
    seen.split_whitespace().enumerate().map(line).collect()
}
