//! Pages that are called: what happens by the dice, and single calls with a known course.

use super::altered::Alteration;
use super::phone::Manner;
use super::plan::{Plan, pick};
use super::world::World;
use crate::core::door::{CoreEvent, Operator};
use base::LinkId;
use signalling::{CallState, ClientMessage, EndCause, HangupReason, limits};
use std::time::Duration;

use CallState::{Active, Ended, Held, Ringing};

const FIRST: u32 = limits::FIRST_INCOMING;
const SECOND: Duration = Duration::from_secs(1);

impl World {
    /// Something that has to do with a call that comes in at a page, or might.
    pub fn called_something(&mut self, plan: Plan) {
        let open: Vec<LinkId> = self.pages.iter().filter(|p| p.1.open).map(|p| *p.0).collect();
        let of_own = |link: &&LinkId| self.pages[*link].registered;
        let able: Vec<LinkId> = open.iter().filter(of_own).copied().collect();
        let Some(link) = pick(&mut self.seed, &able) else {
            let waiting = pick(&mut self.seed, &open).filter(|_| self.seed.below(2) == 0);
            let link = waiting.unwrap_or_else(|| self.open(None));
            return self.brings_account(link);
        };
        let call = pick(&mut self.seed, &self.pages[&link].incoming()).unwrap_or(FIRST);
        match self.seed.below(16) {
            0..4 => self.phone_calls(),
            4..8 => {
                let speaks = self.seed.below(100) < plan.talkative;
                self.take(link, call, speaks);
            }
            8 => {
                use HangupReason::{NoMicrophone, PageClosed, Rejected, Visitor};
                let reason =
                    [Rejected, Visitor, NoMicrophone, PageClosed][self.seed.below(4) as usize];
                self.say(link, ClientMessage::Hangup { call, reason });
            }
            9 | 10 => self.say(link, ClientMessage::Hold { call }),
            11 => self.say(link, ClientMessage::Resume { call }),
            12 => {
                let talks: Vec<_> = self.phone.talks.keys().copied().collect();
                if let Some(invite) = pick(&mut self.seed, &talks) {
                    self.phone.hang_up(self.now, invite);
                }
            }
            13 => {
                // A second answer, an answer to nothing, one that says nothing.
                let offer = ["", "v=0\r\n"][self.seed.below(2) as usize].to_owned();
                self.say(link, ClientMessage::Answer { call, video: false, offer });
            }
            14 => {
                let uris = ["7", "sip:a@198.51.100.20", "sip:a@evil", ""];
                let message = match uris.get(self.seed.below(6) as usize) {
                    Some(uri) => ClientMessage::Transfer { call, uri: (*uri).to_owned() },
                    None => ClientMessage::Join { call, other: call ^ 1 },
                };
                self.say(link, message);
            }
            // The page is loaded again.
            _ => self.close(link),
        }
    }

    fn brings_account(&mut self, link: LinkId) {
        let (registrar, password) = ("198.51.100.20".to_owned(), "secret".to_owned());
        let username = format!("page{}", link.0);
        self.say(link, ClientMessage::Register { registrar, username, password });
    }

    fn states_of(&self, link: LinkId, call: u32) -> Vec<(CallState, Option<EndCause>)> {
        self.pages[&link].calls.get(&call).map(|call| call.states.clone()).unwrap_or_default()
    }
}

/// A page with an account that is registered, and a phone that calls it.
fn rung(number: u64, loss: u64) -> (World, LinkId) {
    let mut world = World::new(number);
    let link = world.open(None);
    world.brings_account(link);
    world.run_for(SECOND);
    assert!(world.pages[&link].registered);
    world.signalling.loss = loss;
    world.phone.speaks = true;
    world.phone_calls();
    world.run_for(SECOND * 2);
    (world, link)
}

