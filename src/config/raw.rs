//! The configuration as TOML has it: every value with its place, nothing checked yet.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::{Spanned, Value};

use super::error::{Fault, Place};
use super::{Choice, Error, MaskPolicy, Occupants, Video};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trap {
    pub store: Spanned<String>,
    pub models: Spanned<String>,
    pub runtime: Option<Spanned<String>>,
    pub recipients: Spanned<Recipients>,
    pub desk_key: Option<Spanned<String>>,
    pub device_key: Spanned<String>,
    pub mode: Spanned<Mode>,
    pub trial_from: Option<Spanned<Value>>,
    pub trial_until: Option<Spanned<Value>>,
    pub keep: Option<Spanned<i64>>,
    pub event_gap: Option<Spanned<String>>,
    pub max_hold: Option<Spanned<String>>,
    pub max_age: Option<Spanned<String>>,
    pub wipe_period: Option<Spanned<String>>,
    pub attempts: Option<Spanned<i64>>,
    pub video: Option<Video>,
    pub threads: Option<Spanned<i64>>,
    pub socket: Option<Spanned<String>>,
    pub socket_group: Option<Spanned<String>>,
    pub triage: Triage,
    pub mask: Option<Mask>,
    pub camera: Spanned<Vec<Spanned<Camera>>>,
}

/// The two paths of one pair, or a folder of them.
#[derive(Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "write a folder, or { service = \"service.pub\", recovery = \"recovery.pub\" }"
)]
pub(super) enum Recipients {
    Folder(String),
    Pair { service: String, recovery: String },
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Mode {
    Trial,
    Enforce,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Triage {
    pub choice: Choice,
    pub decided_by: Spanned<String>,
    pub decided_on: Spanned<Value>,
    pub reason: Spanned<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Mask {
    pub day: Option<MaskPolicy>,
    pub night: Option<MaskPolicy>,
    pub fill: Option<Spanned<Fill>>,
    pub decided_by: Option<Spanned<String>>,
    pub decided_on: Option<Spanned<Value>>,
    pub occupants: Option<Occupants>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Fill {
    Flat,
    Mosaic,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Camera {
    pub id: Spanned<String>,
    pub site: Spanned<String>,
    pub regime: Spanned<Regime>,
    pub card: Spanned<String>,
    pub access: Spanned<Access>,
    pub take: Option<Spanned<Vec<String>>>,
    pub give: Option<Spanned<Vec<String>>>,
    pub blind_at_most: Option<Spanned<String>>,
    pub model: Option<Spanned<String>>,
    pub serial: Option<Spanned<String>>,
    pub zone: Spanned<Value>,
    pub waste: Option<Spanned<Value>>,
    pub privacy: Option<Vec<Spanned<Value>>>,
    pub clock_correction: Option<Spanned<i64>>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Access {
    Mounted,
    Handover,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Regime {
    pub kind: Kind,
    pub reference: Spanned<String>,
    pub from: Spanned<Value>,
    pub until: Spanned<Value>,
    pub acknowledged_by: Option<Spanned<Acknowledged>>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Videoprotection,
    ActeEnquete,
    SansTexte,
    Quebec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Acknowledged {
    pub responsible: Spanned<String>,
    pub dpo: Spanned<String>,
}

/// Reads TOML; what serde refuses becomes a fault with its line.
pub(super) fn read(text: &str, file: &std::path::Path) -> Result<Trap, Error> {
    toml::from_str(text).map_err(|refusal| {
        let start = refusal.span().map_or(0, |span| span.start);
        Error::Refused {
            at: Place::of(file, text.as_bytes(), start),
            fault: fault(refusal.message()),
        }
    })
}

/// serde names fields and choices between back-quotes, the offending one first (`serde::de::Error`:
/// `unknown_field`, `unknown_variant`, `missing_field`); any other message is passed on as it is.
fn fault(message: &str) -> Fault {
    let mut quoted = message.split('`').skip(1).step_by(2).map(str::to_owned);
    let first = quoted.next().unwrap_or_default();
    if message.starts_with("unknown field") {
        Fault::UnknownKey {
            nearest: nearest(&first, quoted),
            belongs: home(&first),
            key: first,
        }
    } else if message.starts_with("unknown variant") {
        Fault::UnknownValue {
            value: first,
            allowed: quoted.map(|choice| format!("\"{choice}\"")).collect(),
        }
    } else if message.starts_with("missing field") {
        Fault::Missing(first)
    } else {
        Fault::Malformed(message.trim().to_owned())
    }
}

/// The known key most like `key`, if it is like it at all: by a common beginning (`decided` for
/// `decided_by`) or by few slips of the finger (`dya` for `day`).
fn nearest(key: &str, known: impl Iterator<Item = String>) -> Option<String> {
    const ALIKE: f64 = 0.65;
    let likeness =
        |name: &str| strsim::jaro_winkler(key, name).max(strsim::normalized_damerau_levenshtein(key, name));
    known
        .map(|name| (likeness(&name), name))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Where a key of exactly this name is known: in TOML, a key written below a `[table]` is that table's,
/// which is the usual slip.
fn home(key: &str) -> Option<&'static str> {
    type Keys = fn() -> Vec<String>;
    let tables: [(&'static str, Keys); 5] = [
        ("at the top of the file, above the first [table]", keys::<Trap>),
        ("in [triage]", keys::<Triage>),
        ("in [mask]", keys::<Mask>),
        ("in [[camera]]", keys::<Camera>),
        ("in the camera's regime = { ... }", keys::<Regime>),
    ];
    tables
        .into_iter()
        .find(|(_, keys)| keys().iter().any(|known| known == key))
        .map(|(place, _)| place)
}

/// The keys of a table, asked of serde by showing it one that cannot be.
fn keys<T: DeserializeOwned>() -> Vec<String> {
    toml::from_str::<T>("'' = 0")
        .err()
        .map_or_else(Vec::new, |refusal| {
            refusal
                .message()
                .split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect()
        })
}
