//! AMF 0: reading and writing one value.

use super::reader::{Place, Reader};
use super::value::Number;
use super::{AmfError, Array, Object, Value, amf3};

// Type markers (AMF 0 2.1).
const NUMBER: u8 = 0x00;
const BOOLEAN: u8 = 0x01;
const STRING: u8 = 0x02;
const OBJECT: u8 = 0x03;
const NULL: u8 = 0x05;
const UNDEFINED: u8 = 0x06;
const REFERENCE: u8 = 0x07;
const ECMA_ARRAY: u8 = 0x08;
const OBJECT_END: u8 = 0x09;
const STRICT_ARRAY: u8 = 0x0a;
const DATE: u8 = 0x0b;
const LONG_STRING: u8 = 0x0c;
const UNSUPPORTED: u8 = 0x0d;
const XML_DOCUMENT: u8 = 0x0f;
const TYPED_OBJECT: u8 = 0x10;
/// What follows is in AMF 3 (AMF 0 3.1).
const AVMPLUS: u8 = 0x11;

/// Where complex values began, in their order: what a reference's index counts (2.9).
#[derive(Debug, Default)]
pub(super) struct Tables {
    places: Vec<Place>,
}

pub(super) fn read<'a>(
    reader: &mut Reader<'a>,
    tables: &mut Tables,
    avmplus: &mut amf3::Tables<'a>,
) -> Result<Value, AmfError> {
    reader.charge_value()?;
    let start = reader.at();
    match reader.u8()? {
        NUMBER => Ok(Value::Number(Number(reader.f64()?))),
        BOOLEAN => Ok(Value::Boolean(reader.u8()? != 0)),
        STRING => short_text(reader).map(Value::String),
        LONG_STRING => long_text(reader).map(Value::String),
        XML_DOCUMENT => long_text(reader).map(Value::Xml),
        NULL => Ok(Value::Null),
        UNDEFINED | UNSUPPORTED => Ok(Value::Undefined),
        DATE => {
            let at = reader.f64()?;
            // The time zone is reserved (2.13).
            reader.u16()?;
            Ok(Value::Date(Number(at)))
        }
        AVMPLUS => amf3::read(reader, avmplus),
        REFERENCE => {
            let index = usize::from(reader.u16()?);
            let place = *tables.places.get(index).ok_or(AmfError::Reference)?;
            if !place.whole {
                return Err(AmfError::Cycle);
            }
            let back = reader.at();
            reader.seek(place.at);
            reader.replays += 1;
            reader.descend()?;
            let value = read(reader, tables, avmplus)?;
            reader.rise();
            reader.replays -= 1;
            reader.seek(back);
            Ok(value)
        }
        marker @ (OBJECT | TYPED_OBJECT | ECMA_ARRAY | STRICT_ARRAY) => {
            let entry = (reader.replays == 0).then_some(tables.places.len());
            if entry.is_some() {
                tables.places.push(Place { at: start, whole: false });
            }
            reader.descend()?;
            let value = complex(marker, reader, tables, avmplus)?;
            reader.rise();
            if let Some(place) = entry.and_then(|index| tables.places.get_mut(index)) {
                place.whole = true;
            }
            Ok(value)
        }
        marker => Err(AmfError::Marker(marker)),
    }
}

fn complex<'a>(
    marker: u8,
    reader: &mut Reader<'a>,
    tables: &mut Tables,
    avmplus: &mut amf3::Tables<'a>,
) -> Result<Value, AmfError> {
    match marker {
        STRICT_ARRAY => {
            let count = reader.u32()? as usize;
            let mut dense = Vec::new();
            for _ in 0..reader.claimed(count)? {
                dense.push(read(reader, tables, avmplus)?);
            }
            Ok(Value::Array(Array { dense, named: Vec::new() }))
        }
        ECMA_ARRAY => {
            // The count is a hint: the end marker tells the end, and some senders write zero.
            reader.u32()?;
            let named = properties(reader, tables, avmplus)?;
            Ok(Value::Array(Array { dense: Vec::new(), named }))
        }
        _ => {
            let class = if marker == TYPED_OBJECT { short_text(reader)? } else { String::new() };
            let properties = properties(reader, tables, avmplus)?;
            Ok(Value::Object(Object { class, properties }))
        }
    }
}

