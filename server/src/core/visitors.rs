//! What pages want: links, registrations, calls.

use super::calls::{NewCall, Party, VisitorLeg};
use super::door::Visitor;
use super::failover::{Again, Others, Way};
use super::rows::Facts;
use super::{Core, Link, quality};
use crate::config;
use crate::legs;
use crate::net::Wire;
use base::{CallId, Codec, LinkId, Secret};
use call::{Call, LegEvent, Limits, VisitorEnd, browser_codecs, page_headers, trunk_codecs};
use rtmfp::SessionId;
use signalling::{ClientMessage, ErrorCode, ServerMessage, limits};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};
use webrtc::PeerId;

/// Calls of the whole appliance at once.
pub(super) const CALLS_IN_ALL: u32 = 1000;
/// The longest call of a page-supplied account.
pub(super) const WEBPHONE_DURATION: Duration = Duration::from_secs(4 * 3600);

/// What a page asked for with one call.
pub(super) struct Wish {
    pub call: u32,
    pub uri: Option<String>,
    pub headers: BTreeMap<String, String>,
    pub media: WishedMedia,
}

/// How the visitor's sound would come.
pub(super) enum WishedMedia {
    /// From a browser that makes this offer.
    Browser {
        /// SDP.
        offer: String,
    },
    /// From the streams of a Flash client.
    Flash {
        /// The client.
        session: SessionId,
    },
}

/// What a call needs, once it is known that it may be made.
struct Plan {
    button: String,
    way: Way,
    /// Further ways, where the first one fails.
    others: VecDeque<Way>,
    limits: Limits,
    max_duration: Duration,
}

impl<W: Wire> Core<W> {
    pub(super) fn handle_visitor(&mut self, now: Instant, visitor: Visitor) {
        match visitor {
            Visitor::Opened { link, button, page, address: _, local_page } => {
                let known = Link { button, page, local_page, account: None, came_in: 0 };
                self.links.insert(link, known);
            }
            Visitor::Message { link, message } => self.handle_message(now, link, message),
            Visitor::Closed { link } => {
                for id in self.calls.of_link(link) {
                    self.end_visitor(now, id, VisitorEnd::Lost);
                }
                let account = self.links.remove(&link).and_then(|known| known.account);
                if let Some(account) = account {
                    self.accounts.remove(account);
                    self.sip.command(now, sip::Command::RemoveAccount { account });
                }
            }
        }
    }

    pub(super) fn handle_message(&mut self, now: Instant, link: LinkId, message: ClientMessage) {
        match message {
            // The hub answers these itself.
            ClientMessage::Hello { .. } | ClientMessage::Ping { .. } => {}
            ClientMessage::Register { registrar, username, password } => {
                self.register(now, link, &registrar, username, Secret::new(password));
            }
            ClientMessage::Unregister => {
                let account = self.links.get(&link).and_then(|known| known.account);
                if let Some(account) = account {
                    self.accounts.withdrawn(account);
                    self.sip.command(now, sip::Command::Unregister { account });
                }
            }
            ClientMessage::Call { call, uri, video: _, headers, offer } => {
                let wish = Wish { call, uri, headers, media: WishedMedia::Browser { offer } };
                if let Err(message) = self.start_call(now, link, wish) {
                    self.tell(link, message);
                }
            }
            ClientMessage::Answer { call, video: _, offer } => {
                if let Err(message) = self.answer_with(now, link, call, &offer) {
                    self.tell(link, message);
                }
            }
            ClientMessage::Hold { call } => self.hold_for_page(now, link, call, true),
            ClientMessage::Resume { call } => self.hold_for_page(now, link, call, false),
            ClientMessage::Transfer { call, uri } => {
                if let Err(message) = self.transfer(now, link, call, &uri) {
                    self.tell(link, message);
                }
            }
            ClientMessage::Join { call, other } => {
                if let Err(message) = self.join(now, link, call, other) {
                    self.tell(link, message);
                }
            }
            ClientMessage::Restart { call, offer } => self.restart(now, link, call, &offer),
            ClientMessage::Hangup { call, reason } => {
                if let Some(id) = self.calls.by_page(link, call) {
                    self.end_visitor(now, id, legs::browser::visitor_end(reason));
                }
            }
            ClientMessage::Dtmf { call, digits } => {
                let clean = digits.len() <= limits::DIGITS
                    && digits.bytes().all(|d| d.is_ascii_digit() || b"*#ABCD".contains(&d));
                match self.calls.by_page(link, call) {
                    Some(id) if clean => self.send_digits(now, id, &digits),
                    Some(_) => self.tell(link, bad(call, "Digits are 0-9, *, #, A-D")),
                    None => self.tell(link, unknown(call)),
                }
            }
            ClientMessage::Quality { call, report } => {
                if let Some(active) =
                    self.calls.by_page(link, call).and_then(|id| self.calls.entry(id))
                {
                    active.report = quality::sane(report);
                }
            }
        }
    }

