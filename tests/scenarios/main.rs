//! End to end: the real executable, real phones and proxies, and a visitor in Rust.
#![allow(clippy::unwrap_used)]

mod at_length;
mod baresip_phone;
mod call_log;
mod connections;
mod demo_phone;
mod flash;
mod fuzzing;
mod life;
mod odd_phones;
mod provider;
mod speex;
mod strangers;
mod visitor_network;
