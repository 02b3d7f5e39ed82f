//! The fuzz targets over their kept corpus and some thousand mutations of it.

use base::Seed;
use harness::fuzzing::{TARGETS, corpus, run, shortened};

/// One thread a core is enough for all targets together, and each has its own seed.
fn fuzz(name: &str) {
    let target = *TARGETS.iter().find(|target| target.name == name).expect("a target");
    assert!(corpus(name).len() >= 3, "{name} has no corpus");
    let mut seed = Seed::from_number(0xc2c);
    if let Err(finding) = run(target, &mut seed, |count| count >= target.mutations) {
        let finding = shortened(target, finding);
        panic!(
            "{name} breaks a promise: {}\ninput, shortened: {:?}",
            finding.words,
            String::from_utf8_lossy(&finding.input)
        );
    }
}

#[test]
fn every_target_has_a_test() {
    let tested = [
        "sip-message",
        "sip-stream",
        "sip-digest",
        "sip-endpoint",
        "sdp",
        "sdp-crypto",
        "rtp",
        "rtp-stream",
        "rtmp-amf0",
        "rtmp-amf3",
        "rtmp-message",
        "rtmp-connection",
        "rtmfp-packet",
        "rtmfp-chunks",
        "rtmfp-options",
        "rtmfp-certificate",
        "rtmfp-endpoint",
        "rtmfp-session",
        "webrtc",
        "bridge",
        "audio",
        "signalling",
        "config",
        "trace",
    ];
    assert!(TARGETS.iter().map(|target| target.name).eq(tested));
}

#[test]
fn sip_messages_survive_mutation() {
    fuzz("sip-message");
}

#[test]
fn sip_connections_survive_mutation() {
    fuzz("sip-stream");
}

#[test]
fn digest_survives_mutation() {
    fuzz("sip-digest");
}

#[test]
fn the_sip_endpoint_survives_mutation() {
    fuzz("sip-endpoint");
}

#[test]
fn sdp_survives_mutation() {
    fuzz("sdp");
}

#[test]
fn keys_in_sdp_survive_mutation() {
    fuzz("sdp-crypto");
}

#[test]
fn rtp_survives_mutation() {
    fuzz("rtp");
}

#[test]
fn rtp_streams_survive_mutation() {
    fuzz("rtp-stream");
}

#[test]
fn flash_values_survive_mutation() {
    fuzz("rtmp-amf0");
    fuzz("rtmp-amf3");
}

#[test]
fn flash_messages_survive_mutation() {
    fuzz("rtmp-message");
}

#[test]
fn flash_connections_survive_mutation() {
    fuzz("rtmp-connection");
}

#[test]
fn rtmfp_packets_survive_mutation() {
    fuzz("rtmfp-packet");
}

#[test]
fn rtmfp_chunks_survive_mutation() {
    fuzz("rtmfp-chunks");
}

#[test]
fn rtmfp_options_survive_mutation() {
    fuzz("rtmfp-options");
}

#[test]
fn rtmfp_certificates_survive_mutation() {
    fuzz("rtmfp-certificate");
}

#[test]
fn rtmfp_endpoints_survive_mutation() {
    fuzz("rtmfp-endpoint");
}

#[test]
fn rtmfp_sessions_survive_mutation() {
    fuzz("rtmfp-session");
}

#[test]
fn the_browser_port_survives_mutation() {
    fuzz("webrtc");
}

#[test]
fn the_bridge_survives_mutation() {
    fuzz("bridge");
}

#[test]
fn codecs_survive_mutation() {
    fuzz("audio");
}

#[test]
fn signalling_survives_mutation() {
    fuzz("signalling");
}

#[test]
fn configuration_survives_mutation() {
    fuzz("config");
}

#[test]
fn traces_survive_mutation() {
    fuzz("trace");
}
