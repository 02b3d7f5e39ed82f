//! Browser peers behind one UDP port and ICE-TCP.
//!
//! [`Endpoint`] is one machine for every browser of a shard. It is driven as `base` says: after
//! each input, drain [`Endpoint::poll_transmit`], then [`Endpoint::poll_event`], then look at
//! [`Endpoint::poll_timeout`].
//!
//! ```text
//!  offer ---> offer.rs ---> negotiation.rs ---> answer.rs ---> answer (no waiting, no gathering)
//!
//!  datagram --> endpoint.rs --first octet--> STUN ------> ice.rs   (whose? is it authentic?)
//!                    |                       DTLS, RTP -> peer.rs  (only from validated paths)
//!                    |                                      |
//!                    v                                      v
//!               unknown sender:                    handshake.rs -> engine.rs (DTLS, by str0m)
//!               counted and dropped                    |                   |keys
//!                                                      |                   v
//!                                                      +-- RTP, RTCP --> srtp.rs (ciphers by str0m)
//!                                                                          |
//!                                                                          v
//!                                                 inbound.rs: frames, telephone events, reports
//! ```
//!
//! Connectivity checks are answered here and not by str0m's agent, for three reasons. An ICE-lite
//! endpoint behind one port has to find the peer of a check by its user name anyway. A moved
//! browser is followed at its first nominating check instead of when the old pair times out.
//! And the DTLS side can be made anew without the browser noticing, which is what keeps a foreign
//! ClientHello from costing a call.
//!
//! Nor does str0m's session carry the sound: what it does for video (NACK, pacing, bandwidth
//! estimation, a jitter buffer) costs an audio call several times the processor time and memory of
//! the ciphers themselves, and a packet passes here without one allocation.
//!
//! [`Browser`] is the other end, for who checks a set-up.
//!
//! What is absent: TURN, trickled remote candidates (an ICE-lite endpoint never calls first),
//! data channels, video (its media sections are rejected with port 0).
//!
//! Keys and nonces of DTLS come from the operating system; everything that this crate draws itself
//! (ICE credentials, SSRC, first numbers) comes from its [`base::Seed`].

mod answer;
mod browser;
mod candidate;
mod endpoint;
mod engine;
mod error;
mod event;
mod fuzz;
mod handshake;
mod ice;
mod inbound;
mod negotiation;
mod offer;
mod outgoing;
mod peer;
mod srtp;
mod statistics;

pub use browser::Browser;
pub use candidate::LocalCandidate;
pub use endpoint::{AcceptSettings, Endpoint, Settings};
pub use engine::Certificate;
pub use error::{AcceptError, Fault, SendError, SetupError};
pub use event::{Event, LostCause, PeerId, ReceivedFrame, TelephoneEvent};
pub use fuzz::fuzz;
pub use statistics::{Counters, Statistics};
