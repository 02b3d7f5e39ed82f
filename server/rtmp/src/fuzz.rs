//! Entry points for fuzzing; they hold the properties that must survive any input.

use crate::amf::{AmfError, Decoder, Limits, Value, write_amf0, write_amf3};
use crate::application::Request;
use crate::command::{Command, Data, Encoding};
use crate::connection::{
    Action, Cause, Client, ClientEvent, ClientSettings, Server, ServerEvent, ServerSettings,
};
use crate::media::{
    AudioTag, AvcConfiguration, AvcPacket, SorensonHeader, VideoTag, g711_frames, nal_units,
};
use crate::message::{Body, Message};
use crate::metadata::Metadata;
use crate::status::Refusal;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// What was read within the usual limits may be longer when it is written without references.
const WIDE: Limits = Limits { depth: 64, values: 1 << 20, octets: 1 << 22 };

/// Reads any octets as values in AMF 0; what was read survives being written and read again.
///
/// # Panics
/// Where that does not hold.
pub fn fuzz_amf0(data: &[u8]) {
    values(data, |decoder| decoder.amf0(), write_amf0);
}

/// The same in AMF 3.
///
/// # Panics
/// As [`fuzz_amf0`].
pub fn fuzz_amf3(data: &[u8]) {
    values(data, |decoder| decoder.amf3(), write_amf3);
}

type Read = for<'a> fn(&mut Decoder<'a>) -> Result<Value, AmfError>;

fn values(data: &[u8], read: Read, write: fn(&Value, &mut Vec<u8>)) {
    let mut decoder = Decoder::new(data, Limits::default());
    let mut count = 0;
    while !decoder.is_empty() {
        let Ok(value) = read(&mut decoder) else { return };
        count += 1;
        assert!(count <= data.len());
        let mut once = Vec::new();
        write(&value, &mut once);
        let mut again = Decoder::new(&once, WIDE);
        let read_again = read(&mut again);
        assert!(again.is_empty(), "something is left of {value:?}");
        let mut twice = Vec::new();
        if let Ok(value) = &read_again {
            write(value, &mut twice);
        }
        assert!(once == twice, "{value:?} became {read_again:?}");
    }
}

/// Reads any octets as a message and, whatever its type, its payload as everything that a payload
/// can be.
///
/// # Panics
/// Where something reads beyond its input or does not read back.
pub fn fuzz_message(data: &[u8]) {
    if let Some(metadata) = Metadata::parse(data) {
        assert_eq!(Metadata::parse(&metadata.encode()), Some(metadata));
    }
    let Some(message) = Message::parse(data) else { return };
    let mut buffer = vec![0; data.len()];
    assert_eq!(message.write(&mut buffer), Some(data.len()));
    assert_eq!(buffer, data);
    match message.body() {
        Body::UserControl(event) => {
            let octets = event.encode();
            let again = Message::parse(&octets).map(|message| message.body());
            assert_eq!(again, Some(Body::UserControl(event)));
        }
        Body::Command { values, .. } => {
            if let Ok(command) = Command::parse(values) {
                for encoding in [Encoding::Amf0, Encoding::Extended, Encoding::Amf3] {
                    let octets = command.encode(encoding);
                    assert!(matches!(
                        Message::parse(&octets).map(|message| message.body()),
                        Some(Body::Command { .. })
                    ));
                }
                let _ = Request::parse(&command.name, command.arguments);
            }
        }
        Body::Data(values) => {
            let _ = Data::parse(values).map(|data| data.encode(Encoding::Amf0));
        }
        _ => {}
    }
    sound(message.payload);
    pictures(message.payload);
}

fn sound(payload: &[u8]) {
    if let Some(tag) = AudioTag::parse(payload) {
        assert!(g711_frames(tag.sound).all(|frame| !frame.is_empty()));
    }
}

fn pictures(payload: &[u8]) {
    let Some(tag) = VideoTag::parse(payload) else { return };
    let _ = SorensonHeader::parse(tag.body);
    for record in [payload, tag.body] {
        if let Some(record) = AvcConfiguration::parse(record) {
            let sets = record.sequence_sets().chain(record.picture_sets());
            assert!(sets.map(|set| set.len() + 2).sum::<usize>() <= payload.len());
        }
    }
    if let Some(AvcPacket::Units { units, .. }) = AvcPacket::parse(tag.body) {
        for size in 0..5 {
            let total: usize = nal_units(units, size).map(<[u8]>::len).sum();
            assert!(total <= units.len());
        }
    }
}

