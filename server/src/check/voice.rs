//! What each end of a call says and listens for: a tone in bursts of its own pitch.
//!
//! ```text
//!   mouth   ####....####....      the start of each burst is noted when it is sent,
//!     ear      ####....####       and when it is heard: what lies between is the delay
//! ```

use audio::tone::{Tone, ToneGenerator};
use audio::{Decoder, Encoder, MAX_ENCODED, Rate, level, measure};
use base::{Codec, Frame};
use std::time::{Duration, Instant};

/// What the end that calls says, in hertz.
pub const CALLER: f32 = 440.0;
/// What the end that is called says.
pub const CALLED: f32 = 660.0;

/// Everything is said and heard at this rate.
const RATE: Rate = Rate::Wide;
/// Samples in 20 ms.
const FRAME: usize = 320;
const TICK: Duration = Duration::from_millis(20);
/// Milliseconds of a burst and of the pause behind it.
const CADENCE: [u32; 2] = [800, 200];
/// How loud the tone is, in dBFS.
const LEVEL: f32 = -12.0;
/// A tone as weak as this still counts, in dBFS: lines take some of it away.
const LEAST: f32 = -40.0;
/// Anything louder is no silence, in dBFS.
const SILENCE: f32 = -55.0;
/// Frames without the tone that make the next burst a new one.
const PAUSE_FRAMES: u32 = 3;
/// The most samples that one frame may hold: 120 ms.
const LONGEST: usize = 6 * FRAME;
/// A voice that is later leaves out what it should have said: nobody wants old sound in a burst.
const LATE: Duration = Duration::from_millis(100);
/// So many bursts that come back after the same time are an echo.
const ECHOES: usize = 3;
/// How far apart these times may be.
const ECHO_WITHIN: Duration = Duration::from_millis(60);
/// Bursts that are remembered: a call is far shorter.
const BURSTS: usize = 64;

/// One end's voice.
pub struct Mouth {
    generator: ToneGenerator,
    encoder: Option<Encoder>,
    next_at: Option<Instant>,
    frames: u64,
    timestamp: u32,
    bursts: Vec<Instant>,
    late: Duration,
}

impl Mouth {
    /// A voice of this pitch that has not begun.
    pub fn new(pitch: f32) -> Mouth {
        let tone = Tone { frequencies: [pitch, 0.0], level: LEVEL, cadence: CADENCE };
        let generator = ToneGenerator::new(tone, RATE);
        Mouth {
            generator,
            encoder: None,
            next_at: None,
            frames: 0,
            timestamp: 0,
            bursts: Vec::new(),
            late: Duration::ZERO,
        }
    }

    /// Begins to speak.
    pub fn begin(&mut self, now: Instant) {
        self.next_at.get_or_insert(now);
    }

    /// When the next 20 ms are due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_at
    }

    /// Hands the next 20 ms in a codec to `send`, where they are due.
    pub fn speak(&mut self, now: Instant, codec: Codec, send: impl FnOnce(&Frame<'_>)) -> bool {
        let Some(mut at) = self.next_at.filter(|at| *at <= now) else { return false };
        let late = now - at;
        self.late = self.late.max(late);
        let step = codec.clock_rate() / 50;
        if late > LATE {
            let left_out = (late.as_millis() / TICK.as_millis()) as u32;
            at += TICK * left_out;
            self.timestamp = self.timestamp.wrapping_add(left_out.wrapping_mul(step));
        }
        self.next_at = Some(at + TICK);
        let mut samples = [0; FRAME];
        self.generator.fill(&mut samples);
        let every = u64::from(CADENCE[0] + CADENCE[1]) / TICK.as_millis() as u64;
        if self.frames.is_multiple_of(every) && self.bursts.len() < BURSTS {
            self.bursts.push(now);
        }
        if self.encoder.as_ref().is_none_or(|encoder| encoder.codec() != codec) {
            self.encoder = Encoder::new(codec, RATE).ok();
        }
        let mut payload = [0; MAX_ENCODED];
        let encoded = self.encoder.as_mut().and_then(|e| e.encode(&samples, &mut payload).ok());
        if let Some(payload) = encoded.and_then(|length| payload.get(..length)) {
            send(&Frame {
                codec,
                payload,
                sequence: self.frames,
                timestamp: self.timestamp,
                marker: self.frames == 0,
                received_at: now,
            });
        }
        self.frames += 1;
        self.timestamp = self.timestamp.wrapping_add(step);
        true
    }

    /// Milliseconds of tone that it has said.
    pub fn said(&self) -> u32 {
        let every = u64::from(CADENCE[0] + CADENCE[1]);
        let spoken = self.frames * TICK.as_millis() as u64;
        let tone = spoken / every * u64::from(CADENCE[0]) + (spoken % every).min(CADENCE[0].into());
        tone as u32
    }

    /// How late it was at worst: this machine had other things to do.
    pub fn late(&self) -> Duration {
        self.late
    }

    /// When each burst began.
    pub fn bursts(&self) -> &[Instant] {
        &self.bursts
    }
}

