//! What goes into the endpoint and what comes out of it.

use crate::cause::{Cause, CauseKind};
use crate::message::{NameAddr, Uri};
use crate::quirks::Quirks;
use crate::target::Target;
use crate::transaction::Timers;
use base::{AccountId, Secret};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// One use of a dialog for a call. The shell numbers the calls that it places, below
/// [`InviteId::INCOMING`] and never twice; the endpoint numbers those that come in, from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InviteId(pub u64);

impl InviteId {
    /// The first number of incoming calls.
    pub const INCOMING: u64 = 1 << 63;
}

/// Which addresses are talked to besides the registrars and proxies of the accounts and the next
/// hops of calls, which are peers by being named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerPolicy {
    allowed: BTreeSet<IpAddr>,
}

impl PeerPolicy {
    /// These addresses.
    pub fn only(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        PeerPolicy { allowed: addresses.into_iter().map(|ip| ip.to_canonical()).collect() }
    }

    /// Whether an address is among them.
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.allowed.contains(&ip.to_canonical())
    }
}

/// How an endpoint is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The socket's own address; stands in Via and Contact until a peer shows us a better one.
    pub local: SocketAddr,
    /// What User-Agent and Server say; empty: nothing.
    pub user_agent: String,
    /// Who is answered.
    pub peers: PeerPolicy,
    /// Whether INVITEs from outside become calls. False: peers get 480.
    pub accept_incoming: bool,
    /// The base values of the transaction timers.
    pub timers: Timers,
}

/// SIP credentials and their server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The servers that its requests go to, in the order of trying: the outbound proxy's where
    /// there is one, else the registrar's. The next one's turn comes when one does not answer, is
    /// not there or says 503 (RFC 3263 4.3). Each is a peer.
    pub targets: Vec<Target>,
    /// Further addresses that its calls may come from, such as the registrar's own behind an
    /// outbound proxy.
    pub peers: Vec<IpAddr>,
    /// The host part of the address of record and of the registrar's URI.
    pub domain: String,
    /// The user part of the address of record.
    pub username: String,
    /// The name for digest, if it is another.
    pub auth_username: Option<String>,
    /// The password.
    pub password: Secret,
    /// Whether [`Command::SetAccount`] begins to register at once.
    pub register: bool,
    /// The lifetime to ask the registrar for.
    pub expires: Duration,
    /// A proxy that all requests pass, as it stands in their Route.
    pub outbound_proxy: Option<Uri>,
    /// The display name of From.
    pub display_name: Option<String>,
    /// What else its calls say of who calls.
    pub identity: Box<Identity>,
    /// What its provider wants otherwise than the RFCs have it.
    pub quirks: Quirks,
}

/// Who calls, for networks that ask for more than From (RFC 3325, RFC 3323).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user part of From in calls, where it is another than the account's.
    pub from_user: Option<String>,
    /// P-Asserted-Identity, for a provider that trusts us to say it.
    pub asserted: Option<Uri>,
    /// P-Preferred-Identity: which of its own names for us the provider is to assert.
    pub preferred: Option<Uri>,
    /// The callee is not to learn who calls: From is anonymous, and `Privacy: id` asks the
    /// provider to keep what is asserted to itself.
    pub anonymous: bool,
}

