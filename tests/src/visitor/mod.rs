//! A visitor: the page's signalling and the browser's media, driven by a scenario.
//!
//! ```text
//!   scenario --orders--> [ task: WebSocket + media ] --what is seen--> Seen <-- scenario waits
//! ```

pub mod media;
mod task;

use crate::appliance::{Appliance, STORE};
use crate::kamailio::PASSWORD;
use crate::look::Look;
use crate::sound::{self, Heard};
use crate::wait::PATIENCE;
use base::Codec;
use signalling::{
    CallState, ClientMessage, EndCause, ErrorCode, HangupReason, QualityLevel, QualityReason,
    limits,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};
use task::Order;
use tokio::sync::mpsc;

/// What kind of visitor it is.
#[derive(Clone, Debug)]
pub struct VisitorSettings {
    /// The button whose page is open; none for page-supplied accounts.
    pub button: Option<String>,
    /// The store page around it; empty for none.
    pub page: String,
    /// The origin that the browser names; none for the appliance's own.
    pub origin: Option<String>,
    /// What the browser can do, best first.
    pub codecs: Vec<Codec>,
    /// What the microphone hears, in hertz; none for silence.
    pub tone: Option<f32>,
    /// Whether packets of sound are sent at all; a silent microphone sends them too.
    pub sends: bool,
    /// Whether UDP gets through.
    pub udp: bool,
    /// Whether the browser tries ICE-TCP.
    pub tcp: bool,
    /// Whether what comes is decoded and kept.
    pub listens: bool,
    /// Whether a foreign ClientHello goes before the browser's own, over the same path.
    pub foreign_hello: bool,
    /// Its network loses every such packet of its sound; none at 0.
    pub loses_every: u64,
    /// Header fields that the page gives its calls.
    pub headers: BTreeMap<String, String>,
    /// When it looks at its sockets.
    pub look: Look,
}

impl Default for VisitorSettings {
    fn default() -> Self {
        VisitorSettings {
            button: Some("sales".into()),
            page: format!("{STORE}/shoes.html"),
            origin: None,
            codecs: vec![Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma],
            tone: Some(sound::VISITOR),
            sends: true,
            udp: true,
            tcp: false,
            listens: true,
            foreign_hello: false,
            loses_every: 0,
            headers: BTreeMap::new(),
            look: Look::AtOnce,
        }
    }
}

impl VisitorSettings {
    /// A visitor with these codecs.
    pub fn with_codecs(codecs: &[Codec]) -> Self {
        VisitorSettings { codecs: codecs.to_vec(), ..Self::default() }
    }

    /// A visitor with a SIP account of its own.
    pub fn of_webphone() -> Self {
        VisitorSettings { button: None, page: String::new(), ..VisitorSettings::default() }
    }

    /// A visitor of the demo's own page.
    pub fn of_demo() -> Self {
        VisitorSettings {
            button: Some("demo".into()),
            page: String::new(),
            ..VisitorSettings::default()
        }
    }
}

/// One state of a call, as the page was told it.
#[derive(Clone, Debug)]
pub struct Step {
    /// When.
    pub at: Instant,
    /// The page's number of the call.
    pub call: u32,
    /// The state.
    pub state: CallState,
    /// Why it ended.
    pub cause: Option<EndCause>,
    /// The SIP status.
    pub code: u16,
    /// What a person is told.
    pub reason: String,
    /// The far party's address, where it is told.
    pub uri: String,
}

