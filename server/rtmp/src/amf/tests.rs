#![allow(clippy::unwrap_used)]
use super::*;

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|digit| !digit.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn amf0(hex: &str) -> Result<Value, AmfError> {
    Decoder::new(&octets(hex), Limits::default()).amf0()
}

fn amf3(hex: &str) -> Result<Value, AmfError> {
    Decoder::new(&octets(hex), Limits::default()).amf3()
}

fn strings(texts: &[&str]) -> Value {
    let dense = texts.iter().map(|text| Value::from(*text)).collect();
    Value::Array(Array { dense, named: Vec::new() })
}

/// Values that both encodings hold.
fn samples() -> Vec<Value> {
    let object = Value::object([
        ("app", Value::from("live")),
        ("fpad", Value::from(false)),
        ("audioCodecs", Value::from(3575.0)),
        ("swfUrl", Value::Undefined),
        ("", Value::Null),
    ]);
    let plain = Value::object([("code", "NetConnection.Connect.Success".into())]);
    let classed = Object { class: "Point".into(), properties: vec![("x".into(), 1.5.into())] };
    vec![
        Value::Undefined,
        Value::Null,
        Value::from(true),
        Value::from(f64::NAN),
        Value::from(-0.0),
        Value::from(-1.0),
        Value::from(268_435_455.0),
        Value::from(-268_435_456.0),
        Value::from(1e300),
        Value::from(""),
        Value::from("Grüße"),
        Value::String("x".repeat(70_000)),
        Value::Date(Number(1.25e12)),
        Value::Xml("<a/>".into()),
        Value::Bytes(vec![0, 255, 7]),
        strings(&["a", "", "b"]),
        Value::Array(Array { dense: vec![], named: vec![("0".into(), Value::Null)] }),
        plain,
        Value::Object(classed),
        object,
    ]
}

#[test]
fn amf0_golden_octets_are_read() {
    for (hex, value) in [
        ("00 3ff0000000000000", Value::from(1.0)),
        ("01 01", Value::from(true)),
        ("01 07", Value::from(true)),
        ("02 0004 6c697665", Value::from("live")),
        ("03 0003 617070 02 0001 78 000009", Value::object([("app", "x".into())])),
        ("05", Value::Null),
        ("06", Value::Undefined),
        ("0d", Value::Undefined),
        ("0a 00000002 02000161 020000", strings(&["a", ""])),
        ("0b 4271f71fb0450000 0000", Value::Date(Number(1_234_567_890_000.0))),
        ("0c 00000002 6162", Value::from("ab")),
        ("0f 00000004 3c612f3e", Value::Xml("<a/>".into())),
        ("11 06 07 6d6963", Value::from("mic")),
    ] {
        assert_eq!(amf0(hex), Ok(value), "{hex}");
    }
}

#[test]
fn amf3_golden_octets_are_read() {
    for (hex, value) in [
        ("00", Value::Undefined),
        ("01", Value::Null),
        ("02", Value::from(false)),
        ("03", Value::from(true)),
        ("04 7f", Value::from(127.0)),
        ("04 8100", Value::from(128.0)),
        ("04 ff7f", Value::from(16_383.0)),
        ("04 818000", Value::from(16_384.0)),
        ("04 80c08000", Value::from(2_097_152.0)),
        ("04 ffffffff", Value::from(-1.0)),
        ("04 c0808000", Value::from(-268_435_456.0)),
        ("04 bfffffff", Value::from(268_435_455.0)),
        ("05 3ff8000000000000", Value::from(1.5)),
        ("06 01", Value::from("")),
        ("06 07 6d6963", Value::from("mic")),
        ("07 09 3c612f3e", Value::Xml("<a/>".into())),
        ("08 01 4271f71fb0450000", Value::Date(Number(1_234_567_890_000.0))),
        ("0c 05 ff00", Value::Bytes(vec![255, 0])),
        ("09 05 01 06 03 61 06 01", strings(&["a", ""])),
        ("0a 0b 01 03 61 04 01 01", Value::object([("a", 1.0.into())])),
        // One sealed member, not dynamic.
        ("0a 13 01 03 61 04 01", Value::object([("a", 1.0.into())])),
    ] {
        assert_eq!(amf3(hex), Ok(value), "{hex}");
    }
}

