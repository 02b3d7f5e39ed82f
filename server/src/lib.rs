//! click2call: the shell around the machines. It owns what they must not: sockets, time, files.

pub mod config;
pub mod core;
pub mod demo;
pub mod legs;
pub mod net;
