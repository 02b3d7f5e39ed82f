//! Sockets: what owns them, and nothing of what they carry.

mod ice_tcp;
mod interfaces;
mod ports;
pub mod resolve;
mod sip_connection;
mod sip_stream;
mod sip_tls;
mod udp;
mod wire;

pub use ice_tcp::listen as listen_ice_tcp;
pub use interfaces::{is_local_scope, own_addresses};
pub use ports::Pair;
pub use ports::PortPool;
pub use sip_stream::{ORDERS, Server, StreamOrder, keep as keep_sip_streams};
pub use sip_tls::server_certificate;
pub use udp::{Found, Ready, Sockets};
pub use wire::{PortId, Wire};
