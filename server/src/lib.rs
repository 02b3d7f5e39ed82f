//! click2call: the shell around the machines. It owns what they must not: sockets, time, files.

pub mod admission;
pub mod allowance;
pub mod app;
pub mod check;
pub mod cli;
pub mod config;
pub mod core;
pub mod crowd;
pub mod demo;
pub mod http;
pub mod legs;
pub mod log;
pub mod net;
pub mod ws;
