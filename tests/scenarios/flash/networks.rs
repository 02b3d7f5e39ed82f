//! Networks that lose datagrams, and people who write them down.

use super::{PHONE, Talk, VISITOR, talk};
use base::Codec;
use harness::flash::{Habit, Taped};
use harness::{FlashSettings, FlashVisitor, HandsetSettings};
use rtmfp::crypto::Group;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// What marks a moment: no overtone of the others.
const MARK: f32 = 1_010.0;

/// How long a closed session is remembered (RFC 7016 section 3.5.5), and a little more.
const LINGER: Duration = Duration::from_secs(21);

/// How old sound is when it is heard, up and down, by a change of what each end says. The message
/// that is being recorded then holds it from its beginning, so up it is some 20 ms older.
fn ages(talk: &Talk) -> [Duration; 2] {
    let said = Instant::now();
    talk.visitor.say(Some(MARK));
    let heard = talk.phone.until("the phone hears the mark", |seen| seen.heard.first(MARK, said));
    let up = heard - said;
    talk.visitor.say(Some(VISITOR));
    let said = Instant::now();
    talk.phone.say(Some(MARK));
    let heard =
        talk.visitor.until("the visitor hears the mark", |seen| seen.heard.first(MARK, said));
    talk.phone.say(Some(PHONE));
    [up, heard - said]
}

fn delay_does_not_grow(name: &str, codec: Codec, phone: Codec, loss: u64, habit: Habit) {
    let client = FlashSettings { loss, habit, seed: 5, ..FlashSettings::with_codec(codec) };
    let talk = talk(name, HandsetSettings::with_codec(phone), &[phone.key()], client);
    talk.visitor.hears(PHONE);
    talk.phone.hears(VISITOR);
    let begun = Instant::now();
    let first = ages(&talk);
    std::thread::sleep(Duration::from_secs(20).saturating_sub(begun.elapsed()));
    talk.visitor.hears(PHONE);
    talk.phone.hears(VISITOR);
    let last = ages(&talk);
    let lost = talk.visitor.look(|seen| seen.lost);
    eprintln!("{name}: {lost} datagrams lost, ages up and down {first:?}, 20 s later {last:?}");
    assert_eq!(lost > 20, loss > 0, "{lost} datagrams got lost");
    for (first, last) in first.into_iter().zip(last) {
        assert!(first < Duration::from_millis(600), "{first:?} old at the beginning");
        assert!(last < first + Duration::from_millis(300), "{first:?} old, then {last:?}");
    }
    talk.visitor.hang_up();
    talk.visitor.ends();
    talk.appliance.is_quiet();
}

#[test]
fn a_tone_survives_losses_both_ways_and_its_delay_does_not_grow() {
    delay_does_not_grow("flash-loss-speex", Codec::Speex16, Codec::Speex16, 5, Habit::Player);
}

#[test]
fn the_same_with_g711_and_sequence_numbers() {
    let habit = Habit::Modern(vec![Group::Modp2048]);
    delay_does_not_grow("flash-loss-pcmu", Codec::Pcmu, Codec::Pcmu, 5, habit);
}

#[test]
fn the_same_on_a_network_without_losses() {
    delay_does_not_grow("flash-no-loss", Codec::Speex16, Codec::Pcmu, 0, Habit::Player);
}

/// Sends what a client sent, in its order and at twenty times its pace.
fn replay(tape: &[Taped], socket: &UdpSocket, to: SocketAddr) -> usize {
    let up: Vec<_> = tape.iter().filter(|taped| taped.up).collect();
    let mut before = up[0].at;
    for taped in &up {
        std::thread::sleep((taped.at - before) / 20);
        before = taped.at;
        let _ = socket.send_to(&taped.octets, to);
    }
    up.len()
}

fn a_replayed_call_does_nothing(name: &str, habit: Habit) {
    let client = FlashSettings { taped: true, habit, ..FlashSettings::default() };
    let phone = HandsetSettings::with_codec(Codec::Pcmu);
    let Talk { appliance, phone, visitor, place: _place } = talk(name, phone, &["pcmu"], client);
    visitor.hears(PHONE);
    phone.hears(VISITOR);
    // While the call is up, from elsewhere: what the phone hears stays as it is.
    let elsewhere = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let other_host = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).unwrap();
    let packets = phone.look(|seen| seen.packets);
    let begun = Instant::now();
    replay(&visitor.tape(), &elsewhere, appliance.rtmfp);
    let passed = begun.elapsed().as_millis() as u64 / 20;
    let more = phone.look(|seen| seen.packets) - packets;
    assert!(more <= passed + 15, "{more} packets to the phone in the time of {passed}");
    phone.hears(VISITOR);
    visitor.hears(PHONE);
    visitor.hang_up();
    visitor.ends();
    appliance.is_quiet();
    let local = visitor.local();
    let tape = visitor.leave();
    appliance.metric_becomes("flash_sessions", 0);
    // After it, from its own address, from another port, and from another host.
    let own = UdpSocket::bind(local).unwrap();
    let packets = phone.look(|seen| seen.packets);
    let sockets = [&own, &elsewhere, &other_host];
    let all = || sockets.map(|socket| replay(&tape, socket, appliance.rtmfp)).into_iter().sum();
    let _: usize = all();
    // And again once the old session is not even remembered.
    std::thread::sleep(LINGER);
    let ignored = appliance.metric("flash_foreign_dropped_total");
    let sent: usize = all();
    appliance.is_quiet();
    phone.look(|seen| {
        assert_eq!((seen.invited.len(), seen.packets), (1, packets), "nothing reaches the phone");
    });
    assert_eq!(appliance.metric("calls_started_total"), 1);
    assert_eq!(appliance.metric("flash_connections_total"), 1);
    // A shard with nothing to do publishes its numbers once a second.
    std::thread::sleep(Duration::from_millis(1_300));
    let more = appliance.metric("flash_foreign_dropped_total") - ignored;
    eprintln!("{name}: {sent} datagrams sent again, {more} counted as foreign");
    assert!(more * 10 > sent as u64 * 9, "{more} of {sent} datagrams are counted");
    // The service goes on.
    let mut visitor = FlashVisitor::connect(&appliance, FlashSettings::default());
    visitor.call();
    visitor.talks();
    visitor.hears(PHONE);
    visitor.hang_up();
    visitor.ends();
}

#[test]
fn a_conversation_that_is_sent_again_does_nothing() {
    a_replayed_call_does_nothing("flash-replay", Habit::Player);
}

#[test]
fn one_with_sequence_numbers_neither() {
    a_replayed_call_does_nothing("flash-replay-modern", Habit::Modern(vec![Group::Modp2048]));
}
