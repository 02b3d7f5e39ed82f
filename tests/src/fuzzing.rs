//! Fuzzing on stable Rust: mutations of a kept corpus, from a seed, at every entry point.

use base::Seed;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The longest input that is made.
const LONGEST: usize = 8 * 1024;

/// One entry point.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its folder in `tests/fuzz/corpus/`.
    pub name: &'static str,
    /// The entry point; it panics where a promise is broken.
    pub run: fn(&[u8]),
    /// Mutations for the tests: some targets cost a millisecond each.
    pub mutations: u64,
}

/// All entry points.
pub const TARGETS: &[Target] = &[
    Target { name: "sip-message", run: sip::message::fuzz, mutations: 2_000 },
    Target { name: "sip-stream", run: sip::stream::fuzz, mutations: 2_000 },
    Target { name: "sip-digest", run: sip::auth::fuzz, mutations: 2_000 },
    Target { name: "sip-endpoint", run: sip::fuzz, mutations: 2_000 },
    Target { name: "sdp", run: sdp::fuzz, mutations: 2_000 },
    Target { name: "sdp-crypto", run: sdp::fuzz_crypto, mutations: 2_000 },
    Target { name: "rtp", run: rtp::fuzz, mutations: 2_000 },
    Target { name: "rtp-stream", run: rtp::fuzz_stream, mutations: 2_000 },
    Target { name: "rtmp-amf0", run: rtmp::fuzz_amf0, mutations: 2_000 },
    Target { name: "rtmp-amf3", run: rtmp::fuzz_amf3, mutations: 2_000 },
    Target { name: "rtmp-message", run: rtmp::fuzz_message, mutations: 2_000 },
    Target { name: "rtmp-connection", run: rtmp::fuzz_connection, mutations: 2_000 },
    Target { name: "rtmfp-packet", run: rtmfp::fuzz_packet, mutations: 2_000 },
    Target { name: "rtmfp-chunks", run: rtmfp::fuzz_chunks, mutations: 2_000 },
    Target { name: "rtmfp-options", run: rtmfp::fuzz_options, mutations: 2_000 },
    Target { name: "rtmfp-certificate", run: rtmfp::fuzz_certificate, mutations: 2_000 },
    Target { name: "rtmfp-endpoint", run: rtmfp::fuzz_endpoint, mutations: 1_000 },
    Target { name: "rtmfp-session", run: rtmfp::session::fuzz_session, mutations: 2_000 },
    Target { name: "webrtc", run: webrtc::fuzz, mutations: 2_000 },
    Target { name: "bridge", run: bridge::fuzz, mutations: 2_000 },
    Target { name: "audio", run: audio::fuzz, mutations: 2_000 },
    Target { name: "signalling", run: click2call::ws::fuzz, mutations: 2_000 },
    Target { name: "config", run: click2call::config::fuzz, mutations: 2_000 },
    Target { name: "trace", run: trace::fuzz, mutations: 2_000 },
];

/// Where the corpus of a target is kept.
pub fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

/// The kept inputs of a target, in the order of their names.
pub fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder(target)).into_iter().flatten().flatten();
    let mut inputs: Vec<_> = entries
        .filter(|entry| entry.path().is_file())
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect();
    inputs.sort();
    inputs
}

/// An input that broke a promise.
#[derive(Debug)]
pub struct Finding {
    /// The target.
    pub target: &'static str,
    /// The input.
    pub input: Vec<u8>,
    /// What the panic said.
    pub words: String,
}

/// Runs one input.
pub fn probe(target: Target, input: &[u8]) -> Result<(), Finding> {
    let result = std::panic::catch_unwind(|| (target.run)(input));
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let words = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let words = words.unwrap_or_else(|| "a panic without words".to_owned());
        Finding { target: target.name, input: input.to_vec(), words }
    })
}

