//! A compiled expression: a flat tree.
//!
//! Nodes stand in the order in which they were written: an operation, then its arguments. Each knows
//! where its subtree ends, so that skipping an argument is one step. Names and literals are places
//! in the source bytes.

use std::borrow::Cow;

use smallvec::SmallVec;
use value::geo::Geometry;

use crate::Invalid;
use crate::build::Builder;
use crate::operator::Operator;
use crate::types::Type;

/// A checked and compiled expression.
#[derive(Debug)]
pub struct Program<'a> {
    pub(crate) source: Cow<'a, [u8]>,
    pub(crate) nodes: Nodes,
    pub(crate) result: Type,
    pub(crate) needs_record: bool,
}

/// Filters are short, three comparisons with their `and` take ten nodes: no allocation up to here.
pub(crate) type Nodes = SmallVec<[Node; 16]>;

/// One operation or literal.
#[derive(Debug)]
pub(crate) struct Node {
    pub op: Op,
    /// Index after the last node of its subtree.
    pub end: u32,
}

/// What a node does.
#[derive(Debug)]
pub(crate) enum Op {
    /// Unknown, always.
    Unknown,
    Literal(Literal),
    Operator(Operator),
    /// Whether a pattern is found in a string.
    Matches(Box<regex::bytes::Regex>),
    /// Four bytes of the digest, modulo this.
    DigestModulo(i32),
    Metadata(Field),
    Key(Type),
    Bin(Type, Span),
    BinType(Span),
    /// Conditions and values by turns, and a default.
    Cond,
    /// The variable in this slot.
    Variable(u32),
    /// As many definitions as there are arguments but for the last, the body.
    Let,
    Call(Box<Call>),
}

/// A value that stands in the source.
#[derive(Debug)]
pub(crate) enum Literal {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Span),
    Blob(Span),
    Hll(Span),
    GeoJson(Box<GeoLiteral>),
    List(Span),
    Map(Span),
    /// An extension value: of use only to calls.
    Opaque(Span),
}

/// GeoJSON in the source, read once.
#[derive(Debug)]
pub(crate) struct GeoLiteral {
    /// The text.
    pub text: Span,
    /// The msgpack value around it.
    pub packed: Span,
    pub geometry: Geometry,
}

/// A record's metadata that takes no parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    DeviceSize,
    LastUpdate,
    SinceUpdate,
    VoidTime,
    Ttl,
    SetName,
    KeyExists,
    IsTombstone,
    MemorySize,
    RecordSize,
}

impl Field {
    /// The field with this code, and its type (`reference`: expressions.md, 4.5).
    pub fn of(code: i64) -> Option<(Self, Type)> {
        Some(match code {
            65 => (Self::DeviceSize, Type::Int),
            66 => (Self::LastUpdate, Type::Int),
            67 => (Self::SinceUpdate, Type::Int),
            68 => (Self::VoidTime, Type::Int),
            69 => (Self::Ttl, Type::Int),
            70 => (Self::SetName, Type::Str),
            71 => (Self::KeyExists, Type::Bool),
            72 => (Self::IsTombstone, Type::Bool),
            73 => (Self::MemorySize, Type::Int),
            74 => (Self::RecordSize, Type::Int),
            _ => return None,
        })
    }
}

/// An operation on a list, map, blob or sketch. Its arguments are the evaluated parameters in
/// order, then the target.
#[derive(Debug)]
pub(crate) struct Call {
    pub system: System,
    /// Works on a copy of the target and gives that.
    pub is_modify: bool,
    pub result: Type,
    /// The operation's value, piece by piece.
    pub parts: SmallVec<[Part; 3]>,
}

/// A piece of an operation's value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// Stands in the source.
    Literal(Span),
    /// Is the value of the next argument.
    Evaluated,
}

/// Whose operations a call is about; the discriminants are wire numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum System {
    Collections = 0,
    Bits = 1,
    Hll = 2,
}

/// A place in the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub start: u32,
    pub size: u32,
}

impl<'a> Program<'a> {
    /// Checks and compiles an expression.
    ///
    /// # Errors
    /// [`Invalid`] if the bytes are not exactly one well-formed, well-typed expression.
    pub fn build(source: &'a [u8]) -> Result<Self, Invalid> {
        Builder::build(source)
    }

    /// Type of its result.
    pub fn result_type(&self) -> Type {
        self.result
    }

    /// Whether any part of it looks at the user key or at bins.
    pub fn needs_record(&self) -> bool {
        self.needs_record
    }

    /// The same program, independent of the bytes it was built from.
    pub fn into_owned(self) -> Program<'static> {
        Program {
            source: Cow::Owned(self.source.into_owned()),
            nodes: self.nodes,
            result: self.result,
            needs_record: self.needs_record,
        }
    }

    /// The source at a place.
    pub(crate) fn bytes(&self, span: Span) -> &[u8] {
        let start = span.start as usize;
        self.source.get(start..start + span.size as usize).unwrap_or_default()
    }

    /// The arguments of the node at an index.
    pub(crate) fn arguments(&self, at: usize) -> Arguments<'_> {
        let end = self.nodes.get(at).map_or(0, |node| node.end as usize);
        Arguments { nodes: &self.nodes, next: at + 1, end }
    }
}

/// Iterator over the indexes of a node's arguments.
#[derive(Clone, Debug)]
pub(crate) struct Arguments<'p> {
    nodes: &'p [Node],
    next: usize,
    end: usize,
}

impl Arguments<'_> {
    /// Whether this was the last one.
    pub fn is_empty(&self) -> bool {
        self.next >= self.end
    }
}

impl Iterator for Arguments<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.is_empty() {
            return None;
        }
        let at = self.next;
        self.next = self.nodes.get(at)?.end as usize;
        Some(at)
    }
}
