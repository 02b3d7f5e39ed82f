//! The way of a datagram: who sent it, what it is, whose it is.

use super::core::SUPPORTED;
use super::{Endpoint, Event, InviteId};
use crate::invite::{Invite, misread, offer_of};
use crate::limits;
use crate::message::{
    Headers, Message, Method, Name, NameAddr, ParseError, Request, Response, Scheme, parse,
};
use crate::replaces::Replaces;
use crate::transaction::{Hop, Received, TransactionId, User, Wire};
use base::Datagram;
use std::net::SocketAddr;
use std::time::Instant;

impl Endpoint {
    pub(super) fn receive(&mut self, now: Instant, datagram: &Datagram<'_>) {
        // Strangers are dropped before their octets are looked at.
        if !self.core.knows(datagram.remote.ip()) {
            self.core.out.counters.dropped_foreign += 1;
            return;
        }
        // Some phones hold their NAT open with a few zero octets.
        if datagram.payload.iter().all(|octet| b"\r\n\0 ".contains(octet)) {
            return;
        }
        let hop =
            Hop { protocol: datagram.protocol, local: datagram.local, remote: datagram.remote };
        match parse(datagram.payload) {
            Ok(Message::Request(request)) => {
                self.core.out.counters.requests += 1;
                self.on_request(now, request, hop);
            }
            Ok(Message::Response(response)) => {
                self.core.out.counters.responses += 1;
                self.on_response(now, &response, hop);
            }
            Err(ParseError::KeepAlive) => {}
            Err(error) => {
                self.core.out.counters.malformed += 1;
                if let ParseError::Reject { reply: Some(mut reply), .. } = error {
                    // A Via that cannot be read says nothing better than where the request came from.
                    let back = way_back(&mut reply.headers, hop).unwrap_or(hop);
                    self.core.out.send(back, reply.to_bytes());
                }
            }
        }
    }

    fn on_response(&mut self, now: Instant, response: &Response, hop: Hop) {
        let Ok(via) = response.via() else { return };
        match self.core.table.on_response(now, &mut self.core.out, response, via.branch()) {
            Ok((id, user)) => {
                self.core.learn(hop, &via);
                if response.status != 503 {
                    self.core.shunned.forgive(hop);
                }
                match user {
                    User::Invite(invite) => {
                        self.with_invite(invite, |invite, core| {
                            invite.on_response(core, now, id, response);
                        });
                    }
                    User::Registration(account) => {
                        self.with_owner(account, id, |registration, core| {
                            registration.on_response(core, now, id, response);
                        });
                    }
                }
            }
            Err(absorbed) => {
                if !absorbed {
                    self.core.out.counters.unmatched += 1;
                }
            }
        }
    }

    fn on_request(&mut self, now: Instant, mut request: Request, hop: Hop) {
        let Some(back) = way_back(&mut request.headers, hop) else {
            self.core.out.counters.malformed += 1;
            return;
        };
        if request.method == Method::Ack {
            if self.core.table.on_ack(now, &mut self.core.out, &request) {
                return;
            }
            let acknowledged = self.dialog_of(&request).is_some_and(|id| {
                self.with_invite(id, |invite, core| invite.on_ack(core, now, &request))
            });
            if !acknowledged {
                self.core.out.counters.unmatched += 1;
            }
            return;
        }
        match self.core.table.receive(&mut self.core.out, request.clone(), back) {
            Received::Absorbed => {}
            Received::Full => {
                // Answered without state, so that a flood fills nothing (8.2.7).
                self.core.out.counters.overloaded += 1;
                let tag = self.core.seed.token(12);
                let mut response = self.core.reply(&request, 503, Some(&tag));
                response.headers.push(Name::RetryAfter, "10");
                self.core.out.send(back, response.to_bytes());
            }
            Received::New(id) => self.on_new_request(now, id, &request, hop),
        }
    }

    fn on_new_request(&mut self, now: Instant, id: TransactionId, request: &Request, hop: Hop) {
        if request.method == Method::Cancel {
            self.on_cancel(now, id, request);
            return;
        }
        if let Some(unknown) = required(request) {
            self.core.answer_with(now, id, 420, |response| {
                response.headers.push(Name::Unsupported, unknown);
            });
            return;
        }
        let in_dialog = request.to().is_ok_and(|to| to.tag().is_some());
        match (&request.method, in_dialog) {
            (_, true) => {
                let found = self.dialog_of(request).is_some_and(|invite| {
                    self.with_invite(invite, |invite, core| {
                        invite.on_request(core, now, id, request, hop);
                    })
                });
                if !found {
                    self.core.answer(now, id, 481);
                }
            }
            (Method::Invite, false) => self.on_invite(now, id, request, hop),
            (
                Method::Bye | Method::Info | Method::Update | Method::Prack | Method::Notify,
                false,
            ) => self.core.answer(now, id, 481),
            // Nobody may make us call from outside of a call; what makes no sense is told so.
            (Method::Refer, false) => {
                let status = misread(request).unwrap_or(403);
                self.core.answer(now, id, status);
            }
            (method, false) => self.core.answer_method(now, id, method),
        }
    }

