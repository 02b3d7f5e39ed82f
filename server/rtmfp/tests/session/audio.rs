//! Time-critical flows: what is late is dropped, so that delay never grows.

use crate::script::{MS, PLAIN, S};
use crate::world::{Wire, World};
use rtmfp::session::{
    FlowId, KeepAlive, OpenFlow, Order, SessionCommand, SessionEvent, SessionSettings,
};
use std::time::{Duration, Instant};

const AUDIO: OpenFlow<'static> = OpenFlow { time_critical: true, ..PLAIN };
const LIFETIME: Duration = Duration::from_millis(600);

/// What one direction of a call came to.
struct Heard {
    messages: u64,
    /// The longest time from queueing to delivery.
    worst: Duration,
    /// The mean of the first and of the last minute.
    first: Duration,
    last: Duration,
}

/// Messages say when they were made, in microseconds.
fn frame(start: Instant, now: Instant) -> Vec<u8> {
    let mut octets = ((now - start).as_micros() as u64).to_be_bytes().to_vec();
    octets.resize(43, 0xb2);
    octets
}

fn heard(world: &mut World, end: usize, minutes: u64) -> Heard {
    let mut all = Vec::new();
    for (at, event) in world.ends[end].events.drain(..) {
        if let SessionEvent::Message { octets, .. } = event {
            let made = u64::from_be_bytes(octets[..8].try_into().unwrap());
            all.push(((at - world.start).as_micros() as u64, made));
        }
    }
    let minute = 60_000_000;
    let mean = |from: u64, to: u64| {
        let part = all.iter().filter(|(_, made)| (from..to).contains(made));
        let (sum, count) = part.fold((0, 0), |(s, c), (at, made)| (s + at - made, c + 1));
        Duration::from_micros(sum / u64::max(count, 1))
    };
    let worst = all.iter().map(|(at, made)| at - made).max().unwrap_or_default();
    Heard {
        messages: all.len() as u64,
        worst: Duration::from_micros(worst),
        first: mean(0, minute),
        last: mean((minutes - 1) * minute, minutes * minute),
    }
}

/// A call of so many minutes, a message each way every 20 ms of the clock of its sender. Checks
/// the queues all the time.
fn call(world: &mut World, minutes: u64) -> [FlowId; 2] {
    let flows = [0, 1].map(|end| world.with(end, |_, session| session.open_flow(AUDIO)).unwrap());
    let start = world.start;
    let mut due = [start; 2];
    let end = start + Duration::from_secs(60 * minutes);
    loop {
        let which = usize::from(due[1] < due[0]);
        let at = due[which];
        if at >= end {
            break;
        }
        while world.step(at) {}
        // The sender's own clock decides when 20 ms are over.
        let pace = 1_000_000 + world.ends[which].drift;
        due[which] += Duration::from_nanos((20_000_000 * 1_000_000 / pace) as u64);
        let octets = frame(start, world.now);
        world.with(which, |now, session| {
            session.send(now, flows[which], &octets, Some(LIFETIME)).unwrap();
        });
        let clock = world.clock(which);
        let age = world.ends[which].session.queue_age(clock, flows[which]).unwrap_or_default();
        assert!(age <= LIFETIME, "a message of {age:?} is still in the queue");
        assert!(world.ends[which].session.memory() < 40 * 1024);
    }
    flows
}

#[test]
fn over_an_hour_with_loss_and_drifting_clocks_delay_does_not_grow() {
    let wire = Wire { loss: 3, duplicates: 1, reorder: 3, jitter: 20 * MS, ..Wire::clean(60) };
    let mut world = World::new([SessionSettings::default(); 2], [wire; 2], 5);
    world.ends[0].drift = 150;
    world.ends[1].drift = -200;
    call(&mut world, 60);
    for end in 0..2 {
        let heard = heard(&mut world, end, 60);
        assert!(heard.messages > 178_000, "{} of 180,000", heard.messages);
        // A message lives for 600 ms, then takes its way, and the far end may have waited for
        // one before it.
        assert!(heard.worst < LIFETIME + 400 * MS, "{:?}", heard.worst);
        assert!(heard.last < heard.first + 15 * MS, "{:?} {:?}", heard.first, heard.last);
        assert!(heard.last < 130 * MS, "{:?}", heard.last);
        assert!(world.ends[end].memory < 40 * 1024, "{}", world.ends[end].memory);
    }
}

