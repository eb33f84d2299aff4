//! Calls of functions, without a network.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use config::Config;
use engine::latencies::LatencyKind;
use engine::stats::NamespaceCounter;
use wire::batch::{BatchBuilder, BatchFlags};
use wire::client::{Reply, RequestBuilder};
use wire::{FieldType, Info1, Info2, OpCode, ParticleType, ProtoHeader, ProtoType, ResultCode};

use crate::info::testing::{CLIENT, TestHost, ask, digest, node, node_with, send, worker, write};
use crate::node::Node;
use crate::unfinished::Progress;
use crate::worker::Answer;

const MODULE: &str = r#"
function get(rec, name) return rec[name] end
function add(rec, name, n)
  rec[name] = (rec[name] or 0) + n
  if aerospike:exists(rec) then aerospike:update(rec) else aerospike:create(rec) end
  return rec[name]
end
function drop(rec) return aerospike:remove(rec) end
function fail(rec) error('on purpose') end
function forever(rec) while true do end end
"#;

fn node_with_module() -> (Arc<TestHost>, Arc<Node>) {
    let (host, node) = node();
    put_module(&node);
    (host, node)
}

fn put_module(node: &Node) {
    let content = BASE64.encode(MODULE);
    let size = content.len();
    let put = format!("udf-put:filename=m.lua;content={content};content-len={size};udf-type=LUA");
    assert_eq!(ask(node, &put), "ok");
}

/// What came of a call: its result, generation, and the bin that it answered with.
#[derive(Debug, PartialEq, Eq)]
struct Called {
    result: ResultCode,
    generation: u32,
    bin: Option<(Vec<u8>, Vec<u8>)>,
}

fn request(function: &str, arguments: &[u8]) -> RequestBuilder {
    RequestBuilder::new()
        .namespace("test")
        .digest(&digest(None, "k"))
        .info2(Info2::WRITE)
        .field(FieldType::UDF_FILENAME, b"m")
        .field(FieldType::UDF_FUNCTION, function.as_bytes())
        .field(FieldType::UDF_ARGUMENTS, arguments)
}

/// Calls a function; `meanwhile` happens before it is carried out.
fn call_after(node: &Arc<Node>, message: RequestBuilder, meanwhile: impl FnOnce()) -> Called {
    let mut worker = worker(node);
    let mut out = Vec::new();
    let body = message.into_body();
    let answer = worker.answer(ProtoType::Message, &body, CLIENT, &mut out).unwrap();
    let Answer::Partial(mut rest) = answer else { panic!("a thread has to carry it out") };
    assert!(matches!(rest.advance(&mut worker, &mut out), Progress::Waits(_)));
    meanwhile();
    assert!(node.work_on_calls());
    let mut ready = Vec::new();
    worker.reap(&mut ready);
    assert_eq!(ready, [rest.ticket().unwrap_or_default()]);
    assert_eq!(rest.advance(&mut worker, &mut out), Progress::Over);
    let (reply, _) = Reply::parse(&out[ProtoHeader::SIZE..]).unwrap();
    let bin = reply.ops().next().map(|op| (op.name.to_vec(), op.value.to_vec()));
    Called { result: reply.header.result, generation: reply.header.generation, bin }
}

fn call(node: &Arc<Node>, message: RequestBuilder) -> Called {
    call_after(node, message, || {})
}

fn success(generation: u32, value: i64) -> Called {
    let bin = Some((b"SUCCESS".to_vec(), value.to_be_bytes().to_vec()));
    Called { result: ResultCode::OK, generation, bin }
}

/// The arguments `["n", number]`.
fn n(number: u8) -> Vec<u8> {
    vec![0x92, 0xA2, 0x03, b'n', number]
}

fn counter(node: &Node, counter: NamespaceCounter) -> u64 {
    node.namespaces[0].counters.sum(counter)
}

#[test]
fn a_function_creates_updates_and_removes_its_record() {
    let (_, node) = node_with_module();
    assert_eq!(call(&node, request("add", &n(5))), success(1, 5));
    assert_eq!(call(&node, request("add", &n(2))), success(2, 7));
    assert_eq!(call(&node, request("get", &n(0))), success(2, 7));
    assert_eq!(call(&node, request("drop", &[0x90])), success(3, 0));
    assert_eq!(node.namespaces[0].object_count(), 0);
    for (name, count) in [
        (NamespaceCounter::ClientUdfComplete, 4),
        (NamespaceCounter::ClientLangReadSuccess, 1),
        (NamespaceCounter::ClientLangWriteSuccess, 2),
        (NamespaceCounter::ClientLangDeleteSuccess, 1),
    ] {
        assert_eq!(counter(&node, name), count, "{name:?}");
    }
}