/// What the shell orders.
#[derive(Clone, Debug)]
pub enum Command {
    /// Adds an account or changes it. If it is to register, it does so at once.
    SetAccount {
        /// Which.
        account: AccountId,
        /// What it is now.
        settings: Account,
    },
    /// Removes an account; its registration is withdrawn. Its calls go on.
    RemoveAccount {
        /// Which.
        account: AccountId,
    },
    /// Registers an account, or refreshes its registration now.
    Register {
        /// Which.
        account: AccountId,
    },
    /// Withdraws an account's registration.
    Unregister {
        /// Which.
        account: AccountId,
    },
    /// Places a call. Ends with exactly one [`Event::Ended`], whatever happens.
    Invite {
        /// A number not used before.
        invite: InviteId,
        /// The account that calls.
        account: AccountId,
        /// Who is called.
        destination: Uri,
        /// The servers of the next hop, in the order of trying; where the account is registered
        /// at one of them, that one comes first.
        targets: Vec<Target>,
        /// Further header fields; those whose name is not a token beginning with `X-`, or whose
        /// value holds control characters, are left out and counted. One more may be among them,
        /// `User-to-User` (RFC 7433): an even number of hexadecimal digits, at most 256.
        headers: Vec<(String, String)>,
        /// The display name of From, instead of the account's.
        display_name: Option<String>,
        /// The SDP offer.
        offer: Vec<u8>,
    },
    /// The call could go another way: where no server says anything to its INVITE it is to end
    /// after seconds instead of half a minute. To be given right behind `Invite`.
    Hurry {
        /// Which.
        invite: InviteId,
    },
    /// Ends a call in whatever way its state needs: CANCEL, BYE, or a refusal. [`Event::Ended`]
    /// follows at once; what is left to say on the wire is said behind it.
    Hangup {
        /// Which.
        invite: InviteId,
        /// What the event says, and what an unanswered incoming call is refused with.
        cause: CauseKind,
    },
    /// Tells the caller of an incoming call that it rings: 180, or 183 with early media. It is
    /// said reliably where the caller wants it so, and where it brings an answer to a caller that
    /// knows PRACK (RFC 3262).
    Ring {
        /// Which.
        invite: InviteId,
        /// The SDP answer of early media. Where the INVITE had no offer, ours: it is said to callers
        /// that want every response acknowledged, and [`Event::EarlyAnswered`] follows.
        sdp: Option<Vec<u8>>,
    },
    /// Takes an incoming call.
    Answer {
        /// Which.
        invite: InviteId,
        /// The SDP answer; the offer, where the INVITE had none.
        sdp: Vec<u8>,
    },
    /// Refuses an incoming call.
    Reject {
        /// Which.
        invite: InviteId,
        /// 300 to 699; anything else is sent as 480.
        status: u16,
    },
    /// Answers [`Event::Reoffered`].
    AnswerOffer {
        /// Which.
        invite: InviteId,
        /// The SDP, or the status that refuses (300 to 699; anything else is sent as 488).
        sdp: Result<Vec<u8>, u16>,
    },
    /// Makes a new offer in a call that is up (re-INVITE), or before it is taken where the first
    /// offer was answered reliably (UPDATE); [`Event::Reanswered`] follows.
    Reoffer {
        /// Which.
        invite: InviteId,
        /// The SDP offer.
        offer: Vec<u8>,
    },
    /// Sends INFO in a call that is up, after those before it were answered.
    Info {
        /// Which.
        invite: InviteId,
        /// The body's type.
        content_type: String,
        /// The body.
        body: Vec<u8>,
    },
    /// Asks the peer of a call that is up to call somebody else instead (REFER, RFC 3515);
    /// [`Event::Transferred`] follows exactly once.
    Refer {
        /// Which.
        invite: InviteId,
        /// Who is to be called.
        target: Uri,
        /// The call of ours that the new one takes the place of (RFC 3891).
        replaces: Option<InviteId>,
    },
    /// The same where two calls are up and the peer of one is to talk to the peer of the other
    /// (RFC 5589 7.1): the target is the other dialog's remote target, and the new call takes our
    /// place there.
    ReferToCall {
        /// Whose peer is asked.
        invite: InviteId,
        /// The call of ours that the new one takes the place of.
        other: InviteId,
    },
    /// Follows [`Event::Referred`]: a new call to where the peer wants us, of which the peer gets
    /// reports. It is a call like any other, and the one that asked goes on until it is ended.
    FollowReferral {
        /// The call that asked.
        invite: InviteId,
        /// A number not used before, for the new call.
        new: InviteId,
        /// The account that calls.
        account: AccountId,
        /// The servers of the next hop, looked up already, in the order of trying.
        targets: Vec<Target>,
        /// The SDP offer.
        offer: Vec<u8>,
        /// What is offered where that one is refused with 415, 488 or 606; see
        /// [`crate::Endpoint::offered_second`].
        second_offer: Option<Vec<u8>>,
    },
    /// Does not follow [`Event::Referred`].
    RefuseReferral {
        /// The call that asked.
        invite: InviteId,
        /// 300 to 699; anything else is sent as 603.
        status: u16,
    },
    /// Ends every call and withdraws every registration. Afterwards nothing new begins.
    Shutdown,
}

/// What became of a connection to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// It is up.
    Opened,
    /// It could not be made.
    Failed {
        /// Why, for the operator.
        words: String,
    },
    /// It was up and is gone.
    Closed,
}

