//! Calls of list, map, bit and HyperLogLog operations.

use smallvec::SmallVec;
use value::msgpack::Token;
use wire::ParticleType;

use super::leaf::check_ext;
use super::{Builder, Kind, require};
use crate::Invalid;
use crate::program::{Call, Op, Part, Span, System};
use crate::types::Type;

/// Compiled size in the original's arithmetic.
const CALL_BYTES: usize = 352;
/// Pieces, evaluated or not, after which the original takes no further parameter.
const PARTS_MAX: usize = 18;
/// Code of an operation that has a context: `[code, context, operation]`.
const CONTEXT: i64 = 0xff;
/// Added to a system's number for calls that modify.
const MODIFY: u32 = 0x40;

impl Builder<'_> {
    /// Builds `[result type, system, operation, target]`.
    pub(super) fn call(&mut self) -> Result<Kind, Invalid> {
        let result = self.static_type()?;
        let number = self.integer()? as u32;
        let system = match number & !MODIFY {
            0 => System::Collections,
            1 => System::Bits,
            2 => System::Hll,
            _ => return Err(Invalid),
        };
        let is_modify = number & MODIFY != 0;
        let call = Call { system, is_modify, result, parts: SmallVec::new() };
        let at = self.open(Op::Call(Box::new(call)), CALL_BYTES)?;
        let parts = self.parts()?;
        let target = self.expression()?.type_if_any();
        self.close(at);
        if let Some(Op::Call(call)) = self.nodes.get_mut(at).map(|node| &mut node.op) {
            call.parts = parts;
        }
        match (system, target) {
            // Without a target the result type is not believed.
            (_, Some(Type::Nil)) => Ok(Kind::Of(Type::Nil)),
            (System::Collections, Some(Type::List | Type::Map))
            | (System::Bits, Some(Type::Blob))
            | (System::Hll, Some(Type::Hll)) => Ok(Kind::Of(result)),
            _ => Err(Invalid),
        }
    }

    /// Takes an operation's value apart, and builds those of its parameters that are lists.
    fn parts(&mut self) -> Result<SmallVec<[Part; 3]>, Invalid> {
        let start = self.position();
        let parameters = self.operation_header()?;
        let mut parts = SmallVec::new();
        parts.push(Part::Literal(self.since(start)));
        let mut evaluates = false;
        for _ in 0..parameters {
            let start = self.position();
            let is_list = self.parameter_is_list(evaluates)?;
            if is_list {
                evaluates = true;
                self.expression()?;
                parts.push(Part::Evaluated);
            } else {
                self.reader.element()?;
                let parameter = self.since(start);
                match parts.last_mut() {
                    Some(Part::Literal(before)) => before.size += parameter.size,
                    _ => parts.push(Part::Literal(parameter)),
                }
            }
            let is_open = matches!(parts.last(), Some(Part::Literal(_)));
            require(parts.len() - usize::from(is_open) < PARTS_MAX)?;
        }
        Ok(parts)
    }

    /// Reads an operation's value up to its parameters; returns how many there are.
    fn operation_header(&mut self) -> Result<usize, Invalid> {
        let items = self.list_header()?;
        if self.integer()? != CONTEXT {
            return Ok(items - 1);
        }
        require(items == 3)?;
        self.reader.element()?;
        let items = self.list_header()?;
        self.integer()?;
        Ok(items - 1)
    }

    /// Reads the header of a list with at least one item.
    fn list_header(&mut self) -> Result<usize, Invalid> {
        match self.reader.head()?.token {
            Token::List(items) if items > 0 => Ok(items),
            _ => Err(Invalid),
        }
    }

    /// Looks at the next parameter. Behind the first list the original counts all of them as
    /// expressions, and so refuses byte strings that would be no literals.
    fn parameter_is_list(&self, evaluates: bool) -> Result<bool, Invalid> {
        let head = self.reader.clone().head()?;
        match head.token {
            Token::List(_) => return Ok(true),
            Token::Ext(ext) => check_ext(&head, &ext)?,
            Token::Bytes(payload) if evaluates => {
                let particle_type = payload.first().copied().map(ParticleType).ok_or(Invalid)?;
                require(matches!(
                    particle_type,
                    ParticleType::STRING
                        | ParticleType::GEOJSON
                        | ParticleType::BLOB
                        | ParticleType::HLL
                ))?;
            }
            _ => {}
        }
        Ok(false)
    }

    fn since(&self, start: usize) -> Span {
        self.just_read(self.position() - start)
    }
}
