//! Talking to the service manager: sd_notify(3), by hand, for it is one datagram.
//!
//! Promises: the watchdog is fed by finished steps alone, never by a timer: whoever calls [`Notifier::alive`] has just
//! ended one; a manager that does not listen keeps nobody waiting; without a manager every call does nothing. Leaves
//! what a step is to [`super::service`] and [`super::round`].

use std::ffi::OsString;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

/// A step of a wipe may take as long as a slow card needs to write out what it was given.
const SLOW: Duration = Duration::from_secs(1800);

/// What the service manager was told, and is to be told.
#[derive(Debug, Default)]
pub struct Notifier {
    socket: Option<UnixDatagram>,
    /// How long the manager waits for a sign of life.
    watchdog: Option<Duration>,
    fed: Option<Instant>,
    said: String,
}

impl Notifier {
    /// As the manager set the environment: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`. A socket that cannot be
    /// reached is told and passed over.
    pub fn from_environment() -> Self {
        let variable = |name| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
        let Some(address) = variable("NOTIFY_SOCKET") else {
            return Self::default();
        };
        let socket = connect(address.as_bytes())
            .inspect_err(|error| tracing::warn!(%error, "the service manager cannot be told anything"))
            .ok();
        let number = |name| variable(name)?.to_str()?.parse().ok();
        let ours = number("WATCHDOG_PID").is_none_or(|pid: u64| pid == u64::from(std::process::id()));
        Self {
            socket,
            watchdog: number("WATCHDOG_USEC")
                .filter(|_| ours)
                .map(Duration::from_micros),
            ..Self::default()
        }
    }

    /// The service is there.
    pub fn ready(&mut self) {
        self.send("READY=1");
    }

    /// The service goes.
    pub fn stopping(&mut self) {
        self.send("STOPPING=1");
    }

    /// One line for whoever asks the manager; told when it changes.
    pub fn status(&mut self, text: &str) {
        let line: String = text.chars().filter(|c| !c.is_control()).collect();
        if line != self.said {
            self.send(&format!("STATUS={line}"));
            self.said = line;
        }
    }

    /// A step was finished. Told at most four times as often as the manager asks for it.
    pub fn alive(&mut self) {
        let Some(every) = self.watchdog else { return };
        if self.fed.is_none_or(|fed| fed.elapsed() >= every / 4) {
            self.send("WATCHDOG=1");
            self.fed = Some(Instant::now());
        }
    }

    /// From now on a step may take long, or may not any more.
    pub fn slow(&mut self, begins: bool) {
        let Some(every) = self.watchdog else { return };
        let allowed = if begins { SLOW.max(every) } else { every };
        self.send(&format!("WATCHDOG_USEC={}\nWATCHDOG=1", allowed.as_micros()));
    }

    fn send(&self, message: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(message.as_bytes())
        {
            tracing::warn!(%error, message, "the service manager was not told");
        }
    }
}

/// A path, or a name in the abstract namespace after an `@` (unix(7)). Nothing that is sent waits.
fn connect(address: &[u8]) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    let address = match address {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
    };
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(watchdog: Option<Duration>) -> (UnixDatagram, Notifier) {
        let (here, there) = UnixDatagram::pair().expect("a pair");
        here.set_nonblocking(true).expect("set");
        let notifier = Notifier {
            socket: Some(there),
            watchdog,
            ..Notifier::default()
        };
        (here, notifier)
    }

    fn heard(manager: &UnixDatagram) -> Vec<String> {
        let mut buffer = [0; 256];
        std::iter::from_fn(|| {
            let length = manager.recv(&mut buffer).ok()?;
            Some(String::from_utf8(buffer[..length].to_vec()).expect("text"))
        })
        .collect()
    }

    #[test]
    fn the_manager_hears_what_sd_notify_says() {
        let (manager, mut notifier) = manager(Some(Duration::from_secs(180)));
        notifier.ready();
        notifier.status("quai: 3\nframes");
        notifier.status("quai: 3\nframes");
        for _ in 0..10 {
            notifier.alive();
        }
        notifier.slow(true);
        notifier.slow(false);
        notifier.stopping();
        assert_eq!(
            heard(&manager),
            [
                "READY=1",
                "STATUS=quai: 3frames",
                "WATCHDOG=1",
                "WATCHDOG_USEC=1800000000\nWATCHDOG=1",
                "WATCHDOG_USEC=180000000\nWATCHDOG=1",
                "STOPPING=1"
            ]
        );
    }

    #[test]
    fn a_manager_without_a_watchdog_is_not_fed_and_one_that_does_not_read_keeps_nobody_waiting() {
        let (manager, mut notifier) = manager(None);
        notifier.alive();
        notifier.slow(true);
        assert_eq!(heard(&manager), Vec::<String>::new());
        notifier
            .socket
            .as_ref()
            .expect("there")
            .set_nonblocking(true)
            .expect("set");
        for _ in 0..100_000 {
            notifier.send("STATUS=full");
        }
    }

    #[test]
    fn a_manager_is_found_by_its_path_and_by_its_abstract_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let by_path = UnixDatagram::bind(&path).expect("bound");
        connect(path.as_os_str().as_bytes())
            .expect("connected")
            .send(b"READY=1")
            .expect("sent");
        let name = format!("vigie-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let by_name = UnixDatagram::bind_addr(&address).expect("bound");
        connect(format!("@{name}").as_bytes())
            .expect("connected")
            .send(b"READY=1")
            .expect("sent");
        let mut buffer = [0; 16];
        for socket in [by_path, by_name] {
            assert_eq!(socket.recv(&mut buffer).expect("heard"), 7);
        }
        assert!(connect(b"").is_err() && connect(b"/nowhere/at/all").is_err());
    }
}