#[test]
fn sound_crosses_both_ways_once_a_page_has_answered_and_not_before() {
    for number in 0..8 {
        let (mut world, link) = rung(number, 0);
        world.media.loss = number * 4;
        let relayed = |world: &World| {
            world.core.metrics.frames_relayed_total.load(std::sync::atomic::Ordering::Relaxed)
        };
        assert_eq!((world.states_of(link, FIRST), relayed(&world)), (vec![(Ringing, None)], 0));
        assert!(world.take(link, FIRST, true));
        world.run_for(SECOND * 5);
        let talk = world.phone.talks.values().next().expect("a talk");
        let page = &world.pages[&link].calls[&FIRST];
        let heard = (talk.heard, page.heard);
        assert!(heard.0 > 180 && heard.1 > 180, "seed {number}: {heard:?} frames");
        world.say(link, ClientMessage::Hangup { call: FIRST, reason: HangupReason::Visitor });
        world.run_for(SECOND);
        let told = [(Ringing, None), (Active, None), (Ended, Some(EndCause::VisitorHungUp))];
        assert_eq!(world.states_of(link, FIRST), told);
        assert!(world.phone.talks.is_empty(), "the caller was told");
        world.check_log();
    }
}

#[test]
fn the_trace_of_a_call_that_comes_in_has_what_the_browser_and_we_say_of_its_media() {
    let (mut world, link) = rung(1, 0);
    assert!(world.take(link, FIRST, true));
    world.run_for(SECOND);
    let id = world.core.calls.ids()[0];
    let trace = world.core.traces.cut(id).expect("a trace");
    let is = |of: fn(&trace::What) -> bool| trace.entries.iter().any(|entry| of(&entry.what));
    assert!(is(|what| matches!(what, trace::What::Offer { .. })));
    assert!(is(|what| matches!(what, trace::What::Answer { .. })));
}

#[test]
fn a_phone_that_is_held_stays_so_whatever_it_offers_itself() {
    let (mut world, link) = rung(1, 0);
    assert!(world.take(link, FIRST, true));
    world.run_for(SECOND);
    world.say(link, ClientMessage::Hold { call: FIRST });
    world.run_for(SECOND);
    let invite = *world.phone.talks.keys().next().expect("a talk");
    world.phone.reoffer(world.now, invite);
    world.run_for(SECOND);
    let id = world.core.calls.ids()[0];
    let trace = world.core.traces.cut(id).expect("a trace");
    let answers = trace.entries.iter().filter_map(|entry| match &entry.what {
        trace::What::Sip { way: trace::Way::Went, text, .. } => text
            .starts_with("SIP/2.0 200")
            .then(|| (text.contains("a=sendonly"), text.contains("a=sendrecv"))),
        _ => None,
    });
    let answers: Vec<_> = answers.filter(|said| *said != (false, false)).collect();
    assert_eq!(answers.last(), Some(&(true, false)), "{answers:?}");
}

#[test]
fn a_page_answers_a_caller_that_wants_our_offer_and_brings_its_answer_later() {
    for alters in [Alteration::Delayed, Alteration::DelayedReliably] {
        for loss in [0, 100] {
            let mut world = World::new(9);
            world.phone.codecs = vec![base::Codec::Pcmu];
            world.phone.alters = Some(alters.clone());
            let link = world.open(None);
            world.brings_account(link);
            world.run_for(SECOND);
            world.signalling.loss = loss;
            world.phone_calls();
            world.run_for(SECOND * 8);
            let relayed = &world.core.metrics.frames_relayed_total;
            assert_eq!(relayed.load(std::sync::atomic::Ordering::Relaxed), 0, "{alters:?}");
            assert!(world.take(link, FIRST, true));
            world.run_for(SECOND * 8);
            let talk = world.phone.talks.values().next().expect("a talk");
            let heard = (talk.heard, world.pages[&link].calls[&FIRST].heard);
            assert!(heard.0 > 180 && heard.1 > 180, "{alters:?} {loss}: {heard:?} frames");
        }
    }
}

