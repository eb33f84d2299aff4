//! Values of every particle type, as clients write them.

use value::msgpack::{Reader, Token};
use value::{from_wire, stored_size_bytes};
use wire::ParticleType;

use super::{Entry, Outcome};

pub const ENTRY: Entry = Entry {
    name: "value",
    what: "a particle type, and a value that a client writes",
    seeds: |corpus| {
        let mut seeds = super::values(corpus);
        // Each type with the bytes of the others too.
        let few: Vec<_> = seeds.iter().step_by(40).cloned().collect();
        for kind in (0..=25).chain([0xff]) {
            seeds.extend(few.iter().map(|value| {
                let mut value = value.clone();
                value[0] = kind;
                value
            }));
        }
        seeds
    },
    make: |_| Box::new(feed),
};

fn feed(input: &[u8]) -> Outcome {
    let Some((kind, bytes)) = input.split_first() else { return Outcome::of("empty") };
    let particle_type = ParticleType(*kind);
    match from_wire(particle_type, bytes) {
        Err(result) => Outcome::of((kind, result.0)),
        Ok(stored) => {
            assert!(particle_type.name().is_some(), "a value of no type");
            // What a client has read it may write again, unchanged.
            if !is_exempt(particle_type, &stored) {
                let again = from_wire(particle_type, &stored);
                assert_eq!(again.as_deref(), Ok(&*stored), "stored once more");
            }
            assert!(stored_size_bytes(particle_type, &stored) <= stored.len() + 5);
            Outcome::of((kind, stored.len().min(16), *stored == *bytes))
        }
    }
}

/// Whether a value may change when it is written once more: a list or map with extension values for
/// elements. When its own order is left out because it says nothing, such an element comes to stand
/// where an order would.
pub fn is_exempt(particle_type: ParticleType, stored: &[u8]) -> bool {
    if !matches!(particle_type, ParticleType::LIST | ParticleType::MAP) {
        return false;
    }
    let mut reader = Reader::new(stored);
    // What follows the header may be the order, which is no element; an order that says nothing, or
    // what has no meaning, was meant as an element. Those of nested values count.
    if reader.head().is_err() {
        return false;
    }
    match reader.order_ext() {
        Ok(Some(order)) => match (order.raw, particle_type) {
            ([0xc7, 0, 1], _) | ([0xc7, 0, 3], ParticleType::MAP) => {}
            _ => return true,
        },
        Ok(None) => {}
        Err(_) => return false,
    }
    while let Ok(head) = reader.head() {
        if matches!(head.token, Token::Ext(_)) {
            return true;
        }
    }
    false
}
