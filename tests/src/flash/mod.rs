//! A visitor with Flash Player: RTMFP on a real socket, and what the WebPhone's SWF does with it.
//!
//! ```text
//!   scenario --orders--> [ player: socket, RTMFP, NetConnection, streams ] --what is seen--> Seen
//! ```

mod direct;
pub mod flood;
pub mod idle;
mod player;
mod seen;
mod voice;
mod wire;

pub use seen::{CallInfo, FlashSeen, RegInfo, Status};
pub use wire::{Tape, Taped};

use crate::appliance::{Appliance, STORE};
use crate::look::Look;
use crate::sound;
use crate::visitor::runtime;
use crate::wait::PATIENCE;
use base::Codec;
use player::{Order, Player};
use rtmfp::crypto::Group;
use rtmp::amf::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How a client protects its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Habit {
    /// As Flash Player: a static key in group 2, HMAC and sequence numbers only offered, so that
    /// packets have checksums.
    Player,
    /// A static key in another group; the rest as Flash Player.
    PlayerWith(Group),
    /// As RFC 7425 has it: keys made anew in one of these groups, HMAC and sequence numbers wanted.
    Modern(Vec<Group>),
}

/// What kind of client it is.
#[derive(Clone, Debug)]
pub struct FlashSettings {
    /// The application: a button, or `webphone`.
    pub app: String,
    /// The page that the SWF stands in.
    pub page_url: String,
    /// How it protects its session.
    pub habit: Habit,
    /// What the microphone records with.
    pub codec: Codec,
    /// Frames in one message, as Microphone.framesPerPacket: of 20 ms for Speex, 10 ms for G.711.
    pub frames: usize,
    /// What the microphone hears, in hertz; none for silence.
    pub tone: Option<f32>,
    /// Whether a call's streams are opened at all.
    pub streams: bool,
    /// Datagrams that get lost in each direction, in a hundred.
    pub loss: u64,
    /// For everything that is random here.
    pub seed: u64,
    /// 0 or 3.
    pub object_encoding: u32,
    /// Some clients use transaction 0 for `connect` and `createStream`.
    pub zero_transactions: bool,
    /// Whether every datagram is written down.
    pub taped: bool,
    /// Whether it talks to other clients directly; films before there was such a thing do not.
    pub direct: bool,
    /// Whether what comes is decoded and kept.
    pub listens: bool,
    /// Where it comes from.
    pub from: Ipv4Addr,
    /// When it looks at its socket.
    pub look: Look,
}

impl Default for FlashSettings {
    fn default() -> Self {
        FlashSettings {
            app: "sales".into(),
            page_url: format!("{STORE}/shoes.html"),
            habit: Habit::Player,
            codec: Codec::Speex16,
            frames: 2,
            tone: Some(sound::VISITOR),
            streams: true,
            loss: 0,
            seed: 1,
            object_encoding: 0,
            zero_transactions: false,
            taped: false,
            direct: false,
            listens: true,
            from: Ipv4Addr::LOCALHOST,
            look: Look::AtOnce,
        }
    }
}

impl FlashSettings {
    /// A client of page-supplied accounts.
    pub fn of_webphone() -> Self {
        FlashSettings { app: "webphone".into(), ..FlashSettings::default() }
    }

    /// A client whose microphone records with this codec.
    pub fn with_codec(codec: Codec) -> Self {
        FlashSettings { codec, ..FlashSettings::default() }
    }
}

#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<FlashSeen>,
    changed: Condvar,
}

impl Shared {
    fn update(&self, change: impl FnOnce(&mut FlashSeen)) {
        // A scenario that failed while it looked leaves its client alone.
        change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }
}

/// The answer to a command: the result, or code and words.
pub type Answer = Result<Value, (String, String)>;

/// A client. Dropping it is a browser that dies: nothing says good-bye.
#[derive(Debug)]
pub struct FlashVisitor {
    orders: mpsc::Sender<Order>,
    shared: Arc<Shared>,
    local: SocketAddr,
    tape: Option<Tape>,
    thread: Option<JoinHandle<()>>,
    call: String,
}

impl FlashVisitor {
    /// Connects.
    ///
    /// # Panics
    /// Where it is not let in.
    pub fn connect(appliance: &Appliance, settings: FlashSettings) -> FlashVisitor {
        FlashVisitor::try_connect(appliance.rtmfp, settings)
            .unwrap_or_else(|visitor| panic!("not let in: {:?}", visitor.look(Clone::clone)))
    }

