//! Bins that user-defined functions read and write back.

use wire::ParticleType;

use super::udf_arguments::{Functions, Record, functions};
use super::{Entry, Outcome, Target};

pub const ENTRY: Entry = Entry {
    name: "udf_bin",
    what: "a stored value: its type, then its bytes; read, changed and written by a function",
    seeds: super::values,
    make: |_| Box::new(Bins(functions())),
};

struct Bins(Functions);

impl Target for Bins {
    fn feed(&mut self, input: &[u8]) -> Outcome {
        let Some((&kind, sent)) = input.split_first() else { return Outcome::of(0) };
        // What is stored has passed this.
        let Ok(stored) = value::from_wire(ParticleType(kind), sent) else { return Outcome::of(1) };
        self.0.run(b"bin", &[], Record(Some((ParticleType(kind), stored.to_vec()))))
    }
}
