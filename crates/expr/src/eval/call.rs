//! Calls (`reference`: expressions.md, section 5).

use std::borrow::Cow;

use value::geo;
use wire::ParticleType;

use super::{Evaluation, Outcome};
use crate::calls;
use crate::program::{Arguments, Call, Part};
use crate::types::Type;
use crate::values::{Bytes, Unknown, Value, stored_geo};

impl<'e> Evaluation<'e> {
    pub(super) fn call(&mut self, call: &'e Call, mut arguments: Arguments<'e>) -> Outcome<'e> {
        let operation = self.packed_operation(call, &mut arguments)?;
        let target = self.next(&mut arguments)?;
        let made = if call.is_modify {
            match calls::modify(call.system, target.as_target()?, &operation)? {
                Some(made) => Some(made),
                None => return unchanged(target, call.result),
            }
        } else {
            calls::read(call.system, target.as_target()?, &operation)?
        };
        let (made_type, bytes) = match made {
            Some((particle_type, bytes)) => (Type::of_particle(particle_type), bytes),
            None => (Some(Type::Nil), Vec::new()),
        };
        if made_type != Some(call.result) {
            return Err(Unknown);
        }
        let bytes = match call.result {
            // As an element it had no cells yet, and was not checked.
            Type::GeoJson => stored_geo(geo::text(&bytes).ok_or(Unknown)?)?,
            _ => bytes,
        };
        Value::from_particle(call.result, Cow::Owned(bytes))
    }

    /// The operation's value with the values of those parameters that are expressions.
    fn packed_operation(
        &mut self,
        call: &'e Call,
        arguments: &mut Arguments<'e>,
    ) -> Result<Bytes<'e>, Unknown> {
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
