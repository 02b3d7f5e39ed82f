//! The UDP ports of one shard: read in batches, written at once, polled together.

use super::wire::{PortId, Wire};
use base::{Datagram, Protocol};
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};
use quinn_udp::{RecvMeta, TransportErrorPayload, UdpSockRef, UdpSocketState};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Datagrams in one system call.
const BATCH: usize = 16;
/// Room for one datagram, or for one train of them that the kernel has joined (GRO).
const ROOM: usize = 64 * 1024;
/// Batches read from one port before the others have their turn.
const BATCHES_A_TURN: usize = 8;
/// The kernel's receive buffer that a shared port asks for.
const SHARED_BUFFER: usize = 4 << 20;
/// Messages of the network read from one port in one go.
const ERRORS_A_TURN: usize = 64;
const WAKER: Token = Token(usize::MAX);

struct Port {
    socket: UdpSocket,
    /// What reads and writes in batches; a call's own port has few packets and does without, which
    /// spares a new call a dozen system calls.
    state: Option<UdpSocketState>,
    local: SocketAddr,
    /// The poll is edge-triggered: a port that was not read empty must be remembered.
    readable: bool,
    /// The network has said something about datagrams that were sent, which was not read yet.
    has_errors: bool,
}

/// Why [`Sockets::wait`] came back.
#[derive(Debug, Default)]
pub struct Ready {
    /// Ports with something to read.
    pub ports: Vec<PortId>,
}

/// The UDP ports of one shard.
pub struct Sockets {
    poll: Poll,
    events: Events,
    waker: Arc<Waker>,
    ports: Vec<Option<Port>>,
    /// The ports with something to read; there may be thousands without.
    readable: Vec<usize>,
    buffer: Vec<u8>,
}

impl std::fmt::Debug for Sockets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sockets({})", self.ports.iter().flatten().count())
    }
}

