//! Operations on lists and maps.

use value::cdt;

use super::Entry;
use super::operations::{Bin, seeds};

pub const ENTRY: Entry = Entry {
    name: "collection",
    what: "list and map operations, one after the other",
    seeds: |corpus| {
        let lists = include_str!("../../../crates/value/testdata/lists.txt");
        let maps = include_str!("../../../crates/value/testdata/maps.txt");
        seeds(corpus, [3, 4], &[lists, maps])
    },
    make: |_| {
        Box::new(Bin::new(
            |bin, op| cdt::read(bin.into(), op),
            |bin, op| cdt::modify(bin.map(Into::into), op),
        ))
    },
};
