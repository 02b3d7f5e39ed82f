//! A virtual network around one bridge: senders with tones, clocks that drift, jitter and loss by
//! seed, and ears at both ends.
#![allow(clippy::unwrap_used, dead_code)]

use audio::{
    Decoder, Encoder, MAX_ENCODED, Rate,
    tone::{Tone, ToneGenerator},
};
use base::{Codec, Frame, Seed};
use bridge::{Bridge, Event, PortSettings, Side};
use std::time::{Duration, Instant};

/// What a sender does, and what the network does to it.
#[derive(Clone)]
pub struct Stream {
    pub from: Side,
    pub codec: Codec,
    /// A steady tone: hertz, and dBFS at its peak.
    pub hertz: f32,
    pub level: f32,
    /// Instead of the tone a voice at that pitch: harmonics that swell and fade in syllables.
    pub voice: bool,
    /// Milliseconds a packet, a multiple of 10.
    pub ptime: u64,
    pub seconds: u64,
    /// The sender's clock against ours, in millionths.
    pub drift_ppm: i64,
    /// Percent of packets that never come.
    pub loss: u64,
    /// Milliseconds of even jitter.
    pub jitter: u64,
    /// Percent of packets that come twice.
    pub duplicates: u64,
    /// Whether jitter may turn the order around.
    pub reorder: bool,
}

impl Stream {
    pub fn new(from: Side, codec: Codec, hertz: f32) -> Stream {
        Stream {
            from,
            codec,
            hertz,
            level: -10.0,
            voice: false,
            ptime: 20,
            seconds: 4,
            drift_ppm: 0,
            loss: 0,
            jitter: 0,
            duplicates: 0,
            reorder: true,
        }
    }

    /// The numbers after this stream's last.
    fn next(&self, first: (u64, u32)) -> (u64, u32) {
        let units = u64::from(self.codec.clock_rate()) * self.seconds;
        (first.0 + self.seconds * 1000 / self.ptime, first.1.wrapping_add(units as u32))
    }

    /// Every arrival: microseconds, extended number, timestamp, payload.
    fn arrivals(&self, seed: &mut Seed, first: (u64, u32)) -> Vec<(u64, u64, u32, Vec<u8>)> {
        let rate = if self.codec == Codec::Opus { Rate::Full } else { Rate::of(self.codec) };
        let mut encoder = Encoder::new(self.codec, rate).unwrap();
        let mut generator = ToneGenerator::new(Tone::steady(self.hertz, self.level), rate);
        let mut arrivals = Vec::new();
        let mut latest = 0;
        for n in 0..self.seconds * 1000 / self.ptime {
            let mut payload = Vec::new();
            // Opus packets hold one frame of 20 ms at most here; the others are cut at will.
            let piece = if self.ptime.is_multiple_of(20) { 20 } else { 10 };
            assert!(self.codec != Codec::Opus || self.ptime == piece);
            for _ in 0..self.ptime / piece {
                let mut pcm = vec![0; rate.khz() * piece as usize];
                if self.voice {
                    speak(&mut pcm, n, self.hertz, rate);
                } else {
                    generator.fill(&mut pcm);
                }
                let mut out = [0; MAX_ENCODED];
                let length = encoder.encode(&pcm, &mut out).unwrap();
                payload.extend_from_slice(&out[..length]);
            }
            let sent = n * self.ptime * 1000;
            let sent = (sent as i64 - sent as i64 * self.drift_ppm / 1_000_000) as u64;
            let mut at = sent + 10_000 + seed.below(self.jitter * 1000 + 1);
            if !self.reorder {
                at = at.max(latest);
                latest = at;
            }
            let units = u64::from(self.codec.clock_rate()) / 1000;
            let timestamp = first.1.wrapping_add((n * self.ptime * units) as u32);
            if seed.below(100) < self.loss {
                continue;
            }
            if seed.below(100) < self.duplicates {
                arrivals.push((at + 5000, first.0 + n, timestamp, payload.clone()));
            }
            arrivals.push((at, first.0 + n, timestamp, payload));
        }
        arrivals.sort_by_key(|arrival| (arrival.0, arrival.1));
        arrivals
    }
}

/// The `n`th 20 ms of a voice: 14 harmonics whose pitch and strength change five times a second.
fn speak(pcm: &mut [i16], n: u64, pitch: f32, rate: Rate) {
    for (at, sample) in pcm.iter_mut().enumerate() {
        let seconds = n as f32 / 50.0 + at as f32 / rate.hz() as f32;
        let swell = (seconds * 5.0 * std::f32::consts::PI).sin().powi(2);
        let phase = std::f32::consts::TAU * (pitch * seconds + 1.5 * (seconds * 5.0).sin());
        let sum: f32 = (1..15).map(|k| (phase * k as f32).sin() / k as f32).sum();
        *sample = (sum * swell * 6000.0) as i16;
    }
}

