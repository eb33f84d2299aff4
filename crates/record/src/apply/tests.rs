//! Requests applied to small records.

use wire::client::{Reply, RequestBuilder};
use wire::{Info1, Info2, Info3, ProtoHeader};

use super::*;
use crate::body::BodyWriter;
use crate::view::tests::scene;

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
    let old = old.map(Body::new);
    let applied =
        apply(&request, &policy, old, None, &scene(old.as_ref()), &mut stored, &mut reply);
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
fn collections_are_created_changed_and_read() {
    const BLOB: ParticleType = ParticleType::BLOB;
    let ops = [
        // Append 5 and clear; put 1: 2 and get it; read a bin that is not there.
        (OpCode::CDT_MODIFY, BLOB, "l", &b"\x92\x01\x05"[..]),
        (OpCode::CDT_MODIFY, BLOB, "l", b"\x91\x0b"),
        (OpCode::CDT_MODIFY, BLOB, "m", b"\x94\x43\x01\x02\x01"),
        (OpCode::CDT_READ, BLOB, "m", b"\x93\x61\x07\x01"),
        (OpCode::CDT_READ, BLOB, "m", b"\x93\x61\x07\x09"),
        (OpCode::CDT_READ, BLOB, "absent", b"\x91\x10"),
    ];
    let stored = bins(&[("l", b"\x90"), ("m", b"\x82\xc7\x00\x01\xc0\x01\x02")]);
    let integer = |code: OpCode, name: &str, value: i64| {
        (code.0, name.to_owned(), value.to_be_bytes().to_vec())
    };
    let null = |code: OpCode, name: &str| (code.0, name.to_owned(), Vec::new());
    let (modify, read) = (OpCode::CDT_MODIFY, OpCode::CDT_READ);
    let outcome = run(None, &ops);
    assert_eq!(outcome.bins, stored);
    // Of what modifies, only those that have something to say answer.
    let answers =
        [integer(modify, "l", 1), integer(modify, "m", 1), integer(read, "m", 2), null(read, "m")];
    assert_eq!(outcome.results, answers);
    let outcome = run_with(None, Info1::READ, Info2::RESPOND_ALL_OPS, Info3::empty(), &ops);
    assert_eq!(outcome.bins, stored);
    let answers = [
        integer(modify, "l", 1),
        null(modify, "l"),
        integer(modify, "m", 1),
        integer(read, "m", 2),
        null(read, "m"),
        null(read, "absent"),
    ];
    assert_eq!(outcome.results, answers);
}

#[test]
fn a_hint_to_persist_an_index_stays_beside_the_bin() {
    // {1: 2}, not ordered, with the hint; then another pair.
    let ops = [
        (OpCode::WRITE, ParticleType::MAP, "m", &b"\x82\xc7\x00\x10\xc0\x01\x02"[..]),
        (OpCode::CDT_MODIFY, ParticleType::BLOB, "m", b"\x93\x43\x03\x04"),
        (OpCode::READ, NULL, "m", b""),
    ];
    let builder = ops.iter().fold(RequestBuilder::new(), |builder, (code, kind, name, value)| {
        builder.op(*code, *kind, name.as_bytes(), value)
    });
    let message = builder.info1(Info1::READ).info2(Info2::WRITE).into_body();
    let request = Request::parse(&message).unwrap();
    let policy = WritePolicy::of(&request).unwrap();
    let mut out = Vec::new();
    let mut reply = ReplyWriter::new(&mut out);
    let mut stored = Vec::new();
    apply(&request, &policy, None, None, &scene(None), &mut stored, &mut reply).unwrap();
    let bin = Body::new(&stored).bin(b"m").unwrap();
    assert_eq!((bin.value, bin.guide), (&b"\x82\x01\x02\x03\x04"[..], &[1][..]));
}

#[test]
fn first_error_decides() {
    let old = body(&[("s", STRING, b"x")]);
    for (op, expected) in [
        ((OpCode::INCREMENT, INTEGER, "s", &[0; 8][..]), ResultCode::INCOMPATIBLE_TYPE),
        ((OpCode::APPEND, ParticleType::BLOB, "s", b"x"), ResultCode::INCOMPATIBLE_TYPE),
        ((OpCode::WRITE, INTEGER, "n", b"abc"), ResultCode::PARAMETER),
        ((OpCode(99), NULL, "s", b""), ResultCode::PARAMETER),
        ((OpCode::CDT_MODIFY, NULL, "s", b""), ResultCode::PARAMETER),
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
        let applied = apply(&request, &policy, None, None, &scene(None), &mut body, reply);
        assert_eq!(applied.err(), (!fits).then_some(ResultCode::PARAMETER), "{count}");
        if fits {
            let one_more = RequestBuilder::new().op(OpCode::WRITE, STRING, b"one more", b"");
            let message = one_more.into_body();
            let request = Request::parse(&message).unwrap();
            let reply = &mut ReplyWriter::new(&mut out);
            let old = Some(Body::new(&body));
            let applied =
                apply(&request, &policy, old, None, &scene(old.as_ref()), &mut Vec::new(), reply);
            assert_eq!(applied.err(), Some(ResultCode::PARAMETER));
        }
    }
}

