//! Entry points for fuzzing; they hold the properties that must survive any input.

use crate::packet::Packet;
use crate::rtcp::{Compound, Rtcp};
use crate::stream::{PayloadMap, Protection, Remote, StreamEnd, StreamSettings};
use base::{Codec, Datagram, Frame, MasterKey, Protocol, Seed, SrtpSuite};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// Reads any octets as RTP and as RTCP; a packet that is valid survives being written again.
///
/// # Panics
/// Where one of those properties does not hold.
pub fn fuzz(data: &[u8]) {
    if let Ok(packet) = Packet::parse(data) {
        let mut buffer = vec![0; data.len()];
        let length = packet.write(&mut buffer).unwrap_or_default();
        let again = buffer.get(..length).map(Packet::parse);
        assert_eq!(again, Some(Ok(packet)));
    }
    if let Ok(compound) = Compound::parse(data) {
        let mut count = 0;
        for packet in compound.iter() {
            count += 1;
            if let Rtcp::Report { blocks, .. } = packet {
                assert!(blocks.iter().count() <= 31);
            }
        }
        // Each packet has a header of four octets at least.
        assert!(count >= 1 && count <= data.len() / 4);
    }
}

/// Drives a stream end with operations: each takes an octet that says what happens, an octet of
/// time and a length with that many octets.
///
/// # Panics
/// Where the stream end breaks a promise: frames out of the datagram, bounded output, deadlines.
pub fn fuzz_stream(data: &[u8]) {
    let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let settings = StreamSettings {
        local_rtp: address(4000),
        local_rtcp: Some(address(4001)),
        remote: Remote { rtp: address(5000), rtcp: address(5001), mux: false },
        payloads: PayloadMap {
            codecs: vec![(Codec::Opus, 111, 96), (Codec::Pcma, 8, 8)],
            telephone_events: vec![(8000, 101, 101), (48_000, 110, 110)],
        },
        cname: "fuzz".into(),
    };
    let mut end = StreamEnd::new(settings, &mut Seed::from_number(data.len() as u64));
    let mut now = Instant::now();
    let (mut protected, mut packed) = (false, false);
    let mut rest = data;
    while let [operation, time, length, tail @ ..] = rest {
        let (octets, after) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = after;
        now += Duration::from_millis(u64::from(*time) * 10);
        match operation % 8 {
            0..=3 => {
                let remote = address(5000 + u16::from(operation >> 3));
                let local = address(if operation % 8 == 3 { 4001 } else { 4000 });
                let datagram = Datagram { protocol: Protocol::Udp, local, remote, payload: octets };
                let _ = end.handle_datagram(now, &datagram, &mut [0; 400]);
            }
            4 => {
                let word = octets.first_chunk::<4>().map_or(0, |o| u32::from_be_bytes(*o));
                let frame = Frame {
                    codec: if operation & 8 == 0 { Codec::Opus } else { Codec::Pcma },
                    payload: octets,
                    sequence: u64::from(word >> 16),
                    timestamp: word,
                    marker: false,
                    received_at: now,
                };
                let mut buffer = [0; 600];
                let mut made = end.send_frame(now, &frame, &mut buffer);
                let mut packets = 0;
                while let Some(out) = made {
                    let packet = buffer.get(..out.length).map(Packet::parse);
                    let same = matches!(packet, Some(Ok(p)) if p.payload == octets);
                    assert!(same || protected || packed);
                    packets += 1;
                    made = end.send_more(now, &mut buffer);
                }
                assert!(packets <= 12, "{packets} packets of one frame");
            }
            5 => {
                let _ = end.send_digits(now, &String::from_utf8_lossy(octets));
            }
            6 => {
                let rtp = address(5000 + u16::from(*time));
                let remote = Remote { rtp, rtcp: rtp, mux: operation & 8 != 0 };
                let payloads = PayloadMap::default();
                match octets {
                    [] => end.set_remote(remote, payloads),
                    [milliseconds] => {
                        packed = true;
                        end.set_packet_time(u32::from(*milliseconds));
                    }
                    [0, _] => {
                        end.set_protection(None);
                    }
                    [suite, number, ..] => {
                        let suite = SrtpSuite::ALL[usize::from(suite % 4)];
                        protected = true;
                        let mut keys = Seed::from_number((*number).into());
                        end.set_protection(Some(Protection {
                            suite,
                            own: MasterKey::random(suite, &mut keys),
                            peer: MasterKey::random(suite, &mut keys),
                            peer_identifier: usize::from(*number) / 100,
                        }));
                    }
                }
            }
            _ => end.handle_timeout(now),
        }
        drain(&mut end, now);
    }
    end.close();
    drain(&mut end, now);
    assert_eq!(end.poll_timeout(), None);
    let _ = end.statistics();
}

fn drain(end: &mut StreamEnd, now: Instant) {
    // Ten digits' worth of packets is more than any one moment may owe.
    let sent = std::iter::from_fn(|| end.poll_transmit(now)).take(100).count();
    let events = std::iter::from_fn(|| end.poll_event(now)).take(10).count();
    assert!(sent < 100 && events < 10);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_and_mutated_octets_are_survived() {
        let mut seed = Seed::from_number(1);
        let rtp = [0x80, 8, 0, 1, 0, 0, 0, 160, 0, 0, 0, 9, 1, 2, 3, 4];
        let rtcp = [0x80, 201, 0, 1, 0, 0, 0, 1, 0x81, 203, 0, 1, 0, 0, 0, 1];
        for round in 0..100_000 {
            let mut octets = if round % 2 == 0 { rtp } else { rtcp };
            for _ in 0..1 + seed.below(4) {
                octets[seed.below(16) as usize] = seed.u32() as u8;
            }
            fuzz(&octets[..seed.below(17) as usize]);
        }
    }

    #[test]
    fn a_stream_end_survives_random_operations() {
        let mut seed = Seed::from_number(2);
        for _ in 0..3000 {
            let mut data = Vec::new();
            for _ in 0..40 {
                let kind = seed.u32() as u8;
                data.extend([kind, seed.below(60) as u8]);
                if kind % 8 < 4 {
                    let event = seed.below(3) == 0;
                    data.push(16);
                    data.extend([0x80, if event { 101 } else { 8 }]);
                    data.extend([0, seed.u32() as u8, 0, 0, seed.below(4) as u8, 0]);
                    data.extend([0, 0, 0, seed.below(2) as u8]);
                    data.extend([seed.below(20) as u8, seed.u32() as u8, 3, 0]);
                } else if kind % 8 == 5 {
                    data.extend([2, b'1', b'#']);
                } else {
                    let length = seed.below(20) as usize;
                    data.push(length as u8);
                    data.extend((0..length).map(|_| seed.u32() as u8));
                }
            }
            fuzz_stream(&data);
        }
    }
}
