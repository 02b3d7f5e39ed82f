//! The transaction timers as one table (RFC 3261 17 and its table 4, RFC 6026 8).

use std::time::Duration;

/// The three base values that every transaction timer derives from (RFC 3261 17.1.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Estimate of the round trip, and the first retransmission.
    pub t1: Duration,
    /// Longest pause between retransmissions of what is not an INVITE.
    pub t2: Duration,
    /// How long a message may stay in the network.
    pub t4: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Timers {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
        }
    }
}

/// A transaction timer under the letter that the RFCs give it. Timer C is a proxy's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Letter {
    /// INVITE client, Calling: retransmit the INVITE.
    A,
    /// INVITE client, Calling: nobody answers.
    B,
    /// INVITE client, Completed: stay for repeated final responses.
    D,
    /// Client, Trying and Proceeding: retransmit the request.
    E,
    /// Client, Trying and Proceeding: nobody answers.
    F,
    /// INVITE server, Completed: retransmit the final response.
    G,
    /// INVITE server, Completed: no ACK came.
    H,
    /// INVITE server, Confirmed: stay for repeated ACKs.
    I,
    /// Server, Completed: stay for repeated requests.
    J,
    /// Client, Completed: stay for repeated responses.
    K,
    /// INVITE server, Accepted: stay for repeated INVITEs (RFC 6026 7.1).
    L,
    /// INVITE client, Accepted: stay for repeated and forked 2xx (RFC 6026 7.2).
    M,
}

/// What happens to a timer after it fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It fires once.
    Stops,
    /// It doubles, without limit.
    Doubles,
    /// It doubles up to T2.
    DoublesToT2,
}

impl Letter {
    /// First duration on an unreliable and on a reliable transport (`None`: the timer is not
    /// started; zero: the state is left at once), and what follows.
    pub(crate) fn row(self, t: Timers) -> (Duration, Option<Duration>, Then) {
        let zero = Some(Duration::ZERO);
        let long = t.t1 * 64;
        match self {
            //           unreliable             reliable     then
            Letter::A => (t.t1, None, Then::Doubles),
            Letter::B => (long, Some(long), Then::Stops),
            Letter::D => (long.max(Duration::from_secs(32)), zero, Then::Stops),
            Letter::E => (t.t1, None, Then::DoublesToT2),
            Letter::F => (long, Some(long), Then::Stops),
            Letter::G => (t.t1, None, Then::DoublesToT2),
            Letter::H => (long, Some(long), Then::Stops),
            Letter::I => (t.t4, zero, Then::Stops),
            Letter::J => (long, zero, Then::Stops),
            Letter::K => (t.t4, zero, Then::Stops),
            Letter::L => (long, Some(long), Then::Stops),
            Letter::M => (long, Some(long), Then::Stops),
        }
    }

    /// The first duration, `None` where the transport needs no such timer.
    pub(crate) fn first(self, t: Timers, reliable: bool) -> Option<Duration> {
        let (unreliable, on_reliable, _) = self.row(t);
        if reliable { on_reliable } else { Some(unreliable) }
    }

    /// The duration after `last`, for a timer that repeats.
    pub(crate) fn next(self, t: Timers, last: Duration) -> Option<Duration> {
        match self.row(t).2 {
            Then::Stops => None,
            Then::Doubles => Some(last * 2),
            Then::DoublesToT2 => Some((last * 2).min(t.t2)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn offsets(letter: Letter, limit: Letter) -> Vec<u64> {
        let t = Timers::default();
        let end = limit.first(t, false).unwrap();
        let mut pause = letter.first(t, false).unwrap();
        let mut at = pause;
        let mut all = Vec::new();
        while at < end {
            all.push(at.as_millis() as u64);
            pause = letter.next(t, pause).unwrap();
            at += pause;
        }
        all
    }

    #[test]
    fn an_invite_is_sent_seven_times_and_another_request_eleven() {
        // RFC 3261 17.1.1.2 and 17.1.2.2 list these very times; the first sending is not among
        // them.
        assert_eq!(offsets(Letter::A, Letter::B), [500, 1500, 3500, 7500, 15500, 31500]);
        assert_eq!(
            offsets(Letter::E, Letter::F),
            [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]
        );
    }

    #[test]
    fn a_reliable_transport_neither_repeats_nor_lingers() {
        let t = Timers::default();
        for letter in [Letter::A, Letter::E, Letter::G] {
            assert_eq!(letter.first(t, true), None);
        }
        for letter in [Letter::D, Letter::I, Letter::J, Letter::K] {
            assert_eq!(letter.first(t, true), Some(Duration::ZERO));
        }
    }
}
