//! What a call is: one visitor, one destination, two legs, one cause.
//!
//! This room knows no protocol. It is told what happens on the two legs as [`LegEvent`]s and says
//! what must be done as [`LegCommand`]s; sound never passes through it. It follows the driving
//! contract of the `base` room.

mod call;
mod plan;
mod policy;

pub use call::{Call, Change, LegCommand, LegEvent, Settings, VisitorEnd};
pub use plan::{Learnt, browser_codecs, page_headers, trunk_codecs};
pub use policy::{Limits, Policy, Refusal};
