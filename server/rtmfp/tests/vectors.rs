//! Sessions recorded from independent clients: their keys, packets and chunks come out the same here.
#![allow(clippy::unwrap_used)]

use rtmfp::chunk::Chunk;
use rtmfp::crypto::{Certificate, Cipher, Component, SessionKeys, SharedSecret, cipher};
use rtmfp::packet;
use serde_json::Value;

const FILES: [(&str, &str); 4] = [
    ("static14-hmac-sseq", include_str!("vectors/static14-hmac-sseq.jsonl")),
    ("ephemeral2-hmac-sseq", include_str!("vectors/ephemeral2-hmac-sseq.jsonl")),
    ("static2-checksum", include_str!("vectors/static2-checksum.jsonl")),
    ("librtmfp-checksum", include_str!("vectors/librtmfp-checksum.jsonl")),
];

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn octets(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn keys(lines: &[Value]) -> (SessionKeys, &Value) {
    let line = lines.iter().find(|line| line["type"] == "keys").unwrap();
    let secret = SharedSecret::from_octets(&octets(&line["dh_secret"]));
    let keys = SessionKeys::derive(&secret, &octets(&line["sknc"]), &octets(&line["skfc"]));
    (keys, line)
}

/// The cipher of the recording responder, with what the two components agree on.
fn session_cipher(lines: &[Value]) -> Cipher {
    let (keys, line) = keys(lines);
    let (near, far) = (octets(&line["sknc"]), octets(&line["skfc"]));
    let near = Component::parse(&near).unwrap();
    let agreement = Component::parse(&far).unwrap().agree(near.hmac, near.sequence);
    Cipher::session(&keys, &agreement)
}

/// The cipher of the client.
fn far_cipher(lines: &[Value]) -> Cipher {
    let line = lines.iter().find(|line| line["type"] == "keys").unwrap();
    let secret = SharedSecret::from_octets(&octets(&line["dh_secret"]));
    let (near, far) = (octets(&line["sknc"]), octets(&line["skfc"]));
    let own = Component::parse(&far).unwrap();
    let agreement = Component::parse(&near).unwrap().agree(own.hmac, own.sequence);
    Cipher::session(&SessionKeys::derive(&secret, &far, &near), &agreement)
}

fn lines_say_hmac(lines: &[Value]) -> bool {
    lines.iter().any(|line| line["hmac_send"] == 1)
}

/// Sequence number and checksum before a sent packet: what of the blocks is not the packet.
fn sent_margin(encrypted: usize, hmac: usize, opened: usize) -> usize {
    encrypted - hmac - opened
}

#[test]
fn the_recorded_keys_and_nonces_follow_from_secret_and_components() {
    for (name, text) in FILES {
        let lines = lines(text);
        let (keys, line) = keys(&lines);
        let derived = [
            ("encrypt_key", keys.encrypt()),
            ("decrypt_key", keys.decrypt()),
            ("hmac_send_key", keys.hmac_send()),
            ("hmac_recv_key", keys.hmac_receive()),
            ("near_nonce", keys.near_nonce()),
            ("far_nonce", keys.far_nonce()),
        ];
        for (key, value) in derived {
            assert_eq!(value[..], octets(&line[key]), "{name}: {key}");
        }
    }
}

#[test]
fn the_recorded_components_agree_on_what_was_recorded() {
    for (name, text) in FILES {
        let lines = lines(text);
        let (_, line) = keys(&lines);
        let (near, far) = (octets(&line["sknc"]), octets(&line["skfc"]));
        let near = Component::parse(&near).unwrap();
        let agreement = Component::parse(&far).unwrap().agree(near.hmac, near.sequence);
        let yes = |key: &str| line[key] == 1;
        assert_eq!(agreement.hmac_send.is_some(), yes("hmac_send"), "{name}");
        assert_eq!(agreement.hmac_receive.is_some(), yes("hmac_recv"), "{name}");
        assert_eq!(agreement.sequence_send, yes("sseq_send"), "{name}");
        assert_eq!(agreement.sequence_receive, yes("sseq_recv"), "{name}");
        if yes("hmac_recv") {
            assert_eq!(agreement.hmac_receive, line["rx_hmac_len"].as_u64().map(|n| n as usize));
        }
    }
}

#[test]
fn the_recorded_certificate_has_the_recorded_fingerprint() {
    for (name, text) in FILES {
        let lines = lines(text);
        let line = lines.iter().find(|line| line["type"] == "near_cert").unwrap();
        let certificate = Certificate::parse(&octets(&line["cert"])).unwrap();
        assert_eq!(certificate.fingerprint()[..], octets(&line["fingerprint"]), "{name}");
    }
}

#[test]
fn every_recorded_packet_is_verified_decrypted_and_encrypted_to_the_same_octets() {
    for (name, text) in FILES {
        let lines = lines(text);
        // One receives what the client sent. The other sends what the responder sent.
        let mut near = session_cipher(&lines);
        let hmac_length = if lines_say_hmac(&lines) { 16 } else { 0 };
        let mut far = far_cipher(&lines);
        let mut startup = Cipher::startup();
        let (mut scratch, mut datagram) = (Vec::new(), Vec::new());
        let (mut received, mut sent, mut in_startup) = (0, 0, 0);
        for line in &lines {
            let plain = line.get("plain").map(octets).unwrap_or_default();
            if line["type"] == "rx" {
                let encrypted = octets(&line["encrypted"]);
                let opened = match startup.open(&encrypted, &mut scratch) {
                    Ok(opened) => {
                        in_startup += 1;
                        opened
                    }
                    Err(_) => near.open(&encrypted, &mut scratch).unwrap(),
                };
                assert!(plain.ends_with(opened), "{name}");
                let margin = line["front_margin"].as_u64().unwrap() as usize;
                assert_eq!(opened.len() + margin, plain.len(), "{name}");
                received += 1;
            }
            if line["type"] == "tx" {
                let recorded = octets(&line["datagram"]);
                let session =
                    u32::from_str_radix(line["session_id"].as_str().unwrap(), 16).unwrap();
                let (seen, encrypted) = cipher::session_id(&recorded).unwrap();
                assert_eq!(seen, session, "{name}");
                // Only the other end can read what the session's cipher sent.
                let (cipher, opened, hmac) = match startup.open(encrypted, &mut scratch) {
                    Ok(opened) => (&mut startup, opened.len(), 0),
                    Err(_) => {
                        (&mut near, far.open(encrypted, &mut scratch).unwrap().len(), hmac_length)
                    }
                };
                let margin = sent_margin(encrypted.len(), hmac, opened);
                cipher.seal(session, &plain[margin..], &mut datagram);
                assert_eq!(datagram, recorded, "{name}");
                sent += 1;
            }
        }
        assert!(received > 20 && sent > 15 && in_startup == 2, "{name}: {received} {sent}");
    }
}

#[test]
fn a_recorded_packet_that_comes_twice_is_dropped_where_packets_are_numbered() {
    for (name, text) in &FILES[..2] {
        let lines = lines(text);
        let mut near = session_cipher(&lines);
        let mut scratch = Vec::new();
        for line in lines.iter().filter(|line| line["type"] == "rx").skip(2) {
            let encrypted = octets(&line["encrypted"]);
            assert!(near.open(&encrypted, &mut scratch).is_ok());
            assert_eq!(
                near.open(&encrypted, &mut scratch),
                Err(cipher::Rejected::Replayed),
                "{name}"
            );
        }
    }
}

#[test]
fn every_recorded_chunk_is_read_and_written_to_the_same_octets() {
    let mut seen = std::collections::BTreeMap::<u8, u32>::new();
    for (name, text) in FILES {
        let lines = lines(text);
        let (protected, mut startup) = (lines_say_hmac(&lines), true);
        for line in lines {
            let Some(plain) = line.get("plain").map(octets) else { continue };
            let margin = match line["front_margin"].as_u64() {
                Some(margin) => margin as usize,
                // The recording of a sent packet does not say: a checksum in startup and in the
                // sessions with one, else a sequence number below 128.
                None if line["session_id"] == "00000000" || !protected || startup => 2,
                None => 1,
            };
            let plain = &plain[margin..];
            startup &= plain[0] & 3 == 3;
            let (header, chunks) = packet::parse(plain).unwrap();
            let mut written = Vec::new();
            header.put(&mut written);
            assert!(plain.starts_with(&written), "{name}: header");
            let mut rest = &plain[written.len()..];
            let mut counted = 0;
            while let [kind, high, low, more @ ..] = rest {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                let Some((payload, after)) = more.split_at_checked(length) else { break };
                let chunk = Chunk::parse(*kind, payload).unwrap();
                assert!(chunk.belongs_in(header.mode), "{name}: {chunk:?}");
                if !matches!(chunk, Chunk::Unknown { .. }) {
                    written.clear();
                    assert!(chunk.put(&mut written));
                    assert_eq!(written, rest[..length + 3], "{name}: {chunk:?}");
                }
                *seen.entry(*kind).or_default() += 1;
                counted += 1;
                rest = after;
            }
            assert!(rest.iter().all(|octet| *octet == 0xff), "{name}: padding");
            assert_eq!(chunks.count(), counted, "{name}");
        }
    }
    for kind in [0x30, 0x70, 0x38, 0x78, 0x10, 0x11, 0x51] {
        assert!(seen.contains_key(&kind), "no chunk {kind:02x} among {seen:?}");
    }
}
