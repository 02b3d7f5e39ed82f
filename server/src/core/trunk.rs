//! The trunk's side of a call: its media, offers inside a call, and calls that come in.

use super::Core;
use super::calls::{NewCall, Party, VisitorLeg};
use super::flash::Flash;
use super::quality;
use super::rows::Facts;
use super::visitors::{CALLS_IN_ALL, WEBPHONE_DURATION};
use crate::legs::{self, trunk::Description};
use crate::net::{Pair, Wire};
use base::{AccountId, CallId, Codec, LinkId, Private};
use bridge::{Bridge, Side};
use call::{Call, LegEvent, Limits};
use rtp::StreamEnd;
use signalling::{CallState, Direction, limits};
use sip::{InviteId, RegistrationState};
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

/// The name that a caller's display name may have, in octets.
const NAME_OCTETS: usize = 128;

/// How an account describes its sound.
#[derive(Clone, Copy, Debug)]
pub(super) struct SoundForm {
    pub encryption: sdp::Encryption,
    pub rtcp_mux: bool,
}

/// What a call has towards the provider before anything is said.
pub(super) struct TrunkMedia {
    pub pair: Pair,
    pub description: Description,
    pub stream: StreamEnd,
    pub bridge: Bridge,
}

/// A call that comes in.
pub(super) struct Caller<'a> {
    pub invite: InviteId,
    pub account: Option<AccountId>,
    pub from: &'a sip::message::NameAddr,
    pub offer: Option<&'a [u8]>,
}

impl<W: Wire> Core<W> {
    /// Opens what a call needs towards the provider. `seen`: where the registrar sees us.
    pub(super) fn open_media(
        &mut self,
        codecs: &[Codec],
        form: SoundForm,
        seen: Option<SocketAddr>,
    ) -> io::Result<TrunkMedia> {
        let pair = self.pool.open(&mut self.wire)?;
        let description = self.describe(pair.address, codecs, form, seen);
        let unspecified = SocketAddr::new(std::net::Ipv4Addr::UNSPECIFIED.into(), 0);
        let stream = StreamEnd::new(
            rtp::StreamSettings {
                local_rtp: pair.address,
                local_rtcp: Some(SocketAddr::new(pair.address.ip(), pair.address.port() + 1)),
                remote: rtp::Remote { rtp: unspecified, rtcp: unspecified, mux: false },
                payloads: rtp::PayloadMap::default(),
                cname: self.seed.token(16),
            },
            &mut self.seed,
        );
        Ok(TrunkMedia { pair, description, stream, bridge: Bridge::new(&mut self.seed) })
    }

    /// What we say of media at this address.
    pub(super) fn describe(
        &mut self,
        local: SocketAddr,
        codecs: &[Codec],
        form: SoundForm,
        seen: Option<SocketAddr>,
    ) -> Description {
        let public = self.config.listen.public_ip;
        let media = legs::trunk::media_address(local, self.sip_address, seen, public);
        let described = Description::new(media, codecs, form.encryption, &mut self.seed);
        Description { rtcp_mux: form.rtcp_mux, ..described }
    }

    /// An account's codecs, how it describes its sound, and where its server sees us. A trunk without
    /// a registration has said so by its answers to earlier calls, if there were any.
    pub(super) fn account_media(
        &mut self,
        account: AccountId,
    ) -> Option<(Vec<Codec>, SoundForm, Option<SocketAddr>)> {
        let entry = self.accounts.entry(account)?;
        let seen = match entry.state {
            RegistrationState::Registered { contact, .. } => Some(contact),
            _ => self.sip.seen_at(account),
        };
        let settings = &entry.settings;
        let rtcp_mux = !settings.quirks.has(sip::Quirk::NoRtcpMux);
        let form = SoundForm { encryption: settings.srtp, rtcp_mux };
        Some((settings.codecs.clone(), form, seen))
    }

    /// What the provider of a call wants otherwise.
    pub(super) fn quirks(&mut self, id: CallId) -> sip::Quirks {
        let account = self.calls.entry(id).map(|active| active.account);
        let account = account.and_then(|account| self.accounts.entry(account));
        account.map(|entry| entry.settings.quirks).unwrap_or_default()
    }

    /// Somebody calls an account: it rings at the page that registered it, or is refused.
    pub(super) fn handle_incoming(&mut self, now: Instant, caller: &Caller<'_>) {
        let invite = caller.invite;
        if let Err(status) = self.ring(now, caller) {
            self.sip.command(now, sip::Command::Reject { invite, status });
        }
    }

