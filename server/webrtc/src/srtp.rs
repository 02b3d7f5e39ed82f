//! SRTP and SRTCP of one connection (RFC 3711, RFC 7714), keyed by DTLS (RFC 5764).
//!
//! The ciphers are those of the WebRTC library; key derivation and replay lists are those of `rtp`;
//! what is written here joins them. Nothing is allocated per packet: results go into buffers of the
//! caller.

pub(crate) use rtp::numbers::HEADER_LENGTH as RTP_HEADER;
use rtp::numbers::{
    SRTCP_ENCRYPTED as ENCRYPTED, SRTCP_HEADER as RTCP_HEADER, SRTCP_INDEX as RTCP_INDEX,
};
use rtp::srtp::{Sources, derive, header_length};
use str0m::crypto::dtls::SrtpProfile;
use str0m::crypto::{
    AeadAes128Gcm, AeadAes128GcmCipher, AeadAes256Gcm, AeadAes256GcmCipher, Aes128CmSha1_80,
    Aes128CmSha1_80Cipher, CryptoProvider,
};

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
    sources: Sources,
    rtcp_sources: Sources,
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
            sources: Sources::default(),
            rtcp_sources: Sources::default(),
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
        let index = self.sources.index_of(ssrc, sequence)?;
        self.receiving.rtp.open_rtp(ssrc, index, head, packet, out)?;
        self.sources.seen(ssrc, index);
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
        self.rtcp_sources.is_new(ssrc, index).then(|| {
            self.rtcp_sources.seen(ssrc, index);
            compound
        })
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
                    .create_cipher(*derive(key, master_salt, encryption)?, sends),
                authentication: *derive(key, master_salt, authentication)?,
                salt: *derive(key, master_salt, salt)?,
                hmac: crypto.sha1_hmac_provider,
            },
            SrtpProfile::AEAD_AES_128_GCM => {
                let key_derived = *derive(key, master_salt, encryption)?;
                let cipher = provider.aead_aes_128_gcm().create_cipher(key_derived, sends);
                Cipher::Gcm128(cipher, *derive(key, master_salt, salt)?)
            }
            SrtpProfile::AEAD_AES_256_GCM => {
                let key_derived = *derive(key, master_salt, encryption)?;
                let cipher = provider.aead_aes_256_gcm().create_cipher(key_derived, sends);
                Cipher::Gcm256(cipher, *derive(key, master_salt, salt)?)
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
