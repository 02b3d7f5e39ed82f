//! All numbers of RFC 7016 and of the profile in RFC 7425, each with its section.

use std::time::Duration;

/// Chunk type codes (RFC 7016 section 2.3).
pub(crate) mod chunk {
    /// Section 2.3.1.
    pub(crate) const FRAGMENT: u8 = 0x7f;
    /// Section 2.3.2.
    pub(crate) const IHELLO: u8 = 0x30;
    /// Section 2.3.3.
    pub(crate) const FIHELLO: u8 = 0x0f;
    /// Section 2.3.4.
    pub(crate) const RHELLO: u8 = 0x70;
    /// Section 2.3.5.
    pub(crate) const REDIRECT: u8 = 0x71;
    /// Section 2.3.6.
    pub(crate) const COOKIE_CHANGE: u8 = 0x79;
    /// Section 2.3.7.
    pub(crate) const IIKEYING: u8 = 0x38;
    /// Section 2.3.8.
    pub(crate) const RIKEYING: u8 = 0x78;
    /// Section 2.3.9.
    pub(crate) const PING: u8 = 0x01;
    /// Section 2.3.10.
    pub(crate) const PING_REPLY: u8 = 0x41;
    /// Section 2.3.11.
    pub(crate) const USER_DATA: u8 = 0x10;
    /// Section 2.3.12.
    pub(crate) const NEXT_USER_DATA: u8 = 0x11;
    /// Section 2.3.13.
    pub(crate) const ACK_BITMAP: u8 = 0x50;
    /// Section 2.3.14.
    pub(crate) const ACK_RANGES: u8 = 0x51;
    /// Section 2.3.15.
    pub(crate) const BUFFER_PROBE: u8 = 0x18;
    /// Section 2.3.16.
    pub(crate) const FLOW_EXCEPTION: u8 = 0x5e;
    /// Section 2.3.17.
    pub(crate) const CLOSE_REQUEST: u8 = 0x0c;
    /// Section 2.3.18.
    pub(crate) const CLOSE_ACK: u8 = 0x4c;
    /// Section 2.3: both are ignored.
    pub(crate) const PADDING: [u8; 2] = [0x00, 0xff];
}

/// The octets of a chunk before its payload: type and length (RFC 7016 section 2.3).
pub const CHUNK_HEADER: usize = 3;

/// The longest packet header: flags, timestamp, timestamp echo (RFC 7016 section 2.2.4).
pub const PACKET_HEADER: usize = 5;

/// One tick of the timestamps' clock (RFC 7016 section 2.2.4).
pub const TICK: Duration = Duration::from_millis(4);

/// The largest plain packet that carries user data. With SSEQ, padding, HMAC and the session ID it
/// stays below what an IPv6 path of 1280 octets takes.
pub const MAX_PLAIN: usize = 1192;

/// Option types on user data (RFC 7016 section 2.3.11.1).
pub mod user_option {
    /// Section 2.3.11.1.1.
    pub const METADATA: u64 = 0x00;
    /// Section 2.3.11.1.2.
    pub const RETURN_FLOW: u64 = 0x0a;
    /// An unknown option below this rejects the flow; from here on it is ignored.
    pub const IGNORABLE_FROM: u64 = 0x2000;
}

/// Certificate options (RFC 7425 section 4.3.3).
pub(crate) mod certificate_option {
    /// Section 4.3.3.1.
    pub(crate) const HOSTNAME: u64 = 0x00;
    /// Section 4.3.3.2.
    pub(crate) const ACCEPTS_ANCILLARY: u64 = 0x0a;
    /// Section 4.3.3.3.
    pub(crate) const EXTRA_RANDOMNESS: u64 = 0x0e;
    /// Section 4.3.3.4.
    pub(crate) const EPHEMERAL_GROUP: u64 = 0x15;
    /// Section 4.3.3.5.
    pub(crate) const STATIC_KEY: u64 = 0x1d;
}

/// Options of endpoint discriminators (RFC 7425 section 4.4.2).
pub(crate) mod epd_option {
    /// Section 4.4.2.1.
    pub(crate) const HOSTNAME: u64 = 0x00;
    /// Section 4.4.2.2.
    pub(crate) const ANCILLARY: u64 = 0x0a;
    /// Section 4.4.2.3.
    pub(crate) const FINGERPRINT: u64 = 0x0f;
}

/// Options of session keying components (RFC 7425 section 4.5.2).
pub(crate) mod keying_option {
    /// Section 4.5.2.1.
    pub(crate) const EPHEMERAL_KEY: u64 = 0x0d;
    /// Section 4.5.2.2.
    pub(crate) const EXTRA_RANDOMNESS: u64 = 0x0e;
    /// Section 4.5.2.3.
    pub(crate) const GROUP_SELECT: u64 = 0x1d;
    /// Section 4.5.2.4.
    pub(crate) const HMAC: u64 = 0x1a;
    /// Section 4.5.2.5.
    pub(crate) const SEQUENCE: u64 = 0x1e;
}

/// The shortest HMAC that may be negotiated (RFC 7425 section 4.5.2.4).
pub const HMAC_SHORTEST: usize = 4;

/// The longest HMAC that may be negotiated (RFC 7425 section 4.5.2.4).
pub const HMAC_LONGEST: usize = 32;

/// The length of the HMAC that this end sends: half of the hash, as is usual.
pub const HMAC_LENGTH: usize = 16;

/// The key of session startup, "Adobe Systems 02" (RFC 7425 section 4.1).
pub const DEFAULT_KEY: &[u8; 16] = b"Adobe Systems 02";

/// The block of the cipher (RFC 7425 section 4.7.1).
pub(crate) const BLOCK: usize = 16;

/// A signature of somebody who has none to give (RFC 7425 section 4.3.5).
pub(crate) const NO_SIGNATURE: &[u8] = b"X";

/// How long a cookie is valid: as long as an initiator tries (RFC 7016 section 3.5.1.1.2).
pub const COOKIE_LIFETIME: Duration = Duration::from_secs(95);

/// How long an initiator tries to open a session (RFC 7016 section 3.5.1.1.1).
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(95);

/// What is added to the interval of an initiator's packets each time (RFC 7016 section 3.5.1.1.1).
pub(crate) const BACK_OFF: Duration = Duration::from_millis(1_500);

/// The addresses at which an initiator looks for one endpoint (REDIRECT_THRESHOLD, ibid.).
pub const CANDIDATES: usize = 24;

/// The octets of an initiator's tag: clients that copy Flash Player have as many.
pub(crate) const TAG: usize = 16;

/// The longest packet that is put together from pieces. Startup packets are below 8 KB, so it is
/// less than the 65,536 of RFC 7016 section 3.4.
pub(crate) const FRAGMENTED_LONGEST: usize = 16 * 1024;

/// The time in which a packet in pieces has to be complete (RFC 7016 section 3.4).
pub(crate) const FRAGMENT_PATIENCE: Duration = Duration::from_secs(60);

/// The time in which its next piece has to come (ibid.).
pub(crate) const FRAGMENT_PROGRESS: Duration = Duration::from_secs(1);

/// The pieces that leave to one endpoint at once, and the time until the next ones: below 4,380
/// octets and four packets in 200 ms (ibid.).
pub(crate) const FRAGMENT_BURST: (usize, Duration) = (3, Duration::from_millis(200));

/// How long the mark of real-time data on a received packet counts (RFC 7016 section 3.5.2.1).
pub const TIME_CRITICAL_FOR: Duration = Duration::from_millis(800);