    fn ring(&mut self, now: Instant, caller: &Caller<'_>) -> Result<(), u16> {
        // The shop's own accounts call; it is pages that can be called.
        let account = caller.account.ok_or(404u16)?;
        let account = self.accounts.called(account).ok_or(480u16)?;
        let link = self.accounts.entry(account).and_then(|entry| entry.link).ok_or(480u16)?;
        let (page_call, leg) = self.next_incoming(link).ok_or(480u16)?;
        let rung = self.ring_at(now, caller, account, link, (page_call, leg));
        if let (Err(_), VisitorLeg::Flash { session, call }) = (&rung, leg) {
            self.end_talk(session, call);
        }
        rung
    }

    /// Rings at a page; `at`: its number for the call, and its leg.
    fn ring_at(
        &mut self,
        now: Instant,
        caller: &Caller<'_>,
        account: AccountId,
        link: LinkId,
        at: (u32, VisitorLeg),
    ) -> Result<(), u16> {
        let (page_call, leg) = at;
        let page = self.links.get(&link).ok_or(480u16)?.page.clone();
        let (codecs, form, seen) = self.account_media(account).ok_or(480u16)?;
        let limits = Limits {
            per_button: CALLS_IN_ALL,
            per_link: limits::CALLS_PER_LINK as u32,
            in_all: CALLS_IN_ALL,
        };
        self.policy.enter("", link, limits).map_err(|refusal| match refusal {
            call::Refusal::Draining => 503u16,
            _ => 486,
        })?;
        let opened = self.open_media(&codecs, form, seen).map_err(|_| 503);
        let described = opened.and_then(|mut media| {
            let Some(offer) = caller.offer else {
                // We make the offer when the visitor answers, and the ACK brings the answer.
                let ours = media.description.offer().octets().to_vec();
                return Ok((media, ours, None));
            };
            match media.description.answer(offer) {
                Ok((answer, negotiated)) => Ok((media, answer, Some(negotiated))),
                Err(error) => {
                    self.pool.rest(now, media.pair);
                    Err(error.status())
                }
            }
        });
        let (media, answer, negotiated) = described.inspect_err(|_| self.policy.leave("", link))?;
        let TrunkMedia { pair, description, mut stream, bridge } = media;
        if let Some(negotiated) = &negotiated {
            legs::trunk::apply(&mut stream, negotiated);
        }
        let id = CallId(caller.invite.0);
        let new = NewCall {
            link,
            page_call,
            button: String::new(),
            account,
            party: party(caller.from),
            call: Call::incoming(now, call::Settings { max_duration: WEBPHONE_DURATION }),
            offer: description.offer(),
            description,
            stream,
            pair,
            bridge,
            quality_at: now + quality::EVERY,
            facts: Facts::new(now, (self.calendar)(), String::new(), page),
        };
        self.calls.insert(id, new);
        self.begin_trace(now, id, leg);
        self.name_trace(id);
        self.published_at = None;
        super::metrics::bump(&self.metrics.calls_started_total);
        let offer = caller.offer.is_none().then(|| answer.clone());
        if let Some(active) = self.calls.entry(id) {
            active.answer = Some(answer);
            active.visitor = leg;
            active.facts.trunk_codec = negotiated.as_ref().map(|negotiated| negotiated.codec);
            // The bridge stays open until the visitor answers: before that nobody may be heard,
            // and silence is no reason to end the call.
            active.negotiated = negotiated;
        }
        // Our offer, for a caller that can be told nothing without it.
        self.sip.command(now, sip::Command::Ring { invite: caller.invite, sdp: offer });
        tracing::info!(call = id.0, "a call comes in");
        self.touched.insert(id);
        Ok(())
    }

    /// The provider has described its media, early or for good.
    pub(super) fn trunk_described(
        &mut self,
        now: Instant,
        id: CallId,
        body: &[u8],
    ) -> Result<(), sdp::SdpError> {
        let Some(active) = self.calls.entry(id) else { return Ok(()) };
        let negotiated = sdp::accept_answer(&active.offer, body)?;
        if !legs::trunk::apply(&mut active.stream, &negotiated) {
            return Err(sdp::SdpError::Transport);
        }
        self.connect_bridge(now, id, negotiated);
        Ok(())
    }

    /// The provider has described its media for good, in an answer to our offer. False where that
    /// cannot be used: the call ends then, and says why.
    pub(super) fn trunk_agreed(&mut self, now: Instant, id: CallId, answer: &[u8]) -> bool {
        let Err(error) = self.trunk_described(now, id, answer) else { return true };
        self.description_useless(now, id, error);
        false
    }

