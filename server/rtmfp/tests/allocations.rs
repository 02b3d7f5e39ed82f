//! What the common path costs in allocations, counted.
#![allow(clippy::unwrap_used)]

use base::Seed;
use rtmfp::session::{OpenFlow, Order, Role, Session, SessionCommand, SessionEvent};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const AUDIO: OpenFlow<'static> =
    OpenFlow { metadata: b"TC\x04\x01", return_of: None, time_critical: true, priority: 0 };

/// Everything that `from` wants to send arrives at `to`; delivered messages go back.
fn carry(now: Instant, from: &mut Session, to: &mut Session, buffer: &mut Vec<u8>) -> usize {
    let mut messages = 0;
    let address = to.remote();
    while from.poll_packet(now, false, buffer).is_some() {
        to.handle_packet(now, address, buffer, true);
    }
    while let Some(event) = to.poll_event() {
        if let SessionEvent::Message { octets, .. } = event {
            messages += 1;
            to.recycle(octets);
        }
    }
    messages
}

#[test]
fn an_audio_message_in_or_out_allocates_nothing() {
    for order in [Order::Original, Order::Network] {
        let start = Instant::now();
        let end = |role, port: u16| {
            let remote = SocketAddr::from(([192, 0, 2, 1], port));
            Session::new(start, role, remote, Default::default(), Seed::from_number(1))
        };
        let (mut a, mut b) = (end(Role::Initiator, 2), end(Role::Responder, 1));
        let flow = a.open_flow(AUDIO).unwrap();
        let back = b.open_flow(AUDIO).unwrap();
        let mut buffer = Vec::with_capacity(1500);
        let mut messages = 0;
        let mut pass = |count: u32| {
            // The lengths differ as those of a codec with silence do.
            let length = 11 + (count as usize * 7) % 150;
            let now = start + Duration::from_millis(20) * count;
            [&mut a, &mut b].iter_mut().for_each(|end| end.handle_timeout(now));
            a.send(now, flow, &[0xb2; 161][..length], Some(Duration::from_secs(1))).unwrap();
            b.send(now, back, &[0xb2; 161][..length], Some(Duration::from_secs(1))).unwrap();
            messages += carry(now, &mut a, &mut b, &mut buffer);
            messages += carry(now, &mut b, &mut a, &mut buffer);
            if count == 3 {
                [(&mut a, back), (&mut b, flow)].into_iter().for_each(|(end, flow)| {
                    end.command(now, SessionCommand::SetOrder { flow, order });
                });
            }
        };
        (0..100).for_each(&mut pass);
        let cost = allocation_counter::measure(|| (100..1100).for_each(&mut pass));
        assert_eq!(cost.count_total, 0, "{order:?}: {cost:?}");
        assert_eq!(messages, 2200);
    }
}

#[test]
fn after_a_loss_the_same_buffers_go_round_again() {
    let start = Instant::now();
    let end = |role, port: u16| {
        let remote = SocketAddr::from(([192, 0, 2, 1], port));
        Session::new(start, role, remote, Default::default(), Seed::from_number(1))
    };
    let (mut a, mut b) = (end(Role::Initiator, 2), end(Role::Responder, 1));
    let flow = a.open_flow(AUDIO).unwrap();
    let mut buffer = Vec::with_capacity(1500);
    let mut messages = 0;
    let mut pass = |count: u32| {
        let now = start + Duration::from_millis(20) * count;
        [&mut a, &mut b].iter_mut().for_each(|end| end.handle_timeout(now));
        a.send(now, flow, &[0xb2; 43], Some(Duration::from_secs(1))).unwrap();
        if count.is_multiple_of(10) {
            // This packet is lost.
            a.poll_packet(now, false, &mut buffer);
        }
        messages += carry(now, &mut a, &mut b, &mut buffer);
        carry(now, &mut b, &mut a, &mut buffer);
    };
    (0..200).for_each(&mut pass);
    let cost = allocation_counter::measure(|| (200..1200).for_each(&mut pass));
    assert_eq!(cost.count_total, 0, "{cost:?}");
    assert!(messages >= 1195, "{messages}");
}
