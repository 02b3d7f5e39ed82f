//! What Flash clients do in a seed's run, all of it drawn.

use super::guest::Guest;
use super::sound_scenes::speex;
use super::world::{FLASH, SERVER, World};
use base::Seed;
use rtmp::amf::Value;
use std::net::SocketAddr;
use std::time::Duration;

/// The page and the registrar that a Flash client may come from and use.
const PAGE: &str = "https://shop.example/phone.html";
const REGISTRAR: &str = "198.51.100.20";

impl World {
    /// Between perfect and miserable too.
    pub fn draw_flash_way(&mut self, seed: &mut Seed) {
        let way = &mut self.flash;
        way.network.loss = seed.below(201);
        way.network.repeats = seed.below(100);
        way.network.stragglers = seed.below(100);
        way.network.delay = Duration::from_millis(1 + seed.below(120));
        way.network.jitter = Duration::from_millis(seed.below(60));
        way.flips = seed.below(40);
        way.replays = seed.below(40);
        self.phone.passes = seed.below(80);
    }

    /// A Flash client sets out to connect; returns its index.
    pub fn arrive(&mut self, address: Option<SocketAddr>, app: &str, page: &str) -> usize {
        let number = 1 + self.guests.len() as u16;
        let [high, low] = number.to_be_bytes();
        let own = SocketAddr::new([192, 1, high, low].into(), 50_000);
        let address = address.unwrap_or(own);
        let seed = Seed::from_number(self.number << 16 | u64::from(number));
        let server = SocketAddr::new(SERVER, FLASH);
        self.guests.push(Guest::new(self.now, seed, address, server, (app, page)));
        self.guests.len() - 1
    }

    /// Something of Flash's happens.
    pub fn flash_something(&mut self) {
        let here = (0..self.guests.len()).filter(|index| !self.guests[*index].was_away());
        let here: Vec<usize> = here.collect();
        let act = self.seed.below(30);
        let Some(index) = pick(&mut self.seed, &here).filter(|_| act > 1 || here.len() > 2) else {
            let app = ["long", "short", "webphone", "webphone/", "webphone", "webphone", "none"];
            let (app, page) = (app[self.seed.below(7) as usize], self.seed.below(10));
            let page = ["https://evil.example/", PAGE][usize::from(page > 0)];
            let index = self.arrive(None, app, page);
            if index % 2 == 1 {
                self.guests[index].voice = |number| [&[0xb2][..], &speex(number)].concat();
            }
            self.guests[index].hears_peers = self.seed.below(3) > 0;
            // Most say little, which keeps the test short.
            if self.seed.below(4) > 0 {
                self.guests[index].tick = Duration::from_millis(200);
            }
            return;
        };
        let now = self.now;
        if self.seed.below(2) == 0 && self.sensible(index) {
            return;
        }
        let name = self.some_name(index);
        let call = [("callId", Value::from(name.as_str()))];
        let stream = {
            let streams = self.guests[index].streams.clone();
            pick(&mut self.seed, &streams).unwrap_or(self.seed.below(4) as u32)
        };
        match act {
            0..4 => {
                let uri = [Value::Null, "42".into(), "sip:bob@198.51.100.20".into(), 7.0.into()];
                let uri = uri[self.seed.below(4) as usize].clone();
                self.guests[index].say(now, "call", &[("uri", uri)]);
            }
            4 | 5 => {
                let registrar = [REGISTRAR, "198.51.100.66"][usize::from(self.seed.below(5) == 0)];
                let username = format!("guest{index}");
                let arguments = [
                    ("registrar", Value::from(registrar)),
                    ("username", username.as_str().into()),
                    ("password", "secret".into()),
                ];
                let name = ["register", "unregister"][usize::from(self.seed.below(8) == 0)];
                self.guests[index].say(now, name, &arguments);
            }
            6..10 => drop(self.guests[index].act(now, |client| client.create_stream())),
            10..13 => self.guests[index].publish(now, stream, &name),
            13..16 => drop(self.guests[index].act(now, |client| client.play(stream, &name))),
            16 => {
                let digits = ["12#", "", "x", "0123456789ABCD*#"][self.seed.below(4) as usize];
                let [call] = call;
                self.guests[index].say(now, "dtmf", &[call, ("digits", digits.into())]);
            }
            17 => {
                let name = ["hold", "resume", "transfer", "transfer"];
                let kind = self.seed.below(4) as usize;
                let [call] = call;
                let to = if kind == 3 { "toCallId" } else { "uri" };
                self.guests[index].say(now, name[kind], &[call, (to, "1".into())]);
            }
            18 => self.guests[index].say(now, "hangup", &call),
            19..22 => self.guests[index].say(now, "answer", &call),
            22 => self.guests[index].say(now, "reject", &call),
            23 => {
                let delete = self.seed.below(2) == 0;
                self.guests[index].stop(now, stream, delete);
            }
            24 => {
                let name = ["", "connect", "answer", "call", "nonsense", "createStream"];
                let name = name[self.seed.below(6) as usize];
                let value = [Value::Null, Value::from(-1.0), Value::from("x"), f64::NAN.into()];
                let value = value[self.seed.below(4) as usize].clone();
                self.guests[index].act(now, |client| client.call(name, vec![value]));
            }
            27 | 28 => {
                let on = self.seed.below(3) > 0;
                let [call] = call;
                self.guests[index].say(now, "direct", &[call, ("on", on.into())]);
            }
            25 if self.seed.below(2) == 0 => {
                let way = self.seed.below(3);
                self.guests[index].leave(now, way);
            }
            26 if self.seed.below(2) == 0 => {
                // A page that is loaded again, from the same port.
                let address = self.guests[index].address;
                self.guests[index].leave(now, 2);
                self.arrive(Some(address), "webphone", PAGE);
            }
            _ => self.phone_calls(),
        }
    }

