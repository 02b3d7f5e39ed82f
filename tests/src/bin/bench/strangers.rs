//! What whoever is no provider, or a bad one, costs on the SIP port, and what others notice of it.

use crate::asker::{Asker, ask_and_never_read};
use crate::rows::{milliseconds, shop};
use harness::appliance::ORIGINS;
use harness::lines::Lines;
use harness::look::Look;
use harness::measure::cpu;
use harness::scanner::{Bait, scan};
use harness::{Appliance, Place, Shop};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const REQUESTS: u64 = 20_000;
/// The garbage: datagrams a second, and for how long.
const PER_SECOND: u64 = 10_000;
const LASTS: u64 = 4;
/// How long the provider's answers take when there is nobody else.
const CALM: Duration = Duration::from_secs(2);

/// One run of every row.
pub fn all() -> Vec<(&'static str, f64)> {
    let mut figures = vec![("scanner", scanner()), ("garbage", garbage())];
    figures.extend(deaf());
    figures
}

/// Microseconds of CPU for one forged request.
fn scanner() -> f64 {
    let place = Place::new("bench-scanner");
    let phone = Lines::start(Look::OnBeat);
    let appliance = Appliance::start(&place, &shop(phone.sip));
    let target = appliance.sip();
    scan(target, Bait::Requests, 1_000, PER_SECOND);
    let (dropped, used) = (foreign(&appliance), cpu(appliance.pid()));
    let scanned = scan(target, Bait::Requests, REQUESTS, PER_SECOND);
    let used = cpu(appliance.pid()) - used;
    assert_eq!(scanned.back, 0, "a scanner is answered");
    // What the socket's buffer had no room for has cost nothing and does not count.
    let dropped = foreign(&appliance) - dropped;
    assert!(dropped > REQUESTS * 9 / 10, "only {dropped} of {} arrive", scanned.sent);
    milliseconds(used) * 1_000.0 / dropped as f64
}

fn foreign(appliance: &Appliance) -> u64 {
    appliance.metric("sip_foreign_dropped_total")
}

/// How much later than usual the provider has nearly every answer (99 of 100) while garbage comes
/// in, in milliseconds.
fn garbage() -> f64 {
    let place = Place::new("bench-garbage");
    let phone = Lines::start(Look::OnBeat);
    let appliance = Appliance::start(&place, &shop(phone.sip));
    let target = appliance.sip();
    let mut asker = Asker::by_datagrams(target);
    let calm = asker.delay(target, 0, CALM);
    let flood = std::thread::spawn(move || {
        scan(target, Bait::Garbage, PER_SECOND * LASTS, PER_SECOND);
    });
    let stormy = asker.delay(target, 10_000, Duration::from_secs(LASTS));
    flood.join().unwrap();
    stormy - calm
}

/// How much later than usual others have nearly every answer while one asks by a connection and
/// never reads from it, in milliseconds: one that asks by datagrams, and one that has a connection
/// too.
fn deaf() -> Vec<(&'static str, f64)> {
    let place = Place::new("bench-deaf");
    let (phone, bad) = (Lines::start(Look::OnBeat), Ipv4Addr::new(127, 0, 9, 3));
    let account = |registrar: SocketAddr| {
        format!("registrar = \"{registrar}\"\nusername = \"shop\"\nregister = false")
    };
    let button =
        format!("account = \"main\"\ndestination = \"sip:sales@{}\"\n{ORIGINS}", phone.sip);
    let shop = Shop::new().account("main", &account(phone.sip));
    let shop = shop.account("deaf", &account((bad, 5_999).into())).button("sales", &button);
    let appliance = Appliance::start(&place, &shop.terse());
    let target = appliance.sip();
    let connected = Asker::by_connection(target, Ipv4Addr::LOCALHOST).unwrap();
    let askers = [("deaf-datagrams", Asker::by_datagrams(target)), ("deaf-connection", connected)];
    let mut figures = Vec::new();
    for (first, (key, mut asker)) in [0, 1_000_000].into_iter().zip(askers) {
        let calm = asker.delay(target, first, CALM);
        let over = AtomicBool::new(false);
        let stormy = std::thread::scope(|scope| {
            let deaf = scope.spawn(|| ask_and_never_read(target, bad, first + 100_000, &over));
            let stormy = asker.delay(target, first + 10_000, Duration::from_secs(LASTS));
            over.store(true, Ordering::Relaxed);
            let [asked, connections] = deaf.join().unwrap();
            assert!(asked > 100 * LASTS, "it has asked only {asked} times by {connections}");
            stormy
        });
        figures.push((key, stormy - calm));
    }
    figures
}