/// Everything that a visitor has seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The link's name.
    pub link: Option<String>,
    /// Greetings answered so far.
    pub welcomes: u32,
    /// Whether the last greeting resumed the link.
    pub resumed: bool,
    /// Whether the WebSocket is open.
    pub online: bool,
    /// The calls' states, as they came.
    pub steps: Vec<Step>,
    /// Errors, as they came: code and words.
    pub errors: Vec<(ErrorCode, String)>,
    /// Outcomes of registrations, as they came: whether registered, and the SIP status.
    pub registrations: Vec<(bool, u16)>,
    /// Digits that the phone pressed.
    pub digits: String,
    /// The last SDP answer.
    pub answer: Option<String>,
    /// SDP answers so far.
    pub answers: u32,
    /// The quality light and its reason.
    pub quality: Option<(QualityLevel, QualityReason, String)>,
    /// When the call was started.
    pub called_at: Option<Instant>,
    /// When the media was connected.
    pub connected_at: Option<Instant>,
    /// Whether the appliance has closed the media.
    pub media_closed: bool,
    /// Packets of sound that came.
    pub packets: u64,
    /// Packets of sound that were sent.
    pub sent: u64,
    /// When the last of them came.
    pub packet_at: Option<Instant>,
    /// The longest time between two of them, since the call was started.
    pub longest_gap: Duration,
    /// The codec of the last of them.
    pub codec: Option<Codec>,
    /// What was heard.
    pub heard: Heard,
    /// Where the media's UDP socket is.
    pub address: Option<SocketAddr>,
}

impl Seen {
    /// How many times a call came into a state.
    pub fn times(&self, state: CallState) -> usize {
        self.steps.iter().filter(|step| step.state == state).count()
    }

    /// The newest state of a call.
    pub fn state(&self, call: u32) -> Option<&Step> {
        self.steps.iter().rev().find(|step| step.call == call)
    }
}

#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
}

impl Shared {
    fn update(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().unwrap());
        self.changed.notify_all();
    }
}

/// A visitor. Dropping it is a browser that dies: nothing says good-bye.
#[derive(Debug)]
pub struct Visitor {
    orders: mpsc::UnboundedSender<Order>,
    shared: Arc<Shared>,
    task: tokio::task::AbortHandle,
    calls: u32,
}

/// The threads on which all visitors of a process live.
pub fn runtime() -> &'static tokio::runtime::Runtime {
    start_runtime(2)
}

/// The same with so many threads, where nobody has asked for it before: a load generator has one.
pub fn start_runtime(threads: usize) -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(threads).enable_all().build().unwrap()
    })
}

impl Visitor {
    /// Opens the page: the WebSocket, and the greeting.
    pub fn open(appliance: &Appliance, settings: VisitorSettings) -> Visitor {
        Visitor::try_open(appliance.http, settings).unwrap_or_else(|words| panic!("{words}"))
    }

    /// The same where a refusal is what is expected: it comes in words.
    pub fn try_open(http: SocketAddr, settings: VisitorSettings) -> Result<Visitor, String> {
        let shared = Arc::new(Shared::default());
        let (orders, inbox) = mpsc::unbounded_channel();
        let connecting = task::connect(http, settings.look, settings.origin.as_deref());
        let socket = runtime().block_on(connecting)?;
        let running = task::run(http, settings, socket, inbox, Arc::clone(&shared));
        let task = runtime().spawn(running).abort_handle();
        let visitor = Visitor { orders, shared, task, calls: 0 };
        let greeted = visitor.within(PATIENCE, |seen| {
            let refused =
                seen.errors.first().map(|(code, words)| Err(format!("{code:?}: {words}")));
            seen.link.as_ref().map(|_| Ok(())).or(refused)
        });
        greeted.unwrap_or_else(|| Err("the greeting is not answered".into()))?;
        Ok(visitor)
    }

    fn order(&self, order: Order) {
        self.orders.send(order).expect("the visitor's task runs");
    }

