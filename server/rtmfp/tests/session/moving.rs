//! Far ends that change their address (RFC 7016 sections 3.5.3 and 3.5.4.2).

use crate::script::{MS, PLAIN, S, Script, address, data, first, options};
use crate::world::{Wire, World};
use base::Seed;
use rtmfp::chunk::Chunk;
use rtmfp::packet::{Header, Mode};
use rtmfp::session::{OpenFlow, SessionEvent, SessionSettings};

fn header() -> Header {
    Header::new(Mode::Initiator)
}

#[test]
fn a_new_address_is_checked_and_until_then_nothing_else_goes_there() {
    let mut script = Script::new();
    script.arrive_from(address(9), header(), &[first(5, &options(Some(b"m"), None), b"x")]);
    let packets = script.sent();
    assert_eq!(packets.len(), 2);
    assert_eq!((packets[0].to, &packets[0].kinds), (address(9), &vec![0x01]));
    assert_eq!((packets[1].to, &packets[1].kinds), (address(1), &vec![0x51]));
    let check = packets[0].pings[0].clone();
    assert_eq!(check[0], b'M');
    script.now += 50 * MS;
    script.arrive_from(address(9), header(), &[Chunk::PingReply(&check)]);
    let moved = SessionEvent::Moved { from: address(1), to: address(9) };
    assert_eq!(script.events().last(), Some(&moved));
    script.arrive_from(address(9), header(), &[Chunk::Ping(b"x")]);
    assert_eq!(script.one().to, address(9));
    assert_eq!(script.session.remote(), address(9));
}

#[test]
fn checks_go_at_most_once_a_second() {
    let mut script = Script::new();
    let mut checks = 0;
    for _ in 0..50 {
        script.arrive_from(address(9), header(), &[]);
        checks += script.sent().len();
        script.now += 60 * MS;
    }
    assert_eq!(checks, 3);
}

#[test]
fn an_answer_from_the_old_address_or_a_made_up_one_moves_nothing() {
    let mut script = Script::new();
    script.arrive_from(address(9), header(), &[]);
    let check = script.one().pings[0].clone();
    script.arrive(&[Chunk::PingReply(&check)]);
    script.arrive_from(address(8), header(), &[Chunk::PingReply(&check)]);
    script.arrive_from(address(9), header(), &[Chunk::PingReply(b"")]);
    script.arrive_from(address(9), header(), &[Chunk::PingReply(b"M_made_up________________")]);
    script.keyed = false;
    script.arrive_from(address(9), header(), &[Chunk::PingReply(&check)]);
    assert_eq!((script.session.remote(), script.events()), (address(1), vec![]));
}

#[test]
fn without_keys_in_its_packets_a_far_end_does_not_move() {
    let mut script = Script::new();
    script.keyed = false;
    script.arrive_from(address(9), header(), &[data(5, 1, 1, b"x")]);
    let packets = script.sent();
    assert!(packets.iter().all(|packet| packet.to == address(1) && packet.pings.is_empty()));
    assert_eq!(script.session.remote(), address(1));
}

#[test]
fn a_call_goes_on_when_the_nat_gives_it_another_port() {
    for number in 0..40 {
        let mut seed = Seed::from_number(number);
        let wires = [Wire { loss: 5, ..Wire::random(&mut seed) }; 2];
        let mut world = World::new([SessionSettings::default(); 2], wires, number);
        let audio = OpenFlow { time_critical: true, ..PLAIN };
        let flows: Vec<_> = (0..2)
            .map(|end| world.with(end, |_, session| session.open_flow(audio)).unwrap())
            .collect();
        let mut delivered = [0; 2];
        for count in 0..1000u32 {
            if count == 400 {
                world.ends[0].address = address(77);
            }
            if count == 700 {
                delivered = [world.messages(0).len(), world.messages(1).len()];
            }
            for (end, flow) in flows.iter().enumerate() {
                let octets = count.to_be_bytes();
                let lifetime = Some(800 * MS);
                world
                    .with(end, |now, session| session.send(now, *flow, &octets, lifetime))
                    .unwrap();
            }
            world.run(20 * MS);
        }
        assert_eq!(world.ends[1].session.remote(), address(77), "seed {number}");
        let moved = world.count(1, |event| matches!(event, SessionEvent::Moved { .. }));
        assert_eq!(moved, 1, "seed {number}");
        world.run(2 * S);
        for (end, before) in delivered.into_iter().enumerate() {
            let after = world.messages(end).len() - before;
            assert!(after >= 270, "seed {number}: {after} of the last 300 at end {end}");
        }
        world.close();
    }
}
