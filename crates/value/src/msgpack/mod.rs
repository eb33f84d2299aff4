//! msgpack as it stands inside lists and maps, and in the operation values that clients send.
//!
//! [`Reader`] turns any bytes into [`Token`]s or says [`Malformed`]: it never panics, never
//! allocates and never trusts a declared size. [`Element`] is a slice that proved to be exactly
//! one complete value. [`mod@write`] appends values in their smallest form, which is the form that
//! is stored.
//!
//! Two habits differ from plain msgpack (`reference`: cdt.md, section 10). Strings and blobs share
//! one family whose first payload byte is a particle type, and a container may begin with an
//! extension value that is not an element but says how the container is ordered ([`Flags`]).

mod reader;
pub mod write;

#[cfg(test)]
mod tests;

pub use reader::{Head, Reader};

/// The bytes are not the msgpack that was expected. Where it happened is of no use to a client:
/// all it gets is a result code, and which one depends on what carried the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// One msgpack item: a scalar, or the header of a container whose elements follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token<'a> {
    /// No value.
    Nil,
    /// A boolean.
    Bool(bool),
    /// An integer of zero or more, whichever family encoded it.
    Unsigned(u64),
    /// An integer below zero.
    Negative(i64),
    /// A floating-point number; the 32-bit form is widened.
    Double(f64),
    /// A string or blob: payload with its leading particle type, if there is any payload.
    Bytes(&'a [u8]),
    /// Header of a list with this many items, a leading order extension counted.
    List(usize),
    /// Header of a map with this many pairs, a leading order pair counted.
    Map(usize),
    /// An extension value.
    Ext(Ext<'a>),
}

/// An extension value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ext<'a> {
    /// Extension type; at the head of a container, its [`Flags`].
    pub kind: u8,
    /// Payload.
    pub data: &'a [u8],
}

impl Ext<'_> {
    /// Extension type of the values that only comparisons know.
    pub const COMPARISON_KIND: u8 = 0xff;
    /// The value that equals every value.
    pub const WILDCARD: Ext<'static> = Ext { kind: Self::COMPARISON_KIND, data: &[0] };
    /// The value above every value.
    pub const INFINITY: Ext<'static> = Ext { kind: Self::COMPARISON_KIND, data: &[1] };

    /// Whether the value may be part of a stored list or map. Everything small of the comparison
    /// kind may not, whether or not it has a meaning today.
    pub fn is_storable(&self) -> bool {
        self.kind != Self::COMPARISON_KIND || !(1..=3).contains(&self.data.len())
    }
}

/// How a container is ordered: the type byte of the extension value at its head. Bits that have
/// no meaning for a kind of container are dropped when it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// No order; such containers carry no extension value.
    pub const NONE: Self = Self(0);
    /// A list sorted by value.
    pub const LIST_ORDERED: Self = Self(0x01);
    /// A map sorted by key, and promised to stay so.
    pub const MAP_KEY_ORDERED: Self = Self(0x01);
    /// A map for which an order by value is kept; on its own it means nothing.
    pub const MAP_VALUE_ORDERED: Self = Self(0x02);
    /// A map for which an order by value is kept too.
    pub const MAP_KEY_VALUE_ORDERED: Self = Self(0x03);
    /// A map whose order of pairs is a result's order, not a stored one.
    pub const MAP_PRESERVE_ORDER: Self = Self(0x08);

    /// The hint to persist an index.
    pub const PERSIST_INDEX: Self = Self(0x10);

    /// The flags that a stored list keeps. The hint to persist an index is not among them: this
    /// server keeps none in the value, and the original never shows its own.
    pub fn of_stored_list(self) -> Self {
        Self(self.0 & Self::LIST_ORDERED.0)
    }

    /// The flags that a stored map keeps; see [`Flags::of_stored_list`].
    pub fn of_stored_map(self) -> Self {
        Self(self.0 & Self::MAP_KEY_VALUE_ORDERED.0)
    }

    /// Whether a list says that it is sorted, or a map that its keys are.
    pub fn is_ordered(self) -> bool {
        self.0 & Self::LIST_ORDERED.0 != 0
    }
}

/// Exactly one complete value: the proof that comparing and copying need. Deeply it is only known
/// to be well-formed; whether it may be stored is for [`crate::collection`] to say.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a>(&'a [u8]);

impl<'a> Element<'a> {
    /// Nil.
    pub const NIL: Element<'static> = Element(&[0xc0]);

    /// Proves that `bytes` are one value and nothing else.
    ///
    /// # Errors
    /// [`Malformed`] when they are not.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes);
        let element = reader.element()?;
        if reader.is_empty() { Ok(element) } else { Err(Malformed) }
    }

    /// A list or map as a bin holds it. Before it was stored it proved to be one value.
    pub(crate) fn stored(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The value's bytes.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// A reader at the value's first item.
    pub fn reader(self) -> Reader<'a> {
        Reader::new(self.0)
    }
}
