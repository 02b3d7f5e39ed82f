//! Splitting Speex messages into frames: a frame says its own length in its mode bits.
//!
//! Flash Player pads each frame to whole octets; other encoders put the frames of a message bit to
//! bit and pad only the last, as RFC 5574 section 3.3 has it. RTP towards SIP carries one frame a
//! packet, so both are taken apart here, and frames that are not aligned are shifted into place.

/// Room for one frame: the greatest narrow-band mode, two layers, and padding.
pub const SPEEX_FRAME_LENGTH_AT_MOST: usize = 160;

/// Bits of a narrow-band frame by its mode, the five bits of its head included.
const NARROW: [usize; 9] = [5, 43, 119, 160, 220, 300, 364, 492, 79];
/// Bits of a wide-band layer by its mode, the four bits of its head included.
const WIDE: [usize; 5] = [4, 36, 112, 192, 352];
/// In-band: a message to the application, four bits of length in octets and one more bit.
const USER_IN_BAND: usize = 13;
/// In-band: a request to the other end, four bits of number.
const IN_BAND: usize = 14;
/// Nothing follows.
const TERMINATOR: usize = 15;

/// Bits, most significant first.
#[derive(Clone, Copy, Debug)]
struct Bits<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn left(&self) -> usize {
        (self.octets.len() * 8).saturating_sub(self.at)
    }

    /// The next bits without stepping over them; `None` where there are fewer.
    fn peek(&self, count: usize) -> Option<usize> {
        if count > self.left() {
            return None;
        }
        (self.at..self.at + count).try_fold(0, |number, at| {
            let octet = self.octets.get(at / 8)?;
            Some(number << 1 | usize::from(octet >> (7 - at % 8) & 1))
        })
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        if count > self.left() {
            return None;
        }
        self.at += count;
        Some(())
    }

    /// Steps over one frame with its layers and says whether there were any. `None` where there is
    /// no frame: a terminator, a mode that does not exist, or too few bits.
    fn frame(&mut self) -> Option<bool> {
        // What is sent in-band stands before a frame and belongs to it.
        let mode = loop {
            if self.peek(1)? == 1 {
                return None;
            }
            match self.peek(5)? {
                USER_IN_BAND => {
                    self.skip(5)?;
                    let length = self.peek(4)?;
                    self.skip(5 + 8 * length)?;
                }
                IN_BAND => {
                    self.skip(5)?;
                    let request = self.peek(4)?;
                    self.skip(4)?;
                    self.skip(match request {
                        0..=1 => 1,
                        2..=7 => 4,
                        8..=9 => 8,
                        10..=11 => 16,
                        12..=13 => 32,
                        _ => 64,
                    })?;
                }
                TERMINATOR => return None,
                mode => break mode,
            }
        };
        self.skip(*NARROW.get(mode)?)?;
        // One layer makes it wide-band, a second ultra-wide.
        let mut layers = 0;
        while let Some(head) = self.peek(4).filter(|head| layers < 2 && head & 0b1000 != 0) {
            self.skip(*WIDE.get(head & 0b111)?)?;
            layers += 1;
        }
        Some(layers > 0)
    }

    /// Steps over the padding to the next octet: a zero and then ones, or a terminator (which
    /// begins in the same way). `None` where the bits are something else.
    fn pad(&mut self) -> Option<()> {
        let count = (8 - self.at % 8) % 8;
        if count == 0 {
            return Some(());
        }
        let bits = self.peek(count)?;
        // Zeros alone are what a careless encoder leaves.
        if bits == (1 << (count - 1)) - 1 || bits == 0 {
            return self.skip(count);
        }
        None
    }
}

/// The frames of one message.
#[derive(Clone, Debug)]
pub struct SpeexFrames<'a> {
    bits: Bits<'a>,
    aligned: bool,
}

impl<'a> SpeexFrames<'a> {
    /// Looks at the sound of a Speex message (without its tag octet).
    pub fn new(sound: &'a [u8]) -> SpeexFrames<'a> {
        let bits = Bits { octets: sound, at: 0 };
        let mut all = bits;
        let aligned = loop {
            if all.left() == 0 {
                break true;
            }
            if all.frame().and_then(|_| all.pad()).is_none() {
                break false;
            }
        };
        SpeexFrames { bits, aligned }
    }

    /// The next frame, padded to whole octets: out of the message where it is aligned, else out of
    /// `scratch`. What is no frame ends the message.
    pub fn next<'b>(
        &mut self,
        scratch: &'b mut [u8; SPEEX_FRAME_LENGTH_AT_MOST],
    ) -> Option<&'b [u8]>
    where
        'a: 'b,
    {
        let start = self.bits.at;
        if self.bits.frame().is_none() {
            self.bits.at = self.bits.octets.len() * 8;
            return None;
        }
        let end = self.bits.at;
        if self.aligned {
            self.bits.pad()?;
            return self.bits.octets.get(start / 8..end.div_ceil(8));
        }
        let length = (end - start).div_ceil(8);
        let frame = scratch.get_mut(..length)?;
        for (index, octet) in frame.iter_mut().enumerate() {
            let from = start + index * 8;
            let count = (end - from).min(8);
            let bits = Bits { octets: self.bits.octets, at: from }.peek(count)?;
            // Behind the last bit a zero and then ones (RFC 5574 3.3).
            let padding = (1_usize << (8 - count) >> 1).saturating_sub(1);
            *octet = (bits << (8 - count) | padding) as u8;
        }
        Some(frame)
    }
}

