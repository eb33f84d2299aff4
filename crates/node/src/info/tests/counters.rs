//! Statistics follow what happened: each test does something and reads the numbers.

use std::collections::HashMap;
use std::sync::Arc;

use engine::supervisor::{Supervisor, World};
use wire::client::RequestBuilder;
use wire::{Info1, Info2, OpCode, ParticleType, ProtoType};

use super::super::testing::{CLIENT, START, TestHost, ask, digest, node, send, worker, write};
use crate::host::Host as _;
use crate::node::Node;
use crate::ticker::Ticker;

/// The pairs of an answer.
fn pairs(node: &Node, command: &str) -> HashMap<String, String> {
    let answer = ask(node, command);
    let pairs = answer.trim_end_matches(';').split([';', ':']);
    pairs.filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect()
}

/// Asserts some pairs of an answer, given as `name=value` words.
fn assert_pairs(node: &Node, command: &str, expected: &str) {
    let pairs = pairs(node, command);
    for (name, value) in expected.split_whitespace().filter_map(|pair| pair.split_once('=')) {
        assert_eq!(pairs.get(name).map(String::as_str), Some(value), "{command}: {name}");
    }
}

fn set(node: &Node, setting: &str) {
    let command = format!("set-config:context=namespace;namespace=test;{setting}");
    assert_eq!(ask(node, &command), "ok", "{setting}");
}

fn supervise(host: &TestHost, node: &Node, supervisor: &mut Supervisor, memory_used_pct: u32) {
    let world = World { now: host.now(), memory_used_pct };
    let namespace = node.namespace(b"test").unwrap();
    supervisor.step(namespace, world, || host.now(), &mut Vec::new());
}

fn request(key: &str) -> RequestBuilder {
    RequestBuilder::new().namespace("test").digest(&digest(None, key))
}

fn read(key: &str) -> RequestBuilder {
    request(key).info1(Info1::READ | Info1::GET_ALL)
}

fn delete(key: &str) -> RequestBuilder {
    request(key).info2(Info2::WRITE | Info2::DELETE)
}

fn put(key: &str, value: &[u8]) -> RequestBuilder {
    let op = (OpCode::WRITE, ParticleType::BLOB);
    request(key).info2(Info2::WRITE).op(op.0, op.1, b"a", value)
}

fn remove_bin(key: &str) -> RequestBuilder {
    request(key).info2(Info2::WRITE).op(OpCode::WRITE, ParticleType::NULL, b"a", b"")
}

/// Sends requests, each with the result code it is to have.
fn send_all(node: &Arc<Node>, requests: impl IntoIterator<Item = (RequestBuilder, u8)>) {
    for (place, (request, expected)) in requests.into_iter().enumerate() {
        assert_eq!(send(node, &request.into_body()), expected, "request {place}");
    }
}

#[test]
fn requests_are_counted_by_kind_and_outcome() {
    let (_, node) = node();
    let equal = |request: RequestBuilder| request.info2(Info2::WRITE | Info2::GENERATION);
    let large = vec![0; 2 << 20];
    send_all(
        &node,
        [
            (put("k", b"1"), 0),
            (equal(put("k", b"1").generation(7)), 3),
            (put("k", &large), 13),
            (read("k"), 0),
            (read("absent"), 2),
            (request("k").info1(Info1::READ), 4),
            (delete("absent"), 2),
            (delete("k"), 0),
            (put("k", b"1"), 0),
            (remove_bin("k"), 0),
            (request("k"), 4),
            (put("k", b"1").info1(Info1::XDR), 0),
            (delete("k").info1(Info1::XDR), 0),
            (delete("k").info1(Info1::XDR), 2),
        ],
    );
    assert_pairs(
        &node,
        "namespace/test",
        "client_read_success=1 client_read_not_found=1 client_read_error=1 client_read_timeout=0 \
         client_write_success=4 client_write_error=2 client_write_timeout=0 \
         client_delete_success=2 client_delete_not_found=2 client_delete_error=0 \
         client_tsvc_error=1 xdr_client_write_success=1 xdr_client_delete_success=1 \
         xdr_client_delete_not_found=1 fail_generation=1 fail_record_too_big=1 deleted_last_bin=1",
    );
    let lines: Vec<String> =
        Ticker::default().step(&node).into_iter().map(|line| line.text).collect();
    for line in [
        "{test} client: tsvc (1,0) proxy (0,0,0) read (1,1,0,1,0) write (4,2,0,0) \
         delete (2,0,0,2,0) udf (0,0,0,0) lang (0,0,0,0)",
        "{test} xdr-client: write (1,0,0) delete (1,0,0,1)",
        "{test} special-errors: key-busy (0,0) record-too-big 1 lost-conflict (0,0)",
    ] {
        assert!(lines.iter().any(|text| text == line), "{line}\n{lines:#?}");
    }
}

