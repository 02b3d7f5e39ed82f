//! A visitor's page: what it was told, and the browser behind each of its calls.

use super::talk::sound;
use super::wire::Packet;
use base::Codec;
use signalling::{CallState, EndCause, ServerMessage, limits};
use stand_in::{Browser, Options};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(20);

/// One call as the page has it.
pub struct PageCall {
    pub browser: Option<Browser>,
    pub address: SocketAddr,
    /// Whether it reaches the shard by ICE-TCP only.
    pub tcp: bool,
    /// Whether the offer was answered, so that the call began.
    pub began: bool,
    /// Errors that named this call.
    pub errors: u32,
    /// Every state it was told, in order.
    pub states: Vec<(CallState, Option<EndCause>)>,
    pub digits: String,
    pub speaks: bool,
    pub spoken: u64,
    /// Packets of sound that have come.
    pub heard: u64,
    /// Whether its media has been up.
    pub connected: bool,
    /// An offer that waits for its answer.
    offered: bool,
    codec: Option<Codec>,
    speak_at: Option<Instant>,
}

/// One page.
#[derive(Default)]
pub struct Page {
    pub calls: BTreeMap<u32, PageCall>,
    pub next: u32,
    /// Whether it has a link still.
    pub open: bool,
    /// Whether its own account is registered, as it was told.
    pub registered: bool,
}

impl Page {
    /// A new call: its number and its offer.
    pub fn call(
        &mut self,
        now: Instant,
        address: SocketAddr,
        tcp: bool,
        speaks: bool,
    ) -> (u32, String) {
        let (with_udp, with_tcp) = if tcp { (None, Some(address)) } else { (Some(address), None) };
        let options = Options { udp: with_udp, tcp: with_tcp, video: false, ..Options::default() };
        let (browser, offer) = Browser::new(now, &options);
        self.next += 1;
        let call = PageCall {
            browser: Some(browser),
            tcp,
            speaks,
            offered: true,
            ..PageCall::new(address)
        };
        self.calls.insert(self.next, call);
        (self.next, offer)
    }

    /// Takes a call that came in: its offer. None where there is none that rings, or it was taken.
    pub fn answer(
        &mut self,
        now: Instant,
        call: u32,
        address: SocketAddr,
        tcp: bool,
        speaks: bool,
    ) -> Option<String> {
        let rings = |call: &&mut PageCall| call.rings() && call.browser.is_none();
        let call = self.calls.get_mut(&call).filter(rings)?;
        let (with_udp, with_tcp) = if tcp { (None, Some(address)) } else { (Some(address), None) };
        let options = Options { udp: with_udp, tcp: with_tcp, video: false, ..Options::default() };
        let (browser, offer) = Browser::new(now, &options);
        call.browser = Some(browser);
        (call.address, call.tcp, call.speaks, call.offered) = (address, tcp, speaks, true);
        Some(offer)
    }

    /// The calls that have come in, the oldest first.
    pub fn incoming(&self) -> Vec<u32> {
        self.calls.range(limits::FIRST_INCOMING..).map(|(call, _)| *call).collect()
    }

    /// Something comes over the page's socket.
    pub fn told(&mut self, now: Instant, message: ServerMessage) {
        match message {
            ServerMessage::Answer { call, sdp } => {
                if let Some(call) = self.calls.get_mut(&call) {
                    call.answered(now, &sdp);
                }
            }
            ServerMessage::State { call, state, cause, .. } => {
                if call >= limits::FIRST_INCOMING && state == CallState::Ringing {
                    let nowhere = SocketAddr::new([0, 0, 0, 0].into(), 0);
                    let coming = PageCall { began: true, ..PageCall::new(nowhere) };
                    let before = self.calls.insert(call, coming);
                    assert!(before.is_none(), "a call comes in once");
                }
                let call = self.calls.get_mut(&call).expect("a call that this page has");
                call.states.push((state, cause));
                if state == CallState::Ended
                    && let Some(browser) = &mut call.browser
                {
                    // What it still has to say goes out; then it is dropped.
                    browser.close();
                }
            }
            ServerMessage::Error { call: Some(call), .. } => {
                if let Some(call) = self.calls.get_mut(&call) {
                    call.errors += 1;
                    call.offered = false;
                }
            }
            ServerMessage::Digit { call, digit } => {
                if let Some(call) = self.calls.get_mut(&call) {
                    call.digits.push(digit);
                }
            }
            ServerMessage::Registration { registered, .. } => self.registered = registered,
            _ => {}
        }
    }
}

