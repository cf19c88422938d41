//! The socket for firmware does what docs/firmware.md says, whoever is at the other end.
#![cfg(feature = "trap")]

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use common::{EMPTY, Rig, Told, VAN, clock, frame, json_lines, repository, stderr, stdout};
use serde_json::Value;
use vigie::frame::BoxTime;
use vigie::trap::attendance::Attendance;
use vigie::trap::notify::Notifier;
use vigie::trap::service::Service;
use vigie::trap::socket::Interface;
use vigie::vision::Painted;

/// A service that hangs is told from one that takes its time on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A service with its socket, as `vigie watch` puts it together, as long as `work` goes on.
fn with_service<T>(rig: &Rig, work: impl FnOnce(&Path) -> T) -> T {
    let socket = rig.path("vigie.sock");
    let config = rig.config();
    let mut store = rig.open_store();
    let interface = Interface::open(&socket, &config, clock).expect("a socket");
    let stop = AtomicBool::new(false);
    // A minute passes with each look at the clock: events are complete soon.
    let minutes = AtomicI64::new(0);
    let now = || {
        let passed = minutes.fetch_add(1, Ordering::Relaxed);
        BoxTime(clock().0 + jiff::SignedDuration::from_mins(passed))
    };
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let (config, stop, board) = (&config, &stop, interface.board());
    let done = std::thread::scope(|scope| {
        let (store, now) = (&mut store, &now);
        let recipients = rig.recipients();
        scope.spawn(move || {
            let (mut told, mut notifier) = (Told::default(), Notifier::default());
            Service {
                config,
                store,
                recipients: &recipients,
                detector: &mut Painted::new(),
                clock: now,
                stop,
            }
            .watch(false, &mut Attendance::new(&mut told, &mut notifier, Some(board)))
            .expect("no error");
        });
        // Also where `work` fails: a service that goes on would keep the failure from being told.
        let _stop = Stop(stop);
        work(&socket)
    });
    interface.close();
    store.close(now()).expect("closed");
    assert!(!socket.exists(), "the socket goes with its service");
    done
}

struct Line {
    write: UnixStream,
    read: BufReader<UnixStream>,
}

impl Line {
    fn to(socket: &Path) -> Self {
        let write = UnixStream::connect(socket).expect("connected");
        write.set_read_timeout(Some(PATIENCE)).expect("set");
        write.set_write_timeout(Some(PATIENCE)).expect("set");
        let read = BufReader::new(write.try_clone().expect("twice"));
        Self { write, read }
    }

    fn say(&mut self, line: &str) {
        self.write
            .write_all(format!("{line}\n").as_bytes())
            .expect("said");
    }

    /// The next thing that is said; `None` when the other side has closed.
    fn hear(&mut self) -> Option<Value> {
        let mut line = String::new();
        let length = self.read.read_line(&mut line).expect("in time");
        (length > 0).then(|| serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line:?}")))
    }

