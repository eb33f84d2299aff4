//! User keys: stored when sent, compared ever after.

use wire::client::RequestBuilder;
use wire::{Info3, ParticleType, ResultCode};

use super::fixture::*;

const MISMATCH: ResultCode = ResultCode::KEY_MISMATCH;

fn keyed(request: RequestBuilder, key: &str) -> RequestBuilder {
    request.key(ParticleType::STRING, key.as_bytes())
}

fn stored_key(fixture: &Fixture, key: u32) -> Option<Vec<u8>> {
    let key = digest(key);
    fixture.namespace.inspect(&key, |record| record.body.key().map(<[u8]>::to_vec)).flatten()
}

#[test]
fn a_key_is_stored_once_sent() {
    let mut fixture = Fixture::new();
    fixture.create(1);
    assert_eq!(stored_key(&fixture, 1), None);
    fixture.do_ok(1, keyed(put("a", "2"), "me"));
    assert_eq!(stored_key(&fixture, 1).as_deref(), Some(&b"\x03me"[..]));
    for request in [put("a", "3"), touch(), put("b", "1").info3(Info3::CREATE_OR_REPLACE)] {
        fixture.do_ok(1, request);
        assert_eq!(stored_key(&fixture, 1).as_deref(), Some(&b"\x03me"[..]));
    }
}

#[test]
fn keys_are_compared_where_both_are_there() {
    let requests =
        [put("a", "2"), get(), exists(), touch(), put("b", "1").info3(Info3::CREATE_OR_REPLACE)];
    for request in requests.into_iter().chain([delete(), durable_delete()]) {
        let mut fixture = Fixture::new();
        fixture.do_ok(1, keyed(put("a", "1"), "me"));
        assert_eq!(fixture.result(1, keyed(request.clone(), "you")), MISMATCH);
        let other_type = request.clone().key(ParticleType::BLOB, b"me");
        assert_eq!(fixture.result(1, other_type), MISMATCH);
        assert!(fixture.is_there(1), "nothing has changed");
        fixture.do_ok(1, keyed(request, "me"));
    }
}

#[test]
fn keys_that_cannot_be_stored() {
    let unsupported = ResultCode::UNSUPPORTED_FEATURE;
    let mut fixture = Fixture::new();
    let short = put("a", "1").key(ParticleType::INTEGER, &[0; 4]);
    assert_eq!(fixture.result(1, short.clone()), unsupported);
    assert_eq!(fixture.result(1, put("a", "1").field(wire::FieldType::KEY, b"")), unsupported);
    assert_eq!(fixture.meta(1), None);
    fixture.create(1);
    assert_eq!(fixture.result(1, short), unsupported, "stored now, were it right");
}

#[test]
fn a_tombstone_keeps_the_key() {
    let mut fixture = Fixture::new();
    fixture.do_ok(1, keyed(put("a", "1"), "me"));
    fixture.do_ok(1, durable_delete());
    assert_eq!(stored_key(&fixture, 1).as_deref(), Some(&b"\x03me"[..]));
    assert_eq!(fixture.result(1, keyed(put("a", "1"), "you")), MISMATCH);
    fixture.do_ok(1, put("a", "1"));
    assert_eq!(stored_key(&fixture, 1).as_deref(), Some(&b"\x03me"[..]));
}

#[test]
fn a_dead_records_key_is_forgotten() {
    let mut fixture = Fixture::new();
    fixture.do_ok(1, keyed(put("a", "1"), "me").record_ttl(5));
    fixture.pass_seconds(6);
    fixture.do_ok(1, keyed(put("a", "1"), "you"));
    assert_eq!(stored_key(&fixture, 1).as_deref(), Some(&b"\x03you"[..]));
}
