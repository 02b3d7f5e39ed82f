//! Packet indices and replay lists (RFC 3711 sections 3.3.1 and 3.3.2).

use crate::numbers::{SRTP_SOURCES_MAX, SRTP_WINDOW};

/// What has come from each source under one key.
#[derive(Debug, Default)]
pub struct Sources(Vec<Source>);

/// The replay list of one source.
#[derive(Debug)]
struct Source {
    ssrc: u32,
    newest: u64,
    /// Bit n: the index n below the newest has come.
    window: u128,
}

impl Sources {
    /// The index of a sequence number, the nearest to the newest one of its source; that of a new
    /// source begins with a rollover counter of 0. `None` for a packet that has come before or is
    /// too old, and for one source more than are followed: one that is forgotten could be replayed.
    pub fn index_of(&self, ssrc: u32, sequence: u16) -> Option<u64> {
        match self.of(ssrc) {
            Some(source) => source.index_of(sequence),
            None => (self.0.len() < SRTP_SOURCES_MAX).then_some(sequence.into()),
        }
    }

    /// Whether an index that the packet itself names (RTCP) is to be taken.
    pub fn is_new(&self, ssrc: u32, index: u64) -> bool {
        match self.of(ssrc) {
            Some(source) => source.is_new(index),
            None => self.0.len() < SRTP_SOURCES_MAX,
        }
    }

    /// Takes note of an index. Only an authentic packet may do so.
    pub fn seen(&mut self, ssrc: u32, index: u64) {
        if let Some(source) = self.0.iter_mut().find(|source| source.ssrc == ssrc) {
            source.seen(index);
        } else if self.0.len() < SRTP_SOURCES_MAX {
            self.0.push(Source { ssrc, newest: index, window: 1 });
        }
    }

    /// Whether something has come from a source.
    pub fn knows(&self, ssrc: u32) -> bool {
        self.of(ssrc).is_some()
    }

    fn of(&self, ssrc: u32) -> Option<&Source> {
        self.0.iter().find(|source| source.ssrc == ssrc)
    }
}

impl Source {
    fn index_of(&self, sequence: u16) -> Option<u64> {
        let step = i64::from(sequence.wrapping_sub(self.newest as u16) as i16);
        let index = self.newest.checked_add_signed(step)?;
        self.is_new(index).then_some(index)
    }

    fn is_new(&self, index: u64) -> bool {
        match self.newest.checked_sub(index) {
            None => true,
            Some(behind) => behind < SRTP_WINDOW && self.window & (1 << behind) == 0,
        }
    }

    fn seen(&mut self, index: u64) {
        if let Some(behind) = self.newest.checked_sub(index) {
            self.window |= 1u128.checked_shl(behind as u32).unwrap_or(0);
        } else {
            let ahead = u32::try_from(index - self.newest).unwrap_or(u32::MAX);
            self.window = self.window.checked_shl(ahead).unwrap_or(0) | 1;
            self.newest = index;
        }
    }
}
