//! User data (RFC 7016 sections 2.3.11 and 2.3.12).

use crate::octets::Reader;
use crate::option;
use crate::vlu;

/// How a fragment is put together with others into a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FragmentControl {
    /// A message of one fragment.
    #[default]
    Whole,
    /// The first of several.
    Begin,
    /// The last of several.
    End,
    /// One between.
    Middle,
}

/// The flags of user data. Whether options are present is seen from the chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserDataFlags {
    /// The place in the message.
    pub fragment: FragmentControl,
    /// The sender has given up on this sequence number; the data, if any, is to be ignored.
    pub abandon: bool,
    /// The last sequence number of the flow.
    pub last: bool,
}

/// A fragment of a message of a flow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UserData<'a> {
    /// The flags.
    pub flags: UserDataFlags,
    /// The flow, in the number space of its sender.
    pub flow: u64,
    /// The fragment's number, from 1.
    pub sequence: u64,
    /// How far the forward sequence number is behind `sequence`: at most `sequence`, and 0 only on
    /// abandoned fragments.
    pub fsn_offset: u64,
    /// An option list with its Marker, well formed; see [`crate::option::Options`].
    pub options: Option<&'a [u8]>,
    /// The data.
    pub data: &'a [u8],
}

/// The fragment with the next number of the same flow and with the same forward sequence number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NextUserData<'a> {
    /// The flags.
    pub flags: UserDataFlags,
    /// As in [`UserData`].
    pub options: Option<&'a [u8]>,
    /// The data.
    pub data: &'a [u8],
}

impl UserDataFlags {
    fn parse(octet: u8) -> Self {
        let fragment = match octet >> 4 & 3 {
            0 => FragmentControl::Whole,
            1 => FragmentControl::Begin,
            2 => FragmentControl::End,
            _ => FragmentControl::Middle,
        };
        UserDataFlags { fragment, abandon: octet & 2 != 0, last: octet & 1 != 0 }
    }

    fn octet(self, options: bool) -> u8 {
        let fragment = match self.fragment {
            FragmentControl::Whole => 0,
            FragmentControl::Begin => 1,
            FragmentControl::End => 2,
            FragmentControl::Middle => 3,
        };
        u8::from(options) << 7 | fragment << 4 | u8::from(self.abandon) << 1 | u8::from(self.last)
    }
}

/// The option list, if the flags announce one, and the data.
fn options_and_data(flags: u8, octets: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    if flags & 0x80 == 0 {
        return Some((None, octets));
    }
    option::split_list(octets).map(|(list, data)| (Some(list), data))
}

impl<'a> UserData<'a> {
    pub(super) fn read(mut reader: Reader<'a>) -> Option<Self> {
        let octet = reader.u8()?;
        let flags = UserDataFlags::parse(octet);
        let (flow, sequence, fsn_offset) = (reader.vlu()?, reader.vlu()?, reader.vlu()?);
        // Section 2.3.11: numbers begin above 0, and what breaks these rules is malformed.
        if sequence == 0 || fsn_offset > sequence || (fsn_offset == 0 && !flags.abandon) {
            return None;
        }
        let (options, data) = options_and_data(octet, reader.rest())?;
        Some(UserData { flags, flow, sequence, fsn_offset, options, data })
    }

    pub(super) fn put(&self, to: &mut Vec<u8>) {
        to.push(self.flags.octet(self.options.is_some()));
        vlu::put(to, self.flow);
        vlu::put(to, self.sequence);
        vlu::put(to, self.fsn_offset);
        to.extend_from_slice(self.options.unwrap_or_default());
        to.extend_from_slice(self.data);
    }

    /// The forward sequence number: nothing up to it will be sent again.
    pub fn forward_sequence(&self) -> u64 {
        self.sequence.saturating_sub(self.fsn_offset)
    }

    /// The payload's octets before options and data.
    pub fn overhead(flow: u64, sequence: u64, fsn_offset: u64) -> usize {
        1 + vlu::length(flow) + vlu::length(sequence) + vlu::length(fsn_offset)
    }
}

impl<'a> NextUserData<'a> {
    pub(super) fn read(mut reader: Reader<'a>) -> Option<Self> {
        let octet = reader.u8()?;
        let (options, data) = options_and_data(octet, reader.rest())?;
        Some(NextUserData { flags: UserDataFlags::parse(octet), options, data })
    }

    pub(super) fn put(&self, to: &mut Vec<u8>) {
        to.push(self.flags.octet(self.options.is_some()));
        to.extend_from_slice(self.options.unwrap_or_default());
        to.extend_from_slice(self.data);
    }
}
