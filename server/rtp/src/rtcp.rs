//! RTCP compound packets: read with a full check first, written into a growing buffer (RFC 3550 6).

use crate::numbers::{RTCP_BYE, RTCP_RR, RTCP_SDES, RTCP_SR, SDES_CNAME, VERSION};

/// What one receiver says of one source (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source that is reported on.
    pub ssrc: u32,
    /// Loss since the report before, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost in all, 24 bits signed; negative where duplicates outnumber losses.
    pub cumulative_lost: i32,
    /// Extended highest sequence number received.
    pub highest_sequence: u32,
    /// Interarrival jitter in units of the RTP clock.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last sender report, 0 if none came.
    pub last_sr: u32,
    /// Time since that report came, in 1/65536 s.
    pub delay_since_last_sr: u32,
}

/// What a sender says of itself (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// NTP time, 32.32 bits.
    pub ntp: u64,
    /// The same moment on the RTP clock.
    pub timestamp: u32,
    /// Packets sent since the start.
    pub packets: u32,
    /// Payload octets sent since the start.
    pub octets: u32,
}

/// One packet of a compound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rtcp<'a> {
    /// A report with sender information, or without it (receiver report).
    Report {
        /// Who reports.
        ssrc: u32,
        /// Present in a sender report.
        info: Option<SenderInfo>,
        /// Zero to 31 blocks.
        blocks: Blocks<'a>,
    },
    /// A canonical name out of a source description; the first chunk's only.
    Cname {
        /// Whose name.
        ssrc: u32,
        /// The name's octets, not necessarily UTF-8.
        cname: &'a [u8],
    },
    /// Sources that leave; octets of SSRCs, four each.
    Bye(Sources<'a>),
    /// Anything else (feedback, extended reports, application data), stepped over.
    Other(u8),
}

/// The report blocks of one report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks<'a>(&'a [u8]);

impl<'a> Blocks<'a> {
    /// The blocks in their order.
    pub fn iter(self) -> impl Iterator<Item = ReportBlock> + 'a {
        self.0.as_chunks::<24>().0.iter().map(|block| {
            let word = |index: usize| word(block, index);
            // 24 bits, sign-extended.
            let lost = ((word(1) << 8) as i32) >> 8;
            ReportBlock {
                ssrc: word(0),
                fraction_lost: (word(1) >> 24) as u8,
                cumulative_lost: lost,
                highest_sequence: word(2),
                jitter: word(3),
                last_sr: word(4),
                delay_since_last_sr: word(5),
            }
        })
    }
}

/// The sources that a BYE names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sources<'a>(&'a [u8]);

impl Sources<'_> {
    /// Whether a source is among them.
    pub fn contains(self, ssrc: u32) -> bool {
        self.0.as_chunks::<4>().0.iter().any(|octets| u32::from_be_bytes(*octets) == ssrc)
    }
}

/// Why a datagram is no RTCP compound (RFC 3550 A.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RtcpError {
    /// It ends inside of a header, or the lengths do not add up.
    Length,
    /// A version other than 2.
    Version,
    /// The first packet is no report, or it is padded.
    First,
    /// A count or an inner length goes past its packet.
    Content,
}

impl std::fmt::Display for RtcpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            RtcpError::Length => "the RTCP lengths do not add up",
            RtcpError::Version => "the RTCP version is not 2",
            RtcpError::First => "the RTCP compound does not start with a report",
            RtcpError::Content => "an RTCP packet is shorter than its content",
        })
    }
}

impl std::error::Error for RtcpError {}

/// A checked compound; iterating it cannot fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compound<'a>(&'a [u8]);

impl<'a> Compound<'a> {
    /// Checks a datagram as a whole before anything of it is believed.
    ///
    /// # Errors
    /// [`RtcpError`] names the rule of RFC 3550 A.2 that it breaks.
    pub fn parse(datagram: &'a [u8]) -> Result<Compound<'a>, RtcpError> {
        let mut rest = datagram;
        let mut first = true;
        while first || !rest.is_empty() {
            let (packet, after) = split(rest)?;
            if first && (!matches!(packet.kind, RTCP_SR | RTCP_RR) || packet.padded) {
                return Err(RtcpError::First);
            }
            if packet.padded && !after.is_empty() {
                // Only the last packet may be padded (RFC 3550 section 6.4.1).
                return Err(RtcpError::Content);
            }
            packet.read()?;
            (first, rest) = (false, after);
        }
        Ok(Compound(datagram))
    }

    /// The packets in their order.
    pub fn iter(self) -> impl Iterator<Item = Rtcp<'a>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (packet, after) = split(rest).ok()?;
            rest = after;
            packet.read().ok()
        })
    }
}

