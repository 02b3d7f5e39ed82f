//! Reads what a SWF file says of itself, and proves the committed one. Formats: Adobe's "SWF File
//! Format Specification" 19 and "ActionScript Virtual Machine 2 Overview".
#![allow(clippy::unwrap_used)]

use crate::assets::FILM;
use crate::{files, shell};
use std::collections::BTreeSet;
use std::fs;
use std::io::Read;

/// Tag numbers of the specification.
const END: u16 = 0;
const SHOW_FRAME: u16 = 1;
const SET_BACKGROUND_COLOR: u16 = 9;
const FILE_ATTRIBUTES: u16 = 69;
const SYMBOL_CLASS: u16 = 76;
const DO_ABC: u16 = 82;
const DEFINE_SCENE_AND_FRAME_LABEL_DATA: u16 = 86;

/// Bits of FileAttributes.
const ACTION_SCRIPT_3: u8 = 0x08;
const USE_NETWORK: u8 = 0x01;

struct Film {
    version: u8,
    /// Width and height in pixels.
    stage: (u32, u32),
    tags: Vec<(u16, Vec<u8>)>,
}

/// Octets read one after the other.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn octet(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap();
        self.0 = rest;
        *first
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let (head, rest) = self.0.split_at(count);
        self.0 = rest;
        head.to_vec()
    }

    fn u16(&mut self) -> u16 {
        u16::from_le_bytes([self.octet(), self.octet()])
    }

    fn u32(&mut self) -> u32 {
        u32::from(self.u16()) | u32::from(self.u16()) << 16
    }

    /// Seven bits an octet, the lowest first.
    fn variable(&mut self) -> u32 {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let octet = self.octet();
            value |= u32::from(octet & 0x7f).checked_shl(shift).unwrap_or(0);
            if octet & 0x80 == 0 {
                break;
            }
        }
        value
    }

    /// A RECT in twips, of which twenty are a pixel: width and height.
    fn rectangle(&mut self) -> (u32, u32) {
        let bits = usize::from(self.0[0] >> 3);
        let octets = self.take((5 + 4 * bits).div_ceil(8));
        let number = |index: usize| {
            (5 + index * bits..5 + (index + 1) * bits)
                .fold(0, |value, bit| value << 1 | u32::from(octets[bit / 8] >> (7 - bit % 8) & 1))
        };
        ((number(1) - number(0)) / 20, (number(3) - number(2)) / 20)
    }
}

fn film(file: &[u8]) -> Film {
    assert_eq!(&file[..3], b"CWS", "compressed by zlib");
    let mut plain = Vec::new();
    flate2::read::ZlibDecoder::new(&file[8..]).read_to_end(&mut plain).unwrap();
    let length = Reader(&file[4..8]).u32();
    assert_eq!(length as usize, plain.len() + 8, "the header says how long it is unpacked");
    let mut reader = Reader(&plain);
    let stage = reader.rectangle();
    reader.take(4); // frame rate and count
    let mut tags = Vec::new();
    loop {
        let head = reader.u16();
        let short = usize::from(head & 0x3f);
        let length = if short == 0x3f { reader.u32() as usize } else { short };
        let kind = head >> 6;
        let body = reader.take(length);
        tags.push((kind, body));
        if kind == END {
            break;
        }
    }
    assert!(reader.0.is_empty(), "nothing stands behind the end");
    Film { version: file[3], stage, tags }
}

impl Film {
    fn one(&self, kind: u16) -> &[u8] {
        let mut all = self.tags.iter().filter(|tag| tag.0 == kind);
        let found = &all.next().unwrap().1;
        assert!(all.next().is_none(), "tag {kind} is there twice");
        found
    }

    /// The constant pool of texts: names of classes and members, and what the code says.
    fn texts(&self) -> BTreeSet<String> {
        let mut abc = Reader(self.one(DO_ABC));
        abc.u32(); // flags
        while abc.octet() != 0 {} // name
        assert_eq!((abc.u16(), abc.u16()), (16, 46), "the version of the byte code");
        for _integers in 0..2 {
            for _ in 1..abc.variable().max(1) {
                abc.variable();
            }
        }
        for _ in 1..abc.variable().max(1) {
            abc.take(8);
        }
        let count = abc.variable().max(1);
        let text = |abc: &mut Reader<'_>| {
            let length = abc.variable() as usize;
            String::from_utf8(abc.take(length)).unwrap()
        };
        (1..count).map(|_| text(&mut abc)).collect()
    }
}

fn committed() -> Film {
    film(&fs::read(shell::root().join(FILM)).unwrap())
}

#[test]
fn the_film_is_for_players_from_11_on_and_as_large_as_their_dialog() {
    let film = committed();
    assert_eq!(film.version, 13, "SWF 13 is Flash Player 11.0");
    assert_eq!(film.stage, (217, 140));
    // Adobe's reference of flash.media.Microphone: below 215 x 138 access is denied unasked.
    assert!(film.stage.0 >= 215 && film.stage.1 >= 138);
}

#[test]
fn the_film_is_code_and_nothing_else() {
    let film = committed();
    let kinds: Vec<u16> = film.tags.iter().map(|tag| tag.0).collect();
    let wanted = [
        FILE_ATTRIBUTES,
        SET_BACKGROUND_COLOR,
        DEFINE_SCENE_AND_FRAME_LABEL_DATA,
        DO_ABC,
        SYMBOL_CLASS,
        SHOW_FRAME,
        END,
    ];
    assert_eq!(kinds, wanted);
    let attributes = film.one(FILE_ATTRIBUTES)[0];
    assert_eq!(attributes & (ACTION_SCRIPT_3 | USE_NETWORK), ACTION_SCRIPT_3 | USE_NETWORK);
}

#[test]
fn the_film_has_every_method_that_the_page_calls() {
    let texts = committed().texts();
    let script = fs::read_to_string(shell::root().join("assets/src/api/flash.js")).unwrap();
    let called: BTreeSet<&str> = script
        .split('\'')
        .filter(|word| word.starts_with("phone") && word.chars().all(char::is_alphanumeric))
        .collect();
    assert!(called.len() >= 16, "{called:?}");
    for name in called {
        assert!(texts.contains(name), "{name}");
    }
}

#[test]
fn the_film_speaks_the_protocol_by_its_names() {
    let texts = committed().texts();
    for command in [
        "register",
        "unregister",
        "call",
        "answer",
        "reject",
        "hangup",
        "dtmf",
        "hold",
        "resume",
        "transfer",
    ] {
        assert!(texts.contains(command), "{command}");
    }
    for name in ["onRegState", "onCallState", "onIncomingCall", "rtmfp://", "RTCKit.flash.heard"] {
        assert!(texts.contains(name), "{name}");
    }
    for api in
        ["getEnhancedMicrophone", "SPEEX", "framesPerPacket", "publish", "play", "allowDomain"]
    {
        assert!(texts.contains(api), "{api}");
    }
}

#[test]
fn every_handler_names_the_error_that_it_catches() {
    // What Haxe makes of an untyped catch asks the error for its stack, which is null in players
    // before 11.5 that are not for debugging: the handler itself dies.
    let sources = files::read_tree(&shell::root().join("flash-shim/src")).unwrap();
    let mut handlers = 0;
    for (name, text) in sources {
        let text = String::from_utf8(text).unwrap();
        for catch in text.split("catch (").skip(1) {
            let what = catch.split(')').next().unwrap();
            assert_eq!(what, "error:Error", "{name}");
            handlers += 1;
        }
    }
    assert!(handlers > 5);
}
