//! The quality light: what the page is told about how a call sounds, and where the trouble is.

use super::Core;
use crate::net::Wire;
use base::CallId;
use bridge::Side;
use signalling::{QualityLevel, QualityReason, QualityReport, ServerMessage};
use std::time::{Duration, Instant};
use webrtc::Statistics;

/// How often the light is looked at.
pub const EVERY: Duration = Duration::from_secs(2);

/// What is measured, all in percent and milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// Loss from the visitor to us.
    pub loss_up: f32,
    /// Loss from us to the visitor.
    pub loss_down: f32,
    /// Loss from the phone to us.
    pub loss_phone: f32,
    /// Round trip to the visitor.
    pub round_trip: f32,
    /// The visitor's packets have stopped.
    pub visitor_silent: bool,
    /// The phone's packets have stopped.
    pub phone_silent: bool,
}

/// The light and its reason: the worst trouble wins.
pub fn judge(measured: Measured) -> (QualityLevel, QualityReason) {
    let grade = |value: f32, fair: f32, poor: f32| {
        if value >= poor { 2 } else { u8::from(value >= fair) }
    };
    let troubles = [
        (if measured.visitor_silent { 2 } else { 0 }, QualityReason::VisitorSilent),
        (if measured.phone_silent { 2 } else { 0 }, QualityReason::PhoneSilent),
        (grade(measured.loss_up, 3.0, 10.0), QualityReason::VisitorLossUp),
        (grade(measured.loss_down, 3.0, 10.0), QualityReason::VisitorLossDown),
        (grade(measured.loss_phone, 3.0, 10.0), QualityReason::PhoneLoss),
        (grade(measured.round_trip, 300.0, 600.0), QualityReason::VisitorDelay),
    ];
    let mut worst = (0, QualityReason::None);
    for trouble in troubles {
        if trouble.0 > worst.0 {
            worst = trouble;
        }
    }
    let level = match worst.0 {
        0 => QualityLevel::Good,
        1 => QualityLevel::Fair,
        _ => QualityLevel::Poor,
    };
    (level, worst.1)
}

/// A page's report with impossible numbers taken out.
pub fn sane(report: QualityReport) -> QualityReport {
    let clamp =
        |value: f32, most: f32| if value.is_finite() { value.clamp(0.0, most) } else { 0.0 };
    QualityReport {
        loss: clamp(report.loss, 100.0),
        jitter: clamp(report.jitter, 60_000.0),
        round_trip: clamp(report.round_trip, 60_000.0),
        concealed: clamp(report.concealed, 100.0),
    }
}

/// Loss of the last stretch in percent, from two totals.
pub fn loss(received: u64, lost: u64, before: (u64, u64)) -> f32 {
    let received = received.saturating_sub(before.0) as f32;
    let lost = lost.saturating_sub(before.1) as f32;
    if received + lost < 1.0 { 0.0 } else { 100.0 * lost / (received + lost) }
}

/// What the browser has missed of what was sent to it between two looks, in percent, by its
/// receiver reports; none before the first of them.
fn missed_by_browser(before: &Statistics, now: &Statistics) -> Option<f32> {
    let missed = now.remote_lost?.saturating_sub(before.remote_lost.unwrap_or(0)) as f32;
    let sent = now.sent.saturating_sub(before.sent).max(1) as f32;
    Some((100.0 * missed / sent).min(100.0))
}

impl<W: Wire> Core<W> {
    /// Measures a call and tells its page.
    pub(super) fn look_at_quality(&mut self, now: Instant, id: CallId) {
        let Some(active) = self.calls.entry(id) else { return };
        active.quality_at = now + EVERY;
        let Some(peer) = active.visitor.browser() else { return };
        let Some(figures) = self.browsers.statistics(peer) else { return };
        let trunk = active.stream.statistics();
        let before = active.facts.browser;
        let trunk_before = active.facts.trunk_before;
        let talking = active.is_talking();
        let measured = Measured {
            loss_up: loss(figures.received, figures.lost, (before.received, before.lost)),
            loss_down: active.report.loss,
            loss_phone: loss(trunk.packets_received, trunk.lost, trunk_before),
            round_trip: figures.round_trip.map_or(0.0, |rtt| rtt.as_secs_f32() * 1000.0),
            visitor_silent: talking && figures.received == before.received,
            phone_silent: talking && trunk.packets_received == trunk_before.0,
        };
        if let Some(missed) = missed_by_browser(&before, &figures) {
            active.bridge.reported_loss(Side::Visitor, missed.max(measured.loss_down));
        }
        active.facts.browser = figures;
        active.facts.trunk_before = (trunk.packets_received, trunk.lost);
        if !talking {
            return;
        }
        let (level, reason) = judge(measured);
        let name = |codec: Option<base::Codec>| codec.map_or("-", base::Codec::key);
        let codecs =
            format!("{}/{}", name(active.facts.browser_codec), name(active.facts.trunk_codec));
        let message = ServerMessage::Quality {
            call: active.page_call,
            level,
            reason,
            loss_up: measured.loss_up,
            loss_down: measured.loss_down,
            round_trip: measured.round_trip,
            codecs,
        };
        let link = active.link;
        self.tell(link, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_trouble_gives_light_and_reason() {
        let good = Measured { loss_up: 1.0, round_trip: 80.0, ..Measured::default() };
        assert_eq!(judge(good), (QualityLevel::Good, QualityReason::None));
        let lossy = Measured { loss_up: 4.0, loss_down: 12.0, ..Measured::default() };
        assert_eq!(judge(lossy), (QualityLevel::Poor, QualityReason::VisitorLossDown));
        let silent = Measured { phone_silent: true, loss_down: 4.0, ..Measured::default() };
        assert_eq!(judge(silent), (QualityLevel::Poor, QualityReason::PhoneSilent));
    }

    #[test]
    fn what_the_browser_missed_is_of_the_last_stretch_and_unknown_before_its_first_report() {
        let at = |sent, remote_lost| Statistics { sent, remote_lost, ..Statistics::default() };
        assert_eq!(missed_by_browser(&at(0, None), &at(100, None)), None);
        assert_eq!(missed_by_browser(&at(0, None), &at(100, Some(2))), Some(2.0));
        assert_eq!(missed_by_browser(&at(100, Some(2)), &at(200, Some(2))), Some(0.0));
        assert_eq!(missed_by_browser(&at(200, Some(9)), &at(200, Some(700))), Some(100.0));
    }

    #[test]
    fn loss_is_of_the_last_stretch_and_a_pages_nonsense_is_clamped() {
        assert_eq!(loss(150, 10, (60, 0)), 10.0);
        assert_eq!(loss(0, 0, (0, 0)), 0.0);
        let report = QualityReport { loss: f32::NAN, jitter: -5.0, ..QualityReport::default() };
        assert_eq!(sane(report).loss, 0.0);
        assert_eq!(sane(report).jitter, 0.0);
    }
}