#[test]
fn the_node_counts_what_it_cannot_place() {
    let (_, node) = node();
    let nowhere = RequestBuilder::new().namespace("nope").digest(&digest(None, "k"));
    send_all(&node, [(nowhere, 20)]);
    assert_eq!(send(&node, b"rubbish"), 4);
    let mut out = Vec::new();
    let mut worker = worker(&node);
    worker.answer(ProtoType::Info, b"status\nnode\n", CLIENT, &mut out).unwrap();
    assert_pairs(
        &node,
        "statistics",
        "demarshal_error=1 early_tsvc_client_error=1 info_complete=1 info_timeout=0 \
         client_connections=1 client_connections_opened=2 client_connections_closed=1 \
         reaped_fds=0 threads_joinable=5 heap_allocated_kbytes=90 heap_active_kbytes=100 \
         heap_efficiency_pct=90 system_user_cpu_pct=3 system_kernel_cpu_pct=4 \
         system_total_cpu_pct=7 cluster_size=1 cluster_key=E9F7134D3401 paxos_principal=A1",
    );
}

#[test]
fn durable_deletes_leave_tombstones() {
    let (_, node) = node();
    assert_eq!(send(&node, &write(Some("s"), "k", 0)), 0);
    let durable = RequestBuilder::new()
        .namespace("test")
        .digest(&digest(Some("s"), "k"))
        .info2(Info2::WRITE | Info2::DELETE | Info2::DURABLE_DELETE);
    send_all(&node, [(durable.clone(), 0), (durable, 2)]);
    let counts = "objects=0 tombstones=1";
    assert_pairs(&node, "sets/test/s", counts);
    assert_pairs(&node, "statistics", counts);
    let of_master = "master_objects=0 master_tombstones=1";
    assert_pairs(&node, "namespace/test", &format!("{counts} {of_master}"));
    let lines = Ticker::default().step(&node);
    let tombstones = "{test} tombstones: all 1 xdr (0,0) master 1 prole 0 non-replica 0";
    assert!(lines.iter().any(|line| line.text == tombstones));

    assert_eq!(send(&node, &write(Some("s"), "k", 0)), 0);
    assert_pairs(&node, "sets/test/s", "objects=1 tombstones=0");
    let keyd = digest(Some("s"), "k");
    let record = ask(&node, &format!("debug-record-meta:namespace=test;keyd={keyd}"));
    assert!(record.contains(",generation=3,"), "the generation goes on: {record}");
}

#[test]
fn space_is_told_and_guarded() {
    let (host, node) = node();
    let mut supervisor = Supervisor::new(host.now());
    let value = vec![0; 900_000];
    send_all(&node, (0..40).map(|number| (put(&number.to_string(), &value), 0)));
    let shown = pairs(&node, "namespace/test");
    let number = |name: &str| shown[name].parse::<u64>().unwrap();
    let (used, total) = (number("data_used_bytes"), number("data_total_bytes"));
    // Header 35, end mark 4, number of bins 1, name 2, blob 5 + 900,000; in units of 16 bytes.
    assert_eq!((used, total), (40 * 900_048, 1 << 30));
    assert_eq!(number("data_used_pct"), used * 100 / total);
    assert_eq!(number("data_avail_pct"), 100 - number("data_used_pct"));
    assert!(number("index_used_bytes") > 0);
    assert!(!shown.contains_key("indexes_memory_used_pct"), "there is no budget");
    set(&node, "indexes-memory-budget=1");
    assert!(pairs(&node, "namespace/test").contains_key("indexes_memory_used_pct"));
    set(&node, "indexes-memory-budget=0");

    set(&node, "stop-writes-used-pct=3");
    supervise(&host, &node, &mut supervisor, 0);
    assert_pairs(&node, "namespace/test", "stop_writes=true");
    send_all(&node, [(put("0", b"1"), 8), (read("0"), 0), (delete("0"), 0)]);
    set(&node, "stop-writes-used-pct=70");
    host.advance(std::time::Duration::from_secs(10));
    supervise(&host, &node, &mut supervisor, 0);
    assert_pairs(&node, "namespace/test", "stop_writes=false");
    send_all(&node, [(put("0", b"1"), 0)]);
    host.advance(std::time::Duration::from_secs(10));
    supervise(&host, &node, &mut supervisor, 91);
    assert_pairs(&node, "namespace/test", "stop_writes=true");
}

