//! From bytes to a program: decoding and type-checking in one pass.
//!
//! What the original refuses is refused, and nothing else, except that nesting is bounded here: the
//! original recurses as deep as a client wants.

mod call;
mod control;
mod leaf;

use std::borrow::Cow;
use std::collections::HashMap;

use value::msgpack::{Reader, Token};

use crate::Invalid;
use crate::operator::{Gives, Signature, Takes};
use crate::program::{Field, Node, Nodes, Op, Program, Span};
use crate::types::Type;

/// Compiled size at which the original refuses an expression, in its own arithmetic.
const SIZE_BYTES_MAX: usize = 1 << 20;
/// Operations within each other.
const NESTING_MAX: usize = 512;
/// Compiled size of an operation or literal without parameters.
const PLAIN_BYTES: usize = 8;
/// Compiled size of one that refers to bytes.
const BYTES_BYTES: usize = 24;

/// What is known of an expression before it is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Of(Type),
    /// Never anything but unknown: a boolean, and as a branch of a condition of any type.
    Unknown,
    /// An extension value: as good as none except to calls.
    Opaque,
}

impl Kind {
    fn type_if_any(self) -> Option<Type> {
        match self {
            Self::Of(known) => Some(known),
            Self::Unknown => Some(Type::Bool),
            Self::Opaque => None,
        }
    }
}

/// A variable by name while definitions and bodies are built.
#[derive(Clone, Copy, Debug)]
enum Variable {
    /// Its definition is being read.
    Undefined,
    Defined {
        slot: u32,
        kind: Kind,
    },
}

/// Builds one program.
pub(crate) struct Builder<'a> {
    source: &'a [u8],
    reader: Reader<'a>,
    nodes: Nodes,
    variables: HashMap<&'a [u8], Variable>,
    /// Variables that live at once here: the next slot.
    live_variables: u32,
    nesting: usize,
    size_bytes: usize,
    /// What compiled patterns may still cost.
    pattern_budget: usize,
    needs_record: bool,
}

