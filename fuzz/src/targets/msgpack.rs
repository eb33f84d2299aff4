//! msgpack: reading, writing again, the order of values.

use std::cmp::Ordering;

use value::msgpack::{Element, Reader, Token, write};
use value::order::compare;
use wire::ParticleType;

use super::{Entry, Outcome, Target};

pub const ENTRY: Entry = Entry {
    name: "msgpack",
    what: "msgpack values",
    seeds: |corpus| {
        let recorded = super::values(corpus).into_iter().filter_map(|value| {
            let (kind, bytes) = value.split_first()?;
            let kind = ParticleType(*kind);
            [ParticleType::LIST, ParticleType::MAP, ParticleType::BLOB]
                .contains(&kind)
                .then(|| bytes.to_vec())
        });
        let own: [&[u8]; 8] = [
            b"\xc0",
            b"\x93\x01\xa2\x03a\xcb\x3f\xf0\0\0\0\0\0\0",
            b"\x83\xc7\0\x01\xc0\x01\x02\xa2\x03b\x91\xc3",
            b"\xdc\0\x02\xd3\xff\xff\xff\xff\0\0\0\0\xcf\0\0\0\x01\0\0\0\0",
            b"\xde\0\x01\xd9\x02\x03x\xc5\0\x02\x04y",
            b"\x92\xd4\xff\0\xd4\xff\x01",
            b"\xca\x7f\xc0\0\0",
            b"\xdd\0\0\0\x01\xdf\0\0\0\0",
        ];
        recorded.chain(own.map(<[u8]>::to_vec)).collect()
    },
    make: |_| Box::new(Values::default()),
};

/// Remembers the last value, to compare with the next.
#[derive(Default)]
struct Values {
    last: Vec<u8>,
}

impl Target for Values {
    fn feed(&mut self, input: &[u8]) -> Outcome {
        let mut reader = Reader::new(input);
        let Ok(element) = reader.element() else { return Outcome::of("malformed") };
        let bytes = element.bytes();
        assert_eq!(bytes.len() + reader.rest().len(), input.len());
        assert_eq!(Element::new(bytes).map(Element::bytes), Ok(bytes));
        assert_eq!(compare(element, element), Ordering::Equal, "a value equals itself");

        let again = rewritten(bytes);
        assert_eq!(rewritten(&again), again, "written once more");
        let other = Element::new(&again).expect("what was written can be read");
        if !has_odd_extension(bytes) {
            assert_eq!(compare(element, other), Ordering::Equal, "the same value in fewer bytes");
        }

        let mut outcome = Ordering::Equal;
        if let Ok(last) = Element::new(&self.last) {
            outcome = compare(last, element);
            assert_eq!(compare(element, last), outcome.reverse(), "the other way round");
        }
        self.last = bytes.to_vec();
        Outcome::of((bytes.first(), outcome, bytes.len().min(12)))
    }
}

/// The same value, item by item in the smallest form.
fn rewritten(bytes: &[u8]) -> Vec<u8> {
    let mut reader = Reader::new(bytes);
    let mut out = Vec::new();
    while !reader.is_empty() {
        let head = reader.head().expect("it was read before");
        let from = out.len();
        write::token(&mut out, head.token);
        // Floats are widened, and long byte strings may stand in either of two families.
        if head.is_canonical && !matches!(head.token, Token::Double(_) | Token::Bytes(_)) {
            assert_eq!(&out[from..], head.raw, "said to be canonical");
        }
    }
    out
}

/// Whether an extension value is written longer than it could be: its form then says whether it is
/// an order at the head of a container, and is lost when it is written again.
fn has_odd_extension(bytes: &[u8]) -> bool {
    let mut reader = Reader::new(bytes);
    while let Ok(head) = reader.head() {
        if matches!(head.token, Token::Ext(_)) && !head.is_canonical {
            return true;
        }
    }
    false
}
