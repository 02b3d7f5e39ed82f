//! One of the phones that an INVITE of ours may reach, before any takes the call: its early
//! dialog and its media (RFC 3261 12.1.2, RFC 3262, RFC 6337 3).

use super::{Invite, Phase, Role, sdp};
use crate::dialog::Dialog;
use crate::endpoint::{Core, Event};
use crate::message::{Method, Name, NameAddr, RAck, Response};
use crate::transaction::TransactionId;
use std::time::Instant;

/// What a fork has said of its media.
///
/// ```text
///   Unknown --SDP in a 1xx--> Previewed --SDP in a reliable 1xx--> Agreed --UPDATE--> Changed
///      |                                                             ^
///      +-------------------SDP in a reliable 1xx---------------------+
/// ```
///
/// Only what came reliably answers our offer; a preview is what most telephone networks send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Early {
    /// Nothing.
    Unknown,
    /// SDP that may yet be another.
    Previewed(Vec<u8>),
    /// The answer to our offer: SDP in later responses means nothing.
    Agreed(Vec<u8>),
    /// A later offer and answer are in force.
    Changed,
}

/// A phone.
pub(super) struct Fork {
    pub(super) tag: String,
    /// From 1, in the order in which phones were heard.
    pub(super) number: u32,
    pub(super) dialog: Option<Dialog>,
    pub(super) early: Early,
    /// The RSeq of the last reliable response that was taken (RFC 3262 4).
    sequence: Option<u32>,
    /// It said that it will not take the call.
    gone: bool,
}

impl Fork {
    /// A phone that was just heard for the first time.
    pub(super) fn new(tag: &str, number: u32) -> Self {
        let (dialog, early) = (None, Early::Unknown);
        Fork { tag: tag.to_owned(), number, dialog, early, sequence: None, gone: false }
    }

    /// Whether there is an early dialog with it.
    pub(super) fn is_early(&self) -> bool {
        self.dialog.is_some() && !self.gone
    }

    /// Whether a reliable response is the next one. What comes again or too early is dropped: it
    /// is repeated until it is acknowledged (RFC 3262 4).
    fn is_next(&self, sequence: u32) -> bool {
        self.sequence.is_none_or(|last| last.checked_add(1) == Some(sequence))
    }

    /// Whether the offer of our INVITE is answered here, so that a new one may be made.
    pub(super) fn is_agreed(&self) -> bool {
        matches!(self.early, Early::Agreed(_) | Early::Changed)
    }

    /// Takes the SDP of a provisional response, and gives it back where it means something.
    fn hear(&mut self, sdp: Option<Vec<u8>>, reliable: bool) -> Option<Vec<u8>> {
        let sdp = sdp.filter(|_| !self.is_agreed())?;
        self.early =
            if reliable { Early::Agreed(sdp.clone()) } else { Early::Previewed(sdp.clone()) };
        Some(sdp)
    }
}

/// The RSeq of a response that wants a PRACK.
fn sequence(response: &Response) -> Option<u32> {
    let wanted = response.headers.has_token(&Name::Require, "100rel");
    wanted.then(|| response.headers.number(&Name::RSeq))?
}

impl Invite {
    /// A provisional response other than 100 to the INVITE that opens the call.
    pub(super) fn on_provisional(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        response: &Response,
    ) {
        let (invite, status) = (self.id, response.status);
        let to = response.to().ok();
        let tag = to.as_ref().and_then(NameAddr::tag).unwrap_or_default();
        let mut early_sdp = sdp(&response.headers, &response.body).ok().flatten();
        let sequence = sequence(response);
        let mut number = 0;
        let Phase::Calling(caller) = &mut self.phase else { return };
        match caller.fork(tag) {
            Some(fork) => {
                if fork.dialog.is_none()
                    && let Some(client) = core.table.client(id)
                {
                    fork.dialog = Dialog::from_response(&client.request, response, client.way());
                }
                if sequence.is_some_and(|sequence| !fork.is_next(sequence)) {
                    return;
                }
                if let Some(dialog) = &mut fork.dialog {
                    dialog.learn(&response.headers);
                }
                if let Some(sequence) = sequence
                    && !self.acknowledge_reliable(core, now, tag, response, sequence)
                {
                    return;
                }
                let Phase::Calling(caller) = &mut self.phase else { return };
                if let Some(fork) = caller.fork(tag) {
                    fork.sequence = sequence.or(fork.sequence);
                    number = fork.number;
                    if status == 199 {
                        fork.early = Early::Unknown;
                        if !std::mem::replace(&mut fork.gone, true) {
                            core.events.push_back(Event::ForkEnded { invite, fork: number });
                        }
                        return;
                    }
                    early_sdp = fork.hear(early_sdp, sequence.is_some());
                }
            }
            // Without a dialog there is no PRACK, and what nobody acknowledges is not taken.
            None if sequence.is_some() => {
                core.out.counters.overloaded += 1;
                return;
            }
            // The end of a phone that was never heard is no news.
            None if status == 199 => return,
            None => {}
        }
        self.tell_referrer(core, status);
        let reason = response.reason.clone();
        let event = Event::Provisional { invite, status, reason, early_sdp, fork: number };
        core.events.push_back(event);
    }

    /// Sends the PRACK of a reliable response. False: it cannot be sent now, and the response
    /// will come again.
    fn acknowledge_reliable(
        &mut self,
        core: &mut Core,
        now: Instant,
        tag: &str,
        response: &Response,
        sequence: u32,
    ) -> bool {
        let Ok(cseq) = response.cseq() else { return false };
        let Some(dialog) = self.dialog(tag) else { return false };
        let mut request = dialog.request(Method::Prack);
        let hop = dialog.hop(|ip| core.knows(ip));
        request.headers.push(Name::RAck, RAck { rseq: sequence, cseq }.to_string());
        self.send(core, now, request, hop, Role::Prack).is_some()
    }
}
