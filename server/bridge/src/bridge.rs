//! The bridge itself: two directions, one clock.

use crate::{
    direction::Direction,
    port::{PortSettings, Side},
    sound::{Sound, Until},
    statistics::Statistics,
};
use audio::MAX_ENCODED;
use base::{Frame, Seed};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Both sides silent for so long end a call.
pub const SILENCE_AFTER: Duration = Duration::from_secs(60);

const TICK: Duration = Duration::from_millis(20);
/// Ticks that are made up for after a late wake-up; what is older is left out.
const TICKS_AT_ONCE: u32 = 5;
/// More events than one call can give between two polls.
const EVENTS: usize = 16;

/// Something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first frame of a side has come.
    Flowing {
        /// Whose.
        side: Side,
    },
    /// Neither side has sent anything for [`SILENCE_AFTER`]. Once for each silence.
    Silent {
        /// When the last frame came, or the bridge was connected.
        since: Instant,
    },
    /// A prompt has been played to its end.
    SoundEnded {
        /// To whom.
        side: Side,
    },
}

/// Ticks that have come and are not yet worked off by `poll_frame`.
#[derive(Clone, Copy)]
struct Due {
    at: Instant,
    ticks: u32,
    /// The side to make the next frame for.
    next: Option<Side>,
}

/// Carries one call's sound. See the crate's documentation.
pub struct Bridge {
    /// By hearing side.
    directions: [Direction; 2],
    muted: [bool; 2],
    held: [bool; 2],
    /// The sides hear each other by another way.
    bypassed: bool,
    heard: [bool; 2],
    /// Where in the 20 ms this call ticks, so that calls don't tick together.
    phase: Duration,
    tick_at: Option<Instant>,
    due: Option<Due>,
    /// Since when nothing has come; `None` before the bridge is connected.
    quiet_since: Option<Instant>,
    quiet_told: bool,
    events: VecDeque<Event>,
    /// The frame that `poll_frame` lends out.
    scratch: Vec<u8>,
}

impl Bridge {
    /// A bridge whose sides are not connected yet.
    pub fn new(seed: &mut Seed) -> Self {
        Bridge {
            directions: [Direction::new(), Direction::new()],
            muted: [false; 2],
            held: [false; 2],
            bypassed: false,
            heard: [false; 2],
            phase: Duration::from_micros(seed.below(20_000)),
            tick_at: None,
            due: None,
            quiet_since: None,
            quiet_told: false,
            events: VecDeque::new(),
            scratch: Vec::new(),
        }
    }

    /// Connects both sides, or gives both new settings. The watch for silence starts with the
    /// first connection.
    pub fn connect(&mut self, now: Instant, visitor: PortSettings, trunk: PortSettings) {
        self.update(Side::Visitor, visitor);
        self.update(Side::Trunk, trunk);
        self.quiet_since.get_or_insert(now);
    }

    /// One side takes something else from now on. What is buffered goes on in the new codec; a
    /// sound being played does too.
    pub fn update(&mut self, side: Side, settings: PortSettings) {
        self.directions[side.index()].to = Some(settings);
    }

    /// A side has told how much it missed lately of what was sent to it, in percent: frames made
    /// for it carry redundancy accordingly. Meant to be told every two seconds or so.
    pub fn reported_loss(&mut self, side: Side, missed: f32) {
        self.directions[side.index()].reported_loss(missed);
    }

    /// Plays a sound to a side that is connected, in the place of any other; see [`Until`] for
    /// when it ends by itself.
    pub fn play(&mut self, now: Instant, side: Side, sound: &Sound, until: Until) {
        self.directions[side.index()].play(sound, until);
        self.arm(now);
    }

    /// Ends the sound played to a side, if there is one.
    pub fn stop(&mut self, side: Side) {
        self.directions[side.index()].stop();
        self.disarm();
    }

    /// A muted side is not heard: relayed frames are left out, transcoded ones become silence.
    pub fn mute(&mut self, side: Side, on: bool) {
        self.muted[side.index()] = on;
    }

    /// A side on hold is not heard and hears nothing but sounds played to it. Meanwhile silence
    /// is no reason to end the call.
    pub fn hold(&mut self, now: Instant, side: Side, on: bool) {
        self.held[side.index()] = on;
        if on {
            self.directions.iter_mut().for_each(Direction::flush);
            self.disarm();
        } else if self.quiet_since.is_some() {
            self.quiet_since = Some(now);
        }
    }

    /// The sides hear each other by another way, or do so no more. What comes all the same passes;
    /// meanwhile silence is no reason to end the call.
    pub fn bypass(&mut self, now: Instant, on: bool) {
        if self.bypassed && !on && self.quiet_since.is_some() {
            self.quiet_since = Some(now);
        }
        self.bypassed = on;
    }

    /// Ends everything: no frame passes and no timer runs any more. Statistics stay.
    pub fn close(&mut self) {
        for direction in &mut self.directions {
            direction.to = None;
            direction.stop();
            direction.flush();
        }
        self.quiet_since = None;
        self.disarm();
    }

