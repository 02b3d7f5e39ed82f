//! The states of a call as both ends see them.
//!
//! ```text
//!            +-----------+      +---------+
//!  start --> | Calling   | ---> | Ringing | --+
//!            +-----------+      +---------+   |      +--------+     +------+
//!                 |    |             |        +----> | Active | <-> | Held |
//!                 |    |         +-------+    |      +--------+     +------+
//!                 |    +-------> | Early | ---+          |             |
//!                 |              +-------+               |             |
//!                 +------------------+-------------------+-------------+--> Ended
//! ```
//!
//! Ringing and Early may follow each other in both orders: whoever tells the steps decides whether a 180
//! after a 183 silences early media, which it usually does not. Ended comes once and is final.

use serde::{Deserialize, Serialize};

/// One state of a call, by the names that pages see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallState {
    /// The call is on its way; nobody rings yet.
    Calling,
    /// The phone rings; the page plays ringback.
    Ringing,
    /// The phone's side already sends sound (RFC 3960): announcements, its own ringback.
    Early,
    /// Both talk.
    Active,
    /// One end has put the other on hold.
    Held,
    /// Over.
    Ended,
}

/// Why a call ended: the closed list that pages, the call log and metrics share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndCause {
    /// The visitor hung up.
    VisitorHungUp,
    /// The shop hung up.
    ShopHungUp,
    /// The visitor gave up before anybody answered.
    Cancelled,
    /// The phone is in another call.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// Somebody pressed reject.
    Declined,
    /// No such number.
    NotFound,
    /// The phone is switched off or not registered.
    Unreachable,
    /// The provider does not let this account call there.
    Forbidden,
    /// The provider did not accept the account's password.
    AuthenticationFailed,
    /// The two sides have no codec in common.
    NoCommonCodec,
    /// The phone's side does not encrypt the sound, which the shop requires.
    NotEncrypted,
    /// The provider did not answer at all.
    ProviderSilent,
    /// The provider failed or is overloaded.
    ProviderFailed,
    /// The browser gave no microphone.
    NoMicrophone,
    /// The browser's media never came through.
    NoMedia,
    /// The visitor's network or page went away.
    VisitorLost,
    /// Nothing was heard from either side for a minute.
    Silence,
    /// The longest call was reached.
    TooLong,
    /// A limit of the shop was reached.
    Limit,
    /// The appliance stopped.
    Stopped,
    /// The appliance's own fault.
    Internal,
}

impl EndCause {
    /// Every cause, for tables that must be total.
    pub const ALL: [EndCause; 22] = [
        EndCause::VisitorHungUp,
        EndCause::ShopHungUp,
        EndCause::Cancelled,
        EndCause::Busy,
        EndCause::NoAnswer,
        EndCause::Declined,
        EndCause::NotFound,
        EndCause::Unreachable,
        EndCause::Forbidden,
        EndCause::AuthenticationFailed,
        EndCause::NoCommonCodec,
        EndCause::NotEncrypted,
        EndCause::ProviderSilent,
        EndCause::ProviderFailed,
        EndCause::NoMicrophone,
        EndCause::NoMedia,
        EndCause::VisitorLost,
        EndCause::Silence,
        EndCause::TooLong,
        EndCause::Limit,
        EndCause::Stopped,
        EndCause::Internal,
    ];

    /// One sentence for the visitor: human, and without the shop's inner affairs.
    pub const fn sentence(self) -> &'static str {
        match self {
            EndCause::VisitorHungUp => "Call ended",
            EndCause::ShopHungUp => "The shop ended the call",
            EndCause::Cancelled => "Call cancelled",
            EndCause::Busy => "The line is busy",
            EndCause::NoAnswer => "Nobody answered",
            EndCause::Declined => "The call was declined",
            EndCause::NotFound => "This number does not exist",
            EndCause::Unreachable => "The shop cannot be reached right now",
            EndCause::Forbidden | EndCause::AuthenticationFailed => {
                "The shop's phone line is not set up correctly"
            }
            EndCause::NotEncrypted => "The shop's phone line is not safe from listeners",
            EndCause::NoCommonCodec => "The phone and this browser share no sound format",
            EndCause::ProviderSilent | EndCause::ProviderFailed => {
                "The shop's phone line does not respond"
            }
            EndCause::NoMicrophone => "No microphone",
            EndCause::NoMedia => "Your network lets no sound through",
            EndCause::VisitorLost => "The connection was lost",
            EndCause::Silence => "Nothing was heard for a minute",
            EndCause::TooLong => "The longest call time is reached",
            EndCause::Limit => "All lines are taken, please try again later",
            EndCause::Stopped => "The service is restarting, please try again",
            EndCause::Internal => "Something went wrong on our side",
        }
    }

    /// The name used in the call log and in metrics, as in JSON.
    pub fn key(self) -> String {
        serde_json::to_string(&self).unwrap_or_default().trim_matches('"').to_owned()
    }
}

/// One call's progress: takes only steps that the picture above allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress(CallState);

impl Default for Progress {
    fn default() -> Self {
        Progress(CallState::Calling)
    }
}

impl Progress {
    /// Where the call is.
    pub fn state(self) -> CallState {
        self.0
    }

    /// Whether the call is over.
    pub fn is_over(self) -> bool {
        self.0 == CallState::Ended
    }

    /// Whether sound from the phone should be heard by now.
    pub fn has_media(self) -> bool {
        matches!(self.0, CallState::Early | CallState::Active)
    }

    /// Takes a step; false (and no change) where it is not one: repeated, backwards, after the end.
    pub fn step(&mut self, to: CallState) -> bool {
        use CallState::{Active, Calling, Early, Ended, Held, Ringing};
        let allowed = match (self.0, to) {
            (Ended, _) | (_, Calling) => false,
            (_, Ended) => true,
            (Calling, Ringing | Early | Active) => true,
            (Ringing, Early | Active) => true,
            (Early, Ringing | Active) => true,
            (Active, Held) | (Held, Active) => true,
            _ => false,
        };
        if allowed {
            self.0 = to;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CallState::{Active, Calling, Early, Ended, Held, Ringing};

    const STATES: [CallState; 6] = [Calling, Ringing, Early, Active, Held, Ended];

    #[test]
    fn nothing_follows_the_end_and_nothing_leads_back_to_calling() {
        for to in STATES {
            assert!(!Progress(Ended).step(to));
            assert!(!Progress(to).step(Calling));
        }
    }

    #[test]
    fn every_living_state_can_end() {
        assert!(STATES.into_iter().filter(|s| *s != Ended).all(|s| Progress(s).step(Ended)));
    }

    #[test]
    fn ringing_and_early_media_follow_each_other_and_never_an_answer() {
        let mut progress = Progress(Early);
        assert!(progress.step(Ringing) && !progress.has_media());
        assert!(progress.step(Early) && progress.has_media());
        assert!(progress.step(Active) && !progress.step(Ringing) && !progress.step(Early));
    }

    #[test]
    fn every_cause_has_a_key_and_a_sentence() {
        let keys: std::collections::BTreeSet<_> =
            EndCause::ALL.iter().map(|cause| cause.key()).collect();
        assert_eq!(keys.len(), EndCause::ALL.len());
        assert!(EndCause::ALL.iter().all(|cause| !cause.sentence().is_empty()));
        assert_eq!(EndCause::VisitorHungUp.key(), "visitor-hung-up");
    }
}
