//! Far ends that fall silent (RFC 7016 section 3.5.4.1).

use crate::script::{PLAIN, S, Script, address};
use crate::world::{Wire, World};
use rtmfp::packet::{Header, Mode};
use rtmfp::session::{CloseCause, KeepAlive, SessionCommand, SessionEvent};

const DEAD: SessionEvent = SessionEvent::Closed { cause: CloseCause::Silent };

#[test]
fn an_idle_session_stays_up_by_pings_and_an_answer_costs_no_event() {
    let mut world = World::clean(30);
    world.record = true;
    world.run(600 * S);
    let pings = world.sent.iter().filter(|(_, _, packet)| !packet.pings.is_empty());
    assert!(pings.clone().all(|(_, _, packet)| packet.pings == [Vec::<u8>::new()]));
    assert!((50..=130).contains(&pings.count()));
    assert!(world.ends.iter().all(|end| end.session.is_open() && end.events.is_empty()));
    world.close();
}

#[test]
fn a_far_end_that_vanished_is_noticed_after_thirty_seconds() {
    let mut world = World::clean(30);
    let flow = world.with(0, |_, session| session.open_flow(PLAIN)).unwrap();
    world.with(0, |now, session| session.send(now, flow, b"x", None)).unwrap();
    world.run(5 * S);
    let heard = world.now;
    world.wires = [Wire { loss: 100, ..Wire::clean(30) }; 2];
    world.run(60 * S);
    for end in 0..2 {
        let (at, event) = world.ends[end].events.last().unwrap();
        assert_eq!(event, &DEAD);
        let silence = *at - heard;
        assert!(silence > 24 * S && silence <= 30 * S, "{silence:?}");
        assert!(world.ends[end].session.is_over());
        assert_eq!(world.ends[end].session.poll_timeout(), None);
    }
}

#[test]
fn the_period_can_be_changed() {
    let mut script = Script::new();
    let keep_alive = KeepAlive { every: S, dead_after: 4 * S };
    script.command(SessionCommand::KeepAlive(keep_alive));
    let packets = script.pass(5 * S);
    assert!(packets.iter().filter(|packet| !packet.pings.is_empty()).count() >= 1);
    assert_eq!(script.events(), [DEAD]);
    assert_eq!(packets.last().unwrap().kinds, [0x4c], "it may still hear us");
    assert!(script.session.is_over());
}

#[test]
fn packets_from_elsewhere_do_not_count_as_a_sign_of_life() {
    let mut script = Script::new();
    script.keyed = false;
    for _ in 0..40 {
        script.pass(S);
        script.arrive_from(address(9), Header::new(Mode::Initiator), &[]);
    }
    assert_eq!(script.events(), [DEAD]);
}

#[test]
fn time_critical_data_is_noticed_for_the_other_sessions_of_the_endpoint() {
    let mut script = Script::new();
    assert_eq!(script.session.time_critical_received_at(), None);
    let header = Header { time_critical: true, ..Header::new(Mode::Initiator) };
    script.arrive_from(address(1), header, &[]);
    assert_eq!(script.session.time_critical_received_at(), Some(script.now));
}