impl Sockets {
    /// No ports yet.
    pub fn new() -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        Ok(Sockets {
            poll,
            events: Events::with_capacity(256),
            waker,
            ports: Vec::new(),
            readable: Vec::new(),
            buffer: vec![0; BATCH * ROOM],
        })
    }

    /// What interrupts [`Sockets::wait`] from another thread.
    pub fn waker(&self) -> Arc<dyn Fn() + Send + Sync> {
        let waker = Arc::clone(&self.waker);
        Arc::new(move || {
            // A waker fails only when the poll is gone, and then nobody waits.
            let _ = waker.wake();
        })
    }

    /// Opens a port; `shared` ones carry many calls and get a large kernel buffer.
    pub fn open(&mut self, address: SocketAddr, shared: bool) -> io::Result<PortId> {
        let mut socket = UdpSocket::bind(address)?;
        let mut state = None;
        if shared {
            let batches = UdpSocketState::new(UdpSockRef::from(&socket))?;
            // The kernel grants what its limits allow; less is no reason to fail.
            let _ = batches.set_recv_buffer_size(UdpSockRef::from(&socket), SHARED_BUFFER);
            state = Some(batches);
        }
        let local = socket.local_addr()?;
        let index = match self.ports.iter().position(Option::is_none) {
            Some(free) => free,
            None => {
                self.ports.push(None);
                self.ports.len() - 1
            }
        };
        self.poll.registry().register(&mut socket, Token(index), Interest::READABLE)?;
        self.ports[index] = Some(Port { socket, state, local, readable: false, has_errors: false });
        Ok(PortId(index))
    }

    /// Asks the kernel for what the network says about datagrams that a shared port has sent.
    /// Where it cannot tell, nothing is ever said.
    pub fn report_errors(&self, port: PortId) -> io::Result<()> {
        match self.ports.get(port.0) {
            Some(Some(Port { socket, state: Some(state), .. })) => {
                state.enable_transport_errors(UdpSockRef::from(socket))
            }
            _ => Ok(()),
        }
    }

    /// The next address of which the network has said that it cannot be reached, or that nobody
    /// listens there (ICMP): who said so, which is the host itself for a closed port.
    pub fn unreachable(&mut self, port: PortId) -> Option<IpAddr> {
        let Some(Some(port)) = self.ports.get_mut(port.0) else { return None };
        let state = port.state.as_ref().filter(|_| port.has_errors)?;
        for _ in 0..ERRORS_A_TURN {
            let Ok(Some(said)) = state.recv_transport_error(UdpSockRef::from(&port.socket)) else {
                port.has_errors = false;
                return None;
            };
            if matches!(said.payload, TransportErrorPayload::Unreachable)
                && let Some(address) = said.addr
            {
                return Some(address.ip());
            }
        }
        None
    }

    /// Closes a port.
    pub fn close(&mut self, port: PortId) {
        if let Some(mut port) = self.ports.get_mut(port.0).and_then(Option::take) {
            // The socket closes with its value, registered or not.
            let _ = self.poll.registry().deregister(&mut port.socket);
        }
    }

    /// Where a port is bound.
    pub fn local(&self, port: PortId) -> Option<SocketAddr> {
        self.ports.get(port.0)?.as_ref().map(|port| port.local)
    }

    /// Waits until something can be read, the waker is used, or the time is over.
    pub fn wait(&mut self, timeout: Option<Duration>, ready: &mut Ready) -> io::Result<()> {
        ready.ports.clear();
        let ports = &mut self.ports;
        let is_unread = |index: &usize| matches!(ports.get(*index), Some(Some(p)) if p.readable);
        self.readable.retain(is_unread);
        let timeout = if self.readable.is_empty() { timeout } else { Some(Duration::ZERO) };
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => result?,
        }
        for event in &self.events {
            let index = event.token().0;
            if let Some(Some(port)) = self.ports.get_mut(index) {
                port.has_errors |= event.is_error();
                if !std::mem::replace(&mut port.readable, true) {
                    self.readable.push(index);
                }
            }
        }
        ready.ports.extend(self.readable.iter().copied().map(PortId));
        Ok(())
    }

    /// Takes the receive buffer out, so that datagrams can be handled while ports are used.
    pub fn take_buffer(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.buffer)
    }

    /// Gives the receive buffer back.
    pub fn return_buffer(&mut self, buffer: Vec<u8>) {
        self.buffer = buffer;
    }

    /// Reads one batch from a port into `buffer` (of [`Sockets::take_buffer`]) and fills `found`
    /// with where each datagram lies; false when the port is empty or its turn is over.
    pub fn receive(
        &mut self,
        port: PortId,
        turn: usize,
        buffer: &mut [u8],
        found: &mut Vec<Found>,
    ) -> bool {
        found.clear();
        let Some(Some(port)) = self.ports.get_mut(port.0) else { return false };
        if turn >= BATCHES_A_TURN || !port.readable {
            return false;
        }
        let Some(state) = &port.state else { return port.receive_one(buffer, found) };
        let mut slices = buffer.chunks_exact_mut(ROOM).map(IoSliceMut::new);
        let mut slices: [IoSliceMut<'_>; BATCH] =
            std::array::from_fn(|_| slices.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
        let mut metas = [RecvMeta::default(); BATCH];
        match state.recv(UdpSockRef::from(&port.socket), &mut slices, &mut metas) {
            Ok(count) => {
                // Fewer than asked for means that the socket was read empty; what comes later is
                // a new edge for the poll.
                port.readable = count >= BATCH.min(quinn_udp::BATCH_SIZE);
                for (index, meta) in metas.iter().take(count).enumerate() {
                    let mut local = port.local;
                    if let Some(ip) = meta.dst_ip {
                        local.set_ip(ip);
                    }
                    let base = index * ROOM;
                    let mut offset = 0;
                    while offset < meta.len {
                        let length = meta.stride.max(1).min(meta.len - offset);
                        let start = base + offset;
                        found.push(Found { start, length, local, remote: meta.addr });
                        offset += length;
                    }
                }
                true
            }
            Err(error) => {
                // Anything but an empty socket (an ICMP error of an earlier send) is read away.
                port.readable = error.kind() != io::ErrorKind::WouldBlock;
                false
            }
        }
    }

    /// Sends one datagram. False when the socket refused it: media is late then and is dropped,
    /// signalling has its own retransmission.
    pub fn send(&self, port: PortId, local: SocketAddr, remote: SocketAddr, octets: &[u8]) -> bool {
        let Some(Some(port)) = self.ports.get(port.0) else { return false };
        let Some(state) = &port.state else {
            return port.socket.send_to(octets, remote).is_ok();
        };
        let src_ip = (!local.ip().is_unspecified()).then(|| local.ip());
        let transmit = quinn_udp::Transmit {
            destination: remote,
            ecn: None,
            contents: octets,
            segment_size: None,
            src_ip,
        };
        let send = || state.try_send(UdpSockRef::from(&port.socket), &transmit);
        match send() {
            // What the network said about an earlier datagram stops the next one, whoever it is
            // for, once.
            Err(error) if is_earlier(&error) => send().is_ok(),
            sent => sent.is_ok(),
        }
    }
}

impl Wire for Sockets {
    fn open(&mut self, address: SocketAddr, shared: bool) -> io::Result<PortId> {
        Sockets::open(self, address, shared)
    }

    fn close(&mut self, port: PortId) {
        Sockets::close(self, port);
    }

    fn local(&self, port: PortId) -> Option<SocketAddr> {
        Sockets::local(self, port)
    }

    fn report_errors(&mut self, port: PortId) -> io::Result<()> {
        Sockets::report_errors(self, port)
    }

    fn send(&mut self, port: PortId, local: SocketAddr, remote: SocketAddr, octets: &[u8]) -> bool {
        Sockets::send(self, port, local, remote, octets)
    }
}

impl Port {
    /// Reads one datagram.
    fn receive_one(&mut self, buffer: &mut [u8], found: &mut Vec<Found>) -> bool {
        match self.socket.recv_from(buffer) {
            Ok((length, remote)) => {
                found.push(Found { start: 0, length, local: self.local, remote });
                true
            }
            Err(error) => {
                // Anything but an empty socket (an ICMP error of an earlier send) is read away.
                self.readable = error.kind() != io::ErrorKind::WouldBlock;
                false
            }
        }
    }
}

/// Whether an error of sending tells of an earlier datagram.
fn is_earlier(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
    matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable)
}

