//! What a shard needs of the network, so that a test can put a virtual one under it.

use std::io;
use std::net::SocketAddr;

/// One open port of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortId(pub(crate) usize);

/// UDP ports: the system's ([`super::Sockets`]), or virtual ones. What comes in goes the other way
/// round: whoever owns the wire hands datagrams to the machines.
pub trait Wire {
    /// Opens a port; `shared` ones carry many calls.
    ///
    /// # Errors
    /// What the system says, such as an address in use.
    fn open(&mut self, address: SocketAddr, shared: bool) -> io::Result<PortId>;

    /// Closes a port.
    fn close(&mut self, port: PortId);

    /// Where a port is bound.
    fn local(&self, port: PortId) -> Option<SocketAddr>;

    /// Asks for what the network says about datagrams that a shared port has sent. Where it cannot
    /// tell, nothing is ever said.
    ///
    /// # Errors
    /// What the system says.
    fn report_errors(&mut self, port: PortId) -> io::Result<()>;

    /// Sends one datagram. False when the port refused it: media is late then and is dropped,
    /// signalling has its own retransmission.
    fn send(&mut self, port: PortId, local: SocketAddr, remote: SocketAddr, octets: &[u8]) -> bool;
}
