//! What a sound packet costs a whole endpoint in allocations, counted: decrypted, delivered,
//! acknowledged, and one sent back.
#![allow(clippy::unwrap_used)]

use base::{Datagram, Protocol, Seed};
use rtmfp::crypto::{Group, Identity, Protection, epd};
use rtmfp::session::{FlowId, OpenFlow, SessionEvent};
use rtmfp::{Endpoint, Event, SessionId, Settings};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const CLIENTS: usize = 40;

struct End {
    endpoint: Endpoint,
    local: SocketAddr,
    /// Each open session with its flow of sound.
    sessions: Vec<(SessionId, FlowId)>,
    messages: usize,
}

impl End {
    fn new(host: u8, protection: Protection) -> Self {
        let mut seed = Seed::from_number(u64::from(host));
        let local = SocketAddr::from(([192, 0, 2, host], 1935));
        let identity = Identity::server(&[Group::Modp1024], None, &mut seed).unwrap();
        let settings =
            Settings { hmac: protection, sequence: protection, ..Settings::server(local) };
        let endpoint = Endpoint::new(settings, identity, seed);
        End { endpoint, local, sessions: Vec::new(), messages: 0 }
    }

    fn handle_events(&mut self) {
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Opened { session, .. } => {
                    let flow = OpenFlow {
                        metadata: b"TC\x04\x01",
                        return_of: None,
                        time_critical: true,
                        priority: 0,
                    };
                    let flow = self.endpoint.open_flow(session, flow).unwrap();
                    self.sessions.push((session, flow));
                }
                Event::Session { session, event: SessionEvent::Message { octets, .. } } => {
                    self.messages += 1;
                    self.endpoint.recycle_message(session, octets);
                }
                _ => {}
            }
        }
    }
}

/// Everything that is on its way arrives.
fn carry(now: Instant, ends: &mut [End]) {
    let mut quiet = false;
    while !quiet {
        quiet = true;
        for from in 0..ends.len() {
            while let Some(job) = ends[from].endpoint.poll_job() {
                ends[from].endpoint.handle_job(now, job.run());
            }
            while let Some(transmit) = ends[from].endpoint.poll_transmit() {
                quiet = false;
                let to = ends.iter().position(|end| end.local == transmit.remote).unwrap();
                let datagram = Datagram {
                    protocol: Protocol::Udp,
                    local: transmit.remote,
                    remote: transmit.local,
                    payload: &transmit.payload,
                };
                ends[to].endpoint.handle_datagram(now, &datagram);
                ends[from].endpoint.recycle(transmit.payload);
            }
            ends[from].handle_events();
        }
    }
}

#[test]
fn sound_through_an_endpoint_with_many_sessions_allocates_nothing() {
    for protection in [Protection::Wanted, Protection::Never] {
        let start = Instant::now();
        let mut ends: Vec<_> =
            (1..CLIENTS as u8 + 2).map(|host| End::new(host, protection)).collect();
        let server = ends[0].local;
        for client in &mut ends[1..] {
            client.endpoint.open(start, epd::for_uri("x"), &[server]).unwrap();
        }
        carry(start, &mut ends);
        assert_eq!(ends[0].sessions.len(), CLIENTS);
        let mut pass = |count: u32| {
            let now = start + Duration::from_millis(20) * count;
            for end in ends.iter_mut() {
                end.endpoint.handle_timeout(now);
                for at in 0..end.sessions.len() {
                    let (session, flow) = end.sessions[at];
                    let lifetime = Some(Duration::from_secs(1));
                    end.endpoint.send(now, session, flow, &[0xb2; 43], lifetime).unwrap();
                }
            }
            carry(now, &mut ends);
            ends.iter().map(|end| end.messages).sum::<usize>()
        };
        let mut before = 0;
        (1..300).for_each(|count| before = pass(count));
        let mut after = 0;
        let cost = allocation_counter::measure(|| (300..800).for_each(|count| after = pass(count)));
        assert_eq!(after - before, 500 * CLIENTS * 2);
        assert_eq!(cost.count_total, 0, "{protection:?}: {cost:?} for 40,000 messages");
    }
}