/// What one end hears of the other.
pub struct Ear {
    wanted: f32,
    own: f32,
    decoder: Option<Decoder>,
    quiet: u32,
    /// Milliseconds of sound that came.
    pub sound: u32,
    /// Those with the other end's tone.
    pub tone: u32,
    /// Those with this end's own tone.
    pub echo: u32,
    /// Those that are no silence.
    pub loud: u32,
    /// When the other end's tone was first heard.
    pub tone_at: Option<Instant>,
    /// When each burst of the other end's tone was heard first.
    pub bursts: Vec<Instant>,
    /// When each burst of this end's own tone came back.
    pub echoes: Vec<Instant>,
    /// Keys that the other end has pressed.
    pub digits: String,
}

impl Ear {
    /// An ear for one pitch, of an end that says another.
    pub fn new(wanted: f32, own: f32) -> Ear {
        Ear {
            wanted,
            own,
            decoder: None,
            quiet: PAUSE_FRAMES,
            sound: 0,
            tone: 0,
            echo: 0,
            loud: 0,
            tone_at: None,
            bursts: Vec::new(),
            echoes: Vec::new(),
            digits: String::new(),
        }
    }

    /// Listens to one frame.
    pub fn hear(&mut self, now: Instant, frame: &Frame<'_>) {
        if self.decoder.as_ref().is_none_or(|decoder| decoder.codec() != frame.codec) {
            self.decoder = Decoder::new(frame.codec, RATE).ok();
        }
        let mut pcm = [0; LONGEST];
        let decoded = self.decoder.as_mut().and_then(|d| d.decode(frame.payload, &mut pcm).ok());
        let Some(pcm) = decoded.and_then(|samples| pcm.get(..samples)) else { return };
        let long = (pcm.len() / RATE.khz()) as u32;
        self.sound += long;
        let loudness = level::dbfs(pcm);
        self.loud += long * u32::from(loudness > SILENCE);
        // Half of the frame's power at least: voices have every pitch in them, but little of each.
        let least = LEAST.max(loudness);
        let is_there = |pitch| measure::tone_level(pcm, RATE, pitch) > least;
        let (wanted, own) = (is_there(self.wanted), is_there(self.own));
        if !wanted && !own {
            self.quiet = self.quiet.saturating_add(1);
            return;
        }
        let new = self.quiet >= PAUSE_FRAMES;
        self.quiet = 0;
        self.tone += long * u32::from(wanted);
        self.echo += long * u32::from(own);
        if wanted {
            self.tone_at.get_or_insert(now);
        }
        let list = if wanted { &mut self.bursts } else { &mut self.echoes };
        if new && list.len() < BURSTS {
            list.push(now);
        }
    }

    /// A key of the other end.
    pub fn press(&mut self, digit: char) {
        if self.digits.len() < BURSTS {
            self.digits.push(digit);
        }
    }
}

/// The times from each burst's start to when it was heard, the shortest first.
fn delays(said: &[Instant], heard: &[Instant]) -> Vec<Duration> {
    let period = Duration::from_millis(u64::from(CADENCE[0] + CADENCE[1]));
    let mut delays: Vec<Duration> = said
        .iter()
        .filter_map(|said| {
            let first = heard.iter().find(|heard| *heard >= said)?;
            Some(*first - *said).filter(|delay| *delay < period)
        })
        .collect();
    delays.sort();
    delays
}

/// The middle one of the times from each burst's start to when it was heard. None where none was.
pub fn delay(said: &[Instant], heard: &[Instant]) -> Option<Duration> {
    let delays = delays(said, heard);
    delays.get(delays.len() / 2).copied()
}

