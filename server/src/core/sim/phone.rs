//! The provider with the shop's phone behind it: our own SIP endpoint as the called side, with a
//! registrar that takes everybody.

use super::altered::Alteration;
use super::sound_scenes::{Tape, Voice};
use super::talk::Talk;
use super::wire::Packet;
use crate::legs::trunk::{Description, apply};
use base::{Codec, Datagram, Protocol, Seed};
use rtp::Received;
use sip::message::{Message, Method, Name, Request, parse};
use sip::{Command, Event, InviteId};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub const PHONE: &str = "198.51.100.20:5060";

/// What becomes of a call.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    /// Not even a provisional response beyond 100.
    Mute,
    Refuses(u16),
    RingsThenRefuses(u16, Duration),
    RingsForEver,
    RingsThenAnswers(Duration),
    /// Sound before the answer.
    EarlyThenAnswers(Duration),
}

/// The provider.
pub struct Phone {
    pub address: SocketAddr,
    pub sip: sip::Endpoint,
    pub talks: BTreeMap<InviteId, Talk>,
    /// What it does with every call; drawn for each where there is none.
    pub manner: Option<Manner>,
    pub codecs: Vec<Codec>,
    pub srtp: sdp::Encryption,
    /// Refuses every offer that has keys.
    pub refuses_keys: bool,
    /// The statuses by which it refuses the next offers inside calls, the last one first.
    pub refuses_offers: Vec<u16>,
    /// Calls whom it is sent to, which has to be itself in another of its calls.
    pub follows: bool,
    /// Stays in a call that another phone has taken over.
    pub stays: bool,
    /// Hears and says nothing at all.
    pub dead: bool,
    /// What it does to what its own calls say.
    pub alters: Option<Alteration>,
    /// Whether those who answer speak.
    pub speaks: bool,
    pub outbox: Vec<Packet>,
    /// INVITEs that became calls, and what is left of talks that are over.
    pub invited: u64,
    pub past: Vec<Talk>,
    /// When a frame was heard last, and its first octet.
    pub heard_last: Option<(Instant, u8)>,
    /// The sound of a frame, by its number; one sound over and over where there is none.
    pub voice: Option<Voice>,
    /// Everything that is said and heard, where somebody wants to know.
    pub tape: Option<Tape>,
    /// Of so many calls in a hundred it is only the proxy: who is called is somebody that has
    /// registered, and the media is theirs.
    pub passes: u64,
    /// It stands in the way of the media of calls that it passes on, towards who called.
    pub stands_between: bool,
    /// What it says of its media then.
    between: Vec<u8>,
    /// The calls that it has passed on: each end's other end.
    passed: BTreeMap<InviteId, InviteId>,
    /// Where accounts that registered can be called.
    pub contacts: Vec<sip::message::Uri>,
    seed: Seed,
    server: SocketAddr,
    next_port: u16,
    next_invite: u64,
}

impl Phone {
    pub fn new(mut seed: Seed, server: SocketAddr) -> Phone {
        let address = PHONE.parse().expect("an address");
        let settings = sip::Settings {
            local: address,
            user_agent: "phone".to_owned(),
            peers: sip::PeerPolicy::only([server.ip(), address.ip()]),
            accept_incoming: true,
            timers: sip::Timers::default(),
        };
        Phone {
            address,
            sip: sip::Endpoint::new(settings, seed.fork()),
            talks: BTreeMap::new(),
            manner: None,
            codecs: Codec::ALL.to_vec(),
            srtp: sdp::Encryption::Off,
            refuses_keys: false,
            refuses_offers: Vec::new(),
            follows: false,
            stays: false,
            dead: false,
            alters: None,
            speaks: true,
            outbox: Vec::new(),
            invited: 0,
            past: Vec::new(),
            heard_last: None,
            voice: None,
            tape: None,
            passes: 0,
            stands_between: false,
            between: Vec::new(),
            passed: BTreeMap::new(),
            contacts: Vec::new(),
            seed,
            server,
            next_port: 30_000,
            next_invite: 0,
        }
    }