/// Where one received datagram lies in the receive buffer.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    start: usize,
    length: usize,
    local: SocketAddr,
    remote: SocketAddr,
}

impl Found {
    /// The datagram itself.
    pub fn datagram<'a>(&self, buffer: &'a [u8]) -> Datagram<'a> {
        Datagram {
            protocol: Protocol::Udp,
            local: self.local,
            remote: self.remote,
            payload: buffer.get(self.start..self.start + self.length).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_cross_between_two_ports_with_the_address_they_were_sent_to() {
        let mut sockets = Sockets::new().expect("poll");
        let wild = sockets.open("0.0.0.0:0".parse().expect("address"), true).expect("port");
        let other = sockets.open("127.0.0.1:0".parse().expect("address"), false).expect("port");
        let to = format!("127.0.0.2:{}", sockets.local(wild).expect("open").port());
        let to: SocketAddr = to.parse().expect("address");
        let from = sockets.local(other).expect("open");
        for n in 0..5u8 {
            assert!(sockets.send(other, from, to, &[n; 100]));
        }
        let (mut got, mut ready) = (Vec::new(), Ready::default());
        let mut found = Vec::new();
        while got.len() < 5 {
            sockets.wait(Some(Duration::from_secs(5)), &mut ready).expect("poll");
            assert!(!ready.ports.is_empty(), "nothing came");
            for port in ready.ports.clone() {
                let mut buffer = sockets.take_buffer();
                let mut turn = 0;
                while sockets.receive(port, turn, &mut buffer, &mut found) {
                    turn += 1;
                    got.extend(found.iter().map(|f| {
                        let datagram = f.datagram(&buffer);
                        assert_eq!((datagram.local, datagram.remote), (to, from));
                        datagram.payload[0]
                    }));
                }
                sockets.return_buffer(buffer);
            }
        }
        assert_eq!(got, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn a_port_where_nobody_listens_is_told_of_and_stops_no_other_datagram() {
        let mut sockets = Sockets::new().expect("poll");
        let any: SocketAddr = "127.0.0.1:0".parse().expect("address");
        let port = sockets.open(any, true).expect("port");
        sockets.report_errors(port).expect("the kernel reports");
        let local = sockets.local(port).expect("open");
        let heard = std::net::UdpSocket::bind(any).expect("port");
        let there = heard.local_addr().expect("bound");
        // A port that was free a moment ago.
        let gone = std::net::UdpSocket::bind(any).expect("port").local_addr().expect("bound");
        assert!(sockets.send(port, local, gone, b"nobody"));
        assert!(sockets.send(port, local, there, b"somebody"), "the refusal is another's");
        let mut octets = [0; 16];
        assert_eq!(heard.recv_from(&mut octets).expect("came").0, 8);
        let mut ready = Ready::default();
        sockets.wait(Some(Duration::from_secs(5)), &mut ready).expect("poll");
        assert_eq!(ready.ports, [port]);
        assert_eq!(sockets.unreachable(port), Some(gone.ip()));
        assert_eq!(sockets.unreachable(port), None);
    }
}
