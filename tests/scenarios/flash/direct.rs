//! Two visitors with Flash in one call with each other: their sound goes directly, and through the
//! appliance where it cannot.

use super::between::{CALLED, CALLER, alice_as, pages};
use harness::flash::Habit;
use harness::{Appliance, FlashSettings, FlashVisitor, Kamailio, Place};
use rtmfp::crypto::Group;
use signalling::EndCause;
use std::time::{Duration, Instant};

/// A call of two clients through a provider that leaves their media alone.
struct Pair {
    caller: FlashVisitor,
    called: FlashVisitor,
    appliance: Appliance,
    _provider: Kamailio,
    _place: Place,
}

fn pair(name: &str, reachable: bool, settings: impl Fn(FlashSettings) -> FlashSettings) -> Pair {
    let place = Place::new(name);
    let (provider, appliance) = pages(&place);
    let mut called = alice_as(&provider, &appliance, settings(FlashSettings::of_webphone()));
    let mut caller = FlashVisitor::connect(&appliance, settings(FlashSettings::default()));
    for client in [&caller, &called] {
        client.block_peers(!reachable);
    }
    caller.call();
    called.rings();
    called.answer();
    called.talks();
    caller.talks();
    Pair { caller, called, appliance, _provider: provider, _place: place }
}

fn direct(settings: FlashSettings) -> FlashSettings {
    FlashSettings { direct: true, ..settings }
}

impl Pair {
    fn ends(&self) -> [&FlashVisitor; 2] {
        [&self.caller, &self.called]
    }

    fn hear_each_other(&self) {
        self.caller.hears(CALLED);
        self.called.hears(CALLER);
    }

    fn go_direct(&self, times: usize) {
        for end in self.ends() {
            end.is_told_direct(true, times);
        }
    }

    /// Messages of sound that the appliance had from clients and sent to them, and what passed its
    /// bridges.
    fn carried(&self) -> [u64; 5] {
        let [caller, called] = self.ends().map(|end| end.look(|s| [s.sent, s.bridged]));
        let relayed = self.appliance.metric("frames_relayed_total");
        [caller[0], caller[1], called[0], called[1], relayed]
    }
}

#[test]
fn two_visitors_with_flash_hear_each_other_without_the_appliance() {
    let pair = pair("flash-direct", true, direct);
    pair.go_direct(1);
    // What was on its way has arrived.
    std::thread::sleep(Duration::from_millis(300));
    let before = (pair.carried(), pair.ends().map(|end| end.look(|seen| seen.direct)));
    std::thread::sleep(Duration::from_secs(1));
    pair.hear_each_other();
    assert_eq!(pair.carried(), before.0, "the appliance carries nothing");
    for (end, before) in pair.ends().into_iter().zip(before.1) {
        assert!(end.look(|seen| seen.direct) > before + 20, "sound comes directly");
    }
    assert_eq!(pair.appliance.metric("flash_direct_total"), 1);
    // Each was told of the other, and only once the call was up.
    let told = pair.ends().map(|end| {
        end.look(|seen| seen.steps.iter().find(|step| step.direct.is_some()).cloned().unwrap())
    });
    assert!(told.iter().all(|step| step.state == "active" && step.far_id.len() == 64), "{told:?}");
    assert_ne!(told[0].far_id, told[1].far_id);
    pair.caller.hang_up();
    pair.caller.ends();
    pair.called.ends();
    pair.appliance.is_quiet();
    let causes: Vec<_> = pair.appliance.rows(2).into_iter().map(|row| row.cause).collect();
    let ends = [EndCause::VisitorHungUp.key(), EndCause::ShopHungUp.key()];
    assert!(ends.iter().all(|end| causes.iter().any(|cause| cause == end)), "{causes:?}");
}

#[test]
fn visitors_whose_machines_cannot_reach_each_other_go_on_through_the_appliance() {
    let pair = pair("flash-direct-blocked", false, direct);
    pair.hear_each_other();
    let told = pair.ends().map(|end| {
        let offered = end.is_told_direct(false, 1);
        assert_eq!(offered.far_id.len(), 64);
        end.is_told_direct(false, 2)
    });
    assert!(told.iter().all(|step| step.far_id.is_empty()), "{told:?}");
    pair.hear_each_other();
    let gap = pair.ends().map(|end| end.look(|seen| seen.longest_gap));
    assert!(gap.iter().all(|gap| *gap < Duration::from_secs(1)), "no gap meanwhile: {gap:?}");
    assert_eq!(pair.appliance.metric("flash_direct_total"), 0);
    pair.called.hang_up();
    pair.caller.ends();
}

