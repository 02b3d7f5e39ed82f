//! What one end heard of the other, as numbers.

use super::end::End;
use super::voice::{Mouth, delay, echo};
use std::time::{Duration, Instant};

/// What one end heard.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    /// Packets of sound that came.
    pub packets: u64,
    /// Packets that never came, by their numbers.
    pub lost: u64,
    /// Jitter in milliseconds.
    pub jitter: f32,
    /// Milliseconds of sound that came.
    pub sound: u32,
    /// Those that are no silence.
    pub loud: u32,
    /// Those with the other end's tone.
    pub tone: u32,
    /// Milliseconds of tone that the other end has said, where it is ours.
    pub said: Option<u32>,
    /// From the answer to the first sound of the other end's tone.
    pub tone_after: Option<Duration>,
    /// How long the other end's sound was on its way, where that end is ours.
    pub delay: Option<Duration>,
    /// How long this end's own sound took to come back, where it did.
    pub round_trip: Option<Duration>,
    /// Keys that the other end pressed.
    pub digits: String,
    /// Reports of the other end that it receives this one's sound.
    pub reports: u32,
    /// The share of this end's sound that the other end misses, by its reports.
    pub missed: f32,
}

impl Heard {
    /// What an end heard of a mouth, where that is ours, since the call was answered.
    pub fn of(end: &End, other: Option<&Mouth>, answered_at: Option<Instant>) -> Heard {
        let statistics = end.statistics();
        let ear = &end.ear;
        let tone_after = ear.tone_at.zip(answered_at);
        // What its reports count in all, and what the newest one says of late.
        let missed = statistics.remote_lost as f32 / statistics.packets_sent.max(1) as f32;
        Heard {
            packets: statistics.packets_received,
            lost: statistics.lost,
            jitter: statistics.jitter_ms,
            sound: ear.sound,
            loud: ear.loud,
            tone: ear.tone,
            said: other.map(Mouth::said),
            tone_after: tone_after.map(|(heard, up)| heard.saturating_duration_since(up)),
            delay: other.and_then(|mouth| delay(mouth.bursts(), &ear.bursts)),
            round_trip: echo(end.mouth.bursts(), &ear.echoes),
            digits: ear.digits.clone(),
            reports: statistics.remote_reports,
            missed: missed.max(statistics.remote_loss),
        }
    }

    /// The share of packets that never came, 0 to 1.
    pub fn loss(&self) -> f64 {
        let all = self.packets + self.lost;
        if all == 0 { 0.0 } else { self.lost as f64 / all as f64 }
    }

    /// The share of what the other end said that was heard, 0 to 1.
    pub fn share(&self) -> Option<f64> {
        let said = self.said.filter(|said| *said > 0)?;
        Some((f64::from(self.tone) / f64::from(said)).min(1.0))
    }
}
