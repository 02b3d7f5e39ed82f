//! Audio and video tags: the first octets of a media message and what they say of the rest (Adobe
//! Flash Video File Format 10.1, annex E.4).

mod audio;
mod video;

pub use audio::{
    ALAW_TAG, AudioCodec, AudioTag, G711_FRAME_LENGTH, MULAW_TAG, NELLYMOSER_FRAME_LENGTH,
    SPEEX_TAG, g711_frames,
};
pub use video::{
    AvcConfiguration, AvcPacket, FrameType, SorensonHeader, VideoCodec, VideoTag, nal_units,
};