/// One packet of a compound, its length already checked.
struct Raw<'a> {
    kind: u8,
    count: usize,
    padded: bool,
    body: &'a [u8],
}

fn split(datagram: &[u8]) -> Result<(Raw<'_>, &[u8]), RtcpError> {
    let ([first, kind, l0, l1], rest) =
        datagram.split_first_chunk::<4>().ok_or(RtcpError::Length)?;
    if first >> 6 != VERSION {
        return Err(RtcpError::Version);
    }
    let length = usize::from(u16::from_be_bytes([*l0, *l1])) * 4;
    let (mut body, after) = rest.split_at_checked(length).ok_or(RtcpError::Length)?;
    let padded = first & 0x20 != 0;
    if padded {
        let padding = usize::from(*body.last().ok_or(RtcpError::Content)?);
        let left = body.len().checked_sub(padding).filter(|_| padding != 0);
        body = body.get(..left.ok_or(RtcpError::Content)?).unwrap_or_default();
    }
    Ok((Raw { kind: *kind, count: usize::from(first & 0x1f), padded, body }, after))
}

impl<'a> Raw<'a> {
    fn read(&self) -> Result<Rtcp<'a>, RtcpError> {
        let body = self.body;
        match self.kind {
            RTCP_SR | RTCP_RR => {
                let head = if self.kind == RTCP_SR { 24 } else { 4 };
                let info = body.get(..head).ok_or(RtcpError::Content)?;
                let blocks = body.get(head..head + self.count * 24).ok_or(RtcpError::Content)?;
                let sender = SenderInfo {
                    ntp: u64::from(word(info, 1)) << 32 | u64::from(word(info, 2)),
                    timestamp: word(info, 3),
                    packets: word(info, 4),
                    octets: word(info, 5),
                };
                let info_present = self.kind == RTCP_SR;
                Ok(Rtcp::Report {
                    ssrc: word(info, 0),
                    info: info_present.then_some(sender),
                    blocks: Blocks(blocks),
                })
            }
            RTCP_SDES => Ok(cname(body).unwrap_or(Rtcp::Other(RTCP_SDES))),
            RTCP_BYE => {
                body.get(..self.count * 4).map(|s| Rtcp::Bye(Sources(s))).ok_or(RtcpError::Content)
            }
            other => Ok(Rtcp::Other(other)),
        }
    }
}

/// The CNAME of the first chunk. A malformed chunk costs the name alone, not the reports.
fn cname(body: &[u8]) -> Option<Rtcp<'_>> {
    let (ssrc, mut items) = body.split_first_chunk::<4>()?;
    while let [kind, length, rest @ ..] = items {
        if *kind == 0 {
            break;
        }
        let (value, after) = rest.split_at_checked(usize::from(*length))?;
        if *kind == SDES_CNAME {
            return Some(Rtcp::Cname { ssrc: u32::from_be_bytes(*ssrc), cname: value });
        }
        items = after;
    }
    None
}

/// The big-endian word number `index`, 0 past the end.
fn word(octets: &[u8], index: usize) -> u32 {
    octets.as_chunks::<4>().0.get(index).map_or(0, |octets| u32::from_be_bytes(*octets))
}

/// Writes a compound, one packet after another.
#[derive(Debug, Default)]
pub struct Writer {
    buffer: Vec<u8>,
}

impl Writer {
    /// An empty compound.
    pub fn new() -> Writer {
        Writer { buffer: Vec::with_capacity(128) }
    }

    /// Appends a sender report (with `info`) or a receiver report; the first 31 blocks are written.
    pub fn report(&mut self, ssrc: u32, info: Option<&SenderInfo>, blocks: &[ReportBlock]) {
        let blocks = blocks.get(..31).unwrap_or(blocks);
        let words = 1 + blocks.len() * 6 + if info.is_some() { 5 } else { 0 };
        self.head(blocks.len() as u8, if info.is_some() { RTCP_SR } else { RTCP_RR }, words);
        self.word(ssrc);
        if let Some(info) = info {
            self.buffer.extend(info.ntp.to_be_bytes());
            [info.timestamp, info.packets, info.octets].into_iter().for_each(|w| self.word(w));
        }
        for block in blocks {
            let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
            let words = [
                block.ssrc,
                u32::from(block.fraction_lost) << 24 | lost,
                block.highest_sequence,
                block.jitter,
                block.last_sr,
                block.delay_since_last_sr,
            ];
            words.into_iter().for_each(|w| self.word(w));
        }
    }

