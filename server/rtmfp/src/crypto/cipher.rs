//! Packets on the wire: AES-128-CBC, checksum or HMAC, session sequence numbers, and the scrambled
//! session ID (RFC 7016 section 2.2.2, RFC 7425 section 4.7).

use super::keying::Agreement;
use super::{HmacKey, SessionKeys};
use crate::octets::Reader;
use crate::params::{BLOCK, DEFAULT_KEY};
use crate::vlu;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use aes::{Aes128Dec, Aes128Enc, Block};
use subtle::ConstantTimeEq;

/// How far behind the newest sequence number a packet may be (RFC 7425 section 4.7.3.3 asks for 32
/// at least).
const REPLAY_WINDOW: u64 = 128;

/// The octets of the session ID before each packet.
const SESSION_ID: usize = 4;

/// Why a received packet is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// Its HMAC or checksum is not right, or its length cannot be.
    Unverified,
    /// Its sequence number was seen before, or is too old to tell.
    Replayed,
}

/// The keys and counters of one session, both directions. It never prints its keys.
pub struct Cipher {
    encrypt: Aes128Enc,
    decrypt: Aes128Dec,
    /// With the length that is sent.
    hmac_send: Option<(HmacKey, usize)>,
    hmac_receive: Option<(HmacKey, usize)>,
    /// The next number.
    sequence_send: Option<u64>,
    sequence_receive: Option<ReplayWindow>,
}

impl Cipher {
    /// The cipher of session startup.
    pub fn startup() -> Self {
        Cipher {
            encrypt: Aes128Enc::new(DEFAULT_KEY.into()),
            decrypt: Aes128Dec::new(DEFAULT_KEY.into()),
            hmac_send: None,
            hmac_receive: None,
            sequence_send: None,
            sequence_receive: None,
        }
    }

    /// The cipher of a session.
    pub fn session(keys: &SessionKeys, agreement: &Agreement) -> Self {
        let aes = |key: &[u8; 32]| {
            let (first, _) = key.split_first_chunk::<16>().unwrap_or((DEFAULT_KEY, &[]));
            *first
        };
        let hmac = |key: &[u8; 32], length: Option<usize>| Some((HmacKey::new(key), length?));
        let window = agreement.sequence_receive.then(ReplayWindow::default);
        let mut encrypt = aes(keys.encrypt());
        let mut decrypt = aes(keys.decrypt());
        let cipher = Cipher {
            encrypt: Aes128Enc::new(&encrypt.into()),
            decrypt: Aes128Dec::new(&decrypt.into()),
            hmac_send: hmac(keys.hmac_send(), agreement.hmac_send),
            hmac_receive: hmac(keys.hmac_receive(), agreement.hmac_receive),
            sequence_send: agreement.sequence_send.then_some(0),
            sequence_receive: window,
        };
        zeroize::Zeroize::zeroize(&mut encrypt);
        zeroize::Zeroize::zeroize(&mut decrypt);
        cipher
    }

    /// Whether received packets are authenticated, and not only checked for accidents.
    pub fn authenticates(&self) -> bool {
        self.hmac_receive.is_some()
    }

