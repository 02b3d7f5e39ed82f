//! AMF 3: reading and writing one value.

use super::reader::{Place, Reader};
use super::value::Number;
use super::{AmfError, Array, Object, Value};

// Type markers (AMF 3 3.1).
const UNDEFINED: u8 = 0x00;
const NULL: u8 = 0x01;
const FALSE: u8 = 0x02;
const TRUE: u8 = 0x03;
const INTEGER: u8 = 0x04;
const DOUBLE: u8 = 0x05;
const STRING: u8 = 0x06;
const XML_DOCUMENT: u8 = 0x07;
const DATE: u8 = 0x08;
const ARRAY: u8 = 0x09;
const OBJECT: u8 = 0x0a;
const XML: u8 = 0x0b;
const BYTE_ARRAY: u8 = 0x0c;

/// The empty string, which is never sent by reference (3.8).
const EMPTY: u8 = 0x01;
/// Traits written in place: an instance, not a reference, not externalizable, dynamic, no sealed
/// members (3.12).
const DYNAMIC_TRAITS: u8 = 0x0b;
/// The greatest length or count: 28 bits beside the flag.
const GREATEST: usize = (1 << 28) - 1;

/// The three tables of references (2.2); strings and names stay where the input has them.
#[derive(Debug, Default)]
pub(super) struct Tables<'a> {
    strings: Vec<&'a [u8]>,
    objects: Vec<Place>,
    traits: Vec<Traits<'a>>,
}

#[derive(Clone, Debug)]
struct Traits<'a> {
    class: &'a [u8],
    dynamic: bool,
    names: Vec<&'a [u8]>,
}

pub(super) fn read<'a>(
    reader: &mut Reader<'a>,
    tables: &mut Tables<'a>,
) -> Result<Value, AmfError> {
    reader.charge_value()?;
    let start = reader.at();
    match reader.u8()? {
        UNDEFINED => Ok(Value::Undefined),
        NULL => Ok(Value::Null),
        FALSE => Ok(Value::Boolean(false)),
        TRUE => Ok(Value::Boolean(true)),
        INTEGER => {
            // 29 bits with a sign: the top one is worth -2^28.
            let bits = u29(reader)?;
            let number = ((bits << 3) as i32) >> 3;
            Ok(Value::number(number))
        }
        DOUBLE => Ok(Value::Number(Number(reader.f64()?))),
        STRING => {
            let octets = string(reader, tables)?;
            reader.text(octets).map(Value::String)
        }
        marker @ (XML_DOCUMENT | DATE | ARRAY | OBJECT | XML | BYTE_ARRAY) => {
            let head = u29(reader)?;
            let count = (head >> 1) as usize;
            if head & 1 == 0 {
                return referred(count, marker, reader, tables);
            }
            let entry = (reader.replays == 0).then_some(tables.objects.len());
            if entry.is_some() {
                tables.objects.push(Place { at: start, whole: false });
            }
            reader.descend()?;
            let value = complex(marker, head, reader, tables)?;
            reader.rise();
            if let Some(place) = entry.and_then(|index| tables.objects.get_mut(index)) {
                place.whole = true;
            }
            Ok(value)
        }
        marker => Err(AmfError::Marker(marker)),
    }
}

/// Reads again what stands at a place in the table of objects.
fn referred<'a>(
    index: usize,
    marker: u8,
    reader: &mut Reader<'a>,
    tables: &mut Tables<'a>,
) -> Result<Value, AmfError> {
    let place = *tables.objects.get(index).ok_or(AmfError::Reference)?;
    if !place.whole {
        return Err(AmfError::Cycle);
    }
    let back = reader.at();
    reader.seek(place.at);
    // The table holds values of six types; a reference names the type of what it means.
    let there = reader.u8()?;
    if there != marker {
        return Err(AmfError::Reference);
    }
    reader.seek(place.at);
    reader.replays += 1;
    reader.descend()?;
    let value = read(reader, tables)?;
    reader.rise();
    reader.replays -= 1;
    reader.seek(back);
    Ok(value)
}

fn complex<'a>(
    marker: u8,
    head: u32,
    reader: &mut Reader<'a>,
    tables: &mut Tables<'a>,
) -> Result<Value, AmfError> {
    let count = (head >> 1) as usize;
    match marker {
        DATE => Ok(Value::Date(Number(reader.f64()?))),
        XML | XML_DOCUMENT => {
            let octets = reader.take(count)?;
            reader.text(octets).map(Value::Xml)
        }
        BYTE_ARRAY => {
            let octets = reader.take(count)?;
            reader.charge_octets(octets.len())?;
            Ok(Value::Bytes(octets.to_vec()))
        }
        ARRAY => {
            let named = members(reader, tables)?;
            let mut dense = Vec::new();
            for _ in 0..reader.claimed(count)? {
                dense.push(read(reader, tables)?);
            }
            Ok(Value::Array(Array { dense, named }))
        }
        _ => object(head, reader, tables),
    }
}