#[test]
fn the_supervisor_tells_what_it_removed() {
    let (host, node) = node();
    let mut supervisor = Supervisor::new(host.now());
    for (key, ttl_seconds) in [("eternal", 0), ("short", 10), ("long", 1000), ("longer", 2000)] {
        assert_eq!(send(&node, &write(None, key, ttl_seconds)), 0);
    }
    host.advance(std::time::Duration::from_secs(120));
    assert_eq!(send(&node, &read("short").into_body()), 2, "gone before it is removed");
    supervise(&host, &node, &mut supervisor, 0);
    let now = format!("current_time={}", START.seconds().0 + 120);
    assert_pairs(&node, "namespace/test", &now);
    assert_pairs(
        &node,
        "namespace/test",
        "objects=3 expired_objects=1 evicted_objects=0 non_expirable_objects=1 hwm_breached=false \
         nsup_cycle_duration=0 nsup_cycle_deleted_pct=25.00 evict_ttl=0 evict_void_time=0",
    );

    set(&node, "evict-tenths-pct=500");
    set(&node, "evict-hist-buckets=100");
    set(&node, "indexes-memory-budget=1024");
    set(&node, "evict-indexes-memory-pct=1");
    host.advance(std::time::Duration::from_secs(120));
    supervise(&host, &node, &mut supervisor, 0);
    let shown = pairs(&node, "namespace/test");
    let threshold: u32 = shown["evict_void_time"].parse().unwrap();
    let void_times = START.seconds().0 + 1000..START.seconds().0 + 2000;
    assert!(void_times.contains(&threshold), "{threshold} lies between the two");
    assert_pairs(
        &node,
        "namespace/test",
        "objects=2 evicted_objects=1 non_expirable_objects=1 hwm_breached=true",
    );
    assert_eq!(shown["evict_ttl"].parse::<u32>().unwrap(), threshold - host.now().seconds().0);
}

#[test]
fn reads_near_the_end_renew_a_record() {
    let (host, node) = node();
    assert_eq!(send(&node, &write(None, "k", 100)), 0);
    set(&node, "default-read-touch-ttl-pct=50");
    host.advance(std::time::Duration::from_secs(20));
    send_all(&node, [(read("k"), 0)]);
    assert_pairs(&node, "namespace/test", "read_touch_success=0");
    host.advance(std::time::Duration::from_secs(40));
    send_all(&node, [(read("k"), 0)]);
    assert_pairs(&node, "namespace/test", "read_touch_success=1 read_touch_error=0");
    let keyd = digest(None, "k");
    let record = ask(&node, &format!("debug-record-meta:namespace=test;keyd={keyd}"));
    let void_time = START.seconds().0 + 160;
    assert!(record.contains(&format!(",void-time={void_time},")), "{record}");
    assert!(record.contains(",generation=1,"), "a renewal is no write: {record}");
    let lines = Ticker::default().step(&node);
    let line = "{test} read-touch: tsvc (0,0) all-triggers (1,0,0,0)";
    assert!(lines.iter().any(|text| text.text == line));

    // The percentage of a set goes before that of its namespace.
    assert_eq!(send(&node, &write(Some("s"), "k", 100)), 0);
    set(&node, "set=s;default-read-touch-ttl-pct=-1");
    host.advance(std::time::Duration::from_secs(60));
    let of_set = RequestBuilder::new()
        .namespace("test")
        .digest(&digest(Some("s"), "k"))
        .info1(Info1::READ | Info1::GET_ALL);
    send_all(&node, [(of_set.clone(), 0)]);
    assert_pairs(&node, "namespace/test", "read_touch_success=1");
    set(&node, "set=s;default-read-touch-ttl-pct=60");
    send_all(&node, [(of_set, 0)]);
    assert_pairs(&node, "namespace/test", "read_touch_success=2");
}

