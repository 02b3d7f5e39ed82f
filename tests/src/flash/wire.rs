//! The client's socket, on a network that can be bad and that can be written down.

use base::Seed;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// One datagram of a recording.
#[derive(Clone, Debug)]
pub struct Taped {
    /// When it passed.
    pub at: Instant,
    /// Whether the client sent it.
    pub up: bool,
    /// What it held.
    pub octets: Vec<u8>,
}

/// All datagrams of one client, as they passed its socket.
pub type Tape = Arc<Mutex<Vec<Taped>>>;

/// A socket.
#[derive(Debug)]
pub(super) struct Wire {
    socket: UdpSocket,
    local: SocketAddr,
    server: SocketAddr,
    /// Datagrams that get lost in each direction, in a hundred.
    loss: u64,
    seed: Seed,
    tape: Option<Tape>,
    /// Whether datagrams from and to others than the server get through.
    pub open: bool,
    /// Datagrams of others that came.
    pub others: u64,
    /// Datagrams that got lost so far.
    pub lost: u64,
}

impl Wire {
    pub fn open(from: Ipv4Addr, server: SocketAddr, loss: u64, seed: Seed, tape: bool) -> Wire {
        let socket = UdpSocket::bind((from, 0)).unwrap();
        let local = socket.local_addr().unwrap();
        let tape = tape.then(Tape::default);
        let (open, others) = (true, 0);
        Wire { socket, local, server, loss, seed, tape, open, others, lost: 0 }
    }

    pub fn local(&self) -> SocketAddr {
        self.local
    }

    pub fn tape(&self) -> Option<Tape> {
        self.tape.clone()
    }

    fn is_lost(&mut self) -> bool {
        let lost = self.seed.below(100) < self.loss;
        self.lost += u64::from(lost);
        lost
    }

    fn write_down(&self, up: bool, octets: &[u8]) {
        if let Some(tape) = &self.tape {
            let taped = Taped { at: Instant::now(), up, octets: octets.to_vec() };
            tape.lock().unwrap().push(taped);
        }
    }

    pub fn send(&mut self, to: SocketAddr, octets: &[u8]) {
        self.write_down(true, octets);
        if !self.is_lost() && (to == self.server || self.open) {
            // An error tells of an earlier datagram that found nobody.
            let _ = self.socket.send_to(octets, to);
        }
    }

    /// The next datagram and whose it is; none after `patience`, which is nothing where nobody waits.
    pub fn receive(
        &mut self,
        patience: Option<Duration>,
        buffer: &mut [u8],
    ) -> Option<(usize, SocketAddr)> {
        match patience {
            Some(patience) => {
                self.socket.set_nonblocking(false).unwrap();
                // Zero would mean for ever.
                let patience = patience.max(Duration::from_micros(100));
                self.socket.set_read_timeout(Some(patience)).unwrap();
            }
            None => self.socket.set_nonblocking(true).unwrap(),
        }
        loop {
            match self.socket.recv_from(buffer) {
                Ok((length, from)) if from == self.server || self.open => {
                    self.write_down(false, &buffer[..length]);
                    if !self.is_lost() {
                        self.others += u64::from(from != self.server);
                        return Some((length, from));
                    }
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                Err(_) => return None,
            }
        }
    }
}
