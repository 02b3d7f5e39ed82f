//! One name, two clocks.
#![allow(clippy::unwrap_used)]
use super::tests::{address, end};
use super::*;

const TICK: Duration = Duration::from_millis(20);

#[test]
fn wide_speex_counts_at_16000_hz_and_its_digits_do_too() {
    let speex = PayloadMap {
        codecs: vec![(Codec::Speex16, 97, 97), (Codec::Speex8, 98, 98)],
        telephone_events: vec![(16_000, 112, 112), (8000, 101, 101)],
    };
    let mut near = end(4000, 5000, false, speex.clone(), 1);
    let mut far = end(5000, 4000, false, speex, 2);
    let start = Instant::now();
    let mut packet = [0; 400];
    let mut heard = Vec::new();
    for n in 0..10u32 {
        let now = start + TICK * n;
        // From the sixth frame on it is the other codec, whose clock runs at half the rate.
        let codec = if n < 5 { Codec::Speex16 } else { Codec::Speex8 };
        let frame = Frame {
            codec,
            payload: &[0x18; 20],
            sequence: u64::from(n),
            timestamp: n * codec.clock_rate() / 50,
            marker: false,
            received_at: now,
        };
        let sent = near.send_frame(now, &frame, &mut packet).unwrap();
        let payload = &packet[..sent.length];
        let (local, remote) = (address("127.0.0.1:5000"), address("127.0.0.1:4000"));
        let datagram = Datagram { protocol: Protocol::Udp, local, remote, payload };
        if let Some(Received::Frame(frame)) = far.handle_datagram(now, &datagram, &mut [0; 400]) {
            heard.push((frame.codec, frame.timestamp));
        }
    }
    let steps: Vec<u32> = heard.windows(2).map(|pair| pair[1].1.wrapping_sub(pair[0].1)).collect();
    assert_eq!((steps[..4].to_vec(), steps[5..].to_vec()), (vec![320; 4], vec![160; 4]));
    assert_eq!((heard[4].0, heard[5].0), (Codec::Speex16, Codec::Speex8));
    let mut wide = end(4000, 5000, false, near.payloads.clone(), 3);
    wide.send_digits(start, "1").unwrap();
    let event = wide.poll_transmit(start).unwrap();
    let event = Packet::parse(&event.payload).unwrap();
    assert_eq!((event.payload_type, &event.payload[2..]), (112, &320u16.to_be_bytes()[..]));
}
