//! Limits: how many calls at once, and by whom.

use base::LinkId;
use std::collections::HashMap;

/// The limits in force for one new call.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Calls of one button at once.
    pub per_button: u32,
    /// Calls of one page at once.
    pub per_link: u32,
    /// Calls of the whole appliance at once.
    pub in_all: u32,
}

/// Which limit a new call would break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The button has all its calls.
    Button,
    /// The page has all its calls.
    Link,
    /// The appliance has all its calls.
    Appliance,
    /// No new calls: the appliance is about to stop.
    Draining,
}

/// Who is in a call now.
#[derive(Debug, Default)]
pub struct Policy {
    buttons: HashMap<String, u32>,
    links: HashMap<LinkId, u32>,
    live: u32,
    draining: bool,
}

impl Policy {
    /// No new calls from now on.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// Whether new calls are refused.
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    /// Calls that are up.
    pub fn live(&self) -> u32 {
        self.live
    }

    /// Takes a place for a new call, or says which limit is in the way. Each place taken must be
    /// given back with [`Policy::leave`].
    pub fn enter(&mut self, button: &str, link: LinkId, limits: Limits) -> Result<(), Refusal> {
        let of_button = self.buttons.get(button).copied().unwrap_or(0);
        let of_link = self.links.get(&link).copied().unwrap_or(0);
        if self.draining {
            return Err(Refusal::Draining);
        } else if self.live >= limits.in_all {
            return Err(Refusal::Appliance);
        } else if of_button >= limits.per_button {
            return Err(Refusal::Button);
        } else if of_link >= limits.per_link {
            return Err(Refusal::Link);
        }
        self.buttons.insert(button.to_owned(), of_button + 1);
        self.links.insert(link, of_link + 1);
        self.live += 1;
        Ok(())
    }

    /// Gives a place back.
    pub fn leave(&mut self, button: &str, link: LinkId) {
        self.live = self.live.saturating_sub(1);
        if let Some(count) = self.buttons.get_mut(button) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.buttons.remove(button);
            }
        }
        if let Some(count) = self.links.get_mut(&link) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.links.remove(&link);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { per_button: 2, per_link: 1, in_all: 3 };

    #[test]
    fn each_limit_refuses_by_its_own_name_and_a_place_given_back_is_free() {
        let mut policy = Policy::default();
        assert_eq!(policy.enter("sales", LinkId(1), LIMITS), Ok(()));
        assert_eq!(policy.enter("sales", LinkId(1), LIMITS), Err(Refusal::Link));
        assert_eq!(policy.enter("sales", LinkId(2), LIMITS), Ok(()));
        assert_eq!(policy.enter("sales", LinkId(3), LIMITS), Err(Refusal::Button));
        assert_eq!(policy.enter("help", LinkId(3), LIMITS), Ok(()));
        assert_eq!(policy.enter("help", LinkId(4), LIMITS), Err(Refusal::Appliance));
        policy.leave("sales", LinkId(1));
        assert_eq!(policy.enter("help", LinkId(4), LIMITS), Ok(()));
        policy.drain();
        policy.leave("help", LinkId(4));
        assert_eq!(policy.enter("help", LinkId(4), LIMITS), Err(Refusal::Draining));
    }
}
