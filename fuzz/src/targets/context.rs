//! Contexts of secondary indexes.

use value::context::{ContextError, check};
use value::msgpack::Reader;

use super::{Entry, Outcome};

pub const ENTRY: Entry = Entry {
    name: "context",
    what: "contexts of secondary indexes",
    seeds: |_| {
        let own: [&[u8]; 6] = [
            b"\x92\x10\x00",
            b"\x92\x22\xa2\x03k",
            b"\x94\x10\x01\x21\xff",
            b"\x92\x13\x93\x01\x02\xa2\x03v",
            b"\x92\x10\xcd\x00\x01",
            b"\x92\x23\xcb\x3f\xf0\0\0\0\0\0\0",
        ];
        own.map(<[u8]>::to_vec).into()
    },
    make: |_| Box::new(feed),
};

fn feed(input: &[u8]) -> Outcome {
    let checked = check(input);
    if checked != Err(ContextError::Invalid) {
        assert!(Reader::new(input).element().is_ok(), "a context begins with a whole value");
    }
    Outcome::of((format!("{checked:?}"), input.get(..2)))
}
