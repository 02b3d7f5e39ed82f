//! The rows of the table.

use crate::{flash, pages, provider, strangers};
use base::Codec;
use harness::appliance::ORIGINS;
use harness::lines::{Line, Lines};
use harness::look::Look;
use harness::measure::{cpu, median, memory};
use harness::peer::Peer;
use harness::rtpengine::Rtpengine;
use harness::{Appliance, Place, Shop, Visitor, VisitorSettings, wait, web};
use signalling::CallState;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How much of everything.
pub struct Bench {
    pub calls: u32,
    pub seconds: u32,
    /// One part of the table alone.
    pub only: Option<String>,
}

/// The parts of the table, in the order in which they are measured.
pub const PARTS: [&str; 8] =
    ["start", "relay", "transcode", "setup", "sip", "flash", "pages", "strangers"];

/// A row: its key, what is printed, and what is wanted of it.
pub struct Row {
    pub key: &'static str,
    pub words: &'static str,
    pub goal: Option<f64>,
}

/// Where a row's cost goes, as profiles of the executable show it; printed where a goal is missed.
pub fn spent(key: &str) -> Option<&'static str> {
    match key {
        "relay" => Some(
            "relay: with 20 calls six tenths are the kernel's (a third of it sending, a quarter \
             the waking every 2 ms, which more calls share, the rest reading), a third is the \
             program's own, of which the ciphers are a tenth.",
        ),
        "flash-relay" => Some(
            "Speex between RTMFP and RTP: with 20 calls six tenths are the kernel's (a quarter of \
             all is sending, another quarter the waking every 2 ms, which more calls share), a third \
             is the program's own, spread over flows, sessions, RTP and the round, none of which \
             takes more than a thirtieth.",
        ),
        "sip" => Some(
            "signalling and SIP leg: the page's thread (WebSocket and its messages) and the shard \
             (SIP, SDP, opening the call's two ports) share it about evenly; a third of both is \
             the kernel's.",
        ),
        "relay-memory" => Some(
            "memory of a relayed call: about 12 KB are the finished DTLS connection and its \
             ciphers, 7 KB SIP messages kept while their transactions last, 5 KB the call's own \
             entry, 6 KB the page's socket, 10 KB the allocator's rounding.",
        ),
        "agent" => Some(
            "a call through a proxy: a third to four tenths are the kernel's (five waits, four \
             reads and three sends a call). Of the 340 000 instructions of our own a quarter reads \
             the four messages that come, a quarter acts on them, an eighth each builds INVITE and \
             BYE; memory's allocation is a sixth of all.",
        ),
        "transcode-memory" => Some(
            "memory of a transcoded call: Opus' states, 38 KB to encode and 71 KB to decode, stand \
             on top of the relayed call.",
        ),
        _ => None,
    }
}

const fn row(key: &'static str, words: &'static str, goal: Option<f64>) -> Row {
    Row { key, words, goal }
}

