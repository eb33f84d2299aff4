//! Replays what the original server was asked and what it did: the scripts of `testdata`.

mod bits_and_sketches;
mod operations;
mod writes;

use std::collections::BTreeMap;

use wire::ParticleType;

/// A record: bins by name, each with its type and stored bytes.
type Bins = BTreeMap<String, (ParticleType, Vec<u8>)>;

/// Reads a value of a script: a decimal type and hexadecimal bytes.
fn particle(particle_type: &str, value: &str) -> (ParticleType, Vec<u8>) {
    (ParticleType(particle_type.parse().expect("types are numbers")), bytes(value))
}

/// Reads hexadecimal bytes; `-` stands for none.
fn bytes(value: &str) -> Vec<u8> {
    let digits = value.strip_prefix('-').unwrap_or(value).as_bytes();
    let bytes = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).expect("values are ASCII");
        u8::from_str_radix(pair, 16).expect("values are hexadecimal")
    });
    bytes.collect()
}
