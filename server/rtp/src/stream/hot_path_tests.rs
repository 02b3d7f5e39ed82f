//! What the hot path costs, counted.
#![allow(clippy::unwrap_used)]
use super::tests::{SOUND, address, end, frame, payloads};
use super::*;

/// Frames that leave one end and come to the other.
pub(super) fn passes_without_allocating(mut sender: StreamEnd, mut receiver: StreamEnd) {
    let now = Instant::now();
    let (mut packet, mut scratch) = ([0; 1500], [0; 1500]);
    let mut pass = |n: u64| {
        let at = now + Duration::from_millis(2) * n as u32;
        let sent = sender.send_frame(at, &frame(n, at), &mut packet).unwrap();
        let datagram = Datagram {
            protocol: Protocol::Udp,
            local: address("127.0.0.1:5000"),
            remote: address("127.0.0.1:4000"),
            payload: &packet[..sent.length],
        };
        let taken = receiver.handle_datagram(at, &datagram, &mut scratch);
        assert!(matches!(taken, Some(Received::Frame(frame)) if frame.payload == SOUND));
    };
    (0..5).for_each(&mut pass);
    let cost = allocation_counter::measure(|| (5..500).for_each(&mut pass));
    assert_eq!(cost.count_total, 0, "{cost:?}");
}

#[test]
fn a_frame_that_leaves_or_comes_allocates_nothing() {
    let sender = end(4000, 5000, true, payloads(), 1);
    passes_without_allocating(sender, end(5000, 4000, true, payloads(), 2));
}
