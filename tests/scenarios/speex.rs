//! Speex against the programs of its authors, and over a real call.

use audio::tone::{Tone, ToneGenerator};
use audio::{Decoder, Encoder, MAX_ENCODED, Rate, level, measure};
use base::Codec;
use harness::{Appliance, Place, Shop, Sipp, Visitor, VisitorSettings, ogg};
use signalling::EndCause;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const BOTH: [(Codec, Rate); 2] = [(Codec::Speex16, Rate::Wide), (Codec::Speex8, Rate::Narrow)];

/// Runs a program to its end.
fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{command:?} does not start: {error}; cargo xtask test installs what is needed")
    });
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {words}");
}

fn octets(pcm: &[i16]) -> Vec<u8> {
    pcm.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// The samples behind the head of a WAV file as `speexdec` writes it.
fn samples(wav: &[u8]) -> Vec<i16> {
    assert_eq!(&wav[36..40], b"data");
    wav[44..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// `speexenc` at a quality: its frames.
fn their_frames(place: &Place, pcm: &[i16], rate: Rate, quality: u8) -> Vec<Vec<u8>> {
    let (raw, file) = (place.path("in.raw"), place.path("out.spx"));
    std::fs::write(&raw, octets(pcm)).unwrap();
    let band = if rate == Rate::Wide { "--wideband" } else { "--narrowband" };
    run(Command::new("speexenc")
        .args([band, "--le", "--16bit", "--rate", &rate.hz().to_string()])
        .args(["--quality", &quality.to_string()])
        .args([&raw, &file]));
    let (hz, frames) = ogg::read(&std::fs::read(&file).unwrap());
    assert_eq!(hz, rate.hz());
    frames
}

/// What `speexdec` makes of frames.
fn their_sound(place: &Place, frames: &[Vec<u8>], rate: Rate) -> Vec<i16> {
    let (file, wav) = (place.path("in.spx"), place.path("out.wav"));
    std::fs::write(&file, ogg::write(rate.hz(), frames)).unwrap();
    run(Command::new("speexdec").args([&file, &wav]));
    samples(&std::fs::read(&wav).unwrap())
}

fn our_frames(codec: Codec, pcm: &[i16], rate: Rate) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(codec, rate).unwrap();
    pcm.chunks_exact(rate.khz() * 20)
        .map(|pcm| {
            let mut out = vec![0; MAX_ENCODED];
            let length = encoder.encode(pcm, &mut out).unwrap();
            out.truncate(length);
            out
        })
        .collect()
}

fn our_sound(codec: Codec, frames: &[Vec<u8>], rate: Rate) -> Vec<i16> {
    let mut decoder = Decoder::new(codec, rate).unwrap();
    let mut pcm = vec![0; rate.khz() * 20];
    frames
        .iter()
        .flat_map(|frame| {
            assert_eq!(decoder.decode(frame, &mut pcm), Ok(pcm.len()));
            pcm.clone()
        })
        .collect()
}

/// Two seconds of a tone whose peak lies at -10 dBFS.
fn tone(hertz: f32, rate: Rate) -> Vec<i16> {
    let mut pcm = vec![0; rate.khz() * 2000];
    ToneGenerator::new(Tone::steady(hertz, -10.0), rate).fill(&mut pcm);
    pcm
}

/// The demo phone's greeting.
fn speech(rate: Rate) -> Vec<i16> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/src/demo/voice/greeting.ulaw");
    let narrow: Vec<i16> =
        std::fs::read(file).unwrap().into_iter().map(audio::ulaw_decode).collect();
    let mut pcm = vec![0; narrow.len() * rate.khz() / 8];
    let length = audio::Resampler::new(Rate::Narrow, rate).process(&narrow, &mut pcm);
    pcm.truncate(length);
    pcm
}

/// Levels of each 100 ms, in dBFS.
fn envelope(pcm: &[i16], rate: Rate) -> Vec<f32> {
    pcm.chunks_exact(rate.khz() * 100).map(level::dbfs).collect()
}

/// Where speech is loud in one recording it is as loud in the other, up to half a frame apart.
fn assert_same_speech(sent: &[i16], heard: &[i16], rate: Rate, what: &str) {
    let (sent, heard) = (envelope(sent, rate), envelope(heard, rate));
    let loud: Vec<_> = sent.iter().zip(&heard).filter(|(sent, _)| **sent > -30.0).collect();
    assert!(loud.len() > 10, "{what}: {sent:?}");
    let off = loud.iter().map(|(a, b)| (*a - *b).abs()).sum::<f32>() / loud.len() as f32;
    assert!(off < 2.0, "{what}: {off} dB apart\n{sent:?}\n{heard:?}");
}

#[test]
fn tones_of_speexenc_are_heard_here_and_ours_by_speexdec() {
    let place = Place::new("speex-tones");
    for (codec, rate) in BOTH {
        for hertz in [300.0, 1000.0, 2500.0] {
            let pcm = tone(hertz, rate);
            let theirs = their_frames(&place, &pcm, rate, 8);
            let ours = our_frames(codec, &pcm, rate);
            for (what, heard) in [
                ("theirs", our_sound(codec, &theirs, rate)),
                ("ours", their_sound(&place, &ours, rate)),
            ] {
                let found = measure::dominant(&heard[rate.khz() * 500..], rate).unwrap();
                assert!((found.frequency - hertz).abs() < 3.0, "{what} {codec} {hertz} {found:?}");
                assert!((found.level + 10.0).abs() < 1.5, "{what} {codec} {hertz} {found:?}");
            }
        }
    }
}

#[test]
fn speech_of_every_quality_is_heard_as_speexdec_hears_it() {
    let place = Place::new("speex-speech");
    for (codec, rate) in BOTH {
        let pcm = speech(rate);
        for quality in [0, 2, 4, 6, 8, 10] {
            let frames = their_frames(&place, &pcm, rate, quality);
            let (ours, theirs) =
                (our_sound(codec, &frames, rate), their_sound(&place, &frames, rate));
            // The program leaves out the beginning that its codec looks ahead.
            let lead = (0..rate.khz() * 40).find(|lead| {
                let (ours, theirs) = (&ours[*lead..], &theirs[..rate.khz() * 1000]);
                ours.iter().zip(theirs).all(|(a, b)| a.abs_diff(*b) <= 1)
            });
            assert!(lead.is_some(), "{codec} quality {quality}: the decoders differ");
        }
        assert_same_speech(
            &pcm,
            &our_sound(codec, &our_frames(codec, &pcm, rate), rate),
            rate,
            "ours",
        );
        let heard = their_sound(&place, &our_frames(codec, &pcm, rate), rate);
        assert_same_speech(&pcm, &heard, rate, &format!("{codec} by speexdec"));
    }
}

/// A visitor's tone goes out as Speex, comes back from the phone as it was, and is heard.
fn a_phone_with(name: &str, account: &[&str], format: &str, codec: &str, key: &str) {
    let place = Place::new(name);
    let keys = [("ring", "100"), ("format", format), ("codec", codec)];
    let mut phone = Sipp::start_with(&place, "echoes", &keys);
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, account));
    let mut visitor = Visitor::open(&appliance, VisitorSettings::with_codecs(&[Codec::Opus]));
    visitor.call();
    visitor.talks();
    visitor.hears(440.0);
    let invite = phone.messages();
    assert!(invite.contains(&format!("a=rtpmap:{format} {codec}")), "{invite}");
    visitor.hang_up();
    assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
    phone.is_content(Duration::from_secs(20));
    appliance.is_quiet();
    let row = appliance.rows(1).remove(0);
    let codecs = (row.browser_codec.as_deref(), row.trunk_codec.as_deref());
    assert_eq!(codecs, (Some("opus"), Some(key)));
    assert!(appliance.metric("frames_transcoded_total") > 50);
}

#[test]
fn a_visitor_talks_to_a_phone_that_has_only_wide_speex() {
    a_phone_with("speex16", &["speex16"], "97", "speex/16000", "speex16");
}

#[test]
fn a_visitor_talks_to_a_phone_that_chose_narrow_speex_of_six_codecs() {
    let all = ["opus", "g722", "pcma", "pcmu", "speex16", "speex8"];
    a_phone_with("speex8", &all, "98", "speex/8000", "speex8");
}
