//! SRTP and SRTCP of one connection (RFC 3711, RFC 7714), keyed by DTLS (RFC 5764).
//!
//! The ciphers are those of the WebRTC library; what is written here is what surrounds them: the
//! derivation of session keys, packet indices, replay windows. Nothing is allocated per packet:
//! results go into buffers of the caller.

use str0m::crypto::dtls::SrtpProfile;
use str0m::crypto::{
    AeadAes128Gcm, AeadAes128GcmCipher, AeadAes256Gcm, AeadAes256GcmCipher, Aes128CmSha1_80,
    Aes128CmSha1_80Cipher, CryptoProvider,
};

/// The octets of a header without CSRC list and extension (RFC 3550 5.1).
pub(crate) const RTP_HEADER: usize = 12;
/// The octets of SRTCP that are never encrypted (RFC 3711 3.4).
const RTCP_HEADER: usize = 8;
/// The encryption flag and index at the end of SRTCP (RFC 3711 3.4).
const RTCP_INDEX: usize = 4;
const ENCRYPTED: u32 = 1 << 31;
/// The most sources followed at one time. One that is forgotten could be replayed, so a further
/// source is refused instead.
const SOURCES_MAX: usize = 32;
/// Packets behind the newest that may still come (RFC 3711 3.3.2: 64 at least).
const WINDOW: u64 = 128;

/// What stands in front of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) payload_type: u8,
    pub(crate) marker: bool,
    /// Rollover counter and sequence number (RFC 3711 3.3.1).
    pub(crate) index: u64,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
}

/// Both directions of a connection.
pub(crate) struct Srtp {
    sending: Context,
    receiving: Context,
    /// The SRTCP index of the next compound that leaves.
    rtcp_next: u32,
    sources: Vec<Source>,
    rtcp_sources: Vec<Source>,
}

impl Srtp {
    /// The contexts of a DTLS server (RFC 5764 4.2); `None` for keying material of a wrong length
    /// or a profile that is unknown.
    pub(crate) fn new(
        crypto: &CryptoProvider,
        profile: SrtpProfile,
        material: &[u8],
    ) -> Option<Srtp> {
        let (key, salt) = match profile {
            SrtpProfile::AES128_CM_SHA1_80 => (Aes128CmSha1_80::KEY_LEN, Aes128CmSha1_80::SALT_LEN),
            SrtpProfile::AEAD_AES_128_GCM => (AeadAes128Gcm::KEY_LEN, AeadAes128Gcm::SALT_LEN),
            SrtpProfile::AEAD_AES_256_GCM => (AeadAes256Gcm::KEY_LEN, AeadAes256Gcm::SALT_LEN),
            _ => return None,
        };
        let (client_key, rest) = material.split_at_checked(key)?;
        let (server_key, rest) = rest.split_at_checked(key)?;
        let (client_salt, rest) = rest.split_at_checked(salt)?;
        let (server_salt, _) = rest.split_at_checked(salt)?;
        Some(Srtp {
            sending: Context::new(crypto, profile, server_key, server_salt, true)?,
            receiving: Context::new(crypto, profile, client_key, client_salt, false)?,
            rtcp_next: 0,
            sources: Vec::new(),
            rtcp_sources: Vec::new(),
        })
    }

    /// Writes one protected packet into `out`, which is emptied first. Each index of a source may
    /// be used once only (RFC 7714 8.3); `false` when it cannot be protected.
    pub(crate) fn protect(&mut self, header: &Header, payload: &[u8], out: &mut Vec<u8>) -> bool {
        let Header { payload_type, marker, index, timestamp, ssrc } = *header;
        out.clear();
        out.extend([0x80, payload_type & 0x7f | u8::from(marker) << 7]);
        out.extend((index as u16).to_be_bytes());
        out.extend(timestamp.to_be_bytes());
        out.extend(ssrc.to_be_bytes());
        out.resize(RTP_HEADER + payload.len() + self.sending.rtp.tag(), 0);
        let (head, body) = out.split_at_mut(RTP_HEADER);
        self.sending.rtp.seal_rtp(ssrc, index, head, payload, body)
    }

