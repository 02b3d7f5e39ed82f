//! One attempt with one setting of an account: it registers, and calls where that is asked for.

use super::agent::{Agent, Stop};
use super::names::Names;
use super::talk::{self, Called, Order};
use super::tap::Tap;
use crate::config::{self, Button, Config};
use sip::message::Uri;
use sip::{Cause, CauseKind, Event, Originator, Quirk, RegistrationState};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long registering may take, however many servers there are.
const REGISTER_WITHIN: Duration = Duration::from_secs(40);
/// The first pause before a request is repeated: half of the usual, so that a provider that says
/// nothing is known after 16 seconds and not 32.
pub const PATIENT: Duration = Duration::from_millis(250);
/// The same where silence was heard already.
pub const HASTY: Duration = Duration::from_millis(125);

/// A machine that was held up for so long while sound was due has spoilt what was measured.
const HELD_UP: Duration = Duration::from_millis(500);

/// A refusal: what the provider said, or that it said nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status; 0 is silence.
    pub status: u16,
    /// The provider's words, or what the network says.
    pub words: String,
    /// The extensions that it does not know (420).
    pub unsupported: Option<String>,
    /// What kind of end it was.
    pub kind: CauseKind,
}

/// How registering ended.
#[derive(Clone, Debug)]
pub enum Registered {
    /// The file says that this account does not register.
    Unwanted,
    /// It is registered.
    Yes {
        /// How long that took.
        took: Duration,
        /// Where the registrar sees us.
        seen: SocketAddr,
    },
    /// It is not.
    No(Refusal),
}

/// What came of an attempt.
#[derive(Debug)]
pub struct Outcome {
    /// The registration.
    pub registered: Registered,
    /// The call, where one was made.
    pub called: Option<Called>,
    /// What the provider said beside that.
    pub tap: Tap,
}

impl Outcome {
    /// What stands in the way: of registering, or of the call.
    pub fn refusal(&self) -> Option<Refusal> {
        if let Registered::No(refusal) = &self.registered {
            return Some(refusal.clone());
        }
        let called = self.called.as_ref()?;
        // What ended after the answer, or by our own wish, was refused by nobody.
        let cause = called.failed.as_ref().filter(|_| called.answered_after.is_none())?;
        let ours = cause.originator == Originator::Local;
        (!ours).then(|| refusal(cause, self.tap.invite.as_ref()))
    }
}

/// What attempts share.
pub struct Bench<'a> {
    /// The file.
    pub config: &'a Config,
    /// Look-ups so far.
    pub names: &'a mut Names,
    /// Whether the operator wants an end.
    pub stop: Stop,
    /// Whom to call; none: the account itself.
    pub to: Option<&'a str>,
}

impl Bench<'_> {
    /// Tries one setting of the account of this name. `calls`: whether it calls too.
    pub fn attempt(
        &mut self,
        name: &str,
        account: &config::Account,
        calls: bool,
        t1: Duration,
    ) -> io::Result<Outcome> {
        let destination = destination(account, self.to).map_err(io::Error::other)?;
        let config = alone(self.config, name, account, &destination.to_string());
        let mut agent = Agent::new(config, name, self.names, t1, self.stop.clone())?;
        let registered = register(&mut agent, account.register);
        let ready = !matches!(registered, Registered::No(_)) && !agent.is_stopped();
        let own = self.to.is_none().then(|| names_of(account));
        let order = Order { destination, own };
        let called = (calls && ready).then(|| call(&mut agent, order)).transpose();
        // Whatever stopped the call, no registration stays behind.
        let tap = agent.close();
        Ok(Outcome { registered, called: called?, tap })
    }
}

/// Registers, or only tells the SIP machine of an account that does not.
fn register(agent: &mut Agent, wanted: bool) -> Registered {
    let began_at = Instant::now();
    if !agent.begin() {
        let words = "no server of this name is known".to_owned();
        let kind = CauseKind::Unavailable;
        return Registered::No(Refusal { status: 0, words, unsupported: None, kind });
    }
    if !wanted {
        return Registered::Unwanted;
    }
    while let Some(event) = agent.wait(began_at + REGISTER_WITHIN) {
        let Event::RegistrationChanged { state, .. } = event else { continue };
        match state {
            RegistrationState::Registered { contact, .. } => {
                agent.seen = Some(contact);
                return Registered::Yes { took: began_at.elapsed(), seen: contact };
            }
            RegistrationState::Failed { cause, .. } => {
                return Registered::No(refusal(&cause, agent.tap.register.as_ref()));
            }
            RegistrationState::Registering | RegistrationState::Unregistered => {}
        }
    }
    let kind = CauseKind::Timeout;
    Registered::No(Refusal { status: 0, words: String::new(), unsupported: None, kind })
}

/// Calls, and once more where that costs nothing and this machine has spoilt what was measured.
fn call(agent: &mut Agent, order: Order) -> io::Result<Called> {
    let first = talk::call(agent, order.clone())?;
    if order.own.is_some() && first.late > HELD_UP && !agent.is_stopped() {
        return talk::call(agent, order);
    }
    Ok(first)
}

