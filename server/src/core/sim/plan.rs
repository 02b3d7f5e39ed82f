//! What happens in a seed's run, all of it drawn.

use super::wire::Packet;
use super::world::{self, World};
use crate::core::door::{CoreEvent, Operator};
use base::{Codec, LinkId, Seed};
use sdp::Encryption;
use signalling::{ClientMessage, HangupReason, QualityReport};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How a run is drawn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan {
    /// Things that happen.
    pub steps: u64,
    /// In how many calls of a hundred the visitor speaks, and with him the phone.
    pub talkative: u64,
    /// How many of a hundred things Flash clients do.
    pub flash: u64,
    /// How many of a hundred things have to do with calls that come in at pages.
    pub called: u64,
}

impl World {
    /// A network between perfect and miserable, and a provider of some kind.
    pub fn drawn(number: u64, plan: Plan) -> World {
        let mut seed = Seed::from_number(number ^ 0x5eed);
        let mut config =
            if seed.below(3) == 0 { world::named_config() } else { world::config("198.51.100.20") };
        let codecs = some_codecs(&mut seed);
        // From a source of its own, so that a seed means in all else what it meant before.
        let mut secrets = Seed::from_number(number ^ 0x5ec);
        let srtp = match secrets.below(4) {
            0 | 1 => Encryption::Off,
            2 => Encryption::Offered,
            _ => Encryption::Required,
        };
        for account in config.accounts.values_mut() {
            account.srtp = srtp;
            account.codecs.clone_from(&codecs);
            account.register = seed.below(2) == 0;
        }
        if seed.below(8) == 0 {
            // Two pairs of ports for all.
            config.listen.rtp.last = config.listen.rtp.first + 3;
        }
        let mut world = World::with(number, config);
        for network in [&mut world.signalling, &mut world.media] {
            network.loss = seed.below(201);
            network.repeats = seed.below(100);
            network.stragglers = seed.below(100);
            network.delay = Duration::from_millis(1 + seed.below(120));
            network.jitter = Duration::from_millis(seed.below(60));
        }
        if plan.flash > 0 {
            world.draw_flash_way(&mut seed);
        }
        world.phone.codecs = some_codecs(&mut seed);
        // Mostly such that a call can come of it.
        world.phone.srtp = match secrets.below(12) {
            0 => Encryption::Off,
            1 if srtp != Encryption::Off => Encryption::Required,
            _ => Encryption::Offered,
        };
        world.phone.refuses_keys = secrets.below(16) == 0;
        world.phone.speaks = seed.below(100) < plan.talkative;
        world.tcp_only = if seed.below(4) == 0 { 700 } else { 0 };
        world.name_server = seed.below(8) > 0;
        world.core.wire.foreign = (0..seed.below(20)).map(|n| 20_000 + n as u16 * 7).collect();
        world.core.wire.refusals = if seed.below(4) == 0 { seed.below(100) } else { 0 };
        world
    }

    /// A whole life: things happen, everything ends, nothing is left.
    pub fn live(&mut self, plan: Plan) {
        for _ in 0..plan.steps {
            // Often several things in the same instant, sometimes a long pause.
            let pause = match self.seed.below(10) {
                0..3 => 0,
                3..9 => self.seed.below(1_500),
                _ => self.seed.below(20_000),
            };
            self.run_for(Duration::from_millis(pause));
            if plan.flash > 0 && self.seed.below(100) < plan.flash {
                self.flash_something();
            } else if plan.called > 0 && self.seed.below(100) < plan.called {
                self.called_something(plan);
            } else {
                self.something(plan);
            }
        }
        self.end();
    }

