//! The accounts of a button, in the order of trying: where one cannot bring a call out, the next
//! one does, and neither the page nor the visitor notices.

use super::Core;
use crate::config::Button;
use crate::net::Wire;
use base::{AccountId, CallId};
use signalling::CallState;
use sip::{Cause, CauseKind, InviteId, Originator, Target};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// An account that could not bring a call out is tried behind the others for so long.
const AVOID_FOR: Duration = Duration::from_secs(60);
/// The bits of an invite's number that hold its call's; those above count the INVITEs before it.
const CALL_BITS: u32 = 48;

/// One way out for a call.
#[derive(Clone, Debug)]
pub(super) struct Way {
    /// Who calls.
    pub account: AccountId,
    /// Who is called.
    pub destination: sip::message::Uri,
    /// The servers to try; never empty.
    pub targets: Vec<Target>,
}

/// What a call needs for going another way.
#[derive(Debug)]
pub struct Others {
    ways: VecDeque<Way>,
    headers: Vec<(String, String)>,
}

/// How to ask once more without encryption, where it was offered and may be what is refused.
#[derive(Debug)]
pub struct Again {
    pub(super) way: Way,
    pub(super) headers: Vec<(String, String)>,
}

impl Again {
    /// The same way once more; none where encryption is not merely offered.
    pub(super) fn new(
        srtp: sdp::Encryption,
        way: &Way,
        headers: &[(String, String)],
    ) -> Option<Box<Again>> {
        (srtp == sdp::Encryption::Offered)
            .then(|| Box::new(Again { way: way.clone(), headers: headers.to_vec() }))
    }
}

impl Others {
    /// Ways that are left, for an INVITE with these header fields; none where there are none.
    pub(super) fn new(ways: VecDeque<Way>, headers: Vec<(String, String)>) -> Option<Box<Others>> {
        (!ways.is_empty()).then(|| Box::new(Others { ways, headers }))
    }
}

/// The call that an invite belongs to.
pub(super) fn call_of(invite: InviteId) -> CallId {
    match invite.0 < InviteId::INCOMING {
        true => CallId(invite.0 & ((1 << CALL_BITS) - 1)),
        false => CallId(invite.0),
    }
}

/// The number of a call's invite, after as many others.
pub(super) fn invite_after(id: CallId, others: u64) -> InviteId {
    InviteId(id.0 | others << CALL_BITS)
}

/// Whether another account may do better: this one's provider is silent or not there, is out of
/// order, or does not take our credentials. What the called party says is final.
fn may_do_better(cause: &Cause) -> bool {
    match (cause.originator, cause.status) {
        (Originator::Network, _) => true,
        (Originator::Remote, Some(500..=599 | 408 | 402)) => true,
        (Originator::Remote, Some(403)) => cause.reason.as_deref().is_some_and(blames_account),
        (_, _) => match cause.kind {
            CauseKind::AuthenticationFailed => true,
            CauseKind::Unavailable => cause.originator == Originator::Local,
            _ => false,
        },
    }
}

/// Whether a provider that refuses a call says that it is for who calls. What it says of a number
/// holds whichever account calls it; without a word for either, the number is what differs from
/// one call to the next.
fn blames_account(words: &str) -> bool {
    const ACCOUNT: [&str; 12] = [
        "account",
        "authenticat",
        "balance",
        "caller",
        "credential",
        "credit",
        "fund",
        "password",
        "payment",
        "regist",
        "subscri",
        "suspend",
    ];
    const NUMBER: [&str; 7] =
        ["called", "callee", "country", "destination", "number", "prefix", "route"];
    let words = words.to_ascii_lowercase();
    let has = |list: &[&str]| list.iter().any(|word| words.contains(word));
    has(&ACCOUNT) && !has(&NUMBER)
}

