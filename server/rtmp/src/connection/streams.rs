//! The streams of one connection and what each is used for.

use crate::numbers::{GREATEST_STREAM_ID, STREAMS_AT_MOST};

/// What a stream does.
///
/// ```text
///            publish           accepted
///    Idle ------------> Asked ----------> Publishing --+
///     ^  \   play          |   accepted                |
///     |   +-----------> Asked ----------> Playing -----+
///     |                    | refused                   | closeStream
///     +--------------------+---------------------------+
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Role {
    #[default]
    Idle,
    AskedToPublish {
        name: String,
    },
    Publishing,
    AskedToPlay {
        name: String,
    },
    Playing,
}

#[derive(Debug)]
pub(super) struct Stream {
    pub id: u32,
    pub role: Role,
    /// Whether the player wants sound, and pictures.
    pub wants_audio: bool,
    pub wants_video: bool,
}

#[derive(Debug, Default)]
pub(super) struct Streams {
    list: Vec<Stream>,
    last: u32,
}

impl Streams {
    /// A stream with a number that none had before. `None`: there are too many.
    pub fn create(&mut self) -> Option<u32> {
        let id = self.last.checked_add(1).filter(|id| *id <= GREATEST_STREAM_ID)?;
        self.insert(id)?;
        self.last = id;
        Some(id)
    }

    /// A stream with the other end's number. `None`: there are too many, or it is there already.
    pub fn insert(&mut self, id: u32) -> Option<()> {
        if self.list.len() >= STREAMS_AT_MOST || self.find(id).is_some() {
            return None;
        }
        self.list.push(Stream { id, role: Role::Idle, wants_audio: true, wants_video: true });
        Some(())
    }

    pub fn find(&self, id: u32) -> Option<&Stream> {
        self.list.iter().find(|stream| stream.id == id)
    }

    pub fn find_mut(&mut self, id: u32) -> Option<&mut Stream> {
        self.list.iter_mut().find(|stream| stream.id == id)
    }

    pub fn remove(&mut self, id: u32) -> Option<Stream> {
        let index = self.list.iter().position(|stream| stream.id == id)?;
        Some(self.list.swap_remove(index))
    }
}
