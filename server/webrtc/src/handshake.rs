//! DTLS before it is decided whose handshake it is.
//!
//! Anybody who can put a datagram on the browser's path can send a ClientHello before the browser
//! does. A DTLS server keeps to the first one it sees, so every client random gets a connection of
//! its own here, and the one that completes with the certificate of the offer wins:
//!
//! ```text
//!   ClientHello(r1) --> attempt r1 ----- wrong certificate, alert, time out --> dropped
//!   ClientHello(r2) --> attempt r2 ----- complete, right certificate ---------> the connection
//!   later fragments, the client's second flight: to every attempt, for they carry no random; the
//!   attempt that they do not belong to fails on them and is dropped
//! ```
//!
//! Every answer goes to the browser, and a browser that hears the answer to another's ClientHello
//! in the middle of its own handshake gives up. So the latest attempt has the floor as long as it
//! advances, and another ClientHello is held until the floor is free.

use crate::engine::{Broken, Engine};
use std::time::{Duration, Instant};

/// The most attempts at one time; the least recently greeted makes room.
const ATTEMPTS_MAX: usize = 3;
/// The most attempts in all. Whoever sends more ClientHellos is on the path and could cut the
/// connection just as well.
const ATTEMPTS_TOTAL: u32 = 32;
/// The most packets kept: fragments before their first one, or a ClientHello without the floor.
const KEPT_MAX: usize = 4;
/// An attempt that nothing came for has the floor for so long: a round trip over a satellite.
const FLOOR_FOR: Duration = Duration::from_secs(1);
/// No attempt has the floor for longer, whatever comes for it.
const FLOOR_MAX: Duration = Duration::from_secs(3);

/// What the first record of a datagram is (RFC 6347 4.1, 4.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// The beginning of a ClientHello with its random.
    Hello([u8; 32]),
    /// A later fragment of a ClientHello.
    HelloFragment,
    /// Another handshake message in the clear: the client's second flight.
    ClearFlight,
    /// An alert that nobody signed.
    ClearAlert,
    Other,
}

impl Record {
    pub(crate) fn of(packet: &[u8]) -> Record {
        const ALERT: u8 = 21;
        const HANDSHAKE: u8 = 22;
        const CLIENT_HELLO: u8 = 1;
        // Record header of 13 octets, message header of 12, version of 2, random of 32.
        let clear = packet.get(3..5) == Some(&[0, 0]);
        match (packet.first(), packet.get(13)) {
            (Some(&ALERT), _) if clear => Record::ClearAlert,
            (Some(&HANDSHAKE), Some(&CLIENT_HELLO)) if clear => {
                let random = packet.get(27..59).and_then(|random| random.try_into().ok());
                match (packet.get(19..22), random) {
                    (Some([0, 0, 0]), Some(random)) => Record::Hello(random),
                    _ => Record::HelloFragment,
                }
            }
            (Some(&HANDSHAKE), Some(_)) if clear => Record::ClearFlight,
            _ => Record::Other,
        }
    }
}

/// One connection that may become the connection.
pub(crate) struct Attempt {
    random: [u8; 32],
    begun_at: Instant,
    advanced_at: Instant,
    pub(crate) engine: Engine,
}

impl Attempt {
    fn receive(&mut self, now: Instant, packet: &[u8]) -> Result<(), Broken> {
        self.advanced_at = now;
        self.engine.receive(now, packet)
    }

    /// Lets time pass; `false` when the attempt ends by it. With rivals, what it wants to repeat
    /// stays unsent, for it could reach a browser that it does not belong to. The one that does
    /// belong to the browser is still answered whenever the browser repeats its own flight.
    fn handle_timeout(&mut self, now: Instant, alone: bool) -> bool {
        let mut alive = self.engine.handle_timeout(now);
        while alive.is_ok() && !alone {
            match self.engine.poll() {
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(broken) => alive = Err(broken),
            }
        }
        alive.is_ok()
    }

    fn floor_until(&self) -> Instant {
        (self.advanced_at + FLOOR_FOR).min(self.begun_at + FLOOR_MAX)
    }
}

/// Makes a connection that waits for a ClientHello.
pub(crate) type Make<'a> = dyn Fn() -> Result<Engine, Broken> + 'a;

/// All handshakes of one peer until one is complete.
#[derive(Default)]
pub(crate) struct Handshake {
    /// The most recently greeted last.
    pub(crate) attempts: Vec<Attempt>,
    begun: u32,
    /// Fragments that came before their first one.
    early: Vec<Vec<u8>>,
    held: Option<Held>,
}

