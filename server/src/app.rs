//! The program from start to end: open everything, greet, serve, drain.

use crate::cli::{self, Args};
use crate::config::{Config, HostPort, Notice};
use crate::core::door::{CoreEvent, CoreHandle, Operator};
use crate::core::metrics::Metrics;
use crate::core::{Bound, Core, Setup, named};
use crate::demo::DemoPhone;
use crate::net::{ORDERS, Sockets, keep_sip_streams, listen_ice_tcp, resolve};
use crate::{http, ws};
use base::Seed;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

/// Diffie-Hellmans that may wait: a quarter of a second's work.
const KEYS: usize = 256;
/// Look-ups that may wait.
const LOOKUPS: usize = 64;
/// Look-ups under way at once.
const LOOKUPS_AT_ONCE: usize = 16;
/// The pages' sockets get this long to say good-bye after the last call.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Where the program listens, once it does.
#[derive(Clone, Copy, Debug)]
pub struct Listening {
    /// Pages.
    pub http: SocketAddr,
    /// Everything that the shard listens for.
    pub bound: Bound,
}

/// Runs until a signal ends it. `args` is what SIGHUP reads again.
pub fn run(args: &Args, mut config: Config, notices: &[Notice]) -> io::Result<()> {
    let mut seed = os_seed()?;
    // Kept until the end: dropping it stops its thread.
    let _phone = if config.demo { Some(start_phone(&mut config, &mut seed)?) } else { None };
    let store = store::Store::open(config.data.as_deref())
        .map_err(|error| io::Error::other(format!("[data] path: {error}")))?;
    // A log that refuses this says so with its first row.
    let _ = store.interrupt_traces();
    // One thread for pages and signalling: a message passes through three tasks here, and waking
    // another thread for each would cost more than what they do. What computes for long belongs on
    // the blocking pool.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .thread_stack_size(256 * 1024)
        .enable_all()
        .build()?;
    runtime.block_on(serve(args, config, notices, seed, store))
}

/// The demo's shop phone, and the account and button that reach it.
pub(crate) fn start_phone(config: &mut Config, seed: &mut Seed) -> io::Result<DemoPhone> {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    // The phone takes the upper half of the ports, so that the two never race for one.
    let middle = config.listen.rtp.first + (config.listen.rtp.last - config.listen.rtp.first) / 2;
    let mut rtp = config.listen.rtp;
    rtp.first = middle;
    config.listen.rtp.last = middle - 1;
    let phone = DemoPhone::start(address, rtp, seed.fork())?;
    for account in config.accounts.values_mut() {
        account.registrar =
            HostPort { host: phone.address.ip().to_string(), port: Some(phone.address.port()) };
    }
    for button in config.buttons.values_mut() {
        button.destination = format!("sip:shop@{}", phone.address);
    }
    Ok(phone)
}

async fn serve(
    args: &Args,
    mut config: Config,
    notices: &[Notice],
    mut seed: Seed,
    store: store::Store,
) -> io::Result<()> {
    let http = config.listen.http;
    let http_listener = named(TcpListener::bind(http).await, "http", http)?;
    let http_address = http_listener.local_addr()?;
    if config.listen.http.port() == 0 {
        // Any free port was asked for, so only now is it known where pages are reached.
        config.set_public_address(http_address);
    }
    let config = Arc::new(config);
    let metrics = Arc::new(Metrics::default());
    let sockets = Sockets::new()?;
    let (core, inbox) = CoreHandle::new(sockets.waker());
    let (outputs, outputs_out) = mpsc::channel(crate::core::door::OUTPUTS);
    let (lookups, lookups_out) = mpsc::channel(LOOKUPS);
    let (streams, streams_out) = mpsc::channel(ORDERS);
    let (jobs, jobs_out) = std::sync::mpsc::sync_channel(KEYS);
    let setup = Setup {
        config: Arc::clone(&config),
        seed: seed.fork(),
        wire: sockets,
        inbox,
        outputs,
        lookups,
        streams,
        metrics: Arc::clone(&metrics),
        store,
        jobs,
        calendar: std::time::SystemTime::now,
    };
    let (shard, bound) = Core::new(setup)?;
    agree_on_keys(jobs_out, core.clone())?;
    let tcp = named(TcpListener::bind(bound.webrtc).await, "webrtc", bound.webrtc)?;
    let sip = match TcpListener::bind(bound.sip).await {
        Ok(listener) => Some(listener),
        Err(error) => {
            let address = bound.sip;
            tracing::warn!(%error, %address, "SIP servers cannot open connections to us");
            None
        }
    };
    let listening = Listening { http: http_address, bound };

    let (ended, mut end) = oneshot::channel();
    std::thread::Builder::new().name("shard-0".to_owned()).spawn(move || {
        shard.run();
        // Nobody listens any more when the program is being ended by force.
        let _ = ended.send(());
    })?;
    let abilities = crate::core::abilities(bound.sip);
    tokio::spawn(look_up(lookups_out, core.clone(), abilities, seed.fork()));
    tokio::spawn(listen_ice_tcp(tcp, core.clone()));
    let own = bound.sip.ip();
    tokio::spawn(keep_sip_streams(streams_out, sip, own, core.clone(), seed.fork()));
    let (config_in, config_out) = watch::channel(Arc::clone(&config));
    let hub = ws::Hub::new(config_out.clone(), core.clone(), Arc::clone(&metrics), seed.fork());
    let carrier = hub.clone();
    tokio::spawn(async move { carrier.run(outputs_out).await });
    let mut shared = http::Shared::new(config_out, core.clone(), Arc::clone(&metrics), hub.clone());
    shared.rtmfp_port = bound.rtmfp.map(|address| address.port());
    let (stop_http, http_stopped) = watch::channel(false);
    let server = tokio::spawn(http::serve(http_listener, shared, http_stopped));

    greet(&config, notices, listening);

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut draining = false;
    loop {
        tokio::select! {
            _ = &mut end => break,
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {
                reload(args, &config_in, &core);
                continue;
            }
        }
        if draining {
            tracing::warn!("ending at once; live calls are cut");
            let _ = core.send(CoreEvent::Operator(Operator::Stop));
            let _ = tokio::time::timeout(CLOSE_WITHIN, &mut end).await;
            break;
        }
        draining = true;
        hub.drain();
        tracing::info!(
            "ending: no new calls, live ones may go on for 30 seconds; a second signal ends at once"
        );
        if core.send(CoreEvent::Operator(Operator::Drain)).is_err() {
            break;
        }
    }
    let _ = stop_http.send(true);
    let _ = tokio::time::timeout(CLOSE_WITHIN, server).await;
    Ok(())
}