    /// Decrypts and verifies what follows the session ID in a datagram. `scratch` is overwritten;
    /// the plain packet with its padding is in it.
    pub fn open<'s>(
        &mut self,
        encrypted: &[u8],
        scratch: &'s mut Vec<u8>,
    ) -> Result<&'s [u8], Rejected> {
        let mut blocks = encrypted;
        if let Some((key, length)) = &self.hmac_receive {
            let split = encrypted.len().checked_sub(*length).ok_or(Rejected::Unverified)?;
            let (covered, sent) = encrypted.split_at(split);
            let computed = key.sum(&[covered]);
            let expected = computed.get(..*length).ok_or(Rejected::Unverified)?;
            if !bool::from(expected.ct_eq(sent)) {
                return Err(Rejected::Unverified);
            }
            blocks = covered;
        }
        if blocks.is_empty() || !blocks.len().is_multiple_of(BLOCK) {
            return Err(Rejected::Unverified);
        }
        scratch.clear();
        scratch.extend_from_slice(blocks);
        let (whole, _) = Block::slice_as_chunks_mut(scratch);
        cbc::Decryptor::inner_iv_init(&self.decrypt, &Block::default()).decrypt_blocks(whole);

        let mut reader = Reader::new(scratch);
        let sequence = match &self.sequence_receive {
            Some(_) => Some(reader.vlu().ok_or(Rejected::Unverified)?),
            None => None,
        };
        if self.hmac_receive.is_none() {
            let sent = reader.u16().ok_or(Rejected::Unverified)?;
            if sent != checksum(reader.rest()) {
                return Err(Rejected::Unverified);
            }
        }
        if let (Some(window), Some(sequence)) = (&mut self.sequence_receive, sequence)
            && !window.admit(sequence)
        {
            return Err(Rejected::Replayed);
        }
        Ok(reader.rest())
    }

    /// Makes the datagram for a plain packet: `datagram` is overwritten. `session` is the session ID
    /// that the receiver wants, 0 for startup.
    pub fn seal(&mut self, session: u32, plain: &[u8], datagram: &mut Vec<u8>) {
        datagram.clear();
        datagram.extend_from_slice(&[0; SESSION_ID]);
        if let Some(next) = &mut self.sequence_send {
            vlu::put(datagram, *next);
            *next = next.saturating_add(1);
        }
        let check = datagram.len();
        if self.hmac_send.is_none() {
            datagram.extend_from_slice(&[0; 2]);
        }
        datagram.extend_from_slice(plain);
        // At least one block: an empty packet would have none.
        let blocks = (datagram.len() - SESSION_ID).div_ceil(BLOCK).max(1);
        datagram.resize(SESSION_ID + blocks * BLOCK, 0xff);
        if self.hmac_send.is_none() {
            let sum = datagram.get(check + 2..).map(checksum).unwrap_or_default();
            if let Some(place) = datagram.get_mut(check..check + 2) {
                place.copy_from_slice(&sum.to_be_bytes());
            }
        }
        let encrypted = datagram.get_mut(SESSION_ID..).unwrap_or_default();
        let (whole, _) = Block::slice_as_chunks_mut(encrypted);
        cbc::Encryptor::inner_iv_init(&self.encrypt, &Block::default()).encrypt_blocks(whole);
        if let Some((key, length)) = &self.hmac_send {
            let sum = key.sum(&[encrypted]);
            datagram.extend_from_slice(sum.get(..*length).unwrap_or(&sum));
        }
        let scrambled = session ^ scramble(datagram.get(SESSION_ID..).unwrap_or_default());
        if let Some(place) = datagram.first_chunk_mut::<SESSION_ID>() {
            *place = scrambled.to_be_bytes();
        }
    }
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cipher")
            .field("hmac_send", &self.hmac_send.as_ref().map(|(_, length)| length))
            .field("hmac_receive", &self.hmac_receive.as_ref().map(|(_, length)| length))
            .field("sequence_send", &self.sequence_send.is_some())
            .field("sequence_receive", &self.sequence_receive.is_some())
            .finish()
    }
}

/// What the session ID is scrambled with: the first two words of the encrypted part, with zeros
/// behind it when it is shorter.
fn scramble(encrypted: &[u8]) -> u32 {
    let mut words = [0u8; 8];
    for (place, octet) in words.iter_mut().zip(encrypted) {
        *place = *octet;
    }
    let both = u64::from_be_bytes(words);
    (both >> 32) as u32 ^ both as u32
}

/// The session ID of a datagram, and what follows it.
pub fn session_id(datagram: &[u8]) -> Option<(u32, &[u8])> {
    let (scrambled, encrypted) = datagram.split_first_chunk::<SESSION_ID>()?;
    Some((u32::from_be_bytes(*scrambled) ^ scramble(encrypted), encrypted))
}