    fn description_useless(&mut self, now: Instant, id: CallId, error: sdp::SdpError) {
        tracing::warn!(call = id.0, %error, "the phone's SDP cannot be used");
        self.traces.note(now, id, trace::What::DescriptionRefused { why: error.to_string() });
        self.call_event(now, id, LegEvent::Stop(legs::trunk::useless(error)));
    }

    /// The answer to our offer has come while a call rings at its page. Nobody may be heard before
    /// the visitor has answered.
    pub(super) fn answered_early(&mut self, now: Instant, id: CallId, answer: &[u8]) {
        let Some(active) = self.calls.entry(id) else { return };
        if active.answer.is_none() {
            self.trunk_agreed(now, id, answer);
            return;
        }
        let negotiated = sdp::accept_answer(&active.offer, answer).and_then(|negotiated| {
            let fits = legs::trunk::apply(&mut active.stream, &negotiated);
            fits.then_some(negotiated).ok_or(sdp::SdpError::Transport)
        });
        match negotiated {
            Ok(negotiated) => {
                active.facts.trunk_codec = Some(negotiated.codec);
                active.negotiated = Some(negotiated);
            }
            Err(error) => self.description_useless(now, id, error),
        }
    }

    /// Asks once more, without encryption, where a refusal may have been for its offer.
    pub(super) fn ask_in_the_clear(
        &mut self,
        now: Instant,
        id: CallId,
        cause: &sip::Cause,
    ) -> bool {
        let Some(active) = self.calls.entry(id) else { return false };
        let offered = active.description.encryption == sdp::Encryption::Offered;
        let over = active.call.state() == CallState::Ended;
        if over || !offered || !legs::trunk::may_refuse_encryption(cause.status) {
            return false;
        }
        let Some(again) = active.again.take() else { return false };
        active.description.encryption = sdp::Encryption::Off;
        active.offer = active.description.reoffer(sdp::Direction::SendReceive, None);
        let invite = active.next_invite(id);
        let hurried = active.others.is_some();
        let offer = active.offer.octets().to_vec();
        tracing::info!(call = id.0, "encryption is refused: the call goes on without it");
        self.invite(now, invite, again.way, again.headers, offer, hurried);
        self.name_trace_by(id, invite);
        self.touched.insert(id);
        true
    }

    /// The provider makes a new offer inside the call.
    pub(super) fn reoffered(&mut self, now: Instant, invite: InviteId, offer: Option<Vec<u8>>) {
        let id = self.calls.of_invite(invite);
        let Some(active) = self.calls.entry(id) else { return };
        let direction = direction(active.call.state() == CallState::Held);
        let answer = match offer {
            // Without an offer the peer asks for ours; its answer comes with the ACK.
            None => {
                let offer = active.description.reoffer(direction, active.negotiated.as_ref());
                active.offer = offer;
                Ok(active.offer.octets().to_vec())
            }
            Some(offer) => match active.description.reanswer(&offer, direction) {
                Ok((body, negotiated)) => {
                    legs::trunk::apply(&mut active.stream, &negotiated);
                    if active.waits_for_answer() {
                        active.negotiated = Some(negotiated);
                    } else {
                        self.connect_bridge(now, id, negotiated);
                    }
                    Ok(body)
                }
                Err(error) => {
                    tracing::info!(call = id.0, %error, "a new offer of the phone is refused");
                    Err(488)
                }
            },
        };
        self.sip.command(now, sip::Command::AnswerOffer { invite, sdp: answer });
    }

    /// Joins both sides as they are described now.
    pub(super) fn connect_bridge(&mut self, now: Instant, id: CallId, negotiated: sdp::Negotiated) {
        let Some(active) = self.calls.entry(id) else { return };
        let codec = negotiated.codec;
        let accepts = legs::trunk::accepted(&negotiated);
        active.facts.trunk_codec = Some(codec);
        active.negotiated = Some(negotiated);
        let (account, leg) = (active.account, active.visitor);
        let trunk = bridge::PortSettings { send: codec, accepts: accepts.into() };
        let answered = self.visitor_codecs(leg);
        let first = answered.first().copied().unwrap_or(codec);
        // What the phone sends can go to the visitor as it is whenever that end takes it.
        let send = if answered.contains(&codec) { codec } else { first };
        let visitor = bridge::PortSettings { send, accepts: answered.into() };
        if let Some(active) = self.calls.entry(id) {
            active.bridge.connect(now, visitor, trunk);
        }
        if let Some(entry) = self.accounts.entry_mut(account) {
            entry.learnt.trunk_codec = Some(codec);
        }
    }