#[test]
fn a_function_that_fails_says_why() {
    let (_, node) = node_with_module();
    let called = call(&node, request("fail", &[0x90]));
    assert_eq!(called.result, ResultCode::UDF_EXECUTION);
    let (name, text) = called.bin.unwrap();
    assert_eq!(name, b"FAILURE");
    assert!(text.ends_with(b"on purpose"), "{}", String::from_utf8_lossy(&text));
    let called = call(&node, request("none", &[0x90]));
    assert_eq!(called.bin.unwrap().1, b"function not found");
    assert_eq!(counter(&node, NamespaceCounter::ClientLangError), 2);
}

#[test]
fn a_call_has_a_deadline() {
    let (host, node) = node_with_module();
    let late = || host.advance(Duration::from_secs(2));
    let called = call_after(&node, request("add", &n(5)), late);
    assert_eq!((called.result, called.bin), (ResultCode::TIMEOUT, None));
    assert_eq!(counter(&node, NamespaceCounter::ClientUdfTimeout), 1);
}

/// A batch whose only row calls a function.
fn batch_of_one(function: &str, arguments: &[u8]) -> RequestBuilder {
    let mut batch = BatchBuilder::new(BatchFlags::RESPOND_ALL);
    let row = RequestBuilder::new()
        .namespace("test")
        .info2(Info2::WRITE)
        .field(FieldType::UDF_FILENAME, b"m")
        .field(FieldType::UDF_FUNCTION, function.as_bytes())
        .field(FieldType::UDF_ARGUMENTS, arguments);
    batch.row(0, &digest(None, "k"), &row);
    RequestBuilder::new().info1(Info1::BATCH).field(FieldType::BATCH, &batch.into_data())
}

#[test]
fn calls_are_timed() {
    let (_, node) = node_with_module();
    assert_eq!(send(&node, &write(None, "k", 0)), 0);
    let latencies = &node.namespaces[0].latencies;
    let timed = |kind| latencies.of(kind).counts().total();
    for calls in 1..=3 {
        assert_eq!(call(&node, request("get", &n(0))).result, ResultCode::OK);
        assert_eq!(timed(LatencyKind::Udf), calls);
        assert_eq!(call(&node, batch_of_one("add", &n(1))).result, ResultCode::OK);
        assert_eq!(timed(LatencyKind::BatchSubUdf), calls);
    }
    assert_eq!(timed(LatencyKind::BatchSubRead) + timed(LatencyKind::BatchSubWrite), 0);
}

#[test]
fn calls_and_rows_are_benchmarked_while_switched_on() {
    use LatencyKind::*;
    let (_, node) = node_with_module();
    let timed = |kind| node.namespaces[0].latencies.of(kind).counts().total();
    let mut rows = BatchBuilder::new(BatchFlags::RESPOND_ALL);
    let reading = RequestBuilder::new().namespace("test").info1(Info1::READ | Info1::GET_ALL);
    let writing = RequestBuilder::new().namespace("test").info2(Info2::WRITE).op(
        OpCode::WRITE,
        ParticleType::INTEGER,
        b"n",
        &[0; 8],
    );
    rows.row(0, &digest(None, "k"), &writing);
    rows.row(1, &digest(None, "k"), &reading);
    let rows = RequestBuilder::new().info1(Info1::BATCH).field(FieldType::BATCH, &rows.into_data());
    let rows = rows.into_body();
    for (is_on, expected) in [(false, [0; 6]), (true, [1, 1, 2, 1, 1, 1]), (false, [0; 6])] {
        for setting in ["udf", "batch-sub"] {
            let set = "set-config:context=namespace;namespace=test;enable-benchmarks-";
            assert_eq!(ask(&node, &format!("{set}{setting}={is_on}")), "ok");
        }
        assert_eq!(send(&node, &rows), 0);
        call(&node, request("get", &n(0)));
        call(&node, batch_of_one("get", &n(0)));
        let kinds = [
            UdfStart,
            UdfMaster,
            BatchSubStart,
            BatchSubReadLocal,
            BatchSubWriteMaster,
            BatchSubUdfMaster,
        ];
        assert_eq!(kinds.map(timed), expected, "on: {is_on}");
    }
}