/// The simple checksum (RFC 7425 section 4.7.3.1). Other than in RFC 1071, an odd octet at the end
/// is the lower half of its word.
fn checksum(octets: &[u8]) -> u16 {
    let (words, last) = octets.as_chunks::<2>();
    let sum: u64 = words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum();
    let mut sum = sum + last.iter().map(|octet| u64::from(*octet)).sum::<u64>();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Which sequence numbers have been seen. Bit 0 is the newest.
#[derive(Clone, Copy, Debug, Default)]
struct ReplayWindow {
    newest: Option<u64>,
    seen: u128,
}

impl ReplayWindow {
    /// Notes a number; false when it was seen before or is too old to tell.
    fn admit(&mut self, number: u64) -> bool {
        let Some(newest) = self.newest else {
            (self.newest, self.seen) = (Some(number), 1);
            return true;
        };
        if number > newest {
            let shift = u32::try_from(number - newest).unwrap_or(u32::MAX);
            self.seen = self.seen.checked_shl(shift).unwrap_or(0) | 1;
            self.newest = Some(number);
            return true;
        }
        let age = newest - number;
        if age >= REPLAY_WINDOW || self.seen >> age & 1 == 1 {
            return false;
        }
        self.seen |= 1 << age;
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::crypto::SharedSecret;

    /// The two ends of a session.
    fn pair(agreement: Agreement) -> (Cipher, Cipher) {
        let secret = SharedSecret::from_octets(b"a shared secret");
        let reverse = Agreement {
            hmac_send: agreement.hmac_receive,
            hmac_receive: agreement.hmac_send,
            sequence_send: agreement.sequence_receive,
            sequence_receive: agreement.sequence_send,
        };
        let keys = SessionKeys::derive(&secret, b"near", b"far");
        let other = SessionKeys::derive(&secret, b"far", b"near");
        (Cipher::session(&keys, &agreement), Cipher::session(&other, &reverse))
    }

    fn agreements() -> Vec<Agreement> {
        let mut all = Vec::new();
        for hmac in [None, Some(4), Some(16), Some(32)] {
            for sequence in [false, true] {
                all.push(Agreement {
                    hmac_send: hmac,
                    hmac_receive: hmac.map(|_| 7),
                    sequence_send: sequence,
                    sequence_receive: sequence,
                });
            }
        }
        all
    }

    #[test]
    fn packets_of_every_length_come_back_with_padding_that_parses_as_padding() {
        for agreement in agreements() {
            let (mut near, mut far) = pair(agreement);
            let (mut datagram, mut scratch) = (Vec::new(), Vec::new());
            for length in 1..100 {
                let plain: Vec<u8> = (0..length).collect();
                near.seal(0x1234_5678, &plain, &mut datagram);
                let (session, encrypted) = session_id(&datagram).unwrap();
                assert_eq!(session, 0x1234_5678);
                let opened = far.open(encrypted, &mut scratch).unwrap();
                assert_eq!(&opened[..plain.len()], plain);
                assert!(opened.len() - plain.len() < 16);
                assert!(opened[plain.len()..].iter().all(|octet| *octet == 0xff));
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed_under_an_hmac() {
        let both = Some(16);
        let (mut near, mut far) = pair(Agreement {
            hmac_send: both,
            hmac_receive: both,
            sequence_send: true,
            sequence_receive: true,
        });
        let (mut datagram, mut scratch) = (Vec::new(), Vec::new());
        near.seal(1, b"a packet", &mut datagram);
        let encrypted = datagram[4..].to_vec();
        for bit in 0..encrypted.len() * 8 {
            let mut broken = encrypted.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(far.open(&broken, &mut scratch), Err(Rejected::Unverified));
        }
        assert!(far.open(&encrypted, &mut scratch).is_ok(), "forgeries took no number");
        assert_eq!(far.open(&encrypted, &mut scratch), Err(Rejected::Replayed));
    }

    #[test]
    fn the_checksum_notices_nearly_every_accident() {
        let (mut near, mut far) = pair(Agreement::default());
        let (mut datagram, mut scratch) = (Vec::new(), Vec::new());
        near.seal(1, &[9; 200], &mut datagram);
        let accidents = (4..datagram.len()).flat_map(|octet| (0..8).map(move |bit| (octet, bit)));
        let unnoticed = accidents
            .filter(|(octet, bit)| {
                let mut broken = datagram[4..].to_vec();
                broken[octet - 4] ^= 1 << bit;
                far.open(&broken, &mut scratch).is_ok()
            })
            .count();
        assert!(unnoticed <= 1, "{unnoticed} of 1,664 got past 16 bits");
    }

    #[test]
    fn lengths_that_no_packet_has_are_refused() {
        for agreement in agreements() {
            let (_, mut far) = pair(agreement);
            let mut scratch = Vec::new();
            for length in 0..16 {
                let octets = vec![0; length];
                assert_eq!(far.open(&octets, &mut scratch), Err(Rejected::Unverified));
            }
        }
        assert_eq!(session_id(&[1, 2, 3]), None);
        assert_eq!(session_id(&[0, 0, 0, 1]), Some((1, &[][..])));
        assert_eq!(session_id(&[0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 4]).unwrap().0, 1 ^ 2 ^ 0x400);
    }

    #[test]
    fn an_odd_octet_is_the_lower_half_of_its_word() {
        assert_eq!(checksum(&[0x12, 0x34, 0x56]), !(0x1234 + 0x56));
        assert_eq!(checksum(&[]), 0xffff);
        assert_eq!(checksum(&[0xff, 0xff, 0, 1]), !1);
    }

    #[test]
    fn numbers_pass_the_replay_window_once_and_in_any_order_within_it() {
        let mut window = ReplayWindow::default();
        assert!(window.admit(200));
        assert!(window.admit(73) && !window.admit(73), "127 behind is the oldest that can tell");
        assert!(!window.admit(72));
        assert!(window.admit(201) && !window.admit(73));
        assert!((100..200).all(|number| window.admit(number)));
        assert!((100..202).all(|number| !window.admit(number)));
        assert!(window.admit(u64::MAX) && !window.admit(201) && !window.admit(u64::MAX));
        assert!(window.admit(u64::MAX - 100));
    }

    #[test]
    fn nothing_of_a_cipher_prints_but_its_shape() {
        let (near, _) = pair(agreements()[7]);
        let printed = format!("{near:?}");
        assert_eq!(
            printed,
            "Cipher { hmac_send: Some(32), hmac_receive: Some(7), sequence_send: true, \
             sequence_receive: true }"
        );
    }
}