#[test]
fn a_path_that_breaks_in_the_middle_of_the_talk_is_left_for_the_appliance() {
    let pair = pair("flash-direct-breaks", true, direct);
    pair.go_direct(1);
    pair.hear_each_other();
    pair.ends().iter().for_each(|end| end.measure_gap());
    // One of the two machines is enough.
    pair.caller.block_peers(true);
    let since = Instant::now();
    for end in pair.ends() {
        end.until("it is told of the way back", |seen| {
            let last = seen.steps.last()?;
            (last.direct == Some(false) && last.far_id.is_empty()).then_some(())
        });
    }
    assert!(since.elapsed() < Duration::from_secs(8), "after {:?}", since.elapsed());
    let before = pair.carried();
    pair.hear_each_other();
    let after = pair.carried();
    assert!(before.iter().zip(after).all(|(before, after)| after > before + 10), "{after:?}");
    pair.caller.hang_up();
    pair.called.ends();
    pair.appliance.is_quiet();
}

#[test]
fn a_visitor_who_vanishes_from_a_direct_talk_ends_it_within_half_a_minute() {
    let Pair { caller, called, appliance, _provider, _place } =
        pair("flash-direct-vanishes", true, direct);
    caller.is_told_direct(true, 1);
    called.is_told_direct(true, 1);
    called.hears(CALLER);
    let since = Instant::now();
    caller.vanish();
    let ended = called.within(Duration::from_secs(40), |seen| {
        seen.steps.iter().find(|step| step.state == "ended").cloned()
    });
    assert!(ended.is_some(), "{:?}", called.look(|seen| seen.steps.clone()));
    assert!(since.elapsed() < Duration::from_secs(31), "after {:?}", since.elapsed());
    appliance.is_quiet();
}

#[test]
fn a_direct_talk_is_held_through_the_appliance_and_direct_again_after_it() {
    let pair = pair("flash-direct-held", true, direct);
    pair.go_direct(1);
    pair.hear_each_other();
    pair.called.hold();
    pair.called.reaches("held");
    for end in pair.ends() {
        end.is_told_direct(false, 2);
        assert!(!end.packets_come(), "neither is heard on hold");
    }
    pair.called.resume();
    pair.go_direct(2);
    pair.hear_each_other();
    assert_eq!(pair.appliance.metric("flash_direct_total"), 2);
    pair.caller.hang_up();
    pair.called.ends();
    pair.appliance.is_quiet();
}

#[test]
fn clients_of_different_habits_stay_in_direct_touch_on_a_lossy_network() {
    let pair = pair("flash-direct-lossy", true, |settings| {
        let habit = match settings.app.as_str() {
            "webphone" => Habit::Modern(vec![Group::Modp2048, Group::Modp1024]),
            _ => Habit::Player,
        };
        FlashSettings { habit, loss: 4, ..direct(settings) }
    });
    pair.go_direct(1);
    let heard = || pair.ends().map(|end| end.look(|seen| seen.direct));
    let (before, since) = (heard(), Instant::now());
    for (end, before) in pair.ends().into_iter().zip(before) {
        end.until("five seconds were heard", |seen| (seen.direct > before + 125).then_some(()));
    }
    assert!(since.elapsed() < Duration::from_secs(10), "after {:?}", since.elapsed());
    for end in pair.ends() {
        let last = end.look(|seen| seen.steps.last().and_then(|step| step.direct));
        assert_eq!(last, Some(true), "nobody went back");
    }
    pair.caller.hang_up();
    pair.called.ends();
    pair.appliance.is_quiet();
}

#[test]
fn a_client_that_knows_no_direct_streams_talks_through_the_appliance() {
    let pair = pair("flash-direct-old", true, |settings| settings);
    pair.hear_each_other();
    for end in pair.ends() {
        end.is_told_direct(false, 2);
    }
    pair.hear_each_other();
    assert_eq!(pair.appliance.metric("flash_direct_total"), 0);
    pair.caller.hang_up();
    pair.called.ends();
    pair.appliance.is_quiet();
}
