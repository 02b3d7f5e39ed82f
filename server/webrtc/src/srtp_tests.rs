//! Contexts against the vectors of RFC 3711 and against each other.

#![allow(clippy::unwrap_used)]

use super::*;
use base::Seed;
use str0m::crypto::from_feature_flags;

const PROFILES: [SrtpProfile; 3] =
    [SrtpProfile::AES128_CM_SHA1_80, SrtpProfile::AEAD_AES_128_GCM, SrtpProfile::AEAD_AES_256_GCM];

/// The server's contexts and those of its client.
fn pair(profile: SrtpProfile) -> (Srtp, Srtp) {
    let crypto = from_feature_flags();
    let (key, salt) = match profile {
        SrtpProfile::AES128_CM_SHA1_80 => (16, 14),
        SrtpProfile::AEAD_AES_128_GCM => (16, 12),
        _ => (32, 12),
    };
    let mut seed = Seed::from_number(7);
    let mut material = vec![0; 2 * (key + salt)];
    seed.fill(&mut material);
    let mirrored = [
        &material[key..2 * key],
        &material[..key],
        &material[2 * key + salt..],
        &material[2 * key..2 * key + salt],
    ]
    .concat();
    let server = Srtp::new(&crypto, profile, &material).unwrap();
    (server, Srtp::new(&crypto, profile, &mirrored).unwrap())
}

fn header(index: u64) -> Header {
    Header { payload_type: 111, marker: index & 1 == 0, index, timestamp: 960, ssrc: 0x1234_5678 }
}

fn sealed(from: &mut Srtp, index: u64, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    assert!(from.protect(&header(index), payload, &mut packet));
    packet
}

fn opened(to: &mut Srtp, packet: &[u8]) -> Option<(Header, Vec<u8>)> {
    let mut payload = b"what stood here before".to_vec();
    let header = to.unprotect(packet, &mut payload)?;
    Some((header, payload))
}

#[test]
fn what_one_side_protects_the_other_opens_in_every_profile() {
    for profile in PROFILES {
        let (mut server, mut client) = pair(profile);
        for index in 40..60 {
            let payload = [index as u8; 160];
            let packet = sealed(&mut server, index, &payload);
            assert!(packet.windows(16).all(|part| part != &payload[..16]), "it is encrypted");
            let (given, plain) = opened(&mut client, &packet).unwrap();
            assert_eq!((given, &plain[..]), (header(index), &payload[..]));
            let packet = sealed(&mut client, index, &payload);
            assert_eq!(opened(&mut server, &packet).unwrap().1, payload);
        }
    }
}

#[test]
fn a_repeated_or_very_late_packet_is_refused_and_a_reordered_one_is_taken_once() {
    for profile in PROFILES {
        let (mut server, mut client) = pair(profile);
        let packets: Vec<_> = (0..300).map(|index| sealed(&mut server, index, b"sound")).collect();
        assert!(opened(&mut client, &packets[0]).is_some());
        assert!(opened(&mut client, &packets[200]).is_some());
        assert!(opened(&mut client, &packets[150]).is_some(), "50 behind is within the window");
        assert!(opened(&mut client, &packets[150]).is_none(), "twice");
        assert!(opened(&mut client, &packets[200]).is_none(), "twice");
        assert!(opened(&mut client, &packets[0]).is_none(), "200 behind is too old");
        assert!(opened(&mut client, &packets[73]).is_some(), "127 behind is the last");
        assert!(opened(&mut client, &packets[72]).is_none(), "128 behind is too old");
        assert!(opened(&mut client, &packets[201]).is_some());
    }
}

#[test]
fn a_replay_of_any_order_is_taken_once_under_a_thousand_seeds() {
    let (mut server, _) = pair(SrtpProfile::AES128_CM_SHA1_80);
    let packets: Vec<_> = (0..100).map(|index| sealed(&mut server, index, b"sound")).collect();
    for number in 0..1_000 {
        let (_, mut client) = pair(SrtpProfile::AES128_CM_SHA1_80);
        let mut seed = Seed::from_number(number);
        let mut taken = std::collections::HashSet::new();
        for _ in 0..60 {
            let index = seed.below(100);
            let given = opened(&mut client, &packets[index as usize]);
            assert_eq!(given.is_some(), taken.insert(index), "seed {number}, index {index}");
        }
    }
}