#[test]
fn in_network_order_a_loss_delays_nothing_but_itself() {
    let wire = Wire { loss: 10, ..Wire::clean(100) };
    let mut delays = [Duration::ZERO; 2];
    for (at, order) in [Order::Original, Order::Network].into_iter().enumerate() {
        let mut world = World::new([SessionSettings::default(); 2], [wire; 2], 5);
        let set = SessionCommand::SetOrder { flow: FlowId(2), order };
        let flow = world.with(0, |_, session| session.open_flow(AUDIO)).unwrap();
        let start = world.start;
        for count in 0..3000 {
            let octets = frame(start, world.now);
            world.with(0, |now, session| session.send(now, flow, &octets, Some(LIFETIME))).unwrap();
            world.run(20 * MS);
            if count == 20 {
                world.with(1, |now, session| session.command(now, set.clone()));
            }
        }
        let heard = heard(&mut world, 1, 1);
        delays[at] = heard.first;
    }
    assert!(delays[1] + 10 * MS < delays[0], "{delays:?}");
}

#[test]
fn an_outage_leaves_no_backlog() {
    let mut world = World::clean(50);
    let flow = world.with(0, |_, session| session.open_flow(AUDIO)).unwrap();
    let start = world.start;
    let send = |world: &mut World, count: u32| {
        for _ in 0..count {
            let octets = frame(start, world.now);
            world.with(0, |now, session| session.send(now, flow, &octets, Some(LIFETIME))).unwrap();
            world.run(20 * MS);
        }
    };
    send(&mut world, 100);
    world.wires = [Wire { loss: 100, ..Wire::clean(50) }; 2];
    send(&mut world, 500);
    world.wires = [Wire::clean(50); 2];
    let back = world.now;
    // The alarms have backed off meanwhile; the first that goes off wakes the other end too.
    send(&mut world, 600);
    let late = |world: &World, from: Duration| {
        let events = world.ends[1].events.iter().filter(|(at, _)| *at >= back + from);
        let messages = events.filter_map(|(at, event)| match event {
            SessionEvent::Message { octets, .. } => Some((*at, octets)),
            _ => None,
        });
        messages
            .map(|(at, octets)| {
                let made = u64::from_be_bytes(octets[..8].try_into().unwrap());
                (at - start).as_micros() as u64 - made
            })
            .collect::<Vec<_>>()
    };
    let after = late(&world, Duration::ZERO);
    assert!(after.iter().all(|delay| *delay <= 700_000), "{:?}", after.iter().max());
    let settled = late(&world, 11 * S);
    assert!(settled.len() >= 40 && settled.iter().all(|delay| *delay <= 60_000), "{settled:?}");
    assert_eq!(world.count(1, |event| matches!(event, SessionEvent::Gap { .. })), 1);
}

#[test]
fn a_legacy_far_end_gets_over_an_outage_too() {
    let keep_alive = KeepAlive { every: 10 * S, dead_after: 400 * S };
    let settings = SessionSettings { legacy: true, keep_alive, ..SessionSettings::default() };
    let mut world = World::new([settings; 2], [Wire::clean(50); 2], 1);
    let flow = world.with(0, |_, session| session.open_flow(AUDIO)).unwrap();
    let mut refused = 0;
    for count in 0..6000u32 {
        match count {
            100 => world.wires = [Wire { loss: 100, ..Wire::clean(50) }; 2],
            4000 => world.wires = [Wire::clean(50); 2],
            _ => {}
        }
        let octets = count.to_be_bytes();
        let sent = world.with(0, |now, session| session.send(now, flow, &octets, Some(LIFETIME)));
        refused += u64::from(sent.is_err());
        world.run(20 * MS);
    }
    assert!(refused > 1000, "the queue of given up numbers is bounded: {refused}");
    let last = world.messages(1).last().map(|octets| octets.to_vec()).unwrap();
    assert!(u32::from_be_bytes(last.try_into().unwrap()) >= 5995);
    world.close();
}

#[test]
fn audio_keeps_its_pace_beside_a_bulk_transfer() {
    let mut world = World::clean(40);
    let audio = world.with(0, |_, session| session.open_flow(AUDIO)).unwrap();
    let bulk = world.with(0, |_, session| session.open_flow(PLAIN)).unwrap();
    let start = world.start;
    for _ in 0..1500 {
        let octets = frame(start, world.now);
        world.with(0, |now, session| {
            session.send(now, audio, &octets, Some(LIFETIME)).unwrap();
            let _ = session.send(now, bulk, &[0xff; 4000], None);
        });
        world.run(20 * MS);
    }
    let (mut worst, mut count, mut bulk) = (0, 0, 0);
    for (at, event) in &world.ends[1].events {
        match event {
            SessionEvent::Message { flow, octets, .. } if *flow == audio => {
                let made = u64::from_be_bytes(octets[..8].try_into().unwrap());
                worst = worst.max((*at - start).as_micros() as u64 - made);
                count += 1;
            }
            SessionEvent::Message { octets, .. } => bulk += octets.len(),
            _ => {}
        }
    }
    assert!(count >= 1490, "{count}");
    assert!(worst <= 200_000, "{worst}");
    assert!(bulk > 1_000_000, "{bulk}");
}