/// All rows, as they are printed.
pub const ROWS: &[Row] = &[
    row("relay", "WebRTC PCMU <-> RTP PCMU, ms CPU a second of call", Some(0.8)),
    row("rtpengine-relay", "  the same in rtpengine (userspace)", None),
    row("transcode", "WebRTC Opus <-> RTP PCMU, ms CPU a second of call", Some(7.0)),
    row("setup", "a whole call without talk, ms CPU", None),
    row("ice-dtls", "  of it ICE and DTLS, ms CPU", Some(0.7)),
    row("sip", "  of it signalling and SIP leg, ms CPU", Some(0.3)),
    row("relay-memory", "memory of a relayed call, KB", Some(40.0)),
    row("untraced-memory", "  without its trace", None),
    row("transcode-memory", "memory of a transcoded call, KB", Some(120.0)),
    row("invite", "click to INVITE at the phone, ms", Some(50.0)),
    row("ringing", "click to ringing at the page, ms", Some(400.0)),
    row("agent", "a call through Kamailio, 100 a second, ms CPU of our agent", Some(0.3)),
    row("agent-kernel", "  of it the kernel's", None),
    row("agent-message", "  the same by its seven messages, us CPU each", None),
    row("sipp", "  a call of SIPp in our agent's place, ms CPU", None),
    row("sipp-kernel", "  of it the kernel's", None),
    row("proxy", "  Kamailio's part of a call of ours, ms CPU", None),
    row("phone", "  the part of SIPp behind it, which answers, ms CPU", None),
    row("register", "10000 registrations for 60 s, ms CPU a second", None),
    row("register-hour", "  the same for 3600 s: while none is due, ms CPU a second", None),
    row("register-each", "  a refresh, us CPU", None),
    row("register-proxy", "  a refresh in Kamailio, us CPU", None),
    row("register-memory", "  memory of an account, KB", None),
    row("register-arrival", "  from nothing to all registered, s", None),
    row("flash-handshake", "RTMFP handshake, static key of group 2, ms CPU", None),
    row("flash-handshakes", "  of these a second by one core", None),
    row("flash-handshake-14", "RTMFP handshake with HMAC, group 14, ms CPU", None),
    row("flash-handshakes-14", "  of these a second by one core", None),
    row("flash-memory", "memory of a Flash client of 1000, KB", Some(40.0)),
    row("flash-relay", "RTMFP Speex <-> RTP Speex, us CPU a message of 20 ms", Some(9.0)),
    row("flash-relay-call", "  the same, ms CPU a second of call", None),
    row("flash-transcode", "RTMFP Speex <-> RTP PCMU, ms CPU a second of call", Some(8.0)),
    row("flash-gap", "longest gap in a call under 10000 hellos a second, ms", Some(60.0)),
    row("scanner", "a scanner's request on the SIP port, us CPU", Some(5.0)),
    row("garbage", "provider's answer under 10000 garbage a second, ms later", Some(5.0)),
    row("deaf-datagrams", "a peer that never reads its TCP: others' answers, ms later", Some(5.0)),
    row("deaf-connection", "  the same for others by TCP, ms later", Some(5.0)),
    row("page", "call page by 32 kept connections, us CPU a request", Some(10.0)),
    row("file", "18 KB of JavaScript in the same way, us CPU a request", Some(10.0)),
    row("start", "start to first page, ms", Some(100.0)),
    row("idle", "memory when idle, MB", Some(15.0)),
    row("binary", "executable, MB", Some(20.0)),
];

/// One run of every row.
pub fn all(bench: &Bench) -> Vec<(&'static str, f64)> {
    let mut figures = Vec::new();
    let wanted = |part: &str| bench.only.as_ref().is_none_or(|only| only == part);
    if wanted("start") {
        figures.extend(start());
    }
    if wanted("relay") {
        figures.extend(sound(bench, Codec::Pcmu, bench.calls, ["relay", "relay-memory"]));
        figures.push(("untraced-memory", untraced(bench)));
        figures.extend(rtpengine(bench));
    }
    if wanted("transcode") {
        // Visitors' own codecs are busy too: fewer calls, so that the machine is not.
        let few = (bench.calls / 2).max(1);
        figures.extend(sound(bench, Codec::Opus, few, ["transcode", "transcode-memory"]));
    }
    if wanted("setup") {
        figures.extend(setup());
        figures.extend(delays());
    }
    if wanted("sip") {
        figures.extend(provider::all());
    }
    if wanted("flash") {
        figures.extend(flash::all(bench));
    }
    if wanted("pages") {
        figures.extend(pages());
    }
    if wanted("strangers") {
        figures.extend(strangers::all());
    }
    figures
}

pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

pub fn shop(phone: SocketAddr) -> Shop {
    shop_with(phone, Codec::Pcmu)
}

/// A shop whose phone line has this codec.
pub fn shop_with(phone: SocketAddr, codec: Codec) -> Shop {
    let account = format!(
        "registrar = \"{phone}\"\nusername = \"shop\"\nregister = false\ncodecs = [\"{}\"]",
        codec.key()
    );
    let button = format!("destination = \"sip:sales@{phone}\"\n{ORIGINS}\nmax_calls = 500");
    Shop::new().account("main", &account).button("sales", &button).rtp_ports(400).terse()
}

fn quiet(codec: Codec) -> VisitorSettings {
    let settings = VisitorSettings::with_codecs(&[codec]);
    VisitorSettings { listens: false, look: Look::OnBeat, ..settings }
}

