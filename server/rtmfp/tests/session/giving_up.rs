//! Messages whose time is over (RFC 7016 section 3.6.2.7).

use crate::script::{MS, S, Script, address, send_one, warm_up};
use rtmfp::packet::{Header, Mode};

#[test]
fn a_message_that_expires_unsent_is_skipped_with_the_next() {
    let mut script = Script::new();
    let flow = script.open();
    warm_up(&mut script, flow, 1);
    // The burst is used up, so that the next messages wait.
    (0..6).for_each(|_| {
        script.send(flow, b"m");
        script.one();
    });
    script.send_for(flow, b"stale", 100 * MS);
    script.send(flow, b"fresh");
    assert!(script.pass(150 * MS).is_empty());
    script.ack(flow, 7, &[]);
    let packet = script.one();
    assert_eq!(packet.data.len(), 1);
    assert_eq!((packet.data[0].sequence, packet.data[0].forward), (9, 8));
    assert_eq!(packet.data[0].octets, b"fresh");
    assert_eq!(script.session.statistics().abandoned, 1);
}

#[test]
fn when_only_given_up_data_is_left_the_far_end_is_moved_on() {
    let mut script = Script::new();
    let flow = script.open();
    warm_up(&mut script, flow, 1);
    script.send_for(flow, b"lost", 100 * MS);
    script.send_for(flow, b"lost too", 100 * MS);
    script.one();
    script.pass(100 * MS);
    let update = script.pass(3 * S);
    assert_eq!(update.len(), 1, "after the alarm, in one update for both");
    let data = &update[0].data[0];
    assert!(data.abandon && data.octets.is_empty());
    assert_eq!((data.sequence, data.forward), (3, 3));
}

#[test]
fn all_fragments_of_a_message_are_given_up_together() {
    let mut script = Script::new();
    let flow = script.open();
    warm_up(&mut script, flow, 1);
    script.send_for(flow, &[1; 9000], 200 * MS);
    let sent: u64 = script.sent().iter().map(|packet| packet.data.len() as u64).sum();
    assert!(sent < 6, "{sent}");
    script.ack(flow, 3, &[]);
    script.sent();
    script.pass(200 * MS);
    script.send(flow, b"after");
    let later: Vec<_> = script.pass(5 * S).into_iter().flat_map(|packet| packet.data).collect();
    assert!(later.iter().all(|data| data.abandon || data.octets == b"after"), "{later:?}");
    assert!(later.iter().any(|data| data.octets == b"after"));
}

#[test]
fn the_forward_number_never_covers_what_is_in_flight_as_data() {
    let mut script = Script::new();
    let flow = script.open();
    warm_up(&mut script, flow, 1);
    script.send_for(flow, b"in flight", 50 * MS);
    script.one();
    script.pass(60 * MS);
    assert_eq!(send_one(&mut script, flow), (3, 1));
}

#[test]
fn a_legacy_far_end_gets_each_given_up_number_by_itself() {
    let mut script = Script::legacy();
    let flow = script.open();
    warm_up(&mut script, flow, 1);
    for _ in 0..3 {
        script.send_for(flow, b"stale", 100 * MS);
        script.one();
    }
    script.pass(100 * MS);
    let again = script.pass(3 * S);
    let data: Vec<_> = again.iter().flat_map(|packet| &packet.data).collect();
    assert!(data.iter().all(|data| data.abandon && data.octets.is_empty()));
    assert_eq!(data.iter().map(|data| data.sequence).collect::<Vec<_>>(), [2, 3, 4]);
    script.ack(flow, 3, &[]);
    let keep = script.pass(10 * S);
    let left: Vec<_> = keep.iter().flat_map(|packet| &packet.data).map(|d| d.sequence).collect();
    assert!(!left.is_empty() && left.iter().all(|number| *number == 4), "{left:?}");
}

#[test]
fn a_far_end_that_ignores_the_forward_number_does_not_keep_us_busy_for_ever() {
    let mut script = Script::new();
    let flow = script.open();
    warm_up(&mut script, flow, 1);
    script.send_for(flow, b"lost", 50 * MS);
    script.one();
    script.send(flow, b"m");
    script.one();
    script.pass(60 * MS);
    let mut packets = 0;
    for _ in 0..50 {
        script.pass(4 * S);
        script.ack(flow, 1, &[(3, 3)]);
        packets += script.sent().len();
        if !script.session.is_open() {
            panic!("closed");
        }
    }
    assert!(packets <= 8, "{packets}");
}

#[test]
fn after_an_outage_a_sign_of_life_ends_the_wait_of_the_alarm() {
    let mut script = Script::new();
    let flow = script.open();
    script.send(flow, b"m");
    let sent = script.one();
    assert_eq!(script.pass(14 * S).iter().filter(|p| !p.data.is_empty()).count(), 3);
    // The alarm waits for more than eight seconds now. The far end speaks, and its echo measures
    // a round trip of 40 ms: its clock has counted on since it heard of us last.
    let ticks = (script.now - script.start).as_millis() as u16 / 4 - 10;
    let echo = sent.header.timestamp.unwrap().wrapping_add(ticks);
    let header = Header { timestamp_echo: Some(echo), ..Header::new(Mode::Initiator) };
    script.arrive_from(address(1), header, &[]);
    assert_eq!(script.session.poll_timeout().filter(|at| *at > script.now), None);
    script.session.handle_timeout(script.now);
    assert_eq!(script.one().data[0].octets, b"m");
}