/// One end of a connection, whichever it is, as operations drive it.
trait End {
    fn opened(&mut self, flow: u64, metadata: &[u8], return_of: Option<u64>);
    fn message(&mut self, now: Instant, flow: u64, octets: &[u8]);
    fn finished(&mut self, now: Instant, flow: u64);
    fn rejected(&mut self, flow: u64);
    fn timeout(&mut self, now: Instant);
    fn act(&mut self, now: Instant, which: u8, stream: u32);
    fn action(&mut self) -> Option<Action>;
    /// The next event; whether it was the last of all.
    fn event(&mut self, willing: bool) -> Option<Option<Cause>>;
    fn deadline(&self) -> Option<Instant>;
    fn is_over(&self) -> bool;
    fn sound(&self, stream: u32, buffer: &mut [u8]) -> Option<u64>;
}

impl End for Server {
    fn opened(&mut self, flow: u64, metadata: &[u8], return_of: Option<u64>) {
        self.handle_flow_opened(flow, metadata, return_of);
    }

    fn message(&mut self, now: Instant, flow: u64, octets: &[u8]) {
        if let Some(media) = self.handle_message(now, flow, octets) {
            assert!(octets.ends_with(media.payload));
        }
    }

    fn finished(&mut self, now: Instant, flow: u64) {
        self.handle_flow_finished(now, flow);
    }

    fn rejected(&mut self, flow: u64) {
        self.handle_flow_rejected(flow);
    }

    fn timeout(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn act(&mut self, now: Instant, which: u8, stream: u32) {
        let refusal = Refusal::unknown_call();
        match which % 11 {
            0 => self.accept(),
            1 => self.accept_publish(stream),
            2 => self.accept_play(stream),
            3 => self.refuse_play(stream, &refusal),
            4 => self.refuse_publish(stream, &refusal),
            5 => self.call("onCallState", vec![Value::Null]),
            6 => drop(self.result(f64::from(stream), Value::Null)),
            7 => self.notify_unpublished(stream),
            8 => self.open_video(stream),
            9 => self.set_keepalive(5000, 5000),
            _ if stream == 7 => self.close(now),
            _ => self.reject(now, &refusal),
        }
    }

    fn action(&mut self) -> Option<Action> {
        self.poll_action()
    }

    fn event(&mut self, willing: bool) -> Option<Option<Cause>> {
        let event = self.poll_event()?;
        match event {
            ServerEvent::ConnectRequested(_) if willing => self.accept(),
            ServerEvent::PublishRequested { stream, .. } if willing => self.accept_publish(stream),
            ServerEvent::PlayRequested { stream, .. } if willing => self.accept_play(stream),
            ServerEvent::Called { name, transaction, arguments } if willing => {
                match Request::parse(&name, arguments) {
                    Ok(_) => self.result(transaction, Value::Null),
                    Err(refusal) => self.error(transaction, &refusal),
                };
            }
            ServerEvent::Closed(cause) => return Some(Some(cause)),
            _ => {}
        }
        Some(None)
    }

    fn deadline(&self) -> Option<Instant> {
        self.poll_timeout()
    }

    fn is_over(&self) -> bool {
        self.is_over()
    }

    fn sound(&self, stream: u32, buffer: &mut [u8]) -> Option<u64> {
        self.write_audio(stream, 0, &[0xb2], buffer).map(|out| out.flow)
    }
}

impl End for Client {
    fn opened(&mut self, flow: u64, metadata: &[u8], return_of: Option<u64>) {
        self.handle_flow_opened(flow, metadata, return_of);
    }

    fn message(&mut self, now: Instant, flow: u64, octets: &[u8]) {
        if let Some(media) = self.handle_message(now, flow, octets) {
            assert!(octets.ends_with(media.payload));
        }
    }

    fn finished(&mut self, now: Instant, flow: u64) {
        self.handle_flow_finished(now, flow);
    }

    fn rejected(&mut self, flow: u64) {
        self.handle_flow_rejected(flow);
    }

