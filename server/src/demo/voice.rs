//! What the demo phone says: recorded words, as samples at 16 kHz.

/// Samples a second.
pub const RATE: audio::Rate = audio::Rate::Wide;
/// Samples in 20 ms.
pub const FRAME: usize = 320;

const GREETING: &[u8] = include_bytes!("voice/greeting.ulaw");
const PRESSED: &[u8] = include_bytes!("voice/pressed.ulaw");
const DIGITS: [&[u8]; 16] = [
    include_bytes!("voice/digit-0.ulaw"),
    include_bytes!("voice/digit-1.ulaw"),
    include_bytes!("voice/digit-2.ulaw"),
    include_bytes!("voice/digit-3.ulaw"),
    include_bytes!("voice/digit-4.ulaw"),
    include_bytes!("voice/digit-5.ulaw"),
    include_bytes!("voice/digit-6.ulaw"),
    include_bytes!("voice/digit-7.ulaw"),
    include_bytes!("voice/digit-8.ulaw"),
    include_bytes!("voice/digit-9.ulaw"),
    include_bytes!("voice/digit-10.ulaw"),
    include_bytes!("voice/digit-11.ulaw"),
    include_bytes!("voice/digit-12.ulaw"),
    include_bytes!("voice/digit-13.ulaw"),
    include_bytes!("voice/digit-14.ulaw"),
    include_bytes!("voice/digit-15.ulaw"),
];

/// Words one after the other, read 20 ms at a time.
#[derive(Debug, Default)]
pub struct Speech {
    words: std::collections::VecDeque<&'static [u8]>,
    position: usize,
}

impl Speech {
    /// The greeting.
    pub fn greeting() -> Self {
        Speech { words: [GREETING].into(), position: 0 }
    }

    /// "You pressed five", after what is being said; at most a few keys wait.
    pub fn say_digit(&mut self, digit: char) {
        let index = rtp::dtmf::event_of(digit).map(usize::from);
        let Some(word) = index.and_then(|index| DIGITS.get(index)) else { return };
        if self.words.len() < 20 {
            self.words.extend([PRESSED, *word]);
        }
    }

    /// Fills 20 ms; false when there is nothing to say.
    pub fn next_frame(&mut self, samples: &mut [i16; FRAME]) -> bool {
        let Some(word) = self.words.front() else { return false };
        samples.fill(0);
        for (sample, octet) in samples.iter_mut().zip(word.iter().skip(self.position)) {
            *sample = audio::ulaw_decode(*octet);
        }
        self.position += FRAME;
        if self.position >= word.len() {
            self.words.pop_front();
            self.position = 0;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(mut speech: Speech) -> usize {
        let mut samples = [0; FRAME];
        std::iter::from_fn(|| speech.next_frame(&mut samples).then_some(())).count()
    }

    #[test]
    fn the_greeting_is_a_few_seconds_of_sound_and_a_digit_about_one() {
        let greeting = frames(Speech::greeting());
        assert!((100..300).contains(&greeting), "{greeting} frames");
        for digit in "0123456789*#ABCD".chars() {
            let mut speech = Speech::default();
            speech.say_digit(digit);
            let said = frames(speech);
            assert!((40..100).contains(&said), "{digit}: {said} frames");
        }
    }

    #[test]
    fn what_is_no_key_is_not_said() {
        let mut speech = Speech::default();
        speech.say_digit('x');
        assert_eq!(frames(speech), 0);
    }
}