    /// Opens one packet: its header, and its payload in `out` without padding. `None` for what is
    /// not authentic, a repetition, or no RTP.
    pub(crate) fn unprotect(&mut self, packet: &[u8], out: &mut Vec<u8>) -> Option<Header> {
        let head = header_length(packet)?;
        let word = |at: usize| Some(u32::from_be_bytes(packet.get(at..at + 4)?.try_into().ok()?));
        let sequence = u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]);
        let (first, second) = (*packet.first()?, *packet.get(1)?);
        let (timestamp, ssrc) = (word(4)?, word(8)?);
        let known = self.sources.iter().position(|source| source.ssrc == ssrc);
        let index = match known.and_then(|known| self.sources.get(known)) {
            Some(source) => source.index_of(sequence)?,
            None if self.sources.len() >= SOURCES_MAX => return None,
            None => u64::from(sequence),
        };
        self.receiving.rtp.open_rtp(ssrc, index, head, packet, out)?;
        match known.and_then(|known| self.sources.get_mut(known)) {
            Some(source) => source.seen(index),
            // Only an authentic packet may take a place.
            None => self.sources.push(Source::new(ssrc, index)),
        }
        if first & 0x20 != 0 {
            let padding = usize::from(*out.last()?);
            out.truncate(out.len().checked_sub(padding).filter(|_| padding > 0)?);
        }
        let (payload_type, marker) = (second & 0x7f, second & 0x80 != 0);
        Some(Header { payload_type, marker, index, timestamp, ssrc })
    }

    /// Protects one RTCP compound; `None` for what is none.
    pub(crate) fn protect_rtcp(&mut self, compound: &[u8]) -> Option<Vec<u8>> {
        let (head, body) = compound.split_at_checked(RTCP_HEADER)?;
        let ssrc = u32::from_be_bytes(head.get(4..8)?.try_into().ok()?);
        let index = self.rtcp_next;
        // 31 bits last for 300 years of reports.
        self.rtcp_next = index.checked_add(1).filter(|next| next & ENCRYPTED == 0)?;
        self.sending.rtcp.seal_rtcp(ssrc, index, head, body)
    }

    /// Opens one SRTCP packet into a compound.
    pub(crate) fn unprotect_rtcp(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let ssrc = u32::from_be_bytes(packet.get(4..8)?.try_into().ok()?);
        let (index, compound) = self.receiving.rtcp.open_rtcp(ssrc, packet)?;
        let index = u64::from(index);
        if let Some(source) = self.rtcp_sources.iter_mut().find(|source| source.ssrc == ssrc) {
            return source.is_new(index).then(|| {
                source.seen(index);
                compound
            });
        }
        (self.rtcp_sources.len() < SOURCES_MAX).then(|| {
            self.rtcp_sources.push(Source::new(ssrc, index));
            compound
        })
    }
}

/// The length of header, CSRC list and extension.
fn header_length(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    if first >> 6 != 2 {
        return None;
    }
    let mut length = RTP_HEADER + usize::from(first & 0x0f) * 4;
    if first & 0x10 != 0 {
        let words = packet.get(length + 2..length + 4)?;
        length += 4 + usize::from(u16::from_be_bytes([*words.first()?, *words.get(1)?])) * 4;
    }
    (length <= packet.len()).then_some(length)
}

/// The replay list of one source (RFC 3711 3.3.2).
struct Source {
    ssrc: u32,
    newest: u64,
    /// Bit n: the index n below the newest has come.
    window: u128,
}

impl Source {
    fn new(ssrc: u32, index: u64) -> Source {
        Source { ssrc, newest: index, window: 1 }
    }

    /// The index of a sequence number, the nearest to the newest one; `None` for one that has come
    /// before or is too old.
    fn index_of(&self, sequence: u16) -> Option<u64> {
        let step = i64::from(sequence.wrapping_sub(self.newest as u16) as i16);
        let index = self.newest.checked_add_signed(step)?;
        self.is_new(index).then_some(index)
    }

    fn is_new(&self, index: u64) -> bool {
        match self.newest.checked_sub(index) {
            None => true,
            Some(behind) => behind < WINDOW && self.window & (1 << behind) == 0,
        }
    }

    fn seen(&mut self, index: u64) {
        if let Some(behind) = self.newest.checked_sub(index) {
            self.window |= 1u128.checked_shl(behind as u32).unwrap_or(0);
        } else {
            let ahead = u32::try_from(index - self.newest).unwrap_or(u32::MAX);
            self.window = self.window.checked_shl(ahead).unwrap_or(0) | 1;
            self.newest = index;
        }
    }
}

/// One direction.
struct Context {
    rtp: Cipher,
    rtcp: Cipher,
}

impl Context {
    fn new(
        crypto: &CryptoProvider,
        profile: SrtpProfile,
        key: &[u8],
        salt: &[u8],
        sends: bool,
    ) -> Option<Context> {
        Some(Context {
            rtp: Cipher::new(crypto, profile, key, salt, [0, 1, 2], sends)?,
            rtcp: Cipher::new(crypto, profile, key, salt, [3, 4, 5], sends)?,
        })
    }
}

