//! The registrar and proxy that has a mood. It stays on the way of every call: a call to who has
//! registered goes there, any other to its phone.

use super::digest::Nonces;
use super::wires::{Came, Wires};
use super::{Habits, Mood, Rule};
use crate::certificates::Authority;
use crate::handset::Handset;
use crate::place::{self, Place};
use crate::visitor::runtime;
use crate::wait;
use base::Protocol;
use sip::message::{Message, Method, Name, NameAddr, Request, Response, Uri, reason_phrase};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::sync::mpsc;

/// Where something came from or goes to.
type Way = (Protocol, SocketAddr);

/// A running provider. Dropping it ends it.
#[derive(Debug)]
pub struct Provider {
    /// Its registrar's host and port as the file names them.
    pub registrar: String,
    /// Its authority's certificate, where it takes TLS.
    pub authority: Option<PathBuf>,
    /// The phone behind it.
    pub phone: Handset,
    seen: Arc<Mutex<Seen>>,
    task: tokio::task::AbortHandle,
}

/// What came to it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Requests that it took in, with what it said to them itself; 0 for those that it passed on
    /// and those that it dropped.
    pub requests: Vec<(Method, u16)>,
    /// Requests that a rule refused, with the rule's place.
    pub refused: Vec<(Method, usize)>,
    /// Where who has registered is reached.
    pub contacts: Vec<SocketAddr>,
}

impl Provider {
    /// Starts one in a mood.
    pub fn start(place: &Place, mood: &Mood) -> Provider {
        let sip = SocketAddr::from((Ipv4Addr::LOCALHOST, place::ports(2)));
        let habits = mood.habits.clone();
        let authority = habits.tls.then(|| Authority::new(place, "authority"));
        let files = authority.as_ref().map(|known| known.certify(place, "localhost", false));
        let registrar = match habits.tls {
            true => format!("localhost:{}", sip.port() + 1),
            false => sip.to_string(),
        };
        let phone = Handset::start(mood.phone.clone());
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (sender, mut inbox) = mpsc::unbounded_channel();
        let wires = runtime().block_on(async {
            let files = files.as_ref().map(|(chain, key)| (chain.as_path(), key.as_path()));
            Wires::open(&habits, sip, files, &sender).await
        });
        let mut office = Office {
            claimed: habits.sees_another_port.then(place::port),
            rules: mood.rules.clone(),
            habits,
            wires,
            own: sip,
            phone: phone.sip,
            nonces: Nonces::default(),
            bindings: HashMap::new(),
            passed: HashMap::new(),
            behind: HashMap::new(),
            count: 0,
            heard_at: Instant::now(),
            seen: Arc::clone(&seen),
        };
        let task = runtime().spawn(async move {
            while let Some(came) = inbox.recv().await {
                office.take(came).await;
            }
        });
        let (authority, task) = (authority.map(|known| known.file), task.abort_handle());
        Provider { registrar, authority, phone, seen, task }
    }