    pub fn receive(&mut self, now: Instant, packet: &Packet) {
        if self.dead {
            return;
        }
        if packet.to == self.address {
            match parse(&packet.payload) {
                Ok(Message::Request(request)) if request.method == Method::Register => {
                    self.register(packet.from, &request);
                }
                _ => self.sip.handle_datagram(now, &datagram(packet)),
            }
        } else {
            let port = packet.to.port() & !1;
            let talk = self.talks.values_mut().find(|t| t.description.address.port() == port);
            if let Some(talk) = talk {
                match talk.stream.handle_datagram(now, &datagram(packet), &mut [0; 1500]) {
                    Some(Received::Frame(frame)) => {
                        talk.heard += 1;
                        if let Some(tape) = &mut self.tape {
                            tape.heard.push((now, frame.payload.to_vec()));
                        }
                        self.heard_last = frame.payload.first().map(|level| (now, *level));
                    }
                    Some(Received::Digit(digit)) => talk.digits.push(digit.digit),
                    Some(Received::Noise(_) | Received::Bye) | None => {}
                }
            }
        }
        self.drain(now);
    }

    fn register(&mut self, to: SocketAddr, request: &Request) {
        let mut response = request.response(200, "OK");
        let seconds = request.headers.seconds(&Name::Expires).unwrap_or(3_600);
        for mut contact in request.contacts() {
            self.contacts.retain(|uri| *uri != contact.uri);
            if seconds > 0 {
                self.contacts.push(contact.uri.clone());
            }
            contact.params.set("expires", Some(&seconds.to_string()));
            response.headers.push(Name::Contact, contact.to_string());
        }
        self.outbox.push(Packet { from: self.address, to, payload: response.to_bytes() });
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let talks = self.talks.values().flat_map(|talk| {
            [talk.decided_at.map(|(at, _)| at), talk.speak_at, talk.stream.poll_timeout()]
        });
        talks.flatten().chain(self.sip.poll_timeout()).min()
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.sip.handle_timeout(now);
        for (invite, talk) in &mut self.talks {
            if let Some((_, refusal)) = talk.decided_at.take_if(|(at, _)| *at <= now) {
                talk.decide(now, *invite, refusal, self.speaks, &mut self.sip);
            }
            talk.stream.handle_timeout(now);
            talk.speak(now, self.voice, &mut self.tape, &mut self.outbox);
        }
        self.drain(now);
    }

    /// Hangs up, on one call or all.
    pub fn hang_up(&mut self, now: Instant, invite: InviteId) {
        let cause = sip::CauseKind::Normal;
        self.sip.command(now, Command::Hangup { invite, cause });
        self.drain(now);
    }

    /// Offers the same once more inside a call.
    pub fn reoffer(&mut self, now: Instant, invite: InviteId) {
        let Some(talk) = self.talks.get_mut(&invite) else { return };
        talk.description.version += 1;
        let offer = talk.description.offer().octets().to_vec();
        self.sip.command(now, Command::Reoffer { invite, offer });
        self.drain(now);
    }

    /// Answers now, whatever was planned.
    pub fn answer(&mut self, now: Instant) {
        for talk in self.talks.values_mut() {
            talk.decided_at = Some((now, None));
        }
        self.handle_timeout(now);
    }

    pub fn drain(&mut self, now: Instant) {
        loop {
            while let Some(transmit) = self.sip.poll_transmit() {
                let (from, to) = (self.address, transmit.remote);
                let payload = match &self.alters {
                    Some(alters) => alters.apply(transmit.payload),
                    None => transmit.payload,
                };
                self.outbox.push(Packet { from, to, payload });
            }
            let Some(event) = self.sip.poll_event() else { break };
            let Some(event) = self.pass_on(now, event) else { continue };
            match event {
                Event::Incoming { invite, offer: Some(offer), replaces, .. } => {
                    self.incoming(now, invite, &offer);
                    if let Some(old) = replaces {
                        self.take_over(now, invite, old);
                    }
                }
                Event::Referred { invite, .. } if self.follows => self.follow(now, invite),
                Event::Answered { invite, sdp: Some(sdp), .. } => {
                    if let Some(talk) = self.talks.get_mut(&invite) {
                        talk.taken(now, &sdp, self.speaks);
                    }
                }
                Event::Reoffered { invite, sdp: Some(offer) } => {
                    self.reoffered(now, invite, &offer)
                }
                Event::Ended { invite, .. } => self.past.extend(self.talks.remove(&invite)),
                Event::DigitsReceived { invite, digit, .. } => {
                    if let Some(talk) = self.talks.get_mut(&invite) {
                        talk.digits.push(digit);
                    }
                }
                _ => {}
            }
        }
        for talk in self.talks.values_mut() {
            while let Some(rtp::Event::Digit(digit)) = talk.stream.poll_event(now) {
                talk.digits.push(digit.digit);
            }
            while let Some(transmit) = talk.stream.poll_transmit(now) {
                let (from, to) = (transmit.local, transmit.remote);
                self.outbox.push(Packet { from, to, payload: transmit.payload });
            }
        }
        if self.dead {
            self.outbox.clear();
        }
    }