    /// What a client does next that wants to talk; false where it has nothing to do.
    fn sensible(&mut self, index: usize) -> bool {
        let now = self.now;
        let guest = &mut self.guests[index];
        if !guest.connected {
            return false;
        }
        let active = guest.call_in("active").or_else(|| guest.call_in("held"));
        if let Some(call) = guest.incoming.iter().find(|call| {
            guest.calls.get(*call).is_some_and(|told| told.last().is_some_and(|t| t.0 == "ringing"))
        }) {
            let call = Value::from(call.as_str());
            guest.say(now, "answer", &[("callId", call)]);
        } else if let Some(call) = active {
            match guest.streams.len() {
                0 | 1 => drop(guest.act(now, |client| client.create_stream())),
                _ if guest.publishing.is_empty() => guest.publish(now, guest.streams[0], &call),
                _ => {
                    let stream = guest.streams[1];
                    guest.act(now, |client| client.play(stream, &call));
                }
            }
        } else if guest.is_webphone() && !guest.registered {
            let arguments = [
                ("registrar", Value::from(REGISTRAR)),
                ("username", format!("guest{index}").as_str().into()),
                ("password", "secret".into()),
            ];
            guest.say(now, "register", &arguments);
        } else if guest.is_webphone() && self.seed.below(2) == 0 {
            self.phone_calls();
        } else {
            guest.say(now, "call", &[("uri", "42".into())]);
        }
        true
    }

    /// The provider calls an account that somebody registered, or did.
    pub fn phone_calls(&mut self) {
        let contacts = self.phone.contacts.clone();
        if let Some(index) = pick(&mut self.seed, &(0..contacts.len()).collect::<Vec<_>>()) {
            self.phone.call(self.now, &contacts[index]);
        }
    }

    /// A call of a client by its name, or one that never was.
    fn some_name(&mut self, index: usize) -> String {
        let names: Vec<&String> = self.guests[index].calls.keys().rev().take(3).collect();
        match self.seed.below(8) {
            0 => ["", "01", "4294967296", "77", "é"][self.seed.below(5) as usize].to_owned(),
            _ => pick(&mut self.seed, &names).cloned().unwrap_or_default(),
        }
    }

    /// All Flash clients go, each in its way.
    pub fn flash_leaves(&mut self) {
        for index in 0..self.guests.len() {
            let way = self.seed.below(3);
            self.guests[index].leave(self.now, way);
        }
    }
}

pub fn pick<T: Clone>(seed: &mut Seed, from: &[T]) -> Option<T> {
    from.get(seed.below(from.len() as u64) as usize).cloned()
}
