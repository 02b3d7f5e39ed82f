//! Commands: a name, a transaction and values (RTMP command messages 3.1, RFC 7425 5.3.3).

use crate::amf::{AmfError, Decoder, Limits, Value, write_amf0, write_avmplus};
use crate::numbers::message_type;

/// How the values of a command are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Type 20, all in AMF 0.
    #[default]
    Amf0,
    /// Type 17, all in AMF 0 behind the format octet: what a client that has asked for AMF 3 reads
    /// as well.
    Extended,
    /// Type 17, complex values in AMF 3.
    Amf3,
}

/// One command, from either end.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// What to do; or `_result`, `_error`, `onStatus`.
    pub name: String,
    /// Which answer belongs to it; 0 where none is wanted, as a rule.
    pub transaction: f64,
    /// The command object: null except in `connect` and in what answers it.
    pub object: Value,
    /// What follows.
    pub arguments: Vec<Value>,
}

/// A command that could not be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CommandError {
    /// The transaction, where reading got that far, so that it can be answered.
    pub transaction: Option<f64>,
    /// What is wrong.
    pub cause: AmfError,
}

impl Command {
    /// A command without a command object.
    pub fn new(name: &str, transaction: f64, arguments: Vec<Value>) -> Command {
        Command { name: name.to_owned(), transaction, object: Value::Null, arguments }
    }

    /// Reads a command's values. Senders that leave out the null in the command object's place are
    /// understood: of what is not answered and is no `connect`, that object is always null.
    ///
    /// # Errors
    /// [`CommandError`] where a value is malformed, or name or transaction are not what they must
    /// be.
    pub fn parse(values: &[u8]) -> Result<Command, CommandError> {
        let mut decoder = Decoder::new(values, Limits::default());
        let unnamed = |cause| CommandError { transaction: None, cause };
        let wrong = || unnamed(AmfError::Marker(values.first().copied().unwrap_or_default()));
        let Value::String(name) = decoder.amf0().map_err(unnamed)? else { return Err(wrong()) };
        let transaction = decoder.amf0().map_err(unnamed)?.as_f64().ok_or_else(wrong)?;
        let failed = |cause| CommandError { transaction: Some(transaction), cause };
        let has_object = matches!(name.as_str(), "connect" | "_result" | "_error" | "onStatus");
        let mut object = Value::Null;
        let mut arguments = Vec::new();
        let mut first = true;
        while !decoder.is_empty() {
            let value = decoder.amf0().map_err(failed)?;
            if first && (has_object || value.is_nothing()) {
                object = value;
            } else {
                arguments.push(value);
            }
            first = false;
        }
        Ok(Command { name, transaction, object, arguments })
    }

    /// The whole message, with timestamp 0.
    pub fn encode(&self, encoding: Encoding) -> Vec<u8> {
        let mut octets = Vec::with_capacity(128);
        match encoding {
            Encoding::Amf0 => octets.extend([message_type::COMMAND, 0, 0, 0, 0]),
            _ => octets.extend([message_type::COMMAND_EXTENDED, 0, 0, 0, 0, 0]),
        }
        write_amf0(&Value::from(self.name.as_str()), &mut octets);
        write_amf0(&Value::from(self.transaction), &mut octets);
        for value in std::iter::once(&self.object).chain(&self.arguments) {
            match encoding {
                Encoding::Amf3 => write_avmplus(value, &mut octets),
                _ => write_amf0(value, &mut octets),
            }
        }
        octets
    }
}

/// A data message: a name and values (RTMP command messages 3.2).
#[derive(Clone, Debug, PartialEq)]
pub struct Data {
    /// What it tells, such as `onMetaData` or `|RtmpSampleAccess`.
    pub name: String,
    /// What follows.
    pub values: Vec<Value>,
}

impl Data {
    /// Reads the values of a data message.
    ///
    /// # Errors
    /// Where a value is malformed or the first is no string.
    pub fn parse(octets: &[u8]) -> Result<Data, AmfError> {
        let mut decoder = Decoder::new(octets, Limits::default());
        let Value::String(name) = decoder.amf0()? else {
            return Err(AmfError::Marker(octets.first().copied().unwrap_or_default()));
        };
        let mut values = Vec::new();
        while !decoder.is_empty() {
            values.push(decoder.amf0()?);
        }
        Ok(Data { name, values })
    }

    /// The whole message, with timestamp 0.
    pub fn encode(&self, encoding: Encoding) -> Vec<u8> {
        let mut octets = match encoding {
            Encoding::Amf0 => vec![message_type::DATA, 0, 0, 0, 0],
            _ => vec![message_type::DATA_EXTENDED, 0, 0, 0, 0, 0],
        };
        write_amf0(&Value::from(self.name.as_str()), &mut octets);
        self.values.iter().for_each(|value| write_amf0(value, &mut octets));
        octets
    }
}
