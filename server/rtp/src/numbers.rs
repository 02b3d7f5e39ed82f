//! Every protocol number and time of this crate, each with its source.

use std::time::Duration;

/// RTP and RTCP version (RFC 3550 section 5.1).
pub const VERSION: u8 = 2;
/// Octets of the fixed RTP header (RFC 3550 section 5.1).
pub const HEADER_LENGTH: usize = 12;
/// A forward jump of fewer packets is a loss, a greater one a restart (RFC 3550 A.1).
pub const MAX_DROPOUT: u16 = 3000;
/// A packet older than this many is no longer sorted in (RFC 3550 A.1).
pub const MAX_MISORDER: u16 = 100;
/// Consecutive packets that prove a new source (RFC 3550 A.1).
pub const MIN_SEQUENTIAL: u16 = 2;
/// A source that was left has to outlast this silence of its successor before it may come back,
/// so that two interleaved sources don't flap.
pub const RETURN_AFTER: Duration = Duration::from_secs(1);

/// The payload type of comfort noise (RFC 3551 table 4).
pub const COMFORT_NOISE: u8 = 13;

/// RTCP packet types (RFC 3550 section 12.1).
pub const RTCP_SR: u8 = 200;
/// Receiver report.
pub const RTCP_RR: u8 = 201;
/// Source description.
pub const RTCP_SDES: u8 = 202;
/// Goodbye.
pub const RTCP_BYE: u8 = 203;
/// SDES item of the canonical name (RFC 3550 section 6.5.1).
pub const SDES_CNAME: u8 = 1;
/// Second octets that mean RTCP where RTP and RTCP share a port (RFC 5761 section 4).
pub const RTCP_TYPES: std::ops::RangeInclusive<u8> = 192..=223;
/// Mean time between reports (RFC 3550 section 6.2); each is spread over half to one and a half.
pub const REPORT_EVERY: Duration = Duration::from_secs(5);

/// The time between two packets of one telephone event (RFC 4733 section 2.6.3, table 7).
pub const EVENT_UPDATE_EVERY: Duration = Duration::from_millis(20);
/// How often the end of an event is sent (RFC 4733 section 2.5.1.4).
pub const EVENT_END_REPEATS: u32 = 3;
/// The length of a tone where nobody asks for another.
pub const EVENT_TONE: Duration = Duration::from_millis(100);
/// The pause between the end of one tone and the start of the next; receivers that detect in-band
/// tones behind a gateway need 50 ms and some more.
pub const EVENT_GAP: Duration = Duration::from_millis(80);
/// An event whose packets stop without an end is over after this silence: ten updates, so a burst
/// of losses does not split it (RFC 4733 section 2.5.2.2 leaves the figure open).
pub const EVENT_LOST_AFTER: Duration = Duration::from_millis(200);
/// Digits that wait to be sent.
pub const MAX_DIGITS: usize = 64;

/// A latched source has to be silent this long before another may follow it.
pub const LATCH_SILENCE: Duration = Duration::from_secs(3);
/// Consecutive packets that a source outside of the SDP has to show.
pub const LATCH_PROBATION: u16 = 4;

/// Octets of the key that SRTP's HMAC is given (RFC 3711 section 8.2, `n_a`).
pub const SRTP_AUTHENTICATION_KEY: usize = 20;
/// The octets of SRTCP that are never encrypted (RFC 3711 section 3.4).
pub const SRTCP_HEADER: usize = 8;
/// The encryption flag and index at the end of SRTCP (RFC 3711 section 3.4).
pub const SRTCP_INDEX: usize = 4;
/// The encryption flag.
pub const SRTCP_ENCRYPTED: u32 = 1 << 31;
/// Octets of the tag of SRTCP, whatever that of SRTP is (RFC 4568 section 6.2.2).
pub const SRTCP_TAG: usize = 10;
/// Packets behind the newest that may still come (RFC 3711 section 3.3.2: 64 at least).
pub const SRTP_WINDOW: u64 = 128;
/// The most sources followed under one key.
pub const SRTP_SOURCES_MAX: usize = 32;

/// A timestamp that differs by more than this from the clock belongs to another time line.
pub const MAX_TIMESTAMP_JUMP: Duration = Duration::from_secs(3);
/// The least step of the timestamp from one source to the next: one usual frame.
pub const FRAME: Duration = Duration::from_millis(20);

/// A stretch of time in units of an RTP clock, modulo 2^32.
pub(crate) fn units(time: Duration, clock_rate: u32) -> u32 {
    (time.as_nanos() * u128::from(clock_rate) / 1_000_000_000) as u32
}