    /// The call that a new INVITE takes the place of, or the status that refuses it (RFC 3891 3).
    fn replaced_by(&self, request: &Request) -> Result<Option<InviteId>, u16> {
        let mut all = request.headers.all(&Name::Replaces);
        let Some(value) = all.next() else { return Ok(None) };
        let replaces = Replaces::parse(value).filter(|_| all.next().is_none()).ok_or(400u16)?;
        let key = (replaces.call_id.clone(), replaces.to_tag.clone());
        let id = self.dialogs.get(&key).copied().ok_or(481u16)?;
        let invite = self.invites.get(&id).ok_or(481u16)?;
        if invite.has_ended() {
            return Err(603);
        }
        invite.may_be_replaced(&replaces).map(|()| Some(id))
    }

    /// The call whose dialog a request names.
    fn dialog_of(&self, request: &Request) -> Option<InviteId> {
        let tag = request.to().ok()?.tag()?.to_owned();
        self.dialogs.get(&(request.call_id().to_owned(), tag)).copied()
    }

    /// CANCEL is answered for itself, whatever becomes of the INVITE (9.2).
    fn on_cancel(&mut self, now: Instant, id: TransactionId, cancel: &Request) {
        let pending = self.core.table.invite_of(cancel);
        let Some(server) = pending.and_then(|id| self.core.table.server(id)) else {
            self.core.answer(now, id, 481);
            return;
        };
        let invite = server.invite;
        let awaits = pending.is_some_and(|id| self.core.table.awaits_answer(id));
        let tag = invite.and_then(|id| self.invites.get(&id)).map(|invite| invite.key().1);
        let mut response = self.core.reply(cancel, 200, tag.as_deref());
        if tag.is_none() {
            let tag = self.core.seed.token(12);
            response = self.core.reply(cancel, 200, Some(&tag));
        }
        self.core.respond(now, id, &response);
        if awaits && let Some(invite) = invite {
            self.with_invite(invite, |invite, core| invite.on_cancel(core, now, cancel));
        }
    }

    /// An INVITE from outside of any dialog.
    fn on_invite(&mut self, now: Instant, id: TransactionId, request: &Request, hop: Hop) {
        if matches!(request.uri.scheme, Scheme::Other(_)) {
            self.core.answer(now, id, 416);
            return;
        }
        if !self.core.settings.accept_incoming || self.shut_down {
            self.core.answer(now, id, 480);
            return;
        }
        let Ok(offer) = offer_of(&mut self.core, now, id, request) else { return };
        let replaces = match self.replaced_by(request) {
            Ok(replaces) => replaces,
            Err(status) => {
                self.core.answer(now, id, status);
                return;
            }
        };
        if self.invites.len() >= limits::INVITES {
            self.core.out.counters.overloaded += 1;
            self.core.answer_with(now, id, 503, |response| {
                response.headers.push(Name::RetryAfter, "10");
            });
            return;
        }
        let account = self.account_of(&request.uri, hop.remote);
        let registration = account.and_then(|account| self.accounts.get(&account));
        let user = request.uri.user_text().unwrap_or_default();
        let number = InviteId(self.next_incoming);
        let invite = Invite::receive(&mut self.core, now, number, id, user, registration);
        let (Some(invite), Ok(from)) = (invite, request.from()) else {
            self.core.answer(now, id, 400);
            return;
        };
        self.next_incoming += 1;
        self.insert(now, number, invite);
        self.core.events.push_back(Event::Incoming {
            invite: number,
            account,
            from: NameAddr { params: Default::default(), ..from },
            to: request.uri.clone(),
            offer,
            replaces,
            headers: interesting(request),
        });
    }
}

/// Notes in the topmost Via where the request came from, and says where its responses go
/// (18.2.1, 18.2.2, RFC 3581 4).
fn way_back(headers: &mut Headers, hop: Hop) -> Option<Hop> {
    let mut via = headers.via().ok()?;
    let symmetric = via.rport().is_some() || hop.reliable();
    if via.rport().is_some() {
        via.set_rport(Some(hop.remote.port()));
    }
    if symmetric || via.host.address() != Some(hop.remote.ip()) {
        via.set_received(hop.remote.ip());
    }
    headers.set_first(&Name::Via, via.to_string());
    let port = if symmetric { hop.remote.port() } else { via.port.unwrap_or(5060) };
    // A response to port 0 cannot be sent.
    let port = if port == 0 { hop.remote.port() } else { port };
    Some(Hop { remote: SocketAddr::new(hop.remote.ip(), port), ..hop })
}

/// The extensions that a request demands and that are foreign to us (8.2.2.3).
fn required(request: &Request) -> Option<String> {
    let known = |option: &str| SUPPORTED.split(", ").any(|ours| ours.eq_ignore_ascii_case(option));
    let foreign: Vec<&str> =
        request.headers.tokens(&Name::Require).filter(|option| !known(option)).collect();
    (!foreign.is_empty()).then(|| foreign.join(", "))
}

/// Header fields of an INVITE that whoever takes the call may want to see.
fn interesting(request: &Request) -> Vec<(String, String)> {
    let known = [
        Name::PAssertedIdentity,
        Name::Subject,
        Name::UserAgent,
        Name::ReferredBy,
        Name::UserToUser,
    ];
    request
        .headers
        .iter()
        .filter(|(name, _)| {
            let text = name.as_str();
            known.contains(name) || text.get(..2).is_some_and(|x| x.eq_ignore_ascii_case("x-"))
        })
        .take(limits::EXTRA_HEADERS)
        .map(|(name, value)| (name.as_str().to_owned(), value.to_owned()))
        .collect()
}
