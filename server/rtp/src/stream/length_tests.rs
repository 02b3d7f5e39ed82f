//! Packets of the length that the peer asks for.
#![allow(clippy::unwrap_used)]
use super::tests::{World, end, frame, payloads};
use super::*;

#[test]
fn a_peer_gets_packets_of_the_length_that_it_asks_for() {
    for ms in [10, 20, 30, 40, 60] {
        let mut world = World::pair(true);
        world.ends[0].set_packet_time(ms);
        world.talk(60);
        world.ends[0].send_digits(world.now, "4").unwrap();
        world.talk(60);
        world.settle();
        let heard = &world.heard[1];
        assert_eq!(heard.digits, "4", "{ms}");
        // Three to six frames give way to the digit, and what was held with them.
        let sound: usize = heard.octets.iter().sum();
        assert!((110 * 160..=120 * 160).contains(&sound), "{ms}: {sound}");
        let whole = heard.octets.iter().filter(|length| **length == ms as usize * 8).count();
        assert!(whole + 1 >= heard.octets.len(), "{ms}: {:?}", heard.octets);
        assert!(heard.frames.windows(2).all(|w| w[1].0 == w[0].0 + 1), "{ms}: no loss is seen");
        let steps = heard.frames.windows(2).map(|w| w[1].1.wrapping_sub(w[0].1));
        let steps: Vec<_> = steps.filter(|step| *step != ms * 8).collect();
        assert!(steps.len() <= 1 && steps.iter().all(|step| *step < 2_000), "{ms}: {steps:?}");
        assert_eq!(world.ends[1].statistics().lost, 0);
    }
}

#[test]
fn another_length_in_the_middle_of_a_call_is_no_loss() {
    let mut world = World::pair(true);
    for ms in [20, 40, 10, 60, 40, 20] {
        world.ends[0].set_packet_time(ms);
        world.talk(30);
    }
    world.settle();
    let sound: usize = world.heard[1].octets.iter().sum();
    // At most two frames are held when the length changes.
    assert!(sound >= (180 - 2 * 5) * 160, "{sound}");
    assert_eq!(world.ends[1].statistics().lost, 0);
}

#[test]
fn the_same_length_once_more_leaves_no_mark_in_the_stream() {
    for ms in [20, 40] {
        let mut world = World::pair(true);
        world.ends[0].set_packet_time(ms);
        world.talk(10);
        world.ends[0].set_packet_time(ms);
        world.talk(10);
        let ssrc = world.ends[0].ssrc();
        let packets = world.carried.iter().filter_map(|octets| Packet::parse(octets).ok());
        let marked = packets.filter(|packet| packet.ssrc == ssrc && packet.marker).count();
        assert_eq!(marked, 1, "{ms}: the first one");
    }
}

#[test]
fn cutting_and_joining_allocates_nothing_per_packet() {
    for ms in [10, 60] {
        let mut sender = end(4000, 5000, true, payloads(), 1);
        sender.set_packet_time(ms);
        let now = Instant::now();
        let mut packet = [0; 1500];
        let mut packets = 0;
        let mut pass = |n: u64| {
            let at = now + Duration::from_millis(2) * n as u32;
            let mut made = sender.send_frame(at, &frame(n, at), &mut packet);
            while made.is_some() {
                packets += 1;
                made = sender.send_more(at, &mut packet);
            }
        };
        (0..6).for_each(&mut pass);
        let cost = allocation_counter::measure(|| (6..306).for_each(&mut pass));
        assert_eq!(cost.count_total, 0, "{cost:?}");
        assert_eq!(packets, 306 * 20 / u64::from(ms));
    }
}
