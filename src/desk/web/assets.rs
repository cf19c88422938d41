//! The style sheet and the few scripts, out of the program itself.

use super::{Answer, Refused, Visit};

/// Name, media type, bytes.
const ASSETS: [(&str, &str, &[u8]); 4] = [
    (
        "vigie.css",
        "text/css; charset=utf-8",
        include_bytes!("assets/vigie.css"),
    ),
    (
        "clavier.js",
        "text/javascript; charset=utf-8",
        include_bytes!("assets/clavier.js"),
    ),
    (
        "evenement.js",
        "text/javascript; charset=utf-8",
        include_bytes!("assets/evenement.js"),
    ),
    ("vigie.svg", "image/svg+xml", include_bytes!("assets/vigie.svg")),
];

/// `/statique/{name}`.
pub fn asset(visit: &Visit) -> Result<Answer, Refused> {
    let asked = visit.path("name");
    let found = ASSETS.iter().find(|(name, _, _)| *name == asked);
    let (_, media, bytes) = found.ok_or(Refused::NotFound)?;
    Ok(Answer::Asset { media, bytes })
}
