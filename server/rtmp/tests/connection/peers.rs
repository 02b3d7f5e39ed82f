//! Direct streams between two clients.

use rtmp::amf::Value;
use rtmp::command::Data;
use rtmp::connection::{Action, Media, PeerEvent, Publisher, Subscriber};
use rtmp::metadata::Metadata;
use rtmp::status::Refusal;
use std::time::Instant;

/// Flows keep their numbers on the other side; those of the publisher are told apart by this.
const BACK: u64 = 100;

/// A subscriber and, once its flow has come, the publisher.
struct Pair {
    now: Instant,
    subscriber: Subscriber,
    publisher: Option<Publisher>,
    told: Vec<PeerEvent>,
    asked: Vec<PeerEvent>,
}

impl Pair {
    fn new() -> Pair {
        let subscriber = Subscriber::new(3, "seven").unwrap();
        let now = Instant::now();
        let mut pair =
            Pair { now, subscriber, publisher: None, told: Vec::new(), asked: Vec::new() };
        pair.run();
        pair
    }

    fn run(&mut self) {
        loop {
            if let Some(action) = self.subscriber.poll_action() {
                self.up(action);
            } else if let Some(action) = self.publisher.as_mut().and_then(Publisher::poll_action) {
                self.down(action);
            } else {
                break;
            }
        }
        self.told.extend(std::iter::from_fn(|| self.subscriber.poll_event()));
        let publisher = self.publisher.as_mut();
        self.asked
            .extend(publisher.into_iter().flat_map(|p| std::iter::from_fn(|| p.poll_event())));
    }

    fn up(&mut self, action: Action) {
        match action {
            Action::OpenFlow { flow, metadata, return_of, .. } => {
                assert_eq!(return_of, None, "the control flow answers to nothing");
                self.publisher = Publisher::new(flow, &metadata);
            }
            Action::Send { flow, octets } => {
                self.publisher.as_mut().unwrap().handle_message(self.now, flow, &octets);
            }
            Action::CloseFlow { flow } => {
                self.publisher.as_mut().unwrap().handle_flow_finished(self.now, flow);
            }
            Action::RejectFlow { flow, .. } => {
                self.publisher.as_mut().unwrap().handle_flow_rejected(flow - BACK);
            }
            Action::SetOrder { .. } => panic!("only a server changes the order"),
            Action::CloseSession => panic!("a stream ends no session"),
        }
    }

    fn down(&mut self, action: Action) {
        match action {
            Action::OpenFlow { flow, metadata, return_of, .. } => {
                assert_eq!(Metadata::parse(&metadata).unwrap().stream, 3);
                self.subscriber.handle_flow_opened(flow + BACK, &metadata, return_of);
            }
            Action::Send { flow, octets } => {
                assert_eq!(self.subscriber.handle_message(self.now, flow + BACK, &octets), None);
            }
            Action::CloseFlow { flow } => {
                self.subscriber.handle_flow_finished(self.now, flow + BACK);
            }
            Action::RejectFlow { flow, .. } => self.subscriber.handle_flow_rejected(flow),
            Action::SetOrder { .. } => panic!("only a server changes the order"),
            Action::CloseSession => panic!("a stream ends no session"),
        }
    }

    fn publisher(&mut self) -> &mut Publisher {
        self.publisher.as_mut().unwrap()
    }

    /// What the subscriber hears of a message of sound; none where nobody can be heard.
    fn says(&mut self, sound: &[u8]) -> Option<Vec<u8>> {
        let mut buffer = [0; 64];
        let out = self.publisher().write_audio(40, sound, &mut buffer)?;
        let message = &buffer[..out.length];
        let media = self.subscriber.handle_message(self.now, out.flow + BACK, message)?;
        let Media { stream, timestamp, payload, .. } = media;
        assert_eq!((stream, timestamp), (3, 40));
        Some(payload.to_vec())
    }

    fn codes(&self) -> Vec<&str> {
        let told = self.told.iter();
        told.filter_map(|event| match event {
            PeerEvent::Status(info) => info.find("code").and_then(Value::as_str),
            _ => None,
        })
        .collect()
    }
}

