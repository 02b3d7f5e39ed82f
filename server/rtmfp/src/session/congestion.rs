//! The congestion window (RFC 7016, appendix A).

use super::numbers::{BURST, CWND_INITIAL, CWND_MOST, SCALABLE_FROM, SMSS, TIME_CRITICAL_MEMORY};
use std::time::Instant;

/// How much may be outstanding in the network.
#[derive(Debug)]
pub(crate) struct Congestion {
    /// CWND, octets.
    window: u64,
    /// SSTHRESH, octets.
    threshold: u64,
    /// ACKED_BYTES_ACCUMULATOR.
    accumulated: u64,
    /// Packets with user data since the last acknowledgement (DATA_PACKET_COUNT).
    burst: u32,
    /// When this session last sent a packet with the time-critical flag.
    sent_here_at: Option<Instant>,
    /// When any session of the endpoint did.
    sent_anywhere_at: Option<Instant>,
    /// When the far end last said that it receives time-critical data from others.
    reverse_at: Option<Instant>,
}

/// What the acknowledgements of one packet came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    /// Octets outstanding before the packet.
    pub outstanding_before: u64,
    /// Octets that it acknowledged.
    pub acknowledged: u64,
    /// Any acknowledgement chunk was in it.
    pub any_acks: bool,
    /// A fragment was passed over.
    pub any_naks: bool,
    /// A fragment counts as lost now.
    pub any_loss: bool,
}

impl Congestion {
    pub(crate) fn new() -> Self {
        Congestion {
            window: CWND_INITIAL,
            threshold: u64::MAX,
            accumulated: 0,
            burst: 0,
            sent_here_at: None,
            sent_anywhere_at: None,
            reverse_at: None,
        }
    }

    /// The congestion window in octets.
    pub(crate) fn window(&self) -> u64 {
        self.window
    }

    /// Whether a fragment may go while `outstanding` octets are in the network.
    pub(crate) fn allows(&self, outstanding: u64) -> bool {
        outstanding < self.window && self.burst < BURST
    }

    /// A packet with user data left.
    pub(crate) fn packet_sent(&mut self, now: Instant, time_critical: bool) {
        self.burst = self.burst.saturating_add(1);
        if time_critical {
            self.sent_here_at = Some(now);
        }
    }

    /// A session of the same endpoint sent time-critical data at this time.
    pub(crate) fn note_time_critical(&mut self, at: Instant) {
        self.sent_anywhere_at = self.sent_anywhere_at.max(Some(at));
    }

    /// The far end receives time-critical data from others.
    pub(crate) fn reverse_received(&mut self, now: Instant) {
        self.reverse_at = Some(now);
    }

    /// When this session last sent time-critical data.
    pub(crate) fn time_critical_sent_at(&self) -> Option<Instant> {
        self.sent_here_at
    }

    /// The path is another one: what was learnt of the old one is forgotten.
    pub(crate) fn restart(&mut self) {
        self.window = self.window.min(CWND_INITIAL);
        self.threshold = u64::MAX;
        self.accumulated = 0;
    }

    fn fast_growth(&self, now: Instant) -> bool {
        ![self.reverse_at, self.sent_here_at, self.sent_anywhere_at]
            .into_iter()
            .any(|at| recent(now, at))
    }

    /// The retransmission alarm went off (figure 24).
    pub(crate) fn handle_timeout(&mut self, loss: bool) {
        self.burst = 0;
        self.threshold = self.threshold.max(self.window * 3 / 4);
        self.accumulated = 0;
        self.window = if loss { SMSS } else { CWND_INITIAL };
    }

    /// A packet was processed (figure 25).
    pub(crate) fn handle_packet(&mut self, now: Instant, outcome: Outcome) {
        if outcome.any_acks {
            self.burst = 0;
        }
        let fast = self.fast_growth(now);
        let critical = recent(now, self.sent_here_at);
        let before = outcome.outstanding_before;
        if outcome.any_loss {
            let gently = critical || (before > SCALABLE_FROM && fast);
            let kept = if gently { before * 7 / 8 } else { before / 2 };
            self.threshold = kept.max(CWND_INITIAL);
            self.window = self.threshold;
            self.accumulated = 0;
        } else if outcome.any_acks && !outcome.any_naks && before >= self.window {
            let increase = self.increase(outcome.acknowledged, fast, critical);
            self.window = (self.window + increase.min(SMSS)).clamp(CWND_INITIAL, CWND_MOST);
        }
    }

    fn increase(&mut self, acknowledged: u64, fast: bool, critical: bool) -> u64 {
        let slow_start = self.window < self.threshold;
        match (fast, critical) {
            (true, _) if slow_start => acknowledged,
            (true, _) => self.additive(acknowledged, 4800, 48),
            (false, true) if slow_start => acknowledged.div_ceil(4),
            (false, true) => self.additive(acknowledged, 2400, 24),
            (false, false) => self.additive(acknowledged, 4800, 24),
        }
    }

