//! The sockets of a provider: one of each kind, and the connections that were taken.

use super::Habits;
use base::{Protocol, Seed};
use sip::message::{Message, parse};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::{TlsAcceptor, rustls};

/// A message that came.
#[derive(Debug)]
pub(super) struct Came {
    pub(super) message: Message,
    pub(super) from: (Protocol, SocketAddr),
    pub(super) octets: usize,
}

/// Connections that are up, by their far ends.
type Lines = Arc<Mutex<HashMap<SocketAddr, (Protocol, mpsc::UnboundedSender<Vec<u8>>)>>>;

/// What goes out by the sockets.
#[derive(Debug)]
pub(super) struct Wires {
    udp: Arc<UdpSocket>,
    lines: Lines,
}

impl Wires {
    /// Opens what the provider takes, all on one port, TLS on the next one; what comes goes to
    /// `inbox`.
    pub(super) async fn open(
        habits: &Habits,
        sip: SocketAddr,
        certificate: Option<(&Path, &Path)>,
        inbox: &mpsc::UnboundedSender<Came>,
    ) -> Wires {
        let udp = Arc::new(UdpSocket::bind(sip).await.unwrap());
        let lines = Lines::default();
        let (socket, sender, takes) = (Arc::clone(&udp), inbox.clone(), habits.udp);
        tokio::spawn(async move {
            let mut buffer = vec![0; 65_536];
            loop {
                // An error tells of an earlier datagram that found nobody.
                let Ok((octets, peer)) = socket.recv_from(&mut buffer).await else { continue };
                let Ok(message) = parse(&buffer[..octets]) else { continue };
                // A provider that takes connections alone has phones that speak UDP all the same.
                let stranger = begins(&message);
                let from = (Protocol::Udp, peer);
                if (takes || !stranger) && sender.send(Came { message, from, octets }).is_err() {
                    return;
                }
            }
        });
        if habits.tcp {
            let listener = TcpListener::bind(sip).await.unwrap();
            tokio::spawn(take(listener, None, Arc::clone(&lines), inbox.clone()));
        }
        if let Some((chain, key)) = certificate.filter(|_| habits.tls) {
            let chain = CertificateDer::pem_file_iter(chain).unwrap().map(Result::unwrap).collect();
            let key = PrivateKeyDer::from_pem_file(key).unwrap();
            let settings = rustls::ServerConfig::builder().with_no_client_auth();
            let settings = settings.with_single_cert(chain, key).unwrap();
            let acceptor = TlsAcceptor::from(Arc::new(settings));
            let at = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), sip.port() + 1);
            let listener = TcpListener::bind(at).await.unwrap();
            tokio::spawn(take(listener, Some(acceptor), Arc::clone(&lines), inbox.clone()));
        }
        Wires { udp, lines }
    }

    /// The way to an address: by the connection from there, where one is up.
    pub(super) fn way_to(&self, peer: SocketAddr) -> (Protocol, SocketAddr) {
        let lines = self.lines.lock().unwrap();
        (lines.get(&peer).map_or(Protocol::Udp, |line| line.0), peer)
    }

    /// Sends a message.
    pub(super) async fn send(&self, to: (Protocol, SocketAddr), octets: Vec<u8>) {
        if to.0 == Protocol::Udp {
            let _ = self.udp.send_to(&octets, to.1).await;
        } else if let Some(line) = self.lines.lock().unwrap().get(&to.1) {
            let _ = line.1.send(octets);
        }
    }
}

/// Whether it is a request that belongs to no dialog.
fn begins(message: &Message) -> bool {
    match message {
        Message::Request(request) => request.to().is_ok_and(|to| to.tag().is_none()),
        Message::Response(_) => false,
    }
}

async fn take(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    lines: Lines,
    inbox: mpsc::UnboundedSender<Came>,
) {
    while let Ok((stream, peer)) = listener.accept().await {
        let (lines, inbox, acceptor) = (Arc::clone(&lines), inbox.clone(), acceptor.clone());
        tokio::spawn(async move {
            match acceptor {
                Some(acceptor) => {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    serve(stream, (Protocol::Tls, peer), lines, inbox).await;
                }
                None => serve(stream, (Protocol::Tcp, peer), lines, inbox).await,
            }
        });
    }
}

/// One connection until its end.
async fn serve(
    stream: impl AsyncRead + AsyncWrite,
    from: (Protocol, SocketAddr),
    lines: Lines,
    inbox: mpsc::UnboundedSender<Came>,
) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (line, mut ready) = mpsc::unbounded_channel::<Vec<u8>>();
    lines.lock().unwrap().insert(from.1, (from.0, line));
    let mut stream = sip::stream::Stream::new(Instant::now(), false, &mut Seed::from_number(1));
    let mut buffer = vec![0; 16_384];
    loop {
        tokio::select! {
            read = reader.read(&mut buffer) => {
                let Ok(length @ 1..) = read else { break };
                stream.handle_octets(Instant::now(), &buffer[..length]);
                while let Some(octets) = stream.poll_message(Instant::now()) {
                    let Ok(message) = parse(&octets) else { continue };
                    let _ = inbox.send(Came { message, from, octets: octets.len() });
                }
                while let Some(pong) = stream.poll_transmit() {
                    let _ = writer.write_all(pong).await;
                }
            }
            octets = ready.recv() => {
                let Some(octets) = octets else { break };
                if writer.write_all(&octets).await.is_err() {
                    break;
                }
            }
        }
    }
    lines.lock().unwrap().remove(&from.1);
}