    /// The visitor's end of a call is over, for a reason of the visitor's.
    pub(super) fn end_visitor(&mut self, now: Instant, id: CallId, end: VisitorEnd) {
        if let Some(visitor) = self.calls.entry(id).map(|active| active.visitor.take()) {
            self.close_visitor(now, id, visitor);
        }
        self.call_event(now, id, LegEvent::VisitorEnded(end));
    }

    /// A page-supplied account: only at a registrar that the file names.
    pub(super) fn register(
        &mut self,
        now: Instant,
        link: LinkId,
        registrar: &str,
        username: String,
        password: Secret,
    ) {
        let Some(known) = self.links.get(&link) else { return };
        let old = known.account;
        let named = config::values::registrar(registrar).ok();
        let allowed = self.config.webphone.as_ref().filter(|_| known.button.is_none());
        // The file's own spelling counts: whether a port is written decides how it is looked up.
        let allowed = allowed.zip(named).and_then(|(webphone, named)| {
            let mut registrars = webphone.registrars.iter();
            let registrar = registrars.find(|registrar| registrar.matches(&named))?;
            Some((registrar.clone(), webphone.srtp))
        });
        let Some((registrar, srtp)) = allowed else {
            let refused = ServerMessage::Registration {
                registered: false,
                code: 403,
                reason: "This registrar is not allowed here: the operator names the allowed ones \
                         under registrars in [webphone]"
                    .to_owned(),
            };
            return self.tell(link, refused);
        };
        let sound = !username.is_empty()
            && username.len() <= limits::TEXT_OCTETS
            && !username.chars().any(char::is_control);
        if !sound {
            let refused = ServerMessage::Registration {
                registered: false,
                code: 400,
                reason: "The user name is empty, too long, or has control characters".to_owned(),
            };
            return self.tell(link, refused);
        }
        if let Some(account) = old {
            self.accounts.remove(account);
            self.sip.command(now, sip::Command::RemoveAccount { account });
        }
        let settings = config::Account {
            registrar,
            username,
            from_user: None,
            auth_username: None,
            password,
            outbound_proxy: None,
            register: true,
            expires: Duration::from_secs(300),
            srtp,
            codecs: Codec::ALL.to_vec(),
            transport: None,
            ca_file: None,
            domain: None,
            identity: config::Identity::Off,
            quirks: sip::Quirks::default(),
        };
        let account = self.accounts.add(settings, link);
        if let Some(known) = self.links.get_mut(&link) {
            known.account = Some(account);
        }
    }

    /// Decides whether a call may be made, and how.
    fn plan(&self, now: Instant, link: LinkId, wish: &Wish) -> Result<Plan, ServerMessage> {
        let call = wish.call;
        let known = self.links.get(&link).ok_or_else(|| unknown(call))?;
        let unready = || {
            legs::browser::error(
                ErrorCode::Unavailable,
                Some(call),
                "The shop's phone line is not ready",
                "The provider's address is not known yet; try again in a few seconds.",
            )
        };
        if let Some(name) = &known.button {
            let button = self.config.buttons.get(name).ok_or_else(|| {
                let hint = "Load the page again.";
                legs::browser::error(ErrorCode::UnknownButton, Some(call), "No such button", hint)
            })?;
            let mut others = self.ways(now, button);
            return Ok(Plan {
                button: name.clone(),
                way: others.pop_front().ok_or_else(unready)?,
                others,
                limits: Limits {
                    per_button: button.max_calls,
                    per_link: limits::CALLS_PER_LINK as u32,
                    in_all: CALLS_IN_ALL,
                },
                max_duration: button.max_duration,
            });
        }
        let account = known.account.ok_or_else(|| {
            let message = "This page has no account yet";
            let hint = "Call register() first and wait for onRegStateChanged.";
            legs::browser::error(ErrorCode::Forbidden, Some(call), message, hint)
        })?;
        self.accounts.entry(account).ok_or_else(unready)?;
        let written = wish.uri.as_deref().unwrap_or_default();
        if written.is_empty() || written.len() > limits::TEXT_OCTETS {
            return Err(bad(call, "Say whom to call: call({uri: 'sip:user@host'})"));
        }
        let (full, destination) = self
            .accounts
            .full_address(account, written)
            .ok_or_else(|| bad(call, "The uri must look like sip:user@host or be a number"))?;
        let targets = self.accounts.next_hops(account, &full);
        if targets.is_empty() {
            return Err(unready());
        }
        Ok(Plan {
            button: String::new(),
            way: Way { account, destination, targets },
            others: VecDeque::new(),
            limits: Limits {
                per_button: CALLS_IN_ALL,
                per_link: limits::CALLS_PER_LINK as u32,
                in_all: CALLS_IN_ALL,
            },
            max_duration: WEBPHONE_DURATION,
        })
    }