#[test]
fn a_call_that_a_page_does_not_take_ends_with_its_cause_whatever_is_lost() {
    let declined = |reason| {
        move |world: &mut World, link| {
            world.say(link, ClientMessage::Hangup { call: FIRST, reason });
        }
    };
    type End = Box<dyn Fn(&mut World, LinkId)>;
    let ways: [(End, EndCause); 6] = [
        (Box::new(declined(HangupReason::Rejected)), EndCause::Declined),
        (Box::new(declined(HangupReason::Visitor)), EndCause::Declined),
        (Box::new(declined(HangupReason::NoMicrophone)), EndCause::NoMicrophone),
        (Box::new(declined(HangupReason::PageClosed)), EndCause::VisitorLost),
        (
            Box::new(|world, _| {
                let invite = *world.phone.talks.keys().next().expect("a talk");
                world.phone.hang_up(world.now, invite);
            }),
            EndCause::Cancelled,
        ),
        (Box::new(|world, _| world.event(CoreEvent::Operator(Operator::Stop))), EndCause::Stopped),
    ];
    for (end, cause) in &ways {
        for number in 0..8 {
            let (mut world, link) = rung(number, 100);
            // An INVITE or two may get lost, and what rings may be told late.
            world.run_for(SECOND * 8);
            end(&mut world, link);
            world.run_for(SECOND * 40);
            let told = world.states_of(link, FIRST);
            assert_eq!(told, [(Ringing, None), (Ended, Some(*cause))], "seed {number}");
            assert!(world.phone.talks.is_empty(), "seed {number}, {cause:?}: the caller knows");
            world.check_log();
        }
    }
}

#[test]
fn a_page_that_is_loaded_again_while_it_rings_lets_the_caller_go_and_can_be_called_again() {
    let (mut world, link) = rung(1, 0);
    world.close(link);
    world.run_for(SECOND);
    assert!(world.core.calls.is_empty() && world.phone.talks.is_empty());
    let again = world.open(None);
    world.brings_account(again);
    world.run_for(SECOND);
    world.phone_calls();
    world.run_for(SECOND);
    assert!(world.take(again, FIRST, true));
    world.run_for(SECOND * 3);
    assert_eq!(world.states_of(again, FIRST), [(Ringing, None), (Active, None)]);
    world.close(again);
    world.run_for(SECOND);
    world.check_log();
}

#[test]
fn of_two_pages_with_one_account_the_newer_is_called_even_after_the_older_is_given_up() {
    let (mut world, former) = rung(7, 0);
    world.say(former, ClientMessage::Hangup { call: FIRST, reason: HangupReason::Rejected });
    let present = world.open(None);
    let (registrar, password) = ("198.51.100.20".to_owned(), "secret".to_owned());
    let username = format!("page{}", former.0);
    world.say(present, ClientMessage::Register { registrar, username, password });
    world.run_for(SECOND);
    world.phone_calls();
    world.run_for(SECOND);
    assert_eq!(world.states_of(present, FIRST), [(Ringing, None)]);
    world.close(former);
    world.run_for(SECOND);
    assert_eq!(world.phone.contacts.len(), 1, "the binding is still there");
    world.phone_calls();
    world.run_for(SECOND);
    assert_eq!(world.states_of(present, FIRST + 1), [(Ringing, None)]);
    // A page that has only claimed the name is not called.
    let claims = world.open(None);
    let (registrar, password) = ("198.51.100.20".to_owned(), "secret".to_owned());
    let username = format!("page{}", former.0);
    world.phone.dead = true;
    world.say(claims, ClientMessage::Register { registrar, username, password });
    world.run_for(SECOND / 10);
    world.phone.dead = false;
    world.say(present, ClientMessage::Hangup { call: FIRST, reason: HangupReason::Rejected });
    world.run_for(SECOND / 8);
    world.phone_calls();
    world.run_for(SECOND / 8);
    assert_eq!(world.states_of(claims, FIRST), []);
    assert_eq!(world.states_of(present, FIRST + 2), [(Ringing, None)]);
}

