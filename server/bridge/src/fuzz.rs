//! The entry point for fuzzing: a list of operations, driven as the contract says.

use crate::{Bridge, CodecSet, PortSettings, Side, Sound, Until};
use audio::{Rate, tone::Tone};
use base::{Codec, Frame, Seed};
use std::time::{Duration, Instant};

/// Drives a bridge by a list of operations: one octet picks the operation, the next ones its
/// numbers. Panics where the bridge breaks a promise.
pub fn fuzz(data: &[u8]) {
    let mut now = Instant::now();
    let mut octets = data.iter().copied();
    let mut bridge = Bridge::new(&mut Seed::from_number(1));
    let (mut sequences, mut timestamps) = ([0u64; 2], [0u32; 2]);
    // Bounded, since every operation may cost some milliseconds of decoding.
    for _ in 0..256 {
        let (Some(operation), Some(number)) = (octets.next(), octets.next()) else { return };
        let side = Side::BOTH[usize::from(operation & 1)];
        // The highest bit picks among the codecs that came later, so that kept inputs stay what
        // they are.
        let codec = match operation & 0x80 {
            0 => Codec::ALL[usize::from(number & 3)],
            _ => [Codec::Speex16, Codec::Speex8][usize::from(number & 1)],
        };
        match (operation >> 1) & 15 {
            0 => {
                let accepts: CodecSet =
                    Codec::ALL.into_iter().filter(|c| number >> (2 + *c as u8) & 1 == 1).collect();
                let settings = PortSettings { send: codec, accepts };
                bridge.connect(now, settings, PortSettings::only(Codec::Pcma));
            }
            1 => bridge.update(side, PortSettings::only(codec)),
            2 => bridge.mute(side, number & 1 == 1),
            3 => bridge.hold(now, side, number & 1 == 1),
            4 => {
                let sound = match number & 3 {
                    0 => Sound::Tone(Tone::RINGBACK),
                    1 => Sound::Tone(Tone { cadence: [0, u32::MAX], ..Tone::BUSY }),
                    _ => Sound::Prompt {
                        pcm: vec![i16::MAX; usize::from(number)].into(),
                        rate: [Rate::Narrow, Rate::Wide, Rate::Full][usize::from(number) % 3],
                        repeat: number & 4 == 4,
                    },
                };
                let until = if number & 8 == 0 { Until::Stopped } else { Until::Media };
                bridge.play(now, side, &sound, until);
            }
            5 if number & 1 == 1 => bridge.handle_pause(now, side, number),
            5 => bridge.stop(side),
            6 if number == 255 => bridge.close(),
            6 | 7 => now += Duration::from_millis(u64::from(number) * 4),
            _ => {
                let index = side as usize;
                // Steps mostly forwards, sometimes back, rarely far.
                let step = octets.next().unwrap_or(1);
                sequences[index] = match step {
                    255 => u64::from(number) << 40,
                    250..=254 => sequences[index].saturating_sub(u64::from(step - 249)),
                    _ => sequences[index].saturating_add(u64::from(step & 3)),
                };
                timestamps[index] =
                    timestamps[index].wrapping_add(u32::from(step) * codec.clock_rate() / 1000);
                let length = usize::from(octets.next().unwrap_or(160)) * 2;
                let payload: Vec<u8> = octets.by_ref().take(length).collect();
                let frame = Frame {
                    codec,
                    payload: &payload,
                    sequence: sequences[index],
                    timestamp: timestamps[index],
                    marker: false,
                    received_at: now - Duration::from_millis(u64::from(step & 7)),
                };
                let mut pieces = 0;
                let mut passed = bridge.handle_frame(now, side, frame);
                while let Some((to, frame)) = passed {
                    assert!(to == side.other());
                    let same = std::ptr::eq(frame.payload, payload.as_slice());
                    assert!(same || (1..=160).contains(&frame.payload.len()));
                    pieces += 1;
                    passed = bridge.poll_relayed(side);
                }
                assert!(pieces <= 6, "{pieces} pieces of one payload");
                now += Duration::from_millis(u64::from(number >> 2));
            }
        }
        bridge.handle_timeout(now);
        let mut frames = 0;
        while let Some((_, frame)) = bridge.poll_frame() {
            assert!(!frame.payload.is_empty());
            frames += 1;
        }
        // Five ticks for two sides at most.
        assert!(frames <= 10, "{frames} frames at once");
        while bridge.poll_event().is_some() {}
        assert!(bridge.poll_timeout().is_none_or(|at| at > now));
    }
}
