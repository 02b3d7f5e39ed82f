//! From frames that come when they like to 20 ms of sound every 20 ms.

use crate::{
    delay::Delay,
    jitter::{Inserted, JitterBuffer, LONGEST, Slot},
    statistics::DirectionStatistics,
    timeline::{Place, Timeline},
};
use audio::noise::ComfortNoise;
use audio::{Decoder, Rate, frame_duration, level, stretch};
use base::{Codec, Frame};
use std::time::Instant;

/// One tick, in microseconds.
pub const TICK: i64 = 20_000;
/// Frames shorter than this are nothing that a phone sends.
const SHORTEST_FRAME: i64 = 2_500;
/// What the delay may exceed the target by before anything is left out.
const SLACK: i64 = 25_000;
/// Above this excess sound is left out even in the middle of a word.
const PRESSING: i64 = 100_000;
/// So long a run dry ends the talk spurt: what comes next waits for the target again.
const DRY: i64 = 200_000;
/// Ticks between two corrections of a small excess.
const CORRECT_EVERY: u32 = 10;
/// Sound below this level may be left out or doubled unheard, in dBFS.
const QUIET: f32 = -50.0;
/// So many late frames in a row are not late: the sender has started anew.
const LATE_IN_A_ROW: u32 = 10;
/// Samples of the longest frame, 120 ms, at the highest rate.
const LONGEST_PCM: usize = 5760;

/// What the playout does:
///
/// ```text
///            the first frame has been held for the target
///   Waiting ----------------------------------------------> Playing
///      ^                                                       |
///      +-- dry for 200 ms, or the sender's numbers jumped -----+
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Playing,
}

/// Plays one sender's frames out. Times are microseconds since the first frame of all.
pub struct Playout {
    epoch: Instant,
    timeline: Timeline,
    delay: Delay,
    buffer: JitterBuffer,
    decoder: Option<Decoder>,
    /// Decoded sound that has not been played yet, at `rate`.
    pcm: Vec<i16>,
    rate: Rate,
    state: State,
    /// What is to be played next: its number, and its place on the time line.
    sequence: u64,
    at: i64,
    /// What has been made up since the buffer ran dry, in microseconds.
    dry: i64,
    late_in_a_row: u32,
    /// What fills the sender's pause, and the newest frame that came before it.
    noise: Option<(ComfortNoise, Option<u64>)>,
    /// The number of the newest frame that came of this stream.
    newest: Option<u64>,
    ticks_since_correction: u32,
    meter: level::Meter,
    metered: u32,
}

impl Playout {
    /// A playout without any frame.
    pub fn new(now: Instant) -> Self {
        Playout {
            epoch: now,
            timeline: Timeline::default(),
            delay: Delay::new(),
            buffer: JitterBuffer::default(),
            decoder: None,
            pcm: Vec::new(),
            rate: Rate::Narrow,
            state: State::Waiting,
            sequence: 0,
            at: 0,
            dry: 0,
            late_in_a_row: 0,
            noise: None,
            newest: None,
            ticks_since_correction: 0,
            meter: level::Meter::default(),
            metered: 0,
        }
    }

    fn micros(&self, at: Instant) -> i64 {
        let since = at.saturating_duration_since(self.epoch).as_micros();
        i64::try_from(since).unwrap_or(i64::MAX / 4)
    }

    /// Takes a frame in.
    pub fn insert(&mut self, now: Instant, frame: &Frame<'_>, stats: &mut DirectionStatistics) {
        let duration = frame_duration(frame.codec, frame.payload)
            .and_then(|duration| i64::try_from(duration.as_micros()).ok())
            .filter(|duration| *duration >= SHORTEST_FRAME && frame.payload.len() <= LONGEST);
        let Some(duration) = duration else {
            stats.malformed += 1;
            return;
        };
        let arrived = self.micros(frame.received_at.min(now));
        let place = self.timeline.place(frame, duration, arrived, self.delay.base());
        let at = match place {
            Place::At(at) => at,
            Place::Anew(at) => {
                if self.buffer.len() > 0 || self.state == State::Playing {
                    stats.resets += 1;
                }
                self.restart();
                at
            }
            Place::Stale => return self.came_late(stats),
        };
        let late = self.state == State::Playing && frame.sequence < self.sequence;
        self.delay.arrived(arrived, arrived - at, late);
        if late {
            return self.came_late(stats);
        }
        self.late_in_a_row = 0;
        self.newest = self.newest.max(Some(frame.sequence));
        match self.buffer.insert(frame, at, duration) {
            Inserted::Kept => {}
            Inserted::Overflowed => stats.lost += 1,
            Inserted::Duplicate => stats.duplicates += 1,
        }
    }