/// SIGHUP: the file is read again; calls and sockets stay as they are.
fn reload(args: &Args, running: &watch::Sender<Arc<Config>>, core: &CoreHandle) {
    if args.demo {
        return tracing::warn!("there is no file to reload: --demo has its configuration built in");
    }
    match args.configuration() {
        Err(problems) => {
            tracing::error!("the file has mistakes; the running configuration stays\n{problems}");
        }
        Ok((mut config, notices)) => {
            for notice in &notices {
                tracing::info!("{notice}");
            }
            let old = running.borrow().clone();
            if old.listen != config.listen {
                tracing::warn!("[listen] has changed: that takes a restart; the rest is in force");
                config.listen = old.listen.clone();
            }
            if config.listen.http.port() == 0 {
                config.public_url.clone_from(&old.public_url);
            }
            let config = Arc::new(config);
            let _ = running.send(Arc::clone(&config));
            if core.send(CoreEvent::Operator(Operator::Reload(config))).is_err() {
                tracing::error!("the shard is too busy to reload; send SIGHUP again");
            }
        }
    }
}

/// Diffie-Hellman on a thread of its own: a flood of Flash handshakes must not stop sound.
fn agree_on_keys(jobs: std::sync::mpsc::Receiver<rtmfp::Job>, core: CoreHandle) -> io::Result<()> {
    std::thread::Builder::new().name("keys".to_owned()).spawn(move || {
        while let Ok(job) = jobs.recv() {
            // A shard that is too busy loses a handshake, which its client tries again.
            let _ = core.send(CoreEvent::KeysAgreed(job.run()));
        }
    })?;
    Ok(())
}

/// Names to servers, one task a name, so that one slow name delays no other.
async fn look_up(
    mut questions: mpsc::Receiver<resolve::Question>,
    core: CoreHandle,
    abilities: resolve::Abilities,
    mut seed: Seed,
) {
    // The same draw for every look-up of this run: among servers of equal rank the one that is in
    // use stays in use.
    let mut draw = [0; 32];
    seed.fill(&mut draw);
    let places = Arc::new(Semaphore::new(LOOKUPS_AT_ONCE));
    while let Some(question) = questions.recv().await {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let core = core.clone();
        tokio::spawn(async move {
            let seed = Seed::from_bytes(draw);
            let outcome = resolve::search(question.clone(), abilities, seed).await;
            match (outcome.targets.is_empty(), outcome.failed) {
                (true, true) => tracing::warn!(name = %question, "no name server answers"),
                (true, false) => tracing::warn!(name = %question, "a name has no SIP server"),
                (false, _) => {}
            }
            let _ = core.send(CoreEvent::Resolved { question, outcome });
            drop(place);
        });
    }
}

/// Three lines: where to click, what to paste, what is off and why.
#[allow(clippy::print_stdout)] // The greeting is for the person who started the program.
fn greet(config: &Config, notices: &[Notice], listening: Listening) {
    println!("click here:  {}/", config.public_url);
    let name = config.buttons.keys().next().map_or("NAME", String::as_str);
    println!("paste this:  {}", cli::snippet_text(&config.public_url, name));
    let mut off: Vec<String> = notices.iter().map(ToString::to_string).collect();
    if off.is_empty() {
        off.push("nothing".to_owned());
    }
    println!("off:         {}", off.join("; "));
    let Bound { webrtc, sip, rtmfp } = listening.bound;
    let rtmfp = rtmfp.map_or_else(|| "off".to_owned(), |address| address.to_string());
    tracing::info!(http = %listening.http, %webrtc, %rtmfp, %sip, "listening");
}

/// Randomness of the system.
pub(crate) fn os_seed() -> io::Result<Seed> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(Seed::from_bytes(bytes))
}
