//! Requests, as the server reads them.

use wire::client::RequestBuilder;
use wire::{FieldType, Op, OpCode, ParticleType, Request};

use super::{Entry, Outcome};

pub const ENTRY: Entry = Entry {
    name: "request",
    what: "bodies of record requests",
    seeds: |corpus| corpus.requests.iter().filter(|body| body.len() < 4000).cloned().collect(),
    make: |_| Box::new(feed),
};

fn feed(input: &[u8]) -> Outcome {
    let Ok(request) = Request::parse(input) else {
        return Outcome::of(("malformed", input.len() < 22));
    };
    let header = request.header;
    let fields: Vec<_> = request.fields().collect();
    let ops: Vec<_> = request.ops().collect();
    assert_eq!((fields.len(), ops.len()), (header.n_fields.into(), header.n_ops.into()));
    for kind in (0..64).map(FieldType) {
        let first = fields.iter().find(|field| field.kind == kind);
        assert_eq!(request.present.contains(kind), first.is_some(), "{kind:?}");
        assert_eq!(request.field(kind), first.map(|field| field.data), "{kind:?}");
    }
    assert_eq!(request.namespace, request.field(FieldType::NAMESPACE));
    assert_eq!(request.set, request.field(FieldType::SET).filter(|set| !set.is_empty()));
    assert_eq!(request.key, request.field(FieldType::KEY));
    assert_eq!(request.valid_digest().is_some(), request.digest.is_some_and(|d| d.len() == 20));
    // Rendering it for a log shows every part.
    assert!(!format!("{request:?}").is_empty());

    let rebuilt = rebuilt(&request);
    let again = Request::parse(&rebuilt).expect("what was built can be read");
    assert_eq!((again.header, again.fields().collect::<Vec<_>>()), (header, fields.clone()));
    assert!(again.ops().map(parts).eq(ops.iter().copied().map(parts)), "{request:?}");
    let kinds: Vec<u8> = fields.iter().map(|field| field.kind.0).take(6).collect();
    Outcome::of((kinds, ops.iter().map(|op| op.code.0).take(3).collect::<Vec<_>>()))
}

/// An operation without its time, which only servers send.
fn parts(op: Op<'_>) -> (OpCode, ParticleType, &[u8], &[u8]) {
    (op.code, op.particle_type, op.name, op.value)
}

/// The request as the client's side would have built it.
fn rebuilt(request: &Request<'_>) -> Vec<u8> {
    let header = request.header;
    let mut builder = RequestBuilder::new()
        .info1(header.info1)
        .info2(header.info2)
        .info3(header.info3)
        .info4(header.info4)
        .generation(header.generation)
        .record_ttl(header.record_ttl)
        .transaction_ttl_ms(header.transaction_ttl_ms);
    for field in request.fields() {
        builder = builder.field(field.kind, field.data);
    }
    for op in request.ops() {
        builder = builder.op(op.code, op.particle_type, op.name, op.value);
    }
    let mut body = builder.into_body();
    // A request's result code means nothing, and the builder has no way to send one.
    if let Some(result) = body.get_mut(5) {
        *result = header.result.0;
    }
    body
}