fn properties<'a>(
    reader: &mut Reader<'a>,
    tables: &mut Tables,
    avmplus: &mut amf3::Tables<'a>,
) -> Result<Vec<(String, Value)>, AmfError> {
    let mut found = Vec::new();
    loop {
        reader.charge_value()?;
        let name = short_text(reader)?;
        if name.is_empty() {
            let at = reader.at();
            if reader.u8()? == OBJECT_END {
                return Ok(found);
            }
            // A property whose name is empty; ActionScript allows it.
            reader.seek(at);
        }
        found.push((name, read(reader, tables, avmplus)?));
    }
}

fn short_text(reader: &mut Reader<'_>) -> Result<String, AmfError> {
    let length = usize::from(reader.u16()?);
    let octets = reader.take(length)?;
    reader.text(octets)
}

fn long_text(reader: &mut Reader<'_>) -> Result<String, AmfError> {
    let length = reader.u32()? as usize;
    let octets = reader.take(length)?;
    reader.text(octets)
}

pub(super) fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Undefined => out.push(UNDEFINED),
        Value::Null => out.push(NULL),
        Value::Boolean(truth) => out.extend([BOOLEAN, u8::from(*truth)]),
        Value::Number(Number(number)) => {
            out.push(NUMBER);
            out.extend(number.to_be_bytes());
        }
        Value::String(text) => match u16::try_from(text.len()) {
            Ok(length) => {
                out.push(STRING);
                out.extend(length.to_be_bytes());
                out.extend(text.as_bytes());
            }
            Err(_) => write_long(LONG_STRING, text, out),
        },
        Value::Xml(text) => write_long(XML_DOCUMENT, text, out),
        Value::Date(Number(at)) => {
            out.push(DATE);
            out.extend(at.to_be_bytes());
            out.extend([0, 0]);
        }
        Value::Object(object) => {
            if object.class.is_empty() {
                out.push(OBJECT);
            } else {
                out.push(TYPED_OBJECT);
                write_name(&object.class, out);
            }
            write_properties(&object.properties, out);
        }
        Value::Array(array) if array.named.is_empty() => {
            out.push(STRICT_ARRAY);
            out.extend(count(array.dense.len()));
            array.dense.iter().for_each(|value| write(value, out));
        }
        Value::Array(array) => {
            out.push(ECMA_ARRAY);
            out.extend(count(array.dense.len() + array.named.len()));
            for (index, value) in array.dense.iter().enumerate() {
                write_name(&index.to_string(), out);
                write(value, out);
            }
            write_properties(&array.named, out);
        }
        Value::Bytes(_) => {
            out.push(AVMPLUS);
            amf3::write(value, out);
        }
    }
}

/// Counts and lengths are far below 2^32: messages have at most 2^24 octets.
fn count(count: usize) -> [u8; 4] {
    u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes()
}

fn write_long(marker: u8, text: &str, out: &mut Vec<u8>) {
    out.push(marker);
    out.extend(count(text.len()));
    out.extend(text.as_bytes());
}

/// A name has 16 bits of length and no long form; what does not fit is cut at a character.
fn write_name(name: &str, out: &mut Vec<u8>) {
    let name = name.get(..name.floor_char_boundary(usize::from(u16::MAX))).unwrap_or_default();
    out.extend(u16::try_from(name.len()).unwrap_or_default().to_be_bytes());
    out.extend(name.as_bytes());
}

fn write_properties(properties: &[(String, Value)], out: &mut Vec<u8>) {
    for (name, value) in properties {
        write_name(name, out);
        write(value, out);
    }
    out.extend([0, 0, OBJECT_END]);
}

/// Whether a value is complex: what a sender that speaks AMF 3 puts behind the marker 0x11.
pub(super) fn write_avmplus(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(_) | Value::Array(_) | Value::Date(_) | Value::Xml(_) | Value::Bytes(_) => {
            out.push(AVMPLUS);
            amf3::write(value, out);
        }
        _ => write(value, out),
    }
}