#[test]
fn references_give_what_they_refer_to() {
    // AMF 0: an array of an object and the same object again; the array itself has index 0.
    let twice = amf0("0a 00000002  03 0001 61 0101 000009  07 0001").unwrap();
    let object = Value::object([("a", true.into())]);
    let pair = |a: Value, b: Value| Value::Array(Array { dense: vec![a, b], named: vec![] });
    assert_eq!(twice, pair(object.clone(), object.clone()));
    // AMF 3: strings, traits and objects each have a table.
    let text = amf3("09 05 01  06 07 6d6963  06 00").unwrap();
    assert_eq!(text, strings(&["mic", "mic"]));
    let traits = amf3("09 05 01  0a 13 01 03 61 03  0a 01 02").unwrap();
    assert_eq!(traits, pair(object.clone(), Value::object([("a", false.into())])));
    let objects = amf3("09 05 01  0a 0b 01 03 61 03 01  0a 02").unwrap();
    assert_eq!(objects, pair(object.clone(), object));
}

#[test]
fn the_tables_last_as_long_as_the_message() {
    let input = octets("11 06 07 6d6963  11 06 00  11 06 00");
    let mut decoder = Decoder::new(&input, Limits::default());
    for _ in 0..3 {
        assert_eq!(decoder.amf0(), Ok(Value::from("mic")));
    }
    assert!(decoder.is_empty());
}

#[test]
fn following_a_reference_leaves_the_tables_as_they_were() {
    // The object {a: "b"} is followed; the string after it is then the third, the object the
    // third, and its traits the second.
    let value = amf3(
        "09 0f 01  0a 0b 01 03 61 06 03 62 01  0a 02  06 03 63  06 04  0a 13 01 00 03  0a 05 02 \
         0a 04",
    );
    let object = Value::object([("a", "b".into())]);
    let truth = |truth: bool| Value::object([("a", truth.into())]);
    let dense = vec![
        object.clone(),
        object,
        "c".into(),
        "c".into(),
        truth(true),
        truth(false),
        truth(true),
    ];
    assert_eq!(value, Ok(Value::Array(Array { dense, named: vec![] })));
    // AMF 0: after the reference to object 1 comes object 2.
    let value = amf0("0a 00000004  0a 00000000  07 0001  0a 00000001 05  07 0002").unwrap();
    let array = |dense: Vec<Value>| Value::Array(Array { dense, named: vec![] });
    let (empty, null) = (array(vec![]), array(vec![Value::Null]));
    assert_eq!(value, array(vec![empty.clone(), empty, null.clone(), null]));
}

#[test]
fn what_was_written_reads_back() {
    for value in samples() {
        let mut out = Vec::new();
        write_amf0(&value, &mut out);
        let limits = Limits { octets: 100_000, ..Limits::default() };
        assert_eq!(Decoder::new(&out, limits).amf0(), Ok(value.clone()), "{value:?}");
        // AMF 3 has no property without a name.
        if value.find("").is_some() {
            continue;
        }
        out.clear();
        write_amf3(&value, &mut out);
        assert_eq!(Decoder::new(&out, limits).amf3(), Ok(value.clone()), "{value:?}");
        out.clear();
        write_avmplus(&value, &mut out);
        assert_eq!(Decoder::new(&out, limits).amf0(), Ok(value.clone()), "{value:?}");
    }
}

#[test]
fn every_cut_of_a_value_is_refused() {
    for value in samples().iter().filter(|value| **value != Value::String("x".repeat(70_000))) {
        let mut out = Vec::new();
        write_amf0(value, &mut out);
        for end in 0..out.len() {
            assert!(Decoder::new(&out[..end], Limits::default()).amf0().is_err(), "{value:?}");
        }
        out.clear();
        write_amf3(value, &mut out);
        for end in 0..out.len() {
            assert!(Decoder::new(&out[..end], Limits::default()).amf3().is_err(), "{value:?}");
        }
    }
}

#[test]
fn claims_of_more_than_there_is_are_refused_before_anything_is_made() {
    for hex in ["0a ffffffff 05", "0c ffffffff 61", "0f 7fffffff", "02 ffff 61"] {
        assert_eq!(amf0(hex), Err(AmfError::Truncated), "{hex}");
    }
    for hex in ["09 ffffffff 01 01", "0c ffffffff 61", "06 ffffffff", "0a fffffff3 01 01"] {
        assert_eq!(amf3(hex), Err(AmfError::Truncated), "{hex}");
    }
    let measured = allocation_counter::measure(|| {
        let _ = amf0("0a ffffffff 05");
        let _ = amf3("0c ffffffff 61");
    });
    assert!(measured.bytes_max < 1000, "{measured:?}");
}