const BLOB: ParticleType = ParticleType::BLOB;
const HLL: ParticleType = ParticleType::HLL;

/// `[INIT, 4]`, `[ADD, [1], 4]`, `[COUNT]`.
const INIT_SKETCH: &[u8] = &[0x92, 0, 4];
const ADD_TO_SKETCH: &[u8] = &[0x93, 1, 0x91, 1, 4];
const COUNT_SKETCH: &[u8] = &[0x91, 50];
/// `[NOT, 0, 4]`, and with the policy NO_FAIL; `[COUNT, 0, 8]`.
const NOT_BITS: &[u8] = &[0x93, 7, 0, 4];
const NOT_BITS_NO_FAIL: &[u8] = &[0x94, 7, 0, 4, 4];
const COUNT_BITS: &[u8] = &[0x93, 51, 0, 8];

#[test]
fn operations_within_values_answer_what_they_have_to_say() {
    let old = body(&[("b", BLOB, &[0x0f])]);
    let ops = [
        (OpCode::BITS_READ, BLOB, "b", COUNT_BITS),
        (OpCode::BITS_MODIFY, BLOB, "b", NOT_BITS),
        (OpCode::BITS_READ, BLOB, "b", COUNT_BITS),
        (OpCode::HLL_MODIFY, NULL, "h", INIT_SKETCH),
        (OpCode::HLL_MODIFY, NULL, "h", ADD_TO_SKETCH),
        (OpCode::HLL_READ, NULL, "h", COUNT_SKETCH),
        (OpCode::BITS_READ, BLOB, "absent", COUNT_BITS),
        (OpCode::HLL_READ, NULL, "absent", COUNT_SKETCH),
    ];
    let answer = |code: OpCode, name: &str, value: i64| {
        (code.0, name.to_owned(), value.to_be_bytes().to_vec())
    };
    let nothing = |code: OpCode, name: &str| (code.0, name.to_owned(), Vec::new());
    let outcome = run(Some(&old), &ops);
    let answers = [
        answer(OpCode::BITS_READ, "b", 4),
        answer(OpCode::BITS_READ, "b", 8),
        answer(OpCode::HLL_MODIFY, "h", 1),
        answer(OpCode::HLL_READ, "h", 1),
    ];
    assert_eq!(outcome.results, answers);
    let stored = outcome.bins.unwrap();
    assert_eq!(stored[0], ("b".to_owned(), vec![0xff]));
    assert_eq!((stored[1].0.as_str(), &stored[1].1[..3]), ("h", &[0, 4, 0][..]));

    let all = run_with(Some(&old), Info1::READ, Info2::RESPOND_ALL_OPS, Info3::empty(), &ops);
    let [bits, more_bits, added, count] = answers;
    let expected = [
        bits,
        nothing(OpCode::BITS_MODIFY, "b"),
        more_bits,
        nothing(OpCode::HLL_MODIFY, "h"),
        added,
        count,
        nothing(OpCode::BITS_READ, "absent"),
        nothing(OpCode::HLL_READ, "absent"),
    ];
    assert_eq!(all.results, expected);
}

#[test]
fn operations_within_values_that_fail() {
    let old = body(&[("b", BLOB, &[0x0f]), ("s", STRING, b"x")]);
    for (op, expected) in [
        ((OpCode::BITS_MODIFY, NULL, "b", NOT_BITS), ResultCode::INCOMPATIBLE_TYPE),
        ((OpCode::BITS_MODIFY, HLL, "absent", NOT_BITS_NO_FAIL), ResultCode::INCOMPATIBLE_TYPE),
        ((OpCode::BITS_READ, STRING, "b", COUNT_BITS), ResultCode::INCOMPATIBLE_TYPE),
        ((OpCode::BITS_MODIFY, BLOB, "s", NOT_BITS), ResultCode::INCOMPATIBLE_TYPE),
        ((OpCode::BITS_MODIFY, BLOB, "absent", NOT_BITS), ResultCode::BIN_NOT_FOUND),
        ((OpCode::HLL_MODIFY, HLL, "s", INIT_SKETCH), ResultCode::INCOMPATIBLE_TYPE),
        ((OpCode::HLL_READ, HLL, "b", COUNT_SKETCH), ResultCode::INCOMPATIBLE_TYPE),
        ((OpCode::HLL_MODIFY, HLL, "h", COUNT_SKETCH), ResultCode::PARAMETER),
    ] {
        assert_eq!(run(Some(&old), &[op]).bins, Err(expected), "{op:?}");
    }
}