fn object<'a>(
    head: u32,
    reader: &mut Reader<'a>,
    tables: &mut Tables<'a>,
) -> Result<Value, AmfError> {
    let traits = if head & 0b10 == 0 {
        let index = (head >> 2) as usize;
        tables.traits.get(index).cloned().ok_or(AmfError::Reference)?
    } else {
        let class = string(reader, tables)?;
        if head & 0b100 != 0 {
            return Err(AmfError::Externalizable);
        }
        let mut names = Vec::new();
        for _ in 0..reader.claimed((head >> 4) as usize)? {
            reader.charge_value()?;
            names.push(string(reader, tables)?);
        }
        let traits = Traits { class, dynamic: head & 0b1000 != 0, names };
        if reader.replays == 0 {
            tables.traits.push(traits.clone());
        }
        traits
    };
    let class = reader.text(traits.class)?;
    let mut properties = Vec::new();
    for name in traits.names {
        let name = reader.text(name)?;
        properties.push((name, read(reader, tables)?));
    }
    if traits.dynamic {
        properties.append(&mut members(reader, tables)?);
    }
    Ok(Value::Object(Object { class, properties }))
}

/// Names and values until the empty name (3.11, 3.12).
fn members<'a>(
    reader: &mut Reader<'a>,
    tables: &mut Tables<'a>,
) -> Result<Vec<(String, Value)>, AmfError> {
    let mut found = Vec::new();
    loop {
        let octets = string(reader, tables)?;
        if octets.is_empty() {
            return Ok(found);
        }
        let name = reader.text(octets)?;
        found.push((name, read(reader, tables)?));
    }
}

/// A string in place or by reference (1.3.2). In the flag 1 means in place, as every sender has
/// it; the specification's prose has it the other way round, its grammar has not.
fn string<'a>(reader: &mut Reader<'a>, tables: &mut Tables<'a>) -> Result<&'a [u8], AmfError> {
    let head = u29(reader)?;
    let count = (head >> 1) as usize;
    if head & 1 == 0 {
        return tables.strings.get(count).copied().ok_or(AmfError::Reference);
    }
    let octets = reader.take(count)?;
    if !octets.is_empty() && reader.replays == 0 {
        tables.strings.push(octets);
    }
    Ok(octets)
}

/// One to four octets (1.3.1); the fourth gives all of its eight bits.
fn u29(reader: &mut Reader<'_>) -> Result<u32, AmfError> {
    let mut number = 0;
    for _ in 0..3 {
        let octet = u32::from(reader.u8()?);
        number = number << 7 | octet & 0x7f;
        if octet & 0x80 == 0 {
            return Ok(number);
        }
    }
    Ok(number << 8 | u32::from(reader.u8()?))
}

pub(super) fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Undefined => out.push(UNDEFINED),
        Value::Null => out.push(NULL),
        Value::Boolean(false) => out.push(FALSE),
        Value::Boolean(true) => out.push(TRUE),
        Value::Number(Number(number)) => write_number(*number, out),
        Value::String(text) => {
            out.push(STRING);
            write_string(text, out);
        }
        Value::Xml(text) => {
            out.push(XML);
            write_octets(text.as_bytes(), out);
        }
        Value::Bytes(octets) => {
            out.push(BYTE_ARRAY);
            write_octets(octets, out);
        }
        Value::Date(Number(at)) => {
            out.extend([DATE, 1]);
            out.extend(at.to_be_bytes());
        }
        Value::Array(array) => {
            out.push(ARRAY);
            write_u29(array.dense.len() << 1 | 1, out);
            write_members(&array.named, out);
            array.dense.iter().for_each(|value| write(value, out));
        }
        Value::Object(object) => {
            out.extend([OBJECT, DYNAMIC_TRAITS]);
            write_string(&object.class, out);
            write_members(&object.properties, out);
        }
    }
}

/// A whole number of 29 bits goes as an integer, all else as a double; minus zero is no integer.
fn write_number(number: f64, out: &mut Vec<u8>) {
    let whole = number as i32;
    let fits = (-(1 << 28)..1 << 28).contains(&whole);
    if fits && f64::from(whole).to_bits() == number.to_bits() {
        out.push(INTEGER);
        write_u29((whole as u32 & 0x1fff_ffff) as usize, out);
    } else {
        out.push(DOUBLE);
        out.extend(number.to_be_bytes());
    }
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    write_octets(text.as_bytes(), out);
}

fn write_octets(octets: &[u8], out: &mut Vec<u8>) {
    let octets = octets.get(..GREATEST).unwrap_or(octets);
    write_u29(octets.len() << 1 | 1, out);
    out.extend(octets);
}

/// A member whose name is empty would end the list, so it stays away.
fn write_members(members: &[(String, Value)], out: &mut Vec<u8>) {
    for (name, value) in members.iter().filter(|(name, _)| !name.is_empty()) {
        write_string(name, out);
        write(value, out);
    }
    out.push(EMPTY);
}

fn write_u29(number: usize, out: &mut Vec<u8>) {
    let bits = |shift: u32| (number >> shift) as u8;
    match number {
        0..=0x7f => out.push(bits(0)),
        0x80..=0x3fff => out.extend([bits(7) | 0x80, bits(0) & 0x7f]),
        0x4000..=0x1f_ffff => out.extend([bits(14) | 0x80, bits(7) | 0x80, bits(0) & 0x7f]),
        _ => out.extend([bits(22) | 0x80, bits(15) | 0x80, bits(8) | 0x80, bits(0)]),
    }
}
