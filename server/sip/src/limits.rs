//! Every number of the endpoint that is not a transaction timer, with its reason or its section.

use std::time::Duration;

/// Client transactions alive at once; a request beyond it is not sent. An INVITE's lives for 32
/// seconds behind its 2xx, another one's for 5: room for 200 calls a second, or for the REGISTERs
/// that [`REGISTER_EVERY`] lets go, each with its challenge.
pub(crate) const CLIENT_TRANSACTIONS: usize = 10_240;
/// Server transactions alive at once; a request beyond it is answered 503 without state. Those of
/// a call, INVITE and BYE, live for 32 seconds behind their answer.
pub(crate) const SERVER_TRANSACTIONS: usize = 10_240;
/// Server transactions of one peer's address: one peer cannot take every place.
pub(crate) const SERVER_TRANSACTIONS_PER_PEER: usize = 8_192;
/// How often the ends of transactions that only wait for their end are looked for.
pub(crate) const RESTS_EVERY: Duration = Duration::from_millis(250);
/// Invites alive at once, those that only wait for their last transaction included.
pub(crate) const INVITES: usize = 8_192;
/// Dialogs that one INVITE may open through forking; further ones are ignored.
pub(crate) const FORKS: usize = 16;
/// Accounts at once.
pub(crate) const ACCOUNTS: usize = 16_384;
/// Datagrams waiting to be sent; beyond it they are lost, as on a wire, and counted.
pub(crate) const TRANSMITS: usize = 8192;
/// Peers whose view of our address is remembered.
pub(crate) const LEARNT: usize = 256;
/// Header fields that a command may add to an INVITE.
pub(crate) const EXTRA_HEADERS: usize = 32;
/// Length of one added header field value in octets.
pub(crate) const EXTRA_HEADER_LENGTH: usize = 1024;

/// Hops of a new request (RFC 3261 8.1.1.6).
pub(crate) const MAX_FORWARDS: &str = "70";
/// Answers to challenges within one request: several proxies may challenge in turn, and each may
/// find its nonce stale once.
pub(crate) const CHALLENGES: u8 = 5;

/// How often an unanswered incoming call repeats its 18x, so that proxies keep it (13.3.1.1).
pub(crate) const RING_EVERY: Duration = Duration::from_secs(60);
/// How long the shell may think about a new offer before the peer gets a refusal; well below
/// Timer F, at which an UPDATE dies.
pub(crate) const REOFFER_WAIT: Duration = Duration::from_secs(5);
/// How often a re-INVITE of ours is tried against glare (491, RFC 3261 14.1).
pub(crate) const GLARE_TRIES: u8 = 4;

/// How often, at intervals of T1, an offer of ours is put off while something else is open.
pub(crate) const OFFER_WAITS: u8 = 80;

/// The session interval that we ask for, in seconds (RFC 4028 4).
pub(crate) const SESSION_EXPIRES: u32 = 1800;
/// The shortest session interval, in seconds, by RFC 4028 4 and for us.
pub(crate) const MIN_SE: u32 = 90;
/// The longest Min-SE that is followed, in seconds: beyond a day a timer finds nothing out.
pub(crate) const MIN_SE_CEILING: u32 = 86_400;
/// How often in a row a session interval is raised (422).
pub(crate) const MIN_SE_TRIES: u8 = 3;
/// Shortest pause before a refresh that was refused is tried again.
pub(crate) const REFRESH_AGAIN: Duration = Duration::from_secs(5);

/// How long the peer may take to transfer a call and report, ringing included.
pub(crate) const TRANSFER_PATIENCE: Duration = Duration::from_secs(200);

/// How often one call follows a redirection.
pub(crate) const REDIRECTS: usize = 5;