    /// Looks at what came so far.
    pub fn look<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap())
    }

    /// Waits until a request of this method was refused by a rule.
    pub fn refuses(&self, method: &Method) {
        wait::until(&format!("a {method} is refused"), || {
            let found = self.look(|seen| seen.refused.iter().any(|(known, _)| known == method));
            found.then_some(())
        });
    }

    /// How many requests of this method came.
    pub fn requests(&self, method: &Method) -> usize {
        self.look(|seen| seen.requests.iter().filter(|(known, _)| known == method).count())
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The tag of what the provider says itself.
const TAG: &str = "provider";

/// A request that was passed on, by the branch of our Via.
struct Passed {
    vias: Vec<String>,
    from: Way,
    to: Way,
    request: Request,
    /// A 180 that waits for the 183.
    held: Option<Response>,
}

/// All that the provider knows.
struct Office {
    habits: Habits,
    rules: Vec<Rule>,
    wires: Wires,
    own: SocketAddr,
    phone: SocketAddr,
    nonces: Nonces,
    /// Who has registered, under which address, and the way there.
    bindings: HashMap<String, (Uri, Way)>,
    passed: HashMap<String, Passed>,
    /// The port at which it sees everybody, and whom it so sees.
    claimed: Option<u16>,
    behind: HashMap<SocketAddr, SocketAddr>,
    count: u64,
    /// When something came that keeps who has registered in its memory.
    heard_at: Instant,
    seen: Arc<Mutex<Seen>>,
}

impl Office {
    async fn take(&mut self, came: Came) {
        let Came { message, from, octets } = came;
        match message {
            Message::Request(mut request) => {
                self.stamp(&mut request, from);
                let tag = request.to().ok().and_then(|to| to.tag().map(str::to_owned));
                // What has our own tag ends a refusal of ours, and is nobody else's.
                let within = tag.is_some_and(|tag| tag != TAG);
                match request.method {
                    Method::Cancel => self.cancel(request, from).await,
                    _ if within => self.pass_within(request, from).await,
                    // The end of a refusal.
                    Method::Ack => {}
                    _ => self.judge(request, from, octets).await,
                }
            }
            Message::Response(response) => self.pass_back(response).await,
        }
    }

    /// Notes in the topmost Via where it came from.
    fn stamp(&mut self, request: &mut Request, from: Way) {
        let mut via = request.via().unwrap();
        via.set_received(from.1.ip());
        if via.rport().is_some() {
            let port = match self.claimed.filter(|_| from.1 != self.phone) {
                Some(port) => {
                    self.behind.insert(SocketAddr::new(from.1.ip(), port), from.1);
                    port
                }
                None => from.1.port(),
            };
            via.set_rport(Some(port));
        }
        request.headers.set_first(&Name::Via, via.to_string());
    }

    /// A request that begins something.
    async fn judge(&mut self, request: Request, from: Way, octets: usize) {
        let via = request.headers.get(&Name::Via).unwrap_or_default();
        if self.passed.values().any(|passed| passed.vias.first().is_some_and(|known| known == via))
        {
            // A repeat of what is under way.
            return;
        }
        let refuses =
            |rule: &Rule, after| rule.after_password == after && rule.refuses(&request, octets);
        let mut refused = self.rules.iter().position(|rule| refuses(rule, false));
        // That somebody is there is asked without a password.
        if refused.is_none() && request.method != Method::Options {
            if let Some(asked) = self.nonces.ask(&self.habits, &request) {
                return self.say(&request, from, asked.status, asked.add).await;
            }
            refused = self.rules.iter().position(|rule| refuses(rule, true));
        }
        if let Some(place) = refused {
            let rule = self.rules[place].clone();
            self.seen.lock().unwrap().refused.push((request.method.clone(), place));
            return self.say(&request, from, rule.status, rule.add.into_iter().collect()).await;
        }
        match request.method {
            Method::Register => self.register(&request, from).await,
            Method::Options => {
                self.heard_at = Instant::now();
                self.say(&request, from, 200, Vec::new()).await;
            }
            Method::Invite => {
                let silent = self.heard_at.elapsed();
                if self.habits.forgets_after.is_some_and(|after| silent > after) {
                    return self.say(&request, from, 403, Vec::new()).await;
                }
                let user = request.uri.user_text().unwrap_or_default();
                self.say(&request, from, 100, Vec::new()).await;
                let mut request = request;
                let mut to = (Protocol::Udp, self.phone);
                if let Some((contact, way)) = self.bindings.get(&user) {
                    (request.uri, to) = (contact.clone(), *way);
                }
                self.pass(request, from, to).await;
            }
            _ => self.say(&request, from, 405, Vec::new()).await,
        }
    }

    async fn register(&mut self, request: &Request, from: Way) {
        self.heard_at = Instant::now();
        let user = request.to().unwrap().uri.user_text().unwrap_or_default();
        let asked = request.headers.seconds(&Name::Expires).unwrap_or(3600);
        let mut add = Vec::new();
        for contact in request.contacts() {
            let seconds = contact.expires().unwrap_or(asked);
            if seconds == 0 {
                continue;
            }
            if seconds < self.habits.least {
                let least = self.habits.least.to_string();
                return self.say(request, from, 423, vec![(Name::MinExpires, least)]).await;
            }
            let at = address(&contact.uri).unwrap_or(from.1);
            self.seen.lock().unwrap().contacts.push(at);
            let way = if from.0 == Protocol::Udp { self.way_to(at) } else { from };
            self.bindings.insert(user.clone(), (contact.uri.clone(), way));
            let mut shown = NameAddr::new(contact.uri.clone());
            if self.habits.rewrites {
                shown.uri.host = sip::message::Host::parse("198.51.100.1").unwrap();
                shown.uri.port = Some(5099);
            }
            shown.params.set("expires", Some(&seconds.min(self.habits.most).to_string()));
            add.push((Name::Contact, shown.to_string()));
        }
        if add.is_empty() {
            self.bindings.remove(&user);
        }
        self.say(request, from, 200, add).await;
    }

    /// A request of a dialog: on to where its Request-URI says.
    async fn pass_within(&mut self, mut request: Request, from: Way) {
        let routes = request.routes();
        let ours = routes.first().and_then(|route| route.uri.port);
        let own = [Some(self.own.port()), Some(self.own.port() + 1)];
        request.headers.remove(&Name::Route);
        for route in routes.iter().skip(usize::from(own.contains(&ours))) {
            request.headers.push(Name::Route, route.to_string());
        }
        if let Some(to) = address(&request.uri) {
            let to = self.way_to(to);
            self.pass(request, from, to).await;
        }
    }

    /// Sends a request on, under a Via of our own alone.
    async fn pass(&mut self, mut request: Request, from: Way, to: Way) {
        self.count += 1;
        let branch = format!("z9hG4bKmood{}", self.count);
        let vias = request.headers.all(&Name::Via).map(str::to_owned).collect();
        request.headers.remove(&Name::Via);
        let name = format!("{:?}", to.0).to_ascii_uppercase();
        let via = format!("SIP/2.0/{name} {};rport;branch={branch}", self.own);
        request.headers.push_front(Name::Via, via);
        if begins_call(&request) {
            request.headers.push_front(Name::RecordRoute, self.record_route(to.0));
        }
        let octets = request.to_bytes();
        self.note(&request.method, 0);
        self.passed.insert(branch, Passed { vias, from, to, request, held: None });
        self.wires.send(to, octets).await;
    }

    /// Sends a response back to where its request came from.
    async fn pass_back(&mut self, mut response: Response) {
        let Ok(via) = response.via() else { return };
        let Some(passed) = via.branch().and_then(|branch| self.passed.get_mut(branch)) else {
            return;
        };
        let (from, to, begins) = (passed.from, passed.to, begins_call(&passed.request));
        if response.status == 100 {
            return;
        }
        let ack = (begins && response.status >= 300).then(|| acknowledgement(passed, &response));
        response.headers.remove(&Name::Via);
        for via in passed.vias.iter().rev() {
            response.headers.push_front(Name::Via, via.clone());
        }
        let mut all = Vec::new();
        if begins && self.habits.ringing_last && response.status == 180 {
            passed.held = Some(response.clone());
        } else {
            let held = passed.held.take_if(|_| response.status == 183);
            all = std::iter::once(response).chain(held).collect();
        }
        for mut response in all {
            if begins {
                response.headers.set(Name::RecordRoute, self.record_route(from.0));
            }
            self.wires.send(from, response.to_bytes()).await;
        }
        if let Some(ack) = ack {
            self.wires.send(to, ack.to_bytes()).await;
        }
    }

    async fn cancel(&mut self, mut cancel: Request, from: Way) {
        self.say(&cancel, from, 200, Vec::new()).await;
        let branch =
            |text: &str| sip::message::Via::parse(text).map(|via| via.branch().map(str::to_owned));
        let wanted = cancel.headers.get(&Name::Via).and_then(branch);
        let found = self.passed.values().find(|passed| {
            begins_call(&passed.request)
                && passed.vias.first().and_then(|via| branch(via)) == wanted
        });
        if let Some(passed) = found {
            let (via, to) = (passed.request.headers.get(&Name::Via).unwrap().to_owned(), passed.to);
            cancel.headers.set(Name::Via, via);
            cancel.uri = passed.request.uri.clone();
            self.wires.send(to, cancel.to_bytes()).await;
        }
    }

    /// Answers a request itself; 0: not at all.
    async fn say(&self, request: &Request, to: Way, status: u16, add: Vec<(Name, String)>) {
        if status != 100 {
            self.note(&request.method, status);
        }
        if status == 0 {
            return;
        }
        let mut response = request.response(status, reason_phrase(status));
        if status > 100 {
            let mut to = response.to().unwrap();
            to.set_tag(TAG);
            response.headers.set(Name::To, to.to_string());
        }
        for (name, value) in add {
            response.headers.push(name, value);
        }
        self.wires.send(to, response.to_bytes()).await;
    }

    fn note(&self, method: &Method, status: u16) {
        self.seen.lock().unwrap().requests.push((method.clone(), status));
    }

    /// The way to an address as phones name it.
    fn way_to(&self, at: SocketAddr) -> Way {
        self.wires.way_to(self.behind.get(&at).copied().unwrap_or(at))
    }

    /// Where requests of a dialog are to come by, for a neighbour who is reached so.
    fn record_route(&self, protocol: Protocol) -> String {
        match protocol {
            Protocol::Udp => format!("<sip:{};lr>", self.own),
            Protocol::Tcp => format!("<sip:{};transport=tcp;lr>", self.own),
            Protocol::Tls => {
                let at = SocketAddr::new(self.own.ip(), self.own.port() + 1);
                format!("<sip:{at};transport=tls;lr>")
            }
        }
    }
}

/// Whether a request is the INVITE that begins a call.
fn begins_call(request: &Request) -> bool {
    request.method == Method::Invite && request.to().is_ok_and(|to| to.tag().is_none())
}

/// The address that a URI names.
fn address(uri: &Uri) -> Option<SocketAddr> {
    Some(SocketAddr::new(uri.host.address()?, uri.port.unwrap_or(5060)))
}

/// The ACK of a refusal, which belongs to the INVITE's transaction.
fn acknowledgement(passed: &Passed, response: &Response) -> Request {
    let invite = &passed.request;
    let mut ack = Request::new(Method::Ack, invite.uri.clone());
    for name in [Name::Via, Name::From, Name::CallId, Name::MaxForwards] {
        ack.headers.push(name.clone(), invite.headers.get(&name).unwrap_or("70"));
    }
    ack.headers.push(Name::To, response.headers.get(&Name::To).unwrap_or_default());
    let number = invite.cseq().unwrap().number;
    ack.headers.push(Name::CSeq, format!("{number} ACK"));
    ack
}
