//! One shard, the provider, the pages, the network between them, and a clock.

use super::guest::{FlashWay, Guest};
use super::page::Page;
use super::phone::{PHONE, Phone};
use super::wire::{Packet, VirtualWire};
use crate::config::{Account, Button, Config, HostPort, Listen, RtpRange, WebPhone};
use crate::core::door::{CoreEvent, CoreHandle, LinkOutput, OUTPUTS, Visitor};
use crate::core::metrics::Metrics;
use crate::core::{Core, Setup};
use crate::net::{StreamOrder, resolve};
use base::{Codec, LinkId, Private, Secret, Seed};
use signalling::ClientMessage;
use stand_in::Network;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc;

pub const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 1));
/// The port of Flash.
pub const FLASH: u16 = 1935;
/// The most steps of one life.
const STEPS: u64 = 1_000_000;
/// The name of the provider that has to be looked up.
const NAME: &str = "pbx.example";

/// Everything.
pub struct World {
    /// What a failure names, to be run again alone.
    pub number: u64,
    pub seed: Seed,
    pub start: Instant,
    pub now: Instant,
    pub core: Core<VirtualWire>,
    pub config: Config,
    /// SIP's way. It is a network of its own because DTLS draws from the system: what that draws
    /// must not change what happens to SIP, or no seed could be run again.
    pub signalling: Network<Packet>,
    /// The way of browsers' and phones' media.
    pub media: Network<Packet>,
    pub phone: Phone,
    pub pages: BTreeMap<LinkId, Page>,
    /// The provider's machine answers every datagram with ICMP: nobody listens.
    pub unreachable: bool,
    /// Whether looking the provider's name up finds something.
    pub name_server: bool,
    /// Browsers that reach the shard by ICE-TCP only, per thousand.
    pub tcp_only: u64,
    /// The shard has ended as it does before its thread goes.
    pub over: bool,
    /// Rounds in which something happened.
    pub steps: u64,
    /// What the shard has written to browsers on ICE-TCP.
    pub connections: BTreeMap<SocketAddr, mpsc::Receiver<Vec<u8>>>,
    /// Flash clients, those that are gone included.
    pub guests: Vec<Guest>,
    /// The way between them and the shard.
    pub flash: FlashWay,
    /// Of so many rounds one is looked at.
    pub check_every: u64,
    outputs: mpsc::Receiver<LinkOutput>,
    lookups: mpsc::Receiver<resolve::Question>,
    /// Orders for SIP connections, which nobody takes in this world.
    streams: mpsc::Receiver<StreamOrder>,
    /// Diffie-Hellman that the shard wants done.
    jobs: std::sync::mpsc::Receiver<rtmfp::Job>,
    next_address: u16,
}

impl World {
    /// A world without mishaps, whose account needs no registration.
    pub fn new(number: u64) -> World {
        World::with(number, config("198.51.100.20"))
    }

    /// A world in which the shard runs on a configuration of [`config`].
    pub fn with(number: u64, config: Config) -> World {
        let start = Instant::now();
        let mut seed = Seed::from_number(number);
        let (outputs_in, outputs) = mpsc::channel(OUTPUTS);
        let (lookups_in, lookups) = mpsc::channel(64);
        let (streams_in, streams) = mpsc::channel(1024);
        let (jobs_in, jobs) = std::sync::mpsc::sync_channel(64);
        let (_, inbox) = CoreHandle::new(Arc::new(|| {}));
        let setup = Setup {
            config: Arc::new(config.clone()),
            seed: seed.fork(),
            wire: VirtualWire::new(seed.fork()),
            inbox,
            outputs: outputs_in,
            lookups: lookups_in,
            streams: streams_in,
            metrics: Arc::new(Metrics::default()),
            store: store::Store::open(None).expect("a log in memory"),
            jobs: jobs_in,
            calendar: || SystemTime::UNIX_EPOCH,
        };
        let (core, bound) = Core::new(setup).expect("a shard");
        let mut world = World {
            number,
            start,
            now: start,
            core,
            config,
            signalling: Network::new(seed.fork()),
            media: Network::new(seed.fork()),
            phone: Phone::new(seed.fork(), bound.sip),
            seed,
            pages: BTreeMap::new(),
            unreachable: false,
            name_server: true,
            tcp_only: 0,
            over: false,
            steps: 0,
            connections: BTreeMap::new(),
            guests: Vec::new(),
            flash: FlashWay::new(Seed::from_number(number ^ 0xf1a5)),
            check_every: 1,
            outputs,
            lookups,
            streams,
            jobs,
            next_address: 0,
        };
        world.settle();
        world
    }

