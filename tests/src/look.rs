//! How peers notice that something has come for them.
//!
//! On loopback whoever sends a packet also pays for waking the thread that sleeps on the receiving
//! socket. A load generator that sleeps on its sockets would so put its own waking up on the bill
//! of the server that it measures, and the more so the more often that server sends. Where
//! something is measured, nobody sleeps on a socket: one thread looks at all of them on a beat.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// The time between two looks at the sockets of a load generator.
pub const BEAT: Duration = Duration::from_millis(2);

/// When a peer looks at its sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Look {
    /// As soon as something comes: the system wakes it.
    #[default]
    AtOnce,
    /// On the beat, together with all others: nothing wakes it.
    OnBeat,
}

/// The next beat. All peers of the process have the same ones, so that one waking up serves all.
pub fn next_beat() -> Instant {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    let first = *FIRST.get_or_init(Instant::now);
    let beats = first.elapsed().as_nanos() / BEAT.as_nanos() + 1;
    first + BEAT * beats as u32
}

/// Waits for the next beat.
pub async fn beat() {
    tokio::time::sleep_until(next_beat().into()).await;
}

/// A TCP connection under either rule.
#[derive(Debug)]
pub enum Stream {
    /// The system wakes its reader.
    AtOnce(tokio::net::TcpStream),
    /// Its reader looks on the beat.
    OnBeat(OnBeat),
}

/// A TCP connection that nothing sleeps on.
#[derive(Debug)]
pub struct OnBeat {
    stream: TcpStream,
    reading: Pin<Box<Sleep>>,
    writing: Pin<Box<Sleep>>,
}

impl Stream {
    /// Connects. Answers and requests leave at once either way.
    pub async fn connect(look: Look, to: SocketAddr) -> std::io::Result<Stream> {
        let stream = tokio::net::TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(match look {
            Look::AtOnce => Stream::AtOnce(stream),
            Look::OnBeat => {
                let sleep = || Box::pin(tokio::time::sleep_until(next_beat().into()));
                // The system's connection stays non-blocking.
                let stream = stream.into_std()?;
                Stream::OnBeat(OnBeat { stream, reading: sleep(), writing: sleep() })
            }
        })
    }
}

/// Tries now, and again on each beat while there is nothing to do.
fn on_beat<T>(
    sleep: &mut Pin<Box<Sleep>>,
    context: &mut Context<'_>,
    mut attempt: impl FnMut() -> std::io::Result<T>,
) -> Poll<std::io::Result<T>> {
    loop {
        match attempt() {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                sleep.as_mut().reset(next_beat().into());
                ready!(sleep.as_mut().poll(context));
            }
            result => return Poll::Ready(result),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Stream::AtOnce(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::OnBeat(own) => {
                let room = buffer.initialize_unfilled();
                let length =
                    ready!(on_beat(&mut own.reading, context, || (&own.stream).read(room)))?;
                buffer.advance(length);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Stream::AtOnce(stream) => Pin::new(stream).poll_write(context, octets),
            Stream::OnBeat(own) => {
                on_beat(&mut own.writing, context, || (&own.stream).write(octets))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Stream::AtOnce(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::OnBeat(own) => Poll::Ready(own.stream.shutdown(std::net::Shutdown::Write)),
        }
    }
}