impl<'a> Builder<'a> {
    /// Builds the expression that is exactly `source`.
    pub fn build(source: &'a [u8]) -> Result<Program<'a>, Invalid> {
        // Places in the source are 32 bits wide; no message is that long.
        u32::try_from(source.len()).map_err(|_| Invalid)?;
        let mut builder = Self {
            source,
            reader: Reader::new(source),
            nodes: Nodes::new(),
            variables: HashMap::new(),
            live_variables: 0,
            nesting: 0,
            size_bytes: 0,
            pattern_budget: crate::posix::BUDGET,
            needs_record: false,
        };
        let kind = builder.expression()?;
        if !builder.reader.is_empty() {
            return Err(Invalid);
        }
        Ok(Program {
            source: Cow::Borrowed(source),
            nodes: builder.nodes,
            result: kind.type_if_any().ok_or(Invalid)?,
            needs_record: builder.needs_record,
        })
    }

    /// Builds the expression at the reader's position.
    fn expression(&mut self) -> Result<Kind, Invalid> {
        let head = self.reader.head()?;
        match head.token {
            Token::List(items) => {
                if self.nesting == NESTING_MAX {
                    return Err(Invalid);
                }
                self.nesting += 1;
                let kind = self.operation(items)?;
                self.nesting -= 1;
                Ok(kind)
            }
            _ => self.literal(&head),
        }
    }

    fn operation(&mut self, items: usize) -> Result<Kind, Invalid> {
        let arguments = items.checked_sub(1).ok_or(Invalid)?;
        let code = self.integer()?;
        if let Some(signature) = Signature::of(code) {
            return self.operator(signature, arguments);
        }
        if let Some((field, field_type)) = Field::of(code) {
            require(arguments == 0)?;
            return self.leaf(Op::Metadata(field), PLAIN_BYTES, Kind::Of(field_type));
        }
        match (code, arguments) {
            (0, 0) => self.leaf(Op::Unknown, PLAIN_BYTES, Kind::Unknown),
            (7, 3) => self.matches(),
            (64, 1) => self.digest_modulo(),
            (80, 1) => self.key(),
            (81, 2) => self.bin(),
            (82, 1) => self.bin_type(),
            (123, 3..) => self.cond(arguments),
            (124, 1) => self.variable(),
            (125, 3..) => self.define(arguments),
            (126, 1) => self.quote(),
            (127, 4) => self.call(),
            _ => Err(Invalid),
        }
    }

    fn operator(&mut self, signature: &Signature, arguments: usize) -> Result<Kind, Invalid> {
        let at = self.open(Op::Operator(signature.operator), PLAIN_BYTES)?;
        let taken = match signature.takes {
            Takes::Comparable => {
                require(arguments == 2)?;
                let left = self.expression()?.type_if_any();
                let right = self.expression()?.type_if_any();
                require(left == right && !matches!(left, Some(Type::GeoJson | Type::Hll)))?;
                left
            }
            Takes::Exactly(types) => {
                require(arguments == types.len())?;
                for expected in types {
                    self.expression_of(*expected)?;
                }
                types.first().copied()
            }
            Takes::AtLeast(count, expected) => {
                require(arguments >= count)?;
                for _ in 0..arguments {
                    self.expression_of(expected)?;
                }
                Some(expected)
            }
            Takes::Number => {
                require(arguments == 1)?;
                Some(self.number()?)
            }
            Takes::Numbers => {
                let first = self.first_number(arguments)?;
                for _ in 1..arguments {
                    self.expression_of(first)?;
                }
                Some(first)
            }
        };
        self.close(at);
        match signature.gives {
            Gives::Always(given) => Ok(Kind::Of(given)),
            Gives::SameAsTaken => taken.map(Kind::Of).ok_or(Invalid),
        }
    }

    fn first_number(&mut self, arguments: usize) -> Result<Type, Invalid> {
        require(arguments >= 1)?;
        self.number()
    }

    fn number(&mut self) -> Result<Type, Invalid> {
        match self.expression()?.type_if_any() {
            Some(number @ (Type::Int | Type::Float)) => Ok(number),
            _ => Err(Invalid),
        }
    }

    fn expression_of(&mut self, expected: Type) -> Result<(), Invalid> {
        require(self.expression()?.type_if_any() == Some(expected))
    }

    /// Adds a node without arguments.
    fn leaf(&mut self, op: Op, size_bytes: usize, kind: Kind) -> Result<Kind, Invalid> {
        let at = self.open(op, size_bytes)?;
        self.close(at);
        Ok(kind)
    }

    /// Adds a node whose arguments are to follow.
    fn open(&mut self, op: Op, size_bytes: usize) -> Result<usize, Invalid> {
        self.size_bytes += size_bytes;
        require(self.size_bytes < SIZE_BYTES_MAX)?;
        self.nodes.push(Node { op, end: 0 });
        Ok(self.nodes.len() - 1)
    }

    /// Ends a node's arguments.
    fn close(&mut self, at: usize) {
        let end = self.nodes.len() as u32;
        if let Some(node) = self.nodes.get_mut(at) {
            node.end = end;
        }
    }

    /// Reads an integer. As in the original, unsigned ones above the signed range wrap.
    fn integer(&mut self) -> Result<i64, Invalid> {
        match self.reader.head()?.token {
            Token::Unsigned(value) => Ok(value.cast_signed()),
            Token::Negative(value) => Ok(value),
            _ => Err(Invalid),
        }
    }

    /// Reads a string of names and patterns, which have no particle type at their head.
    fn raw_bytes(&mut self) -> Result<&'a [u8], Invalid> {
        match self.reader.head()?.token {
            Token::Bytes(bytes) => Ok(bytes),
            _ => Err(Invalid),
        }
    }

    /// Position of the reader in the source.
    fn position(&self) -> usize {
        self.source.len() - self.reader.rest().len()
    }

    /// The last `size` bytes that were read.
    fn just_read(&self, size: usize) -> Span {
        Span { start: (self.position() - size) as u32, size: size as u32 }
    }
}

fn require(condition: bool) -> Result<(), Invalid> {
    if condition { Ok(()) } else { Err(Invalid) }
}
