//! Digits as telephone events (RFC 4733), both ways; each half stands alone.

mod receiver;
mod sender;

pub use receiver::Receiver;
pub use sender::{DigitsError, EventPacket, Sender};

/// A digit that was pressed at the other end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digit {
    /// One of `0`-`9`, `*`, `#`, `A`-`D`.
    pub digit: char,
    /// How long it was held, in milliseconds, as far as it was seen.
    pub duration_ms: u32,
}

impl std::fmt::Debug for Digit {
    /// Digits are what a visitor types, so that they print only as a length.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digit({} ms)", self.duration_ms)
    }
}

/// The event codes 0 to 15 (RFC 4733 section 3.2, table 3) in their order.
const DIGITS: [char; 16] =
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

/// The digit of an event code; the codes above 15 (flash, tones) are none.
pub fn digit_of(event: u8) -> Option<char> {
    DIGITS.get(usize::from(event)).copied()
}

/// The event code of a digit, `a`-`d` in either case.
pub fn event_of(digit: char) -> Option<u8> {
    let digit = digit.to_ascii_uppercase();
    DIGITS.iter().position(|&known| known == digit).map(|index| index as u8)
}

/// The payload of one telephone event (RFC 4733 section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) event: u8,
    pub(crate) end: bool,
    pub(crate) volume: u8,
    pub(crate) duration: u16,
}

impl Payload {
    /// The first event of a payload; further ones are redundancy that gateways do not send.
    pub(crate) fn parse(octets: &[u8]) -> Option<Payload> {
        let &[event, flags, d0, d1, ..] = octets else { return None };
        Some(Payload {
            event,
            end: flags & 0x80 != 0,
            volume: flags & 0x3f,
            duration: u16::from_be_bytes([d0, d1]),
        })
    }

    pub(crate) fn octets(self) -> [u8; 4] {
        let [d0, d1] = self.duration.to_be_bytes();
        [self.event, u8::from(self.end) << 7 | (self.volume & 0x3f), d0, d1]
    }
}
