//! Protocol numbers, names and limits, each with its source.

use std::time::Duration;

/// Message types ("RTMP" is Adobe's document on RTMP command messages, 2009).
pub mod message_type {
    /// User control (RTMP 3.7).
    pub const USER_CONTROL: u8 = 4;
    /// Audio (RTMP 3.4).
    pub const AUDIO: u8 = 8;
    /// Video (RTMP 3.5).
    pub const VIDEO: u8 = 9;
    /// Data behind a format octet (RTMP 3.2).
    pub const DATA_EXTENDED: u8 = 15;
    /// A command behind a format octet (RTMP 3.1; RFC 7425 5.3.3).
    pub const COMMAND_EXTENDED: u8 = 17;
    /// Data in AMF 0 (RTMP 3.2).
    pub const DATA: u8 = 18;
    /// A command in AMF 0 (RTMP 3.1).
    pub const COMMAND: u8 = 20;
    /// Types of the chunk stream, which RTMFP must ignore (RFC 7425 5.1).
    pub const CHUNK_STREAM: [u8; 5] = [1, 2, 3, 5, 6];
}

/// Events of user control messages.
pub mod event_type {
    /// RTMP 3.7.
    pub const STREAM_BEGIN: u16 = 0;
    /// RTMP 3.7.
    pub const STREAM_EOF: u16 = 1;
    /// RTMP 3.7.
    pub const STREAM_DRY: u16 = 2;
    /// RTMP 3.7.
    pub const SET_BUFFER_LENGTH: u16 = 3;
    /// RTMP 3.7.
    pub const STREAM_IS_RECORDED: u16 = 4;
    /// In no specification; servers send it when a stream's buffer has run empty.
    pub const BUFFER_EMPTY: u16 = 31;
    /// In no specification; the contrary of 31.
    pub const BUFFER_READY: u16 = 32;
    /// RFC 7425 5.2.
    pub const FLOW_SYNC: u16 = 34;
    /// RFC 7425 5.3.4.
    pub const SET_KEEPALIVE: u16 = 41;
}

/// Codes of info objects, as ActionScript's `NetStatusEvent` documents them.
pub mod code {
    #![allow(missing_docs)]
    pub const CONNECT_SUCCESS: &str = "NetConnection.Connect.Success";
    pub const CONNECT_REJECTED: &str = "NetConnection.Connect.Rejected";
    pub const CONNECT_FAILED: &str = "NetConnection.Connect.Failed";
    pub const CONNECT_INVALID_APP: &str = "NetConnection.Connect.InvalidApp";
    pub const CALL_FAILED: &str = "NetConnection.Call.Failed";
    /// Ours: the command is known, its argument is not usable.
    pub const CALL_BAD_ARGUMENT: &str = "NetConnection.Call.BadArgument";
    pub const PUBLISH_START: &str = "NetStream.Publish.Start";
    pub const PUBLISH_BAD_NAME: &str = "NetStream.Publish.BadName";
    pub const UNPUBLISH_SUCCESS: &str = "NetStream.Unpublish.Success";
    pub const PLAY_RESET: &str = "NetStream.Play.Reset";
    pub const PLAY_START: &str = "NetStream.Play.Start";
    pub const PLAY_STOP: &str = "NetStream.Play.Stop";
    pub const PLAY_FAILED: &str = "NetStream.Play.Failed";
    pub const PLAY_STREAM_NOT_FOUND: &str = "NetStream.Play.StreamNotFound";
    pub const PLAY_UNPUBLISH_NOTIFY: &str = "NetStream.Play.UnpublishNotify";
}

/// The greatest stream ID: 24 bits (RFC 7425 5.1).
pub const GREATEST_STREAM_ID: u32 = 0xff_ffff;
/// Type and timestamp before the payload (RFC 7425 5.1.2).
pub const MESSAGE_HEADER_LENGTH: usize = 5;
/// The longest command or data message that is read.
pub const MESSAGE_LENGTH_AT_MOST: usize = 64 * 1024;
/// The exception code for a rejected flow (RFC 7425 5.3.5.3).
pub const FLOW_REJECTED_CODE: u64 = 0;

/// Streams of one connection. A call takes two.
pub const STREAMS_AT_MOST: usize = 16;
/// Receiving flows of one connection: for a stream, control and audio and video, and some slack
/// for flows that come before those that they replace have gone.
pub const RECEIVE_FLOWS_AT_MOST: usize = 64;
/// Calls that wait for their answer, in each direction.
pub const PENDING_CALLS_AT_MOST: usize = 32;
/// Events that the driver has not taken yet.
pub const EVENTS_AT_MOST: usize = 128;
/// Actions that the driver has not taken yet.
pub const ACTIONS_AT_MOST: usize = 256;
/// Barriers that wait (RFC 7425 5.2).
pub const BARRIERS_AT_MOST: usize = 8;
/// Messages that wait behind barriers.
pub const HELD_MESSAGES_AT_MOST: usize = 32;
/// Octets of messages that wait behind barriers.
pub const HELD_OCTETS_AT_MOST: usize = 32 * 1024;

/// How long a barrier may hold a flow back: a count that never comes must not end a call.
pub const BARRIER_WAITS: Duration = Duration::from_secs(1);
/// How long a client may take to send `connect`, and to have it answered.
pub const CONNECT_WAITS: Duration = Duration::from_secs(20);
/// How long the application may take to accept or reject.
pub const DECISION_WAITS: Duration = Duration::from_secs(30);
/// How long a closing connection waits for the other end to finish its flows.
pub const CLOSE_WAITS: Duration = Duration::from_secs(3);
/// A client pings no more often than this, whatever it is advised: milliseconds (RFC 7425 5.3.4).
pub const KEEPALIVE_AT_LEAST: u32 = 5_000;
/// Sound that could not be sent within this time is given up (RFC 7425 5.1.1 has one second).
pub const AUDIO_LIFETIME: Duration = Duration::from_millis(700);
/// The same for pictures.
pub const VIDEO_LIFETIME: Duration = Duration::from_secs(2);
