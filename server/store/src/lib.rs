//! The call log, on a thread of its own