    /// Starts a call. Neither the INVITE nor the answer to the browser waits for the other side.
    pub(super) fn start_call(
        &mut self,
        now: Instant,
        link: LinkId,
        wish: Wish,
    ) -> Result<(), ServerMessage> {
        if self.calls.by_page(link, wish.call).is_some() || wish.call >= limits::FIRST_INCOMING {
            return Err(bad(wish.call, "This call number is in use"));
        }
        let plan = self.plan(now, link, &wish)?;
        let entered = self.policy.enter(&plan.button, link, plan.limits);
        entered.map_err(|refusal| legs::browser::refusal(refusal, wish.call))?;
        let button = plan.button.clone();
        let started = self.start_planned(now, link, &wish, plan);
        if started.is_err() {
            self.policy.leave(&button, link);
        }
        started
    }

    fn start_planned(
        &mut self,
        now: Instant,
        link: LinkId,
        wish: &Wish,
        plan: Plan,
    ) -> Result<(), ServerMessage> {
        let internal = |message: &str| {
            let hint = "The operator finds more in the log.";
            legs::browser::error(ErrorCode::Internal, Some(wish.call), message, hint)
        };
        let gone = || internal("The account is gone");
        let (codecs, form, seen) = self.account_media(plan.way.account).ok_or_else(gone)?;
        let learnt = self.accounts.entry(plan.way.account).ok_or_else(gone)?.learnt;
        let known = self.links.get(&link).ok_or_else(gone)?;
        let (page, local_page) = (known.page.clone(), known.local_page);
        let id = self.calls.next_id();
        let (visitor, answer) = match &wish.media {
            WishedMedia::Browser { offer } => {
                let order = browser_codecs(&codecs, learnt);
                let (peer, answer) =
                    self.accept_browser(now, id, wish.call, offer, &order, local_page)?;
                (VisitorLeg::Browser(peer), Some(answer))
            }
            WishedMedia::Flash { session } => {
                (VisitorLeg::Flash { session: *session, call: wish.call }, None)
            }
        };
        let codecs = self.offered_codecs(&codecs, visitor);
        let media = self.open_media(&codecs, form, seen).map_err(|error| {
            tracing::error!(%error, "no RTP ports");
            self.close_visitor(now, id, visitor);
            internal("No free port for the call")
        })?;
        let super::trunk::TrunkMedia { pair, description, stream, bridge } = media;
        let offer = description.offer();
        let new = NewCall {
            link,
            page_call: wish.call,
            button: plan.button.clone(),
            account: plan.way.account,
            party: Party::called(),
            call: Call::new(now, call::Settings { max_duration: plan.max_duration }),
            description,
            offer,
            stream,
            pair,
            bridge,
            quality_at: now + quality::EVERY,
            facts: Facts::new(now, (self.calendar)(), plan.button.clone(), page),
        };
        let body = new.offer.octets().to_vec();
        self.calls.insert(id, new);
        self.begin_trace(now, id, visitor);
        if let WishedMedia::Browser { offer } = &wish.media {
            self.traces.offer(now, id, offer);
        }
        self.published_at = None;
        super::metrics::bump(&self.metrics.calls_started_total);
        let headers = page_headers(&wish.headers);
        let again = Again::new(form.encryption, &plan.way, &headers);
        let others = Others::new(plan.others, headers.clone());
        let hurried = others.is_some();
        self.invite(now, sip::InviteId(id.0), plan.way, headers, body, hurried);
        self.name_trace(id);
        self.send_sip_transmits(now);
        self.invited.push(id);
        if let Some(active) = self.calls.entry(id) {
            active.visitor = visitor;
            active.others = others;
            active.again = again;
        }
        tracing::info!(call = id.0, button = %plan.button, "call started");

        if let Some(sdp) = answer {
            self.traces.answer(now, id, &sdp);
            self.tell(link, ServerMessage::Answer { call: wish.call, sdp });
        }
        self.drain_browsers(now);
        Ok(())
    }

