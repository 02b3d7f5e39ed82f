//! All browser peers behind one port.

use crate::answer::{LocalSide, answer};
use crate::candidate::{CANDIDATES_MAX, LocalCandidate};
use crate::engine::{Certificate, Shared};
use crate::error::{AcceptError, SendError, SetupError};
use crate::event::{Event, PeerId};
use crate::ice::{Credentials, IceLite, Path};
use crate::negotiation::Negotiated;
use crate::offer::Offer;
use crate::peer::{Fate, Outbox, Patience, Peer};
use crate::statistics::{Counters, Statistics};
use base::{Codec, Datagram, Frame, Protocol, Seed, Transmit};
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::ice::StunMessage;

/// The soonest that a peer is looked at again: no peer can keep the driver awake.
const TICK: Duration = Duration::from_millis(1);
/// The magic cookie of STUN (RFC 8489 5).
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// What an endpoint is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our addresses, the most wanted first; 1 to 32.
    pub candidates: Vec<LocalCandidate>,
    /// The certificate; several endpoints may share one.
    pub certificate: Certificate,
    /// The most peers at one time.
    pub peers_max: usize,
    /// How long a peer may take from its offer to the complete handshake.
    pub connect_within: Duration,
    /// How long a connected peer may send no check (RFC 7675: 30 s at most).
    pub consent_for: Duration,
}

impl Settings {
    /// The usual settings for these addresses.
    pub fn new(candidates: Vec<LocalCandidate>, certificate: Certificate) -> Settings {
        Settings {
            candidates,
            certificate,
            peers_max: 4_096,
            connect_within: Duration::from_secs(30),
            consent_for: Duration::from_secs(25),
        }
    }
}

/// What an answer is made with.
#[derive(Clone, Copy, Debug)]
pub struct AcceptSettings<'a> {
    /// The codecs to answer with in this order; the browser sends with the first that it offered.
    pub codecs: &'a [Codec],
    /// The page is on this machine or network: it also gets private and loopback candidates.
    pub local_page: bool,
}

/// The endpoint. See the crate's first page for the way in which it is driven.
pub struct Endpoint {
    settings: Settings,
    shared: Shared,
    seed: Seed,
    peers: HashMap<PeerId, Box<Peer>>,
    /// Validated remote addresses.
    addresses: HashMap<(Protocol, SocketAddr), PeerId>,
    /// Our user name fragments.
    fragments: HashMap<String, PeerId>,
    /// One entry for each peer: its `scheduled_at`.
    deadlines: BTreeSet<(Instant, PeerId)>,
    out: Outbox,
}

impl Endpoint {
    /// An endpoint without peers.
    pub fn new(settings: Settings, seed: Seed) -> Result<Endpoint, SetupError> {
        if settings.candidates.is_empty() || settings.candidates.len() > CANDIDATES_MAX {
            return Err(SetupError::CandidateCount);
        }
        if !settings.candidates.iter().all(LocalCandidate::is_usable) {
            return Err(SetupError::UnusableCandidate);
        }
        let shared = Shared::new(settings.certificate.clone());
        Ok(Endpoint {
            settings,
            shared,
            seed,
            peers: HashMap::new(),
            addresses: HashMap::new(),
            fragments: HashMap::new(),
            deadlines: BTreeSet::new(),
            out: Outbox::default(),
        })
    }

    /// Takes a browser's offer and gives the answer at once. `peer` must be new.
    pub fn accept(
        &mut self,
        now: Instant,
        peer: PeerId,
        offer: &str,
        settings: &AcceptSettings<'_>,
    ) -> Result<String, AcceptError> {
        let result = self.try_accept(now, peer, offer, settings);
        match result {
            Ok(_) => self.out.counters.accepted += 1,
            Err(_) => self.out.counters.refused += 1,
        }
        result
    }

    fn try_accept(
        &mut self,
        now: Instant,
        id: PeerId,
        offer: &str,
        settings: &AcceptSettings<'_>,
    ) -> Result<String, AcceptError> {
        if self.peers.contains_key(&id) {
            return Err(AcceptError::PeerExists);
        }
        if self.peers.len() >= self.settings.peers_max {
            return Err(AcceptError::Full);
        }
        let offer = Offer::parse(offer)?;
        let negotiated = Negotiated::new(&offer, settings.codecs)?;
        let candidates = self.candidates(settings.local_page)?;
        let local = self.fresh_credentials();
        let ice = IceLite::new(local.clone(), negotiated.remote.clone());
        let peer = Box::new(Peer::new(now, id, &mut self.seed, ice, negotiated));
        let text = self.write_answer(&offer, &peer, &candidates);
        self.fragments.insert(local.fragment, id);
        self.peers.insert(id, peer);
        self.schedule(now, id);
        Ok(text)
    }

