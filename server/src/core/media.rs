//! The hot path: datagrams to frames to datagrams. Nothing is allocated here per packet beyond what
//! the WebRTC library does itself.

use super::Core;
use super::calls::{ActiveCall, VisitorLeg};
use super::flash::Flash;
use super::metrics::{Metrics, bump};
use crate::legs;
use crate::net::{Pair, PortId, StreamOrder, Wire};
use base::{CallId, Datagram, Frame, LinkId, Protocol};
use bridge::Side;
use call::{LegEvent, VisitorEnd};
use rtp::{Received, StreamEnd};
use signalling::ServerMessage;
use std::time::Instant;
use trace::{Side as Whose, Way, What};
use webrtc::PeerId;

impl<W: Wire> Core<W> {
    /// A datagram on the browser port.
    pub(super) fn handle_browser_datagram(&mut self, now: Instant, datagram: &Datagram<'_>) {
        self.browsers.handle_datagram(now, datagram);
        self.drain_browsers(now);
    }

    /// A datagram on a port towards the provider.
    pub(super) fn handle_trunk_datagram(
        &mut self,
        now: Instant,
        port: PortId,
        datagram: &Datagram<'_>,
    ) {
        let Some(id) = self.calls.by_port(port) else {
            self.pool.disturbed(now, port);
            return;
        };
        let Some(active) = self.calls.entry(id) else { return };
        match active.stream.handle_datagram(now, datagram, &mut self.scratch) {
            Some(Received::Frame(frame)) => {
                let visitor = active.visitor;
                let mut passed = active.bridge.handle_frame(now, Side::Trunk, frame);
                while let Some((Side::Visitor, frame)) = passed {
                    let (browsers, flash) = (&mut self.browsers, self.flash.as_mut());
                    if send_to_visitor(browsers, flash, now, visitor, &frame) {
                        bump(&self.metrics.frames_relayed_total);
                    }
                    passed = active.bridge.poll_relayed(Side::Trunk);
                }
                self.send_visitor_transmits(visitor);
                // The first packet starts the reports, so even one that only passes moves timers.
                self.calls.rearm(id);
            }
            Some(Received::Digit(digit)) => {
                let (link, call) = (active.link, active.page_call);
                self.traces.digits(now, id, Whose::Provider, 1);
                self.tell(link, ServerMessage::Digit { call, digit: digit.digit });
            }
            Some(Received::Noise(level)) => {
                active.bridge.handle_pause(now, Side::Trunk, level);
                self.calls.rearm(id);
            }
            // SIP decides whether the call is over, not the source of the sound.
            Some(Received::Bye) | None => {
                self.touched.insert(id);
            }
        }
    }

    fn send_visitor_transmits(&mut self, visitor: VisitorLeg) {
        match visitor {
            VisitorLeg::Browser(_) => self.send_browser_transmits(),
            VisitorLeg::Flash { .. } => self.send_flash_transmits(),
            VisitorLeg::Gone => {}
        }
    }

    /// Everything that the browsers' machine has to say.
    pub(super) fn drain_browsers(&mut self, now: Instant) {
        self.send_browser_transmits();
        while let Some(event) = self.browsers.poll_event() {
            match event {
                webrtc::Event::Frame(received) => {
                    let id = CallId(received.peer.0);
                    self.handle_visitor_frame(now, id, received.frame());
                    self.browsers.recycle(received.payload);
                }
                webrtc::Event::TelephoneEvent(event) => {
                    self.handle_page_event(now, &event);
                    self.browsers.recycle(event.payload);
                }
                webrtc::Event::Connected { peer, after, protocol } => {
                    tracing::info!(
                        call = peer.0,
                        ms = after.as_millis() as u64,
                        ?protocol,
                        "browser media is up"
                    );
                    self.trace_path(now, CallId(peer.0), Some(after));
                    self.call_event(now, CallId(peer.0), LegEvent::VisitorConnected);
                }
                webrtc::Event::Moved { peer, .. } => self.trace_path(now, CallId(peer.0), None),
                webrtc::Event::Lost { peer, cause } => {
                    let why = legs::browser::lost_word(cause).to_owned();
                    self.traces.note(now, CallId(peer.0), What::MediaLost { why });
                    self.peer_gone(now, peer, legs::browser::lost_end(cause));
                }
                webrtc::Event::Closed { peer } => {
                    self.traces.note(now, CallId(peer.0), What::MediaClosed);
                    self.peer_gone(now, peer, VisitorEnd::HungUp);
                }
            }
            self.send_browser_transmits();
        }
    }

