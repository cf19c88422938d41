//! `vigie desk serve`.

use std::net::TcpListener;
use std::path::Path;

use serde::Serialize;

use crate::cli::{Arguments, Exit, Failure, Lang, box_time, json_line, line};
use crate::desk::office::{self, Office};
use crate::desk::web::{App, server};

#[derive(Serialize)]
struct Serving {
    serving: String,
}

pub fn run(a: &Arguments, folder: &Path, lang: Lang) -> Result<Exit, Failure> {
    let office = Office::open(folder, box_time()).map_err(not_opened)?;
    let address = office.config.listen;
    let listener = TcpListener::bind(address).map_err(|error| not_served(address, &error))?;
    let address = listener
        .local_addr()
        .map_err(|error| not_served(address, &error))?;
    let hosts = server::hosts(&office.config, address);
    let app = App::new(office, box_time, false, hosts).map_err(|error| not_served(address, &error))?;
    let url = format!("http://{address}/");
    if a.json {
        json_line(&Serving { serving: url });
    } else {
        line(&lang.pick(
            format!("the desk is served at {url}"),
            format!("le bureau est servi à l'adresse {url}"),
        ));
    }
    server::serve(app, listener).map_err(|error| not_served(address, &error))?;
    Ok(Exit::Done)
}

fn not_opened(error: office::Error) -> Failure {
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
