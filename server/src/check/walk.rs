//! The walk through what providers want otherwise: which settings are worth a try after a refusal, in
//! what order, and how many.
//!
//! ```text
//!   refusal --> single settings whose rows name it --> pairs of them --> nothing helps
//!                  |  another refusal: progress
//!                  +--> with that one, the settings that name the new refusal
//! ```

use super::attempt::Refusal;
use super::cure::Cure;
use crate::config::Account;
use sip::{CauseKind, QUIRKS};
use std::collections::VecDeque;

/// Tries of one walk.
const TRIES: usize = 24;
/// Tries where the password is refused: providers shut accounts and addresses out after a few more.
const TRIES_OF_PASSWORDS: usize = 6;
/// Tries where nothing at all is heard: each takes as long as silence takes to be sure of.
const TRIES_OF_SILENCE: usize = 8;
/// Settings at once.
const DEPTH: usize = 3;

/// What is known besides the refusal.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The realm of the provider's challenges.
    pub realm: Option<String>,
    /// Whether a call was refused, and not the registration.
    pub calls: bool,
}

/// One walk.
#[derive(Debug)]
pub struct Walk {
    base: Account,
    facts: Facts,
    first: u16,
    ahead: VecDeque<Vec<Cure>>,
    behind: VecDeque<Vec<Cure>>,
    tried: Vec<Vec<Cure>>,
    most: usize,
}

impl Walk {
    /// A walk from an account that was refused so.
    pub fn new(base: &Account, refusal: &Refusal, facts: Facts) -> Walk {
        let singles = candidates(base, refusal, &facts);
        let pairs = singles.iter().enumerate().flat_map(|(place, one)| {
            let rest = singles
                .iter()
                .skip(place + 1)
                .filter(|other| other.key() != one.key() || one.adds());
            rest.map(|other| vec![one.clone(), other.clone()])
        });
        let most = match refusal {
            Refusal { status: 0, .. } => TRIES_OF_SILENCE,
            Refusal { kind: CauseKind::AuthenticationFailed, .. } => TRIES_OF_PASSWORDS,
            _ => TRIES,
        };
        Walk {
            base: base.clone(),
            facts,
            first: refusal.status,
            behind: pairs.collect(),
            ahead: singles.iter().map(|one| vec![one.clone()]).collect(),
            tried: Vec::new(),
            most,
        }
    }

    /// The next setting to try; none when nothing is left or enough was tried.
    pub fn next(&mut self) -> Option<Account> {
        while self.tried.len() < self.most {
            let cures = self.ahead.pop_front().or_else(|| self.behind.pop_front())?;
            if self.tried.contains(&cures) {
                continue;
            }
            let mut account = self.base.clone();
            cures.iter().for_each(|cure| cure.apply(&mut account));
            self.tried.push(cures);
            return Some(account);
        }
        None
    }

    /// The setting given last was refused too. Another refusal than the first is progress.
    pub fn refused(&mut self, refusal: &Refusal) {
        let Some(cures) = self.tried.last().cloned() else { return };
        if refusal.status == self.first || refusal.status == 0 || cures.len() >= DEPTH {
            return;
        }
        let mut account = self.base.clone();
        cures.iter().for_each(|cure| cure.apply(&mut account));
        for more in candidates(&account, refusal, &self.facts).into_iter().rev() {
            let mut cures = cures.clone();
            cures.push(more);
            self.ahead.push_front(cures);
        }
    }

    /// How many may still be tried at most, as far as is known.
    pub fn most(&self) -> usize {
        (self.ahead.len() + self.behind.len()).min(self.most)
    }

    /// How many were tried.
    pub fn tries(&self) -> usize {
        self.tried.len()
    }
}