    /// Answers a browser's offer.
    pub(super) fn accept_browser(
        &mut self,
        now: Instant,
        id: CallId,
        call: u32,
        offer: &str,
        codecs: &[Codec],
        local_page: bool,
    ) -> Result<(PeerId, String), ServerMessage> {
        let peer = PeerId(id.0);
        let settings = webrtc::AcceptSettings { codecs, local_page };
        let answer = self.browsers.accept(now, peer, offer, &settings).map_err(|error| {
            tracing::warn!(call = id.0, %error, "the browser's offer cannot be answered");
            let hint = "Use a current browser; the operator finds more in the log.";
            legs::browser::error(ErrorCode::BadOffer, Some(call), &error.to_string(), hint)
        })?;
        Ok((peer, answer))
    }

    /// The codecs that a visitor's end takes, best first.
    pub(super) fn visitor_codecs(&self, visitor: VisitorLeg) -> Vec<Codec> {
        match visitor {
            VisitorLeg::Browser(peer) => self.browsers.codecs(peer).collect(),
            VisitorLeg::Flash { .. } => legs::flash::CODECS.to_vec(),
            VisitorLeg::Gone => Vec::new(),
        }
    }

    /// What the provider is offered of an account's codecs for a visitor, best first.
    pub(super) fn offered_codecs(&self, account: &[Codec], visitor: VisitorLeg) -> Vec<Codec> {
        match visitor {
            VisitorLeg::Flash { .. } => legs::flash::trunk_codecs(account),
            _ => trunk_codecs(account, &self.visitor_codecs(visitor)),
        }
    }

    /// Notes when the INVITEs of this round left. The call log says how long a click takes, which
    /// no clock that stands still while one event is handled could.
    pub(super) fn note_invited(&mut self, clock: impl Fn() -> Instant) {
        while let Some(id) = self.invited.pop() {
            if let Some(active) = self.calls.entry(id) {
                active.facts.invited_at = Some(clock());
            }
        }
    }

    fn restart(&mut self, now: Instant, link: LinkId, call: u32, offer: &str) {
        let Some(id) = self.calls.by_page(link, call) else {
            return self.tell(link, unknown(call));
        };
        let Some(known) = self.links.get(&link) else { return };
        let local_page = known.local_page;
        let Some(active) = self.calls.entry(id) else { return };
        let (peer, account) = (active.visitor.browser(), active.account);
        let Some(peer) = peer else { return self.tell(link, unknown(call)) };
        let (codecs, learnt) = match self.accounts.entry(account) {
            Some(entry) => (entry.settings.codecs.clone(), entry.learnt),
            None => (Codec::ALL.to_vec(), call::Learnt::default()),
        };
        let order = browser_codecs(&codecs, learnt);
        let settings = webrtc::AcceptSettings { codecs: &order, local_page };
        match self.browsers.restart(now, peer, offer, &settings) {
            Ok(sdp) => {
                self.traces.offer(now, id, offer);
                self.traces.answer(now, id, &sdp);
                self.tell(link, ServerMessage::Answer { call, sdp });
            }
            Err(error) => {
                let hint = "The call goes on as it was, if it can.";
                let code = ErrorCode::BadOffer;
                let message = error.to_string();
                self.tell(link, legs::browser::error(code, Some(call), &message, hint));
            }
        }
        self.drain_browsers(now);
    }

    /// Closes a visitor's media, after keeping its figures.
    pub(super) fn close_visitor(&mut self, now: Instant, id: CallId, visitor: VisitorLeg) {
        let peer = match visitor {
            VisitorLeg::Browser(peer) => peer,
            VisitorLeg::Flash { session, call } => {
                let heard = self.end_talk(session, call);
                if let (Some(heard), Some(active)) = (heard, self.calls.entry(id)) {
                    active.facts.browser.received = heard.received;
                    active.facts.browser.sent = heard.sent;
                }
                return;
            }
            VisitorLeg::Gone => return,
        };
        if let (Some(figures), Some(active)) =
            (self.browsers.statistics(peer), self.calls.entry(id))
        {
            active.facts.browser = figures;
        }
        self.browsers.close(now, peer);
        self.drain_browsers(now);
    }
}

pub(super) fn unknown(call: u32) -> ServerMessage {
    let hint = "It may have ended already.";
    legs::browser::error(ErrorCode::UnknownCall, Some(call), "No such call", hint)
}

pub(super) fn bad(call: u32, message: &str) -> ServerMessage {
    let hint = "See RTCKit.webPhone's documentation.";
    legs::browser::error(ErrorCode::BadMessage, Some(call), message, hint)
}
