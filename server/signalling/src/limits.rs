//! All numbers of the signalling in one place.

use std::time::Duration;

/// The longest message in octets either way: an offer with many codecs is under 10 KB.
pub const MESSAGE_OCTETS: usize = 32 * 1024;
/// Messages a second that a page may send in the long run.
pub const MESSAGES_PER_SECOND: u32 = 20;
/// Messages that a page may send at once after a quiet time.
pub const MESSAGES_BURST: u32 = 60;
/// Messages that wait for the other end's acknowledgement.
pub const OUTBOX_MESSAGES: usize = 128;
/// Calls that one page may have at once: one that talks, and one that waits or rings.
pub const CALLS_PER_LINK: usize = 2;
/// The server numbers calls that come in from here on; a page's own numbers are below.
pub const FIRST_INCOMING: u32 = 1 << 31;
/// Digits in one message.
pub const DIGITS: usize = 32;
/// Page headers in one call.
pub const HEADERS: usize = 8;
/// The longest name or value of a page header, in octets.
pub const HEADER_OCTETS: usize = 256;
/// The longest uri, user name, registrar, or page address, in octets.
pub const TEXT_OCTETS: usize = 512;
/// How often a page sends a heartbeat when it has nothing else to say.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(5);
/// After this long without a word the other end is taken for gone and the socket is closed.
pub const LINK_SILENCE: Duration = Duration::from_secs(15);
/// How long a link without a socket waits for the page to come back.
pub const LINK_RESUME: Duration = Duration::from_secs(20);
/// The first wait before a page opens a new socket; it doubles each time.
pub const RECONNECT_FIRST: Duration = Duration::from_millis(250);
/// The longest wait before a page opens a new socket.
pub const RECONNECT_LONGEST: Duration = Duration::from_secs(8);
