//! RTMP as RTMFP flows carry it: AMF, messages, NetConnection and NetStream, media tags.
//!
//! Everything here is a sans-IO machine or a plain function: no clock, no socket, no lock, no
//! thread. Nothing knows RTMFP itself: a flow is a number, and whoever drives the machines carries
//! their actions to a session (RFC 7425 section 5).
//!
//! - [`amf`] reads and writes ActionScript values, [`message`] and [`command`] what carries them,
//!   [`metadata`] what a flow says of itself.
//! - [`media`] reads audio and video tags.

pub mod amf;
pub mod application;
pub mod command;
pub mod connection;
pub mod media;
pub mod message;
pub mod metadata;
pub mod numbers;
pub mod status;
