//! Carries sound between the two legs of a call: `call` decides, the bridge carries.
//!
//! Two ports, [`Side::Visitor`] and [`Side::Trunk`], each with its [`PortSettings`]. A frame that
//! the other side takes as it is comes straight back from [`Bridge::handle_frame`], borrowed and
//! unbuffered (*relay*); halves of 20 ms are joined on the way, and several frames of Speex in one
//! payload come out one by one (`repack`). Any other frame goes into a jitter buffer and comes out of
//! [`Bridge::poll_frame`] as 20 ms of the other side's codec (*transcode*). Tones and prompts come
//! out the same way.
//!
//! ```text
//!   handle_frame --accepted--------------------------------> returned (relay)
//!        |
//!        +--else--> JitterBuffer -> Decoder -> Playout -> Encoder -> poll_frame (transcode)
//!                                   Sound ---------------^
//! ```
//!
//! A machine in the sense of `base`: after every frame drain `poll_relayed`, after every input
//! `poll_frame` and `poll_event`, then ask `poll_timeout`. Codec state exists only while a direction transcodes or plays, so a relayed
//! call costs about 2 KB. Absent on purpose: mixing (a call has two legs) and digits (the stream
//! ends turn them into events of their own).
//!
//! # Numbers of frames
//!
//! A relayed frame keeps timestamp and marker of its sender, and its sequence number as long as
//! nothing was joined or cut. A frame made here
//! counts from [`FIRST_MADE`], far above what any sender's extended number reaches, so that the
//! stream end sees the change of source as a jump; the first one after a pause has the marker.

mod bridge;
mod delay;
mod direction;
mod fuzz;
mod jitter;
mod output;
mod playout;
mod port;
mod redundancy;
mod repack;
mod sound;
mod statistics;
mod timeline;

pub use bridge::{Bridge, Event, SILENCE_AFTER};
pub use fuzz::fuzz;
pub use output::FIRST_MADE;
pub use port::{CodecSet, PortSettings, Side};
pub use sound::{Sound, Until};
pub use statistics::{DirectionStatistics, Statistics};
