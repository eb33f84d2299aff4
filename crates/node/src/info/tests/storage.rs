//! What a node tells of devices: statistics, lines of the ticker, a look into a record.

use std::sync::Arc;
use std::time::Duration;

use config::{DevicePath, EngineKind, StorageEngine};
use storage::device::ram::RamDevice;
use storage::device::{Device, Shadowed};
use wire::client::RequestBuilder;
use wire::{Info1, ProtoType};

use super::super::testing::{
    CLIENT, TestHost, ask, await_ticket, digest, node, node_on, send, worker, write,
};
use crate::node::Node;
use crate::ticker::{Line, Ticker};
use crate::unfinished::Progress;
use crate::worker::Answer;

const DEVICE_BYTES: usize = 128 << 20;
const TWENTY_SECONDS: Duration = Duration::from_secs(20);

fn ram(name: &str) -> Arc<dyn Device> {
    Arc::new(RamDevice::new(name, DEVICE_BYTES, true))
}

fn paths(paths: &[&str]) -> Vec<DevicePath> {
    paths.iter().map(|path| DevicePath { path: (*path).into(), shadow: None }).collect()
}

/// Records on two files.
fn on_files() -> (Arc<TestHost>, Arc<Node>) {
    let engine = StorageEngine {
        kind: EngineKind::Device,
        files: paths(&["/a", "/b"]),
        post_write_cache_bytes: 0,
        ..StorageEngine::default()
    };
    node_on(engine, vec![ram("/a"), ram("/b")])
}

/// The pairs of a namespace's statistics whose names begin so, without that.
fn part(node: &Node, start: &str) -> String {
    let answer = ask(node, "namespace/test");
    let pairs = answer.split(';').filter_map(|pair| pair.strip_prefix(start));
    pairs.collect::<Vec<_>>().join(" ")
}

fn value(node: &Node, name: &str) -> u64 {
    part(node, &format!("{name}=")).parse().unwrap()
}

fn read(node: &Arc<Node>, key: &str) {
    let read = RequestBuilder::new()
        .namespace("test")
        .digest(&digest(None, key))
        .info1(Info1::READ | Info1::GET_ALL);
    assert_eq!(send(node, &read.into_body()), 0);
}

#[test]
fn files_are_told_of_one_by_one() {
    let (_, node) = on_files();
    for key in ["a", "b", "c", "d", "e", "f"] {
        assert_eq!(send(&node, &write(None, key, 0)), 0);
    }
    let namespace = node.namespace(b"test").unwrap();
    namespace.flush_devices();
    let used = |file| value(&node, &format!("storage-engine.file[{file}].used_bytes"));
    assert!(used(0) > 0 && used(1) > 0);
    assert_eq!(used(0) + used(1), value(&node, "data_used_bytes"));
    assert_eq!(
        part(&node, "storage-engine.file[1]"),
        format!(
            ".used_bytes={} .free_wblocks=14 .read_errors=0 .write_q=0 .writes=0 \
             .partial_writes=1 .defrag_q=0 .defrag_reads=0 .defrag_writes=0 \
             .defrag_partial_writes=0 .age=-1 .damaged=0 =/b",
            used(1)
        )
    );
    assert_eq!(value(&node, "data_total_bytes"), 30 * (8 << 20));
    assert_eq!(value(&node, "data_used_pct"), 0);
    assert_eq!(value(&node, "data_avail_pct"), 6 * 100 / 15);
    assert_eq!(part(&node, "data_compression_ratio="), "1.000");
    assert_eq!(part(&node, "storage-engine.stripe"), "");
    assert_eq!(part(&node, "stop_writes="), "false");
}

#[test]
fn statistics_of_storage_stand_where_the_original_has_them() {
    let (_, node) = on_files();
    let answer = ask(&node, "namespace/test");
    let names: Vec<_> = answer.split(';').filter_map(|pair| pair.split('=').next()).collect();
    let from = names.iter().position(|name| *name == "data_avail_pct").unwrap();
    assert_eq!(
        names[from..from + 4],
        [
            "data_avail_pct",
            "data_compression_ratio",
            "cache_read_pct",
            "storage-engine.file[0].used_bytes"
        ]
    );
}

