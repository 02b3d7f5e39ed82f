//! A far end made by hand, which can do what no endpoint does.

use crate::world::{MS, S, Sent, World, address};
use base::Seed;
use rtmfp::chunk::{Chunk, IHello, IIKeying};
use rtmfp::crypto::{Cipher, Component, Group, PrivateKey, SessionKeys, cipher};
use rtmfp::packet::{self, Header, Mode};
use std::net::SocketAddr;

/// Sends and receives startup packets at an address without a host.
pub struct Raw {
    pub address: SocketAddr,
    cipher: Cipher,
}

impl Raw {
    pub fn new(text: &str) -> Self {
        Raw { address: address(text), cipher: Cipher::startup() }
    }

    /// A startup datagram with these chunks.
    pub fn datagram(&mut self, session: u32, chunks: &[Chunk<'_>]) -> Vec<u8> {
        let (mut plain, mut datagram) = (Vec::new(), Vec::new());
        let header = Header { timestamp: Some(0), ..Header::new(Mode::Startup) };
        header.put(&mut plain);
        assert!(chunks.iter().all(|chunk| chunk.put(&mut plain)));
        self.cipher.seal(session, &plain, &mut datagram);
        datagram
    }

    pub fn send(&mut self, world: &mut World, to: &str, chunks: &[Chunk<'_>]) {
        let octets = self.datagram(0, chunks);
        world.inject(self.address, address(to), octets);
        world.pass(S);
    }

    /// The plain startup packets that came to the address, with their session IDs.
    pub fn received(&mut self, world: &mut World) -> Vec<(u32, Vec<u8>)> {
        let mine = |sent: &Sent| sent.to == self.address;
        let all: Vec<_> = world.strays.iter().filter(|sent| mine(sent)).cloned().collect();
        world.strays.retain(|sent| !mine(sent));
        let mut plain = Vec::new();
        for sent in all {
            let (session, encrypted) = cipher::session_id(&sent.octets).unwrap();
            let mut scratch = Vec::new();
            if let Ok(octets) = self.cipher.open(encrypted, &mut scratch) {
                plain.push((session, octets.to_vec()));
            }
        }
        plain
    }

    /// Says hello, and gives the cookie of the answer.
    pub fn cookie(&mut self, world: &mut World, to: &str) -> Option<Vec<u8>> {
        let hello = IHello { discriminator: b"\x02\x0ax", tag: b"a tag of 16 octs" };
        self.send(world, to, &[Chunk::IHello(hello)]);
        self.received(world).iter().find_map(|(session, plain)| {
            assert_eq!(*session, 0);
            let (_, mut chunks) = packet::parse(plain).unwrap();
            match chunks.next() {
                Some(Chunk::RHello(hello)) => {
                    assert_eq!(hello.tag_echo, b"a tag of 16 octs");
                    Some(hello.cookie.to_vec())
                }
                _ => None,
            }
        })
    }
}

/// The keying of a client that copies Flash Player: a static key in group 2, mere offers.
pub struct Keying {
    pub session: u32,
    pub certificate: Vec<u8>,
    pub component: Vec<u8>,
}

impl Keying {
    pub fn chunk<'a>(&'a self, cookie: &'a [u8]) -> Chunk<'a> {
        Chunk::IIKeying(IIKeying {
            session: self.session,
            cookie,
            certificate: &self.certificate,
            component: &self.component,
            signature: b"X",
            signed: b"",
        })
    }
}

/// The session ID and component of the answers among received packets.
pub fn rikeying(received: &[(u32, Vec<u8>)]) -> Vec<(u32, u32, Vec<u8>)> {
    let mut found = Vec::new();
    for (to, plain) in received {
        let (_, chunks) = packet::parse(plain).unwrap();
        for chunk in chunks {
            if let Chunk::RIKeying(keying) = chunk {
                found.push((*to, keying.session, keying.component.to_vec()));
            }
        }
    }
    found
}

/// An open session of a client that copies Flash Player.
pub struct RawSession {
    address: SocketAddr,
    server: SocketAddr,
    cipher: Cipher,
    /// The session IDs to the client and to the server.
    near: u32,
    far: u32,
    /// The server's component.
    pub answer: Vec<u8>,
    /// The timestamp of the packet that it came in.
    keyed_at: Option<u16>,
    /// Whether that is echoed, as clients do before the session's first packet has come.
    pub echoes_keying: bool,
}

impl RawSession {
    pub fn open(world: &mut World, from: &str, to: &str) -> Self {
        let (keying, key) = flash_like(&mut world.seed);
        let mut raw = Raw::new(from);
        let cookie = raw.cookie(world, to).unwrap();
        raw.send(world, to, &[keying.chunk(&cookie)]);
        let received = raw.received(world);
        let (_, far, answer) = rikeying(&received).pop().unwrap();
        let keyed_at = packet::parse(&received[0].1).unwrap().0.timestamp;
        // The key is last, and as long as the group's modulus.
        let secret = key.agree(&answer[answer.len() - 128..]).unwrap();
        let keys = SessionKeys::derive(&secret, &keying.component, &answer);
        let own = Component::parse(&keying.component).unwrap();
        let agreement = Component::parse(&answer).unwrap().agree(own.hmac, own.sequence);
        RawSession {
            address: raw.address,
            server: address(to),
            cipher: Cipher::session(&keys, &agreement),
            near: keying.session,
            far,
            answer,
            keyed_at,
            echoes_keying: false,
        }
    }

    /// Sends a ping, in a packet with or without sound; gives the packet that comes back.
    pub fn ping(&mut self, world: &mut World, sound: bool, message: &[u8]) -> (Header, Vec<u8>) {
        let (mut plain, mut datagram, mut scratch) = (Vec::new(), Vec::new(), Vec::new());
        let timestamp_echo = self.keyed_at.filter(|_| self.echoes_keying);
        let header = Header { timestamp: Some(77), timestamp_echo, ..Header::new(Mode::Initiator) };
        Header { time_critical: sound, ..header }.put(&mut plain);
        Chunk::Ping(message).put(&mut plain);
        self.cipher.seal(self.far, &plain, &mut datagram);
        world.strays.clear();
        world.inject(self.address, self.server, datagram);
        world.pass(50 * MS);
        let reply = world.strays.pop().unwrap();
        let (wire, encrypted) = cipher::session_id(&reply.octets).unwrap();
        assert_eq!((reply.to, wire), (self.address, self.near));
        let plain = self.cipher.open(encrypted, &mut scratch).unwrap().to_vec();
        (packet::parse(&plain).unwrap().0, plain)
    }
}

/// What a client says that copies Flash Player, and its private key.
fn flash_like(seed: &mut Seed) -> (Keying, PrivateKey) {
    let key = PrivateKey::new(Group::Modp1024, seed);
    let mut salt = [0; 64];
    seed.fill(&mut salt);
    let offers = b"\x03\x1a\x02\x0a\x02\x1e\x02";
    let keying = Keying {
        session: seed.u32() | 1,
        certificate: [&b"\x81\x02\x1d\x02"[..], &key.public()].concat(),
        component: [&b"\x02\x1d\x02\x41\x0e"[..], &salt, offers].concat(),
    };
    (keying, key)
}