/// The time after which bursts come back, where several do so after the same time: an echo and no
/// chance.
pub fn echo(said: &[Instant], heard: &[Instant]) -> Option<Duration> {
    let delays = delays(said, heard);
    let groups = delays.windows(ECHOES);
    let same = groups.filter_map(|group| Some((*group.first()?, *group.last()?)));
    let closest = same.min_by_key(|(first, last)| *last - *first)?;
    Some(closest.0).filter(|_| closest.1 - closest.0 <= ECHO_WITHIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ends of a line that takes `lag` and loses every frame that `lost` names.
    fn talk(codec: Codec, lag: Duration, lost: impl Fn(u64) -> bool) -> (Mouth, Ear) {
        let (mut mouth, mut ear) = (Mouth::new(CALLER), Ear::new(CALLER, CALLED));
        let start = Instant::now();
        mouth.begin(start);
        for n in 0..250 {
            let now = start + TICK * n;
            let spoken = mouth.speak(now, codec, |frame| {
                if !lost(frame.sequence) {
                    ear.hear(now + lag, frame);
                }
            });
            assert!(spoken && mouth.poll_timeout() == Some(now + TICK));
        }
        (mouth, ear)
    }

    /// The ear of the end that calls, after 20 ms of G.711.
    fn listened(payload: &[u8]) -> Ear {
        let mut ear = Ear::new(CALLED, CALLER);
        let now = Instant::now();
        let frame = Frame {
            codec: Codec::Pcma,
            payload,
            sequence: 0,
            timestamp: 0,
            marker: false,
            received_at: now,
        };
        ear.hear(now, &frame);
        ear
    }

    #[test]
    fn a_tone_is_heard_in_every_codec_with_the_delay_of_the_line() {
        for codec in Codec::ALL {
            let (mouth, ear) = talk(codec, Duration::from_millis(130), |_| false);
            assert_eq!((ear.sound, ear.echo, ear.echoes.len()), (5000, 0, 0), "{codec:?}");
            assert_eq!(mouth.said(), 4000);
            assert!((3800..=4500).contains(&ear.tone), "{codec:?}: {}", ear.tone);
            let delay = delay(mouth.bursts(), &ear.bursts).unwrap_or_default().as_millis();
            assert!((130..=170).contains(&delay), "{codec:?}: {delay} ms");
        }
    }

    #[test]
    fn a_line_that_loses_frames_still_has_its_delay() {
        let (mouth, ear) = talk(Codec::Pcma, Duration::from_millis(60), |n| n % 5 == 3);
        assert_eq!(ear.sound, 4000);
        assert_eq!(delay(mouth.bursts(), &ear.bursts), Some(Duration::from_millis(60)));
    }

    #[test]
    fn an_echo_is_told_from_the_other_end() {
        let (mut mouth, mut ear) = (Mouth::new(CALLER), Ear::new(CALLED, CALLER));
        let start = Instant::now();
        mouth.begin(start);
        for n in 0..100 {
            mouth.speak(start + TICK * n, Codec::Pcmu, |frame| {
                ear.hear(start + TICK * n + Duration::from_millis(80), frame);
            });
        }
        assert_eq!((ear.tone, ear.tone_at), (0, None));
        assert!(ear.echo > 1400);
        assert_eq!(delay(mouth.bursts(), &ear.echoes), Some(Duration::from_millis(80)));
        // Two bursts came back so far.
        assert_eq!(echo(mouth.bursts(), &ear.echoes), None);
    }

    #[test]
    fn a_voice_that_was_held_up_goes_on_from_now() {
        let mut mouth = Mouth::new(CALLER);
        let start = Instant::now();
        mouth.begin(start);
        let mut last = 0;
        let mut speak = |after: u32| {
            let now = start + TICK * after;
            let mut spoken = 0;
            while mouth.speak(now, Codec::Pcma, |frame| last = frame.timestamp) {
                spoken += 1;
            }
            (spoken, last, mouth.late())
        };
        assert_eq!(speak(0), (1, 0, Duration::ZERO));
        assert_eq!(speak(3), (3, 480, TICK * 2));
        assert_eq!(speak(53), (1, 53 * 160, TICK * 49));
        assert_eq!(speak(54), (1, 54 * 160, TICK * 49));
    }

    #[test]
    fn what_comes_back_after_the_same_time_is_an_echo_and_what_comes_at_any_time_is_none() {
        let start = Instant::now();
        let at = |milliseconds: u64| start + Duration::from_millis(milliseconds);
        let said: Vec<Instant> = (0..8).map(|n| at(n * 1000)).collect();
        let echoes: Vec<Instant> = [310, 5230, 6235, 7228].map(at).to_vec();
        assert_eq!(echo(&said, &echoes), Some(Duration::from_millis(228)));
        let chance: Vec<Instant> = [310, 1700, 3050, 4480, 6230].map(at).to_vec();
        assert_eq!(echo(&said, &chance), None);
    }

    #[test]
    fn a_voice_that_has_the_pitch_in_it_is_no_tone() {
        let mut pcm = [0i16; 160];
        for (n, sample) in pcm.iter_mut().enumerate() {
            // A vowel at 220 Hz: harmonics, the second of them our own pitch.
            let turn = std::f64::consts::TAU * 220.0 * n as f64 / 8000.0;
            let sum: f64 = (1..8).map(|k| (turn * f64::from(k)).sin()).sum();
            *sample = (sum * 2000.0) as i16;
        }
        let ear = listened(&pcm.map(audio::alaw_encode));
        assert_eq!((ear.loud, ear.echo, ear.tone), (20, 0, 0));
    }

    #[test]
    fn silence_is_no_tone() {
        let ear = listened(&[0xd5; 160]);
        assert_eq!((ear.sound, ear.loud, ear.tone, ear.echo), (20, 0, 0, 0));
        assert!(ear.bursts.is_empty());
    }
}
