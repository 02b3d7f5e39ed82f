//! The numbers of an open session, each with its section of RFC 7016; what packets look like is
//! in [`crate::params`].

use std::time::Duration;

const fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// After this long without a new timestamp nothing is echoed (3.5.2.2).
pub(crate) const ECHO_LIFETIME: Duration = seconds(128);
/// ERTO before the first measurement (3.5.2.2).
pub(crate) const ERTO_INITIAL: Duration = seconds(3);
/// The lowest ERTO, and MRTO before the first measurement (3.5.2.2).
pub(crate) const ERTO_LEAST: Duration = Duration::from_millis(250);
/// What backing off never exceeds, unless the round trip itself does (3.5.2.2).
pub(crate) const ERTO_CAP: Duration = seconds(10);
/// What backing off multiplies ERTO with, in ten-thousandths (3.5.2.2).
pub(crate) const BACK_OFF: u32 = 14_142;
/// What MRTO adds for the far end's delayed acknowledgements (3.5.2.2).
pub(crate) const ERTO_ALLOWANCE: Duration = Duration::from_millis(200);

/// How long an acknowledgement may wait for company (3.6.3.4.1).
pub(crate) const ACK_DELAY: Duration = Duration::from_millis(200);
/// Packets with user data that make an acknowledgement due at once (3.6.3.4.1).
pub(crate) const ACK_EVERY: u32 = 2;
/// Negative acknowledgements after which a fragment counts as lost (3.6.2.5).
pub(crate) const NAKS_OF_A_LOSS: u8 = 3;
/// Packets with user data between two acknowledgements (3.5.2.3).
pub(crate) const BURST: u32 = 6;
/// How long a time-critical notification is remembered (3.5.2.1, A.2).
pub(crate) const TIME_CRITICAL_MEMORY: Duration = Duration::from_millis(800);

/// The first window, before the far end advertises one (3.6.2).
pub(crate) const WINDOW_INITIAL: u64 = 65_536;
/// The unit of window advertisements (2.3.13).
pub(crate) const WINDOW_BLOCK: u64 = 1024;
/// The shortest wait between buffer probes, unless ERTO is longer (3.6.2.9.1).
pub(crate) const PROBE_LEAST: Duration = seconds(1);
/// The longest wait between buffer probes, unless ERTO is longer (3.6.2.9.1).
pub(crate) const PROBE_MOST: Duration = seconds(60);

/// How long the identifier of a completed sending flow stays taken (3.6.2.11).
pub(crate) const SEND_LINGER: Duration = seconds(130);
/// How long a completed receiving flow still acknowledges (3.6.3.8).
pub(crate) const RECEIVE_LINGER: Duration = seconds(120);
/// How often a Close Request is repeated (3.5.5).
pub(crate) const CLOSE_EVERY: Duration = seconds(5);
/// How long a Close Request may stay without answer (3.5.5).
pub(crate) const NEAR_CLOSE: Duration = seconds(90);
/// How long further Close Requests are answered (3.5.5).
pub(crate) const FAR_CLOSE_LINGER: Duration = seconds(19);

/// The least time between two checks of a new address (3.5.4.2).
pub(crate) const MOBILITY_EVERY: Duration = seconds(1);
/// How old the answer to a check may be (3.5.4.2).
pub(crate) const MOBILITY_LIFETIME: Duration = seconds(120);

/// The largest user metadata of a flow that we open, in octets (2.3.11.1.1).
pub(crate) const METADATA_LIMIT: usize = 512;

/// Sender maximum segment size in octets, also the window after a loss by timeout (A.2).
pub(crate) const SMSS: u64 = 1460;
/// The initial congestion window in octets (A.2).
pub(crate) const CWND_INITIAL: u64 = 4380;
/// The largest congestion window in octets: ours, so that an idle far end cannot make it grow
/// without end.
pub(crate) const CWND_MOST: u64 = 4 * 1024 * 1024;
/// From this many outstanding octets the window falls by an eighth only (A.1, A.2).
pub(crate) const SCALABLE_FROM: u64 = 67_200;

/// Events that wait for the owner; a session that is not drained takes no more data.
pub(crate) const EVENTS_MOST: usize = 4096;
/// Answers to pings that wait to be sent; more pings than that get none.
pub(crate) const PING_REPLIES_MOST: usize = 4;
/// Forwarded hellos that wait to be sent.
pub(crate) const HELLOS_MOST: usize = 8;
/// Open flows in each direction.
pub(crate) const FLOWS_MOST: usize = 64;
/// Sending flows that linger; identifiers are not used again, so the oldest may be forgotten.
pub(crate) const LINGERING_MOST: usize = 256;
/// Receiving flows that linger; the oldest is forgotten first.
pub(crate) const RECEIVE_LINGERING_MOST: usize = 256;
/// Ranges that a receiving flow remembers beyond its cumulative number. What would need more is
/// not taken, and so sent again later.
pub(crate) const RANGES_MOST: usize = 128;
/// Fragments that wait in one sending flow.
pub(crate) const FRAGMENTS_MOST: usize = 1024;
/// What a buffered fragment costs beside its octets.
pub(crate) const FRAGMENT_OVERHEAD: usize = 64;
/// No sequence number is higher, so that arithmetic with them has room.
pub(crate) const SEQUENCE_MOST: u64 = u64::MAX >> 2;
