//! What one message of sound costs.

use crate::pipe::Pipe;
use base::speex::{Frames, MAX_OCTETS, Packing};
use rtmp::media::AudioTag;

#[test]
fn a_message_of_sound_passes_without_allocation() {
    let mut pipe = Pipe::talking();
    let silence = [0x09, 0x41, 0, 0, 0, 0x12, 0, 0, 0, 0];
    let mut message = vec![8, 0, 0, 0, 20, 0xb2];
    message.extend(silence);
    // The client's flows: control, then for its first stream control and sound.
    assert!(pipe.server.handle_message(pipe.now, 1002, &message).is_some());
    let mut buffer = [0; 64];
    let mut scratch = [0; MAX_OCTETS];
    let mut passed = 0;
    let now = pipe.now;
    let measured = allocation_counter::measure(|| {
        for time in 0..100 {
            let media = pipe.server.handle_message(now, 1002, &message).unwrap();
            let tag = AudioTag::parse(media.payload).unwrap();
            let frames = Frames::new(tag.sound, Packing::of(tag.sound));
            assert_eq!(frames.filter_map(|frame| frame.write(&mut scratch)).count(), 1);
            passed +=
                usize::from(pipe.server.write_audio(2, time, media.payload, &mut buffer).is_some());
        }
    });
    assert_eq!(passed, 100);
    assert_eq!(measured.count_total, 0);
}
