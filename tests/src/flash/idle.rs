//! Clients that cost the load generator nothing: driven by hand until they are where they should
//! be, and not at all after that.

use super::player::{self, Order, Player};
use super::{FlashSettings, Shared};
use base::{Datagram, Protocol, Seed};
use rtmfp::crypto::epd;
use rtmfp::{Command, Event};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// The pause between two looks at the socket.
const LOOK_EVERY: Duration = Duration::from_micros(300);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client that was let in and does nothing: nobody even answers for it.
pub struct Idle {
    _player: Player,
    _orders: mpsc::Sender<Order>,
}

impl Idle {
    /// Connects; none where that takes too long.
    pub fn connect(server: SocketAddr, settings: FlashSettings) -> Option<Idle> {
        let shared = Arc::new(Shared::default());
        let (orders, inbox) = mpsc::channel();
        let mut player = Player::new(server, settings, inbox, Arc::clone(&shared));
        let deadline = Instant::now() + PATIENCE;
        while shared.seen.lock().unwrap().connected_at.is_none() {
            if Instant::now() > deadline {
                return None;
            }
            player.turn(Instant::now());
            std::thread::sleep(LOOK_EVERY);
        }
        Some(Idle { _player: player, _orders: orders })
    }
}

/// Opens a session without a connection on it and closes it without waiting; whether it opened.
pub fn handshake(server: SocketAddr, settings: &FlashSettings, number: u64) -> bool {
    let socket = UdpSocket::bind((settings.from, 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    let local = socket.local_addr().unwrap();
    let mut seed = Seed::from_number(number ^ u64::from(local.port()) << 32);
    let mut endpoint = player::endpoint(settings, local, &mut seed);
    let discriminator = epd::for_uri(&format!("rtmfp://{server}/{}", settings.app));
    endpoint.open(Instant::now(), discriminator, &[server]).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut buffer = [0; 2_048];
    let mut opened = false;
    loop {
        let now = Instant::now();
        while let Ok((length, remote)) = socket.recv_from(&mut buffer) {
            let payload = &buffer[..length];
            let datagram = Datagram { protocol: Protocol::Udp, local, remote, payload };
            endpoint.handle_datagram(now, &datagram);
        }
        if endpoint.poll_timeout().is_some_and(|at| at <= now) {
            endpoint.handle_timeout(now);
        }
        while let Some(job) = endpoint.poll_job() {
            endpoint.handle_job(now, job.run());
        }
        while let Some(event) = endpoint.poll_event() {
            if let Event::Opened { session, .. } = event {
                opened = true;
                endpoint.command(now, Command::Close { session, orderly: false });
            }
        }
        while let Some(transmit) = endpoint.poll_transmit() {
            let _ = socket.send_to(&transmit.payload, transmit.remote);
        }
        if opened || now > deadline {
            return opened;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// The address of the `number`-th client: each has one of its own, since an appliance bounds what
/// it does for one address.
pub fn address(number: u32) -> Ipv4Addr {
    let [_, _, high, low] = number.to_be_bytes();
    Ipv4Addr::new(127, 9, high, low)
}