    /// Looks at what was seen so far.
    pub fn look<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.shared.seen.lock().unwrap())
    }

    /// Waits until `look` gives something; none after `limit`.
    pub fn within<T>(
        &self,
        limit: Duration,
        mut look: impl FnMut(&Seen) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + limit;
        let mut seen = self.shared.seen.lock().unwrap();
        loop {
            if let Some(found) = look(&seen) {
                return Some(found);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            seen = self.shared.changed.wait_timeout(seen, left).unwrap().0;
        }
    }

    /// Waits until `look` gives something.
    ///
    /// # Panics
    /// After [`PATIENCE`], with what was seen.
    pub fn until<T>(&self, what: &str, look: impl FnMut(&Seen) -> Option<T>) -> T {
        self.within(PATIENCE, look).unwrap_or_else(|| {
            let words = self.look(|seen| {
                let steps: Vec<_> =
                    seen.steps.iter().map(|s| (s.call, s.state, s.cause, s.code)).collect();
                format!(
                    "states {steps:?}, errors {:?}, connected {}, {} packets heard",
                    seen.errors,
                    seen.connected_at.is_some(),
                    seen.packets
                )
            });
            panic!("a visitor waited in vain until {what}: {words}")
        })
    }

    /// Presses the button; gives the call's number.
    pub fn call(&mut self) -> u32 {
        self.calls += 1;
        self.order(Order::Call { call: self.calls, uri: None });
        self.calls
    }

    /// Calls an address with a page-supplied account.
    pub fn call_to(&mut self, uri: &str) -> u32 {
        self.calls += 1;
        self.order(Order::Call { call: self.calls, uri: Some(uri.to_owned()) });
        self.calls
    }

    /// Registers an account of its own; whether it worked, and the SIP status.
    pub fn registers(&self, registrar: &str, username: &str, password: &str) -> (bool, u16) {
        let before = self.look(|seen| seen.registrations.len());
        let [registrar, username, password] = [registrar, username, password].map(str::to_owned);
        self.send(ClientMessage::Register { registrar, username, password });
        self.until("its registration is told", |seen| seen.registrations.get(before).copied())
    }

    /// A page with an account of its own, registered at a provider of ours.
    pub fn registered(appliance: &Appliance, registrar: SocketAddr, username: &str) -> Visitor {
        let visitor = Visitor::open(appliance, VisitorSettings::of_webphone());
        assert_eq!(visitor.registers(&registrar.to_string(), username, PASSWORD), (true, 200));
        visitor
    }

    /// Waits for a call that comes in, beside those that it had; from now on it is the newest.
    pub fn rings(&mut self) -> Step {
        let after = self.calls.max(limits::FIRST_INCOMING - 1);
        let step = self.until("somebody calls", |seen| {
            let rings = |step: &&Step| step.call > after && step.state == CallState::Ringing;
            seen.steps.iter().find(rings).cloned()
        });
        self.calls = step.call;
        step
    }

    /// Takes the newest call, which came in.
    pub fn answer(&self) {
        self.order(Order::Answer { call: self.calls });
    }

    /// Declines the newest call, which came in.
    pub fn reject(&self) {
        let reason = HangupReason::Rejected;
        self.send(ClientMessage::Hangup { call: self.calls, reason });
    }

    /// Puts the newest call on hold, or takes it back.
    pub fn hold(&self, on: bool) {
        let call = self.calls;
        self.send(if on { ClientMessage::Hold { call } } else { ClientMessage::Resume { call } });
    }

    /// Sends the far end of the newest call to another address.
    pub fn transfer(&self, uri: &str) {
        self.send(ClientMessage::Transfer { call: self.calls, uri: uri.to_owned() });
    }

    /// Connects the far ends of two calls.
    pub fn join(&self, call: u32, other: u32) {
        self.send(ClientMessage::Join { call, other });
    }

    /// The number of the newest call.
    pub fn number(&self) -> u32 {
        self.calls
    }

    /// Hangs up.
    pub fn hang_up(&self) {
        self.order(Order::HangUp { call: self.calls });
    }

    /// Presses keys.
    pub fn press(&self, digits: &str) {
        self.order(Order::Press { call: self.calls, digits: digits.to_owned() });
    }

    /// Changes what the microphone hears; none for silence.
    pub fn say(&self, tone: Option<f32>) {
        self.order(Order::Say(tone));
    }

    /// Moves to another network: a new offer with new ICE credentials.
    pub fn restart_ice(&self) {
        self.order(Order::Restart { call: self.calls });
    }

    /// Begins to look for the longest gap anew.
    pub fn measure_gap(&self) {
        self.shared.update(|seen| (seen.longest_gap, seen.packet_at) = (Duration::ZERO, None));
    }

    /// Sends a message as it is.
    pub fn send(&self, message: ClientMessage) {
        self.order(Order::Message(message));
    }

    /// The WebSocket breaks without a word; media goes on.
    pub fn drop_socket(&self) {
        self.order(Order::DropSocket);
        self.until("its socket is gone", |seen| (!seen.online).then_some(()));
    }

    /// Opens a new WebSocket for the same link. Whether the link was resumed.
    pub fn reconnect(&self) -> bool {
        let before = self.look(|seen| seen.welcomes);
        self.order(Order::Reconnect);
        self.until("the appliance greets again", |seen| {
            (seen.welcomes > before).then_some(seen.resumed)
        })
    }

    /// The page is closed or loaded again: WebSocket and media say good-bye.
    pub fn leave(self) {
        self.order(Order::Leave);
        // The task ends itself, and dropping must not cut it short.
        let deadline = Instant::now() + Duration::from_secs(5);
        while !self.task.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for a state of the newest call.
    pub fn reaches(&self, state: CallState) -> Step {
        let call = self.calls;
        self.until(&format!("call {call} is {state:?}"), |seen| {
            let found = seen.steps.iter().find(|step| step.call == call && step.state == state);
            let over = seen.state(call).is_some_and(|step| step.state == CallState::Ended);
            if found.is_none() && over {
                panic!("the call ended before it was {state:?}: {:?}", seen.state(call));
            }
            found.cloned()
        })
    }

    /// Waits for the end of the newest call, and gives its cause.
    pub fn ends(&self) -> (EndCause, u16) {
        let step = self.reaches(CallState::Ended);
        (step.cause.expect("an ended call has a cause"), step.code)
    }

    /// Waits until the media is connected and the call is active.
    pub fn talks(&self) {
        self.reaches(CallState::Active);
        self.until("its media is connected", |seen| seen.connected_at);
    }

    /// Waits until a tone is heard, for 600 ms and little else; gives its level in dBFS.
    pub fn hears(&self, frequency: f32) -> f32 {
        let mut last = String::new();
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let pcm = self.look(|seen| seen.heard.last(700));
            let enough = pcm.len() >= sound::RATE.khz() * 600;
            match sound::is_tone(&pcm, frequency) {
                Ok(level) if enough => return level,
                Ok(_) => last = format!("only {} samples of it", pcm.len()),
                Err(words) => last = words,
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("a visitor does not hear {frequency} Hz, but {last}");
    }

    /// Waits until 600 ms of near silence (or nothing at all) were heard.
    pub fn hears_nothing(&self) {
        let mut last = 0.0;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let from = Instant::now();
            std::thread::sleep(Duration::from_millis(600));
            last = audio::level::dbfs(&self.look(|seen| seen.heard.since(from)));
            if last < -50.0 {
                return;
            }
        }
        panic!("a visitor still hears something, at {last} dBFS");
    }

    /// Waits until so many packets more were sent.
    pub fn sends(&self, packets: u64) {
        let before = self.look(|seen| seen.sent);
        let limit = Duration::from_millis(20 * packets) + PATIENCE;
        let done = self.within(limit, |seen| (seen.sent >= before + packets).then_some(()));
        assert!(done.is_some(), "a visitor does not send {packets} packets");
    }

    /// Whether packets of sound still come.
    pub fn packets_come(&self) -> bool {
        let before = self.look(|seen| seen.packets);
        let limit = Duration::from_secs(2);
        self.within(limit, |seen| (seen.packets > before + 10).then_some(())).is_some()
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.task.abort();
    }
}
