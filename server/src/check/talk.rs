//! One call, from the INVITE to the last BYE: to a number, or from the account to itself, where this
//! program is both ends.

use super::agent::Agent;
use super::heard::Heard;
use super::voice::{CALLED, CALLER};
use sip::message::{NameAddr, Uri};
use sip::{Cause, CauseKind, Command, Event, InviteId};
use std::io;
use std::time::{Duration, Instant};

/// How long our own end rings.
const RING_FOR: Duration = Duration::from_millis(500);
/// When the end that calls presses its keys, after the answer by itself.
const PRESS_AFTER: Duration = Duration::from_millis(2500);
/// The same where a stranger answered: machines stop what they do when keys are pressed.
const PRESS_LATE_AFTER: Duration = Duration::from_millis(8200);
/// When the end that is called presses its own.
const PRESS_BACK_AFTER: Duration = Duration::from_millis(4200);
/// How long the call to a number of somebody else is up.
const TALK_FOR: Duration = Duration::from_secs(10);
/// How long one to ourselves is.
const TALK_TO_SELF_FOR: Duration = Duration::from_millis(6500);
/// How long a number may ring: somebody has to get to the phone.
const RING_WITHIN: Duration = Duration::from_secs(45);
/// How long the way to ourselves may take.
const COME_BACK_WITHIN: Duration = Duration::from_secs(20);
/// How long the other end may take to hear that the call is over.
const HANG_UP_WITHIN: Duration = Duration::from_secs(2);
/// The keys that the end that calls presses.
pub const KEYS: &str = "159#";
/// The keys that the end that is called presses.
pub const KEYS_BACK: &str = "260*";
/// Marks the call, so that it is known when it comes back.
const MARK: &str = "X-Click2call-Check";
/// So many last digits in common make two numbers one.
const DIGITS_IN_COMMON: usize = 6;

/// Whom to call.
#[derive(Clone, Debug)]
pub struct Order {
    /// The address.
    pub destination: Uri,
    /// Names of the account, where the call is to come back to it.
    pub own: Option<Vec<String>>,
}

/// What became of it.
#[derive(Clone, Debug, Default)]
pub struct Called {
    /// From the INVITE to the first ringing.
    pub rang_after: Option<Duration>,
    /// From the INVITE to the answer.
    pub answered_after: Option<Duration>,
    /// Why it was not answered, or not by this program's wish over.
    pub failed: Option<Cause>,
    /// A description that could not be used.
    pub useless: Option<sdp::SdpError>,
    /// What the end that called heard.
    pub near: Heard,
    /// What the end that was called heard, where it is ours.
    pub far: Option<Heard>,
    /// The codec of the sound.
    pub codec: Option<base::Codec>,
    /// From the browser's offer to its complete handshake.
    pub browser_after: Option<Duration>,
    /// Whether the sound was encrypted.
    pub encrypted: bool,
    /// Keys went as telephone events.
    pub events: bool,
    /// The call came in although it was never answered here.
    pub came_in: bool,
    /// Somebody else called meanwhile.
    pub stranger: bool,
    /// The other end heard that the call was over.
    pub hung_up: bool,
    /// The provider carries no sound: each end was told the other's own address.
    pub straight: bool,
    /// How late this machine was at worst when sound was due.
    pub late: Duration,
}

/// A call under way.
///
/// ```text
///   asked --180--> asked, it rings --200--> up --time is over--> hung up --BYE arrives--> over
///     |  it comes in again: ring, answer after a moment
///     +--refusal, or nothing in time--------------------------------------------------> over
/// ```
struct Talk<'a> {
    agent: &'a mut Agent,
    own: Option<Vec<String>>,
    mark: String,
    near: InviteId,
    far: Option<InviteId>,
    answer: Option<(Instant, Vec<u8>)>,
    began_at: Instant,
    answered_at: Option<Instant>,
    hung_up_at: Option<Instant>,
    pressed: [bool; 2],
    is_over: [bool; 2],
    called: Called,
}

/// Calls, measures, hangs up.
pub fn call(agent: &mut Agent, order: Order) -> io::Result<Called> {
    let mark = agent.token();
    let headers = vec![(MARK.to_owned(), mark.clone())];
    let near = agent.place(&order.destination, headers)?;
    let began_at = Instant::now();
    let mut talk = Talk {
        agent,
        own: order.own,
        mark,
        near,
        far: None,
        answer: None,
        began_at,
        answered_at: None,
        hung_up_at: None,
        pressed: [false; 2],
        is_over: [false; 2],
        called: Called::default(),
    };
    while !talk.act(Instant::now()) {
        let until = Instant::now() + Duration::from_millis(20);
        if let Some(event) = talk.agent.wait(until) {
            talk.handle(event);
        } else if talk.agent.is_stopped() {
            break;
        }
    }
    Ok(talk.finish())
}

