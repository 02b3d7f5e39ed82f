//! What SIP costs: calls through a proxy, beside SIPp in the same place, and many registrations.

use crate::agent::{Agent, Work};
use crate::rows::milliseconds;
use harness::internet::Site;
use harness::kamailio::{Kamailio, Provider};
use harness::measure::{cpu, cpu_of_family, kernel_part, memory};
use harness::place;
use harness::program::Program;
use harness::{Place, wait};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Calls: how many a second, for how long, and how long each lasts.
const PER_SECOND: u64 = 100;
const LASTS: u64 = 20;
const HOLD: Duration = Duration::from_secs(1);
/// Messages that a caller sends and gets in a call: INVITE, 100, 180, 200, ACK, BYE, 200.
const MESSAGES: f64 = 7.0;
/// How long the last transaction may outlive the last call (RFC 3261 17.1.1.2, Timer M and D), and
/// what a slow machine needs besides.
const AFTERMATH: Duration = Duration::from_secs(60);

/// Accounts, their lifetime in seconds, and how long their refreshes are watched.
const ACCOUNTS: u64 = 10_000;
const EXPIRES: u64 = 60;
const WATCHED: Duration = Duration::from_secs(54);
/// How long the same accounts are watched while none is due.
const HOUR: u64 = 3_600;
const IDLE: Duration = Duration::from_secs(10);
/// How long all may take to register.
const ARRIVAL: Duration = Duration::from_secs(120);

/// One run of every row.
pub fn all() -> Vec<(&'static str, f64)> {
    let mut figures = ours();
    figures.extend(theirs());
    figures.extend(registrations());
    figures
}

/// A proxy that stays on the way of calls, and a phone behind it that answers them all.
struct Network {
    place: Place,
    proxy: Kamailio,
    phone: Program,
}

impl Network {
    fn start(name: &str) -> Network {
        let place = Place::new(name);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, place::port()));
        let phone = sipp(&place, "answers-calls", address, &[]);
        wait::until("the phone listens", || Site::default().is_bound(address.port()).then_some(()));
        let provider =
            Provider { phone: Some(address), open: true, busy: true, ..Provider::default() };
        let proxy = Kamailio::provide(&place, &provider);
        Network { place, proxy, phone }
    }

    /// CPU so far: the proxy's, the phone's.
    fn cpu(&self) -> [Duration; 2] {
        [cpu_of_family(self.proxy.pid()), cpu(self.phone.pid())]
    }
}

/// SIPp under load.
fn sipp(place: &Place, scenario: &str, own: SocketAddr, arguments: &[String]) -> Program {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/sipp");
    let mut command = Command::new("sipp");
    command.current_dir(place.folder()).env("TERM", "dumb");
    command.arg("-sf").arg(folder.join(format!("{scenario}.xml")));
    command.arg("-i").arg(own.ip().to_string()).arg("-p").arg(own.port().to_string());
    // What it draws once a second is no part of a call.
    command.args(["-nostdin", "-f", "3600", "-l", "20000"]).args(arguments);
    Program::start("sipp", &mut command, &place.path(&format!("{scenario}.log")))
}

/// Our agent's calls.
fn ours() -> Vec<(&'static str, f64)> {
    let network = Network::start("bench-sip-ours");
    let (proxy, count) = (network.proxy.sip, PER_SECOND * LASTS);
    let work = Work::Calls { proxy, count, per_second: PER_SECOND, hold: HOLD };
    let mut agent = Agent::start(&network.place, work);
    let (used, others) = (cpu(agent.pid()), network.cpu());
    let limit = Duration::from_secs(LASTS) + HOLD + AFTERMATH;
    let answered = agent.number("answered", limit);
    let resent = agent.newest("resent");
    assert!(answered == count, "{answered} of {count} calls are answered");
    if resent > count / 100 {
        eprintln!("{resent} messages went out twice: the machine is too busy for these figures");
    }
    let each = |used: Duration| milliseconds(used) / count as f64;
    let used = each(cpu(agent.pid()) - used);
    let [proxy, phone] = network.cpu();
    vec![
        ("agent", used),
        ("agent-kernel", used * kernel_part(agent.pid())),
        ("agent-message", used * 1_000.0 / MESSAGES),
        ("proxy", each(proxy - others[0])),
        ("phone", each(phone - others[1])),
    ]
}

