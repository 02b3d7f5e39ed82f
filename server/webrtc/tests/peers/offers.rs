//! Offers as browsers write them.

/// Chromium 156, `addTransceiver` of audio and video, microphone granted.
pub const CHROMIUM: &str = "\
v=0\r
o=- 4611731400430051336 2 IN IP4 127.0.0.1\r
s=-\r
t=0 0\r
a=group:BUNDLE 0 1\r
a=extmap-allow-mixed\r
a=msid-semantic: WMS 6f8c1f80\r
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r
c=IN IP4 0.0.0.0\r
a=rtcp:9 IN IP4 0.0.0.0\r
a=candidate:2382557538 1 udp 2113937151 0b9f8d2e-0d8b-4a5e-8c5e-1f0f6c1d2e3f.local 51472 typ host generation 0 network-cost 999\r
a=ice-ufrag:Fq5D\r
a=ice-pwd:0cDU7bHdLzWqRjk0DTuQ9xkU\r
a=ice-options:trickle\r
a=fingerprint:sha-256 7B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08\r
a=setup:actpass\r
a=mid:0\r
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r
a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r
a=sendrecv\r
a=msid:6f8c1f80 9b1c7f10\r
a=rtcp-mux\r
a=rtcp-rsize\r
a=rtcp-xr:rcvr-rtt=all\r
a=rtpmap:111 opus/48000/2\r
a=rtcp-fb:111 transport-cc\r
a=fmtp:111 minptime=10;useinbandfec=1\r
a=rtpmap:63 red/48000/2\r
a=fmtp:63 111/111\r
a=rtpmap:9 G722/8000\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:8 PCMA/8000\r
a=rtpmap:13 CN/8000\r
a=rtpmap:110 telephone-event/48000\r
a=rtpmap:126 telephone-event/8000\r
a=ssrc:2718281828 cname:BQ4ZbX0kD0J7m2hE\r
a=ssrc:2718281828 msid:6f8c1f80 9b1c7f10\r
m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 104 45 46 98 99 127\r
c=IN IP4 0.0.0.0\r
a=rtcp:9 IN IP4 0.0.0.0\r
a=ice-ufrag:Fq5D\r
a=ice-pwd:0cDU7bHdLzWqRjk0DTuQ9xkU\r
a=ice-options:trickle\r
a=fingerprint:sha-256 7B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08\r
a=setup:actpass\r
a=mid:1\r
a=extmap:14 urn:ietf:params:rtp-hdrext:toffset\r
a=extmap:13 urn:3gpp:video-orientation\r
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r
a=sendrecv\r
a=msid:6f8c1f80 1d3b7a52\r
a=rtcp-mux\r
a=rtcp-rsize\r
a=rtpmap:96 VP8/90000\r
a=rtcp-fb:96 nack pli\r
a=rtpmap:97 rtx/90000\r
a=fmtp:97 apt=96\r
a=rtpmap:103 H264/90000\r
a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f\r
a=rtpmap:104 rtx/90000\r
a=fmtp:104 apt=103\r
a=rtpmap:45 AV1/90000\r
a=rtpmap:46 rtx/90000\r
a=fmtp:46 apt=45\r
a=rtpmap:98 VP9/90000\r
a=fmtp:98 profile-id=0\r
a=rtpmap:99 rtx/90000\r
a=fmtp:99 apt=98\r
a=rtpmap:127 ulpfec/90000\r
a=ssrc-group:FID 3141592653 1414213562\r
a=ssrc:3141592653 cname:BQ4ZbX0kD0J7m2hE\r
a=ssrc:1414213562 cname:BQ4ZbX0kD0J7m2hE\r
";

/// Firefox ESR 153, the same; the fingerprint stands at session level.
pub const FIREFOX: &str = "\
v=0\r
o=mozilla...THIS_IS_SDPARTA-99.0 5735915413418713146 0 IN IP4 0.0.0.0\r
s=-\r
t=0 0\r
a=sendrecv\r
a=fingerprint:sha-256 1B:2B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08\r
a=group:BUNDLE 0 1\r
a=ice-options:trickle\r
a=msid-semantic:WMS *\r
m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101\r
c=IN IP4 0.0.0.0\r
a=sendrecv\r
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r
a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level\r
a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid\r
a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1\r
a=fmtp:101 0-15\r
a=ice-pwd:5e8a2c04f2b7e0b3f25b87a8e2a3f5f9\r
a=ice-ufrag:5d61e4a2\r
a=mid:0\r
a=msid:{3b2c7e54} {6a1c5d0e}\r
a=rtcp-mux\r
a=rtpmap:109 opus/48000/2\r
a=rtpmap:9 G722/8000/1\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:8 PCMA/8000\r
a=rtpmap:101 telephone-event/8000/1\r
a=setup:actpass\r
a=ssrc:1640531527 cname:{8d2f6c1b}\r
m=video 0 UDP/TLS/RTP/SAVPF 120 124 121 125\r
c=IN IP4 0.0.0.0\r
a=bundle-only\r
a=sendrecv\r
a=ice-pwd:5e8a2c04f2b7e0b3f25b87a8e2a3f5f9\r
a=ice-ufrag:5d61e4a2\r
a=mid:1\r
a=rtcp-mux\r
a=rtpmap:120 VP8/90000\r
a=rtpmap:124 rtx/90000\r
a=fmtp:124 apt=120\r
a=rtpmap:121 VP9/90000\r
a=rtpmap:125 rtx/90000\r
a=fmtp:125 apt=121\r
a=setup:actpass\r
";
