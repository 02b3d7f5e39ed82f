//! A browser's media alone, without a page: for other servers than ours. It looks at its socket on
//! the beat, whatever its settings say.

use crate::look::{Look, beat};
use crate::visitor::media::{Media, MediaEvent};
use crate::visitor::{VisitorSettings, runtime};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};

/// A browser's media. Dropping it ends it.
#[derive(Debug)]
pub struct Peer {
    /// Its SDP offer.
    pub offer: String,
    answer: Option<oneshot::Sender<String>>,
    packets: Arc<AtomicU64>,
    connected: Arc<AtomicBool>,
    task: tokio::task::AbortHandle,
}

impl Peer {
    /// A browser and its offer.
    pub fn new(settings: VisitorSettings) -> Peer {
        let (answer, answered) = oneshot::channel::<String>();
        let (offer, offered) = std::sync::mpsc::channel();
        let (packets, connected) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let counts = (Arc::clone(&packets), Arc::clone(&connected));
        let task = runtime().spawn(async move {
            let (incoming, _) = mpsc::unbounded_channel();
            let settings = VisitorSettings { look: Look::OnBeat, ..settings };
            let (mut media, sdp) = Media::new(&settings, incoming);
            let _ = offer.send(sdp);
            let Ok(answer) = answered.await else { return };
            media.answer(&answer, settings.tone);
            let mut buffer = vec![0; 2_048];
            loop {
                beat().await;
                media.look(&mut buffer);
                if media.wake_at() <= Instant::now() {
                    media.handle_timeout();
                }
                for event in media.take_events() {
                    match event {
                        MediaEvent::Connected => counts.1.store(true, Ordering::Relaxed),
                        MediaEvent::Sound(..) => drop(counts.0.fetch_add(1, Ordering::Relaxed)),
                        MediaEvent::Closed => {}
                    }
                }
            }
        });
        let offer = offered.recv().expect("the peer's task runs");
        Peer { offer, answer: Some(answer), packets, connected, task: task.abort_handle() }
    }

    /// Takes the answer.
    pub fn answer(&mut self, sdp: &str) {
        let answer = self.answer.take().expect("one answer");
        answer.send(sdp.to_owned()).expect("the peer's task runs");
    }

    /// Whether DTLS is up.
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// Packets of sound that came.
    pub fn packets(&self) -> u64 {
        self.packets.load(Ordering::Relaxed)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