impl Talk<'_> {
    /// Does what is due; true when the call is over.
    fn act(&mut self, now: Instant) -> bool {
        if let Some((_, sdp)) = self.answer.take_if(|(at, _)| *at <= now)
            && let Some(invite) = self.far
        {
            self.agent.command(Command::Answer { invite, sdp });
            if let Some(end) = self.agent.end(invite) {
                end.speak();
            }
        }
        if let Some(hung_up_at) = self.hung_up_at {
            let far_is_over = self.far.is_none() || self.is_over[1];
            return (self.is_over[0] && far_is_over) || now >= hung_up_at + HANG_UP_WITHIN;
        }
        if self.is_over[0] {
            self.hung_up_at = Some(now);
            return false;
        }
        let Some(answered_at) = self.answered_at else {
            let within = if self.own.is_some() { COME_BACK_WITHIN } else { RING_WITHIN };
            if now >= self.began_at + within {
                self.hang_up(now, CauseKind::Cancelled);
            }
            return false;
        };
        let far = self.far;
        let press_after = if far.is_some() { PRESS_AFTER } else { PRESS_LATE_AFTER };
        let keys = [(press_after, Some(self.near), KEYS), (PRESS_BACK_AFTER, far, KEYS_BACK)];
        for (which, (after, invite, keys)) in keys.into_iter().enumerate() {
            if now >= answered_at + after && !std::mem::replace(&mut self.pressed[which], true) {
                self.press(now, invite, keys);
            }
        }
        let talk_for = if self.far.is_some() { TALK_TO_SELF_FOR } else { TALK_FOR };
        if now >= answered_at + talk_for {
            self.hang_up(now, CauseKind::Normal);
        }
        false
    }

    fn hang_up(&mut self, now: Instant, cause: CauseKind) {
        self.hung_up_at = Some(now);
        self.called.hung_up = self.far.is_none();
        self.agent.command(Command::Hangup { invite: self.near, cause });
    }

    /// Presses keys, as a visitor's would be: as events, or by INFO where there are none.
    fn press(&mut self, now: Instant, invite: Option<InviteId>, keys: &str) {
        let Some(invite) = invite else { return };
        let by_info = self.agent.quirks().has(sip::Quirk::InfoDigits);
        let Some(end) = self.agent.end(invite) else { return };
        if end.takes_digits() && !by_info {
            end.press(now, keys);
            return;
        }
        for digit in keys.chars() {
            let body = format!("Signal={digit}\r\nDuration=160\r\n").into_bytes();
            let content_type = "application/dtmf-relay".to_owned();
            self.agent.command(Command::Info { invite, content_type, body });
        }
    }

    fn handle(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Provisional { invite, early_sdp, .. } if invite == self.near => {
                self.called.rang_after.get_or_insert(now - self.began_at);
                if let (Some(sdp), Some(end)) = (early_sdp, self.agent.end(invite)) {
                    // What is of no use early may be of use when the call is answered.
                    let _ = end.accept(now, &sdp);
                }
            }
            Event::Answered { invite, sdp, .. } if invite == self.near => self.answered(now, sdp),
            Event::Incoming { invite, from, offer, headers, .. } => {
                let marked = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(MARK));
                let marked = marked.map(|(_, mark)| *mark == self.mark);
                self.came_in(now, invite, &from, offer, marked);
            }
            Event::Reoffered { invite, sdp } => {
                let end = self.agent.end(invite);
                let answer = match (end, sdp) {
                    (Some(end), Some(offer)) => end.answer(now, &offer).map_err(|_| 488),
                    _ => Err(488),
                };
                self.agent.command(Command::AnswerOffer { invite, sdp: answer });
            }
            Event::DigitsReceived { invite, digit, .. } => {
                if let Some(end) = self.agent.end(invite) {
                    end.ear.press(digit);
                }
            }
            Event::Referred { invite, .. } => {
                self.agent.command(Command::RefuseReferral { invite, status: 603 });
            }
            Event::Ended { invite, cause } if invite == self.near => {
                self.is_over[0] = true;
                if self.hung_up_at.is_none() || self.answered_at.is_none() {
                    self.called.failed.get_or_insert(cause);
                }
            }
            Event::Ended { invite, .. } if Some(invite) == self.far => {
                self.is_over[1] = true;
                self.called.hung_up = self.hung_up_at.is_some();
            }
            _ => {}
        }
    }

    fn answered(&mut self, now: Instant, sdp: Option<Vec<u8>>) {
        self.called.answered_after = Some(now - self.began_at);
        self.answered_at = Some(now);
        let Some(end) = self.agent.end(self.near) else { return };
        // Without a description the early one stands.
        let agreed = sdp.map_or(Ok(()), |sdp| end.accept(now, &sdp));
        end.speak();
        if let Err(error) = agreed {
            self.called.useless = Some(error);
            self.hang_up(now, CauseKind::NotAcceptable);
        }
    }

    /// Somebody calls the account: this program itself, or a stranger, who is not answered by a
    /// tone.
    fn came_in(
        &mut self,
        now: Instant,
        invite: InviteId,
        from: &NameAddr,
        offer: Option<Vec<u8>>,
        marked: Option<bool>,
    ) {
        let caller = from.uri.user_text().unwrap_or_default();
        let is_own = self.own.as_ref().is_some_and(|own| {
            marked.unwrap_or_else(|| own.iter().any(|name| is_same(name, &caller)))
        });
        if !is_own || self.far.is_some() || self.hung_up_at.is_some() {
            self.called.stranger |= !is_own;
            self.agent.command(Command::Reject { invite, status: 480 });
            return;
        }
        self.called.came_in = true;
        let opened = offer.ok_or(488u16).and_then(|offer| {
            let mut end = self.agent.open((CALLED, CALLER), false).map_err(|_| 503u16)?;
            match end.answer(now, &offer) {
                Ok(answer) => Ok((end, answer)),
                Err(error) => {
                    self.called.useless = Some(error);
                    Err(488)
                }
            }
        });
        match opened {
            Ok((end, answer)) => {
                self.agent.attach(invite, end);
                self.far = Some(invite);
                self.answer = Some((now + RING_FOR, answer));
                self.agent.command(Command::Ring { invite, sdp: None });
            }
            Err(status) => self.agent.command(Command::Reject { invite, status }),
        }
    }

    fn finish(self) -> Called {
        let Talk { agent, near, far, answered_at, mut called, .. } = self;
        let visit = agent.end(near).and_then(|end| end.visit.as_ref());
        called.browser_after = visit.and_then(|visit| visit.connected_after());
        let near = agent.detach(near);
        let far = far.and_then(|far| agent.detach(far));
        if let Some(near) = &near {
            let negotiated = near.negotiated.as_ref();
            called.codec = near.codec();
            called.encrypted = negotiated.is_some_and(|agreed| agreed.protection.is_some());
            called.events = near.takes_digits();
            called.straight = far.as_ref().is_some_and(|far| {
                negotiated.is_some_and(|agreed| agreed.remote_rtp == far.description.address)
            });
            let voices = [Some(near), far.as_ref()].into_iter().flatten();
            called.late = voices.map(|end| end.mouth.late()).max().unwrap_or_default();
            called.near = Heard::of(near, far.as_ref().map(|end| &end.mouth), answered_at);
            called.far = far.as_ref().map(|far| Heard::of(far, Some(&near.mouth), answered_at));
        }
        called
    }
}

/// Whether two users are one: providers write numbers with and without their prefixes.
fn is_same(name: &str, caller: &str) -> bool {
    let last = |text: &str| {
        let digits: Vec<char> = text.chars().filter(char::is_ascii_digit).collect();
        let start = digits.len().checked_sub(DIGITS_IN_COMMON)?;
        Some(digits.get(start..)?.to_vec())
    };
    let numbers = last(name).zip(last(caller));
    name.eq_ignore_ascii_case(caller) || numbers.is_some_and(|(one, other)| one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_known_with_and_without_its_prefixes() {
        assert!(is_same("74951234567", "+7 495 123-45-67"));
        assert!(is_same("84951234567", "+74951234567"));
        assert!(is_same("shop", "Shop"));
        assert!(!is_same("shop", "anonymous"));
        assert!(!is_same("74951234567", "74951234568"));
        assert!(!is_same("101", "2101"));
    }
}