    /// Appends a source description with a CNAME, cut to 255 octets.
    pub fn cname(&mut self, ssrc: u32, cname: &str) {
        let name = cname.as_bytes();
        let name = name.get(..255).unwrap_or(name);
        // SSRC, kind, length, name, and at least one octet that ends the list.
        let words = (4 + 2 + name.len() + 1).div_ceil(4);
        self.head(1, RTCP_SDES, words);
        let end = self.buffer.len() + words * 4;
        self.word(ssrc);
        self.buffer.extend([SDES_CNAME, name.len() as u8]);
        self.buffer.extend(name);
        self.buffer.resize(end, 0);
    }

    /// Appends a goodbye of one source.
    pub fn bye(&mut self, ssrc: u32) {
        self.head(1, RTCP_BYE, 1);
        self.word(ssrc);
    }

    /// The octets of the compound.
    pub fn finish(self) -> Vec<u8> {
        self.buffer
    }

    fn head(&mut self, count: u8, kind: u8, words: usize) {
        self.buffer.extend([VERSION << 6 | count, kind]);
        self.buffer.extend((words as u16).to_be_bytes());
    }

    fn word(&mut self, word: u32) {
        self.buffer.extend(word.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn block() -> ReportBlock {
        ReportBlock {
            ssrc: 5,
            fraction_lost: 64,
            cumulative_lost: -3,
            highest_sequence: 0x1_0007,
            jitter: 99,
            last_sr: 0xabcd_ef01,
            delay_since_last_sr: 65536,
        }
    }

    fn compound() -> Vec<u8> {
        let mut writer = Writer::new();
        let info = SenderInfo { ntp: 1 << 40 | 7, timestamp: 8, packets: 9, octets: 10 };
        writer.report(1, Some(&info), &[block()]);
        writer.cname(1, "abcde");
        writer.bye(1);
        writer.finish()
    }

    #[test]
    fn a_written_compound_reads_back() {
        let wire = compound();
        let packets: Vec<_> = Compound::parse(&wire).unwrap().iter().collect();
        let [Rtcp::Report { ssrc: 1, info: Some(info), blocks }, name, Rtcp::Bye(gone)] =
            packets[..]
        else {
            panic!("{packets:?}")
        };
        assert_eq!((info.ntp, info.octets), (1 << 40 | 7, 10));
        assert_eq!(blocks.iter().collect::<Vec<_>>(), [block()]);
        assert_eq!(name, Rtcp::Cname { ssrc: 1, cname: b"abcde" });
        assert!(gone.contains(1) && !gone.contains(2));
    }

    #[test]
    fn a_compound_that_does_not_add_up_is_refused_whole() {
        let wire = compound();
        // The compound is valid at its packet boundaries only.
        let whole: Vec<_> =
            (0..=wire.len()).filter(|&n| Compound::parse(&wire[..n]).is_ok()).collect();
        assert_eq!(whole, [52, 68, 76]);
        assert_eq!(Compound::parse(&wire[52..]), Err(RtcpError::First));
        let mut padded = wire.clone();
        padded[0] |= 0x20;
        assert!(Compound::parse(&padded).is_err());
        let mut counted = wire.clone();
        counted[0] |= 0x1f;
        assert_eq!(Compound::parse(&counted), Err(RtcpError::Content));
        let mut version = wire;
        version[52] = 0;
        assert_eq!(Compound::parse(&version), Err(RtcpError::Version));
    }

    #[test]
    fn feedback_behind_a_report_is_stepped_over() {
        let mut writer = Writer::new();
        writer.report(1, None, &[]);
        let mut wire = writer.finish();
        wire.extend([0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 7, 0, 0]);
        let packets: Vec<_> = Compound::parse(&wire).unwrap().iter().collect();
        assert_eq!(packets[1], Rtcp::Other(205));
    }

    #[test]
    fn names_of_every_length_are_padded_to_words() {
        for length in 0..300 {
            let mut writer = Writer::new();
            writer.report(1, None, &[]);
            writer.cname(7, &"x".repeat(length));
            let wire = writer.finish();
            let last = Compound::parse(&wire).unwrap().iter().last();
            let Some(Rtcp::Cname { ssrc: 7, cname }) = last else { panic!("{last:?}") };
            assert_eq!(cname.len(), length.min(255));
        }
    }
}
