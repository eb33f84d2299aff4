//! Requests that wait for devices.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config::{Config, EngineKind};
use engine::Namespace;
use engine::devices::{DevicePlan, NamespaceOpening};
use engine::stats::NamespaceCounter;
use storage::device::ram::{Faults, RamDevice};
use storage::device::{Device, FileDevice, OpenOptions};
use storage::format::BLOCK_BYTES;
use wire::batch::{BatchBuilder, BatchFlags};
use wire::client::RequestBuilder;
use wire::{FieldType, Info1, Info2, Info3, OpCode, ParticleType, ProtoType};

use super::*;
use crate::host::Host;
use crate::info::testing::{CLIENT, TestHost, digest, finish, send, worker, write};
use crate::node::Node;
use crate::worker::Answer;

/// Size of a device that holds few blocks.
const DEVICE_BYTES: usize = 128 << 20;

/// A node whose namespace `test` is on this device.
fn node_on(device: Arc<dyn Device>, commits: bool) -> (Arc<TestHost>, Arc<Node>) {
    let mut config = Config::default_single_node(Path::new("/tmp/bolide"));
    config.resolve(&config::Host { cpus: 2, node_id: 0xA1, heartbeat_mtu_bytes: 65_536 });
    let engine = &mut config.namespaces[0].storage_engine;
    engine.kind = EngineKind::Device;
    engine.commit_to_device = commits;
    let plan = DevicePlan {
        devices: vec![device],
        image: None,
        block_bytes: BLOCK_BYTES,
        encryption: None,
        threads: 1,
        random: || fastrand::u64(1..),
    };
    let host = TestHost::new();
    let opening = NamespaceOpening::begin(config.namespaces[0].clone(), 1, plan).unwrap();
    let (on_device, _) = opening.finish(host.now().seconds()).unwrap();
    let in_memory = Namespace::new(config.namespaces[1].clone(), 1);
    let namespaces = vec![Arc::new(on_device), Arc::new(in_memory)];
    (Arc::clone(&host), Arc::new(Node::with(config, namespaces, host, 1)))
}

/// A node with these records, all of which have to be read from a file.
fn node_with_records(keys: &[String]) -> (Arc<TestHost>, Arc<Node>) {
    let writes: Vec<_> = keys.iter().map(|key| write(None, key, 0)).collect();
    node_after(&writes)
}

/// A node that was restarted after these writes.
fn node_after(writes: &[Vec<u8>]) -> (Arc<TestHost>, Arc<Node>) {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("bolide-node-{}-{number}", std::process::id()));
    let options =
        OpenOptions { filesize_bytes: Some(DEVICE_BYTES as u64), ..OpenOptions::default() };
    let open = || Arc::new(FileDevice::open(&path, &options).unwrap().device) as Arc<dyn Device>;
    let (_, node) = node_on(open(), false);
    writes.iter().for_each(|write| assert_eq!(send(&node, write), 0));
    node.namespaces[0].close_devices(None).unwrap();
    drop(node);
    let restarted = node_on(open(), false);
    std::fs::remove_file(&path).unwrap();
    restarted
}

fn node_with_record() -> (Arc<TestHost>, Arc<Node>) {
    node_with_records(&["k".to_owned()])
}

/// A node that commits to a device.
fn committing_node() -> (Arc<RamDevice>, Arc<Node>) {
    let device = Arc::new(RamDevice::new("ram", DEVICE_BYTES, true));
    let (_, node) = node_on(Arc::clone(&device) as Arc<dyn Device>, true);
    (device, node)
}

fn begin(worker: &mut Worker, message: &[u8], out: &mut Vec<u8>) -> Box<Unfinished> {
    match worker.answer(ProtoType::Message, message, CLIENT, out).unwrap() {
        Answer::Partial(rest) => rest,
        Answer::Whole { .. } => panic!("it has nothing to wait for"),
    }
}

