//! Twenty agents at once, over real connections: nothing fails, and nothing that one did is lost to another.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use vigie::desk::web::{App, guard, router};
use vigie::frame::EventId;

use crate::crowd::seal;
use crate::desk_kit::HOST;
use crate::infraction_kit::{file, opened};
use crate::review_kit::{Service, event};
use crate::size;

const AGENTS: u32 = 20;

/// One browser on one connection.
struct Client {
    channel: BufReader<TcpStream>,
    token: String,
    csrf: String,
    took: Vec<Duration>,
}

struct Answer {
    status: u16,
    location: String,
    text: String,
}

impl Answer {
    /// What stands in the page between these two.
    fn between(&self, start: &str, end: &str) -> &str {
        let rest = self
            .text
            .split_once(start)
            .unwrap_or_else(|| panic!("{start}: {}", self.text));
        rest.1.split_once(end).expect("an end").0
    }

    fn version(&self) -> String {
        self.between("name=\"version\" value=\"", "\"").to_owned()
    }
}

impl Client {
    fn ask(&mut self, method: &str, path: &str, body: &str) -> Answer {
        let start = Instant::now();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nCookie: vigie={}\r\nOrigin: http://{HOST}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        self.channel
            .get_mut()
            .write_all(request.as_bytes())
            .expect("sent");
        let mut line = String::new();
        self.channel.read_line(&mut line).expect("a status");
        let status = line
            .split(' ')
            .nth(1)
            .expect("a status")
            .parse()
            .expect("a number");
        let (mut length, mut location) = (0, String::new());
        loop {
            line.clear();
            self.channel.read_line(&mut line).expect("a header");
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            match name {
                "content-length" => length = value.parse().expect("a length"),
                "location" => location = value.to_owned(),
                _ => {}
            }
        }
        let mut bytes = vec![0; length];
        self.channel.read_exact(&mut bytes).expect("a body");
        self.took.push(start.elapsed());
        Answer {
            status,
            location,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    fn get(&mut self, path: &str) -> Answer {
        let answer = self.ask("GET", path, "");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer
    }

    fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", &self.csrf).extend_pairs(fields);
        self.ask("POST", path, &form.finish())
    }

    fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let answer = self.send(path, fields);
        assert_eq!(answer.status, 303, "{path}: {}", answer.text);
        answer
    }

    /// Sends what another may have forestalled: whether it was done.
    fn contend(&mut self, path: &str, fields: &[(&str, &str)]) -> bool {
        let answer = self.send(path, fields);
        assert!(
            [303, 409].contains(&answer.status),
            "{path}: {} {}",
            answer.status,
            answer.text
        );
        answer.status == 303
    }
}

/// What an agent did, by the kind of line that it must have left.
type Done = BTreeMap<&'static str, u64>;

struct Agent {
    number: u32,
    client: Client,
    own: Vec<EventId>,
    shared: EventId,
    file: String,
    done: Done,
    /// What it wrote into the common file.
    words: Vec<String>,
    rounds: u64,
}

impl Agent {
    fn did(&mut self, kind: &'static str) {
        *self.done.entry(kind).or_default() += 1;
    }

    fn works_until(mut self, end: Instant) -> Self {
        let shared = format!("/evenement/{}", self.shared);
        let file = format!("/dossier/{}", self.file);
        self.client
            .post(&format!("{shared}/ouvrir"), &[("motif", "control")]);
        self.did("consulted");
        self.client.get(&format!("{shared}/image/1"));
        self.did("viewed");
        self.client
            .post(&format!("{file}/motif"), &[("motif", "writing")]);
        self.did("infraction_viewed");
        while Instant::now() < end {
            self.rounds += 1;
            if let Some(id) = self.own.pop() {
                self.review(id);
            }
            self.client.get("/file");
            self.client.get("/dossiers");
            if self.rounds.is_multiple_of(4) {
                let fields = [("plaque", "AB-123-CD"), ("motif", "repeated")];
                let found = self.client.send("/dossiers/immatriculation", &fields);
                assert_eq!(found.status, 200, "{}", found.text);
                self.did("infraction_searched");
            }
            self.together(&shared, &file);
        }
        self
    }

    /// An event of its own, from the motive to the decision.
    fn review(&mut self, id: EventId) {
        let page = format!("/evenement/{id}");
        self.client
            .post(&format!("{page}/ouvrir"), &[("motif", "review")]);
        self.did("consulted");
        self.client.get(&format!("{page}/image/1"));
        self.did("viewed");
        let mut version = self.client.get(&page).version();
        if self.rounds % 3 == 1 {
            let fields = [
                ("version", version.as_str()),
                ("place", "1"),
                ("rectangle", "20,20,60,40"),
            ];
            self.client.post(&format!("{page}/masquer"), &fields);
            self.did("masked_more");
            self.client.get(&format!("{page}/image/1"));
            self.did("viewed");
            version = self.client.get(&page).version();
        }
        let fields = [("version", version.as_str()), ("place", "1")];
        self.client.post(&format!("{page}/confirmer"), &fields);
        self.did("confirmed");
        let version = self.client.get(&page).version();
        let fields = [("version", version.as_str()), ("raison", "no-offence")];
        let (act, kind) = match self.rounds % 2 {
            0 => ("ecarter", "aside"),
            _ => ("retenir", "retained"),
        };
        let next = self.client.post(&format!("{page}/{act}"), &fields);
        self.did(kind);
        if next.location.starts_with("/evenement/") {
            self.did("consulted");
        }
    }

