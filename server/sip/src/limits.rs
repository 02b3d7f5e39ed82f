//! Every number of the endpoint that is not a transaction timer, with its reason or its section.

use std::time::Duration;

/// Client transactions alive at once; a request beyond it is not sent.
pub(crate) const CLIENT_TRANSACTIONS: usize = 1536;
/// Server transactions alive at once; a request beyond it is answered 503 without state.
pub(crate) const SERVER_TRANSACTIONS: usize = 2560;
/// Server transactions of one peer's address: one peer cannot take every place.
pub(crate) const SERVER_TRANSACTIONS_PER_PEER: usize = 2048;
/// Invites alive at once, those that only wait for their last transaction included.
pub(crate) const INVITES: usize = 1024;
/// Dialogs that one INVITE may open through forking; further ones are ignored.
pub(crate) const FORKS: usize = 16;
/// Accounts at once.
pub(crate) const ACCOUNTS: usize = 256;
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
/// How long the peer may think about a new offer of ours before it is cancelled.
pub(crate) const REOFFER_PATIENCE: Duration = Duration::from_secs(60);