    fn timeout(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn act(&mut self, now: Instant, which: u8, stream: u32) {
        match which % 9 {
            0 | 1 => drop(self.create_stream()),
            2 => self.publish(stream, "mic"),
            3 => self.play(stream, "far"),
            4 => self.close_stream(stream),
            5 => self.delete_stream(stream),
            6 => drop(self.call("call", Vec::new())),
            7 => self.open_video(stream),
            _ if stream == 7 => self.close(now),
            _ => self.receive_audio(stream, false),
        }
    }

    fn action(&mut self) -> Option<Action> {
        self.poll_action()
    }

    fn event(&mut self, willing: bool) -> Option<Option<Cause>> {
        let event = self.poll_event()?;
        match event {
            ClientEvent::Connected(_) if willing => drop(self.create_stream()),
            ClientEvent::StreamCreated { stream } if willing => self.publish(stream, "mic"),
            ClientEvent::Closed(cause) => return Some(Some(cause)),
            _ => {}
        }
        Some(None)
    }

    fn deadline(&self) -> Option<Instant> {
        self.poll_timeout()
    }

    fn is_over(&self) -> bool {
        self.is_over()
    }

    fn sound(&self, stream: u32, buffer: &mut [u8]) -> Option<u64> {
        self.write_audio(stream, 0, &[0xb2], buffer).map(|out| out.flow)
    }
}

/// Drives one end of a connection with operations. The first octet chooses the end and how willing
/// its application is; then each operation has an octet that says what happens, one of time (in
/// units of 100 ms), one that names a flow or stream, and a length with that many octets.
///
/// # Panics
/// Where the machine breaks a promise: flows that are opened before they are used and once,
/// bounded output, deadlines, one end.
pub fn fuzz_connection(data: &[u8]) {
    let Some((first, operations)) = data.split_first() else { return };
    let now = Instant::now();
    let willing = first & 2 == 0;
    if first & 1 == 0 {
        let server = Server::new(now, ServerSettings { network_order: first & 4 != 0 });
        drive(server, now, willing, operations);
    } else {
        let zero_transactions = first & 4 != 0;
        let settings = ClientSettings { zero_transactions, ..ClientSettings::default() };
        drive(Client::new(now, settings), now, willing, operations);
    }
}

fn drive(mut end: impl End, mut now: Instant, willing: bool, mut rest: &[u8]) {
    let mut seen = Seen::default();
    seen.drain(&mut end, willing);
    while let [operation, time, name, length, tail @ ..] = rest {
        let (octets, after) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = after;
        now += Duration::from_millis(u64::from(*time) * 100);
        let flow = u64::from(*name);
        match operation % 8 {
            0 => {
                let answers = octets.first().map(|flow| u64::from(*flow));
                // The driver gives each receiving flow a number of its own.
                if seen.receiving.insert(flow) {
                    end.opened(flow, octets.get(1..).unwrap_or_default(), answers);
                }
            }
            1 => {
                let answers = (*length > 0).then_some(0);
                let metadata =
                    Metadata { stream: u32::from(operation >> 3), network_order: false }.encode();
                if seen.receiving.insert(flow) {
                    end.opened(flow, &metadata, answers);
                }
            }
            2..=4 => end.message(now, flow, octets),
            5 => end.finished(now, flow),
            6 => end.rejected(flow),
            _ => end.act(now, operation >> 3, u32::from(*name)),
        }
        seen.drain(&mut end, willing);
        if end.deadline().is_some_and(|at| at <= now) {
            end.timeout(now);
            seen.drain(&mut end, willing);
        }
        assert!(end.deadline().is_none_or(|at| at > now), "a deadline that was handled stays");
        let mut buffer = [0; 16];
        for flow in (1..4).filter_map(|stream| end.sound(stream, &mut buffer)) {
            assert!(seen.open.contains(&flow), "sound on a flow that is not open");
        }
    }
    // Whatever came, waiting comes to an end.
    for _ in 0..20 {
        let Some(at) = end.deadline() else { break };
        end.timeout(at);
        seen.drain(&mut end, willing);
    }
    assert_eq!(end.deadline(), None);
    assert!(seen.closed || !end.is_over(), "an end that was not told");
}

#[derive(Default)]
struct Seen {
    receiving: HashSet<u64>,
    opened: HashSet<u64>,
    open: HashSet<u64>,
    closed: bool,
    session_closed: bool,
}

impl Seen {
    fn drain(&mut self, end: &mut impl End, willing: bool) {
        let mut count = 0;
        loop {
            count += 1;
            assert!(count < 1000, "output without end");
            if let Some(action) = end.action() {
                self.check(&action);
            } else if let Some(cause) = end.event(willing) {
                assert!(!self.closed, "an event after the last");
                self.closed = cause.is_some();
            } else {
                return;
            }
        }
    }

