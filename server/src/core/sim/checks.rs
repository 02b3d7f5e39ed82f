//! What must hold after every step, and what must be left at the end: nothing.

use super::guest::Guest;
use super::world::World;
use crate::core::calls::ActiveCall;
use crate::core::flash::Flash;
use signalling::{CallState, EndCause};
use sip::InviteId;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

impl World {
    /// Looks at everything that must hold whenever the shard has settled.
    pub fn check(&self) {
        if let Err(words) = self.sound_state() {
            self.fail(&words);
        }
    }

    /// Ends the test with what it takes to run it again.
    pub fn fail(&self, words: &str) -> ! {
        let after = self.now - self.start;
        let states = |page: &super::page::Page| {
            let calls = page.calls.values().map(|call| call.states.clone());
            calls.collect::<Vec<_>>()
        };
        let pages: Vec<_> = self.pages.values().map(states).collect();
        panic!("seed {} after {after:?}: {words}\n{pages:?}", self.number);
    }

    fn sound_state(&self) -> Result<(), String> {
        let core = &self.core;
        let calls = core.calls.len();
        let equal = |what: &str, found: usize| {
            if found == calls { Ok(()) } else { Err(format!("{calls} calls and {found} {what}")) }
        };
        core.calls.verify()?;
        core.sip.verify()?;
        core.traces.verify(&core.calls.ids())?;
        if !core.touched.is_empty() || !core.invited.is_empty() {
            let (touched, invited) = (&core.touched, &core.invited);
            return Err(format!("the shard has not settled: {touched:?}, {invited:?}"));
        }
        equal("places taken", core.policy.live() as usize)?;
        // One that rings at a page has no browser yet.
        let has_browser =
            |call: &&ActiveCall| !Flash::is_link(call.link) && !call.waits_for_answer();
        let browsers = core.calls.iter().filter(has_browser).count();
        if core.browsers.peers() != browsers {
            return Err(format!("{browsers} calls of pages, {} browsers", core.browsers.peers()));
        }
        let links = core.links.keys().copied().filter(|link| Flash::is_link(*link)).collect();
        if let Some(flash) = &core.flash {
            flash.verify(&core.calls, &links)?;
        }
        // Every call has its two legs, and every leg its call.
        let legs: BTreeSet<InviteId> = core.sip.live().collect();
        let legs_of = |call: &ActiveCall| {
            let successor = call.successor.as_ref();
            let alone = successor.is_some_and(|successor| successor.alone);
            let own = (!alone).then_some(call.invite);
            own.into_iter().chain(successor.map(|successor| successor.invite)).collect::<Vec<_>>()
        };
        let of_calls = core.calls.iter().flat_map(legs_of).collect();
        if legs != of_calls {
            return Err(format!("the SIP legs are {legs:?}, those of calls {of_calls:?}"));
        }
        for call in core.calls.iter().filter(has_browser) {
            if core.browsers.statistics(webrtc::PeerId(call.id.0)).is_none() {
                return Err(format!("{call:?} has no browser leg"));
            }
        }
        if core.tcp_peers.len() != self.connections.len() {
            let peers = core.tcp_peers.len();
            return Err(format!("{peers} of {} connections known", self.connections.len()));
        }
        let (open, resting) = core.pool.pairs();
        equal("pairs of ports in use", open - resting)?;
        // Beside the calls: browsers, Flash, SIP.
        if core.wire.open_ports() != 3 + 2 * open {
            return Err(format!("{} ports for {open} pairs", core.wire.open_ports()));
        }
        if resting == 0 && core.pool.poll_timeout().is_some() {
            return Err("the pool has a timer for nothing".to_owned());
        }
        if calls == 0 && (core.calls.poll_timeout().or(core.browsers.poll_timeout())).is_some() {
            return Err("a timer of calls, and no call".to_owned());
        }
        self.pages_know()
    }

