//! Writes our own descriptions.

use crate::OPUS_FMTP;
use crate::formats::COMFORT_NOISE;
use crate::model::Direction;
use base::Codec;
use std::fmt::Write;
use std::net::IpAddr;

/// Our side of one description.
pub(crate) struct Description<'a> {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    pub(crate) rtcp_port: Option<u16>,
    pub(crate) rtcp_mux: bool,
    pub(crate) session_id: u64,
    pub(crate) version: u64,
    pub(crate) direction: Direction,
    pub(crate) ptime: u32,
    pub(crate) protocol: &'a str,
    pub(crate) mid: Option<&'a str>,
    /// Codec and clock rate with the payload types that we want to receive.
    pub(crate) codecs: &'a [(Codec, u8)],
    /// Comfort noise is understood, besides.
    pub(crate) comfort_noise: bool,
    pub(crate) telephone_events: &'a [(u32, u8)],
    /// The values of `a=crypto`.
    pub(crate) crypto: &'a [String],
    /// Which `m=` line the audio is; the others are refused.
    pub(crate) audio_index: usize,
    pub(crate) layout: &'a [[String; 3]],
}

impl Description<'_> {
    /// The `m=` lines with their formats as text, ours among them.
    pub(crate) fn layout(&self) -> Vec<[String; 3]> {
        let ours = ["audio".to_owned(), self.protocol.to_owned(), self.formats()];
        let mut layout = self.layout.to_vec();
        match layout.get_mut(self.audio_index) {
            Some(line) => *line = ours,
            None => layout.push(ours),
        }
        layout
    }

    fn formats(&self) -> String {
        let numbers: Vec<_> = self
            .codecs
            .iter()
            .map(|entry| entry.1)
            .chain(self.comfort_noise.then_some(COMFORT_NOISE))
            .chain(self.telephone_events.iter().map(|entry| entry.1))
            .map(|number| number.to_string())
            .collect();
        numbers.join(" ")
    }

    /// The description as octets.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut text = String::with_capacity(512);
        // Writing to a string cannot fail.
        let _ = self.write_to(&mut text);
        text.into_bytes()
    }

    fn write_to(&self, out: &mut String) -> std::fmt::Result {
        let family = if self.address.is_ipv4() { "IP4" } else { "IP6" };
        let address = self.address;
        write!(out, "v=0\r\no=- {} {} IN {family} {address}\r\n", self.session_id, self.version)?;
        write!(out, "s=-\r\nc=IN {family} {address}\r\nt=0 0\r\n")?;
        for (index, [kind, protocol, formats]) in self.layout().iter().enumerate() {
            let ours = index == self.audio_index || index >= self.layout.len();
            let port = if ours { self.port } else { 0 };
            write!(out, "m={kind} {port} {protocol} {formats}\r\n")?;
            if ours {
                self.write_audio(out)?;
            }
        }
        Ok(())
    }

    fn write_audio(&self, out: &mut String) -> std::fmt::Result {
        for (codec, number) in self.codecs {
            write!(out, "a=rtpmap:{number} {}/{}", codec.name(), codec.clock_rate())?;
            if let Some(channels) = codec.rtpmap_channels() {
                write!(out, "/{channels}")?;
            }
            out.push_str("\r\n");
            if *codec == Codec::Opus {
                write!(out, "a=fmtp:{number} {OPUS_FMTP}\r\n")?;
            }
        }
        if self.comfort_noise {
            write!(out, "a=rtpmap:{COMFORT_NOISE} CN/8000\r\n")?;
        }
        for (rate, number) in self.telephone_events {
            write!(out, "a=rtpmap:{number} telephone-event/{rate}\r\n")?;
            write!(out, "a=fmtp:{number} 0-15\r\n")?;
        }
        for line in self.crypto {
            write!(out, "a=crypto:{line}\r\n")?;
        }
        write!(out, "a=ptime:{}\r\n", self.ptime)?;
        if self.rtcp_mux {
            out.push_str("a=rtcp-mux\r\n");
        }
        // The next port goes without saying (RFC 3605 section 2.1).
        if let Some(port) = self.rtcp_port.filter(|port| self.port.checked_add(1) != Some(*port)) {
            write!(out, "a=rtcp:{port}\r\n")?;
        }
        if let Some(mid) = self.mid {
            write!(out, "a=mid:{mid}\r\n")?;
        }
        write!(out, "a={}\r\n", self.direction.name())
    }
}
