//! The table under a clock of the test's own.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::core::door::{CoreInbox, EVENTS, Operator};
use crate::crowd::Crowd;
use signalling::HangupReason;
use std::sync::{Arc, Mutex};

struct Bench {
    links: Links,
    inbox: CoreInbox,
    core: CoreHandle,
    now: Instant,
    crowd: Arc<Mutex<Crowd>>,
}

fn bench() -> Bench {
    let (core, inbox) = CoreHandle::new(Arc::new(|| {}));
    let links = Links::new(Seed::from_number(1), core.clone());
    let crowd = Arc::new(Mutex::new(Crowd::new(100, 100)));
    Bench { links, inbox, core, now: Instant::now(), crowd }
}

/// One socket: its hold, its link's secret name, what it is told.
struct Page1 {
    hold: Hold,
    token: String,
    texts: mpsc::Receiver<String>,
}

impl Page1 {
    fn heard(&mut self) -> Option<Envelope<ServerMessage>> {
        Some(serde_json::from_str(&self.texts.try_recv().ok()?).unwrap())
    }

    fn welcome(hold: Hold, mut texts: mpsc::Receiver<String>, expect_resumed: bool) -> Page1 {
        let text = texts.try_recv().unwrap();
        let envelope: Envelope<ServerMessage> = serde_json::from_str(&text).unwrap();
        assert_eq!(envelope.sequence, 0);
        let ServerMessage::Welcome { link, resumed, .. } = envelope.message else {
            panic!("{text}")
        };
        assert_eq!(resumed, expect_resumed);
        Page1 { hold, token: link, texts }
    }
}

impl Bench {
    fn open(&mut self) -> Page1 {
        let (queue, texts) = mpsc::channel(QUEUE);
        let address = IpAddr::from([203, 0, 113, 1]);
        let page = Page {
            button: Some("sales".into()),
            info: None,
            origin: Private::default(),
            address: Private::new(address),
            local_page: false,
            seat: Crowd::enter(&self.crowd, address).unwrap(),
        };
        let hold = self.links.open(self.now, page, queue).unwrap();
        let opened = self.inbox.take();
        assert!(matches!(opened, Some(CoreEvent::Visitor(Visitor::Opened { .. }))));
        Page1::welcome(hold, texts, false)
    }

    fn resume(&mut self, token: &str, ack: u64) -> Option<Page1> {
        let (queue, texts) = mpsc::channel(QUEUE);
        let hold = self.links.resume(token, Some("sales"), ack, queue)?;
        Some(Page1::welcome(hold, texts, true))
    }

    fn hang_up(&mut self, page: &Page1, sequence: u64, ack: u64) -> Verdict {
        let message = ClientMessage::Hangup { call: 1, reason: HangupReason::Visitor };
        self.links.received(self.now, page.hold, Envelope { sequence, ack, message })
    }

    fn ping(&mut self, page: &Page1) -> Verdict {
        let message = ClientMessage::Ping { at: 1.0 };
        self.links.received(self.now, page.hold, Envelope { sequence: 0, ack: 0, message })
    }

    fn messages(&self) -> usize {
        std::iter::from_fn(|| self.inbox.take())
            .filter(|event| matches!(event, CoreEvent::Visitor(Visitor::Message { .. })))
            .count()
    }

    fn closed(&self) -> Option<LinkId> {
        match self.inbox.take()? {
            CoreEvent::Visitor(Visitor::Closed { link }) => Some(link),
            other => panic!("{other:?}"),
        }
    }

    fn after(&mut self, wait: Duration) {
        self.now += wait;
        self.links.expire(self.now);
    }
}

fn digit(letter: char) -> ServerMessage {
    ServerMessage::Digit { call: 1, digit: letter }
}

#[test]
fn a_page_that_comes_back_hears_what_it_missed_and_is_heard_once() {
    let mut bench = bench();
    let mut page = bench.open();
    for letter in ['1', '2', '3'] {
        bench.links.send(bench.now, page.hold.link, digit(letter));
    }
    assert_eq!(page.heard().unwrap().sequence, 1);
    assert_eq!(bench.hang_up(&page, 1, 1), Verdict::Fine);
    assert_eq!(bench.hang_up(&page, 2, 1), Verdict::Fine);
    assert_eq!(bench.messages(), 2);
    bench.links.left(bench.now, page.hold, false);
    bench.links.send(bench.now, page.hold.link, digit('4'));
    bench.after(limits::LINK_RESUME - Duration::from_secs(1));
    let mut again = bench.resume(&page.token, 2).unwrap();
    let heard: Vec<_> = std::iter::from_fn(|| again.heard()).collect();
    assert_eq!(heard.iter().map(|e| e.sequence).collect::<Vec<_>>(), [3, 4]);
    assert!(heard.iter().all(|envelope| envelope.ack == 2));
    assert_eq!(heard[1].message, digit('4'));
    // The page has not seen our acknowledgement and says its second message again.
    assert_eq!(bench.hang_up(&again, 2, 4), Verdict::Fine);
    assert_eq!(bench.hang_up(&again, 3, 4), Verdict::Fine);
    assert_eq!(bench.messages(), 1);
}

