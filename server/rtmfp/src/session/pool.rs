//! Buffers that go round instead of being allocated.

/// The most buffers that wait to be used again, and the largest that does.
const KEPT: usize = 16;
const LARGEST: usize = 2048;

/// Message buffers of one session. The owner gives delivered messages back with
/// [`recycle`](crate::session::Session::recycle).
#[derive(Debug, Default)]
pub(crate) struct Pool {
    free: Vec<Vec<u8>>,
}

impl Pool {
    /// A buffer with these octets.
    pub(crate) fn copy(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut buffer = self.free.pop().unwrap_or_default();
        buffer.extend_from_slice(octets);
        buffer
    }

    /// Takes a buffer back; it is empty when it comes out again.
    pub(crate) fn give(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() > 0 && buffer.capacity() <= LARGEST && self.free.len() < KEPT {
            buffer.clear();
            self.free.push(buffer);
        }
    }

    /// Octets that are kept.
    pub(crate) fn held(&self) -> usize {
        self.free.iter().map(Vec::capacity).sum()
    }

    pub(crate) fn clear(&mut self) {
        self.free = Vec::new();
    }
}