/// Registrations that may begin at once; further ones take turns, so that a registrar that many
/// accounts have in common is not flooded by our start or its own.
pub(crate) const REGISTERS_AT_ONCE: u32 = 64;
/// The time between two turns: 10 000 accounts of a minute are refreshed 190 times a second.
pub(crate) const REGISTER_EVERY: Duration = Duration::from_millis(2);
/// Shortest time between two REGISTERs of an account that goes well.
pub(crate) const REFRESH_FLOOR: Duration = Duration::from_secs(1);
/// Longest lifetime that a registrar is believed to have granted.
pub(crate) const EXPIRES_CEILING: Duration = Duration::from_secs(86_400);
/// First pause after a failure that may pass (no reply, 5xx).
pub(crate) const RETRY_FIRST: Duration = Duration::from_secs(4);
/// Longest pause after failures that may pass.
pub(crate) const RETRY_LAST: Duration = Duration::from_secs(300);
/// First pause after a refusal (wrong password, forbidden): repeating it soon gets accounts
/// locked and addresses banned.
pub(crate) const REFUSED_FIRST: Duration = Duration::from_secs(60);
/// Longest pause after refusals.
pub(crate) const REFUSED_LAST: Duration = Duration::from_secs(1800);
/// Times that a registrar may raise the lifetime (423) or show us another address in a row.
pub(crate) const REGISTER_CORRECTIONS: u8 = 3;
/// How long an incoming call may go undecided; whoever owns it should be quicker.
pub(crate) const UNANSWERED: Duration = Duration::from_secs(900);
/// INFOs that wait for their turn in one call.
pub(crate) const INFOS: usize = 64;
/// Longest Retry-After that a registration obeys.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(3600);
/// How long a registration stays with a server other than the first one that its name has, before
/// a refresh tries that one again.
pub(crate) const RETURN_AFTER: Duration = Duration::from_secs(600);
/// How long calls try a server that failed behind the others.
pub(crate) const SHUN_FOR: Duration = Duration::from_secs(60);
/// Servers that failed and are remembered.
pub(crate) const SHUNNED: usize = 64;
/// How long the first of several servers may say nothing to an INVITE before the next one has its
/// turn: three repeats by UDP. A visitor does not wait for the 32 seconds of Timer B.
pub(crate) const TARGET_PATIENCE: Duration = Duration::from_secs(4);
/// How long the peer may think about a new offer of ours before it is cancelled.
pub(crate) const REOFFER_PATIENCE: Duration = Duration::from_secs(60);

/// How often a connection of ours is pinged and a way by UDP kept open, before the jitter. Many NATs
/// forget a connection after a minute or two and the way of datagrams after 30 s (RFC 5626 4.4.1
/// and 4.4.2: by UDP 24 to 29 seconds).
pub(crate) const PING_EVERY: Duration = Duration::from_secs(25);
/// The most that is added to it.
pub(crate) const PING_JITTER: Duration = Duration::from_secs(4);
/// How often a provider that wants it is sent OPTIONS, before the jitter: firewalls forget a peer
/// that is silent for 30 seconds.
pub(crate) const OPTIONS_EVERY: Duration = Duration::from_secs(20);
/// The most that is added to it.
pub(crate) const OPTIONS_JITTER: Duration = Duration::from_secs(4);
/// How long the answer to a ping may take (RFC 5626 4.4.1).
pub(crate) const PONG_WITHIN: Duration = Duration::from_secs(10);
/// Answers to pings that wait to be written.
pub(crate) const PONGS: usize = 8;
/// How long a message may take from its first octet to its last.
pub(crate) const MESSAGE_WITHIN: Duration = Duration::from_secs(30);
/// The longest header of a message on a connection, in octets.
pub(crate) const HEADER_LENGTH: usize = 16 * 1024;
/// How long a request that is too long for UDP waits for a connection before it goes by UDP.
pub(crate) const CONNECTION_PATIENCE: Duration = Duration::from_secs(1);
/// How long a server that took no connection is not asked for one again.
pub(crate) const CONNECTIONLESS: Duration = Duration::from_secs(3600);
/// The longest request by UDP in octets, where the path's MTU is not known (RFC 3261 18.1.1).
pub(crate) const DATAGRAM_LENGTH: usize = 1300;
/// Servers that are remembered to take no connections, and connections that are up.
pub(crate) const CONNECTIONS: usize = 512;
/// How long a registration waits after its connection has died, at most: many clients of a server
/// that restarts do not come back at the same instant (RFC 5626 4.5).
pub(crate) const RECONNECT_WITHIN: Duration = Duration::from_secs(1);