#[test]
fn functions_can_be_switched_off() {
    let mut config = Config::default_single_node(Path::new("/tmp/bolide"));
    config.resolve(&config::Host { cpus: 2, node_id: 0xA1, heartbeat_mtu_bytes: 65_536 });
    config.service.disable_udf_execution = true;
    let (_, node) = node_with(config);
    put_module(&node);
    assert!(ask(&node, "udf-list").starts_with("filename=m.lua,"), "modules can be kept");
    assert_eq!(send(&node, &write(None, "k", 0)), 0);
    let without_digest = |way: u8| {
        RequestBuilder::new()
            .namespace("test")
            .info1(Info1::READ)
            .field(FieldType::UDF_FILENAME, b"m")
            .field(FieldType::UDF_FUNCTION, b"get")
            .field(FieldType::UDF_ARGUMENTS, &n(0))
            .field(FieldType::UDF_OP, &[way])
    };
    let called = call(&node, request("get", &n(0)));
    assert_eq!((called.result, called.bin), (ResultCode::FORBIDDEN, None));
    for way in [1, 2] {
        let (mut worker, mut out) = (worker(&node), Vec::new());
        let body = without_digest(way).into_body();
        let answer = worker.answer(ProtoType::Message, &body, CLIENT, &mut out).unwrap();
        assert!(matches!(answer, Answer::Whole { .. }), "nothing has begun");
        let (reply, _) = Reply::parse(&out[ProtoHeader::SIZE..]).unwrap();
        assert_eq!(reply.header.result, ResultCode::FORBIDDEN);
    }
    let called = call(&node, batch_of_one("get", &n(0)));
    assert_eq!((called.result, called.bin), (ResultCode::FORBIDDEN, None));

    assert_eq!(node.jobs.list().len(), 0);
    assert_eq!(counter(&node, NamespaceCounter::ClientUdfError), 1);
    assert_eq!(counter(&node, NamespaceCounter::BatchSubUdfError), 1);
    assert_eq!(counter(&node, NamespaceCounter::PiQueryAggrError), 1);
    assert_eq!(counter(&node, NamespaceCounter::PiQueryUdfBgError), 1);
}

#[test]
fn what_it_calls_for_is_checked_as_for_writes() {
    let (_, node) = node_with_module();
    assert_eq!(send(&node, &write(None, "k", 0)), 0);
    let called = call(&node, request("add", &n(5)).set("other"));
    assert_eq!(called.result, ResultCode::PARAMETER);
    // A filter that is true of nothing.
    let called = call(&node, request("add", &n(5)).field(FieldType::FILTER, &[0x93, 1, 1, 2]));
    assert_eq!(called.result, ResultCode::FILTERED_OUT);
    assert_eq!(counter(&node, NamespaceCounter::ClientUdfFilteredOut), 1);
}

#[test]
fn a_job_calls_a_function_for_all_records() {
    let (host, node) = node_with_module();
    for key in ["a", "b", "c"] {
        assert_eq!(send(&node, &write(None, key, 0)), 0);
    }
    let job = RequestBuilder::new()
        .namespace("test")
        .info2(Info2::WRITE)
        .field(FieldType::QUERY_ID, &9u64.to_be_bytes())
        .field(FieldType::UDF_FILENAME, b"m")
        .field(FieldType::UDF_FUNCTION, b"add")
        .field(FieldType::UDF_ARGUMENTS, &n(3));
    let mut worker = worker(&node);
    let mut begin = |message: RequestBuilder| {
        let (mut out, body) = (Vec::new(), message.into_body());
        worker.answer(ProtoType::Message, &body, CLIENT, &mut out).unwrap();
        out[ProtoHeader::SIZE + 5]
    };
    assert_eq!(begin(job.clone()), 4, "it does not say how");
    assert_eq!(begin(job.clone().field(FieldType::UDF_OP, &[3])), 4);
    assert_eq!(begin(job.field(FieldType::UDF_OP, &[2])), 0);
    while node.jobs.active_count() > 0 {
        host.advance(Duration::from_millis(50));
        while node.work_on_jobs().is_none() {}
    }
    let shown = ask(&node, "query-show:trid=9");
    assert!(shown.contains(":recs-succeeded=3:recs-failed=0:"), "{shown}");
    assert!(shown.contains(":job-type=background-udf:"), "{shown}");
    assert!(shown.ends_with(":udf-filename=m:udf-function=add:udf-active=0"), "{shown}");
    for key in ["a", "b", "c"] {
        let read = RequestBuilder::new()
            .namespace("test")
            .digest(&digest(None, key))
            .info1(wire::Info1::READ)
            .op(OpCode::READ, ParticleType::NULL, b"n", &[]);
        let mut out = Vec::new();
        worker.answer(ProtoType::Message, &read.into_body(), CLIENT, &mut out).unwrap();
        let (reply, _) = Reply::parse(&out[ProtoHeader::SIZE..]).unwrap();
        assert_eq!(reply.ops().next().unwrap().value, 3u64.to_be_bytes());
    }
    assert_eq!(counter(&node, NamespaceCounter::UdfSubLangWriteSuccess), 3);
    assert_eq!(counter(&node, NamespaceCounter::PiQueryUdfBgComplete), 1);
}