#[test]
fn a_page_that_stays_away_ends_and_its_name_means_nothing_then() {
    let mut bench = bench();
    let page = bench.open();
    bench.links.left(bench.now, page.hold, false);
    assert_eq!(bench.links.deadline(bench.now), Some(bench.now + limits::LINK_RESUME));
    bench.after(limits::LINK_RESUME - Duration::from_millis(1));
    assert_eq!(bench.closed(), None);
    bench.after(Duration::from_millis(1));
    assert_eq!(bench.closed(), Some(page.hold.link));
    assert!(bench.resume(&page.token, 0).is_none());
    assert_eq!(bench.links.len(), 0);
    assert_eq!(bench.links.deadline(bench.now), None);
}

#[test]
fn a_good_bye_shortens_the_wait() {
    let mut bench = bench();
    let page = bench.open();
    bench.links.left(bench.now, page.hold, true);
    bench.after(GOODBYE);
    assert_eq!(bench.closed(), Some(page.hold.link));
}

#[test]
fn a_second_socket_takes_the_link_over_and_the_first_means_nothing_any_more() {
    let mut bench = bench();
    let mut first = bench.open();
    let second = bench.resume(&first.token, 0).unwrap();
    assert!(matches!(first.texts.try_recv(), Err(mpsc::error::TryRecvError::Disconnected)));
    assert_eq!(bench.hang_up(&first, 1, 0), Verdict::CloseSocket);
    // The old socket's end is no end of the link.
    bench.links.left(bench.now, first.hold, false);
    bench.after(limits::LINK_RESUME * 2);
    assert_eq!(bench.closed(), None);
    assert_eq!(bench.hang_up(&second, 1, 0), Verdict::Fine);
    assert_eq!(bench.messages(), 1);
}

