//! The socket's thread: waits for all clients at once, answers each in turn.
//!
//! Promises: at most [`CLIENTS`] are served, each with one question at a time and a bounded queue; one that reads slowly
//! is asked nothing more until it has read, and is let go after [`PATIENCE`]; the vault is read at most as often as
//! [`Fresh`] says, however often it is asked for.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::socket_peercred;
use serde_json::value::RawValue;

use super::board::{Board, Fetched, REST};
use super::peers::{Group, Peer, may_speak};
use super::protocol::{Asked, Command, Lines, Refusal, Said, parse, raw};
use crate::config;
use crate::frame::BoxTime;
use crate::trap::health::{Health, reading};
use crate::trap::wiping;

/// Clients at once.
const CLIENTS: usize = 32;
/// Bytes of verdicts that wait for one subscriber.
const QUEUE: usize = 1 << 16;
/// How long a client may say nothing, or read nothing.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause after the system had no more connections to give.
const PAUSE: Duration = Duration::from_secs(1);
const SECOND: Timespec = Timespec {
    tv_sec: 1,
    tv_nsec: 0,
};

/// One connection.
struct Client {
    stream: UnixStream,
    lines: Lines,
    out: VecDeque<u8>,
    /// A flush it waits for: the flush's number, and the question.
    flush: Option<(u64, Asked)>,
    subscribed: bool,
    missed: u64,
    /// It will say nothing more.
    ended: bool,
    /// It goes when everything is written.
    leaving: bool,
    /// When it last said or read something.
    moved: Instant,
}

/// An answer that is not made anew for each client.
struct Fresh {
    for_at_most: Duration,
    made: Option<(Instant, Box<RawValue>)>,
}

impl Fresh {
    const fn new(for_at_most: Duration) -> Self {
        Self {
            for_at_most,
            made: None,
        }
    }

    fn get(&mut self, make: impl FnOnce() -> Option<Box<RawValue>>) -> Option<Box<RawValue>> {
        let fresh = |made: &&(Instant, _)| made.0.elapsed() < self.for_at_most;
        if let Some((_, answer)) = self.made.as_ref().filter(fresh) {
            return Some(answer.clone());
        }
        let answer = make()?;
        self.made = Some((Instant::now(), answer.clone()));
        Some(answer)
    }
}

/// Everything the thread has.
pub(super) struct Server {
    listener: UnixListener,
    woken: UnixStream,
    board: Arc<Board>,
    config: config::Trap,
    group: Option<Group>,
    clock: fn() -> BoxTime,
    clients: Vec<Client>,
    deaf_until: Option<Instant>,
    status: Fresh,
    events: Fresh,
    cards: Fresh,
}

impl Server {
    pub fn new(
        listener: UnixListener,
        woken: UnixStream,
        board: Arc<Board>,
        config: config::Trap,
        group: Option<Group>,
        clock: fn() -> BoxTime,
    ) -> Self {
        Self {
            listener,
            woken,
            board,
            config,
            group,
            clock,
            clients: Vec::new(),
            deaf_until: None,
            status: Fresh::new(Duration::from_secs(1)),
            events: Fresh::new(Duration::from_secs(1)),
            cards: Fresh::new(Duration::from_secs(10)),
        }
    }

    /// Serves until the board says that it is over.
    pub fn run(mut self) {
        loop {
            let (listen, ready) = match self.wait() {
                Ok(ready) => ready,
                Err(error) => return tracing::error!(%error, "the socket is served no more"),
            };
            if self.take_from_board() {
                return;
            }
            for (client, ready) in self.clients.iter_mut().zip(ready) {
                client.move_on(ready);
            }
            for at in 0..self.clients.len() {
                self.answer(at);
            }
            self.clients.retain(|client| !client.is_done());
            self.board
                .listen(self.clients.iter().any(|client| client.subscribed));
            if listen {
                self.accept();
            }
        }
    }

