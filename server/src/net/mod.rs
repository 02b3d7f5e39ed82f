//! Sockets: what owns them, and nothing of what they carry.

mod ice_tcp;
mod interfaces;
mod ports;
pub mod resolve;
mod udp;
mod wire;

pub use ice_tcp::listen as listen_ice_tcp;
pub use interfaces::{is_local_scope, own_addresses};
pub use ports::Pair;
pub use ports::PortPool;
pub use udp::{Found, Ready, Sockets};
pub use wire::{PortId, Wire};