    /// The visitor puts the phone on hold, or takes it back: neither hears the other, and the phone
    /// is told by a new offer. False where the call is in neither state.
    pub(super) fn hold(&mut self, now: Instant, id: CallId, on: bool) -> bool {
        self.call_event(now, id, LegEvent::VisitorHeld(on));
        let Some(active) = self.calls.entry(id) else { return false };
        let wanted = if on { CallState::Held } else { CallState::Active };
        if active.call.state() != wanted {
            return false;
        }
        if active.hold.wants(on) {
            active.bridge.hold(now, Side::Trunk, on);
            self.tell_hold(now, id);
        }
        true
    }

    /// The ACK of our answer has come: what had to wait for it goes out.
    pub(super) fn acknowledged(&mut self, now: Instant, id: CallId) {
        if let Some(active) = self.calls.entry(id) {
            active.unacknowledged = false;
            self.tell_hold(now, id);
        }
    }

    /// Tells the phone by a new offer whether it is on hold, where it does not know.
    pub(super) fn tell_hold(&mut self, now: Instant, id: CallId) {
        let Some(active) = self.calls.entry(id).filter(|active| !active.unacknowledged) else {
            return;
        };
        let Some(on) = active.hold.offers() else { return };
        let offer = active.description.reoffer(direction(on), active.negotiated.as_ref());
        let (invite, body) = (active.invite, offer.octets().to_vec());
        active.offer = offer;
        self.sip.command(now, sip::Command::Reoffer { invite, offer: body });
    }

    /// The phone's answer to an offer inside the call.
    pub(super) fn reanswered(
        &mut self,
        now: Instant,
        id: CallId,
        answer: Result<Vec<u8>, sip::Cause>,
    ) {
        let Some(active) = self.calls.entry(id) else { return };
        let negotiated = match &answer {
            Ok(body) => sdp::accept_answer(&active.offer, body).ok(),
            Err(_) => None,
        };
        if let Some(negotiated) = negotiated {
            active.hold.answered();
            legs::trunk::apply(&mut active.stream, &negotiated);
            self.connect_bridge(now, id, negotiated);
        } else {
            // The phone goes on as it was.
            let may_pass = answer.is_err_and(|cause| legs::trunk::may_pass(&cause));
            if !active.hold.refused(now, may_pass) {
                self.hold_failed(id);
            }
        }
        self.tell_hold(now, id);
    }

    /// The visitor has answered a call that came in: the phone is told, and sound may pass.
    pub(super) fn answer_trunk(&mut self, now: Instant, id: CallId) {
        let Some(active) = self.calls.entry(id) else { return };
        let invite = active.invite;
        let (Some(sdp), negotiated) = (active.answer.take(), active.negotiated.take()) else {
            return;
        };
        active.unacknowledged = true;
        if let Some(negotiated) = negotiated {
            self.connect_bridge(now, id, negotiated);
        }
        self.sip.command(now, sip::Command::Answer { invite, sdp });
    }

    /// The number of the next call that comes in for a page, and its leg: a Flash client's is there
    /// before the answer, a browser's comes with its offer.
    fn next_incoming(&mut self, link: LinkId) -> Option<(u32, VisitorLeg)> {
        if Flash::is_link(link) {
            let leg = self.flash.as_mut()?.begin_talk(link)?;
            let VisitorLeg::Flash { call, .. } = leg else { return None };
            return Some((call, leg));
        }
        let known = self.links.get_mut(&link)?;
        let number = limits::FIRST_INCOMING.checked_add(known.came_in)?;
        known.came_in += 1;
        Some((number, VisitorLeg::Gone))
    }
}

/// What a phone is told of the direction of sound, which the visitor holds or does not.
fn direction(held: bool) -> sdp::Direction {
    if held { sdp::Direction::SendOnly } else { sdp::Direction::SendReceive }
}

/// Who calls, as the page is told.
fn party(from: &sip::message::NameAddr) -> Party {
    let mut name = from.display.clone().unwrap_or_default();
    name.retain(|letter| !letter.is_control());
    let end = (0..=NAME_OCTETS.min(name.len())).rev().find(|end| name.is_char_boundary(*end));
    name.truncate(end.unwrap_or(0));
    Party {
        direction: Direction::In,
        uri: Private::new(from.uri.to_string()),
        display_name: Private::new(name),
    }
}