    /// The same where a refusal is what is expected: [`FlashSeen::refused`] has it.
    pub fn try_connect(
        server: SocketAddr,
        settings: FlashSettings,
    ) -> Result<FlashVisitor, Box<FlashVisitor>> {
        let visitor = FlashVisitor::begin(server, settings);
        let let_in = visitor.within(PATIENCE, |seen| {
            let over = seen.refused.is_some() || seen.closed.is_some();
            seen.connected_at.map(|_| true).or(over.then_some(false))
        });
        match let_in {
            Some(true) => Ok(visitor),
            Some(false) => Err(Box::new(visitor)),
            None => panic!("nobody answers the client: {:?}", visitor.look(Clone::clone)),
        }
    }

    /// Begins to connect and waits for nothing.
    pub fn begin(server: SocketAddr, settings: FlashSettings) -> FlashVisitor {
        let shared = Arc::new(Shared::default());
        let (orders, inbox) = mpsc::channel();
        let look = settings.look;
        let player = Player::new(server, settings, inbox, Arc::clone(&shared));
        let (local, tape) = (player.local(), player.tape());
        let thread = match look {
            Look::AtOnce => Some(std::thread::spawn(move || player.run())),
            Look::OnBeat => {
                runtime().spawn(player.run_on_beat());
                None
            }
        };
        FlashVisitor { orders, shared, local, tape, thread, call: String::new() }
    }

    /// The address of its socket.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Every datagram so far.
    pub fn tape(&self) -> Vec<Taped> {
        self.tape.as_ref().expect("it was to be taped").lock().unwrap().clone()
    }

    fn order(&self, order: Order) {
        // A client that has ended takes none.
        let _ = self.orders.send(order);
    }

    /// Looks at what was seen so far.
    pub fn look<T>(&self, look: impl FnOnce(&FlashSeen) -> T) -> T {
        look(&self.shared.seen.lock().unwrap())
    }

