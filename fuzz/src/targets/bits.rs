//! Operations on the bits of a blob.

use value::bits;
use value::cdt::answer::Answer;
use wire::{ParticleType, ResultCode};

use super::Entry;
use super::operations::{Bin, seeds};

pub const ENTRY: Entry = Entry {
    name: "bits",
    what: "bit operations, one after the other",
    seeds: |corpus| {
        seeds(corpus, [12, 13], &[include_str!("../../../crates/value/testdata/bits.txt")])
    },
    make: |_| Box::new(Bin::new(read, bits::modify)),
};

fn read(value: (ParticleType, &[u8]), operation: &[u8]) -> Result<Answer, ResultCode> {
    let (kind, bytes) = bits::read(value, operation)?;
    Ok(Some((kind, bytes.to_vec())))
}
