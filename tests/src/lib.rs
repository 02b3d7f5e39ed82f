//! Peers for the end-to-end scenarios: the appliance as a real process, a visitor's browser, and
//! real SIP phones and proxies around it.
//!
//! Everything runs on loopback, in folders and on ports of its own; every wait has a limit; what
//! the peers said is kept in `tests/output/NAME/` when a scenario fails. Calls here are blocking:
//! a scenario reads top to bottom.

// A peer that does not do as it is told is a failed scenario, and unwrapping says where.
#![allow(clippy::unwrap_used)]

pub mod appliance;
pub mod baresip;
pub mod calls;
pub mod certificates;
pub mod check;
pub mod disk;
pub mod flash;
pub mod foreign;
pub mod fuzzing;
pub mod handset;
pub mod internet;
pub mod kamailio;
pub mod lines;
pub mod linphone;
pub mod look;
pub mod measure;
pub mod moods;
pub mod name_server;
pub mod ogg;
pub mod peer;
pub mod place;
pub mod program;
pub mod rtpengine;
pub mod scanner;
pub mod sipp;
pub mod sound;
pub mod visitor;
pub mod wait;
pub mod web;

pub use appliance::{Appliance, Shop};
pub use baresip::{Baresip, Phone};
pub use disk::Disk;
pub use flash::{FlashSettings, FlashVisitor};
pub use handset::{Handset, HandsetSettings};
pub use kamailio::Kamailio;
pub use place::Place;
pub use program::Program;
pub use sipp::Sipp;
pub use sound::Heard;
pub use visitor::{Visitor, VisitorSettings};
pub use wait::until;
