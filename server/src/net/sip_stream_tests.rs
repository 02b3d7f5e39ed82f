#![allow(clippy::unwrap_used)]

use super::*;
use crate::core::door::{CoreInbox, Operator};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

const OPTIONS: &[u8] = b"OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nContent-Length: 0\r\n\r\n";
const PATIENCE: Duration = Duration::from_secs(20);

struct Bench {
    orders: mpsc::Sender<StreamOrder>,
    core: CoreHandle,
    inbox: CoreInbox,
    listening: SocketAddr,
}

impl Bench {
    async fn new() -> Bench {
        let (core, inbox) = CoreHandle::new(Arc::new(|| {}));
        let (orders, taken) = mpsc::channel(ORDERS);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listening = listener.local_addr().unwrap();
        let own = listening.ip();
        tokio::spawn(keep(taken, Some(listener), own, core.clone(), Seed::from_number(1)));
        Bench { orders, core, inbox, listening }
    }

    async fn send(&self, remote: SocketAddr, octets: &[u8]) {
        let (protocol, local, payload) = (Protocol::Tcp, self.listening, octets.to_vec());
        let transmit = Transmit { protocol, local, remote, payload };
        self.orders.send(StreamOrder::Send(transmit)).await.unwrap();
    }

    async fn serve(&self, addresses: &[SocketAddr]) {
        let server =
            |address: &SocketAddr| Server { target: sip::Target::tcp(*address), ca_file: None };
        let servers = addresses.iter().map(server).collect();
        self.orders.send(StreamOrder::Servers(servers)).await.unwrap();
    }