impl<W: Wire> Core<W> {
    /// The ways out for a button's call: its accounts in the order of the file, behind them those
    /// that are not registered or have just failed.
    pub(super) fn ways(&self, now: Instant, button: &Button) -> VecDeque<Way> {
        let ids: Vec<AccountId> =
            button.accounts.iter().filter_map(|name| self.accounts.by_name(name)).collect();
        let mut ways: Vec<(bool, Way)> = Vec::new();
        for account in &ids {
            let text = self.accounts.destination(*account, &button.destination, &ids);
            let targets = self.accounts.next_hops(*account, &text);
            let Ok(destination) = text.parse() else { continue };
            if targets.is_empty() {
                continue;
            }
            let entry = self.accounts.entry(*account);
            let ready = entry.is_some_and(|entry| {
                entry.is_ready() && entry.failed_at.is_none_or(|at| at + AVOID_FOR <= now)
            });
            ways.push((!ready, Way { account: *account, destination, targets }));
        }
        ways.sort_by_key(|(last, _)| *last);
        ways.into_iter().map(|(_, way)| way).collect()
    }

    /// A call has ended before anything rang: it goes the next way. False: there is none, or
    /// another account would not do better.
    pub(super) fn go_elsewhere(&mut self, now: Instant, id: CallId, cause: &Cause) -> bool {
        let Some(active) = self.calls.entry(id) else { return false };
        let begins = active.call.state() == CallState::Calling && active.call.cause().is_none();
        if !begins || !may_do_better(cause) {
            return false;
        }
        let failed = active.account;
        let mut ways = active.others.as_mut().map(|it| std::mem::take(&mut it.ways));
        let next = ways.as_mut().and_then(|ways| {
            // A new file may have taken accounts away meanwhile.
            std::iter::from_fn(|| ways.pop_front())
                .find_map(|way| Some((self.account_media(way.account)?, way)))
        });
        let (Some(((codecs, form, seen), way)), Some(ways)) = (next, ways) else { return false };
        if let Some(entry) = self.accounts.entry_mut(failed) {
            entry.failed_at = Some(now);
        }
        let Some(active) = self.calls.entry(id) else { return false };
        let (visitor, local) = (active.visitor, active.pair.address);
        let codecs = self.offered_codecs(&codecs, visitor);
        let description = self.describe(local, &codecs, form, seen);
        let Some(active) = self.calls.entry(id) else { return false };
        let Some(others) = active.others.as_mut() else { return false };
        others.ways = ways;
        let (headers, hurried) = (others.headers.clone(), !others.ways.is_empty());
        active.offer = description.offer();
        active.description = description;
        active.account = way.account;
        active.again = Again::new(form.encryption, &way, &headers);
        let invite = active.next_invite(id);
        let offer = active.offer.octets().to_vec();
        tracing::info!(
            call = id.0,
            account = way.account.0,
            "the call goes out by the next account"
        );
        self.invite(now, invite, way, headers, offer, hurried);
        self.name_trace_by(id, invite);
        true
    }

    /// Sends an INVITE. `hurried`: there is another way after this one.
    pub(super) fn invite(
        &mut self,
        now: Instant,
        invite: InviteId,
        way: Way,
        headers: Vec<(String, String)>,
        offer: Vec<u8>,
        hurried: bool,
    ) {
        let Way { account, destination, targets } = way;
        let display_name = None;
        self.sip.command(
            now,
            sip::Command::Invite {
                invite,
                account,
                destination,
                targets,
                headers,
                display_name,
                offer,
            },
        );
        if hurried {
            self.sip.command(now, sip::Command::Hurry { invite });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, words: &str) -> Cause {
        let kind = CauseKind::from_status(status);
        let (originator, reason) = (Originator::Remote, Some(words.to_owned()));
        Cause { originator, status: Some(status), reason, ..Cause::local(kind) }
    }

    #[test]
    fn a_refusal_that_is_for_the_account_is_another_accounts_chance_and_one_for_the_number_is_not()
    {
        for words in [
            "Account disabled",
            "Forbidden (bad auth: wrong credentials)",
            "Not registered",
            "Insufficient funds",
            "Caller ID not allowed",
            "Subscriber suspended",
        ] {
            assert!(may_do_better(&refused(403, words)), "{words}");
        }
        for words in [
            "Forbidden",
            "",
            "Destination barred",
            "Number blocked for this account",
            "Not authorized to call this prefix",
            "Called party is suspended",
        ] {
            assert!(!may_do_better(&refused(403, words)), "{words}");
        }
        assert!(may_do_better(&refused(402, "Payment Required")));
        for status in [404, 486, 488, 603] {
            assert!(!may_do_better(&refused(status, "Account")), "{status}");
        }
    }
}
