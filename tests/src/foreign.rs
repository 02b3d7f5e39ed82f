//! Foreign handshakes, as strangers send them to open ports.

use std::time::Instant;
use str0m::config::DtlsVersion;
use str0m::crypto::dtls::DtlsOutput;
use str0m::crypto::from_feature_flags;

/// A ClientHello of a DTLS client that has nothing to do with the call.
pub fn client_hello() -> Vec<u8> {
    let now = Instant::now();
    let provider = from_feature_flags().dtls_provider;
    let certificate = provider.generate_certificate().unwrap();
    let mut dtls = provider.new_dtls(&certificate, now, DtlsVersion::Dtls12, Some(1150)).unwrap();
    dtls.set_active(true);
    dtls.handle_timeout(now).unwrap();
    // The empty packet starts the client.
    let _ = dtls.handle_packet(&[]);
    let mut buffer = vec![0; 2_000];
    loop {
        match dtls.poll_output(&mut buffer) {
            DtlsOutput::Packet(packet) => return packet.to_vec(),
            DtlsOutput::Timeout(_) => panic!("the DTLS client says nothing"),
            _ => {}
        }
    }
}
