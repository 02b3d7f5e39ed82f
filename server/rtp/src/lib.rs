//! RTP and RTCP: packets, one stream end each way, telephone events.
//!
//! Everything here is a sans-IO machine or a plain function: no clock, no socket, no lock, no
//! thread. Time and randomness are arguments, and the order of calls is the driving contract of
//! `base`. What is absent on purpose: a jitter buffer (the bridge owns it), payload codecs.
//!
//! - [`packet`] and [`rtcp`] read and write single datagrams.
//! - [`receiver`] judges what arrives from one source, [`sender`] numbers what leaves.
//! - [`dtmf`] turns telephone events into digits and back; it stands alone for the browser leg.
//! - [`reports`] keeps the RTCP of one stream; it stands alone for the browser leg.
//! - [`srtp`] protects packets and opens them; parts of it serve the browser leg.
//! - [`stream`] joins them into one [`StreamEnd`] towards a SIP peer.

pub mod dtmf;
mod fuzz;
pub mod numbers;
pub mod packet;
pub mod receiver;
pub mod reports;
pub mod rtcp;
pub mod sender;
pub mod srtp;
pub mod stream;

pub use fuzz::{fuzz, fuzz_stream};
pub use packet::Packet;
pub use stream::{
    Event, Outgoing, PayloadMap, Protection, Received, Remote, StreamEnd, StreamSettings,
    StreamStatistics,
};
