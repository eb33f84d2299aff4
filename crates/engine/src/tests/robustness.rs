//! Requests of any bytes: nothing panics, and statistics stay exact.

use wire::client::RequestBuilder;
use wire::{Info1, Info2, OpCode, ParticleType, Request};

use super::fixture::*;

fn sample_requests() -> Vec<Vec<u8>> {
    let several = put("a", "text")
        .info1(Info1::READ)
        .op(OpCode::INCREMENT, ParticleType::INTEGER, b"n", &1u64.to_be_bytes())
        .op(OpCode::READ, ParticleType::NULL, b"a", b"")
        .op(OpCode::APPEND, ParticleType::STRING, b"a", b"more");
    let keyed = put("b", "1").key(ParticleType::STRING, b"key").record_ttl(30);
    let durable = drop_bin("a").info2(Info2::WRITE | Info2::DURABLE_DELETE);
    let selected = RequestBuilder::new().info1(Info1::READ);
    let selected = selected.op(OpCode::READ, ParticleType::NULL, b"a", b"").record_ttl(50);
    [several, keyed, durable, selected, add("n", 7), touch(), get(), delete(), durable_delete()]
        .map(|request| request.set("s").into_body())
        .into()
}

#[test]
fn damaged_requests_are_answered() {
    let mut fixture = Fixture::new();
    let mut random = fastrand::Rng::with_seed(11);
    let samples = sample_requests();
    for _ in 0..30_000 {
        let mut body = samples[random.usize(..samples.len())].clone();
        for _ in 0..random.usize(..4) {
            let at = random.usize(..body.len());
            body[at] = random.u8(..);
        }
        let Ok(request) = Request::parse(&body) else { continue };
        let (mut scratch, mut out) = (Vec::new(), Vec::new());
        let key = digest(random.u32(..10));
        let (namespace, now) = (&fixture.namespace, fixture.now);
        let result = run(namespace, &request, now, &mut scratch, &key, &mut out);
        let (reply, rest) = wire::client::Reply::parse(&out[wire::ProtoHeader::SIZE..]).unwrap();
        assert_eq!((reply.header.result, rest.len()), (result, 0));
        fixture.pass_ms(random.u64(..100));
    }
    fixture.check_statistics();
}
