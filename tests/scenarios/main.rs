//! End to end: the real executable, real phones and proxies, and a visitor in Rust.
#![allow(clippy::unwrap_used)]

mod at_length;
mod baresip_phone;
mod call_log;
mod check;
mod connections;
mod demo_phone;
mod dialogs;
mod flash;
mod fuzzing;
mod incoming;
mod life;
mod moods;
mod odd_phones;
mod provider;
mod servers;
mod speex;
mod strangers;
mod trace;
mod trunk_media;
mod visitor_network;