    /// Takes a later offer of the same peer: new ICE credentials are an ICE restart (RFC 8445 9),
    /// and `settings` may order the codecs anew. Sound goes on meanwhile. An error changes nothing.
    pub fn restart(
        &mut self,
        now: Instant,
        peer: PeerId,
        offer: &str,
        settings: &AcceptSettings<'_>,
    ) -> Result<String, AcceptError> {
        let offer = Offer::parse(offer)?;
        let later = Negotiated::new(&offer, settings.codecs)?;
        let candidates = self.candidates(settings.local_page)?;
        let known = self.peers.get(&peer).ok_or(AcceptError::UnknownPeer)?;
        if !known.negotiated.continues(&later) {
            return Err(AcceptError::NotTheSamePeer);
        }
        let restarts = *known.ice.remote() != later.remote;
        let fresh = self.fresh_credentials();
        let Some(known) = self.peers.get_mut(&peer) else { return Err(AcceptError::UnknownPeer) };
        known.version += 1;
        known.negotiated.answered = later.answered;
        known.negotiated.direction = later.direction;
        if restarts {
            let fragment = fresh.fragment.clone();
            let retired = known.ice.restart(fresh, later.remote);
            if let Some(retired) = retired {
                self.fragments.remove(&retired);
            }
            self.fragments.insert(fragment, peer);
        }
        let known = self.peers.get(&peer).ok_or(AcceptError::UnknownPeer)?;
        let text = self.write_answer(&offer, known, &candidates);
        self.schedule(now, peer);
        Ok(text)
    }

