//! What a bridge has counted; reading it costs a copy.

/// What went towards one side.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DirectionStatistics {
    /// Frames passed on as they came.
    pub relayed: u64,
    /// Frames of 20 ms made by transcoding.
    pub transcoded: u64,
    /// Frames of 20 ms made from a tone or prompt.
    pub played: u64,
    /// Frames not passed on: muted, on hold, covered by a sound, or not connected yet.
    pub suppressed: u64,
    /// Frames that are none of their codec.
    pub malformed: u64,
    /// Frames that came after their place had been played.
    pub late: u64,
    /// Frames that came twice.
    pub duplicates: u64,
    /// Frames that never came in time.
    pub lost: u64,
    /// Lost frames restored from the redundancy of the next one.
    pub restored: u64,
    /// Milliseconds of sound made up by concealment.
    pub concealed_ms: u64,
    /// How often the buffer ran dry.
    pub underruns: u64,
    /// Milliseconds left out to catch up.
    pub shortened_ms: u64,
    /// Milliseconds of quiet put in to gain room.
    pub lengthened_ms: u64,
    /// How often the sender's numbers jumped and the buffer started anew.
    pub resets: u64,
    /// The delay of the newest frame in the buffer's hands, in ms.
    pub delay_ms: u32,
    /// The delay that the buffer aims at, in ms.
    pub target_ms: u32,
    /// The longest delay seen, in ms.
    pub longest_delay_ms: u32,
    /// The level of the last second transcoded, in dBFS; 0 before there was any.
    pub level_dbfs: f32,
}

/// What a bridge has carried.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// Frames passed on as they came, both ways.
    pub relayed: u64,
    /// Frames made by transcoding, both ways.
    pub transcoded: u64,
    /// From the trunk to the visitor.
    pub to_visitor: DirectionStatistics,
    /// From the visitor to the trunk.
    pub to_trunk: DirectionStatistics,
}
