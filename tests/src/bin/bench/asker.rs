//! A provider that asks (OPTIONS) and waits for the answer, by datagrams or by a connection.

use crate::rows::milliseconds;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often it asks.
const ASKS_EVERY: Duration = Duration::from_millis(10);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(1);
/// Questions that a peer that never reads sends together, as often as others ask.
const TOGETHER: u64 = 10;

/// Whoever asks.
pub enum Asker {
    Datagrams(UdpSocket),
    Connection(TcpStream),
}

impl Asker {
    /// One that asks `target` by datagrams.
    pub fn by_datagrams(target: SocketAddr) -> Asker {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.connect(target).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Asker::Datagrams(socket)
    }

    /// One that asks by a connection from this address.
    pub fn by_connection(target: SocketAddr, from: Ipv4Addr) -> std::io::Result<Asker> {
        let opened = harness::visitor::runtime().block_on(async {
            let socket = tokio::net::TcpSocket::new_v4()?;
            socket.bind((from, 0).into())?;
            socket.connect(target).await
        });
        let stream = opened?.into_std()?;
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Asker::Connection(stream))
    }

    fn question(&self, target: SocketAddr, number: u64) -> String {
        let (protocol, source) = match self {
            Asker::Datagrams(socket) => ("UDP", socket.local_addr()),
            Asker::Connection(stream) => ("TCP", stream.local_addr()),
        };
        let source = source.unwrap();
        format!(
            "OPTIONS sip:shop@{target} SIP/2.0\r\nVia: SIP/2.0/{protocol} {source};\
             branch=z9hG4bK-{number};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:p@{source}>;tag={number}\r\nTo: <sip:shop@{target}>\r\n\
             Call-ID: {number}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        )
    }

    fn send(&mut self, text: &str) -> std::io::Result<()> {
        match self {
            Asker::Datagrams(socket) => socket.send(text.as_bytes()).map(drop),
            Asker::Connection(stream) => stream.write_all(text.as_bytes()),
        }
    }

    /// Reads one answer, which has no body.
    fn hear(&mut self) -> std::io::Result<()> {
        let mut buffer = [0; 2_048];
        let mut got = 0;
        loop {
            got += match self {
                Asker::Datagrams(socket) => socket.recv(&mut buffer[got..])?,
                Asker::Connection(stream) => stream.read(&mut buffer[got..])?,
            };
            if buffer[..got].ends_with(b"\r\n\r\n") {
                return Ok(());
            }
            assert!(got > 0, "the connection is closed");
        }
    }

    /// How long nearly every answer (99 of 100) takes at the most, in milliseconds. Questions are
    /// numbered from `first` on.
    pub fn delay(&mut self, target: SocketAddr, first: u64, time: Duration) -> f64 {
        let mut delays = Vec::new();
        let begun = Instant::now();
        while begun.elapsed() < time {
            let text = self.question(target, first + delays.len() as u64);
            let asked = Instant::now();
            self.send(&text).unwrap();
            self.hear().expect("the provider is answered");
            delays.push(asked.elapsed());
            std::thread::sleep(ASKS_EVERY);
        }
        delays.sort();
        milliseconds(delays[delays.len() * 99 / 100])
    }
}

/// Asks a thousand times a second by a connection and reads no answer, until it is `over`; where
/// the connection is closed it makes another. Gives how often it asked, and by how many.
pub fn ask_and_never_read(
    target: SocketAddr,
    from: Ipv4Addr,
    first: u64,
    over: &AtomicBool,
) -> [u64; 2] {
    let (mut asked, mut connections) = (0, 0);
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(ASKS_EVERY);
        let Ok(mut asker) = Asker::by_connection(target, from) else { continue };
        connections += 1;
        while !over.load(Ordering::Relaxed) {
            let numbers = first + asked..first + asked + TOGETHER;
            let together: String = numbers.map(|n| asker.question(target, n)).collect();
            if asker.send(&together).is_err() {
                break;
            }
            asked += TOGETHER;
            std::thread::sleep(ASKS_EVERY);
        }
    }
    [asked, connections]
}
