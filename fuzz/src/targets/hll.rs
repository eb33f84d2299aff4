//! Operations on HyperLogLog sketches.

use value::cdt::answer::Answer;
use value::hll;
use wire::{ParticleType, ResultCode};

use super::Entry;
use super::operations::{Bin, seeds};

pub const ENTRY: Entry = Entry {
    name: "hll",
    what: "operations on sketches, one after the other",
    seeds: |corpus| {
        seeds(corpus, [15, 16], &[include_str!("../../../crates/value/testdata/hll.txt")])
    },
    make: |_| Box::new(Bin::new(read, hll::modify)),
};

fn read(value: (ParticleType, &[u8]), operation: &[u8]) -> Result<Answer, ResultCode> {
    let (kind, bytes) = hll::read(value, operation)?;
    Ok(Some((kind, bytes.to_vec())))
}