/// The settings that are worth a try after a refusal, the likeliest first.
fn candidates(account: &Account, refusal: &Refusal, facts: &Facts) -> Vec<Cure> {
    let named = |row: &&sip::QuirkRow| row.shown_by.contains(&refusal.status);
    let quirks = QUIRKS.iter().filter(named).map(|row| Cure::Quirk(row.quirk));
    let mut all: Vec<Cure> = quirks.collect();
    // What the provider says that it does not know goes first.
    let unknown = refusal.unsupported.clone().unwrap_or_default().to_ascii_lowercase();
    let is_unknown = |cure: &Cure| match cure {
        Cure::Quirk(quirk) => quirk.row().is_some_and(|row| {
            unknown
                .split(',')
                .map(str::trim)
                .any(|word| !word.is_empty() && row.word.contains(word))
        }),
        _ => false,
    };
    let others = Cure::settings(account, refusal.status, facts.realm.as_deref(), facts.calls);
    // A realm that is another host says more than any guess, and whoever is silent to datagrams may
    // well take connections.
    let is_first = |cure: &Cure| match cure {
        Cure::Domain(_) | Cure::Codecs(_) => true,
        Cure::Transport(_) => refusal.status == 0,
        _ => false,
    };
    let (first, last): (Vec<Cure>, Vec<Cure>) = others.into_iter().partition(is_first);
    all.sort_by_key(|cure| !is_unknown(cure));
    let mut all: Vec<Cure> = first.into_iter().chain(all).chain(last).collect();
    all.retain(|cure| cure.changes(account, facts.calls));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::Quirk;

    fn account() -> Account {
        crate::config::demo().accounts.remove("demo").unwrap_or_else(|| unreachable!())
    }

    fn refusal(status: u16) -> Refusal {
        let kind = CauseKind::from_status(status);
        Refusal { status, words: String::new(), unsupported: None, kind }
    }

    fn all(walk: &mut Walk) -> Vec<Account> {
        std::iter::from_fn(|| walk.next()).collect()
    }

    #[test]
    fn singles_come_before_pairs_and_no_setting_comes_twice() {
        let facts = Facts { realm: Some("pbx.example".into()), calls: true };
        let mut walk = Walk::new(&account(), &refusal(403), facts);
        let tried = all(&mut walk);
        assert_eq!(tried[0].domain.as_deref(), Some("pbx.example"));
        let count = |account: &Account| {
            account.quirks.iter().count()
                + usize::from(account.domain.is_some())
                + usize::from(account.identity != crate::config::Identity::Off)
        };
        let counts: Vec<usize> = tried.iter().map(count).collect();
        assert!(counts.is_sorted() && counts.contains(&2), "{counts:?}");
        assert!(tried.len() <= TRIES);
        let texts: Vec<String> = tried.iter().map(|account| format!("{account:?}")).collect();
        let unique: std::collections::HashSet<&String> = texts.iter().collect();
        assert_eq!(unique.len(), texts.len());
    }

    #[test]
    fn what_the_provider_does_not_know_is_left_out_first() {
        let refusal = Refusal { unsupported: Some("100rel".into()), ..refusal(420) };
        let facts = Facts { realm: None, calls: true };
        let mut walk = Walk::new(&account(), &refusal, facts);
        let first = walk.next().map(|account| account.quirks.has(Quirk::No100rel));
        assert_eq!(first, Some(true));
    }

    #[test]
    fn another_refusal_is_progress_and_is_gone_on_from() {
        let facts = Facts { realm: Some("pbx.example".into()), calls: true };
        let mut walk = Walk::new(&account(), &refusal(403), facts);
        let first = walk.next();
        assert!(first.is_some_and(|account| account.domain.is_some()));
        walk.refused(&refusal(488));
        let next = walk.next();
        let both = next.map(|account| (account.domain.is_some(), account.codecs.len()));
        assert!(both.is_some_and(|(domain, codecs)| domain && codecs < 6), "{both:?}");
    }

    #[test]
    fn a_refused_password_is_not_tried_often() {
        let facts = Facts { realm: Some("pbx.example".into()), calls: false };
        let settings = Account { auth_username: Some("u".into()), ..account() };
        let mut walk = Walk::new(&settings, &refusal(401), facts);
        assert!(all(&mut walk).len() <= TRIES_OF_PASSWORDS);
    }

    #[test]
    fn a_busy_number_is_no_reason_to_walk() {
        let facts = Facts { realm: Some("127.0.0.1:5060".into()), calls: true };
        assert!(Walk::new(&account(), &refusal(486), facts).next().is_none());
    }
}
