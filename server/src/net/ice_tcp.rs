//! ICE-TCP: the passive side (RFC 6544) with RFC 4571 framing, on the async runtime.
//!
//! A connection is a stranger until its first frame is a STUN binding request; one that says
//! nothing, or something else, is closed soon. What comes is handed to the shard as datagrams.

use crate::core::door::{CoreEvent, CoreHandle, TcpPeer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

/// Connections at once.
const CONNECTIONS: usize = 1024;
/// Frames that wait for a slow connection: a second of sound.
const FRAMES: usize = 64;
/// A frame longer than this is not media.
const FRAME_OCTETS: usize = 2048;
/// A stranger must speak STUN within this time.
const FIRST_FRAME_WITHIN: Duration = Duration::from_secs(5);
/// ICE asks for consent every few seconds (RFC 7675), so a silent connection is dead.
const SILENCE: Duration = Duration::from_secs(60);
/// A browser that reads nothing for this long is gone.
const WRITE_WITHIN: Duration = Duration::from_secs(5);

/// Accepts connections until the task is dropped.
pub async fn listen(listener: TcpListener, core: CoreHandle) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "ICE-TCP cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Beyond the bound a connection is closed at once by being dropped.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let core = core.clone();
        tokio::spawn(async move {
            serve(stream, remote, &core).await;
            let _ = core.send(CoreEvent::TcpClosed { remote });
            drop(place);
        });
    }
}

async fn serve(stream: TcpStream, remote: SocketAddr, core: &CoreHandle) {
    let Ok(local) = stream.local_addr() else { return };
    // Sound in small frames: never wait to fill a segment.
    let _ = stream.set_nodelay(true);
    let (mut reader, mut writer) = stream.into_split();
    let Ok(Some(first)) = timeout(FIRST_FRAME_WITHIN, read_frame(&mut reader)).await else {
        return;
    };
    if !is_stun(&first) {
        return;
    }
    let (frames, mut outgoing) = mpsc::channel::<Vec<u8>>(FRAMES);
    let opened = CoreEvent::TcpOpened(TcpPeer { local, remote, frames });
    let first = CoreEvent::TcpFrame { local, remote, payload: first };
    if core.send(opened).is_err() || core.send(first).is_err() {
        return;
    }
    let write = async {
        while let Some(frame) = outgoing.recv().await {
            let Ok(length) = u16::try_from(frame.len()) else { continue };
            let mut framed = Vec::with_capacity(frame.len() + 2);
            framed.extend_from_slice(&length.to_be_bytes());
            framed.extend_from_slice(&frame);
            match timeout(WRITE_WITHIN, writer.write_all(&framed)).await {
                Ok(Ok(())) => {}
                _ => return,
            }
        }
    };
    let read = async {
        while let Ok(Some(payload)) = timeout(SILENCE, read_frame(&mut reader)).await {
            // A busy shard loses this frame as a network would.
            let _ = core.send(CoreEvent::TcpFrame { local, remote, payload });
        }
    };
    tokio::select! { () = write => {}, () = read => {} }
}

/// One RFC 4571 frame; none at the end of the stream or where the length is no media's.
async fn read_frame(reader: &mut (impl AsyncReadExt + Unpin)) -> Option<Vec<u8>> {
    let length = usize::from(reader.read_u16().await.ok()?);
    if length == 0 || length > FRAME_OCTETS {
        return None;
    }
    let mut payload = vec![0; length];
    reader.read_exact(&mut payload).await.ok()?;
    Some(payload)
}

/// A STUN binding request has these two first octets and the magic cookie (RFC 8489 section 5).
fn is_stun(frame: &[u8]) -> bool {
    frame.len() >= 20 && frame[..2] == [0, 1] && frame[4..8] == [0x21, 0x12, 0xa4, 0x42]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_are_cut_by_their_length_and_a_monstrous_one_ends_the_stream() {
        let mut wire: &[u8] = &[0, 3, 1, 2, 3, 0, 1, 9, 0xff, 0xff, 0];
        assert_eq!(read_frame(&mut wire).await, Some(vec![1, 2, 3]));
        assert_eq!(read_frame(&mut wire).await, Some(vec![9]));
        assert_eq!(read_frame(&mut wire).await, None);
    }

    #[test]
    fn only_a_binding_request_opens_the_door() {
        let mut stun = [0u8; 20];
        stun[1] = 1;
        stun[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
        assert!(is_stun(&stun));
        assert!(!is_stun(b"GET / HTTP/1.1\r\nHost: x"));
        assert!(!is_stun(&stun[..19]));
    }
}
