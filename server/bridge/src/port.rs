//! The two sides of a bridge and what each can take.

use base::Codec;

/// One of the two legs of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The visitor's browser.
    Visitor,
    /// The phone, over the provider.
    Trunk,
}

impl Side {
    /// Both sides.
    pub const BOTH: [Side; 2] = [Side::Visitor, Side::Trunk];

    /// The side across.
    pub const fn other(self) -> Side {
        match self {
            Side::Visitor => Side::Trunk,
            Side::Trunk => Side::Visitor,
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// A set of codecs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodecSet(u8);

impl CodecSet {
    /// The empty set.
    pub const EMPTY: CodecSet = CodecSet(0);

    const fn bit(codec: Codec) -> u8 {
        match codec {
            Codec::Opus => 1,
            Codec::G722 => 2,
            Codec::Pcma => 4,
            Codec::Pcmu => 8,
            Codec::Speex16 => 16,
            Codec::Speex8 => 32,
        }
    }

    /// The set with one codec more.
    #[must_use]
    pub const fn with(self, codec: Codec) -> CodecSet {
        CodecSet(self.0 | Self::bit(codec))
    }

    /// Whether the codec is in the set.
    pub const fn contains(self, codec: Codec) -> bool {
        self.0 & Self::bit(codec) != 0
    }

    /// The codecs, best sound first.
    pub fn iter(self) -> impl Iterator<Item = Codec> {
        Codec::ALL.into_iter().filter(move |codec| self.contains(*codec))
    }
}

impl FromIterator<Codec> for CodecSet {
    fn from_iter<I: IntoIterator<Item = Codec>>(codecs: I) -> Self {
        codecs.into_iter().fold(CodecSet::EMPTY, CodecSet::with)
    }
}

impl From<&[Codec]> for CodecSet {
    fn from(codecs: &[Codec]) -> Self {
        codecs.iter().copied().collect()
    }
}

impl From<Vec<Codec>> for CodecSet {
    fn from(codecs: Vec<Codec>) -> Self {
        codecs.into_iter().collect()
    }
}

impl<const N: usize> From<[Codec; N]> for CodecSet {
    fn from(codecs: [Codec; N]) -> Self {
        codecs.into_iter().collect()
    }
}

/// What one side can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortSettings {
    /// What frames made for that side are encoded in.
    pub send: Codec,
    /// What that side takes as it is; `send` always belongs to it.
    pub accepts: CodecSet,
}

impl PortSettings {
    /// A side that knows one codec.
    pub const fn only(codec: Codec) -> PortSettings {
        PortSettings { send: codec, accepts: CodecSet::EMPTY.with(codec) }
    }

    /// Whether that side takes frames of this codec as they are.
    pub const fn takes(&self, codec: Codec) -> bool {
        self.accepts.with(self.send).contains(codec)
    }
}