/// A session key derived with AES in counter mode (RFC 3711 4.3.1). A salt of 96 bits is followed
/// by zeros (RFC 7714 11).
fn derive<const N: usize>(
    crypto: &CryptoProvider,
    key: &[u8],
    salt: &[u8],
    label: u8,
) -> Option<[u8; N]> {
    let mut block = [0; 16];
    block.get_mut(..salt.len())?.copy_from_slice(salt);
    block[7] ^= label;
    let mut derived = [0; N];
    for (counter, part) in derived.chunks_mut(16).enumerate() {
        block[15] = u8::try_from(counter).ok()?;
        // The library's round writes a block more than it is asked for.
        let mut stream = [0; 32];
        match key.len() {
            16 => crypto.srtp_provider.srtp_aes_128_ecb_round(key, &block, &mut stream),
            32 => crypto.srtp_provider.srtp_aes_256_ecb_round(key, &block, &mut stream),
            _ => return None,
        }
        part.copy_from_slice(stream.get(..part.len())?);
    }
    Some(derived)
}

/// The cipher of one direction of RTP or RTCP with its session keys.
enum Cipher {
    /// AES in counter mode and HMAC-SHA1 (RFC 3711 4.1.1, 4.2.1).
    Counter {
        cipher: Box<dyn Aes128CmSha1_80Cipher>,
        authentication: [u8; Aes128CmSha1_80::HMAC_KEY_LEN],
        salt: [u8; Aes128CmSha1_80::SALT_LEN],
        hmac: &'static dyn str0m::crypto::Sha1HmacProvider,
    },
    Gcm128(Box<dyn AeadAes128GcmCipher>, [u8; 12]),
    Gcm256(Box<dyn AeadAes256GcmCipher>, [u8; 12]),
}

impl Cipher {
    fn new(
        crypto: &CryptoProvider,
        profile: SrtpProfile,
        key: &[u8],
        master_salt: &[u8],
        labels: [u8; 3],
        sends: bool,
    ) -> Option<Cipher> {
        let [encryption, authentication, salt] = labels;
        let provider = crypto.srtp_provider;
        Some(match profile {
            SrtpProfile::AES128_CM_SHA1_80 => Cipher::Counter {
                cipher: provider
                    .aes_128_cm_sha1_80()
                    .create_cipher(derive(crypto, key, master_salt, encryption)?, sends),
                authentication: derive(crypto, key, master_salt, authentication)?,
                salt: derive(crypto, key, master_salt, salt)?,
                hmac: crypto.sha1_hmac_provider,
            },
            SrtpProfile::AEAD_AES_128_GCM => {
                let key_derived = derive(crypto, key, master_salt, encryption)?;
                let cipher = provider.aead_aes_128_gcm().create_cipher(key_derived, sends);
                Cipher::Gcm128(cipher, derive(crypto, key, master_salt, salt)?)
            }
            SrtpProfile::AEAD_AES_256_GCM => {
                let key_derived = derive(crypto, key, master_salt, encryption)?;
                let cipher = provider.aead_aes_256_gcm().create_cipher(key_derived, sends);
                Cipher::Gcm256(cipher, derive(crypto, key, master_salt, salt)?)
            }
            _ => return None,
        })
    }

    /// The octets of the authentication tag.
    fn tag(&self) -> usize {
        match self {
            Cipher::Counter { .. } => Aes128CmSha1_80::HMAC_TAG_LEN,
            Cipher::Gcm128(..) | Cipher::Gcm256(..) => AeadAes128Gcm::TAG_LEN,
        }
    }

    fn seal_rtp(
        &mut self,
        ssrc: u32,
        index: u64,
        head: &[u8],
        payload: &[u8],
        body: &mut [u8],
    ) -> bool {
        let (roc, sequence) = ((index >> 16) as u32, index as u16);
        match self {
            Cipher::Counter { cipher, authentication, salt, hmac } => {
                let iv = Aes128CmSha1_80::rtp_iv(*salt, ssrc, index);
                let Some((text, tag)) = body.split_at_mut_checked(payload.len()) else {
                    return false;
                };
                if cipher.encrypt(&iv, payload, text).is_err() {
                    return false;
                }
                let mac = hmac.sha1_hmac(authentication, &[head, text, &roc.to_be_bytes()]);
                tag.copy_from_slice(mac.get(..tag.len()).unwrap_or_default());
                true
            }
            Cipher::Gcm128(cipher, salt) => {
                let iv = AeadAes128Gcm::rtp_iv(*salt, ssrc, roc, sequence);
                cipher.encrypt(&iv, head, payload, body).is_ok()
            }
            Cipher::Gcm256(cipher, salt) => {
                let iv = AeadAes256Gcm::rtp_iv(*salt, ssrc, roc, sequence);
                cipher.encrypt(&iv, head, payload, body).is_ok()
            }
        }
    }