    /// Takes a frame of one side. It comes straight back, with the side to send it to, when that
    /// side takes it as it is; its numbers are the sender's. Where it does not last 20 ms another
    /// comes in its place, or none yet; drain [`Bridge::poll_relayed`] afterwards. Otherwise it is
    /// copied for transcoding, or left out.
    pub fn handle_frame<'a>(
        &'a mut self,
        now: Instant,
        from: Side,
        frame: Frame<'a>,
    ) -> Option<(Side, Frame<'a>)> {
        self.hear(now);
        if !self.heard[from.index()] {
            self.heard[from.index()] = true;
            self.tell(Event::Flowing { side: from });
        }
        let to = from.other();
        let direction = &mut self.directions[to.index()];
        if self.held[0] || self.held[1] || self.muted[from.index()] {
            direction.stats.suppressed += 1;
            return None;
        }
        if direction.handle_frame(now, &frame) {
            if self.tick_at.is_some() {
                self.disarm();
            }
            return self.directions[to.index()].relay(frame).map(|frame| (to, frame));
        }
        if direction.is_ticking() {
            self.arm(now);
        }
        None
    }

    /// A side says that it pauses, with the level of the noise that should be heard meanwhile, in dB
    /// below full scale (RFC 3389).
    pub fn handle_pause(&mut self, now: Instant, from: Side, level: u8) {
        self.hear(now);
        if !(self.held[0] || self.held[1] || self.muted[from.index()]) {
            self.directions[from.other().index()].pause(now, level);
            self.arm(now);
        }
    }

    /// The next frame of 20 ms out of the payload that `from` gave last, where it held several of
    /// them.
    pub fn poll_relayed(&mut self, from: Side) -> Option<(Side, Frame<'_>)> {
        let to = from.other();
        self.directions[to.index()].relay_more().map(|frame| (to, frame))
    }

    /// Works off what time has brought; poll afterwards.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some(at) = self.tick_at
            && at <= now
        {
            let passed = now.duration_since(at).as_micros() / TICK.as_micros() + 1;
            let passed = u32::try_from(passed).unwrap_or(u32::MAX);
            // A shell that slept through seconds gets the newest ticks, in their old phase.
            let ticks = passed.min(TICKS_AT_ONCE);
            let first = at + TICK.saturating_mul(passed - ticks);
            self.due = match self.due {
                Some(due) if due.ticks < TICKS_AT_ONCE => {
                    Some(Due { ticks: (due.ticks + ticks).min(TICKS_AT_ONCE), ..due })
                }
                Some(due) => Some(due),
                None => Some(Due { at: first, ticks, next: Some(Side::Visitor) }),
            };
            self.tick_at = Some(first + TICK * ticks);
        }
        if let Some(since) = self.silent_since()
            && now >= since + SILENCE_AFTER
        {
            self.quiet_told = true;
            self.tell(Event::Silent { since });
        }
    }

    /// When to call [`Bridge::handle_timeout`] at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let silent_at = self.silent_since().map(|since| since + SILENCE_AFTER);
        [self.tick_at, silent_at].into_iter().flatten().min()
    }

    /// The next frame made here, and the side to send it to. `received_at` is the time of its
    /// tick.
    pub fn poll_frame(&mut self) -> Option<(Side, Frame<'_>)> {
        let (side, made, at) = loop {
            let mut due = self.due?;
            let Some(side) = due.next else {
                due.ticks -= 1;
                due.at += TICK;
                due.next = Some(Side::Visitor);
                self.due = (due.ticks > 0).then_some(due);
                continue;
            };
            due.next = (side == Side::Visitor).then_some(Side::Trunk);
            self.due = Some(due);
            let muted = self.muted[side.other().index()];
            let direction = &mut self.directions[side.index()];
            if !direction.is_ticking() {
                continue;
            }
            self.scratch.resize(MAX_ENCODED, 0);
            let produced = direction.produce(due.at, muted, &mut self.scratch);
            if produced.sound_ended {
                self.tell(Event::SoundEnded { side });
                self.disarm();
            }
            if let Some(made) = produced.made {
                break (side, made, due.at);
            }
        };
        let frame = Frame {
            codec: made.codec,
            payload: &self.scratch[..made.octets],
            sequence: made.sequence,
            timestamp: made.timestamp,
            marker: made.marker,
            received_at: at,
        };
        Some((side, frame))
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What has been carried so far.
    pub fn statistics(&self) -> Statistics {
        let [visitor, trunk] = &self.directions;
        Statistics {
            relayed: visitor.stats.relayed + trunk.stats.relayed,
            transcoded: visitor.stats.transcoded + trunk.stats.transcoded,
            to_visitor: visitor.stats,
            to_trunk: trunk.stats,
        }
    }

    fn tell(&mut self, event: Event) {
        if self.events.len() < EVENTS {
            self.events.push_back(event);
        }
    }

    /// A side is there, whether it speaks or pauses.
    fn hear(&mut self, now: Instant) {
        if self.quiet_since.is_some() {
            self.quiet_since = Some(now);
            self.quiet_told = false;
        }
    }

    /// Since when the silence lasts that is still to be told.
    fn silent_since(&self) -> Option<Instant> {
        let watched = !self.quiet_told && !self.held[0] && !self.held[1] && !self.bypassed;
        self.quiet_since.filter(|_| watched)
    }

    /// Starts the ticks, where they don't run and something needs them.
    fn arm(&mut self, now: Instant) {
        if self.tick_at.is_none() && self.directions.iter().any(Direction::is_ticking) {
            self.tick_at = Some(now + self.phase);
        }
    }

    /// Stops the ticks where nothing needs them.
    fn disarm(&mut self) {
        if !self.directions.iter().any(Direction::is_ticking) {
            self.tick_at = None;
            self.due = None;
        }
    }
}
