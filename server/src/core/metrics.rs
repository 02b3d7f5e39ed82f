//! Counters that a shard keeps and others read: plain numbers on the hot path, text elsewhere.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $kind:ident $name:ident;)*) => {
        /// Every number that `/metrics` shows.
        #[derive(Debug, Default)]
        pub struct Metrics {
            $($(#[doc = $help])+ pub $name: AtomicU64,)*
        }

        impl Metrics {
            /// Prometheus text format, version 0.0.4.
            pub fn render(&self) -> String {
                let mut text = String::new();
                $(
                    let help = concat!($($help),+).trim();
                    let kind = stringify!($kind);
                    let name = concat!("click2call_", stringify!($name));
                    let value = self.$name.load(Ordering::Relaxed);
                    text.push_str(&format!(
                        "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"
                    ));
                )*
                text
            }
        }
    };
}

metrics! {
    /// Calls that are up or being set up.
    gauge calls_live;
    /// Calls started since the start of the program.
    counter calls_started_total;
    /// Calls that were answered.
    counter calls_answered_total;
    /// Calls that failed through the appliance's or the provider's fault.
    counter calls_failed_total;
    /// Links of pages that are open or may still come back.
    gauge links_live;
    /// Flash clients that have a session.
    gauge flash_sessions;
    /// Flash clients that were let in.
    counter flash_connections_total;
    /// Pairs of Flash clients whose sound went directly from one to the other.
    counter flash_direct_total;
    /// Handshakes of Flash clients that were dropped because too many came at once.
    counter flash_handshakes_dropped_total;
    /// Datagrams on the Flash port that were nobody's, repeated or broken.
    counter flash_foreign_dropped_total;
    /// Frames of Flash clients that came too late, or whose place was taken.
    counter flash_frames_late_total;
    /// Accounts that are registered now.
    gauge accounts_registered;
    /// Accounts that should be registered.
    gauge accounts_wanted;
    /// Datagrams received on media sockets.
    counter media_datagrams_received_total;
    /// Datagrams sent from media sockets.
    counter media_datagrams_sent_total;
    /// Datagrams that a media socket refused to send.
    counter media_datagrams_refused_total;
    /// Frames passed on unchanged.
    counter frames_relayed_total;
    /// Frames decoded and encoded again.
    counter frames_transcoded_total;
    /// SIP datagrams from addresses that are no configured peer, dropped unanswered.
    counter sip_foreign_dropped_total;
    /// SIP datagrams that were not SIP.
    counter sip_malformed_total;
    /// SIP messages for connections that were dropped because the queue was full.
    counter sip_stream_dropped_total;
    /// Datagrams on the browser port that belong to no call.
    counter webrtc_foreign_dropped_total;
    /// Messages for pages that were dropped because the hub's queue was full.
    counter link_outputs_dropped_total;
    /// HTTP requests answered.
    counter http_requests_total;
    /// WebSockets refused for their origin, size or rate.
    counter websockets_refused_total;
    /// Rows written to the call log.
    counter rows_written_total;
    /// Rows that the disk refused and that wait for the next try.
    gauge rows_waiting;
    /// Rows lost because the log's queue was full or the disk refused.
    counter rows_lost_total;
}

/// Adds one.
pub fn bump(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_rendered_with_help_type_and_value() {
        let metrics = Metrics::default();
        bump(&metrics.calls_started_total);
        let text = metrics.render();
        assert!(text.contains("# TYPE click2call_calls_started_total counter\n"));
        assert!(text.contains("\nclick2call_calls_started_total 1\n"));
        assert!(text.contains("click2call_calls_live 0\n"));
    }
}
