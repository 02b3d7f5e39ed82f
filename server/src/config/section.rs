//! One table of the file, read key by key.
//!
//! A reader asks for the keys that it knows; what was never asked for is unknown. So the list of
//! known keys can't drift from the code that reads them.

use super::problem::{Log, Place, nearest};
use toml::de::{DeTable, DeValue};

/// A value as it stands in the file.
#[derive(Clone, Debug)]
pub(super) struct Written<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}

/// One table.
pub(super) struct Section<'t> {
    table: &'t DeTable<'t>,
    /// Where it starts.
    pub place: Place,
    known: Vec<&'static str>,
}

impl<'t> Section<'t> {
    /// The whole file.
    pub fn top(table: &'t DeTable<'t>) -> Section<'t> {
        Section { table, place: Place { key: String::new(), offset: 0 }, known: Vec::new() }
    }

    /// Looks a key up and remembers that it is known.
    fn take(&mut self, key: &'static str) -> Option<(&'t DeValue<'t>, Place)> {
        self.known.push(key);
        let (name, value) = self.table.get_key_value(key)?;
        let mut place = self.place.lacking(key);
        place.offset = name.span().start;
        Some((value.get_ref(), place))
    }

    /// A text value.
    pub fn text(
        &mut self,
        key: &'static str,
        accepted: &str,
        log: &mut Log,
    ) -> Option<Written<String>> {
        let (value, place) = self.take(key)?;
        match value {
            DeValue::String(text) => Some(Written { value: text.to_string(), place }),
            other => wrong_kind(other, &place, accepted, log),
        }
    }

    /// A whole number.
    pub fn number(
        &mut self,
        key: &'static str,
        accepted: &str,
        log: &mut Log,
    ) -> Option<Written<i64>> {
        let (value, place) = self.take(key)?;
        match value {
            DeValue::Integer(number) => {
                match i64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(value) => Some(Written { value, place }),
                    Err(_) => {
                        log.wrong(&place, "this number is too large", accepted);
                        None
                    }
                }
            }
            other => wrong_kind(other, &place, accepted, log),
        }
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &'static str, log: &mut Log) -> Option<Written<bool>> {
        let (value, place) = self.take(key)?;
        match value {
            DeValue::Boolean(value) => Some(Written { value: *value, place }),
            other => wrong_kind(other, &place, "true or false, without quotes", log),
        }
    }

    /// A list of texts, each with its own place. Elements of another kind are noted and left out.
    pub fn texts(
        &mut self,
        key: &'static str,
        accepted: &str,
        log: &mut Log,
    ) -> Option<Written<Vec<Written<String>>>> {
        let (value, place) = self.take(key)?;
        let DeValue::Array(elements) = value else {
            return wrong_kind(value, &place, accepted, log);
        };
        let mut list = Vec::new();
        for element in elements.iter() {
            let place = Place { key: place.key.clone(), offset: element.span().start };
            match element.get_ref() {
                DeValue::String(text) => list.push(Written { value: text.to_string(), place }),
                other => {
                    wrong_kind::<()>(other, &place, accepted, log);
                }
            }
        }
        Some(Written { value: list, place })
    }

    /// A list of texts that may be written as a single one.
    pub fn text_or_texts(
        &mut self,
        key: &'static str,
        accepted: &str,
        log: &mut Log,
    ) -> Option<Written<Vec<Written<String>>>> {
        match self.table.get(key).map(|value| value.get_ref()) {
            Some(DeValue::Array(_)) => self.texts(key, accepted, log),
            _ => self.text(key, accepted, log).map(|text| Written {
                place: Place { key: text.place.key.clone(), offset: text.place.offset },
                value: vec![text],
            }),
        }
    }

    /// A section within this one.
    pub fn section(&mut self, key: &'static str, log: &mut Log) -> Option<Section<'t>> {
        let (value, place) = self.take(key)?;
        match value {
            DeValue::Table(table) => Some(Section { table, place, known: Vec::new() }),
            other => {
                let accepted = format!("a section [{}]", place.key);
                wrong_kind(other, &place, &accepted, log)
            }
        }
    }

    /// The named sections within this one, `[accounts.NAME]`.
    pub fn sections(&mut self, key: &'static str, log: &mut Log) -> Vec<(String, Section<'t>)> {
        let Some(outer) = self.section(key, log) else { return Vec::new() };
        let mut list = Vec::new();
        for (name, value) in outer.table.iter() {
            let mut place = outer.place.lacking(name.get_ref());
            place.offset = name.span().start;
            match value.get_ref() {
                DeValue::Table(table) => {
                    let section = Section { table, place, known: Vec::new() };
                    list.push((name.get_ref().to_string(), section));
                }
                other => {
                    let accepted = format!("a section of its own, [{key}.NAME]");
                    wrong_kind::<()>(other, &place, &accepted, log);
                }
            }
        }
        list
    }

    /// Notes every key that nobody asked for. The list of what is accepted follows the order in
    /// which the reader asks.
    pub fn finish(self, log: &mut Log) {
        for (name, _) in self.table.iter() {
            let name_text: &str = name.get_ref();
            if self.known.contains(&name_text) {
                continue;
            }
            let mut place = self.place.lacking(name_text);
            place.offset = name.span().start;
            let meant = nearest(name_text, &self.known).unwrap_or_default();
            log.wrong(
                &place,
                format!("unknown key, the nearest known one is \"{meant}\""),
                self.known.join(", "),
            );
        }
    }
}

/// Notes a value of the wrong kind. The value itself is not repeated: it may be a password
/// without its quotes.
fn wrong_kind<T>(value: &DeValue<'_>, place: &Place, accepted: &str, log: &mut Log) -> Option<T> {
    let kind = match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    };
    log.wrong(place, format!("{kind} does not fit here"), accepted);
    None
}
