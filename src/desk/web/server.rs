//! Listening: plain on loopback, over TLS everywhere else, never otherwise.
//!
//! Promises: no page travels in clear over a network; whoever stops the program (SIGTERM, Ctrl-C) lets the pages in
//! hand be answered; nothing is ever connected to.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;

use super::{App, router};
use crate::desk::config;

/// How long a stop waits for the pages in hand.
const LAST_PAGES: Duration = Duration::from_secs(5);

/// The names under which browsers may ask for the desk that listens on `address`.
pub fn hosts(config: &config::Office, address: SocketAddr) -> Vec<String> {
    let port = address.port();
    let mut names = config.hosts.clone();
    names.push(match address {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    });
    if address.ip().is_loopback() {
        names.push("localhost".to_owned());
    }
    // Browsers leave out the port that a scheme implies.
    let implied = if address.ip().is_loopback() { 80 } else { 443 };
    let bare = (port == implied).then(|| names.clone()).unwrap_or_default();
    let with_port = names.iter().map(|name| format!("{name}:{port}"));
    with_port.chain(bare).collect()
}

/// Serves until the program is told to stop.
pub fn serve(app: App, listener: TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let handle = Handle::new();
        tokio::spawn(stop_on_signal(handle.clone()));
        let service = router(Arc::new(app)).into_make_service();
        axum_server::from_tcp(listener)?
            .handle(handle)
            .serve(service)
            .await
    })
}

async fn stop_on_signal(handle: Handle<SocketAddr>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::warn!("a stop by signal will not be clean");
        return;
    };
    let term = std::pin::pin!(term.recv());
    let int = std::pin::pin!(int.recv());
    first(term, int).await;
    handle.graceful_shutdown(Some(LAST_PAGES));
}

async fn first(one: impl Future + Unpin, other: impl Future + Unpin) {
    let (mut one, mut other) = (one, other);
    std::future::poll_fn(|context| {
        let done = std::pin::Pin::new(&mut one).poll(context).is_ready()
            || std::pin::Pin::new(&mut other).poll(context).is_ready();
        if done {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}
