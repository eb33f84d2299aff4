//! Frames of each type, answered; and messages that are refused before any record is looked at.

use wire::client::{Reply, RequestBuilder};
use wire::{FieldType, Info1, Info2, Info4, ParticleType, ProtoHeader};

use super::*;
use crate::info::testing::{CLIENT, ask, digest, finish, node, send, worker, write};

/// What a frame with this body is answered, header included.
fn answer(kind: ProtoType, body: &[u8]) -> Result<Vec<u8>, Unanswerable> {
    let (_, node) = node();
    let mut out = Vec::new();
    let mut worker = worker(&node);
    let answer = worker.answer(kind, body, CLIENT, &mut out)?;
    finish(&mut worker, answer, &mut out);
    Ok(out)
}

/// A message about the record `k` of namespace `test`, without flags and operations.
fn request() -> RequestBuilder {
    RequestBuilder::new().namespace("test").digest(&digest(None, "k"))
}

fn read() -> RequestBuilder {
    request().info1(Info1::READ | Info1::GET_ALL)
}

#[test]
fn each_type_of_frame_has_its_answer() {
    let answer_starts = |kind, body: &[u8], expected: &[u8]| {
        let out = answer(kind, body).unwrap();
        assert!(out.starts_with(expected), "{kind:?}: {out:?}");
    };
    answer_starts(ProtoType::Info, b"status\n", b"\x02\x01\0\0\0\0\0\x0astatus\tok\n");
    answer_starts(
        ProtoType::Message,
        &read().into_body(),
        b"\x02\x03\0\0\0\0\0\x16\x16\0\0\0\0\x02",
    );
    let not_configured = ResultCode::SEC_NOT_CONFIGURED.0;
    assert_eq!(not_configured, 52);
    let login = [&[0, 0, 20, 0][..], &[0; 12]].concat();
    answer_starts(ProtoType::Admin, &login, &[2, 2, 0, 0, 0, 0, 0, 16, 0, not_configured]);
    let parameter = [2, 3, 0, 0, 0, 0, 0, 22, 22, 0, 0, 0, 0, 4];
    answer_starts(ProtoType::Message, b"too short", &parameter);
    answer_starts(ProtoType::Compressed, b"no zlib stream", &parameter);
    assert_eq!(answer(ProtoType::InternalXdr, &read().into_body()), Err(Unanswerable));
}

#[test]
fn a_compressed_request_asks_for_compressed_replies_by_flag() {
    let (_, node) = node();
    let large = vec![b'x'; 20_000];
    let write =
        request().info2(Info2::WRITE).op(wire::OpCode::WRITE, ParticleType::STRING, b"a", &large);
    assert_eq!(send(&node, &write.into_body()), 0);
    let mut worker = worker(&node);
    let mut ask_for = |flags| {
        let frame = read().info1(Info1::READ | Info1::GET_ALL | flags).into_frame();
        let mut compressed = Vec::new();
        compress::deflate(&frame, &mut compressed).unwrap();
        let mut out = Vec::new();
        let body = &compressed[ProtoHeader::SIZE..];
        let answer = worker.answer(ProtoType::Compressed, body, CLIENT, &mut out).unwrap();
        finish(&mut worker, answer, &mut out);
        out
    };
    let plain = ask_for(Info1::empty());
    let (reply, _) = Reply::parse(&plain[ProtoHeader::SIZE..]).unwrap();
    assert_eq!(reply.ops().next().unwrap().value, large);
    let compressed = ask_for(Info1::COMPRESS_RESPONSE);
    assert!(compressed.len() < 1000 && compressed[1] == 4);
    let mut inflated = Vec::new();
    let inner = compress::inflate(&compressed[ProtoHeader::SIZE..], &mut inflated).unwrap();
    assert_eq!(inner, &plain[ProtoHeader::SIZE..]);
    let ratio = format!(
        ";record_proto_compression_ratio={:.3};",
        compressed.len() as f64 / plain.len() as f64
    );
    assert!(ask(&node, "namespace/test").contains(&ratio), "{ratio}");
}

#[test]
fn requests_are_refused_in_the_originals_order() {
    let (_, node) = node();
    let mrt = |request: RequestBuilder| request.field(FieldType::MRT_ID, &[7; 8]);
    let bad_digest = RequestBuilder::new().namespace("test").field(FieldType::DIGEST, &[0; 19]);
    let no_namespace = RequestBuilder::new().digest(&digest(None, "k"));
    let elsewhere = RequestBuilder::new().namespace("nope").field(FieldType::DIGEST, &[0; 19]);
    assert_eq!(send(&node, &write(None, "k", 0)), 0);
    for (what, request, expected) in [
        ("no namespace", no_namespace.info1(Info1::READ), ResultCode::NAMESPACE),
        ("a namespace before a digest", elsewhere, ResultCode::NAMESPACE),
        ("a digest before a flag", bad_digest, ResultCode::PARAMETER),
        ("neither read nor write", request(), ResultCode::PARAMETER),
        ("a query", RequestBuilder::new().namespace("test"), ResultCode::UNSUPPORTED_FEATURE),
        ("a read in a transaction", mrt(read()), ResultCode::ENTERPRISE_ONLY),
        (
            "a deletion in a transaction",
            mrt(request().info2(Info2::WRITE | Info2::DELETE)),
            ResultCode::ENTERPRISE_ONLY,
        ),
        (
            "a roll forward",
            request().info2(Info2::WRITE).info4(Info4::MRT_ROLL_FORWARD),
            ResultCode::ENTERPRISE_ONLY,
        ),
        ("a verification", read().info4(Info4::MRT_VERIFY_READ), ResultCode::ENTERPRISE_ONLY),
        ("a read", read(), ResultCode::OK),
    ] {
        assert_eq!(send(&node, &request.into_body()), expected.0, "{what}");
    }
}
