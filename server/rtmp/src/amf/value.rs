//! What ActionScript can send: the model that AMF 0 and AMF 3 share.

use std::fmt;

/// One ActionScript value.
///
/// Printing shows shapes and no text: passwords and visitors' names pass through here.
#[derive(Clone, Default, PartialEq)]
pub enum Value {
    /// `undefined`; also what AMF 0 calls unsupported.
    #[default]
    Undefined,
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A Number; NaN is one, and equals itself here.
    Number(Number),
    /// Text.
    String(String),
    /// Properties in the order in which they were written.
    Object(Object),
    /// An Array, with or without names beside its indices.
    Array(Array),
    /// Milliseconds since 1970, UTC.
    Date(Number),
    /// An XML document as text.
    Xml(String),
    /// A ByteArray (AMF 3 only).
    Bytes(Vec<u8>),
}

/// A double that can be compared: NaN equals NaN.
#[derive(Clone, Copy, Debug, Default)]
pub struct Number(pub f64);

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || (self.0.is_nan() && other.0.is_nan())
    }
}

/// An object: its class, where it has one, and its properties.
#[derive(Clone, Default, PartialEq)]
pub struct Object {
    /// The registered alias of its class; empty for an anonymous object.
    pub class: String,
    /// Names and values in their order; a name is met once as a rule.
    pub properties: Vec<(String, Value)>,
}

/// An array: its dense part, and what has names (an ECMA array).
#[derive(Clone, Default, PartialEq)]
pub struct Array {
    /// The values at 0, 1, 2, ...
    pub dense: Vec<Value>,
    /// Values with other names.
    pub named: Vec<(String, Value)>,
}

/// The last property of that name: as in ActionScript, a later one replaces an earlier.
fn find<'a>(properties: &'a [(String, Value)], name: &str) -> Option<&'a Value> {
    properties.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
}

impl Object {
    /// An anonymous object.
    pub fn new<'a>(properties: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        let owned = properties.into_iter().map(|(name, value)| (name.to_owned(), value));
        Object { class: String::new(), properties: owned.collect() }
    }

    /// The property of that name.
    pub fn find(&self, name: &str) -> Option<&Value> {
        find(&self.properties, name)
    }
}

impl Value {
    /// An anonymous object.
    pub fn object<'a>(properties: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        Value::Object(Object::new(properties))
    }

    /// A Number.
    pub fn number(number: impl Into<f64>) -> Self {
        Value::Number(Number(number.into()))
    }

    /// Whether it is `null` or `undefined`.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Value::Null | Value::Undefined)
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The truth of a Boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Boolean(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The Number as it is, NaN and infinities included.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Number(Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// A Number that is whole, not negative and fits; so neither NaN nor an infinity.
    pub fn as_u32(&self) -> Option<u32> {
        let number = self.as_f64()?;
        let whole = number.is_finite() && number.fract() == 0.0;
        (whole && (0.0..=f64::from(u32::MAX)).contains(&number)).then_some(number as u32)
    }

    /// The property of that name of an object, or of an array that has names.
    pub fn find(&self, name: &str) -> Option<&Value> {
        match self {
            Value::Object(object) => object.find(name),
            Value::Array(array) => find(&array.named, name),
            _ => None,
        }
    }

    /// Takes the property of that name out, so that its text is not copied.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        let properties = match self {
            Value::Object(object) => &mut object.properties,
            Value::Array(array) => &mut array.named,
            _ => return None,
        };
        properties.iter_mut().rev().find(|(key, _)| key == name).map(|(_, v)| std::mem::take(v))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::String(text)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Value::Boolean(truth)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Value::number(number)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Undefined => f.write_str("undefined"),
            Value::Null => f.write_str("null"),
            Value::Boolean(truth) => write!(f, "{truth}"),
            Value::Number(Number(number)) => write!(f, "{number}"),
            Value::String(text) => write!(f, "text({})", text.len()),
            Value::Object(object) => object.fmt(f),
            Value::Array(array) => array.fmt(f),
            Value::Date(Number(at)) => write!(f, "date({at})"),
            Value::Xml(text) => write!(f, "xml({})", text.len()),
            Value::Bytes(octets) => write!(f, "bytes({})", octets.len()),
        }
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.properties.iter().map(|(name, value)| (name, value))).finish()
    }
}

impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.dense).finish()?;
        if self.named.is_empty() {
            return Ok(());
        }
        f.debug_map().entries(self.named.iter().map(|(name, value)| (name, value))).finish()
    }
}