#[test]
fn a_link_is_resumed_only_by_its_name_and_for_its_button() {
    let mut bench = bench();
    let page = bench.open();
    assert!(bench.resume("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0).is_none());
    let (queue, _texts) = mpsc::channel(QUEUE);
    assert!(bench.links.resume(&page.token, Some("support"), 0, queue.clone()).is_none());
    assert!(bench.links.resume(&page.token, None, 0, queue).is_none());
    assert!(page.token.len() >= 25 && bench.open().token != page.token);
}

#[test]
fn a_flood_is_cut_off_and_a_new_socket_brings_no_new_allowance() {
    let mut bench = bench();
    let mut page = bench.open();
    let fine = (0..200).take_while(|_| bench.ping(&page) == Verdict::Fine).count();
    assert_eq!(fine, limits::MESSAGES_BURST as usize);
    assert_eq!(bench.ping(&page), Verdict::TooFast);
    let last = std::iter::from_fn(|| page.heard()).last().unwrap().message;
    assert!(matches!(last, ServerMessage::Error { code: ErrorCode::Limit, .. }));
    bench.links.left(bench.now, page.hold, false);
    let again = bench.resume(&page.token, 0).unwrap();
    assert_eq!(bench.ping(&again), Verdict::TooFast);
    bench.now += Duration::from_secs(1);
    let fine = (0..200).take_while(|_| bench.ping(&again) == Verdict::Fine).count();
    assert_eq!(fine, limits::MESSAGES_PER_SECOND as usize);
}

#[test]
fn a_missing_message_and_a_second_greeting_end_the_link() {
    let mut bench = bench();
    let page = bench.open();
    assert_eq!(bench.hang_up(&page, 2, 0), Verdict::LinkGone);
    assert_eq!(bench.closed(), Some(page.hold.link));
    let page = bench.open();
    let message = ClientMessage::Hello { version: VERSION, link: None, button: None, page: None };
    let verdict =
        bench.links.received(bench.now, page.hold, Envelope { sequence: 0, ack: 0, message });
    assert_eq!(verdict, Verdict::LinkGone);
}

#[test]
fn what_is_out_of_bounds_is_answered_and_never_reaches_the_shard() {
    let mut bench = bench();
    let mut page = bench.open();
    let headers =
        |name: &str, value: &str| std::iter::once((name.to_owned(), value.to_owned())).collect();
    let call = |uri: &str, headers| ClientMessage::Call {
        call: 7,
        uri: Some(uri.into()),
        video: false,
        headers,
        offer: String::new(),
    };
    let messages = [
        ClientMessage::Dtmf { call: 7, digits: "1".repeat(33) },
        ClientMessage::Dtmf { call: 7, digits: "1;2".into() },
        ClientMessage::Dtmf { call: 7, digits: String::new() },
        call(&"s".repeat(513), headers("X-A", "b")),
        call("sip:a@b", headers("X-A", "b\r\nVia: c")),
        call("sip:a@b", headers("X-A", &"b".repeat(257))),
        ClientMessage::Register {
            registrar: "a".repeat(513),
            username: "b".into(),
            password: "c".into(),
        },
    ];
    for (index, message) in messages.into_iter().enumerate() {
        let sequence = index as u64 + 1;
        let envelope = Envelope { sequence, ack: 0, message };
        assert_eq!(bench.links.received(bench.now, page.hold, envelope), Verdict::Fine);
        let answer = page.heard().unwrap();
        assert_eq!(answer.ack, sequence);
        assert!(matches!(answer.message, ServerMessage::Error { code: ErrorCode::BadMessage, .. }));
    }
    assert_eq!(bench.messages(), 0);
}

#[test]
fn a_busy_shard_costs_a_socket_and_no_message() {
    let mut bench = bench();
    let page = bench.open();
    while bench.core.send(CoreEvent::Operator(Operator::Drain)).is_ok() {}
    assert_eq!(bench.hang_up(&page, 1, 0), Verdict::CloseSocket);
    bench.links.left(bench.now, page.hold, false);
    // A link that ends meanwhile is told to the shard as soon as there is room.
    let taken = std::iter::from_fn(|| bench.inbox.take()).count();
    assert_eq!(taken, EVENTS);
    let again = bench.resume(&page.token, 0).unwrap();
    assert_eq!(bench.hang_up(&again, 1, 0), Verdict::Fine);
    assert_eq!(bench.messages(), 1);
    while bench.core.send(CoreEvent::Operator(Operator::Drain)).is_ok() {}
    bench.links.left(bench.now, again.hold, false);
    bench.after(limits::LINK_RESUME);
    assert_eq!(bench.links.len(), 0);
    assert!(bench.links.deadline(bench.now).is_some());
    while bench.inbox.take().is_some() {}
    bench.after(Duration::from_millis(50));
    assert_eq!(bench.closed(), Some(again.hold.link));
}

#[test]
fn a_slow_reader_loses_its_socket_and_not_its_link() {
    let mut bench = bench();
    let mut page = bench.open();
    let answers = (0..QUEUE + 20).filter(|_| {
        bench.now += Duration::from_millis(50);
        bench.ping(&page) == Verdict::Fine
    });
    assert!(answers.count() >= QUEUE);
    // The queue is full of heartbeats; the next message that counts does not fit.
    bench.links.send(bench.now, page.hold.link, digit('1'));
    assert_eq!(bench.ping(&page), Verdict::CloseSocket);
    while page.heard().is_some() {}
    assert!(matches!(page.texts.try_recv(), Err(mpsc::error::TryRecvError::Disconnected)));
    let mut again = bench.resume(&page.token, 0).unwrap();
    assert_eq!(again.heard().unwrap().message, digit('1'));
}

#[test]
fn a_page_that_acknowledges_nothing_is_let_go() {
    let mut bench = bench();
    let mut page = bench.open();
    for _ in 0..=limits::OUTBOX_MESSAGES {
        bench.links.send(bench.now, page.hold.link, digit('1'));
        page.heard();
    }
    assert_eq!(bench.closed(), Some(page.hold.link));
}

#[test]
fn ended_links_free_their_place() {
    let mut bench = bench();
    bench.crowd = Arc::new(Mutex::new(Crowd::new(1, 1)));
    let page = bench.open();
    let address = IpAddr::from([203, 0, 113, 1]);
    assert!(Crowd::enter(&bench.crowd, address).is_none());
    bench.links.left(bench.now, page.hold, true);
    bench.after(GOODBYE);
    assert!(Crowd::enter(&bench.crowd, address).is_some());
}
