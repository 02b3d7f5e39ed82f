//! One WebSocket from its upgrade to its end.

use super::hub::{GREETING_WITHIN, Greeting, Hub};
use super::links::{Hold, QUEUE, Verdict, unnumbered};
use crate::config::origin::Origin;
use crate::core::metrics::bump;
use crate::http::Reached;
use futures_util::{SinkExt as _, StreamExt as _};
use signalling::{ClientMessage, Envelope, limits};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

/// How long one text may take to leave: a reader this slow is gone.
const WRITE_WITHIN: Duration = Duration::from_secs(10);
/// How long the closing handshake may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Small buffers: ten thousand idle pages should not cost a gigabyte.
fn settings() -> WebSocketConfig {
    WebSocketConfig::default()
        .max_message_size(Some(limits::MESSAGE_OCTETS))
        .max_frame_size(Some(limits::MESSAGE_OCTETS))
        .read_buffer_size(2 * 1024)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * limits::MESSAGE_OCTETS)
}

/// Why a socket ends, seen from here.
enum End {
    /// The page went away with a word (closed, navigated) or without one (network, silence).
    Left { goodbye: bool },
    /// We close it, with this code.
    Close(CloseCode, &'static str),
    /// What came was longer than any message.
    TooLong,
    /// What came was no message.
    Nonsense,
}

/// Runs a socket until it ends.
pub(super) async fn run<S>(hub: Hub, stream: S, reached: Reached, origin: Origin)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(settings())).await;
    let (queue, mut texts) = mpsc::channel(QUEUE);
    let deadline = Instant::now() + GREETING_WITHIN;
    let envelope = match read(&mut socket, deadline).await {
        Ok(envelope) => envelope,
        Err(end) => {
            if matches!(end, End::TooLong) {
                bump(&hub.metrics().websockets_refused_total);
            }
            return close(&mut socket, CloseCode::Policy, "no greeting").await;
        }
    };
    let greeting = Greeting { reached: &reached, origin: &origin };
    let hold = match hub.greeted(envelope, &greeting, queue) {
        Ok(hold) => hold,
        Err(refusal) => {
            let _ = write(&mut socket, unnumbered(0, refusal)).await;
            return close(&mut socket, CloseCode::Policy, "refused").await;
        }
    };
    let end = converse(&hub, hold, &mut socket, &mut texts).await;
    match end {
        End::Left { goodbye } => {
            hub.left(hold, goodbye);
            // Answers the page's own close frame, where there was one.
            let _ = timeout(CLOSE_WITHIN, socket.close(None)).await;
        }
        End::Close(code, reason) => {
            hub.left(hold, false);
            finish(&mut socket, &mut texts, code, reason).await;
        }
        End::TooLong => {
            bump(&hub.metrics().websockets_refused_total);
            hub.broken(hold, "the message is too long");
            finish(&mut socket, &mut texts, CloseCode::Size, "too long").await;
        }
        End::Nonsense => {
            hub.broken(hold, "the message makes no sense");
            finish(&mut socket, &mut texts, CloseCode::Policy, "no message").await;
        }
    }
}

/// Carries texts both ways.
async fn converse<S>(
    hub: &Hub,
    hold: Hold,
    socket: &mut WebSocketStream<S>,
    texts: &mut mpsc::Receiver<String>,
) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut silent_at = Instant::now() + limits::LINK_SILENCE;
    loop {
        tokio::select! {
            text = texts.recv() => match text {
                Some(text) => {
                    if write(socket, text).await.is_err() {
                        return End::Left { goodbye: false };
                    }
                }
                // Another socket has the link, this one was too slow, or the program ends.
                None => return End::Close(CloseCode::Away, "elsewhere"),
            },
            envelope = read(socket, silent_at) => match envelope {
                Ok(envelope) => {
                    silent_at = Instant::now() + limits::LINK_SILENCE;
                    match hub.received(hold, envelope) {
                        Verdict::Fine => {}
                        Verdict::CloseSocket => return End::Close(CloseCode::Again, "busy"),
                        Verdict::TooFast => {
                            bump(&hub.metrics().websockets_refused_total);
                            return End::Close(CloseCode::Policy, "too many messages");
                        }
                        Verdict::LinkGone => return End::Close(CloseCode::Policy, "protocol"),
                    }
                }
                Err(end) => return end,
            },
        }
    }
}

/// The next message of the page. Dropping this future loses nothing.
async fn read<S>(
    socket: &mut WebSocketStream<S>,
    deadline: Instant,
) -> Result<Envelope<ClientMessage>, End>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let Ok(frame) = timeout_at(deadline, socket.next()).await else {
            return Err(End::Close(CloseCode::Away, "silence"));
        };
        match frame {
            Some(Ok(Message::Text(text))) => {
                return serde_json::from_str(&text).map_err(|_| End::Nonsense);
            }
            Some(Ok(Message::Binary(_))) => return Err(End::Nonsense),
            // The library answers pings.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Close(frame))) => {
                // A page that closes its socket only to open another one gives no code; a browser
                // that closes the page says "going away".
                let goodbye = frame
                    .is_some_and(|frame| matches!(frame.code, CloseCode::Normal | CloseCode::Away));
                return Err(End::Left { goodbye });
            }
            Some(Err(Error::Capacity(CapacityError::MessageTooLong { .. }))) => {
                return Err(End::TooLong);
            }
            Some(Err(_)) | None => return Err(End::Left { goodbye: false }),
        }
    }
}

async fn write<S>(socket: &mut WebSocketStream<S>, text: String) -> Result<(), ()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match timeout(WRITE_WITHIN, socket.send(Message::text(text))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(()),
    }
}

/// Says what still waits, then closes.
async fn finish<S>(
    socket: &mut WebSocketStream<S>,
    texts: &mut mpsc::Receiver<String>,
    code: CloseCode,
    reason: &'static str,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Ok(text) = texts.try_recv() {
        if write(socket, text).await.is_err() {
            return;
        }
    }
    close(socket, code, reason).await;
}

async fn close<S>(socket: &mut WebSocketStream<S>, code: CloseCode, reason: &'static str)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let frame = CloseFrame { code, reason: reason.into() };
    let farewell = async {
        if socket.close(Some(frame)).await.is_ok() {
            // Waits for the page's own close frame, so that the last text is not lost in a reset.
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    let _ = timeout(CLOSE_WITHIN, farewell).await;
}
