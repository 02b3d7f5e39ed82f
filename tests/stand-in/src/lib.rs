//! Stand-ins for what surrounds the machines, for their tests under a virtual clock: a browser and a
//! network. Nothing of the product is in here, so that every crate's tests may use it.
#![allow(clippy::unwrap_used)]

mod browser;
mod network;

pub use browser::{Browser, Options, Received};
pub use network::Network;