#[test]
fn a_transfer_is_for_pages_own_accounts_within_their_registrar_and_for_calls_that_are_up() {
    let (mut world, link) = rung(8, 0);
    let transfer = |world: &mut World, uri: &str| {
        let before = world.pages[&link].calls[&FIRST].errors;
        world.say(link, ClientMessage::Transfer { call: FIRST, uri: uri.to_owned() });
        world.settle();
        world.pages[&link].calls[&FIRST].errors - before
    };
    assert_eq!(transfer(&mut world, "42"), 1, "it rings yet");
    world.take(link, FIRST, true);
    world.run_for(SECOND);
    for uri in
        ["", "sip:42@evil.example", "sip:42@198.51.100.20:5061", "sip: @", "sips:x@198.51.100.20"]
    {
        assert_eq!(transfer(&mut world, uri), 1, "{uri}");
        assert_eq!(world.states_of(link, FIRST), [(Ringing, None), (Active, None)]);
    }
    // What comes of one that may be is told: it fails and the call goes on, or the call ends.
    let before = world.pages[&link].calls[&FIRST].errors;
    world.say(link, ClientMessage::Transfer { call: FIRST, uri: "42".to_owned() });
    world.run_for(SECOND * 40);
    let ended = world.pages[&link].calls[&FIRST].ended();
    let failed = world.pages[&link].calls[&FIRST].errors > before;
    assert!(failed != ended.is_some(), "failed {failed}, ended {ended:?}");
    let button = world.open(Some("long"));
    world.phone.manner = Some(Manner::RingsThenAnswers(SECOND));
    let call = world.call(button, None, true);
    world.run_for(SECOND * 3);
    world.say(button, ClientMessage::Transfer { call, uri: "42".to_owned() });
    world.settle();
    assert_eq!(world.pages[&button].calls[&call].errors, 1);
}

#[test]
fn a_second_call_waits_and_a_third_one_is_told_busy() {
    let (mut world, link) = rung(2, 0);
    assert!(world.take(link, FIRST, true));
    world.run_for(SECOND);
    world.phone_calls();
    world.run_for(SECOND);
    assert_eq!(world.states_of(link, FIRST + 1), [(Ringing, None)]);
    world.phone_calls();
    world.run_for(SECOND);
    assert_eq!(world.core.calls.len(), 2, "the third is refused");
    assert_eq!(world.phone.talks.len(), 2);
    world.say(link, ClientMessage::Hold { call: FIRST });
    assert!(world.take(link, FIRST + 1, true));
    world.run_for(SECOND * 2);
    assert_eq!(world.states_of(link, FIRST), [(Ringing, None), (Active, None), (Held, None)]);
    assert_eq!(world.states_of(link, FIRST + 1), [(Ringing, None), (Active, None)]);
}

#[test]
fn a_held_caller_hears_nothing_and_is_heard_again_after_it_whatever_the_haste() {
    for haste in [SECOND * 2, Duration::ZERO] {
        let (mut world, link) = rung(3, 0);
        world.take(link, FIRST, true);
        world.run_for(SECOND * 2);
        world.say(link, ClientMessage::Hold { call: FIRST });
        world.run_for(haste);
        if !haste.is_zero() {
            let heard = |world: &World| world.phone.talks.values().map(|t| t.heard).sum::<u64>();
            let before = (heard(&world), world.pages[&link].calls[&FIRST].heard);
            world.run_for(SECOND * 2);
            let after = (heard(&world), world.pages[&link].calls[&FIRST].heard);
            assert_eq!(before, after, "held, and still heard");
        }
        world.say(link, ClientMessage::Resume { call: FIRST });
        world.run_for(SECOND);
        let page = world.pages[&link].calls[&FIRST].heard;
        let phone = world.phone.talks.values().next().expect("a talk").heard;
        world.run_for(SECOND * 2);
        let talk = world.phone.talks.values().next().expect("a talk");
        let more = (world.pages[&link].calls[&FIRST].heard - page, talk.heard - phone);
        assert!(more.0 > 80 && more.1 > 80, "{haste:?}: {more:?} frames after it");
        let told = world.states_of(link, FIRST).into_iter().map(|told| told.0);
        assert_eq!(told.collect::<Vec<_>>(), [Ringing, Active, Held, Active]);
    }
}

