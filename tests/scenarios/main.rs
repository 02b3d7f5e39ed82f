//! End to end: the real executable, real phones and proxies, and a visitor in Rust.
#![allow(clippy::unwrap_used)]

mod at_length;
mod baresip_phone;
mod call_log;
mod check;
mod connections;
mod demo_phone;
mod dialogs;
mod dispatched;
mod flash;
mod fuzzing;
mod incoming;
mod ipv6;
mod life;
mod linphone_phone;
mod moods;
mod nats;
mod odd_phones;
mod provider;
mod servers;
mod speex;
mod strangers;
mod topologies;
mod trace;
mod transfers;
mod trunk_media;
mod visitor_network;
