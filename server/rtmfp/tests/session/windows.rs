//! The receiver's window at the sender (RFC 7016 section 3.6.2.9).

use crate::script::{MS, S, Script};
use crate::world::{Wire, World};
use base::Seed;
use rtmfp::session::{FlowId, KeepAlive, SessionCommand, SessionEvent, SessionSettings};
use std::time::Duration;

/// When each buffer probe left, in milliseconds.
fn probes(script: &mut Script, duration: Duration) -> Vec<u128> {
    let mut at = Vec::new();
    let end = script.now + duration;
    while script.now < end {
        let packets = script.pass(10 * MS);
        if packets.iter().any(|packet| packet.kinds.contains(&0x18)) {
            at.push((script.now - script.start).as_millis());
        }
    }
    at
}

#[test]
fn nothing_new_goes_beyond_the_window() {
    let mut script = Script::new();
    let flow = script.open();
    script.send(flow, b"first");
    script.one();
    script.ack_with(flow, 1, 1, &[]);
    script.send(flow, &[0; 5000]);
    // One block is open until it is filled; what fills it may exceed it.
    assert_eq!(script.sent().len(), 1);
    script.ack_with(flow, 3, 2, &[]);
    assert_eq!(script.sent().len(), 3);
}

#[test]
fn an_empty_window_is_probed_less_and_less_often() {
    let mut script = Script::new();
    let keep_alive = KeepAlive { every: 10_000 * S, dead_after: 10_000 * S };
    script.command(SessionCommand::KeepAlive(keep_alive));
    let flow = script.open();
    script.send(flow, b"first");
    script.one();
    script.ack_with(flow, 0, 1, &[]);
    assert!(probes(&mut script, 5 * S).is_empty(), "there is nothing to send");
    script.send(flow, b"waits");
    assert!(script.sent().is_empty());
    let at = probes(&mut script, 600 * S);
    assert_eq!(at[0], 6000, "the first within a second");
    let waits: Vec<_> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits[0], 3000, "ERTO is longer than a second here");
    assert!(waits.windows(2).all(|pair| pair[1] >= pair[0]), "{waits:?}");
    assert!((59_990..=60_010).contains(waits.last().unwrap()), "{waits:?}");
    script.ack_with(flow, 4, 1, &[]);
    assert_eq!(script.one().data[0].octets, b"waits");
    script.ack_with(flow, 4, 2, &[]);
    assert!(probes(&mut script, 600 * S).is_empty());
}

#[test]
fn a_legacy_far_end_is_never_probed_and_its_empty_window_taken_for_a_block() {
    let mut script = Script::legacy();
    let keep_alive = KeepAlive { every: 10_000 * S, dead_after: 10_000 * S };
    script.command(SessionCommand::KeepAlive(keep_alive));
    let flow = script.open();
    script.send(flow, b"first");
    script.one();
    script.ack_with(flow, 0, 1, &[]);
    script.send(flow, b"goes");
    assert_eq!(script.one().data[0].octets, b"goes");
    assert!(probes(&mut script, 100 * S).is_empty());
}

/// The far end's window as its last acknowledgement told it, and what went after that.
#[test]
fn over_bad_wires_a_slow_reader_is_never_overrun() {
    for number in 0..100 {
        let mut seed = Seed::from_number(number);
        let keep_alive = KeepAlive { every: 5 * S, dead_after: 300 * S };
        let receive_buffer = 2048 + seed.below(8192) as usize;
        let settings = SessionSettings { receive_buffer, keep_alive, ..SessionSettings::default() };
        let wires = [Wire::random(&mut seed), Wire::random(&mut seed)];
        let mut world = World::new([settings; 2], wires, number);
        world.record = true;
        let flow = world.with(0, |_, session| session.open_flow(crate::script::PLAIN)).unwrap();
        let messages = 60u64;
        let mut sent = 0;
        let mut suspended = false;
        for _ in 0..200_000 {
            if sent < messages {
                let octets = vec![sent as u8; 1 + seed.below(3000) as usize];
                let queued =
                    world.with(0, |now, session| session.send(now, flow, &octets, None)).is_ok();
                sent += u64::from(queued);
            }
            let delivered = world.count(1, |event| matches!(event, SessionEvent::Message { .. }));
            if delivered as u64 == messages {
                break;
            }
            if seed.below(10) == 0 || (suspended && sent == messages) {
                suspended = !suspended && sent < messages;
                let command = if suspended {
                    SessionCommand::SuspendFlow { flow: FlowId(2) }
                } else {
                    SessionCommand::ResumeFlow { flow: FlowId(2) }
                };
                world.with(1, |now, session| session.command(now, command));
            }
            world.run(50 * MS);
            let held = world.ends[1].session.statistics().held;
            // The one fragment that has to be taken, and messages that become whole by it.
            assert!(held <= receive_buffer + 8 * 1300, "seed {number}: {held}");
        }
        let delivered = world.messages(1);
        assert_eq!(delivered.len() as u64, messages, "seed {number}");
        let order: Vec<_> = delivered.iter().map(|octets| octets[0]).collect();
        assert!(order.iter().copied().eq(0..messages as u8), "seed {number}");
        world.close();
    }
}