#[test]
fn a_phone_that_refuses_to_be_held_is_asked_again_where_that_may_pass_and_else_the_page_is_told() {
    for (refusals, told) in
        [(vec![500], 0), (vec![500, 503], 0), (vec![488], 1), (vec![500, 500, 500], 1)]
    {
        let (mut world, link) = rung(3, 0);
        world.take(link, FIRST, true);
        world.run_for(SECOND * 2);
        world.phone.refuses_offers = refusals.clone();
        world.say(link, ClientMessage::Hold { call: FIRST });
        world.run_for(SECOND * 10);
        assert!(world.phone.refuses_offers.is_empty(), "{refusals:?}: the phone was asked");
        assert_eq!(world.pages[&link].calls[&FIRST].errors, told, "{refusals:?}");
        let state = world.states_of(link, FIRST).last().copied();
        assert_eq!(state, Some((Held, None)));
        let heard = |world: &World| world.phone.talks.values().map(|t| t.heard).sum::<u64>();
        let before = heard(&world);
        world.run_for(SECOND);
        assert_eq!(heard(&world), before, "{refusals:?}: a phone that does not know hears nothing");
        world.say(link, ClientMessage::Resume { call: FIRST });
        world.run_for(SECOND * 2);
        assert!(heard(&world) > before + 80, "{refusals:?}");
        assert_eq!(world.pages[&link].calls[&FIRST].errors, told, "{refusals:?}");
    }
}

#[test]
fn a_shard_that_drains_refuses_new_calls_and_lets_what_rings_be_answered() {
    let (mut world, link) = rung(4, 0);
    world.event(CoreEvent::Operator(Operator::Drain));
    world.phone_calls();
    world.run_for(SECOND);
    assert_eq!(world.core.calls.len(), 1);
    assert!(world.take(link, FIRST, true));
    world.run_for(SECOND * 2);
    assert_eq!(world.states_of(link, FIRST), [(Ringing, None), (Active, None)]);
    world.run_for(SECOND * 60);
    assert!(world.over);
    world.check_log();
}

#[test]
fn an_answer_that_cannot_be_used_leaves_the_call_ringing_for_a_better_one() {
    let (mut world, link) = rung(5, 0);
    for offer in ["", "v=0\r\n", "nonsense"] {
        let offer = offer.to_owned();
        world.say(link, ClientMessage::Answer { call: FIRST, video: false, offer });
    }
    world.say(link, ClientMessage::Answer { call: FIRST + 1, video: false, offer: "x".into() });
    world.run_for(SECOND);
    assert_eq!(world.pages[&link].calls[&FIRST].errors, 3);
    assert_eq!(world.states_of(link, FIRST), [(Ringing, None)]);
    assert!(world.take(link, FIRST, true));
    world.run_for(SECOND);
    assert_eq!(world.states_of(link, FIRST), [(Ringing, None), (Active, None)]);
}

#[test]
fn a_page_cannot_number_its_own_call_like_one_that_comes_in() {
    let (mut world, link) = rung(6, 0);
    let before = world.core.calls.len();
    let offer = "v=0\r\n".to_owned();
    let headers = std::collections::BTreeMap::new();
    let uri = Some("7".to_owned());
    let call = FIRST + 7;
    world.say(link, ClientMessage::Call { call, uri, video: false, headers, offer });
    world.run_for(SECOND);
    assert_eq!(world.core.calls.len(), before);
}