#[test]
fn a_peer_that_may_play_hears_sound_and_data_of_the_stream_that_it_named() {
    let mut pair = Pair::new();
    assert_eq!(pair.asked, [PeerEvent::PlayRequested { name: "seven".into() }]);
    assert_eq!(pair.says(b"\xb2early"), None, "nothing leaves before the answer");
    pair.publisher().accept();
    pair.run();
    assert_eq!(pair.told.first(), Some(&PeerEvent::Begun));
    assert_eq!(pair.codes(), ["NetStream.Play.Reset", "NetStream.Play.Start"]);
    assert_eq!(pair.says(b"\xb2sound").as_deref(), Some(&b"\xb2sound"[..]));
    let data = Data { name: "beat".into(), values: vec![Value::from(7.0)] };
    pair.publisher().send_data(&data);
    pair.run();
    assert_eq!(pair.told.last(), Some(&PeerEvent::Data(data)));
}

#[test]
fn a_peer_that_is_refused_is_told_why_and_hears_nothing() {
    let mut pair = Pair::new();
    pair.publisher().refuse(&Refusal::new("NetStream.Play.StreamNotFound", "No such stream."));
    pair.run();
    assert_eq!(pair.codes(), ["NetStream.Play.StreamNotFound"]);
    assert_eq!(pair.asked.last(), Some(&PeerEvent::Closed));
    assert_eq!(pair.says(b"\xb2sound"), None);
}

#[test]
fn whichever_end_closes_the_stream_the_other_learns_it() {
    let mut pair = Pair::new();
    pair.publisher().accept();
    pair.run();
    pair.subscriber.close();
    pair.run();
    assert_eq!(pair.asked.last(), Some(&PeerEvent::Closed));
    assert_eq!(pair.says(b"\xb2sound"), None);
    let mut pair = Pair::new();
    pair.publisher().accept();
    pair.run();
    pair.publisher().close();
    pair.run();
    assert_eq!(pair.told.last(), Some(&PeerEvent::Closed));
}

#[test]
fn what_is_no_subscription_is_none() {
    assert!(Subscriber::new(0, "seven").is_none());
    for metadata in [&b"TC\x04\x00"[..], b"GC\x04\x01", b"TC\x00", b""] {
        assert!(Publisher::new(1, metadata).is_none(), "{metadata:02x?}");
    }
    // A flow that answers to nothing of ours, or is for another stream.
    let mut subscriber = Subscriber::new(3, "seven").unwrap();
    while subscriber.poll_action().is_some() {}
    for (stream, return_of) in [(3, None), (4, Some(0)), (3, Some(9))] {
        let metadata = Metadata { stream, network_order: false }.encode();
        subscriber.handle_flow_opened(50, &metadata, return_of);
        assert_eq!(subscriber.poll_action(), Some(Action::RejectFlow { flow: 50, code: 0 }));
    }
}

#[test]
fn whatever_a_peer_sends_is_survived_within_bounds() {
    let mut seed = base::Seed::from_number(1);
    let play = {
        let mut subscriber = Subscriber::new(3, "seven").unwrap();
        subscriber.poll_action();
        let Some(Action::Send { octets, .. }) = subscriber.poll_action() else { panic!("play") };
        octets
    };
    let now = Instant::now();
    for _ in 0..200 {
        let metadata = Metadata { stream: 3, network_order: false }.encode();
        let mut publisher = Publisher::new(0, &metadata).unwrap();
        let mut subscriber = Subscriber::new(3, "seven").unwrap();
        subscriber.handle_flow_opened(0, &metadata, Some(0));
        let mut events = 0;
        for step in 0..200u64 {
            let mut octets = play.clone();
            octets.truncate(seed.below(octets.len() as u64 + 1) as usize + 1);
            for _ in 0..seed.below(3) {
                let at = seed.below(octets.len() as u64) as usize;
                octets[at] = seed.u32() as u8;
            }
            if let Some(kind) = octets.first_mut().filter(|_| seed.below(2) == 0) {
                *kind = [4, 8, 17, 18, 20][seed.below(5) as usize];
            }
            let now = now + std::time::Duration::from_millis(step);
            publisher.handle_message(now, 0, &octets);
            subscriber.handle_message(now, 0, &octets);
            match seed.below(40) {
                0 => publisher.accept(),
                1 => publisher.handle_timeout(now),
                2 => subscriber.handle_timeout(now),
                3 => publisher.refuse(&Refusal::unknown_call()),
                4 => publisher.handle_flow_rejected(seed.below(3)),
                5 => subscriber.handle_flow_rejected(seed.below(3)),
                6 => publisher.handle_flow_finished(now, seed.below(2)),
                _ => {}
            }
            if seed.below(20) == 0 {
                while publisher.poll_action().or(subscriber.poll_action()).is_some() {}
                events += std::iter::from_fn(|| publisher.poll_event()).count();
                events += std::iter::from_fn(|| subscriber.poll_event()).count();
            }
        }
        assert!(events <= 400, "{events} events of 400 messages");
    }
}