    /// Waits for anything to do: whether somebody wants to connect, and what each client is ready for.
    fn wait(&mut self) -> rustix::io::Result<(bool, Vec<PollFlags>)> {
        let deaf = self.deaf_until.is_some_and(|until| Instant::now() < until);
        let mut fds = vec![PollFd::new(&self.woken, PollFlags::IN)];
        fds.extend(
            self.clients
                .iter()
                .map(|client| PollFd::new(&client.stream, client.awaits())),
        );
        if !deaf {
            fds.push(PollFd::new(&self.listener, PollFlags::IN));
        }
        let timeout = (deaf || !self.clients.is_empty()).then_some(&SECOND);
        match poll(&mut fds, timeout) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        let flags: Vec<_> = fds.iter().map(PollFd::revents).collect();
        let listen = !deaf && flags.last().is_some_and(|flags| flags.contains(PollFlags::IN));
        let clients = &flags[1..=self.clients.len()];
        Ok((listen, clients.to_vec()))
    }

    /// Hands out what the frame loop has to tell; whether it is over.
    fn take_from_board(&mut self) -> bool {
        let mut drained = [0; 64];
        while matches!((&self.woken).read(&mut drained), Ok(length) if length > 0) {}
        let Fetched {
            verdicts,
            missed,
            flushes_done,
            over,
        } = self.board.fetch();
        for client in &mut self.clients {
            if client.subscribed {
                client.missed += missed;
                verdicts.iter().for_each(|verdict| client.verdict(verdict));
            }
            if let Some((number, asked)) = client.flush
                && number <= flushes_done
            {
                client.flush = None;
                // What was answered before may tell of the frame that was in hand.
                self.status.made = None;
                self.events.made = None;
                client.say(&Said {
                    safe: Some(true),
                    seconds: Some(REST.as_secs()),
                    ..Said::to(asked)
                });
            }
        }
        over
    }

    /// Answers what a client asks, one question after the other, as long as it takes the answers.
    fn answer(&mut self, at: usize) {
        while let Some(line) = self.clients[at].question() {
            let said = match parse(&line) {
                Ok(asked) => self.answer_to(asked, at),
                Err(why) => Some(Said::unasked().no(why)),
            };
            if let Some(said) = said {
                self.clients[at].say(&said);
            }
        }
    }

    /// The answer, where it is known by now.
    fn answer_to(&mut self, asked: Asked, at: usize) -> Option<Said> {
        let mut said = Said::to(asked);
        let found = match asked.command {
            Command::Scan => {
                self.board.ask_look();
                true
            }
            Command::Flush => {
                self.clients[at].flush = Some((self.board.ask_flush(), asked));
                return None;
            }
            Command::Subscribe => {
                self.clients[at].subscribed = true;
                self.board.listen(true);
                true
            }
            Command::Status => {
                let (config, now, running) = (&self.config, (self.clock)(), self.board.running());
                let health = || raw(&told(Health::read(config, now, Some(running)))?);
                said.status = self.status.get(health);
                said.store = Some(super::vault_of(&self.config.store));
                said.status.is_some()
            }
            Command::Events => {
                let config = &self.config;
                let events = || {
                    let db = told(reading::database(&config.store))?;
                    let events = db.map_or_else(|| Some(Vec::new()), |db| told(reading::events(&db)))?;
                    raw(&events)
                };
                said.events = self.events.get(events);
                said.events.is_some()
            }
            Command::WipePlan => {
                let config = &self.config;
                said.cards = self.cards.get(|| raw(&wiping::plans(config)));
                said.cards.is_some()
            }
        };
        Some(if found { said } else { said.no(Refusal::Failed) })
    }

    fn accept(&mut self) {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::warn!(%error, "a client cannot be served");
                    self.deaf_until = Some(Instant::now() + PAUSE);
                    return;
                }
            };
            let why = if !self.may_speak(&stream) {
                Some(Refusal::NotAllowed)
            } else if self.clients.len() >= CLIENTS {
                Some(Refusal::Busy)
            } else {
                None
            };
            // A stream that cannot be told not to block would keep everybody waiting.
            if stream.set_nonblocking(true).is_err() {
                continue;
            }
            match why {
                // What does not fit into an empty socket at once is not worth waiting for.
                Some(why) => drop((&stream).write(Said::unasked().no(why).line().as_bytes())),
                None => self.clients.push(Client::new(stream)),
            }
        }
    }

    fn may_speak(&self, stream: &UnixStream) -> bool {
        let Ok(peer) = socket_peercred(stream.as_fd()) else {
            return false;
        };
        let peer = Peer {
            uid: peer.uid.as_raw(),
            gid: peer.gid.as_raw(),
        };
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let own = rustix::process::geteuid().as_raw();
        // Members may have come or gone since the start.
        let group = self.config.socket_group.as_deref().and_then(Group::of_this_box);
        may_speak(peer, own, group.as_ref().or(self.group.as_ref()), &users)
    }
}

