//! ActionScript values and their two encodings, AMF 0 and AMF 3 (Adobe's specifications of 2006).
//!
//! Both encodings share one [`Value`]. Reading is bounded by [`Limits`]: a length or count that the
//! input claims makes nothing that the input does not hold, and references are charged each time
//! that they are followed. Writing makes no references: a receiver that keeps its tables over a
//! whole message and one that begins anew with each value both read it rightly.

mod amf0;
mod amf3;
mod reader;
#[cfg(test)]
mod tests;
mod value;

pub use value::{Array, Number, Object, Value};

use reader::Reader;

/// What one message may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Objects within objects.
    pub depth: usize,
    /// Values in all, property names counted with them, references each time they are followed.
    pub values: usize,
    /// Octets of text and of byte arrays in all.
    pub octets: usize,
}

impl Default for Limits {
    /// Far more than any command of a telephone needs.
    fn default() -> Self {
        Limits { depth: 16, values: 2048, octets: 64 * 1024 }
    }
}

/// Why octets are no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmfError {
    /// The input ends inside of a value, or claims more than it has.
    Truncated,
    /// A type marker that is unknown, reserved or not expected here.
    Marker(u8),
    /// A reference to nothing.
    Reference,
    /// A value that holds itself; nothing in a call needs one.
    Cycle,
    /// An object that writes itself in a way only its class knows.
    Externalizable,
    /// More levels than [`Limits::depth`].
    TooDeep,
    /// More than [`Limits::values`] or [`Limits::octets`].
    TooLarge,
}

impl std::fmt::Display for AmfError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AmfError::Truncated => f.write_str("the AMF value is cut short"),
            AmfError::Marker(marker) => write!(f, "the AMF marker {marker:#04x} is not known here"),
            AmfError::Reference => f.write_str("an AMF reference leads nowhere"),
            AmfError::Cycle => f.write_str("an AMF value holds itself"),
            AmfError::Externalizable => f.write_str("an AMF object is in a format of its own"),
            AmfError::TooDeep => f.write_str("AMF objects are nested too deeply"),
            AmfError::TooLarge => f.write_str("an AMF message holds too much"),
        }
    }
}

impl std::error::Error for AmfError {}

/// The values of one message, one after the other. The tables of references last as long as it
/// does (AMF 0 4.1.3, AMF 3 4.1).
#[derive(Debug)]
pub struct Decoder<'a> {
    reader: Reader<'a>,
    amf0: amf0::Tables,
    amf3: amf3::Tables<'a>,
}

impl<'a> Decoder<'a> {
    /// Reads from the start of the input.
    pub fn new(input: &'a [u8], limits: Limits) -> Self {
        Decoder {
            reader: Reader::new(input, limits),
            amf0: amf0::Tables::default(),
            amf3: amf3::Tables::default(),
        }
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.reader.left() == 0
    }

    /// The next value in AMF 0, or in AMF 3 behind the marker 0x11 (AMF 0 3.1).
    ///
    /// # Errors
    /// [`AmfError`]; after one, nothing that follows can be found.
    pub fn amf0(&mut self) -> Result<Value, AmfError> {
        amf0::read(&mut self.reader, &mut self.amf0, &mut self.amf3)
    }

    /// The next value in AMF 3.
    ///
    /// # Errors
    /// As [`Self::amf0`].
    pub fn amf3(&mut self) -> Result<Value, AmfError> {
        amf3::read(&mut self.reader, &mut self.amf3)
    }
}

/// Appends a value in AMF 0. What AMF 0 cannot hold (byte arrays) is put behind the marker 0x11.
pub fn write_amf0(value: &Value, out: &mut Vec<u8>) {
    amf0::write(value, out);
}

/// Appends a value in AMF 3, without the marker 0x11.
pub fn write_amf3(value: &Value, out: &mut Vec<u8>) {
    amf3::write(value, out);
}

/// Appends a value as a sender that speaks AMF 3 does within AMF 0: what is complex goes behind
/// the marker 0x11.
pub fn write_avmplus(value: &Value, out: &mut Vec<u8>) {
    amf0::write_avmplus(value, out);
}