/// Whether a frame has a wide-band layer; `None` where it is no frame.
pub fn is_wideband(frame: &[u8]) -> Option<bool> {
    Bits { octets: frame, at: 0 }.frame()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn frames(sound: &[u8]) -> Vec<Vec<u8>> {
        let mut frames = SpeexFrames::new(sound);
        let mut scratch = [0; SPEEX_FRAME_LENGTH_AT_MOST];
        std::iter::from_fn(|| frames.next(&mut scratch).map(<[u8]>::to_vec)).collect()
    }

    /// A frame's bits with all else zero.
    fn bits(narrow: usize, wide: Option<usize>) -> Vec<bool> {
        let number = |number: usize, count: usize| {
            (0..count).rev().map(move |shift| number >> shift & 1 == 1)
        };
        let mut bits: Vec<bool> = number(narrow, 5).collect();
        bits.resize(NARROW[narrow], false);
        if let Some(wide) = wide {
            bits.extend(number(0b1000 | wide, 4));
            bits.resize(NARROW[narrow] + WIDE[wide], false);
        }
        bits
    }

    /// Octets with the padding of RFC 5574.
    fn packed(mut bits: Vec<bool>) -> Vec<u8> {
        let mut pad = false;
        while !bits.len().is_multiple_of(8) {
            bits.push(pad);
            pad = true;
        }
        let octet = |bits: &[bool]| bits.iter().fold(0, |octet, bit| octet << 1 | u8::from(*bit));
        bits.chunks(8).map(octet).collect()
    }

    #[test]
    fn every_mode_has_its_length() {
        for narrow in 0..NARROW.len() {
            for wide in std::iter::once(None).chain((0..WIDE.len()).map(Some)) {
                let frame = packed(bits(narrow, wide));
                assert_eq!(frames(&frame), std::slice::from_ref(&frame), "{narrow} {wide:?}");
                assert_eq!(is_wideband(&frame), Some(wide.is_some()));
            }
        }
    }

    #[test]
    fn the_sizes_of_flash_player_come_out() {
        // Quality 6 in wide-band, and silence.
        assert_eq!(packed(bits(4, Some(2))).len(), 42);
        assert_eq!(packed(bits(1, Some(1))).len(), 10);
        assert_eq!(packed(bits(6, Some(3))).len(), 70);
    }

    #[test]
    fn padded_frames_of_a_message_are_taken_apart_in_place() {
        let (speech, silence) = (packed(bits(4, Some(2))), packed(bits(1, Some(1))));
        for parts in [[&speech, &speech], [&speech, &silence], [&silence, &silence]] {
            let message = [parts[0].as_slice(), parts[1].as_slice()].concat();
            assert_eq!(frames(&message), [parts[0].clone(), parts[1].clone()]);
        }
    }

    #[test]
    fn frames_that_stand_bit_to_bit_are_shifted_into_place() {
        let (a, b, c) = (bits(4, Some(2)), bits(1, Some(1)), bits(3, None));
        let message = packed([a.clone(), b.clone(), c.clone()].concat());
        assert_eq!(frames(&message), [packed(a), packed(b), packed(c)]);
    }

    #[test]
    fn in_band_messages_stay_with_their_frame_and_a_terminator_ends() {
        let head = |mode: usize| (0..5).rev().map(move |shift| mode >> shift & 1 == 1);
        let mut with: Vec<bool> = head(14).chain([false, false, true, false]).collect();
        with.extend([true; 4]);
        with.extend(bits(3, Some(1)));
        let frame = packed(with.clone());
        assert_eq!(frames(&frame), std::slice::from_ref(&frame));
        assert_eq!(is_wideband(&frame), Some(true));
        let mut ended = with.clone();
        ended.extend(head(15));
        ended.extend([true; 16]);
        assert_eq!(frames(&packed(ended)), [frame]);
    }

    #[test]
    fn what_is_no_frame_gives_none() {
        for sound in [&[][..], &[0xff; 8], &[0x48; 40], &[0x7f], &[0x38; 20]] {
            assert_eq!(frames(sound).len(), 0, "{sound:02x?}");
        }
        assert_eq!(is_wideband(&[0xff]), None);
    }
}