/// The latest ClientHello without the floor, in fragments.
struct Held {
    random: [u8; 32],
    since: Instant,
    packets: Vec<Vec<u8>>,
}

impl Handshake {
    /// Takes a DTLS packet from a validated path. Returns how many attempts ended by it.
    pub(crate) fn handle_packet(&mut self, now: Instant, packet: &[u8], make: &Make<'_>) -> u32 {
        let before = self.attempts.len();
        let begun = self.begun;
        match Record::of(packet) {
            Record::Hello(random) => {
                let known = self.attempts.iter().position(|attempt| attempt.random == random);
                if let Some(index) = known {
                    let attempt = self.attempts.remove(index);
                    self.attempts.push(attempt);
                    self.feed_latest(now, packet);
                } else if self.attempts.last().is_some_and(|latest| now < latest.floor_until()) {
                    self.hold(now, random, packet);
                } else {
                    self.begin(now, random, packet, make);
                }
            }
            Record::HelloFragment if self.attempts.is_empty() => {
                if self.early.len() < KEPT_MAX {
                    self.early.push(packet.to_vec());
                }
            }
            Record::HelloFragment | Record::ClearFlight | Record::Other => {
                let held = self.held.as_ref().map(|held| held.random);
                if let (Some(random), Record::HelloFragment) = (held, Record::of(packet)) {
                    self.hold(now, random, packet);
                }
                self.attempts.retain_mut(|attempt| attempt.receive(now, packet).is_ok());
            }
            Record::ClearAlert => {}
        }
        self.ended(before, begun)
    }

    /// Lets time pass for every attempt. Returns how many attempts ended by it.
    pub(crate) fn handle_timeout(&mut self, now: Instant, make: &Make<'_>) -> u32 {
        let before = self.attempts.len();
        let begun = self.begun;
        let alone = self.attempts.len() == 1 && self.held.is_none();
        self.attempts.retain_mut(|attempt| {
            attempt.engine.wake_at() > now || attempt.handle_timeout(now, alone)
        });
        if self.attempts.last().is_none_or(|latest| latest.floor_until() <= now)
            && let Some(held) = self.held.take()
        {
            let mut packets = held.packets.iter();
            if let Some(first) = packets.next() {
                self.begin(now, held.random, first, make);
                packets.for_each(|packet| self.feed_latest(now, packet));
            }
        }
        self.ended(before, begun)
    }

    /// When to call [`Handshake::handle_timeout`].
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let floor = match (&self.held, self.attempts.last()) {
            (None, _) => None,
            (Some(_), Some(latest)) => Some(latest.floor_until()),
            // The attempt that had the floor has ended: at once, however the caller rounds that.
            (Some(held), None) => return Some(held.since),
        };
        self.attempts.iter().map(|attempt| attempt.engine.wake_at()).chain(floor).min()
    }

    fn begin(&mut self, now: Instant, random: [u8; 32], packet: &[u8], make: &Make<'_>) {
        if self.begun >= ATTEMPTS_TOTAL {
            return;
        }
        let Ok(engine) = make() else { return };
        self.begun += 1;
        if self.attempts.len() >= ATTEMPTS_MAX {
            self.attempts.remove(0);
        }
        self.attempts.push(Attempt { random, begun_at: now, advanced_at: now, engine });
        self.feed_latest(now, packet);
        for fragment in std::mem::take(&mut self.early) {
            self.feed_latest(now, &fragment);
        }
    }

    /// Gives a packet to the latest greeted attempt, which ends if it cannot bear it.
    fn feed_latest(&mut self, now: Instant, packet: &[u8]) {
        let broken = self.attempts.last_mut().is_some_and(|a| a.receive(now, packet).is_err());
        if broken {
            self.attempts.pop();
        }
    }

    fn hold(&mut self, now: Instant, random: [u8; 32], packet: &[u8]) {
        match &mut self.held {
            Some(held) if held.random == random => {
                let new = !held.packets.iter().any(|kept| kept == packet);
                if new && held.packets.len() < KEPT_MAX {
                    held.packets.push(packet.to_vec());
                }
            }
            _ => self.held = Some(Held { random, since: now, packets: vec![packet.to_vec()] }),
        }
    }

    fn ended(&self, before: usize, begun: u32) -> u32 {
        let added = self.begun - begun;
        let after = u32::try_from(self.attempts.len()).unwrap_or(0);
        (u32::try_from(before).unwrap_or(0) + added).saturating_sub(after)
    }
}