    fn ask(&mut self, command: &str) -> Value {
        self.say(&format!(r#"{{"vigie":1,"do":"{command}"}}"#));
        let answer = self.hear().expect("an answer");
        assert_eq!(
            (&answer["vigie"], &answer["do"]),
            (&1.into(), &command.into()),
            "{answer}"
        );
        answer
    }
}

fn van(rig: &Rig, name: &str, seed: u32) {
    let hour = format!("{:02}:00:00", seed % 24);
    rig.put(&format!("DCIM/{name}"), &frame(VAN, &hour, seed));
}

#[test]
fn a_client_looks_subscribes_flushes_and_lists_events() {
    let rig = Rig::new();
    with_service(&rig, |socket| {
        assert_eq!(
            fs::metadata(socket).expect("there").permissions().mode() & 0o777,
            0o600
        );
        let mut subscriber = Line::to(socket);
        subscriber.ask("subscribe");
        let mut client = Line::to(socket);
        assert_eq!(client.ask("events")["events"].as_array().map(Vec::len), Some(0));
        van(&rig, "A.JPG", 1);
        client.ask("scan");
        let told = loop {
            let told = subscriber.hear().expect("told");
            let frame = told["frame"].as_object().expect("a frame").clone();
            assert_eq!(
                common::keys(&frame),
                ["camera", "event", "file", "reason", "verdict"]
            );
            if frame["verdict"] == "keep" {
                break frame;
            }
            client.ask("scan");
        };
        assert_eq!(
            (&told["camera"], &told["file"]),
            (&"quai".into(), &"DCIM/A.JPG".into())
        );

        let safe = client.ask("flush");
        assert_eq!((&safe["safe"], &safe["seconds"]), (&true.into(), &60.into()));
        let status = &client.ask("status")["status"];
        assert_eq!(status["service"]["at_work"], false, "{status}");
        assert_eq!(status["service"]["resting"], true);
        assert_eq!(status["cameras"][0]["backlog"], 0);
        let events = client.ask("events")["events"].clone();
        assert_eq!(events[0]["event"], told["event"]);
        assert_eq!(events.as_array().map(Vec::len), Some(1));

        // At rest nothing is begun, whatever lies on the card; a look ends the rest.
        van(&rig, "B.JPG", 2);
        let rounds = status["service"]["rounds"].clone();
        let mut another = Line::to(socket);
        assert_eq!(another.ask("flush")["safe"], true);
        assert_eq!(another.ask("status")["status"]["service"]["rounds"], rounds);
        client.ask("scan");
        while subscriber.hear().expect("told")["frame"]["file"] != "DCIM/B.JPG" {}
        let plan = &client.ask("wipe-plan")["cards"][0];
        assert_eq!(plan["camera"], "quai");
        assert!(
            plan["refused"]
                .as_str()
                .expect("no volume of its own")
                .contains("card"),
            "{plan}"
        );
    });
}

#[test]
fn vigie_status_asks_the_service_that_keeps_the_same_vault_and_says_the_same_without_it() {
    let mut rig = Rig::new();
    rig.settings = "socket = \"vigie.sock\"".to_owned();
    rig.write_config();
    let status = |arguments: &[&str]| {
        let output = rig.vigie(arguments).output().expect("run");
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        json_lines(&output).remove(0)
    };
    let asked = with_service(&rig, |_| {
        let other = Rig::new();
        let elsewhere = other
            .vigie(&["status", "--json", "--socket"])
            .arg(rig.path("vigie.sock"))
            .output();
        let elsewhere = json_lines(&elsewhere.expect("run")).remove(0);
        assert_eq!(
            elsewhere["service"],
            Value::Null,
            "another vault's service is not believed"
        );
        status(&["status", "--json"])
    });
    assert!(asked["service"]["seconds"].is_u64() && asked["cameras"][0]["backlog"].is_u64());
    let read = status(&["status", "--json"]);
    assert_eq!(read["service"], Value::Null);
    assert_eq!(common::keys(&asked), common::keys(&read));

    let check = |lang: &str| {
        rig.vigie(&["status", "--check"])
            .env("LANG", lang)
            .output()
            .expect("run")
    };
    for (lang, word) in [("C", "WANTS A HAND"), ("fr_FR", "À VOIR")] {
        let output = check(lang);
        assert_eq!(
            output.status.code(),
            Some(3),
            "a card that is no volume, networks or not"
        );
        assert!(stdout(&output).starts_with(word), "{}", stdout(&output));
        assert_eq!(stdout(&output).lines().count(), 1);
    }
}

#[test]
fn what_is_malformed_too_long_or_slow_harms_nobody_else() {
    let rig = Rig::new();
    with_service(&rig, |socket| {
        // Subscribed, and never reads; half a line, and never the other half.
        let mut deaf = Line::to(socket);
        deaf.say(r#"{"vigie":1,"do":"subscribe"}"#);
        let mut half = Line::to(socket);
        half.write.write_all(b"{\"vigie\":1,").expect("said");
        let mut odd = Line::to(socket);
        for (line, word) in [
            ("status", "malformed"),
            ("{\"vigie\":2,\"do\":\"status\"}", "version"),
            ("{\"vigie\":1,\"do\":\"erase\"}", "unknown-command"),
        ] {
            odd.say(line);
            assert_eq!(odd.hear().expect("an answer")["error"], word);
        }
        odd.ask("status");
        let mut long = Line::to(socket);
        // The other side may have closed before all of it is said.
        let _ = long.write.write_all(&[b' '; 5000]);
        assert_eq!(long.hear().expect("an answer")["error"], "too-long");
        let mut rest = Vec::new();
        let _ = long.read.read_to_end(&mut rest);
        assert!(rest.is_empty(), "and closed");

        van(&rig, "A.JPG", 3);
        let mut client = Line::to(socket);
        client.ask("scan");
        assert_eq!(client.ask("flush")["safe"], true);
        half.write
            .write_all(b"\"do\":\"status\",\"id\":9}")
            .expect("said");
        half.write.shutdown(Shutdown::Write).expect("said all");
        assert_eq!(
            half.hear().expect("an answer")["id"],
            9,
            "the last line needs no end"
        );
        assert_eq!(half.hear(), None);
    });
}

#[test]
fn random_lines_and_many_clients_leave_it_serving() {
    // VIGIE_SOCKET_LINES=10000 VIGIE_SOCKET_CLIENTS=200 is what it is judged by.
    let number = |name, usual| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(usual)
    };
    let (lines, clients): (usize, usize) = (
        number("VIGIE_SOCKET_LINES", 2_000),
        number("VIGIE_SOCKET_CLIENTS", 200),
    );
    let rig = Rig::new();
    with_service(&rig, |socket| {
        let mut state = 20_261_122_u64;
        let mut random = move |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let words = [
            "{",
            "}",
            "\"vigie\"",
            ":1",
            ",",
            "\"do\"",
            ":",
            "\"status\"",
            "\"id\"",
            "[",
            "null",
            "\\u0000",
        ];
        let mut line = Line::to(socket);
        for _ in 0..lines {
            let mut text: Vec<u8> = Vec::new();
            for _ in 0..1 + random(20) {
                match random(3) {
                    0 => text.extend((0..random(40)).map(|_| random(256) as u8)),
                    _ => text.extend(words[random(words.len() as u64) as usize].bytes()),
                }
            }
            text.retain(|byte| !b"\r\n".contains(byte));
            text.push(b'x');
            text.push(b'\n');
            line.write.write_all(&text).expect("said");
            assert_eq!(line.hear().expect("an answer")["error"], "malformed");
        }
        drop(line);

        let all: Vec<UnixStream> = (0..clients)
            .map(|_| UnixStream::connect(socket).expect("connected"))
            .collect();
        let (mut served, mut refused) = (0usize, 0usize);
        for stream in &all {
            stream.set_read_timeout(Some(PATIENCE)).expect("set");
            // One that was refused is closed already.
            let _ = (&mut &*stream).write_all(b"{\"vigie\":1,\"do\":\"scan\"}\n");
            let mut answer = String::new();
            BufReader::new(stream).read_line(&mut answer).expect("in time");
            let answer: Value = serde_json::from_str(&answer).expect("an answer");
            match answer["error"].as_str() {
                None => served += 1,
                Some("busy") => refused += 1,
                Some(other) => panic!("{other}"),
            }
        }
        assert_eq!((served, refused), (32.min(clients), clients.saturating_sub(32)));
        drop(all);
        let answer = loop {
            let mut client = Line::to(socket);
            client.say(r#"{"vigie":1,"do":"flush"}"#);
            let answer = client.hear().expect("an answer");
            if answer["error"] != "busy" {
                break answer;
            }
        };
        assert_eq!(answer["safe"], true);
    });
}

#[test]
fn somebody_who_is_not_of_the_group_is_not_heard() {
    if !rustix::process::geteuid().is_root() || !has("python3") {
        eprintln!("skipped: needs root, to be somebody else, and python3");
        return;
    }
    let rig = Rig::new();
    with_service(&rig, |socket| {
        let script = "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n\
                      print(s.makefile().readline())";
        let by_nobody = || {
            let mut command = Command::new("/usr/bin/python3");
            command
                .args(["-c", script])
                .arg(socket)
                .uid(65534)
                .gid(65534)
                .output()
        };
        for folder in socket
            .ancestors()
            .skip(1)
            .take_while(|folder| folder.starts_with("/tmp/"))
        {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("set");
        }
        let Ok(refused) = by_nobody() else {
            eprintln!("skipped: /usr/bin/python3 is not there");
            return;
        };
        assert!(
            stderr(&refused).contains("PermissionError"),
            "the kernel: {}",
            stderr(&refused)
        );
        fs::set_permissions(socket, fs::Permissions::from_mode(0o666)).expect("set");
        let refused = by_nobody().expect("run");
        assert!(
            stdout(&refused).contains("\"error\":\"not-allowed\""),
            "{}",
            stderr(&refused)
        );
        Line::to(socket).ask("status");
    });
}

fn has(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", "command -v \"$0\"", program])
        .stdout(Stdio::null())
        .status();
    found.is_ok_and(|status| status.success())
}

/// The examples of one language in docs/firmware.md.
fn examples(language: &str) -> Vec<String> {
    let text = fs::read_to_string(repository().join("docs/firmware.md")).expect("docs/firmware.md");
    let begins = format!("```{language}\n");
    let parts = text.split(&begins).skip(1);
    parts
        .map(|part| part.split("```").next().expect("an end").to_owned())
        .collect()
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}\n{}", stdout(output), stderr(output));
    stdout(output)
}

