//! Reads of small records.

use wire::ProtoHeader;
use wire::client::{Reply, RequestBuilder};

use super::*;
use crate::body::BodyWriter;
use crate::view::tests::scene;

fn body() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = BodyWriter::new(&mut bytes, Some(b"\x03key"));
    writer.bin(b"a", ParticleType::STRING, b"1");
    writer.bin(b"b", ParticleType::BLOB, b"2");
    writer.finish();
    bytes
}

fn run(builder: RequestBuilder) -> Result<Vec<(String, Vec<u8>)>, ResultCode> {
    let message = builder.into_body();
    let request = Request::parse(&message).unwrap();
    let mut out = Vec::new();
    let mut reply = ReplyWriter::new(&mut out);
    let body = body();
    let stored = Body::new(&body);
    let scene = scene(Some(&stored));
    let result = read(&request, Body::new(&body), &scene, &mut reply);
    reply.finish(ResultCode::OK, 0, 0);
    let (reply, _) = Reply::parse(&out[ProtoHeader::SIZE..]).unwrap();
    let bins = reply.ops().map(|op| {
        assert_eq!(op.code, OpCode::READ);
        (String::from_utf8_lossy(op.name).into_owned(), op.value.to_vec())
    });
    result.map(|()| bins.collect())
}

fn reading(names: &[&str]) -> RequestBuilder {
    names.iter().fold(RequestBuilder::new().info1(Info1::READ), |builder, name| {
        builder.op(OpCode::READ, ParticleType::NULL, name.as_bytes(), b"")
    })
}

fn bin(name: &str, value: &[u8]) -> (String, Vec<u8>) {
    (name.to_owned(), value.to_vec())
}

#[test]
fn all_or_selected() {
    let all = RequestBuilder::new().info1(Info1::READ | Info1::GET_ALL);
    assert_eq!(run(all), Ok(vec![bin("a", b"1"), bin("b", b"2")]));
    assert_eq!(run(reading(&["b", "x", "a"])), Ok(vec![bin("b", b"2"), bin("a", b"1")]));
    assert_eq!(run(reading(&["x"])), Ok(vec![]));
    let respond_all = reading(&["x", "a"]).info2(Info2::RESPOND_ALL_OPS);
    assert_eq!(run(respond_all), Ok(vec![bin("x", b""), bin("a", b"1")]));
}

#[test]
fn collections_answer_if_they_have_an_answer() {
    let mut bytes = Vec::new();
    let mut writer = BodyWriter::new(&mut bytes, None);
    writer.bin(b"m", ParticleType::MAP, b"\x81\x01\x02");
    writer.finish();
    let get = |key: u8| [0x93, 0x61, 0x07, key];
    for (respond_all, expected) in [(Info2::empty(), 1), (Info2::RESPOND_ALL_OPS, 3)] {
        let builder = RequestBuilder::new()
            .info1(Info1::READ)
            .info2(respond_all)
            .op(OpCode::CDT_READ, ParticleType::BLOB, b"m", &get(1))
            .op(OpCode::CDT_READ, ParticleType::BLOB, b"m", &get(9))
            .op(OpCode::CDT_READ, ParticleType::BLOB, b"absent", &get(1));
        let message = builder.into_body();
        let request = Request::parse(&message).unwrap();
        let mut out = Vec::new();
        let mut reply = ReplyWriter::new(&mut out);
        let body = Body::new(&bytes);
        assert_eq!(read(&request, body, &scene(Some(&body)), &mut reply), Ok(()));
        reply.finish(ResultCode::OK, 0, 0);
        let (reply, _) = Reply::parse(&out[ProtoHeader::SIZE..]).unwrap();
        let answers: Vec<_> = reply.ops().map(|op| op.value.to_vec()).collect();
        assert_eq!(answers.len(), expected);
        assert_eq!(answers[0], 2_i64.to_be_bytes());
        assert!(answers[1..].iter().all(Vec::is_empty));
    }
}

#[test]
fn bad_reads_are_refused() {
    assert_eq!(run(reading(&[])), Err(ResultCode::PARAMETER));
    assert_eq!(run(reading(&["0123456789abcdef"])), Err(ResultCode::BIN_NAME));
    let write = reading(&["a"]).op(OpCode::WRITE, ParticleType::BLOB, b"a", b"");
    assert_eq!(run(write), Err(ResultCode::PARAMETER));
    let expression = reading(&[]).op(OpCode::EXPRESSION_READ, ParticleType::NULL, b"x", b"");
    assert_eq!(run(expression), Err(ResultCode::PARAMETER));
}

#[test]
fn reads_within_values() {
    // `[COUNT, 0, 8]` of bits.
    let count = &[0x93, 51, 0, 8][..];
    let asking =
        |name: &[u8], particle_type| reading(&[]).op(OpCode::BITS_READ, particle_type, name, count);
    let answer = |builder: RequestBuilder| {
        let message = builder.into_body();
        let request = Request::parse(&message).unwrap();
        let mut out = Vec::new();
        let mut reply = ReplyWriter::new(&mut out);
        let body = body();
        let result = read(&request, Body::new(&body), &scene(None), &mut reply);
        reply.finish(ResultCode::OK, 0, 0);
        let (reply, _) = Reply::parse(&out[ProtoHeader::SIZE..]).unwrap();
        let answers: Vec<_> = reply.ops().map(|op| (op.code, op.value.to_vec())).collect();
        result.map(|()| answers)
    };
    // The blob is the character 2: three bits.
    let three = (OpCode::BITS_READ, 3_i64.to_be_bytes().to_vec());
    assert_eq!(answer(asking(b"b", ParticleType::BLOB)), Ok(vec![three]));
    assert_eq!(answer(asking(b"x", ParticleType::BLOB)), Ok(vec![]));
    let respond_all = asking(b"x", ParticleType::BLOB).info2(Info2::RESPOND_ALL_OPS);
    assert_eq!(answer(respond_all), Ok(vec![(OpCode::BITS_READ, vec![])]));
    for (name, particle_type) in [(b"b", ParticleType::STRING), (b"a", ParticleType::BLOB)] {
        let outcome = answer(asking(name, particle_type));
        assert_eq!(outcome, Err(ResultCode::INCOMPATIBLE_TYPE));
    }
}
