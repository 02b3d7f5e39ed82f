//! One way through the bridge: from one side's frames to what the other side hears.

use crate::{
    output::{Made, Output},
    playout::Playout,
    port::PortSettings,
    repack::{Fate, Repack, is_whole},
    sound::{Player, Sound, Until},
    statistics::DirectionStatistics,
};
use audio::Rate;
use base::{Codec, Frame};
use std::time::Instant;

/// Frames in a row that need no transcoding before a direction goes back to relaying: half a
/// second, so that a sender who changes codecs to and fro is not cut into pieces.
const RELAY_AFTER: u32 = 25;

/// Which way a frame goes:
///
/// ```text
///              a frame that the other side does not take
///    Relaying -------------------------------------------> Transcoding
///        ^                                                      |
///        +---------- 25 frames in a row that it takes ----------+
/// ```
///
/// While a sound is played, what comes from the source is left out in either state.
pub struct Direction {
    /// What the hearing side takes; `None` before it is connected.
    pub to: Option<PortSettings>,
    /// Present while transcoding. Boxed: a relayed call has none.
    playout: Option<Box<Playout>>,
    /// Frames in a row that could have been relayed.
    relayable: u32,
    /// Present once a relayed frame was longer or shorter than 20 ms.
    repack: Option<Box<Repack>>,
    output: Output,
    player: Option<Box<Player>>,
    pub stats: DirectionStatistics,
}

/// What a direction made of a tick.
pub struct Produced {
    /// The frame in the scratch buffer, if any.
    pub made: Option<Made>,
    /// A prompt has come to its end.
    pub sound_ended: bool,
}

impl Direction {
    pub fn new() -> Self {
        Direction {
            to: None,
            playout: None,
            relayable: 0,
            repack: None,
            output: Output::default(),
            player: None,
            stats: DirectionStatistics::default(),
        }
    }

    /// Whether the direction needs ticks.
    pub fn is_ticking(&self) -> bool {
        self.playout.is_some() || self.player.is_some()
    }

    /// Takes a frame of the source; `true` when it is to be passed on as it is.
    pub fn handle_frame(&mut self, now: Instant, frame: &Frame<'_>) -> bool {
        let Some(to) = self.to else {
            self.stats.suppressed += 1;
            return false;
        };
        match &self.player {
            Some(player) if player.until == Until::Stopped => {
                self.stats.suppressed += 1;
                return false;
            }
            Some(_) => self.stop(),
            None => {}
        }
        if to.takes(frame.codec) {
            self.relayable = self.relayable.saturating_add(1);
            if self.playout.is_none() || self.relayable > RELAY_AFTER {
                if self.playout.take().is_some() {
                    self.output.release();
                }
                return true;
            }
        } else {
            self.relayable = 0;
        }
        let playout = self.playout.get_or_insert_with(|| Box::new(Playout::new(now)));
        playout.insert(now, frame, &mut self.stats);
        false
    }

    /// The source pauses, and asks for noise of this level meanwhile. A side that is relayed to is
    /// not given the packet, which only some understand, but sound that is made here.
    pub fn pause(&mut self, now: Instant, level: u8) {
        if self.to.is_none() || self.player.is_some() {
            return;
        }
        self.relayable = 0;
        let playout = self.playout.get_or_insert_with(|| Box::new(Playout::new(now)));
        playout.pause(level);
    }

    /// Passes a frame on that is to be relayed: itself, what stands in its place, or nothing yet.
    pub fn relay<'a>(&'a mut self, frame: Frame<'a>) -> Option<Frame<'a>> {
        self.stats.relayed += 1;
        if self.repack.is_none() && is_whole(&frame) {
            return Some(frame);
        }
        let repack = self.repack.get_or_insert_with(|| Box::new(Repack::new()));
        match repack.handle(&frame) {
            Fate::Passes => Some(Frame { sequence: repack.number(frame.sequence), ..frame }),
            Fate::Waits => None,
            Fate::Refused => {
                self.stats.relayed -= 1;
                self.stats.malformed += 1;
                None
            }
            Fate::Replaced => repack.made(),
        }
    }

    /// The next piece of the frame relayed last.
    pub fn relay_more(&mut self) -> Option<Frame<'_>> {
        let repack = self.repack.as_mut()?;
        if repack.advance() { repack.made() } else { None }
    }

    /// The hearing side misses so many percent.
    pub fn reported_loss(&mut self, missed: f32) {
        self.output.reported_loss(missed);
    }

    /// Starts a sound, in the place of any other.
    pub fn play(&mut self, sound: &Sound, until: Until) {
        let Some(to) = self.to else { return };
        // Going on at the encoder's present rate spares making another.
        let rate = match (to.send, self.output.rate_of(to.send), sound) {
            (Codec::Opus, Some(rate), _) => rate,
            (Codec::Opus, None, Sound::Prompt { rate, .. }) => *rate,
            (Codec::Opus, None, Sound::Tone(_)) => Rate::Narrow,
            (codec, ..) => Rate::of(codec),
        };
        self.player = Some(Box::new(Player::new(sound, rate, until)));
        // What was buffered would be stale by the sound's end.
        self.playout = None;
        self.relayable = 0;
    }

    /// Ends the sound, if there is one.
    pub fn stop(&mut self) {
        if self.player.take().is_some() && self.playout.is_none() {
            self.output.release();
        }
    }

    /// Forgets what is buffered, and the codecs' state with it.
    pub fn flush(&mut self) {
        self.playout = None;
        self.relayable = 0;
        if self.player.is_none() {
            self.output.release();
        }
    }

    /// Makes 20 ms for the hearing side. `muted`: the source is not to be heard.
    pub fn produce(&mut self, now: Instant, muted: bool, scratch: &mut [u8]) -> Produced {
        let mut produced = Produced { made: None, sound_ended: false };
        let Some(to) = self.to else { return produced };
        let mut pcm = [0; 960];
        let rate = if let Some(player) = &mut self.player {
            let rate = player.rate();
            produced.sound_ended = !player.fill(&mut pcm[..rate.khz() * 20]);
            self.stats.played += 1;
            rate
        } else if let Some(playout) = &mut self.playout {
            let rate = playout.pull(now, to.send, &mut pcm, &mut self.stats);
            if muted {
                pcm.fill(0);
            }
            self.stats.transcoded += 1;
            rate
        } else {
            return produced;
        };
        produced.made = self.output.encode(to.send, rate, &pcm[..rate.khz() * 20], scratch).ok();
        if produced.sound_ended {
            self.stop();
        }
        produced
    }
}