#[test]
fn operations_within_values_that_do_nothing_create_no_bin() {
    let outcome = run(None, &[(OpCode::BITS_MODIFY, BLOB, "b", NOT_BITS_NO_FAIL)]);
    assert_eq!(outcome.bins, bins(&[]));
}

#[test]
fn values_made_of_nothing_are_bounded() {
    // `[RESIZE, 50 MiB]`, in bins of its own each, and in the same bin.
    let resize = &[0x92, 0, 0xce, 0x03, 0x20, 0, 0][..];
    let to_nothing = &[0x92, 0, 0][..];
    let grow = |name| (OpCode::BITS_MODIFY, BLOB, name, resize);
    let shrink = |name| (OpCode::BITS_MODIFY, BLOB, name, to_nothing);
    let outcome = run(None, &[grow("a"), grow("b"), grow("c")]);
    assert_eq!(outcome.bins, Err(ResultCode::RECORD_TOO_BIG));
    let again = [grow("a"), shrink("a"), grow("a"), shrink("a"), grow("a"), shrink("a")];
    assert_eq!(run(None, &again).bins, bins(&[("a", b"")]));
}

/// Values of operations that evaluate expressions: bin `n`, an integer; `n + 1`; nil, with the flag
/// that lets it delete; unknown, with the flag that makes nothing of it.
const BIN_N: &[u8] = b"\x92\x93\x51\x02\xa1n\x00";
const N_AND_1: &[u8] = b"\x92\x93\x14\x93\x51\x02\xa1n\x01\x00";
const NIL_DELETES: &[u8] = b"\x92\xc0\x04";
const NIL: &[u8] = b"\x92\xc0\x00";
const UNKNOWN: &[u8] = b"\x92\x91\x00\x00";
const UNKNOWN_IS_NOTHING: &[u8] = b"\x92\x91\x00\x10";

#[test]
fn expressions_read_and_write_bins() {
    let old = body(&[("n", INTEGER, &[0, 0, 0, 0, 0, 0, 0, 5])]);
    let six = [0, 0, 0, 0, 0, 0, 0, 6];
    let ops = [
        (OpCode::EXPRESSION_MODIFY, NULL, "n", N_AND_1),
        (OpCode::EXPRESSION_MODIFY, NULL, "m", BIN_N),
        (OpCode::EXPRESSION_READ, NULL, "label", BIN_N),
        (OpCode::EXPRESSION_MODIFY, NULL, "n", NIL_DELETES),
        (OpCode::EXPRESSION_MODIFY, NULL, "m", UNKNOWN_IS_NOTHING),
        (OpCode::EXPRESSION_READ, NULL, "none", UNKNOWN_IS_NOTHING),
        (OpCode::EXPRESSION_MODIFY, NULL, "new", NIL),
    ];
    let outcome = run(Some(&old), &ops);
    assert_eq!(outcome.bins, bins(&[("m", &six)]));
    let read =
        |name: &str, value: &[u8]| (OpCode::EXPRESSION_READ.0, name.to_owned(), value.to_vec());
    assert_eq!(outcome.results, [read("label", &six), read("none", b"")]);
    let outcome = run_with(Some(&old), Info1::READ, Info2::RESPOND_ALL_OPS, Info3::empty(), &ops);
    let codes: Vec<_> = outcome.results.iter().map(|(code, ..)| *code).collect();
    assert_eq!(codes, [8, 8, 7, 8, 8, 7, 8], "each has a result, if only a null");
}

#[test]
fn expressions_fail_by_value_and_by_form() {
    let old = body(&[("s", STRING, b"x")]);
    for (value, expected) in [
        (BIN_N, ResultCode::OP_NOT_APPLICABLE),
        (UNKNOWN, ResultCode::OP_NOT_APPLICABLE),
        (NIL, ResultCode::OP_NOT_APPLICABLE),
        (b"", ResultCode::PARAMETER),
        (b"\x92\x91\x09\x00", ResultCode::PARAMETER),
    ] {
        let outcome = run(Some(&old), &[(OpCode::EXPRESSION_MODIFY, NULL, "s", value)]);
        assert_eq!(outcome.bins, Err(expected), "{value:02x?}");
    }
}
