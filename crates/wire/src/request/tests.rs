//! Well and ill formed messages.

use proptest::prelude::*;

use super::*;
use crate::client::RequestBuilder;
use crate::{Info2, ResultCode};

fn body() -> Vec<u8> {
    RequestBuilder::new()
        .info1(Info1::READ)
        .info2(Info2::WRITE)
        .namespace("test")
        .set("demo")
        .digest(&Digest([7; 20]))
        .op(OpCode::WRITE, ParticleType::STRING, b"name", b"value")
        .op(OpCode::READ, ParticleType::NULL, b"other", b"")
        .into_body()
}

#[test]
fn parts_are_found() {
    let body = body();
    let request = Request::parse(&body).unwrap();
    assert_eq!(request.namespace, Some(&b"test"[..]));
    assert_eq!(request.set, Some(&b"demo"[..]));
    assert_eq!(request.valid_digest(), Some(Digest([7; 20])));
    let ops: Vec<_> = request.ops().collect();
    assert_eq!((ops[0].name, ops[0].value), (&b"name"[..], &b"value"[..]));
    assert_eq!((ops[1].code, ops[1].name), (OpCode::READ, &b"other"[..]));
    assert_eq!(request.header.result, ResultCode::OK);
}

#[test]
fn every_truncation_is_malformed() {
    let body = body();
    for end in 0..body.len() {
        assert_eq!(Request::parse(&body[..end]).err(), Some(Malformed), "cut at {end}");
    }
}

#[test]
fn bytes_left_over_are_malformed() {
    let mut body = body();
    body.push(0);
    assert_eq!(Request::parse(&body).err(), Some(Malformed));
}

#[test]
fn wrong_counts_are_malformed() {
    for (offset, counts) in [(19, [0, 2, 4, 255]), (21, [0, 1, 3, 255])] {
        for count in counts {
            let mut body = body();
            body[offset] = count;
            assert_eq!(Request::parse(&body).err(), Some(Malformed), "{offset}: {count}");
        }
    }
}

#[test]
fn impossible_sizes_are_malformed() {
    let field_at = MessageHeader::SIZE;
    let op_at = body().len() - (4 + 4 + 5) - (4 + 4 + 4 + 5);
    for (what, at, size) in [
        ("empty field", field_at, 0u32),
        ("field past the end", field_at, u32::MAX),
        ("operation below its fixed part", op_at, 3),
        ("operation whose name does not fit", op_at, 6),
        ("operation past the end", op_at, 0x7FFF_FFFF),
    ] {
        let mut body = body();
        body[at..at + 4].copy_from_slice(&size.to_be_bytes());
        assert_eq!(Request::parse(&body).err(), Some(Malformed), "{what}");
    }
}

#[test]
fn first_of_two_fields_counts() {
    let body =
        RequestBuilder::new().namespace("first").namespace("second").set("").set("s").into_body();
    let request = Request::parse(&body).unwrap();
    assert_eq!(request.namespace, Some(&b"first"[..]));
    assert_eq!(request.set, None, "an empty set field means none, and it came first");
}

#[test]
fn last_update_time_follows_the_name() {
    let mut body =
        RequestBuilder::new().op(OpCode::WRITE, ParticleType::BLOB, b"b", b"").into_body();
    let op_at = MessageHeader::SIZE;
    body[op_at + 3] += 9;
    body[op_at + 6] = 1;
    body.extend_from_slice(&77u64.to_be_bytes());
    body.push(b'v');
    let request = Request::parse(&body).unwrap();
    let op = request.ops().next().unwrap();
    assert_eq!((op.last_update_time, op.value), (Some(77), &b"v"[..]));
}

proptest! {
    #[test]
    fn any_bytes_parse_or_do_not(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(request) = Request::parse(&bytes) {
            prop_assert_eq!(request.ops().count(), usize::from(request.header.n_ops));
            prop_assert_eq!(request.fields().count(), usize::from(request.header.n_fields));
        }
    }

    #[test]
    fn damaged_messages_never_panic(at in 0usize..90, byte in any::<u8>()) {
        let mut body = body();
        let at = at % body.len();
        body[at] = byte;
        if let Ok(request) = Request::parse(&body) {
            prop_assert_eq!(request.ops().count(), usize::from(request.header.n_ops));
        }
    }
}