    /// The next event that `pick` wants.
    async fn until<T>(&self, mut pick: impl FnMut(CoreEvent) -> Option<T>) -> T {
        let look = async {
            loop {
                match self.inbox.take() {
                    Some(event) => {
                        if let Some(found) = pick(event) {
                            return found;
                        }
                    }
                    None => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        timeout(PATIENCE, look).await.expect("the event comes")
    }

    async fn becomes(&self, at: SocketAddr) -> sip::Connection {
        self.until(|event| match event {
            CoreEvent::SipConnection { remote, connection, .. } if remote == at => Some(connection),
            _ => None,
        })
        .await
    }
}

async fn server() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn read(stream: &mut TcpStream) -> Vec<u8> {
    let mut octets = vec![0; OPTIONS.len()];
    timeout(PATIENCE, stream.read_exact(&mut octets)).await.unwrap().unwrap();
    octets
}

#[tokio::test]
async fn a_connection_is_opened_once_and_serves_both_ways() {
    let bench = Bench::new().await;
    let (listener, remote) = server().await;
    bench.send(remote, OPTIONS).await;
    let (mut peer, own) = listener.accept().await.unwrap();
    assert_eq!(read(&mut peer).await, OPTIONS);
    assert_eq!(bench.becomes(remote).await, sip::Connection::Opened);
    peer.write_all(&[OPTIONS, b"\r\n\r\n"].concat()).await.unwrap();
    let local = bench
        .until(|event| match event {
            CoreEvent::SipMessage { local, payload, .. } if payload == OPTIONS => Some(local),
            _ => None,
        })
        .await;
    assert_eq!(local, own);
    let mut pong = [0; 2];
    timeout(PATIENCE, peer.read_exact(&mut pong)).await.unwrap().unwrap();
    assert_eq!(&pong, b"\r\n");
    bench.send(remote, OPTIONS).await;
    assert_eq!(read(&mut peer).await, OPTIONS);
    drop(peer);
    assert_eq!(bench.becomes(remote).await, sip::Connection::Closed);
    // The next message opens it anew.
    bench.send(remote, OPTIONS).await;
    let (mut peer, _) = listener.accept().await.unwrap();
    assert_eq!(read(&mut peer).await, OPTIONS);
}

#[tokio::test]
async fn a_shard_that_is_busy_hears_of_an_end_although_the_next_connection_is_made() {
    let bench = Bench::new().await;
    let (listener, remote) = server().await;
    bench.send(remote, OPTIONS).await;
    let (mut peer, _) = listener.accept().await.unwrap();
    read(&mut peer).await;
    assert_eq!(bench.becomes(remote).await, sip::Connection::Opened);
    while bench.core.send(CoreEvent::Operator(Operator::Drain)).is_ok() {}
    drop(peer);
    // The end is noticed, and nobody can be told yet.
    tokio::time::sleep(Duration::from_millis(200)).await;
    bench.send(remote, OPTIONS).await;
    let (mut peer, _) = listener.accept().await.unwrap();
    bench
        .until(|event| match event {
            CoreEvent::SipConnection { connection: sip::Connection::Closed, .. } => Some(()),
            _ => None,
        })
        .await;
    assert_eq!(read(&mut peer).await, OPTIONS);
}

#[tokio::test]
async fn only_servers_may_connect_and_are_answered_on_their_connection() {
    let bench = Bench::new().await;
    let mut stranger = TcpStream::connect(bench.listening).await.unwrap();
    assert!(matches!(timeout(PATIENCE, stranger.read(&mut [0])).await.unwrap(), Ok(0) | Err(_)));
    bench.serve(&["127.0.0.1:5060".parse().unwrap()]).await;
    // The order and the connection take different ways to the keeper.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut peer = TcpStream::connect(bench.listening).await.unwrap();
    peer.write_all(OPTIONS).await.unwrap();
    let remote = bench
        .until(|event| match event {
            CoreEvent::SipMessage { remote, .. } => Some(remote),
            _ => None,
        })
        .await;
    assert_eq!(remote, peer.local_addr().unwrap());
    bench.send(remote, OPTIONS).await;
    assert_eq!(read(&mut peer).await, OPTIONS);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_in_words() {
    let bench = Bench::new().await;
    let (listener, remote) = server().await;
    drop(listener);
    bench.send(remote, OPTIONS).await;
    let sip::Connection::Failed { words } = bench.becomes(remote).await else { panic!() };
    assert!(words.contains("takes no connections"), "{words}");
}

#[tokio::test]
async fn a_peer_that_never_reads_loses_its_connection_and_delays_nobody() {
    let bench = Bench::new().await;
    let (stalled, deaf) = server().await;
    let (listener, remote) = server().await;
    bench.send(remote, OPTIONS).await;
    let (mut peer, _) = listener.accept().await.unwrap();
    read(&mut peer).await;
    bench.send(deaf, OPTIONS).await;
    let (held, _) = stalled.accept().await.unwrap();
    let long = [OPTIONS, &vec![b'x'; 60_000]].concat();
    let mut closed = false;
    for _ in 0..2_000 {
        bench.send(deaf, &long).await;
        // Between all that, the other peer has its message each time.
        bench.send(remote, OPTIONS).await;
        assert_eq!(read(&mut peer).await, OPTIONS);
        while let Some(event) = bench.inbox.take() {
            if let CoreEvent::SipConnection { remote, connection, .. } = event
                && remote == deaf
            {
                closed |= connection == sip::Connection::Closed;
            }
        }
        if closed {
            break;
        }
    }
    assert!(closed, "the deaf peer is kept");
    drop(held);
}

#[tokio::test]
async fn garbage_ends_a_connection() {
    let bench = Bench::new().await;
    let (listener, remote) = server().await;
    bench.send(remote, OPTIONS).await;
    let (mut peer, _) = listener.accept().await.unwrap();
    read(&mut peer).await;
    peer.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(bench.becomes(remote).await, sip::Connection::Opened);
    assert_eq!(bench.becomes(remote).await, sip::Connection::Closed);
    assert!(matches!(timeout(PATIENCE, peer.read(&mut [0])).await.unwrap(), Ok(0) | Err(_)));
}