/// A cause with what the provider said of it.
fn refusal(cause: &Cause, said: Option<&super::tap::Said>) -> Refusal {
    let status = cause.status.unwrap_or(0);
    let said = said.filter(|said| said.status == status);
    let words = said.map(|said| said.words.clone()).or_else(|| cause.reason.clone());
    Refusal {
        status,
        words: words.unwrap_or_default(),
        unsupported: said.and_then(|said| said.unsupported.clone()),
        kind: cause.kind,
    }
}

/// The file with this account alone, and a button that calls this address.
fn alone(config: &Config, name: &str, account: &config::Account, destination: &str) -> Config {
    let button = Button {
        accounts: vec![name.to_owned()],
        destination: destination.to_owned(),
        origins: Vec::new(),
        video: false,
        max_duration: Duration::from_secs(60),
        max_calls: 1,
    };
    Config {
        accounts: BTreeMap::from([(name.to_owned(), account.clone())]),
        buttons: BTreeMap::from([("check".to_owned(), button)]),
        webphone: None,
        ..config.clone()
    }
}

/// The host part of an account's address.
fn home(account: &config::Account) -> String {
    account.domain.clone().unwrap_or_else(|| account.registrar.to_string())
}

/// Whom an attempt calls: what `--to` names, or the account itself. An error says why it cannot.
pub fn destination(account: &config::Account, to: Option<&str>) -> Result<Uri, String> {
    let read = |address: &str| {
        address.parse::<Uri>().map_err(|_| format!("\"{address}\" is no SIP address"))
    };
    let Some(to) = to else {
        let auth = account.auth_username.as_ref();
        let auth = auth.filter(|_| account.quirks.has(Quirk::FromAuthUser));
        let at = read(&format!("sip:{}", home(account)))?;
        // A user for digest may hold what an address holds only escaped.
        return Ok(Uri::sip(Some(auth.unwrap_or(&account.username)), at.host, at.port));
    };
    let address = address(account, to);
    config::values::sip_uri(&address)?;
    read(&address)
}

/// Users that this account is called by.
fn names_of(account: &config::Account) -> Vec<String> {
    let others = account.auth_username.iter().chain(&account.from_user);
    std::iter::once(&account.username).chain(others).cloned().collect()
}

/// The address of a number or a user at the account's provider, or an address in full.
fn address(account: &config::Account, written: &str) -> String {
    let written = written.trim();
    if written.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sip:")) {
        return written.to_owned();
    }
    let written = written.strip_prefix("tel:").unwrap_or(written);
    if written.contains('@') {
        return format!("sip:{written}");
    }
    let is_number = written.chars().all(|c| c.is_ascii_digit() || "+*# -/().".contains(c));
    let kept = |c: &char| !is_number || c.is_ascii_digit() || "+*#".contains(*c);
    let user: String = written.chars().filter(kept).collect();
    // The number sign separates nothing in a SIP address, and is written so there.
    format!("sip:{}@{}", user.replace('#', "%23"), home(account))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_one_at_the_accounts_provider_and_an_address_stays_as_it_is() {
        let account = config::demo().accounts.remove("demo").unwrap_or_else(|| unreachable!());
        assert_eq!(address(&account, "+7 495 123-45-67"), "sip:+74951234567@127.0.0.1:5060");
        assert_eq!(address(&account, "tel:*43#"), "sip:*43%23@127.0.0.1:5060");
        assert_eq!(address(&account, "echo-test"), "sip:echo-test@127.0.0.1:5060");
        assert_eq!(address(&account, "sip:a@b.example"), "sip:a@b.example");
        assert_eq!(address(&account, "a@b.example"), "sip:a@b.example");
    }

    #[test]
    fn an_account_calls_itself_by_its_address_whatever_its_user_for_digest_holds() {
        let account = config::demo().accounts.remove("demo").unwrap_or_else(|| unreachable!());
        let own = |account: &config::Account| destination(account, None).map(|to| to.to_string());
        let account = config::Account { domain: Some("pbx.example".into()), ..account };
        assert_eq!(own(&account), Ok("sip:shop@pbx.example".to_owned()));
        let auth_username = Some("u 77@pbx.example".to_owned());
        let quirks = account.quirks.with(Quirk::FromAuthUser);
        let account = config::Account { auth_username, quirks, ..account };
        assert_eq!(own(&account), Ok("sip:u%2077%40pbx.example@pbx.example".to_owned()));
    }

    #[test]
    fn what_cannot_be_called_is_told_and_not_passed_over() {
        let account = config::demo().accounts.remove("demo").unwrap_or_else(|| unreachable!());
        let to = |written| destination(&account, Some(written)).map(|to| to.to_string());
        assert_eq!(to("100"), Ok("sip:100@127.0.0.1:5060".to_owned()));
        for written in ["", "front desk", "sips:a@b.example", "sip:a@", "a@b@c.example"] {
            assert!(to(written).is_err(), "{written}");
        }
    }
}