    /// A datagram from the UDP port or one message from an ICE-TCP connection. What belongs to
    /// nobody is counted and dropped.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &Datagram<'_>) {
        // RFC 7983: the first octet tells the protocols apart.
        match datagram.payload.first() {
            Some(0..=3) => self.handle_stun(now, datagram),
            Some(20..=63 | 128..=191) => {
                let Some(id) = self.addresses.get(&(datagram.protocol, datagram.remote)) else {
                    self.out.counters.stray_packets += 1;
                    return;
                };
                let id = *id;
                let Some(peer) = self.peers.get_mut(&id) else { return };
                let fate = peer.handle_packet(now, &self.shared, datagram.payload, &mut self.out);
                self.settle(now, id, fate);
            }
            _ => self.out.counters.unknown += 1,
        }
    }

    fn handle_stun(&mut self, now: Instant, datagram: &Datagram<'_>) {
        // A look at the cookie first: parsing makes an error text for what is not STUN.
        let message = match datagram.payload.get(4..8) {
            Some(cookie) if cookie == COOKIE => StunMessage::parse(datagram.payload).ok(),
            _ => None,
        };
        let message = message.filter(StunMessage::is_binding_request);
        let fragment = message.as_ref().and_then(|message| Some(message.split_username()?.0));
        let id = fragment.and_then(|fragment| self.fragments.get(fragment)).copied();
        let (Some(message), Some(id)) = (&message, id) else {
            self.out.counters.stray_checks += 1;
            return;
        };
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(checked) = peer.ice.handle_check(now, &self.shared.crypto, datagram, message)
        else {
            self.out.counters.forged_checks += 1;
            return;
        };
        self.out.counters.checks += 1;
        self.out.send(checked.reply);
        if checked.moved {
            peer.moved(&mut self.out);
        }
        if let Some(path) = checked.removed {
            self.forget(id, &path);
        }
        self.claim(now, id, (datagram.protocol, datagram.remote));
        if let Some(fragment) = checked.retired {
            self.fragments.remove(&fragment);
        }
    }

    /// An ICE-TCP connection is closed; nothing more can go over it.
    pub fn connection_closed(&mut self, now: Instant, local: SocketAddr, remote: SocketAddr) {
        let Some(id) = self.addresses.get(&(Protocol::Tcp, remote)).copied() else { return };
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let before = peer.ice.selected().copied();
        let Some(path) = peer.ice.connection_closed(local, remote) else { return };
        if before == Some(path) && peer.ice.selected().is_some() {
            peer.moved(&mut self.out);
        }
        self.forget(id, &path);
        self.schedule(now, id);
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((at, id)) = self.deadlines.first().copied() {
            if at > now {
                break;
            }
            self.deadlines.pop_first();
            let patience = self.patience();
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            peer.scheduled_at = None;
            let fate = peer.handle_timeout(now, &self.shared, patience, &mut self.out);
            self.settle(now, id, fate);
        }
    }

    /// When to call [`Endpoint::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.transmits.pop_front()
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.out.events.pop_front()
    }

    /// Sends a frame to a browser. Numbers and times are mapped onto its one stream, so frames may
    /// come from changing sources; a codec outside the answer is refused.
    pub fn send_frame(
        &mut self,
        now: Instant,
        peer: PeerId,
        frame: &Frame<'_>,
    ) -> Result<(), SendError> {
        let known = self.peers.get_mut(&peer).ok_or(SendError::UnknownPeer)?;
        known.send_frame(now, frame, &mut self.out)
    }

    /// Takes back the payload of a transmit or a frame that has been dealt with, for the next one:
    /// with it, packets of sound allocate nothing.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        self.out.recycle(buffer);
    }

    /// Ends a peer: RTCP BYE and DTLS close_notify go out, and no event follows.
    pub fn close(&mut self, now: Instant, peer: PeerId) {
        if let Some(known) = self.peers.get_mut(&peer) {
            let events = self.out.events.len();
            known.close(now, &mut self.out);
            self.out.events.truncate(events);
            self.remove(peer);
        }
    }

    /// Figures of a peer, until its last event.
    pub fn statistics(&self, peer: PeerId) -> Option<Statistics> {
        self.peers.get(&peer).map(|peer| peer.statistics())
    }

    /// Figures of the endpoint.
    pub fn counters(&self) -> Counters {
        self.out.counters
    }

    /// The number of peers.
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    /// Whether frames can go to a peer.
    pub fn is_connected(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_some_and(|peer| peer.is_connected())
    }

    /// How a peer is reached, once a check has come.
    pub fn protocol(&self, peer: PeerId) -> Option<Protocol> {
        self.peers.get(&peer)?.protocol()
    }

    /// The way to a peer, ours first, once a check has come.
    pub fn path(&self, peer: PeerId) -> Option<(Protocol, SocketAddr, SocketAddr)> {
        let path = self.peers.get(&peer)?.ice.selected()?;
        Some((path.protocol, path.local, path.remote))
    }

    /// The codecs of a peer's answer, in its order.
    pub fn codecs(&self, peer: PeerId) -> impl Iterator<Item = Codec> {
        let answered = self.peers.get(&peer).map(|peer| peer.negotiated.answered.as_slice());
        answered.unwrap_or_default().iter().filter_map(|payload| payload.codec())
    }

    fn candidates(&self, local_page: bool) -> Result<Vec<LocalCandidate>, AcceptError> {
        let all = self.settings.candidates.iter();
        let reachable: Vec<_> = all.filter(|c| local_page || !c.local_only).copied().collect();
        if reachable.is_empty() { Err(AcceptError::NoReachableCandidate) } else { Ok(reachable) }
    }

    fn fresh_credentials(&mut self) -> Credentials {
        loop {
            let credentials = Credentials::generate(&mut self.seed);
            if !self.fragments.contains_key(&credentials.fragment) {
                return credentials;
            }
        }
    }

    fn write_answer(
        &self,
        offer: &Offer<'_>,
        peer: &Peer,
        candidates: &[LocalCandidate],
    ) -> String {
        let local = LocalSide {
            session: peer.session,
            version: peer.version,
            credentials: peer.ice.local(),
            fingerprint: &self.shared.fingerprint,
            candidates,
            ssrc: peer.ssrc,
            cname: &peer.cname,
        };
        answer(offer, &peer.negotiated, &local)
    }

    fn patience(&self) -> Patience {
        let Settings { connect_within, consent_for, .. } = self.settings;
        Patience { connect_within, consent_for }
    }

    fn settle(&mut self, now: Instant, id: PeerId, fate: Fate) {
        match fate {
            Fate::Stays => self.schedule(now, id),
            Fate::Goes => self.remove(id),
        }
    }

    /// Moves a peer's entry only when it has to wake sooner. Deadlines mostly move away with every
    /// packet; waking once too early costs less than moving an entry for each of them.
    fn schedule(&mut self, now: Instant, id: PeerId) {
        let patience = self.patience();
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let at = peer.deadline(patience).max(now + TICK);
        match peer.scheduled_at {
            Some(scheduled) if scheduled <= at => return,
            Some(scheduled) => {
                self.deadlines.remove(&(scheduled, id));
            }
            None => {}
        }
        peer.scheduled_at = Some(at);
        self.deadlines.insert((at, id));
    }

    fn remove(&mut self, id: PeerId) {
        let Some(peer) = self.peers.remove(&id) else { return };
        if let Some(at) = peer.scheduled_at {
            self.deadlines.remove(&(at, id));
        }
        for fragment in peer.ice.fragments() {
            self.fragments.remove(fragment);
        }
        for path in peer.ice.paths() {
            let key = (path.protocol, path.remote);
            if self.addresses.get(&key) == Some(&id) {
                self.addresses.remove(&key);
            }
        }
    }

    /// Makes an address a peer's. An address on which another peer's checks are living stays with
    /// that one: a visitor who forges the sender of his checks must not take away its packets.
    fn claim(&mut self, now: Instant, id: PeerId, key: (Protocol, SocketAddr)) {
        let owner = self.addresses.get(&key).copied();
        if owner == Some(id) {
            return;
        }
        let owner = owner.and_then(|owner| self.peers.get(&owner));
        if owner.is_some_and(|owner| owner.ice.is_living(now, key)) {
            self.out.counters.contested += 1;
        } else {
            self.addresses.insert(key, id);
        }
    }

    /// Drops an address that was one peer's, unless another path of it or another peer uses it.
    fn forget(&mut self, id: PeerId, path: &Path) {
        let key = (path.protocol, path.remote);
        let used = self.peers.get(&id).is_some_and(|peer| {
            peer.ice.paths().iter().any(|other| (other.protocol, other.remote) == key)
        });
        if !used && self.addresses.get(&key) == Some(&id) {
            self.addresses.remove(&key);
        }
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Endpoint({} peers)", self.peers.len())
    }
}