#[test]
fn the_c_example_compiles_without_a_warning_and_flushes() {
    if !has("cc") {
        eprintln!("skipped: there is no C compiler");
        return;
    }
    let rig = Rig::new();
    let [source] = &examples("c")[..] else {
        panic!("one example")
    };
    fs::write(rig.path("flush.c"), source).expect("written");
    let built = Command::new("cc")
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-o"])
        .arg(rig.path("flush"))
        .arg(rig.path("flush.c"))
        .output();
    succeeded(&built.expect("run"));
    let run = |socket: &Path| Command::new(rig.path("flush")).arg(socket).output().expect("run");
    with_service(&rig, |socket| {
        assert_eq!(succeeded(&run(socket)), "the power may go\n")
    });
    assert_eq!(
        run(&rig.path("vigie.sock")).status.code(),
        Some(1),
        "nobody listens"
    );
}

#[test]
fn the_shell_examples_flush() {
    let rig = Rig::new();
    let there: Vec<(String, PathBuf)> = examples("sh")
        .into_iter()
        .filter(|example| example.contains("vigie.sock"))
        .map(|example| (example, rig.path("vigie.sock")))
        .collect();
    assert!(there.len() >= 2, "an example for each usual tool");
    let mut ran = 0;
    with_service(&rig, |_| {
        for (example, socket) in &there {
            let tool = ["socat", "python3"]
                .into_iter()
                .find(|tool| example.contains(tool));
            let tool = tool.expect("a tool that this test knows");
            if !has(tool) {
                eprintln!("skipped: {tool} is not there");
                continue;
            }
            let example = example.replace("/run/vigie/vigie.sock", socket.to_str().expect("plain"));
            let output = Command::new("sh").args(["-c", &example]).output().expect("run");
            assert!(
                succeeded(&output).contains("\"safe\":true"),
                "{example}: {}",
                stdout(&output)
            );
            ran += 1;
        }
    });
    assert!(ran > 0 || !has("python3"));
}

#[test]
fn a_socket_of_somebody_elses_is_not_taken_over() {
    let rig = Rig::new();
    rig.put("DCIM/A.JPG", &frame(EMPTY, "08:00:00", 1));
    with_service(&rig, |socket| {
        let second = Interface::open(socket, &rig.config(), clock);
        assert!(second.is_err(), "the first one listens");
        Line::to(socket).ask("status");
    });
}
