//! What lies on the disk tells a thief nothing, and what a browser sends does not lie there.

use std::collections::BTreeSet;
use std::path::PathBuf;

use axum::http::StatusCode;

use crate::desk_kit::people::{NAMES, Town, sheet};
use crate::desk_kit::{self, Browser};
use crate::walk;

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