fn about(key: &str) -> RequestBuilder {
    RequestBuilder::new().namespace("test").digest(&digest(None, key))
}

fn read() -> Vec<u8> {
    about("k").info1(Info1::READ | Info1::GET_ALL).into_body()
}

fn reads(node: &Node) -> u64 {
    node.namespaces[0].counters.sum(NamespaceCounter::ClientReadSuccess)
}

#[test]
fn a_read_waits_for_its_record_and_counts_once() {
    let (host, node) = node_with_record();
    let mut worker = worker(&node);
    let mut out = b"before".to_vec();
    let mut rest = begin(&mut worker, &read(), &mut out);
    assert_eq!((&out[..], reads(&node)), (&b"before"[..], 0));
    assert!(rest.buffered_bytes() >= read().len());
    let Progress::Waits(ticket) = rest.advance(&mut worker, &mut out) else { panic!() };
    assert_eq!(&out[..], b"before");
    let mut ready = Vec::new();
    worker.flush();
    worker.reap(&mut ready);
    assert_eq!(ready, [ticket]);
    host.advance(Duration::from_millis(5));
    worker.wake();
    assert_eq!(rest.advance(&mut worker, &mut out), Progress::Over);
    assert_eq!(out[b"before".len() + 8 + 5], 0);
    assert_eq!(reads(&node), 1);
}

#[test]
fn a_read_of_metadata_waits_for_nothing() {
    let (_, node) = node_with_record();
    let mut worker = worker(&node);
    let exists = about("k").info1(Info1::READ | Info1::GET_NO_BINS).into_body();
    let delete = about("k").info2(Info2::WRITE | Info2::DELETE).into_body();
    for message in [exists, delete] {
        let answer = worker.answer(ProtoType::Message, &message, CLIENT, &mut Vec::new()).unwrap();
        assert!(matches!(answer, Answer::Whole { .. }));
    }
}

#[test]
fn a_replace_waits_only_for_a_record_with_a_key() {
    let replace = about("k")
        .info2(Info2::WRITE)
        .info3(Info3::CREATE_OR_REPLACE)
        .op(OpCode::WRITE, ParticleType::STRING, b"a", b"v")
        .into_body();
    let answer = |node: &Arc<Node>| {
        worker(node).answer(ProtoType::Message, &replace, CLIENT, &mut Vec::new()).unwrap()
    };
    let (_, node) = node_after(std::slice::from_ref(&replace));
    assert!(matches!(answer(&node), Answer::Whole { .. }));
    let (_, node) = node_with_record();
    assert!(matches!(answer(&node), Answer::Partial(_)), "the key is kept");
}

#[test]
fn what_is_read_for_a_request_that_has_gone_comes_to_nothing() {
    let (_, node) = node_with_record();
    let mut worker = worker(&node);
    let mut out = Vec::new();
    drop(begin(&mut worker, &read(), &mut out));
    let mut other = begin(&mut worker, &read(), &mut out);
    let Progress::Waits(ticket) = other.advance(&mut worker, &mut out) else { panic!() };
    let mut ready = Vec::new();
    worker.reap(&mut ready);
    assert_eq!(ready, [ticket], "the other has the same place under another ticket");
    assert_eq!(other.advance(&mut worker, &mut out), Progress::Over);
    assert_eq!(reads(&node), 1);
}

#[test]
fn a_reply_is_held_until_pledges_are_kept() {
    let (_, node) = committing_node();
    let mut worker = worker(&node);
    let mut out = Vec::new();
    let mut rest = begin(&mut worker, &write(None, "k", 0), &mut out);
    let writes = || node.namespaces[0].counters.sum(NamespaceCounter::ClientWriteSuccess);
    assert!(out.is_empty() && writes() == 0);
    let Progress::Waits(ticket) = rest.advance(&mut worker, &mut out) else { panic!() };
    node.namespaces[0].flush_devices();
    crate::info::testing::await_ticket(&mut worker, ticket);
    assert_eq!(rest.advance(&mut worker, &mut out), Progress::Over);
    assert_eq!((out[8 + 5], writes()), (0, 1));
}