fn start() -> Vec<(&'static str, f64)> {
    let place = Place::new("bench-start");
    let phone = Lines::start(Look::OnBeat);
    let begun = Instant::now();
    let appliance = Appliance::start(&place, &shop(phone.sip));
    assert_eq!(web::get(appliance.http, "/b/sales").unwrap().status, 200);
    let took = begun.elapsed();
    std::thread::sleep(Duration::from_secs(1));
    let idle = memory(appliance.pid()) as f64 / 1_024.0;
    let size = std::fs::metadata(Appliance::executable()).unwrap().len() as f64 / 1_048_576.0;
    vec![("start", milliseconds(took)), ("idle", idle), ("binary", size)]
}

/// Sound both ways for a while: CPU and memory a call.
fn sound(
    bench: &Bench,
    codec: Codec,
    calls: u32,
    keys: [&'static str; 2],
) -> Vec<(&'static str, f64)> {
    let figures = sound_in(bench, codec, calls, |shop| shop);
    keys.into_iter().zip(figures).collect()
}

/// The memory of a relayed call that is not traced.
fn untraced(bench: &Bench) -> f64 {
    let [_, memory] = sound_in(bench, Codec::Pcmu, bench.calls, Shop::untraced);
    memory
}

/// CPU and memory a call in a shop that is otherwise so.
fn sound_in(bench: &Bench, codec: Codec, calls: u32, so: impl Fn(Shop) -> Shop) -> [f64; 2] {
    let place = Place::new("bench-sound");
    let phone = Lines::start(Look::OnBeat);
    let appliance = Appliance::start(&place, &so(shop(phone.sip)));
    // A first call brings what every further one shares.
    let mut first = Visitor::open(&appliance, quiet(codec));
    first.call();
    first.talks();
    std::thread::sleep(Duration::from_millis(500));
    let before = memory(appliance.pid());
    let talkers: Vec<Visitor> = (0..calls)
        .map(|_| {
            let mut visitor = Visitor::open(&appliance, quiet(codec));
            visitor.call();
            visitor.talks();
            visitor
        })
        .collect();
    std::thread::sleep(Duration::from_secs(1));
    let (begun, used) = (Instant::now(), cpu(appliance.pid()));
    std::thread::sleep(Duration::from_secs(u64::from(bench.seconds)));
    let (time, used) = (begun.elapsed(), cpu(appliance.pid()) - used);
    let after = memory(appliance.pid());
    let calls = f64::from(calls);
    for talker in &talkers {
        let packets = talker.look(|seen| seen.packets);
        assert!(packets > u64::from(bench.seconds) * 40, "sound flows: {packets} packets");
    }
    let busy = milliseconds(used) / time.as_secs_f64() / (calls + 1.0);
    [busy, after.saturating_sub(before) as f64 / calls]
}

fn rtpengine(bench: &Bench) -> Option<(&'static str, f64)> {
    let place = Place::new("bench-rtpengine");
    let mut engine = Rtpengine::start(&place)?;
    let mut talkers = Vec::new();
    for number in 0..bench.calls {
        let call = format!("call-{number}");
        let mut peer = Peer::new(quiet(Codec::Pcmu));
        let offer = engine.offer(&call, &peer.offer)?;
        let line = Line::talk(&offer)?;
        let mid = peer.offer.lines().find_map(|line| line.strip_prefix("a=mid:"))?;
        let answer = engine.answer(&call, &line.sdp(), mid)?;
        peer.answer(&answer);
        talkers.push((peer, line));
    }
    let connected = wait::within(Duration::from_secs(15), || {
        talkers.iter().all(|(peer, _)| peer.is_connected()).then_some(())
    });
    connected?;
    std::thread::sleep(Duration::from_secs(1));
    let before: u64 = talkers.iter().map(|(peer, _)| peer.packets()).sum();
    let (begun, used) = (Instant::now(), cpu(engine.pid()));
    std::thread::sleep(Duration::from_secs(u64::from(bench.seconds)));
    let (time, used) = (begun.elapsed(), cpu(engine.pid()) - used);
    let after: u64 = talkers.iter().map(|(peer, _)| peer.packets()).sum();
    let wanted = u64::from(bench.calls * bench.seconds) * 40;
    if after - before < wanted {
        eprintln!("rtpengine passed {} packets of {wanted}; it is left out", after - before);
        return None;
    }
    let busy = milliseconds(used) / time.as_secs_f64() / f64::from(bench.calls);
    Some(("rtpengine-relay", busy))
}

/// Calls that are hung up as soon as they are up, with and without media: what they cost.
fn setup() -> Vec<(&'static str, f64)> {
    let place = Place::new("bench-setup");
    let phone = Lines::start(Look::OnBeat);
    let appliance = Appliance::start(&place, &shop(phone.sip));
    let cost = |settings: VisitorSettings| {
        // A page may send so many messages at once, and each call takes two of them.
        const CALLS_PER_PAGE: usize = signalling::limits::MESSAGES_BURST as usize / 4;
        const PAGES: usize = 4;
        let pages = (0..PAGES).map(|_| Visitor::open(&appliance, settings.clone()));
        let mut pages: Vec<Visitor> = pages.collect();
        call(&mut pages[0], &settings);
        let used = cpu(appliance.pid());
        for page in &mut pages {
            (0..CALLS_PER_PAGE).for_each(|_| call(page, &settings));
        }
        milliseconds(cpu(appliance.pid()) - used) / (PAGES * CALLS_PER_PAGE) as f64
    };
    let whole = cost(quiet(Codec::Pcmu));
    let without = cost(VisitorSettings { udp: false, ..quiet(Codec::Pcmu) });
    vec![("setup", whole), ("ice-dtls", whole - without), ("sip", without)]
}

/// The same as a visitor notices it, who is woken for each packet: how long it takes.
fn delays() -> Vec<(&'static str, f64)> {
    const CALLS: usize = 10;
    let place = Place::new("bench-delays");
    let phone = Lines::start(Look::AtOnce);
    let appliance = Appliance::start(&place, &shop(phone.sip));
    let settings = VisitorSettings { look: Look::AtOnce, ..quiet(Codec::Pcmu) };
    let mut visitor = Visitor::open(&appliance, settings.clone());
    let (mut invites, mut ringing) = (Vec::new(), Vec::new());
    for number in 0..CALLS {
        call(&mut visitor, &settings);
        let called = visitor.look(|seen| seen.called_at).unwrap();
        invites.push(milliseconds(phone.invites()[number] - called));
        ringing.push(milliseconds(visitor.reaches(CallState::Ringing).at - called));
    }
    vec![("invite", median(invites)), ("ringing", median(ringing))]
}

/// A whole call without talk.
fn call(visitor: &mut Visitor, settings: &VisitorSettings) {
    visitor.call();
    visitor.reaches(CallState::Active);
    if settings.udp {
        visitor.until("its media is connected", |seen| seen.connected_at);
    }
    visitor.hang_up();
    visitor.ends();
}

fn pages() -> Vec<(&'static str, f64)> {
    let place = Place::new("bench-pages");
    let phone = Lines::start(Look::OnBeat);
    let appliance = Appliance::start(&place, &shop(phone.sip));
    let page = pages::cost(&appliance, "/b/sales", "Accept-Encoding: gzip, deflate, br\r\n");
    let file = pages::cost(&appliance, "/api/rtckit.js", "");
    [("page", page), ("file", file)]
        .into_iter()
        .filter_map(|(key, cost)| Some((key, cost?)))
        .collect()
}

/// What the table's figures hold and what they do not.
pub const NOTES: &str = "\
CPU is that of all threads of the server's process. The load generator is one thread that looks at
its sockets every 2 ms, for the appliance and for rtpengine alike: what they send wakes nobody. On
loopback the sender pays for a packet's whole way to the other socket; that is in both figures. As
the load comes on a beat, several packets arrive together; that saves wakings-up to whoever wakes
for each. Generator and server share the machine's cores. rtpengine runs with two threads and
without its kernel module. Delays are measured with a phone and a browser that are woken at once.
Part sip runs our SIP user agent on a shard's sockets and as a shard drives it, in a process without
pages and sound; what its transactions cost after the last call counts too. Kamailio and SIPp log
nothing there.";