#[test]
fn devices_with_shadows_have_one_more_number() {
    let engine = StorageEngine {
        kind: EngineKind::Device,
        devices: vec![DevicePath { path: "/d".into(), shadow: Some("/s".into()) }],
        ..StorageEngine::default()
    };
    let device = Shadowed::new(ram("/d"), ram("/s")).unwrap();
    let (_, node) = node_on(engine, vec![Arc::new(device)]);
    assert_eq!(value(&node, "storage-engine.device[0].shadow_write_q"), 0);
    assert_eq!(part(&node, "storage-engine.device[0].shadow="), "/s");
    assert_eq!(part(&node, "storage-engine.device[0]="), "/d");
}

#[test]
fn stripes_with_something_behind_them_tell_of_it() {
    let engine = StorageEngine { files: paths(&["/a"]), ..StorageEngine::default() };
    let (host, node) = node_on(engine, vec![ram("/a")]);
    assert_eq!(send(&node, &write(None, "k", 0)), 0);
    node.namespace(b"test").unwrap().flush_devices();
    let used = value(&node, "data_used_bytes");
    assert!(used > 0);
    assert_eq!(
        part(&node, "storage-engine.stripe[0]"),
        format!(
            ".used_bytes={used} .free_wblocks=14 .backing_write_q=0 .writes=0 .partial_writes=1 \
             .defrag_q=0 .defrag_reads=0 .defrag_writes=0 .defrag_partial_writes=0 .age=-1 \
             .damaged=0 =stripe-0 .backing=/a"
        )
    );
    assert_eq!(part(&node, "cache_read_pct"), "", "nothing is read from devices");
    host.advance(TWENTY_SECONDS);
    assert_eq!(
        device_lines(&mut Ticker::default(), &node),
        [Line {
            context: "drv-mem",
            text: format!(
                "{{test}} stripe-0: used-bytes {used} free-wblocks 14 write (0,0.0) defrag-q 0 \
                 defrag-read (0,0.0) defrag-write (0,0.0) write-q 0"
            ),
        }]
    );
}

#[test]
fn reads_that_needed_no_device_are_a_share_of_the_last_interval() {
    let (_, node) = on_files();
    let mut ticker = Ticker::default();
    let data_usage = |ticker: &mut Ticker| {
        let lines = ticker.step(&node);
        let line = lines.into_iter().find(|line| line.text.contains("data-usage:")).unwrap();
        line.text.split_once("avail-pct 40 ").unwrap().1.to_owned()
    };
    for key in ["k", "l"] {
        assert_eq!(send(&node, &write(None, key, 0)), 0);
    }
    assert_eq!(data_usage(&mut ticker), "cache-read-pct 0.00");
    read(&node, "k");
    assert_eq!(data_usage(&mut ticker), "cache-read-pct 100.00");
    assert_eq!(value(&node, "cache_read_pct"), 100);
    assert_eq!(data_usage(&mut ticker), "cache-read-pct 0.00");
    assert_eq!(value(&node, "cache_read_pct"), 0);
}

/// Lines of the ticker that are about devices.
fn device_lines(ticker: &mut Ticker, node: &Node) -> Vec<Line> {
    ticker.step(node).into_iter().filter(|line| line.context != "info").collect()
}

#[test]
fn devices_have_a_line_each_every_twenty_seconds() {
    let (host, node) = on_files();
    let mut ticker = Ticker::default();
    assert_eq!(device_lines(&mut ticker, &node), []);
    host.advance(TWENTY_SECONDS);
    let idle = |name: &str| Line {
        context: "drv_ssd",
        text: format!(
            "{{test}} {name}: used-bytes 0 free-wblocks 15 write-q 0 write (0,0.0) defrag-q 0 \
             defrag-read (0,0.0) defrag-write (0,0.0)"
        ),
    };
    assert_eq!(device_lines(&mut ticker, &node), [idle("/a"), idle("/b")]);
    host.advance(Duration::from_secs(10));
    assert_eq!(device_lines(&mut ticker, &node), []);
    // Ten blocks of records, of which the last is not full.
    for key in 0..10 {
        let blob = vec![7; 900_000];
        for part in 0..9 {
            let key = format!("{key}.{part}");
            let write = RequestBuilder::new()
                .info2(wire::Info2::WRITE)
                .namespace("test")
                .digest(&digest(None, &key))
                .op(wire::OpCode::WRITE, wire::ParticleType::BLOB, b"a", &blob);
            assert_eq!(send(&node, &write.into_body()), 0, "{key}");
        }
        node.namespace(b"test").unwrap().flush_devices();
    }
    host.advance(Duration::from_secs(10));
    let lines = device_lines(&mut ticker, &node);
    let writes: u64 = (0..2)
        .map(|file| {
            let writes = value(&node, &format!("storage-engine.file[{file}].writes"));
            let shown = format!(" write ({writes},{:.1}) ", writes as f64 / 20.0);
            assert!(lines[file].text.contains(&shown), "{shown} {}", lines[file].text);
            writes
        })
        .sum();
    assert!((8..=10).contains(&writes), "{writes}");
}

