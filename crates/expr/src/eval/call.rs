//! Calls (`reference`: expressions.md, section 5).

use std::borrow::Cow;

use value::{StoredBytes, geo};
use wire::ParticleType;

use super::{Evaluation, Outcome};
use crate::calls;
use crate::program::{Arguments, Call, Part};
use crate::types::Type;
use crate::values::{Unknown, Value, stored_geo};

/// Bytes that the calls of one evaluation may make: far more than any record holds, but nested calls
/// could otherwise ask for all memory there is.
const MADE_BYTES_MAX: usize = 128 << 20;

impl<'e> Evaluation<'e> {
    pub(super) fn call(&mut self, call: &'e Call, mut arguments: Arguments<'e>) -> Outcome<'e> {
        let operation = self.packed_operation(call, &mut arguments)?;
        let target = self.next(&mut arguments)?;
        let made = if call.is_modify {
            match calls::modify(call.system, target.as_target()?, &operation)? {
                Some((kind, bytes)) => Some((kind, StoredBytes::Owned(bytes))),
                None => return unchanged(target, call.result),
            }
        } else {
            calls::read(call.system, target.as_target()?, &operation)?
        };
        let Some((particle_type, bytes)) = made else { return unchanged(Value::Nil, call.result) };
        if particle_type != call.result.particle_type() {
            return Err(Unknown);
        }
        match bytes {
            StoredBytes::Word(word) => Value::from_word(call.result, word),
            StoredBytes::Borrowed(bytes) => self.made(call.result, bytes.to_vec()),
            StoredBytes::Owned(bytes) => self.made(call.result, bytes),
        }
    }

    /// A value that an operation made of others.
    fn made(&mut self, made_type: Type, bytes: Vec<u8>) -> Outcome<'e> {
        let bytes = match made_type {
            // As an element it had no cells yet, and was not checked.
            Type::GeoJson => stored_geo(geo::text(&bytes).ok_or(Unknown)?)?,
            _ => bytes,
        };
        // Also what is long gone counts: it took time.
        self.made_bytes = self.made_bytes.saturating_add(bytes.len());
        if self.made_bytes > MADE_BYTES_MAX {
            return Err(Unknown);
        }
        Value::from_particle(made_type, bytes.into())
    }

    /// The operation's value with the values of those parameters that are expressions.
    fn packed_operation(
        &mut self,
        call: &'e Call,
        arguments: &mut Arguments<'e>,
    ) -> Result<Cow<'e, [u8]>, Unknown> {
        if let [Part::Literal(whole)] = call.parts[..] {
            return Ok(Cow::Borrowed(self.program.bytes(whole)));
        }
        let mut packed = Vec::new();
        for part in &call.parts {
            match part {
                Part::Literal(span) => packed.extend_from_slice(self.program.bytes(*span)),
                Part::Evaluated => self.next(arguments)?.write_packed(&mut packed)?,
            }
        }
        Ok(Cow::Owned(packed))
    }
}

/// A target that an operation left as it was, if it is of the expected type.
fn unchanged<'v>(target: Value<'v>, expected: Type) -> Outcome<'v> {
    let particle_type = target.as_target()?.map_or(ParticleType::NULL, |(kind, _)| kind);
    if particle_type == expected.particle_type() { Ok(target) } else { Err(Unknown) }
}
