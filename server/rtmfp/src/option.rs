//! Options, Markers and option lists (RFC 7016 sections 2.1.3 and 2.1.4), borrowed.

use crate::octets::Reader;
use crate::vlu;

/// One option that is not a Marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The type.
    pub kind: u64,
    /// The value, without length and type.
    pub value: &'a [u8],
}

/// An option or a Marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element<'a> {
    /// An option.
    Entry(Entry<'a>),
    /// An option of length 0.
    Marker,
}

/// The elements of a run of options and Markers, as certificates have them. A malformed element is
/// given as one `Err`, and is the last.
#[derive(Clone, Copy)]
pub struct Elements<'a> {
    reader: Reader<'a>,
    broken: bool,
}

/// An element does not fit into what holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl<'a> Elements<'a> {
    /// All elements of `octets`.
    pub fn new(octets: &'a [u8]) -> Self {
        Elements { reader: Reader::new(octets), broken: false }
    }

    /// What follows the elements given so far.
    pub fn rest(&self) -> &'a [u8] {
        self.reader.rest()
    }

    fn element(&mut self) -> Option<Element<'a>> {
        let mut body = Reader::new(self.reader.sized()?);
        if body.is_empty() {
            return Some(Element::Marker);
        }
        let kind = body.vlu()?;
        Some(Element::Entry(Entry { kind, value: body.rest() }))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.broken || self.reader.is_empty() {
            return None;
        }
        let element = self.element();
        self.broken = element.is_none();
        Some(element.ok_or(Malformed))
    }
}

/// The options of a list: it ends at a Marker, at the end of the octets or at a malformed element.
#[derive(Clone, Copy)]
pub struct Options<'a>(Elements<'a>);

impl<'a> Options<'a> {
    /// The options of a list that [`split_list`] gave.
    pub fn new(octets: &'a [u8]) -> Self {
        Options(Elements::new(octets))
    }

    /// The value of the first option of a type.
    pub fn find(mut self, kind: u64) -> Option<&'a [u8]> {
        self.find_map(|entry| (entry.kind == kind).then_some(entry.value))
    }
}

impl<'a> Iterator for Options<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        match self.0.next()? {
            Ok(Element::Entry(entry)) => Some(entry),
            Ok(Element::Marker) | Err(Malformed) => {
                self.0.broken = true;
                None
            }
        }
    }
}

/// Splits an option list with its Marker from what follows; `None` when it is malformed or has no
/// Marker.
pub fn split_list(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut elements = Elements::new(octets);
    loop {
        if let Element::Marker = elements.next()?.ok()? {
            let rest = elements.rest();
            return octets.split_at_checked(octets.len() - rest.len());
        }
    }
}

/// How many octets [`put`] writes.
pub fn length(kind: u64, value: usize) -> usize {
    let body = vlu::length(kind) + value;
    vlu::length(body as u64) + body
}

/// Appends an option.
pub fn put(to: &mut Vec<u8>, kind: u64, value: &[u8]) {
    vlu::put(to, (vlu::length(kind) + value.len()) as u64);
    vlu::put(to, kind);
    to.extend_from_slice(value);
}

/// Appends a Marker.
pub fn put_marker(to: &mut Vec<u8>) {
    to.push(0);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_list_is_split_from_what_follows() {
        let mut octets = Vec::new();
        put(&mut octets, 0, b"TC\x04\x00");
        put(&mut octets, 0x0a, &[2]);
        put(&mut octets, 8192, &[]);
        assert_eq!(octets.len(), length(0, 4) + length(0x0a, 1) + length(8192, 0));
        put_marker(&mut octets);
        let end = octets.len();
        octets.extend(b"data");
        let (list, rest) = split_list(&octets).unwrap();
        assert_eq!((list.len(), rest), (end, &b"data"[..]));
        let kinds: Vec<_> = Options::new(list).map(|entry| entry.kind).collect();
        assert_eq!(kinds, [0, 10, 8192]);
        assert_eq!(Options::new(list).find(0x0a), Some(&[2][..]));
    }

    #[test]
    fn a_list_without_marker_or_with_a_cut_option_is_refused() {
        assert_eq!(split_list(&[]), None);
        assert_eq!(split_list(&[1, 5]), None);
        assert_eq!(split_list(&[3, 5, 1]), None);
        assert_eq!(split_list(&[1, 0x80, 0]), None, "the type does not end inside the option");
    }

    #[test]
    fn elements_tell_a_malformed_one_once() {
        let all: Vec<_> = Elements::new(&[0, 1, 7, 5, 1]).collect();
        let entry = Element::Entry(Entry { kind: 7, value: &[] });
        assert_eq!(all, [Ok(Element::Marker), Ok(entry), Err(Malformed)]);
    }
}