    /// Hands the shard an event; whether it settles at once is a matter of what else its thread
    /// finds in the same round.
    pub fn event(&mut self, event: CoreEvent) {
        if self.over {
            return;
        }
        self.core.handle_event(self.now, event);
        let now = self.now;
        self.core.note_invited(|| now);
        if self.seed.below(2) == 0 {
            self.settle();
        }
    }

    /// A page opens its link: on a button, or to bring its own account.
    pub fn open(&mut self, button: Option<&str>) -> LinkId {
        let link = LinkId(1 + self.pages.len() as u64);
        self.pages.insert(link, Page { open: true, ..Page::default() });
        self.event(CoreEvent::Visitor(Visitor::Opened {
            link,
            button: button.map(str::to_owned),
            page: Private::new("https://shop.example".to_owned()),
            address: Private::new([192, 0, 2, 1].into()),
            local_page: false,
        }));
        link
    }

    pub fn say(&mut self, link: LinkId, message: ClientMessage) {
        self.event(CoreEvent::Visitor(Visitor::Message { link, message }));
    }

    /// A page calls; the number is the page's own.
    pub fn call(&mut self, link: LinkId, uri: Option<&str>, speaks: bool) -> u32 {
        self.next_address += 1;
        let [high, low] = self.next_address.to_be_bytes();
        let address = SocketAddr::new([192, 0, 2 + high, low].into(), 40_000);
        let tcp = self.seed.below(1_000) < self.tcp_only;
        let page = self.pages.get_mut(&link).expect("a page");
        let (call, offer) = page.call(self.now, address, tcp, speaks);
        let (uri, headers) = (uri.map(str::to_owned), BTreeMap::new());
        self.say(link, ClientMessage::Call { call, uri, video: false, headers, offer });
        call
    }

    /// A page takes a call that came in; false where there was nothing to take.
    pub fn take(&mut self, link: LinkId, call: u32, speaks: bool) -> bool {
        self.next_address += 1;
        let [high, low] = self.next_address.to_be_bytes();
        let address = SocketAddr::new([192, 0, 2 + high, low].into(), 40_000);
        let tcp = self.seed.below(1_000) < self.tcp_only;
        let page = self.pages.get_mut(&link).expect("a page");
        let Some(offer) = page.answer(self.now, call, address, tcp, speaks) else { return false };
        self.say(link, ClientMessage::Answer { call, video: false, offer });
        true
    }

    pub fn close(&mut self, link: LinkId) {
        if let Some(page) = self.pages.get_mut(&link) {
            page.open = false;
            self.event(CoreEvent::Visitor(Visitor::Closed { link }));
        }
    }