#[test]
fn settings_of_the_namespace_hold_from_the_next_request_on() {
    let (_, node) = node();
    let in_set = || write(Some("s"), "k", 0);
    let shipped = || put("k", b"1").info1(Info1::XDR);
    set(&node, "disallow-null-setname=true");
    send_all(&node, [(put("k", b"1"), 4)]);
    set(&node, "disallow-null-setname=false");
    set(&node, "reject-xdr-writes=true");
    send_all(&node, [(shipped(), 22), (delete("k").info1(Info1::XDR), 22), (put("k", b"1"), 0)]);
    set(&node, "reject-xdr-writes=false");
    set(&node, "reject-non-xdr-writes=true");
    send_all(&node, [(shipped(), 0), (put("k", b"1"), 22), (read("k"), 0)]);
    set(&node, "reject-non-xdr-writes=false");
    assert_pairs(&node, "namespace/test", "fail_xdr_forbidden=3");
    set(&node, "max-record-size=64");
    send_all(&node, [(put("k", &[0; 64]), 13), (put("k", b"1"), 0)]);
    set(&node, "max-record-size=1M");

    assert_eq!(send(&node, &in_set()), 0);
    set(&node, "set=s;stop-writes-count=1");
    assert_eq!(send(&node, &write(Some("s"), "another", 0)), 22);
    assert_eq!(send(&node, &in_set()), 0, "a full set takes updates");
    set(&node, "set=s;stop-writes-count=0");
    set(&node, "set=s;stop-writes-size=1");
    assert_eq!(send(&node, &in_set()), 22);
    set(&node, "set=s;stop-writes-size=0");

    set(&node, "default-ttl=100");
    set(&node, "set=s;default-ttl=-1");
    assert_eq!(send(&node, &in_set()), 0);
    send_all(&node, [(put("k", b"1"), 0)]);
    let void_time = |keyd| {
        let record = ask(&node, &format!("debug-record-meta:namespace=test;keyd={keyd}"));
        record
            .split(",void-time=")
            .nth(1)
            .and_then(|rest| rest.split(',').next().map(str::to_owned))
    };
    assert_eq!(void_time(digest(Some("s"), "k")).unwrap(), "0");
    assert_eq!(void_time(digest(None, "k")).unwrap(), (START.seconds().0 + 100).to_string());
    set(&node, "set=s;default-ttl=50");
    assert_eq!(send(&node, &in_set()), 0);
    assert_eq!(void_time(digest(Some("s"), "k")).unwrap(), (START.seconds().0 + 50).to_string());
}

#[test]
fn set_indexes_and_truncations_are_told() {
    let (host, node) = node();
    let mut supervisor = Supervisor::new(host.now());
    for number in 0..100 {
        assert_eq!(send(&node, &write(Some("s"), &number.to_string(), 0)), 0);
    }
    assert_pairs(&node, "sets/test/s", "objects=100 truncating=false index_populating=false");
    set(&node, "set=s;enable-index=true");
    supervise(&host, &node, &mut supervisor, 0);
    let used = pairs(&node, "namespace/test")["set_index_used_bytes"].clone();
    assert_ne!(used, "0");
    let line = format!("{{test}} set-index-usage: used-bytes {used}");
    assert!(Ticker::default().step(&node).iter().any(|text| text.text == line));
    set(&node, "set=s;enable-index=false");
    supervise(&host, &node, &mut supervisor, 0);
    assert_pairs(&node, "namespace/test", "set_index_used_bytes=0");

    host.advance(std::time::Duration::from_secs(1));
    assert_eq!(ask(&node, "truncate:namespace=test;set=s"), "ok");
    let first = digest(Some("s"), "0");
    let read = RequestBuilder::new().namespace("test").digest(&first).info1(Info1::READ);
    assert_eq!(send(&node, &read.into_body()), 2, "gone before it is removed");
    assert_pairs(&node, "sets/test/s", "objects=100 truncating=true");
    supervise(&host, &node, &mut supervisor, 0);
    let lut = host.now().0;
    let after = format!("objects=0 truncating=false truncate_lut={lut} data_used_bytes=0");
    assert_pairs(&node, "sets/test/s", &after);
    assert_pairs(&node, "namespace/test", "objects=0 data_used_bytes=0");
}
