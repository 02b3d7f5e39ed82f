//! Seeded mutations of the torture corpus through the fuzzer's entry point.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use base::Seed;

/// Pieces that parsers trip over.
const PIECES: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n ",
    b"\r\n\r\n",
    b"\"",
    b"\\",
    b"<",
    b">",
    b";",
    b",",
    b":",
    b"@",
    b"=",
    b"%",
    b"%00",
    b"[",
    b"]",
    b"::",
    b"?",
    b"&",
    b" ",
    b"\t",
    b"\0",
    b"\xff",
    b"\xc3\xa9",
    b"*",
    b"SIP/2.0",
    b"sip:",
    b"tel:+1",
    b"v: ",
    b"l: 0\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Via: SIP/2.0/UDP a,SIP/2.0/UDP b\r\n",
    b"WWW-Authenticate: Digest realm=\"a\\\"b\", nonce=c, ",
    b"-1",
    b"4294967296",
    b"z9hG4bK",
    b";tag=",
    b";;",
];

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture");
    let mut files: Vec<_> = ["rfc4475", "rfc5118"]
        .iter()
        .flat_map(|rfc| std::fs::read_dir(folder.join(rfc)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    // The order of a folder is nobody's promise, and the run must repeat.
    files.sort();
    let mut corpus: Vec<_> = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
    corpus.push(CHALLENGE.to_vec());
    corpus
}

const CHALLENGE: &[u8] = b"SIP/2.0 401 Unauthorized\r\n\
    v: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx;rport=5060;received=192.0.2.2\r\n\
    f: \"A\" <sip:a@example.com>;tag=1\r\nt: <sip:a@example.com>;tag=2\r\ni: x\r\n\
    CSeq: 1 REGISTER\r\n\
    WWW-Authenticate: Digest realm=\"a \\\"b\\\"\", nonce=\"n\", qop=\"auth,auth-int\", \
    algorithm=SHA-256, stale=FALSE, Digest realm=\"c\", nonce=\"m\", opaque=\"\"\r\n\
    m: <sip:a@[2001:db8::1]:5060;transport=udp>;expires=60;+sip.instance=\"<urn:uuid:1>\", *\r\n\
    l: 0\r\n\r\n";

fn mutate(seed: &mut Seed, corpus: &[Vec<u8>]) -> Vec<u8> {
    let pick = |seed: &mut Seed, length: usize| seed.below(length as u64) as usize;
    let mut data = corpus[pick(seed, corpus.len())].clone();
    for _ in 0..=seed.below(4) {
        let at = pick(seed, data.len() + 1);
        let end = (at + pick(seed, 20)).min(data.len());
        match seed.below(6) {
            0 => drop(data.drain(at..end)),
            1 => {
                data.splice(at..at, PIECES[pick(seed, PIECES.len())].iter().copied()).for_each(drop)
            }
            2 => data
                .splice(at..end, PIECES[pick(seed, PIECES.len())].iter().copied())
                .for_each(drop),
            3 => data.iter_mut().skip(at).take(1).for_each(|o| *o ^= 1 << seed.below(8)),
            4 => {
                let piece = data[at..end].to_vec();
                data.splice(at..at, piece);
            }
            _ => {
                // A line of another message in front of a line of this one.
                let other = &corpus[pick(seed, corpus.len())];
                let lines: Vec<_> = other.split_inclusive(|octet| *octet == b'\n').collect();
                let line = lines.get(pick(seed, lines.len())).copied().unwrap_or_default();
                let start =
                    data[..at].iter().rposition(|octet| *octet == b'\n').map_or(0, |n| n + 1);
                data.splice(start..start, line.iter().copied());
            }
        }
    }
    data
}

#[test]
fn no_mutation_of_the_torture_corpus_breaks_the_parser() {
    let corpus = corpus();
    let mut accepted = 0;
    for number in 0..20_000 {
        let data = mutate(&mut Seed::from_number(number), &corpus);
        let outcome = std::panic::catch_unwind(|| sip::message::fuzz(&data));
        assert!(outcome.is_ok(), "seed {number}: {}", String::from_utf8_lossy(&data));
        accepted += usize::from(sip::message::parse(&data).is_ok());
    }
    // If nearly all were refused, the mutations would test the first check alone.
    assert!(accepted > 2000, "{accepted}");
}

#[test]
fn plain_noise_is_dropped_in_silence() {
    let mut seed = Seed::from_number(7);
    for length in 0..600 {
        let mut noise = vec![0; length];
        seed.fill(&mut noise);
        sip::message::fuzz(&noise);
        assert!(sip::message::parse(&noise).is_err());
    }
}

#[test]
fn a_message_of_nothing_but_separators_takes_no_time_to_speak_of() {
    // What costs here is a scan that starts anew at every separator.
    for piece in [&b","[..], b";", b"\"", b"<", b":", b"\r\n ", b"a:\r\n", b"a=\"", b"%"] {
        let mut data = b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n\
            From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n"
            .to_vec();
        for name in ["Contact: ", "WWW-Authenticate: Digest "] {
            data.extend_from_slice(name.as_bytes());
            data.extend(std::iter::repeat_n(piece, 28_000 / piece.len()).flatten());
            data.extend_from_slice(b"\r\n");
        }
        let started = std::time::Instant::now();
        sip::message::fuzz(&data);
        assert!(started.elapsed().as_secs() < 2, "{piece:?} took {:?}", started.elapsed());
    }
}
