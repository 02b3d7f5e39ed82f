//! A flood of hellos.

use base::Seed;
use rtmfp::crypto::{Group, Identity, epd};
use rtmfp::{Endpoint, Settings};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Where it comes from.
pub const SOURCES: [Ipv4Addr; 4] = [
    Ipv4Addr::new(127, 0, 7, 1),
    Ipv4Addr::new(127, 0, 7, 2),
    Ipv4Addr::new(127, 0, 7, 3),
    Ipv4Addr::new(127, 0, 7, 4),
];
/// How often some leave.
const EVERY: Duration = Duration::from_millis(2);

/// What went and what came back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flood {
    /// Hellos sent.
    pub sent: u64,
    /// Their octets.
    pub octets_sent: u64,
    /// Answers.
    pub back: u64,
    /// Their octets.
    pub octets_back: u64,
}

/// The hello that a client sends first.
fn hello(server: SocketAddr, number: u64) -> Vec<u8> {
    let mut seed = Seed::from_number(number);
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    let identity = Identity::ephemeral(&[Group::Modp1024], &mut seed).unwrap();
    let mut endpoint = Endpoint::new(Settings::client(local), identity, seed);
    let discriminator = epd::for_uri(&format!("rtmfp://{server}/sales"));
    endpoint.open(Instant::now(), discriminator, &[server]).unwrap();
    endpoint.poll_transmit().unwrap().payload
}

impl Flood {
    /// Floods a server with so many hellos a second, for so long.
    pub fn hellos(server: SocketAddr, per_second: u64, time: Duration) -> Flood {
        let sockets = SOURCES.map(|source| {
            let socket = UdpSocket::bind((source, 0)).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        });
        let hellos: Vec<_> = (0..16).map(|number| hello(server, number)).collect();
        let mut flood = Flood::default();
        let mut buffer = [0; 2_048];
        let begun = Instant::now();
        while begun.elapsed() < time {
            let due = (begun.elapsed().as_secs_f64() * per_second as f64) as u64;
            // What a slow machine could not send in time is not made up for in one burst.
            for _ in flood.sent..due.min(flood.sent + per_second / 100) {
                let hello = &hellos[flood.sent as usize % hellos.len()];
                if sockets[flood.sent as usize % sockets.len()].send_to(hello, server).is_ok() {
                    flood.octets_sent += hello.len() as u64;
                }
                flood.sent += 1;
            }
            std::thread::sleep(EVERY);
            flood.count(&sockets, &mut buffer);
        }
        std::thread::sleep(Duration::from_millis(200));
        flood.count(&sockets, &mut buffer);
        flood
    }

    fn count(&mut self, sockets: &[UdpSocket], buffer: &mut [u8]) {
        for socket in sockets {
            while let Ok((length, _)) = socket.recv_from(buffer) {
                self.back += 1;
                self.octets_back += length as u64;
            }
        }
    }
}