#[test]
fn a_pledge_that_is_kept_before_anybody_asks_wakes_its_request() {
    let (_, node) = committing_node();
    let mut worker = worker(&node);
    let mut out = Vec::new();
    let first = begin(&mut worker, &write(None, "k", 0), &mut out);
    node.namespaces[0].flush_devices();
    let mut ready = Vec::new();
    worker.reap(&mut ready);
    assert_eq!(Some(ready), first.ticket().map(|ticket| vec![ticket]));
}

#[test]
fn a_broken_pledge_is_an_unknown_failure() {
    let (device, node) = committing_node();
    device.set_faults(Faults { fail_writes_from: Some(1), ..Faults::default() });
    let mut worker = worker(&node);
    let mut out = Vec::new();
    let answer = worker.answer(ProtoType::Message, &write(None, "k", 0), CLIENT, &mut out).unwrap();
    node.namespaces[0].flush_devices();
    finish(&mut worker, answer, &mut out);
    assert_eq!((out.len(), out[8 + 5]), (30, 1));
    let counter = |name| node.namespaces[0].counters.sum(name);
    assert_eq!(counter(NamespaceCounter::ClientWriteSuccess), 0);
    assert_eq!(counter(NamespaceCounter::ClientWriteError), 1);
}

#[test]
fn a_broken_pledge_ends_a_batch() {
    let (device, node) = committing_node();
    device.set_faults(Faults { fail_writes_from: Some(1), ..Faults::default() });
    let mut worker = worker(&node);
    let mut out = Vec::new();
    let row = RequestBuilder::new().namespace("test").info2(Info2::WRITE).op(
        OpCode::WRITE,
        ParticleType::STRING,
        b"a",
        b"v",
    );
    let mut batch = BatchBuilder::new(BatchFlags::RESPOND_ALL);
    batch.row(0, &digest(None, "x"), &row);
    let message =
        RequestBuilder::new().info1(Info1::BATCH).field(FieldType::BATCH, &batch.into_data());
    let answer = worker.answer(ProtoType::Message, &message.into_body(), CLIENT, &mut out).unwrap();
    node.namespaces[0].flush_devices();
    finish(&mut worker, answer, &mut out);
    assert_eq!((out.len(), out[8 + 5]), (30, 1), "no row, and the overall result");
}

#[test]
fn a_batch_reads_many_records_at_a_time() {
    let keys: Vec<String> = (0..200).map(|number| format!("k{number}")).collect();
    let (_, node) = node_with_records(&keys);
    let mut batch = BatchBuilder::new(BatchFlags::RESPOND_ALL);
    let row = RequestBuilder::new().namespace("test").info1(Info1::READ | Info1::GET_ALL);
    for (index, key) in (0..).zip(&keys) {
        match index {
            0 => _ = batch.row(index, &digest(None, key), &row),
            _ => _ = batch.repeat(index, &digest(None, key)),
        }
    }
    let message =
        RequestBuilder::new().info1(Info1::BATCH).field(FieldType::BATCH, &batch.into_data());
    let mut worker = worker(&node);
    let mut out = Vec::new();
    let mut rest = begin(&mut worker, &message.into_body(), &mut out);
    let mut waits = 0;
    loop {
        match rest.advance(&mut worker, &mut out) {
            Progress::Over => break,
            Progress::More => {}
            Progress::Waits(ticket) => {
                waits += 1;
                crate::info::testing::await_ticket(&mut worker, ticket);
                assert!(rest.buffered_bytes() < 1 << 20);
            }
        }
    }
    assert_eq!(waits, 4, "64 rows at a time");
    let read = node.namespaces[0].counters.sum(NamespaceCounter::BatchSubReadSuccess);
    assert_eq!(read, 200);
}
