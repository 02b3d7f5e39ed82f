//! Reports that come back.
#![allow(clippy::unwrap_used)]
use super::tests::{address, end, payloads};
use super::*;

#[test]
fn our_own_report_that_comes_back_tells_nothing_about_the_peer() {
    let mut end = end(4000, 5000, false, payloads(), 1);
    let now = Instant::now();
    let mut writer = crate::rtcp::Writer::new();
    let ssrc = end.ssrc();
    let block = crate::rtcp::ReportBlock { ssrc, cumulative_lost: 9, ..Default::default() };
    writer.report(ssrc, None, &[block]);
    let payload = &writer.finish()[..];
    let (local, remote) = (address("127.0.0.1:4001"), address("127.0.0.1:5001"));
    let datagram = Datagram { protocol: Protocol::Udp, local, remote, payload };
    assert!(end.handle_datagram(now, &datagram, &mut [0; 400]).is_none());
    assert_eq!(end.statistics().remote_lost, 0);
}
