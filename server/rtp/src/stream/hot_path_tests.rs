//! What the hot path costs, counted.
#![allow(clippy::unwrap_used)]
use super::tests::{address, end, payloads};
use super::*;

#[test]
fn a_frame_that_leaves_or_comes_allocates_nothing() {
    let mut sender = end(4000, 5000, true, payloads(), 1);
    let mut receiver = end(5000, 4000, true, payloads(), 2);
    let now = Instant::now();
    let mut packet = [0; 1500];
    let mut pass = |n: u64| {
        let at = now + Duration::from_millis(2) * n as u32;
        let frame = Frame {
            codec: Codec::Pcma,
            payload: &[0xd5; 160],
            sequence: n,
            timestamp: n as u32 * 160,
            marker: n == 0,
            received_at: at,
        };
        let sent = sender.send_frame(at, &frame, &mut packet).unwrap();
        let datagram = Datagram {
            protocol: Protocol::Udp,
            local: address("127.0.0.1:5000"),
            remote: address("127.0.0.1:4000"),
            payload: &packet[..sent.length],
        };
        assert!(matches!(
            receiver.handle_datagram(at, &datagram, &mut [0; 400]),
            Some(Received::Frame(_))
        ));
    };
    (0..5).for_each(&mut pass);
    let cost = allocation_counter::measure(|| (5..500).for_each(&mut pass));
    assert_eq!(cost.count_total, 0, "{cost:?}");
}