impl Client {
    fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            lines: Lines::default(),
            out: VecDeque::new(),
            flush: None,
            subscribed: false,
            missed: 0,
            ended: false,
            leaving: false,
            moved: Instant::now(),
        }
    }

    /// Whether it may ask: it has read what it was told, and waits for nothing.
    fn may_ask(&self) -> bool {
        self.out.is_empty() && self.flush.is_none() && !self.leaving
    }

    fn awaits(&self) -> PollFlags {
        let mut flags = PollFlags::empty();
        if !self.out.is_empty() {
            flags |= PollFlags::OUT;
        }
        if self.may_ask() && !self.ended {
            flags |= PollFlags::IN;
        }
        flags
    }

    /// Writes and reads what can be written and read now.
    fn move_on(&mut self, ready: PollFlags) {
        if ready.intersects(PollFlags::ERR | PollFlags::NVAL)
            || (ready.contains(PollFlags::HUP) && self.ended)
        {
            return self.gone();
        }
        self.write();
        if self.may_ask() && !self.ended && ready.intersects(PollFlags::IN | PollFlags::HUP) {
            self.read();
        } else if ready.contains(PollFlags::HUP) {
            self.gone();
        }
        let waits = self.subscribed || self.flush.is_some();
        if self.moved.elapsed() >= PATIENCE && (!waits || !self.out.is_empty()) {
            self.gone();
        }
    }

    fn read(&mut self) {
        let mut bytes = [0; super::protocol::LINE_AT_MOST + 1];
        let room = self.lines.room();
        match self.stream.read(&mut bytes[..room]) {
            Ok(0) => self.ended = true,
            Ok(length) => {
                self.lines.add(&bytes[..length]);
                self.moved = Instant::now();
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.gone(),
        }
    }

    fn write(&mut self) {
        while !self.out.is_empty() {
            match self.stream.write(self.out.as_slices().0) {
                Ok(length) => {
                    self.out.drain(..length);
                    self.moved = Instant::now();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return self.gone(),
            }
        }
        if self.missed > 0 && self.out.is_empty() {
            let missed = Some(std::mem::take(&mut self.missed));
            self.out.extend(
                Said {
                    missed,
                    ..Said::unasked()
                }
                .line()
                .bytes(),
            );
        }
    }

    /// The next thing it asks, if it may.
    fn question(&mut self) -> Option<Vec<u8>> {
        if !self.may_ask() {
            return None;
        }
        match self.lines.next(self.ended) {
            Ok(line) => line,
            Err(why) => {
                self.say(&Said::unasked().no(why));
                self.leaving = true;
                None
            }
        }
    }

    fn say(&mut self, said: &Said) {
        self.out.extend(said.line().bytes());
        self.write();
    }

    /// One verdict, or one missed.
    fn verdict(&mut self, line: &str) {
        if self.missed > 0 || self.out.len() + line.len() > QUEUE {
            self.missed += 1;
        } else {
            self.out.extend(line.bytes());
        }
    }

    fn gone(&mut self) {
        self.out.clear();
        self.flush = None;
        (self.subscribed, self.ended, self.leaving) = (false, true, true);
    }

    fn is_done(&self) -> bool {
        let waits = self.flush.is_some() || (self.subscribed && !self.leaving);
        self.out.is_empty() && !waits && (self.ended || self.leaving)
    }
}

/// The answer, or a line in the log.
fn told<T, E: std::fmt::Display>(result: Result<T, E>) -> Option<T> {
    result
        .inspect_err(|error| tracing::warn!(%error, "a question over the socket is not answered"))
        .ok()
}