    fn something(&mut self, plan: Plan) {
        let open: Vec<LinkId> = self.pages.iter().filter(|p| p.1.open).map(|p| *p.0).collect();
        let Some(link) = pick(&mut self.seed, &open) else {
            let button = ["long", "short"][self.seed.below(2) as usize];
            self.open(Some(button));
            return;
        };
        match self.seed.below(24) {
            0 if open.len() < 4 => {
                let button = [Some("long"), Some("short"), Some("none"), None];
                let button = button[self.seed.below(4) as usize];
                self.open(button);
            }
            0..6 => {
                let uri = [None, Some("sip:bob@198.51.100.20"), Some("42"), Some("tel:1 2")];
                let uri = uri[self.seed.below(4) as usize];
                let speaks = self.seed.below(100) < plan.talkative;
                self.call(link, uri, speaks);
            }
            6..9 => self.hang_up(link),
            9 => self.close(link),
            10 | 11 => self.press(link),
            12 => {
                let (loss, jitter) = (f32::NAN, -1.0);
                let report = QualityReport { loss, jitter, ..QualityReport::default() };
                let call = self.some_call(link);
                self.say(link, ClientMessage::Quality { call, report });
            }
            13 => self.restart(link),
            14 => {
                // The page's machine goes without a word.
                let call = self.some_call(link);
                let call = self.pages.get_mut(&link).and_then(|page| page.calls.get_mut(&call));
                if let Some(call) = call {
                    call.browser = None;
                }
            }
            15 => self.own_account(link),
            16..20 => self.phone_does_something(),
            20 => self.network_trouble(),
            21 | 22 => self.stray(),
            _ => self.reload(),
        }
    }

    fn hang_up(&mut self, link: LinkId) {
        use HangupReason::{NoMedia, NoMicrophone, PageClosed, Visitor};
        let reason = [Visitor, NoMicrophone, NoMedia, PageClosed][self.seed.below(4) as usize];
        let call = self.some_call(link);
        self.say(link, ClientMessage::Hangup { call, reason });
    }

    fn press(&mut self, link: LinkId) {
        let digits = ["1", "12#*", "0123456789ABCD", "x"][self.seed.below(4) as usize].to_owned();
        let call = self.some_call(link);
        self.say(link, ClientMessage::Dtmf { call, digits });
    }

    fn restart(&mut self, link: LinkId) {
        let call = self.some_call(link);
        let known = self.pages.get_mut(&link).and_then(|page| page.calls.get_mut(&call));
        let offer = known.and_then(|call| call.restart());
        let offer = offer.unwrap_or_else(|| "v=0\r\n".to_owned());
        self.say(link, ClientMessage::Restart { call, offer });
    }

    fn own_account(&mut self, link: LinkId) {
        let registrar = ["198.51.100.20", "198.51.100.66"][self.seed.below(2) as usize].to_owned();
        let (username, password) = ("visitor".to_owned(), "secret".to_owned());
        match self.seed.below(3) {
            0 => self.say(link, ClientMessage::Unregister),
            _ => self.say(link, ClientMessage::Register { registrar, username, password }),
        }
    }

    fn phone_does_something(&mut self) {
        let talks: Vec<_> = self.phone.talks.keys().copied().collect();
        let Some(invite) = pick(&mut self.seed, &talks) else { return };
        match self.seed.below(6) {
            0 => self.phone.answer(self.now),
            1 => self.phone.reoffer(self.now, invite),
            2 | 3 => self.phone.refer(self.now, invite),
            _ => self.phone.hang_up(self.now, invite),
        }
    }

    fn network_trouble(&mut self) {
        match self.seed.below(3) {
            0 => self.phone.dead = !self.phone.dead,
            1 => self.unreachable = !self.unreachable,
            _ => {
                self.signalling.loss = self.seed.below(201);
                self.media.loss = self.seed.below(201);
            }
        }
    }

    /// A datagram of a stranger or of somebody known, with anything in it.
    fn stray(&mut self) {
        let to = self.core.wire.any(&mut self.seed);
        let pages = self.pages.values().flat_map(|page| page.calls.values());
        let mut known: Vec<SocketAddr> = pages.map(|call| call.address).collect();
        known.extend([self.phone.address, SocketAddr::new([198, 51, 100, 66].into(), 9)]);
        let from = pick(&mut self.seed, &known).unwrap_or(self.phone.address);
        let mut payload = vec![0; self.seed.below(200) as usize];
        self.seed.fill(&mut payload);
        if let Some(first) = payload.first_mut() {
            *first = [0, 22, 128, b'I', b'S'][self.seed.below(5) as usize];
        }
        self.deliver(&Packet { from, to, payload });
    }