    /// What the pages were told is what is.
    fn pages_know(&self) -> Result<(), String> {
        let (mut live, mut began) = (0, 0);
        for call in self.pages.values().flat_map(|page| page.calls.values()) {
            live += usize::from(call.is_live());
            began += u64::from(call.began);
            let ends = call.states.iter().filter(|(state, _)| *state == CallState::Ended).count();
            let last = call.states.last().map(|(state, _)| *state);
            if ends > 1 || (ends == 1 && last != Some(CallState::Ended)) {
                return Err(format!("a page was told {:?}", call.states));
            }
            let causes = call.states.iter().filter(|(_, cause)| cause.is_some()).count();
            if causes != ends || (!call.began && !call.states.is_empty()) {
                return Err(format!("began {}, told {:?}", call.began, call.states));
            }
        }
        let of_pages = self.core.calls.iter().filter(|call| !Flash::is_link(call.link)).count();
        if live != of_pages {
            return Err(format!("{live} calls in pages, {of_pages} of theirs in the shard"));
        }
        let metrics = &self.core.metrics;
        let started = metrics.calls_started_total.load(Ordering::Relaxed);
        // Calls of Flash clients are counted by their rows.
        if started < began || (started > began && self.guests.is_empty()) {
            return Err(format!("{started} calls counted, {began} begun"));
        }
        if metrics.link_outputs_dropped_total.load(Ordering::Relaxed) > 0 {
            return Err("a message for a page was dropped".to_owned());
        }
        Ok(())
    }

    /// How the calls of all pages ended, by the names of the call log, sorted.
    pub fn causes_told(&self) -> Vec<String> {
        let calls = self.pages.values().flat_map(|page| page.calls.values());
        let mut told: Vec<String> =
            calls.filter_map(|call| call.ended()).map(EndCause::key).collect();
        told.sort_unstable();
        told
    }

    /// After the last call and a quiet time: every machine is empty, the log is complete.
    pub fn check_empty(&self) {
        let core = &self.core;
        let (open, _) = core.pool.pairs();
        let left = [
            ("calls", core.calls.len()),
            ("pairs of ports", open),
            ("SIP calls", core.sip.invites()),
            ("SIP transactions", core.sip.transactions()),
            ("browsers", core.browsers.peers()),
            ("calls of the phone", self.phone.talks.len()),
        ];
        if let Some((what, count)) = left.iter().find(|(_, count)| *count > 0) {
            self.fail(&format!("{count} {what} are left"));
        }
        let flash = core.flash.as_ref().map(Flash::left).into_iter().flatten();
        if let Some((what, count)) = flash.into_iter().find(|(_, count)| *count > 0) {
            self.fail(&format!("{count} {what} are left"));
        }
        if let Some(at) = core.flash.as_ref().and_then(Flash::poll_timeout) {
            self.fail(&format!("Flash wakes in {:?}", at - self.now));
        }
        self.check_log();
    }

    /// One row for every call that began, with the cause that its page was told.
    pub fn check_log(&self) {
        let began = self.core.metrics.calls_started_total.load(Ordering::Relaxed) as usize;
        let told = self.causes_told();
        let store = &self.core.store;
        if store.flush().ok() != Some(0) || store.counters().lost > 0 {
            self.fail("the log refuses rows");
        }
        let rows = store.recent(1_000).unwrap_or_default();
        let mut causes: Vec<String> = rows.into_iter().map(|row| row.cause).collect();
        causes.sort_unstable();
        let rows = causes.clone();
        // A Flash client that was away at the end of its call was told nothing.
        let mut strike = |told: &str, is: &dyn Fn(&EndCause) -> bool| {
            let of = |key: &String| EndCause::ALL.into_iter().find(|cause| cause.key() == *key);
            match causes.iter().position(|key| of(key).is_some_and(|cause| is(&cause))) {
                Some(at) => drop(causes.remove(at)),
                None => self.fail(&format!("{told} is told, rows {rows:?}")),
            }
        };
        told.iter().for_each(|key| strike(key, &|cause| cause.key() == *key));
        for reason in self.guests.iter().flat_map(Guest::reasons_told) {
            strike(reason, &|cause| cause.sentence() == reason);
        }
        let away = self.guests.iter().any(Guest::was_away);
        if rows.len() != began || (!causes.is_empty() && !away) {
            self.fail(&format!("{began} calls, rows {rows:?}, nobody was told {causes:?}"));
        }
    }
}