    /// Waits until `look` gives something; none after `limit`.
    pub fn within<T>(
        &self,
        limit: Duration,
        mut look: impl FnMut(&FlashSeen) -> Option<T>,
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
    pub fn until<T>(&self, what: &str, look: impl FnMut(&FlashSeen) -> Option<T>) -> T {
        self.within(PATIENCE, look).unwrap_or_else(|| {
            let words = self.look(|seen| {
                let steps: Vec<_> = seen.steps.iter().map(|s| (&s.call, &s.state, s.code)).collect();
                format!(
                    "states {steps:?}, accounts {:?}, statuses {:?}, closed {:?}, {} messages heard",
                    seen.registrations, seen.statuses, seen.closed, seen.packets
                )
            });
            panic!("a Flash client waited in vain until {what}: {words}")
        })
    }

    /// Gives a command of the control flow and waits for its answer.
    pub fn command(&self, name: &str, argument: Value) -> Answer {
        let (reply, replied) = mpsc::channel();
        self.order(Order::Command { name: name.to_owned(), argument, reply });
        let answer = replied.recv_timeout(PATIENCE);
        answer.unwrap_or_else(|_| {
            panic!("{name} is not answered: {:?}", self.look(|seen| seen.closed.clone()))
        })
    }

    /// Registers an account; the outcome is told by `onRegState`.
    pub fn register(&self, registrar: &str, username: &str, password: &str) {
        let account = [
            ("registrar", Value::from(registrar)),
            ("username", username.into()),
            ("password", password.into()),
        ];
        self.command("register", Value::object(account)).expect("register is taken");
    }

    /// Registers an account and waits for the outcome.
    pub fn registers(&self, registrar: &str, username: &str, password: &str) -> RegInfo {
        let before = self.look(|seen| seen.registrations.len());
        self.register(registrar, username, password);
        self.until("the outcome of register is told", |seen| {
            seen.registrations.get(before).cloned()
        })
    }

    /// Calls, a button's destination or an address; gives code and words where it is refused.
    pub fn try_call(&mut self, uri: Option<&str>) -> Result<String, (String, String)> {
        let uri = uri.map(|uri| ("uri", Value::from(uri)));
        let argument = Value::object(uri.into_iter().chain([("video", false.into())]));
        let result = self.command("call", argument)?;
        let call = result.find("callId").and_then(Value::as_str).expect("call gives a callId");
        self.call = call.to_owned();
        Ok(self.call.clone())
    }

    /// Presses the button.
    pub fn call(&mut self) -> String {
        self.try_call(None).unwrap_or_else(|refusal| panic!("the call is refused: {refusal:?}"))
    }

    /// Calls an address.
    pub fn call_to(&mut self, uri: &str) -> String {
        let called = self.try_call(Some(uri));
        called.unwrap_or_else(|refusal| panic!("the call is refused: {refusal:?}"))
    }

    /// A command about the newest call.
    fn of_call(&self, name: &str) -> Answer {
        self.command(name, Value::object([("callId", self.call.as_str().into())]))
    }

    /// Waits for a call that comes in, which is the newest one then.
    pub fn rings(&mut self) -> CallInfo {
        let before = self.call.clone();
        let info = self.until("a call comes in", |seen| {
            let is_new =
                |step: &&CallInfo| step.function == "onIncomingCall" && step.call != before;
            seen.steps.iter().rfind(is_new).cloned()
        });
        self.call.clone_from(&info.call);
        info
    }

    /// Takes the call that rings.
    pub fn answer(&self) {
        self.of_call("answer").expect("answer is taken");
    }

    /// Does not take it.
    pub fn reject(&self) {
        self.of_call("reject").expect("reject is taken");
    }

    /// Hangs up.
    pub fn hang_up(&self) {
        self.of_call("hangup").expect("hangup is taken");
    }

    /// Puts the phone on hold.
    pub fn hold(&self) {
        self.of_call("hold").expect("hold is taken");
    }

    /// Takes it back.
    pub fn resume(&self) {
        self.of_call("resume").expect("resume is taken");
    }

    /// Presses keys.
    pub fn press(&self, digits: &str) {
        let argument = [("callId", self.call.as_str().into()), ("digits", digits.into())];
        self.command("dtmf", Value::object(argument)).expect("dtmf is taken");
    }

    /// Changes what the microphone hears; none for silence.
    pub fn say(&self, tone: Option<f32>) {
        self.order(Order::Say(tone));
    }

    /// Detaches the microphone from the streams, as the SWF mutes, or attaches it again.
    pub fn mute(&self, muted: bool) {
        self.order(Order::Mute(muted));
    }

    /// Lets no datagram pass between it and other clients any more, or lets them again.
    pub fn block_peers(&self, blocked: bool) {
        self.order(Order::Block(blocked));
    }

    /// Begins to look for the longest gap anew.
    pub fn measure_gap(&self) {
        self.shared.update(|seen| (seen.longest_gap, seen.packet_at) = (Duration::ZERO, None));
    }

    /// Closes the connection in order. Gives every datagram where they were written down.
    pub fn leave(self) -> Vec<Taped> {
        self.order(Order::Leave);
        let limit = Duration::from_secs(5);
        assert!(self.within(limit, |seen| seen.over.then_some(())).is_some(), "it takes its leave");
        self.tape.as_ref().map(|tape| tape.lock().unwrap().clone()).unwrap_or_default()
    }

    /// Stops without a word, as a browser that crashes; its address is free then.
    pub fn vanish(mut self) {
        self.order(Order::Vanish);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// Waits for a state of the newest call.
    pub fn reaches(&self, state: &str) -> CallInfo {
        self.until(&format!("call {} is {state}", self.call), |seen| {
            let mut of_call = seen.steps.iter().filter(|step| step.call == self.call);
            let found = of_call.clone().find(|step| step.state == state);
            if found.is_none()
                && let Some(ended) = of_call.find(|step| step.state == "ended")
            {
                panic!("the call ended before it was {state}: {ended:?}");
            }
            found.cloned()
        })
    }

    /// Waits until the newest call is active and both streams have begun.
    pub fn talks(&self) {
        self.reaches("active");
        self.until("its streams have begun", |seen| {
            let begun = |code| seen.was_told(code);
            (begun("NetStream.Publish.Start") && begun("NetStream.Play.Start")).then_some(())
        });
    }

    /// Waits for the end of the newest call.
    pub fn ends(&self) -> CallInfo {
        self.reaches("ended")
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
        panic!("a Flash client does not hear {frequency} Hz, but {last}");
    }

    /// Waits until the appliance has said `direct` of the newest call, with this value for the
    /// time that is given by number, from 1.
    pub fn is_told_direct(&self, on: bool, times: usize) -> CallInfo {
        self.until(&format!("direct is {on} for time {times}"), |seen| {
            let mut told = seen.steps.iter().filter(|s| s.call == self.call);
            let steps: Vec<_> = told.by_ref().filter(|s| s.direct == Some(on)).collect();
            steps.get(times - 1).map(|step| (*step).clone())
        })
    }

    /// Whether messages of sound still come.
    pub fn packets_come(&self) -> bool {
        let before = self.look(|seen| seen.packets);
        let limit = Duration::from_secs(2);
        self.within(limit, |seen| (seen.packets > before + 10).then_some(())).is_some()
    }
}

impl Drop for FlashVisitor {
    fn drop(&mut self) {
        self.order(Order::Vanish);
    }
}
