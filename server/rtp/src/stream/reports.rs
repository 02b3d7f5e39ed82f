//! When reports leave, what they say of time, and what the peer's reports say of us (RFC 3550 6).

use crate::numbers::{REPORT_EVERY, units};
use crate::rtcp::{Compound, ReportBlock, Rtcp, SenderInfo, Writer};
use base::Seed;
use std::time::{Duration, Instant};

/// The peer's view of what we send, out of its newest report.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct RemoteView {
    pub(super) lost: i32,
    pub(super) fraction_lost: u8,
    /// In units of our RTP clock.
    pub(super) jitter: u32,
    pub(super) round_trip: Option<Duration>,
}

/// What an incoming compound means for the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Reports,
    Bye,
}

/// The RTCP half of a stream end.
#[derive(Debug)]
pub(super) struct Reports {
    seed: Seed,
    cname: String,
    /// Our NTP clock counts from here: a stream needs no time of day (RFC 3550 section 6.4.1).
    epoch: Option<Instant>,
    pub(super) next_at: Option<Instant>,
    /// The peer's last sender report: middle of its NTP time, and when it came.
    last_sr: Option<(u32, Instant)>,
    /// Sound packets counted at the last report; more since then make a sender report.
    sent_before: u64,
    pub(super) remote: RemoteView,
}

impl Reports {
    pub(super) fn new(seed: Seed, cname: String) -> Reports {
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
    pub(super) fn start(&mut self, now: Instant) {
        if self.epoch.is_none() {
            self.epoch = Some(now);
            self.next_at = Some(now + self.interval() / 2);
        }
    }

    /// Sets the time of the next report, half to one and a half of the mean (RFC 3550 6.3.1).
    pub(super) fn schedule(&mut self, now: Instant) {
        self.next_at = Some(now + self.interval());
    }

    fn interval(&mut self) -> Duration {
        let mean = REPORT_EVERY.as_millis() as u64;
        Duration::from_millis(mean / 2 + self.seed.below(mean))
    }

    /// Our NTP time, 32.32 bits; never 0, which means "no report yet" in an answer.
    fn ntp(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.epoch.unwrap_or(now));
        let fraction = (u64::from(passed.subsec_nanos()) << 32) / 1_000_000_000;
        ((passed.as_secs() + 1) << 32) | fraction
    }

    /// `last_sr` and `delay_since_last_sr` of the next report block.
    pub(super) fn answer_times(&self, now: Instant) -> (u32, u32) {
        self.last_sr.map_or((0, 0), |(middle, at)| {
            (middle, units(now.saturating_duration_since(at), 1 << 16))
        })
    }

    /// Writes one compound: report, name, and a goodbye where asked for. `timestamp` is our RTP
    /// time of now, or `None` as long as nothing was sent.
    pub(super) fn write(
        &mut self,
        now: Instant,
        ssrc: u32,
        sent: (u64, u64),
        timestamp: Option<u32>,
        block: Option<ReportBlock>,
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
        writer.report(ssrc, info.as_ref(), block.as_slice());
        writer.cname(ssrc, &self.cname);
        if bye {
            writer.bye(ssrc);
        }
        writer.finish()
    }

    /// Reads the peer's compound. `own` is our SSRC, `peer` the one that is followed.
    pub(super) fn read(
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