    /// A frame of a visitor: passed to the phone at once, or kept for transcoding.
    pub(super) fn handle_visitor_frame(&mut self, now: Instant, id: CallId, frame: Frame<'_>) {
        let Some(active) = self.calls.entry(id) else { return };
        active.facts.browser_codec = Some(frame.codec);
        let held = held_by_phone(active);
        let mut passed = active.bridge.handle_frame(now, Side::Visitor, frame);
        while let Some((Side::Trunk, frame)) = passed {
            if !held {
                bump(&self.metrics.frames_relayed_total);
                let (wire, scratch) = (&mut self.wire, &mut self.scratch);
                let (stream, pair) = (&mut active.stream, &active.pair);
                send_to_phone(wire, &self.metrics, stream, pair, now, &frame, scratch);
            }
            passed = active.bridge.poll_relayed(Side::Visitor);
        }
        self.calls.rearm(id);
    }

    fn peer_gone(&mut self, now: Instant, peer: PeerId, end: VisitorEnd) {
        let id = CallId(peer.0);
        if let Some(active) = self.calls.entry(id) {
            active.visitor = VisitorLeg::Gone;
        }
        self.call_event(now, id, LegEvent::VisitorEnded(end));
    }

    /// A telephone event inside the browser's RTP becomes a digit on the trunk.
    fn handle_page_event(&mut self, now: Instant, event: &webrtc::TelephoneEvent) {
        let id = CallId(event.peer.0);
        let Some(active) = self.calls.entry(id) else { return };
        if let Some(digit) = active.digits.handle(now, event) {
            self.send_digit(now, id, digit);
        }
        self.touched.insert(id);
    }

    fn send_digit(&mut self, now: Instant, id: CallId, digit: char) {
        self.send_digits(now, id, digit.encode_utf8(&mut [0; 4]));
    }

    /// Digits towards the phone: as telephone events, or as INFO where the phone takes none or hears
    /// none.
    pub(super) fn send_digits(&mut self, now: Instant, id: CallId, digits: &str) {
        self.traces.digits(now, id, Whose::Visitor, digits.len());
        let deaf = self.quirks(id).has(sip::Quirk::InfoDigits);
        let Some(active) = self.calls.entry(id) else { return };
        let events = active.negotiated.as_ref().is_some_and(|n| !n.telephone_events.is_empty());
        if events && !deaf {
            if active.stream.send_digits(now, digits).is_err() {
                tracing::debug!(call = id.0, "too many digits wait; the rest is dropped");
            }
        } else {
            let invite = active.invite;
            for digit in digits.chars() {
                self.sip.command(
                    now,
                    sip::Command::Info {
                        invite,
                        content_type: "application/dtmf-relay".to_owned(),
                        body: format!("Signal={digit}\r\nDuration=160\r\n").into_bytes(),
                    },
                );
            }
        }
        self.touched.insert(id);
    }

    /// A digit of the phone whose last packets got lost, with the page's names for where it goes.
    fn heard_digit(&mut self, now: Instant, id: CallId) -> Option<(LinkId, u32, char)> {
        let active = self.calls.entry(id)?;
        let rtp::Event::Digit(digit) = active.stream.poll_event(now)?;
        Some((active.link, active.page_call, digit.digit))
    }

