//! How one call went, for whoever has to find out why it failed or sounded badly.
//!
//! ```text
//!   shard: SIP messages, offers, states,      call log             click2call trace
//!          counters once a second                |                        |
//!            v                                   v                        v
//!        Recorder ---into_trace--> Trace --encode--> octets --decode--> Trace --> verdict
//!        (clean, bounded)                                                 |        print
//!                                                                         +--redacted--^
//! ```
//!
//! Pure: no clock, no file, no network. What a trace must never hold does not enter it: sound,
//! keypad digits, passwords and answers to challenges, media keys, ICE passwords (`clean`). Of header
//! fields and attributes the values of known ones are kept (`shown`), whatever others may hold.
//! Numbers, names and addresses are in it, since they are what one looks for; [`redacted`] gives a
//! copy without them, for a ticket at the provider's.
//!
//! A recorder is bounded ([`limits`]): the beginning and the end of a long call are kept, rows of
//! figures are joined in pairs where they become too many.

mod clean;
mod facts;
mod fuzz;
pub mod limits;
mod losses;
mod model;
mod print;
mod recorder;
mod redact;
mod seconds;
mod shown;
mod summary;
mod table;
mod verdict;

pub use clean::call_id;
pub use fuzz::fuzz;
pub use model::{Direction, Entry, Protocol, ReadError, Side, Trace, VisitorKind, Way, What};
pub use print::{PrintOptions, calendar, clock, print};
pub use recorder::{Opening, Recorder};
pub use redact::redacted;
pub use seconds::{Flow, Second, Totals, TotalsOf};
pub use verdict::{Verdict, verdict};