    /// What happens in a call that is passed on happens at its other end; what happens in another
    /// call is given back.
    fn pass_on(&mut self, now: Instant, event: Event) -> Option<Event> {
        if let Event::Incoming { invite, offer: Some(offer), .. } = &event
            && self.passes > 0
            && self.seed.below(100) < self.passes
            && let Some(contact) = super::flash_plan::pick(&mut self.seed, &self.contacts)
        {
            let other = self.invite(now, &contact, offer.clone());
            if self.stands_between {
                let address = SocketAddr::new(self.address.ip(), 40_000);
                let mut own = Description::new(address, &self.codecs, self.srtp, &mut self.seed);
                self.between = own.answer(offer).map(|(answer, _)| answer).unwrap_or_default();
            }
            self.passed.extend([(*invite, other), (other, *invite)]);
            return None;
        }
        let of = match &event {
            Event::Provisional { invite, .. }
            | Event::Answered { invite, .. }
            | Event::Reoffered { invite, .. }
            | Event::Reanswered { invite, .. }
            | Event::Ended { invite, .. } => *invite,
            _ => return Some(event),
        };
        let Some(invite) = self.passed.get(&of).copied() else { return Some(event) };
        let command = match event {
            Event::Provisional { .. } => Command::Ring { invite, sdp: None },
            Event::Answered { .. } if self.stands_between => {
                Command::Answer { invite, sdp: self.between.clone() }
            }
            Event::Answered { sdp: Some(sdp), .. } => Command::Answer { invite, sdp },
            Event::Reoffered { sdp: Some(offer), .. } => Command::Reoffer { invite, offer },
            Event::Reanswered { sdp, .. } => Command::AnswerOffer {
                invite,
                sdp: sdp.map_err(|cause| cause.status.unwrap_or(488)),
            },
            Event::Ended { cause, .. } => {
                self.passed.remove(&of);
                self.passed.remove(&invite);
                Command::Hangup { invite, cause: cause.kind }
            }
            _ => return None,
        };
        self.sip.command(now, command);
        None
    }

    /// Calls whom it is sent to.
    fn follow(&mut self, now: Instant, invite: InviteId) {
        let account = self.account(now);
        let (new, offer) = self.own_talk();
        let targets = vec![sip::Target::udp(self.address)];
        self.sip.command(
            now,
            Command::FollowReferral { invite, new, account, targets, offer, second_offer: None },
        );
    }

    /// A call that takes the place of another is answered at once.
    fn take_over(&mut self, now: Instant, invite: InviteId, old: InviteId) {
        let Some(talk) = self.talks.get_mut(&invite) else { return };
        talk.decided_at = None;
        talk.decide(now, invite, None, self.speaks, &mut self.sip);
        if !self.stays {
            self.sip.command(now, Command::Hangup { invite: old, cause: sip::CauseKind::Normal });
        }
    }

    /// A call that the phone makes: its number and its offer.
    fn own_talk(&mut self) -> (InviteId, Vec<u8>) {
        let address = SocketAddr::new(self.address.ip(), self.next_port);
        self.next_port += 2;
        let description = Description::new(address, &self.codecs, self.srtp, &mut self.seed);
        let offer = description.offer();
        let octets = offer.octets().to_vec();
        self.next_invite += 1;
        let invite = InviteId(self.next_invite);
        let mut talk = Talk::new(description, &mut self.seed);
        talk.offer = Some(offer);
        self.talks.insert(invite, talk);
        (invite, octets)
    }

    /// The account of its own calls.
    fn account(&mut self, now: Instant) -> base::AccountId {
        let account = base::AccountId(1);
        let settings = sip::Account {
            targets: vec![sip::Target::udp(self.server)],
            peers: Vec::new(),
            domain: self.address.ip().to_string(),
            username: "caller".to_owned(),
            auth_username: None,
            password: base::Secret::new("secret"),
            register: false,
            expires: Duration::from_secs(300),
            outbound_proxy: None,
            display_name: None,
            identity: Box::default(),
            quirks: sip::Quirks::default(),
        };
        self.sip.command(now, Command::SetAccount { account, settings });
        account
    }

