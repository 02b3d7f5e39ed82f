//! What JavaScript calls. Times are milliseconds since the page began (`performance.now()`);
//! everything that happens comes back through [`Link::poll`] as JSON, one action at a time.

use crate::link::{self, Account, Plan};
use signalling::{HangupReason, QualityReport};
use std::time::Duration;
use wasm_bindgen::prelude::wasm_bindgen;

/// A clock that JavaScript got wrong must not stop the page.
fn time(now: f64) -> Duration {
    Duration::try_from_secs_f64(now / 1000.0).unwrap_or_default()
}

/// One page's link. See [`link::Link`] for what each call does.
#[wasm_bindgen]
pub struct Link(link::Link);

#[wasm_bindgen]
impl Link {
    /// `button` and `page` as in the Hello; `seed` any 32 random bits.
    #[wasm_bindgen(constructor)]
    pub fn new(button: Option<String>, page: Option<String>, seed: u32) -> Link {
        Link(link::Link::new(button, page, u64::from(seed)))
    }

    /// Connects and stays connected.
    pub fn connect(&mut self, now: f64) {
        self.0.connect(time(now));
    }

    /// Ends all calls and closes the socket; `page_closed` where it is the page that goes away.
    pub fn disconnect(&mut self, now: f64, page_closed: bool) {
        let reason = if page_closed { HangupReason::PageClosed } else { HangupReason::Visitor };
        self.0.disconnect(time(now), reason);
    }

    /// The browser says that the network changed or came back.
    pub fn network_changed(&mut self, now: f64) {
        self.0.network_changed(time(now));
    }

    /// The WebSocket's `open`.
    pub fn socket_opened(&mut self, now: f64) {
        self.0.socket_opened(time(now));
    }

    /// The WebSocket's `message`.
    pub fn socket_message(&mut self, now: f64, text: &str) {
        self.0.socket_message(time(now), text);
    }

    /// The WebSocket's `close` (an `error` is always followed by one).
    pub fn socket_closed(&mut self, now: f64) {
        self.0.socket_closed(time(now));
    }

    /// To be called at [`Link::next_deadline`].
    pub fn tick(&mut self, now: f64) {
        self.0.tick(time(now));
    }

    /// When `tick` is due, in milliseconds on the same clock; `undefined` for never.
    pub fn next_deadline(&self) -> Option<f64> {
        self.0.next_deadline().map(|at| at.as_secs_f64() * 1000.0)
    }

    /// The next action, by its first letter: `o` open a socket, `s` send the rest, `c` close the
    /// socket, `n` the connection is now (three digits 0 or 1: connected, reconnecting, resumed), `t`
    /// tell the page the rest, a server's message as JSON. `undefined` when there is none.
    pub fn poll(&mut self) -> Option<String> {
        self.0.poll().map(|action| action.to_text())
    }

    /// Registers a page-supplied account.
    pub fn register(&mut self, now: f64, registrar: String, username: String, password: String) {
        self.0.register(time(now), Account { registrar, username, password });
    }

    /// Takes the registration back.
    pub fn unregister(&mut self, now: f64) {
        self.0.unregister(time(now));
    }

    /// Starts a call: its number, or 0 where it was refused (an `error` action says why).
    /// `headers` are names and values in turn.
    pub fn call(
        &mut self,
        now: f64,
        uri: Option<String>,
        video: bool,
        headers: Vec<String>,
        offer: String,
    ) -> u32 {
        let mut pairs = headers.into_iter();
        let mut plan = Plan { uri, video, ..Plan::default() };
        // One by one: collecting brings a sorting algorithm along, a twentieth of the module.
        while let (Some(name), Some(value)) = (pairs.next(), pairs.next()) {
            plan.headers.insert(name, value);
        }
        self.0.call(time(now), plan, offer).unwrap_or(0)
    }

    /// Takes a call that came in; false where it was refused (an `error` action says why).
    pub fn answer(&mut self, now: f64, call: u32, video: bool, offer: String) -> bool {
        self.0.answer(time(now), call, video, offer)
    }

    /// Puts a call on hold, or takes it back.
    pub fn hold(&mut self, now: f64, call: u32, on: bool) {
        self.0.hold(time(now), call, on);
    }

    /// Sends the far end of a call to another address.
    pub fn transfer(&mut self, now: f64, call: u32, uri: String) {
        self.0.transfer(time(now), call, uri);
    }

    /// Connects the far ends of two calls; that of `call` takes our place in `other`.
    pub fn join(&mut self, now: f64, call: u32, other: u32) {
        self.0.join(time(now), call, other);
    }

    /// ICE restart.
    pub fn restart(&mut self, now: f64, call: u32, offer: String) {
        self.0.restart(time(now), call, offer);
    }

    /// Ends a call; `reason` is `visitor`, `no-microphone`, `no-media`, `page-closed` or
    /// `rejected`.
    pub fn hangup(&mut self, now: f64, call: u32, reason: &str) {
        let reason = match reason {
            "no-microphone" => HangupReason::NoMicrophone,
            "no-media" => HangupReason::NoMedia,
            "page-closed" => HangupReason::PageClosed,
            "rejected" => HangupReason::Rejected,
            _ => HangupReason::Visitor,
        };
        self.0.hangup(time(now), call, reason);
    }

    /// Sends keypad digits.
    pub fn dtmf(&mut self, now: f64, call: u32, digits: &str) {
        self.0.dtmf(time(now), call, digits);
    }

    /// Reports what was measured: percent, milliseconds, milliseconds, percent.
    pub fn quality(
        &mut self,
        now: f64,
        call: u32,
        loss: f32,
        jitter: f32,
        round_trip: f32,
        concealed: f32,
    ) {
        let report = QualityReport { loss, jitter, round_trip, concealed };
        self.0.quality(time(now), call, report);
    }
}