    fn reload(&mut self) {
        let mut config = self.config.clone();
        match self.seed.below(8) {
            0 => config.accounts.clear(),
            1 => drop(config.buttons.remove("short")),
            2 => config.webphone = None,
            _ => config.accounts.values_mut().for_each(|a| a.username = self.seed.token(4)),
        }
        self.event(CoreEvent::Operator(Operator::Reload(Arc::new(config))));
    }

    /// A call of a page, now and then one that it never made.
    fn some_call(&mut self, link: LinkId) -> u32 {
        let last = self.pages.get(&link).map_or(0, |page| page.next);
        let back = self.seed.below(3) as u32;
        last.saturating_sub(back)
    }

    /// Everything ends in one of several ways; afterwards nothing may be left.
    fn end(&mut self) {
        self.unreachable = false;
        self.phone.dead = false;
        match self.seed.below(4) {
            0 => self.event(CoreEvent::Operator(Operator::Drain)),
            1 => self.event(CoreEvent::Operator(Operator::Stop)),
            way => {
                let links: Vec<LinkId> = self.pages.keys().copied().collect();
                for link in links {
                    if way == 3 {
                        self.close(link);
                        continue;
                    }
                    let calls = self.pages.get(&link).map(|page| page.calls.keys().copied());
                    for call in calls.into_iter().flatten().collect::<Vec<_>>() {
                        let reason = HangupReason::Visitor;
                        self.say(link, ClientMessage::Hangup { call, reason });
                    }
                }
                self.settle();
                if self.guests.is_empty() && !self.core.calls.is_empty() {
                    self.fail("a call outlives its page's hanging up");
                }
            }
        }
        if !self.guests.is_empty() && self.seed.below(4) > 0 {
            self.flash_leaves();
        }
        // By then the shard is drained, or what it has to say of dead calls is said (Timers B and F
        // are 32 s), whatever was lost of it; a phone that never heard BYE may still sit there.
        self.run_for(Duration::from_secs(36));
        let talks: Vec<_> = self.phone.talks.keys().copied().collect();
        for invite in talks {
            self.phone.hang_up(self.now, invite);
        }
        self.run_for(Duration::from_secs(50));
        if self.over {
            self.check_log();
            if !self.core.calls.is_empty() {
                self.fail("the shard went with a call in it");
            }
            return;
        }
        // The registrations stay; without them nothing is to be done at all.
        let registered = self.core.sip.poll_timeout().is_some();
        self.remove_accounts();
        self.flash_leaves();
        self.run_for(Duration::from_secs(if self.guests.is_empty() { 100 } else { 300 }));
        self.check_empty();
        if let Some(at) = self.core.sip.poll_timeout() {
            let words = format!("SIP wakes in {:?}, registered {registered}", at - self.now);
            self.fail(&words);
        }
        self.event(CoreEvent::Operator(Operator::Stop));
        self.settle();
        if !self.over {
            self.fail("an empty shard does not stop at once");
        }
    }

    fn remove_accounts(&mut self) {
        let mut config = self.config.clone();
        config.accounts.clear();
        config.buttons.clear();
        self.event(CoreEvent::Operator(Operator::Reload(Arc::new(config))));
        let links: Vec<LinkId> = self.pages.keys().copied().collect();
        links.into_iter().for_each(|link| self.close(link));
    }
}

pub fn pick<T: Copy>(seed: &mut Seed, from: &[T]) -> Option<T> {
    from.get(seed.below(from.len() as u64) as usize).copied()
}

fn some_codecs(seed: &mut Seed) -> Vec<Codec> {
    match seed.below(5) {
        0 => Codec::ALL.to_vec(),
        1 => vec![Codec::Pcmu],
        2 => vec![Codec::Speex16, Codec::Speex8],
        _ => vec![Codec::Pcma, Codec::Pcmu],
    }
}