#[test]
fn the_sequence_number_wraps_with_loss_and_reordering_around_it() {
    for profile in PROFILES {
        let (mut server, mut client) = pair(profile);
        for index in [65_500, 65_535, 65_538, 65_534, 65_536, 98_305, 131_071, 131_073, 131_072] {
            let packet = sealed(&mut server, index, b"sound");
            let (given, _) = opened(&mut client, &packet).unwrap();
            assert_eq!(given.index, index);
        }
    }
}

#[test]
fn no_bit_of_a_packet_can_be_changed() {
    for profile in PROFILES {
        let (mut server, mut client) = pair(profile);
        let packet = sealed(&mut server, 9, b"some sound");
        let compound = server.protect_rtcp(&[0x80, 201, 0, 1, 1, 2, 3, 4, 9, 9]).unwrap();
        for bit in 0..packet.len() * 8 {
            let mut changed = packet.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(opened(&mut client, &changed).is_none(), "RTP bit {bit}");
        }
        for bit in 0..compound.len() * 8 {
            let mut changed = compound.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(client.unprotect_rtcp(&changed).is_none(), "RTCP bit {bit}");
        }
        for length in 0..packet.len() {
            assert!(opened(&mut client, &packet[..length]).is_none());
        }
        for length in 0..compound.len() {
            assert!(client.unprotect_rtcp(&compound[..length]).is_none());
        }
        assert!(opened(&mut client, &packet).is_some(), "what was refused has taken no place");
        assert!(client.unprotect_rtcp(&compound).is_some());
    }
}

#[test]
fn reports_are_opened_once_and_are_not_readable_on_the_way() {
    for profile in PROFILES {
        let (mut server, mut client) = pair(profile);
        let report = [&[0x80, 200, 0, 6, 1, 2, 3, 4][..], &[0x55; 20]].concat();
        let first = server.protect_rtcp(&report).unwrap();
        let second = server.protect_rtcp(&report).unwrap();
        assert!(first.windows(4).all(|part| part != [0x55; 4]));
        assert_eq!(client.unprotect_rtcp(&second).unwrap(), report);
        assert_eq!(client.unprotect_rtcp(&first).unwrap(), report);
        assert!(client.unprotect_rtcp(&first).is_none(), "a repetition");
        assert!(server.protect_rtcp(&report[..7]).is_none(), "no report");
    }
}

#[test]
fn extension_and_source_list_are_skipped_and_padding_is_cut() {
    // A browser's packet: one CSRC, an extension of one word, four octets of padding. Sealed by
    // hand, since the server itself sends none of these.
    let (mut server, mut client) = pair(SrtpProfile::AEAD_AES_128_GCM);
    let head = [
        &[0x80 | 0x20 | 0x10 | 1, 111, 0, 5][..],
        &960u32.to_be_bytes(),
        &7u32.to_be_bytes(),
        &8u32.to_be_bytes(),
        &[0xbe, 0xde, 0, 1, 0x10, 0x42, 0, 0],
    ]
    .concat();
    let sealed = |client: &mut Srtp, payload: &[u8]| {
        let mut body = vec![0; payload.len() + 16];
        assert!(client.sending.rtp.seal_rtp(7, 5, &head, payload, &mut body));
        [&head[..], &body].concat()
    };
    let packet = sealed(&mut client, b"sound\0\0\0\x04");
    let (given, payload) = opened(&mut server, &packet).unwrap();
    assert_eq!((given.ssrc, given.index, &payload[..]), (7, 5, &b"sound"[..]));
    let (mut server, _) = pair(SrtpProfile::AEAD_AES_128_GCM);
    let packet = sealed(&mut client, b"ab\x09");
    assert!(opened(&mut server, &packet).is_none(), "more padding than payload");
}

#[test]
fn so_many_sources_are_followed_and_no_more() {
    let (mut server, mut client) = pair(SrtpProfile::AES128_CM_SHA1_80);
    for ssrc in 0..40 {
        let mut packet = Vec::new();
        assert!(client.protect(&Header { ssrc, ..header(1) }, b"sound", &mut packet));
        assert_eq!(opened(&mut server, &packet).is_some(), ssrc < 32);
    }
}

#[test]
fn keying_material_of_a_wrong_length_makes_no_context() {
    let crypto = from_feature_flags();
    for profile in PROFILES {
        for length in [0, 16, 55] {
            assert!(Srtp::new(&crypto, profile, &vec![1; length]).is_none());
        }
    }
}