/// What came out towards one side.
pub struct Heard {
    pub codecs: Vec<Codec>,
    pub frames: usize,
    pub relayed: usize,
    pub sequences: Vec<u64>,
    pub timestamps: Vec<u32>,
    pub pcm: Vec<i16>,
    decoder: Option<Decoder>,
}

/// The rate at which both ears listen.
pub const EAR: Rate = Rate::Narrow;

impl Heard {
    fn new() -> Heard {
        Heard {
            codecs: Vec::new(),
            frames: 0,
            relayed: 0,
            sequences: Vec::new(),
            timestamps: Vec::new(),
            pcm: Vec::new(),
            decoder: None,
        }
    }

    fn hear(&mut self, frame: &Frame<'_>) {
        if self.decoder.as_ref().is_none_or(|decoder| decoder.codec() != frame.codec) {
            self.decoder = Some(Decoder::new(frame.codec, EAR).unwrap());
            self.codecs.push(frame.codec);
        }
        let mut pcm = [0; 960];
        let samples = self.decoder.as_mut().unwrap().decode(frame.payload, &mut pcm).unwrap();
        self.pcm.extend_from_slice(&pcm[..samples]);
        self.frames += 1;
        self.sequences.push(frame.sequence);
        self.timestamps.push(frame.timestamp);
    }
}

/// One bridge with a clock and two ears.
pub struct World {
    pub bridge: Bridge,
    pub now: Instant,
    pub seed: Seed,
    pub heard: [Heard; 2],
    pub events: Vec<Event>,
    /// The next number and timestamp of each side's sender; the time wraps in the first minutes.
    pub next: [(u64, u32); 2],
    /// Off for long runs, in which only the statistics matter.
    pub listening: bool,
}

impl World {
    pub fn new(number: u64) -> World {
        let mut seed = Seed::from_number(number);
        World {
            bridge: Bridge::new(&mut seed),
            now: Instant::now(),
            seed,
            heard: [Heard::new(), Heard::new()],
            events: Vec::new(),
            next: [(70_000, u32::MAX - 50_000); 2],
            listening: true,
        }
    }

    /// A world whose two sides know one codec each.
    pub fn between(number: u64, visitor: Codec, trunk: Codec) -> World {
        let mut world = World::new(number);
        world.bridge.connect(world.now, PortSettings::only(visitor), PortSettings::only(trunk));
        world
    }

    pub fn heard(&self, side: Side) -> &Heard {
        &self.heard[side as usize]
    }

    fn drain(&mut self) {
        while let Some((side, frame)) = self.bridge.poll_frame() {
            if self.listening {
                self.heard[side as usize].hear(&frame);
            }
        }
        while let Some(event) = self.bridge.poll_event() {
            self.events.push(event);
        }
    }

    /// Lets time pass up to `to`, with a shell that wakes up in time.
    pub fn pass_until(&mut self, to: Instant) {
        while let Some(at) = self.bridge.poll_timeout().filter(|at| *at <= to) {
            self.now = self.now.max(at);
            self.bridge.handle_timeout(self.now);
            self.drain();
        }
        self.now = self.now.max(to);
    }

    pub fn pass(&mut self, ms: u64) {
        self.pass_until(self.now + Duration::from_millis(ms));
    }

    pub fn give(
        &mut self,
        from: Side,
        codec: Codec,
        sequence: u64,
        timestamp: u32,
        payload: &[u8],
    ) {
        let frame =
            Frame { codec, payload, sequence, timestamp, marker: false, received_at: self.now };
        let mut passed = self.bridge.handle_frame(self.now, from, frame);
        while let Some((side, frame)) = passed {
            if self.listening {
                self.heard[side as usize].hear(&frame);
            }
            self.heard[side as usize].relayed += 1;
            passed = self.bridge.poll_relayed(from);
        }
        self.drain();
    }

    /// Runs several senders at once, to the end of the last.
    pub fn run(&mut self, streams: &[Stream]) {
        let start = self.now;
        let mut all = Vec::new();
        for stream in streams {
            let next = &mut self.next[stream.from as usize];
            let arrivals = stream.arrivals(&mut self.seed, *next);
            *next = stream.next(*next);
            all.extend(arrivals.into_iter().map(|arrival| (stream.from, stream.codec, arrival)));
        }
        all.sort_by_key(|(_, _, arrival)| arrival.0);
        for (from, codec, (at, sequence, timestamp, payload)) in all {
            self.pass_until(start + Duration::from_micros(at));
            self.give(from, codec, sequence, timestamp, &payload);
        }
    }
}