/// Runs the corpus as it is, and then mutations of it until `enough` says so; gives the number of
/// inputs.
pub fn run(
    target: Target,
    seed: &mut Seed,
    mut enough: impl FnMut(u64) -> bool,
) -> Result<u64, Finding> {
    let inputs: Vec<_> = corpus(target.name).into_iter().map(|(_, input)| input).collect();
    for input in &inputs {
        probe(target, input)?;
    }
    let mut count = 0;
    while !enough(count) {
        let input = mutated(&inputs, seed);
        probe(target, &input)?;
        count += 1;
    }
    Ok(count + inputs.len() as u64)
}

/// [`run`] for a time.
pub fn run_for(target: Target, seed: &mut Seed, time: Duration) -> Result<u64, Finding> {
    let deadline = Instant::now() + time;
    run(target, seed, |_| Instant::now() >= deadline)
}

/// A finding's shortest form that still breaks the promise, by leaving out piece after piece.
pub fn shortened(target: Target, finding: Finding) -> Finding {
    let mut best = finding;
    let mut piece = best.input.len().next_power_of_two() / 2;
    let deadline = Instant::now() + Duration::from_secs(20);
    while piece > 0 && Instant::now() < deadline {
        let mut at = 0;
        while at < best.input.len() && Instant::now() < deadline {
            let mut shorter = best.input.clone();
            shorter.drain(at..(at + piece).min(shorter.len()));
            match probe(target, &shorter) {
                Err(found) => best = found,
                Ok(()) => at += piece,
            }
        }
        piece /= 2;
    }
    best
}

/// Words that have a meaning somewhere: their place in an input is chance.
const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"\0",
    b":",
    b";",
    b",",
    b"\"",
    b"<",
    b">",
    b"@",
    b"%00",
    b"[::1]",
    b"4294967296",
    b"-1",
    b"65536",
    b"99999999999999999999",
    b"Via: ",
    b"Contact: *",
    b"INVITE ",
    b"SIP/2.0 200 OK\r\n",
    b"m=audio ",
    b"a=rtpmap:",
    b"c=IN IP4 0.0.0.0",
    b"\x80\x80",
    b"\xff",
    b"{",
    b"}",
    b"[",
    b"]",
    b"null",
    b"\\u0000",
    b"1e999",
    b"\"\"\"",
    b"[accounts.",
    b" = ",
];

fn mutated(inputs: &[Vec<u8>], seed: &mut Seed) -> Vec<u8> {
    let pick = |seed: &mut Seed, inputs: &[Vec<u8>]| {
        let index = seed.below(inputs.len() as u64) as usize;
        inputs.get(index).cloned().unwrap_or_default()
    };
    let mut input = pick(seed, inputs);
    for _ in 0..=seed.below(6) {
        let length = input.len() as u64;
        let at = seed.below(length + 1) as usize;
        let end = (at + seed.below(32) as usize + 1).min(input.len());
        match seed.below(9) {
            0 if at < input.len() => input[at] ^= 1 << seed.below(8),
            1 if at < input.len() => input[at] = seed.below(256) as u8,
            2 => drop(input.drain(at..end)),
            3 => {
                let piece = input[at..end].to_vec();
                input.splice(at..at, piece);
            }
            4 => {
                let mut octets = vec![0; seed.below(16) as usize + 1];
                seed.fill(&mut octets);
                input.splice(at..at, octets);
            }
            5 => {
                let word = WORDS[seed.below(WORDS.len() as u64) as usize];
                input.splice(at..at, word.iter().copied());
            }
            6 => input.truncate(at),
            7 => {
                // The head of one input and the tail of another.
                let other = pick(seed, inputs);
                let from = seed.below(other.len() as u64 + 1) as usize;
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => {
                // A line, where there are any, goes somewhere else.
                let other = pick(seed, inputs);
                let lines: Vec<_> = other.split_inclusive(|octet| *octet == b'\n').collect();
                let line = lines.get(seed.below(lines.len() as u64) as usize);
                let line = line.copied().unwrap_or_default().to_vec();
                input.splice(at..at, line);
            }
        }
        input.truncate(LONGEST);
    }
    input
}
