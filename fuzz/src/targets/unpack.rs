//! Compressed bodies, as a damaged medium may give them back.

use storage::format::flat::Packing;
use storage::packing::{BODY_BYTES_MAX, pack, unpack};

use super::{Entry, Outcome};

pub const ENTRY: Entry = Entry {
    name: "unpack",
    what: "compressed bodies: a byte that chooses the method, then the packed body",
    seeds: |corpus| {
        let mut seeds = Vec::new();
        for (place, value) in super::values(corpus).iter().enumerate() {
            let mut seed = vec![(place % METHODS.len()) as u8];
            let body = value.repeat(3);
            if pack(METHODS[place % METHODS.len()], 3, 1, &body, &mut seed) {
                seeds.push(seed);
            }
        }
        seeds
    },
    make: |_| Box::new(feed),
};

const METHODS: [Packing; 3] = [Packing::Lz4, Packing::Snappy, Packing::Zstd];

fn feed(input: &[u8]) -> Outcome {
    let Some((method, packed)) = input.split_first() else { return Outcome::of(0) };
    let packing = METHODS[usize::from(*method) % METHODS.len()];
    let mut body = Vec::new();
    if let Err(error) = unpack(packing, packed, &mut body) {
        return Outcome::of((*method, format!("{error:?}")));
    }
    assert!(body.len() <= BODY_BYTES_MAX);
    let (mut again, mut back) = (Vec::new(), Vec::new());
    if pack(packing, 3, 1, &body, &mut again) {
        assert_eq!(unpack(packing, &again, &mut back), Ok(()));
        assert_eq!(back, body);
    }
    Outcome::of((*method, body.len().min(9)))
}
