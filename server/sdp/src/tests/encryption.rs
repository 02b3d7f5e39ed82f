//! Keys in offer and answer (RFC 4568).

use super::*;
use crate::{Negotiated, SdpError, accept_answer, answer, fuzz_crypto};
use base::{MasterKey, SrtpSuite};

const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

fn keys(number: u64) -> OwnKeys {
    OwnKeys::new(Encryption::Required, &mut Seed::from_number(number))
}

fn offering<'a>(encryption: Encryption, keys: &'a OwnKeys) -> OfferSettings<'a> {
    OfferSettings { encryption, keys, ..offer_settings(&[Codec::Pcma]) }
}

fn answering<'a>(encryption: Encryption, keys: &'a OwnKeys) -> AnswerSettings<'a> {
    AnswerSettings { encryption, keys, ..answer_settings(&[Codec::Pcma]) }
}

/// What each side made of it, the caller first.
fn exchange(caller: Encryption, callee: Encryption) -> Result<(Negotiated, Negotiated), SdpError> {
    let (ours, theirs) = (keys(1), keys(2));
    let offer = Offer::build(&offering(caller, &ours));
    let (octets, theirs) = answer(offer.octets(), &answering(callee, &theirs))?;
    Ok((accept_answer(&offer, &octets)?, theirs))
}

#[test]
fn two_of_us_agree_on_keys_wherever_neither_forbids_it() {
    use Encryption::{Off, Offered, Required};
    for (caller, callee) in
        [(Offered, Offered), (Offered, Required), (Required, Offered), (Required, Required)]
    {
        let (a, b) = exchange(caller, callee).unwrap();
        let (a, b) = (a.protection.unwrap(), b.protection.unwrap());
        assert_eq!(a.suite, SrtpSuite::Aes128Tag80);
        assert_eq!((a.suite, &a.own, &a.peer), (b.suite, &b.peer, &b.own));
        assert_ne!(a.own, a.peer);
    }
    for (caller, callee) in [(Off, Off), (Off, Offered), (Offered, Off)] {
        let (a, b) = exchange(caller, callee).unwrap();
        assert_eq!((a.protection, b.protection), (None, None));
    }
    assert_eq!(exchange(Off, Required).unwrap_err(), SdpError::NotEncrypted);
    assert_eq!(exchange(Required, Off).unwrap_err(), SdpError::Transport);
}

#[test]
fn best_effort_is_a_plain_profile_with_keys_and_the_rest_says_what_it_is() {
    let keys = keys(1);
    let text_of = |encryption| {
        let offer = Offer::build(&offering(encryption, &keys));
        text(offer.octets()).to_owned()
    };
    let offered = text_of(Encryption::Offered);
    assert!(offered.contains("m=audio 20000 RTP/AVP 8 101\r\n"));
    let lines: Vec<_> = offered.lines().filter(|line| line.starts_with("a=crypto:")).collect();
    let heads = [
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:",
        "a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:",
    ];
    assert!(lines.len() == 2 && lines.iter().zip(heads).all(|(line, head)| line.starts_with(head)));
    let required = text_of(Encryption::Required);
    assert!(required.contains("m=audio 20000 RTP/SAVP 8 101\r\n"));
    assert_eq!(required.matches("a=crypto:").count(), 2);
    assert!(!text_of(Encryption::Off).contains("crypto"));
}

#[test]
fn of_the_offers_lines_the_first_that_can_be_used_is_answered_under_its_tag() {
    let long = MasterKey::random(SrtpSuite::Aes256Tag80, &mut Seed::from_number(5)).reveal_base64();
    let offer = with(&format!(
        "m=audio 4000 RTP/SAVP 8\na=crypto:1 AEAD_AES_128_GCM inline:{KEY}\n\
         a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTCP\n\
         a=crypto:7 AES_CM_256_HMAC_SHA1_80 inline:{long}|2^20|1:4\n\
         a=crypto:8 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"
    ));
    let keys = keys(1);
    let (octets, negotiated) = answer(&offer, &answering(Encryption::Offered, &keys)).unwrap();
    let agreed = negotiated.protection.unwrap();
    assert_eq!((agreed.suite, agreed.peer_identifier), (SrtpSuite::Aes256Tag80, 4));
    assert_eq!(agreed.peer.reveal_base64(), long);
    let text = text(&octets);
    assert!(text.contains("m=audio 20000 RTP/SAVP 8"));
    let line = format!("a=crypto:7 AES_256_CM_HMAC_SHA1_80 inline:{}", agreed.own.reveal_base64());
    assert!(text.contains(&line) && text.matches("a=crypto").count() == 1, "{text}");
    // None that can be used.
    let none = with("m=audio 4000 RTP/SAVP 8\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x");
    let refused = answer(&none, &answering(Encryption::Offered, &keys)).unwrap_err();
    assert_eq!(refused, SdpError::Transport);
}

