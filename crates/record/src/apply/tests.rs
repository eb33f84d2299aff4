//! Requests applied to small records.

use wire::client::{Reply, RequestBuilder};
use wire::{Info1, Info2, Info3, ProtoHeader};

use super::*;
use crate::body::BodyWriter;

const STRING: ParticleType = ParticleType::STRING;
const INTEGER: ParticleType = ParticleType::INTEGER;
const NULL: ParticleType = ParticleType::NULL;

type Spec = (OpCode, ParticleType, &'static str, &'static [u8]);

/// Bins by name and value after a request, or its error, and the results it replied.
#[derive(Debug, PartialEq)]
struct Outcome {
    bins: Result<Vec<(String, Vec<u8>)>, ResultCode>,
    results: Vec<(u8, String, Vec<u8>)>,
}

fn body(bins: &[(&str, ParticleType, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = BodyWriter::new(&mut bytes, None);
    for (name, particle_type, value) in bins {
        writer.bin(name.as_bytes(), *particle_type, value);
    }
    writer.finish();
    bytes
}

fn run_with(old: Option<&[u8]>, info1: Info1, info2: Info2, info3: Info3, ops: &[Spec]) -> Outcome {
    let mut builder = RequestBuilder::new().info1(info1).info2(info2 | Info2::WRITE).info3(info3);
    for (code, particle_type, name, value) in ops {
        builder = builder.op(*code, *particle_type, name.as_bytes(), value);
    }
    let message = builder.into_body();
    let request = Request::parse(&message).unwrap();
    let policy = WritePolicy::of(&request).unwrap();
    let mut out = Vec::new();
    let mut reply = ReplyWriter::new(&mut out);
    let mut stored = Vec::new();
    let applied = apply(&request, &policy, old.map(Body::new), None, &mut stored, &mut reply);
    let bins = applied.map(|new| {
        assert_eq!(new.bin_count, Body::new(&stored).bin_count());
        Body::new(&stored)
            .bins()
            .map(|bin| (String::from_utf8_lossy(bin.name).into_owned(), bin.value.to_vec()))
            .collect()
    });
    reply.finish(ResultCode::OK, 0, 0);
    let (reply, _) = Reply::parse(&out[ProtoHeader::SIZE..]).unwrap();
    let results = reply
        .ops()
        .map(|op| (op.code.0, String::from_utf8_lossy(op.name).into_owned(), op.value.to_vec()))
        .collect();
    Outcome { bins, results }
}

fn run(old: Option<&[u8]>, ops: &[Spec]) -> Outcome {
    run_with(old, Info1::READ, Info2::empty(), Info3::empty(), ops)
}

fn bins(expected: &[(&str, &[u8])]) -> Result<Vec<(String, Vec<u8>)>, ResultCode> {
    Ok(expected.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect())
}

#[test]
fn writes_keep_order_and_deletes_swap() {
    let old = body(&[("a", STRING, b"1"), ("b", STRING, b"2"), ("c", STRING, b"3")]);
    let outcome =
        run(Some(&old), &[(OpCode::WRITE, STRING, "b", b"new"), (OpCode::WRITE, NULL, "a", b"")]);
    assert_eq!(outcome.bins, bins(&[("c", b"3"), ("b", b"new")]));
    assert!(outcome.results.is_empty());
}

#[test]
fn reads_see_earlier_operations_of_the_request() {
    let old = body(&[("a", STRING, b"x")]);
    let outcome = run(
        Some(&old),
        &[
            (OpCode::READ, NULL, "a", b""),
            (OpCode::APPEND, STRING, "a", b"y"),
            (OpCode::READ, NULL, "a", b""),
            (OpCode::PREPEND, STRING, "a", b"w"),
            (OpCode::READ, NULL, "absent", b""),
        ],
    );
    assert_eq!(outcome.bins, bins(&[("a", b"wxy")]));
    let read = |value: &[u8]| (OpCode::READ.0, "a".to_owned(), value.to_vec());
    assert_eq!(outcome.results, [read(b"x"), read(b"xy")]);
}

#[test]
fn respond_all_answers_every_operation_but_touch() {
    let old = body(&[("a", STRING, b"x")]);
    let ops = [
        (OpCode::WRITE, STRING, "b", &b"1"[..]),
        (OpCode::TOUCH, NULL, "", b""),
        (OpCode::READ, NULL, "absent", b""),
        (OpCode::DELETE_ALL, NULL, "", b""),
        (OpCode::INCREMENT, INTEGER, "n", &[0, 0, 0, 0, 0, 0, 0, 5]),
    ];
    let outcome = run_with(Some(&old), Info1::READ, Info2::RESPOND_ALL_OPS, Info3::empty(), &ops);
    let codes: Vec<_> = outcome.results.iter().map(|(code, ..)| *code).collect();
    assert_eq!(codes, [2, 1, 14, 5]);
    assert!(outcome.results.iter().all(|(.., value)| value.is_empty()));
    assert_eq!(outcome.bins, bins(&[("n", &[0, 0, 0, 0, 0, 0, 0, 5])]));
}

#[test]
fn read_all_returns_bins_as_they_are_then() {
    let outcome = run_with(
        None,
        Info1::READ | Info1::GET_ALL,
        Info2::empty(),
        Info3::empty(),
        &[
            (OpCode::WRITE, STRING, "a", b"1"),
            (OpCode::READ, NULL, "", b""),
            (OpCode::WRITE, STRING, "b", b"2"),
        ],
    );
    assert_eq!(outcome.results, [(OpCode::READ.0, "a".to_owned(), b"1".to_vec())]);
    assert_eq!(outcome.bins, bins(&[("a", b"1"), ("b", b"2")]));
}

#[test]
fn replace_drops_old_bins() {
    let old = body(&[("a", STRING, b"x")]);
    let ops = [(OpCode::WRITE, STRING, "b", &b"1"[..])];
    let outcome =
        run_with(Some(&old), Info1::empty(), Info2::empty(), Info3::CREATE_OR_REPLACE, &ops);
    assert_eq!(outcome.bins, bins(&[("b", b"1")]));
}

#[test]
fn first_error_decides() {
    let old = body(&[("s", STRING, b"x")]);
    for (op, expected) in [
        ((OpCode::INCREMENT, INTEGER, "s", &[0; 8][..]), ResultCode::INCOMPATIBLE_TYPE),
        ((OpCode::APPEND, ParticleType::BLOB, "s", b"x"), ResultCode::INCOMPATIBLE_TYPE),
        ((OpCode::WRITE, INTEGER, "n", b"abc"), ResultCode::PARAMETER),
        ((OpCode(99), NULL, "s", b""), ResultCode::PARAMETER),
        ((OpCode::CDT_MODIFY, NULL, "s", b""), ResultCode::UNSUPPORTED_FEATURE),
    ] {
        let outcome = run(Some(&old), &[(OpCode::WRITE, STRING, "z", b"1"), op]);
        assert_eq!(outcome.bins, Err(expected), "{op:?}");
    }
}

#[test]
fn too_many_bins_are_refused() {
    let names: Vec<String> = (0..=BINS_MAX).map(|n| n.to_string()).collect();
    let build = |count: usize| {
        let mut builder = RequestBuilder::new().info2(Info2::WRITE);
        for name in &names[..count] {
            builder = builder.op(OpCode::WRITE, STRING, name.as_bytes(), b"");
        }
        builder.into_body()
    };
    for (count, fits) in [(BINS_MAX, true), (BINS_MAX + 1, false)] {
        let message = build(count);
        let request = Request::parse(&message).unwrap();
        let policy = WritePolicy::of(&request).unwrap();
        let mut out = Vec::new();
        let reply = &mut ReplyWriter::new(&mut out);
        let mut body = Vec::new();
        let applied = apply(&request, &policy, None, None, &mut body, reply);
        assert_eq!(applied.err(), (!fits).then_some(ResultCode::PARAMETER), "{count}");
        if fits {
            let one_more = RequestBuilder::new().op(OpCode::WRITE, STRING, b"one more", b"");
            let message = one_more.into_body();
            let request = Request::parse(&message).unwrap();
            let reply = &mut ReplyWriter::new(&mut out);
            let old = Some(Body::new(&body));
            let applied = apply(&request, &policy, old, None, &mut Vec::new(), reply);
            assert_eq!(applied.err(), Some(ResultCode::PARAMETER));
        }
    }
}