    /// What a call's own timers bring: transcoded frames, digits, RTCP.
    pub(super) fn pump(&mut self, now: Instant, id: CallId) {
        while let Some(digit) = self.calls.entry(id).and_then(|active| active.digits.poll(now)) {
            self.send_digit(now, id, digit);
        }
        while let Some((link, call, digit)) = self.heard_digit(now, id) {
            self.traces.digits(now, id, Whose::Provider, 1);
            self.tell(link, ServerMessage::Digit { call, digit });
        }
        let Some(active) = self.calls.entry(id) else { return };
        let held = held_by_phone(active);
        while let Some((side, frame)) = active.bridge.poll_frame() {
            bump(&self.metrics.frames_transcoded_total);
            match side {
                Side::Visitor => {
                    let (browsers, flash) = (&mut self.browsers, self.flash.as_mut());
                    send_to_visitor(browsers, flash, now, active.visitor, &frame);
                }
                Side::Trunk if held => {}
                Side::Trunk => {
                    let (wire, scratch) = (&mut self.wire, &mut self.scratch);
                    let (stream, pair) = (&mut active.stream, &active.pair);
                    send_to_phone(wire, &self.metrics, stream, pair, now, &frame, scratch);
                }
            }
        }
        while let Some(transmit) = active.stream.poll_transmit(now) {
            let (port, local) = active.pair.of(transmit.local);
            let sent = self.wire.send(port, local, transmit.remote, &transmit.payload);
            count(&self.metrics, sent);
        }
        while let Some(event) = active.bridge.poll_event() {
            if matches!(event, bridge::Event::Silent { .. }) {
                active.call.handle_event(now, LegEvent::Silent);
                self.touched.insert(id);
            }
        }
        self.send_browser_transmits();
        self.send_flash_transmits();
    }

    /// Sends what the browsers' machine wants sent.
    pub(super) fn send_browser_transmits(&mut self) {
        while let Some(transmit) = self.browsers.poll_transmit() {
            match transmit.protocol {
                Protocol::Udp => {
                    let local = transmit.local;
                    let sent =
                        self.wire.send(self.webrtc_port, local, transmit.remote, &transmit.payload);
                    count(&self.metrics, sent);
                    self.browsers.recycle(transmit.payload);
                }
                Protocol::Tcp | Protocol::Tls => {
                    // A connection that is too slow for sound loses frames, as a network would.
                    let sent = self
                        .tcp_peers
                        .get(&transmit.remote)
                        .is_some_and(|peer| peer.frames.try_send(transmit.payload).is_ok());
                    count(&self.metrics, sent);
                }
            }
        }
    }

    /// Sends what the SIP machine wants sent. What the socket refuses is lost like a datagram on
    /// the wire: the transactions send it again.
    pub(super) fn send_sip_transmits(&mut self, now: Instant) {
        while let Some(transmit) = self.sip.poll_transmit() {
            self.trace_sip(now, Way::Went, transmit.remote, &transmit.payload);
            if transmit.protocol == Protocol::Udp {
                self.wire.send(self.sip_port, self.sip_local, transmit.remote, &transmit.payload);
            } else if self.streams.try_send(StreamOrder::Send(transmit)).is_err() {
                bump(&self.metrics.sip_stream_dropped_total);
            }
        }
    }
}

/// Gives a frame to the visitor's machine; false where there is no such leg. A visitor who is not
/// connected yet hears nothing; that is no error.
fn send_to_visitor(
    browsers: &mut webrtc::Endpoint,
    flash: Option<&mut Flash>,
    now: Instant,
    visitor: VisitorLeg,
    frame: &Frame<'_>,
) -> bool {
    match visitor {
        VisitorLeg::Browser(peer) => {
            let _ = browsers.send_frame(now, peer, frame);
            true
        }
        VisitorLeg::Flash { session, call } => {
            flash.is_some_and(|flash| flash.send_frame(now, session, call, frame))
        }
        VisitorLeg::Gone => false,
    }
}

/// Gives a frame to the stream end towards the phone, and the packets that it makes to the wire.
fn send_to_phone<W: Wire>(
    wire: &mut W,
    metrics: &Metrics,
    stream: &mut StreamEnd,
    pair: &Pair,
    now: Instant,
    frame: &Frame<'_>,
    scratch: &mut [u8],
) {
    let mut made = stream.send_frame(now, frame, scratch);
    while let Some(outgoing) = made {
        let packet = scratch.get(..outgoing.length).unwrap_or_default();
        count(metrics, wire.send(pair.rtp, pair.address, outgoing.to, packet));
        made = stream.send_more(now, scratch);
    }
}

/// Whether the phone has said that it does not want to hear the visitor (RFC 3264 8.4).
fn held_by_phone(active: &ActiveCall) -> bool {
    active.negotiated.as_ref().is_some_and(sdp::Negotiated::is_held)
}

pub(super) fn count(metrics: &Metrics, sent: bool) {
    if sent {
        bump(&metrics.media_datagrams_sent_total);
    } else {
        bump(&metrics.media_datagrams_refused_total);
    }
}
