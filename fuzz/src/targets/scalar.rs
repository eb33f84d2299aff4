//! Increment, append and prepend: one value, changed by another.

use value::from_wire;
use value::scalar::{append, increment, prepend};
use wire::ParticleType;

use super::{Entry, Outcome};

pub const ENTRY: Entry = Entry {
    name: "scalar",
    what: "an operation, an operand, and the value that it changes",
    seeds: |corpus| {
        let values = super::values(corpus);
        let short = values.iter().filter(|value| (1..=200).contains(&value.len()));
        let mut seeds = Vec::new();
        for (place, value) in short.enumerate() {
            // The operation, the operand with its size in front, and a value of the same type.
            seeds.push([&[place as u8, value.len() as u8][..], value, value].concat());
        }
        seeds
    },
    make: |_| Box::new(feed),
};

fn feed(input: &[u8]) -> Outcome {
    let [operation, size, rest @ ..] = input else { return Outcome::of("short") };
    let Some((operand, existing)) = rest.split_at_checked(usize::from(*size)) else {
        return Outcome::of("short");
    };
    let Some((operand_type, operand)) = operand.split_first() else { return Outcome::of("short") };
    let operand_type = ParticleType(*operand_type);
    let stored = existing.split_first().and_then(|(kind, bytes)| {
        let kind = ParticleType(*kind);
        Some((kind, from_wire(kind, bytes).ok()?))
    });
    let existing = stored.as_ref().map(|(kind, bytes)| (*kind, &**bytes));
    let changed = match operation % 3 {
        0 => increment(existing, operand_type, operand),
        1 => append(existing, operand_type, operand),
        _ => prepend(existing, operand_type, operand),
    };
    let kinds = (operation % 3, existing.map(|(kind, _)| kind.0), operand_type.0);
    match changed {
        Err(result) => Outcome::of((kinds, result.0)),
        Ok((kind, bytes)) => {
            if let Some((existing_type, old)) = existing {
                assert_eq!(kind, existing_type, "the type stays");
                let grown = if operation % 3 == 0 { 0 } else { operand.len() };
                assert_eq!(bytes.len(), old.len() + grown);
            }
            assert_eq!(from_wire(kind, &bytes).as_deref(), Ok(&*bytes), "a stored value");
            Outcome::of((kinds, "ok"))
        }
    }
}
