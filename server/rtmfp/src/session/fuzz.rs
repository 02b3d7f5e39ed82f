//! Fuzzing one session: the input is a list of operations.
