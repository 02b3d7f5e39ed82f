//! What leaves a stream end: sound and telephone events, packed, numbered and protected.

use super::pack::Packer;
use super::{Outgoing, StreamEnd};
use crate::numbers::HEADER_LENGTH;
use crate::packet::Packet;
use crate::sender::FIRST_ROLLOVER;
use base::{Frame, Protocol, Transmit};
use std::time::Instant;

impl StreamEnd {
    /// Writes one frame as an RTP packet to `out`, or what is whole of it and those before where the
    /// peer wants packets of another length; drain [`StreamEnd::send_more`] then. `None` where it is not to be sent: during a
    /// digit, for a codec that was not agreed on, to a peer without an address, after the close,
    /// for a frame that is too late, or with too little room (12 octets more than the payload, and
    /// 10 for the tag of an encrypted one).
    pub fn send_frame(
        &mut self,
        now: Instant,
        frame: &Frame<'_>,
        out: &mut [u8],
    ) -> Option<Outgoing> {
        self.reports.start(now);
        let Some(mut packer) = self.packer.take_if(|_| Packer::takes(frame)) else {
            return self.send_packet(now, frame, out);
        };
        let sent = if self.digits_out.is_sending() {
            packer.clear();
            None
        } else {
            packer.insert(frame).and_then(|frame| self.send_packet(now, &frame, out))
        };
        self.packer = Some(packer);
        sent
    }

    /// The next packet of the frame that was given last, where the peer wants shorter ones. Drain it
    /// after every [`StreamEnd::send_frame`] that gave a packet.
    pub fn send_more(&mut self, now: Instant, out: &mut [u8]) -> Option<Outgoing> {
        let mut packer = self.packer.take()?;
        let sent = packer.next_packet().and_then(|frame| self.send_packet(now, &frame, out));
        self.packer = Some(packer);
        sent
    }

    fn send_packet(&mut self, now: Instant, frame: &Frame<'_>, out: &mut [u8]) -> Option<Outgoing> {
        let payload_type = self.payloads.outgoing(frame.codec)?;
        let tag = self.secure.as_ref().map_or(0, |secure| secure.sealer.growth());
        let fits = out.len() >= HEADER_LENGTH + frame.payload.len() + tag;
        if self.digits_out.is_sending() || !self.may_send() || !fits {
            return None;
        }
        self.clock_rate = frame.codec.clock_rate();
        let mapped = self.mapper.map(now, frame.sequence, frame.timestamp, self.clock_rate)?;
        let packet = Packet {
            payload_type,
            marker: mapped.marker || frame.marker,
            sequence: mapped.sequence as u16,
            timestamp: mapped.timestamp,
            ssrc: self.ssrc,
            payload: frame.payload,
        };
        let length = packet.write(out)?;
        let length = self.seal(mapped.sequence, out, length)?;
        self.packets_sent += 1;
        self.octets_sent += frame.payload.len() as u64;
        Some(Outgoing { to: self.latch.target(), length })
    }

    pub(super) fn digit_packet(&mut self, now: Instant) -> Option<Transmit> {
        if self.digits_out.poll_timeout().is_none_or(|due| due > now) {
            return None;
        }
        let media_time = self.mapper.timestamp_at(now, self.clock_rate);
        let event = self.digits_out.poll(now, media_time)?;
        // A re-offer may have taken the payload type away, or the address: the event is then
        // played out in silence, so that the queue still empties.
        let payload_type = self.payloads.outgoing_event_type(event.clock_rate)?;
        if !self.may_send() {
            return None;
        }
        let sequence = self.mapper.insert(event.timestamp);
        let packet = Packet {
            payload_type,
            marker: event.marker,
            sequence: sequence as u16,
            timestamp: event.timestamp,
            ssrc: self.ssrc,
            payload: &event.payload,
        };
        let tag = self.secure.as_ref().map_or(0, |secure| secure.sealer.growth());
        let mut payload = vec![0; HEADER_LENGTH + event.payload.len() + tag];
        let length = packet.write(&mut payload)?;
        self.seal(sequence, &mut payload, length)?;
        self.packets_sent += 1;
        self.octets_sent += event.payload.len() as u64;
        let remote = self.latch.target();
        Some(Transmit { protocol: Protocol::Udp, local: self.local_rtp, remote, payload })
    }

    /// Protects a packet of ours where that was agreed on, and gives its new length.
    fn seal(&mut self, sequence: u64, out: &mut [u8], length: usize) -> Option<usize> {
        let Some(secure) = &mut self.secure else { return Some(length) };
        // The rollover counter begins at 0; what is older than the first packet has no index.
        let index = sequence.checked_sub(FIRST_ROLLOVER)?;
        secure.sealer.seal(index, out, length)
    }
}