impl PageCall {
    fn new(address: SocketAddr) -> PageCall {
        PageCall {
            browser: None,
            address,
            tcp: false,
            began: false,
            errors: 0,
            states: Vec::new(),
            digits: String::new(),
            speaks: false,
            spoken: 0,
            heard: 0,
            connected: false,
            offered: false,
            codec: None,
            speak_at: None,
        }
    }

    /// Whether it rings.
    pub fn rings(&self) -> bool {
        self.states.last().is_some_and(|(state, _)| *state == CallState::Ringing)
    }

    pub fn ended(&self) -> Option<EndCause> {
        self.states.iter().find(|(state, _)| *state == CallState::Ended)?.1
    }

    /// Whether the server has it and has not ended it.
    pub fn is_live(&self) -> bool {
        self.began && self.ended().is_none()
    }

    fn answered(&mut self, now: Instant, sdp: &str) {
        self.began = true;
        let formats = sdp.lines().find_map(|line| line.strip_prefix("m=audio 9 "));
        let first = formats.and_then(|formats| formats.split(' ').nth(1)).unwrap_or_default();
        let payload_type = |codec: Codec| codec.static_payload_type().unwrap_or(111);
        self.codec = Codec::OF_BROWSERS.into_iter().find(|c| payload_type(*c).to_string() == first);
        assert!(self.codec.is_some(), "the answer begins with payload type {first}");
        if let Some(browser) = self.browser.as_mut().filter(|_| self.offered) {
            browser.answer(now, sdp);
        }
        self.offered = false;
    }

    /// A new offer after a change of network; none while one waits for its answer.
    pub fn restart(&mut self) -> Option<String> {
        let browser = self.browser.as_mut().filter(|_| self.began && !self.offered)?;
        self.offered = true;
        Some(browser.restart())
    }

    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let browser = self.browser.as_ref()?;
        let wake_at = browser.wake_at().max(now + Duration::from_millis(1));
        [Some(wake_at), self.speak_at].into_iter().flatten().min()
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        let Some(browser) = &mut self.browser else { return };
        if browser.connected && self.speaks && self.speak_at.is_none() {
            self.speak_at = Some(now);
        }
        while let (Some(at), Some(codec)) = (self.speak_at.filter(|at| *at <= now), self.codec) {
            self.speak_at = Some(at + TICK);
            self.spoken += 1;
            let payload_type = codec.static_payload_type().unwrap_or(111);
            browser.send(now, payload_type, codec.clock_rate() / 50, sound(codec));
        }
        if browser.wake_at() <= now {
            browser.handle_timeout(now);
        }
    }

    pub fn receive(&mut self, now: Instant, packet: &Packet) {
        if let Some(browser) = &mut self.browser {
            browser.receive(now, self.tcp, packet.from, packet.to, &packet.payload);
        }
    }

    /// What the browser sends. One whose call is over has said its last words with that.
    pub fn drain(&mut self, outbox: &mut Vec<Packet>) {
        let over = self.ended().is_some();
        if let Some(browser) = &mut self.browser {
            self.heard += browser.received.drain(..).len() as u64;
            self.connected |= browser.connected;
            outbox.extend(browser.outbox.drain(..).map(|transmit| Packet {
                from: transmit.source,
                to: transmit.destination,
                payload: transmit.contents.to_vec(),
            }));
            if over {
                self.browser = None;
            }
        }
    }
}