/// SIPp's calls in its place.
fn theirs() -> Vec<(&'static str, f64)> {
    let network = Network::start("bench-sip-theirs");
    let count = PER_SECOND * LASTS;
    let own = SocketAddr::from((Ipv4Addr::LOCALHOST, place::port()));
    let arguments = [
        network.proxy.sip.to_string(),
        "-r".to_owned(),
        PER_SECOND.to_string(),
        "-m".to_owned(),
        count.to_string(),
        "-d".to_owned(),
        HOLD.as_millis().to_string(),
    ];
    let mut caller = sipp(&network.place, "places-calls", own, &arguments);
    // Nothing is left of a process that has ended: its figures are read until then.
    let (begun, mut used, mut kernel) = (Instant::now(), Duration::ZERO, 0.0);
    let limit = Duration::from_secs(LASTS) + HOLD + AFTERMATH;
    let status = loop {
        if let Some(status) = caller.ended() {
            break status;
        }
        assert!(begun.elapsed() < limit, "SIPp does not end");
        if Path::new(&format!("/proc/{}/task", caller.pid())).is_dir() {
            let now = cpu(caller.pid());
            if now > used {
                (used, kernel) = (now, kernel_part(caller.pid()));
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(status.success(), "SIPp's calls fail: {status}");
    let used = milliseconds(used) / count as f64;
    vec![("sipp", used), ("sipp-kernel", used * kernel)]
}

/// Many accounts at one registrar: memory of each, and what keeping them costs.
fn registrations() -> Vec<(&'static str, f64)> {
    let mut minute = Registered::start(EXPIRES);
    // From here on every account is in its refreshes, and what the arrival kept is let go.
    std::thread::sleep(Duration::from_secs(EXPIRES / 2));
    let kept = memory(minute.agent.pid()).saturating_sub(minute.before) as f64 / ACCOUNTS as f64;
    let [used, theirs, refreshed] = minute.watch(WATCHED);
    // Each is refreshed in the last sixth of its life at the latest.
    let wanted = (ACCOUNTS * WATCHED.as_secs() / EXPIRES) as f64 * 0.95;
    let done = refreshed * WATCHED.as_secs_f64();
    assert!(done > wanted, "{done} refreshes, {wanted} are wanted");
    let arrival = minute.arrival.as_secs_f64();
    drop(minute);
    let mut hour = Registered::start(HOUR);
    std::thread::sleep(Duration::from_secs(EXPIRES / 2));
    let [idle, ..] = hour.watch(IDLE);
    vec![
        ("register", used),
        ("register-hour", idle),
        ("register-each", used * 1_000.0 / refreshed),
        ("register-proxy", theirs * 1_000.0 / refreshed),
        ("register-memory", kept),
        ("register-arrival", arrival),
    ]
}

/// Accounts that are all registered.
struct Registered {
    agent: Agent,
    registrar: Kamailio,
    /// The agent's memory without them, in kilobytes.
    before: u64,
    /// How long it took.
    arrival: Duration,
    _place: Place,
}

impl Registered {
    fn start(expires: u64) -> Registered {
        let place = Place::new("bench-registrations");
        let provider = Provider { busy: true, ..Provider::default() };
        let registrar = Kamailio::provide(&place, &provider);
        let work = Work::Accounts { registrar: registrar.sip, count: ACCOUNTS, expires };
        let mut agent = Agent::start(&place, work);
        let (before, begun) = (memory(agent.pid()), Instant::now());
        agent.number("registered", ARRIVAL);
        let arrival = begun.elapsed();
        Registered { agent, registrar, before, arrival, _place: place }
    }

    /// Milliseconds of CPU a second of the agent and of the registrar, and refreshes a second.
    fn watch(&mut self, time: Duration) -> [f64; 3] {
        let look = |all: &Registered| {
            (
                cpu(all.agent.pid()),
                cpu_of_family(all.registrar.pid()),
                all.agent.newest("refreshed"),
            )
        };
        let (begun, before) = (Instant::now(), look(self));
        std::thread::sleep(time);
        let (time, after) = (begun.elapsed().as_secs_f64(), look(self));
        let failed = self.agent.newest("failed");
        assert!(failed == 0, "{failed} registrations failed");
        let [used, theirs] = [after.0 - before.0, after.1 - before.1].map(milliseconds);
        [used / time, theirs / time, (after.2 - before.2) as f64 / time]
    }
}