    /// What all of them change at once, each on what it was shown last.
    fn together(&mut self, shared: &str, file: &str) {
        let version = self.client.get(shared).version();
        let fields = [("version", version.as_str()), ("place", "1")];
        if self.client.contend(&format!("{shared}/confirmer"), &fields) {
            self.did("confirmed");
            self.did("confirmed together");
        }
        if self.rounds % 4 == self.number as u64 % 4 {
            let page = self.client.get(&format!("{file}/commentaires"));
            let (version, before) = (page.version(), page.between("<textarea", "</textarea>"));
            let before = before.split_once('>').expect("its beginning").1.trim().to_owned();
            let word = format!("{}.{}", self.number, self.rounds);
            let text = format!("{before} {word}");
            let fields = [
                ("version", version.as_str()),
                ("commentaires", &text),
                ("suite", "dossier"),
            ];
            if self.client.contend(&format!("{file}/commentaires"), &fields) {
                self.did("infraction_changed");
                self.words.push(word);
            }
        }
    }
}

fn serve(app: Arc<App>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    listener.set_nonblocking(true).expect("set");
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            axum::serve(listener, router(app)).await.expect("served");
        });
    });
    address
}

fn client(service: &Service, address: SocketAddr, number: u32) -> Client {
    let token = service.agent(number as u8 + 1).token.expect("logged in");
    let stream = TcpStream::connect(address).expect("connected");
    stream.set_nodelay(true).expect("set");
    Client {
        channel: BufReader::new(stream),
        csrf: guard::form_token(&service.rig.app, &token),
        token,
        took: Vec::new(),
    }
}

#[test]
fn twenty_agents_at_once_lose_nothing_of_what_one_of_them_did() {
    let seconds = size("VIGIE_LOAD_SECONDS", 2);
    let each = 3 * seconds;
    let service = Service::new();
    let mut store = service.trap.store();
    seal(&service, &mut store, 1..AGENTS * each + 2);
    service.trap.bundle(&mut store, service.stick.path());
    assert!(service.import().contains("Lot vérifié et pris"));
    let shared = event(AGENTS * each + 1);
    let number = opened(&service.rig);
    let count = |kind: &str| service.lines(kind).len() as u64;
    let before: BTreeMap<&str, u64> = KINDS.iter().map(|kind| (*kind, count(kind))).collect();
    let address = serve(service.rig.app.clone());
    let start = Barrier::new(AGENTS as usize);
    let agents: Vec<Agent> = thread::scope(|scope| {
        let begun = (0..AGENTS).map(|nth| {
            let (service, start) = (&service, &start);
            let agent = Agent {
                number: nth,
                client: client(service, address, nth),
                own: (1..=each).map(|own| event(nth * each + own)).collect(),
                shared,
                file: number.to_string(),
                done: Done::new(),
                words: Vec::new(),
                rounds: 0,
            };
            scope.spawn(move || {
                start.wait();
                agent.works_until(Instant::now() + Duration::from_secs(seconds.into()))
            })
        });
        let begun: Vec<_> = begun.collect();
        begun
            .into_iter()
            .map(|agent| agent.join().expect("no failure"))
            .collect()
    });
    let mut done = Done::new();
    for (kind, times) in agents.iter().flat_map(|agent| &agent.done) {
        *done.entry(kind).or_default() += times;
    }
    let did = |kind: &str| done.get(kind).copied().unwrap_or_default();
    // What was put aside last is not destroyed yet.
    let aside: u64 = service.sql("SELECT count(*) FROM event WHERE state = 'aside'");
    for kind in KINDS {
        let expected = match *kind {
            "dismissed" => did("aside") - aside,
            kind => did(kind),
        };
        assert_eq!(count(kind) - before[kind], expected, "lines of {kind}");
    }
    let states =
        |state: &str| service.sql::<u64>(&format!("SELECT count(*) FROM event WHERE state = '{state}'"));
    assert_eq!(states("retained"), did("retained"));
    assert_eq!(states("discarded") + aside, did("aside"));
    assert_eq!(u64::from(service.version(shared)), 1 + did("confirmed together"));
    let record = file(&service.rig, &number).record;
    let mut found: Vec<&str> = record.comments.split_whitespace().collect();
    let mut written: Vec<&str> = agents
        .iter()
        .flat_map(|agent| &agent.words)
        .map(String::as_str)
        .collect();
    found.sort_unstable();
    written.sort_unstable();
    assert_eq!(found, written, "each word that was taken stands there, once");
    assert!(
        did("confirmed together") > 0 && !written.is_empty(),
        "they met: {done:?}"
    );
    let mut took: Vec<Duration> = agents
        .iter()
        .flat_map(|agent| agent.client.took.clone())
        .collect();
    took.sort_unstable();
    let ms = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "{AGENTS} agents, {seconds} s: {} pages and acts, {:.0} a second; median {:.1} ms, 95th {:.1} ms, longest {:.1} ms; {done:?}",
        took.len(),
        took.len() as f64 / f64::from(seconds),
        ms(0.5),
        ms(0.95),
        ms(1.0)
    );
    assert_eq!(
        service.agent(1).get("/file").status,
        StatusCode::OK,
        "and the desk goes on"
    );
}

/// The kinds of lines that they leave.
const KINDS: &[&str] = &[
    "consulted",
    "viewed",
    "masked_more",
    "confirmed",
    "retained",
    "dismissed",
    "infraction_viewed",
    "infraction_searched",
    "infraction_changed",
];