    /// The sender pauses: from the last of its frames to the next one there is soft noise.
    pub fn pause(&mut self, level: u8) {
        match &mut self.noise {
            Some((noise, after)) => {
                noise.set_level(level);
                *after = self.newest;
            }
            None => self.noise = Some((ComfortNoise::new(level), self.newest)),
        }
    }

    /// Leaves a frame out; after some in a row the sender is taken to have started anew.
    fn came_late(&mut self, stats: &mut DirectionStatistics) {
        stats.late += 1;
        self.late_in_a_row += 1;
        if self.late_in_a_row >= LATE_IN_A_ROW {
            stats.resets += 1;
            self.timeline = Timeline::default();
            self.restart();
        }
    }

    /// Another stream: nothing that is buffered goes with it.
    fn restart(&mut self) {
        self.buffer.clear();
        self.delay.restart();
        self.state = State::Waiting;
        self.late_in_a_row = 0;
        self.newest = None;
        if let Some((_, after)) = &mut self.noise {
            // Whatever is played next is another stream's, and ends the pause.
            *after = None;
        }
    }

    /// Fills 20 ms of what is due at `now` for a side that takes `to`, and gives the rate.
    pub fn pull(
        &mut self,
        now: Instant,
        to: Codec,
        out: &mut [i16; 960],
        stats: &mut DirectionStatistics,
    ) -> Rate {
        let now = self.micros(now);
        self.ticks_since_correction = self.ticks_since_correction.saturating_add(1);
        // Each turn adds sound, takes a frame or changes the state; the bound is for a flood of
        // tiny frames that are all left out.
        for _ in 0..256 {
            if self.pcm.len() >= self.rate.khz() * 20 {
                break;
            }
            self.step(now, to, stats);
        }
        let samples = self.rate.khz() * 20;
        if self.pcm.len() < samples {
            self.pcm.resize(samples, 0);
        }
        out[..samples].copy_from_slice(&self.pcm[..samples]);
        self.pcm.copy_within(samples.., 0);
        self.pcm.truncate(self.pcm.len() - samples);
        self.measure(&out[..samples], stats);
        stats.target_ms = (self.delay.target() / 1000) as u32;
        self.rate
    }

    /// One decision: what comes after the sound that is there.
    fn step(&mut self, now: i64, to: Codec, stats: &mut DirectionStatistics) {
        // What is pulled first is heard after what is left over.
        let ready = self.rate.duration(self.pcm.len()).as_micros() as i64;
        let room = TICK - ready;
        while self.state == State::Playing
            && self.buffer.front().is_some_and(|front| front.sequence < self.sequence)
        {
            self.skip();
        }
        let front = self.buffer.front().map(|slot| (slot.sequence, slot.at, slot.duration));
        let held = |at: i64| now + ready - at - self.delay.base();
        let target = self.delay.target();
        match (self.state, front) {
            (State::Waiting, Some((sequence, at, _))) if held(at) >= target => {
                (self.sequence, self.at, self.dry) = (sequence, at, 0);
                self.state = State::Playing;
            }
            (State::Waiting, _) => {
                self.conceal(room, stats, false);
            }
            (State::Playing, None) => {
                if self.dry == 0 && self.noise.is_none() {
                    stats.underruns += 1;
                }
                self.dry += self.conceal(room, stats, true);
                if self.dry >= DRY {
                    self.state = State::Waiting;
                }
            }
            (State::Playing, Some((sequence, at, duration))) => {
                let missing = at - self.at - self.dry;
                // A gap is only filled while what follows it is not overdue itself.
                let overdue = held(at) > target + PRESSING;
                if sequence > self.sequence && missing >= SHORTEST_FRAME && !overdue {
                    self.fill_gap(sequence, missing, duration, stats);
                } else if sequence == self.sequence && missing > TICK / 2 && held(at) < target {
                    // Nothing is lost: the sender paused, and what follows keeps its distance.
                    self.dry += self.conceal(room, stats, true);
                } else {
                    stats.lost += sequence.saturating_sub(self.sequence);
                    let excess = held(at) - target;
                    stats.delay_ms = (held(at).max(0) / 1000) as u32;
                    stats.longest_delay_ms = stats.longest_delay_ms.max(stats.delay_ms);
                    if let Some(slot) = self.buffer.pop() {
                        self.play(&slot, excess, to, stats);
                        self.buffer.recycle(slot);
                    }
                }
            }
        }
    }

    /// Leaves the next frame out: its time has been filled already.
    fn skip(&mut self) {
        if let Some(slot) = self.buffer.pop() {
            self.buffer.recycle(slot);
        }
    }

