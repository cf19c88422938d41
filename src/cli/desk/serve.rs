//! `vigie desk serve`.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::cli::{Arguments, Exit, Failure, Lang, box_time, json_line, line};
use crate::desk::daily;
use crate::desk::office::Office;
use crate::desk::web::tls::{self, Channel};
use crate::desk::web::{App, server};

#[derive(Serialize)]
struct Serving {
    serving: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_up_code: Option<String>,
}

pub fn run(a: &Arguments, folder: &Path, lang: Lang) -> Result<Exit, Failure> {
    let mut office = Office::open(folder, box_time()).map_err(not_opened)?;
    // Nobody is served before what is due has gone.
    daily::run(&mut office, box_time(), Duration::ZERO).map_err(not_opened)?;
    let address = office.config.listen;
    let listener = TcpListener::bind(address).map_err(|error| not_served(address, &error))?;
    let address = listener
        .local_addr()
        .map_err(|error| not_served(address, &error))?;
    let hosts = server::hosts(&office.config, address);
    let channel = Channel::of(&office.config, folder, box_time()).map_err(not_sealed)?;
    let app =
        App::new(office, box_time, channel.is_tls(), hosts).map_err(|error| not_served(address, &error))?;
    let serving = Serving {
        serving: format!("{}://{address}/", if channel.is_tls() { "https" } else { "http" }),
        certificate_sha256: match &channel {
            Channel::Tls { fingerprint, .. } => Some(fingerprint.clone()),
            Channel::Clear => None,
        },
        set_up_code: app.gate.code().map(|code| code.to_string()),
    };
    if a.json {
        json_line(&serving);
    } else {
        say(&serving, lang);
    }
    server::serve(app, listener, channel).map_err(|error| not_served(address, &error))?;
    Ok(Exit::Done)
}

fn say(serving: &Serving, lang: Lang) {
    let url = &serving.serving;
    line(&lang.pick(
        format!("the desk is served at {url}"),
        format!("le bureau est servi à l'adresse {url}"),
    ));
    if let Some(fingerprint) = &serving.certificate_sha256 {
        line(&lang.pick(
            format!("certificate (SHA-256), to be compared in the browser: {fingerprint}"),
            format!("certificat (SHA-256), à comparer dans le navigateur : {fingerprint}"),
        ));
    }
    if let Some(code) = &serving.set_up_code {
        line(&lang.pick(
            format!("it is not in service yet; set-up code: {code}"),
            format!("il n'est pas encore en service ; code de mise en service : {code}"),
        ));
    }
}

fn not_sealed(error: tls::Error) -> Failure {
    Failure::new(
        Exit::Failed,
        error,
        [
            "the pages cannot be served over TLS",
            "mend what is named, then start it again; nothing is served in clear instead",
        ],
        [
            "les pages ne peuvent être servies par TLS",
            "corrigez ce qui est nommé, puis relancez ; rien n'est servi en clair à la place",
        ],
    )
}

pub fn not_opened(error: impl std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Failed,
        error,
        [
            "the desk cannot be opened",
            "mend what is named, then start it again",
        ],
        [
            "le bureau ne peut être ouvert",
            "corrigez ce qui est nommé, puis relancez",
        ],
    )
}

fn not_served(address: std::net::SocketAddr, error: &impl std::fmt::Display) -> Failure {
    Failure::new(
        Exit::Failed,
        format!("{address}: {error}"),
        [
            "the pages cannot be served",
            "choose another `listen` in desk.toml, or stop what uses it",
        ],
        [
            "les pages ne peuvent être servies",
            "choisissez une autre adresse `listen` dans desk.toml, ou arrêtez le programme qui l'occupe",
        ],
    )
}
