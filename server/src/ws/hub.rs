//! The hub: every link of the process, and who may open one.

use super::links::{Hold, Links, Page, Queue, Verdict, error};
use crate::admission::{Refused, Wanted};
use crate::config::Config;
use crate::config::origin::Origin;
use crate::core::door::{CoreBusy, CoreHandle, LinkOutput};
use crate::core::metrics::Metrics;
use crate::crowd::Crowd;
use crate::http::{Reached, is_local_page};
use base::{Private, Seed};
use signalling::{ButtonInfo, ClientMessage, Envelope, ErrorCode, ServerMessage, VERSION};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, watch};

/// Links at once.
pub const LINKS: usize = 10_000;
/// Links at once from one address: a shop's customers behind one company's wall, not a flood.
pub const LINKS_PER_ADDRESS: usize = 64;

/// Every link of the process; cheap to clone.
#[derive(Clone, Debug)]
pub struct Hub {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Held for microseconds and never across a wait, so that what reaches the shard about one
    /// link keeps its order.
    links: Mutex<Links>,
    crowd: Arc<Mutex<Crowd>>,
    config: watch::Receiver<Arc<Config>>,
    metrics: Arc<Metrics>,
    draining: AtomicBool,
    /// The shard has dropped its end of the outputs.
    shard_gone: AtomicBool,
    /// A link has begun to wait: the next deadline may be sooner.
    changed: Notify,
}

/// The way on which a page's greeting came.
#[derive(Debug)]
pub(super) struct Greeting<'a> {
    pub reached: &'a Reached,
    /// The origin of our own page that opened the socket.
    pub origin: &'a Origin,
}

impl Hub {
    /// An empty hub in front of a shard. `seed` makes the links' secret names.
    pub fn new(
        config: watch::Receiver<Arc<Config>>,
        core: CoreHandle,
        metrics: Arc<Metrics>,
        seed: Seed,
    ) -> Hub {
        let inner = Inner {
            links: Mutex::new(Links::new(seed, core)),
            crowd: Arc::new(Mutex::new(Crowd::new(LINKS, LINKS_PER_ADDRESS))),
            config,
            metrics,
            draining: AtomicBool::new(false),
            shard_gone: AtomicBool::new(false),
            changed: Notify::new(),
        };
        Hub { inner: Arc::new(inner) }
    }

    /// Carries what the shard says to the pages, and ends links whose pages stay away, until the
    /// shard is gone. Then every link and socket ends.
    pub async fn run(self, mut outputs: mpsc::Receiver<LinkOutput>) {
        loop {
            let deadline = self.links().deadline(now());
            let expiry = async {
                match deadline {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                output = outputs.recv() => match output {
                    Some(LinkOutput { link, message }) => {
                        self.links().send(now(), link, message);
                    }
                    None => break,
                },
                () = expiry => self.links().expire(now()),
                () = self.inner.changed.notified() => {}
            }
            self.count();
        }
        self.drain();
        self.inner.shard_gone.store(true, Ordering::Release);
        self.links().end_all();
        self.count();
    }

    /// No new links from now on; those that exist may still come back to their calls.
    pub fn drain(&self) {
        self.inner.draining.store(true, Ordering::Release);
    }

    /// Whether new links are refused because the program is about to stop.
    pub fn is_draining(&self) -> bool {
        self.inner.draining.load(Ordering::Acquire)
    }

    /// Whether the shard still runs, as far as its open end of the outputs tells.
    pub fn is_shard_alive(&self) -> bool {
        !self.inner.shard_gone.load(Ordering::Acquire)
    }

    /// The numbers that sockets count into.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// Answers a greeting: the link that this socket now holds, or what to say before closing.
    pub(super) fn greeted(
        &self,
        envelope: Envelope<ClientMessage>,
        greeting: &Greeting<'_>,
        queue: Queue,
    ) -> Result<Hold, ServerMessage> {
        let Envelope { ack, message, .. } = envelope;
        let bad = |words| error(ErrorCode::BadMessage, words, "reload the page", None);
        super::check::message(&message).map_err(bad)?;
        let ClientMessage::Hello { version, link, button, page } = message else {
            return Err(bad("the first message is not a greeting"));
        };
        if version != VERSION {
            let words = "this page and the server are of different versions";
            return Err(error(ErrorCode::Version, words, "reload the page", None));
        }
        if let Some(token) = link {
            let hold = self.links().resume(&token, button.as_deref(), ack, queue.clone());
            if let Some(hold) = hold {
                return Ok(hold);
            }
        }
        let page = self.admit(button, page.as_deref().unwrap_or(""), greeting)?;
        let hold = self.links().open(now(), page, queue).map_err(|CoreBusy| {
            error(ErrorCode::Limit, "too much is going on", "try again in a moment", None)
        })?;
        self.count();
        Ok(hold)
    }

    /// Whether a new page may have a link.
    fn admit(
        &self,
        button: Option<String>,
        page: &str,
        greeting: &Greeting<'_>,
    ) -> Result<Page, ServerMessage> {
        if self.is_draining() {
            let words = "the service is about to restart";
            return Err(error(ErrorCode::Draining, words, "try again in a minute", None));
        }
        let config = self.inner.config.borrow().clone();
        let refused = |refused: Refused| {
            let code = match refused {
                Refused::UnknownButton => ErrorCode::UnknownButton,
                Refused::NoAccounts | Refused::Origin => ErrorCode::Forbidden,
            };
            let (words, hint) = refused.words();
            error(code, words, hint, None)
        };
        let admitted = Wanted { button: button.as_deref() }.admitted(&config).map_err(refused)?;
        let info = button.clone().zip(admitted.button).map(|(name, button)| ButtonInfo {
            name,
            video: button.video,
            max_duration: u32::try_from(button.max_duration.as_secs()).unwrap_or(u32::MAX),
        });
        // No embedding page: ours was opened by itself. A browser keeps foreign frames out by
        // frame-ancestors; this catches what has no such browser, and names the mistake.
        let is_own = |origin: &Origin| greeting.reached.is_own(origin, &config.public_url);
        let embedder = match page {
            "" => None,
            page => Some(admitted.origin(page, is_own).map_err(refused)?),
        };
        let address = greeting.reached.visitor();
        let seat = Crowd::enter(&self.inner.crowd, address).ok_or_else(|| {
            error(ErrorCode::Limit, "too many open pages", "close some and try again", None)
        })?;
        Ok(Page {
            button,
            info,
            origin: Private::new(embedder.map_or_else(String::new, |origin| origin.to_string())),
            address: Private::new(address),
            local_page: is_local_page(greeting.origin),
            seat,
        })
    }

    pub(super) fn received(&self, hold: Hold, envelope: Envelope<ClientMessage>) -> Verdict {
        let verdict = self.links().received(now(), hold, envelope);
        if verdict == Verdict::LinkGone {
            self.changed();
        }
        verdict
    }

    pub(super) fn broken(&self, hold: Hold, words: &str) {
        self.links().broken(hold, words);
        self.changed();
    }

    pub(super) fn left(&self, hold: Hold, goodbye: bool) {
        self.links().left(now(), hold, goodbye);
        self.changed();
    }

    fn changed(&self) {
        self.count();
        self.inner.changed.notify_one();
    }

    fn count(&self) {
        let live = self.links().len() as u64;
        self.inner.metrics.links_live.store(live, Ordering::Relaxed);
    }

    fn links(&self) -> MutexGuard<'_, Links> {
        self.inner.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The runtime's clock, which tests may stop.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// How long a socket may stay without a greeting.
pub(super) const GREETING_WITHIN: Duration = Duration::from_secs(5);
