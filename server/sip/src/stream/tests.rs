#![allow(clippy::unwrap_used)]

use super::*;

const OPTIONS: &[u8] = b"OPTIONS sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKa\r\n\
    Content-Length: 0\r\n\r\n";
const MESSAGE: &[u8] = b"MESSAGE sip:a@192.0.2.1 SIP/2.0\r\nl:\r\n 7\r\nX: y\r\n\r\n\r\n\r\nabc";
const ANSWER: &[u8] = b"SIP/2.0 200 OK\nContent-Length : 4\n\nbody";

struct Line {
    now: Instant,
    stream: Stream,
}

impl Line {
    fn new(keeps_alive: bool) -> Self {
        let now = Instant::now();
        Line { now, stream: Stream::new(now, keeps_alive, &mut Seed::from_number(7)) }
    }

    fn read(&mut self, octets: &[u8]) -> Vec<Vec<u8>> {
        self.stream.handle_octets(self.now, octets);
        std::iter::from_fn(|| self.stream.poll_message(self.now)).collect()
    }

    fn written(&mut self) -> Vec<&'static [u8]> {
        std::iter::from_fn(|| self.stream.poll_transmit()).collect()
    }

    /// Lets time pass up to the next deadline.
    fn wait(&mut self) -> Duration {
        let before = self.now;
        self.now = self.stream.poll_timeout().unwrap();
        self.stream.handle_timeout(self.now);
        self.now - before
    }
}

#[test]
fn messages_come_out_whole_wherever_the_octets_are_split() {
    let wire = [OPTIONS, b"\r\n\r\n", MESSAGE, ANSWER, b"\n", OPTIONS].concat();
    let expected = [OPTIONS, MESSAGE, ANSWER, OPTIONS];
    for split in 0..=wire.len() {
        let mut line = Line::new(false);
        let (first, second) = wire.split_at(split);
        let mut found = line.read(first);
        found.extend(line.read(second));
        assert_eq!(found, expected, "split at {split}");
        assert_eq!(line.written(), [PONG], "split at {split}");
    }
    let mut line = Line::new(false);
    let one_by_one: Vec<_> = wire.iter().flat_map(|octet| line.read(&[*octet])).collect();
    assert_eq!(one_by_one, expected);
}

#[test]
fn what_is_not_sip_ends_the_connection() {
    let cases: [(&[u8], StreamError); 8] = [
        (b"\x16\x03\x01\x02\x00", StreamError::NotSip),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", StreamError::NotSip),
        (b"OPTIONS sip:a SIP/2.0\r\nContent-Length: -1\r\n\r\n", StreamError::NoLength),
        (b"OPTIONS sip:a SIP/2.0\r\nl: 1\r\nContent-Length: 2\r\n\r\n", StreamError::NoLength),
        (b"OPTIONS sip:a SIP/2.0\r\nVia: x\r\n\r\n", StreamError::NoLength),
        (b"OPTIONS sip:a SIP/2.0\r\nl: 65536\r\n\r\n", StreamError::TooLong),
        (b"OPTIONS sip:a SIP/2.0\r\nl: 99999999999999999999\r\n\r\n", StreamError::TooLong),
        (&[b'a'; limits::HEADER_LENGTH + 1], StreamError::TooLong),
    ];
    for (octets, error) in cases {
        let mut line = Line::new(true);
        assert!(line.read(octets).is_empty());
        assert_eq!(line.stream.error(), Some(error), "{}", String::from_utf8_lossy(octets));
        // It stays so, and wants nothing more.
        assert!(line.read(OPTIONS).is_empty());
        assert_eq!(line.stream.poll_timeout(), None);
    }
}

#[test]
fn messages_before_garbage_still_count() {
    let mut line = Line::new(false);
    let found = line.read(&[OPTIONS, b"\0"].concat());
    assert_eq!(found, [OPTIONS]);
    assert_eq!(line.stream.error(), Some(StreamError::NotSip));
}

#[test]
fn half_a_message_is_not_waited_for_without_end() {
    let mut line = Line::new(false);
    assert!(line.read(OPTIONS.get(..20).unwrap()).is_empty());
    // Drops do not prolong it.
    line.now += Duration::from_secs(20);
    assert!(line.read(b"x").is_empty());
    assert_eq!(line.wait(), limits::MESSAGE_WITHIN - Duration::from_secs(20));
    assert_eq!(line.stream.error(), Some(StreamError::Unfinished));
}

#[test]
fn a_ping_is_answered_and_a_pong_is_not() {
    let mut line = Line::new(false);
    assert!(line.read(b"\r\n\r").is_empty());
    assert!(line.written().is_empty());
    line.read(b"\n");
    assert_eq!(line.written(), [PONG]);
    line.read(&PING.repeat(100));
    assert_eq!(line.written().len(), limits::PONGS);
    let mut line = Line::new(true);
    line.wait();
    assert_eq!(line.written(), [PING]);
    line.read(PONG);
    assert!(line.written().is_empty());
    line.read(PING);
    assert_eq!(line.written(), [PONG]);
}

#[test]
fn whoever_opened_a_connection_pings_it_and_misses_a_pong_that_used_to_come() {
    let mut line = Line::new(true);
    for _ in 0..5 {
        let pause = line.wait();
        assert!((25..=30).contains(&pause.as_secs()), "{pause:?}");
        assert_eq!(line.written(), [PING]);
        line.now += Duration::from_secs(1);
        line.read(PONG);
    }
    line.wait();
    assert_eq!(line.written(), [PING]);
    assert_eq!(line.wait(), limits::PONG_WITHIN);
    assert_eq!(line.stream.error(), Some(StreamError::Silent));
}

#[test]
fn a_server_that_never_answers_pings_is_not_taken_for_dead() {
    let mut line = Line::new(true);
    for _ in 0..20 {
        line.wait();
        assert_eq!(line.written(), [PING]);
    }
    assert_eq!(line.stream.error(), None);
}

#[test]
fn a_message_in_place_of_the_pong_shows_life_too() {
    let mut line = Line::new(true);
    line.wait();
    line.read(PONG);
    line.wait();
    line.read(OPTIONS);
    let pause = line.wait();
    assert!((25..=30).contains(&pause.as_secs()), "{pause:?}");
    assert_eq!(line.stream.error(), None);
}

#[test]
fn the_accepting_side_has_no_deadline_of_its_own() {
    let mut line = Line::new(false);
    line.read(OPTIONS);
    assert_eq!(line.stream.poll_timeout(), None);
}
