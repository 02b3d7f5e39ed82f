//! One connection that carries SIP, from its first packet to its last.

use super::sip_stream::{Heard, Server, inform};
use super::sip_tls::encrypt;
use crate::core::door::{CoreEvent, CoreHandle};
use base::{Protocol, Seed};
use sip::stream::Stream;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};

/// A server must take a connection within this time.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// A peer that reads nothing for this long is gone.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// Octets read at once.
const READ: usize = 16 * 1024;
/// How long the kernel tries to get octets to a peer that acknowledges none. The pings are such
/// octets, so a dead path is noticed even where the peer's SIP answers no ping.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

/// How a connection comes to be.
pub(super) enum Opening {
    /// A peer has opened it.
    Accepted(TcpStream),
    /// We open it, from this address; any of these servers is there.
    Dial { from: IpAddr, servers: Vec<Server> },
}

/// Opens a connection, says so, and carries messages both ways until it ends. Gives the last word
/// on it.
pub(super) async fn run(
    (protocol, remote): (Protocol, SocketAddr),
    opening: Opening,
    queue: mpsc::Receiver<Vec<u8>>,
    pongs: mpsc::Sender<Vec<u8>>,
    core: &CoreHandle,
    mut seed: Seed,
    heard: &Heard,
) -> sip::Connection {
    let keeps_alive = matches!(opening, Opening::Dial { .. });
    let (tcp, servers) = match opening {
        Opening::Accepted(stream) => (Ok(stream), Vec::new()),
        Opening::Dial { from, servers } => (dial(from, remote).await, servers),
    };
    let tcp = match tcp {
        Ok(tcp) => tcp,
        Err(words) => {
            tracing::warn!(%remote, %words, "no SIP connection");
            return sip::Connection::Failed { words };
        }
    };
    let local = prepare(&tcp).unwrap_or(SocketAddr::new(remote.ip(), 0));
    let line = Line { protocol, local, remote, core, heard };
    let stream = Stream::new(Instant::now(), keeps_alive, &mut seed);
    let end = match protocol {
        Protocol::Tls => match timeout(CONNECT_WITHIN, encrypt(tcp, remote, servers)).await {
            Ok(Ok(tls)) => Ok(line.carry(tls, stream, queue, pongs).await),
            Ok(Err(words)) => Err(words),
            Err(_) => Err(format!("{remote} does not answer by TLS: check port and transport")),
        },
        Protocol::Tcp | Protocol::Udp => Ok(line.carry(tcp, stream, queue, pongs).await),
    };
    match end {
        Ok(why) => {
            tracing::info!(%remote, ?protocol, %why, "a SIP connection has ended");
            sip::Connection::Closed
        }
        Err(words) => {
            tracing::warn!(%remote, %words, "no SIP connection");
            sip::Connection::Failed { words }
        }
    }
}

async fn dial(from: IpAddr, remote: SocketAddr) -> Result<TcpStream, String> {
    let connect = async {
        let socket = match remote {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if !from.is_unspecified() && from.is_ipv4() == remote.is_ipv4() {
            socket.bind(SocketAddr::new(from, 0))?;
        }
        socket.connect(remote).await
    };
    match timeout(CONNECT_WITHIN, connect).await {
        Ok(Ok(tcp)) => Ok(tcp),
        Ok(Err(error)) => Err(words(remote, &error)),
        Err(_) => Err(format!(
            "{remote} does not answer by TCP: a wall may be in between, or transport is another"
        )),
    }
}

/// What the system's error means to whoever wrote the file.
fn words(remote: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("{remote} takes no connections: check registrar's port and transport")
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            format!("there is no way to {remote}")
        }
        _ => format!("{remote}: {error}"),
    }
}

/// Sets what SIP wants of a connection; gives our end of it.
fn prepare(tcp: &TcpStream) -> Option<SocketAddr> {
    // Messages are small and wait for answers: never wait to fill a segment.
    let _ = tcp.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(tcp).set_tcp_user_timeout(Some(UNACKNOWLEDGED));
    tcp.local_addr().ok()
}

/// Both ends of a connection and who hears of it.
struct Line<'a> {
    protocol: Protocol,
    local: SocketAddr,
    remote: SocketAddr,
    core: &'a CoreHandle,
    heard: &'a Heard,
}

impl Line<'_> {
    /// Carries messages until the connection ends; says why it did.
    async fn carry(
        &self,
        connection: impl AsyncRead + AsyncWrite,
        stream: Stream,
        queue: mpsc::Receiver<Vec<u8>>,
        pongs: mpsc::Sender<Vec<u8>>,
    ) -> String {
        let (protocol, remote) = (self.protocol, self.remote);
        let connection_up = sip::Connection::Opened;
        let event = CoreEvent::SipConnection { protocol, remote, connection: connection_up };
        inform(self.core, event).await;
        tracing::info!(%remote, ?protocol, "a SIP connection is up");
        let (reader, writer) = tokio::io::split(connection);
        tokio::select! {
            why = self.write(writer, queue) => why,
            why = self.read(reader, stream, pongs) => why,
        }
    }

    async fn write(
        &self,
        mut writer: impl AsyncWrite + Unpin,
        mut queue: mpsc::Receiver<Vec<u8>>,
    ) -> String {
        while let Some(octets) = queue.recv().await {
            let write = async {
                writer.write_all(&octets).await?;
                writer.flush().await
            };
            match timeout(WRITE_WITHIN, write).await {
                Ok(Ok(())) => self.heard.note(),
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return "it does not read what it is sent".to_owned(),
            }
        }
        "nobody needs it any more".to_owned()
    }

    async fn read(
        &self,
        mut reader: impl AsyncRead + Unpin,
        mut stream: Stream,
        pongs: mpsc::Sender<Vec<u8>>,
    ) -> String {
        let mut buffer = vec![0; READ];
        loop {
            let wake = stream.poll_timeout().map(|at| sleep_until(at.into()));
            let woken = async {
                match wake {
                    Some(wake) => wake.await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                read = reader.read(&mut buffer) => match read {
                    Ok(0) => return "it was closed at the other end".to_owned(),
                    Ok(length) => {
                        self.heard.note();
                        stream.handle_octets(Instant::now(), buffer.get(..length).unwrap_or(&[]));
                    }
                    Err(error) => return error.to_string(),
                },
                () = woken => stream.handle_timeout(Instant::now()),
            }
            while let Some(payload) = stream.poll_message(Instant::now()) {
                let Line { protocol, local, remote, .. } = *self;
                let message = CoreEvent::SipMessage { protocol, local, remote, payload };
                if !inform(self.core, message).await {
                    return "this program is too busy".to_owned();
                }
            }
            while let Some(octets) = stream.poll_transmit() {
                // A queue that is full has no need of a sign of life.
                let _ = pongs.try_send(octets.to_vec());
            }
            if let Some(error) = stream.error() {
                return error.to_string();
            }
        }
    }
}