#[test]
fn depth_is_bounded() {
    for levels in [16, 17, 100_000] {
        let deep = [0x0a, 0, 0, 0, 1].repeat(levels);
        let deep = Decoder::new(&deep, Limits::default()).amf0();
        assert_eq!(deep, Err(if levels > 16 { AmfError::TooDeep } else { AmfError::Truncated }));
        let deep = [0x09, 0x03, 0x01].repeat(levels);
        let deep = Decoder::new(&deep, Limits::default()).amf3();
        assert_eq!(deep, Err(if levels > 16 { AmfError::TooDeep } else { AmfError::Truncated }));
    }
}

#[test]
fn references_that_multiply_run_into_the_limit() {
    // Each array holds the one before twice: 2^200 values, if one believed it.
    let mut input = octets("0a 000000c8  0a 00000000");
    for index in 1..200u16 {
        input.extend(octets("0a 00000002"));
        for _ in 0..2 {
            input.push(0x07);
            input.extend(index.to_be_bytes());
        }
    }
    let error = Decoder::new(&input, Limits::default()).amf0().unwrap_err();
    assert!(matches!(error, AmfError::TooLarge | AmfError::TooDeep), "{error:?}");
    // A long string many times over.
    let mut input = octets("09 8fff01 01  06 81ff01");
    input.extend([b'x'; 127]);
    input.resize(input.len() + 254, b'x');
    let text = Decoder::new(&input, Limits { octets: 100, ..Limits::default() }).amf3();
    assert!(text.is_err());
}

#[test]
fn references_to_nothing_and_to_oneself_are_refused() {
    assert_eq!(amf0("07 0000"), Err(AmfError::Reference));
    assert_eq!(amf0("0a 00000001 07 0000"), Err(AmfError::Cycle));
    assert_eq!(amf3("06 00"), Err(AmfError::Reference));
    assert_eq!(amf3("0a 00"), Err(AmfError::Reference));
    assert_eq!(amf3("0a 01"), Err(AmfError::Reference));
    assert_eq!(amf3("09 03 01 09 00"), Err(AmfError::Cycle));
    // A date that claims to be an array.
    let date = "09 05 01  08 01 0000000000000000  09 02";
    assert_eq!(amf3(date), Err(AmfError::Reference));
    assert_eq!(amf3("0a 07 01"), Err(AmfError::Externalizable));
}

#[test]
fn reserved_and_unknown_markers_are_refused() {
    for (hex, marker) in [("04", 4), ("09", 9), ("0e", 0x0e), ("12", 0x12)] {
        assert_eq!(amf0(hex), Err(AmfError::Marker(marker)));
    }
    assert_eq!(amf3("0d"), Err(AmfError::Marker(0x0d)));
}

#[test]
fn numbers_are_asked_for_without_surprises() {
    for odd in [f64::NAN, f64::INFINITY, -1.0, 0.5, 4_294_967_296.0] {
        assert_eq!(Value::from(odd).as_u32(), None, "{odd}");
    }
    assert_eq!(Value::from(-0.0).as_u32(), Some(0));
    assert_eq!(Value::from(4_294_967_295.0).as_u32(), Some(u32::MAX));
    assert_eq!(Value::from("1").as_u32(), None);
    assert_eq!(Value::from(f64::NAN), Value::from(f64::NAN));
}

#[test]
fn properties_are_looked_up_by_name_and_the_last_one_counts() {
    let mut value = Value::object([("a", 1.0.into()), ("b", "x".into()), ("a", 2.0.into())]);
    assert_eq!(value.find("a"), Some(&Value::from(2.0)));
    assert_eq!(value.find("c"), None);
    assert_eq!(value.take("b"), Some(Value::from("x")));
    assert_eq!(value.find("b"), Some(&Value::Undefined));
    assert_eq!(Value::Null.find("a"), None);
}

#[test]
fn text_that_is_no_utf8_is_mended() {
    assert_eq!(amf0("02 0003 61ff62"), Ok(Value::from("a\u{fffd}b")));
}

#[test]
fn printing_a_value_shows_no_text() {
    let value = Value::object([("password", "hunter2".into()), ("n", strings(&["hunter2"]))]);
    let printed = format!("{value:?} {:?}", Value::Bytes(b"hunter2".to_vec()));
    assert_eq!(printed, r#"{"password": text(7), "n": [text(7)]} bytes(7)"#);
}
