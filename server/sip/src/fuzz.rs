//! One entry point for fuzzing the whole endpoint.

/// placeholder
pub fn fuzz(_data: &[u8]) {}