    /// Lets everything happen until `until`, or until `done` says so.
    pub fn run_until(&mut self, until: Instant, mut done: impl FnMut(&World) -> bool) {
        self.settle();
        while !done(self) {
            let next = self.next_at().filter(|at| *at <= until);
            let Some(next) = next else {
                self.now = self.now.max(until);
                return;
            };
            self.now = self.now.max(next);
            self.round();
        }
    }

    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time, |_| false);
    }

    /// Who wants to be woken now.
    fn who_wakes(&self) -> Vec<&'static str> {
        let core = &self.core;
        let all = [
            ("SIP's network", self.signalling.next_at()),
            ("media's network", self.media.next_at()),
            ("phone", self.phone.poll_timeout()),
            ("browsers' machine", core.browsers.poll_timeout()),
            ("SIP", core.sip.poll_timeout()),
            ("ports", core.pool.poll_timeout()),
            ("calls", core.calls.poll_timeout()),
            ("accounts", core.accounts.poll_timeout()),
            ("Flash", core.flash.as_ref().and_then(crate::core::flash::Flash::poll_timeout)),
            ("Flash's way", self.flash.next_at()),
            ("Flash clients", self.guests.iter().filter_map(Guest::poll_timeout).min()),
            ("end", core.drain_until.or(core.stop_at)),
        ];
        let due = all.into_iter().filter(|(_, at)| at.is_some_and(|at| at <= self.now));
        due.map(|(who, _)| who).collect()
    }

    fn next_at(&self) -> Option<Instant> {
        let calls = self.pages.values().flat_map(|page| page.calls.values());
        let browsers = calls.filter_map(|call| call.poll_timeout(self.now));
        let core = (!self.over).then(|| self.core.deadline(self.now));
        let guests = self.guests.iter().filter_map(Guest::poll_timeout);
        [
            self.signalling.next_at(),
            self.media.next_at(),
            self.flash.next_at(),
            self.phone.poll_timeout(),
            core,
        ]
        .into_iter()
        .flatten()
        .chain(guests)
        .chain(browsers)
        .min()
    }

    /// One round as the thread has it: datagrams, deadlines, settling. Then the others' turn.
    fn round(&mut self) {
        while let Some(packet) = self.signalling.take(self.now) {
            self.deliver(&packet);
        }
        while let Some(packet) = self.media.take(self.now) {
            self.deliver(&packet);
        }
        while let Some(packet) = self.flash.network.take(self.now) {
            self.deliver(&packet);
        }
        while let Some(done) = self.flash.take_agreed(self.now) {
            self.event(CoreEvent::KeysAgreed(done));
        }
        if !self.over {
            self.core.handle_timeout(self.now);
        }
        if self.phone.poll_timeout().is_some_and(|at| at <= self.now) {
            self.phone.handle_timeout(self.now);
        }
        for call in self.pages.values_mut().flat_map(|page| page.calls.values_mut()) {
            call.handle_timeout(self.now);
        }
        for guest in &mut self.guests {
            guest.handle_timeout(self.now);
        }
        self.settle();
    }

    /// A datagram arrives where it was sent to.
    pub fn deliver(&mut self, packet: &Packet) {
        if packet.to.ip() == SERVER {
            let port = self.core.wire.at(packet.to).filter(|_| !self.over);
            if port.is_some() && self.is_tcp(packet.from) {
                self.deliver_frame(packet);
            } else if let Some(port) = port {
                self.core.handle_datagram(self.now, port, &super::phone::datagram(packet));
            }
        } else if packet.to.ip() == self.phone.address.ip() {
            if !self.unreachable {
                self.phone.receive(self.now, packet);
            } else if !self.over {
                self.core.handle_unreachable(self.now, packet.to.ip());
            }
        } else if let Some(guest) = self.guests.iter_mut().find(|g| g.is_at(packet.to)) {
            guest.receive(self.now, packet);
        } else {
            let mut calls = self.pages.values_mut().flat_map(|page| page.calls.values_mut());
            if let Some(call) = calls.find(|call| call.address == packet.to) {
                call.receive(self.now, packet);
            }
        }
    }

    /// SIP here is UDP's: a connection is refused, as by a server that has none.
    fn refuse_streams(&mut self) {
        while let Ok(order) = self.streams.try_recv() {
            let StreamOrder::Send(transmit) = order else { continue };
            let connection = sip::Connection::Failed { words: "refused".to_owned() };
            let (protocol, remote) = (transmit.protocol, transmit.remote);
            let event = CoreEvent::SipConnection { protocol, remote, connection };
            self.core.handle_event(self.now, event);
            self.core.settle(self.now);
        }
    }

    fn is_tcp(&self, address: SocketAddr) -> bool {
        let mut calls = self.pages.values().flat_map(|page| page.calls.values());
        calls.any(|call| call.tcp && call.address == address)
    }

    /// Drains everybody, and looks at what must always hold.
    pub fn settle(&mut self) {
        self.steps += 1;
        if self.steps > STEPS {
            self.fail(&format!("somebody keeps everybody awake: {:?}", self.who_wakes()));
        }
        if !self.over {
            self.close_connections();
            let now = self.now;
            self.core.note_invited(|| now);
            self.core.settle(self.now);
        }
        self.refuse_streams();
        self.drain_connections();
        while let Ok(output) = self.outputs.try_recv() {
            let page = self.pages.get_mut(&output.link).expect("a link that was opened");
            page.told(self.now, output.message);
        }
        let mut sent = std::mem::take(&mut self.core.wire.outbox);
        sent.append(&mut self.phone.outbox);
        for call in self.pages.values_mut().flat_map(|page| page.calls.values_mut()) {
            call.drain(&mut sent);
        }
        for guest in &mut self.guests {
            sent.append(&mut guest.outbox);
        }
        while let Ok(job) = self.jobs.try_recv() {
            self.flash.agree(self.now, job);
        }
        for packet in sent.drain(..) {
            if packet.from.port() == FLASH || packet.to.port() == FLASH {
                self.flash.put(self.now, packet);
            } else if packet.from.port() == 5060 {
                self.signalling.put(self.now, packet);
            } else if self.is_tcp(packet.from) {
                self.media.put_surely(self.now, packet);
            } else {
                self.media.put(self.now, packet);
            }
        }
        self.core.wire.outbox = sent;
        if !self.over {
            if self.steps.is_multiple_of(self.check_every) {
                self.check();
            }
            self.over = self.core.is_done(self.now);
        }
        while let Ok(question) = self.lookups.try_recv() {
            let found = self.name_server.then(|| PHONE.parse().expect("an address"));
            let targets: Vec<_> = found.into_iter().map(sip::Target::udp).collect();
            let peers = targets.iter().map(|target| target.address.ip()).collect();
            let failed = !self.name_server;
            let again_after = Duration::from_secs(if failed { 15 } else { 300 });
            let outcome = resolve::Outcome { targets, peers, again_after, failed };
            self.core.handle_event(self.now, CoreEvent::Resolved { question, outcome });
        }
    }
}

