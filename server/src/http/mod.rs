//! Pages, facts for machines, and the way to the WebSocket, over HTTP/1.1.
//!
//! There is no TLS here: a proxy in front brings it. Nothing is read from disk, nothing is
//! compressed per request, no request has a body that counts.

mod assets;
mod policy;
mod reached;
mod route;

pub use assets::Assets;
pub use reached::{Reached, is_local_page};

use crate::config::Config;
use crate::core::door::CoreHandle;
use crate::core::metrics::{Metrics, bump};
use crate::crowd::Crowd;
use crate::ws::Hub;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::ready;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Every answer's body is whole.
type Body = Full<Bytes>;

/// The numbers of the HTTP server.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once; WebSockets count elsewhere once they are upgraded.
    pub connections: usize,
    /// Connections at once from one address. A proxy next to us is not held to it.
    pub connections_per_address: usize,
    /// How long a request's head may take, and how long a connection may stay idle.
    pub head_within: Duration,
    /// How long a connection may live before it is asked to end, so that nobody holds one by
    /// reading an octet a minute.
    pub connection_life: Duration,
    /// How long open answers may still take after that, or after the end of the program.
    pub last_answers: Duration,
    /// The longest head of a request in octets.
    pub head_octets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 4096,
            connections_per_address: 256,
            head_within: Duration::from_secs(10),
            connection_life: Duration::from_secs(120),
            last_answers: Duration::from_secs(10),
            head_octets: 16 * 1024,
        }
    }
}

/// Header lines in a request; browsers send under thirty.
const HEADER_LINES: usize = 64;
/// The wait after the system has refused a connection (no file handles left, mostly).
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// What every request may look at; cheap to clone.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The configuration that holds now.
    pub config: watch::Receiver<Arc<Config>>,
    /// The door to the shard.
    pub core: CoreHandle,
    /// The numbers of `/metrics`.
    pub metrics: Arc<Metrics>,
    /// The links of pages.
    pub hub: Hub,
    /// The files to serve.
    pub assets: Arc<Assets>,
    /// The server's numbers.
    pub limits: Limits,
    /// The UDP port that takes Flash calls (RTMFP), none where none does.
    pub rtmfp_port: Option<u16>,
}

impl Shared {
    /// Everything in place, with the files of this executable and the usual limits.
    pub fn new(
        config: watch::Receiver<Arc<Config>>,
        core: CoreHandle,
        metrics: Arc<Metrics>,
        hub: Hub,
    ) -> Shared {
        let assets = Arc::new(Assets::embedded());
        let limits = Limits::default();
        Shared { config, core, metrics, hub, assets, limits, rtmfp_port: None }
    }
}

/// Serves until `stop` holds true or its sender is gone, then finishes the answers that are under way. WebSockets live
/// on: the hub ends them.
pub async fn serve(listener: TcpListener, shared: Shared, mut stop: watch::Receiver<bool>) {
    let shared = Arc::new(shared);
    let limits = &shared.limits;
    let crowd = Crowd::new(limits.connections, limits.connections_per_address);
    let crowd = Arc::new(Mutex::new(crowd));
    // Receivers see the end as an error of `changed`: nobody ever sends.
    let (stopping, stopped) = watch::channel(());
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
            // Ended connections are cleared away as they end.
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => {
                let Some(seat) = Crowd::enter(&crowd, peer.ip()) else { continue };
                let (shared, stopped) = (Arc::clone(&shared), stopped.clone());
                connections.spawn(async move {
                    connection(stream, peer, shared, stopped).await;
                    drop(seat);
                });
            }
            Err(error) => {
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(ACCEPT_AGAIN).await;
            }
        }
    }
    drop(listener);
    drop(stopping);
    let rest = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(limits.last_answers, rest).await;
}

/// One connection from its first octet to its last or to its upgrade.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    mut stopped: watch::Receiver<()>,
) {
    let Ok(local) = stream.local_addr() else { return };
    // Answers are small and whole; waiting for more only delays them.
    let _ = stream.set_nodelay(true);
    let limits = shared.limits.clone();
    // An answer is there at once: nothing is kept for it while a request waits.
    let service = service_fn(move |request| {
        ready(Ok::<_, Infallible>(answer(&shared, request, local, peer)))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_within)
        .max_buf_size(limits.head_octets)
        .max_headers(HEADER_LINES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    // An error is the peer's: it left, or sent what is no HTTP.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.changed() => {}
        () = tokio::time::sleep(limits.connection_life) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(limits.last_answers, connection).await;
}

fn answer(
    shared: &Shared,
    mut request: Request<Incoming>,
    local: SocketAddr,
    peer: SocketAddr,
) -> Response<Body> {
    bump(&shared.metrics.http_requests_total);
    let upgrade = (request.uri().path() == "/ws").then(|| hyper::upgrade::on(&mut request));
    let (parts, _) = request.into_parts();
    let reached = Reached::new(local, peer, &parts);
    match upgrade {
        Some(upgrade) => crate::ws::upgrade(shared, &parts, reached, upgrade),
        None => route::answer(shared, &parts, &reached),
    }
}

pub(crate) use route::{not_allowed, text};

#[cfg(test)]
pub(crate) mod tests;