    /// Sends an INVITE to somebody who has registered.
    fn invite(&mut self, now: Instant, contact: &sip::message::Uri, offer: Vec<u8>) -> InviteId {
        let account = self.account(now);
        self.next_invite += 1;
        let invite = InviteId(self.next_invite);
        let command = Command::Invite {
            invite,
            account,
            destination: contact.clone(),
            targets: vec![sip::Target::udp(self.server)],
            headers: Vec::new(),
            display_name: Some("Caller".to_owned()),
            offer,
        };
        self.sip.command(now, command);
        invite
    }

    /// Calls somebody who has registered.
    pub fn call(&mut self, now: Instant, contact: &sip::message::Uri) {
        let address = SocketAddr::new(self.address.ip(), self.next_port);
        self.next_port += 2;
        let description = Description::new(address, &self.codecs, self.srtp, &mut self.seed);
        let offer = description.offer();
        let invite = self.invite(now, contact, offer.octets().to_vec());
        let mut talk = Talk::new(description, &mut self.seed);
        talk.offer = Some(offer);
        self.talks.insert(invite, talk);
        self.drain(now);
    }

    /// The far end has a new offer, as for hold. A phone of this kind speaks on all the same.
    fn reoffered(&mut self, now: Instant, invite: InviteId, offer: &[u8]) {
        let Some(talk) = self.talks.get_mut(&invite) else { return };
        if let Some(status) = self.refuses_offers.pop() {
            return self.sip.command(now, Command::AnswerOffer { invite, sdp: Err(status) });
        }
        let answer = talk.description.answer(offer);
        if let Ok((_, negotiated)) = &answer {
            apply(&mut talk.stream, negotiated);
        }
        let sdp = answer.map(|(answer, _)| answer).map_err(|_| 488);
        self.sip.command(now, Command::AnswerOffer { invite, sdp });
    }

    fn incoming(&mut self, now: Instant, invite: InviteId, offer: &[u8]) {
        self.invited += 1;
        if self.refuses_keys && String::from_utf8_lossy(offer).contains("a=crypto:") {
            return self.sip.command(now, Command::Reject { invite, status: 488 });
        }
        let manner = self.manner.unwrap_or_else(|| any_manner(&mut self.seed));
        let (ring, early, decided_at) = match manner {
            Manner::Refuses(status) => {
                return self.sip.command(now, Command::Reject { invite, status });
            }
            Manner::Mute => (false, false, None),
            Manner::RingsForEver => (true, false, None),
            Manner::RingsThenRefuses(status, after) => (true, false, Some((after, Some(status)))),
            Manner::RingsThenAnswers(after) => (true, false, Some((after, None))),
            Manner::EarlyThenAnswers(after) => (true, true, Some((after, None))),
        };
        let address = SocketAddr::new(self.address.ip(), self.next_port);
        self.next_port += 2;
        let mut description = Description::new(address, &self.codecs, self.srtp, &mut self.seed);
        let Ok((answer, negotiated)) = description.answer(offer) else {
            return self.sip.command(now, Command::Reject { invite, status: 488 });
        };
        let mut talk = Talk::new(description, &mut self.seed);
        apply(&mut talk.stream, &negotiated);
        talk.codec = negotiated.codec;
        talk.answer.clone_from(&answer);
        talk.decided_at = decided_at.map(|(after, refusal)| (now + after, refusal));
        talk.speak_at = (early && self.speaks).then_some(now);
        self.talks.insert(invite, talk);
        if ring {
            let sdp = early.then_some(answer);
            self.sip.command(now, Command::Ring { invite, sdp });
        }
    }
}

pub fn datagram(packet: &Packet) -> Datagram<'_> {
    Datagram {
        protocol: Protocol::Udp,
        local: packet.to,
        remote: packet.from,
        payload: &packet.payload,
    }
}

fn any_manner(seed: &mut Seed) -> Manner {
    let after = Duration::from_millis(seed.below(8_000));
    let status = [302, 403, 404, 408, 480, 486, 487, 488, 500, 503, 603][seed.below(11) as usize];
    match seed.below(10) {
        0 => Manner::Mute,
        1 => Manner::Refuses(status),
        2 => Manner::RingsThenRefuses(status, after),
        3 => Manner::RingsForEver,
        4 => Manner::EarlyThenAnswers(after),
        _ => Manner::RingsThenAnswers(after / 2),
    }
}
