//! Browsers that reach the shard by ICE-TCP only: what `net::ice_tcp` does, without a socket.

use super::wire::Packet;
use super::world::World;
use crate::core::door::{CoreEvent, TcpPeer};
use crate::net::Wire;
use std::collections::BTreeSet;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;
use tokio::sync::mpsc;

/// Frames that wait for a slow connection, as in `net::ice_tcp`.
const FRAMES: usize = 64;

impl World {
    /// A frame of a browser arrives; the first opens the connection.
    pub fn deliver_frame(&mut self, packet: &Packet) {
        let (local, remote, payload) = (packet.to, packet.from, packet.payload.clone());
        if let Entry::Vacant(place) = self.connections.entry(remote) {
            let (frames, outgoing) = mpsc::channel(FRAMES);
            place.insert(outgoing);
            let opened = CoreEvent::TcpOpened(TcpPeer { local, remote, frames });
            self.core.handle_event(self.now, opened);
        }
        self.core.handle_event(self.now, CoreEvent::TcpFrame { local, remote, payload });
    }

    /// Connections of browsers that are gone close.
    pub fn close_connections(&mut self) {
        let calls = self.pages.values().flat_map(|page| page.calls.values());
        let living: BTreeSet<SocketAddr> =
            calls.filter(|call| call.browser.is_some()).map(|call| call.address).collect();
        let gone = self.connections.extract_if(.., |remote, _| !living.contains(remote));
        for (remote, _) in gone.collect::<Vec<_>>() {
            self.core.handle_event(self.now, CoreEvent::TcpClosed { remote });
        }
    }

    /// What the shard has written goes on its way; a connection loses nothing.
    pub fn drain_connections(&mut self) {
        for (remote, frames) in &mut self.connections {
            while let Ok(payload) = frames.try_recv() {
                let from = self.core.wire.local(self.core.webrtc_port).expect("it is open");
                self.media.put_surely(self.now, Packet { from, to: *remote, payload });
            }
        }
    }
}