/// What an account's registration is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistrationState {
    /// A REGISTER is under way and there is no binding yet.
    Registering,
    /// The registrar holds our binding.
    Registered {
        /// Until when, unless refreshed; the endpoint refreshes well before.
        until: Instant,
        /// Our address as the registrar sees it.
        contact: SocketAddr,
    },
    /// It failed; the endpoint tries again by itself.
    Failed {
        /// Why.
        cause: Cause,
        /// How long the pause is.
        retry_after: Duration,
    },
    /// There is none, and none is wanted.
    Unregistered,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// An account's registration changed.
    RegistrationChanged {
        /// Which.
        account: AccountId,
        /// To what.
        state: RegistrationState,
    },
    /// A provisional response other than 100 came.
    Provisional {
        /// Which call.
        invite: InviteId,
        /// 101 to 199.
        status: u16,
        /// The peer's phrase.
        reason: String,
        /// SDP of early media.
        early_sdp: Option<Vec<u8>>,
        /// Which of several phones rings: 1 for the first that was heard, 0 where the response
        /// names none.
        fork: u32,
    },
    /// The call was taken. The endpoint acknowledges by itself and hangs up on other forks.
    Answered {
        /// Which call.
        invite: InviteId,
        /// The SDP answer: the one that came reliably before, or the 2xx's, or the one of the same
        /// fork's early media. None: an UPDATE has changed it since, and what was agreed there
        /// stands.
        sdp: Option<Vec<u8>>,
        /// Who took it.
        remote: NameAddr,
        /// The phone that took it, numbered as in `Provisional`.
        fork: u32,
    },
    /// The peer makes a new offer (re-INVITE or UPDATE). [`Command::AnswerOffer`] is due within
    /// five seconds; after them the endpoint refuses it.
    Reoffered {
        /// Which call.
        invite: InviteId,
        /// The offer; without one the peer asks us for ours.
        sdp: Option<Vec<u8>>,
    },
    /// The outcome of [`Command::Reoffer`]; a refusal leaves the call as it was.
    Reanswered {
        /// Which call.
        invite: InviteId,
        /// The SDP answer, or why there is none.
        sdp: Result<Vec<u8>, Cause>,
    },
    /// The call is over. Exactly once for each.
    Ended {
        /// Which call.
        invite: InviteId,
        /// Why.
        cause: Cause,
    },
    /// Somebody calls us.
    Incoming {
        /// The number that the endpoint gave the call.
        invite: InviteId,
        /// The account that is called, if the Request-URI names one.
        account: Option<AccountId>,
        /// The caller, as it says.
        from: NameAddr,
        /// Who is called (the Request-URI).
        to: Uri,
        /// The SDP offer; without one, `Answer` makes it.
        offer: Option<Vec<u8>>,
        /// The call of ours that this one takes the place of (RFC 3891): one that is up, or that we
        /// placed and that rings. Whoever takes the new one hangs up the old one.
        replaces: Option<InviteId>,
        /// Header fields that begin with `X-`, those that say who calls, and User-to-User.
        headers: Vec<(String, String)>,
    },
    /// The answer to our offer came before the call is taken (RFC 3262 5): in a PRACK.
    EarlyAnswered {
        /// Which call.
        invite: InviteId,
        /// The SDP answer.
        sdp: Vec<u8>,
    },
    /// Our answer arrived: the ACK came.
    Confirmed {
        /// Which call.
        invite: InviteId,
        /// The SDP answer, where the offer was ours and is not answered yet.
        answer: Option<Vec<u8>>,
    },
    /// The peer asks us to call somebody else instead (REFER). [`Command::FollowReferral`] or
    /// [`Command::RefuseReferral`] is due within five seconds; after them the endpoint refuses.
    Referred {
        /// Which call.
        invite: InviteId,
        /// Who is to be called. Whoever decides to follow pays for the call.
        target: Uri,
        /// The new call is to take the place of another at its far end (RFC 3891).
        attended: bool,
        /// On whose behalf, as the peer says (RFC 3892).
        referred_by: Option<NameAddr>,
    },
    /// The outcome of [`Command::Refer`]. The call that asked is still there.
    Transferred {
        /// Which call asked.
        invite: InviteId,
        /// Whether the peer reached the target, or why not.
        outcome: Result<(), Cause>,
    },
    /// A phone that rang will not take the call (199, RFC 6228); others may.
    ForkEnded {
        /// Which call.
        invite: InviteId,
        /// The phone, numbered as in `Provisional`.
        fork: u32,
    },
    /// The peer needs a whole picture (INFO with `picture_fast_update`, RFC 5168).
    PictureRequested {
        /// Which call.
        invite: InviteId,
    },
    /// A keypad digit came by INFO.
    DigitsReceived {
        /// Which call.
        invite: InviteId,
        /// `0` to `9`, `*`, `#`, `A` to `D`.
        digit: char,
        /// How long it was pressed.
        duration: Duration,
    },
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams of addresses that are no peers.
    pub dropped_foreign: u64,
    /// Datagrams that are no SIP message, or one that cannot be answered.
    pub malformed: u64,
    /// Responses that match no transaction, and ACKs that match nothing.
    pub unmatched: u64,
    /// Messages sent again because no reply came.
    pub retransmissions: u64,
    /// Requests that were turned away because a table is full.
    pub overloaded: u64,
    /// Commands that named what is not there, came twice, or could not be carried out.
    pub refused: u64,
    /// Datagrams that the shell did not collect in time.
    pub dropped_transmits: u64,
    /// Requests received, repeats included.
    pub requests: u64,
    /// Responses received, repeats included.
    pub responses: u64,
}
