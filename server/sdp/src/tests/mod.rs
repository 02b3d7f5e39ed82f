#![allow(clippy::unwrap_used)]

mod encryption;
mod exchange;
mod field;
mod random;
mod speex;

use crate::{AnswerSettings, Direction, Encryption, Offer, OfferSettings, OwnKeys};
use base::{Codec, Seed};
use std::sync::LazyLock;

static NO_KEYS: LazyLock<OwnKeys> =
    LazyLock::new(|| OwnKeys::new(Encryption::Off, &mut Seed::from_number(0)));

fn offer_settings(codecs: &[Codec]) -> OfferSettings<'_> {
    OfferSettings {
        address: "203.0.113.7".parse().unwrap(),
        port: 20_000,
        rtcp_port: None,
        rtcp_mux: false,
        encryption: Encryption::Off,
        keys: &NO_KEYS,
        codecs,
        ptime: 20,
        session_id: 42,
        version: 1,
        direction: Direction::SendReceive,
        previous: None,
    }
}

fn answer_settings(codecs: &[Codec]) -> AnswerSettings<'_> {
    AnswerSettings {
        address: "203.0.113.7".parse().unwrap(),
        port: 20_000,
        rtcp_port: None,
        rtcp_mux: false,
        encryption: Encryption::Off,
        keys: &NO_KEYS,
        codecs,
        ptime: 20,
        session_id: 42,
        version: 1,
        direction: Direction::SendReceive,
    }
}

fn offer() -> Offer {
    Offer::build(&offer_settings(&Codec::ALL))
}

/// A description of the usual frame with these lines from the first `m=` on.
fn with(lines: &str) -> Vec<u8> {
    let head = "v=0\r\no=- 7 3 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";
    format!("{head}{}\r\n", lines.trim().replace('\n', "\r\n")).into_bytes()
}

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).unwrap()
}
