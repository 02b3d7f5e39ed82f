//! One shard: a thread that owns its machines and its sockets.

pub mod door;
pub mod metrics;