    /// Fills a part of what is missing before the next frame.
    fn fill_gap(
        &mut self,
        next: u64,
        missing: i64,
        duration: i64,
        stats: &mut DirectionStatistics,
    ) {
        // The redundancy in a frame is about the one before it, which is taken to be as long.
        if missing <= duration + SHORTEST_FRAME {
            let mut pcm = [0; LONGEST_PCM];
            let samples = self.whole(missing.min(duration));
            let pcm = &mut pcm[..samples];
            if let (Some(decoder), Some(front)) = (&mut self.decoder, self.buffer.front()) {
                let same = decoder.codec() == front.codec;
                if same && decoder.decode_fec(&front.payload, pcm) {
                    stats.restored += 1;
                } else {
                    if !same {
                        decoder.conceal(pcm);
                    }
                    stats.concealed_ms += (missing / 1000) as u64;
                }
            }
            self.pcm.extend_from_slice(pcm);
            stats.lost += next - self.sequence;
            self.sequence = next;
            self.at += missing + self.dry;
            self.dry = 0;
        } else {
            // All but the last lost frame, at most a tick at a time.
            let part = (missing - duration).clamp(SHORTEST_FRAME, TICK);
            self.at += self.conceal(part, stats, true);
        }
    }

    /// Decodes a frame and appends its sound, or less or more of it where the delay is wrong.
    fn play(&mut self, slot: &Slot, excess: i64, to: Codec, stats: &mut DirectionStatistics) {
        (self.sequence, self.at, self.dry) = (slot.sequence + 1, slot.at + slot.duration, 0);
        if self.noise.as_ref().is_some_and(|(_, after)| Some(slot.sequence) > *after) {
            self.noise = None;
        }
        let rate = Rate::between(slot.codec, to);
        let fits = |decoder: &Decoder| decoder.codec() == slot.codec && decoder.rate() == rate;
        if !self.decoder.as_ref().is_some_and(fits) {
            self.decoder = Decoder::new(slot.codec, rate).ok();
        }
        if rate != self.rate {
            // Under a tick of the old rate is left, at the seam of two codecs.
            self.pcm.clear();
            self.rate = rate;
        }
        let mut pcm = [0; LONGEST_PCM];
        let expected = self.whole(slot.duration);
        let Some(decoder) = &mut self.decoder else { return };
        let mut samples = match decoder.decode(&slot.payload, &mut pcm) {
            Ok(samples) => samples,
            Err(_) => {
                stats.malformed += 1;
                decoder.conceal(&mut pcm[..expected]);
                expected
            }
        };
        let quiet = level::dbfs(&pcm[..samples]) < QUIET;
        let calm = self.ticks_since_correction >= CORRECT_EVERY;
        let before = samples;
        if excess > PRESSING || excess > slot.duration && quiet {
            samples = 0;
        } else if excess > SLACK && (calm || excess > 2 * SLACK) {
            samples = stretch::shorten(&mut pcm[..samples], self.rate);
        } else if excess < -SLACK && quiet && calm {
            self.pcm.extend_from_slice(&pcm[..samples]);
            stats.lengthened_ms += self.rate.duration(samples).as_millis() as u64;
            self.ticks_since_correction = 0;
        }
        if samples < before {
            stats.shortened_ms += self.rate.duration(before - samples).as_millis() as u64;
            self.ticks_since_correction = 0;
        }
        self.pcm.extend_from_slice(&pcm[..samples]);
    }

    /// Appends made-up sound, in whole steps of 2.5 ms as Opus needs it, and gives its length;
    /// plain silence where no sound is `expected`, soft noise where the sender said that it pauses.
    fn conceal(&mut self, micros: i64, stats: &mut DirectionStatistics, expected: bool) -> i64 {
        let steps = (micros.max(1) + SHORTEST_FRAME - 1) / SHORTEST_FRAME;
        let micros = steps * SHORTEST_FRAME;
        let start = self.pcm.len();
        self.pcm.resize(start + self.whole(micros), 0);
        if let Some((noise, _)) = &mut self.noise {
            noise.fill(&mut self.pcm[start..]);
        } else if let Some(decoder) = &mut self.decoder
            && expected
        {
            decoder.conceal(&mut self.pcm[start..]);
            stats.concealed_ms += (micros / 1000) as u64;
        }
        micros
    }

    /// Samples of a stretch, in whole steps of 2.5 ms, at most a longest frame.
    fn whole(&self, micros: i64) -> usize {
        let steps = usize::try_from(micros / SHORTEST_FRAME).unwrap_or(0).clamp(1, 48);
        steps * self.rate.khz() * 5 / 2
    }

    fn measure(&mut self, pcm: &[i16], stats: &mut DirectionStatistics) {
        self.meter.add(pcm);
        self.metered += 1;
        if self.metered == 50 {
            self.metered = 0;
            stats.level_dbfs = self.meter.take();
        }
    }
}
