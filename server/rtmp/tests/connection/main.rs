//! The two ends of a connection against each other and against what independent ends have sent.
#![allow(clippy::unwrap_used)]

mod allocation;
mod barriers;
mod calls;
mod closing;
mod flows;
mod peers;
mod pipe;
mod recorded;
mod streams;
