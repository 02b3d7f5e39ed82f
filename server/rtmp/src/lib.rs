//! RTMP as RTMFP flows carry it: AMF, messages, NetConnection and NetStream, media tags.
//!
//! Everything here is a sans-IO machine or a plain function: no clock, no socket, no lock, no
//! thread. Nothing knows RTMFP itself: a flow is a number, and whoever drives the machines carries
//! their actions to a session (RFC 7425 section 5).
//!
//! - [`amf`] reads and writes ActionScript values, [`message`] and [`command`] what carries them,
//!   [`metadata`] what a flow says of itself.
//! - [`media`] reads audio and video tags.
//! - [`connection`] holds the machines of both ends, [`status`] the info objects that they send.
//! - [`application`] is what a page's SWF and the telephone say to each other.

pub mod amf;
pub mod application;
mod argument;
pub mod command;
pub mod connection;
mod fuzz;
pub mod media;
pub mod message;
pub mod metadata;
pub mod numbers;
pub mod status;

pub use fuzz::{fuzz_amf0, fuzz_amf3, fuzz_connection, fuzz_message};
