//! Entry points for fuzzing what reads octets.

use crate::chunk::Chunk;
use crate::crypto::epd::{self, Discriminator};
use crate::crypto::{Certificate, Cipher, Component, Group, cipher};
use crate::option::{self, Elements, Options};
use crate::packet::{self, PacketWriter};
use crate::vlu;

/// A plain packet: it is read, and what was read is written and read again.
///
/// # Panics
/// When what is written is read as something else.
pub fn fuzz_packet(data: &[u8]) {
    let Some((header, chunks)) = packet::parse(data) else { return };
    let mut written = Vec::new();
    let mut writer = PacketWriter::new(&mut written, &header, data.len() + 1_024);
    let mut kept = Vec::new();
    for chunk in chunks {
        fuzz_chunk(&chunk);
        if !matches!(chunk, Chunk::Unknown { .. }) && writer.put(&chunk) {
            kept.push(chunk.kind());
        }
    }
    assert!(writer.len() <= data.len() + 1_024);
    let Some((again, chunks)) = packet::parse(&written) else { panic!("our packet is no packet") };
    assert_eq!(header, again);
    let kinds: Vec<_> = chunks.map(|chunk| chunk.kind()).collect();
    assert_eq!(kinds, kept);
}

/// The payload of a chunk, after its type; and a datagram of startup with it.
///
/// # Panics
/// When what is written is read as something else.
pub fn fuzz_chunks(data: &[u8]) {
    let Some((kind, payload)) = data.split_first() else { return };
    if let Some(chunk) = Chunk::parse(*kind, payload) {
        fuzz_chunk(&chunk);
    }
    let mut startup = Cipher::startup();
    let (mut datagram, mut scratch) = (Vec::new(), Vec::new());
    startup.seal(u32::from(*kind), payload, &mut datagram);
    let Some((session, encrypted)) = cipher::session_id(&datagram) else { panic!("no session ID") };
    assert_eq!(session, u32::from(*kind));
    match startup.open(encrypted, &mut scratch) {
        Ok(plain) => assert!(plain.starts_with(payload)),
        Err(rejected) => panic!("our own packet is {rejected:?}"),
    }
    // What anybody sends.
    let _ = startup.open(data, &mut scratch);
}

/// Numbers in a shorter form may make a chunk shorter, once.
fn fuzz_chunk(chunk: &Chunk<'_>) {
    let mut last = 0;
    let ranges = match chunk {
        Chunk::AckBitmap(ack) => Some((ack.cumulative, ack.ranges())),
        Chunk::AckRanges(ack) => Some((ack.cumulative, ack.ranges())),
        _ => None,
    };
    if let Some((cumulative, ranges)) = ranges {
        last = last.max(cumulative);
        for (from, until) in ranges {
            assert!(from > last && from - last >= 2 && until >= from, "ranges that touch");
            last = until;
        }
    }
    if matches!(chunk, Chunk::Unknown { .. }) {
        return;
    }
    let (mut first, mut second) = (Vec::new(), Vec::new());
    assert!(chunk.put(&mut first), "what was read has a length");
    let payload = first.get(3..).unwrap_or_default();
    let Some(again) = Chunk::parse(chunk.kind(), payload) else { panic!("our chunk is malformed") };
    assert!(again.put(&mut second));
    assert_eq!(first, second);
}

/// Numbers, options and lists of them.
///
/// # Panics
/// When what is written is read as something else.
pub fn fuzz_options(data: &[u8]) {
    if let Some((value, rest)) = vlu::split(data) {
        let mut octets = Vec::new();
        vlu::put(&mut octets, value);
        assert!(octets.len() <= data.len() - rest.len());
        assert_eq!(vlu::split(&octets), Some((value, &[][..])));
    }
    if let Some((list, rest)) = option::split_list(data) {
        assert_eq!(list.len() + rest.len(), data.len());
        let mut again = Vec::new();
        for entry in Options::new(list) {
            option::put(&mut again, entry.kind, entry.value);
        }
        option::put_marker(&mut again);
        let Some((second, [])) = option::split_list(&again) else { panic!("our list is none") };
        assert!(Options::new(list).eq(Options::new(second)));
    }
    let broken = Elements::new(data).filter(Result::is_err).count();
    assert!(broken <= 1, "a malformed element is the last");
}

/// Certificates, discriminators and keying components.
///
/// # Panics
/// When they contradict themselves.
pub fn fuzz_certificate(data: &[u8]) {
    if let Ok(certificate) = Certificate::parse(data) {
        assert_eq!(certificate.octets(), data);
        let fingerprint = epd::for_fingerprint(certificate.fingerprint());
        assert!(epd::selects(&fingerprint, &certificate));
        assert_eq!(epd::selects(&epd::for_uri("x"), &certificate), certificate.accepts_ancillary());
        for group in certificate.groups() {
            assert!(certificate.supports(group));
            assert_eq!(certificate.static_key(group).is_some(), certificate.is_static());
            certificate.static_key(group).map(|key| group.accepts(key));
        }
        assert!(certificate.overrides(&certificate) && certificate.prevails_over(&certificate));
        // The whole of it twice, with a Marker between: all after the Marker is outside.
        let twice = [data, &[0], data].concat();
        if let Ok(twice) = Certificate::parse(&twice) {
            assert_eq!(twice.fingerprint(), certificate.fingerprint());
        }
        if let Ok(component) = Component::parse(data) {
            let key = component.initiator_key(&certificate);
            assert!(key.is_none_or(|(group, _)| Group::from_id(group.id()) == Some(group)));
        }
    }
    if let Ok(discriminator) = Discriminator::parse(data) {
        let octets = discriminator.octets();
        assert_eq!(Discriminator::parse(&octets), Ok(discriminator));
    }
    if let Ok(component) = Component::parse(data) {
        let length = component.hmac_length;
        assert!(length == 0 || (4..=32).contains(&length));
        assert_eq!(component.hmac.is_possible(), length > 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Seed;

    #[test]
    fn random_octets_leave_every_reader_whole() {
        let mut seed = Seed::from_number(3);
        for _ in 0..20_000 {
            let mut data = vec![0; seed.below(60) as usize];
            seed.fill(&mut data);
            // Short lengths make more of it well formed.
            if seed.below(2) == 0 {
                data.iter_mut().for_each(|octet| *octet &= 0x1f);
            }
            fuzz_packet(&data);
            fuzz_chunks(&data);
            fuzz_options(&data);
            fuzz_certificate(&data);
        }
    }
}