    /// `step` octets for each stretch of acknowledged octets, a sixteenth of the window long.
    fn additive(&mut self, acknowledged: u64, cap: u64, step: u64) -> u64 {
        self.accumulated += acknowledged;
        let stretch = (self.window / 16).max(64).min(cap);
        let steps = self.accumulated / stretch;
        self.accumulated %= stretch;
        steps * step
    }
}

fn recent(now: Instant, at: Option<Instant>) -> bool {
    at.is_some_and(|at| now.saturating_duration_since(at) < TIME_CRITICAL_MEMORY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn acked(outstanding_before: u64, acknowledged: u64) -> Outcome {
        Outcome { outstanding_before, acknowledged, any_acks: true, ..Outcome::default() }
    }

    fn lost(outstanding_before: u64) -> Outcome {
        Outcome { outstanding_before, any_acks: true, any_loss: true, ..Outcome::default() }
    }

    #[test]
    fn slow_start_grows_by_what_is_acknowledged_up_to_one_segment() {
        let now = Instant::now();
        let mut window = Congestion::new();
        window.handle_packet(now, acked(4380, 1000));
        assert_eq!(window.window(), 5380);
        window.handle_packet(now, acked(5380, 5000));
        assert_eq!(window.window(), 5380 + 1460);
        window.handle_packet(now, acked(6000, 1000));
        assert_eq!(window.window(), 6840, "the window was not in use, so it does not grow");
    }

    #[test]
    fn a_loss_halves_and_with_time_critical_data_takes_an_eighth() {
        let now = Instant::now();
        let mut window = Congestion::new();
        window.handle_packet(now, lost(40_000));
        assert_eq!(window.window(), 20_000);
        window.packet_sent(now, true);
        window.handle_packet(now, lost(20_000));
        assert_eq!(window.window(), 17_500);
        window.handle_packet(now, lost(1000));
        assert_eq!(window.window(), 4380);
        let mut large = Congestion::new();
        large.handle_packet(now, lost(80_000));
        assert_eq!(large.window(), 70_000);
    }

    #[test]
    fn a_timeout_with_loss_leaves_one_segment_and_without_the_initial_window() {
        let mut window = Congestion::new();
        window.handle_timeout(true);
        assert_eq!(window.window(), 1460);
        assert!(window.allows(1459) && !window.allows(1460));
        window.handle_timeout(false);
        assert_eq!(window.window(), 4380);
    }

    #[test]
    fn congestion_avoidance_adds_768_octets_a_round_trip() {
        let now = Instant::now();
        let mut window = Congestion::new();
        window.handle_packet(now, lost(40_000));
        let before = window.window();
        for _ in 0..16 {
            let outstanding = window.window();
            window.handle_packet(now, acked(outstanding, before / 16));
        }
        let grown = window.window() - before;
        assert!((720..=768).contains(&grown), "{grown}");
    }

    #[test]
    fn a_reverse_notification_stops_slow_start_for_800_ms() {
        let now = Instant::now();
        let mut window = Congestion::new();
        window.reverse_received(now);
        let at = now + Duration::from_millis(799);
        window.handle_packet(at, acked(4380, 4380));
        assert!(window.window() - 4380 <= 384, "{}", window.window());
        let mut free = Congestion::new();
        free.reverse_received(now);
        free.handle_packet(now + Duration::from_millis(800), acked(4380, 1460));
        assert_eq!(free.window(), 5840);
    }

    #[test]
    fn who_sends_time_critical_data_starts_at_a_quarter_of_the_speed() {
        let now = Instant::now();
        let mut window = Congestion::new();
        window.packet_sent(now, true);
        window.reverse_received(now);
        window.handle_packet(now, acked(4380, 1000));
        assert_eq!(window.window(), 4380 + 250);
    }

    #[test]
    fn time_critical_data_of_another_session_slows_this_one() {
        let now = Instant::now();
        let mut window = Congestion::new();
        window.note_time_critical(now);
        window.handle_packet(now, acked(4380, 1460));
        assert!(window.window() - 4380 <= 384, "{}", window.window());
    }

    #[test]
    fn six_packets_go_between_two_acknowledgements() {
        let now = Instant::now();
        let mut window = Congestion::new();
        (0..6).for_each(|_| {
            assert!(window.allows(0));
            window.packet_sent(now, false);
        });
        assert!(!window.allows(0));
        window.handle_packet(now, Outcome::default());
        assert!(!window.allows(0));
        window.handle_packet(now, acked(0, 0));
        assert!(window.allows(0));
        (0..6).for_each(|_| window.packet_sent(now, false));
        window.handle_timeout(false);
        assert!(window.allows(0));
    }
}
