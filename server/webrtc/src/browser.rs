//! A browser of our own, for who wants to know whether browsers would get through: full ICE, DTLS and
//! SRTP by the library's whole session, which shares nothing with [`crate::Endpoint`] but the ciphers.
//!
//! ```text
//!   new: offer --> answer --> checks, handshake (on its own) --> connected: frames both ways
//! ```
//!
//! It makes one call of sound over one UDP address. Keys and ICE credentials come from the operating
//! system, so a run does not repeat; nothing but checks of a set-up is built on it.

use base::{Codec, Datagram, Frame, Transmit};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc};

use crate::event::{PeerId, ReceivedFrame};

/// Opus has no number of its own (RFC 7587 6.1); browsers and the library use this one.
const OPUS: u8 = 111;
/// Packets that wait for who drives it: more than a second's.
const WAITING: usize = 128;
/// How long a session that has failed sleeps.
const FAILED_FOR: Duration = Duration::from_secs(1);

/// One peer connection at the browser's end. Driven as `base` says.
pub struct Browser {
    rtc: Rtc,
    mid: Mid,
    pending: Option<SdpPendingOffer>,
    address: SocketAddr,
    wake_at: Instant,
    connected: bool,
    failed: bool,
    transmits: VecDeque<Transmit>,
    frames: VecDeque<ReceivedFrame>,
    sent: u64,
}

impl Browser {
    /// A browser at this address, and its offer. None where the address is of no use.
    pub fn new(now: Instant, address: SocketAddr) -> Option<(Browser, String)> {
        let config = Rtc::builder().clear_codecs().set_rtp_mode(true);
        let config = config.enable_opus(true, true).enable_g722(true, false);
        let mut rtc = config.enable_pcmu(true, false).enable_pcma(true, false).build(now);
        rtc.add_local_candidate(Candidate::host(address, "udp").ok()?);
        let mut api = rtc.sdp_api();
        let mid = api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        let (offer, pending) = api.apply()?;
        let browser = Browser {
            rtc,
            mid,
            pending: Some(pending),
            address,
            wake_at: now,
            connected: false,
            failed: false,
            transmits: VecDeque::new(),
            frames: VecDeque::new(),
            sent: 0,
        };
        Some((browser, offer.to_sdp_string()))
    }

    /// Takes the answer to its offer. False where that is of no use.
    pub fn answer(&mut self, now: Instant, answer: &str) -> bool {
        let answer = SdpAnswer::from_sdp_string(answer).ok().zip(self.pending.take());
        let taken = answer.is_some_and(|(answer, pending)| {
            self.rtc.sdp_api().accept_answer(pending, answer).is_ok()
        });
        self.handle_timeout(now);
        taken
    }

    /// Whether ICE and DTLS are up.
    pub fn is_connected(&self) -> bool {
        self.connected && !self.failed
    }

    /// A datagram that came to its address.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &Datagram<'_>) {
        let (from, to) = (datagram.remote, self.address);
        let Ok(packet) = Receive::new(Protocol::Udp, from, to, datagram.payload) else { return };
        let input = Input::Receive(now, packet);
        if self.rtc.accepts(&input) && self.rtc.handle_input(input).is_err() {
            self.failed = true;
        }
        self.drain(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.rtc.handle_input(Input::Timeout(now)).is_err() {
            self.failed = true;
        }
        self.drain(now);
    }

    /// When [`Browser::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        Some(self.wake_at)
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next sound that came.
    pub fn poll_frame(&mut self) -> Option<ReceivedFrame> {
        self.frames.pop_front()
    }

    /// Sends sound; false before the connection is up.
    pub fn send_frame(&mut self, now: Instant, frame: &Frame<'_>) -> bool {
        if !self.is_connected() {
            return false;
        }
        let number = frame.codec.static_payload_type().unwrap_or(OPUS);
        let sequence = (1_000 + self.sent).into();
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(self.mid, None) else { return false };
        let packet = RtpWrite::new(number.into(), sequence, frame.timestamp, now, frame.payload);
        stream.write_rtp(packet);
        self.sent += 1;
        self.handle_timeout(now);
        true
    }

    /// Says good-bye.
    pub fn close(&mut self, now: Instant) {
        if self.is_connected() {
            // A session that cannot say it is gone all the same.
            let _ = self.rtc.close();
            self.drain(now);
        }
    }