#[test]
fn answers_of_the_field_are_understood() {
    let ours = keys(1);
    let required = Offer::build(&offering(Encryption::Required, &ours));
    let suite = "AES_CM_128_HMAC_SHA1_32";
    for lines in [
        format!("m=audio 4000 RTP/SAVP 8\na=crypto:2 {suite} inline:{KEY}"),
        // The tag of another line, and the plain profile.
        format!("m=audio 4000 RTP/SAVPF 8\na=crypto:1 {suite} inline:{KEY}"),
        format!("m=audio 4000 RTP/AVP 8\na=crypto:2 {suite} inline:{KEY}|2^31"),
    ] {
        let agreed = accept_answer(&required, &with(&lines)).unwrap().protection.unwrap();
        assert_eq!(agreed.suite, SrtpSuite::Aes128Tag32, "{lines}");
        assert_eq!(agreed.peer.reveal_base64(), KEY);
    }
    let plain = with("m=audio 4000 RTP/AVP 8");
    assert_eq!(accept_answer(&required, &plain).unwrap_err(), SdpError::NotEncrypted);
    let offered = Offer::build(&offering(Encryption::Offered, &ours));
    assert_eq!(accept_answer(&offered, &plain).unwrap().protection, None);
    // A suite that was not offered: the peer cannot have our key for it.
    let long = MasterKey::random(SrtpSuite::Aes256Tag80, &mut Seed::from_number(5)).reveal_base64();
    let lines = format!("a=crypto:1 AES_256_CM_HMAC_SHA1_80 inline:{long}");
    let other = with(&format!("m=audio 4000 RTP/SAVP 8\n{lines}"));
    assert_eq!(accept_answer(&required, &other).unwrap_err(), SdpError::Transport);
    let keyless = with("m=audio 4000 RTP/SAVP 8");
    assert_eq!(accept_answer(&offered, &keyless).unwrap_err(), SdpError::Transport);
}

#[test]
fn a_new_offer_in_the_call_repeats_the_key_and_the_profile_of_the_peer() {
    let ours = keys(1);
    let theirs = MasterKey::random(SrtpSuite::Aes256Tag32, &mut Seed::from_number(6));
    let line = format!("a=crypto:1 AES_256_CM_HMAC_SHA1_32 inline:{}", theirs.reveal_base64());
    let offer = with(&format!("m=audio 4000 RTP/SAVP 8\n{line}"));
    let (_, negotiated) = answer(&offer, &answering(Encryption::Offered, &ours)).unwrap();
    let agreed = negotiated.protection.clone().unwrap();
    let previous = Some(&negotiated);
    let again = OfferSettings { previous, ..offering(Encryption::Offered, &ours) };
    let again = Offer::build(&again);
    let text = text(again.octets());
    assert!(text.contains("m=audio 20000 RTP/SAVP 8"), "{text}");
    let first = text.lines().find(|line| line.starts_with("a=crypto:")).unwrap();
    let own = agreed.own.reveal_base64();
    assert_eq!(first, format!("a=crypto:4 AES_256_CM_HMAC_SHA1_32 inline:{own}"));
}

#[test]
fn no_key_is_printed() {
    let (a, b) = exchange(Encryption::Offered, Encryption::Offered).unwrap();
    let key = a.protection.as_ref().unwrap().own.reveal_base64();
    let keys = keys(1);
    let offer = Offer::build(&offering(Encryption::Required, &keys));
    let printed = format!("{a:?} {b:?} {keys:?} {offer:?}");
    assert!(!printed.contains(&key) && printed.contains("[secret]"));
}

#[test]
fn comfort_noise_is_agreed_to_where_the_peer_names_it_and_never_asked_for() {
    let offer = with("m=audio 4000 RTP/AVP 8 13 101\na=rtpmap:101 telephone-event/8000");
    let (octets, negotiated) = answer(&offer, &answer_settings(&Codec::ALL)).unwrap();
    assert!(negotiated.comfort_noise);
    let text = text(&octets);
    assert!(text.contains("m=audio 20000 RTP/AVP 8 13 101\r\n") && text.contains("13 CN/8000"));
    assert!(!super::text(super::offer().octets()).contains("CN/"));
}

#[test]
fn mutated_keys_are_survived() {
    let mut seed = Seed::from_number(4);
    let corpus = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^31|1:4 WSH=64 -X");
    fuzz_crypto(corpus.as_bytes());
    for _ in 0..3000 {
        let mut octets = corpus.clone().into_bytes();
        for _ in 0..1 + seed.below(4) {
            let at = seed.below(octets.len() as u64) as usize;
            match seed.below(3) {
                0 => octets[at] = seed.u32() as u8,
                1 => octets.insert(at, b" |:;12=A"[seed.below(8) as usize]),
                _ => drop(octets.remove(at)),
            }
        }
        fuzz_crypto(&octets);
    }
}