#[test]
fn a_committed_write_is_answered_once_it_is_on_the_device() {
    let engine = StorageEngine {
        kind: EngineKind::Device,
        files: paths(&["/a"]),
        commit_to_device: true,
        ..StorageEngine::default()
    };
    let (_, node) = node_on(engine, vec![ram("/a")]);
    let (mut worker, mut out) = (worker(&node), Vec::new());
    let request = write(None, "k", 0);
    let answer = worker.answer(ProtoType::Message, &request, CLIENT, &mut out).unwrap();
    let Answer::Partial(mut rest) = answer else { panic!("it is answered too early") };
    let Progress::Waits(ticket) = rest.advance(&mut worker, &mut out) else {
        panic!("it does not wait")
    };
    assert!(out.is_empty());
    node.namespace(b"test").unwrap().flush_devices();
    await_ticket(&mut worker, ticket);
    assert!(matches!(rest.advance(&mut worker, &mut out), Progress::Over));
    assert_eq!(out[8 + 5], 0);
    assert_eq!(value(&node, "storage-engine.file[0].partial_writes"), 1);
}

#[test]
fn persistent_memory_counts_as_files_and_logs_in_its_own_context() {
    let engine =
        StorageEngine { kind: EngineKind::Pmem, files: paths(&["/p"]), ..StorageEngine::default() };
    let (host, node) = node_on(engine, vec![ram("/p")]);
    assert_eq!(value(&node, "storage-engine.file[0].used_bytes"), 0);
    assert_eq!(part(&node, "cache_read_pct"), "");
    host.advance(TWENTY_SECONDS);
    let lines = device_lines(&mut Ticker::default(), &node);
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].context, "drv_pmem");
    assert!(lines[0].text.starts_with("{test} /p: used-bytes 0 "));
}

#[test]
fn a_record_names_its_file() {
    let (_, node) = on_files();
    assert_eq!(send(&node, &write(None, "k", 0)), 0);
    let shown = ask(&node, &format!("debug-record-meta:namespace=test;keyd={}", digest(None, "k")));
    let used = value(&node, "storage-engine.file[0].used_bytes");
    let (id, name) = if used != 0 { (0, "/a") } else { (1, "/b") };
    assert!(shown.contains(&format!(",file-id={id},file-name={name},")), "{shown}");
}

#[test]
fn settings_of_devices_change_at_run_time() {
    let (_, node) = on_files();
    let set = "set-config:context=namespace;namespace=test;";
    for setting in [
        "read-page-cache=true",
        "compression=zstd",
        "compression-level=3",
        "post-write-cache=64M",
        "max-write-cache=128M",
        "flush-size=128K",
        "defrag-lwm-pct=60",
        "defrag-sleep=10",
        "tomb-raider-sleep=10",
    ] {
        assert_eq!(ask(&node, &format!("{set}{setting}")), "ok", "{setting}");
    }
    assert_eq!(part(&node, "storage-engine.read-page-cache="), "true");
    let refused = "ERROR:4:invalid set-config parameter";
    for setting in ["commit-to-device=true", "cold-start-empty=true", "filesize=1G"] {
        assert_eq!(ask(&node, &format!("{set}{setting}")), refused, "{setting}");
    }
    // Only what is on devices has these.
    let (_, in_memory) = self::node();
    assert_eq!(ask(&in_memory, &format!("{set}read-page-cache=true")), refused);
}