/// Two buttons on one account at a provider, given by address or name, and pages' own accounts.
pub fn config(provider: &str) -> Config {
    let registrar = HostPort { host: provider.to_owned(), port: Some(5060) };
    let account = Account {
        registrar: registrar.clone(),
        username: "shop".to_owned(),
        from_user: None,
        auth_username: None,
        password: Secret::new("secret"),
        outbound_proxy: None,
        register: false,
        expires: Duration::from_secs(300),
        srtp: sdp::Encryption::Off,
        codecs: Codec::ALL.to_vec(),
        transport: None,
        ca_file: None,
        domain: None,
        identity: crate::config::Identity::Off,
        quirks: sip::Quirks::default(),
    };
    let button = |max_calls, max_duration| Button {
        accounts: vec!["account".to_owned()],
        destination: format!("sip:shop@{provider}"),
        origins: vec!["https://shop.example".to_owned()],
        video: false,
        max_duration: Duration::from_secs(max_duration),
        max_calls,
    };
    let buttons = [("long", button(8, 900)), ("short", button(2, 20)), ("hour", button(1, 4_000))];
    Config {
        public_url: "https://call.example".to_owned(),
        listen: Listen {
            http: SocketAddr::new(SERVER, 80),
            webrtc: SocketAddr::new(SERVER, 8443),
            rtmfp: SocketAddr::new(SERVER, 1935),
            rtmfp_named: true,
            sip: SocketAddr::new(SERVER, 5060),
            rtp: RtpRange { address: SERVER, first: 20_000, last: 20_099 },
            public_ip: None,
            webrtc_everywhere: false,
        },
        accounts: [("account".to_owned(), account)].into(),
        buttons: buttons.map(|(name, button)| (name.to_owned(), button)).into(),
        webphone: Some(WebPhone {
            srtp: sdp::Encryption::Off,
            registrars: vec![HostPort { host: "198.51.100.20".to_owned(), port: Some(5060) }],
            origins: vec!["https://shop.example".to_owned()],
        }),
        data: None,
        traces: true,
        demo: false,
    }
}

/// The same at a provider whose name has to be looked up.
pub fn named_config() -> Config {
    config(NAME)
}

/// The same with an account whose sound is, or may be, encrypted.
pub fn secret_config(srtp: sdp::Encryption) -> Config {
    let mut config = config("198.51.100.20");
    config.accounts.values_mut().for_each(|account| account.srtp = srtp);
    config.webphone.iter_mut().for_each(|webphone| webphone.srtp = srtp);
    config
}
