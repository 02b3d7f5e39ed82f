//! When reports leave, what they say of time, and what the peer's reports say of us (RFC 3550 6).

use crate::numbers::{REPORT_EVERY, units};
use crate::rtcp::{Compound, ReportBlock, Rtcp, SenderInfo, Writer};
use base::Seed;
use std::time::{Duration, Instant};

/// The second since 1900 in which every stream's NTP clock starts. What it says means nothing, but
/// there are receivers that take a time before 1970 for no time.
const NTP_START: u64 = 0xee00_0000;

/// The peer's view of what we send, out of its newest report.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RemoteView {
    /// Packets of ours that it missed; negative where duplicates outnumber losses.
    pub lost: i32,
    /// Loss since the report before, in 1/256.
    pub fraction_lost: u8,
    /// In units of our RTP clock.
    pub jitter: u32,
    /// By the times in its report, if it had heard one of ours.
    pub round_trip: Option<Duration>,
    /// Reports that spoke of our packets: whoever sends one has received some.
    pub reports: u32,
}

/// What an incoming compound means for the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Reports, or nothing of interest.
    Reports,
    /// The source that is followed leaves.
    Bye,
}

/// The RTCP half of a stream: when reports leave, and what they say of time.
#[derive(Debug)]
pub struct Reports {
    seed: Seed,
    cname: String,
    /// Our NTP clock counts from here: a stream needs no time of day (RFC 3550 section 6.4.1).
    epoch: Option<Instant>,
    next_at: Option<Instant>,
    /// The peer's last sender report: middle of its NTP time, and when it came.
    last_sr: Option<(u32, Instant)>,
    /// Sound packets counted at the last report; more since then make a sender report.
    sent_before: u64,
    remote: RemoteView,
}

impl Reports {
    /// Reports under this canonical name; nothing is due before [`Reports::start`].
    pub fn new(seed: Seed, cname: String) -> Reports {
        Reports {
            seed,
            cname,
            epoch: None,
            next_at: None,
            last_sr: None,
            sent_before: 0,
            remote: RemoteView::default(),
        }
    }

    /// Begins the schedule; the first report comes after half of the usual time.
    pub fn start(&mut self, now: Instant) {
        if self.epoch.is_none() {
            self.epoch = Some(now);
            self.next_at = Some(now + self.interval() / 2);
        }
    }

    /// Sets the time of the next report, half to one and a half of the mean (RFC 3550 6.3.1).
    pub fn schedule(&mut self, now: Instant) {
        self.next_at = Some(now + self.interval());
    }

    /// When the next report is due; none before the start and after the stop.
    pub fn next_at(&self) -> Option<Instant> {
        self.next_at
    }

    /// No further report is due.
    pub fn stop(&mut self) {
        self.next_at = None;
    }

    /// What the peer's newest report says.
    pub fn remote(&self) -> RemoteView {
        self.remote
    }

    fn interval(&mut self) -> Duration {
        let mean = REPORT_EVERY.as_millis() as u64;
        Duration::from_millis(mean / 2 + self.seed.below(mean))
    }

    /// Our NTP time, 32.32 bits; never 0, which means "no report yet" in an answer.
    fn ntp(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.epoch.unwrap_or(now));
        let fraction = (u64::from(passed.subsec_nanos()) << 32) / 1_000_000_000;
        ((passed.as_secs() + NTP_START) << 32) | fraction
    }

    /// `last_sr` and `delay_since_last_sr` of the next report block.
    pub fn answer_times(&self, now: Instant) -> (u32, u32) {
        self.last_sr.map_or((0, 0), |(middle, at)| {
            (middle, units(now.saturating_duration_since(at), 1 << 16))
        })
    }

    /// Writes one compound: report, name, and a goodbye where asked for. `sent` is packets and
    /// octets so far, `timestamp` our RTP time of now, or `None` as long as nothing was sent.
    pub fn write(
        &mut self,
        now: Instant,
        ssrc: u32,
        sent: (u64, u64),
        timestamp: Option<u32>,
        block: Option<&ReportBlock>,
        bye: bool,
    ) -> Vec<u8> {
        let (packets, octets) = sent;
        let info = timestamp.filter(|_| packets > self.sent_before).map(|timestamp| SenderInfo {
            ntp: self.ntp(now),
            timestamp,
            packets: packets as u32,
            octets: octets as u32,
        });
        self.sent_before = packets;
        let mut writer = Writer::new();
        writer.report(ssrc, info.as_ref(), block.map(std::slice::from_ref).unwrap_or_default());
        writer.cname(ssrc, &self.cname);
        if bye {
            writer.bye(ssrc);
        }
        writer.finish()
    }

    /// Reads the peer's compound. `own` is our SSRC, `peer` the one that is followed.
    pub fn read(
        &mut self,
        now: Instant,
        compound: Compound<'_>,
        own: u32,
        peer: Option<u32>,
    ) -> Heard {
        let mut heard = Heard::Reports;
        for packet in compound.iter() {
            match packet {
                // A peer that echoes every datagram sends our own reports back.
                Rtcp::Report { ssrc, .. } if ssrc == own => {}
                Rtcp::Report { ssrc, info, blocks } => {
                    if let Some(info) = info
                        && peer.is_none_or(|peer| peer == ssrc)
                    {
                        self.last_sr = Some(((info.ntp >> 16) as u32, now));
                    }
                    for block in blocks.iter().filter(|block| block.ssrc == own) {
                        self.take(now, &block);
                    }
                }
                Rtcp::Bye(sources) if peer.is_some_and(|peer| sources.contains(peer)) => {
                    heard = Heard::Bye;
                }
                _ => {}
            }
        }
        heard
    }

    fn take(&mut self, now: Instant, block: &ReportBlock) {
        self.remote.lost = block.cumulative_lost;
        self.remote.fraction_lost = block.fraction_lost;
        self.remote.jitter = block.jitter;
        self.remote.reports = self.remote.reports.saturating_add(1);
        if block.last_sr == 0 {
            return;
        }
        // A - LSR - DLSR in 1/65536 s (RFC 3550 section 6.4.1).
        let middle = (self.ntp(now) >> 16) as u32;
        let trip = middle.wrapping_sub(block.last_sr).wrapping_sub(block.delay_since_last_sr);
        // Rounding can give a little less than nothing; a minute or more is a wrong report.
        if (trip as i32) < 0 && (trip as i32) > -66 {
            self.remote.round_trip = Some(Duration::ZERO);
        } else if trip < 60 << 16 {
            let trip = Duration::from_secs(u64::from(trip)) / (1 << 16);
            self.remote.round_trip = Some(trip);
        }
    }
}
