//! The joined call on a virtual network under a virtual clock: one shard with all its machines
//! between browsers (str0m), pages, Flash clients (our own initiator) and a provider with a phone
//! (our own SIP endpoint).
//!
//! ```text
//!   page --event--> +-------+ --datagram--> network (loss, delay, order, repeats) --> phone
//!   page <-output-- | Core  | <--datagram--                                       <-- browser
//!                   +-------+
//!        after every step: checks.rs        who does what when: plan.rs, all drawn from one seed
//! ```
//!
//! `SIM_SEED=17 cargo test -p click2call thousand` runs that seed alone. It repeats the run but for
//! what DTLS draws from the system (keys, the times of repeats).

mod altered;
mod called;
mod checks;
mod direct_scenes;
mod flash_plan;
mod flash_scenes;
mod guest;
mod joined_scenes;
mod page;
mod phone;
mod plan;
mod scenes;
mod secret_scenes;
mod sound_scenes;
mod talk;
mod tcp;
mod transfer_scenes;
mod wire;
mod world;

pub(super) use world::named_config;

use plan::Plan;
use signalling::CallState;
use std::collections::BTreeMap;
use world::World;

/// What happened in many lives.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    /// How often each cause ended a call.
    causes: BTreeMap<String, u64>,
    /// Calls that were answered, and browsers whose media came up.
    answered: u64,
    connected: u64,
    /// Packets of sound that reached a browser, and frames that reached a phone.
    heard: u64,
    heard_by_phone: u64,
    /// Calls that came in at pages, and those of them that were answered and were held.
    pages: [u64; 3],
    /// Flash clients that were let in, calls that they were told of, those that were answered, calls
    /// that came in and those of them that were answered, messages of sound that they heard.
    flash: [u64; 6],
    /// Flash clients that were introduced to another, and those whose sound went there.
    direct: [u64; 2],
}

impl Tally {
    fn calls(&self) -> u64 {
        self.causes.values().sum()
    }

    fn add(&mut self, world: &World) {
        for cause in world.causes_told() {
            *self.causes.entry(cause).or_default() += 1;
        }
        for call in world.pages.values().flat_map(|page| page.calls.values()) {
            let states = call.states.iter();
            self.answered += u64::from(states.map(|s| s.0).any(|s| s == CallState::Active));
            self.connected += u64::from(call.connected);
            self.heard += call.heard;
        }
        for page in world.pages.values() {
            let calls = page.incoming();
            let was = |state: CallState| {
                let has = |call: &&u32| page.calls[*call].states.iter().any(|s| s.0 == state);
                calls.iter().filter(has).count() as u64
            };
            let all = [calls.len() as u64, was(CallState::Active), was(CallState::Held)];
            self.pages.iter_mut().zip(all).for_each(|(sum, one)| *sum += one);
        }
        for guest in &world.guests {
            let has = |state: &str| {
                let calls = guest.calls.values();
                calls.filter(|call| call.iter().any(|(of, _)| of == state)).count() as u64
            };
            let came = guest.incoming.iter().filter_map(|name| guest.calls.get(name));
            let taken =
                came.filter(|call| call.iter().any(|(of, _)| of == "active")).count() as u64;
            let all = [
                u64::from(guest.connected),
                guest.calls.len() as u64,
                has("active"),
                guest.incoming.len() as u64,
                taken,
                guest.heard,
            ];
            let introduced = guest.direct.iter().any(|(_, _, far)| !far.is_empty());
            self.direct[0] += u64::from(introduced);
            self.direct[1] += u64::from(guest.direct.iter().any(|(_, on, _)| *on));
            self.flash.iter_mut().zip(all).for_each(|(sum, one)| *sum += one);
        }
        self.heard_by_phone += world.phone.past.iter().map(|talk| talk.heard).sum::<u64>();
    }
}

/// Runs these seeds, or the one that is asked for.
fn lives(seeds: std::ops::Range<u64>, plan: Plan) -> Option<Tally> {
    let asked_for = std::env::var("SIM_SEED").ok().and_then(|text| text.parse().ok());
    let mut tally = Tally::default();
    for number in asked_for.map_or(seeds, |seed: u64| seed..seed + 1) {
        let mut world = World::drawn(number, plan);
        world.live(plan);
        tally.add(&world);
    }
    // One seed says nothing about how much happens in many.
    asked_for.is_none().then_some(tally)
}

#[test]
fn a_thousand_lives_of_a_shard_leave_nothing_behind() {
    let Some(tally) = lives(0..1_000, Plan { steps: 25, talkative: 8, ..Plan::default() }) else {
        return;
    };
    // That much must happen, or the test has become one of nothing.
    assert!(tally.calls() > 2_500 && tally.answered > 700 && tally.connected > 1_500, "{tally:?}");
    assert!(tally.causes.len() >= 15, "{tally:?}");
}

#[test]
fn lives_full_of_talk_leave_nothing_behind() {
    let Some(tally) = lives(1_000..1_040, Plan { steps: 40, talkative: 90, ..Plan::default() })
    else {
        return;
    };
    assert!(tally.answered > 40 && tally.connected > 80, "{tally:?}");
    assert!(tally.heard > 10_000 && tally.heard_by_phone > 10_000, "{tally:?}");
}

#[test]
fn lives_with_flash_clients_leave_nothing_behind() {
    let plan = Plan { steps: 60, talkative: 50, flash: 85, called: 0 };
    let Some(tally) = lives(3_000..3_040, plan) else { return };
    let [connected, calls, answered, came, taken, heard] = tally.flash;
    assert!(connected > 80 && calls > 120 && answered > 50, "{tally:?}");
    assert!(came > 20 && taken > 10 && heard > 2_000, "{tally:?}");
    assert!(tally.direct[0] > 4 && tally.direct[1] > 1, "{tally:?}");
}

#[test]
fn lives_of_pages_that_are_called_leave_nothing_behind() {
    let plan = Plan { steps: 40, talkative: 40, flash: 0, called: 80 };
    let Some(tally) = lives(4_000..4_150, plan) else { return };
    let [came, answered, held] = tally.pages;
    assert!(came > 200 && answered > 100 && held > 30, "{tally:?}");
    assert!(tally.heard > 2_000 && tally.heard_by_phone > 2_000, "{tally:?}");
}

#[test]
fn a_seed_can_be_run_again() {
    let plan = Plan { steps: 25, talkative: 50, ..Plan::default() };
    for number in 2_000..2_010 {
        let [first, second] = [(); 2].map(|()| {
            let mut world = World::drawn(number, plan);
            world.live(plan);
            let calls = world.pages.values().flat_map(|page| page.calls.values());
            calls.map(|call| call.states.clone()).collect::<Vec<_>>()
        });
        assert_eq!(first, second, "seed {number}");
    }
}