    fn check(&mut self, action: &Action) {
        assert!(!self.session_closed, "{action:?} after the session was closed");
        match action {
            Action::OpenFlow { flow, metadata, .. } => {
                assert!(self.opened.insert(*flow), "flow {flow} was opened twice");
                assert!(Metadata::parse(metadata).is_some());
                self.open.insert(*flow);
                assert!(self.open.len() <= 64);
            }
            Action::Send { flow, octets } => {
                assert!(self.open.contains(flow), "flow {flow} is not open");
                assert!(Message::parse(octets).is_some());
            }
            Action::CloseFlow { flow } => assert!(self.open.remove(flow)),
            Action::RejectFlow { flow, .. } => assert!(self.receiving.contains(flow)),
            Action::SetOrder { flow, .. } => assert!(self.receiving.contains(flow)),
            Action::CloseSession => self.session_closed = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Seed;

    /// Octets that often mean something.
    fn octets(seed: &mut Seed, markers: u64) -> Vec<u8> {
        let length = seed.below(40);
        let octet = |seed: &mut Seed| match seed.below(4) {
            0 => seed.below(256),
            1 => 0,
            2 => seed.below(4),
            _ => seed.below(markers),
        };
        (0..length).map(|_| octet(seed) as u8).collect()
    }

    #[test]
    fn random_values_are_survived() {
        let mut seed = Seed::from_number(1);
        for _ in 0..100_000 {
            fuzz_amf0(&octets(&mut seed, 0x12));
            fuzz_amf3(&octets(&mut seed, 0x0d));
        }
    }

    #[test]
    fn random_messages_are_survived() {
        let mut seed = Seed::from_number(2);
        for _ in 0..100_000 {
            let mut data = vec![seed.below(23) as u8, 0, 0, 0, 0];
            data.extend(octets(&mut seed, 0x20));
            fuzz_message(&data);
        }
    }

    #[test]
    fn both_ends_survive_random_operations() {
        let mut seed = Seed::from_number(3);
        for _ in 0..3000 {
            let mut data = vec![seed.below(8) as u8];
            let message = |seed: &mut Seed, data: &mut Vec<u8>, flow: u8, octets: Vec<u8>| {
                data.extend([2, seed.below(3) as u8, flow, octets.len().min(255) as u8]);
                data.extend(octets.iter().take(255));
            };
            // A beginning that a server and a client can go on from.
            data.extend([1, 0, 0, seed.below(2) as u8]);
            if data.last() == Some(&1) {
                data.push(0);
            }
            let name = if data[0] & 1 == 0 { "connect" } else { "_result" };
            let transaction = if data[0] & 4 == 0 { 1.0 } else { 0.0 };
            let connect = Command::new(name, transaction, Vec::new()).encode(Encoding::Amf0);
            message(&mut seed, &mut data, 0, connect);
            for _ in 0..40 {
                let flow = seed.below(6) as u8;
                match seed.below(5) {
                    0 => {
                        let names = ["createStream", "publish", "play", "_result", "call", "x"];
                        let name = names[seed.below(6) as usize];
                        let number = Value::from(seed.below(5) as u32);
                        let argument = if seed.below(2) == 0 { "a".into() } else { number };
                        let transaction = seed.below(6) as f64;
                        let command = Command::new(name, transaction, vec![argument]);
                        message(&mut seed, &mut data, flow, command.encode(Encoding::Amf0));
                    }
                    1 => {
                        let sync = seed.below(3) as u8;
                        let event = vec![4, 0, 0, 0, 0, 0, 34, 0, 0, 0, sync, 0, 0, 0, 2];
                        message(&mut seed, &mut data, flow, event);
                    }
                    2 => {
                        let operation = seed.below(4) as u8 * 8 + 1;
                        data.extend([operation, 0, seed.below(6) as u8, 1, 0]);
                    }
                    _ => {
                        let time = if seed.below(20) == 0 { 200 } else { seed.below(2) as u8 };
                        let operation = seed.u32() as u8;
                        let body = octets(&mut seed, 0x20);
                        data.extend([operation, time, flow, body.len() as u8]);
                        data.extend(body);
                    }
                }
            }
            fuzz_connection(&data);
        }
    }
}