    fn open_rtp(
        &mut self,
        ssrc: u32,
        index: u64,
        head: usize,
        packet: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let (roc, sequence) = ((index >> 16) as u32, index as u16);
        let length = packet.len().checked_sub(head + self.tag())?;
        let (header, sealed) = packet.split_at_checked(head)?;
        out.clear();
        out.resize(length, 0);
        match self {
            Cipher::Counter { cipher, authentication, salt, hmac } => {
                let (text, tag) = sealed.split_at_checked(length)?;
                let provider = |key: &[u8], parts: &[&[u8]]| hmac.sha1_hmac(key, parts);
                let signed = packet.get(..head + length)?;
                if !Aes128CmSha1_80::rtp_verify(provider, authentication, signed, index, tag) {
                    return None;
                }
                let iv = Aes128CmSha1_80::rtp_iv(*salt, ssrc, index);
                cipher.decrypt(&iv, text, out).ok()
            }
            Cipher::Gcm128(cipher, salt) => {
                let iv = AeadAes128Gcm::rtp_iv(*salt, ssrc, roc, sequence);
                cipher.decrypt(&iv, &[header], sealed, out).ok().map(drop)
            }
            Cipher::Gcm256(cipher, salt) => {
                let iv = AeadAes256Gcm::rtp_iv(*salt, ssrc, roc, sequence);
                cipher.decrypt(&iv, &[header], sealed, out).ok().map(drop)
            }
        }
    }

    fn seal_rtcp(&mut self, ssrc: u32, index: u32, head: &[u8], body: &[u8]) -> Option<Vec<u8>> {
        let word = (index | ENCRYPTED).to_be_bytes();
        let mut sealed = vec![0; body.len() + self.tag()];
        // The authenticated data of AES-GCM: the header, then the index (RFC 7714 9.2).
        let associated = [head, &word].concat();
        let packet = match self {
            Cipher::Counter { cipher, authentication, salt, hmac } => {
                sealed.truncate(body.len());
                let iv = Aes128CmSha1_80::rtp_iv(*salt, ssrc, index.into());
                cipher.encrypt(&iv, body, &mut sealed).ok()?;
                let mut packet = [head, &sealed, &word].concat();
                let mac = hmac.sha1_hmac(authentication, &[&packet]);
                packet.extend(mac.iter().take(Aes128CmSha1_80::HMAC_TAG_LEN));
                return Some(packet);
            }
            Cipher::Gcm128(cipher, salt) => {
                let iv = AeadAes128Gcm::rtcp_iv(*salt, ssrc, index);
                cipher.encrypt(&iv, &associated, body, &mut sealed)
            }
            Cipher::Gcm256(cipher, salt) => {
                let iv = AeadAes256Gcm::rtcp_iv(*salt, ssrc, index);
                cipher.encrypt(&iv, &associated, body, &mut sealed)
            }
        };
        packet.ok()?;
        Some([head, &sealed, &word].concat())
    }

    fn open_rtcp(&mut self, ssrc: u32, packet: &[u8]) -> Option<(u32, Vec<u8>)> {
        let counter = matches!(self, Cipher::Counter { .. });
        let trailer = if counter { RTCP_INDEX + self.tag() } else { RTCP_INDEX };
        let (head, rest) = packet.split_at_checked(RTCP_HEADER)?;
        let (sealed, trailer) = rest.split_at_checked(rest.len().checked_sub(trailer)?)?;
        let (word, tag) = trailer.split_at_checked(RTCP_INDEX)?;
        let word: [u8; RTCP_INDEX] = word.try_into().ok()?;
        let index = u32::from_be_bytes(word);
        if index & ENCRYPTED == 0 {
            // No browser sends reports in the clear.
            return None;
        }
        let index = index & !ENCRYPTED;
        let associated = [head, &word].concat();
        let length = if counter { sealed.len() } else { sealed.len().checked_sub(self.tag())? };
        let mut compound = vec![0; RTCP_HEADER + length];
        let (front, body) = compound.split_at_mut(RTCP_HEADER);
        front.copy_from_slice(head);
        match self {
            Cipher::Counter { cipher, authentication, salt, hmac } => {
                let provider = |key: &[u8], parts: &[&[u8]]| hmac.sha1_hmac(key, parts);
                let signed = packet.get(..packet.len() - tag.len())?;
                if !Aes128CmSha1_80::rtcp_verify(provider, authentication, signed, tag) {
                    return None;
                }
                let iv = Aes128CmSha1_80::rtp_iv(*salt, ssrc, index.into());
                cipher.decrypt(&iv, sealed, body).ok()?;
            }
            Cipher::Gcm128(cipher, salt) => {
                let iv = AeadAes128Gcm::rtcp_iv(*salt, ssrc, index);
                cipher.decrypt(&iv, &[&associated], sealed, body).ok()?;
            }
            Cipher::Gcm256(cipher, salt) => {
                let iv = AeadAes256Gcm::rtcp_iv(*salt, ssrc, index);
                cipher.decrypt(&iv, &[&associated], sealed, body).ok()?;
            }
        }
        Some((index, compound))
    }
}

#[cfg(test)]
#[path = "srtp_tests.rs"]
mod tests;