    fn drain(&mut self, now: Instant) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.wake_at = at;
                    return;
                }
                Ok(Output::Transmit(transmit)) if self.transmits.len() < WAITING => {
                    self.transmits.push_back(Transmit {
                        protocol: base::Protocol::Udp,
                        local: self.address,
                        remote: transmit.destination,
                        payload: transmit.contents.to_vec(),
                    });
                }
                Ok(Output::Event(Event::Connected)) => self.connected = true,
                Ok(Output::Event(Event::RtpPacket(packet))) if self.frames.len() < WAITING => {
                    let number = *packet.header.payload_type;
                    let codec = Codec::OF_BROWSERS
                        .into_iter()
                        .find(|codec| codec.static_payload_type().unwrap_or(OPUS) == number);
                    if let Some(codec) = codec {
                        self.frames.push_back(ReceivedFrame {
                            peer: PeerId(0),
                            codec,
                            payload: packet.payload.to_vec(),
                            sequence: *packet.seq_no,
                            timestamp: packet.header.timestamp,
                            marker: packet.header.marker,
                            received_at: now,
                        });
                    }
                }
                Ok(Output::Transmit(_) | Output::Event(_)) => {}
                Err(_) => {
                    self.failed = true;
                    self.wake_at = now + FAILED_FOR;
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{AcceptSettings, Certificate, Endpoint, LocalCandidate, Settings};
    use base::Seed;

    #[test]
    fn it_connects_to_our_own_endpoint_and_sound_passes_both_ways() {
        let [here, there] = ["127.0.0.1:4000", "127.0.0.1:4001"].map(|at| at.parse().unwrap());
        let candidates = vec![LocalCandidate::new(there, base::Protocol::Udp)];
        let settings = Settings::new(candidates, Certificate::generate().unwrap());
        let mut endpoint = Endpoint::new(settings, Seed::from_number(1)).unwrap();
        let mut now = Instant::now();
        let (mut browser, offer) = Browser::new(now, here).unwrap();
        let accept = AcceptSettings { codecs: &[Codec::Pcma, Codec::Opus], local_page: true };
        let answer = endpoint.accept(now, PeerId(7), &offer, &accept).unwrap();
        assert!(browser.answer(now, &answer));
        let (payload, start) = ([0x55; 160], now);
        let frame = |sequence| Frame {
            codec: Codec::Pcma,
            payload: &payload,
            sequence,
            timestamp: sequence as u32 * 160,
            marker: sequence == 0,
            received_at: start,
        };
        let (mut came, mut back) = (0, 0);
        for n in 0..300 {
            now += Duration::from_millis(10);
            browser.handle_timeout(now);
            endpoint.handle_timeout(now);
            if browser.is_connected() {
                browser.send_frame(now, &frame(n));
                let _ = endpoint.send_frame(now, PeerId(7), &frame(n));
            }
            for _ in 0..10 {
                while let Some(Transmit { payload, .. }) = browser.poll_transmit() {
                    let protocol = base::Protocol::Udp;
                    let datagram =
                        Datagram { protocol, local: there, remote: here, payload: &payload };
                    endpoint.handle_datagram(now, &datagram);
                }
                while let Some(Transmit { payload, .. }) = endpoint.poll_transmit() {
                    let protocol = base::Protocol::Udp;
                    let datagram =
                        Datagram { protocol, local: here, remote: there, payload: &payload };
                    browser.handle_datagram(now, &datagram);
                }
            }
            while let Some(event) = endpoint.poll_event() {
                came += u32::from(matches!(event, crate::Event::Frame(_)));
            }
            while let Some(frame) = browser.poll_frame() {
                assert_eq!((frame.codec, &frame.payload[..]), (Codec::Pcma, &payload[..]));
                back += 1;
            }
        }
        assert!(came > 200 && back > 200, "{came} came, {back} came back");
        browser.close(now);
        assert!(browser.poll_transmit().is_some());
    }

    #[test]
    fn nonsense_in_place_of_an_answer_or_a_packet_is_no_panic() {
        let now = Instant::now();
        let address = "127.0.0.1:4000".parse().unwrap();
        let (mut browser, _) = Browser::new(now, address).unwrap();
        let payload = [20, 254, 253, 0, 0];
        let protocol = base::Protocol::Udp;
        let datagram = Datagram { protocol, local: address, remote: address, payload: &payload };
        browser.handle_datagram(now, &datagram);
        assert!(!browser.answer(now, "v=0\r\nnonsense"));
        assert!(!browser.is_connected() && browser.poll_frame().is_none());
    }
}
