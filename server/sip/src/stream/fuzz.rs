//! The fuzzer's entry point.

use super::Stream;
use crate::message::MAX_MESSAGE;
use base::Seed;
use std::time::{Duration, Instant};

/// Reads octets as a connection, in pieces and at once.
///
/// # Panics
/// When the pieces give other messages than the whole does, when a message is over its bound, or
/// when anything is kept of a connection that has failed.
pub fn fuzz(data: &[u8]) {
    let (step, data) = data.split_first().map_or((1, data), |(first, rest)| (*first, rest));
    let step = usize::from(step).max(1);
    let whole = read(data, data.len().max(1));
    let pieces = read(data, step);
    assert_eq!(whole, pieces, "pieces of {step} read otherwise than the whole");
}

fn read(data: &[u8], step: usize) -> (Vec<Vec<u8>>, Option<super::StreamError>) {
    let mut now = Instant::now();
    let mut stream = Stream::new(now, data.len().is_multiple_of(2), &mut Seed::from_number(1));
    let mut messages = Vec::new();
    for piece in data.chunks(step) {
        stream.handle_octets(now, piece);
        while let Some(message) = stream.poll_message(now) {
            assert!(!message.is_empty() && message.len() <= MAX_MESSAGE);
            messages.push(message);
        }
        while stream.poll_transmit().is_some() {}
        assert!(stream.buffer.len() <= MAX_MESSAGE + piece.len());
    }
    let error = stream.error();
    if error.is_some() {
        assert!(stream.buffer.is_empty() && stream.poll_timeout().is_none());
    }
    // However it ends, it ends: time alone brings it to rest or to its next ping.
    for _ in 0..4 {
        if let Some(at) = stream.poll_timeout() {
            now = now.max(at) + Duration::from_millis(1);
            stream.handle_timeout(now);
            while stream.poll_transmit().is_some() {}
        }
    }
    (messages, error)
}
